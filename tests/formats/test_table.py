"""Tables: columns by many names, everything text, a faulty row costs no other."""

import io

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.references import ReadResult, clean_text
from survey_tools.formats.table import (
    FIELDS,
    has_columns,
    parse_csv,
    parse_parquet,
    serialise_csv,
    serialise_parquet,
)
from survey_tools.paper import Paper

texts = (
    st.text(
        st.sampled_from("\",;\t='@+- ab") | st.characters(exclude_categories=["Cs", "Cc", "Cn"])
    )
    .map(clean_text)
    .filter(bool)
)
names = texts.map(lambda text: clean_text(text.replace(",", "").replace(";", ""))).filter(bool)


def papers_by(names: st.SearchStrategy[str]) -> st.SearchStrategy[Corpus]:
    """Build corpora whose authors have such names."""
    papers = st.builds(
        Paper,
        key=st.text(st.sampled_from("ab0:/.+-_é,;="), min_size=1),
        title=texts,
        abstract=st.none() | texts,
        digest=st.none() | texts,
        authors=st.lists(names, max_size=3).map(tuple),
        year=st.none() | st.integers(1000, 2999),
        venue=st.sampled_from([None, "CVPR", "A, B; C"]),
        arxiv_id=st.sampled_from([None, "2106.08250", "2106.08250v3", "cs.CV/0601001"]),
        doi=st.sampled_from([None, "10.1000/a;b,c"]),
        url=st.sampled_from([None, "https://example.org/~a_b?c=%20;d#e"]),
        code_url=st.sampled_from([None, "https://github.com/a/b_c"]),
    )
    return st.lists(papers, min_size=1, max_size=4, unique_by=lambda paper: paper.key).map(
        lambda found: Corpus(tuple(found))
    )


def parse(text: str) -> ReadResult:
    """Parse the text of a file named x.csv."""
    return parse_csv(text.encode(), source="x.csv")


def complaints(text: str) -> list[str]:
    """Return what is said about a file."""
    return [str(problem) for problem in parse(text).problems]


def to_parquet(columns: dict[str, list[object]]) -> bytes:
    """Write columns as Parquet, with the types that pyarrow takes them for."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@given(corpus=papers_by(names))
@example(corpus=Corpus((Paper(key="a", title="t", authors=("Salt and Pepper",)),)))
@example(corpus=Corpus((Paper(key="a", title="t", authors=("A B", "C D et al.")),)))
def test_written_csv_is_read_back_equal(delimiter: str, corpus: Corpus) -> None:
    """Whatever delimiters and quotes stand in the text."""
    data = serialise_csv(corpus, delimiter=delimiter)
    assert data.count(b"\n") == len(corpus) + 1
    result = parse_csv(data, source="x.csv")
    assert result.problems == ()
    assert result.papers == corpus.papers
    assert serialise_csv(Corpus(result.papers), delimiter=delimiter) == data


@given(papers_by(texts))
def test_written_parquet_is_read_back_equal(corpus: Corpus) -> None:
    """Names with commas and semicolons too; the same papers give the same bytes."""
    data = serialise_parquet(corpus)
    result = parse_parquet(data, source="x.parquet")
    assert result.problems == ()
    assert result.papers == corpus.papers
    assert serialise_parquet(Corpus(result.papers)) == data


def test_csv_is_written_one_paper_a_line() -> None:
    """A cell that a spreadsheet would take for a formula is written as it is."""
    papers = (
        Paper(
            key="a", title="=1+1", abstract="two\nlines", authors=("Ana Roe", "Bo Lee"), year=2022
        ),
        Paper(key="b", title='A "title", quoted', arxiv_id="2106.08250"),
    )
    assert serialise_csv(Corpus(papers)).decode() == (
        "key,title,abstract,digest,authors,year,venue,arxiv_id,doi,url,code_url\n"
        "a,=1+1,two lines,,Ana Roe; Bo Lee,2022,,,,,\n"
        'b,"A ""title"", quoted",,,,,,2106.08250,,,\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "Title,Author(s),Publication Year,Source title,DOI,arXiv ID\n"
        'T,"Roe, Ana; Lee, Bo",2022,CVPR,https://doi.org/10.1000/x,arXiv:2106.08250\n',
        "Article Title;AUTHORS;pub_year;Venue;doi;arxiv\r\n"
        'T;"Roe, Ana; Lee, Bo";2022;CVPR;10.1000/x;2106.08250\r\n',
        "title\tauthors\tdate\tjournal\tDOI\teprint\nT\tAna Roe and Bo Lee\t2022-05-01\tCVPR\t"
        "doi:10.1000/x\t2106.08250\n",
        "\ufeffsep=;\nTitle;Authors;Year;Conference;DOI;arXiv-ID\n"
        "T;Ana Roe, Bo Lee;2022.0;CVPR;10.1000/x;2106.08250\n",
    ],
)
def test_columns_are_known_by_many_names(text: str) -> None:
    """With any of the delimiters, and a byte-order mark or not."""
    result = parse(text)
    assert result.problems == ()
    assert result.papers == (
        Paper(
            key="roe2022t",
            title="T",
            authors=("Ana Roe", "Bo Lee"),
            year=2022,
            venue="CVPR",
            arxiv_id="2106.08250",
            doi="10.1000/x",
        ),
    )


def test_of_columns_for_one_field_the_first_that_says_something_counts() -> None:
    """Full names go before short ones."""
    text = "title,Authors,Author full names\nT,Roe A.,\nU,Lee B.,Lee Bo\n"
    assert [paper.authors for paper in parse(text).papers] == [("Roe A.",), ("Lee Bo",)]


def test_unknown_columns_are_named_once() -> None:
    """They are no error."""
    assert complaints("title,Rating,Cited by\nT,5,1\nU,4,2\n") == [
        "x.csv:1: columns are not known and not read: Rating, Cited by"
    ]


def test_an_arxiv_id_that_a_spreadsheet_made_a_number_is_named() -> None:
    """The id that kept its zero is kept."""
    result = parse("key,title,arxiv_id\na,T,2106.0825\nb,U,2106.08250\n")
    assert [paper.arxiv_id for paper in result.papers] == [None, "2106.08250"]
    assert [str(problem) for problem in result.problems] == [
        "x.csv:2: a: arXiv id '2106.0825' needs 5 digits after the point; was it once read as a "
        "number?; left out"
    ]


def test_a_row_that_is_no_csv_costs_no_other() -> None:
    """Lines are counted as an editor does."""
    result = parse('title,year\n"two\nlines",2020\n"bad" x,2021\ngood,2022\n')
    assert [paper.title for paper in result.papers] == ["two lines", "good"]
    assert [str(problem) for problem in result.problems] == [
        "x.csv:4: not valid CSV: ',' expected after '\"'; left out"
    ]


def test_a_quotation_mark_that_nothing_closes_costs_one_line() -> None:
    """Other readers take the rest of the file for one cell."""
    result = parse('title,year\none,2020\n"two,2021\nthree,2022\nfour,2023\n')
    assert [paper.title for paper in result.papers] == ["one", "three", "four"]
    assert [str(problem) for problem in result.problems] == [
        "x.csv:3: not valid CSV: unexpected end of data; left out"
    ]


def test_a_row_with_too_many_cells_is_named() -> None:
    """A comma without quotation marks moved its cells; missing cells at the end are empty."""
    result = parse("title,year,venue\nA, b,2020,CVPR\nC\nD,2021,CVPR,,\n")
    assert [(p.title, p.year, p.venue) for p in result.papers] == [
        ("C", None, None),
        ("D", 2021, "CVPR"),
    ]
    assert [str(problem) for problem in result.problems] == [
        "x.csv:2: 4 cells in 3 columns; left out; put a cell that holds ',' in quotation marks"
    ]


def test_a_table_without_titles_is_refused() -> None:
    """The columns that it has are named, and those that are known."""
    expected = r"^x\.csv: no column of titles; columns are a, b; allowed: key, title, abstract, "
    with pytest.raises(DataError, match=expected):
        parse("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"^x\.parquet: no column of titles; columns are a; "):
        parse_parquet(to_parquet({"a": [1]}), source="x.parquet")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.csv: holds no row"),
        ("\ufeff\r\n", "x.csv: holds no row"),
        ("title\n", "x.csv: holds no row of a paper"),
        ("title,year\n,\n\n", "x.csv: holds no row of a paper"),
    ],
)
def test_an_empty_table_has_no_papers(text: str, expected: str) -> None:
    """It is named, and no error."""
    assert parse(text).papers == ()
    assert complaints(text) == [expected]


def test_a_file_that_is_not_utf8_is_refused() -> None:
    """The line is named."""
    with pytest.raises(DataError, match=r"^x\.csv:2: byte 0xe9 is not UTF-8"):
        parse_csv(b"title\n\xe9", source="x.csv")


def test_parquet_of_others_is_read() -> None:
    """Numbers, dates, missing cells, authors in one text; a number of an id is named."""
    data = to_parquet(
        {
            "Title": ["T", "U"],
            "Authors": ["Roe, Ana; Lee, Bo", None],
            "Year": [2022.0, float("nan")],
            "arXiv ID": [2106.0825, 2106.08251],
            "Rating": [1, 2],
        }
    )
    result = parse_parquet(data, source="x.parquet")
    assert [(p.title, p.authors, p.year, p.arxiv_id) for p in result.papers] == [
        ("T", ("Ana Roe", "Bo Lee"), 2022, None),
        ("U", (), None, "2106.08251"),
    ]
    unknown, number = (str(problem) for problem in result.problems)
    assert unknown == "x.parquet: column is not known and not read: Rating"
    assert number.startswith("x.parquet:1: arXiv id '2106.0825' needs 5 digits after the point")


def test_cells_of_parquet_that_are_no_text_are_nothing() -> None:
    """Structures stand in no field of a paper."""
    data = to_parquet({"title": ["T"], "abstract": [{"a": 1}], "venue": [["x"]], "doi": [True]})
    assert parse_parquet(data, source="x").papers == (Paper(key="t", title="T"),)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 10, b"title\nT\n", b"\0" * 100])
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    """Pyarrow's words are passed on in one line."""
    with pytest.raises(DataError, match=r"^x: cannot be read as Parquet \(.+\)$"):
        parse_parquet(data, source="x")


def test_broken_parquet_is_refused() -> None:
    """Whatever part is broken, nothing else than our own error comes out."""
    whole = serialise_parquet(Corpus((Paper(key="a", title="t" * 50, abstract="b"),)))
    for start in range(4, len(whole) - 40, 37):
        broken = whole[:start] + b"\xff" * 40 + whole[start + 40 :]
        try:
            result = parse_parquet(broken, source="x")
        except DataError:
            continue
        assert len(result.papers) <= 1
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        parse_parquet(whole[:-20], source="x")


def test_a_year_beyond_64_bits_is_refused_in_parquet() -> None:
    """JSON lines may hold it."""
    with pytest.raises(DataError, match=r"^paper 'a': year 9{25} is too large for Parquet$"):
        serialise_parquet(Corpus((Paper(key="a", title="t", year=int("9" * 25)),)))


def test_all_fields_of_a_paper_are_columns() -> None:
    """A field more must not be forgotten."""
    assert set(FIELDS) == set(Paper.__dataclass_fields__)


def test_a_header_is_told_from_text() -> None:
    """Two names that are known."""
    assert has_columns("\n\nTitle;Year;x\n")
    assert not has_columns("A title\n")


@pytest.mark.parametrize(
    ("text", "n_papers"),
    [
        ("title\n" + "x" * 1_000_000 + "\n", 1),
        ("title\n" + '"' + "x" * 1_000_000, 0),
        ("title\n" + '"\n' * 20_000, 0),
        ("title,year\n" + 'a,"b\n' * 20_000, 0),
        ("title\na\0b\n", 1),
        ("title\n" + "t\n" * 10_000, 10_000),
        ("title" + ",title" * 10_000 + "\nt\n", 1),
    ],
    ids=["huge", "open", "quotes", "rows", "nul", "many", "columns"],
)
def test_hostile_tables_are_read_to_their_end(text: str, n_papers: int) -> None:
    """None crashes, and none takes long."""
    assert len(parse(text).papers) == n_papers
