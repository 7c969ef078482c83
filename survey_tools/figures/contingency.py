"""The contingency heat map: clusters in rows, labels or cells in columns."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck
from survey_tools.figures.style import POINTS_PER_INCH, clean, figure_style, text_width, wrap

__all__ = ["draw_contingency", "plot_contingency"]

_SIZE_PT = 7.0
_TITLE_PT = 8.0
_ROW_PT = 13.0
_COLUMN_PT = 21.0
_GAP_PT = 16.0
_MARGIN_PT = 12.0
_COLUMN_LABEL_PT = 150.0  # longest column label before it wraps
_LINE_SPACING = 1.15
_BAR_PT = 8.0  # thickness of the colour bar
_BAR_LENGTH_PT = 140.0
_BAR_TITLE = "share of the cluster's papers (%)"
_COLOURS = "Blues"  # one hue from white: reads the same in grey and for all colour vision
_DARK = 0.55  # share of a row above which numbers are written in white


def draw_contingency(axes: Sequence[AxisCrosscheck], clusters: Sequence[Cluster]) -> Figure:
    """Draw the tables of several axes side by side over common rows.

    Each cell holds the number of papers; its shade is their share of the cluster.
    """
    row_labels = _row_labels(axes[0], clusters)
    beside = [*row_labels.values(), _BAR_TITLE]
    labels_width = max(text_width(label, _SIZE_PT) for label in beside) + 6.0
    column_labels = [_wrap_columns(axis) for axis in axes]
    head = max(
        text_width(line, _SIZE_PT) for axis in column_labels for label in axis for line in label
    )
    titles = [
        wrap(axis.title, max(50.0, _panel_width(axis) + _GAP_PT - 4), _TITLE_PT) for axis in axes
    ]
    title_height = max(len(lines) for lines in titles) * _TITLE_PT * 1.3
    widths = [_panel_width(axis) for axis in axes]
    for i, lines in enumerate(titles):  # a narrow table must still leave room for its title
        widths[i] = max(widths[i], max(text_width(line, _TITLE_PT) for line in lines) - _GAP_PT + 6)
    table_height = _ROW_PT * len(axes[0].cluster_names)
    foot = 34.0
    width = 2 * _MARGIN_PT + labels_width + sum(widths) + _GAP_PT * (len(axes) - 1) + 4.0
    width = max(width, 2 * _MARGIN_PT + labels_width + _BAR_LENGTH_PT)
    height = 2 * _MARGIN_PT + title_height + head + 6.0 + table_height + foot
    with figure_style():
        figure = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=72)
        left = _MARGIN_PT + labels_width
        bottom = _MARGIN_PT + foot
        for i, axis in enumerate(axes):
            box = (left / width, bottom / height, _panel_width(axis) / width, table_height / height)
            ax = figure.add_axes(box)
            plot_contingency(axis, ax=ax, row_labels=row_labels if i == 0 else None)
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
        bar_box = (
            (_MARGIN_PT + labels_width) / width,
            (_MARGIN_PT + 14.0) / height,
            _BAR_LENGTH_PT / width,
            _BAR_PT / height,
        )
        bar_ax = figure.add_axes(bar_box)
        mappable = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 100), cmap=_COLOURS)
        bar = figure.colorbar(mappable, cax=bar_ax, orientation="horizontal")
        bar.ax.tick_params(labelsize=_SIZE_PT, length=2, width=0.6, pad=1.5)
        bar.outline.set_linewidth(0.6)
        figure.text(
            (_MARGIN_PT + labels_width - 6.0) / width,
            (_MARGIN_PT + 14.0 + _BAR_PT / 2) / height,
            _BAR_TITLE,
            fontsize=_SIZE_PT,
            ha="right",
            va="center",
        )
    return figure


def plot_contingency(
    axis: AxisCrosscheck, *, ax: Axes, row_labels: dict[str, str] | None = None
) -> Axes:
    """Draw one contingency table: numbers of papers over shades of their share in the cluster.

    Parameters
    ----------
    row_labels : dict of str to str, optional
        Text for every cluster; without it rows are not labelled.
    """
    table = axis.contingency
    share = table / axis.cluster_sizes[:, None]
    n_rows, n_columns = table.shape
    ax.pcolormesh(
        np.arange(n_columns + 1),
        np.arange(n_rows + 1),
        share,
        cmap=_COLOURS,
        vmin=0.0,
        vmax=1.0,
        edgecolors="#d9d9d9",
        linewidth=0.4,
    )
    ax.set_ylim(n_rows, 0)
    for i, j in zip(*np.nonzero(table), strict=True):
        ax.text(
            j + 0.5,
            i + 0.5,
            str(table[i, j]),
            fontsize=_SIZE_PT,
            ha="center",
            va="center_baseline",
            color="white" if share[i, j] > _DARK else "black",
        )
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(n_columns) + 0.5)
    ax.set_xticklabels(
        ["\n".join(lines) for lines in _wrap_columns(axis)],
        rotation=90,
        fontsize=_SIZE_PT,
        linespacing=_LINE_SPACING,
        parse_math=False,
    )
    ax.set_yticks(np.arange(n_rows) + 0.5 if row_labels else [])
    if row_labels:
        texts = [row_labels[name] for name in axis.cluster_names]
        ax.set_yticklabels(texts, fontsize=_SIZE_PT, parse_math=False)
    ax.tick_params(length=0, pad=2.5)
    for spine in ax.spines.values():
        spine.set_linewidth(0.6)
    return ax


def _panel_width(axis: AxisCrosscheck) -> float:
    n_lines = max(len(lines) for lines in _wrap_columns(axis))
    column = max(_COLUMN_PT, n_lines * _SIZE_PT * 1.3)  # neighbours' lines must not touch
    return column * len(axis.column_names)


def _row_labels(axis: AxisCrosscheck, clusters: Sequence[Cluster]) -> dict[str, str]:
    """Name, size and three most typical terms of every cluster."""
    labels = {}
    for cluster in clusters:
        terms = clean(", ".join(term for term, _ in cluster.top_terms["class-tf-idf"][:3]))
        labels[cluster.name] = f"{cluster.name} ({cluster.size})  {terms}"
    return {name: labels.get(name, name) for name in axis.cluster_names}


def _wrap_columns(axis: AxisCrosscheck) -> list[tuple[str, ...]]:
    return [wrap(name, _COLUMN_LABEL_PT, _SIZE_PT) for name in axis.column_titles]
