"""What models say of papers that they did not see, fold by fold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.holdout.baselines import GUESSES, NearestCluster, cluster_papers, guess
from survey_tools.holdout.folds import Folds, stratify
from survey_tools.holdout.material import Learnt, Material
from survey_tools.settings import ClusteringSettings

__all__ = ["LINEAR", "NEAREST", "ClusterChoice", "Predictions", "predict"]

LINEAR = "linear model"
NEAREST = "nearest cluster"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterChoice:
    """How training papers are clustered for the nearest-cluster baseline.

    Attributes
    ----------
    vectors : ndarray of float64, shape (n_papers, n_dimensions), or None
        What is clustered instead of terms.
    seed : int
        Of the latent semantic analysis.
    """

    settings: ClusteringSettings
    vectors: NDArray[np.float64] | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """What all models said of papers that they did not see.

    Arrays of float64, shape (n_repeats, n_papers, n_labels).

    Attributes
    ----------
    probabilities : ndarray
        Of the linear model.
    shares : ndarray
        Share of the training papers that carry the label.
    given : mapping of model to ndarray
        1 where a label was given, 0 where not, in between where it is given by lot.
    folds : Folds
        Of the first repeat.
    penalties : tuple of ndarray of float64, shape (n_labels,)
        Those that the linear models of the first repeat chose, fold by fold.
    """

    probabilities: NDArray[np.float64]
    shares: NDArray[np.float64]
    given: dict[str, NDArray[np.float64]]
    folds: Folds
    penalties: tuple[NDArray[np.float64], ...]


def predict(
    material: Material,
    choice: ClusterChoice,
    key: tuple[int, int],
    *,
    tick: Callable[[], None],
) -> Predictions:
    """Hold every paper out once a repeat and predict it by all models.

    Parameters
    ----------
    key : tuple of int
        Repeat ``r`` draws from ``default_rng([*key, r])``.
    tick : callable
        Called after every fold.
    """
    problem, settings = material.problem, material.settings
    shape = (settings.n_repeats, *problem.members.shape)
    probabilities, shares = np.empty(shape), np.empty(shape)
    guesses = [how for how in GUESSES if how != "every label" or not problem.is_exclusive]
    given = {model: np.empty(shape) for model in (LINEAR, NEAREST, *guesses)}
    dealt, penalties = [], []
    for repeat in range(settings.n_repeats):
        rng = np.random.default_rng([*key, repeat])
        folds = stratify(problem.cover, settings.n_folds, rng)
        dealt.append(folds)
        for fold in range(folds.n_folds):
            training, held_out = folds.split(fold)
            learnt = material.learn(training, rng)
            rows = learnt.space.place(material.counts.matrix[held_out])
            members = problem.members[training]
            probabilities[repeat, held_out] = learnt.model.probabilities(rows)
            shares[repeat, held_out] = members.mean(axis=0)
            given[LINEAR][repeat, held_out] = learnt.model.decide(rows)
            nearest = _nearest_cluster(choice, learnt, training, members)
            given[NEAREST][repeat, held_out] = nearest.decide(
                rows if choice.vectors is None else choice.vectors[held_out]
            )
            for how in guesses:
                given[how][repeat, held_out] = guess(
                    how, members, is_exclusive=problem.is_exclusive
                )
            if repeat == 0:
                penalties.append(learnt.model.penalties)
            tick()
    return Predictions(
        probabilities=probabilities,
        shares=shares,
        given=given,
        folds=dealt[0],
        penalties=tuple(penalties),
    )


def _nearest_cluster(
    choice: ClusterChoice,
    learnt: Learnt,
    training: NDArray[np.intp],
    members: NDArray[np.bool_],
) -> NearestCluster:
    vectors = None if choice.vectors is None else choice.vectors[training]
    codes = cluster_papers(
        learnt.space, learnt.rows, choice.settings, seed=choice.seed, vectors=vectors
    )
    return NearestCluster.from_clusters(codes, learnt.rows if vectors is None else vectors, members)
