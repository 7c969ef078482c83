"""Tree: leaves by key, cuts, ties, inversions, Newick and scipy's linkage matrix."""

import re
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from survey_tools.corpus import Corpus
from survey_tools.distances import measure_distances
from survey_tools.errors import ParameterError
from survey_tools.linkage.routes import build_tree
from survey_tools.partition import Partition
from survey_tools.settings import ClusteringSettings, CutSettings, TextSettings
from survey_tools.text import build_features
from survey_tools.tree import (
    Tree,
    cophenetic_distances,
    cut,
    cut_at_height,
    cut_by_inconsistency,
    cut_by_settings,
    to_newick,
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


def list_leaves(tree: Tree, node: int) -> list[str]:
    """Return the keys under a node, by plain recursion over the merges."""
    if node < tree.n_papers:
        return [tree.paper_keys[node]]
    first, second = tree.children[node - tree.n_papers]
    return list_leaves(tree, first) + list_leaves(tree, second)


def as_sets(partition: Partition) -> set[frozenset[str]]:
    """Return the clusters as sets of keys."""
    return {frozenset(partition.members(name)) for name in partition.group_names}


# ---------------------------------------------------------------- the tree itself


def test_six_papers_by_hand(six_tree: Tree) -> None:
    """Nodes, heights, sizes and leaf order of the six papers."""
    assert six_tree.paper_keys == ("p1", "p2", "t1", "t2", "v1", "v2")
    assert six_tree.children.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert six_tree.heights.tolist() == [1, 2, 3, 9.5, 14.25]
    assert six_tree.sizes.tolist() == [1] * 6 + [2, 2, 2, 4, 6]
    assert six_tree.keys_in_leaf_order == ("v1", "v2", "p1", "p2", "t1", "t2")
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


# ---------------------------------------------------------------- cuts


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
def test_six_papers_cut_by_number(six_tree: Tree, n_clusters: int, groups: list[str]) -> None:
    """Each cut of the six papers, with clusters numbered as they are drawn."""
    partition = cut(six_tree, n_clusters)
    assert partition.paper_keys == six_tree.paper_keys
    assert partition.group_names == tuple(f"C{i + 1}" for i in range(n_clusters))
    members = [set(partition.members(name)) for name in partition.group_names]
    assert members == [set(group.split()) for group in groups]


@pytest.mark.parametrize(
    ("height", "n_clusters"),
    [(0.0, 6), (0.999, 6), (1.0, 5), (2.5, 4), (3.0, 3), (9.5, 2), (14.24, 2), (14.25, 1), (99, 1)],
)
def test_six_papers_cut_at_height(six_tree: Tree, height: float, n_clusters: int) -> None:
    """Papers merged at or below the height stay together."""
    assert as_sets(cut_at_height(six_tree, height)) == as_sets(cut(six_tree, n_clusters))


@pytest.mark.parametrize("n_clusters", [-1, 0, 7])
def test_impossible_numbers_are_refused(six_tree: Tree, n_clusters: int) -> None:
    """Fewer than one and more than there are papers."""
    with pytest.raises(
        ParameterError, match=f"^{n_clusters} clusters asked of 6 papers; 1 to 6 are possible$"
    ):
        cut(six_tree, n_clusters)


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


def test_inconsistency_by_hand(six_tree: Tree) -> None:
    """The merge at 9.5 has 1 and 2 below it: (9.5 - 4.1667) / 4.6458 = 1.148.

    The root, 14.25 with 3 and 9.5 below it, is less inconsistent, (14.25 - 8.9167) / 5.6476
    = 0.944, but a cluster is as inconsistent as its worst merge; pairs have inconsistency 0.
    """
    assert cut_by_inconsistency(six_tree, 1.147).n_groups == 3
    assert cut_by_inconsistency(six_tree, 1.149).n_groups == 1


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


def test_cuts_are_chosen_by_the_settings(six_tree: Tree) -> None:
    """Number, height, or inconsistency with its depth."""
    assert cut_by_settings(six_tree, CutSettings(n_clusters=4)).n_groups == 4
    assert cut_by_settings(six_tree, CutSettings(height=0)).n_groups == 6
    assert cut_by_settings(six_tree, CutSettings(height=9.5)).n_groups == 2
    for depth in (1, 2, 3):
        settings = CutSettings(inconsistency=1.0, inconsistency_depth=depth)
        expected = cut_by_inconsistency(six_tree, 1.0, depth=depth)
        assert as_sets(cut_by_settings(six_tree, settings)) == as_sets(expected)


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


# ---------------------------------------------------------------- Newick


def parse_newick(text: str) -> SimpleNamespace:
    """Parse Newick by the standard's grammar, quotes included, into nodes."""
    tokens = re.findall(r"'(?:[^']|'')*'|[(),:;]|[^\s(),:;']+", text)
    assert "".join(tokens) == text.strip(), "something between the tokens was not understood"
    place = 0

    def take() -> str:
        nonlocal place
        place += 1
        return tokens[place - 1]

    def parse_node() -> SimpleNamespace:
        node = SimpleNamespace(name=None, children=[], length=None)
        if tokens[place] == "(":
            take()
            node.children.append(parse_node())
            while tokens[place] == ",":
                take()
                node.children.append(parse_node())
            assert take() == ")"
        if tokens[place] not in "(),:;":
            name = take()
            quoted = name.startswith("'")
            node.name = name[1:-1].replace("''", "'") if quoted else name.replace("_", " ")
        if tokens[place] == ":":
            take()
            node.length = float(take())
        return node

    root = parse_node()
    assert (take(), place) == (";", len(tokens))
    return root


def assert_same_tree(parsed: SimpleNamespace, tree: Tree, node: int) -> None:
    """Compare names, shape, order and branch lengths below a node."""
    if node < tree.n_papers:
        assert (parsed.name, parsed.children) == (tree.paper_keys[node], [])
        return
    children = tree.children[node - tree.n_papers]
    assert len(parsed.children) == 2
    for branch, child in zip(parsed.children, children, strict=True):
        assert branch.length == pytest.approx(tree.height_of(node) - tree.height_of(child))
        assert_same_tree(branch, tree, child)


def test_newick_by_hand(six_tree: Tree) -> None:
    """The whole text for the six papers: branch lengths are differences of heights."""
    assert to_newick(six_tree) == ("((v1:3,v2:3):11.25,((p1:1,p2:1):8.5,(t1:2,t2:2):7.5):4.75);\n")


@given(tree=trees())
def test_newick_parses_back(tree: Tree) -> None:
    """Shape, leaf order, keys and branch lengths survive, inverted merges included."""
    parsed = parse_newick(to_newick(tree))
    assert parsed.length is None
    assert_same_tree(parsed, tree, tree.root)


@given(
    keys=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
        min_size=2,
        max_size=4,
        unique=True,
    )
)
def test_newick_quotes_any_key(keys: list[str]) -> None:
    """Keys with quotes, blanks, underscores, colons or brackets come back unchanged."""
    children = [(0, 1)] + [(len(keys) + i, 2 + i) for i in range(len(keys) - 2)]
    tree = Tree(
        paper_keys=tuple(keys),
        children=np.array(children),
        heights=np.arange(1.0, len(keys)),
    )
    assert_same_tree(parse_newick(to_newick(tree)), tree, tree.root)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("he2022masked", "he2022masked"),
        ("2111.06377", "2111.06377"),
        ("a_b", "'a_b'"),  # unquoted, an underscore means a blank
        ("O'Neil", "'O''Neil'"),
        ("cs:CV(1)", "'cs:CV(1)'"),
        ("été", "'été'"),
        ("a[b]", "'a[b]'"),  # unquoted, brackets hold comments
    ],
)
def test_newick_quotes_by_hand(key: str, written: str) -> None:
    """Plain keys stay bare; the rest stands in single quotes, doubled inside."""
    tree = Tree(paper_keys=(key, "z"), children=np.array([[0, 1]]), heights=np.array([1.0]))
    assert to_newick(tree) == f"({written}:1,z:1);\n"


# ---------------------------------------------------------------- size


def test_a_chain_of_20000_leaves_needs_no_recursion() -> None:
    """The deepest possible tree is built, searched, cut and written."""
    n = 20_000
    rest = np.column_stack([np.arange(n, 2 * n - 2), np.arange(2, n)])
    children = np.vstack([[0, 1], rest])
    keys = tuple(f"k{i:05d}" for i in range(n))
    tree = Tree(paper_keys=keys, children=children, heights=np.arange(1.0, n))
    assert tree.keys_in_leaf_order == keys
    assert tree.common_ancestor(["k00000", keys[-1]]) == tree.root
    assert tree.count_in_nodes(["k00000", keys[-1]])[tree.root - 1] == 1
    assert cut(tree, 3).sizes.tolist() == [n - 2, 1, 1]
    assert cut_by_inconsistency(tree, 10.0).n_groups == 1
    text = to_newick(tree)
    assert text.startswith("(" * (n - 1) + "k00000:1,k00001:1):1,k00002:2):1,")
    assert text.endswith(f",{keys[-1]}:{n - 1});\n")


def test_inverted_merges_are_not_called_tied() -> None:
    """Where a later merge is lower, the refusal speaks of inversion, not of equal heights."""
    tree = Tree(
        paper_keys=("a", "b", "c", "d"),
        children=np.array([[0, 1], [4, 2], [5, 3]]),
        heights=np.array([2.0, 1.5, 3.0]),
    )
    with pytest.raises(ParameterError, match="2 merges lie at or, inverted, below height 2"):
        cut(tree, 3)
