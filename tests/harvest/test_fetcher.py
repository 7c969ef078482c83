"""The fetcher: what passes is tried again, what throttles brings rest, what is wrong ends it."""

import json
import os
import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from survey_tools.harvest.faults import (
    FetchError,
    ForbiddenError,
    OaiError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from survey_tools.harvest.fetcher import N_ATTEMPTS, Fetched, Fetcher, HostState
from survey_tools.harvest.page import Page
from survey_tools.harvest.politeness import Gate, gate_path
from survey_tools.harvest.strict_xml import parse_xml
from survey_tools.harvest.wire import Reply, Request

URL = "http://127.0.0.1:8321/api/query"
HOST = "127.0.0.1:8321"
REQUEST = Request(url=URL, parameters=(("id_list", "a,b"),), method="POST")
PAGE = Page(records=(), as_of="2026-11-20")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GAP_S = 3.0


class VirtualClock:
    """Time that passes only by waiting; the time of day can be set apart from it."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self.start = NOON

    def monotonic(self) -> float:
        return 5000.0 + self.slept_s

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.slept_s)

    def sleep(self, seconds: float) -> None:
        self.slept_s += max(0.0, seconds)


class Memory:
    """What is known of hosts, as a store keeps it."""

    def __init__(self) -> None:
        self.states: dict[str, HostState] = {}

    def read_host(self, host: str) -> HostState:
        return self.states.get(host, HostState())

    def save_host(self, host: str, state: HostState) -> None:
        self.states[host] = state


Answer = Reply | Exception


class ScriptedWire:
    """Gives answers in turn, the last one for ever, and notes who asked when."""

    def __init__(self, clock: VirtualClock, answers: Sequence[Answer]) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.times: list[float] = []

    def send(self, request: Request, *, on_answer: Callable[[], None]) -> Reply:
        self.requests.append(request)
        self.times.append(self.clock.slept_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        on_answer()
        return answer

    @property
    def gaps(self) -> list[float]:
        """Seconds between two requests."""
        return [b - a for a, b in zip(self.times, self.times[1:], strict=False)]


def reply(status: int = 200, body: bytes = b"<a/>", **headers: str) -> Reply:
    """Make a reply; names of headers are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=body)


GOOD = reply()
HTML = b"<html><body>Sorry</body></html>"
TOO_MANY = reply(429, b"Rate exceeded.")


def read(body: bytes) -> Page:
    """Accept a whole element ``a``."""
    parse_xml(body, root="a")
    return PAGE


@pytest.fixture
def clock() -> VirtualClock:
    """Start at noon."""
    return VirtualClock()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lock file of the gate apart from all others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


class Desk:
    """A fetcher with all it needs within reach."""

    def __init__(
        self,
        clock: VirtualClock,
        *answers: Answer,
        memory: Memory | None = None,
        patience_s: float = 1e6,
        seed: int = 0,
    ) -> None:
        self.memory = memory or Memory()
        self.told: list[str] = []
        self.wire = ScriptedWire(clock, answers)
        self.fetcher = Fetcher(
            self.wire,
            Gate(URL, gap_s=GAP_S, clock=clock),
            self.memory,
            clock=clock,
            patience_s=patience_s,
            rng=random.Random(seed),
            notice=lambda what, _left_s: self.told.append(what),
        )

    def ask(self, request: Request = REQUEST, **options: int) -> Fetched:
        return self.fetcher.ask(request, read, **options)

    def fail(
        self, kind: type[FetchError], request: Request = REQUEST, **options: int
    ) -> FetchError:
        """Ask in vain; return the reason."""
        with pytest.raises(kind) as caught:
            self.ask(request, **options)
        return caught.value


# ---- a good page -------------------------------------------------------------------------


def test_a_good_page_is_given_with_its_bytes(clock: VirtualClock) -> None:
    """And with the full address, however the parameters were sent."""
    desk = Desk(clock, GOOD)
    assert desk.ask() == Fetched(page=PAGE, body=b"<a/>", url=f"{URL}?id_list=a%2Cb")
    assert desk.fetcher.n_requests == 1
    assert desk.wire.requests == [REQUEST]
    assert clock.slept_s == 0


# ---- faults that pass --------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        TransientError("reset"),
        reply(500, HTML),
        reply(502, HTML),
        reply(504, HTML),
        reply(408),
        reply(425),
        reply(200, b""),
        reply(200, HTML),
        reply(200, b"<!DOCTYPE html><html>"),
        reply(200, b"Not Found"),
        reply(200, b"<a>cut"),
        reply(200, b"\xefno mark"),
    ],
)
def test_a_fault_that_passes_is_tried_again(clock: VirtualClock, fault: Answer) -> None:
    """After a wait that is told."""
    desk = Desk(clock, fault, GOOD)
    assert desk.ask().page == PAGE
    assert len(desk.wire.requests) == 2
    assert desk.wire.gaps[0] >= GAP_S
    assert desk.told[0].startswith("trying again (")


@pytest.mark.parametrize("status", [520, 522, 529])
def test_a_fault_of_a_server_in_between_passes(clock: VirtualClock, status: int) -> None:
    """Whatever number a content network gives it: 5xx is the server's own fault."""
    desk = Desk(clock, reply(status, HTML), GOOD)
    assert desk.ask().page == PAGE


@pytest.mark.parametrize("seed", range(5))
def test_waits_grow_and_have_a_bound(clock: VirtualClock, seed: int) -> None:
    """Each between the gap and three times the last, five minutes at most."""
    desk = Desk(clock, reply(500), seed=seed)
    desk.fail(TransientError, n_attempts=15)
    gaps = desk.wire.gaps
    assert len(gaps) == 14
    last_s = GAP_S
    for gap_s in gaps:
        assert GAP_S <= gap_s <= min(300.0, 3 * last_s) + 1e-6
        last_s = gap_s
    assert max(gaps) > 30


def test_attempts_are_counted(clock: VirtualClock) -> None:
    """Six, unless another number is given; the last reason is raised."""
    desk = Desk(clock, reply(500))
    assert str(desk.fail(TransientError)) == f"{HOST} has a fault of its own (status 500)"
    assert desk.fetcher.n_requests == N_ATTEMPTS == 6
    desk = Desk(clock, reply(500))
    desk.fail(TransientError, n_attempts=1)
    assert desk.fetcher.n_requests == 1


def test_what_a_proxy_says_is_shown(clock: VirtualClock) -> None:
    """The user knows his own proxy's page."""
    desk = Desk(clock, reply(200, b"<html><title>Log in to our network</title>"))
    said = str(desk.fail(TransientError, n_attempts=1))
    assert "as a proxy or a maintenance page does: '<html><title>Log in" in said


def test_waits_after_faults_use_up_patience(clock: VirtualClock) -> None:
    """Then the run ends, with the fault as the reason."""
    desk = Desk(clock, reply(500), patience_s=GAP_S * 0.9)
    error = desk.fail(ThrottledError)
    assert isinstance(error, ThrottledError)
    assert error.is_final
    assert str(error) == f"{HOST} has a fault of its own (status 500); patience is used up"
    assert clock.slept_s == 0


# ---- pages that can be repaired ----------------------------------------------------------

BAD = reply(200, b"<a>x\x01</a>")


def test_a_forbidden_character_is_first_blamed_on_the_way_here(clock: VirtualClock) -> None:
    """The page is asked for again, and taken as it is."""
    desk = Desk(clock, BAD, GOOD)
    fetched = desk.ask()
    assert not fetched.page.is_repaired
    assert len(desk.wire.requests) == 2


def test_a_page_that_comes_bad_twice_is_repaired(clock: VirtualClock) -> None:
    """It is marked, and its bytes are kept as they came."""
    desk = Desk(clock, BAD)
    fetched = desk.ask()
    assert fetched.page.is_repaired
    assert fetched.body == BAD.body
    assert len(desk.wire.requests) == 2


def test_a_repaired_page_ends_a_row_of_throttled_replies(clock: VirtualClock) -> None:
    """It is an answer like any other."""
    memory = Memory()
    memory.states[HOST] = HostState(n_strikes=4)
    Desk(clock, BAD, memory=memory).ask()
    assert memory.states[HOST].n_strikes == 0


def test_a_cut_page_is_never_repaired(clock: VirtualClock) -> None:
    """Not even with a forbidden character in it."""
    desk = Desk(clock, reply(200, b"<a>x\x01"))
    desk.fail(TransientError)
    assert desk.fetcher.n_requests == N_ATTEMPTS


# ---- throttling --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "throttled",
    [TOO_MANY, reply(200, b"Rate exceeded."), reply(200, b" rate EXCEEDED\n"), reply(503)],
)
def test_a_throttled_host_rests_a_minute(clock: VirtualClock, throttled: Reply) -> None:
    """Also where the status says that all is well; a fifth more at most, by chance."""
    desk = Desk(clock, throttled, GOOD)
    assert desk.ask().page == PAGE
    assert 60 <= desk.wire.gaps[0] <= 72 + 1e-6


def test_rests_double_up_to_half_an_hour(clock: VirtualClock) -> None:
    """429s were seen to last for hours."""
    desk = Desk(clock, *[TOO_MANY] * 8, GOOD)
    desk.ask()
    for gap_s, least_s in zip(
        desk.wire.gaps, [60, 120, 240, 480, 960, 1800, 1800, 1800], strict=True
    ):
        assert least_s <= gap_s <= 1.2 * least_s + 1e-6


def test_a_good_page_ends_the_row(clock: VirtualClock) -> None:
    """The next throttled reply counts from one again."""
    desk = Desk(clock, TOO_MANY, TOO_MANY, GOOD, TOO_MANY, GOOD)
    desk.ask()
    assert desk.memory.states[HOST] == HostState()
    desk.ask()
    assert 60 <= desk.wire.gaps[-1] <= 72 + 1e-6


@pytest.mark.parametrize(
    ("header", "rest_s"),
    [
        ("20", 20),
        (" 20 ", 20),
        ("1", 3),
        ("7200", 3600),
        ("9" * 400, 3600),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOON - timedelta(days=9), usegmt=True), 3),
        (format_datetime(NOON + timedelta(days=9), usegmt=True), 3600),
        ("Fri, 20 Nov 2026 13:01:30 +0100", 90),
        ("Fri, 20 Nov 2026 12:01:30 -0000", 90),
    ],
)
def test_retry_after_is_obeyed_within_bounds(
    clock: VirtualClock, header: str, rest_s: float
) -> None:
    """Seconds or a date, from three seconds to an hour."""
    desk = Desk(clock, reply(503, HTML, retry_after=header), GOOD)
    desk.ask()
    assert desk.wire.gaps == [pytest.approx(rest_s)]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "0",
        "00",
        "soon",
        "-5",
        "1.5",
        "²",
        "Fri, 20 Nov",
        f"Fri, 20 Nov {'9' * 20} 12:00:00 GMT",
    ],
)
def test_nonsense_in_retry_after_says_nothing(clock: VirtualClock, header: str) -> None:
    """Nor does 0, which arXiv's front servers send: the rest is ours to choose."""
    desk = Desk(clock, reply(503, HTML, retry_after=header), GOOD)
    desk.ask()
    assert 60 <= desk.wire.gaps[0] <= 72 + 1e-6


def test_a_rest_is_stored(clock: VirtualClock) -> None:
    """With its end, its length and the strikes, for the next process."""
    desk = Desk(clock, reply(429, retry_after="100"))
    desk.fail(ThrottledError, n_throttles=1)
    until = NOON + timedelta(seconds=100)
    assert desk.memory.states == {HOST: HostState(rest_until=until, rest_s=100.0, n_strikes=1)}


def test_a_stored_rest_is_kept_by_the_next_run(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the lock file is gone, as after a boot."""
    memory = Memory()
    memory.states[HOST] = HostState(
        rest_until=NOON + timedelta(seconds=100), rest_s=600.0, n_strikes=3
    )
    desk = Desk(clock, GOOD, memory=memory)
    desk.ask()
    assert desk.wire.times == [100.0]
    assert memory.states[HOST] == HostState()


def test_a_run_too_impatient_for_a_stored_rest_makes_it_no_longer(clock: VirtualClock) -> None:
    """It asks nobody, so nobody asked for more rest."""
    memory = Memory()
    state = HostState(rest_until=NOON + timedelta(seconds=100), rest_s=600.0, n_strikes=3)
    memory.states[HOST] = state
    desk = Desk(clock, GOOD, memory=memory, patience_s=10)
    error = desk.fail(ThrottledError)
    assert str(error) == f"{HOST} is in its cool-down; patience is used up"
    assert desk.fetcher.n_requests == 0
    assert memory.states[HOST] == state


def test_the_gate_knows_of_a_rest_when_it_opens(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment the lock is freed after a 429, its file says how long the host rests."""
    desk = Desk(clock, reply(429, retry_after="100"))
    seen: list[dict[str, Any]] = []
    close = os.close

    def look_and_close(file: int) -> None:
        seen.append(json.loads(gate_path(URL).read_bytes() or b"{}"))
        close(file)

    monkeypatch.setattr("survey_tools.harvest.politeness.os.close", look_and_close)
    desk.fail(ThrottledError, n_throttles=1)
    assert [rest["rests"] for rest in seen] == [{HOST: [5000.0, 100.0]}]


def test_a_clock_set_back_makes_no_rest_longer(clock: VirtualClock) -> None:
    """What was to end at noon ends after its own length at the latest."""
    memory = Memory()
    memory.states[HOST] = HostState(rest_until=NOON, rest_s=60.0, n_strikes=1)
    clock.start = NOON - timedelta(hours=1)
    desk = Desk(clock, GOOD, memory=memory)
    desk.ask()
    assert desk.wire.times == [60.0]


def test_a_rest_that_is_over_is_not_kept(clock: VirtualClock) -> None:
    """It ended while nobody asked."""
    memory = Memory()
    memory.states[HOST] = HostState(rest_until=NOON - timedelta(seconds=1), rest_s=60.0)
    desk = Desk(clock, GOOD, memory=memory)
    desk.ask()
    assert desk.wire.times == [0.0]


def test_throttled_replies_can_be_counted(clock: VirtualClock) -> None:
    """Then a smaller question is asked instead; the host rests all the same."""
    desk = Desk(clock, reply(503, retry_after="20"))
    error = desk.fail(ThrottledError, n_throttles=2)
    assert isinstance(error, ThrottledError)
    assert not error.is_final
    assert desk.fetcher.n_requests == 2
    desk.wire.answers = [GOOD]
    desk.ask()
    assert desk.wire.gaps == [20.0, 20.0]


def test_rests_use_up_patience(clock: VirtualClock) -> None:
    """The run ends, and the host's rest is stored for the next one."""
    desk = Desk(clock, reply(429, retry_after="100"), patience_s=250)
    error = desk.fail(ThrottledError)
    assert isinstance(error, ThrottledError)
    assert error.is_final
    assert str(error) == f"{HOST} asks for rest (status 429); patience is used up"
    assert desk.wire.gaps == [100.0, 100.0]
    assert desk.memory.states[HOST].n_strikes == 3


def test_faults_between_throttled_replies_count_apart(clock: VirtualClock) -> None:
    """Resting is no attempt."""
    desk = Desk(clock, TOO_MANY, reply(500), TOO_MANY, reply(500), GOOD)
    assert desk.ask(n_attempts=3).page == PAGE


# ---- what is wrong -----------------------------------------------------------------------

ERROR_FEED = b"""<feed xmlns="http://www.w3.org/2005/Atom"
  xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
<opensearch:totalResults>1</opensearch:totalResults>
<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>
<summary>incorrect id format for b</summary></entry></feed>"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(400, ERROR_FEED), "arXiv refuses the request: incorrect id format for b"),
        (reply(400, HTML), f"{HOST} refuses the request (status 400)"),
        (reply(400, b"<feed"), f"{HOST} refuses the request (status 400)"),
        (reply(404, HTML), f"{HOST} refuses the request (status 404)"),
        (reply(410), f"{HOST} refuses the request (status 410)"),
        (reply(414), f"{HOST}: the request is too long (status 414)"),
        (reply(204, b""), f"{HOST} refuses the request (status 204)"),
        (reply(304, b""), f"{HOST} refuses the request (status 304)"),
    ],
)
def test_what_can_never_succeed_is_raised_at_once(
    clock: VirtualClock, answer: Reply, said: str
) -> None:
    """With the server's own words where it has some."""
    desk = Desk(clock, answer)
    assert str(desk.fail(RefusedError)) == said
    assert desk.fetcher.n_requests == 1


def test_a_denied_client_stops(clock: VirtualClock) -> None:
    """ArXiv takes further requests for an attack."""
    desk = Desk(clock, reply(403, HTML))
    assert "Stop, and write to arXiv" in str(desk.fail(ForbiddenError))
    assert desk.fetcher.n_requests == 1


def test_an_error_of_the_protocol_is_passed_on(clock: VirtualClock) -> None:
    """Whoever asked knows what it means; nothing is tried again."""
    desk = Desk(clock, GOOD)

    def refuse(_: bytes) -> Page:
        raise OaiError("badResumptionToken", "expired", as_of="2026-11-20")

    with pytest.raises(OaiError, match="badResumptionToken"):
        desk.fetcher.ask(REQUEST, refuse)
    assert desk.fetcher.n_requests == 1


# ---- redirects ---------------------------------------------------------------------------


def moved(target: str, status: int = 301) -> Reply:
    """Redirect somewhere."""
    return reply(status, b"", location=target)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_as_it_was_asked(clock: VirtualClock, status: int) -> None:
    """With the form that was posted, and a turn at the gate for each hop."""
    desk = Desk(clock, moved("/new/query?x=1#y", status), GOOD)
    fetched = desk.ask()
    first, second = desk.wire.requests
    assert first == REQUEST
    assert second == Request(
        url=f"http://{HOST}/new/query", parameters=REQUEST.parameters, method="POST"
    )
    assert desk.wire.gaps == [GAP_S]
    assert desk.fetcher.n_requests == 2
    assert fetched.url == REQUEST.full_url


@pytest.mark.parametrize(("status", "n_again"), [(301, 1), (308, 1), (302, 2), (307, 2)])
def test_a_move_for_good_is_remembered(clock: VirtualClock, status: int, n_again: int) -> None:
    """By the next run, too; one for the time being is not."""
    memory = Memory()
    Desk(clock, moved("/new", status), GOOD, memory=memory).ask()
    answers = [GOOD] if n_again == 1 else [moved("/new", status), GOOD]
    desk = Desk(clock, *answers, memory=memory)
    desk.ask()
    assert len(desk.wire.requests) == n_again
    assert desk.wire.requests[-1].url == f"http://{HOST}/new"


def test_a_move_by_way_of_a_detour_is_not_remembered(clock: VirtualClock) -> None:
    """One hop for the time being makes the whole way so."""
    memory = Memory()
    Desk(clock, moved("/a", 302), moved("/b", 301), GOOD, memory=memory).ask()
    assert memory.read_host(URL).moved_to is None


@pytest.mark.parametrize("end", [reply(404), reply(500), reply(200, HTML), moved("/new")])
def test_a_move_that_leads_nowhere_is_not_remembered(clock: VirtualClock, end: Reply) -> None:
    """Else a mistake of the server's of one hour would last for ever."""
    memory = Memory()
    Desk(clock, moved("/new"), end, memory=memory).fail(FetchError, n_attempts=1)
    assert memory.read_host(URL).moved_to is None


def test_a_chain_of_three_is_followed(clock: VirtualClock) -> None:
    """And what is remembered is its end."""
    desk = Desk(clock, moved("/a"), moved("/b"), moved("/c"), GOOD)
    desk.ask()
    assert desk.memory.read_host(URL).moved_to == f"http://{HOST}/c"


def test_a_loop_is_refused(clock: VirtualClock) -> None:
    """After three hops."""
    desk = Desk(clock, moved("/a"), moved("/b"), moved("/a"), moved("/b"))
    assert str(desk.fail(RefusedError)) == f"{URL}: redirects more than 3 times"
    assert desk.fetcher.n_requests == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:8321/api/query",
        "http://example.com/",
        "//example.com/x",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
    ],
)
def test_another_service_is_not_asked(clock: VirtualClock, target: str) -> None:
    """A wireless network that wants a login redirects everything to itself."""
    desk = Desk(clock, moved(target))
    assert "another service; give its address by --api-url" in str(desk.fail(RefusedError))
    assert desk.fetcher.n_requests == 1
    assert desk.memory.states == {}


@pytest.mark.parametrize("target", ["http://[", "http://[::1/x", ""])
def test_a_redirect_to_nowhere_is_refused(clock: VirtualClock, target: str) -> None:
    """Without a traceback."""
    desk = Desk(clock, moved(target))
    desk.fail(RefusedError)


@pytest.mark.parametrize(
    ("origin", "target", "is_followed"),
    [
        ("http://export.arxiv.org/api/query", "https://export.arxiv.org/api/query", True),
        ("http://export.arxiv.org/oai2", "https://oaipmh.arxiv.org/oai", True),
        ("https://export.arxiv.org/api/query", "http://export.arxiv.org/api/query", False),
        ("https://export.arxiv.org/api/query", "https://arxiv.org.example.com/", False),
        ("https://export.arxiv.org/api/query", "https://notarxiv.org/", False),
    ],
)
def test_arxiv_may_redirect_to_itself_and_to_more_safety(
    clock: VirtualClock, origin: str, target: str, is_followed: bool
) -> None:
    """Never to less."""
    desk = Desk(clock, moved(target), GOOD)
    request = Request(url=origin)
    if is_followed:
        desk.ask(request)
        assert desk.wire.requests[1].url == target
    else:
        desk.fail(RefusedError, request)


def test_a_redirected_request_sends_the_new_host_to_rest(clock: VirtualClock) -> None:
    """Not the one that pointed there."""
    to_new = moved("http://127.0.0.1:9999/q")
    desk = Desk(clock, to_new, TOO_MANY)
    desk.fail(ThrottledError, n_throttles=1)
    assert HOST not in desk.memory.states
    assert desk.memory.read_host("127.0.0.1:9999").n_strikes == 1
    desk.wire.answers = [to_new, GOOD]
    desk.ask()
    assert desk.wire.gaps[1] == GAP_S  # the old host does not rest
    assert desk.wire.gaps[2] >= 60 - GAP_S
    assert desk.memory.read_host("127.0.0.1:9999") == HostState()
