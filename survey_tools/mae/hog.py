"""Histograms of oriented gradients of patches, as a target of prediction."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.errors import ParameterError

__all__ = ["HogSettings", "compute_hog"]

Colour = Literal["channels", "luminance"]
Norm = Literal["cell", "patch"]

_LUMA = (0.299, 0.587, 0.114)  # Rec. ITU-R BT.601, of red, green and blue
# Added (squared) to the squared length, so that a flat cell gives 0 and not amplified rounding;
# the value of skimage.feature.hog
_EPS = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class HogSettings:
    """How gradients are counted; the defaults are those of MaskFeat.

    Attributes
    ----------
    n_bins : int
        Orientations from 0 to 180 degrees: a gradient and its opposite are the same.
    cell_size : tuple of int, optional
        Height and width of a cell, in pixels, which divide those of a patch. By default 8 x 8
        where that divides the patch, else the whole patch.
    colour : {"channels", "luminance"}
        A histogram of every channel, or one of their luminance (of one or three channels).
    norm : {"cell", "patch"}
        What is brought to unit length: the histogram of every cell and channel, or all those
        of a patch together (a block of Dalal and Triggs, without overlap).

    Raises
    ------
    ParameterError
        If a value is not allowed.
    """

    n_bins: int = 9
    cell_size: tuple[int, int] | None = None
    colour: Colour = "channels"
    norm: Norm = "cell"

    def __post_init__(self) -> None:
        if self.n_bins < 2:
            raise ParameterError(f"n_bins={self.n_bins!r}: 2 orientations or more are wanted")
        if self.cell_size is not None and min(self.cell_size) < 1:
            raise ParameterError(f"cell_size={self.cell_size!r}: sides of 1 pixel or more")
        for name, value, allowed in (
            ("colour", self.colour, get_args(Colour)),
            ("norm", self.norm, get_args(Norm)),
        ):
            if value not in allowed:
                raise ParameterError(f"{name}={value!r}: one of {', '.join(allowed)} is wanted")

    def cells(self, patch_size: tuple[int, int]) -> tuple[int, int]:
        """Count the rows and columns of cells of a patch.

        Raises
        ------
        ParameterError
            If cells do not divide the patch.
        """
        cell = self.cell_size
        if cell is None:
            cell = patch_size if patch_size[0] % 8 or patch_size[1] % 8 else (8, 8)
        if patch_size[0] % cell[0] or patch_size[1] % cell[1]:
            raise ParameterError(
                f"cells of {cell[0]} x {cell[1]} pixels do not divide a patch of "
                f"{patch_size[0]} x {patch_size[1]}; take divisors"
            )
        return patch_size[0] // cell[0], patch_size[1] // cell[1]

    def n_values(self, patch_size: tuple[int, int], n_channels: int) -> int:
        """Count the values of a patch: cells times channels times bins."""
        rows, columns = self.cells(patch_size)
        return rows * columns * self.n_bins * (n_channels if self.colour == "channels" else 1)


@torch.no_grad()
def compute_hog(
    images: Tensor, patch_size: tuple[int, int], settings: HogSettings | None = None
) -> Tensor:
    """Compute the histograms of oriented gradients of every patch.

    Gradients are differences of the next and the previous pixel, without smoothing; beyond the
    border the image is reflected, so that the difference across it is 0. Gradients are taken
    over the whole image: those at the rim of a patch see one pixel of its neighbours. Bin k
    holds orientations from k to k + 1 times 180 / n_bins degrees, measured from the direction
    of rising columns to that of rising rows. Each pixel votes for its bin with the length of its
    gradient, as in MaskFeat; Dalal and Triggs share a vote between neighbouring bins and cells.
    A histogram h becomes h / sqrt(|h|^2 + eps^2), with eps = 1e-5.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        At least 2 pixels a side, divisible by the patch.

    Returns
    -------
    Tensor of float32, shape (batch, n_patches, values)
        Values of a patch in the order (cell row, cell column, channel, bin).

    Raises
    ------
    ParameterError
        If the images, the patches and the cells do not fit together.

    References
    ----------
    .. [1] Dalal and Triggs, Histograms of oriented gradients for human detection, CVPR 2005,
       section 6.
    .. [2] Wei et al., Masked Feature Prediction for Self-Supervised Visual Pre-Training,
       arXiv:2112.09133, section 3.2 and appendix.
    """
    settings = settings or HogSettings()
    (p, q), (cells_down, cells_across) = patch_size, settings.cells(patch_size)
    batch, _, height, width = images.shape if images.ndim == 4 else (0, 0, 0, 0)
    if min(height, width) < 2 or height % p or width % q:
        raise ParameterError(
            f"images of shape {tuple(images.shape)} do not make patches of {p} x {q}; (batch, "
            "channels, height, width) with divisible sides of 2 pixels or more is wanted"
        )
    grey = _to_luminance(images) if settings.colour == "luminance" else images.float()
    length, place = _measure_gradients(grey, settings.n_bins)  # (batch, c, height, width) each
    rows, columns = height // p, width // q
    shape = (
        *(batch, grey.shape[1]),
        *(rows, cells_down, p // cells_down),
        *(columns, cells_across, q // cells_across),
    )
    votes = [
        torch.where(place == k, length, 0.0).reshape(shape).mean(dim=(4, 7))
        for k in range(settings.n_bins)
    ]  # (batch, c, rows, cells_down, columns, cells_across) each
    bins = torch.stack(votes, dim=-1).permute(0, 2, 4, 3, 5, 1, 6)
    # (batch, rows, columns, cells_down, cells_across, c, n_bins)
    whole = bins.reshape(batch, rows * columns, -1)  # (batch, n_patches, values)
    if settings.norm == "patch":
        return _to_unit_length(whole)
    cells = whole.reshape(*whole.shape[:2], -1, settings.n_bins)  # (batch, n, cells * c, n_bins)
    return _to_unit_length(cells).reshape(whole.shape)  # (batch, n_patches, values)


def _measure_gradients(grey: Tensor, n_bins: int) -> tuple[Tensor, Tensor]:
    """Return each pixel's length of gradient and its bin, shape of the images each."""
    padded = functional.pad(grey, (1, 1, 1, 1), mode="reflect")  # (batch, c, height + 2, width + 2)
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    is_below = (down < 0) | ((down == 0) & (across < 0))
    sign = torch.where(is_below, -1.0, 1.0)  # a gradient and its opposite round alike
    angle = torch.atan2(sign * down, sign * across)  # rad, 0 to pi
    place = (angle * (n_bins / math.pi)).floor().long() % n_bins
    return torch.hypot(across, down), place


def _to_luminance(images: Tensor) -> Tensor:
    n_channels = images.shape[1]
    if n_channels not in (1, 3):
        raise ParameterError(
            f"the luminance of {n_channels} channels is not defined; one or three are wanted, or "
            "colour='channels'"
        )
    if n_channels == 1:
        return images.float()
    weights = torch.tensor(_LUMA, device=images.device)[:, None, None]  # (3, 1, 1)
    return (images.float() * weights).sum(dim=1, keepdim=True)  # (batch, 1, height, width)


def _to_unit_length(values: Tensor) -> Tensor:
    return values / (values.square().sum(dim=-1, keepdim=True) + _EPS**2).sqrt()
