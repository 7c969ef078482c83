"""Results -> tables (pandas), written as CSV and LaTeX."""

import csv
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from survey_tools.clusters import TermScore
from survey_tools.crosscheck.whole import Crosscheck
from survey_tools.figures.style import clean
from survey_tools.results import StudyResult
from survey_tools.text import text_source

__all__ = [
    "agreement_table",
    "cluster_table",
    "contingency_tables",
    "merge_table",
    "name_table",
    "paper_table",
    "write_csv",
    "write_latex",
]


def paper_table(result: StudyResult) -> pd.DataFrame:
    """One row a paper, in leaf order: its cluster, place and silhouette."""
    group_of = result.partition.as_mapping()
    silhouette = {key: s for c in result.clusters for key, s in c.silhouette_of.items()}
    has_silhouette = any(cluster.silhouette is not None for cluster in result.clusters)
    medoids = {cluster.medoid for cluster in result.clusters}
    number_of = {key: number for number, key in enumerate(result.corpus.keys, start=1)}
    rows = []
    for place, key in enumerate(result.tree.keys_in_leaf_order, start=1):
        paper = result.corpus[key]
        rows.append(
            {
                "leaf": place,
                "number": number_of[key],
                "paper_key": key,
                "cluster": group_of[key],
                "is_medoid": key in medoids,
                "silhouette": silhouette[key] if has_silhouette else None,
                "text_source": text_source(paper, result.settings.text.fields),
                "title": paper.title,
                "year": paper.year,
                "venue": paper.venue,
            }
        )
    return pd.DataFrame(rows).astype({"year": "Int64"})


def cluster_table(result: StudyResult, *, n_terms: int = 8) -> pd.DataFrame:
    """One row a cluster: size, silhouette, medoid and top terms by three scores."""
    columns: dict[TermScore, str] = {
        "mean-weight": "terms_mean_weight",
        "class-tf-idf": "terms_class_tf_idf",
        "log-likelihood": "terms_log_likelihood",
    }
    rows = []
    for cluster in result.clusters:
        row = {
            "cluster": cluster.name,
            "n_papers": cluster.size,
            "silhouette": cluster.silhouette,
            "medoid": cluster.medoid,
        }
        for score, column in columns.items():
            row[column] = ", ".join(term for term, _ in cluster.top_terms[score][:n_terms])
        rows.append(row)
    return pd.DataFrame(rows)


def merge_table(result: StudyResult) -> pd.DataFrame:
    """One row a merge, first to last: the two nodes, the height and the size.

    Leaves are named by key; merge ``i`` makes the node ``merge i``, which no key can be, as
    keys hold no spaces.
    """
    tree = result.tree
    names = [*tree.paper_keys, *(f"merge {i}" for i in range(1, tree.n_papers))]
    return pd.DataFrame(
        {
            "node": names[tree.n_papers :],
            "first": [names[i] for i in tree.children[:, 0]],
            "second": [names[i] for i in tree.children[:, 1]],
            "height": tree.heights,
            "n_papers": tree.sizes[tree.n_papers :],
        }
    )


def name_table(result: StudyResult) -> pd.DataFrame:
    """One row a name of ``subtrees.yaml``: where it was attached and how well."""
    rows = [
        {
            "name": name.name,
            "is_found": name.is_found,
            "jaccard": name.jaccard,
            "n_meant": len(name.meant_keys),
            "n_papers": len(name.subtree.paper_keys),
            "n_common": len(set(name.meant_keys) & set(name.subtree.paper_keys)),
            "height": name.subtree.height,
            "warning": name.warning,
        }
        for name in result.names
    ]
    return pd.DataFrame(rows)


def agreement_table(crosscheck: Crosscheck) -> pd.DataFrame:
    """One row an axis and index: value, chance, p, q, interval and the numbers behind it."""
    rows = [
        {
            "axis": axis.name,
            "index": index.name,
            "value": index.value,
            "chance": index.chance,
            "p_value": index.p_value,
            "q_value": axis.q_values.get(index.name),
            "low": index.low,
            "high": index.high,
            "n_clusters": axis.agreement.n_clusters,
            "n_classes": axis.agreement.n_classes,
            "n_papers": axis.agreement.n_papers,
        }
        for axis in crosscheck.axes
        for index in axis.agreement.indices
    ]
    return pd.DataFrame(rows)


def contingency_tables(crosscheck: Crosscheck) -> dict[str, pd.DataFrame]:
    """Contingency table of every axis and of the combined cells, clusters in rows."""
    return {
        axis.name: pd.DataFrame(
            np.column_stack([axis.cluster_sizes, axis.contingency]),
            index=pd.Index(axis.cluster_names, name="cluster"),
            columns=["n_papers", *axis.column_names],
        )
        for axis in crosscheck.axes
    }


def write_csv(table: pd.DataFrame, path: Path, *, index: bool = False) -> None:
    """Write a table as CSV: UTF-8, decimal point, numbers to 10 significant digits."""
    # csv quotes a line feed by itself, but not a carriage return, at which readers end a row
    has_return = any("\r" in value for value in table.to_numpy().flat if isinstance(value, str))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    table.to_csv(path, index=index, float_format="%.10g", lineterminator="\n", quoting=quoting)


def write_latex(table: pd.DataFrame, path: Path, *, decimals: int = 3) -> None:
    """Write a table as a LaTeX tabular with rules of the booktabs package, text escaped."""
    shown = table.rename(columns=lambda name: clean(str(name).replace("_", " ")))
    shown = shown.map(lambda value: clean(value) if isinstance(value, str) else value)
    style = shown.style.format(precision=decimals, na_rep="--", escape="latex")
    style = style.hide(axis="index").format_index(escape="latex", axis="columns")
    numeric = {name for name in shown.columns if pd.api.types.is_numeric_dtype(shown[name])}
    columns = "".join(
        "r"
        if name in numeric
        else ("p{5cm}" if shown[name].astype(str).str.len().max() > 40 else "l")
        for name in shown.columns
    )
    path.write_text(style.to_latex(hrules=True, column_format=columns), encoding="utf-8")
