"""The ledger: every claim with its verdict, the numbers behind it, and why it was not run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.estimate import CONFIDENCE
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
from survey_tools.errors import DataError, ParameterError, SurveyToolsError, count
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["FIRST_SEED", "ClaimFinding", "Ledger", "LedgerRequest", "run_ledger"]

FIRST_SEED = 100
"""Seeds are counted from here: the experiments' lengths and rates were chosen by looking at
seeds 0 to 9, which must therefore decide nothing."""

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
    first_seed : int
        Seeds are counted from it.
    find : callable
        Returns an experiment by name.
    has_torch : callable
    clock : callable
        Returns seconds that only grow.
    """

    size: Size = "quick"
    budget_s: float | None = None
    n_workers: int = 1
    first_seed: int = FIRST_SEED
    find: Callable[[str], Experiment] = find_experiment
    has_torch: Callable[[], bool] = has_torch
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFinding:
    """A claim with what was found.

    Attributes
    ----------
    verdict_jointly : str
        The verdict with intervals widened for all rules of the ledger together.
    requirements : tuple of Decision
        Of what must hold before anything is decided.
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
    verdict_jointly: Verdict
    requirements: tuple[Decision, ...]
    decisions: tuple[Decision, ...]
    findings: Findings | None
    not_run: str

    @property
    def unmet(self) -> tuple[Decision, ...]:
        """Requirements that do not hold."""
        return tuple(found for found in self.requirements if found.verdict != "supported")

    @property
    def is_decided(self) -> bool:
        """Whether it is supported or contradicted."""
        return self.verdict in ("supported", "contradicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All claims with their verdicts, in the order of the file.

    Attributes
    ----------
    n_uncertain : int
        Rules that were applied to estimates over seeds, which chance can move.
    """

    size: Size
    first_seed: int
    n_uncertain: int
    claims: tuple[ClaimFinding, ...]
    n_trials: int
    n_from_cache: int

    @property
    def n_decided(self) -> int:
        """Claims that are supported or contradicted."""
        return sum(found.is_decided for found in self.claims)

    @property
    def n_decided_jointly(self) -> int:
        """Those of them whose verdict stands with intervals widened for all rules together."""
        return sum(found.is_decided and found.verdict == found.verdict_jointly
                   for found in self.claims)  # fmt: skip

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
    not_planned: str = ""


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
    summed_up = [_sum_up(plan, request.size, outcomes, reasons) for plan in planned]
    n_uncertain = sum(_count_uncertain(plan, found)
                      for plan, found in zip(planned, summed_up, strict=True))  # fmt: skip
    confidence = 1.0 - (1.0 - CONFIDENCE) / max(1, n_uncertain)
    return Ledger(
        size=request.size,
        first_seed=request.first_seed,
        n_uncertain=n_uncertain,
        claims=tuple(
            _judge(plan, found, confidence) for plan, found in zip(planned, summed_up, strict=True)
        ),
        n_trials=len(trials),
        n_from_cache=n_from_cache,
    )


def _plan(claim: Claim, request: LedgerRequest) -> _Planned:
    experiment = request.find(claim.experiment.name)
    parameters = experiment.complete(claim.experiment.parameters)
    n_seeds = claim.seeds.quick if request.size == "quick" else claim.seeds.full
    seeds = tuple(range(request.first_seed, request.first_seed + n_seeds))
    trials: Sequence[Trial] = ()
    not_planned = ""
    if not seeds:
        not_planned = "not part of a quick run; run it with --full"
    elif experiment.of_survey is not None:
        not_planned = "is about the survey's own papers; name a survey folder, not a file of claims"
    else:
        try:
            trials = experiment.plan(parameters, request.size, seeds)
        except ParameterError as error:  # the claim's parameters do not go with the survey
            raise ParameterError(f"claim {claim.id!r}: {error}") from None
        except DataError as error:  # the survey is not one that this can be asked of
            not_planned = str(error)
    return _Planned(
        claim=claim,
        experiment=experiment,
        parameters=parameters,
        seeds=seeds,
        trials=tuple(trials),
        not_planned=not_planned,
    )


def _sum_up(
    plan: _Planned, size: Size, outcomes: Mapping[Trial, Outcome], reasons: Mapping[Trial, str]
) -> Findings | str:
    """Let the experiment conclude, or say why it cannot."""
    if plan.not_planned:
        return plan.not_planned
    missing = [trial for trial in plan.trials if trial not in outcomes]
    if missing:
        return _say_why(missing, len(plan.trials), reasons)
    try:
        findings = plan.experiment.summarise(plan.parameters, size, plan.seeds, outcomes)
    except SurveyToolsError as error:
        return str(error)
    found = findings.by_name()
    for rule in (*plan.claim.requires, *plan.claim.rules):
        if rule.statistic not in found:
            return f"the experiment found no statistic {rule.statistic!r}"
    return findings


def _count_uncertain(plan: _Planned, findings: Findings | str) -> int:
    """Count the rules whose estimate another seed could change."""
    if isinstance(findings, str):
        return 0
    estimates = findings.by_name()
    return sum(not estimates[rule.statistic].is_counted for rule in plan.claim.rules)


def _judge(plan: _Planned, findings: Findings | str, confidence: float) -> ClaimFinding:
    """Let the rules decide; ``confidence`` is the level for all rules of the ledger together."""
    if isinstance(findings, str):
        return ClaimFinding(
            claim=plan.claim,
            title=plan.experiment.title,
            n_seeds=len(plan.seeds),
            verdict="not run",
            verdict_jointly="not run",
            requirements=(),
            decisions=(),
            findings=None,
            not_run=findings,
        )
    estimates = findings.by_name()
    rules = plan.claim.rules
    requirements = tuple(decide(rule, estimates) for rule in plan.claim.requires)
    decisions = tuple(decide(rule, estimates, n_rules=len(rules)) for rule in rules)
    jointly = [decide(rule, estimates, confidence=confidence) for rule in rules]
    is_met = all(decision.verdict == "supported" for decision in requirements)

    def join(found: Sequence[Decision]) -> Verdict:
        return join_verdicts([decision.verdict for decision in found]) if is_met else "inconclusive"

    return ClaimFinding(
        claim=plan.claim,
        title=plan.experiment.title,
        n_seeds=len(plan.seeds),
        verdict=join(decisions),
        verdict_jointly=join(jointly),
        requirements=requirements,
        decisions=decisions,
        findings=findings,
        not_run="",
    )


def _say_why(missing: Sequence[Trial], n_trials: int, reasons: Mapping[Trial, str]) -> str:
    first = reasons[missing[0]]
    if first == _NO_TORCH:
        return first
    return f"{count(len(missing), 'trial')} of {n_trials} without an outcome: {first}"
