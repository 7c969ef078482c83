"""Bytes -> XML, strictly: a page counts only if it is well-formed to its end.

A lenient parser turns a page that a proxy cut off into a short page, and with it a short
harvest into a finished one. The standard library's expat refuses entity bombs; arXiv sends no
document type at all, so any is refused.
"""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

from survey_tools.harvest.faults import TransientError

__all__ = ["collector_paused", "parse_xml", "repair_xml", "text_of", "write_xml"]

Element = ElementTree.Element

_FORBIDDEN_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-fA-F]+)|([0-9]+));")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_N_DIGITS = 9  # of a code point, with room for leading zeros
_FORBIDDEN_SIGNS = re.compile("[\ufffe\uffff]")


def parse_xml(body: bytes, *, root: str) -> Element:
    """Parse a reply whose root element must be ``root`` (``{namespace}name``).

    Raises
    ------
    TransientError
        If it is no such XML document, whole and without a DOCTYPE.
    """
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        shown = body[:60].decode("utf-8", "replace").strip()
        raise TransientError(f"the reply is no XML: {shown!r}" if body else "the reply is empty")
    if b"\0" in body[:4]:
        raise TransientError("the reply is in UTF-16 or UTF-32; arXiv writes UTF-8", body=body)
    if b"<!DOCTYPE" in body:
        raise TransientError("the reply has a DOCTYPE, which arXiv never sends", body=body)
    try:
        # entities are defined in a DOCTYPE only, and any is refused above
        element = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        repaired = repair_xml(body)
        raise TransientError(
            f"the reply is no well-formed XML ({error}; {len(body):,} bytes)",
            body=body,
            is_repairable=repaired != body and _is_well_formed(repaired),
        ) from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise TransientError(f"the reply is no readable XML ({error})", body=body) from None
    if element.tag != root:
        raise TransientError(f"the reply is <{element.tag[:60]}>, not <{root}>", body=body)
    return element


@contextmanager
def collector_paused() -> Iterator[None]:
    """Let Python's cyclic garbage collector rest while a large page becomes records.

    It would go through all elements and records of the page again and again, a quarter of the
    time, and find nothing: they hold no cycles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def repair_xml(body: bytes) -> bytes:
    """Drop the characters that XML 1.0 forbids; bytes that are not UTF-8 become U+FFFD.

    References
    ----------
    .. [1] Extensible Markup Language (XML) 1.0, fifth edition, production 2 (Char).
    """
    declared = _ENCODING.match(body)
    if declared and declared[1].lower() != b"utf-8":
        try:
            text = body.decode(declared[1].decode(), "replace")
        except LookupError:
            return body
        body = text.encode("utf-8", "replace").replace(declared[1], b"UTF-8", 1)
    body = _FORBIDDEN_BYTES.sub(b"", body)
    body = _REFERENCE.sub(_keep_allowed, body)
    text = body.decode("utf-8", "replace")
    return _FORBIDDEN_SIGNS.sub("", text).encode()


def _keep_allowed(match: re.Match[bytes]) -> bytes:
    digits = match[1] or match[2]
    if len(digits) > _N_DIGITS:
        return b""
    code = int(digits, 16) if match[1] else int(digits)
    is_allowed = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return match[0] if is_allowed or 0x10000 <= code <= 0x10FFFF else b""


def _is_well_formed(body: bytes) -> bool:
    try:
        ElementTree.fromstring(body)  # noqa: S314
    except (ElementTree.ParseError, LookupError, ValueError):
        return False
    return True


def write_xml(element: Element) -> str:
    """Write an element for a person to read; one nested without measure is named alone."""
    try:
        return ElementTree.tostring(element, encoding="unicode")
    except RecursionError:
        return f"<{element.tag}> is nested too deeply to be written"


def text_of(parent: Element, tag: str) -> str | None:
    """Return the text of a child with everything below it, or None if there is no such child."""
    child = parent.find(tag)
    if child is None:
        return None
    return "".join(child.itertext()) if len(child) else child.text or ""
