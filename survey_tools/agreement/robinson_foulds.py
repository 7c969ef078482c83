"""Clades of a tree, ties collapsed, and the share of them that two trees do not have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.tree import Tree

if TYPE_CHECKING:
    from survey_tools.kernels.tree_pairs import Nodes

__all__ = ["Clades", "find_clades", "robinson_foulds_distance"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clades:
    """Inner nodes of a tree whose tied merges are one node, children before parents.

    A merge at the height of the merge above it belongs to the node of that one, and so does an
    inverted merge, which counts as made at the greatest height below it. So the clades do not
    depend on the order in which tied pairs were merged.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
        Sorted.
    heights : ndarray of float, shape (n_clades,)
    parents : ndarray of int, shape (n_clades,)
        -1 for the root, which is the last.
    homes : ndarray of int, shape (n_papers,)
        Smallest clade of each paper.
    """

    paper_keys: tuple[str, ...]
    heights: NDArray[np.float64]
    parents: NDArray[np.int64]
    homes: NDArray[np.int64]

    @property
    def n_clades(self) -> int:
        """Number of inner nodes, the root too."""
        return len(self.heights)

    @property
    def n_children(self) -> NDArray[np.intp]:
        """Children of each clade, papers and clades, shape (n_clades,)."""
        above = np.concatenate([self.homes, self.parents[:-1]])
        return np.bincount(above, minlength=self.n_clades)

    def to_nodes(self, *, with_fans: bool) -> "Nodes":
        """Return what kernels take.

        Parameters
        ----------
        with_fans : bool
            Whether clades of three children or more list them. Papers that are such children
            become nodes of their own, at height 0, before all clades.
        """
        from survey_tools.kernels.tree_pairs import Nodes  # numba loads half a second

        is_fan = (self.n_children > 2) & with_fans
        alone = np.flatnonzero(is_fan[self.homes])
        n_alone = len(alone)
        parents = np.concatenate([self.homes[alone], self.parents]) + n_alone
        parents[-1] = -1
        homes = self.homes + n_alone
        homes[alone] = np.arange(n_alone)
        heights = np.concatenate([np.zeros(n_alone), self.heights])
        fans = np.flatnonzero(is_fan) + n_alone
        children = [np.flatnonzero(parents == fan) for fan in fans]
        starts = np.cumsum([0, *map(len, children)])
        return Nodes(
            parents=parents,
            homes=homes,
            heights=heights,
            rising=np.argsort(heights, kind="stable").astype(np.int64),
            fans=fans.astype(np.int64),
            fan_starts=starts.astype(np.int64),
            fan_children=np.concatenate([*children, []]).astype(np.int64),
        )


def find_clades(tree: Tree) -> Clades:
    """Collapse the ties of a tree."""
    n = tree.n_papers
    ceilings = hierarchy.maxdists(tree.to_linkage())
    is_top = np.append(ceilings[:-1] < ceilings[tree.parents[n:-1] - n], True)
    number = np.cumsum(is_top) - 1
    parents = tree.parents.tolist()
    clade_of = [0] * (2 * n - 1)  # the clade that a merge belongs to, from the root down
    for node in range(2 * n - 2, n - 1, -1):
        merge = node - n
        clade_of[node] = int(number[merge]) if is_top[merge] else clade_of[parents[node]]
    above = [clade_of[parents[node]] if parents[node] >= 0 else -1 for node in range(2 * n - 1)]
    by_key = sorted(range(n), key=tree.paper_keys.__getitem__)
    return Clades(
        paper_keys=tuple(tree.paper_keys[leaf] for leaf in by_key),
        heights=np.asarray(ceilings[is_top], dtype=np.float64),
        parents=np.array(above[n:], dtype=np.int64)[is_top],
        homes=np.array(above[:n], dtype=np.int64)[by_key],
    )


def robinson_foulds_distance(
    n_shared: NDArray[np.float64], n_clades: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of clades that one of two rooted trees has and the other has not.

    Clades of one paper and of all papers are in every tree and do not count. Two trees without
    any other clade are equal: 0.

    Parameters
    ----------
    n_shared : ndarray of float
        Clades in both trees.
    n_clades : ndarray of float, the same shape
        Clades of the one plus clades of the other.

    Returns
    -------
    ndarray of float64, the same shape
        0 (same clades) to 1 (none in common).

    References
    ----------
    .. [1] Robinson and Foulds, "Comparison of phylogenetic trees", Mathematical Biosciences 53
       (1981), 131-147. For rooted trees clades stand in place of their splits.
    """
    return np.asarray((n_clades - 2.0 * n_shared) / np.maximum(n_clades, 1.0))
