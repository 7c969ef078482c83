"""Harvest by title: arXiv is asked for titles that the store does not hold."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.by_id import refetch_by_id
from survey_tools.harvest.desk import Desk
from survey_tools.harvest.faults import RefusedError
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.wire import Request

__all__ = ["TitleWay"]

_N_RESULTS = 100  # a batch asks for ten titles; some are common phrases


class TitleWay:
    """Candidates for titles.

    Parameters
    ----------
    queries : sequence of str
        In arXiv's grammar, from `build_title_queries` or `build_word_query`.
    """

    kind = "titles"

    def __init__(self, queries: Sequence[str], *, url: str) -> None:
        self._url = url
        self._queries = sorted(set(queries))
        self.arguments: Mapping[str, Any] = {"queries": self._queries}

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Ask each query once a day."""
        if job.as_of == today or ledger.list_windows(job.job_id, "open"):
            return []
        return [{"query": query} for query in self._queries]

    def ask(self, window: Window, desk: Desk) -> None:
        """Ask one query; the best results come first, so one page is enough."""
        request = Request(
            url=self._url,
            parameters=(
                ("search_query", str(window.scope["query"])),
                ("start", "0"),
                ("max_results", str(_N_RESULTS)),
                ("sortBy", "relevance"),
                ("sortOrder", "descending"),
            ),
        )
        try:
            fetched = desk.ask(request, partial(parse_atom, start=0, n_asked=_N_RESULTS))
        except RefusedError as error:
            desk.note(f"a title cannot be asked for: {error}")
            desk.ledger.set_window(window, state="done")
            return
        desk.put(window, fetched, state="done", total=fetched.page.total)

    def settle(self, desk: Desk) -> bool:
        """Check nothing more: every window is checked by itself."""
        del desk
        return False

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut nothing: a query is asked whole."""
        del window, desk
        return False

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again, by id."""
        refetch_by_id(entries, desk, self._url)

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name the query."""
        del ledger
        return [(str(window.scope["query"]), window.reason or "not asked yet")]
