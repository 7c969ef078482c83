"""The scratch folder: what does not fit in memory lies there, shard by shard, for one run.

Workers find the files by name, so the folder must be one that all of them see.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.errors import OutputError

__all__ = [
    "open_scratch",
    "read_array",
    "read_rows",
    "read_texts",
    "remove_file",
    "write_array",
    "write_rows",
    "write_texts",
]


@contextmanager
def open_scratch(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that is removed at the end, also after an error or Ctrl-C.

    Only a process that is killed outright leaves it, in ``parent``.

    Parameters
    ----------
    parent : Path, optional
        Where it is made; by default the system's folder for temporary files. A paper takes
        some 2 kB there.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(
            prefix="survey-tools-condense-", dir=parent, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise OutputError(
            f"{parent or tempfile.gettempdir()}: no scratch folder can be made there "
            f"({error.strerror or error}); name another folder"
        ) from None
    with folder as name:
        yield Path(name)


@contextmanager
def _os_errors(path: Path, what: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be {what} ({error.strerror or error}); name a scratch folder with "
            "room for all papers, one that all workers see"
        ) from None


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write an array of numbers.

    Raises
    ------
    OutputError
        If the disk refuses; so do all functions here that write.
    """
    with _os_errors(path), path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def read_array(path: Path) -> NDArray[np.generic]:
    """Read an array of numbers; its pages are loaded only where they are used."""
    with _os_errors(path, "read"):
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def write_rows(path: Path, rows: sparse.csr_array) -> None:
    """Write sparse rows, uncompressed."""
    with _os_errors(path), path.open("wb") as file:
        np.savez(
            file,
            data=rows.data,
            indices=rows.indices,
            indptr=rows.indptr,
            shape=np.array(rows.shape),
        )


def read_rows(path: Path) -> sparse.csr_array:
    """Read sparse rows."""
    with _os_errors(path, "read"), np.load(path, allow_pickle=False) as parts:
        n_rows, n_columns = (int(n) for n in parts["shape"])
        return sparse.csr_array(
            (parts["data"], parts["indices"], parts["indptr"]), shape=(n_rows, n_columns)
        )


def write_texts(path: Path, texts: Sequence[str]) -> None:
    """Write texts as a list of JSON."""
    with _os_errors(path):
        path.write_text(json.dumps(list(texts)), encoding="ascii")


def read_texts(path: Path) -> list[str]:
    """Read what `write_texts` wrote."""
    with _os_errors(path, "read"):
        texts: list[str] = json.loads(path.read_text(encoding="ascii"))
    return texts


def remove_file(path: Path) -> None:
    """Remove a file that is no longer needed."""
    with _os_errors(path, "removed"):
        path.unlink()
