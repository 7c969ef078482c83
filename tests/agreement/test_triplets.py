"""Triplet distance: shares by hand, and chance by symmetry."""

import numpy as np
import pytest
from tree_examples import random_tree

from survey_tools.agreement.trees import compare_trees
from survey_tools.agreement.triplets import triplet_distance


def test_triples_that_are_not_alike_count() -> None:
    """Of the ten triples of five papers, six resolved alike and one open in both leave three."""
    found = triplet_distance(5, np.array([6.0, 10.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert found == pytest.approx([0.3, 0.0, 1.0])


def test_two_papers_have_no_triple() -> None:
    """Without triples there is no distance."""
    assert np.isnan(triplet_distance(2, np.array([0.0]), np.array([0.0]))).all()


def test_binary_trees_differ_by_chance_in_two_of_three() -> None:
    """A random relabelling resolves each triple in one of three equally likely ways."""
    rng = np.random.default_rng(3)
    a, b = (random_tree(20, rng, tied=False) for _ in range(2))
    index = compare_trees(a, b, rng=rng, n_permutations=4000, n_resamples=0).index(
        "triplet distance"
    )
    assert index.chance == pytest.approx(2 / 3, abs=0.005)
