"""Two trees cut into 2, 3, … clusters -> the Bk curve of Fowlkes and Mallows, with its band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BkCurve"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BkCurve:
    """Agreement of two trees at every number of clusters.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (n_cuts,)
        Ascending. Numbers that ties allow in one of the two trees only are left out.
    values : ndarray of float, shape (n_cuts,)
        Fowlkes-Mallows index of both trees cut into as many clusters.
    expected : ndarray of float, shape (n_cuts,)
        Mean over random relabellings of the leaves of one tree.
    low, high : ndarray of float, shape (n_cuts,)
        Band that holds the share ``confidence`` of the relabellings, at each cut by itself.
    """

    n_clusters: NDArray[np.intp]
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_papers: int
    n_permutations: int
    confidence: float
