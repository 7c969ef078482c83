"""Dense rows: latent semantic analysis, and vectors of norm 1."""

import numpy as np
import pytest
from test_distances import build_rows

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.rows import analyse_latent_semantics, normalise_rows
from survey_tools.settings import TextSettings
from survey_tools.text import build_features


def test_rows_of_four_dimensions_keep_their_cosines() -> None:
    """Fifty terms that mix four topics: four components lose nothing."""
    rng = np.random.default_rng(1)
    mixed = rng.random((30, 4)) @ rng.random((4, 50))
    rows = analyse_latent_semantics(build_rows(mixed), 4, seed=1)
    exact = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    assert rows.shape == (30, 4)
    np.testing.assert_allclose(rows @ rows.T, exact @ exact.T, rtol=0, atol=1e-9)


def test_the_seed_decides(mim_corpus: Corpus) -> None:
    """The same seed gives the same bits."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    ours, again, other = (analyse_latent_semantics(features, 5, seed=s) for s in (1, 1, 2))
    assert np.array_equal(ours, again)
    assert not np.array_equal(ours, other)


@pytest.mark.parametrize("n_components", [3, 4, 500])
def test_too_many_components_are_refused(six_papers: Corpus, n_components: int) -> None:
    """Three terms span three dimensions; two can be asked for."""
    features = build_features(six_papers, TextSettings())
    with pytest.raises(
        ParameterError,
        match=rf"^{n_components} components asked of 6 papers and 3 terms; .* at most 2$",
    ):
        analyse_latent_semantics(features, n_components, seed=0)


def test_rows_of_zeros_are_named() -> None:
    """A vector of zeros has no direction."""
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    with pytest.raises(ParameterError, match=r"^1 of 2 papers have a row of zeros: b; drop them$"):
        normalise_rows(rows, ("a", "b"))
    assert normalise_rows(rows[:1], ("a",)).tolist() == [[0.6, 0.8]]
