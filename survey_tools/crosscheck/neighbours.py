"""Features x labels -> labels among the nearest papers of every paper, block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.errors import ParameterError
from survey_tools.text import Features

__all__ = ["NearestCounts", "count_nearest", "unit_rows"]

_CELLS_AT_ONCE = 8_000_000  # similarities of a block of papers with all: 64 MB
# Papers whose similarity is this much below that of the k-th nearest are as near: cosines of
# equal texts differ by rounding, some 1e-16. Held against the k-th and not rounded to decimals,
# so that no boundary of rounding can part two equal texts.
_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearestCounts:
    """How many papers are the nearest of each paper, and how many of them are marked.

    Attributes
    ----------
    n_nearest : ndarray of int, shape (n_papers,)
        At least as many as were asked for; more where several are as near as the last of them.
    n_marked : ndarray of int, shape (n_papers, n_marks)
    """

    n_nearest: NDArray[np.int64]
    n_marked: NDArray[np.int64]


def unit_rows(features: Features) -> sparse.csr_array:
    """Scale every paper's weights to Euclidean norm 1, shape (n_papers, n_terms)."""
    return sparse.csr_array(normalize(features.matrix))


def count_nearest(features: Features, marks: NDArray[np.bool_], n_nearest: int) -> NearestCounts:
    """Count marks among the nearest papers of every paper, by the cosine of weighted terms.

    The nearest are all papers at least as near as the ``n_nearest``-th, so that equally near
    papers are in or out together and no order of the papers decides. A paper that has no term
    in common with others, or none at all, may have all of them for its nearest.

    Parameters
    ----------
    marks : ndarray of bool, shape (n_papers, n_marks)
        In the order of ``features.paper_keys``.
    n_nearest : int
        1 to n_papers - 1.

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
    as_numbers = marks.astype(np.int64)
    n_found = np.empty(n, dtype=np.int64)
    n_marked = np.empty(marks.shape, dtype=np.int64)
    n_at_once = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, n, n_at_once):
        block = slice(start, min(start + n_at_once, n))
        similarity = (rows[block] @ columns).toarray()  # (n_in_block, n_papers)
        similarity[np.arange(len(similarity)), np.arange(block.start, block.stop)] = -np.inf
        last = np.partition(similarity, n - n_nearest, axis=1)[:, [n - n_nearest]]
        is_near = similarity >= last - _TIE
        n_found[block] = is_near.sum(axis=1)
        n_marked[block] = sparse.csr_array(is_near) @ as_numbers
    return NearestCounts(n_nearest=n_found, n_marked=n_marked)
