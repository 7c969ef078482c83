"""Measured time: a training step with visible patches alone against one with all patches."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

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
from survey_tools.claims.experiments.checks import check_at_least, check_ratios
from survey_tools.mae.config import ModelConfig, named_config
from survey_tools.mae.operations import count_operations

__all__ = ["EXPERIMENT"]

_DEFAULTS = {
    "size": "tiny32",
    "batch_size": 64,
    "mask_ratios": [0.25, 0.5, 0.75, 0.9],
}
_ROUNDS = {"quick": 5, "full": 15}  # of each round all settings are timed in turn


def _statistics(parameters: Parameters) -> list[str]:
    check_ratios(parameters["mask_ratios"], n_least=2, config=named_config(parameters["size"]))
    check_at_least("batch_size", parameters["batch_size"], 1)
    names = ["greatest change of time from one ratio to the next"]
    for ratio in parameters["mask_ratios"]:
        names += [f"time ratio at {ratio:g}", f"counted ratio at {ratio:g}"]
        names += [f"measured over counted at {ratio:g}"]
    return names


def _measure(parameters: Parameters, seed: int) -> Outcome:
    """Time whole training steps by process time on one thread, rounds interleaved."""
    from survey_tools.mae.ratio_timing import time_ratios

    times = time_ratios(
        ModelConfig.from_dict(parameters["model"]),
        parameters["mask_ratios"],
        batch_size=parameters["batch_size"],
        n_rounds=parameters["n_rounds"],
        seed=seed,
    )
    return {"times_s": times}


_KIND = TrialKind(name="measured time", version=2, run=_measure, needs_torch=True, is_timing=True)


def _trial(parameters: Parameters, size: Size, seed: int) -> Trial:
    chosen = {
        "model": named_config(parameters["size"]).to_dict(),
        "mask_ratios": sorted(parameters["mask_ratios"]),
        "batch_size": parameters["batch_size"],
        "n_rounds": _ROUNDS[size],
    }
    return Trial.of(_KIND, chosen, seed)


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
        f"forward pass, backward pass and update of {parameters['size']}, batch "
        f"{parameters['batch_size']}, process time on one thread, medians of {_ROUNDS[size]} "
        "interleaved rounds; the numbers are of the machine that measured them"
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
