"""Cover: every paper in any number of named groups, as papers carry labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.partition import Partition

__all__ = ["Cover", "align_covers"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cover:
    """Papers, each in none, one or several named groups.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    group_names : tuple of str, length n_groups
        A group may be empty, and there may be none.
    members : ndarray of bool, shape (n_papers, n_groups)
        Whether a paper is in a group.
    """

    paper_keys: tuple[str, ...]
    group_names: tuple[str, ...]
    members: NDArray[np.bool_]

    def __post_init__(self) -> None:
        members = np.array(self.members, dtype=np.bool_)
        members.setflags(write=False)
        object.__setattr__(self, "members", members)
        if len(set(self.paper_keys)) < len(self.paper_keys):
            raise ParameterError("a cover holds every paper once; a key stands twice")
        if len(set(self.group_names)) < len(self.group_names):
            raise ParameterError("two groups of a cover have one name")
        if members.shape != (len(self.paper_keys), len(self.group_names)):
            raise ParameterError(
                f"{len(self.paper_keys)} papers and {len(self.group_names)} groups need members of "
                f"that shape; {members.shape} arrived"
            )

    @classmethod
    def from_mapping(
        cls, groups_of: Mapping[str, Iterable[str]], *, group_order: Iterable[str] | None = None
    ) -> "Cover":
        """Build a cover from paper key -> names of its groups.

        Parameters
        ----------
        group_order : iterable of str, optional
            All groups, empty ones too. By default groups stand in the order of their first paper.
        """
        carried = {key: tuple(dict.fromkeys(groups)) for key, groups in groups_of.items()}
        found = dict.fromkeys(name for groups in carried.values() for name in groups)
        names = tuple(group_order) if group_order is not None else tuple(found)
        place = {name: i for i, name in enumerate(names)}
        if lost := [name for name in found if name not in place]:
            raise ParameterError(f"group_order lacks {abbreviate(lost)}")
        members = np.zeros((len(carried), len(names)), dtype=np.bool_)
        for i, groups in enumerate(carried.values()):
            members[i, [place[name] for name in groups]] = True
        return cls(paper_keys=tuple(carried), group_names=names, members=members)

    @classmethod
    def from_partition(cls, partition: Partition) -> "Cover":
        """Take over a partition: every paper in exactly one group."""
        members = partition.codes[:, None] == np.arange(partition.n_groups)
        return cls(
            paper_keys=partition.paper_keys, group_names=partition.group_names, members=members
        )

    @property
    def n_papers(self) -> int:
        """Number of papers."""
        return len(self.paper_keys)

    @property
    def n_groups(self) -> int:
        """Number of groups, empty ones too."""
        return len(self.group_names)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Papers of each group, shape (n_groups,)."""
        return np.asarray(self.members.sum(axis=0), dtype=np.intp)

    def papers_in(self, group_name: str) -> tuple[str, ...]:
        """Keys of the papers in a group, in the order of ``paper_keys``."""
        if group_name not in self.group_names:
            raise ParameterError(f"no group {group_name!r}; groups: {abbreviate(self.group_names)}")
        column = self.members[:, self.group_names.index(group_name)]
        return tuple(self.paper_keys[i] for i in np.flatnonzero(column))

    def restrict(self, keys: Iterable[str]) -> "Cover":
        """Return the cover of some of its papers, in the order given; all groups stay.

        Raises
        ------
        ParameterError
            If a key is not in the cover.
        """
        place = {key: i for i, key in enumerate(self.paper_keys)}
        keys = tuple(keys)
        if unknown := [key for key in keys if key not in place]:
            raise ParameterError(f"papers not in the cover: {abbreviate(unknown)}")
        rows = np.array([place[key] for key in keys], dtype=np.intp)
        return Cover(paper_keys=keys, group_names=self.group_names, members=self.members[rows])


def align_covers(a: Cover, b: Cover) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return both covers' members over the same papers, sorted by key.

    Raises
    ------
    ParameterError
        If the covers do not hold the same papers.
    """
    if missing := sorted(set(a.paper_keys) ^ set(b.paper_keys)):
        raise ParameterError(
            f"the two covers hold different papers: {abbreviate(missing)}; "
            "restrict both to the papers they share"
        )
    keys = sorted(a.paper_keys)
    return a.restrict(keys).members, b.restrict(keys).members
