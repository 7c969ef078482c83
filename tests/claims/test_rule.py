"""Rules: what an interval decides, at the boundaries too."""

import pytest

from survey_tools.claims.estimate import Estimate, count_exactly, estimate_mean, estimate_share
from survey_tools.claims.rule import Comparison, Rule, Verdict, decide, join_verdicts
from survey_tools.errors import DataError, ParameterError


def make(low: float, high: float) -> dict[str, Estimate]:
    return {
        "x": Estimate(
            name="x",
            value=(low + high) / 2,
            n=3,
            is_counted=False,
            interval=lambda _: (low, high),
        )
    }


# threshold 2, margin 0.5: the zone is 1.5 to 2.5
CASES: list[tuple[Comparison, float, float, Verdict]] = [
    ("above", 2.6, 3.0, "supported"),
    ("above", 2.5, 3.0, "inconclusive"),
    ("above", 1.0, 1.5, "contradicted"),
    ("above", 1.0, 1.6, "inconclusive"),
    ("at least", 2.5, 3.0, "supported"),
    ("at least", 2.4, 3.0, "inconclusive"),
    ("at least", 1.0, 1.4, "contradicted"),
    ("at least", 1.0, 1.5, "inconclusive"),
    ("below", 1.0, 1.4, "supported"),
    ("below", 1.0, 1.5, "inconclusive"),
    ("below", 2.5, 3.0, "contradicted"),
    ("below", 2.4, 3.0, "inconclusive"),
    ("at most", 1.0, 1.5, "supported"),
    ("at most", 1.0, 1.6, "inconclusive"),
    ("at most", 2.6, 3.0, "contradicted"),
    ("at most", 2.5, 3.0, "inconclusive"),
    ("within", 1.5, 2.5, "supported"),
    ("within", 1.4, 2.0, "inconclusive"),
    ("within", 2.6, 3.0, "contradicted"),
    ("within", 1.0, 1.4, "contradicted"),
    ("within", 2.5, 3.0, "inconclusive"),
    ("apart", 1.5, 2.5, "contradicted"),
    ("apart", 1.4, 2.0, "inconclusive"),
    ("apart", 2.6, 3.0, "supported"),
    ("apart", 1.0, 1.4, "supported"),
]


@pytest.mark.parametrize(("comparison", "low", "high", "verdict"), CASES)
def test_an_interval_decides_only_clear_of_the_zone(
    comparison: Comparison, low: float, high: float, verdict: Verdict
) -> None:
    """Which ends of the zone count is as the table in the docstring says."""
    rule = Rule(statistic="x", comparison=comparison, threshold=2.0, margin=0.5)
    assert decide(rule, make(low, high)).verdict == verdict


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        ("above", "contradicted"),
        ("at least", "supported"),
        ("below", "contradicted"),
        ("at most", "supported"),
        ("within", "supported"),
        ("apart", "contradicted"),
    ],
)
def test_a_count_on_the_threshold_is_decided(comparison: Comparison, verdict: Verdict) -> None:
    """What is exactly three is at least three, and not above three."""
    rule = Rule(statistic="x", comparison=comparison, threshold=3.0)
    assert decide(rule, {"x": count_exactly("x", 3.0)}).verdict == verdict


def test_one_seed_decides_nothing() -> None:
    """However far the value lies from the threshold."""
    rule = Rule(statistic="x", comparison="above", threshold=0.0)
    decision = decide(rule, {"x": estimate_mean("x", [100.0])})
    assert decision.verdict == "inconclusive"
    assert decision.reason == "one seed says nothing of the spread over seeds"


@pytest.mark.parametrize("value", [-0.25, 0.0, 0.25])
def test_equal_values_decide_nothing(value: float) -> None:
    """A score that has reached its end gives no spread, and so no interval of no width."""
    decision = decide(
        Rule(statistic="x", comparison="above", threshold=0.0),
        {"x": estimate_mean("x", [value] * 3)},
    )
    assert decision.verdict == "inconclusive"
    assert decision.reason == "all 3 seeds gave the same value, which says nothing of the spread"


def test_splits_of_the_same_images_widen_the_interval() -> None:
    """Nadeau and Bengio: of three splits, a third tested, the variance is s^2 (1/3 + 1/2)."""
    plain = estimate_mean("x", [0.0, 1.0, 2.0])
    split = estimate_mean("x", [0.0, 1.0, 2.0], test_per_train=0.5)
    assert plain.low is not None
    assert split.low is not None
    assert (1.0 - split.low) / (1.0 - plain.low) == pytest.approx(((1 / 3 + 1 / 2) * 3) ** 0.5)


def test_one_rule_of_several_must_fail_more_clearly() -> None:
    """Support needs the plain interval; to contradict, it is widened for the claim's rules."""
    below = {"x": estimate_mean("x", [-1.0, -1.4, -0.6])}  # 95 %: -1.99 to -0.01
    fails = Rule(statistic="x", comparison="above", threshold=0.0)
    assert decide(fails, below).verdict == "contradicted"
    widened = decide(fails, below, n_rules=5)
    assert widened.verdict == "inconclusive"
    assert widened.reason.endswith("once widened for the 5 rules of the claim")
    holds = Rule(statistic="x", comparison="below", threshold=0.0)
    assert decide(holds, below, n_rules=5).verdict == "supported"
    assert decide(holds, below, confidence=0.99).verdict == "inconclusive"


def test_the_reason_names_zone_and_side() -> None:
    """In words that a reader can check against the interval beside them."""
    rule = Rule(statistic="x", comparison="above", threshold=2.0, margin=0.5)
    reasons = [decide(rule, make(*ends)).reason for ends in ((3.0, 4.0), (0.0, 1.0), (0.0, 4.0))]
    assert reasons == [
        "the whole interval lies above 2 ± 0.5",
        "the whole interval lies below 2 ± 0.5",
        "the interval is not clear of 2 ± 0.5",
    ]


def test_a_statistic_that_is_not_there_is_refused() -> None:
    """The ledger then says that the claim was not run."""
    rule = Rule(statistic="y", comparison="above", threshold=0.0)
    with pytest.raises(DataError, match="found no statistic 'y'"):
        decide(rule, make(0.0, 1.0))


@pytest.mark.parametrize(
    ("verdicts", "joined"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["inconclusive", "contradicted", "supported"], "contradicted"),
        (["not run", "inconclusive"], "not run"),
    ],
)
def test_all_rules_must_hold(verdicts: list[Verdict], joined: Verdict) -> None:
    """One that fails is enough."""
    assert join_verdicts(verdicts) == joined
    assert join_verdicts(verdicts[::-1]) == joined


def test_no_rule_gives_no_verdict() -> None:
    """An empty list must not count as support."""
    with pytest.raises(DataError, match="without a rule"):
        join_verdicts([])


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    """Three of three: the lower end is the third root of 0.025; ends of 0 and 1 are exact."""
    every, none = estimate_share("x", [True] * 3), estimate_share("x", [False] * 3)
    assert (every.low, every.high) == (pytest.approx(0.025 ** (1 / 3)), 1.0)
    assert (none.low, none.high) == (0.0, pytest.approx(1.0 - 0.025 ** (1 / 3)))
    assert estimate_share("x", [True, False]).value == 0.5


def test_values_that_are_not_finite_are_refused() -> None:
    """A diverged training must not become a verdict."""
    with pytest.raises(DataError, match="x is nan"):
        count_exactly("x", float("nan"))
    with pytest.raises(ParameterError, match="finite"):
        estimate_mean("x", [1.0, float("inf")])
