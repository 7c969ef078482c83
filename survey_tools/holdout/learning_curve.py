"""How well labels are told from few training papers, and from more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from survey_tools.errors import ParameterError
from survey_tools.holdout.folds import Folds, stratify
from survey_tools.holdout.material import Material
from survey_tools.holdout.scores import f1_measures
from survey_tools.progress import ignore_progress

__all__ = ["CurvePoint", "measure_curve"]

_FEWEST = 4  # papers to learn from: two to fit, two to calibrate


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Macro F1 of models of some of the training papers.

    Attributes
    ----------
    share : float
        Share of the training papers of each fold that was learnt from, up to 1.
    n_training : float
        Mean number of papers learnt from.
    macro_f1 : float
        Mean over folds.
    low, high : float or None
        Interval of the mean (Student's t over folds, inside 0 to 1); None for a single fold.
        Folds share training papers, so it is too narrow rather than too wide [1]_.
    n_folds : int
        Folds in which something could be learnt and tested.

    References
    ----------
    .. [1] Bengio and Grandvalet, "No unbiased estimator of the variance of k-fold
       cross-validation", JMLR 5 (2004), 1089-1105.
    """

    share: float
    n_training: float
    macro_f1: float
    low: float | None
    high: float | None
    n_folds: int


def measure_curve(
    material: Material,
    folds: Folds,
    penalties: Sequence[NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    tick: Callable[[], None] = ignore_progress,
) -> tuple[CurvePoint, ...]:
    """Learn from growing shares of each fold's training papers; test on the fold.

    The shares are nested: what was learnt from stays. Each is stratified. Terms, weights,
    calibration and threshold are learnt from the share alone; the penalty is the one that all
    training papers of the fold chose.

    Parameters
    ----------
    penalties : sequence of ndarray of float64, shape (n_labels,)
        Of each fold.
    tick : callable, optional
        Called after every fold.

    Returns
    -------
    tuple of CurvePoint
        With growing share; a share from which nothing could be learnt is left out.
    """
    n_steps = material.settings.n_curve_steps
    scores: list[list[float]] = [[] for _ in range(n_steps)]
    sizes: list[list[int]] = [[] for _ in range(n_steps)]
    for fold in range(folds.n_folds):
        training, held_out = folds.split(fold)
        for step, chosen in enumerate(_nested_shares(material, training, n_steps, rng)):
            macro = _test(material, chosen, held_out, penalties[fold], rng)
            if np.isfinite(macro):
                scores[step].append(macro)
                sizes[step].append(len(chosen))
        tick()
    return tuple(
        _summarise((step + 1) / n_steps, sizes[step], scores[step], material.settings.confidence)
        for step in range(n_steps)
        if scores[step]
    )


def _nested_shares(
    material: Material, training: NDArray[np.intp], n_steps: int, rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Return growing stratified shares of the training papers; none where papers are too few."""
    if len(training) < n_steps:
        return []
    if n_steps < 2:
        return [training] * n_steps
    keys = tuple(material.counts.paper_keys[i] for i in training)
    steps = stratify(material.problem.cover.restrict(keys), n_steps, rng).codes
    return [training[steps <= step] for step in range(n_steps)]


def _test(
    material: Material,
    chosen: NDArray[np.intp],
    held_out: NDArray[np.intp],
    penalties: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Return the macro F1 on the papers held out; NaN where nothing can be learnt or tested."""
    if len(chosen) < _FEWEST:
        return np.nan
    try:
        learnt = material.learn(chosen, rng, penalties=penalties)
    except ParameterError:  # so few papers may hold no term within the limits
        return np.nan
    given = learnt.model.decide(learnt.space.place(material.counts.matrix[held_out]))
    measured = f1_measures(
        np.ones((1, len(held_out))),
        material.problem.members[held_out],
        given[None].astype(np.float64),
        material.problem.label_names,
    )
    return float(measured["macro F1", ""][0])


def _summarise(
    share: float, sizes: list[int], scores: list[float], confidence: float
) -> CurvePoint:
    n_folds = len(scores)
    mean = float(np.mean(scores))
    low = high = None
    if n_folds > 1:
        reach = student.ppf((1.0 + confidence) / 2.0, n_folds - 1)
        half = float(reach * np.std(scores, ddof=1) / np.sqrt(n_folds))
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    return CurvePoint(
        share=share,
        n_training=float(np.mean(sizes)),
        macro_f1=mean,
        low=low,
        high=high,
        n_folds=n_folds,
    )
