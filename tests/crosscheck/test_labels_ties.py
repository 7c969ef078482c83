"""Labels in trees with tied merges: a tied group is one node, for labels and for chance."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom

from survey_tools.cover import Cover
from survey_tools.crosscheck import labels
from survey_tools.crosscheck.labels import find_enriched_nodes, place_labels
from survey_tools.tree import Tree

Papers = frozenset[str]
Levels = Sequence[Sequence[Papers]]


def draw_levels(n: int, seed: int) -> Levels:
    """Draw clusters of clusters of n papers, three to a cluster in the mean."""
    rng = np.random.default_rng(seed)
    clusters = [frozenset({f"p{i:02d}"}) for i in range(n)]
    levels = []
    while len(clusters) > 1:
        blocks = rng.integers(0, max(1, len(clusters) // 3), len(clusters))
        clusters = [
            frozenset().union(*(c for c, b in zip(clusters, blocks, strict=True) if b == block))
            for block in np.unique(blocks)
        ]
        levels.append(clusters)
    return levels


def resolve(levels: Levels, seed: int = 0) -> Tree:
    """Merge each level's clusters at one height (from 0 up), pairs and papers in random order."""
    rng = np.random.default_rng(seed)
    keys = rng.permutation(sorted(levels[-1][0])).tolist()
    node_of = {frozenset({key}): leaf for leaf, key in enumerate(keys)}
    below = list(node_of)
    children: list[tuple[int, int]] = []
    heights = []
    for height, level in enumerate(levels):
        pieces = [[node_of[part] for part in below if part <= block] for block in level]
        while unfinished := [nodes for nodes in pieces if len(nodes) > 1]:
            nodes = unfinished[rng.integers(len(unfinished))]
            rng.shuffle(nodes)
            children.append((nodes.pop(), nodes.pop()))
            nodes.append(len(keys) + len(children) - 1)
            heights.append(float(height))
        node_of |= {block: nodes[0] for block, nodes in zip(level, pieces, strict=True)}
        below = list(level)
    return Tree(paper_keys=tuple(keys), children=np.array(children), heights=np.array(heights))


def clades(levels: Levels) -> set[Papers]:
    """Return the papers of every node, a tied group being one."""
    return {block for level in levels for block in level if len(block) > 1}


def draw_groups(levels: Levels, seed: int) -> dict[str, list[str]]:
    """Draw labels of several sizes, and one that all papers of a clade but one carry."""
    rng = np.random.default_rng(seed)
    keys = sorted(levels[-1][0])
    n = len(keys)
    sizes = sorted({1, 2, n // 3 + 1, n // 2 + 1, n})
    groups = {f"l{m}": rng.permutation(keys)[:m].tolist() for m in sizes}
    chosen = sorted(map(sorted, clades(levels)))
    return groups | {"planted": chosen[rng.integers(len(chosen))][1:]}


def make_cover(tree: Tree, groups: dict[str, list[str]]) -> Cover:
    """Make a cover of the tree's papers from label -> keys."""
    carried = {
        key: [name for name, keys in groups.items() if key in keys] for key in tree.paper_keys
    }
    return Cover.from_mapping(carried, group_order=groups)


def best_f1(nodes: set[Papers], keys: Papers) -> float:
    """Best F1 of a set of papers over all nodes."""
    return max(2 * len(keys & below) / (len(keys) + len(below)) for below in nodes)


def test_tied_papers_are_one_node_by_hand() -> None:
    """Of a, b, c and d, all merged at 1, a and b are no sub-tree: the best has F1 2/3."""
    for pairs in ([[0, 1], [2, 3], [5, 6]], [[0, 2], [5, 1], [6, 3]], [[2, 3], [5, 0], [6, 1]]):
        tree = Tree(
            paper_keys=tuple("abcde"),
            children=np.array([*pairs, [7, 4]]),
            heights=np.array([1.0, 1.0, 1.0, 2.0]),
        )
        cover = make_cover(tree, {"x": ["a", "b"]})
        (x,) = place_labels(tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0)
        assert (x.node, x.height, x.size, x.n_common) == (7, 1.0, 4, 2)
        assert (x.precision, x.recall, x.f1) == (0.5, 1.0, pytest.approx(2 / 3))


def test_a_merge_lower_than_one_below_it_makes_one_node_with_it() -> None:
    """Where ab is merged at 2 and abc at 1.5, no cut has the cluster ab."""
    tree = Tree(
        paper_keys=tuple("abcd"),
        children=np.array([[0, 1], [4, 2], [5, 3]]),
        heights=np.array([2.0, 1.5, 3.0]),
    )
    cover = make_cover(tree, {"x": ["a", "b"]})
    (x,) = place_labels(tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0)
    assert (x.node, x.height, x.size, x.f1) == (5, 1.5, 3, pytest.approx(0.8))


def test_where_all_merges_are_tied_only_the_root_is_left() -> None:
    """Any label lives in the root, as well as by chance, and no node is tested."""
    tree = resolve([[frozenset("abcdefgh")]])
    cover = make_cover(tree, {"x": ["a", "b", "c"]})
    (x,) = place_labels(tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=50)
    assert (x.node, x.f1, x.chance, x.p_value) == (tree.root, 6 / 11, pytest.approx(6 / 11), 1.0)
    assert find_enriched_nodes(tree, {"axis": cover}, alpha=0.2) == ()


def test_of_equal_nodes_at_one_height_the_first_by_key_is_taken() -> None:
    """A label on b and c fits ab as well as cd: ab is taken, whichever was merged first."""
    pairs = [frozenset(pair) for pair in ("ab", "cd", "ef", "gh")]
    firsts = set()
    for seed in range(12):
        tree = resolve([pairs, [frozenset("abcdefgh")]], seed)
        firsts.add(tree.papers_under(8))
        cover = make_cover(tree, {"x": ["b", "c"]})
        (x,) = place_labels(tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0)
        assert (set(tree.papers_under(x.node)), x.f1) == ({"a", "b"}, 0.5)
    assert len({frozenset(papers) for papers in firsts}) > 2


@given(n=st.integers(2, 30), seed=st.integers(0, 200))
@settings(deadline=None)
def test_any_label_is_placed_as_a_plain_search_over_clades_does(n: int, seed: int) -> None:
    """The F1 is the greatest over all clades, and the node is one of them."""
    levels = draw_levels(n, seed)
    tree, groups = resolve(levels, seed), draw_groups(levels, seed)
    cover = make_cover(tree, groups)
    nodes = clades(levels)
    for place in place_labels(
        tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0
    ):
        keys = frozenset(groups[place.label])
        below = frozenset(tree.papers_under(place.node))
        assert below in nodes
        assert (len(below), len(below & keys)) == (place.size, place.n_common)
        assert (place.f1, place.height) == (best_f1(nodes, keys), tree.height_of(place.node))


@given(n=st.integers(2, 30), seed=st.integers(0, 200))
@settings(deadline=None)
def test_chance_searches_the_same_clades(n: int, seed: int) -> None:
    """Every random set has exactly the best F1 of a plain search over all clades."""
    levels = draw_levels(n, seed)
    tree, nodes = resolve(levels, seed), clades(levels)
    keys = np.array(tree.keys_in_leaf_order)
    drawn = []

    def search(*given: NDArray[np.int64]) -> None:
        labels_search(*given)
        *_, orders, set_sizes, best = given
        drawn.append((orders, set_sizes, best))

    labels_search = labels.search_random_sets
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "search_random_sets", search)
        cover = make_cover(tree, draw_groups(levels, seed))
        place_labels(tree, {"axis": cover}, rng=np.random.default_rng(seed), n_permutations=5)
    ((orders, set_sizes, best),) = drawn
    for order, found in zip(orders, best, strict=True):
        assert sorted(order) == list(range(n))
        expected = [best_f1(nodes, frozenset(keys[order[:size]])) for size in set_sizes]
        assert found.tolist() == expected


def test_chance_equals_exact_enumeration() -> None:
    """All sets of 1 to 7 of 8 papers give mean and p-value, to four standard errors."""
    trios = [frozenset("abc"), frozenset("def"), frozenset("g"), frozenset("h")]
    levels = [trios, [frozenset("abcdef"), *trios[2:]], [frozenset("abcdefgh")]]
    tree = resolve(levels, 1)
    groups = {f"l{m}": list("abdcefgh"[:m]) for m in range(1, 8)}
    found = place_labels(
        tree,
        {"axis": make_cover(tree, groups)},
        rng=np.random.default_rng(1),
        n_permutations=20_000,
    )
    assert len(found) == 7
    for place in found:
        exact = np.array(
            [
                best_f1(clades(levels), frozenset(s))
                for s in combinations("abcdefgh", place.n_papers)
            ]
        )
        error = 4 / np.sqrt(20_000)
        assert place.chance == pytest.approx(exact.mean(), abs=error * exact.std() + 1e-12)
        assert place.p_value == pytest.approx((exact >= place.f1 - 1e-9).mean(), abs=error / 2)


def test_p_values_of_random_labels_are_uniform_or_larger() -> None:
    """In a heavily tied tree no more random labels than alpha reach alpha, for each alpha."""
    levels = draw_levels(60, 4)
    tree = resolve(levels, 2)
    assert len(clades(levels)) < 30
    rng = np.random.default_rng(6)
    n_labels = 2000
    keys = sorted(tree.paper_keys)
    members = np.argsort(rng.random((n_labels, 60)), axis=1) < rng.integers(3, 30, (n_labels, 1))
    names = tuple(f"l{i}" for i in range(n_labels))
    cover = Cover(paper_keys=tuple(keys), group_names=names, members=members.T)
    found = place_labels(tree, {"axis": cover}, rng=rng, n_permutations=5000)
    p_values = np.array([place.p_value for place in found])
    assert len(p_values) == n_labels
    for alpha in (0.01, 0.05, 0.1, 0.2, 0.5, 0.8):
        share = (p_values <= alpha).mean()
        assert share <= alpha + 4 * np.sqrt(alpha * (1 - alpha) / n_labels)
        assert share >= 0.5 * alpha - 4 * np.sqrt(alpha * (1 - alpha) / n_labels)


@given(n=st.integers(2, 40), seed=st.integers(0, 200))
@settings(deadline=None)
def test_order_of_papers_and_tied_merges_changes_no_row(n: int, seed: int) -> None:
    """Rows are the same but for the number of the node, whose papers are the same."""
    levels = draw_levels(n, seed)
    groups = draw_groups(levels, seed)
    rows = []
    for order in range(3):
        tree = resolve(levels, order)
        covers = {"axis": make_cover(tree, groups)}
        rng = np.random.default_rng(seed)
        placed = place_labels(tree, covers, rng=rng, n_permutations=30)
        enriched = find_enriched_nodes(tree, covers, alpha=0.2)
        rows.append(
            [
                (frozenset(tree.papers_under(row.node)), values(row))
                for found in (placed, enriched)
                for row in found
            ]
        )
    assert rows[0] == rows[1] == rows[2]


def values(row: labels.LabelPlace | labels.EnrichedNode) -> list[object]:
    """Return all of a row but the number of its node."""
    return [getattr(row, name) for name in row.__slots__ if name != "node"]


@given(n=st.integers(3, 40), seed=st.integers(0, 200))
@settings(deadline=None)
def test_enrichment_equals_a_plain_test_of_every_clade(n: int, seed: int) -> None:
    """Tails and q-values are scipy's over all clades but the root and all labels, no others."""
    levels = draw_levels(n, seed)
    tree, groups = resolve(levels, seed), draw_groups(levels, seed)
    found = find_enriched_nodes(tree, {"axis": make_cover(tree, groups)}, alpha=0.2)
    tests = [(label, below) for label in groups for below in clades(levels) if len(below) < n]
    p_values = []
    for label, below in tests:
        keys = groups[label]
        n_common = len(below & set(keys))
        is_more = n_common * n > len(keys) * len(below)
        p_values.append(hypergeom.sf(n_common - 1, n, len(keys), len(below)) if is_more else 1.0)
    q_values = false_discovery_control(p_values) if tests else np.empty(0)
    expected = {
        test: pytest.approx((p, q))
        for test, p, q in zip(tests, p_values, q_values, strict=True)
        if q <= 0.2
    }
    listed = {
        (node.label, frozenset(tree.papers_under(node.node))): (node.p_value, node.q_value)
        for node in found
    }
    assert listed == expected
    assert len(listed) == len(found)


def test_a_planted_clade_is_enriched_and_listed_once() -> None:
    """Twelve papers merged at one height are one row, not one for each pair merged."""
    groups = [frozenset(f"p{i:02d}" for i in range(12 * j, 12 * j + 12)) for j in range(4)]
    tree = resolve([groups, [frozenset().union(*groups)]], 5)
    cover = make_cover(tree, {"x": sorted(groups[2])})
    (node,) = find_enriched_nodes(tree, {"axis": cover})
    assert set(tree.papers_under(node.node)) == groups[2]
    assert (node.size, node.n_common, node.height) == (12, 12, 0.0)
    assert node.p_value == pytest.approx(hypergeom.pmf(12, 48, 12, 12))
    assert node.q_value == pytest.approx(4 * node.p_value)
