"""Two trees of the same papers, relabelled or halved many times: what their pairs share.

A pair of papers is known by its lowest common ancestor, so sums over pairs and triples are
sums over nodes: with ``common[v, w]`` papers below node v of one tree and w of the other, and
T = common (common - 1) / 2 pairs, the sum over all pairs of f(ancestor in a) g(ancestor in b)
is the sum over v and w of T times the steps of f and g from the parents of v and w to v and w
themselves. Tables of ``common`` add up from the leaves, row by row.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import compiled

__all__ = ["N_MEASURES", "Nodes", "compare_rows", "correlate_rows", "count_together"]

N_MEASURES = 6


class Nodes(NamedTuple):
    """Nodes of a tree whose tied merges are one node, children before parents.

    Attributes
    ----------
    parents : ndarray of int64, shape (n_nodes,)
        -1 for the root, which is the last.
    homes : ndarray of int64, shape (n_papers,)
        Node that each paper hangs from.
    heights : ndarray of float64, shape (n_nodes,)
    rising : ndarray of int64, shape (n_nodes,)
        Nodes ordered by height.
    fans : ndarray of int64, shape (n_fans,)
        Nodes of three children or more, if triples open in both trees are to be counted.
    fan_starts, fan_children : ndarray of int64
        Children of fan i are ``fan_children[fan_starts[i] : fan_starts[i + 1]]``.
    """

    parents: NDArray[np.int64]
    homes: NDArray[np.int64]
    heights: NDArray[np.float64]
    rising: NDArray[np.int64]
    fans: NDArray[np.int64]
    fan_starts: NDArray[np.int64]
    fan_children: NDArray[np.int64]


@compiled
def _describe(
    nodes: Nodes,
    sizes: NDArray[np.float64],
    pairs: NDArray[np.float64],
    ranks: NDArray[np.float64],
    steps: NDArray[np.float64],
    rank_steps: NDArray[np.float64],
    proper: NDArray[np.float64],
) -> tuple[float, float, int]:
    """Describe one side from the papers below its nodes.

    Parameters
    ----------
    sizes : ndarray of float64, shape (n_nodes,)
    pairs, ranks, steps, rank_steps : ndarray of float64, shape (n_nodes,)
        Written: pairs whose lowest common ancestor is the node; mean rank of their height
        among all pairs; steps of centred heights and ranks from the parent to the node.
    proper : ndarray of float64, shape (n_nodes,)
        Written: size of a clade that is neither everything nor the same as a smaller
        node's; -1 where it is no such clade.

    Returns
    -------
    float, float, int
        Root of the summed squares of heights and of ranks about their means, 0 where all
        are equal; proper clades.
    """
    parents, n_nodes = nodes.parents, len(nodes.parents)
    n_papers = sizes[n_nodes - 1]
    for v in range(n_nodes):
        pairs[v] = sizes[v] * (sizes[v] - 1.0) / 2.0
        proper[v] = sizes[v] if 2.0 <= sizes[v] < n_papers else -1.0
    all_pairs = pairs[n_nodes - 1]
    for v in range(n_nodes - 1):  # children come first, so a node's own pairs are still whole
        parent = parents[v]
        pairs[parent] -= sizes[v] * (sizes[v] - 1.0) / 2.0
        if sizes[v] == sizes[parent]:
            proper[parent] = -1.0

    start, n_below, n_levels, mean = 0, 0.0, 0, 0.0
    while start < n_nodes:
        stop, n_level = start, 0.0
        height = nodes.heights[nodes.rising[start]]
        while stop < n_nodes and nodes.heights[nodes.rising[stop]] == height:
            n_level += pairs[nodes.rising[stop]]
            stop += 1
        for i in range(start, stop):
            ranks[nodes.rising[i]] = n_below + (n_level + 1.0) / 2.0
        mean += n_level * height
        n_levels += n_level > 0.0
        n_below += n_level
        start = stop
    mean /= all_pairs
    mean_rank = (all_pairs + 1.0) / 2.0

    spread, rank_spread, n_proper = 0.0, 0.0, 0
    for v in range(n_nodes):
        spread += pairs[v] * (nodes.heights[v] - mean) ** 2
        rank_spread += pairs[v] * (ranks[v] - mean_rank) ** 2
        n_proper += proper[v] > 0.0
        parent = parents[v]
        steps[v] = nodes.heights[v] - (nodes.heights[parent] if parent >= 0 else mean)
        rank_steps[v] = ranks[v] - (ranks[parent] if parent >= 0 else mean_rank)
    if n_levels < 2:
        return 0.0, 0.0, n_proper
    return np.sqrt(spread), np.sqrt(rank_spread), n_proper


@compiled
def _count_open(a: Nodes, b: Nodes, common: NDArray[np.float32]) -> float:
    """Count the triples that neither tree resolves.

    They lie in three children of a fan of either tree. Of the papers common to two fans, in a
    table of child by child, ordered triples in distinct rows and distinct columns follow from
    sums of powers by inclusion and exclusion.
    """
    found = 0.0
    for i in range(len(a.fans)):
        for j in range(len(b.fans)):
            n = float(common[a.fans[i], b.fans[j]])
            if n < 3.0:
                continue
            rows_2, rows_3, columns_2, columns_3 = 0.0, 0.0, 0.0, 0.0
            cells_2, cells_3, crossed, by_row, by_column = 0.0, 0.0, 0.0, 0.0, 0.0
            for q in range(b.fan_starts[j], b.fan_starts[j + 1]):
                column = float(common[a.fans[i], b.fan_children[q]])
                columns_2 += column**2
                columns_3 += column**3
            for p in range(a.fan_starts[i], a.fan_starts[i + 1]):
                of_child = common[a.fan_children[p]]
                row = float(of_child[b.fans[j]])
                if row == 0.0:
                    continue
                rows_2 += row**2
                rows_3 += row**3
                for q in range(b.fan_starts[j], b.fan_starts[j + 1]):
                    cell = float(of_child[b.fan_children[q]])
                    if cell > 0.0:
                        column = float(common[a.fans[i], b.fan_children[q]])
                        cells_2 += cell**2
                        cells_3 += cell**3
                        crossed += cell * row * column
                        by_row += cell**2 * row
                        by_column += cell**2 * column
            found += (
                n**3
                - 3.0 * n * (rows_2 + columns_2 - cells_2)
                + 2.0 * (rows_3 + columns_3)
                + 6.0 * (crossed - by_row - by_column)
                + 4.0 * cells_3
            )
    return found / 6.0


@compiled
def compare_rows(
    a: Nodes, b: Nodes, partners: NDArray[np.int64], measures: NDArray[np.float64]
) -> None:
    """Measure two trees against each other, once for each row of partners.

    O(n_nodes of a x n_nodes of b) a row. Counts are exact up to 2^24 papers, triples up to
    2^53.

    Parameters
    ----------
    partners : ndarray of int64, shape (n_rows, n_papers)
        For every paper of ``a`` the paper of ``b`` that stands against it, no two the same;
        -1 leaves the paper out.
    measures : ndarray of float64, shape (n_rows, N_MEASURES)
        Written: correlation of heights, correlation of their ranks (NaN if a side is
        constant), triples resolved alike, triples open in both trees, proper clades in
        common, proper clades of ``a`` plus those of ``b``.
    """
    n_a, n_b, n = len(a.parents), len(b.parents), len(a.homes)
    # of paper y: 1 for the nodes above it, then 1 for the nodes above it whose parents are not
    above = np.zeros((n, 2 * n_b), dtype=np.float32)
    for y in range(n):
        w = b.homes[y]
        while w >= 0:
            above[y, w] = 1.0
            if b.parents[w] < 0:
                above[y, n_b + w] = 1.0
            w = b.parents[w]
        for w in range(n_b - 1):
            above[y, n_b + w] = above[y, w] - above[y, b.parents[w]]
    table = np.empty((n_a, 2 * n_b), dtype=np.float32)
    sizes_a, sizes_b = np.empty(n_a), np.empty(n_b)
    pairs_a, pairs_b = np.empty(n_a), np.empty(n_b)
    ranks_a, ranks_b = np.empty(n_a), np.empty(n_b)
    steps_a, steps_b = np.empty(n_a), np.empty(n_b)
    rank_steps_a, rank_steps_b = np.empty(n_a), np.empty(n_b)
    proper_a, proper_b = np.empty(n_a), np.empty(n_b)
    products, rank_products, alike = np.empty(n_b), np.empty(n_b), np.empty(n_b)
    nothing = np.zeros(n_b, dtype=np.float32)

    for r in range(len(partners)):
        table[:] = 0.0
        sizes_a[:] = 0.0
        for x in range(n):
            if partners[r, x] >= 0:
                into, row = table[a.homes[x]], above[partners[r, x]]
                for w in range(2 * n_b):
                    into[w] += row[w]
                sizes_a[a.homes[x]] += 1.0
        for v in range(n_a - 1):
            into, row = table[a.parents[v]], table[v]
            for w in range(2 * n_b):
                into[w] += row[w]
            sizes_a[a.parents[v]] += sizes_a[v]
        for w in range(n_b):
            sizes_b[w] = table[n_a - 1, w]
        spread_a, rank_spread_a, n_proper_a = _describe(
            a, sizes_a, pairs_a, ranks_a, steps_a, rank_steps_a, proper_a
        )
        spread_b, rank_spread_b, n_proper_b = _describe(
            b, sizes_b, pairs_b, ranks_b, steps_b, rank_steps_b, proper_b
        )

        products[:] = 0.0
        rank_products[:] = 0.0
        alike[:] = 0.0
        n_shared = 0
        for v in range(n_a):
            common, outside = table[v, :n_b], table[v, n_b:]
            parent = a.parents[v]
            outside_parent = table[parent, n_b:] if parent >= 0 else nothing
            step, rank_step = steps_a[v], rank_steps_a[v]
            for w in range(n_b):
                together = float(common[w])
                together = together * (together - 1.0) / 2.0
                products[w] += step * together
                rank_products[w] += rank_step * together
                alike[w] += together * (float(outside[w]) - float(outside_parent[w]))
            if proper_a[v] > 0.0:
                size = proper_a[v]
                for w in range(n_b):
                    n_shared += (proper_b[w] == size) & (float(common[w]) == size)

        product, rank_product, n_alike = 0.0, 0.0, 0.0
        n_papers = sizes_a[n_a - 1]
        for w in range(n_b):
            product += steps_b[w] * products[w]
            rank_product += rank_steps_b[w] * rank_products[w]
            n_alike += alike[w]
            n_alike += pairs_b[w] * (n_papers - sizes_b[w])  # outside of b's node
        for v in range(n_a):
            n_alike -= pairs_a[v] * sizes_a[v]  # less those inside of a's, back: inside of both
        found = measures[r]
        if spread_a > 0.0 and spread_b > 0.0:
            found[0] = min(1.0, max(-1.0, product / (spread_a * spread_b)))
            found[1] = min(1.0, max(-1.0, rank_product / (rank_spread_a * rank_spread_b)))
        else:
            found[0] = found[1] = np.nan
        found[2] = n_alike
        found[3] = _count_open(a, b, table) if len(a.fans) and len(b.fans) else 0.0
        found[4] = n_shared
        found[5] = n_proper_a + n_proper_b


@compiled
def correlate_rows(
    square_a: NDArray[np.float64],
    square_b: NDArray[np.float64],
    partners: NDArray[np.int64],
    products: NDArray[np.float64],
) -> None:
    """Sum the products of two symmetric matrices over all pairs, once for each relabelling.

    Parameters
    ----------
    square_a, square_b : ndarray of float64, shape (n_papers, n_papers)
    partners : ndarray of int64, shape (n_rows, n_papers)
        Row of ``square_b`` that stands against each row of ``square_a``.
    products : ndarray of float64, shape (n_rows,)
        Written.
    """
    n = len(square_a)
    for r in range(len(partners)):
        total = 0.0
        places = partners[r].astype(np.uint64)
        for i in range(1, n):
            row_a, row_b = square_a[i], square_b[places[i]]
            for j in range(i):
                total += row_a[j] * row_b[places[j]]
        products[r] = total


@compiled
def count_together(
    finest_a: NDArray[np.int32],
    finest_b: NDArray[np.int32],
    partners: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> None:
    """Count the pairs that both trees keep together at every cut, once for each relabelling.

    Parameters
    ----------
    finest_a, finest_b : ndarray of int, shape (n_papers, n_papers)
        Finest cut at which two papers are still in one cluster, 0 to n_cuts - 1, coarser
        first.
    partners : ndarray of int64, shape (n_rows, n_papers)
        Row of ``finest_b`` that stands against each row of ``finest_a``.
    pairs : ndarray of int64, shape (n_rows, n_cuts)
        Written: pairs together in both trees.
    """
    n, n_cuts = len(finest_a), pairs.shape[1]
    for r in range(len(partners)):
        found = pairs[r]
        found[:] = 0
        places = partners[r].astype(np.uint64)
        for i in range(1, n):
            row_a, row_b = finest_a[i], finest_b[places[i]]
            for j in range(i):
                found[np.uint64(min(row_a[j], row_b[places[j]]))] += 1
        for k in range(n_cuts - 1, 0, -1):
            found[k - 1] += found[k]
