"""Trees against trees: dendextend's values, scipy and brute force, chance by enumeration."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.stats import pearsonr, spearmanr
from tree_examples import (
    CASE_NAMES,
    CASES,
    find_clade_sets,
    grow,
    heights_of_pairs,
    pairs_of_trees,
    random_tree,
    recorded_tree,
    relabellings,
    resolve,
    shuffle_papers,
)

from survey_tools.agreement.element_centric import compare_hierarchies
from survey_tools.agreement.index import Agreement
from survey_tools.agreement.robinson_foulds import find_clades
from survey_tools.agreement.trees import compare_trees, measure_merge_heights
from survey_tools.errors import ParameterError
from survey_tools.kernels.tree_pairs import N_MEASURES, compare_rows
from survey_tools.tree import Tree

NAMES = (
    *("cophenetic correlation", "Baker's gamma", "triplet distance", "Robinson-Foulds distance"),
    "element-centric similarity",
)


def compare(a: Tree, b: Tree, *, seed: int = 0, **options: Any) -> Agreement:
    """Compare with a generator of its own; without chance and interval unless asked for."""
    options = {"n_permutations": 0, "n_resamples": 0, **options}
    return compare_trees(a, b, rng=np.random.default_rng(seed), **options)


def values(agreement: Agreement) -> list[float]:
    """Return the values but the element-centric similarity, which has tests of its own."""
    return [index.value for index in agreement.indices[:4]]


def brute_force(a: Tree, b: Tree, keys: list[str]) -> list[float]:
    """Compute four indices pair by pair, triple by triple and set by set; NaN if undefined."""
    x, y = heights_of_pairs(a, keys), heights_of_pairs(b, keys)
    is_defined = np.ptp(x) > 0 and np.ptp(y) > 0
    correlations = [pearsonr(x, y)[0], spearmanr(x, y)[0]] if is_defined else [np.nan] * 2
    triples = list(zip(resolve(a, keys), resolve(b, keys), strict=True))
    differing = np.mean([u != v for u, v in triples]) if triples else np.nan
    clades = find_clade_sets(a, keys), find_clade_sets(b, keys)
    n_clades = sum(map(len, clades))
    unshared = len(clades[0] ^ clades[1]) / n_clades if n_clades else 0.0
    return [*correlations, differing, unshared]


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_correlations_are_dendextends(case: dict[str, Any]) -> None:
    """Cophenetic correlation and Baker's gamma are those that R's dendextend computes."""
    agreement = compare(recorded_tree(case["a"]), recorded_tree(case["b"]))
    assert agreement.index("cophenetic correlation").value == pytest.approx(case["cophenetic"])
    assert agreement.index("Baker's gamma").value == pytest.approx(case["bakers_gamma"])


def test_four_papers_by_hand() -> None:
    """((a, b), c), d against ((a, b), d), c: one of two proper clades and two of four triples.

    Heights of ab ac ad bc bd cd are 1 2 3 2 3 3 and 1 3 2 3 2 3. Their mean is 7/3 in both; the
    products about it sum to 4/3 and the squares to 10/3. Ranks are 1 2.5 5 2.5 5 5 and
    1 5 2.5 5 2.5 5 with mean 3.5: products sum to 2.5, squares to 15. Triples abc and abd are
    alike; of acd and bcd one tree joins c first and the other d.
    """
    a = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abcd")
    b = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abdc")
    agreement = compare(a, b)
    assert values(agreement) == pytest.approx([0.4, 1 / 6, 0.5, 0.5])
    assert (agreement.n_papers, agreement.n_clusters, agreement.n_classes) == (4, 3, 3)
    assert [index.name for index in agreement.indices] == list(NAMES)
    assert [index.is_distance for index in agreement.indices] == [False, False, True, True, False]


@given(pairs_of_trees())
def test_values_equal_brute_force(pair: tuple[Tree, Tree]) -> None:
    """Indices equal their definitions, with ties and without; undefined ones are 0."""
    expected = brute_force(*pair, sorted(pair[0].paper_keys))
    assert values(compare(*pair)) == pytest.approx(np.nan_to_num(expected, nan=0.0), abs=1e-12)


@given(pairs_of_trees(fewest=5), st.data())
def test_halves_equal_brute_force(pair: tuple[Tree, Tree], data: st.DataObject) -> None:
    """Restricted to some papers, trees are compared as if the others had never been there."""
    keys = sorted(pair[0].paper_keys)
    places = sorted(data.draw(st.sets(st.sampled_from(range(len(keys))), min_size=3)))
    with_fans = data.draw(st.booleans()) or any(
        (find_clades(tree).n_children > 2).any() for tree in pair
    )
    nodes = [find_clades(tree).to_nodes(with_fans=with_fans) for tree in pair]
    partners = np.full((1, len(keys)), -1)
    partners[0, places] = places
    measures = np.empty((1, N_MEASURES))
    compare_rows(*nodes, partners, measures)
    cophenetic, gamma, n_alike, n_open, n_shared, n_clades = measures[0]
    n = len(places)
    found = [
        cophenetic,
        gamma,
        1 - (n_alike + n_open) / (n * (n - 1) * (n - 2) / 6),
        1 - 2 * n_shared / n_clades if n_clades else 0.0,
    ]
    expected = brute_force(*pair, [keys[i] for i in places])
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(pairs_of_trees(fewest=4), st.integers(0, 1000))
def test_papers_are_matched_by_key(pair: tuple[Tree, Tree], seed: int) -> None:
    """The order in which trees hold their papers changes nothing, chance included."""
    options = {"n_permutations": 20, "n_resamples": 20}
    shuffled = shuffle_papers(pair[0], np.random.default_rng(seed))
    first, second = compare(*pair, **options), compare(shuffled, pair[1], **options)
    for ours, theirs in zip(first.indices, second.indices, strict=True):
        for name in ("value", "chance", "p_value", "low", "high"):
            one, other = getattr(ours, name), getattr(theirs, name)
            assert one == other or one == pytest.approx(other, abs=1e-12)


@given(pairs_of_trees(fewest=3))
def test_a_tree_agrees_with_itself(pair: tuple[Tree, Tree]) -> None:
    """A tree with more than one node correlates with itself by 1, at distance 0."""
    agreement = compare(pair[0], pair[0])
    perfect = [1.0, 1.0] if agreement.n_clusters > 1 else [0.0, 0.0]
    assert values(agreement) == pytest.approx([*perfect, 0.0, 0.0])


@given(pairs_of_trees(fewest=3))
def test_element_centric_similarity_stands_beside_them(pair: tuple[Tree, Tree]) -> None:
    """As computed alone; a tree of one node has one, too."""
    alone = compare_hierarchies(
        *pair, rng=np.random.default_rng(0), n_permutations=0, n_resamples=0
    )
    assert compare(*pair).indices[4:] == alone.indices


def test_sides_can_be_exchanged() -> None:
    """Values do not depend on which tree comes first."""
    rng = np.random.default_rng(5)
    a, b = (random_tree(30, rng, tied=tied) for tied in (True, False))
    assert values(compare(a, b)) == pytest.approx(values(compare(b, a)))


def test_tied_merges_are_one_node() -> None:
    """Three papers merged at one height make one tree, in whatever order they were merged."""
    one = grow([(0, 1), (4, 2), (5, 3)], [1, 1, 2], "abcd")
    other = grow([(1, 2), (4, 0), (5, 3)], [1, 1, 2], "abcd")
    agreement = compare(one, other)
    assert values(agreement) == pytest.approx([1, 1, 0, 0])
    assert agreement.n_clusters == agreement.n_classes == 2


def test_an_open_triple_differs_from_a_resolved_one() -> None:
    """((a, b, c), d) against (((a, b), c), d): only abc differs, and the clade ab stands alone."""
    tied = grow([(0, 1), (4, 2), (5, 3)], [2, 2, 3], "abcd")
    binary = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abcd")
    assert values(compare(tied, binary))[2:] == pytest.approx([1 / 4, 1 / 3])


def test_a_single_node_says_nothing() -> None:
    """All papers tied: correlations are 0, every triple differs, and nothing is tested."""
    star = grow([(0, 1), (4, 2), (5, 3)], [1, 1, 1], "abcd")
    binary = grow([(0, 1), (4, 2), (5, 3)], [1, 2, 3], "abcd")
    agreement = compare(star, binary, n_permutations=10, n_resamples=10)
    assert values(agreement) == [0.0, 0.0, 1.0, 1.0]
    assert values(compare(star, star)) == [0.0, 0.0, 0.0, 0.0]
    assert (agreement.n_permutations, agreement.n_resamples) == (0, 0)
    assert all(index.chance is None and index.low is None for index in agreement.indices)


def test_two_papers_can_only_agree() -> None:
    """Two papers have one tree: no correlation, no distance."""
    pair = grow([(0, 1)], [1.0], "ab")
    assert values(compare(pair, pair, n_permutations=5)) == [0.0] * 4


def test_an_inverted_merge_is_lifted() -> None:
    """A merge below one of its children counts as made at the height of that child."""
    inverted = grow([(0, 1), (4, 2), (5, 3)], [2.0, 1.0, 3.0], "abcd")
    lifted = grow([(0, 1), (4, 2), (5, 3)], [2.0, 2.0, 3.0], "abcd")
    assert measure_merge_heights(inverted).tolist() == measure_merge_heights(lifted).tolist()
    assert values(compare(inverted, lifted)) == pytest.approx([1, 1, 0, 0])


def test_merge_heights_are_scipys() -> None:
    """Without inversions, heights of pairs are scipy's cophenetic distances, sorted by key."""
    tree = random_tree(20, np.random.default_rng(2), tied=True)
    by_key = np.argsort(tree.paper_keys)
    upper = np.triu_indices(20, k=1)
    square = np.zeros((20, 20))
    square[upper] = hierarchy.cophenet(tree.to_linkage())
    square += square.T
    assert measure_merge_heights(tree).tolist() == square[np.ix_(by_key, by_key)].tolist()


def test_chance_is_that_of_all_relabellings() -> None:
    """Chance and p-value of five papers are those of all 120 relabellings."""
    a = grow([(0, 1), (2, 3), (5, 6), (7, 4)], [1, 2, 3, 4], "abcde")
    b = grow([(0, 1), (5, 2), (3, 4), (6, 7)], [1, 1, 2, 3], "badce")
    n = 20_000
    agreement = compare(a, b, n_permutations=n)
    everything = np.array([values(compare(a, other)) for other in relabellings(b)])
    for i, index in enumerate(agreement.indices[:4]):
        every = everything[:, i]
        is_as_good = every <= index.value + 1e-9 if i > 1 else every >= index.value - 1e-9
        share = is_as_good.mean()
        assert index.chance == pytest.approx(every.mean(), abs=4 * every.std() / n**0.5 + 1e-12)
        spread = (share * (1 - share) / n) ** 0.5
        assert index.p_value == pytest.approx(share, abs=4 * spread + 2 / n)


def test_a_copy_is_better_than_chance_and_a_stranger_is_not() -> None:
    """p-values are least for a nearly equal tree and unremarkable for an unrelated one."""
    rng = np.random.default_rng(8)
    points = rng.normal(size=(40, 3))
    keys = [f"p{i:02d}" for i in range(40)]
    near, far = points + 0.01 * rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    tree, copy, stranger = (
        Tree.from_linkage(hierarchy.linkage(each, "average"), keys) for each in (points, near, far)
    )
    options = {"n_permutations": 199, "n_resamples": 200}
    alike, unlike = compare(tree, copy, **options), compare(tree, stranger, **options)
    assert [index.p_value for index in alike.indices] == [1 / 200] * 5
    assert all(index.p_value is not None and index.p_value > 0.05 for index in unlike.indices)
    for index in (*alike.indices, *unlike.indices):
        assert index.low is not None
        assert index.high is not None
        assert index.low <= index.value <= index.high
    gamma = unlike.index("Baker's gamma")
    assert gamma.low != gamma.high


def test_the_same_generator_gives_the_same_agreement() -> None:
    """Equal seeds give equal results, other seeds other chances."""
    rng = np.random.default_rng(4)
    a, b = (random_tree(15, rng, tied=False) for _ in range(2))
    options = {"n_permutations": 50, "n_resamples": 50}
    assert compare(a, b, **options) == compare(a, b, **options)
    assert compare(a, b, **options) != compare(a, b, seed=1, **options)


def test_three_papers_have_no_halves() -> None:
    """Three papers are tested against chance but get no interval."""
    a = grow([(0, 1), (3, 2)], [1, 2], "abc")
    b = grow([(1, 2), (3, 0)], [1, 2], "abc")
    agreement = compare(a, b, n_permutations=30, n_resamples=30)
    assert agreement.n_resamples == 0
    assert all(index.low is None and index.p_value for index in agreement.indices)


def test_different_papers_are_named() -> None:
    """Trees of different papers are refused, and the message names those not in both."""
    a = grow([(0, 1), (3, 2)], [1, 2], "abc")
    b = grow([(0, 1), (3, 2)], [1, 2], "abx")
    with pytest.raises(ParameterError, match="the two trees hold different papers: c, x; build"):
        compare(a, b)
