"""One side of a tanglegram: a tree, its height axis, and what stands beside its leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.branches import colour_merges
from survey_tools.figures.height_axis import build_height_axis, name_height_axis, node_heights
from survey_tools.figures.leaf_bars import BAR_PT, place_bars
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.segments import branch_segments, join_on_grid, place_on_leaves
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.side_column import block_height, set_beside
from survey_tools.figures.spans import ClusterSpan, find_cluster_spans
from survey_tools.figures.style import LINE_SPACING, wrap
from survey_tools.figures.tanglegram_page import TanglegramGrid
from survey_tools.partition import Partition
from survey_tools.tree import Tree

__all__ = ["Side", "lay_out_side", "mirror"]

_TICK_PT = 2.5
_MIRRORED: Mapping[str, Literal["left", "right", "center"]] = {
    "left": "right",
    "right": "left",
    "center": "center",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One tree of a tanglegram with what stands beside its leaves, in points.

    Attributes
    ----------
    segments : ndarray of float, shape (n_segments, 2, 2)
    segment_colours : ndarray of int, shape (n_segments,)
        Cluster colour index, or -1 outside clusters.
    bars : ndarray of float, shape (n_bars, 4)
        Left, top, right, bottom: one bar for neighbouring leaves of a cluster.
    bar_colours : tuple of int
    lines : tuple of ndarray, each of shape (2, 2)
        The axis of merge heights, its ticks, and leaders to names.
    texts : tuple of PlacedText
        Title, labels, names of clusters, ticks and title of the axis.
    n_unnamed : int
        Bars without a name, for want of room.
    bottom : float
        Where everything ends.
    """

    segments: NDArray[np.float64]
    segment_colours: NDArray[np.intp]
    bars: NDArray[np.float64]
    bar_colours: tuple[int, ...]
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]
    n_unnamed: int
    bottom: float


def lay_out_side(
    tree: Tree,
    labels: Mapping[str, str],
    clusters: Partition | None,
    grid: TanglegramGrid,
    size: float,
    *,
    gid: str,
) -> Side:
    """Lay out a tree whose root is on the left.

    Parameters
    ----------
    labels : mapping of str to str
        Label of every paper; empty where none are written.
    gid : str
        Prefix of the labels' identifiers.
    """
    axis = build_height_axis(tree, grid.leaf_x - grid.root_x, size)
    node_x = axis.place(node_heights(tree), grid.leaf_x, grid.root_x)
    middles = (grid.edges[1:] + grid.edges[:-1]) / 2.0
    pieces = branch_segments(tree, node_x, place_on_leaves(tree, middles)).reshape(-1, 2, 2)
    colours = np.full(tree.n_papers - 1, -1)
    spans: tuple[ClusterSpan, ...] = ()
    if clusters is not None:
        _, colours = colour_merges(tree, clusters)
        spans = find_cluster_spans(tree, clusters)
    segments, segment_colours = join_on_grid(pieces, np.tile(colours, 3))
    bars = place_bars(spans, grid.edges, grid.bar_x)
    names, leaders, n_unnamed = _name_bars(spans, bars, grid, size, is_roomy=bool(labels))
    written = [
        PlacedText(
            lines=(labels[key],), x=grid.link_x, y=float(y), size=size, align="right",
            gid=f"{gid}-{key}",
        )
        for key, y in zip(tree.keys_in_leaf_order, middles, strict=True)
        if labels
    ]  # fmt: skip
    y = float(grid.edges[-1]) + PAD_PT
    places = axis.place(np.array(axis.ticks), grid.leaf_x, grid.root_x)
    ruler = [np.array([(grid.root_x, y), (grid.leaf_x, y)])]
    ruler += [np.array([(x, y), (x, y + _TICK_PT)]) for x in places.tolist()]
    below = y + _TICK_PT + 0.8 * size
    ticks = [
        PlacedText(lines=(f"{tick:g}",), x=x, y=below, size=size, align="center")
        for tick, x in zip(axis.ticks, places.tolist(), strict=True)
    ]
    most = grid.width / 2.0 - grid.root_x - PAD_PT
    title = wrap(name_height_axis(tree), most, size)
    middle = below + (1.0 + LINE_SPACING / 2.0 * len(title)) * size
    return Side(
        segments=segments,
        segment_colours=segment_colours,
        bars=bars,
        bar_colours=tuple(span.colour_index for span in spans),
        lines=(*ruler, *leaders),
        texts=(
            *written,
            *names,
            *ticks,
            PlacedText(lines=title, x=grid.root_x, y=middle, size=size),
        ),
        n_unnamed=n_unnamed,
        bottom=middle + LINE_SPACING / 2.0 * size * len(title),
    )


def mirror(side: Side, width: float) -> Side:
    """Turn a side about the middle of a page of ``width`` points."""

    def turn(lines: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.array([width, 0.0]) + lines * np.array([-1.0, 1.0]))

    return replace(
        side,
        segments=turn(side.segments),
        bars=np.column_stack(
            [width - side.bars[:, 2], side.bars[:, 1], width - side.bars[:, 0], side.bars[:, 3]]
        ),
        lines=tuple(turn(line) for line in side.lines),
        texts=tuple(
            replace(text, x=width - text.x, align=_MIRRORED[text.align]) for text in side.texts
        ),
    )


def _name_bars(
    spans: Sequence[ClusterSpan],
    bars: NDArray[np.float64],
    grid: TanglegramGrid,
    size: float,
    *,
    is_roomy: bool,
) -> tuple[tuple[PlacedText, ...], tuple[NDArray[np.float64], ...], int]:
    """Name every bar where each leaf has a line of its own, or all fit; else the high ones."""
    middles = bars[:, [1, 3]].mean(axis=1)
    if is_roomy:
        texts = tuple(
            PlacedText(lines=(span.name,), x=grid.name_x, y=float(y), size=size)
            for span, y in zip(spans, middles, strict=True)
        )
        return texts, (), 0
    room = (float(grid.edges[0]), float(grid.edges[-1]))
    height = block_height(("C1",), size)
    named = np.arange(len(spans))
    if len(spans) * height > room[1] - room[0]:  # then names stand at their bars or not at all
        named = np.flatnonzero(bars[:, 3] - bars[:, 1] >= height)
    chosen = [spans[i] for i in named.tolist()]
    column = set_beside(
        middles[named],
        [(span.name,) for span in chosen],
        [span.n_papers for span in chosen],
        from_x=[grid.bar_x + 2 * BAR_PT + 1.0] * len(chosen),
        text_x=grid.name_x,
        room=room,
        size=size,
    )
    return column.texts, column.lines, len(spans) - len(chosen)
