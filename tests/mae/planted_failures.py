"""Methods with a planted failure, by name, for tests of detectors."""

import torch
from torch import Tensor

from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods import Method, build_method
from survey_tools.mae.methods.latents import LatentMethod
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.planted import LeakingMae
from survey_tools.mae.teacher import compute_latents

PLANTED = ("leaking-mask-tokens", "no-stop-gradient", "no-positions", "visible-loss")


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
