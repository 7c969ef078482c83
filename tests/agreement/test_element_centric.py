"""Element-centric similarity of hierarchies: brute force, hand-worked walks, covers, chance."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from tree_examples import (
    find_clade_sets,
    grow,
    heights_of_pairs,
    pairs_of_trees,
    relabellings,
    shuffle_papers,
)

from survey_tools.agreement.covers import compare_covers
from survey_tools.agreement.element_centric import compare_hierarchies
from survey_tools.agreement.index import Agreement
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError
from survey_tools.pruning import prune
from survey_tools.tree import Tree


def make_tree(n: int, seed: int) -> Tree:
    """Merge random points."""
    points = np.random.default_rng(seed).random((n, 2))
    return Tree.from_linkage(hierarchy.linkage(points, "average"), [f"k{i:02d}" for i in range(n)])


def compare(a: Tree | Cover, b: Tree | Cover, *, seed: int = 0, **options: Any) -> Agreement:
    """Compare with a generator of its own; without chance and interval unless asked for."""
    options = {"n_permutations": 0, "n_resamples": 0, **options}
    return compare_hierarchies(a, b, rng=np.random.default_rng(seed), **options)


def value(a: Tree | Cover, b: Tree | Cover, **options: Any) -> float:
    """Return the similarity alone."""
    return compare(a, b, **options).indices[0].value


def walk(tree: Tree, keys: list[str], r: float, alpha: float) -> NDArray[np.float64]:
    """Personalised PageRank on the graph of papers and groups, step by step.

    Every paper is joined to every node that it is below, leaves among them, by an edge of
    weight exp(r * level); walkers start again at their own paper. The tree is that of some papers.
    """
    height_of = dict(zip(combinations(keys, 2), heights_of_pairs(tree, keys), strict=True))
    root = max(height_of.values(), default=0.0)
    groups = {frozenset({key}): 1.0 for key in keys}
    for clade in find_clade_sets(tree, keys):
        groups[clade] = 1.0 - max(height_of[pair] for pair in combinations(sorted(clade), 2)) / root
    if len(keys) > 1:
        groups[frozenset(keys)] = 0.0
    edges = np.array([[np.exp(r * groups[g]) * (key in g) for g in groups] for key in keys])
    to_group = edges / edges.sum(axis=1, keepdims=True)
    to_paper = (edges / edges.sum(axis=0)).T
    at = np.eye(len(keys))
    for _ in range(400):  # 0.9 ** 400 is 5e-19
        at = (1 - alpha) * np.eye(len(keys)) + alpha * at @ to_group @ to_paper
    return at


def brute_force(a: Tree, b: Tree, keys: list[str], *, r: float = 1.0, alpha: float = 0.9) -> float:
    """Gates et al., equation 3, in the mean over the papers."""
    apart = np.abs(walk(a, keys, r, alpha) - walk(b, keys, r, alpha)).sum(axis=1)
    return float((1 - apart / (2 * alpha)).mean())


@given(pair=pairs_of_trees(max_papers=12), r=st.sampled_from([-2.0, 0.0, 1.0, 4.0]))
def test_values_equal_brute_force(pair: tuple[Tree, Tree], r: float) -> None:
    """With ties and without, merges at height 0 among them, at several scales of the levels."""
    keys = sorted(pair[0].paper_keys)
    for alpha in (0.9, 0.5):
        expected = brute_force(*pair, keys, r=r, alpha=alpha)
        assert value(*pair, r=r, alpha=alpha) == pytest.approx(expected, abs=1e-12)


@given(pair=pairs_of_trees(fewest=4), seed=st.integers(0, 100))
def test_trees_of_some_papers_equal_brute_force(pair: tuple[Tree, Tree], seed: int) -> None:
    """Pruned, as halves are: groups that part no papers go, and levels start at the new root."""
    rng = np.random.default_rng(seed)
    keys = sorted(rng.choice(pair[0].paper_keys, rng.integers(2, 5), replace=False).tolist())
    pruned = [prune(tree, keys) for tree in pair]
    assert value(*pruned) == pytest.approx(brute_force(*pair, keys), abs=1e-12)


def test_halves_are_those_of_all_halves() -> None:
    """With many half-samples of six papers, the interval is that of the twenty halves."""
    a = grow([(0, 1), (2, 3), (6, 7), (4, 5), (8, 9)], [0, 1, 1, 2, 3], "abcdef")
    b = grow([(0, 1), (6, 2), (7, 3), (8, 4), (9, 5)], [1, 2, 2, 4, 5], "facebd")
    index = compare(a, b, n_resamples=8000).indices[0]
    halves = [brute_force(a, b, list(half)) for half in combinations("abcdef", 3)]
    low, high = index.value - np.quantile(np.array(halves) - np.mean(halves), [0.975, 0.025])
    assert (index.low, index.high) == pytest.approx((low, high), abs=0.01)


def test_chance_is_that_of_all_relabellings() -> None:
    """Chance and p-value of five papers are those of all 120 relabellings."""
    a = grow([(0, 1), (2, 3), (5, 6), (7, 4)], [1, 2, 3, 4], "abcde")
    b = grow([(0, 1), (5, 2), (3, 4), (6, 7)], [1, 1, 2, 3], "badce")
    n = 20_000
    index = compare(a, b, n_permutations=n).indices[0]
    every = np.array([brute_force(a, other, [*"abcde"]) for other in relabellings(b)])
    assert index.chance == pytest.approx(every.mean(), abs=4 * every.std() / n**0.5)
    assert index.p_value == pytest.approx((every >= index.value - 1e-9).mean(), abs=4 / n**0.5)


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
    assert value(*sides) == pytest.approx(
        expected.index("element-centric similarity").value, abs=1e-12
    )


def test_three_papers_by_hand() -> None:
    """Tree (ab)c against the partition ab|c, r = 0: all groups of a paper weigh alike.

    a is in a, ab and abc: with 1/3 each it goes to a, to a or b, to any: 11/18, 5/18, 2/18. c is in
    c and abc: 1/2 + 1/6 to itself, 1/6 to a and to b. PageRank by solving p = 0.1 e + 0.9 p W.
    """
    tree = grow([(0, 1), (3, 2)], [1, 2], "abc")
    flat = Cover.from_mapping({"a": ["x"], "b": ["x"], "c": ["y"]})
    walks = [
        np.array([[11, 5, 2], [5, 11, 2], [3, 3, 12]]) / 18,
        np.array([[1 / 2, 1 / 2, 0], [1 / 2, 1 / 2, 0], [0, 0, 1]]),
    ]
    visits = [0.1 * np.linalg.inv(np.eye(3) - 0.9 * walk) for walk in walks]
    expected = 1 - np.abs(visits[0] - visits[1]).sum() / (2 * 0.9 * 3)
    found = compare(tree, flat, r=0)
    assert found.indices[0].value == pytest.approx(expected)
    assert found.indices[0].name == "element-centric similarity"
    assert (found.n_papers, found.n_clusters, found.n_classes) == (3, 2, 2)


def test_levels_move_the_weight() -> None:
    """All weight on the leaves parts the papers, all on the root joins them, in any numbers."""
    tree = make_tree(30, 3)
    alone = Cover.from_mapping({key: [key] for key in tree.paper_keys})
    one = Cover.from_mapping({key: ["x"] for key in tree.paper_keys})
    for r in (1e5, 1e9):
        assert value(tree, alone, r=r) == pytest.approx(1.0, abs=1e-6)
        assert value(tree, one, r=-r) == pytest.approx(1.0, abs=1e-6)
    falling = [value(tree, one, r=r) for r in (-5.0, 0.0, 1.0, 5.0)]
    assert falling == sorted(falling, reverse=True)


@given(pair=pairs_of_trees(fewest=4), seed=st.integers(0, 100))
def test_papers_are_matched_by_key(pair: tuple[Tree, Tree], seed: int) -> None:
    """The order in which a tree holds its papers changes nothing, chance included."""
    options = {"n_permutations": 20, "n_resamples": 20}
    shuffled = shuffle_papers(pair[0], np.random.default_rng(seed))
    first, second = compare(*pair, **options), compare(shuffled, pair[1], **options)
    for name in ("value", "chance", "p_value", "low", "high"):
        one, other = (getattr(found.indices[0], name) for found in (first, second))
        assert one == other or one == pytest.approx(other, abs=1e-12)


def test_a_tree_equals_itself_and_nothing_else() -> None:
    """Also with its children swapped and its papers listed in another order."""
    tree = make_tree(20, 1)
    order = np.random.default_rng(0).permutation(20)
    new = {int(old): i for i, old in enumerate(order)} | {i: i for i in range(20, 39)}
    turned = Tree(
        paper_keys=tuple(tree.paper_keys[i] for i in order),
        children=np.array([[new[b], new[a]] for a, b in tree.children.tolist()]),
        heights=tree.heights,
    )
    assert value(tree, turned) == pytest.approx(1.0)
    assert value(tree, make_tree(20, 2)) < 0.95
    assert value(tree, make_tree(20, 2)) == pytest.approx(value(make_tree(20, 2), tree))


def test_a_copy_is_better_than_chance_and_a_stranger_is_not() -> None:
    """With an interval that holds the value."""
    rng = np.random.default_rng(8)
    points = rng.normal(size=(40, 3))
    keys = [f"p{i:02d}" for i in range(40)]
    others = points + 0.01 * rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    tree, copy, stranger = (
        Tree.from_linkage(hierarchy.linkage(each, "average"), keys) for each in (points, *others)
    )
    options = {"n_permutations": 199, "n_resamples": 200}
    alike, unlike = (compare(tree, other, **options).indices[0] for other in (copy, stranger))
    assert alike.p_value == 1 / 200
    assert unlike.p_value is not None
    assert unlike.p_value > 0.05
    for index in (alike, unlike):
        assert index.low is not None
        assert index.high is not None
        assert 0 <= index.low < index.value < index.high <= 1


def test_a_side_that_tells_no_papers_apart_is_not_tested() -> None:
    """A tree of one node, a cover of one set of groups; and three papers have no halves."""
    star = grow([(0, 1), (4, 2), (5, 3)], [1, 1, 1], "abcd")
    binary = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abcd")
    one = Cover.from_mapping({key: ["x"] for key in "abcd"})
    for side in (star, one):
        found = compare(binary, side, n_permutations=9, n_resamples=9)
        assert (found.n_permutations, found.n_resamples, found.n_classes) == (0, 0, 1)
        assert found.indices[0].p_value is found.indices[0].low is None
    small = compare(make_tree(3, 0), make_tree(3, 1), n_permutations=9, n_resamples=9)
    assert (small.n_permutations, small.n_resamples) == (9, 0)


def test_other_papers_and_too_many_are_refused() -> None:
    """By name; by number."""
    with pytest.raises(ParameterError, match="hold different papers: k02"):
        value(make_tree(3, 0), make_tree(2, 0))
    n = 2001
    large = Cover(
        paper_keys=tuple(map(str, range(n))), group_names=("x",), members=np.ones((n, 1), bool)
    )
    with pytest.raises(ParameterError, match="2001 papers are more than 2,000"):
        value(large, large)


@pytest.mark.parametrize("height", [0.0, 1.0])
def test_tied_merges_are_one_group(height: float) -> None:
    """A tree equals one whose tied merges stand in another order."""
    orders = ([[0, 1], [4, 2], [5, 3]], [[2, 3], [4, 1], [5, 0]])
    sides = [
        Tree(paper_keys=tuple("abcd"), children=np.array(o), heights=np.full(3, height))
        for o in orders
    ]
    assert value(*sides) == pytest.approx(1.0)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"r": float("nan")}])
def test_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    """They gave NaN, or 1 for any two trees."""
    with pytest.raises(ParameterError, match="give r a finite number, alpha one between 0 and 1"):
        value(make_tree(5, 0), make_tree(5, 1), **options)
