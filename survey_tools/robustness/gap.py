"""The gap statistic: dispersion within clusters against corpora without structure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survey_tools.errors import ParameterError

__all__ = ["GapStatistic", "compute_gap_statistic"]

_TIED = 1e-9  # as for other choices of a number of clusters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GapStatistic:
    """How much smaller the dispersion within clusters is than without structure.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (n_numbers,)
        Rising.
    log_dispersion : ndarray of float, shape (n_numbers,)
        ln W, observed; NaN where the number of clusters is impossible.
    expected : ndarray of float, shape (n_numbers,)
        Mean ln W of the reference corpora.
    gaps : ndarray of float, shape (n_numbers,)
        Expected less observed.
    standard_errors : ndarray of float, shape (n_numbers,)
        s: standard deviation of the references' ln W (over B, not B - 1) times
        sqrt(1 + 1 / B).
    n_references : ndarray of int, shape (n_numbers,)
        B: reference corpora that have a value; where fewer than 2, there is no gap.
    chosen : int or None
        The smallest number of clusters k whose gap is at least that of the next number less
        its standard error; the last number if there is none; None if no gap is defined.
    is_open : bool
        Whether no number fulfilled the rule, so that the last was chosen: more clusters than
        were tried may be better, or the tree has no scale of its own.
    chosen_by_maximum : int or None
        Number with the greatest gap, of equal ones the fewest.
    """

    n_clusters: NDArray[np.intp]
    log_dispersion: NDArray[np.float64]
    expected: NDArray[np.float64]
    gaps: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    n_references: NDArray[np.intp]
    chosen: int | None
    is_open: bool
    chosen_by_maximum: int | None


def compute_gap_statistic(
    n_clusters: ArrayLike, log_dispersion: ArrayLike, references: ArrayLike
) -> GapStatistic:
    """Compare the dispersion within clusters with that in reference corpora, and choose.

    Numbers of clusters without a gap are passed over: the next number is the next that has
    one. R's cluster::clusGap divides the variance by B - 1 instead of B, so its standard errors
    are greater by sqrt(B / (B - 1)); its ln W is less by ln 2 on both sides.

    Parameters
    ----------
    n_clusters : array of int, shape (n_numbers,)
        Rising, from 1 on; without 1 the answer "no clusters" is impossible.
    log_dispersion : array of float, shape (n_numbers,)
        ln W of the survey, see `cut_curves.measure_log_dispersion`; NaN where there is none.
    references : array of float, shape (B, n_numbers)
        The same of corpora without structure, 2 or more.

    Raises
    ------
    ParameterError
        If shapes do not fit, numbers do not rise from 1 on, or there are fewer than 2
        references.

    References
    ----------
    .. [1] Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via
       the gap statistic", JRSS B 63 (2001), 411-423, section 4.
    """
    numbers = np.asarray(n_clusters, dtype=np.intp)
    observed = np.array(log_dispersion, dtype=np.float64)
    nulls = np.asarray(references, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or numbers[0] < 1 or (np.diff(numbers) <= 0).any():
        raise ParameterError("numbers of clusters rise from 1 on, in one row")
    if observed.shape != numbers.shape or nulls.shape != (len(nulls), len(numbers)):
        raise ParameterError(
            f"{len(numbers)} numbers of clusters need as many dispersions, of the survey and of "
            f"each reference; shapes {observed.shape} and {nulls.shape} arrived"
        )
    if len(nulls) < 2:
        raise ParameterError(f"a gap needs 2 reference corpora or more; {len(nulls)} arrived")
    observed[~np.isfinite(observed)] = np.nan
    is_known = np.isfinite(nulls)
    n_references = is_known.sum(axis=0)
    expected, errors = np.full((2, len(numbers)), np.nan)
    for i in np.flatnonzero(n_references >= 2):
        values = nulls[is_known[:, i], i]
        expected[i] = values.mean()
        errors[i] = values.std() * np.sqrt(1.0 + 1.0 / len(values))
    gaps = expected - observed
    has_gap = np.flatnonzero(np.isfinite(gaps))
    best = chosen = None
    is_open = False
    if len(has_gap):
        known = gaps[has_gap]
        best = int(numbers[has_gap][np.flatnonzero(known >= known.max() - _TIED)[0]])
        stops = np.flatnonzero(known[:-1] >= known[1:] - errors[has_gap][1:])
        is_open = not len(stops)
        chosen = int(numbers[has_gap][-1 if is_open else stops[0]])
    return GapStatistic(
        n_clusters=numbers,
        log_dispersion=observed,
        expected=expected,
        gaps=gaps,
        standard_errors=errors,
        n_references=n_references,
        chosen=chosen,
        is_open=is_open,
        chosen_by_maximum=best,
    )
