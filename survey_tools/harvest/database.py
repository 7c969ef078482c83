"""The database file of a store: opened, checked, brought up to date; its errors in sentences."""

import sqlite3
from pathlib import Path

from survey_tools.errors import DataError, OutputError
from survey_tools.harvest.schema import APPLICATION_ID, MIGRATIONS

__all__ = ["connect", "explain", "prepare"]

_BUSY_S = 60.0
# A write-ahead log needs shared memory, which these file systems do not give.
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "ceph", "lustre")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a database file, or make it.

    Raises
    ------
    DataError
        If the file is no store, or there is none to read.
    OutputError
        If it cannot be opened or made.
    """
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
        raise explain(error, path) from None
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


def prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Check whose database it is, and bring its tables up to date.

    Raises
    ------
    DataError
        If it is another program's, or of a newer survey-tools.
    """
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


def explain(error: sqlite3.Error, path: Path) -> DataError | OutputError:
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
