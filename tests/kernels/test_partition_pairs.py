"""Kernels for thousands of runs: indices of two partitions, all cuts of a tree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.special import gammaln
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    fowlkes_mallows_score,
)

from survey_tools.agreement.covers import compare_covers
from survey_tools.cover import Cover
from survey_tools.cuts import cut_into_at_most
from survey_tools.kernels.partition_pairs import (
    average_fowlkes_mallows,
    compare_codes,
    cut_tree,
)
from survey_tools.partition import Partition
from survey_tools.tree import Tree


def compare(a, b) -> np.ndarray:
    """Compare two lists of groups."""
    out = np.empty(4)
    log_factorial = np.asarray(gammaln(np.arange(len(a) + 1) + 1.0))
    compare_codes(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64), log_factorial, out)
    return out


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 12), st.integers(1, 12))
def test_indices_equal_sklearns(seed: int, n: int, n_a: int, n_b: int) -> None:
    """ARI, AMI and Fowlkes-Mallows equal scikit-learn's, degenerate partitions included."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, n_a, n), rng.integers(0, n_b, n)
    ari, ami, fowlkes_mallows, _ = compare(a, b)
    assert ari == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    assert ami == pytest.approx(adjusted_mutual_info_score(a, b), abs=1e-9)
    assert fowlkes_mallows == pytest.approx(fowlkes_mallows_score(a, b), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 0], [0, 0, 0], [1.0, 1.0, 1.0, 1.0]),
        ([0, 1, 2], [0, 1, 2], [1.0, 1.0, 0.0, 1.0]),
        ([0, 0, 0], [0, 1, 2], [0.0, 0.0, 0.0, 1 / 3]),
        ([1, 1, 0, 0], [0, 0, 1, 1], [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_degenerate_partitions(a: list, b: list, expected: list) -> None:
    """Values of trivial partitions are defined."""
    assert compare(a, b) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000))
def test_element_centric_similarity_is_that_of_covers(seed: int) -> None:
    """The closed form equals the general computation by personalised PageRank."""
    rng = np.random.default_rng(seed)
    n = 14
    keys = tuple(f"p{i:02d}" for i in range(n))
    covers, codes = [], []
    for _ in range(2):
        _, found = np.unique(rng.integers(0, 5, n), return_inverse=True)
        names = tuple(map(str, range(found.max() + 1)))
        codes.append(found)
        covers.append(
            Cover.from_partition(Partition(paper_keys=keys, group_names=names, codes=found))
        )
    agreement = compare_covers(*covers, rng=rng, n_permutations=0, n_resamples=0)
    assert compare(*codes)[3] == pytest.approx(
        agreement.index("element-centric similarity").value, abs=1e-12
    )


def test_papers_of_one_side_only_are_left_out() -> None:
    """Negative codes leave a paper out; fewer than two papers have no index."""
    assert compare([0, 0, 1, 1, -1, 5], [2, 2, 3, 3, 7, -1]).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert np.isnan(compare([0, -1, 1], [-1, 1, 0])).all()


@given(st.integers(0, 10_000))
def test_mean_fowlkes_mallows(seed: int) -> None:
    """The mean over several pairs is that of the pairs one by one, missing papers left out."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 5, (4, 20)), rng.integers(0, 7, (4, 20))
    a[rng.random(a.shape) < 0.1] = -1
    single = [compare(*pair)[2] for pair in zip(a, b, strict=True)]
    assert average_fowlkes_mallows(a, b) == pytest.approx(np.mean(single), abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 25), st.booleans())
def test_cuts_equal_single_cuts(seed: int, n: int, tied: bool) -> None:
    """All cuts at once are the cuts one by one, also where heights tie or more are asked."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (n, 2)).astype(float) if tied else rng.normal(size=(n, 2))
    matrix = hierarchy.linkage(points, method="average")
    matrix[:, 2] = np.round(matrix[:, 2], 10)
    tree = Tree.from_linkage(matrix, [f"p{i:02d}" for i in range(n)])
    numbers = np.arange(1, n + 1)
    codes = np.empty((n, n), dtype=np.int64)
    ceilings = np.asarray(hierarchy.maxdists(tree.to_linkage()))
    cut_tree(np.asarray(tree.children, dtype=np.int64), ceilings, numbers, codes)
    for number, row in zip(numbers.tolist(), codes, strict=True):
        single = cut_into_at_most(tree, number).codes
        assert adjusted_rand_score(row, single) == 1.0
        assert row.max() == single.max() <= number - 1
