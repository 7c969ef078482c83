"""Heat maps of clusters x labels: several tables side by side over common rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck
from survey_tools.figures.style import POINTS_PER_INCH, clean, figure_style, text_width, wrap

__all__ = ["CELL_TEXT_PT", "TableLook", "draw_tables", "label_table", "paint_cells", "write_cell"]

CELL_TEXT_PT = 7.0
_TITLE_PT = 8.0
_ROW_PT = 13.0
_GAP_PT = 16.0
_MARGIN_PT = 12.0
_COLUMN_LABEL_PT = 150.0  # longest column label before it wraps
_LINE_SPACING = 1.15
_BAR_PT = 8.0  # thickness of the colour bar
_BAR_LENGTH_PT = 140.0
_BAR_FOOT_PT = 34.0  # room below the tables for the bar and its ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLook:
    """What tells one kind of heat map from another.

    Attributes
    ----------
    plot : callable
        Draws one table as ``plot(axis, ax=ax, row_labels=labels or None)``.
    column_widths : tuple of float
        Least width of the columns of every table, in points.
    bar_title : str
        What the colours say, with its unit.
    limits : (float, float)
        Values at the ends of the colour bar.
    note : str
        What a reader must know besides; may be empty.
    """

    plot: Callable[..., Axes]
    column_widths: tuple[float, ...]
    bar_title: str
    colours: Colormap | str
    limits: tuple[float, float]
    extend: Literal["neither", "both"] = "neither"
    note: str = ""


def draw_tables(
    axes: Sequence[AxisCrosscheck], clusters: Sequence[Cluster], look: TableLook
) -> Figure:
    """Draw the tables of several axes side by side, clusters named on the left."""
    row_labels = _row_labels(axes[0], clusters)
    beside = [*row_labels.values(), look.bar_title]
    labels_width = max(text_width(label, CELL_TEXT_PT) for label in beside) + 6.0
    column_labels = [_wrap_columns(axis) for axis in axes]
    head = max(
        text_width(line, CELL_TEXT_PT) for axis in column_labels for label in axis for line in label
    )
    panels = [
        _panel_width(axis, least) for axis, least in zip(axes, look.column_widths, strict=True)
    ]
    widths = list(panels)
    titles = [
        wrap(axis.title, max(50.0, width + _GAP_PT - 4), _TITLE_PT)
        for axis, width in zip(axes, widths, strict=True)
    ]
    title_height = max(len(lines) for lines in titles) * _TITLE_PT * 1.3
    for i, lines in enumerate(titles):  # a narrow table must still leave room for its title
        widths[i] = max(widths[i], max(text_width(line, _TITLE_PT) for line in lines) - _GAP_PT + 6)
    table_height = _ROW_PT * len(axes[0].cluster_names)
    width = 2 * _MARGIN_PT + labels_width + sum(widths) + _GAP_PT * (len(axes) - 1) + 4.0
    width = max(width, 2 * _MARGIN_PT + labels_width + _BAR_LENGTH_PT)
    note = wrap(look.note, width - 2 * _MARGIN_PT, CELL_TEXT_PT) if look.note else ()
    note_height = 1.3 * CELL_TEXT_PT * len(note)
    foot = _BAR_FOOT_PT + note_height
    height = 2 * _MARGIN_PT + title_height + head + 6.0 + table_height + foot
    with figure_style():
        figure = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=72)
        left = _MARGIN_PT + labels_width
        bottom = _MARGIN_PT + foot
        for i, axis in enumerate(axes):
            box = (left / width, bottom / height, panels[i] / width, table_height / height)
            look.plot(axis, ax=figure.add_axes(box), row_labels=row_labels if i == 0 else None)
            figure.text(
                left / width,
                (height - _MARGIN_PT) / height,
                "\n".join(titles[i]),
                fontsize=_TITLE_PT,
                fontweight="normal",
                va="top",
                parse_math=False,
            )
            left += widths[i] + _GAP_PT
        bar_left, bar_bottom = _MARGIN_PT + labels_width, _MARGIN_PT + note_height + 14.0
        bar_box = (
            bar_left / width,
            bar_bottom / height,
            _BAR_LENGTH_PT / width,
            _BAR_PT / height,
        )
        mappable = ScalarMappable(Normalize(*look.limits), cmap=look.colours)
        bar = figure.colorbar(
            mappable, cax=figure.add_axes(bar_box), orientation="horizontal", extend=look.extend
        )
        bar.ax.tick_params(labelsize=CELL_TEXT_PT, length=2, width=0.6, pad=1.5)
        bar.outline.set_linewidth(0.6)
        figure.text(
            (bar_left - 6.0) / width,
            (bar_bottom + _BAR_PT / 2) / height,
            look.bar_title,
            fontsize=CELL_TEXT_PT,
            ha="right",
            va="center",
        )
        figure.text(
            _MARGIN_PT / width,
            _MARGIN_PT / height,
            "\n".join(note),
            fontsize=CELL_TEXT_PT,
            va="bottom",
        )
    return figure


def paint_cells(
    ax: Axes, values: NDArray[np.float64], colours: Colormap | str, limits: tuple[float, float]
) -> None:
    """Shade every cell by its value, the first row on top."""
    n_rows, n_columns = values.shape
    ax.pcolormesh(
        np.arange(n_columns + 1),
        np.arange(n_rows + 1),
        values,
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        edgecolors="#d9d9d9",
        linewidth=0.4,
    )
    ax.set_ylim(n_rows, 0)


def write_cell(
    ax: Axes, row: int, column: int, text: str, colour: str, *, is_bold: bool = False
) -> None:
    """Write a text into a cell."""
    ax.text(
        column + 0.5,
        row + 0.5,
        text,
        fontsize=CELL_TEXT_PT,
        fontweight="bold" if is_bold else "normal",
        ha="center",
        va="center_baseline",
        color=colour,
    )


def label_table(ax: Axes, axis: AxisCrosscheck, row_labels: dict[str, str] | None) -> None:
    """Write columns above and, if given, clusters on the left."""
    n_rows, n_columns = axis.contingency.shape
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(n_columns) + 0.5)
    ax.set_xticklabels(
        ["\n".join(lines) for lines in _wrap_columns(axis)],
        rotation=90,
        fontsize=CELL_TEXT_PT,
        linespacing=_LINE_SPACING,
        parse_math=False,
    )
    ax.set_yticks(np.arange(n_rows) + 0.5 if row_labels else [])
    if row_labels:
        texts = [row_labels[name] for name in axis.cluster_names]
        ax.set_yticklabels(texts, fontsize=CELL_TEXT_PT, parse_math=False)
    ax.tick_params(length=0, pad=2.5)
    for spine in ax.spines.values():
        spine.set_linewidth(0.6)


def _panel_width(axis: AxisCrosscheck, least_column: float) -> float:
    n_lines = max(len(lines) for lines in _wrap_columns(axis))
    column = max(least_column, n_lines * CELL_TEXT_PT * 1.3)  # neighbours' lines must not touch
    return column * len(axis.column_names)


def _row_labels(axis: AxisCrosscheck, clusters: Sequence[Cluster]) -> dict[str, str]:
    """Name, size and three most typical terms of every cluster."""
    labels = {}
    for cluster in clusters:
        terms = clean(", ".join(term for term, _ in cluster.top_terms["class-tf-idf"][:3]))
        labels[cluster.name] = f"{cluster.name} ({cluster.size})  {terms}"
    return {name: labels.get(name, name) for name in axis.cluster_names}


def _wrap_columns(axis: AxisCrosscheck) -> list[tuple[str, ...]]:
    return [wrap(name, _COLUMN_LABEL_PT, CELL_TEXT_PT) for name in axis.column_titles]
