"""Micro-clusters are merged as the papers in them; the sample is clustered twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from condense_examples import condense_file, make_papers, write_papers_to
from scipy.cluster import hierarchy

from survey_tools.condense.merging import (
    check_condensable,
    cluster_exactly,
    cluster_sample,
    merge_condensed,
)
from survey_tools.condense.record import Condensed
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.paper import Paper
from survey_tools.settings import ClusteringSettings, CondenseSettings

WARD = ClusteringSettings()
AVERAGE = ClusteringSettings(linkage="average", metric="cosine")
CONDENSE = CondenseSettings(n_micro_clusters=8)
N_PAPERS = 60


@pytest.fixture(scope="module", params=[WARD, AVERAGE], ids=["ward", "average"])
def clustering(request: pytest.FixtureRequest) -> ClusteringSettings:
    settings: ClusteringSettings = request.param
    return settings


@pytest.fixture(scope="module")
def condensed(tmp_path_factory: pytest.TempPathFactory) -> Condensed:
    source = tmp_path_factory.mktemp("merging") / "p.jsonl"
    return condense_file(write_papers_to(source, make_papers(N_PAPERS)), n_sample=N_PAPERS)


def test_heights_are_those_of_papers_merged_in_micro_clusters_first(
    condensed: Condensed, clustering: ClusteringSettings
) -> None:
    """By the definitions of Ward's and average linkage, from all rows of all papers below."""
    tree = merge_condensed(condensed, clustering)
    rows = condensed.sample.rows.toarray()
    n = tree.n_papers
    below = [np.flatnonzero(condensed.micro_cluster_of == code) for code in range(n)]
    for (first, second), height in zip(tree.children, tree.heights, strict=True):
        a, b = rows[below[first]], rows[below[second]]
        if clustering.linkage == "ward":
            apart = np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))
            expected = np.sqrt(2 * len(a) * len(b) / (len(a) + len(b))) * apart
        else:
            expected = (1.0 - a @ b.T).mean()
        assert height == pytest.approx(expected, abs=1e-9)
        below.append(np.concatenate([below[first], below[second]]))
    assert tree.paper_keys == condensed.names
    assert (tree.linkage, tree.metric) == (clustering.linkage, clustering.metric)


def test_the_subjects_come_out(condensed: Condensed, clustering: ClusteringSettings) -> None:
    """Four subjects, four clusters, in the condensed tree and in the exact one."""
    partition = cut(merge_condensed(condensed, clustering), 4)
    by_condensing = cluster_sample(condensed, partition)
    exact = cluster_exactly(condensed, np.arange(N_PAPERS), 4, clustering)
    for found in (by_condensing, exact):
        groups = {found.members(name) for name in found.group_names}
        assert {len({key[:2] for key in members}) for members in groups} == {1}
        assert len(groups) == 4


def test_the_exact_tree_is_scipys(condensed: Condensed, clustering: ClusteringSettings) -> None:
    """Cut into six, papers of the sample lie together as in scipy's tree of their rows."""
    places = np.arange(0, N_PAPERS, 2)
    found = cluster_exactly(condensed, places, 6, clustering)
    rows = condensed.sample.rows.toarray()[places]
    merges = hierarchy.linkage(rows, clustering.linkage, metric=clustering.metric)
    expected = hierarchy.fcluster(merges, 6, "maxclust")
    pairs = set(zip(found.codes.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == found.n_groups == 6


def test_more_clusters_than_papers_make_each_its_own(condensed: Condensed) -> None:
    """Two papers cannot come into four clusters."""
    assert cluster_exactly(condensed, np.array([0, 1]), 4, WARD).n_groups == 2


def test_a_cluster_without_a_paper_in_the_sample_vanishes(tmp_path: Path) -> None:
    """Eight clusters, five papers."""
    source = write_papers_to(tmp_path / "p.jsonl", make_papers(N_PAPERS))
    condensed = condense_file(source, n_sample=5)
    partition = cut(merge_condensed(condensed, WARD), 8)
    found = cluster_sample(condensed, partition)
    assert found.n_papers == 5
    assert found.n_groups <= 5
    assert set(found.group_names) <= set(partition.group_names)


def test_a_single_micro_cluster_is_told(tmp_path: Path) -> None:
    """Copies of one text."""
    copies = tuple(Paper(key=f"k{i}", title="same words here") for i in range(6))
    condensed = condense_file(write_papers_to(tmp_path / "p.jsonl", copies), n_micro_clusters=2)
    with pytest.raises(ParameterError, match="all 6 papers came into one micro-cluster"):
        merge_condensed(condensed, WARD)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"linkage": "single"}, "single linkage with euclidean distances cannot be computed from"),
        ({"linkage": "average"}, "use ward with euclidean or average with cosine"),
        ({"leaf_order": "optimal"}, "the leaf order 'optimal' needs distances of single papers"),
        ({"cut": {"silhouette": True}}, "a cut by silhouette needs distances of single papers"),
        (
            {"rows": "lsa"},
            "clustering.rows 'lsa' arrived; micro-clusters are merged",
        ),
        ({"certify": True}, "no certificate is made of a condensed tree"),
        ({"cut": {"n_clusters": 9}}, "9 clusters asked of 8 micro-clusters"),
    ],
)
def test_what_micro_clusters_cannot_give_is_refused(
    settings: dict[str, Any], sentence: str
) -> None:
    """Before a paper is read."""
    with pytest.raises(ParameterError, match=sentence):
        check_condensable(ClusteringSettings.model_validate(settings), CONDENSE)


@pytest.mark.parametrize("settings", [WARD, AVERAGE], ids=["ward", "average"])
def test_ward_and_average_cosine_are_allowed(settings: ClusteringSettings) -> None:
    """With ten clusters of ten micro-clusters."""
    check_condensable(settings, CondenseSettings(n_micro_clusters=10))
