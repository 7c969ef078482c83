"""Two trees cut into 2, 3, … clusters -> the Bk curve of Fowlkes and Mallows, with its band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.agreement.trees import deal_partners, measure_merge_heights, require_same_papers
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

__all__ = ["BkCurve", "compare_cuts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BkCurve:
    """Agreement of two trees at every number of clusters.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (n_cuts,)
        Ascending. Numbers that ties allow in one of the two trees only are left out.
    values : ndarray of float, shape (n_cuts,)
        Fowlkes-Mallows index of both trees cut into as many clusters.
    expected : ndarray of float, shape (n_cuts,)
        Mean over random relabellings of the leaves of one tree.
    low, high : ndarray of float, shape (n_cuts,)
        Band that holds the share ``confidence`` of the relabellings, at each cut by itself.
    """

    n_clusters: NDArray[np.intp]
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_papers: int
    n_permutations: int
    confidence: float


def compare_cuts(
    a: Tree,
    b: Tree,
    *,
    rng: np.random.Generator,
    most: int | None = None,
    n_permutations: int = 10_000,
    confidence: float = 0.95,
) -> BkCurve:
    """Cut two trees into the same number of clusters, for every number, and compare the cuts.

    A relabelling moves the papers of one tree at random, once for all cuts, which costs one
    look at every pair: the finest cut that keeps a pair together in both trees is the coarser
    of the two that do so in each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of relabellings.
    most : int, optional
        Greatest number of clusters, 2 or more; n_papers - 1 by default and at most, since
        single papers make no pairs.
    n_permutations : int
        0 leaves ``expected``, ``low`` and ``high`` at NaN.
    confidence : float
        Share of the relabellings in the band, between 0 and 1.

    Returns
    -------
    BkCurve
        Without any cut if no number of clusters is possible in both trees.

    Raises
    ------
    ParameterError
        If the trees hold different papers, or ``most`` is below 2.

    References
    ----------
    .. [1] Fowlkes and Mallows, "A method for comparing two hierarchical clusterings", JASA 78
       (1983), 553-569.
    """
    from survey_tools.kernels.tree_pairs import count_together  # numba loads half a second

    require_same_papers(a, b)
    n = a.n_papers
    if most is not None and most < 2:
        raise ParameterError(f"cuts into 2 to {most} clusters were asked; give 2 or more")
    most = n - 1 if most is None else min(most, n - 1)
    finest_a, finest_b = _find_finest(a), _find_finest(b)
    common = np.intersect1d(finest_a, finest_b)  # numbers of clusters, rising
    common = common[(common >= 2) & (common <= most)]
    # 0 for pairs together in none of the cuts, i for those together in the first i of them
    cuts_a, cuts_b = (
        np.searchsorted(common, finest, side="right").astype(np.int32)
        for finest in (finest_a, finest_b)
    )
    scale = np.sqrt(_count_pairs(cuts_a, len(common))) * np.sqrt(_count_pairs(cuts_b, len(common)))

    def measure(partners: NDArray[np.int64]) -> NDArray[np.float64]:
        together = np.empty((len(partners), len(common) + 1), dtype=np.int64)
        count_together(cuts_a, cuts_b, partners, together)
        return np.asarray(together[:, 1:] / scale)

    values = measure(np.arange(n)[None, :])[0]
    expected, low, high = np.full((3, len(common)), np.nan)
    if n_permutations and len(common):
        by_chance = np.concatenate(
            [measure(rows) for rows in deal_partners(n, n_permutations, rng)]
        )
        tail = (1.0 - confidence) / 2.0
        expected = by_chance.mean(axis=0)
        low, high = np.quantile(by_chance, [tail, 1.0 - tail], axis=0)
    return BkCurve(
        n_clusters=common,
        values=values,
        expected=expected,
        low=low,
        high=high,
        n_papers=n,
        n_permutations=n_permutations,
        confidence=confidence,
    )


def _find_finest(tree: Tree) -> NDArray[np.intp]:
    """Return the most clusters that leave each pair together, shape (n_papers, n_papers).

    Papers are in the order of their keys. With itself, a paper is together in n_papers.
    """
    by_merge = np.sort(hierarchy.maxdists(tree.to_linkage()))
    n_merged = np.searchsorted(by_merge, measure_merge_heights(tree), side="right")
    np.fill_diagonal(n_merged, 0)
    return np.asarray(tree.n_papers - n_merged)


def _count_pairs(cuts: NDArray[np.int32], n_cuts: int) -> NDArray[np.float64]:
    """Count the pairs that each cut keeps together, shape (n_cuts,)."""
    upper = np.triu_indices(len(cuts), k=1)
    counts = np.bincount(cuts[upper], minlength=n_cuts + 1)
    return np.asarray(counts[::-1].cumsum()[::-1][1:], dtype=np.float64)
