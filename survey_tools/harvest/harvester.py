"""The harvester: runs a job window by window and ends with a true statement."""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlsplit

from survey_tools.errors import ParameterError
from survey_tools.harvest.by_id import IdWay
from survey_tools.harvest.by_query import CLOSED_AFTER_DAYS
from survey_tools.harvest.clock import Clock, SystemClock
from survey_tools.harvest.desk import Desk, HarvestProgress, Way
from survey_tools.harvest.faults import (
    FetchError,
    ForbiddenError,
    OaiError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from survey_tools.harvest.fetcher import Fetcher
from survey_tools.harvest.jobs import Job, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.memory import Memory
from survey_tools.harvest.paper_rows import Stored
from survey_tools.harvest.politeness import ARXIV_GAP_S, Gate, check_gap
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire, Wire

__all__ = ["HarvestReport", "Missing", "Services", "check_service", "harvest"]

logger = logging.getLogger(__name__)

Status = Literal["complete", "incomplete", "stopped"]
_BEAT_S = 60.0
_N_FAILURES = 3  # windows in a row that fail before the service counts as down
_N_CUTS = 12  # cuts in a row without a good page


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was asked for and did not come.

    Attributes
    ----------
    what : str
        An id, or a window of dates or days.
    reason : str
    """

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestReport:
    """The true statement with which every run ends.

    Attributes
    ----------
    job_id : int
        The job in the store.
    status : {"complete", "incomplete", "stopped"}
    n_records : int
        Distinct papers that the job's answers held, earlier runs included.
    stored : Stored
        What this run changed in the store.
    missing : tuple of Missing
    n_quarantined : int
        Malformed entries that have not come whole since; each is also named as missing.
    n_requests : int
        Requests of this run.
    resume : str
        The command that goes on.
    notes : tuple of str
        What the user should know besides.
    error : str or None
        Why the run was stopped, where the service or the disk stopped it.
    """

    job_id: int
    status: Status
    n_records: int
    stored: Stored
    missing: tuple[Missing, ...]
    n_quarantined: int
    n_requests: int
    resume: str
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """How arXiv is asked.

    Attributes
    ----------
    url : str
        Address of the service that a way asks.
    gap_s : float
        Seconds between two requests.
    patience_s : float
        Seconds that cool-downs and waits after faults may take in all.
    clock, wire, rng
        Replaceable, for tests.
    notice : callable
        Told what is waited for, and the seconds left.
    """

    url: str
    gap_s: float = ARXIV_GAP_S
    patience_s: float = 7200.0
    clock: Clock
    wire: Wire
    rng: random.Random
    notice: Callable[[str, float], None] = lambda _what, _left_s: None

    @classmethod
    def over_http(
        cls,
        url: str,
        *,
        gap_s: float = ARXIV_GAP_S,
        patience_s: float = 7200.0,
        contact: str | None = None,
        deadline_s: float = 240.0,
        notice: Callable[[str, float], None] = lambda _what, _left_s: None,
    ) -> "Services":
        """Ask the real service, by real clocks."""
        return cls(
            url=url,
            gap_s=gap_s,
            patience_s=patience_s,
            clock=SystemClock(),
            wire=HttpWire(contact=contact, deadline_s=deadline_s),
            rng=random.Random(),  # noqa: S311  jitter, no secret
            notice=notice,
        )


def check_service(url: str, *, gap_s: float, contact: str | None) -> None:
    """Refuse what a service can never be asked with, before anything is made.

    Raises
    ------
    ParameterError
        If the address is none, the gap too small, or the contact cannot be sent.
    """
    try:
        host = urlsplit(url).hostname
    except ValueError as error:
        raise ParameterError(f"{url}: is no address ({error})") from None
    if not host:
        raise ParameterError(f"{url}: is no address, it names no host")
    check_gap(url, gap_s)
    HttpWire(contact=contact)


def harvest(
    way: Way,
    store: Store,
    services: Services,
    *,
    resume: str,
    show: Callable[[HarvestProgress], None] = lambda _progress: None,
) -> HarvestReport:
    """Run a harvest until it is complete, or until nothing more can be had now.

    An interrupt rolls the page at hand back and ends in a report with status "stopped".

    Parameters
    ----------
    resume : str
        The command that goes on, for the report and the store.
    show : callable
        Told how far the run is.

    Raises
    ------
    SurveyToolsError
        If the store or the disk does not allow it, or the query means something else to arXiv.
    """
    ledger = Ledger(store, services.clock)
    job = ledger.open_job(way.kind, way.arguments, resume)
    notice = _with_beats(ledger, job, services)
    gate = Gate(services.url, gap_s=services.gap_s, clock=services.clock, notice=notice)
    fetcher = Fetcher(
        services.wire,
        gate,
        Memory(store, services.clock),
        clock=services.clock,
        patience_s=services.patience_s,
        rng=services.rng,
        notice=notice,
    )
    desk = Desk(ledger=ledger, fetcher=fetcher, job=job, show=show)
    if open_before := ledger.list_windows(job.job_id, "open"):  # a run goes on
        roots = [w.total for w in ledger.list_windows(job.job_id) if w.parent_id is None]
        desk.n_total = max((total for total in roots if total), default=None)
        desk.n_received = ledger.count_members(job.job_id)
        desk.n_windows_left = len(open_before)
    today = services.clock.now().date().isoformat()
    with _released(ledger, job):
        error: str | None = None
        is_stopped = False
        try:
            error = _plan_and_ask(way, desk, today)
            if open_before and error is None:  # what has come since the run that was cut short
                _finish(desk, today)
                error = _plan_and_ask(way, desk, today)
            _refetch(way, desk)
            if way.kind != "snapshot":
                store.index_texts()
        except ForbiddenError as fault:
            error, is_stopped = str(fault), True
        except FetchError as fault:
            error = str(fault)
        except KeyboardInterrupt:
            is_stopped = True
        return _report(way, desk, today, error=error, is_stopped=is_stopped)


def _with_beats(ledger: Ledger, job: Job, services: Services) -> Callable[[str, float], None]:
    """Say while waiting, once a minute, that this process is still at work on its job."""
    last_s = services.clock.monotonic()

    def notice(what: str, left_s: float) -> None:
        nonlocal last_s
        if services.clock.monotonic() - last_s > _BEAT_S:
            last_s = services.clock.monotonic()
            ledger.beat(job.job_id)
        services.notice(what, left_s)

    return notice


@contextmanager
def _released(ledger: Ledger, job: Job) -> Iterator[None]:
    try:
        yield
    finally:
        ledger.release(job.job_id)


def _ask_all(way: Way, desk: Desk) -> str | None:
    """Ask all open windows; return why some stay open, if the service is at fault."""
    failed: set[int] = set()
    reason: str | None = None
    while True:
        reason, is_down = _ask_open(way, desk, failed)
        if is_down or not way.settle(desk):
            return reason


def _ask_open(way: Way, desk: Desk, failed: set[int]) -> tuple[str | None, bool]:
    """Ask the windows that are open and have not failed in this run.

    Returns
    -------
    str or None
        Why the last one that failed did.
    bool
        Whether the service counts as down, so that nothing more is asked.
    """
    n_in_row = n_cuts = 0
    reason: str | None = None
    while windows := [
        w for w in desk.ledger.list_windows(desk.job.job_id, "open") if w.window_id not in failed
    ]:
        desk.n_windows_left = len(windows)
        window = windows[0]
        try:
            way.ask(window, desk)
            if desk.ledger.members(window.window_id):  # an empty window proves nothing
                n_in_row = n_cuts = 0
        except ForbiddenError as fault:
            desk.ledger.set_window(window, reason=str(fault))
            raise
        except ThrottledError as fault:
            if fault.is_final or not way.halve(window, desk):
                desk.ledger.set_window(window, reason=str(fault))
                return str(fault), True
        except (TransientError, OaiError, RefusedError) as fault:
            may_help = isinstance(fault, TransientError) and (fault.is_slow or bool(fault.body))
            if may_help and n_cuts < _N_CUTS and way.halve(window, desk):
                n_cuts += 1
                continue
            logger.info("window %s stays open: %s", window.window_id, fault)
            desk.ledger.set_window(window, reason=str(fault))
            failed.add(window.window_id)
            n_in_row += 1
            reason = str(fault)
            if n_in_row >= _N_FAILURES:
                return reason, True
    return reason, False


def _plan_and_ask(way: Way, desk: Desk, today: str) -> str | None:
    """Ask what the way plans and what is still open; return why some of it stays open."""
    if scopes := way.plan(desk.ledger, desk.job, today):
        desk.ledger.add_windows(desk.job.job_id, scopes)
    return _ask_all(way, desk)


def _finish(desk: Desk, today: str) -> None:
    """Note that all was answered, as of the earliest answer: asking may have taken days."""
    job = desk.job
    windows = desk.ledger.list_windows(job.job_id)
    if any(window.state in ("open", "short") for window in windows):
        return
    asked = [
        window.as_of
        for window in windows
        if window.as_of and window.as_of > (job.as_of or "") and _was_open(window, window.as_of)
    ]
    as_of = min(min(asked, default=desk.as_of or job.as_of or today), today)
    rescanned_on = today if job.is_rescan_due(today) else None
    desk.ledger.finish_job(job.job_id, as_of, rescanned_on=rescanned_on)
    desk.job = replace(job, as_of=as_of, rescanned_on=rescanned_on or job.rescanned_on)


def _was_open(window: Window, as_of: str) -> bool:
    """Tell whether more could still come into a window's dates when it was asked."""
    until = window.scope.get("until")
    if until is None:
        return True
    closed = date.fromisoformat(as_of) - timedelta(days=CLOSED_AFTER_DAYS)
    return str(until).replace("-", "")[:8] >= closed.strftime("%Y%m%d")


def _refetch(way: Way, desk: Desk) -> None:
    entries = desk.ledger.quarantined(desk.job.job_id)
    if entries:
        way.refetch(entries, desk)


def _report(
    way: Way, desk: Desk, today: str, *, error: str | None, is_stopped: bool
) -> HarvestReport:
    ledger, job = desk.ledger, desk.job
    windows = ledger.list_windows(job.job_id)
    missing = [
        Missing(*named)
        for window in windows
        if window.state in ("open", "short")
        for named in way.describe(window, ledger)
    ]
    is_answered = not missing and not is_stopped and error is None
    quarantined = ledger.quarantined(job.job_id)
    missing += [
        Missing(entry.arxiv_id or f"an entry without id (number {entry.entry_id})", entry.reason)
        for entry in quarantined
    ]
    if isinstance(way, IdWay):
        missing += [Missing(*named) for named in way.absent(ledger, job)]
    if is_answered:
        _finish(desk, today)
    lines = windows[-1].progress if windows else {}
    n_lines, n_bad = (int(lines.get(name, 0)) for name in ("n_lines", "n_bad"))
    is_complete = is_answered and not missing
    status: Status = "stopped" if is_stopped else "complete" if is_complete else "incomplete"
    ledger.note_end(job.job_id, status, len(missing))
    return HarvestReport(
        job_id=job.job_id,
        status=status,
        n_records=ledger.count_members(job.job_id) or n_lines - n_bad,
        stored=desk.stored,
        missing=tuple(missing),
        n_quarantined=len(quarantined),
        n_requests=desk.fetcher.n_requests,
        resume=job.resume,
        notes=tuple(desk.notes),
        error=error,
    )
