"""Sums of distances from every row to every group of rows, without a square matrix."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import compiled

__all__ = ["add_distances"]

_CANCELLATION = 1e-6  # squared distances that lose half their digits are computed otherwise


@compiled
def _squared_difference(
    starts: NDArray[np.int64],
    terms: NDArray[np.int32],
    values: NDArray[np.float64],
    a: int,
    b: int,
) -> float:
    i, j, total = starts[a], starts[b], 0.0
    while i < starts[a + 1] or j < starts[b + 1]:
        if j == starts[b + 1] or (i < starts[a + 1] and terms[i] < terms[j]):
            difference = values[i]
            i += 1
        elif i == starts[a + 1] or terms[j] < terms[i]:
            difference = values[j]
            j += 1
        else:
            difference = values[i] - values[j]
            i += 1
            j += 1
        total += difference * difference
    return total


@compiled
def add_distances(
    is_cosine: bool,
    starts: NDArray[np.int64],
    terms: NDArray[np.int32],
    values: NDArray[np.float64],
    term_starts: NDArray[np.int64],
    term_rows: NDArray[np.int32],
    term_values: NDArray[np.float64],
    squares: NDArray[np.float64],
    group_starts: NDArray[np.int64],
    queries: NDArray[np.int64],
    sums: NDArray[np.float64],
) -> None:
    """Add the distances of some rows to all earlier rows, on both sides.

    Parameters
    ----------
    starts, terms, values
        Rows (CSR, terms ascending), for the cosine of norm 1; rows of one group stand together.
    term_starts, term_rows, term_values
        The same by column (CSC, rows ascending).
    squares : ndarray of float64, shape (n,)
        Squared norms.
    group_starts : ndarray of int64, shape (n_groups + 1,)
        First row of each group.
    queries : ndarray of int64
        Rows, ascending.
    sums : ndarray of float64, shape (n_groups, n)
        Brought up to date.
    """
    n = len(squares)
    distances = np.zeros(n)
    group = 0
    for q in queries:
        while group_starts[group + 1] <= q:
            group += 1
        for i in range(starts[q], starts[q + 1]):
            term, value = terms[i], values[i]
            for p in range(term_starts[term], term_starts[term + 1]):
                row = term_rows[p]
                if row >= q:
                    break
                distances[row] += value * term_values[p]
        if is_cosine:
            for s in range(q):
                distances[s] = min(max(1.0 - distances[s], 0.0), 2.0)
        else:
            for s in range(q):
                squared = squares[q] + squares[s] - 2.0 * distances[s]
                if squared < _CANCELLATION * (squares[q] + squares[s]):
                    squared = _squared_difference(starts, terms, values, q, s)
                distances[s] = np.sqrt(squared)
        own = sums[group]
        for s in range(q):
            own[s] += distances[s]
        for other in range(group + 1):
            total = 0.0
            for s in range(group_starts[other], min(group_starts[other + 1], q)):
                total += distances[s]
            sums[other, q] += total
        distances[:q] = 0.0
