"""The output folder of a finished run of another command, from which the report takes parts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError
from survey_tools.output import MANIFEST, sha256_of

__all__ = ["SECTION", "FinishedRun", "open_finished_run"]

SECTION = "section.html"
_PARTS = ("inputs", "outputs", "settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that another command finished.

    Attributes
    ----------
    manifest : mapping
        With ``inputs``, ``outputs`` and ``settings``.
    manifest_digest : str
        sha256 of the manifest, which holds the digests of all that the run read and wrote.
    advice : str
        What to do where the folder does not fit, for messages.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    manifest_digest: str
    advice: str

    def read_output(self, name: str) -> str:
        """Read a text that the run wrote.

        Raises
        ------
        DataError
            If it is missing, or was changed since.
        """
        content = read_bytes(self.folder / name)
        if self.manifest["outputs"].get(name) != sha256_of(content):
            raise DataError(
                f"{self.folder / name}: was changed after it was written; {self.advice}"
            )
        return decode_utf8(content, str(self.folder / name))


def open_finished_run(folder: Path, command: str, *, advice: str) -> FinishedRun:
    """Open the output folder of ``survey-tools COMMAND``, given by the option of that name.

    Raises
    ------
    DataError
        If it is no finished run of the command.
    """
    wanted = f"--{command} needs the output folder of survey-tools {command}"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {wanted}")
    path = folder / MANIFEST
    data = read_bytes(path)
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError(f"{path}: is damaged; {advice}") from None
    arrived = manifest.get("command") if isinstance(manifest, dict) else None
    if arrived != command:
        raise DataError(f"{path}: is of the command {arrived!r}; {wanted}")
    if not all(isinstance(manifest.get(name), dict) for name in _PARTS):
        raise DataError(f"{path}: lacks {', '.join(_PARTS)}; {advice}")
    return FinishedRun(
        folder=folder, manifest=manifest, manifest_digest=sha256_of(data), advice=advice
    )
