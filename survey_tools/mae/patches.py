"""Images <-> patches, and patches normalised by their own mean and variance."""

from typing import NamedTuple

import torch
from torch import Tensor

from survey_tools.errors import ParameterError

__all__ = ["PIXEL_EPS", "NormalisedPatches", "normalise", "patchify", "restore", "unpatchify"]

PIXEL_EPS = 1e-6  # as in the published code, so that losses can be compared


def patchify(images: Tensor, patch_size: tuple[int, int]) -> Tensor:
    """Cut images into patches, row by row.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    patch_size : tuple of int
        Height p and width q of a patch; they divide height and width.

    Returns
    -------
    Tensor, shape (batch, n_patches, p * q * channels)
        The values of a patch in the order (p, q, channel), as published checkpoints have them.

    Raises
    ------
    ParameterError
        If the images are not of that shape or not divisible.
    """
    if images.ndim != 4:
        raise ParameterError(
            f"images of shape {tuple(images.shape)}: (batch, channels, height, width) is wanted"
        )
    p, q = patch_size
    batch, channels, height, width = images.shape
    if height < p or width < q:
        raise ParameterError(f"images of {height} x {width} are smaller than a patch of {p} x {q}")
    if height % p or width % q:
        raise ParameterError(
            f"images of {height} x {width} cannot be cut into patches of {p} x {q}; crop them to "
            f"{height - height % p} x {width - width % q}"
        )
    rows, columns = height // p, width // q
    cut = images.reshape(batch, channels, rows, p, columns, q)  # (batch, c, rows, p, columns, q)
    cut = cut.permute(0, 2, 4, 3, 5, 1)  # (batch, rows, columns, p, q, c)
    return cut.reshape(batch, rows * columns, p * q * channels)  # (batch, n_patches, p * q * c)


def unpatchify(patches: Tensor, patch_size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Put patches together again: the inverse of `patchify`.

    Parameters
    ----------
    patches : Tensor, shape (batch, rows * columns, p * q * channels)
    grid : tuple of int
        Rows and columns of patches.

    Returns
    -------
    Tensor, shape (batch, channels, rows * p, columns * q)

    Raises
    ------
    ParameterError
        If there are not as many patches, or their values do not make whole channels.
    """
    (p, q), (rows, columns) = patch_size, grid
    if patches.ndim != 3 or patches.shape[1] != rows * columns or patches.shape[2] % (p * q):
        raise ParameterError(
            f"patches of shape {tuple(patches.shape)} do not make {rows} x {columns} patches of "
            f"{p} x {q} pixels; (batch, {rows * columns}, {p * q} * channels) is wanted"
        )
    batch, channels = patches.shape[0], patches.shape[2] // (p * q)
    cut = patches.reshape(batch, rows, columns, p, q, channels)  # (batch, rows, columns, p, q, c)
    cut = cut.permute(0, 5, 1, 3, 2, 4)  # (batch, c, rows, p, columns, q)
    return cut.reshape(batch, channels, rows * p, columns * q)  # (batch, c, height, width)


class NormalisedPatches(NamedTuple):
    """Patches of mean 0 and variance 1 (batch, n, values), with each patch's mean and scale.

    ``mean`` and ``scale`` have shape (batch, n, 1).
    """

    patches: Tensor
    mean: Tensor
    scale: Tensor


def normalise(patches: Tensor) -> NormalisedPatches:
    """Normalise every patch over its own values, all channels together.

    The variance is the unbiased one (divided by n - 1) and 1e-6 is added to it before the root,
    as in the published models. A flat patch gives 0; faint noise is amplified: with a standard
    deviation of 1e-4 to one of 0.1.

    Parameters
    ----------
    patches : Tensor, shape (batch, n, values)
        At least two values a patch.

    Raises
    ------
    ParameterError
        If a patch has one value, whose variance is not defined.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, section 3, "Reconstruction target".
    """
    if patches.shape[-1] < 2:
        raise ParameterError(
            "a patch of one value has no variance; take larger patches or norm_pix=False"
        )
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)  # (batch, n, 1) each
    scale = (variance + PIXEL_EPS).sqrt()
    return NormalisedPatches((patches - mean) / scale, mean, scale)


def restore(patches: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Undo `normalise`, for pictures: a prediction gets the mean and scale of the true patch."""
    return patches * scale + mean
