"""Job and Window: what was asked, in which parts, and how each stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

__all__ = ["Job", "Quarantined", "Window"]

_RESCAN_EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One harvest.

    Attributes
    ----------
    kind : str
        ``query``, ``ids``, ``oai``, ``snapshot`` or ``titles``.
    arguments : mapping
        What makes it this job and no other.
    resume : str
        The command that goes on with it.
    as_of : str or None
        Server's day of its last complete answer.
    rescanned_on : str or None
        Day of the last wide overlap.
    status : str or None
        How its last run ended; None where it was killed.
    n_missing : int
        Things that the last run named as missing.
    """

    job_id: int
    kind: str
    arguments: Mapping[str, Any]
    resume: str
    as_of: str | None
    rescanned_on: str | None
    status: str | None = None
    n_missing: int = 0

    def is_rescan_due(self, today: str) -> bool:
        """Tell whether the weekly look further back is due."""
        if self.rescanned_on is None:
            return True
        days = date.fromisoformat(today) - date.fromisoformat(self.rescanned_on)
        return days >= _RESCAN_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a job, as asked.

    Attributes
    ----------
    scope : mapping
        What it covers: dates, or ids.
    total : int or None
        Results that the server counts.
    progress : mapping
        Where to go on.
    as_of : str or None
        Server's day of its first answer.
    reason : str or None
        Why it is still open.
    """

    window_id: int
    job_id: int
    parent_id: int | None
    scope: Mapping[str, Any]
    state: str
    total: int | None
    progress: Mapping[str, Any]
    as_of: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A malformed entry that waits to be fetched again by id."""

    entry_id: int
    window_id: int
    arxiv_id: str | None
    reason: str
