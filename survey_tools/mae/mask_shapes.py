"""Masks with a shape: blocks as BEiT draws them, and a regular grid."""

import math

import torch
from torch import Tensor

from survey_tools.mae.counts import count_kept
from survey_tools.mae.masking import EVERY, Mask, mask_by_noise

__all__ = ["sample_blocks", "sample_grid"]

# BEiT: blocks of at least 16 of 14 x 14 patches, sides in a proportion of 0.3 to 1 / 0.3
_SMALLEST_BLOCK = 16 / 196
_FLATTEST = 0.3
_N_TRIES = 10


def sample_blocks(
    n_images: int,
    grid: tuple[int, int],
    mask_ratio: float,
    *,
    generator: torch.Generator,
    rows: slice = EVERY,
) -> Mask:
    """Mask rectangular blocks until the count is reached.

    Blocks are drawn as BEiT draws them. Its masks fall short where no block fits any more; here
    the rest are patches that touch masked ones, at random, so that the count is exact. A
    share of a batch costs as much as the whole: images are drawn one after another.

    Parameters
    ----------
    n_images : int
        Of the whole batch.
    grid : tuple of int
        Rows and columns of patches.
    rows : slice
        Images whose masks are wanted, as in `survey_tools.mae.masking.sample_uniform`.

    Raises
    ------
    ParameterError
        If the ratio leaves nothing to mask or to see.

    References
    ----------
    .. [1] Bao et al., BEiT, arXiv:2106.08254, algorithm 1.
    """
    height, width = grid
    n_kept = count_kept(height * width, mask_ratio)
    n_masked = height * width - n_kept
    masks = torch.zeros(n_images, height, width, dtype=torch.bool)
    for mask in masks:
        while (n_left := n_masked - int(mask.sum())) > 0:
            if not _add_block(mask, n_left, generator):
                _add_neighbour(mask, generator)
    noise = masks[rows].flatten(1).to(generator.device, torch.uint8)  # (n_rows, n_patches)
    return mask_by_noise(noise, n_kept=n_kept)


def _add_block(mask: Tensor, n_left: int, generator: torch.Generator) -> bool:
    """Mask one block of at most ``n_left`` new patches, if one is found in a few tries."""
    rows, columns = mask.shape
    smallest = max(1, round(_SMALLEST_BLOCK * rows * columns))
    if n_left < smallest:
        return False
    for _ in range(_N_TRIES):
        area, proportion, at_row, at_column = torch.rand(
            4, generator=generator, device=generator.device
        ).tolist()
        size = smallest + area * (n_left - smallest)
        ratio = math.exp((2.0 * proportion - 1.0) * math.log(1.0 / _FLATTEST))
        height, width = round(math.sqrt(size * ratio)), round(math.sqrt(size / ratio))
        if not (1 <= height <= rows and 1 <= width <= columns):
            continue
        top, left = int(at_row * (rows - height + 1)), int(at_column * (columns - width + 1))
        block = mask[top : top + height, left : left + width]
        n_new = block.numel() - int(block.sum())
        if 0 < n_new <= n_left:
            block.fill_(True)
            return True
    return False


def _add_neighbour(mask: Tensor, generator: torch.Generator) -> None:
    """Mask one visible patch that touches a masked one, or any if none is masked."""
    beside = torch.zeros_like(mask)
    beside[1:] |= mask[:-1]
    beside[:-1] |= mask[1:]
    beside[:, 1:] |= mask[:, :-1]
    beside[:, :-1] |= mask[:, 1:]
    able = (beside & ~mask) if bool(mask.any()) else ~mask
    places = able.flatten().nonzero().flatten()  # (n_able,)
    chosen = torch.randint(len(places), (1,), generator=generator, device=generator.device).item()
    mask.view(-1)[places[int(chosen)]] = True


def sample_grid(
    n_images: int,
    grid: tuple[int, int],
    mask_ratio: float,
    *,
    generator: torch.Generator,
    rows: slice = EVERY,
) -> Mask:
    """Keep patches at regular distances: at 0.75, one of every two by two.

    Patches are ranked as in ordered dithering, which fills a grid as evenly as can be for any
    count; each image has the pattern at an offset of its own. At 0.75 this is the paper's grid.

    Parameters
    ----------
    n_images : int
        Of the whole batch.
    grid : tuple of int
        Rows and columns of patches.
    rows : slice
        Images whose masks are wanted, as in `survey_tools.mae.masking.sample_uniform`.

    Raises
    ------
    ParameterError
        If the ratio leaves nothing to mask or to see.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, table 1f and figure 6.
    .. [2] Bayer, An optimum method for two-level rendition of continuous-tone pictures, 1973.
    """
    height, width = grid
    n_kept = count_kept(height * width, mask_ratio)
    ranks = _rank_evenly(max(height, width)).to(generator.device)  # (side, side)
    offsets = torch.randint(
        len(ranks), (2, n_images, 1), generator=generator, device=generator.device
    )[:, rows]
    down = (torch.arange(height, device=generator.device) + offsets[0]) % len(ranks)
    across = (torch.arange(width, device=generator.device) + offsets[1]) % len(ranks)
    noise = ranks[down[:, :, None], across[:, None, :]]  # (n_rows, height, width)
    return mask_by_noise(noise.flatten(1), n_kept=n_kept)  # (n_rows, n_patches)


def _rank_evenly(n: int) -> Tensor:
    """Return Bayer's matrix of ranks, of the first power of two that is at least n a side."""
    ranks = torch.zeros(1, 1, dtype=torch.int64)
    while len(ranks) < n:
        quarters = [[0, 2], [3, 1]]
        ranks = torch.cat(
            [torch.cat([4 * ranks + q for q in pair], dim=1) for pair in quarters]
        )  # (side, side), side doubled
    return ranks
