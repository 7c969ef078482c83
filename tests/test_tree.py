"""Tree: leaves by key, ancestors, distances, scipy's linkage matrix, equality of merges."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut_at_height
from survey_tools.distances import measure_distances
from survey_tools.errors import ParameterError
from survey_tools.linkage.routes import build_tree
from survey_tools.settings import ClusteringSettings, TextSettings
from survey_tools.text import build_features
from survey_tools.tree import Tree, cophenetic_distances, same_merges

# The merges of the six papers, that six_tree must come to.
SIX = Tree(
    paper_keys=("p1", "p2", "t1", "t2", "v1", "v2"),
    children=np.array([[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
    heights=np.array([1, 2, 3, 9.5, 14.25]),
    linkage="average",
    metric="cityblock",
)


@pytest.fixture(scope="module")
def six_tree(six_papers: Corpus) -> Tree:
    """City-block average tree of the six papers, merges at 1, 2, 3, 9.5 and 14.25."""
    features = build_features(six_papers, TextSettings(weighting="counts", norm="none"))
    settings = ClusteringSettings(linkage="average", metric="cityblock", leaf_order="merge")
    return build_tree(measure_distances(features, "cityblock"), settings)


def grow_tree(children: list[tuple[int, int]], heights: list[float], keys: str = "") -> Tree:
    """Build a tree over papers a, b, c, … or those given, one letter each."""
    keys = keys or "abcdefghijkl"[: len(children) + 1]
    return Tree(paper_keys=tuple(keys), children=np.array(children), heights=np.array(heights))


@st.composite
def trees(draw: st.DrawFn, max_papers: int = 12, *, may_invert: bool = True) -> Tree:
    """Draw any binary tree with tied, zero and, if wanted, inverted heights."""
    n = draw(st.integers(2, max_papers))
    open_nodes = list(range(n))
    children = []
    for i in range(n - 1):
        first = open_nodes.pop(draw(st.integers(0, len(open_nodes) - 1)))
        second = open_nodes.pop(draw(st.integers(0, len(open_nodes) - 1)))
        children.append((first, second))
        open_nodes.append(n + i)
    steps = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=n - 1, max_size=n - 1))
    heights = steps if may_invert else np.cumsum(steps)
    keys = draw(st.permutations([f"p{i:02d}" for i in range(n)]))
    return Tree(paper_keys=tuple(keys), children=np.array(children), heights=np.array(heights))


def grow_chain(n_papers: int) -> Tree:
    """Build the deepest tree: papers k000000, k000001, … join one by one at heights 1, 2, …."""
    rest = np.column_stack([np.arange(n_papers, 2 * n_papers - 2), np.arange(2, n_papers)])
    return Tree(
        paper_keys=tuple(f"k{i:06d}" for i in range(n_papers)),
        children=np.vstack([[0, 1], rest]),
        heights=np.arange(1.0, n_papers),
    )


def list_leaves(tree: Tree, node: int) -> list[str]:
    """Return the keys under a node, by plain recursion over the merges."""
    if node < tree.n_papers:
        return [tree.paper_keys[node]]
    first, second = tree.children[node - tree.n_papers]
    return list_leaves(tree, first) + list_leaves(tree, second)


# ---------------------------------------------------------------- the tree itself


def test_six_papers_by_hand(six_tree: Tree) -> None:
    """Nodes, heights, sizes, parents and leaf order of the six papers."""
    assert same_merges(six_tree, SIX, tolerance=0)
    assert six_tree.paper_keys == ("p1", "p2", "t1", "t2", "v1", "v2")
    assert six_tree.children.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert six_tree.heights.tolist() == [1, 2, 3, 9.5, 14.25]
    assert six_tree.sizes.tolist() == [1] * 6 + [2, 2, 2, 4, 6]
    assert six_tree.keys_in_leaf_order == ("v1", "v2", "p1", "p2", "t1", "t2")
    assert six_tree.parents.tolist() == [6, 6, 7, 7, 8, 8, 9, 9, 10, 10, -1]
    assert six_tree.root == 10
    assert six_tree.height_of(9) == 9.5
    assert six_tree.height_of(3) == 0.0
    subtree = six_tree.subtree(9)
    assert (subtree.node, subtree.height) == (9, 9.5)
    assert subtree.paper_keys == ("p1", "p2", "t1", "t2")


@given(tree=trees())
def test_papers_of_every_node(tree: Tree) -> None:
    """Papers, sizes and leaf order are those of a plain recursion."""
    for node in range(2 * tree.n_papers - 1):
        expected = list_leaves(tree, node)
        assert list(tree.papers_under(node)) == expected
        assert tree.sizes[node] == len(expected)
    assert list(tree.keys_in_leaf_order) == list_leaves(tree, tree.root)
    assert [s.node for s in tree.subtrees()] == list(range(tree.n_papers, tree.root + 1))


def test_arrays_cannot_be_changed() -> None:
    """A tree is immutable, and the caller's own array stays writable."""
    children = np.array([[0, 1], [2, 3]])
    tree = Tree(paper_keys=("a", "b", "c"), children=children, heights=np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="read-only"):
        tree.heights[0] = 5.0
    children[0, 0] = 1
    assert tree.children[0, 0] == 0


@given(tree=trees(), data=st.data())
def test_count_in_nodes_equals_brute_force(tree: Tree, data: st.DataObject) -> None:
    """Papers counted below each node are those a set intersection finds."""
    keys = data.draw(st.lists(st.sampled_from(tree.paper_keys), min_size=1))
    expected = [
        len(set(keys) & set(list_leaves(tree, node))) for node in range(2 * tree.n_papers - 1)
    ]
    assert tree.count_in_nodes(keys).tolist() == expected


@given(tree=trees(), data=st.data())
def test_common_ancestor_equals_brute_force(tree: Tree, data: st.DataObject) -> None:
    """The common ancestor is the smallest node with all the papers, given in any iterable."""
    keys = data.draw(st.lists(st.sampled_from(tree.paper_keys), min_size=1))
    holders = [
        node for node in range(2 * tree.n_papers - 1) if set(keys) <= set(list_leaves(tree, node))
    ]
    expected = min(holders, key=lambda node: len(list_leaves(tree, node)))
    assert tree.common_ancestor(keys) == expected
    assert tree.common_ancestor(key for key in keys) == expected


def test_unknown_papers_are_named(six_tree: Tree) -> None:
    """Keys that are not in the tree are listed, sorted."""
    for method in (six_tree.count_in_nodes, six_tree.common_ancestor):
        with pytest.raises(ParameterError, match=r"^not in the tree: q1, q2$"):
            method(["q2", "p1", "q1"])
        with pytest.raises(ParameterError, match="no paper was named"):
            method([])


@given(tree=trees())
def test_a_leaf_is_found_by_its_key(tree: Tree) -> None:
    """The leaf of a paper is the node that holds that paper alone."""
    for key in tree.paper_keys:
        assert tree.papers_under(tree.leaf(key)) == (key,)


def test_an_unknown_key_has_no_leaf() -> None:
    """The message names the key and one that would do."""
    message = r"^not in the tree: q1; it holds 6 papers, for example p1$"
    for search in (SIX.leaf, lambda key: SIX.lowest_common_ancestor("p1", key)):
        with pytest.raises(ParameterError, match=message):
            search("q1")


def test_ancestors_by_hand() -> None:
    """From t1 up: its pair, the four, all six; the root has none."""
    assert SIX.ancestors(SIX.leaf("t1")) == (7, 9, 10)
    assert SIX.ancestors(7) == (9, 10)
    assert SIX.ancestors(SIX.root) == ()


@given(tree=trees())
def test_ancestors_hold_all_papers_of_the_node(tree: Tree) -> None:
    """They are the other nodes that hold the node's papers, and some more each time."""
    for node in range(tree.root + 1):
        keys = set(list_leaves(tree, node))
        expected = [
            other
            for other in range(tree.root + 1)
            if other != node and keys <= set(list_leaves(tree, other))
        ]
        assert list(tree.ancestors(node)) == expected


@pytest.mark.parametrize("node", [-1, 11])
def test_only_nodes_of_the_tree_have_ancestors(node: int) -> None:
    """Counting from the end is no way to name a node."""
    with pytest.raises(ParameterError, match=f"^no node {node}; the nodes .* are 0 to 10$"):
        SIX.ancestors(node)


@given(tree=trees(max_papers=20))
def test_lowest_common_ancestor_is_the_smallest_node_with_both(tree: Tree) -> None:
    """For every pair, in both orders, and for a paper with itself."""
    for key_a in tree.paper_keys:
        for key_b in tree.paper_keys:
            expected = tree.common_ancestor([key_a, key_b])
            assert tree.lowest_common_ancestor(key_a, key_b) == expected


@pytest.mark.parametrize(
    ("keys", "children", "heights", "message"),
    [
        ("a", [], [], "a tree needs at least 2 papers; 1 arrived"),
        ("", [], [], "a tree needs at least 2 papers; 0 arrived"),
        ("aab", [(0, 1), (2, 3)], [1, 2], "two leaves of a tree have one key"),
        ("abc", [(0, 1)], [1], "3 papers need 2 merges; 1 arrived"),
        ("ab", [(0, 1), (1, 2)], [1, 2], "2 papers need 1 merges; 2 arrived"),
        ("abc", [(0, 1), (0, 2)], [1, 2], "every node but the root must be merged once"),
        ("abc", [(0, 1), (2, 2)], [1, 2], "every node but the root must be merged once"),
        ("abc", [(0, 4), (1, 3)], [1, 2], "after it was made"),
        ("abc", [(0, 3), (1, 2)], [1, 2], "after it was made"),
        ("abc", [(-1, 0), (1, 3)], [1, 2], "every node but the root"),
        ("abc", [(0, 1), (2, 5)], [1, 2], "every node but the root"),
        ("abc", [(0, 1), (2, 3)], [1, np.nan], "a merge height is not a finite number"),
        ("abc", [(0, 1), (2, 3)], [1, np.inf], "a merge height is not a finite number"),
        ("abc", [(0, 1), (2, 3)], [-1, 2], "a merge height is negative"),
    ],
)
def test_malformed_merges_are_refused(
    keys: str, children: list[tuple[int, int]], heights: list[float], message: str
) -> None:
    """What is no tree is refused, and said why."""
    with pytest.raises(ParameterError, match=message):
        Tree(
            paper_keys=tuple(keys),
            children=np.array(children).reshape(-1, 2),
            heights=np.array(heights, dtype=float),
        )


@given(tree=trees())
def test_linkage_matrix_round_trip(tree: Tree) -> None:
    """A tree written as scipy's matrix, which scipy finds valid, comes back the same."""
    matrix = tree.to_linkage()
    assert hierarchy.is_valid_linkage(matrix, throw=True)
    back = Tree.from_linkage(matrix, iter(tree.paper_keys), linkage="ward", metric="euclidean")
    assert back.paper_keys == tree.paper_keys
    assert np.array_equal(back.children, tree.children)
    assert np.array_equal(back.heights, tree.heights)
    assert np.array_equal(back.leaf_order, tree.leaf_order)
    assert (back.linkage, back.metric) == ("ward", "euclidean")


@given(tree=trees())
def test_leaf_order_is_scipys(tree: Tree) -> None:
    """A dendrogram of scipy would draw the leaves in the same order."""
    assert tree.leaf_order.tolist() == hierarchy.leaves_list(tree.to_linkage()).tolist()


# ---------------------------------------------------------------- distances in the tree


def test_cophenetic_distances_by_hand(six_tree: Tree) -> None:
    """Each pair of papers at the height of its first common merge."""
    first_row = [1, 9.5, 9.5, 14.25, 14.25]  # p1 with p2, t1, t2, v1, v2
    rest = [9.5, 9.5, 14.25, 14.25, 2, 14.25, 14.25, 14.25, 14.25, 3]
    assert cophenetic_distances(six_tree).tolist() == first_row + rest


@given(tree=trees())
def test_cophenetic_distances_are_heights_of_common_ancestors(tree: Tree) -> None:
    """For any tree, inverted or not: the height of the smallest node with both papers."""
    expected = [
        tree.height_of(tree.common_ancestor(pair)) for pair in combinations(tree.paper_keys, 2)
    ]
    assert cophenetic_distances(tree).tolist() == expected


@given(tree=trees())
def test_cophenetic_distance_of_a_pair_is_scipys(tree: Tree) -> None:
    """Asked one by one, the pairs have the distances that scipy computes for all."""
    expected = squareform(cophenetic_distances(tree))
    found = [[tree.cophenetic_distance(a, b) for b in tree.paper_keys] for a in tree.paper_keys]
    assert found == expected.tolist()


# ---------------------------------------------------------------- equality


@given(tree=trees(), data=st.data())
def test_rotation_and_numbering_change_no_merges(tree: Tree, data: st.DataObject) -> None:
    """Leaves in another order, children swapped, heights a hair off: the same merges."""
    n = tree.n_papers
    new_place = np.array(data.draw(st.permutations(range(n))))
    is_swapped = np.array(data.draw(st.lists(st.booleans(), min_size=n - 1, max_size=n - 1)))
    children = np.concatenate([new_place, np.arange(n, 2 * n - 1)])[tree.children]
    keys = np.empty(n, dtype=object)
    keys[new_place] = tree.paper_keys
    other = Tree(
        paper_keys=tuple(keys),
        children=np.where(is_swapped[:, None], children[:, ::-1], children),
        heights=tree.heights + 1e-12,
    )
    assert same_merges(tree, other, tolerance=1e-9)
    assert same_merges(other, tree, tolerance=1e-9)
    assert not same_merges(tree, other, tolerance=0)


@given(data=st.data(), n_papers=st.integers(2, 5))
def test_same_merges_are_the_same_cuts(data: st.DataObject, n_papers: int) -> None:
    """Any two trees have the same merges exactly if every height cuts them alike."""
    a, b = (
        data.draw(trees(n_papers).filter(lambda tree: tree.n_papers == n_papers)) for _ in range(2)
    )

    def cut_everywhere(tree: Tree) -> list[set[frozenset[str]]]:
        partitions = [cut_at_height(tree, height) for height in (0, 0.5, 1, 2)]
        return [{frozenset(p.members(name)) for name in p.group_names} for p in partitions]

    assert same_merges(a, b, tolerance=0) == (cut_everywhere(a) == cut_everywhere(b))


@pytest.mark.parametrize(
    ("heights", "tolerance", "is_same"),
    [
        ([1, 1], 0, True),  # all three join at one height, whatever the order
        ([1, 1.08], 0, False),
        ([1, 1.08], 0.05, False),
        ([1, 1.08], 0.1, True),
        ([1.2, 1], 0, True),  # inverted: the later merge counts as made at 1.2
    ],
)
def test_order_of_tied_merges_does_not_count(
    heights: list[float], tolerance: float, is_same: bool
) -> None:
    """One tree joins a and b first, the other b and c."""
    a = grow_tree([(0, 1), (3, 2)], heights)
    b = grow_tree([(1, 2), (0, 3)], heights)
    assert same_merges(a, b, tolerance=tolerance) is is_same


@pytest.mark.parametrize(
    ("keys", "children", "heights"),
    [
        ("abcde", [(0, 1), (2, 3), (5, 6), (7, 4)], [1, 2, 3, 4]),  # one paper more
        ("abcd", [(0, 2), (1, 3), (4, 5)], [1, 2, 3]),
        ("abcd", [(0, 1), (4, 2), (5, 3)], [1, 2, 3]),
        ("abcd", [(2, 3), (0, 1), (4, 5)], [1, 2, 3]),  # the same sets, made in another order
        ("abcd", [(0, 1), (2, 3), (4, 5)], [1, 2.1, 3]),
        ("abce", [(0, 1), (2, 3), (4, 5)], [1, 2, 3]),
    ],
)
def test_other_merges_are_told_apart(
    keys: str, children: list[tuple[int, int]], heights: list[float]
) -> None:
    """Other papers, other sets, other heights of the same sets."""
    tree = grow_tree([(0, 1), (2, 3), (4, 5)], [1, 2, 3])
    other = grow_tree(children, heights, keys)
    assert not same_merges(tree, other, tolerance=0.01)
    assert not same_merges(other, tree, tolerance=0.01)


@pytest.mark.parametrize("tolerance", [-1.0, np.nan, np.inf])
def test_a_tolerance_is_a_number_from_zero(tolerance: float) -> None:
    """Anything else would make all trees equal, or none."""
    with pytest.raises(ParameterError, match=f"heights is {tolerance}; give a number from 0"):
        same_merges(SIX, SIX, tolerance=tolerance)


# ---------------------------------------------------------------- size


def test_a_chain_of_100000_leaves_needs_no_recursion() -> None:
    """The deepest possible tree is built, searched and compared."""
    n = 100_000
    tree = grow_chain(n)
    first, second, *_, last = tree.paper_keys
    assert tree.keys_in_leaf_order == tree.paper_keys
    assert tree.common_ancestor([first, last]) == tree.root
    assert tree.count_in_nodes([first, last])[tree.root - 1] == 1
    assert tree.ancestors(0) == tuple(range(n, 2 * n - 1))
    assert tree.lowest_common_ancestor(last, first) == tree.root
    assert tree.cophenetic_distance(second, first) == 1
    turned = Tree(paper_keys=tree.paper_keys, children=tree.children[:, ::-1], heights=tree.heights)
    assert turned.keys_in_leaf_order == tree.paper_keys[::-1]
    assert same_merges(tree, turned, tolerance=0)
