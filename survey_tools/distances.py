"""Features -> pairwise distances, from one sparse product instead of dense rows."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import squareform
from sklearn.metrics import pairwise_distances

from survey_tools.errors import ParameterError
from survey_tools.settings import Metric
from survey_tools.text import Features

__all__ = ["Distances", "measure_distances"]

# Distances are rounded so that pairs which are equally far apart in exact arithmetic are
# also equal in float64; rounding noise of a sparse product is below 1e-14, so that about one
# such distance in a hundred or fewer still falls on both sides of a rounding boundary.
_N_DECIMALS = 12
# Below this squared distance, ||x||^2 + ||y||^2 - 2 xy has lost half its digits (float64
# carries 16), so such pairs are computed again from the difference of the rows.
_CANCELLATION = 1e-6
_N_MATRICES_HELD = 4  # square float64 matrices alive at once, at the peak


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distances:
    """Distances of all pairs of papers.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    metric : str
    square : ndarray of float64, shape (n_papers, n_papers)
        Symmetric, zero on the diagonal, rounded to 12 decimals.
    """

    paper_keys: tuple[str, ...]
    metric: Metric
    square: NDArray[np.float64]

    @property
    def condensed(self) -> NDArray[np.float64]:
        """Upper triangle row by row, shape (n_papers (n_papers - 1) / 2,)."""
        return np.asarray(squareform(self.square, checks=False))


def measure_distances(features: Features, metric: Metric) -> Distances:
    """Measure the distance of every pair of papers.

    Euclidean and cosine distances come from the rows' dot products; cityblock is the
    sum of absolute differences of weights; jaccard is one less the share of common
    terms among all terms of a pair, whatever their weights.

    Raises
    ------
    ParameterError
        If the distance matrix would not fit into the memory of this machine.
    """
    _check_memory(len(features.paper_keys))
    matrix = features.matrix
    if metric == "cityblock":
        square = pairwise_distances(matrix.copy(), metric="manhattan")  # sorts in place
    elif metric == "jaccard":
        square = _jaccard(matrix)
    else:
        product = (matrix @ matrix.T).toarray()
        squared_norms = np.diagonal(product).copy()
        if metric == "cosine":
            norms = np.sqrt(squared_norms)
            square = np.clip(1.0 - product / np.outer(norms, norms), 0.0, 2.0)
        else:
            squared = np.maximum(squared_norms[:, None] + squared_norms - 2.0 * product, 0.0)
            square = np.sqrt(_without_cancellation(matrix, squared, squared_norms))
    square = np.round((square + square.T) / 2.0, _N_DECIMALS)
    np.fill_diagonal(square, 0.0)
    return Distances(paper_keys=features.paper_keys, metric=metric, square=square)


def _jaccard(matrix: sparse.csr_array) -> NDArray[np.float64]:
    presence = matrix.copy()
    presence.data = (presence.data != 0).astype(np.float64)
    common = (presence @ presence.T).toarray()
    n_terms = np.diagonal(common)
    return np.asarray(1.0 - common / (n_terms[:, None] + n_terms - common))


def _without_cancellation(
    matrix: sparse.csr_array, squared: NDArray[np.float64], squared_norms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the squared distances of nearly equal rows again, from their differences."""
    scale = np.maximum.outer(squared_norms, squared_norms)
    rows, columns = np.nonzero(np.triu(squared < _CANCELLATION * scale, k=1))
    n_at_once = 10_000
    for start in range(0, len(rows), n_at_once):
        i, j = rows[start : start + n_at_once], columns[start : start + n_at_once]
        difference = matrix[i] - matrix[j]
        exact = np.asarray(difference.multiply(difference).sum(axis=1)).ravel()
        squared[i, j] = squared[j, i] = exact
    return squared


def _check_memory(n_papers: int) -> None:
    needed_bytes = _N_MATRICES_HELD * 8 * n_papers**2
    try:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return  # not told on this system
    if needed_bytes > memory_bytes:
        raise ParameterError(
            f"{n_papers} papers need distance matrices of {needed_bytes / 1e9:.3g} GB; this "
            f"machine has {memory_bytes / 1e9:.3g} GB; select fewer papers"
        )
