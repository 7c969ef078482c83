"""What SimMIM, MaskFeat, BEiT and data2vec share: mask tokens in the encoder, a linear head."""

import torch
from torch import Tensor

from survey_tools.mae.blocks import draw_token, draw_weights, make_linear
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask
from survey_tools.mae.methods.base import Method, Sampling, pick_counted
from survey_tools.mae.model import LossOn
from survey_tools.mae.patches import patchify

__all__ = ["MaskTokenMethod"]


class MaskTokenMethod(Method):
    """The encoder runs on all places, with one learned token in the place of masked patches.

    Parameters
    ----------
    n_outputs : int
        Values that the linear head predicts for a patch.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        n_outputs: int,
        generator: torch.Generator,
        sampling: Sampling,
        loss_on: LossOn,
    ) -> None:
        super().__init__(config, generator=generator, sampling=sampling, loss_on=loss_on)
        self.mask_token = draw_token(config.encoder_width, generator)
        self.head = make_linear(config.encoder_width, n_outputs)
        draw_weights(self.head, generator)

    def predict(self, images: Tensor, mask: Mask) -> Tensor:
        """Predict the patches that count.

        Returns
        -------
        Tensor of float32, shape (batch, n_counted, n_outputs)
            In the order of `pick_counted`.
        """
        patches = patchify(images, self.config.patch_size)  # (batch, n_patches, values)
        tokens = self.encoder.forward_with_mask_tokens(patches, mask, self.mask_token)
        tokens = tokens[:, self.encoder.n_before :]  # (batch, n_patches, width)
        prediction: Tensor = self.head(pick_counted(tokens, mask, self.loss_on))
        return prediction.float()
