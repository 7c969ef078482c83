"""Parameters in groups, the optimiser of a recipe, and the learning rate of a step."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError
from survey_tools.mae.recipe import Recipe

__all__ = [
    "Lars",
    "Schedule",
    "build_optimiser",
    "decays",
    "group_parameters",
    "layer_of",
    "set_rate",
]

_SCALE = "scale"  # key of a group: its rate over the rate of the step
_TRUST = 0.001  # You et al., arXiv:1708.03888, section 5: the trust coefficient of LARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rates: a line up to the peak, then half a cosine.

    Attributes
    ----------
    n_steps, n_warmup : int
        Of the training, and of its first part.
    peak, least : float

    References
    ----------
    .. [1] Loshchilov and Hutter, SGDR, arXiv:1608.03983, equation 5; Goyal et al.,
       arXiv:1706.02677, section 2.2 (warm-up).
    """

    n_steps: int
    n_warmup: int
    peak: float
    least: float

    @classmethod
    def of(cls, recipe: Recipe, steps_per_epoch: int) -> "Schedule":
        """Count the steps of a recipe on data with so many steps an epoch."""
        n_steps, n_warmup = recipe.count_steps(steps_per_epoch)
        return cls(
            n_steps=n_steps, n_warmup=n_warmup, peak=recipe.peak_rate, least=recipe.least_rate
        )

    def rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0.

        Step i of n in the warm-up has (i + 1) / n of the peak, so that no step is without
        effect; the step after it has the peak.
        """
        if step < self.n_warmup:
            return self.peak * (step + 1) / self.n_warmup
        share = (step - self.n_warmup) / (self.n_steps - self.n_warmup)
        return self.least + (self.peak - self.least) * 0.5 * (1.0 + math.cos(math.pi * share))


def decays(name: str, parameter: Tensor) -> bool:
    """Say whether a parameter has weight decay: weight matrices, but no tokens or positions."""
    parts = name.split(".")
    is_place = any("position" in part for part in parts)
    return parameter.ndim >= 2 and not is_place and not parts[-1].endswith("token")


def layer_of(name: str, n_blocks: int) -> int:
    """Return the layer of a parameter of an encoder with a head.

    Embedding, cls token and positions are layer 0, block i is layer i + 1, and what stands after
    the blocks (last norm, head) is layer n_blocks + 1.
    """
    parts = name.split(".")
    if "blocks" in parts:
        return int(parts[parts.index("blocks") + 1]) + 1
    is_first = any(part in ("embed", "cls_token", "positions") for part in parts)
    return 0 if is_first else n_blocks + 1


def group_parameters(
    named: Iterable[tuple[str, nn.Parameter]],
    *,
    weight_decay: float,
    layer_decay: float = 1.0,
    n_blocks: int = 0,
) -> list[dict[str, Any]]:
    """Group parameters by weight decay and, for fine-tuning, by layer.

    Parameters that need no gradient (a teacher's, a frozen encoder's) are left out.

    Parameters
    ----------
    layer_decay : float
        A layer's rate over that of the layer above; 1 makes no layers.
    n_blocks : int
        Of the encoder, where layers are made.

    Returns
    -------
    list of dict
        With "params", "weight_decay" and "scale", the group's rate over that of the step.

    Raises
    ------
    ParameterError
        If no parameter is to be trained.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        decay = weight_decay if decays(name, parameter) else 0.0
        height = n_blocks + 1 - layer_of(name, n_blocks) if layer_decay != 1.0 else 0
        groups.setdefault((decay, layer_decay**height), []).append(parameter)
    if not groups:
        raise ParameterError("no parameter needs a gradient, so there is nothing to train")
    return [
        {"params": parameters, "weight_decay": decay, _SCALE: scale}
        for (decay, scale), parameters in groups.items()
    ]


def build_optimiser(groups: list[dict[str, Any]], recipe: Recipe) -> "torch.optim.AdamW | Lars":
    """Build AdamW, all parameters in one call where torch can (CPU and CUDA), or LARS."""
    if recipe.optimiser == "lars":
        return Lars(groups, momentum=recipe.betas[0])
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return torch.optim.AdamW(
        groups, lr=recipe.peak_rate, betas=recipe.betas, fused=devices <= {"cpu", "cuda"}
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of a step in all groups, each by its scale."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group[_SCALE]


class Lars(torch.optim.Optimizer):
    """Gradient descent with momentum whose rate follows the size of each weight matrix.

    A weight matrix moves by rate times 0.001 |w| / |g + decay w| along g + decay w; biases and
    norms by the rate alone.

    References
    ----------
    .. [1] You, Gitman and Ginsburg, "Large batch training of convolutional networks",
       arXiv:1708.03888, algorithm 1.
    """

    def __init__(self, groups: list[dict[str, Any]], *, momentum: float) -> None:
        super().__init__(groups, {"lr": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all parameters once."""
        assert closure is None, "the gradients are computed before"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                move = parameter.grad.add(parameter, alpha=group["weight_decay"])
                if parameter.ndim >= 2:
                    size, length = parameter.norm(), move.norm()
                    is_zero = (size == 0) | (length == 0)
                    move = move * torch.where(is_zero, 1.0, _TRUST * size / length)
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].mul_(group["momentum"]).add_(move)
                parameter.add_(state["momentum"], alpha=-group["lr"])
