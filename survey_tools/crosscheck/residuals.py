"""Counts of clusters x labels -> what chance would put there, and how far the counts are off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.crosscheck.axes import AxisCrosscheck

__all__ = ["STRIKING", "Residuals", "measure_residuals"]

# Adjusted residuals beyond this are marked: 1 of 370 standard normal values is, and
# Agresti (Categorical Data Analysis, 3rd ed., 2013, section 3.3.1) calls 2 or 3 a clear lack of
# fit, 3 where the table has many cells.
STRIKING = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residuals:
    """Counts against independence; rows and columns as in the contingency table.

    Attributes
    ----------
    expected : ndarray of float, shape (n_clusters, n_columns)
        Papers of a cluster that would carry a label if labels knew nothing of clusters.
    adjusted : ndarray of float, shape (n_clusters, n_columns)
        Count less expected in its standard deviations, about standard normal by chance;
        0 where the totals leave no choice.
    """

    expected: NDArray[np.float64]
    adjusted: NDArray[np.float64]


def measure_residuals(axis: AxisCrosscheck) -> Residuals:
    """Hold the counts of every cluster and label against independence.

    A column is read as a table of two: papers with the label, papers without. So a paper with
    several labels counts once in each column, and cluster sizes are those of papers.

    References
    ----------
    .. [1] Haberman, "The analysis of residuals in cross-classified tables", Biometrics 29
       (1973), 205-220.
    """
    sizes = axis.cluster_sizes.astype(np.float64)[:, None]  # (n_clusters, 1)
    totals = axis.contingency.sum(axis=0, dtype=np.float64)[None, :]  # (1, n_columns)
    n_papers = sizes.sum()
    expected = sizes * totals / n_papers  # (n_clusters, n_columns)
    variance = expected * (1.0 - sizes / n_papers) * (1.0 - totals / n_papers)
    has_choice = (sizes < n_papers) & (totals < n_papers) & (expected > 0)
    adjusted = np.zeros_like(expected)
    off = axis.contingency - expected
    np.divide(off, np.sqrt(variance), out=adjusted, where=has_choice)
    return Residuals(expected=expected, adjusted=adjusted)
