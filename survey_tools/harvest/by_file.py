"""Harvest from the bulk snapshot: a file read in one pass, with a checkpoint every few lines."""

import zlib
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from survey_tools.errors import DataError
from survey_tools.harvest.desk import Desk
from survey_tools.harvest.faults import TransientError
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.page import MalformedEntry
from survey_tools.harvest.record import ArxivRecord
from survey_tools.harvest.snapshot import read_snapshot
from survey_tools.harvest.strict_xml import collector_paused

__all__ = ["SnapshotWay"]

_N_LINES = 5000  # a transaction; more costs memory and saves nothing
_N_HEAD_BYTES = 2**20  # looked at to know a file again


class SnapshotWay:
    """Papers of a snapshot file.

    Parameters
    ----------
    path : Path
        JSON lines, plain, gzip or zip.

    Raises
    ------
    DataError
        If the file cannot be read.
    """

    kind = "snapshot"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                head = file.read(_N_HEAD_BYTES)
            self._n_bytes = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
        if not head.strip():
            raise DataError(f"{path}: is empty")
        self.arguments: Mapping[str, Any] = {"file": path.name, "crc32": zlib.crc32(head)}

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Read the file, unless it was read to its end at this size already."""
        del today
        windows = ledger.list_windows(job.job_id)
        if any(w.state == "open" or w.scope["n_bytes"] == self._n_bytes for w in windows):
            return []
        ledger.drop_windows(job.job_id)  # another file of the same name and beginning
        return [{"n_bytes": self._n_bytes}]

    def ask(self, window: Window, desk: Desk) -> None:
        """Read the file from the last checkpoint on.

        Raises
        ------
        TransientError
            If the file is cut off or damaged; all before the cut is stored then.
        """
        n_bytes = int(window.progress.get("n_bytes", 0))
        n_bad = int(window.progress.get("n_bad", 0))
        lines = read_snapshot(self._path, n_skipped=int(window.progress.get("n_lines", 0)))
        cut: DataError | None = None
        is_plain = self._path.suffix not in (".gz", ".zip")
        with collector_paused():
            while cut is None:
                records: list[ArxivRecord] = []
                bad: list[MalformedEntry] = []
                n_line = 0
                try:
                    for line in islice(lines, _N_LINES):
                        n_line, n_line_bytes, content = line
                        n_bytes += n_line_bytes
                        if isinstance(content, ArxivRecord):
                            records.append(content)
                        else:
                            bad.append(content)
                except DataError as error:  # the lines before it are kept
                    cut = error
                if not n_line:
                    break
                n_bad += len(bad)
                progress = {"n_lines": n_line, "n_bytes": n_bytes, "n_bad": n_bad}
                desk.stored += desk.ledger.put_lines(window, records, bad, progress)
                desk.n_received += len(records)
                desk.as_of = max(desk.as_of, *(record.as_of for record in records), "")
                desk.tell(min(1.0, n_bytes / self._n_bytes) if is_plain else None)
        if cut is not None:
            raise TransientError(str(cut))
        desk.ledger.set_window(window, state="done")

    def settle(self, desk: Desk) -> bool:
        """Check nothing more: every window is checked by itself."""
        del desk
        return False

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut nothing: a file is read through."""
        del window, desk
        return False

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask nothing: a file says the same again, and the ids stay named."""

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name the lines that were not read."""
        del ledger
        n_lines = window.progress.get("n_lines", 0)
        return [(f"{self._path.name} after line {n_lines:,}", window.reason or "not read yet")]
