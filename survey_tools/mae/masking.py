"""Which patches are masked: the record, and masks drawn patch by patch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from survey_tools.errors import ParameterError
from survey_tools.mae.counts import count_kept

__all__ = ["EVERY", "Mask", "mask_by_noise", "sample_by_probability", "sample_uniform"]

EVERY = slice(None)  # image of a batch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mask:
    """The masked patches of a batch, as many in every image.

    Attributes
    ----------
    visible : Tensor of int64, shape (batch, n_kept)
        Places of the visible patches, in the order in which the encoder gets them.
    masked : Tensor of int64, shape (batch, n_masked)
        Places of the masked patches, in the order in which the decoder gets them.
    is_masked : Tensor of bool, shape (batch, n_patches)
    restore : Tensor of int64, shape (batch, n_patches)
        Where each patch stands in (visible, masked): what brings tokens back to their places.
    """

    visible: Tensor
    masked: Tensor
    is_masked: Tensor
    restore: Tensor

    @property
    def n_kept(self) -> int:
        """Visible patches of an image."""
        return self.visible.shape[1]

    @property
    def n_patches(self) -> int:
        """Patches of an image."""
        return self.restore.shape[1]

    def to(self, device: torch.device | str) -> "Mask":
        """Return the mask on another device."""
        return Mask(
            visible=self.visible.to(device),
            masked=self.masked.to(device),
            is_masked=self.is_masked.to(device),
            restore=self.restore.to(device),
        )


def mask_by_noise(noise: Tensor, *, n_kept: int) -> Mask:
    """Keep the patches with the smallest noise visible.

    Equal noise is broken by place, the first patch first, on every device: half precision has
    ties (155 different values among 196 draws in bfloat16), and an unstable sort differs.

    Parameters
    ----------
    noise : Tensor, shape (batch, n_patches)
    n_kept : int
        1 to n_patches - 1.

    Raises
    ------
    ParameterError
        If the noise has NaN or another shape, or nothing would be masked or visible.
    """
    if noise.ndim != 2:
        raise ParameterError(f"noise of shape {tuple(noise.shape)}: (batch, n_patches) is wanted")
    if bool(noise.isnan().any()):
        raise ParameterError("the noise has NaN, which has no order; draw it again")
    n_patches = noise.shape[1]
    if not 1 <= n_kept < n_patches:
        raise ParameterError(
            f"n_kept={n_kept} of {n_patches} patches: at least one must be visible and one masked"
        )
    order = noise.argsort(dim=1, stable=True)  # (batch, n_patches)
    places = torch.arange(n_patches, device=noise.device).expand_as(order)
    restore = torch.empty_like(order).scatter_(1, order, places)  # (batch, n_patches)
    return Mask(
        visible=order[:, :n_kept],
        masked=order[:, n_kept:],
        is_masked=restore >= n_kept,
        restore=restore,
    )


def sample_uniform(
    n_images: int,
    n_patches: int,
    mask_ratio: float,
    *,
    generator: torch.Generator,
    rows: slice = EVERY,
) -> Mask:
    """Mask patches at random, every set of the right size alike.

    The mask is drawn, and lies, on the generator's device.

    Parameters
    ----------
    n_images : int
        Of the whole batch.
    rows : slice
        Images of the batch whose masks are wanted. It is drawn for the whole batch, so that
        processes that share one hide what a process alone would.

    Raises
    ------
    ParameterError
        If the ratio leaves nothing to mask or to see.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, section 3, "Masking".
    """
    n_kept = count_kept(n_patches, mask_ratio)
    noise = torch.rand(n_images, n_patches, generator=generator, device=generator.device)
    return mask_by_noise(noise[rows], n_kept=n_kept)


def sample_by_probability(
    probabilities: Tensor, mask_ratio: float, *, generator: torch.Generator
) -> Mask:
    """Mask patches by weights, without replacement, by Gumbel's noise and the largest sums.

    The first patch is masked with the probability of its weight, the next with that of its
    weight among the others, and so on; the count is exact.

    Parameters
    ----------
    probabilities : Tensor, shape (batch, n_patches)
        Not negative, of any sum; a patch with 0 is never masked.

    Raises
    ------
    ParameterError
        If a weight is negative or not finite, or too few are above 0.

    References
    ----------
    .. [1] Kool et al., Stochastic Beams and Where to Find Them, arXiv:1903.06059, section 3.
    """
    if probabilities.ndim != 2:
        shape = tuple(probabilities.shape)
        raise ParameterError(f"probabilities of shape {shape}: (batch, n_patches) is wanted")
    if not bool(probabilities.isfinite().all()) or bool((probabilities < 0).any()):
        raise ParameterError("a probability is negative or not finite; 0 or more is wanted")
    n_patches = probabilities.shape[1]
    n_kept = count_kept(n_patches, mask_ratio)
    n_able = (probabilities > 0).sum(dim=1)
    if bool((n_able < n_patches - n_kept).any()):
        raise ParameterError(
            f"{n_patches - n_kept} patches are to be masked but an image has only "
            f"{int(n_able.min())} with a probability above 0; mask fewer"
        )
    weights = probabilities.to(generator.device, torch.float64)
    uniform = torch.rand(
        weights.shape, generator=generator, device=generator.device, dtype=torch.float64
    )
    # log 0 is -inf: an impossible patch stays visible; clamped, since rand may give 0 itself
    gumbel = -(-uniform.clamp_min(torch.finfo(torch.float64).tiny).log()).log()
    return mask_by_noise(weights.log() + gumbel, n_kept=n_kept)
