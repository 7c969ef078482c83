"""The ledger: every claim with its verdict, the numbers behind it, and why it was not run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    Outcome,
    Size,
    Trial,
    has_torch,
)
from survey_tools.claims.file import Claim, ClaimFile
from survey_tools.claims.registry import find_experiment
from survey_tools.claims.rule import VERDICTS, Decision, Verdict, decide, join_verdicts
from survey_tools.claims.runner import Budget, run_trials
from survey_tools.errors import SurveyToolsError, count
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["ClaimFinding", "Ledger", "LedgerRequest", "run_ledger"]

_NO_TORCH = "torch is missing; pip install 'survey-tools[mae]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRequest:
    """How claims are tested.

    Attributes
    ----------
    size : {"quick", "full"}
    budget_s : float or None
        No trial is begun after so many seconds; what is missing then is run by the next call.
    n_workers : int
        Processes that run trials; 1 runs them in this one.
    find : callable
        Returns an experiment by name.
    has_torch : callable
    clock : callable
        Returns seconds that only grow.
    """

    size: Size = "quick"
    budget_s: float | None = None
    n_workers: int = 1
    find: Callable[[str], Experiment] = find_experiment
    has_torch: Callable[[], bool] = has_torch
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFinding:
    """A claim with what was found.

    Attributes
    ----------
    decisions : tuple of Decision
        One a rule; empty where the experiment was not run.
    findings : Findings or None
        None where the experiment was not run.
    not_run : str
        Why; empty if it was.
    """

    claim: Claim
    title: str
    n_seeds: int
    verdict: Verdict
    decisions: tuple[Decision, ...]
    findings: Findings | None
    not_run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All claims with their verdicts, in the order of the file."""

    size: Size
    claims: tuple[ClaimFinding, ...]
    n_trials: int
    n_from_cache: int

    def count_verdicts(self) -> dict[Verdict, int]:
        """Count the claims of each verdict, none left out."""
        return {
            verdict: sum(found.verdict == verdict for found in self.claims) for verdict in VERDICTS
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    claim: Claim
    experiment: Experiment
    parameters: dict[str, object]
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]


def run_ledger(
    file: ClaimFile,
    cache: OutcomeCache,
    request: LedgerRequest | None = None,
    *,
    progress: CountProgress = ignore_progress,
) -> Ledger:
    """Run what the claims need and the cache lacks, then let the rules decide.

    A trial that several claims share is run once. One that fails, is out of time or needs torch
    where there is none leaves its claims "not run", with the reason.

    Parameters
    ----------
    progress : callable, optional
        Called as ``progress(n_trials_done, n_trials)``.
    """
    request = request or LedgerRequest()
    planned = [_plan(claim, request) for claim in file.claims]
    trials = list(dict.fromkeys(trial for plan in planned for trial in plan.trials))
    outcomes: dict[Trial, Outcome] = {}
    reasons: dict[Trial, str] = {}
    for trial in trials:
        held = cache.read(trial)
        if held is not None:
            outcomes[trial] = held
        elif trial.kind.needs_torch and not request.has_torch():
            reasons[trial] = _NO_TORCH
    n_from_cache, n_known = len(outcomes), len(outcomes) + len(reasons)
    wanted = [trial for trial in trials if trial not in outcomes and trial not in reasons]
    progress(n_known, len(trials))
    budget = Budget(seconds=request.budget_s, clock=request.clock)
    for i, result in enumerate(run_trials(wanted, n_workers=request.n_workers, budget=budget), 1):
        if result.outcome is None:
            reasons[result.trial] = result.reason
        else:
            cache.write(result.trial, result.outcome)
            outcomes[result.trial] = cache.read(result.trial) or result.outcome
        progress(n_known + i, len(trials))
    return Ledger(
        size=request.size,
        claims=tuple(_judge(plan, request.size, outcomes, reasons) for plan in planned),
        n_trials=len(trials),
        n_from_cache=n_from_cache,
    )


def _plan(claim: Claim, request: LedgerRequest) -> _Planned:
    experiment = request.find(claim.experiment.name)
    parameters = experiment.complete(claim.experiment.parameters)
    n_seeds = claim.seeds.quick if request.size == "quick" else claim.seeds.full
    seeds = tuple(range(n_seeds))
    return _Planned(
        claim=claim,
        experiment=experiment,
        parameters=parameters,
        seeds=seeds,
        trials=tuple(experiment.plan(parameters, request.size, seeds)),
    )


def _judge(
    plan: _Planned, size: Size, outcomes: Mapping[Trial, Outcome], reasons: Mapping[Trial, str]
) -> ClaimFinding:
    missing = [trial for trial in plan.trials if trial not in outcomes]
    if missing:
        return _leave(plan, _say_why(missing, len(plan.trials), reasons))
    try:
        findings = plan.experiment.summarise(plan.parameters, size, plan.seeds, outcomes)
        estimates = findings.by_name()
        decisions = tuple(decide(rule, estimates) for rule in plan.claim.rules)
    except SurveyToolsError as error:
        return _leave(plan, str(error))
    return ClaimFinding(
        claim=plan.claim,
        title=plan.experiment.title,
        n_seeds=len(plan.seeds),
        verdict=join_verdicts([decision.verdict for decision in decisions]),
        decisions=decisions,
        findings=findings,
        not_run="",
    )


def _leave(plan: _Planned, reason: str) -> ClaimFinding:
    return ClaimFinding(
        claim=plan.claim,
        title=plan.experiment.title,
        n_seeds=len(plan.seeds),
        verdict="not run",
        decisions=(),
        findings=None,
        not_run=reason,
    )


def _say_why(missing: Sequence[Trial], n_trials: int, reasons: Mapping[Trial, str]) -> str:
    first = reasons[missing[0]]
    if first == _NO_TORCH:
        return first
    return f"{count(len(missing), 'trial')} of {n_trials} without an outcome: {first}"
