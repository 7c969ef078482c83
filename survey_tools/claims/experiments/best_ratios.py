"""Best ratios: at which mask ratio each task is done best."""

from collections.abc import Sequence
from itertools import permutations

from survey_tools.claims.estimate import estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcomes,
    Parameters,
    Size,
    Trial,
)
from survey_tools.claims.experiments.pretraining import (
    FACTORS,
    gather_scores,
    list_scores,
    plan_trial,
)
from survey_tools.claims.experiments.variants import parse_variant
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError

__all__ = ["EXPERIMENT"]

_DEFAULTS = {"data": "shapes", "method": "mae", "mask_ratios": [0.25, 0.5, 0.75, 0.9]}


def _variants(parameters: Parameters) -> dict[float, str]:
    ratios = sorted(parameters["mask_ratios"])
    if len(set(ratios)) < 2 or len(set(ratios)) < len(ratios):
        raise ParameterError(f"mask_ratios {ratios}: two different ones or more are wanted")
    if parameters["data"] not in FACTORS:
        raise ParameterError(
            f"data {parameters['data']!r}: {nearest(parameters['data'], list(FACTORS))}"
        )
    # 0.75 is the methods' own ratio, so that these trials are those of other claims
    method = parameters["method"]
    return {r: method if r == 0.75 else f"{method} mask_ratio={r:g}" for r in ratios}


def _statistics(parameters: Parameters) -> list[str]:
    ratios = list(_variants(parameters))
    scores = list_scores(parameters["data"])
    names = [f"best ratio: {score}" for score in scores]
    names += [f"best ratio: {s} less {t}" for s, t in permutations(scores, 2)]
    names += [f"{score}: {a:g} less {b:g}" for a, b in permutations(ratios, 2) for score in scores]
    return names


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [
        plan_trial(parse_variant(variant), parameters["data"], size, seed)
        for seed in seeds
        for variant in _variants(parameters).values()
    ]


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    variants, data = _variants(parameters), parameters["data"]
    found = gather_scores(list(variants.values()), data, size, seeds, outcomes)
    scores = list_scores(data)
    of = {ratio: found[variant] for ratio, variant in variants.items()}
    best = {
        score: [max(of, key=lambda ratio: of[ratio][score][i]) for i in range(len(seeds))]
        for score in scores
    }
    estimates = [estimate_mean(f"best ratio: {score}", best[score]) for score in scores]
    estimates += [
        estimate_mean(
            f"best ratio: {s} less {t}", (a - b for a, b in zip(best[s], best[t], strict=True))
        )
        for s, t in permutations(scores, 2)
    ]
    estimates += [
        estimate_mean(
            f"{score}: {a:g} less {b:g}",
            (x - y for x, y in zip(of[a][score], of[b][score], strict=True)),
        )
        for a, b in permutations(variants, 2)
        for score in scores
    ]
    rows = []
    for score in scores:
        for ratio in variants:
            mean = estimate_mean(score, of[ratio][score])
            rows.append((score, ratio, mean.value, mean.low, mean.high, mean.n))
    table = FindingTable(
        name="ratio-curve",
        title=f"Scores by mask ratio on test images of {data}",
        columns=("score", "mask_ratio", "mean", "low", "high", "n_seeds"),
        rows=tuple(rows),
    )
    return Findings(estimates=tuple(estimates), tables=(table,))


EXPERIMENT = Experiment(
    name="best ratios",
    title="probes of encoders trained at several mask ratios, task by task",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
