"""Names for sub-trees, given by membership so that they survive a re-run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument, nearest, read_yaml
from survey_tools.errors import DataError
from survey_tools.tree import Subtree, Tree

__all__ = [
    "AttachedName",
    "SubtreeFile",
    "SubtreeName",
    "attach_names",
    "parse_subtrees",
    "read_subtrees",
]


_ROUNDING = 1e-9  # 0.66 - 0.06 is more than 0.6 in binary fractions


class SubtreeName(BaseModel):
    """One name and the papers it means."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1)]
    """Name as it is printed."""
    papers: tuple[str, ...] = ()
    """Keys of all papers meant; the sub-tree that matches them best gets the name."""
    anchors: tuple[str, ...] = ()
    """Instead of ``papers``: two or more keys whose common ancestor is meant."""
    jaccard: Annotated[float, Field(gt=0, le=1)] | None = None
    """Jaccard score when the name was given; a lower score on a re-run is reported as drift.
    Without it, drift is not reported."""
    n_papers: Annotated[int, Field(ge=2)] | None = None
    """With ``anchors``: size of the sub-tree when the name was given."""
    note: str = ""
    """Where the name comes from, or why it may not be found."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.papers) == bool(self.anchors):
            raise ValueError(f"{self.name!r} needs either papers or anchors")
        if self.anchors and len(set(self.anchors)) < 2:
            raise ValueError(f"{self.name!r} needs at least two different anchors")
        if self.anchors and self.jaccard is not None:
            raise ValueError(f"{self.name!r} is given by anchors, which have no Jaccard score")
        if self.papers and self.n_papers is not None:
            raise ValueError(f"{self.name!r} is given by its papers; leave n_papers out")
        return self


class SubtreeFile(BaseModel):
    """``subtrees.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    min_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Lowest Jaccard score at which a name counts as found; at 0.5 or more the sub-tree
    and the papers meant share at least half of all papers in either."""
    max_drift: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Fall of the Jaccard score since the name was given that is reported as drift."""
    names: tuple[SubtreeName, ...] = ()
    """Named sub-trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedName:
    """A name, the sub-tree that matches it best, and how well.

    Attributes
    ----------
    subtree : Subtree
        Best match among all inner nodes of the tree, whether good enough or not.
    jaccard : float or None
        Papers in both / papers in either; None for a name given by anchors.
    is_found : bool
        Whether the score reaches the file's ``min_jaccard``.
    warning : str
        Why the name is not found or has drifted; empty if neither.
    """

    name: str
    meant_keys: tuple[str, ...]
    subtree: Subtree
    jaccard: float | None
    is_found: bool
    warning: str
    note: str


def read_subtrees(path: Path, corpus: Corpus) -> SubtreeFile:
    """Read ``subtrees.yaml`` and check its papers against the corpus.

    Raises
    ------
    DataError
        Naming file, line and key, for a repeated name or an unknown paper too.
    """
    return parse_subtrees(read_yaml(path), corpus)


def parse_subtrees(document: YamlDocument, corpus: Corpus) -> SubtreeFile:
    """Check names of sub-trees that have been read; see `read_subtrees`."""
    file = document.validate(SubtreeFile)
    seen: dict[str, int] = {}
    for i, entry in enumerate(file.names):
        if entry.name in seen:
            raise DataError(f"{document.at('names', i, 'name')}: {entry.name!r} stands twice")
        seen[entry.name] = i
        which = "papers" if entry.papers else "anchors"
        keys = entry.papers or entry.anchors
        for j, key in enumerate(keys):
            where = document.at("names", i, which, j)
            if key not in corpus:
                raise DataError(f"{where}: unknown paper {key!r}; {nearest(key, corpus.keys)}")
            if key in keys[:j]:
                raise DataError(f"{where}: paper {key!r} stands twice under {entry.name!r}")
    return file


def attach_names(tree: Tree, file: SubtreeFile) -> tuple[AttachedName, ...]:
    """Give every name to the inner node that matches it best.

    A name given by papers goes to the node with the highest Jaccard score, of equal
    ones to the smallest; a name given by anchors to their common ancestor.
    """
    return tuple(
        _attach_by_papers(tree, entry, file) if entry.papers else _attach_by_anchors(tree, entry)
        for entry in file.names
    )


def _attach_by_papers(tree: Tree, entry: SubtreeName, file: SubtreeFile) -> AttachedName:
    n_common = tree.count_in_nodes(entry.papers)[tree.n_papers :]
    sizes = tree.sizes[tree.n_papers :]
    scores = n_common / (sizes + len(entry.papers) - n_common)
    best = int(np.lexsort((sizes, -scores))[0])
    jaccard = float(scores[best])
    subtree = tree.subtree(tree.n_papers + best)
    is_found = jaccard >= file.min_jaccard
    warning = ""
    if not is_found:
        warning = (
            f"no sub-tree matches {entry.name!r}: the best has Jaccard {jaccard:.2f}, "
            f"below {file.min_jaccard:g}"
        )
    elif entry.jaccard is not None and jaccard < entry.jaccard - file.max_drift - _ROUNDING:
        warning = f"{entry.name!r} drifted: Jaccard {jaccard:.2f}, {entry.jaccard:.2f} when named"
    return AttachedName(
        name=entry.name,
        meant_keys=entry.papers,
        subtree=subtree,
        jaccard=jaccard,
        is_found=is_found,
        warning=warning,
        note=entry.note,
    )


def _attach_by_anchors(tree: Tree, entry: SubtreeName) -> AttachedName:
    subtree = tree.subtree(tree.common_ancestor(entry.anchors))
    n_papers = len(subtree.paper_keys)
    warning = ""
    if entry.n_papers is not None and n_papers != entry.n_papers:
        warning = f"{entry.name!r} drifted: {n_papers} papers, {entry.n_papers} when named"
    return AttachedName(
        name=entry.name,
        meant_keys=entry.anchors,
        subtree=subtree,
        jaccard=None,
        is_found=True,
        warning=warning,
        note=entry.note,
    )
