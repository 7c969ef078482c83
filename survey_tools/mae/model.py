"""The masked autoencoder: encoder, decoder, and the loss on masked patches."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.decoder import Decoder
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.masking import Mask, sample_uniform
from survey_tools.mae.patches import normalise, patchify

__all__ = ["LossOn", "MaskedAutoencoder", "Reconstruction", "pixel_targets"]

LossOn = Literal["masked", "visible", "all"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstruction:
    """What a masked autoencoder says about a batch.

    Attributes
    ----------
    loss : Tensor, shape ()
        Mean of ``image_losses``.
    image_losses : Tensor of float32, shape (batch,)
        Mean squared error of each image over its patches that count.
    prediction : Tensor, shape (batch, n_masked, values) or (batch, n_patches, values)
        Of the masked patches in the order of ``mask.masked``; of all, in their places, if the
        visible ones were asked for or count in the loss.
    mask : Mask
    """

    loss: Tensor
    image_losses: Tensor
    prediction: Tensor
    mask: Mask


def pixel_targets(patches: Tensor, *, norm_pix: bool) -> Tensor:
    """Return what is to be predicted: the pixels, or each patch normalised by its own.

    Parameters
    ----------
    patches : Tensor, shape (batch, n, values)

    Returns
    -------
    Tensor, shape (batch, n, values)
    """
    return normalise(patches).patches if norm_pix else patches


class MaskedAutoencoder(nn.Module):
    """Encodes the visible patches of images and predicts the masked ones.

    Parameters
    ----------
    generator : torch.Generator
        Draws the first weights, on the CPU.

    References
    ----------
    .. [1] He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377,
       section 3.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, generator=generator)
        self.decoder = Decoder(config, generator=generator)

    def sample_mask(self, n_images: int, *, generator: torch.Generator) -> Mask:
        """Draw a uniform mask at the config's ratio, on the generator's device."""
        return sample_uniform(
            n_images, self.config.n_patches, self.config.mask_ratio, generator=generator
        )

    def forward(
        self,
        images: Tensor,
        mask: Mask,
        *,
        loss_on: LossOn = "masked",
        predict_all: bool = False,
    ) -> Reconstruction:
        """Predict the masked patches of images and compare them with the true ones.

        Parameters
        ----------
        images : Tensor, shape (batch, channels, height, width)
            Of the config's size.
        mask : Mask
            On the device of the images; of any ratio.
        loss_on : {"masked", "visible", "all"}
            Patches that count. The method is "masked"; the others are for comparison.
        predict_all : bool
            Predict the visible patches too, at the cost of the whole last block.

        Raises
        ------
        ParameterError
            If the images are of another size or the mask of another batch.
        """
        if loss_on not in get_args(LossOn):
            allowed = ", ".join(get_args(LossOn))
            raise ParameterError(f"loss_on={loss_on!r}: one of {allowed} is wanted")
        self._check_size(images)
        patches = patchify(images, self.config.patch_size)  # (batch, n_patches, values)
        encoded = self.encoder(patches, mask)  # (batch, n_before + n_kept, encoder_width)
        is_whole = predict_all or loss_on != "masked"
        prediction = self.decoder(encoded, mask, all_patches=is_whole)

        places = {"masked": mask.masked, "visible": mask.visible, "all": None}[loss_on]
        counted = patches if places is None else take(patches, places)  # (batch, n, values)
        target = pixel_targets(counted, norm_pix=self.config.norm_pix)
        # the quick way has predicted just the patches that count
        guess = prediction if not is_whole or places is None else take(prediction, places)
        errors = functional.mse_loss(guess.float(), target.float(), reduction="none")
        image_losses = errors.mean(dim=(1, 2))  # (batch,)
        return Reconstruction(
            loss=image_losses.mean(),
            image_losses=image_losses,
            prediction=prediction,
            mask=mask,
        )

    def _check_size(self, images: Tensor) -> None:
        wanted = (self.config.n_channels, *self.config.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != wanted:
            raise ParameterError(
                f"images of shape {tuple(images.shape)} arrived; the model takes (batch, "
                f"{', '.join(map(str, wanted))})"
            )
