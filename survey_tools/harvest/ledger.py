"""Ledger: what was asked, what came, and what is still owed.

A job is one harvest; its windows are the parts it is asked in. A window is ``open`` until its
answer is whole (``done``) or until it was cut into smaller ones (``split``); whatever is open
when a run ends is named as missing.
"""

import json
import os
import socket
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from survey_tools.errors import OutputError
from survey_tools.harvest.clock import Clock, iso_time
from survey_tools.harvest.fetcher import Fetched
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.page import MalformedEntry
from survey_tools.harvest.paper_rows import Stored, put_records
from survey_tools.harvest.record import ArxivRecord
from survey_tools.harvest.store import Store
from survey_tools.output import sha256_of

__all__ = ["Ledger"]

_WINDOW = "window_id, job_id, parent_id, scope, state, total, progress, as_of, reason"
_BELOW = (
    "WITH RECURSIVE below (window_id) AS (SELECT ? UNION ALL SELECT windows.window_id "
    "FROM windows JOIN below ON windows.parent_id = below.window_id)"
)
_STALE = timedelta(minutes=15)  # a beat comes with every request and every minute of waiting


class Ledger:
    """The books of a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._me = f"{socket.gethostname()} {_boot()} {os.getpid()}"

    # ---- jobs ---------------------------------------------------------------------------

    def open_job(self, kind: str, arguments: Mapping[str, Any], resume: str) -> Job:
        """Find a job or begin it, and take it on.

        Raises
        ------
        OutputError
            If another living process works on the same job.
        """
        text = _canonical(arguments)
        with self.store.transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (kind, arguments, resume) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET resume = excluded.resume, status = NULL",
                (kind, text, resume),
            )
            row = connection.execute(
                "SELECT job_id, as_of, rescanned_on, owner, heartbeat FROM jobs "
                "WHERE kind = ? AND arguments = ?",
                (kind, text),
            ).fetchone()
            self._take(connection, row[0], owner=row[3], heartbeat=row[4])
        return Job(
            job_id=row[0],
            kind=kind,
            arguments=dict(arguments),
            resume=resume,
            as_of=row[1],
            rescanned_on=row[2],
        )

    def _take(
        self, connection: sqlite3.Connection, job_id: int, *, owner: str, heartbeat: str
    ) -> None:
        if owner and owner != self._me and self._is_at_work(owner, heartbeat):
            process = owner.rpartition(" ")[2]
            raise OutputError(
                f"{self.store.path}: process {process} is harvesting this already; "
                "wait for it, or stop it and run the same command again"
            )
        connection.execute(
            "UPDATE jobs SET owner = ?, heartbeat = ? WHERE job_id = ?",
            (self._me, iso_time(self._clock.now()), job_id),
        )

    def _is_at_work(self, owner: str, heartbeat: str) -> bool:
        where, _, process = owner.rpartition(" ")
        if where == self._me.rpartition(" ")[0]:  # this machine since its last boot
            return _is_alive(int(process))
        beat = datetime.fromisoformat(heartbeat)
        return abs(self._clock.now() - beat) < _STALE

    def beat(self, job_id: int) -> None:
        """Say that this process is still at work on a job."""
        with self.store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET heartbeat = ? WHERE job_id = ?",
                (iso_time(self._clock.now()), job_id),
            )

    def release(self, job_id: int) -> None:
        """Give a job back."""
        with self.store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET owner = NULL WHERE job_id = ? AND owner = ?", (job_id, self._me)
            )

    def finish_job(self, job_id: int, as_of: str, *, rescanned_on: str | None = None) -> None:
        """Note that a job's answer is complete as of a server's day."""
        with self.store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET as_of = ?, rescanned_on = coalesce(?, rescanned_on) "
                "WHERE job_id = ?",
                (as_of, rescanned_on, job_id),
            )

    def note_end(self, job_id: int, status: str, n_missing: int) -> None:
        """Note how a run of a job ended."""
        with self.store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET status = ?, n_missing = ? WHERE job_id = ?",
                (status, n_missing, job_id),
            )

    def list_jobs(self) -> list[Job]:
        """List all jobs in the order in which they began."""
        rows = self.store.query(
            "SELECT job_id, kind, arguments, resume, as_of, rescanned_on, status, n_missing "
            "FROM jobs ORDER BY job_id"
        )
        return [
            Job(
                job_id=row[0],
                kind=row[1],
                arguments=json.loads(row[2]),
                resume=row[3],
                as_of=row[4],
                rescanned_on=row[5],
                status=row[6],
                n_missing=row[7] or 0,
            )
            for row in rows
        ]

    def count_members(self, job_id: int) -> int:
        """Count the distinct papers that a job's answers held."""
        rows = self.store.query(
            "SELECT count(DISTINCT arxiv_id) FROM members JOIN windows USING (window_id) "
            "WHERE job_id = ?",
            (job_id,),
        )
        return int(rows[0][0])

    # ---- windows ------------------------------------------------------------------------

    def add_windows(
        self,
        job_id: int,
        scopes: Iterable[Mapping[str, Any]],
        *,
        parent: Window | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        """Add open windows; a parent is thereby split."""
        parent_id = parent.window_id if parent else None
        with self.store.transaction() as connection:
            connection.executemany(
                "INSERT INTO windows (job_id, parent_id, scope, state, progress) "
                "VALUES (?, ?, ?, 'open', ?)",
                [(job_id, parent_id, _canonical(s), _canonical(progress or {})) for s in scopes],
            )
            if parent:
                connection.execute(
                    "UPDATE windows SET state = 'split', reason = NULL WHERE window_id = ?",
                    (parent_id,),
                )

    def list_windows(self, job_id: int, state: str | None = None) -> list[Window]:
        """List a job's windows, all or those in a state, in the order in which they came."""
        condition = "" if state is None else "AND state = ?"
        rows = self.store.query(
            f"SELECT {_WINDOW} FROM windows WHERE job_id = ? {condition} ORDER BY window_id",
            (job_id,) if state is None else (job_id, state),
        )
        return [_window_of(row) for row in rows]

    def get_window(self, window_id: int) -> Window:
        """Look a window up."""
        rows = self.store.query(
            f"SELECT {_WINDOW} FROM windows WHERE window_id = ?",
            (window_id,),
        )
        return _window_of(rows[0])

    def reopen(self, parent: Window, *, only_empty: bool) -> int:
        """Open the finished windows cut from a window again; return how many."""
        condition = "AND total = 0" if only_empty else ""
        with self.store.transaction() as connection:
            ids = connection.execute(
                f"{_BELOW} SELECT window_id FROM windows JOIN below USING (window_id) "
                f"WHERE state = 'done' {condition}",
                (parent.window_id,),
            ).fetchall()
            connection.executemany(
                "UPDATE windows SET state = 'open', progress = '{}' WHERE window_id = ?", ids
            )
        return len(ids)

    def has_open_below(self, window_id: int) -> bool:
        """Tell whether any window cut from this one, at any depth, is still open."""
        rows = self.store.query(
            f"{_BELOW} SELECT 1 FROM windows JOIN below USING (window_id) "
            "WHERE state IN ('open', 'short') AND window_id <> ? LIMIT 1",
            (window_id, window_id),
        )
        return bool(rows)

    def drop_windows(self, job_id: int) -> None:
        """Forget the windows of a finished job, so that it can be asked anew."""
        with self.store.transaction() as connection:
            of_job = "window_id IN (SELECT window_id FROM windows WHERE job_id = ?)"
            connection.execute(f"UPDATE pages SET window_id = NULL WHERE {of_job}", (job_id,))
            connection.execute(f"DELETE FROM quarantine WHERE {of_job}", (job_id,))
            connection.execute(f"DELETE FROM members WHERE {of_job}", (job_id,))
            connection.execute("UPDATE windows SET parent_id = NULL WHERE job_id = ?", (job_id,))
            connection.execute("DELETE FROM windows WHERE job_id = ?", (job_id,))

    def set_window(
        self,
        window: Window,
        *,
        state: str = "open",
        total: int | None = None,
        progress: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        """Note how a window stands; ``total`` and ``progress`` stay where None is given."""
        with self.store.transaction() as connection:
            _set_window(connection, window, state, total, progress, reason)

    def close_window(self, window: Window, *, total: int | None = None) -> None:
        """Note that a window's answer is whole; see `settle_nameless`."""
        self.set_window(window, state="done", total=total)
        self.settle_nameless(window.window_id)

    def settle_nameless(self, window_id: int) -> None:
        """Let entries without id leave the quarantine of a window whose answer is whole.

        As many papers came as there are, so they were among them.
        """
        with self.store.transaction() as connection:
            connection.execute(
                "UPDATE quarantine SET state = 'refetched' WHERE window_id = ? "
                "AND arxiv_id IS NULL AND state = 'open'",
                (window_id,),
            )

    def has_nameless(self, window_id: int) -> bool:
        """Tell whether a malformed entry without id waits in a window."""
        rows = self.store.query(
            "SELECT 1 FROM quarantine WHERE window_id = ? AND arxiv_id IS NULL "
            "AND state = 'open' LIMIT 1",
            (window_id,),
        )
        return bool(rows)

    def members(self, window_id: int) -> set[str]:
        """Return the ids that a window's answers held."""
        rows = self.store.query("SELECT arxiv_id FROM members WHERE window_id = ?", (window_id,))
        return {row[0] for row in rows}

    def members_above(self, window: Window) -> set[str]:
        """Return the ids that a window's answers held, and those of the windows it was cut from."""
        found = self.members(window.window_id)
        while window.parent_id is not None:
            window = self.get_window(window.parent_id)
            found |= self.members(window.window_id)
        return found

    def members_below(self, window_id: int) -> int:
        """Count the distinct papers that a window and all windows cut from it held."""
        rows = self.store.query(
            f"{_BELOW} SELECT count(DISTINCT arxiv_id) FROM members JOIN below USING (window_id)",
            (window_id,),
        )
        return int(rows[0][0])

    # ---- pages --------------------------------------------------------------------------

    def put_page(
        self,
        window: Window,
        fetched: Fetched,
        *,
        state: str = "open",
        total: int | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> Stored:
        """Store a page, its records and its window's checkpoint in one transaction."""
        page = fetched.page
        with self.store.transaction() as connection:
            connection.execute(
                "INSERT INTO pages (window_id, url, fetched_at, sha256, n_entries, is_repaired, "
                "body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    window.window_id,
                    fetched.url,
                    iso_time(self._clock.now()),
                    sha256_of(fetched.body),
                    page.n_entries,
                    page.is_repaired,
                    zlib.compress(fetched.body, 3),
                ),
            )
            stored = put_records(connection, page.records)
            connection.executemany(
                "INSERT OR IGNORE INTO members (window_id, arxiv_id) VALUES (?, ?)",
                [(window.window_id, arxiv_id) for arxiv_id in page.ids],
            )
            connection.executemany(
                "UPDATE papers SET withdrawn = 1 WHERE arxiv_id = ?",
                [(arxiv_id,) for arxiv_id in page.deleted],
            )
            put_malformed(connection, window, page.malformed)
            _settle(connection, window.job_id, [record.arxiv_id for record in page.records])
            _set_window(connection, window, state, total, progress, None)
            connection.execute(
                "UPDATE windows SET as_of = coalesce(as_of, ?) WHERE window_id = ?",
                (page.as_of, window.window_id),
            )
        return stored

    def put_lines(
        self,
        window: Window,
        records: Sequence[ArxivRecord],
        malformed: Sequence[MalformedEntry],
        progress: Mapping[str, Any],
    ) -> Stored:
        """Store lines of a snapshot with their checkpoint in one transaction."""
        with self.store.transaction() as connection:
            stored = put_records(connection, records)
            put_malformed(connection, window, malformed)
            _set_window(connection, window, "open", None, progress, None)
        return stored

    # ---- quarantine ---------------------------------------------------------------------

    def quarantined(self, job_id: int) -> list[Quarantined]:
        """List the malformed entries of a job that have not come whole since."""
        rows = self.store.query(
            "SELECT entry_id, window_id, arxiv_id, quarantine.reason FROM quarantine "
            "JOIN windows USING (window_id) WHERE job_id = ? AND quarantine.state = 'open' "
            # of a window that is not done, an entry without id is named with the window
            "AND (arxiv_id IS NOT NULL OR windows.state = 'done') ORDER BY entry_id",
            (job_id,),
        )
        return [Quarantined(*row) for row in rows]


def put_malformed(
    connection: sqlite3.Connection, window: Window, entries: Iterable[MalformedEntry]
) -> None:
    """Put malformed entries into quarantine; the same entry stands there once."""
    connection.executemany(
        "INSERT INTO quarantine (window_id, arxiv_id, reason, xml, state) "
        "SELECT ?1, ?2, ?3, ?4, 'open' WHERE NOT EXISTS (SELECT 1 FROM quarantine "
        "WHERE window_id = ?1 AND state = 'open' AND ((?2 IS NOT NULL AND arxiv_id = ?2) "
        "OR (?2 IS NULL AND arxiv_id IS NULL AND xml = ?4)))",
        [(window.window_id, entry.arxiv_id, entry.reason, entry.xml) for entry in entries],
    )


def _settle(connection: sqlite3.Connection, job_id: int, ids: Sequence[str]) -> None:
    """Take those papers out of quarantine that came whole."""
    of_job = "state = 'open' AND window_id IN (SELECT window_id FROM windows WHERE job_id = ?)"
    waiting = connection.execute(
        f"SELECT DISTINCT arxiv_id FROM quarantine WHERE {of_job}",
        (job_id,),
    ).fetchall()
    whole = {row[0] for row in waiting} & set(ids)
    connection.executemany(
        f"UPDATE quarantine SET state = 'refetched' WHERE {of_job} AND arxiv_id = ?",
        [(job_id, arxiv_id) for arxiv_id in whole],
    )


def _set_window(
    connection: sqlite3.Connection,
    window: Window,
    state: str,
    total: int | None,
    progress: Mapping[str, Any] | None,
    reason: str | None,
) -> None:
    connection.execute(
        "UPDATE windows SET state = ?, total = coalesce(?, total), "
        "progress = coalesce(?, progress), reason = ? WHERE window_id = ?",
        (
            state,
            total,
            None if progress is None else _canonical(progress),
            reason,
            window.window_id,
        ),
    )


def _window_of(row: Sequence[Any]) -> Window:
    return Window(
        window_id=row[0],
        job_id=row[1],
        parent_id=row[2],
        scope=json.loads(row[3]),
        state=row[4],
        total=row[5],
        progress=json.loads(row[6]),
        as_of=row[7],
        reason=row[8],
    )


def _canonical(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def _boot() -> str:
    """Name the machine's current run, so that a process id of an earlier one is not believed."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "-"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
