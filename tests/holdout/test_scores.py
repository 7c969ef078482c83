"""Scores: hand-worked and scikit-learn's values, and intervals that hold them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from survey_tools.holdout.scores import bootstrap, estimate, f1_measures, ranking_measures

LABELS = ("a", "b", "c")


def draw(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drawn truth, given labels and probabilities; every label stands somewhere."""
    rng = np.random.default_rng(seed)
    members = rng.random((n, 3)) < (0.2, 0.5, 0.8)
    members[0], members[1] = True, False
    return members, (rng.random((n, 3)) < 0.5).astype(float), rng.random((n, 3)).round(1)


@given(st.integers(0, 10_000))
def test_scores_are_scikit_learns(seed: int) -> None:
    """Precision, recall, F1, macro and micro F1, and the area under the curve."""
    members, found, p = draw(seed)
    one = np.ones((1, len(members)))
    measured = f1_measures(one, members, found[None], LABELS)
    expected = precision_recall_fscore_support(members, found, average=None, zero_division=0)
    for name, values in zip(("precision", "recall", "F1"), expected, strict=False):
        for label, value in zip(LABELS, values, strict=True):
            assert measured[name, label][0] == pytest.approx(value)
    for average in ("macro", "micro"):
        value = f1_score(members, found, average=average, zero_division=0)
        assert measured[f"{average} F1", ""][0] == pytest.approx(value)
    areas = ranking_measures(one, members, p[None], LABELS)
    for j, label in enumerate(LABELS):
        assert areas["AUC", label][0] == pytest.approx(roc_auc_score(members[:, j], p[:, j]))
    assert areas["AUC", ""][0] == pytest.approx(roc_auc_score(members, p, average="macro"))


@given(st.integers(0, 10_000))
def test_a_resample_is_measured_as_if_its_papers_stood_in_it(seed: int) -> None:
    """Weights 0, 1, 2, … equal repeated rows."""
    members, found, p = draw(seed)
    weights = np.random.default_rng(seed).multinomial(28, np.full(28, 1 / 28))
    weights = np.concatenate([[1, 1], weights])  # the first two keep every label on both sides
    rows = np.repeat(np.arange(30), weights)
    one = np.ones((1, len(rows)))
    for measure, values in ((f1_measures, found), (ranking_measures, p)):
        weighed = measure(weights[None].astype(float), members, values[None], LABELS)
        repeated = measure(one, members[rows], values[None][:, rows], LABELS)
        for name in weighed:
            np.testing.assert_allclose(weighed[name], repeated[name])


def test_guesses_by_lot_have_expected_counts() -> None:
    """A label at 2 of 8 papers, given at a rate of 1/4: 2 * 0.5 / (2 + 2) = 1/4."""
    members = (np.arange(8) < 2)[:, None]
    measured = f1_measures(np.ones((1, 8)), members, np.full((1, 8, 1), 0.25), ("a",))
    assert measured["F1", "a"].tolist() == [0.25]
    assert measured["precision", "a"].tolist() == [0.25]


def test_what_is_not_defined_is_left_out_of_the_mean() -> None:
    """A label without papers has no F1; one that is never given has F1 0 and no precision."""
    members = np.array([[True, False], [True, False]])
    measured = f1_measures(np.ones((1, 2)), members, np.zeros((1, 2, 2)), ("a", "b"))
    assert measured["F1", "a"].tolist() == [0.0]
    assert np.isnan(measured["F1", "b"]).all()
    assert np.isnan(measured["precision", "a"]).all()
    assert measured["macro F1", ""].tolist() == [0.0]


def test_repeats_are_averaged() -> None:
    """All right in one repeat and all wrong in another."""
    members = np.array([[True], [False]])
    given = np.stack([members, ~members]).astype(float)
    assert f1_measures(np.ones((1, 2)), members, given, ("a",))["F1", "a"].tolist() == [0.5]
    assert ranking_measures(np.ones((1, 2)), members, given, ("a",))["AUC", ""].tolist() == [0.5]


@given(st.integers(0, 10_000))
def test_intervals_hold_their_values(seed: int) -> None:
    """Whatever the labels; a greater confidence gives no narrower interval."""
    members, found, _ = draw(seed, n=12)
    samples = bootstrap(
        lambda weights: f1_measures(weights, members, found[None], LABELS),
        12,
        50,
        np.random.default_rng(seed),
    )
    for values in samples.values():
        narrow, wide = estimate(values, 0.5), estimate(values, 0.95)
        if narrow.low is None or narrow.high is None:
            assert np.isnan(narrow.value)
            continue
        assert wide.low is not None
        assert wide.high is not None
        assert 0 <= wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high <= 1


def test_the_interval_of_a_share_is_the_binomials() -> None:
    """Recall of 30 of 60 papers: 0.5 -+ 1.96 sqrt(0.25 / 60), to within the bootstrap's noise."""
    members, found = np.ones((60, 1), dtype=bool), (np.arange(60) < 30).astype(float)[:, None]
    samples = bootstrap(
        lambda weights: f1_measures(weights, members, found[None], ("a",)),
        60,
        4000,
        np.random.default_rng(0),
    )
    recall = estimate(samples["recall", "a"], 0.95)
    assert recall.low == pytest.approx(0.5 - 1.96 * np.sqrt(0.25 / 60), abs=0.02)
    assert recall.high == pytest.approx(0.5 + 1.96 * np.sqrt(0.25 / 60), abs=0.02)


def test_without_resamples_there_is_no_interval() -> None:
    """The value stays."""
    found = estimate(np.array([0.3]), 0.95)
    assert (found.value, found.low, found.high) == (0.3, None, None)
