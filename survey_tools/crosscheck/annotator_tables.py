"""A comparison of annotators -> tables, written as CSV into a folder of their own."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from survey_tools.crosscheck.annotators import AnnotatorComparison
from survey_tools.output import MANIFEST, digest_of_file, list_files, replace_folder

__all__ = ["agreement_rows", "disagreement_rows", "write_comparison"]

_COMMAND = "taxonomy agree"
_JOIN = " + "  # as in names of cells; no label holds it

Row = Mapping[str, str | int | float | None]


def agreement_rows(comparison: AnnotatorComparison) -> list[Row]:
    """One row an axis and index: value, interval and the numbers behind it."""
    return [
        {
            "axis": axis.name,
            "index": index.name,
            "value": index.value,
            "low": index.low,
            "high": index.high,
            "confidence": axis.agreement.confidence,
            "n_papers": axis.agreement.n_papers,
            "n_equal": axis.n_equal,
            "n_annotators": axis.agreement.n_annotators,
        }
        for axis in comparison.axes
        for index in axis.agreement.indices
    ]


def disagreement_rows(comparison: AnnotatorComparison) -> list[Row]:
    """One row a paper and axis with unlike labels: a column for each annotator's labels."""
    return [
        {
            "paper_key": found.paper_key,
            "title": found.title,
            "axis": found.axis,
            **{
                f"labels by {name}": _JOIN.join(labels)
                for name, labels in zip(comparison.names, found.labels, strict=True)
            },
        }
        for found in comparison.disagreements
    ]


def write_comparison(
    comparison: AnnotatorComparison,
    out: Path,
    *,
    inputs: Iterable[Path],
    settings: Mapping[str, Any],
) -> None:
    """Write ``agreement.csv``, ``disagreements.csv`` and the manifest into a folder.

    Parameters
    ----------
    inputs : iterable of Path
        Files that were read; the manifest holds their digests.
    settings : mapping of str to Any
        What the comparison was made with, for the manifest.

    Raises
    ------
    OutputError
        If the folder cannot be written or holds what this command did not write.
    """
    manifest = {
        "command": _COMMAND,
        "inputs": {str(path): digest_of_file(path) for path in inputs},
        "settings": dict(settings),
        "annotators": list(comparison.names),
        "n_papers": len(comparison.paper_keys),
    }
    columns = [f"labels by {name}" for name in comparison.names]
    with replace_folder(out, command=_COMMAND, protected=[Path.cwd()]) as partial:
        agreement = agreement_rows(comparison)
        _write_csv(partial / "agreement.csv", agreement, list(agreement[0]))
        rows = disagreement_rows(comparison)
        _write_csv(partial / "disagreements.csv", rows, ["paper_key", "title", "axis", *columns])
        outputs = {name: digest_of_file(partial / name) for name in list_files(partial)}
        text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
        (partial / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _write_csv(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write rows as CSV: UTF-8, decimal point, numbers to 10 significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _written(value) for name, value in row.items()} for row in rows)


def _written(value: str | int | float | None) -> str | int | None:
    if isinstance(value, float):
        return f"{value:.10g}"
    # a line break would end the row for many readers
    return " ".join(value.split()) if isinstance(value, str) else value
