"""Leaf order: which child of every merge is drawn first."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from survey_tools.tree import Tree

__all__ = ["turn_optimally"]

_N_SUMS_AT_ONCE = 60_000  # float64: half a megabyte, which a core's cache holds


def turn_optimally(tree: Tree, square: NDArray[np.float64]) -> Tree:
    """Turn every merge so that the distances of neighbouring leaves have the least sum [1]_.

    Leaves are numbered as the tree draws them so far, so every node is a run of numbers.
    ``best[u, w]`` is the least sum inside the smallest node that holds leaves u and w, with
    one of them at its left and the other at its right end. scipy's optimal_leaf_ordering
    computes the same sums but returns another order (scipy issue 11227, seen in 1.17.1).

    Ties go to the leaves drawn first so far.

    Parameters
    ----------
    square : ndarray of float64, shape (n_papers, n_papers)
        Distances of all pairs, in the order of ``tree.paper_keys``.

    References
    ----------
    .. [1] Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for
       hierarchical clustering", Bioinformatics 17 (2001).
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
    return replace(tree, children=children)


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
