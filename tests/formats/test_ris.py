"""RIS: entries are told apart whatever they lack; what is written is read back equal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.references import ReadResult, clean_text
from survey_tools.formats.ris import parse_ris, serialise_ris
from survey_tools.paper import Paper

texts = (
    st.text(
        st.sampled_from("TY ER-AU,;\\é1 ") | st.characters(exclude_categories=["Cs", "Cc", "Cn"])
    )
    .map(clean_text)
    .filter(bool)
)
names = texts.map(lambda text: clean_text(text.replace(",", ""))).filter(bool)
papers = st.builds(
    Paper,
    key=st.text(st.sampled_from("ab0:/.+-_é,"), min_size=1),
    title=texts,
    abstract=st.none() | texts,
    digest=st.none() | texts,
    authors=st.lists(names, max_size=3).map(tuple),
    year=st.none() | st.integers(1000, 2999),
    venue=st.sampled_from([None, "CVPR", "TPAMI", "T2 - x"]),
    arxiv_id=st.sampled_from([None, "2106.08250", "2106.08250v3", "cs.CV/0601001"]),
    doi=st.sampled_from([None, "10.1000/a_b%c"]),
    url=st.sampled_from([None, "https://example.org/~a_b?c=%20;d#e"]),
    code_url=st.sampled_from([None, "https://github.com/a/b_c"]),
)
corpora = st.lists(papers, min_size=1, max_size=4, unique_by=lambda paper: paper.key).map(
    lambda found: Corpus(tuple(found))
)


def parse(text: str) -> ReadResult:
    """Parse the text of a file named x.ris."""
    return parse_ris(text.encode(), source="x.ris")


def parse_lines(*lines: str) -> Paper:
    """Parse an entry that has a title and some lines more."""
    result = parse("\n".join(["TY  - JOUR", "TI  - t", *lines, "ER  - "]))
    assert result.problems == ()
    return result.papers[0]


@given(corpora)
@example(Corpus((Paper(key="a", title="ER -", abstract="TY - JOUR", authors=("X", "X")),)))
def test_written_papers_are_read_back_equal(corpus: Corpus) -> None:
    """Whatever tags stand in the text; two authors may have one name."""
    data = serialise_ris(corpus)
    result = parse_ris(data, source="x.ris")
    assert result.problems == ()
    assert result.papers == corpus.papers
    assert serialise_ris(Corpus(result.papers)) == data


def test_an_entry_is_written_with_its_tags() -> None:
    """In one order; digest and code in notes."""
    paper = Paper(
        key="roe2022",
        title="Masks",
        authors=("Ana van Roe", "OpenAI"),
        year=2022,
        venue="TPAMI",
        arxiv_id="2106.08250",
        doi="10.1000/x",
        digest="d",
        code_url="https://github.com/a/b",
    )
    assert serialise_ris(Corpus((paper,))).decode() == (
        "TY  - JOUR\nID  - roe2022\nAU  - van Roe, Ana\nAU  - OpenAI\nTI  - Masks\nT2  - TPAMI\n"
        "PY  - 2022\nAN  - arXiv:2106.08250\nDO  - 10.1000/x\nN1  - survey-tools digest: d\n"
        "N1  - survey-tools code: https://github.com/a/b\nER  - \n"
    )


def test_an_entry_without_an_end_does_not_swallow_the_next() -> None:
    """It is named, and both are read; of an unknown type it may be."""
    result = parse("TY  - JOUR\nTI  - One\n\nTY  - NEWTYPE\nTI  - Two\nER  - \n")
    assert [paper.title for paper in result.papers] == ["One", "Two"]
    assert [str(problem) for problem in result.problems] == [
        "x.ris:1: has no end (ER); read as far as it goes"
    ]


def test_an_entry_without_title_costs_no_other() -> None:
    """It is named with its line."""
    result = parse("TY  - JOUR\nPY  - 2020\nER  - \nTY  - JOUR\nTI  - Two\nER  - \n")
    assert [paper.title for paper in result.papers] == ["Two"]
    assert [str(problem) for problem in result.problems] == [
        "x.ris:1: has neither title nor text; left out"
    ]


def test_lines_outside_of_an_entry_are_named() -> None:
    """They belonged to one whose first line was lost; text before the first is no fault."""
    result = parse("Exported\n\nTY  - JOUR\nTI  - t\nER  - \nTI  - u\nER  - \n")
    assert [paper.title for paper in result.papers] == ["t"]
    assert [str(problem) for problem in result.problems] == [
        "x.ris:6: tagged lines before any entry or after its end, left out; one begins with TY"
    ]


def test_a_title_may_go_on_for_several_lines() -> None:
    """Some writers wrap; "AI - based" is no tag, but "PY - 2020" is one."""
    result = parse("TY  - JOUR\nTI  - A title\n  that wraps\nAI - based\nPY - 2020\nER -\n")
    assert [(paper.title, paper.year) for paper in result.papers] == [
        ("A title that wraps AI - based", 2020)
    ]


def test_a_structured_abstract_in_several_fields_is_joined() -> None:
    """Merging tools write one field for each part."""
    assert (
        parse_lines("AB  - One", "two.", "AB  - Three", "four.").abstract == "One two. Three four."
    )


@pytest.mark.parametrize(
    ("lines", "authors"),
    [
        (("AU  - He, Kaiming", "AU  - King, Martin L., Jr."), ("Kaiming He", "Martin L. King Jr.")),
        (("A1  - He, Kaiming",), ("Kaiming He",)),
        (("A1  - He, Kaiming", "AU  - He, Kaiming", "AU  - Roe, A."), ("Kaiming He", "A. Roe")),
        (("AU  - Ana Roe",), ("Ana Roe",)),
    ],
)
def test_names_are_brought_into_printed_order(
    lines: tuple[str, ...], authors: tuple[str, ...]
) -> None:
    """First authors are not counted twice."""
    assert parse_lines(*lines).authors == authors


@pytest.mark.parametrize("line", ["PY  - 2022", "Y1  - 2022/05/01/", "DA  - 2022/05"])
def test_the_year_is_found(line: str) -> None:
    """Under each of its tags."""
    assert parse_lines(line).year == 2022


@pytest.mark.parametrize("tag", ["T2", "JO", "JF", "BT", "JA"])
def test_the_venue_is_found(tag: str) -> None:
    """Under each of its tags."""
    assert parse_lines(f"{tag}  - Some Venue").venue == "Some Venue"


def test_the_title_of_a_book_is_no_venue() -> None:
    """A whole book has its title under the tag of the volume."""
    result = parse("TY  - BOOK\nBT  - The Book of Masks\nER  - ")
    assert [(paper.title, paper.venue) for paper in result.papers] == [("The Book of Masks", None)]


@pytest.mark.parametrize(
    "line",
    [
        "AN  - arXiv:2106.08250",
        "UR  - https://arxiv.org/abs/2106.08250",
        "DO  - 10.48550/arXiv.2106.08250",
        "T2  - arXiv preprint arXiv:2106.08250",
        "N1  - arXiv:2106.08250",
        "L1  - https://arxiv.org/pdf/2106.08250",
    ],
)
def test_an_arxiv_id_is_found_in_every_usual_place(line: str) -> None:
    """And arXiv is no venue and its DOI none."""
    paper = parse_lines(line)
    assert (paper.arxiv_id, paper.venue, paper.doi) == ("2106.08250", None, None)


def test_a_key_is_kept_or_made() -> None:
    """From author, year and title."""
    assert parse_lines("ID  - Roe2020").key == "Roe2020"
    assert parse_lines("AU  - Roe, Ana", "PY  - 2020").key == "roe2020t"


@pytest.mark.parametrize("text", ["", "\n\r\n", "\ufeff"])
def test_an_empty_file_has_no_papers(text: str) -> None:
    """It is named, and no error."""
    result = parse(text)
    assert result.papers == ()
    assert [str(problem) for problem in result.problems] == ["x.ris: holds no entry"]


def test_text_without_an_entry_is_no_ris() -> None:
    """The file is of another kind."""
    with pytest.raises(DataError, match=r"^x\.ris: holds no RIS entry; one begins with 'TY  - '$"):
        parse("@misc{k, title = {t}}")


def test_a_file_that_is_not_utf8_is_refused() -> None:
    """The line is named."""
    with pytest.raises(DataError, match=r"^x\.ris:2: byte 0xe9 is not UTF-8"):
        parse_ris(b"TY  - JOUR\nTI  - \xe9\nER  - ", source="x.ris")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_and_a_byte_order_mark_change_nothing(end: str) -> None:
    """RIS asks for those of Windows."""
    plain = "TY  - JOUR\nTI  - a\nb\nER  - \n\nTY  - JOUR\nER  - \n"
    assert parse("\ufeff" + plain.replace("\n", end)) == parse(plain)


@pytest.mark.parametrize(
    ("text", "n_papers"),
    [
        ("TY  - JOUR\nTI  - " + "x" * 1_000_000 + "\nER  - \n", 1),
        ("TY  - JOUR\nTI  - x\n" + "y\n" * 100_000 + "ER  - \n", 1),
        ("TY  - JOUR\nTI  - a\0b\nER  - \n", 1),
        ("TY  - JOUR\n" * 10_000, 0),
        ("TY  - JOUR\nTI  - x\nER  - \n" * 10_000, 10_000),
    ],
    ids=["huge", "lines", "nul", "open", "many"],
)
def test_hostile_files_are_read_to_their_end(text: str, n_papers: int) -> None:
    """None crashes, and none takes long."""
    assert len(parse(text).papers) == n_papers
