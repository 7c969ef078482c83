"""Linear models: what they learn, what they choose, and what they do with one-sided labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from survey_tools.holdout.model import best_threshold, fit_model


def rows_and_labels(n: int = 40, seed: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
    """Rows whose first column tells label 0 and whose second tells label 1, with noise."""
    rng = np.random.default_rng(seed)
    members = rng.random((n, 2)) < 0.4
    x = np.column_stack([members, rng.random((n, 6))]).astype(np.float64)
    return sparse.csr_array(x), members


def test_separable_labels_are_given_as_they_are() -> None:
    """Also to rows that were not trained on."""
    x, members = rows_and_labels()
    model = fit_model(x, members, np.arange(40) % 5, penalties=(0.1, 1.0, 10.0))
    new, truth = rows_and_labels(seed=1)
    assert (model.decide(new) == truth).all()
    assert model.weights[0].argmax() == 0
    assert model.weights[1].argmax() == 1


def test_the_weights_are_those_of_balanced_logistic_regression() -> None:
    """The reference weighs both sides of a label by scikit-learn's class_weight."""
    x, members = rows_and_labels()
    model = fit_model(x, members, np.arange(40) % 5, penalties=(1.0,))
    reference = LogisticRegression(C=1.0, class_weight="balanced", solver="liblinear")
    for j in range(2):
        reference.fit(x, members[:, j])
        np.testing.assert_allclose(model.weights[j], reference.coef_[0], rtol=1e-6)
        assert model.intercepts[j] == pytest.approx(reference.intercept_[0], rel=1e-6)


def test_a_label_that_no_training_paper_carries_is_never_given() -> None:
    """And one that all carry always is, with the smoothed share as probability."""
    x, members = rows_and_labels()
    members = np.column_stack([np.zeros(40, dtype=bool), np.ones(40, dtype=bool)])
    model = fit_model(x, members, np.arange(40) % 5, penalties=(1.0,))
    assert not model.decide(x)[:, 0].any()
    assert model.decide(x)[:, 1].all()
    assert model.probabilities(x)[0] == pytest.approx([1 / 42, 41 / 42])


def test_a_label_of_a_single_training_paper_is_learnt_without_calibration() -> None:
    """Its paper gets it; a paper without anything in common does not."""
    x = sparse.csr_array(np.eye(6))
    members = np.arange(6)[:, None] == 2
    model = fit_model(x, members, np.arange(6) % 3, penalties=(0.1, 1.0, 10.0))
    assert model.decide(x)[:, 0].tolist() == [False, False, True, False, False, False]
    assert model.penalties.tolist() == [1.0]


def test_exclusive_labels_are_one_a_paper_and_their_probabilities_add_up() -> None:
    """The label with the greatest score is chosen."""
    x = sparse.csr_array(np.repeat(np.eye(3), 5, axis=0))
    members = np.repeat(np.eye(3, dtype=bool), 5, axis=0)
    model = fit_model(x, members, np.arange(15) % 5, penalties=(1.0,), is_exclusive=True)
    assert (model.decide(x) == members).all()
    np.testing.assert_allclose(model.probabilities(x).sum(axis=1), 1.0)


def test_scores_that_rank_backwards_are_not_turned_round() -> None:
    """Alternating folds make the inner scores wrong; the probability is then the share."""
    x = sparse.csr_array(np.array([[1.0], [0.0]] * 2 + [[0.0], [1.0]] * 2))
    members = np.array([[True], [False]] * 4)
    model = fit_model(x, members, np.array([0, 0, 0, 0, 1, 1, 1, 1]), penalties=(1.0,))
    assert model.slopes.tolist() == [0.0]
    np.testing.assert_allclose(model.probabilities(x), 0.5)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=12))
def test_no_other_threshold_has_a_greater_expected_f1(drawn: list[float]) -> None:
    """Compared with giving the label from each probability on."""
    p = np.array(drawn)

    def expected(threshold: float) -> float:
        given = p >= threshold
        return 2 * p[given].sum() / (given.sum() + p.sum())

    best = expected(best_threshold(p))
    assert best >= max(expected(threshold) for threshold in p) - 1e-12


def test_a_threshold_is_half_way_to_the_next_probability() -> None:
    """0.9, 0.8 are given: 3.4 / (2 + 1.8) > 3.6 / (3 + 1.8) and 1.8 / (1 + 1.8)."""
    assert best_threshold(np.array([0.05, 0.9, 0.8, 0.05])) == pytest.approx(0.425)
    assert best_threshold(np.full(4, 0.3)) == 0.0
