"""The heat map: similarities of all pairs of papers in leaf order, beside the tree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import count
from survey_tools.figures.branches import colour_merges
from survey_tools.figures.heat_map_page import (
    COLOUR_BAR_PT,
    LEGEND_EMS,
    HeatMapGrid,
    divide_heat_map,
)
from survey_tools.figures.height_axis import (
    HeightAxis,
    build_height_axis,
    choose_ticks,
    name_height_axis,
    node_heights,
)
from survey_tools.figures.leaf_bars import (
    draw_bars,
    label_leaves,
    place_bars,
)
from survey_tools.figures.leaf_labels import label_texts
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.segments import branch_segments, join_on_grid, place_on_leaves
from survey_tools.figures.sheet import (
    PlacedText,
    draw_branches,
    draw_height_axis,
    draw_lines,
    open_sheet,
    write_texts,
)
from survey_tools.figures.side_column import (
    CODE_EMS,
    place_codes,
    set_beside,
    set_names_beside,
)
from survey_tools.figures.similarity_image import (
    SimilarityImage,
    SimilarityProvider,
    build_similarity_image,
)
from survey_tools.figures.spans import (
    ClusterSpan,
    NameSpan,
    find_cluster_spans,
    find_name_spans,
)
from survey_tools.figures.style import (
    INK,
    figure_style,
    wrap,
)
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["HeatMapLayout", "draw_heat_map", "layout_heat_map", "plot_heat_map"]

_COLOURS = "Blues"  # one hue from white: reads the same in grey and for all colour vision
_LINE_ROOM_PT = 3.0  # least mean side of a cluster where lines cross the whole matrix
_COLOUR_BAR_LENGTH_PT = 150.0
_BRANCH_PT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatMapLayout:
    """A tree beside the matrix of similarities, in points from the page's top left corner.

    Attributes
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last; rows and columns of the matrix
        have the same extents.
    matrix_x : float
        Left edge of the matrix, which is square.
    segments, segment_colours : ndarray
        Branches, as in the overview.
    boundaries : tuple of ndarray, each of shape (n_points, 2)
        Thin lines between clusters: across the whole matrix or, where clusters are
        many, squares on the diagonal.
    bars : ndarray of float, shape (n_spans, 4)
        Cluster bars as (left, top, right, bottom), in two lanes by turns.
    colour_bar : (float, float, float, float)
        Left, top, right, bottom.
    """

    width: float
    height: float
    root_x: float
    leaf_x: float
    edges: NDArray[np.float64]
    matrix_x: float
    image: SimilarityImage
    segments: NDArray[np.float64]
    segment_colours: NDArray[np.intp]
    boundaries: tuple[NDArray[np.float64], ...]
    bars: NDArray[np.float64]
    bar_colours: tuple[int, ...]
    quantity: tuple[str, ...]
    colour_bar: tuple[float, float, float, float]
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]
    axis: HeightAxis
    axis_y: float
    title_lines: tuple[str, ...]
    font_size_pt: float


def draw_heat_map(
    tree: Tree,
    similarity: NDArray[np.float64] | SimilarityProvider,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    corpus: Corpus | None = None,
    quantity: str = "similarity of two papers (no unit)",
) -> list[Figure]:
    """Draw similarities beside the tree; see `layout_heat_map`."""
    layout = layout_heat_map(
        tree, similarity, partition, settings, names=names, corpus=corpus, quantity=quantity
    )
    return [plot_heat_map(layout)]


def layout_heat_map(
    tree: Tree,
    similarity: NDArray[np.float64] | SimilarityProvider,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    corpus: Corpus | None = None,
    quantity: str = "similarity of two papers (no unit)",
) -> HeatMapLayout:
    """Compute where everything of the heat map stands.

    Labels of leaves are written where every leaf has room for the smallest text.

    Parameters
    ----------
    similarity : ndarray of float, shape (n_papers, n_papers), or callable
        See `build_similarity_image`.
    corpus : Corpus, optional
        Gives labels as the settings ask; by default leaves are labelled by key.
    quantity : str
        What the similarities are, with metric and unit; the title of the colour bar.

    Raises
    ------
    ParameterError
        If the matrix does not fit the tree, or the page has no room for it.
    """
    size = settings.font_size_pt
    image = build_similarity_image(tree, similarity)
    clusters, spans = find_cluster_spans(tree, partition), find_name_spans(tree, names)
    labels = (
        {key: key for key in tree.keys_in_leaf_order}
        if corpus is None
        else label_texts(corpus, tree.keys_in_leaf_order, settings)
    )
    longest_legend = _legend(tree, image, clusters, spans, len(clusters), len(spans))
    grid = divide_heat_map(
        labels, clusters, spans, longest_legend, name_height_axis(tree), quantity, settings
    )
    top, bottom = float(grid.edges[0]), float(grid.edges[-1])
    axis = build_height_axis(tree, grid.leaf_x - MARGIN_PT, size)
    node_x = axis.place(node_heights(tree), grid.leaf_x, MARGIN_PT)
    node_y = place_on_leaves(tree, (grid.edges[1:] + grid.edges[:-1]) / 2.0)
    _, colours = colour_merges(tree, partition)
    pieces = branch_segments(tree, node_x, node_y).reshape(-1, 2, 2)
    segments, segment_colours = join_on_grid(pieces, np.tile(colours, 3))
    bars = place_bars(clusters, grid.edges, grid.bar_x)
    right = grid.matrix_x + bottom - top
    beside_matrix = set_beside(
        bars[:, [1, 3]].mean(axis=1),
        [(span.name,) for span in clusters],
        [span.n_papers for span in clusters],
        from_x=[right + 1.0] * len(clusters),
        text_x=grid.cluster_x,
        room=(top, bottom),
        size=size,
    )
    beside_brackets = set_names_beside(
        spans, grid.edges, x=grid.bracket_x, widths=grid.name_widths, room=(top, bottom), size=size
    )
    nearest = grid.leaf_x - CODE_EMS * size / 2.0
    places = {
        span.node: (min(float(node_x[span.node]), nearest), float(node_y[span.node]))
        for span in spans
    }
    legend = _legend(
        tree, image, clusters, spans, beside_matrix.n_left_out, beside_brackets.n_left_out
    )
    bar_top = bottom + PAD_PT
    bar_left = grid.matrix_x + size  # its first tick keeps clear of the height axis
    bar_right = min(right, bar_left + _COLOUR_BAR_LENGTH_PT)
    return HeatMapLayout(
        width=grid.width,
        height=grid.height,
        root_x=MARGIN_PT,
        leaf_x=grid.leaf_x,
        edges=grid.edges,
        matrix_x=grid.matrix_x,
        image=image,
        segments=segments,
        segment_colours=segment_colours,
        boundaries=_boundaries(clusters, grid),
        bars=bars,
        bar_colours=tuple(span.colour_index for span in clusters),
        quantity=wrap(quantity, right - bar_left, size),
        colour_bar=(bar_left, bar_top, bar_right, bar_top + COLOUR_BAR_PT),
        lines=(*beside_matrix.lines, *beside_brackets.lines),
        texts=(
            *beside_matrix.texts,
            *label_leaves(grid.labels, grid.edges, grid.label_x, grid.label_size),
            *beside_brackets.texts,
            *_below(legend, grid, size),
            *place_codes(spans, places, size, root_x=MARGIN_PT),
        ),
        axis=axis,
        axis_y=bar_top,
        title_lines=grid.title_lines,
        font_size_pt=size,
    )


def plot_heat_map(layout: HeatMapLayout) -> Figure:
    """Draw a heat map that has been laid out."""
    size, image = layout.font_size_pt, layout.image
    top, bottom = float(layout.edges[0]), float(layout.edges[-1])
    right = layout.matrix_x + bottom - top
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        mappable = ax.imshow(
            image.pixels,
            cmap=_COLOURS,
            norm=Normalize(image.low, image.high, clip=True),
            extent=(layout.matrix_x, right, bottom, top),
            interpolation="none",
            aspect="auto",
            zorder=1,
        )
        ax.set_xlim(0.0, layout.width)
        ax.set_ylim(layout.height, 0.0)
        frame = [(layout.matrix_x, top), (right, top), (right, bottom), (layout.matrix_x, bottom)]
        draw_lines(ax, [[*frame, frame[0]]], width=0.6)
        draw_lines(ax, layout.boundaries, colour=INK, width=0.3)
        draw_branches(ax, layout.segments, layout.segment_colours, width=_BRANCH_PT)
        draw_bars(ax, layout.bars, layout.bar_colours)
        draw_lines(ax, layout.lines, width=0.5)
        write_texts(ax, layout.texts)
        draw_height_axis(
            ax,
            layout.axis,
            at_zero=layout.leaf_x,
            at_highest=layout.root_x,
            y=layout.axis_y,
            size=size,
            title_lines=layout.title_lines,
        )
        _draw_colour_bar(page, layout, mappable)
    return page


def _draw_colour_bar(page: Figure, layout: HeatMapLayout, mappable: ScalarMappable) -> None:
    left, top, right, bottom = layout.colour_bar
    width, height, size = layout.width, layout.height, layout.font_size_pt
    box = (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
    extend = "max" if layout.image.low == 0 else "both"
    bar = page.colorbar(
        mappable, cax=page.add_axes(box), orientation="horizontal", extend=extend, extendfrac=0.04
    )
    ticks = choose_ticks(layout.image.low, layout.image.high, right - left, size)
    bar.set_ticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])
    bar.ax.tick_params(labelsize=size, length=2, width=0.6, pad=1.5)
    bar.outline.set_linewidth(0.6)
    bar.ax.set_xlabel("\n".join(layout.quantity), fontsize=size, loc="left", labelpad=2.0)


def _boundaries(
    clusters: Sequence[ClusterSpan], grid: HeatMapGrid
) -> tuple[NDArray[np.float64], ...]:
    """Lines between clusters; where these would hide the matrix, squares on its diagonal."""
    top, bottom, left = float(grid.edges[0]), float(grid.edges[-1]), grid.matrix_x
    lines = []
    if (bottom - top) / len(clusters) >= _LINE_ROOM_PT:
        for span in clusters[1:]:
            y = float(grid.edges[span.first_leaf])
            x = left + y - top
            lines.append(np.array([(left, y), (left + bottom - top, y)]))
            lines.append(np.array([(x, top), (x, bottom)]))
        return tuple(lines)
    for span in clusters:
        start, end = float(grid.edges[span.first_leaf]), float(grid.edges[span.last_leaf + 1])
        x, right = left + start - top, left + end - top
        corners = [(x, start), (right, start), (right, end), (x, end), (x, start)]
        lines.append(np.array(corners))
    return tuple(lines)


def _below(legend: str, grid: HeatMapGrid, size: float) -> tuple[PlacedText, ...]:
    return tuple(
        PlacedText(
            lines=(line,), x=MARGIN_PT, y=grid.legend_y + (i + 0.5) * LEGEND_EMS * size, size=size
        )
        for i, line in enumerate(wrap(legend, grid.width - 2 * MARGIN_PT, size))
    )


def _legend(
    tree: Tree,
    image: SimilarityImage,
    clusters: Sequence[ClusterSpan],
    spans: Sequence[NameSpan],
    n_clusters_left_out: int,
    n_names_left_out: int,
) -> str:
    lowest = "" if image.low == 0 else ", the 1st percentile,"
    parts = [
        f"{count(tree.n_papers, 'paper')} in leaf order",
        f"colours from {image.low:.3g}{lowest} to {image.high:.3g}, the 99th percentile of what "
        "is off the diagonal; values beyond have the colours of the ends",
    ]
    largest = int(np.diff(image.edges).max())
    if largest > 1:
        parts.append(f"a pixel is the mean of up to {largest} x {largest} pairs")
    parts.append(f"bars and lines: {count(len(clusters), 'cluster')} of the cut")
    if n_clusters_left_out:
        parts[-1] += f", the {len(clusters) - n_clusters_left_out} largest named"
    if spans:
        parts.append("letters and brackets: named sub-trees (J = Jaccard score of the match)")
    if n_names_left_out:
        parts[-1] += f", the {len(spans) - n_names_left_out} largest named"
    return "; ".join(parts)
