"""The survey against corpora without structure: how much the method finds where none is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from survey_tools.robustness.material import Reference
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.run import CorpusKind, Run

__all__ = ["NullComparison", "NullTally"]

_TITLES = {
    "stability": "mean Jaccard score of the clusters in subsamples of the papers",
    "ARI of subsamples": "mean adjusted Rand index of subsamples with the whole",
    "silhouette": "mean silhouette of the clusters",
    "cophenetic correlation": "cophenetic correlation of the tree with the distances",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NullComparison:
    """One measure of structure, of the survey and of null corpora of one kind.

    Attributes
    ----------
    measure, title : str
    corpus : {"shuffled", "one-topic"}
    value : float
        Of the survey.
    mean, low, high : float
        Mean, least and greatest value of the null corpora.
    n_nulls : int
    p_value : float
        Share of values at least as great, the survey's own counted: (1 + n) / (1 + N).
    """

    measure: str
    title: str
    corpus: CorpusKind
    value: float
    mean: float
    low: float
    high: float
    n_nulls: int
    p_value: float


@dataclass(slots=True, kw_only=True)
class _Corpus:
    """What was measured of one corpus."""

    jaccards: list[float] = field(default_factory=list)
    aris: list[float] = field(default_factory=list)
    curves: dict[str, tuple[float | None, ...]] = field(default_factory=dict)


class NullTally:
    """Collects measures of structure of the survey and of each null corpus.

    Of the survey as many subsamples are used as of each null corpus, the same ones by number,
    and as clusters those of the cut alone, so that like is compared with like.

    Parameters
    ----------
    clusters : slice
        Which targets of the survey are its flat clusters.
    """

    def __init__(self, reference: Reference, clusters: slice, numbers: tuple[int, ...]) -> None:
        self._clusters = clusters
        self._numbers = numbers
        self._n_clusters = len(np.unique(reference.codes))
        self._found: dict[tuple[CorpusKind, int], _Corpus] = {}

    def add(self, run: Run, outcome: Outcome) -> None:
        """Add the outcome of a run at the survey's own setting, on any corpus."""
        if outcome.failure or run.resample not in ("none", "papers-subsample"):
            return
        corpus = self._found.setdefault((run.corpus, run.corpus_draw), _Corpus())
        if run.resample == "none":
            corpus.curves = dict(outcome.curves)
            return
        scores = outcome.in_clusters[self._clusters] if run.corpus == "own" else outcome.in_clusters
        known = [score for score in scores if score is not None]
        ari = outcome.agreement.get("ARI")
        if known and ari is not None:
            corpus.jaccards.append(float(np.mean(known)))
            corpus.aris.append(ari)

    def compare(self) -> tuple[NullComparison, ...]:
        """Compare every measure with every kind of null corpus that was run."""
        own = self._found.get(("own", 0))
        if own is None:
            return ()
        compared = []
        for kind in ("shuffled", "one-topic"):
            nulls = [corpus for (name, _), corpus in sorted(self._found.items()) if name == kind]
            if not nulls:
                continue
            n_subsamples = min([len(own.aris), *(len(corpus.aris) for corpus in nulls)])
            for measure, title in _TITLES.items():
                value = self._measure(own, measure, n_subsamples)
                values = [self._measure(corpus, measure, n_subsamples) for corpus in nulls]
                known = [x for x in values if x is not None]
                if value is None or not known:
                    continue
                compared.append(_compare(measure, title, kind, value, known))
        return tuple(compared)

    def curves(self, kind: CorpusKind, name: str) -> list[tuple[float | None, ...]]:
        """Return one curve of every corpus of a kind, in the order of the draws."""
        return [
            corpus.curves[name]
            for (found, _), corpus in sorted(self._found.items())
            if found == kind and name in corpus.curves
        ]

    def chances(self, n_targets: int) -> tuple[float | None, ...]:
        """Return for every target its mean best Jaccard score in trees of shuffled corpora."""
        rows = self.curves("shuffled", "targets")
        if not rows:
            return (None,) * n_targets
        means = np.mean(np.array(rows, dtype=np.float64), axis=0)
        return tuple(None if np.isnan(mean) else float(mean) for mean in means)

    def _measure(self, corpus: _Corpus, measure: str, n_subsamples: int) -> float | None:
        if measure == "stability":
            return float(np.mean(corpus.jaccards[:n_subsamples])) if n_subsamples else None
        if measure == "ARI of subsamples":
            return float(np.mean(corpus.aris[:n_subsamples])) if n_subsamples else None
        curve = corpus.curves.get(measure, ())
        if measure == "silhouette":
            if self._n_clusters not in self._numbers or not curve:
                return None
            return curve[self._numbers.index(self._n_clusters)]
        return curve[0] if curve else None


def _compare(
    measure: str, title: str, kind: CorpusKind, value: float, nulls: Sequence[float]
) -> NullComparison:
    n_as_great = sum(null >= value for null in nulls)
    return NullComparison(
        measure=measure,
        title=title,
        corpus=kind,
        value=value,
        mean=float(np.mean(nulls)),
        low=min(nulls),
        high=max(nulls),
        n_nulls=len(nulls),
        p_value=(1 + n_as_great) / (1 + len(nulls)),
    )
