"""Spans of leaves, of clusters and of named sub-trees, and texts that stand beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from survey_tools.figures.brackets import assign_lanes
from survey_tools.figures.placement import letter_code
from survey_tools.figures.style import wrap
from survey_tools.partition import Partition
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = [
    "ClusterSpan",
    "NameSpan",
    "find_cluster_spans",
    "find_name_spans",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpan:
    """Neighbouring leaves of one cluster; leaves count from 0 in leaf order."""

    name: str
    colour_index: int
    first_leaf: int
    last_leaf: int

    @property
    def n_papers(self) -> int:
        """Number of leaves."""
        return self.last_leaf - self.first_leaf + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSpan:
    """The leaves of a named sub-tree.

    Attributes
    ----------
    code : str
        A, B, C, … in leaf order, as in the dendrogram.
    node : int
        Node in its tree.
    lane : int
        Lane of its bracket; brackets in one lane do not overlap, 0 is the innermost.
    """

    code: str
    name: str
    node: int
    height: float
    jaccard: float | None
    first_leaf: int
    last_leaf: int
    lane: int

    @property
    def n_papers(self) -> int:
        """Number of leaves."""
        return self.last_leaf - self.first_leaf + 1

    @property
    def title(self) -> str:
        """Code and name."""
        return f"{self.code} {self.name}"

    @property
    def detail(self) -> str:
        """Number of papers, and the Jaccard score of the match."""
        score = "" if self.jaccard is None else f", J {self.jaccard:.2f}"
        return f"{self.n_papers:,} papers{score}"

    def wrapped(self, width: float, size: float) -> tuple[str, ...]:
        """Lines as they stand beside a bracket, no wider than ``width`` points."""
        return (*wrap(self.title, width, size), *wrap(self.detail, width, size))


def find_cluster_spans(tree: Tree, partition: Partition) -> tuple[ClusterSpan, ...]:
    """Find the spans of all clusters, first leaf first.

    A cluster that is no node of the tree, as another method may give, has several spans.
    """
    code_of = dict(zip(partition.paper_keys, partition.codes.tolist(), strict=True))
    codes = np.array([code_of[key] for key in tree.keys_in_leaf_order])
    firsts = np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
    lasts = np.concatenate([firsts[1:], [len(codes)]]) - 1
    return tuple(
        ClusterSpan(
            name=partition.group_names[codes[first]],
            colour_index=int(codes[first]),
            first_leaf=int(first),
            last_leaf=int(last),
        )
        for first, last in zip(firsts, lasts, strict=True)
    )


def find_name_spans(tree: Tree, names: Sequence[AttachedName]) -> tuple[NameSpan, ...]:
    """Find the spans of the names that are found in the tree, in leaf order, outer ones first."""
    found = sorted(
        (name for name in names if name.is_found),
        key=lambda name: (tree.starts[name.subtree.node], -tree.sizes[name.subtree.node]),
    )
    spans = []
    for i, (name, lane) in enumerate(zip(found, assign_lanes(found), strict=True)):
        first = int(tree.starts[name.subtree.node])
        spans.append(
            NameSpan(
                code=letter_code(i),
                name=name.name,
                node=name.subtree.node,
                height=name.subtree.height,
                jaccard=name.jaccard,
                first_leaf=first,
                last_leaf=first + int(tree.sizes[name.subtree.node]) - 1,
                lane=lane,
            )
        )
    return tuple(spans)
