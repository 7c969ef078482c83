"""Co-association over runs and the consensus tree: by hand, by brute force, planted clusters."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.robustness import consensus
from survey_tools.robustness.consensus import CoAssociation, build_consensus_tree
from survey_tools.tree import same_merges

FOUR = ("a", "b", "c", "d")
# a and b: 3 of 3 runs; c and d: 2 of 3; a and c: 1 of 3; b and d, c: one of 3; a and d: 0 of 2
RUNS = [[0, 0, 1, 1], [0, 0, 0, 1], [1, 1, 0, 0], [-1, 0, 1, -1]]


def gather(keys: tuple[str, ...], runs: list[list[int]] | NDArray[np.intp]) -> CoAssociation:
    """Add all runs."""
    coassociation = CoAssociation(keys)
    for codes in runs:
        coassociation.add(codes)
    return coassociation


def draw_runs(n_papers: int, n_runs: int, seed: int) -> NDArray[np.intp]:
    """Draw runs of random clusters, each of which lacks about a third of the papers."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n_runs, n_papers))
    return np.where(rng.random(codes.shape) < 0.3, -1, codes)


def as_sets(partition: Partition) -> set[frozenset[str]]:
    """Return the clusters as sets of keys."""
    return {frozenset(partition.members(name)) for name in partition.group_names}


def test_shares_count_only_runs_that_hold_both_papers() -> None:
    """Four papers in four runs, the last of which lacks a and d."""
    found = gather(FOUR, RUNS)
    assert found.n_runs == 4
    assert found.n_unseen == 0
    third = 1 / 3
    assert found.n_held.tolist() == [[3, 3, 3, 3], [3, 4, 4, 3], [3, 4, 4, 3], [3, 3, 3, 3]]
    np.testing.assert_array_equal(
        found.shares,
        [
            [1, 1, third, 0],
            [1, 1, 0.25, 0],
            [third, 0.25, 1, 2 / 3],
            [0, 0, 2 / 3, 1],
        ],
    )


def test_heights_are_mean_shares_of_runs_apart() -> None:
    """Papers a and b are never apart, c and d in a third of the runs; all four by hand."""
    tree = build_consensus_tree(gather(FOUR, RUNS))
    between = (2 / 3 + 1 + 3 / 4 + 1) / 4
    np.testing.assert_allclose(tree.heights, [0, 1 / 3, between], atol=1e-10)
    assert as_sets(cut(tree, 2)) == {frozenset("ab"), frozenset("cd")}
    assert (tree.linkage, tree.metric) == ("average", "co-association")


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_those_of_a_loop_over_pairs(seed: int) -> None:
    """Every pair of papers is looked up in every run."""
    runs = draw_runs(12, 9, seed)
    found = gather(tuple("abcdefghijkl"), runs)
    held, together = np.zeros((2, 12, 12), dtype=int)
    for run in runs:
        for i in range(12):
            for j in range(12):
                held[i, j] += run[i] >= 0 and run[j] >= 0
                together[i, j] += run[i] >= 0 and run[i] == run[j]
    np.testing.assert_array_equal(found.n_held, held)
    np.testing.assert_array_equal(found.n_together, together)


@given(st.permutations(range(8)), st.permutations(range(6)))
def test_neither_order_nor_names_of_clusters_change_a_bit(
    order: list[int], names: list[int]
) -> None:
    """Runs in another order, clusters numbered otherwise: equal shares, equal heights."""
    runs = draw_runs(10, 8, 5)
    renamed = np.where(runs < 0, -1, np.array(names)[runs])[order]
    one, other = gather(tuple("abcdefghij"), runs), gather(tuple("abcdefghij"), renamed)
    assert one.shares.tobytes() == other.shares.tobytes()
    tree, twin = build_consensus_tree(one), build_consensus_tree(other)
    assert tree.heights.tobytes() == twin.heights.tobytes()
    assert tree.children.tobytes() == twin.children.tobytes()


@given(st.permutations(range(10)))
def test_the_order_of_the_papers_changes_no_tree(order: list[int]) -> None:
    """Columns in another order with their keys; few runs, so that many pairs are tied."""
    keys, runs = tuple("abcdefghij"), draw_runs(10, 3, 6)
    tree = build_consensus_tree(gather(keys, runs))
    twin = build_consensus_tree(gather(tuple(keys[i] for i in order), runs[:, order]))
    assert tree.paper_keys == twin.paper_keys == keys
    assert tree.heights.tobytes() == twin.heights.tobytes()
    assert tree.children.tobytes() == twin.children.tobytes()


def test_noise_as_clusters_of_one_is_with_nobody() -> None:
    """Papers c and d are noise in one of two runs: groups of their own, held but apart."""
    found = gather(FOUR, [[0, 0, 1, 2], [0, 0, 1, 1]])
    np.testing.assert_array_equal(found.shares[2], [0, 0, 1, 0.5])


def test_pairs_that_no_run_held_are_counted_and_merged_last() -> None:
    """Papers a and d never meet: no share, counted as apart in the tree."""
    found = gather(FOUR, [[0, 0, 0, -1], [-1, 0, 0, 0]])
    assert found.n_unseen == 1
    assert np.isnan(found.shares[0, 3])
    assert np.isfinite(found.shares).sum() == 14
    tree = build_consensus_tree(found)
    # b and c first, then a at 0, then d at the mean of 1, 0 and 0
    np.testing.assert_allclose(tree.heights, [0, 0, 1 / 3], atol=1e-10)
    assert as_sets(cut(tree, 2)) == {frozenset("abc"), frozenset("d")}


def test_planted_clusters_return_from_noisy_runs() -> None:
    """Of 30 papers in 3 clusters a fifth is misplaced in each of 60 runs of 80 %."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 10)
    keys = tuple(f"p{i:02d}" for i in range(30))
    runs = np.where(rng.random((60, 30)) < 0.2, rng.integers(0, 3, (60, 30)), truth)
    runs[rng.random((60, 30)) < 0.2] = -1
    tree = build_consensus_tree(gather(keys, runs))
    assert as_sets(cut(tree, 3)) == {
        frozenset(keys[:10]),
        frozenset(keys[10:20]),
        frozenset(keys[20:]),
    }


def test_beyond_the_optimal_order_the_merges_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the leaf order is left as merged."""
    found = gather(tuple("abcdefghij"), draw_runs(10, 20, 8))
    tree = build_consensus_tree(found)
    monkeypatch.setattr(consensus, "_N_OPTIMAL_LEAVES", 9)
    as_merged = build_consensus_tree(found)
    assert same_merges(tree, as_merged, tolerance=1e-9)
    assert tree.keys_in_leaf_order != as_merged.keys_in_leaf_order


def test_counts_given_away_are_copies() -> None:
    """Whoever writes into them changes no later share."""
    found = gather(FOUR, RUNS)
    found.n_held[:] = 7
    found.n_together[:] = 7
    np.testing.assert_array_equal(found.shares, gather(FOUR, RUNS).shares)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([0, 1, 2], "codes have the shape (4,) (papers last); (3,) arrived"),
        ([[0, 0, 1, 1]], "codes have the shape (4,) (papers last); (1, 4) arrived"),
        ([0.0, 0.0, 1.0, 1.0], "codes are whole numbers; float64 arrived"),
        ([0, -3, 1, -2], "stands for a paper that is missing; -3, -2 arrived"),
    ],
)
def test_codes_without_meaning_are_refused(codes: list[int], message: str) -> None:
    """Another shape, fractions, and numbers below -1; nothing is counted then."""
    found = CoAssociation(FOUR)
    with pytest.raises(ParameterError, match=re.escape(message)):
        found.add(codes)
    assert found.n_runs == 0
    assert not found.n_held.any()


def test_what_makes_no_tree_is_refused() -> None:
    """A key twice, no run, a single paper."""
    with pytest.raises(ParameterError, match="two papers of a co-association have one key"):
        CoAssociation(("a", "a"))
    with pytest.raises(ParameterError, match="at least 1 run; none was added"):
        build_consensus_tree(CoAssociation(FOUR))
    with pytest.raises(ParameterError, match="at least 2 papers; 1 arrived"):
        build_consensus_tree(gather(("a",), [[0]]))


def test_counts_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matrices of 1,000 x 1,000 numbers of 4 bytes take 8 MB."""
    monkeypatch.setattr(consensus, "free_bytes", lambda: 7_999_999)
    keys = tuple(map(str, range(1000)))
    with pytest.raises(ParameterError, match=r"1000 papers needs 0\.008 GB and 0\.008 GB are free"):
        CoAssociation(keys)
    monkeypatch.setattr(consensus, "free_bytes", lambda: 8_000_000)
    assert CoAssociation(keys).n_runs == 0
