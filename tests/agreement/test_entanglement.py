"""Entanglement and untangling: by hand, against dendextend, and against single swaps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_examples import (
    CASE_NAMES,
    CASES,
    grow,
    pairs_of_trees,
    random_tree,
    recorded_tree,
    rename,
    shuffle_papers,
)

from survey_tools.agreement.entanglement import measure_entanglement, untangle
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree, same_merges


def swap(tree: Tree, merge: int) -> Tree:
    """Swap the children of a merge."""
    children = tree.children.copy()
    children[merge] = children[merge, ::-1]
    return replace(tree, children=children)


def mirror(tree: Tree) -> Tree:
    """Swap the children of every merge."""
    return replace(tree, children=tree.children[:, ::-1])


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_entanglement_is_dendextends(case: dict[str, Any]) -> None:
    """Entanglement with exponents 1.5 and 1 is what R's dendextend computes."""
    a, b = recorded_tree(case["a"]), recorded_tree(case["b"])
    assert measure_entanglement(a, b) == pytest.approx(case["entanglement"])
    assert measure_entanglement(a, b, exponent=1.0) == pytest.approx(case["entanglement_1"])


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_untangling_is_as_good_as_dendextends(case: dict[str, Any]) -> None:
    """Without ties, trees end with the entanglement that dendextend's step2side reaches."""
    found = untangle(recorded_tree(case["a"]), recorded_tree(case["b"]))
    assert found.after == pytest.approx(case["untangled"])


def test_entanglement_by_hand() -> None:
    """Facing abcd, bacd has two papers one place off; at worst two are off by 3 and two by 1."""
    left = grow([(0, 1), (2, 3), (4, 5)], [1, 2, 3], "abcd")
    right = swap(left, 0)
    assert right.keys_in_leaf_order == ("b", "a", "c", "d")
    assert measure_entanglement(left, right, exponent=1.0) == pytest.approx(2 / 8)
    assert measure_entanglement(left, right) == pytest.approx(2 / (2 * 3**1.5 + 2))


@given(pairs_of_trees(), st.sampled_from([0.5, 1.0, 1.5, 2.0]))
def test_entanglement_has_its_bounds(pair: tuple[Tree, Tree], exponent: float) -> None:
    """A tree facing itself is at 0, facing its mirror image at 1; both sides count the same."""
    left, right = pair
    assert measure_entanglement(left, left, exponent=exponent) == 0
    assert measure_entanglement(left, mirror(left), exponent=exponent) == pytest.approx(1)
    found = measure_entanglement(left, right, exponent=exponent)
    assert 0 <= found <= 1 + 1e-12 or exponent < 1
    assert measure_entanglement(right, left, exponent=exponent) == pytest.approx(found)


@given(pairs_of_trees(), st.integers(0, 1000))
def test_papers_are_matched_by_key(pair: tuple[Tree, Tree], seed: int) -> None:
    """The order in which a tree holds its papers changes neither entanglement nor turns."""
    shuffled = shuffle_papers(pair[0], np.random.default_rng(seed))
    assert measure_entanglement(shuffled, pair[1]) == measure_entanglement(*pair)
    first, second = untangle(*pair), untangle(shuffled, pair[1])
    assert first.left.keys_in_leaf_order == second.left.keys_in_leaf_order
    assert first.right.keys_in_leaf_order == second.right.keys_in_leaf_order


def test_a_turned_tree_is_turned_back() -> None:
    """Two trees of the same merges, one the mirror of the other, are left without a tangle."""
    left = grow([(0, 1), (2, 3), (4, 5)], [1, 2, 3], "abcd")
    found = untangle(left, mirror(left))
    assert (found.before, found.after) == (1.0, 0.0)
    assert found.left.keys_in_leaf_order == found.right.keys_in_leaf_order


@given(pairs_of_trees(max_papers=14))
def test_only_children_are_swapped(pair: tuple[Tree, Tree]) -> None:
    """Merges, heights and the order of the papers stay; the record says what it gained."""
    found = untangle(*pair)
    for before, after in zip(pair, (found.left, found.right), strict=True):
        assert after.paper_keys == before.paper_keys
        assert after.heights.tolist() == before.heights.tolist()
        assert np.sort(after.children).tolist() == np.sort(before.children).tolist()
        assert same_merges(before, after, tolerance=0.0)
    assert found.before == measure_entanglement(*pair)
    assert found.after == measure_entanglement(found.left, found.right)
    assert found.after <= found.before


@given(pairs_of_trees(max_papers=14))
def test_no_single_swap_is_left_to_gain_from(pair: tuple[Tree, Tree]) -> None:
    """Whichever merge is swapped afterwards, in either tree, entanglement does not fall."""
    found = untangle(*pair)
    for merge in range(pair[0].n_papers - 1):
        for turned in (
            (swap(found.left, merge), found.right),
            (found.left, swap(found.right, merge)),
        ):
            assert measure_entanglement(*turned) >= found.after - 1e-8


def test_facing_trees_stay_as_they_are() -> None:
    """Trees without a tangle are not turned."""
    tree = random_tree(12, np.random.default_rng(0), tied=False)
    found = untangle(tree, tree)
    assert found.left is tree
    assert found.right is tree
    assert (found.before, found.after) == (0.0, 0.0)


def test_what_cannot_face_is_refused() -> None:
    """Other papers, and exponents that are not above 0, are refused."""
    tree = grow([(0, 1), (3, 2)], [1, 2], "abc")
    with pytest.raises(ParameterError, match="different papers: c, x"):
        untangle(tree, rename(tree, ("a", "b", "x")))
    for exponent in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match=f"is {exponent}; give a number above 0"):
            measure_entanglement(tree, tree, exponent=exponent)
