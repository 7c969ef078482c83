"""No fault of the service loses, corrupts or invents a record, and every report is true.

`ONCE` and `FOR_EVER` are the table: a fault that comes and goes must leave no trace but the
requests it cost; a fault that stays must end in a report that names what is missing, and the
next run, when the fault is over, must complete. Numbers of rows are those of the house's list
of faults.
"""

import random
import re
import socket
import tracemalloc
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

import pytest
import test_kills
from arxiv_server import ArxivServer, Request, TrueVersion, add_version, write_snapshot
from scenes import (
    CLEAN,
    KINDS,
    N_IDS_ASKED,
    N_ON_A_PAGE,
    N_PAPERS,
    FakeClock,
    Kind,
    Scene,
    differences,
    make_corpus,
)

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError
from survey_tools.harvest.by_file import SnapshotWay
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.memory import Memory
from survey_tools.harvest.store import Store


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    row : int
        Number in the list of faults.
    fault : str
        Name in `arxiv_faults.FAULTS`.
    options : dict
        Of the fault, ``on`` among them.
    kinds : tuple of str
        Ways of harvesting that it can meet.
    n_more : int
        Requests beyond those of a run without faults.
    status : str
        Of the run that meets it.
    is_later : bool
        Whether it is over on the next day only: what arXiv said today is not asked again today.
    """

    row: int
    fault: str
    options: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = KINDS
    n_more: int = 1
    status: str = "complete"
    is_later: bool = False
    deadline_s: float = 240.0


def expand(cases: list[Case]) -> list[Any]:
    """Make a parameter of each case and way, with an id that says both."""
    parameters = []
    for case in cases:
        said = "-".join(f"{k}={v}" for k, v in case.options.items() if not callable(v))
        name = "-".join(filter(None, [f"{case.row:02}", case.fault, said]))
        parameters += [pytest.param(case, kind, id=f"{name}-{kind}") for kind in case.kinds]
    return parameters


ATOM: tuple[Kind, ...] = ("query", "ids")
QUERY: tuple[Kind, ...] = ("query",)
IDS: tuple[Kind, ...] = ("ids",)
OAI: tuple[Kind, ...] = ("oai",)
FAST = 0.4  # seconds until a silent server is left


def asks_last_span(request: Request) -> bool:
    """Whether the span that has no end is asked for."""
    return request.params.get("from") == "2026-01-01"


def goes_on_in_last_span(request: Request) -> bool:
    return "until" not in request.params.get("resumptionToken", "until")


def asks_identifiers(request: Request) -> bool:
    return request.params.get("verb") == "ListIdentifiers"


def asks_old_address(request: Request) -> bool:
    return not request.path.startswith("/moved/")


ONCE = [
    Case(1, "429"),
    Case(1, "429", {"times": 3}, IDS, n_more=3),
    Case(2, "200-rate-exceeded"),
    Case(3, "503"),
    Case(3, "503", {"retry_after": 0}, OAI),
    Case(3, "503", {"times": 2}, OAI, n_more=5),
    Case(4, "500"),
    Case(4, "500", {"feed": True}, QUERY),
    Case(4, "502", {}, IDS),
    Case(4, "504", {}, OAI),
    Case(8, "truncated"),
    Case(8, "truncated", {"share": 0.01}, QUERY),
    Case(8, "truncated", {"share": 0.999}),
    Case(8, "truncated", {"share": 0.0}, OAI),
    Case(8, "truncated", {"times": 3}, IDS, n_more=3),
    Case(8, "short-body"),
    Case(8, "short-body", {"chunked": True}, QUERY),
    Case(8, "short-body", {"share": 0.0}, OAI),
    Case(9, "empty-page", {"on": 2}, n_more=4),
    Case(9, "empty-page", {"on": 1}, OAI, n_more=4),
    Case(10, "anomalous-empty", {"on": 1}, ATOM),
    Case(10, "anomalous-empty", {"on": 2}, ATOM),
    Case(11, "short-page", {"m": 1}, ATOM, n_more=5),
    Case(11, "short-page", {"m": 20}, ATOM, n_more=5),
    Case(12, "duplicates", {"m": 1}, n_more=5),
    Case(12, "duplicates", {"m": 10}, n_more=5),
    Case(13, "total-drift", {"n": 1}, ATOM, n_more=5),
    Case(13, "total-drift", {"n": 40, "on": 5}, QUERY, n_more=7),
    Case(13, "total-drift", {"n": -1}, ATOM, n_more=5),
    Case(13, "total-drift", {"n": -1, "on": 5}, QUERY, n_more=5),
    Case(13, "total-drift", {"n": -60, "on": 1}, QUERY, n_more=5),
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, QUERY, n_more=1)
        for kind in (
            "no-title",
            "empty-title",
            "no-summary",
            "empty-abstract",
            "no-updated",
            "no-published",
            "bad-date",
            "no-authors",
            "no-categories",
        )
    ],
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, ATOM, n_more=6)
        for kind in ("no-title", "no-id", "bad-id")
    ],
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, OAI, n_more=3)
        for kind in (
            "no-title",
            "empty-title",
            "no-abstract",
            "empty-abstract",
            "bad-date",
            "no-authors",
            "no-categories",
            "no-metadata",
            "no-header",
            "no-id",
            "bad-id",
        )
    ],
    Case(15, "control-characters"),
    Case(15, "control-characters", {"text": "&#11;"}, QUERY),
    Case(15, "control-characters", {"text": "\ufffe"}, OAI),
    Case(15, "bad-utf8"),
    Case(15, "latin-1", {}, IDS),
    Case(15, "bare-ampersand"),
    Case(20, "bad-token", {}, OAI, n_more=2),
    Case(20, "bad-token", {"times": 3}, OAI, n_more=6),
    Case(21, "same-token", {}, OAI, n_more=2),
    Case(21, "loop-token", {}, OAI, n_more=2),
    Case(22, "no-records-match", {"on": 1}, OAI, n_more=2),
    Case(22, "no-records-match", {"on": 2}, OAI, n_more=2),
    Case(22, "no-records-match", {"on": asks_last_span}, OAI, n_more=2),
    Case(22, "no-records-match", {"on": goes_on_in_last_span}, OAI, n_more=4),
    Case(22, "no-records-match", {"on": asks_identifiers}, OAI, n_more=2),
    Case(23, "bad-argument", {"on": 1}, OAI, n_more=0, status="incomplete"),
    Case(23, "bad-argument", {"on": 2}, OAI, n_more=2),
    Case(25, "reset"),
    Case(25, "reset", {"share": 0.5}, QUERY),
    Case(25, "refuse"),
    Case(26, "hang", deadline_s=FAST),
    Case(26, "hang", {"share": 0.5}, OAI, deadline_s=FAST),
    Case(26, "slow-loris", {}, QUERY, deadline_s=FAST),
    Case(26, "slow", {}, IDS, deadline_s=FAST),
    Case(27, "gzip-bomb", {"n_mb": 4}),
    Case(27, "gzip-bomb", {"n_mb": 4, "filler": b"x"}, QUERY),
    Case(27, "huge-body", {"n_mb": 4}, IDS),
    Case(28, "entity-bomb", {}, ("query", "oai")),
    Case(28, "external-entity", {}, IDS),
    Case(29, "redirect"),
    Case(29, "redirect", {"status": 302}, IDS),
    Case(29, "redirect", {"status": 307}, OAI),
    Case(29, "redirect", {"status": 308}, QUERY),
    Case(37, "unknown-elements", n_more=0),
    Case(37, "wrong-root"),
    Case(37, "wrong-namespace"),
    Case(38, "maintenance"),
]


@pytest.mark.parametrize(("case", "kind"), expand(ONCE))
def test_a_fault_that_comes_and_goes(
    case: Case, kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harvest is whole, for the requests that the fault cost, and nothing is asked twice."""
    monkeypatch.setattr("survey_tools.harvest.wire._N_BYTES", 2 * 2**20)
    scene.deadline_s = case.deadline_s
    scene.server.schedule(case.fault, **{"on": 2} | case.options)
    report = scene.run(kind, max_requests=CLEAN[kind] + case.n_more)
    scene.check(report, status=case.status)
    assert any(request.fault for request in scene.server.log), "the fault never came"
    if report.status != "complete":
        report = scene.run(kind)
        scene.check(report, status="complete")
    scene.check_quiet(kind)


FOR_EVER = [
    Case(1, "429", n_more=10),
    Case(1, "429", {"on": 3}, IDS, n_more=10),
    Case(2, "200-rate-exceeded", n_more=10),
    Case(3, "503", {"retry_after": None}, n_more=10),
    Case(3, "503", {"retry_after": 3600}, OAI, n_more=10),
    Case(4, "500", n_more=20),
    Case(4, "500", {"on": 3}, ("ids", "oai"), n_more=20),
    Case(4, "502", {}, QUERY, n_more=20),
    Case(4, "504", {}, OAI, n_more=20),
    Case(5, "400", {}, QUERY, n_more=1),
    Case(5, "400", {}, IDS, n_more=144, is_later=True),
    Case(7, "414", {}, ("query", "oai"), n_more=20),
    Case(7, "404", n_more=20),
    Case(8, "truncated", n_more=90),
    Case(8, "truncated", {"on": 3}, OAI, n_more=90),
    Case(8, "short-body", n_more=90),
    Case(9, "empty-page", n_more=90),
    Case(10, "anomalous-empty", {}, IDS, n_more=6, is_later=True),
    Case(11, "short-page", {"m": 1}, ATOM, n_more=300),
    Case(12, "duplicates", {"m": 3}, ATOM, n_more=300),
    Case(13, "total-drift", {"n": 1}, QUERY, n_more=300),
    Case(13, "total-drift", {"n": -1}, ATOM, n_more=60),
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, kinds, n_more=10)
        for kind, kinds in {"no-title": QUERY, "no-updated": IDS, "bad-date": QUERY}.items()
    ],
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, OAI, n_more=20)
        for kind in ("no-title", "no-abstract", "bad-date", "no-metadata")
    ],
    Case(14, "malformed-entry", {"kind": "no-id", "index": 3}, ATOM, n_more=300),
    Case(15, "bare-ampersand", n_more=90),
    Case(23, "bad-argument", {}, OAI, n_more=20),
    Case(24, "bad-argument", {"on": asks_last_span}, OAI, n_more=20, is_later=True),
    Case(25, "reset", n_more=20),
    Case(25, "reset", {"share": 0.5}, IDS, n_more=20),
    Case(25, "refuse", {}, OAI, n_more=20),
    Case(26, "hang", {}, QUERY, n_more=90, deadline_s=0.02),
    Case(26, "hang", {"share": 0.5}, OAI, n_more=90, deadline_s=0.02),
    Case(26, "slow-loris", {}, IDS, n_more=90, deadline_s=0.02),
    Case(27, "gzip-bomb", {"n_mb": 4}, QUERY, n_more=20),
    Case(27, "huge-body", {"n_mb": 4}, OAI, n_more=20),
    Case(28, "entity-bomb", {}, ("query", "oai"), n_more=90),
    Case(28, "external-entity", {}, IDS, n_more=90),
    Case(29, "redirect-loop", n_more=20),
    Case(29, "redirect-loop", {"status": 301}, n_more=20),
    Case(29, "redirect-elsewhere", n_more=20),
    Case(29, "redirect-elsewhere", {"host": "arxiv.example"}, IDS, n_more=20),
    Case(37, "wrong-root", {}, ("query", "ids"), n_more=90),
    Case(37, "wrong-namespace", {}, OAI, n_more=90),
    Case(38, "maintenance", n_more=20),
]


@pytest.mark.parametrize(("case", "kind"), expand(FOR_EVER))
def test_a_fault_that_stays(
    case: Case, kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends, names what is missing, and the next one completes when the fault is over."""
    monkeypatch.setattr("survey_tools.harvest.wire._N_BYTES", 2 * 2**20)
    scene.deadline_s = case.deadline_s
    scene.server.schedule(case.fault, **{"on": 1, "times": None} | case.options)
    report = scene.run(kind, max_requests=CLEAN[kind] + case.n_more)
    scene.check(report, status="incomplete")
    scene.server.clear_schedule()
    scene.deadline_s = 240.0
    if case.is_later:
        scene.next_day()
    report = scene.run(kind)
    scene.check(report, status="complete")
    scene.check_quiet(kind)


HARMLESS = [
    Case(13, "total-drift", {"n": 1}, IDS, n_more=0),
    Case(15, "control-characters", n_more=9),
    Case(14, "malformed-entry", {"kind": "no-header", "index": 3}, OAI, n_more=12),
    Case(20, "bad-token", {}, OAI, n_more=6),
    Case(21, "same-token", {}, OAI, n_more=12),
    Case(21, "loop-token", {}, OAI, n_more=12),
    Case(29, "redirect", {"on": asks_old_address}, n_more=1),
    Case(29, "redirect", {"on": asks_old_address, "status": 308}, n_more=1),
    Case(29, "redirect", {"on": asks_old_address, "status": 302}, n_more=9),
    Case(29, "redirect", {"on": asks_old_address, "status": 307}, n_more=9),
    Case(37, "unknown-elements", n_more=0),
]


@pytest.mark.parametrize(("case", "kind"), expand(HARMLESS))
def test_a_fault_that_stays_but_can_be_lived_with(case: Case, kind: Kind, scene: Scene) -> None:
    """The harvest is whole although the fault never ends."""
    scene.server.schedule(case.fault, **{"times": None} | case.options)
    report = scene.run(kind, max_requests=CLEAN[kind] + case.n_more)
    scene.check(report, status="complete")
    scene.check_quiet(kind)


# ---- cool-downs (rows 1 to 3) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "least_s", "most_s"),
    [
        (1, 3, 3.1),
        (50, 50, 50.1),
        (3600, 3600, 3600.1),
        (10**6, 3600, 3600.1),
        (timedelta(seconds=90), 80, 90.1),
        (timedelta(hours=5), 3600, 3600.1),
        (timedelta(hours=-5), 3, 3.1),
        (0, 60, 73),
        ("soon", 60, 73),
        ("-7", 60, 73),
        ("1e9", 60, 73),
        ("", 60, 73),
        (None, 60, 73),
    ],
    ids=str,
)
def test_retry_after_is_obeyed_within_bounds(
    asked: Any, least_s: float, most_s: float, scene: Scene
) -> None:
    """Seconds and dates count, from 3 s to 1 h; 0 and nonsense leave the wait to us."""
    scene.server.schedule("429", on=2, retry_after=asked)
    scene.server.schedule("503", on=3, retry_after=asked)
    scene.check(scene.run("ids", max_requests=5), status="complete")
    assert least_s <= scene.gaps_s[1] <= most_s
    if not isinstance(asked, timedelta):  # the server's dates stand still, ours goes on
        assert least_s <= scene.gaps_s[2] <= 2 * most_s  # a second refusal doubles our own wait


def test_throttling_without_end_uses_patience_up_and_is_remembered(scene: Scene) -> None:
    """Each refusal is followed by a longer rest; the last one is stored for the next process."""
    scene.server.schedule("429", times=None)
    report = scene.run("query", max_requests=9)
    scene.check(report, status="incomplete")
    assert "patience is used up" in str(report.error)
    assert scene.clock.slept_s < 7200 + 1800
    assert all(late > early for early, late in pairwise(scene.gaps_s) if late < 1800)
    with Store(scene.store_path) as store:
        resting = Memory(store, scene.clock).resting_hosts()
    assert len(resting) == 1
    assert resting[0][0] in scene.server.api_url
    assert timedelta(minutes=29) < resting[0][1] - scene.clock.now() < timedelta(minutes=37)


@pytest.mark.parametrize("is_set_back", [False, True], ids=["clock-goes-on", "clock-set-back"])
def test_a_new_process_obeys_the_stored_cool_down(is_set_back: bool, scene: Scene) -> None:
    """After a reboot, and with a clock set back an hour, the rest is kept and not prolonged."""
    scene.server.schedule("429", retry_after=600, times=None)
    scene.run("ids", patience_s=100, max_requests=1)
    scene.server.clear_schedule()
    for lock in Path(gettempdir()).glob("survey-tools-*.lock"):
        lock.unlink()  # as a reboot does
    later = FakeClock()
    later.slept_s = 200.0
    if is_set_back:
        later.set_back = timedelta(hours=1)
    scene.check(scene.run("ids", clock=later, max_requests=3), status="complete")
    waited_s = later.slept_s - 200.0
    assert (599 if is_set_back else 395) < waited_s < (611 if is_set_back else 410)


def test_another_service_is_asked_while_one_rests(scene: Scene) -> None:
    """A cool-down holds for the host that asked for it, here by another port."""
    scene.server.schedule("429", retry_after=3600, times=None)
    scene.run("query", patience_s=100, max_requests=1)
    slept_s = scene.clock.slept_s
    with ArxivServer(scene.server.truth, n_records=N_ON_A_PAGE) as other:
        elsewhere = Scene(other, scene.store_path, scene.clock)
        elsewhere.check(elsewhere.run("oai"), status="complete")
    assert scene.clock.slept_s - slept_s < 60


# ---- refusals (rows 4 to 7) -----------------------------------------------------------------


def test_the_offset_at_which_the_service_fails_is_never_asked_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query beyond the limit is cut into windows instead (here at 40 of 50)."""
    monkeypatch.setattr("survey_tools.harvest.by_query.N_PAGED", 40)
    monkeypatch.setattr("survey_tools.harvest.by_query._N_LIMIT", 50)
    scene.server.atom.max_offset = 50
    scene.page_size = 10
    scene.check(scene.run("query", max_requests=60), status="complete")
    assert {request.status for request in scene.server.log} == {200}
    scene.check_quiet("query")


def test_a_bad_id_is_named_and_the_others_are_harvested(scene: Scene) -> None:
    """A whole list is refused for one id; that id is taken out by what it says."""
    bad = scene.server.truth[40].arxiv_id
    scene.server.schedule(
        "400",
        on=lambda request: bad in request.params.get("id_list", ""),
        times=None,
        message=f"incorrect id format for {bad}",
    )
    report = scene.run("ids", max_requests=3 + 3)
    scene.check(report, status="incomplete")
    assert [missing.what for missing in report.missing] == [bad]
    assert "incorrect id format" in report.missing[0].reason
    assert [paper.arxiv_id for paper in scene.lacking()] == [bad]


def test_an_id_refused_without_a_name_is_found_by_halving(scene: Scene) -> None:
    """Where the message does not say which id is wrong, the list is cut until it is alone."""
    bad = scene.server.truth[40].arxiv_id
    scene.server.schedule(
        "400",
        on=lambda request: bad in request.params.get("id_list", ""),
        times=None,
        message="something is wrong with your ids",
    )
    report = scene.run("ids", max_requests=3 + 14)
    scene.check(report, status="incomplete")
    assert [missing.what for missing in report.missing] == [bad]
    assert [paper.arxiv_id for paper in scene.lacking()] == [bad]


def test_what_is_no_id_is_named_and_never_sent(scene: Scene) -> None:
    """Ids are checked here first; an unknown one is asked for twice and named."""
    ids = [parse_arxiv_id(paper.arxiv_id) for paper in scene.server.truth[:10]]
    ids.append(parse_arxiv_id("2401.99999"))
    way = scene.way("ids", ids=ids, malformed=[("2106.0825", "too short")])
    report = scene.run(way, max_requests=2)
    scene.check(report, status="incomplete", wanted=scene.server.truth[:10])
    assert [missing.what for missing in report.missing] == ["2401.99999", "2106.0825"]
    assert not [r for r in scene.server.log if "2106.0825" in r.params["id_list"]]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_access_denied_stops_everything(kind: Kind, number: int, scene: Scene) -> None:
    """After a 403 no further request is sent; the report says why and what is missing."""
    scene.server.schedule("403", on=number, times=None)
    report = scene.run(kind, max_requests=number)
    scene.check(report, status="stopped")
    assert report.n_requests == number
    assert "403" in str(report.error)
    scene.server.clear_schedule()
    scene.check(scene.run(kind), status="complete")


def test_ids_are_posted_in_slices_of_at_most_200(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address grows so long that it is answered by 414."""
    monkeypatch.setattr("survey_tools.harvest.by_id.N_IDS", 200)
    scene.server.add(make_corpus(450, seed=8))
    scene.server.max_url = 1000
    scene.check(scene.run("ids", max_requests=4), status="complete")
    assert {request.method for request in scene.server.log} == {"POST"}
    assert max(len(r.params["id_list"].split(",")) for r in scene.server.log) == 200


# ---- empty, short and shifting pages (rows 9 to 13) -----------------------------------------


def test_an_empty_answer_to_a_whole_query_is_not_believed_for_ever(scene: Scene) -> None:
    """An overloaded service counts no results all day; what it hid comes the next day."""
    scene.server.schedule("anomalous-empty", times=None)
    scene.run("query", max_requests=6)
    scene.server.clear_schedule()
    scene.next_day()
    scene.check(scene.run("query"), status="complete")


def test_a_window_found_empty_twice_is_opened_again_when_the_whole_counts_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slices of a window must hold as many papers as the window was counted to."""
    monkeypatch.setattr("survey_tools.harvest.by_query.N_PAGED", 40)
    scene.server.schedule("anomalous-empty", on=4, times=2)
    scene.check(scene.run("query", max_requests=CLEAN["query"] + 20), status="complete")
    assert sum(request.fault is not None for request in scene.server.log) == 2
    scene.check_quiet("query")


@pytest.mark.parametrize("page_size", [5, 7])
def test_papers_of_one_second_come_all_though_their_order_changes(
    page_size: int, scene: Scene
) -> None:
    """Duplicates and omissions across many pages are found by counting and asked for again."""
    for group in range(8):
        first = scene.server.truth[8 * group].versions[0]
        scene.server.add(
            replace(p, arxiv_id=f"2502.{90000 + 4 * group + i}", versions=(first,), comment="tied")
            for i, p in enumerate(make_corpus(4, seed=70 + group))
        )
    scene.server.atom.shuffle_ties = True
    scene.page_size = page_size
    n_pages = -(-len(scene.server.truth) // page_size)
    report = scene.run("query", max_requests=8 * n_pages)
    scene.check(report, status="complete")
    scene.check_quiet("query")


def test_ties_that_cannot_be_separated_are_named_until_they_are_whole(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of nine papers of one second one is counted but on no page; its minute is named."""
    first = scene.server.truth[10].versions[0]
    hidden, *others = [
        replace(p, arxiv_id=f"2405.{90000 + i}", versions=(first,), comment="tied")
        for i, p in enumerate(make_corpus(9, seed=9))
    ]
    scene.server.add([hidden, *others])
    take = scene.server.atom._take
    with monkeypatch.context() as patch:

        def take_another(*arguments: Any) -> list[Any]:
            rows = take(*arguments)
            known = scene.server.catalogue.find(others[0].arxiv_id)
            return [known if row.paper is hidden else row for row in rows]

        patch.setattr(scene.server.atom, "_take", take_another)
        for _ in range(2):
            report = scene.run("query", max_requests=CLEAN["query"] + 120)
            scene.check(report, status="incomplete")
            assert scene.lacking() == [hidden]
            minute = f"{first.submitted:%Y-%m-%d %H:%M}"
            assert all(minute in missing.what for missing in report.missing)
    scene.check(scene.run("query", max_requests=20), status="complete")
    scene.check_quiet("query")


@pytest.mark.parametrize("where", ["begin", "middle", "end"])
@pytest.mark.parametrize("kind", ["query", "oai"])
def test_papers_added_in_the_middle_of_a_run(kind: Kind, where: str, scene: Scene) -> None:
    """What is announced meanwhile moves the pages; the next day's run has it at the latest."""
    truth = scene.server.truth
    near = truth[{"begin": 1, "middle": 40, "end": -1}[where]]
    when = near.versions[0]
    day = scene.server.now.date()
    late = [
        replace(p, arxiv_id=f"2611.{90000 + i}", versions=(when,), datestamp=day, comment="late")
        for i, p in enumerate(make_corpus(7, seed=20))
    ]
    scene.at(3, lambda: scene.server.add(late))
    report = scene.run(kind, max_requests=3 * CLEAN[kind])
    scene.check(report, status="complete")
    scene.check_quiet(kind)


def test_a_paper_restamped_while_its_busy_day_is_paged_moves_no_other_out(scene: Scene) -> None:
    """Tokens count rows: when one leaves the day, the row at the next page's edge must not fall."""
    bulk = date(2025, 5, 5)
    for paper in scene.server.truth[:54]:
        scene.server.restamp(paper.arxiv_id, bulk)
    today = scene.server.now.date()

    def restamp() -> None:
        first = scene.server.catalogue.modified(bulk, bulk)[0].paper
        scene.server.restamp(first.arxiv_id, today)

    scene.at(4, restamp)
    report = scene.run("oai", max_requests=CLEAN["oai"] + 12)
    scene.check(report, status="complete")
    scene.check_quiet("oai")


def test_a_record_that_fell_between_two_pages_is_named_where_the_run_ends_early(
    scene: Scene,
) -> None:
    """The check of the ids comes last: until then nothing of the span counts as whole."""
    bulk = date(2025, 5, 5)
    for paper in scene.server.truth[20:38]:
        scene.server.restamp(paper.arxiv_id, bulk)
    today = scene.server.now.date()
    numbers: list[int] = []

    def goes_on_in_bulk(request: Request) -> bool:
        token = request.params.get("resumptionToken", "")
        if not numbers and "from%3D2025-05-05" in token and not token.endswith("skip%3D0"):
            numbers.append(request.number)
            moved = scene.server.catalogue.modified(bulk, bulk)[0].paper
            scene.server.restamp(moved.arxiv_id, today)
        return bool(numbers) and request.number > numbers[0]

    scene.server.schedule("500", on=goes_on_in_bulk, times=None)
    report = scene.run("oai", max_requests=40)
    assert numbers
    assert [p for p in scene.lacking() if p.datestamp == bulk], "no record fell"
    scene.check(report, status="incomplete")
    scene.server.clear_schedule()
    scene.check(scene.run("oai"), status="complete")
    scene.check_quiet("oai")


def test_an_empty_answer_to_a_halved_span_is_not_believed_at_once(scene: Scene) -> None:
    """Where a span was cut, papers of it are known already; its parts are doubted all the same."""

    def goes_on_in_2025(request: Request) -> bool:
        token = request.params.get("resumptionToken", "")
        return "from%3D2025" in token

    def asks_part(request: Request) -> bool:
        asked = request.params
        return asked.get("until", "").startswith("2025") and asked["from"] > "2025-06-02"

    scene.server.schedule("503", on=goes_on_in_2025, times=2)
    scene.server.schedule("no-records-match", on=asks_part, times=1)
    report = scene.run("oai", max_requests=CLEAN["oai"] + 12)
    assert "no-records-match" in {request.fault for request in scene.server.log}
    scene.check(report, status="complete")
    scene.check_quiet("oai")


def test_an_empty_list_of_ids_is_not_believed_where_records_came(scene: Scene) -> None:
    """A page without records, though with a token, and "no records match" contradict the rest."""
    scene.server.schedule("empty-page", on=1)
    scene.server.schedule("no-records-match", on=asks_identifiers)
    report = scene.run("oai", max_requests=CLEAN["oai"] + 8)
    scene.check(report, status="complete")
    scene.check_quiet("oai")


def test_a_slice_of_which_all_ids_came_is_not_left_open(scene: Scene) -> None:
    """One id came late and broken, and its slice was cut: what is stored is not asked for again."""
    ids = sorted(paper.arxiv_id for paper in scene.server.truth)

    def asks_second_half(request: Request) -> bool:
        names = request.params["id_list"].split(",")
        return ids[N_IDS_ASKED // 2] in names and 1 < len(names) < N_IDS_ASKED

    scene.server.schedule("short-page", on=1)
    scene.server.schedule("truncated", on=lambda r: "," not in r.params["id_list"], times=6)
    scene.server.schedule("500", on=asks_second_half, times=None)
    report = scene.run("ids", max_requests=40)
    assert not scene.lacking()
    scene.check(report, status="complete")
    scene.check_quiet("ids")


def test_a_new_version_in_the_middle_of_a_run_is_followed(scene: Scene) -> None:
    """A paper replaced after its page was read moves to the server's today, which is asked last."""
    old = next(p for p in scene.server.truth if p.datestamp < date(2024, 6, 1) and not p.withdrawn)
    new = add_version(old, scene.server.now - timedelta(days=1), title="Another title altogether")
    scene.at(5, lambda: scene.server.add([new]))
    report = scene.run("oai")
    scene.check(report, status="complete")
    assert scene.stored()[old.arxiv_id].title == "Another title altogether"


# ---- damaged entries and characters (rows 14 and 15) ----------------------------------------


def without_title(entry: str) -> str:
    return re.sub(r"<title>.*?</title>", "<title></title>", entry, flags=re.DOTALL)


def without_id(entry: str) -> str:
    return re.sub(r"<header>.*</header>|<id>[^<]*</id>", "", entry, flags=re.DOTALL)


def with_bare_ampersand(entry: str) -> str:
    return entry.replace("<title>", "<title>R&D ", 1)


def with_forbidden_sign(entry: str) -> str:
    return entry.replace("<title>", "<title>\x0b", 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_stays_malformed_is_named_alone(
    kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept with its XML, asked for by id once a run, and all others are stored."""
    bad = scene.server.truth[50].arxiv_id
    with monkeypatch.context() as patch:
        scene.spoil(bad, without_title, patch)
        report = scene.run(kind, max_requests=CLEAN[kind] + 1)
        scene.check(report, status="incomplete")
        assert [(missing.what, missing.reason) for missing in report.missing] == [(bad, "no title")]
        assert [paper.arxiv_id for paper in scene.lacking()] == [bad]
        assert report.n_quarantined == 1
        again = scene.run(kind, max_requests=1)
        scene.check(again, status="incomplete")
        with Store(scene.store_path) as store:
            (row,) = store.query("SELECT arxiv_id, xml FROM quarantine")
        assert row[0] == bad
        assert bad in row[1]
    scene.server.catalogue.add([scene.server.truth[50]])  # whole again
    scene.check(scene.run(kind, max_requests=1), status="complete")
    scene.check_quiet(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_never_says_which_paper_it_is(
    kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window in which it lies, or the id asked for, is named; the others are stored."""
    bad = scene.server.truth[50]
    with monkeypatch.context() as patch:
        scene.spoil(bad.arxiv_id, without_id, patch)
        report = scene.run(kind, max_requests=CLEAN[kind] + 120)
        scene.check(report, status="incomplete")
        assert scene.lacking() == [bad]
        assert len(report.missing) <= 4
    scene.server.catalogue.add([bad])
    scene.check(scene.run(kind, max_requests=20), status="complete")
    scene.check_quiet(kind)


@pytest.mark.parametrize(("kind", "most_lacking"), [("query", 3), ("ids", 1), ("oai", 8)])
def test_a_page_that_one_entry_keeps_from_being_read(
    kind: Kind, most_lacking: int, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window is cut until it is alone with its minute, its day or itself, and is named."""
    bad = scene.server.truth[50]
    with monkeypatch.context() as patch:
        scene.spoil(bad.arxiv_id, with_bare_ampersand, patch)
        report = scene.run(kind, max_requests=CLEAN[kind] + 120)
        scene.check(report, status="incomplete")
        lacking = scene.lacking()
        assert bad in lacking
        assert len(lacking) <= most_lacking
        assert len(report.missing) <= 2
        if kind == "oai":
            assert {paper.datestamp for paper in lacking} == {bad.datestamp}
    scene.server.catalogue.add([bad])
    scene.check(scene.run(kind, max_requests=20), status="complete")
    scene.check_quiet(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_character_that_xml_forbids_is_dropped_when_it_comes_twice(
    kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same again is what arXiv holds: the page is repaired, flagged, and the user told."""
    scene.spoil(scene.server.truth[50].arxiv_id, with_forbidden_sign, monkeypatch)
    report = scene.run(kind, max_requests=CLEAN[kind] + 2)
    scene.check(report, status="complete")
    with Store(scene.store_path) as store:
        flags = [row[0] for row in store.query("SELECT is_repaired FROM pages")]
    assert sum(flags) == 1
    assert any("dropped" in note for note in report.notes)
    scene.check_quiet(kind)


@pytest.mark.parametrize("fault", ["bad-utf8", "latin-1"])
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_utf8_are_marked_in_their_own_record_alone(
    kind: Kind, fault: str, scene: Scene
) -> None:
    """A byte that no retry mends becomes U+FFFD; every other field and record is the truth."""
    scene.server.schedule(fault, on=2, times=2)
    report = scene.run(kind, max_requests=CLEAN[kind] + 1)
    assert report.status == "complete"
    assert any("dropped" in note for note in report.notes)
    stored = scene.stored()
    wrong = [w for paper in scene.server.truth for w in differences(stored[paper.arxiv_id], paper)]
    assert all("\ufffd" in text for text in wrong)
    assert 1 <= len({text.split()[0] for text in wrong}) <= (1 if fault == "bad-utf8" else 24)


def test_the_sign_for_damage_is_replaced_when_the_true_text_comes(scene: Scene) -> None:
    """A repaired page is no last word: the next answer brings the text as it is."""
    scene.server.schedule("bad-utf8", on=2, times=2)
    assert scene.run("query").status == "complete"
    report = scene.run(scene.way("query", refresh=True))
    scene.check(report, status="complete")
    assert report.stored.n_changed == 1


# ---- versions, withdrawals and spellings (rows 16 to 19) ------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_withdrawn_paper_keeps_its_last_good_abstract(kind: Kind, scene: Scene) -> None:
    """The notice that stands in the abstract's place later does not replace it."""
    paper = next(p for p in scene.server.truth if not p.withdrawn and p.datestamp.year == 2026)
    scene.check(scene.run(kind), status="complete")
    scene.next_day()
    notice = "This paper has been withdrawn by the author."
    scene.server.add(
        [add_version(paper, scene.server.now - timedelta(days=1), withdrawn=True, abstract=notice)]
    )
    ids = [parse_arxiv_id(paper.arxiv_id)]
    way = scene.way("ids", ids=ids, refresh=True) if kind != "oai" else scene.way("oai")
    assert scene.run(way).status == "complete"
    record = scene.stored()[paper.arxiv_id]
    assert record.withdrawn
    assert record.version == len(paper.versions) + 1
    assert record.abstract == paper.abstract
    assert record.versions[-1].withdrawn


def test_a_deleted_paper_is_kept_and_flagged(scene: Scene) -> None:
    """What OAI-PMH names as deleted stays in the store as withdrawn."""
    scene.check(scene.run("oai"), status="complete")
    scene.next_day()
    paper = scene.server.truth[60]
    scene.server.restamp(paper.arxiv_id, scene.server.now.date())
    scene.server.schedule("deleted-record", times=None, on=lambda r: r.params["verb"] != "x")
    scene.run("oai")
    record = scene.stored()[paper.arxiv_id]
    assert record.withdrawn
    assert record.abstract == paper.abstract


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_version_never_replaces_a_newer_one(kind: Kind, scene: Scene) -> None:
    """A cache that shows yesterday's text changes nothing."""
    old = next(p for p in scene.server.truth if len(p.versions) > 1 and p.datestamp.year == 2026)
    new = add_version(old, scene.server.now - timedelta(days=2), title="A title of today")
    scene.server.add([new])
    scene.check(scene.run(kind), status="complete")
    scene.server.add([replace(old, datestamp=new.datestamp)])
    report = scene.run(scene.way(kind, refresh=True))
    assert report.status == "complete"
    assert (report.stored.n_changed, report.stored.n_older) == (0, 1)
    assert scene.stored()[old.arxiv_id].title == "A title of today"


def test_old_ids_classes_and_versions_are_one_paper(tmp_path: Path, clock: FakeClock) -> None:
    """``cs.XX/...v1`` and ``cs/...`` name one paper; a version asked for is that version."""
    old = make_corpus(
        60,
        seed=5,
        first=datetime(1996, 1, 1, tzinfo=UTC),
        last=datetime(2007, 3, 1, tzinfo=UTC),
    )
    paper = next(p for p in old if len(p.versions) > 1 and p.arxiv_id.startswith(("math/", "cs/")))
    archive, _, number = paper.arxiv_id.partition("/")
    with ArxivServer(old, n_records=N_ON_A_PAGE) as server:
        scene = Scene(server, tmp_path / "old.db", clock, since=date(1991, 8, 1))
        names = [paper.arxiv_id, f"{archive}.XX/{number}", f"{archive}.XX/{number}v1"]
        names += [one.arxiv_id for one in old[:20]]
        way = scene.way("ids", ids=[parse_arxiv_id(name) for name in names])
        report = scene.run(way, max_requests=1)
        scene.check(report, status="complete", wanted=[paper, *(p for p in old[:20] if p != paper)])
        scene.check(scene.run("query"), status="complete")
        scene.check(scene.run("oai"), status="complete")
        with Store(scene.store_path) as store:
            first = store.get_record(paper.arxiv_id, version=1)
        assert first is not None
        assert first.version == 1
        assert first.title == paper.title


@pytest.mark.parametrize("kinds", list(permutations(["query", "oai", "snapshot"])))
def test_another_source_is_no_change(kinds: tuple[str, ...], scene: Scene, tmp_path: Path) -> None:
    """TeX or Unicode, wrapped or not: the same paper from another source leaves its texts alone."""
    path = write_snapshot(scene.server.truth, tmp_path / "snapshot.json")
    for kind in kinds:
        way = SnapshotWay(path) if kind == "snapshot" else scene.way(kind)  # type: ignore[arg-type]
        report = scene.run(way)
        scene.check(report, status="complete")
        if kind == "query" or kinds[0] != "query":  # Atom has no license, the others add it
            assert report.stored.n_changed == 0


# ---- spans of days (rows 20 to 24, 34 and 35) -----------------------------------------------


def test_a_span_that_was_left_goes_on_from_its_last_day(scene: Scene) -> None:
    """The checkpoint is the last datestamp, not the token."""
    for paper in scene.server.truth[:60]:
        scene.server.restamp(
            paper.arxiv_id, date(2025, 3, 1) + timedelta(days=len(paper.title) % 9)
        )
    scene.server.schedule("500", on=4, times=None)
    scene.check(scene.run("oai", max_requests=40), status="incomplete")
    n_before = len(scene.server.log)
    scene.server.clear_schedule()
    scene.check(scene.run("oai", max_requests=16), status="complete")
    asked = [request.params for request in scene.server.log[n_before:]]
    assert asked[0]["from"] > "2025-03-01"
    assert "resumptionToken" not in asked[0]
    scene.check_quiet("oai")


def test_a_span_of_one_day_of_many_pages(scene: Scene) -> None:
    """A bulk edit stamps all papers with one day; tokens carry through it."""
    for paper in scene.server.truth:
        scene.server.restamp(paper.arxiv_id, date(2025, 9, 16))
    scene.check(scene.run("oai", max_requests=12), status="complete")
    scene.check_quiet("oai")


def test_a_token_that_dies_in_a_day_of_many_pages_is_named(scene: Scene) -> None:
    """A day cannot be cut: where its tokens fail for ever it is named, and completed later."""
    for paper in scene.server.truth:
        scene.server.restamp(paper.arxiv_id, date(2025, 9, 16))
    scene.server.schedule("bad-token", times=None)
    report = scene.run("oai", max_requests=60)
    scene.check(report, status="incomplete")
    assert len(scene.lacking()) == N_PAPERS - N_ON_A_PAGE
    scene.server.clear_schedule()
    scene.check(scene.run("oai"), status="complete")
    scene.check_quiet("oai")


def test_days_without_papers_are_a_success(scene: Scene) -> None:
    """An empty span of past days is asked for twice, and then done."""
    way = scene.way("oai", since=date(2026, 11, 10), until=date(2026, 11, 15))
    report = scene.run(way, max_requests=2)
    scene.check(report, status="complete", wanted=[])
    scene.check_quiet(lambda: scene.way("oai", since=date(2026, 11, 10), until=date(2026, 11, 15)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("day", ["2026-11-16", "2026-11-23", "2027-02-01"])
def test_a_clock_that_is_days_wrong_loses_nothing(kind: Kind, day: str, scene: Scene) -> None:
    """The server's day counts: when it goes on, what is new comes."""
    clock = FakeClock(day)
    scene.check(scene.run(kind, clock=clock, max_requests=CLEAN[kind] + 4), status="complete")
    if kind == "ids":
        return
    stamp = date(2026, 11, 21)
    scene.server.set_today(stamp)
    when = datetime(2026, 11, 20, 12, tzinfo=UTC)
    scene.server.add(
        replace(
            p,
            arxiv_id=f"2611.{i:05}",
            versions=(TrueVersion(1, when, False),),
            datestamp=stamp,
            comment="new",
        )
        for i, p in enumerate(make_corpus(5, seed=40))
    )
    clock.sleep(24 * 3600.0)
    scene.check(scene.run(kind, clock=clock), status="complete")


def test_a_day_that_a_cache_shows_empty_is_asked_again_the_next_day(scene: Scene) -> None:
    """An error of the morning is served until midnight; the look back of the next day mends it."""
    scene.check(scene.run("oai"), status="complete")
    scene.next_day()
    for paper in scene.server.truth[:5]:
        scene.server.restamp(paper.arxiv_id, scene.server.now.date())
    new = make_corpus(3, seed=44)
    scene.server.add(
        replace(p, arxiv_id=f"2611.{i:05}", datestamp=scene.server.now.date())
        for i, p in enumerate(new)
    )
    scene.server.schedule("no-records-match", times=None)
    scene.run("oai", max_requests=4)
    scene.server.clear_schedule()
    scene.next_day("2026-11-22")
    scene.check(scene.run("oai", max_requests=4), status="complete")


def test_a_span_of_months_that_is_shown_empty_is_not_believed_for_ever(scene: Scene) -> None:
    """Where arXiv says all day that a span of ten months is empty, the next day must find it."""
    scene.server.schedule("no-records-match", on=asks_last_span, times=None)
    scene.run("oai", max_requests=CLEAN["oai"] + 4)
    scene.server.clear_schedule()
    scene.next_day()
    scene.check(scene.run("oai"), status="complete")


def test_a_from_in_the_servers_future_is_no_error(scene: Scene) -> None:
    """A day that the server has not reached is an empty span, not a wrong argument."""
    report = scene.run(scene.way("oai", since=date(2026, 11, 21)), max_requests=2)
    scene.check(report, status="complete", wanted=[])


@pytest.mark.parametrize("n_days", [2, 20])
@pytest.mark.parametrize("kind", ["query", "oai"])
def test_holes_that_arxiv_fills_later_are_found(kind: Kind, n_days: int, scene: Scene) -> None:
    """A late look back of three days comes daily, one of thirty days weekly."""
    day = scene.server.now.date() - timedelta(days=n_days)
    when = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=9)
    late = [
        replace(
            p,
            arxiv_id=f"2610.{90000 + i}",
            versions=(TrueVersion(1, when, False),),
            datestamp=day,
            comment="late",
        )
        for i, p in enumerate(make_corpus(3, seed=41))
    ]
    scene.check(scene.run(kind), status="complete")
    scene.server.add(late)
    scene.next_day()
    report = scene.run(kind, max_requests=4)
    if kind == "oai" and n_days > 3:
        assert len(scene.lacking()) == 3
        scene.next_day("2026-11-28")
        report = scene.run(kind, max_requests=4)
    scene.check(report, status="complete")
    assert report.stored.n_new == 3


# ---- no connection (row 25) -----------------------------------------------------------------


@pytest.mark.parametrize("problem", ["refused", "no-name", "no-tls"])
@pytest.mark.parametrize("kind", ["query", "oai"])
def test_no_connection_is_tried_again_and_then_named(
    kind: Kind, problem: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens, no name, no TLS: a handful of attempts, growing waits, all windows named."""

    def no_name(*_: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    address = {"query": scene.server.api_url, "oai": scene.server.oai_url}[kind]
    if problem == "refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    elif problem == "no-tls":
        url = address.replace("http://", "https://")
    else:
        url = address
    with monkeypatch.context() as patch:
        if problem == "no-name":
            patch.setattr(socket, "getaddrinfo", no_name)
        report = scene.run_blind(scene.way(kind, url=url), url)
    scene.check(report, status="incomplete")
    assert report.n_requests <= 18
    assert 12 <= scene.clock.slept_s < 3000
    scene.check(scene.run(kind), status="complete")


@pytest.mark.parametrize("kind", ["query", "oai"])
def test_a_harvest_resumed_on_a_later_day_is_complete_as_of_that_day(
    kind: Kind, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a run says complete, what was announced since the first attempt is there, too."""
    monkeypatch.setattr("survey_tools.harvest.by_query.N_PAGED", 20)

    def asks_first_part(request: Request) -> bool:
        asked = " ".join(request.params.values())
        is_query = "[202401010000 TO " in asked and "209912312359" not in asked
        return is_query or "2024-12-31" in asked

    scene.server.schedule("500", on=asks_first_part, times=None)
    scene.check(scene.run(kind), status="incomplete")
    assert len(scene.lacking()) < N_PAPERS / 2
    scene.server.clear_schedule()
    scene.next_day()
    when = scene.server.now - timedelta(days=1)
    scene.server.add(
        replace(
            p,
            arxiv_id=f"2611.{i:05}",
            versions=(TrueVersion(1, when, False),),
            datestamp=scene.server.now.date(),
            comment="new",
        )
        for i, p in enumerate(make_corpus(3, seed=45))
    )
    scene.check(scene.run(kind), status="complete")


# ---- bombs and redirects (rows 27 to 29) ----------------------------------------------------


def test_a_bomb_of_the_real_size_is_left_at_the_cap(scene: Scene) -> None:
    """Of 400 MB in a small gzip body 64 MB and a chunk are unpacked; the page comes again."""
    scene.server.schedule("gzip-bomb", on=2, n_mb=400)
    tracemalloc.start()
    try:
        report = scene.run("ids", max_requests=4)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    scene.check(report, status="complete")
    assert peak_bytes < 260 * 2**20


def test_an_external_entity_is_never_read(scene: Scene, tmp_path: Path) -> None:
    """What a page points to on this machine stays out of the store and of the report."""
    secret = tmp_path / "secret.txt"
    secret.write_text("a word nobody knows: xyzzyplugh")
    scene.server.schedule("external-entity", times=None, uri=secret.as_uri())
    report = scene.run("query", max_requests=90)
    scene.check(report, status="incomplete")
    assert "xyzzyplugh" not in repr(report)
    assert b"xyzzyplugh" not in scene.store_path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_move_for_good_is_remembered(kind: Kind, scene: Scene) -> None:
    """The next run asks the new address at once, a move for the time being is asked about again."""
    for status, is_kept in ((302, False), (301, True)):
        scene.server.schedule("redirect", status=status, on=asks_old_address, times=None)
        scene.check(scene.run(scene.way(kind, refresh=True)), status="complete")
        scene.server.clear_schedule()
        n_before = len(scene.server.log)
        scene.check(scene.run(scene.way(kind, refresh=True)), status="complete")
        paths = {request.path for request in scene.server.log[n_before:]}
        assert all(path.startswith("/moved/") == is_kept for path in paths)


@pytest.mark.parametrize(
    ("kind", "status"), [("query", 301), ("query", 302), ("ids", 307), ("ids", 301), ("oai", 308)]
)
def test_a_redirect_to_another_service_is_never_followed(
    kind: Kind, status: int, scene: Scene
) -> None:
    """The run says where it was sent and how to go there if that is meant."""
    scene.server.schedule("redirect-elsewhere", status=status, on=2, times=1)
    report = scene.run(kind)
    assert not [request for request in scene.server.log if "elsewhere" in request.path]
    scene.check(report, status="incomplete")
    assert any("another service" in missing.reason for missing in report.missing)
    scene.check(scene.run(kind), status="complete")


# ---- the clock (row 33) ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_back_an_hour_costs_no_hour(kind: Kind, scene: Scene) -> None:
    """Waiting is measured by a clock that nobody sets."""

    def set_back() -> None:
        scene.clock.set_back = timedelta(hours=1)

    scene.at(2, set_back)
    scene.check(scene.run(kind, max_requests=CLEAN[kind]), status="complete")
    assert scene.clock.slept_s < 3 * CLEAN[kind] + 1
    scene.check_quiet(kind)


# ---- the snapshot file ----------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["plain", "gz", "zip"])
def test_a_whole_snapshot_needs_no_request(
    packed: Literal["plain", "gz", "zip"], scene: Scene, tmp_path: Path
) -> None:
    """All papers are stored; the same file again is not even read."""
    path = write_snapshot(scene.server.truth, tmp_path / "file", packed)
    report = scene.run(SnapshotWay(path), max_requests=0)
    scene.check(report, status="complete")
    scene.check_quiet(lambda: SnapshotWay(path))


@pytest.mark.parametrize("share", [0.3, 0.77, 0.999])
def test_a_snapshot_cut_in_the_middle_of_a_line(
    share: float, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lines before the cut are stored, the cut is named, and the whole file completes it."""
    monkeypatch.setattr("survey_tools.harvest.by_file._N_HEAD_BYTES", 1000)
    monkeypatch.setattr("survey_tools.harvest.by_file._N_LINES", 10)
    path = write_snapshot(scene.server.truth, tmp_path / "snapshot.json")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    n_lines = path.read_bytes().count(b"\n")
    report = scene.run(SnapshotWay(path), max_requests=0)
    assert report.status == "incomplete"
    (missing,) = report.missing
    assert missing.what == f"snapshot.json after line {n_lines}"
    assert "cut off" in missing.reason
    assert len(scene.stored()) == n_lines == report.n_records
    path.write_bytes(data)
    scene.check(scene.run(SnapshotWay(path), max_requests=0), status="complete")
    scene.check_quiet(lambda: SnapshotWay(path))


@pytest.mark.parametrize("packed", ["gz", "zip"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_snapshot_cut_in_the_middle_of_the_stream(
    packed: Literal["gz", "zip"],
    share: float,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What can be unpacked is stored, the report says where it ends, the whole file completes."""
    monkeypatch.setattr("survey_tools.harvest.by_file._N_HEAD_BYTES", 1000)
    monkeypatch.setattr("survey_tools.harvest.by_file._N_LINES", 10)
    path = write_snapshot(scene.server.truth, tmp_path / "snapshot", packed)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    report = scene.run(SnapshotWay(path), max_requests=0)
    stored = scene.stored()
    assert (len(stored) > 10) == (packed == "gz")  # the list of a zip's files is at its end
    assert report.status == "incomplete"
    (missing,) = report.missing
    assert missing.what == f"snapshot after line {len(stored)}"
    assert "cut off or damaged" in missing.reason
    assert not [w for p in scene.server.truth for w in differences(stored.get(p.arxiv_id), p)]
    path.write_bytes(data)
    report = scene.run(SnapshotWay(path), max_requests=0)
    scene.check(report, status="complete")
    scene.check_quiet(lambda: SnapshotWay(path))


def test_a_broken_line_in_a_snapshot_is_named(scene: Scene, tmp_path: Path) -> None:
    """One line without a title, one that is no JSON: the others are stored."""
    path = write_snapshot(scene.server.truth, tmp_path / "snapshot.json")
    lines = path.read_text().splitlines(keepends=True)
    bad = scene.server.truth[7].arxiv_id
    lines[7] = re.sub('"title":"[^"]*"', '"title":null', lines[7])
    lines[9] = lines[9][:100] + "\n"
    path.write_text("".join(lines))
    report = scene.run(SnapshotWay(path), max_requests=0)
    assert report.status == "incomplete"
    assert len(scene.lacking()) == 2
    named = {missing.what: missing.reason for missing in report.missing}
    assert "no title" in named[bad]
    assert len(named) == 2
    assert any("line 10" in what + reason for what, reason in named.items())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"<!doctype html><html><body>Sign in to download</body></html>\n", "no JSON"),
        (b"id,title\n2401.00001,A paper\n", "no JSON"),
        (b'[{"id": "2401.00001"}]\n', "object"),
        (b"\x1f\x8b no gzip at all", "damaged"),
        (b"PK\x03\x04 no zip at all", "damaged"),
        (b'{"id": 2401.00001}\n', "read as a number"),
        (b"%PDF-1.7\n\x00\xff\n", "no JSON"),
    ],
)
def test_a_wrong_snapshot_file_is_told(
    content: bytes, expected: str, scene: Scene, tmp_path: Path
) -> None:
    """An error or an incomplete report says what stands there; no paper is invented."""
    path = tmp_path / "snapshot.json"
    path.write_bytes(content)
    try:
        report = scene.run(SnapshotWay(path), max_requests=0)
        said = repr(report.missing)
        assert report.status == "incomplete"
    except DataError as error:
        said = str(error)
    assert expected in said
    assert not scene.stored()


# ---- all together ---------------------------------------------------------------------------

PASSING = {  # fault -> options of which one is drawn
    "429": [{}, {"retry_after": 5}],
    "200-rate-exceeded": [{}],
    "503": [{}, {"retry_after": 0}],
    "500": [{}, {"feed": True}],
    "502": [{"times": 2}],
    "truncated": [{}, {"share": 0.9}, {"times": 4}],
    "short-body": [{}, {"chunked": True}],
    "empty-page": [{}],
    "anomalous-empty": [{}],
    "short-page": [{}, {"m": 7}],
    "duplicates": [{}, {"m": 5}],
    "total-drift": [{"n": 3}, {"n": -3}],
    "malformed-entry": [{"kind": k} for k in ("no-title", "no-authors", "bad-date", "no-id")],
    "control-characters": [{}, {"text": "&#2;"}],
    "bare-ampersand": [{}, {"times": 7}],
    "bad-token": [{}],
    "same-token": [{}],
    "loop-token": [{}],
    "no-records-match": [{}],
    "bad-argument": [{}],
    "reset": [{}, {"share": 0.7}],
    "refuse": [{"times": 3}],
    "entity-bomb": [{}],
    "redirect": [{}, {"status": 302}],
    "redirect-loop": [{}],
    "redirect-elsewhere": [{}],
    "unknown-elements": [{"times": 3}],
    "wrong-root": [{}],
    "maintenance": [{"times": 2}],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 41))]
)
def test_many_faults_at_random(seed: int, kind: Kind, scene: Scene) -> None:
    """Eight faults at random requests: each report is true, and a few days later all is there."""
    rng = random.Random(f"{seed} {kind}")
    scene.server.atom.shuffle_ties = True
    for fault in rng.sample(list(PASSING), 8):
        on = rng.randrange(1, 2 * CLEAN[kind])
        scene.server.schedule(fault, **{"on": on} | rng.choice(PASSING[fault]))
    for day in range(21, 29):
        report = scene.run(kind, max_requests=150)
        scene.check(report, status=report.status)
        assert report.status != "stopped"
        if report.status == "complete":
            break
        scene.next_day(f"2026-11-{day}")
    assert report.status == "complete"
    scene.server.clear_schedule()
    for _ in range(8):  # the look back from the day of the oldest answer, and from later ones
        scene.check(scene.run(kind, max_requests=4), status="complete")
    scene.check_quiet(kind)


# ---- the list -------------------------------------------------------------------------------


ELSEWHERE = {  # rows that are no fault of one reply
    6: test_access_denied_stops_everything,
    16: test_a_withdrawn_paper_keeps_its_last_good_abstract,
    17: test_old_ids_classes_and_versions_are_one_paper,
    18: test_another_source_is_no_change,
    19: test_another_source_is_no_change,
    30: test_kills.test_a_killed_harvest_goes_on,
    31: test_kills.test_a_full_disk_loses_no_page_but_the_last,
    32: test_kills.test_two_harvesters_on_one_store,
    33: test_a_clock_that_is_set_back_an_hour_costs_no_hour,
    34: test_holes_that_arxiv_fills_later_are_found,
    35: test_a_span_of_one_day_of_many_pages,
    36: test_kills.test_a_signal_ends_in_a_report,
}


def test_every_row_of_the_list_has_a_test() -> None:
    """The list has 38 rows; each stands in a table above or has a test of its own."""
    rows = {case.row for case in (*ONCE, *FOR_EVER, *HARMLESS)}
    assert rows | set(ELSEWHERE) == set(range(1, 39))


def test_a_process_in_a_cool_down_keeps_its_job(scene: Scene) -> None:
    """It says every minute that it lives; after a quarter of an hour another machine would ask."""
    scene.server.schedule("429", retry_after=3000)
    beats = []
    beat = Ledger.beat

    def watch(ledger: Ledger, job_id: int) -> None:
        beats.append(scene.clock.monotonic())
        beat(ledger, job_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "beat", watch)
        assert scene.run("query").status == "complete"
    assert beats[-1] - beats[0] > 3000
    assert max(after - before for before, after in pairwise(beats)) < 120
