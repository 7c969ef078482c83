"""Images cut into patches and put together again; patches normalised."""

import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.patches import normalise, patchify, restore, unpatchify


def test_patches_of_a_hand_worked_image() -> None:
    """A patch holds its pixels row by row, the two channels of a pixel side by side."""
    first = torch.arange(24).reshape(4, 6)
    images = torch.stack([first, first + 100])[None]  # (1, 2, 4, 6)
    patches = patchify(images, (2, 3))
    assert patches.shape == (1, 4, 12)
    assert patches[0, 0].tolist() == [0, 100, 1, 101, 2, 102, 6, 106, 7, 107, 8, 108]
    assert patches[0, 1].tolist() == [3, 103, 4, 104, 5, 105, 9, 109, 10, 110, 11, 111]
    assert patches[0, 3].tolist() == [15, 115, 16, 116, 17, 117, 21, 121, 22, 122, 23, 123]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("size", "patch"), [((8, 12), (4, 4)), ((6, 20), (3, 5)), ((4, 4), (1, 2))]
)
def test_unpatchify_undoes_patchify(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    """Cutting and putting together gives the same images, whatever their shape."""
    images = torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(0))
    grid = (size[0] // patch[0], size[1] // patch[1])
    assert torch.equal(unpatchify(patchify(images, patch), patch, grid), images)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 9, 8), "9 x 8 cannot be cut .* crop them to 8 x 8"),
        ((1, 3, 3, 8), "3 x 8 are smaller than a patch of 4 x 4"),
        ((3, 8, 8), r"\(batch, channels, height, width\) is wanted"),
    ],
)
def test_images_that_cannot_be_cut_are_refused(shape: tuple[int, ...], message: str) -> None:
    """Images that are too small, not divisible or no batch are refused with a sentence."""
    with pytest.raises(ParameterError, match=message):
        patchify(torch.zeros(shape), (4, 4))


def test_patches_that_make_no_image_are_refused() -> None:
    """A wrong number of patches, or of values for whole channels, is refused."""
    for shape in ((1, 5, 12), (1, 4, 13)):
        with pytest.raises(ParameterError, match="do not make 2 x 2 patches of 2 x 3 pixels"):
            unpatchify(torch.zeros(shape), (2, 3), (2, 2))


def test_variance_is_the_unbiased_one() -> None:
    """Of the values 1, 2, 3, 4 the variance is 5/3, not 5/4."""
    patches, mean, scale = normalise(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]], dtype=torch.float64))
    root = (5.0 / 3.0 + 1e-6) ** 0.5
    assert mean.item() == 2.5
    assert scale.item() == pytest.approx(root, rel=1e-15)
    assert patches[0, 0].tolist() == pytest.approx([x / root for x in (-1.5, -0.5, 0.5, 1.5)])


def test_flat_patches_become_zero() -> None:
    """A patch of one shade has a target of 0, not NaN."""
    flat = normalise(torch.full((1, 1, 48), 0.7)).patches
    assert flat.isfinite().all()
    assert flat.abs().max() < 1e-3


def test_faint_noise_is_amplified() -> None:
    """A standard deviation of 1e-4 becomes one of about 0.1, as the docstring says."""
    noise = torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    spread = normalise(1e-4 * noise).patches.std().item()
    assert spread == pytest.approx(1e-4 / (1e-8 + 1e-6) ** 0.5, rel=0.05)


def test_restoring_undoes_normalising() -> None:
    """Mean and scale bring the pixels back."""
    patches = torch.rand(2, 3, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.allclose(restore(*normalise(patches)), patches, rtol=0, atol=1e-14)


def test_one_value_has_no_variance() -> None:
    """Patches of one value are refused."""
    with pytest.raises(ParameterError, match="one value has no variance"):
        normalise(torch.zeros(1, 4, 1))
