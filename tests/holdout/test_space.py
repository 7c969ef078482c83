"""Term spaces: training papers as elsewhere, other papers by what training papers say."""

from typing import Any

import numpy as np
import pytest

from survey_tools.corpus import Corpus
from survey_tools.holdout.space import learn_space
from survey_tools.paper import Paper
from survey_tools.settings import TextSettings
from survey_tools.text import build_features, count_terms, tokenise

TEXTS = {
    "a": "mask mask patch pixel",
    "b": "patch token token token",
    "c": "mask video tube",
    "d": "secret secret patch",
}
WEIGHTINGS = ("counts", "binary", "tf-idf", "sublinear-tf-idf", "bm25")


def corpus_of(*keys: str) -> Corpus:
    return Corpus(tuple(Paper(key=key, title=TEXTS[key]) for key in keys))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("norm", ["l1", "l2", "none"])
@pytest.mark.parametrize("limits", [{}, {"min_df": 2}, {"max_df": 0.5}, {"max_features": 2}])
def test_training_papers_are_weighed_as_in_the_survey(
    weighting: str, norm: str, limits: dict[str, Any]
) -> None:
    """The weights are those of build_features on the training papers alone."""
    settings = TextSettings.model_validate({"weighting": weighting, "norm": norm, **limits})
    counts = count_terms(tokenise(corpus_of(*"abcd"), settings, frozenset()), settings)
    training = np.arange(3)
    space = learn_space(counts, training, settings)
    placed = space.place(counts.matrix[training]).toarray()
    expected = build_features(corpus_of(*"abc"), settings, stop_words=frozenset())
    assert space.counts.terms.tolist() == expected.terms.tolist()
    np.testing.assert_allclose(placed, expected.matrix.toarray(), rtol=1e-12)


def test_a_term_of_papers_held_out_alone_is_unknown() -> None:
    """Nothing of the held-out paper d but its common term leaves a trace."""
    settings = TextSettings()
    counts = count_terms(tokenise(corpus_of(*"abcd"), settings, frozenset()), settings)
    space = learn_space(counts, np.arange(3), settings)
    assert "secret" not in space.counts.terms
    row = space.place(counts.matrix[[3]]).toarray()[0]
    assert space.counts.terms[row > 0].tolist() == ["patch"]
    assert row.max() == pytest.approx(1.0)


def test_idf_comes_from_training_papers() -> None:
    """Of 3 training papers 2 hold patch: smoothed idf ln(4 / 3) + 1."""
    settings = TextSettings(norm="none")
    counts = count_terms(tokenise(corpus_of(*"abcd"), settings, frozenset()), settings)
    space = learn_space(counts, np.arange(3), settings)
    row = space.place(counts.matrix[[3]]).toarray()[0]
    assert row[row > 0] == pytest.approx([np.log(4 / 3) + 1])


def test_a_paper_without_known_terms_gets_a_row_of_zeros() -> None:
    """It is no error: the model then knows the shares of the labels alone."""
    settings = TextSettings()
    counts = count_terms(tokenise(corpus_of(*"abcd"), settings, frozenset()), settings)
    space = learn_space(counts, np.array([2]), settings)
    assert space.place(counts.matrix[[1]]).toarray().tolist() == [[0.0, 0.0, 0.0]]
