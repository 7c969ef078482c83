"""No fault of the service loses, corrupts or invents a record, and every report is true.

`ONCE` and `FOR_EVER` are the table: a fault that comes and goes must leave no trace but the
requests it cost; a fault that stays must end in a report that names what is missing, and the
next run, when the fault is over, must complete. Numbers of rows are those of the house's list
of faults.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from arxiv_server import Request
from scenes import CLEAN, KINDS, Kind, Scene


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
OAI: tuple[Kind, ...] = ("oai",)
FAST = 0.4  # seconds until a silent server is left



def asks_last_span(request: Request) -> bool:
    """Whether the span that has no end is asked for."""
    return request.params.get("from") == "2026-01-01"


def goes_on_in_last_span(request: Request) -> bool:
    return "until" not in request.params.get("resumptionToken", "until")


def asks_identifiers(request: Request) -> bool:
    return request.params.get("verb") == "ListIdentifiers"


ONCE = [
    Case(1, "429"),
    Case(1, "429", {"times": 3}, ATOM, n_more=3),
    Case(1, "429", {"retry_after": 30}),
    Case(2, "200-rate-exceeded"),
    Case(3, "503"),
    Case(3, "503", {"retry_after": 0}),
    Case(3, "503", {"retry_after": "soon"}),
    Case(3, "503", {"retry_after": timedelta(seconds=50)}),
    Case(3, "503", {"retry_after": None}),
    Case(3, "503", {"times": 2}, OAI, n_more=5),
    Case(4, "500"),
    Case(4, "500", {"feed": True}),
    Case(4, "502"),
    Case(4, "504"),
    Case(8, "truncated"),
    Case(8, "truncated", {"share": 0.01}),
    Case(8, "truncated", {"share": 0.999}),
    Case(8, "truncated", {"share": 0.0}),
    Case(8, "truncated", {"times": 3}, n_more=3),
    Case(8, "short-body"),
    Case(8, "short-body", {"chunked": True}),
    Case(8, "short-body", {"share": 0.0}),
    Case(9, "empty-page", {"on": 2}),
    Case(9, "empty-page", {"on": 1}, OAI, n_more=4),
    Case(10, "anomalous-empty", {"on": 1}, ATOM),
    Case(10, "anomalous-empty", {"on": 2}, ATOM),
    Case(11, "short-page", {"m": 1}, ATOM, n_more=5),
    Case(11, "short-page", {"m": 20}, ATOM, n_more=5),
    Case(12, "duplicates", {"m": 1}, n_more=5),
    Case(12, "duplicates", {"m": 10}, n_more=5),
    Case(13, "total-drift", {"n": 1}, ATOM, n_more=5),
    Case(13, "total-drift", {"n": 40, "on": 5}, ("query",), n_more=7),
    Case(13, "total-drift", {"n": -1}, ATOM, n_more=5),
    Case(13, "total-drift", {"n": -1, "on": 5}, ("query",), n_more=5),
    Case(13, "total-drift", {"n": -60, "on": 1}, ("query",), n_more=5),
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, ATOM, n_more=n_more)
        for kind, n_more in {
            "no-title": 1,
            "empty-title": 1,
            "no-summary": 1,
            "empty-abstract": 1,
            "no-updated": 1,
            "no-published": 1,
            "bad-date": 1,
            "no-authors": 1,
            "no-categories": 1,
            "no-id": 6,
            "bad-id": 6,
        }.items()
    ],
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, OAI, n_more=1)
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
    Case(15, "control-characters", {"text": "&#11;"}),
    Case(15, "control-characters", {"text": "\ufffe"}),
    Case(15, "bad-utf8"),
    Case(15, "latin-1"),
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
    Case(25, "reset", {"share": 0.5}),
    Case(25, "refuse"),
    Case(26, "hang", deadline_s=FAST),
    Case(26, "hang", {"share": 0.5}, deadline_s=FAST),
    Case(26, "slow-loris", deadline_s=FAST),
    Case(26, "slow", deadline_s=FAST),
    Case(27, "gzip-bomb", {"n_mb": 4}),
    Case(27, "gzip-bomb", {"n_mb": 4, "filler": b"x"}),
    Case(27, "huge-body", {"n_mb": 4}),
    Case(28, "entity-bomb"),
    Case(28, "external-entity"),
    Case(29, "redirect"),
    Case(29, "redirect", {"status": 302}),
    Case(29, "redirect", {"status": 307}),
    Case(29, "redirect", {"status": 308}),
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
    report = scene.run(kind)
    scene.check(report, status=case.status)
    assert scene.server.log[-1].number <= CLEAN[kind] + case.n_more
    assert any(request.fault for request in scene.server.log), "the fault never came"
    if report.status != "complete":
        report = scene.run(kind)
        scene.check(report, status="complete")
    scene.check_quiet(kind)


FOR_EVER = [
    Case(1, "429", n_more=10),
    Case(1, "429", {"on": 3}, n_more=10),
    Case(2, "200-rate-exceeded", n_more=10),
    Case(3, "503", {"retry_after": None}, n_more=10),
    Case(3, "503", {"retry_after": 3600}, n_more=10),
    Case(4, "500", n_more=20),
    Case(4, "500", {"on": 3}, n_more=20),
    Case(4, "502", n_more=20),
    Case(4, "504", n_more=20),
    Case(5, "400", {}, ("query",), n_more=1),
    Case(5, "400", {}, ("ids",), n_more=240, is_later=True),
    Case(7, "414", {}, ("query", "oai"), n_more=20),
    Case(7, "404", n_more=20),
    Case(8, "truncated", n_more=60),
    Case(8, "truncated", {"on": 3}, n_more=60),
    Case(8, "short-body", n_more=60),
    Case(9, "empty-page", n_more=60),
    Case(10, "anomalous-empty", {}, ("ids",), n_more=6, is_later=True),
    Case(11, "short-page", {"m": 1}, ATOM, n_more=300),
    Case(12, "duplicates", {"m": 3}, ATOM, n_more=300),
    Case(13, "total-drift", {"n": 1}, ATOM, n_more=300),
    Case(13, "total-drift", {"n": -1}, ATOM, n_more=60),
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, ATOM, n_more=10)
        for kind in ("no-title", "no-summary", "no-updated", "bad-date", "no-authors")
    ],
    *[
        Case(14, "malformed-entry", {"kind": kind, "index": 3}, OAI, n_more=20)
        for kind in ("no-title", "no-abstract", "bad-date", "no-authors", "no-metadata", "no-id")
    ],
    Case(14, "malformed-entry", {"kind": "no-id", "index": 3}, ATOM, n_more=300),
    Case(14, "malformed-entry", {"kind": "no-header", "index": 3}, OAI, n_more=60),
    Case(15, "bare-ampersand", n_more=60),
    Case(20, "bad-token", {}, OAI, n_more=40),
    Case(21, "same-token", {}, OAI, n_more=40),
    Case(21, "loop-token", {}, OAI, n_more=40),
    Case(23, "bad-argument", {}, OAI, n_more=20),
    Case(24, "no-records-match", {"on": asks_last_span}, OAI, n_more=20, is_later=True),
    Case(24, "bad-argument", {"on": asks_last_span}, OAI, n_more=20, is_later=True),
    Case(25, "reset", n_more=20),
    Case(25, "reset", {"share": 0.5}, n_more=20),
    Case(25, "refuse", n_more=20),
    Case(26, "hang", {}, n_more=60, deadline_s=0.05),
    Case(26, "hang", {"share": 0.5}, ("query",), n_more=60, deadline_s=0.05),
    Case(26, "slow-loris", {}, ("query",), n_more=60, deadline_s=0.05),
    Case(27, "gzip-bomb", {"n_mb": 4}, n_more=20),
    Case(27, "huge-body", {"n_mb": 4}, n_more=20),
    Case(28, "entity-bomb", n_more=60),
    Case(28, "external-entity", n_more=60),
    Case(29, "redirect-loop", n_more=20),
    Case(29, "redirect-loop", {"status": 301}, n_more=20),
    Case(29, "redirect-elsewhere", n_more=20),
    Case(29, "redirect-elsewhere", {"host": "arxiv.example"}, n_more=20),
    Case(37, "wrong-root", n_more=60),
    Case(37, "wrong-namespace", n_more=60),
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
    report = scene.run(kind)
    scene.check(report, status="incomplete")
    assert report.n_requests <= CLEAN[kind] + case.n_more
    scene.server.clear_schedule()
    scene.deadline_s = 240.0
    if case.is_later:
        scene.next_day()
    report = scene.run(kind)
    scene.check(report, status="complete")
    scene.check_quiet(kind)
