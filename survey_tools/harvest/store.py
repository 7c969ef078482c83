"""Store: one SQLite file of papers, versions, pages, jobs and windows.

A page is one transaction: the raw page, the records read from it and the checkpoint of its
window are written together or not at all, so that a killed run leaves no half page. A record
never replaces a newer one, and a second import of the same truth writes nothing.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from survey_tools.errors import DataError
from survey_tools.harvest.database import connect, explain, prepare
from survey_tools.harvest.paper_rows import (
    FROM_PAPERS,
    PAPER_COLUMNS,
    Stored,
    at_version,
    put_records,
    record_of,
)
from survey_tools.harvest.record import ArxivRecord
from survey_tools.harvest.schema import INDEX_ROWS, INDEX_TITLES, LAST_INDEXED

__all__ = ["Store", "StoreCounts"]

_N_INDEXED_AT_ONCE = 20_000  # papers a transaction, so that other writers wait a second only
_N_RARE_WORDS = 6  # as measured for candidates by title: more words cost time and find no more


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much a store holds."""

    n_papers: int
    n_withdrawn: int
    n_pages: int
    n_quarantined: int


class Store:
    """A harvest database.

    Parameters
    ----------
    path : Path
        The file; it is made where it does not exist, unless ``read_only``.
    read_only : bool
        Open an existing file for reading alone, as on a disk that cannot be written.

    Raises
    ------
    DataError
        If the file is no store, or was written by a newer survey-tools.
    OutputError
        If it cannot be opened or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._is_read_only = read_only
        self._connection = connect(path, read_only=read_only)
        try:
            with self._errors():
                prepare(self._connection, path, read_only=read_only)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing, alone: other writers wait.

        Raises
        ------
        OutputError
            If the disk is full or cannot be written; nothing is changed then.
        """
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run one reading statement and return all rows."""
        with self._errors():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise explain(error, self.path) from error

    # ---- writing ------------------------------------------------------------------------

    def put_records(self, records: Iterable[ArxivRecord]) -> Stored:
        """Store records in a transaction of their own; see `paper_rows.put_records`."""
        with self.transaction() as connection:
            return put_records(connection, list(records))

    def index_texts(self) -> int:
        """Bring the indices of titles and full text up to date; return how many papers were added.

        Searches do it by themselves; a bulk import leaves it to the first of them.
        """
        n_indexed = 0
        n_added = _N_INDEXED_AT_ONCE
        while n_added == _N_INDEXED_AT_ONCE:
            (last,) = self.query(LAST_INDEXED)[0]
            if not self.query("SELECT 1 FROM papers WHERE paper_id > ? LIMIT 1", (last,)):
                break
            with self.transaction() as connection:
                (last,) = connection.execute(LAST_INDEXED).fetchone()
                n_added = connection.execute(INDEX_ROWS, (last, _N_INDEXED_AT_ONCE)).rowcount
                (newest,) = connection.execute(LAST_INDEXED).fetchone()
                for statement in INDEX_TITLES:
                    connection.execute(statement, (last, newest))
            n_indexed += n_added
        return n_indexed

    # ---- reading ------------------------------------------------------------------------

    def get_record(self, arxiv_id: str, *, version: int | None = None) -> ArxivRecord | None:
        """Look a paper up by canonical id.

        Parameters
        ----------
        version : int or None
            The version wanted; None for the current one. Of an earlier version title and
            abstract are its own where they were seen; all else is the current version's.
        """
        rows = self.query(FROM_PAPERS + "WHERE arxiv_id = ?", (arxiv_id,))
        if not rows:
            return None
        record = self._build(rows[0])
        if version is None or version == record.version:
            return record
        earlier = self.query(
            "SELECT title, abstract, withdrawn FROM versions "
            "WHERE paper_id = ? AND number = ? AND title IS NOT NULL",
            (rows[0][0], version),
        )
        if not earlier:
            return None
        return at_version(record, version, *earlier[0])

    def find_title(self, key: str) -> Sequence[ArxivRecord]:
        """Return the papers whose `title_key`, blanks aside, is this one."""
        if not key.strip():
            return []
        self._catch_up()
        rows = self.query(
            FROM_PAPERS + "WHERE paper_id IN (SELECT paper_id FROM titles WHERE title_key = ?) "
            "ORDER BY arxiv_id",
            (key.replace(" ", ""),),
        )
        return [self._build(row) for row in rows]

    def find_title_words(self, words: Sequence[str], *, limit: int) -> Sequence[ArxivRecord]:
        """Return papers whose titles share the rarest of some words, the best match first.

        Up to six of the words are used, the rarest in titles of this store.
        """
        self._catch_up()
        n_titles_with = {}
        for word in dict.fromkeys(words):
            if rows := self.query("SELECT doc FROM words WHERE term = ?", (word.casefold(),)):
                n_titles_with[word] = rows[0][0]
        rare = sorted(n_titles_with, key=lambda word: (n_titles_with[word], word))[:_N_RARE_WORDS]
        if not rare:
            return []
        return self._match(" OR ".join(map(_quoted, rare)), limit, "title_texts")

    def search_text(self, words: str, *, limit: int = 20) -> Sequence[ArxivRecord]:
        """Full-text search over titles and abstracts, the best match first.

        Parameters
        ----------
        words : str
            All must occur; a phrase stands in double quotes.
        """
        self._catch_up()
        expression = _all_of(words)
        return self._match(expression, limit, "texts") if expression else []

    def ids_matching(self, words: str) -> set[str]:
        """Return the ids of all papers that `search_text` would find."""
        self._catch_up()
        expression = _all_of(words)
        rows = expression and self.query(
            "SELECT arxiv_id FROM papers JOIN texts ON texts.rowid = paper_id WHERE texts MATCH ?",
            (expression,),
        )
        return {row[0] for row in rows or ()}

    def find_gaps(self) -> list[tuple[str, str, int]]:
        """List the runs of numbers that are missing between stored ids of one month.

        Returns
        -------
        list of (str, str, int)
            First and last id missing, and how many there are; ids since 2007-04 alone, whose
            numbers arXiv gives without leaving any out.
        """
        rows = self.query(
            "SELECT month, before + 1, number - 1, width FROM (SELECT substr(arxiv_id, 1, 4) AS "
            "month, CAST(substr(arxiv_id, 6) AS INTEGER) AS number, length(arxiv_id) - 5 AS width, "
            "lag(CAST(substr(arxiv_id, 6) AS INTEGER)) OVER (PARTITION BY substr(arxiv_id, 1, 4) "
            "ORDER BY arxiv_id) AS before FROM papers WHERE arxiv_id LIKE '____.%') "
            "WHERE number - before > 1 ORDER BY month, before"
        )
        return [
            (f"{month}.{first:0{width}}", f"{month}.{last:0{width}}", last - first + 1)
            for month, first, last, width in rows
        ]

    def _catch_up(self) -> None:
        if not self._is_read_only:
            self.index_texts()
        elif self.query(f"SELECT 1 FROM papers WHERE paper_id > ({LAST_INDEXED}) LIMIT 1"):
            raise DataError(
                f"{self.path}: its full-text index is behind, as after a bulk import; search it "
                "once where it can be written"
            )

    def _match(
        self, expression: str, limit: int, index: Literal["texts", "title_texts"]
    ) -> list[ArxivRecord]:
        rows = self.query(
            f"SELECT paper_id, {PAPER_COLUMNS} FROM papers JOIN ("
            f"SELECT rowid AS found, rank AS score FROM {index} WHERE {index} MATCH ? "
            "ORDER BY rank LIMIT ?) ON paper_id = found ORDER BY score, arxiv_id",
            (expression, limit),
        )
        return [self._build(row) for row in rows]

    def iterate(self, *, job_id: int | None = None) -> Iterator[ArxivRecord]:
        """Go through the papers in the order of their ids, in constant memory.

        Parameters
        ----------
        job_id : int or None
            Only the papers that this job received.
        """
        of_job = (
            "WHERE arxiv_id IN (SELECT arxiv_id FROM members JOIN windows USING (window_id) "
            "WHERE job_id = ?) "
        )
        with self._errors():
            rows = self._connection.execute(
                FROM_PAPERS + (of_job if job_id is not None else "") + "ORDER BY arxiv_id",
                () if job_id is None else (job_id,),
            )
            for row in rows:
                yield self._build(row)

    def count(self) -> StoreCounts:
        """Count what the store holds."""
        return StoreCounts(
            *self.query(
                "SELECT (SELECT count(*) FROM papers), "
                "(SELECT count(*) FROM papers WHERE withdrawn), (SELECT count(*) FROM pages), "
                "(SELECT count(*) FROM quarantine WHERE state = 'open')"
            )[0]
        )

    def _build(self, row: Sequence[Any]) -> ArxivRecord:
        versions = self.query(
            "SELECT number, submitted, withdrawn FROM versions WHERE paper_id = ? ORDER BY number",
            (row[0],),
        )
        return record_of(row, versions)


def _all_of(words: str) -> str:
    """Write words and quoted phrases as an expression of FTS5 that wants all of them."""
    phrases = [part.strip() for part in words.split('"')]
    terms = [t for i, p in enumerate(phrases) for t in ([p] if i % 2 else p.split()) if t]
    terms = [t for t in terms if any(sign.isalnum() for sign in t)]  # a sign alone is no word
    return " AND ".join(map(_quoted, terms))


def _quoted(term: str) -> str:
    return '"' + re.sub('["\0\ud800-\udfff]', " ", term) + '"'
