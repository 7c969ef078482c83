"""Worker processes: one thread of BLAS each, deaf to Ctrl-C, ended with the one that asked."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import resource_tracker

from threadpoolctl import ThreadpoolController, threadpool_limits

from survey_tools.errors import SurveyToolsError

__all__ = [
    "ONE_THREAD",
    "WorkerError",
    "follow_parent",
    "hold_interrupts",
    "ignore_interrupt",
    "limit_threads",
    "load_threaded",
]

# What libraries read when they are loaded: as joblib and Dask set them for their workers.
ONE_THREAD = {
    "BLIS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

_WITH_THREADS = ("sklearn.cluster",)  # loads every library with threads: NumPy's, SciPy's, its own
_LOOK_S = 1.0


class WorkerError(SurveyToolsError):
    """A process that computed for this one has ended."""


def ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: they, and what they start, never see it.

    A process starts with those signals blocked that its parent's thread has blocked. Without
    this, Ctrl-C in the moment before a worker can ignore it ends the worker with a traceback.
    Here it is raised when the block is left.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # to start it unblocks the signals
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    # another thread may get the signal: then Python calls the handler in the main thread
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, note) if is_main else None
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if is_main:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def load_threaded() -> ThreadpoolController:
    """Load the libraries that have threads: a limit reaches only those that are loaded."""
    for name in _WITH_THREADS:
        import_module(name)
    return ThreadpoolController()


def limit_threads() -> None:
    """Give BLAS and OpenMP one thread: the number of threads may change a sum's last bit.

    BLAS is limited for the process, OpenMP for the thread that calls.
    """
    load_threaded()
    threadpool_limits(limits=1)


def follow_parent() -> None:
    """End this process when the one that started it has ended, however it did."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
