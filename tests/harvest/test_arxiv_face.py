"""The arxiv package's types over our wire: what its own client gives, and when that is all."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import arxiv
import pytest
from arxiv_server import ArxivServer, TruePaper, add_version
from scenes import Scene

from survey_tools.errors import DataError, ParameterError
from survey_tools.harvest.arxiv_face import from_arxiv_result, harvest_search, to_arxiv_result
from survey_tools.harvest.harvester import HarvestReport, Services
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire
from survey_tools.tex import normalise_text

CATEGORIES = {"cs.LG", "cs.CV", "hep-th", "stat.ML", "math.CO"}
QUERY = " OR ".join(f"cat:{name}" for name in sorted(CATEGORIES))
Ask = Callable[[arxiv.Search], tuple[list[arxiv.Result], HarvestReport]]


@pytest.fixture
def apart(scene: Scene) -> Scene:
    """Give every paper a second of submission of its own, so that every order is one."""
    papers = [
        replace(
            paper,
            versions=tuple(
                version._replace(submitted=version.submitted.replace(second=i % 60))
                for version in paper.versions
            ),
        )
        for i, paper in enumerate(scene.server.truth)
    ]
    scene.server.add(papers)
    return scene


@pytest.fixture
def services(apart: Scene) -> Services:
    """Ask the fake arXiv in virtual time."""
    return Services(
        url=apart.server.api_url, clock=apart.clock, wire=HttpWire(), rng=random.Random(0)
    )


@pytest.fixture
def store(apart: Scene) -> Iterator[Store]:
    """Open the scene's store."""
    with Store(apart.store_path) as opened:
        yield opened


@pytest.fixture
def ask(store: Store, services: Services) -> Ask:
    """Run a search over our wire."""
    return lambda search: harvest_search(search, store, services)


def their_results(server: ArxivServer, search: arxiv.Search) -> list[arxiv.Result]:
    """Run a search by the arxiv package's own client, on a server that is well."""
    client = arxiv.Client(page_size=2000, delay_seconds=0)
    client.query_url_format = f"{server.api_url}?{{}}"
    try:
        return list(client.results(search))
    finally:
        client._session.close()


def names(results: Sequence[arxiv.Result]) -> list[str]:
    return [result.get_short_id() for result in results]


def matching(server: ArxivServer) -> list[TruePaper]:
    papers = [paper for paper in server.truth if CATEGORIES & set(paper.categories)]
    assert 12 < len(papers) < len(server.truth)
    return papers


# ---- a search in, results out -------------------------------------------------------------

BY_SUBMISSION = arxiv.SortCriterion.SubmittedDate
BY_UPDATE = arxiv.SortCriterion.LastUpdatedDate
ASCENDING, DESCENDING = arxiv.SortOrder.Ascending, arxiv.SortOrder.Descending


@pytest.mark.parametrize(
    "search",
    [
        arxiv.Search(QUERY, max_results=None, sort_by=BY_SUBMISSION),
        arxiv.Search(QUERY, max_results=None, sort_by=BY_SUBMISSION, sort_order=ASCENDING),
        arxiv.Search(QUERY, max_results=None, sort_by=BY_UPDATE),
        arxiv.Search(QUERY, max_results=7, sort_by=BY_SUBMISSION),
        arxiv.Search(QUERY, max_results=7, sort_by=BY_UPDATE, sort_order=ASCENDING),
        arxiv.Search(QUERY, max_results=2000, sort_by=arxiv.SortCriterion.Relevance),
        arxiv.Search("cat:econ.XX", max_results=None),
    ],
    ids=["all", "ascending", "by-update", "first-7", "first-7-by-update", "relevance", "none"],
)
def test_a_search_gives_what_the_packages_own_client_gives(
    apart: Scene, ask: Ask, search: arxiv.Search
) -> None:
    """The same papers in the same order, and a report that says it is all."""
    results, report = ask(search)
    assert report.status == "complete"
    assert names(results) == names(their_results(apart.server, search))


@pytest.mark.parametrize("criterion", list(arxiv.SortCriterion))
def test_the_same_search_again_gives_the_same_list(
    ask: Ask, criterion: arxiv.SortCriterion
) -> None:
    """On the same day no request is sent, and the order is still the one asked for."""
    search = arxiv.Search(QUERY, max_results=2000, sort_by=criterion)
    first, _ = ask(search)
    again, report = ask(search)
    assert report.n_requests == 0
    assert names(again) == names(first)


def test_results_of_an_earlier_day_do_not_crowd_out_those_of_today(apart: Scene, ask: Ask) -> None:
    """What led the list yesterday and does not today is no result of today."""
    search = arxiv.Search(QUERY, max_results=3, sort_by=BY_UPDATE, sort_order=ASCENDING)
    ask(search)
    apart.next_day()
    first = min(matching(apart.server), key=lambda paper: paper.versions[-1].submitted)
    apart.server.add([add_version(first, datetime(2026, 11, 20, 12, tzinfo=UTC))])
    expected = names(their_results(apart.server, search))
    assert names(ask(search)[0]) == expected
    assert names(ask(search)[0]) == expected


def test_every_field_is_what_the_packages_own_client_gives(apart: Scene, ask: Ask) -> None:
    """Field by field, but for white space; affiliations are not kept."""
    search = arxiv.Search(QUERY, max_results=None, sort_by=BY_SUBMISSION)
    theirs = their_results(apart.server, search)
    ours, _ = ask(search)
    assert len(ours) == len(theirs) > 12
    assert any(result.comment is None for result in theirs)
    assert any(result.doi for result in theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.entry_id == their.entry_id
        assert our.title == normalise_text(their.title)
        assert our.summary == normalise_text(their.summary)
        assert [a.name for a in our.authors] == [a.name for a in their.authors]
        assert (our.updated, our.published) == (their.updated, their.published)
        assert (our.comment, our.journal_ref) == (their.comment, their.journal_ref)
        assert our.doi == their.doi
        assert our.primary_category == their.primary_category
        assert our.categories == their.categories
        assert our.pdf_url == their.pdf_url
        assert {str(link) for link in our.links} == {str(link) for link in their.links}
        assert our.source_url() == their.source_url()


def test_ids_and_versions_are_asked_for(apart: Scene, ask: Ask) -> None:
    """A version named gives that version, whatever else the store holds of the paper."""
    paper = next(paper for paper in apart.server.truth if len(paper.versions) > 1)
    other = next(each for each in apart.server.truth if each is not paper)
    current = f"{paper.arxiv_id}v{len(paper.versions)}"
    results, report = ask(arxiv.Search(id_list=[paper.arxiv_id, f" {other.arxiv_id} "]))
    assert report.status == "complete"
    assert set(names(results)) == {current, f"{other.arxiv_id}v{len(other.versions)}"}
    results, report = ask(arxiv.Search(id_list=[f"{paper.arxiv_id}v1"]))
    assert report.status == "complete"
    assert names(results) == [f"{paper.arxiv_id}v1"]


def test_ids_that_arxiv_does_not_know_are_named(apart: Scene, ask: Ask) -> None:
    """What is there is given; the report says what is not."""
    there = apart.server.truth[0].arxiv_id
    results, report = ask(arxiv.Search(id_list=[there, "2401.99999"]))
    assert [name.partition("v")[0] for name in names(results)] == [there]
    assert report.status == "incomplete"
    assert [missing.what for missing in report.missing] == ["2401.99999"]


def test_a_limit_holds_for_ids_too(apart: Scene, ask: Ask) -> None:
    """No more results than max_results, the first in the order asked for."""
    ids = [paper.arxiv_id for paper in apart.server.truth[:5]]
    search = arxiv.Search(id_list=ids, max_results=2, sort_by=BY_SUBMISSION, sort_order=ASCENDING)
    assert [name.partition("v")[0] for name in names(ask(search)[0])] == ids[:2]


@pytest.mark.parametrize("fault", ["200-rate-exceeded", "anomalous-empty", "truncated", "reset"])
def test_a_fault_is_no_end_of_results(apart: Scene, ask: Ask, fault: str) -> None:
    """Where the package's own client gives nothing, or half, all papers come."""
    apart.server.schedule(fault)
    results, report = ask(arxiv.Search(QUERY, max_results=None))
    assert report.status == "complete"
    assert len(results) == len(matching(apart.server))


def test_results_that_are_not_all_are_said_not_to_be(apart: Scene, ask: Ask) -> None:
    """A service that stays away gives no results and the report why."""
    apart.server.schedule("500", times=None)
    results, report = ask(arxiv.Search(QUERY, max_results=None))
    assert (results, report.status) == ([], "incomplete")
    assert "status 500" in (report.error or "")


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        (arxiv.Search(QUERY, max_results=0), "max_results=0 asks for nothing; give a number from"),
        (arxiv.Search(QUERY, max_results=-1), "max_results=-1 asks for nothing"),
        (arxiv.Search(QUERY, max_results=2001), "max_results=2001: 1 to 2,000 are allowed"),
        (arxiv.Search(id_list=["2101.00001"], max_results=0), "max_results=0 asks for nothing"),
        (arxiv.Search(QUERY, id_list=["2101.00001"]), "by ids and by a query at once is not"),
        (arxiv.Search(), "the query is empty"),
        (arxiv.Search("  "), "the query is empty"),
        (arxiv.Search('ti:"never closed'), "a double quote is never closed"),
    ],
)
def test_a_search_that_asks_for_nothing_or_too_much_is_refused(
    apart: Scene, ask: Ask, search: arxiv.Search, sentence: str
) -> None:
    """The package ignores max_results=0; here each is told before any request."""
    with pytest.raises(ParameterError, match=sentence):
        ask(search)
    assert apart.server.log == []


def test_a_malformed_id_in_a_search_is_named(apart: Scene, ask: Ask) -> None:
    """An id that was once read as a number is told from one that arXiv does not know."""
    with pytest.raises(DataError, match=r"'2106\.0825' needs 5 digits"):
        ask(arxiv.Search(id_list=[apart.server.truth[0].arxiv_id, "2106.0825"]))


# ---- records and results ------------------------------------------------------------------


def record(**changes: Any) -> ArxivRecord:
    fields: dict[str, Any] = {
        "arxiv_id": "math/0309136",
        "version": 2,
        "title": "On masks",
        "abstract": "We mask.",
        "authors": ("Ana Müller", "Bo van der Example Jr"),
        "categories": ("math.CO", "cs.LG"),
        "versions": (
            Version(number=1, submitted="2003-09-08T07:06:05Z"),
            Version(number=2, submitted="2004-01-02T03:04:05Z"),
        ),
        "comment": "9 pages",
        "journal_ref": "Ann. Nowhere 3",
        "doi": "10.1000/invented.7",
        "as_of": "2004-01-03",
    }
    return ArxivRecord(**(fields | changes))


BARE = {"comment": None, "journal_ref": None, "doi": None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        BARE,
        {"version": 1, "versions": (Version(number=1, submitted="2003-09-08T07:06:05Z"),)},
        {
            "version": 3,
            "versions": (
                Version(number=1, submitted="2003-09-08T07:06:05Z"),
                Version(number=3, submitted="2005-01-02T03:04:05Z", withdrawn=True),
            ),
            "withdrawn": True,
            "comment": "This paper has been withdrawn by the author",
        },
        {"versions": (Version(number=2, submitted="2004-01-02T03:04:05Z"),)},
        {
            "versions": (
                Version(number=1, submitted="2003-09-08T07:06:05Z"),
                Version(number=2, submitted=None),
            )
        },
        {"categories": ("math.CO",)},
        {"authors": ()},
    ],
    ids=["all", "bare", "v1", "withdrawn", "no-first", "no-date", "one-category", "no-authors"],
)
def test_a_record_comes_back_from_a_result(changes: dict[str, Any]) -> None:
    """Nothing that the package's type can hold is lost on the way there and back."""
    there = record(**changes)
    back = from_arxiv_result(to_arxiv_result(there), as_of=there.as_of)
    missing_first = there.versions[0].number != 1
    if missing_first:  # a result always has a first version; its date is unknown here
        there = replace(there, versions=(Version(number=1, submitted=None), *there.versions))
    assert back == there


def test_a_result_is_as_the_package_makes_it() -> None:
    """Dates with a time zone, links to abstract, PDF and DOI, ids as it reads them."""
    result = to_arxiv_result(record())
    assert result.entry_id == "http://arxiv.org/abs/math/0309136v2"
    assert result.get_short_id() == "math/0309136v2"
    assert result.published == datetime(2003, 9, 8, 7, 6, 5, tzinfo=UTC)
    assert result.updated == datetime(2004, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert result.pdf_url == "https://arxiv.org/pdf/math/0309136v2"
    assert [link.href for link in result.links][2:] == ["https://doi.org/10.1000/invented.7"]
    assert (result.primary_category, result.categories) == ("math.CO", ["math.CO", "cs.LG"])


def test_what_a_record_lacks_is_none_as_in_the_packages_results() -> None:
    """No comment is None there, and not an empty text."""
    result = to_arxiv_result(record(**BARE))
    assert (result.comment, result.journal_ref, result.doi) == (None, None, None)
    assert len(result.links) == 2


def their_result(**changes: Any) -> arxiv.Result:
    fields: dict[str, Any] = {
        "entry_id": "http://arxiv.org/abs/2101.00001v1",
        "updated": datetime(2021, 1, 1, tzinfo=UTC),
        "published": datetime(2021, 1, 1, tzinfo=UTC),
        "title": "On masks",
        "summary": "We mask.",
        "authors": [arxiv.Result.Author("Ana Müller")],
        "primary_category": "cs.LG",
        "categories": ["cs.LG"],
    }
    return arxiv.Result(**(fields | changes))


def test_texts_of_a_result_are_normalised() -> None:
    """Lines, indents and decomposed accents go; the texts compare as those of a harvest do."""
    result = their_result(
        title="On\n  masks",
        summary="  We mask\nMu\u0308ller.\n  And stop.\n",
        authors=[arxiv.Result.Author("Ana  Mu\u0308ller")],
    )
    back = from_arxiv_result(result, as_of="2021-01-02")
    assert back.title == "On masks"
    assert back.abstract == "We mask Müller. And stop."
    assert back.authors == ("Ana Müller",)
    assert (back.arxiv_id, back.version, back.as_of) == ("2101.00001", 1, "2021-01-02")


@pytest.mark.parametrize(
    "entry_id", ["https://arxiv.org/abs/2101.00001v3", "http://arxiv.org/abs/cs.LG/0601001v3"]
)
def test_the_id_of_a_result_is_made_canonical(entry_id: str) -> None:
    """Either scheme of the address, no subject class, the version apart."""
    back = from_arxiv_result(their_result(entry_id=entry_id), as_of="2021-01-02")
    assert (back.arxiv_id, back.version) in (("2101.00001", 3), ("cs/0601001", 3))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, r"2101\.00001v1: a result without title or summary"),
        ({"summary": ""}, r"2101\.00001v1: a result without title or summary"),
        ({"entry_id": ""}, "is no arXiv id"),
        ({"entry_id": "http://arxiv.org/abs/2106.0825v1"}, "once read as a number"),
    ],
)
def test_a_result_that_is_no_paper_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """A bare constructed result holds nothing that a store should keep."""
    with pytest.raises(DataError, match=sentence):
        from_arxiv_result(their_result(**changes), as_of="2021-01-02")


def test_the_first_category_is_the_primary_one() -> None:
    """Wherever it stands in the list, and once."""
    result = their_result(primary_category="cs.LG", categories=["stat.ML", "cs.LG", "cs.CV"])
    back = from_arxiv_result(result, as_of="2021-01-02")
    assert back.categories == ("cs.LG", "stat.ML", "cs.CV")
    assert to_arxiv_result(back).primary_category == "cs.LG"
