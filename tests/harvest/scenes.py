"""A harvest against the fake arXiv, in virtual time, and what must hold after every one.

`Scene.run` harvests and checks the manners of the run (one connection, the gap between two
requests, the count of requests); `Scene.check` compares the store with the truth: each paper is
stored without a difference, or lies in a window that the report names.
"""

import random
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import arxiv_oai
import pytest
from arxiv_atom import render_entry
from arxiv_server import ArxivServer, TruePaper, make_truth
from arxiv_server import Request as ServerRequest

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.harvest.by_day import OaiWay
from survey_tools.harvest.by_id import IdWay
from survey_tools.harvest.by_query import QueryWay
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.desk import Way
from survey_tools.harvest.harvester import HarvestReport, Services, harvest
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire, Reply, Request

Kind = Literal["query", "ids", "oai"]
KINDS: tuple[Kind, ...] = ("query", "ids", "oai")
GAP_S = 3.0
N_PAPERS, N_ON_A_PAGE, N_IDS_ASKED = 72, 15, 24
SINCE = date(2024, 1, 1)
CLEAN = {"query": 5, "ids": 3, "oai": 9}  # requests of a run without faults


def make_corpus(n: int = N_PAPERS, seed: int = 3, **changes: Any) -> list[TruePaper]:
    """Invent papers of the last three years, so that OAI-PMH is asked for three spans only."""
    changes.setdefault("first", datetime(2024, 1, 1, tzinfo=UTC))
    return make_truth(n, seed, **changes)


class FakeClock:
    """Real time plus all that was slept, so that nothing waits and gaps still add up."""

    def __init__(self, day: str = "2026-11-20") -> None:
        self.slept_s = 0.0
        self.waits: list[float] = []
        self._real = SystemClock()
        self._begin_s = self._real.monotonic()
        self._start = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)
        self.set_back = timedelta()

    def monotonic(self) -> float:
        return self._real.monotonic() + self.slept_s

    def now(self) -> datetime:
        passed = timedelta(seconds=self.monotonic() - self._begin_s)
        return self._start + passed - self.set_back

    def sleep(self, seconds: float) -> None:
        self.slept_s += max(0.0, seconds)
        self.waits.append(seconds)


class WatchedWire:
    """The real wire, which notes how much was slept before each request.

    The server's own clock runs in real time; with what was slept added, its times of arrival
    are those of a server that lives in the harvester's virtual time.
    """

    def __init__(self, clock: FakeClock, *, deadline_s: float, max_requests: int) -> None:
        self._clock = clock
        self._wire = HttpWire(deadline_s=deadline_s)
        self._max_requests = max_requests
        self.slept_s: list[float] = []

    def send(self, request: Request, *, on_answer: Callable[[], None]) -> Reply:
        assert len(self.slept_s) < self._max_requests, "one request more than the bound"
        self.slept_s.append(self._clock.slept_s)
        return self._wire.send(request, on_answer=on_answer)


@dataclass
class Scene:
    """A fake arXiv, one store, and one clock.

    Attributes
    ----------
    gaps_s : list of float
        Virtual seconds between the arrivals of two requests of one run, as the server saw them.
    """

    server: ArxivServer
    store_path: Path
    clock: FakeClock
    page_size: int = N_ON_A_PAGE
    deadline_s: float = 240.0
    since: date = SINCE
    gaps_s: list[float] = field(default_factory=list)

    # ---- asking -------------------------------------------------------------------------

    def way(self, kind: Kind, **changes: Any) -> Way:
        """Ask for everything since `since`: by query, by ids, or by OAI-PMH."""
        if kind == "query":
            given = {"url": self.server.api_url, "since": self.since, "page_size": self.page_size}
            return QueryWay(changes.pop("query", None), **given | changes)
        if kind == "oai":
            return OaiWay(None, **{"url": self.server.oai_url, "since": self.since} | changes)
        ids = [parse_arxiv_id(paper.arxiv_id) for paper in self.server.truth]
        return IdWay(changes.pop("ids", ids), url=self.server.api_url, **changes)

    def run(
        self,
        way: Way | Kind,
        *,
        clock: FakeClock | None = None,
        patience_s: float = 7200.0,
        max_requests: int = 400,
        store_path: Path | None = None,
    ) -> HarvestReport:
        """Harvest, and check the run's manners; no request beyond ``max_requests`` is sent."""
        if isinstance(way, str):
            way = self.way(way)
        clock = clock or self.clock
        wire = WatchedWire(clock, deadline_s=self.deadline_s, max_requests=max_requests)
        services = Services(
            url=self.server.oai_url if way.kind == "oai" else self.server.api_url,
            gap_s=GAP_S,
            patience_s=patience_s,
            clock=clock,
            wire=wire,
            rng=random.Random(0),
        )
        n_before = len(self.server.log)
        with Store(store_path or self.store_path) as store:
            store.query("PRAGMA synchronous = OFF")  # no power is cut here
            report = harvest(way, store, services, resume=f"go on by {way.kind}")
        arrived = [request.arrived for request in self.server.log[n_before:]]
        assert report.n_requests == len(wire.slept_s) == len(arrived), "uncounted requests"
        times = [real + slept for real, slept in zip(arrived, wire.slept_s, strict=True)]
        gaps_s = [after - before for before, after in pairwise(times)]
        assert not [gap for gap in gaps_s if gap < GAP_S], "two requests too close"
        assert self.server.max_open_connections <= 1
        assert self.server.max_open_requests <= 1
        self.gaps_s += gaps_s
        return report

    def run_blind(self, way: Way, url: str) -> HarvestReport:
        """Harvest from an address at which the server never sees a request."""
        services = Services(
            url=url, gap_s=GAP_S, clock=self.clock, wire=HttpWire(), rng=random.Random(0)
        )
        with Store(self.store_path) as store:
            report = harvest(way, store, services, resume="go on")
        self.server.log.clear()  # a greeting by TLS is no request
        return report

    def next_day(self, day: str = "2026-11-21") -> None:
        """Let the clock and the server go on to another day."""
        self.server.set_today(date.fromisoformat(day))
        left = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC) - self.clock.now()
        self.clock.sleep(left.total_seconds())

    def at(self, number: int, action: Callable[[], object]) -> None:
        """Do something on the server as its request of a number arrives, before it is answered."""

        def act(request: ServerRequest) -> bool:
            if request.number == number:
                action()
            return False

        self.server.schedule("404", on=act)

    # ---- faults that stay ---------------------------------------------------------------

    def spoil(self, paper_id: str, change: Callable[[str], str], monkeypatch: Any) -> None:
        """Let each reply that holds a paper hold it changed, as if arXiv stored it so."""
        row = self.server.catalogue.find(paper_id)
        assert row is not None
        row.entry = change(render_entry(row))
        render = arxiv_oai.render_record

        def render_spoilt(paper: TruePaper, prefix: str) -> str:
            text = render(paper, prefix)
            return change(text) if paper.arxiv_id == paper_id else text

        monkeypatch.setattr(arxiv_oai, "render_record", render_spoilt)

    # ---- what must hold -----------------------------------------------------------------

    def stored(self, store_path: Path | None = None) -> dict[str, ArxivRecord]:
        """Return what the store holds, by id."""
        with Store(store_path or self.store_path) as store:
            return {record.arxiv_id: record for record in store.iterate()}

    def lacking(self, papers: Iterable[TruePaper] | None = None) -> list[TruePaper]:
        """Return the papers that the store does not hold."""
        stored = self.stored()
        wanted = self.server.truth if papers is None else papers
        return [paper for paper in wanted if paper.arxiv_id not in stored]

    def check(
        self,
        report: HarvestReport,
        *,
        status: str,
        wanted: Sequence[TruePaper] | None = None,
    ) -> None:
        """Compare store and report with the truth.

        Parameters
        ----------
        wanted : sequence of TruePaper or None
            What was asked for, where it is not all that the server shows.
        """
        truth = self.server.truth if wanted is None else wanted
        check_store(self.stored(), truth, report, status=status)

    def counts(self) -> dict[str, int]:
        """Count the rows of each table that a harvest fills."""
        connection = sqlite3.connect(self.store_path)
        try:
            tables = ("papers", "versions", "windows", "members", "pages", "quarantine")
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
                for table in tables
            }
        finally:
            connection.close()

    def check_quiet(self, way: Callable[[], Way] | Kind) -> None:
        """Run what is complete again on the same day: no request, no row."""
        rows, papers = self.counts(), self.stored()
        report = self.run(way if isinstance(way, str) else way())
        assert (report.status, report.n_requests) == ("complete", 0)
        assert self.counts() == rows
        assert self.stored() == papers

    def ledger(self, store: Store) -> Ledger:
        """Open the books of a store."""
        return Ledger(store, self.clock)


def check_store(
    stored: dict[str, ArxivRecord],
    truth: Sequence[TruePaper],
    report: HarvestReport,
    *,
    status: str,
) -> None:
    """Compare what is stored, and what a report names as missing, with the truth."""
    assert report.status == status, report
    wrong = [text for paper in truth for text in differences(stored.get(paper.arxiv_id), paper)]
    assert not wrong, wrong[:5]
    invented = set(stored) - {paper.arxiv_id for paper in truth}
    assert not invented
    lacking = [paper for paper in truth if paper.arxiv_id not in stored]
    names = [missing.what for missing in report.missing]
    unnamed = [p.arxiv_id for p in lacking if not any(is_named(p, name) for name in names)]
    assert not unnamed, (unnamed, report)
    needless = set(names) & set(stored)
    # what came malformed may be newer than what is stored
    assert len(needless) <= report.n_quarantined, "named as missing, and stored"
    if status == "complete":
        assert not names
        assert report.error is None
        assert report.n_records >= len(truth)
    else:  # a run may be stopped when all is there and only the books are open
        assert names or (status == "stopped" and not lacking), "incomplete, but nothing is named"


def differences(record: ArxivRecord | None, paper: TruePaper) -> list[str]:
    """List the fields in which a stored record differs from the truth; none if not stored."""
    if record is None:
        return []
    fields = [
        ("title", record.title, paper.title),
        ("abstract", record.abstract, paper.abstract),
        ("authors", record.authors, paper.authors),
        ("categories", record.categories, paper.categories),
        ("version", record.version, len(paper.versions)),
        ("withdrawn", record.withdrawn, paper.withdrawn),
        ("comment", record.comment, paper.comment),
        ("journal_ref", record.journal_ref, paper.journal_ref),
        ("doi", record.doi, paper.doi),
        ("license", record.license_url or paper.license, paper.license),  # Atom has none
        ("versions", record.versions, _true_versions(record, paper)),
    ]
    return [
        f"{paper.arxiv_id} {name}: {found!r}, should be {true!r}"
        for name, found, true in fields
        if found != true
    ]


def _true_versions(record: ArxivRecord, paper: TruePaper) -> tuple[Version, ...]:
    """Return the versions that must be stored: the first and the last, and any that is."""
    held = {version.number for version in record.versions} | {1, len(paper.versions)}
    return tuple(
        Version(number=number, submitted=f"{submitted:%Y-%m-%dT%H:%M:%SZ}", withdrawn=withdrawn)
        for number, submitted, withdrawn in paper.versions
        if number in held
    )


_MINUTES = re.compile(r"submitted (?:from )?(\d{4}-\d\d-\d\d \d\d:\d\d)( on| to (.{16}))")
_DAYS = re.compile(r"changed (?:from )?(\d{4}-\d\d-\d\d)( on| to (.{10}))")


def is_named(paper: TruePaper, what: str) -> bool:
    """Tell whether a paper is, or lies in, what a report names as missing."""
    if what == "all dates" or what == paper.arxiv_id or what.startswith(f"{paper.arxiv_id}v"):
        return True
    if match := _MINUTES.match(what):
        minute = f"{paper.versions[0].submitted:%Y-%m-%d %H:%M}"
        return match[1] <= minute and (match[3] is None or minute <= match[3])
    if match := _DAYS.match(what):
        day = paper.datestamp.isoformat()
        return match[1] <= day and (match[3] is None or day <= match[3])
    return False


@pytest.fixture
def clock() -> FakeClock:
    """Virtual time that begins on the fake server's day."""
    return FakeClock()


@pytest.fixture(scope="session")
def corpus() -> list[TruePaper]:
    """Papers of three years: five pages by query, three slices of ids, three spans of days."""
    return make_corpus()


@pytest.fixture
def scene(
    corpus: list[TruePaper], tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """Put the corpus behind a fake arXiv, with an empty store; ids are asked by 24."""
    monkeypatch.setattr("survey_tools.harvest.by_id.N_IDS", N_IDS_ASKED)
    server = ArxivServer(corpus, n_records=N_ON_A_PAGE).__enter__()
    try:
        yield Scene(server, tmp_path / "harvest.db", clock)
        assert not server.errors, server.errors
    finally:
        Thread(target=server.stop).start()  # some milliseconds that no test need wait for
