"""The dendrogram as a journal prints it, from a finished layout."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from survey_tools.figures.brackets import Bracket, name_height
from survey_tools.figures.layout import DendrogramLayout
from survey_tools.figures.pages import CELL_GAP_PT, LANE_PT, Panel
from survey_tools.figures.strips import LEGEND_EMS, label_swatch
from survey_tools.figures.style import (
    INK,
    LINE_SPACING,
    MUTED,
    PALETTE,
    POINTS_PER_INCH,
    figure_style,
)

__all__ = ["draw_dendrogram", "plot_annotations", "plot_tree"]

_BRANCH_PT = 0.9
_SERIF_PT = 2.5


def draw_dendrogram(layout: DendrogramLayout) -> list[Figure]:
    """Draw every page of a dendrogram."""
    pages = []
    grid = layout.grid
    with figure_style():
        for number in range(layout.n_pages):
            size_in = (grid.page_width / POINTS_PER_INCH, layout.page_height / POINTS_PER_INCH)
            page = Figure(figsize=size_in, dpi=POINTS_PER_INCH)
            for panel in layout.panels:
                if panel.page == number:
                    _draw_panel(page, layout, panel)
            _draw_legend(page, layout)
            if layout.n_pages > 1:
                x = 1.0 - grid.panel_lefts[0] / grid.page_width
                y = 8.0 / layout.page_height
                text = f"page {number + 1} of {layout.n_pages}"
                page.text(x, y, text, ha="right", va="bottom", fontsize=layout.font_size_pt)
            pages.append(page)
    return pages


def _draw_panel(page: Figure, layout: DendrogramLayout, panel: Panel) -> None:
    grid = layout.grid
    left, height = grid.panel_lefts[panel.column], panel.bottom - panel.top
    bottom = layout.page_height - grid.panel_top - height

    def place(x: float, width: float) -> Axes:
        w, h = grid.page_width, layout.page_height
        return page.add_axes((x / w, bottom / h, width / w, height / h))

    plot_tree(layout, panel, ax=place(left, grid.tree_width))
    annotations_left = grid.bar_left
    width = grid.panel_width - annotations_left
    plot_annotations(layout, panel, ax=place(left + annotations_left, width))


def plot_tree(layout: DendrogramLayout, panel: Panel, *, ax: Axes) -> Axes:
    """Draw the branches of a panel: merge height to the left, leaves at the right edge."""
    colours = [PALETTE[i % len(PALETTE)] if i >= 0 else INK for i in layout.branch_colours]
    branches = LineCollection(
        list(layout.branches), colors=colours, linewidths=_BRANCH_PT, capstyle="projecting"
    )
    ax.add_collection(branches, autolim=False)
    highest = float(layout.branches[:, :, 0].max()) or 1.0
    ax.set_xlim(highest * 1.03, min(0.0, float(layout.branches[:, :, 0].min())))
    ax.set_ylim(panel.bottom, panel.top)
    if layout.cut_height is not None:
        ax.axvline(layout.cut_height, color=MUTED, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    marks: dict[tuple[str, ...], list[Bracket]] = {}  # several names may mean one node
    for bracket in layout.brackets:
        marks.setdefault(bracket.paper_keys, []).append(bracket)
    for same in marks.values():
        code = ", ".join(bracket.code for bracket in same)
        _mark_node(ax, same[0], code, panel, highest, layout.font_size_pt)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_position(("outward", 3.0))
    ax.tick_params(axis="x", labelsize=layout.font_size_pt, length=2.5, width=0.6, pad=1.5)
    lines = layout.axis_label.split(": ", 1)
    ax.set_xlabel(":\n".join(lines), fontsize=layout.font_size_pt, loc="left", labelpad=2.0)
    return ax


def _mark_node(
    ax: Axes, bracket: Bracket, code: str, panel: Panel, highest: float, font_size_pt: float
) -> None:
    """Draw the bracket of a named sub-tree at its own merge height, with its code."""
    top, bottom = max(bracket.top, panel.top), min(bracket.bottom, panel.bottom)
    if top >= bottom:
        return
    x = bracket.height
    points = _bracket_line(bracket, panel, x, -0.012 * highest)
    ax.add_collection(LineCollection([points], colors=INK, linewidths=0.7, zorder=3), autolim=False)
    if panel.top <= bracket.centre <= panel.bottom:
        ax.text(
            x,
            bracket.centre,
            code,
            fontsize=font_size_pt,
            ha="center",
            va="center",
            zorder=4,
            bbox={
                "boxstyle": "circle,pad=0.15",
                "facecolor": "white",
                "edgecolor": INK,
                "linewidth": 0.6,
            },
        )


def _bracket_line(
    bracket: Bracket, panel: Panel, x: float, serif: float
) -> list[tuple[float, float]]:
    """Line of a bracket at ``x``; where a panel cuts the sub-tree, the end stays open."""
    points = []
    for end, edge, inset in ((bracket.top, panel.top, 1.0), (bracket.bottom, panel.bottom, -1.0)):
        is_cut = end < edge if inset > 0 else end > edge
        points.append([(x, edge)] if is_cut else [(x + serif, end + inset), (x, end + inset)])
    return [*points[0], *reversed(points[1])]


def plot_annotations(layout: DendrogramLayout, panel: Panel, *, ax: Axes) -> Axes:
    """Draw what stands beside the branches: clusters, strips, labels and brackets."""
    grid, size = layout.grid, layout.font_size_pt
    offset = grid.bar_left
    ax.set_xlim(0.0, grid.panel_width - offset)
    ax.set_ylim(panel.bottom, panel.top)
    ax.axis("off")
    _plot_cluster_bars(ax, layout, panel)
    _plot_strips(ax, layout, panel, grid.strip_left - offset)
    for row in layout.rows[panel.first_row : panel.last_row + 1]:
        ax.text(
            grid.label_left - offset,
            row.centre,
            "\n".join(row.lines),
            fontsize=size,
            va="center_baseline" if len(row.lines) == 1 else "center",
            linespacing=LINE_SPACING,
            parse_math=False,
            gid=f"leaf-{row.paper_key}",
        )
    _plot_brackets(ax, layout, panel, offset)
    return ax


def _plot_cluster_bars(ax: Axes, layout: DendrogramLayout, panel: Panel) -> None:
    for bar in layout.bars:
        top, bottom = max(bar.top, panel.top), min(bar.bottom, panel.bottom)
        if top >= bottom:
            continue
        colour = PALETTE[bar.colour_index % len(PALETTE)]
        inset = 0.8
        ax.add_patch(
            Rectangle((0.0, top + inset), 2.4, bottom - top - 2 * inset, color=colour, linewidth=0)
        )
        ax.text(
            4.2, (top + bottom) / 2, bar.name, fontsize=layout.font_size_pt, va="center_baseline"
        )


def _plot_strips(ax: Axes, layout: DendrogramLayout, panel: Panel, left: float) -> None:
    rows = layout.rows[panel.first_row : panel.last_row + 1]
    cell_width = layout.grid.cell_width
    for i, strip in enumerate(layout.strips):
        x = left + i * (cell_width + CELL_GAP_PT)
        ax.text(
            x + cell_width / 2,
            panel.top - 3.0,
            strip.title,
            fontsize=layout.font_size_pt,
            rotation=90,
            ha="center",
            va="bottom",
            parse_math=False,
        )
        outlines, unfiled = [], []
        filled: dict[int, list[list[tuple[float, float]]]] = {}
        for row, labels in zip(rows, strip.cells[panel.first_row :], strict=False):
            top, bottom = row.top + 0.6, row.bottom - 0.6
            outlines.append(_box(x, top, cell_width, bottom))
            if labels is None:
                unfiled.append([(x, top), (x + cell_width, bottom)])
                continue
            share = cell_width / max(1, len(labels))
            for k, label in enumerate(labels):
                filled.setdefault(label, []).append(_box(x + k * share, top, share, bottom))
        ax.add_collection(
            PolyCollection(outlines, facecolors="none", edgecolors="#cccccc", linewidths=0.35),
            autolim=False,
        )
        for label, boxes in sorted(filled.items()):
            swatch = label_swatch(label, len(strip.labels))
            cells = PolyCollection(
                boxes,
                facecolors=swatch.face,
                edgecolors=INK,
                linewidths=0.35,
                hatch=swatch.hatch or None,
            )
            ax.add_collection(cells, autolim=False)
        ax.add_collection(LineCollection(unfiled, colors=MUTED, linewidths=0.5), autolim=False)


def _box(x: float, top: float, width: float, bottom: float) -> list[tuple[float, float]]:
    return [(x, top), (x + width, top), (x + width, bottom), (x, bottom)]


def _plot_brackets(ax: Axes, layout: DendrogramLayout, panel: Panel, offset: float) -> None:
    """Draw brackets right of the labels and their names where they do not collide."""
    grid, size = layout.grid, layout.font_size_pt
    shown = []
    for bracket in layout.brackets:
        top, bottom = max(bracket.top, panel.top), min(bracket.bottom, panel.bottom)
        if top < bottom:
            shown.append((bracket, top, bottom))
    heights = [name_height(bracket.lines, size) for bracket, _, _ in shown]
    if sum(heights) > (room := panel.bottom - panel.top):  # a short panel at the end
        size *= room / sum(heights)
        heights = [height * room / sum(heights) for height in heights]
    middles = _spread([(top + bottom) / 2 for _, top, bottom in shown], heights, panel)
    for (bracket, top, bottom), middle in zip(shown, middles, strict=True):
        x = grid.bracket_left - offset + bracket.lane * LANE_PT
        points = _bracket_line(bracket, panel, x + _SERIF_PT, -_SERIF_PT)
        leader = [
            (x + _SERIF_PT, (top + bottom) / 2),
            (grid.name_left - offset - 1.5, middle),
        ]
        lines = LineCollection([points, leader], colors=INK, linewidths=[0.7, 0.4])
        ax.add_collection(lines, autolim=False)
        ax.text(
            grid.name_left - offset,
            middle,
            "\n".join(bracket.lines),
            fontsize=size,
            va="center",
            linespacing=LINE_SPACING,
            parse_math=False,
        )


def _spread(wanted: Sequence[float], heights: Sequence[float], panel: Panel) -> list[float]:
    """Move text centres as little as needed so that none overlaps or leaves the panel."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    placed = list(wanted)
    edge = panel.top
    for i in order:
        placed[i] = max(wanted[i], edge + heights[i] / 2)
        edge = placed[i] + heights[i] / 2
    edge = panel.bottom
    for i in reversed(order):
        placed[i] = min(placed[i], edge - heights[i] / 2)
        edge = placed[i] - heights[i] / 2
    return placed


def _draw_legend(page: Figure, layout: DendrogramLayout) -> None:
    """Write the legend at the foot of the page."""
    grid, size = layout.grid, layout.font_size_pt
    left, height = grid.panel_lefts[0], LEGEND_EMS * size * len(layout.legend)
    width, bottom = grid.page_width - 2 * left, grid.legend_height + 8.0 - height
    w, h = grid.page_width, layout.page_height
    ax = page.add_axes((left / w, bottom / h, width / w, height / h))
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")
    for i, line in enumerate(layout.legend):
        middle = (i + 0.5) * LEGEND_EMS * size
        for entry in line:
            x = entry.x
            if entry.swatch is not None:
                top, bottom_y = middle - 0.5 * size + 0.5, middle + 0.5 * size - 0.5
                ax.add_patch(
                    Polygon(
                        _box(x, top, grid.cell_width, bottom_y),
                        facecolor=entry.swatch.face,
                        edgecolor=INK,
                        linewidth=0.35,
                        hatch=entry.swatch.hatch or None,
                    )
                )
                if entry.swatch.is_struck:
                    stroke = [(x, top), (x + grid.cell_width, bottom_y)]
                    ax.add_collection(LineCollection([stroke], colors=MUTED, linewidths=0.5))
                x += grid.cell_width + 2.5
            ax.text(x, middle, entry.text, fontsize=size, va="center_baseline", parse_math=False)
