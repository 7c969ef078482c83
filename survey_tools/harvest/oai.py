"""OAI-PMH replies of arXiv -> pages. Pure: bytes in, records out.

The format asked for is ``arXivRaw``: alone it names every version with its date and tells
which one withdraws the paper; ``arXiv`` gives the current version's date as "created".

References
----------
.. [1] The Open Archives Initiative Protocol for Metadata Harvesting 2.0, sections 3.5, 3.6, 4.5,
   https://www.openarchives.org/OAI/openarchivesprotocol.html
.. [2] arXiv/oaipmh, the server's own code (2026-08).
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError
from survey_tools.harvest.faults import OaiError, TransientError
from survey_tools.harvest.page import MalformedEntry, Page
from survey_tools.harvest.record import (
    ArxivRecord,
    Version,
    is_withdrawal,
    keep_raw,
    normalise_date,
    split_authors,
)
from survey_tools.harvest.strict_xml import (
    Element,
    collector_paused,
    parse_xml,
    text_of,
    write_xml,
)
from survey_tools.tex import normalise_text

__all__ = ["METADATA_PREFIX", "RawFields", "build_record", "is_day", "parse_oai"]

METADATA_PREFIX = "arXivRaw"
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_RAW = "{http://arxiv.org/OAI/arXivRaw/}"
_PREFIX = "oai:arXiv.org:"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@collector_paused()
def parse_oai(body: bytes, *, verb: str) -> Page:
    """Read a reply to ListRecords, ListIdentifiers or GetRecord.

    An empty window (``noRecordsMatch``) is a page without records.

    Raises
    ------
    TransientError
        If it is no whole OAI-PMH reply to that verb.
    OaiError
        If it states another error.
    """
    root = parse_xml(body, root=f"{_OAI}OAI-PMH")
    as_of = (root.findtext(f"{_OAI}responseDate") or "").strip()[:10]
    if not is_day(as_of):
        raise TransientError("the reply lacks its responseDate", body=body)
    error = root.find(f"{_OAI}error")
    if error is not None:
        code = error.get("code", "unknown error")
        if code == "noRecordsMatch":
            return Page(records=(), as_of=as_of)
        said = " ".join((error.text or "no reason given").split())
        raise OaiError(code, said, as_of=as_of)
    answer = root.find(_OAI + verb)
    if answer is None:
        raise TransientError(f"the reply holds no {verb}", body=body)
    records: list[ArxivRecord] = []
    malformed: list[MalformedEntry] = []
    deleted: list[str] = []
    days: list[str] = []
    for element in answer.iterfind(f"{_OAI}record"):
        try:
            arxiv_id, day, is_deleted = _read_header(element.find(f"{_OAI}header"))
            days.append(day)
            if is_deleted:
                deleted.append(arxiv_id)
            else:
                records.append(_read_record(element, arxiv_id, as_of))
        except ValueError as problem:
            malformed.append(_malformed(element, str(problem)))
    token = answer.find(f"{_OAI}resumptionToken")
    goes_on = token is not None and bool((token.text or "").strip())
    if verb == "ListRecords" and goes_on and not (records or malformed or deleted):
        raise TransientError("a page without records says that it goes on", body=body)
    return Page(
        records=tuple(records),
        malformed=tuple(malformed),
        deleted=tuple(deleted),
        as_of=as_of,
        token=((token.text or "").strip() or None) if token is not None else None,
        last_day=max((day for day in days if day <= as_of), default=None),
        listed=_list_headers(answer, body),
    )


def _list_headers(answer: Element, body: bytes) -> tuple[tuple[str, str], ...]:
    """Read the bare headers of ListIdentifiers; deleted records are left out."""
    try:
        headers = [_read_header(header) for header in answer.iterfind(f"{_OAI}header")]
    except ValueError as problem:
        raise TransientError(f"a header cannot be read ({problem})", body=body) from None
    return tuple((arxiv_id, day) for arxiv_id, day, is_deleted in headers if not is_deleted)


def _read_header(header: Element | None) -> tuple[str, str, bool]:
    if header is None:
        raise ValueError("no header")
    identifier = (header.findtext(f"{_OAI}identifier") or "").strip()
    if not identifier.startswith(_PREFIX):
        raise ValueError(f"identifier {identifier!r} is not of arXiv" if identifier else "no id")
    day = (header.findtext(f"{_OAI}datestamp") or "").strip()
    if not is_day(day):
        raise ValueError(f"datestamp {day!r} is no day")
    return _base_id(identifier.removeprefix(_PREFIX)), day, header.get("status") == "deleted"


def is_day(text: object) -> bool:
    """Tell whether a text is a day of the calendar, ``YYYY-MM-DD``."""
    if not (isinstance(text, str) and _DAY.fullmatch(text)):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _base_id(text: str) -> str:
    try:
        return parse_arxiv_id(text.strip()).base
    except DataError as error:
        raise ValueError(str(error)) from None


def _read_record(element: Element, arxiv_id: str, as_of: str) -> ArxivRecord:
    raw = element.find(f"{_OAI}metadata/{_RAW}{METADATA_PREFIX}")
    if raw is None:
        raise ValueError("no metadata")
    if _base_id(raw.findtext(f"{_RAW}id") or "") != arxiv_id:
        raise ValueError(f"header and metadata name two papers, {arxiv_id} and another")
    versions = [
        (
            version.get("version", ""),
            version.findtext(f"{_RAW}date") or "",
            version.findtext(f"{_RAW}source_type") or "",
        )
        for version in raw.iterfind(f"{_RAW}version")
    ]
    return build_record(
        RawFields(
            arxiv_id=arxiv_id,
            title=text_of(raw, f"{_RAW}title") or "",
            abstract=text_of(raw, f"{_RAW}abstract"),
            authors=text_of(raw, f"{_RAW}authors") or "",
            categories=raw.findtext(f"{_RAW}categories") or "",
            versions=versions,
            comment=raw.findtext(f"{_RAW}comments"),
            journal_ref=raw.findtext(f"{_RAW}journal-ref"),
            doi=raw.findtext(f"{_RAW}doi"),
            license_url=raw.findtext(f"{_RAW}license"),
        ),
        as_of=as_of,
    )


class RawFields(NamedTuple):
    """The fields of ``arXivRaw`` and of the bulk snapshot, as they came.

    Attributes
    ----------
    arxiv_id : str
        Canonical id.
    versions : sequence of (str, str, str)
        ``v1``, its date (RFC 2822), its source type (``I`` where it withdraws the paper).
    """

    arxiv_id: str
    title: str
    abstract: str | None
    authors: str
    categories: str
    versions: Sequence[tuple[str, str, str]]
    comment: str | None
    journal_ref: str | None
    doi: str | None
    license_url: str | None


def build_record(fields: RawFields, *, as_of: str) -> ArxivRecord:
    """Turn raw fields into a record.

    Raises
    ------
    ValueError
        Saying what is missing or wrong.
    """
    comment = (normalise_text(fields.comment) or None) if fields.comment else None
    title, abstract = normalise_text(fields.title), normalise_text(fields.abstract or "")
    journal = fields.journal_ref
    if not fields.versions:
        raise ValueError("no version")
    versions = [_read_version(*each) for each in fields.versions]
    if len(versions) > 1:
        by_number = {version.number: version for version in versions}
        versions = [by_number[number] for number in sorted(by_number)]
    last = versions[-1]
    if is_withdrawal(comment, abstract) and not last.withdrawn:
        last = Version(number=last.number, submitted=last.submitted, withdrawn=True)
        versions[-1] = last
    if not title:
        raise ValueError("no title")
    if not abstract and not (last.withdrawn and fields.abstract is not None):
        raise ValueError("no abstract")
    authors = split_authors(fields.authors)
    if not authors:
        raise ValueError("no author")
    categories = tuple(fields.categories.split())
    if not categories:
        raise ValueError("no category")
    return ArxivRecord(
        arxiv_id=fields.arxiv_id,
        version=last.number,
        title=title,
        abstract=abstract,
        authors=authors,
        categories=categories,
        versions=tuple(versions),
        comment=comment,
        journal_ref=(normalise_text(journal) or None) if journal else None,
        doi=next(iter(fields.doi.split()), None) if fields.doi else None,  # there may be several
        license_url=(fields.license_url or "").strip() or None,
        withdrawn=last.withdrawn,
        as_of=as_of,
        raw=keep_raw(
            [
                ("title", fields.title, title),
                ("abstract", fields.abstract or "", abstract),
                ("authors", fields.authors, ", ".join(authors)),
            ]
        ),
    )


def _read_version(name: str, date: str, source_type: str) -> Version:
    number = _read_number(name)
    try:
        submitted = normalise_date(date)
    except ValueError:
        raise ValueError(f"date {date!r} of version {name} is no date") from None
    return Version(number=number, submitted=submitted, withdrawn="I" in source_type)


@lru_cache(maxsize=1000)
def _read_number(name: str) -> int:
    number = name.strip().removeprefix("v")
    if not (number.isdecimal() and len(number) < 5 and int(number)):
        raise ValueError(f"version {name!r} is no version")
    return int(number)


def _malformed(element: Element, reason: str) -> MalformedEntry:
    header = element.find(f"{_OAI}header")
    identifier = "" if header is None else (header.findtext(f"{_OAI}identifier") or "").strip()
    try:
        arxiv_id: str | None = _base_id(identifier.removeprefix(_PREFIX))
    except ValueError:
        arxiv_id = None
    return MalformedEntry(arxiv_id=arxiv_id, reason=reason, xml=write_xml(element))
