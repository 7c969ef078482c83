"""Dense rows -> merges: exact Ward and average linkage in memory O(rows x columns)."""

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.kernels.dense_lists import Lists
from survey_tools.kernels.dense_merging import file_lists, fill_lists, merge_some
from survey_tools.kernels.dense_rows import (
    BIG,
    LANES,
    Clusters,
    Pack,
    fill_square,
    find_candidates,
    merge_square,
)
from survey_tools.progress import CountProgress

__all__ = ["merge_dense_rows"]

Linkage = Literal["ward", "average"]

# Tuned on LSA of 5,000 to 40,000 abstracts, 100 columns; the merges depend on none of these.
_N_NEAR = 16
_N_SQUARE = 2500  # clusters whose distances are kept all at once: 50 MB
_N_QUERIES = 128  # asked in one product
_N_AHEAD = 256  # asked together with those that must be
_N_COLUMNS = 1024  # of a product that a core's cache holds
_ALIVE_SHARE = 0.8  # packed anew below

_N_WORK = 100_000  # clusters looked at between two looks at the keyboard: 10 ms
_N_BLOCKS = 4  # products of a thread between two looks
_N_SQUARE_ROWS = 64
_N_SQUARE_MERGES = 500
_N_NAMED = 5
_LARGEST_WEIGHT = 1e100


def merge_dense_rows(
    rows: ArrayLike,
    *,
    linkage: Linkage = "ward",
    weights: ArrayLike | None = None,
    progress: CountProgress | None = None,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Merge rows agglomeratively: scipy's linkage matrix without the distances of all pairs.

    Every merge joins the pair at the least distance. Of pairs at the same distance it is the
    one whose (smaller slot, larger slot) comes first, where a row's slot is its number and a
    union keeps the smaller of its two. Neither threads nor the size of working memory change
    a merge. Lists of near clusters with lower bounds stand in for the distances [1]_: float32
    products with a proven margin rule pairs out, float64 differences decide.

    Parameters
    ----------
    rows : array_like, shape (n_rows, n_columns)
        Finite numbers. For average linkage each row is scaled to length 1.
    linkage : {"ward", "average"}
        Ward on Euclidean distance, or average linkage on cosine distance.
    weights : array_like, shape (n_rows,), optional
        Papers that each row stands for, 1 if not given: distances are those of a row that
        stands there so many times, merged already.
    progress : callable, optional
        Called with the merges done and the merges in all.
    n_threads : int, optional
        All cores of this process if not given.

    Returns
    -------
    ndarray of float64, shape (n_rows - 1, 4)
        Two nodes (rows are 0 to n_rows - 1, unions follow), the height of their merge and the
        number of rows below, by ascending height. Equal rows merge at height 0 exactly. A
        Ward height is sqrt(2ab / (a + b)) times the distance of two means that weigh a and b.

    Raises
    ------
    ParameterError
        If rows are no table of finite numbers with at least one row, or a weight is not
        positive, or average linkage meets a row of zeros.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378, section 2 (Lance and Williams' updates, reducibility).
    """
    if linkage not in ("ward", "average"):
        raise ParameterError(f"linkage is {linkage!r}; dense rows allow 'ward' and 'average'")
    if n_threads is None:
        n_threads = _count_cores()
    elif n_threads < 1:
        raise ParameterError(f"n_threads is {n_threads}; give 1 or more")
    table = _check_rows(rows)
    weight_of_row = _check_weights(weights, len(table))
    if linkage == "average":
        table, exponent = _scale_to_length_1(table), 0
    else:
        table, exponent = _scale_to_1(table)
    _centre(table)
    clusters = _merge_equal_rows(table, weight_of_row, is_ward=linkage == "ward")
    n_columns = table.shape[1]
    del table
    with (
        threadpool_limits(limits=1, user_api="blas"),  # the threads here multiply block by block
        ThreadPoolExecutor(n_threads) as pool,
    ):
        merger = _Merger(clusters, pool, n_threads, progress)
        # a square of at most n_rows x n_columns distances takes no more than the rows
        if clusters.counts[1] > max(_N_SQUARE, n_columns):
            merger.merge_by_lists()
        merger.merge_by_square()
    heights = np.maximum.accumulate(clusters.distances)  # the last bits of ties may descend
    if linkage == "ward":
        heights = np.ldexp(np.sqrt(heights), exponent)
    return _assemble(clusters.merges, heights)


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_rows(rows: ArrayLike) -> NDArray[np.float64]:
    """Return a copy as float64, free of negative zeros."""
    table = None
    if not np.iscomplexobj(rows):
        with contextlib.suppress(TypeError, ValueError):
            table = np.array(rows, dtype=np.float64, order="C")
    if table is None:
        raise ParameterError("rows are no table of real numbers; give an array (n_rows, n_columns)")
    if table.ndim != 2 or 0 in table.shape:
        raise ParameterError(
            f"rows have the shape {table.shape}; clustering needs (n_rows, n_columns), "
            "at least one of each"
        )
    is_bad: NDArray[np.bool_] = np.logical_not(np.isfinite(table).all(axis=1))
    if is_bad.any():
        raise ParameterError(
            f"{is_bad.sum():,} of {count(len(table), 'row')} hold NaN or infinity: "
            f"{_name(is_bad)}; mend or drop them"
        )
    table += 0.0
    return table


def _check_weights(weights: ArrayLike | None, n_rows: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n_rows)
    try:
        array = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError("weights are no numbers; give one positive number a row") from None
    if array.shape != (n_rows,):
        raise ParameterError(
            f"weights have the shape {array.shape}; give one number for each of "
            f"{count(n_rows, 'row')}"
        )
    is_bad = ~((array >= 1 / _LARGEST_WEIGHT) & (array <= _LARGEST_WEIGHT))
    if is_bad.any():
        raise ParameterError(
            f"{is_bad.sum():,} of {count(n_rows, 'weight')} are not positive and finite: "
            f"rows {_name(is_bad)}; allowed are 1e-100 to 1e100"
        )
    return array


def _name(is_meant: NDArray[np.bool_]) -> str:
    return abbreviate([str(i) for i in np.flatnonzero(is_meant)], _N_NAMED)


def _scale_to_length_1(table: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(table).max(axis=1)
    is_zero: NDArray[np.bool_] = np.equal(largest, 0)
    if is_zero.any():
        raise ParameterError(
            f"{is_zero.sum():,} of {count(len(table), 'row')} are all zeros and have no "
            f"direction: {_name(is_zero)}; drop them or use Ward"
        )
    table = np.ldexp(table, -np.frexp(largest)[1][:, None])  # exact, so that no square overflows
    table /= np.sqrt((table * table).sum(axis=1))[:, None]
    return table


def _scale_to_1(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Divide by a power of 2, exactly, so that no square overflows; return its exponent."""
    exponent = int(np.frexp(np.abs(table).max())[1])
    return np.ldexp(table, -exponent), exponent


def _centre(table: NDArray[np.float64]) -> None:
    """Shift columns that lie far from 0 towards it, since means are exact to their last bit.

    The shift is a multiple of a power of 2 not smaller than the range of the column, so no
    digit is lost and what was tied stays tied.
    """
    low, high = table.min(axis=0), table.max(axis=0)
    step = np.ldexp(1.0, np.maximum(np.frexp(high - low)[1], -60))
    table -= np.trunc((low + high) / 2 / step) * step


def _merge_equal_rows(
    table: NDArray[np.float64], weights: NDArray[np.float64], *, is_ward: bool
) -> Clusters:
    """Merge equal rows at distance 0, which come before all others; each kind gets a slot."""
    n_rows, n_columns = table.shape
    first_of: dict[bytes, int] = {}
    first = np.array([first_of.setdefault(row.tobytes(), i) for i, row in enumerate(table)])
    del first_of
    slots = np.flatnonzero(first == np.arange(n_rows))
    weights_of_slots = np.zeros(len(slots))
    np.add.at(weights_of_slots, np.searchsorted(slots, first), weights)
    means = np.zeros((len(slots), -(-n_columns // LANES) * LANES))
    means[:, :n_columns] = table[slots]
    node_of_row = np.arange(n_rows, dtype=np.int32)
    merges = np.zeros((n_rows - 1, 2), np.int32)
    n_merged = 0
    copies = np.flatnonzero(first != np.arange(n_rows))
    for copy in copies[np.argsort(first[copies], kind="stable")]:
        merges[n_merged] = sorted((node_of_row[first[copy]], copy))
        node_of_row[first[copy]] = n_rows + n_merged
        n_merged += 1
    clusters = Clusters(
        is_ward=is_ward,
        means=means,
        weights=weights_of_slots,
        dispersions=np.zeros(len(slots)),
        nodes=node_of_row[slots],
        parents=np.arange(2 * n_rows - 1, dtype=np.int32),
        slots=np.full(2 * n_rows - 1, -1, np.int32),
        merges=merges,
        distances=np.zeros(n_rows - 1),
        counts=np.array([n_merged, len(slots)], np.int64),
    )
    clusters.slots[clusters.nodes] = np.arange(len(slots))
    return clusters


class _Merger:
    """Merges clusters in place, in pieces short enough that an interrupt is heard."""

    def __init__(
        self,
        clusters: Clusters,
        pool: ThreadPoolExecutor,
        n_threads: int,
        progress: CountProgress | None,
    ) -> None:
        self.clusters = clusters
        self.pool = pool
        self.n_threads = n_threads
        self.progress = progress
        self.n_reported = -1
        self.report()

    def report(self) -> None:
        n_merged = int(self.clusters.counts[0])
        if self.progress is not None and n_merged != self.n_reported:
            self.progress(n_merged, len(self.clusters.distances))
        self.n_reported = n_merged

    def run(self, function: Callable[[int], None], starts: Sequence[int]) -> None:
        """Call a function for each start, on all threads, some at a time."""
        if self.n_threads == 1:
            for start in starts:
                function(start)
            return
        n_round = _N_BLOCKS * self.n_threads
        for i in range(0, len(starts), n_round):
            for _ in self.pool.map(function, starts[i : i + n_round]):
                pass

    def merge_by_square(self) -> None:
        """Merge what is left with all its distances."""
        clusters = self.clusters
        alive = np.flatnonzero(clusters.nodes >= 0).astype(np.int32)
        m = len(alive)
        square = np.empty((m, m))
        later, leasts = np.full(m, -1, np.int32), np.empty(m)

        def fill(start: int) -> None:
            fill_square(clusters, alive, square, start, min(start + _N_SQUARE_ROWS, m))

        self.run(fill, range(0, m, _N_SQUARE_ROWS))
        while clusters.counts[1] > 1:
            merge_square(clusters, alive, square, later, leasts, _N_SQUARE_MERGES)
            self.report()

    def merge_by_lists(self) -> None:
        """Merge until a square holds all that is left."""
        clusters = self.clusters
        self.lists = _build_lists(clusters)
        centre = clusters.means.mean(axis=0)
        self.pack = _build_pack(clusters, centre)
        self.ask(np.arange(len(self.pack.slots), dtype=np.int32))
        while clusters.counts[1] > _N_SQUARE:
            if clusters.counts[1] < _ALIVE_SHARE * len(self.pack.slots):
                self.pack = _build_pack(clusters, centre)
            least_weight = clusters.weights[clusters.nodes >= 0].min()
            merge_some(clusters, self.pack, self.lists, least_weight, _N_SQUARE, _N_AHEAD, _N_WORK)
            self.report()
            if self.lists.counts[0]:
                self.ask(self.pack.places[self.lists.pending[: self.lists.counts[0]]])

    def ask(self, queries: NDArray[np.int32]) -> None:
        """Fill the lists of packed rows with their nearest clusters."""
        clusters, pack, lists = self.clusters, self.pack, self.lists

        def ask_block(start: int) -> None:
            block = queries[start : start + _N_QUERIES]
            bounds = np.full((len(block), _N_NEAR + 1), BIG)
            rows = np.full(bounds.shape, -1, np.int32)
            left = pack.rows[block]
            for first in range(0, len(pack.slots), _N_COLUMNS):
                products = left @ pack.rows[first : first + _N_COLUMNS].T
                find_candidates(clusters.is_ward, pack, block, products, first, bounds, rows)
            fill_lists(clusters, pack, lists, block, bounds, rows)

        self.run(ask_block, range(0, len(queries), _N_QUERIES))
        file_lists(clusters, pack, lists, queries)


def _build_lists(clusters: Clusters) -> Lists:
    n = len(clusters.nodes)
    n_leaves = 1 << (n - 1).bit_length()
    winners = np.full(2 * n_leaves, n, np.int32)
    keys = np.full(n + 1, BIG)
    norms = np.sqrt(np.einsum("ij,ij->i", clusters.means, clusters.means))
    winners[n_leaves : n_leaves + n] = np.arange(n)
    return Lists(
        near=np.zeros((n, _N_NEAR), np.int32),
        values=np.zeros((n, _N_NEAR)),
        exact=np.zeros((n, _N_NEAR), np.bool_),
        lengths=np.zeros(n, np.int32),
        bounds=np.zeros(n),
        bound_slots=np.zeros(n, np.int32),
        followed=np.zeros(n, np.bool_),
        keys=keys,
        winners=winners,
        pending=np.zeros(n, np.int32),
        followers=np.zeros(n, np.int32),
        found=np.zeros(n, np.int32),
        is_follower=np.zeros(n, np.bool_),
        counts=np.zeros(2, np.int64),
        window=np.full(1, 0.01),
        error=float(norms.max()) * 2.0**-42,  # a thousand updates of a mean
    )


def _build_pack(clusters: Clusters, centre: NDArray[np.float64]) -> Pack:
    """Pack the means of the clusters alive in float32.

    Rounding both factors and each of d products and sums, in any order, is off by
    (d + 2) u / (1 - (d + 2) u) of the sum of sizes, u = 2^-24, plus what underflows (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
    """
    slots = np.flatnonzero(clusters.nodes >= 0).astype(np.int32)
    places = np.full(len(clusters.nodes), -1, np.int32)
    places[slots] = np.arange(len(slots))
    centred = clusters.means[slots] - centre
    squares = np.einsum("ij,ij->i", centred, centred)
    n_columns = centred.shape[1]
    relative = (n_columns + 4) * 2.0**-24
    rounding = 1.0 - (n_columns + 8) * 2.0**-50
    is_ward = clusters.is_ward
    return Pack(
        slots=slots,
        places=places,
        centre=centre,
        rows=centred.astype(np.float32),
        norms=np.sqrt(squares),
        bases=squares * rounding + clusters.dispersions[slots],
        inverses=1.0 / clusters.weights[slots] if is_ward else np.zeros(len(slots)),
        rounding=rounding,
        share=relative / (1.0 - relative),
        rest=n_columns * 2.0**-120,
    )


def _assemble(merges: NDArray[np.int32], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    n_rows = len(merges) + 1
    sizes = np.ones(2 * n_rows - 1)
    for i, (left, right) in enumerate(merges.tolist()):
        sizes[n_rows + i] = sizes[left] + sizes[right]
    return np.column_stack([merges, heights, sizes[n_rows:]])
