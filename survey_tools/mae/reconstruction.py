"""Reconstructions of test images by a method that predicts pixels, for figures."""

from typing import TypeGuard

import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import MASKS, keyed_generator
from survey_tools.mae.image_set import ChannelScale, ImageSet
from survey_tools.mae.methods.base import Method
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.methods.simmim import SimMimMethod
from survey_tools.mae.pictures import Pictures, compute_pictures
from survey_tools.mae.targets import PixelTarget

__all__ = ["predicts_masked_pixels", "reconstruct"]

_GREY = 0.8  # of masked patches: neither the black ground of digits nor the grey one of shapes


def predicts_masked_pixels(method: Method) -> TypeGuard[MaeMethod | SimMimMethod]:
    """Say whether there is anything to be looked at."""
    return (
        isinstance(method, (MaeMethod, SimMimMethod))
        and isinstance(method.target, PixelTarget)
        and method.loss_on == "masked"
    )


@torch.no_grad()
def reconstruct(method: Method, images: ImageSet, scale: ChannelScale, *, seed: int) -> Pictures:
    """Mask images, predict what is masked, and put the prediction in its place.

    Parameters
    ----------
    method : Method
        Left in the mode of training or testing that it came in.
    images : ImageSet
        Standardised by ``scale``.
    seed : int
        Of the masks.

    Raises
    ------
    ParameterError
        If the method predicts no pixels, or not those of masked patches.
    """
    if not predicts_masked_pixels(method):
        raise ParameterError(
            f"{method.name} with these options predicts no masked pixels; take mae or simmim"
        )
    was_training = method.training
    method.eval()
    try:
        device = method.encoder.embed.weight.device
        batch = torch.from_numpy(images.images).to(device)
        mask = method.draw_mask(batch, generator=keyed_generator(seed, MASKS, device=device))
        prediction = method.predict(batch, mask)  # (batch, n_masked, values)
    finally:
        method.train(was_training)
    return compute_pictures(
        batch,
        prediction,
        mask,
        method.config,
        pixel_mean=scale.means,
        pixel_std=scale.spreads,
        grey=_GREY,
    )
