"""How many clusters: the consensus of subsamples, the gap statistic, and the silhouette."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.robustness.ambiguity import Ambiguity, CutConsensus
from survey_tools.robustness.gap import GapStatistic, compute_gap_statistic
from survey_tools.robustness.null_comparison import NullTally
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.relative_ambiguity import RelativeAmbiguity, compare_with_nulls
from survey_tools.robustness.run import Run

__all__ = ["NumberOfClusters", "NumberTally"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NumberOfClusters:
    """What three methods say of the number of clusters; None where one was not run.

    Attributes
    ----------
    n_clusters : tuple of int
        Numbers tried.
    ambiguity : Ambiguity or None
        Consensus of the subsamples.
    relative : RelativeAmbiguity or None
        The same against shuffled corpora, all with as many subsamples.
    gap : GapStatistic or None
        With shuffled corpora as reference.
    silhouettes : tuple of float or None
        Of the survey's own tree.
    null_silhouettes : tuple of tuple
        Of each shuffled corpus.
    """

    n_clusters: tuple[int, ...]
    ambiguity: Ambiguity | None
    relative: RelativeAmbiguity | None
    gap: GapStatistic | None
    silhouettes: tuple[float | None, ...]
    null_silhouettes: tuple[tuple[float | None, ...], ...]

    @property
    def best_silhouette(self) -> int | None:
        """Number with the greatest mean silhouette, of equal ones the fewest."""
        known = [
            (-value, n)
            for n, value in zip(self.n_clusters, self.silhouettes, strict=True)
            if value is not None
        ]
        return min(known)[1] if known else None


class NumberTally:
    """Adds up subsamples of the survey and of shuffled corpora, at every number of clusters.

    Outcomes must come null corpus by null corpus, as a plan sorts them: one consensus of them
    at a time is in memory.

    Parameters
    ----------
    n_compared : int
        Subsamples of each null corpus; as many of the survey's own are compared with them.
    """

    def __init__(
        self, paper_keys: tuple[str, ...], numbers: tuple[int, ...], *, n_compared: int
    ) -> None:
        self._keys, self._numbers = paper_keys, numbers
        self._n_compared = n_compared
        self._own, self._compared = self._empty(), self._empty()
        self._draw, self._null = -1, self._empty()
        self._null_pac: dict[int, NDArray[np.float64]] = {}

    def _empty(self) -> CutConsensus | None:
        return CutConsensus(self._keys, self._numbers) if self._numbers else None

    def add(self, run: Run, outcome: Outcome) -> None:
        """Add the outcome of a run at the survey's own setting, on any corpus."""
        if outcome.failure or run.resample != "papers-subsample" or not outcome.cuts:
            return
        assert self._own is not None
        assert self._compared is not None
        if run.corpus == "own":
            self._own.add(outcome.cuts)
            if self._compared.n_runs < self._n_compared:
                self._compared.add(outcome.cuts)
        elif run.corpus == "shuffled":
            if run.corpus_draw != self._draw:
                self._close_null()
                self._draw = run.corpus_draw
            assert self._null is not None
            self._null.add(outcome.cuts)

    def _close_null(self) -> None:
        """Keep the ambiguity of a null corpus all of whose subsamples have come."""
        if self._null is not None and self._null.n_runs:
            assert self._draw not in self._null_pac
            if self._null.n_runs == self._n_compared:
                self._null_pac[self._draw] = self._null.measure().pac
            self._null = self._empty()

    def decide(self, nulls: NullTally) -> NumberOfClusters:
        """Sum up."""
        self._close_null()
        ambiguity = relative = None
        if self._own is not None and self._own.n_runs:
            ambiguity = self._own.measure()
        compared = self._compared
        if self._null_pac and compared is not None and compared.n_runs == self._n_compared:
            pac = [self._null_pac[draw] for draw in sorted(self._null_pac)]
            relative = compare_with_nulls(compared.measure(), np.array(pac))
        observed = nulls.curves("own", "log dispersion")
        references = nulls.curves("shuffled", "log dispersion")
        gap = None
        if observed and len(references) > 1:
            numbers = (1, *self._numbers)
            gap = compute_gap_statistic(numbers, _floats(observed[0]), _floats(references))
        silhouettes = nulls.curves("own", "silhouette")
        return NumberOfClusters(
            n_clusters=self._numbers,
            ambiguity=ambiguity,
            relative=relative,
            gap=gap,
            silhouettes=silhouettes[0] if silhouettes else (None,) * len(self._numbers),
            null_silhouettes=tuple(nulls.curves("shuffled", "silhouette")),
        )


def _floats(values: Sequence[object]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
