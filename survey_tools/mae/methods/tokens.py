"""Discrete tokens in the manner of BEiT: the token of each masked patch is told."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.mae.codebook import Codebook
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods.base import Sampling, StepResult, pick_counted
from survey_tools.mae.methods.mask_tokens import MaskTokenMethod
from survey_tools.mae.model import LossOn
from survey_tools.mae.targets import PixelTarget

__all__ = ["TokenMethod"]


class TokenMethod(MaskTokenMethod):
    """Cross-entropy of the token that a linear head tells for each masked patch.

    Tokens are numbers of clusters of patches, normalised if the config says so: a codebook by
    k-means instead of the paper's discrete variational autoencoder (8,192 codes), which is
    learned from other data. The paper masks blocks, at 0.4; here masks are uniform unless
    ``sampling="block"``, and the ratio is the config's, for all methods alike.

    Parameters
    ----------
    n_codes : int
        Codes of the codebook.

    References
    ----------
    .. [1] Bao et al., BEiT: BERT Pre-Training of Image Transformers, arXiv:2106.08254,
       section 2.3, equation 1, and algorithm 1.
    """

    name: ClassVar[str] = "tokens"
    fits_images = True

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
        n_codes: int = 256,
    ) -> None:
        codebook = Codebook(n_codes, config.patch_values)
        super().__init__(
            config, n_outputs=n_codes, generator=generator, sampling=sampling, loss_on=loss_on
        )
        self.codebook = codebook
        self.pixels = PixelTarget(config)

    def prepare(self, images: Tensor, *, generator: torch.Generator) -> None:
        """Fit the codebook on the patches of a sample of the training images.

        Raises
        ------
        ParameterError
            If the images are of another size, or have fewer different patches than codes.
        """
        self.check_images(images)
        patches = self.pixels(images)  # (n, n_patches, values)
        self.codebook.fit(patches.flatten(0, 1), generator=generator)  # (n * n_patches, values)

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Tell tokens: mean cross-entropy (nats) over the patches that count.

        ``parts`` has "accuracy", the share of tokens that are told right, and "target_entropy"
        (nats) of the batch's tokens: what the loss would be if their shares were predicted.

        Raises
        ------
        ParameterError
            If the images are of another size or the codebook is not fitted.
        """
        mask = self.draw_mask(images, generator=generator)
        tokens = self.codebook.assign(self.pixels(images))  # (batch, n_patches)
        target = pick_counted(tokens[:, :, None], mask, self.loss_on).flatten()
        # (batch * n_counted,)
        scores = self.predict(images, mask).flatten(0, 1)  # (batch * n_counted, n_codes)
        loss = functional.cross_entropy(scores, target)
        shares = target.bincount(minlength=scores.shape[1]) / len(target)  # (n_codes,)
        return StepResult(
            loss=loss,
            n_images=len(images),
            parts={
                "accuracy": float((scores.argmax(dim=1) == target).float().mean()),
                "target_entropy": float(torch.special.entr(shares).sum()),
            },
        )
