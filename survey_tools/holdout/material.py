"""What models learn from: the counted terms and the labels of papers, and the settings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.holdout.folds import stratify
from survey_tools.holdout.model import LinearModel, fit_model
from survey_tools.holdout.problem import Problem
from survey_tools.holdout.space import TermSpace, learn_space
from survey_tools.settings import HoldoutSettings, TextSettings
from survey_tools.text import Counts

__all__ = ["Learnt", "Material"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """A model with the terms that it knows.

    Attributes
    ----------
    rows : csr_array of float64, shape (n_training, n_terms)
        Weighted terms of the papers learnt from.
    """

    space: TermSpace
    model: LinearModel
    rows: sparse.csr_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """Labels and counted terms of the papers that models learn from and are tested on.

    Attributes
    ----------
    problem : Problem
    counts : Counts
        Of the papers of the problem in their order (sorted by key), without limits; others may
        follow.
    """

    problem: Problem
    counts: Counts
    text: TextSettings
    settings: HoldoutSettings

    def learn(
        self,
        training: NDArray[np.intp],
        rng: np.random.Generator,
        *,
        penalties: NDArray[np.float64] | None = None,
    ) -> Learnt:
        """Learn terms, weights, calibration and thresholds from training papers alone.

        Parameters
        ----------
        training : ndarray of int, shape (n_training,)
            Places of two papers or more.
        rng : Generator
            Deals the training papers to inner folds.
        penalties : ndarray of float64, shape (n_labels,), optional
            Penalty of each label; chosen from the settings' by default.

        Raises
        ------
        ParameterError
            If the document-frequency limits leave the training papers no term.
        """
        cover = self.problem.cover.restrict(self.counts.paper_keys[i] for i in training)
        inner = stratify(cover, min(self.settings.n_inner_folds, len(training)), rng)
        space = learn_space(self.counts, training, self.text)
        rows = space.place(self.counts.matrix[training])
        model = fit_model(
            rows,
            cover.members,
            inner.codes,
            penalties=self.settings.penalties if penalties is None else penalties,
            is_exclusive=self.problem.is_exclusive,
        )
        return Learnt(space=space, model=model, rows=rows)
