"""What can be predicted of every patch without learning: pixels, gradients, frozen features."""

import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.hog import HogSettings, compute_hog
from survey_tools.mae.model import pixel_targets
from survey_tools.mae.patches import patchify
from survey_tools.mae.teacher import Teacher

__all__ = ["FeatureTarget", "HogTarget", "PixelTarget", "Target"]


class Target(nn.Module):
    """Makes the targets of all patches of images, in single precision, without gradient.

    Attributes
    ----------
    n_values : int
        Values of a patch's target.
    """

    n_values: int


class PixelTarget(Target):
    """The pixels of each patch, normalised by its own mean and variance if the config says so."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.n_values = config.patch_values

    def forward(self, images: Tensor) -> Tensor:
        """Return targets of shape (batch, n_patches, values) in the order (p, q, channel)."""
        patches = patchify(images.detach().float(), self.config.patch_size)
        return pixel_targets(patches, norm_pix=self.config.norm_pix)


class HogTarget(Target):
    """The histograms of oriented gradients of each patch; see `survey_tools.mae.hog`."""

    def __init__(self, config: ModelConfig, settings: HogSettings | None = None) -> None:
        super().__init__()
        self.config = config
        self.settings = settings or HogSettings()
        self.n_values = self.settings.n_values(config.patch_size, config.n_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return targets of shape (batch, n_patches, n_values)."""
        return compute_hog(images, self.config.patch_size, self.settings)


class FeatureTarget(Target):
    """The normalised features of a frozen teacher that sees the whole image.

    Parameters
    ----------
    teacher : Encoder, optional
        A trained encoder of the same images and patches, of any width and depth; it is copied.
        By default a random one of the config's shape: then only the architecture's prior can
        be learned.
    generator : torch.Generator
        Draws the random teacher, on the CPU.

    Raises
    ------
    ParameterError
        If the teacher takes other images or patches.

    References
    ----------
    .. [1] Wei et al., arXiv:2112.09133, section 3.2, "Deep features"; Peng et al., MVP,
       arXiv:2203.05175, section 3.
    """

    def __init__(
        self, config: ModelConfig, *, generator: torch.Generator, teacher: Encoder | None = None
    ) -> None:
        super().__init__()
        teacher = teacher or Encoder(config, generator=generator)
        for field in ("image_size", "patch_size", "n_channels"):
            theirs, ours = getattr(teacher.config, field), getattr(config, field)
            if theirs != ours:
                raise ParameterError(
                    f"the teacher's {field} is {theirs!r}, the student's {ours!r}; they must be "
                    "equal, so that each patch has its target"
                )
        self.teacher = Teacher(teacher)
        self.n_values = self.teacher.width

    def forward(self, images: Tensor) -> Tensor:
        """Return targets of shape (batch, n_patches, width of the teacher)."""
        targets: Tensor = self.teacher(images)
        return targets
