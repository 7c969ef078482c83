"""Evaluation: which probes are run on what, and means over seeds."""

import dataclasses

import numpy as np
import pytest
from small_training import make_source

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.evaluating import (
    SOLVERS,
    ProbeScore,
    ProbeSettings,
    draw_rows,
    evaluate_features,
    summarise,
)
from survey_tools.mae.image_set import Factors

IMAGES = make_source(60).images
TRAIN, TEST = IMAGES.select(slice(0, 40)), IMAGES.select(slice(40, 60))


def test_features_that_hold_the_answer_score_full() -> None:
    """A feature that is the class, and one that is the quantity."""
    columns = [
        np.stack([images.labels["side"] * 2.0 - 1.0, images.quantities["place"]], axis=1)
        for images in (TRAIN, TEST)
    ]
    settings = ProbeSettings(n_per_class=5, n_draws=2, n_neighbours=3)
    scores = evaluate_features(columns[0], TRAIN, columns[1], TEST.factors, settings=settings)
    assert [(s.probe, s.factor, s.measure) for s in scores] == [
        ("linear", "side", "accuracy"),
        ("few labels", "side", "accuracy"),
        ("k-NN", "side", "accuracy"),
        ("ridge", "place", "R2"),
    ]
    values = {score.probe: score.value for score in scores}
    assert values["linear"] == 1.0
    assert values["ridge"] > 0.99


def test_few_labels_are_left_out_where_a_class_has_fewer() -> None:
    """Twenty images a class cannot give thirty labels."""
    features = TRAIN.images.reshape(40, -1), TEST.images.reshape(20, -1)
    settings = ProbeSettings(n_per_class=30, factors=("side",))
    scores = evaluate_features(
        features[0], TRAIN.factors, features[1], TEST.factors, settings=settings
    )
    assert [score.probe for score in scores] == ["linear", "k-NN"]


def test_training_images_are_drawn_from_all_classes() -> None:
    """A folder's images stand class by class; the first of them would be of one class."""
    labels = np.repeat([0, 1, 2], [50, 30, 4])
    factors = Factors(name="folder", labels={"class": labels}, quantities={})
    rows = draw_rows(factors, ProbeSettings(most_train=24))
    assert np.bincount(labels[rows]).tolist() == [10, 10, 4]
    assert (np.diff(rows) > 0).all()
    assert draw_rows(factors, ProbeSettings(most_train=24, seed=1)).tolist() != rows.tolist()
    assert draw_rows(factors, ProbeSettings(most_train=84)).tolist() == list(range(84))


def test_both_solvers_give_the_same_scores() -> None:
    """scikit-learn's and torch's linear probe find one minimum; another name is refused."""
    features = TRAIN.images.reshape(40, -1)[:, :5], TEST.images.reshape(20, -1)[:, :5]
    scores = [
        evaluate_features(
            features[0],
            TRAIN.factors,
            features[1],
            TEST.factors,
            settings=ProbeSettings(factors=("side",), n_per_class=5, n_draws=2, solver=solver),
        )
        for solver in SOLVERS
    ]
    assert scores[0] == scores[1]
    with pytest.raises(ParameterError, match="solver='liblinear': one of scikit-learn, torch"):
        evaluate_features(
            features[0],
            TRAIN.factors,
            features[1],
            TEST.factors,
            settings=ProbeSettings(factors=("side",), solver="liblinear"),  # type: ignore[arg-type]
        )


def test_unknown_factors_and_broken_features_are_refused() -> None:
    """By name; and a network that has diverged."""
    features = np.zeros((40, 2)), np.zeros((20, 2))
    with pytest.raises(ParameterError, match="no factor 'colour'; there are: side, place"):
        evaluate_features(
            features[0],
            TRAIN.factors,
            features[1],
            TEST.factors,
            settings=ProbeSettings(factors=("colour",)),
        )
    with pytest.raises(DataError, match="not finite; the network has diverged"):
        evaluate_features(features[0] + np.nan, TRAIN.factors, features[1], TEST.factors)


def test_means_over_seeds_by_hand() -> None:
    """Two runs: 0.5 and 0.7 have the mean 0.6; one run has no interval."""
    first = [ProbeScore(probe="linear", factor="side", measure="accuracy", value=0.5)]
    second = [dataclasses.replace(first[0], value=0.7)]
    found = summarise([first, second])[("linear", "side", "accuracy")]
    assert found.mean == pytest.approx(0.6)
    assert found.values == (0.5, 0.7)
    assert found.high == pytest.approx(0.6 + 12.706 * 0.1, abs=1e-3)  # Student's t, 1 degree
    assert summarise([first])[("linear", "side", "accuracy")].low is None
    with pytest.raises(ParameterError, match="ridge of place is not there for all"):
        summarise([first, [*second, dataclasses.replace(first[0], probe="ridge", factor="place")]])
    with pytest.raises(ParameterError, match="none arrived"):
        summarise([])
