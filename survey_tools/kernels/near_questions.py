"""Questions to the index: the nearest clusters of one, or of every one at the start."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import (
    Index,
    State,
    add_products,
    bound_all_costs,
    bound_costs,
    compiled,
    find_cost,
)
from survey_tools.kernels.near_heap import set_key

__all__ = ["ask", "ask_first", "insert"]


@compiled
def insert(
    near: NDArray[np.int32], costs: NDArray[np.float64], n: int, slot: int, new: float
) -> int:
    """Insert into a list sorted by cost, ties by the order of arrival; return its length.

    A full list loses its last entry.
    """
    full = len(near)
    if n == full and new >= costs[n - 1]:
        return n
    place = n if n < full else full - 1
    while place > 0 and costs[place - 1] > new:
        near[place] = near[place - 1]
        costs[place] = costs[place - 1]
        place -= 1
    near[place] = slot
    costs[place] = new
    return min(n + 1, full)


@compiled
def ask_first(
    linkage: int,
    state: State,
    index: Index,
    rows: NDArray[np.int64],
    near: NDArray[np.int32],
    near_costs: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Compare some clusters with all in earlier slots and note who is near to whom.

    ``near``, ``near_costs`` and ``counts``, the lists found so far and their lengths, belong
    to this thread.
    """
    n = len(state.parents)
    sums = np.zeros(n, dtype=np.float32)
    costs = np.empty(n)
    full = near.shape[1]
    worst = near_costs[:, full - 1].copy()  # infinite while a list is not full
    for q in rows:
        add_products(state, index, q, q, sums)
        bound_costs(linkage, state, q, q, sums, costs)
        worst_q = worst[q]
        for s in range(q):
            if costs[s] < worst_q:
                counts[q] = insert(near[q], near_costs[q], counts[q], s, costs[s])
                worst_q = near_costs[q, full - 1]
            if costs[s] < worst[s]:
                counts[s] = insert(near[s], near_costs[s], counts[s], q, costs[s])
                worst[s] = near_costs[s, full - 1]
        worst[q] = worst_q


@compiled
def ask(
    linkage: int,
    state: State,
    index: Index,
    dead: NDArray[np.int64],
    n_dead: int,
    sums: NDArray[np.float32],
    costs: NDArray[np.float64],
    q: int,
    ceiling: float,
) -> None:
    """Find anew which clusters are nearest to cluster ``q``.

    Parameters
    ----------
    dead : ndarray of int64
        Slots merged since the index was built, of which the first ``n_dead`` count.
    sums, costs : ndarray of float32 and float64, shape (n_slots,)
        Work space; ``sums`` is zero before and after.
    ceiling : float
        If finite, clusters whose lower bound is at most this are compared exactly.
    """
    n = len(sums)
    bound_all_costs(linkage, state, index, dead, n_dead, q, sums, costs)
    near, near_costs = state.near[q], state.near_costs[q]
    full = len(near)
    near[:] = -1
    near_costs[:] = np.inf
    count = 0
    worst = np.inf
    for s in range(n):
        if costs[s] < worst:
            lower = costs[s]
            if lower <= ceiling < np.inf:
                lower = find_cost(linkage, state, q, s)
            if lower < worst:
                count = insert(near, near_costs, count, s, lower)
                worst = near_costs[full - 1]
    for k in range(count):
        is_exact = near_costs[k] <= ceiling < np.inf
        state.near_versions[q, k] = state.versions[near[k]] if is_exact else -1
    state.bounds[q] = worst
    state.is_fresh[q] = True
    state.sharp_at[q] = state.numbers[1]
    state.sharp_to[q] = ceiling if ceiling < np.inf else -np.inf
    set_key(state, q)
