"""Where a random walker on the groups of a tree is found, as seen from every paper.

A paper is in a group of its own and in those of the nodes above it. With D the weights of each
paper's groups summed, on the diagonal, and M[i, j] the sum of weight / size over the groups of both
i and j, a walker that goes on with probability alpha is found by (1 - alpha) (D - alpha M)^-1 D. M
is a sum of blocks of ones inside one another, each of rank one, so Sherman and Morrison's formula
inverts one after the other, from the leaves up. What is left is a factor of each paper times one
of the node where two papers meet: no matrix is inverted.
"""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import compiled
from survey_tools.kernels.tree_pairs import Nodes

__all__ = ["sum_differences", "visit_papers"]


@compiled
def visit_papers(
    nodes: Nodes,
    meets: NDArray[np.int32],
    places: NDArray[np.int64],
    r: float,
    alpha: float,
    visits: NDArray[np.float64],
) -> None:
    """Compute personalised PageRank on a tree of which some papers are kept, from each to each.

    A node that parts no papers that are kept is none of the groups; so the others are those of
    the tree pruned to these papers. Their levels run from 0 at its root to 1 at height 0, where the
    papers themselves are.

    Parameters
    ----------
    meets : ndarray of int32, shape (n_nodes, n_nodes)
        Lowest common ancestor of every two nodes.
    places : ndarray of int64, shape (n_kept,)
        Papers kept.
    r : float
        A group weighs exp(r * level).
    visits : ndarray of float64, shape (n_kept, n_kept)
        Written; rows sum to 1.
    """
    parents, n_nodes, n_kept = nodes.parents, len(nodes.parents), len(places)
    sizes = np.zeros(n_nodes)
    for i in range(n_kept):
        sizes[nodes.homes[places[i]]] += 1.0
    for v in range(n_nodes - 1):  # children come first
        sizes[parents[v]] += sizes[v]
    is_group = sizes >= 2.0
    for v in range(n_nodes - 1):
        if sizes[v] == sizes[parents[v]]:
            is_group[parents[v]] = False
    top = n_nodes - 1
    for v in range(n_nodes):
        if is_group[v] and sizes[v] == n_kept:
            top = v

    # only proportions count, and no weight may overflow: the largest possible one is 1
    alone = np.exp(min(r, 0.0))
    weights = np.zeros(n_nodes)
    for v in range(n_nodes):
        if is_group[v]:
            level = 1.0 - nodes.heights[v] / nodes.heights[top] if v != top else 0.0
            weights[v] = np.exp(r * level - max(r, 0.0))
    totals = weights.copy()
    for v in range(n_nodes - 2, -1, -1):
        totals[v] += totals[parents[v]]

    own, of_paper = np.empty(n_kept), np.empty(n_kept)
    sums, gains, steps = np.zeros(n_nodes), np.empty(n_nodes), np.empty(n_nodes)
    for i in range(n_kept):
        home = nodes.homes[places[i]]
        of_paper[i] = totals[home] + alone
        own[i] = 1.0 / (of_paper[i] - alpha * alone)
        sums[home] += own[i]
    for v in range(n_nodes):
        share = alpha * weights[v] / sizes[v] if is_group[v] else 0.0
        gains[v] = 1.0 / (1.0 - share * sums[v])
        steps[v] = share * gains[v]
        if parents[v] >= 0:
            sums[parents[v]] += sums[v] * gains[v]
    for v in range(n_nodes - 1, -1, -1):
        if parents[v] >= 0:
            gains[v] *= gains[parents[v]]  # from here on of the node and all above it
        steps[v] /= gains[v] * gains[v]
        if parents[v] >= 0:
            steps[v] += steps[parents[v]]

    for i in range(n_kept):
        row, factor = meets[nodes.homes[places[i]]], own[i] * gains[nodes.homes[places[i]]]
        for j in range(n_kept):
            home = nodes.homes[places[j]]
            common = factor * own[j] * gains[home] * steps[row[home]]
            visits[i, j] = (1.0 - alpha) * common * of_paper[j]
        visits[i, i] += (1.0 - alpha) * own[i] * of_paper[i]


@compiled
def sum_differences(
    visits_a: NDArray[np.float64],
    visits_b: NDArray[np.float64],
    partners: NDArray[np.int64],
) -> float:
    """Sum the absolute differences of two matrices, the papers of one relabelled.

    Parameters
    ----------
    visits_a, visits_b : ndarray of float64, shape (n_papers, n_papers)
    partners : ndarray of int64, shape (n_papers,)
        Row of ``visits_b`` that stands against each row of ``visits_a``.
    """
    n = len(visits_a)
    total = 0.0
    places = partners.astype(np.uint64)
    for i in range(n):
        row_a, row_b = visits_a[i], visits_b[places[i]]
        for j in range(n):
            total += abs(row_a[j] - row_b[places[j]])
    return total
