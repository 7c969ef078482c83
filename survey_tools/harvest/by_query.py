"""Harvest by query: windows of the submission date, cut until each is small.

The service fails beyond 10,000 results and has no tie-breaker in its order, so results can
come twice or never across pages. A window is therefore cut until it has at most 2,000 results,
and counts as done only when as many distinct papers came as the server counts.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from survey_tools.errors import ParameterError
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.by_id import refetch_by_id
from survey_tools.harvest.by_rank import check_understood
from survey_tools.harvest.desk import Desk, IncompleteError
from survey_tools.harvest.faults import TransientError
from survey_tools.harvest.fetcher import N_ATTEMPTS, Fetched
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.page import Page
from survey_tools.harvest.query import Combination, Query, Term, write_query
from survey_tools.harvest.wire import Request

__all__ = ["CLOSED_AFTER_DAYS", "QueryWay"]

N_PAGED = 2000  # results of one window that are paged through
_N_LIMIT = 10_000  # the server's own limit; beyond it, it fails
_N_PASSES, _N_MOST_PASSES = 2, 12  # the latter where each pass still brings something
_N_SLICES = 32
# a paper appears under its submission date after it was announced, some after weeks in moderation
CLOSED_AFTER_DAYS = 30
_FIRST_DAY = date(1991, 7, 1)  # before arXiv's first paper
_MINUTE = "%Y%m%d%H%M"


class QueryWay:
    """Papers by a query, a window of submission dates, or both.

    Parameters
    ----------
    query : Query or None
        None asks for everything in the dates.
    since, until : date or None
        First and last day of submission of the first version (UTC), inclusive.
    page_size : int
        Results a request, 1 to 2,000.
    refresh : bool
        Ask everything anew, though it was answered.

    Raises
    ------
    ParameterError
        If neither query nor dates are given, or the dates run backwards.
    """

    kind = "query"

    def __init__(
        self,
        query: Query | None,
        *,
        url: str,
        since: date | None = None,
        until: date | None = None,
        page_size: int = 1000,
        refresh: bool = False,
    ) -> None:
        if query is None and since is None and until is None:
            raise ParameterError("give a query, a first day, a last day, or several of them")
        if since and until and since > until:
            raise ParameterError(f"the dates run backwards: {since} is after {until}")
        self._query = query
        self._since, self._until = since, until
        self._url = url
        self._page_size = page_size
        self._refresh = refresh
        self._is_checked = False
        self.arguments: Mapping[str, Any] = {
            "query": write_query(query) if query else "",
            "from": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }

    # ---- planning -----------------------------------------------------------------------

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Ask all at first, later only what may have come since the last complete answer."""
        windows = ledger.list_windows(job.job_id)
        if self._refresh and windows and not any(w.state == "open" for w in windows):
            ledger.drop_windows(job.job_id)
            windows = []
        self._refresh = False  # it is honoured now
        for window in windows:
            if window.state == "short":  # asked as often as made sense in an earlier run
                ledger.set_window(window, state="split", progress={})
                ledger.reopen(window, only_empty=False)
        first = _minute(self._since) if self._since else None
        last = _minute(self._until, end=True) if self._until else None
        if not windows:
            return [{"from": first, "until": last}]
        if job.as_of is None or job.as_of >= today:
            return []
        if not ledger.count_members(job.job_id):  # an overloaded service counts none, too
            return [{"from": first, "until": last}]
        closed = date.fromisoformat(job.as_of) - timedelta(days=CLOSED_AFTER_DAYS)
        if self._until and self._until < closed:
            return []
        begin = max(closed, self._since) if self._since else closed
        return [{"from": _minute(begin), "until": last}]

    # ---- asking -------------------------------------------------------------------------

    def ask(self, window: Window, desk: Desk) -> None:
        """Ask a window page by page, and again where papers are missing."""
        seen = desk.ledger.members(window.window_id)
        n_attempts = 2 if window.progress.get("is_suspect") else N_ATTEMPTS
        start = int(window.progress.get("start", 0))
        highest = total = window.total or 0
        n_idle = 0
        for n_pass in range(1, _N_MOST_PASSES + 1):
            n_before = len(seen)
            totals = [total] if start else []
            while start == 0 or start < total:
                fetched = self._fetch(window, start, total, desk, n_attempts)
                total = fetched.page.total or 0
                if not start and not total:  # an overloaded server says so, too: ask again
                    fetched = self._fetch(window, start, total, desk, n_attempts)
                    total = fetched.page.total or 0
                if self._must_cut(window, total, desk):
                    desk.put(window, fetched, total=total, comes_again=True)
                    self._note_total(window, total, desk)
                    self._cut(window, desk, math.ceil(total / self._aim()))
                    return
                start += self._page_size
                desk.put(window, fetched, total=total, progress={**window.progress, "start": start})
                self._note_total(window, total, desk)
                seen.update(fetched.page.ids)
                totals.append(total)
            highest = max(totals, default=0)
            if len(seen) >= highest:
                desk.ledger.close_window(window)
                return
            start = 0
            n_idle = n_idle + 1 if len(seen) == n_before else 0
            if n_pass >= _N_PASSES and (n_idle or self._can_be_cut(window, desk)):
                break
        raise IncompleteError(
            f"arXiv counts {highest} papers here, {len(seen)} came", body=fetched.body
        )

    def _fetch(
        self, window: Window, start: int, n_counted: int, desk: Desk, n_attempts: int
    ) -> Fetched:
        read = partial(self._read, start=start, n_counted=n_counted)
        request = self._request(window.scope, start, self._page_size)
        fetched = desk.ask(request, read, n_attempts=n_attempts)
        if not self._is_checked:
            check_understood(self._asked(window.scope), fetched.page.query)
            self._is_checked = True
        return fetched

    def _read(self, body: bytes, *, start: int, n_counted: int) -> Page:
        page = parse_atom(body, start=start, n_asked=self._page_size)
        if not page.n_entries and (page.total or 0) > start:
            raise TransientError(
                f"an empty page came where results {start} to {page.total} begin", body=body
            )
        if not page.total and n_counted and start:
            raise TransientError("arXiv counts no results where it counted some before", body=body)
        return page

    def _request(self, scope: Mapping[str, Any], start: int, n_results: int) -> Request:
        return Request(
            url=self._url,
            parameters=(
                ("search_query", write_query(self._asked(scope))),
                ("start", str(start)),
                ("max_results", str(n_results)),
                ("sortBy", "submittedDate"),
                ("sortOrder", "ascending"),
            ),
        )

    def _asked(self, scope: Mapping[str, Any]) -> Query:
        """Return the query of a window: the user's own, within the window's dates."""
        first, last = scope["from"], scope["until"]
        if first is None and last is None:
            assert self._query is not None, "the constructor refuses a way without any limit"
            return self._query
        dates = Term(
            "submittedDate", f"[{first or _minute(_FIRST_DAY)} TO {last or '209912312359'}]"
        )
        return Combination("AND", (self._query, dates)) if self._query else dates

    def _note_total(self, window: Window, total: int, desk: Desk) -> None:
        if window.parent_id is None:
            desk.n_total = max(desk.n_total or 0, total)

    # ---- cutting ------------------------------------------------------------------------

    def _must_cut(self, window: Window, total: int, desk: Desk) -> bool:
        if total <= max(N_PAGED, self._page_size):
            return False
        if self._can_be_cut(window, desk):
            return True
        if total > _N_LIMIT - self._page_size:
            raise IncompleteError(f"{total} papers in one minute are more than arXiv can page")
        return False

    def _aim(self) -> int:
        """Results a slice should have: a page and some room, as papers lie unevenly in time."""
        return max(1, min(self._page_size * 2, N_PAGED) * 7 // 10)

    def _can_be_cut(self, window: Window, desk: Desk) -> bool:
        return _n_minutes(*self._limits(window.scope, desk)) > 1

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut a window in two."""
        if not self._can_be_cut(window, desk):
            return False
        self._cut(window, desk, 2, is_suspect=True)
        return True

    def _cut(self, window: Window, desk: Desk, n_slices: int, *, is_suspect: bool = False) -> None:
        """Cut a window into slices of equal length that share their boundary minutes."""
        first, last = self._limits(window.scope, desk)
        n_minutes = _n_minutes(first, last)
        n_slices = max(2, min(n_slices, _N_SLICES, n_minutes))
        cuts: list[str | None] = [
            (first + timedelta(minutes=n_minutes * i // n_slices)).strftime(_MINUTE)
            for i in range(1, n_slices)
        ]
        bounds = [window.scope["from"], *cuts, window.scope["until"]]
        scopes = [{"from": bounds[i], "until": bounds[i + 1]} for i in range(n_slices)]
        progress = {"is_suspect": True} if is_suspect else {}
        desk.ledger.add_windows(window.job_id, scopes, parent=window, progress=progress)

    def _limits(self, scope: Mapping[str, Any], desk: Desk) -> tuple[datetime, datetime]:
        """Return the first and last minute of a window, open ends filled in."""
        day = date.fromisoformat(desk.as_of) if desk.as_of else desk.fetcher.clock.now().date()
        tomorrow = _minute(day + timedelta(days=1), end=True)
        first = scope["from"] or _minute(_FIRST_DAY)
        last = scope["until"] or max(tomorrow, first)
        return datetime.strptime(first, _MINUTE), datetime.strptime(last, _MINUTE)

    def settle(self, desk: Desk) -> bool:
        """Compare what came in the slices of every cut window with what arXiv counts in it.

        Returns
        -------
        bool
            Whether slices were opened again.
        """
        split = desk.ledger.list_windows(desk.job.job_id, "split")
        for window in reversed(split):  # the smaller ones first
            if desk.ledger.has_open_below(window.window_id):
                continue
            held = desk.ledger.members_below(window.window_id)
            if held < (window.total or 0) and not self._is_settled(window, held, desk):
                return desk.ledger.has_open_below(window.window_id)
            desk.ledger.settle_nameless(window.window_id)
        return False

    def _is_settled(self, parent: Window, held: int, desk: Desk) -> bool:
        """Ask for the count again; where papers are still missing, open slices again."""
        read = partial(parse_atom, start=0, n_asked=1)
        fetched = desk.ask(self._request(parent.scope, 0, 1), read)
        total = fetched.page.total or 0
        if 0 < total <= held:
            desk.ledger.set_window(parent, state="split", total=total)
            return True
        n_tries = int(parent.progress.get("n_reopened", 0))
        progress = {**parent.progress, "n_reopened": n_tries + 1}
        if n_tries < _N_PASSES:
            desk.ledger.set_window(parent, state="split", progress=progress)
            if not desk.ledger.reopen(parent, only_empty=True):
                desk.ledger.reopen(parent, only_empty=False)
        else:
            reason = f"arXiv counts {parent.total} papers here, {held} came"
            desk.ledger.set_window(parent, state="short", reason=reason)
        return False

    # ---- mending and naming -------------------------------------------------------------

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again, by id."""
        refetch_by_id(entries, desk, self._url)

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name the dates of an open window."""
        del ledger
        first, last = (_readable(window.scope[end]) for end in ("from", "until"))
        if first and last:
            dates = f"submitted {first} to {last}"
        elif first or last:
            dates = f"submitted from {first} on" if first else f"submitted until {last}"
        else:
            dates = "all dates"
        counted = f" ({window.total:,} papers)" if window.total else ""
        return [(dates + counted, window.reason or "not asked yet")]


def _minute(day: date, *, end: bool = False) -> str:
    return day.strftime("%Y%m%d") + ("2359" if end else "0000")


def _n_minutes(first: datetime, last: datetime) -> int:
    return int((last - first).total_seconds()) // 60


def _readable(minute: str | None) -> str | None:
    if minute is None:
        return None
    return f"{minute[:4]}-{minute[4:6]}-{minute[6:8]} {minute[8:10]}:{minute[10:12]}"
