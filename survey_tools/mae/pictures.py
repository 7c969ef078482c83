"""Pictures of a reconstruction: what was, what was seen, what was guessed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask
from survey_tools.mae.patches import normalise, patchify, restore, unpatchify

__all__ = ["Pictures", "compute_pictures"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """Pictures of a batch, each an array of float32, shape (batch, height, width, channels).

    Attributes
    ----------
    original : ndarray
    masked : ndarray
        Masked patches in one shade of grey.
    pasted : ndarray
        Predicted patches pasted among the visible ones.
    """

    original: NDArray[np.float32]
    masked: NDArray[np.float32]
    pasted: NDArray[np.float32]


@torch.no_grad()
def compute_pictures(
    images: Tensor,
    prediction: Tensor,
    mask: Mask,
    config: ModelConfig,
    *,
    pixel_mean: Sequence[float] = (0.0,),
    pixel_std: Sequence[float] = (1.0,),
    grey: float = 0.5,
) -> Pictures:
    """Put predicted patches into their images.

    A prediction of normalised pixels gets the mean and scale of the true patch, which a model
    cannot know: such pictures look better than the model is.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        As the model got them.
    prediction : Tensor, shape (batch, n_masked, values) or (batch, n_patches, values)
        As `MaskedAutoencoder` returns it.
    pixel_mean, pixel_std : sequence of float
        What the images were normalised by, one for all channels or one for each; pictures are
        brought back to 0 to 1 and clipped there.
    grey : float
        Shade of masked patches, 0 to 1.

    Raises
    ------
    ParameterError
        If the prediction does not fit the mask, or the means the channels.
    """
    n_masked = mask.masked.shape[1]
    if prediction.shape[:2] not in ((len(images), n_masked), (len(images), mask.n_patches)):
        raise ParameterError(
            f"a prediction of shape {tuple(prediction.shape)} fits neither the {n_masked} masked "
            f"nor the {mask.n_patches} patches of {len(images)} images"
        )
    patches = patchify(images.float(), config.patch_size)  # (batch, n_patches, values)
    if prediction.shape[2] != patches.shape[2]:
        raise ParameterError(
            f"predictions of {prediction.shape[2]} values a patch are no pixels, of which there "
            f"are {patches.shape[2]}"
        )
    guess = prediction.float()
    if guess.shape[1] == mask.n_patches:
        guess = take(guess, mask.masked)  # (batch, n_masked, values)
    if config.norm_pix:
        _, mean, scale = normalise(take(patches, mask.masked))
        guess = restore(guess, mean, scale)
    index = mask.masked[:, :, None].expand(-1, -1, patches.shape[2])  # (batch, n_masked, values)
    pasted = patches.scatter(1, index, guess)
    grid = (images.shape[2] // config.patch_size[0], images.shape[3] // config.patch_size[1])

    mean_of, std_of = (
        _per_channel(values, images.shape[1], name).to(images.device)
        for values, name in ((pixel_mean, "pixel_mean"), (pixel_std, "pixel_std"))
    )
    whole, filled = (
        (unpatchify(each, config.patch_size, grid) * std_of + mean_of).clamp(0.0, 1.0)
        for each in (patches, pasted)
    )  # (batch, channels, height, width)
    hidden = mask.is_masked[:, :, None].expand_as(patches).float()
    is_hidden = unpatchify(hidden, config.patch_size, grid) > 0.5
    masked = whole.masked_fill(is_hidden, grey)
    return Pictures(original=_to_array(whole), masked=_to_array(masked), pasted=_to_array(filled))


def _per_channel(values: Sequence[float], n_channels: int, name: str) -> Tensor:
    if len(values) not in (1, n_channels):
        raise ParameterError(
            f"{name} has {len(values)} values but the images have {n_channels} channels; "
            "give one for all or one for each"
        )
    return torch.tensor(list(values), dtype=torch.float32)[:, None, None]  # (channels, 1, 1)


def _to_array(pictures: Tensor) -> NDArray[np.float32]:
    return pictures.permute(0, 2, 3, 1).cpu().numpy()  # (batch, height, width, channels)
