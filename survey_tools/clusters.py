"""What each flat cluster is about: top terms, representative papers, silhouette."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import xlogy

from survey_tools.distances import PairDistances
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.text import Features

__all__ = ["Cluster", "SilhouetteOfCuts", "TermScore", "describe_clusters", "score_terms"]

TermScore = Literal["mean-weight", "class-tf-idf", "log-likelihood"]
_ZERO = 1e-12  # distances up to this are rounding noise, as in a matrix of 12 decimals
_SCORES: tuple[TermScore, ...] = ("mean-weight", "class-tf-idf", "log-likelihood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A flat cluster with its description.

    Attributes
    ----------
    name : str
        ``C1``, ``C2``, … in leaf order.
    paper_keys : tuple of str
        The medoid (smallest mean distance to the cluster's papers) first, then by
        growing mean distance; ties by key.
    silhouette : float or None
        Mean silhouette of its papers, -1 to 1; None if there is only one cluster or
        every paper is its own.
    silhouette_of : mapping of str to float
        Silhouette of each paper; 0 for the paper of a cluster of one.
    top_terms : mapping of TermScore to tuple of (term, score)
        Best first.
    """

    name: str
    paper_keys: tuple[str, ...]
    silhouette: float | None
    silhouette_of: Mapping[str, float]
    top_terms: Mapping[TermScore, tuple[tuple[str, float], ...]]

    @property
    def medoid(self) -> str:
        """Key of the most central paper."""
        return self.paper_keys[0]

    @property
    def size(self) -> int:
        """Number of papers."""
        return len(self.paper_keys)


def describe_clusters(
    features: Features, distances: PairDistances, partition: Partition, *, n_terms: int = 10
) -> tuple[Cluster, ...]:
    """Describe every cluster by its terms, its central papers and its silhouette.

    Features, distances and partition must hold the same papers in the same order.

    Raises
    ------
    ParameterError
        If they do not.

    References
    ----------
    .. [1] Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20 (1987), 53-65.
    """
    if not features.paper_keys == distances.paper_keys == partition.paper_keys:
        raise ParameterError("features, distances and partition hold different papers or orders")
    sums = distances.sum_to_groups(partition.codes)
    has_silhouette = 1 < partition.n_groups < partition.n_papers
    silhouettes = _silhouettes(sums, partition)
    scores = {score: score_terms(features, partition, score) for score in _SCORES}
    clusters = []
    for code, name in enumerate(partition.group_names):
        members = np.flatnonzero(partition.codes == code)
        mean_distance = sums[members, code] / len(members)
        member_keys = [partition.paper_keys[i] for i in members]
        order = members[np.lexsort((member_keys, np.round(mean_distance, 12)))]
        keys = tuple(partition.paper_keys[i] for i in order)
        clusters.append(
            Cluster(
                name=name,
                paper_keys=keys,
                silhouette=float(silhouettes[members].mean()) if has_silhouette else None,
                silhouette_of={partition.paper_keys[i]: float(silhouettes[i]) for i in order},
                top_terms={
                    score: _best(features.terms, matrix[code], n_terms)
                    for score, matrix in scores.items()
                },
            )
        )
    return tuple(clusters)


def _silhouettes(sums: NDArray[np.float64], partition: Partition) -> NDArray[np.float64]:
    """Silhouette of every paper from its summed distances to each group; 0 where alone."""
    n, n_groups = sums.shape
    if n_groups < 2:
        return np.zeros(n)
    rows = np.arange(n)
    size = partition.sizes[partition.codes]
    inside = sums[rows, partition.codes] / np.maximum(size - 1, 1)
    means = sums / partition.sizes
    means[rows, partition.codes] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    found = np.divide(outside - inside, larger, out=np.zeros(n), where=larger > _ZERO)
    return np.where(size > 1, found, 0.0)


class SilhouetteOfCuts:
    """Mean silhouette of cuts of one tree, from one pass over all distances.

    Cuts of a tree are nested: the sums to coarse clusters are sums over the finest ones.

    Parameters
    ----------
    finest : Partition
        Every partition measured later joins groups of this one.
    """

    def __init__(self, distances: PairDistances, finest: Partition) -> None:
        if distances.paper_keys != finest.paper_keys:
            raise ParameterError("distances and partition hold different papers or orders")
        self._finest = finest
        self._sums = distances.sum_to_groups(finest.codes)

    def __call__(self, partition: Partition) -> float:
        """Return the mean silhouette of all papers, -1 to 1.

        Raises
        ------
        ParameterError
            If the partition does not join groups of the finest one.
        """
        if partition.paper_keys != self._finest.paper_keys:
            raise ParameterError("the partition holds other papers, or in another order")
        coarse = np.empty(self._finest.n_groups, dtype=np.intp)
        coarse[self._finest.codes] = partition.codes
        if not np.array_equal(coarse[self._finest.codes], partition.codes):
            raise ParameterError("the partition splits a group of the finest one")
        sums = np.zeros((partition.n_papers, partition.n_groups))
        for group, code in enumerate(coarse):
            sums[:, code] += self._sums[:, group]
        return float(_silhouettes(sums, partition).mean())


def score_terms(features: Features, partition: Partition, score: TermScore) -> NDArray[np.float64]:
    """Score how typical every term is of every cluster.

    ``mean-weight``: mean feature weight over the cluster's papers. ``class-tf-idf``:
    the term's share of the cluster's term occurrences times ln(1 + mean occurrences per
    cluster / occurrences of the term) [1]_. ``log-likelihood``: Dunning's G2 of the
    term's occurrences inside against outside the cluster, negative where the term is
    rarer inside [2]_.

    Returns
    -------
    ndarray of float64, shape (n_clusters, n_terms)

    References
    ----------
    .. [1] Grootendorst, "BERTopic", arXiv:2203.05794, equation 2.
    .. [2] Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence",
       Computational Linguistics 19 (1993), 61-74.
    """
    n_papers = partition.n_papers
    membership = sparse.csr_array(
        (np.ones(n_papers), (partition.codes, np.arange(n_papers))),
        shape=(partition.n_groups, n_papers),
    )
    if score == "mean-weight":
        return np.asarray((membership @ features.matrix).toarray() / partition.sizes[:, None])
    inside = (membership @ features.counts.matrix).toarray()  # (n_clusters, n_terms)
    in_cluster = inside.sum(axis=1, keepdims=True)
    of_term = inside.sum(axis=0, keepdims=True)
    total = inside.sum()
    if score == "class-tf-idf":
        return np.asarray(inside / in_cluster * np.log1p(total / len(inside) / of_term))
    elsewhere, others = of_term - inside, in_cluster - inside
    observed = (inside, elsewhere, others, total - inside - elsewhere - others)
    expected = (
        in_cluster * of_term / total,
        (total - in_cluster) * of_term / total,
        in_cluster * (total - of_term) / total,
        (total - in_cluster) * (total - of_term) / total,
    )
    terms = (
        xlogy(seen, np.divide(seen, due, out=np.ones_like(inside), where=due > 0))
        for seen, due in zip(observed, expected, strict=True)
    )
    g2 = 2.0 * np.maximum(sum(terms), 0.0)
    return np.asarray(np.where(inside >= expected[0], g2, -g2))


def _best(
    terms: NDArray[np.object_], scores: NDArray[np.float64], n_terms: int
) -> tuple[tuple[str, float], ...]:
    """Pick the highest positive scores; ties go to the alphabetically first term."""
    order = np.argsort(-np.round(scores, 12), kind="stable")[:n_terms]
    return tuple((str(terms[i]), float(scores[i])) for i in order if scores[i] > 0)
