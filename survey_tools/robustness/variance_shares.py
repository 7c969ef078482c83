"""Levels of factors x response of runs -> shares of the variance, and draws of them."""

from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CodedRuns",
    "VarianceShares",
    "find_base",
    "leave_unsplit",
    "split_around",
    "split_grid",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodedRuns:
    """Runs, each a combination of one level of every factor, and their responses.

    Attributes
    ----------
    codes : ndarray of int, shape (n_runs, n_factors)
        Level of each factor; every level of ``n_levels`` occurs.
    n_levels : tuple of int, length n_factors
    response : ndarray of float64, shape (n_runs,)
    """

    codes: NDArray[np.intp]
    n_levels: tuple[int, ...]
    response: Floats

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return len(self.response)

    @property
    def n_combinations(self) -> int:
        """Number of combinations of levels, run or not."""
        return prod(self.n_levels)

    @property
    def n_effects(self) -> int:
        """Number of free main effects, and one for the mean."""
        return 1 + sum(n - 1 for n in self.n_levels)

    @property
    def share_run(self) -> float:
        """Share of the combinations that were run; 0 if a combination was run more than once."""
        is_repeated = len(np.unique(self.codes, axis=0)) < self.n_runs
        return 0.0 if is_repeated else self.n_runs / self.n_combinations

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of factors, in the order of `VarianceShares.pairs`."""
        return tuple(combinations(range(len(self.n_levels)), 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceShares:
    """Shares of the variance of a response; row 0 is the estimate, the others draws of it.

    Attributes
    ----------
    first, total : ndarray of float64, shape (1 + n_draws, n_factors)
    pairs : ndarray of float64, shape (1 + n_draws, n_pairs)
    unexplained : ndarray of float64, shape (1 + n_draws,)
        Of higher orders, and of noise.
    means : tuple of ndarray of float64, shape (1 + n_draws, n_levels of the factor)
        Mean response at each level.
    """

    first: Floats
    total: Floats
    pairs: Floats
    unexplained: Floats
    means: tuple[Floats, ...]


def split_grid(runs: CodedRuns) -> VarianceShares:
    """Split the variance over a complete grid, each combination run once, exactly.

    Every effect is a mean over the other factors of the tensor of responses, less the effects
    within it [1]_; the total share of a factor is one less the share that remains when the
    tensor is averaged over it [2]_.

    References
    ----------
    .. [1] Hoeffding, "A class of statistics with asymptotically normal distribution", Annals of
       Mathematical Statistics 19 (1948), 293-325.
    .. [2] Saltelli et al., "Variance based sensitivity analysis of model output", Computer
       Physics Communications 181 (2010), 259-270.
    """
    tensor = np.empty(runs.n_levels)
    tensor[tuple(runs.codes.T)] = runs.response
    mean = tensor.mean()
    tensor -= mean
    axes = range(tensor.ndim)

    def average(kept: tuple[int, ...]) -> Floats:
        return np.asarray(tensor.mean(axis=tuple(axis for axis in axes if axis not in kept)))

    variance = np.mean(tensor**2)
    effects = [average((i,)) for i in axes]
    first = np.array([np.mean(effect**2) for effect in effects]) / variance
    total = 1.0 - np.array([np.mean(tensor.mean(axis=i) ** 2) for i in axes]) / variance
    both = np.array([np.mean(average(pair) ** 2) for pair in runs.pairs]) / variance
    pairs = both - [first[i] + first[j] for i, j in runs.pairs] if runs.pairs else both
    return VarianceShares(
        first=first[None],
        total=total[None],
        pairs=pairs[None],
        unexplained=np.array([1.0 - first.sum() - pairs.sum()]),
        means=tuple(mean + effect[None] for effect in effects),
    )


def find_base(runs: CodedRuns) -> int | None:
    """Find the run from which each other differs in one factor at most.

    None if there is none, or a single factor varies: its runs tell all there is.
    """
    n_varied = sum(n > 1 for n in runs.n_levels)
    if n_varied > 1 and len(np.unique(runs.codes, axis=0)) <= runs.n_effects:
        for place, base in enumerate(runs.codes):
            if (np.count_nonzero(runs.codes != base, axis=1) <= 1).all():
                return place
    return None


def split_around(runs: CodedRuns, base: int) -> VarianceShares:
    """Split the variance of runs that differ from a base in one factor at most.

    The variance over the levels of each factor, all others at the base, as a share of the sum
    of these variances. Interactions cannot be told: there are no pairs, and totals are NaN.
    """
    differs = runs.codes != runs.codes[base]
    means = []
    for i, n in enumerate(runs.n_levels):
        alone = ~np.delete(differs, i, axis=1).any(axis=1)
        codes, values = runs.codes[alone, i], runs.response[alone]
        means.append(np.bincount(codes, values, n) / np.bincount(codes, minlength=n))
    spread = np.array([np.var(mean) for mean in means])
    return VarianceShares(
        first=(spread / max(spread.sum(), np.finfo(np.float64).tiny))[None],
        total=np.full((1, len(means)), np.nan),
        pairs=np.full((1, len(runs.pairs)), np.nan),
        unexplained=np.array([np.nan]),
        means=tuple(mean[None] for mean in means),
    )


def leave_unsplit(runs: CodedRuns) -> VarianceShares:
    """Return NaN for every share, and the means of the responses at each level as they arrived."""
    unknown = np.full((1, len(runs.n_levels)), np.nan)
    return VarianceShares(
        first=unknown,
        total=unknown,
        pairs=np.full((1, len(runs.pairs)), np.nan),
        unexplained=np.array([np.nan]),
        means=tuple(
            (np.bincount(codes, runs.response, n) / np.bincount(codes, minlength=n))[None]
            for codes, n in zip(runs.codes.T, runs.n_levels, strict=True)
        ),
    )
