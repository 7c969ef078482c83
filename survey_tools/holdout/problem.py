"""An axis of the taxonomy (or the combined cells) as labels to be told from texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.cover import Cover
from survey_tools.errors import abbreviate, count
from survey_tools.taxonomy import Taxonomy

__all__ = ["CELLS", "Problem", "pose_cells", "pose_problem"]

CELLS = "combined cells"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Labels to be told from texts.

    Attributes
    ----------
    name, title : str
        The axis, or "combined cells".
    cover : Cover
        Filed papers, sorted by key, with the labels that can be tested. A paper carries the
        broader labels of its labels, too.
    is_exclusive : bool
        Whether one label a paper is to be chosen (the cells) or any number (an axis).
    rare_labels : tuple of str
        Labels tested although they have fewer papers than there are folds.
    untestable : tuple of (label, reason)
        Labels that cannot be both learnt and held out.
    """

    name: str
    title: str
    cover: Cover
    is_exclusive: bool
    rare_labels: tuple[str, ...]
    untestable: tuple[tuple[str, str], ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels that can be tested."""
        return self.cover.group_names

    @property
    def members(self) -> NDArray[np.bool_]:
        """Whether a paper carries a label, shape (n_papers, n_labels)."""
        return self.cover.members

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that name the labels that are rare or cannot be tested."""
        found = []
        if self.untestable:
            named = abbreviate([f"{label} ({reason})" for label, reason in self.untestable])
            found.append(f"{count(len(self.untestable), 'label')} not testable: {named}.")
        if self.rare_labels:
            found.append(
                f"{count(len(self.rare_labels), 'label')} with fewer papers than folds, tested: "
                f"{abbreviate(self.rare_labels)}."
            )
        return tuple(found)


def pose_problem(taxonomy: Taxonomy, axis_name: str, keys: Sequence[str], n_folds: int) -> Problem:
    """Pose the problem of an axis: the labels that each paper carries.

    Parameters
    ----------
    keys : sequence of str
        Filed papers, sorted.
    """
    axis = taxonomy.axis(axis_name)
    sets = taxonomy.label_sets(axis_name)
    broader = {label: taxonomy.ancestors(axis_name, label) for label in axis.label_names}
    carried = {
        key: tuple({up for label in sets[key] for up in (label, *broader[label])}) for key in keys
    }
    cover = Cover.from_mapping(carried, group_order=axis.label_names)
    return _pose(axis_name, axis.title, cover, n_folds, is_exclusive=False)


def pose_cells(taxonomy: Taxonomy, keys: Sequence[str], n_folds: int) -> Problem:
    """Pose the problem of the combined cells: the one that each paper is in."""
    cover = Cover.from_partition(taxonomy.cells(keys))
    return _pose(CELLS, "Combined cells", cover, n_folds, is_exclusive=True)


def _pose(name: str, title: str, cover: Cover, n_folds: int, *, is_exclusive: bool) -> Problem:
    """Set the labels apart that cannot be on both sides of a fold, with and without papers."""
    untestable, tested, rare = [], [], []
    for label, n_with in zip(cover.group_names, cover.sizes.tolist(), strict=True):
        n_without = cover.n_papers - n_with
        if min(n_with, n_without) >= 2:
            tested.append(label)
            if min(n_with, n_without) < n_folds:
                rare.append(label)
        elif n_with == 0:
            untestable.append((label, "no paper"))
        elif n_without == 0:
            untestable.append((label, "every paper"))
        else:
            untestable.append((label, "1 paper" if n_with == 1 else "all papers but one"))
    columns = [cover.group_names.index(label) for label in tested]
    kept = Cover(
        paper_keys=cover.paper_keys, group_names=tuple(tested), members=cover.members[:, columns]
    )
    return Problem(
        name=name,
        title=title,
        cover=kept,
        is_exclusive=is_exclusive,
        rare_labels=tuple(rare),
        untestable=tuple(untestable),
    )
