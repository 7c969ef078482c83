"""Triples of papers, and the share of them that two trees resolve differently."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["triplet_distance"]


def triplet_distance(
    n_papers: int, n_alike: NDArray[np.float64], n_open: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of triples of papers that two trees resolve differently.

    A tree resolves a triple if two of the papers are merged before the third joins them; it
    leaves the triple open if all three meet in one node, as they do where merges are tied. A
    triple is alike in both trees if they join the same two papers first, or both leave it open.

    Parameters
    ----------
    n_papers : int
        Fewer than 3 have no triple: NaN.
    n_alike : ndarray of float
        Triples resolved alike.
    n_open : ndarray of float, the same shape
        Triples open in both trees.

    Returns
    -------
    ndarray of float64, the same shape
        0 (all alike) to 1. Two binary trees drawn at random differ in two triples of three.

    References
    ----------
    .. [1] Critchlow, Pearl and Qian, "The triples distance for rooted bifurcating phylogenetic
       trees", Systematic Biology 45 (1996), 323-334.
    .. [2] Bansal, Dong and Fernández-Baca, "Comparing and aggregating partially resolved
       trees", Theoretical Computer Science 412 (2011), 6634-6652.
    """
    n_triples = n_papers * (n_papers - 1) * (n_papers - 2) / 6.0
    if n_triples == 0:
        return np.full(np.shape(n_alike), np.nan)
    return np.asarray(1.0 - (n_alike + n_open) / n_triples)
