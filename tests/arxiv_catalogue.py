"""What the invented arXiv holds on a given day, indexed for its two services."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from threading import RLock
from zlib import crc32

from arxiv_truth import TruePaper

_DAY = 86400


class Row:
    """A paper, or one version of it, with the numbers that it is sorted by.

    Attributes
    ----------
    first, last : int
        When the first version and this version were submitted, in seconds since 1970.
    modified : int
        A moment of the day of the datestamp, in seconds since 1970.
    score : int
        Relevance; it means nothing, and many papers share it.
    """

    __slots__ = ("entry", "first", "last", "modified", "paper", "score", "version")

    def __init__(self, paper: TruePaper, version: int | None = None) -> None:
        self.paper = paper
        self.version = version or len(paper.versions)
        self.first = int(paper.versions[0].submitted.timestamp())
        self.last = int(paper.versions[self.version - 1].submitted.timestamp())
        chance = crc32(paper.arxiv_id.encode())
        self.modified = day_seconds(paper.datestamp) + chance % _DAY
        self.score = chance % 7
        self.entry = ""  # as the Atom service wrote it


def day_seconds(day: date) -> int:
    """Seconds from 1970 to the beginning of a day."""
    return int(datetime.combine(day, time(), UTC).timestamp())


class Catalogue:
    """Papers that can be added, changed and hidden while they are served.

    A paper is seen from the day of its datestamp on. `lock` is held while it is read.
    """

    def __init__(self, papers: Iterable[TruePaper], today: date) -> None:
        self.lock = RLock()
        self.today = today
        self.edition = 0  # counts changes
        self._rows: dict[str, Row] = {}
        self._by_first: list[Row] | None = None
        self._by_modified: list[Row] | None = None
        self._firsts: list[int] = []
        self.add(papers)
        self._sorted()  # now rather than in the first request

    @property
    def now(self) -> datetime:
        """Nine o'clock of the server's day."""
        return datetime.combine(self.today, time(9), UTC)

    @property
    def papers(self) -> list[TruePaper]:
        """All papers, those of the future too, in order of first submission."""
        with self.lock:
            return [row.paper for row in self._sorted()[0]]

    def add(self, papers: Iterable[TruePaper]) -> None:
        """Add papers, or put new states in the place of old ones."""
        with self.lock:
            for paper in papers:
                self._rows[paper.arxiv_id] = Row(paper)
            self._changed()

    def hide(self, paper_ids: Iterable[str]) -> None:
        """Take papers out, as if arXiv had lost them."""
        with self.lock:
            for paper_id in paper_ids:
                del self._rows[paper_id]
            self._changed()

    def restamp(self, paper_id: str, day: date) -> TruePaper:
        """Give a paper another datestamp."""
        with self.lock:
            paper = replace(self._rows[paper_id].paper, datestamp=day)
            self.add([paper])
            return paper

    def set_today(self, day: date) -> None:
        """Move to another day."""
        with self.lock:
            self.today = day
            self._changed()

    def _changed(self) -> None:
        """Sort anew when next asked."""
        self.edition += 1
        self._by_first = self._by_modified = None

    def _sorted(self) -> tuple[list[Row], list[Row]]:
        if self._by_first is None or self._by_modified is None:
            rows = self._rows.values()
            self._by_first = sorted(rows, key=lambda row: (row.first, row.paper.arxiv_id))
            self._by_modified = sorted(rows, key=lambda row: (row.modified, row.paper.arxiv_id))
            self._firsts = [row.first for row in self._by_first]
        return self._by_first, self._by_modified

    def _is_seen(self, row: Row) -> bool:
        return row.paper.datestamp <= self.today

    def find(self, paper_id: str) -> Row | None:
        """Return the row of a paper, unless there is none today."""
        row = self._rows.get(paper_id)
        return row if row and self._is_seen(row) else None

    def submitted(self, low: float, high: float) -> list[Row]:
        """Return rows first submitted between two seconds, both included, in that order."""
        rows, by_modified = self._sorted()
        rows = rows[bisect_left(self._firsts, low) : bisect_right(self._firsts, high)]
        if by_modified and not self._is_seen(by_modified[-1]):
            rows = [row for row in rows if self._is_seen(row)]
        return rows

    def modified(self, first: date, last: date) -> list[Row]:
        """Return rows with a datestamp from one day to another, by (modification, id)."""
        rows = self._sorted()[1]
        last = min(last, self.today)
        low = bisect_left(rows, day_seconds(first), key=lambda row: row.modified)
        high = bisect_left(rows, day_seconds(last) + _DAY, key=lambda row: row.modified)
        return rows[low:high]
