"""Features -> the nearest papers of every paper, without a square of all pairs."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.errors import ParameterError
from survey_tools.text import Features

__all__ = ["find_nearest", "unit_rows"]

_CELLS_AT_ONCE = 8_000_000  # similarities of a block of papers with all: 64 MB
_DECIMALS = 12  # similarities closer than this are ties, which go to the first by key


def unit_rows(features: Features) -> sparse.csr_array:
    """Scale every paper's weights to Euclidean norm 1, shape (n_papers, n_terms)."""
    return sparse.csr_array(normalize(features.matrix))


def find_nearest(features: Features, n_nearest: int) -> NDArray[np.intp]:
    """Find the nearest papers of every paper by the cosine of their weighted terms.

    Parameters
    ----------
    n_nearest : int
        1 to n_papers - 1.

    Returns
    -------
    ndarray of int, shape (n_papers, n_nearest)
        Rows of ``features``, nearest first; of equally near ones the first by row.

    Raises
    ------
    ParameterError
        If ``n_nearest`` is out of range.
    """
    n = len(features.paper_keys)
    if not 1 <= n_nearest < n:
        raise ParameterError(f"{n_nearest} nearest of {n} papers; 1 to {n - 1} are possible")
    rows = unit_rows(features)
    columns = sparse.csc_array(rows.T)
    nearest = np.empty((n, n_nearest), dtype=np.intp)
    n_at_once = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, n, n_at_once):
        stop = min(start + n_at_once, n)
        similarity = np.round((rows[start:stop] @ columns).toarray(), _DECIMALS)
        similarity[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        least = np.partition(similarity, n - n_nearest, axis=1)[:, n - n_nearest]
        for i, row in enumerate(similarity):
            candidates = np.flatnonzero(row >= least[i])
            order = np.argsort(-row[candidates], kind="stable")[:n_nearest]
            nearest[start + i] = candidates[order]
    return nearest
