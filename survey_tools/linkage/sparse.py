"""Sparse rows -> merges by exact Ward or average linkage, without an n x n matrix."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.kernels.cluster_rows import AVERAGE, WARD, Index, State
from survey_tools.kernels.near_heap import fill_heap
from survey_tools.kernels.near_lists import merge_some
from survey_tools.kernels.near_questions import ask_first
from survey_tools.kernels.square import fill_costs, merge_in_square, multiply_rows
from survey_tools.linkage.sparse_clusters import (
    N_NEAR,
    begin,
    build_index,
    compact,
    list_columns,
)
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["merge_sparse_rows"]

_N_DENSE = 2000  # clusters that are merged in a square matrix: 32 MB
_REBUILD_SHARE = 0.15  # of the clusters that may die before the index is made anew
_ROWS_AT_ONCE = 1000  # between two looks at the clock and at Ctrl-C: some tenths of a second
_STEPS_AT_ONCE = 2000
_FIRST_SHARE = 0.3  # of the time that the first comparison of all rows takes
_PRODUCTS_AT_ONCE = 200  # rows of the square; large clusters hold most terms
_COSTS_AT_ONCE = 50  # rows of the square; nearly equal rows take some microseconds a pair
_UNIT = 1e-10  # how far a row's norm may be from 1


def merge_sparse_rows(
    rows: sparse.csr_array,
    *,
    linkage: Literal["ward", "average"] = "ward",
    weights: NDArray[np.float64] | None = None,
    n_threads: int = 1,
    progress: CountProgress | None = None,
) -> NDArray[np.float64]:
    """Merge sparse rows agglomeratively, by Ward's linkage or by average cosine distance.

    Memory grows with the number of stored entries, not with the square of the rows. Of pairs
    at the same smallest distance (equal in float64, as computed) the one with the first row
    is merged first, a cluster standing where its first row stands; so rows in the order of
    their keys give a tree that does not depend on the order of the input.

    Parameters
    ----------
    rows : csr_array of float64, shape (n, n_terms)
        Not negative. For average linkage every row (of one paper) has norm 1.
    weights : ndarray of float64, shape (n,), optional
        Papers that each row is the mean of; 1 by default.
    n_threads : int
        Threads that compare the single rows at the start; the result does not depend on it.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Returns
    -------
    ndarray of float64, shape (n - 1, 4)
        scipy's linkage matrix: two nodes, merge height, rows below; heights never fall.
        Ward's height of clusters A and B is sqrt(2 ab / (a + b)) times the distance of
        their means, as in scipy; average linkage's is the mean cosine distance.

    Raises
    ------
    ParameterError
        If an entry is negative or no finite number, a weight is not positive, or average
        linkage is asked of an empty row or of single rows that have not norm 1.

    References
    ----------
    .. [1] Ward, "Hierarchical Grouping to Optimize an Objective Function", JASA 58 (1963).
    .. [2] Müllner, arXiv:1109.2378, section 2 (reducible linkages).
    """
    rows = _check_rows(rows, linkage, weights)
    n = rows.shape[0]
    if linkage == "ward" and rows.nnz:  # float32 has no room for every unit
        exponent = int(np.frexp(rows.data.max())[1])
        rows.data = np.ldexp(rows.data, -exponent)
        rows.eliminate_zeros()
    else:
        exponent = 0
    merges = np.empty((n - 1, 2), dtype=np.int64)
    costs = np.zeros(n - 1)
    given = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    firsts, nodes, total, n_equal = _merge_equal_rows(rows, given, merges)
    n_terms = rows.shape[1]
    state = begin(rows if n_equal == 0 else sparse.csr_array(rows[firsts]), total, nodes, n_equal)
    del rows  # the state has what it needs
    code = WARD if linkage == "ward" else AVERAGE
    report = progress or ignore_progress
    if len(firsts) > _N_DENSE:
        state = _merge_by_lists(code, state, n_terms, merges, costs, n_threads, report)
    _merge_in_square(code, state, n_terms, merges, costs, report)
    heights = np.maximum.accumulate(np.sqrt(costs) if linkage == "ward" else costs)
    return _assemble(merges, np.ldexp(heights, exponent))


def _tell(report: CountProgress, share: float) -> None:
    report(round(1000 * share), 1000)


def _share_of_merges(n_done: int, n_all: int) -> float:
    """Share of the time that goes by until so many merges are done; the first cost little."""
    return _FIRST_SHARE + (1 - _FIRST_SHARE) * max(0.0, n_done / n_all - 0.3) / 0.7


def _check_rows(
    rows: sparse.csr_array, linkage: str, weights: NDArray[np.float64] | None
) -> sparse.csr_array:
    """Return rows without stored zeros, terms ascending; refuse what has no meaning."""
    if rows.shape[0] == 0:
        raise ParameterError("merging needs at least one row; 0 arrived")
    rows = sparse.csr_array(rows.astype(np.float64, copy=True))
    rows.sum_duplicates()
    rows.eliminate_zeros()
    if not np.isfinite(rows.data).all():
        bad = np.unique(
            np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[~np.isfinite(rows.data)]
        )
        raise ParameterError(
            f"{len(bad)} of {rows.shape[0]} rows hold a value that is no finite number: "
            f"{abbreviate(map(str, bad))}"
        )
    if (rows.data < 0).any():
        raise ParameterError(
            "sparse rows with negative entries cannot be merged; use dense rows for them"
        )
    if weights is not None and not (
        np.shape(weights) == (rows.shape[0],) and np.isfinite(weights).all() and np.min(weights) > 0
    ):
        raise ParameterError("every row needs one weight, a finite number above 0")
    if linkage == "average":
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        if (norms == 0).any():
            bad = np.flatnonzero(norms == 0)
            raise ParameterError(
                f"{len(bad)} of {len(norms)} rows are empty and have no cosine: "
                f"{abbreviate(map(str, bad))}"
            )
        if weights is not None and norms.max() > 1 + _UNIT:
            raise ParameterError(
                f"means of rows of norm 1 have a norm up to 1; {norms.max():.6g} arrived; "
                "normalise rows before taking means"
            )
        if weights is None and np.abs(norms - 1).max() > _UNIT:
            raise ParameterError("average linkage by cosine needs rows of norm 1; normalise them")
    return rows


def _merge_equal_rows(
    rows: sparse.csr_array, weights: NDArray[np.float64], merges: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64], int]:
    """Merge rows that are equal to the bit, at height 0, each with those before it.

    Returns
    -------
    firsts : ndarray of int, shape (n_different,)
        First row of each group.
    nodes : ndarray of int64, shape (n_different,)
        Node of the linkage matrix that holds the group.
    weights : ndarray of float64, shape (n_different,)
    n_merges : int
        Merges made, written to ``merges``.
    """
    members: dict[bytes, list[int]] = {}
    for i in range(rows.shape[0]):
        span = slice(rows.indptr[i], rows.indptr[i + 1])
        content = rows.indices[span].tobytes() + rows.data[span].tobytes()
        digest = hashlib.blake2b(content, digest_size=16).digest()
        members.setdefault(digest, []).append(i)
    nodes, totals, done = [], [], 0
    for first, *others in members.values():
        node, total = first, weights[first]
        for i in others:
            merges[done] = sorted((node, i))
            node, total, done = rows.shape[0] + done, total + weights[i], done + 1
        nodes.append(node)
        totals.append(total)
    firsts = np.array([group[0] for group in members.values()])
    return firsts, np.array(nodes, dtype=np.int64), np.array(totals), done


def _merge_by_lists(
    linkage: int,
    state: State,
    n_terms: int,
    merges: NDArray[np.int64],
    costs: NDArray[np.float64],
    n_threads: int,
    report: CountProgress,
) -> State:
    """Merge until so few clusters are left that a square matrix holds their costs."""
    state = compact(state, n_terms)  # makes room in the pool
    index = build_index(state, n_terms)
    _ask_first(linkage, state, index, n_threads, report)
    fill_heap(state)
    least_weight = float(state.weights.min())
    while True:
        n_slots = len(state.parents)
        work = np.zeros(n_slots, np.float32), np.empty(n_slots)
        dead = np.empty(max(1, int(_REBUILD_SHARE * n_slots)), dtype=np.int64)
        while not merge_some(
            linkage,
            state,
            index,
            dead,
            *work,
            merges,
            costs,
            least_weight,
            _N_DENSE,
            _STEPS_AT_ONCE,
        ):
            _tell(report, _share_of_merges(int(state.numbers[1]), len(merges)))
        state = compact(state, n_terms)
        if len(state.parents) <= _N_DENSE:
            return state
        index = build_index(state, n_terms)
        fill_heap(state)


def _ask_first(
    linkage: int,
    state: State,
    index: Index,
    n_threads: int,
    report: CountProgress,
) -> None:
    """Fill all lists by comparing every pair of rows once."""
    n = len(state.parents)
    found = [
        (np.full((n, N_NEAR), -1, np.int32), np.full((n, N_NEAR), np.inf), np.zeros(n, np.int64))
        for _ in range(n_threads)
    ]
    with ThreadPoolExecutor(n_threads) as pool:
        for first in range(0, n, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, n)
            tasks = [
                pool.submit(
                    ask_first,
                    linkage,
                    state,
                    index,
                    np.arange(first + i, last, n_threads),
                    *own,
                )
                for i, own in enumerate(found)
            ]
            for task in tasks:
                task.result()
            _tell(report, _FIRST_SHARE * (last / n) ** 2)
    near = np.hstack([own[0] for own in found])
    costs = np.hstack([own[1] for own in found])
    order = np.lexsort((near, costs), axis=1)[:, :N_NEAR]
    state.near[:] = np.take_along_axis(near, order, axis=1)
    state.near_costs[:] = np.take_along_axis(costs, order, axis=1)
    state.bounds[:] = state.near_costs[:, -1]
    state.is_fresh[:] = True


def _merge_in_square(
    linkage: int,
    state: State,
    n_terms: int,
    merges: NDArray[np.int64],
    costs: NDArray[np.float64],
    report: CountProgress,
) -> None:
    """Merge the last clusters with all their costs in a square matrix."""
    n = len(state.parents)
    by_column = list_columns(state, n_terms)
    square = np.zeros((n, n))
    for first in range(0, n, _PRODUCTS_AT_ONCE):
        multiply_rows(
            np.append(state.starts, state.numbers[2]),
            state.terms,
            state.values,
            by_column.indptr.astype(np.int64),
            by_column.indices.astype(np.uint32),
            by_column.data,
            first,
            min(first + _PRODUCTS_AT_ONCE, n),
            square,
        )
    for first in range(0, n, _COSTS_AT_ONCE):
        fill_costs(linkage, state, first, min(first + _COSTS_AT_ONCE, n), square)
    done = int(state.numbers[1])
    is_dead = np.zeros(n, dtype=np.bool_)
    nearest, least = np.full(n, -1), np.empty(n)
    while done < len(merges):
        done = merge_in_square(
            linkage,
            square,
            state.weights,
            state.nodes,
            is_dead,
            nearest,
            least,
            merges,
            costs,
            done,
            _STEPS_AT_ONCE,
        )
        _tell(report, _share_of_merges(done, len(merges)))


def _assemble(merges: NDArray[np.int64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(heights) + 1
    sizes = np.ones(2 * n - 1)
    for i, (a, b) in enumerate(merges.tolist()):
        sizes[n + i] = sizes[a] + sizes[b]
    return np.column_stack([merges, heights, sizes[n:]]).astype(np.float64)
