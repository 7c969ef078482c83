"""Which choice matters: the variance of a response over runs, split over the factors."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survey_tools.errors import DataError, ParameterError, count
from survey_tools.robustness.influence_record import (
    Estimate,
    FactorInfluence,
    Influence,
    InfluenceMethod,
    LevelMean,
    PairInfluence,
)
from survey_tools.robustness.interactions import are_totals_whole
from survey_tools.robustness.sampled_shares import (
    are_pairs_told,
    count_runs_needed,
    find_confounded,
    split_sample,
)
from survey_tools.robustness.variance_shares import (
    CodedRuns,
    VarianceShares,
    find_base,
    leave_unsplit,
    split_around,
    split_grid,
)

__all__ = ["measure_influence"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-12  # spread of equal responses, relative to the largest

_OF_GRID = "every combination was run once: shares are exact, without sampling error"
_OF_SAMPLE = (
    "estimated from some of the combinations, without bias by the number of levels: a share of 0 "
    "may be estimated below it"
)
_OF_SINGLE_CHANGES = (
    "each run differs from one setting in one choice: shares are of the sum of the spreads; "
    "interactions and intervals cannot be told"
)


def measure_influence(
    levels: Sequence[Sequence[str]] | NDArray[np.str_],
    response: ArrayLike,
    *,
    factor_names: Sequence[str],
    rng: np.random.Generator,
    response_name: str = "the agreement",
    n_draws: int = 300,
    confidence: float = 0.95,
) -> Influence:
    """Split the variance of a response over the factors whose levels the runs combine.

    The functional ANOVA [1]_ [2]_ over all combinations of the levels that occur, each with the
    same weight, as in [3]_. If every combination was run once it is exact (`split_grid`). If all
    runs differ from one of them in one factor at most, the spread over the levels of each factor
    is all that can be told (`split_around`). Otherwise the runs are taken as a random sample of
    the combinations (`split_sample`).

    Parameters
    ----------
    levels : array of str, shape (n_runs, n_factors)
        Level of each factor in each run; failed runs are left out. Factors that exclude levels
        of each other (Ward's linkage has one metric) are to arrive as one.
    response : array of float, shape (n_runs,)
    factor_names : sequence of str, length n_factors
    rng : numpy.random.Generator
        Source of the draws. The order of runs and factors changes nothing.
    n_draws : int
        Draws of the Bayesian bootstrap over runs; 0 leaves intervals out.
    confidence : float
        Of the percentile intervals, between 0 and 1.

    Returns
    -------
    Influence
        With NaN for shares, method "none" and the reason as note if all responses are equal,
        there are too few runs for the levels, or factors cannot be told apart.

    Raises
    ------
    ParameterError
        If shapes do not fit, a factor is named twice, or an option is out of range.
    DataError
        If there is no run, or a response is not a finite number.

    References
    ----------
    .. [1] Hoeffding, "A class of statistics with asymptotically normal distribution", Annals of
       Mathematical Statistics 19 (1948), 293-325.
    .. [2] Sobol', "Global sensitivity indices for nonlinear mathematical models and their Monte
       Carlo estimates", Mathematics and Computers in Simulation 55 (2001), 271-280.
    .. [3] Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter
       importance", ICML 2014.
    """
    if n_draws < 0 or not 0.0 < confidence < 1.0:
        raise ParameterError(
            f"n_draws {n_draws} and confidence {confidence} arrived; n_draws is at least 0, "
            "confidence between 0 and 1"
        )
    table, values = _check(levels, response, factor_names)
    places = sorted(range(len(factor_names)), key=lambda i: factor_names[i])
    names = [factor_names[i] for i in places]
    coded = [np.unique(table[:, i], return_inverse=True) for i in places]
    order = np.lexsort((values, *(codes for _, codes in reversed(coded))))
    runs = CodedRuns(
        codes=np.column_stack([codes for _, codes in coded])[order],
        n_levels=tuple(len(found) for found, _ in coded),
        response=values[order],
    )
    method, note, shares = _split(runs, names, rng, n_draws)

    def enclose(draws: Floats) -> Estimate:
        """Return the estimate, which is the first draw, with its interval."""
        low = high = float("nan")
        if method == "grid":
            low = high = float(draws[0])
        elif len(draws) > 1:
            tail = (1.0 - confidence) / 2.0
            low, high = (float(x) for x in np.quantile(draws[1:], [tail, 1.0 - tail]))
        return Estimate(value=float(draws[0]), low=low, high=high)

    factors = [
        FactorInfluence(
            factor=name,
            first=enclose(shares.first[:, i]),
            total=enclose(shares.total[:, i]),
            levels=_list_levels(found, np.bincount(runs.codes[:, i]), shares.means[i], enclose),
        )
        for i, (name, (found, _)) in enumerate(zip(names, coded, strict=True))
    ]
    pairs = [
        PairInfluence(factors=(names[i], names[j]), share=enclose(shares.pairs[:, place]))
        for place, (i, j) in enumerate(runs.pairs)
        if min(runs.n_levels[i], runs.n_levels[j]) > 1 and np.isfinite(shares.pairs[0, place])
    ]
    return Influence(
        response=response_name,
        method=method,
        note=note,
        n_runs=runs.n_runs,
        n_combinations=runs.n_combinations,
        variance=float(np.var(values)),
        factors=tuple(sorted(factors, key=lambda factor: -factor.first.value)),
        pairs=tuple(sorted(pairs, key=lambda pair: -pair.share.value)),
        unexplained=enclose(shares.unexplained),
        confidence=confidence,
        n_draws=len(shares.first) - 1,
    )


def _check(
    levels: Sequence[Sequence[str]] | NDArray[np.str_],
    response: ArrayLike,
    factor_names: Sequence[str],
) -> tuple[NDArray[np.str_], Floats]:
    """Return levels and responses as arrays of fitting shapes."""
    values = np.asarray(response, dtype=np.float64)
    if values.shape != (len(levels),):
        raise ParameterError(
            f"levels of {count(len(levels), 'run')} and responses of shape {values.shape} "
            "arrived; give one response for each run"
        )
    if not values.size:
        raise DataError("0 runs arrived; which choice matters needs runs that did not fail")
    if wrong := [len(row) for row in levels if len(row) != len(factor_names)]:
        raise ParameterError(
            f"{count(len(wrong), 'run')} with {wrong[0]} levels arrived for "
            f"{count(len(factor_names), 'factor')}; give each run a level of every factor"
        )
    if not factor_names or len(set(factor_names)) < len(factor_names):
        raise ParameterError(
            f"factors {', '.join(factor_names) or 'without any name'} arrived; name at least one, "
            "each once"
        )
    if n_lost := int(np.count_nonzero(~np.isfinite(values))):
        raise DataError(
            f"{n_lost} of {values.size:,} responses are not finite; leave failed runs out"
        )
    return np.asarray(levels, dtype=np.str_), values


def _split(
    runs: CodedRuns, names: Sequence[str], rng: np.random.Generator, n_draws: int
) -> tuple[InfluenceMethod, str, VarianceShares]:
    """Split the variance by the best method that the runs allow; say which, and what it tells."""
    if runs.n_runs == 1:
        reason = f"there is one run, of {runs.response[0]:.3g}"
    elif _is_constant(runs):
        reason = f"it is {runs.response[0]:.3g} in all {runs.n_runs:,} runs"
    elif runs.share_run == 1.0:
        return "grid", _OF_GRID, split_grid(runs)
    elif (base := find_base(runs)) is not None:
        return "one at a time", _OF_SINGLE_CHANGES, split_around(runs, base)
    elif runs.n_runs < (n_needed := count_runs_needed(runs)):
        reason = (
            f"{count(runs.n_runs, 'run')} cannot tell {count(runs.n_effects, 'effect')} of levels "
            f"and mean; run at least {n_needed}"
        )
    elif confounded := find_confounded(runs):
        reason = (
            f"in these runs the levels of {' and '.join(names[i] for i in confounded)} go "
            "together; make one factor of them, or run more combinations"
        )
    else:
        return "sample", _describe_sample(runs), split_sample(runs, rng, n_draws)
    return "none", reason, leave_unsplit(runs)


def _describe_sample(runs: CodedRuns) -> str:
    """Say what an estimate from these runs holds."""
    notes = [_OF_SAMPLE]
    if not are_pairs_told(runs):
        notes.append("runs are too few to tell what pairs of choices do")
    elif not are_totals_whole(runs):
        notes.append("total shares hold pairs and no higher order")
    return "; ".join(notes)


def _is_constant(runs: CodedRuns) -> bool:
    greatest = float(np.abs(runs.response).max())
    return float(np.ptp(runs.response)) <= _ROUNDING * greatest


def _list_levels(
    found: NDArray[np.str_],
    n_runs: NDArray[np.intp],
    means: Floats,
    enclose: Callable[[Floats], Estimate],
) -> tuple[LevelMean, ...]:
    """List the levels of a factor by falling mean."""
    levels = [
        LevelMean(level=str(level), n_runs=int(n), mean=enclose(draws if n > 1 else draws[:1]))
        for level, n, draws in zip(found, n_runs, means.T, strict=True)
    ]
    return tuple(sorted(levels, key=lambda level: -level.mean.value))
