"""Output folders: written beside the target, moved into place whole, never mixed."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from survey_tools.errors import DataError, OutputError, abbreviate

__all__ = [
    "MANIFEST",
    "check_output_folder",
    "digest_of_data",
    "digest_of_file",
    "list_files",
    "replace_folder",
    "sha256_of",
]

MANIFEST = "manifest.json"


def sha256_of(data: bytes) -> str:
    """Return the sha256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_of_data(data: object) -> str:
    """Return the sha256 of plain data, written as JSON with sorted names, in hexadecimal."""
    return sha256_of(json.dumps(data, sort_keys=True).encode())


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal, without holding all of it.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def list_files(folder: Path) -> list[str]:
    """List all files below a folder by relative POSIX path, sorted."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


def check_output_folder(target: Path, *, command: str, protected: Iterable[Path] = ()) -> None:
    """Refuse a target that `replace_folder` would refuse, before hours of work and not after.

    Raises
    ------
    OutputError
        If it must not be replaced.
    """
    target = Path(os.path.realpath(target))  # a link keeps pointing where it did
    for folder in protected:
        folder = Path(os.path.realpath(folder))
        if folder == target or target in folder.parents:
            raise OutputError(f"{target}: output must not replace the folder {folder}")
    with _os_errors(target):
        _remove_leftovers(target)  # first: it may restore what must then not be replaced
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target}: is a file; name a folder for the output")
        _check_replaceable(target, command)


@contextmanager
def replace_folder(target: Path, *, command: str, protected: Iterable[Path] = ()) -> Iterator[Path]:
    """Give a temporary folder beside ``target`` and move it into place at the end.

    If the body raises or is interrupted, the old folder stays as it was. An existing
    target is replaced only if all it holds was written by survey-tools (its manifest
    says so) by the same command, or if ``command`` is ``run``, which writes everything; so
    nobody's own files and no other command's results are lost.

    Parameters
    ----------
    command : str
        The command that writes; it must say so in the manifest.
    protected : iterable of Path
        Folders that must not be replaced, nor any folder that contains them.

    Raises
    ------
    OutputError
        If the folder cannot be written or must not be replaced.
    """
    check_output_folder(target, command=command, protected=protected)
    target = Path(os.path.realpath(target))
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    with _os_errors(target):
        made = [folder for folder in target.parents if not folder.exists()]
    try:
        with _os_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            yield partial
            _check_replaceable(target, command)  # again: files may have come meanwhile
            _move_into_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:  # those that stayed empty because the body failed
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextmanager
def _os_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error


def _check_replaceable(target: Path, command: str) -> None:
    """Refuse to delete files that we did not write, or another command's results."""
    if not target.exists() or not (present := list_files(target)):
        return
    try:
        manifest = json.loads((target / MANIFEST).read_bytes())
        ours = {MANIFEST, *manifest["outputs"]}
        earlier = str(manifest["command"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(
            f"{target}: holds files but no manifest of survey-tools; name another folder with -o"
        ) from None
    if foreign := sorted(set(present) - ours):
        raise OutputError(
            f"{target}: holds files that survey-tools did not write ({abbreviate(foreign, 3)}); "
            "move them away or name another folder with -o"
        )
    if command not in ("run", earlier):
        raise OutputError(
            f"{target}: holds the results of '{earlier}', which '{command}' would delete; "
            "name another folder with -o"
        )


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs left behind, and restore a target caught between two moves."""
    for kind in ("replaced", "partial"):
        for path in target.parent.glob(f".{glob.escape(target.name)}.{kind}-*"):
            process = path.name.rpartition("-")[2]
            if not process.isdecimal() or _is_alive(int(process)):
                continue
            if kind == "replaced" and not target.exists():
                path.rename(target)
            else:
                shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _move_into_place(partial: Path, target: Path) -> None:
    replaced = target.with_name(f".{target.name}.replaced-{os.getpid()}")
    if target.exists():
        target.rename(replaced)
    try:
        partial.rename(target)
    except BaseException:
        if replaced.exists():
            with contextlib.suppress(OSError):
                replaced.rename(target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
