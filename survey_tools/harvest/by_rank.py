"""Harvest of the first results of a query: as many as one page holds, in arXiv's own order."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from survey_tools.errors import ParameterError
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.by_id import refetch_by_id
from survey_tools.harvest.desk import Desk, IncompleteError
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.query import Query, check_echo, write_query
from survey_tools.harvest.wire import Request

__all__ = ["N_MOST", "Order", "RankWay", "check_understood"]

N_MOST = 2000  # results in one page, so that no paper falls between two
Order = Literal["relevance", "submittedDate", "lastUpdatedDate"]


class RankWay:
    """The first results of a query.

    Parameters
    ----------
    max_results : int
        How many, 1 to 2,000.
    sort_by, sort_order
        As arXiv's API names them.

    Attributes
    ----------
    ids : tuple of str
        What came today, in arXiv's order.

    Raises
    ------
    ParameterError
        If ``max_results`` is out of range.
    """

    kind = "query"

    def __init__(
        self,
        query: Query,
        *,
        url: str,
        max_results: int,
        sort_by: Order = "submittedDate",
        sort_order: Literal["ascending", "descending"] = "descending",
    ) -> None:
        if not 1 <= max_results <= N_MOST:
            raise ParameterError(
                f"max_results={max_results}: 1 to {N_MOST:,} are allowed; leave it out to harvest "
                "all results of the query"
            )
        self.ids: tuple[str, ...] = ()
        self._query = query
        self._url = url
        self.arguments: Mapping[str, Any] = {
            "query": write_query(query),
            "max_results": max_results,
            "sort_by": sort_by,
            "sort_order": sort_order,
        }

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Ask once a day: arXiv's results change no more often."""
        done = ledger.list_windows(job.job_id, "done")
        if job.as_of == today and done:
            self.ids = tuple(done[-1].progress["ids"])
            return []
        if ledger.list_windows(job.job_id, "open"):
            return []
        return [{"asked_on": today}]

    def ask(self, window: Window, desk: Desk) -> None:
        """Ask for the page, and once more if it is empty or short."""
        n_wanted = int(self.arguments["max_results"])
        request = Request(
            url=self._url,
            parameters=(
                ("search_query", write_query(self._query)),
                ("start", "0"),
                ("max_results", str(n_wanted)),
                ("sortBy", str(self.arguments["sort_by"])),
                ("sortOrder", str(self.arguments["sort_order"])),
            ),
        )
        expected = 0
        for _ in range(2):
            fetched = desk.ask(request, partial(parse_atom, start=0, n_asked=n_wanted))
            page = fetched.page
            check_understood(self._query, page.query)
            expected = min(n_wanted, page.total or 0)
            desk.n_total = expected
            is_whole = bool(expected) and len(set(page.ids)) >= expected
            desk.put(window, fetched, total=page.total)
            if is_whole:
                break
        else:
            n_came = len(set(page.ids))
            if n_came < expected:
                raise IncompleteError(f"arXiv counts {expected} papers, {n_came} came")
        self.ids = page.ids
        desk.ledger.set_window(window, state="done", progress={"ids": page.ids})

    def settle(self, desk: Desk) -> bool:
        """Check nothing more: every window is checked by itself."""
        del desk
        return False

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut nothing: the order is that of the whole."""
        del window, desk
        return False

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again, by id."""
        refetch_by_id(entries, desk, self._url)

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name what was asked for."""
        del ledger
        what = f"the first {self.arguments['max_results']} results"
        return [(what, window.reason or "not asked yet")]


def check_understood(meant: Query, echo: str | None) -> None:
    """Refuse results of another query than the one that was meant.

    Raises
    ------
    ParameterError
        Saying what arXiv understood.
    """
    understood = check_echo(meant, echo or "")
    if understood:
        raise ParameterError(
            f"arXiv reads the query as {understood}, meant was {write_query(meant)}; nothing was "
            "stored. Put phrases in double quotes, and parentheses around alternatives"
        )
