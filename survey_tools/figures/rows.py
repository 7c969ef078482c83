"""Rows of leaves with their labels, and how they are dealt into the panels of pages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from survey_tools.figures.leaf_labels import break_label
from survey_tools.figures.pages import PageGrid
from survey_tools.figures.style import LINE_SPACING
from survey_tools.settings import FigureSettings

__all__ = ["Panel", "Row", "deal_panels", "stack_rows"]

_TALLEST_PAGE_PT = 14_400.0  # 200 inches, the limit of PDF readers (ISO 32000-1, annex C)
_ROW_GAP = 0.35  # white space between two rows, in font sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A leaf: its paper, its label's lines and its place (points from the first row's top)."""

    paper_key: str
    lines: tuple[str, ...]
    top: float
    bottom: float

    @property
    def centre(self) -> float:
        """Where the branch meets the row."""
        return (self.top + self.bottom) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A run of rows shown in one column of a page."""

    page: int
    column: int
    first_row: int
    last_row: int
    top: float
    bottom: float


def stack_rows(
    texts: Mapping[str, str],
    settings: FigureSettings,
    label_width: float,
    size: float,
    *,
    min_height: float = 0.0,
) -> tuple[Row, ...]:
    """Stack leaves from the first to the last, each as tall as its wrapped label.

    Parameters
    ----------
    texts : mapping of str to str
        Label of every paper, in leaf order.
    min_height : float
        Height that all rows together must reach, in points; white space is added between.
    """
    rows = []
    top = 0.0
    lines_of = {key: break_label(text, settings, label_width, size) for key, text in texts.items()}
    heights = {key: size * (len(n) * LINE_SPACING + _ROW_GAP) for key, n in lines_of.items()}
    more = max(0.0, min_height - sum(heights.values())) / len(heights)
    for key, lines in lines_of.items():
        bottom = top + heights[key] + more
        rows.append(Row(paper_key=key, lines=lines, top=top, bottom=bottom))
        top = bottom
    return tuple(rows)


def deal_panels(
    rows: Sequence[Row], settings: FigureSettings, grid: PageGrid
) -> tuple[tuple[Panel, ...], float] | None:
    """Deal rows into the columns of pages.

    Returns
    -------
    panels : tuple of Panel
    page_height : float
        In points. Instead of both, None if what stands around the rows and one row fill a page.
    """
    total = rows[-1].bottom
    around = grid.panel_top + grid.foot
    tallest_row = max(row.bottom - row.top for row in rows)
    if grid.page_height is None:
        room = _TALLEST_PAGE_PT - around - tallest_row
        if room < tallest_row:
            return None
        n_pages = math.ceil(total / settings.columns / room)
        n_panels = n_pages * settings.columns
        capacity = total / n_panels + (tallest_row if n_panels > 1 else 1.0)
        page_height = capacity + around
    else:
        page_height = grid.page_height
        capacity = page_height - around
        if capacity < tallest_row:
            return None
        if total <= settings.columns * capacity:  # balance the columns of a single page
            capacity = min(capacity, total / settings.columns + tallest_row)
    panels: list[Panel] = []
    first = 0
    for i, row in enumerate(rows):
        is_last = i == len(rows) - 1
        if is_last or rows[i + 1].bottom - rows[first].top > capacity:
            page, column = divmod(len(panels), settings.columns)
            panels.append(
                Panel(
                    page=page,
                    column=column,
                    first_row=first,
                    last_row=i,
                    top=rows[first].top,
                    bottom=row.bottom,
                )
            )
            first = i + 1
    return tuple(panels), page_height
