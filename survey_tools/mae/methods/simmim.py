"""SimMIM: mask tokens in the encoder, a linear head, the absolute error of pixels."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods.base import Sampling, StepResult, pick_counted
from survey_tools.mae.methods.mask_tokens import MaskTokenMethod
from survey_tools.mae.model import LossOn
from survey_tools.mae.targets import PixelTarget

__all__ = ["SimMimMethod"]


class SimMimMethod(MaskTokenMethod):
    """Mean absolute error of the pixels that a linear head predicts.

    The paper predicts plain pixels (``norm_pix=False``) and masks squares of 32 pixels at 0.6;
    here both are the config's, for all methods alike.

    References
    ----------
    .. [1] Xie et al., SimMIM: A Simple Framework for Masked Image Modeling, arXiv:2111.09886,
       section 3.4, "Prediction targets": L = |y_M - x_M|_1 / n(x_M).
    """

    name: ClassVar[str] = "simmim"

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
    ) -> None:
        target = PixelTarget(config)
        super().__init__(
            config,
            n_outputs=target.n_values,
            generator=generator,
            sampling=sampling,
            loss_on=loss_on,
        )
        self.target = target

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Predict pixels: mean absolute error over the patches that count.

        ``parts`` has "target_spread", the mean absolute deviation of each value from its
        median over images and patches: the loss of the best guess that sees nothing.
        """
        mask = self.draw_mask(images, generator=generator)
        target = pick_counted(self.target(images), mask, self.loss_on)
        loss = functional.l1_loss(self.predict(images, mask), target)
        each = target.flatten(0, 1)  # (batch * n_counted, values)
        spread = float((each - each.median(dim=0).values).abs().mean())
        return StepResult(loss=loss, n_images=len(images), parts={"target_spread": spread})
