"""A file of papers -> batches of papers, without ever holding the whole file.

JSON lines are taken as `survey_tools.formats.jsonl` takes them, tables as
`survey_tools.formats.table` does, with the columns key, title, abstract and digest only.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from survey_tools.errors import DataError, count
from survey_tools.formats.jsonl import parse_papers
from survey_tools.formats.references import clean_text
from survey_tools.formats.table import SYNONYMS
from survey_tools.paper import Paper

__all__ = ["STREAM_SUFFIXES", "Batch", "stream_papers"]

STREAM_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet", ".csv", ".tsv")
"""Ends of file names that can be streamed."""

_FIELDS = ("key", "title", "abstract", "digest")
_N_SHOWN = 3  # faulty rows told in full
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some papers, in the order of the file.

    Attributes
    ----------
    papers : tuple of Paper
        Never empty.
    share : float
        Share of the file that has been read, 0 to 1.
    """

    papers: tuple[Paper, ...]
    share: float


@dataclass(slots=True)
class _Faults:
    """Rows that cannot be used: the first few in words, all of them counted."""

    source: str
    sentences: list[str] = field(default_factory=list)
    n_rows: int = 0
    n_faults: int = 0

    def add(self, line: int, sentence: str) -> None:
        self.n_faults += 1
        if len(self.sentences) < _N_SHOWN:
            self.sentences.append(f"line {line}: {sentence}")

    def refuse(self) -> None:
        if self.n_faults:
            more = "; …" if self.n_faults > len(self.sentences) else ""
            raise DataError(
                f"{self.source}: {self.n_faults:,} of {count(self.n_rows, 'row')} cannot be used: "
                f"{'; '.join(self.sentences)}{more}"
            )
        if not self.n_rows:
            raise DataError(f"{self.source}: the corpus is empty; give one paper a row")


def stream_papers(path: Path, *, n_at_once: int) -> Iterator[Batch]:
    """Read a file of papers batch by batch.

    Memory holds one batch, and of every paper seen its key (some 130 bytes), as keys must be
    unique.

    Parameters
    ----------
    path : Path
        JSON lines (also gzipped), Parquet, CSV or TSV; the end of the name says which. A table
        needs a column of keys; the rows' numbers stand for lines in messages on Parquet.
    n_at_once : int
        Papers of a batch; the last may have fewer.

    Raises
    ------
    DataError
        If the file cannot be read, holds no paper or lacks a column; and after the last batch,
        if rows cannot be used, with their number and the first few by line.
    """
    reader = _choose_reader(path)
    faults = _Faults(source=str(path))
    seen: set[str] = set()
    papers: list[Paper] = []
    share = 0.0
    with _reading_errors(path):
        for line, found, share in reader(path, n_at_once):
            faults.n_rows += 1
            if isinstance(found, str):
                faults.add(line, found)
            elif found.key in seen:
                faults.add(line, f"two papers with one key: {found.key!r}")
            else:
                seen.add(found.key)
                papers.append(found)
            if len(papers) == n_at_once:
                yield Batch(papers=tuple(papers), share=share)
                papers = []
    faults.refuse()
    if papers:
        yield Batch(papers=tuple(papers), share=share)


_Rows = Iterator[tuple[int, Paper | str, float]]  # line, a paper or what is wrong, share read


def _choose_reader(path: Path) -> Any:
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _read_lines
    if name.endswith(".parquet"):
        return _read_parquet
    if name.endswith((".csv", ".tsv")):
        return _read_csv
    raise DataError(
        f"{path}: cannot be read piece by piece; allowed are names that end in "
        f"{', '.join(STREAM_SUFFIXES)}; 'survey-tools export' writes such files"
    )


@contextmanager
def _reading_errors(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (EOFError, OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise DataError(f"{path}: cannot be read ({reason})") from None


def _read_lines(path: Path, _: int) -> _Rows:
    n_bytes = max(1, path.stat().st_size)
    with path.open("rb") as file, ExitStack() as stack:
        lines: Iterable[bytes] = file
        if path.suffix.lower() == ".gz":
            lines = stack.enter_context(gzip.open(file))
        n_read = 0
        for number, line in enumerate(lines, start=1):
            n_read += len(line)
            if line.strip():
                share = n_read if lines is file else file.tell()
                yield number, _parse_line(line), min(1.0, share / n_bytes)


def _parse_line(line: bytes) -> Paper | str:
    try:
        (paper,) = parse_papers(line.rstrip(b"\n"), source="")
    except DataError as error:
        return str(error).removeprefix(":1: ")
    return paper


def _read_parquet(path: Path, n_at_once: int) -> _Rows:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        n_rows = max(1, file.metadata.num_rows)
        columns = _find_columns(file.schema_arrow.names, path)
        _refuse_fractions(file.schema_arrow, columns, path)
        batches = file.iter_batches(batch_size=n_at_once, columns=[*columns.values()])
        for number, paper in _read_batches(batches, columns, first=1):
            yield number, paper, number / n_rows


def _read_csv(path: Path, _: int) -> _Rows:
    import pyarrow as pa
    from pyarrow import csv

    n_bytes = max(1, path.stat().st_size)
    with path.open("rb") as file:
        names, delimiter = _read_header(file.readline(), path)
        file.seek(0)
        columns = _find_columns(names, path)
        reader = csv.open_csv(
            file,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns.values(), pa.string()),
                include_columns=[*columns.values()],
                strings_can_be_null=False,
            ),
        )
        # a text may hold line breaks, so what is counted are rows, the header being the first
        for number, paper in _read_batches(reader, columns, first=2):
            yield number, paper, min(1.0, file.tell() / n_bytes)


def _read_header(line: bytes, path: Path) -> tuple[list[str], str]:
    text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
    delimiter = max(",;\t", key=text.count)
    if not text.strip():
        raise DataError(f"{path}: the first line names no columns")
    return [name.strip('"') for name in text.split(delimiter)], delimiter


def _find_columns(names: Sequence[str], path: Path) -> dict[str, str]:
    """Choose the column of every field: the first of its names in `SYNONYMS` that is there."""
    plain = {_NO_WORD.sub("", name.casefold()): name for name in names}
    columns = {}
    for wanted in _FIELDS:
        synonyms = (_NO_WORD.sub("", name.casefold()) for name in SYNONYMS[wanted])
        found = next((plain[name] for name in synonyms if name in plain), None)
        if found is not None:
            columns[wanted] = found
    for wanted, what in (("key", "keys"), ("title", "titles")):
        if wanted not in columns:
            raise DataError(
                f"{path}: no column of {what}; columns are {', '.join(names)}; name one {wanted!r}"
            )
    return columns


def _refuse_fractions(schema: Any, columns: dict[str, str], path: Path) -> None:
    import pyarrow as pa

    kind = schema.field(columns["key"]).type
    if pa.types.is_floating(kind):
        raise DataError(
            f"{path}: column {columns['key']!r} holds fractions ({kind}); an arXiv id such as "
            "2106.08250 would lose its last zero; store keys as text"
        )


def _read_batches(
    batches: Any, columns: dict[str, str], *, first: int
) -> Iterator[tuple[int, Paper | str]]:
    number = first
    for batch in batches:
        cells = [
            batch.column(columns[name]).to_pylist() if name in columns else [""] * len(batch)
            for name in _FIELDS
        ]
        for row in zip(*cells, strict=True):
            yield number, _make_paper(row)
            number += 1


def _make_paper(row: Sequence[Any]) -> Paper | str:
    key, *texts = ("" if cell is None else str(cell) for cell in row)
    key = key.strip()
    if not key or not key.isprintable() or any(sign.isspace() for sign in key):
        return f"key {key!r} must be text without spaces or control characters"
    title, abstract, digest = (clean_text(text) for text in texts)
    if not any(chain(title, abstract, digest)):
        return f"paper {key!r} has neither title nor text"
    return Paper(key=key, title=title, abstract=abstract or None, digest=digest or None)
