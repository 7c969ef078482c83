"""Harvest by id: slices of at most 200 ids, asked by POST."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from survey_tools.arxiv_id import ArxivId, parse_arxiv_id
from survey_tools.errors import DataError
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.desk import Desk, IncompleteError
from survey_tools.harvest.faults import RefusedError
from survey_tools.harvest.fetcher import Fetched
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.wire import Request

__all__ = ["N_IDS", "IdWay", "ask_for_ids", "refetch_by_id"]

N_IDS = 200  # ids a request; a GET with some 600 is answered 414
_BAD_ID = re.compile(r"incorrect id format for (\S+)")
_NOT_THERE = "arXiv knows no such paper (asked twice)"


class IdWay:
    """Papers by their ids.

    Parameters
    ----------
    ids : sequence of ArxivId
        A version asks for that version, no version for the current one.
    malformed : sequence of (str, str)
        What stood in the list and is no id, and why: named in the report.
    refresh : bool
        Ask for papers that the store holds already, too.
    known_by : iterable of ArxivId or None
        Ids by which the job is known again, where those asked for become fewer from run to run.

    Attributes
    ----------
    ids : list of ArxivId
        Distinct and sorted.
    """

    kind = "ids"

    def __init__(
        self,
        ids: Iterable[ArxivId],
        *,
        url: str,
        malformed: Sequence[tuple[str, str]] = (),
        refresh: bool = False,
        known_by: Iterable[ArxivId] | None = None,
    ) -> None:
        self.ids = sorted(set(ids), key=str)
        self._url = url
        self._refresh = refresh
        self._malformed = list(dict(malformed).items())
        self.arguments: Mapping[str, Any] = {
            "ids": sorted({str(arxiv_id) for arxiv_id in known_by or self.ids}),
            "malformed": self._malformed,
        }

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Ask for the ids that the store does not hold and that were not asked for today."""
        windows = ledger.list_windows(job.job_id)
        waiting = {str(i) for w in windows if w.state == "open" for i in w.scope["ids"]}
        answered = {
            str(arxiv_id)
            for window in windows
            if window.state == "done" and self._counts(window, job, today, goes_on=bool(waiting))
            for arxiv_id in window.scope["ids"]
        }
        wanted = []
        for arxiv_id in self.ids:
            name = str(arxiv_id)
            is_known = name in answered or _is_held(name, ledger)
            is_wanted = not is_known or (self._refresh and not (waiting and name in answered))
            if name not in waiting and is_wanted:
                wanted.append(name)
        self._refresh = False  # it is honoured now
        return [{"ids": wanted[i : i + N_IDS]} for i in range(0, len(wanted), N_IDS)]

    def _counts(self, window: Window, job: Job, today: str, *, goes_on: bool) -> bool:
        """Tell whether an answer is of today, or of the round that goes on."""
        as_of = window.as_of or job.as_of or ""
        return as_of == today or (goes_on and as_of > (job.as_of or ""))

    def ask(self, window: Window, desk: Desk) -> None:
        """Ask for a slice; ids that do not come are asked for once more, alone."""
        asked = [str(arxiv_id) for arxiv_id in window.scope["ids"]]
        try:
            left = ask_for_ids(asked, window, desk, self._url)
        except RefusedError as error:
            if not error.is_of_content:
                raise
            self._set_aside(asked, str(error), window, desk)
            return
        if not left:
            desk.ledger.close_window(window)
            return
        absent = dict.fromkeys(left, _NOT_THERE)
        desk.ledger.set_window(window, state="done", progress={"absent": absent})

    def _set_aside(self, asked: list[str], said: str, window: Window, desk: Desk) -> None:
        """Find the id for which a whole slice was refused: arXiv's rule may be stricter."""
        if len(asked) == 1:
            absent = {asked[0]: said}
            desk.ledger.set_window(window, state="done", progress={"absent": absent})
            return
        bad = _BAD_ID.search(said)
        if bad and bad[1] in asked:
            others = [arxiv_id for arxiv_id in asked if arxiv_id != bad[1]]
            parts = [{"ids": others}, {"ids": [bad[1]]}]
            desk.ledger.add_windows(window.job_id, parts, parent=window)
        else:
            self.halve(window, desk)

    def settle(self, desk: Desk) -> bool:
        """Check nothing more: every window is checked by itself."""
        del desk
        return False

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut a slice in two."""
        came = desk.ledger.members(window.window_id)
        ids = [name for name in window.scope["ids"] if parse_arxiv_id(name).base not in came]
        if not ids:
            desk.ledger.close_window(window)
            return True
        if len(window.scope["ids"]) < 2:
            return False
        middle = len(ids) // 2
        halves = [{"ids": half} for half in (ids[:middle], ids[middle:]) if half]
        desk.ledger.add_windows(window.job_id, halves, parent=window)
        return True

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again."""
        refetch_by_id(entries, desk, self._url)

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name the ids of an open slice that have not come."""
        reason = window.reason or "not asked yet"
        return [(str(i), reason) for i in window.scope["ids"] if not _is_held(str(i), ledger)]

    def absent(self, ledger: Ledger, job: Job) -> list[tuple[str, str]]:
        """Name the ids that arXiv does not know, and what is no id."""
        wanted = {str(arxiv_id) for arxiv_id in self.ids}
        found = {
            arxiv_id: reason
            for window in ledger.list_windows(job.job_id, "done")
            for arxiv_id, reason in window.progress.get("absent", {}).items()
            if arxiv_id in wanted and not _is_held(arxiv_id, ledger)
        }
        return [*found.items(), *self._malformed]


def ask_for_ids(asked: Sequence[str], window: Window, desk: Desk, url: str) -> list[str]:
    """Ask for ids until all have come, or until two answers say that the rest is not there.

    Raises
    ------
    IncompleteError
        If arXiv counts more of them than it gives.
    """
    left = list(asked)
    n_denied = n_idle = 0
    while left and n_denied < 2:
        fetched = _fetch(left, desk, url)
        page = fetched.page
        came = _names(fetched)
        desk.put(window, fetched, total=len(asked))
        before = len(left)
        left = [name for name in left if not _has_come(name, came)]
        # only an answer whose count agrees with its ids denies that the others are there
        n_denied = n_denied + 1 if page.total == len(page.ids) else 0
        n_idle = n_idle + 1 if len(left) == before else 0
        if left and n_idle > 1 and not n_denied:
            raise IncompleteError(f"arXiv counts {page.total} of the papers, {len(page.ids)} came")
    return left


def _fetch(ids: Sequence[str], desk: Desk, url: str) -> Fetched:
    request = Request(
        url=url,
        method="POST",
        parameters=(("id_list", ",".join(ids)), ("start", "0"), ("max_results", str(len(ids)))),
    )
    return desk.ask(request, partial(parse_atom, start=0, n_asked=len(ids)))


def _is_held(name: str, ledger: Ledger) -> bool:
    arxiv_id = parse_arxiv_id(name)
    return ledger.store.get_record(arxiv_id.base, version=arxiv_id.version) is not None


def _names(fetched: Fetched) -> set[str]:
    """Return the ids of a page, plain and with their versions."""
    page = fetched.page
    versions = {str(ArxivId(record.arxiv_id, record.version)) for record in page.records}
    return versions | set(page.ids)


def _has_come(name: str, came: set[str]) -> bool:
    try:
        arxiv_id = parse_arxiv_id(name)
    except DataError:
        return False
    return str(arxiv_id) in came


def refetch_by_id(entries: list[Quarantined], desk: Desk, url: str) -> None:
    """Ask for malformed entries by id, window by window."""
    of_window: dict[int, list[str]] = {}
    for entry in entries:
        if entry.arxiv_id:
            of_window.setdefault(entry.window_id, []).append(entry.arxiv_id)
    for window_id, ids in of_window.items():
        window = desk.ledger.get_window(window_id)
        for i in range(0, len(ids), N_IDS):
            part = ids[i : i + N_IDS]
            desk.put(window, _fetch(part, desk, url), state=window.state)
