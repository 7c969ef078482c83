"""Finding: something in a taxonomy that a person should look at, and the rules that find it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from survey_tools.documents import YamlDocument

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Severity",
    "count_severities",
    "find",
    "findings_data",
    "line_of",
]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of lint: its code, how grave a breach is, and what is found, in the plural."""

    code: str
    severity: Severity
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A breach of a rule.

    Attributes
    ----------
    source : str
        The file, as messages name it.
    line : int
        Line (from 1) in that file.
    hint : str
        What to do.
    """

    code: str
    severity: Severity
    source: str
    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}"
        return f"{place}: {self.code} {self.severity}: {self.message} ({self.hint})"


_RULES: tuple[tuple[str, Severity, str], ...] = (
    ("T101", "error", "filed papers that the survey does not hold"),
    ("T102", "warning", "papers of the survey that are not filed"),
    ("T103", "warning", "papers filed without any label"),
    ("T104", "warning", "papers with nearly the same title"),
    ("T105", "warning", "papers with one arXiv id or one DOI"),
    ("T106", "note", "labels without evidence, where others have it"),
    ("T201", "warning", "labels without a paper"),
    ("T202", "warning", "labels with one paper"),
    ("T203", "warning", "axes and labels without a description"),
    ("T204", "warning", "labels that may be one, spelt in two ways"),
    ("T301", "warning", "counts that differ from those the survey states"),
    ("T401", "warning", "papers that the companion list alone files"),
    ("T402", "warning", "filed papers that the companion list lacks"),
    ("T403", "warning", "cells that only one side has, or that have two names"),
    ("T404", "warning", "papers that stand in another cell in the companion list"),
    ("T405", "warning", "numbers of cells that differ"),
    ("T406", "warning", "papers that stand twice in the companion list"),
    ("T407", "warning", "entries of the companion list that cannot be read"),
)
# Codes stay what they are, for people filter by them; a rule that goes leaves a gap.
RULES = {code: Rule(code=code, severity=severity, what=what) for code, severity, what in _RULES}


def find(code: str, source: str, line: int, message: str, hint: str) -> Finding:
    """Make a finding of a rule, with the rule's severity."""
    severity = RULES[code].severity
    return Finding(
        code=code, severity=severity, source=source, line=line, message=message, hint=hint
    )


def line_of(document: YamlDocument, *path: str | int) -> int:
    """Return the line (from 1) of a key path, or of the nearest key above that is written."""
    while path and path not in document.lines:
        path = path[:-1]
    return document.lines.get(path, 1)


def count_severities(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Count errors, warnings and notes."""
    counts: dict[Severity, int] = {"error": 0, "warning": 0, "note": 0}
    for finding in findings:
        counts[finding.severity] += 1
    return counts


def findings_data(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return findings as JSON holds them: numbers by severity, then one object a finding."""
    findings = list(findings)
    return {
        "counts": count_severities(findings),
        "findings": [asdict(finding) for finding in findings],
    }
