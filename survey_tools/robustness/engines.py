"""Engines: who computes the tasks of a plan: this process, threads, processes, or Dask.

Every engine calls ``work(shared, task)`` with one thread of BLAS, so a result depends on the
task alone; only the order in which results arrive differs.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, get_args

from threadpoolctl import ThreadpoolController

from survey_tools.dask_cluster import open_dask
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.robustness.crews import (
    open_process_crew,
    open_processes,
    open_thread_crew,
    open_threads,
)
from survey_tools.robustness.dispatch import Crew, Done, dispatch
from survey_tools.workers import load_threaded

__all__ = ["Done", "Engine", "EngineChoice", "EngineName", "open_engine"]

EngineName = Literal["here", "threads", "processes", "dask"]

_NAMES: tuple[str, ...] = get_args(EngineName)

# A task is taken for the culprit after its third worker, as with processes, and Dask neither
# pauses nor kills a worker for its memory: the system does if need be.
_DASK_OPTIONS = {"scheduler_kwargs": {"allowed_failures": 0}, "memory_limit": None}

Common = TypeVar("Common")
Task = TypeVar("Task")
Result = TypeVar("Result")

Dones: TypeAlias = Generator[Done[Task, Result], None, None]


class Engine(Protocol):
    """Computes tasks and yields what came of each, in the order of arrival."""

    def __call__(
        self,
        work: Callable[[Common, Task], Result],
        shared: Common,
        tasks: Iterable[Task],
    ) -> Dones[Task, Result]:
        """Call ``work(shared, task)`` for every task.

        To leave the iteration early cancels the tasks in hand; the engine can still be used.

        Parameters
        ----------
        work : callable
            One that pickle can name. It leaves ``shared`` as it is.
        shared : object
            Reaches every worker once, whatever the number of tasks.
        tasks : iterable
            Small objects that pickle can write; at most two are taken ahead for each that is
            computed at the time.

        Raises
        ------
        Exception
            What ``work`` raises. A worker that dies is no error: its task is repeated, and after
            its third worker it comes back as failed.
        WorkerError
            If the Dask scheduler or all its workers are lost.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Which engine is wanted.

    Attributes
    ----------
    name : {"here", "threads", "processes", "dask"}
        This process; threads of it, of use where the work leaves Python for C; processes of this
        machine; Dask workers.
    n_workers : int
        Threads or processes that compute.
    scheduler : str or None
        Address of a running Dask scheduler (``tcp://…``), all of whose workers compute; None
        starts a cluster of ``n_workers`` processes on this machine.
    """

    name: EngineName = "here"
    n_workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.name not in _NAMES:
            raise ParameterError(f"no engine {self.name!r}; {nearest(self.name, _NAMES)}")
        if self.n_workers < 1:
            raise ParameterError(f"{self.n_workers} workers asked; at least 1 is needed")
        if self.name == "here" and self.n_workers > 1:
            raise ParameterError(
                f"{self.n_workers} workers asked of the engine 'here', which is one; use "
                "'processes', 'threads' or 'dask'"
            )
        if self.scheduler is None:
            return
        if self.name != "dask":
            raise ParameterError(f"a scheduler ({self.scheduler}) needs the engine 'dask'")
        if "://" not in self.scheduler:
            raise ParameterError(
                f"{self.scheduler!r} is no address of a Dask scheduler; write tcp://host:8786"
            )


@contextmanager
def open_engine(choice: EngineChoice) -> Iterator[Engine]:
    """Start an engine; stop it at the end and leave no process behind.

    Processes compute with one thread each, ignore Ctrl-C, and end when this process ends.
    Threads cannot be stopped: to leave the block waits for the tasks that they compute.

    Raises
    ------
    ParameterError
        If Dask is wanted but not installed, or its scheduler cannot be reached.
    """
    if choice.name == "here":
        yield partial(_attend_here, load_threaded())
    elif choice.name == "threads":
        with load_threaded().limit(limits=1), open_threads(choice.n_workers) as threads:
            yield partial(_attend_by, partial(open_thread_crew, threads))
    elif choice.name == "processes":
        with open_processes(choice.n_workers) as processes:
            yield partial(_attend_by, partial(open_process_crew, processes))
    else:
        with open_dask(
            choice.n_workers, choice.scheduler, otherwise="processes", **_DASK_OPTIONS
        ) as client:
            # imported here, as Dask may not be installed
            open_crew = import_module("survey_tools.robustness.dask_crew").open_dask_crew
            yield partial(_attend_by, partial(open_crew, client))


def _attend_here(
    controller: ThreadpoolController,
    work: Callable[[Any, Any], Any],
    shared: Any,
    tasks: Iterable[Any],
) -> Dones[Any, Any]:
    for task in tasks:
        with controller.limit(limits=1):
            result = work(shared, task)
        yield Done(task=task, result=result)


def _attend_by(
    open_crew: Callable[[Callable[[Any, Any], Any], Any], AbstractContextManager[Crew]],
    work: Callable[[Any, Any], Any],
    shared: Any,
    tasks: Iterable[Any],
) -> Dones[Any, Any]:
    with open_crew(work, shared) as crew:
        yield from dispatch(crew, tasks)
