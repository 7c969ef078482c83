"""Lanes of a survey's own clusters beside a tree of another order: papers as ticks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.label_rows import merge_ticks
from survey_tools.figures.marks import Marks, Patch, Stroke, box
from survey_tools.figures.side_column import set_beside
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import MUTED, PALETTE, shorten
from survey_tools.partition import Partition
from survey_tools.tree import Tree

__all__ = ["LEADER_PT", "mark_lanes", "name_lanes"]

LEADER_PT = 16.0  # from the last lane to the names
_LEAST_TICK_PT = 0.8  # so that one paper of very many is seen
_FILLED = 0.85  # of a lane
_PALE = "#e6e6e6"


def name_lanes(partition: Partition, width: float, size: float) -> tuple[str, ...]:
    """Write name and number of papers of every cluster, no wider than ``width`` points."""
    return tuple(
        shorten(f"{name} ({n:,})", width, size)
        for name, n in zip(partition.group_names, partition.sizes.tolist(), strict=True)
    )


def mark_lanes(
    tree: Tree,
    partition: Partition,
    names: Sequence[str],
    edges: NDArray[np.float64],
    *,
    room: tuple[float, float],
    size: float,
) -> tuple[Marks, int]:
    """Draw every cluster's papers as ticks in a lane of its own, and its name on the right.

    Lanes follow one another as the clusters' middle papers do in the tree; each name stands at
    the height of that paper. Where not all names fit, the largest clusters are named.

    Parameters
    ----------
    names : sequence of str
        In the order of ``partition.group_names``.
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last.
    room : (float, float)
        Left end of the first lane, and right end of the last.

    Returns
    -------
    marks : Marks
    n_unnamed : int
        Clusters whose name had no room.
    """
    members = [partition.members(name) for name in partition.group_names]
    leaves = [np.sort(tree.starts[[tree.leaf(key) for key in keys]]) for keys in members]
    middles = [(edges[x] + edges[x + 1])[len(x) // 2] / 2.0 for x in leaves]
    order = sorted(range(len(members)), key=lambda i: (middles[i], i))
    width = (room[1] - room[0]) / len(members)
    patches: list[Patch] = []
    strokes: list[Stroke] = []
    rights = [0.0] * len(members)
    for lane, i in enumerate(order):
        left = room[0] + lane * width
        rights[i] = left + _FILLED * width
        centre = left + _FILLED * width / 2.0
        rail = ((centre, float(edges[0])), (centre, float(edges[-1])))
        strokes.append(Stroke(points=rail, colour=_PALE, width=0.3, is_behind=True))
        swatch = Swatch(face=PALETTE[i % len(PALETTE)])
        ticks = merge_ticks(tree, members[i], edges, least=_LEAST_TICK_PT)
        patches += [box(left, top, rights[i], bottom, swatch) for top, bottom in ticks.tolist()]
    column = set_beside(
        middles,
        [(name,) for name in names],
        [len(keys) for keys in members],
        from_x=rights,
        text_x=room[1] + LEADER_PT,
        room=(float(edges[0]), float(edges[-1])),
        size=size,
    )
    leaders = [
        Stroke(points=tuple(map(tuple, line.tolist())), colour=MUTED, width=0.4)
        for line in column.lines
    ]
    marks = Marks(patches=tuple(patches), strokes=(*strokes, *leaders), texts=column.texts)
    return marks, column.n_left_out
