"""Distances of all pairs: scipy's, without dense rows and without cancellation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import cdist, pdist, squareform

from survey_tools.corpus import Corpus
from survey_tools.distances import (
    DenseRowDistances,
    SparseRowDistances,
    measure_dense_distances,
    measure_distances,
)
from survey_tools.errors import ParameterError
from survey_tools.settings import TextSettings
from survey_tools.text import Counts, Features, build_features

METRICS = ("euclidean", "cosine", "cityblock", "jaccard")


def build_rows(rows: NDArray[np.float64]) -> Features:
    """Build features that hold the given weights."""
    matrix = sparse.csr_array(np.asarray(rows, dtype=np.float64))
    counts = Counts(
        paper_keys=tuple(f"k{i:03d}" for i in range(len(rows))),
        terms=np.array([f"w{i:03d}" for i in range(matrix.shape[1])], dtype=object),
        matrix=sparse.csr_array((matrix != 0).astype(np.int64)),
    )
    return Features(counts=counts, matrix=matrix, settings=TextSettings())


def measure_reference(rows: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Return scipy's distances of dense rows, condensed."""
    return pdist(rows != 0 if metric == "jaccard" else rows, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "options",
    [{}, {"weighting": "counts", "norm": "none"}, {"weighting": "bm25", "norm": "l1"}],
    ids=["tf-idf", "raw counts", "bm25"],
)
def test_bundled_survey_equals_scipy(mim_corpus: Corpus, metric: str, options: dict) -> None:
    """All 16,110 distances of the bundled survey are scipy's to 1e-11."""
    features = build_features(mim_corpus, TextSettings(min_df=2, **options))
    distances = measure_distances(features, metric)
    expected = measure_reference(features.matrix.toarray(), metric)
    assert len(expected) == 180 * 179 // 2
    np.testing.assert_allclose(distances.condensed, expected, rtol=0, atol=1e-11)
    assert distances.paper_keys == features.paper_keys
    assert distances.metric == metric


weights = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0 + 1e-9, 1.0 + 1e-6, 1.001, 3.0, 7.25])
# the first column keeps every row away from zero, as weight_terms does
row_sets = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 9), st.integers(1, 6)), elements=weights
).map(lambda rows: np.column_stack([rows, (rows == 0).all(axis=1)]))


@pytest.mark.parametrize("metric", METRICS)
@given(rows=row_sets)
def test_any_rows_equal_scipy(metric: str, rows: NDArray[np.float64]) -> None:
    """Rows with duplicates, near duplicates and nothing in common are as far as scipy says."""
    square = measure_distances(build_rows(rows), metric).square
    expected = squareform(measure_reference(rows, metric))
    np.testing.assert_allclose(square, expected, rtol=0, atol=1e-11)
    assert np.array_equal(square, square.T)
    assert not square.diagonal().any()


@pytest.mark.parametrize("metric", METRICS)
def test_duplicates_are_exactly_zero_apart(metric: str) -> None:
    """Papers with the same words have distance 0.0, not 1e-8, so that they can be joined at 0."""
    rng = np.random.default_rng(5)
    rows = rng.random((40, 300)) * (rng.random((40, 300)) < 0.3)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    square = measure_distances(build_rows(np.vstack([rows, rows])), metric).square
    assert np.array_equal(square[np.arange(40), np.arange(40) + 40], np.zeros(40))
    assert np.count_nonzero(square) == 80 * 80 - 160  # and nothing else is


@pytest.mark.parametrize("step", [1e-10, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_near_duplicates_keep_their_distance(step: float, scale: float) -> None:
    """A difference of 1e-10 in one weight is a distance of 1e-10, although its square is lost.

    From dot products alone ||x||^2 + ||y||^2 - 2 xy is off by about 1e-16 ||x||^2, which
    leaves nothing of a squared distance of 1e-20.
    """
    row = np.linspace(0.1, 1.0, 30) * scale
    near = row.copy()
    near[3] += step
    distances = measure_distances(build_rows(np.vstack([row, near])), "euclidean")
    assert distances.square[0, 1] == pytest.approx(abs(near[3] - row[3]), rel=0, abs=1e-12)


def test_rows_of_very_different_length() -> None:
    """A short row is not taken for a near duplicate of a long one."""
    rows = np.array([[1e6, 0.0], [1e6, 1.0], [1e-3, 0.0], [1e-3, 1e-3]])
    square = measure_distances(build_rows(rows), "euclidean").square
    assert square == pytest.approx(squareform(pdist(rows)), rel=1e-13, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "within", "across"),
    [
        ("euclidean", 1.0, np.hypot(4, 6)),
        ("cosine", 0.0, 1.0),
        ("cityblock", 1.0, 10.0),
        ("jaccard", 0.0, 1.0),
    ],
)
def test_six_papers_by_hand(six_papers: Corpus, metric: str, within: float, across: float) -> None:
    """p1 and p2 hold 4 and 5 pixels, t2 holds 6 tokens."""
    options = TextSettings(weighting="counts", norm="none")
    distances = measure_distances(build_features(six_papers, options), metric)
    place = {key: i for i, key in enumerate(distances.paper_keys)}
    assert distances.square[place["p1"], place["p2"]] == within
    assert distances.square[place["p1"], place["t2"]] == pytest.approx(across, abs=1e-12)


def test_equal_distances_are_equal_numbers() -> None:
    """Sixty rotations of one row have 29 distances, which summing in any order blurs.

    Rounding makes them equal again, but for the odd one (one of 29 here) that lies on a
    rounding boundary; its two values are then neighbours at the twelfth decimal.
    """
    row = np.random.default_rng(8).random(60)
    rows = np.array([np.roll(row, 7 * i) for i in range(60)])
    square = measure_distances(build_rows(rows), "euclidean").square
    blurred = squareform(pdist(rows))
    ties = [np.diagonal(square, offset=k) for k in range(1, 30)]
    n_blurred = sum(len(set(np.diagonal(blurred, offset=k))) > 1 for k in range(1, 30))
    assert n_blurred > 5
    assert sum(len(set(tie)) > 1 for tie in ties) <= 2
    assert all(np.ptp(tie) < 1.5e-12 for tie in ties)


def test_condensed_is_the_upper_triangle_row_by_row() -> None:
    """Pairs stand as scipy expects them: 01 02 03 12 13 23."""
    rows = np.array([[1.0], [2.0], [4.0], [8.0]])
    distances = measure_distances(build_rows(rows), "cityblock")
    assert distances.condensed.tolist() == [1, 3, 7, 2, 6, 4]


def test_jaccard_ignores_weights() -> None:
    """One common term of three, whatever the weights: distance 2/3."""
    rows = np.array([[9.0, 0.1, 0.0], [0.2, 0.0, 5.0]])
    distances = measure_distances(build_rows(rows), "jaccard")
    assert distances.square[0, 1] == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_features_are_left_as_they_were(mim_corpus: Corpus, metric: str) -> None:
    """Measuring changes no stored entry of the features, nor their order."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    before = [getattr(features.matrix, name).copy() for name in ("data", "indices", "indptr")]
    measure_distances(features, metric)
    after = [getattr(features.matrix, name) for name in ("data", "indices", "indptr")]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(("precision", "needed"), [("float64", "0.016"), ("float32", "0.012")])
def test_too_many_papers_for_the_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch, precision: str, needed: str
) -> None:
    """Before any matrix is made, 1,000 papers are refused where 10 MB are free."""
    monkeypatch.setattr("survey_tools.distances.free_bytes", lambda: 10_000_000)
    monkeypatch.setattr("survey_tools.distances.pairwise_distances", pytest.fail)
    message = (
        rf"^1000 papers need distance matrices of {needed} GB and 0\.01 GB are free; ward, and "
        r"average with cosine, need none; .* condense them \(cluster --condense\)$"
    )
    with pytest.raises(ParameterError, match=message):
        measure_distances(build_rows(np.ones((1000, 1))), "cityblock", precision=precision)
    with pytest.raises(ParameterError, match=message):
        measure_dense_distances(
            tuple(map(str, range(1000))), np.ones((1000, 1)), "cosine", precision=precision
        )


def test_unknown_memory_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell its memory, distances are measured all the same."""
    monkeypatch.setattr("survey_tools.distances.free_bytes", lambda: None)
    assert measure_distances(build_rows(np.eye(2)), "jaccard").square[0, 1] == 1.0


def test_needed_memory_is_said_beforehand(caplog: pytest.LogCaptureFixture) -> None:
    """A log line says how much."""
    with caplog.at_level("INFO"):
        measure_distances(build_rows(np.eye(100)), "cosine")
    assert "100 papers: distance matrices of 0.00016 GB" in caplog.messages


@pytest.mark.parametrize("metric", METRICS)
def test_single_precision_has_six_decimals(mim_corpus: Corpus, metric: str) -> None:
    """Half the memory of the square, and distances right to 1e-6."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    single = measure_distances(features, metric, precision="float32")
    double = measure_distances(features, metric)
    assert single.square.dtype == np.float32
    assert single.condensed.dtype == np.float64
    np.testing.assert_allclose(
        single.square, double.square, rtol=0, atol=1e-6 * double.square.max()
    )
    assert np.array_equal(single.square, single.square.T)


def test_blocks_change_nothing(mim_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix computed seven rows at a time is the same to the bit."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    for metric in METRICS:
        whole = measure_distances(features, metric).square
        with monkeypatch.context() as patch:
            patch.setattr("survey_tools.distances._BLOCK_BYTES", 7 * 8 * 180)
            assert np.array_equal(measure_distances(features, metric).square, whole)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@given(rows=row_sets, seed=st.integers(0, 1000), n_threads=st.integers(1, 3))
def test_sums_over_groups_are_the_same_however_distances_are_kept(
    metric: str, rows: NDArray[np.float64], seed: int, n_threads: int
) -> None:
    """Square matrix, sparse rows and dense rows give scipy's sums."""
    n = len(rows)
    codes = np.random.default_rng(seed).integers(0, max(1, n // 2), n)
    codes = np.unique(codes, return_inverse=True)[1]
    expected = cdist(rows, rows, metric) @ np.eye(codes.max() + 1)[codes]
    features = build_rows(rows)
    keys = features.paper_keys
    kept = (
        measure_distances(features, metric),
        SparseRowDistances(
            paper_keys=keys, metric=metric, rows=features.matrix, n_threads=n_threads
        ),
        DenseRowDistances(paper_keys=keys, metric=metric, rows=rows),
    )
    for distances in kept:
        np.testing.assert_allclose(distances.sum_to_groups(codes), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [SparseRowDistances, DenseRowDistances])
def test_sums_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """A thousand papers in as many clusters need 8 MB (16 with one thread's copy)."""
    monkeypatch.setattr("survey_tools.distances.free_bytes", lambda: 1_000_000)
    rows = np.ones((1000, 1))
    given_rows = sparse.csr_array(rows) if kind is SparseRowDistances else rows
    kept = kind(paper_keys=tuple(map(str, range(1000))), metric="euclidean", rows=given_rows)
    with pytest.raises(ParameterError, match=r"are free; cut the tree into fewer clusters$"):
        kept.sum_to_groups(np.arange(1000))


@pytest.mark.parametrize("metric", ["cityblock", "jaccard"])
def test_dense_rows_have_no_distances_of_terms(metric: str) -> None:
    """Cityblock and jaccard are defined on weights of terms."""
    with pytest.raises(ParameterError, match=f"{metric} distances are for terms"):
        measure_dense_distances(("a", "b"), np.eye(2), metric)
