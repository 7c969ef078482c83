"""A number that an experiment found, with its interval at any level."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from scipy.special import betaincinv

from survey_tools.errors import DataError
from survey_tools.mae.repeats import summarise_repeats

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "FindInterval",
    "Interval",
    "count_exactly",
    "estimate_mean",
    "estimate_share",
    "take_extreme",
]

CONFIDENCE = 0.95
"""Level of the intervals that are shown."""

Interval = tuple[float, float]
FindInterval = Callable[[float], Interval | None]
"""Called with a level between 0 and 1; None where the spread is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A statistic of an experiment.

    Attributes
    ----------
    name : str
        As rules name it.
    value : float
    n : int
        Seeds behind it.
    is_counted : bool
        Whether it was counted, so that no other seed could change it.
    interval : callable
    unit : str
    """

    name: str
    value: float
    n: int
    is_counted: bool
    interval: FindInterval = field(compare=False, repr=False)
    unit: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise DataError(f"{self.name} is {self.value}; a finite number is wanted")

    @property
    def low(self) -> float | None:
        """Lower end of the interval that is shown; None where the spread is not known."""
        found = self.interval(CONFIDENCE)
        return found[0] if found else None

    @property
    def high(self) -> float | None:
        """Upper end of the interval that is shown; None where the spread is not known."""
        found = self.interval(CONFIDENCE)
        return found[1] if found else None


def count_exactly(name: str, value: float, *, unit: str = "") -> Estimate:
    """Make an estimate of what was counted."""
    return Estimate(
        name=name, value=value, n=1, is_counted=True, interval=lambda _: (value, value), unit=unit
    )


def take_extreme(name: str, value: float, *, n: int) -> Estimate:
    """Make an estimate of the least or greatest value over all seeds: it, and no interval.

    For what must hold without exception, such as a gradient that is exactly 0.

    Parameters
    ----------
    n : int
        Values that it is the extreme of.
    """
    return Estimate(
        name=name, value=value, n=n, is_counted=False, interval=lambda _: (value, value)
    )


def estimate_mean(
    name: str, values: Iterable[float], *, unit: str = "", test_per_train: float = 0.0
) -> Estimate:
    """Make an estimate of the mean over seeds, with Student's t interval.

    The interval is not known of one seed, nor where all seeds gave the same value: a score that
    has reached its end, or a count of few images, says nothing of its spread then.

    Parameters
    ----------
    test_per_train : float
        See `survey_tools.mae.repeats.summarise_repeats`.

    Raises
    ------
    ParameterError
        If there are no values, or one is not finite.
    """
    values = tuple(values)
    found = summarise_repeats(values, confidence=CONFIDENCE)

    def interval(confidence: float) -> Interval | None:
        if len(set(values)) == 1:
            return None
        at = summarise_repeats(values, confidence=confidence, test_per_train=test_per_train)
        return None if at.low is None or at.high is None else (at.low, at.high)

    return Estimate(
        name=name, value=found.mean, n=len(values), is_counted=False, interval=interval, unit=unit
    )


def estimate_share(name: str, happened: Sequence[bool]) -> Estimate:
    """Make an estimate of how often something happens, with Clopper and Pearson's interval.

    Of few seeds it is wide even where all agree: three of three leave 0.29 to 1.

    Raises
    ------
    DataError
        If there are no seeds.

    References
    ----------
    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the
       case of the binomial", Biometrika 26 (1934).
    """
    n, k = len(happened), sum(happened)
    if not n:
        raise DataError(f"{name}: a share needs one seed or more; none arrived")

    def interval(confidence: float) -> Interval:
        tail = (1.0 - confidence) / 2.0
        return (
            float(betaincinv(k, n - k + 1, tail)) if k else 0.0,
            float(betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0,
        )

    return Estimate(name=name, value=k / n, n=n, is_counted=False, interval=interval)
