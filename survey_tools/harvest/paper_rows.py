"""Rows of papers and versions: how a record becomes them, and which of two records counts."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from survey_tools.harvest.record import ArxivRecord, Version, is_withdrawal
from survey_tools.tex import title_key

__all__ = ["FROM_PAPERS", "PAPER_COLUMNS", "Stored", "at_version", "put_records", "record_of"]

_N_LOOKUP = 500  # SQLite allows at least 999 parameters in every build
_MARKUP = re.compile(r"[\\{}$]")
PAPER_COLUMNS = (
    "arxiv_id, version, title, abstract, authors, categories, comment, journal_ref, doi, "
    "license_url, withdrawn, as_of, raw"
)
FROM_PAPERS = f"SELECT paper_id, {PAPER_COLUMNS} FROM papers "


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing some records changed.

    Attributes
    ----------
    n_new, n_changed, n_unchanged, n_older : int
        Papers added; replaced by newer text; known already; older than what is stored.
    """

    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_older: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            self.n_new + other.n_new,
            self.n_changed + other.n_changed,
            self.n_unchanged + other.n_unchanged,
            self.n_older + other.n_older,
        )


def put_records(connection: sqlite3.Connection, records: Sequence[ArxivRecord]) -> Stored:
    """Store records inside a transaction that is already open.

    A record replaces what is stored under its id if its version is higher, or the same and
    vouched for on the same day or later. Of a replaced version title and abstract are kept; a
    withdrawal that brings no abstract leaves the last good one in place.
    """
    if not records:
        return Stored()
    if len({record.arxiv_id for record in records}) == len(records) and _try_insert(
        connection, records
    ):
        return Stored(n_new=len(records))
    first_of: dict[str, ArxivRecord] = {}
    for record in records:
        first_of.setdefault(record.arxiv_id, record)
    known = _stored_rows(connection, list(first_of))
    fresh = [record for arxiv_id, record in first_of.items() if arxiv_id not in known]
    _insert(connection, fresh)
    stored = Stored(n_new=len(fresh))
    later = [r for r in records if r.arxiv_id in known or r is not first_of[r.arxiv_id]]
    for record in later:
        row = known.pop(record.arxiv_id, None)
        if row is None:  # the same page holds another version of it, which stands there now
            row = _stored_rows(connection, [record.arxiv_id])[record.arxiv_id]
        stored += _merge(connection, row, record)
    return stored


def _try_insert(connection: sqlite3.Connection, records: Sequence[ArxivRecord]) -> bool:
    """Insert records that are all new, without looking for them first, as in a bulk import."""
    connection.execute("SAVEPOINT fresh")
    try:
        _insert(connection, records)
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO fresh")
        return False
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE fresh")
    return True


def _stored_rows(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Sequence[Any]]:
    rows: dict[str, Sequence[Any]] = {}
    for i in range(0, len(ids), _N_LOOKUP):
        part = ids[i : i + _N_LOOKUP]
        marks = ",".join("?" * len(part))
        for row in connection.execute(FROM_PAPERS + f"WHERE arxiv_id IN ({marks})", part):
            rows[row[1]] = row
    return rows


def _insert(connection: sqlite3.Connection, records: Sequence[ArxivRecord]) -> None:
    if not records:
        return
    (first,) = connection.execute("SELECT coalesce(max(paper_id), 0) + 1 FROM papers").fetchone()
    marks = ",".join("?" * 16)
    connection.executemany(
        f"INSERT INTO papers (paper_id, {PAPER_COLUMNS}, title_key, title_words) VALUES ({marks})",
        [(i, *_row_of(record)) for i, record in enumerate(records, start=first)],
    )
    connection.executemany(
        "INSERT INTO versions (paper_id, number, submitted, withdrawn) VALUES (?, ?, ?, ?)",
        [
            (i, version.number, version.submitted, version.withdrawn)
            for i, record in enumerate(records, start=first)
            for version in record.versions
        ],
    )


def _row_of(record: ArxivRecord) -> tuple[Any, ...]:
    key = title_key(record.title)
    is_plain = record.title.isascii() and not _MARKUP.search(record.title)
    return (
        record.arxiv_id,
        record.version,
        record.title,
        record.abstract,
        "\n".join(record.authors),
        " ".join(record.categories),
        record.comment,
        record.journal_ref,
        record.doi,
        record.license_url,
        record.withdrawn,
        record.as_of,
        to_json(record.raw).decode() if record.raw else None,
        key.replace(" ", ""),
        None if is_plain else key,
    )


def record_of(row: Sequence[Any], versions: Sequence[Sequence[Any]]) -> ArxivRecord:
    """Build a record from a row of `FROM_PAPERS` and rows of (number, submitted, withdrawn)."""
    raw = json.loads(row[13]) if row[13] else []
    return ArxivRecord(
        arxiv_id=row[1],
        version=row[2],
        title=row[3],
        abstract=row[4],
        authors=tuple(row[5].split("\n")) if row[5] else (),
        categories=tuple(row[6].split()),
        versions=tuple(Version(number=n, submitted=s, withdrawn=bool(w)) for n, s, w in versions),
        comment=row[7],
        journal_ref=row[8],
        doi=row[9],
        license_url=row[10],
        withdrawn=bool(row[11]),
        as_of=row[12],
        raw=tuple((name, text) for name, text in raw),
    )


def at_version(
    record: ArxivRecord, version: int, title: str, abstract: str, withdrawn: int
) -> ArxivRecord:
    """Give a paper as it was at an earlier version."""
    return ArxivRecord(
        arxiv_id=record.arxiv_id,
        version=version,
        title=title,
        abstract=abstract,
        authors=record.authors,
        categories=record.categories,
        versions=tuple(v for v in record.versions if v.number <= version),
        withdrawn=bool(withdrawn),
        as_of=record.as_of,
    )


def _merge(connection: sqlite3.Connection, row: Sequence[Any], new: ArxivRecord) -> Stored:
    """Merge a record into the stored row of the same paper."""
    paper_id = row[0]
    old = record_of(row, ())
    is_older = (new.version, new.as_of) < (old.version, old.as_of)
    for version in new.versions:
        # only the version that a record is of can take a withdrawal back
        takes_back = version.number == new.version and not is_older
        connection.execute(
            "INSERT INTO versions (paper_id, number, submitted, withdrawn) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET submitted = coalesce(submitted, excluded.submitted), "
            "withdrawn = CASE WHEN ? THEN excluded.withdrawn "
            "ELSE max(withdrawn, excluded.withdrawn) END",
            (paper_id, version.number, version.submitted, version.withdrawn, takes_back),
        )
    if is_older:
        if new.version < old.version:
            _keep_text(connection, paper_id, new)
        _complete(connection, paper_id, old, new)
        return Stored(n_older=1)
    kept = _with_last_good(old, new)
    columns = [name.strip() for name in f"{PAPER_COLUMNS}, title_key, title_words".split(",")]
    before, after = (_row_of(record) for record in (old, kept))
    volatile = {"as_of", "raw"}
    changed = [
        name
        for name, was, is_now in zip(columns, before, after, strict=True)
        if was != is_now and name not in volatile
    ]
    if not changed:
        if new.as_of > old.as_of:
            connection.execute(
                "UPDATE papers SET as_of = ? WHERE paper_id = ?", (new.as_of, paper_id)
            )
        return Stored(n_unchanged=1)
    if new.version > old.version:
        _keep_text(connection, paper_id, old)
    if kept.abstract != new.abstract:
        _keep_text(connection, paper_id, new)
    assignments = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(
        f"UPDATE papers SET {assignments} WHERE paper_id = ?",
        (*after, paper_id),
    )
    return Stored(n_changed=1)


def _complete(
    connection: sqlite3.Connection, paper_id: int, old: ArxivRecord, new: ArxivRecord
) -> None:
    """Take from an older record what the stored one lacks: a licence, the last good abstract."""
    if new.license_url and not old.license_url:
        connection.execute(
            "UPDATE papers SET license_url = ? WHERE paper_id = ?", (new.license_url, paper_id)
        )
    if not old.withdrawn:
        return
    of_paper = "SELECT abstract FROM versions WHERE paper_id = ? AND title IS NOT NULL AND number "
    stands_in = connection.execute(of_paper + "= ?", (paper_id, old.version)).fetchone()
    if stands_in is None and old.abstract and not is_withdrawal(None, old.abstract):
        return  # it has an abstract of its own
    if stands_in is None:
        _keep_text(connection, paper_id, old)
    earlier = connection.execute(
        of_paper + "< ? AND NOT withdrawn ORDER BY number DESC", (paper_id, old.version)
    ).fetchall()
    good = (text for (text,) in earlier if text and not is_withdrawal(None, text))
    if (best := next(good, None)) is not None:
        connection.execute("UPDATE papers SET abstract = ? WHERE paper_id = ?", (best, paper_id))


def _keep_text(connection: sqlite3.Connection, paper_id: int, record: ArxivRecord) -> None:
    connection.execute(
        "INSERT INTO versions (paper_id, number, withdrawn, as_of, title, abstract) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET title = excluded.title, "
        "abstract = excluded.abstract, as_of = excluded.as_of "
        "WHERE coalesce(as_of, '') <= excluded.as_of",
        (
            paper_id,
            record.version,
            record.withdrawn,
            record.as_of,
            record.title,
            record.abstract,
        ),
    )


def _with_last_good(old: ArxivRecord, new: ArxivRecord) -> ArxivRecord:
    """Give the new record, with what it lacks or withdrew taken from the old one."""
    abstract, raw = new.abstract, new.raw
    is_empty = not abstract or is_withdrawal(None, abstract)
    if new.withdrawn and is_empty and old.abstract and not is_withdrawal(None, old.abstract):
        abstract = old.abstract
    return ArxivRecord(
        arxiv_id=new.arxiv_id,
        version=new.version,
        title=new.title,
        abstract=abstract,
        authors=new.authors,
        categories=new.categories,
        versions=new.versions,
        comment=new.comment,
        journal_ref=new.journal_ref,
        doi=new.doi,
        license_url=new.license_url or old.license_url,  # the Atom feed has none
        withdrawn=new.withdrawn,
        as_of=new.as_of,
        raw=raw,
    )
