"""Atom feeds of arXiv's API -> pages. Pure: bytes in, records out.

References
----------
.. [1] arXiv API user's manual, "Details of Atom results returned",
   https://info.arxiv.org/help/api/user-manual.html
.. [2] arXiv/arxiv-search, search/serialize/atom.py (the server's own code, 2026-07).
"""

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError
from survey_tools.harvest.faults import RefusedError, TransientError
from survey_tools.harvest.page import MalformedEntry, Page
from survey_tools.harvest.record import (
    ArxivRecord,
    Version,
    is_withdrawal,
    keep_raw,
    normalise_date,
)
from survey_tools.harvest.strict_xml import (
    Element,
    collector_paused,
    parse_xml,
    text_of,
    write_xml,
)
from survey_tools.tex import normalise_text

__all__ = ["parse_atom"]

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_FEED = f"{_ATOM}feed"
_ENTRY, _ID, _TITLE, _SUMMARY = (f"{_ATOM}{n}" for n in ("entry", "id", "title", "summary"))
_UPDATED, _PUBLISHED, _AUTHOR = (f"{_ATOM}{n}" for n in ("updated", "published", "author"))
_NAME, _CATEGORY = f"{_ATOM}name", f"{_ATOM}category"
_PRIMARY, _COMMENT = f"{_ARXIV}primary_category", f"{_ARXIV}comment"
_JOURNAL, _DOI = f"{_ARXIV}journal_ref", f"{_ARXIV}doi"
_N_DIGITS = 12  # of a count; Python refuses to read some thousands
_QUERY_PREFIX = "arXiv Query: "


@collector_paused()
def parse_atom(body: bytes, *, start: int | None = None, n_asked: int | None = None) -> Page:
    """Read one page of the Atom API.

    Parameters
    ----------
    start, n_asked : int or None
        First result and number of results asked for; what the page says of itself must agree.

    Raises
    ------
    TransientError
        If it is no whole Atom feed of arXiv, or its counts contradict each other.
    RefusedError
        If it is arXiv's feed with one entry "Error"; the message is arXiv's.
    """
    feed = parse_xml(body, root=_FEED)
    total = _count(feed, "totalResults", body)
    entries = feed.findall(_ENTRY)
    for entry in entries:
        if "/api/errors" in (entry.findtext(_ID) or ""):
            message = " ".join((entry.findtext(_SUMMARY) or "no reason given").split())
            raise RefusedError(f"arXiv refuses the request: {message}", is_of_content=True)
    as_of = _date(feed.findtext(_UPDATED), body)[:10]
    said_start = _count(feed, "startIndex", body)
    if start is not None and said_start != start:
        raise TransientError(f"results from {said_start} on came, from {start} on were asked")
    if n_asked is not None and len(entries) > n_asked:
        raise TransientError(f"{len(entries)} entries came, {n_asked} were asked")
    if entries and said_start + len(entries) > total:  # none: the total may have shrunk
        raise TransientError(
            f"{len(entries)} entries from {said_start} on cannot be of {total} in all"
        )
    records, malformed = [], []
    for entry in entries:
        try:
            records.append(_read_entry(entry, as_of))
        except ValueError as error:
            malformed.append(_malformed(entry, str(error)))
    title = feed.findtext(_TITLE) or ""
    return Page(
        records=tuple(records),
        malformed=tuple(malformed),
        as_of=as_of,
        total=total,
        query=title.removeprefix(_QUERY_PREFIX) if title.startswith(_QUERY_PREFIX) else None,
    )


def _count(feed: Element, name: str, body: bytes) -> int:
    text = (feed.findtext(_OPENSEARCH + name) or "").strip()
    if not text.isdecimal() or len(text) > _N_DIGITS:
        raise TransientError(f"the feed lacks its {name}", body=body)
    return int(text)


def _date(text: str | None, body: bytes) -> str:
    try:
        return normalise_date(text or "")
    except ValueError:
        raise TransientError(f"the feed is dated {text!r}", body=body) from None


def _read_entry(entry: Element, as_of: str) -> ArxivRecord:
    """Read one entry; a ValueError says what it lacks."""
    arxiv_id, version = _entry_id(entry)
    raw_title, raw_abstract = text_of(entry, _TITLE) or "", text_of(entry, _SUMMARY) or ""
    title, abstract = normalise_text(raw_title), normalise_text(raw_abstract)
    comment = _optional(entry, _COMMENT)
    withdrawn = is_withdrawal(comment, abstract)
    if not title:
        raise ValueError("no title")
    if not abstract and not (withdrawn and entry.find(_SUMMARY) is not None):
        raise ValueError("no summary")
    published, updated = _entry_date(entry, _PUBLISHED), _entry_date(entry, _UPDATED)
    shown = Version(number=version, submitted=updated, withdrawn=withdrawn)
    first = (Version(number=1, submitted=published),) if version > 1 else ()
    authors = tuple(
        normalise_text(name) for author in entry.iterfind(_AUTHOR) if (name := _name(author))
    )
    categories = _categories(entry)
    if not authors:
        raise ValueError("no author")
    if not categories:
        raise ValueError("no category")
    return ArxivRecord(
        arxiv_id=arxiv_id,
        version=version,
        title=title,
        abstract=abstract,
        authors=authors,
        categories=categories,
        versions=(*first, shown),
        comment=comment,
        journal_ref=_optional(entry, _JOURNAL),
        doi=_optional(entry, _DOI),
        withdrawn=withdrawn,
        as_of=as_of,
        raw=keep_raw([("title", raw_title, title), ("abstract", raw_abstract, abstract)]),
    )


def _entry_id(entry: Element) -> tuple[str, int]:
    link = (entry.findtext(_ID) or "").strip()
    _, found, text = link.partition("/abs/")
    if not found:
        raise ValueError(f"id {link!r} is no link to a paper" if link else "no id")
    try:
        arxiv_id = parse_arxiv_id(text)
    except DataError as error:
        raise ValueError(str(error)) from None
    return arxiv_id.base, arxiv_id.version or 1  # the service before 2025 left out v1


def _entry_date(entry: Element, tag: str) -> str:
    name = tag.rpartition("}")[2]
    text = entry.findtext(tag)
    if not text or not text.strip():
        raise ValueError(f"no {name} date")
    try:
        return normalise_date(text)
    except ValueError:
        raise ValueError(f"{name} date {text!r} is no date") from None


def _name(author: Element) -> str:
    return (author.findtext(_NAME) or "").strip()


def _optional(entry: Element, tag: str) -> str | None:
    return normalise_text(entry.findtext(tag) or "") or None


def _categories(entry: Element) -> tuple[str, ...]:
    primary = entry.find(_PRIMARY)
    first = primary.get("term", "") if primary is not None else ""
    terms = (category.get("term", "") for category in entry.iterfind(_CATEGORY))
    return tuple(dict.fromkeys(term for term in (first, *terms) if term))


def _malformed(entry: Element, reason: str) -> MalformedEntry:
    try:
        arxiv_id: str | None = _entry_id(entry)[0]
    except ValueError:
        arxiv_id = None
    return MalformedEntry(arxiv_id=arxiv_id, reason=reason, xml=write_xml(entry))
