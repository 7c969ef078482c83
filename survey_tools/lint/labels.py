"""Rules about labels and axes: used or not, described or not, one thing under two names."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from rapidfuzz.distance import OSA

from survey_tools.documents import YamlDocument
from survey_tools.lint.finding import Finding, find, line_of
from survey_tools.taxonomy import Axis, Label, Taxonomy
from survey_tools.tex import title_key

__all__ = ["check_labels", "singular"]

_N_LETTERS_TYPO = 6  # in shorter names another letter is another name
_N_LETTERS_PLURAL = 4  # shorter words keep their s: "gas"


def check_labels(document: YamlDocument, taxonomy: Taxonomy) -> Iterator[Finding]:
    """Find labels with no paper or one, without description, or that look like another one.

    A paper with a label counts for the broader labels too.
    """
    for axis in taxonomy.axes:
        yield from _check_use(document, taxonomy, axis)
        yield from _check_descriptions(document, axis)
        yield from _check_names(document, axis)


def _at(
    document: YamlDocument, axis: Axis, label: Label, code: str, message: str, hint: str
) -> Finding:
    line = line_of(document, "axes", axis.name, "labels", label.name)
    return find(code, document.source, line, message, hint)


def _name(axis: Axis, label: Label) -> str:
    return f"label {label.name!r} of axis {axis.name!r}"


def _check_use(document: YamlDocument, taxonomy: Taxonomy, axis: Axis) -> Iterator[Finding]:
    papers_of: dict[str, list[str]] = {name: [] for name in axis.label_names}
    broader = {name: taxonomy.ancestors(axis.name, name) for name in axis.label_names}
    for key, carried in taxonomy.label_sets(axis.name).items():
        for name in dict.fromkeys(up for label in carried for up in (label, *broader[label])):
            papers_of[name].append(key)
    for label in axis.labels:
        keys = papers_of[label.name]
        if not keys:
            message = f"no paper has {_name(axis, label)}"
            yield _at(document, axis, label, "T201", message, "file papers under it or remove it")
        elif len(keys) == 1:
            message = f"one paper alone has {_name(axis, label)}: {keys[0]!r}"
            hint = "merge it with another label, or give it a broader one by parent:"
            yield _at(document, axis, label, "T202", message, hint)


def _check_descriptions(document: YamlDocument, axis: Axis) -> Iterator[Finding]:
    if not axis.description.strip():
        line = line_of(document, "axes", axis.name)
        message = f"axis {axis.name!r} has no description"
        yield find("T203", document.source, line, message, "say what the axis tells apart")
    for label in axis.labels:
        if not label.description.strip():
            message = f"{_name(axis, label)} has no description"
            hint = "say when a paper gets the label, so that another person would file it alike"
            yield _at(document, axis, label, "T203", message, hint)


def _check_names(document: YamlDocument, axis: Axis) -> Iterator[Finding]:
    for first, second in combinations(axis.labels, 2):
        written = [(a, b) for a in _names(first) for b in _names(second) if _are_alike(a, b)]
        if written:
            message = f"{_name(axis, second)} looks like label {first.name!r}"
            hint = "if the two are one, file all papers under one of them"
            yield _at(document, axis, second, "T204", message, hint)


def _names(label: Label) -> tuple[str, ...]:
    return tuple({label.name: None, label.title: None})


def _are_alike(a: str, b: str) -> bool:
    """Tell whether two names differ by case, signs, blanks, plurals or one letter at most.

    Another digit is another name (2D, 3D), and so is another first letter (``supervised``,
    ``unsupervised``) and any other letter in a short name.
    """
    ours, theirs = (singular(title_key(name)).replace(" ", "") for name in (a, b))
    if ours == theirs:
        return bool(ours)
    if min(len(ours), len(theirs)) < _N_LETTERS_TYPO or ours[0] != theirs[0]:
        return False
    digits = [Counter(sign for sign in name if sign.isdigit()) for name in (ours, theirs)]
    return digits[0] == digits[1] and OSA.distance(ours, theirs, score_cutoff=1) <= 1


def singular(key: str) -> str:
    """Take the plural from the words of a title key: ``strategies`` -> ``strategy``.

    Short words and words in ``ss`` stay. A singular in s loses it, too; both sides of a comparison
    do so alike.
    """
    return " ".join(map(_singular_word, key.split()))


def _singular_word(word: str) -> str:
    if len(word) < _N_LETTERS_PLURAL or not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]
