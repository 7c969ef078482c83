"""The object that all tasks share, in a process that computes: read once, then kept."""

import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from survey_tools.workers import limit_threads

__all__ = ["attend_file", "attend_kept", "drop", "keep"]

_pickled: dict[str, bytes] = {}
_objects: dict[str, Any] = {}
_lock = threading.Lock()  # a Dask worker may have several threads


def attend_file(work: Callable[[Any, Any], Any], path: str, task: Any) -> Any:
    """Call ``work`` with the object pickled in a file, the only one that is then kept."""
    if path not in _objects:
        _objects.clear()
        _objects[path] = pickle.loads(Path(path).read_bytes())  # noqa: S301 written by the parent
    return work(_objects[path], task)


def keep(token: str, pickled: bytes) -> None:
    """Keep a pickled object for the tasks that will name it."""
    _pickled[token] = pickled


def drop(token: str) -> None:
    """Forget an object."""
    _pickled.pop(token, None)
    _objects.pop(token, None)


def attend_kept(token: str, pickled: bytes) -> Any:
    """Call the pickled ``(work, task)`` with an object that was sent before."""
    if os.environ.get("OMP_NUM_THREADS") != "1":  # a worker that no nanny started
        limit_threads()
    work, task = pickle.loads(pickled)  # noqa: S301 Dask unpickles calls as well
    with _lock:
        if token not in _objects:
            _objects[token] = pickle.loads(_pickled.pop(token))  # noqa: S301 as above
        shared = _objects[token]
    return work(shared, task)
