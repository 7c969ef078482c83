"""Dispersion and silhouette of all cuts of a tree: by hand, by brute force, by scikit-learn."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score

from survey_tools.clusters import SilhouetteOfCuts
from survey_tools.cuts import cut, find_finest_cut
from survey_tools.distances import Distances, measure_dense_distances
from survey_tools.errors import ParameterError
from survey_tools.robustness.cut_curves import (
    correlate_cophenetic,
    measure_curves,
    measure_log_dispersion,
    measure_silhouettes,
)
from survey_tools.settings import Metric
from survey_tools.tree import Tree


def name_papers(n: int) -> tuple[str, ...]:
    """Return so many sorted keys."""
    return tuple(f"p{i:03d}" for i in range(n))


def draw_tree(
    n: int, seed: int, *, linkage: str = "ward", metric: Metric = "euclidean", n_values: int = 0
) -> tuple[Tree, Distances, NDArray[np.float64]]:
    """Draw points and merge them; a few whole numbers make ties."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 1 + n_values, (n, 3)) if n_values else 0.1 + rng.random((n, 3))
    keys = name_papers(n)
    distances = measure_dense_distances(keys, rows.astype(np.float64), metric)
    merges = hierarchy.linkage(distances.condensed, linkage)
    merges[:, 2] = np.round(merges[:, 2], 10)
    return Tree.from_linkage(merges, keys, linkage=linkage, metric=metric), distances, rows


def cut_or_none(tree: Tree, n_clusters: int) -> NDArray[np.intp] | None:
    """Return the clusters of a cut, or None where `cut` refuses it."""
    try:
        return cut(tree, n_clusters).codes
    except ParameterError:
        return None


def line_up(*places: float) -> tuple[Tree, Distances]:
    """Merge papers on a line by single linkage."""
    keys = tuple("abcdefgh"[: len(places)])
    rows = np.array(places)[:, None]
    distances = measure_dense_distances(keys, rows, "euclidean")
    return Tree.from_linkage(hierarchy.linkage(rows, "single"), keys), distances


def test_dispersion_of_four_papers_by_hand() -> None:
    """At 0, 2, 10 and 14: around the mean 6.5 the squares sum to 131; 2 + 8, then 2."""
    tree, distances = line_up(0, 2, 10, 14)
    found = measure_log_dispersion(tree, distances, (1, 2, 3, 4, 5))
    np.testing.assert_allclose(found, [np.log(131), np.log(10), np.log(2), np.nan, np.nan])


def test_silhouettes_of_four_papers_by_hand() -> None:
    """At 0, 2, 10 and 14, cut into two pairs, then with 10 and 14 alone."""
    tree, distances = line_up(0, 2, 10, 14)
    two = np.mean([1 - 2 / 12, 1 - 2 / 10, 1 - 4 / 9, 1 - 4 / 13])
    three = np.mean([1 - 2 / 10, 1 - 2 / 8, 0, 0])
    found = measure_silhouettes(tree, distances, (2, 3, 4, 5))
    np.testing.assert_allclose(found, [two, three, np.nan, np.nan])


@pytest.mark.parametrize("linkage", ["ward", "average", "complete", "single", "centroid", "median"])
@pytest.mark.parametrize("n_values", [0, 3])
def test_dispersion_equals_sums_of_squares_around_the_means(linkage: str, n_values: int) -> None:
    """Every cut that ties and inversions allow, computed from the rows; the others are NaN."""
    tree, distances, rows = draw_tree(25, 1, linkage=linkage, n_values=n_values)
    numbers = tuple(range(1, 28))
    found = measure_log_dispersion(tree, distances, numbers)
    n_found = 0
    for k, value in zip(numbers, found, strict=True):
        codes = cut_or_none(tree, k)
        w = 0.0
        if codes is not None:
            w = sum(
                ((rows[codes == c] - rows[codes == c].mean(axis=0)) ** 2).sum()
                for c in codes_of(codes)
            )
        if w == 0:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(np.log(w), abs=1e-9)
            n_found += 1
    assert n_found == np.isfinite(found).sum() > (0 if n_values else 10)


def codes_of(codes: NDArray[np.intp]) -> range:
    """Return all codes used."""
    return range(int(codes.max()) + 1)


def test_dispersion_sums_the_squares_of_all_pairs() -> None:
    """The definition: squared distances of ordered pairs of a cluster over twice its size."""
    tree, distances, _ = draw_tree(20, 2)
    for k in (1, 2, 5, 19):
        codes = cut(tree, k).codes
        w = 0.0
        for c in codes_of(codes):
            inside = distances.square[np.ix_(codes == c, codes == c)]
            w += (inside**2).sum() / (2 * len(inside))
        assert measure_log_dispersion(tree, distances, (k,))[0] == pytest.approx(np.log(w))


def test_cosine_distances_stand_for_rows_of_norm_1() -> None:
    """Dispersion from cosine distances equals that from the distances of scaled rows."""
    tree, distances, rows = draw_tree(20, 3, linkage="average", metric="cosine")
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    euclidean = measure_dense_distances(distances.paper_keys, unit, "euclidean")
    numbers = tuple(range(1, 20))
    np.testing.assert_allclose(
        measure_log_dispersion(tree, distances, numbers),
        measure_log_dispersion(tree, euclidean, numbers),
        atol=1e-9,
    )


@pytest.mark.parametrize("linkage", ["ward", "average", "complete", "single", "centroid"])
@pytest.mark.parametrize("n_values", [0, 3])
def test_silhouettes_equal_scikit_learns(linkage: str, n_values: int) -> None:
    """Every cut into 2 to n - 1 clusters that ties and inversions allow."""
    tree, distances, _ = draw_tree(25, 4, linkage=linkage, n_values=n_values)
    numbers = tuple(range(2, 28))
    found = measure_silhouettes(tree, distances, numbers)
    for k, value in zip(numbers, found, strict=True):
        codes = cut_or_none(tree, k)
        if codes is None or k >= 25:
            assert np.isnan(value)
        else:
            expected = silhouette_score(distances.square, codes, metric="precomputed")
            assert value == pytest.approx(expected, abs=1e-12)
    assert np.isfinite(found).sum() > (0 if n_values else 10)


def test_silhouettes_equal_those_of_the_cut_by_silhouette() -> None:
    """The class that `cluster` uses finds the same values."""
    tree, distances, _ = draw_tree(60, 5, linkage="average", metric="cosine")
    measure = SilhouetteOfCuts(distances, find_finest_cut(tree, fewest=2, most=12))
    expected = [measure(cut(tree, k)) for k in range(2, 13)]
    found = measure_silhouettes(tree, distances, tuple(range(2, 13)))
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_numbers_may_be_any_and_each_stands_by_itself() -> None:
    """A curve at some numbers is what the whole curve has there."""
    tree, distances, _ = draw_tree(30, 6)
    whole = tuple(range(2, 30))
    for measure in (measure_silhouettes, measure_log_dispersion):
        some = measure(tree, distances, (17, 3, 8))
        everything = measure(tree, distances, whole)
        np.testing.assert_allclose(some, everything[[15, 1, 6]], rtol=1e-13)


@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=11, max_size=11))
def test_neither_the_order_of_papers_nor_rotation_changes_a_curve(
    order: list[int], turned: list[bool]
) -> None:
    """Distances with papers in another order, children swapped."""
    tree, distances, _ = draw_tree(12, 7)
    children = np.where(np.array(turned)[:, None], tree.children[:, ::-1], tree.children)
    twin = Tree(paper_keys=tree.paper_keys, children=children, heights=tree.heights)
    shuffled = Distances(
        paper_keys=tuple(distances.paper_keys[i] for i in order),
        metric="euclidean",
        square=distances.square[np.ix_(order, order)],
    )
    numbers = tuple(range(2, 12))
    for measure in (measure_silhouettes, measure_log_dispersion):
        np.testing.assert_allclose(
            measure(tree, distances, numbers), measure(twin, shuffled, numbers), atol=1e-12
        )
    assert correlate_cophenetic(tree, distances) == pytest.approx(
        correlate_cophenetic(twin, shuffled)
    )


def test_numbers_that_ties_forbid_are_nan() -> None:
    """Three merges at height 1: five papers in a row give 1, 2 or 5 clusters, never 3 or 4."""
    tree, distances = line_up(0, 1, 2, 3, 10)
    found = measure_log_dispersion(tree, distances, (1, 2, 3, 4, 5))
    np.testing.assert_allclose(found, [np.log(62.8), np.log(5), np.nan, np.nan, np.nan])
    assert np.isfinite(measure_silhouettes(tree, distances, (2, 3, 4))).tolist() == [
        True,
        False,
        False,
    ]


def test_equal_papers_have_no_logarithm() -> None:
    """Two pairs of equal papers: nothing is left inside two clusters; silhouette 1."""
    tree, distances = line_up(0, 0, 5, 5)
    np.testing.assert_allclose(
        measure_log_dispersion(tree, distances, (1, 2)), [np.log(25), np.nan]
    )
    assert measure_silhouettes(tree, distances, (2,))[0] == 1


def test_all_equal_papers_give_no_curve_but_no_error() -> None:
    """Every distance is 0: all merges are tied, nothing correlates."""
    tree, distances = line_up(3, 3, 3, 3)
    curves = measure_curves(tree, distances, (2, 3))
    assert curves == {
        "silhouette": (None, None),
        "log dispersion": (None, None, None),
        "cophenetic correlation": (None,),
    }


def test_cophenetic_correlation_equals_scipys() -> None:
    """Average linkage of 40 points."""
    tree, distances, _ = draw_tree(40, 8, linkage="average")
    expected, _ = hierarchy.cophenet(tree.to_linkage(), distances.condensed)
    assert correlate_cophenetic(tree, distances) == pytest.approx(expected, abs=1e-12)


def test_curves_of_an_outcome_are_numbers_that_json_can_write() -> None:
    """Dispersion starts at 1 cluster; values are rounded; jaccard has no dispersion."""
    tree, distances = line_up(0, 2, 10, 14)
    assert measure_curves(tree, distances, (2, 3, 4)) == {
        "silhouette": (
            round(float(np.mean([10 / 12, 8 / 10, 5 / 9, 9 / 13])), 12),
            round(float(np.mean([8 / 10, 6 / 8, 0, 0])), 12),
            None,
        ),
        "cophenetic correlation": (
            round(float(np.corrcoef(pdist([[0], [2], [10], [14]]), [2, 8, 8, 8, 8, 4])[0, 1]), 12),
        ),
        "log dispersion": (
            round(float(np.log(131)), 12),
            round(float(np.log(10)), 12),
            round(float(np.log(2)), 12),
            None,
        ),
    }
    jaccard = Distances(
        paper_keys=distances.paper_keys, metric="jaccard", square=distances.square / 14
    )
    assert set(measure_curves(tree, jaccard, (2,))) == {"silhouette", "cophenetic correlation"}


def test_distances_in_single_precision_serve() -> None:
    """Sums are made in double precision."""
    tree, distances, rows = draw_tree(30, 9)
    single = Distances(
        paper_keys=distances.paper_keys,
        metric="euclidean",
        square=squareform(pdist(rows)).astype(np.float32),
    )
    numbers = tuple(range(2, 30))
    for measure in (measure_silhouettes, measure_log_dispersion):
        found = measure(tree, single, numbers)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, measure(tree, distances, numbers), atol=1e-5)


def test_what_cannot_be_measured_is_refused() -> None:
    """Other papers, a metric without squares, numbers that are too small."""
    tree, distances = line_up(0, 2, 10, 14)
    other = Distances(paper_keys=tuple("abcx"), metric="euclidean", square=distances.square)
    jaccard = Distances(paper_keys=tuple("abcd"), metric="jaccard", square=distances.square)
    for measure in (measure_silhouettes, measure_log_dispersion):
        with pytest.raises(ParameterError, match="tree and distances hold different papers"):
            measure(tree, other, (2,))
    with pytest.raises(ParameterError, match="euclidean or cosine distances; jaccard arrived"):
        measure_log_dispersion(tree, jaccard, (2,))
    with pytest.raises(ParameterError, match=re.escape("start at 1 here; 0 arrived")):
        measure_log_dispersion(tree, distances, (0, 1))
    with pytest.raises(ParameterError, match=re.escape("start at 2 here; 1 arrived")):
        measure_silhouettes(tree, distances, (1, 2))
