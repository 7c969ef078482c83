"""Trainings on digits with a planted failure, by name, and what all detectors say of them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from survey_tools.mae.chance import FIRST_WEIGHTS, MASKS, keyed_generator
from survey_tools.mae.collapse import detect_collapse
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.detectors import Detection
from survey_tools.mae.digits import read_digits
from survey_tools.mae.features import extract_features
from survey_tools.mae.image_set import ImageSet, measure_scale, standardise
from survey_tools.mae.inspecting import detect_leaks, measure_masked_error
from survey_tools.mae.instability import detect_instability
from survey_tools.mae.low_loss import detect_loss_at_variance, detect_low_loss
from survey_tools.mae.methods import METHODS, Method, build_method
from survey_tools.mae.methods.latents import LatentMethod
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.planted import LeakingMae, Record, Surge, train_recorded
from survey_tools.mae.presets import find_preset
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.teacher import compute_latents

PLANTED = ("leaking-mask-tokens", "no-stop-gradient", "no-positions", "visible-loss")

PEAK_RATE, BATCH = 2e-3, 32
N_LEAK = 8  # images of the tests for leakage
_RUINOUS = 100.0  # times the rate


class SiameseLatents(LatentMethod):
    """The student's own latents are the target, and the gradient flows through both."""

    def make_targets(self, images: Tensor) -> Tensor:
        return compute_latents(self.encoder, images, n_layers=self.teacher.n_layers)


def plant(name: str, config: ModelConfig, *, generator: torch.Generator) -> Method:
    """Build a method with the failure of that name, one of `PLANTED`."""
    if name == "leaking-mask-tokens":
        return LeakingMae(config, generator=generator)
    if name == "no-stop-gradient":
        return SiameseLatents(config, generator=generator)
    if name == "no-positions":
        method = MaeMethod(config, generator=generator)
        method.encoder.positions.table.zero_()
        method.decoder.positions.table.zero_()
        return method
    assert name == "visible-loss", name
    return build_method("mae", config, generator=generator, loss_on="visible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What a training left, and what the detectors say.

    Attributes
    ----------
    detections : mapping of str to Detection
        By the detector's name: every detector that applies.
    """

    record: Record
    detections: dict[str, Detection]

    @property
    def failures(self) -> set[str]:
        """Names of the detectors that found a failure."""
        return {name for name, found in self.detections.items() if found.is_failure}


def train_on_digits(name: str, seed: int, n_steps: int) -> Verdicts:
    """Train for real, healthy or with a failure, and ask every detector that applies.

    Parameters
    ----------
    name : str
        A healthy method; one of `PLANTED`; or a failure of the training of
        MAE: "ruinous-rate" (100 times too high throughout), "rate-surge" (at one step, half way)
        or "damaged-image" (one pixel of one training image is infinite).
    """
    config = find_preset("digits").config
    train, test = (read_digits(split, seed=seed) for split in ("train", "test"))
    scale = measure_scale(train)
    train, test = standardise(train, scale), standardise(test, scale)
    generator = keyed_generator(seed, FIRST_WEIGHTS)
    if name in PLANTED:
        method = plant(name, config, generator=generator)
    else:
        method = build_method(name if name in METHODS else "mae", config, generator=generator)
    baseline = extract_features(method.encoder, test.images)
    if name == "damaged-image":
        train = _damage(train, seed)
    recipe = make_recipe(seed, n_steps, factor=_RUINOUS if name == "ruinous-rate" else 1.0)
    surge = Surge(first=n_steps // 2, n_steps=3, factor=_RUINOUS) if name == "rate-surge" else None
    record = train_recorded(method, train, recipe, surge=surge)
    found = [
        *detect_instability(record.losses, record.gradient_norms),
        *detect_collapse(extract_features(method.encoder, test.images), baseline=baseline),
    ]
    # predictions of visible patches are no leak; a network that a rate has ruined may predict the
    # same of all images, and then both tests say that there is nothing to test
    if method.loss_on == "masked" and name != "ruinous-rate":
        images = test.images[:N_LEAK]
        found += detect_leaks(method, images, generator=keyed_generator(seed, MASKS))
    if name != "tokens":  # whose loss is no squared error
        method.loss_on = "masked"  # whatever was trained, masked patches are what is to be told
        error, targets = measure_masked_error(method, test.images, seed=seed)
        found += detect_low_loss(error, targets), detect_loss_at_variance(error, targets)
    return Verdicts(record=record, detections={one.detector: one for one in found})


def make_recipe(seed: int, n_steps: int, *, factor: float = 1.0) -> Recipe:
    """Build the recipe of all these trainings: the preset's, shorter and in smaller batches."""
    return replace(
        find_preset("digits").recipe,
        length=n_steps,
        warmup=max(1, n_steps // 20),
        batch_size=BATCH,
        base_rate=factor * PEAK_RATE * 256 / BATCH,
        seed=seed,
    )


def _damage(images: ImageSet, seed: int) -> ImageSet:
    """Make one pixel of one image infinite, as a damaged file or a division by 0 may."""
    pixels = images.images.copy()
    pixels[np.random.default_rng(seed).integers(len(pixels)), 0, 3, 4] = np.inf
    return replace(images, images=pixels)
