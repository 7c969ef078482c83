"""The cross-check -> tables: labels in the tree, papers to check, label sets, whole trees."""

from collections.abc import Mapping

import pandas as pd

from survey_tools.agreement.bk_curve import BkCurve
from survey_tools.agreement.index import Agreement
from survey_tools.corpus import Corpus
from survey_tools.crosscheck.whole import Crosscheck, TreeCrosscheck

__all__ = [
    "cut_table",
    "disagreement_table",
    "enrichment_table",
    "label_table",
    "overlap_table",
    "tree_agreement_table",
]


def label_table(crosscheck: Crosscheck) -> pd.DataFrame:
    """One row a label or cell, best first: its sub-tree, how well it fits, p and q."""
    columns = (
        *("axis", "label", "title", "n_papers", "size", "n_common", "precision", "recall", "f1"),
        *("chance", "p_value", "q_value", "height", "node"),
    )
    rows = [{name: getattr(place, name) for name in columns} for place in crosscheck.labels]
    return pd.DataFrame(rows, columns=list(columns))


def enrichment_table(crosscheck: Crosscheck) -> pd.DataFrame:
    """One row a node and label beyond chance, the surest first."""
    columns = (
        *("axis", "label", "node", "height", "size", "n_common", "n_papers"),
        *("p_value", "q_value"),
    )
    rows = [{name: getattr(node, name) for name in columns} for node in crosscheck.enriched]
    return pd.DataFrame(rows, columns=list(columns))


def disagreement_table(crosscheck: Crosscheck, corpus: Corpus) -> pd.DataFrame:
    """One row a paper and axis, the most disputed first: what each witness says."""
    columns = (
        *("paper_key", "title", "axis", "label", "carries", "score", "nearest", "n_nearest_with"),
        *("n_nearest", "cluster", "silhouette", "silhouette_rank", "probability", "classifier"),
        *("q_value", "least_q_label", "least_q_value", "terms"),
    )
    rows = [
        {name: getattr(each, name) for name in columns if name != "title"}
        | {"title": corpus[each.paper_key].title, "terms": ", ".join(each.terms)}
        for each in crosscheck.papers
    ]
    return pd.DataFrame(rows, columns=list(columns))


def overlap_table(crosscheck: Crosscheck) -> pd.DataFrame:
    """One row an axis and index of several labels a paper, where label sets were compared."""
    return _index_table(crosscheck.overlaps)


def tree_agreement_table(trees: TreeCrosscheck) -> pd.DataFrame:
    """One row an index of the whole trees, Mantel's correlations last."""
    table = _index_table({"trees": trees.agreement, "Mantel": trees.mantel})
    return table.drop(columns="axis")


def cut_table(curve: BkCurve) -> pd.DataFrame:
    """One row a number of clusters: Bk, the value expected, and the band of chance."""
    return pd.DataFrame(
        {
            "n_clusters": curve.n_clusters,
            "bk": curve.values,
            "expected": curve.expected,
            "low": curve.low,
            "high": curve.high,
        }
    )


def _index_table(agreements: Mapping[str, Agreement]) -> pd.DataFrame:
    rows = [
        {
            "axis": name,
            "index": index.name,
            "value": index.value,
            "chance": index.chance,
            "p_value": index.p_value,
            "low": index.low,
            "high": index.high,
            "n_clusters": agreement.n_clusters,
            "n_classes": agreement.n_classes,
            "n_papers": agreement.n_papers,
        }
        for name, agreement in agreements.items()
        for index in agreement.indices
    ]
    columns = (
        *("axis", "index", "value", "chance", "p_value", "low", "high"),
        *("n_clusters", "n_classes", "n_papers"),
    )
    return pd.DataFrame(rows, columns=list(columns))
