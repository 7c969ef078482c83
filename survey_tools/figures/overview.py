"""The overview: every leaf of a tree on one page, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import count
from survey_tools.figures.branches import colour_merges, find_cut_line
from survey_tools.figures.height_axis import HeightAxis, build_height_axis, node_heights
from survey_tools.figures.leaf_bars import BAR_PT, draw_bars, fill_boxes, label_leaves, place_bars
from survey_tools.figures.overview_page import (
    LEGEND_EMS,
    OverviewGrid,
    cluster_text,
    divide_overview,
)
from survey_tools.figures.pages import LANE_PT, MARGIN_PT, PAD_PT
from survey_tools.figures.segments import branch_segments, join_on_grid, place_on_leaves
from survey_tools.figures.sheet import (
    PlacedText,
    axis_room,
    draw_branches,
    draw_height_axis,
    draw_lines,
    open_sheet,
    write_texts,
)
from survey_tools.figures.side_column import (
    CODE_EMS,
    SideColumn,
    place_codes,
    set_beside,
    set_names_beside,
)
from survey_tools.figures.spans import (
    ClusterSpan,
    NameSpan,
    find_cluster_spans,
    find_name_spans,
)
from survey_tools.figures.style import (
    LINE_SPACING,
    MUTED,
    figure_style,
    wrap,
)
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["OverviewLayout", "draw_overview", "layout_overview", "plot_overview"]

_BRANCH_PT = 0.5
_PAGE_SHADES = ("#bdbdbd", "#eeeeee")  # by turns, so that neighbouring pages part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverviewLayout:
    """All leaves of a tree on one page, in points from its top left corner.

    Attributes
    ----------
    root_x, leaf_x : float
        Where the highest merge and height 0 stand.
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last.
    segments : ndarray of float, shape (n_segments, 2, 2)
        Branches, straight pieces joined on a grid; see `segments.join_on_grid`.
    segment_colours : ndarray of int, shape (n_segments,)
        Cluster colour index, or -1 above the cut.
    cut_x : float or None
        Where the line of the cut stands.
    bars : ndarray of float, shape (n_spans, 4)
        Cluster bars as (left, top, right, bottom); neighbours stand in two lanes by turns,
        which tells them apart in grey too.
    bar_colours : tuple of int
    page_bars : ndarray of float, shape (n_pages, 4)
        Which leaves each page of the full dendrogram shows, as ``bars``.
    lines : tuple of ndarray, each of shape (n_points, 2)
        Brackets, and leaders to texts.
    """

    width: float
    height: float
    root_x: float
    leaf_x: float
    edges: NDArray[np.float64]
    segments: NDArray[np.float64]
    segment_colours: NDArray[np.intp]
    cut_x: float | None
    bars: NDArray[np.float64]
    bar_colours: tuple[int, ...]
    page_bars: NDArray[np.float64]
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]
    axis: HeightAxis
    axis_y: float
    title_lines: tuple[str, ...]
    font_size_pt: float


def draw_overview(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    cut_height: float | None = None,
    page_spans: Sequence[tuple[int, int, int]] = (),
) -> Figure:
    """Draw all leaves on one page; see `layout_overview`."""
    layout = layout_overview(
        tree,
        corpus,
        partition,
        settings,
        names=names,
        cut_height=cut_height,
        page_spans=page_spans,
    )
    return plot_overview(layout)


def layout_overview(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    cut_height: float | None = None,
    page_spans: Sequence[tuple[int, int, int]] = (),
) -> OverviewLayout:
    """Compute where everything of the overview stands.

    Labels of leaves are written where every leaf has room for the smallest text. Where the
    names of clusters or of sub-trees need more room than the tree is high, those with the
    most papers are written, as many as leave a quarter of the column white, and the legend
    says of how many. Of page numbers every second, third, … is then written.

    Parameters
    ----------
    cut_height : float, optional
        Height at which the tree was cut; by default found from the clusters.
    page_spans : sequence of (int, int, int)
        First leaf, last leaf (counted from 0 in leaf order) and number of every page of
        the full dendrogram.

    Raises
    ------
    ParameterError
        If the page is too narrow for a tree beside the names.
    """
    size = settings.font_size_pt
    clusters, spans = find_cluster_spans(tree, partition), find_name_spans(tree, names)
    grid = divide_overview(tree, corpus, clusters, spans, page_spans, settings)
    room = (float(grid.edges[0]), float(grid.edges[-1]))
    axis = build_height_axis(tree, grid.leaf_x - MARGIN_PT, size)
    node_x = axis.place(node_heights(tree), grid.leaf_x, MARGIN_PT)
    node_y = place_on_leaves(tree, (grid.edges[1:] + grid.edges[:-1]) / 2.0)
    is_joined, colours = colour_merges(tree, partition)
    pieces = branch_segments(tree, node_x, node_y).reshape(-1, 2, 2)
    segments, segment_colours = join_on_grid(pieces, np.tile(colours, 3))
    cut = find_cut_line(tree, is_joined, cut_height)
    bars = place_bars(clusters, grid.edges, grid.bar_x)
    beside_bars = set_beside(
        bars[:, [1, 3]].mean(axis=1),
        [(cluster_text(span),) for span in clusters],
        [span.n_papers for span in clusters],
        from_x=[grid.bar_x + 2 * BAR_PT + 1.0] * len(clusters),
        text_x=grid.cluster_x,
        room=room,
        size=size,
    )
    beside_brackets = set_names_beside(
        spans, grid.edges, x=grid.bracket_x, widths=grid.name_widths, room=room, size=size
    )
    nearest = grid.leaf_x - CODE_EMS * size / 2.0
    places = {
        span.node: (min(float(node_x[span.node]), nearest), float(node_y[span.node]))
        for span in spans
    }
    page_bars, page_texts = _place_pages(page_spans, grid, size)
    legend = _legend(tree, clusters, spans, beside_bars, beside_brackets, cut is not None)
    return OverviewLayout(
        width=grid.width,
        height=grid.height,
        root_x=MARGIN_PT,
        leaf_x=grid.leaf_x,
        edges=grid.edges,
        segments=segments,
        segment_colours=segment_colours,
        cut_x=None if cut is None else float(axis.place(cut, grid.leaf_x, MARGIN_PT)),
        bars=bars,
        bar_colours=tuple(span.colour_index for span in clusters),
        page_bars=page_bars,
        lines=(*beside_bars.lines, *beside_brackets.lines),
        texts=(
            *beside_bars.texts,
            *label_leaves(grid.labels, grid.edges, grid.label_x, grid.label_size),
            *beside_brackets.texts,
            *page_texts,
            *_legend_texts(legend, grid, size),
            *place_codes(spans, places, size, root_x=MARGIN_PT),
        ),
        axis=axis,
        axis_y=room[1] + PAD_PT,
        title_lines=grid.title_lines,
        font_size_pt=size,
    )


def plot_overview(layout: OverviewLayout) -> Figure:
    """Draw an overview that has been laid out."""
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        draw_branches(ax, layout.segments, layout.segment_colours, width=_BRANCH_PT)
        if layout.cut_x is not None:
            cut = [(layout.cut_x, layout.edges[0]), (layout.cut_x, layout.axis_y)]
            ax.plot(*zip(*cut, strict=True), color=MUTED, linewidth=0.6, linestyle=(0, (3, 2)))
        draw_bars(ax, layout.bars, layout.bar_colours)
        shades = [_PAGE_SHADES[i % 2] for i in range(len(layout.page_bars))]
        fill_boxes(ax, layout.page_bars, shades, rim=MUTED)
        draw_lines(ax, layout.lines, width=0.5)
        write_texts(ax, layout.texts)
        draw_height_axis(
            ax,
            layout.axis,
            at_zero=layout.leaf_x,
            at_highest=layout.root_x,
            y=layout.axis_y,
            size=layout.font_size_pt,
            title_lines=layout.title_lines,
        )
    return page


def _place_pages(
    page_spans: Sequence[tuple[int, int, int]], grid: OverviewGrid, size: float
) -> tuple[NDArray[np.float64], tuple[PlacedText, ...]]:
    """Mark which leaves each page shows; number every page, or fewer where numbers would touch."""
    if not page_spans:
        return np.empty((0, 4)), ()
    bars = np.array(
        [
            (grid.pages_x, grid.edges[first], grid.pages_x + LANE_PT, grid.edges[last + 1])
            for first, last, _ in page_spans
        ]
    )
    thinnest = float(np.diff(bars[:, [1, 3]].mean(axis=1)).min(initial=np.inf))
    every = max(1, int(np.ceil(LINE_SPACING * size / thinnest)))
    texts = tuple(
        PlacedText(
            lines=(f"page {number}",),
            x=grid.pages_x + LANE_PT + PAD_PT / 2.0,
            y=float(bars[i, [1, 3]].mean()),
            size=size,
        )
        for i, (*_, number) in enumerate(page_spans)
        if i % every == 0
    )
    return bars, texts


def _legend(
    tree: Tree,
    clusters: Sequence[ClusterSpan],
    spans: Sequence[NameSpan],
    beside_bars: SideColumn,
    beside_brackets: SideColumn,
    has_cut_line: bool,
) -> str:
    cut = " (dashed)" if has_cut_line else ""
    parts = [f"{count(tree.n_papers, 'paper')}; coloured bars: clusters of the cut{cut}"]
    if beside_bars.n_left_out:
        n_named = len(clusters) - beside_bars.n_left_out
        parts.append(f"named are the {n_named} largest of {count(len(clusters), 'cluster')}")
    if spans:
        parts.append("letters and brackets: named sub-trees (J = Jaccard score of the match)")
    if beside_brackets.n_left_out:
        n_named = len(spans) - beside_brackets.n_left_out
        parts.append(f"named are the {n_named} largest of {count(len(spans), 'sub-tree')}")
    return "; ".join(parts)


def _legend_texts(legend: str, grid: OverviewGrid, size: float) -> tuple[PlacedText, ...]:
    top = float(grid.edges[-1]) + PAD_PT + axis_room(grid.title_lines, size)
    return tuple(
        PlacedText(lines=(line,), x=MARGIN_PT, y=top + (i + 0.5) * LEGEND_EMS * size, size=size)
        for i, line in enumerate(wrap(legend, grid.width - 2 * MARGIN_PT, size))
    )
