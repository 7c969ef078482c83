"""Features of training and test images with what is to be told from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, abbreviate

__all__ = ["ProbeData", "Standardiser", "check_features", "fit_standardiser"]

_LEAST_SPREAD = 1e-12  # of a dimension against the greatest value in it; less is rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeData:
    """Features and classes, from which probes are trained and tested.

    Attributes
    ----------
    train, test : ndarray of float, shape (n_train, dim) and (n_test, dim)
        Features, by a network that saw neither labels nor test images.
    train_labels, test_labels : ndarray of int, shape (n_train,) and (n_test,)
        Classes, any whole numbers.

    Raises
    ------
    DataError
        If the parts do not fit together, features are not finite, there are fewer than two
        classes, or a class stands in the test labels only.
    """

    train: NDArray[np.floating]
    train_labels: NDArray[np.integer]
    test: NDArray[np.floating]
    test_labels: NDArray[np.integer]

    def __post_init__(self) -> None:
        for part, features, labels in (
            ("training", self.train, self.train_labels),
            ("test", self.test, self.test_labels),
        ):
            check_features(features, f"{part} features")
            if labels.shape != (len(features),):
                raise DataError(
                    f"{len(features)} {part} features, but labels of shape {labels.shape}"
                )
        if self.train.shape[1] != self.test.shape[1]:
            raise DataError(
                f"training features have {self.train.shape[1]} dimensions, test features "
                f"{self.test.shape[1]}"
            )
        if len(self.classes) < 2:
            raise DataError(
                f"all {len(self.train)} training images are of class {self.classes[0]}; a probe "
                "needs two classes or more"
            )
        unseen = np.setdiff1d(self.test_labels, self.classes)
        if len(unseen):
            raise DataError(
                "classes of test images without a training image: "
                f"{abbreviate(str(label) for label in unseen)}"
            )

    @property
    def classes(self) -> NDArray[np.integer]:
        """Classes in the training labels, sorted, shape (n_classes,)."""
        return np.unique(self.train_labels)

    @property
    def train_codes(self) -> NDArray[np.intp]:
        """Place of each training label in ``classes``, shape (n_train,)."""
        return np.searchsorted(self.classes, self.train_labels)

    @property
    def test_codes(self) -> NDArray[np.intp]:
        """Place of each test label in ``classes``, shape (n_test,)."""
        return np.searchsorted(self.classes, self.test_labels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standardiser:
    """Centre and spread of each dimension of some training features, shape (dim,)."""

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def apply(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return centred features of unit spread, float64."""
        return np.asarray((features.astype(np.float64) - self.centre) / self.spread)


def fit_standardiser(features: NDArray[np.floating]) -> Standardiser:
    """Measure centre and spread of each dimension; a constant one is centred only."""
    wide = features.astype(np.float64)
    spread = wide.std(axis=0)
    is_constant = spread <= _LEAST_SPREAD * np.abs(wide).max(axis=0)
    return Standardiser(centre=wide.mean(axis=0), spread=np.where(is_constant, 1.0, spread))


def check_features(features: NDArray[np.floating], what: str) -> None:
    """Refuse features that are no table of finite numbers.

    Raises
    ------
    DataError
        Saying what arrived.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise DataError(f"{what} must be of shape (n_images, dim); {features.shape} arrived")
    n_bad = int((~np.isfinite(features)).any(axis=1).sum())
    if n_bad:
        raise DataError(
            f"{what} of {n_bad} of {len(features)} images are not finite; the network has "
            "diverged, or its input holds NaN"
        )
