"""Pictures of a reconstruction."""

import dataclasses

import numpy as np
import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask, mask_by_noise
from survey_tools.mae.model import pixel_targets
from survey_tools.mae.patches import patchify
from survey_tools.mae.pictures import compute_pictures

CONFIG = ModelConfig(
    image_size=(4, 6),
    patch_size=(2, 3),
    n_channels=2,
    encoder_width=8,
    encoder_heads=1,
    decoder_width=8,
    decoder_heads=1,
    norm_pix=False,
)


@pytest.fixture
def images() -> torch.Tensor:
    """Return two images with values from 0.1 to 0.9."""
    generator = torch.Generator().manual_seed(0)
    return 0.1 + 0.8 * torch.rand(2, 2, 4, 6, generator=generator)


@pytest.fixture
def mask() -> Mask:
    """Keep the upper left patch of one image and the lower right one of the other."""
    noise = torch.tensor([[0.0, 3.0, 2.0, 1.0], [3.0, 2.0, 1.0, 0.0]])
    return mask_by_noise(noise, n_kept=1)


@pytest.mark.parametrize("norm_pix", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_perfect_prediction_gives_the_image(
    images: torch.Tensor, mask: Mask, norm_pix: bool, whole: bool
) -> None:
    """The true target, pasted, is the original, normalised or not, of all patches or the masked."""
    config = dataclasses.replace(CONFIG, norm_pix=norm_pix)
    target = pixel_targets(patchify(images, (2, 3)), norm_pix=norm_pix)
    pictures = compute_pictures(
        images, target if whole else take(target, mask.masked), mask, config
    )
    assert pictures.original.shape == (2, 4, 6, 2)
    assert pictures.original == pytest.approx(images.permute(0, 2, 3, 1).numpy(), abs=1e-6)
    assert pictures.pasted == pytest.approx(pictures.original, abs=1e-6)


def test_only_masked_patches_are_replaced(images: torch.Tensor, mask: Mask) -> None:
    """The visible patch stays in both pictures; the others are grey, or what was predicted."""
    prediction = torch.full((2, 3, 12), 5.0)
    pictures = compute_pictures(images, prediction, mask, CONFIG, grey=0.25)
    visible = np.zeros((2, 4, 6), dtype=bool)
    visible[0, :2, :3] = visible[1, 2:, 3:] = True
    for picture, shade in ((pictures.masked, 0.25), (pictures.pasted, 1.0)):  # 5 is clipped to 1
        assert np.array_equal(picture[visible], pictures.original[visible])
        assert (picture[~visible] == shade).all()


def test_normalised_images_are_brought_back(images: torch.Tensor, mask: Mask) -> None:
    """Mean and spread of each channel are undone before the picture is made."""
    mean, std = torch.tensor([0.4, 0.6]), torch.tensor([0.2, 0.3])
    given = (images - mean[:, None, None]) / std[:, None, None]
    target = take(patchify(given, (2, 3)), mask.masked)
    pictures = compute_pictures(
        given, target, mask, CONFIG, pixel_mean=(0.4, 0.6), pixel_std=(0.2, 0.3)
    )
    assert pictures.pasted == pytest.approx(images.permute(0, 2, 3, 1).numpy(), abs=1e-6)


def test_predictions_that_are_no_pixels_are_refused(images: torch.Tensor, mask: Mask) -> None:
    """More values than a patch has pixels would be cut to the first of them."""
    for n_values in (11, 13):  # 2 channels x 2 x 3 pixels are 12
        with pytest.raises(ParameterError, match=f"{n_values} values a patch are no pixels"):
            compute_pictures(images, torch.zeros(2, 3, n_values), mask, CONFIG)


def test_what_does_not_fit_is_refused(images: torch.Tensor, mask: Mask) -> None:
    """Another number of patches or of channel means is refused."""
    with pytest.raises(ParameterError, match="fits neither the 3 masked nor the 4 patches"):
        compute_pictures(images, torch.zeros(2, 2, 12), mask, CONFIG)
    with pytest.raises(ParameterError, match=r"pixel_mean has 3 values .* 2 channels"):
        compute_pictures(images, torch.zeros(2, 3, 12), mask, CONFIG, pixel_mean=(0.0, 0.0, 0.0))
