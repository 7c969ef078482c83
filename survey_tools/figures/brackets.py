"""Brackets: where named sub-trees and their names stand beside the leaves that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.placement import letter_code
from survey_tools.figures.rows import Row
from survey_tools.figures.style import LINE_SPACING, text_width, wrap
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["Bracket", "NameBox", "assign_lanes", "build_brackets", "name_box"]

_BESIDE_EMS = 9.0  # width of a name below its sub-tree, before it wraps
_LONGEST_WORD_EMS = 16.0  # a longer word is split
_NAME_GAP_PT, _BESIDE_GAP_PT = 2.0, 6.0  # between two names below, and beside, each other


@dataclass(frozen=True, slots=True, kw_only=True)
class NameBox:
    """The wrapped name of a sub-tree, with its size and Jaccard score.

    Attributes
    ----------
    width, height : float
        Room that it needs in points, with white space on the side of the next name.
    """

    lines: tuple[str, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A named sub-tree: its code at the node, and its bracket beside the labels.

    Attributes
    ----------
    code : str
        A, B, C, … in leaf order.
    height, centre : float
        Where the node stands: merge height, and points from the first row's top.
    lane : int
        Lane of the bracket, 0 next to the labels; brackets in one lane do not overlap.
    lines : tuple of str
        Wrapped name with size and Jaccard score.
    room : float
        Points that the name needs along the rows.
    """

    code: str
    name: str
    paper_keys: tuple[str, ...]
    height: float
    centre: float
    top: float
    bottom: float
    lane: int
    lines: tuple[str, ...]
    room: float


def assign_lanes(names: Sequence[AttachedName]) -> list[int]:
    """Give each sub-tree a lane: inside those nested in it, lane 0 for the innermost."""
    sets = [frozenset(name.subtree.paper_keys) for name in names]
    lanes: list[int] = [0] * len(sets)
    for i in sorted(range(len(sets)), key=lambda i: (len(sets[i]), i)):
        taken = {lanes[j] for j in range(len(sets)) if j != i and sets[j] < sets[i]}
        same = {lanes[j] for j in range(i) if sets[j] == sets[i]}
        lane = 0
        while lane in taken or lane in same or any(lane < other for other in taken):
            lane += 1
        lanes[i] = lane
    return lanes


def name_box(name: AttachedName, i: int, size: float, *, width: float | None = None) -> NameBox:
    """Wrap the i-th name and measure it.

    Parameters
    ----------
    width : float, optional
        Width in points of names that stand one below the other. Without it they stand side
        by side, in lines of our own choice.
    """
    if width is None:
        longest = max(text_width(word, size) for word in name.name.split() or [""])
        most = min(max(_BESIDE_EMS * size, longest), _LONGEST_WORD_EMS * size)
    else:
        most = width
    score = "" if name.jaccard is None else f", J {name.jaccard:.2f}"
    size_and_score = f"{len(name.subtree.paper_keys)} papers{score}"
    title = wrap(f"{letter_code(i)}  {name.name}", most, size)
    lines = (*title, *wrap(size_and_score, most, size))
    gaps = (_BESIDE_GAP_PT, 0.0) if width is None else (0.0, _NAME_GAP_PT)
    return NameBox(
        lines=lines,
        width=max(text_width(line, size) for line in lines) + gaps[0],
        height=size * LINE_SPACING * len(lines) + gaps[1],
    )


def build_brackets(
    tree: Tree,
    names: Sequence[AttachedName],
    boxes: Sequence[NameBox],
    places: NDArray[np.float64],
    rows: Sequence[Row],
    *,
    is_top_down: bool = False,
) -> tuple[Bracket, ...]:
    """Place the bracket of every name, given in leaf order; ``places`` are the nodes'."""
    lanes = assign_lanes(names)
    brackets = []
    for i, (name, box, lane) in enumerate(zip(names, boxes, lanes, strict=True)):
        node = name.subtree.node
        start, n_papers = int(tree.starts[node]), int(tree.sizes[node])
        brackets.append(
            Bracket(
                code=letter_code(i),
                name=name.name,
                paper_keys=name.subtree.paper_keys,
                height=name.subtree.height,
                centre=float(places[node]),
                top=rows[start].top,
                bottom=rows[start + n_papers - 1].bottom,
                lane=lane,
                lines=box.lines,
                room=box.width if is_top_down else box.height,
            )
        )
    return tuple(brackets)
