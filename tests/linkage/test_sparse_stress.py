"""Sparse linkage under stress: ties of many kinds, short lists, rows of any length, forgeries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.clusters import SilhouetteOfCuts
from survey_tools.distances import DenseRowDistances, PairDistances, SparseRowDistances
from survey_tools.errors import ParameterError
from survey_tools.linkage import sparse as route
from survey_tools.linkage import sparse_clusters
from survey_tools.linkage.certificate import certify_tree
from survey_tools.linkage.sparse import merge_sparse_rows
from survey_tools.partition import Partition
from survey_tools.tree import Tree


def shrink(
    patch: pytest.MonkeyPatch, *, n_dense: int = 1, n_near: int = 2, share: float = 1.0
) -> None:
    """Merge by lists to the end, with short lists and little room."""
    patch.setattr(route, "_N_DENSE", n_dense)
    patch.setattr(route, "N_NEAR", n_near)
    patch.setattr(sparse_clusters, "N_NEAR", n_near)
    patch.setattr(route, "_REBUILD_SHARE", share)
    patch.setattr(route, "_STEPS_AT_ONCE", 3)
    patch.setattr(route, "_ROWS_AT_ONCE", 3)
    patch.setattr(sparse_clusters, "_POOL_ROOM", 1.0)


def draw_blocks(seed: int) -> NDArray[np.float64]:
    """Draw binary rows, no two the same, most without a common term: ties exact in float64."""
    rng = np.random.default_rng(seed)
    n_blocks, width = int(rng.integers(3, 7)), 8
    rows = np.zeros((int(rng.integers(4, 14)), n_blocks * width))
    for row in rows:
        start = width * rng.integers(n_blocks)
        row[start + rng.permutation(width)[: rng.integers(1, 9)]] = 1.0
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)]


def merge_naively(rows: NDArray[np.float64]) -> list[list[int]]:
    """Ward's merges by looking at every pair before each, the first of equal ones."""
    sums, weights = rows.copy(), np.ones(len(rows))
    nodes, alive, merges = list(range(len(rows))), list(range(len(rows))), []
    while len(alive) > 1:
        cost = {}
        for i, a in enumerate(alive):
            for b in alive[i + 1 :]:
                squares = sum(sums[s] @ sums[s] / weights[s] ** 2 for s in (a, b))
                product = sums[a] @ sums[b] / (weights[a] * weights[b])
                factor = 2.0 * weights[a] * weights[b] / (weights[a] + weights[b])
                cost[a, b] = factor * (squares - 2.0 * product)
        a, b = min(cost, key=lambda pair: (cost[pair], pair))
        merges.append(sorted((nodes[a], nodes[b])))
        nodes[a] = len(rows) + len(merges) - 1
        sums[a] += sums[b]
        weights[a] += weights[b]
        alive.remove(b)
    return merges


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_near=st.integers(1, 4),
    share=st.sampled_from([0.01, 0.3, 1.0]),
    n_threads=st.integers(1, 3),
)
def test_lists_merge_as_a_naive_search_does(
    seed: int, n_near: int, share: float, n_threads: int
) -> None:
    """Neither the length of lists, nor a new index, nor threads change a merge, ties included."""
    rows = draw_blocks(seed)
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, n_near=n_near, share=share)
        merges = merge_sparse_rows(sparse.csr_array(rows), n_threads=n_threads)
    assert merges[:, :2].tolist() == merge_naively(rows)


@pytest.mark.parametrize("n_near", [1, 2, 3, 16])
def test_a_tie_outside_a_list_is_seen_when_the_list_has_grown_dearer(
    monkeypatch: pytest.MonkeyPatch, n_near: int
) -> None:
    """Rows 0 and 2 are at a cost of 32, as are row 0 and the union of 3 and 5: 0 and 2 merge.

    With lists of two, row 0 lists 3 (at 28) and 1 (at 32), both of which grow dearer as they
    are merged with 5 and 4, in place; row 2, at 32 too, is in no list of row 0.
    """
    shrink(monkeypatch, n_near=n_near)
    rows = np.zeros((6, 120))
    spans = [(0, 12), (20, 40), (50, 70), (80, 96), (20, 41), (90, 110)]
    for row, (start, stop) in zip(rows, spans, strict=True):
        row[start:stop] = 1.0
    merges = merge_sparse_rows(sparse.csr_array(rows))
    np.testing.assert_allclose(merges[:3, 2] ** 2, [1.0, 24.0, 32.0], rtol=1e-15)
    assert merges[:3, :2].tolist() == [[1, 4], [3, 5], [0, 2]]


def test_of_equal_rows_the_first_are_merged_first() -> None:
    """Rows 0 and 3 are equal, as are 1 and 2: the pair with row 0 comes first."""
    rows = sparse.csr_array(np.eye(2)[[0, 1, 1, 0]])
    assert merge_sparse_rows(rows)[:, :2].tolist() == [[0, 3], [1, 2], [4, 5]]


def test_tiny_rows_beside_large_ones_keep_their_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of norm 1e-23 beside one of norm 1 merge among themselves as they do alone."""
    rng = np.random.default_rng(5)
    rows = rng.random((20, 12)) * (rng.random((20, 12)) < 0.4)
    shrink(monkeypatch)
    expected = merge_sparse_rows(sparse.csr_array(rows))
    beside = np.zeros((21, 13))
    beside[:20, :12] = rows * 2.0**-76
    beside[20, 12] = 1.0
    merges = merge_sparse_rows(sparse.csr_array(beside))
    np.testing.assert_allclose(merges[:-1, 2], expected[:, 2] * 2.0**-76, rtol=1e-12)


@pytest.mark.parametrize("exponent", [-500, -260, -80, 0, 70, 130, 500])
def test_the_unit_of_the_rows_changes_no_merge(
    monkeypatch: pytest.MonkeyPatch, exponent: int
) -> None:
    """Rows times a power of two give the same merges at heights times that power."""
    rng = np.random.default_rng(5)
    rows = rng.random((30, 12)) * (rng.random((30, 12)) < 0.4)
    n_reports = 0

    def count(n_done: int, n_all: int) -> None:
        nonlocal n_reports
        n_reports += 1
        assert n_reports < 10_000, "no end in sight"

    shrink(monkeypatch)
    expected = merge_sparse_rows(sparse.csr_array(rows))
    scaled = sparse.csr_array(rows * 2.0**exponent)
    merges = merge_sparse_rows(scaled, progress=count)
    assert np.array_equal(merges[:, :2], expected[:, :2])
    np.testing.assert_allclose(merges[:, 2], expected[:, 2] * 2.0**exponent, rtol=1e-12)


def test_weighted_rows_of_norm_above_one_are_refused() -> None:
    """Means of unit rows have norm 1 at most; beyond, similarities above 1 would be clipped."""
    with pytest.raises(ParameterError, match="norm"):
        merge_sparse_rows(sparse.csr_array(3 * np.eye(2)), linkage="average", weights=np.ones(2))


def test_no_rows_are_refused() -> None:
    """No row makes no tree, and that is said."""
    with pytest.raises(ParameterError, match="0 "):
        merge_sparse_rows(sparse.csr_array((0, 3)))


@pytest.mark.parametrize("kept", [SparseRowDistances, DenseRowDistances])
@pytest.mark.parametrize(("linkage", "metric"), [("ward", "euclidean"), ("average", "cosine")])
def test_merges_in_a_wrong_order_are_found_out(kept: type, linkage: str, metric: str) -> None:
    """Two distant papers merged before two near ones were not the cheapest possible."""
    angles = np.radians([0.0, 5.0, 60.0, 80.0])
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    keys = ("a", "b", "c", "d")
    distances: PairDistances = kept(
        paper_keys=keys,
        metric=metric,
        rows=sparse.csr_array(rows) if kept is SparseRowDistances else rows,
    )
    means = (rows[:2].sum(axis=0), rows[2:].sum(axis=0))  # twice the means
    if linkage == "ward":
        far, near = (np.linalg.norm(rows[i] - rows[i + 1]) for i in (2, 0))
        top = np.sqrt(2.0) * np.linalg.norm(means[0] - means[1]) / 2
    else:
        far, near = (1 - rows[i] @ rows[i + 1] for i in (2, 0))
        top = 1 - means[0] @ means[1] / 4
    right = np.array([[0, 1, near, 2], [2, 3, far, 2], [4, 5, top, 4]])
    wrong = np.array([[2, 3, far, 2], [0, 1, near, 2], [4, 5, top, 4]])
    trees = [Tree.from_linkage(m, keys, linkage=linkage, metric=metric) for m in (right, wrong)]
    assert certify_tree(trees[0], distances).holds
    certificate = certify_tree(trees[1], distances)
    assert not certificate.holds
    assert certificate.gap == pytest.approx(far - near, abs=1e-9)


@pytest.mark.parametrize("kept", [SparseRowDistances, DenseRowDistances])
def test_texts_of_the_same_shares_have_no_silhouette(kept: type) -> None:
    """The same text once, thrice, seven times: all cosine distances are 0, so all silhouettes."""
    rng = np.random.default_rng(0)
    rows = np.outer([1.0, 3.0, 7.0, 11.0, 13.0, 19.0], rng.random(9))
    keys = tuple("abcdef")
    distances = kept(
        paper_keys=keys,
        metric="cosine",
        rows=sparse.csr_array(rows) if kept is SparseRowDistances else rows,
    )
    halves = Partition(
        paper_keys=keys, codes=np.array([0, 0, 0, 1, 1, 1]), group_names=("C1", "C2")
    )
    assert SilhouetteOfCuts(distances, halves)(halves) == pytest.approx(0.0, abs=1e-9)
