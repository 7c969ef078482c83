"""Verdicts: every word from hand-made scores."""

import pytest

from survey_tools.cover import Cover
from survey_tools.holdout.prediction import LINEAR, NEAREST
from survey_tools.holdout.problem import Problem
from survey_tools.holdout.scores import Estimate
from survey_tools.holdout.verdict import judge

PROBLEM = Problem(
    name="what",
    title="What",
    cover=Cover.from_mapping({"p": ["a"]}),
    is_exclusive=False,
    rare_labels=(),
    untestable=(("b", "1 paper"),),
)


def verdict(f1: float, difference: tuple[float | None, ...], area: tuple[float | None, ...]) -> str:
    """Judge a macro F1 against guesses at 0.5."""

    def at(value: float) -> Estimate:
        return Estimate(value=value, low=None, high=None)

    measures = {
        LINEAR: {
            ("macro F1", ""): at(f1),
            ("AUC", ""): Estimate(value=0.6, low=area[0], high=area[1]),
        },
        NEAREST: {("macro F1", ""): at(0.4)},
        "every label": {("macro F1", ""): at(0.5)},
    }
    differences = {"every label": Estimate(value=f1 - 0.5, low=difference[0], high=difference[1])}
    return judge(PROBLEM, measures, differences, "every label")


@pytest.mark.parametrize(
    ("f1", "words"),
    [
        (0.55, "Can be recovered, but weakly: 10% of the way from guessing to perfect"),
        (0.65, "Can be recovered in part: 30%"),
        (0.75, "Can be recovered moderately well: 50%"),
        (0.85, "Can be recovered well: 70%"),
        (1.0, "Can be recovered almost perfectly: 100%"),
    ],
)
def test_the_strength_is_the_way_from_guessing_to_perfect(f1: float, words: str) -> None:
    """Where the interval of the difference lies above 0."""
    assert verdict(f1, (0.01, 0.6), (0.4, 0.7)).startswith(words)


def test_texts_that_only_rank_hardly_recover() -> None:
    """The area's interval lies above one half, that of the difference does not above 0."""
    assert verdict(0.55, (-0.01, 0.1), (0.51, 0.7)).startswith("Can hardly be recovered: the texts")


def test_otherwise_it_is_guessing_and_the_numbers_follow() -> None:
    """With the labels that could not be tested."""
    assert verdict(0.55, (-0.01, 0.1), (0.49, 0.7)) == (
        "No better than guessing (macro F1 0.55, by guessing (every label) 0.50, difference +0.05 "
        "[-0.01, +0.10]; by the nearest cluster 0.40; AUC 0.60 [0.49, 0.70]). 1 label not "
        "testable: b (1 paper)."
    )


def test_without_resamples_nothing_is_claimed() -> None:
    """The numbers stand, without intervals."""
    said = verdict(0.9, (None, None), (None, None))
    assert said.startswith("Not tested against guessing, as nothing was resampled (macro F1 0.90")
