"""The workers of a Dask cluster as a crew that computes tasks."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any
from uuid import uuid4

from distributed import KilledWorker, Worker, WorkerPlugin

from survey_tools.robustness.dispatch import Arrival
from survey_tools.robustness.shared import attend_kept, drop, keep
from survey_tools.workers import WorkerError

__all__ = ["DaskCrew", "open_dask_crew"]

_LOOK_S = 0.5  # how often the scheduler is asked who lives: 1 ms each
_PATIENCE_S = 30.0  # for a worker where none is left, and for one that is paused
_N_TRIES = 3


class _SharedObject(WorkerPlugin):
    """Brings the pickled object to every worker, those that start later included."""

    def __init__(self, token: str, pickled: bytes) -> None:
        self.name = f"survey-tools-{token}"
        self._token = token
        self._pickled = pickled

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 Dask's signature
        keep(self._token, self._pickled)

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 Dask's signature
        drop(self._token)


@contextmanager
def open_dask_crew(
    client: Any, work: Callable[[Any, Any], Any], shared: object
) -> Iterator["DaskCrew"]:
    """Send the shared object to all workers; cancel the tasks in hand and drop it at the end."""
    plugin = _SharedObject(uuid4().hex, pickle.dumps(shared, pickle.HIGHEST_PROTOCOL))
    for i_try in range(_N_TRIES):
        try:
            client.register_plugin(plugin)
            break
        except OSError as error:  # a worker died meanwhile
            if i_try == _N_TRIES - 1:
                raise WorkerError(f"the shared object reaches no Dask worker ({error})") from None
    crew = DaskCrew(client, work, plugin._token)
    try:
        yield crew
    finally:
        with suppress(OSError):  # the scheduler is lost, or a worker died meanwhile
            crew.release()
            client.unregister_worker_plugin(plugin.name)


class DaskCrew:
    """The workers of a Dask cluster, for one series of tasks.

    Every task is bound to one worker, so that it is known which tasks a dead one had. Dask
    itself would take any of the tasks that wait for a worker for the one that killed it.

    Parameters
    ----------
    token : str
        Names the shared object, which the workers have already.
    """

    def __init__(self, client: Any, work: Callable[[Any, Any], Any], token: str) -> None:
        self._client = client
        self._work = work
        self._token = token
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._handed: dict[int, tuple[str, Any]] = {}
        self._workers: dict[str, int] = {}
        self._ran_at: dict[str, float] = {}
        self._looked_at = -_LOOK_S
        self._waited_s = 0.0

    def workers(self) -> Mapping[str, int]:
        """Return the workers that live, and how many threads each has.

        Raises
        ------
        WorkerError
            If the scheduler is lost, or no worker has been left for half a minute.
        """
        if monotonic() - self._looked_at >= _LOOK_S and self._ended.empty():
            self._look()
        return self._workers

    def _look(self) -> None:
        try:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
        except OSError:
            found = {}
        if self._client.status != "running":
            raise WorkerError(_LOST)
        now = self._looked_at = monotonic()
        for address, worker in found.items():
            if worker["status"] == "running" or address not in self._ran_at:
                self._ran_at[address] = now
        self._workers = {
            address: worker["nthreads"]
            for address, worker in found.items()
            if now - self._ran_at[address] < _PATIENCE_S
        }
        for worker in {worker for worker, _ in self._handed.values()} - self._workers.keys():
            self._forget(worker)
        if self._workers:
            self._waited_s = 0.0
        elif self._waited_s >= _PATIENCE_S:
            raise WorkerError(
                f"the Dask cluster has had no worker for {_PATIENCE_S:.0f} s; start workers and "
                "repeat the command: what had arrived is kept"
            )

    def hand(self, worker: str, number: int, task: Any) -> None:
        """Give a worker a task."""
        future = self._client.submit(
            attend_kept,
            self._token,
            pickle.dumps((self._work, task), pickle.HIGHEST_PROTOCOL),
            key=f"survey-tools-{self._token}-{number}",
            workers=[worker],
            allow_other_workers=False,
            pure=False,
        )
        self._handed[number] = worker, future
        future.add_done_callback(lambda _: self._ended.put(number))

    def take(self, timeout_s: float) -> Arrival | None:
        """Return the next arrival, or None if none came in time or a worker died.

        Raises
        ------
        WorkerError
            If the scheduler is lost.
        """
        try:
            number = self._ended.get(timeout=timeout_s)
        except Empty:
            self._waited_s += timeout_s
            return None
        self._waited_s = 0.0
        if number not in self._handed:
            return None
        worker, future = self._handed[number]
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                self._forget(worker)
                return None
            arrival = Arrival(number=number, error=error.with_traceback(future.traceback()))
        elif future.status == "cancelled":
            raise WorkerError(_LOST)
        else:
            arrival = self._fetch(number, future)
        del self._handed[number]
        return arrival

    def _fetch(self, number: int, future: Any) -> Arrival:
        """Fetch a result from its worker, which may have died after it was done.

        ``future.result()`` would wait for the dead worker to compute it anew.
        """
        try:
            answer = self._client.sync(self._client.scheduler.gather, keys=[future.key])
        except OSError:
            answer = {"status": "error"}
        if answer["status"] == "OK":
            return Arrival(number=number, result=answer["data"][future.key])
        self._client.cancel([future])
        return Arrival(number=number, is_lost=True)

    def _forget(self, worker: str) -> None:
        self._workers.pop(worker, None)
        numbers = [number for number, (had, _) in self._handed.items() if had == worker]
        self._client.cancel([self._handed.pop(number)[1] for number in numbers])

    def release(self) -> None:
        """Cancel the tasks in hand; what is computed already is computed to its end."""
        self._client.cancel([future for _, future in self._handed.values()])
        self._handed.clear()


_LOST = (
    "the connection to the Dask scheduler is lost, and with it the tasks in hand; start it and "
    "repeat the command: what had arrived is kept"
)
