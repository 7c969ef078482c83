"""Condensed corpora -> tables (pandas): papers, micro-clusters, clusters, merges."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.condense.record import Condensed
from survey_tools.partition import Partition
from survey_tools.tree import Tree

__all__ = ["cluster_table", "merge_table", "micro_cluster_table", "paper_table"]

_N_DIGITS = 12  # weights closer than that are equal and go by the alphabet


def paper_table(condensed: Condensed, partition: Partition) -> pd.DataFrame:
    """One row a paper, in the order of the file: its micro-cluster and its cluster."""
    micro_names = np.array(condensed.names, dtype=object)
    cluster_names = np.array(partition.group_names, dtype=object)
    return pd.DataFrame(
        {
            "paper_key": condensed.paper_keys,
            "micro_cluster": micro_names[condensed.micro_cluster_of],
            "cluster": cluster_names[partition.codes[condensed.micro_cluster_of]],
        }
    )


def micro_cluster_table(
    condensed: Condensed, tree: Tree, partition: Partition, *, n_terms: int = 5
) -> pd.DataFrame:
    """One row a micro-cluster, in leaf order: size, most central paper and top terms."""
    top = _top_terms(condensed.centroids, condensed.terms, n_terms)
    order = tree.leaf_order
    names = condensed.names
    return pd.DataFrame(
        {
            "leaf": np.arange(1, len(order) + 1),
            "micro_cluster": [names[i] for i in order],
            "cluster": [partition.group_names[partition.codes[i]] for i in order],
            "n_papers": condensed.n_papers[order],
            "central_paper": [condensed.central_keys[i] for i in order],
            "central_title": [condensed.central_titles[i] for i in order],
            "terms_mean_weight": [top[i] for i in order],
        }
    )


def cluster_table(
    condensed: Condensed, partition: Partition, *, n_terms: int = 10, n_examples: int = 3
) -> pd.DataFrame:
    """One row a cluster: sizes, top terms by mean weight, examples.

    Examples are the central papers of the cluster's largest micro-clusters, keys and titles.
    """
    n_micro = len(condensed.n_papers)
    membership = sparse.csr_array(
        (condensed.n_papers.astype(np.float64), (partition.codes, np.arange(n_micro))),
        shape=(partition.n_groups, n_micro),
    )
    sums = sparse.csr_array(membership @ condensed.centroids)
    sums.sort_indices()
    n_papers = np.bincount(partition.codes, weights=condensed.n_papers).astype(np.intp)
    sums.data /= np.repeat(n_papers, np.diff(sums.indptr))
    top = _top_terms(sums, condensed.terms, n_terms)
    rows = []
    for code, name in enumerate(partition.group_names):
        members = np.flatnonzero(partition.codes == code)
        largest = members[np.argsort(-condensed.n_papers[members], kind="stable")][:n_examples]
        rows.append(
            {
                "cluster": name,
                "n_papers": n_papers[code],
                "n_micro_clusters": len(members),
                "terms_mean_weight": top[code],
                "examples": ", ".join(condensed.central_keys[i] for i in largest),
                "example_titles": " | ".join(condensed.central_titles[i] for i in largest),
            }
        )
    return pd.DataFrame(rows)


def merge_table(condensed: Condensed, tree: Tree) -> pd.DataFrame:
    """One row a merge, first to last: the two nodes, the height, and what is below.

    Leaves are micro-clusters by name; merge ``i`` makes the node ``merge i``.
    """
    n = tree.n_papers
    names = [*tree.paper_keys, *(f"merge {i}" for i in range(1, n))]
    n_papers = np.concatenate([condensed.n_papers, np.zeros(n - 1, dtype=np.intp)])
    for i, (first, second) in enumerate(tree.children):
        n_papers[n + i] = n_papers[first] + n_papers[second]
    return pd.DataFrame(
        {
            "node": names[n:],
            "first": [names[i] for i in tree.children[:, 0]],
            "second": [names[i] for i in tree.children[:, 1]],
            "height": tree.heights,
            "n_micro_clusters": tree.sizes[n:],
            "n_papers": n_papers[n:],
        }
    )


def _top_terms(rows: sparse.csr_array, terms: NDArray[np.object_], n_terms: int) -> list[str]:
    """Name the terms of highest weight of every row; ties go to the first by code point."""
    found = []
    for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        weights = np.round(rows.data[start:end], _N_DIGITS)
        columns = rows.indices[start:end]
        best = np.lexsort((columns, -weights))[:n_terms]
        found.append(", ".join(str(terms[i]) for i in columns[best]))
    return found
