"""OAI-PMH replies become pages; errors that come under status 200 become errors."""

from datetime import UTC, datetime

import pytest
from arxiv_server import ArxivServer, TruePaper, make_truth

from survey_tools.harvest.faults import OaiError, TransientError
from survey_tools.harvest.oai import METADATA_PREFIX, RawFields, build_record, parse_oai
from survey_tools.harvest.page import MalformedEntry, Page
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.wire import HttpWire, Request

V1 = '<version version="v1"><date>Wed, 01 Jan 2025 08:00:00 GMT</date><size>12kb</size></version>'
V2 = (
    '<version version="v2"><date>Mon, 3 Feb 2025 10:11:12 GMT</date><size>0kb</size>'
    "<source_type>I</source_type></version>"
)
RAW = rf"""<record>
  <header>
    <identifier>oai:arXiv.org:2501.00042</identifier>
    <datestamp>2026-11-18</datestamp>
    <setSpec>cs:cs:DL</setSpec>
  </header>
  <metadata>
    <arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/">
      <id>2501.00042</id>
      <submitter>Q. Example</submitter>
      {V1}
      <title>Hidden lattices after Schr\"odinger
  &amp; friends</title>
      <authors>\'Ana M\"uller (Nowhere University), Q. Example Jr</authors>
      <categories>cs.DL cs.IR</categories>
      <comments>7 pages,
  1 figure</comments>
      <journal-ref>J. Invented Res. 1 (2025) 1-7</journal-ref>
      <doi>10.1000/invented.42 10.1000/invented.43</doi>
      <license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license>
      <abstract>  Nothing here is true; it is wrapped by
the submitter.
</abstract>
    </arXivRaw>
  </metadata>
</record>
"""
DELETED = """<record><header status="deleted"><identifier>oai:arXiv.org:math.GT/9901001</identifier>
<datestamp>2026-11-19</datestamp></header></record>
"""


def reply(*parts: str, verb: str = "ListRecords", day: str = "2026-11-20T09:00:00Z") -> bytes:
    """Write a reply of the form that OAI-PMH prescribes."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">\n'
        f"<responseDate>{day}</responseDate>\n<request>http://127.0.0.1/oai</request>\n"
        f"<{verb}>\n{''.join(parts)}</{verb}>\n</OAI-PMH>\n"
    ).encode()


def error(code: str, text: str) -> bytes:
    """Write a reply that states an error."""
    body = reply(verb="x").decode()
    return body.replace("<x>\n</x>", f"<error code='{code}'>{text}</error>").encode()


def changed(old: str, new: str, record: str = RAW) -> str:
    """Return a record with one thing changed, which must be there."""
    assert old in record
    return record.replace(old, new)


def only_malformed(record: str) -> MalformedEntry:
    """Read a page of a deleted record and a bad one; return the bad one."""
    page = parse_oai(reply(DELETED, record), verb="ListRecords")
    assert page.records == ()
    assert page.n_entries == 2
    (malformed,) = page.malformed
    return malformed


def test_every_field_is_read() -> None:
    """The example worked by hand: TeX to letters, lines unwrapped, what came kept raw."""
    page = parse_oai(reply(RAW), verb="ListRecords")
    assert page.records == (
        ArxivRecord(
            arxiv_id="2501.00042",
            version=1,
            title="Hidden lattices after Schrödinger & friends",
            abstract="Nothing here is true; it is wrapped by the submitter.",
            authors=("Ána Müller", "Q. Example Jr"),
            categories=("cs.DL", "cs.IR"),
            versions=(Version(number=1, submitted="2025-01-01T08:00:00Z"),),
            comment="7 pages, 1 figure",
            journal_ref="J. Invented Res. 1 (2025) 1-7",
            doi="10.1000/invented.42",
            license_url="http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
            as_of="2026-11-20",
            raw=(
                ("title", 'Hidden lattices after Schr\\"odinger\n  & friends'),
                ("authors", "\\'Ana M\\\"uller (Nowhere University), Q. Example Jr"),
            ),
        ),
    )
    assert (page.as_of, page.last_day, page.token) == ("2026-11-20", "2026-11-18", None)


def test_a_version_whose_source_is_withdrawn_withdraws_the_paper() -> None:
    """Source type I, with whatever comment and without an abstract."""
    record = changed(V1, V2 + V1)  # in any order
    begin, end = record.index("<abstract>"), record.index("</abstract>")
    record = record[: begin + len("<abstract>")] + record[end:]
    (read,) = parse_oai(reply(record, verb="GetRecord"), verb="GetRecord").records
    assert (read.version, read.withdrawn, read.abstract) == (2, True, "")
    assert read.versions == (
        Version(number=1, submitted="2025-01-01T08:00:00Z"),
        Version(number=2, submitted="2025-02-03T10:11:12Z", withdrawn=True),
    )


def test_an_earlier_withdrawn_version_withdraws_nothing() -> None:
    """A paper can come back."""
    third = V1.replace("v1", "v3").replace("2025", "2026").replace("Wed", "Thu")
    (read,) = parse_oai(reply(changed(V1, V1 + V2 + third)), verb="ListRecords").records
    assert (read.version, read.withdrawn) == (3, False)
    assert [version.withdrawn for version in read.versions] == [False, True, False]


def test_a_comment_withdraws_where_the_source_type_does_not() -> None:
    """As in old papers."""
    record = changed("7 pages,\n  1 figure", "This paper has been withdrawn")
    (read,) = parse_oai(reply(record), verb="ListRecords").records
    assert read.withdrawn
    assert read.versions[-1].withdrawn


def test_deleted_records_are_named() -> None:
    """ArXiv does not send them, the protocol has them."""
    page = parse_oai(reply(RAW, DELETED), verb="ListRecords")
    assert page.deleted == ("math/9901001",)
    assert page.ids == ("2501.00042", "math/9901001")
    assert page.last_day == "2026-11-19"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("", None),
        ("<resumptionToken/>", None),
        ("<resumptionToken> \n</resumptionToken>", None),
        ("<resumptionToken expirationDate='2026-11-21T00:00:00Z'>verb%3Dx</resumptionToken>", "v"),
    ],
)
def test_an_empty_token_ends_the_list(token: str, expected: str | None) -> None:
    """So does its absence."""
    page = parse_oai(reply(RAW, token), verb="ListRecords")
    assert page.token == (expected and "verb%3Dx")


def test_headers_of_list_identifiers_are_read() -> None:
    """Ids and days; those of deleted records are left out."""
    headers = (
        "<header><identifier>oai:arXiv.org:math.GT/0309136</identifier>"
        "<datestamp>2026-11-18</datestamp></header>"
        "<header status='deleted'><identifier>oai:arXiv.org:2501.00042</identifier>"
        "<datestamp>2026-11-19</datestamp></header>"
    )
    page = parse_oai(reply(headers, verb="ListIdentifiers"), verb="ListIdentifiers")
    assert page.listed == (("math/0309136", "2026-11-18"),)
    assert page.records == ()


def test_an_empty_window_is_a_page() -> None:
    """Weekends have no records, and that is no error."""
    page = parse_oai(error("noRecordsMatch", "nothing"), verb="ListRecords")
    assert page == Page(records=(), as_of="2026-11-20")


def test_other_errors_are_raised_with_their_code() -> None:
    """They come under status 200."""
    with pytest.raises(
        OaiError, match=r"^badResumptionToken: expired\. Reason: it is old$"
    ) as caught:
        parse_oai(error("badResumptionToken", "expired.\n  Reason: it is old"), verb="ListRecords")
    assert (caught.value.code, caught.value.as_of) == ("badResumptionToken", "2026-11-20")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the reply is empty"),
        (b"Rate exceeded.", "is no XML"),
        (b'<OAI-PMH xmlns="urn:x"/>', "the reply is <{urn:x}OAI-PMH>"),
        (reply(RAW, day=""), "lacks its responseDate"),
        (reply(RAW, day="today"), "lacks its responseDate"),
        (reply(RAW, verb="Identify"), "the reply holds no ListRecords"),
        (reply(RAW)[:-20], "no well-formed XML"),
    ],
)
def test_what_is_no_whole_reply_is_refused(body: bytes, said: str) -> None:
    """It can be asked for again."""
    with pytest.raises(TransientError) as caught:
        parse_oai(body, verb="ListRecords")
    assert said in str(caught.value)


def test_no_cut_reply_is_a_page() -> None:
    """The token is the last element of a page: a page without its end would end the harvest."""
    body = reply(RAW, DELETED, "<resumptionToken>t</resumptionToken>").rstrip()
    for n_bytes in range(0, len(body), 7):
        with pytest.raises(TransientError):
            parse_oai(body[:n_bytes], verb="ListRecords")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<header>", "<hat>", "no header"),
        ("oai:arXiv.org:2501.00042", "", "no id"),
        ("oai:arXiv.org:2501.00042", "oai:elsewhere:1", "is not of arXiv"),
        ("oai:arXiv.org:2501.00042", "oai:arXiv.org:2501.0042", "needs 5 digits"),
        ("2026-11-18", "2026-11-18T00:00:00Z", "is no day"),
        ("<id>2501.00042</id>", "<id>2501.00043</id>", "header and metadata name two papers"),
        ("<id>2501.00042</id>", "", "is no arXiv id"),
        (
            'arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"',
            'arXivRaw xmlns="urn:x"',
            "no metadata",
        ),
        (V1, "", "no version"),
        ('version="v1"', 'version="one"', "version 'one' is no version"),
        ('version="v1"', 'version="v0"', "version 'v0' is no version"),
        ("Wed, 01 Jan 2025 08:00:00 GMT", "soon", "date 'soon' of version v1 is no date"),
        ("\\'Ana M\\\"uller (Nowhere University), Q. Example Jr", "(nobody)", "no author"),
    ],
)
def test_a_record_that_lacks_something_is_set_apart(old: str, new: str, reason: str) -> None:
    """The rest of the page is read; the record is kept as it came."""
    record = changed(old, new)
    if old == "<header>":
        record = changed("</header>", "</hat>", record)
    malformed = only_malformed(record)
    assert reason in malformed.reason
    assert "Nothing here is true" in malformed.xml


@pytest.mark.parametrize("name", ["title", "abstract"])
def test_a_record_without_its_text_is_set_apart(name: str) -> None:
    """Its id is known, so that it can be asked for again."""
    record = changed(f"<{name}>", "<x>", changed(f"</{name}>", "</x>"))
    malformed = only_malformed(record)
    assert (malformed.arxiv_id, malformed.reason) == ("2501.00042", f"no {name}")


@pytest.mark.parametrize(
    ("versions", "why"),
    [
        (V1.replace('"v1"', f'"v{"9" * 20}"'), "beyond all bounds"),
        (V1.replace("2025", "9" * 20), "dated beyond the calendar"),
    ],
)
def test_a_version_that_cannot_be_is_malformed(versions: str, why: str) -> None:
    """The database holds no such number; the page must not be lost for it."""
    assert only_malformed(changed(V1, versions)).reason, why


def test_a_version_named_twice_counts_once() -> None:
    """Or makes the record malformed; the database holds it once, and refuses the page else."""
    page = parse_oai(reply(changed(V1, V1 + V1)), verb="ListRecords")
    assert page.n_entries == 1
    for record in page.records:
        assert [version.number for version in record.versions] == [1]


@pytest.mark.parametrize("day", ["2026-99-99", "0000-00-00", "2026-02-30"])
def test_a_day_that_does_not_exist_is_no_day(day: str) -> None:
    """It would become the checkpoint from which a span is asked again."""
    assert "is no day" in only_malformed(changed("2026-11-18", day)).reason
    with pytest.raises(TransientError, match="responseDate"):
        parse_oai(reply(RAW, day=f"{day}T09:00:00Z"), verb="ListRecords")


def test_a_datestamp_of_the_future_is_no_checkpoint() -> None:
    """From there on nothing would ever come: "done", with all later pages missing."""
    page = parse_oai(reply(RAW, changed("2026-11-18", "2099-01-01")), verb="ListRecords")
    assert page.last_day is not None
    assert page.last_day <= page.as_of


def test_a_deeply_nested_malformed_record_overflows_no_stack() -> None:
    """It is written out again for the quarantine."""
    depth = 5000
    record = changed("<title>", "<a>" * depth + "</a>" * depth + "<title>", changed(V1, ""))
    assert only_malformed(record).reason == "no version"


# ---- the fields, whatever their source --------------------------------------------------


def fields(**given: object) -> RawFields:
    """Make raw fields, all in order but for what is given."""
    usual: dict[str, object] = {
        "arxiv_id": "2501.00042",
        "title": "t",
        "abstract": "a",
        "authors": "A. Alpha",
        "categories": "cs.DL",
        "versions": [("v1", "Wed, 1 Jan 2025 08:00:00 GMT", "")],
        "comment": None,
        "journal_ref": None,
        "doi": None,
        "license_url": None,
    }
    return RawFields(**(usual | given))  # type: ignore[arg-type]


def test_blank_fields_are_absent() -> None:
    """An empty comment and none are the same."""
    blank = fields(comment=" \n", journal_ref="", doi="  ", license_url=" ")
    assert build_record(blank, as_of="2026-11-20") == build_record(fields(), as_of="2026-11-20")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"title": " \n"}, "no title"),
        ({"abstract": ""}, "no abstract"),
        ({"authors": "(nobody)"}, "no author"),
        ({"versions": []}, "no version"),
        ({"versions": [("v1", "", "")]}, "date '' of version v1 is no date"),
        ({"versions": [("", "Wed, 1 Jan 2025 08:00:00 GMT", "")]}, "version '' is no version"),
    ],
)
def test_a_field_that_must_be_there_is_named(given: dict[str, object], reason: str) -> None:
    """By a ValueError that becomes the reason of the quarantine."""
    with pytest.raises(ValueError, match=f"^{reason}$"):
        build_record(fields(**given), as_of="2026-11-20")


# ---- agreement with the truth -----------------------------------------------------------


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def assert_true(record: ArxivRecord, paper: TruePaper) -> None:
    """Compare a record with the paper that the server holds."""
    assert record.arxiv_id == paper.arxiv_id
    assert record.title == paper.title
    assert record.abstract == paper.abstract
    assert record.authors == paper.authors
    assert record.categories == paper.categories
    assert record.comment == paper.comment
    assert record.journal_ref == paper.journal_ref
    assert record.doi == paper.doi
    assert record.license_url == paper.license
    assert record.withdrawn == paper.withdrawn
    assert record.versions == tuple(
        Version(number=number, submitted=_moment(submitted), withdrawn=withdrawn)
        for number, submitted, withdrawn in paper.versions
    )


def test_served_pages_are_read_as_the_truth() -> None:
    """TeX in all spellings, wrapped lines and affiliations come out as they went in."""
    truth = make_truth(150, seed=5, withdrawn_share=0.1)
    with ArxivServer(truth) as server:
        parameters = (
            ("verb", "ListRecords"),
            ("metadataPrefix", METADATA_PREFIX),
            ("from", "2005-09-16"),
        )
        request = Request(url=server.oai_url, parameters=parameters)
        reply = HttpWire(deadline_s=10).send(request, on_answer=lambda: None)
    page = parse_oai(reply.body, verb="ListRecords")
    assert page.malformed == ()
    of_id = {record.arxiv_id: record for record in page.records}
    assert len(of_id) == len(truth) == 150
    for paper in truth:
        assert_true(of_id[paper.arxiv_id], paper)
