"""Clusters of sparse, non-negative rows: their sums, their costs, and an index over them.

Clusters are known by slots: cluster ``s`` holds the sum of its rows, and a union keeps the
smaller of two slots. Products with all clusters come from an inverted index; terms that
stand in many clusters have a dense row each instead of postings. Both hold float32: since
no weight is negative, sums of products are off by a known share of themselves at most, so
costs from them are lowered to bounds. What decides a merge is computed in float64.
Unsigned numbers index arrays in the innermost loops: no check for a negative one, which would
count from the end, slows them by a third.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "AVERAGE",
    "WARD",
    "Index",
    "State",
    "add_products",
    "bound_all_costs",
    "bound_costs",
    "cancels",
    "compiled",
    "cost",
    "find_cost",
    "find_root",
    "unite_rows",
]

WARD, AVERAGE = 0, 1
# A product of non-negative vectors of n terms, rounded to float32 and summed in any order, is
# off by less than (n + 3) 2^-24 of itself, to first order (Higham, Accuracy and Stability of
# Numerical Algorithms, 2002, section 3.1); twice that leaves room for the higher orders.
_ROUNDING = 2.0**-23
_UNDERFLOW = 2.0**-100  # more than float32 loses of a product of entries up to 2^24
_N_IN_CACHE = 2048  # sums of 8 kB beside four pieces of rows
_CANCELLATION = 1e-6  # squared distances that lose half their digits are computed otherwise

compiled = njit(cache=True, nogil=True, error_model="numpy")


class State(NamedTuple):
    """Clusters in ``n_slots`` slots, dead ones among them, and what is known of each.

    Attributes
    ----------
    starts, lengths : ndarray of int64, shape (n_slots,)
        Where a cluster's sum of rows stands in ``terms`` and ``values``.
    terms, values : ndarray of int32 and float64, shape (capacity,)
    weights, squares : ndarray of float64, shape (n_slots,)
        Papers of a cluster; squared norm of its mean row.
    nodes : ndarray of int64, shape (n_slots,)
        Number of a cluster in the linkage matrix.
    parents : ndarray of int64, shape (n_slots,)
        Slot that a cluster was merged into; its own while it lives.
    versions : ndarray of int64, shape (n_slots,)
        Merges that made the cluster since the index was built.
    near, near_costs, near_versions : ndarray, shape (n_slots, n_near)
        Clusters nearby, -1 where there is none; lower bounds on their cost; version at which
        the cost was exact, -1 if it is a bound.
    bounds : ndarray of float64, shape (n_slots,)
    is_fresh : ndarray of bool, shape (n_slots,)
        Whether the list is as the last question left it.
    sharp_at, sharp_to : ndarray of int64 and float64, shape (n_slots,)
        Merges done at the last question, and up to which bound it compared exactly.
    heap, places : ndarray of int64, shape (n_slots,)
        Slots ordered by ``keys``; where each stands.
    keys : ndarray of float64, shape (n_slots,)
    numbers : ndarray of int64, shape (3,)
        Clusters alive, merges so far, end of the pool.
    spread : ndarray of float64, shape (n_terms,)
        Work space for one row; zero before and after.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    terms: NDArray[np.int32]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    squares: NDArray[np.float64]
    nodes: NDArray[np.int64]
    parents: NDArray[np.int64]
    versions: NDArray[np.int64]
    near: NDArray[np.int32]
    near_costs: NDArray[np.float64]
    near_versions: NDArray[np.int64]
    bounds: NDArray[np.float64]
    is_fresh: NDArray[np.bool_]
    sharp_at: NDArray[np.int64]
    sharp_to: NDArray[np.float64]
    heap: NDArray[np.int64]
    places: NDArray[np.int64]
    keys: NDArray[np.float64]
    numbers: NDArray[np.int64]
    spread: NDArray[np.float64]


class Index(NamedTuple):
    """Inverted index of the rarer terms and dense rows of the common ones.

    Attributes
    ----------
    term_starts : ndarray of int64, shape (n_terms + 1,)
    slots, values : ndarray of uint32 and float32, shape (n_postings,)
        Postings of each term by ascending slot.
    places : ndarray of int32, shape (n_terms,)
        Row of a common term in ``common``, -1 for a rarer term.
    common : ndarray of float32, shape (n_common, n_slots)
    """

    term_starts: NDArray[np.int64]
    slots: NDArray[np.uint32]
    values: NDArray[np.float32]
    places: NDArray[np.int32]
    common: NDArray[np.float32]


@compiled
def cost(linkage: int, weight_a: float, weight_b: float, squares: float, product: float) -> float:
    """Cost of a merge from the sum of squared mean norms and the product of the mean rows."""
    if linkage == WARD:
        factor = 2.0 * weight_a * weight_b / (weight_a + weight_b)
        return factor * (squares - 2.0 * product)
    return 1.0 - product


@compiled
def cancels(squares: float, product: float) -> bool:
    """Say whether a squared distance is so small that its digits would be lost."""
    return bool(squares - 2.0 * product < _CANCELLATION * squares)


@compiled
def find_cost(linkage: int, state: State, a: int, b: int) -> float:
    """Compute the cost of merging two clusters, small ones from the difference of the rows."""
    terms, values, spread = state.terms, state.values, state.spread
    first_a, first_b = np.uint64(state.starts[a]), np.uint64(state.starts[b])
    end_a, end_b = first_a + np.uint64(state.lengths[a]), first_b + np.uint64(state.lengths[b])
    for i in range(first_a, end_a):
        spread[np.uint64(terms[i])] = values[i]
    product = 0.0
    for j in range(first_b, end_b):  # the same sum for (b, a): other terms add 0
        product += spread[np.uint64(terms[j])] * values[j]
    for i in range(first_a, end_a):
        spread[np.uint64(terms[i])] = 0.0
    weight_a, weight_b = state.weights[a], state.weights[b]
    product /= weight_a * weight_b
    squares = state.squares[a] + state.squares[b]
    if linkage == WARD and cancels(squares, product):
        factor = 2.0 * weight_a * weight_b / (weight_a + weight_b)
        return float(factor * _squared_difference(state, a, b))
    return max(cost(linkage, weight_a, weight_b, squares, product), 0.0)


@compiled
def _squared_difference(state: State, a: int, b: int) -> float:
    """Squared distance of two mean rows, summed from the differences of their entries."""
    i, j = state.starts[a], state.starts[b]
    end_i, end_j = i + state.lengths[a], j + state.lengths[b]
    terms, values = state.terms, state.values
    share_a, share_b = 1.0 / state.weights[a], 1.0 / state.weights[b]
    total = 0.0
    while i < end_i or j < end_j:
        difference = 0.0
        if j == end_j or (i < end_i and terms[i] < terms[j]):
            difference = values[i] * share_a
            i += 1
        elif i == end_i or terms[j] < terms[i]:
            difference = values[j] * share_b
            j += 1
        else:
            difference = values[i] * share_a - values[j] * share_b
            i += 1
            j += 1
        total += difference * difference
    return total


@compiled
def find_root(parents: NDArray[np.int64], slot: int) -> int:
    """Find the living cluster that holds a slot's rows, halving the way there."""
    while parents[slot] != slot:
        parents[slot] = parents[parents[slot]]
        slot = parents[slot]
    return slot


@compiled
def add_products(state: State, index: Index, q: int, end: int, sums: NDArray[np.float32]) -> None:
    """Add to ``sums`` the products of cluster ``q`` with the clusters before slot ``end``."""
    first, last = state.starts[q], state.starts[q] + state.lengths[q]
    places = np.empty(last - first, dtype=np.int32)
    factors = np.empty(last - first, dtype=np.float32)
    n_common = 0
    for i in range(first, last):
        term, value = state.terms[i], np.float32(state.values[i])
        if index.places[term] >= 0:
            places[n_common], factors[n_common] = index.places[term], value
            n_common += 1
            continue
        start, stop = index.term_starts[term], index.term_starts[term + 1]
        if end < len(sums):
            stop = start + np.searchsorted(index.slots[start:stop], end)
        for p in range(np.uint64(start), np.uint64(stop)):
            sums[index.slots[p]] += value * index.values[p]
    _add_common(index.common, places[:n_common], factors[:n_common], end, sums)


@compiled
def _add_common(
    common: NDArray[np.float32],
    places: NDArray[np.int32],
    factors: NDArray[np.float32],
    end: int,
    sums: NDArray[np.float32],
) -> None:
    """Add multiples of some dense rows, four at once, piece by piece that the cache holds."""
    n = len(places)
    in_fours = n - n % 4
    for begin in range(0, end, _N_IN_CACHE):
        stop = min(begin + _N_IN_CACHE, end)
        piece = sums[begin:stop]  # slices, as the compiler vectorises loops from 0
        for k in range(0, in_fours, 4):
            a, b = common[places[k], begin:stop], common[places[k + 1], begin:stop]
            c, d = common[places[k + 2], begin:stop], common[places[k + 3], begin:stop]
            by_a, by_b, by_c, by_d = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
            for s in range(len(piece)):
                piece[s] += (by_a * a[s] + by_b * b[s]) + (by_c * c[s] + by_d * d[s])
        for k in range(in_fours, n):
            a, by_a = common[places[k], begin:stop], factors[k]
            for s in range(len(piece)):
                piece[s] += by_a * a[s]


@compiled
def bound_costs(
    linkage: int,
    state: State,
    q: int,
    end: int,
    sums: NDArray[np.float32],
    costs: NDArray[np.float64],
) -> None:
    """Turn products into lower bounds of the cost of merging ``q`` with earlier slots."""
    weights, squares, versions = state.weights, state.squares, state.versions
    weight_q, square_q = weights[q], squares[q]
    n_summands = state.lengths[q] + 3
    for s in range(end):
        up = 1.0 + (n_summands + versions[s]) * _ROUNDING
        product = (sums[s] * up + n_summands * _UNDERFLOW) / (weight_q * weights[s])
        costs[s] = cost(linkage, weight_q, weights[s], square_q + squares[s], product)
        sums[s] = 0.0


@compiled
def bound_all_costs(
    linkage: int,
    state: State,
    index: Index,
    dead: NDArray[np.int64],
    n_dead: int,
    q: int,
    sums: NDArray[np.float32],
    costs: NDArray[np.float64],
) -> None:
    """Bound the costs of merging cluster ``q`` with every other; infinite where there is none.

    Parameters
    ----------
    dead : ndarray of int64
        Slots merged since the index was built, of which the first ``n_dead`` count.
    sums : ndarray of float32, shape (n_slots,)
        Work space, zero before and after.
    costs : ndarray of float64, shape (n_slots,)
    """
    n_slots = len(sums)
    add_products(state, index, q, n_slots, sums)
    for i in range(n_dead):  # rows of the common terms are summed when clusters merge
        sums[find_root(state.parents, dead[i])] += sums[dead[i]]
    bound_costs(linkage, state, q, n_slots, sums, costs)
    costs[q] = np.inf
    for i in range(n_dead):
        costs[dead[i]] = np.inf


@compiled
def unite_rows(state: State, index: Index, a: int, b: int) -> None:
    """Write the sum of two clusters' rows at the end of the pool, for slot ``a``."""
    i, j = state.starts[a], state.starts[b]
    end_i, end_j = i + state.lengths[a], j + state.lengths[b]
    terms, values = state.terms, state.values
    first = state.numbers[2]
    end = first
    squared = 0.0
    while i < end_i or j < end_j:
        if j == end_j or (i < end_i and terms[i] < terms[j]):
            term, value = terms[i], values[i]
            i += 1
        elif i == end_i or terms[j] < terms[i]:
            term, value = terms[j], values[j]
            j += 1
        else:
            term, value = terms[i], values[i] + values[j]
            i += 1
            j += 1
        terms[end] = term
        values[end] = value
        end += 1
        squared += value * value
        place = index.places[term]
        if place >= 0:
            index.common[place, a] = value
            index.common[place, b] = 0.0
    state.starts[a] = first
    state.lengths[a] = end - first
    state.numbers[2] = end
    state.weights[a] += state.weights[b]
    state.squares[a] = squared / (state.weights[a] * state.weights[a])
