"""Merges in the order of their heights, from short lists of near clusters and bounds.

Every cluster has a list of near clusters, with lower bounds on their distances, and a bound:
no cluster outside the list is nearer. Ward and average linkage are reducible,
d(A u B, X) >= min(d(A, X), d(B, X)), so what is said of a cluster bounds every union that it
goes into. Only what comes to the top is looked at: a value that is no distance yet is
computed, and a cluster whose list does not reach far enough asks for a new one.

Bounds hold up to rounding. What lies within a slack of the least distance is therefore made
exact before a pair is chosen; the choice does not depend on what the lists held.
"""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.dense_lists import (
    Lists,
    climb,
    compiled,
    find_least,
    insert_entry,
    is_beyond,
    is_within,
    raise_bound,
    remove_entry,
    set_key,
)
from survey_tools.kernels.dense_rows import BIG, Clusters, Pack, find_distance, find_update, unite

__all__ = ["file_lists", "fill_lists", "merge_some"]

_WIDEST_WINDOW = 0.1


@compiled
def _fill_exactly(clusters: Clusters, pack: Pack, lists: Lists, x: int) -> None:
    """Compare slot x with every cluster; follow it if its list holds nothing but ties."""
    lists.lengths[x] = 0
    lists.bounds[x], lists.bound_slots[x] = BIG, 0
    for y in pack.slots:
        if y == x or clusters.nodes[y] < 0 or is_beyond(clusters, x, y, lists.bounds[x]):
            continue
        value = find_distance(clusters, x, y)
        if is_within(lists, x, value, y):
            insert_entry(lists, x, clusters.nodes[y], value, y, clusters.slots)
    lists.followed[x] = lists.bounds[x] <= raise_bound(clusters, lists, x, lists.values[x, 0])


@compiled
def fill_lists(
    clusters: Clusters,
    pack: Pack,
    lists: Lists,
    queries: NDArray[np.int32],
    bounds: NDArray[np.float64],
    rows: NDArray[np.int32],
) -> None:
    """Fill the lists of some packed rows with their candidates' distances.

    Parameters
    ----------
    bounds, rows : ndarray, shape (n_queries, n_near + 1)
        From `find_candidates`; the last bound holds for all rows that are no candidates.
    """
    for q in range(len(queries)):
        x = pack.slots[queries[q]]
        bound = bounds[q, -1]
        length = 0
        for i in range(rows.shape[1] - 1):
            if rows[q, i] < 0:
                break
            y = pack.slots[rows[q, i]]
            value = find_distance(clusters, x, y)
            if value < bound:
                lists.near[x, length] = clusters.nodes[y]
                lists.values[x, length] = value
                lists.exact[x, length] = True
                length += 1
        lists.lengths[x] = length
        lists.bounds[x] = bound
        lists.followed[x] = False
        if bound <= raise_bound(clusters, lists, x, find_least(lists, x)):
            _fill_exactly(clusters, pack, lists, x)


@compiled
def file_lists(clusters: Clusters, pack: Pack, lists: Lists, queries: NDArray[np.int32]) -> None:
    """Let the tournament know new lists."""
    for row in queries:
        x = pack.slots[row]
        if lists.followed[x] and not lists.is_follower[x]:
            lists.is_follower[x] = True
            lists.followers[lists.counts[1]] = x
            lists.counts[1] += 1
        set_key(clusters, lists, x)


@compiled
def _find_root(parents: NDArray[np.int32], node: int) -> int:
    root = node
    while parents[root] != root:
        root = parents[root]
    while parents[node] != root and node != root:
        parents[node], node = root, parents[node]
    return root


@compiled
def _renew(clusters: Clusters, lists: Lists, x: int, i: int) -> bool:
    """Compute one value of a list; say whether it still stands in its place."""
    root = _find_root(clusters.parents, lists.near[x, i])
    value = find_distance(clusters, x, clusters.slots[root])
    for j in range(lists.lengths[x]):
        if j != i and lists.near[x, j] == root:
            lists.values[x, j], lists.exact[x, j] = value, True
            remove_entry(lists, x, i)
            return False
    if value >= lists.bounds[x]:
        remove_entry(lists, x, i)
        return False
    lists.near[x, i], lists.values[x, i], lists.exact[x, i] = root, value, True
    return True


@compiled
def _settle(clusters: Clusters, lists: Lists, x: int, limit: float) -> bool:
    """Make exact what may be least in a list or reach the limit; say whether it needs a new one."""
    if not lists.followed[x]:
        changed = True
        while changed:
            changed = False
            reach = raise_bound(clusters, lists, x, min(find_least(lists, x), limit))
            i = 0
            while i < lists.lengths[x]:
                node = lists.near[x, i]
                if lists.values[x, i] > reach or (
                    lists.exact[x, i] and clusters.parents[node] == node
                ):
                    i += 1
                    continue
                changed = True
                i += _renew(clusters, lists, x, i)
        set_key(clusters, lists, x)
    if lists.followed[x] and lists.lengths[x]:
        return False
    reach = min(find_least(lists, x), limit)
    return bool(lists.bounds[x] <= raise_bound(clusters, lists, x, reach))


@compiled
def _find_reached(lists: Lists, limit: float) -> int:
    """Find all slots whose key is at most the limit, without recursion."""
    n_found, n_stacked = 0, 1
    stack = np.empty(128, np.int64)
    stack[0] = 1
    n_leaves = len(lists.winners) // 2
    while n_stacked:
        n_stacked -= 1
        place = stack[n_stacked]
        winner = lists.winners[place]
        if lists.keys[winner] > limit:
            continue
        if place >= n_leaves:
            lists.found[n_found] = winner
            n_found += 1
            continue
        stack[n_stacked], stack[n_stacked + 1] = 2 * place + 1, 2 * place
        n_stacked += 2
    return n_found


@compiled
def _unite_lists(
    clusters: Clusters, lists: Lists, a: int, b: int, between: float, least_weight: float
) -> None:
    """Make the list and the bound of a union, by Lance and Williams' update of bounds."""
    n_near = lists.near.shape[1]
    near = np.empty(2 * n_near, np.int32)
    to_a, to_b = np.full(2 * n_near, lists.bounds[a]), np.full(2 * n_near, lists.bounds[b])
    length = 0
    for slot, bounds in ((a, to_a), (b, to_b)):
        for i in range(lists.lengths[slot]):
            root = _find_root(clusters.parents, lists.near[slot, i])
            if clusters.slots[root] == a or clusters.slots[root] == b:
                continue
            place = 0
            while place < length and near[place] != root:
                place += 1
            if place == length:
                near[place] = root
                length += 1
            bounds[place] = min(bounds[place], lists.values[slot, i])
    weight_a, weight_b = clusters.weights[a], clusters.weights[b]
    bound_a, bound_b = lists.bounds[a], lists.bounds[b]
    bound = find_update(
        clusters.is_ward, weight_a, weight_b, least_weight, bound_a, bound_b, between
    )
    if clusters.is_ward:  # the update is monotone in the weight; its other end is infinity
        bound = min(bound, bound_a + bound_b - between)
    bound = min(bound, BIG)
    kept = 0
    for place in range(length):
        weight = clusters.weights[clusters.slots[near[place]]]
        value = find_update(
            clusters.is_ward, weight_a, weight_b, weight, to_a[place], to_b[place], between
        )
        if value < bound:
            near[kept], to_a[kept] = near[place], value
            kept += 1
    while kept > n_near:
        worst = np.argmax(to_a[:kept])
        bound = min(bound, to_a[worst])
        kept -= 1
        near[worst], to_a[worst] = near[kept], to_a[kept]
    lists.near[a, :kept] = near[:kept]
    lists.values[a, :kept] = to_a[:kept]
    lists.exact[a, :kept] = False
    lists.lengths[a] = kept
    lists.bounds[a] = bound


@compiled
def _pack_union(clusters: Clusters, pack: Pack, a: int, b: int) -> None:
    row, dead = pack.places[a], pack.places[b]
    mean, packed = clusters.means[a], pack.rows[row]
    square = 0.0
    for i in range(len(packed)):
        value = mean[i] - pack.centre[i]
        packed[i] = value
        square += value * value
    pack.norms[row] = np.sqrt(square)
    pack.bases[row] = square * pack.rounding + clusters.dispersions[a]
    if clusters.is_ward:
        pack.inverses[row] = 1.0 / clusters.weights[a]
    pack.bases[dead] = BIG
    pack.norms[dead] = pack.inverses[dead] = 0.0


@compiled
def _follow(clusters: Clusters, lists: Lists, a: int, node_a: int, node_b: int) -> None:
    """Compare the union in slot a with the clusters that are followed."""
    place = 0
    while place < lists.counts[1]:
        x = lists.followers[place]
        if not lists.followed[x]:
            lists.counts[1] -= 1
            lists.followers[place] = lists.followers[lists.counts[1]]
            lists.is_follower[x] = False
            continue
        place += 1
        kept = 0
        for i in range(lists.lengths[x]):  # stays in order
            if lists.near[x, i] != node_a and lists.near[x, i] != node_b:
                lists.near[x, kept], lists.values[x, kept] = lists.near[x, i], lists.values[x, i]
                kept += 1
        lists.lengths[x] = kept
        value = find_distance(clusters, x, a)
        if is_within(lists, x, value, a):
            insert_entry(lists, x, clusters.nodes[a], value, a, clusters.slots)
        set_key(clusters, lists, x)


@compiled
def _look_ahead(clusters: Clusters, lists: Lists, top: int, n_ahead: int) -> None:
    """Note the top and those that will need new lists soon, since many at once cost less."""
    lists.pending[0] = top
    n_pending = 1
    n_found = _find_reached(lists, lists.keys[top] * (1.0 + lists.window[0]))
    for place in range(n_found):
        x = lists.found[place]
        if x != top and _settle(clusters, lists, x, BIG):
            lists.pending[n_pending] = x
            n_pending += 1
            if n_pending == n_ahead:
                lists.window[0] *= 0.8
                break
    if n_pending < n_ahead // 2:
        lists.window[0] = min(1.25 * lists.window[0], _WIDEST_WINDOW)
    lists.counts[0] = n_pending


@compiled
def merge_some(
    clusters: Clusters,
    pack: Pack,
    lists: Lists,
    least_weight: float,
    n_alive: int,
    n_ahead: int,
    n_work: int,
) -> None:
    """Merge until lists are pending, so many clusters are left or so much work is done.

    Parameters
    ----------
    least_weight : float
        No cluster alive has less.
    n_ahead : int
        Lists that are asked for together, if that many will be needed soon.
    n_work : int
        Clusters looked at.
    """
    lists.counts[0] = 0
    while clusters.counts[1] > n_alive and n_work > 0:
        top = lists.winners[1]
        if _settle(clusters, lists, top, BIG):
            _look_ahead(clusters, lists, top, n_ahead)
            return
        n_work -= 1
        if lists.winners[1] != top:
            continue
        limit = find_least(lists, top)
        n_found = _find_reached(lists, limit)
        n_work -= n_found + lists.counts[1]
        for place in range(n_found):
            x = lists.found[place]
            if _settle(clusters, lists, x, limit):
                lists.pending[lists.counts[0]] = x
                lists.counts[0] += 1
        if lists.counts[0]:
            return
        between, a, b = BIG, len(clusters.nodes), len(clusters.nodes)
        for place in range(n_found):
            x = lists.found[place]
            for i in range(lists.lengths[x]):
                value = lists.values[x, i]
                if value > between or not lists.exact[x, i]:
                    continue
                y = clusters.slots[lists.near[x, i]]
                first, second = min(x, y), max(x, y)
                if value < between or first < a or (first == a and second < b):
                    between, a, b = value, first, second
        node_a, node_b = clusters.nodes[a], clusters.nodes[b]
        _unite_lists(clusters, lists, a, b, between, least_weight)
        unite(clusters, a, b, between)
        _pack_union(clusters, pack, a, b)
        lists.followed[a] = lists.followed[b] = False
        lists.keys[b] = BIG
        climb(lists, b)
        set_key(clusters, lists, a)
        _follow(clusters, lists, a, node_a, node_b)
