"""Two robustness cards compared in sentences."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from survey_tools.errors import DataError
from survey_tools.robustness.comparison import compare_cards, read_card

CARD = {
    "title": "A survey",
    "setting": {"weighting": "tf-idf", "n_clusters": 3},
    "rule": {"min_au": 0.95},
    "names": [
        {
            "name": "video",
            "n_papers": 5,
            "verdict": "robust",
            "runs": {"papers": {"mean_jaccard": 0.9}, "one choice": {"mean_jaccard": None}},
        }
    ],
    "clusters": [
        {
            "name": "C1",
            "n_papers": 9,
            "verdict": "fragile",
            "runs": {"papers": {"mean_jaccard": 0.6}},
        }
    ],
}


def changed(**values) -> dict:
    """Return the card with some of it changed."""
    return {**deepcopy(CARD), **values}


def test_equal_cards() -> None:
    """A card against itself differs in nothing."""
    assert compare_cards(CARD, deepcopy(CARD)) == (
        "Against the other run: both have the same setting.",
        "Against the other run: the verdict is the same for 1 of 1 names.",
        "Against the other run: the verdict is the same for 1 of 1 clusters.",
    )


def test_what_differs_is_said() -> None:
    """Settings, verdicts, scores, clusters of other sizes, and rules are compared."""
    name = {**CARD["names"][0], "verdict": "fragile", "runs": {"papers": {"mean_jaccard": 0.7}}}
    other = changed(
        setting={"weighting": "bm25", "n_clusters": 3},
        names=[name],
        clusters=[{**CARD["clusters"][0], "n_papers": 8}],
        rule={"min_au": 0.9},
    )
    assert [s.removeprefix("Against the other run: ") for s in compare_cards(CARD, other)] == [
        "settings differ: weighting tf-idf (other: bm25).",
        "the verdict is the same for 0 of 1 names.",
        "verdicts that differ: video robust (other: fragile).",
        "mean Jaccard scores that differ by 0.1 or more: video papers 0.90 (other: 0.70).",
        "2 clusters stand in one run only, or hold other papers.",
        "the rules of the verdicts differ.",
    ]


def test_another_survey_is_not_compared() -> None:
    """One sentence says it, instead of a list of differences without meaning."""
    assert compare_cards(CARD, changed(title="Another")) == (
        "The other run is of another survey, 'Another'; nothing is compared.",
    )


def test_small_changes_are_not_told() -> None:
    """Scores that differ by less than two quick runs do are left out."""
    name = {**CARD["names"][0], "runs": {"papers": {"mean_jaccard": 0.85}}}
    assert not any("scores" in s for s in compare_cards(CARD, changed(names=[name])))


def test_a_card_is_read_from_a_folder_or_a_file(tmp_path: Path) -> None:
    """Both the output folder and its card.json are understood."""
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    assert read_card(tmp_path) == read_card(tmp_path / "card.json") == CARD


BARE = json.dumps({**CARD, "clusters": [{"name": "C1"}]})
UNSCORED = json.dumps({**CARD, "names": [{**CARD["names"][0], "runs": {"papers": {}}}]})


@pytest.mark.parametrize("text", ["", "[]", '{"title": "x"}', "{", BARE, UNSCORED])
def test_no_card(tmp_path: Path, text: str) -> None:
    """What is no card is named."""
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(DataError, match=r"card.json: is no robustness card"):
        read_card(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_card(tmp_path / "gone")
