"""The history of a training: one row a step, in a CSV file that grows as it goes."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TextIO

from survey_tools.errors import DataError, OutputError

__all__ = ["HistoryRow", "HistoryWriter", "read_history"]

_PART = "part."  # before the names of a method's own numbers, so that they cannot clash


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """What a step of training was like.

    Attributes
    ----------
    step : int
        Counted from 1: how many steps have been done, this one included. The last row of a
        training that diverged is of the step that could not be done.
    epoch : float
        How many times the data have been gone through.
    loss : float
        Of the batch, before the step.
    rate : float
        Learning rate.
    gradient_norm : float
        Euclidean norm over all parameters, before clipping.
    images_per_s : float
        On all processes together, reading included.
    parts : mapping of str to float
        Numbers of the method's own.
    """

    step: int
    epoch: float
    loss: float
    rate: float
    gradient_norm: float
    images_per_s: float
    parts: Mapping[str, float]


_COLUMNS = tuple(field.name for field in fields(HistoryRow) if field.name != "parts")


class HistoryWriter:
    """Appends rows to a CSV file; each is on its way to the disk before the next step.

    Numbers are written so that they read back exactly.

    Parameters
    ----------
    path : Path
    after_step : int
        Steps that a resumed run has behind it; later rows, which it draws again, are cut off.
        0 begins a new file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    DataError
        If the file to go on with cannot be read.
    """

    def __init__(self, path: Path, *, after_step: int = 0) -> None:
        self._path = path
        kept = read_history(path) if after_step and path.exists() else ()
        kept = tuple(row for row in kept if row.step <= after_step)
        self._columns: tuple[str, ...] = ()
        partial = path.with_name(f".{path.name}.partial")
        try:
            self._file: TextIO = partial.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            for row in kept:
                self._write(row)
            self._file.flush()
            partial.replace(path)
        except OSError as error:
            raise self._error(error) from None

    def append(self, row: HistoryRow) -> None:
        """Write one row.

        Raises
        ------
        OutputError
            If the disk is full, or a method reports other numbers than at its first step.
        """
        try:
            self._write(row)
            self._file.flush()
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Write all to the disk and close the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _write(self, row: HistoryRow) -> None:
        columns = (*_COLUMNS, *(f"{_PART}{name}" for name in sorted(row.parts)))
        if not self._columns:
            self._columns = columns
            self._writer.writerow(columns)
        if columns != self._columns:
            reported = ", ".join(sorted(row.parts)) or "no parts"
            raise OutputError(
                f"{self._path}: step {row.step} reports {reported}, unlike the steps before; a "
                "method must report the same at every step"
            )
        values = [getattr(row, name) for name in _COLUMNS]
        self._writer.writerow([*values, *(row.parts[name] for name in sorted(row.parts))])

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: cannot be written ({error.strerror or error})")


def read_history(path: Path) -> tuple[HistoryRow, ...]:
    """Read a history; a last line without its end, cut off by a kill, is left out.

    Raises
    ------
    DataError
        If there is no such file, or a line is damaged, naming it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    lines = text[: text.rfind("\n") + 1].splitlines()
    if not lines:
        return ()
    header, *rows = csv.reader(lines)
    if tuple(header[: len(_COLUMNS)]) != _COLUMNS:
        raise DataError(f"{path}:1: is no history of a training; its columns are others")
    return tuple(_parse(row, header, f"{path}:{i}") for i, row in enumerate(rows, start=2))


def _parse(values: Sequence[str], header: Sequence[str], where: str) -> HistoryRow:
    try:
        row = dict(zip(header, values, strict=True))
        parts = {name.removeprefix(_PART): float(row[name]) for name in header[len(_COLUMNS) :]}
        numbers = {name: float(row[name]) for name in _COLUMNS if name != "step"}
        return HistoryRow(step=int(row["step"]), parts=parts, **numbers)
    except ValueError:
        raise DataError(f"{where}: is damaged; remove the line and those below it") from None
