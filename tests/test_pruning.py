"""Pruning: what is kept stays as far apart as it was."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from survey_tools.errors import ParameterError
from survey_tools.pruning import prune
from survey_tools.tree import Tree


@given(n=st.integers(3, 25), seed=st.integers(0, 99), data=st.data())
def test_cophenetic_distances_stay(n: int, seed: int, data: st.DataObject) -> None:
    """Of any two kept papers, and the order in which leaves are drawn."""
    points = np.random.default_rng(seed).integers(0, 4, (n, 2))  # ties
    keys = [f"k{i:02d}" for i in range(n)]
    tree = Tree.from_linkage(hierarchy.linkage(points, "average"), keys, linkage="average")
    kept = data.draw(st.sets(st.sampled_from(keys), min_size=2))
    pruned = prune(tree, kept)
    assert set(pruned.paper_keys) == kept
    assert pruned.linkage == "average"
    for a, b in combinations(sorted(kept), 2):
        assert pruned.cophenetic_distance(a, b) == tree.cophenetic_distance(a, b)
    order = [key for key in tree.keys_in_leaf_order if key in kept]
    assert list(pruned.keys_in_leaf_order) == order


def test_a_chain_of_many_papers_is_pruned_without_recursion() -> None:
    """20,000 levels deep."""
    n = 20_000
    children = np.column_stack([np.r_[0, n : 2 * n - 2], np.arange(1, n)])
    chain = Tree(
        paper_keys=tuple(f"k{i}" for i in range(n)),
        children=children,
        heights=np.arange(1.0, n),
    )
    pruned = prune(chain, [f"k{i}" for i in range(0, n, 2)])
    assert pruned.n_papers == n // 2
    assert pruned.cophenetic_distance("k0", "k19998") == 19998.0


def test_what_cannot_be_kept_is_refused() -> None:
    """Unknown papers by name; a single paper is no tree."""
    tree = Tree.from_linkage(hierarchy.linkage([[0.0], [1.0], [3.0]]), ["a", "b", "c"])
    with pytest.raises(ParameterError, match="not in the tree: z"):
        prune(tree, ["a", "z"])
    with pytest.raises(ParameterError, match="at least 2 papers; 1 are to be kept"):
        prune(tree, ["a"])
    assert prune(tree, ["a", "b", "c"]) is tree
