"""Encoders: several ways to make one, compared by what their features tell."""

from collections.abc import Mapping, Sequence
from itertools import permutations

from survey_tools.claims.estimate import Estimate, estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcomes,
    Parameters,
    PictureGrid,
    Size,
    Trial,
)
from survey_tools.claims.experiments.pretraining import (
    FACTORS,
    TEST_PER_TRAIN,
    gather_scores,
    list_scores,
    plan_trial,
    raise_above_chance,
)
from survey_tools.claims.experiments.reconstructions import (
    plan_reconstruction,
    show_reconstruction,
)
from survey_tools.claims.experiments.variants import parse_variant
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError

__all__ = ["EXPERIMENT"]

_DEFAULTS = {"data": "digits", "variants": ["mae", "random"], "reconstruct": False}


def _check(parameters: Parameters) -> None:
    data, variants = parameters["data"], parameters["variants"]
    if data not in FACTORS:
        raise ParameterError(f"data {data!r}: {nearest(data, list(FACTORS))}")
    if len(set(variants)) < len(variants):
        raise ParameterError(f"variants {list(variants)} name one twice")
    for variant in variants:
        plan_trial(parse_variant(variant), data, "quick", 0)  # is refused if it cannot be built


def _pairs_of_factors(data: str) -> list[tuple[str, str]]:
    """Pair the scores that linear models reach, for differences of what lies above chance."""
    return list(permutations([s for s in list_scores(data) if not s.startswith("k-NN")], 2))


def _statistics(parameters: Parameters) -> list[str]:
    """Name the scores, their differences, and the differences of differences."""
    _check(parameters)
    data, variants = parameters["data"], parameters["variants"]
    names = [f"{score}: {variant}" for variant in variants for score in list_scores(data)]
    for a, b in permutations(variants, 2):
        names += [f"{score}: {a} less {b}" for score in list_scores(data)]
        names += [f"{s} less {t}: {a} less {b}" for s, t in _pairs_of_factors(data)]
    return names


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    _check(parameters)
    data = parameters["data"]
    trials = [
        plan_trial(parse_variant(variant), data, size, seed)
        for seed in seeds
        for variant in parameters["variants"]
    ]
    if parameters["reconstruct"]:
        trials.append(plan_reconstruction(data, size, seeds[0]))
    return trials


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    data, variants = parameters["data"], list(parameters["variants"])
    found = gather_scores(variants, data, size, seeds, outcomes)
    estimates: list[Estimate] = []
    rows = []
    test_per_train = TEST_PER_TRAIN[data]
    for variant in variants:
        for score in list_scores(data):
            name, values = f"{score}: {variant}", found[variant][score]
            mean = estimate_mean(name, values, test_per_train=test_per_train)
            estimates.append(mean)
            rows.append((variant, score, mean.value, mean.low, mean.high, mean.n))
    for a, b in permutations(variants, 2):
        gain = {
            score: [x - y for x, y in zip(found[a][score], found[b][score], strict=True)]
            for score in list_scores(data)
        }
        estimates += [
            estimate_mean(f"{s}: {a} less {b}", values, test_per_train=test_per_train)
            for s, values in gain.items()
        ]
        above = {score: _raise_gains(score, found, (a, b), data) for score in list_scores(data)}
        estimates += [
            estimate_mean(
                f"{s} less {t}: {a} less {b}",
                (x - y for x, y in zip(above[s], above[t], strict=True)),
                test_per_train=test_per_train,
            )
            for s, t in _pairs_of_factors(data)
        ]
    table = FindingTable(
        name="scores",
        title=f"Scores on test images of {data}: share right (linear, k-NN) or explained (R2)",
        columns=("encoder", "score", "mean", "low", "high", "n_seeds"),
        rows=tuple(rows),
    )
    pictures: tuple[PictureGrid, ...] = ()
    if parameters["reconstruct"]:
        trial = plan_reconstruction(data, size, seeds[0])
        pictures = (show_reconstruction(trial, outcomes[trial]),)
    return Findings(estimates=tuple(estimates), tables=(table,), pictures=pictures)


def _raise_gains(
    score: str, found: Mapping[str, Mapping[str, Sequence[float]]], pair: tuple[str, str], data: str
) -> list[float]:
    """Return how much one variant is above another by seed, as shares of what is above chance."""
    first, second = (
        [raise_above_chance(score, value, data) for value in found[variant][score]]
        for variant in pair
    )
    return [x - y for x, y in zip(first, second, strict=True)]


EXPERIMENT = Experiment(
    name="encoders",
    title="probes of encoders that differ in one thing, on the same images with the same seeds",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
