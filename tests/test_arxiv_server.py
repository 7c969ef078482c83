"""The invented arXiv behaves like the real one, and its faults are those ordered."""

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from arxiv_query import QueryError, compile_query, rewrite
from arxiv_server import (
    FAULTS,
    ArxivServer,
    TruePaper,
    TrueVersion,
    add_version,
    make_truth,
    snapshot_line,
    write_snapshot,
)
from arxiv_truth import encode_tex, split_name

ATOM = "{http://www.w3.org/2005/Atom}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def root(self) -> ET.Element:
        return ET.fromstring(self.body)  # noqa: S314  our own server

    @property
    def ids(self) -> list[str]:
        """Ids of the entries, with versions."""
        return [
            (entry.findtext(f"{ATOM}id") or "").removeprefix("http://arxiv.org/abs/")
            for entry in self.root.iter(f"{ATOM}entry")
        ]

    @property
    def total(self) -> int:
        return int(self.root.findtext(f"{SEARCH}totalResults") or -1)

    @property
    def identifiers(self) -> list[str]:
        return [
            (element.text or "").removeprefix("oai:arXiv.org:")
            for element in self.root.iter(f"{OAI}identifier")
        ]

    @property
    def token(self) -> str | None:
        return next(
            (element.text or "" for element in self.root.iter(f"{OAI}resumptionToken")), None
        )

    @property
    def error(self) -> str | None:
        element = self.root.find(f"{OAI}error")
        return None if element is None else element.get("code")


def fetch(url: str, form: dict[str, str] | None = None, **params: str) -> Answer:
    """Ask on a connection of its own, without following redirects."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        query = urlencode(params) or parts.query
        body = urlencode(form) if form else None
        connection.request("POST" if form else "GET", f"{parts.path}?{query}", body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def paper(number: int, day: str, **changes: object) -> TruePaper:
    """Make a paper that was submitted and stamped on one day."""
    stamp = date.fromisoformat(day)
    submitted = datetime(stamp.year, stamp.month, stamp.day, 8, 30, number % 60, tzinfo=UTC)
    made = TruePaper(
        arxiv_id=f"2501.{number:05}",
        versions=(TrueVersion(1, submitted, False),),
        title=f"Harvests number {number}",
        abstract="Invented.",
        authors=("Ána van der Bok", "Q. Example Jr"),
        categories=("cs.DL",),
        datestamp=stamp,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def truth() -> list[TruePaper]:
    return make_truth(300, 1)


@pytest.fixture
def server(truth: list[TruePaper]) -> Iterator[ArxivServer]:
    with ArxivServer(truth, n_records=50) as running:
        yield running


# Truth --------------------------------------------------------------------------------------


def test_papers_depend_on_the_seed_alone(truth: list[TruePaper]) -> None:
    """The same seed gives the same papers, another seed others."""
    assert make_truth(300, 1) == truth
    assert make_truth(300, 2) != truth


def test_papers_are_varied(truth: list[TruePaper]) -> None:
    """Both id schemes, several versions, withdrawals, shared seconds, accents, mathematics."""
    ids = [one.arxiv_id for one in truth]
    assert len(set(ids)) == 300
    assert all(re.fullmatch(r"[a-z-]+/0[0-7][01]\d{4}|\d{4}\.(\d{4}|\d{5})", name) for name in ids)
    assert any("/" in name for name in ids)
    submitted = [one.versions[0].submitted for one in truth]
    assert submitted == sorted(submitted)
    assert 200 < len(set(submitted)) < 290
    assert any(len(one.versions) > 2 for one in truth)
    withdrawn = [one for one in truth if one.withdrawn]
    assert withdrawn
    assert all("ithdrawn" in (one.comment or "") for one in withdrawn)
    assert all(len(one.abstract) > 100 for one in withdrawn)
    assert any("$" in one.title for one in truth)
    assert any(not one.title.isascii() for one in truth)
    assert any(one.datestamp == date(2005, 9, 16) for one in truth)


def test_submissions_stay_in_the_range_asked_for() -> None:
    """No version is older than the first day or younger than the last."""
    first, last = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)
    papers = make_truth(200, first=first, last=last)
    moments = [version.submitted for one in papers for version in one.versions]
    assert first <= min(moments) <= max(moments) <= last


@pytest.mark.parametrize(
    ("text", "style", "tex"),
    [
        ("Müller", 0, r"M\"{u}ller"),
        ("Müller", 1, r"M\"uller"),
        ("Müller", 2, r"M{\"u}ller"),
        ("Čapek", 0, r"\v{C}apek"),
        ("Čapek", 1, r"{\v C}apek"),
        ("naïve", 1, r"na\"{\i}ve"),
        ("Weiß", 0, r"Wei{\ss}"),
        ("theory & practice", 3, r"theory \& practice"),
        ("plain", 2, "plain"),
    ],
)
def test_accents_are_written_in_tex(text: str, style: int, tex: str) -> None:
    """Hand-worked spellings of each style."""
    assert encode_tex(text, style) == tex


def test_raw_text_is_wrapped(truth: list[TruePaper]) -> None:
    """An abstract has leading blanks, lines of at most 80 characters and a line end."""
    for one in truth:
        assert one.raw_abstract.startswith("  ")
        assert one.raw_abstract.endswith("\n")
        assert max(map(len, one.raw_abstract.splitlines())) <= 80
        for text in (one.wrapped_abstract, one.summary):
            assert " ".join(text.split()) == one.abstract
        assert " ".join(one.wrapped_title.split()) == one.title
    assert any("\n" in one.raw_title for one in truth)


def test_names_are_taken_apart() -> None:
    """Particles belong to the key name; a collaboration is one."""
    assert split_name("Ludo M. van der Bok Jr") == ("van der Bok", "Ludo M.", "Jr")
    assert split_name("HALOS Collaboration") == ("HALOS Collaboration", "", "")


def test_author_lines_name_affiliations() -> None:
    """Places stand behind the names, or are numbered and explained at the end."""
    both = {"authors": ("A. Bok", "C. Dee"), "affiliations": ("Here", "There")}
    lines = {paper(number, "2025-01-02", **both).raw_authors for number in range(1, 40)}
    assert "A. Bok (Here) and C. Dee (There)" in lines
    assert "A. Bok (1) and C. Dee (2) ((1) Here, (2) There)" in lines


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
def test_snapshots_hold_one_line_a_paper(truth: list[TruePaper], tmp_path: Path, kind) -> None:
    """All three kinds of file unpack to the same lines."""
    path = write_snapshot(truth, tmp_path / "snapshot", kind)
    data = path.read_bytes()
    if kind == "gz":
        data = gzip.decompress(data)
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(archive.namelist()[0])
    assert data.decode().splitlines() == [snapshot_line(one) for one in truth]


def test_a_snapshot_line_has_the_fields_of_the_real_one() -> None:
    """Names, their order, and the form of dates."""
    record = json.loads(snapshot_line(paper(7, "2025-01-02")))
    assert " ".join(record) == (
        "id submitter authors title comments journal-ref doi report-no categories license "
        "abstract versions update_date authors_parsed"
    )
    assert record["id"] == "2501.00007"
    assert record["versions"] == [{"version": "v1", "created": "Thu, 02 Jan 2025 08:30:07 GMT"}]
    assert record["update_date"] == "2025-01-02"
    assert record["authors_parsed"] == [["van der Bok", "Ána", ""], ["Example", "Q.", "Jr"]]


# Queries ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "echo"),
    [
        ('ti:"sparse   harvest"', 'ti:"sparse harvest"'),
        ("ti:Off-diagonal book Ramsey", "ti:Off-diagonal OR all:book OR all:Ramsey"),
        ("ti:(a b)", "ti:a OR ti:b"),
        ("cat:x AND ti:(a b)", "cat:x AND (ti:a OR ti:b)"),
        ("title:a NOT ti:b", "ti:a ANDNOT ti:b"),
        ("ti:a AND NOT ti:b", "ti:a ANDNOT ti:b"),
        ("ti:a AND OR ti:b", "ti:a AND ti:b"),
        ("ti: a\nb", "all:a OR all:b"),
        ("lastUpdatedDate:[2023 TO 202402]", "submittedDate:[202301010000 TO 202402292359]"),
        (
            "(cat:a OR cat:b) AND submittedDate:[202401010000 TO 202401012359]",
            "(cat:a OR cat:b) AND submittedDate:[202401010000 TO 202401012359]",
        ),
        (
            "submittedDate:[20230101* TO 20231231*]",
            "submittedDate:[20230101* OR all:TO OR all:20231231*]",
        ),
    ],
)
def test_queries_are_rewritten(query: str, echo: str) -> None:
    """What is echoed is what was searched, not what was sent."""
    assert rewrite(query)[1] == echo


@pytest.mark.parametrize(
    "query",
    [
        "(ti:a",
        "ti:a)",
        'ti:"a',
        r'ti:"a \"b\" c"',
        "x:a",
        "ti:a AND",
        "AND ti:a",
        "()",
        " ",
        "submittedDate:[20231301 TO 2024]",
        "submittedDate:[20230101000000 TO 2024]",
    ],
)
def test_broken_queries_are_refused(query: str) -> None:
    """Brackets, quotation marks, fields, operators and dates must be right."""
    with pytest.raises(QueryError):
        rewrite(query)


def test_raw_queries_are_not_rewritten() -> None:
    """With ``raw=1`` each term needs its field and each pair its operator."""
    assert rewrite("ti:a AND au:b", raw=True)[1] == "ti:a AND au:b"
    for query in ("a", "ti:a ti:b", "title:a", "ti:a AND NOT ti:b"):
        with pytest.raises(QueryError):
            rewrite(query, raw=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ti:red AND ti:green OR ti:blue", False),  # red AND (green OR blue)
        ("(ti:red AND ti:green) OR ti:blue", True),
        ("ti:blue ANDNOT ti:red AND ti:green", True),  # blue ANDNOT (red AND green)
        ("ti:red", False),
        ("ti:BLUE", True),
        ('ti:"blue mirrors"', True),
        ('ti:"blue mirror"', True),
        ('ti:"mirror blue"', False),
        ('ti:"mirrors of the Schrödinger kind"', True),
        ('ti:"mirrors for any Schrödinger kind"', False),  # "any" is no stop word
        ('ti:"mirrors Schrödinger kind"', False),
        ('ti:"mirrors of the Schrodinger kind"', False),
        ("abs:nothing", False),
        ("all:invented", True),
        ("cat:cs.DL", True),
        ("cat:cs.*", True),
        ("cat:cs", False),
        ('au:"van der Bok"', True),
        ('au:"Q Example"', True),
        ("au:Bok_Ána", True),
        ("ti:blue AND au:Bok_Ána", False),
        ("id:2501.00001", True),
        ("doi:10.1000/x", False),
        ("submittedDate:[202501020830 TO 202501020830]", True),
        ("submittedDate:[202501020831 TO 202501020900]", False),
    ],
)
def test_queries_match(query: str, found: bool) -> None:
    """One paper, submitted 2025-01-02 08:30:01, is found or not."""
    one = paper(1, "2025-01-02", title="Blue mirrors of the Schrödinger kind")
    assert compile_query(rewrite(query)[0])(one) is found


# Atom ---------------------------------------------------------------------------------------


def test_an_entry_says_what_is_true(server: ArxivServer, truth: list[TruePaper]) -> None:
    """Every field of every entry is that of the paper."""
    answer = fetch(server.api_url, search_query="submittedDate:[2000 TO 2030]", max_results="300")
    assert answer.headers["Content-Type"] == "application/atom+xml"
    by_id = {f"{one.arxiv_id}v{len(one.versions)}": one for one in truth}
    assert sorted(answer.ids) == sorted(by_id)
    arxiv = "{http://arxiv.org/schemas/atom}"
    for name, entry in zip(answer.ids, answer.root.iter(f"{ATOM}entry"), strict=True):
        one = by_id[name]
        assert entry.findtext(f"{ATOM}title") == one.title
        assert " ".join((entry.findtext(f"{ATOM}summary") or "").split()) == one.abstract
        names = [author.findtext(f"{ATOM}name") for author in entry.iter(f"{ATOM}author")]
        assert tuple(names) == one.authors
        terms = [category.get("term") for category in entry.iter(f"{ATOM}category")]
        assert tuple(terms) == one.categories
        assert entry.findtext(f"{arxiv}comment") == one.comment
        assert entry.findtext(f"{arxiv}journal_ref") == one.journal_ref
        assert entry.findtext(f"{arxiv}doi") == one.doi
        first, last = one.versions[0].submitted, one.versions[-1].submitted
        assert entry.findtext(f"{ATOM}published") == f"{first:%Y-%m-%dT%H:%M:%SZ}"
        assert entry.findtext(f"{ATOM}updated") == f"{last:%Y-%m-%dT%H:%M:%SZ}"


def test_windows_hold_what_was_submitted_in_them(
    server: ArxivServer, truth: list[TruePaper]
) -> None:
    """Both ends belong to a window, the seconds of the last minute too."""
    first, last = (truth[i].versions[0].submitted for i in (50, 99))
    query = f"submittedDate:[{first:%Y%m%d%H%M} TO {last:%Y%m%d%H%M}]"
    answer = fetch(server.api_url, search_query=query, max_results="300", sortBy="submittedDate")
    start = first.replace(second=0)
    end = last.replace(second=59)
    inside = [one for one in truth if start <= one.versions[0].submitted <= end]
    assert answer.total == len(inside) >= 50
    assert [name.rpartition("v")[0] for name in answer.ids] == [
        one.arxiv_id for one in reversed(inside)
    ]


def test_ten_results_are_the_default_and_totals_are_not_capped(server: ArxivServer) -> None:
    """A page of ten, of 300, newest version shown."""
    answer = fetch(server.api_url, search_query="submittedDate:[2000 TO 2030]")
    assert len(answer.ids) == 10
    assert answer.total == 300


@pytest.mark.parametrize(
    ("start", "size", "first"),
    [(0, 100, 0), (100, 100, 100), (149, 100, 100), (150, 100, 200), (51, 100, 100), (295, 5, 295)],
)
def test_offsets_are_rounded_to_pages(
    server: ArxivServer, truth: list[TruePaper], start: int, size: int, first: int
) -> None:
    """The real server counts pages, not papers, and echoes the start asked for."""
    answer = fetch(
        server.api_url,
        search_query="submittedDate:[2000 TO 2030]",
        start=str(start),
        max_results=str(size),
        sortBy="submittedDate",
        sortOrder="ascending",
    )
    expected = truth[first : first + size]
    assert [name.rpartition("v")[0] for name in answer.ids] == [one.arxiv_id for one in expected]
    assert answer.root.findtext(f"{SEARCH}startIndex") == str(start)


@pytest.mark.parametrize(
    ("start", "size", "status"),
    [(8000, 2000, 200), (9000, 2000, 200), (9001, 2000, 500), (10_000, 1000, 500), (0, 0, 500)],
)
def test_offsets_beyond_ten_thousand_break_the_server(
    server: ArxivServer, start: int, size: int, status: int
) -> None:
    """The bound is on pages: 1 + round(start / size) up to 10,000 // size."""
    params = {"start": str(start), "max_results": str(size)}
    assert fetch(server.api_url, search_query="ti:a", **params).status == status


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Either a search_query or id_list must be specified for the classic API."),
        ({"id_list": "2501.00001,"}, "incorrect id format for "),
        ({"id_list": "2501.1"}, "incorrect id format for 2501.1"),
        ({"id_list": "2501.00001, 2501.00002"}, "incorrect id format for  2501.00002"),
        ({"search_query": "ti:a", "max_results": "x"}, "max_results must be an integer"),
        ({"search_query": "ti:a", "max_results": "-1"}, "max_results must be non-negative"),
        ({"search_query": "ti:a", "start": "x"}, "start must be an integer"),
        ({"search_query": "ti:a", "start": "-1"}, "start must be non-negative"),
        (
            {"search_query": "ti:a", "sortBy": "date"},
            "sortBy must be in: relevance, lastUpdatedDate, submittedDate",
        ),
        (
            {"search_query": "ti:a", "sortOrder": "up"},
            "sortOrder must be in: ascending, descending",
        ),
        ({"search_query": "(ti:a"}, "Invalid query string: '(ti:a'"),
    ],
)
def test_errors_are_feeds_with_one_entry(
    server: ArxivServer, params: dict[str, str], message: str
) -> None:
    """A client that ignored the status would store a paper called Error."""
    answer = fetch(server.api_url, **params)
    assert answer.status == 400
    assert answer.total == 1
    (entry,) = answer.root.iter(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "Error"
    assert entry.findtext(f"{ATOM}summary") == message
    assert "/abs/" not in answer.ids[0]


def test_ids_are_looked_up() -> None:
    """Unknown ones are left out, versions are given, a query filters."""
    one = add_version(paper(1, "2025-01-02"), datetime(2025, 2, 3, tzinfo=UTC))
    old = paper(2, "1999-01-01", arxiv_id="math/9901001", datestamp=date(2005, 9, 16))
    with ArxivServer([one, old, paper(3, "2025-01-02")]) as server:

        def look_up(ids: str, **params: str) -> list[str]:
            return sorted(fetch(server.api_url, id_list=ids, **params).ids)

        assert look_up("2501.00001,2501.99999,math/9901001") == ["2501.00001v2", "math/9901001v1"]
        assert look_up("2501.00001v1,2501.00001") == ["2501.00001v1", "2501.00001v2"]
        assert look_up("2501.00001v3") == []
        assert look_up("math.GT/9901001") == []
        assert look_up("2501.00001,2501.00003", search_query="ti:3") == ["2501.00003v1"]
        answer = fetch(server.api_url, form={"id_list": "2501.00001v1", "max_results": "5"})
        assert answer.ids == ["2501.00001v1"]
        entry = answer.root.find(f"{ATOM}entry")
        assert entry is not None
        assert entry.findtext(f"{ATOM}updated") == "2025-01-02T08:30:01Z"


def test_a_withdrawal_is_told_by_the_comment_of_its_version_alone() -> None:
    """Atom has no flag, and the version before says nothing."""
    when = datetime(2025, 2, 3, tzinfo=UTC)
    with ArxivServer([add_version(paper(1, "2025-01-02"), when, withdrawn=True)]) as server:
        comments = [
            fetch(server.api_url, id_list=name).root.findtext(
                f"{ATOM}entry/{{http://arxiv.org/schemas/atom}}comment"
            )
            for name in ("2501.00001v1", "2501.00001")
        ]
    assert comments == [None, "This paper has been withdrawn by the author"]


def test_long_addresses_are_refused_and_long_forms_are_not(server: ArxivServer) -> None:
    """700 ids need POST."""
    ids = ",".join(f"2501.{n:05}" for n in range(1, 701))
    assert fetch(server.api_url, id_list=ids).status == 414
    assert fetch(server.api_url, form={"id_list": ids}).status == 200


def test_ties_are_broken_anew_in_each_request() -> None:
    """Papers of one second repeat and go missing across pages, unless ties are not shuffled."""
    papers = [
        replace(paper(n, "2025-01-02"), versions=paper(0, "2025-01-02").versions)
        for n in range(1, 61)
    ]

    def page_through(shuffle_ties: bool) -> list[str]:
        with ArxivServer(papers, shuffle_ties=shuffle_ties) as server:
            return [
                name
                for start in range(0, 60, 20)
                for name in fetch(
                    server.api_url,
                    search_query="cat:cs.DL",
                    start=str(start),
                    max_results="20",
                    sortBy="submittedDate",
                ).ids
            ]

    assert len(set(page_through(False))) == 60
    assert len(page_through(True)) == 60
    assert len(set(page_through(True))) < 60


# OAI-PMH ------------------------------------------------------------------------------------


def page_through(server: ArxivServer, **params: str) -> list[Answer]:
    """Follow resumption tokens to the end."""
    verb = params.setdefault("verb", "ListRecords")
    answers = [fetch(server.oai_url, **{"metadataPrefix": "arXiv", **params})]
    while token := answers[-1].token:
        answers.append(fetch(server.oai_url, verb=verb, resumptionToken=token))
    return answers


@pytest.mark.parametrize("prefix", ["arXiv", "arXivRaw", "oai_dc"])
def test_all_records_come_once(server: ArxivServer, truth: list[TruePaper], prefix: str) -> None:
    """Pages of 50 add up to the truth, by datestamp; the last has an empty token."""
    answers = page_through(server, metadataPrefix=prefix)
    found = [name for answer in answers for name in answer.identifiers]
    assert sorted(found) == sorted(one.arxiv_id for one in truth)
    stamp_of = {one.arxiv_id: one.datestamp for one in truth}
    stamps = [stamp_of[name] for name in found]
    assert stamps == sorted(stamps)
    assert answers[-1].token == ""
    assert answers[0].headers["Content-Type"] == "text/xml"


def test_a_record_says_what_is_true(server: ArxivServer, truth: list[TruePaper]) -> None:
    """ArXivRaw holds TeX and all versions, a withdrawal has source type I."""
    one = next(one for one in truth if one.withdrawn)
    answer = fetch(
        server.oai_url,
        verb="GetRecord",
        metadataPrefix="arXivRaw",
        identifier=f"oai:arXiv.org:{one.arxiv_id}",
    )
    raw = "{http://arxiv.org/OAI/arXivRaw/}"
    (record,) = answer.root.iter(f"{raw}arXivRaw")
    assert record.findtext(f"{raw}title") == one.raw_title
    assert record.findtext(f"{raw}abstract") == one.raw_abstract
    assert record.findtext(f"{raw}authors") == one.raw_authors
    assert record.findtext(f"{raw}comments") == one.raw_comment
    assert record.findtext(f"{raw}categories") == " ".join(one.categories)
    kinds = [version.findtext(f"{raw}source_type") for version in record.iter(f"{raw}version")]
    assert kinds == [None] * (len(one.versions) - 1) + ["I"]


def test_the_arxiv_format_dates_the_current_version() -> None:
    """``created`` is that of the latest version, as the real service has it."""
    one = add_version(paper(1, "2025-01-02"), datetime(2025, 2, 3, tzinfo=UTC))
    with ArxivServer([one]) as server:
        answer = page_through(server)[0]
    space = "{http://arxiv.org/OAI/arXiv/}"
    (record,) = answer.root.iter(f"{space}arXiv")
    assert record.findtext(f"{space}created") == "2025-02-03"
    assert [
        (author.findtext(f"{space}keyname"), author.findtext(f"{space}suffix"))
        for author in record.iter(f"{space}author")
    ] == [("van der Bok", None), ("Example", "Jr")]


def skips(token: str | None) -> tuple[str | None, int]:
    """Return the first day and the rows to skip of a token."""
    args = parse_qs(unquote(token or ""))
    return args.get("from", [None])[0], int(args["skip"][0])


def test_the_next_page_begins_with_the_day_of_its_first_row() -> None:
    """Worked by hand: three rows a page, days A A B B B B B C."""
    days = ["2026-01-01"] * 2 + ["2026-01-02"] * 5 + ["2026-01-03"]
    papers = [paper(n, day) for n, day in enumerate(days, start=1)]
    with ArxivServer(papers, n_records=3) as server:
        first, second, third = page_through(server)
    assert skips(first.token) == ("2026-01-02", 1)  # A A B; the next row is of B
    assert skips(second.token) == ("2026-01-02", 4)  # B B B, and one more B
    assert third.token == ""
    assert len(third.identifiers) == 2


def test_a_paper_restamped_meanwhile_hides_another() -> None:
    """Tokens count rows: where one leaves the day, the row behind the page is skipped."""
    papers = [paper(n, "2026-01-02") for n in range(1, 7)]
    with ArxivServer(papers, n_records=3) as server:
        first = fetch(server.oai_url, verb="ListRecords", metadataPrefix="arXiv")
        server.restamp(first.identifiers[0], date(2026, 1, 5))
        second = fetch(server.oai_url, verb="ListRecords", resumptionToken=first.token or "")
        assert len({*first.identifiers, *second.identifiers}) == 5
        again = page_through(server, **{"from": "2026-01-02"})
    assert len({name for answer in again for name in answer.identifiers}) == 6


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "Harvest"}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "bibtex"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "x": "y"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-11-21"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2005-09-15"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "until": "2026-11-22"}, "badArgument"),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv"}
            | {"from": "2026-01-02", "until": "2026-01-01"},
            "badArgument",
        ),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-01-01T00:00:00Z"},
            "badArgument",
        ),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-11-20"},
            "noRecordsMatch",
        ),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "alchemy"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "cs:math"}, "badArgument"),
        ({"verb": "ListRecords", "resumptionToken": "nonsense"}, "badResumptionToken"),
        (
            {"verb": "ListIdentifiers"}
            | {"resumptionToken": "verb%3DListRecords%26metadataPrefix%3DarXiv%26skip%3D3"},
            "badResumptionToken",
        ),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv", "resumptionToken": "x"},
            "badArgument",
        ),
        (
            {"verb": "GetRecord", "metadataPrefix": "arXiv", "identifier": "oai:arXiv.org:x"},
            "idDoesNotExist",
        ),
    ],
)
def test_oai_errors_have_status_200(server: ArxivServer, params: dict[str, str], code: str) -> None:
    """Each mistake has its code."""
    answer = fetch(server.oai_url, **params)
    assert answer.status == 200
    assert answer.error == code


def test_repeated_arguments_are_refused(server: ArxivServer) -> None:
    """Even if they agree."""
    url = f"{server.oai_url}?verb=ListRecords&metadataPrefix=arXiv&metadataPrefix=arXiv"
    assert fetch(url).error == "badArgument"


@pytest.mark.parametrize(
    ("wanted", "categories"),
    [
        ("cs", ("cs.",)),
        ("math:math:NA", ("math.NA", "cs.NA")),
        ("physics:hep-th", ("hep-th",)),
        ("physics:astro-ph", ("astro-ph",)),
    ],
)
def test_sets_select(
    server: ArxivServer, truth: list[TruePaper], wanted: str, categories: tuple[str, ...]
) -> None:
    """By group, archive or category; an alias counts as its partner."""
    answers = page_through(server, set=wanted, verb="ListIdentifiers")
    starts = categories if wanted != "cs" else ("cs.", "math.IT", "math.NA")
    expected = [
        one.arxiv_id for one in truth if any(name.startswith(starts) for name in one.categories)
    ]
    assert expected
    assert sorted(name for answer in answers for name in answer.identifiers) == sorted(expected)


def test_identify_formats_and_sets_are_listed(server: ArxivServer) -> None:
    """The three verbs about the repository itself."""
    identify = fetch(server.oai_url, verb="Identify").root
    assert identify.findtext(f"{OAI}Identify/{OAI}earliestDatestamp") == "2005-09-16"
    assert identify.findtext(f"{OAI}responseDate") == "2026-11-20T09:00:00Z"
    formats = fetch(server.oai_url, form={"verb": "ListMetadataFormats"}).root
    prefixes = {element.text for element in formats.iter(f"{OAI}metadataPrefix")}
    assert prefixes == {"arXiv", "arXivRaw", "oai_dc"}
    sets = fetch(server.oai_url, verb="ListSets").root
    assert {"cs", "cs:cs", "cs:cs:LG"} <= {element.text for element in sets.iter(f"{OAI}setSpec")}


def test_papers_appear_with_the_days(server: ArxivServer) -> None:
    """A paper of tomorrow is not seen today; hidden ones come back when added."""
    late = paper(1, "2026-11-21")
    server.add([late])
    assert fetch(server.api_url, id_list="2501.00001").total == 0
    server.set_today(date(2026, 11, 21))
    assert fetch(server.api_url, id_list="2501.00001").total == 1
    assert page_through(server, **{"from": "2026-11-21"})[0].identifiers == ["2501.00001"]
    server.hide(["2501.00001"])
    assert fetch(server.api_url, search_query="id:2501.00001").total == 0
    server.add([late])
    assert fetch(server.api_url, search_query="id:2501.00001").total == 1
    assert fetch(server.api_url, id_list="x").headers["Date"] == "Sat, 21 Nov 2026 09:00:00 GMT"


# Faults -------------------------------------------------------------------------------------


def ask(server: ArxivServer, service: str) -> Answer:
    """Ask for something that each fault of the service can spoil."""
    if service == "atom":
        return fetch(server.api_url, search_query="submittedDate:[2000 TO 2030]", max_results="20")
    token = "verb%3DListRecords%26metadataPrefix%3DarXiv%26skip%3D50"  # noqa: S105
    return fetch(server.oai_url, verb="ListRecords", resumptionToken=token)


def outcome(server: ArxivServer, service: str) -> object:
    """Return status and body, or the kind of failure."""
    try:
        answer = ask(server, service)
    except (OSError, http.client.HTTPException) as error:
        return type(error)
    return answer.status, answer.body, answer.headers["Content-Encoding"]


SLOW = {"slow": {"delay_s": 0.02}, "slow-loris": {"interval_s": 0.0}}  # right in the end
FOR_ONE = {
    "400": "atom",
    "anomalous-empty": "atom",
    "short-page": "atom",
    "total-drift": "atom",
    "bad-token": "oai",
    "no-records-match": "oai",
    "bad-argument": "oai",
    "same-token": "oai",
    "loop-token": "oai",
    "deleted-record": "oai",
}


@pytest.mark.parametrize("service", ["atom", "oai"])
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"hang", *SLOW}))
def test_a_fault_spoils_the_requests_ordered_and_no_other(
    server: ArxivServer, fault: str, service: str
) -> None:
    """The first answer is right, two are spoilt, the fourth is right again."""
    options = {"n_mb": 1} if fault in ("gzip-bomb", "huge-body") else {}
    server.schedule(fault, on=2, times=2, **options)
    right, *spoilt, again = (outcome(server, service) for _ in range(4))
    assert again == right
    applies = FOR_ONE.get(fault, service) == service
    assert [answer != right for answer in spoilt] == [applies, applies]
    assert [request.fault for request in server.log] == [
        None,
        *[fault if applies else None] * 2,
        None,
    ]


@pytest.mark.parametrize("fault", sorted(SLOW))
def test_slow_answers_are_right(server: ArxivServer, fault: str) -> None:
    """They only take their time."""
    server.schedule(fault, **SLOW[fault])
    assert outcome(server, "oai") == outcome(server, "oai")
    assert [request.fault for request in server.log] == [fault, None]


def read_until_silence(client: socket.socket) -> bytes:
    """Read until nothing comes for a tenth of a second."""
    client.settimeout(0.1)
    received = b""
    with suppress(TimeoutError):
        while data := client.recv(2**20):
            received += data
        raise AssertionError("the server closed the connection")
    return received


def test_a_hanging_server_waits_for_the_client_to_go(server: ArxivServer) -> None:
    """No byte comes, or no last one, and the request ends when the client does."""
    server.schedule("hang")
    server.schedule("hang", share=0.5)
    for expected in (b"", b"HTTP/1.1 200 OK\r\n"):
        with socket.create_connection(("127.0.0.1", urlsplit(server.base_url).port or 0)) as client:
            client.sendall(b"GET /oai?verb=ListRecords&metadataPrefix=arXiv HTTP/1.1\r\n\r\n")
            received = read_until_silence(client)
            assert received[:17] == expected
            assert server.log[-1].ended is None
    assert ask(server, "oai").status == 200
    assert server.log[-1].overlapping == 0
    assert server.max_open_requests == 1


def test_several_faults_take_their_turns(server: ArxivServer) -> None:
    """The one ordered first comes first; a condition may choose; for ever is for ever."""
    server.schedule("503", on=1)
    server.schedule("429", on=1)
    server.schedule("502", on=lambda request: "verb" in request.params, times=None)
    server.schedule("504", on=4, service="atom")
    asked = ["atom", "atom", "oai", "oai", "atom", "atom"]
    assert [ask(server, service).status for service in asked] == [503, 429, 502, 502, 504, 200]
    server.clear_schedule()
    assert ask(server, "oai").status == 200


def test_a_fault_waits_for_a_request_that_it_fits(server: ArxivServer) -> None:
    """A token cannot be bad where there is none."""
    server.schedule("bad-token")
    first = fetch(server.oai_url, verb="ListRecords", metadataPrefix="arXiv")
    assert first.error is None
    assert ask(server, "oai").error == "badResumptionToken"


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (None, None),
        (0, "0"),
        ("20", "20"),
        (timedelta(seconds=30), "Fri, 20 Nov 2026 09:00:30 GMT"),
        (datetime(2026, 11, 21, tzinfo=UTC), "Sat, 21 Nov 2026 00:00:00 GMT"),
    ],
)
def test_retry_after_is_seconds_or_a_date(server: ArxivServer, value, header) -> None:
    """All forms of the header, and none."""
    server.schedule("503", retry_after=value)
    server.schedule("429", retry_after=value)
    for status in (503, 429):
        answer = ask(server, "oai")
        assert answer.status == status
        assert answer.headers["Retry-After"] == header


def test_truncated_bodies_have_their_own_length(server: ArxivServer) -> None:
    """A cut body looks whole to HTTP, a short one does not."""
    whole = ask(server, "oai").body
    server.schedule("truncated", share=0.5)
    server.schedule("short-body", share=0.5)
    server.schedule("short-body", share=0.5, chunked=True)
    cut = ask(server, "oai")
    assert cut.body == whole[: len(whole) // 2]
    assert cut.headers["Content-Length"] == str(len(cut.body))
    for _ in range(2):
        with pytest.raises(http.client.IncompleteRead):
            ask(server, "oai")


def test_pages_are_damaged_as_ordered(server: ArxivServer) -> None:
    """Empty, short, doubled; totals stay unless they are the fault."""
    right = ask(server, "atom")
    server.schedule("empty-page")
    server.schedule("anomalous-empty")
    server.schedule("short-page", m=3)
    server.schedule("duplicates", m=2)
    server.schedule("total-drift", n=-5)
    seen = [(answer.ids, answer.total) for answer in (ask(server, "atom") for _ in range(5))]
    assert seen == [
        ([], 300),
        ([], 0),
        (right.ids[:17], 300),
        (right.ids[:18] + right.ids[:1] * 2, 300),
        (right.ids, 295),
    ]


@pytest.mark.parametrize("service", ["atom", "oai"])
def test_one_entry_is_damaged(server: ArxivServer, service: str) -> None:
    """The others stay as they are, and the page stays well-formed."""
    right = ask(server, service).body
    for kind in ("no-title", "bad-date", "no-id", "no-authors", "no-categories"):
        server.schedule("malformed-entry", kind=kind, index=3)
        answer = ask(server, service)
        n_entries = 20 if service == "atom" else 50
        tag = f"{ATOM}entry" if service == "atom" else f"{OAI}record"
        assert answer.body != right
        before, after = (
            [ET.tostring(element) for element in ET.fromstring(body).iter(tag)]  # noqa: S314
            for body in (right, answer.body)
        )
        assert [i for i in range(n_entries) if before[i] != after[i]] == [3]


def test_characters_that_xml_forbids_can_be_stripped(server: ArxivServer) -> None:
    """Without them the page is the right one."""
    right = ask(server, "oai").body
    server.schedule("control-characters")
    server.schedule("bad-utf8")
    for strange in (b"\x0b\x01", b"\xff"):
        body = ask(server, "oai").body
        with pytest.raises(ET.ParseError):
            ET.fromstring(body)  # noqa: S314
        assert body.replace(strange, b"") == right


@pytest.mark.parametrize("service", ["atom", "oai"])
@pytest.mark.parametrize(
    "fault", ["bare-ampersand", "latin-1", "bad-utf8", "control-characters", "entity-bomb"]
)
def test_strict_parsers_refuse(server: ArxivServer, fault: str, service: str) -> None:
    """What is ill-formed is ill-formed in both services."""
    server.schedule(fault)
    with pytest.raises(ET.ParseError):
        assert len(ask(server, service).root)


@pytest.mark.parametrize("service", ["atom", "oai"])
def test_unknown_elements_stand_in_foreign_namespaces(server: ArxivServer, service: str) -> None:
    """Whoever reads by qualified name sees the page as before."""
    right = ask(server, service)
    server.schedule("unknown-elements")
    strange = ask(server, service)
    assert (strange.ids, strange.identifiers) == (right.ids, right.identifiers)
    assert strange.body.count(b"urn:invented:extension") > len(right.ids) + len(right.identifiers)


def test_tokens_can_go_in_circles(server: ArxivServer) -> None:
    """The same token comes back, or two by turns, with the same records."""
    server.schedule("same-token", times=2)
    token = fetch(server.oai_url, verb="ListRecords", metadataPrefix="arXiv").token or ""
    second = fetch(server.oai_url, verb="ListRecords", resumptionToken=token)
    assert second.token == token
    server.clear_schedule()
    server.schedule("loop-token", times=None)
    seen = []
    for _ in range(4):
        answer = fetch(server.oai_url, verb="ListRecords", resumptionToken=token)
        assert answer.identifiers == second.identifiers
        seen.append(token := answer.token or "")
    assert seen[0] == seen[2] != seen[1] == seen[3]


def test_a_deleted_record_has_a_header_only(server: ArxivServer) -> None:
    """Status deleted, no metadata."""
    server.schedule("deleted-record", index=1)
    records = list(ask(server, "oai").root.iter(f"{OAI}record"))
    assert [len(record) for record in records] == [2, 1] + [2] * 48
    header = records[1].find(f"{OAI}header")
    assert header is not None
    assert header.get("status") == "deleted"


def test_bombs_are_small_on_the_wire_or_not(server: ArxivServer) -> None:
    """A packed bomb unpacks to the page and blanks; a plain one is as long as it says."""
    right = ask(server, "atom").body
    server.schedule("gzip-bomb", n_mb=8)
    server.schedule("huge-body", n_mb=8)
    bomb = ask(server, "atom")
    assert bomb.headers["Content-Encoding"] == "gzip"
    assert len(bomb.body) < len(right) + 20_000
    unpacked = zlib.decompress(bomb.body, 16 + zlib.MAX_WBITS)
    assert unpacked == ask(server, "atom").body
    assert len(unpacked) == len(right) + 8 * 2**20
    assert unpacked.strip() == right.strip()


def test_redirects_lead_somewhere(server: ArxivServer) -> None:
    """Old paths and moved ones reach the services; a loop has no end; elsewhere is logged."""
    old = fetch(f"{server.base_url}/old/oai", verb="Identify")
    assert old.status == 301
    assert old.headers["Location"] == f"{server.oai_url}?verb=Identify"
    server.schedule("redirect", status=308)
    moved = ask(server, "atom")
    assert moved.status == 308
    assert fetch(moved.headers["Location"]).total == 300
    server.schedule("redirect-loop")
    place = ask(server, "atom").headers["Location"]
    for _ in range(3):
        answer = fetch(place)
        assert answer.status == 301
        assert answer.headers["Location"] != place
        place = answer.headers["Location"]
    server.schedule("redirect-elsewhere")
    assert ask(server, "atom").headers["Location"].startswith("http://localhost:")
    assert fetch(f"{server.base_url}/elsewhere/oai").body == b"This is not arXiv.\n"
    assert fetch(f"{server.base_url}/robots.txt").status == 404
    assert server.log[-1].path == "/robots.txt"


def test_unknown_faults_and_options_are_named(server: ArxivServer) -> None:
    """An order that cannot be carried out fails at once."""
    with pytest.raises(ValueError, match="no fault 'flood'; there are 429, 200-rate-exceeded"):
        server.schedule("flood")
    with pytest.raises(ValueError, match="'429' has no option share; it has retry_after, delay_s"):
        server.schedule("429", share=0.5)
    with pytest.raises(ValueError, match="no kind 'odd'; there are no-title"):
        server.schedule("malformed-entry", kind="odd")


# Records of what happened -------------------------------------------------------------------


def test_the_log_tells_what_arrived(server: ArxivServer) -> None:
    """Number, times, method, decoded parameters, fault and status."""
    server.schedule("429", on=2)
    fetch(server.api_url, search_query='ti:"é & x"', start="0")
    fetch(server.oai_url, form={"verb": "Identify"})
    first, second = server.log
    assert (first.number, first.method, first.path) == (1, "GET", "/api/query")
    assert first.params == {"search_query": 'ti:"é & x"', "start": "0"}
    assert (second.method, second.service, second.fault, second.status) == (
        "POST",
        "oai",
        "429",
        429,
    )
    assert first.ended is not None
    assert first.arrived <= first.ended <= second.arrived


def test_requests_one_after_the_other_do_not_overlap(server: ArxivServer) -> None:
    """Even on new connections, and without any pause."""
    for _ in range(30):
        ask(server, "atom")
    assert server.max_open_requests == server.max_open_connections == 1
    assert {request.overlapping for request in server.log} == {0}


def test_requests_at_one_time_are_noticed(server: ArxivServer) -> None:
    """Two requests overlap; an idle connection is open but not in a request."""
    server.schedule("hang")
    port = urlsplit(server.base_url).port or 0
    with socket.create_connection(("127.0.0.1", port)) as idle:
        with socket.create_connection(("127.0.0.1", port)) as hanging:
            hanging.sendall(b"GET /oai?verb=Identify HTTP/1.1\r\n\r\n")
            while not server.log:
                time.sleep(0.001)
            ask(server, "oai")
        idle.sendall(b"GET /oai?verb=Identify HTTP/1.1\r\n\r\n")
        assert idle.recv(8) == b"HTTP/1.1"
    assert [request.overlapping for request in server.log] == [0, 1, 0]
    assert [request.open_connections for request in server.log] == [2, 3, 1]
    assert server.max_open_requests == 2
    assert server.max_open_connections == 3


def test_connections_are_kept_alive(server: ArxivServer) -> None:
    """Two requests, one connection."""
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc)
    for _ in range(2):
        connection.request("GET", "/oai?verb=Identify")
        assert connection.getresponse().read()
    connection.close()
    assert server.max_open_connections == 1


def test_stopping_ends_what_hangs(truth: list[TruePaper]) -> None:
    """No thread outlives the ``with`` block."""
    n_threads = threading.active_count()
    with ArxivServer(truth) as server:
        server.schedule("hang")
        client = socket.create_connection(("127.0.0.1", urlsplit(server.base_url).port or 0))
        client.sendall(b"GET /oai?verb=Identify HTTP/1.1\r\n\r\n")
        while not server.log:
            time.sleep(0.001)
    assert client.recv(1) == b""
    client.close()
    for _ in range(200):
        if threading.active_count() == n_threads:
            break
        time.sleep(0.01)
    assert threading.active_count() == n_threads


def test_the_server_runs_from_the_shell(tmp_path: Path) -> None:
    """It writes its addresses, obeys its faults, logs, and ends on SIGTERM."""
    command = [sys.executable, str(Path(__file__).with_name("arxiv_server.py")), "--n", "20"]
    command += ["--fault", "503:2:1:retry_after=7", "--write-url", str(tmp_path / "url.json")]
    command += ["--log", str(tmp_path / "log.jsonl"), "--snapshot", str(tmp_path / "papers.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        urls = json.loads((tmp_path / "url.json").read_text())
        assert line == f"api_url {urls['api_url']}\n"
        assert fetch(urls["oai_url"], verb="Identify").status == 200
        assert fetch(urls["oai_url"], verb="Identify").headers["Retry-After"] == "7"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(entry["number"], entry["fault"]) for entry in lines] == [(1, None), (2, "503")]
    assert lines[0]["ended"] <= lines[1]["arrived"]
    assert len((tmp_path / "papers.json").read_text().splitlines()) == 20
