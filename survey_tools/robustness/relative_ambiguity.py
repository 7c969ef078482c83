"""Ambiguity of the consensus against that of corpora without structure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survey_tools.errors import ParameterError
from survey_tools.robustness.ambiguity import Ambiguity, choose_largest

__all__ = ["RelativeAmbiguity", "compare_with_nulls"]

_TIED = 1e-9  # logarithms that agree so far are equal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RelativeAmbiguity:
    """PAC against that of corpora without structure.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (n_numbers,)
    null_pac : ndarray of float, shape (n_numbers,)
        Mean over the null corpora.
    relative_pac : ndarray of float, shape (n_numbers,)
        ln(mean PAC of the null corpora / PAC): above 0 where there is less ambiguity than
        without structure. M3C calls it the relative cluster stability index.
    p_values : ndarray of float, shape (n_numbers,)
        At each number by itself: share of PAC values at most as great, the observed one
        counted, (1 + n) / (1 + N).
    p_value : float
        For the greatest relative PAC over all numbers, against the greatest of each null
        corpus; NaN if nothing can be compared.
    n_nulls : int
        Null corpora that have a PAC at some number.
    chosen : int or None
        Number of clusters with the greatest relative PAC, of equal ones the fewest.
    """

    n_clusters: NDArray[np.intp]
    null_pac: NDArray[np.float64]
    relative_pac: NDArray[np.float64]
    p_values: NDArray[np.float64]
    p_value: float
    n_nulls: int
    chosen: int | None


def compare_with_nulls(ambiguity: Ambiguity, null_pac: ArrayLike) -> RelativeAmbiguity:
    """Compare PAC with that of corpora without structure, at every number of clusters.

    PAC depends on how many runs there are, so null corpora need as many as the survey's own
    corpus. A PAC of 0 has no logarithm and counts as half a pair. The p-value over all numbers
    treats the survey and the null corpora alike: each one's greatest ln(mean over all of them
    / its PAC).

    Parameters
    ----------
    null_pac : array of float, shape (n_nulls, n_numbers)
        NaN where a null corpus has none.

    Raises
    ------
    ParameterError
        If there is no null corpus, the numbers of clusters are not as many, or a PAC is not
        0 to 1.

    References
    ----------
    .. [1] John et al., "M3C: Monte Carlo reference-based consensus clustering", Scientific
       Reports 10 (2020), 1816; the natural logarithm as in the R package M3C.
    """
    nulls = np.asarray(null_pac, dtype=np.float64)
    n_numbers = len(ambiguity.n_clusters)
    if nulls.ndim != 2 or nulls.shape[1] != n_numbers or not len(nulls):
        raise ParameterError(
            f"PAC of null corpora has the shape (n_nulls, {n_numbers}), n_nulls from 1 on; "
            f"{nulls.shape} arrived"
        )
    is_known = np.isfinite(nulls)
    if ((nulls[is_known] < 0) | (nulls[is_known] > 1)).any():
        raise ParameterError("a PAC of a null corpus is not between 0 and 1")
    least = 0.5 / max(ambiguity.n_pairs, 1)
    is_comparable = np.isfinite(ambiguity.pac) & is_known.any(axis=0)
    null_mean, relative, p_values = np.full((3, n_numbers), np.nan)
    highest = np.full(1 + len(nulls), -np.inf)  # the survey's own first
    for i in np.flatnonzero(is_comparable):
        values = np.concatenate([ambiguity.pac[i : i + 1], nulls[:, i]])
        null_mean[i] = values[1:][is_known[:, i]].mean()
        relative[i] = np.log(max(null_mean[i], least) / max(values[0], least))
        is_here = np.isfinite(values)
        here = values[is_here]
        p_values[i] = (here <= here[0]).sum() / len(here)
        gains = np.log(max(here.mean(), least) / np.maximum(here, least))
        highest[is_here] = np.maximum(highest[is_here], gains)
    as_high = highest[np.isfinite(highest)] >= highest[0] - _TIED
    return RelativeAmbiguity(
        n_clusters=ambiguity.n_clusters,
        null_pac=null_mean,
        relative_pac=relative,
        p_values=p_values,
        p_value=float(as_high.mean()) if is_comparable.any() else np.nan,
        n_nulls=int(is_known.any(axis=1).sum()),
        chosen=choose_largest(ambiguity.n_clusters, relative),
    )
