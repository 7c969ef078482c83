"""Strict XML: whole or not at all; what can be repaired loses what XML forbids, no more."""

import re
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.harvest.faults import TransientError
from survey_tools.harvest.strict_xml import parse_xml, repair_xml, text_of

FORBIDDEN = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
references = st.sampled_from(
    ["&#0;", "&#x0;", "&#8;", "&#x1F;", "&#31;", "&#xD800;", "&#57343;", "&#xFFFE;", "&#65535;",
     "&#1114112;", "&#x110000;", "&#x09;", "&#10;", "&#233;", "&#x1F600;", "&amp;"]
)  # fmt: skip
# Bytes between the tags that are no markup, whole UTF-8 or not.
junk = st.binary(max_size=12).map(lambda data: re.sub(rb"[<&\]>]", b"", data))


def problem(body: bytes, root: str = "a") -> TransientError:
    """Return the complaint about a page that must be refused."""
    with pytest.raises(TransientError) as caught:
        parse_xml(body, root=root)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"<a>x</a>",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<a>x</a>\n',
        b"\xef\xbb\xbf<a>x</a>",
        b"<a>x</a><!-- end -->",
    ],
)
def test_a_whole_document_is_read(body: bytes) -> None:
    """With and without declaration and byte-order mark."""
    assert parse_xml(body, root="a").text == "x"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the reply is empty"),
        (b"Rate exceeded.", "the reply is no XML: 'Rate exceeded.'"),
        (b"\xff\xfe<", "the reply is no XML"),
        (b"<a>x", "no well-formed XML"),
        (b"<a>x</a", "no well-formed XML"),
        (b"<a>x</b>", "no well-formed XML"),
        (b"<a>x</a><a/>", "no well-formed XML"),
        (b"<a>AT&T</a>", "no well-formed XML"),
        (b"<a>&nbsp;</a>", "no well-formed XML"),
        (b"<a>caf\xe9</a>", "no well-formed XML"),
        (b"<!doctype html><html><br></html>", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "no readable XML"),
        (b"<b>x</b>", "the reply is <b>, not <a>"),
        (b'<a xmlns="urn:x">x</a>', "the reply is <{urn:x}a>, not <a>"),
    ],
)
def test_anything_else_is_refused_with_its_reason(body: bytes, said: str) -> None:
    """The message says what arrived."""
    assert said in str(problem(body))


def test_every_cut_of_a_document_is_refused() -> None:
    """However far the proxy let it through: a prefix is never a shorter page."""
    body = '<?xml version="1.0"?><a><b>é</b><c d="e"/>&#233;</a>'.encode()
    for n_bytes in range(len(body)):
        problem(body[:n_bytes])


@pytest.mark.parametrize(
    "declaration",
    ["<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY x "boo">]>', '<!DOCTYPE a SYSTEM "http://127.0.0.1/">'],
)
def test_a_document_type_is_refused(declaration: str) -> None:
    """No entity is ever defined, none is ever fetched."""
    assert "DOCTYPE" in str(problem(f"{declaration}<a>x</a>".encode()))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_document_type_in_another_encoding_is_refused(encoding: str) -> None:
    """The parser reads UTF-16 without a mark; the entity must not be read with it."""
    body = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "boo">]><a>&x;</a>'.encode(encoding)
    problem(body)


def test_a_bomb_of_entities_is_refused_unread() -> None:
    """A billion laughs need a document type."""
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)
    )
    assert "DOCTYPE" in str(problem(f"<!DOCTYPE a [{entities}]><a>&a9;</a>".encode()))


@pytest.mark.parametrize(
    ("body", "is_repairable"),
    [
        (b"<a>x\x01y</a>", True),
        (b"<a>x&#1;y</a>", True),
        (b"<a>caf\xe9</a>", True),
        ("<a>\uffff</a>".encode(), True),
        (b"<a>AT&T</a>", False),
        (b"<a>x", False),
        (b"<a>x\x01", False),
    ],
)
def test_a_page_says_whether_it_can_be_repaired(body: bytes, is_repairable: bool) -> None:
    """Only forbidden characters can be dropped; what is cut stays cut."""
    error = problem(body)
    assert error.is_repairable is is_repairable
    assert error.body == body


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        (b"<a>x\x00\x08\x0b\x0c\x1fy</a>", b"<a>xy</a>"),
        (b"<a>\t\n\r\x7f</a>", b"<a>\t\n\r\x7f</a>"),
        (b"<a>&#0;&#x1f;&#xD800;&#xFFFF;&#x110000;</a>", b"<a></a>"),
        (b"<a>&#9;&#x41;&#x10FFFF;&amp;</a>", b"<a>&#9;&#x41;&#x10FFFF;&amp;</a>"),
        (b"<a>&#\x001;</a>", b"<a></a>"),
        (b"<a>caf\xe9</a>", "<a>caf\ufffd</a>".encode()),
        (b"<a>\xed\xa0\x80</a>", "<a>\ufffd\ufffd\ufffd</a>".encode()),
        ("<a>\ufffe\uffff\ufffdé😀</a>".encode(), "<a>\ufffdé😀</a>".encode()),
    ],
)
def test_only_what_xml_forbids_is_dropped(body: bytes, repaired: bytes) -> None:
    """Also where it was written as a reference; bytes that are no UTF-8 leave a mark."""
    assert repair_xml(body) == repaired


def test_a_reference_with_thousands_of_digits_is_refused_like_any_other() -> None:
    """Python's limit for integers must not end the harvest."""
    body = b"<a>&#" + b"9" * 5000 + b";</a>"
    assert "no well-formed XML" in str(problem(body))
    assert repair_xml(body) in (body, b"<a></a>")


@given(st.lists(junk | references.map(str.encode) | texts.map(lambda t: escape(t).encode())))
@example([b"\xc3", b"\x01", b"\xa9"])
@example([b"&#", b"\x0049;"])
def test_a_repaired_page_is_read_strictly(parts: list[bytes]) -> None:
    """Whatever stood between the tags, as long as it was no markup."""
    parse_xml(repair_xml(b"<a>" + b"".join(parts) + b"</a>"), root="a")


@given(texts, st.lists(st.tuples(st.integers(0, 20), st.sampled_from(FORBIDDEN)), max_size=4))
def test_a_repair_keeps_every_allowed_character(text: str, sown: list[tuple[int, str]]) -> None:
    """What was sown into a good page is weeded out again, and nothing else."""
    good = "".join(sign for sign in text if sign not in FORBIDDEN and sign != "\r")
    bad = good
    for i, sign in sown:
        bad = bad[:i] + sign + bad[i:]
    element = parse_xml(repair_xml(f"<a>{escape(bad)}</a>".encode()), root="a")
    assert (element.text or "") == good


@given(texts)
def test_a_repair_done_twice_is_a_repair_done_once(text: str) -> None:
    """A repaired page needs none."""
    once = repair_xml(text.encode())
    assert repair_xml(once) == once


def test_a_repair_respects_the_encoding_that_a_page_declares() -> None:
    """Else letters of Latin-1 come back as three others, and nobody is told."""
    body = '<?xml version="1.0" encoding="ISO-8859-1"?><a>caf\xe9\x01</a>'.encode("latin-1")
    assert parse_xml(repair_xml(body), root="a").text in ("café", "caf\ufffd")


def test_the_text_of_a_child_holds_all_below_it() -> None:
    """Markup inside a title loses no word; an absent child is told from an empty one."""
    parent = parse_xml(b"<a><t>On <i>two</i> <b>l<u>a</u>ttices</b></t><e/></a>", root="a")
    assert text_of(parent, "t") == "On two lattices"
    assert text_of(parent, "e") == ""
    assert text_of(parent, "none") is None


def test_deep_nesting_overflows_no_stack() -> None:
    """A hundred thousand levels are read, or refused; they end no process."""
    depth = 100_000
    parent = parse_xml(b"<a><t>" + b"<b>" * depth + b"x" + b"</b>" * depth + b"</t></a>", root="a")
    assert text_of(parent, "t") == "x"
