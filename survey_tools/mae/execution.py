"""How a step is run: batches shared among processes, autocast, compiled blocks."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from survey_tools.errors import ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.blocks import Block
from survey_tools.mae.processes import ALONE, Processes
from survey_tools.mae.recipe import Recipe

__all__ = ["autocast", "compile_blocks", "hold_gradients", "plan_batches"]


def plan_batches(recipe: Recipe, processes: Processes = ALONE) -> BatchPlan:
    """Share the batches of a recipe evenly among processes.

    Raises
    ------
    ParameterError
        If that cannot be.
    """
    size, left = divmod(recipe.batch_size, processes.n_ranks)
    if left or not size:
        raise ParameterError(
            f"a batch of {recipe.batch_size} images cannot be shared evenly among "
            f"{processes.n_ranks} processes; take a multiple"
        )
    return BatchPlan(
        batch_size=size,
        is_training=True,
        seed=recipe.seed,
        rank=processes.rank,
        n_ranks=processes.n_ranks,
    )


def compile_blocks(module: nn.Module) -> None:
    """Compile each block of a network in place; they share one compiled form for equal shapes."""
    for part in module.modules():
        if isinstance(part, Block):
            part.compile()


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a recipe's forward pass runs."""
    if recipe.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def hold_gradients(module: nn.Module, *, is_last: bool) -> AbstractContextManager[Any]:
    """Let processes exchange gradients once a step, after the last part of the batch."""
    if is_last or not isinstance(module, DistributedDataParallel):
        return nullcontext()
    context: AbstractContextManager[Any] = module.no_sync()
    return context
