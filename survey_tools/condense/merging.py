"""Micro-clusters -> Tree, and clusters of micro-clusters -> clusters of papers."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.condense.record import Condensed
from survey_tools.cuts import cut_at_height
from survey_tools.errors import ParameterError
from survey_tools.linkage.sparse import merge_sparse_rows
from survey_tools.partition import Partition
from survey_tools.progress import CountProgress
from survey_tools.settings import ClusteringSettings, CondenseSettings
from survey_tools.tree import Tree

__all__ = [
    "check_condensable",
    "cluster_exactly",
    "cluster_sample",
    "merge_condensed",
    "needs_unit_rows",
]

_N_DECIMALS = 10  # of merge heights, as in survey_tools.linkage.routes


def needs_unit_rows(clustering: ClusteringSettings) -> bool:
    """Say whether rows must have unit length: the cosine of two rows is then their product."""
    return clustering.metric == "cosine"


def check_condensable(clustering: ClusteringSettings, condense: CondenseSettings) -> None:
    """Refuse settings that cannot be met by merging micro-clusters.

    The centroids and sizes of two clusters give their distance for Ward's linkage with Euclidean
    and for average linkage with cosine distances, and for no other linkage here.

    Raises
    ------
    ParameterError
        Saying which settings can.
    """
    linkage, metric = clustering.linkage, clustering.metric
    if (linkage, metric) not in (("ward", "euclidean"), ("average", "cosine")):
        raise ParameterError(
            f"{linkage} linkage with {metric} distances cannot be computed from micro-clusters; "
            "use ward with euclidean or average with cosine"
        )
    if clustering.rows != "terms":
        raise ParameterError(
            f"clustering.rows {clustering.rows!r} arrived; micro-clusters are merged by the "
            "weighted terms of their papers, so use 'terms'"
        )
    if clustering.certify:
        raise ParameterError(
            "no certificate is made of a condensed tree; leave out --certify or --condense"
        )
    if clustering.leaf_order not in ("auto", "merge"):
        raise ParameterError(
            f"the leaf order '{clustering.leaf_order}' needs distances of single papers, which "
            "condensing avoids; use clustering.leaf_order auto or merge"
        )
    if clustering.cut.silhouette:
        raise ParameterError(
            "a cut by silhouette needs distances of single papers, which condensing avoids; "
            "use clustering.cut.n_clusters, height, inconsistency or gap"
        )
    wanted = clustering.cut.n_clusters
    if wanted is not None and wanted > condense.n_micro_clusters:
        raise ParameterError(
            f"{wanted:,} clusters asked of {condense.n_micro_clusters:,} micro-clusters; "
            "lower clustering.cut.n_clusters or ask for more micro-clusters"
        )


def merge_condensed(
    condensed: Condensed,
    clustering: ClusteringSettings,
    *,
    n_threads: int = 1,
    progress: CountProgress | None = None,
) -> Tree:
    """Merge micro-clusters exactly, each standing for as many papers as it has.

    Returns
    -------
    Tree
        Its leaves are the micro-clusters by name.

    Raises
    ------
    ParameterError
        If only one micro-cluster was found.
    """
    if len(condensed.n_papers) < 2:
        raise ParameterError(
            f"all {len(condensed.paper_keys):,} papers came into one micro-cluster; there is "
            "nothing to merge; are they all the same text?"
        )
    return _merge(
        condensed.centroids,
        condensed.names,
        clustering,
        weights=condensed.n_papers.astype(np.float64),
        n_threads=n_threads,
        progress=progress,
    )


def _merge(
    rows: sparse.csr_array,
    names: tuple[str, ...],
    clustering: ClusteringSettings,
    *,
    weights: NDArray[np.float64] | None,
    n_threads: int,
    progress: CountProgress | None,
) -> Tree:
    linkage: Literal["ward", "average"] = "ward" if clustering.linkage == "ward" else "average"
    merges = merge_sparse_rows(
        rows, linkage=linkage, weights=weights, n_threads=n_threads, progress=progress
    )
    merges[:, 2] = np.round(merges[:, 2], _N_DECIMALS)
    return Tree.from_linkage(merges, names, linkage=linkage, metric=clustering.metric)


def cluster_sample(condensed: Condensed, partition: Partition) -> Partition:
    """Give every paper of the sample the cluster of its micro-cluster.

    Parameters
    ----------
    partition : Partition
        Micro-clusters in clusters, in the order of ``condensed.names``.
    """
    numbers = condensed.sample.numbers
    codes = partition.codes[condensed.micro_cluster_of[numbers]]
    used, codes = np.unique(codes, return_inverse=True)
    return Partition(
        paper_keys=tuple(condensed.paper_keys[i] for i in numbers),
        group_names=tuple(partition.group_names[i] for i in used),
        codes=codes,
    )


def cluster_exactly(
    condensed: Condensed,
    places: NDArray[np.intp],
    n_clusters: int,
    clustering: ClusteringSettings,
    *,
    n_threads: int = 1,
    progress: CountProgress | None = None,
) -> Partition:
    """Cluster papers of the sample by an exact tree of their own rows.

    Parameters
    ----------
    places : ndarray of int
        Places in the sample, at least two.
    n_clusters : int
        Where merge heights are tied at the cut, or papers are fewer, fewer come out.
    """
    tree = _merge(
        sparse.csr_array(condensed.sample.rows[places]),
        tuple(condensed.paper_keys[i] for i in condensed.sample.numbers[places]),
        clustering,
        weights=None,
        n_threads=n_threads,
        progress=progress,
    )
    n_merged = tree.n_papers - min(n_clusters, tree.n_papers)
    return cut_at_height(tree, float(tree.heights[n_merged - 1]) if n_merged else -1.0)
