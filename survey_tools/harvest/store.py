"""Store: one SQLite file of papers, versions, pages, jobs and windows.

A page is one transaction: the raw page, the records read from it and the checkpoint of its
window are written together or not at all, so that a killed run leaves no half page. A record
never replaces a newer one, and a second import of the same truth writes nothing.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from survey_tools.arxiv_id import ArxivId
from survey_tools.errors import DataError, OutputError
from survey_tools.harvest.record import ArxivRecord, Version, is_withdrawal
from survey_tools.harvest.schema import (
    APPLICATION_ID,
    INDEX_ROWS,
    INDEX_TITLES,
    LAST_INDEXED,
    MIGRATIONS,
)
from survey_tools.tex import title_key

__all__ = ["Store", "StoreCounts", "Stored"]

_N_LOOKUP = 500  # SQLite allows at least 999 parameters in every build
_N_INDEXED_AT_ONCE = 20_000  # papers a transaction, so that other writers wait a second only
_BUSY_S = 60.0
_MARKUP = re.compile(r"[\\{}$]")
_N_RARE_WORDS = 6  # as measured for candidates by title: more words cost time and find no more
# A write-ahead log needs shared memory, which these file systems do not give.
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "ceph", "lustre")
_COLUMNS = (
    "arxiv_id, version, title, abstract, authors, categories, comment, journal_ref, doi, "
    "license_url, withdrawn, as_of, raw"
)
_FROM_PAPERS = f"SELECT paper_id, {_COLUMNS} FROM papers "


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
        self._connection = _connect(path, read_only=read_only)
        try:
            with self._errors():
                _prepare(self._connection, path, read_only=read_only)
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
            raise _explain(error, self.path) from error

    # ---- writing ------------------------------------------------------------------------

    def put_records(self, records: Iterable[ArxivRecord]) -> Stored:
        """Store records in a transaction of their own; see `put_records_into`."""
        with self.transaction() as connection:
            return put_records_into(connection, list(records))

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
                connection.execute(INDEX_TITLES, (last, newest))
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
        rows = self.query(_FROM_PAPERS + "WHERE arxiv_id = ?", (arxiv_id,))
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
        return _at_version(record, version, *earlier[0])

    def count_ids(self, ids: Sequence[ArxivId]) -> int:
        """Count those ids, at their versions where they name one, that the store holds."""
        return sum(self.get_record(i.base, version=i.version) is not None for i in ids)

    def find_title(self, key: str) -> Sequence[ArxivRecord]:
        """Return the papers whose `title_key`, blanks aside, is this one."""
        if not key.strip():
            return []
        self._catch_up()
        rows = self.query(
            _FROM_PAPERS + "WHERE paper_id IN (SELECT paper_id FROM titles WHERE title_key = ?) "
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
            rows = self.query(
                "SELECT max(doc) FROM words WHERE term = ? AND col <> 'abstract'",
                (word.casefold(),),
            )
            if rows[0][0]:
                n_titles_with[word] = rows[0][0]
        rare = sorted(n_titles_with, key=lambda word: (n_titles_with[word], word))[:_N_RARE_WORDS]
        if not rare:
            return []
        return self._match("{title title_words} : (" + " OR ".join(map(_quoted, rare)) + ")", limit)

    def search_text(self, words: str, *, limit: int = 20) -> Sequence[ArxivRecord]:
        """Full-text search over titles and abstracts, the best match first.

        Parameters
        ----------
        words : str
            All must occur; a phrase stands in double quotes.
        """
        self._catch_up()
        expression = _all_of(words)
        return self._match(expression, limit) if expression else []

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

    def _match(self, expression: str, limit: int) -> list[ArxivRecord]:
        rows = self.query(
            f"SELECT paper_id, {_COLUMNS} FROM papers JOIN ("
            "SELECT rowid AS found, rank AS score FROM texts WHERE texts MATCH ? "
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
                _FROM_PAPERS + (of_job if job_id is not None else "") + "ORDER BY arxiv_id",
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
        return _record_of(row, versions)


def put_records_into(connection: sqlite3.Connection, records: Sequence[ArxivRecord]) -> Stored:
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
        for row in connection.execute(_FROM_PAPERS + f"WHERE arxiv_id IN ({marks})", part):
            rows[row[1]] = row
    return rows


def _insert(connection: sqlite3.Connection, records: Sequence[ArxivRecord]) -> None:
    if not records:
        return
    (first,) = connection.execute("SELECT coalesce(max(paper_id), 0) + 1 FROM papers").fetchone()
    marks = ",".join("?" * 16)
    connection.executemany(
        f"INSERT INTO papers (paper_id, {_COLUMNS}, title_key, title_words) VALUES ({marks})",
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
        json.dumps(record.raw, ensure_ascii=False) if record.raw else None,
        key.replace(" ", ""),
        None if is_plain else key,
    )


def _record_of(row: Sequence[Any], versions: Sequence[Sequence[Any]]) -> ArxivRecord:
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


def _at_version(
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
    old = _record_of(row, ())
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
    columns = [name.strip() for name in f"{_COLUMNS}, title_key, title_words".split(",")]
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


def _all_of(words: str) -> str:
    """Write words and quoted phrases as an expression of FTS5 that wants all of them."""
    phrases = [part.strip() for part in words.split('"')]
    terms = [t for i, p in enumerate(phrases) for t in ([p] if i % 2 else p.split()) if t]
    terms = [t for t in terms if any(sign.isalnum() for sign in t)]  # a sign alone is no word
    return " AND ".join(map(_quoted, terms))


def _quoted(term: str) -> str:
    return '"' + re.sub('["\0\ud800-\udfff]', " ", term) + '"'


# ---- opening --------------------------------------------------------------------------------


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    if read_only and not path.is_file():
        raise DataError(f"{path}: no such store; make one with survey-tools harvest")
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; --store names a file")
        _check_header(path)
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        uri = path.resolve().as_uri()
        if read_only:
            log = path.with_name(path.name + "-wal")
            is_quiet = not log.exists() or not log.stat().st_size
            # a file that nobody writes is read as it lies there, also on a read-only disk
            uri += "?mode=ro&immutable=1" if is_quiet else "?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror or error})") from None
    except ValueError as error:  # a NUL character in the name
        raise DataError(f"{str(path)!r}: cannot be a file ({error})") from None
    except sqlite3.Error as error:
        raise _explain(error, path) from None
    return connection


def _check_header(path: Path) -> None:
    """Refuse a file that is no store of ours before SQLite touches it.

    Offsets are those of SQLite's file format, section 1.3 (60: user version, 68: application).
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        return
    if not head.startswith(b"SQLite format 3\0") or len(head) < 100:
        raise DataError(
            f"{path}: is no store of survey-tools or is damaged; name another file by --store"
        )
    version, application = (int.from_bytes(head[i : i + 4], "big") for i in (60, 68))
    if application == APPLICATION_ID:
        _check_version(path, version)


def _check_version(path: Path, version: int) -> None:
    if version > len(MIGRATIONS):
        raise DataError(
            f"{path}: has schema version {version}, this survey-tools knows {len(MIGRATIONS)}; "
            "update survey-tools or name another file by --store"
        )


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if n_tables and application != APPLICATION_ID:
        raise DataError(f"{path}: is a database of another program; name another file by --store")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(path, version)
    if read_only:
        if version < len(MIGRATIONS):
            raise DataError(
                f"{path}: has schema version {version} and must be brought to {len(MIGRATIONS)}, "
                "but is opened for reading alone; run survey-tools status on it where it can be "
                "written"
            )
        return
    if not version:  # a row is some 1.5 KB: larger pages hold more of them, a quarter faster
        connection.execute("PRAGMA page_size = 16384")
    wanted = "delete" if _is_on_network(path) else "wal"
    connection.execute(f"PRAGMA journal_mode = {wanted}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()  # another may have come
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_on_network(path: Path) -> bool:
    """Tell whether a file lies on a file system without shared memory (Linux alone knows)."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    place = str(path.resolve().parent)
    best, kind = "", ""
    for line in mounts.splitlines():
        _, point, file_system, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if (place == point or place.startswith(point.rstrip("/") + "/")) and len(point) > len(best):
            best, kind = point, file_system
    return kind.startswith(_NETWORK_FILE_SYSTEMS)


def _explain(error: sqlite3.Error, path: Path) -> DataError | OutputError:
    """Say in a sentence what SQLite met."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return OutputError(
            f"{path}: the disk is full; nothing of the last page was stored, all before it was. "
            "Free some space and run the same command again, which goes on there"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return OutputError(f"{path}: cannot be written; name another file by --store")
    if name.startswith("SQLITE_CANTOPEN"):
        return OutputError(f"{path}: cannot be opened; name another file by --store")
    if name.startswith("SQLITE_BUSY"):
        return OutputError(f"{path}: another program has held it for {_BUSY_S:.0f} s; try later")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return DataError(f"{path}: is no store of survey-tools or is damaged ({error})")
    return OutputError(f"{path}: cannot be used ({error})")
