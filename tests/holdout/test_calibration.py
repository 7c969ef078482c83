"""Calibration: Platt's curve as scikit-learn fits it, and hand-worked errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import _SigmoidCalibration
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as reference_log_loss

from survey_tools.holdout.calibration import (
    brier_score,
    calibration_error,
    fit_sigmoid,
    log_loss,
)


def test_the_curve_is_scikit_learns() -> None:
    """CalibratedClassifierCV fits the same slope and offset, by another algorithm."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=80)
    is_true = rng.random(80) < expit(2.0 * scores - 1.0)
    slope, offset = fit_sigmoid(scores, is_true)
    reference = _SigmoidCalibration().fit(scores, is_true)
    assert slope == pytest.approx(-reference.a_, rel=1e-3)
    assert offset == pytest.approx(-reference.b_, rel=1e-3)


def test_scores_that_say_nothing_give_the_smoothed_share() -> None:
    """With equal scores the probability is the mean target: (2 * 3/4 + 4 * 1/6) / 6 = 13/36."""
    slope, offset = fit_sigmoid(np.zeros(6), np.arange(6) < 2)
    assert slope == 0.0
    assert expit(offset) == pytest.approx(13 / 36, abs=1e-4)


def test_separable_scores_do_not_become_certain() -> None:
    """Platt's targets keep probabilities at most (n + 1) / (n + 2)."""
    is_true = np.arange(10) < 5
    scores = np.where(is_true, 1.0, -1.0)
    slope, offset = fit_sigmoid(scores, is_true)
    assert expit(slope + offset) == pytest.approx(6 / 7, abs=1e-4)
    assert expit(offset - slope) == pytest.approx(1 / 7, abs=1e-4)


@given(st.integers(0, 10_000))
def test_scores_and_losses_are_scikit_learns(seed: int) -> None:
    """Brier score and log loss, of drawn probabilities."""
    rng = np.random.default_rng(seed)
    p, is_true = rng.uniform(0.01, 0.99, 20), rng.random(20) < 0.5
    is_true[:2] = False, True
    assert brier_score(p, is_true) == pytest.approx(brier_score_loss(is_true, p))
    assert log_loss(p, is_true) == pytest.approx(reference_log_loss(is_true, p))


def test_the_calibration_error_is_the_weighted_distance_of_the_bins() -> None:
    """Bins of 0.12, 0.18 (one true) and 0.95, 1.0 (both true): (|0.3 - 1| + |1.95 - 2|) / 4."""
    p = np.array([[0.12, 0.18], [0.95, 1.0]])
    is_true = np.array([[True, False], [True, True]])
    assert calibration_error(p, is_true) == pytest.approx((0.7 + 0.05) / 4)
