"""Masks: exact counts, order, chance by the generator alone."""

import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.masking import Mask, mask_by_noise, sample_by_probability, sample_uniform


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def check(mask: Mask, n_kept: int) -> None:
    """Check that the four parts of a mask say the same."""
    batch, n_patches = mask.restore.shape
    assert mask.visible.shape == (batch, n_kept)
    assert mask.masked.shape == (batch, n_patches - n_kept)
    both = torch.cat([mask.visible, mask.masked], dim=1)
    assert torch.equal(both.sort(dim=1).values, torch.arange(n_patches).expand(batch, -1))
    assert torch.equal(both.gather(1, mask.restore), torch.arange(n_patches).expand(batch, -1))
    assert mask.is_masked.sum(dim=1).tolist() == [n_patches - n_kept] * batch
    assert mask.is_masked.gather(1, mask.masked).all()
    assert not mask.is_masked.gather(1, mask.visible).any()


def test_the_smallest_noise_stays_visible() -> None:
    """Hand-worked: of 0.5, 0.1, 0.9, 0.3 the second and the fourth are kept, in this order."""
    mask = mask_by_noise(torch.tensor([[0.5, 0.1, 0.9, 0.3]]), n_kept=2)
    assert mask.visible.tolist() == [[1, 3]]
    assert mask.masked.tolist() == [[0, 2]]
    assert mask.is_masked.tolist() == [[True, False, True, False]]
    assert mask.restore.tolist() == [[2, 0, 3, 1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ties_are_broken_by_place(dtype: torch.dtype) -> None:
    """Where all noise is equal the first patches are kept, in order."""
    mask = mask_by_noise(torch.zeros(2, 300, dtype=dtype), n_kept=75)
    assert mask.visible.tolist() == [list(range(75))] * 2
    assert mask.masked.tolist() == [list(range(75, 300))] * 2


@pytest.mark.parametrize(
    ("noise", "n_kept", "message"),
    [
        (torch.zeros(1, 4), 0, "n_kept=0 of 4"),
        (torch.zeros(1, 4), 4, "n_kept=4 of 4"),
        (torch.zeros(4), 2, r"\(batch, n_patches\) is wanted"),
        (torch.tensor([[0.0, float("nan")]]), 1, "NaN"),
    ],
)
def test_noise_without_an_order_is_refused(noise: torch.Tensor, n_kept: int, message: str) -> None:
    """NaN, another shape, and nothing or everything masked are refused."""
    with pytest.raises(ParameterError, match=message):
        mask_by_noise(noise, n_kept=n_kept)


@pytest.mark.parametrize(
    ("n_patches", "ratio", "n_kept"), [(10, 0.9, 1), (196, 0.75, 49), (2, 0.5, 1)]
)
def test_uniform_masks_keep_the_exact_count(n_patches: int, ratio: float, n_kept: int) -> None:
    """Every image keeps the same exact number of patches, at least one."""
    check(sample_uniform(5, n_patches, ratio, generator=generator()), n_kept)


def test_chance_comes_from_the_generator_alone() -> None:
    """A seed gives one mask, another seed another; torch's own chance is untouched."""
    before = torch.get_rng_state()
    first, again, other = (
        sample_uniform(3, 64, 0.75, generator=generator(seed)).restore for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_uniform_masks_favour_no_place() -> None:
    """Over many images every patch is masked about three times in four."""
    n_images = 20_000
    mask = sample_uniform(n_images, 12, 0.75, generator=generator(3))
    share = mask.is_masked.float().mean(dim=0)
    spread = (0.75 * 0.25 / n_images) ** 0.5
    assert (share - 0.75).abs().max() < 4.5 * spread


def test_the_first_patch_masked_follows_the_weights() -> None:
    """With one patch to mask, patches are masked in proportion to their weights."""
    n_images = 40_000
    weights = torch.tensor([4.0, 3.0, 2.0, 1.0])
    mask = sample_by_probability(weights.expand(n_images, 4), 0.25, generator=generator(4))
    check(mask, 3)
    share = mask.is_masked.double().mean(dim=0)
    assert (share - weights / 10).abs().max() < 4.5 * (0.25 / n_images) ** 0.5


def test_two_patches_are_masked_without_replacement() -> None:
    """Pairs come as often as drawing one weight after the other makes them."""
    n_images = 40_000
    weights = torch.tensor([0.6, 0.3, 0.1])
    mask = sample_by_probability(weights.expand(n_images, 3), 0.6, generator=generator(5))
    check(mask, 1)
    # the third stays visible if the first two are drawn in either order
    expected = 0.6 * 0.3 / 0.4 + 0.3 * 0.6 / 0.7
    share = (~mask.is_masked[:, 2]).double().mean().item()
    assert share == pytest.approx(expected, abs=4.5 * (0.25 / n_images) ** 0.5)


def test_a_weight_of_zero_is_never_masked() -> None:
    """Patches without weight stay visible as long as enough others are there."""
    weights = torch.ones(500, 8)
    weights[:, [2, 5]] = 0.0
    mask = sample_by_probability(weights, 0.75, generator=generator(6))
    check(mask, 2)
    assert mask.visible.sort(dim=1).values.unique(dim=0).tolist() == [[2, 5]]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1.0, -1.0, 1.0, 1.0]], "negative or not finite"),
        ([[1.0, float("nan"), 1.0, 1.0]], "negative or not finite"),
        ([[1.0, 0.0, 0.0, 0.0]], "2 patches are to be masked but an image has only 1"),
        ([1.0, 1.0], r"\(batch, n_patches\) is wanted"),
    ],
)
def test_weights_without_meaning_are_refused(weights: list, message: str) -> None:
    """Negative weights, NaN, too few patches with weight and other shapes are refused."""
    with pytest.raises(ParameterError, match=message):
        sample_by_probability(torch.tensor(weights), 0.5, generator=generator())
