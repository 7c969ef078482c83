"""The dendrogram as a journal prints it, from a finished layout."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from survey_tools.figures.layout import DendrogramLayout
from survey_tools.figures.name_marks import plot_bands, plot_names, plot_nodes
from survey_tools.figures.pages import CELL_GAP_PT
from survey_tools.figures.pen import Pen, Points
from survey_tools.figures.rows import Panel
from survey_tools.figures.sheet import draw_legend
from survey_tools.figures.strips import LEGEND_EMS
from survey_tools.figures.style import (
    INK,
    MUTED,
    PALETTE,
    POINTS_PER_INCH,
    figure_style,
    wrap,
)

__all__ = ["draw_dendrogram", "plot_annotations", "plot_tree"]

_BRANCH_PT = 0.9


def draw_dendrogram(layout: DendrogramLayout, *, n_before: int = 0) -> list[Figure]:
    """Draw every page of a dendrogram.

    Parameters
    ----------
    n_before : int
        Pages of the same figure that stand before these; they count in the page numbers.
    """
    pages = []
    width, height = layout.paper_size
    with figure_style():
        for number in range(layout.n_pages):
            page = Figure(
                figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH
            )
            for panel in layout.panels:
                if panel.page == number:
                    _draw_panel(page, layout, panel)
            _draw_legend(page, layout)
            if (n_pages := layout.n_pages + n_before) > 1:
                x, y = 1.0 - layout.grid.panel_lefts[0] / width, 8.0 / height
                text = f"page {number + 1 + n_before} of {n_pages}"
                page.text(x, y, text, ha="right", va="bottom", fontsize=layout.font_size_pt)
            pages.append(page)
    return pages


def _draw_panel(page: Figure, layout: DendrogramLayout, panel: Panel) -> None:
    grid = layout.grid
    left, length = grid.panel_lefts[panel.column], panel.bottom - panel.top
    w, h = layout.paper_size

    def place(across: float, extent: float) -> Axes:
        if layout.is_top_down:
            box = (grid.panel_top / w, 1.0 - (across + extent) / h, length / w, extent / h)
        else:
            box = (across / w, 1.0 - (grid.panel_top + length) / h, extent / w, length / h)
        return page.add_axes(box)

    plot_tree(layout, panel, ax=place(left, grid.tree_width))
    extent = grid.panel_width - grid.bar_left
    plot_annotations(layout, panel, ax=place(left + grid.bar_left, extent))


def plot_tree(layout: DendrogramLayout, panel: Panel, *, ax: Axes) -> Axes:
    """Draw the branches of a panel: from the root's merge height to the leaves at 0."""
    pen = Pen(ax=ax, is_top_down=layout.is_top_down)
    places = layout.branches[:, :, 1]
    is_seen = (places.min(axis=1) <= panel.bottom) & (places.max(axis=1) >= panel.top)
    colours = [PALETTE[i % len(PALETTE)] if i >= 0 else INK for i in layout.branch_colours[is_seen]]
    pen.draw_lines(
        layout.branches[is_seen], colors=colours, linewidths=_BRANCH_PT, capstyle="projecting"
    )
    highest = float(layout.branches[:, :, 0].max()) or 1.0
    lowest = min(0.0, float(layout.branches[:, :, 0].min()))
    pen.limit((highest * 1.03, lowest), (panel.top, panel.bottom))
    if layout.names_style == "bands":
        plot_bands(pen, layout, panel)
    if layout.cut_height is not None:
        style = {"color": MUTED, "linewidth": 0.6, "linestyle": (0, (3, 2))}
        pen.draw_level(layout.cut_height, zorder=0.5, **style)
    plot_nodes(pen, layout, panel, highest)
    _scale_heights(ax, layout)
    return ax


def _scale_heights(ax: Axes, layout: DendrogramLayout) -> None:
    """Give the tree an axis of merge heights: below it, or at its left from top down."""
    size = layout.font_size_pt
    first, rest = layout.axis_label.split(": ", 1)
    most = layout.grid.tree_width if layout.is_top_down else np.inf
    title = "\n".join((f"{first}:", *wrap(rest, most, size)))
    kept = "left" if layout.is_top_down else "bottom"
    for side, spine in ax.spines.items():
        spine.set_visible(side == kept)
    ax.spines[kept].set_position(("outward", 3.0))
    if layout.is_top_down:
        ax.set_xticks([])
        ax.tick_params(axis="y", labelsize=size, length=2.5, width=0.6, pad=1.5)
        ax.set_ylabel(title, fontsize=size, loc="top", labelpad=2.0)
    else:
        ax.set_yticks([])
        ax.tick_params(axis="x", labelsize=size, length=2.5, width=0.6, pad=1.5)
        ax.set_xlabel(title, fontsize=size, loc="left", labelpad=2.0)


def plot_annotations(layout: DendrogramLayout, panel: Panel, *, ax: Axes) -> Axes:
    """Draw what stands beside the branches: clusters, strips, labels and names."""
    grid, size = layout.grid, layout.font_size_pt
    offset = grid.bar_left
    pen = Pen(ax=ax, is_top_down=layout.is_top_down)
    pen.limit((0.0, grid.panel_width - offset), (panel.top, panel.bottom))
    ax.axis("off")
    _plot_cluster_bars(pen, layout, panel)
    _plot_strips(pen, layout, panel, grid.strip_left - offset)
    for row in layout.rows[panel.first_row : panel.last_row + 1]:
        gid = f"leaf-{row.paper_key}"
        pen.write_beside(grid.label_left - offset, row.centre, row.lines, size, gid=gid)
    plot_names(pen, layout, panel, offset)
    return ax


def _plot_cluster_bars(pen: Pen, layout: DendrogramLayout, panel: Panel) -> None:
    for bar in layout.bars:
        top, bottom = max(bar.top, panel.top), min(bar.bottom, panel.bottom)
        if top >= bottom:
            continue
        colour = PALETTE[bar.colour_index % len(PALETTE)]
        inset = 0.8
        start, end = pen.turn([(0.0, top + inset), (2.4, bottom - inset)])
        width, height = end - start
        pen.ax.add_patch(Rectangle(tuple(start), width, height, color=colour, linewidth=0))
        pen.write_beside(4.2, (top + bottom) / 2, (bar.name,), layout.font_size_pt)


def _plot_strips(pen: Pen, layout: DendrogramLayout, panel: Panel, left: float) -> None:
    rows = layout.rows[panel.first_row : panel.last_row + 1]
    cell = layout.grid.cell_width
    for i, strip in enumerate(layout.strips):
        across = left + i * (cell + CELL_GAP_PT)
        pen.write_before(across + cell / 2, panel.top - 3.0, strip.title, layout.font_size_pt)
        outlines, unknown = [], []
        filled: dict[int, list[Points]] = {}
        for row, labels in zip(rows, strip.cells[panel.first_row :], strict=False):
            top, bottom = row.top + 0.6, row.bottom - 0.6
            outlines.append(_box(across, top, cell, bottom))
            if labels is None:
                unknown.append([(across, top), (across + cell, bottom)])
                continue
            share = cell / max(1, len(labels))
            for k, label in enumerate(labels):
                filled.setdefault(label, []).append(_box(across + k * share, top, share, bottom))
        pen.fill_boxes(outlines, facecolors="none", edgecolors="#cccccc", linewidths=0.35)
        for label, boxes in sorted(filled.items()):
            swatch = strip.swatches[label]
            pen.fill_boxes(
                boxes,
                facecolors=swatch.face,
                edgecolors=INK,
                linewidths=0.35,
                hatch=swatch.hatch or None,
            )
        pen.draw_lines(unknown, colors=MUTED, linewidths=0.5)


def _box(across: float, top: float, extent: float, bottom: float) -> Points:
    return [(across, top), (across + extent, top), (across + extent, bottom), (across, bottom)]


def _draw_legend(page: Figure, layout: DendrogramLayout) -> None:
    """Write the legend at the foot of the page."""
    grid, size = layout.grid, layout.font_size_pt
    w, h = layout.paper_size
    left, height = grid.panel_lefts[0], LEGEND_EMS * size * len(layout.legend)
    width, bottom = w - 2 * left, grid.legend_height + 8.0 - height
    ax = page.add_axes((left / w, bottom / h, width / w, height / h))
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")
    draw_legend(ax, layout.legend, left=0.0, top=0.0, size=size, cell_width=grid.cell_width)
