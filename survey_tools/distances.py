"""Pairwise distances of papers: a square matrix, or sums over groups without one."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import cdist, squareform
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import normalize

from survey_tools.errors import ParameterError
from survey_tools.memory import free_bytes
from survey_tools.settings import Metric, Precision
from survey_tools.text import Features

__all__ = [
    "DenseRowDistances",
    "Distances",
    "PairDistances",
    "SparseRowDistances",
    "check_square_fits",
    "measure_dense_distances",
    "measure_distances",
    "measure_similarity",
]

logger = logging.getLogger(__name__)

# Distances are rounded so that pairs which are equally far apart in exact arithmetic are
# also equal in float64; rounding noise of a sparse product is below 1e-14, so that about one
# such distance in a hundred or fewer still falls on both sides of a rounding boundary.
_N_DECIMALS: dict[Precision, int] = {"float64": 12, "float32": 6}
# Below this squared distance, ||x||^2 + ||y||^2 - 2 xy has lost half its digits (float64
# carries 16), so such pairs are computed again from the difference of the rows.
_CANCELLATION = 1e-6
_BLOCK_BYTES = 64_000_000  # of the rows of a square matrix computed at once
_QUERIES_AT_ONCE = 1000  # rows between two looks at Ctrl-C: some tenths of a second


class PairDistances(Protocol):
    """Distances of all pairs of papers, in whatever way they are kept.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    metric : str
    """

    @property
    def paper_keys(self) -> tuple[str, ...]:
        """Keys of the papers."""

    @property
    def metric(self) -> Metric:
        """Distance of two papers."""

    def sum_to_groups(self, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sum every paper's distances to the papers of each group.

        Parameters
        ----------
        codes : ndarray of int, shape (n_papers,)
            Group of each paper, 0 to n_groups - 1, all of them used.

        Returns
        -------
        ndarray of float64, shape (n_papers, n_groups)
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distances:
    """Distances of all pairs of papers in a square matrix.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    metric : str
    square : ndarray of float64 or float32, shape (n_papers, n_papers)
        Symmetric, zero on the diagonal, rounded to 12 decimals (float32: 6).
    """

    paper_keys: tuple[str, ...]
    metric: Metric
    square: NDArray[np.floating]

    @property
    def condensed(self) -> NDArray[np.float64]:
        """Upper triangle row by row, shape (n_papers (n_papers - 1) / 2,)."""
        return np.asarray(squareform(self.square, checks=False), dtype=np.float64)

    def sum_to_groups(self, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sum every paper's distances to the papers of each group, see `PairDistances`."""
        return np.asarray((_memberships(codes).T @ self.square).T, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseRowDistances:
    """Euclidean or cosine distances of sparse rows, computed when they are asked for.

    Attributes
    ----------
    rows : csr_array of float64, shape (n_papers, n_terms)
    n_threads : int
    """

    paper_keys: tuple[str, ...]
    metric: Metric
    rows: sparse.csr_array = field(repr=False)
    n_threads: int = 1

    def sum_to_groups(self, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sum every paper's distances to the papers of each group, see `PairDistances`.

        Memory O(non-zeros + n_papers n_groups).
        """
        from survey_tools.kernels.group_sums import add_distances  # numba loads half a second

        by_group = np.argsort(codes, kind="stable")
        rows = sparse.csr_array(self.rows[by_group])
        if self.metric == "cosine":
            rows = sparse.csr_array(normalize(rows))
        rows.sort_indices()
        by_term = rows.tocsc()
        n_groups = int(codes.max()) + 1
        _check_sums_fit(len(codes), n_groups * (self.n_threads + 1))
        group_starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n_groups))])
        add = partial(
            add_distances,
            self.metric == "cosine",
            rows.indptr.astype(np.int64),
            rows.indices.astype(np.int32),
            rows.data,
            by_term.indptr.astype(np.int64),
            by_term.indices.astype(np.int32),
            by_term.data,
            np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float64).ravel(),
            group_starts.astype(np.int64),
        )
        n = len(codes)
        found = [np.zeros((n_groups, n)) for _ in range(self.n_threads)]
        with ThreadPoolExecutor(self.n_threads) as pool:
            for first in range(0, n, _QUERIES_AT_ONCE):
                last = min(first + _QUERIES_AT_ONCE, n)
                queries = [
                    np.arange(first + i, last, self.n_threads) for i in range(self.n_threads)
                ]
                list(pool.map(add, queries, found))  # raises what a thread raised
        sums = np.empty((n, n_groups))
        sums[by_group] = sum(found[1:], found[0]).T
        return sums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseRowDistances:
    """Euclidean or cosine distances of dense rows, computed when they are asked for.

    Attributes
    ----------
    rows : ndarray of float64, shape (n_papers, n_dimensions)
    """

    paper_keys: tuple[str, ...]
    metric: Metric
    rows: NDArray[np.float64] = field(repr=False)

    def sum_to_groups(self, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sum every paper's distances to the papers of each group, see `PairDistances`.

        Memory O(n_papers (n_dimensions + n_groups)).
        """
        memberships = _memberships(codes)
        _check_sums_fit(len(codes), memberships.shape[1])
        sums = np.empty((len(codes), memberships.shape[1]))
        for block in _blocks(len(codes)):
            sums[block] = _dense_distances(self.rows[block], self.rows, self.metric) @ memberships
        return sums


def _memberships(codes: NDArray[np.intp]) -> sparse.csr_array:
    """Return which paper is in which group, shape (n_papers, n_groups)."""
    n = len(codes)
    return sparse.csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, int(codes.max()) + 1))


def _check_sums_fit(n_papers: int, n_columns: int) -> None:
    needed, free = 8 * n_papers * n_columns, free_bytes()
    if free is not None and needed > free:
        raise ParameterError(
            f"distances of {n_papers} papers to so many clusters need {needed / 1e9:.3g} GB and "
            f"{free / 1e9:.3g} GB are free; cut the tree into fewer clusters"
        )


def _blocks(n: int) -> list[slice]:
    size = max(1, _BLOCK_BYTES // (8 * n))
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def check_square_fits(n_papers: int, *, precision: Precision = "float64") -> None:
    """Say in the log how much memory a square matrix takes, and refuse what does not fit.

    At the peak the square stands beside the condensed distances and scipy's copy of them,
    both float64.

    Raises
    ------
    ParameterError
        Naming the memory needed, the memory free, and what needs less.
    """
    needed = (np.dtype(precision).itemsize + 8) * n_papers**2
    free = free_bytes()
    if free is not None and needed > free:
        raise ParameterError(
            f"{n_papers} papers need distance matrices of {needed / 1e9:.3g} GB and "
            f"{free / 1e9:.3g} GB are free; ward, and average with cosine, need none; or select "
            "fewer papers, or condense them (cluster --condense)"
        )
    logger.info("%d papers: distance matrices of %.3g GB", n_papers, needed / 1e9)


def measure_distances(
    features: Features, metric: Metric, *, precision: Precision = "float64"
) -> Distances:
    """Measure the distance of every pair of papers from their terms.

    Euclidean and cosine distances come from one sparse product, block by block; cityblock is
    the sum of absolute differences of weights; jaccard is one less the share of common terms
    among all terms of a pair, whatever their weights.

    Raises
    ------
    ParameterError
        If the matrix would not fit into the memory that is free.
    """
    keys, rows = features.paper_keys, features.matrix
    check_square_fits(len(keys), precision=precision)
    if metric == "cityblock":
        square = pairwise_distances(rows.copy(), metric="manhattan")  # sorts in place
        return _finish(keys, metric, square, precision)
    if metric == "jaccard":
        rows = rows.copy()
        rows.data = (rows.data != 0).astype(np.float64)
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    by_column = rows.T.tocsr()

    def measure(block: slice) -> NDArray[np.float64]:
        product = np.asarray((rows[block] @ by_column).toarray())
        if metric == "jaccard":
            return np.asarray(1.0 - product / (squares[block, None] + squares - product))
        if metric == "cosine":
            norms = np.sqrt(squares)
            return np.asarray(np.clip(1.0 - product / np.outer(norms[block], norms), 0.0, 2.0))
        squared = np.maximum(squares[block, None] + squares - 2.0 * product, 0.0)
        scale = np.maximum.outer(squares[block], squares)
        _without_cancellation(rows, block.start, squared, scale)
        return np.asarray(np.sqrt(squared))

    return _finish(keys, metric, _measure_square(len(keys), measure, precision), precision)


def measure_dense_distances(
    paper_keys: tuple[str, ...],
    rows: NDArray[np.float64],
    metric: Metric,
    *,
    precision: Precision = "float64",
) -> Distances:
    """Measure the Euclidean or cosine distance of every pair of papers from dense rows.

    Raises
    ------
    ParameterError
        If the matrix would not fit into the memory that is free.
    """
    check_square_fits(len(paper_keys), precision=precision)

    def measure(block: slice) -> NDArray[np.float64]:
        return _dense_distances(rows[block], rows, metric)

    return _finish(
        paper_keys, metric, _measure_square(len(paper_keys), measure, precision), precision
    )


def _measure_square(
    n: int, measure: Callable[[slice], NDArray[np.float64]], precision: Precision
) -> NDArray[np.floating]:
    square = np.empty((n, n), dtype=precision)
    for block in _blocks(n):
        square[block] = measure(block)
    return square


def _finish(
    paper_keys: tuple[str, ...],
    metric: Metric,
    square: NDArray[np.floating],
    precision: Precision,
) -> Distances:
    """Round a matrix and mirror its lower triangle, in place."""
    square = square.astype(precision, copy=False)
    n = len(square)
    for block in _blocks(n):
        corner = square[block, block]
        corner[:] = np.tril(corner) + np.tril(corner, k=-1).T
        square[block, : block.stop] = np.round(square[block, : block.stop], _N_DECIMALS[precision])
        square[: block.start, block] = square[block, : block.start].T
    np.fill_diagonal(square, 0.0)
    return Distances(paper_keys=paper_keys, metric=metric, square=square)


def _dense_distances(
    some: NDArray[np.float64], rows: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    if metric not in ("euclidean", "cosine"):
        raise ParameterError(f"{metric} distances are for terms; dense rows have euclidean, cosine")
    return np.asarray(cdist(some, rows, metric))


def _without_cancellation(
    rows: sparse.csr_array, first: int, squared: NDArray[np.float64], scale: NDArray[np.float64]
) -> None:
    """Compute the squared distances of nearly equal rows again, from their differences."""
    i, j = np.nonzero(squared < _CANCELLATION * scale)
    later = i + first > j  # the other side comes from symmetry, the diagonal is zero
    i, j = i[later], j[later]
    n_at_once = 10_000
    for start in range(0, len(i), n_at_once):
        a, b = i[start : start + n_at_once], j[start : start + n_at_once]
        difference = rows[a + first] - rows[b]
        squared[a, b] = np.asarray(difference.multiply(difference).sum(axis=1)).ravel()


def measure_similarity(
    features: Features,
) -> Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]:
    """Return what gives blocks of the cosine similarities of papers by their terms."""
    rows = sparse.csr_array(normalize(features.matrix))
    return lambda i, j: np.asarray((rows[i] @ rows[j].T).toarray())
