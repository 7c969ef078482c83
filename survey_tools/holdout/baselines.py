"""Baselines in the same folds: three ways to guess, and the nearest cluster."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.clusters import SilhouetteOfCuts
from survey_tools.cuts import cut, cut_by_settings, cut_by_silhouette, find_finest_cut
from survey_tools.distances import PairDistances
from survey_tools.errors import ParameterError
from survey_tools.holdout.space import TermSpace
from survey_tools.linkage.routes import build_tree, choose_distances
from survey_tools.partition import Partition
from survey_tools.rows import analyse_latent_semantics, normalise_rows
from survey_tools.settings import ClusteringSettings, CutSettings
from survey_tools.text import Counts, Features
from survey_tools.tree import Tree

__all__ = ["GUESSES", "Guess", "NearestCluster", "cluster_papers", "guess"]

Guess = Literal["most frequent", "stratified random", "every label"]
GUESSES: tuple[Guess, ...] = ("most frequent", "stratified random", "every label")


def guess(how: Guess, members: NDArray[np.bool_], *, is_exclusive: bool) -> NDArray[np.float64]:
    """Return the share of times that each label is given to a paper, whatever its text.

    ``most frequent`` gives a label that most training papers carry (of exclusive labels the
    most frequent one), ``stratified random`` gives a label as often as they carry it, by lot;
    ``every label`` gives all, which of all guesses has the greatest expected F1 [1]_ and is
    no guess where one label a paper is chosen.

    Parameters
    ----------
    members : ndarray of bool, shape (n_training, n_labels)

    Returns
    -------
    ndarray of float64, shape (n_labels,)

    References
    ----------
    .. [1] Lipton, Elkan and Naryanaswamy, arXiv:1402.1892, theorem 2.
    """
    share = members.mean(axis=0)
    if how == "stratified random":
        return np.asarray(share)
    if how == "every label":
        return np.ones(len(share))
    if is_exclusive:
        return np.asarray(np.arange(len(share)) == share.argmax(), dtype=np.float64)
    return np.asarray(share > 0.5, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearestCluster:
    """Clusters of training papers by which papers that were held out are labelled.

    Attributes
    ----------
    centroids : ndarray of float64, shape (n_clusters, n_dimensions)
        Means of the clustered rows, scaled to norm 1.
    labels : ndarray of bool, shape (n_clusters, n_labels)
        Label set of each cluster.
    fallback : ndarray of bool, shape (n_labels,)
        Label set of a paper without any known term.
    """

    centroids: NDArray[np.float64]
    labels: NDArray[np.bool_]
    fallback: NDArray[np.bool_]

    def decide(self, rows: sparse.csr_array | NDArray[np.float64]) -> NDArray[np.bool_]:
        """Give each paper the labels of the cluster with the most similar centroid, by cosine."""
        similarity = np.asarray(rows @ self.centroids.T)
        found = self.labels[similarity.argmax(axis=1)]
        is_known = np.any(similarity != 0, axis=1, keepdims=True)
        return np.where(is_known, found, self.fallback)

    @classmethod
    def from_clusters(
        cls,
        clusters: NDArray[np.intp],
        rows: sparse.csr_array | NDArray[np.float64],
        members: NDArray[np.bool_],
    ) -> "NearestCluster":
        """Give every cluster the label set that most of its papers carry.

        Of label sets equally frequent in the cluster, the one more frequent among all training
        papers is taken, then the one with the earlier labels.

        Parameters
        ----------
        clusters : ndarray of int, shape (n_training,)
            Cluster of each training paper, 0 to n_clusters - 1; -1 for none.
        """
        sets, code = np.unique(members, axis=0, return_inverse=True)
        of_all = np.bincount(code, minlength=len(sets))
        n_clusters = int(clusters.max()) + 1
        labels = np.zeros((n_clusters, members.shape[1]), dtype=np.bool_)
        centroids = np.zeros((n_clusters, rows.shape[1]))
        for cluster in range(n_clusters):
            inside = np.flatnonzero(clusters == cluster)
            in_cluster = np.bincount(code[inside], minlength=len(sets))
            labels[cluster] = sets[np.lexsort((np.arange(len(sets)), of_all, in_cluster))[-1]]
            centroids[cluster] = np.asarray(rows[inside].mean(axis=0)).ravel()
        return cls(
            centroids=normalize(centroids), labels=labels, fallback=sets[int(of_all.argmax())]
        )


def cluster_papers(
    space: TermSpace,
    rows: sparse.csr_array,
    settings: ClusteringSettings,
    *,
    seed: int,
    vectors: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Cluster training papers with the survey's own linkage and cut.

    Where the training papers are fewer than the clusters asked for, or ties or the settings
    allow no such cut, they are cut into the nearest smaller number of clusters that can be cut.

    Parameters
    ----------
    rows : csr_array of float64, shape (n_training, n_terms)
    seed : int
        Of the latent semantic analysis, as in the survey's own run.
    vectors : ndarray of float64, shape (n_training, n_dimensions), optional
        Vectors to cluster instead.

    Returns
    -------
    ndarray of int, shape (n_training,)
        Cluster of each paper; -1 for a paper without any term, which is not clustered.
    """
    codes = np.full(rows.shape[0], -1, dtype=np.intp)
    has_row = np.diff(rows.indptr) > 0 if vectors is None else vectors.any(axis=1)
    kept = np.flatnonzero(has_row)
    if len(kept) < 2:
        codes[kept] = 0
        return codes if len(kept) else np.zeros_like(codes)
    counts = Counts(
        paper_keys=tuple(space.counts.paper_keys[i] for i in kept),
        terms=space.counts.terms,
        matrix=space.counts.matrix[kept],
    )
    features = Features(counts=counts, matrix=rows[kept], settings=space.settings)
    dense = None if vectors is None else vectors[kept]
    if dense is not None and settings.metric == "cosine":
        dense = normalise_rows(dense, features.paper_keys)
    if settings.rows == "lsa":
        n_components = min(settings.n_components, *(n - 1 for n in features.matrix.shape))
        dense = analyse_latent_semantics(features, max(1, n_components), seed=seed)
    plain = settings.model_copy(update={"leaf_order": "merge"})  # the order is of no use here
    distances = choose_distances(features, plain, dense=dense)
    codes[kept] = _cut(build_tree(distances, plain), distances, plain.cut).codes
    return codes


def _cut(tree: Tree, distances: PairDistances, cutting: CutSettings) -> Partition:
    with suppress(ParameterError):
        if not cutting.silhouette:
            return cut_by_settings(tree, cutting)
        bounds = {"fewest": cutting.fewest, "most": cutting.most}
        measure = SilhouetteOfCuts(distances, find_finest_cut(tree, **bounds))
        return cut_by_silhouette(tree, measure, **bounds).partition
    for n_clusters in range(min(cutting.n_clusters or 1, tree.n_papers), 1, -1):
        with suppress(ParameterError):
            return cut(tree, n_clusters)
    return cut(tree, 1)
