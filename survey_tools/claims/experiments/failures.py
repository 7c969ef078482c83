"""Failures: planted ones that detectors must find, and healthy runs that they must leave alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from survey_tools.claims.estimate import estimate_share
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.experiments.checks import check_at_least
from survey_tools.claims.experiments.pretraining import choose_recipe, open_images
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.presets import find_preset
from survey_tools.mae.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from survey_tools.mae.detectors import Detection
    from survey_tools.mae.encoder import Encoder
    from survey_tools.mae.image_set import ImageSet
    from survey_tools.mae.methods.mae import MaeMethod

__all__ = ["EXPERIMENT"]

_SIGNATURES = ("collapse", "leakage", "instability")
_DEFAULTS: dict[str, Any] = {"rate_factor": 100.0}
_STEPS = {"quick": 64, "full": 400}  # at 64 and 400 steps ruined encoders of 12 seeds were found
_BATCH, _RATE = 64, 2e-3
_N_LEAK = 8  # images of the test for leakage
_DETECTION = ("detector", "value", "threshold", "is_failure")


def _statistics(parameters: Parameters) -> list[str]:
    check_at_least("rate_factor", parameters["rate_factor"], 1.0)
    kinds = ("planted runs found", "healthy runs flagged")
    return [f"share of {kind}, {signature}" for signature in _SIGNATURES for kind in kinds]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What the runs of a seed share: images, shape of the network, recipe, first weights."""

    train: "ImageSet"
    test: "ImageSet"
    config: ModelConfig
    recipe: Recipe

    @classmethod
    def of(cls, parameters: Parameters, seed: int) -> "_Setting":
        train, test = open_images({"data": "digits"}, seed)
        config = ModelConfig.from_dict(parameters["model"])
        recipe = replace(Recipe.from_dict(parameters["recipe"]), seed=seed)
        return cls(train=train, test=test, config=config, recipe=recipe)

    def draw(self, kind: "type[MaeMethod]") -> "MaeMethod":
        from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator

        return kind(self.config, generator=keyed_generator(self.recipe.seed, FIRST_WEIGHTS))

    def features(self, encoder: "Encoder") -> "NDArray[Any]":
        from survey_tools.mae.features import extract_features

        return extract_features(encoder, self.test.images)


def _run(parameters: Parameters, seed: int) -> Outcome:
    """Train a healthy run and three with a failure, and ask the detectors of each signature."""
    from survey_tools.mae.collapse import effective_rank
    from survey_tools.mae.instability import detect_instability
    from survey_tools.mae.methods.mae import MaeMethod
    from survey_tools.mae.planted import train_recorded

    setting, factor = _Setting.of(parameters, seed), parameters["rate_factor"]
    healthy = setting.draw(MaeMethod)
    baseline = setting.features(healthy.encoder)  # its first weights
    record = train_recorded(healthy, setting.train, setting.recipe)
    features = {"random": baseline, "healthy": setting.features(healthy.encoder)}
    ruined = _train_ruined(setting, factor)
    if ruined is not None:
        features["planted"] = ruined
    found = {
        "instability": {
            "healthy": detect_instability(record.losses, record.gradient_norms),
            "planted": _detect_surge(setting, factor),
        },
        "collapse": _detect_collapse(features),
        "leakage": {
            "healthy": _detect_leaks(setting, healthy),
            "planted": _detect_planted_leak(setting),
        },
    }
    return {
        "found": {
            signature: {runs: [_describe(one) for one in all_] for runs, all_ in by_runs.items()}
            for signature, by_runs in found.items()
        },
        "ranks": {runs: effective_rank(values) for runs, values in features.items()},
        "losses": record.losses.tolist(),
    }


def _train_ruined(setting: _Setting, factor: float) -> "NDArray[Any] | None":
    """Train at a ruinous rate; None if nothing finite is left of the encoder."""
    from survey_tools.mae.methods.mae import MaeMethod
    from survey_tools.mae.planted import train_recorded

    method = setting.draw(MaeMethod)
    recipe = replace(setting.recipe, base_rate=factor * setting.recipe.base_rate)
    record = train_recorded(method, setting.train, recipe)
    features = setting.features(method.encoder)
    return None if record.has_diverged or not np.isfinite(features).all() else features


def _detect_collapse(
    features: "Mapping[str, NDArray[Any]]",
) -> "dict[str, tuple[Detection, ...]]":
    """Compare each encoder with its own first weights; one that diverged has nothing to show."""
    from survey_tools.mae.collapse import detect_collapse

    return {
        runs: detect_collapse(features[runs], baseline=features["random"])
        if runs in features
        else ()
        for runs in ("healthy", "planted")
    }


def _detect_surge(setting: _Setting, factor: float) -> "tuple[Detection, ...]":
    """Train with a rate that is ruinous at three steps, half way, and look at the history."""
    from survey_tools.mae.instability import detect_instability
    from survey_tools.mae.methods.mae import MaeMethod
    from survey_tools.mae.planted import Surge, train_recorded

    surge = Surge(first=setting.recipe.length // 2, n_steps=3, factor=factor)
    record = train_recorded(setting.draw(MaeMethod), setting.train, setting.recipe, surge=surge)
    return detect_instability(record.losses, record.gradient_norms)


def _detect_planted_leak(setting: _Setting) -> "tuple[Detection, ...]":
    """Train with mask tokens that carry the pixels they hide; half the steps are plenty."""
    from survey_tools.mae.planted import LeakingMae, train_recorded

    method = setting.draw(LeakingMae)
    recipe = replace(setting.recipe, length=setting.recipe.length // 2)
    train_recorded(method, setting.train, recipe)
    return _detect_leaks(setting, method)


def _detect_leaks(setting: _Setting, method: "MaeMethod") -> "tuple[Detection, ...]":
    from survey_tools.mae.chance import MASKS, keyed_generator
    from survey_tools.mae.inspecting import detect_leaks, measure_masked_error
    from survey_tools.mae.low_loss import detect_low_loss

    seed, images = setting.recipe.seed, setting.test.images
    generator = keyed_generator(seed, MASKS)
    suspicion = detect_low_loss(*measure_masked_error(method, images, seed=seed))
    return *detect_leaks(method, images[:_N_LEAK], generator=generator), suspicion


def _describe(detection: "Detection") -> dict[str, Any]:
    """Return a detection as plain data; numbers that are not finite become None."""
    value = detection.value
    return {
        "detector": detection.detector,
        "value": value if math.isfinite(value) else None,
        "threshold": detection.threshold,
        "is_failure": detection.is_failure,
    }


_KIND = TrialKind(name="failures", version=6, run=_run, needs_torch=True)


def _trial(parameters: Parameters, size: Size, seed: int) -> Trial:
    preset = find_preset("digits")
    recipe = choose_recipe(preset, _STEPS[size], _BATCH, _RATE)
    chosen = {"model": preset.config.to_dict(), "recipe": recipe.to_dict()}
    return Trial.of(_KIND, {**parameters, **chosen}, seed)


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [_trial(parameters, size, seed) for seed in seeds]


def _is_flagged(detections: Sequence[Mapping[str, Any]]) -> bool:
    return any(bool(detection["is_failure"]) for detection in detections)


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    found = [outcomes[_trial(parameters, size, seed)] for seed in seeds]
    estimates, rows = [], []
    for signature in _SIGNATURES:
        for kind, words in (("planted", "planted runs found"), ("healthy", "healthy runs flagged")):
            flags = [_is_flagged(one["found"][signature][kind]) for one in found]
            estimates.append(estimate_share(f"share of {words}, {signature}", flags))
            rows.append((signature, kind, sum(flags), len(flags)))
    tables = (
        FindingTable(
            name="detectors",
            title="Runs that the detectors flag",
            columns=("signature", "runs", "n_flagged", "n_runs"),
            rows=tuple(rows),
        ),
        FindingTable(
            name="detections",
            title="What each detector measures in each run",
            columns=("seed", "signature", "runs", *_DETECTION),
            rows=tuple(
                (seed, signature, runs, *(detection[name] for name in _DETECTION))
                for seed, one in zip(seeds, found, strict=True)
                for signature in _SIGNATURES
                for runs in ("healthy", "planted")
                for detection in one["found"][signature][runs]
            ),
        ),
        FindingTable(
            name="ranks",
            title="Effective rank of features of test images",
            columns=("seed", "random", "healthy", "planted"),
            rows=tuple(
                (seed, *(one["ranks"].get(kind) for kind in ("random", "healthy", "planted")))
                for seed, one in zip(seeds, found, strict=True)
            ),
        ),
    )
    return Findings(estimates=tuple(estimates), tables=tables)


EXPERIMENT = Experiment(
    name="failures",
    title="planted failures and healthy runs under the detectors",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
