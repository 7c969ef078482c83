"""The set-up paragraph: all that a method section must state, and nothing false."""

from collections.abc import Callable
from typing import Any

import pytest
from examples import TAXONOMY

from survey_tools.report.setup import write_setup
from survey_tools.results import StudyResult

Analyse = Callable[..., StudyResult]

# every setting that can change the tree, the clusters or the indices: two values each
CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"seed": 1}, {"seed": 2}),
    ({"text.fields": ["title"]}, {"text.fields": ["title", "abstract"]}),
    ({"text.fields": ["abstract", "title"]}, {"text.fields": ["title", "abstract"]}),
    ({"text.lowercase": True}, {"text.lowercase": False}),
    ({"text.token_pattern": r"\w\w+"}, {"text.token_pattern": r"\w\w\w+"}),
    ({"text.stop_words": "none"}, {"text.stop_words": "english"}),
    ({"text.stemming": "none"}, {"text.stemming": "porter"}),
    ({"text.stemming": "snowball"}, {"text.stemming": "porter"}),
    ({"text.ngram_range": [1, 1]}, {"text.ngram_range": [1, 2]}),
    ({"text.ngram_range": [2, 2]}, {"text.ngram_range": [1, 2]}),
    ({"text.analyser": "words"}, {"text.analyser": "characters"}),
    (
        {"text.analyser": "words", "text.ngram_range": [2, 3]},
        {"text.analyser": "characters", "text.ngram_range": [2, 3]},
    ),
    ({"text.min_df": 1}, {"text.min_df": 2}),
    ({"text.min_df": 1}, {"text.min_df": 0.1}),
    ({"text.min_df": 0.16661}, {"text.min_df": 0.16662}),
    ({"text.max_df": 5}, {"text.max_df": 1.0}),
    ({"text.max_df": 0.99999}, {"text.max_df": 1.0}),
    ({"text.max_features": 12}, {"text.max_features": None}),
    ({"text.max_features": 12}, {"text.max_features": 13}),
    ({"text.weighting": "counts"}, {"text.weighting": "binary"}),
    ({"text.weighting": "tf-idf"}, {"text.weighting": "sublinear-tf-idf"}),
    ({"text.smooth_idf": True}, {"text.smooth_idf": False}),
    ({"text.norm": "l1"}, {"text.norm": "none"}),
    ({"text.norm": "l1"}, {"text.norm": "l2"}),
    (
        {"text.weighting": "bm25", "text.bm25_k1": 1.2},
        {"text.weighting": "bm25", "text.bm25_k1": 1.2000001},
    ),
    (
        {"text.weighting": "bm25", "text.bm25_b": 0.7},
        {"text.weighting": "bm25", "text.bm25_b": 0.8},
    ),
    ({"clustering.linkage": "ward"}, {"clustering.linkage": "average"}),
    ({"clustering.linkage": "average"}, {"clustering.linkage": "weighted"}),
    (
        {"clustering.linkage": "average", "clustering.metric": "cosine"},
        {"clustering.linkage": "average", "clustering.metric": "jaccard"},
    ),
    ({"clustering.leaf_order": "optimal"}, {"clustering.leaf_order": "merge"}),
    ({"clustering.leaf_order": "ends"}, {"clustering.leaf_order": "merge"}),
    ({"clustering.rows": "terms"}, {"clustering.rows": "lsa", "clustering.n_components": 2}),
    (
        {"clustering.rows": "lsa", "clustering.n_components": 2},
        {"clustering.rows": "lsa", "clustering.n_components": 3},
    ),
    ({"clustering.precision": "float64"}, {"clustering.precision": "float32"}),
    ({"clustering.certify": True}, {"clustering.certify": False}),
    ({"clustering.cut.n_clusters": 2}, {"clustering.cut.n_clusters": 3}),
    ({"clustering.cut.height": 1.1}, {"clustering.cut.height": 1.1000001}),
    ({"clustering.cut.inconsistency": 0.8}, {"clustering.cut.height": 0.8}),
    ({"clustering.cut.inconsistency": 0.8}, {"clustering.cut.inconsistency": 0.9}),
    (
        {"clustering.cut.inconsistency": 0.8, "clustering.cut.inconsistency_depth": 2},
        {"clustering.cut.inconsistency": 0.8, "clustering.cut.inconsistency_depth": 3},
    ),
    ({"clustering.cut.gap": True}, {"clustering.cut.silhouette": True}),
    (
        {"clustering.cut.gap": True, "clustering.cut.fewest": 2},
        {"clustering.cut.gap": True, "clustering.cut.fewest": 3},
    ),
    (
        {"clustering.cut.silhouette": True, "clustering.cut.most": 4},
        {"clustering.cut.silhouette": True, "clustering.cut.most": 5},
    ),
    ({"crosscheck.n_permutations": 50}, {"crosscheck.n_permutations": 60}),
    ({"crosscheck.n_resamples": 50}, {"crosscheck.n_resamples": 60}),
    ({"crosscheck.confidence": 0.95}, {"crosscheck.confidence": 0.954}),
    ({"crosscheck.confidence": 0.999}, {"crosscheck.confidence": 0.9999}),
    ({"crosscheck.n_nearest": 1}, {"crosscheck.n_nearest": 2}),
    ({"crosscheck.ask_holdout": False}, {"crosscheck.ask_holdout": True}),
]


@pytest.mark.parametrize(("ours", "theirs"), CHANGES, ids=lambda given: "-".join(given))
def test_a_setting_that_changes_the_result_changes_the_paragraph(
    analyse_survey: Analyse, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Two runs that differ in one setting can be told apart by their set-up."""
    assert write_setup(analyse_survey(ours)) != write_setup(analyse_survey(theirs))


def test_every_setting_of_the_analysis_is_among_those_tested() -> None:
    """A setting added later must be added to the list above, and to the paragraph."""
    from survey_tools.settings import (
        ClusteringSettings,
        CrosscheckSettings,
        CutSettings,
        TextSettings,
    )

    groups = {
        "text": TextSettings,
        "clustering": ClusteringSettings,
        "clustering.cut": CutSettings,
        "crosscheck": CrosscheckSettings,
    }
    known = {f"{group}.{name}" for group, model in groups.items() for name in model.model_fields}
    tested = {name for change in CHANGES for given in change for name in given}
    # to refuse papers of one side alone is to give no result; the paragraph says how many were
    # left out
    assert known - tested == {"clustering.cut", "crosscheck.unfiled", "crosscheck.unknown"}


def test_papers_left_out_of_the_cross_check_are_counted(analyse_survey: Analyse) -> None:
    """Those of one side and of the other."""
    filed = {**TAXONOMY["papers"], "gone2019": {}, "gone2020": {"what": ["views"]}}
    setup = write_setup(
        analyse_survey({"crosscheck.unknown": "leave-out"}, taxonomy={**TAXONOMY, "papers": filed})
    )
    assert (
        "on 5 papers (1 paper that it does not file and 2 filed papers not among those clustered "
        "left out) by"
    ) in setup
    assert "on 5 papers (1 paper that it does not file left out) by" in write_setup(
        analyse_survey()
    )


def test_settings_without_effect_leave_the_paragraph_alone(analyse_survey: Analyse) -> None:
    """How figures are printed is no part of the method."""
    plain = write_setup(analyse_survey())
    assert write_setup(analyse_survey({"figures.page": "a4"})) == plain
    assert write_setup(analyse_survey({"text.bm25_k1": 2.0})) == plain


def test_another_stop_list_of_the_same_name_changes_the_paragraph(
    analyse_survey: Analyse, tmp_path: Any
) -> None:
    """A list is told by its name and by the number of its words."""
    (tmp_path / "survey").mkdir()
    found = []
    for words in ("of\n", "of\none\n"):
        (tmp_path / "survey" / "stop.txt").write_text(words)
        found.append(write_setup(analyse_survey({"text.stop_words": "stop.txt"})))
    assert "stop.txt" in found[0]
    assert found[0] != found[1]


def test_the_paragraph_counts_the_texts_of_the_papers(six_result: StudyResult) -> None:
    """Two papers have an abstract, two a digest, two a title alone."""
    setup = write_setup(six_result)
    for part in (
        "6 papers",
        "2 by the authors' abstract",
        "2 by a digest",
        "2 by the title alone",
        "Ward linkage",
        "Euclidean",
        "into 3 clusters",
        f"{len(six_result.features.terms)} terms",
        "seed 0",
        *(f"{name} {version}" for name, version in six_result.versions.items()),
    ):
        assert part in setup


def test_titles_alone_need_no_word_about_abstracts(analyse_survey: Analyse) -> None:
    """With fields [title] the paragraph claims no abstract and no digest."""
    setup = write_setup(analyse_survey({"text.fields": ["title"]}))
    assert "abstract" not in setup
    assert "digest" not in setup


def test_without_taxonomy_the_paragraph_claims_no_cross_check(analyse_survey: Analyse) -> None:
    """No taxonomy, no agreement indices."""
    setup = write_setup(analyse_survey(taxonomy=None))
    assert "Rand" not in setup
    assert "relabellings" not in setup


def test_without_relabellings_no_p_values_are_claimed(analyse_survey: Analyse) -> None:
    """n_permutations 0 means no p-value, n_resamples 0 means no interval."""
    setup = write_setup(
        analyse_survey({"crosscheck.n_permutations": 0, "crosscheck.n_resamples": 0})
    )
    assert "p-value" not in setup
    assert "interval" not in setup
    assert "adjusted Rand index" in setup


def test_the_paragraph_is_one_line_of_text(six_result: StudyResult) -> None:
    """It can be pasted into a paper as it is."""
    setup = write_setup(six_result)
    assert setup.isprintable()
    assert setup.endswith(".")
    assert "  " not in setup
