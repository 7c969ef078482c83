"""Drafts of entries: keys are kept or made, ids are found, what cannot be used is named."""

import pytest

from survey_tools.corpus import Corpus
from survey_tools.formats.references import (
    Draft,
    KeyRing,
    Problem,
    assemble,
    clean_doi,
    clean_text,
    find_year,
    make_key,
)
from survey_tools.paper import Paper


def assemble_one(**fields: object) -> tuple[Paper, list[str]]:
    """Assemble one draft; return its paper and what is said about it."""
    made, problems = assemble([Draft(line=3, **fields)], source="s")  # type: ignore[arg-type]
    ((_, paper),) = made
    return paper, [problem.sentence for problem in problems]


@pytest.mark.parametrize(
    ("title", "authors", "year", "key"),
    [
        ("Masked Autoencoders", ("Ana Roe",), 2022, "roe2022masked"),
        ("On the Role of Masks", ("Vincent van Gogh",), 2021, "gogh2021role"),
        ("Multi-View Things", ("Pablo Moreno-Muñoz", "B"), 2023, "morenomunoz2023multi"),
        ("4M: Many Things", ("Łukasz Øst Jr.",), 2023, "ost20234m"),
        ("Schrödinger's Cat", (), 1935, "schrodingers1935cat"),
        ("Masks", (), None, "masks"),
        ("What is it?", ("Ana Roe",), None, "roewhat"),
        ("图像", ("何",), 2022, "paper2022"),
        ("", (), None, "paper"),
    ],
)
def test_a_key_is_surname_year_and_first_content_word(
    title: str, authors: tuple[str, ...], year: int | None, key: str
) -> None:
    """In lower-case ASCII; without a surname two words stand around the year."""
    assert make_key(title, authors, year) == key


def test_made_keys_are_those_of_the_bundled_survey(mim_corpus: Corpus) -> None:
    """All but the six that were told apart by hand, or chosen before the authors were known."""
    others = [
        paper.key
        for paper in mim_corpus
        if make_key(paper.title, paper.authors, paper.year) != paper.key
    ]
    assert len(others) <= 6


def test_keys_that_collide_get_letters_in_order() -> None:
    """After z comes aa; a key that is taken is stepped over."""
    ring = KeyRing(["kb"])
    given = [ring.claim("k") for _ in range(30)]
    assert given[:4] == ["k", "ka", "kc", "kd"]
    assert given[25:] == ["kz", "kaa", "kab", "kac", "kad"]


def test_a_made_key_never_is_one_that_a_later_entry_has() -> None:
    """The own keys of the file come first."""
    drafts = [
        Draft(line=1, title="Masks", authors=("Roe",), year="2022"),
        Draft(line=2, key="roe2022masks", title="Other"),
    ]
    made, problems = assemble(drafts, source="s")
    assert [paper.key for _, paper in made] == ["roe2022masksa", "roe2022masks"]
    assert problems == []


def test_a_key_with_a_blank_is_replaced_and_named() -> None:
    """What stands in a manuscript would no longer be found."""
    paper, sentences = assemble_one(key="roe 2022", title="Masks", year="2022")
    assert paper.key == "masks2022"
    assert sentences == [
        "key 'roe 2022' must be text without spaces or control characters; "
        "'masks2022' is used instead"
    ]


def test_of_two_entries_with_one_key_the_second_is_left_out() -> None:
    """It is named with the line of the first, unless both say the same."""
    drafts = [
        Draft(line=1, key="k", title="One"),
        Draft(line=5, key="k", title="One"),
        Draft(line=9, key="k", title="Two"),
    ]
    made, problems = assemble(drafts, source="s")
    assert [paper.title for _, paper in made] == ["One"]
    assert [str(problem) for problem in problems] == [
        "s:9: k: a second entry with this key (first on line 1) says something else; left out"
    ]


def test_an_entry_without_title_and_text_is_left_out() -> None:
    """The corpus could not be read back with it."""
    made, problems = assemble([Draft(line=7, key="k", year="2022")], source="s")
    assert made == []
    assert [str(p) for p in problems] == ["s:7: k: has neither title nor text; left out"]


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("10.1007/s11263-025-1", "10.1007/s11263-025-1"),
        (" https://doi.org/10.1007/AbC_1 ", "10.1007/AbC_1"),
        ("http://dx.doi.org/10.1000/a%2Fb", "10.1000/a/b"),
        ("doi:10.1000/x", "10.1000/x"),
        ("DOI: 10.1000/x", "10.1000/x"),
        ("10.48550/arXiv.2111.06377", None),
        ("https://doi.org/10.48550/ARXIV.2111.06377", None),
        ("10.1/x", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_a_doi_is_bare_and_never_of_arxiv(text: str, doi: str | None) -> None:
    """Prefixes go; case stays."""
    assert clean_doi(text) == doi


def test_a_doi_that_is_none_is_named() -> None:
    """The paper is kept without it."""
    paper, sentences = assemble_one(title="t", doi="n/a")
    assert paper.doi is None
    assert sentences == ["doi 'n/a' is no DOI (10.NNNN/…); left out"]


def test_a_link_to_a_doi_gives_the_doi() -> None:
    """Many files have it only there."""
    paper, sentences = assemble_one(title="t", url="https://doi.org/10.1000/x")
    assert (paper.doi, paper.url) == ("10.1000/x", "https://doi.org/10.1000/x")
    assert sentences == []


@pytest.mark.parametrize(
    ("fields", "arxiv_id"),
    [
        ({"arxiv_id": "2111.06377v2"}, "2111.06377v2"),
        ({"arxiv_id": "arXiv:2111.06377"}, "2111.06377"),
        ({"arxiv_id": "cs.CV/0601001"}, "cs.CV/0601001"),
        ({"arxiv_id": "2111.06377 [cs.CV]"}, "2111.06377"),
        ({"arxiv_id": "https://arxiv.org/abs/2111.06377v1"}, "2111.06377v1"),
        ({"doi": "10.48550/arXiv.2111.06377"}, "2111.06377"),
        ({"url": "https://arxiv.org/pdf/2111.06377.pdf"}, "2111.06377"),
        ({"mentions": ("x", "arXiv preprint arXiv:2111.06377")}, "2111.06377"),
        ({"arxiv_id": "2106.0825", "url": "http://arxiv.org/abs/2106.08250"}, "2106.08250"),
    ],
)
def test_an_arxiv_id_is_found_wherever_it_stands(fields: dict[str, object], arxiv_id: str) -> None:
    """The field that is meant for it goes before links, links before notes."""
    paper, sentences = assemble_one(title="t", **fields)
    assert paper.arxiv_id == arxiv_id
    assert paper.doi is None
    assert sentences == []


def test_an_arxiv_id_that_lost_its_zero_is_named() -> None:
    """The paper is kept without it."""
    paper, sentences = assemble_one(title="t", arxiv_id="2106.0825")
    assert paper.arxiv_id is None
    assert sentences == [
        "arXiv id '2106.0825' needs 5 digits after the point; was it once read as a number?; "
        "left out"
    ]


@pytest.mark.parametrize(
    ("text", "year"),
    [("2022", 2022), ("2022-05-01", 2022), ("c. 1999a", 1999), ("20221", None), ("in press", None)],
)
def test_a_year_is_four_digits_that_stand_alone(text: str, year: int | None) -> None:
    """Dates have one too."""
    assert find_year(text) == year


def test_a_year_that_is_none_is_named() -> None:
    """The paper is kept without it."""
    paper, sentences = assemble_one(title="t", year="in press")
    assert paper.year is None
    assert sentences == ["year 'in press' is no year; left out"]


def test_arxiv_is_no_venue() -> None:
    """A preprint has not appeared anywhere."""
    paper, _ = assemble_one(title="t", venue="arXiv preprint arXiv:2111.06377")
    assert paper.venue is None


def test_text_is_composed_unwrapped_and_free_of_control_characters() -> None:
    """The same paper is the same text, whatever it came in."""
    assert clean_text(" a\x00 \r\n\tb\u0301 \x0bc\x85d ") == "a b́ c d"
    assert clean_text("u\u0308ber") == "über"


def test_a_problem_names_source_line_and_key() -> None:
    """As far as they are known."""
    assert str(Problem(source="a.bib", line=3, key="k", sentence="x")) == "a.bib:3: k: x"
    assert str(Problem(source="a.bib", sentence="x")) == "a.bib: x"
