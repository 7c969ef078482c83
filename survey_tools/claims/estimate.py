"""A number that an experiment found, with its interval."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import betaincinv

from survey_tools.errors import DataError
from survey_tools.mae.repeats import summarise_repeats

__all__ = ["Estimate", "count_exactly", "estimate_mean", "estimate_share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A statistic of an experiment.

    Attributes
    ----------
    name : str
        As rules name it.
    value : float
    low, high : float or None
        Interval; both equal the value where it was counted, None where one seed was run, which
        says nothing of the spread.
    n : int
        Seeds behind it.
    is_counted : bool
        Whether it was counted, so that no other seed could change it.
    unit : str
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    is_counted: bool
    unit: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise DataError(f"{self.name} is {self.value}; a finite number is wanted")


def count_exactly(name: str, value: float, *, unit: str = "") -> Estimate:
    """Make an estimate of what was counted."""
    return Estimate(name=name, value=value, low=value, high=value, n=1, is_counted=True, unit=unit)


def estimate_mean(
    name: str, values: Iterable[float], *, unit: str = "", confidence: float = 0.95
) -> Estimate:
    """Make an estimate of the mean over seeds, with Student's t interval.

    Raises
    ------
    ParameterError
        If there are no values, or one is not finite.
    """
    found = summarise_repeats(values, confidence=confidence)
    return Estimate(
        name=name,
        value=found.mean,
        low=found.low,
        high=found.high,
        n=len(found.values),
        is_counted=False,
        unit=unit,
    )


def estimate_share(name: str, happened: Sequence[bool], *, confidence: float = 0.95) -> Estimate:
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
    tail = (1.0 - confidence) / 2.0
    return Estimate(
        name=name,
        value=k / n,
        low=float(betaincinv(k, n - k + 1, tail)) if k else 0.0,
        high=float(betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0,
        n=n,
        is_counted=False,
    )
