"""Features of images: what an encoder makes of whole images, for probes."""

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from survey_tools.errors import ParameterError
from survey_tools.mae.encoder import Encoder

__all__ = ["Pooling", "extract_features"]

Pooling = Literal["mean", "cls", "both"]


def extract_features(
    encoder: Encoder,
    images: NDArray[np.float32],
    *,
    pooling: Pooling = "mean",
    batch_size: int = 256,
) -> NDArray[np.float32]:
    """Encode whole images, without a mask, and pool their tokens.

    In single precision and without gradient, on the encoder's device. The encoder is left as it
    came. Images of another size than the config's have interpolated positions.

    Parameters
    ----------
    images : ndarray of float32, shape (n_images, channels, height, width)
        Standardised as in training.
    pooling : {"mean", "cls", "both"}
        Mean of the patches' tokens, the cls token, or the cls token and then that mean.
    batch_size : int
        Images at once.

    Returns
    -------
    ndarray of float32, shape (n_images, width) or (n_images, 2 * width)
        In the order of the images.

    Raises
    ------
    ParameterError
        If the encoder has no cls token but it is asked for, or an argument is not allowed.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, appendix A.1 (cls token or mean: about the same).
    """
    if pooling not in get_args(Pooling):
        raise ParameterError(f"pooling={pooling!r}: one of {', '.join(get_args(Pooling))}")
    if pooling != "mean" and encoder.cls_token is None:
        raise ParameterError(f"pooling={pooling!r}: the encoder has no cls token; take 'mean'")
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size!r}: 1 image or more is wanted")
    if images.ndim != 4 or not len(images):
        raise ParameterError(
            f"images of shape {images.shape} arrived; (n_images, channels, height, width) with "
            "one image or more is wanted"
        )
    device = encoder.embed.weight.device
    was_training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            parts = [
                _pool(encoder, _to_tensor(images[first : first + batch_size], device), pooling)
                for first in range(0, len(images), batch_size)
            ]
    finally:
        encoder.train(was_training)
    return np.concatenate(parts)


def _to_tensor(images: NDArray[np.float32], device: torch.device) -> Tensor:
    # a copy: torch takes no reversed array, and warns of one that cannot be written
    return torch.from_numpy(np.array(images, dtype=np.float32)).to(device)


def _pool(encoder: Encoder, images: Tensor, pooling: Pooling) -> NDArray[np.float32]:
    tokens = encoder.encode_images(images)  # (batch, n_before + n_patches, width)
    mean = tokens[:, encoder.n_before :].mean(dim=1)  # (batch, width)
    kinds = {"mean": [mean], "cls": [tokens[:, 0]], "both": [tokens[:, 0], mean]}
    features: NDArray[np.float32] = torch.cat(kinds[pooling], dim=1).cpu().numpy()
    return features
