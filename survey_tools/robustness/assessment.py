"""Plan and store -> everything that the card, the tables and the figures show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.robustness.choices import InfluenceOfDesign, measure_influences
from survey_tools.robustness.consensus import CoAssociation, build_consensus_tree
from survey_tools.robustness.families import sort_into_families
from survey_tools.robustness.material import Material, Target
from survey_tools.robustness.null_comparison import NullComparison, NullTally
from survey_tools.robustness.numbers import NumberOfClusters, NumberTally
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.plan import Plan
from survey_tools.robustness.replicates import ReplicateTally
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.stability import (
    SLACK,
    PaperStability,
    StabilityTally,
    TargetStability,
)
from survey_tools.robustness.store import Store
from survey_tools.settings import RobustnessRule
from survey_tools.tree import Tree

__all__ = ["Robustness", "RunRow", "VariantResult", "assess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What is kept of a run for the table of runs."""

    run: Run
    failure: str
    notes: tuple[str, ...]
    n_terms: int
    n_clusters: int
    n_noise: int
    agreement: Mapping[str, float | None]
    axes: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """One of a reviewer's own settings: how it agrees, and which targets it finds.

    Attributes
    ----------
    found, lost : tuple of str
        Targets with a Jaccard score of the rule's ``min_jaccard`` or more, and the others.
    """

    name: str
    row: RunRow
    found: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Robustness:
    """All that a plan's runs say.

    Attributes
    ----------
    rows : tuple of RunRow
        In the order of the plan, failed ones included.
    n_replicates : int
        Trees of the multiscale bootstrap of the survey's own terms.
    n_supported : mapping of corpus to int
        Sub-trees with AU at or above the rule's limit, of the survey ("own") and of the first
        null corpus of each kind; the whole tree counts nowhere.
    coassociation : ndarray of float, shape (n_papers, n_papers)
        Over all runs that change choices or papers, by sorted key.
    """

    plan: Plan
    own: Setting
    rule: RobustnessRule
    rows: tuple[RunRow, ...]
    targets: tuple[TargetStability, ...]
    papers: tuple[PaperStability, ...]
    influences: tuple[InfluenceOfDesign, ...]
    nulls: tuple[NullComparison, ...]
    numbers: NumberOfClusters
    variants: tuple[VariantResult, ...]
    n_replicates: int
    n_supported: Mapping[str, int]
    paper_keys: tuple[str, ...]
    coassociation: NDArray[np.float64]
    n_coassociated: int
    consensus_tree: Tree | None

    @property
    def n_failed(self) -> int:
        """Runs without a result."""
        return sum(bool(row.failure) for row in self.rows)

    def failures(self) -> dict[str, int]:
        """Count the reasons of failed runs, the most frequent first."""
        counts = Counter(row.failure for row in self.rows if row.failure)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def assess(
    plan: Plan,
    store: Store,
    material: Material,
    targets: tuple[Target, ...],
    is_in_reference: tuple[bool, ...],
    rule: RobustnessRule,
    variants: Mapping[str, Setting],
) -> Robustness:
    """Sum up all outcomes of a plan, one in memory at a time.

    Outcomes are read in the order of the plan, so that nothing depends on who computed them
    and when they arrived.

    Raises
    ------
    DataError
        If a run has no outcome yet, or a line of the store is damaged.
    """
    keys = material.corpus.keys
    families = sort_into_families(plan, material.own, variants.values())
    stability = StabilityTally(families, material.reference.targets)
    n_clusters = sum(target.kind == "cluster" for target in targets)
    nulls = NullTally(material.reference, slice(n_clusters), material.numbers)
    n_compared = max(
        Counter(
            run.corpus_draw
            for run in plan.runs
            if run.corpus == "shuffled" and run.resample == "papers-subsample"
        ).values(),
        default=0,
    )
    numbers = NumberTally(keys, material.numbers, n_compared=n_compared)
    together = CoAssociation(keys)
    replicates = ReplicateTally(material.reference.tree)
    rows, settings = [], {}
    wanted = set(variants.values())
    kept: dict[Setting, Outcome] = {}
    outcomes = store.read(run.run_id for run in plan.runs)
    for run, outcome in zip(plan.runs, outcomes, strict=True):
        rows.append(_row(run, outcome))
        if run.resample == "terms-multiscale":
            replicates.add(run, outcome)
            continue
        if run.setting == material.own:
            nulls.add(run, outcome)
            numbers.add(run, outcome)
        if run.corpus != "own":
            continue
        stability.add(outcome, run.resample)
        if not outcome.failure and run.resample in ("none", "papers-subsample", "papers-bootstrap"):
            together.add(outcome.codes)
        if run.resample == "none":
            settings[run.run_id] = outcome
            if run.setting in wanted:
                kept[run.setting] = outcome
    judged = stability.judge_targets(
        targets,
        is_in_reference,
        [replicates.support_of(target.paper_keys) for target in targets],
        nulls.chances(len(targets)),
        rule,
    )
    homes = [targets[home].name if home >= 0 else "" for home in material.reference.homes.tolist()]
    return Robustness(
        plan=plan,
        own=material.own,
        rule=rule,
        rows=tuple(rows),
        targets=judged,
        papers=stability.judge_papers(keys, homes),
        influences=measure_influences(plan.designs, settings, seed=material.seed),
        nulls=nulls.compare(),
        numbers=numbers.decide(nulls),
        variants=tuple(
            _try(name, setting, kept[setting], targets, rule) for name, setting in variants.items()
        ),
        n_replicates=replicates.n_replicates,
        n_supported=replicates.count_supported(rule.min_au),
        paper_keys=keys,
        coassociation=together.shares,
        n_coassociated=together.n_runs,
        consensus_tree=build_consensus_tree(together) if together.n_runs else None,
    )


def _row(run: Run, outcome: Outcome) -> RunRow:
    return RunRow(
        run=run,
        failure=outcome.failure,
        notes=outcome.notes,
        n_terms=outcome.n_terms,
        n_clusters=outcome.n_clusters,
        n_noise=outcome.n_noise,
        agreement=outcome.agreement,
        axes=outcome.axes,
    )


def _try(
    name: str,
    setting: Setting,
    outcome: Outcome,
    targets: tuple[Target, ...],
    rule: RobustnessRule,
) -> VariantResult:
    scores = np.fmax(
        np.array(outcome.in_clusters or [np.nan] * len(targets), dtype=np.float64),
        np.array(outcome.in_nodes or [np.nan] * len(targets), dtype=np.float64),
    )
    is_found = scores >= rule.min_jaccard - SLACK
    return VariantResult(
        name=name,
        row=_row(Run(setting=setting), outcome),
        found=tuple(t.name for t, found in zip(targets, is_found, strict=True) if found),
        lost=tuple(t.name for t, found in zip(targets, is_found, strict=True) if not found),
    )
