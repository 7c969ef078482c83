"""Paper: which text describes it, how it is cited."""

import pytest

from survey_tools.paper import Paper, paper_to_json


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


def test_json_keeps_letters_and_leaves_out_what_is_absent() -> None:
    """The canonical line is a pinned value: field order, spaces, no escapes for letters."""
    paper = Paper(key="a", title="Ü\n", digest="", authors=("Ö",), year=0, arxiv_id="2111.06377")
    expected = (
        '{"key": "a", "title": "Ü\\n", "digest": "", "authors": ["Ö"], "year": 0, '
        '"arxiv_id": "2111.06377"}'
    )
    assert paper_to_json(paper) == expected
