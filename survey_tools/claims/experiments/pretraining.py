"""Pre-training: one encoder by one method with one seed, and what its features tell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from survey_tools.claims.experiment import (
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.experiments.variants import RANDOM, RAW, Variant, parse_variant
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.image_set import ImageSet, measure_scale, standardise
from survey_tools.mae.presets import Preset, find_preset
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.shape_outlines import SHAPES
from survey_tools.mae.shapes import CELLS
from survey_tools.mae.textures import TEXTURES

if TYPE_CHECKING:
    from survey_tools.mae.encoder import Encoder
    from survey_tools.mae.history import HistoryRow
    from survey_tools.mae.methods import Method

__all__ = [
    "FACTORS",
    "TEST_PER_TRAIN",
    "choose_recipe",
    "draw_images",
    "gather_scores",
    "list_scores",
    "open_images",
    "plan_trial",
    "raise_above_chance",
    "train_encoder",
    "train_method",
]

FACTORS: Mapping[str, Mapping[str, int]] = {
    "digits": {"digit": 10},
    "shapes": {"shape": len(SHAPES), "texture": len(TEXTURES), "position": len(CELLS)},
}
"""Labels that are probed, with their numbers of classes."""
TEST_PER_TRAIN: Mapping[str, float] = {"digits": 1.0 / 3.0, "shapes": 0.0}
"""Test images per training image where every seed splits the same images; shapes are drawn anew."""

# Steps, images a batch and the peak rate, chosen on seeds 0 to 9. Digits are trained as the preset
# says in both sizes: after 800 steps a linear probe hardly tells an encoder from a random one.
# Quick shapes are too short to learn much.
_TRAINING: Mapping[tuple[Size, str], tuple[int, int, float]] = {
    ("quick", "shapes"): (400, 64, 1e-3),
    ("full", "shapes"): (1500, 64, 1e-3),
}
# Images of shapes and their kind: small, grey and smooth, 36 patches each
_SHAPES: Mapping[Size, Mapping[str, Any]] = {
    "quick": {"n": [2000, 1000], "side": 24, "channels": 1, "background_px": 6.0, "patch": 4},
    "full": {"n": [4000, 1000], "side": 24, "channels": 1, "background_px": 6.0, "patch": 4},
}
_PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_N_LOSSES = 20  # points of the history that are kept


def list_scores(data: str) -> list[str]:
    """List the scores of an encoder on some data, as statistics name them."""
    factors = FACTORS[data]
    place = ["R2 of place"] if data == "shapes" else []
    return [f"{probe} {factor}" for probe in ("linear", "k-NN") for factor in factors] + place


def raise_above_chance(score: str, value: float, data: str) -> float:
    """Return a score as a share of what lies above guessing: 0 is chance, 1 perfect.

    Accuracies of k equally frequent classes become (a - 1/k) / (1 - 1/k), so that scores of
    factors with different numbers of classes can be compared; R2 is left as it is.
    """
    factor = score.partition(" ")[2]
    if factor not in FACTORS[data]:
        return value
    chance = 1.0 / FACTORS[data][factor]
    return (value - chance) / (1.0 - chance)


def plan_trial(variant: Variant, data: str, size: Size, seed: int) -> Trial:
    """Return the trial of a variant; equal ones of several claims are one.

    All that an outcome depends on is among its parameters: the model and the recipe too.

    Raises
    ------
    ParameterError
        If the model cannot be as the variant says.
    """
    preset = find_preset(data)
    shapes = _SHAPES[size] if data == "shapes" else None
    chosen: dict[str, Any] = {
        "data": data,
        "method": variant.method,
        "penalties": _PENALTIES,
        "shapes": shapes,
    }
    if variant.method == RAW:
        return Trial.of(_RAW_KIND, chosen, seed)
    chosen["model"] = _choose_config(preset.config, variant, shapes).to_dict()
    if variant.method != RANDOM:
        training = _TRAINING.get((size, data))
        recipe = choose_recipe(preset, *training) if training else preset.recipe
        n_steps = max(2, round(variant.step_share * recipe.length))
        recipe = replace(recipe, length=n_steps, warmup=max(1, n_steps // 20))
        chosen |= {"options": variant.options, "recipe": recipe.to_dict()}
    return Trial.of(_KIND, chosen, seed)


def choose_recipe(preset: Preset, n_steps: int, batch_size: int, peak_rate: float) -> Recipe:
    """Return the recipe of a preset at another length, batch and rate."""
    return replace(
        preset.recipe,
        unit="steps",
        length=n_steps,
        warmup=max(1, n_steps // 20),
        batch_size=batch_size,
        base_rate=peak_rate * 256 / batch_size,
    )


def _choose_config(
    config: ModelConfig, variant: Variant, shapes: Mapping[str, Any] | None
) -> ModelConfig:
    if shapes:
        config = replace(
            config,
            image_size=(shapes["side"], shapes["side"]),
            patch_size=(shapes["patch"], shapes["patch"]),
            n_channels=shapes["channels"],
        )
    return replace(config, **variant.config)


def open_images(parameters: Parameters, seed: int) -> tuple[ImageSet, ImageSet]:
    """Read training and test images, both drawn by the seed, standardised by the former."""
    train, test = draw_images(parameters, seed)
    scale = measure_scale(train)
    return standardise(train, scale), standardise(test, scale)


def draw_images(parameters: Parameters, seed: int) -> tuple[ImageSet, ImageSet]:
    """Read training and test images, both drawn by the seed, with values from 0 to 1."""
    from survey_tools.mae.digits import read_digits
    from survey_tools.mae.shapes import ShapeWorld, draw_shapes

    if parameters["data"] == "digits":
        return read_digits("train", seed=seed), read_digits("test", seed=seed)
    kind = parameters["shapes"]
    world = ShapeWorld(
        height=kind["side"],
        width=kind["side"],
        channels=kind["channels"],
        background_px=kind["background_px"],
    )
    n_train, n_test = kind["n"]
    return (
        draw_shapes(n_train, seed=seed, world=world),
        draw_shapes(n_test, seed=seed, split="test", world=world),
    )


def _run(parameters: Parameters, seed: int) -> Outcome:
    """Train an encoder and probe its features."""
    from survey_tools.mae.collapse import effective_rank
    from survey_tools.mae.features import extract_features

    train, test = open_images(parameters, seed)
    encoder, history = train_encoder(parameters, train, seed)
    features = [extract_features(encoder, part.images) for part in (train, test)]
    losses = [float(np.mean([row.loss for row in part])) for part in _split(history)]
    return {
        "scores": _score(parameters, (train, test), features, seed),
        "effective_rank": effective_rank(features[1]),
        "losses": losses,
    }


def _split(history: "list[HistoryRow]") -> "list[list[HistoryRow]]":
    n = len(history)
    ends = [n * i // _N_LOSSES for i in range(_N_LOSSES + 1)]
    return [history[a:b] for a, b in pairwise(ends) if b > a]


def _run_raw(parameters: Parameters, seed: int) -> Outcome:
    """Probe the pixels themselves."""
    parts = open_images(parameters, seed)
    flat = [part.images.reshape(part.n_images, -1) for part in parts]
    return {"scores": _score(parameters, parts, flat, seed), "losses": []}


_KIND = TrialKind(name="pre-training", version=2, run=_run, needs_torch=True)
_RAW_KIND = TrialKind(name="raw pixels", version=2, run=_run_raw, needs_torch=False)


def train_encoder(
    parameters: Parameters, train: ImageSet, seed: int
) -> "tuple[Encoder, list[HistoryRow]]":
    """Pre-train an encoder; a random one is returned as it is drawn.

    One backbone, one schedule and one order of images for all methods.

    Raises
    ------
    ParameterError
        If the training diverges, or a method does not know its options.
    """
    from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
    from survey_tools.mae.encoder import Encoder

    if parameters["method"] == RANDOM:
        config = ModelConfig.from_dict(parameters["model"])
        return Encoder(config, generator=keyed_generator(seed, FIRST_WEIGHTS)), []
    method, history = train_method(parameters, train, seed)
    return method.encoder, history


def train_method(
    parameters: Parameters, train: ImageSet, seed: int
) -> "tuple[Method, list[HistoryRow]]":
    """Pre-train by a method; see `train_encoder`."""
    from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
    from survey_tools.mae.history import HistoryRow
    from survey_tools.mae.methods import build_method
    from survey_tools.mae.sources import MemorySource
    from survey_tools.mae.training import Trainer

    config = ModelConfig.from_dict(parameters["model"])
    generator = keyed_generator(seed, FIRST_WEIGHTS)
    recipe = replace(Recipe.from_dict(parameters["recipe"]), seed=seed)
    options = parameters["options"]
    method = build_method(parameters["method"], config, generator=generator, **options)
    history: list[HistoryRow] = []
    Trainer(method, MemorySource(images=train), recipe, options=options).run(report=history.append)
    return method, history


def _score(
    parameters: Parameters,
    parts: tuple[ImageSet, ImageSet],
    features: Sequence[NDArray[np.floating]],
    seed: int,
) -> dict[str, float]:
    from survey_tools.mae.knn import score_neighbours
    from survey_tools.mae.probe_data import ProbeData
    from survey_tools.mae.probes import score_linear
    from survey_tools.mae.ridge import score_ridge

    train, test = parts
    scores: dict[str, float] = {}
    for factor in train.labels:
        data = ProbeData(
            train=features[0],
            train_labels=train.labels_of(factor),
            test=features[1],
            test_labels=test.labels_of(factor),
        )
        linear = score_linear(data, seed=seed, penalties=tuple(parameters["penalties"]))
        scores[f"linear {factor}"] = linear.accuracy
        scores[f"k-NN {factor}"] = score_neighbours(data).accuracy
    if train.quantities:
        places = [
            np.stack([part.quantities["x"], part.quantities["y"]], axis=1) for part in (train, test)
        ]
        scores["R2 of place"] = score_ridge(features[0], places[0], features[1], places[1]).r2
    return scores


def gather_scores(
    variants: Sequence[str], data: str, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> dict[str, dict[str, list[float]]]:
    """Return the scores by variant and name, one a seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for name in variants:
        of_seeds = [outcomes[plan_trial(parse_variant(name), data, size, seed)] for seed in seeds]
        found[name] = {
            score: [float(outcome["scores"][score]) for outcome in of_seeds]
            for score in list_scores(data)
        }
    return found
