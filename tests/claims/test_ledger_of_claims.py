"""The ledger: trials run once, reasons where they were not, verdicts by rule."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from fake_experiments import CLAIM, compute, find_fake, make_experiment, read

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import Experiment, Outcome, Parameters
from survey_tools.claims.ledger import Ledger, LedgerRequest, run_ledger
from survey_tools.claims.runner import Budget, run_trials

Counted = Callable[[Parameters, int], Outcome]


@pytest.fixture
def calls() -> list[int]:
    """Collect the seeds of the trials that were run."""
    return []


@pytest.fixture
def counted(calls: list[int]) -> Counted:
    def run(parameters: Parameters, seed: int) -> Outcome:
        calls.append(seed)
        return compute(parameters, seed)

    return run


def run(
    folder: Path, experiment: Experiment | None = None, text: str = CLAIM, **request: object
) -> Ledger:
    finder = partial(find_fake, experiment=experiment)
    chosen = LedgerRequest(find=finder, **{"first_seed": 0, **request})  # type: ignore[arg-type]
    return run_ledger(read(text), OutcomeCache(folder), chosen)


def test_a_verdict_comes_from_the_interval(tmp_path: Path) -> None:
    """Slopes 2, 2.1 and 2.2 are above 0; their mean and interval stand beside the verdict."""
    (found,) = run(tmp_path).claims
    assert found.verdict == "supported"
    (decision,) = found.decisions
    assert decision.estimate.value == pytest.approx(2.1)
    half = 4.302652729911275 * 0.1 / 3**0.5  # Student's t of two degrees of freedom
    assert decision.estimate.low == pytest.approx(2.1 - half)


@pytest.mark.parametrize(("threshold", "verdict"), [("2.1", "inconclusive"), ("3", "contradicted")])
def test_the_rule_alone_decides(tmp_path: Path, threshold: str, verdict: str) -> None:
    """The same numbers under another threshold have another verdict."""
    text = CLAIM.replace("threshold: 0", f"threshold: {threshold}")
    assert run(tmp_path, text=text).claims[0].verdict == verdict


REQUIRES = "    requires:\n      - {statistic: value, comparison: above, threshold: 3}\n"


def test_nothing_is_decided_before_its_requirement_holds(tmp_path: Path) -> None:
    """What the claim requires is named, and its rule is shown all the same."""
    text = CLAIM.replace("    rules:\n", REQUIRES + "    rules:\n")
    (found,) = run(tmp_path, text=text).claims
    assert found.verdict == found.verdict_jointly == "inconclusive"
    assert [decision.rule.words for decision in found.unmet] == ["value above 3"]
    assert [decision.verdict for decision in found.decisions] == ["supported"]
    (met,) = run(tmp_path, text=text.replace("threshold: 3", "threshold: 1")).claims
    assert met.verdict == "supported"
    assert met.unmet == ()


def test_verdicts_are_also_judged_all_together(tmp_path: Path) -> None:
    """Of 1, 2 and 3 the interval is above -0.5; widened for two claims it is not."""
    again = CLAIM.removeprefix("claims:\n").replace("grows", "again")
    text = (CLAIM + again).replace("threshold: 0", "threshold: -0.5")
    experiment = make_experiment(lambda _parameters, seed: {"value": float(seed + 1)})
    alone = run(tmp_path / "one", experiment, CLAIM.replace("threshold: 0", "threshold: -0.5"))
    both = run(tmp_path / "two", experiment, text)
    assert (alone.n_uncertain, alone.n_decided, alone.n_decided_jointly) == (1, 1, 1)
    assert (both.n_uncertain, both.n_decided, both.n_decided_jointly) == (2, 2, 0)
    assert [found.verdict for found in both.claims] == ["supported", "supported"]


def test_a_claim_of_no_quick_seed_needs_full(tmp_path: Path) -> None:
    """It says so, instead of training too little."""
    text = CLAIM.replace("quick: 3", "quick: 0")
    (found,) = run(tmp_path, text=text).claims
    assert (found.verdict, found.not_run) == (
        "not run",
        "not part of a quick run; run it with --full",
    )
    assert run(tmp_path, text=text, size="full").claims[0].verdict == "supported"


def test_seeds_are_counted_from_the_first(
    tmp_path: Path, counted: Counted, calls: list[int]
) -> None:
    """By default beyond those that chose the settings."""
    run(tmp_path, make_experiment(counted), first_seed=LedgerRequest().first_seed)
    assert calls == [100, 101, 102]


def test_a_second_run_runs_nothing(tmp_path: Path, counted: Counted, calls: list[int]) -> None:
    """And concludes the same; full sizes run their own."""
    experiment = make_experiment(counted)
    first, second = run(tmp_path, experiment), run(tmp_path, experiment)
    assert calls == [0, 1, 2]
    assert first.claims == second.claims
    assert (first.n_from_cache, second.n_from_cache) == (0, 3)
    run(tmp_path, experiment, size="full")
    assert calls[3:] == [0, 1, 2, 3, 4]


def test_claims_share_their_trials(tmp_path: Path, counted: Counted, calls: list[int]) -> None:
    """Two claims on the same experiment with the same parameters run it once."""
    text = CLAIM + CLAIM.removeprefix("claims:\n").replace("id: grows", "id: again")
    ledger = run(tmp_path, make_experiment(counted), text)
    assert calls == [0, 1, 2]
    assert ledger.n_trials == 3
    assert len(ledger.claims) == 2


def test_only_the_damaged_trial_is_run_again(
    tmp_path: Path, counted: Counted, calls: list[int]
) -> None:
    """The others stay."""
    experiment = make_experiment(counted)
    run(tmp_path, experiment)
    trial = experiment.plan({"slope": 2.0}, "quick", [1])[0]
    OutcomeCache(tmp_path).path_of(trial).write_text("{", encoding="utf-8")
    run(tmp_path, experiment)
    assert calls == [0, 1, 2, 1]


def test_an_interrupted_run_goes_on(tmp_path: Path, counted: Counted, calls: list[int]) -> None:
    """What was done before Ctrl-C is not done again."""

    def interrupted(parameters: Parameters, seed: int) -> Outcome:
        if seed == 2:
            raise KeyboardInterrupt
        return counted(parameters, seed)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, make_experiment(interrupted))
    assert run(tmp_path, make_experiment(counted)).claims[0].verdict == "supported"
    assert calls == [0, 1, 2]


def test_no_trial_begins_after_the_budget(tmp_path: Path) -> None:
    """The claim says so, and the next run goes on from there."""
    times: Iterator[float] = iter([0.0, 0.0, 5.0, 10.0, 10.0, 10.0])
    first = run(tmp_path, budget_s=10.0, clock=lambda: next(times))
    (found,) = first.claims
    assert found.verdict == "not run"
    assert found.decisions == ()
    assert found.not_run == (
        "1 trial of 3 without an outcome: the time budget of 10 s was spent; run it again to go on"
    )
    assert run(tmp_path).n_from_cache == 2


def test_without_torch_a_claim_is_not_run(tmp_path: Path) -> None:
    """Unless all that it needs is in the cache."""
    experiment = make_experiment(needs_torch=True)
    (found,) = run(tmp_path, experiment, has_torch=lambda: False).claims
    assert found.verdict == "not run"
    assert found.not_run == "torch is missing; pip install 'survey-tools[mae]'"


def test_a_trial_that_fails_leaves_its_claim_only(tmp_path: Path) -> None:
    """Its reason is kept, the others go on; verdicts add up to the claims."""
    text = CLAIM.replace("2.0", "-1.0") + CLAIM.removeprefix("claims:\n").replace("grows", "b", 1)
    ledger = run(tmp_path, text=text)
    failed, fine = ledger.claims
    assert failed.verdict == "not run"
    assert failed.not_run == "3 trials of 3 without an outcome: this slope cannot be computed"
    assert fine.verdict == "supported"
    counts = ledger.count_verdicts()
    assert sum(counts.values()) == 2
    assert counts["not run"] == counts["supported"] == 1


def test_processes_find_the_same_as_one() -> None:
    """In whatever order they end; timings run here, before the others."""
    plain = make_experiment().plan({"slope": 2.0}, "quick", range(4))
    timed = make_experiment(is_timing=True).plan({"slope": 2.0}, "quick", [9])
    budget = Budget(seconds=None)
    alone = list(run_trials([*plain, *timed], n_workers=1, budget=budget))
    together = list(run_trials([*plain, *timed], n_workers=2, budget=budget))
    assert alone[0].trial.seed == together[0].trial.seed == 9
    assert {r.trial.seed: r.outcome for r in alone} == {r.trial.seed: r.outcome for r in together}
