"""Influence: which choices a response depends on, and how much, in numbers and in words."""

from dataclasses import dataclass
from typing import Literal

from survey_tools.errors import ParameterError, count

__all__ = [
    "Estimate",
    "FactorInfluence",
    "Influence",
    "InfluenceMethod",
    "LevelMean",
    "PairInfluence",
]

InfluenceMethod = Literal["grid", "sample", "one at a time", "none"]

_N_SAID = 3  # factors that a sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Share of the variance of a response (1 is all of it), or mean response.

    Attributes
    ----------
    value : float
        NaN where the runs do not tell it. A share estimated from a sample may lie below 0.
    low, high : float
        Interval; the value itself if every combination was run, NaN where there is none.
    """

    value: float
    low: float
    high: float

    @property
    def percent(self) -> str:
        """A share in words, ``61 % (52 to 68)``; what lies below 0 as 0."""
        value, low, high = (_round_percent(x) for x in (self.value, self.low, self.high))
        return f"{value} % ({low} to {high})" if self.low < self.high else f"{value} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelMean:
    """Mean response at one level of a factor, all other factors averaged over their levels.

    Attributes
    ----------
    level : str
    n_runs : int
        Runs with this level.
    mean : Estimate
        Of one-at-a-time runs: with all other factors at their base. No interval for a level
        that a single run of a sample had.
    """

    level: str
    n_runs: int
    mean: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorInfluence:
    """What one factor explains of the response.

    Attributes
    ----------
    factor : str
    first : Estimate
        First-order share: of the factor alone, averaged over the others.
    total : Estimate
        Share with the interactions that the factor takes part in: all of them, or those of
        pairs, as the note of the `Influence` says.
    levels : tuple of LevelMean
        By falling mean.
    """

    factor: str
    first: Estimate
    total: Estimate
    levels: tuple[LevelMean, ...]

    @property
    def n_levels(self) -> int:
        """Number of levels that were run."""
        return len(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairInfluence:
    """Share that two factors explain together beyond what each explains alone."""

    factors: tuple[str, str]
    share: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The variance of a response over runs, split over the factors.

    Attributes
    ----------
    response : str
        What was measured.
    method : {"grid", "sample", "one at a time", "none"}
        How the variance was split; "none" if it could not be.
    note : str
        What the method can tell, or why there is none.
    n_runs, n_combinations : int
        Runs that arrived; combinations of the levels that occur in them.
    variance : float
        Of the responses as they arrived.
    factors : tuple of FactorInfluence
        By falling first-order share.
    pairs : tuple of PairInfluence
        By falling share; of factors with at least two levels. Empty where none can be told.
    unexplained : Estimate
        Share of three or more factors together, and of chance; of two, too, if pairs cannot be
        told.
    confidence : float
        Of the intervals.
    n_draws : int
        On which the intervals rest; 0 if there are none or shares are exact.
    """

    response: str
    method: InfluenceMethod
    note: str
    n_runs: int
    n_combinations: int
    variance: float
    factors: tuple[FactorInfluence, ...]
    pairs: tuple[PairInfluence, ...]
    unexplained: Estimate
    confidence: float
    n_draws: int

    def factor(self, name: str) -> FactorInfluence:
        """Return the factor of this name; ParameterError if there is none."""
        for factor in self.factors:
            if factor.factor == name:
                return factor
        names = ", ".join(factor.factor for factor in self.factors)
        raise ParameterError(f"no factor {name!r}; there are {names}")

    @property
    def sentence(self) -> str:
        """Which choices matter most: ``linkage explains 61 % (52 to 68) of …``."""
        if self.method == "none":
            return f"No choice can be said to matter for {self.response}: {self.note}."
        most, *others = self.factors
        parts = [f"{most.factor} explains {most.first.percent} of the variance of {self.response}"]
        parts += [f"{factor.factor} {factor.first.percent}" for factor in others[: _N_SAID - 1]]
        if last := others[_N_SAID - 1 :]:
            together = _round_percent(sum(factor.first.value for factor in last))
            parts.append(f"{count(len(last), 'other choice')} {together} %")
        said = ", ".join(parts)
        if self.method == "one at a time":
            return f"Around one setting {said}; what choices do together cannot be told."
        more = "what choices do together" if not self.pairs else "what more choices do together"
        if self.pairs:
            both = _round_percent(sum(pair.share.value for pair in self.pairs))
            said += f"; pairs of choices explain {both} %"
        or_chance = "" if self.method == "grid" else ", or chance,"
        return f"{said}; {more}{or_chance} explains {self.unexplained.percent}."


def _round_percent(share: float) -> str:
    return f"{100.0 * max(share, 0.0):.0f}"
