"""Tree: a merge history whose leaves are paper keys. No function here recurses."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster import hierarchy

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.partition import Partition
from survey_tools.settings import CutSettings

__all__ = [
    "Subtree",
    "Tree",
    "cophenetic_distances",
    "cut",
    "cut_at_height",
    "cut_by_inconsistency",
    "cut_by_settings",
    "to_newick",
]


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

    def __post_init__(self) -> None:
        n = len(self.paper_keys)
        if n < 2:
            raise ParameterError(f"a tree needs at least 2 papers; {n} arrived")
        if len(set(self.paper_keys)) < n:
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
        sizes = np.ones(2 * n - 1, dtype=np.intp)
        for i, (first, second) in enumerate(children):
            sizes[n + i] = sizes[first] + sizes[second]
        starts = np.zeros(2 * n - 1, dtype=np.intp)
        for i in range(n - 2, -1, -1):
            first, second = children[i]
            starts[first] = starts[n + i]
            starts[second] = starts[n + i] + sizes[first]
        leaf_order = np.empty(n, dtype=np.intp)
        leaf_order[starts[:n]] = np.arange(n)
        arrays = {
            "children": children,
            "heights": heights,
            "sizes": sizes,
            "starts": starts,
            "leaf_order": leaf_order,
        }
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

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
        for node in range(self.n_papers, 2 * self.n_papers - 1):
            yield self.subtree(node)

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
        unknown = sorted(wanted - set(self.paper_keys))
        if unknown or not wanted:
            what = f"not in the tree: {abbreviate(unknown)}" if unknown else "no paper was named"
            raise ParameterError(what)
        return np.array([key in wanted for key in self.paper_keys])


def cut_by_settings(tree: Tree, settings: CutSettings) -> Partition:
    """Cut as ``survey.yaml`` says: by number, by height, or by inconsistency."""
    if settings.n_clusters is not None:
        return cut(tree, settings.n_clusters)
    if settings.height is not None:
        return cut_at_height(tree, settings.height)
    assert settings.inconsistency is not None
    return cut_by_inconsistency(tree, settings.inconsistency, depth=settings.inconsistency_depth)


def cut(tree: Tree, n_clusters: int) -> Partition:
    """Cut the merge tree into a number of flat clusters.

    Parameters
    ----------
    n_clusters : int
        Clusters wanted, 1 to n_papers.

    Returns
    -------
    Partition
        Groups ``C1``, ``C2``, … in leaf order.

    Raises
    ------
    ParameterError
        If there are fewer papers than clusters, or if tied merge heights do not allow
        this number; the message names the nearest numbers that they allow.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378, section 2.
    """
    n = tree.n_papers
    if not 1 <= n_clusters <= n:
        raise ParameterError(f"{n_clusters} clusters asked of {n} papers; 1 to {n} are possible")
    ceilings = _ceilings(tree)
    ceiling = np.sort(ceilings)
    n_merges = n - n_clusters
    if 0 < n_merges < n - 1 and ceiling[n_merges - 1] == ceiling[n_merges]:
        tied = ceiling == ceiling[n_merges]
        is_inverted = len(np.unique(tree.heights[ceilings == ceiling[n_merges]])) > 1
        why = "lie at or, inverted, below" if is_inverted else "are tied at"
        fewer, more = n - int(np.flatnonzero(tied)[-1]) - 1, n - int(np.flatnonzero(tied)[0])
        raise ParameterError(
            f"{n_clusters} clusters cannot be cut: {tied.sum()} merges {why} height "
            f"{ceiling[n_merges]:g}; possible next to it: {fewer} or {more}"
        )
    threshold = ceiling[n_merges - 1] if n_merges else -np.inf
    return _flatten(tree, ceilings <= threshold)


def cut_at_height(tree: Tree, height: float) -> Partition:
    """Cut the tree at a merge height: papers merged at or below it stay together."""
    return _flatten(tree, _ceilings(tree) <= height)


def cut_by_inconsistency(tree: Tree, threshold: float, *, depth: int = 2) -> Partition:
    """Cut where a merge and all merges below it have inconsistency at most ``threshold``.

    The inconsistency of a merge is its height less the mean height of the merges up to
    ``depth`` levels below and including it, in standard deviations.

    References
    ----------
    .. [1] Jain and Dubes, Algorithms for Clustering Data, 1988; scipy.cluster.hierarchy.
    """
    matrix = tree.to_linkage()
    statistics = hierarchy.inconsistent(matrix, depth)
    largest = hierarchy.maxinconsts(matrix, statistics)
    return _flatten(tree, largest <= threshold)


def _ceilings(tree: Tree) -> NDArray[np.float64]:
    """Return for every merge the greatest height in its sub-tree, shape (n_papers - 1,)."""
    return np.asarray(hierarchy.maxdists(tree.to_linkage()))


def _flatten(tree: Tree, is_joined: NDArray[np.bool_]) -> Partition:
    """Make one cluster of every maximal node whose merge is joined, numbered in leaf order."""
    n = tree.n_papers
    cluster_start = np.arange(n)
    for i in np.flatnonzero(is_joined):  # ascending: an outer node overwrites inner ones
        start, size = tree.starts[n + i], tree.sizes[n + i]
        cluster_start[start : start + size] = start
    codes_in_leaf_order = np.unique(cluster_start, return_inverse=True)[1]
    codes = np.empty(n, dtype=np.intp)
    codes[tree.leaf_order] = codes_in_leaf_order
    names = tuple(f"C{number}" for number in range(1, int(codes.max()) + 2))
    return Partition(paper_keys=tree.paper_keys, group_names=names, codes=codes)


def cophenetic_distances(tree: Tree) -> NDArray[np.float64]:
    """Return the height at which each pair of papers is first merged.

    Returns
    -------
    ndarray of float, shape (n_papers (n_papers - 1) / 2,)
        Condensed, pairs in the order of ``tree.paper_keys`` as scipy stores them.
    """
    return np.asarray(hierarchy.cophenet(tree.to_linkage()), dtype=np.float64)


def to_newick(tree: Tree) -> str:
    """Write the tree in Newick format, leaves by key, in leaf order.

    A branch is as long as the parent's height less the child's; inverted merges of
    centroid and median linkage give negative lengths.

    References
    ----------
    .. [1] Olsen, "Newick's 8:45 tree format standard", 1990.
    """
    n = tree.n_papers
    parent_height = np.zeros(2 * n - 1)
    parent_height[tree.children] = tree.heights[:, None]
    parts: list[str] = []
    todo: list[int | str] = [tree.root]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            parts.append(item)
            continue
        length = "" if item == tree.root else f":{parent_height[item] - tree.height_of(item):.12g}"
        if item < n:
            parts.append(_quote(tree.paper_keys[item]) + length)
        else:
            first, second = (int(child) for child in tree.children[item - n])
            parts.append("(")
            todo.extend([")" + length, second, ",", first])
    return "".join(parts) + ";\n"


def _quote(key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9.\-+*/|]+", key):
        return key
    return "'" + key.replace("'", "''") + "'"
