"""Weighted terms -> a tree or flat groups, by every algorithm of a plan."""

import warnings
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from sklearn.cluster import (
    HDBSCAN,
    AgglomerativeClustering,
    KMeans,
    SpectralClustering,
    affinity_propagation,
)
from sklearn.exceptions import ConvergenceWarning

from survey_tools.cuts import cut_into_at_most
from survey_tools.errors import ParameterError
from survey_tools.linkage.routes import N_HEIGHT_DECIMALS
from survey_tools.robustness.preparation import Prepared
from survey_tools.robustness.setting import Setting
from survey_tools.tree import Tree

__all__ = ["Grouping", "build_run_tree", "group_papers"]

_N_STARTS = 10  # k-means keeps the best of so many; scikit-learn's default for random starts
_LISTENING = Lock()  # what catches warnings does so for all threads of a process


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouping:
    """What an algorithm made of some papers.

    Attributes
    ----------
    codes : ndarray of int, shape (n_papers,)
        Group of each paper, all numbers from 0 used; papers that the algorithm calls noise have
        the last numbers, one each.
    tree : Tree or None
        Of agglomerative clustering.
    n_noise : int
    notes : tuple of str
        What the algorithm warned of.
    """

    codes: NDArray[np.intp]
    tree: Tree | None = None
    n_noise: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_clusters(self) -> int:
        """Clusters obtained, noise not counted."""
        return int(self.codes.max()) + 1 - self.n_noise


def group_papers(
    prepared: Prepared, setting: Setting, *, seed: int, tree: Tree | None = None
) -> Grouping:
    """Group papers by the algorithm of a setting.

    Agglomerative clustering takes scipy's or scikit-learn's implementation on the same
    distances and cuts into as many clusters as asked, or fewer where tied merges forbid that
    number. k-means runs on the rows turned into the space they span, to convergence;
    spectral clustering on cosine similarities; affinity propagation on negative squared
    distances (euclidean) or similarities (cosine), with the median as preference; HDBSCAN with
    scikit-learn's defaults on distances.

    Parameters
    ----------
    tree : Tree, optional
        The tree of this setting, where it is at hand.

    Raises
    ------
    ParameterError
        If there are fewer papers than clusters, or an algorithm finds no result.
    """
    n_papers = len(prepared.paper_keys)
    if setting.n_clusters is not None and setting.n_clusters > n_papers:
        raise ParameterError(f"{setting.n_clusters} clusters asked of {n_papers} papers")
    if setting.linkage is not None:
        tree = build_run_tree(prepared, setting) if tree is None else tree
        assert setting.n_clusters is not None
        return Grouping(codes=cut_into_at_most(tree, setting.n_clusters).codes, tree=tree)
    with _LISTENING, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        codes = _run(prepared, setting, seed)
    notes = tuple(dict.fromkeys(_first_sentence(str(warning.message)) for warning in heard))
    is_noise = codes < 0
    found, codes[~is_noise] = np.unique(codes[~is_noise], return_inverse=True)
    codes[is_noise] = len(found) + np.arange(is_noise.sum())
    return Grouping(codes=codes, n_noise=int(is_noise.sum()), notes=notes)


def build_run_tree(prepared: Prepared, setting: Setting) -> Tree:
    """Merge papers agglomeratively, in the order of the rows, by the library of the setting."""
    keys = prepared.paper_keys
    if len(keys) < 2:
        raise ParameterError(f"clustering needs at least 2 papers; {len(keys)} arrived")
    assert setting.linkage is not None
    if setting.library != "scikit-learn":
        condensed = prepared.distances(setting.metric).condensed
        matrix = hierarchy.linkage(condensed, method=setting.linkage)
        children, heights = matrix[:, :2].astype(np.intp), matrix[:, 2]
    else:
        model = AgglomerativeClustering(
            n_clusters=None,
            distance_threshold=0.0,
            linkage=setting.linkage,
            metric="euclidean" if setting.linkage == "ward" else "precomputed",
        )
        given = (
            prepared.rows
            if setting.linkage == "ward"
            else prepared.distances(setting.metric).square.copy()
        )
        model.fit(given)
        children, heights = model.children_, model.distances_
    return Tree(
        paper_keys=keys,
        children=children,
        heights=np.round(heights, N_HEIGHT_DECIMALS),
        linkage=setting.algorithm,
        metric=setting.metric,
    )


def _run(prepared: Prepared, setting: Setting, seed: int) -> NDArray[np.intp]:
    if setting.algorithm == "k-means":
        return _run_k_means(prepared, setting, seed)
    if setting.algorithm == "spectral":
        return _run_spectral(prepared, setting, seed)
    if setting.algorithm == "hdbscan":
        return _run_hdbscan(prepared, setting)
    assert setting.algorithm == "affinity-propagation"
    return _run_affinity_propagation(prepared, setting)


def _run_k_means(prepared: Prepared, setting: Setting, seed: int) -> NDArray[np.intp]:
    # without tolerance: scikit-learn scales it by the mean variance of the columns, which
    # depends on how many columns hold the same distances
    model = KMeans(setting.n_clusters, n_init=_N_STARTS, tol=0.0, random_state=seed)
    return np.asarray(model.fit_predict(prepared.rows), dtype=np.intp)


def _run_spectral(prepared: Prepared, setting: Setting, seed: int) -> NDArray[np.intp]:
    similarity = np.clip(1.0 - prepared.distances("cosine").square, 0.0, None)
    model = SpectralClustering(setting.n_clusters, affinity="precomputed", random_state=seed)
    return np.asarray(model.fit_predict(similarity), dtype=np.intp)


def _run_hdbscan(prepared: Prepared, setting: Setting) -> NDArray[np.intp]:
    square = prepared.distances(setting.metric).square
    return np.array(HDBSCAN(metric="precomputed", copy=True).fit_predict(square), dtype=np.intp)


def _run_affinity_propagation(prepared: Prepared, setting: Setting) -> NDArray[np.intp]:
    square = prepared.distances(setting.metric).square
    similarity = -np.square(square) if setting.metric == "euclidean" else 1.0 - square
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            # its noise against ties is drawn from a seed of its own: it decides nothing else
            _, codes = affinity_propagation(
                np.asarray(similarity, dtype=np.float64), random_state=0
            )
    except ConvergenceWarning:
        raise ParameterError("affinity propagation did not converge in 200 steps") from None
    return np.array(codes, dtype=np.intp)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0]
