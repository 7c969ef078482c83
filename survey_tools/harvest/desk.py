"""Desk: what one run works with: the books, the fetcher, and the running count."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from survey_tools.harvest.faults import TransientError
from survey_tools.harvest.fetcher import N_ATTEMPTS, Fetched, Fetcher
from survey_tools.harvest.jobs import Job, Quarantined, Window
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.page import Page
from survey_tools.harvest.paper_rows import Stored
from survey_tools.harvest.wire import Request

__all__ = ["Desk", "HarvestProgress", "IncompleteError", "Way"]


class IncompleteError(TransientError):
    """A window was asked as often as makes sense, and its answer still has holes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestProgress:
    """How far a run is.

    Attributes
    ----------
    n_records : int
        Records received, those of earlier runs of the job included.
    n_total : int or None
        Records expected in all, where the server has said so.
    n_pages, n_requests, n_windows_left : int
    share : float or None
        Part done, 0 to 1, where it is known otherwise than by records.
    """

    n_records: int
    n_total: int | None
    n_pages: int
    n_requests: int
    n_windows_left: int
    share: float | None = None


@dataclass(slots=True, kw_only=True)
class Desk:
    """One run's working state."""

    ledger: Ledger
    fetcher: Fetcher
    job: Job
    show: Callable[[HarvestProgress], None]
    stored: Stored = field(default_factory=Stored)
    n_received: int = 0
    n_pages: int = 0
    n_total: int | None = None
    n_windows_left: int = 0
    n_bad_lines: int = 0
    as_of: str = ""
    notes: list[str] = field(default_factory=list)

    def ask(
        self,
        request: Request,
        read: Callable[[bytes], Page],
        *,
        n_attempts: int = N_ATTEMPTS,
        n_throttles: int | None = None,
    ) -> Fetched:
        """Ask for a page; see `Fetcher.ask`."""
        self.ledger.beat(self.job.job_id)
        self.tell()
        fetched = self.fetcher.ask(request, read, n_attempts=n_attempts, n_throttles=n_throttles)
        self.as_of = max(self.as_of, fetched.page.as_of)
        return fetched

    def put(
        self,
        window: Window,
        fetched: Fetched,
        *,
        state: str = "open",
        total: int | None = None,
        progress: Mapping[str, Any] | None = None,
        comes_again: bool = False,
    ) -> None:
        """Store a page with its window's checkpoint.

        Parameters
        ----------
        comes_again : bool
            Whether its records will come once more, in smaller windows: not counted then.
        """
        self.stored += self.ledger.put_page(
            window, fetched, state=state, total=total, progress=progress
        )
        self.n_pages += 1
        self.n_received += 0 if comes_again else fetched.page.n_entries
        if fetched.page.is_repaired:
            self.note(f"{fetched.url}: characters that XML forbids were dropped")
        self.tell()

    def note(self, text: str) -> None:
        """Keep something the user must know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def tell(self, share: float | None = None) -> None:
        """Show how far the run is."""
        self.show(
            HarvestProgress(
                n_records=self.n_received,
                n_total=self.n_total,
                n_pages=self.n_pages,
                n_requests=self.fetcher.n_requests,
                n_windows_left=self.n_windows_left,
                share=share,
            )
        )


class Way(Protocol):
    """A way in: what is asked, in which windows, and how one of them is asked."""

    kind: str
    arguments: Mapping[str, Any]

    def plan(self, ledger: Ledger, job: Job, today: str) -> list[dict[str, Any]]:
        """Return the scopes to ask, beyond those that are open already."""
        ...

    def ask(self, window: Window, desk: Desk) -> None:
        """Ask a window until it is done or split.

        Raises
        ------
        FetchError
            If it stays open, with the reason.
        """
        ...

    def settle(self, desk: Desk) -> bool:
        """Check the whole once all windows were asked; return whether some are open again."""
        ...

    def halve(self, window: Window, desk: Desk) -> bool:
        """Cut a window that cannot be answered into two; return False where none can be cut."""
        ...

    def refetch(self, entries: list[Quarantined], desk: Desk) -> None:
        """Ask for malformed entries again, by id."""
        ...

    def describe(self, window: Window, ledger: Ledger) -> list[tuple[str, str]]:
        """Name what is missing as long as a window is open: what, and why."""
        ...
