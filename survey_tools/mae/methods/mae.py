"""MAE: the encoder sees visible patches only; a light decoder predicts the masked ones."""

from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import draw_token
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.decoder import Decoder
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.masking import Mask
from survey_tools.mae.methods.base import (
    Method,
    Sampling,
    StepResult,
    check_choice,
    measure_variance,
    pick_counted,
)
from survey_tools.mae.model import LossOn
from survey_tools.mae.patches import patchify
from survey_tools.mae.targets import FeatureTarget, HogTarget, PixelTarget, Target

__all__ = ["EncoderSees", "MaeMethod", "TargetKind"]

EncoderSees = Literal["visible", "all"]
TargetKind = Literal["pixels", "hog", "features"]


class MaeMethod(Method):
    """Masked autoencoder: mean squared error of the decoder's prediction.

    With pixels as target its loss is that of `survey_tools.mae.model.MaskedAutoencoder`, whose
    weights have the same names.

    Parameters
    ----------
    target : {"pixels", "hog", "features"}
        What is predicted: pixels, normalised if the config says so (the method); histograms of
        oriented gradients; the features of a frozen teacher.
    teacher : Encoder, optional
        For "features": a trained encoder, copied; by default a random one.
    encoder_sees : {"visible", "all"}
        With "all" the encoder computes a mask token of its own in the place of every masked
        patch, and the decoder adds none: the ablation of table 1c of [1]_, nothing else changed.

    Raises
    ------
    ParameterError
        If an option is not allowed, or a teacher is given for another target.

    References
    ----------
    .. [1] He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377,
       section 3.
    """

    name: ClassVar[str] = "mae"

    def __init__(
        self,
        config: ModelConfig,
        *,
        generator: torch.Generator,
        sampling: Sampling = "uniform",
        loss_on: LossOn = "masked",
        target: TargetKind = "pixels",
        teacher: Encoder | None = None,
        encoder_sees: EncoderSees = "visible",
    ) -> None:
        super().__init__(config, generator=generator, sampling=sampling, loss_on=loss_on)
        check_choice("target", target, get_args(TargetKind))
        check_choice("encoder_sees", encoder_sees, get_args(EncoderSees))
        if teacher is not None and target != "features":
            raise ParameterError(f"a teacher has no use for target={target!r}; take 'features'")
        self.target: Target
        if target == "pixels":
            self.target = PixelTarget(config)
        elif target == "hog":
            self.target = HogTarget(config)
        else:
            self.target = FeatureTarget(config, generator=generator, teacher=teacher)
        self.decoder = Decoder(config, generator=generator, n_outputs=self.target.n_values)
        self.encoder_sees: EncoderSees = encoder_sees
        if encoder_sees == "all":
            self.mask_token = draw_token(config.encoder_width, generator)
            self.decoder.mask_token.requires_grad_(False)  # it has no use for one

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        """Predict from visible patches: mean squared error over the patches that count.

        ``parts`` has "target_variance": the loss of the best guess that sees nothing.
        """
        mask = self.draw_mask(images, generator=generator)
        target = pick_counted(self.target(images), mask, self.loss_on)
        loss = functional.mse_loss(self.predict(images, mask), target)
        return StepResult(
            loss=loss, n_images=len(images), parts={"target_variance": measure_variance(target)}
        )

    def predict(self, images: Tensor, mask: Mask) -> Tensor:
        """Predict the patches that count.

        Returns
        -------
        Tensor of float32, shape (batch, n_counted, n_values)
            In the order of `pick_counted`.
        """
        encoded = self._encode(images, mask)
        has_tokens = self.encoder_sees == "all"
        if self.loss_on == "masked":  # the quick way: masked patches alone are predicted
            guess: Tensor = self.decoder(encoded, mask, has_mask_tokens=has_tokens)
            return guess.float()  # (batch, n_masked, n_values)
        every = self.decoder(encoded, mask, all_patches=True, has_mask_tokens=has_tokens)
        return pick_counted(every, mask, self.loss_on).float()

    def _encode(self, images: Tensor, mask: Mask) -> Tensor:
        """Encode the visible patches, or all places with mask tokens.

        Returns
        -------
        Tensor, shape (batch, n_before + n_kept or n_before + n_patches, encoder_width)
        """
        patches = patchify(images, self.config.patch_size)  # (batch, n_patches, values)
        if self.encoder_sees == "visible":
            visible: Tensor = self.encoder(patches, mask)
            return visible
        return self.encoder.forward_with_mask_tokens(patches, mask, self.mask_token)
