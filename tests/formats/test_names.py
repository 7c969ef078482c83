"""Names: surname first and surname last, and lists of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.formats.names import invert_name, split_authors, turn_name

words = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("inverted", "printed"),
    [
        ("He, Kaiming", "Kaiming He"),
        ("van Gogh, Vincent", "Vincent van Gogh"),
        ("de la Cruz, Ana María", "Ana María de la Cruz"),
        ("King, Martin Luther, Jr.", "Martin Luther King Jr."),
        ("Ford, Harrison Anna, III", "Harrison Anna Ford III"),
        ("OpenAI", "OpenAI"),
    ],
)
def test_a_name_is_turned_both_ways(inverted: str, printed: str) -> None:
    """Particles belong to the surname, a suffix stands last."""
    assert turn_name(inverted) == printed
    assert invert_name(printed) == inverted


def test_a_suffix_may_stand_in_the_middle() -> None:
    """BibTeX writes it so."""
    assert turn_name("King, Jr., Martin Luther") == "Martin Luther King Jr."


@given(st.lists(words, min_size=1, max_size=5).map(" ".join))
def test_an_inverted_name_is_turned_back(name: str) -> None:
    """Whatever its words are."""
    assert turn_name(invert_name(name)) == name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("He, Kaiming; Chen, Xinlei", ("Kaiming He", "Xinlei Chen")),
        ("He, Kaiming (57000000001); Roe A. (1)", ("Kaiming He", "Roe A.")),
        ("Ana Roe and Bo Lee", ("Ana Roe", "Bo Lee")),
        ("Ana Roe, Bo Lee, and Cy Doe", ("Ana Roe", "Bo Lee", "Cy Doe")),
        ("Ana Roe, Bo Lee & Cy Doe", ("Ana Roe", "Bo Lee", "Cy Doe")),
        ("Ana Roe, Bo Lee", ("Ana Roe", "Bo Lee")),
        ("He, Kaiming", ("Kaiming He",)),
        ("Ana Roe et al.", ("Ana Roe",)),
        ("He, Kaiming and others", ("Kaiming He",)),
        ("Salt and Pepper Group;", ("Salt and Pepper Group",)),
        (" ; ", ()),
        ("", ()),
    ],
)
def test_a_cell_of_authors_is_split(text: str, names: tuple[str, ...]) -> None:
    """At semicolons, else at "and", else at commas between whole names."""
    assert split_authors(text) == names
