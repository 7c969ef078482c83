"""Counting and weighing by shard gives what counting and weighing at once gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from condense_examples import condense_file, make_papers, write_papers_to

from survey_tools.condense.vocabulary import TermCounter
from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.settings import TextSettings
from survey_tools.text import build_features

N_PAPERS = 100


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weighting": "sublinear-tf-idf", "smooth_idf": False},
        {"weighting": "bm25", "norm": "none"},
        {"weighting": "binary", "norm": "l1"},
        {"weighting": "counts", "max_features": 20},
        {"ngram_range": (1, 2), "min_df": 3, "max_df": 0.4},
        {"fields": ("title",), "stemming": "porter", "lowercase": False, "min_df": 0.02},
        {"token_pattern": r"[a-z]+"},
    ],
)
def test_the_weighted_rows_are_those_of_build_features(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Four shards; the sample is all papers, so its rows are all rows."""
    papers = make_papers(N_PAPERS)
    text = TextSettings.model_validate({"stop_words": "none", **settings})
    condensed = condense_file(
        write_papers_to(tmp_path / "p.jsonl", papers), text=text, n_sample=N_PAPERS
    )
    expected = build_features(Corpus(papers), text)
    order = [condensed.paper_keys.index(key) for key in expected.paper_keys]
    assert list(condensed.terms) == list(expected.terms)
    rows = condensed.sample.rows.toarray()[order]
    np.testing.assert_allclose(rows, expected.matrix.toarray(), rtol=0, atol=1e-13)


def test_a_term_of_two_shards_has_one_number() -> None:
    """B stands in both: 1 + 2 papers, 4 + 2 times."""
    counter = TermCounter()
    first = counter.add(["a", "b"], np.array([3, 1]), np.array([3, 4]), n_papers=3)
    second = counter.add(["b", "c"], np.array([2, 1]), np.array([2, 1]), n_papers=2)
    assert first.tolist() == [0, 1]
    assert second.tolist() == [1, 2]
    vocabulary = counter.limit(TextSettings(min_df=2))
    assert vocabulary.terms.tolist() == ["a", "b"]
    assert vocabulary.document_frequency.tolist() == [3, 3]
    assert vocabulary.column_of.tolist() == [0, 1, -1]
    assert vocabulary.mean_length == (3 + 6) / 5


def test_of_equally_frequent_terms_the_first_by_code_point_stays() -> None:
    """As in survey_tools.text, whatever the order of arrival."""
    counter = TermCounter()
    counter.add(["z", "y", "x"], np.array([1, 1, 2]), np.array([1, 1, 2]), n_papers=2)
    vocabulary = counter.limit(TextSettings(max_features=2))
    assert vocabulary.terms.tolist() == ["x", "y"]


def test_limits_that_leave_no_term_are_refused() -> None:
    """With the numbers that were compared."""
    counter = TermCounter()
    counter.add(["a"], np.array([1]), np.array([1]), n_papers=4)
    with pytest.raises(ParameterError, match="none of 1 terms stands in 2 to 4 of 4 papers"):
        counter.limit(TextSettings(min_df=2))


def test_a_corpus_without_terms_is_refused() -> None:
    """A pattern that finds nothing."""
    counter = TermCounter()
    counter.add([], np.zeros(0, np.int64), np.zeros(0, np.int64), n_papers=4)
    with pytest.raises(ParameterError, match="no term is left in any of the 4 papers"):
        counter.limit(TextSettings())
