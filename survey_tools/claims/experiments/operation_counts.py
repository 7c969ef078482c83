"""Operation counts: what an encoder of visible patches saves, counted from the shapes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from survey_tools.claims.estimate import count_exactly
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
from survey_tools.claims.experiments.checks import check_ratios
from survey_tools.mae.config import ModelConfig, named_config
from survey_tools.mae.operations import compare_operations, count_operations

__all__ = ["EXPERIMENT"]

_DEFAULTS = {
    "sizes": ["base", "large", "huge"],
    "mask_ratio": 0.75,
    "mask_ratios": [0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9],
    "decoder_depth": 8,
}


def _statistics(parameters: Parameters) -> list[str]:
    names = []
    for size in parameters["sizes"]:
        config = replace(named_config(size), decoder_depth=parameters["decoder_depth"])
        check_ratios([parameters["mask_ratio"]], config=config)
        check_ratios(parameters["mask_ratios"], n_least=2, config=config)
        names += [
            f"encoder ratio, {size}",
            f"whole ratio, {size}",
            f"decoder share, {size}",
            f"cost of the decoder's depth over one block, {size}",
            f"greatest change of cost from one ratio to the next, {size}",
        ]
    return names


def _count(parameters: Parameters, _seed: int) -> Outcome:
    """Count a size at every mask ratio; the seed changes nothing."""
    config = replace(
        ModelConfig.from_dict(parameters["model"]),
        mask_ratio=parameters["mask_ratio"],
        decoder_depth=parameters["decoder_depth"],
    )
    encoder, whole = compare_operations(config, embed_all=True)
    here = count_operations(config, embed_all=True)
    totals = [
        count_operations(replace(config, mask_ratio=ratio), embed_all=True).total
        for ratio in parameters["mask_ratios"]
    ]
    every = count_operations(config, n_encoded=config.n_patches, embed_all=True)
    shallow = count_operations(replace(config, decoder_depth=1), embed_all=True)
    return {
        "encoder": encoder,
        "depth_cost": here.total / shallow.total,
        "whole": whole,
        "decoder_share": (here.bridge + here.decoder + here.head) / here.total,
        "totals": totals,
        "all_patches": every.total,
    }


_KIND = TrialKind(name="operation counts", version=2, run=_count, needs_torch=False)


def _trial(parameters: Parameters, size: str) -> Trial:
    kept = {name: value for name, value in parameters.items() if name != "sizes"}
    kept["mask_ratios"] = sorted(kept["mask_ratios"])
    return Trial.of(_KIND, {**kept, "model": named_config(size).to_dict()}, seed=0)


def _plan(parameters: Parameters, _size: Size, _seeds: Sequence[int]) -> list[Trial]:
    return [_trial(parameters, size) for size in parameters["sizes"]]


def _summarise(
    parameters: Parameters, _size: Size, _seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    estimates, rows = [], []
    ratios = sorted(parameters["mask_ratios"])
    for size in parameters["sizes"]:
        found = outcomes[_trial(parameters, size)]
        totals = found["totals"]
        relative = [total / found["all_patches"] for total in totals]
        steps = [b - a for a, b in pairwise(relative)]
        estimates += [
            count_exactly(f"encoder ratio, {size}", found["encoder"], unit="times"),
            count_exactly(f"whole ratio, {size}", found["whole"], unit="times"),
            count_exactly(f"decoder share, {size}", found["decoder_share"]),
            count_exactly(
                f"cost of the decoder's depth over one block, {size}",
                found["depth_cost"],
                unit="times",
            ),
            count_exactly(
                f"greatest change of cost from one ratio to the next, {size}",
                max(steps, default=0.0),
            ),
        ]
        for ratio, total, share in zip(ratios, totals, relative, strict=True):
            rows.append((size, ratio, total, share))
    table = FindingTable(
        name="operations",
        title="Multiply-adds of one forward pass for one image",
        columns=("size", "mask_ratio", "multiply_adds", "share_of_all_patches"),
        rows=tuple(rows),
    )
    return Findings(estimates=tuple(estimates), tables=(table,))


EXPERIMENT = Experiment(
    name="operation counts",
    title="multiply-adds counted from the shapes of the network",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
