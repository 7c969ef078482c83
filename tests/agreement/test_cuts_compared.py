"""Bk curves: dendextend's values, scikit-learn's index at every cut, chance by its formula."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import fowlkes_mallows_score
from tree_examples import (
    CASE_NAMES,
    CASES,
    grow,
    pairs_of_trees,
    random_tree,
    recorded_tree,
    relabellings,
    rename,
    shuffle_papers,
)

from survey_tools.agreement.bk_curve import BkCurve, compare_cuts
from survey_tools.agreement.partitions import contingency_table
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.partition import align
from survey_tools.tree import Tree


def compare(a: Tree, b: Tree, *, n_permutations: int = 0, **options: Any) -> BkCurve:
    """Compare with a generator of its own; without chance unless asked for."""
    rng = np.random.default_rng(0)
    return compare_cuts(a, b, rng=rng, n_permutations=n_permutations, **options)


def possible_cuts(tree: Tree) -> set[int]:
    """Numbers of clusters, from 2 to one less than there are papers, that can be cut."""
    found = set()
    for n_clusters in range(2, tree.n_papers):
        try:
            cut(tree, n_clusters)
        except ParameterError:
            continue
        found.add(n_clusters)
    return found


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_the_curve_is_dendextends(case: dict[str, Any]) -> None:
    """Every Bk is the one that R's dendextend computes."""
    curve = compare(recorded_tree(case["a"]), recorded_tree(case["b"]))
    assert curve.n_clusters.tolist() == case["bk_numbers"]
    assert curve.values == pytest.approx(case["bk_values"])


@pytest.mark.parametrize("case", CASES[1:3], ids=CASE_NAMES[1:3])
def test_expected_values_are_those_of_the_formula(case: dict[str, Any]) -> None:
    """The mean of relabellings is the expectation by Fowlkes and Mallows, as dendextend has it."""
    n = 4000
    curve = compare(recorded_tree(case["a"]), recorded_tree(case["b"]), n_permutations=n)
    half_width = (curve.high - curve.low) / 2  # about two standard deviations or more
    gap = np.abs(curve.expected - case["bk_expected"])
    assert (gap <= 4 * np.maximum(half_width, 0.1) / n**0.5).all()


def test_four_papers_by_hand() -> None:
    """Cuts abc|d and abd|c share the pair ab of three each; ab|c|d is the same in both."""
    a = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abcd")
    b = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abdc")
    curve = compare(a, b)
    assert curve.n_clusters.tolist() == [2, 3]
    assert curve.values == pytest.approx([1 / 3, 1])
    assert np.isnan([curve.expected, curve.low, curve.high]).all()
    assert (curve.n_papers, curve.n_permutations, curve.confidence) == (4, 0, 0.95)


@given(pairs_of_trees(max_papers=12))
def test_every_value_is_the_index_of_two_cuts(pair: tuple[Tree, Tree]) -> None:
    """Numbers are those that can be cut in both trees; values are scikit-learn's index."""
    curve = compare(*pair)
    assert curve.n_clusters.tolist() == sorted(possible_cuts(pair[0]) & possible_cuts(pair[1]))
    for n_clusters, value in zip(curve.n_clusters.tolist(), curve.values, strict=True):
        parts = [cut(tree, n_clusters) for tree in pair]
        assert value == pytest.approx(fowlkes_mallows_score(*align(*parts)))
        table = contingency_table(*parts)
        pairs = [(side * (side - 1)).sum() for side in (table, table.sum(0), table.sum(1))]
        assert value == pytest.approx(pairs[0] / np.sqrt(float(pairs[1]) * float(pairs[2])))


def test_the_band_is_that_of_all_relabellings() -> None:
    """Mean and quantiles of five papers are those of all 120 relabellings."""
    a = grow([(0, 1), (2, 3), (5, 6), (7, 4)], [1, 2, 3, 4], "abcde")
    b = grow([(0, 1), (5, 2), (3, 4), (6, 7)], [1, 2, 3, 4], "badce")
    curve = compare(a, b, n_permutations=20_000, confidence=0.77)
    everything = np.array([compare(a, other).values for other in relabellings(b)])
    assert curve.expected == pytest.approx(everything.mean(axis=0), abs=0.01)
    assert curve.low == pytest.approx(np.quantile(everything, 0.115, axis=0))
    assert curve.high == pytest.approx(np.quantile(everything, 0.885, axis=0))


def test_papers_are_matched_by_key() -> None:
    """The order in which trees hold their papers changes nothing."""
    rng = np.random.default_rng(6)
    a, b = (random_tree(20, rng, tied=False) for _ in range(2))
    first = compare(a, b, n_permutations=50)
    second = compare(shuffle_papers(a, rng), shuffle_papers(b, rng), n_permutations=50)
    for name in ("n_clusters", "values", "expected", "low", "high"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


def test_a_tree_agrees_with_itself_at_every_cut() -> None:
    """All values are 1, above the band of any other than the finest cuts."""
    tree = random_tree(30, np.random.default_rng(7), tied=False)
    curve = compare(tree, tree, n_permutations=200)
    assert curve.values == pytest.approx(np.ones(28))
    assert (curve.low <= curve.expected).all()
    assert (curve.expected < 1).all()
    assert (curve.high[3:] < 1).all()


def test_cuts_end_where_they_are_told() -> None:
    """No cut has more clusters than asked for, and the others do not change."""
    rng = np.random.default_rng(1)
    a, b = (random_tree(12, rng, tied=False) for _ in range(2))
    whole, part = compare(a, b), compare(a, b, most=5)
    assert part.n_clusters.tolist() == [2, 3, 4, 5]
    assert part.values.tolist() == whole.values[:4].tolist()
    assert compare(a, b, most=99).n_clusters.tolist() == whole.n_clusters.tolist()


def test_trees_without_a_common_cut_have_no_curve() -> None:
    """Where ties allow no number of clusters in both trees, the curve is empty."""
    tied = grow([(0, 1), (2, 3), (4, 5)], [1, 1, 2], "abcd")  # 2 clusters, not 3
    three = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 2], "abcd")  # 3 clusters, not 2
    curve = compare(tied, three, n_permutations=10)
    assert [len(each) for each in (curve.n_clusters, curve.values, curve.low)] == [0, 0, 0]


def test_what_cannot_be_compared_is_refused() -> None:
    """Other papers, and fewer than two clusters, are refused with what to do."""
    a = grow([(0, 1), (3, 2)], [1, 2], "abc")
    with pytest.raises(ParameterError, match="different papers: c, x"):
        compare(a, rename(a, ("a", "b", "x")))
    with pytest.raises(ParameterError, match="2 to 1 clusters were asked; give 2 or more"):
        compare(a, a, most=1)
