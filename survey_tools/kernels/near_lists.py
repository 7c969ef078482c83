"""Merges in the order of their costs, from short lists of near clusters and bounds.

Every cluster keeps a list of near clusters with lower bounds on their cost, and a bound: no
cluster outside the list is nearer. Ward and average linkage are reducible,
d(A u B, X) >= min(d(A, X), d(B, X)) [1]_, so what a list says of a cluster stays a lower
bound after that cluster has been merged. A heap holds each cluster's least bound; what
comes to its top is made exact, asked for anew, or merged.

References
----------
.. [1] Müllner, "Modern hierarchical, agglomerative clustering algorithms",
   arXiv:1109.2378, section 2.
"""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import (
    WARD,
    Index,
    State,
    compiled,
    find_cost,
    find_root,
    unite_rows,
)
from survey_tools.kernels.near_heap import remove, set_key
from survey_tools.kernels.near_questions import ask, insert

__all__ = ["merge_some"]

_SLACK = 1e-13  # bounds from bounds carry the rounding of a few float64 operations
_NOISE = 4e-15  # of a mean cosine distance, which is 1 less a sum near 1


@compiled
def _bound_of_union(
    linkage: int,
    weight_a: float,
    weight_b: float,
    weight_x: float,
    cost_a: float,
    cost_b: float,
    cost_ab: float,
) -> float:
    """Lance and Williams' update of two lower bounds, a little lowered for its rounding.

    An infinite bound says that there is no such cluster.
    """
    if np.isinf(cost_a) or np.isinf(cost_b):
        return np.inf
    if linkage == WARD:
        with_x = (weight_a + weight_x) * cost_a + (weight_b + weight_x) * cost_b
        new = (with_x - weight_x * cost_ab) / (weight_a + weight_b + weight_x)
    else:
        new = (weight_a * cost_a + weight_b * cost_b) / (weight_a + weight_b)
    noise = 0.0 if linkage == WARD else _NOISE
    return new - _SLACK * max(abs(cost_a), abs(cost_b)) - noise


@compiled
def _unite_lists(
    linkage: int, state: State, a: int, b: int, cost_ab: float, least_weight: float
) -> None:
    """Make the list and the bound of the union of two clusters, before they are merged."""
    full = state.near.shape[1]
    weight_a, weight_b = state.weights[a], state.weights[b]
    bound_a, bound_b = state.bounds[a], state.bounds[b]
    slots = np.empty(2 * full, dtype=np.int64)
    costs_a = np.full(2 * full, bound_a)
    costs_b = np.full(2 * full, bound_b)
    n = 0
    for side in range(2):
        owner = b if side else a
        for k in range(full):
            if state.near[owner, k] < 0:
                continue
            slot = find_root(state.parents, state.near[owner, k])
            if slot in (a, b):
                continue
            place = 0
            while place < n and slots[place] != slot:
                place += 1
            if place == n:
                slots[n] = slot
                n += 1
            costs = costs_b if side else costs_a
            costs[place] = min(costs[place], state.near_costs[owner, k])
    # Ward's update grows with the weight of the third cluster where both bounds are at least
    # the cost of the merge, as they are for the pair at the top of the heap.
    bound = _bound_of_union(linkage, weight_a, weight_b, least_weight, bound_a, bound_b, cost_ab)
    near, near_costs = state.near[a], state.near_costs[a]
    near[:] = -1
    near_costs[:] = np.inf
    count = 0
    for i in range(n):
        weight_x = state.weights[slots[i]]
        new = _bound_of_union(
            linkage, weight_a, weight_b, weight_x, costs_a[i], costs_b[i], cost_ab
        )
        if new >= bound:
            continue
        if count == full:
            bound = min(bound, max(new, near_costs[full - 1]))
        count = insert(near, near_costs, count, slots[i], new)
    state.near_versions[a, :] = -1
    state.bounds[a] = bound
    state.is_fresh[a] = False


@compiled
def _choose_near(state: State, slot: int) -> int:
    """Return the place of the nearest cluster in a list, -1 if the list is empty.

    Of equal costs a bound comes before an exact cost, then the smaller slot.
    """
    best = -1
    best_slot, best_cost, best_is_exact = -1, np.inf, False
    for k in range(state.near.shape[1]):
        other = state.near[slot, k]
        if other < 0:
            continue
        near_cost = state.near_costs[slot, k]
        is_exact = state.near_versions[slot, k] >= 0
        if (
            best < 0
            or near_cost < best_cost
            or (
                near_cost == best_cost
                and (
                    (best_is_exact and not is_exact)
                    or (best_is_exact == is_exact and other < best_slot)
                )
            )
        ):
            best, best_slot, best_cost, best_is_exact = k, other, near_cost, is_exact
    return best


@compiled
def _is_sharp(state: State, slot: int, tied: float) -> bool:
    """Say whether all clusters at a cost or below were compared exactly since the last merge."""
    return bool(state.sharp_at[slot] == state.numbers[1] and state.sharp_to[slot] >= tied)


@compiled
def merge_some(
    linkage: int,
    state: State,
    index: Index,
    dead: NDArray[np.int64],
    sums: NDArray[np.float32],
    costs: NDArray[np.float64],
    merges: NDArray[np.int64],
    merge_costs: NDArray[np.float64],
    least_weight: float,
    fewest: int,
    n_steps: int,
) -> bool:
    """Merge the nearest clusters, again and again, for some steps.

    Parameters
    ----------
    dead : ndarray of int64
        Slots merged since the index was built; as many as have been merged, filled from the
        front, with ``len(parents) - numbers[0]`` in use.
    sums, costs : ndarray of float32 and float64, shape (n_slots,)
        Work space; ``sums`` is zero before and after.
    merges : ndarray of int64, shape (n_rows - 1, 2)
    merge_costs : ndarray of float64, shape (n_rows - 1,)
        Filled from ``numbers[1]`` on.
    fewest : int
        Stop at so many clusters.

    Returns
    -------
    bool
        Whether index and pool must be made anew before going on (or ``fewest`` is reached);
        False if the steps are used up.
    """
    n_slots = len(state.parents)
    for _ in range(n_steps):
        alive = state.numbers[0]
        n_dead = n_slots - alive
        if alive <= fewest or n_dead == len(dead):
            return True
        x = state.heap[0]
        k = _choose_near(state, x)
        is_tied = k >= 0 and state.near_costs[x, k] == state.bounds[x]
        if (
            k < 0
            or state.near_costs[x, k] > state.bounds[x]
            or (is_tied and not _is_sharp(state, x, state.near_costs[x, k]))
        ):
            ceiling = np.inf
            if is_tied or (k >= 0 and state.is_fresh[x]):  # bounds are not sharp enough
                ceiling = state.near_costs[x, k]
            ask(linkage, state, index, dead, n_dead, sums, costs, x, ceiling)
            continue
        known = state.near[x, k]
        y = find_root(state.parents, known)
        if y == known and state.near_versions[x, k] == state.versions[y]:
            if state.numbers[2] + state.lengths[x] + state.lengths[y] > len(state.terms):
                return True
            a, b = min(x, y), max(x, y)
            nearest = state.near_costs[x, k]
            done = state.numbers[1]
            merges[done, 0] = min(state.nodes[a], state.nodes[b])
            merges[done, 1] = max(state.nodes[a], state.nodes[b])
            merge_costs[done] = nearest
            _unite_lists(linkage, state, a, b, nearest, least_weight)
            unite_rows(state, index, a, b)
            state.nodes[a] = len(merge_costs) + 1 + done
            state.parents[b] = a
            state.versions[a] += 1 + state.versions[b]
            state.numbers[1] += 1
            dead[n_dead] = b
            remove(state, b)
            set_key(state, a)
            continue
        if y != known:
            state.is_fresh[x] = False
        state.near[x, k] = -1
        is_known = y == x
        for other in range(state.near.shape[1]):
            if state.near[x, other] == y and state.near_versions[x, other] == state.versions[y]:
                is_known = True
        if not is_known:
            state.near[x, k] = y
            state.near_costs[x, k] = find_cost(linkage, state, x, y)
            state.near_versions[x, k] = state.versions[y]
        set_key(state, x)
    return False
