"""Engines: results in order, few items ahead, errors as they were raised."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask.distributed import LocalCluster

from survey_tools.condense.engines import Engine, EngineChoice, WorkerError, open_engine
from survey_tools.errors import DataError, ParameterError

CHOICES = [
    EngineChoice(),
    pytest.param(EngineChoice(n_workers=2), marks=pytest.mark.slow),
    pytest.param(EngineChoice(name="dask", n_workers=2), marks=pytest.mark.slow),
]


def square(number: int) -> int:
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise DataError("3 is refused; give another number")
    return number


def die(number: int) -> int:
    os._exit(1)


@pytest.fixture(scope="module", params=CHOICES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(request.param) as opened:
        yield opened


def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    """Whoever computes them."""
    assert list(engine(square, range(40))) == [i * i for i in range(40)]


def test_items_are_taken_only_a_few_ahead(engine: Engine) -> None:
    """A stream of a million papers must not lie in memory."""
    n_taken = 0

    def items() -> Iterator[int]:
        nonlocal n_taken
        for i in range(1000):
            n_taken += 1
            yield i

    results = engine(square, items())
    assert next(results) == 0
    assert n_taken <= 5
    results.close()


def test_an_error_of_ours_arrives_as_it_was_raised(engine: Engine) -> None:
    """After the results before it; the engine can still be used."""
    results = engine(refuse_three, range(40))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="3 is refused"):
        next(results)
    assert list(engine(square, [5])) == [25]


@pytest.mark.slow
def test_a_worker_that_dies_is_told() -> None:
    """As when the system takes a process that needs too much memory."""
    with (
        open_engine(EngineChoice(n_workers=2)) as engine,
        pytest.raises(WorkerError, match="a worker process ended before its shard was done"),
    ):
        list(engine(die, range(3)))


def test_no_worker_is_refused() -> None:
    """At least this process computes."""
    with pytest.raises(ParameterError, match="0 workers asked; at least 1"):
        EngineChoice(n_workers=0)


def test_a_scheduler_needs_dask() -> None:
    """Said before anything starts."""
    with pytest.raises(ParameterError, match=r"tcp://host:1\) needs the engine 'dask'"):
        EngineChoice(scheduler="tcp://host:1")


def test_missing_dask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with (
        pytest.raises(ParameterError, match=r"not installed .*install 'survey-tools\[dask\]'"),
        open_engine(EngineChoice(name="dask")),
    ):
        pass


@pytest.mark.slow
def test_dask_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers and its scheduler each have a folder while they run."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_engine(EngineChoice(name="dask")) as engine:
        assert list(engine(square, [3])) == [9]
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_running_scheduler_is_used() -> None:
    """Its workers compute; it goes on when the engine stops."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        for _ in range(2):
            choice = EngineChoice(name="dask", scheduler=cluster.scheduler_address)
            with open_engine(choice) as engine:
                assert list(engine(square, range(10))) == [i * i for i in range(10)]


@pytest.mark.slow
def test_a_scheduler_that_nobody_runs_is_told() -> None:
    """Port 9 discards; no Dask listens there."""
    choice = EngineChoice(name="dask", scheduler="tcp://127.0.0.1:9")
    with (
        pytest.raises(ParameterError, match="no Dask scheduler can be reached"),
        open_engine(choice),
    ):
        pass
