"""Rows below a tree: the papers with a label as ticks along the leaves, beside its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.figures.label_table import (
    LabelColumns,
    LabelGroup,
    write_numbers,
    write_titles,
)
from survey_tools.figures.pages import MARGIN_PT
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import LINE_SPACING, wrap
from survey_tools.tree import Tree

__all__ = ["ROW_EMS", "LabelRow", "RowStack", "merge_ticks", "stack_label_rows"]

ROW_EMS = 1.6  # height of a row with one line of text
_GROUP_GAP_EMS = 0.7
_LEAST_TICK_PT, _LEAST_BOX_PT = 0.5, 2.0  # so that one paper of very many is seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelRow:
    """A label's strip, in points.

    Attributes
    ----------
    number : int
        From 1, from top down.
    colour_index : int
        Of its axis.
    ticks : ndarray of float, shape (n_ticks, 2)
        Left and right ends of neighbouring papers with the label.
    box : (float, float)
        Left and right end of the best sub-tree.
    is_sure : bool
        Whether q is at most alpha.
    """

    axis: str
    label: str
    number: int
    colour_index: int
    top: float
    bottom: float
    ticks: NDArray[np.float64]
    box: tuple[float, float]
    is_sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStack:
    """All rows with what is written beside them.

    Attributes
    ----------
    rules : tuple of ndarray, each of shape (2, 2)
        Grey lines: under the ticks of every row, and across the page above every group.
    """

    rows: tuple[LabelRow, ...]
    rules: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]


def stack_label_rows(
    tree: Tree,
    groups: Sequence[LabelGroup],
    members: Mapping[tuple[str, str], Sequence[str]],
    columns: LabelColumns,
    edges: NDArray[np.float64],
    *,
    top: float,
    size: float,
    alpha: float,
) -> RowStack:
    """Set the rows of all groups below one another, from ``top`` down.

    Parameters
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Left edge of each leaf, and right edge of the last.
    """
    rows: list[LabelRow] = []
    rules, texts = [], []
    y = top
    for colour_index, (group, titles) in enumerate(zip(groups, write_titles(groups), strict=True)):
        rules.append(np.array([(MARGIN_PT, y), (columns.width - MARGIN_PT, y)]))
        y += _GROUP_GAP_EMS / 2.0 * size
        if group.heading:
            lines = wrap(group.heading, columns.width - MARGIN_PT - columns.title_x, size)
            height = size * (ROW_EMS + LINE_SPACING * (len(lines) - 1))
            texts.append(PlacedText(lines=lines, x=columns.title_x, y=y + height / 2.0, size=size))
            y += height
        for place, title in zip(group.places, titles, strict=True):
            lines = wrap(title, columns.title_width, size)
            height = size * (ROW_EMS + LINE_SPACING * (len(lines) - 1))
            middle = y + height / 2.0
            start = int(tree.starts[place.node])
            left, right = float(edges[start]), float(edges[start + place.size])
            wider = max(0.0, _LEAST_BOX_PT - (right - left)) / 2.0
            row = LabelRow(
                axis=place.axis,
                label=place.label,
                number=len(rows) + 1,
                colour_index=colour_index,
                top=middle - 0.42 * ROW_EMS * size,
                bottom=middle + 0.42 * ROW_EMS * size,
                ticks=merge_ticks(
                    tree, members[place.axis, place.label], edges, least=_LEAST_TICK_PT
                ),
                box=(left - wider, right + wider),
                is_sure=place.q_value is not None and place.q_value <= alpha,
            )
            rows.append(row)
            rules.append(np.array([(columns.strip[0], middle), (columns.strip[1], middle)]))
            texts.append(PlacedText(lines=lines, x=columns.title_x, y=middle, size=size))
            texts += [
                PlacedText(lines=(number,), x=x, y=middle, size=size, align="right")
                for number, x in zip(write_numbers(place, alpha), columns.rights, strict=True)
            ]
            y += height
        y += _GROUP_GAP_EMS / 2.0 * size
    return RowStack(rows=tuple(rows), rules=tuple(rules), texts=tuple(texts))


def merge_ticks(
    tree: Tree, keys: Sequence[str], edges: NDArray[np.float64], *, least: float
) -> NDArray[np.float64]:
    """Turn papers into ticks along the leaves; those that touch are one.

    However many papers there are, no more ticks are left than fit side by side.

    Parameters
    ----------
    keys : sequence of str
        Papers of the tree, one at least.
    edges : ndarray of float, shape (n_papers + 1,)
        Left edge of each leaf, and right edge of the last.
    least : float
        Width of the thinnest tick.

    Returns
    -------
    ndarray of float, shape (n_ticks, 2)
        Left and right ends, from left to right.

    Raises
    ------
    ParameterError
        If the tree does not hold a paper.
    """
    if not keys:
        raise ParameterError("a label without a paper has no ticks; leave it out")
    leaves = np.sort(tree.starts[[tree.leaf(key) for key in keys]])
    spread = max(0.0, least - float(edges[1] - edges[0])) / 2.0
    starts, stops = edges[leaves] - spread, edges[leaves + 1] + spread
    is_new = np.concatenate([[True], starts[1:] > stops[:-1] + 1e-9])
    firsts = np.flatnonzero(is_new)
    lasts = np.concatenate([firsts[1:], [len(leaves)]]) - 1
    return np.column_stack([starts[firsts], stops[lasts]])
