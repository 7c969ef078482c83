"""Rules about numbers that the survey states about its taxonomy."""

from collections.abc import Iterator

from survey_tools.documents import YamlDocument
from survey_tools.lint.finding import Finding, find, line_of
from survey_tools.taxonomy import Counted, Taxonomy

__all__ = ["check_stated", "count_of"]

_NAMES: dict[Counted, str] = {
    "papers": "filed papers",
    "axes": "axes",
    "labels": "labels",
    "cells": "combined cells",
}


def check_stated(document: YamlDocument, taxonomy: Taxonomy) -> Iterator[Finding]:
    """Find stated numbers that the taxonomy does not have."""
    for i, stated in enumerate(taxonomy.stated):
        here = count_of(taxonomy, stated.what)
        if here != stated.count:
            line = line_of(document, "stated", i)
            message = f"{stated.count} {_NAMES[stated.what]}, says {stated.source}; here are {here}"
            hint = "find what is missing or too much, or say in the text why they differ"
            yield find("T301", document.source, line, message, hint)


def count_of(taxonomy: Taxonomy, what: Counted) -> int:
    """Count what may be stated: filed papers, axes, labels of all axes, or combined cells.

    Papers without any label are a cell, too, if there are any (``none``).
    """
    match what:
        case "papers":
            return len(taxonomy.filed_keys)
        case "axes":
            return len(taxonomy.axes)
        case "labels":
            return sum(len(axis.labels) for axis in taxonomy.axes)
        case "cells":
            return taxonomy.cells().n_groups
