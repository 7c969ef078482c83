"""The Bk curve: agreement of two trees at every number of clusters, with its chance band."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from survey_tools.agreement.bk_curve import BkCurve
from survey_tools.errors import ParameterError, count
from survey_tools.figures.placement import spread
from survey_tools.figures.style import (
    INK,
    LINE_SPACING,
    PALETTE,
    POINTS_PER_INCH,
    figure_style,
    wrap,
)

__all__ = ["draw_bk_curve", "plot_bk_curve"]

_SIZE_PT = 7.0
_WIDTH_PT, _HEIGHT_PT = 260.0, 170.0  # of the plot without what stands around it
_LEFT_PT, _TOP_PT, _FOOT_PT = 46.0, 12.0, 40.0
_LABELS_PT = 105.0  # room for the labels at the ends of the lines
_LEADER_PT = 14.0
_MOST_LINEAR = 50  # numbers of clusters beyond which their axis is logarithmic
_MOST_MARKED = 60  # cuts up to which each has a dot: ties leave out some numbers
_BAND = "#d0d0d0"
_EXPECTED = "#595959"


def draw_bk_curve(curve: BkCurve, *, left_title: str, right_title: str) -> Figure:
    """Draw a Bk curve as a figure of its own; see `plot_bk_curve`.

    Parameters
    ----------
    left_title, right_title : str
        What the two trees are, for the line above the plot.
    """
    title = f"{left_title} and {right_title}, cut into the same number of clusters"
    width = _LEFT_PT + _WIDTH_PT + _LEADER_PT + _LABELS_PT
    lines = wrap(f"{title}; {count(curve.n_papers, 'paper')}", width - 2 * _TOP_PT, _SIZE_PT)
    head = _TOP_PT + LINE_SPACING * _SIZE_PT * len(lines) + 6.0
    height = head + _HEIGHT_PT + _FOOT_PT
    with figure_style():
        figure = Figure(
            figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH
        )
        box = (_LEFT_PT / width, _FOOT_PT / height, _WIDTH_PT / width, _HEIGHT_PT / height)
        plot_bk_curve(curve, ax=figure.add_axes(box))
        figure.text(
            _TOP_PT / width,
            1.0 - _TOP_PT / height,
            "\n".join(lines),
            fontsize=_SIZE_PT,
            linespacing=LINE_SPACING,
            va="top",
            parse_math=False,
        )
    return figure


def plot_bk_curve(curve: BkCurve, *, ax: Axes) -> Axes:
    """Draw the index at every cut as a line with dots, what chance gives dashed in a grey band.

    Lines and band are named at their right ends, outside the plot, which takes about 120
    points there. Above 50 clusters their axis is logarithmic.

    Raises
    ------
    ParameterError
        If the curve holds no cut.

    References
    ----------
    .. [1] Fowlkes and Mallows, "A method for comparing two hierarchical clusterings", JASA 78
       (1983), 553-569, who draw it so.
    """
    k = curve.n_clusters
    if not len(k):
        raise ParameterError(
            f"no number of clusters is possible in both trees of {count(curve.n_papers, 'paper')}, "
            "so there is no Bk curve to draw; leave the figure out"
        )
    has_chance = bool(np.isfinite(curve.expected).all())
    ends = []
    if has_chance:
        ax.fill_between(k, curve.low, curve.high, color=_BAND, linewidth=0, zorder=1)
        if len(k) == 1:  # a band of one cut has no width
            ax.vlines(k, curve.low, curve.high, color=_BAND, linewidth=6.0, zorder=1)
        ax.plot(k, curve.expected, color=_EXPECTED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=2)
        middle = float(curve.low[-1] + curve.high[-1]) / 2.0
        band = f"grey: {curve.confidence:.0%} of {curve.n_permutations:,} random relabellings"
        ends += [
            (float(curve.expected[-1]), "dashed: mean by chance", _EXPECTED),
            (middle, band, _EXPECTED),
        ]
    ends.append((float(curve.values[-1]), "Bk found", PALETTE[0]))
    marker = "o" if len(k) <= _MOST_MARKED else ""
    ax.plot(k, curve.values, color=PALETTE[0], linewidth=1.1, marker=marker, ms=2.5, zorder=3)
    _scale(ax, curve)
    _label_ends(ax, ends)
    return ax


def _scale(ax: Axes, curve: BkCurve) -> None:
    """Set both axes; Bk lies in 0 to 1."""
    first, last = int(curve.n_clusters[0]), int(curve.n_clusters[-1])
    ax.set_ylim(0.0, 1.0 + 0.02)
    is_log = last > _MOST_LINEAR
    if is_log:
        ax.set_xscale("log")
        ax.set_xlim(first / 1.05, last * 1.05)
        ticks = [step * 10**power for power in range(8) for step in (1, 2, 5)]
        ticks = [tick for tick in ticks if first <= tick <= last]
        ax.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.set_xlim(first - 0.5, last + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    scale = ", logarithmic" if is_log else ""
    ax.set_xlabel(f"clusters in each of the two cuts (number{scale})", fontsize=_SIZE_PT)
    ax.set_ylabel("Bk: Fowlkes-Mallows index of the cuts (no unit)", fontsize=_SIZE_PT)
    ax.tick_params(labelsize=_SIZE_PT, length=2.5, width=0.6, pad=2.0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _label_ends(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Name lines beside their right ends, with leaders, so that no two names overlap."""
    height = ax.bbox.height * POINTS_PER_INCH / ax.figure.dpi
    top = ax.get_ylim()[1]
    blocks = [wrap(text, _LABELS_PT - 6.0, _SIZE_PT) for _, text, _ in ends]
    heights = [_SIZE_PT * (LINE_SPACING * len(lines) + 0.4) for lines in blocks]
    wanted = [value / top * height for value, *_ in ends]
    places = spread(wanted, heights, 0.0, height)
    right = ax.bbox.width * POINTS_PER_INCH / ax.figure.dpi
    for (_, _, colour), lines, start, end in zip(ends, blocks, wanted, places, strict=True):
        ax.annotate(
            "\n".join(lines),
            xy=(right + _LEADER_PT, float(end)),
            xycoords="axes points",
            fontsize=_SIZE_PT,
            linespacing=LINE_SPACING,
            va="center",
            color=colour if colour != _EXPECTED else INK,
            annotation_clip=False,
        )
        ax.annotate(
            "",
            xy=(right, start),
            xytext=(right + _LEADER_PT - 2.0, float(end)),
            xycoords="axes points",
            textcoords="axes points",
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": colour,
                "shrinkA": 0.0,
                "shrinkB": 0.0,
            },
            annotation_clip=False,
        )
