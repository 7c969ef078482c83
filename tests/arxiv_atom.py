"""The Atom API of arXiv, as it is served since 2025-11, over a catalogue of invented papers."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from random import Random
from urllib.parse import quote_plus
from xml.sax.saxutils import escape, quoteattr

from arxiv_catalogue import Catalogue, Row
from arxiv_query import QueryError, compile_query, is_window, rewrite, window_of

CONTENT_TYPE = "application/atom+xml"
SORTS = ("relevance", "lastUpdatedDate", "submittedDate")
ORDERS = ("ascending", "descending")
_ID = re.compile(
    r"(?P<base>[0-9]{4}\.[0-9]{4,5}|[a-z]+(?:-[a-z]+)*(?:\.[A-Z]{2})?/[0-9]{7})(?:v(?P<version>[1-9][0-9]*))?"
)
_FEED = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
)


class AtomError(Exception):
    """A request that is answered by a feed with one entry called Error."""

    def __init__(self, message: str, *, status: int = 400, link: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.link = link or f"https://arxiv.org/api/errors#{message.replace(' ', '_')}"


@dataclass(frozen=True, kw_only=True)
class AtomPage:
    """A feed before it is written; the entries are XML already."""

    echo: str
    href: str
    now: datetime
    size: int
    start: int
    total: int
    entries: tuple[str, ...]

    def render(self) -> str:
        """Write the feed."""
        digest = b64encode(hashlib.sha1(self.echo.encode(), usedforsecurity=False).digest())
        return (
            f"{_FEED}"
            f"  <id>https://arxiv.org/api/{digest.decode().rstrip('=')}</id>\n"
            f"  <title>arXiv Query: {escape(self.echo)}</title>\n"
            f"  <updated>{_iso(self.now)}</updated>\n"
            f'  <link href={quoteattr(self.href)} type="application/atom+xml"/>\n'
            f"{_counts(self.size, self.total, self.start)}"
            f"{''.join(self.entries)}</feed>\n"
        )


def _counts(size: int, total: int, start: int) -> str:
    return (
        f"  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>\n"
        f"  <opensearch:totalResults>{total}</opensearch:totalResults>\n"
        f"  <opensearch:startIndex>{start}</opensearch:startIndex>\n"
    )


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def render_error(error: AtomError, now: datetime) -> str:
    """Write the feed that reports an error."""
    link = escape(error.link)
    return (
        f"{_FEED}"
        "  <id>https://arxiv.org/</id>\n"
        "  <title>arXiv Search Results</title>\n"
        f"  <updated>{_iso(now)}</updated>\n"
        f"{_counts(1, 1, 0)}"
        "  <entry>\n"
        f"    <id>{link}</id>\n"
        "    <title>Error</title>\n"
        f"    <updated>{_iso(now)}</updated>\n"
        f'    <link href={quoteattr(error.link)} rel="alternate" type="text/html"/>\n'
        f"    <summary>{escape(error.message)}</summary>\n"
        "    <author>\n"
        "      <name>arXiv api core</name>\n"
        "    </author>\n"
        "  </entry>\n"
        "</feed>\n"
    )


def render_entry(row: Row) -> str:
    """Write one version of a paper as an entry."""
    paper = row.paper
    name = f"{paper.arxiv_id}v{row.version}"
    _, submitted, _ = paper.versions[row.version - 1]
    is_current = row.version == len(paper.versions)
    comment = paper.comment if is_current or not paper.withdrawn else None
    lines = [
        "  <entry>",
        f"    <id>http://arxiv.org/abs/{name}</id>",
        f"    <title>{escape(paper.title)}</title>",
        f"    <updated>{_iso(submitted)}</updated>",
        f'    <link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>',
        f'    <link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" '
        'title="pdf"/>',
        f"    <summary>{escape(paper.summary)}</summary>",
    ]
    lines += [
        f'    <category term="{term}" scheme="http://arxiv.org/schemas/atom"/>'
        for term in paper.categories
    ]
    lines.append(f"    <published>{_iso(paper.versions[0].submitted)}</published>")
    if comment:
        lines.append(f"    <arxiv:comment>{escape(comment)}</arxiv:comment>")
    lines.append(f'    <arxiv:primary_category term="{paper.categories[0]}"/>')
    if paper.journal_ref:
        lines.append(f"    <arxiv:journal_ref>{escape(paper.journal_ref)}</arxiv:journal_ref>")
    affiliations = paper.affiliations or (None,) * len(paper.authors)
    for author, place in zip(paper.authors, affiliations, strict=True):
        lines += ["    <author>", f"      <name>{escape(author)}</name>"]
        if place:
            lines.append(f"      <arxiv:affiliation>{escape(place)}</arxiv:affiliation>")
        lines.append("    </author>")
    for doi in (paper.doi or "").split():
        lines.append(f"    <arxiv:doi>{escape(doi)}</arxiv:doi>")
        href = quoteattr(f"https://doi.org/{doi}")
        lines.append(f'    <link rel="related" href={href} title="doi"/>')
    lines.append("  </entry>\n")
    return "\n".join(lines)


class AtomService:
    """Answers queries; ``max_offset`` is the server's bound on paging."""

    def __init__(self, catalogue: Catalogue, *, max_offset: int, shuffle_ties: bool) -> None:
        self.catalogue = catalogue
        self.max_offset = max_offset
        self.shuffle_ties = shuffle_ties
        self._found: dict[tuple[int, str], list[Row]] = {}  # of the latest queries

    def answer(self, params: Mapping[str, str], number: int) -> AtomPage:
        """Answer one request, the ``number``-th that arrived.

        Raises
        ------
        AtomError
            If the request is at fault, or asks for what breaks the real server.
        """
        query_text = params.get("search_query") or ""
        id_text = params.get("id_list") or ""
        ids = id_text.split(",") if id_text else []
        wanted = [self._parse_id(name) for name in ids]
        size = _natural(params, "max_results", 10)
        start = _natural(params, "start", 0)
        sort = _choice(params, "sortBy", SORTS, "relevance")
        order = _choice(params, "sortOrder", ORDERS, "descending")
        if not query_text and not ids:
            raise AtomError(
                "Either a search_query or id_list must be specified for the classic API."
            )
        if size == 0:
            raise AtomError("Internal server error", status=500)
        page = 1 + round(start / size)
        if page > self.max_offset // size:
            raise AtomError("Internal server error", status=500)
        with self.catalogue.lock:
            rows, echo = self._search(query_text, wanted, raw=params.get("raw") == "1")
            rows = self._sort(rows, sort, order)
            low = (page - 1) * size
            entries = []
            for row in self._take(rows, sort, low, low + size, number):
                row.entry = row.entry or render_entry(row)
                entries.append(row.entry)
            return AtomPage(
                echo=f"search_query={echo}&id_list={id_text}&start={start}&max_results={size}",
                href=(
                    f"https://arxiv.org/api/query?search_query={quote_plus(echo, safe=':')}"
                    f"&start={start}&max_results={size}&id_list={id_text}"
                ),
                now=self.catalogue.now,
                size=size,
                start=start,
                total=len(rows),
                entries=tuple(entries),
            )

    def _parse_id(self, name: str) -> tuple[str, int | None]:
        match = _ID.fullmatch(name)
        if match is None:
            raise AtomError(f"incorrect id format for {name}")
        return match["base"], int(match["version"]) if match["version"] else None

    def _search(
        self, text: str, wanted: list[tuple[str, int | None]], *, raw: bool
    ) -> tuple[list[Row], str]:
        """Return what is found, in order of submission, and the query as it is echoed."""
        if not text:
            return self._look_up(wanted), ""
        try:
            query, echo = rewrite(text, raw=raw)
        except QueryError:
            raise AtomError(f"Invalid query string: '{text}'") from None
        except RecursionError:
            raise AtomError("Internal server error", status=500) from None
        if wanted:
            test = compile_query(query)
            return [row for row in self._look_up(wanted) if test(row.paper)], echo
        key = (self.catalogue.edition, echo)
        if key not in self._found:
            rows = self.catalogue.submitted(*window_of(query))
            if not is_window(query):
                test = compile_query(query)
                rows = [row for row in rows if test(row.paper)]
            while len(self._found) >= 8:
                del self._found[next(iter(self._found))]
            self._found[key] = rows
        return self._found[key], echo

    def _look_up(self, wanted: list[tuple[str, int | None]]) -> list[Row]:
        """Return the papers or versions named; those that do not exist are left out."""
        rows: dict[tuple[str, int], Row] = {}
        for paper_id, version in wanted:
            row = self.catalogue.find(paper_id)
            if row is None or (version or 1) > len(row.paper.versions):
                continue
            if version is not None and version != row.version:
                row = Row(row.paper, version)
            rows[paper_id, row.version] = row
        return sorted(rows.values(), key=lambda row: (row.first, row.paper.arxiv_id, row.version))

    def _sort(self, rows: list[Row], sort: str, order: str) -> list[Row]:
        if sort != "submittedDate":  # for that they are in order already
            rows = sorted(rows, key=_KEYS[sort])
        return rows[::-1] if order == "descending" else rows

    def _take(self, rows: list[Row], sort: str, low: int, high: int, number: int) -> list[Row]:
        """Cut a page out; where keys are equal the order is another in each request."""
        if not self.shuffle_ties:
            return rows[low:high]
        key = _KEYS[sort]
        first, last = min(low, len(rows)), min(high, len(rows))
        while 0 < first < len(rows) and key(rows[first - 1]) == key(rows[first]):
            first -= 1
        while 0 < last < len(rows) and key(rows[last - 1]) == key(rows[last]):
            last += 1
        mixed: list[Row] = []
        for value, tied in groupby(rows[first:last], key):
            group = list(tied)
            Random(f"{number} {value}").shuffle(group)
            mixed += group
        return mixed[low - first : high - first]


_KEYS: dict[str, Callable[[Row], int]] = {
    "relevance": lambda row: row.score,
    "lastUpdatedDate": lambda row: row.last,
    "submittedDate": lambda row: row.first,
}


def _natural(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(params.get(name, default))
    except ValueError:
        raise AtomError(f"{name} must be an integer") from None
    if number < 0:
        raise AtomError(f"{name} must be non-negative")
    return number


def _choice(params: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = params.get(name, default)
    if value not in allowed:
        raise AtomError(
            f"{name} must be in: {', '.join(allowed)}",
            link="https://arxiv.org/help/api/user-manual#sort",
        )
    return value
