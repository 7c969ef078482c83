"""Identity: the surest sign decides, and what speaks against it is heard."""

import pytest

from survey_tools.corpus import Corpus
from survey_tools.lint.identity import match_papers
from survey_tools.paper import Paper

OURS = Corpus(
    (
        Paper(key="a", title="Masked autoencoders see", arxiv_id="2111.06377v2"),
        Paper(key="b", title="Doubly masked views", doi="10.1000/ABC"),
        Paper(key="c", title="A page of its own", url="https://www.example.org/c/"),
        Paper(key="d", title="Pré-training, again"),
        Paper(key="e", title="A long title of many words about reconstruction of patches"),
        Paper(key="f", title="Shared page one", url="https://example.org/project"),
        Paper(key="g", title="Shared page two", url="https://example.org/project"),
    )
)


@pytest.mark.parametrize(
    ("arrived", "paper_key", "sign"),
    [
        (Paper(key="x", title="Renamed", arxiv_id="2111.06377"), "a", "arxiv_id"),
        (Paper(key="x", title="Renamed", doi="10.1000/abc"), "b", "doi"),
        (Paper(key="x", title="Renamed", url="http://example.org/c#top"), "c", "url"),
        (Paper(key="x", title="pretraining: AGAIN"), "d", "title"),
        (
            Paper(key="x", title="A long title of many words about reconstrution of patches"),
            "e",
            "near_title",
        ),
        (Paper(key="x", title="Shared page two", url="https://example.org/project"), "g", "title"),
    ],
)
def test_each_sign_tells_a_paper(arrived: Paper, paper_key: str, sign: str) -> None:
    """Versions, case, schemes, accents and a typo make no difference."""
    (match,) = match_papers([arrived], OURS)
    assert (match.arrived_key, match.paper_key, match.matched_by) == ("x", paper_key, sign)


@pytest.mark.parametrize(
    "arrived",
    [
        Paper(key="a", title="Nothing alike"),  # a key is no sign unless asked for
        Paper(key="x", title="Masked autoencoders see", arxiv_id="2202.00002"),
        Paper(key="x", title="Unheard of", url="https://example.org/project"),
        Paper(key="x", title=""),
        Paper(key="x", title="A long title of 2 words about reconstruction of patches"),
    ],
)
def test_what_is_another_paper_stays_alone(arrived: Paper) -> None:
    """Two arXiv ids are two papers; a page of two papers tells neither."""
    assert match_papers([arrived], OURS) == ()


def test_keys_count_first_where_asked_for_unless_ids_differ() -> None:
    """A key made by rule may belong to two papers."""
    arrived = [
        Paper(key="a", title="Another", arxiv_id="2202.00002"),
        Paper(key="b", title="Pré-training, again"),
    ]
    matches = match_papers(arrived, OURS, by=("key", "title"))
    assert [(m.arrived_key, m.paper_key, m.matched_by) for m in matches] == [("b", "b", "key")]


def test_surer_matches_come_first_and_two_papers_may_be_one() -> None:
    """The order of signs goes before the order of arrival."""
    arrived = [
        Paper(key="y", title="Masked autoencoders see"),
        Paper(key="x", title="Renamed", arxiv_id="2111.06377"),
    ]
    matches = match_papers(arrived, OURS)
    assert [(m.arrived_key, m.paper_key) for m in matches] == [("x", "a"), ("y", "a")]
