"""Replays of finished merges, to see whether each was the cheapest of all possible ones."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import (
    WARD,
    Index,
    State,
    bound_all_costs,
    compiled,
    find_cost,
    unite_rows,
)

__all__ = ["METHODS", "replay_in_square", "replay_rows"]

METHODS = ("ward", "average", "complete", "single", "weighted", "centroid", "median")
_WARD, _AVERAGE, _COMPLETE, _SINGLE, _WEIGHTED, _CENTROID, _MEDIAN = range(7)


@compiled
def _height(linkage: int, cost: float) -> float:
    return float(np.sqrt(cost)) if linkage == WARD else cost


@compiled
def replay_rows(
    linkage: int,
    state: State,
    index: Index,
    dead: NDArray[np.int64],
    sums: NDArray[np.float32],
    costs: NDArray[np.float64],
    slots: NDArray[np.int64],
    merges: NDArray[np.int64],
    heights: NDArray[np.float64],
    worst: NDArray[np.float64],
    n_steps: int,
) -> bool:
    """Repeat some merges; before each, compare both clusters with all others.

    A pair that is cheaper than a merge before it would be seen when one of the two is merged,
    as long as costs do not fall from merge to merge; so this looks at every pair.

    Parameters
    ----------
    dead, sums, costs
        See `near_lists.merge_some`.
    slots : ndarray of int64, shape (2 n_rows - 1,)
        Slot of every living node.
    merges, heights : ndarray, shapes (n_rows - 1, 2) and (n_rows - 1,)
        ``numbers[1]`` of them are done.
    worst : ndarray of float64, shape (4,)
        Largest gap to a cheaper pair, largest error of a height, largest fall of the height,
        and the height of the last merge, brought up to date.

    Returns
    -------
    bool
        Whether index and pool must be made anew before going on, or all is done.
    """
    n_slots = len(state.parents)
    for _ in range(n_steps):
        done = state.numbers[1]
        n_dead = n_slots - state.numbers[0]
        if done == len(heights) or n_dead == len(dead):
            return True
        a, b = slots[merges[done, 0]], slots[merges[done, 1]]
        if state.numbers[2] + state.lengths[a] + state.lengths[b] > len(state.terms):
            return True
        a, b = min(a, b), max(a, b)
        cost_ab = find_cost(linkage, state, a, b)
        height = _height(linkage, cost_ab)
        for q in (a, b):
            bound_all_costs(linkage, state, index, dead, n_dead, q, sums, costs)
            for s in range(n_slots):
                if costs[s] < cost_ab:
                    gap = height - _height(linkage, find_cost(linkage, state, q, s))
                    worst[0] = max(worst[0], gap)
        worst[1] = max(worst[1], abs(height - heights[done]))
        worst[2] = max(worst[2], worst[3] - height)
        worst[3] = max(worst[3], height)
        unite_rows(state, index, a, b)
        state.nodes[a] = len(heights) + 1 + done
        state.parents[b] = a
        state.versions[a] += 1 + state.versions[b]
        state.numbers[0] -= 1
        state.numbers[1] += 1
        dead[n_dead] = b
        slots[len(heights) + 1 + done] = a
    return False


@compiled
def _update(
    method: int, size_a: float, size_b: float, size_x: float, ax: float, bx: float, ab: float
) -> float:
    """Lance and Williams' update, of squared distances for Ward, centroid and median."""
    n = size_a + size_b
    if method == _WARD:
        return ((size_a + size_x) * ax + (size_b + size_x) * bx - size_x * ab) / (n + size_x)
    if method == _AVERAGE:
        return (size_a * ax + size_b * bx) / n
    if method == _COMPLETE:
        return max(ax, bx)
    if method == _SINGLE:
        return min(ax, bx)
    if method == _WEIGHTED:
        return (ax + bx) / 2.0
    if method == _CENTROID:
        return (size_a * ax + size_b * bx) / n - size_a * size_b * ab / (n * n)
    return (ax + bx) / 2.0 - ab / 4.0


@compiled
def _find_least(costs: NDArray[np.float64], slot: int, is_dead: NDArray[np.bool_]) -> int:
    best, least = -1, np.inf
    for other in range(len(costs)):
        if other != slot and not is_dead[other] and costs[slot, other] < least:
            best, least = other, costs[slot, other]
    return best


@compiled
def replay_in_square(
    method: int,
    costs: NDArray[np.float64],
    sizes: NDArray[np.float64],
    slots: NDArray[np.int64],
    is_dead: NDArray[np.bool_],
    nearest: NDArray[np.int64],
    least: NDArray[np.float64],
    merges: NDArray[np.int64],
    heights: NDArray[np.float64],
    worst: NDArray[np.float64],
    first: int,
    last: int,
) -> None:
    """Repeat merges ``first`` to ``last - 1`` in a square matrix of costs.

    Parameters
    ----------
    method : int
        Place in `METHODS`.
    costs : ndarray of float64, shape (n, n)
        Distances, squared for Ward, centroid and median linkage; overwritten.
    nearest, least : ndarray of int64 and float64, shape (n,)
        Each slot's nearest other slot and its cost, kept between calls.
    worst : ndarray of float64, shape (4,)
        See `replay_rows`; centroid and median linkage may fall.
    """
    n = len(costs)
    is_squared = method in (_WARD, _CENTROID, _MEDIAN)
    if first == 0:
        for x in range(n):
            nearest[x] = _find_least(costs, x, is_dead)
            least[x] = costs[x, nearest[x]]
    for done in range(first, last):
        a, b = slots[merges[done, 0]], slots[merges[done, 1]]
        cost_ab = costs[a, b]
        cheapest = least.min()
        height, lowest = cost_ab, cheapest
        if is_squared:
            height, lowest = np.sqrt(max(cost_ab, 0.0)), np.sqrt(max(cheapest, 0.0))
        worst[0] = max(worst[0], height - lowest)
        worst[1] = max(worst[1], abs(height - heights[done]))
        worst[2] = max(worst[2], worst[3] - height)
        worst[3] = height
        is_dead[b] = True
        least[b] = np.inf
        for x in range(n):
            if x != a and not is_dead[x]:
                new = _update(
                    method, sizes[a], sizes[b], sizes[x], costs[a, x], costs[b, x], cost_ab
                )
                costs[a, x] = costs[x, a] = new
        sizes[a] += sizes[b]
        slots[n + done] = a
        for x in range(n):
            if is_dead[x]:
                continue
            if x == a or nearest[x] == a or nearest[x] == b:
                nearest[x] = _find_least(costs, x, is_dead)
                least[x] = costs[x, nearest[x]] if nearest[x] >= 0 else np.inf
            elif costs[x, a] < least[x]:
                nearest[x], least[x] = a, costs[x, a]
