"""The best F1 of random sets of leaves over all inner nodes of a tree."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import compiled

__all__ = ["search_random_sets"]


@compiled
def search_random_sets(
    joins: NDArray[np.int64],
    node_sizes: NDArray[np.int64],
    parent_sizes: NDArray[np.int64],
    orders: NDArray[np.int32],
    set_sizes: NDArray[np.int64],
    best: NDArray[np.float64],
) -> None:
    """Find for the first 1, 2, … places of each order the node that holds them best.

    A node that does not join two of the marked leaves holds as many of them as a smaller
    one does, so that only the m - 1 joins of neighbouring marked leaves can be best, or the
    parent of a single leaf. One scan along the leaves finds all of them: a join ends every
    lower one on its left, as when a tree is made from its heights.

    Parameters
    ----------
    joins : ndarray of int64, shape (n - 1,)
        Merge at which each leaf meets its right neighbour, in leaf order.
    node_sizes : ndarray of int64, shape (n - 1,)
        Leaves below each merge; where tied merges are one node, below that node.
    parent_sizes : ndarray of int64, shape (n,)
        The same of the merge above each leaf, in leaf order.
    orders : ndarray of int32, shape (n_orders, n_most)
        Different places in leaf order, at random.
    set_sizes : ndarray of int64, shape (n_sets,)
        How many places of an order are marked, ascending, n_most at most.
    best : ndarray of float64, shape (n_orders, n_sets)
        Filled with the best F1.
    """
    n = len(parent_sizes)
    is_marked = np.zeros(n, dtype=np.bool_)
    open_nodes = np.empty(n, dtype=np.int64)
    counts = np.empty(n, dtype=np.int64)
    for r in range(len(orders)):
        is_marked[:] = False
        n_marked = 0
        for k in range(len(set_sizes)):
            size = set_sizes[k]
            while n_marked < size:
                is_marked[orders[r, n_marked]] = True
                n_marked += 1
            top, depth, count, join = 0.0, 0, 0, -1
            for place in range(n):
                if is_marked[place]:
                    top = max(top, 2.0 / (parent_sizes[place] + size))
                    if count:
                        while depth and open_nodes[depth - 1] < join:
                            depth -= 1
                            count += counts[depth]
                            found = 2.0 * count / (node_sizes[open_nodes[depth]] + size)
                            top = max(top, found)
                        open_nodes[depth], counts[depth] = join, count
                        depth += 1
                    count, join = 1, -1
                if place < n - 1:
                    join = max(join, joins[place])
            while depth:
                depth -= 1
                count += counts[depth]
                top = max(top, 2.0 * count / (node_sizes[open_nodes[depth]] + size))
            best[r, k] = top
