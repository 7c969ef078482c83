"""The page of an overview: how it is divided between the tree and what stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError, count
from survey_tools.figures.height_axis import name_height_axis
from survey_tools.figures.leaf_bars import BAR_PT
from survey_tools.figures.leaf_labels import label_texts
from survey_tools.figures.pages import LANE_PT, MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.sheet import axis_room
from survey_tools.figures.side_column import names_width
from survey_tools.figures.spans import ClusterSpan, NameSpan
from survey_tools.figures.style import LINE_SPACING, POINTS_PER_MM, shorten, text_width, wrap
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

__all__ = ["LEGEND_EMS", "OverviewGrid", "cluster_text", "divide_overview"]

LEGEND_EMS = 1.45  # from one line of the legend to the next
_LEAST_TREE = 0.3  # share of the width that the tree keeps beside the labels of leaves
_ROW_EMS = 1.35  # height of a leaf whose label is written, in font sizes
_TALLEST = 1.3  # height of the tree over the width of a page that may be as tall as needed
_LEAST_HEIGHT_PT = 220.0
_LONGEST_LEGEND = 200 * "n"  # room kept for the legend: its words depend on what fits beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewGrid:
    """Sizes of the page and left edges of its columns, in points."""

    width: float
    height: float
    edges: NDArray[np.float64]
    leaf_x: float
    bar_x: float
    cluster_x: float
    labels: dict[str, str]
    label_x: float
    label_size: float
    bracket_x: float
    name_widths: tuple[float, float]
    pages_x: float
    title_lines: tuple[str, ...]


def divide_overview(
    tree: Tree,
    corpus: Corpus,
    clusters: Sequence[ClusterSpan],
    spans: Sequence[NameSpan],
    page_spans: Sequence[tuple[int, int, int]],
    settings: FigureSettings,
) -> OverviewGrid:
    """Divide the page between tree, clusters, labels, names of sub-trees and page numbers."""
    size, n_papers = settings.font_size_pt, tree.n_papers
    width, height = page_size(settings)
    inner = width - 2 * MARGIN_PT
    legend_width = text_width(_LONGEST_LEGEND, size)
    title_lines = wrap(name_height_axis(tree), inner, size)
    foot = PAD_PT + axis_room(title_lines, size) + MARGIN_PT
    foot += LEGEND_EMS * (1 + legend_width // inner) * size
    if height is None:
        needed = n_papers * _ROW_EMS * size
        height = MARGIN_PT + min(max(_LEAST_HEIGHT_PT, needed), _TALLEST * width) + foot
    edges = np.linspace(MARGIN_PT, height - foot, n_papers + 1)
    label_size = min(size, float(edges[1] - edges[0]) / LINE_SPACING)
    clusters_width = max(text_width(cluster_text(span), size) for span in clusters)
    name_widths = names_width(spans, inner)
    pages_width = 0.0
    if page_spans:
        pages_width = LANE_PT + 2 * PAD_PT + text_width(f"page {page_spans[-1][2]}", size)
    before = 3 * PAD_PT + 2 * BAR_PT + clusters_width + PAD_PT
    room = inner - before - sum(name_widths) - pages_width
    labels: dict[str, str] = {}
    label_width = 0.0
    if label_size >= settings.min_font_size_pt:
        full = label_texts(corpus, tree.keys_in_leaf_order, settings)
        longest = max(text_width(text, label_size) for text in full.values())
        label_width = min(longest + 2 * PAD_PT, room - _LEAST_TREE * inner)
        labels = {
            key: shorten(text, label_width - PAD_PT, label_size) for key, text in full.items()
        }
    if room < _LEAST_TREE * inner:
        raise ParameterError(
            f"a page {width / POINTS_PER_MM:.0f} mm wide leaves no room for the tree beside "
            f"names at {size:g} points; use a wider page or smaller text"
        )
    leaf_x = MARGIN_PT + room - label_width
    return OverviewGrid(
        width=width,
        height=height,
        edges=edges,
        leaf_x=leaf_x,
        bar_x=leaf_x + PAD_PT,
        cluster_x=leaf_x + 3 * PAD_PT + 2 * BAR_PT,
        labels=labels,
        label_x=leaf_x + before,
        label_size=label_size,
        bracket_x=leaf_x + before + label_width,
        name_widths=name_widths,
        title_lines=title_lines,
        pages_x=width - MARGIN_PT - pages_width + PAD_PT,
    )


def cluster_text(span: ClusterSpan) -> str:
    """Name of a cluster with its number of papers."""
    return f"{span.name}  ({count(span.n_papers, 'paper')})"
