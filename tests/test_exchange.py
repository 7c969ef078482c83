"""Exchange: the same paper is known again, nothing of ours is lost, all else is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.documents import read_yaml
from survey_tools.errors import DataError, OutputError
from survey_tools.exchange import (
    Conflict,
    LeftApart,
    MergeReport,
    export_survey,
    import_references,
    merge_references,
)
from survey_tools.formats.files import read_references
from survey_tools.formats.jsonl import parse_papers, read_papers, serialise_papers
from survey_tools.paper import Paper
from survey_tools.settings import SurveySettings

OURS = Paper(
    key="roe2022masks",
    title="MST: Masks of Small Things",
    authors=("Ana Roe", "Bo Lee"),
    year=2021,
    venue="arXiv",
    arxiv_id="2106.08250",
)


def merge_one(theirs: Paper, ours: Paper = OURS) -> MergeReport:
    """Merge one paper into a corpus of one."""
    return merge_references(Corpus((ours,)), [theirs])


@pytest.mark.parametrize(
    ("theirs", "matched_by"),
    [
        (Paper(key="x", title="Other words", arxiv_id="2106.08250v3"), "arxiv_id"),
        (Paper(key="x", title="Other words", doi="10.1000/ABC"), "doi"),
        (Paper(key="x", title="MST - masks of Small-Things", year=2023), "title"),
        (Paper(key="x", title="M.S.T.: Masks of Small Things"), "title"),
        (Paper(key="roe2022masks", title="MST"), "key"),
        (Paper(key="roe2022masks", title="Other words", arxiv_id="2106.08250"), "key"),
    ],
)
def test_a_paper_is_known_again(theirs: Paper, matched_by: str) -> None:
    """By arXiv id, DOI, title, or by its key where nothing speaks against it."""
    ours = Paper(
        key="roe2022masks",
        title="MST: Masks of small things",
        year=2021,
        arxiv_id="2106.08250",
        doi="10.1000/abc",
    )
    report = merge_one(theirs, ours)
    assert report.matched_by == {"roe2022masks": matched_by}
    assert report.corpus.keys == ("roe2022masks",)
    assert report.added == ()


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ({"arxiv_id": "2106.08251"}, "arXiv ids 2106.08250 and 2106.08251 differ"),
        ({"doi": "10.1000/y"}, "DOIs 10.1000/x and 10.1000/y differ"),
        ({"year": 2024}, "years 2021 and 2024 lie more than 2 apart"),
        ({"authors": ("Cy Doe",)}, "they have no author in common"),
    ],
)
def test_equal_titles_are_not_enough_where_more_speaks_against(
    theirs: dict[str, object], reason: str
) -> None:
    """Both are kept, and a person is told to look."""
    ours = Paper(
        key="a",
        title="Masks",
        authors=("Ana Roe",),
        year=2021,
        arxiv_id="2106.08250",
        doi="10.1000/x",
    )
    report = merge_one(Paper(key="b", title="Masks", **theirs), ours)  # type: ignore[arg-type]
    assert report.added == ("b",)
    assert report.left_apart == (
        LeftApart(arrived_key="b", paper_key="a", reason=f"equal titles, but {reason}"),
    )


def test_one_doi_does_not_join_two_arxiv_ids() -> None:
    """One of them was copied wrongly; a person is told to look."""
    ours = Paper(key="a", title="Masks", arxiv_id="2106.08250", doi="10.1000/x")
    theirs = Paper(key="b", title="Others", arxiv_id="2106.08251", doi="10.1000/X")
    report = merge_one(theirs, ours)
    assert report.added == ("b",)
    assert [apart.reason for apart in report.left_apart] == [
        "equal DOIs, but arXiv ids 2106.08250 and 2106.08251 differ"
    ]


def test_a_preprint_and_its_published_version_become_one_paper() -> None:
    """Ours is filled; a venue that is only arXiv is no venue; what we have stays, and is named."""
    theirs = Paper(
        key="DBLP:conf/roe22",
        title="{MST}: Masks of small things",
        authors=("Roe, Ana",),
        abstract="b",
        year=2022,
        venue="CVPR",
        doi="10.1000/x",
    )
    report = merge_one(theirs)
    assert report.corpus.papers == (
        Paper(
            key="roe2022masks",
            title="MST: Masks of Small Things",
            abstract="b",
            authors=("Ana Roe", "Bo Lee"),
            year=2021,
            venue="CVPR",
            arxiv_id="2106.08250",
            doi="10.1000/x",
        ),
    )
    assert report.filled == {"roe2022masks": ("abstract", "venue", "doi")}
    assert report.conflicts == (
        Conflict(
            paper_key="roe2022masks", field="authors", ours="Ana Roe; Bo Lee", theirs="Roe, Ana"
        ),
        Conflict(paper_key="roe2022masks", field="year", ours="2021", theirs="2022"),
    )


def test_a_venue_that_is_only_arxiv_fills_nothing() -> None:
    """The other way round."""
    ours = Paper(key="a", title="Masks", arxiv_id="2106.08250")
    report = merge_one(Paper(key="b", title="Masks", venue="CoRR"), ours)
    assert report.corpus["a"] == ours
    assert report.unchanged == ("a",)


@pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        ("title", "Masks of Things", "Masks-of-things"),
        ("abstract", "one two", "one\n two"),
        ("authors", ("Bó Lee",), ("Bo Lee",)),
        ("venue", "CVPR", "cvpr"),
        ("doi", "10.1000/AB", "10.1000/ab"),
        ("arxiv_id", "2106.08250", "2106.08250v2"),
        ("url", "https://example.org/a", "http://www.example.org/a/"),
        ("code_url", "https://github.com/a/b", "https://github.com/a/b.git"),
    ],
)
def test_small_differences_are_no_conflicts(field: str, ours: object, theirs: object) -> None:
    """Case, accents, blanks, versions; ours is kept as it is."""
    plain = {"title": "Masks of Things"}
    before = Paper(key="a", **plain | {field: ours})  # type: ignore[arg-type]
    report = merge_one(Paper(key="a", **plain | {field: theirs}), before)  # type: ignore[arg-type]
    assert report.conflicts == ()
    assert report.corpus["a"] == before


def test_a_key_of_another_paper_gets_a_suffix() -> None:
    """Nothing of ours is touched."""
    theirs = Paper(key="roe2022masks", title="Masks of large things", year=2022)
    report = merge_references(Corpus((OURS,)), [theirs, theirs])
    assert report.corpus.keys == ("roe2022masks", "roe2022masksa")
    assert report.renamed == (("roe2022masks", "roe2022masksa"),)
    assert report.corpus["roe2022masks"] == OURS


def test_part_one_and_part_two_are_two_papers() -> None:
    """They have one first author, one year, and so one key by rule."""
    ours = Paper(key="roe2022masks", title="Masks in 2D", authors=("Ana Roe",), year=2022)
    theirs = Paper(key="roe2022masks", title="Masks in 3D", authors=("Ana Roe",), year=2022)
    assert merge_one(theirs, ours).added == ("roe2022masksa",)


def test_papers_that_arrive_twice_are_one() -> None:
    """Filled from both; the first gives the key. It is new, and not counted as filled."""
    arrived = [
        Paper(key="x", title="Masks", arxiv_id="2106.08250"),
        Paper(key="y", title="Masks", doi="10.1000/x"),
        Paper(key="z", title="Other", doi="10.1000/X", abstract="b"),
    ]
    report = merge_references(None, arrived)
    assert report.corpus.papers == (
        Paper(key="x", title="Masks", arxiv_id="2106.08250", doi="10.1000/x", abstract="b"),
    )
    assert report.added == ("x",)
    assert (report.filled, report.unchanged) == ({}, ())
    assert [(m.arrived_key, m.paper_key, m.matched_by) for m in report.matches] == [
        ("y", "x", "title"),
        ("z", "x", "doi"),
    ]


def test_no_two_papers_get_one_id() -> None:
    """Ours may hold preprint and published version as two; a person is told to look."""
    ours = Corpus(
        (
            Paper(key="a", title="Masks", arxiv_id="2106.08250"),
            Paper(key="b", title="Masks, printed", doi="10.1000/x"),
        )
    )
    theirs = Paper(key="c", title="Masks", arxiv_id="2106.08250", doi="10.1000/x")
    report = merge_references(ours, [theirs])
    assert report.corpus == ours
    assert report.left_apart == (
        LeftApart(arrived_key="c", paper_key="b", reason="its doi 10.1000/x arrived for 'a'"),
    )


def test_a_paper_that_ours_holds_twice_is_known_by_its_key() -> None:
    """Importing one's own export fills neither from the other."""
    ours = Corpus(
        (
            Paper(key="a", title="Masks", authors=("X",)),
            Paper(key="b", title="Masks", abstract="one", authors=("X",)),
        )
    )
    report = merge_references(ours, [ours["b"]])
    assert report.corpus == ours
    assert report.unchanged == ("b",)


fields = st.fixed_dictionaries(
    {
        "key": st.sampled_from("abc"),
        "title": st.sampled_from(["Masks", "Masks: of Things", "Others", "masks"]),
        "authors": st.sampled_from([(), ("Ana Roe",), ("Bo Lee",)]),
        "year": st.sampled_from([None, 2020, 2022, 2024]),
        "venue": st.sampled_from([None, "arXiv", "CVPR"]),
        "arxiv_id": st.sampled_from([None, "2106.08250", "2106.08250v2", "2106.08251"]),
        "doi": st.sampled_from([None, "10.1000/x", "10.1000/X", "10.1000/y"]),
        "abstract": st.sampled_from([None, "one", "two"]),
    }
)
many = st.lists(fields.map(lambda values: Paper(**values)), max_size=6)  # type: ignore[arg-type]


@given(many.map(lambda papers: Corpus(tuple({p.key: p for p in papers}.values()))), many)
def test_nothing_of_ours_is_ever_lost(ours: Corpus, arrived: list[Paper]) -> None:
    """Order, keys and fields stay, every arrival is accounted for, and a second time is idle."""
    report = merge_references(ours, arrived)
    assert report.corpus.keys[: len(ours)] == ours.keys
    for paper in ours:
        after = report.corpus[paper.key]
        changed = {f for f in Paper.__dataclass_fields__ if getattr(after, f) != getattr(paper, f)}
        assert changed == set(report.filled.get(paper.key, ()))
        assert all(getattr(paper, name) in (None, (), "", "arXiv") for name in changed)
    assert len(report.added) + len(report.matches) == len(arrived)
    again = merge_references(report.corpus, report.corpus.papers)
    assert again.corpus == report.corpus


def write(path: Path, text: str) -> Path:
    """Write a text file and return its path."""
    path.write_bytes(text.encode())
    return path


BIB = "@misc{x, title = {Masks}, eprint = {2106.08250}}\n@misc{y, title = {Others}}\n"


def test_an_import_makes_a_survey(tmp_path: Path) -> None:
    """Of a folder that is not there yet, with settings that are valid."""
    folder = tmp_path / "new" / 'My "survey": é'
    report = import_references(folder, [write(tmp_path / "x.bib", BIB)])
    assert report.written == (folder / "papers.jsonl", folder / "survey.yaml")
    assert report.merge.added == ("x", "y")
    assert report.n_read == {tmp_path / "x.bib": 2}
    settings = read_yaml(folder / "survey.yaml").validate(SurveySettings)
    assert settings.title == 'My "survey": é'
    assert settings.clustering.cut.n_clusters == 1
    assert read_papers(folder / "papers.jsonl").keys == ("x", "y")


def test_settings_of_a_large_survey_say_nothing_that_is_the_default(tmp_path: Path) -> None:
    """Ten papers can be cut into ten clusters."""
    text = "title\n" + "".join(f"T{i}\n" for i in range(10))
    import_references(tmp_path / "s", [write(tmp_path / "x.csv", text)])
    expected = 'title: "s"\npapers: papers.jsonl\n'
    assert (tmp_path / "s" / "survey.yaml").read_text() == expected


def test_lines_that_do_not_change_stay_byte_for_byte(tmp_path: Path) -> None:
    """Odd spacing and order of a person's file survive; the file is the one that is named."""
    (tmp_path / "data").mkdir()
    settings = write(tmp_path / "survey.yaml", "title: s\npapers: data/mine.jsonl\n")
    first = b'{ "title":"Mine",   "key":"a", "year":2020 }\r\n'
    papers = tmp_path / "data" / "mine.jsonl"
    papers.write_bytes(first + b'\n{"title": "Others", "key": "b"}')
    bib = write(tmp_path / "x.bib", BIB.replace("{Others}", "{Others}, year = {2021}"))
    report = import_references(tmp_path, [bib])
    assert report.written == (papers,)
    assert report.merge.filled == {"b": ("year",)}
    assert papers.read_bytes() == (
        first
        + b'\n{"key": "b", "title": "Others", "year": 2021}\n'
        + b'{"key": "x", "title": "Masks", "arxiv_id": "2106.08250"}\n'
    )
    assert settings.read_text() == "title: s\npapers: data/mine.jsonl\n"


def test_an_import_that_brings_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """A second one of the same file."""
    bib = write(tmp_path / "x.bib", BIB)
    import_references(tmp_path / "s", [bib])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()}
    report = import_references(tmp_path / "s", [bib])
    assert report.written == ()
    assert report.merge.unchanged == ("x", "y")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()} == before


def test_bad_entries_are_named_and_the_others_imported(tmp_path: Path) -> None:
    """From every file, in the order given."""
    bib = write(tmp_path / "x.bib", "@misc{bad, title {x}}\n" + BIB)
    ris = write(tmp_path / "y.ris", "TY  - JOUR\nER  - \nTY  - JOUR\nTI  - Third\nER  - \n")
    report = import_references(tmp_path / "s", [bib, ris])
    assert report.merge.added == ("x", "y", "third")
    assert [(p.source, p.line) for p in report.problems] == [(str(bib), 1), (str(ris), 1)]


def test_no_folder_is_made_where_nothing_was_read(tmp_path: Path) -> None:
    """Neither for files without papers nor for one that cannot be read."""
    empty = write(tmp_path / "x.bib", "")
    report = import_references(tmp_path / "s", [empty])
    assert (report.written, len(report.merge.corpus)) == ((), 0)
    with pytest.raises(DataError, match="of no known kind"):
        import_references(tmp_path / "s", [write(tmp_path / "y.txt", "words")])
    assert not (tmp_path / "s").exists()


def test_a_survey_that_is_wrong_is_not_written(tmp_path: Path) -> None:
    """Settings and papers are checked first; a file is no folder."""
    bib = write(tmp_path / "x.bib", BIB)
    settings = write(tmp_path / "survey.yaml", "titel: s\n")
    with pytest.raises(DataError, match=r"survey\.yaml:1: titel: unknown; did you mean 'title'\?"):
        import_references(tmp_path, [bib])
    settings.unlink()
    papers = write(tmp_path / "papers.jsonl", "{\n")
    with pytest.raises(DataError, match=r"papers\.jsonl:1: not valid JSON"):
        import_references(tmp_path, [bib])
    assert papers.read_text() == "{\n"
    assert not settings.exists()
    with pytest.raises(DataError, match=r"x\.bib: is a file; a survey is a folder"):
        import_references(bib, [bib])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file stands in its way."""
    bib = write(tmp_path / "x.bib", BIB)
    with pytest.raises(OutputError, match=r"x\.bib/s: cannot be made \(Not a directory\)"):
        import_references(bib / "s", [bib])


@pytest.mark.parametrize("suffix", [".bib", ".ris", ".csv", ".parquet", ".jsonl"])
def test_a_survey_is_exported_sorted_and_comes_back(suffix: str, tmp_path: Path) -> None:
    """Importing one's own export changes nothing."""
    folder = tmp_path / "s"
    bib = write(tmp_path / "x.bib", BIB + "@misc{a, title = {First}, author = {Roe, Ana}}")
    import_references(folder, [bib])
    out = tmp_path / f"out{suffix}"
    assert export_survey(folder, out).keys == ("a", "x", "y")
    assert [paper.key for paper in read_references(out).papers] == ["a", "x", "y"]
    assert import_references(folder, [out]).written == ()


def test_the_bundled_survey_knows_its_own_export(mim_corpus: Corpus, tmp_path: Path) -> None:
    """All 180 by their keys, without a conflict, though keys were made anew from a list."""
    from survey_tools.study import bundled_survey

    export_survey(bundled_survey(), tmp_path / "x.bib")
    result = read_references(tmp_path / "x.bib")
    report = merge_references(mim_corpus, result.papers)
    assert report.corpus == mim_corpus
    assert report.conflicts == report.left_apart == ()
    assert set(report.matched_by.values()) == {"key"}
    assert len(report.unchanged) == len(mim_corpus)


def test_an_export_never_replaces_the_papers_of_the_survey(tmp_path: Path) -> None:
    """They would lose their order."""
    import_references(tmp_path / "s", [write(tmp_path / "x.bib", BIB)])
    with pytest.raises(OutputError, match="is the survey's own file of papers; name another one"):
        export_survey(tmp_path / "s", tmp_path / "s" / "papers.jsonl")


def test_an_export_needs_a_survey(tmp_path: Path) -> None:
    """A folder with settings and papers."""
    with pytest.raises(DataError, match=r"none: no such folder; a survey is a folder with survey"):
        export_survey(tmp_path / "none", tmp_path / "x.bib")
    with pytest.raises(DataError, match=r"survey\.yaml: no such file"):
        export_survey(tmp_path, tmp_path / "x.bib")


def test_ten_thousand_papers_are_merged() -> None:
    """Half of them known; titles, ids and keys are looked up and not searched."""
    ours = Corpus(tuple(Paper(key=f"k{i}", title=f"Masks {i}") for i in range(5_000)))
    arrived = [Paper(key=f"x{i}", title=f"Masks {i}") for i in range(10_000)]
    report = merge_references(ours, arrived)
    assert (len(report.unchanged), len(report.added)) == (5_000, 5_000)
    data = serialise_papers(report.corpus)
    assert parse_papers(data, source="x") == report.corpus
