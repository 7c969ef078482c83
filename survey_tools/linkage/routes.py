"""Distances -> Tree: agglomerative clustering with one fixed order of papers and ties."""

import numpy as np
from scipy.cluster import hierarchy

from survey_tools.distances import Distances
from survey_tools.errors import ParameterError
from survey_tools.linkage.leaf_order import turn_optimally
from survey_tools.settings import ClusteringSettings, check_linkage
from survey_tools.tree import Tree

__all__ = ["build_tree", "orders_optimally"]

# Merge heights are rounded so that merges tied in exact arithmetic stay tied: Lance and
# Williams' updates of distances with 12 decimals leave noise below 1e-11.
_N_DECIMALS = 10
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
        tree = turn_optimally(tree, square)
    return tree


def orders_optimally(settings: ClusteringSettings, n_papers: int) -> bool:
    """Say whether a tree of so many papers gets the optimal leaf order."""
    if settings.leaf_order == "auto":
        return n_papers <= _N_OPTIMAL_LEAVES
    return settings.leaf_order == "optimal"
