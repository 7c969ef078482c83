"""Brackets: named sub-trees beside the leaves that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.pages import Row
from survey_tools.figures.style import LINE_SPACING, wrap
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["Bracket", "assign_lanes", "build_brackets", "name_height", "name_lines"]


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


def build_brackets(
    tree: Tree,
    names: Sequence[AttachedName],
    node_y: NDArray[np.float64],
    rows: Sequence[Row],
    name_width: float,
    size: float,
) -> tuple[Bracket, ...]:
    """Place the bracket of every name, given in leaf order; ``node_y`` is every node's place."""
    lanes = assign_lanes(names)
    brackets = []
    for i, (name, lane) in enumerate(zip(names, lanes, strict=True)):
        node = name.subtree.node
        start, n_papers = int(tree.starts[node]), int(tree.sizes[node])
        code = _letters(i)
        brackets.append(
            Bracket(
                code=code,
                name=name.name,
                paper_keys=name.subtree.paper_keys,
                height=name.subtree.height,
                centre=float(node_y[node]),
                top=rows[start].top,
                bottom=rows[start + n_papers - 1].bottom,
                lane=lane,
                lines=name_lines(name, code, name_width, size),
            )
        )
    return tuple(brackets)


def name_height(lines: Sequence[str], size: float) -> float:
    """Height of a sub-tree's name beside its bracket, in points."""
    return size * LINE_SPACING * len(lines) + 2.0


def name_lines(name: AttachedName, code: str, width: float, size: float) -> tuple[str, ...]:
    """Wrap a name with the size and score of its sub-tree, as it stands beside its bracket."""
    score = "" if name.jaccard is None else f", J {name.jaccard:.2f}"
    size_and_score = f"{len(name.subtree.paper_keys)} papers{score}"
    return (*wrap(f"{code}  {name.name}", width, size), *wrap(size_and_score, width, size))


def _letters(i: int) -> str:
    letters = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
