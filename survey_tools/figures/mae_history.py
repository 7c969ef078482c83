"""The history of a pre-training: loss, learning rate and gradient norm over steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, count
from survey_tools.figures.style import (
    LINE_SPACING,
    PALETTE,
    POINTS_PER_INCH,
    figure_style,
    wrap,
)

__all__ = ["TrainingCurves", "draw_history", "plot_history", "smooth"]

_SIZE_PT = 7.0
_WIDTH_PT, _LOSS_PT, _SIDE_PT = 300.0, 150.0, 70.0  # of the plots
_LEFT_PT, _RIGHT_PT, _TOP_PT, _FOOT_PT, _GAP_PT = 52.0, 12.0, 10.0, 34.0, 16.0
_PALE = "#bdbdbd"
_SHARE = 0.02  # of all steps that the smoothed line averages
_MOST_DRAWN = 4000  # points a line; more cannot be told apart at this width


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingCurves:
    """What is drawn of a training.

    Attributes
    ----------
    title : str
        One line: method, data, precision.
    steps : ndarray of int, shape (n_steps,)
        Rising.
    losses, rates, gradient_norms : ndarray of float, shape (n_steps,)

    Raises
    ------
    ParameterError
        If there are no steps, or not as many of each.
    """

    title: str
    steps: NDArray[np.integer]
    losses: NDArray[np.floating]
    rates: NDArray[np.floating]
    gradient_norms: NDArray[np.floating]

    def __post_init__(self) -> None:
        if not len(self.steps):
            raise ParameterError("no step has been done, so there is no history to draw")
        for name in ("losses", "rates", "gradient_norms"):
            if getattr(self, name).shape != self.steps.shape:
                raise ParameterError(
                    f"{len(self.steps)} steps, but {name} of shape {getattr(self, name).shape}"
                )


def smooth(values: NDArray[np.floating], n: int) -> NDArray[np.float64]:
    """Average each value with those before it, ``n`` in all; fewer at the start.

    Returns
    -------
    ndarray of float64, shape of ``values``
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - n, 0)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def draw_history(curves: TrainingCurves) -> Figure:
    """Draw loss, learning rate and gradient norm, one below the other, over the same steps."""
    width = _LEFT_PT + _WIDTH_PT + _RIGHT_PT
    text = f"{curves.title}; {count(int(curves.steps[-1]), 'step')}"
    lines = wrap(text, width - 2 * _TOP_PT, _SIZE_PT)
    head = _TOP_PT + LINE_SPACING * _SIZE_PT * len(lines) + 6.0
    heights = (_LOSS_PT, _SIDE_PT, _SIDE_PT)
    height = head + sum(heights) + 2 * _GAP_PT + _FOOT_PT
    with figure_style():
        figure = Figure(
            figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH
        )
        bottom, axes = height - head, []
        for panel in heights:
            bottom -= panel
            box = (_LEFT_PT / width, bottom / height, _WIDTH_PT / width, panel / height)
            axes.append(figure.add_axes(box))
            bottom -= _GAP_PT
        plot_history(curves, axes=axes)
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


def plot_history(curves: TrainingCurves, *, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Draw a history into three axes: loss, learning rate, gradient norm.

    The loss of every batch is pale, its running mean dark; gradient norms, which span
    magnitudes, are on a logarithmic axis where all are above 0.

    Parameters
    ----------
    axes : sequence of three Axes
        From top to bottom.
    """
    n_averaged = max(1, round(_SHARE * len(curves.steps)))
    over, rates, norms = axes
    shown = np.unique(
        np.linspace(0, len(curves.steps) - 1, min(len(curves.steps), _MOST_DRAWN)).astype(int)
    )
    x = curves.steps[shown]
    # a single step has no line
    dot: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(x) == 1 else {}
    over.plot(x, curves.losses[shown], color=_PALE, linewidth=0.6, zorder=1, **dot)
    mean = smooth(curves.losses, n_averaged)[shown]
    over.plot(x, mean, color=PALETTE[0], linewidth=1.1, zorder=2, **dot)
    rates.plot(x, curves.rates[shown], color=PALETTE[1], linewidth=1.1, **dot)
    norms.plot(x, curves.gradient_norms[shown], color=PALETTE[2], linewidth=0.8, **dot)
    if (curves.gradient_norms > 0).all():
        norms.set_yscale("log")
    mean_text = f"dark: mean of {n_averaged:,}" if n_averaged > 1 else "each step"
    labels = (f"loss ({mean_text})", "learning rate", "gradient norm")
    for ax, label in zip(axes, labels, strict=True):
        ax.set_ylabel(label, fontsize=_SIZE_PT)
        ax.set_xlim(0, int(curves.steps[-1]) + 1)
        ax.tick_params(labelsize=_SIZE_PT, length=2.5, width=0.6, pad=2.0, which="major")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    for ax in axes[:-1]:
        ax.tick_params(labelbottom=False)
    axes[-1].set_xlabel("optimiser step (number)", fontsize=_SIZE_PT)
    return axes
