"""The ledger: what was asked, what came, what is owed, and who works on it."""

import hashlib
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_tools.errors import OutputError, SurveyToolsError
from survey_tools.harvest import ledger as ledger_module
from survey_tools.harvest.fetcher import Fetched
from survey_tools.harvest.jobs import Job, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.page import MalformedEntry, Page
from survey_tools.harvest.paper_rows import Stored
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.store import Store

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = b"<feed>some page</feed>"


class VirtualClock:
    """A time of day that the test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def monotonic(self) -> float:
        return self.time.timestamp()

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> VirtualClock:
    """Start at noon."""
    return VirtualClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a new store."""
    with Store(tmp_path / "harvest.db") as opened:
        yield opened


@pytest.fixture
def ledger(store: Store, clock: VirtualClock) -> Ledger:
    """Keep the books of that store."""
    return Ledger(store, clock)


@pytest.fixture
def job(ledger: Ledger) -> Job:
    """Begin a job."""
    return ledger.open_job("query", {"query": "ti:a"}, "again")


@pytest.fixture
def window(ledger: Ledger, job: Job) -> Window:
    """Ask a window of that job."""
    return add(ledger, job, {"from": "a"})


def add(ledger: Ledger, job: Job, *scopes: dict[str, Any], parent: Window | None = None) -> Window:
    """Add windows; return the last of them."""
    ledger.add_windows(job.job_id, scopes, parent=parent)
    return ledger.list_windows(job.job_id)[-1]


def record(arxiv_id: str = "2501.00042", **given: Any) -> ArxivRecord:
    """Make a record with the least that there is."""
    usual: dict[str, Any] = {
        "version": 1,
        "title": "Hidden lattices",
        "abstract": "Nothing here is true.",
        "authors": ("A. Alpha",),
        "categories": ("cs.DL",),
        "versions": (Version(number=1, submitted="2025-01-01T08:00:00Z"),),
        "as_of": "2026-11-20",
    }
    return ArxivRecord(arxiv_id=arxiv_id, **usual | given)


def bad(arxiv_id: str | None = "2501.00099", xml: str = "<entry/>") -> MalformedEntry:
    """Make an entry that lacks its title."""
    return MalformedEntry(arxiv_id=arxiv_id, reason="no title", xml=xml)


def page(
    *ids: str,
    malformed: Sequence[MalformedEntry] = (),
    deleted: Sequence[str] = (),
    as_of: str = "2026-11-20",
) -> Fetched:
    """Make a page of papers as it was fetched."""
    return Fetched(
        page=Page(
            records=tuple(record(arxiv_id) for arxiv_id in ids),
            malformed=tuple(malformed),
            deleted=tuple(deleted),
            as_of=as_of,
        ),
        body=BODY,
        url="http://127.0.0.1/api/query?start=0",
    )


# ---- jobs --------------------------------------------------------------------------------


def test_a_job_is_known_by_its_kind_and_arguments(ledger: Ledger) -> None:
    """In whatever order they stand; the command that goes on is the latest."""
    first = ledger.open_job("query", {"query": "ti:a", "from": None}, "one")
    again = ledger.open_job("query", {"from": None, "query": "ti:a"}, "two")
    other = ledger.open_job("oai", {"query": "ti:a", "from": None}, "three")
    assert again.job_id == first.job_id != other.job_id
    assert (first.resume, again.resume) == ("one", "two")
    assert [each.resume for each in ledger.list_jobs()] == ["two", "three"]
    assert ledger.list_jobs()[0].arguments == {"query": "ti:a", "from": None}


def test_a_job_keeps_its_unicode(ledger: Ledger) -> None:
    """A person who looks into the store can read it."""
    ledger.open_job("query", {"query": "au:Müller"}, "again")
    assert ledger.store.query("SELECT arguments FROM jobs") == [('{"query": "au:Müller"}',)]


def test_a_finished_job_knows_its_day(ledger: Ledger, job: Job) -> None:
    """And that of its last look further back, which stays where none is given."""
    assert (job.as_of, job.rescanned_on) == (None, None)
    ledger.finish_job(job.job_id, "2026-11-20", rescanned_on="2026-11-19")
    ledger.finish_job(job.job_id, "2026-11-21")
    (held,) = ledger.list_jobs()
    assert (held.as_of, held.rescanned_on) == ("2026-11-21", "2026-11-19")


@pytest.mark.parametrize(
    ("rescanned_on", "is_due"),
    [(None, True), ("2026-11-20", False), ("2026-11-14", False), ("2026-11-13", True)],
)
def test_a_wide_look_back_is_due_once_a_week(
    job: Job, rescanned_on: str | None, is_due: bool
) -> None:
    """Or if there was none."""
    assert replace(job, rescanned_on=rescanned_on).is_rescan_due("2026-11-20") is is_due


# ---- who works on a job ------------------------------------------------------------------

CHILD = """
import sys, time
from pathlib import Path
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.store import Store

store = Store(Path(sys.argv[1]))
Ledger(store, SystemClock()).open_job("query", {"query": "ti:a"}, "from the child")
sys.stdout.write("taken\\n")
sys.stdout.flush()
time.sleep(600)
"""


@pytest.fixture
def worker(store: Store) -> Iterator[subprocess.Popen[str]]:
    """Start another process that takes the job and keeps it."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(store.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "taken\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_job_of_a_living_process_is_refused_and_of_a_dead_one_taken(
    ledger: Ledger, worker: subprocess.Popen[str]
) -> None:
    """However long ago it gave its last sign; the message names it."""
    said = f"process {worker.pid} is harvesting this already; wait for it, or stop it"
    with pytest.raises(OutputError, match=said):
        ledger.open_job("query", {"query": "ti:a"}, "from here")
    assert ledger.list_jobs()[0].resume == "from the child"
    other = ledger.open_job("query", {"query": "ti:b"}, "another job")
    assert other.job_id == 2
    worker.kill()
    worker.wait()
    assert ledger.open_job("query", {"query": "ti:a"}, "from here").resume == "from here"


def test_one_process_may_open_its_own_job_again(store: Store, clock: VirtualClock) -> None:
    """A run that was interrupted inside a program goes on in it."""
    Ledger(store, clock).open_job("query", {}, "again")
    Ledger(store, clock).open_job("query", {}, "again")


def test_a_job_given_back_is_free(store: Store, clock: VirtualClock, job: Job) -> None:
    """Also for a process elsewhere."""
    owner = "SELECT owner FROM jobs"
    assert store.query(owner) != [(None,)]
    Ledger(store, clock).release(job.job_id)
    assert store.query(owner) == [(None,)]


@pytest.fixture
def elsewhere(
    store: Store, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Ledger]:
    """Keep the same books from another machine, or from this one before its last boot."""

    def make(name: str) -> Ledger:
        with monkeypatch.context() as patch:
            if name == "machine":
                patch.setattr(ledger_module.socket, "gethostname", lambda: "elsewhere")
            else:
                patch.setattr(ledger_module, "_boot", lambda: "an earlier boot")
            return Ledger(store, clock)

    return make


@pytest.mark.parametrize("name", ["machine", "boot"])
@pytest.mark.parametrize("shift", [timedelta(minutes=16), timedelta(hours=-1)])
def test_who_cannot_be_seen_is_believed_for_a_quarter_of_an_hour(
    ledger: Ledger,
    elsewhere: Callable[[str], Ledger],
    clock: VirtualClock,
    name: str,
    shift: timedelta,
) -> None:
    """Whether a process lives, only its own machine knows; a beat of the future counts as none."""
    other = elsewhere(name)
    job = other.open_job("query", {}, "from elsewhere")
    clock.time += timedelta(minutes=14)
    other.beat(job.job_id)
    clock.time += timedelta(minutes=14)
    with pytest.raises(OutputError, match="is harvesting this already"):
        ledger.open_job("query", {}, "from here")
    clock.time += shift
    assert ledger.open_job("query", {}, "from here").resume == "from here"


def test_a_job_that_was_taken_over_is_not_given_back_by_the_first(
    store: Store, ledger: Ledger, elsewhere: Callable[[str], Ledger], clock: VirtualClock
) -> None:
    """It belongs to another by then."""
    first = elsewhere("machine")
    job = first.open_job("query", {}, "from elsewhere")
    clock.time += timedelta(hours=1)
    ledger.open_job("query", {}, "from here")
    owner = store.query("SELECT owner FROM jobs")
    first.release(job.job_id)
    assert store.query("SELECT owner FROM jobs") == owner


# ---- windows -----------------------------------------------------------------------------


def test_windows_stand_in_the_order_in_which_they_came(ledger: Ledger, job: Job) -> None:
    """Open, with nothing counted yet."""
    ledger.add_windows(job.job_id, [{"n": 1}, {"n": 2}], progress={"is_suspect": True})
    first, second = ledger.list_windows(job.job_id)
    assert [first.scope, second.scope] == [{"n": 1}, {"n": 2}]
    assert (first.state, first.total, first.parent_id) == ("open", None, None)
    assert first.progress == {"is_suspect": True}
    assert ledger.get_window(second.window_id) == second


def test_a_window_that_is_cut_is_split(ledger: Ledger, job: Job, window: Window) -> None:
    """Its reason is gone, and its parts know it."""
    ledger.set_window(window, reason="too slow")
    ledger.add_windows(job.job_id, [{"n": 1}, {"n": 2}], parent=window)
    assert ledger.get_window(window.window_id).state == "split"
    assert ledger.get_window(window.window_id).reason is None
    parts = ledger.list_windows(job.job_id, "open")
    assert [part.parent_id for part in parts] == [window.window_id] * 2
    assert ledger.list_windows(job.job_id, "done") == []


def test_what_is_not_given_stays(ledger: Ledger, window: Window) -> None:
    """Total and progress; a reason does not outlive its cause."""
    ledger.set_window(window, total=7, progress={"start": 100}, reason="slow")
    ledger.set_window(window, state="done")
    held = ledger.get_window(window.window_id)
    assert (held.state, held.total, held.progress, held.reason) == ("done", 7, {"start": 100}, None)


def test_windows_of_another_job_are_its_own(ledger: Ledger, job: Job, window: Window) -> None:
    """They are neither listed nor dropped with these."""
    other = ledger.open_job("ids", {}, "other")
    theirs = add(ledger, other, {"n": 1})
    ledger.put_page(theirs, page("2501.00001"))
    assert ledger.list_windows(job.job_id) == [window]
    ledger.drop_windows(job.job_id)
    assert [each.window_id for each in ledger.list_windows(other.job_id)] == [theirs.window_id]
    assert ledger.count_members(other.job_id) == 1


def test_the_tree_of_windows_is_known_at_any_depth(
    ledger: Ledger, job: Job, window: Window
) -> None:
    """What is open below, whose papers came below, and what a part inherits from above."""
    child = add(ledger, job, {"n": 1}, {"n": 2}, parent=window)
    grandchild = add(ledger, job, {"n": 3}, parent=child)
    sibling = ledger.list_windows(job.job_id)[1]
    ledger.put_page(window, page("2501.00001"), state="split")
    ledger.put_page(sibling, page("2501.00002", "2501.00003"), state="done")
    ledger.put_page(grandchild, page("2501.00003", "2501.00004"))
    assert ledger.members(window.window_id) == {"2501.00001"}
    assert ledger.members_below(window.window_id) == 4
    assert ledger.members_below(child.window_id) == 2
    assert ledger.members_above(grandchild) == {"2501.00001", "2501.00003", "2501.00004"}
    assert ledger.count_members(job.job_id) == 4
    assert ledger.has_open_below(window.window_id)
    ledger.set_window(grandchild, state="short")
    assert ledger.has_open_below(window.window_id)
    ledger.set_window(grandchild, state="done")
    assert not ledger.has_open_below(window.window_id)
    assert not ledger.has_open_below(grandchild.window_id)


@pytest.mark.parametrize("only_empty", [False, True])
def test_finished_parts_are_opened_again(
    ledger: Ledger, job: Job, window: Window, only_empty: bool
) -> None:
    """All of them, or those in which nothing was found; they begin anew."""
    add(ledger, job, {"n": 1}, {"n": 2}, {"n": 3}, parent=window)
    empty, full, short = ledger.list_windows(job.job_id)[1:]
    ledger.set_window(empty, state="done", total=0, progress={"start": 10})
    ledger.set_window(full, state="done", total=5, progress={"start": 10})
    ledger.set_window(short, state="short", total=0)
    assert ledger.reopen(window, only_empty=only_empty) == (1 if only_empty else 2)
    states = [ledger.get_window(each.window_id).state for each in (empty, full, short)]
    assert states == ["open", "done" if only_empty else "open", "short"]
    assert ledger.get_window(empty.window_id).progress == {}


def test_windows_that_are_dropped_leave_pages_and_papers(
    store: Store, ledger: Ledger, job: Job, window: Window
) -> None:
    """The answer is forgotten, what it brought is not."""
    child = add(ledger, job, {"n": 1}, parent=window)
    ledger.put_page(child, page("2501.00001", malformed=[bad()]))
    ledger.drop_windows(job.job_id)
    assert ledger.list_windows(job.job_id) == []
    assert ledger.quarantined(job.job_id) == []
    assert store.count().n_papers == store.count().n_pages == 1
    assert store.query("PRAGMA foreign_key_check") == []


# ---- pages -------------------------------------------------------------------------------


def test_a_page_is_stored_with_all_that_it_brought(
    store: Store, ledger: Ledger, window: Window
) -> None:
    """Its bytes, its records, its members and its window's checkpoint."""
    fetched = page("2501.00001", "2501.00002", malformed=[bad()], deleted=["2501.00003"])
    stored = ledger.put_page(window, fetched, state="done", total=4, progress={"start": 10})
    assert stored == Stored(n_new=2)
    held = ledger.get_window(window.window_id)
    assert (held.state, held.total, held.progress) == ("done", 4, {"start": 10})
    assert held.as_of == "2026-11-20"
    assert ledger.members(window.window_id) == {
        "2501.00001",
        "2501.00002",
        "2501.00003",
        "2501.00099",
    }
    ((window_id, url, when, sha, n_entries, body),) = store.query(
        "SELECT window_id, url, fetched_at, sha256, n_entries, body FROM pages"
    )
    assert (window_id, url, n_entries) == (window.window_id, fetched.url, 4)
    assert when == "2026-11-20T12:00:00Z"
    assert sha == hashlib.sha256(BODY).hexdigest()
    assert zlib.decompress(body) == BODY


def test_the_first_day_of_a_window_stays(ledger: Ledger, window: Window) -> None:
    """What changed since then must be asked for again."""
    ledger.put_page(window, page("2501.00001", as_of="2026-11-20"))
    ledger.put_page(window, page("2501.00002", as_of="2026-11-21"))
    assert ledger.get_window(window.window_id).as_of == "2026-11-20"


def test_a_page_that_cannot_be_stored_leaves_nothing(
    store: Store, ledger: Ledger, window: Window
) -> None:
    """No bytes, no record, no member, no checkpoint."""
    fetched = page("2501.00001")
    broken = replace(fetched.page, records=(*fetched.page.records, record(abstract=None)))
    with pytest.raises(OutputError):
        ledger.put_page(window, replace(fetched, page=broken), state="done", total=9)
    assert ledger.get_window(window.window_id) == window
    assert ledger.members(window.window_id) == set()
    assert store.count().n_papers == store.count().n_pages == 0


def test_a_page_may_come_again(ledger: Ledger, job: Job, window: Window) -> None:
    """Papers are counted once."""
    ledger.put_page(window, page("2501.00001"))
    assert ledger.put_page(window, page("2501.00001")) == Stored(n_unchanged=1)
    assert ledger.count_members(job.job_id) == 1


def test_a_deleted_paper_is_withdrawn(store: Store, ledger: Ledger, window: Window) -> None:
    """It stays, with its abstract; one that was never seen is not invented."""
    ledger.put_page(window, page("2501.00001"))
    ledger.put_page(window, page(deleted=["2501.00001", "2501.00002"]))
    held = store.get_record("2501.00001")
    assert held is not None
    assert held.withdrawn
    assert held.abstract == "Nothing here is true."
    assert store.get_record("2501.00002") is None


def test_lines_of_a_snapshot_are_stored_with_their_checkpoint(
    store: Store, ledger: Ledger, job: Job, window: Window
) -> None:
    """All or nothing, as with a page."""
    progress = {"n_lines": 3}
    assert ledger.put_lines(window, [record()], [bad()], progress) == Stored(n_new=1)
    assert ledger.get_window(window.window_id).progress == progress
    assert len(ledger.quarantined(job.job_id)) == 1
    with pytest.raises(OutputError):
        ledger.put_lines(window, [record("2501.00001"), record(abstract=None)], [], {"n_lines": 9})
    assert ledger.get_window(window.window_id).progress == progress
    assert store.count().n_papers == 1


# ---- quarantine --------------------------------------------------------------------------


def test_a_malformed_entry_waits_until_it_comes_whole(
    store: Store, ledger: Ledger, job: Job, window: Window
) -> None:
    """On any page of the job; the page it came on is kept as well as its own text."""
    ledger.put_page(window, page(malformed=[bad("2501.00001", "<a/>"), bad("2501.00002", "<b/>")]))
    first, second = ledger.quarantined(job.job_id)
    assert (first.arxiv_id, first.reason, first.window_id) == (
        "2501.00001",
        "no title",
        window.window_id,
    )
    other = add(ledger, job, {"n": 2})
    ledger.put_page(other, page("2501.00001"))
    assert ledger.quarantined(job.job_id) == [second]
    assert store.count().n_quarantined == 1
    assert store.query("SELECT xml, state FROM quarantine ORDER BY entry_id") == [
        ("<a/>", "refetched"),
        ("<b/>", "open"),
    ]


def test_a_paper_that_came_in_another_job_still_waits(
    ledger: Ledger, job: Job, window: Window
) -> None:
    """The answer of its own job has a hole as long as it was not filled here."""
    ledger.put_page(window, page(malformed=[bad("2501.00001")]))
    other = ledger.open_job("ids", {}, "other")
    ledger.put_page(add(ledger, other, {"n": 1}), page("2501.00001"))
    assert [entry.arxiv_id for entry in ledger.quarantined(job.job_id)] == ["2501.00001"]


def test_a_malformed_entry_that_comes_again_waits_once(
    ledger: Ledger, job: Job, window: Window
) -> None:
    """As a page that is asked for twice brings it."""
    ledger.put_page(window, page(malformed=[bad("2501.00001")]))
    ledger.put_page(window, page(malformed=[bad("2501.00001")]))
    assert len(ledger.quarantined(job.job_id)) == 1


def test_an_entry_that_came_whole_may_come_malformed_again(
    ledger: Ledger, job: Job, window: Window
) -> None:
    """The server writes it badly in lists and well alone: that must end no harvest."""
    ledger.put_page(window, page(malformed=[bad("2501.00001")]))
    ledger.put_page(window, page("2501.00001"))
    assert ledger.quarantined(job.job_id) == []
    ledger.put_page(window, page(malformed=[bad("2501.00001")]))
    ledger.put_page(window, page("2501.00001"))
    assert ledger.quarantined(job.job_id) == []


def test_every_entry_without_an_id_waits(
    store: Store, ledger: Ledger, job: Job, window: Window
) -> None:
    """Two that differ are two papers; both are kept with their text."""
    ledger.put_page(window, page(malformed=[bad(None, "<a/>"), bad(None, "<b/>")]), state="done")
    assert len(ledger.quarantined(job.job_id)) == 2
    assert store.query("SELECT xml FROM quarantine ORDER BY entry_id") == [("<a/>",), ("<b/>",)]


def test_every_bad_line_of_a_snapshot_waits(
    store: Store, ledger: Ledger, job: Job, window: Window
) -> None:
    """A thousand lines that are no JSON are not one."""
    lines = [bad(None, f"line {i}") for i in range(5)]
    ledger.put_lines(window, [], lines, {"n_lines": 5})
    ledger.set_window(window, state="done")
    assert len(ledger.quarantined(job.job_id)) == 5


def test_a_whole_answer_settles_entries_without_id(
    ledger: Ledger, job: Job, window: Window
) -> None:
    """As many papers came as there are, so they were among them."""
    ledger.put_page(window, page("2501.00001", malformed=[bad(None)]))
    assert ledger.has_nameless(window.window_id)
    ledger.close_window(window, total=1)
    assert not ledger.has_nameless(window.window_id)
    assert ledger.quarantined(job.job_id) == []
    assert ledger.get_window(window.window_id).state == "done"


def test_books_cannot_be_kept_in_a_closed_store(store: Store, ledger: Ledger) -> None:
    """A sentence, whatever is asked."""
    store.close()
    with pytest.raises(SurveyToolsError):
        ledger.list_jobs()
    with pytest.raises(SurveyToolsError):
        ledger.open_job("query", {}, "again")
