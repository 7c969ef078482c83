"""Evaluation: from trained encoders to the scores of all probes, with intervals over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.features import Pooling
from survey_tools.mae.few_labels import draw_at_most, score_few_labels
from survey_tools.mae.image_set import Factors
from survey_tools.mae.knn import score_neighbours
from survey_tools.mae.probe_data import ProbeData
from survey_tools.mae.probes import Fit, fit_by_sklearn, score_linear
from survey_tools.mae.repeats import Repeats, summarise_repeats
from survey_tools.mae.ridge import score_ridge

__all__ = [
    "SOLVERS",
    "ProbeScore",
    "ProbeSettings",
    "Solver",
    "draw_rows",
    "evaluate_features",
    "summarise",
]

Solver = Literal["scikit-learn", "torch"]
SOLVERS: tuple[Solver, ...] = get_args(Solver)
"""Of the linear probe; they agree, and the second runs on GPUs too."""


_ROWS = 1  # part of the key of the drawn images, which folds lack


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """How encoders are probed, the same for all.

    Attributes
    ----------
    pooling : {"mean", "cls", "both"}
        Of an encoder's tokens.
    factors : tuple of str or None
        Classes and quantities to be told; None for all.
    n_per_class, n_draws : int
        Labels a class of the few-label probe, and how often they are drawn.
    n_neighbours : int
        Of the k-NN probe; fewer if there are fewer images.
    most_train : int
        Images that probes are trained on at most, drawn from all classes as evenly as they allow.
    solver : {"scikit-learn", "torch"}
        Of the linear probes.
    seed : int
        Of folds and draws.
    """

    pooling: Pooling = "mean"
    factors: tuple[str, ...] | None = None
    n_per_class: int = 20
    n_draws: int = 5
    n_neighbours: int = 20
    most_train: int = 10_000
    solver: Solver = "scikit-learn"
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeScore:
    """One probe of one encoder.

    Attributes
    ----------
    probe : {"linear", "few labels", "k-NN", "ridge", "fine-tune", "fine-tune, few labels"}
    factor : str
        What is told: a class by name, or for ridge a quantity.
    measure : {"accuracy", "R2"}
    value : float
        Share of test images told right; or of the variance explained.
    """

    probe: str
    factor: str
    measure: str
    value: float


def draw_rows(factors: Factors, settings: ProbeSettings) -> NDArray[np.intp]:
    """Draw the training images that probes are trained on, by their first factor with classes.

    Returns
    -------
    ndarray of int, shape (n_drawn,)
        Their rows, rising.
    """
    known = (*factors.labels.values(), *factors.quantities.values())
    labels = next(iter(factors.labels.values()), np.zeros(len(known[0]), dtype=np.intp))
    return draw_at_most(labels, settings.most_train, np.random.default_rng([settings.seed, _ROWS]))


def evaluate_features(
    train_features: NDArray[np.floating],
    train: Factors,
    test_features: NDArray[np.floating],
    test: Factors,
    *,
    settings: ProbeSettings | None = None,
) -> tuple[ProbeScore, ...]:
    """Run all probes on features: of an encoder, or pixels laid flat.

    Classes are told by a linear probe, the same on few labels, and nearest neighbours;
    quantities by ridge regression. The few-label probe is left out where a class has fewer
    images than it takes.

    Parameters
    ----------
    train_features, test_features : ndarray of float, shape (n_images, dim)
        In the order of the images.
    train, test : Factors
        What is known of them.

    Raises
    ------
    ParameterError
        If a factor is not known to the images.
    DataError
        If features are not finite, or classes cannot be told apart.
    """
    settings = settings or ProbeSettings()
    factors = settings.factors or (*train.labels, *train.quantities)
    scores: list[ProbeScore] = []
    for factor in factors:
        if factor in train.labels:
            data = ProbeData(
                train=train_features,
                train_labels=train.labels[factor],
                test=test_features,
                test_labels=test.labels[factor],
            )
            scores += _score_classes(data, factor, settings)
        elif factor in train.quantities:
            ridge = score_ridge(
                train_features, train.quantities[factor], test_features, test.quantities[factor]
            )
            scores.append(ProbeScore(probe="ridge", factor=factor, measure="R2", value=ridge.r2))
        else:
            known = ", ".join((*train.labels, *train.quantities))
            raise ParameterError(f"{train.name} has no factor {factor!r}; there are: {known}")
    return tuple(scores)


def _score_classes(data: ProbeData, factor: str, settings: ProbeSettings) -> list[ProbeScore]:
    n_neighbours = min(settings.n_neighbours, len(data.train))
    fit = _find_solver(settings.solver)
    found = {
        "linear": score_linear(data, seed=settings.seed, fit=fit).accuracy,
        "k-NN": score_neighbours(data, n_neighbours=n_neighbours).accuracy,
    }
    if int(np.bincount(data.train_codes).min()) >= settings.n_per_class:
        few = score_few_labels(
            data,
            n_per_class=settings.n_per_class,
            n_draws=settings.n_draws,
            seed=settings.seed,
            score=lambda drawn, seed: score_linear(drawn, seed=seed, fit=fit).accuracy,
        )
        found["few labels"] = few.mean
    return [
        ProbeScore(probe=probe, factor=factor, measure="accuracy", value=found[probe])
        for probe in ("linear", "few labels", "k-NN")
        if probe in found
    ]


def _find_solver(name: str) -> Fit:
    if name not in SOLVERS:
        raise ParameterError(f"solver={name!r}: one of {', '.join(SOLVERS)} is wanted")
    if name == "scikit-learn":
        return fit_by_sklearn
    from survey_tools.mae.torch_probe import fit_by_torch

    return fit_by_torch


def summarise(
    runs: Sequence[Sequence[ProbeScore]], *, confidence: float = 0.95
) -> dict[tuple[str, str, str], Repeats]:
    """Average the scores of encoders that differ in their seed alone.

    Parameters
    ----------
    runs : sequence
        The scores of each encoder, by `evaluate_features` with the same settings.

    Returns
    -------
    dict
        Mean and interval over seeds by (probe, factor, measure), in the order of the first run.

    Raises
    ------
    ParameterError
        If there are no runs, or they were probed otherwise.
    """
    if not runs:
        raise ParameterError("a mean over seeds needs one encoder or more; none arrived")
    found = [{(s.probe, s.factor, s.measure): s.value for s in scores} for scores in runs]
    for other in found[1:]:
        if set(other) != set(found[0]):
            differing = sorted({key[:2] for key in set(other) ^ set(found[0])})
            raise ParameterError(
                f"encoders were probed otherwise: {differing[0][0]} of {differing[0][1]} is not "
                "there for all; probe all with the same settings"
            )
    return {
        key: summarise_repeats((run[key] for run in found), confidence=confidence)
        for key in found[0]
    }
