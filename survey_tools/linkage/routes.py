"""Rows or distances -> Tree, by the route that is exact and fits into memory.

Up to 2,000 papers a square matrix of distances is made and scipy merges. Beyond, Ward's
linkage, and average linkage of cosine distances, work from the rows themselves, in memory
that grows with the entries of the rows; the other linkages keep the matrix, with the memory
it needs said beforehand and refused if it does not fit.

Ties follow the keys on every route: papers are sorted by key first, so the result does not
depend on the order of the input. From rows, of pairs at the same distance the one whose
papers come first by key is merged first; from a matrix, scipy's algorithms decide in the
order of the keys.
"""

import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster import hierarchy
from sklearn.preprocessing import normalize

from survey_tools.distances import (
    DenseRowDistances,
    Distances,
    PairDistances,
    SparseRowDistances,
    measure_dense_distances,
    measure_distances,
)
from survey_tools.errors import ParameterError
from survey_tools.linkage.leaf_order import turn_by_ends, turn_optimally
from survey_tools.progress import CountProgress
from survey_tools.settings import ClusteringSettings, check_linkage
from survey_tools.text import Features
from survey_tools.tree import Tree

__all__ = [
    "N_HEIGHT_DECIMALS",
    "build_tree",
    "choose_distances",
    "count_cores",
    "leaf_order_of",
    "needs_matrix",
]

# Merge heights are rounded so that merges tied in exact arithmetic stay tied: Lance and
# Williams' updates of distances with 12 decimals leave noise below 1e-11.
N_HEIGHT_DECIMALS = 10
_N_OPTIMAL_LEAVES = 2000  # optimal leaf order: 0.2 s for 1,000 leaves, 1 s for 2,000
# Up to so many papers the matrix takes less time than numba takes to load (half a second).
_N_IN_MATRIX = 2000
_FROM_ROWS = {("ward", "euclidean"), ("average", "cosine")}


def needs_matrix(settings: ClusteringSettings, n_papers: int) -> bool:
    """Say whether the tree of so many papers is built from a square matrix of distances."""
    pair = settings.linkage, settings.metric
    return n_papers <= _N_IN_MATRIX or pair not in _FROM_ROWS or settings.leaf_order == "optimal"


def leaf_order_of(settings: ClusteringSettings, n_papers: int) -> str:
    """Return the leaf order that a tree of so many papers gets: optimal, ends or merge."""
    if settings.leaf_order == "auto":
        return "optimal" if n_papers <= _N_OPTIMAL_LEAVES else "ends"
    return settings.leaf_order


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_distances(
    features: Features, settings: ClusteringSettings, *, dense: NDArray[np.float64] | None = None
) -> PairDistances:
    """Choose how the distances of the papers are kept: as a square matrix, or by rows.

    Parameters
    ----------
    dense : ndarray of float64, shape (n_papers, n_dimensions), optional
        Rows to cluster instead of the weighted terms, in the same order.

    Raises
    ------
    ParameterError
        If a matrix is needed and does not fit into the memory that is free.
    """
    keys, metric = features.paper_keys, settings.metric
    if needs_matrix(settings, len(keys)):
        if dense is not None:
            return measure_dense_distances(keys, dense, metric, precision=settings.precision)
        return measure_distances(features, metric, precision=settings.precision)
    if dense is not None:
        return DenseRowDistances(paper_keys=keys, metric=metric, rows=dense)
    return SparseRowDistances(
        paper_keys=keys, metric=metric, rows=features.matrix, n_threads=count_cores()
    )


def build_tree(
    distances: PairDistances,
    settings: ClusteringSettings,
    *,
    progress: CountProgress | None = None,
) -> Tree:
    """Merge papers agglomeratively into a tree.

    Parameters
    ----------
    distances : PairDistances
        In the metric that ``settings`` name; see `choose_distances`.
    progress : callable, optional
        Called as ``progress(n_done, n_all)`` where the tree is built from rows.

    Raises
    ------
    ParameterError
        If the linkage has no meaning with the metric, there are fewer than two papers,
        or the distances are in another metric.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378 (algorithms).
    """
    if problem := check_linkage(settings.linkage, distances.metric):
        raise ParameterError(problem)
    if settings.metric != distances.metric:
        raise ParameterError(f"{settings.metric} was asked, {distances.metric} distances arrived")
    n_papers = len(distances.paper_keys)
    if n_papers < 2:
        raise ParameterError(f"clustering needs at least 2 papers; {n_papers} arrived")
    by_key = _sort_by_key(distances)
    matrix = _merge(by_key, settings, progress)
    matrix[:, 2] = np.round(matrix[:, 2], N_HEIGHT_DECIMALS)
    tree = Tree.from_linkage(
        matrix, by_key.paper_keys, linkage=settings.linkage, metric=settings.metric
    )
    return _turn(tree, by_key, settings)


def _sort_by_key(distances: PairDistances) -> PairDistances:
    order = np.array(sorted(range(len(distances.paper_keys)), key=distances.paper_keys.__getitem__))
    if np.array_equal(order, np.arange(len(order))):
        return distances
    keys = tuple(distances.paper_keys[i] for i in order)
    if isinstance(distances, Distances):
        return replace(distances, paper_keys=keys, square=distances.square[np.ix_(order, order)])
    if isinstance(distances, DenseRowDistances):
        return replace(distances, paper_keys=keys, rows=distances.rows[order])
    assert isinstance(distances, SparseRowDistances)
    return replace(distances, paper_keys=keys, rows=sparse.csr_array(distances.rows[order]))


def _merge(
    distances: PairDistances, settings: ClusteringSettings, progress: CountProgress | None
) -> NDArray[np.float64]:
    """Return scipy's linkage matrix of papers sorted by key."""
    if isinstance(distances, Distances):
        merged = hierarchy.linkage(distances.condensed, method=settings.linkage)
        return np.asarray(merged, dtype=np.float64)
    if settings.linkage not in ("ward", "average") or (
        (settings.linkage, settings.metric) not in _FROM_ROWS
    ):
        raise ParameterError(
            f"{settings.linkage} linkage of {settings.metric} distances needs the matrix of all "
            "distances; rows arrived"
        )
    # numba loads half a second, so only a corpus that needs it pays for it
    if isinstance(distances, DenseRowDistances):
        from survey_tools.linkage.dense import merge_dense_rows

        return merge_dense_rows(distances.rows, linkage=settings.linkage, progress=progress)
    assert isinstance(distances, SparseRowDistances)
    from survey_tools.linkage.sparse import merge_sparse_rows

    rows = distances.rows
    if settings.linkage == "average":
        rows = sparse.csr_array(normalize(rows))
    return merge_sparse_rows(
        rows, linkage=settings.linkage, n_threads=distances.n_threads, progress=progress
    )


def _turn(tree: Tree, distances: PairDistances, settings: ClusteringSettings) -> Tree:
    """Order the leaves as the settings say."""
    order = leaf_order_of(settings, tree.n_papers)
    if order == "merge":
        return tree
    if order == "optimal" and isinstance(distances, Distances):
        return turn_optimally(tree, np.asarray(distances.square, dtype=np.float64))
    if settings.leaf_order == "optimal":
        raise ParameterError(
            "the optimal leaf order needs the matrix of all distances; rows arrived"
        )
    return turn_by_ends(tree, distances)
