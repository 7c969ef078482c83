"""The page of a collapsed tree: how its width is divided and how tall its rows are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.figures.collapsed_rows import CollapsedRow, RowGroup
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size, text_sizes
from survey_tools.figures.sheet import axis_room
from survey_tools.figures.side_column import block_height, names_width
from survey_tools.figures.spans import NameSpan
from survey_tools.figures.style import text_width, wrap
from survey_tools.settings import FigureSettings

__all__ = ["BAR_PT", "LEGEND_EMS", "CollapsedContents", "CollapsedGrid", "divide_page"]

BAR_PT = 5.0  # thickness of a cluster bar
LEGEND_EMS = 1.45  # from one line of the legend to the next
_TALLEST_PAGE_PT = 14_400.0  # 200 inches, the limit of PDF readers (ISO 32000-1, annex C)
_LARGEST_BASE_PT = 90.0  # base of the largest triangle, where the page has room for it
_ROW_EMS = 0.5  # white space between two triangles, in font sizes
_LEAST_TREE, _ROW_SHARE, _GROUP_SHARE = 0.25, 0.2, 0.26  # of the width: tree, rows, clusters
_HALVINGS = 30  # of the triangles' scale, until a page of fixed size has room for them


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapsedContents:
    """What is shown, before it has a place."""

    rows: tuple[CollapsedRow, ...]
    row_texts: tuple[str, ...]
    groups: tuple[RowGroup, ...]
    spans: tuple[NameSpan, ...]
    legend: str
    axis_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapsedGrid:
    """Wrapped texts, and where rows and columns begin, at one text size."""

    size: float
    width: float
    height: float
    leaf_x: float
    row_x: float
    bar_x: float
    group_x: float
    bracket_x: float
    name_widths: tuple[float, float]
    row_lines: tuple[tuple[str, ...], ...]
    group_lines: tuple[tuple[str, ...], ...]
    legend_lines: tuple[str, ...]
    title_lines: tuple[str, ...]
    edges: NDArray[np.float64]
    points_per_paper: float


def divide_page(contents: CollapsedContents, settings: FigureSettings) -> CollapsedGrid:
    """Find the largest text with which everything fits the page."""
    sizes = text_sizes(settings)
    for size in sizes:
        grid = _try_size(contents, settings, size)
        if grid is not None:
            return grid
    raise ParameterError(
        f"a {settings.page} page has no room for {len(contents.rows)} branches with their texts "
        f"at {sizes[-1]:g} points; show fewer branches, or use a wider page, smaller text or "
        "page: tall"
    )


def _try_size(
    contents: CollapsedContents, settings: FigureSettings, size: float
) -> CollapsedGrid | None:
    width, fixed = page_size(settings)
    inner = width - 2 * MARGIN_PT
    row_lines = tuple(wrap(text, _ROW_SHARE * inner, size) for text in contents.row_texts)
    group_lines = tuple(
        wrap(group.title, _GROUP_SHARE * inner, size)
        + (wrap(group.terms, _GROUP_SHARE * inner, size) if group.terms else ())
        for group in contents.groups
    )
    legend_lines = wrap(contents.legend, inner, size)
    row_width, group_width = _widest(row_lines, size), _widest(group_lines, size)
    name_widths = names_width(contents.spans, inner)
    leaf_x = width - MARGIN_PT - sum(name_widths) - group_width - row_width - BAR_PT - 5 * PAD_PT
    if leaf_x - MARGIN_PT < _LEAST_TREE * inner:
        return None
    row_x = leaf_x + 1.5 * PAD_PT
    bar_x = row_x + row_width + PAD_PT
    group_x = bar_x + BAR_PT + 1.5 * PAD_PT
    title_lines = wrap(contents.axis_title, inner, size)
    foot = PAD_PT + axis_room(title_lines, size) + LEGEND_EMS * len(legend_lines) * size + MARGIN_PT
    least = _least_heights(contents, row_lines, group_lines, name_widths[1], size)
    room = (_TALLEST_PAGE_PT if fixed is None else fixed) - MARGIN_PT - foot
    if least.sum() > room:
        return None
    papers = np.array([row.n_papers for row in contents.rows])
    bases = np.array([row.n_papers if row.n_leaves > 1 else 0 for row in contents.rows])
    scale = min(size, _LARGEST_BASE_PT / papers.max())
    for _ in range(_HALVINGS):
        tall = np.maximum(least, scale * bases + _ROW_EMS * size)
        if tall.sum() <= room:
            break
        scale /= 2.0
    else:
        return None
    return CollapsedGrid(
        size=size,
        width=width,
        height=MARGIN_PT + float(tall.sum()) + foot if fixed is None else fixed,
        leaf_x=leaf_x,
        row_x=row_x,
        bar_x=bar_x,
        group_x=group_x,
        bracket_x=group_x + group_width + PAD_PT,
        name_widths=name_widths,
        row_lines=row_lines,
        group_lines=group_lines,
        legend_lines=legend_lines,
        title_lines=title_lines,
        edges=MARGIN_PT + np.concatenate([[0.0], np.cumsum(tall)]),
        points_per_paper=scale,
    )


def _widest(blocks: Sequence[tuple[str, ...]], size: float) -> float:
    return max(text_width(line, size) for lines in blocks for line in lines)


def _least_heights(
    contents: CollapsedContents,
    row_lines: Sequence[tuple[str, ...]],
    group_lines: Sequence[tuple[str, ...]],
    name_width: float,
    size: float,
) -> NDArray[np.float64]:
    """Height that the texts of each row need, shape (n_rows,).

    A group's rows together hold its text, and all rows together all names of sub-trees.
    """
    least = np.array([block_height(lines, size) for lines in row_lines])
    for group, lines in zip(contents.groups, group_lines, strict=True):
        which = slice(group.first_row, group.last_row + 1)
        needed = block_height(lines, size)
        least[which] += max(0.0, needed - least[which].sum()) / len(least[which])
    names = [span.wrapped(name_width, size) for span in contents.spans]
    missing = sum(block_height(lines, size) for lines in names) - least.sum()
    return np.asarray(least + max(0.0, missing) / len(least))
