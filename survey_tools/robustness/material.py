"""What every run needs, and what it is compared with; sent to each worker once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.robustness.setting import Setting
from survey_tools.settings import TextSettings
from survey_tools.tree import Tree, cophenetic_distances

__all__ = ["Material", "Reference", "Target", "list_clusters", "require_sorted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A group of papers that is sought in every run.

    Attributes
    ----------
    name : str
    kind : {"name", "meant", "cluster"}
        A named sub-tree as it stands in the reference; the papers that the name was meant for;
        a flat cluster of the reference.
    paper_keys : tuple of str
    """

    name: str
    kind: str
    paper_keys: tuple[str, ...]


def list_clusters(partition: Partition) -> tuple[Target, ...]:
    """List the flat clusters as what is sought."""
    return tuple(
        Target(name=name, kind="cluster", paper_keys=partition.members(name))
        for name in partition.group_names
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """The tree and the clusters that runs are compared with, over papers sorted by key.

    Attributes
    ----------
    tree : Tree
    codes : ndarray of int, shape (n_papers,)
        Flat cluster of each paper.
    targets : ndarray of bool, shape (n_targets, n_papers)
    homes : ndarray of int, shape (n_papers,)
        Target that each paper belongs to: its smallest named sub-tree, or its cluster.
    cophenetic : ndarray of float, shape (n_papers, n_papers)
        Height at which each pair is merged.
    """

    tree: Tree
    codes: NDArray[np.intp]
    targets: NDArray[np.bool_]
    homes: NDArray[np.intp]
    cophenetic: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from scipy.spatial.distance import squareform

        require_sorted(self.tree.paper_keys)
        square = squareform(cophenetic_distances(self.tree))
        object.__setattr__(self, "cophenetic", np.asarray(square, dtype=np.float64))

    @classmethod
    def of_tree(cls, tree: Tree, partition: Partition, targets: tuple[Target, ...]) -> "Reference":
        """Build a reference from a tree over sorted keys, its cut, and what is sought in it."""
        leaf = {key: i for i, key in enumerate(tree.paper_keys)}
        group_of = partition.as_mapping()
        number = {name: i for i, name in enumerate(partition.group_names)}
        wanted = np.zeros((len(targets), tree.n_papers), dtype=np.bool_)
        for row, target in zip(wanted, targets, strict=True):
            row[[leaf[key] for key in target.paper_keys]] = True
        homes = np.full(tree.n_papers, -1)
        # clusters first, then named sub-trees from the largest, so that the smallest remains
        rank = {"cluster": 0, "name": 1}
        order = sorted(
            (i for i, target in enumerate(targets) if target.kind in rank),
            key=lambda i: (rank[targets[i].kind], -int(wanted[i].sum())),
        )
        for i in order:
            homes[wanted[i]] = i
        codes = np.array([number[group_of[key]] for key in tree.paper_keys], dtype=np.intp)
        return cls(tree=tree, codes=codes, targets=wanted, homes=homes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """A survey, ready to be clustered in any setting of a plan.

    Attributes
    ----------
    corpus : Corpus
        Sorted by key.
    text : TextSettings
        The survey's own; what is no factor stays as it is.
    stop_words : mapping of str to frozenset of str
        Words of each level of the factor.
    own : Setting
        The survey's own setting.
    reference : Reference
        Its tree.
    axes : mapping of str to ndarray of int, shape (n_papers,)
        Class of each paper on each axis of the taxonomy; -1 for papers that are not filed.
    numbers : tuple of int
        Numbers of clusters of the consensus, rising.
    seed : int
    digest : str
        sha256 of all inputs; caches of workers and the store go by it.
    """

    corpus: Corpus
    text: TextSettings
    stop_words: Mapping[str, frozenset[str]]
    own: Setting
    reference: Reference
    axes: Mapping[str, NDArray[np.intp]]
    numbers: tuple[int, ...]
    share: float
    seed: int
    digest: str

    def __post_init__(self) -> None:
        require_sorted(self.corpus.keys)


def require_sorted(paper_keys: tuple[str, ...]) -> None:
    """Refuse keys that are not sorted: codes and targets go by their order."""
    if list(paper_keys) != sorted(paper_keys):
        raise ParameterError("papers must stand in the order of their keys")
