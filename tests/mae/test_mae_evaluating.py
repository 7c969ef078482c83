"""Evaluation: which probes are run on what, and means over seeds."""

import dataclasses

import numpy as np
import pytest
from small_training import make_method, make_source

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.evaluating import (
    ProbeScore,
    ProbeSettings,
    evaluate_encoder,
    evaluate_features,
    summarise,
)
from survey_tools.mae.features import extract_features
from survey_tools.mae.probe_data import ProbeData
from survey_tools.mae.probes import score_linear

IMAGES = make_source(60).images
TRAIN, TEST = IMAGES.select(slice(0, 40)), IMAGES.select(slice(40, 60))


def test_features_that_hold_the_answer_score_full() -> None:
    """A feature that is the class, and one that is the quantity."""
    columns = [
        np.stack([images.labels["side"] * 2.0 - 1.0, images.quantities["place"]], axis=1)
        for images in (TRAIN, TEST)
    ]
    settings = ProbeSettings(n_per_class=5, n_draws=2, n_neighbours=3)
    scores = evaluate_features(columns[0], TRAIN, columns[1], TEST, settings=settings)
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
    scores = evaluate_features(features[0], TRAIN, features[1], TEST, settings=settings)
    assert [score.probe for score in scores] == ["linear", "k-NN"]


def test_an_encoder_is_scored_by_its_features() -> None:
    """The linear score is that of the features extracted, on so many images as asked."""
    encoder = make_method().encoder
    settings = ProbeSettings(factors=("side",), n_per_class=5, n_draws=2, most_train=30)
    told: list[tuple[int, int]] = []
    scores = evaluate_encoder(
        encoder, TRAIN, TEST, settings=settings, progress=lambda *args: told.append(args)
    )
    data = ProbeData(
        train=extract_features(encoder, TRAIN.images[:30]),
        train_labels=TRAIN.labels["side"][:30],
        test=extract_features(encoder, TEST.images),
        test_labels=TEST.labels["side"],
    )
    assert scores[0].value == score_linear(data, seed=0).accuracy
    assert told == [(1, 1)]


def test_unknown_factors_and_broken_features_are_refused() -> None:
    """By name; and a network that has diverged."""
    features = np.zeros((40, 2)), np.zeros((20, 2))
    with pytest.raises(ParameterError, match="no factor 'colour'; there are: side, place"):
        evaluate_features(
            features[0], TRAIN, features[1], TEST, settings=ProbeSettings(factors=("colour",))
        )
    with pytest.raises(DataError, match="not finite; the network has diverged"):
        evaluate_features(features[0] + np.nan, TRAIN, features[1], TEST)


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
