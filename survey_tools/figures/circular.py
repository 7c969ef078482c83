"""The circular tree: root in the centre, leaves around, strips as rings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.figures.branches import colour_merges, find_cut_line
from survey_tools.figures.circle_geometry import (
    GAP_RAD,
    divide_circle,
    to_points,
    trace_arc,
    trace_merges,
)
from survey_tools.figures.circle_marks import (
    RingCells,
    number_rings,
    place_arcs,
    place_bars,
    place_cells,
    place_labels,
    set_around,
)
from survey_tools.figures.circle_page import (
    BAR_PT,
    CELL_PT,
    CircleGrid,
    solve_circle,
)
from survey_tools.figures.height_axis import (
    HeightAxis,
    build_height_axis,
    name_height_axis,
    node_heights,
)
from survey_tools.figures.leaf_labels import label_texts
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.segments import place_on_leaves
from survey_tools.figures.sheet import (
    PlacedText,
    draw_legend,
    draw_lines,
    fill_shapes,
    flow_entries,
    open_sheet,
    write_texts,
)
from survey_tools.figures.side_column import CODE_EMS, place_codes
from survey_tools.figures.spans import (
    NameSpan,
    find_cluster_spans,
    find_name_spans,
)
from survey_tools.figures.strips import (
    LEGEND_EMS,
    LegendEntry,
    StripColumn,
    build_legend,
)
from survey_tools.figures.style import (
    INK,
    LINE_SPACING,
    MUTED,
    PALETTE,
    figure_style,
    text_width,
    wrap,
)
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["CircleLayout", "draw_circle", "layout_circle"]

_BRANCH_PT = 0.8
_FAINT = "#dddddd"  # circles at the ticks of the height axis


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircleLayout:
    """A circular tree on one page, in points from its top left corner.

    Attributes
    ----------
    centre : (float, float)
        Place of the root.
    leaf_angles : ndarray of float, shape (n_papers + 1,)
        Where each leaf begins and the last ends, clockwise from the top in radians.
    branches : tuple of ndarray, one a merge, each of shape (n_points, 2)
    branch_colours : ndarray of int, shape (n_papers - 1,)
        Cluster colour index, or -1 above the cut.
    cut_circle : ndarray of float, shape (n_points, 2), or None
    tick_circles : tuple of ndarray
    axis_lines : tuple of ndarray
        Pieces of the height axis in the gap, between its labels.
    cells : tuple of RingCells
    bars : tuple of ndarray
        Outlines of the cluster bars.
    lines : tuple of ndarray
        Arcs of named sub-trees, and leaders.
    legend : tuple of lines, below the circle
    """

    width: float
    height: float
    centre: tuple[float, float]
    grid: CircleGrid
    leaf_angles: NDArray[np.float64]
    branches: tuple[NDArray[np.float64], ...]
    branch_colours: NDArray[np.intp]
    cut_circle: NDArray[np.float64] | None
    tick_circles: tuple[NDArray[np.float64], ...]
    axis: HeightAxis
    axis_lines: tuple[NDArray[np.float64], ...]
    cells: tuple[RingCells, ...]
    bars: tuple[NDArray[np.float64], ...]
    bar_colours: tuple[int, ...]
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]
    legend: tuple[tuple[LegendEntry, ...], ...]
    legend_top: float
    font_size_pt: float


def layout_circle(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    strips: Sequence[StripColumn] = (),
    cut_height: float | None = None,
) -> CircleLayout:
    """Compute where everything of a circular tree stands.

    The root is in the centre, leaves end on a circle; a gap at the top holds the axis of
    merge heights. Outwards follow strips as rings, labels (one line, cut at a word), cluster
    bars with their names, and arcs of named sub-trees with their letters; what the letters
    mean stands below. `solve_circle` says how text size and page are found.

    Parameters
    ----------
    strips : sequence of StripColumn
        Cells in leaf order, the innermost ring first.
    cut_height : float, optional
        Height at which the tree was cut; by default found from the clusters.

    Raises
    ------
    ParameterError
        If the page has no room for a tree inside rings and names.
    """
    size = settings.font_size_pt
    clusters, spans = find_cluster_spans(tree, partition), find_name_spans(tree, names)
    labels = label_texts(corpus, tree.keys_in_leaf_order, settings)
    is_joined, colours = colour_merges(tree, partition)
    cut = find_cut_line(tree, is_joined, cut_height)
    page_width, page_height = page_size(settings)
    notes = ("labels of leaves are left out: the circle has no room for them",)  # the longest
    legend = _build_legend(strips, spans, notes, page_width, size, has_cut=cut is not None)
    title_lines = wrap(name_height_axis(tree), page_width - 2 * MARGIN_PT, size)
    header = (0.8 + LINE_SPACING * len(title_lines)) * size
    foot = LEGEND_EMS * size * len(legend) + 2 * PAD_PT
    grid = solve_circle(
        labels, clusters, spans, len(strips), settings, above_and_below=header + foot
    )
    centre = (grid.width / 2.0, MARGIN_PT + header + grid.outer)
    angles = divide_circle(tree.n_papers)
    axis = build_height_axis(tree, grid.tip, size)
    radii = axis.place(node_heights(tree), grid.tip, 0.0)
    node_angles = place_on_leaves(tree, (angles[1:] + angles[:-1]) / 2.0)
    bar_middles = [(angles[s.first_leaf] + angles[s.last_leaf + 1]) / 2.0 for s in clusters]
    around_bars = set_around(
        bar_middles,
        [span.name for span in clusters],
        [span.n_papers for span in clusters],
        centre,
        (grid.bar + 2 * BAR_PT + 0.5, grid.cluster),
        size,
    )
    arcs, around_arcs = place_arcs(spans, angles, centre, grid, size)
    shown_notes = [] if grid.label_length else [*notes]
    if around_bars.n_left_out:
        n_named = len(clusters) - around_bars.n_left_out
        shown_notes.append(f"named are the {n_named} largest of {len(clusters)} clusters")
    legend = _build_legend(strips, spans, shown_notes, grid.width, size, has_cut=cut is not None)
    legend_top = centre[1] + grid.outer + 2 * PAD_PT
    needed = legend_top + LEGEND_EMS * size * len(legend) + MARGIN_PT
    axis_lines, axis_texts = _place_axis(axis, title_lines, centre, grid, size)
    nearest = grid.tip - CODE_EMS * size / 2.0
    places = {
        span.node: tuple(
            to_points(centre, min(radii[span.node], nearest), node_angles[span.node]).tolist()
        )
        for span in spans
    }
    return CircleLayout(
        width=grid.width,
        height=needed if page_height is None else page_height,
        centre=centre,
        grid=grid,
        leaf_angles=angles,
        branches=trace_merges(tree, centre, radii, node_angles),
        branch_colours=colours,
        cut_circle=None if cut is None else _circle(centre, float(axis.place(cut, grid.tip, 0.0))),
        tick_circles=tuple(
            _circle(centre, float(radius))
            for radius in axis.place(np.array(axis.ticks), grid.tip, 0.0)
            if radius > 0
        ),
        axis=axis,
        axis_lines=axis_lines,
        cells=place_cells(strips, angles, centre, grid),
        bars=place_bars(clusters, angles, centre, grid),
        bar_colours=tuple(span.colour_index for span in clusters),
        lines=(*arcs, *around_bars.leaders, *around_arcs.leaders),
        texts=(
            *axis_texts,
            *number_rings(len(strips), centre, grid),
            *place_labels(labels, angles, centre, grid),
            *around_bars.texts,
            *around_arcs.texts,
            *place_codes(spans, places, size),
        ),
        legend=legend,
        legend_top=legend_top,
        font_size_pt=size,
    )


def draw_circle(layout: CircleLayout) -> list[Figure]:
    """Draw a circular tree on its page."""
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        draw_lines(ax, layout.tick_circles, colour=_FAINT, width=0.4, zorder=0.5)
        colours = [PALETTE[i % len(PALETTE)] if i >= 0 else INK for i in layout.branch_colours]
        branches = LineCollection(list(layout.branches), colors=colours, linewidths=_BRANCH_PT)
        ax.add_collection(branches, autolim=False)
        if layout.cut_circle is not None:
            x, y = layout.cut_circle.T
            ax.plot(x, y, color=MUTED, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
        draw_lines(ax, layout.axis_lines, width=0.6)
        _draw_cells(ax, layout.cells)
        for bar, colour in zip(layout.bars, layout.bar_colours, strict=True):
            ax.fill(*bar.T, facecolor=PALETTE[colour % len(PALETTE)], linewidth=0)
        draw_lines(ax, layout.lines, width=0.6)
        write_texts(ax, layout.texts)
        draw_legend(
            ax,
            layout.legend,
            left=MARGIN_PT,
            top=layout.legend_top,
            size=layout.font_size_pt,
            cell_width=CELL_PT,
        )
    return [page]


def _draw_cells(ax: Axes, cells: Sequence[RingCells]) -> None:
    for same in cells:
        fill_shapes(ax, same.shapes, same.swatch, rim=0.35 if same.has_outline else 0.0)


def _circle(centre: tuple[float, float], radius: float) -> NDArray[np.float64]:
    """Circle without the gap at its top."""
    return trace_arc(centre, radius, GAP_RAD / 2.0, 2.0 * np.pi - GAP_RAD / 2.0)


def _place_axis(
    axis: HeightAxis,
    title_lines: tuple[str, ...],
    centre: tuple[float, float],
    grid: CircleGrid,
    size: float,
) -> tuple[tuple[NDArray[np.float64], ...], tuple[PlacedText, ...]]:
    """Place the height axis in the gap; a tick is labelled where the gap is wide enough."""
    x = centre[0]
    texts = [
        PlacedText(
            lines=title_lines,
            x=x,
            y=MARGIN_PT + LINE_SPACING / 2.0 * len(title_lines) * size,
            size=size,
            align="center",
        )
    ]
    lines = []
    end = grid.tip
    for tick in axis.ticks:
        radius = float(axis.place(tick, grid.tip, 0.0))
        label = f"{tick:g}"
        if text_width(label, size) + 2.0 <= radius * GAP_RAD:
            texts.append(
                PlacedText(lines=(label,), x=x, y=centre[1] - radius, size=size, align="center")
            )
            if end > (start := radius + 0.65 * size):
                lines.append(np.array([(x, centre[1] - start), (x, centre[1] - end)]))
            end = radius - 0.65 * size
        else:
            y = centre[1] - radius
            lines.append(np.array([(x - 1.5, y), (x + 1.5, y)]))
    lines.append(np.array([(x, centre[1]), (x, centre[1] - end)]))
    return tuple(lines), tuple(texts)


def _build_legend(
    strips: Sequence[StripColumn],
    spans: Sequence[NameSpan],
    notes: Sequence[str],
    page_width: float,
    size: float,
    *,
    has_cut: bool,
) -> tuple[tuple[LegendEntry, ...], ...]:
    """Explain bars, letters and rings, and list the named sub-trees."""
    width = page_width - 2 * MARGIN_PT
    numbered = [
        replace(strip, title=f"#{i} {strip.title}") for i, strip in enumerate(strips, start=1)
    ]
    rings = ", ".join(strip.title for strip in numbered)
    explained = build_legend(
        numbered,
        has_names=bool(spans),
        has_cut_line=has_cut,
        width=width,
        cell_width=CELL_PT,
        size=size,
        notes=(*notes, *([f"rings from inside: {rings}"] if strips else [])),
    )
    named = flow_entries([f"{span.title}: {span.detail}" for span in spans], width, size)
    return (*explained, *named)
