"""Dispatch: who is blamed for the death of a worker, and what is handed out when."""

from collections.abc import Mapping

from survey_tools.robustness.dispatch import Arrival, Crew, dispatch

KILLER = 7


class ToyCrew:
    """Workers of a toy world: each computes its oldest tasks; the killer ends its worker."""

    def __init__(self, n_workers: int, n_at_once: int) -> None:
        self.n_at_once = n_at_once
        self.n_hired = 0
        self.hands: dict[str, list[tuple[int, int]]] = {}
        self.handed: list[tuple[str, int, int]] = []
        for _ in range(n_workers):
            self.hire()

    def hire(self) -> None:
        self.hands[f"worker {self.n_hired}"] = []
        self.n_hired += 1

    def workers(self) -> Mapping[str, int]:
        return dict.fromkeys(self.hands, self.n_at_once)

    def hand(self, worker: str, number: int, task: int) -> None:
        self.handed.append((worker, task, len(self.hands[worker])))
        self.hands[worker].append((number, task))

    def take(self, timeout_s: float) -> Arrival | None:
        assert timeout_s > 0
        worker, hand = max(self.hands.items(), key=lambda item: len(item[1]))
        if not hand:
            return None
        if KILLER in [task for _, task in hand[: self.n_at_once]]:
            del self.hands[worker]
            self.hire()
            return None
        number, task = hand.pop(0)
        return Arrival(number=number, result=-task)


def test_the_killer_alone_is_blamed_where_workers_compute_one() -> None:
    """The task that waited behind it is handed out again as if it had never been."""
    crew: Crew = ToyCrew(2, 1)
    found = {done.task: done for done in dispatch(crew, range(20))}
    killer = found.pop(KILLER)
    assert (killer.n_attempts, killer.failure) == (3, "worker process ended 3 times")
    assert {task: done.result for task, done in found.items()} == {task: -task for task in found}
    assert len(found) == 19
    assert {done.n_attempts for done in found.values()} == {1}


def test_those_beside_the_killer_are_blamed_once() -> None:
    """Suspects are repeated alone, so the innocent come back after their second attempt."""
    crew = ToyCrew(2, 3)
    found = {done.task: done for done in dispatch(crew, range(40))}
    assert found.pop(KILLER).n_attempts == 3
    blamed = [task for task, done in found.items() if done.n_attempts > 1]
    assert 1 <= len(blamed) <= 2
    assert {found[task].n_attempts for task in blamed} == {2}
    for suspect in (KILLER, *blamed):
        again = [beside for _, task, beside in crew.handed if task == suspect][1:]
        assert set(again) == {0}


def test_nothing_is_handed_to_a_suspect_s_worker() -> None:
    """Not even when it is the only one."""
    crew = ToyCrew(1, 1)
    found = [done.task for done in dispatch(crew, range(10))]
    assert sorted(found) == list(range(10))
    first, *later = [worker for worker, task, _ in crew.handed if task == KILLER]
    assert len({first, *later}) == 3
    for worker in later:
        assert [task for name, task, _ in crew.handed if name == worker] == [KILLER]


def test_tasks_are_spread_evenly() -> None:
    """One for each worker before a second for any."""
    crew = ToyCrew(3, 1)
    next(dispatch(crew, range(100)))
    assert [worker for worker, _, _ in crew.handed] == [f"worker {i}" for i in (0, 1, 2, 0, 1, 2)]


def test_tasks_wait_while_there_is_no_worker() -> None:
    """As while Dask starts another: none is lost."""

    class LateCrew(ToyCrew):
        n_looks = 0

        def workers(self) -> Mapping[str, int]:
            self.n_looks += 1
            if self.n_looks == 5:
                self.hire()
            return super().workers()

        def take(self, timeout_s: float) -> Arrival | None:
            return super().take(timeout_s) if self.hands else None

    assert sorted(done.task for done in dispatch(LateCrew(0, 1), range(4))) == [0, 1, 2, 3]


def test_a_lost_result_is_computed_anew() -> None:
    """Its worker died after it: the task is not to blame."""

    class ForgetfulCrew(ToyCrew):
        n_lost = 0

        def take(self, timeout_s: float) -> Arrival | None:
            arrival = super().take(timeout_s)
            if arrival and arrival.result == -2 and not self.n_lost:
                self.n_lost += 1
                return Arrival(number=arrival.number, is_lost=True)
            return arrival

    found = {done.task: done for done in dispatch(ForgetfulCrew(2, 1), range(5))}
    assert {task: done.result for task, done in found.items()} == {0: 0, 1: -1, 2: -2, 3: -3, 4: -4}
    assert {done.n_attempts for done in found.values()} == {1}
