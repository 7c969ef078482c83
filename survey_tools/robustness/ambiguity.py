"""How ambiguous the consensus over runs is at every number of clusters, and which is least."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survey_tools.errors import ParameterError
from survey_tools.robustness.consensus import check_codes, check_counts_fit, mark_together

__all__ = ["Ambiguity", "CutConsensus", "choose_largest"]

_THRESHOLDS = np.arange(101) / 100.0  # of the curve that is drawn; all else is exact
_TIED = 1e-9  # as for other choices of a number of clusters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ambiguity:
    """The consensus index (share of runs that keep a pair together) at every number of clusters.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (n_numbers,)
        Rising, from 2 on.
    thresholds : ndarray of float, shape (101,)
        0 to 1.
    cdf : ndarray of float, shape (n_numbers, 101)
        Share of the pairs whose consensus index is at most the threshold.
    areas : ndarray of float, shape (n_numbers,)
        Area under the curve from 0 to 1, which is 1 less the mean consensus index.
    area_changes : ndarray of float, shape (n_numbers,)
        Delta(K): the first area itself, then the growth in shares of the area before; NaN
        where that is 0.
    pac : ndarray of float, shape (n_numbers,)
        Proportion of ambiguous clustering: share of the pairs whose index is above ``lower``
        and at most ``upper``.
    lower, upper : float
    n_pairs, n_unseen : int
        Pairs that some run held; pairs that none did, which count nowhere here.
    n_runs : int
    chosen : int or None
        Number of clusters with the smallest PAC, of equal ones the fewest; None without runs.
    """

    n_clusters: NDArray[np.intp]
    thresholds: NDArray[np.float64]
    cdf: NDArray[np.float64]
    areas: NDArray[np.float64]
    area_changes: NDArray[np.float64]
    pac: NDArray[np.float64]
    lower: float
    upper: float
    n_pairs: int
    n_unseen: int
    n_runs: int
    chosen: int | None


class CutConsensus:
    """Counts which papers are in one cluster, run by run, for several numbers of clusters.

    One square matrix of whole numbers a number of clusters is kept, however many runs there are.

    Parameters
    ----------
    paper_keys : tuple of str, length n_papers
    numbers : tuple of int
        Numbers of clusters, rising, from 2 on: one cluster is never ambiguous.

    Raises
    ------
    ParameterError
        If the numbers do not rise from 2 on, a key stands twice, or the counts do not fit into
        the memory that is free.
    """

    def __init__(self, paper_keys: tuple[str, ...], numbers: tuple[int, ...]) -> None:
        n = len(paper_keys)
        if len(set(paper_keys)) < n:
            raise ParameterError("two papers of a consensus have one key")
        if not numbers or numbers[0] < 2 or (np.diff(numbers) <= 0).any():
            raise ParameterError(
                f"numbers of clusters rise from 2 on; {', '.join(map(str, numbers)) or 'none'} "
                "arrived"
            )
        check_counts_fit(n, len(numbers) + 1)
        self.paper_keys = paper_keys
        self.numbers = numbers
        self.n_runs = 0
        self._held = np.zeros((n, n), dtype=np.int32)
        self._together = np.zeros((len(numbers), n, n), dtype=np.int32)

    def add(self, codes: ArrayLike) -> None:
        """Add one run.

        Parameters
        ----------
        codes : array of int, shape (n_numbers, n_papers)
            Cluster of each paper at each number of clusters; -1 for papers that the run did
            not hold, the same ones in every row.

        Raises
        ------
        ParameterError
            If the codes have another shape, are no whole numbers, or the rows hold different
            papers.
        """
        rows = check_codes(codes, (len(self.numbers), len(self.paper_keys)))
        is_held = rows[0] >= 0
        if ((rows >= 0) != is_held).any():
            raise ParameterError("a run holds the same papers at every number of clusters")
        self._held += np.logical_and.outer(is_held, is_held)
        for counts, row in zip(self._together, rows, strict=True):
            counts += mark_together(row)
        self.n_runs += 1

    def measure(self, *, lower: float = 0.1, upper: float = 0.9) -> Ambiguity:
        """Measure the consensus curve, its area and its ambiguous part at every number.

        The smallest PAC is a rule that works where clusters are alike in size and far apart
        [2]_. It favours many clusters, because pairs of papers apart become the rule and are
        the least ambiguous, and one large cluster beside single papers, because nearly all
        pairs are then together: compare with null corpora, see
        `survey_tools.robustness.relative_ambiguity` [3]_.

        Of Monti's sum for the area [1]_, which takes each step of the curve at its right end
        and so is 1 for clusters without ambiguity whatever their number, the limit is computed:
        the area itself, as ConsensusClusterPlus does in steps of 0.01.

        Parameters
        ----------
        lower, upper : float
            Consensus index beyond which a pair is clearly apart or together; 0.1 and 0.9 as in
            [2]_, figure 2.

        Raises
        ------
        ParameterError
            If the bounds are not 0 <= lower < upper <= 1.

        References
        ----------
        .. [1] Monti, Tamayo, Mesirov and Golub, "Consensus clustering", Machine Learning 52
           (2003), 91-118, section 3.3.
        .. [2] Senbabaoglu, Michailidis and Li, "Critical limitations of consensus clustering in
           class discovery", Scientific Reports 4 (2014), 6207.
        .. [3] John et al., "M3C: Monte Carlo reference-based consensus clustering", Scientific
           Reports 10 (2020), 1816.
        """
        if not 0.0 <= lower < upper <= 1.0:
            raise ParameterError(f"bounds of PAC are {lower} and {upper}; give 0 to 1, rising")
        upper_triangle = np.triu_indices(len(self.paper_keys), k=1)
        held = self._held[upper_triangle]
        is_seen = held > 0
        n_pairs = int(is_seen.sum())
        cdf = np.full((len(self.numbers), len(_THRESHOLDS)), np.nan)
        areas, pac = np.full((2, len(self.numbers)), np.nan)
        if n_pairs:
            for i, together in enumerate(self._together):
                # sorted, so that the order of the papers changes no sum
                shares = np.sort(together[upper_triangle][is_seen] / held[is_seen])
                cdf[i] = np.searchsorted(shares, _THRESHOLDS, side="right") / n_pairs
                areas[i] = 1.0 - shares.mean()
                ends = np.searchsorted(shares, [lower, upper], side="right")
                pac[i] = (ends[1] - ends[0]) / n_pairs
        changes = areas.copy()
        changes[1:] = np.divide(
            np.diff(areas), areas[:-1], out=np.full(len(areas) - 1, np.nan), where=areas[:-1] > 0
        )
        numbers = np.array(self.numbers, dtype=np.intp)
        return Ambiguity(
            n_clusters=numbers,
            thresholds=_THRESHOLDS.copy(),
            cdf=cdf,
            areas=areas,
            area_changes=changes,
            pac=pac,
            lower=lower,
            upper=upper,
            n_pairs=n_pairs,
            n_unseen=len(held) - n_pairs,
            n_runs=self.n_runs,
            chosen=choose_largest(numbers, -pac),
        )


def choose_largest(numbers: NDArray[np.intp], values: NDArray[np.float64]) -> int | None:
    """Return the number with the greatest value, of equal ones the smallest; None without values.

    Values that agree to within 1e-9 are equal.
    """
    known = np.where(np.isfinite(values), values, -np.inf)
    if not np.isfinite(known).any():
        return None
    return int(numbers[np.flatnonzero(known >= known.max() - _TIED)[0]])
