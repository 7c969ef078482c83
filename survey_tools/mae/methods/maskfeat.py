"""MaskFeat: mask tokens in the encoder, a linear head, histograms of oriented gradients."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.mae.config import ModelConfig
from survey_tools.mae.hog import HogSettings
from survey_tools.mae.methods.base import Sampling, StepResult, measure_variance, pick_counted
from survey_tools.mae.methods.mask_tokens import MaskTokenMethod
from survey_tools.mae.model import LossOn
from survey_tools.mae.targets import HogTarget

__all__ = ["MaskFeatMethod"]


class MaskFeatMethod(MaskTokenMethod):
    """Mean squared error of the histograms that a linear head predicts.

    The paper masks blocks, at 0.4; here masks are uniform unless ``sampling="block"``, and the
    ratio is the config's, for all methods alike.

    Parameters
    ----------
    hog : HogSettings, optional
        By default those of the paper: 9 orientations of every channel, cells of 8 x 8 pixels
        (the whole patch where 8 does not divide it), each of unit length.

    References
    ----------
    .. [1] Wei et al., Masked Feature Prediction for Self-Supervised Visual Pre-Training,
       arXiv:2112.09133, sections 3.1 and 3.2.
    """

    name: ClassVar[str] = "maskfeat"

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
        hog: HogSettings | None = None,
    ) -> None:
        target = HogTarget(config, hog)
        super().__init__(
            config,
            n_outputs=target.n_values,
            generator=generator,
            sampling=sampling,
            loss_on=loss_on,
        )
        self.target = target

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Predict histograms: mean squared error over the patches that count.

        ``parts`` has "target_variance": the loss of the best guess that sees nothing.
        """
        mask = self.draw_mask(images, generator=generator)
        target = pick_counted(self.target(images), mask, self.loss_on)
        loss = functional.mse_loss(self.predict(images, mask), target)
        return StepResult(
            loss=loss, n_images=len(images), parts={"target_variance": measure_variance(target)}
        )
