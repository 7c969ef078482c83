"""The gate: one request at a time with a gap between two, whoever asks on this machine."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from survey_tools.errors import OutputError, ParameterError
from survey_tools.harvest.clock import SystemClock, iso_time
from survey_tools.harvest.politeness import ARXIV_GAP_S, Gate, check_gap, gate_path

ARXIV = "https://export.arxiv.org/api/query"
HERE = "http://127.0.0.1:8321/api/query"
THERE = "http://127.0.0.1:8322/api/query"


class VirtualClock:
    """Time that passes only by waiting."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self.time_s = start_s
        self.slept_s = 0.0

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time_s, UTC)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time_s += seconds
        self.slept_s += seconds
        assert self.slept_s < 100_000, "it waits for ever"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lock files of this test apart from all others, in child processes too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def clock() -> VirtualClock:
    """Start a clock at 1,000 s."""
    return VirtualClock()


def gate(clock: VirtualClock, url: str = HERE, gap_s: float = 3.0) -> Gate:
    """Build a gate that tells nobody what it waits for."""
    return Gate(url, gap_s=gap_s, clock=clock)


def pass_through(gate: Gate, url: str = HERE) -> float:
    """Take a turn that is answered at once; return when."""
    with gate.turn(url) as turn:
        turn.mark()
    assert turn.answered_s is not None
    return turn.answered_s


# ---- the gap -----------------------------------------------------------------------------


def test_the_first_request_waits_for_nothing(clock: VirtualClock) -> None:
    """There is none before it."""
    assert pass_through(gate(clock)) == 1000.0


def test_there_is_a_gap_between_two_requests(clock: VirtualClock) -> None:
    """From the beginning of the reply to the next request."""
    here = gate(clock)
    with here.turn(HERE) as turn:
        clock.sleep(10)  # until the reply begins
        turn.mark()
        clock.sleep(1)  # until it ends
    assert pass_through(here) == 1013.0
    assert pass_through(here) == 1016.0


def test_time_that_has_passed_counts(clock: VirtualClock) -> None:
    """Who was slow need not wait."""
    here = gate(clock)
    pass_through(here)
    clock.sleep(2)
    assert pass_through(here) == 1003.0
    clock.sleep(60)
    assert pass_through(here) == 1063.0


def test_a_request_without_an_answer_counts_from_its_end(clock: VirtualClock) -> None:
    """The server may have had it all the while."""
    here = gate(clock)

    def fail() -> None:
        with here.turn(HERE):
            clock.sleep(20)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fail()
    assert pass_through(here) == 1023.0


def test_two_gates_to_one_service_share_the_gap(clock: VirtualClock) -> None:
    """Atom and OAI-PMH of arXiv are one service: all hosts have one gate."""
    atom = gate(clock, ARXIV)
    oai = gate(clock, "https://oaipmh.arxiv.org/oai")
    pass_through(atom, ARXIV)
    assert pass_through(oai, "https://oaipmh.arxiv.org/oai") == 1003.0


def test_two_services_do_not_wait_for_each_other(clock: VirtualClock) -> None:
    """Another port is another service."""
    pass_through(gate(clock, HERE), HERE)
    assert pass_through(gate(clock, THERE), THERE) == 1000.0


def test_waiting_is_told(clock: VirtualClock) -> None:
    """What for, and how long still, to the end."""
    told: list[tuple[str, float]] = []
    here = Gate(HERE, gap_s=3.0, clock=clock, notice=lambda what, left: told.append((what, left)))
    pass_through(here)
    assert told == []
    pass_through(here)
    assert told == [("next request", left) for left in (3.0, 2.0, 1.0, 0.0)]


@pytest.mark.parametrize(
    ("url", "gap_s"),
    [(ARXIV, 0.0), (ARXIV, 2.9), (ARXIV, -1.0), (ARXIV, float("nan")), ("https://a.example", 1.0)],
)
def test_a_smaller_gap_is_refused(url: str, gap_s: float) -> None:
    """Not even a number that is none goes through."""
    with pytest.raises(ParameterError, match="ask for at least 3 seconds"):
        check_gap(url, gap_s)
    with pytest.raises(ParameterError, match="ask for at least 3 seconds"):
        Gate(url, gap_s=gap_s, clock=VirtualClock())


@pytest.mark.parametrize(
    "url",
    ["http://127.example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/"],
)
def test_a_name_that_looks_like_this_machine_is_not(url: str) -> None:
    """Anyone can own a name that begins with 127."""
    with pytest.raises(ParameterError, match="only a server on this machine"):
        check_gap(url, 0.0)


@pytest.mark.parametrize("url", [HERE, "http://localhost:8000/", "http://[::1]:80/"])
def test_this_machine_may_be_asked_faster(url: str) -> None:
    """It is one's own."""
    check_gap(url, 0.0)
    check_gap(ARXIV, ARXIV_GAP_S)


# ---- rest --------------------------------------------------------------------------------


def test_a_host_that_rests_is_not_asked(clock: VirtualClock) -> None:
    """The rest ends by itself."""
    here = gate(clock)
    here.rest(HERE, 60)
    assert here.rest_left_s(HERE) == 60
    assert pass_through(here) == 1060.0
    assert here.rest_left_s(HERE) <= 0
    assert pass_through(here) == 1063.0


def test_a_rest_holds_for_every_gate(clock: VirtualClock) -> None:
    """It is written where all look."""
    gate(clock).rest(HERE, 60)
    assert pass_through(gate(clock)) == 1060.0


def test_one_host_rests_while_another_is_asked(clock: VirtualClock) -> None:
    """ArXiv's OAI-PMH goes on when its Atom API is overloaded, behind one gate."""
    oai = "https://oaipmh.arxiv.org/oai"
    arxiv = gate(clock, ARXIV)
    arxiv.rest(ARXIV, 600)
    assert pass_through(arxiv, oai) == 1000.0
    assert pass_through(arxiv, oai) == 1003.0
    assert pass_through(arxiv, ARXIV) == 1600.0


def test_a_longer_rest_stays(clock: VirtualClock) -> None:
    """A shorter one does not end it; a longer one extends it."""
    here = gate(clock)
    here.rest(HERE, 100)
    here.rest(HERE, 5)
    assert here.rest_left_s(HERE) == 100
    here.rest(HERE, 300)
    assert here.rest_left_s(HERE) == 300


def test_the_cool_down_is_told(clock: VirtualClock) -> None:
    """With the host that rests."""
    told: list[str] = []
    here = Gate(HERE, gap_s=3.0, clock=clock, notice=lambda what, _left: told.append(what))
    here.rest(HERE, 2)
    pass_through(here)
    assert set(told) == {"cool-down of 127.0.0.1:8321"}


def test_a_rest_is_waited_for_outside_the_gate(clock: VirtualClock) -> None:
    """Others may be free: the lock is open while one waits for its host."""
    seen: list[float] = []
    other = gate(clock)

    def look(what: str, left_s: float) -> None:
        if what.startswith("cool-down"):
            seen.append(other.rest_left_s(THERE))

    here = Gate(HERE, gap_s=3.0, clock=clock, notice=look)
    here.rest(HERE, 3)
    pass_through(here)
    assert len(seen) == 4


def test_a_rest_that_a_reply_asks_for_is_told_before_the_gate_opens() -> None:
    """Who waits at the gate already finds it written, and waits for its end."""
    clock = SystemClock()
    passed: list[float] = []

    def queue() -> None:
        passed.append(pass_through(Gate(HERE, gap_s=0.01, clock=clock)))

    waiting = threading.Thread(target=queue)
    with Gate(HERE, gap_s=0.01, clock=clock).turn(HERE) as turn:
        waiting.start()
        clock.sleep(0.2)
        turn.rest_s = 0.5
        told_s = clock.monotonic()
    waiting.join(10)
    assert passed[0] - told_s >= 0.5


# ---- a clock that jumps ------------------------------------------------------------------


def test_a_time_of_another_boot_costs_one_gap_at_most(clock: VirtualClock) -> None:
    """The monotonic clock begins anew with the machine; the file may outlive it."""
    pass_through(gate(clock))
    clock.time_s = 5.0
    assert pass_through(gate(clock)) == 8.0


def test_a_rest_is_never_longer_than_recorded(clock: VirtualClock) -> None:
    """After a boot its beginning lies in the future; its length is known all the same."""
    clock.time_s = 90_000.0
    gate(clock).rest(HERE, 50)
    clock.time_s = 5.0
    assert gate(clock).rest_left_s(HERE) <= 50
    assert pass_through(gate(clock)) <= 55.0


def test_a_new_rest_replaces_one_of_another_boot(clock: VirtualClock) -> None:
    """What lies in the future is not compared with."""
    clock.time_s = 90_000.0
    gate(clock).rest(HERE, 500)
    clock.time_s = 5.0
    gate(clock).rest(HERE, 60)
    assert pass_through(gate(clock)) == 65.0


# ---- the file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (ARXIV, "survey-tools-arxiv.org.lock"),
        ("https://oaipmh.arxiv.org/oai", "survey-tools-arxiv.org.lock"),
        ("http://arxiv.org:80", "survey-tools-arxiv.org.lock"),
        ("https://me@EXPORT.arxiv.org", "survey-tools-arxiv.org.lock"),
        (HERE, "survey-tools-127.0.0.1-8321.lock"),
        ("https://notarxiv.org/", "survey-tools-notarxiv.org.lock"),
        ("https://arxiv.org.example.com/", "survey-tools-arxiv.org.example.com.lock"),
    ],
)
def test_a_service_has_one_lock_file(tmp_path: Path, url: str, name: str) -> None:
    """In the folder for temporary files, the same for all users."""
    assert gate_path(url) == tmp_path / name


def test_a_name_with_a_final_dot_is_the_same_host() -> None:
    """``export.arxiv.org.`` is arXiv as DNS writes it, and no second way in."""
    assert gate_path("https://export.arxiv.org./api/query") == gate_path(ARXIV)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_all_users_may_use_the_lock(clock: VirtualClock, umask: int) -> None:
    """Whatever the umask of the first."""
    before = os.umask(umask)
    try:
        pass_through(gate(clock))
    finally:
        os.umask(before)
    assert stat.S_IMODE(gate_path(HERE).stat().st_mode) == 0o666


def test_a_link_is_not_followed(clock: VirtualClock, tmp_path: Path) -> None:
    """In a folder where all may write, it may lead to a file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    gate_path(HERE).symlink_to(precious)
    with pytest.raises(OutputError, match=r"cannot be opened .*remove it or set TMPDIR"):
        pass_through(gate(clock))
    assert precious.read_text(encoding="utf-8") == "mine"


def test_a_folder_in_place_of_the_lock_is_named(clock: VirtualClock) -> None:
    """With what to do."""
    gate_path(HERE).mkdir()
    with pytest.raises(OutputError, match=r"cannot be opened \(Is a directory\); remove it"):
        pass_through(gate(clock))


def test_a_pipe_in_place_of_the_lock_is_named(clock: VirtualClock) -> None:
    """It can be opened, and nothing can be read from it."""
    os.mkfifo(gate_path(HERE))
    with pytest.raises(OutputError, match="remove it"):
        pass_through(gate(clock))


def test_a_missing_folder_is_named(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """TMPDIR may name anything."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(OutputError, match="set TMPDIR to a folder that can be written"):
        pass_through(gate(clock))


def test_a_full_disk_is_told_in_a_sentence(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the time of the last request written down, no next one may be sent."""

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        pass_through(gate(clock))


def test_what_the_file_says_is_json(clock: VirtualClock) -> None:
    """A person who looks at it can read it, and a shorter text leaves no rest of a longer."""
    gate(clock).rest(HERE, 60)
    pass_through(gate(clock))
    assert json.loads(gate_path(HERE).read_bytes()) == {
        "last_s": 1060.0,
        "rests": {"127.0.0.1:8321": [1000.0, 60.0]},
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"last_s": 10',
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b'{"last_s": "soon"}',
        b'{"last_s": [1]}',
        b'{"rests": 5}',
        b'{"rests": {"127.0.0.1:8321": 5}}',
        b'{"rests": {"127.0.0.1:8321": [1, 2, 3]}}',
        b'{"rests": {"127.0.0.1:8321": ["a", "b"]}}',
        b"[" * 60_000,
        b'{"last_s": ' + b"9" * 400 + b"}",
        b'{"last_s": ' + b"9" * 5000 + b"}",
        b"x" * 100_000,
    ],
)
def test_a_torn_or_foreign_file_says_nothing(clock: VirtualClock, text: bytes) -> None:
    """It is written anew, and nobody is kept waiting."""
    gate_path(HERE).write_bytes(text)
    assert pass_through(gate(clock)) == 1000.0
    assert json.loads(gate_path(HERE).read_bytes()) == {"last_s": 1000.0, "rests": {}}


@pytest.mark.parametrize(
    "text",
    [
        b'{"last_s": NaN}',
        b'{"last_s": Infinity}',
        b'{"rests": {"127.0.0.1:8321": [NaN, 5]}}',
        b'{"rests": {"127.0.0.1:8321": [Infinity, 5]}}',
        b'{"rests": {"127.0.0.1:8321": [1e300, 5]}}',
        b'{"rests": {"127.0.0.1:8321": [1000, NaN]}}',
        b'{"rests": {"127.0.0.1:8321": [1000, -5]}}',
    ],
)
def test_a_number_that_is_none_makes_nobody_wait_for_ever(text: bytes) -> None:
    """Python's JSON reads NaN and Infinity; every comparison with them has its own mind."""

    class NaNClock(VirtualClock):
        n_asked = 0

        def monotonic(self) -> float:
            self.n_asked += 1
            assert self.n_asked < 10_000, "it spins for ever"
            return super().monotonic()

    gate_path(HERE).write_bytes(text)
    clock = NaNClock()
    assert pass_through(gate(clock)) <= 1005.0


def test_a_rest_of_years_is_an_hour(clock: VirtualClock) -> None:
    """Whoever wrote it there."""
    gate_path(HERE).write_bytes(b'{"rests": {"127.0.0.1:8321": [1000, 1e9]}}')
    assert pass_through(gate(clock)) == 4600.0


# ---- several at once ---------------------------------------------------------------------


def test_threads_pass_one_by_one() -> None:
    """With real clocks: no two inside, a gap between the reply to one and the next."""
    gap_s, n_threads, n_turns = 0.02, 4, 3
    stays: list[tuple[float, float]] = []
    clock = SystemClock()

    def ask() -> None:
        mine = Gate(HERE, gap_s=gap_s, clock=clock)
        for _ in range(n_turns):
            with mine.turn(HERE) as turn:
                begin = clock.monotonic()
                turn.mark()
                clock.sleep(0.005)
                stays.append((begin, clock.monotonic()))

    threads = [threading.Thread(target=ask) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(stays) == n_threads * n_turns
    for (begin, end), (following, _) in pairwise(sorted(stays)):
        assert following >= end
        assert following - begin >= gap_s


CHILD = """
import sys, time
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.politeness import Gate

url, n_turns, gap_s, stay_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
gate = Gate(url, gap_s=gap_s, clock=SystemClock())
for _ in range(n_turns):
    with gate.turn(url) as turn:
        begin = time.monotonic()
        turn.mark()
        sys.stdout.write("inside\\n")
        sys.stdout.flush()
        time.sleep(stay_s)
        end = time.monotonic()
    sys.stdout.write(f"{begin} {end}\\n")
"""


def start_child(n_turns: int, gap_s: float, stay_s: float) -> subprocess.Popen[str]:
    """Start a process that takes turns and says when."""
    command = [sys.executable, "-c", CHILD, HERE, str(n_turns), str(gap_s), str(stay_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_pass_one_by_one() -> None:
    """With real processes: no two inside, a gap between the reply to one and the next."""
    gap_s, n_turns = 0.05, 4
    children = [start_child(n_turns, gap_s, 0.01) for _ in range(2)]
    stays: list[list[float]] = []
    for child in children:
        said, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        lines = [line for line in said.splitlines() if line != "inside"]
        stays += [[float(number) for number in line.split()] for line in lines]
    assert len(stays) == 2 * n_turns
    stays.sort()
    for (begin, end), (following, _) in pairwise(stays):
        assert following >= end
        assert following - begin >= gap_s


@pytest.fixture
def holder() -> Callable[[], subprocess.Popen[str]]:
    """Start a process that stays inside the gate."""

    def start() -> subprocess.Popen[str]:
        child = start_child(1, 0.05, 600)
        assert child.stdout is not None
        assert child.stdout.readline() == "inside\n"
        return child

    return start


def test_a_killed_process_frees_the_gate(holder: Callable[[], subprocess.Popen[str]]) -> None:
    """The kernel does; whoever waits is told what for."""
    child = holder()
    assert child.stdout is not None
    told: list[str] = []

    def notice(what: str, left_s: float) -> None:
        if not told:
            child.send_signal(signal.SIGKILL)
        told.append(what)

    try:
        mine = Gate(HERE, gap_s=0.05, clock=SystemClock(), notice=notice)
        with mine.turn(HERE):
            assert child.wait(timeout=10) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert told[0] == "another harvest of this machine"


# ---- the clock ---------------------------------------------------------------------------


def test_the_system_clock_knows_its_zone() -> None:
    """All dates are UTC; no negative time is slept."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    clock.sleep(-1)
    assert clock.monotonic() <= clock.monotonic()


def test_times_are_written_in_utc() -> None:
    """Whatever zone they are in."""
    assert iso_time(datetime.fromisoformat("2026-11-20T01:30:00+05:00")) == "2026-11-19T20:30:00Z"
