"""Cell names: headings of a list -> combined cells of a taxonomy, however they are written."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from survey_tools.lint.labels import singular
from survey_tools.taxonomy import Taxonomy
from survey_tools.tex import title_key

__all__ = ["CellNames", "Place"]

_NUMBER = re.compile(r"^\s*(?:\d+(?:\.\d+)*[.)]?|[IVX]+[.)])\s+")  # "3.1 Masking", "IV. Masking"
_COUNT = re.compile(r"\s*[(\[]\s*\d+(?:\s+papers?)?\s*[)\]]\s*$", re.IGNORECASE)
_JOINT = re.compile(r"[+&,;/]|\band\b", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")

_Form = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a list files an entry: the heading that says most, and the cell it names, if any."""

    heading: str
    cell: str | None


class CellNames:
    """The cells of a taxonomy, found by what a heading may call them.

    Headings are compared without case, signs, order of parts (joined by "and", "&", "+", a
    comma or a stroke), plurals, section numbers and counts of papers behind. An axis with
    several labels may be named or not: "Target: pixels", or "Pixels" where no other axis
    has such a label, or "Pixels" below the heading "Target".
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        cell_of = taxonomy.cells().as_mapping()
        cells_of_form: dict[_Form, set[str]] = {}
        for key, forms in _written_forms(taxonomy).items():
            for form in forms:
                cells_of_form.setdefault(form, set()).add(cell_of[key])
        self._cell_of_form: Mapping[_Form, str] = {
            form: next(iter(cells)) for form, cells in cells_of_form.items() if len(cells) == 1
        }

    def place(self, labels: Sequence[str]) -> Place:
        """Choose among the headings above an entry, the outermost first.

        The innermost one that names a cell counts; if none does, the innermost that holds a
        letter, so that headings of years say nothing.
        """
        for i in reversed(range(len(labels))):
            named = [labels[i]] if i == 0 else [f"{labels[i - 1]}: {labels[i]}", labels[i]]
            for name in named:
                if cell := self._cell_of_form.get(_form(name)):
                    return Place(heading=labels[i], cell=cell)
        inner = next((label for label in reversed(labels) if _LETTER.search(label)), "")
        return Place(heading=inner, cell=None)


def _form(name: str) -> _Form:
    return _form_of_parts([_COUNT.sub("", _NUMBER.sub("", name))])


def _form_of_parts(names: Iterable[str]) -> _Form:
    """Reduce names to the set of their parts; a name that holds "and" has several."""
    parts = (singular(title_key(part)) for name in names for part in _JOINT.split(name))
    return frozenset(part for part in parts if part)


def _written_forms(taxonomy: Taxonomy) -> dict[str, set[_Form]]:
    """Write the cell of every filed paper in all ways.

    By names or titles, with axes or without, with the broader labels of its labels or without.
    """
    forms: dict[str, set[_Form]] = {key: set() for key in taxonomy.filed_keys}
    for with_broader in (False, True):
        for key, parts in _written_parts(taxonomy, with_broader=with_broader).items():
            ways = zip(*parts, strict=True) if parts else [("none",)]
            forms[key].update(map(_form_of_parts, ways))
    return forms


def _written_parts(
    taxonomy: Taxonomy, *, with_broader: bool
) -> dict[str, list[tuple[str, str, str, str]]]:
    """Write every label of every filed paper in four ways."""
    parts: dict[str, list[tuple[str, str, str, str]]] = {key: [] for key in taxonomy.filed_keys}
    for axis in taxonomy.axes:
        is_single = len(axis.labels) == 1
        title_of = {label.name: label.title for label in axis.labels}
        broader = {name: taxonomy.ancestors(axis.name, name) for name in axis.label_names}
        for key, labels in taxonomy.label_sets(axis.name).items():
            named = dict.fromkeys(labels)
            if with_broader:
                named |= dict.fromkeys(up for label in labels for up in broader[label])
            for label in named:
                title = title_of[label]
                parts[key].append(
                    (axis.name, axis.title, axis.name, axis.title)
                    if is_single
                    else (f"{axis.name}: {label}", f"{axis.title}: {title}", label, title)
                )
    return parts
