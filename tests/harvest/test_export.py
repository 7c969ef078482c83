"""Papers of a store -> a file: the same papers give the same bytes, and nothing is lost."""

import csv
import io
import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from arxiv_server import TruePaper, make_truth, write_snapshot
from pyarrow import parquet
from scenes import FakeClock, Scene

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.formats.files import read_references
from survey_tools.harvest.by_file import SnapshotWay
from survey_tools.harvest.export import COLUMNS, export_store
from survey_tools.harvest.harvester import Services, harvest
from survey_tools.harvest.ledger import Ledger
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire

SUFFIXES = (".jsonl", ".bib", ".ris", ".csv", ".parquet")


def record(arxiv_id: str, **changes: Any) -> ArxivRecord:
    """Make a record in which every field says something."""
    fields: dict[str, Any] = {
        "arxiv_id": arxiv_id,
        "version": 2,
        "title": f"Paper {arxiv_id} on masked weather",
        "abstract": "We mask, and we say so.",
        "authors": ("Ana Müller", "Bo van der Example Jr"),
        "categories": ("cs.LG", "stat.ML"),
        "versions": (
            Version(number=1, submitted="2021-01-01T10:00:00Z"),
            Version(number=2, submitted="2021-02-03T04:05:06Z"),
        ),
        "comment": "9 pages",
        "journal_ref": "Ann. Nowhere 3 (2021) 3-12",
        "doi": "10.1000/invented.7",
        "license_url": "http://creativecommons.org/licenses/by/4.0/",
        "as_of": "2021-02-04",
    }
    return ArxivRecord(**(fields | changes))


def store_of(path: Path, records: Iterable[ArxivRecord]) -> Store:
    store = Store(path)
    store.put_records(records)
    return store


def bytes_of(store: Store, folder: Path, suffix: str, **options: Any) -> bytes:
    path = folder / f"papers{suffix}"
    export_store(store, path, **options)
    return path.read_bytes()


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


PLAIN = record(
    "math/0309136",
    version=1,
    versions=(Version(number=1, submitted="2003-09-08T07:06:05Z"),),
    comment=None,
    journal_ref=None,
    doi=None,
    license_url=None,
    withdrawn=True,
)
ODD = record(
    "2101.00002",
    title='Commas, "quotes"; and, lines',
    abstract='Says: "a, b",\nthen a line.\r\nUnicode: Čebyšev — $x < y$ & more; =1+1',
)
THREE = (record("2101.00001"), ODD, PLAIN)


# ---- what a file holds --------------------------------------------------------------------


def test_a_table_has_all_that_arxiv_says(tmp_path: Path) -> None:
    """One column a field, authors and categories joined, dates and flags as documented."""
    with store_of(tmp_path / "a.db", THREE) as store:
        rows = csv_rows(bytes_of(store, tmp_path, ".csv"))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0] == {
        "arxiv_id": "2101.00001",
        "version": "2",
        "title": "Paper 2101.00001 on masked weather",
        "abstract": "We mask, and we say so.",
        "authors": "Ana Müller; Bo van der Example Jr",
        "categories": "cs.LG stat.ML",
        "published": "2021-01-01T10:00:00Z",
        "updated": "2021-02-03T04:05:06Z",
        "comment": "9 pages",
        "journal_ref": "Ann. Nowhere 3 (2021) 3-12",
        "doi": "10.1000/invented.7",
        "license_url": "http://creativecommons.org/licenses/by/4.0/",
        "withdrawn": "false",
    }
    assert rows[1]["abstract"] == ODD.abstract
    assert rows[1]["title"] == ODD.title
    assert rows[2]["withdrawn"] == "true"
    assert rows[2]["comment"] == rows[2]["doi"] == ""


def test_parquet_has_types_and_nulls(tmp_path: Path) -> None:
    """Text, a number and a flag; what is not known is null and no empty text."""
    with store_of(tmp_path / "a.db", THREE) as store:
        export_store(store, tmp_path / "papers.parquet")
    table = parquet.read_table(tmp_path / "papers.parquet")
    types = dict.fromkeys(COLUMNS, pyarrow.string())
    types |= {"version": pyarrow.int32(), "withdrawn": pyarrow.bool_()}
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == types
    rows = table.to_pylist()
    assert [row["arxiv_id"] for row in rows] == ["2101.00001", "2101.00002", "math/0309136"]
    assert [row["withdrawn"] for row in rows] == [False, False, True]
    assert rows[1]["abstract"] == ODD.abstract
    assert rows[2]["license_url"] is None
    assert rows[2]["published"] == "2003-09-08T07:06:05Z"


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    """Cell by cell, where CSV writes nothing for null."""
    with store_of(tmp_path / "a.db", THREE) as store:
        rows = csv_rows(bytes_of(store, tmp_path, ".csv"))
        export_store(store, tmp_path / "papers.parquet")
    cells = parquet.read_table(tmp_path / "papers.parquet").to_pylist()
    written = [
        {
            name: "" if value is None else str(value).lower() if value in (True, False) else value
            for name, value in row.items()
            if name != "version"
        }
        for row in cells
    ]
    assert written == [{n: v for n, v in row.items() if n != "version"} for row in rows]


def test_the_keys_of_references_are_arxiv_ids(tmp_path: Path) -> None:
    """JSON lines hold a survey's papers: key, title, abstract, authors, year, ids, link."""
    with store_of(tmp_path / "a.db", [ODD, PLAIN]) as store:
        lines = bytes_of(store, tmp_path, ".jsonl").decode().splitlines()
    assert json.loads(lines[0]) == {
        "key": "2101.00002",
        "title": ODD.title,
        "abstract": ODD.abstract,
        "authors": ["Ana Müller", "Bo van der Example Jr"],
        "year": 2021,
        "venue": "Ann. Nowhere 3 (2021) 3-12",
        "arxiv_id": "2101.00002",
        "doi": "10.1000/invented.7",
        "url": "https://arxiv.org/abs/2101.00002",
    }
    assert json.loads(lines[1])["key"] == "math/0309136"


@pytest.mark.parametrize("suffix", [".jsonl", ".bib", ".ris"])
def test_references_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    """What is exported is imported as the same papers."""
    records = [record("2101.00001"), record("2101.00003", doi=None), PLAIN]
    with store_of(tmp_path / "a.db", records) as store:
        bytes_of(store, tmp_path, suffix)
    result = read_references(tmp_path / f"papers{suffix}")
    assert result.problems == ()
    assert [paper.arxiv_base_id for paper in result.papers] == sorted(r.arxiv_id for r in records)
    for paper, source in zip(result.papers, records, strict=True):
        assert (paper.title, paper.abstract) == (source.title, source.abstract)


# ---- the same bytes -----------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_order_in_which_papers_came_does_not_matter(tmp_path: Path, suffix: str) -> None:
    """One by one, all at once, in any order, with an older version on the way: the same bytes."""
    records = [record(f"21{m:02}.0000{i}") for m in (1, 5) for i in range(1, 5)] + [ODD, PLAIN]
    records = list({each.arxiv_id: each for each in records}.values())
    with store_of(tmp_path / "a.db", records) as store:
        expected = bytes_of(store, tmp_path, suffix)
    mixed = random.Random(4).sample(records, len(records))
    with Store(tmp_path / "b.db") as store:
        first = record("2101.00001", version=1, abstract="As it was at first.")
        store.put_records([first])
        for each in mixed:
            store.put_records([each])
        store.put_records(mixed)
        assert bytes_of(store, tmp_path, suffix) == expected


@pytest.fixture(scope="module")
def papers() -> Sequence[TruePaper]:
    """Invented papers of one year, accents and mathematics included."""
    days = {"first": datetime(2023, 1, 1, tzinfo=UTC), "last": datetime(2023, 12, 31, tzinfo=UTC)}
    return make_truth(60, 6, **days)


def snapshot_store(papers: Sequence[TruePaper], folder: Path, clock: FakeClock) -> Path:
    """Import papers as a snapshot; return the store's file."""
    file = write_snapshot(papers, folder / "snapshot.json")
    services = Services(
        url="http://127.0.0.1:1/", gap_s=3.0, clock=clock, wire=HttpWire(), rng=random.Random(0)
    )
    with Store(folder / "snapshot.db") as store:
        report = harvest(SnapshotWay(file), store, services, resume="")
    assert report.status == "complete"
    return folder / "snapshot.db"


@pytest.fixture
def year(scene: Scene, papers: Sequence[TruePaper]) -> Scene:
    """Let the fake arXiv hold the papers of the year, and the harvest ask from its first day."""
    scene.server.hide([paper.arxiv_id for paper in scene.server.truth])
    scene.server.add(papers)
    scene.since = datetime(2023, 1, 1).date()
    return scene


@pytest.mark.parametrize("suffix", [".jsonl", ".bib", ".ris"])
def test_every_way_in_exports_the_same_references(
    year: Scene, papers: Sequence[TruePaper], tmp_path: Path, suffix: str
) -> None:
    """Query, ids, OAI-PMH and snapshot tell the same truth in four dialects."""
    exported = {}
    for kind in ("query", "ids", "oai"):
        path = tmp_path / f"{kind}.db"
        assert year.run(kind, store_path=path).status == "complete"
        with Store(path, read_only=True) as store:
            exported[kind] = bytes_of(store, tmp_path, suffix)
    with Store(snapshot_store(papers, tmp_path, year.clock), read_only=True) as store:
        exported["snapshot"] = bytes_of(store, tmp_path, suffix)
    expected = exported.pop("query")
    assert expected
    assert [kind for kind, data in exported.items() if data != expected] == []


def test_tables_differ_between_ways_in_by_the_license_alone(
    year: Scene, papers: Sequence[TruePaper], tmp_path: Path
) -> None:
    """The Atom feed has no license; OAI-PMH and the snapshot give the same bytes."""
    tables = {}
    for kind in ("query", "oai"):
        path = tmp_path / f"{kind}.db"
        assert year.run(kind, store_path=path).status == "complete"
        with Store(path, read_only=True) as store:
            tables[kind] = bytes_of(store, tmp_path, ".csv")
    with Store(snapshot_store(papers, tmp_path, year.clock), read_only=True) as store:
        tables["snapshot"] = bytes_of(store, tmp_path, ".csv")
    assert tables["oai"] == tables["snapshot"]
    by_query, by_day = csv_rows(tables["query"]), csv_rows(tables["oai"])
    assert {row["license_url"] for row in by_query} == {""}
    assert all(row["license_url"] for row in by_day)
    assert [row | {"license_url": ""} for row in by_day] == by_query


# ---- which papers -------------------------------------------------------------------------


def test_words_choose_papers_by_title_and_abstract(tmp_path: Path) -> None:
    """All words must occur, a phrase as it stands."""
    records = [
        record("2101.00001", title="Masked weather", abstract="Of clouds and rain."),
        record("2101.00002", title="Weather that is masked", abstract="Of rain."),
        record("2101.00003", title="Graphs", abstract="No weather here, nothing masked."),
    ]
    with store_of(tmp_path / "a.db", records) as store:

        def found(words: str) -> list[str]:
            rows = csv_rows(bytes_of(store, tmp_path, ".csv", words=words))
            return [row["arxiv_id"] for row in rows]

        assert found("masked rain") == ["2101.00001", "2101.00002"]
        assert found('"masked weather"') == ["2101.00001"]
        assert found("MASKED graphs") == ["2101.00003"]
        with pytest.raises(ParameterError, match=r"a\.db: holds no paper with snow to export"):
            export_store(store, tmp_path / "none.csv", words="snow")
    assert not (tmp_path / "none.csv").exists()


def test_words_find_papers_of_a_snapshot_that_was_just_imported(
    papers: Sequence[TruePaper], tmp_path: Path, clock: FakeClock
) -> None:
    """A bulk import leaves the full-text index for later; an export must not miss papers for it."""
    path = snapshot_store(papers, tmp_path, clock)
    word = papers[0].title.split()[-1]
    expected = {p.arxiv_id for p in papers if word in p.title.split() or word in p.abstract.split()}
    with Store(path, read_only=True) as store:  # may not write an index: finds all, or says so
        try:
            found = csv_rows(bytes_of(store, tmp_path, ".csv", words=word))
        except DataError as error:
            assert "full-text index is behind" in str(error)  # noqa: PT017
        else:
            assert expected <= {row["arxiv_id"] for row in found}
    with Store(path) as store:
        found = csv_rows(bytes_of(store, tmp_path, ".csv", words=word))
    assert expected <= {row["arxiv_id"] for row in found}


def test_a_job_chooses_the_papers_that_it_received(scene: Scene, tmp_path: Path) -> None:
    """Papers that two jobs received are of both; a job that is not there is named."""
    ids = [paper.arxiv_id for paper in scene.server.truth]
    first = scene.run(scene.way("ids", ids=[parse_arxiv_id(i) for i in ids[:3]]))
    second = scene.run(scene.way("ids", ids=[parse_arxiv_id(i) for i in ids[2:5]], refresh=True))
    with Store(scene.store_path, read_only=True) as store:
        kept = {}
        for report in (first, second):
            data = bytes_of(store, tmp_path, ".csv", job_id=report.job_id)
            kept[report.job_id] = {row["arxiv_id"] for row in csv_rows(data)}
        with pytest.raises(ParameterError, match="has no job 99; survey-tools status lists them"):
            export_store(store, tmp_path / "none.csv", job_id=99)
    assert kept == {first.job_id: set(ids[:3]), second.job_id: set(ids[2:5])}


def test_a_snapshot_job_gives_its_papers_or_says_why_not(
    papers: Sequence[TruePaper], tmp_path: Path, clock: FakeClock
) -> None:
    """A job that read a file in is listed by status; "holds no paper" would be untrue of it."""
    path = snapshot_store(papers, tmp_path, clock)
    with Store(path, read_only=True) as store:
        (job,) = Ledger(store, clock).list_jobs()
        try:
            n_papers = export_store(store, tmp_path / "job.jsonl", job_id=job.job_id)
        except ParameterError as error:
            assert "snapshot" in str(error).partition("snapshot.db")[2]  # noqa: PT017
        else:
            assert n_papers == len(papers)


# ---- where it goes ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_case_of_the_ending_does_not_matter(tmp_path: Path, suffix: str) -> None:
    """PAPERS.CSV holds what papers.csv holds."""
    with store_of(tmp_path / "a.db", THREE) as store:
        expected = bytes_of(store, tmp_path, suffix)
        assert bytes_of(store, tmp_path, suffix.upper()) == expected


@pytest.mark.parametrize("name", ["papers.docx", "papers"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    """Which file, and which endings are allowed; no file is made."""
    with (
        store_of(tmp_path / "a.db", THREE) as store,
        pytest.raises(OutputError, match=rf"{name}: papers cannot be written as .*\.jsonl"),
    ):
        export_store(store, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_store_without_papers_is_said_to_be_empty(tmp_path: Path) -> None:
    """An earlier file stays as it was."""
    (tmp_path / "papers.csv").write_text("mine")
    with (
        Store(tmp_path / "a.db") as store,
        pytest.raises(ParameterError, match=r"a\.db: holds no paper to export"),
    ):
        export_store(store, tmp_path / "papers.csv")
    assert (tmp_path / "papers.csv").read_text() == "mine"


def test_the_number_of_papers_written_is_returned(tmp_path: Path) -> None:
    """For the message of the command line."""
    with store_of(tmp_path / "a.db", THREE) as store:
        assert export_store(store, tmp_path / "papers.bib") == 3
