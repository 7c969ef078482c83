"""Pages of a dendrogram: how their width is divided between tree, strips, labels and names.

All is measured for a tree that grows from left to right. One that grows from top down is
the same page turned: what is left becomes top, what is width becomes height.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from survey_tools.figures.style import POINTS_PER_MM, text_width
from survey_tools.settings import FigureSettings

__all__ = [
    "CELL_GAP_PT",
    "LANE_PT",
    "MARGIN_PT",
    "PAD_PT",
    "PageGrid",
    "axis_room",
    "cell_width",
    "divide_page",
    "page_size",
    "text_sizes",
]

CELL_GAP_PT = 1.5
LANE_PT = 5.0  # width of a bracket
MARGIN_PT = 8.0 * POINTS_PER_MM
PAD_PT = 4.0  # between neighbouring parts of a panel
_PAGES_MM = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
_AXIS_PT, _AXIS_EMS = 8.0, 3.4  # height axis, tick labels and two lines of title, below a panel
_TURNED_AXIS_EMS = 8.0  # the same left of a panel: tick labels and four lines of title
_GUTTER_PT = 10.0  # between two columns
_CELL_PT = 6.0  # least width of an annotation cell
_MIN_LABEL_CHARACTERS = 20
_SIZE_STEP_PT = 0.25
_TREE_SHARE, _MOST_TREE_SHARE = 0.26, 0.75  # of a panel's width; the most where labels are short


@dataclass(frozen=True, slots=True, kw_only=True)
class PageGrid:
    """Sizes in points, the same on every page, from the page's or the panel's left edge.

    Attributes
    ----------
    page_height : float or None
        None for a page as tall as its rows need.
    panel_top : float
        Room above the rows of a panel.
    label_width, name_width : float
        Room for the labels of leaves and for the names of sub-trees.
    foot : float
        Room below the rows of a panel.
    legend_height : float
        Room for the legend at the foot of the paper.
    """

    page_width: float
    page_height: float | None
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
    foot: float
    legend_height: float


def text_sizes(settings: FigureSettings) -> list[float]:
    """List text sizes to try, largest first, until all leaves fit on one page."""
    largest, smallest = settings.font_size_pt, settings.min_font_size_pt
    if settings.page == "tall" or smallest >= largest:
        return [largest]
    n_steps = int((largest - smallest) / _SIZE_STEP_PT)
    return [largest - i * _SIZE_STEP_PT for i in range(n_steps + 1)]


def page_size(settings: FigureSettings) -> tuple[float, float | None]:
    """Width and height of a page in points; no height if it is as tall as needed."""
    if settings.page == "tall":
        return settings.width_mm * POINTS_PER_MM, None
    width, height = _PAGES_MM[settings.page]
    return width * POINTS_PER_MM, height * POINTS_PER_MM


def cell_width(size: float) -> float:
    """Width of a cell of a strip, in points: room for the strip's title above it."""
    return max(_CELL_PT, 1.15 * size - CELL_GAP_PT)


def axis_room(size: float, *, is_top_down: bool) -> float:
    """Room for the axis of merge heights, in points: below rows, or before those top down."""
    return _AXIS_PT + (_TURNED_AXIS_EMS if is_top_down else _AXIS_EMS) * size


def divide_page(
    settings: FigureSettings,
    size: float,
    *,
    longest_label: float,
    strip_titles: Sequence[str],
    n_lanes: int,
    name_width: float | None = None,
    legend_height: float = 0.0,
    is_top_down: bool = False,
) -> PageGrid | None:
    """Divide the width of a page between tree, strips, labels and names of sub-trees.

    Where all labels are short, the tree takes the room that they leave.

    Parameters
    ----------
    size : float
        Text size in points.
    longest_label : float
        Width of the longest label on one line, in points.
    n_lanes : int
        Lanes of brackets; 0 if no sub-tree is named.
    name_width : float, optional
        Room for names of sub-trees; by default a sixth of the panel.
    legend_height : float
        Room for the legend at the foot of the paper; of a page top down it is lost to the
        panels' width.

    Returns
    -------
    PageGrid or None
        None if too little room is left for the labels.
    """
    page_width, page_height = page_size(settings)
    lost = legend_height if is_top_down else 0.0
    n_columns = settings.columns
    panel_width = (page_width - 2 * MARGIN_PT - (n_columns - 1) * _GUTTER_PT - lost) / n_columns
    bar_gap = 4.0 + text_width("C88", size) + PAD_PT
    strips_width = len(strip_titles) * (cell_width(size) + CELL_GAP_PT)
    between = PAD_PT + bar_gap + strips_width + (PAD_PT if strip_titles else 0.0)
    if not n_lanes:
        name_width = 0.0
    elif name_width is None:
        name_width = min(0.17 * panel_width, 90.0)
    right = n_lanes * LANE_PT + name_width + (2 * PAD_PT if n_lanes else 0.0)
    tree_width = _TREE_SHARE * panel_width
    label_width = panel_width - tree_width - between - right
    if label_width < min(longest_label, _MIN_LABEL_CHARACTERS * text_width("n", size)):
        return None
    spare = max(0.0, label_width - longest_label - 1.0)  # a hair, lest rounding wraps a label
    wider = max(tree_width, min(tree_width + spare, _MOST_TREE_SHARE * panel_width))
    label_width -= wider - tree_width
    if is_top_down and page_height is None:  # nothing below short labels needs the page
        unused = max(0.0, label_width - longest_label - 1.0)
        label_width, panel_width = label_width - unused, panel_width - unused
        page_width -= n_columns * unused
    bar_left = wider + PAD_PT
    label_left = wider + between
    bracket_left = label_left + min(label_width, longest_label) + PAD_PT
    header = max((text_width(title, size) for title in strip_titles), default=0.0) + PAD_PT
    axis = axis_room(size, is_top_down=is_top_down)
    return PageGrid(
        page_width=page_width,
        page_height=page_height,
        panel_lefts=tuple(MARGIN_PT + i * (panel_width + _GUTTER_PT) for i in range(n_columns)),
        panel_width=panel_width,
        panel_top=MARGIN_PT + (max(header, axis) if is_top_down else header),
        tree_width=wider,
        bar_left=bar_left,
        strip_left=bar_left + bar_gap,
        cell_width=cell_width(size),
        label_left=label_left,
        bracket_left=bracket_left,
        name_left=bracket_left + n_lanes * LANE_PT + PAD_PT,
        label_width=label_width,
        name_width=name_width,
        foot=MARGIN_PT + (0.0 if is_top_down else axis + legend_height),
        legend_height=legend_height,
    )
