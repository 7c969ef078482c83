"""Distances -> Tree: agglomerative clustering with one fixed order of papers and ties."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.distances import Distances
from survey_tools.errors import ParameterError
from survey_tools.settings import ClusteringSettings, check_linkage
from survey_tools.tree import Tree

__all__ = ["build_tree", "orders_optimally"]

# Merge heights are rounded so that merges tied in exact arithmetic stay tied: Lance and
# Williams' updates of distances with 12 decimals leave noise below 1e-11.
_N_DECIMALS = 10
_N_SUMS_AT_ONCE = 60_000  # float64: half a megabyte, which a core's cache holds
_N_OPTIMAL_LEAVES = 2000  # optimal leaf order: 0.2 s for 1,000 leaves, 1 s for 2,000


def build_tree(distances: Distances, settings: ClusteringSettings) -> Tree:
    """Merge papers agglomeratively into a tree.

    Papers are taken in the order of their keys, so the result does not depend on the
    order of the input; among pairs at the same distance, scipy merges by that order.

    Parameters
    ----------
    distances : Distances
        In the metric that ``settings`` name.

    Raises
    ------
    ParameterError
        If the linkage has no meaning with the metric, there are fewer than two papers,
        or the distances are in another metric.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378 (algorithms).
    .. [2] Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for
       hierarchical clustering", Bioinformatics 17 (2001).
    """
    if problem := check_linkage(settings.linkage, distances.metric):
        raise ParameterError(problem)
    if settings.metric != distances.metric:
        raise ParameterError(f"{settings.metric} was asked, {distances.metric} distances arrived")
    n_papers = len(distances.paper_keys)
    if n_papers < 2:
        raise ParameterError(f"clustering needs at least 2 papers; {n_papers} arrived")
    by_key = np.array(sorted(range(n_papers), key=distances.paper_keys.__getitem__))
    keys = tuple(distances.paper_keys[i] for i in by_key)
    square = distances.square[np.ix_(by_key, by_key)]
    condensed = Distances(paper_keys=keys, metric=distances.metric, square=square).condensed
    matrix = hierarchy.linkage(condensed, method=settings.linkage)
    matrix[:, 2] = np.round(matrix[:, 2], _N_DECIMALS)
    tree = Tree.from_linkage(matrix, keys, linkage=settings.linkage, metric=settings.metric)
    if orders_optimally(settings, n_papers):
        tree = replace(tree, children=_turn_optimally(tree, square))
    return tree


def orders_optimally(settings: ClusteringSettings, n_papers: int) -> bool:
    """Say whether a tree of so many papers gets the optimal leaf order."""
    if settings.leaf_order == "auto":
        return n_papers <= _N_OPTIMAL_LEAVES
    return settings.leaf_order == "optimal"


def _turn_optimally(tree: Tree, square: NDArray[np.float64]) -> NDArray[np.intp]:
    """Turn every merge so that the distances of neighbouring leaves have the least sum [2]_.

    Leaves are numbered as the tree draws them so far, so every node is a run of numbers.
    ``best[u, w]`` is the least sum inside the smallest node that holds leaves u and w, with
    one of them at its left and the other at its right end. scipy's optimal_leaf_ordering
    computes the same sums but returns another order (scipy issue 11227, seen in 1.17.1).

    Returns
    -------
    ndarray of int, shape (n_papers - 1, 2)
        Children of each merge, the one drawn first first; ties go to the leaves drawn
        first so far.
    """
    n = tree.n_papers
    distance = square[np.ix_(tree.leaf_order, tree.leaf_order)]
    best = np.zeros((n, n))
    span = [slice(start, start + size) for start, size in zip(tree.starts, tree.sizes, strict=True)]
    # which leaves can stand at one end of a node, with those then possible at the other
    ends = [[(span[leaf], span[leaf])] for leaf in range(n)]
    for left, right in tree.children:
        here, there = span[left], span[right]
        for outer, inner in ends[left]:
            to_right = _add_least(best[outer, inner], distance[inner, there])
            for far, near in ends[right]:
                columns = slice(near.start - there.start, near.stop - there.start)
                best[outer, far] = _add_least(to_right[:, columns], best[near, far])
                best[far, outer] = best[outer, far].T
        ends.append([(here, there), (there, here)])

    children = tree.children.copy()
    here, there = ends[tree.root][0]
    u, w = np.unravel_index(np.argmin(best[here, there]), best[here, there].shape)
    todo = [(tree.root, here.start + u, there.start + w)]
    while todo:
        node, u, w = todo.pop()
        if node < n:
            continue
        left, right = children[node - n]
        if not span[left].start <= u < span[left].stop:
            left, right = right, left
        children[node - n] = left, right
        inner = next(inner for outer, inner in ends[left] if outer.start <= u < outer.stop)
        near = next(near for far, near in ends[right] if far.start <= w < far.stop)
        sums = best[u, inner][:, None] + distance[inner, near] + best[near, w]
        i, j = np.unravel_index(np.argmin(sums), sums.shape)
        todo += [(left, u, inner.start + i), (right, near.start + j, w)]
    return children


def _add_least(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return min over j of a[i, j] + b[j, k], looping over the shortest side."""
    n_rows, n_middle, n_columns = *a.shape, b.shape[1]
    if n_middle == 1:
        return a + b
    if a.size * n_columns <= _N_SUMS_AT_ONCE:
        return np.asarray((a[:, :, None] + b).min(axis=1))
    if n_rows <= n_middle:
        return np.stack([(row[:, None] + b).min(axis=0) for row in a])
    sums = a[:, :1] + b[:1]
    for j in range(1, n_middle):
        np.minimum(sums, a[:, j : j + 1] + b[j : j + 1], out=sums)
    return sums
