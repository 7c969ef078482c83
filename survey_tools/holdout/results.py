"""What a hold-out found, axis by axis."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.holdout.learning_curve import CurvePoint
from survey_tools.holdout.problem import CELLS, Problem
from survey_tools.holdout.scores import Estimate
from survey_tools.paper import TextSource

__all__ = ["AxisHoldOut", "Calibration", "HoldOut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far the probabilities of papers that were held out can be believed.

    Attributes
    ----------
    brier : float
        Mean squared difference of probability and truth, over papers, labels and repeats.
    brier_of_shares : float
        The same if every paper had the share of the training papers as its probability.
    calibration_error : float
        Expected calibration error, over 10 bins.
    """

    brier: float
    brier_of_shares: float
    calibration_error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisHoldOut:
    """How far the labels of an axis, or the combined cells, can be told from texts.

    Attributes
    ----------
    problem : Problem
        Papers (sorted by key) and labels that were tested, and the labels that could not be.
    probabilities : ndarray of float64, shape (n_papers, n_labels)
        Of each label for each paper by models that did not see it; means over repeats.
    given : ndarray of float64, shape (n_papers, n_labels)
        Share of the repeats in which the linear model gave the label.
    measures : mapping of model to mapping of (measure, label) to Estimate
        Models are "linear model", "nearest cluster", "most frequent", "stratified random" and
        "every label" (not for the cells); measures are "precision", "recall" and "F1" of every
        label, "macro F1" and "micro F1" with label "", and for the linear model "AUC" of every
        label and "".
    differences : mapping of model to Estimate
        Macro F1 of the linear model less that of the baseline, on the same resamples.
    resampled_differences : mapping of model to ndarray of float64, shape (1 + n_resamples,)
        What the intervals of the differences are made of; that of the papers as they are first.
    best_guess : str or None
        Of the three ways to guess the one with the greatest macro F1.
    calibration : Calibration or None
    curve : tuple of CurvePoint
    verdict : str
        In words.
    """

    problem: Problem
    probabilities: NDArray[np.float64]
    given: NDArray[np.float64]
    measures: Mapping[str, Mapping[tuple[str, str], Estimate]]
    differences: Mapping[str, Estimate]
    resampled_differences: Mapping[str, NDArray[np.float64]]
    best_guess: str | None
    calibration: Calibration | None
    curve: tuple[CurvePoint, ...]
    verdict: str

    @property
    def name(self) -> str:
        """The axis, or "combined cells"."""
        return self.problem.name

    @property
    def title(self) -> str:
        """The same as it is printed."""
        return self.problem.title

    @property
    def is_tested(self) -> bool:
        """Whether any label could be tested."""
        return bool(self.measures)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HoldOut:
    """How far a taxonomy can be told from texts.

    Attributes
    ----------
    n_papers : int
        Filed papers.
    unfiled_keys : tuple of str
        Papers that the taxonomy does not file; they are left out.
    axes : tuple of AxisHoldOut
        In the order of the taxonomy, the combined cells last.
    text_sources : mapping of str to int
        Filed papers that are described by an abstract, a digest, or their title alone.
    notes : tuple of str
        What a reader of the results must know.
    """

    n_papers: int
    n_folds: int
    n_repeats: int
    unfiled_keys: tuple[str, ...]
    axes: tuple[AxisHoldOut, ...]
    text_sources: Mapping[TextSource, int]
    notes: tuple[str, ...]

    def axis(self, name: str) -> AxisHoldOut:
        """Return what was found on an axis.

        Raises
        ------
        ParameterError
            If there is none of this name.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        known = ", ".join(axis.name for axis in self.axes)
        raise ParameterError(f"no axis {name!r} was held out; there are {known}")

    @property
    def probabilities(self) -> dict[tuple[str, str], dict[str, float]]:
        """(axis, label) -> paper key -> probability of the label by models that did not see it.

        Labels that could not be tested, and the combined cells, are left out.
        """
        return {
            (axis.name, label): dict(
                zip(axis.problem.cover.paper_keys, axis.probabilities[:, j].tolist(), strict=True)
            )
            for axis in self.axes
            if axis.name != CELLS
            for j, label in enumerate(axis.problem.label_names)
        }
