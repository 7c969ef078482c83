"""Best ratios: at which mask ratio each task is done best."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import permutations

from survey_tools.claims.estimate import Estimate, FindInterval, Interval, estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcomes,
    Parameters,
    Size,
    Trial,
)
from survey_tools.claims.experiments.checks import check_ratios
from survey_tools.claims.experiments.pretraining import (
    FACTORS,
    TEST_PER_TRAIN,
    gather_scores,
    list_scores,
    plan_trial,
)
from survey_tools.claims.experiments.variants import METHODS, RANDOM, parse_variant
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError

__all__ = ["EXPERIMENT", "bound_best_ratio"]

_DEFAULTS = {"data": "shapes", "method": "mae", "mask_ratios": [0.25, 0.5, 0.75, 0.9]}

ScoresByRatio = Mapping[float, Sequence[float]]


def _variants(parameters: Parameters) -> dict[float, str]:
    ratios = sorted(parameters["mask_ratios"])
    check_ratios(ratios, n_least=2)
    for name, allowed in (("data", tuple(FACTORS)), ("method", METHODS)):
        if parameters[name] not in allowed:
            given = parameters[name]
            raise ParameterError(f"{name}={given!r} is unknown; {nearest(given, list(allowed))}")
    # 0.75 is the methods' own ratio, so that these trials are those of other claims
    method = parameters["method"]
    return {r: method if r == 0.75 else f"{method} mask_ratio={r:g}" for r in ratios}


def _statistics(parameters: Parameters) -> list[str]:
    ratios = list(_variants(parameters))
    _plan(parameters, "quick", [0])  # is refused if a model cannot have a ratio
    scores = list_scores(parameters["data"])
    names = [f"best ratio: {score}" for score in scores]
    names += [f"best ratio: {s} less {t}" for s, t in permutations(scores, 2)]
    names += [f"{score}: {ratio:g} less random" for ratio in ratios for score in scores]
    names += [f"{score}: {a:g} less {b:g}" for a, b in permutations(ratios, 2) for score in scores]
    return names


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [
        plan_trial(parse_variant(variant), parameters["data"], size, seed)
        for seed in seeds
        for variant in (*_variants(parameters).values(), RANDOM)
    ]


def bound_best_ratio(
    scores: ScoresByRatio, confidence: float, *, test_per_train: float
) -> Interval:
    """Return the least and the greatest ratio that may be the best.

    A ratio is out if another has a significantly higher mean, seed by seed. With the level of
    each comparison corrected for the number of ratios (Bonferroni), the truly best ratio is among
    those left with the probability ``confidence`` or more. Where nothing is significant all are
    left.

    Parameters
    ----------
    scores : mapping of float to sequence of float
        By ratio, one score a seed, in the same order.
    test_per_train : float
        See `survey_tools.mae.repeats.summarise_repeats`.

    References
    ----------
    .. [1] Hsu, "Simultaneous confidence intervals for all distances from the 'best'", Annals of
       Statistics 9 (1981).
    """
    one_sided = (1.0 - confidence) / (len(scores) - 1)

    def is_beaten(ratio: float) -> bool:
        for other in scores:
            gains = (x - y for x, y in zip(scores[other], scores[ratio], strict=True))
            found = estimate_mean("gain", gains, test_per_train=test_per_train)
            interval = found.interval(1.0 - 2.0 * one_sided)
            if interval is not None and interval[0] > 0.0:
                return True
        return False

    left = [ratio for ratio in scores if not is_beaten(ratio)]
    return min(left), max(left)


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    variants, data = _variants(parameters), parameters["data"]
    found = gather_scores([*variants.values(), RANDOM], data, size, seeds, outcomes)
    scores, test_per_train = list_scores(data), TEST_PER_TRAIN[data]
    by_ratio = {s: {r: found[v][s] for r, v in variants.items()} for s in scores}
    estimates = _find_best(by_ratio, test_per_train)
    pairs = [
        (f"{score}: {a:g} less {b:g}", by_ratio[score][a], by_ratio[score][b])
        for score in scores
        for a, b in permutations(variants, 2)
    ]
    pairs += [
        (f"{score}: {ratio:g} less random", by_ratio[score][ratio], found[RANDOM][score])
        for score in scores
        for ratio in variants
    ]
    estimates += [
        estimate_mean(
            name, (x - y for x, y in zip(a, b, strict=True)), test_per_train=test_per_train
        )
        for name, a, b in pairs
    ]
    rows = []
    for score in scores:
        for ratio in variants:
            mean = estimate_mean(score, by_ratio[score][ratio], test_per_train=test_per_train)
            rows.append((score, ratio, mean.value, mean.low, mean.high, mean.n))
    table = FindingTable(
        name="ratio-curve",
        title=f"Scores of {parameters['method']} by mask ratio on test images of {data}",
        columns=("score", "mask_ratio", "mean", "low", "high", "n_seeds"),
        rows=tuple(rows),
    )
    return Findings(estimates=tuple(estimates), tables=(table,))


def _find_best(by_ratio: Mapping[str, ScoresByRatio], test_per_train: float) -> list[Estimate]:
    """Estimate the best ratio of each score, and by how much those of two scores differ."""
    n_seeds = len(next(iter(next(iter(by_ratio.values())).values())))

    def best(score: str) -> float:
        return max(by_ratio[score], key=lambda ratio: sum(by_ratio[score][ratio]))

    def bound(score: str, confidence: float) -> Interval:
        return bound_best_ratio(by_ratio[score], confidence, test_per_train=test_per_train)

    def bound_difference(s: str, t: str, confidence: float) -> Interval:
        each = 1.0 - (1.0 - confidence) / 2.0  # of two bounds, both must hold
        (low_s, high_s), (low_t, high_t) = bound(s, each), bound(t, each)
        return low_s - high_t, high_s - low_t

    def estimate(name: str, value: float, interval: FindInterval) -> Estimate:
        return Estimate(name=name, value=value, n=n_seeds, is_counted=False, interval=interval)

    return [
        *(estimate(f"best ratio: {s}", best(s), partial(bound, s)) for s in by_ratio),
        *(
            estimate(
                f"best ratio: {s} less {t}", best(s) - best(t), partial(bound_difference, s, t)
            )
            for s, t in permutations(by_ratio, 2)
        ),
    ]


EXPERIMENT = Experiment(
    name="best ratios",
    title="probes of encoders trained at several mask ratios, task by task",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
