"""Files of references of any kind <-> papers; the kind is told by the name, else by the content."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError, OutputError
from survey_tools.formats.jsonl import parse_papers, serialise_papers
from survey_tools.formats.references import Problem, ReadResult
from survey_tools.paper import Paper

__all__ = [
    "READ_SUFFIXES",
    "WRITE_SUFFIXES",
    "parse_jsonl",
    "parse_references",
    "read_references",
    "replace_file",
    "serialise_references",
    "write_references",
]

Kind = Literal["bibtex", "ris", "csv", "parquet", "jsonl", "markdown"]

READ_SUFFIXES: dict[str, Kind] = {
    ".bib": "bibtex",
    ".bibtex": "bibtex",
    ".ris": "ris",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
}
"""Ends of file names that say what a file of references holds."""

WRITE_SUFFIXES = (".bib", ".bibtex", ".ris", ".csv", ".tsv", ".parquet", ".jsonl")
"""Ends of file names in which papers can be written."""

_N_FIRST_BYTES = 1 << 20  # a line of arXiv's snapshot has some thousand
_BIBTEX = re.compile(r"^\s*@\w+\s*[{(]", re.MULTILINE)
_RIS = re.compile(r"^ {0,3}TY {1,2}- ", re.MULTILINE)
_MARKDOWN = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s.*\]\(https?://|^#{1,6}\s", re.MULTILINE)


def read_references(path: Path) -> ReadResult:
    """Read a file of references.

    The end of its name (`READ_SUFFIXES`) says what it holds; with any other name its content
    is looked at. What could not be used is named in the result; see the parsers.

    Raises
    ------
    DataError
        If the file cannot be read, is of no known kind, not of the kind that its name says, or
        is arXiv's bulk snapshot, which is harvested and not imported.
    """
    if _is_snapshot(_read_start(path)):  # before all of its gigabytes are read
        raise DataError(
            f"{path}: is a bulk snapshot of arXiv; use 'survey-tools harvest --snapshot {path}'"
        )
    kind = READ_SUFFIXES.get(path.suffix.lower())
    return parse_references(read_bytes(path), source=str(path), kind=kind)


def _read_start(path: Path) -> bytes:
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        return file.readline(_N_FIRST_BYTES)
    return b""  # reading it whole will say why


def _is_snapshot(line: bytes) -> bool:
    if b"authors_parsed" not in line or b"update_date" not in line:
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"authors_parsed", "update_date"} <= record.keys()


def parse_references(data: bytes, *, source: str, kind: Kind | None = None) -> ReadResult:
    """Parse the bytes of a file of references; see `read_references`.

    Parameters
    ----------
    kind : {"bibtex", "ris", "csv", "parquet", "jsonl", "markdown"}, optional
        What it holds; told by the content if not given.
    """
    # Formats cost their libraries only when they are used.
    from survey_tools.formats.bibtex import parse_bibtex
    from survey_tools.formats.markdown import parse_markdown
    from survey_tools.formats.ris import parse_ris
    from survey_tools.formats.table import parse_csv, parse_parquet

    parsers: dict[Kind, Callable[..., ReadResult]] = {
        "bibtex": parse_bibtex,
        "ris": parse_ris,
        "csv": parse_csv,
        "parquet": parse_parquet,
        "jsonl": parse_jsonl,
        "markdown": parse_markdown,
    }
    return parsers[kind or _tell_kind(data, source)](data, source=source)


def _tell_kind(data: bytes, source: str) -> Kind:
    if data.startswith(b"PAR1"):
        return "parquet"
    start = data[:_N_FIRST_BYTES].decode("utf-8-sig", "replace")
    if start.lstrip().startswith("{"):
        return "jsonl"
    if _RIS.search(start):
        return "ris"
    if _BIBTEX.search(start):
        return "bibtex"
    if _MARKDOWN.search(start):
        return "markdown"
    from survey_tools.formats.table import has_columns

    if has_columns(start):
        return "csv"
    raise DataError(
        f"{source}: of no known kind; allowed are BibTeX, RIS, CSV, Parquet, JSON lines and lists "
        f"in Markdown; name the file {', '.join(READ_SUFFIXES)}"
    )


def parse_jsonl(data: bytes, *, source: str) -> ReadResult:
    """Parse the bytes of a file of JSON lines; a faulty line is named and the others are read.

    Raises
    ------
    DataError
        If the file is not UTF-8.
    """
    papers: dict[str, tuple[int, Paper]] = {}
    problems: list[Problem] = []
    for n_line, line in enumerate(decode_utf8(data, source).split("\n"), start=1):
        if not line.strip():
            continue
        key, sentence = None, ""
        try:
            (paper,) = parse_papers(line.encode(), source="")
        except DataError as error:
            sentence = f"{str(error).removeprefix(':1: ')}; left out"
        else:
            first = papers.setdefault(paper.key, (n_line, paper))
            if first[1] != paper:
                key = paper.key
                sentence = (
                    f"a second entry with this key (first on line {first[0]}) says something "
                    "else; left out"
                )
        if sentence:
            problems.append(Problem(source=source, line=n_line, key=key, sentence=sentence))
    if not papers and not problems:
        problems.append(Problem(source=source, sentence="holds no paper"))
    return ReadResult(papers=tuple(paper for _, paper in papers.values()), problems=tuple(problems))


def serialise_references(corpus: Corpus, suffix: str) -> bytes:
    """Write a corpus, in its own order, in the format that the end of a file name means.

    Raises
    ------
    OutputError
        If it means none of `WRITE_SUFFIXES`.
    """
    suffix = suffix.lower()
    if suffix == ".jsonl":
        return serialise_papers(corpus)
    if suffix == ".ris":
        from survey_tools.formats.ris import serialise_ris

        return serialise_ris(corpus)
    if suffix in (".bib", ".bibtex"):
        from survey_tools.formats.bibtex import serialise_bibtex

        return serialise_bibtex(corpus)
    from survey_tools.formats.table import serialise_csv, serialise_parquet

    if suffix == ".parquet":
        return serialise_parquet(corpus)
    if suffix in (".csv", ".tsv"):
        return serialise_csv(corpus, delimiter="," if suffix == ".csv" else "\t")
    raise OutputError(
        f"papers cannot be written as {suffix or 'a file without an ending'!r}; "
        f"allowed: {', '.join(WRITE_SUFFIXES)}"
    )


def write_references(corpus: Corpus, path: Path) -> None:
    """Write a corpus, in its own order, in the format that the end of the name means.

    The file is whole or as it was: see `replace_file`.

    Raises
    ------
    OutputError
        If the name ends in none of `WRITE_SUFFIXES` or the file cannot be written.
    """
    try:
        data = serialise_references(corpus, path.suffix)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from None
    replace_file(path, data)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there whole; a link keeps pointing where it did.

    An existing file keeps its permissions. If anything fails, it stays as it was.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise OutputError(f"{path}: is a folder; name a file")
        partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, partial)
            partial.replace(target)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written ({reason})") from None
