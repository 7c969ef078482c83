"""Threads and processes of this machine as crews that compute tasks."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from sys import maxsize
from tempfile import NamedTemporaryFile
from typing import Any, Protocol
from uuid import uuid4

from joblib.externals.loky import process_executor

from survey_tools.robustness.dispatch import Arrival
from survey_tools.robustness.shared import attend_file
from survey_tools.workers import (
    ONE_THREAD,
    follow_parent,
    hold_interrupts,
    ignore_interrupt,
    limit_threads,
)

__all__ = ["open_process_crew", "open_processes", "open_thread_crew", "open_threads"]


class _Executors(Protocol):
    """Workers by name; each an executor of ``concurrent.futures``, or one in the manner of it."""

    def workers(self) -> Mapping[str, int]:
        """Return the workers, and how many tasks each computes at once."""

    def submit(self, worker: str, call: Callable[[Any], Any], task: Any) -> Future[Any]:
        """Have a worker compute a task."""

    def replace(self, worker: str) -> None:
        """End a worker with what it computes, if that can be done, and take on another."""


class _FutureCrew:
    """The workers of some executors, for one series of tasks.

    Parameters
    ----------
    executors : _Executors
    call : callable
        Computes a task.
    """

    def __init__(self, executors: _Executors, call: Callable[[Any], Any]) -> None:
        self._executors = executors
        self._call = call
        self._ended: SimpleQueue[tuple[int, str, Future[Any]]] = SimpleQueue()
        self._handed: dict[int, tuple[str, Future[Any]]] = {}

    def workers(self) -> Mapping[str, int]:
        """Return the workers that live, and how many tasks each computes at once."""
        return self._executors.workers()

    def hand(self, worker: str, number: int, task: Any) -> None:
        """Give a worker a task."""
        future: Future[Any]
        try:
            future = self._executors.submit(worker, self._call, task)
        except process_executor.TerminatedWorkerError as error:  # it died since the last arrival
            future = Future()
            future.set_exception(error)
        self._handed[number] = worker, future
        future.add_done_callback(lambda ended: self._ended.put((number, worker, ended)))

    def take(self, timeout_s: float) -> Arrival | None:
        """Return the next arrival, or None if none came in time or a worker died."""
        try:
            number, worker, future = self._ended.get(timeout=timeout_s)
        except Empty:
            return None
        del self._handed[number]
        error = future.exception()
        if isinstance(error, process_executor.TerminatedWorkerError):
            self._executors.replace(worker)
            return None
        return Arrival(number=number, result=None if error else future.result(), error=error)

    def release(self) -> None:
        """Forget the tasks in hand; what can be stopped is stopped."""
        for worker, future in self._handed.values():
            if not future.cancel() and not future.done():
                self._executors.replace(worker)


class Threads:
    """Threads of this process, as one worker; what they compute cannot be stopped."""

    def __init__(self, executor: ThreadPoolExecutor, n_threads: int) -> None:
        self._executor = executor
        self._n_threads = n_threads

    def workers(self) -> Mapping[str, int]:
        """Return the one worker."""
        return {"threads": self._n_threads}

    def submit(self, worker: str, call: Callable[[Any], Any], task: Any) -> Future[Any]:
        """Have the first free thread compute a task."""
        assert worker == "threads"
        return self._executor.submit(call, task)

    def replace(self, worker: str) -> None:
        """Let the threads end what they compute."""


@contextmanager
def open_threads(n_threads: int) -> Iterator[Threads]:
    """Start threads, each with one thread of OpenMP."""
    executor = ThreadPoolExecutor(n_threads, "survey-tools", initializer=limit_threads)
    try:
        yield Threads(executor, n_threads)
    finally:
        executor.shutdown(cancel_futures=True)


class Processes:
    """Processes of this machine, each a pool of one by loky, so that none dies with another.

    A pool of loky breaks as a whole when one of its processes dies, and with it what the
    others compute; and it does not tell which task the dead one had.
    """

    def __init__(self, n_processes: int) -> None:
        self._names = (f"process {number}" for number in count(1))
        self._executors: dict[str, process_executor.ProcessPoolExecutor] = {}
        for _ in range(n_processes):
            self._take_on()

    def _take_on(self) -> None:
        # the process itself starts with its first task
        self._executors[next(self._names)] = process_executor.ProcessPoolExecutor(
            max_workers=1, initializer=_begin, env=ONE_THREAD
        )

    def workers(self) -> Mapping[str, int]:
        """Return the processes."""
        return dict.fromkeys(self._executors, 1)

    def submit(self, worker: str, call: Callable[[Any], Any], task: Any) -> Future[Any]:
        """Have a process compute a task, which travels pickled."""
        with hold_interrupts():
            future: Future[Any] = self._executors[worker].submit(call, task)
        return future

    def replace(self, worker: str) -> None:
        """Kill a process and take on another; nothing if it was replaced before."""
        if executor := self._executors.pop(worker, None):
            _kill(executor)
            self._take_on()

    def close(self) -> None:
        """Kill all processes."""
        while self._executors:
            _kill(self._executors.popitem()[1])


def _kill(executor: process_executor.ProcessPoolExecutor) -> None:
    """End the process of a pool and wait for its end.

    To shut the pool down with ``kill_workers`` fails in its thread (KeyError in
    ``add_call_item_to_queue``, joblib 1.6) where a task was submitted a moment before.
    """
    for process in list(executor._processes.values()):
        process.terminate()
    executor.shutdown()


@contextmanager
def open_processes(n_processes: int) -> Iterator[Processes]:
    """Take on processes and kill them at the end."""
    processes = Processes(n_processes)
    try:
        yield processes
    finally:
        processes.close()


@contextmanager
def open_thread_crew(
    threads: Threads, work: Callable[[Any, Any], Any], shared: Any
) -> Iterator[_FutureCrew]:
    """Have threads call ``work(shared, task)``; cancel the tasks in hand at the end."""
    crew = _FutureCrew(threads, partial(work, shared))
    try:
        yield crew
    finally:
        crew.release()


@contextmanager
def open_process_crew(
    processes: Processes, work: Callable[[Any, Any], Any], shared: Any
) -> Iterator[_FutureCrew]:
    """Have processes call ``work(shared, task)``; kill those with tasks in hand at the end.

    The shared object lies pickled in a file that each process reads once.
    """
    with NamedTemporaryFile(prefix=f"survey-tools-{uuid4().hex}-") as file:
        pickle.dump(shared, file, pickle.HIGHEST_PROTOCOL)
        file.flush()
        crew = _FutureCrew(processes, partial(attend_file, work, file.name))
        try:
            yield crew
        finally:
            crew.release()


def _begin() -> None:
    """Prepare a process that loky has started."""
    ignore_interrupt()
    follow_parent()
    # loky ends a process that has grown by 300 MB and warns of it; what a process keeps between
    # its tasks is no leak
    process_executor._MAX_MEMORY_LEAK_SIZE = maxsize
