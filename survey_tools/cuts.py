"""Cuts: a tree -> flat clusters, by number, height, gap, silhouette or inconsistency."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.settings import CutSettings
from survey_tools.tree import Tree

__all__ = [
    "MeasuredCut",
    "PartitionMeasure",
    "cut",
    "cut_at_gap",
    "cut_at_height",
    "cut_by_inconsistency",
    "cut_by_settings",
    "cut_by_silhouette",
    "cut_into_at_most",
    "find_ceilings",
    "find_finest_cut",
]

logger = logging.getLogger(__name__)

PartitionMeasure = Callable[[Partition], float]

# Values that agree in nine digits are tied: merge heights are rounded to ten decimals, and
# differences and means of them carry noise beyond that.
_TIED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCut:
    """The best of several cuts, with the measure of each.

    Attributes
    ----------
    partition : Partition
    n_clusters : tuple of int
        Numbers of clusters tried, rising; numbers that tied merges do not allow are left out.
    silhouettes : tuple of float, the same length
        Mean silhouette of each, -1 to 1.
    """

    partition: Partition
    n_clusters: tuple[int, ...]
    silhouettes: tuple[float, ...]


def cut_by_settings(
    tree: Tree, settings: CutSettings, *, measure: PartitionMeasure | None = None
) -> Partition:
    """Cut in the one way that ``survey.yaml`` names.

    Parameters
    ----------
    measure : callable, optional
        Mean silhouette of a partition; needed only where the settings ask for it.

    Raises
    ------
    ParameterError
        If the tree allows no such cut, or the measure is needed and missing.
    """
    if settings.n_clusters is not None:
        return cut(tree, settings.n_clusters)
    if settings.height is not None:
        return cut_at_height(tree, settings.height)
    if settings.gap:
        return cut_at_gap(tree, fewest=settings.fewest, most=settings.most)
    if settings.silhouette:
        if measure is None:
            raise ParameterError("a cut by silhouette needs a measure of partitions; none arrived")
        best = cut_by_silhouette(tree, measure, fewest=settings.fewest, most=settings.most)
        for n_clusters, silhouette in zip(best.n_clusters, best.silhouettes, strict=True):
            logger.info("%d clusters: mean silhouette %.4f", n_clusters, silhouette)
        if best.partition.n_groups == settings.most < tree.n_papers - 1:
            logger.warning(
                "the mean silhouette is greatest at %d clusters, the most that were tried; more "
                "may be better: raise clustering.cut.most",
                settings.most,
            )
        return best.partition
    assert settings.inconsistency is not None
    return cut_by_inconsistency(tree, settings.inconsistency, depth=settings.inconsistency_depth)


def cut(tree: Tree, n_clusters: int) -> Partition:
    """Cut the merge tree into a number of flat clusters.

    Parameters
    ----------
    n_clusters : int
        Clusters wanted, 1 to n_papers.

    Returns
    -------
    Partition
        Groups ``C1``, ``C2``, … in leaf order.

    Raises
    ------
    ParameterError
        If there are fewer papers than clusters, or if tied merge heights do not allow
        this number; the message names the nearest numbers that they allow.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378, section 2.
    """
    n = tree.n_papers
    if not 1 <= n_clusters <= n:
        raise ParameterError(f"{n_clusters} clusters asked of {n} papers; 1 to {n} are possible")
    ceilings = find_ceilings(tree)
    ceiling = np.sort(ceilings)
    n_merges = n - n_clusters
    if 0 < n_merges < n - 1 and ceiling[n_merges - 1] == ceiling[n_merges]:
        tied = ceiling == ceiling[n_merges]
        is_inverted = len(np.unique(tree.heights[ceilings == ceiling[n_merges]])) > 1
        why = "lie at or, inverted, below" if is_inverted else "are tied at"
        fewer, more = n - int(np.flatnonzero(tied)[-1]) - 1, n - int(np.flatnonzero(tied)[0])
        raise ParameterError(
            f"{n_clusters} clusters cannot be cut: {tied.sum()} merges {why} height "
            f"{ceiling[n_merges]:g}; possible next to it: {fewer} or {more}"
        )
    threshold = ceiling[n_merges - 1] if n_merges else -np.inf
    return _flatten(tree, ceilings <= threshold)


def cut_into_at_most(tree: Tree, n_clusters: int) -> Partition:
    """Cut the tree into a number of clusters, or the most below it that tied merges allow.

    Raises
    ------
    ParameterError
        If fewer clusters than 1 are asked.
    """
    if n_clusters < 1:
        raise ParameterError(f"{n_clusters} clusters asked; 1 or more are possible")
    ceilings = find_ceilings(tree)
    n_merges = tree.n_papers - n_clusters
    threshold = np.sort(ceilings)[n_merges - 1] if n_merges > 0 else -np.inf
    return _flatten(tree, ceilings <= threshold)


def cut_at_height(tree: Tree, height: float) -> Partition:
    """Cut the tree at a merge height: papers merged at or below it stay together."""
    return _flatten(tree, find_ceilings(tree) <= height)


def cut_by_inconsistency(tree: Tree, threshold: float, *, depth: int = 2) -> Partition:
    """Cut where a merge and all merges below it have inconsistency at most ``threshold``.

    The inconsistency of a merge is its height less the mean height of the merges up to
    ``depth`` levels below and including it, in standard deviations.

    References
    ----------
    .. [1] Jain and Dubes, Algorithms for Clustering Data, 1988; scipy.cluster.hierarchy.
    """
    matrix = tree.to_linkage()
    statistics = hierarchy.inconsistent(matrix, depth)
    largest = hierarchy.maxinconsts(matrix, statistics)
    return _flatten(tree, largest <= threshold)


def cut_at_gap(tree: Tree, *, fewest: int, most: int) -> Partition:
    """Cut in the widest gap between one merge height and the next.

    The gap of k clusters is the height of the merge that would leave k - 1, less the height
    of the merge that left k. The bottom of the tree counts for no gap, so as many clusters as
    papers are never cut. Of gaps equal to nine digits, the one with the fewest clusters is
    taken.

    Parameters
    ----------
    fewest, most : int
        Numbers of clusters between which the cut is looked for, both included, 2 or more;
        beyond n_papers - 1 there is nothing to look for.

    Raises
    ------
    ParameterError
        If no number of clusters lies between the bounds, or tied merges allow none of them.

    References
    ----------
    .. [1] Everitt, Landau, Leese and Stahl, Cluster Analysis, 5th edition, 2011, chapter 4
       (large changes in fusion level as a guide to the number of clusters).
    """
    n_clusters, gaps = _possible_numbers(tree, fewest, most)
    is_widest = gaps >= gaps.max() * (1 - _TIED)
    return cut(tree, int(n_clusters[is_widest][0]))


def cut_by_silhouette(
    tree: Tree, measure: PartitionMeasure, *, fewest: int, most: int
) -> MeasuredCut:
    """Cut into the number of clusters that has the greatest mean silhouette.

    Of numbers whose silhouettes agree to within 1e-9, the smallest is taken.

    Parameters
    ----------
    measure : callable
        Takes a partition into 2 to n_papers - 1 clusters, returns its mean silhouette. It is
        given from outside because a tree knows no distances.
    fewest, most : int
        Numbers of clusters to try, both included, 2 or more; those that tied merges do not
        allow and those beyond n_papers - 1, which have no silhouette, are left out.

    Raises
    ------
    ParameterError
        If no number of clusters lies between the bounds, tied merges allow none of them, or
        the measure returns no number.

    References
    ----------
    .. [1] Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20 (1987), 53-65.
    """
    numbers = tuple(_possible_numbers(tree, fewest, most)[0].tolist())
    silhouettes = []
    for n_clusters in numbers:
        silhouettes.append(float(measure(cut(tree, n_clusters))))
        if not np.isfinite(silhouettes[-1]):
            raise ParameterError(
                f"the silhouette of {n_clusters} clusters is {silhouettes[-1]}, no number; "
                "check the distances, or lower the most clusters to try"
            )
    is_best = np.array(silhouettes) >= max(silhouettes) - _TIED
    best = numbers[int(np.flatnonzero(is_best)[0])]
    return MeasuredCut(
        partition=cut(tree, best), n_clusters=numbers, silhouettes=tuple(silhouettes)
    )


def find_finest_cut(tree: Tree, *, fewest: int, most: int) -> Partition:
    """Cut into the most clusters between the bounds that tied merges allow.

    Raises
    ------
    ParameterError
        If they allow none.
    """
    return cut(tree, int(_possible_numbers(tree, fewest, most)[0][-1]))


def _possible_numbers(
    tree: Tree, fewest: int, most: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the numbers of clusters that ties allow, rising, and the gap of each."""
    n = tree.n_papers
    if not 2 <= fewest <= most:
        raise ParameterError(
            f"{fewest} to {most} clusters were asked; give bounds from 2 on, the fewest first"
        )
    if fewest > n - 1:
        raise ParameterError(
            f"{fewest} clusters or more were asked of {n} papers; gap and silhouette choose from "
            f"2 to one less than there are papers; " + ("lower fewest" if n > 2 else "add papers")
        )
    n_clusters = np.arange(fewest, min(most, n - 1) + 1)
    ceiling = np.sort(find_ceilings(tree))
    gaps = ceiling[n - n_clusters] - ceiling[n - n_clusters - 1]
    is_possible = gaps > 0
    if not is_possible.any():
        raise ParameterError(
            f"none of {fewest} to {n_clusters[-1]} clusters can be cut: all merges between are "
            f"tied at height {ceiling[n - fewest]:g}; widen the bounds"
        )
    return n_clusters[is_possible], gaps[is_possible]


def find_ceilings(tree: Tree) -> NDArray[np.float64]:
    """Return for every merge the greatest height in its sub-tree, shape (n_papers - 1,)."""
    if (np.diff(tree.heights) >= 0).all():  # no inversion
        return tree.heights
    return np.asarray(hierarchy.maxdists(tree.to_linkage()))


def _flatten(tree: Tree, is_joined: NDArray[np.bool_]) -> Partition:
    """Make one cluster of every maximal node whose merge is joined, numbered in leaf order."""
    n = tree.n_papers
    joined = n + np.flatnonzero(is_joined)
    first = tree.starts[joined]
    # a leaf starts a cluster unless it lies in a joined node, after that node's first leaf
    depth = np.bincount(first + 1, minlength=n + 1) - np.bincount(
        first + tree.sizes[joined], minlength=n + 1
    )
    starts_cluster = np.cumsum(depth)[:n] == 0
    codes = np.empty(n, dtype=np.intp)
    codes[tree.leaf_order] = np.cumsum(starts_cluster) - 1
    names = tuple(f"C{number}" for number in range(1, int(codes.max()) + 2))
    return Partition(paper_keys=tree.paper_keys, group_names=names, codes=codes)
