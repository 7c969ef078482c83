"""Latents of a teacher in the manner of data2vec: the student sees a part, the teacher all."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods.base import Sampling, StepResult, measure_variance, pick_counted
from survey_tools.mae.methods.mask_tokens import MaskTokenMethod
from survey_tools.mae.model import LossOn
from survey_tools.mae.teacher import Teacher, compute_momentum

__all__ = ["LatentMethod"]


class LatentMethod(MaskTokenMethod):
    """Smooth absolute error of the latents of a teacher that follows the student.

    Three things guard against collapse: no gradient reaches the teacher, which follows slowly;
    its latents are normalised over their features, so they cannot shrink; and its blocks are
    averaged. None makes collapse impossible: latents that are the same at all places have a
    loss of 0. So ``parts`` has the variance of targets and predictions, which then falls to 0.
    The paper masks blocks, at 0.6; here masks are uniform unless ``sampling="block"``.

    Parameters
    ----------
    n_layers : int, optional
        Last blocks of the teacher that are averaged; by default half of them, as the paper's 6
        of the 12 of ViT-B.
    momentum : float
        How much of itself the teacher keeps at the first step, at least 0 and below 1; it rises
        to 1. The default is iBOT's and DINO's; data2vec keeps more, over longer training.
    beta : float
        Errors below it count squared; above 0. The default is the paper's for images.

    Raises
    ------
    ParameterError
        If an option is not allowed.

    References
    ----------
    .. [1] Baevski et al., data2vec: A General Framework for Self-supervised Learning in Speech,
       Vision and Language, arXiv:2202.03555, sections 3.3 and 3.4.
    .. [2] Zhou et al., iBOT: Image BERT Pre-Training with Online Tokenizer, arXiv:2111.07832.
    """

    name: ClassVar[str] = "latents"

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
        n_layers: int | None = None,
        momentum: float = 0.996,
        beta: float = 2.0,
    ) -> None:
        super().__init__(
            config,
            n_outputs=config.encoder_width,
            generator=generator,
            sampling=sampling,
            loss_on=loss_on,
        )
        if not 0.0 <= momentum < 1.0:
            raise ParameterError(f"momentum={momentum!r}: at least 0 and below 1 is wanted")
        if not beta > 0.0:
            raise ParameterError(f"beta={beta!r}: a number above 0 is wanted")
        self.momentum, self.beta = momentum, beta
        if n_layers is None:
            n_layers = max(1, config.encoder_depth // 2)
        self.teacher = Teacher(self.encoder, n_layers=n_layers)

    def make_targets(self, images: Tensor) -> Tensor:
        """Return the teacher's latents of whole images, shape (batch, n_patches, width)."""
        targets: Tensor = self.teacher(images)
        return targets

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Predict latents: smooth absolute error over the patches that count.

        ``parts`` has "target_variance" and "prediction_variance", of a feature over images and
        patches: both near 0 mean collapse.
        """
        mask = self.draw_mask(images, generator=generator)
        target = pick_counted(self.make_targets(images), mask, self.loss_on)
        prediction = self.predict(images, mask)  # (batch, n_counted, width)
        loss = functional.smooth_l1_loss(prediction, target, beta=self.beta)
        return StepResult(
            loss=loss,
            n_images=len(images),
            parts={
                "target_variance": measure_variance(target),
                "prediction_variance": measure_variance(prediction),
            },
        )

    def after_step(self, *, progress: float) -> None:
        """Let the teacher follow the student.

        Raises
        ------
        ParameterError
            If the progress is not 0 to 1.
        """
        super().after_step(progress=progress)
        self.teacher.follow(self.encoder, momentum=compute_momentum(progress, first=self.momentum))
