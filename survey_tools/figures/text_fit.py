"""The text size at which the rows of a dendrogram fit its pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from survey_tools.errors import ParameterError
from survey_tools.figures.brackets import NameBox, assign_lanes, name_box
from survey_tools.figures.pages import (
    MARGIN_PT,
    PAD_PT,
    PageGrid,
    cell_width,
    divide_page,
    page_size,
    text_sizes,
)
from survey_tools.figures.rows import Panel, Row, deal_panels, stack_rows
from survey_tools.figures.strips import LEGEND_EMS, LegendEntry, StripColumn, build_legend
from survey_tools.figures.style import text_width
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName

__all__ = ["Contents", "Fit", "fit_text"]

_WORTH_A_PAGE_PT = 0.5  # text is made so much smaller if that saves a page
_MOST_SPREAD = 1.6  # most room that rows get beyond their own, to fill a page
_LEADER_LANES = 3  # room for the lines from labels to names that have no bracket
_MOST_LEGEND_PT = 1200.0  # width of the legend under a tree that is as wide as it needs
_NUMBERS = "[n]: papers by their number in the list of papers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is laid out, whatever the text size."""

    texts: Mapping[str, str]
    settings: FigureSettings
    names: Sequence[AttachedName]
    strips: tuple[StripColumn, ...]
    has_cut_line: bool
    is_top_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Rows dealt into pages at one text size."""

    size: float
    grid: PageGrid
    legend: tuple[tuple[LegendEntry, ...], ...]
    rows: tuple[Row, ...]
    boxes: tuple[NameBox, ...]
    panels: tuple[Panel, ...]
    page_height: float


def fit_text(contents: Contents) -> Fit:
    """Find the largest text with which all rows stand on one page, or on the fewest pages.

    Raises
    ------
    ParameterError
        If the page leaves no room for the labels at any size.
    """
    settings = contents.settings
    fits = []
    for size in text_sizes(settings):
        fit = _fit(contents, size)
        if fit is not None:
            fits.append(fit)
            if fit.panels[-1].page == 0:
                break
    if not fits:
        raise ParameterError(
            f"a {settings.page} page with {settings.columns} column(s) has no room for labels, "
            f"strips and legend at {settings.font_size_pt:g} points; use fewer columns, a wider "
            "page, smaller text or shorter names"
        )
    return _choose(fits)


def _choose(fits: Sequence[Fit]) -> Fit:
    """Choose among text sizes, largest first: one page, else fewer pages if little smaller."""
    if fits[-1].panels[-1].page == 0:
        return fits[-1]
    near = [fit for fit in fits if fit.size >= fits[0].size - _WORTH_A_PAGE_PT]
    return min(near, key=lambda fit: (fit.panels[-1].page, -fit.size))


def _fit(contents: Contents, size: float) -> Fit | None:
    """Deal all rows into pages at one text size; None if a page has no room for them."""
    settings, names, is_top_down = contents.settings, contents.names, contents.is_top_down
    width, height = page_size(settings)
    is_wide = is_top_down and height is None
    legend: tuple[tuple[LegendEntry, ...], ...] = ()
    if not is_wide:
        legend = _build_legend(contents, height if is_top_down and height else width, size)
    boxes: tuple[NameBox, ...] = ()
    name_width = None
    if is_top_down:
        boxes = tuple(name_box(name, i, size) for i, name in enumerate(names))
        name_width = max((box.height for box in boxes), default=0.0)
    n_lanes = 1 + max(assign_lanes(names), default=-1)
    if settings.names == "labels":
        n_lanes = min(n_lanes, 1) * _LEADER_LANES
    grid = divide_page(
        settings,
        size,
        longest_label=max(text_width(text, size) for text in contents.texts.values()),
        strip_titles=[strip.title for strip in contents.strips],
        n_lanes=n_lanes,
        name_width=name_width,
        legend_height=_legend_height(legend, size) if legend else 0.0,
        is_top_down=is_top_down,
    )
    if grid is None:
        return None
    if not is_top_down:
        boxes = tuple(
            name_box(name, i, size, width=grid.name_width) for i, name in enumerate(names)
        )
    rows = stack_rows(contents.texts, settings, grid.label_width, size)
    least = sum(box.width if is_top_down else box.height for box in boxes)
    if is_top_down and settings.columns == 1:  # few leaves stand further apart on a wide page
        room = (width if height is None else height) - grid.panel_top - grid.foot - 1.0
        least = max(least, min(room, _MOST_SPREAD * rows[-1].bottom))
    if least > rows[-1].bottom:
        rows = stack_rows(contents.texts, settings, grid.label_width, size, min_height=least)
    dealt = deal_panels(rows, settings, grid)
    if dealt is None:
        return None
    panels, page_height = dealt
    if is_wide:  # the legend below goes as wide as the rows made the page
        page_height = max(page_height, width)
        legend = _build_legend(contents, min(page_height, _MOST_LEGEND_PT), size)
        more = _legend_height(legend, size)
        grid = replace(grid, page_width=grid.page_width + more, legend_height=more)
    return Fit(
        size=size,
        grid=grid,
        legend=legend,
        rows=rows,
        boxes=boxes,
        panels=panels,
        page_height=page_height,
    )


def _build_legend(
    contents: Contents, page_width: float, size: float
) -> tuple[tuple[LegendEntry, ...], ...]:
    settings = contents.settings
    return build_legend(
        contents.strips,
        has_names=bool(contents.names),
        has_cut_line=contents.has_cut_line,
        width=page_width - 2 * MARGIN_PT - text_width("  page 88 of 88", size),
        cell_width=cell_width(size),
        size=size,
        has_bands=settings.names == "bands",
        notes=[_NUMBERS] if settings.leaf_label in ("number", "number-title") else [],
    )


def _legend_height(legend: Sequence[Sequence[LegendEntry]], size: float) -> float:
    return LEGEND_EMS * size * len(legend) + PAD_PT
