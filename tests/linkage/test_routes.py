"""Distances -> Tree: scipy's merges, one order of papers, leaves in the best order."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.distances import (
    DenseRowDistances,
    Distances,
    SparseRowDistances,
    measure_distances,
)
from survey_tools.errors import ParameterError
from survey_tools.linkage.routes import build_tree, choose_distances, needs_matrix
from survey_tools.paper import Paper
from survey_tools.settings import ClusteringSettings, TextSettings
from survey_tools.text import build_features
from survey_tools.tree import same_merges
from survey_tools.tree_formats import to_newick

ANY_METRIC = ("average", "complete", "single", "weighted")
CENTROID_BASED = ("ward", "centroid", "median")
METRICS = ("euclidean", "cosine", "cityblock", "jaccard")
PAIRINGS = [
    *product(ANY_METRIC, METRICS),
    *((linkage, "euclidean") for linkage in CENTROID_BASED),
]
COUNTS = TextSettings(weighting="counts", norm="none")


def build_distances(square: NDArray[np.float64], keys: tuple[str, ...] = ()) -> Distances:
    """Wrap a square matrix; the metric is said to be Euclidean."""
    keys = keys or tuple(f"k{i:02d}" for i in range(len(square)))
    return Distances(paper_keys=keys, metric="euclidean", square=square)


def settle(linkage: str, metric: str = "euclidean", order: str = "merge") -> ClusteringSettings:
    """Return clustering settings."""
    return ClusteringSettings(linkage=linkage, metric=metric, leaf_order=order)


def as_sets(codes: NDArray[np.intp]) -> set[frozenset[int]]:
    """Return flat clusters as sets of places, whatever their numbers."""
    return {frozenset(np.flatnonzero(codes == code).tolist()) for code in set(codes.tolist())}


@pytest.mark.parametrize(("linkage", "metric"), PAIRINGS)
def test_bundled_survey_equals_scipy(mim_corpus: Corpus, linkage: str, metric: str) -> None:
    """Merge heights are scipy's on dense rows to 1e-9, and so is every cut that ties allow."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    tree = build_tree(measure_distances(features, metric), settle(linkage, metric))
    rows = features.matrix.toarray()
    condensed = pdist(rows != 0 if metric == "jaccard" else rows, metric)
    expected = hierarchy.linkage(condensed, method=linkage)
    np.testing.assert_allclose(tree.heights, expected[:, 2], rtol=0, atol=1e-9)
    assert tree.paper_keys == features.paper_keys
    assert (tree.linkage, tree.metric) == (linkage, metric)
    gaps = np.diff(np.sort(hierarchy.maxdists(expected)))
    # merges closer than 1e-9 are ties that rounding may order either way
    settled = [k for k in range(2, 180) if gaps[180 - k - 1] > 1e-9]
    assert len(settled) >= 12  # centroid and median invert, so many merges share a ceiling
    for n_clusters in settled:
        flat = hierarchy.fcluster(expected, n_clusters, criterion="maxclust")
        assert as_sets(cut(tree, n_clusters).codes) == as_sets(flat)


@pytest.mark.parametrize(("linkage", "metric"), PAIRINGS)
@given(seed=st.integers(0, 2**32 - 1), n_papers=st.integers(2, 14))
def test_any_points_equal_scipy(linkage: str, metric: str, seed: int, n_papers: int) -> None:
    """Random points without ties give scipy's merges themselves, also where heights invert."""
    rows = np.random.default_rng(seed).random((n_papers, 3))
    condensed = pdist(rows, "cityblock" if metric == "jaccard" else metric)
    distances = Distances(
        paper_keys=tuple(f"k{i:02d}" for i in range(n_papers)),
        metric=metric,
        square=squareform(condensed),
    )
    tree = build_tree(distances, settle(linkage, metric))
    expected = hierarchy.linkage(condensed, method=linkage)
    assert np.array_equal(tree.children, expected[:, :2])
    np.testing.assert_allclose(tree.heights, expected[:, 2], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("linkage", "metric", "heights"),
    [
        # pixels at 4 and 5, tokens at 4 and 6, videos at 8 and 11, each on its own axis
        ("average", "cityblock", (1, 2, 3, 9.5, 14.25)),  # 4.5 + 5; the mean of 14 and 14.5
        ("weighted", "cityblock", (1, 2, 3, 9.5, 14.25)),
        ("single", "cityblock", (1, 2, 3, 8, 12)),  # 4 + 4; 4 + 8
        ("complete", "cityblock", (1, 2, 3, 11, 17)),  # 5 + 6; 6 + 11
        ("single", "euclidean", (1, 2, 3, np.sqrt(32), np.sqrt(80))),
        ("complete", "euclidean", (1, 2, 3, np.sqrt(61), np.sqrt(157))),
        # centroids (4.5, 5, 9.5): |a-b|^2 = 45.25; then (2.25, 2.5) and 9.5: 101.5625
        ("centroid", "euclidean", (1, 2, 3, np.sqrt(45.25), np.sqrt(101.5625))),
        ("median", "euclidean", (1, 2, 3, np.sqrt(45.25), np.sqrt(101.5625))),
        # Ward: |a-b| sqrt(2 n_a n_b / (n_a + n_b)), factors 2 (pairs) and 8/3 (four and two)
        ("ward", "euclidean", (1, 2, 3, np.sqrt(90.5), np.sqrt(8 / 3 * 101.5625))),
    ],
)
def test_six_papers_by_hand(
    six_papers: Corpus, linkage: str, metric: str, heights: tuple[float, ...]
) -> None:
    """Pixels join at 1, tokens at 2, videos at 3; then pixels with tokens; videos last."""
    distances = measure_distances(build_features(six_papers, COUNTS), metric)
    tree = build_tree(distances, settle(linkage, metric))
    merged = [set(subtree.paper_keys) for subtree in tree.subtrees()]
    assert merged[:3] == [{"p1", "p2"}, {"t1", "t2"}, {"v1", "v2"}]
    assert merged[3] == {"p1", "p2", "t1", "t2"}
    assert tree.heights == pytest.approx(heights, abs=1e-9)


@pytest.mark.parametrize("linkage", CENTROID_BASED)
@pytest.mark.parametrize("metric", ["cosine", "cityblock", "jaccard"])
def test_centroids_need_euclidean_distances(linkage: str, metric: str) -> None:
    """Ward on cosine distances has heights without meaning; the message says what to use."""
    refusal = f"{linkage} linkage measures distances to centroids .* no meaning with {metric} "
    with pytest.raises(ValueError, match=refusal + "distances; use metric euclidean"):
        settle(linkage, metric)
    unchecked = ClusteringSettings.model_construct(linkage=linkage, metric=metric)
    distances = Distances(paper_keys=("a", "b"), metric=metric, square=1.0 - np.eye(2))
    with pytest.raises(ParameterError, match=refusal):
        build_tree(distances, unchecked)


def test_distances_in_another_metric_are_refused() -> None:
    """Settings ask for Euclidean, cosine arrives."""
    distances = Distances(paper_keys=("a", "b"), metric="cosine", square=1.0 - np.eye(2))
    with pytest.raises(ParameterError, match="euclidean was asked, cosine distances arrived"):
        build_tree(distances, settle("average"))


@pytest.mark.parametrize("n_papers", [0, 1])
def test_fewer_than_two_papers_are_refused(n_papers: int) -> None:
    """One paper makes no tree."""
    with pytest.raises(ParameterError, match=f"at least 2 papers; {n_papers} arrived"):
        build_tree(build_distances(np.zeros((n_papers, n_papers))), settle("ward"))


def test_two_papers_are_enough() -> None:
    """The smallest tree has one merge at the distance of its two papers."""
    tree = build_tree(build_distances(np.array([[0.0, 3.0], [3.0, 0.0]])), settle("ward"))
    assert to_newick(tree) == "(k00:3,k01:3);\n"


@pytest.mark.parametrize("order", ["merge", "optimal"])
@pytest.mark.parametrize("linkage", [*ANY_METRIC, *CENTROID_BASED])
@given(data=st.data(), n_papers=st.integers(2, 9))
def test_order_of_the_papers_changes_nothing(
    linkage: str, order: str, data: st.DataObject, n_papers: int
) -> None:
    """Distances in another order of the papers, full of ties, give the same tree entirely."""
    n_pairs = n_papers * (n_papers - 1) // 2
    steps = data.draw(st.lists(st.integers(0, 3), min_size=n_pairs, max_size=n_pairs))
    shuffled = data.draw(st.permutations(range(n_papers)))
    square = squareform(np.array(steps, dtype=float))
    keys = tuple(f"k{i}" for i in range(n_papers))
    tree = build_tree(build_distances(square, keys), settle(linkage, order=order))
    other = build_tree(
        build_distances(square[np.ix_(shuffled, shuffled)], tuple(keys[i] for i in shuffled)),
        settle(linkage, order=order),
    )
    assert other.paper_keys == tree.paper_keys
    assert np.array_equal(other.children, tree.children)
    assert np.array_equal(other.heights, tree.heights)
    assert to_newick(other) == to_newick(tree)


@given(shuffled=st.permutations(range(8)))
def test_order_of_the_file_changes_nothing(shuffled: list[int]) -> None:
    """From text to Newick, papers with equal titles and tied distances included."""
    titles = [
        "mask patch",
        "mask patch",
        "patch token",
        "token mask",
        "mask",
        "patch",
        "token",
        "a b",
    ]
    papers = [Paper(key=f"k{i}", title=title) for i, title in enumerate(titles)]
    options = TextSettings(token_pattern=r"\w+", stop_words="none")  # noqa: S106
    written = set()
    for corpus in (Corpus(tuple(papers)), Corpus(tuple(papers[i] for i in shuffled))):
        distances = measure_distances(build_features(corpus, options), "cosine")
        written.add(to_newick(build_tree(distances, settle("average", "cosine", "auto"))))
    assert len(written) == 1


def test_automatic_order_is_optimal_for_few_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Automatic means optimal up to the limit, and the order by ends above it."""
    square = squareform(pdist(np.random.default_rng(3).random((12, 3))))
    trees = {
        order: to_newick(build_tree(build_distances(square), settle("average", order=order)))
        for order in ("auto", "optimal", "ends", "merge")
    }
    assert trees["auto"] == trees["optimal"] != trees["ends"] != trees["merge"]
    monkeypatch.setattr("survey_tools.linkage.routes._N_OPTIMAL_LEAVES", 11)
    automatic = build_tree(build_distances(square), settle("average", order="auto"))
    assert to_newick(automatic) == trees["ends"]


@pytest.mark.parametrize("linkage", [*ANY_METRIC, *CENTROID_BASED])
def test_equal_papers_join_at_zero(linkage: str) -> None:
    """Three copies and one other paper: two merges at height 0, the copies first."""
    square = np.ones((4, 4))
    square[:3, :3] = 0.0
    np.fill_diagonal(square, 0.0)
    tree = build_tree(build_distances(square), settle(linkage, order="optimal"))
    assert tree.heights[:2].tolist() == [0.0, 0.0]
    assert set(tree.papers_under(5)) == {"k00", "k01", "k02"}


@given(seed=st.integers(0, 2**32 - 1))
def test_single_linkage_is_the_largest_step_of_the_best_path(seed: int) -> None:
    """Two papers join at the smallest largest step of all paths between them (brute force)."""
    square = squareform(pdist(np.random.default_rng(seed).random((5, 2))))
    tree = build_tree(build_distances(square), settle("single"))
    joined = squareform(hierarchy.cophenet(tree.to_linkage()))
    for i, j in combinations(range(5), 2):
        others = [k for k in range(5) if k not in (i, j)]
        paths = [(i, *middle, j) for n in range(4) for middle in permutations(others, n)]
        bottleneck = min(max(square[path[:-1], path[1:]]) for path in paths)
        assert joined[i, j] == pytest.approx(bottleneck, abs=1e-9)


@pytest.mark.parametrize("n_groups", [3, 4, 5, 7])
def test_equal_groups_cannot_be_split_by_rounding_noise(n_groups: int) -> None:
    """Identical groups, all equally far apart, are tied; Ward's updates must not part them."""
    titles = {f"p{i}{j}": f"word{i}a word{i}b word{i}c" for i in range(n_groups) for j in range(2)}
    corpus = Corpus(tuple(Paper(key=key, title=title) for key, title in titles.items()))
    features = build_features(corpus, TextSettings())
    tree = build_tree(measure_distances(features, "euclidean"), settle("ward"))
    between = tree.heights[tree.heights > 0]
    pairs_at_first = n_groups // 2
    assert len(set(between[:pairs_at_first])) == 1
    with pytest.raises(ParameterError, match="tied at height"):
        cut(tree, n_groups - 1)


def test_small_surveys_and_most_linkages_use_a_matrix() -> None:
    """Ward, and average with cosine, work from rows beyond 2,000 papers, unless told otherwise."""
    assert needs_matrix(settle("ward"), 2000)
    assert not needs_matrix(settle("ward"), 2001)
    assert not needs_matrix(settle("average", "cosine"), 2001)
    assert needs_matrix(settle("average"), 2001)
    assert needs_matrix(settle("complete", "cosine"), 2001)
    assert needs_matrix(settle("ward", order="optimal"), 2001)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("linkage", "metric"), [("ward", "euclidean"), ("average", "cosine")])
def test_every_route_gives_the_same_tree(
    mim_corpus: Corpus, monkeypatch: pytest.MonkeyPatch, linkage: str, metric: str, dense: bool
) -> None:
    """From a matrix or from rows, sparse or dense, the bundled survey has one tree."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    rows = features.matrix.toarray() if dense else None
    settings = settle(linkage, metric, order="ends")
    by_matrix = build_tree(choose_distances(features, settings, dense=rows), settings)
    monkeypatch.setattr("survey_tools.linkage.routes._N_IN_MATRIX", 10)
    distances = choose_distances(features, settings, dense=rows)
    assert isinstance(distances, DenseRowDistances if dense else SparseRowDistances)
    by_rows = build_tree(distances, settings)
    assert same_merges(by_matrix, by_rows, tolerance=1e-9)
    assert by_matrix.keys_in_leaf_order == by_rows.keys_in_leaf_order


@pytest.mark.parametrize("dense", [False, True])
def test_the_order_of_rows_changes_nothing(
    mim_corpus: Corpus, monkeypatch: pytest.MonkeyPatch, dense: bool
) -> None:
    """Papers are sorted by key on every route."""
    monkeypatch.setattr("survey_tools.linkage.routes._N_IN_MATRIX", 10)
    features = build_features(mim_corpus, TextSettings(min_df=2))
    order = np.random.default_rng(1).permutation(180)
    trees = []
    for places in (np.arange(180), order):
        rows = features.matrix[places]
        kind = DenseRowDistances if dense else SparseRowDistances
        kept = kind(
            paper_keys=tuple(features.paper_keys[i] for i in places),
            metric="euclidean",
            rows=rows.toarray() if dense else sparse.csr_array(rows),
        )
        trees.append(to_newick(build_tree(kept, settle("ward", order="auto"))))
    assert trees[0] == trees[1]


def test_rows_do_not_serve_every_linkage() -> None:
    """Complete linkage has no form without the distances of all pairs."""
    kept = SparseRowDistances(
        paper_keys=("a", "b"), metric="cosine", rows=sparse.csr_array(np.eye(2))
    )
    with pytest.raises(ParameterError, match="complete linkage of cosine distances needs the matr"):
        build_tree(kept, settle("complete", "cosine"))


def test_the_optimal_order_needs_a_matrix() -> None:
    """Asked for by name, it is refused from rows; automatic order is by ends there."""
    kept = SparseRowDistances(
        paper_keys=("a", "b"), metric="euclidean", rows=sparse.csr_array(np.eye(2))
    )
    assert build_tree(kept, settle("ward", order="auto")).n_papers == 2
    with pytest.raises(ParameterError, match="optimal leaf order needs the matrix"):
        build_tree(kept, settle("ward", order="optimal"))
