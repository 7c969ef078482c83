"""The detectors of all failure signatures, asked of a method as a training has left it."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.chance import FIRST_WEIGHTS, MASKS, keyed_generator
from survey_tools.mae.collapse import detect_collapse
from survey_tools.mae.detectors import Detection
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.features import extract_features
from survey_tools.mae.history import HistoryRow
from survey_tools.mae.instability import detect_instability
from survey_tools.mae.leakage import detect_gradient_leak, detect_swap_leak
from survey_tools.mae.low_loss import detect_loss_at_variance, detect_low_loss
from survey_tools.mae.methods.base import Method, pick_counted
from survey_tools.mae.methods.latents import LatentMethod
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.methods.mask_tokens import MaskTokenMethod
from survey_tools.mae.methods.maskfeat import MaskFeatMethod
from survey_tools.mae.methods.simmim import SimMimMethod
from survey_tools.mae.methods.tokens import TokenMethod
from survey_tools.mae.patches import patchify, unpatchify

__all__ = ["detect_leaks", "inspect_training", "measure_masked_error"]

logger = logging.getLogger(__name__)

_N_LEAK = 8  # images of the tests for leakage


def inspect_training(
    method: Method, rows: Sequence[HistoryRow], images: NDArray[np.float32], *, seed: int
) -> tuple[Detection, ...]:
    """Ask every detector that applies: of history, features, leaks and losses.

    Parameters
    ----------
    method : Method
        At the end of its training; it is left in the mode of a test.
    rows : sequence of HistoryRow
        All steps.
    images : ndarray of float32, shape (n_images, channels, height, width)
        Some hundred, standardised as for training.
    seed : int
        Of the training: its first weights are what features are compared with.
    """
    losses = np.array([row.loss for row in rows])
    found = [*detect_instability(losses, np.array([row.gradient_norm for row in rows]))]
    method.eval()
    device = method.encoder.embed.weight.device
    first = Encoder(method.config, generator=keyed_generator(seed, FIRST_WEIGHTS)).to(device)
    try:
        features = [extract_features(encoder, images) for encoder in (method.encoder, first)]
        found += detect_collapse(features[0], baseline=features[1])
        if method.loss_on == "masked" and isinstance(method, MaeMethod | MaskTokenMethod):
            generator = keyed_generator(seed, MASKS)
            found += detect_leaks(method, images[:_N_LEAK], generator=generator)
            if not isinstance(method, TokenMethod):  # whose loss is no squared error
                error, targets = measure_masked_error(method, images, seed=seed)
                found += detect_low_loss(error, targets), detect_loss_at_variance(error, targets)
    except (DataError, ParameterError) as error:  # of a ruined network there is little to measure
        logger.warning("not all detectors could be asked: %s", error)
    return tuple(found)


@torch.no_grad()
def measure_masked_error(
    method: MaeMethod | MaskTokenMethod, images: NDArray[np.float32], *, seed: int
) -> tuple[float, NDArray[np.float32]]:
    """Measure the mean squared error at masked patches, and return the targets of all.

    It is not the loss: that of latents is a quarter of the squared error where errors are small.

    Parameters
    ----------
    method : MaeMethod or MaskTokenMethod
        Whose loss is on masked patches; all but discrete tokens.
    images : ndarray of float32, shape (n_images, channels, height, width)
    seed : int
        Of the masks.

    Returns
    -------
    error : float
    targets : ndarray of float32, shape (n_images, grid_height, grid_width, n_values)

    Raises
    ------
    ParameterError
        If the method predicts discrete tokens.
    """
    pixels = torch.from_numpy(images).to(method.encoder.embed.weight.device)
    mask = method.draw_mask(pixels, generator=keyed_generator(seed, MASKS))
    targets: Tensor
    if isinstance(method, LatentMethod):
        targets = method.make_targets(pixels)
    elif isinstance(method, MaeMethod | SimMimMethod | MaskFeatMethod):
        targets = method.target(pixels)
    else:
        raise ParameterError(f"{method.name} predicts no numbers whose error could be measured")
    counted = pick_counted(targets, mask, "masked")  # (n_images, n_masked, n_values)
    error = float(functional.mse_loss(method.predict(pixels, mask), counted))
    in_places: NDArray[np.float32] = (
        targets.reshape(len(pixels), *method.config.grid, -1).cpu().numpy()
    )
    return error, in_places


def detect_leaks(
    method: MaeMethod | MaskTokenMethod,
    images: NDArray[np.float32],
    *,
    generator: torch.Generator,
) -> tuple[Detection, Detection]:
    """Try both exact tests of leakage on a method as it stands, its decoder or head included.

    Parameters
    ----------
    method : MaeMethod or MaskTokenMethod
        Whose loss is on masked patches.
    images : ndarray of float32, shape (n_images, channels, height, width)
        Two or more, standardised as for training.
    generator : torch.Generator
        Of the mask and of the weights of `detect_gradient_leak`; on the CPU.

    Returns
    -------
    tuple of Detection
        Of `detect_gradient_leak` and of `detect_swap_leak`.

    Raises
    ------
    ParameterError
        If the loss is not on masked patches, or a test would be none: see both.
    """
    if method.loss_on != "masked":
        raise ParameterError(
            f"loss_on={method.loss_on!r}: predictions of masked patches alone can leak; give a "
            "method with loss_on='masked'"
        )
    config = method.config
    pixels = torch.from_numpy(images).to(method.encoder.embed.weight.device)
    mask = method.draw_mask(pixels, generator=generator)

    def predict(patches: Tensor) -> Tensor:
        found = method.predict(unpatchify(patches, config.patch_size, config.grid), mask)
        empty = found.new_zeros(len(found), config.n_patches, found.shape[2])
        places = mask.masked[:, :, None].expand_as(found)  # (batch, n_masked, n_values)
        return empty.scatter(1, places, found)  # (batch, n_patches, n_values)

    patches = patchify(pixels, config.patch_size)  # (batch, n_patches, values)
    return (
        detect_gradient_leak(predict, patches, mask.is_masked, generator=generator),
        detect_swap_leak(predict, patches, mask.is_masked),
    )
