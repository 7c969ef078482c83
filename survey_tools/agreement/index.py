"""An index of agreement with its yardsticks: chance, p-value, interval.

Intervals come from half-samples of the papers without replacement. The spread of an
index over samples of n/2 out of n papers equals, to first order, its bootstrap spread;
but a bootstrap sample holds papers twice, a paper always agrees with its own copy, and
on weak agreement that alone lifts indices of pairs above the observed value.

References
----------
.. [1] Politis, Romano and Wolf, Subsampling, 1999.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError

__all__ = ["FEWEST_TO_HALVE", "Agreement", "AgreementIndex", "half_sample", "permute", "weigh"]

FEWEST_TO_HALVE = 4  # papers from which a half still has a pair
_TIE = 1e-12  # values this close are equal: they differ by the order of a sum

Statistic = Callable[[NDArray[np.intp]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementIndex:
    """One index of agreement with its yardsticks.

    Attributes
    ----------
    value : float
    chance : float or None
        Mean over random relabellings of one side.
    p_value : float or None
        Share of relabellings that agree at least as well, (1 + n_as_good) / (1 + n).
    low, high : float or None
        Interval from half-samples whose mean is shifted to ``value`` (for annotators from a
        bootstrap over papers, see `raters`); it holds the value
        and ends where the index does.
    is_distance : bool
        Whether 0 is perfect agreement and greater values are worse.
    """

    name: str
    value: float
    chance: float | None
    p_value: float | None
    low: float | None
    high: float | None
    is_distance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two sides (clusters and classes, say) agree on the same papers.

    Attributes
    ----------
    n_clusters, n_classes : int
        Groups of the two sides; inner nodes where a side is a tree.
    """

    n_papers: int
    n_clusters: int
    n_classes: int
    n_permutations: int
    n_resamples: int
    confidence: float
    indices: tuple[AgreementIndex, ...]

    def index(self, name: str) -> AgreementIndex:
        """Return an index by name.

        Raises
        ------
        ParameterError
            If there is none of this name.
        """
        for index in self.indices:
            if index.name == name:
                return index
        known = ", ".join(index.name for index in self.indices)
        raise ParameterError(f"no index {name!r}; there are {known}")


def weigh(
    name: str,
    value: float,
    *,
    by_chance: NDArray[np.float64] | None = None,
    samples: NDArray[np.float64] | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (-1.0, 1.0),
    is_distance: bool = False,
) -> AgreementIndex:
    """Hold a value against its relabellings and its half-samples.

    Parameters
    ----------
    by_chance : ndarray of float, shape (n_permutations,), optional
        The index of random relabellings.
    samples : ndarray of float, shape (n_resamples,), optional
        The index of half-samples. Undefined ones (NaN) are left out.
    bounds : pair of float
        Least and greatest value that the index can take.
    """
    chance = p_value = low = high = None
    if by_chance is not None and len(by_chance):
        chance = float(by_chance.mean())
        is_as_good = by_chance <= value + _TIE if is_distance else by_chance >= value - _TIE
        p_value = (1 + int(is_as_good.sum())) / (1 + len(by_chance))
    if samples is not None and np.isfinite(samples).any():
        samples = samples[np.isfinite(samples)]
        tail = (1.0 - confidence) / 2.0
        spread = np.quantile(samples - samples.mean(), [1.0 - tail, tail])
        low, high = (float(value - bound) for bound in spread)
        # a skewed or tiny spread must not push the interval off its own value
        low, high = min(value, max(low, bounds[0])), max(value, min(high, bounds[1]))
    return AgreementIndex(
        name=name,
        value=value,
        chance=chance,
        p_value=p_value,
        low=low,
        high=high,
        is_distance=is_distance,
    )


def permute(
    statistic: Statistic, n_papers: int, n_permutations: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Compute statistics under random relabellings, one after the other.

    Parameters
    ----------
    statistic : callable
        Takes the places of the papers of one side, shape (n_papers,), that stand against papers
        0, 1, … of the other; returns one or more values, shape (n_values,).

    Returns
    -------
    ndarray of float64, shape (n_permutations, n_values)
    """
    return np.array([statistic(rng.permutation(n_papers)) for _ in range(n_permutations)])


def half_sample(
    statistic: Statistic, n_papers: int, n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Compute statistics of random halves of the papers, one after the other.

    Parameters
    ----------
    statistic : callable
        Takes the places of the papers of a half, ascending; returns values, shape (n_values,).

    Returns
    -------
    ndarray of float64, shape (n_resamples, n_values)
    """
    n_half = n_papers // 2
    return np.array(
        [statistic(np.sort(rng.permutation(n_papers)[:n_half])) for _ in range(n_resamples)]
    )
