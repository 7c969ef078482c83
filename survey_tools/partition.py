"""Partition: every paper in exactly one named group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, abbreviate

__all__ = ["Partition", "align"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partition:
    """Papers, each in one of several named groups (clusters, or classes of a taxonomy).

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    group_names : tuple of str, length n_groups
        Every group has at least one paper.
    codes : ndarray of int, shape (n_papers,)
        Index into ``group_names`` of each paper.
    """

    paper_keys: tuple[str, ...]
    group_names: tuple[str, ...]
    codes: NDArray[np.intp]

    def __post_init__(self) -> None:
        codes = np.array(self.codes, dtype=np.intp)
        codes.setflags(write=False)
        object.__setattr__(self, "codes", codes)
        if len(set(self.paper_keys)) < len(self.paper_keys):
            raise ParameterError("a partition holds every paper once; a key stands twice")
        if len(set(self.group_names)) < len(self.group_names):
            raise ParameterError("two groups of a partition have one name")
        used = np.unique(codes)
        if codes.shape != (len(self.paper_keys),) or not np.array_equal(
            used, np.arange(len(self.group_names))
        ):
            raise ParameterError("every paper needs a group and every group a paper")

    @classmethod
    def from_mapping(
        cls, group_of: Mapping[str, str], *, group_order: Iterable[str] | None = None
    ) -> "Partition":
        """Build a partition from paper key -> group name.

        Parameters
        ----------
        group_order : iterable of str, optional
            Order of the groups; names without a paper are left out. By default
            groups stand in the order of their first paper.
        """
        present = dict.fromkeys(group_of.values())
        names = [name for name in group_order if name in present] if group_order else list(present)
        index = {name: i for i, name in enumerate(names)}
        if len(index) < len(present):
            lost = [name for name in present if name not in index]
            raise ParameterError(f"group_order lacks {abbreviate(lost)}")
        codes = np.array([index[name] for name in group_of.values()], dtype=np.intp)
        return cls(paper_keys=tuple(group_of), group_names=tuple(names), codes=codes)

    @property
    def n_papers(self) -> int:
        """Number of papers."""
        return len(self.paper_keys)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.group_names)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Papers of each group, shape (n_groups,)."""
        return np.bincount(self.codes, minlength=self.n_groups)

    def as_mapping(self) -> dict[str, str]:
        """Return paper key -> group name."""
        names = (self.group_names[code] for code in self.codes)
        return dict(zip(self.paper_keys, names, strict=True))

    def members(self, group_name: str) -> tuple[str, ...]:
        """Keys of the papers in a group, in the order of ``paper_keys``."""
        if group_name not in self.group_names:
            raise ParameterError(f"no group {group_name!r}; groups: {abbreviate(self.group_names)}")
        code = self.group_names.index(group_name)
        return tuple(self.paper_keys[i] for i in np.flatnonzero(self.codes == code))

    def restrict(self, keys: Iterable[str]) -> "Partition":
        """Return the partition of some of its papers; groups left empty vanish.

        Raises
        ------
        ParameterError
            If a key is not in the partition.
        """
        group_of = self.as_mapping()
        keys = list(keys)
        unknown = [key for key in keys if key not in group_of]
        if unknown:
            raise ParameterError(f"papers not in the partition: {abbreviate(unknown)}")
        chosen = {key: group_of[key] for key in keys}
        return Partition.from_mapping(chosen, group_order=self.group_names)


def align(a: Partition, b: Partition) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return both partitions' codes over the same papers, sorted by key.

    Raises
    ------
    ParameterError
        If the partitions do not hold the same papers.
    """
    ours, theirs = set(a.paper_keys), set(b.paper_keys)
    if ours != theirs:
        missing = sorted(ours ^ theirs)
        raise ParameterError(
            f"the two partitions hold different papers: {abbreviate(missing)}; "
            "restrict both to the papers they share"
        )
    by_key_a = sorted(range(a.n_papers), key=a.paper_keys.__getitem__)
    by_key_b = sorted(range(b.n_papers), key=b.paper_keys.__getitem__)
    return a.codes[by_key_a], b.codes[by_key_b]
