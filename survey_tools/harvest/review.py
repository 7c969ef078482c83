"""The review file: what a person must decide, and what a person has decided."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from survey_tools.arxiv_id import check_arxiv_id, find_arxiv_ids, parse_arxiv_id
from survey_tools.documents import decode_utf8
from survey_tools.errors import DataError, count
from survey_tools.harvest.resolve import Match, one_decimal

__all__ = ["parse_decisions", "serialise_match_table", "serialise_matches"]

_COLUMNS = (
    "key",
    "title",
    "decision",
    "arxiv_id",
    "matched_title",
    "score",
    "author_hits",
    "year_gap",
    "method",
    "reason",
)
_PREFIX = "arXiv:"  # keeps a spreadsheet from reading 2106.08250 as a number


def serialise_matches(matches: Iterable[Match]) -> bytes:
    """Write the review file: one row a paper that a person has decided or must decide.

    CSV in UTF-8, sorted by key. In ``accept`` a person writes ``yes``, ``no`` or another
    arXiv id; `parse_decisions` reads it. Decisions already made are kept, as ``yes`` or ``no``.
    A row for any other paper may be added: its key, and the id in ``accept``.
    """
    rows = []
    for match in matches:
        if match.decision == "hand":
            rows.append((*_row(match), "yes" if match.arxiv_id else "no"))
        elif match.decision == "review":
            rows.append((*_row(match), ""))
    return _write_csv((*_COLUMNS, "accept"), rows)


def serialise_match_table(matches: Iterable[Match]) -> bytes:
    """Write one row a paper, whatever became of it; CSV in UTF-8, sorted by key."""
    return _write_csv(_COLUMNS, [_row(match) for match in matches])


def _row(match: Match) -> tuple[str, ...]:
    evidence = match.evidence
    proposed = evidence.arxiv_id if evidence and match.decision == "review" else None
    arxiv_id = match.arxiv_id or proposed
    cells = (
        match.title,
        match.decision,
        f"{_PREFIX}{arxiv_id}" if arxiv_id else "",
        (evidence and evidence.title) or "",
        one_decimal(evidence.score) if evidence else "",
        _text(evidence.author_hits if evidence else None),
        _text(evidence.year_gap if evidence else None),
        evidence.method if evidence else "",
        match.reason,
    )
    return (match.key, *(" ".join(cell.split()) for cell in cells))


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _write_csv(columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    return file.getvalue().encode()


def parse_decisions(data: bytes, *, source: str) -> Mapping[str, str | None]:
    """Read what a person decided in a review file.

    Rows without an entry in ``accept`` are left out. An id may be written plainly, as
    ``arXiv:2111.06377`` or as a link; a version is dropped. Commas, semicolons or tabs may
    separate the columns, as spreadsheets like it.

    Returns
    -------
    mapping of key to arXiv id or None
        None where the person said ``no``.

    Raises
    ------
    DataError
        Naming file and line: not UTF-8, not CSV, no column ``key``, ``arxiv_id`` or ``accept``,
        a row of another length, a key twice, an entry that is neither ``yes``, ``no`` nor an
        id, or an id that a spreadsheet turned into a number.
    """
    rows = _read_csv(decode_utf8(data, source), source)
    line, header = next(rows, (1, []))
    if missing := [name for name in ("key", "arxiv_id", "accept") if name not in header]:
        raise DataError(f"{source}:{line}: the first row lacks the columns {', '.join(missing)}")
    decided: dict[str, str | None] = {}
    line_of: dict[str, int] = {}
    for line, cells in rows:
        # spreadsheets drop the last separator where the last cell is empty
        if len(header) - len(cells) not in (0, 1):
            raise DataError(
                f"{source}:{line}: {count(len(cells), 'cell')}, but the first row has "
                f"{len(header)}; put a text with commas into double quotes"
            )
        row = dict(zip(header, [*cells, ""], strict=False))
        key, accept = row["key"].strip(), row["accept"].strip()
        if not key:
            raise DataError(f"{source}:{line}: key is empty; write the paper's key")
        if key in line_of:
            raise DataError(
                f"{source}:{line}: key {key!r} stands twice (first on line {line_of[key]})"
            )
        line_of[key] = line
        if accept:
            try:
                decided[key] = _read_decision(accept, row["arxiv_id"].strip())
            except ValueError as error:
                raise DataError(f"{source}:{line}: {error}") from None
    return decided


def _read_csv(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line on which it begins."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}:{line}: not valid CSV: {error}") from None


def _read_decision(accept: str, proposed: str) -> str | None:
    match accept.casefold():
        case "no":
            return None
        case "yes" if not proposed:
            raise ValueError("accept is yes, but arxiv_id is empty; write the id into accept")
        case "yes":
            return _read_id(proposed, "arxiv_id", "an arXiv id such as 2111.06377")
    return _read_id(accept, "accept", "yes, no or an arXiv id such as 2111.06377")


def _read_id(text: str, column: str, allowed: str) -> str:
    bare = text[len(_PREFIX) :].strip() if text.casefold().startswith("arxiv:") else text
    problem = check_arxiv_id(bare)
    if problem is None:
        return parse_arxiv_id(bare).base
    mentioned = {found.base for found in find_arxiv_ids(text)}
    if len(mentioned) == 1:
        return mentioned.pop()
    if any(sign.isdigit() for sign in text):
        hint = "; write it as arXiv:2106.08250, which no spreadsheet takes for a number"
        raise ValueError(f"{column}: {problem}{hint}")
    raise ValueError(f"{column}: {text!r} arrived; allowed: {allowed}")
