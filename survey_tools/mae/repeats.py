"""Means over repeats (seeds, draws of labels) with their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from survey_tools.errors import ParameterError

__all__ = ["Repeats", "compare_repeats", "summarise_repeats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """The same measure over repeats.

    Attributes
    ----------
    values : tuple of float
        Of each repeat, in order.
    mean : float
    low, high : float or None
        Interval of the mean; None for a single repeat, which says nothing of the spread.
    confidence : float
        Level of the interval.
    """

    values: tuple[float, ...]
    mean: float
    low: float | None
    high: float | None
    confidence: float


def summarise_repeats(
    values: Iterable[float], *, confidence: float = 0.95, test_per_train: float = 0.0
) -> Repeats:
    """Return the mean over repeats with Student's t interval.

    The interval supposes repeats that are about normal. It says how far another set of repeats
    might lie, of the same data: not how far other data might.

    Parameters
    ----------
    test_per_train : float
        Where each repeat splits the same images anew: test images per training image. Repeats
        are then not independent, and the interval is widened as Nadeau and Bengio say: the
        variance of the mean is s^2 (1/n + test_per_train). 0 for repeats that share nothing.

    Raises
    ------
    ParameterError
        If there are no repeats, a value is not finite, or the level is not between 0 and 1.

    References
    ----------
    .. [1] Student, "The probable error of a mean", Biometrika 6 (1908).
    .. [2] Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52
       (2003), section 4.
    """
    values = tuple(float(value) for value in values)
    if test_per_train < 0.0:
        raise ParameterError(f"test_per_train must be 0 or more; {test_per_train} arrived")
    if not 0.0 < confidence < 1.0:
        raise ParameterError(f"confidence must lie between 0 and 1; {confidence} arrived")
    if not values:
        raise ParameterError("a mean over repeats needs one repeat or more; none arrived")
    if not np.isfinite(values).all():
        raise ParameterError(
            f"a mean over repeats needs finite values; {', '.join(map(str, values))} arrived"
        )
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Repeats(values=values, mean=mean, low=None, high=None, confidence=confidence)
    spread = float(np.std(values, ddof=1) * np.sqrt(1.0 / n + test_per_train))
    half = float(stdtrit(n - 1, (1.0 + confidence) / 2.0)) * spread
    return Repeats(
        values=values, mean=mean, low=mean - half, high=mean + half, confidence=confidence
    )


def compare_repeats(first: Repeats, second: Repeats) -> Repeats:
    """Return the differences first - second, repeat by repeat (same seed, same place).

    Raises
    ------
    ParameterError
        If there are not equally many repeats at the same level.
    """
    if len(first.values) != len(second.values) or first.confidence != second.confidence:
        raise ParameterError(
            f"{len(first.values)} repeats at {first.confidence} cannot be compared one by one with "
            f"{len(second.values)} at {second.confidence}; run both with the same seeds"
        )
    return summarise_repeats(
        (a - b for a, b in zip(first.values, second.values, strict=True)),
        confidence=first.confidence,
    )
