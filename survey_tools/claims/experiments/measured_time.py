"""Measured time: a training step with visible patches alone against one with all patches."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from survey_tools.claims.estimate import count_exactly, estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.mae.config import named_config
from survey_tools.mae.operations import count_operations

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["EXPERIMENT"]

_DEFAULTS = {
    "size": "tiny32",
    "batch_size": 64,
    "mask_ratios": [0.25, 0.5, 0.75, 0.9],
}
_ROUNDS = {"quick": 5, "full": 15}  # of each round all settings are timed in turn


def _statistics(parameters: Parameters) -> list[str]:
    names = ["greatest change of time from one ratio to the next"]
    for ratio in parameters["mask_ratios"]:
        names += [f"time ratio at {ratio:g}", f"counted ratio at {ratio:g}"]
        names += [f"measured over counted at {ratio:g}"]
    return names


def _measure(parameters: Parameters, seed: int) -> Outcome:
    """Time forward and backward passes by process time on one thread, rounds interleaved."""
    from survey_tools.mae.threads import one_thread

    with one_thread():
        return _time_rounds(parameters, seed)


def _time_rounds(parameters: Parameters, seed: int) -> Outcome:
    import torch

    from survey_tools.mae.masking import sample_uniform
    from survey_tools.mae.model import MaskedAutoencoder, pixel_targets
    from survey_tools.mae.patches import patchify

    generator = torch.Generator().manual_seed(seed)
    config = named_config(parameters["size"])
    model = MaskedAutoencoder(config, generator=generator)
    shape = (parameters["batch_size"], config.n_channels, *config.image_size)
    images = torch.randn(shape, generator=generator)
    token = torch.zeros(config.encoder_width, requires_grad=True)

    def step_on_visible(ratio: float) -> "Tensor":
        mask = sample_uniform(len(images), config.n_patches, ratio, generator=generator)
        loss: Tensor = model(images, mask).loss
        return loss

    def step_on_all(ratio: float) -> "Tensor":
        """Mask tokens in the encoder, then the same decoder and loss."""
        mask = sample_uniform(len(images), config.n_patches, ratio, generator=generator)
        patches = patchify(images, config.patch_size)  # (batch, n_patches, values)
        encoded = model.encoder.forward_with_mask_tokens(patches, mask, token)
        ordered = _reorder(encoded, mask, model.encoder.n_before)
        tokens = model.decoder.embed(ordered) + model.decoder.positions(None)
        for block in model.decoder.blocks[:-1]:
            tokens = block(tokens)
        tokens = model.decoder.blocks[-1](tokens, mask.masked.shape[1])
        guess = model.decoder.head(model.decoder.norm(tokens))
        index = mask.masked[:, :, None].expand(-1, -1, patches.shape[2])
        target = pixel_targets(patches.gather(1, index), norm_pix=config.norm_pix)
        return torch.nn.functional.mse_loss(guess, target)

    times: dict[str, list[float]] = {"all": []}
    ratios = sorted(parameters["mask_ratios"])
    times |= {f"{ratio:g}": [] for ratio in ratios}
    middle = 0.75
    for i in range(parameters["n_rounds"] + 1):
        taken = {"all": _time_step(step_on_all, middle)}
        taken |= {f"{ratio:g}": _time_step(step_on_visible, ratio) for ratio in ratios}
        if i:  # the first round only warms up
            for name, seconds in taken.items():
                times[name].append(seconds)
    return {"times_s": times, "n_rounds": parameters["n_rounds"]}


def _reorder(encoded: "Tensor", mask: object, n_before: int) -> "Tensor":
    """Bring the masked places to the end, where the decoder expects them."""
    import torch

    from survey_tools.mae.masking import Mask

    assert isinstance(mask, Mask)
    first = torch.arange(n_before).expand(len(encoded), -1)  # (batch, n_before)
    order = torch.cat([first, n_before + mask.visible, n_before + mask.masked], dim=1)
    return encoded.gather(1, order[:, :, None].expand(-1, -1, encoded.shape[2]))


def _time_step(step: "Callable[[float], Tensor]", ratio: float) -> float:
    began = time.process_time()
    step(ratio).backward()  # type: ignore[no-untyped-call]
    return time.process_time() - began


_KIND = TrialKind(name="measured time", version=1, run=_measure, needs_torch=True, is_timing=True)


def _trial(parameters: Parameters, size: Size, seed: int) -> Trial:
    chosen = {**parameters, "mask_ratios": sorted(parameters["mask_ratios"])}
    return Trial.of(_KIND, {**chosen, "n_rounds": _ROUNDS[size]}, seed)


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [_trial(parameters, size, seed) for seed in seeds]


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    import numpy as np

    config = named_config(parameters["size"])
    ratios = sorted(parameters["mask_ratios"])
    medians = []
    for seed in seeds:
        times = outcomes[_trial(parameters, size, seed)]["times_s"]
        medians.append({name: float(np.median(seconds)) for name, seconds in times.items()})
    every = count_operations(config, n_encoded=config.n_patches, only_masked=True).total
    estimates, rows = [], []
    for ratio in ratios:
        counted = (
            every / count_operations(replace(config, mask_ratio=ratio), only_masked=True).total
        )
        measured = [taken["all"] / taken[f"{ratio:g}"] for taken in medians]
        at = estimate_mean(f"time ratio at {ratio:g}", measured, unit="times")
        estimates += [
            at,
            count_exactly(f"counted ratio at {ratio:g}", counted, unit="times"),
            estimate_mean(f"measured over counted at {ratio:g}", [m / counted for m in measured]),
        ]
        rows.append((ratio, counted, at.value, at.low, at.high))
    steps = [
        max((taken[f"{b:g}"] - taken[f"{a:g}"]) / taken["all"] for a, b in pairwise(ratios))
        for taken in medians
    ]
    estimates.append(estimate_mean("greatest change of time from one ratio to the next", steps))
    table = FindingTable(
        name="times",
        title="Times as long with mask tokens in the encoder as with visible patches alone",
        columns=("mask_ratio", "counted", "measured", "low", "high"),
        rows=tuple(rows),
    )
    note = (
        f"forward and backward pass of {parameters['size']}, batch {parameters['batch_size']}, "
        f"process time on one thread, medians of {_ROUNDS[size]} interleaved rounds; the numbers "
        "are of the machine that measured them"
    )
    return Findings(estimates=tuple(estimates), tables=(table,), notes=(note,))


EXPERIMENT = Experiment(
    name="measured time",
    title="time of a training step, visible patches alone against all patches in the encoder",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
