"""Distances of clusters of dense rows: float32 products rule out, float64 differences decide.

A cluster is known by its mean row. Both linkages follow from the squared difference of two
means: Ward's squared height is its product with 2ab/(a + b) for weights a and b; average
linkage by cosine, of rows of length 1, is half of it plus half of both dispersions, where
1 - ||mean||^2 is the dispersion of a cluster. No large numbers cancel, so nearly equal rows
keep their digits.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BIG",
    "LANES",
    "Clusters",
    "Pack",
    "fill_square",
    "find_candidates",
    "find_distance",
    "find_update",
    "merge_square",
    "unite",
]

BIG = 1e300
"""Stands in for infinity, so that differences of bounds stay numbers."""

LANES = 8
"""Mean rows are filled up with zeros to a multiple of this many columns."""

_BLOCK = 64  # columns of a product that are counted before they are looked at one by one

_compile = njit(cache=True, nogil=True, error_model="numpy")
_compile_vectors = njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})


class Clusters(NamedTuple):
    """Clusters in ``n`` slots; a union keeps the smaller of two slots.

    Attributes
    ----------
    is_ward : bool
        Ward; average linkage otherwise.
    means : ndarray of float64, shape (n, n_columns filled up)
    weights, dispersions : ndarray of float64, shape (n,)
    nodes : ndarray of int32, shape (n,)
        Number of each cluster in the linkage matrix, -1 in a dead slot.
    parents, slots : ndarray of int32, shape (2 n_rows - 1,)
        By node: the node that it went into, itself while it is alive; its slot.
    merges : ndarray of int32, shape (n_rows - 1, 2)
        Nodes merged, the smaller first.
    distances : ndarray of float64, shape (n_rows - 1,)
        Ward's are squared heights.
    counts : ndarray of int64, shape (2,)
        Merges done, clusters alive.
    """

    is_ward: bool
    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    dispersions: NDArray[np.float64]
    nodes: NDArray[np.int32]
    parents: NDArray[np.int32]
    slots: NDArray[np.int32]
    merges: NDArray[np.int32]
    distances: NDArray[np.float64]
    counts: NDArray[np.int64]


class Pack(NamedTuple):
    """Means of the ``m`` slots alive when they were packed, in their order, for products.

    Attributes
    ----------
    slots, places : ndarray of int32, shape (m,) and (n,)
        Slot of each packed row; row of each slot.
    centre : ndarray of float64, shape (n_columns,)
        Mean of all rows; the packed ones are less it, so that products stay small.
    rows : ndarray of float32, shape (m, n_columns)
    norms : ndarray of float64, shape (m,)
    bases : ndarray of float64, shape (m,)
        Squared norm, rounded down, plus dispersion; `BIG` in a dead row.
    inverses : ndarray of float64, shape (m,)
        1 / weight for Ward, else 0.
    rounding : float
        Share of a squared norm that its float64 sum has at least.
    share, rest : float
        A product of rows x and y in float32 is off by at most share ||x|| ||y|| + rest.
    """

    slots: NDArray[np.int32]
    places: NDArray[np.int32]
    centre: NDArray[np.float64]
    rows: NDArray[np.float32]
    norms: NDArray[np.float64]
    bases: NDArray[np.float64]
    inverses: NDArray[np.float64]
    rounding: float
    share: float
    rest: float


@_compile
def find_distance(clusters: Clusters, x: int, y: int) -> float:
    """Return the distance of two slots (Ward: squared), the same for x, y and y, x.

    Sums run in eight lanes of fixed order: the same bits wherever this is compiled into.
    """
    row, other = clusters.means[x], clusters.means[y]
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(0, len(row), 8):
        d0, d1 = row[i] - other[i], row[i + 1] - other[i + 1]
        d2, d3 = row[i + 2] - other[i + 2], row[i + 3] - other[i + 3]
        d4, d5 = row[i + 4] - other[i + 4], row[i + 5] - other[i + 5]
        d6, d7 = row[i + 6] - other[i + 6], row[i + 7] - other[i + 7]
        s0 += d0 * d0
        s1 += d1 * d1
        s2 += d2 * d2
        s3 += d3 * d3
        s4 += d4 * d4
        s5 += d5 * d5
        s6 += d6 * d6
        s7 += d7 * d7
    square = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
    if clusters.is_ward:
        a, b = clusters.weights[x], clusters.weights[y]
        return float(2.0 * a * b / (a + b) * square)
    return float(0.5 * (square + (clusters.dispersions[x] + clusters.dispersions[y])))


@_compile
def find_update(
    is_ward: bool, a: float, b: float, x: float, to_a: float, to_b: float, between: float
) -> float:
    """Return the distance of a cluster of weight x to a union by Lance and Williams' update."""
    if is_ward:
        return ((a + x) * to_a + (b + x) * to_b - x * between) / (a + b + x)
    return (a * to_a + b * to_b) / (a + b)


@_compile
def unite(clusters: Clusters, a: int, b: int, distance: float) -> None:
    """Merge slot b into slot a < b and note the merge; the mean row of a becomes the union's."""
    n_merged = clusters.counts[0]
    node_a, node_b = clusters.nodes[a], clusters.nodes[b]
    node = np.int32(len(clusters.distances) + 1 + n_merged)
    clusters.merges[n_merged, 0] = min(node_a, node_b)
    clusters.merges[n_merged, 1] = max(node_a, node_b)
    clusters.distances[n_merged] = distance
    clusters.parents[node_a] = clusters.parents[node_b] = clusters.parents[node] = node
    clusters.slots[node] = a
    clusters.nodes[a], clusters.nodes[b] = node, -1
    weight_a, weight_b = clusters.weights[a], clusters.weights[b]
    share_b = weight_b / (weight_a + weight_b)
    if not clusters.is_ward:
        share_a = weight_a / (weight_a + weight_b)
        clusters.dispersions[a] = (
            share_a * share_a * clusters.dispersions[a]
            + share_b * share_b * clusters.dispersions[b]
            + 2.0 * share_a * share_b * distance
        )
    row, other = clusters.means[a], clusters.means[b]
    for i in range(len(row)):
        row[i] += share_b * (other[i] - row[i])
    clusters.weights[a] = weight_a + weight_b
    clusters.counts[0] += 1
    clusters.counts[1] -= 1


@_compile_vectors
def find_candidates(
    is_ward: bool,
    pack: Pack,
    queries: NDArray[np.int32],
    products: NDArray[np.float32],
    first: int,
    bounds: NDArray[np.float64],
    rows: NDArray[np.int32],
) -> None:
    """Keep the rows with the least lower bounds on their distance to each query.

    Parameters
    ----------
    queries : ndarray of int32, shape (n_queries,)
        Packed rows.
    products : ndarray of float32, shape (n_queries, n_seen)
        Of the queries with the packed rows from ``first`` on.
    bounds, rows : ndarray, shape (n_queries, n_kept)
        Ascending; `BIG` and -1 where nothing is known yet. Changed in place.
    """
    n_queries, n_seen = products.shape
    n_kept = bounds.shape[1]
    for q in range(n_queries):
        x = queries[q]
        base, inverse = pack.bases[x] - 2.0 * pack.rest, pack.inverses[x]
        share = 2.0 * pack.share * pack.norms[x]
        for start in range(0, n_seen, _BLOCK):
            width = min(_BLOCK, n_seen - start)
            block = products[q, start : start + width]
            bases = pack.bases[first + start : first + start + width]
            norms = pack.norms[first + start : first + start + width]
            inverses = pack.inverses[first + start : first + start + width]
            last = bounds[q, n_kept - 1]
            # lower bound < last, multiplied out: no division where nothing is found
            factor = 0.5 * last if is_ward else 0.0
            limit = 0.5 * last * inverse if is_ward else 2.0 * last
            n_below = 0
            for j in range(width):
                square = bases[j] + base - 2.0 * block[j] - share * norms[j]
                n_below += square - factor * inverses[j] < limit
            if n_below == 0:
                continue
            for j in range(width):
                row = first + start + j
                square = bases[j] + base - 2.0 * block[j] - share * norms[j]
                if square - factor * inverses[j] >= limit or row == x or bases[j] == BIG:
                    continue
                square = max(square, 0.0)
                bound = 2.0 * square / (inverse + inverses[j]) if is_ward else 0.5 * square
                place = n_kept - 1
                if bound >= bounds[q, place]:
                    continue
                while place > 0 and bounds[q, place - 1] > bound:
                    bounds[q, place] = bounds[q, place - 1]
                    rows[q, place] = rows[q, place - 1]
                    place -= 1
                bounds[q, place], rows[q, place] = bound, row


@_compile
def fill_square(
    clusters: Clusters, alive: NDArray[np.int32], square: NDArray[np.float64], first: int, last: int
) -> None:
    """Fill rows ``first`` to ``last`` of a square of distances, right of the diagonal."""
    for i in range(first, last):
        square[i, : i + 1] = BIG
        for j in range(i + 1, len(alive)):
            square[i, j] = find_distance(clusters, alive[i], alive[j])


@_compile_vectors
def _find_least(values: NDArray[np.float64]) -> float:
    least = BIG
    for value in values:
        least = min(least, value)
    return least


@_compile
def _find_later(square: NDArray[np.float64], i: int, later: NDArray[np.int32]) -> float:
    """Note the nearest later place of place i, the first of equals; return its distance."""
    least = _find_least(square[i, i + 1 :])
    later[i] = i
    for j in range(i + 1, len(square)):
        if square[i, j] == least:
            later[i] = j
            break
    return least


@_compile
def merge_square(
    clusters: Clusters,
    alive: NDArray[np.int32],
    square: NDArray[np.float64],
    later: NDArray[np.int32],
    leasts: NDArray[np.float64],
    n_merges: int,
) -> None:
    """Merge by Lance and Williams' update of a square of distances, right of its diagonal.

    Parameters
    ----------
    alive : ndarray of int32, shape (m,)
        Slots, ascending.
    square : ndarray of float64, shape (m, m)
        Rows and columns of merged places become `BIG`.
    later, leasts : ndarray, shape (m,)
        Nearest later place of each place and its distance; a first call finds ``later``
        filled with -1.
    """
    m = len(alive)
    if later[0] < 0:
        for i in range(m):
            leasts[i] = _find_later(square, i, later)
    for _ in range(min(n_merges, clusters.counts[1] - 1)):
        between = _find_least(leasts)
        a = 0
        while leasts[a] != between:
            a += 1
        b = later[a]
        weight_a, weight_b = clusters.weights[alive[a]], clusters.weights[alive[b]]
        for x in range(m):
            slot = alive[x]
            if x == a or clusters.nodes[slot] < 0:
                continue
            if x == b:
                continue
            to_a = square[x, a] if x < a else square[a, x]
            to_b = square[x, b] if x < b else square[b, x]
            new = find_update(
                clusters.is_ward, weight_a, weight_b, clusters.weights[slot], to_a, to_b, between
            )
            if x < b:
                square[x, b] = BIG
            if x > a:
                square[a, x] = new
                if later[x] == b:
                    leasts[x] = _find_later(square, x, later)
                continue
            square[x, a] = new
            if later[x] == a or later[x] == b:
                leasts[x] = _find_later(square, x, later)
            elif new < leasts[x] or (new == leasts[x] and a < later[x]):
                leasts[x], later[x] = new, a
        square[a, b] = BIG
        square[b, b + 1 :] = BIG
        leasts[b] = BIG
        leasts[a] = _find_later(square, a, later)
        unite(clusters, alive[a], alive[b], between)
