"""Runs of a plan -> outcomes in the store, by any engine, from where it stopped."""

from collections.abc import Iterator

from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.robustness.engines import Engine
from survey_tools.robustness.material import Material
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.run import Run
from survey_tools.robustness.store import OutcomeWriter, Store
from survey_tools.robustness.workbench import do_runs

__all__ = ["chunk_runs", "run_plan", "take_shard"]

# Rough cost of a run of 180 papers, in seconds of one core; only the size of tasks goes by it.
_COST_S = {"k-means": 0.02, "spectral": 0.05, "affinity-propagation": 0.05, "hdbscan": 0.01}
_COST_OF_TREE_S = 0.006
_TASK_S = 0.3  # what is repeated where a worker dies, and what an engine's overhead is held against
_FEWEST_TASKS = 8  # a worker, so that none waits for the last one


def take_shard(runs: tuple[Run, ...], number: int, n_shards: int) -> tuple[Run, ...]:
    """Take the ``number``-th of so many shards (from 1): runs in a row, as they share work."""
    n = len(runs)
    return runs[n * (number - 1) // n_shards : n * number // n_shards]


def run_plan(
    material: Material,
    runs: tuple[Run, ...],
    store: Store,
    writer: OutcomeWriter,
    engine: Engine,
    *,
    n_workers: int,
    progress: CountProgress = ignore_progress,
) -> None:
    """Do all runs that the store has no outcome of.

    Outcomes are written as they arrive. Where a worker dies three times over the same task,
    its runs are done one by one, and a run that kills its worker again becomes a failed one.

    Parameters
    ----------
    progress : callable
        Called as ``progress(n_done, n_all)``, those done before included.
    """
    done = store.done()
    waiting = [run for run in runs if run.run_id not in done]
    n_done = len(runs) - len(waiting)
    progress(n_done, len(runs))
    lost: list[Run] = []
    for found in engine(do_runs, material, chunk_runs(waiting, len(material.corpus), n_workers)):
        if found.result is None and len(found.task) > 1:
            lost += found.task
            continue
        for outcome in found.result or (_failed(found.task[0], found.failure),):
            writer.append(outcome)
            n_done += 1
        progress(n_done, len(runs))
    for found in engine(do_runs, material, ((run,) for run in lost)):
        for outcome in found.result or (_failed(found.task[0], found.failure),):
            writer.append(outcome)
            n_done += 1
        progress(n_done, len(runs))


def _failed(run: Run, why: str) -> Outcome:
    return Outcome(run=run.run_id, failure=why)


def chunk_runs(runs: list[Run], n_papers: int, n_workers: int) -> Iterator[tuple[Run, ...]]:
    """Part runs into tasks of about a third of a second, neighbours together."""
    scale = max(1.0, (n_papers / 180) ** 2)
    costs = [scale * _cost(run) for run in runs]
    most = min(_TASK_S, sum(costs) / (n_workers * _FEWEST_TASKS))
    task: list[Run] = []
    total = 0.0
    for run, cost in zip(runs, costs, strict=True):
        if task and total + cost > most:
            yield tuple(task)
            task, total = [], 0.0
        task.append(run)
        total += cost
    if task:
        yield tuple(task)


def _cost(run: Run) -> float:
    if run.resample == "terms-multiscale":
        return _COST_OF_TREE_S * run.n_replicates
    return _COST_S.get(run.setting.algorithm, _COST_OF_TREE_S)
