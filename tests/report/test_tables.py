"""Tables: what is written comes back, totals add up, LaTeX is escaped."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from examples import SIX_PAPERS, TAXONOMY

from survey_tools.cuts import cut
from survey_tools.report.tables import (
    agreement_table,
    cluster_table,
    contingency_tables,
    merge_table,
    name_table,
    paper_table,
    write_csv,
    write_latex,
)
from survey_tools.results import StudyResult
from survey_tools.tree import Tree

Analyse = Callable[..., StudyResult]
HOSTILE_TITLES = (
    'He said "masked", twice',
    "semi;colon, comma",
    "line\nbreak and\rreturn",
    "=cmd|' /C calc'!A0",
    "NA",
    "carriage\rreturn",
)


def with_titles(titles: tuple[str, ...]) -> list[Mapping[str, Any]]:
    return [{**paper, "title": t} for paper, t in zip(SIX_PAPERS, titles, strict=True)]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_titles_come_back_from_csv_as_they_were(analyse_survey: Analyse, tmp_path: Path) -> None:
    """Quotes, commas, line breaks and the word NA survive writing and reading."""
    result = analyse_survey(papers=with_titles(HOSTILE_TITLES))
    write_csv(paper_table(result), tmp_path / "papers.csv")
    read = {row["paper_key"]: row["title"] for row in read_rows(tmp_path / "papers.csv")}
    assert read == {paper.key: paper.title for paper in result.corpus}


def test_every_paper_has_one_row_in_leaf_order(six_result: StudyResult) -> None:
    """Keys, clusters, years and text sources are those of the paper, missing ones empty."""
    table = paper_table(six_result)
    assert tuple(table["paper_key"]) == six_result.tree.keys_in_leaf_order
    assert list(table["leaf"]) == [1, 2, 3, 4, 5, 6]
    by_key = table.set_index("paper_key")
    assert by_key["cluster"].to_dict() == six_result.partition.as_mapping()
    assert by_key.loc["pixel2021a", "year"] == 2021
    assert pd.isna(by_key.loc["tube2023f", "year"])
    assert by_key["text_source"].value_counts().to_dict() == {
        "abstract": 2,
        "digest": 2,
        "none": 2,
    }
    assert by_key.groupby("cluster")["is_medoid"].sum().eq(1).all()


def test_years_are_whole_numbers_in_csv(six_result: StudyResult, tmp_path: Path) -> None:
    """A missing year must not turn the others into 2021.0."""
    write_csv(paper_table(six_result), tmp_path / "papers.csv")
    years = {row["paper_key"]: row["year"] for row in read_rows(tmp_path / "papers.csv")}
    assert (years["pixel2021a"], years["tube2023f"]) == ("2021", "")


def test_numbers_come_back_from_csv_to_ten_digits(six_result: StudyResult, tmp_path: Path) -> None:
    """Heights and silhouettes are written with a decimal point and enough digits."""
    table = merge_table(six_result)
    write_csv(table, tmp_path / "merges.csv")
    read = pd.read_csv(tmp_path / "merges.csv")
    np.testing.assert_allclose(read["height"], six_result.tree.heights, rtol=1e-9)
    assert list(read["n_papers"]) == list(table["n_papers"])


def test_a_tree_rebuilt_from_the_merge_table_has_the_same_clusters(
    six_result: StudyResult, tmp_path: Path
) -> None:
    """The table names leaves by key and merges by number, so that it says all of the tree."""
    write_csv(merge_table(six_result), tmp_path / "merges.csv")
    rows = read_rows(tmp_path / "merges.csv")
    number = {key: i for i, key in enumerate(six_result.tree.paper_keys)}
    number |= {row["node"]: len(number) + i for i, row in enumerate(rows)}
    tree = Tree(
        paper_keys=six_result.tree.paper_keys,
        children=np.array([[number[row["first"]], number[row["second"]]] for row in rows]),
        heights=np.array([float(row["height"]) for row in rows]),
    )
    assert [int(row["n_papers"]) for row in rows] == list(tree.sizes[6:])
    assert cut(tree, 3).as_mapping() == cut(six_result.tree, 3).as_mapping()


def test_cluster_sizes_add_up_to_the_papers(six_result: StudyResult) -> None:
    """Every paper is in one cluster; medoid and size are the cluster's own."""
    table = cluster_table(six_result)
    assert table["n_papers"].sum() == len(six_result.corpus) == 6
    for row in table.itertuples():
        members = six_result.partition.members(str(row.cluster))
        assert row.medoid in members
        assert row.n_papers == len(members)


def test_a_cluster_of_one_paper_and_one_cluster_of_all(analyse_survey: Analyse) -> None:
    """Where silhouettes have no meaning the column is empty."""
    for n_clusters in (1, 6):
        result = analyse_survey({"clustering.cut.n_clusters": n_clusters})
        assert cluster_table(result)["silhouette"].isna().all()
        assert paper_table(result)["silhouette"].isna().all()


def test_names_are_counted_against_their_sub_trees(six_result: StudyResult) -> None:
    """The pair named 'pixels' is found whole: 2 meant, 2 there, 2 in common, Jaccard 1."""
    table = name_table(six_result).set_index("name")
    row = table.loc["pixels"]
    assert (row["n_meant"], row["n_papers"], row["n_common"], row["jaccard"]) == (2, 2, 2, 1.0)
    assert bool(row["is_found"])
    assert pd.isna(table.loc["moving pictures", "jaccard"])


def test_contingency_tables_add_up(six_result: StudyResult) -> None:
    """Column sums are the papers that carry a label; cells add up to the filed papers."""
    assert six_result.crosscheck is not None
    tables = contingency_tables(six_result.crosscheck)
    assert list(tables) == ["what", "learnt", "combined cells"]
    what = tables["what"]
    filed = TAXONOMY["papers"]
    for label in ("pixels", "views", "tubes"):
        carried = [key for key, axes in filed.items() if label in axes.get("what", [])]
        assert what[label].sum() == len(carried)
    for table in tables.values():
        assert table["n_papers"].sum() == len(filed) == 5
    cells = tables["combined cells"]
    assert (cells.drop(columns="n_papers").sum(axis=1) == cells["n_papers"]).all()


def test_a_label_named_like_a_column_keeps_its_own_counts(analyse_survey: Analyse) -> None:
    """A label 'n_papers' and a label 'cluster' do not disturb the table's own columns."""
    taxonomy = {
        "axes": {"a": {"labels": {"n_papers": {}, "cluster": {}}}},
        "papers": {"pixel2021a": {"a": ["n_papers"]}, "view2021c": {"a": ["cluster"]}},
    }
    result = analyse_survey(taxonomy=taxonomy)
    assert result.crosscheck is not None
    table = contingency_tables(result.crosscheck)["a"]
    assert list(table.columns) == ["n_papers", "n_papers", "cluster"]
    assert table.to_numpy().sum(axis=0).tolist() == [2, 1, 1]


def test_agreement_has_a_row_for_every_axis_and_index(six_result: StudyResult) -> None:
    """Values are the ones computed; ARI and AMI alone carry a q-value."""
    assert six_result.crosscheck is not None
    table = agreement_table(six_result.crosscheck)
    assert len(table) == 3 * 10
    assert table.groupby("axis", sort=False).size().tolist() == [10, 10, 10]
    for row in table.itertuples():
        axis = next(a for a in six_result.crosscheck.axes if a.name == row.axis)
        assert row.value == next(i.value for i in axis.agreement.indices if i.name == row.index)
    tested = table[table["q_value"].notna()]["index"]
    assert set(tested) == {"ARI", "AMI"}


LATEX = {
    "a_b & c": r"a\_b \& c",
    "100% of #1": r"100\% of \#1",
    "{x}$^2$": r"\{x\}\$\textasciicircum 2\$",
    "~tilde": r"\textasciitilde tilde",
    r"\alpha": r"\textbackslash alpha",
}


@pytest.mark.parametrize(("text", "expected"), LATEX.items())
def test_latex_specials_are_escaped(text: str, expected: str, tmp_path: Path) -> None:
    """Each of the ten special characters is written so that it prints as itself."""
    write_latex(pd.DataFrame({text: [1.0], "name": [text]}), tmp_path / "t.tex")
    body = (tmp_path / "t.tex").read_text(encoding="utf-8").splitlines()
    row = next(line for line in body if line.startswith("1.000"))
    assert row == f"1.000 & {expected} \\\\"
    head = next(line for line in body if line.endswith("name \\\\"))
    assert head == f"{expected.replace(chr(92) + '_', ' ')} & name \\\\"


def test_latex_tables_have_one_cell_a_column(six_result: StudyResult, tmp_path: Path) -> None:
    """Rules of booktabs, two dashes for what is missing, the same number of cells everywhere."""
    assert six_result.crosscheck is not None
    table = agreement_table(six_result.crosscheck)
    write_latex(table, tmp_path / "t.tex")
    lines = (tmp_path / "t.tex").read_text(encoding="utf-8").splitlines()
    assert [lines[1], lines[3], lines[-2]] == ["\\toprule", "\\midrule", "\\bottomrule"]
    rows = [line for line in lines if line.endswith("\\\\")]
    assert len(rows) == len(table) + 1
    assert {row.count(" & ") for row in rows} == {len(table.columns) - 1}
    assert any("--" in row for row in rows)
    assert "nan" not in "".join(rows).lower().replace("dominance", "")


def test_line_breaks_do_not_break_the_rows_of_a_latex_table(tmp_path: Path) -> None:
    """Empty lines would end the paragraph inside a cell, which LaTeX refuses."""
    write_latex(pd.DataFrame({"a": ["x\n\ny"], "b": [2]}), tmp_path / "t.tex")
    lines = (tmp_path / "t.tex").read_text(encoding="utf-8").splitlines()
    assert "x y & 2 \\\\" in lines
