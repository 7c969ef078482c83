"""The variance that levels of two or more factors make together, from some combinations."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from survey_tools.robustness.variance_shares import CodedRuns

__all__ = ["are_totals_whole", "even_out", "measure_lines", "measure_pairs"]

Floats = NDArray[np.float64]

_N_ROUNDS = 20  # of fitting: margins of holed grids are then even to within a percent
_HEAVIEST = 10.0  # weight, in runs, to which a run of a rare level is raised at most
_LONELY = 0.8  # lines for each run; about this many if 2/5 of a grid of two levels were run


def are_totals_whole(runs: CodedRuns) -> bool:
    """Whether total shares hold all orders: along each factor enough runs differ in it alone."""
    return runs.share_run > 0.0 and all(
        _find_lines(runs, i).max() + 1 <= _LONELY * runs.n_runs
        for i, n in enumerate(runs.n_levels)
        if n > 1
    )


def measure_pairs(runs: CodedRuns, weights: Floats, own: Floats, residuals: Floats) -> Floats:
    """Measure the variance of the interactions of pairs, shape (n_rows, n_pairs).

    The kernel of a pair is the product of those of its factors: 1 for two runs of one level,
    -1 / (n_levels - 1) for others. The sum of its products with those of residuals, over pairs
    of different runs, is divided by the sum of its squares. ``own`` weights what is taken off for
    products of a run with itself; all shapes are (n_rows, n_runs).
    """
    once = np.ones(runs.n_runs)
    own_products, own_squares = (own * residuals**2).sum(axis=1), own.sum(axis=1)
    pairs = np.zeros((len(weights), len(runs.pairs)))
    for place, (i, j) in enumerate(runs.pairs):
        n_i, n_j = runs.n_levels[i], runs.n_levels[j]
        if n_i == 1 or n_j == 1:
            continue
        cells = runs.codes[:, i] * n_j + runs.codes[:, j]
        members = csr_array((once, (cells, range(runs.n_runs))), shape=(n_i * n_j, runs.n_runs))
        table = np.asarray(members @ (weights * residuals).T).reshape(n_i, n_j, -1)
        table -= table.mean(axis=0)
        table -= table.mean(axis=1)[:, None]
        products = (table**2).sum(axis=(0, 1)) * n_i * n_j / ((n_i - 1) * (n_j - 1))
        mass = np.asarray(members @ weights.T).reshape(n_i, n_j, -1)
        apart_i, apart_j = (n_i - 1.0) ** -2, (n_j - 1.0) ** -2  # squared kernels of two levels
        squares = (
            (1.0 - apart_i) * (1.0 - apart_j) * (mass**2).sum(axis=(0, 1))
            + (1.0 - apart_i) * apart_j * (mass.sum(axis=1) ** 2).sum(axis=0)
            + apart_i * (1.0 - apart_j) * (mass.sum(axis=0) ** 2).sum(axis=0)
            + apart_i * apart_j * mass.sum(axis=(0, 1)) ** 2
        )
        pairs[:, place] = (products - own_products) / (squares - own_squares)
    return pairs


def measure_lines(runs: CodedRuns, weights: Floats, means: tuple[Floats, ...]) -> Floats:
    """Measure the variance along each factor, all others fixed, beyond its main effect.

    Two runs of a line were both run in the square of the share run; weights vary the more.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_factors)
    """
    errors = np.broadcast_to(runs.response, weights.shape).copy()  # (n_rows, n_runs)
    for codes, mean in zip(runs.codes.T, means, strict=True):
        errors -= (mean - mean.mean(axis=1, keepdims=True))[:, codes]
    weights = 1.0 + np.sqrt(1.0 + runs.share_run) * (weights - 1.0)
    along = np.zeros((len(weights), len(runs.n_levels)))
    for i in (i for i, n in enumerate(runs.n_levels) if n > 1):
        lines = _find_lines(runs, i)
        members = csr_array((np.ones(runs.n_runs), (lines, np.arange(runs.n_runs))))
        sizes = members @ weights.T  # (n_lines, n_rows)
        middles = (members @ (weights * errors).T) / sizes
        squares = (weights * (errors - middles[lines].T) ** 2).sum(axis=1)
        spare = (sizes - (members @ (weights**2).T) / sizes).sum(axis=0)
        along[:, i] = squares / spare * (1.0 - 1.0 / runs.n_levels[i])
    return along


def even_out(runs: CodedRuns) -> Floats:
    """Weight the runs so that the levels of every factor weigh alike, shape (n_runs,).

    Iterative proportional fitting; runs of a level of which nearly all failed stay below
    `_HEAVIEST`, or chance in a few of them would be all there is.
    """
    evened = np.ones(runs.n_runs)
    for _ in range(_N_ROUNDS):
        for codes, n in zip(runs.codes.T, runs.n_levels, strict=True):
            evened *= (runs.n_runs / n / np.bincount(codes, evened, n))[codes]
            np.minimum(evened, _HEAVIEST, out=evened)
    return evened


def _find_lines(runs: CodedRuns, factor: int) -> NDArray[np.intp]:
    """Find the line of each run: equal if runs differ in one factor alone, shape (n_runs,)."""
    others = np.delete(runs.codes, factor, axis=1)
    return np.asarray(np.unique(others, axis=0, return_inverse=True)[1])
