"""Micro-centres: points of the reduced space to which papers are then assigned.

Both methods are scikit-learn's and read the papers shard by shard, in the order of the file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.cluster import Birch, MiniBatchKMeans, kmeans_plusplus
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

__all__ = ["Points", "find_nearest", "fit_basis", "fit_birch", "fit_k_means", "project_rows"]

Points = NDArray[np.float32]

N_START = 3
"""Papers a micro-cluster from which k-means++ chooses the first centres: as many as
scikit-learn's MiniBatchKMeans takes (``init_size``)."""

_N_CELLS_AT_ONCE = 16_000_000  # similarities in the largest work array: 64 MB
_N_SEEDED_AT_ONCE = 1000  # centres of a group in k-means++
_N_ITERATIONS = 5  # of the randomised decomposition; the default of TruncatedSVD
_WIDER = 1.02  # BIRCH's threshold grows by so much whenever there are too many sub-clusters
_N_HALVINGS = 12  # of the interval in which BIRCH's first threshold is sought
_NEAR = 0.8, 1.0  # shares of the wanted sub-clusters between which the search ends
_BRANCHING = 50  # scikit-learn's default


def fit_basis(rows: sparse.csr_array, n_components: int, *, seed: int) -> Points:
    """Compute the basis of the reduced space: latent semantic analysis [1]_ [2]_.

    Returns
    -------
    ndarray of float32, shape (n_terms, n_kept)
        ``n_kept`` is ``n_components``, or fewer where rows or terms are fewer.

    References
    ----------
    .. [1] Deerwester, Dumais, Furnas, Landauer and Harshman, "Indexing by latent semantic
       analysis", J. Am. Soc. Inf. Sci. 41 (1990), 391-407.
    .. [2] Halko, Martinsson and Tropp, arXiv:0909.4061 (scikit-learn's randomized_svd).
    """
    _, _, directions = randomized_svd(
        rows, min(n_components, *rows.shape), n_iter=_N_ITERATIONS, random_state=seed
    )
    return np.ascontiguousarray(directions.T, dtype=np.float32)


def project_rows(rows: sparse.csr_array, basis: Points, *, is_unit: bool) -> Points:
    """Project rows on the basis and, where the rows had unit length, give them unit length again.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_components)
    """
    points = np.asarray(rows.astype(np.float32) @ basis)
    return normalize(points, copy=False) if is_unit else points


def fit_k_means(
    shards: Callable[[], Iterable[Points]],
    start: Points,
    n_centres: int,
    *,
    n_passes: int,
    seed: int,
    after_shard: Callable[[], None],
) -> Points:
    """Fit centres by mini-batch k-means, a shard a step [1]_.

    The first centres are chosen from ``start`` by k-means++ with one trial a centre [2]_, in
    groups of some 1,000 centres, each from its own part of ``start``: the time then grows with
    the number of centres and not with its square.

    Parameters
    ----------
    shards : callable
        Returns an iterator over the points of all shards, once a pass.
    start : ndarray of float32, shape (n_start, n_components)
        Points of papers drawn at random, at least ``n_centres``.

    Returns
    -------
    ndarray of float32, shape (n_centres, n_components)

    References
    ----------
    .. [1] Sculley, "Web-scale k-means clustering", WWW 2010.
    .. [2] Arthur and Vassilvitskii, "k-means++", SODA 2007.
    """
    first = _choose_first(start, n_centres, seed=seed)
    model = MiniBatchKMeans(
        n_centres,
        init=first,
        n_init=1,
        random_state=seed,
        compute_labels=False,
        reassignment_ratio=0.0,  # a small micro-cluster is as good as a large one
    )
    model.partial_fit(start)
    for _ in range(n_passes):
        for points in shards():
            model.partial_fit(points)
            after_shard()
    return np.asarray(model.cluster_centers_, dtype=np.float32)


def _choose_first(start: Points, n_centres: int, *, seed: int) -> Points:
    rng = np.random.default_rng(seed)
    n_groups = -(-n_centres // _N_SEEDED_AT_ONCE)
    parts = np.array_split(rng.permutation(len(start)), n_groups)
    ends = np.linspace(0, n_centres, n_groups + 1).astype(int)
    seeds = rng.integers(2**31, size=n_groups)
    chosen = [
        kmeans_plusplus(start[part], int(n), random_state=int(seed), n_local_trials=1)[0]
        for part, n, seed in zip(parts, np.diff(ends), seeds, strict=True)
    ]
    return np.concatenate(chosen)


@dataclass(slots=True)
class _Birch:
    """A BIRCH tree that never has more than ``n_most`` sub-clusters."""

    n_most: int
    threshold: float
    model: Birch

    @classmethod
    def start(cls, n_most: int, threshold: float) -> "_Birch":
        return cls(n_most, threshold, _new_birch(threshold))

    def add(self, points: Points) -> None:
        """Insert points; whenever sub-clusters are too many, build the tree anew from them.

        The tree grows by at most ``n_most`` before it is looked at. As in Zhang et al., section
        4.2, the threshold is raised and the old sub-clusters inserted; scikit-learn's class
        takes no weights, so each counts as one point.
        """
        for begin in range(0, len(points), self.n_most):
            self.model.partial_fit(points[begin : begin + self.n_most])
            while len(self.model.subcluster_centers_) > self.n_most:
                centres = self.model.subcluster_centers_
                self.threshold *= _WIDER
                self.model = _new_birch(self.threshold)
                self.model.partial_fit(centres)


def _new_birch(threshold: float) -> Birch:
    return Birch(
        threshold=threshold, branching_factor=_BRANCHING, n_clusters=None, compute_labels=False
    )


def fit_birch(
    shards: Callable[[], Iterable[Points]],
    start: Points,
    n_centres: int,
    *,
    n_papers: int,
    after_shard: Callable[[], None],
) -> Points:
    """Fit at most ``n_centres`` centres by BIRCH [1]_.

    The threshold is sought by halving an interval so that all papers will come near
    ``n_centres`` sub-clusters. How many a threshold will give is told from ``start``: if a half
    of it gives ``h`` sub-clusters and all of it ``s``, twice as many papers are taken to give
    ``s / h`` times as many again. Where all papers make more than ``n_centres`` after all, the
    threshold is raised by 2 % and the sub-clusters are inserted anew, as often as needed.

    Returns
    -------
    ndarray of float32, shape (n_found, n_components)
        ``n_found`` is at most ``n_centres``.

    References
    ----------
    .. [1] Zhang, Ramakrishnan and Livny, "BIRCH: an efficient data clustering method for very
       large databases", SIGMOD 1996.
    """
    low, high = 0.0, float(np.linalg.norm(start - start.mean(axis=0), axis=1).max()) or 1.0
    n_doublings = np.log2(n_papers / len(start))
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2.0
        n_found = _foresee_birch(middle, start, n_doublings) / n_centres
        low, high = (middle, high) if n_found > _NEAR[1] else (low, middle)
        if _NEAR[0] <= n_found <= _NEAR[1]:
            break
    birch = _Birch.start(n_centres, high)
    for points in shards():
        birch.add(points)
        after_shard()
    return np.asarray(birch.model.subcluster_centers_, dtype=np.float32)


def _foresee_birch(threshold: float, start: Points, n_doublings: float) -> float:
    """Foresee how many sub-clusters ``2**n_doublings`` times as many points will make."""
    model = _new_birch(threshold).partial_fit(start[::2])
    n_half = len(model.subcluster_centers_)
    n_all = len(model.partial_fit(start[1::2]).subcluster_centers_)
    return float(n_all * (n_all / n_half) ** n_doublings)


def find_nearest(points: Points, centres: Points) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the nearest centre of every point; of centres equally near the first.

    Returns
    -------
    nearest : ndarray of int32, shape (n_points,)
    distances : ndarray of float32, shape (n_points,)
        Squared Euclidean.
    """
    half_norms = 0.5 * np.einsum("ij,ij->i", centres, centres)
    n_at_once = max(1, _N_CELLS_AT_ONCE // len(centres))
    nearest = np.empty(len(points), dtype=np.int32)
    for begin in range(0, len(points), n_at_once):
        scores = points[begin : begin + n_at_once] @ centres.T  # (n_at_once, n_centres)
        scores -= half_norms
        nearest[begin : begin + n_at_once] = scores.argmax(axis=1)
    differences = points - centres[nearest]
    return nearest, np.einsum("ij,ij->i", differences, differences)
