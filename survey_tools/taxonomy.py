"""Taxonomy: the manual order of a survey's papers, kept in YAML.

Axes hold labels (which may have parents); every paper carries any number of labels on
each axis. Combined cells such as "masking strategy + objective" are derived, never typed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument, nearest, read_yaml
from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.partition import Partition

__all__ = [
    "Assignment",
    "Axis",
    "Label",
    "Stated",
    "Taxonomy",
    "TaxonomyFile",
    "parse_taxonomy",
    "read_taxonomy",
]

_JOIN = " + "
_NO_CONTRIBUTION = "none"
Counted = Literal["papers", "axes", "labels", "cells"]
_RESERVED_AXES = (_NO_CONTRIBUTION, "cells", "combined cells")  # names of results


class _FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class LabelEntry(_FileModel):
    """A label of an axis, as written in the file."""

    title: str = ""
    """Name as printed; the label's own name if empty."""
    description: str = ""
    """When a paper gets this label."""
    parent: str | None = None
    """Broader label on the same axis."""


class AxisEntry(_FileModel):
    """An axis of the taxonomy, as written in the file."""

    title: str = ""
    """Name as printed; the axis's own name if empty."""
    description: str = ""
    """What the axis tells apart."""
    otherwise: Annotated[str, Field(min_length=1)] = _NO_CONTRIBUTION
    """Class of a filed paper that has no label on this axis."""
    labels: Annotated[dict[str, LabelEntry], Field(min_length=1)]
    """Labels by name."""


class AssignmentEntry(_FileModel):
    """A label given to a paper, with what supports it."""

    label: str
    """Name of the label."""
    evidence: str = ""
    """Where the paper says so."""
    annotator: str | None = None
    """Who decided; the file's annotator if absent."""


class StatedEntry(_FileModel):
    """A number that the survey states about its taxonomy, as written in the file."""

    what: Counted
    """What is counted: filed papers, axes, labels of all axes, or combined cells."""
    count: Annotated[int, Field(ge=0)]
    """How many there are, says the source."""
    source: Annotated[str, Field(min_length=1)]
    """Where the number is stated, for example "the paper, section 3"."""


class TaxonomyFile(_FileModel):
    """``taxonomy.yaml``."""

    title: str = ""
    """Name of the taxonomy."""
    annotator: str | None = None
    """Who filed the papers, where an entry does not say otherwise."""
    stated: tuple[StatedEntry, ...] = ()
    """Numbers that the survey states; lint compares them with the taxonomy."""
    axes: Annotated[dict[str, AxisEntry], Field(min_length=1)]
    """Axes by name."""
    papers: dict[str, dict[str, tuple[str | AssignmentEntry, ...]]]
    """For every filed paper (by key) its labels on each axis; {} files it under none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of an axis; ``parent`` is the name of a broader label, or None."""

    name: str
    title: str
    description: str
    parent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis with its labels; ``otherwise`` names the class of papers without one."""

    name: str
    title: str
    description: str
    otherwise: str
    labels: tuple[Label, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the file."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A label that a paper carries on an axis, with evidence and annotator."""

    paper_key: str
    axis: str
    label: str
    evidence: str
    annotator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A number that the survey states about its taxonomy, and where it does."""

    what: Counted
    count: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """Axes, and the labels of every filed paper.

    Attributes
    ----------
    filed_keys : tuple of str
        Papers that the taxonomy files, also those under no label.
    assignments : tuple of Assignment
        Where several annotators filed a paper, it carries the labels that any of them gave.
    annotator : str or None
        Who filed the papers, where an assignment does not say otherwise.
    stated : tuple of Stated
        Numbers that the survey states, in the order of the file.
    """

    title: str
    axes: tuple[Axis, ...]
    filed_keys: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    annotator: str | None = None
    stated: tuple[Stated, ...] = ()

    def axis(self, name: str) -> Axis:
        """Return an axis by name."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        known = tuple(axis.name for axis in self.axes)
        raise ParameterError(f"unknown axis {name!r}; {nearest(name, known)}")

    def ancestors(self, axis_name: str, label_name: str) -> tuple[str, ...]:
        """Names of the broader labels of a label, nearest first."""
        parent_of = {label.name: label.parent for label in self.axis(axis_name).labels}
        if label_name not in parent_of:
            raise ParameterError(
                f"unknown label {label_name!r}; {nearest(label_name, [*parent_of])}"
            )
        found: list[str] = []
        while (parent := parent_of[found[-1] if found else label_name]) is not None:
            found.append(parent)
        return tuple(found)

    def label_sets(self, axis_name: str) -> dict[str, tuple[str, ...]]:
        """Labels of every filed paper on an axis, in the order of the axis; () for none.

        A label stands for its broader ones, too, so those are left out also where they were
        given: with ``kid`` below ``top``, a paper with ``[kid, top]`` has the set of one with
        ``[kid]``.
        """
        labels = self.axis(axis_name).label_names
        broader = {label: self.ancestors(axis_name, label) for label in labels}
        carried: dict[str, set[str]] = {key: set() for key in self.filed_keys}
        for assignment in self.assignments:
            if assignment.axis == axis_name:
                carried[assignment.paper_key].add(assignment.label)
        for mine in carried.values():
            mine.difference_update([up for label in mine for up in broader[label]])
        return {
            key: tuple(label for label in labels if label in mine) for key, mine in carried.items()
        }

    def classes(self, axis_name: str, keys: Iterable[str] | None = None) -> Partition:
        """Partition filed papers by the set of labels they carry on an axis (`label_sets`).

        A paper with several labels forms a class with the papers that have the same
        ones (``a + b``); a paper with none is in the axis's ``otherwise`` class.
        """
        axis = self.axis(axis_name)
        sets = self.label_sets(axis_name)
        names = {key: _JOIN.join(labels) or axis.otherwise for key, labels in sets.items()}
        return _by_class(names, keys, order=(*axis.label_names, axis.otherwise))

    def cells(self, keys: Iterable[str] | None = None) -> Partition:
        """Partition filed papers by the labels they carry on all axes together.

        An axis with a single label contributes its own name to the cell's, any other
        axis ``axis: label``; papers without any label form the cell ``none``.
        """
        return _by_class(self._cell_of_papers(titled=False), keys, order=())

    def cell_titles(self) -> dict[str, str]:
        """Return the printed form of every cell's name, with titles of axes and labels."""
        names, titles = self._cell_of_papers(titled=False), self._cell_of_papers(titled=True)
        return {names[key]: titles[key] for key in names}

    def _cell_of_papers(self, *, titled: bool) -> dict[str, str]:
        """Name the cell of every filed paper, by names or by titles of axes and labels."""
        parts: dict[str, list[str]] = {key: [] for key in self.filed_keys}
        for axis in self.axes:
            axis_name = axis.title if titled else axis.name
            printed = {label.name: label.title if titled else label.name for label in axis.labels}
            is_single = len(axis.labels) == 1
            for key, labels in self.label_sets(axis.name).items():
                parts[key] += [
                    axis_name if is_single else f"{axis_name}: {printed[name]}" for name in labels
                ]
        return {key: _JOIN.join(mine) or _NO_CONTRIBUTION for key, mine in parts.items()}


def _by_class(
    names: dict[str, str], keys: Iterable[str] | None, order: tuple[str, ...]
) -> Partition:
    """Group papers by class name: known classes first, then the largest, then by name."""
    chosen = names
    if keys is not None:
        keys = list(keys)
        if unfiled := [key for key in keys if key not in names]:
            raise ParameterError(f"papers not filed in the taxonomy: {abbreviate(unfiled)}")
        chosen = {key: names[key] for key in keys}
    sizes: dict[str, int] = {}
    for name in chosen.values():
        sizes[name] = sizes.get(name, 0) + 1
    rank = {name: i for i, name in enumerate(order)}
    ordered = sorted(sizes, key=lambda name: (rank.get(name, len(rank)), -sizes[name], name))
    return Partition.from_mapping(chosen, group_order=ordered)


def read_taxonomy(path: Path, corpus: Corpus | None = None) -> Taxonomy:
    """Read ``taxonomy.yaml`` and check it.

    Parameters
    ----------
    corpus : Corpus, optional
        Papers of which the filed ones must be; without it, keys are not checked.

    Raises
    ------
    DataError
        Naming file, line, key, what arrived and what is allowed: not YAML, a repeated
        key, an alias, an unquoted id that became a number, an unknown field, axis,
        label, parent or paper, a label given twice by one annotator, parents that form a
        circle, a name that could be mistaken in combined classes (``a + b``).
    """
    return parse_taxonomy(read_yaml(path), corpus)


def parse_taxonomy(document: YamlDocument, corpus: Corpus | None = None) -> Taxonomy:
    """Check a taxonomy that has been read; see `read_taxonomy`."""
    file = document.validate(TaxonomyFile)
    axes = []
    for name, entry in file.axes.items():
        _check_names(document, name, entry)
        _check_parents(document, name, entry)
        labels = tuple(
            Label(
                name=label,
                title=given.title or label,
                description=given.description,
                parent=given.parent,
            )
            for label, given in entry.labels.items()
        )
        if entry.otherwise in entry.labels:
            where = document.at("axes", name, "otherwise")
            raise DataError(f"{where}: {entry.otherwise!r} is a label of the axis; name another")
        axes.append(
            Axis(
                name=name,
                title=entry.title or name,
                description=entry.description,
                otherwise=entry.otherwise,
                labels=labels,
            )
        )
    taxonomy = Taxonomy(
        title=file.title,
        axes=tuple(axes),
        filed_keys=tuple(file.papers),
        assignments=tuple(_read_assignments(document, file)),
        annotator=file.annotator,
        stated=tuple(
            Stated(what=entry.what, count=entry.count, source=entry.source) for entry in file.stated
        ),
    )
    if corpus is not None:
        _check_papers(document, file, corpus)
    return taxonomy


def _check_papers(document: YamlDocument, file: TaxonomyFile, corpus: Corpus) -> None:
    """Refuse papers that the corpus lacks, all in one message."""
    unknown = [key for key in file.papers if key not in corpus]
    if not unknown:
        return
    where, hint = document.at("papers", unknown[0]), nearest(unknown[0], corpus.keys)
    others, them = "", "it"
    if len(unknown) > 1:
        others, them = f", one of {abbreviate(unknown)}", "them"
    raise DataError(
        f"{where}: unknown paper{others}; correct {them} ({hint}) or leave {them} out by the "
        "setting crosscheck.unknown=leave-out"
    )


def _check_names(document: YamlDocument, axis_name: str, axis: AxisEntry) -> None:
    """Refuse names that would be mistaken in classes, cells or file names derived from them."""
    where = document.at("axes", axis_name)
    if axis_name in _RESERVED_AXES:
        raise DataError(f"{where}: {axis_name!r} is the name of a result; name the axis otherwise")
    for separator in (": ", "/", "\\"):
        if separator in axis_name:
            raise DataError(f"{where}: the name of an axis must not hold {separator!r}")
    places = [(axis_name, where), (axis.otherwise, document.at("axes", axis_name, "otherwise"))]
    places += [(name, document.at("axes", axis_name, "labels", name)) for name in axis.labels]
    for name, place in places:
        if not name.strip() or _JOIN in f" {name} ":
            raise DataError(f"{place}: name {name!r} must hold text and no {_JOIN!r}")


def _check_parents(document: YamlDocument, axis_name: str, axis: AxisEntry) -> None:
    for name, label in axis.labels.items():
        where = document.at("axes", axis_name, "labels", name, "parent")
        if label.parent is not None and label.parent not in axis.labels:
            known = [other for other in axis.labels if other != name]
            raise DataError(
                f"{where}: unknown label {label.parent!r}; {nearest(label.parent, known)}"
            )
        chain = [name]
        while (parent := axis.labels[chain[-1]].parent) in axis.labels:
            assert parent is not None
            if parent in chain:
                circle = " -> ".join([*chain[chain.index(parent) :], parent])
                raise DataError(f"{where}: parents form a circle: {circle}")
            chain.append(parent)


def _read_assignments(document: YamlDocument, file: TaxonomyFile) -> Iterable[Assignment]:
    for key, by_axis in file.papers.items():
        for axis_name, given in by_axis.items():
            if axis_name not in file.axes:
                where = document.at("papers", key, axis_name)
                raise DataError(f"{where}: unknown axis; {nearest(axis_name, [*file.axes])}")
            known = file.axes[axis_name].labels
            seen: set[tuple[str, str | None]] = set()
            for i, item in enumerate(given):
                entry = AssignmentEntry(label=item) if isinstance(item, str) else item
                where = document.at("papers", key, axis_name, i)
                if entry.label not in known:
                    hint = nearest(entry.label, [*known])
                    raise DataError(f"{where}: unknown label {entry.label!r}; {hint}")
                annotator = entry.annotator or file.annotator
                if (entry.label, annotator) in seen:
                    raise DataError(f"{where}: label {entry.label!r} stands twice")
                seen.add((entry.label, annotator))
                yield Assignment(
                    paper_key=key,
                    axis=axis_name,
                    label=entry.label,
                    evidence=entry.evidence,
                    annotator=annotator,
                )
