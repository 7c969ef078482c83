"""Rules: how an estimate decides a claim. No verdict is ever written by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from survey_tools.claims.estimate import CONFIDENCE, Estimate, Interval
from survey_tools.errors import DataError

__all__ = ["VERDICTS", "Comparison", "Decision", "Rule", "Verdict", "decide", "join_verdicts"]

Comparison = Literal["above", "at least", "below", "at most", "within", "apart"]
Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive", "not run")


class Rule(BaseModel):
    """What a claim says of one statistic."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    statistic: Annotated[str, Field(min_length=1)]
    """Name of a number that the experiment finds."""
    comparison: Comparison
    """Where the claim says the number lies: above, at least, below or at most the threshold, or
    within the margin of it, or apart from it by more than the margin, on whichever side."""
    threshold: float
    """Number that it is compared with, in the statistic's unit."""
    margin: Annotated[float, Field(ge=0.0)] = 0.0
    """Difference from the threshold that is too small to matter: an interval that reaches into
    this zone on either side decides nothing. With within, half the width of what is claimed."""

    @property
    def words(self) -> str:
        """The rule in words, such as "k-NN digit: mae less random above 0 (± 0.005)"."""
        margin = f" (± {self.margin:g})" if self.margin else ""
        return f"{self.statistic} {self.comparison} {self.threshold:g}{margin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule says of an estimate."""

    rule: Rule
    estimate: Estimate
    verdict: Verdict
    reason: str


def decide(
    rule: Rule,
    estimates: Mapping[str, Estimate],
    *,
    confidence: float = CONFIDENCE,
    n_rules: int = 1,
) -> Decision:
    """Apply a rule to the estimate that it names.

    ========  ===============================  ==================================
    claimed   supported if the interval lies   contradicted if the interval lies
    ========  ===============================  ==================================
    above     above threshold + margin         at or below threshold - margin
    at least  at or above threshold + margin   below threshold - margin
    below     below threshold - margin         at or above threshold + margin
    at most   at or below threshold - margin   above threshold + margin
    within    inside threshold +- margin,      wholly outside of it
              its ends included
    apart     wholly outside threshold +-      inside it, its ends included
              margin
    ========  ===============================  ==================================

    Anything else is inconclusive, and so is an estimate whose spread is not known.

    Parameters
    ----------
    confidence : float
        Level of the interval.
    n_rules : int
        Rules of the claim. All must hold, so that support needs no correction; but one that
        fails is enough, so that to contradict the interval is widened to the level
        1 - (1 - confidence) / n_rules (Bonferroni).

    Raises
    ------
    DataError
        If the experiment did not find the statistic.
    """
    if rule.statistic not in estimates:
        raise DataError(f"the experiment found no statistic {rule.statistic!r}")
    estimate = estimates[rule.statistic]
    interval = estimate.interval(confidence)
    wide = estimate.interval(1.0 - (1.0 - confidence) / n_rules)
    verdict: Verdict = "inconclusive"
    if interval is None or wide is None:
        reason = (
            "one seed says nothing of the spread over seeds"
            if estimate.n == 1
            else f"all {estimate.n} seeds gave the same value, which says nothing of the spread"
        )
    else:
        if _compare(rule, interval) == "supported":
            verdict = "supported"
        elif _compare(rule, wide) == "contradicted":
            verdict = "contradicted"
        reason = _explain(rule, verdict)
        if verdict == "inconclusive" and _compare(rule, interval) == "contradicted":
            reason += f", once widened for the {n_rules} rules of the claim"
    return Decision(rule=rule, estimate=estimate, verdict=verdict, reason=reason)


def _compare(rule: Rule, interval: Interval) -> Verdict:
    low, high = interval
    lower, upper = rule.threshold - rule.margin, rule.threshold + rule.margin
    is_supported, is_contradicted = {
        "above": (low > upper, high <= lower),
        "at least": (low >= upper, high < lower),
        "below": (high < lower, low >= upper),
        "at most": (high <= lower, low > upper),
        "within": (lower <= low and high <= upper, high < lower or low > upper),
        "apart": (high < lower or low > upper, lower <= low and high <= upper),
    }[rule.comparison]
    if is_supported:
        return "supported"
    return "contradicted" if is_contradicted else "inconclusive"


def _explain(rule: Rule, verdict: Verdict) -> str:
    zone = f"{rule.threshold:g}"
    if rule.margin:
        zone += f" ± {rule.margin:g}"
    if rule.comparison in ("within", "apart"):
        is_inside = (verdict == "supported") == (rule.comparison == "within")
        place = (
            "partly outside" if verdict == "inconclusive" else "inside" if is_inside else "outside"
        )
        return f"the interval lies {place} {zone}"
    wants_more = rule.comparison in ("above", "at least")
    if verdict == "inconclusive":
        return f"the interval is not clear of {zone}"
    side = "above" if wants_more == (verdict == "supported") else "below"
    return (
        f"the whole interval lies at or {side} {zone}"
        if not rule.margin
        else (f"the whole interval lies {side} {zone}")
    )


def join_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """Join the verdicts of a claim's rules: all must hold, and one that fails is enough.

    Raises
    ------
    DataError
        If there is none.
    """
    if not verdicts:
        raise DataError("a claim without a rule has no verdict")
    for verdict in ("contradicted", "not run", "inconclusive"):
        if verdict in verdicts:
            return verdict
    return "supported"
