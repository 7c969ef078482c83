"""How long a training step takes, beside the operations that it needs by count."""

import statistics
import time
from dataclasses import dataclass

import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import FIRST_WEIGHTS, MASKS, keyed_generator
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.execution import autocast, compile_blocks
from survey_tools.mae.methods import Method, build_method
from survey_tools.mae.operations import count_operations
from survey_tools.mae.optimising import build_optimiser, group_parameters
from survey_tools.mae.recipe import Recipe
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["StepTime", "time_steps"]

_OPERATIONS_A_STEP = 6  # two for a multiply-add, forward once and backward twice as much
_SYMMETRIC = ("simmim", "maskfeat", "tokens", "latents")  # the encoder computes all patches


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """A training step: forward, backward and optimiser.

    Attributes
    ----------
    seconds : float
        Median over steps.
    batch_size : int
    operations : int
        Floating-point operations of the step by count: matrix products, forward and backward.
    """

    seconds: float
    batch_size: int
    operations: int

    @property
    def steps_per_s(self) -> float:
        """Steps a second."""
        return 1.0 / self.seconds

    @property
    def images_per_s(self) -> float:
        """Images a second."""
        return self.batch_size / self.seconds

    @property
    def gflop_per_s(self) -> float:
        """Thousand millions of counted operations a second."""
        return self.operations / self.seconds / 1e9


def time_steps(
    method_name: str,
    config: ModelConfig,
    recipe: Recipe,
    *,
    n_steps: int = 10,
    n_warm: int = 2,
    device: torch.device | str = "cpu",
    progress: CountProgress = ignore_progress,
) -> StepTime:
    """Time training steps on images of random numbers.

    Of MAE, masked patches are predicted alone, as in training; of the methods with mask tokens
    in the encoder, which have a linear head, a teacher's forward pass is not counted.

    Parameters
    ----------
    n_steps, n_warm : int
        Steps that are timed, and steps before them.

    Raises
    ------
    ParameterError
        If there are no steps to time, or the method is not known.
    """
    if n_steps < 1 or n_warm < 0:
        raise ParameterError(f"n_steps={n_steps}, n_warm={n_warm}: 1 and 0 or more are wanted")
    device = torch.device(device)
    generator = keyed_generator(recipe.seed, FIRST_WEIGHTS)
    method = build_method(method_name, config, generator=generator).to(device)
    shape = (recipe.batch_size, config.n_channels, *config.image_size)
    images = torch.randn(shape, generator=generator).to(device)
    method.prepare(images, generator=keyed_generator(recipe.seed, MASKS, device=device))
    if recipe.compiled:
        compile_blocks(method)
    optimiser = build_optimiser(
        group_parameters(method.named_parameters(), weight_decay=recipe.weight_decay), recipe
    )
    seconds = []
    for step in range(n_warm + n_steps):
        masks = keyed_generator(recipe.seed, MASKS, step, device=device)
        began = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with autocast(recipe, device):
            result = method(images, generator=masks)
        result.loss.backward()
        optimiser.step()
        method.after_step(progress=step / (n_warm + n_steps))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
        progress(step + 1, n_warm + n_steps)
    return StepTime(
        seconds=statistics.median(seconds[n_warm:]),
        batch_size=recipe.batch_size,
        operations=_OPERATIONS_A_STEP * recipe.batch_size * _count(method, config),
    )


def _count(method: Method, config: ModelConfig) -> int:
    """Count the multiply-adds of a forward pass for one image."""
    if method.name not in _SYMMETRIC:
        return count_operations(config, only_masked=True).total
    counted = count_operations(config, n_encoded=config.n_patches)
    n_masked = config.n_patches - config.n_kept
    head = getattr(method, "head", None)
    n_outputs = head.out_features if isinstance(head, torch.nn.Linear) else 0
    return counted.patch_embedding + counted.encoder + n_masked * config.encoder_width * n_outputs
