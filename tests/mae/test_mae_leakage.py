"""Information leakage: planted in small networks, and absent from healthy ones, for ten seeds."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError
from survey_tools.mae.leakage import Predict, detect_gradient_leak, detect_swap_leak
from survey_tools.mae.low_loss import (
    detect_loss_at_variance,
    detect_low_loss,
    neighbour_loss,
    target_variance,
)
from survey_tools.mae.shapes import ShapeWorld, draw_shapes
from survey_tools.mae.textures import correlate

SEEDS = range(10)
N_PATCHES, DIM = 9, 4


def masked_and_patches(seed: int) -> tuple[Tensor, Tensor]:
    """Masks of different patches and different patches, of three images."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(3, N_PATCHES, generator=generator).argsort(dim=1)  # (3, n_patches)
    return order < 6, torch.randn(3, N_PATCHES, DIM, generator=generator)


def network(seed: int, is_masked: Tensor, *, leak: str = "none") -> Predict:
    """Attention over patches of which the masked ones are hidden, more or less."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) / shape[0] ** 0.5

    embed, out, positions = draw(DIM, 8), draw(8, DIM), draw(N_PATCHES, 8)
    token, keys = draw(8), draw(8, 8)

    def predict(patches: Tensor) -> Tensor:
        content = torch.where(is_masked[:, :, None], token, patches @ embed)
        if leak == "mask tokens carry pixels":
            content = patches @ embed
        elif leak == "a trace":
            content = content + 1e-4 * patches @ embed
        elif leak == "own pixels at the end":
            return patches + attend(content)
        elif leak == "detached":
            content = content + patches.detach().round() @ embed
        elif leak == "mean of the image":
            content = content + (patches.mean(dim=1, keepdim=True) @ embed)
        return attend(content)

    def attend(content: Tensor) -> Tensor:
        tokens = content + positions  # (batch, n_patches, 8)
        weights = (tokens @ keys @ tokens.transpose(1, 2)).softmax(dim=2)
        return torch.tanh(weights @ tokens) @ out  # (batch, n_patches, dim)

    return predict


@pytest.mark.parametrize("seed", SEEDS)
def test_a_network_that_sees_visible_patches_only_has_exactly_0(seed: int) -> None:
    """Gradient and change by a swap; no tolerance."""
    is_masked, patches = masked_and_patches(seed)
    predict = network(seed, is_masked)
    generator = torch.Generator().manual_seed(seed)
    by_gradient = detect_gradient_leak(predict, patches, is_masked, generator=generator)
    by_swap = detect_swap_leak(predict, patches, is_masked)
    assert (by_gradient.value, by_swap.value) == (0.0, 0.0)
    assert not by_gradient.is_failure
    assert not by_swap.is_failure
    assert by_swap.verdict == (
        "Other masked content changes nothing (change by swapping masked content 0, a failure "
        "above 0)."
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "leak", ["mask tokens carry pixels", "a trace", "own pixels at the end", "mean of the image"]
)
def test_every_leak_is_found_by_both_tests(seed: int, leak: str) -> None:
    """However small, and wherever it enters."""
    is_masked, patches = masked_and_patches(seed)
    predict = network(seed, is_masked, leak=leak)
    generator = torch.Generator().manual_seed(seed)
    assert detect_gradient_leak(predict, patches, is_masked, generator=generator).is_failure
    assert detect_swap_leak(predict, patches, is_masked).is_failure


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_without_gradient_is_found_by_the_swap(seed: int) -> None:
    """Rounded and detached content."""
    is_masked, patches = masked_and_patches(seed)
    predict = network(seed, is_masked, leak="detached")
    generator = torch.Generator().manual_seed(seed)
    assert not detect_gradient_leak(predict, patches, is_masked, generator=generator).is_failure
    assert detect_swap_leak(predict, patches, is_masked).is_failure


def test_influences_that_would_cancel_in_a_sum_are_found() -> None:
    """Two outputs, one rising and one falling with the pixel."""
    is_masked, patches = masked_and_patches(0)
    hidden = network(0, is_masked)

    def predict(pixels: Tensor) -> Tensor:
        own = pixels[:, :, :1]
        return torch.cat([own, -own], dim=2) + hidden(pixels)[:, :, :2]

    generator = torch.Generator().manual_seed(0)
    assert detect_gradient_leak(predict, patches, is_masked, generator=generator).is_failure


def test_predictions_that_become_nan_are_a_leak() -> None:
    """The swap, or the gradient, is then not 0."""
    is_masked, patches = masked_and_patches(0)
    hidden = network(0, is_masked)
    first = patches.clone()

    def predict(pixels: Tensor) -> Tensor:
        return hidden(pixels) + (0.0 if torch.equal(pixels, first) else torch.nan)

    assert detect_swap_leak(predict, patches, is_masked).value == np.inf

    def root(pixels: Tensor) -> Tensor:  # its gradient at 0 is infinite, times 0
        return hidden(pixels) + (0.0 * pixels).abs().sqrt()

    generator = torch.Generator().manual_seed(0)
    found = detect_gradient_leak(root, patches, is_masked, generator=generator)
    assert found.value == np.inf


def test_tests_that_could_not_fail_are_refused() -> None:
    """Nothing masked, no influence at all, equal content, dropout, or other shapes."""
    is_masked, patches = masked_and_patches(0)
    predict, generator = network(0, is_masked), torch.Generator().manual_seed(0)
    with pytest.raises(ParameterError, match="some patches must be masked and some visible"):
        detect_swap_leak(predict, patches, torch.zeros_like(is_masked))
    with pytest.raises(ParameterError, match="do not depend on any visible patch"):
        detect_gradient_leak(
            lambda p: p * is_masked[:, :, None], patches, is_masked, generator=generator
        )
    with pytest.raises(ParameterError, match="call predict without no_grad"):
        detect_gradient_leak(lambda p: p.detach(), patches, is_masked, generator=generator)
    with pytest.raises(ParameterError, match="the masked content is the same in every image"):
        detect_swap_leak(predict, patches[:1].expand(3, -1, -1), is_masked)
    with pytest.raises(ParameterError, match=r"switch dropout off by eval\(\)"):
        detect_swap_leak(nn.Dropout(0.5), patches, is_masked)
    with pytest.raises(ParameterError, match=r"of shape \(3, 9, 'any'\); \(3, 9\) arrived"):
        detect_swap_leak(lambda p: p.sum(dim=2), patches, is_masked)
    with pytest.raises(ParameterError, match=r"bool; \(3, 9, 4\), and \(3, 9\) of torch.float32"):
        detect_swap_leak(predict, patches, is_masked.float())


def grid_of(images: np.ndarray, side: int = 4) -> np.ndarray:
    """Patches of images in their places, shape (n, rows, columns, values)."""
    n, channels, height, width = images.shape
    split = images.reshape(n, channels, height // side, side, width // side, side)
    return split.transpose(0, 2, 4, 3, 5, 1).reshape(n, height // side, width // side, -1)


def test_the_variance_is_that_of_each_value_of_a_patch() -> None:
    """One value always 5, the other 0 or 2: variances 0 and 1."""
    targets = np.full((2, 1, 1, 2), 5.0)
    targets[:, 0, 0, 1] = 0.0, 2.0
    assert target_variance(targets) == 0.5


def test_neighbours_tell_nothing_of_noise_and_all_of_a_copy() -> None:
    """The variance is left of white noise; nothing where the patch on the right is the same."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((800, 4, 4, 3))
    assert neighbour_loss(noise) == pytest.approx(1.0, abs=0.05)
    pairs = noise.repeat(2, axis=2)[:, :1, :2]  # two equal patches beside each other
    assert neighbour_loss(pairs) < 1e-2


def test_neighbours_tell_what_the_correlation_lets_them() -> None:
    """The best linear prediction of a Gaussian field, from its covariances."""
    length = 1.5
    field = correlate(np.random.default_rng(0).standard_normal((3000, 9, 9)), length)
    targets = field[:, 3:6, 3:6, None]
    steps = np.array([(y, x) for y in range(3) for x in range(3)])
    squared = ((steps[:, None] - steps[None]) ** 2).sum(axis=2)
    covariance = np.exp(-squared / (2 * length**2))
    # of each patch given its neighbours among the nine
    left = []
    for place, step in enumerate(steps):
        near = [i for i in range(9) if i != place and abs(steps[i] - step).max() <= 1]
        c = covariance[place, near]
        left.append(1.0 - c @ np.linalg.solve(covariance[np.ix_(near, near)], c))
    # one set of weights serves all places, so that no place does better than its own would
    assert np.mean(left) < neighbour_loss(targets) < 0.3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("background_px", [0.0, 2.0, 8.0])
def test_the_suspicion_falls_on_losses_of_planted_leaks_only(
    seed: int, background_px: float
) -> None:
    """A hundredth of the variance less what is left is a leak; as good as all neighbours is not."""
    world = ShapeWorld(background_px=background_px)
    targets = grid_of(draw_shapes(80, seed=seed, world=world).images)
    healthy = neighbour_loss(targets)
    assert not detect_low_loss(healthy, targets).is_failure
    assert not detect_low_loss(0.5 * healthy, targets).is_failure
    found = detect_low_loss(0.01 * healthy, targets)
    assert found.is_failure
    assert found.verdict.startswith("The loss is too low to be true: neighbours leave")
    assert found.verdict.endswith("a failure below " + f"{found.threshold:.4g}).")


def test_flat_images_raise_no_suspicion() -> None:
    """Each patch is like its neighbours, so that a loss near 0 is due."""
    shades = np.random.default_rng(0).uniform(size=(100, 1, 1, 1))
    targets = np.broadcast_to(shades, (100, 4, 4, 3))
    found = detect_low_loss(1e-9, targets)
    assert not found.is_failure
    assert found.verdict.startswith("Cannot be told: neighbours alone predict these targets")


def test_a_loss_at_the_variance_is_nothing_learnt() -> None:
    """0.53 of 0.54, as without positions; 0.42 of 0.54 is better."""
    targets = np.sqrt(0.54) * np.array([1.0, -1.0]).reshape(2, 1, 1, 1)
    without_positions = detect_loss_at_variance(0.53, targets)
    assert without_positions.is_failure
    assert without_positions.verdict.startswith("Nothing is learnt but the mean patch")
    assert not detect_loss_at_variance(0.42, targets).is_failure


def test_targets_of_another_kind_are_refused() -> None:
    """Another shape, one image, or NaN."""
    for targets in (np.ones((4, 2, 2)), np.ones((1, 2, 2, 3))):
        with pytest.raises(ParameterError, match="of two images or more"):
            detect_low_loss(0.1, targets)
    with pytest.raises(ParameterError, match="targets must be finite"):
        target_variance(np.full((2, 1, 1, 1), np.nan))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_nothing(loss: float) -> None:
    """Neither that it is low, nor that more is learnt than the mean patch."""
    targets = np.random.default_rng(0).standard_normal((4, 2, 2, 3))
    for detect in (detect_low_loss, detect_loss_at_variance):
        with pytest.raises(ParameterError, match=f"a masked loss of {loss} says nothing"):
            detect(loss, targets)


def test_where_all_targets_are_the_same_nothing_can_be_told() -> None:
    """No loss is too low, and none too high."""
    targets = np.ones((4, 2, 2, 3))
    for detect in (detect_low_loss, detect_loss_at_variance):
        found = detect(1e-9, targets)
        assert not found.is_failure
        assert found.verdict.startswith("Cannot be told: ")
