"""Which patches a loss counts, and whether masked pixels reach a prediction, by differentiation."""

from dataclasses import dataclass, replace

import torch

from survey_tools.mae.config import ModelConfig
from survey_tools.mae.leakage import detect_gradient_leak, detect_swap_leak
from survey_tools.mae.masking import sample_uniform
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.patches import patchify

__all__ = ["LossGradients", "measure_loss_gradients"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossGradients:
    """Gradients of a masked autoencoder.

    Attributes
    ----------
    visible : float
        Greatest absolute gradient of the loss at predictions of visible patches.
    masked : float
        Share of the predicted values of masked patches at which the loss has a gradient.
    own_pixels : float
        Greatest absolute gradient of masked predictions at masked pixels.
    swap : float
        Greatest change of a prediction when the masked content of images is swapped.
    """

    visible: float
    masked: float
    own_pixels: float
    swap: float


def measure_loss_gradients(
    config: ModelConfig, mask_ratio: float, *, n_images: int, seed: int
) -> LossGradients:
    """Differentiate the loss of a network with random weights at images of noise.

    Raises
    ------
    ParameterError
        If the ratio is not allowed, or there are fewer than two images to swap.
    """
    config = replace(config, mask_ratio=mask_ratio)
    generator = torch.Generator().manual_seed(seed)
    model = MaskedAutoencoder(config, generator=generator).eval()
    shape = (n_images, config.n_channels, *config.image_size)
    images = torch.randn(shape, generator=generator)
    mask = sample_uniform(n_images, config.n_patches, mask_ratio, generator=generator)
    found = model(images, mask, loss_on="masked", predict_all=True)
    (gradient,) = torch.autograd.grad(found.loss, found.prediction)
    patches = patchify(images, config.patch_size)  # (batch, n_patches, values)

    def predict(some: torch.Tensor) -> torch.Tensor:
        predicted: torch.Tensor = model.decoder(model.encoder(some, mask), mask, all_patches=True)
        return predicted

    own = detect_gradient_leak(predict, patches, mask.is_masked, generator=generator)
    return LossGradients(
        visible=float(gradient[~mask.is_masked].abs().max()),
        masked=float((gradient[mask.is_masked] != 0).float().mean()),
        own_pixels=own.value,
        swap=detect_swap_leak(predict, patches, mask.is_masked).value,
    )
