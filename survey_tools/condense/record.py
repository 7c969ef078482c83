"""Condensed: a corpus as micro-clusters, each with its papers and its exact centroid."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.paper import TextSource
from survey_tools.settings import CondenseSettings, TextSettings

__all__ = ["Condensed", "PaperSample", "mean_rows", "measure_lost_variance"]

_ROUNDING = 1e-12  # of all squares: what rounding leaves where all rows are equal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaperSample:
    """Some papers drawn at random, with their own weighted rows.

    Attributes
    ----------
    numbers : ndarray of int, shape (n_sample,)
        Places in ``Condensed.paper_keys``, ascending.
    rows : csr_array of float64, shape (n_sample, n_terms)
    """

    numbers: NDArray[np.intp]
    rows: sparse.csr_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Condensed:
    """A corpus as micro-clusters.

    Attributes
    ----------
    paper_keys : tuple of str
        In the order of the file.
    micro_cluster_of : ndarray of int32, shape (len(paper_keys),)
        Micro-cluster of each paper; micro-clusters stand in the order of their first papers.
    n_papers : ndarray of int, shape (n_micro_clusters,)
        Papers of each, at least 1: the weights of the merging.
    centroids : csr_array of float64, shape (n_micro_clusters, n_terms)
        Mean of the weighted rows of its papers.
    terms : ndarray of str, shape (n_terms,)
    central_keys, central_titles : tuple of str, length n_micro_clusters
        The paper nearest to the micro-centre in the reduced space.
    variance_lost : float
        Share of the papers' variance (squared Euclidean distances of their rows to their mean)
        that lies inside micro-clusters, which merging can no longer see: 0 to 1.
    sample : PaperSample
        Papers on which condensed and exact clusters can be compared.
    text_sources : mapping of TextSource to int
        Papers described by abstract, by digest, or by neither.
    """

    paper_keys: tuple[str, ...]
    micro_cluster_of: NDArray[np.int32]
    n_papers: NDArray[np.intp]
    centroids: sparse.csr_array
    terms: NDArray[np.object_]
    central_keys: tuple[str, ...]
    central_titles: tuple[str, ...]
    variance_lost: float
    sample: PaperSample
    text_sources: Mapping[TextSource, int]
    text: TextSettings
    condense: CondenseSettings

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the micro-clusters: ``M1``, ``M2`` and so on."""
        return tuple(f"M{number}" for number in range(1, len(self.n_papers) + 1))


def mean_rows(sums: sparse.csr_array, sizes: NDArray[np.intp]) -> sparse.csr_array:
    """Divide sums of rows by the numbers of rows in them, shape (n_micro_clusters,)."""
    centroids = sparse.csr_array(sums, copy=True)
    centroids.data /= np.repeat(sizes, np.diff(centroids.indptr))
    return centroids


def measure_lost_variance(
    sums: sparse.csr_array, sizes: NDArray[np.intp], *, squares: float
) -> float:
    """Return the share of the variance that lies inside micro-clusters, 0 to 1.

    By the decomposition of squares: inside = all - between, each from sums alone.

    Parameters
    ----------
    sums : csr_array of float64, shape (n_micro_clusters, n_terms)
        Sum of the weighted rows of each micro-cluster's papers.
    squares : float
        Sum of all papers' squared weights.
    """
    whole = np.asarray(sums.sum(axis=0)).ravel()
    of_mean = float(whole @ whole) / int(sizes.sum())
    variance = squares - of_mean
    if variance <= _ROUNDING * squares:
        return 0.0
    between = float(sums.data @ mean_rows(sums, sizes).data) - of_mean
    return min(1.0, max(0.0, 1.0 - between / variance))
