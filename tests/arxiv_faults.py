"""What can go wrong with a reply of arXiv, by name.

A fault takes effect at one of four places: instead of the service (``429``, ``redirect`` ...),
on a page before it is written (``short-page`` ...), on the text or bytes of the reply
(``bare-ampersand`` ...), or in its delivery (``reset``, ``hang`` ...). `FAULTS` holds them all;
`Fault.options` says what can be set.
"""

import inspect
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import arxiv_atom
import arxiv_oai
from arxiv_atom import AtomError, AtomPage, render_error
from arxiv_oai import OaiError, OaiPage, encode_token, error_page

Service = Literal["atom", "oai"]
Delivery = Literal["whole", "short", "reset", "close", "hang", "drip"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes over the wire, and how.

    Attributes
    ----------
    status, body, content_type, headers
        As in HTTP.
    delivery : str
        ``whole``; ``short``: the length of the whole is promised, a share is sent, the connection
        closed; ``reset``: a share is sent, then RST; ``close``: a share is sent, then FIN;
        ``hang``: a share is sent, then nothing until the client goes; ``drip``: byte by byte.
    share : float
        Of the body. At 0 not even the head is sent (but for ``short``).
    delay_s, interval_s : float
        Before the first byte; between the bytes of a drip.
    chunked : bool
        Whether the body is sent in chunks, without its length.
    """

    status: int = 200
    body: bytes = b""
    content_type: str | None = "text/html"
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = "whole"
    share: float = 1.0
    delay_s: float = 0.0
    interval_s: float = 0.0
    chunked: bool = False


class Situation(Protocol):
    """What a fault may know of the request it meets."""

    service: Service | None
    params: dict[str, str]
    number: int

    @property
    def now(self) -> datetime:
        """The server's time."""

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""

    @property
    def target(self) -> str:
        """Path and query as asked."""

    @property
    def page(self) -> AtomPage | OaiPage | None:
        """The page that is due, or None where an error is."""


class Fault(NamedTuple):
    """One kind of fault.

    ``stage`` says what ``apply`` takes and gives: ``instead`` nothing -> Reply, ``page`` page ->
    page, ``text`` str -> str, ``bytes`` bytes -> bytes, ``reply`` Reply -> Reply; always after
    the situation and before the options.
    """

    name: str
    stage: Literal["instead", "page", "text", "bytes", "reply"]
    apply: Callable[..., Any]
    fits: Callable[[Situation], bool]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of what can be set."""
        known = inspect.signature(self.apply).parameters.values()
        return tuple(option.name for option in known if option.kind is option.KEYWORD_ONLY)


FAULTS: dict[str, Fault] = {}
Function = TypeVar("Function", bound=Callable[..., Any])


def _is_service(situation: Situation) -> bool:
    return situation.service is not None


def _is_atom(situation: Situation) -> bool:
    return situation.service == "atom"


def _is_oai(situation: Situation) -> bool:
    return situation.service == "oai"


def _has_token(situation: Situation) -> bool:
    return _is_oai(situation) and "resumptionToken" in situation.params


def _has_entries(situation: Situation) -> bool:
    """Whether a page of papers is due."""
    page = situation.page
    if isinstance(page, OaiPage):
        return "Record" in page.echo.get("verb", "") and bool(page.records)
    return page is not None and bool(page.entries)


def _is_atom_list(situation: Situation) -> bool:
    return _is_atom(situation) and _has_entries(situation)


def _is_oai_list(situation: Situation) -> bool:
    return _is_oai(situation) and situation.params.get("verb", "").startswith("List")


def _fault(
    name: str,
    stage: Literal["instead", "page", "text", "bytes", "reply"],
    fits: Callable[[Situation], bool] = _is_service,
) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        FAULTS[name] = Fault(name, stage, function, fits)
        return function

    return register


# Instead of the service ---------------------------------------------------------------------

RetryAfter = int | str | datetime | timedelta | None


def _html(title: str, text: str) -> bytes:
    """Write a page as front servers do: not all that is opened is closed."""
    return (
        f"<!doctype html>\n<html>\n<head><title>{title}</title>\n<meta charset=utf-8>\n"
        f"<body>\n<h1>{title}</h1>\n<p>{text}<br>\n<hr>\n</body>\n</html>\n"
    ).encode()


def _retry_after(situation: Situation, value: RetryAfter) -> tuple[tuple[str, str], ...]:
    """Write the header; a timedelta becomes a date, counted from the server's now."""
    if value is None:
        return ()
    if isinstance(value, timedelta):
        value = situation.now + value
    if isinstance(value, datetime):
        value = format_datetime(value, usegmt=True)
    return (("Retry-After", str(value)),)


@_fault("429", "instead")
def _too_many(
    situation: Situation, *, retry_after: RetryAfter = None, delay_s: float = 0.0
) -> Reply:
    return Reply(
        status=429,
        body=b"Rate exceeded.",
        content_type="text/plain",
        headers=_retry_after(situation, retry_after),
        delay_s=delay_s,
    )


@_fault("200-rate-exceeded", "instead")
def _rate_exceeded(situation: Situation, *, delay_s: float = 0.0) -> Reply:
    return Reply(body=b"Rate exceeded.", content_type="text/plain", delay_s=delay_s)


@_fault("503", "instead")
def _unavailable(
    situation: Situation, *, retry_after: RetryAfter = 20, delay_s: float = 0.0
) -> Reply:
    return Reply(
        status=503,
        body=_html("503 first byte timeout", "Guru meditation."),
        headers=_retry_after(situation, retry_after),
        delay_s=delay_s,
    )


@_fault("500", "instead")
def _internal_error(situation: Situation, *, feed: bool = False, delay_s: float = 0.0) -> Reply:
    if feed:
        return _error_feed(situation, AtomError("Internal server error", status=500))
    return Reply(status=500, body=_html("500", "Something went wrong."), delay_s=delay_s)


@_fault("502", "instead")
def _bad_gateway(situation: Situation, *, delay_s: float = 0.0) -> Reply:
    return Reply(status=502, body=_html("502 Bad Gateway", "Try later."), delay_s=delay_s)


@_fault("504", "instead")
def _gateway_timeout(situation: Situation, *, delay_s: float = 0.0) -> Reply:
    return Reply(status=504, body=_html("504 Gateway Timeout", "Too slow."), delay_s=delay_s)


@_fault("400", "instead", _is_atom)
def _bad_request(situation: Situation, *, message: str = "incorrect id format for x") -> Reply:
    return _error_feed(situation, AtomError(message))


def _error_feed(situation: Situation, error: AtomError) -> Reply:
    return Reply(
        status=error.status,
        body=render_error(error, situation.now).encode(),
        content_type=arxiv_atom.CONTENT_TYPE,
    )


@_fault("403", "instead")
def _forbidden(situation: Situation) -> Reply:
    return Reply(status=403, body=_html("Access Denied", "Your robot has been blocked."))


@_fault("404", "instead")
def _not_found(situation: Situation) -> Reply:
    return Reply(status=404, body=_html("404", "There is nothing here."))


@_fault("414", "instead")
def _too_long(situation: Situation) -> Reply:
    return Reply(status=414, body=_html("414", "The address is too long."))


@_fault("maintenance", "instead")
def _maintenance(situation: Situation) -> Reply:
    return Reply(body=_html("Maintenance", "arXiv will be back soon."))


@_fault("wrong-root", "instead")
def _wrong_root(situation: Situation) -> Reply:
    content_type = arxiv_oai.CONTENT_TYPE if _is_oai(situation) else arxiv_atom.CONTENT_TYPE
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n<status><message>fine</message></status>\n'
    return Reply(body=body, content_type=content_type)


@_fault("redirect", "instead")
def _redirect(situation: Situation, *, status: int = 301, location: str | None = None) -> Reply:
    """Send to ``/moved/...``, where the services answer too, unless told otherwise."""
    location = location or f"{situation.base_url}/moved{situation.target}"
    return Reply(status=status, content_type=None, headers=(("Location", location),))


@_fault("redirect-loop", "instead")
def _redirect_loop(situation: Situation, *, status: int = 302) -> Reply:
    """Send to ``/loop/a``, which sends to ``/loop/b``, which sends back."""
    return _redirect(situation, status=status, location=f"{situation.base_url}/loop/a")


@_fault("redirect-elsewhere", "instead")
def _redirect_elsewhere(
    situation: Situation, *, status: int = 301, host: str = "localhost"
) -> Reply:
    """Send to the same port of another name, where it would be seen in the log."""
    base = situation.base_url.replace("127.0.0.1", host)
    return _redirect(situation, status=status, location=f"{base}/elsewhere{situation.target}")


# OAI-PMH errors and tokens ------------------------------------------------------------------


def _oai_error(situation: Situation, code: str, reason: str) -> Reply:
    page = error_page(OaiError(code, reason, situation.params), situation.now)
    return Reply(body=page.render().encode(), content_type=arxiv_oai.CONTENT_TYPE)


@_fault("bad-token", "instead", _has_token)
def _bad_token(situation: Situation) -> Reply:
    return _oai_error(situation, "badResumptionToken", "Token decoding failed.")


@_fault("no-records-match", "instead", _is_oai_list)
def _no_records_match(situation: Situation) -> Reply:
    return _oai_error(situation, "noRecordsMatch", "nothing in this window")


@_fault("bad-argument", "instead", _is_oai_list)
def _bad_argument(situation: Situation) -> Reply:
    return _oai_error(situation, "badArgument", "from is later than until")


@_fault("same-token", "page", _has_token)
def _same_token(situation: Situation, page: OaiPage) -> OaiPage:
    """Give the token of this very page as that of the next."""
    return replace(page, token=situation.params["resumptionToken"])


@_fault("loop-token", "page", _has_token)
def _loop_token(situation: Situation, page: OaiPage) -> OaiPage:
    """Give by turns two tokens that both mean this very page."""
    turn = "1" if page.args.get("turn") == "0" else "0"
    return replace(page, token=encode_token(page.args, turn=turn))


# Pages --------------------------------------------------------------------------------------

Page = TypeVar("Page", AtomPage, OaiPage)


def _entries(page: AtomPage | OaiPage) -> tuple[str, ...]:
    return page.records if isinstance(page, OaiPage) else page.entries


def _with_entries(page: Page, entries: tuple[str, ...]) -> Page:
    if isinstance(page, OaiPage):
        return replace(page, records=entries)
    return replace(page, entries=entries)


def _change_entry(page: Page, index: int, change: Callable[[str], str]) -> Page:
    """Change one entry; an index beyond the end means the last."""
    entries = list(_entries(page))
    index = index if index < 0 else min(index, len(entries) - 1)
    entries[index] = change(entries[index])
    return _with_entries(page, tuple(entries))


@_fault("empty-page", "page", _has_entries)
def _empty_page(situation: Situation, page: Page) -> Page:
    return _with_entries(page, ())


@_fault("anomalous-empty", "page", _is_atom_list)
def _anomalous_empty(situation: Situation, page: AtomPage) -> AtomPage:
    return replace(page, entries=(), total=0)


@_fault("short-page", "page", _is_atom_list)
def _short_page(situation: Situation, page: AtomPage, *, m: int = 1) -> AtomPage:
    return replace(page, entries=page.entries[: max(0, len(page.entries) - m)])


@_fault("duplicates", "page", _has_entries)
def _duplicates(situation: Situation, page: Page, *, m: int = 1) -> Page:
    """Put copies of the first entry in the place of the last ``m``; with OAI-PMH, behind them."""
    entries = _entries(page)
    n_kept = len(entries) - (m if isinstance(page, AtomPage) else 0)
    return _with_entries(page, entries[: max(1, n_kept)] + entries[:1] * m)


@_fault("total-drift", "page", _is_atom)
def _total_drift(situation: Situation, page: AtomPage, *, n: int = 1) -> AtomPage:
    return replace(page, total=max(0, page.total + n))


MALFORMED = {  # kind -> what is looked for, what stands there instead
    "no-title": (r"\s*<(dc:)?title>.*?</(dc:)?title>", ""),
    "no-summary": (r"\s*<(summary|abstract|dc:description)>.*?</\1>", ""),
    "no-abstract": (r"\s*<(summary|abstract|dc:description)>.*?</\1>", ""),
    "empty-title": (r"(<title>).*?(</title>)", r"\1\2"),
    "empty-abstract": (r"(<(?:abstract|summary)>).*?(</(?:abstract|summary)>)", r"\1 \2"),
    "no-id": (r"\s*<id>.*?</id>", ""),
    "bad-id": (r"(<id>).*?(</id>)", r"\1nonsense\2"),
    "no-updated": (r"\s*<updated>.*?</updated>", ""),
    "no-published": (r"\s*<published>.*?</published>", ""),
    "no-authors": (r"\s*<(authors?)>.*</\1>", ""),
    "no-categories": (r"\s*<(categories>.*?</categories|(arxiv:primary_)?category [^>]*/)>", ""),
    "no-metadata": (r"\s*<metadata>.*?</metadata>", ""),
    "no-header": (r"\s*<header>.*?</header>", ""),
    "bad-date": (
        r"(<(?:published|datestamp|date)>).*?(</(?:published|datestamp|date)>)",
        r"\1some day in May\2",
    ),
}


@_fault("malformed-entry", "page", _has_entries)
def _malformed_entry(
    situation: Situation, page: Page, *, index: int = 0, kind: str = "no-title"
) -> Page:
    """Damage one entry; nothing happens if it has no part of the kind."""
    pattern, text = MALFORMED[kind]
    return _change_entry(page, index, lambda entry: re.sub(pattern, text, entry, flags=re.DOTALL))


@_fault("deleted-record", "page", lambda s: _is_oai(s) and _has_entries(s))
def _deleted_record(situation: Situation, page: OaiPage, *, index: int = 0) -> OaiPage:
    def delete(record: str) -> str:
        record = re.sub(r"\s*<metadata>.*</metadata>", "", record, flags=re.DOTALL)
        return record.replace("<header>", '<header status="deleted">')

    return _change_entry(page, index, delete)


@_fault("unknown-elements", "page", _has_entries)
def _unknown_elements(situation: Situation, page: Page) -> Page:
    """Put foreign elements and attributes into every entry, some with familiar local names."""
    extra = (
        '<x:note xmlns:x="urn:invented:extension" x:kind="new">unseen</x:note>'
        '<x:title xmlns:x="urn:invented:extension">another title</x:title>'
    )
    place = re.compile(r"(?=\s*</(?:entry|arXiv|arXivRaw|oai_dc:dc)>)")
    opening = re.compile(r"<(entry|record)>")
    attribute = r'<\1 xmlns:y="urn:invented:extension" y:shade="blue">'
    return _with_entries(
        page,
        tuple(opening.sub(attribute, place.sub(extra, text, 1), 1) for text in _entries(page)),
    )


def _in_title(entry: str, text: str) -> str:
    """Put a text behind the first letter of the title."""
    return re.sub(r"(<(?:dc:)?title>\S)", lambda match: match[1] + text, entry, count=1)


@_fault("control-characters", "page", _has_entries)
def _control_characters(
    situation: Situation, page: Page, *, index: int = 0, text: str = "\x0b\x01"
) -> Page:
    """Put what XML forbids into a title; without it the title is the true one."""
    return _change_entry(page, index, lambda entry: _in_title(entry, text))


@_fault("bare-ampersand", "page", _has_entries)
def _bare_ampersand(situation: Situation, page: Page, *, index: int = 0) -> Page:
    return _change_entry(page, index, lambda entry: _in_title(entry, "& "))


# Text and bytes -----------------------------------------------------------------------------


@_fault("wrong-namespace", "text")
def _wrong_namespace(situation: Situation, text: str) -> str:
    return re.sub(
        r'xmlns="http://www\.(?:w3\.org/2005/Atom|openarchives\.org/OAI/2\.0/)"',
        'xmlns="http://www.example.org/another"',
        text,
        count=1,
    )


def _with_doctype(text: str, doctype: str, reference: str) -> str:
    head, end, rest = text.partition("?>\n")
    return f"{head}{end}{doctype}\n{rest.replace('<title>', f'<title>{reference}', 1)}"


@_fault("entity-bomb", "text")
def _entity_bomb(situation: Situation, text: str) -> str:
    """Declare nine entities, each ten times the one before it: a thousand million characters."""
    entities = ['<!ENTITY a0 "haharhahar">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9)]
    return _with_doctype(text, f"<!DOCTYPE bomb [{''.join(entities)}]>", "&a8;")


@_fault("external-entity", "text")
def _external_entity(situation: Situation, text: str, *, uri: str = "file:///etc/hostname") -> str:
    return _with_doctype(text, f'<!DOCTYPE x [<!ENTITY e SYSTEM "{uri}">]>', "&e;")


def _byte_in_title(body: bytes, byte: bytes) -> bytes:
    """Put a byte behind the first letter of the first title of an entry."""
    start = max(body.find(b"<entry"), body.find(b"<record"), 0)
    head, title, rest = body[start:].partition(b"<title>")
    return body[:start] + head + title + rest[:1] + byte + rest[1:]


@_fault("bad-utf8", "bytes")
def _bad_utf8(situation: Situation, body: bytes) -> bytes:
    return _byte_in_title(body, b"\xff")


@_fault("latin-1", "bytes")
def _latin_1(situation: Situation, body: bytes) -> bytes:
    """Write in Latin-1 what is said to be UTF-8, with one é at least."""
    body = body.decode().encode("latin-1", "xmlcharrefreplace")
    return _byte_in_title(body, b"\xe9") if body.isascii() else body


# Delivery -----------------------------------------------------------------------------------


@_fault("truncated", "reply")
def _truncated(situation: Situation, reply: Reply, *, share: float = 0.6) -> Reply:
    return replace(reply, body=reply.body[: int(len(reply.body) * share)])


@_fault("short-body", "reply")
def _short_body(
    situation: Situation, reply: Reply, *, share: float = 0.6, chunked: bool = False
) -> Reply:
    return replace(reply, delivery="short", share=share, chunked=chunked)


@_fault("reset", "reply")
def _reset(situation: Situation, reply: Reply, *, share: float = 0.0) -> Reply:
    """Reset before the answer, or after a share of it."""
    return replace(reply, delivery="reset", share=share)


@_fault("refuse", "reply")
def _refuse(situation: Situation, reply: Reply) -> Reply:
    return replace(reply, delivery="close", share=0.0)


@_fault("hang", "reply")
def _hang(situation: Situation, reply: Reply, *, share: float = 0.0) -> Reply:
    """Never answer, or never end."""
    return replace(reply, delivery="hang", share=share)


@_fault("slow-loris", "reply")
def _slow_loris(situation: Situation, reply: Reply, *, interval_s: float = 0.05) -> Reply:
    return replace(reply, delivery="drip", interval_s=interval_s)


@_fault("slow", "reply")
def _slow(situation: Situation, reply: Reply, *, delay_s: float = 1.0) -> Reply:
    """Answer rightly but late."""
    return replace(reply, delay_s=delay_s)


@_fault("gzip-bomb", "reply")
def _gzip_bomb(
    situation: Situation, reply: Reply, *, n_mb: int = 200, filler: bytes = b" "
) -> Reply:
    """Send a small body that becomes the page and ``n_mb`` of filler, valid XML if of blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    megabyte = filler * (2**20 // len(filler))
    packed = [packer.compress(reply.body), *(packer.compress(megabyte) for _ in range(n_mb))]
    body = b"".join([*packed, packer.flush()])
    return replace(reply, body=body, headers=(*reply.headers, ("Content-Encoding", "gzip")))


@_fault("huge-body", "reply")
def _huge_body(
    situation: Situation, reply: Reply, *, n_mb: int = 80, filler: bytes = b" "
) -> Reply:
    return replace(reply, body=reply.body + filler * (n_mb * 2**20 // len(filler)))
