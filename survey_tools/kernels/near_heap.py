"""The heap of clusters, the one with the least bound on top, of equal ones the first slot."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import State, compiled

__all__ = ["fill_heap", "remove", "set_key"]


@compiled
def _is_before(keys: NDArray[np.float64], a: int, b: int) -> bool:
    return bool(keys[a] < keys[b] or (keys[a] == keys[b] and a < b))


@compiled
def _sift(
    heap: NDArray[np.int64],
    places: NDArray[np.int64],
    keys: NDArray[np.float64],
    n: int,
    place: int,
) -> None:
    """Move the slot at a place of the heap to where its key belongs."""
    slot = heap[place]
    while place > 0:
        above = (place - 1) // 2
        if not _is_before(keys, slot, heap[above]):
            break
        heap[place] = heap[above]
        places[heap[place]] = place
        place = above
    while 2 * place + 1 < n:
        below = 2 * place + 1
        if below + 1 < n and _is_before(keys, heap[below + 1], heap[below]):
            below += 1
        if not _is_before(keys, heap[below], slot):
            break
        heap[place] = heap[below]
        places[heap[place]] = place
        place = below
    heap[place] = slot
    places[slot] = place


@compiled
def set_key(state: State, slot: int) -> None:
    """Put a cluster where its least bound belongs."""
    least = state.bounds[slot]
    for k in range(state.near.shape[1]):
        if state.near[slot, k] >= 0 and state.near_costs[slot, k] < least:
            least = state.near_costs[slot, k]
    state.keys[slot] = least
    _sift(state.heap, state.places, state.keys, state.numbers[0], state.places[slot])


@compiled
def remove(state: State, slot: int) -> None:
    """Take a cluster out of the heap; the number of living clusters falls by one."""
    place = state.places[slot]
    state.numbers[0] -= 1
    n = state.numbers[0]
    if place != n:
        last = state.heap[n]
        state.heap[place] = last
        state.places[last] = place
        _sift(state.heap, state.places, state.keys, n, place)


@compiled
def fill_heap(state: State) -> None:
    """Order all living clusters by their least bound."""
    alive = state.numbers[0]
    state.numbers[0] = 0
    for slot in range(alive):
        n = state.numbers[0]
        state.heap[n] = slot
        state.places[slot] = n
        state.numbers[0] += 1
        set_key(state, slot)
