"""Outcomes of trials as files: one JSON file each, written whole; safe to kill at any point."""

import contextlib
import json
import logging
import os
from pathlib import Path

from survey_tools.claims.experiment import Outcome, Trial
from survey_tools.errors import DataError, OutputError
from survey_tools.output import digest_of_data

__all__ = ["OutcomeCache"]

logger = logging.getLogger(__name__)

_PARTIAL = ".partial-"


class OutcomeCache:
    """A folder of outcomes by the digest of their trials.

    A file holds the description of its trial, the outcome, and the outcome's sha256. A file that
    is damaged, or of another trial, counts as missing, with a warning in the log: its trial is
    run again and the file replaced. Other files in the folder are left alone.

    Raises
    ------
    DataError
        If the folder is a file.
    OutputError
        If it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: is a file; name a folder for the cache with --cache")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob(f"*{_PARTIAL}*"):
                _remove_if_dead(leftover)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None

    def path_of(self, trial: Trial) -> Path:
        """Return where the outcome of a trial lies, or would."""
        return self.folder / f"{trial.digest}.json"

    def read(self, trial: Trial) -> Outcome | None:
        """Return the outcome of a trial, None if there is none that can be trusted."""
        path = self.path_of(trial)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
        try:
            held = json.loads(data)
            is_whole = held["sha256"] == digest_of_data(held["outcome"])
            is_meant = held["trial"] == trial.describe()
            outcome = held["outcome"]
        except (ValueError, KeyError, TypeError, RecursionError):
            is_whole = is_meant = False
        if not (is_whole and is_meant and isinstance(outcome, dict)):
            logger.warning("%s: is damaged; its trial is run again", path)
            return None
        return outcome

    def write(self, trial: Trial, outcome: Outcome) -> None:
        """Keep the outcome of a trial.

        Raises
        ------
        DataError
            If it is nothing that JSON can hold, such as NaN.
        OutputError
            If the disk is full or fails; earlier outcomes stay.
        """
        path = self.path_of(trial)
        try:
            json.dumps(outcome, allow_nan=False)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"the outcome of a trial of {trial.kind.name!r} is no plain data ({error})"
            ) from None
        held = {"trial": trial.describe(), "outcome": outcome, "sha256": digest_of_data(outcome)}
        partial = path.with_name(f"{path.name}{_PARTIAL}{os.getpid()}")
        try:
            with partial.open("w", encoding="utf-8") as file:
                json.dump(held, file, ensure_ascii=False, allow_nan=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise OutputError(
                f"{path}: cannot be written ({error.strerror or error}); outcomes before are kept"
            ) from None


def _remove_if_dead(path: Path) -> None:
    """Remove what a killed process left behind."""
    process = path.name.rpartition("-")[2]
    if not process.isdecimal():
        return
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        path.unlink(missing_ok=True)
    except (PermissionError, OverflowError):
        return
