"""What a cluster is about: central papers, silhouettes, and terms worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_samples, silhouette_score

from survey_tools.clusters import describe_clusters, score_terms
from survey_tools.corpus import Corpus
from survey_tools.distances import Distances, measure_distances
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.settings import TextSettings
from survey_tools.text import Counts, Features, build_features, weight_terms

COUNTS = TextSettings(weighting="counts", norm="none")


def build_counted(rows: list[list[int]], keys: str = "", terms: str = "") -> Features:
    """Build raw counts of terms u, v, w and so on in papers a, b, c and so on."""
    matrix = np.array(rows, dtype=np.int64)
    counts = Counts(
        paper_keys=tuple(keys or "abcdefghijkl"[: len(matrix)]),
        terms=np.array(list(terms or "uvwxyz"[: matrix.shape[1]]), dtype=object),
        matrix=sparse.csr_array(matrix),
    )
    return weight_terms(counts, COUNTS)


def group(keys: str | tuple[str, ...], names: str) -> Partition:
    """Build a partition from keys and one letter of a group each."""
    return Partition.from_mapping(dict(zip(keys, names, strict=True)))


@st.composite
def clustered_points(draw: st.DrawFn) -> tuple[NDArray[np.float64], Partition]:
    """Draw points on a small grid (so that ties abound) and a partition of them."""
    n = draw(st.integers(2, 12))
    points = draw(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=n, max_size=n))
    names = draw(st.lists(st.sampled_from("xyz"), min_size=n, max_size=n))
    keys = draw(st.permutations([f"k{i:02d}" for i in range(n)]))
    square = squareform(pdist(np.array(points, dtype=float)))
    return square, group(tuple(keys), "".join(names))


@given(case=clustered_points())
def test_medoid_has_the_smallest_mean_distance(
    case: tuple[NDArray[np.float64], Partition],
) -> None:
    """Brute force over a cluster's papers, from the most to the least central, ties by key."""
    square, partition = case
    keys = partition.paper_keys
    distances = Distances(paper_keys=keys, metric="euclidean", square=square)
    features = build_counted([[1]] * len(keys))
    counts = Counts(paper_keys=keys, terms=features.terms, matrix=features.counts.matrix)
    features = Features(counts=counts, matrix=features.matrix, settings=COUNTS)
    for cluster in describe_clusters(features, distances, partition):
        members = partition.members(cluster.name)
        place = {key: keys.index(key) for key in members}
        mean = {
            key: round(math.fsum(square[place[key], place[other]] for other in members), 9)
            for key in members
        }
        assert list(cluster.paper_keys) == sorted(members, key=lambda key: (mean[key], key))
        assert cluster.medoid == cluster.paper_keys[0]
        assert cluster.size == len(members)
        assert list(cluster.silhouette_of) == list(cluster.paper_keys)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "cityblock", "jaccard"])
def test_silhouettes_equal_sklearns(mim_corpus: Corpus, metric: str) -> None:
    """Silhouettes of papers and clusters are scikit-learn's on dense rows, to 1e-9."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    names = np.random.default_rng(4).choice(list("pqrs"), len(mim_corpus))
    partition = group(features.paper_keys, "".join(names))
    clusters = describe_clusters(features, measure_distances(features, metric), partition)
    rows = features.matrix.toarray()
    if metric == "jaccard":
        rows = rows != 0
    expected = silhouette_samples(rows, names, metric=metric)
    by_key = dict(zip(features.paper_keys, expected, strict=True))
    for cluster in clusters:
        for key, value in cluster.silhouette_of.items():
            assert value == pytest.approx(by_key[key], abs=1e-9)
        mean = np.mean([by_key[key] for key in partition.members(cluster.name)])
        assert cluster.silhouette == pytest.approx(mean, abs=1e-9)
    overall = sum(cluster.silhouette * cluster.size for cluster in clusters) / len(mim_corpus)
    assert overall == pytest.approx(silhouette_score(rows, names, metric=metric), abs=1e-9)


def test_silhouettes_by_hand(six_papers: Corpus) -> None:
    """p1 is 1 from p2 and on average 9 (tokens) or 13.5 (videos) from the rest: (9 - 1) / 9."""
    features = build_features(six_papers, COUNTS)
    distances = measure_distances(features, "cityblock")
    clusters = describe_clusters(features, distances, group(features.paper_keys, "ppttvv"))
    assert clusters[0].silhouette_of["p1"] == pytest.approx(8 / 9)
    assert clusters[0].silhouette_of["p2"] == pytest.approx((10 - 1) / 10)
    assert clusters[0].silhouette == pytest.approx((8 / 9 + 9 / 10) / 2)
    assert clusters[2].silhouette_of["v2"] == pytest.approx((15.5 - 3) / 15.5)


def test_a_paper_alone_has_silhouette_zero(six_papers: Corpus) -> None:
    """Rousseeuw's rule for clusters of one."""
    features = build_features(six_papers, COUNTS)
    distances = measure_distances(features, "euclidean")
    alone = describe_clusters(features, distances, group(features.paper_keys, "abbbbb"))[0]
    assert (alone.paper_keys, alone.silhouette) == (("p1",), 0.0)


@pytest.mark.parametrize("names", ["aaaaaa", "abcdef"], ids=["one cluster", "all alone"])
def test_no_silhouette_without_a_choice(six_papers: Corpus, names: str) -> None:
    """One cluster, or every paper its own: there is nothing to measure, and no error."""
    features = build_features(six_papers, COUNTS)
    distances = measure_distances(features, "euclidean")
    clusters = describe_clusters(features, distances, group(features.paper_keys, names))
    assert len(clusters) == len(set(names))
    assert {cluster.silhouette for cluster in clusters} == {None}
    assert all(value == 0.0 for c in clusters for value in c.silhouette_of.values())
    assert sum(cluster.size for cluster in clusters) == 6


# Three terms u, v, w. Cluster X = {a, b} holds u 4, v 1, w 0 (5 tokens); cluster Y = {c}
# holds u 1, v 1, w 3 (5 tokens). Ten tokens in all: u 5, v 2, w 3.
COUNTED = [[3, 1, 0], [1, 0, 0], [1, 1, 3]]


def test_mean_weight_by_hand() -> None:
    """The mean of the papers' weights."""
    scores = score_terms(build_counted(COUNTED), group("abc", "XXY"), "mean-weight")
    assert scores.tolist() == [[2.0, 0.5, 0.0], [1.0, 1.0, 3.0]]


def test_class_tf_idf_by_hand() -> None:
    """Share of the cluster's tokens times ln(1 + 5 / tokens of the term): 5 tokens a cluster."""
    scores = score_terms(build_counted(COUNTED), group("abc", "XXY"), "class-tf-idf")
    idf = [math.log(1 + 5 / 5), math.log(1 + 5 / 2), math.log(1 + 5 / 3)]
    expected = [
        [4 / 5 * idf[0], 1 / 5 * idf[1], 0.0],
        [1 / 5 * idf[0], 1 / 5 * idf[1], 3 / 5 * idf[2]],
    ]
    assert scores == pytest.approx(np.array(expected), abs=1e-15)


def test_log_likelihood_by_hand() -> None:
    """Dunning's G2 from its four observed and expected counts.

    u stands 4 of 5 times inside X: 2 (4 ln 4/2.5 + 1 ln 1/2.5 + 1 ln 1/2.5 + 4 ln 4/2.5).
    v stands as often inside as outside: 0. w stands 3 times, all outside X, so X's sign is
    negative: 2 (0 + 3 ln 3/1.5 + 5 ln 5/3.5 + 2 ln 2/3.5).
    """
    scores = score_terms(build_counted(COUNTED), group("abc", "XXY"), "log-likelihood")
    u = 2 * (8 * math.log(4 / 2.5) + 2 * math.log(1 / 2.5))
    w = 2 * (3 * math.log(2) + 5 * math.log(5 / 3.5) + 2 * math.log(2 / 3.5))
    assert scores == pytest.approx(np.array([[u, 0.0, -w], [-u, 0.0, w]]), abs=1e-12)


def test_log_likelihood_equals_scipys_g_test() -> None:
    """On each 2 x 2 table scipy's G test gives the same figure."""
    from scipy.stats import chi2_contingency

    rows = np.random.default_rng(6).integers(1, 9, (7, 5))
    partition = group("abcdefg", "XXYYYZZ")
    scores = score_terms(build_counted(rows.tolist()), partition, "log-likelihood")
    for code in range(3):
        inside = rows[partition.codes == code].sum(axis=0)
        outside = rows[partition.codes != code].sum(axis=0)
        for term in range(5):
            table = [[inside[term], outside[term]]]
            table.append([inside.sum() - inside[term], outside.sum() - outside[term]])
            g2 = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
            assert abs(scores[code, term]) == pytest.approx(g2, abs=1e-9)
            share_inside, share_outside = inside[term] / inside.sum(), outside[term] / outside.sum()
            if abs(scores[code, term]) > 1e-9:
                assert (scores[code, term] > 0) == (share_inside > share_outside)


def test_evenly_spread_terms_are_typical_of_nothing() -> None:
    """Terms with the same share inside and outside have no log-likelihood to show."""
    rows = [[3, 7, 11, 13]] * 3 + [[9, 21, 33, 39]] * 4
    features = build_counted(rows)
    distances = measure_distances(features, "euclidean")
    for cluster in describe_clusters(features, distances, group("abcdefg", "XYZXYZX")):
        assert cluster.top_terms["log-likelihood"] == ()


@pytest.mark.parametrize("names", ["aaaaaa", "abcdef"], ids=["one cluster", "all alone"])
def test_terms_of_extreme_partitions(six_papers: Corpus, names: str) -> None:
    """With one cluster no term is typical of it; alone, each paper has its own word."""
    features = build_features(six_papers, COUNTS)
    distances = measure_distances(features, "euclidean")
    clusters = describe_clusters(features, distances, group(features.paper_keys, names))
    for cluster in clusters:
        for score, terms in cluster.top_terms.items():
            words = [term for term, _ in terms]
            if len(clusters) == 1:
                by_weight = ["video", "token", "pixel"]  # 19, 10 and 9 times
                assert score == "log-likelihood" or set(words) == set(by_weight)
                assert score != "log-likelihood" or words == []
                assert score != "mean-weight" or words == by_weight
            else:
                letter = {"p": "pixel", "t": "token", "v": "video"}
                assert words == [letter[cluster.medoid[0]]]


def test_top_terms_are_best_first_and_positive(mim_corpus: Corpus) -> None:
    """Each list falls, holds as many terms as asked at most, and agrees with the scores."""
    features = build_features(mim_corpus, TextSettings(min_df=2))
    names = np.random.default_rng(4).choice(list("pqrs"), len(mim_corpus))
    partition = group(features.paper_keys, "".join(names))
    distances = measure_distances(features, "cosine")
    for code, cluster in enumerate(describe_clusters(features, distances, partition, n_terms=7)):
        for score, terms in cluster.top_terms.items():
            values = [value for _, value in terms]
            scores = score_terms(features, partition, score)[code]
            assert len(terms) == 7
            assert values == pytest.approx(sorted(scores, reverse=True)[:7], abs=1e-12)
            assert min(values) > 0
            place = {term: i for i, term in enumerate(features.terms)}
            assert [scores[place[term]] for term, _ in terms] == values


def test_ties_of_terms_go_to_the_alphabetically_first() -> None:
    """Four terms with one weight: the first two by code point are named."""
    features = build_counted([[2, 2, 2, 2], [1, 1, 1, 1]])
    distances = measure_distances(features, "euclidean")
    (cluster,) = describe_clusters(features, distances, group("ab", "XX"), n_terms=2)
    assert [term for term, _ in cluster.top_terms["mean-weight"]] == ["u", "v"]


@given(names=st.lists(st.sampled_from("XYZ"), min_size=6, max_size=6))
def test_relabelling_changes_no_score(names: list[str]) -> None:
    """Clusters renamed and put in another order keep their rows of scores."""
    rows = [[3, 1, 0], [1, 0, 0], [1, 1, 3], [0, 4, 1], [2, 2, 2], [0, 0, 1]]
    features = build_counted(rows)
    partition = group("abcdef", "".join(names))
    turned = Partition.from_mapping(
        {key: f"other {name}" for key, name in partition.as_mapping().items()},
        group_order=[f"other {name}" for name in reversed(partition.group_names)],
    )
    for score in ("mean-weight", "class-tf-idf", "log-likelihood"):
        expected = score_terms(features, partition, score)
        assert np.array_equal(score_terms(features, turned, score), expected[::-1])


@pytest.mark.parametrize("part", ["features", "distances", "partition"])
def test_different_papers_are_refused(six_papers: Corpus, part: str) -> None:
    """One of the three in another order is refused rather than matched by position."""
    features = build_features(six_papers, COUNTS)
    distances = measure_distances(features, "euclidean")
    parts = {
        "features": features,
        "distances": distances,
        "partition": group(features.paper_keys, "ppttvv"),
    }
    turned = features.paper_keys[::-1]
    parts[part] = {
        "features": build_counted([[1]] * 6),
        "distances": Distances(paper_keys=turned, metric="euclidean", square=distances.square),
        "partition": group(turned, "ppttvv"),
    }[part]
    with pytest.raises(ParameterError, match="hold different papers or orders"):
        describe_clusters(parts["features"], parts["distances"], parts["partition"])
