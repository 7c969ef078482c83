"""The store: outcomes as they arrive, one line each, appended; safe to kill at any point."""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from survey_tools.errors import DataError, OutputError, abbreviate, count
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.plan import write_plan
from survey_tools.robustness.run import Run

__all__ = ["LIST", "PLAN", "OutcomeWriter", "Store", "open_store"]

PLAN = "plan.jsonl"
LIST = "stop words"  # what a further list of stop words is called in about.json
_ABOUT, _LOCK = "about.json", "lock"
_OUTCOMES = "outcomes{}.jsonl"
_SYNC_S = 1.0  # a power cut loses at most so much; a killed process loses nothing written


class Store:
    """A folder with the plan and all outcomes so far.

    ``about.json`` says what the outcomes are of, ``plan.jsonl`` holds the last plan,
    ``outcomes.jsonl`` (or ``outcomes-2-of-5.jsonl`` for a shard) one outcome a line, after a
    first line with the digest of what they are of: so outcomes that were copied from elsewhere
    are told from others. A line is written whole or, if the process dies within it, taken off
    when the store is opened again.

    Parameters
    ----------
    about : mapping of str to str
        What the outcomes are of.
    """

    def __init__(self, folder: Path, about: Mapping[str, str]) -> None:
        self.folder = folder
        self._head = _head_of(about)

    def files(self) -> list[Path]:
        """List the files of outcomes, those of shards too, by name."""
        return sorted(self.folder.glob(_OUTCOMES.format("*")))

    def read(self, wanted: Iterable[str]) -> Iterator[Outcome]:
        """Yield the outcomes of some runs in the order asked for, one in memory at a time.

        Raises
        ------
        DataError
            If a line is damaged, naming it, or a run has no outcome yet.
        """
        places = self._index()
        opened: dict[Path, BinaryIO] = {}
        try:
            for run in wanted:
                if run not in places:
                    raise DataError(f"{self.folder}: run {run} has no outcome yet")
                path, offset = places[run]
                file = (
                    opened.setdefault(path, path.open("rb")) if path not in opened else opened[path]
                )
                file.seek(offset)
                yield Outcome.from_line(file.readline(), where=f"{path}, byte {offset}")
        finally:
            for file in opened.values():
                file.close()

    def done(self) -> set[str]:
        """Return the ids of all runs that have an outcome."""
        return set(self._index())

    def _index(self) -> dict[str, tuple[Path, int]]:
        """Find the line of each run; of two outcomes of a run, which are equal, the first."""
        places: dict[str, tuple[Path, int]] = {}
        for path in self.files():
            with path.open("rb") as file:
                offset = 0
                for number, line in enumerate(file, start=1):
                    if number == 1 and line.endswith(b"\n"):
                        if line != self._head:
                            raise DataError(
                                f"{path}: holds outcomes of other data, settings or versions; "
                                "remove it, and its runs are repeated"
                            )
                    elif line.endswith(b"\n"):
                        run = _run_of(line, f"{path}:{number}")
                        places.setdefault(run, (path, offset))
                    offset += len(line)
        return places


def _head_of(about: Mapping[str, str]) -> bytes:
    """Return the first line of a file of outcomes; lists that only some runs use do not count."""
    kept = {name: value for name, value in about.items() if not name.startswith(LIST)}
    digest = sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    return json.dumps({"about": digest}).encode() + b"\n"


def _run_of(line: bytes, where: str) -> str:
    """Read the id at the start of a line without parsing the rest of it."""
    head = b'{"run":"'
    end = line.find(b'"', len(head))
    if not line.startswith(head) or end != len(head) + 16 or not line.endswith(b"}\n"):
        raise DataError(f"{where}: is damaged; remove the line, and its run is repeated")
    return line[len(head) : end].decode("ascii", errors="replace")


class OutcomeWriter:
    """Appends outcomes to one file of a store."""

    def __init__(self, path: Path, head: bytes) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._synced = time.monotonic()
        self._n_written = 0
        _cut_torn_line(self._file)
        if not os.fstat(self._file).st_size:
            os.write(self._file, head)

    def append(self, outcome: Outcome) -> None:
        """Write one outcome.

        Raises
        ------
        OutputError
            If the disk is full or fails; what was written before stays readable.
        """
        line = (outcome.to_line() + "\n").encode()
        before = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
            if time.monotonic() - self._synced > _SYNC_S:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            os.ftruncate(self._file, before)
            full = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            raise OutputError(
                f"{self._path}: cannot be written ({full}); the "
                f"{count(self._n_written, 'outcome')} of this session and all before are kept: "
                "make room and start again, and the rest is run"
            ) from None
        self._n_written += 1

    def close(self) -> None:
        """Write all to the disk and close the file."""
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)


def _cut_torn_line(file: int) -> None:
    """Take off what a killed process wrote of its last line."""
    size = os.fstat(file).st_size
    at_once = 65_536
    end = size
    while end > 0:
        start = max(0, end - at_once)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)


@contextmanager
def open_store(
    folder: Path,
    about: Mapping[str, str],
    runs: Iterable[Run],
    *,
    shard: tuple[int, int] | None = None,
    restart: bool = False,
) -> Iterator[tuple[Store, OutcomeWriter]]:
    """Open a store for writing, or begin one, and hold it alone.

    Parameters
    ----------
    about : mapping of str to str
        What outcomes depend on beside their runs (digests, versions); a store of anything else
        is refused.
    runs : iterable of Run
        The plan, which replaces that of the store; outcomes of runs it lacks stay.
    shard : pair of int, optional
        Number of the shard and of all shards; its outcomes have a file of their own.
    restart : bool
        Remove all outcomes first.

    Raises
    ------
    DataError
        If the store is of other data, or another process holds it.
    OutputError
        If it cannot be written.
    """
    name = "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
    with ExitStack() as stack:
        try:
            _require_store(folder)
            folder.mkdir(parents=True, exist_ok=True)
            _hold(stack, folder / _LOCK, fcntl.LOCK_EX if restart else fcntl.LOCK_SH)
            _hold(stack, folder / f"{_LOCK}{name or '-whole'}", fcntl.LOCK_EX)
            if restart:
                for path in (folder / _ABOUT, *folder.glob(_OUTCOMES.format("*"))):
                    path.unlink(missing_ok=True)
            _check_about(folder, about)
            write_plan(folder / f"{PLAN}.partial{name}", runs)
            (folder / f"{PLAN}.partial{name}").replace(folder / PLAN)
            store = Store(folder, about)
            store.done()  # foreign or damaged files are told before anything is run
            writer = OutcomeWriter(folder / _OUTCOMES.format(name), _head_of(about))
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
        stack.callback(writer.close)
        yield store, writer


def _hold(stack: ExitStack, path: Path, how: int) -> None:
    """Hold a lock till the end; others may hold it at the same time if all share it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    stack.callback(os.close, lock)
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{path.parent}: another process is writing to it; wait for it, or name another folder "
            "with --store"
        ) from None


def _require_store(folder: Path) -> None:
    """Refuse a folder that holds files of other kinds."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; name a folder for the store with --store")
    present = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    ours = (_LOCK, PLAN, _ABOUT, "outcomes")
    if foreign := [name for name in present if not name.startswith(ours)]:
        raise DataError(
            f"{folder}: holds files that are of no robustness run ({abbreviate(foreign)}); name "
            "another folder with --store"
        )


def _check_about(folder: Path, about: Mapping[str, str]) -> None:
    path = folder / _ABOUT
    if not path.exists():
        _write_about(path, about)
        return
    try:
        earlier = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise DataError(f"{path}: is damaged; --restart begins the store anew") from None
    changed = [
        name
        for name in sorted(about.keys() | earlier.keys())
        if about.get(name) != earlier.get(name)
        # a further list of stop words makes further runs, and changes none
        and not (name.startswith(LIST) and (name not in about or name not in earlier))
    ]
    if changed:
        raise DataError(
            f"{folder}: holds outcomes of other data or versions (changed: {', '.join(changed)}); "
            "name another folder with --store, or remove them with --restart"
        )
    if about.keys() - earlier.keys():
        _write_about(path, {**earlier, **about})


def _write_about(path: Path, about: Mapping[str, str]) -> None:
    partial = path.with_suffix(f".partial-{os.getpid()}")
    partial.write_text(json.dumps(dict(about), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
