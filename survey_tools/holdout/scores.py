"""F1, precision, recall and ranking of labels, with intervals from resampled papers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "Measures", "bootstrap", "estimate", "f1_measures", "ranking_measures"]

_BLOCK_BYTES = 64_000_000  # of the weights of resamples that are looked at at once

Measures = dict[tuple[str, ...], NDArray[np.float64]]
"""(measure, label) -> value in every resample; label "" for all labels together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval; NaN, with no bounds, where it is not defined."""

    value: float
    low: float | None
    high: float | None


def bootstrap(
    measure: Callable[[NDArray[np.float64]], Measures],
    n_papers: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> Measures:
    """Measure the papers as they are, then resamples of them with replacement.

    Parameters
    ----------
    measure : callable
        Takes how often each paper stands in each resample, shape (n_some, n_papers); returns
        measures, each of shape (n_some,).

    Returns
    -------
    Measures
        Each of shape (1 + n_resamples,); the first value is that of the papers as they are.

    References
    ----------
    .. [1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    parts = [measure(np.ones((1, n_papers)))]
    at_once = max(1, _BLOCK_BYTES // (8 * n_papers))
    for first in range(0, n_resamples, at_once):
        n_some = min(at_once, n_resamples - first)
        drawn = rng.multinomial(n_papers, np.full(n_papers, 1.0 / n_papers), size=n_some)
        parts.append(measure(drawn.astype(np.float64)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def estimate(samples: NDArray[np.float64], confidence: float) -> Estimate:
    """Turn a value and its resamples into an estimate with a percentile interval.

    Resamples in which the value is not defined are left out. The interval is widened to hold
    the value, if need be.

    Parameters
    ----------
    samples : ndarray of float64, shape (1 + n_resamples,)
        See `bootstrap`.
    """
    value, resampled = float(samples[0]), samples[1:][np.isfinite(samples[1:])]
    if not np.isfinite(value) or not len(resampled):
        return Estimate(value=value, low=None, high=None)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Estimate(value=value, low=min(value, float(low)), high=max(value, float(high)))


def f1_measures(
    weights: NDArray[np.float64],
    members: NDArray[np.bool_],
    given: NDArray[np.float64],
    label_names: tuple[str, ...],
) -> Measures:
    """Measure how well labels were given: precision, recall and F1 of each, macro and micro F1.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_resamples, n_papers)
        How often each paper stands in each resample.
    members : ndarray of bool, shape (n_papers, n_labels)
    given : ndarray of float64, shape (n_repeats, n_papers, n_labels)
        Whether a label was given, 0 or 1; in between where it is given by lot, and then counts
        are expected counts. Measures are means over repeats.

    Returns
    -------
    Measures
        NaN where a label stands at no paper of a resample, and for the precision of a label
        that is never given. Macro F1 is the mean over the labels that stand at some paper;
        micro F1 pools the counts of all labels.
    """
    n_true = weights @ members  # (n_resamples, n_labels)
    is_there = n_true > 0
    per_repeat = []
    for found in given:
        n_hit = weights @ (members * found)
        n_given = weights @ found
        f1 = _ratio(2.0 * n_hit, n_given + n_true, is_there)
        per_repeat.append(
            (
                _ratio(n_hit, n_given, n_given > 0),
                _ratio(n_hit, n_true, is_there),
                f1,
                _ratio(np.nansum(f1, axis=1), is_there.sum(axis=1), is_there.any(axis=1)),
                _ratio(
                    2.0 * n_hit.sum(axis=1),
                    (n_given + n_true).sum(axis=1),
                    is_there.any(axis=1),
                ),
            )
        )
    precision, recall, f1, macro, micro = (
        _mean(values) for values in zip(*per_repeat, strict=True)
    )
    measured: Measures = {("macro F1", ""): macro, ("micro F1", ""): micro}
    for j, label in enumerate(label_names):
        measured["precision", label] = precision[:, j]
        measured["recall", label] = recall[:, j]
        measured["F1", label] = f1[:, j]
    return measured


def ranking_measures(
    weights: NDArray[np.float64],
    members: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    label_names: tuple[str, ...],
) -> Measures:
    """Measure how often a paper with a label has the greater probability than one without it.

    This is the area under the ROC curve [1]_, 0.5 for no information, of every label and on
    the mean over labels; equal probabilities count one half. It does not depend on where the
    line between giving and not giving a label is drawn.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_repeats, n_papers, n_labels)

    References
    ----------
    .. [1] Hanley and McNeil, Radiology 143 (1982), 29-36.
    """
    areas = _mean(
        [
            np.column_stack(
                [_area(weights, members[:, j], p[:, j]) for j in range(len(label_names))]
            )
            for p in probabilities
        ]
    )
    is_there = np.isfinite(areas)
    measured: Measures = {
        ("AUC", ""): _ratio(np.nansum(areas, axis=1), is_there.sum(axis=1), is_there.any(axis=1))
    }
    return measured | {("AUC", label): areas[:, j] for j, label in enumerate(label_names)}


def _area(
    weights: NDArray[np.float64], is_true: NDArray[np.bool_], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Area under the ROC curve in every resample, shape (n_resamples,)."""
    order = np.argsort(scores, kind="stable")
    steps = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # first of equal scores
    true = np.add.reduceat(weights[:, order] * is_true[order], steps, axis=1)
    false = np.add.reduceat(weights[:, order] * ~is_true[order], steps, axis=1)
    below = np.cumsum(false, axis=1) - false / 2.0
    pairs = true.sum(axis=1) * false.sum(axis=1)
    return _ratio((true * below).sum(axis=1), pairs, pairs > 0)


def _ratio(
    above: NDArray[np.float64],
    below: NDArray[np.floating | np.integer],
    is_defined: NDArray[np.bool_] | np.bool_,
) -> NDArray[np.float64]:
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=is_defined))


def _mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over repeats of what is defined in a repeat."""
    stacked = np.stack(values)
    is_defined = np.isfinite(stacked)
    return _ratio(
        np.where(is_defined, stacked, 0.0).sum(axis=0),
        is_defined.sum(axis=0),
        is_defined.any(axis=0),
    )
