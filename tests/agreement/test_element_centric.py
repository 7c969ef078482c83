"""Element-centric similarity of hierarchies: covers as a special case, levels, limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from survey_tools.agreement.covers import compare_covers
from survey_tools.agreement.element_centric import compare_hierarchies
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree


def make_tree(n: int, seed: int) -> Tree:
    """Merge random points."""
    points = np.random.default_rng(seed).random((n, 2))
    return Tree.from_linkage(hierarchy.linkage(points, "average"), [f"k{i:02d}" for i in range(n)])


@given(seed=st.integers(0, 99), n=st.integers(2, 12))
@settings(deadline=None)
def test_covers_are_compared_as_by_their_patterns(seed: int, n: int) -> None:
    """The similarity from all affinities equals that from tables of patterns."""
    rng = np.random.default_rng(seed)
    keys = tuple(f"k{i:02d}" for i in range(n))
    sides = [
        Cover(paper_keys=keys, group_names=("x", "y", "z"), members=rng.random((n, 3)) < 0.4)
        for _ in range(2)
    ]
    expected = compare_covers(*sides, rng=rng, n_permutations=0, n_resamples=0)
    found = compare_hierarchies(*sides)
    assert found == pytest.approx(expected.index("element-centric similarity").value, abs=1e-12)


def test_three_papers_by_hand() -> None:
    """Tree (ab)c against the partition ab|c, r = 0: both nodes weigh alike.

    a: half of the steps go to ab (1/2 each), half to abc (1/3 each): 5/12, 5/12, 1/6. c:
    1/3 each. PageRank by solving p = 0.1 e + 0.9 p W.
    """
    tree = Tree(
        paper_keys=("a", "b", "c"),
        children=np.array([[0, 1], [3, 2]]),
        heights=np.array([1.0, 2.0]),
    )
    flat = Cover.from_mapping({"a": ["x"], "b": ["x"], "c": ["y"]})
    walks = [
        np.array([[5 / 12, 5 / 12, 1 / 6], [5 / 12, 5 / 12, 1 / 6], [1 / 3] * 3]),
        np.array([[1 / 2, 1 / 2, 0], [1 / 2, 1 / 2, 0], [0, 0, 1]]),
    ]
    visits = [0.1 * np.linalg.inv(np.eye(3) - 0.9 * walk) for walk in walks]
    expected = 1 - np.abs(visits[0] - visits[1]).sum() / (2 * 0.9 * 3)
    assert compare_hierarchies(tree, flat, r=0.0) == pytest.approx(expected)


def test_levels_move_the_weight() -> None:
    """Much weight on low nodes tells the tree's pairs apart; on the root, nothing is told."""
    tree = Tree(
        paper_keys=tuple("abcd"),
        children=np.array([[0, 1], [2, 3], [4, 5]]),
        heights=np.array([1.0, 1.0, 10.0]),
    )
    pairs = Cover.from_mapping({"a": ["x"], "b": ["x"], "c": ["y"], "d": ["y"]})
    one = Cover.from_mapping({key: ["x"] for key in "abcd"})
    assert compare_hierarchies(tree, pairs, r=50.0) == pytest.approx(1.0, abs=1e-6)
    assert compare_hierarchies(tree, one, r=-50.0) == pytest.approx(1.0, abs=1e-6)
    assert compare_hierarchies(tree, pairs, r=-50.0) < 0.6


def test_a_tree_equals_itself_and_rotations() -> None:
    """Also with its children swapped and its papers listed in another order."""
    tree = make_tree(20, 1)
    order = np.random.default_rng(0).permutation(20)
    new = {int(old): i for i, old in enumerate(order)} | {i: i for i in range(20, 39)}
    turned = Tree(
        paper_keys=tuple(tree.paper_keys[i] for i in order),
        children=np.array([[new[b], new[a]] for a, b in tree.children.tolist()]),
        heights=tree.heights,
    )
    assert compare_hierarchies(tree, turned) == pytest.approx(1.0)
    assert compare_hierarchies(tree, make_tree(20, 2)) < 0.9


def test_other_papers_and_too_many_are_refused() -> None:
    """By name; by number."""
    with pytest.raises(ParameterError, match="hold different papers: k02"):
        compare_hierarchies(make_tree(3, 0), make_tree(2, 0))
    n = 2001
    large = Cover(
        paper_keys=tuple(map(str, range(n))), group_names=("x",), members=np.ones((n, 1), bool)
    )
    with pytest.raises(ParameterError, match="2001 papers are more than 2,000"):
        compare_hierarchies(large, large)


@pytest.mark.parametrize("height", [0.0, 1.0])
def test_tied_merges_are_one_group(height: float) -> None:
    """A tree equals one whose tied merges stand in another order."""
    orders = ([[0, 1], [4, 2], [5, 3]], [[2, 3], [4, 1], [5, 0]])
    sides = [
        Tree(paper_keys=tuple("abcd"), children=np.array(o), heights=np.full(3, height))
        for o in orders
    ]
    assert compare_hierarchies(*sides) == pytest.approx(1.0)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"r": float("nan")}])
def test_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    """They gave NaN, or 1 for any two trees."""
    with pytest.raises(ParameterError):
        compare_hierarchies(make_tree(5, 0), make_tree(5, 1), **options)
