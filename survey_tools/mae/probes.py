"""Linear probes: what a linear model can tell from features.

The classifier is multinomial logistic regression on standardised features, its penalty chosen
inside the training images; scikit-learn and torch minimise the same objective.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from survey_tools.errors import ParameterError
from survey_tools.mae.probe_data import ProbeData, fit_standardiser

__all__ = [
    "PENALTIES",
    "FittedProbe",
    "LinearScore",
    "fit_by_sklearn",
    "score_linear",
]

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Weights lambda of the penalty to choose from, of a loss that is a mean over images.

Decades around scikit-learn's C = 1, which is lambda = 1 / n: 1e-2 for 100 images, 1e-4 for
10,000.
"""
_IF_NOT_CHOSEN = 1e-2  # where a class has a single training image, and no fold is without it
_N_FOLDS = 3
_LOOSE, _TIGHT = 1e-4, 1e-7  # greatest entry of the gradient left, while choosing and at the end
_N_ITERATIONS = 20_000  # never reached: the penalised objective is strongly convex


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedProbe:
    """Weights of shape (n_rows, dim) and intercepts (n_rows,).

    One row a class; for two classes a single row, whose score is that of the second against 0.
    """

    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def log_probabilities(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return logarithms of the classes' probabilities, shape (n, n_classes)."""
        scores = x @ self.weights.T + self.intercepts
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        return np.asarray(log_softmax(scores, axis=1))


Fit = Callable[[NDArray[np.float64], NDArray[np.intp], float, float], FittedProbe]
"""Called as ``fit(x, codes, penalty, tolerance)``; codes are classes from 0, all present."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearScore:
    """How well a linear probe told the classes of the test images.

    Attributes
    ----------
    accuracy : float
        Share of test images whose class is right.
    log_loss : float
        Mean negative log-probability of the true class, in nats.
    penalty : float
        The one that was chosen.
    is_at_edge : bool
        Whether it is the smallest or greatest on offer, so that a better one may lie beyond.
    predictions : ndarray of int, shape (n_test,)
        Classes, as in the labels.
    """

    accuracy: float
    log_loss: float
    penalty: float
    is_at_edge: bool
    predictions: NDArray[np.integer]


def score_linear(
    data: ProbeData,
    *,
    seed: int,
    fit: Fit | None = None,
    penalties: tuple[float, ...] = PENALTIES,
) -> LinearScore:
    """Train a linear classifier on features and test it.

    It minimises the mean log loss plus lambda / 2 times the sum of squared weights (not of
    intercepts), lambda being the penalty of least log loss in three stratified folds of the
    training images (the greatest of equal ones). Test images choose nothing.

    Parameters
    ----------
    seed : int
        Of the folds.
    fit : callable, optional
        `fit_by_sklearn` unless given; or `survey_tools.mae.torch_probe.fit_by_torch`.
    penalties : tuple of float
        To choose from, above 0.

    Raises
    ------
    ParameterError
        If there is no penalty, or one that is not above 0.

    References
    ----------
    .. [1] Alain and Bengio, "Understanding intermediate layers using linear classifier
       probes", arXiv:1610.01644.
    .. [2] Kornblith, Shlens and Le, "Do better ImageNet models transfer better?", CVPR 2019,
       section 3: logistic regression with a penalty chosen on held-out training images.
    """
    if not penalties or min(penalties) <= 0.0:
        raise ParameterError(f"penalties must be one or more, above 0; {penalties} arrived")
    fit = fit or fit_by_sklearn
    standardiser = fit_standardiser(data.train)
    x, codes = standardiser.apply(data.train), data.train_codes
    penalty = _choose_penalty(x, codes, penalties, fit, seed)
    log_p = fit(x, codes, penalty, _TIGHT).log_probabilities(standardiser.apply(data.test))
    predicted = log_p.argmax(axis=1)
    return LinearScore(
        accuracy=float((predicted == data.test_codes).mean()),
        log_loss=_log_loss(log_p, data.test_codes),
        penalty=penalty,
        is_at_edge=len(penalties) > 1 and penalty in (min(penalties), max(penalties)),
        predictions=data.classes[predicted],
    )


def _choose_penalty(
    x: NDArray[np.float64],
    codes: NDArray[np.intp],
    penalties: tuple[float, ...],
    fit: Fit,
    seed: int,
) -> float:
    if len(penalties) == 1:
        return penalties[0]
    n_folds = min(_N_FOLDS, int(np.bincount(codes).min()))
    if n_folds < 2:
        return min(penalties, key=lambda penalty: abs(np.log(penalty / _IF_NOT_CHOSEN)))
    folds = _draw_folds(codes, n_folds, np.random.default_rng(seed))
    losses = {
        penalty: np.mean(
            [
                _log_loss(
                    fit(x[folds != fold], codes[folds != fold], penalty, _LOOSE)
                    .log_probabilities(x[folds == fold]),
                    codes[folds == fold],
                )
                for fold in range(n_folds)
            ]
        )
        for penalty in sorted(penalties, reverse=True)
    }  # fmt: skip
    return min(losses, key=lambda penalty: losses[penalty])


def _draw_folds(
    codes: NDArray[np.intp], n_folds: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal the images of each class to folds in turn, in drawn order."""
    folds = np.empty(len(codes), dtype=np.intp)
    for code in range(int(codes.max()) + 1):
        members = rng.permutation(np.flatnonzero(codes == code))
        folds[members] = np.arange(len(members)) % n_folds
    return folds


def _log_loss(log_p: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    return float(-log_p[np.arange(len(codes)), codes].mean())


def fit_by_sklearn(
    x: NDArray[np.float64], codes: NDArray[np.intp], penalty: float, tolerance: float
) -> FittedProbe:
    """Minimise the probe's objective by scikit-learn's L-BFGS.

    scikit-learn weighs the sum of losses by C against half the sum of squares, so that C is
    1 / (n penalty).

    Parameters
    ----------
    x : ndarray of float64, shape (n, dim)
        Standardised features.
    codes : ndarray of int, shape (n,)
        Classes from 0, all present.
    penalty : float
        Weight of half the sum of squared weights, against the mean loss.
    tolerance : float
        Greatest entry of the gradient at which the minimum is found.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(
        C=1.0 / (len(x) * penalty), tol=tolerance, max_iter=_N_ITERATIONS, solver="lbfgs"
    )
    with threadpool_limits(limits=1, user_api="blas"):  # the products are small: threads would wait
        model.fit(x, codes)
    return FittedProbe(weights=model.coef_, intercepts=model.intercept_)
