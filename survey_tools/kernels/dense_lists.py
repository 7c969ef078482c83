"""What is known of each cluster's neighbours: short lists, bounds, and a tournament of keys.

Bounds hold up to rounding: a value is lowered by what rounding may have added to it before
it is compared.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from survey_tools.kernels.dense_rows import (
    BIG,
    Clusters,
)

__all__ = [
    "Lists",
    "climb",
    "compiled",
    "find_least",
    "insert_entry",
    "is_beyond",
    "is_within",
    "raise_bound",
    "remove_entry",
    "set_key",
]

_N_FIRST_COLUMNS = 16
_RELATIVE_SLACK = 2.0**-40  # rounding of a few thousand operations

compiled = njit(cache=True, nogil=True, error_model="numpy")


class Lists(NamedTuple):
    """What is known of the neighbours of the clusters in ``n`` slots.

    Attributes
    ----------
    near : ndarray of int32, shape (n, n_near)
        Nodes, alive when they were noted.
    values : ndarray of float64, shape (n, n_near)
        Lower bounds on their distances.
    exact : ndarray of bool, shape (n, n_near)
        Whether the value is the distance of the node.
    lengths : ndarray of int32, shape (n,)
    bounds : ndarray of float64, shape (n,)
        No cluster outside the list is nearer.
    bound_slots : ndarray of int32, shape (n,)
        If followed: outside the list, those as near as the bound have this slot or a later one.
    followed : ndarray of bool, shape (n,)
        Tied with more clusters than the list holds: every new cluster is compared with this
        one, so that the list is exact and ordered by distance and slot.
    keys : ndarray of float64, shape (n + 1,)
        Least of list and bound, less the slack; `BIG` in a dead slot.
    winners : ndarray of int32, shape (2 * a power of two,)
        Tournament of the keys; the smaller slot wins a draw.
    pending, followers, found : ndarray of int32, shape (n,)
        Slots that need a new list; slots followed, and some that were; work space.
    is_follower : ndarray of bool, shape (n,)
        Whether a slot stands among the followers.
    counts : ndarray of int64, shape (2,)
        Slots pending, followers.
    window : ndarray of float64, shape (1,)
        Share of the least key within which others are asked for ahead of need.
    error : float
        By how much a mean may be off, as a length.
    """

    near: NDArray[np.int32]
    values: NDArray[np.float64]
    exact: NDArray[np.bool_]
    lengths: NDArray[np.int32]
    bounds: NDArray[np.float64]
    bound_slots: NDArray[np.int32]
    followed: NDArray[np.bool_]
    keys: NDArray[np.float64]
    winners: NDArray[np.int32]
    pending: NDArray[np.int32]
    followers: NDArray[np.int32]
    found: NDArray[np.int32]
    is_follower: NDArray[np.bool_]
    counts: NDArray[np.int64]
    window: NDArray[np.float64]
    error: float


@compiled
def find_slack(clusters: Clusters, lists: Lists, x: int) -> float:
    """Return by how much the root of a distance of slot x may be off, squared."""
    factor = clusters.weights[x] if clusters.is_ward else 1.0  # 2ab/(a + b) <= 2a
    return float(2.0 * factor * lists.error * lists.error)


@compiled
def lower(clusters: Clusters, lists: Lists, x: int, value: float) -> float:
    """Return what a distance of slot x may be, if not for rounding, at least."""
    slack = find_slack(clusters, lists, x)
    return float(value - _RELATIVE_SLACK * value - 2.0 * np.sqrt(slack * value) - slack)


@compiled
def raise_bound(clusters: Clusters, lists: Lists, x: int, value: float) -> float:
    """Return the largest number, or one just above it, whose `lower` is at most the value."""
    slack = find_slack(clusters, lists, x)
    root = np.sqrt(slack) + np.sqrt(2.0 * slack + value)
    return float(root * root * (1.0 + 2.0 * _RELATIVE_SLACK))


@compiled
def find_least(lists: Lists, x: int) -> float:
    """Return the least value in a list; `BIG` if it is empty."""
    least = BIG
    for i in range(lists.lengths[x]):
        least = min(least, lists.values[x, i])
    return least


@compiled
def climb(lists: Lists, x: int) -> None:
    """Play the tournament anew from the key of slot x up."""
    place = (len(lists.winners) // 2 + x) // 2
    while place:
        left, right = lists.winners[2 * place], lists.winners[2 * place + 1]
        lists.winners[place] = left if lists.keys[left] <= lists.keys[right] else right
        place //= 2


@compiled
def set_key(clusters: Clusters, lists: Lists, x: int) -> None:
    """Give slot x the key that its list and bound allow."""
    lists.keys[x] = lower(clusters, lists, x, min(find_least(lists, x), lists.bounds[x]))
    climb(lists, x)


@compiled
def remove_entry(lists: Lists, x: int, i: int) -> None:
    """Take entry i out of a list; the last one takes its place."""
    last = lists.lengths[x] - 1
    lists.near[x, i] = lists.near[x, last]
    lists.values[x, i] = lists.values[x, last]
    lists.exact[x, i] = lists.exact[x, last]
    lists.lengths[x] = last


@compiled
def insert_entry(
    lists: Lists, x: int, node: int, value: float, slot: int, slots: NDArray[np.int32]
) -> None:
    """Insert an exact distance in order of distance and slot; what is pushed out is the bound."""
    length, n_near = lists.lengths[x], lists.near.shape[1]
    place = length
    while place > 0:
        before = lists.values[x, place - 1]
        if before < value or (before == value and slots[lists.near[x, place - 1]] < slot):
            break
        place -= 1
    if place == n_near:
        lists.bounds[x], lists.bound_slots[x] = value, slot
        return
    if length == n_near:
        length -= 1
        lists.bounds[x] = lists.values[x, length]
        lists.bound_slots[x] = slots[lists.near[x, length]]
    for i in range(length, place, -1):
        lists.near[x, i] = lists.near[x, i - 1]
        lists.values[x, i] = lists.values[x, i - 1]
    lists.near[x, place], lists.values[x, place] = node, value
    lists.exact[x, length] = True
    lists.lengths[x] = length + 1


@compiled
def is_within(lists: Lists, x: int, value: float, slot: int) -> bool:
    """Say whether a cluster so near belongs before what was left out of a list."""
    bound = lists.bounds[x]
    return bool(value < bound or (value == bound and slot < lists.bound_slots[x]))


@compiled
def is_beyond(clusters: Clusters, x: int, y: int, limit: float) -> bool:
    """Say whether the first columns alone set two slots further apart than the limit."""
    row, other = clusters.means[x], clusters.means[y]
    square = 0.0
    for i in range(min(_N_FIRST_COLUMNS, len(row))):
        square += (row[i] - other[i]) * (row[i] - other[i])
    factor = 0.5
    if clusters.is_ward:
        a, b = clusters.weights[x], clusters.weights[y]
        factor = 2.0 * a * b / (a + b)
    return bool(factor * square * (1.0 - _RELATIVE_SLACK) > limit)
