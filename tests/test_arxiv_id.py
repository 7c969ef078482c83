"""arXiv ids: well-formed ones pass, malformed ones are named, mentions are found."""

import pytest

from survey_tools.arxiv_id import ArxivId, check_arxiv_id, find_arxiv_ids, parse_arxiv_id
from survey_tools.errors import DataError


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


@pytest.mark.parametrize("arxiv_id", ["cs/1301001", "hep-th/9107001", "hep-th/0704001"])
def test_old_ids_outside_their_years_are_refused(arxiv_id: str) -> None:
    """The old scheme was used from 1991-08 to 2007-03."""
    found = check_arxiv_id(arxiv_id)
    assert found is not None
    assert "from 1991-08 to 2007-03" in found


@pytest.mark.parametrize(
    ("arxiv_id", "base", "version"),
    [
        ("2111.06377", "2111.06377", None),
        ("2111.06377v12", "2111.06377", 12),
        ("math.GT/0309136v3", "math/0309136", 3),
        ("solv-int/9901001v1", "solv-int/9901001", 1),
        ("hep-th/9901001", "hep-th/9901001", None),
    ],
)
def test_an_id_has_one_canonical_form(arxiv_id: str, base: str, version: int | None) -> None:
    """The subject class goes, the version stands apart, the letter v in an archive's name stays."""
    assert parse_arxiv_id(arxiv_id) == ArxivId(base, version)


def test_a_canonical_id_is_written_back_with_its_version() -> None:
    """``str`` gives what arXiv accepts in an id list."""
    assert str(ArxivId("2111.06377", 2)) == "2111.06377v2"
    assert str(ArxivId("math/0309136")) == "math/0309136"


def test_what_is_no_id_is_refused() -> None:
    """The complaint is that of check_arxiv_id."""
    with pytest.raises(DataError, match="needs 5 digits"):
        parse_arxiv_id("2106.0825")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://arxiv.org/abs/2111.06377v2", ["2111.06377v2"]),
        ("http://arxiv.org/pdf/2111.06377v3.pdf", ["2111.06377v3"]),
        ("https://arxiv.org/pdf/2111.06377.pdf", ["2111.06377"]),
        ("https://ar5iv.labs.arxiv.org/html/2111.06377", ["2111.06377"]),
        ("doi:10.48550/arXiv.2111.06377", ["2111.06377"]),
        ("https://doi.org/10.48550/ARXIV.2111.06377", ["2111.06377"]),
        ("arXiv preprint arXiv:2111.06377, 2021", ["2111.06377"]),
        ("arXiv: math.gt/0309136", ["math/0309136"]),
        ("https://arxiv.org/abs/hep-th/9901001", ["hep-th/9901001"]),
        ("see arXiv:2111.06377 and arXiv:2106.08254", ["2111.06377", "2106.08254"]),
        ("arXiv:2111.063771 has a digit too many", []),
        ("2111.06377 alone is a number", []),
        ("https://notarxiv.example/abs/2111.06377", []),
        ("arXiv:2113.06377 has month 13", []),
    ],
)
def test_ids_are_found_in_links_dois_and_mentions(text: str, expected: list[str]) -> None:
    """Well-formed ids only; a bare number may be anything."""
    assert [str(found) for found in find_arxiv_ids(text)] == expected
