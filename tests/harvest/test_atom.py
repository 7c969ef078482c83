"""Atom feeds become pages; a feed that contradicts itself, or was cut, becomes none."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import arxiv
import pytest
from arxiv_server import ArxivServer, make_truth

from survey_tools.harvest.arxiv_face import from_arxiv_result
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.faults import RefusedError, TransientError
from survey_tools.harvest.page import MalformedEntry, Page
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.wire import HttpWire, Request

N_TRUTH, N_PAGE = 120, 50
EVERYTHING = "submittedDate:[199107010000 TO 209912312359]"
HEAD = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
    "  <id>https://arxiv.org/api/aW52ZW50ZWQ</id>\n"
    '  <title>arXiv Query: search_query=ti:"hidden lattices"&amp;id_list=&amp;start=0</title>\n'
)
FIRST = r"""  <entry>
    <id>http://arxiv.org/abs/2501.00042v2</id>
    <title>Hidden lattices: an invented study of $\ell_1$
  &amp; friends</title>
    <updated>2025-02-03T10:11:12Z</updated>
    <link href="https://arxiv.org/abs/2501.00042v2" rel="alternate" type="text/html"/>
    <summary>  Nothing here is true. Values satisfy 0 &lt; x &lt; 1.
  A second paragraph.</summary>
    <category term="cs.IR" scheme="http://arxiv.org/schemas/atom"/>
    <category term="cs.DL" scheme="http://arxiv.org/schemas/atom"/>
    <published>2025-01-01T08:00:00Z</published>
    <arxiv:comment>7 pages,
  1 figure</arxiv:comment>
    <arxiv:primary_category term="cs.DL"/>
    <arxiv:journal_ref>J. Invented Res. 1 (2025) 1-7</arxiv:journal_ref>
    <author>
      <name>Ána Müller</name><arxiv:affiliation>Nowhere University</arxiv:affiliation>
    </author>
    <author><name>Q. Example</name></author>
    <arxiv:doi>10.1000/invented.42</arxiv:doi>
    <arxiv:doi>10.1000/invented.43</arxiv:doi>
  </entry>
"""
SECOND = """  <entry>
    <id>http://arxiv.org/abs/math.GT/9901001v1</id>
    <title>An old id</title>
    <updated>1999-01-01T00:00:00Z</updated>
    <summary>Invented.</summary>
    <category term="math.GT"/>
    <published>1999-01-01T00:00:00Z</published>
    <author><name>A. Person</name></author>
  </entry>
"""
ERROR = """  <entry>
    <id>https://arxiv.org/api/errors#start_must_be_an_integer</id>
    <title>Error</title>
    <updated>2026-11-20T09:00:00Z</updated>
    <summary>start must be
  an integer</summary>
    <author><name>arXiv api core</name></author>
  </entry>
"""


def feed(
    *entries: str, total: Any = None, start: Any = 0, updated: str = "2026-11-20T09:00:00Z"
) -> bytes:
    """Write a feed of arXiv's form."""
    total = len(entries) if total is None else total
    return (
        f"{HEAD}  <updated>{updated}</updated>\n"
        f"  <opensearch:itemsPerPage>10</opensearch:itemsPerPage>\n"
        f"  <opensearch:totalResults>{total}</opensearch:totalResults>\n"
        f"  <opensearch:startIndex>{start}</opensearch:startIndex>\n"
        f"{''.join(entries)}</feed>\n"
    ).encode()


def changed(old: str, new: str, entry: str = FIRST) -> str:
    """Return an entry with one thing changed, which must be there."""
    assert old in entry
    return entry.replace(old, new)


def only_malformed(entry: str) -> MalformedEntry:
    """Read a page of a good entry and a bad one; return the bad one."""
    page = parse_atom(feed(SECOND, entry))
    assert [record.arxiv_id for record in page.records] == ["math/9901001"]
    assert page.n_entries == 2
    (malformed,) = page.malformed
    return malformed


def test_every_field_is_read() -> None:
    """The example worked by hand: text on one line, first DOI, primary category first."""
    page = parse_atom(feed(FIRST, SECOND, total=3), start=0, n_asked=2)
    assert page.records[0] == ArxivRecord(
        arxiv_id="2501.00042",
        version=2,
        title=r"Hidden lattices: an invented study of $\ell_1$ & friends",
        abstract="Nothing here is true. Values satisfy 0 < x < 1. A second paragraph.",
        authors=("Ána Müller", "Q. Example"),
        categories=("cs.DL", "cs.IR"),
        versions=(
            Version(number=1, submitted="2025-01-01T08:00:00Z"),
            Version(number=2, submitted="2025-02-03T10:11:12Z"),
        ),
        comment="7 pages, 1 figure",
        journal_ref="J. Invented Res. 1 (2025) 1-7",
        doi="10.1000/invented.42",
        as_of="2026-11-20",
    )
    assert page.records[1].arxiv_id == "math/9901001"
    assert page.records[1].versions == (Version(number=1, submitted="1999-01-01T00:00:00Z"),)
    assert page.records[1].categories == ("math.GT",)
    assert (page.total, page.as_of, page.n_entries) == (3, "2026-11-20", 2)
    assert page.query == 'search_query=ti:"hidden lattices"&id_list=&start=0'
    assert page.ids == ("2501.00042", "math/9901001")


def test_a_feed_without_results_is_a_page() -> None:
    """Whether it is believed is not decided here."""
    page = parse_atom(feed(), start=0, n_asked=10)
    assert page == Page(records=(), as_of="2026-11-20", total=0, query=page.query)


def test_the_feed_of_the_old_service_is_read() -> None:
    """An id without a version is version 1; other elements and orders do not matter."""
    entry = changed("00042v2", "00042", changed("<arxiv:comment>", "<x/><arxiv:comment>"))
    (record,) = parse_atom(feed(entry)).records
    assert record.version == 1
    assert record.versions == (Version(number=1, submitted="2025-02-03T10:11:12Z"),)


def test_an_error_feed_is_no_paper() -> None:
    """A paper called "Error" by "arXiv api core" is never stored; its text is passed on."""
    with pytest.raises(RefusedError, match=r"^arXiv refuses the request: start must be an integer"):
        parse_atom(feed(ERROR))


def test_a_paper_called_error_is_a_paper() -> None:
    """The title decides nothing."""
    entry = changed("An old id", "Error", SECOND)
    assert parse_atom(feed(entry)).records[0].title == "Error"


@pytest.mark.parametrize(
    ("body", "start", "n_asked", "said"),
    [
        (feed(FIRST), 10, 10, "results from 0 on came, from 10 on were asked"),
        (feed(FIRST, SECOND), 0, 1, "2 entries came, 1 were asked"),
        (feed(FIRST, SECOND, total=1), 0, 2, "2 entries from 0 on cannot be of 1 in all"),
        (feed(FIRST, total=5, start=5), 5, 2, "1 entries from 5 on cannot be of 5 in all"),
        (feed(FIRST, total="many"), 0, 2, "the feed lacks its totalResults"),
        (feed(FIRST, total="-1"), 0, 2, "the feed lacks its totalResults"),
        (feed(FIRST, start=""), 0, 2, "the feed lacks its startIndex"),
        (feed(FIRST, updated="now"), 0, 2, "the feed is dated 'now'"),
        (feed(FIRST, updated=""), 0, 2, "the feed is dated"),
        (b"Rate exceeded.", 0, 2, "the reply is no XML"),
        (b"<html><body/></html>", 0, 2, "the reply is <html>"),
        (b'<feed xmlns="urn:x"/>', 0, 2, "the reply is <{urn:x}feed>"),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"/>', 0, 2, "the feed lacks its totalResults"),
    ],
)
def test_counts_that_contradict_each_other_are_refused(
    body: bytes, start: int, n_asked: int, said: str
) -> None:
    """What the page says of itself must agree with what was asked."""
    with pytest.raises(TransientError) as caught:
        parse_atom(body, start=start, n_asked=n_asked)
    assert said in str(caught.value)


def test_no_cut_feed_is_a_page() -> None:
    """Cut anywhere, in the middle of an abstract as well as between two entries."""
    body = feed(FIRST, SECOND).rstrip()
    for n_bytes in range(0, len(body), 7):
        with pytest.raises(TransientError):
            parse_atom(body[:n_bytes])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2501.00042v2</id>", "</id>", "is no arXiv id"),
        ("http://arxiv.org/abs/2501.00042v2</id>", "</id>", "no id"),
        ("/abs/2501", "/pdf/2501", "is no link to a paper"),
        ("abs/2501.00042v2</id>", "abs/2501.0042v2</id>", "needs 5 digits"),
        ("2025-01-01T08:00:00Z", "", "no published date"),
        ("2025-02-03T10:11:12Z", "soon", "updated date 'soon' is no date"),
        ("name>", "nome>", "no author"),
    ],
)
def test_an_entry_that_lacks_something_is_set_apart(old: str, new: str, reason: str) -> None:
    """The rest of the page is read; the entry is kept as it came."""
    malformed = only_malformed(changed(old, new))
    assert reason in malformed.reason
    assert "Nothing here is true" in malformed.xml
    ElementTree.fromstring(malformed.xml)  # noqa: S314  it can be read again


@pytest.mark.parametrize(("name", "reason"), [("title", "no title"), ("summary", "no summary")])
def test_an_entry_without_its_text_is_set_apart(name: str, reason: str) -> None:
    """Its id is known, so that it can be asked for again."""
    entry = changed(f"<{name}>", "<x>", changed(f"</{name}>", "</x>"))
    assert only_malformed(entry).reason == reason
    assert only_malformed(entry).arxiv_id == "2501.00042"
    blank = changed("An old id", " \n ", SECOND)
    assert parse_atom(feed(blank)).malformed[0].arxiv_id == "math/9901001"


def test_a_withdrawn_paper_needs_no_abstract() -> None:
    """Atom has no flag; the comment says it."""
    notice = "This paper has been withdrawn by the author"
    entry = changed("7 pages,\n  1 figure", notice)
    begin, end = entry.index("<summary>"), entry.index("</summary>")
    entry = entry[: begin + len("<summary>")] + entry[end:]
    (record,) = parse_atom(feed(entry)).records
    assert record.withdrawn
    assert record.abstract == ""
    assert [version.withdrawn for version in record.versions] == [False, True]


def test_markup_in_a_title_loses_no_word() -> None:
    """XHTML is not sent, but would not be cut off."""
    entry = changed("An old id", "An <b>old</b> id", SECOND)
    assert parse_atom(feed(entry)).records[0].title == "An old id"


def test_tex_and_decomposed_letters_are_kept_raw() -> None:
    """What normalising changed beyond white space is there to be looked at."""
    entry = changed("An old id", "Scho\u0308n", changed("Invented.", r"Schr\"odinger", SECOND))
    (record,) = parse_atom(feed(entry)).records
    assert (record.title, record.abstract) == ("Schön", "Schrödinger")
    assert record.raw == (("title", "Scho\u0308n"), ("abstract", r"Schr\"odinger"))


@pytest.mark.parametrize("name", ["totalResults", "startIndex"])
def test_a_count_of_5000_digits_is_refused_like_any_other(name: str) -> None:
    """Python's limit for integers must not end the harvest."""
    digits = "9" * 5000
    body = feed(total=digits) if name == "totalResults" else feed(start=digits)
    with pytest.raises(TransientError):
        parse_atom(body)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-01:00"])
def test_a_date_beyond_the_calendar_is_no_date(date: str) -> None:
    """In an entry it is malformed, in the feed it refuses the page."""
    assert "is no date" in only_malformed(changed("2025-02-03T10:11:12Z", date)).reason
    with pytest.raises(TransientError, match="the feed is dated"):
        parse_atom(feed(FIRST, updated=date))


def test_a_version_beyond_all_bounds_is_malformed() -> None:
    """No database holds it, and no paper has it."""
    assert only_malformed(changed("00042v2</id>", f"00042v{'9' * 30}</id>")).reason


def test_a_deeply_nested_malformed_entry_overflows_no_stack() -> None:
    """It is written out again for the quarantine."""
    depth = 5000
    entry = changed("<summary>", "<a>" * depth + "</a>" * depth + "<summary>")
    assert only_malformed(changed("2025-01-01T08:00:00Z", "", entry)).reason == "no published date"


# ---- agreement with the arxiv package ---------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[list[arxiv.Result], list[ArxivRecord]]]:
    """Give what the arxiv package reads of a server, and what we read of the same pages."""
    with ArxivServer(make_truth(N_TRUTH, seed=11)) as server:
        client = arxiv.Client(page_size=N_PAGE, delay_seconds=0, num_retries=0)
        client.query_url_format = f"{server.api_url}?{{}}"
        client._session.trust_env = False
        search = arxiv.Search(
            EVERYTHING,
            max_results=None,
            sort_by=arxiv.SortCriterion.SubmittedDate,
            sort_order=arxiv.SortOrder.Ascending,
        )
        theirs = list(client.results(search))
        client._session.close()
        ours: list[ArxivRecord] = []
        for start in range(0, N_TRUTH, N_PAGE):
            parameters = (
                ("search_query", EVERYTHING),
                ("start", str(start)),
                ("max_results", str(N_PAGE)),
                ("sortBy", "submittedDate"),
                ("sortOrder", "ascending"),
            )
            request = Request(url=server.api_url, parameters=parameters)
            reply = HttpWire(deadline_s=10).send(request, on_answer=lambda: None)
            ours += parse_atom(reply.body, start=start, n_asked=N_PAGE).records
        yield theirs, ours


Served = tuple[list[arxiv.Result], list[ArxivRecord]]


def test_the_arxiv_package_reads_the_same_papers(served: Served) -> None:
    """All of them, in the same order and version."""
    theirs, ours = served
    assert len(ours) == N_TRUTH
    assert [r.get_short_id() for r in theirs] == [f"{r.arxiv_id}v{r.version}" for r in ours]


def test_the_arxiv_package_reads_the_same_fields(served: Served) -> None:
    """But for white space, which it leaves in abstracts and we do not."""
    for result, record in zip(*served, strict=True):
        assert record.title == " ".join(result.title.split())
        assert record.abstract == " ".join(result.summary.split())
        assert record.authors == tuple(author.name for author in result.authors)
        assert record.categories[0] == result.primary_category
        assert sorted(record.categories) == sorted(result.categories)
        assert record.published == result.published.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert record.updated == result.updated.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert record.comment == result.comment
        assert record.journal_ref == result.journal_ref
        assert record.doi == result.doi


def test_a_result_of_the_arxiv_package_becomes_the_same_record(served: Served) -> None:
    """What it has read and what we have read cannot be told apart in the store."""
    for result, record in zip(*served, strict=True):
        assert from_arxiv_result(result, as_of=record.as_of) == replace(record, raw=())
