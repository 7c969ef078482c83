"""Methods with a planted failure, by name, for tests of detectors; none is in the package."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask
from survey_tools.mae.methods import Method, build_method
from survey_tools.mae.methods.latents import LatentMethod
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.patches import patchify
from survey_tools.mae.teacher import compute_latents

PLANTED = ("leaking-mask-tokens", "no-stop-gradient", "no-positions", "visible-loss")


class LeakingMae(MaeMethod):
    """The decoder's mask tokens carry the pixels they hide."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__(config, generator=generator)
        weight = torch.randn(config.decoder_width, config.patch_values, generator=generator)
        self.leak = nn.Parameter(weight / config.patch_values**0.5)

    def predict(self, images: Tensor, mask: Mask) -> Tensor:
        patches = patchify(images, self.config.patch_size)
        hidden = take(patches, mask.masked) @ self.leak.T  # (batch, n_masked, decoder_width)
        tokens = {"mask_token": self.decoder.mask_token + hidden}
        return functional_call(self.decoder, tokens, (self.encoder(patches, mask), mask)).float()


class SiameseLatents(LatentMethod):
    """The student's own latents are the target, and the gradient flows through both."""

    def make_targets(self, images: Tensor) -> Tensor:
        return compute_latents(self.encoder, images, n_layers=self.teacher.n_layers)


def plant(name: str, config: ModelConfig, *, generator: torch.Generator) -> Method:
    """Build a method with the failure of that name, one of `PLANTED`."""
    if name == "leaking-mask-tokens":
        return LeakingMae(config, generator=generator)
    if name == "no-stop-gradient":
        return SiameseLatents(config, generator=generator)
    if name == "no-positions":
        method = MaeMethod(config, generator=generator)
        method.encoder.positions.table.zero_()
        method.decoder.positions.table.zero_()
        return method
    assert name == "visible-loss", name
    return build_method("mae", config, generator=generator, loss_on="visible")
