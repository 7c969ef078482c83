"""Groups of papers that are sought in a tree or a partition, by their best Jaccard score."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

__all__ = ["match_groups", "match_nodes"]


def match_nodes(
    targets: NDArray[np.bool_], tree: Tree
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Find the inner node that matches each group of papers best.

    The score is papers in both / papers in either. In leaf order the papers below a node are a
    run, so that two cumulative sums count those that it shares with a group.

    Parameters
    ----------
    targets : ndarray of bool, shape (n_targets, n_papers)
        Papers of each group, in the order of ``tree.paper_keys``; of a resample, those papers
        alone that the tree holds.

    Returns
    -------
    scores : ndarray of float, shape (n_targets,)
        NaN for a group without papers. fpc's clusterboot has 0 there, which lowers its means
        for small groups.
    nodes : ndarray of int, shape (n_targets,)
        Of equally good nodes the smallest, then the first merged; -1 for a group without
        papers.

    Raises
    ------
    ParameterError
        If the groups do not have one column for each paper.

    References
    ----------
    .. [1] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics &
       Data Analysis 52 (2007), with clusters where we take all nodes.
    """
    n = tree.n_papers
    columns = _turn(targets, n)
    shared = np.zeros((n + 1, columns.shape[1]), dtype=np.int32)
    np.cumsum(columns[tree.leaf_order], axis=0, out=shared[1:])
    by_size = n + np.argsort(tree.sizes[n:], kind="stable")
    starts, sizes = tree.starts[by_size], tree.sizes[by_size]
    n_common = shared[starts + sizes] - shared[starts]  # (n_papers - 1, n_targets)
    return _choose(n_common, sizes, shared[-1], by_size)


def match_groups(
    targets: NDArray[np.bool_], codes: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Find the group of a partition that matches each group of papers best.

    Averaged over resamples of the papers this is the stability of clusterboot [1]_, but for
    groups of which a resample has no paper; see `match_nodes`.

    Parameters
    ----------
    targets : ndarray of bool, shape (n_targets, n_papers)
    codes : ndarray of int, shape (n_papers,)
        Group of each paper, a number from 0; a negative number means no group.

    Returns
    -------
    scores : ndarray of float, shape (n_targets,)
        NaN for a group without papers; 0 if no paper of a group is in a group of the partition.
    codes : ndarray of int, shape (n_targets,)
        Of equally good groups the smallest, then the one with the lowest number; -1 for a group
        without papers, or if no paper at all is in a group of the partition.

    Raises
    ------
    ParameterError
        If the groups do not have one column for each paper.

    References
    ----------
    .. [1] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics &
       Data Analysis 52 (2007); R package fpc, ``clusterboot``.
    """
    codes = np.asarray(codes, dtype=np.intp)
    columns = _turn(targets, len(codes))
    n_sought = columns.sum(axis=0, dtype=np.int32)
    by_code = np.argsort(codes, kind="stable")[np.count_nonzero(codes < 0) :]
    if not len(by_code):
        return np.where(n_sought > 0, 0.0, np.nan), np.full(len(n_sought), -1)
    found, starts, sizes = np.unique(codes[by_code], return_index=True, return_counts=True)
    n_common = np.add.reduceat(columns[by_code], starts, axis=0, dtype=np.int32)
    by_size = np.argsort(sizes, kind="stable")
    return _choose(n_common[by_size], sizes[by_size], n_sought, found[by_size])


def _turn(targets: NDArray[np.bool_], n_papers: int) -> NDArray[np.int8]:
    """Give each paper a row, which is what the sums run over, shape (n_papers, n_targets)."""
    targets = np.asarray(targets, dtype=np.bool_)
    if targets.ndim != 2 or targets.shape[1] != n_papers:
        raise ParameterError(
            f"groups of shape {targets.shape} were sought among {n_papers} papers; "
            "give (n_targets, n_papers)"
        )
    return np.ascontiguousarray(targets.T).view(np.int8)


def _choose(
    n_common: NDArray[np.int32],
    sizes: NDArray[np.intp],
    n_sought: NDArray[np.int32],
    names: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the best score of each column of (n_groups, n_targets), and the name of its row."""
    scores = n_common / (sizes[:, None] + n_sought - n_common)
    best = scores.argmax(axis=0)
    is_empty = n_sought == 0
    score = scores[best, np.arange(len(best))]
    return np.where(is_empty, np.nan, score), np.where(is_empty, -1, names[best])
