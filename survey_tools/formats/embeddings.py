"""Embeddings that another program computed: one vector a paper, matched by key."""

import logging
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError, abbreviate, count

__all__ = ["read_embeddings"]

_LOG = logging.getLogger(__name__)
_ARRAYS = ("keys", "vectors")


def read_embeddings(
    vectors: Path, keys: Path | None, paper_keys: Sequence[str]
) -> NDArray[np.float64]:
    """Read the vectors of some papers.

    Parameters
    ----------
    vectors : Path
        A ``.npy`` file (NumPy's format) with one vector a row, of any real type, of which only
        the rows asked for are read; or a ``.npz`` file with arrays ``keys`` and ``vectors``.
    keys : Path or None
        Text in UTF-8, the key of one vector a line, in the order of the rows; empty lines do
        not count. None for a ``.npz`` file, which holds its keys.
    paper_keys : sequence of str
        Papers asked for.

    Returns
    -------
    ndarray of float64, shape (n_papers, n_columns)
        In the order of ``paper_keys``. Vectors of other keys are left out and counted in a
        warning.

    Raises
    ------
    DataError
        If a file cannot be read or is of another format, the vectors are no table of real
        numbers, keys and vectors differ in number, a key stands twice, a paper has no vector,
        or its vector holds NaN or infinity.
    """
    if vectors.suffix.lower() == ".npz":
        if keys is not None:
            raise DataError(f"{keys}: a .npz file holds its own keys; leave the file of keys out")
        names, table = _read_both(vectors)
        source = vectors
    else:
        if keys is None:
            raise DataError(
                f"{vectors}: comes without keys; name a text file with one key a line, or save "
                "arrays 'keys' and 'vectors' in a .npz file"
            )
        names, table = _read_keys(keys), _read_table(vectors)
        source = keys
    _check_table(table, vectors)
    if len(names) != len(table):
        raise DataError(
            f"{source}: holds {count(len(names), 'key')} for {count(len(table), 'vector')}; "
            "give one key a vector"
        )
    place_of = {name: place for place, name in enumerate(names)}
    if len(place_of) < len(names):
        twice = [name for name, n in Counter(names).items() if n > 1]
        raise DataError(
            f"{source}: {count(len(twice), 'key')} more than once: {abbreviate(twice)}; "
            "keep one vector a key"
        )
    missing = [key for key in paper_keys if key not in place_of]
    if missing:
        raise DataError(
            f"{source}: {len(missing):,} of {count(len(paper_keys), 'paper')} "
            f"{'has' if len(missing) == 1 else 'have'} no vector: {abbreviate(missing)}; "
            "compute them or drop these papers"
        )
    rows = np.array(table[[place_of[key] for key in paper_keys]], dtype=np.float64)
    is_bad: NDArray[np.bool_] = np.logical_not(np.isfinite(rows).all(axis=1))
    if is_bad.any():
        named = [key for key, bad in zip(paper_keys, is_bad, strict=True) if bad]
        raise DataError(
            f"{vectors}: the vectors of {len(named):,} of {count(len(paper_keys), 'paper')} hold "
            f"NaN or infinity: {abbreviate(named)}; compute them again"
        )
    n_extra = len(place_of.keys() - set(paper_keys))
    if n_extra:
        _LOG.warning(
            "%s: %s of %s belong to none of the papers and are left out",
            vectors,
            f"{n_extra:,}",
            count(len(names), "vector"),
        )
    return rows


def _read_keys(path: Path) -> list[str]:
    lines = decode_utf8(read_bytes(path), str(path)).split("\n")
    return [line.strip() for line in lines if line.strip()]


def _read_table(path: Path) -> NDArray[Any]:
    """Map a table into memory, so that only the rows asked for are read."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise _refuse(path, error) from None


def _read_both(path: Path) -> tuple[list[str], NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in _ARRAYS if name not in arrays]
            if missing:
                raise DataError(
                    f"{path}: has no array {missing[0]!r}; it holds "
                    f"{abbreviate(arrays) or 'none'}; save both 'keys' and 'vectors'"
                )
            names, table = arrays["keys"], arrays["vectors"]
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _refuse(path, error) from None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(
            f"{path}: 'keys' are {names.dtype} of shape {names.shape}; save them as a "
            "one-dimensional array of text, so that 2106.08250 keeps its zero"
        )
    return names.tolist(), table


def _refuse(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file")
    reason = getattr(error, "strerror", None) or "not in NumPy's format, cut, or full of objects"
    save = "numpy.savez" if path.suffix.lower() == ".npz" else "numpy.save"
    return DataError(f"{path}: cannot be read ({reason}); save numbers with {save}")


def _check_table(table: NDArray[Any], path: Path) -> None:
    if table.dtype.kind not in "iuf":
        raise DataError(f"{path}: vectors are {table.dtype}; allowed are real numbers")
    if table.ndim != 2 or table.shape[1] == 0:
        raise DataError(
            f"{path}: vectors have the shape {table.shape}; save them as (n_papers, n_columns)"
        )
