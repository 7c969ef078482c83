"""Baselines: guesses by hand, and clusters with the labels of most of their papers."""

import numpy as np
import pytest
from scipy import sparse

from survey_tools.corpus import Corpus
from survey_tools.holdout.baselines import NearestCluster, cluster_papers, guess
from survey_tools.holdout.space import learn_space
from survey_tools.paper import Paper
from survey_tools.settings import ClusteringSettings, CutSettings, TextSettings
from survey_tools.text import count_terms, tokenise

MEMBERS = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=bool)


def test_guesses_follow_the_shares_of_the_training_papers() -> None:
    """Labels stand at 3, 1 and 1 of 4 papers."""
    given = {how: guess(how, MEMBERS, is_exclusive=False) for how in
             ("most frequent", "stratified random", "every label")}  # fmt: skip
    assert given["most frequent"].tolist() == [1, 0, 0]
    assert given["stratified random"].tolist() == [0.75, 0.25, 0.25]
    assert given["every label"].tolist() == [1, 1, 1]


def test_of_exclusive_labels_the_most_frequent_is_guessed() -> None:
    """Also where fewer than half of the papers carry it."""
    members = np.eye(3, dtype=bool)[[0, 1, 2, 1, 2, 1, 0]]
    assert guess("most frequent", members, is_exclusive=True).tolist() == [0, 1, 0]


def test_a_cluster_has_the_label_set_of_most_of_its_papers() -> None:
    """Of equally frequent sets the one more frequent in all papers; no term, no cluster."""
    rows = sparse.csr_array(np.array([[2.0, 0], [1, 0], [1, 0], [0, 3], [0, 1]]))
    members = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], dtype=bool)
    nearest = NearestCluster.from_clusters(np.array([0, 0, 0, 1, 1]), rows, members)
    assert nearest.labels.tolist() == [[True, False], [False, True]]
    np.testing.assert_allclose(nearest.centroids, np.eye(2))
    held_out = sparse.csr_array(np.array([[5.0, 1], [1, 2], [0, 0]]))
    assert nearest.decide(held_out).tolist() == [[True, False], [False, True], [False, True]]


def cluster(texts: list[str], **settings: object) -> np.ndarray:
    """Cluster papers whose titles are given, all of them training papers."""
    corpus = Corpus(tuple(Paper(key=f"p{i}", title=text) for i, text in enumerate(texts)))
    text = TextSettings(min_df=settings.pop("min_df", 1))
    counts = count_terms(tokenise(corpus, text, frozenset()), text)
    space = learn_space(counts, np.arange(len(texts)), text)
    return cluster_papers(
        space,
        space.place(counts.matrix),
        ClusteringSettings.model_validate(settings),
        seed=0,
    )


TEXTS = ["pixel mask", "pixel patch mask", "video tube", "video tube frame", "token word"]


def test_training_papers_are_clustered_as_the_survey_asks() -> None:
    """Three obvious groups, by the survey's linkage and number of clusters."""
    codes = cluster(TEXTS, cut=CutSettings(n_clusters=3))
    groups = {frozenset(np.flatnonzero(codes == code).tolist()) for code in set(codes.tolist())}
    assert groups == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}


@pytest.mark.parametrize("way", [{"gap": True}, {"silhouette": True}, {"height": 1.2}])
def test_every_way_to_cut_works(way: dict[str, object]) -> None:
    """Papers of one group are never parted."""
    codes = cluster(TEXTS, cut=CutSettings.model_validate(way))
    assert codes[0] == codes[1]
    assert codes[2] == codes[3]
    assert codes[0] != codes[2]


def test_more_clusters_than_papers_become_one_a_paper() -> None:
    """18 clusters of 5 training papers."""
    assert len(set(cluster(TEXTS, cut=CutSettings(n_clusters=18)).tolist())) == 5


def test_ties_lower_the_number_of_clusters() -> None:
    """Four unlike papers are merged at one height: 4 clusters or 1, not 3."""
    codes = cluster(["aa", "bb", "cc", "dd"], linkage="single", cut=CutSettings(n_clusters=3))
    assert set(codes.tolist()) == {0}


def test_papers_without_known_terms_are_in_no_cluster() -> None:
    """With two papers a term the last paper has none left."""
    codes = cluster(TEXTS, min_df=2, cut=CutSettings(n_clusters=2))
    assert codes.tolist()[4] == -1
    assert codes[0] == codes[1] != codes[2] == codes[3]


def test_latent_semantic_rows_are_clustered_where_the_survey_does() -> None:
    """The number of components is lowered to what the training papers allow."""
    codes = cluster(TEXTS, rows="lsa", n_components=100, cut=CutSettings(n_clusters=3))
    assert codes[0] == codes[1] != codes[2] == codes[3]
