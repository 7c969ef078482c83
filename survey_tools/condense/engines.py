"""Engines: who computes the shards: this process, processes beside it, or a Dask cluster.

Results come back in the order of the shards whoever computed them, and a shard's result
depends on nothing but the shard, so every engine gives the same bytes.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from survey_tools.dask_cluster import open_dask
from survey_tools.errors import ParameterError
from survey_tools.workers import WorkerError, ignore_interrupt

__all__ = ["Engine", "EngineChoice", "WorkerError", "open_engine"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Results: TypeAlias = Generator[Result, None, None]

_N_AHEAD = 2  # shards sent ahead to each worker, so that none waits for the next


class Engine(Protocol):
    """Applies a function to items and yields the results in their order."""

    def __call__(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Results[Result]:
        """Apply ``function``, which must be one that pickle can name, to every item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Which engine is wanted.

    Attributes
    ----------
    name : {"local", "dask"}
    n_workers : int
        Processes that compute; ``"local"`` with one computes in this process.
    scheduler : str or None
        Address of a running Dask scheduler (``tcp://…``) whose workers see the scratch folder
        under the same name; None starts a cluster of ``n_workers`` on this machine.
    """

    name: Literal["local", "dask"] = "local"
    n_workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.n_workers < 1:
            raise ParameterError(f"{self.n_workers} workers asked; at least 1 is needed")
        if self.scheduler is not None and self.name != "dask":
            raise ParameterError(f"a scheduler ({self.scheduler}) needs the engine 'dask'")


@contextmanager
def open_engine(choice: EngineChoice) -> Iterator[Engine]:
    """Start an engine and stop it at the end.

    Raises
    ------
    ParameterError
        If Dask is wanted but not installed, or its scheduler cannot be reached.
    """
    if choice.name == "dask":
        with _open_dask(choice) as engine:
            yield engine
    elif choice.n_workers == 1:
        yield _map_here
    else:
        with _open_processes(choice.n_workers) as engine:
            yield engine


def _map_here(function: Callable[[Item], Result], items: Iterable[Item]) -> Results[Result]:
    for item in items:
        yield _call(function, item)


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    """Call with one thread of BLAS: the number of threads may change a sum's last bit."""
    with threadpool_limits(limits=1, user_api="blas"):
        return function(item)


@contextmanager
def _open_processes(n_workers: int) -> Iterator[Engine]:
    # spawned, not forked: a fork copies locks that threads of BLAS may hold
    executor = ProcessPoolExecutor(
        n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=ignore_interrupt
    )
    try:
        yield _map_ahead(executor.submit, n_workers * _N_AHEAD, when_dead=BrokenProcessPool)
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _open_dask(choice: EngineChoice) -> Iterator[Engine]:
    with open_dask(choice.n_workers, choice.scheduler, otherwise="local") as client:
        killed: type[Exception] = import_module("dask.distributed").KilledWorker
        n_workers = len(client.scheduler_info(n_workers=-1)["workers"])
        yield _map_ahead(_submitter(client), n_workers * _N_AHEAD, when_dead=killed)


def _submitter(client: Any) -> Callable[..., Any]:
    def submit(call: Callable[..., Any], function: Callable[..., Any], item: Any) -> Any:
        # scattered first: Dask warns of tasks that carry megabytes themselves
        return client.submit(call, function, client.scatter([item], hash=False)[0], pure=False)

    return submit


def _map_ahead(submit: Callable[..., Any], n_ahead: int, *, when_dead: type[Exception]) -> Engine:
    def map_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Results[Result]:
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(submit(_call, function, item))
                if len(waiting) > n_ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except when_dead as error:
            raise WorkerError(
                f"a worker process ended before its shard was done ({error}); if memory ran out, "
                "use fewer workers or fewer papers at once"
            ) from None
        finally:
            for future in waiting:
                future.cancel()

    return map_ahead
