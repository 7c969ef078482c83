"""Pages of a dendrogram: how their width is divided and how rows are dealt into panels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from survey_tools.figures.style import LINE_SPACING, POINTS_PER_MM, text_width, wrap
from survey_tools.settings import FigureSettings

__all__ = [
    "CELL_GAP_PT",
    "LANE_PT",
    "PageGrid",
    "Panel",
    "Row",
    "deal_panels",
    "divide_page",
    "stack_rows",
    "text_sizes",
]

CELL_GAP_PT = 1.5
LANE_PT = 5.0  # width of a bracket
MARGIN_PT = 8.0 * POINTS_PER_MM
PAD_PT = 4.0  # between neighbouring parts of a panel
_PAGES_MM = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
_TALLEST_PAGE_PT = 14_400.0  # 200 inches, the limit of PDF readers (ISO 32000-1, annex C)
_ROW_GAP = 0.35  # white space between two rows, in font sizes
_AXIS_PT, _AXIS_EMS = 8.0, 3.4  # height axis, tick labels and two lines of title, below a panel
_GUTTER_PT = 10.0  # between two columns
_CELL_PT = 6.0  # least width of an annotation cell
_MIN_LABEL_CHARACTERS = 20
_SIZE_STEP_PT = 0.25


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PageGrid:
    """Sizes in points, the same on every page, from the page's or the panel's left edge.

    Attributes
    ----------
    label_width, name_width : float
        Room for the labels of leaves and for the names of sub-trees.
    legend_height : float
        Room for the legend at the foot of a page.
    """

    page_width: float
    panel_lefts: tuple[float, ...]
    panel_width: float
    panel_top: float
    tree_width: float
    bar_left: float
    strip_left: float
    cell_width: float
    label_left: float
    bracket_left: float
    name_left: float
    label_width: float
    name_width: float
    legend_height: float


def text_sizes(settings: FigureSettings) -> list[float]:
    """List text sizes to try, largest first, until all leaves fit on one page."""
    largest, smallest = settings.font_size_pt, settings.min_font_size_pt
    if settings.page == "tall" or smallest >= largest:
        return [largest]
    n_steps = int((largest - smallest) / _SIZE_STEP_PT)
    return [largest - i * _SIZE_STEP_PT for i in range(n_steps + 1)]


def divide_page(
    settings: FigureSettings,
    size: float,
    *,
    longest_label: float,
    strip_titles: Sequence[str],
    n_lanes: int,
) -> PageGrid | None:
    """Divide the width of a page between tree, strips, labels and names of sub-trees.

    Parameters
    ----------
    size : float
        Text size in points.
    longest_label : float
        Width of the longest label on one line, in points.
    n_lanes : int
        Lanes of brackets; 0 if no sub-tree is named.

    Returns
    -------
    PageGrid or None
        None if too little room is left for the labels. The height of the legend is not
        known before its width is; it is left at 0.
    """
    page_width = POINTS_PER_MM * (
        settings.width_mm if settings.page == "tall" else _PAGES_MM[settings.page][0]
    )
    n_columns = settings.columns
    inner = page_width - 2 * MARGIN_PT - (n_columns - 1) * _GUTTER_PT
    panel_width = inner / n_columns
    tree_width = 0.26 * panel_width
    bar_left = tree_width + PAD_PT
    strip_left = bar_left + 4.0 + text_width("C88", size) + PAD_PT
    cell_width = max(_CELL_PT, 1.15 * size - CELL_GAP_PT)  # room for the title above
    strips_width = len(strip_titles) * (cell_width + CELL_GAP_PT)
    label_left = strip_left + strips_width + (PAD_PT if strip_titles else 0.0)
    name_width = min(0.17 * panel_width, 90.0) if n_lanes else 0.0
    right = n_lanes * LANE_PT + name_width + (2 * PAD_PT if n_lanes else 0.0)
    label_width = panel_width - label_left - right
    if label_width < min(longest_label, _MIN_LABEL_CHARACTERS * text_width("n", size)):
        return None
    bracket_left = label_left + min(label_width, longest_label) + PAD_PT
    header = max((text_width(title, size) for title in strip_titles), default=0.0) + PAD_PT
    return PageGrid(
        page_width=page_width,
        panel_lefts=tuple(MARGIN_PT + i * (panel_width + _GUTTER_PT) for i in range(n_columns)),
        panel_width=panel_width,
        panel_top=MARGIN_PT + header,
        tree_width=tree_width,
        bar_left=bar_left,
        strip_left=strip_left,
        cell_width=cell_width,
        label_left=label_left,
        bracket_left=bracket_left,
        name_left=bracket_left + n_lanes * LANE_PT + PAD_PT,
        label_width=label_width,
        name_width=name_width,
        legend_height=0.0,
    )


def stack_rows(
    texts: Mapping[str, str], label_width: float, size: float, *, min_height: float = 0.0
) -> tuple[Row, ...]:
    """Stack leaves from top to bottom, each as tall as its wrapped label.

    Parameters
    ----------
    texts : mapping of str to str
        Label of every paper, in leaf order.
    min_height : float
        Height that all rows together must reach, in points; white space is added between.
    """
    rows = []
    top = 0.0
    lines_of = {key: wrap(text, label_width, size) for key, text in texts.items()}
    heights = {key: size * (len(n) * LINE_SPACING + _ROW_GAP) for key, n in lines_of.items()}
    more = max(0.0, min_height - sum(heights.values())) / len(heights)
    for key, lines in lines_of.items():
        bottom = top + heights[key] + more
        rows.append(Row(paper_key=key, lines=lines, top=top, bottom=bottom))
        top = bottom
    return tuple(rows)


def deal_panels(
    rows: Sequence[Row], settings: FigureSettings, grid: PageGrid, size: float
) -> tuple[tuple[Panel, ...], float] | None:
    """Deal rows into the columns of pages.

    Returns
    -------
    panels : tuple of Panel
    page_height : float
        In points. Instead of both, None if header, legend and one row fill a page.
    """
    total = rows[-1].bottom
    around = grid.panel_top + _AXIS_PT + _AXIS_EMS * size + grid.legend_height + MARGIN_PT
    tallest_row = max(row.bottom - row.top for row in rows)
    if settings.page == "tall":
        room = _TALLEST_PAGE_PT - around - tallest_row
        if room < tallest_row:
            return None
        n_pages = math.ceil(total / settings.columns / room)
        n_panels = n_pages * settings.columns
        capacity = total / n_panels + (tallest_row if n_panels > 1 else 1.0)
        page_height = capacity + around
    else:
        page_height = _PAGES_MM[settings.page][1] * POINTS_PER_MM
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
