"""Engines: the same results whoever computes them, and whatever dies meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine_works
import psutil
import pytest
from dask.distributed import LocalCluster

from survey_tools import dask_cluster
from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness import dask_crew
from survey_tools.robustness.engines import Engine, EngineChoice, open_engine
from survey_tools.workers import WorkerError

HERE = EngineChoice()
THREADS = EngineChoice(name="threads", n_workers=2)
PROCESSES = EngineChoice(name="processes", n_workers=2)
DASK = EngineChoice(name="dask", n_workers=2)
KILLED = "worker process ended 3 times"


def name_of(choice: EngineChoice) -> str:
    return choice.name


@pytest.fixture(scope="module", params=[HERE, THREADS, PROCESSES, DASK], ids=name_of)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(request.param) as opened:
        yield opened


@pytest.fixture(scope="module", params=[PROCESSES, DASK], ids=name_of)
def mortal(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Yield an engine whose workers can die without this process."""
    with open_engine(request.param) as opened:
        yield opened


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    ) as running:
        yield running


def test_every_task_is_done_once(engine: Engine) -> None:
    """Whatever the order of arrival."""
    found = sorted((done.task, done.result) for done in engine(engine_works.add, 100, range(40)))
    assert found == [(task, 100 + task) for task in range(40)]


def test_no_tasks_are_no_work(engine: Engine) -> None:
    """As when a plan is done already."""
    assert list(engine(engine_works.add, 1, ())) == []


def test_tasks_are_taken_a_few_ahead(engine: Engine) -> None:
    """Two for each that is computed: memory does not grow with their number."""
    n_taken = 0

    def tasks() -> Iterator[int]:
        nonlocal n_taken
        for task in range(1000):
            n_taken += 1
            yield task

    found = engine(engine_works.add, 0, tasks())
    assert next(found).n_attempts == 1
    assert n_taken <= 4
    found.close()


def test_an_error_of_the_work_arrives_as_it_was_raised(engine: Engine) -> None:
    """With where it was raised; the engine can still be used."""
    with pytest.raises(DataError, match="3 is refused; give another number") as caught:
        list(engine(engine_works.refuse_three, None, range(40)))
    shown = "".join(str(entry) for entry in caught.traceback) + str(caught.value.__cause__)
    assert "engine_works.py" in shown
    assert [done.result for done in engine(engine_works.refuse_three, None, [5])] == [5]


def test_iteration_can_be_left_early(engine: Engine) -> None:
    """What was in hand is dropped and does not arrive among later results."""
    for _ in engine(engine_works.nap, 0.2, range(20)):
        break
    assert [done.result for done in engine(engine_works.add, 50, [1])] == [51]


def test_one_thread_of_blas_and_openmp(engine: Engine) -> None:
    """Their number may change a sum's last bit."""
    [done] = engine(engine_works.count_threads, None, [0])
    assert len(done.result) >= 2
    assert set(done.result.values()) == {1}


def test_the_shared_object_reaches_each_process_once(mortal: Engine) -> None:
    """However many tasks follow; and the next object takes its place."""
    for n_reads in (1, 2):
        shared = engine_works.Counted()
        found = [done.result for done in mortal(engine_works.count_reads, shared, range(20))]
        assert len({pid for pid, _ in found}) == 2
        assert {n for _, n in found} == {n_reads}


def test_a_killed_worker_loses_only_its_own_task(mortal: Engine) -> None:
    """Which another repeats; a fresh one takes the place of the dead."""
    n_taken = 0
    pids: set[int] = set()

    def tasks() -> Iterator[int]:
        nonlocal n_taken
        while len(pids) < 3 and n_taken < 2000:
            yield n_taken
            n_taken += 1

    found = []
    for done in mortal(engine_works.tell_process, None, tasks()):
        found.append(done)
        pids.add(done.result)
        if len(found) == 10:
            os.kill(done.result, signal.SIGKILL)
    assert len(pids) == 3
    assert sorted(done.task for done in found) == list(range(n_taken))
    assert {done.failure for done in found} == {""}
    assert sum(done.n_attempts - 1 for done in found) == 1


def test_a_task_that_kills_its_workers_is_found(mortal: Engine) -> None:
    """And nothing else fails; Dask may not have heard of a result when the worker dies."""
    found = {done.task: done for done in mortal(engine_works.die_at_seven, None, range(20))}
    guilty = found.pop(7)
    assert (guilty.result, guilty.n_attempts, guilty.failure) == (None, 3, KILLED)
    assert {task: done.result for task, done in found.items()} == {
        task: task for task in range(20) if task != 7
    }
    assert max(done.n_attempts for done in found.values()) <= 2


def test_a_task_that_only_its_first_worker_died_of_is_repeated(
    mortal: Engine, tmp_path: Path
) -> None:
    """As when memory was short for a moment."""
    found = list(mortal(engine_works.die_once, str(tmp_path), range(12)))
    assert sorted(done.result for done in found) == list(range(12))
    assert sum(done.n_attempts - 1 for done in found) == 2


def test_a_running_scheduler_is_used(cluster: LocalCluster) -> None:
    """Its workers compute; it goes on when the engine stops."""
    for _ in range(2):
        choice = EngineChoice(name="dask", scheduler=cluster.scheduler_address)
        with open_engine(choice) as engine:
            found = sorted(done.result for done in engine(engine_works.add, 1, range(10)))
            assert found == list(range(1, 11))
            shared = engine_works.Counted()
            [done] = engine(engine_works.count_reads, shared, [0])
            assert done.result[0] == os.getpid()


@pytest.mark.slow
def test_the_culprit_is_found_at_a_scheduler_that_repeats_by_itself() -> None:
    """Dask's own limit there is four deaths, and it would blame those that wait as well."""
    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as running:
        choice = EngineChoice(name="dask", scheduler=running.scheduler_address)
        with open_engine(choice) as engine:
            found = {done.task: done for done in engine(engine_works.die_at_seven, None, range(20))}
    assert (found[7].n_attempts, found.pop(7).failure) == (3, KILLED)
    assert {done.failure for done in found.values()} == {""}
    assert max(done.n_attempts for done in found.values()) <= 2


def test_all_workers_lost_is_told(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the wait that the message states."""
    monkeypatch.setattr(dask_crew, "_PATIENCE_S", 1.0)
    choice = EngineChoice(name="dask", scheduler=cluster.scheduler_address)
    with open_engine(choice) as engine:
        found = engine(engine_works.nap, 0.05, range(1000))
        next(found)
        cluster.scale(0)
        with pytest.raises(WorkerError, match="no worker for 1 s; start workers and repeat"):
            list(found)


def test_a_scheduler_that_stops_is_told(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: the tasks in hand are lost with it."""
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1)
    choice = EngineChoice(name="dask", scheduler=cluster.scheduler_address)
    with open_engine(choice) as engine:
        found = engine(engine_works.nap, 0.05, range(1000))
        next(found)
        cluster.close()
        with pytest.raises(WorkerError, match="connection to the Dask scheduler is lost"):
            list(found)


def test_a_scheduler_that_nobody_runs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 9 discards; no Dask listens there."""
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1)
    with (
        pytest.raises(ParameterError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler can be"),
        open_engine(EngineChoice(name="dask", scheduler="tcp://127.0.0.1:9")),
    ):
        pass


def test_missing_dask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and what to use instead."""
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with (
        pytest.raises(ParameterError, match=r"\[dask\]' or use the engine 'processes'"),
        open_engine(DASK),
    ):
        pass


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"name": "proceses"}, "no engine 'proceses'; .*processes"),
        ({"name": "processes", "n_workers": 0}, "0 workers asked; at least 1"),
        ({"n_workers": 2}, "2 workers asked of the engine 'here', which is one; use"),
        ({"scheduler": "tcp://host:1"}, r"tcp://host:1\) needs the engine 'dask'"),
        ({"name": "dask", "scheduler": "host:1"}, "'host:1' is no address .* write tcp://"),
    ],
)
def test_a_choice_without_meaning_is_refused(choice: dict[str, Any], message: str) -> None:
    """Before anything starts."""
    with pytest.raises(ParameterError, match=message):
        EngineChoice(**choice)


@pytest.mark.parametrize("choice", [PROCESSES, DASK], ids=name_of)
def test_no_file_and_no_variable_is_left_behind(
    choice: EngineChoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared object lies in one, Dask's workers have folders and inherit what is set."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = dict(os.environ)
    with open_engine(choice) as engine:
        for _ in engine(engine_works.add, 1, range(10)):
            assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    assert dict(os.environ) == before


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import engine_works
from survey_tools.robustness.engines import EngineChoice, open_engine
try:
    with open_engine(EngineChoice(name=sys.argv[2], n_workers=2)) as engine:
        for done in engine(engine_works.nap, 0.3, range(1000)):
            print("done", flush=True)
except KeyboardInterrupt:
    sys.exit("interrupted")
"""

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts a run in a session of its own and waits for its first result."""
    started: list[subprocess.Popen[str]] = []

    def run(name: str) -> "subprocess.Popen[str]":
        folder = str(Path(engine_works.__file__).parent)
        command = [sys.executable, "-W", "error", "-c", SCRIPT, folder, name]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def count_session(leader: int) -> int:
    """Count the living processes of a session."""
    n = 0
    for process in psutil.process_iter():
        try:
            lives = process.status() != psutil.STATUS_ZOMBIE
            n += lives and os.getsid(process.pid) == leader
        except (psutil.Error, ProcessLookupError):
            continue
    return n


def wait_for_end(leader: int) -> None:
    """Wait until no process of a session lives."""
    end = time.monotonic() + 5.0
    while count_session(leader):
        assert time.monotonic() < end, "processes are left behind"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["threads", "processes", "dask"])
def test_an_interrupt_ends_everything_at_once(start: Start, name: str) -> None:
    """Ctrl-C reaches all processes of a terminal; the workers leave it to the first."""
    process = start(name)
    n_processes = 1 if name == "threads" else 3
    assert count_session(process.pid) >= n_processes
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=5.0)
    assert errors == "interrupted\n"
    wait_for_end(process.pid)


@pytest.mark.parametrize("name", ["processes", "dask"])
def test_workers_end_with_a_killed_parent(start: Start, name: str) -> None:
    """Which has no time to end them."""
    process = start(name)
    process.kill()
    process.wait()
    wait_for_end(process.pid)
