"""A masked loss too low to be true: below what the neighbours of a patch can tell of it."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.detectors import Detection, detect_above, detect_below

__all__ = ["detect_loss_at_variance", "detect_low_loss", "neighbour_loss", "target_variance"]

# Thresholds are ours. On digits a network that sees its masked patches has the masked loss
# 0.006 where the targets' variance is 0.54 and a healthy network's loss 0.42; one without
# positions 0.53 (mae.md of the anchors, section 3).
_SHARE_OF_NEIGHBOURS = 0.1
_SHARE_OF_VARIANCE = 0.05
_SHARE_UNLEARNT = 0.95
_TELLS_ALL = 1e-3  # share of the variance below which the neighbours leave nothing to predict

_MOST_COMPONENTS = 32  # of a neighbour's content
_MOST_ROWS = 20_000
_RIDGE = 1e-8  # of the mean variance of the inputs; only keeps the equations solvable


def target_variance(targets: NDArray[np.floating]) -> float:
    """Return the mean squared error of always predicting the mean patch.

    Parameters
    ----------
    targets : ndarray of float, shape (n_images, grid_height, grid_width, dim)
        What is to be predicted at each patch.
    """
    return float(_check(targets).reshape(-1, targets.shape[3]).var(axis=0).mean())


def neighbour_loss(targets: NDArray[np.floating]) -> float:
    """Return the mean squared error of the best linear prediction from the eight patches around.

    All eight are seen whole, which at a high mask ratio is far more than a network sees near
    most masked patches. Fitted on one half of the images (every second) and tested on the
    other, both ways. Beyond the border the mean of the other neighbours stands in, and is said
    to do so. Of large patches the first 32 principal components stand for a neighbour, and of
    many patches 20,000 evenly spaced ones are looked at.

    Parameters
    ----------
    targets : ndarray of float, shape (n_images, grid_height, grid_width, dim)

    Raises
    ------
    ParameterError
        If the shape is another, values are not finite, or there are fewer than two images.
    """
    values = _check(targets)
    values = values - values.mean(axis=(0, 1, 2))
    n_images, height, width, dim = values.shape
    flat = values.reshape(-1, dim)
    content = values @ np.linalg.eigh(flat.T @ flat)[1][:, ::-1][:, :_MOST_COMPONENTS]
    x = _surroundings(content).reshape(n_images * height * width, -1)
    is_odd = np.repeat(np.arange(n_images) % 2 == 1, height * width)
    losses = []
    for is_fitted in (is_odd, ~is_odd):
        fitted, tested = (_thin(np.flatnonzero(chosen)) for chosen in (is_fitted, ~is_fitted))
        weights = _fit_ridge(x[fitted], flat[fitted])
        error = flat[tested] - _with_constant(x[tested]) @ weights
        losses.append((error**2).mean())
    return float(np.mean(losses))


def detect_low_loss(masked_loss: float, targets: NDArray[np.floating]) -> Detection:
    """Suspect leakage if a masked loss is far below what neighbours can tell.

    A failure is a loss below a tenth of the `neighbour_loss` and below a twentieth of the
    `target_variance`, both. Where the neighbours leave less than a thousandth of the variance
    (flat images) nothing can be suspected. It is a suspicion only; the tests of
    `survey_tools.mae.leakage` prove.

    Parameters
    ----------
    masked_loss : float
        Mean squared error over masked patches, of the same targets.
    targets : ndarray of float, shape (n_images, grid_height, grid_width, dim)
        Some hundred images or more.

    Raises
    ------
    ParameterError
        If the loss is not finite, or see `neighbour_loss`.
    """
    _check_loss(masked_loss)
    variance = target_variance(targets)
    by_neighbours = neighbour_loss(targets)
    threshold = min(_SHARE_OF_NEIGHBOURS * by_neighbours, _SHARE_OF_VARIANCE * variance)
    if by_neighbours <= _TELLS_ALL * variance:
        return Detection(
            detector="masked loss",
            value=masked_loss,
            threshold=threshold,
            fails_if="below",
            is_failure=False,
            verdict=(
                f"Cannot be told: neighbours alone predict these targets (error "
                f"{by_neighbours:.4g} of a variance of {variance:.4g}), so that no loss is too low."
            ),
        )
    beside = f"neighbours leave {by_neighbours:.4g} of a variance of {variance:.4g}"
    return detect_below(
        "masked loss",
        masked_loss,
        threshold,
        failure=f"The loss is too low to be true: {beside}; test the network for leakage",
        healthy=f"The loss is not suspiciously low: {beside}",
    )


def detect_loss_at_variance(masked_loss: float, targets: NDArray[np.floating]) -> Detection:
    """Say whether a masked loss is no better than predicting the mean patch.

    So it stays without positions, or with a learning rate at which nothing is learnt. A
    failure is a loss above 0.95 of the `target_variance`.

    Parameters
    ----------
    masked_loss, targets
        See `detect_low_loss`.

    Raises
    ------
    ParameterError
        If the loss is not finite, or the targets are not as there.
    """
    _check_loss(masked_loss)
    variance = target_variance(targets)
    if not variance > 0.0:
        return Detection(
            detector="masked loss beside variance",
            value=masked_loss,
            threshold=0.0,
            fails_if="above",
            is_failure=False,
            verdict="Cannot be told: all targets are the same.",
        )
    return detect_above(
        "masked loss beside variance",
        masked_loss,
        _SHARE_UNLEARNT * variance,
        failure=f"Nothing is learnt but the mean patch: the targets' variance is {variance:.4g}",
        healthy=f"More is learnt than the mean patch: the targets' variance is {variance:.4g}",
    )


def _check_loss(masked_loss: float) -> None:
    if not np.isfinite(masked_loss):
        raise ParameterError(f"a masked loss of {masked_loss} says nothing; a number is wanted")


def _check(targets: NDArray[np.floating]) -> NDArray[np.float64]:
    if targets.ndim != 4 or 0 in targets.shape or len(targets) < 2:
        raise ParameterError(
            "targets must be of shape (n_images, grid_height, grid_width, dim), of two images or "
            f"more; {targets.shape} arrived"
        )
    if not np.isfinite(targets).all():
        raise ParameterError("targets must be finite; NaN or infinity arrived")
    return targets.astype(np.float64)


def _surroundings(content: NDArray[np.float64]) -> NDArray[np.float64]:
    """Content of the eight patches around each, and which of them are there.

    Parameters
    ----------
    content : ndarray of float64, shape (n_images, height, width, n_components)

    Returns
    -------
    ndarray of float64, shape (n_images, height, width, 8 (n_components + 1))
    """
    n_images, height, width, _ = content.shape
    steps = [(dy, dx) for dy in (0, 1, 2) for dx in (0, 1, 2) if (dy, dx) != (1, 1)]

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return np.stack(
            [padded[:, dy : dy + height, dx : dx + width] for dy, dx in steps], axis=3
        )  # (n_images, height, width, 8, n_components)

    near, is_there = around(content), around(np.ones((1, height, width, 1)))
    n_there = np.maximum(is_there.sum(axis=3, keepdims=True), 1.0)
    mean = near.sum(axis=3, keepdims=True) / n_there  # beyond the border stand zeros
    both = [
        np.where(is_there > 0.0, near, mean),
        np.broadcast_to(is_there, (n_images, height, width, 8, 1)),
    ]
    return np.concatenate(both, axis=4).reshape(n_images, height, width, -1)


def _thin(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    if len(rows) <= _MOST_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _MOST_ROWS).round().astype(np.intp)]


def _with_constant(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([x, np.ones((len(x), 1))])


def _fit_ridge(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    inputs = _with_constant(x)
    gram = inputs.T @ inputs
    strength = _RIDGE * float(np.trace(gram)) / len(gram)
    return np.asarray(np.linalg.solve(gram + strength * np.eye(len(gram)), inputs.T @ y))
