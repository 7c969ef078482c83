"""Few labels: the linear probe or neighbours on some training images a class, drawn anew."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.probe_data import ProbeData
from survey_tools.mae.probes import score_linear
from survey_tools.mae.repeats import Repeats, summarise_repeats

__all__ = ["draw_at_most", "draw_few", "score_few_labels"]

Score = Callable[[ProbeData, int], float]
"""Called as ``score(data, seed)``; returns an accuracy."""


def draw_few(
    labels: NDArray[np.integer], n_per_class: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw equally many images of each class without replacement; their rows, rising.

    Raises
    ------
    ParameterError
        If a class has fewer images than asked, or fewer than one is asked for.
    """
    if n_per_class < 1:
        raise ParameterError(f"n_per_class must be 1 or more; {n_per_class} arrived")
    drawn = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < n_per_class:
            raise ParameterError(
                f"class {label} has {len(members)} training images, fewer than n_per_class "
                f"{n_per_class}"
            )
        drawn.append(rng.choice(members, n_per_class, replace=False))
    return np.sort(np.concatenate(drawn))


def draw_at_most(
    labels: NDArray[np.integer], n_most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw some images without replacement, from all classes as evenly as they allow.

    Parameters
    ----------
    labels : ndarray of int, shape (n_images,)
    n_most : int
        Images that are drawn; all, if there are no more.

    Returns
    -------
    ndarray of int, shape (min(n_images, n_most),)
        Their rows, rising.
    """
    if len(labels) <= n_most:
        return np.arange(len(labels))
    drawn = rng.permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    _, firsts, sizes = np.unique(labels[by_class], return_index=True, return_counts=True)
    turns = np.arange(len(labels)) - np.repeat(firsts, sizes)  # 0 for the first of each class
    return np.sort(by_class[np.argsort(turns, kind="stable")][:n_most])


def score_few_labels(
    data: ProbeData,
    *,
    n_per_class: int,
    n_draws: int = 10,
    seed: int,
    score: Score | None = None,
    confidence: float = 0.95,
) -> Repeats:
    """Train on few labels a class, several times, and test on all test images.

    Draw i is keyed by (seed, n_per_class, i), so that more draws move none, and encoders are
    compared on the same images.

    Parameters
    ----------
    score : callable, optional
        Accuracy of a probe; of `survey_tools.mae.probes.score_linear` unless given.

    Returns
    -------
    Repeats
        Accuracy of each draw, their mean and its interval over draws.

    Raises
    ------
    ParameterError
        If a class has too few images, or there are no draws.
    """
    if n_draws < 1:
        raise ParameterError(f"n_draws must be 1 or more; {n_draws} arrived")
    score = score or _score_linear
    accuracies = []
    for i_draw in range(n_draws):
        rng = np.random.default_rng([seed, n_per_class, i_draw])
        rows = draw_few(data.train_labels, n_per_class, rng)
        few = replace(data, train=data.train[rows], train_labels=data.train_labels[rows])
        accuracies.append(score(few, int(rng.integers(2**31))))
    return summarise_repeats(accuracies, confidence=confidence)


def _score_linear(data: ProbeData, seed: int) -> float:
    return score_linear(data, seed=seed).accuracy
