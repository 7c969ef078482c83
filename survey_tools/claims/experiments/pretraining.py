"""Pre-training: one encoder by one method with one seed, and what its features tell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from survey_tools.claims.experiment import Outcome, Outcomes, Parameters, Size, Trial, TrialKind
from survey_tools.claims.experiments.variants import RANDOM, RAW, Variant, parse_variant
from survey_tools.mae.image_set import ImageSet, measure_scale, standardise

if TYPE_CHECKING:
    from survey_tools.mae.config import ModelConfig
    from survey_tools.mae.encoder import Encoder
    from survey_tools.mae.history import HistoryRow
    from survey_tools.mae.presets import Preset

__all__ = [
    "FACTORS",
    "gather_scores",
    "list_scores",
    "open_images",
    "plan_trial",
    "train_encoder",
]

FACTORS: Mapping[str, tuple[str, ...]] = {
    "digits": ("digit",),
    "shapes": ("shape", "texture", "position"),
}
# Steps, images a batch and the peak rate: of full runs those of the presets; quick ones are the
# shortest that still tell a trained encoder of digits from a random one (some 15 s on one core)
_TRAINING: Mapping[Size, Mapping[str, tuple[int, int, float]]] = {
    "quick": {"digits": (1000, 64, 4e-3), "shapes": (300, 64, 4e-3)},
    "full": {"digits": (1500, 128, 2e-3), "shapes": (1500, 64, 1e-3)},
}
# Images of shapes, and their kind: in quick runs small, grey and smooth, 16 patches each
_SHAPES: Mapping[Size, Mapping[str, Any]] = {
    "quick": {"n": [2000, 1000], "side": 24, "channels": 1, "background_px": 6.0, "patch": 6},
    "full": {"n": [8000, 2000], "side": 32, "channels": 3, "background_px": 2.0, "patch": 4},
}
_PENALTIES = {"quick": (1e-3,), "full": (1e-4, 1e-3, 1e-2, 1e-1)}
_N_LOSSES = 20  # points of the history that are kept


def list_scores(data: str) -> list[str]:
    """List the scores of an encoder on some data, as statistics name them."""
    factors = FACTORS[data]
    place = ["R2 of place"] if data == "shapes" else []
    return [f"{probe} {factor}" for probe in ("linear", "k-NN") for factor in factors] + place


def plan_trial(variant: Variant, data: str, size: Size, seed: int) -> Trial:
    """Return the trial of a variant; equal ones of several claims are one."""
    chosen: dict[str, Any] = {
        "data": data,
        "method": variant.method,
        "penalties": _PENALTIES[size],
        "shapes": _SHAPES[size] if data == "shapes" else None,
    }
    if variant.method not in (RAW, RANDOM):
        chosen["config"], chosen["options"] = variant.config, variant.options
        n_steps, chosen["batch_size"], chosen["peak_rate"] = _TRAINING[size][data]
        chosen["n_steps"] = max(2, round(variant.step_share * n_steps))
    return Trial.of(_RAW_KIND if variant.method == RAW else _KIND, chosen, seed)


def open_images(parameters: Parameters, seed: int) -> tuple[ImageSet, ImageSet]:
    """Read training and test images, both drawn by the seed, standardised by the former."""
    from survey_tools.mae.digits import read_digits
    from survey_tools.mae.shapes import ShapeWorld, draw_shapes

    if parameters["data"] == "digits":
        train, test = read_digits("train", seed=seed), read_digits("test", seed=seed)
    else:
        kind = parameters["shapes"]
        world = ShapeWorld(
            height=kind["side"],
            width=kind["side"],
            channels=kind["channels"],
            background_px=kind["background_px"],
        )
        n_train, n_test = kind["n"]
        train = draw_shapes(n_train, seed=seed, world=world)
        test = draw_shapes(n_test, seed=seed, split="test", world=world)
    scale = measure_scale(train)
    return standardise(train, scale), standardise(test, scale)


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


_KIND = TrialKind(name="pre-training", version=1, run=_run, needs_torch=True)
_RAW_KIND = TrialKind(name="raw pixels", version=1, run=_run_raw, needs_torch=False)


def train_encoder(
    parameters: Parameters, train: ImageSet, seed: int, *, rate_factor: float = 1.0
) -> "tuple[Encoder, list[HistoryRow]]":
    """Pre-train an encoder by the preset of its data; a random one is returned as it is drawn.

    One backbone, one schedule and one order of images for all methods.

    Raises
    ------
    ParameterError
        If the training diverges, or a method does not know its options.
    """
    from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
    from survey_tools.mae.encoder import Encoder
    from survey_tools.mae.history import HistoryRow
    from survey_tools.mae.methods import build_method
    from survey_tools.mae.presets import find_preset
    from survey_tools.mae.sources import MemorySource
    from survey_tools.mae.training import Trainer

    preset = find_preset(parameters["data"])
    config = _choose_config(preset, parameters)
    generator = keyed_generator(seed, FIRST_WEIGHTS)
    if parameters["method"] == RANDOM:
        return Encoder(config, generator=generator), []
    n_steps = parameters["n_steps"]
    recipe = replace(
        preset.recipe,
        unit="steps",
        length=n_steps,
        warmup=max(1, n_steps // 20),
        batch_size=parameters["batch_size"],
        base_rate=rate_factor * parameters["peak_rate"] * 256 / parameters["batch_size"],
        seed=seed,
    )
    options = parameters["options"]
    method = build_method(parameters["method"], config, generator=generator, **options)
    history: list[HistoryRow] = []
    Trainer(method, MemorySource(images=train), recipe, options=options).run(report=history.append)
    return method.encoder, history


def _choose_config(preset: "Preset", parameters: Parameters) -> "ModelConfig":
    changes = dict(parameters.get("config", {}))
    if parameters["data"] == "shapes":
        kind = parameters["shapes"]
        changes |= {
            "image_size": (kind["side"], kind["side"]),
            "patch_size": (kind["patch"], kind["patch"]),
            "n_channels": kind["channels"],
        }
    return replace(preset.config, **changes)


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
