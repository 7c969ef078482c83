"""Learning curves: nested shares, what they hold, and what is left out."""

import numpy as np
import pytest
from toys import hold_toy_out, toy_corpus, toy_labels, toy_taxonomy

from survey_tools.holdout import learning_curve
from survey_tools.holdout.folds import stratify
from survey_tools.holdout.material import Material
from survey_tools.holdout.problem import pose_problem
from survey_tools.settings import HoldoutSettings, TextSettings
from survey_tools.text import count_terms, tokenise


def test_more_papers_teach_more() -> None:
    """Labels that stand in the texts amid noise: the curve ends at 1 and begins below."""
    labels = toy_labels(60)
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels), n_curve_steps=5).axis("what")
    assert [point.share for point in axis.curve] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert axis.curve[-1].n_training == pytest.approx(48.0)
    assert axis.curve[-1].macro_f1 > 0.98
    assert axis.curve[0].macro_f1 < axis.curve[-1].macro_f1
    for point in axis.curve:
        assert point.n_folds == 5
        assert point.low is not None
        assert point.high is not None
        assert 0 <= point.low <= point.macro_f1 <= point.high <= 1


def test_shares_are_nested_and_stratified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each share holds the one before, the last all, and papers held out are in none."""
    labels = {f"p{i:02}": ["pixel"] if i % 4 == 0 else [] for i in range(40)}
    keys = tuple(sorted(labels))
    problem = pose_problem(toy_taxonomy(labels), "what", keys, 5)
    settings = HoldoutSettings(n_curve_steps=4)
    text = TextSettings()
    material = Material(
        problem=problem,
        counts=count_terms(tokenise(toy_corpus(labels), text, frozenset()), text),
        text=text,
        settings=settings,
    )
    folds = stratify(problem.cover, 5, np.random.default_rng(0))
    learnt: list[set[int]] = []
    tested: list[set[int]] = []

    def record(_: Material, chosen: np.ndarray, held_out: np.ndarray, *__: object) -> float:
        learnt.append(set(chosen.tolist()))
        tested.append(set(held_out.tolist()))
        return 0.5

    monkeypatch.setattr(learning_curve, "_test", record)
    curve = learning_curve.measure_curve(
        material, folds, [np.ones(1)] * 5, np.random.default_rng(1)
    )
    assert [point.n_training for point in curve] == [8, 16, 24, 32]
    for first in range(0, 20, 4):
        shares = learnt[first : first + 4]
        assert shares[0] < shares[1] < shares[2] < shares[3]
        assert shares[3] == set(range(40)) - tested[first]
        with_label = [sum(i % 4 == 0 for i in share) for share in shares]
        assert with_label == [2, 4, 6, 8]


def test_the_interval_is_students() -> None:
    """Of 0.4, 0.5, 0.6: 0.5 -+ 4.3027 * 0.1 / sqrt(3), cut at 0 and 1."""
    point = learning_curve._summarise(0.2, [8, 8, 9], [0.4, 0.5, 0.6], 0.95)
    assert point.macro_f1 == pytest.approx(0.5)
    assert point.low == pytest.approx(0.5 - 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert point.high == pytest.approx(0.5 + 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    alone = learning_curve._summarise(1.0, [8], [0.4], 0.95)
    assert (alone.low, alone.high) == (None, None)


def test_shares_of_too_few_papers_are_left_out() -> None:
    """A fifth of eight training papers teaches nothing."""
    labels = toy_labels(10, seed=2)
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels), n_curve_steps=5).axis("what")
    assert axis.curve[0].share > 0.2
    assert axis.curve[0].n_training >= 4
    assert axis.curve[-1].share == 1.0
