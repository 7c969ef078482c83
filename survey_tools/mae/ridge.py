"""Ridge regression: which quantities (places, sizes) a linear model can tell from features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError
from survey_tools.mae.probe_data import check_features, fit_standardiser
from survey_tools.mae.probes import PENALTIES

__all__ = ["RidgeScore", "score_ridge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeScore:
    """How well a linear model told quantities of the test images.

    Attributes
    ----------
    r2 : float
        Share of the variance explained, mean over quantities; 0 is as good as the test mean,
        below 0 worse.
    r2_of_each : tuple of float
    penalty : float
        The one that was chosen.
    """

    r2: float
    r2_of_each: tuple[float, ...]
    penalty: float


def score_ridge(
    train: NDArray[np.floating],
    train_targets: NDArray[np.floating],
    test: NDArray[np.floating],
    test_targets: NDArray[np.floating],
    *,
    penalties: tuple[float, ...] = PENALTIES,
) -> RidgeScore:
    """Train a linear regression of quantities (places, sizes) on features and test it.

    Features are standardised; the penalty is the one of least squared error when each training
    image in turn is left out, for which ridge regression has a formula [1]_.

    Parameters
    ----------
    train, test : ndarray of float, shape (n_train, dim) and (n_test, dim)
    train_targets, test_targets : ndarray of float, shape (n,) or (n, n_quantities)
    penalties : tuple of float
        Weights of the sum of squared weights, against the mean squared error.

    Raises
    ------
    DataError
        If the parts do not fit together, or a quantity is the same in all test images.

    References
    ----------
    .. [1] Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a
       good ridge parameter", Technometrics 21 (1979), equation 1.2.
    """
    from sklearn.linear_model import RidgeCV

    targets, test_values = (
        values.astype(np.float64).reshape(len(values), -1)
        for values in (train_targets, test_targets)
    )
    for features, values, part in ((train, targets, "training"), (test, test_values, "test")):
        check_features(features, f"{part} features")
        check_features(values, f"{part} quantities")
        if len(features) != len(values):
            raise DataError(f"{len(features)} {part} features, but {len(values)} quantities")
    variance = test_values.var(axis=0)
    if not variance.all():
        raise DataError("a quantity is the same in all test images; nothing is there to explain")
    standardiser = fit_standardiser(train)
    model = RidgeCV(alphas=[len(train) * penalty for penalty in penalties])
    model.fit(standardiser.apply(train), targets)
    predicted = model.predict(standardiser.apply(test)).reshape(test_values.shape)
    r2 = 1.0 - ((predicted - test_values) ** 2).mean(axis=0) / variance
    return RidgeScore(
        r2=float(r2.mean()), r2_of_each=tuple(r2.tolist()), penalty=float(model.alpha_) / len(train)
    )
