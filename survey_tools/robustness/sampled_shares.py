"""Shares of the variance over all combinations of levels, estimated from some of them."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from survey_tools.robustness.interactions import (
    are_totals_whole,
    even_out,
    measure_lines,
    measure_pairs,
)
from survey_tools.robustness.variance_shares import CodedRuns, VarianceShares

__all__ = [
    "are_pairs_told",
    "count_runs_needed",
    "find_confounded",
    "split_sample",
]

Floats = NDArray[np.float64]

_SMALLEST = 1e-8  # of what rounding leaves of a 0: an eigenvalue, one less a leverage
_SPARE = 1.0  # further runs for each effect; with fewer, intervals of main effects are too short
_SPARE_FOR_PAIRS = 3.0  # with 1.2, totals of factors without effect were 0.02 to 0.08 on average


def count_runs_needed(runs: CodedRuns) -> int:
    """Count the runs that main effects need: two for each effect, one if nearly all were run."""
    return runs.n_effects + max(1, ceil(_SPARE * (1.0 - runs.share_run) * runs.n_effects))


def are_pairs_told(runs: CodedRuns) -> bool:
    """Whether runs are enough for pairs: four for each effect, one if nearly all were run."""
    spare = runs.n_runs - runs.n_effects
    return spare >= _SPARE_FOR_PAIRS * (1.0 - runs.share_run) * runs.n_effects


def split_sample(runs: CodedRuns, rng: np.random.Generator, n_draws: int) -> VarianceShares:
    """Estimate the split of the variance over all combinations from some of them.

    Runs are weighted so that the levels of every factor weigh alike though runs of some failed.
    Main effects are fitted by least squares, so that levels are compared like with like. The
    variance of fitted effects exceeds that of true ones, the more the more levels there are;
    the excess is estimated from the residuals [1]_ [2]_ and taken off. The variance of the
    interaction of a pair is the mean over pairs of *different* runs of the product of their
    residuals, each predicted without its own run, times a kernel to which no other effect
    contributes. Both are unbiased whatever the number of levels, so that a share of 0 is
    estimated below 0 about as often as above; cutting it at 0 would bias it upwards [3]_. The
    excess shrinks with the share of the combinations that were run, so that first-order shares
    and pairs of a complete grid are those of `split_grid`. (A ridge of all pairs, its strength
    chosen by generalised cross-validation or restricted likelihood, was tried: in most
    simulations of 200 to 600 runs it lost 0.05 to 0.4 of total shares of 0.2 to 0.7.)

    A total share is the first-order share and those of the factor's pairs: what three or more
    factors do together is left out. If many runs differ in the factor alone, as in a grid with
    holes, it is the variance along the factor, all others fixed [5]_, and holds all orders.
    Pairs, and totals that rest on them, are NaN if there are fewer than about four runs for each
    effect.

    Holes that lie together rather than at random shift shares by more than intervals show: by
    0.01 to 0.05 where a twentieth to a fifth of a grid lacked; and a pair's share of 0.5 came
    out as 0.35 where nine of ten runs failed that had either of two levels (simulated).

    Draws weight the runs by independent exponential variables, the Bayesian bootstrap [4]_: no
    weight is 0, so that no level vanishes. The weights vary less, the larger the share of the
    combinations that were run.

    Parameters
    ----------
    runs : CodedRuns
        At least `count_runs_needed`, and no effect that is a sum of others.
    n_draws : int
        0 gives the estimate alone.

    References
    ----------
    .. [1] MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix estimators
       with improved finite sample properties", Journal of Econometrics 29 (1985), 305-325: HC2.
    .. [2] Kline, Saggio and Sølvsten, "Leave-out estimation of variance components",
       Econometrica 88 (2020), 1859-1898.
    .. [3] Okada, "Negative estimate of variance-accounted-for effect size", Behavior Research
       Methods 49 (2017), 979-987.
    .. [4] Rubin, "The Bayesian bootstrap", Annals of Statistics 9 (1981), 130-134.
    .. [5] Jansen, "Analysis of variance designs for model output", Computer Physics
       Communications 117 (1999), 35-43.
    """
    share_run = runs.share_run
    drawn = rng.standard_exponential((n_draws, runs.n_runs))
    weights = np.vstack([np.ones(runs.n_runs), 1.0 + np.sqrt(1.0 - share_run) * (drawn - 1.0)])
    evened = even_out(runs)
    own = evened**2 * (weights**2 - share_run)  # (1 + n_draws, n_runs), of each run with itself
    main, rest, means, residuals = _fit_main_effects(runs, weights * evened, own)
    variance = main.sum(axis=1) + rest
    first = main / variance[:, None]
    pairs = np.full((len(weights), len(runs.pairs)), np.nan)
    total, unexplained = np.full_like(first, np.nan), 1.0 - first.sum(axis=1)
    if are_pairs_told(runs):
        pairs = measure_pairs(runs, weights * evened, own, residuals) / variance[:, None]
        total = first.copy()
        for place, pair in enumerate(runs.pairs):
            total[:, pair] += pairs[:, place, None]
        unexplained -= pairs.sum(axis=1)
    if are_totals_whole(runs):
        total = first + measure_lines(runs, weights, means) / variance[:, None]
    return VarianceShares(
        first=first, total=total, pairs=pairs, unexplained=unexplained, means=means
    )


def find_confounded(runs: CodedRuns) -> tuple[int, ...]:
    """Find the factors whose main effects no run tells apart; none if all can be told."""
    columns, blocks, _ = _contrast(runs)
    values, vectors = np.linalg.eigh(columns.T @ columns / runs.n_runs)
    lost = (vectors[:, values < _SMALLEST] ** 2).sum(axis=1)
    return tuple(i for i, block in enumerate(blocks) if lost[block].sum() > _SMALLEST)


def _fit_main_effects(
    runs: CodedRuns, weights: Floats, own: Floats
) -> tuple[Floats, Floats, tuple[Floats, ...], Floats]:
    """Fit main effects for each row of weights, of runs and of each run with itself.

    Returns
    -------
    main : ndarray of float64, shape (n_rows, n_factors)
        Variance of each main effect over its levels, the excess taken off.
    rest : ndarray of float64, shape (n_rows,)
        Variance that main effects do not explain.
    means : tuple of ndarray of float64, shape (n_rows, n_levels)
        Mean response at each level of each factor, all others averaged over their levels.
    residuals : ndarray of float64, shape (n_rows, n_runs)
        As predicted without the run itself (where all combinations were run: with it).
    """
    columns, blocks, bases = _contrast(runs)
    share_run = runs.share_run
    n_spare = runs.n_runs - columns.shape[1]
    main = np.empty((len(weights), len(blocks)))
    rest = np.empty(len(weights))
    fitted = np.empty((len(weights), columns.shape[1]))
    residuals = np.empty_like(weights)
    for row, weight in enumerate(weights):
        inverse = np.linalg.inv((columns * weight[:, None]).T @ columns)
        fitted[row] = effects = inverse @ (columns.T @ (weight * runs.response))
        errors = runs.response - columns @ effects
        reach = columns @ inverse  # (n_runs, n_effects)
        leverage = weight * np.einsum("rp,rp->r", reach, columns)
        is_alone = 1.0 - leverage < _SMALLEST
        noise = np.full(runs.n_runs, weight @ errors**2 / weight.sum() * (runs.n_runs / n_spare))
        np.divide(errors**2, 1.0 - leverage, out=noise, where=~is_alone)
        excess = (own[row] * noise) @ reach**2
        for i, block in enumerate(blocks):
            main[row, i] = effects[block] @ effects[block] - excess[block].sum()
        rest[row] = np.average(noise * (1.0 - share_run * leverage), weights=weight)
        residuals[row] = errors / np.where(is_alone, 1.0, 1.0 - (1.0 - share_run) * leverage)
    means = tuple(
        fitted[:, :1] + fitted[:, block] @ basis.T
        for block, basis in zip(blocks, bases, strict=True)
    )
    return main, rest, means, residuals


def _contrast(runs: CodedRuns) -> tuple[Floats, tuple[slice, ...], tuple[Floats, ...]]:
    """Code the levels as contrasts of mean 0 and mean square 1 over the levels.

    Returns
    -------
    columns : ndarray of float64, shape (n_runs, n_effects)
        The first is 1.
    blocks : tuple of slice
        The columns of each factor.
    bases : tuple of ndarray of float64, shape (n_levels, n_levels - 1)
        The contrasts of each factor.
    """
    bases, blocks, n_columns = [], [], 1
    for n in runs.n_levels:
        square = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0]
        bases.append(np.sqrt(n) * square[:, 1:])
        blocks.append(slice(n_columns, n_columns + n - 1))
        n_columns += n - 1
    coded = [basis[codes] for basis, codes in zip(bases, runs.codes.T, strict=True)]
    columns = np.hstack([np.ones((runs.n_runs, 1)), *coded])
    return columns, tuple(blocks), tuple(bases)
