"""Labels in the tree: the best sub-tree, chance that knows of the search, enrichment."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.stats import false_discovery_control, hypergeom

from survey_tools.cover import Cover
from survey_tools.crosscheck.labels import find_enriched_nodes, place_labels
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree


def make_tree(n: int, seed: int = 0, method: str = "average") -> Tree:
    """Merge random points; papers are p000, p001, …."""
    points = np.random.default_rng(seed).random((n, 3))
    return Tree.from_linkage(hierarchy.linkage(points, method), [f"p{i:03d}" for i in range(n)])


def make_cover(tree: Tree, **groups: list[str]) -> Cover:
    """Make a cover of the tree's papers from label -> keys."""
    carried = {
        key: [name for name, keys in groups.items() if key in keys] for key in tree.paper_keys
    }
    return Cover.from_mapping(carried, group_order=groups)


# ((a b) (c d)) e: nodes ab, cd, abcd, all
FIVE = Tree(
    paper_keys=("a", "b", "c", "d", "e"),
    children=np.array([[0, 1], [2, 3], [5, 6], [7, 4]]),
    heights=np.array([1.0, 2.0, 3.0, 4.0]),
)


def test_five_papers_by_hand() -> None:
    """A label on a, b and c: node abcd holds 3 of 4 (F1 6/7), node ab 2 of 2 (F1 4/5)."""
    cover = make_cover(FIVE, x=["a", "b", "c"], y=["e"])
    x, y = place_labels(FIVE, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0)
    assert (x.label, x.node, x.height, x.size, x.n_common) == ("x", 7, 3.0, 4, 3)
    assert (x.precision, x.recall, x.f1) == (3 / 4, 1.0, pytest.approx(6 / 7))
    assert (y.label, y.node, y.f1) == ("y", 8, pytest.approx(1 / 3))
    assert (x.chance, x.p_value, x.q_value) == (None, None, None)


def test_of_equal_nodes_the_smallest_is_taken() -> None:
    """In a chain a, ab, abc, abcd a label on a and d has F1 1/2 in ab, 2/3 in all four."""
    chain = Tree(
        paper_keys=tuple("abcd"),
        children=np.array([[0, 1], [4, 2], [5, 3]]),
        heights=np.array([1.0, 2.0, 3.0]),
    )
    cover = make_cover(chain, ad=["a", "d"], c=["c"])
    found = place_labels(chain, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=0)
    assert [(place.label, place.node) for place in found] == [("ad", 6), ("c", 5)]


def best_f1(tree: Tree, keys: set[str]) -> float:
    """Best F1 over all inner nodes, from their papers."""
    return max(
        2 * len(keys & set(s.paper_keys)) / (len(keys) + len(s.paper_keys)) for s in tree.subtrees()
    )


@given(n=st.integers(2, 40), seed=st.integers(0, 50), method=st.sampled_from(["single", "average"]))
@settings(deadline=None)
def test_any_label_is_placed_as_a_plain_search_does(n: int, seed: int, method: str) -> None:
    """The F1 is the greatest over all sub-trees, for sets of every size."""
    tree = make_tree(n, seed, method)
    rng = np.random.default_rng(seed)
    groups = {f"l{m}": list(rng.permutation(tree.paper_keys)[:m]) for m in {1, 2, n // 2 + 1, n}}
    found = place_labels(tree, {"axis": make_cover(tree, **groups)}, rng=rng, n_permutations=0)
    for place in found:
        keys = set(groups[place.label])
        assert place.f1 == pytest.approx(best_f1(tree, keys))
        below = set(tree.papers_under(place.node))
        assert (len(below & keys), len(below)) == (place.n_common, place.size)


def test_chance_equals_exact_enumeration() -> None:
    """All sets of 1 to 7 of 8 papers give mean and p-value, to four standard errors."""
    tree = make_tree(8, seed=3)
    groups = {f"l{m}": list(tree.keys_in_leaf_order[1 : 1 + m]) for m in range(1, 8)}
    found = place_labels(
        tree,
        {"axis": make_cover(tree, **groups)},
        rng=np.random.default_rng(1),
        n_permutations=20_000,
    )
    assert len(found) == 7
    for place in found:
        exact = np.array(
            [best_f1(tree, set(s)) for s in combinations(tree.paper_keys, place.n_papers)]
        )
        error = 4 / np.sqrt(20_000)
        assert place.chance == pytest.approx(exact.mean(), abs=error * exact.std() + 1e-12)
        assert place.p_value == pytest.approx((exact >= place.f1 - 1e-9).mean(), abs=error / 2)
    q_values = false_discovery_control([place.p_value for place in found])
    assert [place.q_value for place in found] == pytest.approx(list(q_values))


def test_a_random_label_is_not_found_and_a_planted_one_is() -> None:
    """The p-value pays for the search: random labels stay above 0.05 in 19 of 20 cases."""
    tree = make_tree(60, seed=5)
    rng = np.random.default_rng(8)
    groups = {f"r{i}": list(rng.choice(tree.paper_keys, 9, replace=False)) for i in range(200)}
    planted = next(s for s in tree.subtrees() if 8 <= len(s.paper_keys) <= 12)
    groups["planted"] = list(planted.paper_keys)
    found = place_labels(tree, {"axis": make_cover(tree, **groups)}, rng=rng, n_permutations=2000)
    assert found[0].label == "planted"
    assert found[0].p_value == pytest.approx(1 / 2001)
    share = np.mean([place.p_value <= 0.05 for place in found if place.label != "planted"])
    assert share <= 0.10


def test_a_label_on_all_papers_says_nothing() -> None:
    """Every deal puts it on all papers: p is 1."""
    tree = make_tree(10)
    cover = make_cover(tree, everywhere=list(tree.paper_keys), nowhere=[])
    (place,) = place_labels(tree, {"axis": cover}, rng=np.random.default_rng(0), n_permutations=50)
    assert (place.f1, place.p_value, place.chance) == (1.0, 1.0, 1.0)


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few orders are drawn at once, all of them count."""
    tree = make_tree(30)
    cover = make_cover(tree, x=list(tree.paper_keys[:7]))
    results = []
    for n_at_once in (10**9, 30 * 3):
        monkeypatch.setattr("survey_tools.crosscheck.labels._ORDERS_AT_ONCE", n_at_once)
        rng = np.random.default_rng(4)
        results.append(place_labels(tree, {"axis": cover}, rng=rng, n_permutations=500))
    assert results[0] == results[1]


def test_different_papers_are_refused() -> None:
    """A label on a paper that the tree lacks could be counted nowhere."""
    cover = Cover.from_mapping({"a": ["x"], "z": []})
    with pytest.raises(ParameterError, match="tree and axis 'axis' hold different papers: b, c"):
        place_labels(FIVE, {"axis": cover}, rng=np.random.default_rng(0))
    with pytest.raises(ParameterError, match="hold different papers"):
        find_enriched_nodes(FIVE, {"axis": cover})


def test_enrichment_equals_a_plain_test_of_every_node() -> None:
    """Tails and q-values are scipy's over all nodes but the root and all labels."""
    tree = make_tree(40, seed=2)
    big = next(s for s in tree.subtrees() if 8 <= len(s.paper_keys) <= 20)
    rng = np.random.default_rng(1)
    groups = {
        "planted": list(big.paper_keys),
        "random": list(rng.choice(tree.paper_keys, 10, False)),
    }
    found = find_enriched_nodes(tree, {"axis": make_cover(tree, **groups)}, alpha=0.1)
    nodes = [s for s in tree.subtrees() if s.node != tree.root]
    counts = [[len(set(keys) & set(s.paper_keys)) for s in nodes] for keys in groups.values()]
    p_values = np.array(
        [
            [
                hypergeom.sf(count - 1, 40, len(keys), len(s.paper_keys))
                if count * 40 > len(keys) * len(s.paper_keys)
                else 1.0
                for count, s in zip(row, nodes, strict=True)
            ]
            for row, keys in zip(counts, groups.values(), strict=True)
        ]
    )
    q_values = false_discovery_control(p_values.ravel()).reshape(p_values.shape)
    expected = {
        (list(groups)[i], nodes[j].node): (p_values[i, j], q_values[i, j])
        for i, j in zip(*np.nonzero(q_values <= 0.1), strict=True)
    }
    assert {(e.label, e.node) for e in found} == set(expected)
    for each in found:
        values = expected[each.label, each.node]
        assert (each.p_value, each.q_value) == pytest.approx(values)
    assert ("planted", big.node) in expected
    assert [e.q_value for e in found] == sorted(e.q_value for e in found)


def test_a_rate_out_of_range_is_refused() -> None:
    """Depleted nodes count as p = 1, which holds for small rates only."""
    cover = make_cover(FIVE, x=["a", "b"])
    with pytest.raises(ParameterError, match=r"alpha=0.5: a false discovery rate of 0 to 0.2"):
        find_enriched_nodes(FIVE, {"axis": cover}, alpha=0.5)


def test_two_papers_have_no_node_to_test() -> None:
    """The root holds all."""
    tree = make_tree(2)
    assert find_enriched_nodes(tree, {"axis": make_cover(tree, x=["p000"])}) == ()
