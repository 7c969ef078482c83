"""An encoder with a linear head, and what makes its training on labels milder."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import TOKEN_STD, Block, make_linear
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.tuning_recipe import TuningRecipe

__all__ = ["Classifier", "mix_images", "spread_labels"]


class Classifier(nn.Module):
    """A copy of an encoder, its tokens pooled, and a linear layer.

    Parameters
    ----------
    encoder : Encoder
        Stays as it is.
    n_classes : int
        2 or more.
    tuning : TuningRecipe
        Says what is pooled, whether the encoder is trained, and the drop path.
    generator : torch.Generator
        Draws the head, on the CPU; its bias is 0.

    Raises
    ------
    ParameterError
        If there are fewer than two classes, or no cls token to pool.
    """

    def __init__(
        self,
        encoder: Encoder,
        n_classes: int,
        tuning: TuningRecipe,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if n_classes < 2:
            raise ParameterError(f"n_classes={n_classes}: a classifier needs two classes or more")
        if tuning.pooling == "cls" and encoder.cls_token is None:
            raise ParameterError("pooling='cls': the encoder has no cls token; take 'mean'")
        width = encoder.config.encoder_width
        self.encoder = copy.deepcopy(encoder)
        self.pooling = tuning.pooling
        is_frozen = tuning.trained == "head"
        if is_frozen:
            self.encoder.requires_grad_(False)
        self.norm = nn.BatchNorm1d(width, affine=False) if is_frozen else nn.Identity()
        self.head = make_linear(width, n_classes)
        nn.init.trunc_normal_(self.head.weight, std=TOKEN_STD, generator=generator)
        nn.init.zeros_(self.head.bias)
        if tuning.drop_path:
            _drop_branches(self.encoder.blocks, tuning.drop_path)

    def forward(self, images: Tensor) -> Tensor:
        """Score the classes of images.

        Parameters
        ----------
        images : Tensor, shape (batch, channels, height, width)

        Returns
        -------
        Tensor, shape (batch, n_classes)
        """
        tokens = self.encoder.encode_images(images)  # (batch, n_before + n_patches, width)
        if self.pooling == "cls":
            pooled = tokens[:, 0]  # (batch, width)
        else:
            pooled = tokens[:, self.encoder.n_before :].mean(dim=1)  # (batch, width)
        scores: Tensor = self.head(self.norm(pooled))
        return scores


def _drop_branches(blocks: nn.ModuleList, share: float) -> None:
    """Let images skip the branches of a block, more of them the higher it stands.

    In training only; what is left is scaled up, so that the mean stays. The draws are torch's
    own, which `survey_tools.mae.finetune.fine_tune` seeds.

    References
    ----------
    .. [1] Huang et al., Deep networks with stochastic depth, arXiv:1603.09382, equations 4, 5.
    """
    for i, block in enumerate(blocks):
        dropped = share * i / max(len(blocks) - 1, 1)
        if dropped and isinstance(block, Block):
            for branch in (block.attention, block.mlp):
                branch.register_forward_hook(_dropper(dropped))


def _dropper(dropped: float) -> Callable[[nn.Module, object, Tensor], Tensor]:
    def drop(branch: nn.Module, _inputs: object, tokens: Tensor) -> Tensor:
        if not branch.training:
            return tokens
        shape = (len(tokens), 1, 1)
        is_kept = torch.rand(shape, device=tokens.device) >= dropped  # (batch, 1, 1)
        return tokens * is_kept / (1.0 - dropped)

    return drop


def mix_images(
    images: Tensor,
    targets: Tensor,
    *,
    mixup: float,
    cutmix: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another: blended whole, or a rectangle of it cut in.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    targets : Tensor, shape (batch, n_classes)
        Shares of the classes.
    mixup, cutmix : float
        Parameters of the beta distribution of the share; with both, one is chosen at random.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    images, targets : Tensor
        Of the shapes that came; the targets are mixed by the share of the image that is left.

    References
    ----------
    .. [1] Zhang et al., mixup, arXiv:1710.09412, section 2.
    .. [2] Yun et al., CutMix, arXiv:1905.04899, equations 1 and 2.
    """
    if not mixup and not cutmix:
        return images, targets
    chance = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    is_blend = bool(mixup) and (not cutmix or chance[0] < 0.5)
    share = _draw_share(mixup if is_blend else cutmix, generator)
    order = torch.randperm(len(images), generator=generator).to(images.device)
    if is_blend:
        mixed = share * images + (1.0 - share) * images[order]
    else:
        height, width = images.shape[2:]
        side = (1.0 - share) ** 0.5
        centre = (int(chance[1] * height), int(chance[2] * width))
        top, left = (
            max(0, c - round(s * side / 2)) for c, s in zip(centre, (height, width), strict=True)
        )
        bottom = min(height, centre[0] + round(height * side / 2))
        right = min(width, centre[1] + round(width * side / 2))
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[order, :, top:bottom, left:right]
        share = 1.0 - (bottom - top) * (right - left) / (height * width)
    return mixed, share * targets + (1.0 - share) * targets[order]


def _draw_share(parameter: float, generator: torch.Generator) -> float:
    """Draw from beta(a, a) by two gamma variables."""
    shape = torch.full((2,), parameter, dtype=torch.float64)
    first, second = torch._standard_gamma(shape, generator=generator).tolist()
    return first / (first + second) if first + second > 0 else 0.5


def spread_labels(labels: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """Turn labels into shares of the classes, a part of them spread evenly.

    Parameters
    ----------
    labels : Tensor of int64, shape (batch,)

    Returns
    -------
    Tensor of float32, shape (batch, n_classes)

    References
    ----------
    .. [1] Szegedy et al., arXiv:1512.00567, section 7.
    """
    one_hot = functional.one_hot(labels, n_classes).float()  # (batch, n_classes)
    return (1.0 - smoothing) * one_hot + smoothing / n_classes
