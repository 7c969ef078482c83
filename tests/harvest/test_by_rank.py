"""The first results of a query: one page, in arXiv's order, confirmed where it looks short."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from arxiv_server import ArxivServer, TruePaper
from scenes import Scene

from survey_tools.errors import ParameterError
from survey_tools.harvest.by_rank import N_MOST, RankWay, check_understood
from survey_tools.harvest.harvester import HarvestReport
from survey_tools.harvest.query import parse_query
from survey_tools.harvest.store import Store

QUERY = "cat:cs.LG OR cat:cs.CV OR cat:hep-th OR cat:stat.ML OR cat:math.CO"
CATEGORIES = {"cs.LG", "cs.CV", "hep-th", "stat.ML", "math.CO"}


def found(server: ArxivServer, key: Callable[[TruePaper], Any]) -> list[str]:
    """Ids that the query finds, the highest key first; papers with one key are not told apart."""
    papers = [paper for paper in server.truth if CATEGORIES & set(paper.categories)]
    assert len(papers) > 12
    return [paper.arxiv_id for paper in sorted(papers, key=key, reverse=True)]


def latest(server: ArxivServer) -> list[str]:
    return found(server, lambda paper: paper.versions[0].submitted)


@pytest.fixture
def apart(scene: Scene) -> Scene:
    """Give every paper a second of submission of its own, so that the order is one."""
    papers = [
        replace(
            paper,
            versions=tuple(
                version._replace(submitted=version.submitted.replace(microsecond=0, second=i % 60))
                for version in paper.versions
            ),
        )
        for i, paper in enumerate(scene.server.truth)
    ]
    scene.server.add(papers)
    return scene


def rank(scene: Scene, max_results: int = 10, **order: Any) -> RankWay:
    query = parse_query(QUERY)
    return RankWay(query, url=scene.server.api_url, max_results=max_results, **order)


def stored(scene: Scene) -> set[str]:
    return set(scene.stored())


@pytest.mark.parametrize("max_results", [-1, 0, N_MOST + 1])
def test_a_number_of_results_that_one_page_cannot_hold_is_refused(max_results: int) -> None:
    """Nothing and more than 2,000 are told apart from a small answer, before any request."""
    with pytest.raises(ParameterError, match=f"max_results={max_results}: 1 to 2,000 are allowed"):
        RankWay(parse_query("ti:a"), url="http://127.0.0.1:1/", max_results=max_results)


def test_the_latest_papers_come_in_arxivs_order(apart: Scene) -> None:
    """One request, as many papers as asked, the latest submission first."""
    way = rank(apart)
    report = apart.run(way)
    assert (report.status, report.n_records, report.n_requests) == ("complete", 10, 1)
    assert list(way.ids) == latest(apart.server)[:10]
    assert stored(apart) == set(way.ids)


def test_the_order_can_be_chosen(apart: Scene) -> None:
    """The earliest first, or the latest change; the parameters are arXiv's own."""
    way = rank(apart, 5, sort_order="ascending")
    apart.run(way)
    assert list(way.ids) == latest(apart.server)[::-1][:5]
    way = rank(apart, 5, sort_by="lastUpdatedDate")
    apart.run(way)
    changed = found(apart.server, lambda paper: paper.versions[-1].submitted)
    assert list(way.ids) == changed[:5]
    assert apart.server.log[-1].params["sortBy"] == "lastUpdatedDate"


def test_fewer_papers_than_asked_are_complete(apart: Scene) -> None:
    """A query that finds less is answered in one request, too."""
    way = rank(apart, N_MOST)
    report = apart.run(way)
    assert (report.status, report.n_requests) == ("complete", 1)
    assert list(way.ids) == latest(apart.server)


def test_the_same_day_asks_nothing_and_the_next_day_asks_again(apart: Scene) -> None:
    """What is new at arXiv appears once a day, and comes then."""
    apart.run(rank(apart))
    assert apart.run(rank(apart)).n_requests == 0
    apart.next_day()
    old = apart.server.truth[0]
    submitted = datetime(2026, 11, 20, 12, tzinfo=UTC)
    fresh = replace(
        old,
        arxiv_id="2611.09999",
        categories=("cs.LG",),
        versions=(old.versions[0]._replace(submitted=submitted, withdrawn=False),),
        datestamp=submitted.date(),
    )
    apart.server.add([fresh])
    way = rank(apart)
    report = apart.run(way)
    assert report.n_requests == 1
    assert way.ids[0] == "2611.09999"
    assert report.stored.n_new == 1


# ---- pages that are not what they seem ----------------------------------------------------


@pytest.mark.parametrize("fault", ["anomalous-empty", "empty-page", "short-page", "duplicates"])
def test_a_page_that_looks_short_is_asked_again(apart: Scene, fault: str) -> None:
    """Once is the way here; the second answer is whole."""
    apart.server.schedule(fault)
    way = rank(apart)
    report = apart.run(way)
    assert (report.status, report.n_requests) == ("complete", 2)
    assert list(way.ids) == latest(apart.server)[:10]


def test_no_results_are_believed_after_a_second_answer(apart: Scene) -> None:
    """A query that finds nothing is complete, and asked twice."""
    way = RankWay(parse_query("cat:econ.XX"), url=apart.server.api_url, max_results=5)
    report = apart.run(way)
    assert (report.status, report.n_records, report.n_requests) == ("complete", 0, 2)


def run_spoilt(scene: Scene, fault: str, **options: Any) -> HarvestReport:
    scene.server.schedule(fault, times=None, **options)
    report = scene.run(rank(scene))
    scene.server.clear_schedule()
    return report


@pytest.mark.parametrize(("fault", "options"), [("short-page", {"m": 2}), ("duplicates", {"m": 2})])
def test_a_page_that_stays_short_is_incomplete_by_the_right_number(
    apart: Scene, fault: str, options: dict[str, int]
) -> None:
    """Two papers never come: what is said to have come are the distinct ones."""
    report = run_spoilt(apart, fault, **options)
    assert report.status == "incomplete"
    (missing,) = report.missing
    assert missing.what == "the first 10 results"
    assert missing.reason == "arXiv counts 10 papers, 8 came"
    assert len(stored(apart)) == 8


def test_what_was_short_is_asked_again_by_the_next_run(apart: Scene) -> None:
    """On the same day: the job is open, not answered."""
    run_spoilt(apart, "short-page")
    way = rank(apart)
    report = apart.run(way)
    assert report.status == "complete"
    assert list(way.ids) == latest(apart.server)[:10]


def test_a_malformed_entry_is_fetched_by_id(apart: Scene) -> None:
    """It counts as a result, waits in quarantine, and comes whole."""
    apart.server.schedule("malformed-entry", index=2)
    way = rank(apart)
    report = apart.run(way)
    assert (report.status, report.n_quarantined) == ("complete", 0)
    assert stored(apart) == set(latest(apart.server)[:10])
    assert set(way.ids) == stored(apart)


# ---- what arXiv understood ----------------------------------------------------------------


@pytest.mark.parametrize(
    "echo",
    [
        "search_query=ti:a AND (ti:b OR ti:c)&id_list=&start=0&max_results=1",
        "search_query=ti:a OR ti:b OR ti:c&id_list=&start=0&max_results=1",
        "search_query=all:a AND ti:b OR ti:c",
    ],
)
def test_another_query_than_was_meant_is_refused(echo: str) -> None:
    """Both readings are shown, and what to do."""
    meant = parse_query("ti:a AND ti:b OR ti:c")
    with pytest.raises(ParameterError, match=r"arXiv reads the query as .*, meant was \(ti:a AND"):
        check_understood(meant, echo)


@pytest.mark.parametrize("echo", ["", None, "search_query=(ti:a AND ti:b) OR ti:c&id_list=", "x"])
def test_the_same_query_or_no_readable_echo_passes(echo: str | None) -> None:
    """An echo in a form that nobody knows is no reason to stop."""
    check_understood(parse_query("ti:a AND ti:b OR ti:c"), echo)


def test_a_misread_query_stores_nothing(apart: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results of another question are not the user's."""
    atom = apart.server.atom
    answer = atom.answer
    monkeypatch.setattr(
        atom, "answer", lambda params, n: replace(answer(params, n), echo="search_query=all:LG&id_")
    )
    with pytest.raises(ParameterError, match="nothing was stored"):
        apart.run(rank(apart))
    with Store(apart.store_path, read_only=True) as store:
        assert store.count().n_papers == 0
