"""Runs of every kind on planted papers: what they find, against scikit-learn and scipy."""

import numpy as np
import pytest
from planted_papers import N_EACH, plant_material
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import (
    HDBSCAN,
    AffinityPropagation,
    AgglomerativeClustering,
    KMeans,
    SpectralClustering,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_score

from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.preparation import Preparation, Prepared, repeat_terms
from survey_tools.robustness.run import Run
from survey_tools.robustness.workbench import Workbench, do_runs
from survey_tools.text import join_fields

N = 3 * N_EACH


def do(
    material=None, *, resample="none", draw=0, corpus="own", scale=1.0, n=1, **levels
) -> Outcome:
    """Do one run of the planted papers."""
    material = material or plant_material()
    setting = material.own.replace(**levels) if levels else material.own
    run = Run(
        setting=setting, resample=resample, draw=draw, corpus=corpus, scale=scale, n_replicates=n
    )
    outcome = Workbench(material).do(run)
    assert outcome.run == run.run_id
    return outcome


def rows_of(material, **options) -> np.ndarray:
    """Weigh the terms of the planted papers with scikit-learn."""
    texts = [join_fields(paper, ("title", "abstract")) for paper in material.corpus]
    return TfidfVectorizer(**options).fit_transform(texts).toarray()


def test_the_own_setting_is_the_reference() -> None:
    """A run at the survey's own setting finds its tree, clusters and targets again."""
    outcome = do()
    assert outcome.agreement == {
        "ARI": 1.0,
        "AMI": 1.0,
        "element-centric": 1.0,
        "Bk": 1.0,
        "cophenetic correlation": 1.0,
    }
    assert outcome.in_nodes == (*outcome.in_clusters[:3], 1.0) == (1.0,) * 4
    assert outcome.n_clusters == 3
    assert outcome.strayed == ()
    assert outcome.axes["ARI topic"] == 1.0
    assert outcome.axes["ARI unfiled"] is None


@pytest.mark.parametrize("library", ["scipy", "scikit-learn"])
@pytest.mark.parametrize(
    ("algorithm", "metric"),
    [
        ("ward", "euclidean"),
        ("average", "euclidean"),
        ("average", "cosine"),
        ("complete", "cosine"),
        ("single", "euclidean"),
    ],
)
def test_agglomerative_runs_equal_the_library(algorithm: str, metric: str, library: str) -> None:
    """Cuts equal those of the library called from scratch, also with other terms and weights."""
    material = plant_material()
    rows = rows_of(material, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    outcome = do(
        material,
        algorithm=algorithm,
        metric=metric,
        library=library,
        ngrams="1-2",
        min_df=2,
        weighting="sublinear-tf-idf",
        n_clusters=5,
    )
    if library == "scipy":
        tree = hierarchy.linkage(rows, algorithm, metric=metric)
        labels = hierarchy.fcluster(tree, 5, "maxclust")
    else:
        labels = AgglomerativeClustering(5, linkage=algorithm, metric=metric).fit_predict(rows)
    assert adjusted_rand_score(outcome.codes, labels) == 1.0
    own = material.reference.codes
    assert outcome.agreement["ARI"] == pytest.approx(adjusted_rand_score(own, labels))
    assert outcome.agreement["AMI"] == pytest.approx(adjusted_mutual_info_score(own, labels))
    topics = material.axes["topic"]
    assert outcome.axes["AMI topic"] == pytest.approx(adjusted_mutual_info_score(topics, labels))


def test_other_algorithms_equal_scikit_learn() -> None:
    """k-means, spectral clustering, HDBSCAN and affinity propagation give scikit-learn's groups."""
    material = plant_material()
    rows = rows_of(material)
    similarity = np.clip(rows @ rows.T, 0, None)
    square = np.sqrt(np.maximum(2 - 2 * rows @ rows.T, 0))
    np.fill_diagonal(square, 0)
    expected = {
        "k-means": KMeans(4, n_init=10, tol=0, random_state=7).fit_predict(rows),
        "spectral": SpectralClustering(4, affinity="precomputed", random_state=7).fit_predict(
            similarity
        ),
        "affinity-propagation": AffinityPropagation(random_state=0).fit_predict(rows),
        "hdbscan": HDBSCAN(metric="precomputed", copy=True).fit_predict(square),
    }
    for algorithm, labels in expected.items():
        metric = "cosine" if algorithm == "spectral" else "euclidean"
        levels = {"algorithm": algorithm, "metric": metric, "n_clusters": 4}
        outcome = do(material, **levels)
        assert not outcome.failure
        noise = labels < 0
        labels[noise] = 1000 + np.arange(noise.sum())
        assert adjusted_rand_score(outcome.codes, labels) == 1.0, algorithm
        assert outcome.n_noise == noise.sum()
        assert outcome.n_clusters == len(set(labels[~noise].tolist()))
        assert outcome.in_nodes == ()
        assert "Bk" not in outcome.agreement


def test_rows_keep_all_distances() -> None:
    """The dense rows of k-means have the distances of the weighted terms."""
    material = plant_material()
    bench = Workbench(material)
    prepared = bench._preparation.prepare(material.own)
    rows = rows_of(material)
    assert prepared.rows @ prepared.rows.T == pytest.approx(rows @ rows.T, abs=1e-12)
    assert prepared.rows.shape[1] <= min(rows.shape)


def test_reduced_rows() -> None:
    """Latent semantic analysis goes before the distances; too many dimensions are a failure."""
    assert do(reduction="lsa-3").agreement["ARI"] == 1.0
    outcome = do(reduction="lsa-50")
    assert "50 components asked of 24 papers" in outcome.failure
    assert outcome.codes == ()


@pytest.mark.parametrize(("resample", "n_kept"), [("papers-subsample", 19), ("one-paper-out", 23)])
def test_resamples_hold_so_many_papers(resample: str, n_kept: int) -> None:
    """A subsample holds its share of the papers, the others have no group."""
    outcome = do(resample=resample, draw=2)
    assert sum(code >= 0 for code in outcome.codes) == n_kept
    assert outcome.agreement["ARI"] == 1.0
    if resample == "one-paper-out":
        assert outcome.codes[2] == -1
        assert outcome.cuts == ()
    else:
        assert len(outcome.cuts) == 9
        assert all([c >= 0 for c in cut] == [c >= 0 for c in outcome.codes] for cut in outcome.cuts)
        assert [len(set(cut) - {-1}) for cut in outcome.cuts] == list(range(2, 11))


def test_a_bootstrap_of_papers_keeps_each_once() -> None:
    """About 63 % of the papers are drawn; document frequencies are counted among them alone."""
    n_kept = [sum(c >= 0 for c in do(resample="papers-bootstrap", draw=i).codes) for i in range(20)]
    assert 0.55 * N < np.mean(n_kept) < 0.72 * N
    assert len(set(n_kept)) > 1


def test_order_decides_ties_alone() -> None:
    """Without ties, the order of the papers changes nothing; with ties it may."""
    assert do(resample="paper-order", draw=1).agreement["Bk"] == 1.0
    levels = {"weighting": "binary", "norm": "none", "algorithm": "average", "n_clusters": 12}
    found = {do(resample="paper-order", draw=draw, **levels).codes for draw in range(8)}
    groups = {tuple(np.unique(codes, return_inverse=True)[1]) for codes in found}
    assert len(groups) > 1


def test_terms_drawn_anew() -> None:
    """A bootstrap of terms changes distances, and is the same for the same draw."""
    first, again, other = (do(resample="terms-bootstrap", draw=draw) for draw in (0, 0, 1))
    assert first == again
    assert first.agreement["cophenetic correlation"] != other.agreement["cophenetic correlation"]
    assert 0 < first.agreement["cophenetic correlation"] < 1


@pytest.mark.parametrize("norm", ["l1", "l2", "none"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "cityblock"])
def test_a_term_drawn_twice_stands_twice(norm: str, metric: str) -> None:
    """Distances are those of a corpus in which each column stands as often as it was drawn."""
    material = plant_material()
    setting = material.own.replace(norm=norm, weighting="tf-idf", algorithm="average")
    prepared = Preparation(material).prepare(setting)
    times = np.random.default_rng(0).integers(0, 4, len(prepared.features.terms)).astype(float)
    drawn = Prepared(repeat_terms(prepared.features, times, metric), None)
    raw = TfidfVectorizer(norm=None)
    texts = [join_fields(paper, ("title", "abstract")) for paper in material.corpus]
    columns = np.repeat(raw.fit_transform(texts).toarray(), times.astype(int), axis=1)
    if norm != "none":
        columns = columns / np.linalg.norm(columns, ord=int(norm[1]), axis=1, keepdims=True)
    expected = squareform(pdist(columns, metric))
    assert drawn.distances(metric).square == pytest.approx(expected, abs=1e-9)


def test_seeds_are_drawn() -> None:
    """Seeds of k-means differ; draw and seed alone decide."""
    found = [do(resample="seed", draw=d, algorithm="k-means", n_clusters=9).codes for d in range(4)]
    assert len(set(found)) > 1
    again = do(resample="seed", draw=1, algorithm="k-means", n_clusters=9).codes
    assert found[1] == again


def test_curves_of_the_own_tree() -> None:
    """Silhouettes of all cuts equal scikit-learn's; null corpora also have the targets' scores."""
    material = plant_material()
    outcome = do(material)
    rows = rows_of(material)
    for k, value in zip(material.numbers, outcome.curves["silhouette"], strict=True):
        labels = AgglomerativeClustering(k).fit_predict(rows)
        assert value == pytest.approx(silhouette_score(rows, labels), abs=1e-9)
    assert set(outcome.curves) == {"silhouette", "log dispersion", "cophenetic correlation"}
    null = do(material, corpus="shuffled")
    assert len(null.curves["targets"]) == 4
    assert null.agreement["ARI"] == 1.0  # with its own clusters
    assert null.axes["ARI topic"] < 0.5
    assert do(material, algorithm="average").curves == {}


def test_null_corpora_have_no_topics() -> None:
    """Where terms are dealt anew, subsamples find other clusters than the whole."""
    own = [do(resample="papers-subsample", draw=i).agreement["ARI"] for i in range(4)]
    for corpus in ("shuffled", "one-topic"):
        null = [
            do(resample="papers-subsample", draw=i, corpus=corpus).agreement["ARI"]
            for i in range(4)
        ]
        assert np.mean(null) < 0.7 < np.mean(own)


def test_replicates_hold_clear_sub_trees() -> None:
    """Planted topics are sub-trees of nearly all replicates; the root is one of all."""
    material = plant_material()
    outcome = do(material, resample="terms-multiscale", n=30)
    tree = material.reference.tree
    assert len(outcome.node_counts) == N - 1
    assert outcome.node_counts[-1] == 30
    topic = material.corpus.keys[1::3]
    node = tree.common_ancestor(topic)
    assert tree.sizes[node] == N_EACH
    assert outcome.node_counts[node - N] >= 25
    assert min(outcome.node_counts) < 25
    assert outcome.n_terms == rows_of(material).shape[1]


def test_what_leaves_no_terms_is_a_failure() -> None:
    """Limits that leave no term, or no term of some paper, are the outcome, not an exception."""
    assert "none of" in do(min_df=24, ngrams="2-2").failure
    assert "papers have no term left" in do(ngrams="2-2", min_df=6).failure
    assert "25 clusters asked of 24 papers" in do(n_clusters=25).failure


def test_outcomes_do_not_depend_on_neighbours() -> None:
    """A run gives the same line alone and among others, in whatever order."""
    material = plant_material()
    own = material.own
    runs = [
        Run(setting=setting, resample=resample, draw=draw)
        for setting in (own, own.replace(algorithm="k-means"), own.replace(reduction="lsa-3"))
        for resample in ("none", "papers-subsample", "seed")
        for draw in (0, 1)
    ]
    runs += [Run(setting=own, corpus="shuffled", corpus_draw=i) for i in (0, 1, 2)]
    runs += [Run(setting=own.replace(n_clusters=k)) for k in (4, 5)]
    alone = {run: Workbench(material).do(run).to_line() for run in runs}
    together = dict(zip(runs, do_runs(material, tuple(runs)), strict=True))
    backwards = dict(zip(runs[::-1], do_runs(material, tuple(runs[::-1])), strict=True))
    for run in runs:
        assert together[run].to_line() == backwards[run].to_line() == alone[run]
