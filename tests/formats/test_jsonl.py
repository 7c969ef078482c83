"""JSON lines: what was written comes back byte for byte; every fault has a file and a line."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.jsonl import parse_papers, read_papers, serialise_papers, write_papers
from survey_tools.paper import Paper

BUNDLED = Path(__file__).parents[2] / "data" / "mim" / "papers.jsonl"
GOOD = b'{"key": "a", "title": "t"}\n'

# All of Unicode but halves of surrogate pairs, which no UTF-8 file can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
papers = st.builds(
    Paper,
    key=keys,
    title=texts.map("T{}".format),
    abstract=st.none() | texts,
    digest=st.none() | texts,
    authors=st.lists(texts, max_size=3).map(tuple),
    year=st.none() | st.integers(),
    venue=st.none() | texts,
    arxiv_id=st.sampled_from([None, "2106.08250", "2106.08250v3", "cs.CV/0601001"]),
    doi=st.none() | texts,
    url=st.none() | texts,
    code_url=st.none() | texts,
)
corpora = st.lists(papers, min_size=1, max_size=4, unique_by=lambda paper: paper.key).map(
    lambda found: Corpus(tuple(found))
)
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x00\ufeff\r\n\\\"'\x7f😀"


def complaint(data: bytes) -> str:
    """Return what is said about a file that must be refused."""
    with pytest.raises(DataError) as caught:
        parse_papers(data, source="p.jsonl")
    return str(caught.value)


@given(corpora)
@example(Corpus((Paper(key="a", title=SEPARATORS, abstract=SEPARATORS, authors=(SEPARATORS,)),)))
def test_written_papers_are_read_back_equal(corpus: Corpus) -> None:
    """Line and paragraph separators inside a text split no record."""
    data = serialise_papers(corpus)
    assert data.count(b"\n") == len(corpus)
    again = parse_papers(data, source="p.jsonl")
    assert again == corpus
    assert serialise_papers(again) == data


def test_a_file_is_written_and_read_back(tmp_path: Path) -> None:
    """The functions on files do what those on bytes do."""
    corpus = Corpus((Paper(key="é", title="Ü\u2028"), Paper(key="a", digest="d", year=2022)))
    write_papers(corpus, tmp_path / "p.jsonl")
    assert (tmp_path / "p.jsonl").read_bytes() == serialise_papers(corpus)
    assert read_papers(tmp_path / "p.jsonl") == corpus


def test_the_bundled_papers_are_canonical() -> None:
    """The file of 180 papers comes back byte for byte."""
    data = BUNDLED.read_bytes()
    corpus = parse_papers(data, source="papers.jsonl")
    assert len(corpus) == 180
    assert serialise_papers(corpus) == data


def test_a_byte_order_mark_crlf_and_blank_lines_are_tolerated() -> None:
    """A file that Windows saved is read as the plain one."""
    plain = b'{"key": "a", "title": "t"}\n{"key": "b", "title": "u"}\n'
    windows = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n\r\n").rstrip()
    assert parse_papers(windows, source="p") == parse_papers(plain, source="p")


def test_absent_fields_and_nulls_are_the_same() -> None:
    """``null`` says that something is not known."""
    paper = parse_papers(b'{"key": "a", "title": "t", "digest": null}', source="p")["a"]
    assert paper == Paper(key="a", title="t")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path stands in the message."""
    path = tmp_path / "none.jsonl"
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: no such file$"):
        read_papers(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What the system says about the path is passed on."""
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_papers(tmp_path)


def test_a_nul_in_a_file_name_is_refused() -> None:
    """YAML can write such a name, and no file system can hold it."""
    with pytest.raises(DataError, match=r"'a\\x00b': cannot be read \(embedded null byte\)"):
        read_papers(Path("a\0b"))


@pytest.mark.parametrize("data", [b"", b"\n \r\n\t\n", b"\xef\xbb\xbf"])
def test_a_file_without_papers_is_refused(data: bytes) -> None:
    """An empty corpus is a mistake and no result."""
    assert complaint(data) == "p.jsonl: the corpus is empty; give one paper a line"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_that_is_not_utf8_is_named_with_its_line(mark: bytes) -> None:
    """A byte-order mark moves neither the line nor the byte."""
    expected = "p.jsonl:2: byte 0xff is not UTF-8; save the file as UTF-8"
    assert complaint(mark + GOOD + b"\xff") == expected


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_lines_are_counted_from_one_with_blank_ones(ending: bytes) -> None:
    """The line is the one that an editor shows."""
    data = ending.join([b'{"key": "a", "title": "t"}', b"", b"", b"{"])
    assert complaint(data).startswith("p.jsonl:4: not valid JSON: ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{'key': 'a'}", "not valid JSON: Expecting property name"),
        ('{"key": "a", "title": "t"} x', "not valid JSON: Extra data at column 28"),
        ('{"key": "a", "title": "t"}\u2028', "not valid JSON: Extra data"),
        ("[1]", "input should be an object, but [1] arrived"),
        ("null", "input should be an object, but None arrived"),
        ('{"title": "t"}', "key: is required but missing"),
        ('{"key": null, "title": "t"}', "key: input should be a valid string, but None arrived"),
        ('{"key": "a", "titel": "t"}', "titel: unknown; did you mean 'title'?"),
        ('{"kye": "a", "title": "t"}', "kye: unknown; did you mean 'key'?"),
        ('{"key": "a", "qqq": "t"}', "qqq: unknown; allowed: abstract, arxiv_id, authors, "),
        ('{"key": "a", "key": "b", "title": "t"}', "field 'key' stands twice"),
        ('{"key": "a", "title": "t", "title": "t"}', "field 'title' stands twice"),
        (
            '{"key": "a", "title": "t", "year": "2022"}',
            "year: input should be a valid integer, but '2022' arrived",
        ),
        (
            '{"key": "a", "title": "t", "year": 2022.0}',
            "year: input should be a valid integer, but 2022.0 arrived",
        ),
        (
            '{"key": "a", "title": "t", "year": true}',
            "year: input should be a valid integer, but True arrived",
        ),
        (
            '{"key": "a", "title": "t", "year": NaN}',
            "year: input should be a valid integer, but nan arrived",
        ),
        (
            '{"key": "a", "title": "t", "authors": "He"}',
            "authors: input should be a valid array, but 'He' arrived",
        ),
        (
            '{"key": "a", "title": "t", "authors": ["He", 1]}',
            "authors.1: 1 is read as the number 1; write",
        ),
        ('{"key": "a", "title": 7}', 'title: 7 is read as the number 7; write it in quotes: "7"'),
        ('{"key": "", "title": "t"}', "key '' must be text without spaces"),
        ('{"key": "a b", "title": "t"}', "key 'a b' must be text without spaces"),
        ('{"key": "a\\u00a0b", "title": "t"}', "must be text without spaces or control"),
        ('{"key": "a\\u200b", "title": "t"}', "must be text without spaces or control"),
        ('{"key": "a\\n", "title": "t"}', "must be text without spaces or control"),
        ('{"key": "a"}', "paper 'a' has neither title nor text"),
        ('{"key": "a", "title": " ", "digest": "\\t"}', "paper 'a' has neither title nor text"),
        ('{"key": "a", "title": "t", "arxiv_id": ""}', "paper 'a': '' is no arXiv id"),
    ],
)
def test_a_faulty_line_is_refused_with_its_reason(line: str, expected: str) -> None:
    """File and line stand before what arrived and what is allowed."""
    text = complaint(GOOD + line.encode())
    assert text.startswith("p.jsonl:2: ")
    assert expected in text


def test_a_lost_zero_in_an_arxiv_id_is_seen() -> None:
    """The mark of an id that was once read as a number."""
    expected = (
        "p.jsonl:1: paper 'a': arXiv id '2106.0825' needs 5 digits after the point; "
        "was it once read as a number?"
    )
    assert complaint(b'{"key": "a", "title": "t", "arxiv_id": "2106.0825"}') == expected


def test_an_arxiv_id_without_quotes_is_quoted_as_it_was_written() -> None:
    """The advice keeps the zero that the number lost."""
    expected = (
        "p.jsonl:1: arxiv_id: 2106.08250 is read as the number 2106.0825; "
        'write it in quotes: "2106.08250"'
    )
    assert complaint(b'{"key": "a", "title": "t", "arxiv_id": 2106.08250}') == expected


def test_two_papers_with_one_key_are_named_with_both_lines() -> None:
    """The blank line between them counts."""
    expected = "p.jsonl:3: two papers with one key: 'a' (first on line 1)"
    assert complaint(GOOD + b"\n" + b'{"key": "a", "title": "u"}') == expected


@pytest.mark.parametrize("half", [r"\ud800", r"\udc00", r"\ude00\ud83d", r"\ud83dx"])
@pytest.mark.parametrize("field", ["key", "title", "abstract"])
def test_half_a_surrogate_pair_is_refused(field: str, half: str) -> None:
    """Such text could not be written back as UTF-8."""
    record = {"key": "a", "title": "t", "abstract": "b"} | {field: "HALF"}
    line = json.dumps(record).replace("HALF", half)
    assert complaint(line.encode()) == "p.jsonl:1: holds half a surrogate pair; no valid Unicode"


def test_a_whole_surrogate_pair_is_one_character() -> None:
    """Other tools escape emoji so."""
    assert parse_papers(rb'{"key": "a", "title": "\ud83d\ude00"}', source="p")["a"].title == "😀"


@pytest.mark.parametrize("depth", [300, 100_000])
def test_deep_nesting_is_refused_and_overflows_no_stack(depth: int) -> None:
    """Deeper than pydantic's parser goes, and deeper than Python's."""
    line = b'{"key": "a", "title": "t", "authors": ' + b"[" * depth + b"]" * depth + b"}"
    assert complaint(line) == "p.jsonl:1: nested too deeply"


def test_a_number_of_5000_digits_is_refused() -> None:
    """Python's own limit has a file and a line too."""
    line = b'{"key": "a", "title": "t", "year": ' + b"9" * 5000 + b"}"
    assert complaint(line).startswith("p.jsonl:1: Exceeds the limit")
