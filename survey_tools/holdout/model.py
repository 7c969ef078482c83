"""One linear model a label, tuned and calibrated on its training papers alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from survey_tools.holdout.calibration import fit_sigmoid, log_loss

__all__ = ["LinearModel", "best_threshold", "fast_fitting", "fit_model"]

_SEED = 0  # liblinear's primal solver draws nothing, but scikit-learn asks for a seed
_TIE = 1e-9  # log losses this close are equal
_NEVER = -1e9  # score of a label that no training paper carries


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearModel:
    """Logistic regressions, one a label against the rest, with their calibration.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_labels, n_terms)
    intercepts, slopes, offsets : ndarray of float64, shape (n_labels,)
        Of the scores, and of the curve that makes them probabilities.
    thresholds : ndarray of float64, shape (n_labels,)
        A label is given from this probability on; without meaning where one is chosen.
    penalties : ndarray of float64, shape (n_labels,)
        Inverse strength of the penalty (scikit-learn's C) that was chosen.
    is_exclusive : bool
        Whether one label a paper is chosen, or any number given.
    """

    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    penalties: NDArray[np.float64]
    is_exclusive: bool

    def score(self, x: sparse.csr_array) -> NDArray[np.float64]:
        """Return the uncalibrated scores, shape (n_papers, n_labels)."""
        return np.asarray(x @ self.weights.T) + self.intercepts

    def probabilities(self, x: sparse.csr_array) -> NDArray[np.float64]:
        """Return the calibrated probabilities, shape (n_papers, n_labels).

        Those of exclusive labels are scaled to add up to one.
        """
        p = expit(self.slopes * self.score(x) + self.offsets)
        return np.asarray(p / p.sum(axis=1, keepdims=True) if self.is_exclusive else p)

    def decide(self, x: sparse.csr_array) -> NDArray[np.bool_]:
        """Say which labels the papers get, shape (n_papers, n_labels)."""
        if self.is_exclusive:
            return np.asarray(self.score(x).argmax(axis=1)[:, None] == np.arange(len(self.weights)))
        return np.asarray(self.probabilities(x) >= self.thresholds)


@contextmanager
def fast_fitting() -> Iterator[None]:
    """Fit many small models without threads and without scikit-learn's checks of its input.

    Models of some hundred papers take less time than starting threads, or than those checks.
    """
    with (
        threadpool_limits(limits=1, user_api="blas"),
        config_context(skip_parameter_validation=True, assume_finite=True),
    ):
        yield


def fit_model(
    x: sparse.csr_array,
    members: NDArray[np.bool_],
    inner_folds: NDArray[np.intp],
    *,
    penalties: tuple[float, ...] | NDArray[np.float64],
    is_exclusive: bool = False,
) -> LinearModel:
    """Fit one logistic regression a label; choose its penalty, calibration and threshold inside.

    Every inner fold is scored by models of the others. The penalty is the one whose scores,
    once calibrated, have the least log loss (the strongest of equal ones). A label is given
    from the probability on at which the expected F1 of the training papers is greatest [1]_
    [2]_. Papers with and without the label weigh the same in sum.

    Parameters
    ----------
    x : csr_array of float64, shape (n_papers, n_terms)
        Weighted terms of the training papers.
    members : ndarray of bool, shape (n_papers, n_labels)
    inner_folds : ndarray of int, shape (n_papers,)
        Fold of each training paper.
    penalties : tuple of float, or ndarray of float64, shape (n_labels,)
        Inverse strengths (scikit-learn's C) to choose from; or, as an array, those to use.

    References
    ----------
    .. [1] Lewis, "Evaluating and optimizing autonomous text classification systems", SIGIR
       1995.
    .. [2] Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize
       F1 measure", arXiv:1402.1892.
    """
    n_labels = members.shape[1]
    weights = np.zeros((n_labels, x.shape[1]))
    fitted = np.zeros((5, n_labels))  # intercept, slope, offset, threshold, penalty
    for j in range(n_labels):
        allowed = (float(penalties[j]),) if isinstance(penalties, np.ndarray) else penalties
        weights[j], fitted[:, j] = _fit_label(x, members[:, j], inner_folds, allowed)
    intercepts, slopes, offsets, thresholds, chosen = fitted
    return LinearModel(
        weights=weights,
        intercepts=intercepts,
        slopes=slopes,
        offsets=offsets,
        thresholds=thresholds,
        penalties=chosen,
        is_exclusive=is_exclusive,
    )


def _fit_label(
    x: sparse.csr_array,
    is_true: NDArray[np.bool_],
    inner_folds: NDArray[np.intp],
    penalties: tuple[float, ...],
) -> tuple[NDArray[np.float64], tuple[float, ...]]:
    n_true = int(is_true.sum())
    n_false = len(is_true) - n_true
    prior = float(np.log((n_true + 1.0) / (n_false + 1.0)))
    if not n_true or not n_false:  # nothing to learn: the one side that was seen is expected
        intercept, threshold = (0.0, 0.0) if n_true else (_NEVER, np.inf)
        return np.zeros(x.shape[1]), (intercept, 0.0, prior, threshold, np.nan)
    if min(n_true, n_false) == 1:  # nothing to calibrate on: the score is taken as log odds
        middle = sorted(penalties)[len(penalties) // 2]
        weights, intercept = _fit(x, is_true, middle)
        return weights, (intercept, 1.0, prior, float(expit(prior)), middle)
    penalties = tuple(sorted(penalties))
    scores = np.empty((len(penalties), len(is_true)))
    for fold in np.unique(inner_folds):
        rest = inner_folds != fold
        inside, outside = x[rest], x[~rest]
        for score, penalty in zip(scores, penalties, strict=True):
            weights, intercept = _fit(inside, is_true[rest], penalty)
            score[~rest] = outside @ weights + intercept
    best: tuple[float, float, float, float, NDArray[np.float64]] | None = None
    for score, penalty in zip(scores, penalties, strict=True):
        slope, offset = fit_sigmoid(score, is_true)
        if slope < 0:  # scores that rank papers backwards say nothing
            slope, offset = 0.0, prior
        probability = expit(slope * score + offset)
        loss = log_loss(probability, is_true)
        if best is None or loss < best[0] - _TIE:
            best = loss, slope, offset, penalty, probability
    assert best is not None
    _, slope, offset, penalty, probability = best
    weights, intercept = _fit(x, is_true, penalty)
    return weights, (intercept, slope, offset, best_threshold(probability), penalty)


def _fit(
    x: sparse.csr_array, is_true: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.float64], float]:
    n_true = int(is_true.sum())
    n_false = len(is_true) - n_true
    if not n_true or not n_false:  # an inner fold took all papers of one side
        return np.zeros(x.shape[1]), 0.0
    balance = len(is_true) / 2.0 * np.where(is_true, 1.0 / n_true, 1.0 / n_false)
    model = LogisticRegression(C=penalty, solver="liblinear", random_state=_SEED, max_iter=1000)
    model.fit(x, is_true, sample_weight=balance)
    return model.coef_[0], float(model.intercept_[0])


def best_threshold(probabilities: NDArray[np.float64]) -> float:
    """Return the probability from which on labels are given so that the expected F1 is greatest.

    The expected F1 is taken as 2 E[true positives] / (n_given + E[n_true]).
    """
    falling = -np.sort(-probabilities)
    n_given = np.arange(1, len(falling) + 1)
    expected = 2.0 * np.cumsum(falling) / (n_given + falling.sum())
    last = int(np.argmax(expected))
    if last + 1 == len(falling):
        return 0.0  # it is best to give the label to all
    return float((falling[last] + falling[last + 1]) / 2.0)
