"""Clades with ties collapsed, and the Robinson-Foulds distance: by hand and by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_examples import find_clade_sets, grow, pairs_of_trees, shuffle_papers

from survey_tools.agreement.robinson_foulds import Clades, find_clades, robinson_foulds_distance
from survey_tools.tree import Tree


def papers_of(clades: Clades) -> list[frozenset[str]]:
    """Papers below every clade, climbing from each paper to the root."""
    found: list[set[str]] = [set() for _ in range(clades.n_clades)]
    for key, home in zip(clades.paper_keys, clades.homes.tolist(), strict=True):
        clade = home
        while clade >= 0:
            found[clade].add(key)
            clade = int(clades.parents[clade])
    return [frozenset(keys) for keys in found]


def test_clades_by_hand() -> None:
    """(b, c, a) at one height and d above: two clades, papers in the order of their keys."""
    tree = grow([(1, 2), (4, 0), (5, 3)], [1.0, 1.0, 3.0], "cabd")
    clades = find_clades(tree)
    assert clades.paper_keys == ("a", "b", "c", "d")
    assert clades.heights.tolist() == [1.0, 3.0]
    assert clades.parents.tolist() == [1, -1]
    assert clades.homes.tolist() == [0, 0, 0, 1]
    assert clades.n_children.tolist() == [3, 2]


@given(pairs_of_trees())
def test_clades_are_what_cuts_keep_together(pair: tuple[Tree, Tree]) -> None:
    """Clades are the sets of papers that some cut keeps together, each once, the root last."""
    keys = sorted(pair[0].paper_keys)
    found = papers_of(find_clades(pair[0]))
    assert len(set(found)) == len(found)
    assert found[-1] == frozenset(keys)
    assert set(found[:-1]) == find_clade_sets(pair[0], keys)


@given(pairs_of_trees(), st.integers(0, 1000))
def test_clades_do_not_depend_on_the_order_of_papers(pair: tuple[Tree, Tree], seed: int) -> None:
    """A tree that holds its papers in another order has the same clades."""
    shuffled = shuffle_papers(pair[0], np.random.default_rng(seed))
    assert papers_of(find_clades(shuffled)) == papers_of(find_clades(pair[0]))


def test_an_inverted_merge_makes_no_clade() -> None:
    """What an inverted merge joined lower than its child belongs to one clade with it."""
    clades = find_clades(grow([(0, 1), (4, 2), (5, 3)], [2.0, 1.0, 3.0], "abcd"))
    assert clades.heights.tolist() == [2.0, 3.0]
    assert papers_of(clades)[0] == {"a", "b", "c"}


def test_fans_list_their_children() -> None:
    """Papers that hang from a clade of three children become nodes before all clades."""
    clades = find_clades(grow([(0, 1), (4, 2), (5, 3)], [1.0, 1.0, 3.0], "abcd"))
    nodes = clades.to_nodes(with_fans=True)
    assert nodes.parents.tolist() == [3, 3, 3, 4, -1]
    assert nodes.homes.tolist() == [0, 1, 2, 4]
    assert nodes.heights.tolist() == [0.0, 0.0, 0.0, 1.0, 3.0]
    assert nodes.fans.tolist() == [3]
    assert nodes.fan_children[nodes.fan_starts[0] : nodes.fan_starts[1]].tolist() == [0, 1, 2]
    assert len(clades.to_nodes(with_fans=False).parents) == 2


def test_the_distance_counts_clades_of_one_tree_alone() -> None:
    """Of five and five clades two shared leave six of ten; no clades at all are no distance."""
    n_shared, n_clades = np.array([2.0, 5.0, 0.0, 0.0]), np.array([10.0, 10.0, 7.0, 0.0])
    assert robinson_foulds_distance(n_shared, n_clades) == pytest.approx([0.6, 0.0, 1.0, 0.0])
