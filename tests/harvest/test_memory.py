"""Memory: hosts, and titles that arXiv does not know, outlive the run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scenes import FakeClock

from survey_tools.harvest.fetcher import HostState
from survey_tools.harvest.memory import Memory
from survey_tools.harvest.store import Store

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    """Virtual time that begins at nine."""
    return FakeClock()


@pytest.fixture
def memory(tmp_path: Path, clock: FakeClock) -> Iterator[Memory]:
    """Keep the memory of a new store."""
    with Store(tmp_path / "harvest.db") as store:
        yield Memory(store, clock)


def test_a_host_is_remembered(memory: Memory) -> None:
    """Cool-down, strikes and move, to the second; the latest word counts."""
    assert memory.read_host("127.0.0.1:80") == HostState()
    state = HostState(
        rest_until=NINE + timedelta(seconds=90), rest_s=90.5, n_strikes=3, moved_to="http://x/"
    )
    memory.save_host("127.0.0.1:80", HostState(n_strikes=1))
    memory.save_host("127.0.0.1:80", state)
    assert memory.read_host("127.0.0.1:80") == state
    assert memory.read_host("127.0.0.1:81") == HostState()


def test_resting_hosts_are_named_as_long_as_they_rest(memory: Memory, clock: FakeClock) -> None:
    """With the end of their rest."""
    until = NINE + timedelta(seconds=90)
    memory.save_host("b", HostState(rest_until=until, rest_s=90))
    memory.save_host("a", HostState(rest_until=until, rest_s=90))
    memory.save_host("c", HostState(n_strikes=1))
    assert memory.resting_hosts() == [("a", until), ("b", until)]
    clock.sleep(90)
    assert memory.resting_hosts() == []


def test_titles_asked_for_in_vain_are_remembered(memory: Memory) -> None:
    """So that they are not asked for again."""
    memory.note_unknown_titles(["one", "two"])
    memory.note_unknown_titles(["two"])
    assert memory.known_unknown_titles(["two", "three"]) == {"two"}
    assert memory.known_unknown_titles([]) == set()


def test_a_title_that_arxiv_did_not_know_is_asked_for_again_after_a_month(tmp_path: Path) -> None:
    """A preprint may come after the printed version."""
    clock = FakeClock()
    with Store(tmp_path / "a.db") as store:
        memory = Memory(store, clock)
        memory.note_unknown_titles(["frogs"])
        assert memory.known_unknown_titles(["frogs", "toads"]) == {"frogs"}
        clock.sleep(31 * 86400)
        assert memory.known_unknown_titles(["frogs"]) == set()
