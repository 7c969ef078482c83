"""Rows of the robustness chapter: runs counted by kind, and methods that choose a number."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from survey_tools.robustness.assessment import Robustness, RunRow
from survey_tools.robustness.run import CorpusKind, Resample

__all__ = ["CORPUS_TITLES", "MethodRow", "RunTally", "count_runs", "list_methods"]

CORPUS_TITLES: dict[str, str] = {
    "own": "the survey",
    "shuffled": "terms dealt anew",
    "one-topic": "papers of one topic",
}
_KINDS: dict[str, str] = {
    "none": "settings, whole corpus",
    "papers-subsample": "subsamples of the papers",
    "papers-bootstrap": "bootstraps of the papers",
    "terms-bootstrap": "bootstraps of the terms",
    "one-paper-out": "one paper left out",
    "paper-order": "other orders of the papers",
    "seed": "other seeds",
    "terms-multiscale": "multiscale bootstrap of the terms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTally:
    """How many runs of one kind were planned, and how many of them have no result."""

    corpus: str
    kind: str
    n_planned: int
    n_failed: int

    @property
    def n_done(self) -> int:
        """Runs with a result."""
        return self.n_planned - self.n_failed


def count_runs(rows: Iterable[RunRow]) -> tuple[RunTally, ...]:
    """Count runs by corpus and kind, the survey's own papers first; each run counts once."""
    planned: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for row in rows:
        kind = row.run.corpus, row.run.resample
        planned[kind] += 1
        failed[kind] += bool(row.failure)
    return tuple(
        RunTally(
            corpus=CORPUS_TITLES[corpus],
            kind=_KINDS[resample],
            n_planned=planned[corpus, resample],
            n_failed=failed[corpus, resample],
        )
        for corpus in get_args(CorpusKind)
        for resample in get_args(Resample)
        if planned[corpus, resample]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """The number of clusters that one method chose, with the value that it went by.

    Attributes
    ----------
    chosen : int or None
    value, value_of_survey : float or None
        At the number chosen, and at the survey's own.
    note : str
    """

    method: str
    chosen: int | None
    value: float | None
    value_of_survey: float | None
    note: str


def list_methods(result: Robustness) -> tuple[MethodRow, ...]:
    """List what each method that was run says of the number of clusters."""
    numbers, own = result.numbers, result.own.n_clusters
    rows = []

    def add(
        method: str, tried: Sequence[int], values: Sequence[Any], chosen: int | None, *notes: str
    ) -> None:
        value_of = dict(zip(tried, values, strict=True))
        is_last = chosen is not None and chosen == tried[-1]
        rows.append(
            MethodRow(
                method=method,
                chosen=chosen,
                value=None if chosen is None else value_of[chosen],
                value_of_survey=None if own is None else value_of.get(own),
                note="; ".join(
                    filter(None, [*notes, "the most that were tried" if is_last else ""])
                ),
            )
        )

    if (found := numbers.ambiguity) is not None:
        tried = found.n_clusters.tolist()
        add("least ambiguity (PAC) in subsamples", tried, found.pac.tolist(), found.chosen)
    if (relative := numbers.relative) is not None:
        tried = relative.n_clusters.tolist()
        is_tested = not math.isnan(relative.p_value)
        note = f"p {relative.p_value:.3f} over all numbers" if is_tested else ""
        values = relative.relative_pac.tolist()
        add("ambiguity against that of shuffled corpora, ln", tried, values, relative.chosen, note)
    if (gap := numbers.gap) is not None:
        rule = "no number fulfils its rule" if gap.is_open else ""
        greatest = gap.chosen_by_maximum
        note = "" if greatest is None else f"greatest gap at {greatest}"
        add("gap statistic", gap.n_clusters.tolist(), gap.gaps.tolist(), gap.chosen, rule, note)
    if numbers.best_silhouette is not None:
        best = numbers.best_silhouette
        add("greatest mean silhouette", numbers.n_clusters, numbers.silhouettes, best)
    return tuple(rows)
