"""Contingency heat maps: clusters in rows, labels or cells in columns; counts and residuals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck
from survey_tools.crosscheck.residuals import STRIKING, measure_residuals
from survey_tools.figures.cluster_tables import (
    CELL_TEXT_PT,
    TableLook,
    draw_tables,
    label_table,
    paint_cells,
    write_cell,
)
from survey_tools.figures.style import INK, PALETTE, text_width

__all__ = ["draw_contingency", "draw_residuals", "plot_contingency", "plot_residuals"]

_COLUMN_PT = 21.0
_BLUES = "Blues"  # one hue from white: reads the same in grey and for all colour vision
_DARK = 0.55  # share of a row above which numbers are written in white
_BOLD = 1.15  # width of bold numbers over that of plain ones
_LIMIT = 2.0 * STRIKING  # residuals beyond it have the colours of the ends
_FEW = 2.0  # an empty cell is written on if so many standard deviations are missing
_DARKEST = 0.18  # relative luminance at which black and white contrast alike (WCAG 2.1)
_DIVERGING = LinearSegmentedColormap.from_list("residuals", [PALETTE[1], "white", PALETTE[0]])
_NOTE = (
    "Each cell: papers found / papers expected if labels knew nothing of clusters. Bold and "
    f"outlined: more than {STRIKING:g} standard deviations off; where less than one paper is "
    f"expected, a single one may do. Blank: none found, and less than {_FEW:g} standard "
    "deviations below what is expected."
)


def draw_contingency(axes: Sequence[AxisCrosscheck], clusters: Sequence[Cluster]) -> Figure:
    """Draw the tables of several axes side by side over common rows.

    Each cell holds the number of papers; its shade is their share of the cluster.
    """
    look = TableLook(
        plot=plot_contingency,
        column_widths=(_COLUMN_PT,) * len(axes),
        bar_title="share of the cluster's papers (%)",
        colours=_BLUES,
        limits=(0.0, 100.0),
    )
    return draw_tables(axes, clusters, look)


def draw_residuals(axes: Sequence[AxisCrosscheck], clusters: Sequence[Cluster]) -> Figure:
    """Draw how far the counts are off what chance would give; see `plot_residuals`."""
    look = TableLook(
        plot=plot_residuals,
        column_widths=tuple(_residual_column(axis) for axis in axes),
        bar_title="adjusted residual (standard deviations)",
        colours=_DIVERGING,
        limits=(-_LIMIT, _LIMIT),
        extend="both",
        note=_NOTE,
    )
    return draw_tables(axes, clusters, look)


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
    paint_cells(ax, share, _BLUES, (0.0, 1.0))
    for i, j in zip(*np.nonzero(table), strict=True):
        colour = "white" if share[i, j] > _DARK else "black"
        write_cell(ax, i, j, str(table[i, j]), colour)
    label_table(ax, axis, row_labels)
    return ax


def plot_residuals(
    axis: AxisCrosscheck, *, ax: Axes, row_labels: dict[str, str] | None = None
) -> Axes:
    """Draw one table of papers found over papers expected, shaded by adjusted residuals.

    Parameters
    ----------
    row_labels : dict of str to str, optional
        Text for every cluster; without it rows are not labelled.

    References
    ----------
    .. [1] Haberman, "The analysis of residuals in cross-classified tables", Biometrics 29
       (1973), 205-220.
    """
    adjusted = measure_residuals(axis).adjusted
    paint_cells(ax, adjusted, _DIVERGING, (-_LIMIT, _LIMIT))
    for (i, j), text in _residual_texts(axis).items():
        is_striking = abs(adjusted[i, j]) > STRIKING
        shade = _DIVERGING(0.5 + 0.5 * float(adjusted[i, j]) / _LIMIT)
        colour = "white" if _luminance(shade) < _DARKEST else "black"
        write_cell(ax, i, j, text, colour, is_bold=is_striking)
        if is_striking:
            box = Rectangle((j, i), 1, 1, fill=False, edgecolor=INK, linewidth=1.1, zorder=3)
            ax.add_patch(box)
    label_table(ax, axis, row_labels)
    return ax


def _residual_texts(axis: AxisCrosscheck) -> dict[tuple[int, int], str]:
    """Write counts over expected counts by cell, blank ones left out."""
    table, residuals = axis.contingency, measure_residuals(axis)
    is_said = (table > 0) | (residuals.adjusted <= -_FEW)
    return {
        (int(i), int(j)): f"{table[i, j]} / {_round(residuals.expected[i, j])}"
        for i, j in zip(*np.nonzero(is_said), strict=True)
    }


def _round(expected: float) -> str:
    """Write one decimal, two of what would be 0.0."""
    return f"{expected:.1f}" if expected >= 0.05 else f"{expected:.2f}"


def _residual_column(axis: AxisCrosscheck) -> float:
    texts = _residual_texts(axis).values()
    return 6.0 + max((_BOLD * text_width(text, CELL_TEXT_PT) for text in texts), default=0.0)


def _luminance(colour: tuple[float, float, float, float]) -> float:
    """Relative luminance of a colour, 0 to 1, as WCAG 2.1 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
