"""Tasks handed out to workers, a few ahead, and what came of them, deaths of workers included."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Arrival", "Crew", "Done", "dispatch"]

_N_DEATHS = 3  # Dask's default too: distributed.scheduler.allowed-failures
_N_AHEAD = 2  # tasks for each that a worker computes at once, so that it waits for none
_TICK_S = 0.25  # longest wait for an arrival before the workers are counted again

Task = TypeVar("Task")
Task_co = TypeVar("Task_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Task_co, Result_co]):
    """What came of a task.

    Attributes
    ----------
    task : object
    result : object or None
        None if it failed.
    n_attempts : int
        Times that it was begun, those included that ended with their worker.
    failure : str
        Why there is no result; empty if there is one.
    """

    task: Task_co
    result: Result_co | None
    n_attempts: int = 1
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The end of an attempt: a result, the error that it raised, or a result that was lost."""

    number: int
    result: Any = None
    error: BaseException | None = None
    is_lost: bool = False


class Crew(Protocol):
    """Workers, each of which computes what it is handed in the order of handing."""

    def workers(self) -> Mapping[str, int]:
        """Return the workers that live, and how many tasks each computes at once.

        A worker that takes the place of a dead one has another name.
        """

    def hand(self, worker: str, number: int, task: Any) -> None:
        """Give a worker a task; ``number`` names the attempt."""

    def take(self, timeout_s: float) -> Arrival | None:
        """Return the next arrival, or None if none came in time."""


@dataclass(slots=True)
class _Attempt:
    task: Any
    n_deaths: int = 0
    number: int = -1


@dataclass(slots=True)
class _Seat:
    """What a worker has in hand, oldest first; a suspect is there alone."""

    n_at_once: int
    attempts: list[_Attempt] = field(default_factory=list)
    is_alone: bool = False

    @property
    def load(self) -> float:
        return len(self.attempts) / self.n_at_once


def dispatch(crew: Crew, tasks: Iterable[Task]) -> Generator[Done[Task, Any], None, None]:
    """Have a crew compute tasks and yield them as they are done.

    A worker computes its tasks in their order, so the oldest in hand were being computed when
    it died: these are suspects and are repeated, each with a worker that has nothing else in
    hand, so that no task is blamed twice for another's death. The others are simply handed out
    again.

    Parameters
    ----------
    tasks : iterable
        Taken lazily: at most two are in hand for each that a worker computes at once.

    Raises
    ------
    Exception
        What ``work`` raises, and what the crew does.
    """
    desk = _Desk(crew, iter(tasks))
    while True:
        yield from desk.bury()
        desk.hand_out()
        if desk.is_empty():
            return
        arrival = crew.take(_TICK_S)
        attempt = arrival and desk.take_back(arrival.number)
        if not arrival or not attempt:
            continue
        if arrival.error is not None:
            raise arrival.error
        if arrival.is_lost:
            desk.repeat(attempt)
        else:
            yield Done(task=attempt.task, result=arrival.result, n_attempts=attempt.n_deaths + 1)


class _Desk:
    """Who has what in hand, and what waits."""

    def __init__(self, crew: Crew, tasks: Iterator[Any]) -> None:
        self._crew = crew
        self._tasks = tasks
        self._again: deque[_Attempt] = deque()
        self._suspects: deque[_Attempt] = deque()
        self._seats: dict[str, _Seat] = {}
        self._n_handed = 0

    def bury(self) -> Iterator[Done[Any, Any]]:
        """Clear the seats of dead workers; yield the tasks that killed too many."""
        living = self._crew.workers()
        for worker in [name for name in self._seats if name not in living]:
            seat = self._seats.pop(worker)
            for attempt in seat.attempts[: seat.n_at_once]:
                attempt.n_deaths += 1
                if attempt.n_deaths < _N_DEATHS:
                    self._suspects.append(attempt)
                    continue
                yield Done(
                    task=attempt.task,
                    result=None,
                    n_attempts=attempt.n_deaths,
                    failure=f"worker process ended {_N_DEATHS} times",
                )
            self._again.extend(seat.attempts[seat.n_at_once :])
        for worker, n_at_once in living.items():
            self._seats.setdefault(worker, _Seat(n_at_once))

    def hand_out(self) -> None:
        """Fill the seats evenly; keep one from filling while a suspect waits for it."""
        for worker, seat in self._seats.items():
            if self._suspects and not seat.attempts:
                seat.is_alone = True
                self._hand(worker, self._suspects.popleft())
        filling = {name: seat for name, seat in self._seats.items() if not seat.is_alone}
        if self._suspects and filling:
            del filling[min(filling, key=lambda name: filling[name].load)]
        while filling:
            worker = min(filling, key=lambda name: filling[name].load)
            if filling[worker].load >= _N_AHEAD or not (attempt := self._next()):
                return
            self._hand(worker, attempt)

    def is_empty(self) -> bool:
        """Whether nothing is in hand and nothing waits."""
        if self._again or self._suspects or any(seat.attempts for seat in self._seats.values()):
            return False
        if attempt := self._next():  # no worker lives that could have taken it
            self._again.append(attempt)
        return not self._again

    def _next(self) -> _Attempt | None:
        if self._again:
            return self._again.popleft()
        for task in self._tasks:
            return _Attempt(task)
        return None

    def _hand(self, worker: str, attempt: _Attempt) -> None:
        attempt.number = self._n_handed
        self._n_handed += 1
        self._seats[worker].attempts.append(attempt)
        self._crew.hand(worker, attempt.number, attempt.task)

    def take_back(self, number: int) -> _Attempt | None:
        """Clear the seat of the attempt of this number; None if its worker was buried before."""
        for seat in self._seats.values():
            for attempt in seat.attempts:
                if attempt.number == number:
                    seat.attempts.remove(attempt)
                    seat.is_alone = False
                    return attempt
        return None

    def repeat(self, attempt: _Attempt) -> None:
        """Hand an attempt out again."""
        self._again.append(attempt)
