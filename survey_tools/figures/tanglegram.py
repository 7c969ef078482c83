"""The tanglegram: two trees of the same papers face to face, a line from each paper to itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.agreement.entanglement import Untangled
from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.figures.leaf_bars import draw_bars
from survey_tools.figures.leaf_labels import label_texts
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.sheet import (
    PlacedText,
    draw_branches,
    draw_legend,
    draw_lines,
    flow_entries,
    open_sheet,
    write_texts,
)
from survey_tools.figures.strips import LEGEND_EMS, LegendEntry
from survey_tools.figures.style import (
    INK,
    LINE_SPACING,
    PALETTE,
    POINTS_PER_MM,
    figure_style,
    wrap,
)
from survey_tools.figures.tanglegram_page import cut_label, divide_tanglegram
from survey_tools.figures.tanglegram_side import Side, lay_out_side, mirror
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings

__all__ = ["TanglegramLayout", "draw_tanglegram", "layout_tanglegram", "plot_tanglegram"]

_BRANCH_PT = 0.6
_LINK_PT, _THIN_LINK_PT = 0.8, 0.3  # the thin one where leaves are closer than a link
_TITLE_EMS = 1.25  # size of the titles above the trees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TanglegramLayout:
    """Two trees and the lines between them, in points from the page's top left corner.

    Attributes
    ----------
    titles : tuple of PlacedText
    link_keys : tuple of str, length n_papers
        Papers in the left tree's leaf order.
    links : ndarray of float, shape (n_papers, 2, 2)
        From each paper on the left to itself on the right.
    link_colours : ndarray of int, shape (n_papers,)
        Cluster colour index; -1 without clusters.
    link_width : float
    """

    width: float
    height: float
    left: Side
    right: Side
    titles: tuple[PlacedText, ...]
    link_keys: tuple[str, ...]
    links: NDArray[np.float64]
    link_colours: NDArray[np.intp]
    link_width: float
    legend: tuple[tuple[LegendEntry, ...], ...]
    legend_top: float
    font_size_pt: float


def draw_tanglegram(
    untangled: Untangled,
    corpus: Corpus,
    settings: FigureSettings,
    *,
    left_title: str,
    right_title: str,
    clusters: Partition | None,
) -> list[Figure]:
    """Draw two trees face to face on one page; see `layout_tanglegram`."""
    layout = layout_tanglegram(
        untangled,
        corpus,
        settings,
        left_title=left_title,
        right_title=right_title,
        clusters=clusters,
    )
    return [plot_tanglegram(layout)]


def layout_tanglegram(
    untangled: Untangled,
    corpus: Corpus,
    settings: FigureSettings,
    *,
    left_title: str,
    right_title: str,
    clusters: Partition | None,
) -> TanglegramLayout:
    """Compute where everything of a tanglegram stands, on one page as tall as needed.

    Up to 400 papers have labels, cut to one line; beyond, lines alone, on a page of bounded
    height.

    Parameters
    ----------
    clusters : Partition or None
        Colours lines, bars and branches inside one cluster, and is named at the bars; it may
        hold more papers than the trees.

    Raises
    ------
    ParameterError
        If a paper of the trees is in no cluster, or the page is too narrow.
    """
    size = settings.font_size_pt
    keys = untangled.left.keys_in_leaf_order
    if clusters is not None:
        _require_clustered(keys, clusters)
    heads, top = _place_titles((left_title, right_title), settings)
    texts = label_texts(corpus, keys, settings)
    names = clusters.group_names if clusters is not None else ()
    grid = divide_tanglegram(texts, names, settings, top=top)
    labels = {}
    if grid.label_width:
        labels = {key: cut_label(text, grid.label_width, size) for key, text in texts.items()}
    left = lay_out_side(untangled.left, labels, clusters, grid, size, gid="left")
    right = lay_out_side(untangled.right, labels, clusters, grid, size, gid="right")
    right = mirror(right, grid.width)
    middles = (grid.edges[1:] + grid.edges[:-1]) / 2.0
    place = dict(zip(untangled.right.keys_in_leaf_order, middles.tolist(), strict=True))
    links = np.empty((len(keys), 2, 2))
    links[:, :, 0] = grid.link_x + PAD_PT / 2.0, grid.width - grid.link_x - PAD_PT / 2.0
    links[:, 0, 1], links[:, 1, 1] = middles, [place[key] for key in keys]
    parts = _legend(
        untangled, clusters, n_unnamed=left.n_unnamed + right.n_unnamed, has_labels=bool(labels)
    )
    legend = flow_entries(parts, grid.width - 2 * MARGIN_PT, size)
    legend_top = max(left.bottom, right.bottom) + PAD_PT
    is_roomy = grid.edges[1] - grid.edges[0] > 2 * _LINK_PT
    return TanglegramLayout(
        width=grid.width,
        height=legend_top + LEGEND_EMS * size * len(legend) + MARGIN_PT,
        left=left,
        right=right,
        titles=heads,
        link_keys=keys,
        links=links,
        link_colours=_colour_papers(keys, clusters),
        link_width=_LINK_PT if is_roomy else _THIN_LINK_PT,
        legend=legend,
        legend_top=legend_top,
        font_size_pt=size,
    )


def plot_tanglegram(layout: TanglegramLayout) -> Figure:
    """Draw a tanglegram that has been laid out."""
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        colours = [PALETTE[i % len(PALETTE)] if i >= 0 else INK for i in layout.link_colours]
        lines = LineCollection(
            list(layout.links), colors=colours, linewidths=layout.link_width, zorder=1
        )
        ax.add_collection(lines, autolim=False)
        for side in (layout.left, layout.right):
            draw_branches(ax, side.segments, side.segment_colours, width=_BRANCH_PT)
            draw_bars(ax, side.bars, side.bar_colours)
            draw_lines(ax, side.lines, width=0.6)
            write_texts(ax, side.texts)
        write_texts(ax, layout.titles)
        draw_legend(
            ax,
            layout.legend,
            left=MARGIN_PT,
            top=layout.legend_top,
            size=layout.font_size_pt,
            cell_width=0.0,
        )
    return page


def _require_clustered(keys: Sequence[str], clusters: Partition) -> None:
    clustered = set(clusters.paper_keys)
    if lost := [key for key in keys if key not in clustered]:
        raise ParameterError(
            f"papers of the trees in no cluster: {abbreviate(lost)}; give clusters of the same "
            "papers, or none"
        )


def _place_titles(
    titles: tuple[str, str], settings: FigureSettings
) -> tuple[tuple[PlacedText, PlacedText], float]:
    """Write a title above each tree; return both, and where the leaves may begin."""
    size = _TITLE_EMS * settings.font_size_pt
    width = settings.width_mm * POINTS_PER_MM
    most = width / 2.0 - MARGIN_PT - PAD_PT
    left, right = (wrap(title, most, size) for title in titles)
    height = size * LINE_SPACING * max(len(left), len(right))
    y = MARGIN_PT + height / 2.0
    placed = (
        PlacedText(lines=left, x=MARGIN_PT, y=y, size=size),
        PlacedText(lines=right, x=width - MARGIN_PT, y=y, size=size, align="right"),
    )
    return placed, MARGIN_PT + height + PAD_PT


def _colour_papers(keys: Sequence[str], clusters: Partition | None) -> NDArray[np.intp]:
    if clusters is None:
        return np.full(len(keys), -1, dtype=np.intp)
    code_of = dict(zip(clusters.paper_keys, clusters.codes.tolist(), strict=True))
    return np.array([code_of[key] for key in keys], dtype=np.intp)


def _legend(
    untangled: Untangled, clusters: Partition | None, *, n_unnamed: int, has_labels: bool
) -> list[str]:
    parts = [f"{count(untangled.left.n_papers, 'paper')}; a line joins each paper to itself"]
    if clusters is not None:
        parts.append(
            "lines, bars and branches have the colour of the paper's cluster, named beside the bars"
        )
        if n_unnamed:
            parts[-1] += " where there is room"
    if not has_labels:
        parts.append("papers are not labelled")
    parts.append(
        f"entanglement: {untangled.before:.2f} as the trees came, {untangled.after:.2f} as drawn, "
        "with branches turned (0: same order, 1: opposite orders)"
    )
    return parts
