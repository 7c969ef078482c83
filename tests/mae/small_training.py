"""A training that takes milliseconds: twelve images, a network of one block, any recipe."""

from typing import Any

import numpy as np
import torch

from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.history import HistoryRow
from survey_tools.mae.image_set import ImageSet
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.sources import MemorySource
from survey_tools.mae.training import Trainer

CONFIG = ModelConfig(
    image_size=(8, 8),
    patch_size=(2, 2),
    n_channels=1,
    encoder_width=16,
    encoder_depth=1,
    encoder_heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
)


def make_source(n_images: int = 12) -> MemorySource:
    """Draw images of noise."""
    images = np.random.default_rng(0).standard_normal((n_images, 1, 8, 8)).astype(np.float32)
    return MemorySource(
        images=ImageSet(
            name="noise",
            images=images,
            numbers=np.arange(n_images),
            labels={"side": np.arange(n_images) % 2},
            class_names={"side": ("left", "right")},
            quantities={"place": np.arange(n_images, dtype=np.float64)},
        )
    )


def make_recipe(**changes: Any) -> Recipe:
    """Build a recipe of ten steps of four images, three steps an epoch."""
    values: dict[str, Any] = {
        "data": "noise", "unit": "steps", "length": 10, "warmup": 2, "batch_size": 4,
        "base_rate": 0.1, **changes,
    }  # fmt: skip
    return Recipe(**values)


def make_method(seed: int = 0, kind: type[MaeMethod] = MaeMethod) -> MaeMethod:
    """Draw the first weights."""
    return kind(CONFIG, generator=keyed_generator(seed, FIRST_WEIGHTS))


def make_trainer(recipe: Recipe | None = None, **options: Any) -> Trainer:
    """Put a method, twelve images and a recipe together."""
    method = options.pop("method", None) or make_method()
    return Trainer(method, make_source(), recipe or make_recipe(), **options)


def train(trainer: Trainer, **options: Any) -> list[HistoryRow]:
    """Run a trainer to its end; return its rows."""
    rows: list[HistoryRow] = []
    trainer.run(report=rows.append, **options)
    return rows


def losses(rows: list[HistoryRow]) -> list[float]:
    """Return the loss of each step."""
    return [row.loss for row in rows]


def weights_of(trainer: Trainer) -> torch.Tensor:
    """Return all weights, one after the other."""
    return torch.cat([p.detach().flatten() for p in trainer.method.parameters()])
