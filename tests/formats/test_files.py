"""Files of references: the kind is told by name or content, and a file is written whole."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, OutputError
from survey_tools.formats.files import (
    READ_SUFFIXES,
    WRITE_SUFFIXES,
    parse_jsonl,
    read_references,
    replace_file,
    serialise_references,
    write_references,
)
from survey_tools.paper import Paper

PAPERS = (
    Paper(
        key="roe2022masks",
        title="Masks & Things",
        abstract="All about masks.",
        digest="Masks.",
        authors=("Ana van Roe", "Bo Lee"),
        year=2022,
        venue="CVPR",
        arxiv_id="2106.08250",
        doi="10.1000/x_y",
        url="https://example.org/a_b",
        code_url="https://github.com/roe/masks",
    ),
    Paper(key="lee2021", title="Other Things"),
)
BIBTEX = "@misc{k, title = {Masks}}\n"
RIS = "TY  - JOUR\nID  - k\nTI  - Masks\nER  - \n"
CSV = "key,title\nk,Masks\n"
JSONL = '{"key": "k", "title": "Masks"}\n'
SNAPSHOT = (
    '{"id": "2106.08250", "update_date": "2021-06-16", "authors_parsed": [["Roe", "A", ""]]}\n'
)


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_every_format_keeps_every_field(suffix: str, tmp_path: Path) -> None:
    """Written and read back; the same papers give the same bytes."""
    path = tmp_path / f"papers{suffix.upper()}"
    write_references(Corpus(PAPERS), path)
    result = read_references(path)
    assert result.problems == ()
    assert result.papers == PAPERS
    first = path.read_bytes()
    write_references(Corpus(result.papers), path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_bytes_do_not_depend_on_the_process(suffix: str) -> None:
    """Nor on its hash seed, nor on the time."""
    code = (
        "import hashlib; from survey_tools.corpus import Corpus; "
        "from survey_tools.paper import Paper; "
        "from survey_tools.formats.files import serialise_references as write; "
        "corpus = Corpus(tuple(Paper(key=f'k{i}', title='T', authors=('A B',)) for i in range(9)));"
        f"import sys; sys.stdout.write(hashlib.sha256(write(corpus, {suffix!r})).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("text", [BIBTEX, RIS, CSV, JSONL, f"\ufeff  \n{BIBTEX}"])
@pytest.mark.parametrize("name", ["list.txt", "list", "list.json"])
def test_a_kind_that_the_name_does_not_tell_is_told_by_the_content(
    text: str, name: str, tmp_path: Path
) -> None:
    """Exports are often called .txt."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert [(paper.key, paper.title) for paper in read_references(path).papers] == [("k", "Masks")]


def test_parquet_and_markdown_are_told_by_their_content_too(tmp_path: Path) -> None:
    """By its first four bytes, and by headings and links."""
    (tmp_path / "a").write_bytes(serialise_references(Corpus(PAPERS), ".parquet"))
    assert read_references(tmp_path / "a").papers == PAPERS
    (tmp_path / "b").write_text("# List\n- [Masks of Things](https://example.org/a)\n")
    assert [paper.title for paper in read_references(tmp_path / "b").papers] == ["Masks of Things"]


@pytest.mark.parametrize("data", [b"", b"some words\n", b"\0\1\2", b"\xff\xfe"])
def test_a_file_of_no_known_kind_is_refused(data: bytes, tmp_path: Path) -> None:
    """What is allowed is said."""
    path = tmp_path / "x.doc"
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"x\.doc: of no known kind; allowed are BibTeX, RIS, .*\.md"
    ):
        read_references(path)


@pytest.mark.parametrize("name", ["snapshot.json", "snapshot.jsonl", "snapshot"])
def test_a_bulk_snapshot_is_refused(name: str, tmp_path: Path) -> None:
    """It is harvested, because it holds millions of papers; what to do is said."""
    path = tmp_path / name
    path.write_text(SNAPSHOT + "not even JSON")
    with pytest.raises(
        DataError, match="is a bulk snapshot of arXiv; use 'survey-tools harvest --s"
    ):
        read_references(path)


def test_the_name_of_a_kind_is_believed(tmp_path: Path) -> None:
    """RIS in a .bib file is a mistake that should be seen."""
    path = tmp_path / "x.bib"
    path.write_text(RIS)
    with pytest.raises(DataError, match=r"x\.bib: holds no BibTeX entry"):
        read_references(path)


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_a_folder_and_a_missing_file_are_no_references(suffix: str, tmp_path: Path) -> None:
    """What the system says is passed on."""
    (tmp_path / f"d{suffix}").mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_references(tmp_path / f"d{suffix}")
    with pytest.raises(DataError, match="no such file"):
        read_references(tmp_path / f"none{suffix}")
    with pytest.raises(DataError, match=r"cannot be read \(embedded null byte\)"):
        read_references(Path(f"a\0{suffix}"))


def test_a_faulty_line_of_json_costs_no_other() -> None:
    """The reader of a survey's own file is stricter."""
    text = (
        f'{JSONL}{{"key": "l"\n\n{{"key": "m", "titel": "x"}}\n{JSONL}'
        '{"key": "k", "title": "Others"}\n{"key": "n", "title": "Last"}'
    )
    result = parse_jsonl(text.encode(), source="x")
    assert [paper.key for paper in result.papers] == ["k", "n"]
    problems = [str(problem) for problem in result.problems]
    assert problems[0].startswith("x:2: not valid JSON: ")
    assert problems[1:] == [
        "x:4: titel: unknown; did you mean 'title'?; left out",
        "x:6: k: a second entry with this key (first on line 1) says something else; left out",
    ]


def test_an_empty_file_of_json_lines_has_no_papers() -> None:
    """It is named, and no error."""
    assert [str(p) for p in parse_jsonl(b"\n", source="x").problems] == ["x: holds no paper"]


@pytest.mark.parametrize("name", ["papers.md", "papers", "papers.xlsx"])
def test_papers_are_written_in_known_formats_only(name: str, tmp_path: Path) -> None:
    """What is allowed is said, and no file is left."""
    with pytest.raises(OutputError, match=r"papers cannot be written as .*; allowed: \.bib, "):
        write_references(Corpus(PAPERS), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is missing, a folder in its place, a file for a folder, a NUL."""
    (tmp_path / "folder.bib").mkdir()
    (tmp_path / "file").write_text("x")
    for name, reason in [
        ("none/x.bib", r"cannot be written \(No such file or directory\)"),
        ("folder.bib", "is a folder; name a file"),
        ("file/x.bib", r"cannot be written \(Not a directory\)"),
        ("a\0.bib", r"cannot be written \(.*null byte"),
    ]:
        with pytest.raises(OutputError, match=reason):
            write_references(Corpus(PAPERS), tmp_path / name)


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old file and no other."""
    path = tmp_path / "x.bib"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"x\.bib: cannot be written \(No space left on device\)"):
        replace_file(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    """And the file keeps its permissions."""
    target = tmp_path / "target.bib"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.bib"
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_formats_cost_their_libraries_only_when_used() -> None:
    """The command line stays quick."""
    code = (
        "import sys, survey_tools.exchange; "
        "heavy = {'bibtexparser', 'rispy', 'pyarrow', 'pandas', 'numpy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
