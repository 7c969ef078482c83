"""Histograms of oriented gradients: worked by hand, against a plain loop, invariances, errors."""

import math

import numpy as np
import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.hog import HogSettings, compute_hog


def count_by_loop(
    images: np.ndarray, patch: tuple[int, int], cell: tuple[int, int], n_bins: int
) -> np.ndarray:
    """Count the mean vote of every bin pixel by pixel: (batch, n_patches, cell, channel, bin)."""
    batch, channels, height, width = images.shape
    columns, across_cells = width // patch[1], patch[1] // cell[1]
    n_cells = patch[0] // cell[0] * across_cells
    found = np.zeros((batch, height // patch[0] * columns, n_cells, channels, n_bins))
    for b, c, i, j in np.ndindex(images.shape):
        up, down = abs(i - 1), i + 1 if i + 1 < height else height - 2
        left, right = abs(j - 1), j + 1 if j + 1 < width else width - 2
        y = float(images[b, c, down, j]) - float(images[b, c, up, j])
        x = float(images[b, c, i, right]) - float(images[b, c, i, left])
        k = int(math.atan2(y, x) % math.pi / math.pi * n_bins) % n_bins
        place = i // patch[0] * columns + j // patch[1]
        within = i % patch[0] // cell[0] * across_cells + j % patch[1] // cell[1]
        found[b, place, within, c, k] += math.hypot(x, y) / (cell[0] * cell[1])
    return found


def test_a_slope_is_counted_by_hand() -> None:
    """A plane of slopes 3 and 4 votes for three orientations: inside and at two kinds of rim.

    The four inner pixels have the gradient (6, 8), 53 degrees and 10 long; at the left and right
    rim it is (0, 8), at the upper and lower (6, 0), four pixels each; in the corners 0.
    """
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    histogram = compute_hog((3.0 * columns + 4.0 * rows)[None, None], (4, 4))
    by_hand = torch.tensor([24.0, 0.0, 40.0, 0.0, 32.0, 0.0, 0.0, 0.0, 0.0]) / math.sqrt(3200.0)
    torch.testing.assert_close(histogram, by_hand[None, None])


@pytest.mark.parametrize("norm", ["cell", "patch"])
@pytest.mark.parametrize("cell", [(2, 3), (4, 6), (1, 2)])
def test_histograms_equal_a_plain_loop(norm: str, cell: tuple[int, int]) -> None:
    """Rectangular images, patches and cells give what a loop over the pixels gives."""
    images = np.random.default_rng(0).normal(size=(2, 3, 8, 12)).astype(np.float32)
    settings = HogSettings(n_bins=7, cell_size=cell, norm=norm)
    found = compute_hog(torch.from_numpy(images), (4, 6), settings)
    counts = count_by_loop(images, (4, 6), cell, 7)
    axes = (4,) if norm == "cell" else (2, 3, 4)
    wanted = counts / np.sqrt((counts**2).sum(axis=axes, keepdims=True) + 1e-10)
    assert found.shape[2] == settings.n_values((4, 6), 3)
    np.testing.assert_allclose(found.numpy(), wanted.reshape(found.shape), atol=1e-6)


def test_luminance_weighs_the_channels() -> None:
    """Three channels by their luminance equal one channel that holds it."""
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.299, 0.587, 0.114])
    grey = torch.einsum("bchw,c->bhw", images, weights)[:, None]
    settings = HogSettings(colour="luminance")
    torch.testing.assert_close(
        compute_hog(images, (4, 4), settings), compute_hog(grey, (4, 4), settings)
    )
    torch.testing.assert_close(compute_hog(grey, (4, 4), settings), compute_hog(grey, (4, 4)))


def test_sign_brightness_and_contrast_do_not_count() -> None:
    """The negative, a brighter and a stronger image have the same histograms."""
    images = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = compute_hog(images, (4, 4))
    for other in (-images, images + 2.0, 100.0 * images):
        torch.testing.assert_close(compute_hog(other, (4, 4)), plain, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("n_bins", [2, 4, 8, 9, 12])
def test_opposite_gradients_fall_into_one_bin(n_bins: int) -> None:
    """Also those along the border of two bins, such as 45 degrees of 4."""
    values = torch.randint(-2, 3, (8, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    settings = HogSettings(n_bins=n_bins)
    ours, opposite = (compute_hog(sign * values.float(), (8, 8), settings) for sign in (1, -1))
    assert torch.equal(ours, opposite)


def test_a_flat_image_gives_zero() -> None:
    """No gradient means no vote, not amplified noise, and rounding is not amplified to 1."""
    assert not compute_hog(torch.full((1, 1, 8, 8), 0.3), (4, 4)).any()
    faint = 0.3 + 1e-8 * torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert compute_hog(faint, (4, 4)).max() < 0.05


@pytest.mark.parametrize(
    ("patch", "channels", "n_values"), [((16, 16), 3, 108), ((4, 4), 3, 27), ((8, 12), 1, 9)]
)
def test_default_cells(patch: tuple[int, int], channels: int, n_values: int) -> None:
    """Patches of 16 pixels have the paper's 2 x 2 cells of 9 bins a channel; small ones one."""
    assert HogSettings().n_values(patch, channels) == n_values
    images = torch.randn(1, channels, 2 * patch[0], patch[1])
    assert compute_hog(images, patch).shape == (1, 2, n_values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_bins": 1}, r"n_bins=1: 2 orientations"),
        ({"cell_size": (0, 2)}, r"cell_size=\(0, 2\)"),
        ({"colour": "grey"}, "colour='grey': one of channels, luminance"),
        ({"norm": "none"}, "norm='none': one of cell, patch"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    """A setting outside its range is named with what is allowed."""
    with pytest.raises(ParameterError, match=message):
        HogSettings(**settings)


def test_what_does_not_fit_is_refused() -> None:
    """Cells that do not divide, images that make no patches, two channels of luminance."""
    with pytest.raises(ParameterError, match="cells of 3 x 3 pixels do not divide"):
        compute_hog(torch.zeros(1, 1, 8, 8), (4, 4), HogSettings(cell_size=(3, 3)))
    for shape in ((1, 1, 6, 8), (1, 8, 8), (8,), (1, 1, 1, 4)):
        with pytest.raises(ParameterError, match="do not make patches of 4 x 4"):
            compute_hog(torch.zeros(shape), (4, 4))
    with pytest.raises(ParameterError, match="luminance of 2 channels"):
        compute_hog(torch.zeros(1, 2, 4, 4), (4, 4), HogSettings(colour="luminance"))
