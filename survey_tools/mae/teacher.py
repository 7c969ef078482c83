"""Teachers: encoders that no gradient reaches, frozen or following a student."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.patches import patchify

__all__ = ["Teacher", "compute_latents", "compute_momentum"]


def compute_latents(encoder: Encoder, images: Tensor, *, n_layers: int) -> Tensor:
    """Average what the last blocks make of every patch of whole images, normalised.

    The output of each block is normalised over its features without learned scale or shift,
    then the blocks are averaged and the mean is normalised again: every target has mean 0 and
    variance 1 over its features, so a teacher cannot shrink its targets to 0.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    n_layers : int
        Last blocks that count.

    Returns
    -------
    Tensor of float32, shape (batch, n_patches, width)

    References
    ----------
    .. [1] Baevski et al., data2vec, arXiv:2202.03555, section 3.3, "Targets": y = the mean of
       the normalised top K blocks; we take what leaves a block, where their best models take
       what its MLP adds.
    """
    patches = patchify(images, encoder.config.patch_size)  # (batch, n_patches, values)
    table: Tensor = encoder.positions()  # (n_before + n_patches, width)
    tokens = encoder.embed(patches) + table[encoder.n_before :]  # (batch, n_patches, width)
    if encoder.cls_token is not None:
        first = (encoder.cls_token + table[0]).to(tokens.dtype)
        first = first.expand(len(tokens), 1, -1)  # (batch, 1, width)
        tokens = torch.cat([first, tokens], dim=1)  # (batch, 1 + n_patches, width)
    n_skipped = len(encoder.blocks) - n_layers
    total = torch.zeros((), device=images.device)
    for i, block in enumerate(encoder.blocks):
        tokens = block(tokens)
        if i >= n_skipped:
            total = total + _normalise(tokens[:, encoder.n_before :])  # (batch, n_patches, width)
    return _normalise(total / n_layers)


def _normalise(tokens: Tensor) -> Tensor:
    """Normalise tokens over their features, in single precision."""
    return functional.layer_norm(tokens.float(), tokens.shape[-1:])


def compute_momentum(progress: float, *, first: float) -> float:
    """Return how much of itself a teacher keeps: a cosine from ``first`` to 1 over the training.

    Parameters
    ----------
    progress : float
        Share of the training that is done, 0 to 1.

    References
    ----------
    .. [1] Grill et al., Bootstrap Your Own Latent, arXiv:2006.07733,
       "Implementation details": 1 - (1 - first) (cos(pi progress) + 1) / 2.
    """
    return 1.0 - (1.0 - first) * (math.cos(math.pi * progress) + 1.0) / 2.0


class Teacher(nn.Module):
    """A copy of an encoder whose latents are targets; it never has a gradient.

    A copy of a random encoder is a frozen random teacher, of a trained one a frozen trained
    teacher; one that `follow` is called on after each step is an exponential moving average.

    Parameters
    ----------
    encoder : Encoder
        What is copied.
    n_layers : int
        Last blocks whose outputs are averaged.

    Raises
    ------
    ParameterError
        If there are not as many blocks.
    """

    def __init__(self, encoder: Encoder, *, n_layers: int = 1) -> None:
        super().__init__()
        if not 1 <= n_layers <= len(encoder.blocks):
            raise ParameterError(
                f"n_layers={n_layers!r}: 1 to {len(encoder.blocks)} blocks can be averaged"
            )
        self.n_layers = n_layers
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)

    @property
    def width(self) -> int:
        """Features of a target."""
        return self.encoder.config.encoder_width

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Compute the targets of every patch of whole images; see `compute_latents`.

        Parameters
        ----------
        images : Tensor, shape (batch, channels, height, width)

        Returns
        -------
        Tensor of float32, shape (batch, n_patches, width)
        """
        return compute_latents(self.encoder, images, n_layers=self.n_layers)

    @torch.no_grad()
    def follow(self, student: Encoder, *, momentum: float) -> None:
        """Move every weight towards the student's: momentum * own + (1 - momentum) * student's.

        Raises
        ------
        ParameterError
            If the momentum is not 0 to 1.

        References
        ----------
        .. [1] Tarvainen and Valpola, Mean teachers, arXiv:1703.01780, equation 1.
        """
        if not 0.0 <= momentum <= 1.0:
            raise ParameterError(f"momentum={momentum!r}: a number from 0 to 1 is wanted")
        pairs = zip(self.encoder.parameters(), student.parameters(), strict=True)
        for own, other in pairs:
            own.lerp_(other, 1.0 - momentum)
