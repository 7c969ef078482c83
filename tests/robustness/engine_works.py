"""What the tests of the engines have computed: functions that a worker can import."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from survey_tools.errors import DataError


class Counted:
    """An object of some megabytes that knows how often this process has read it."""

    n_reads = 0

    def __init__(self) -> None:
        self.numbers = np.arange(250_000.0)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        Counted.n_reads += 1


def add(shared: int, task: int) -> int:
    return shared + task


def refuse_three(shared: None, task: int) -> int:
    if task == 3:
        raise DataError("3 is refused; give another number")
    return task


def tell_process(shared: None, task: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def count_reads(shared: Counted, task: int) -> tuple[int, int]:
    time.sleep(0.02)
    assert shared.numbers[-1] == 249_999.0
    return os.getpid(), Counted.n_reads


def count_threads(shared: None, task: int) -> dict[str, int]:
    import sklearn.cluster  # noqa: F401 loads BLAS of SciPy and OpenMP

    return {library["filepath"]: library["num_threads"] for library in threadpool_info()}


def die_at_seven(shared: None, task: int) -> int:
    time.sleep(0.01)
    if task == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def die_once(shared: str, task: int) -> int:
    """End the process at 5 and 6, but only the first time; ``shared`` is a folder."""
    mark = Path(shared, str(task))
    if task in (5, 6) and not mark.exists():
        mark.touch()
        os._exit(1)
    return task


def nap(shared: float, task: int) -> int:
    time.sleep(shared)
    return task
