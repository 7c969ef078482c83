"""Planted failures: trainings that go wrong on purpose, for detectors to be tried on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.history import HistoryRow
from survey_tools.mae.image_set import ImageSet
from survey_tools.mae.masking import Mask
from survey_tools.mae.methods.base import Method
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.optimising import Schedule
from survey_tools.mae.patches import patchify
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.sources import MemorySource
from survey_tools.mae.training import DivergedError, Trainer

__all__ = ["LeakingMae", "Record", "Surge", "train_recorded"]


class LeakingMae(MaeMethod):
    """A masked autoencoder whose mask tokens carry the pixels that they hide.

    A linear map of the masked pixels, trained with the rest, is added to the decoder's mask
    token: what happens if a decoder is given the embedded image and not the encoder's output.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__(config, generator=generator)
        weight = torch.randn(config.decoder_width, config.patch_values, generator=generator)
        self.leak = nn.Parameter(weight / config.patch_values**0.5)

    def predict(self, images: Tensor, mask: Mask) -> Tensor:
        """Predict the masked patches with their pixels in view.

        Returns
        -------
        Tensor of float32, shape (batch, n_masked, n_values)
        """
        patches = patchify(images, self.config.patch_size)  # (batch, n_patches, values)
        hidden = take(patches, mask.masked) @ self.leak.T  # (batch, n_masked, decoder_width)
        tokens = {"mask_token": self.decoder.mask_token + hidden}
        encoded = self.encoder(patches, mask)  # (batch, n_before + n_kept, encoder_width)
        predicted: Tensor = functional_call(self.decoder, tokens, (encoded, mask))
        return predicted.float()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A learning rate that is far too high for a few steps.

    Attributes
    ----------
    first : int
        Step, counted from 0.
    n_steps : int
    factor : float
        Times the rate of the schedule.
    """

    first: int
    n_steps: int = 1
    factor: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _SurgingSchedule(Schedule):
    surge: Surge

    def rate(self, step: int) -> float:
        rate = Schedule.rate(self, step)
        is_surging = 0 <= step - self.surge.first < self.surge.n_steps
        return rate * self.surge.factor if is_surging else rate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """What a training left in its history.

    Attributes
    ----------
    losses, gradient_norms : ndarray of float64, shape (n_steps,)
        Of a training that diverged, up to the step whose loss or norm was not finite.
    has_diverged : bool
    """

    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    has_diverged: bool


def train_recorded(
    method: Method, images: ImageSet, recipe: Recipe, *, surge: Surge | None = None
) -> Record:
    """Train a method in place as the command does, and return its history.

    A training that diverges ends at that step and is no error here.

    Parameters
    ----------
    method : Method
    images : ImageSet
        Training images, standardised.
    recipe : Recipe
    surge : Surge, optional
        Planted in the schedule.

    Raises
    ------
    ParameterError
        If a batch is larger than the data, or the surge lies beyond the training.
    """
    rows: list[HistoryRow] = []
    trainer = Trainer(method, MemorySource(images=images), recipe)
    if surge is not None:
        plain = trainer.schedule
        if not 0 <= surge.first <= plain.n_steps - surge.n_steps:
            raise ParameterError(
                f"a surge of {surge.n_steps} steps from step {surge.first} on does not lie in a "
                f"training of {plain.n_steps}"
            )
        trainer.schedule = _SurgingSchedule(
            n_steps=plain.n_steps,
            n_warmup=plain.n_warmup,
            peak=plain.peak,
            least=plain.least,
            surge=surge,
        )
    has_diverged = False
    try:
        trainer.run(report=rows.append)
    except DivergedError:
        has_diverged = True
    return Record(
        losses=np.array([row.loss for row in rows]),
        gradient_norms=np.array([row.gradient_norm for row in rows]),
        has_diverged=has_diverged,
    )
