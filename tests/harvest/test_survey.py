"""A survey folder and a store: abstracts by id, ids by title, and every other byte as it was."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from survey_tools.errors import DataError, ParameterError, SurveyToolsError
from survey_tools.harvest.politeness import check_gap
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.resolve import Evidence, Match
from survey_tools.harvest.store import Store
from survey_tools.harvest.survey import (
    FillReport,
    SurveyFolder,
    fill_abstracts,
    ids_found,
    ids_of,
    read_decisions,
    read_harvest_settings,
    read_survey,
    write_changes,
    write_matches,
)
from survey_tools.paper import Paper

TITLE = "Masked weather maps and what they hide"


def record(arxiv_id: str = "2101.00001", **changes: Any) -> ArxivRecord:
    """Make a record of one version."""
    version = changes.pop("version", 1)
    fields: dict[str, Any] = {
        "arxiv_id": arxiv_id,
        "version": version,
        "title": TITLE,
        "abstract": f"An abstract of {arxiv_id}, version {version}.",
        "authors": ("Ada Nowhere",),
        "categories": ("cs.LG",),
        "versions": (Version(number=version, submitted=f"2021-01-0{version}T00:00:00Z"),),
        "as_of": f"2021-01-1{version}",
    }
    return ArxivRecord(**(fields | changes))


@pytest.fixture
def store(tmp_path: Path) -> Iterable[Store]:
    """Open an empty store."""
    with Store(tmp_path / "harvest.db") as opened:
        yield opened


def folder_of(tmp_path: Path, *papers: Mapping[str, Any], data: bytes | None = None) -> Path:
    """Write a survey of papers, or of the very bytes given."""
    folder = tmp_path / "survey"
    folder.mkdir(exist_ok=True)
    (folder / "survey.yaml").write_text("title: Weather\n", encoding="utf-8")
    lines = "".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers)
    (folder / "papers.jsonl").write_bytes(lines.encode() if data is None else data)
    return folder


def fill(
    tmp_path: Path, store: Store, *papers: Mapping[str, Any], **options: bool
) -> tuple[FillReport, Mapping[str, Paper]]:
    """Fill the abstracts of a survey of these papers, without writing them."""
    return fill_abstracts(read_survey(folder_of(tmp_path, *papers)), store, **options)


# ---- abstracts ----------------------------------------------------------------------------


def test_every_paper_of_a_survey_is_accounted_for_once(tmp_path: Path, store: Store) -> None:
    """Present, filled, without id, not found, refused: the lists are disjoint and add up."""
    store.put_records([record("2101.00001"), record("2101.00002", title="Of something else")])
    report, changed = fill(
        tmp_path,
        store,
        {"key": "has", "title": TITLE, "abstract": "Mine.", "arxiv_id": "2101.00001"},
        {"key": "gets", "title": TITLE, "arxiv_id": "2101.00001"},
        {"key": "lost", "title": TITLE, "arxiv_id": "2101.00009"},
        {"key": "bare", "title": TITLE},
        {"key": "other", "title": TITLE, "arxiv_id": "2101.00002"},
    )
    assert (report.n_papers, report.n_present) == (5, 1)
    assert report.filled == tuple(changed) == ("gets",)
    assert report.not_found == ("lost",)
    assert report.without_id == ("bare",)
    assert report.refused == (("other", "2101.00002", TITLE, "Of something else"),)
    named = [*report.filled, *report.not_found, *report.without_id, *(r[0] for r in report.refused)]
    assert report.n_present + len(named) == report.n_papers
    assert changed["gets"].abstract == "An abstract of 2101.00001, version 1."


def test_only_the_abstract_of_a_paper_changes(tmp_path: Path, store: Store) -> None:
    """What the survey says of the paper stays, though arXiv says it otherwise."""
    store.put_records([record()])
    mine = {
        "key": "a",
        "title": TITLE.upper(),
        "digest": "In our own words.",
        "authors": ["A. Nowhere"],
        "year": 2022,
        "venue": "Proc. Imag. Conf.",
        "arxiv_id": "2101.00001v1",
        "doi": "10.1000/mine",
    }
    _, changed = fill(tmp_path, store, mine)
    paper = changed["a"]
    assert paper.abstract == record().abstract
    others = {name: getattr(paper, name) for name in mine}
    assert others == mine | {"authors": ("A. Nowhere",)}


def test_an_abstract_of_blanks_counts_as_none(tmp_path: Path, store: Store) -> None:
    """A cell that holds a blank alone is filled like an empty one."""
    store.put_records([record()])
    report, _ = fill(
        tmp_path, store, {"key": "a", "title": TITLE, "abstract": " ", "arxiv_id": "2101.00001"}
    )
    assert report.filled == ("a",)


def test_a_version_named_gives_the_abstract_of_that_version(tmp_path: Path, store: Store) -> None:
    """The first version's text for v1, the current one's without a version, nothing for v9."""
    store.put_records([record(version=1)])
    store.put_records([record(version=2)])
    papers = [
        {"key": f"p{suffix}", "title": TITLE, "arxiv_id": f"2101.00001{suffix}"}
        for suffix in ("", "v1", "v2", "v9")
    ]
    report, changed = fill(tmp_path, store, *papers)
    told = {key: (paper.abstract or "").rpartition(", ")[2] for key, paper in changed.items()}
    assert told == {"p": "version 2.", "pv1": "version 1.", "pv2": "version 2."}
    assert report.not_found == ("pv9",)


@pytest.mark.parametrize(
    ("ours", "outcome"),
    [
        (TITLE, "filled"),
        ("MASKED Weather Maps -- and what they hide!", "filled"),
        ("Masked weather maps", "doubtful"),
        ("Graph kernels for protein folding", "refused"),
    ],
)
def test_titles_that_differ_are_named_or_refused(
    tmp_path: Path, store: Store, ours: str, outcome: str
) -> None:
    """Case and signs do not matter; a half is doubtful and filled; quite another is refused."""
    store.put_records([record()])
    report, changed = fill(tmp_path, store, {"key": "a", "title": ours, "arxiv_id": "2101.00001"})
    pair = ("a", "2101.00001", ours, TITLE)
    assert report.doubtful == ((pair,) if outcome == "doubtful" else ())
    assert report.refused == ((pair,) if outcome == "refused" else ())
    assert list(changed) == ([] if outcome == "refused" else ["a"])


def test_trusted_ids_fill_whatever_the_title_says(tmp_path: Path, store: Store) -> None:
    """The abstract is taken, and the title is still named as doubtful."""
    store.put_records([record()])
    other = {"key": "a", "title": "Graph kernels", "arxiv_id": "2101.00001"}
    report, changed = fill(tmp_path, store, other, trust_ids=True)
    assert list(changed) == ["a"]
    assert report.refused == ()
    assert [pair[0] for pair in report.doubtful] == ["a"]


def test_a_withdrawn_paper_gets_its_last_good_abstract_and_is_named(
    tmp_path: Path, store: Store
) -> None:
    """The notice that replaced the abstract is not what the paper is about."""
    store.put_records([record(version=1)])
    notice = "This paper has been withdrawn by the author."
    store.put_records([record(version=2, abstract=notice, withdrawn=True)])
    report, changed = fill(tmp_path, store, {"key": "a", "title": TITLE, "arxiv_id": "2101.00001"})
    assert report.withdrawn == ("a",)
    assert changed["a"].abstract == record(version=1).abstract


def test_refresh_replaces_an_abstract(tmp_path: Path, store: Store) -> None:
    """What is there already is taken anew where asked, and left alone where not."""
    store.put_records([record()])
    mine = {"key": "a", "title": TITLE, "abstract": "Old.", "arxiv_id": "2101.00001"}
    assert fill(tmp_path, store, mine)[1] == {}
    report, changed = fill(tmp_path, store, mine, refresh=True)
    assert report.filled == ("a",)
    assert changed["a"].abstract == record().abstract


def test_refresh_counts_papers_that_had_an_abstract_as_present(
    tmp_path: Path, store: Store
) -> None:
    """An abstract that is the same at arXiv was there before; one without id is not lacking."""
    store.put_records([record()])
    same = {"key": "a", "title": TITLE, "abstract": record().abstract, "arxiv_id": "2101.00001"}
    mine = {"key": "b", "title": "My own", "abstract": "Mine."}
    report, changed = fill(tmp_path, store, same, mine, refresh=True)
    assert (report.n_present, report.filled, dict(changed)) == (2, (), {})
    assert report.without_id == ()


def test_the_ids_of_papers_keep_their_versions() -> None:
    """What is asked of arXiv is what the survey names; papers without id ask nothing."""
    papers = [
        Paper(key="a", title="A", arxiv_id="math.GT/0309136v2"),
        Paper(key="b", title="B"),
        Paper(key="c", title="C", arxiv_id="2101.00001"),
    ]
    assert [str(arxiv_id) for arxiv_id in ids_of(papers)] == ["math/0309136v2", "2101.00001"]


# ---- the file -----------------------------------------------------------------------------

ODD_LINES = (
    b'{"title": "One",   "key": "a", "year": 2020}\n'  # not our order, not our blanks
    b"\n"
    b'{"key": "b", "title": "\\u00dcbung", "arxiv_id": "2101.00001"}\r\n'
    b'  {"key": "c", "title": "Three"}  \n'
    b'{"key": "d", "title": "Vier \xc3\xbc", "arxiv_id": "2101.00002"}'  # no end of line
)


def changed_line(folder: SurveyFolder, key: str) -> Mapping[str, Paper]:
    return {key: Paper(key=key, title=folder.corpus[key].title, abstract="Neu: ü.")}


@pytest.mark.parametrize("key", ["b", "d"])
def test_lines_of_other_papers_stay_byte_for_byte(tmp_path: Path, key: str) -> None:
    """Blanks, order of fields, escapes, blank lines, line ends and a missing last one stay."""
    survey = read_survey(folder_of(tmp_path, data=ODD_LINES))
    write_changes(survey, changed_line(survey, key))
    before, after = ODD_LINES.split(b"\n"), survey.papers_path.read_bytes().split(b"\n")
    i = next(i for i, line in enumerate(before) if f'"{key}"'.encode() in line)
    assert len(after) == len(before)
    assert after[:i] + after[i + 1 :] == before[:i] + before[i + 1 :]
    assert json.loads(after[i])["abstract"] == "Neu: ü."
    assert after[i].endswith(b"\r") is before[i].endswith(b"\r")


def test_the_file_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    """A link goes on pointing at the file, and who may read it stays."""
    folder = folder_of(tmp_path, data=ODD_LINES)
    real = tmp_path / "elsewhere.jsonl"
    (folder / "papers.jsonl").rename(real)
    (folder / "papers.jsonl").symlink_to(real)
    real.chmod(0o640)
    survey = read_survey(folder)
    write_changes(survey, changed_line(survey, "b"))
    assert (folder / "papers.jsonl").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert b"Neu" in real.read_bytes()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["papers.jsonl", "survey.yaml"]


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    """The file is the same one, not a copy of it."""
    survey = read_survey(folder_of(tmp_path, data=ODD_LINES))
    before = survey.papers_path.stat()
    write_changes(survey, {})
    after = survey.papers_path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """A person who edits while arXiv is asked loses nothing."""
    survey = read_survey(folder_of(tmp_path, data=ODD_LINES))
    edited = ODD_LINES.replace(b"One", b"Eins")
    survey.papers_path.write_bytes(edited)
    with pytest.raises(DataError, match=r"papers\.jsonl: was changed meanwhile; run the same"):
        write_changes(survey, changed_line(survey, "b"))
    assert survey.papers_path.read_bytes() == edited


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda folder: folder.rename(folder.with_name("gone")), "survey: no such folder; a surv"),
        (lambda folder: (folder / "survey.yaml").unlink(), r"survey\.yaml: no such file"),
        (lambda folder: (folder / "papers.jsonl").unlink(), r"papers\.jsonl: no such file"),
        (lambda folder: (folder / "papers.jsonl").write_text("{"), r"papers\.jsonl:1: not valid"),
    ],
    ids=["no-folder", "no-settings", "no-papers", "no-json"],
)
def test_a_survey_that_cannot_be_read_is_named(
    tmp_path: Path, break_it: Any, sentence: str
) -> None:
    """Which file, and what is wrong with it."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    break_it(folder)
    with pytest.raises(DataError, match=sentence):
        read_survey(folder)


# ---- where arXiv is asked -----------------------------------------------------------------

YAML, ENVIRONMENT, OPTION = ("http://127.0.0.1:1/yaml", "http://127.0.0.1:1/env", "http://[::1]/x")


@pytest.mark.parametrize(
    ("in_yaml", "in_environment", "in_options", "wins"),
    [
        (True, True, True, OPTION),
        (True, True, False, ENVIRONMENT),
        (True, False, False, YAML),
        (True, False, True, OPTION),
        (False, True, False, ENVIRONMENT),
        (False, False, False, "https://export.arxiv.org/api/query"),
    ],
)
def test_options_go_before_the_environment_and_that_before_the_file(
    tmp_path: Path, in_yaml: bool, in_environment: bool, in_options: bool, wins: str
) -> None:
    """The nearest to the user's hand counts; without any of them arXiv itself is asked."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    if in_yaml:
        (folder / "survey.yaml").write_text(f"title: x\nharvest:\n  api_url: {YAML}\n")
    environment = {"SURVEY_TOOLS_API_URL": ENVIRONMENT} if in_environment else {}
    options = {"api_url": OPTION if in_options else None, "gap_s": None}
    assert read_harvest_settings(folder, options, environment).api_url == wins


def test_every_setting_of_the_environment_is_read() -> None:
    """Addresses, gap and contact; empty ones count as not set."""
    environment = {
        "SURVEY_TOOLS_API_URL": "http://127.0.0.1:1/a",
        "SURVEY_TOOLS_OAI_URL": "http://127.0.0.1:1/o",
        "SURVEY_TOOLS_GAP_S": "4.5",
        "SURVEY_TOOLS_CONTACT": "ada@example.org",
    }
    settings = read_harvest_settings(None, {}, environment)
    found = (settings.api_url, settings.oai_url, settings.gap_s, settings.contact)
    assert found == ("http://127.0.0.1:1/a", "http://127.0.0.1:1/o", 4.5, "ada@example.org")
    unset = read_harvest_settings(None, {}, dict.fromkeys(environment, ""))
    assert (unset.gap_s, unset.contact) == (3.0, None)


@pytest.mark.parametrize(
    ("options", "environment", "text", "sentence"),
    [
        ({}, {"SURVEY_TOOLS_GAP_S": "soon"}, "", "SURVEY_TOOLS_GAP_S='soon' is no number of sec"),
        ({}, {"SURVEY_TOOLS_API_URL": "ftp://x"}, "", "SURVEY_TOOLS_API_URL.*'ftp://x' arrived"),
        ({"gap_s": -1.0}, {}, "", r"gap_s: .*greater than or equal to 0, but -1\.0 arrived"),
        ({"gap_s": float("nan")}, {}, "", "gap_s: .*finite number, but nan arrived"),
        ({"api_url": "export.arxiv.org"}, {}, "", "api_url: .*'export.arxiv.org' arrived"),
        ({}, {}, "harvest:\n  gap_s: fast\n", r"survey\.yaml:3: harvest\.gap_s: .*'fast' arrived"),
        ({}, {}, "harvest:\n  gaps: 3\n", r"survey\.yaml:3: .*gaps.*did you mean 'gap_s'"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named_where_it_stands(
    tmp_path: Path,
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    text: str,
    sentence: str,
) -> None:
    """The option, the variable, or file and line; what arrived."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    (folder / "survey.yaml").write_text(f"title: x\n{text}")
    with pytest.raises(SurveyToolsError, match=sentence):
        read_harvest_settings(folder, options, environment)


@pytest.mark.parametrize("gap_s", [0.0, 2.999])
@pytest.mark.parametrize(
    "url",
    [
        "https://export.arxiv.org/api/query",
        "http://mirror.example.org/api",
        "http://127.example.org/api",
        "http://127.0.0.1.example.org/api",
        "http://localhost.example.org/api",
    ],
)
def test_only_this_machine_may_be_asked_faster(url: str, gap_s: float) -> None:
    """A name that begins like an address of this machine is no address of this machine."""
    with pytest.raises(ParameterError, match="ask for at least 3 seconds between requests"):
        check_gap(url, gap_s)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x", "http://127.9.9.9/x"],
)
def test_a_server_on_this_machine_may_be_asked_at_once(url: str) -> None:
    """Loopback addresses take any gap; so does a raised gap anywhere."""
    check_gap(url, 0.0)
    check_gap("https://export.arxiv.org/api/query", 3.0)
    check_gap("https://export.arxiv.org/api/query", 60.0)


# ---- ids by title -------------------------------------------------------------------------


def match(key: str, decision: Any, arxiv_id: str | None, proposed: str | None = None) -> Match:
    found = arxiv_id or proposed
    return Match(
        key=key,
        title=f"Title of {key}",
        decision=decision,
        arxiv_id=arxiv_id,
        reason="because",
        evidence=Evidence(arxiv_id=found, method="words", score=90.0) if found else None,
    )


def test_ids_found_never_replace_an_id(tmp_path: Path) -> None:
    """Papers without id get the one decided on; an id that is there stays, version and all."""
    survey = read_survey(
        folder_of(
            tmp_path,
            {"key": "has", "title": "A", "arxiv_id": "2101.00001v2"},
            {"key": "gets", "title": "B"},
            {"key": "doubt", "title": "C"},
        )
    )
    matches = [
        match("has", "given", "2101.00001"),
        match("gets", "auto", "2101.00002"),
        match("doubt", "review", None, "2101.00003"),
    ]
    changed = ids_found(survey, matches)
    assert {key: paper.arxiv_id for key, paper in changed.items()} == {"gets": "2101.00002"}


def test_decisions_come_back_from_the_review_file(tmp_path: Path) -> None:
    """What is written without an answer decides nothing; answers are read by key."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    assert read_decisions(folder) == {}
    matches = [
        match("a", "review", None, "2101.00001"),
        match("b", "review", None, "2101.00002"),
        match("c", "auto", "2101.00003"),
    ]
    write_matches(folder, matches)
    assert read_decisions(folder) == {}
    path = folder / "resolve-review.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["key", "a", "b"]
    path.write_text("\n".join([lines[0], lines[1] + "yes", lines[2] + "no"]), encoding="utf-8")
    assert read_decisions(folder) == {"a": "2101.00001", "b": None}


def test_the_table_of_matches_names_every_paper(tmp_path: Path) -> None:
    """One row a paper with its decision, whatever it was."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    write_matches(folder, [match("b", "auto", "2101.00002"), match("a", "unmatched", None)])
    rows = (folder / "resolve-matches.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[:4:2] for row in rows] == [["a", "unmatched"], ["b", "auto"]]


def test_a_review_file_that_a_spreadsheet_spoilt_is_named(tmp_path: Path) -> None:
    """File and line; the survey is not touched."""
    folder = folder_of(tmp_path, {"key": "a", "title": "A"})
    (folder / "resolve-review.csv").write_text("key,arxiv_id,accept\na,2106.0825,yes\n")
    with pytest.raises(DataError, match=r"resolve-review\.csv:2: arxiv_id: .*once read as a num"):
        read_decisions(folder)
