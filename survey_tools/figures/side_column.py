"""Columns of texts beside the leaves: names of clusters and of sub-trees, never overlapping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.pages import LANE_PT, PAD_PT
from survey_tools.figures.placement import choose_largest, spread
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.spans import NameSpan
from survey_tools.figures.style import LINE_SPACING

__all__ = [
    "CODE_EMS",
    "SideColumn",
    "block_height",
    "names_width",
    "place_codes",
    "set_beside",
    "set_names_beside",
]

_SERIF_PT = 2.5
_GAP_EMS = 0.45  # white space below a text
CODE_EMS = 1.9  # side of the square that a ringed letter fills
_NAMES_SHARE, _NAMES_PT = 0.2, 130.0  # most of a width, and most points, for names
_FILLED = 0.75  # share of a column that is filled where not all texts fit
_N_SHIFTS = 4  # places tried for a letter whose node is taken, each a letter further to the root


@dataclass(frozen=True, slots=True, kw_only=True)
class SideColumn:
    """Texts beside the leaves with the lines that lead to them.

    Attributes
    ----------
    lines : tuple of ndarray, each of shape (n_points, 2)
        Leaders, and brackets if there are any, as (x, y) in points.
    n_left_out : int
        Texts for which there was no room.
    """

    texts: tuple[PlacedText, ...] = ()
    lines: tuple[NDArray[np.float64], ...] = ()
    n_left_out: int = 0


def block_height(lines: Sequence[str], size: float) -> float:
    """Height that a block of lines takes in a column, in points."""
    return size * (LINE_SPACING * len(lines) + _GAP_EMS)


def set_beside(
    wanted: Sequence[float] | NDArray[np.float64],
    blocks: Sequence[tuple[str, ...]],
    n_papers: Sequence[int],
    *,
    from_x: Sequence[float] | NDArray[np.float64],
    text_x: float,
    room: tuple[float, float],
    size: float,
) -> SideColumn:
    """Set blocks of lines below one another, each as near as may be to where it belongs.

    Where not all fit, those with the most papers are written, as many as leave a quarter of
    the column white, so that each may stand near its place.

    Parameters
    ----------
    wanted, from_x : sequence of float
        What each block belongs to: its middle, and where its leader begins.
    room : (float, float)
        Upper and lower end of the column.
    """
    heights = [block_height(lines, size) for lines in blocks]
    length = room[1] - room[0]
    fits = sum(heights) <= length
    chosen = choose_largest(n_papers, heights, length if fits else _FILLED * length)
    middles = spread([wanted[i] for i in chosen], [heights[i] for i in chosen], *room)
    texts = tuple(
        PlacedText(lines=blocks[i], x=text_x, y=float(y), size=size)
        for i, y in zip(chosen, middles, strict=True)
    )
    leaders = tuple(
        np.array([(from_x[i], wanted[i]), (text_x - 1.5, y)])
        for i, y in zip(chosen, middles, strict=True)
    )
    return SideColumn(texts=texts, lines=leaders, n_left_out=len(blocks) - len(chosen))


def names_width(spans: Sequence[NameSpan], width: float) -> tuple[float, float]:
    """Divide a page of ``width`` points: room for the brackets, and for the names beside them."""
    if not spans:
        return 0.0, 0.0
    n_lanes = 1 + max(span.lane for span in spans)
    return n_lanes * LANE_PT + 2 * PAD_PT, min(_NAMES_SHARE * width, _NAMES_PT)


def set_names_beside(
    spans: Sequence[NameSpan],
    edges: NDArray[np.float64],
    *,
    x: float,
    widths: tuple[float, float],
    room: tuple[float, float],
    size: float,
) -> SideColumn:
    """Draw a bracket for every named sub-tree and write its name, size and score beside it.

    Parameters
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last.
    x : float
        Left edge of the brackets.
    widths : (float, float)
        As from `names_width`.
    """
    brackets = []
    for span in spans:
        start, end = edges[span.first_leaf], edges[span.last_leaf + 1]
        inset = min(1.0, (end - start) / 4.0)  # neighbours must not look joined
        right = x + (span.lane + 1) * LANE_PT - 1.0
        left = right - _SERIF_PT
        corners = [(left, start + inset), (right, start + inset)]
        brackets.append(np.array([*corners, (right, end - inset), (left, end - inset)]))
    column = set_beside(
        [float(line[:, 1].mean()) for line in brackets],
        [span.wrapped(widths[1], size) for span in spans],
        [span.n_papers for span in spans],
        from_x=[float(line[1, 0]) for line in brackets],
        text_x=x + widths[0],
        room=room,
        size=size,
    )
    return SideColumn(
        texts=column.texts, lines=(*brackets, *column.lines), n_left_out=column.n_left_out
    )


def place_codes(
    spans: Sequence[NameSpan],
    places: Mapping[int, tuple[float, float]],
    size: float,
    *,
    root_x: float | None = None,
) -> tuple[PlacedText, ...]:
    """Write the letter of every named sub-tree at its node, in a ring.

    A letter that would cover another moves towards the root, if that is on the left; where
    no place is free it is left to the bracket alone.

    Parameters
    ----------
    places : mapping of int to (float, float)
        Where the nodes stand.
    root_x : float, optional
        Place of the root on the left; without it no letter moves.
    """
    side = CODE_EMS * size
    taken: list[tuple[float, float]] = []
    texts = []
    codes: dict[int, list[NameSpan]] = {}  # several names may mean one node
    for span in spans:
        codes.setdefault(span.node, []).append(span)
    for node in sorted(codes, key=lambda node: (-codes[node][0].n_papers, node)):
        node_x, y = places[node]
        for shift in range(1 if root_x is None else _N_SHIFTS):
            x = node_x - shift * side
            is_free = all(abs(x - a) >= side or abs(y - b) >= side for a, b in taken)
            if is_free and (root_x is None or shift == 0 or x >= root_x):
                code = ", ".join(span.code for span in codes[node])
                taken.append((x, y))
                texts.append(
                    PlacedText(lines=(code,), x=x, y=y, size=size, align="center", is_ringed=True)
                )
                break
    return tuple(texts)
