"""Page: what one reply of arXiv brought, read and counted."""

from dataclasses import dataclass

from survey_tools.harvest.record import ArxivRecord

__all__ = ["MalformedEntry", "Page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedEntry:
    """An entry that lacks what a record needs.

    Attributes
    ----------
    arxiv_id : str or None
        Canonical id, where the entry has one.
    reason : str
    xml : str
        The entry as it came.
    """

    arxiv_id: str | None
    reason: str
    xml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of an answer.

    Attributes
    ----------
    records : tuple of ArxivRecord
    malformed : tuple of MalformedEntry
    deleted : tuple of str
        Ids that arXiv names as deleted (OAI-PMH only).
    as_of : str
        The server's day, ``YYYY-MM-DD``.
    total : int or None
        Results of the whole query (Atom only).
    query : str or None
        The query as the server understood it (Atom only).
    token : str or None
        Where the answer goes on (OAI-PMH only).
    last_day : str or None
        Latest datestamp on the page (OAI-PMH only).
    listed : tuple of (str, str)
        Id and datestamp of the headers that ListIdentifiers gives without records.
    is_repaired : bool
        Whether characters that XML forbids were dropped first.
    """

    records: tuple[ArxivRecord, ...]
    malformed: tuple[MalformedEntry, ...] = ()
    deleted: tuple[str, ...] = ()
    as_of: str
    total: int | None = None
    query: str | None = None
    token: str | None = None
    last_day: str | None = None
    listed: tuple[tuple[str, str], ...] = ()
    is_repaired: bool = False

    @property
    def n_entries(self) -> int:
        """Entries on the page, malformed ones included."""
        return len(self.records) + len(self.malformed) + len(self.deleted)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids on the page, those of malformed entries included where known."""
        malformed = (entry.arxiv_id for entry in self.malformed)
        return (
            *(record.arxiv_id for record in self.records),
            *(arxiv_id for arxiv_id in malformed if arxiv_id),
            *self.deleted,
        )
