"""The bulk snapshot of arXiv's metadata: JSON lines, plain, gzip or zip, read in one pass.

The file (``arxiv-metadata-oai-snapshot.json``) holds some 3 million records in 5 GB. It is read
line by line, so memory does not grow with it; a file cut off in the middle gives all that
stands before the cut and says so.

References
----------
.. [1] Cornell University, "arXiv Dataset", https://www.kaggle.com/datasets/Cornell-University/arxiv
   (CC0); its fields are those of ``arXivRaw``.
"""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from pydantic_core import from_json

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError
from survey_tools.harvest.oai import RawFields, build_record, is_day
from survey_tools.harvest.page import MalformedEntry
from survey_tools.harvest.record import ArxivRecord

__all__ = ["SnapshotLine", "read_snapshot"]

_N_LINE_BYTES = 8 * 2**20  # the longest record of arXiv has some 200 KB (author lists)
_N_SHOWN = 2000  # bytes of a bad line that are kept
_N_BUFFER_BYTES = 2**18  # read at once; a line has some 2,000


class SnapshotLine(NamedTuple):
    """One line of a snapshot.

    Attributes
    ----------
    n_line : int
        From 1.
    n_bytes : int
        Length of the line, uncompressed.
    content : ArxivRecord or MalformedEntry
    """

    n_line: int
    n_bytes: int
    content: ArxivRecord | MalformedEntry


def read_snapshot(path: Path, *, n_skipped: int = 0) -> Iterator[SnapshotLine]:
    """Read a snapshot line by line, in constant memory.

    Parameters
    ----------
    n_skipped : int
        Lines at the beginning that an earlier run has stored already.

    Raises
    ------
    DataError
        If the file cannot be opened, ends in the middle of a line, or its compressed data
        break; what stands before the break has been given then.
    """
    n_line = 0
    try:
        with _open(path) as lines:
            while line := lines.readline(_N_LINE_BYTES):
                n_line += 1
                n_bytes = len(line)
                is_whole = line.endswith(b"\n")
                while not is_whole and (rest := lines.readline(_N_LINE_BYTES)):
                    n_bytes += len(rest)
                    is_whole = rest.endswith(b"\n")
                if n_line > n_skipped and not line.isspace():
                    if n_bytes > len(line):
                        problem = f"line {n_line:,}: {n_bytes:,} bytes; no record is as long"
                        content: ArxivRecord | MalformedEntry = _bad(line, problem)
                    else:
                        content = _read_line(line, n_line)
                    if isinstance(content, MalformedEntry) and not (is_whole or _is_json(line)):
                        raise DataError(
                            f"{path}: is cut off, or no snapshot ({content.reason}); get it whole "
                            "and run the same command again, which goes on there"
                        )
                    yield SnapshotLine(n_line, n_bytes, content)
    except (RuntimeError, lzma.LZMAError) as error:  # encrypted, or an unknown method
        raise DataError(f"{path}: cannot be unpacked ({error})") from None
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the compressed file is cut off or damaged after line {n_line:,} ({error}); "
            "get it whole and run the same command again, which goes on there"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb", buffering=_N_BUFFER_BYTES) as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(file) as lines:
                yield lines  # type: ignore[misc]  # a GzipFile reads like an IO[bytes]
        elif head.startswith(b"PK"):
            with zipfile.ZipFile(file) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
                if len(members) != 1:
                    raise DataError(f"{path}: holds {len(members)} files; a snapshot holds one")
                with archive.open(members[0]) as member:
                    yield io.BufferedReader(member, _N_BUFFER_BYTES)  # type: ignore[type-var]
        else:
            yield file


def _read_line(line: bytes, n_line: int) -> ArxivRecord | MalformedEntry:
    line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        data = from_json(line, cache_strings="keys")  # values seldom come twice
    except ValueError as error:
        return _bad(line, f"line {n_line:,}: no JSON ({error})")
    if not isinstance(data, dict):
        return _bad(line, f"line {n_line:,}: no JSON object")
    try:
        return _record_of(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        if arxiv_id := _id_in(data):
            return _bad(line, reason, arxiv_id=arxiv_id)
        return _bad(line, f"line {n_line:,}: {reason}")


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(from_json(line), dict)
    except ValueError:
        return False


def _record_of(data: dict[str, Any]) -> ArxivRecord:
    arxiv_id = data["id"]
    if not isinstance(arxiv_id, str):
        raise TypeError(f"id {arxiv_id!r} is no text; was it once read as a number?")
    day = data["update_date"]
    if not (isinstance(day, str) and _is_day(day)):
        raise ValueError(f"update_date {day!r} is no day")
    return build_record(
        RawFields(
            arxiv_id=_base_id(arxiv_id),
            title=data["title"] or "",
            abstract=data["abstract"] or "",
            authors=data["authors"] or "",
            categories=data["categories"] or "",
            versions=[(version["version"], version["created"], "") for version in data["versions"]],
            comment=data.get("comments"),
            journal_ref=data.get("journal-ref"),
            doi=data.get("doi"),
            license_url=data.get("license"),
        ),
        as_of=day,
    )


_is_day = lru_cache(maxsize=20_000)(is_day)  # arXiv has some 13,000 days


def _base_id(text: str) -> str:
    try:
        return parse_arxiv_id(text).base
    except DataError as error:
        raise ValueError(str(error)) from None


def _id_in(data: Any) -> str | None:
    try:
        return _base_id(data["id"])
    except (ValueError, KeyError, TypeError):
        return None


def _bad(line: bytes, reason: str, *, arxiv_id: str | None = None) -> MalformedEntry:
    return MalformedEntry(
        arxiv_id=arxiv_id, reason=reason, xml=line[:_N_SHOWN].decode("utf-8", "replace")
    )
