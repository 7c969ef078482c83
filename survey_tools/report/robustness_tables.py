"""Robustness -> tables (pandas)."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from survey_tools.robustness.assessment import Robustness
from survey_tools.robustness.families import FAMILIES
from survey_tools.robustness.setting import FACTORS

__all__ = ["list_tables"]


def list_tables(result: Robustness) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every table with the stem of its file."""
    yield "runs", run_table(result)
    yield "clusters", target_table(result)
    yield "papers", paper_table(result)
    yield "choices", choice_table(result)
    yield "levels", level_table(result)
    yield "nulls", null_table(result)
    yield "numbers", number_table(result)
    yield "co-association", coassociation_table(result)


def run_table(result: Robustness) -> pd.DataFrame:
    """One row a run, in the order of the plan; failed ones with their reason."""
    rows = []
    for row in result.rows:
        run = row.run
        rows.append(
            {
                "run": run.run_id,
                "corpus": run.corpus,
                "corpus_draw": run.corpus_draw,
                "resample": run.resample,
                "draw": run.draw,
                "scale": run.scale,
                "n_replicates": run.n_replicates,
                **{name: run.setting.levels()[name] for name in FACTORS if name != "n_clusters"},
                "n_clusters_asked": run.setting.n_clusters,
                "n_terms": row.n_terms,
                "n_clusters": row.n_clusters,
                "n_noise": row.n_noise,
                **row.agreement,
                **row.axes,
                "failure": row.failure,
                "notes": "; ".join(row.notes),
            }
        )
    table = pd.DataFrame(rows)
    last = ["failure", "notes"]
    columns = [name for name in table.columns if name not in last]
    return table[[*columns, *last]].astype({"n_clusters_asked": "Int64"})


def target_table(result: Robustness) -> pd.DataFrame:
    """One row a named sub-tree or cluster: verdict, support, and its scores in each family."""
    rows = []
    for found in result.targets:
        row: dict[str, object] = {
            "name": found.target.name,
            "kind": found.target.kind,
            "n_papers": len(found.target.paper_keys),
            "verdict": found.verdict,
            "au": found.support.au if found.support else None,
            "au_error": found.support.au_error if found.support else None,
            "bp": found.support.bp if found.support else None,
            "cluster_jaccard": found.cluster_jaccard,
            "jaccard_by_chance": found.by_chance,
        }
        for family in FAMILIES:
            score = found.families.get(family)
            row[f"n_runs, {family}"] = score.n_runs if score else 0
            row[f"mean_jaccard, {family}"] = score.mean_jaccard if score else None
            row[f"share_found, {family}"] = score.share_found if score else None
            row[f"share_lost, {family}"] = score.share_lost if score else None
        rows.append({**row, "papers": " ".join(found.target.paper_keys)})
    return pd.DataFrame(rows)


def paper_table(result: Robustness) -> pd.DataFrame:
    """One row a paper: how often it stays at home, the most fragile first."""
    families = dict.fromkeys(name for paper in result.papers for name in paper.at_home)
    rows = [
        {
            "key": paper.paper_key,
            "home": paper.home,
            "mean": paper.mean,
            **{f"at_home, {family}": paper.at_home.get(family) for family in families},
        }
        for paper in result.papers
    ]
    return pd.DataFrame(rows)


def choice_table(result: Robustness) -> pd.DataFrame:
    """One row a design, response and choice: shares of the variance with intervals."""
    columns = ["design", "response", "method", "choice", "n_levels", "first", "first_low"]
    columns += ["first_high", "total", "total_low", "total_high"]
    rows = [
        (
            found.design,
            found.response,
            found.influence.method,
            factor.factor,
            factor.n_levels,
            factor.first.value,
            factor.first.low,
            factor.first.high,
            factor.total.value,
            factor.total.low,
            factor.total.high,
        )
        for found in result.influences
        for factor in found.influence.factors
    ]
    return pd.DataFrame(rows, columns=columns)


def level_table(result: Robustness) -> pd.DataFrame:
    """One row a design, response, choice and level: mean response with interval."""
    columns = ["design", "response", "choice", "level", "n_runs", "mean", "low", "high"]
    rows = [
        (
            found.design,
            found.response,
            factor.factor,
            level.level,
            level.n_runs,
            level.mean.value,
            level.mean.low,
            level.mean.high,
        )
        for found in result.influences
        for factor in found.influence.factors
        for level in factor.levels
    ]
    return pd.DataFrame(rows, columns=columns)


def null_table(result: Robustness) -> pd.DataFrame:
    """One row a measure of structure and kind of null corpus."""
    columns = ["measure", "title", "corpus", "value", "mean", "low", "high", "n_nulls", "p_value"]
    rows = [tuple(getattr(null, name) for name in columns) for null in result.nulls]
    return pd.DataFrame(rows, columns=columns)


def number_table(result: Robustness) -> pd.DataFrame:
    """One row a number of clusters: ambiguity, gap, silhouette; empty where not run."""
    numbers = result.numbers
    table = pd.DataFrame({"n_clusters": [1, *numbers.n_clusters]}).set_index("n_clusters")
    later = list(numbers.n_clusters)
    if numbers.ambiguity is not None:
        table.loc[later, "pac"] = numbers.ambiguity.pac
        table.loc[later, "area"] = numbers.ambiguity.areas
        table.loc[later, "area_change"] = numbers.ambiguity.area_changes
    if numbers.relative is not None:
        table.loc[later, "null_pac"] = numbers.relative.null_pac
        table.loc[later, "relative_pac"] = numbers.relative.relative_pac
        table.loc[later, "relative_pac_p"] = numbers.relative.p_values
    if numbers.gap is not None:
        table["log_dispersion"] = numbers.gap.log_dispersion
        table["expected_log_dispersion"] = numbers.gap.expected
        table["gap"] = numbers.gap.gaps
        table["gap_error"] = numbers.gap.standard_errors
    table.loc[later, "silhouette"] = np.array(numbers.silhouettes, dtype=np.float64)
    if numbers.null_silhouettes:
        nulls = np.array(numbers.null_silhouettes, dtype=np.float64)
        table.loc[later, "null_silhouette"] = nulls.mean(axis=0)
    return table.reset_index()


def coassociation_table(result: Robustness) -> pd.DataFrame:
    """Share of the runs that put each pair of papers into one cluster, a row and column each."""
    table = pd.DataFrame(np.round(result.coassociation, 4), columns=list(result.paper_keys))
    table.insert(0, "key", list(result.paper_keys))
    return table
