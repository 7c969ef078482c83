"""Masks of blocks and of a regular grid."""

import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.mask_shapes import sample_blocks, sample_grid
from survey_tools.mae.masking import Mask, sample_uniform

SAMPLERS = [sample_blocks, sample_grid]


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def count_equal_neighbours(mask: Mask, grid: tuple[int, int]) -> float:
    """Return the share of patches side by side of which both are masked or neither is."""
    picture = mask.is_masked.reshape(-1, *grid)
    across = picture[:, :, 1:] == picture[:, :, :-1]
    down = picture[:, 1:] == picture[:, :-1]
    return torch.cat([across.flatten(), down.flatten()]).double().mean().item()


@pytest.mark.parametrize("sample", SAMPLERS)
@pytest.mark.parametrize("grid", [(14, 14), (8, 8), (7, 7), (3, 10), (1, 9), (2, 1)])
@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.75, 0.9, 0.98])
def test_the_count_is_exact_in_every_image(sample, grid: tuple[int, int], ratio: float) -> None:
    """Whatever the grid, each image keeps the number of patches that a uniform mask keeps."""
    n_patches = grid[0] * grid[1]
    mask = sample(6, grid, ratio, generator=generator(1))
    n_kept = sample_uniform(1, n_patches, ratio, generator=generator()).n_kept
    assert mask.visible.shape == (6, n_kept)
    assert mask.is_masked.sum(dim=1).tolist() == [n_patches - n_kept] * 6


@pytest.mark.parametrize("sample", SAMPLERS)
def test_chance_comes_from_the_generator_alone(sample) -> None:
    """The same seed gives the same masks; images of a batch differ."""
    first, again = (sample(8, (8, 8), 0.5, generator=generator(2)).is_masked for _ in range(2))
    assert torch.equal(first, again)
    assert len(first.unique(dim=0)) > 1


@pytest.mark.parametrize("sample", SAMPLERS)
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_nothing_and_all_are_refused(sample, ratio: float) -> None:
    """A ratio of 0 or 1 is refused with a sentence."""
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        sample(1, (4, 4), ratio, generator=generator())


@pytest.mark.parametrize("seed", range(5))
def test_the_grid_keeps_one_of_every_two_by_two(seed: int) -> None:
    """At 0.75 every cell of two by two patches keeps one, the same in each cell."""
    mask = sample_grid(4, (14, 14), 0.75, generator=generator(seed))
    cells = (~mask.is_masked).reshape(4, 7, 2, 7, 2).permute(0, 1, 3, 2, 4).reshape(4, 49, 4)
    assert (cells.sum(dim=2) == 1).all()
    assert (cells == cells[:, :1]).all()


def test_the_grid_at_one_half_is_a_chessboard() -> None:
    """At 0.5 no two patches side by side are both visible or both masked."""
    assert count_equal_neighbours(sample_grid(4, (8, 8), 0.5, generator=generator()), (8, 8)) == 0


def test_blocks_hang_together() -> None:
    """Masked patches are beside masked ones far more often than in a uniform mask."""
    grid = (14, 14)
    blocks = sample_blocks(50, grid, 0.5, generator=generator(3))
    uniform = sample_uniform(50, 196, 0.5, generator=generator(3))
    assert count_equal_neighbours(uniform, grid) < 0.55
    assert count_equal_neighbours(blocks, grid) > 0.8
