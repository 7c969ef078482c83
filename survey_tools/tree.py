"""Tree: a merge history whose leaves are paper keys. No function here recurses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster import hierarchy

from survey_tools.errors import ParameterError, abbreviate, count

__all__ = ["Subtree", "Tree", "cophenetic_distances", "same_merges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtree:
    """An inner node of a tree with all papers below it.

    Attributes
    ----------
    node : int
        Number of the node in its tree, ``n_papers`` to ``2 n_papers - 2``; it means
        nothing outside that tree.
    height : float
        Merge height, in the unit of the linkage.
    paper_keys : tuple of str
        Papers below the node, in leaf order.
    """

    node: int
    height: float
    paper_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """A binary merge tree over papers.

    Leaves are nodes ``0 … n-1`` in the order of ``paper_keys``; merge ``i`` makes node
    ``n + i`` from two earlier nodes, of which the first is drawn first.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    children : ndarray of int, shape (n_papers - 1, 2)
    heights : ndarray of float, shape (n_papers - 1,)
        Merge heights. They rise along the merges for every linkage but centroid and
        median, which can invert.
    linkage, metric : str
        What the heights measure.
    sizes : ndarray of int, shape (2 n_papers - 1,)
        Papers below each node.
    starts : ndarray of int, shape (2 n_papers - 1,)
        Place in ``leaf_order`` of each node's first leaf; a node's papers are
        ``leaf_order[starts[node] : starts[node] + sizes[node]]``.
    leaf_order : ndarray of int, shape (n_papers,)
        Leaves from first to last as drawn.
    parents : ndarray of int, shape (2 n_papers - 1,)
        Node that each node is merged into; -1 for the root.

    Raises
    ------
    ParameterError
        If there are fewer than two papers or the merges are no tree.
    """

    paper_keys: tuple[str, ...]
    children: NDArray[np.intp]
    heights: NDArray[np.float64]
    linkage: str = "unknown"
    metric: str = "unknown"
    sizes: NDArray[np.intp] = field(init=False, repr=False)
    starts: NDArray[np.intp] = field(init=False, repr=False)
    leaf_order: NDArray[np.intp] = field(init=False, repr=False)
    parents: NDArray[np.intp] = field(init=False, repr=False)
    _leaf_of: dict[str, int] = field(init=False, repr=False)
    _top_joins: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n = len(self.paper_keys)
        if n < 2:
            raise ParameterError(f"a tree needs at least 2 papers; {n} arrived")
        leaf_of = {key: leaf for leaf, key in enumerate(self.paper_keys)}
        if len(leaf_of) < n:
            raise ParameterError("two leaves of a tree have one key")
        children = np.array(self.children, dtype=np.intp)
        heights = np.array(self.heights, dtype=np.float64)
        if children.shape != (n - 1, 2) or heights.shape != (n - 1,):
            raise ParameterError(f"{n} papers need {n - 1} merges; {len(heights)} arrived")
        is_early = (children < n + np.arange(n - 1)[:, None]) & (children >= 0)
        if not is_early.all() or len(np.unique(children)) < 2 * n - 2:
            raise ParameterError("every node but the root must be merged once, after it was made")
        if not np.isfinite(heights).all():
            raise ParameterError("a merge height is not a finite number")
        if (heights < 0).any():
            raise ParameterError("a merge height is negative")
        merged = np.arange(n, 2 * n - 1)
        parents = np.full(2 * n - 1, -1)
        parents[children] = merged[:, None]
        sizes, starts = _measure_runs(children, n)
        leaf_order = np.empty(n, dtype=np.intp)
        leaf_order[starts[:n]] = np.arange(n)
        joins = np.empty(n - 1, dtype=np.intp)
        joins[starts[children[:, 1]] - 1] = merged
        arrays = {
            "children": children,
            "heights": heights,
            "sizes": sizes,
            "starts": starts,
            "leaf_order": leaf_order,
            "parents": parents,
            "_top_joins": _stack_maxima(joins),
        }
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "_leaf_of", leaf_of)

    @classmethod
    def from_linkage(
        cls,
        matrix: ArrayLike,
        paper_keys: Iterable[str],
        *,
        linkage: str = "unknown",
        metric: str = "unknown",
    ) -> "Tree":
        """Take over scipy's linkage matrix; row ``i`` of the data was ``paper_keys[i]``."""
        rows = np.asarray(matrix, dtype=np.float64)
        return cls(
            paper_keys=tuple(paper_keys),
            children=rows[:, :2].astype(np.intp),
            heights=rows[:, 2],
            linkage=linkage,
            metric=metric,
        )

    def to_linkage(self) -> NDArray[np.float64]:
        """Return scipy's linkage matrix, shape (n_papers - 1, 4); leaf i is paper_keys[i]."""
        sizes = self.sizes[self.n_papers :]
        return np.column_stack([self.children, self.heights, sizes]).astype(np.float64)

    @property
    def n_papers(self) -> int:
        """Number of leaves."""
        return len(self.paper_keys)

    @property
    def root(self) -> int:
        """Number of the node that holds all papers."""
        return 2 * self.n_papers - 2

    @property
    def keys_in_leaf_order(self) -> tuple[str, ...]:
        """Keys from the first leaf to the last as drawn."""
        return tuple(self.paper_keys[leaf] for leaf in self.leaf_order)

    def height_of(self, node: int) -> float:
        """Merge height of a node; 0 for a leaf."""
        return float(self.heights[node - self.n_papers]) if node >= self.n_papers else 0.0

    def papers_under(self, node: int) -> tuple[str, ...]:
        """Keys of the papers below a node, in leaf order."""
        start = self.starts[node]
        return tuple(self.paper_keys[i] for i in self.leaf_order[start : start + self.sizes[node]])

    def subtree(self, node: int) -> Subtree:
        """Return an inner node with its papers."""
        keys = self.papers_under(node)
        return Subtree(node=int(node), height=self.height_of(node), paper_keys=keys)

    def subtrees(self) -> Iterator[Subtree]:
        """Yield every inner node, from the first merge to the root."""
        keys = self.keys_in_leaf_order
        runs = zip(
            self.heights, self.starts[self.n_papers :], self.sizes[self.n_papers :], strict=True
        )
        for i, (height, start, size) in enumerate(runs):
            papers = keys[start : start + size]
            yield Subtree(node=self.n_papers + i, height=float(height), paper_keys=papers)

    def leaf(self, key: str) -> int:
        """Return the leaf of a paper: its place in ``paper_keys``.

        Raises
        ------
        ParameterError
            If the tree does not hold the paper.
        """
        if key not in self._leaf_of:
            raise ParameterError(
                f"not in the tree: {key}; it holds {count(self.n_papers, 'paper')}, "
                f"for example {self.paper_keys[0]}"
            )
        return self._leaf_of[key]

    def ancestors(self, node: int) -> tuple[int, ...]:
        """Return the nodes that a node lies below, from its parent to the root.

        Raises
        ------
        ParameterError
            If the tree has no such node.
        """
        if not 0 <= node <= self.root:
            raise ParameterError(f"no node {node}; the nodes of this tree are 0 to {self.root}")
        found = []
        while (node := int(self.parents[node])) >= 0:
            found.append(node)
        return tuple(found)

    def lowest_common_ancestor(self, key_a: str, key_b: str) -> int:
        """Return the smallest node above two papers, the leaf itself if they are one.

        Each pair of neighbours in leaf order is joined by one merge. Of the joins between the
        first paper and the second, the last made is their ancestor; a binary tree of maxima
        finds it in O(log n_papers).

        Raises
        ------
        ParameterError
            If the tree does not hold one of the papers.
        """
        leaf_a, leaf_b = self.leaf(key_a), self.leaf(key_b)
        if leaf_a == leaf_b:
            return leaf_a
        first, last = sorted((int(self.starts[leaf_a]), int(self.starts[leaf_b])))
        middle = len(self._top_joins) // 2
        low, high = first + middle, last + middle  # joins low … high - 1
        highest = -1
        while low < high:
            if low % 2:
                highest = max(highest, int(self._top_joins[low]))
            if high % 2:
                highest = max(highest, int(self._top_joins[high - 1]))
            low, high = (low + 1) // 2, high // 2
        return highest

    def cophenetic_distance(self, key_a: str, key_b: str) -> float:
        """Return the height at which two papers are first merged; 0 if they are one.

        Raises
        ------
        ParameterError
            If the tree does not hold one of the papers.
        """
        return self.height_of(self.lowest_common_ancestor(key_a, key_b))

    def count_in_nodes(self, keys: Iterable[str]) -> NDArray[np.intp]:
        """Count how many of the given papers lie below each node.

        Returns
        -------
        ndarray of int, shape (2 n_papers - 1,)
        """
        is_wanted = self._mark(keys)[self.leaf_order]
        before = np.concatenate([[0], np.cumsum(is_wanted)])
        return np.asarray(before[self.starts + self.sizes] - before[self.starts])

    def common_ancestor(self, keys: Iterable[str]) -> int:
        """Return the smallest node that has all the given papers below it."""
        keys = set(keys)
        holds_all = self.count_in_nodes(keys) == len(keys)
        return int(np.argmin(np.where(holds_all, self.sizes, self.n_papers + 1)))

    def _mark(self, keys: Iterable[str]) -> NDArray[np.bool_]:
        wanted = set(keys)
        unknown = sorted(wanted - self._leaf_of.keys())
        if unknown or not wanted:
            what = f"not in the tree: {abbreviate(unknown)}" if unknown else "no paper was named"
            raise ParameterError(what)
        is_wanted = np.zeros(self.n_papers, dtype=np.bool_)
        is_wanted[[self._leaf_of[key] for key in wanted]] = True
        return is_wanted


def _measure_runs(
    children: NDArray[np.intp], n_papers: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the papers below each node and the place of its first leaf.

    Plain numbers in lists: a chain has as many levels as merges, so that arrays level by
    level would be slower.
    """
    merges = children.tolist()
    sizes = [1] * n_papers
    for first, second in merges:
        sizes.append(sizes[first] + sizes[second])
    starts = [0] * len(sizes)
    for node in range(len(sizes) - 1, n_papers - 1, -1):
        first, second = merges[node - n_papers]
        starts[first] = starts[node]
        starts[second] = starts[node] + sizes[first]
    return np.array(sizes, dtype=np.intp), np.array(starts, dtype=np.intp)


def _stack_maxima(values: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return maxima of pairs, of pairs of pairs, …: entry i is the larger of 2 i and 2 i + 1.

    The values stand in the second half, from an index that is a power of two on.
    """
    middle = 1 << int(len(values) - 1).bit_length()
    maxima = np.full(2 * middle, -1, dtype=np.intp)
    maxima[middle : middle + len(values)] = values
    while middle > 1:
        middle //= 2
        pairs = maxima[2 * middle : 4 * middle].reshape(-1, 2)  # (middle, 2)
        maxima[middle : 2 * middle] = pairs.max(axis=1)
    return maxima


def cophenetic_distances(tree: Tree) -> NDArray[np.float64]:
    """Return the height at which each pair of papers is first merged.

    Returns
    -------
    ndarray of float, shape (n_papers (n_papers - 1) / 2,)
        Condensed, pairs in the order of ``tree.paper_keys`` as scipy stores them.
    """
    return np.asarray(hierarchy.cophenet(tree.to_linkage()), dtype=np.float64)


def same_merges(a: Tree, b: Tree, *, tolerance: float) -> bool:
    """Say whether two trees are equal but for rotation and for the order of tied merges.

    They are if they hold the same papers and, cut at any height, fall into the same clusters.
    Heights of both trees that lie within ``tolerance`` of the next one are one tie, also in a
    row. A merge that is lower than one below it counts as made at the height of that one.

    Node by node, the papers below a node of ``b`` are looked up as a run of the leaf order of
    ``a``, which is exact and takes O(n_papers log n_papers) [1]_.

    Parameters
    ----------
    tolerance : float
        In the unit of the heights, 0 or more.

    Raises
    ------
    ParameterError
        If the tolerance is negative or no number.

    References
    ----------
    .. [1] Day, "Optimal algorithms for comparing trees with labeled leaves", Journal of
       Classification 2 (1985).
    """
    if not 0 <= tolerance < np.inf:
        raise ParameterError(f"the tolerance of heights is {tolerance}; give a number from 0")
    if a._leaf_of.keys() != b._leaf_of.keys():
        return False
    n = a.n_papers
    ceilings = [hierarchy.maxdists(tree.to_linkage()) for tree in (a, b)]
    heights = np.sort(np.concatenate(ceilings))
    starts_tie = np.concatenate([[True], np.diff(heights) > tolerance])
    ties = np.flatnonzero(starts_tie)
    place_in_a = a.starts[[a._leaf_of[key] for key in b.paper_keys]]
    clusters = []
    for tree, ceiling, places in zip((a, b), ceilings, (a.starts[:n], place_in_a), strict=True):
        first, last = _find_ends(tree, places)
        tie = np.searchsorted(heights[ties], ceiling, side="right")
        above = np.append(tie[tree.parents[n:-1] - n], -1)
        is_whole = tie != above  # not inside a larger cluster of the same height
        if (last - first + 1 != tree.sizes[n:])[is_whole].any():
            return False
        found = np.column_stack([first, last, tie])[is_whole]
        clusters.append(found[np.lexsort(found.T)])
    return np.array_equal(*clusters)


def _find_ends(tree: Tree, places: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the least and the greatest place of the leaves below every merge."""
    first, last = places.tolist(), places.tolist()
    for left, right in tree.children.tolist():
        first.append(min(first[left], first[right]))
        last.append(max(last[left], last[right]))
    n = tree.n_papers
    return np.array(first[n:], dtype=np.intp), np.array(last[n:], dtype=np.intp)
