"""Cuts: numbers and heights by hand and by scipy, gaps, silhouettes, ties and inversions."""

import logging
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from sklearn.metrics import silhouette_score
from test_tree import SIX, grow_chain, grow_tree, trees

from survey_tools.cuts import (
    cut,
    cut_at_gap,
    cut_at_height,
    cut_by_inconsistency,
    cut_by_settings,
    cut_by_silhouette,
)
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.settings import CutSettings
from survey_tools.tree import Tree


def as_sets(partition: Partition) -> set[frozenset[str]]:
    """Return the clusters as sets of keys."""
    return {frozenset(partition.members(name)) for name in partition.group_names}


@pytest.mark.parametrize(
    ("n_clusters", "groups"),
    [
        (1, ["v1 v2 p1 p2 t1 t2"]),
        (2, ["v1 v2", "p1 p2 t1 t2"]),
        (3, ["v1 v2", "p1 p2", "t1 t2"]),
        (4, ["v1", "v2", "p1 p2", "t1 t2"]),
        (5, ["v1", "v2", "p1 p2", "t1", "t2"]),
        (6, ["v1", "v2", "p1", "p2", "t1", "t2"]),
    ],
)
def test_six_papers_cut_by_number(n_clusters: int, groups: list[str]) -> None:
    """Each cut of the six papers, with clusters numbered as they are drawn."""
    partition = cut(SIX, n_clusters)
    assert partition.paper_keys == SIX.paper_keys
    assert partition.group_names == tuple(f"C{i + 1}" for i in range(n_clusters))
    members = [set(partition.members(name)) for name in partition.group_names]
    assert members == [set(group.split()) for group in groups]


@pytest.mark.parametrize(
    ("height", "n_clusters"),
    [(0.0, 6), (0.999, 6), (1.0, 5), (2.5, 4), (3.0, 3), (9.5, 2), (14.24, 2), (14.25, 1), (99, 1)],
)
def test_six_papers_cut_at_height(height: float, n_clusters: int) -> None:
    """Papers merged at or below the height stay together."""
    assert as_sets(cut_at_height(SIX, height)) == as_sets(cut(SIX, n_clusters))


@pytest.mark.parametrize("n_clusters", [-1, 0, 7])
def test_impossible_numbers_are_refused(n_clusters: int) -> None:
    """Fewer than one and more than there are papers."""
    with pytest.raises(
        ParameterError, match=f"^{n_clusters} clusters asked of 6 papers; 1 to 6 are possible$"
    ):
        cut(SIX, n_clusters)


def test_ties_are_refused_and_possible_numbers_named() -> None:
    """Pairs at 0, 0 and 0 and the rest at 1: only 1, 3 and 6 clusters exist."""
    tree = grow_tree([(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], [0, 0, 0, 1, 1])
    with pytest.raises(
        ParameterError,
        match=r"^2 clusters cannot be cut: 2 merges are tied at height 1; "
        r"possible next to it: 1 or 3$",
    ):
        cut(tree, 2)
    for n_clusters in (4, 5):
        with pytest.raises(
            ParameterError,
            match=rf"^{n_clusters} clusters .* 3 merges are tied at height 0; .*: 3 or 6$",
        ):
            cut(tree, n_clusters)
    assert [cut(tree, n).n_groups for n in (1, 3, 6)] == [1, 3, 6]


@given(tree=trees())
def test_numbers_of_clusters_are_kept_or_refused(tree: Tree) -> None:
    """A cut has the number asked for, or names its possible neighbours, which then succeed."""
    for n_clusters in range(1, tree.n_papers + 1):
        try:
            partition = cut(tree, n_clusters)
        except ParameterError as error:
            fewer, more = map(int, re.search(r"next to it: (\d+) or (\d+)$", str(error)).groups())
            assert fewer < n_clusters < more
            assert cut(tree, fewer).n_groups == fewer
            assert cut(tree, more).n_groups == more
        else:
            assert partition.n_groups == n_clusters


@given(tree=trees(), height=st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.7, 2.0]))
def test_cut_at_height_equals_scipy(tree: Tree, height: float) -> None:
    """The same flat clusters as scipy's distance criterion, also with inverted heights."""
    flat = hierarchy.fcluster(tree.to_linkage(), height, criterion="distance")
    expected = Partition.from_mapping(
        {key: str(code) for key, code in zip(tree.paper_keys, flat, strict=True)}
    )
    assert as_sets(cut_at_height(tree, height)) == as_sets(expected)


@given(
    tree=trees(),
    threshold=st.sampled_from([0.0, 0.5, 0.7, 0.8, 1.0, 1.1, 2.0]),
    depth=st.integers(1, 5),
)
def test_cut_by_inconsistency_equals_scipy(tree: Tree, threshold: float, depth: int) -> None:
    """The same flat clusters as scipy's inconsistency criterion."""
    matrix = tree.to_linkage()
    flat = hierarchy.fcluster(matrix, threshold, criterion="inconsistent", depth=depth)
    expected = Partition.from_mapping(
        {key: str(code) for key, code in zip(tree.paper_keys, flat, strict=True)}
    )
    assert as_sets(cut_by_inconsistency(tree, threshold, depth=depth)) == as_sets(expected)


def test_inconsistency_by_hand() -> None:
    """The merge at 9.5 has 1 and 2 below it: (9.5 - 4.1667) / 4.6458 = 1.148.

    The root, 14.25 with 3 and 9.5 below it, is less inconsistent, (14.25 - 8.9167) / 5.6476
    = 0.944, but a cluster is as inconsistent as its worst merge; pairs have inconsistency 0.
    """
    assert cut_by_inconsistency(SIX, 1.147).n_groups == 3
    assert cut_by_inconsistency(SIX, 1.149).n_groups == 1


@given(tree=trees(), data=st.data())
def test_clusters_are_numbered_in_leaf_order(tree: Tree, data: st.DataObject) -> None:
    """Read along the leaves, clusters are C1, C2, … without a gap or a return."""
    height = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    group_of = cut_at_height(tree, height).as_mapping()
    names = [group_of[key] for key in tree.keys_in_leaf_order]
    assert list(dict.fromkeys(names)) == [f"C{i + 1}" for i in range(len(set(names)))]
    n_changes = sum(before != after for before, after in pairwise(names))
    assert n_changes == len(set(names)) - 1


def test_inverted_merges_are_cut_with_their_children() -> None:
    """Centroid linkage of a triangle: a-b join at 1, c joins them lower, at 0.9.

    No height separates c from a and b without taking a from b, so two clusters do not exist.
    """
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.9]])
    matrix = hierarchy.centroid(points)
    assert matrix[1, 2] < matrix[0, 2]
    tree = Tree.from_linkage(matrix, "abc")
    assert cut_at_height(tree, 0.95).n_groups == 3
    assert cut_at_height(tree, 1.0).n_groups == 1
    with pytest.raises(ParameterError, match="possible next to it: 1 or 3"):
        cut(tree, 2)


@pytest.mark.parametrize(
    ("fewest", "most", "n_clusters"),
    [
        (2, 40, 3),  # gaps of 2, 3, 4 and 5 clusters: 4.75, 6.5, 1 and 1
        (2, 2, 2),
        (4, 40, 4),  # tied with 5
        (5, 5, 5),
    ],
)
def test_six_papers_cut_at_the_widest_gap(fewest: int, most: int, n_clusters: int) -> None:
    """Merges at 1, 2, 3, 9.5 and 14.25: the widest gap inside the bounds, then the fewest."""
    expected = as_sets(cut(SIX, n_clusters))
    assert as_sets(cut_at_gap(SIX, fewest=fewest, most=most)) == expected


def test_gaps_that_differ_by_rounding_are_tied() -> None:
    """In float64, 0.3 - 0.2 is less than 0.2 - 0.1; both gaps are 0.1, so two clusters."""
    tree = grow_tree([(0, 1), (4, 2), (5, 3)], [0.1, 0.2, 0.3])
    assert cut_at_gap(tree, fewest=2, most=3).n_groups == 2


def list_ceilings(tree: Tree) -> list[float]:
    """Return the greatest height below each merge, itself included, sorted."""
    ceilings = [0.0] * tree.n_papers
    for (first, second), height in zip(tree.children, tree.heights, strict=True):
        ceilings.append(max(height, ceilings[first], ceilings[second]))
    return sorted(ceilings[tree.n_papers :])


@given(tree=trees(), fewest=st.integers(2, 5), n_more=st.integers(0, 10))
def test_the_gap_is_the_widest_that_ties_allow(tree: Tree, fewest: int, n_more: int) -> None:
    """Tried one by one, no number of clusters lies in a wider gap; without one, a refusal."""
    n, merges = tree.n_papers, list_ceilings(tree)
    gap_of = {
        k: merges[n - k] - merges[n - k - 1]
        for k in range(fewest, min(fewest + n_more, n - 1) + 1)
        if merges[n - k] > merges[n - k - 1]
    }
    if gap_of:
        best = cut_at_gap(tree, fewest=fewest, most=fewest + n_more).n_groups
        assert best == min(k for k in gap_of if gap_of[k] == max(gap_of.values()))
    else:
        with pytest.raises(ParameterError, match=r"widen the bounds|lower fewest|add papers"):
            cut_at_gap(tree, fewest=fewest, most=fewest + n_more)


def test_silhouettes_are_measured_for_every_number() -> None:
    """City-block distances of the six papers: scikit-learn's means, best at the three pairs."""
    points = np.array([[4, 0, 0], [5, 0, 0], [0, 4, 0], [0, 6, 0], [0, 0, 8], [0, 0, 11]])

    def measure(partition: Partition) -> float:
        return float(silhouette_score(points, partition.codes, metric="manhattan"))

    best = cut_by_silhouette(SIX, measure, fewest=2, most=40)
    assert as_sets(best.partition) == as_sets(cut(SIX, 3))
    assert best.n_clusters == (2, 3, 4, 5)
    flat = [hierarchy.fcluster(SIX.to_linkage(), k, criterion="maxclust") for k in (2, 3, 4, 5)]
    expected = [silhouette_score(points, codes, metric="manhattan") for codes in flat]
    assert best.silhouettes == pytest.approx(expected, abs=1e-12)
    bounded = cut_by_silhouette(SIX, measure, fewest=4, most=5)
    assert (bounded.partition.n_groups, bounded.n_clusters) == (4, (4, 5))


def test_numbers_that_ties_forbid_have_no_silhouette() -> None:
    """Of pairs at 0 and the rest at 1 only three clusters can be cut, so only those are tried."""
    tree = grow_tree([(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], [0, 0, 0, 1, 1])
    best = cut_by_silhouette(tree, lambda _: 0.5, fewest=2, most=5)
    assert (best.n_clusters, best.silhouettes, best.partition.n_groups) == ((3,), (0.5,), 3)


def test_of_equal_silhouettes_the_fewest_clusters_are_taken() -> None:
    """3 and 5 clusters agree but for rounding noise; 3 are taken."""
    silhouettes = {2: 0.1, 3: 0.3, 4: 0.2, 5: 0.1 + 0.2}
    assert silhouettes[5] > silhouettes[3]
    best = cut_by_silhouette(SIX, lambda p: silhouettes[p.n_groups], fewest=2, most=5)
    assert best.partition.n_groups == 3


def test_a_silhouette_that_is_no_number_is_refused() -> None:
    """The message names the number of clusters that has none."""
    values = {2: 0.1, 3: np.nan}
    with pytest.raises(ParameterError, match=r"^the silhouette of 3 clusters is nan, no number; "):
        cut_by_silhouette(SIX, lambda p: values[p.n_groups], fewest=2, most=5)


@pytest.mark.parametrize(
    ("fewest", "most", "message"),
    [
        (1, 3, "^1 to 3 clusters were asked; give bounds from 2 on, the fewest first$"),
        (4, 3, "^4 to 3 clusters were asked; give bounds from 2 on, the fewest first$"),
        (6, 9, "^6 clusters or more were asked of 6 papers; .* 2 to one less .*; lower fewest$"),
        (4, 5, "^none of 4 to 5 clusters can be cut: .* tied at height 0; widen the bounds$"),
        (2, 2, "^none of 2 to 2 clusters can be cut: .* tied at height 1; widen the bounds$"),
    ],
)
def test_bounds_without_a_cut_are_refused(fewest: int, most: int, message: str) -> None:
    """Pairs at 0, 0 and 0 and the rest at 1: only three clusters lie between 2 and 5."""
    tree = grow_tree([(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], [0, 0, 0, 1, 1])
    with pytest.raises(ParameterError, match=message):
        cut_at_gap(tree, fewest=fewest, most=most)
    with pytest.raises(ParameterError, match=message):
        cut_by_silhouette(tree, lambda _: 0.0, fewest=fewest, most=most)


def test_two_papers_have_no_gap() -> None:
    """One merge has no next one; more papers would help."""
    with pytest.raises(ParameterError, match=r"^2 clusters or more .* of 2 papers; .*add papers$"):
        cut_at_gap(grow_tree([(0, 1)], [1.0]), fewest=2, most=40)


def test_cuts_are_chosen_by_the_settings() -> None:
    """Number, height, or inconsistency with its depth."""
    assert cut_by_settings(SIX, CutSettings(n_clusters=4)).n_groups == 4
    assert cut_by_settings(SIX, CutSettings(height=0)).n_groups == 6
    assert cut_by_settings(SIX, CutSettings(height=9.5)).n_groups == 2
    for depth in (1, 2, 3):
        settings = CutSettings(inconsistency=1.0, inconsistency_depth=depth)
        expected = cut_by_inconsistency(SIX, 1.0, depth=depth)
        assert as_sets(cut_by_settings(SIX, settings)) == as_sets(expected)


def test_gap_and_silhouette_are_chosen_by_the_settings() -> None:
    """Each within the bounds of the settings."""
    assert cut_by_settings(SIX, CutSettings(gap=True)).n_groups == 3
    assert cut_by_settings(SIX, CutSettings(gap=True, most=2)).n_groups == 2
    assert cut_by_settings(SIX, CutSettings(gap=True, fewest=4)).n_groups == 4
    for bounds, n_clusters in (({}, 5), ({"most": 3}, 3)):
        settings = CutSettings(silhouette=True, **bounds)
        found = cut_by_settings(SIX, settings, measure=lambda p: p.n_groups / 10)
        assert found.n_groups == n_clusters


def test_the_curve_of_silhouettes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Who asks for the best number can see how much better it was."""
    caplog.set_level(logging.INFO, logger="survey_tools.cuts")
    settings = CutSettings(silhouette=True, fewest=4, most=5)
    cut_by_settings(SIX, settings, measure=lambda p: p.n_groups / 10)
    assert caplog.messages == [
        "4 clusters: mean silhouette 0.4000",
        "5 clusters: mean silhouette 0.5000",
    ]


@pytest.mark.parametrize(("most", "n_warnings"), [(3, 1), (4, 1), (5, 0), (40, 0)])
def test_a_best_number_at_the_bound_is_warned_of(
    caplog: pytest.LogCaptureFixture, most: int, n_warnings: int
) -> None:
    """Five clusters of the six papers are the most that have a silhouette; fewer were a bound."""
    settings = CutSettings(silhouette=True, most=most)
    cut_by_settings(SIX, settings, measure=lambda p: p.n_groups / 10)
    message = f"greatest at {most} clusters, the most that were tried; .* raise clustering.cut.most"
    assert len(caplog.messages) == n_warnings
    assert all(re.search(message, text) for text in caplog.messages)


def test_a_cut_by_silhouette_needs_a_measure() -> None:
    """A tree knows no distances."""
    with pytest.raises(ParameterError, match="needs a measure of partitions; none arrived"):
        cut_by_settings(SIX, CutSettings(silhouette=True))


def test_a_chain_of_100000_leaves_is_cut() -> None:
    """The deepest possible tree is cut in every way, without recursion."""
    n = 100_000
    tree = grow_chain(n)
    assert cut(tree, 3).sizes.tolist() == [n - 2, 1, 1]
    assert cut_at_height(tree, n - 2.5).sizes.tolist() == [n - 2, 1, 1]
    assert cut_by_inconsistency(tree, 10.0).n_groups == 1
    assert cut_at_gap(tree, fewest=2, most=40).sizes.tolist() == [n - 1, 1]
    best = cut_by_silhouette(tree, lambda p: -abs(p.n_groups - 4), fewest=3, most=5)
    assert best.partition.sizes.tolist() == [n - 3, 1, 1, 1]


def test_inverted_merges_are_not_called_tied() -> None:
    """Where a later merge is lower, the refusal speaks of inversion, not of equal heights."""
    tree = Tree(
        paper_keys=("a", "b", "c", "d"),
        children=np.array([[0, 1], [4, 2], [5, 3]]),
        heights=np.array([2.0, 1.5, 3.0]),
    )
    with pytest.raises(ParameterError, match="2 merges lie at or, inverted, below height 2"):
        cut(tree, 3)
