"""The page of a heat map: how it is divided between tree, matrix and what stands beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.figures.leaf_bars import BAR_PT, label_sizes
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.sheet import axis_room
from survey_tools.figures.side_column import names_width
from survey_tools.figures.spans import ClusterSpan, NameSpan
from survey_tools.figures.style import LINE_SPACING, POINTS_PER_MM, shorten, text_width, wrap
from survey_tools.settings import FigureSettings

__all__ = ["COLOUR_BAR_PT", "LEGEND_EMS", "HeatMapGrid", "divide_heat_map"]

LEGEND_EMS = 1.45  # from one line of the legend to the next
COLOUR_BAR_PT = 7.0  # thickness of the colour bar
_TREE_SHARE = 0.22  # of the width
_LEAST_MATRIX = 0.3
_LABEL_SHARE = 0.3  # of the width that labels of leaves may take


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMapGrid:
    """Sizes of the page and left edges of its columns, in points."""

    width: float
    height: float
    edges: NDArray[np.float64]
    leaf_x: float
    bar_x: float
    matrix_x: float
    cluster_x: float
    labels: dict[str, str]
    label_x: float
    label_size: float
    bracket_x: float
    name_widths: tuple[float, float]
    title_lines: tuple[str, ...]
    legend_y: float


def divide_heat_map(
    labels: Mapping[str, str],
    clusters: Sequence[ClusterSpan],
    spans: Sequence[NameSpan],
    longest_legend: str,
    axis_title: str,
    quantity: str,
    settings: FigureSettings,
) -> HeatMapGrid:
    """Divide the page between tree, matrix, clusters, labels and names of sub-trees."""
    size, n_papers = settings.font_size_pt, len(labels)
    width, height = page_size(settings)
    inner = width - 2 * MARGIN_PT
    clusters_width = max(text_width(span.name, size) for span in clusters)
    name_widths = names_width(spans, inner)
    tree_width = _TREE_SHARE * inner
    matrix_x = MARGIN_PT + tree_width + 2 * PAD_PT + 2 * BAR_PT
    least = _LEAST_MATRIX * inner
    title_lines = wrap(axis_title, tree_width + 2 * BAR_PT - PAD_PT, size)
    bar_room = COLOUR_BAR_PT + (2.4 + LINE_SPACING * len(wrap(quantity, least - size, size))) * size
    below = PAD_PT + max(axis_room(title_lines, size), bar_room)
    foot = below + LEGEND_EMS * len(wrap(longest_legend, inner, size)) * size + MARGIN_PT
    room = width - MARGIN_PT - matrix_x - sum(name_widths) - 4 * PAD_PT - clusters_width
    most = np.inf if height is None else height - MARGIN_PT - foot
    label_size, label_width = size, 0.0
    side = min(room, most)
    longest = max(text_width(text, 1.0) for text in labels.values())
    for candidate in label_sizes(settings):
        needed = min(longest * candidate + 2 * PAD_PT, _LABEL_SHARE * inner)
        if min(room - needed, most) >= max(least, n_papers * candidate * LINE_SPACING):
            label_size, label_width, side = candidate, needed, min(room - needed, most)
            break
    if side < least:
        raise ParameterError(
            f"a page {width / POINTS_PER_MM:.0f} mm wide leaves no room for the matrix beside "
            f"tree and names at {size:g} points; use a wider page or smaller text"
        )
    shown = {
        key: shorten(text, label_width - PAD_PT, label_size)
        for key, text in (labels.items() if label_width else ())
    }
    cluster_x = matrix_x + side + 2 * PAD_PT
    label_x = cluster_x + clusters_width + PAD_PT
    return HeatMapGrid(
        width=width,
        height=MARGIN_PT + side + foot if height is None else height,
        edges=np.linspace(MARGIN_PT, MARGIN_PT + side, n_papers + 1),
        leaf_x=MARGIN_PT + tree_width,
        bar_x=MARGIN_PT + tree_width + PAD_PT,
        matrix_x=matrix_x,
        cluster_x=cluster_x,
        labels=shown,
        label_x=label_x,
        label_size=label_size,
        bracket_x=label_x + label_width,
        name_widths=name_widths,
        title_lines=title_lines,
        legend_y=MARGIN_PT + side + below,
    )
