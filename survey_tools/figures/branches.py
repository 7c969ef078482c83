"""Branches of a tree between rows of leaves, and the clusters that colour them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.rows import Row
from survey_tools.partition import Partition
from survey_tools.tree import Tree

__all__ = [
    "colour_merges",
    "find_cut_line",
    "midway_height",
    "place_nodes",
    "trace_branches",
]


def place_nodes(tree: Tree, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Place every node along the rows: a leaf at its row, a merge midway of its children.

    Returns
    -------
    ndarray of float, shape (2 n_papers - 1,)
        Points from the first row's top.
    """
    n = tree.n_papers
    places = np.empty(2 * n - 1)
    places[tree.leaf_order] = [row.centre for row in rows]
    for i, (first, second) in enumerate(tree.children):
        places[n + i] = (places[first] + places[second]) / 2.0
    return places


def trace_branches(tree: Tree, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trace each merge: first child, corner, corner, second child.

    Returns
    -------
    ndarray of float, shape (n_papers - 1, 4, 2)
        (merge height, place of the node).
    """
    n = tree.n_papers
    heights = np.concatenate([np.zeros(n), tree.heights])
    branches = np.empty((n - 1, 4, 2))
    for side, corner, child in ((0, 1, 0), (3, 2, 1)):
        nodes = tree.children[:, child]
        branches[:, side, 0], branches[:, side, 1] = heights[nodes], places[nodes]
        branches[:, corner, 0], branches[:, corner, 1] = tree.heights, places[nodes]
    return branches


def colour_merges(tree: Tree, partition: Partition) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Say of each merge whether it lies inside one cluster, and in which (-1 if not)."""
    group_of = partition.as_mapping()
    index = {name: i for i, name in enumerate(partition.group_names)}
    codes = np.array([index[group_of[key]] for key in tree.keys_in_leaf_order])
    change = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1])])
    starts, sizes = tree.starts[tree.n_papers :], tree.sizes[tree.n_papers :]
    is_joined = change[starts] == change[starts + sizes - 1]
    return is_joined, np.where(is_joined, codes[starts], -1)


def find_cut_line(
    tree: Tree, is_joined: NDArray[np.bool_], cut_height: float | None
) -> float | None:
    """Find the height at which one straight line cuts the tree into its clusters.

    Parameters
    ----------
    is_joined : ndarray of bool, shape (n_papers - 1,)
        Whether each merge lies inside one cluster.
    cut_height : float or None
        Height at which the tree was cut, if it was cut by height.

    Returns
    -------
    float or None
        The height given, else midway between the merges inside clusters and those above;
        None where the line would part nothing, or no line gives the clusters.
    """
    if cut_height is not None:
        return cut_height if cut_height <= tree.heights.max() else None
    return midway_height(tree, is_joined)


def midway_height(tree: Tree, is_joined: NDArray[np.bool_]) -> float | None:
    """Height between all merges inside clusters and all above; None if there is none."""
    if is_joined.all():
        return None
    below = tree.heights[is_joined].max() if is_joined.any() else 0.0
    above = tree.heights[~is_joined].min()
    return float((below + above) / 2.0) if below < above else None
