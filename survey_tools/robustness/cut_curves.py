"""Cuts of one tree into 1, 2, 3, … clusters: dispersion within them, silhouette, in one pass."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from survey_tools.distances import Distances
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

__all__ = [
    "correlate_cophenetic",
    "measure_curves",
    "measure_log_dispersion",
    "measure_silhouettes",
]

_ZERO = 1e-12  # distances up to this are rounding noise, as for the silhouettes of clusters
_N_DIGITS = 12  # beyond, sums differ by their order
_DISPERSED = ("euclidean", "cosine")


def measure_curves(
    tree: Tree, distances: Distances, numbers: tuple[int, ...]
) -> dict[str, tuple[float | None, ...]]:
    """Measure all curves of a tree's cuts, as an outcome keeps them.

    Returns
    -------
    dict of str to tuple of float or None
        ``silhouette`` at the numbers; ``log dispersion`` at 1 cluster and then at the numbers,
        left out for metrics without squares (cityblock, jaccard); ``cophenetic correlation``,
        one value. Rounded to 12 decimals, None where undefined.

    Raises
    ------
    ParameterError
        As the functions for each of them.
    """
    curves = {
        "silhouette": measure_silhouettes(tree, distances, numbers),
        "cophenetic correlation": np.array([correlate_cophenetic(tree, distances)]),
    }
    if distances.metric in _DISPERSED:
        curves["log dispersion"] = measure_log_dispersion(tree, distances, (1, *numbers))
    return {
        name: tuple(
            round(value, _N_DIGITS) if np.isfinite(value) else None for value in curve.tolist()
        )
        for name, curve in curves.items()
    }


def measure_log_dispersion(
    tree: Tree, distances: Distances, numbers: tuple[int, ...]
) -> NDArray[np.float64]:
    """Compute ln W of the cuts of a tree, W being the dispersion within the clusters.

    W is the sum over clusters of D / (2 n), where D sums the squared Euclidean distances of
    all ordered pairs of the cluster's n papers [1]_, equations 1 and 2; that is the sum of
    squares around the clusters' means. Every pair of papers is added once, at the merge that
    joins it, so all cuts together take O(n_papers^2).

    Parameters
    ----------
    distances : Distances
        Of the tree's papers, in any order. Euclidean ones are squared; cosine ones are
        doubled, which gives the squared Euclidean distances of rows scaled to norm 1.
    numbers : tuple of int
        Numbers of clusters, from 1 on.

    Returns
    -------
    ndarray of float64, shape (n_numbers,)
        NaN where tied merges forbid the number, there are fewer papers, or W is 0 because all
        papers of each cluster are equal.

    Raises
    ------
    ParameterError
        If the distances are in another metric, or of other papers, or a number is below 1.

    References
    ----------
    .. [1] Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via
       the gap statistic", JRSS B 63 (2001), 411-423.
    """
    if distances.metric not in _DISPERSED:
        raise ParameterError(
            f"dispersion needs euclidean or cosine distances; {distances.metric} arrived"
        )
    wanted = _check_numbers(numbers, least=1)
    square = _square_in_leaf_order(tree, distances)
    squared = square**2 if distances.metric == "euclidean" else 2.0 * square
    n = tree.n_papers
    starts, sizes = tree.starts.tolist(), tree.sizes.tolist()
    sums = [0.0] * (2 * n - 1)  # over the pairs inside each node
    for i, (left, right) in enumerate(tree.children.tolist()):
        here = slice(starts[left], starts[left] + sizes[left])
        there = slice(starts[right], starts[right] + sizes[right])
        sums[n + i] = sums[left] + sums[right] + float(squared[here, there].sum())
    within = np.array(sums) / tree.sizes
    gains = within[n:] - within[tree.children].sum(axis=1)
    order, _ = _order_merges(tree)
    by_merges = np.concatenate([[0.0], np.cumsum(gains[order])])  # after 0, 1, … merges
    found = np.full(len(wanted), np.nan)
    is_possible = _find_possible(tree, wanted)
    w = by_merges[n - wanted[is_possible]]
    found[is_possible] = np.log(w, out=np.full(len(w), np.nan), where=w > 0)
    return found


def measure_silhouettes(
    tree: Tree, distances: Distances, numbers: tuple[int, ...]
) -> NDArray[np.float64]:
    """Compute the mean silhouette of the cuts of a tree.

    Cuts are nested, and clusters are runs of the leaf order: distances are summed to the
    clusters of the finest cut once, and to coarser ones over neighbouring runs. A paper alone
    in its cluster has silhouette 0.

    Parameters
    ----------
    distances : Distances
        Of the tree's papers, in any order and metric.
    numbers : tuple of int
        Numbers of clusters, from 2 on.

    Returns
    -------
    ndarray of float64, shape (n_numbers,)
        -1 to 1; NaN where tied merges forbid the number, or there are not more papers.

    Raises
    ------
    ParameterError
        If the distances are of other papers, or a number is below 2.

    References
    ----------
    .. [1] Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20 (1987), 53-65.
    """
    wanted = _check_numbers(numbers, least=2)
    n = tree.n_papers
    square = _square_in_leaf_order(tree, distances)
    found = np.full(len(wanted), np.nan)
    is_possible = _find_possible(tree, wanted) & (wanted < n)
    if not is_possible.any():
        return found
    order, _ = _order_merges(tree)
    # a merge takes away the border before the first leaf of its second child
    borders = tree.starts[tree.children[order, 1]]
    finest = np.sort(np.append(borders[n - int(wanted[is_possible].max()) :], 0))
    sums = np.add.reduceat(square, finest, axis=0)  # (n_finest, n_papers)
    for i in np.flatnonzero(is_possible):
        firsts = np.sort(np.append(borders[n - wanted[i] :], 0))
        to_clusters = np.add.reduceat(sums, np.searchsorted(finest, firsts), axis=0)
        found[i] = _mean_silhouette(to_clusters, np.diff(np.append(firsts, n)))
    return found


def _mean_silhouette(sums: NDArray[np.float64], sizes: NDArray[np.intp]) -> float:
    """Mean silhouette from each paper's distances to clusters that are runs of papers."""
    n_clusters, n_papers = sums.shape
    own, papers = np.repeat(np.arange(n_clusters), sizes), np.arange(n_papers)
    size = sizes[own]
    inside = sums[own, papers] / np.maximum(size - 1, 1)
    means = sums / sizes[:, None]
    means[own, papers] = np.inf
    outside = means.min(axis=0)
    larger = np.maximum(inside, outside)
    scores = np.divide(
        outside - inside, larger, out=np.zeros(n_papers), where=(larger > _ZERO) & (size > 1)
    )
    return float(scores.mean())


def correlate_cophenetic(tree: Tree, distances: Distances) -> float:
    """Correlate the distances of all pairs with the heights at which they are merged.

    NaN where all distances, or all heights, are equal.

    References
    ----------
    .. [1] Sokal and Rohlf, "The comparison of dendrograms by objective methods", Taxon 11
       (1962), 33-40.
    """
    place = np.empty(tree.n_papers, dtype=np.intp)
    place[tree.leaf_order] = np.arange(tree.n_papers)
    square = _square_in_leaf_order(tree, distances)[np.ix_(place, place)]
    a, b = squareform(square, checks=False), hierarchy.cophenet(tree.to_linkage())
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > _ZERO else np.nan


def _square_in_leaf_order(tree: Tree, distances: Distances) -> NDArray[np.float64]:
    row_of = {key: i for i, key in enumerate(distances.paper_keys)}
    if row_of.keys() != set(tree.paper_keys):
        raise ParameterError("tree and distances hold different papers")
    rows = [row_of[key] for key in tree.keys_in_leaf_order]
    return np.asarray(distances.square[np.ix_(rows, rows)], dtype=np.float64)


def _check_numbers(numbers: tuple[int, ...], *, least: int) -> NDArray[np.intp]:
    wanted = np.array(numbers, dtype=np.intp)
    if (wanted < least).any():
        raise ParameterError(
            f"numbers of clusters start at {least} here; {int(wanted.min())} arrived"
        )
    return wanted


def _order_merges(tree: Tree) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return merges as cuts undo them, the last first undone, and the heights they count at.

    A merge that is lower than one below it counts at the height of that one, as in
    `survey_tools.cuts`.
    """
    ceilings = np.asarray(hierarchy.maxdists(tree.to_linkage()), dtype=np.float64)
    order = np.argsort(ceilings, kind="stable")
    return order, ceilings[order]


def _find_possible(tree: Tree, wanted: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Say which numbers of clusters the papers and tied merges allow."""
    n = tree.n_papers
    _, ceilings = _order_merges(tree)
    steps = np.concatenate([[-np.inf], ceilings, [np.inf]])
    n_merges = np.clip(n - wanted, 0, n - 1)
    return (wanted <= n) & (steps[n_merges] < steps[n_merges + 1])
