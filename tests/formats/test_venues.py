"""Venues: arXiv is none, journals are told from conferences, and lists write them with the year."""

import pytest

from survey_tools.formats.venues import is_journal, is_preprint_venue, split_venue


@pytest.mark.parametrize(
    "venue",
    ["arXiv", "ArXiv", "arXiv preprint arXiv:2111.06377", "CoRR", "CoRR, abs/1", "e-prints"],
)
def test_arxiv_under_all_its_names(venue: str) -> None:
    """Also as DBLP and others call it."""
    assert is_preprint_venue(venue)


@pytest.mark.parametrize("venue", ["CVPR", "Corrosion", "Preprints of the IFAC Congress", ""])
def test_other_venues_are_no_preprints(venue: str) -> None:
    """A name may begin alike."""
    assert not is_preprint_venue(venue)


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        ("IEEE Transactions on Image Processing", True),
        ("TPAMI", True),
        ("Journal of Examples", True),
        ("Nature", True),
        ("Proceedings of the National Academy of Sciences", True),
        ("CVPR", False),
        ("Advances in Neural Information Processing Systems", False),
        ("Proceedings of the Conference on Reviews", False),
        ("Lecture Notes in Computer Science", False),
        ("Natural Things", False),
    ],
)
def test_journals_are_told_by_name(venue: str, expected: bool) -> None:
    """Whatever says "proceedings" or is not known is none."""
    assert is_journal(venue) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CVPR 2023", ("CVPR", 2023)),
        ("ICLR'22", ("ICLR", 2022)),
        ("ICML’2020", ("ICML", 2020)),
        ("ICCV23", ("ICCV", 2023)),
        ("NeurIPS, 2021", ("NeurIPS", 2021)),
        ("ECCV 2022 Workshop", ("ECCV Workshop", 2022)),
        ("Unheard Of Letters 2019", ("Unheard Of Letters", 2019)),
        ("TPAMI", ("TPAMI", None)),
        ("2022", (None, 2022)),
        ("2025-05", (None, 2025)),
        ("Arxiv 2021", (None, 2021)),
        ("arXiv", (None, None)),
    ],
)
def test_venue_and_year_are_split(text: str, expected: tuple[str | None, int | None]) -> None:
    """In all the forms that lists use; arXiv is no venue, but has a year."""
    assert split_venue(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Masks", "arXiv:2003.12338", "arXiv:1807.03748", "see 3", "A " * 60 + "2022"]
)
def test_other_text_is_no_venue(text: str) -> None:
    """Ids, words, and what is too long."""
    assert split_venue(text) is None


def test_in_running_text_only_known_venues_count() -> None:
    """Many words are followed by a year."""
    assert split_venue("Ana Roe 2022", known_only=True) is None
    assert split_venue("ICLR-W 2022", known_only=True) == ("ICLR-W", 2022)
