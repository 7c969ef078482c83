"""Processes that are killed, stopped, doubled or starved of disk leave a store that goes on.

All run in real time against the fake arXiv, with a gap of 50 ms; what the server saw is checked
over all processes: no two requests closer than the gap, and never two connections.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from arxiv_server import ArxivServer, TruePaper, write_snapshot
from scenes import check_store, differences, make_corpus

from survey_tools.harvest.harvester import HarvestReport, Missing
from survey_tools.harvest.paper_rows import Stored
from survey_tools.harvest.record import ArxivRecord
from survey_tools.harvest.store import Store

SCRIPT = Path(__file__).with_name("harvest_process.py")
GAP_S = 0.05
N_PAPERS, N_ON_A_PAGE = 240, 25
CLEAN = {"query": 10, "oai": 14, "ids": 2}  # requests of a run without faults
LONGEST_S = 60  # until a test gives a process up


class Harvester:
    """A harvest in another process."""

    def __init__(self, kind: str, url: str, store: Path, *options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, kind, url, store, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, HarvestReport | None, str]:
        """Wait for the end; return exit code, report and what was said on stderr."""
        output, errors = self.process.communicate(timeout=LONGEST_S)
        if not output:
            return self.process.returncode, None, errors
        data = json.loads(output)
        data["missing"] = tuple(Missing(**missing) for missing in data["missing"])
        data["stored"] = Stored(**data["stored"])
        return self.process.returncode, HarvestReport(**data), errors

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()
        self.process.communicate(timeout=LONGEST_S)

    def wait_for(self, is_reached: Callable[[], bool]) -> None:
        """Wait until something is so, or the process has ended."""
        deadline = time.monotonic() + LONGEST_S
        while self.process.poll() is None and not is_reached():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.fixture(scope="module")
def truth() -> list[TruePaper]:
    return make_corpus(N_PAPERS, seed=12)


@pytest.fixture
def server(truth: list[TruePaper]) -> Iterator[ArxivServer]:
    today = datetime.now(UTC).date()  # as the harvesters' clocks say
    with ArxivServer(truth, today=today, n_records=N_ON_A_PAGE) as running:
        yield running


@pytest.fixture
def start(server: ArxivServer) -> Iterator[Callable[..., Harvester]]:
    """Give a function that starts harvests; what is left of them is ended."""
    started: list[Harvester] = []

    def start_one(kind: str, store: Path, *options: object) -> Harvester:
        url = server.oai_url if kind == "oai" else server.api_url
        if kind == "ids":
            options += ("--ids", ",".join(paper.arxiv_id for paper in server.truth))
        elif kind != "snapshot":
            options += ("--since", "2024-01-01")
        started.append(Harvester(kind, url, store, "--gap", GAP_S, *options))
        return started[-1]

    yield start_one
    for harvester in started:
        if harvester.process.poll() is None:
            harvester.kill()


def read_store(path: Path) -> dict[str, ArxivRecord]:
    """Return what a store holds, by id, and see that it is sound."""
    if not path.exists():
        return {}
    with Store(path) as store:
        assert store.query("PRAGMA integrity_check") == [("ok",)]
        assert store.query("PRAGMA foreign_key_check") == []
        return {record.arxiv_id: record for record in store.iterate()}


def check_no_difference(path: Path, truth: Sequence[TruePaper]) -> None:
    """See that what is stored so far is true, and each stored page with all its records."""
    stored = read_store(path)
    assert not [text for p in truth for text in differences(stored.get(p.arxiv_id), p)]
    assert set(stored) <= {paper.arxiv_id for paper in truth}
    if not path.exists():
        return
    with Store(path) as store:
        members = {row[0] for row in store.query("SELECT arxiv_id FROM members")}
        (n_entries,) = store.query("SELECT coalesce(sum(n_entries), 0) FROM pages")[0]
        (n_pages,) = store.query("SELECT count(*) FROM pages")[0]
    assert members == set(stored)
    assert n_entries >= len(stored)
    assert bool(n_pages) == bool(stored)


def check_manners(server: ArxivServer, gap_s: float = GAP_S) -> None:
    """See that the server was asked politely, over all processes."""
    times = [request.arrived for request in server.log]
    least = gap_s - 0.1  # arrivals are clocked by threads of the server, which may wait for a core
    assert not [late - early for early, late in pairwise(times) if late - early < least]
    assert server.max_open_connections <= 1
    assert server.max_open_requests <= 1


def finish(
    start: Callable[..., Harvester], kind: str, store: Path, truth: Sequence[TruePaper]
) -> None:
    """Run to the end and compare with the truth."""
    code, report, errors = start(kind, store).end()
    assert report is not None, errors
    check_store(read_store(store), truth, report, status="complete")
    assert code == 0


# ---- kill -9 --------------------------------------------------------------------------------


def kill_and_resume(
    seed: int,
    kind: str,
    n_kills: int,
    server: ArxivServer,
    start: Callable[..., Harvester],
    store: Path,
) -> None:
    """Kill a harvest at random points, each time after some requests, then let it finish."""
    rng = random.Random(f"{kind} {seed}")
    for _ in range(n_kills):
        n_before = len(server.log)
        harvester = start(kind, store)
        n_requests = rng.randrange(CLEAN[kind] // 2 + 1)
        harvester.wait_for(lambda: len(server.log) >= n_before + n_requests)  # noqa: B023
        time.sleep(rng.uniform(0, 2 * GAP_S))
        harvester.kill()
        check_no_difference(store, server.truth)
    finish(start, kind, store, server.truth)
    n_asked = len(server.log)
    assert n_asked <= CLEAN[kind] + 4 * n_kills
    finish(start, kind, store, server.truth)
    assert len(server.log) == n_asked
    check_manners(server)


@pytest.mark.parametrize("kind", ["query", "oai", "ids"])
def test_a_killed_harvest_goes_on(
    kind: str, server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """After kill -9 at two random points nothing is lost, torn or asked for without need."""
    kill_and_resume(0, kind, 2, server, start, tmp_path / "harvest.db")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["query", "oai"])
@pytest.mark.parametrize("seed", range(1, 26))
def test_a_killed_harvest_goes_on_wherever_it_was(
    seed: int, kind: str, server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """The same at 50 more random points, two ways of harvesting."""
    kill_and_resume(seed, kind, 1, server, start, tmp_path / "harvest.db")


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 11))]
)
def test_a_killed_import_goes_on(
    seed: int, truth: list[TruePaper], start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """A snapshot that was being read when the process died is read on, not anew."""
    path = write_snapshot(truth, tmp_path / "snapshot.json")
    store = tmp_path / "harvest.db"
    rng = random.Random(seed)
    n_kills = 0
    while n_kills < 2:
        harvester = start("snapshot", store, "--file", path, "--n-lines", 5)
        harvester.wait_for(store.exists)
        time.sleep(rng.uniform(0, 0.1))
        harvester.kill()
        n_kills += 1
        stored = read_store(store)
        assert not [text for p in truth for text in differences(stored.get(p.arxiv_id), p)]
        assert len(stored) % 5 == 0
    code, report, errors = start("snapshot", store, "--file", path).end()
    assert report is not None, errors
    check_store(read_store(store), truth, report, status="complete")
    assert code == 0
    assert report.stored.n_new == N_PAPERS - len(stored)
    assert report.stored.n_unchanged == 0


def test_a_killed_request_still_keeps_the_next_one_away(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """Whoever dies in the middle of a request has sent it: the gap counts for the next process."""
    gap_s = 1.5
    server.schedule("hang", on=2)
    first = start("query", tmp_path / "harvest.db", "--gap", gap_s)
    first.wait_for(lambda: len(server.log) == 2)
    first.kill()
    second = start("query", tmp_path / "harvest.db", "--gap", gap_s)
    second.wait_for(lambda: len(server.log) == 3)
    second.kill()
    check_manners(server, gap_s)


# ---- two at once ----------------------------------------------------------------------------


def test_two_harvesters_on_one_store(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """Two jobs write one store in turns; both are whole, and the server sees one polite client."""
    store = tmp_path / "harvest.db"
    harvesters = [start("query", store), start("oai", store)]
    for harvester in harvesters:
        code, report, errors = harvester.end()
        assert report is not None, errors
        assert code == 0
        assert report.status == "complete"
    stored = read_store(store)
    assert not [text for p in server.truth for text in differences(stored.get(p.arxiv_id), p)]
    assert len(stored) == N_PAPERS
    assert len(server.log) == CLEAN["query"] + CLEAN["oai"]
    check_manners(server)


def test_two_harvesters_on_one_job(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """The second one is told that another process is at it, and changes nothing."""
    store = tmp_path / "harvest.db"
    first = start("query", store)
    first.wait_for(lambda: len(server.log) >= 1)
    code, report, errors = start("query", store, "--page-size", 25).end()
    assert (code, report) == (1, None)
    assert f"process {first.process.pid} is harvesting this already" in errors
    assert first.end()[0] == 0
    finish(start, "query", store, server.truth)
    assert len(server.log) == CLEAN["query"]
    check_manners(server)


def test_two_harvesters_on_two_stores(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """The gate holds for the machine, not for a store."""
    stores = [tmp_path / "one.db", tmp_path / "two.db"]
    harvesters = [start(kind, store) for kind, store in zip(("query", "ids"), stores, strict=True)]
    for harvester, store in zip(harvesters, stores, strict=True):
        _, report, errors = harvester.end()
        assert report is not None, errors
        check_store(read_store(store), server.truth, report, status="complete")
    check_manners(server)


def test_a_cool_down_holds_for_the_other_process(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """What one is told (to rest three seconds), the other obeys."""
    server.schedule("429", on=3, retry_after=1)
    harvesters = [start("query", tmp_path / "one.db"), start("ids", tmp_path / "two.db")]
    assert [harvester.end()[0] for harvester in harvesters] == [0, 0]
    arrived = [request.arrived for request in server.log]
    assert arrived[3] - arrived[2] >= 3.0
    check_manners(server)


# ---- signals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "fault", "number"),
    [
        ("oai", (), None, signal.SIGTERM),
        ("ids", ("--gap", 0.8), None, signal.SIGINT),
        ("query", (), "hang", signal.SIGTERM),
        ("query", (), "429", signal.SIGINT),
        ("oai", (), "503", signal.SIGTERM),
    ],
    ids=["at-work", "in-a-gap", "in-a-request", "in-a-rest", "in-a-rest-oai"],
)
def test_a_signal_ends_in_a_report(
    kind: str,
    options: tuple[object, ...],
    fault: str | None,
    number: signal.Signals,
    server: ArxivServer,
    start: Callable[..., Harvester],
    tmp_path: Path,
) -> None:
    """Ctrl-C and SIGTERM roll the page back and say what is missing; the next run goes on."""
    store = tmp_path / "harvest.db"
    if fault:
        server.schedule(fault, on=2)
    harvester = start(kind, store, *options, "--patience", 1000)
    harvester.wait_for(lambda: len(server.log) >= (2 if fault or kind != "ids" else 1))
    time.sleep(GAP_S)
    harvester.process.send_signal(number)
    code, report, errors = harvester.end()
    assert errors == ""
    assert report is not None
    assert code == 3
    assert report.resume == "the same again"
    check_store(read_store(store), server.truth, report, status="stopped")
    check_no_difference(store, server.truth)
    server.clear_schedule()
    if fault not in ("429", "503"):  # the rest is kept, and a test does not wait for it
        finish(start, kind, store, server.truth)
    check_manners(server)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_a_signal_at_any_moment_ends_in_a_report(
    seed: int, server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """Thirty random moments, SIGINT or SIGTERM."""
    rng = random.Random(seed)
    store = tmp_path / "harvest.db"
    kind = rng.choice(["query", "oai"])
    harvester = start(kind, store)
    n_requests = rng.randrange(1, CLEAN[kind] - 4)
    harvester.wait_for(lambda: len(server.log) >= n_requests)
    time.sleep(rng.uniform(0, 2 * GAP_S))
    harvester.process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM]))
    code, report, errors = harvester.end()
    assert (code, errors) == (3, "")
    assert report is not None
    check_store(read_store(store), server.truth, report, status="stopped")
    check_no_difference(store, server.truth)
    finish(start, kind, store, server.truth)
    check_manners(server)


# ---- the disk -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a file system of some kilobytes, where this user may."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount(disk, request.param):
        pytest.skip("this user may not mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def mount(disk: Path, n_kilobytes: int, *more: str) -> int:
    """Mount, or give an existing mount another size; return the exit code of mount."""
    options = ",".join([*more, f"size={n_kilobytes}k"])
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("small_disk", [100, 700], indirect=True)
def test_a_full_disk_loses_no_page_but_the_last(
    small_disk: Path, server: ArxivServer, start: Callable[..., Harvester]
) -> None:
    """The message says so in one line; when there is room the same command goes on."""
    store = small_disk / "harvest.db"
    code, report, errors = start("oai", store).end()
    assert (code, report) == (1, None)
    assert errors.count("\n") == 1
    assert "the disk is full" in errors
    n_asked = len(server.log)
    assert mount(small_disk, 64_000, "remount") == 0
    check_no_difference(store, server.truth)
    finish(start, "oai", store, server.truth)
    assert len(server.log) <= n_asked + CLEAN["oai"] + 3
    check_manners(server)


def test_a_database_that_may_not_grow_loses_no_page_but_the_last(
    server: ArxivServer, start: Callable[..., Harvester], tmp_path: Path
) -> None:
    """The same where no disk can be mounted: SQLite is told that it is full."""
    store = tmp_path / "harvest.db"
    code, report, errors = start("query", store, "--max-pages", 40).end()
    assert (code, report) == (1, None)
    assert "the disk is full" in errors
    check_no_difference(store, server.truth)
    finish(start, "query", store, server.truth)
    check_manners(server)
