"""The harvester at the command line: what it prints, returns, writes, and leaves alone.

A server that behaves like arXiv runs in this process (`arxiv_server`); commands run in this
process too, but for signals, terminals and disks, which need processes of their own.
"""

import csv
import io
import json
import os
import re
import shlex
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import arxiv_atom
import pytest
import typer.main
from arxiv_catalogue import Row
from arxiv_server import ArxivServer, TruePaper, make_truth, write_snapshot
from test_cli import FAST, HEAVY, PYTHON, ROOT, assert_one_line, snapshot
from typer.testing import CliRunner, Result

from survey_tools.cli import app
from survey_tools.harvest.store import Store
from survey_tools.settings import HarvestSettings

COMMANDS = ("import", "harvest", "resolve", "status", "export")
HEAVIER = (*HEAVY, "httpx", "arxiv", "pyarrow", "rapidfuzz", "bibtexparser", "sqlite3", "rispy")
FROM = ("--from", "2022-01-01", "--until", "2023-12-31")
DAYS = {"first": datetime(2022, 1, 1, tzinfo=UTC), "last": datetime(2023, 12, 31, tzinfo=UTC)}


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep locks, data folder and settings of this machine out of it."""
    gate = tmp_path / ".gate"
    gate.mkdir()
    monkeypatch.setenv("TMPDIR", str(gate))
    monkeypatch.setattr(tempfile, "tempdir", str(gate))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / ".data"))
    for name in ("API_URL", "OAI_URL", "GAP_S", "CONTACT"):
        monkeypatch.delenv(f"SURVEY_TOOLS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def _one_ssl_context() -> Iterator[None]:
    """Load the certificates once, not for each request to loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="module")
def papers() -> list[TruePaper]:
    """Invent papers of two past years, whatever day it is."""
    return make_truth(60, 2, withdrawn_share=0.1, **DAYS)


@pytest.fixture
def server(papers: list[TruePaper]) -> Iterator[ArxivServer]:
    """Serve them, on the very day on which the tests run."""
    with ArxivServer(papers, today=datetime.now(UTC).date()) as running:
        yield running


def at(server: ArxivServer) -> list[object]:
    """Options that point a command at the server."""
    return ["--api-url", server.api_url, "--oai-url", server.oai_url, "--gap-s", 0]


def at_api(server: ArxivServer) -> list[object]:
    return ["--api-url", server.api_url, "--gap-s", 0]


def invoke(*arguments: object) -> Result:
    """Run a command in this process, with the words that a shell would give."""
    words = [str(argument) for argument in arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["survey-tools", *words])
        return CliRunner().invoke(app, words)


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Run a command in a process of its own."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*PYTHON, *map(str, arguments)], **(given | options))


def run(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def harvested(*arguments: object) -> Result:
    """Harvest completely, or say what went wrong."""
    result = invoke("harvest", *arguments)
    assert result.exit_code == 0, result.output
    assert result.exception is None
    return result


def resume_words(errors: str) -> list[str]:
    """Return the words of the command that goes on, as a shell reads what was printed."""
    (line,) = (line for line in errors.splitlines() if line.startswith("resume: "))
    words = shlex.split(line.removeprefix("resume: "))
    assert words[0] == "survey-tools"
    return words[1:]


def ids_in(store: Path) -> set[str]:
    with Store(store, read_only=True) as opened:
        return {record.arxiv_id for record in opened.iterate()}


def ids_of(papers: Sequence[TruePaper]) -> set[str]:
    return {paper.arxiv_id for paper in papers}


def make_survey(folder: Path, *papers: dict[str, Any], settings: str = "") -> Path:
    """Write a survey folder of papers."""
    folder.mkdir(parents=True)
    (folder / "survey.yaml").write_text(f"title: A survey\n{settings}", encoding="utf-8")
    lines = "".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers)
    (folder / "papers.jsonl").write_text(lines, encoding="utf-8")
    return folder


def entry(paper: TruePaper, **changes: Any) -> dict[str, Any]:
    """Write a true paper as a survey has it before a harvest."""
    fields = {"key": f"k{paper.arxiv_id}", "title": paper.title, "arxiv_id": paper.arxiv_id}
    return fields | changes


def read_papers(survey: Path) -> dict[str, dict[str, Any]]:
    lines = (survey / "papers.jsonl").read_text(encoding="utf-8").splitlines()
    return {paper["key"]: paper for paper in map(json.loads, filter(None, lines))}


def asked(server: ArxivServer) -> int:
    return len(server.log)


# ---- ways in ------------------------------------------------------------------------------


def most_common(papers: Sequence[TruePaper], *, among: str) -> str:
    counts = Counter(name for p in papers for name in p.categories if name.startswith(among))
    return counts.most_common(1)[0][0]


def test_a_query_brings_the_papers_that_match(server: ArxivServer, tmp_path: Path) -> None:
    """AND binds tighter than OR, as people mean it and arXiv's grammar does not."""
    category = most_common(server.truth, among="cond-mat")
    author = next(p for p in server.truth if category not in p.categories).authors[0].split()[-1]
    expected = {
        paper.arxiv_id
        for paper in server.truth
        if any(author in name for name in paper.authors)
        or (category in paper.categories and "e" in paper.title)
    }
    assert 0 < len(expected) < len(server.truth)
    query = f"au:{author} OR cat:{category} AND submittedDate:[202201010000 TO 202312312359]"
    result = harvested("--query", query, "--store", tmp_path / "a.db", *at(server))
    assert ids_in(tmp_path / "a.db") == expected
    assert result.stdout.startswith(f"complete: {len(expected)} records, {len(expected)} new; ")
    assert f"au:{author} OR (cat:{category} AND" in server.log[0].params["search_query"]


@pytest.mark.parametrize("days", ["[2022 TO 2023]", "[202201 TO 202312]", "[20220101 TO 20231231]"])
def test_dates_in_a_query_can_be_short(server: ArxivServer, tmp_path: Path, days: str) -> None:
    """Years, months or days: arXiv completes them, and understands what was meant."""
    harvested("--query", f"cat:* AND submittedDate:{days}", "--store", "a.db", *at(server))
    assert ids_in(Path("a.db")) == ids_of(server.truth)


def test_dates_are_inclusive(server: ArxivServer, tmp_path: Path) -> None:
    """First and last day of submission, both of them."""
    days = sorted({paper.versions[0].submitted.date() for paper in server.truth})
    first, last = days[5], days[-5]
    harvested("--from", first, "--until", last, "--store", tmp_path / "a.db", *at(server))
    expected = {p.arxiv_id for p in server.truth if first <= p.versions[0].submitted.date() <= last}
    assert ids_in(tmp_path / "a.db") == expected


@pytest.mark.parametrize("form", ["words", "commas", "file", "links", "many"])
def test_ids_can_be_given_in_many_forms(server: ArxivServer, tmp_path: Path, form: str) -> None:
    """One by one, with commas, as a file with remarks, as links; some or all of them."""
    some = server.truth if form == "many" else server.truth[:4]
    ids = [paper.arxiv_id for paper in some]
    if form == "words":
        options: list[object] = [word for each in ids for word in ("--ids", each)]
    elif form == "links":
        options = ["--ids", " ".join(f"https://arxiv.org/abs/{each}v1" for each in ids)]
    elif form == "file":
        text = f"# mine\n{ids[0]}, {ids[1]}\n\narXiv:{ids[2]}   # the third\n{ids[3]}\n"
        (tmp_path / "ids.txt").write_text(text)
        options = ["--ids", tmp_path / "ids.txt"]
    else:
        options = ["--ids", ",".join(ids)]
    harvested(*options, "--store", tmp_path / "a.db", *at(server))
    assert ids_in(tmp_path / "a.db") == set(ids)


def test_a_set_and_all_of_arxiv_come_by_oai(server: ArxivServer, tmp_path: Path) -> None:
    """--oai-set follows a set, --oai everything."""
    category = most_common(server.truth, among="cs.")
    expected = {p.arxiv_id for p in server.truth if category in p.categories}
    name = category.replace("cs.", "cs:cs:")
    options = ["--from", "2022-01-01", "--store", tmp_path / "a.db", *at(server)]
    harvested("--oai-set", name, *options)
    assert ids_in(tmp_path / "a.db") == expected
    harvested("--oai", *options)
    assert ids_in(tmp_path / "a.db") == ids_of(server.truth)
    assert {request.service for request in server.log} == {"oai"}


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
def test_a_snapshot_is_read_without_a_request(papers: list[TruePaper], kind: Any) -> None:
    """Offline, in any packing; the bulk file's own name does not matter."""
    file = write_snapshot(papers, Path("metadata"), kind)
    result = harvested("--snapshot", file, "--store", "a.db")
    assert result.stdout == "complete: 60 records, 60 new; 0 requests\n"
    assert ids_in(Path("a.db")) == ids_of(papers)


def test_only_the_latest_results_where_asked(server: ArxivServer, tmp_path: Path) -> None:
    """--max-results takes the newest papers of a query in one request."""
    query = "submittedDate:[202201010000 TO 202312312359]"
    options = ["--query", query, "--max-results", 5, "--store", tmp_path / "a.db"]
    assert harvested(*options, *at(server)).stdout == "complete: 5 records, 5 new; 1 request\n"
    when = {paper.arxiv_id: paper.versions[0].submitted for paper in server.truth}
    found = ids_in(tmp_path / "a.db")
    assert min(when[each] for each in found) >= sorted(when.values())[-5]


@pytest.mark.parametrize(
    "way",
    [FROM, ("--ids", "ID"), ("--oai", "--from", "2022-01-01"), ("--snapshot", "FILE")],
    ids=lambda way: way[0],
)
def test_a_second_run_asks_nothing_and_adds_nothing(
    server: ArxivServer, tmp_path: Path, way: Sequence[str]
) -> None:
    """What was answered today, or is closed, is not asked for again."""
    file = write_snapshot(server.truth, tmp_path / "snapshot.json")
    words = {"ID": server.truth[0].arxiv_id, "FILE": str(file)}
    options = [*(words.get(word, word) for word in way), "--store", tmp_path / "a.db", *at(server)]
    first = harvested(*options).stdout
    before, ids = asked(server), ids_in(tmp_path / "a.db")
    again = harvested(*options).stdout
    assert asked(server) == before
    assert ids_in(tmp_path / "a.db") == ids
    n_records = first.partition(",")[0]
    assert again == f"{n_records}, 0 new; 0 requests\n"


def test_refresh_asks_again_and_sees_what_changed(server: ArxivServer, tmp_path: Path) -> None:
    """Closed windows are asked anew only where that is asked for."""
    options = [*FROM, "--store", tmp_path / "a.db", *at(server)]
    harvested(*options)
    old = server.truth[0]
    server.add([_with_title(old, "Another title altogether")])
    assert "0 new; 0 requests" in harvested(*options).stdout
    assert "0 new, 1 changed; " in harvested(*options, "--refresh").stdout
    with Store(tmp_path / "a.db", read_only=True) as store:
        record = store.get_record(old.arxiv_id)
    assert record is not None
    assert record.title == "Another title altogether"


def _with_title(paper: TruePaper, title: str) -> TruePaper:
    return replace(paper, title=title)


# ---- refusals -----------------------------------------------------------------------------

REFUSED: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "nothing": ([], ("say what to harvest", "--query", "--snapshot")),
    "empty-query": (["--query", ""], ("the query is empty",)),
    "blank-query": (["--query", " \t"], ("the query is empty",)),
    "empty-query-and-ids": (["--query", "", "--ids", "2201.00001"], ("query is empty",)),
    "empty-query-and-oai": (["--query", " ", "--oai"], ("query is empty",)),
    "open-phrase": (["--query", 'ti:"masked'], ("a double quote is never closed",)),
    "unknown-field": (["--query", "titel:x"], ("unknown field 'titel'", "allowed: ti, au")),
    "not-utf-8": (["--query", "ti:\udcff"], ("ti:",)),
    "two-ways": (["--query", "ti:a", "--oai"], ("give one way in", "--query", "--oai arrived")),
    "backwards": (
        ["--from", "2023-02-01", "--until", "2023-01-31"],
        ("the dates run backwards: 2023-02-01 is after 2023-01-31",),
    ),
    "backwards-oai": (
        ["--oai", "--from", "2023-02-01", "--until", "2023-01-31"],
        ("the dates run backwards",),
    ),
    "no-day": (["--from", "2023-02-30"], ("--from 2023-02-30: is no day; write YYYY-MM-DD",)),
    "max-0": (
        ["--query", "ti:a", "--max-results", "0"],
        ("max", "results=0: 1 to 2,000 are allowed"),
    ),
    "max-many": (["--query", "ti:a", "--max-results", "2001"], ("1 to 2,000 are allowed",)),
    "max-alone": (["--max-results", "5", "--from", "2023-01-01"], ("goes with --query",)),
    "max-and-dates": (
        ["--query", "ti:a", "--max-results", "5", "--from", "2023-01-01"],
        ("--max-results takes no dates",),
    ),
    "no-ids": (["--ids", " , "], ("--ids: no id is given",)),
    "no-snapshot": (["--snapshot", "gone.json"], ("gone.json: cannot be read", "No such file")),
    "snapshot-folder": (["--snapshot", "."], ("cannot be read",)),
    "no-survey": (["nowhere"], ("nowhere: no such folder",)),
    "no-survey-offline": (["nowhere", "--offline"], ("nowhere: no such folder",)),
    "offline-query": (["--offline", "--query", "ti:a"], ("--offline goes with a survey folder",)),
    "gap": (
        ["--query", "ti:a", "--gap-s", "2.9", "--api-url", "https://export.arxiv.org/api/query"],
        ("gap_s=2.9: arXiv's terms ask for at least 3 seconds",),
    ),
    "gap-oai": (
        ["--oai", "--gap-s", "1", "--oai-url", "https://oaipmh.arxiv.org/oai"],
        ("gap_s=1: arXiv's terms ask for at least 3 seconds",),
    ),
    "gap-negative": (["--query", "ti:a", "--gap-s", "-1"], ("gap_s", "-1.0 arrived")),
    "gap-nan": (["--query", "ti:a", "--gap-s", "nan"], ("gap_s", "nan arrived")),
    "url": (["--query", "ti:a", "--api-url", "ftp://x"], ("api_url", "'ftp://x' arrived")),
    "url-bracket": (["--query", "ti:a", "--api-url", "http://[bad"], ("http://[bad",)),
    "contact-lines": (["--query", "ti:a", "--contact", "a\nX-Role: admin"], ("contact",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_harvested_is_one_line_and_leaves_no_store(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault named in a sentence; no file, no folder, no request."""
    from survey_tools.harvest.wire import HttpWire

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a request was sent")

    monkeypatch.setattr(HttpWire, "send", fail)
    options, parts = REFUSED[case]
    before = snapshot(tmp_path)
    assert_one_line(invoke("harvest", *options), *parts)
    assert_one_line(invoke("harvest", *options, "--store", "deep/down/a.db"), *parts)
    assert snapshot(tmp_path) == before


Break = Callable[[Path], object]
BROKEN: dict[str, tuple[Break, tuple[str, ...]]] = {
    "no-settings": (lambda f: (f / "survey.yaml").unlink(), ("survey.yaml: no such file",)),
    "no-papers": (lambda f: (f / "papers.jsonl").unlink(), ("papers.jsonl: no such file",)),
    "bad-papers": (
        lambda f: (f / "papers.jsonl").write_text('{"key": "a"\n'),
        ("papers.jsonl:1: not valid JSON",),
    ),
    "number-for-id": (
        lambda f: (f / "papers.jsonl").write_text('{"key":"a","title":"A","arxiv_id":2106.08250}'),
        ("papers.jsonl:1", "arxiv_id", "2106.08250"),
    ),
    "bad-setting": (
        lambda f: (f / "survey.yaml").write_text("title: x\nharvest:\n  gap: 3\n"),
        ("survey.yaml:3", "did you mean 'gap_s'"),
    ),
}


@pytest.mark.parametrize("command", ["harvest", "resolve"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_survey_that_cannot_be_read_gets_no_store(
    tmp_path: Path, case: str, command: str
) -> None:
    """The file named and the fault; nothing is made beside it."""
    spoil, parts = BROKEN[case]
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"})
    spoil(survey)
    before = snapshot(survey)
    assert_one_line(invoke(command, survey, "--offline"), *parts)
    assert snapshot(survey) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["resolve", "nowhere"],
        ["status"],
        ["status", "nowhere"],
        ["status", "--store", "gone.db"],
        ["export", "-o", "x.csv", "--store", "gone.db"],
        ["export", "-o", "x.csv", "--store", "gone.db", "--match", "masks"],
        ["export", "nowhere", "-o", "x.csv"],
        ["export", "nowhere", "-o", "x.csv", "--store", "gone.db"],
        ["export", "nowhere"],
        ["export", "-o", "x.csv"],
        ["import", "new", "gone.bib"],
    ],
    ids=" ".join,
)
def test_commands_without_their_files_make_none(tmp_path: Path, arguments: list[str]) -> None:
    """One line, and the folder as it was."""
    before = snapshot(tmp_path)
    assert_one_line(invoke(*arguments))
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [["harvest", "--max-results", "many"], ["harvest", "--gap-s", "soon"], ["import", "x"]],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    """The fault is named on stderr, without a traceback."""
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert result.stdout == ""


# ---- incomplete, and how to go on ---------------------------------------------------------


def test_a_malformed_id_is_named_and_the_others_come(server: ArxivServer, tmp_path: Path) -> None:
    """File and line of each; exit code 3, because something asked for did not come."""
    good = [paper.arxiv_id for paper in server.truth[:2]]
    (tmp_path / "ids.txt").write_text(f"{good[0]}\n2106.0825\n{good[1]}\nnonsense\n")
    options = ["--ids", "ids.txt", "--store", "a.db", "--json", "report.json", *at(server)]
    result = invoke("harvest", *options)
    assert result.exit_code == 3
    assert ids_in(Path("a.db")) == set(good)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("missing: 2106.0825 (ids.txt:2: arXiv id '2106.0825' needs 5 digits")
    assert lines[1].startswith("missing: nonsense (ids.txt:4: 'nonsense' is no arXiv id")
    assert lines[2].startswith("resume: ")
    assert len(lines) == 3
    report = json.loads(Path("report.json").read_text())
    assert [missing["what"] for missing in report["missing"]] == ["2106.0825", "nonsense"]


def test_a_file_of_ids_that_is_not_there_is_told_as_one() -> None:
    """A misspelt name of a file is no malformed id that a run can go on without."""
    result = invoke("harvest", "--ids", "lists/ids.txt", "--store", "a.db")
    assert result.exit_code in (1, 3)
    assert "no such file" in result.stderr
    assert "no arXiv id" in result.stderr


def test_an_unknown_id_is_named_and_asked_twice_only(server: ArxivServer, tmp_path: Path) -> None:
    """Exit code 3; on the same day it is not asked for a third time."""
    options = ["--ids", f"2301.99999,{server.truth[0].arxiv_id}", "--store", "a.db", *at(server)]
    result = invoke("harvest", *options)
    assert result.exit_code == 3
    assert "missing: 2301.99999 (arXiv knows no such paper (asked twice))" in result.stderr
    before = asked(server)
    again = invoke(*resume_words(result.stderr))
    assert again.exit_code == 3
    assert asked(server) == before


def test_a_proxy_that_answers_html_is_told_in_a_sentence(
    server: ArxivServer, tmp_path: Path
) -> None:
    """Exit code 3, what is missing, the command; the command completes when the proxy is gone."""
    server.schedule("maintenance", times=None)
    result = invoke("harvest", *FROM, "--store", "a.db", *at(server))
    assert result.exit_code == 3
    assert result.stdout == "incomplete: 0 records, 0 new; 6 requests\n"
    error, missing, resume = result.stderr.splitlines()
    assert error.startswith("error: 127.0.0.1:")
    assert "answers with something else than XML, as a proxy or a maintenance page does" in error
    assert missing.startswith("missing: submitted 2022-01-01 00:00 to 2023-12-31 23:59 (")
    assert resume.startswith("resume: survey-tools harvest --from 2022-01-01 --until ")
    server.clear_schedule()
    assert invoke(*resume_words(result.stderr)).exit_code == 0
    assert ids_in(Path("a.db")) == ids_of(server.truth)


def test_access_denied_stops_with_1(server: ArxivServer, tmp_path: Path) -> None:
    """One request, no more; the sentence says what to do, and what is missing says why."""
    server.schedule("403", times=None)
    result = invoke("harvest", *FROM, "--store", "a.db", *at(server))
    assert (result.exit_code, asked(server)) == (1, 1)
    assert result.stdout == "stopped: 0 records, 0 new; 1 request\n"
    error, missing, _ = result.stderr.splitlines()
    assert "denies access (403)" in error
    assert "not asked yet" not in missing
    server.clear_schedule()
    assert invoke(*resume_words(result.stderr)).exit_code == 0
    assert ids_in(Path("a.db")) == ids_of(server.truth)


@pytest.mark.parametrize("way", ["query", "ids", "oai"])
def test_the_printed_command_goes_on_where_it_stopped(
    server: ArxivServer, papers: list[TruePaper], way: str
) -> None:
    """After a service that went down in the middle: what came stays, and the rest comes."""
    settings = "harvest:\n  page_size: 10\n"
    survey = make_survey(Path("my survey's folder"), {"key": "a", "title": "A"}, settings=settings)
    server.oai.n_records = 10
    words = {
        "query": [*FROM, "--query", 'cat:* ANDNOT ti:"not there"'],
        "ids": ["--ids", " ".join(paper.arxiv_id for paper in papers[:20])],
        "oai": ["--oai", "--from", "2022-01-01"],
    }[way]
    wanted = papers[:20] if way == "ids" else papers
    server.schedule("500", on=1 if way == "ids" else 4, times=None)
    result = invoke("harvest", survey, *words, *at(server))
    assert result.exit_code == 3, result.output
    came = ids_in(survey / "harvest.db")
    assert (len(came) == 0) if way == "ids" else (20 < len(came) <= 30)
    server.clear_schedule()
    resumed = invoke(*resume_words(result.stderr))
    assert resumed.exit_code == 0, resumed.output
    assert ids_in(survey / "harvest.db") == ids_of(wanted)
    assert f", {len(wanted) - len(came)} new; " in resumed.stdout


def test_the_printed_command_leads_to_the_same_folder(server: ArxivServer, tmp_path: Path) -> None:
    """Two blanks in a name stay two when the command is printed."""
    for name in ("my survey", "my  survey", 'it\'s "mine"; really', "tab\there"):
        lost = {"key": "a", "title": "A", "arxiv_id": "2301.99999"}
        survey = make_survey(tmp_path / name, lost)
        result = invoke("harvest", survey, *at(server))
        assert result.exit_code == 3
        assert resume_words(result.stderr)[1] == str(survey)


def test_a_name_that_is_no_utf_8_is_no_traceback(server: ArxivServer, tmp_path: Path) -> None:
    """Names of files are bytes; what a shell passes on must not end in a traceback."""
    survey = make_survey(tmp_path / "caf\udce9", {"key": "a", "title": "A"})
    result = invoke("harvest", survey, *FROM, *at(server))
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


# ---- the report as JSON -------------------------------------------------------------------

FIELDS = {"status", "records", "new", "quarantined", "missing", "requests", "resume"}


def report_of(*arguments: object) -> dict[str, Any]:
    """Run a command with --json; return the report, whatever the exit code."""
    invoke(*arguments, "--json", "report.json")
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    Path("report.json").unlink()
    assert report.keys() >= FIELDS, report
    assert all(type(report[name]) is int for name in ("records", "new", "quarantined", "requests"))
    assert all(missing.keys() == {"what", "reason"} for missing in report["missing"])
    assert report["resume"].startswith("survey-tools ")
    return report


def test_the_report_says_how_a_harvest_ended(server: ArxivServer, tmp_path: Path) -> None:
    """Complete, incomplete and stopped, with counts that add up."""
    options = [*FROM, "--store", "a.db", *at(server)]
    server.schedule("malformed-entry", times=2, index=3)
    report = report_of("harvest", *options)
    counts = [report[name] for name in ("records", "new", "quarantined", "requests")]
    assert (report["status"], counts) == ("incomplete", [60, 59, 1, 2])
    assert [missing["reason"] for missing in report["missing"]] == ["no title"]
    server.clear_schedule()
    report = report_of("harvest", *options)
    counts = [report[name] for name in ("records", "new", "quarantined", "requests")]
    assert (report["status"], counts) == ("complete", [60, 1, 0, 1])
    assert report["missing"] == []
    server.schedule("403")
    assert report_of("harvest", *options, "--refresh")["status"] == "stopped"


def test_every_way_of_filling_writes_the_report(server: ArxivServer, tmp_path: Path) -> None:
    """With requests, without any left to send, and offline."""
    first, second = server.truth[:2]
    survey = make_survey(tmp_path / "survey", entry(first), entry(second))
    report = report_of("harvest", survey, *at(server))
    assert (report["status"], report["records"], report["new"]) == ("complete", 2, 2)
    assert report["requests"] == 1
    assert report_of("harvest", survey, *at(server))["requests"] == 0
    assert report_of("harvest", survey, "--offline")["status"] == "complete"


@pytest.mark.parametrize("options", [["--offline"], []], ids=["offline", "online"])
def test_resolve_writes_the_report_too(
    server: ArxivServer, tmp_path: Path, options: list[str]
) -> None:
    """Also where nothing had to be asked."""
    survey = make_survey(tmp_path / "survey", entry(server.truth[0]))
    report = report_of("resolve", survey, *options, *at_api(server))
    assert (report["status"], report["requests"]) == ("complete", 0)


def test_the_report_of_resolve_is_of_all_its_requests(server: ArxivServer, tmp_path: Path) -> None:
    """Titles are asked by phrase and then by words: the report counts both."""
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "Quixotic zebras unheard of"})
    report = report_of("resolve", survey, *at_api(server))
    assert report["status"] == "complete"
    assert report["requests"] == asked(server) > 1


def test_a_report_that_cannot_be_written_hides_no_result(
    server: ArxivServer, tmp_path: Path
) -> None:
    """What came and what is missing is said all the same; the harvest is not lost."""
    ids = f"{server.truth[0].arxiv_id},2106.0825"
    options = ["--ids", ids, "--store", "a.db", "--json", "no/such/report.json", *at(server)]
    result = invoke("harvest", *options)
    assert result.exit_code != 0
    assert "no/such/report.json: cannot be written" in result.stderr
    if Path("a.db").exists():  # a refusal before the first request would do as well
        assert ids_in(Path("a.db")) == {server.truth[0].arxiv_id}
        assert "incomplete: 1 record" in result.stdout
        assert "resume: " in result.stderr


def test_an_error_is_a_report_too(
    server: ArxivServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where arXiv answers another question than was asked, the file says error and why."""
    answer = server.atom.answer

    def answer_another(params: dict[str, str], number: int) -> Any:
        return replace(answer(params, number), echo="search_query=all:masked&id_list=")

    monkeypatch.setattr(server.atom, "answer", answer_another)
    options = ["--query", "ti:masked", "--store", "a.db", "--json", "report.json", *at(server)]
    assert_one_line(invoke("harvest", *options), "arXiv reads the query as all:masked, meant was")
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert report["status"] == "error"
    assert "arXiv reads the query as all:masked" in report["error"]
    assert report["resume"].startswith("survey-tools harvest --query ti:masked")


# ---- quiet --------------------------------------------------------------------------------


def test_quiet_says_nothing_of_what_went_well(server: ArxivServer, tmp_path: Path) -> None:
    """No line on either stream, in a process of its own."""
    survey = make_survey(tmp_path / "survey", entry(server.truth[0]), {"key": "b", "title": "B"})
    assert run("harvest", survey, "--quiet", *at(server)) == (0, "", "")
    assert run("resolve", survey, "-q", "--offline") == (0, "", "")
    assert run("export", survey, "-q", "-o", "out.csv") == (0, "", "")
    Path("more.jsonl").write_text('{"key": "c", "title": "C"}\n')
    assert run("import", survey, "more.jsonl", "-q") == (0, "", "")


@pytest.mark.parametrize("kind", ["query", "survey"])
def test_quiet_still_says_what_is_missing(server: ArxivServer, tmp_path: Path, kind: str) -> None:
    """Exit code 3 without a word would leave the user guessing."""
    survey = make_survey(tmp_path / "survey", entry(server.truth[0]))
    server.schedule("500", times=None)
    options = FROM if kind == "query" else ()
    result = invoke("harvest", survey, *options, "--quiet", *at(server))
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "missing: " in result.stderr
    assert resume_words(result.stderr)[0] == "harvest"


# ---- settings -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["options", "environment", "survey.yaml"])
def test_where_arxiv_is_asked_can_be_set_in_three_places(
    server: ArxivServer, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both addresses and the gap, and the contact that each request names."""
    values = {
        "api_url": server.api_url,
        "oai_url": server.oai_url,
        "gap_s": "0",
        "contact": "ada@example.org",
    }
    options: list[object] = []
    text = ""
    if where == "survey.yaml":
        text = "harvest:\n" + "".join(f"  {name}: {value}\n" for name, value in values.items())
    for name, value in values.items():
        if where == "options":
            options += [f"--{name.replace('_', '-')}", value]
        if where == "environment":
            monkeypatch.setenv(f"SURVEY_TOOLS_{name.upper()}", value)
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=text)
    harvested(survey, *FROM, *options)
    harvested(survey, "--oai", "--from", "2023-12-01", *options)
    assert {request.service for request in server.log} == {"atom", "oai"}
    agents = {request.user_agent for request in server.log}
    assert all("survey-tools/" in agent and "ada@example.org" in agent for agent in agents)


def test_a_contact_with_an_accent_is_sent_or_refused(server: ArxivServer, tmp_path: Path) -> None:
    """Names have accents; a header that cannot carry them must not end in a traceback."""
    ids = ["--ids", server.truth[0].arxiv_id, "--store", "a.db"]
    result = invoke("harvest", *ids, "--contact", "Zoë Müller, zoe@example.org", *at(server))
    if result.exit_code == 0:
        assert "zoe@example.org" in server.log[0].user_agent
    else:
        assert_one_line(result, "contact")


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: ArxivServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on loopback is reached whatever the proxy for the world outside."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    harvested("--ids", server.truth[0].arxiv_id, "--store", "a.db", *at(server))


def test_the_survey_names_its_page_size(server: ArxivServer, tmp_path: Path) -> None:
    """Results a request, as survey.yaml says."""
    settings = "harvest:\n  page_size: 20\n"
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=settings)
    assert "60 new; 3 requests" in harvested(survey, *FROM, *at(server)).stdout


def test_the_store_lies_in_the_survey_or_with_the_users_data(
    server: ArxivServer, tmp_path: Path
) -> None:
    """harvest.db in the folder, else in the data folder, else where --store says."""
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"})
    ids = ["--ids", server.truth[0].arxiv_id, *at(server)]
    for options, path in (
        ([survey], survey / "harvest.db"),
        ([], tmp_path / ".data" / "survey-tools" / "harvest.db"),
        ([survey, "--store", "deep/own.db"], tmp_path / "deep" / "own.db"),
    ):
        harvested(*options, *ids)
        assert ids_in(path) == {server.truth[0].arxiv_id}
        result = invoke("status", *options)
        assert result.exit_code == 0
        assert "1 paper, " in result.stdout.partition("\n")[0]


# ---- stores that cannot be used -----------------------------------------------------------


def everything_on(store: object, survey: Path) -> dict[str, list[object]]:
    return {
        "harvest": ["harvest", "--ids", "2201.00001", "--store", store],
        "fill": ["harvest", survey, "--offline", "--store", store],
        "resolve": ["resolve", survey, "--offline", "--store", store],
        "status": ["status", "--store", store],
        "export": ["export", "--store", store, "-o", "out.csv"],
    }


def make_newer(path: Path) -> None:
    with Store(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def make_foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()


WRONG_STORES: dict[str, tuple[Break, str]] = {
    "newer": (make_newer, "has schema version 99, this survey-tools knows "),
    "foreign": (make_foreign, "is a database of another program; name another file by --store"),
    "text": (lambda path: path.write_text("mine\n" * 200), "is no store of survey-tools or is dam"),
    "folder": (lambda path: path.mkdir(), ""),
}


@pytest.mark.parametrize("case", WRONG_STORES)
def test_a_file_that_is_no_store_of_ours_is_left_alone(tmp_path: Path, case: str) -> None:
    """A newer schema, another program's database, a text, a folder: one line, no byte changed."""
    make, sentence = WRONG_STORES[case]
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"})
    make(tmp_path / "a.db")
    before = snapshot(tmp_path)
    for arguments in everything_on("a.db", survey).values():
        assert_one_line(invoke(*arguments), "a.db: ", sentence)
        assert snapshot(tmp_path) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system in memory, where this user may."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_read_only_disk_is_told_and_can_be_read(
    server: ArxivServer, disk: Path, tmp_path: Path
) -> None:
    """A harvest is refused in one line; status and export read the store as it lies there."""
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"})
    harvested(*FROM, "--store", disk / "a.db", *at(server))
    remount(disk, "ro")
    before = snapshot(disk)
    commands = everything_on(disk / "a.db", survey)
    for name in ("harvest", "fill", "resolve"):
        assert_one_line(invoke(*commands[name]), f"{disk / 'a.db'}: cannot be ", "--store")
    assert_one_line(invoke("harvest", *FROM, "--store", disk / "new.db", *at(server)), "new.db: ")
    assert snapshot(disk) == before
    status = invoke(*commands["status"])
    assert status.exit_code == 0, status.stderr
    assert "60 papers" in status.stdout
    assert invoke(*commands["export"]).exit_code == 0
    assert len(Path("out.csv").read_text().splitlines()) == 61
    found = invoke(*commands["export"], "--match", server.truth[0].title.split()[-1].strip("?"))
    assert found.exit_code == 0, found.stderr


def test_a_store_below_a_place_that_takes_no_files_is_refused() -> None:
    """/proc takes no folders, whoever asks."""
    if not Path("/proc/version").exists():
        pytest.skip("no /proc on this system")
    result = invoke("harvest", "--ids", "2201.00001", "--store", "/proc/x/harvest.db")
    assert_one_line(result, "/proc/x/harvest.db: cannot be made")


@pytest.mark.parametrize("size_kb", [4, 100, 400, 800, 1000])
def test_a_full_disk_is_told_and_nothing_is_lost(
    server: ArxivServer, disk: Path, tmp_path: Path, size_kb: int
) -> None:
    """One line whenever it fills up; with more room the same command goes on and completes."""
    settings = "harvest:\n  page_size: 5\n"
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=settings)
    remount(disk, f"size={size_kb}k")
    options = [survey, *FROM, "--store", disk / "a.db", *at(server)]
    code, output, errors = run("harvest", *options)
    assert (code, output) == (1, ""), errors
    (line,) = errors.splitlines()
    assert line.startswith(f"error: {disk / 'a.db'}: the disk is full")
    remount(disk, "size=20m")
    came = ids_in(disk / "a.db") if size_kb > 400 else set()
    assert came or size_kb <= 400
    result = harvested(*options)
    assert ids_in(disk / "a.db") == ids_of(server.truth)
    assert f"60 records, {60 - len(came)} new; " in result.stdout


@pytest.mark.parametrize("kind", ["plain", "gz"])
def test_a_snapshot_cut_off_in_a_line_is_told_and_completed(kind: str) -> None:
    """All before the cut is stored; the whole file, given again, completes it."""
    papers = make_truth(900, 5, **DAYS)  # more than the part by which a file is known again
    file = write_snapshot(papers, Path("snapshot.json"), kind)  # type: ignore[arg-type]
    data = file.read_bytes()
    assert kind == "gz" or len(data) > 2**20
    file.write_bytes(data[: -len(data) // 50])
    options = ["--snapshot", file, "--store", "a.db"]
    result = invoke("harvest", *options)
    assert result.exit_code == 3
    assert "cut off" in result.stderr
    assert "Traceback" not in result.stderr
    n_stored = len(ids_in(Path("a.db")))
    assert 800 < n_stored < 900
    assert f", {n_stored} new; " in result.stdout
    file.write_bytes(data)
    whole = invoke("harvest", *options)
    assert whole.exit_code == 0, whole.output
    assert f"complete: 900 records, {900 - n_stored} new; 0 requests" in whole.stdout
    assert ids_in(Path("a.db")) == ids_of(papers)


# ---- signals and cool-downs ---------------------------------------------------------------


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_rolls_the_page_back_and_names_the_command(
    server: ArxivServer, tmp_path: Path, number: int, code: int
) -> None:
    """While a reply is waited for: what came is kept, and the command completes the harvest."""
    settings = "harvest:\n  page_size: 10\n"
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=settings)
    server.schedule("hang", on=4)
    process = start("harvest", survey, *FROM, "--json", "report.json", *at(server))
    wait_until(lambda: asked(server) == 4, process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert output == "stopped: 30 records, 30 new; 4 requests\n"
    missing, resume = errors.splitlines()
    assert missing.startswith("missing: submitted 2022-01-01 00:00 to 2023-12-31 23:59")
    assert resume.startswith("resume: survey-tools harvest ")
    assert json.loads(Path("report.json").read_text())["status"] == "stopped"
    assert len(ids_in(survey / "harvest.db")) == 30
    status = invoke("status", survey).stdout
    assert f"  {resume}" in status.splitlines()
    resumed = invoke(*resume_words(errors))
    assert resumed.exit_code == 0, resumed.output
    assert "30 new; 3 requests" in resumed.stdout
    assert ids_in(survey / "harvest.db") == ids_of(server.truth)
    assert "resume: " not in invoke("status", survey).stdout


def test_ctrl_c_in_a_cool_down_leaves_it_to_the_next_run(
    server: ArxivServer, tmp_path: Path
) -> None:
    """Status names it, and the command that goes on waits for its end before it asks."""
    server.schedule("429", retry_after=3)
    process = start("harvest", *FROM, "--store", "a.db", *at(server))
    wait_until(
        lambda: '"rests": {"' in "".join(p.read_text() for p in Path(".gate").glob("*")), process
    )
    wait_until(lambda: server.log and server.log[0].ended, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    port = server.base_url.rpartition(":")[2]
    assert re.search(
        rf"^cool-down of 127\.0\.0\.1:{port} until \d\d:\d\d$", status_of("a.db"), re.MULTILINE
    )
    assert invoke(*resume_words(errors)).exit_code == 0
    assert server.log[1].arrived - server.log[0].ended >= 3
    assert "cool-down" not in status_of("a.db")


def status_of(store: object, *options: str) -> str:
    result = invoke("status", "--store", store, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_patience_ends_a_run_that_would_rest_longer(server: ArxivServer, tmp_path: Path) -> None:
    """Also one that begins in the cool-down of an earlier run: it asks nothing."""
    server.schedule("429", retry_after=5)
    options = [*FROM, "--store", "a.db", "--patience-s", 1, *at(server)]
    for _ in range(2):
        result = invoke("harvest", *options)
        assert result.exit_code == 3, result.output
        assert "asks for rest" in result.stderr or "cool-down" in result.stderr
        assert asked(server) == 1


# ---- what a terminal sees -----------------------------------------------------------------


def in_terminal(*arguments: object, columns: int) -> tuple[int, str, str]:
    """Run a command whose stderr is a terminal; return code, stdout and what was drawn."""
    import pty

    leader, follower = pty.openpty()
    process = start(
        *arguments,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "24"},
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # how a terminal says that nobody writes any more
        pass
    os.close(leader)
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    return process.wait(timeout=30), output, drawn


@pytest.mark.parametrize("columns", [120, 80])
def test_a_terminal_sees_records_pages_rate_time_left_and_the_cool_down(
    server: ArxivServer, tmp_path: Path, columns: int
) -> None:
    """On a wide terminal and on one of 80 columns, in the bar; the report follows it."""
    settings = "harvest:\n  page_size: 15\n"
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=settings)
    server.schedule("429", on=3, retry_after=3)  # after two pages of four
    options = ["--api-url", server.api_url, "--gap-s", 0.25]
    code, output, drawn = in_terminal("harvest", survey, *FROM, *options, columns=columns)
    assert code == 0, drawn
    assert output == "complete: 60 records, 60 new; 5 requests\n"
    assert "30 of 60 records, 2 pages" in drawn
    assert re.search(r"45 of 60 records, 3 pages, [0-9]+/s", drawn)
    assert re.search(r"left \d:\d\d:\d\d", drawn)
    port = server.base_url.rpartition(":")[2]
    assert re.search(rf"cool-down of 127\.0\.0\.1:{port} until \d\d:\d\d", drawn)
    assert re.search(r"next request in \d s", drawn)
    assert "Traceback" not in drawn


def test_a_terminal_sees_nothing_where_quiet_is_asked(server: ArxivServer, tmp_path: Path) -> None:
    """No bar, no report."""
    options = ["harvest", *FROM, "--store", "a.db", "--quiet", *at(server)]
    assert in_terminal(*options, columns=80) == (0, "", "")


def test_ctrl_c_in_a_terminal_clears_the_bar(server: ArxivServer, tmp_path: Path) -> None:
    """The last lines are the report's, whole, and the cursor is shown again."""
    import pty

    server.schedule("hang", on=2)
    settings = "harvest:\n  page_size: 10\n"
    survey = make_survey(tmp_path / "survey", {"key": "a", "title": "A"}, settings=settings)
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = start("harvest", survey, *FROM, *at(server), stderr=follower, env=env)
    os.close(follower)
    wait_until(lambda: asked(server) == 2, process)
    process.send_signal(signal.SIGINT)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:
        pass
    os.close(leader)
    assert process.stdout is not None
    assert process.stdout.read() == "stopped: 10 records, 10 new; 2 requests\n"
    process.stdout.close()
    assert process.wait(timeout=30) == 130
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")
    last = seen.decode().replace("\r", "").split("\n")[-2]
    assert last.startswith("resume: survey-tools harvest ")


def test_a_pipe_is_told_of_long_waits_alone(server: ArxivServer, tmp_path: Path) -> None:
    """Where there is no bar a wait of ten seconds and more is a line, once."""
    server.schedule("429", retry_after=60)
    process = start("harvest", *FROM, "--store", "a.db", *at(server))
    assert process.stderr is not None
    line = process.stderr.readline()
    port = server.base_url.rpartition(":")[2]
    assert re.fullmatch(rf"note: cool-down of 127\.0\.0\.1:{port} until \d\d:\d\d\n", line)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "note: " not in errors


# ---- abstracts of a survey ----------------------------------------------------------------


@pytest.fixture
def filled(server: ArxivServer, tmp_path: Path) -> Path:
    """Write a survey with a paper of every kind, in lines that no program would write."""
    first, second, third, withdrawn = (
        *[paper for paper in server.truth if not paper.withdrawn][:3],
        next(paper for paper in server.truth if paper.withdrawn),
    )
    lines = [
        f'{{"title": {json.dumps(first.title)},  "key": "odd", "abstract": "Mine."}}',
        "",
        json.dumps(entry(first, key="plain")),
        json.dumps(entry(second, key="other", title="Weaving baskets under water")) + "  ",
        json.dumps({"key": "none", "title": "Never on arXiv", "digest": "In our own words."}),
        json.dumps(entry(withdrawn, key="gone")),
        json.dumps({"key": "lost", "title": "Lost", "arxiv_id": "2301.99999"}),
        json.dumps(entry(third, key="half", title=third.title[: len(third.title) * 6 // 10])),
    ]
    survey = make_survey(tmp_path / "survey")
    (survey / "papers.jsonl").write_bytes("\n".join(lines).encode())
    return survey


def test_abstracts_are_filled_and_every_other_byte_stays(server: ArxivServer, filled: Path) -> None:
    """Lines of other papers byte for byte, the permissions of the file, nothing beside it."""
    path = filled / "papers.jsonl"
    path.chmod(0o604)
    before = path.read_bytes().split(b"\n")
    result = invoke("harvest", filled, *at(server))
    assert result.exit_code == 3  # one id is unknown to arXiv
    after = path.read_bytes().split(b"\n")
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == [2, 5, 7]
    abstract_of = {paper.arxiv_id: paper.abstract for paper in server.truth}
    for i in changed:
        old, new = json.loads(before[i]), json.loads(after[i])
        assert new.pop("abstract") == abstract_of[old["arxiv_id"]]
        assert new == old
    assert path.stat().st_mode & 0o777 == 0o604
    assert sorted(p.name for p in filled.iterdir()) == ["harvest.db", "papers.jsonl", "survey.yaml"]


def test_what_was_not_filled_is_named_with_what_to_do(server: ArxivServer, filled: Path) -> None:
    """Without id, unknown, quite another title, doubtful title, withdrawn: each by its key."""
    result = invoke("harvest", filled, *at(server))
    assert "3 abstracts filled, 1 there before, of 7 papers" in result.stdout.splitlines()
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    told = {
        word: next((line for line in notes if re.search(rf"\b{word}\b", line)), "")
        for word in ("none", "lost", "other", "half", "gone")
    }
    assert "1 paper without arXiv id and abstract: none; survey-tools resolve" in told["none"]
    assert "not in arXiv's answers: lost" in told["lost"]
    assert "other: not filled, because " in told["other"]
    assert "'Weaving baskets under water'" in told["other"]
    assert "--trust-ids" in told["other"]
    assert "half: check " in told["half"]
    assert "withdrawn at arXiv: gone" in told["gone"]
    assert len(notes) == 5
    assert "missing: 2301.99999 (arXiv knows no such paper (asked twice))" in result.stderr


def test_trusted_ids_fill_the_rest_without_a_request(server: ArxivServer, filled: Path) -> None:
    """The store has the abstract already; only the title kept it out."""
    invoke("harvest", filled, *at(server))
    other = read_papers(filled)["other"]
    assert "abstract" not in other
    before = asked(server)
    result = invoke("harvest", filled, "--trust-ids", "--offline")
    assert "1 abstract filled" in result.stdout
    assert asked(server) == before
    abstract_of = {paper.arxiv_id: paper.abstract for paper in server.truth}
    assert read_papers(filled)["other"]["abstract"] == abstract_of[other["arxiv_id"]]


def test_a_survey_that_is_filled_asks_nothing(server: ArxivServer, tmp_path: Path) -> None:
    """The second run sends no request and writes no file."""
    survey = make_survey(tmp_path / "survey", *map(entry, server.truth))
    result = harvested(survey, *at(server))
    assert "60 abstracts filled, 0 there before, of 60 papers" in result.stdout
    assert asked(server) == 1
    assert server.log[0].method == "POST"
    before = (survey / "papers.jsonl").read_bytes()
    again = harvested(survey, *at(server))
    assert "0 abstracts filled, 60 there before, of 60 papers" in again.stdout
    assert asked(server) == 1
    assert (survey / "papers.jsonl").read_bytes() == before
    abstracts = {paper["arxiv_id"]: paper["abstract"] for paper in read_papers(survey).values()}
    assert abstracts == {paper.arxiv_id: paper.abstract for paper in server.truth}


def test_a_versioned_id_gets_the_abstract_of_its_version(
    server: ArxivServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where arXiv tells the versions apart, so does the survey."""
    render = arxiv_atom.render_entry

    def render_version(row: Row) -> str:
        if row.version == len(row.paper.versions):
            return render(row)
        old = Row(replace(row.paper, abstract=f"As it was in v{row.version}."), row.version)
        return render(old)

    monkeypatch.setattr(arxiv_atom, "render_entry", render_version)
    paper = next(p for p in server.truth if len(p.versions) > 1 and not p.withdrawn)
    versioned = entry(paper, key="old", arxiv_id=f"{paper.arxiv_id}v1")
    survey = make_survey(tmp_path / "survey", versioned, entry(paper, key="new"))
    harvested(survey, *at(server))
    found = read_papers(survey)
    assert found["old"]["abstract"] == "As it was in v1."
    assert found["new"]["abstract"] == paper.abstract
    assert found["old"]["arxiv_id"] == f"{paper.arxiv_id}v1"


@pytest.fixture
def half_stored(server: ArxivServer, tmp_path: Path) -> Path:
    """Write a survey of two papers of which the store holds one."""
    first, second = server.truth[:2]
    survey = make_survey(tmp_path / "survey", entry(first), entry(second))
    harvested(survey, "--ids", first.arxiv_id, *at(server))
    return survey


def test_offline_fills_from_the_store_without_a_request(
    server: ArxivServer, half_stored: Path
) -> None:
    """What the store lacks is named, and makes the fill incomplete."""
    first, second = (f"k{paper.arxiv_id}" for paper in server.truth[:2])
    before = asked(server)
    result = invoke("harvest", half_stored, "--offline", *at(server))
    assert result.exit_code == 3
    assert asked(server) == before
    assert "1 abstract filled" in result.stdout
    assert f"not in the store: {second}" in result.stderr
    found = read_papers(half_stored)
    assert "abstract" in found[first]
    assert "abstract" not in found[second]


def test_what_is_missing_offline_comes_by_the_printed_command(
    server: ArxivServer, half_stored: Path
) -> None:
    """The same command would never go on: the one that is printed asks arXiv."""
    result = invoke("harvest", half_stored, "--offline", *at(server))
    resumed = invoke(*resume_words(result.stderr))
    assert resumed.exit_code == 0, resumed.output
    assert all("abstract" in paper for paper in read_papers(half_stored).values())


@pytest.fixture
def two_slices(tmp_path: Path) -> Iterator[tuple[ArxivServer, Path]]:
    """Serve more papers than one request may name, and write a survey of them."""
    papers = make_truth(210, 8, **DAYS)
    survey = make_survey(
        tmp_path / "survey", *(entry(paper, abstract=f"Old {paper.arxiv_id}.") for paper in papers)
    )
    with ArxivServer(papers, today=datetime.now(UTC).date()) as server:
        yield server, survey


def test_a_refresh_that_was_cut_short_goes_on_by_the_printed_command(
    two_slices: tuple[ArxivServer, Path],
) -> None:
    """All abstracts are the new ones in the end, and none is asked for twice."""
    server, survey = two_slices
    server.schedule("500", on=2, times=None)
    result = invoke("harvest", survey, "--refresh", *at(server))
    assert result.exit_code == 3
    assert sum(not p["abstract"].startswith("Old") for p in read_papers(survey).values()) == 200
    server.clear_schedule()
    before = asked(server)
    resumed = invoke(*resume_words(result.stderr))
    assert resumed.exit_code == 0, resumed.output
    assert asked(server) == before + 1
    abstracts = {paper["arxiv_id"]: paper["abstract"] for paper in read_papers(survey).values()}
    assert abstracts == {paper.arxiv_id: paper.abstract for paper in server.truth}


@pytest.mark.parametrize(
    "way", [FROM, ("--oai", "--from", "2022-01-01")], ids=lambda way: way[0].strip("-")
)
def test_a_refresh_after_a_harvest_that_was_cut_short_asks_everything_once(
    server: ArxivServer, tmp_path: Path, way: Sequence[str]
) -> None:
    """Windows that are still open make it no longer than a refresh of a harvest that was whole."""
    harvested(*way, "--store", "whole.db", *at(server))
    n_before = asked(server)
    harvested(*way, "--store", "whole.db", "--refresh", *at(server))
    n_refresh = asked(server) - n_before
    server.schedule("500", times=None)
    assert invoke("harvest", *way, "--store", "cut.db", *at(server)).exit_code == 3
    server.clear_schedule()
    n_before = asked(server)
    harvested(*way, "--store", "cut.db", "--refresh", *at(server))
    assert asked(server) - n_before == n_refresh
    assert ids_in(Path("cut.db")) == ids_of(server.truth)


def test_a_fill_that_was_cut_short_is_closed_by_the_printed_command(
    two_slices: tuple[ArxivServer, Path],
) -> None:
    """Abstracts that came are written at once; nothing is owed after the rest has come."""
    server, survey = two_slices
    text = (survey / "papers.jsonl").read_text(encoding="utf-8")
    bare = re.sub(r', "abstract": "Old [^"]*"', "", text)
    (survey / "papers.jsonl").write_text(bare, encoding="utf-8")
    server.schedule("500", on=2, times=None)
    result = invoke("harvest", survey, *at(server))
    assert result.exit_code == 3
    assert "200 abstracts filled" in result.stdout
    assert len([line for line in result.stderr.splitlines() if "missing: " in line]) == 10
    server.clear_schedule()
    resumed = invoke(*resume_words(result.stderr))
    assert resumed.exit_code == 0, resumed.output
    assert all("abstract" in paper for paper in read_papers(survey).values())
    status = invoke("status", survey).stdout
    assert "resume: " not in status, status


def test_many_missing_papers_are_counted_and_the_report_names_all(
    server: ArxivServer, tmp_path: Path
) -> None:
    """Twenty lines at most on the terminal; the JSON file has every one."""
    lost = [{"key": f"k{i}", "title": "T", "arxiv_id": f"2301.{i:05}"} for i in range(90000, 90030)]
    survey = make_survey(tmp_path / "survey", *lost)
    result = invoke("harvest", survey, "--json", "report.json", *at(server))
    lines = [line for line in result.stderr.splitlines() if line.startswith("missing: ")]
    assert len(lines) == 21
    assert lines[-1] == "missing: 10 more; --json FILE names all"
    assert len(json.loads(Path("report.json").read_text())["missing"]) == 30


# ---- status -------------------------------------------------------------------------------


def test_status_lists_jobs_and_what_is_stored(server: ArxivServer, tmp_path: Path) -> None:
    """Counts, one line a job with its day, and nothing to resume."""
    harvested(*FROM, "--store", "a.db", *at(server))
    harvested("--ids", f"{server.truth[0].arxiv_id}", "--store", "a.db", *at(server))
    harvested("--snapshot", write_snapshot(server.truth, Path("s.json")), "--store", "a.db")
    n_withdrawn = sum(paper.withdrawn for paper in server.truth)
    today = datetime.now(UTC).date()
    first, *jobs = status_of("a.db").splitlines()
    assert first == f"a.db: 60 papers, {n_withdrawn} withdrawn, 1 page, 0 in quarantine"
    assert jobs[0] == f"1 query: from 2022-01-01, until 2023-12-31: complete, answered {today}"
    assert jobs[1].startswith("2 ids: 1 id: complete")
    assert jobs[2].startswith("3 snapshot: s.json: complete")
    assert len(jobs) == 3


@pytest.mark.parametrize("kind", ["quarantine", "malformed", "unknown"])
def test_status_agrees_with_what_the_harvest_said(
    server: ArxivServer, tmp_path: Path, kind: str
) -> None:
    """A harvest that ended incomplete is not complete to status, and its command is named."""
    words = {
        "quarantine": list(FROM),
        "malformed": ["--ids", f"2106.0825,{server.truth[0].arxiv_id}"],
        "unknown": ["--ids", f"2301.99999,{server.truth[0].arxiv_id}"],
    }[kind]
    if kind == "quarantine":
        server.schedule("malformed-entry", times=None)
    result = invoke("harvest", *words, "--store", "a.db", *at(server))
    assert result.exit_code == 3
    (job, *_) = status_of("a.db").splitlines()[1:]
    assert ": complete" not in job


def test_status_lists_gaps_where_asked(tmp_path: Path) -> None:
    """Runs of numbers that are missing inside a month."""
    papers = make_truth(400, 3, **{**DAYS, "last": datetime(2022, 3, 1, tzinfo=UTC)})
    kept = [p for p in papers if p.arxiv_id not in ("2201.00010", "2201.00011", "2202.00007")]
    file = write_snapshot(kept, Path("s.json"))
    harvested("--snapshot", file, "--store", "a.db")
    lines = [line for line in status_of("a.db", "--gaps").splitlines() if line.startswith("gap: ")]
    assert lines == [
        "gap: 2201.00010 to 2201.00011, 2 numbers",
        "gap: 2202.00007 to 2202.00007, 1 number",
    ]


def test_looking_at_a_store_changes_nothing(server: ArxivServer, tmp_path: Path) -> None:
    """Status and export leave its bytes, and no file beside it."""
    harvested(*FROM, "--store", "a.db", *at(server))
    before = snapshot(tmp_path)
    status_of("a.db")
    assert invoke("export", "--store", "a.db", "-o", "out.csv").exit_code == 0
    Path("out.csv").unlink()
    assert snapshot(tmp_path) == before


# ---- export -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".bib", ".ris"])
def test_two_harvests_of_the_same_truth_export_the_same_bytes(
    server: ArxivServer, tmp_path: Path, suffix: str
) -> None:
    """Pages of another size, ties in another order, another way of asking."""
    server.atom.shuffle_ties = True
    Path("ids.txt").write_text("\n".join(sorted(ids_of(server.truth), reverse=True)))
    small = make_survey(tmp_path / "a", entry(server.truth[0]), settings="harvest: {page_size: 7}")
    harvested(small, *FROM, *at(server))
    harvested("--ids", "ids.txt", "--store", "b.db", *at(server))
    exported = []
    for store in (small / "harvest.db", "b.db"):
        result = invoke("export", "--store", store, "-o", f"out{suffix}")
        assert (result.exit_code, result.stdout) == (0, f"60 papers: out{suffix}\n")
        exported.append(Path(f"out{suffix}").read_bytes())
    assert exported[0] == exported[1]


@pytest.mark.parametrize("suffix", [".jsonl", ".bib"])
def test_oai_and_snapshot_export_what_a_query_exports(
    server: ArxivServer, tmp_path: Path, suffix: str
) -> None:
    """Three dialects, one truth."""
    file = write_snapshot(server.truth, tmp_path / "snapshot.json")
    ways = {
        "query.db": FROM,
        "oai.db": ("--oai", "--from", "2022-01-01"),
        "snapshot.db": ("--snapshot", str(file)),
    }
    exported = []
    for store, way in ways.items():
        harvested(*way, "--store", store, *at(server))
        assert invoke("export", "--store", store, "-o", f"out{suffix}").exit_code == 0
        exported.append(Path(f"out{suffix}").read_bytes())
    assert exported[0] == exported[1] == exported[2]
    keys = re.findall(rb'"arxiv_id": "([^"]+)"|eprint\s*=\s*\{([^}]+)\}', exported[0])
    assert {(a or b).decode() for a, b in keys} == ids_of(server.truth)


def test_export_takes_a_job_or_words(server: ArxivServer, tmp_path: Path) -> None:
    """Jobs by the number that status shows; words in title or abstract."""
    some = [paper.arxiv_id for paper in server.truth[:3]]
    harvested(*FROM, "--store", "a.db", *at(server))
    harvested("--ids", ",".join(some), "--refresh", "--store", "a.db", *at(server))
    assert "2 ids: 3 ids" in status_of("a.db")
    assert invoke("export", "--store", "a.db", "--job", 2, "-o", "o.csv").stdout.startswith("3 pap")
    word = server.truth[0].title.split()[-1].strip("?")
    result = invoke("export", "--store", "a.db", "--match", word, "-o", "o.jsonl")
    assert result.exit_code == 0
    found = {json.loads(line)["key"] for line in Path("o.jsonl").read_text().splitlines()}
    assert server.truth[0].arxiv_id in found
    assert len(found) < 60


def test_export_finds_words_in_a_snapshot_that_was_just_read(papers: list[TruePaper]) -> None:
    """The first search after an import sees every paper of it."""
    file = write_snapshot(papers, Path("snapshot.json"))
    harvested("--snapshot", file, "--store", "a.db")
    word = papers[0].title.split()[-1].strip("?")
    result = invoke("export", "--store", "a.db", "--match", word, "-o", "o.jsonl")
    assert result.exit_code == 0, result.stderr
    found = {json.loads(line)["key"] for line in Path("o.jsonl").read_text().splitlines()}
    assert papers[0].arxiv_id in found


def test_export_of_a_survey_is_sorted_by_key(tmp_path: Path) -> None:
    """Whatever the order in the folder."""
    rows = [{"key": key, "title": f"Title {key}"} for key in ("c", "a", "b")]
    survey = make_survey(tmp_path / "survey", *rows)
    result = invoke("export", survey, "-o", "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "3 papers: out.jsonl\n")
    lines = Path("out.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["a", "b", "c"]


WRONG_EXPORTS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "both": (
        ["survey", "--store", "a.db", "-o", "x.csv"],
        ("a survey folder or --store, not both",),
    ),
    "job": (["survey", "--job", "1", "-o", "x.csv"], ("--job and --match go with --store",)),
    "no-job": (["--store", "a.db", "--job", "9", "-o", "x.csv"], ("has no job 9",)),
    "no-match": (["--store", "a.db", "--match", "zzz", "-o", "x.csv"], ("no paper with zzz",)),
    "kind": (["--store", "a.db", "-o", "x.docx"], ("x.docx", ".jsonl")),
    "folder": (["--store", "a.db", "-o", "."], ("papers cannot be written as",)),
    "nowhere": (["--store", "a.db", "-o", "no/x.csv"], ("no/x.csv: cannot be written",)),
    "itself": (["survey", "-o", "survey/papers.jsonl"], ("own file of papers",)),
    "no-out": (["--store", "a.db"], ("say where to write: -o FILE",)),
}


@pytest.mark.parametrize("case", WRONG_EXPORTS)
def test_an_export_that_cannot_be_is_one_line(papers: list[TruePaper], case: str) -> None:
    """Nothing is written, the store and the survey stay."""
    make_survey(Path("survey"), entry(papers[0]))
    harvested("--snapshot", write_snapshot(papers, Path("s.json")), "--store", "a.db")
    if case == "no-match":  # the first search brings the full-text index up to date
        assert invoke("export", "--store", "a.db", "--match", "we", "-o", "y.csv").exit_code == 0
    before = snapshot(Path())
    options, parts = WRONG_EXPORTS[case]
    assert_one_line(invoke("export", *options), *parts)
    assert {name: data for name, data in snapshot(Path()).items() if "a.db-" not in name} == before


# ---- import, and the whole way ------------------------------------------------------------


def bibtex(papers: Sequence[TruePaper]) -> str:
    """Write papers as a reference manager exports them, with links to arXiv."""
    forms = (
        "  url = {{https://arxiv.org/abs/{0}}},",
        "  eprint = {{{0}}},\n  archivePrefix = {{arXiv}},",
        "  doi = {{10.48550/arXiv.{0}}},",
        "  journal = {{arXiv preprint arXiv:{0}}},",
    )
    entries = []
    for i, paper in enumerate(papers):
        link = forms[i % len(forms)].format(paper.arxiv_id)
        authors = " and ".join(paper.authors)
        entries.append(
            f"@article{{paper{i},\n  title = {{{paper.title}}},\n  author = {{{authors}}},\n"
            f"  year = {{{paper.versions[0].submitted.year}}},\n{link}\n}}\n"
        )
    return "\n".join(entries)


def plain_papers(papers: Sequence[TruePaper], n: int) -> list[TruePaper]:
    """Choose papers whose titles mean the same in BibTeX."""
    found = [p for p in papers if p.title.isascii() and not re.search(r"[&$\\%{]", p.title)]
    assert len(found) >= n
    return [p for p in found if not p.withdrawn][:n]


def test_from_a_bib_file_to_clusters(server: ArxivServer, tmp_path: Path) -> None:
    """The way that the README shows: import, harvest, run."""
    chosen = plain_papers(server.truth, 8)
    Path("refs.bib").write_text(bibtex(chosen), encoding="utf-8")
    result = invoke("import", "survey", "refs.bib")
    assert result.exit_code == 0, result.output
    assert result.stdout == "8 references read: 8 new, 0 filled, 0 known already; " + (
        "survey/papers.jsonl: 8 papers\n"
    )
    assert "note: 8 papers without abstract: " in result.stderr
    result = harvested("survey", *at(server))
    assert "8 abstracts filled, 0 there before, of 8 papers" in result.stdout
    abstracts = {p["arxiv_id"]: p["abstract"] for p in read_papers(Path("survey")).values()}
    assert abstracts == {paper.arxiv_id: paper.abstract for paper in chosen}
    result = invoke("run", "survey", "-o", "out", *FAST)
    assert result.exit_code == 0, result.output
    assert "4 clusters of 8 papers" in result.stdout
    assert "described by a digest" not in result.stderr
    again = invoke("import", "survey", "refs.bib")
    assert "0 new, 0 filled, 8 known already" in again.stdout


def test_bad_references_are_named_and_the_others_taken(tmp_path: Path) -> None:
    """File and line on stderr; --strict makes them an error after the good ones are in."""
    Path("refs.bib").write_text(
        "@article{good, title = {Good}, year = {2020}}\n@article{bad, title = {Bad\n"
    )
    result = invoke("import", "survey", "refs.bib")
    assert result.exit_code == 0, result.output
    assert "1 reference read: 1 new" in result.stdout
    assert re.search(r"^note: refs\.bib:2: ", result.stderr, re.MULTILINE)
    strict = invoke("import", "survey", "refs.bib", "--strict")
    assert strict.exit_code == 1
    assert "Traceback" not in strict.output
    assert list(read_papers(Path("survey"))) == ["good"]


def test_a_snapshot_given_to_import_is_sent_to_harvest(papers: list[TruePaper]) -> None:
    """Millions of records are no references; the command that takes them is named."""
    write_snapshot(papers, Path("snapshot.json"))
    result = invoke("import", "survey", "snapshot.json")
    assert_one_line(result, "snapshot.json: is a bulk snapshot of arXiv", "harvest --snapshot")
    assert not Path("survey").exists()


# ---- resolve ------------------------------------------------------------------------------


def distinct(papers: Sequence[TruePaper], n: int) -> list[TruePaper]:
    """Choose papers with long titles of plain words that no other paper bears."""
    counts = Counter(paper.title for paper in papers)
    return [
        p
        for p in plain_papers(papers, n)
        if counts[p.title] == 1 and len(p.title.split()) > 5 and ":" not in p.title
    ]


def reference(paper: TruePaper, key: str, **changes: Any) -> dict[str, Any]:
    """Write a paper as a bibliography names it, without any id."""
    fields = {
        "key": key,
        "title": paper.title,
        "authors": list(paper.authors),
        "year": paper.versions[0].submitted.year,
    }
    return fields | changes


def matches_of(survey: Path) -> dict[str, dict[str, str]]:
    text = (survey / "resolve-matches.csv").read_text(encoding="utf-8")
    return {row["key"]: row for row in csv.DictReader(io.StringIO(text))}


def test_ids_come_from_links_from_the_store_and_from_arxiv(
    server: ArxivServer, tmp_path: Path
) -> None:
    """A link and a DOI as they stand, an exact title from the store, the rest by asking."""
    link, doi, stored, remote = distinct(plain_papers(server.truth, 10), 10)[:4]
    survey = make_survey(
        tmp_path / "survey",
        reference(link, "link", url=f"https://arxiv.org/pdf/{link.arxiv_id}v1.pdf"),
        reference(doi, "doi", doi=f"10.48550/arXiv.{doi.arxiv_id}"),
        reference(stored, "stored"),
        reference(remote, "remote"),
        reference(remote, "unknown", title="Quixotic zebras that nobody has ever written about"),
        entry(link, key="had"),
    )
    harvested(survey, "--ids", stored.arxiv_id, *at(server))
    before = asked(server)
    result = invoke("resolve", survey, *at_api(server))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "3 had an id, 2 found, 1 not found"
    found = {key: paper.get("arxiv_id") for key, paper in read_papers(survey).items()}
    assert found == {
        "link": link.arxiv_id,
        "doi": doi.arxiv_id,
        "stored": stored.arxiv_id,
        "remote": remote.arxiv_id,
        "unknown": None,
        "had": link.arxiv_id,
    }
    sent = [request.params["search_query"] for request in server.log[before:]]
    assert any(remote.title in query for query in sent)
    assert not any(stored.title in query or link.title in query for query in sent)
    decisions = {key: row["decision"] for key, row in matches_of(survey).items()}
    assert decisions["remote"] == decisions["stored"] == "auto"
    assert decisions["unknown"] == "unmatched"
    before = asked(server)
    again = invoke("resolve", survey, *at_api(server))
    assert again.stdout == "5 had an id, 1 not found\n"
    assert asked(server) == before  # an unknown title is not asked for again


def test_offline_resolves_from_the_store_alone(server: ArxivServer, tmp_path: Path) -> None:
    """No request; what the store lacks is not found yet, and can still be asked for later."""
    stored, remote = distinct(server.truth, 10)[:2]
    survey = make_survey(
        tmp_path / "survey", reference(stored, "stored"), reference(remote, "remote")
    )
    harvested(survey, "--ids", stored.arxiv_id, *at(server))
    before = asked(server)
    result = invoke("resolve", survey, "--offline", *at_api(server))
    assert result.stdout == "1 found, 1 not found\n"
    assert asked(server) == before
    online = invoke("resolve", survey, *at_api(server))
    assert online.stdout.splitlines()[-1] == "1 had an id, 1 found"


def test_a_person_decides_what_is_in_doubt(server: ArxivServer, tmp_path: Path) -> None:
    """The review file is written, answered with yes, no and an id, and read once for all."""
    papers = distinct(server.truth, 10)
    yes, no, other, pending = papers[:4]

    def near(paper: TruePaper, key: str) -> dict[str, Any]:
        return reference(paper, key, title=f"{paper.title} again")

    survey = make_survey(
        tmp_path / "survey",
        *(near(p, key) for p, key in ((yes, "yes"), (no, "no"), (other, "id"), (pending, "later"))),
    )
    harvested(survey, "--ids", ",".join(p.arxiv_id for p in papers[:4]), *at(server))
    result = invoke("resolve", survey, "--offline")
    assert result.exit_code == 0
    assert result.stdout == "4 to review\n"
    review = survey / "resolve-review.csv"
    assert f"4 papers to decide in {review}: write yes, no or an id into the column accept" in (
        result.stderr
    )
    assert all("arxiv_id" not in paper for paper in read_papers(survey).values())
    rows = list(csv.DictReader(io.StringIO(review.read_text(encoding="utf-8"))))
    answers = {"yes": "yes", "no": "No", "id": f"https://arxiv.org/abs/{papers[4].arxiv_id}v2"}
    with review.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"accept": answers.get(row["key"], "")} for row in rows)
    for _ in range(2):  # the second run reads its own file, and changes nothing
        result = invoke("resolve", survey, "--offline")
        assert result.stdout == "3 decided by hand, 1 to review\n"
        found = {key: paper.get("arxiv_id") for key, paper in read_papers(survey).items()}
        assert found == {
            "yes": yes.arxiv_id,
            "no": None,
            "id": papers[4].arxiv_id,
            "later": None,
        }
        rows = list(csv.DictReader(io.StringIO(review.read_text(encoding="utf-8"))))
        kept = {row["key"]: row["accept"] for row in rows}
        assert kept == {"id": "yes", "later": "", "no": "no", "yes": "yes"}


def test_a_review_file_that_cannot_be_read_stops_before_anything_is_written(
    server: ArxivServer, tmp_path: Path
) -> None:
    """File and line; decisions of a person are not thrown away."""
    survey = make_survey(tmp_path / "survey", reference(server.truth[0], "a"))
    review = survey / "resolve-review.csv"
    review.write_text("key,arxiv_id,accept\na,arXiv:2201.00001,maybe\n")
    before = snapshot(survey)
    result = invoke("resolve", survey, "--offline")
    assert_one_line(result, "resolve-review.csv:2: accept: 'maybe' arrived; allowed: yes, no or an")
    after = {name: data for name, data in snapshot(survey).items() if "harvest.db" not in name}
    assert after == before


def test_lines_of_papers_that_get_no_id_stay(server: ArxivServer, tmp_path: Path) -> None:
    """Byte for byte, as in a harvest."""
    paper = distinct(server.truth, 5)[0]
    survey = make_survey(tmp_path / "survey")
    lines = [
        '{"title": "Unheard of",   "key": "x"}',
        json.dumps(reference(paper, "y", url=f"https://arxiv.org/abs/{paper.arxiv_id}")),
    ]
    (survey / "papers.jsonl").write_text("\n".join(lines))
    assert invoke("resolve", survey, "--offline").exit_code == 0
    first, second = (survey / "papers.jsonl").read_text().split("\n")
    assert first == lines[0]
    assert json.loads(second) == json.loads(lines[1]) | {"arxiv_id": paper.arxiv_id}


def test_a_service_that_is_down_leaves_titles_to_the_printed_command(
    server: ArxivServer, tmp_path: Path
) -> None:
    """Exit code 3; what could be decided is written, and no title counts as unknown."""
    link, remote = distinct(server.truth, 5)[:2]
    survey = make_survey(
        tmp_path / "survey",
        reference(link, "link", url=f"https://arxiv.org/abs/{link.arxiv_id}"),
        reference(remote, "remote"),
    )
    server.schedule("500", times=None)
    result = invoke("resolve", survey, *at_api(server))
    assert result.exit_code == 3
    assert "status 500" in result.stderr
    assert read_papers(survey)["link"]["arxiv_id"] == link.arxiv_id
    server.clear_schedule()
    resumed = invoke(*resume_words(result.stderr))
    assert resumed.exit_code == 0, resumed.output
    assert read_papers(survey)["remote"]["arxiv_id"] == remote.arxiv_id


def test_resolve_and_harvest_fill_a_bare_bibliography(server: ArxivServer, tmp_path: Path) -> None:
    """Titles alone become abstracts in two commands."""
    chosen = distinct(server.truth, 6)[:6]
    survey = make_survey(
        tmp_path / "survey", *(reference(paper, f"p{i}") for i, paper in enumerate(chosen))
    )
    assert invoke("resolve", survey, *at_api(server)).exit_code == 0
    before = asked(server)
    result = harvested(survey, *at(server))
    assert f"{len(chosen)} abstracts filled" in result.stdout
    assert asked(server) == before  # what was found by title lies in the store already
    found = read_papers(survey)
    assert [found[f"p{i}"]["abstract"] for i in range(len(chosen))] == [p.abstract for p in chosen]


# ---- help ---------------------------------------------------------------------------------


def options_of(command: str) -> dict[str, str]:
    """Return the help of each option by its longest name."""
    group: Any = typer.main.get_command(app)
    options = [p for p in group.commands[command].params if p.param_type_name == "option"]
    assert len(options) > 2
    return {max(option.opts, key=len): option.help or "" for option in options}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_in_the_help(command: str) -> None:
    """What it means or what holds without it; the text is there in full, not cut off."""
    result = invoke(command, "--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for name, words in options_of(command).items():
        assert words, name
        assert " ".join(words.split()) in text, name
        assert name in text
    assert "..." not in result.stdout.partition("Options:")[2]


@pytest.mark.parametrize("command", ["harvest", "resolve"])
def test_options_with_a_default_state_it(command: str) -> None:
    """The words of the help are written by hand; the settings are the truth."""
    options = options_of(command)
    settings = HarvestSettings()
    stated = {
        "--gap-s": f"survey.yaml, else {settings.gap_s:g}.",
        "--patience-s": f"survey.yaml, else {settings.patience_s:g}.",
        "--contact": "survey.yaml, else none.",
        "--api-url": "survey.yaml, else arXiv.",
        "--store": "Default: harvest.db in the survey folder, else in the user's data folder.",
    }
    if command == "harvest":
        stated |= {"--oai-url": "survey.yaml, else arXiv.", "--max-results": "Default: all."}
    for name, words in stated.items():
        assert "Default: " in options[name], name
        assert words in options[name], name


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_heavy_library(command: str) -> None:
    """Neither the network, nor the database, nor any reader of files is imported."""
    script = (
        "import sys\n"
        f"sys.argv = ['survey-tools', {command!r}, '--help']\n"
        "from survey_tools.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print('loaded:', *[name for name in {HEAVIER!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_the_program_lists_the_commands_and_code_3() -> None:
    """One line a command, not cut off."""
    result = invoke("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command}\b.*\.$", result.stdout, re.MULTILINE), command
    assert "3 a harvest is incomplete" in " ".join(result.stdout.split())


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """With --debug an error keeps its traceback and its exit code."""
    code, _, errors = run("harvest", "--query", "", "--debug")
    assert code == 1
    assert "Traceback (most recent call last)" in errors
    assert "ParameterError: the query is empty" in errors


# ---- what a reviewer asked for ------------------------------------------------------------


@pytest.mark.parametrize("command", ["harvest", "status", "export", "resolve"])
def test_a_name_too_long_for_the_disk_is_one_line(command: str) -> None:
    """No file has 300 letters; the system's own word for it is enough."""
    options = ["-o", "a.csv"] if command == "export" else []
    assert_one_line(invoke(command, "x" * 300, *options), "File name too long")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--query", "ti:a", "--trust-ids"], "--trust-ids goes with a survey folder alone"),
        (["--query", "ti:a", "--max-results", "5", "--refresh"], "--refresh does not go with"),
        (["--snapshot", "s.json", "--refresh"], "--refresh does not go with --snapshot"),
    ],
)
def test_options_without_effect_are_refused(options: list[str], sentence: str) -> None:
    """Neither is dropped in silence, and no store is made."""
    assert_one_line(invoke("harvest", *options, "--store", "a.db"), sentence)
    assert not Path("a.db").exists()


def test_the_report_of_a_fill_names_what_was_not_filled(
    server: ArxivServer, tmp_path: Path
) -> None:
    """What stands on the terminal stands in the file: a title that is quite another, no id."""
    paper = server.truth[0]
    other = {"key": "other", "title": "Frogs of the lower marsh", "arxiv_id": paper.arxiv_id}
    survey = make_survey(tmp_path / "survey", other, {"key": "bare", "title": "No id at all"})
    fill = report_of("harvest", survey, *at(server))["fill"]
    assert fill["filled"] == []
    assert fill["without_id"] == ["bare"]
    ((key, arxiv_id, _, theirs),) = fill["refused"]
    assert (key, arxiv_id, theirs) == ("other", paper.arxiv_id, paper.title)
