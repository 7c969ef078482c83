"""What all ways to pre-train share: one backbone, one draw of masks, one result of a step."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.mask_shapes import sample_blocks, sample_grid
from survey_tools.mae.masking import Mask, sample_uniform
from survey_tools.mae.model import LossOn

__all__ = ["Method", "Sampling", "StepResult", "check_choice", "measure_variance", "pick_counted"]

Sampling = Literal["uniform", "block", "grid"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepResult:
    """What a method says about one batch.

    Attributes
    ----------
    loss : Tensor of float32, shape ()
        Mean over the images; every image has as many patches that count.
    n_images : int
    parts : mapping of str to float
        Numbers for the history, by name.
    """

    loss: Tensor
    n_images: int
    parts: Mapping[str, float]


class Method(nn.Module, abc.ABC):
    """What one way to pre-train adds to the shared encoder.

    The encoder is drawn first and the mask of a batch is drawn first: with equal generators all
    methods start from the same encoder and, with the same sampling, hide the same patches.
    Mask ratio, normalised pixels and the decoder's shape are the config's. Parameters that no
    optimiser should touch (a teacher's) do not require a gradient. The whole state is in
    ``state_dict``.

    Parameters
    ----------
    generator : torch.Generator
        Draws the first weights, on the CPU.
    sampling : {"uniform", "block", "grid"}
        How masks are drawn.
    loss_on : {"masked", "visible", "all"}
        Patches that count. The methods are "masked"; the others are for comparison.

    Attributes
    ----------
    name : str
        As in `survey_tools.mae.methods.METHODS`.
    fits_images : bool
        Whether `prepare` fits anything, so that it needs a sample of the images.
    config : ModelConfig
    encoder : Encoder
        The shared backbone, which is what is probed.

    Raises
    ------
    ParameterError
        If an option is not allowed.
    """

    name: ClassVar[str]
    fits_images: ClassVar[bool] = False
    config: ModelConfig
    encoder: Encoder

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
    ) -> None:
        super().__init__()
        check_choice("sampling", sampling, get_args(Sampling))
        check_choice("loss_on", loss_on, get_args(LossOn))
        self.config = config
        self.sampling: Sampling = sampling
        self.loss_on: LossOn = loss_on
        self.encoder = Encoder(config, generator=generator)
        self._rank, self._n_ranks = 0, 1

    def share_batches(self, *, rank: int, n_ranks: int) -> None:
        """Take the masks of every n_ranks-th image of a batch, from the rank-th on.

        So processes that share a batch hide what a process alone would, and end with its weights
        up to rounding.

        Raises
        ------
        ParameterError
            If the rank is not from 0 to n_ranks - 1.
        """
        if not 0 <= rank < n_ranks:
            raise ParameterError(f"rank={rank} of {n_ranks} processes: they are counted from 0")
        self._rank, self._n_ranks = rank, n_ranks

    def prepare(self, images: Tensor, *, generator: torch.Generator) -> None:  # noqa: ARG002
        """Fit what is fitted before training: nothing, unless a method says so.

        Parameters
        ----------
        images : Tensor, shape (n, channels, height, width)
            A sample of the training images.
        generator : torch.Generator

        Raises
        ------
        ParameterError
            If the images are not of the config's size.
        """
        self.check_images(images)

    @abc.abstractmethod
    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Draw masks and compare predictions with targets for one batch.

        Parameters
        ----------
        images : Tensor, shape (batch, channels, height, width)
        generator : torch.Generator
            Draws the masks, on its own device.

        Raises
        ------
        ParameterError
            If the images are not of the config's size.
        """

    def after_step(self, *, progress: float) -> None:
        """Update what is updated after an optimiser step: nothing, unless a method says so.

        Parameters
        ----------
        progress : float
            Share of the training that is done, 0 to 1.

        Raises
        ------
        ParameterError
            If the progress is outside its range.
        """
        if not 0.0 <= progress <= 1.0:
            raise ParameterError(f"progress={progress!r}: a share from 0 to 1 is wanted")

    def forward(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Call `compute_loss`, so that DistributedDataParallel can stand around a method."""
        return self.compute_loss(images, generator=generator)

    def draw_mask(self, images: Tensor, *, generator: torch.Generator) -> Mask:
        """Draw a mask at the config's ratio by the method's sampling, on the images' device.

        Of a shared batch this process's part, see `share_batches`; equal generators are wanted
        on all processes.

        Raises
        ------
        ParameterError
            If the images are not of the config's size.
        """
        self.check_images(images)
        n_images, ratio, grid = (
            self._n_ranks * len(images),
            self.config.mask_ratio,
            self.config.grid,
        )
        rows, n_patches = slice(self._rank, None, self._n_ranks), self.config.n_patches
        if self.sampling == "uniform":
            mask = sample_uniform(n_images, n_patches, ratio, generator=generator, rows=rows)
        elif self.sampling == "block":
            mask = sample_blocks(n_images, grid, ratio, generator=generator, rows=rows)
        else:
            mask = sample_grid(n_images, grid, ratio, generator=generator, rows=rows)
        return mask.to(images.device)

    def check_images(self, images: Tensor) -> None:
        """Refuse images that are not of the config's size.

        Raises
        ------
        ParameterError
            If they are not.
        """
        wanted = (self.config.n_channels, *self.config.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != wanted:
            raise ParameterError(
                f"images of shape {tuple(images.shape)} arrived; the method takes (batch, "
                f"{', '.join(map(str, wanted))})"
            )


def pick_counted(values: Tensor, mask: Mask, loss_on: LossOn) -> Tensor:
    """Pick the patches that count in the loss.

    Parameters
    ----------
    values : Tensor, shape (batch, n_patches, width)
        In their places.

    Returns
    -------
    Tensor, shape (batch, n_counted, width)
        In the order of ``mask.masked`` or ``mask.visible``; all in their places.
    """
    if loss_on == "all":
        return values
    return take(values, mask.masked if loss_on == "masked" else mask.visible)


def measure_variance(values: Tensor) -> float:
    """Measure the variance of each value over images and patches, averaged over the values.

    It is the mean squared error of a guess that is the same for all patches, at its best.

    Parameters
    ----------
    values : Tensor, shape (batch, n, width)
    """
    return float(values.detach().float().var(dim=(0, 1), correction=0).mean())


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of a few.

    Raises
    ------
    ParameterError
        If it is not.
    """
    if value not in allowed:
        raise ParameterError(f"{name}={value!r}: one of {', '.join(allowed)} is wanted")
