"""Paper: which text describes it, how it is cited, and what an arXiv id looks like."""

import pytest

from survey_tools.paper import Paper, check_arxiv_id, paper_to_json


def test_an_abstract_goes_before_a_digest() -> None:
    """Where both texts are present the authors' own is the body."""
    paper = Paper(key="a", abstract="Theirs.", digest="Ours.")
    assert (paper.text_source, paper.body) == ("abstract", "Theirs.")


@pytest.mark.parametrize("abstract", [None, "", " \n\t"])
def test_a_digest_stands_in_for_a_missing_or_blank_abstract(abstract: str | None) -> None:
    """White space is no abstract."""
    paper = Paper(key="a", abstract=abstract, digest="Ours.")
    assert (paper.text_source, paper.body) == ("digest", "Ours.")


@pytest.mark.parametrize("blank", [None, " "])
def test_a_paper_without_text_has_an_empty_body(blank: str | None) -> None:
    """Neither text, or blanks in both, is ``none``."""
    paper = Paper(key="a", title="T", abstract=blank, digest=blank)
    assert (paper.text_source, paper.body) == ("none", "")


@pytest.mark.parametrize(
    ("authors", "year", "expected"),
    [
        (("Kaiming He",), 2022, "He (2022)"),
        (("Kaiming He", "Xinlei Chen"), 2022, "He and Chen (2022)"),
        (("Kaiming He", "Xinlei Chen", "Saining Xie"), 2022, "He et al. (2022)"),
        (("Kaiming He", "Xinlei Chen", "Saining Xie", "Yanghao Li"), None, "He et al."),
        ((), 2022, "he2022masked (2022)"),
        ((), None, "he2022masked"),
        (("",), 0, " (0)"),
    ],
)
def test_author_year_names_one_two_or_the_first_of_more(
    authors: tuple[str, ...], year: int | None, expected: str
) -> None:
    """The key stands in for missing authors, and a missing year is left out."""
    assert Paper(key="he2022masked", authors=authors, year=year).author_year == expected


@pytest.mark.parametrize(
    ("arxiv_id", "expected"),
    [
        ("2111.06377", "2111.06377"),
        ("2111.06377v2", "2111.06377"),
        ("2111.06377v12", "2111.06377"),
        ("solv-int/9901001v1", "solv-int/9901001"),
        (None, None),
    ],
)
def test_the_base_id_drops_the_version_alone(arxiv_id: str | None, expected: str | None) -> None:
    """The letter v inside an archive's name is no version."""
    assert Paper(key="a", arxiv_id=arxiv_id).arxiv_base_id == expected


@pytest.mark.parametrize(
    "arxiv_id",
    [
        "0704.0001",
        "1412.9999",
        "1501.00001",
        "2111.06377",
        "2111.06377v12",
        "cs/0601001",
        "cs.CV/0601001v3",
        "hep-th/9901001",
        "math.GT/0309136",
    ],
)
def test_well_formed_arxiv_ids_pass(arxiv_id: str) -> None:
    """Both schemes, their borders in time, with and without class and version."""
    assert check_arxiv_id(arxiv_id) is None


@pytest.mark.parametrize(
    ("arxiv_id", "problem"),
    [
        ("2106.0825", "needs 5 digits after the point; was it once read as a number?"),
        ("1501.0001", "needs 5 digits"),
        ("1412.00001", "needs 4 digits after the point"),
        ("2100.00001", "has month 00"),
        ("2113.00001", "has month 13"),
        ("0703.0001", "must be written archive/YYMMNNN before 2007-04"),
        ("cs/0613001", "is no arXiv id"),
        ("2111.06377v0", "is no arXiv id"),
        ("2111.06377 ", "is no arXiv id"),
        ("2111.06377\n", "is no arXiv id"),
        ("arXiv:2111.06377", "is no arXiv id"),
        ("２１１１.０６３７７", "is no arXiv id"),
        ("2106.082", "is no arXiv id"),
        ("", "is no arXiv id"),
    ],
)
def test_malformed_arxiv_ids_are_named(arxiv_id: str, problem: str) -> None:
    """The complaint repeats the id and says what is wrong with it."""
    found = check_arxiv_id(arxiv_id)
    assert found is not None
    assert problem in found
    assert repr(arxiv_id) in found


def test_too_many_digits_are_not_blamed_on_a_number() -> None:
    """A number loses zeros and never gains digits."""
    found = check_arxiv_id("1412.00001")
    assert found is not None
    assert "number" not in found


def test_json_keeps_letters_and_leaves_out_what_is_absent() -> None:
    """The canonical line is a pinned value: field order, spaces, no escapes for letters."""
    paper = Paper(key="a", title="Ü\n", digest="", authors=("Ö",), year=0, arxiv_id="2111.06377")
    expected = (
        '{"key": "a", "title": "Ü\\n", "digest": "", "authors": ["Ö"], "year": 0, '
        '"arxiv_id": "2111.06377"}'
    )
    assert paper_to_json(paper) == expected
