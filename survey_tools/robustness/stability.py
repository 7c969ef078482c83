"""Outcomes of many runs -> how stable each named cluster and each paper is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.robustness.families import FAMILIES, Families, Family
from survey_tools.robustness.material import Target
from survey_tools.robustness.outcome import Outcome
from survey_tools.settings import RobustnessRule

__all__ = [
    "SLACK",
    "FamilyScore",
    "PaperStability",
    "StabilityTally",
    "Support",
    "TargetStability",
    "Verdict",
]

Verdict = str  # "robust", "fragile", "vanished", "not in the reference"
SLACK = 1e-6  # float32 holds a score to 7 digits; 0.75 itself must count as reached
_HOME_FAMILIES: tuple[Family, ...] = ("one choice", "all choices", "papers", "terms")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyScore:
    """How well one group of papers is found again in one family of runs.

    Attributes
    ----------
    n_runs : int
        Runs with a result that held two papers of the group, or its only one.
    mean_jaccard : float
        Mean of the best Jaccard score, over all nodes of a tree or all flat clusters.
    share_found, share_lost : float
        Share of runs at or above ``rule.min_jaccard``, and below ``rule.max_lost``.
    """

    n_runs: int
    mean_jaccard: float
    share_found: float
    share_lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Multiscale bootstrap of the terms for the sub-tree that is exactly this group.

    Attributes
    ----------
    au, bp : float
        Approximately unbiased and ordinary bootstrap probability.
    au_error : float
        Standard error of AU from the fit.
    """

    au: float
    bp: float
    au_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStability:
    """Everything that is known of one named cluster.

    Attributes
    ----------
    is_in_reference : bool
        Whether the name was found in the survey's own tree; a flat cluster always is.
    families : mapping of family to FamilyScore
        Families without runs are absent.
    cluster_jaccard : float or None
        Mean best Jaccard score over flat clusters alone, in bootstraps of the papers: the
        stability of Hennig's clusterboot [1]_.
    support : Support or None
        None for a group that is no sub-tree, or without multiscale bootstrap.
    by_chance : float or None
        Mean best Jaccard score in trees of shuffled corpora.

    References
    ----------
    .. [1] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics &
       Data Analysis 52 (2007), 258-271.
    """

    target: Target
    is_in_reference: bool
    families: Mapping[Family, FamilyScore]
    cluster_jaccard: float | None
    support: Support | None
    by_chance: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperStability:
    """How often a paper stays with its home: its smallest named sub-tree, or its cluster.

    Attributes
    ----------
    at_home : mapping of family to float
        Share of the runs that hold the paper and have a result.
    mean : float
        Mean over the families, each counting once; NaN without runs.
    """

    paper_key: str
    home: str
    at_home: Mapping[Family, float]
    mean: float


class StabilityTally:
    """Adds up outcomes one by one; the order of arrival does not matter to what it says.

    Scores are kept for each run, 4 bytes a target, so that a million runs of 50 targets take
    200 MB; nothing else grows with the number of runs.

    A run that holds a single paper of a larger target says nothing of it and counts nowhere,
    but for clusterboot's measure, which counts it.

    Parameters
    ----------
    targets : ndarray of bool, shape (n_targets, n_papers)
        Papers in the order of the outcomes' codes.
    """

    def __init__(self, families: Families, targets: NDArray[np.bool_]) -> None:
        n_papers = targets.shape[1]
        self._families = families
        self._targets = targets
        self._is_large = targets.sum(axis=1) > 1
        self._scores: dict[Family, list[NDArray[np.float32]]] = {name: [] for name in FAMILIES}
        self._flat: list[NDArray[np.float32]] = []
        self._n_home = {name: np.zeros(n_papers, dtype=np.int64) for name in FAMILIES}
        self._n_held = {name: np.zeros(n_papers, dtype=np.int64) for name in FAMILIES}

    def add(self, outcome: Outcome, resample: str) -> None:
        """Add the outcome of a run on the survey's own papers."""
        if outcome.failure:
            return
        families = self._families.of_run.get(outcome.run, ())
        if not families:
            return
        # a cluster of one paper is no inner node, so that the better of both counts
        flat = np.array(outcome.in_clusters, dtype=np.float32)
        best = np.fmax(flat, np.array(outcome.in_nodes or outcome.in_clusters, dtype=np.float32))
        held = np.array(outcome.codes) >= 0
        is_alone = (self._targets & held).sum(axis=1) < 2
        best[is_alone & self._is_large] = np.nan
        is_home = held.copy()
        is_home[list(outcome.strayed)] = False
        for family in families:
            self._scores[family].append(best)
            self._n_held[family] += held
            self._n_home[family] += is_home
        if resample == "papers-bootstrap":
            self._flat.append(flat)

    def judge_targets(
        self,
        targets: Sequence[Target],
        is_in_reference: Sequence[bool],
        support: Sequence[Support | None],
        by_chance: Sequence[float | None],
        rule: RobustnessRule,
    ) -> tuple[TargetStability, ...]:
        """Sum up every target, with the verdict that the rule gives."""
        scores = {
            family: _score(np.array(rows, dtype=np.float64), rule)
            for family, rows in self._scores.items()
            if rows
        }
        flat = None
        if self._flat:
            table = np.array(self._flat, dtype=np.float64)
            flat = _mean_of_known(table)
        judged = []
        for i, target in enumerate(targets):
            of_target = {
                family: columns[i] for family, columns in scores.items() if columns[i].n_runs
            }
            judged.append(
                TargetStability(
                    target=target,
                    is_in_reference=is_in_reference[i],
                    families=of_target,
                    cluster_jaccard=None if flat is None or np.isnan(flat[i]) else float(flat[i]),
                    support=support[i],
                    by_chance=by_chance[i],
                    verdict=_judge(of_target, is_in_reference[i], support[i], rule),
                )
            )
        return tuple(judged)

    def judge_papers(
        self, paper_keys: Sequence[str], homes: Sequence[str]
    ) -> tuple[PaperStability, ...]:
        """Say how often each paper stays at home, the most fragile first."""
        found = []
        for i, (key, home) in enumerate(zip(paper_keys, homes, strict=True)):
            at_home = {
                family: float(self._n_home[family][i] / self._n_held[family][i])
                for family in _HOME_FAMILIES
                if self._n_held[family][i]
            }
            mean = float(np.mean(list(at_home.values()))) if at_home else float("nan")
            found.append(PaperStability(paper_key=key, home=home, at_home=at_home, mean=mean))
        return tuple(sorted(found, key=lambda paper: (paper.mean, paper.paper_key)))


def _score(table: NDArray[np.float64], rule: RobustnessRule) -> list[FamilyScore]:
    """Score each column of a table of runs x targets; NaN where the run held no paper of it."""
    is_known = ~np.isnan(table)
    means = _mean_of_known(table)
    with np.errstate(invalid="ignore"):
        found = (table >= rule.min_jaccard - SLACK).sum(axis=0)
        lost = (table < rule.max_lost - SLACK).sum(axis=0)
    known = is_known.sum(axis=0)
    return [
        FamilyScore(
            n_runs=int(n),
            mean_jaccard=float(mean),
            share_found=float(n_found / n) if n else float("nan"),
            share_lost=float(n_lost / n) if n else float("nan"),
        )
        for n, mean, n_found, n_lost in zip(known, means, found, lost, strict=True)
    ]


def _mean_of_known(table: NDArray[np.float64]) -> NDArray[np.float64]:
    is_known = ~np.isnan(table)
    n_known = is_known.sum(axis=0)
    # sorted, so that the mean does not depend on the order of the runs
    total = np.sort(np.where(is_known, table, 0.0), axis=0).sum(axis=0)
    means = np.full(len(total), np.nan)
    np.divide(total, n_known, out=means, where=n_known > 0)
    return means


def _judge(
    families: Mapping[Family, FamilyScore],
    is_in_reference: bool,
    support: Support | None,
    rule: RobustnessRule,
) -> Verdict:
    if not is_in_reference:
        return "not in the reference"
    choices: Family = "one choice" if rule.choices == "one-at-a-time" else "all choices"
    if choices not in families or "papers" not in families:
        return "not tested"
    asked = [families[choices], families["papers"]]
    if any(score.share_lost > 0.5 for score in asked):
        return "vanished"
    is_found = all(score.share_found >= rule.min_share for score in asked)
    is_supported = support is None or support.au >= rule.min_au
    return "robust" if is_found and is_supported else "fragile"
