"""Training instability, from the history of a run: NaN, spikes, gradients, divergence."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from survey_tools.errors import DataError
from survey_tools.mae.detectors import Detection, detect_above

__all__ = ["detect_instability"]

_WINDOW = 25  # steps before, by whose median and spread a step is judged
_FEWEST = 10  # steps before the first that is judged
# Ours; Iglewicz and Hoaglin (1993) call 3.5 an outlier of one sample, but here thousands of
# steps are judged, by spreads of 25 that are uncertain themselves, and losses have tails
_SPIKE_Z = 10.0
_SPIKE_RISE = 0.2  # of the median; less is no spike, however still the loss has been
_TO_STANDARD_DEVIATION = 1.4826  # of the median absolute deviation of a normal sample
# Pascanu, Mikolov and Bengio (ICML 2013, section 3.2): clipping at half to ten times the
# average norm makes no difference. Of healthy trainings on digits (300 steps of 32 images; seeds 0
# to 23) those of discrete tokens reach 10, and 20 at a single step, which does no harm; the other
# methods reach 4 at a single step (seeds 0 to 9). A rate that is a hundred times too high at three
# steps half way of 150 gives 26 or more (seeds 0 to 9)
_NORM_RATIO = 15.0
_IN_A_ROW = 3  # steps, of whose ratios the median counts: two of three must be high
_LOST = 0.5  # share of the progress that a run may lose until its end
# Of the first losses; a run that made less has no progress to lose, one that made more has
_LEAST_PROGRESS, _PROGRESS = 0.1, 0.3
_END = 0.1  # share of the steps that are its end


def detect_instability(
    losses: NDArray[np.floating], gradient_norms: NDArray[np.floating] | None = None
) -> tuple[Detection, ...]:
    """Look for instability in a run's losses and gradient norms, one a step.

    * "values not finite": number of steps whose loss or norm is NaN or infinite; a failure
      above 0. The other detectors look at the steps before the first of them.
    * "loss spike": greatest distance of a loss above the median of the 25 steps before, in
      their robust standard deviations [1]_, among losses that lie above it by a fifth or more;
      a failure above 10.
    * "gradient norm": ratio of a norm to the median of the 25 steps before, by the median of
      three steps in a row, so that two of them must be high; a failure if the greatest is above
      15, as clipping makes no difference up to 10 [2]_. A single step is what clipping is for;
      if it did harm, the loss shows it.
    * "progress lost": the median loss of the last tenth of the steps less the least median of
      25 steps, as a share of the progress from the first steps to that least median; a failure
      above 0.5. Where the progress is less than a tenth of the first losses (as with targets
      that move, whose loss can rise while all is well), as a share of the first losses; up to
      three tenths, of a mean of both.

    The first ten steps are judged by no one, as there is nothing to judge them by.

    Parameters
    ----------
    losses : ndarray of float, shape (n_steps,)
        Of one sign, as errors are.
    gradient_norms : ndarray of float, shape (n_steps,), optional
        Before clipping.

    Returns
    -------
    tuple of Detection
        In the order above; "gradient norm" only if there are norms.

    Raises
    ------
    DataError
        If the histories are empty or of different length.

    References
    ----------
    .. [1] Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993 (modified z-score).
    .. [2] Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013, section 3.2.
    .. [3] Chen, Xie and He, "An empirical study of training self-supervised vision
       transformers", ICCV 2021, section 4 (spikes of the gradient before dips of accuracy).
    """
    if losses.ndim != 1 or not len(losses):
        raise DataError(f"losses must be of shape (n_steps,); {losses.shape} arrived")
    if gradient_norms is not None and gradient_norms.shape != losses.shape:
        raise DataError(f"{len(losses)} losses, but gradient norms of shape {gradient_norms.shape}")
    is_bad = ~np.isfinite(losses)
    if gradient_norms is not None:
        is_bad |= ~np.isfinite(gradient_norms)
    n_good = int(is_bad.argmax()) if is_bad.any() else len(losses)
    found = [
        detect_above(
            "values not finite",
            float(is_bad.sum()),
            0.0,
            failure=f"A loss or gradient norm is NaN or infinite from step {n_good} on",
            healthy="All losses and gradient norms are finite",
        ),
        _detect_spike(losses[:n_good].astype(np.float64)),
    ]
    if gradient_norms is not None:
        found.append(_detect_explosion(gradient_norms[:n_good].astype(np.float64)))
    found.append(_detect_divergence(losses[:n_good].astype(np.float64)))
    return tuple(found)


def _detect_spike(losses: NDArray[np.float64]) -> Detection:
    median, spread = _before(losses)
    rise = losses - median
    is_high = rise > _SPIKE_RISE * np.abs(median)  # false where the median is NaN
    # a loss that has not moved at all has no spread; any rise is then infinitely unusual
    z = np.divide(rise, spread, out=np.where(is_high, np.inf, 0.0), where=spread > 0.0)
    z = np.where(is_high, z, 0.0)
    n_spikes = int((z > _SPIKE_Z).sum())
    step = int(z.argmax()) if len(z) else 0
    return detect_above(
        "loss spike",
        float(z.max(initial=0.0)),
        _SPIKE_Z,
        failure=f"The loss jumps at {n_spikes} of {len(losses)} steps, most at step {step}",
        healthy="The loss does not jump",
    )


def _detect_explosion(norms: NDArray[np.float64]) -> Detection:
    median, _ = _before(norms)
    has_base = median > 0.0  # false where the median is NaN
    ratio = np.divide(norms, median, out=np.zeros_like(norms), where=has_base)
    if len(ratio) >= _IN_A_ROW:  # of the step in the middle
        ratio = np.median(sliding_window_view(np.pad(ratio, _IN_A_ROW // 2), _IN_A_ROW), axis=1)
    n_high = int((ratio > _NORM_RATIO).sum())
    step = int(ratio.argmax()) if len(ratio) else 0
    return detect_above(
        "gradient norm",
        float(ratio.max(initial=0.0)),
        _NORM_RATIO,
        failure=(
            f"The gradient is out of proportion around {n_high} of {len(norms)} steps, most at "
            f"step {step}"
        ),
        healthy="The gradient stays in proportion",
    )


def _detect_divergence(losses: NDArray[np.float64]) -> Detection:
    lost = np.nan
    if len(losses) >= 2 * _FEWEST:
        size = min(_WINDOW, len(losses) // 2)
        medians = np.median(sliding_window_view(losses, size), axis=1)
        least, first = float(medians.min()), float(medians[0])
        end = float(np.median(losses[-max(_FEWEST, round(_END * len(losses))) :]))
        made = (first - least) / abs(first) if first else 0.0
        share = np.clip((made - _LEAST_PROGRESS) / (_PROGRESS - _LEAST_PROGRESS), 0.0, 1.0)
        progress = share * (first - least) + (1.0 - share) * abs(first)
        lost = (end - least) / progress if progress > 0.0 else 0.0
    return detect_above(
        "progress lost",
        lost,
        _LOST,
        failure="The loss ends far above its best",
        healthy="The loss ends near its best" if np.isfinite(lost) else "Too few steps to tell",
    )


def _before(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and robust spread of the steps before each; NaN and 0 at the first steps."""
    median, spread = np.full(len(values), np.nan), np.zeros(len(values))
    for step in range(_FEWEST, min(_WINDOW, len(values))):  # the window is still growing
        median[step : step + 1], spread[step : step + 1] = _robust(values[None, :step])
    if len(values) > _WINDOW:
        windows = sliding_window_view(values, _WINDOW)[:-1]  # (n_steps - window, window)
        median[_WINDOW:], spread[_WINDOW:] = _robust(windows)
    return median, spread


def _robust(windows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    median = np.median(windows, axis=1)
    deviation = np.median(np.abs(windows - median[:, None]), axis=1)
    return median, _TO_STANDARD_DEVIATION * deviation
