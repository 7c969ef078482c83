"""Time of training steps at several mask ratios, beside one that computes mask tokens too."""

import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import FIRST_WEIGHTS, MASKS, keyed_generator
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods.mae import EncoderSees, MaeMethod
from survey_tools.mae.optimising import build_optimiser, group_parameters
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.threads import one_thread

__all__ = ["ALL", "time_ratios"]

ALL = "all"
"""Name of the times with mask tokens in the encoder, whose cost the mask ratio hardly changes."""


class _Stepper:
    """Trains one network on one batch of noise, a step at a time."""

    def __init__(self, config: ModelConfig, recipe: Recipe, encoder_sees: EncoderSees) -> None:
        generator = keyed_generator(recipe.seed, FIRST_WEIGHTS)
        self._method = MaeMethod(config, generator=generator, encoder_sees=encoder_sees)
        shape = (recipe.batch_size, config.n_channels, *config.image_size)
        self._images = torch.randn(shape, generator=generator)
        self._masks = keyed_generator(recipe.seed, MASKS)
        groups = group_parameters(self._method.named_parameters(), weight_decay=recipe.weight_decay)
        self._optimiser = build_optimiser(groups, recipe)

    def time_step(self) -> float:
        """Return the process time of a forward pass, a backward pass and an update, in seconds."""
        began = time.process_time()
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._method(self._images, generator=self._masks).loss
        loss.backward()
        self._optimiser.step()
        return time.process_time() - began


def time_ratios(
    config: ModelConfig,
    ratios: Sequence[float],
    *,
    batch_size: int,
    n_rounds: int,
    seed: int,
    n_warm: int = 1,
) -> dict[str, list[float]]:
    """Time training steps by process time on one thread; in each round all ratios in turn.

    Parameters
    ----------
    config : ModelConfig
        Its own mask ratio is that of the network with mask tokens in the encoder.
    ratios : sequence of float
        Of networks whose encoder sees visible patches alone.
    n_rounds, n_warm : int
        Rounds that are timed, and rounds before them.

    Returns
    -------
    dict of str to list of float
        Seconds of a step, one a round, by ratio (as ``f"{ratio:g}"``) and of `ALL`.

    Raises
    ------
    ParameterError
        If a ratio, the number of rounds or of images is not allowed.
    """
    if n_rounds < 1 or batch_size < 1:
        raise ParameterError(f"n_rounds={n_rounds}, batch_size={batch_size}: 1 or more are wanted")
    recipe = Recipe(data="noise", batch_size=batch_size, seed=seed)
    with one_thread():
        steppers = {ALL: _Stepper(config, recipe, "all")}
        for ratio in ratios:
            at = replace(config, mask_ratio=ratio)
            steppers[f"{ratio:g}"] = _Stepper(at, recipe, "visible")
        times: dict[str, list[float]] = {name: [] for name in steppers}
        for i in range(n_warm + n_rounds):
            for name, stepper in steppers.items():
                seconds = stepper.time_step()
                if i >= n_warm:
                    times[name].append(seconds)
    return times
