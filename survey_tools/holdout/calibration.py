"""Scores -> probabilities, and how far probabilities can be believed."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["brier_score", "calibration_error", "fit_sigmoid", "log_loss"]

_N_BINS = 10  # as in Guo et al. (2017) and most of what followed; they compare 15, too
_N_STEPS = 100  # of Newton's method, and the other constants below: Lin, Lin and Weng (2007)
_SMALLEST_STEP = 1e-10
_FLAT = 1e-5
_RIDGE = 1e-12


def fit_sigmoid(scores: NDArray[np.float64], is_true: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit the slope and offset of the logistic curve that turns scores into probabilities.

    The targets are (n_true + 1) / (n_true + 2) and 1 / (n_false + 2) rather than 1 and 0, so
    that few papers give no certainty.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_papers,)
        Of papers that the scoring model was not fitted to.
    is_true : ndarray of bool, shape (n_papers,)

    Returns
    -------
    slope, offset : float
        The probability is 1 / (1 + exp(-(slope * score + offset))).

    References
    ----------
    .. [1] Platt, "Probabilistic outputs for support vector machines", 1999.
    .. [2] Lin, Lin and Weng, "A note on Platt's probabilistic outputs for support vector
       machines", Machine Learning 68 (2007), 267-276 (Newton's method with backtracking).
    """
    n_true = int(is_true.sum())
    n_false = len(is_true) - n_true
    target = np.where(is_true, (n_true + 1.0) / (n_true + 2.0), 1.0 / (n_false + 2.0))

    def loss(at: NDArray[np.float64]) -> float:
        logit = at[0] * scores + at[1]
        return float((np.logaddexp(0.0, logit) - target * logit).sum())

    at = np.array([0.0, np.log((n_true + 1.0) / (n_false + 1.0))])
    reached = loss(at)
    for _ in range(_N_STEPS):
        p = expit(at[0] * scores + at[1])
        gradient = np.array([((p - target) * scores).sum(), (p - target).sum()])
        if np.abs(gradient).max() < _FLAT:
            break
        weight = p * (1.0 - p)
        across = (weight * scores).sum()
        hessian = np.array([[(weight * scores**2).sum(), across], [across, weight.sum()]])
        step = -np.linalg.solve(hessian + _RIDGE * np.eye(2), gradient)
        size = 1.0
        while loss(at + size * step) >= reached + 1e-4 * size * float(gradient @ step):
            size /= 2.0
            if size < _SMALLEST_STEP:
                return float(at[0]), float(at[1])
        at = at + size * step
        reached = loss(at)
    return float(at[0]), float(at[1])


def log_loss(probabilities: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """Mean surprise of the truth, in nats."""
    p = np.clip(np.where(is_true, probabilities, 1.0 - probabilities), 1e-15, 1.0)
    return float(-np.log(p).mean())


def brier_score(probabilities: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """Mean squared difference of probability and truth, 0 (best) to 1.

    References
    ----------
    .. [1] Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review 78 (1950), 1-3; here the half of his sum over both outcomes.
    """
    return float(((probabilities - is_true) ** 2).mean())


def calibration_error(probabilities: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """Mean distance of probability and frequency over 10 bins of equal width, weighted by size.

    References
    ----------
    .. [1] Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using
       Bayesian binning", AAAI 2015 (expected calibration error).
    .. [2] Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks",
       arXiv:1706.04599, equation 3.
    """
    p, truth = probabilities.ravel(), is_true.ravel()
    bins = np.minimum((p * _N_BINS).astype(np.intp), _N_BINS - 1)
    off = np.bincount(bins, weights=p - truth, minlength=_N_BINS)
    return float(np.abs(off).sum() / len(p))
