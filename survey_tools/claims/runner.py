"""The runner: trials one after another, or in processes of one thread each."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from survey_tools.claims.experiment import Outcome, Trial
from survey_tools.errors import SurveyToolsError
from survey_tools.workers import (
    WorkerError,
    follow_parent,
    hold_interrupts,
    ignore_interrupt,
    limit_threads,
)

__all__ = ["Budget", "TrialResult", "run_trials"]


@dataclass(slots=True, kw_only=True)
class Budget:
    """Seconds after which no trial is begun; None for as many as are needed."""

    seconds: float | None
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def is_spent(self) -> bool:
        """Whether no further trial may begin."""
        return self.seconds is not None and self.clock() - self._began >= self.seconds

    @property
    def reason(self) -> str:
        """Why a trial was not begun."""
        return f"the time budget of {self.seconds:g} s was spent; run it again to go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """A trial with its outcome, or why it has none."""

    trial: Trial
    outcome: Outcome | None
    reason: str = ""


def run_trials(trials: Sequence[Trial], *, n_workers: int, budget: Budget) -> Iterator[TrialResult]:
    """Run trials and yield each result as it comes.

    Those that measure time come first and alone, in this process, with nothing beside them.

    Raises
    ------
    WorkerError
        If a process ends of itself, for example for want of memory.
    """
    timings = [trial for trial in trials if trial.kind.is_timing]
    others = [trial for trial in trials if not trial.kind.is_timing]
    yield from _run_here(timings, budget)
    if n_workers > 1 and len(others) > 1:
        yield from _run_in_processes(others, min(n_workers, len(others)), budget)
    else:
        yield from _run_here(others, budget)


def _run_here(trials: Sequence[Trial], budget: Budget) -> Iterator[TrialResult]:
    for trial in trials:
        if budget.is_spent:
            yield TrialResult(trial=trial, outcome=None, reason=budget.reason)
            continue
        with _one_thread(uses_torch=trial.kind.needs_torch):
            outcome, reason = _run(trial)
        yield TrialResult(trial=trial, outcome=outcome, reason=reason)


def _run(trial: Trial) -> tuple[Outcome | None, str]:
    """Run a trial, or say why it has no outcome; the trial itself need not travel back."""
    try:
        return trial.kind.run(trial.parameters, trial.seed), ""
    except SurveyToolsError as error:
        return None, str(error)


@contextmanager
def _one_thread(*, uses_torch: bool) -> Iterator[None]:
    """Compute with one thread, as processes do: so both find the same numbers."""
    with ExitStack() as stack:
        if uses_torch:
            from survey_tools.mae.threads import one_thread

            stack.enter_context(one_thread())  # first: torch takes OpenMP's number for its own
        stack.enter_context(threadpool_limits(limits=1))
        yield


def _begin(*, uses_torch: bool) -> None:
    ignore_interrupt()
    follow_parent()
    limit_threads()
    if uses_torch:
        from survey_tools.mae.threads import keep_one_thread

        keep_one_thread()


def _begin_plain() -> None:
    _begin(uses_torch=False)


def _begin_with_torch() -> None:
    _begin(uses_torch=True)


def _run_in_processes(
    trials: Sequence[Trial], n_workers: int, budget: Budget
) -> Iterator[TrialResult]:
    uses_torch = any(trial.kind.needs_torch for trial in trials)
    waiting, running = deque(trials), dict[Future[tuple[Outcome | None, str]], Trial]()
    executor = ProcessPoolExecutor(
        n_workers,
        mp_context=get_context("spawn"),
        initializer=_begin_with_torch if uses_torch else _begin_plain,
    )
    try:
        while waiting or running:
            while waiting and len(running) < n_workers and not budget.is_spent:
                trial = waiting.popleft()
                with hold_interrupts():
                    running[executor.submit(_run, trial)] = trial
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                outcome, reason = future.result()
                yield TrialResult(trial=trial, outcome=outcome, reason=reason)
        for trial in waiting:
            yield TrialResult(trial=trial, outcome=None, reason=budget.reason)
    except BrokenProcessPool:
        raise WorkerError(
            "a process that ran trials has ended, perhaps for want of memory; outcomes so far are "
            "kept: run it again with fewer --workers"
        ) from None
    finally:
        for process in list((executor._processes or {}).values()):  # trials take long: do not wait
            if running:
                process.terminate()
        executor.shutdown(wait=True, cancel_futures=True)
