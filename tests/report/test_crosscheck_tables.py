"""Tables of the cross-check: a row for everything found, values as computed."""

from dataclasses import replace

import pandas as pd
import pytest

from survey_tools.report import crosscheck_tables as tables
from survey_tools.report.tables import write_csv
from survey_tools.results import StudyResult


def test_labels_have_a_row_each_in_their_order(mim_result: StudyResult) -> None:
    """Precision and recall follow from the counts beside them."""
    found = mim_result.crosscheck
    assert found is not None
    table = tables.label_table(found)
    assert table["label"].tolist() == [place.label for place in found.labels]
    assert table["precision"].tolist() == pytest.approx(table["n_common"] / table["size"])
    assert table["recall"].tolist() == pytest.approx(table["n_common"] / table["n_papers"])
    assert table["f1"].tolist() == pytest.approx(
        2 * table["n_common"] / (table["size"] + table["n_papers"])
    )


def test_disputed_filings_have_a_row_for_each_paper_and_axis(
    mim_result: StudyResult, tmp_path
) -> None:
    """The most disputed first; what no witness said is empty in the file."""
    found = mim_result.crosscheck
    assert found is not None
    table = tables.disagreement_table(found, mim_result.corpus)
    assert len(table) == 6 * 180
    assert table["score"].is_monotonic_decreasing
    first = table.iloc[0]
    assert first["title"] == mim_result.corpus[first["paper_key"]].title
    write_csv(table, tmp_path / "check-first.csv")
    read = pd.read_csv(tmp_path / "check-first.csv")
    assert read["probability"].isna().all()
    assert read["terms"].str.split(", ").map(len).max() == 5


def test_label_sets_and_trees_have_a_row_for_each_index(mim_result: StudyResult) -> None:
    """Seven sides with six indices; five indices of trees and two of Mantel's."""
    found = mim_result.crosscheck
    assert found is not None
    assert found.trees is not None
    overlap = tables.overlap_table(found)
    assert len(overlap) == 7 * 6
    trees = tables.tree_agreement_table(found.trees)
    assert trees["index"].tolist() == [
        *("cophenetic correlation", "Baker's gamma", "triplet distance"),
        *("Robinson-Foulds distance", "element-centric similarity"),
        *("Mantel correlation (Jaccard)", "Mantel correlation (MASI)"),
    ]
    cuts = tables.cut_table(found.trees.cuts)
    assert (cuts["low"] <= cuts["expected"]).all()
    assert (cuts["expected"] <= cuts["high"]).all()


def test_tables_without_a_row_have_their_columns(six_result: StudyResult) -> None:
    """A program that reads them finds the names."""
    found = six_result.crosscheck
    assert found is not None
    assert tables.enrichment_table(found).columns.tolist()[:3] == ["axis", "label", "node"]
    empty = replace(found, papers=(), overlaps={})
    corpus = six_result.corpus
    for table, filled in [
        (tables.overlap_table(empty), tables.overlap_table(found)),
        (tables.disagreement_table(empty, corpus), tables.disagreement_table(found, corpus)),
    ]:
        assert table.empty
        assert table.columns.tolist() == filled.columns.tolist()


def test_the_nearest_papers_are_as_many_as_were_asked(mim_result: StudyResult) -> None:
    """Ten or more where some tie; the least q of a filing is never above that of its label."""
    found = mim_result.crosscheck
    assert found is not None
    table = tables.disagreement_table(found, mim_result.corpus)
    assert table["n_nearest"].tolist() == [each.n_nearest for each in found.papers]
    assert table.groupby("paper_key")["n_nearest"].nunique().max() == 1
    assert table["n_nearest"].min() == 10
    assert (table["n_nearest_with"] <= table["n_nearest"]).all()
    assert (table["least_q_value"] <= table["q_value"]).all()


def test_label_sets_that_were_not_compared_have_no_row(six_result: StudyResult) -> None:
    """Those of the other axes stay."""
    found = six_result.crosscheck
    assert found is not None
    first, *others = found.overlaps
    left = {name: found.overlaps[name] for name in others}
    table = tables.overlap_table(replace(found, overlaps=left, uncompared_sets={first: 5000}))
    assert table["axis"].unique().tolist() == others
