"""Harvest by OAI-PMH: all papers of a set that changed in a span of days.

A span is followed by resumption tokens, but what is kept as its checkpoint is the last
datestamp: arXiv's tokens are stateless and expire, a day can always be asked again. Spans that
the server is too slow for are halved; the latest span is never closed by an ``until``, because
the server's today may not be ours.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from survey_tools.errors import ParameterError
from survey_tools.harvest.desk import Desk, IncompleteError
from survey_tools.harvest.faults import OaiError, RefusedError
from survey_tools.harvest.fetcher import N_ATTEMPTS, Fetched
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.oai import METADATA_PREFIX, parse_oai
from survey_tools.harvest.wire import Request

__all__ = ["OVERLAP_DAYS", "OaiWay"]

# arXiv has published days with holes that it filled later; a wide look back goes once a week
OVERLAP_DAYS = 3
_WIDE_OVERLAP_DAYS = 30
_FIRST_DAY = date(2005, 9, 16)  # arXiv's earliestDatestamp; an earlier "from" is refused
_N_RESTARTS = 4  # from the last datestamp, after a token that does not go on
_N_HEAVY = 2  # throttled replies to one span before it is halved


class OaiWay:
    """Papers by the day of their last change, whole arXiv or a set.

    Parameters
    ----------
    set_name : str or None
        ``cs``, ``cs:cs:CV`` and so on; None for all of arXiv.
    since, until : date or None
        First and last day of the last change, inclusive.
    refresh : bool
        Ask everything anew, though it was answered.

    Raises
    ------
    ParameterError
        If the days run backwards, or the last one lies before arXiv's first.
    """

    kind = "oai"

    def __init__(
        self,
        set_name: str | None,
        *,
        url: str,
        since: date | None = None,
        until: date | None = None,
        refresh: bool = False,
    ) -> None:
        if since and until and since > until:
            raise ParameterError(f"the dates run backwards: {since} is after {until}")
        if until and until < _FIRST_DAY:
            raise ParameterError(f"arXiv's records begin on {_FIRST_DAY}; {until} is before it")
        self._set = set_name
        self._since = since if since and since > _FIRST_DAY else None
        self._until = until
        self._url = url
        self._refresh = refresh
        self.arguments: Mapping[str, Any] = {
            "set": set_name,
            "from": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }

    # ---- planning -----------------------------------------------------------------------

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Ask year by year at first, later from three days before the last complete answer."""
        windows = ledger.list_windows(job.job_id)
        if self._refresh and windows and not any(w.state == "open" for w in windows):
            ledger.drop_windows(job.job_id)
            windows = []
        self._refresh = False  # it is honoured now
        last_day = date.fromisoformat(today)
        if not windows:
            return self._years(last_day)
        if job.as_of is None or job.as_of >= today:
            return []
        overlap = _WIDE_OVERLAP_DAYS if job.is_rescan_due(today) else OVERLAP_DAYS
        begin = date.fromisoformat(job.as_of) - timedelta(days=overlap)
        # a stale "no records" of a cache may have hidden the latest span: ask all of it again
        latest = max(windows, key=lambda window: str(window.scope["from"]))
        if not ledger.members(latest.window_id):
            begin = min(begin, date.fromisoformat(latest.scope["from"]))
        if self._until and self._until < begin:
            return []
        begin = max(begin, self._since) if self._since else begin
        return [{"from": begin.isoformat(), "until": _iso(self._until)}]

    def _years(self, today: date) -> list[dict[str, Any]]:
        first = self._since or _FIRST_DAY
        last = self._until or today
        starts = [first, *(date(year, 1, 1) for year in range(first.year + 1, last.year + 1))]
        scopes: list[dict[str, Any]] = [
            {"from": start.isoformat(), "until": (following - timedelta(days=1)).isoformat()}
            for start, following in pairwise(starts)
        ]
        end = self._until.isoformat() if self._until and self._until < today else None
        scopes.append({"from": starts[-1].isoformat(), "until": end})
        return scopes

    # ---- asking -------------------------------------------------------------------------

    def ask(self, window: Window, desk: Desk) -> None:
        """Follow a span to its end."""
        begin = str(window.progress.get("from") or window.scope["from"])
        seen = desk.ledger.members_above(window)
        has_records = bool(desk.ledger.members(window.window_id))
        token: str | None = None
        tokens: set[str] = set()
        n_restarts = n_stale = 0
        while True:
            try:
                fetched = self._fetch(window, begin, token, desk)
            except OaiError as error:
                if token is None and self._is_not_yet(begin, error):
                    desk.ledger.set_window(window, state="done", total=len(seen))
                    return
                if token is None and self._ends_too_late(window, error, desk):
                    desk.as_of = max(desk.as_of, error.as_of)
                    continue
                if token is None or error.code not in ("badResumptionToken", "badArgument"):
                    raise
                token, n_restarts = None, self._count_restart(n_restarts, str(error))
                continue
            page = fetched.page
            is_new = not seen.issuperset(page.ids)
            seen.update(page.ids)
            has_records = has_records or bool(page.ids)
            begin = max(begin, page.last_day or begin)
            token = page.token
            desk.put(window, fetched, progress={"from": begin})
            if token is None:
                is_doubtful = (
                    not has_records  # "no records" is believed when two answers say it
                    or bool(tokens)
                    or "from" in window.progress  # an earlier run had tokens
                    or desk.ledger.has_nameless(window.window_id)
                )
                skipped = None
                if is_doubtful:
                    skipped = self._find_skipped(window, seen, desk, has_records=has_records)
                if skipped is None:
                    desk.ledger.close_window(window, total=len(seen))
                    return
                begin = skipped
                desk.ledger.set_window(window, progress={"from": begin})
                n_restarts = self._count_restart(n_restarts, f"records of {skipped} are skipped")
                continue
            n_stale = 0 if is_new else n_stale + 1
            if token in tokens or n_stale > len(tokens) + 1:
                reason = "the server's tokens lead back to pages that came before"
                token, n_restarts = None, self._count_restart(n_restarts, reason)
            else:
                tokens.add(token)

    def _find_skipped(
        self, window: Window, seen: set[str], desk: Desk, *, has_records: bool
    ) -> str | None:
        """Compare what came with a list of all ids; return the first day of one that did not.

        arXiv's tokens count rows. A paper that changes while its day is being paged leaves that
        day, the rows behind it move up, and one falls between two pages.
        """
        days: list[str] = []
        token: str | None = None
        tokens: set[str] = set()
        n_restarts = n_listed = 0
        while True:
            try:
                fetched = self._fetch(window, window.scope["from"], token, desk, "ListIdentifiers")
            except OaiError as error:
                if token is None:
                    raise
                token, n_restarts = None, self._count_restart(n_restarts, str(error))
                continue
            days += [day for arxiv_id, day in fetched.page.listed if arxiv_id not in seen]
            n_listed += len(fetched.page.listed)
            token = fetched.page.token
            if token is None and has_records and not n_listed:
                reason = "records came of days for which the server lists no id"
                n_restarts = self._count_restart(n_restarts, reason)
                continue
            if token is None:
                return min(days, default=None)
            if token in tokens:
                reason = "the server's tokens lead back to pages that came before"
                token, n_restarts = None, self._count_restart(n_restarts, reason)
                tokens.clear()
            else:
                tokens.add(token)

    def _count_restart(self, n_restarts: int, reason: str) -> int:
        if n_restarts >= _N_RESTARTS:
            raise IncompleteError(reason)
        return n_restarts + 1

    def _fetch(
        self, window: Window, begin: str, token: str | None, desk: Desk, verb: str = "ListRecords"
    ) -> Fetched:
        parameters: tuple[tuple[str, str], ...]
        until = window.scope["until"]
        if token is not None:
            parameters = (("verb", verb), ("resumptionToken", token))
        else:
            parameters = (
                ("verb", verb),
                ("metadataPrefix", METADATA_PREFIX),
                ("from", begin),
                *((("until", until),) if self._is_sent(until, desk) else ()),
                *((("set", self._set),) if self._set else ()),
            )
        can_halve = self._limits(window, desk)[0] < self._limits(window, desk)[1]
        return desk.ask(
            Request(url=self._url, parameters=parameters),
            partial(parse_oai, verb=verb),
            n_attempts=2 if window.progress.get("is_suspect") else N_ATTEMPTS,
            n_throttles=_N_HEAVY if can_halve else None,
        )

    def _ends_too_late(self, window: Window, error: OaiError, desk: Desk) -> bool:
        """Tell whether the server refused an "until" that its clock has not reached."""
        until = window.scope["until"]
        return error.code == "badArgument" and self._is_sent(until, desk) and until >= error.as_of

    def _is_sent(self, until: str | None, desk: Desk) -> bool:
        """Tell whether a span's end is sent: not where the server's day is not beyond it."""
        return until is not None and (not desk.as_of or until < desk.as_of)

    def _is_not_yet(self, begin: str, error: OaiError) -> bool:
        """Tell a "from" that the server's clock has not reached from a wrong argument."""
        return error.code == "badArgument" and bool(error.as_of) and begin > error.as_of

    # ---- cutting and naming -------------------------------------------------------------

    def _limits(self, window: Window, desk: Desk) -> tuple[date, date]:
        begin = date.fromisoformat(window.progress.get("from") or window.scope["from"])
        today = date.fromisoformat(desk.as_of) if desk.as_of else desk.fetcher.clock.now().date()
        until = window.scope["until"]
        return begin, max(begin, date.fromisoformat(until) if until else today)

    def settle(self, desk: Desk) -> bool:
        """Check nothing more: every window is checked by itself."""
        del desk
        return False

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut what is left of a span into two."""
        window = desk.ledger.get_window(window.window_id)  # its checkpoint may have moved
        first, last = self._limits(window, desk)
        if first >= last:
            return False
        progress = {"is_suspect": True}
        begin, until = window.scope["from"], window.scope["until"]
        if begin < first.isoformat():  # what came so far is still to be checked
            so_far = {"from": begin, "until": first.isoformat()}
            here = {**progress, "from": first.isoformat()}
            desk.ledger.add_windows(window.job_id, [so_far], parent=window, progress=here)
            first += timedelta(days=1)
        middle = first + (last - first) // 2
        scopes = [{"from": first.isoformat(), "until": middle.isoformat()}]
        if middle < last:
            scopes.append({"from": (middle + timedelta(days=1)).isoformat(), "until": until})
        else:
            scopes[0]["until"] = until
        desk.ledger.add_windows(window.job_id, scopes, parent=window, progress=progress)
        return True

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again, one by one."""
        for entry in entries:
            if entry.arxiv_id is None:
                continue
            window = desk.ledger.get_window(entry.window_id)
            parameters = (
                ("verb", "GetRecord"),
                ("identifier", f"oai:arXiv.org:{entry.arxiv_id}"),
                ("metadataPrefix", METADATA_PREFIX),
            )
            request = Request(url=self._url, parameters=parameters)
            try:
                fetched = desk.ask(request, partial(parse_oai, verb="GetRecord"))
            except (OaiError, RefusedError) as error:
                desk.note(f"{entry.arxiv_id}: {error}")
                continue
            desk.put(window, fetched, state=window.state)

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name the days of an open span."""
        del ledger
        begin, until = window.scope["from"], window.scope["until"]  # nothing is checked yet
        of_set = f" of set {self._set}" if self._set else ""
        days = f"changed {begin} to {until}" if until else f"changed from {begin} on"
        return [(days + of_set, window.reason or "not asked yet")]


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
