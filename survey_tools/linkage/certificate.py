"""A finished tree -> proof that every merge was the cheapest of all possible ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.distances import (
    DenseRowDistances,
    Distances,
    PairDistances,
    SparseRowDistances,
)
from survey_tools.errors import ParameterError
from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.tree import Tree

__all__ = ["Certificate", "certify_tree"]

# Merge heights are rounded to 10 decimals; distances of a matrix to 12.
_LARGEST_GAP = 1e-12
_LARGEST_ERROR = 1e-9
_STEPS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a replay of all merges found.

    With tied distances many trees are right, and two programs, or one program on papers in
    another order, may give different ones. What makes a tree right is that each merge joins
    a pair that is nearest at that time.

    Attributes
    ----------
    n_merges : int
    gap : float
        How much lower than a merge the lowest pair then possible was, at most.
    height_error : float
        Largest difference of a merge height from the one computed in the replay.
    fall : float
        Largest fall from one height to the next; centroid and median linkage may fall.
    highest : float
        Greatest merge height, the scale of rounding where rows are not of norm 1.
    """

    n_merges: int
    gap: float
    height_error: float
    fall: float
    highest: float

    @property
    def holds(self) -> bool:
        """Whether every merge was the cheapest: gap up to 1e-12, heights right to 1e-9.

        Both relative to the highest merge where that is above 1.
        """
        scale = max(1.0, self.highest)
        return self.gap <= _LARGEST_GAP * scale and self.height_error <= _LARGEST_ERROR * scale

    @property
    def verdict(self) -> str:
        """One sentence in words."""
        figures = f"largest gap {self.gap:.1e}, largest error of a height {self.height_error:.1e}"
        if self.holds:
            return f"All {self.n_merges} merges were the cheapest possible ({figures})."
        return f"NOT all of {self.n_merges} merges were the cheapest possible ({figures})."


def certify_tree(
    tree: Tree, distances: PairDistances, *, progress: CountProgress | None = None
) -> Certificate:
    """Replay a tree's merges and compare each with all pairs that could be merged instead.

    From a square matrix, costs are updated by Lance and Williams' rules. From rows, both
    clusters of every merge are compared with all others by their mean rows; a cheaper pair
    would be seen when its first cluster is merged.

    Parameters
    ----------
    distances : PairDistances
        What the tree was built from, papers in any order.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Raises
    ------
    ParameterError
        If tree and distances hold different papers.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378, figure 1 (the algorithm that is replayed).
    """
    place = {key: i for i, key in enumerate(distances.paper_keys)}
    if place.keys() != set(tree.paper_keys):
        raise ParameterError("tree and distances hold different papers")
    order = np.array([place[key] for key in tree.paper_keys])
    report = progress or ignore_progress
    merges = np.asarray(tree.children, dtype=np.int64)
    heights = np.array(tree.heights)
    if isinstance(distances, Distances):
        square = np.array(distances.square[np.ix_(order, order)], dtype=np.float64)
        worst = _replay_square(square, tree.linkage, merges, heights, report)
    elif isinstance(distances, SparseRowDistances):
        from survey_tools.linkage.sparse_replay import replay_sparse_rows

        rows = sparse.csr_array(distances.rows[order])
        if tree.linkage == "average":
            rows = sparse.csr_array(normalize(rows))
        worst = replay_sparse_rows(rows, merges, heights, linkage=tree.linkage, progress=report)
    else:
        assert isinstance(distances, DenseRowDistances)
        worst = _replay_dense(distances.rows[order], tree.linkage, merges, heights, report)
    if not isinstance(distances, Distances):  # a later, lower merge was possible before, too
        worst[0] = max(worst[0], worst[2])
    return Certificate(
        n_merges=len(heights),
        gap=float(worst[0]),
        height_error=float(worst[1]),
        fall=float(worst[2]),
        highest=float(heights.max()),
    )


def _replay_square(
    square: NDArray[np.float64],
    linkage: str,
    merges: NDArray[np.int64],
    heights: NDArray[np.float64],
    report: CountProgress,
) -> NDArray[np.float64]:
    from survey_tools.kernels.replay import METHODS, replay_in_square

    n = len(square)
    if linkage in ("ward", "centroid", "median"):
        square **= 2
    slots = np.concatenate([np.arange(n), np.zeros(n - 1, dtype=np.int64)])
    worst = np.zeros(4)
    state = np.ones(n), slots, np.zeros(n, dtype=np.bool_), np.zeros(n, np.int64), np.zeros(n)
    for first in range(0, n - 1, _STEPS_AT_ONCE):
        last = min(first + _STEPS_AT_ONCE, n - 1)
        replay_in_square(
            METHODS.index(linkage), square, *state, merges, heights, worst, first, last
        )
        report(last, n - 1)
    return worst


def _replay_dense(
    rows: NDArray[np.float64],
    linkage: str,
    merges: NDArray[np.int64],
    heights: NDArray[np.float64],
    report: CountProgress,
) -> NDArray[np.float64]:
    """Replay from mean rows; living clusters stand in front, the last fills each hole."""
    n = len(rows)
    means = np.array(rows)
    if linkage == "average":
        means /= np.sqrt((means**2).sum(axis=1))[:, None]
    sizes = np.ones(n)
    squares = (means**2).sum(axis=1)
    slots = np.concatenate([np.arange(n), np.zeros(n - 1, dtype=np.int64)])
    nodes = np.arange(n)
    worst = np.zeros(4)
    for done, (first, second) in enumerate(merges.tolist()):
        alive = n - done
        a, b = slots[first], slots[second]

        def measure(i: int, others: slice | NDArray[np.intp]) -> NDArray[np.float64]:
            if linkage == "average":
                return np.asarray(1.0 - means[others] @ means[i])
            factor = 2.0 * sizes[i] * sizes[others] / (sizes[i] + sizes[others])
            return np.asarray(factor * ((means[others] - means[i]) ** 2).sum(axis=1))

        def to_height(cost: float) -> float:
            return float(np.sqrt(max(cost, 0.0))) if linkage == "ward" else float(cost)

        height = to_height(measure(a, np.array([b]))[0])
        for i in (a, b):
            if linkage == "average":
                costs = measure(i, slice(alive))
            else:  # from products, then the few that may be lower again from differences
                factor = 2.0 * sizes[i] * sizes[:alive] / (sizes[i] + sizes[:alive])
                scale = squares[:alive] + squares[i]
                costs = factor * (scale - 2.0 * (means[:alive] @ means[i]))
                near = np.flatnonzero(costs <= height**2 + 1e-9 * factor * scale)
                costs[near] = measure(i, near)
            costs[i] = np.inf
            worst[0] = max(worst[0], height - to_height(costs.min()))
        worst[1] = max(worst[1], abs(height - heights[done]))
        worst[2] = max(worst[2], worst[3] - height)
        worst[3] = max(worst[3], height)
        means[a] = (sizes[a] * means[a] + sizes[b] * means[b]) / (sizes[a] + sizes[b])
        squares[a] = means[a] @ means[a]
        sizes[a] += sizes[b]
        nodes[a], slots[n + done] = n + done, a
        last = alive - 1
        if b != last:
            means[b], sizes[b], squares[b] = means[last], sizes[last], squares[last]
            nodes[b] = nodes[last]
            slots[nodes[b]] = b
        if done % _STEPS_AT_ONCE == 0 or done == n - 2:
            report(done + 1, n - 1)
    return worst
