"""The certificate: right trees pass, wrong ones are found out, on every route."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

from survey_tools.distances import (
    DenseRowDistances,
    Distances,
    PairDistances,
    SparseRowDistances,
)
from survey_tools.errors import ParameterError
from survey_tools.linkage.certificate import certify_tree
from survey_tools.tree import Tree

ROUTES = ("square", "sparse", "dense")
METRIC = {"ward": "euclidean", "average": "cosine"}
LINKAGES = ("ward", "average", "complete", "single", "weighted", "centroid", "median")


def keep(rows: np.ndarray, metric: str, route: str) -> PairDistances:
    """Keep the distances of some rows in one of three ways."""
    keys = tuple(f"k{i:03d}" for i in range(len(rows)))
    if route == "square":
        return Distances(paper_keys=keys, metric=metric, square=squareform(pdist(rows, metric)))
    if route == "sparse":
        return SparseRowDistances(paper_keys=keys, metric=metric, rows=sparse.csr_array(rows))
    return DenseRowDistances(paper_keys=keys, metric=metric, rows=rows)


def grow(rows: np.ndarray, linkage: str, metric: str) -> Tree:
    """Grow scipy's tree."""
    keys = tuple(f"k{i:03d}" for i in range(len(rows)))
    merges = hierarchy.linkage(pdist(rows, metric), linkage)
    return Tree.from_linkage(merges, keys, linkage=linkage, metric=metric)


def draw_rows(seed: int, n: int = 40) -> np.ndarray:
    """Draw non-negative rows of norm 1."""
    rows = np.random.default_rng(seed).random((n, 12)) ** 4
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("linkage", ["ward", "average"])
@given(seed=st.integers(0, 10_000))
def test_scipys_trees_pass(route: str, linkage: str, seed: int) -> None:
    """No gap, and scipy's heights to 1e-9, from matrix and rows."""
    rows = draw_rows(seed)
    certificate = certify_tree(
        grow(rows, linkage, METRIC[linkage]), keep(rows, METRIC[linkage], route)
    )
    assert certificate.holds, certificate
    assert certificate.n_merges == 39
    assert certificate.verdict.startswith("All 39 merges were the cheapest possible (largest gap ")


@pytest.mark.parametrize("linkage", LINKAGES)
def test_every_linkage_has_its_certificate(linkage: str) -> None:
    """Centroid and median linkage may fall from merge to merge; the others do not."""
    rows = np.random.default_rng(2).normal(size=(60, 3))
    certificate = certify_tree(grow(rows, linkage, "euclidean"), keep(rows, "euclidean", "square"))
    assert certificate.holds, certificate
    assert (certificate.fall > 1e-6) == (linkage in ("centroid", "median"))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("linkage", ["ward", "average"])
def test_a_tree_of_another_linkage_is_found_out(route: str, linkage: str) -> None:
    """Single linkage merges pairs that are not the cheapest by Ward or by the average."""
    rows = draw_rows(1)
    wrong = grow(rows, "single", METRIC[linkage])
    claimed = Tree(
        paper_keys=wrong.paper_keys,
        children=wrong.children,
        heights=wrong.heights,
        linkage=linkage,
        metric=METRIC[linkage],
    )
    certificate = certify_tree(claimed, keep(rows, METRIC[linkage], route))
    assert not certificate.holds
    assert certificate.gap > 0.01
    assert certificate.verdict.startswith("NOT all of 39 merges")


@pytest.mark.parametrize("route", ROUTES)
def test_a_single_wrong_merge_is_found_out(route: str) -> None:
    """Two papers that changed places in a right tree leave a gap."""
    rows = draw_rows(3)
    right = grow(rows, "ward", "euclidean")
    swapped = right.children.copy()
    first, last = right.children[0, 0], right.children[-10:].min()
    swapped[right.children == first], swapped[right.children == last] = last, first
    wrong = Tree(
        paper_keys=right.paper_keys,
        children=swapped,
        heights=right.heights,
        linkage="ward",
        metric="euclidean",
    )
    assert certify_tree(wrong, keep(rows, "euclidean", route)).gap > 1e-3


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_height_is_found_out(route: str) -> None:
    """The right merges with one height a millionth too high do not pass."""
    rows = draw_rows(4)
    right = grow(rows, "ward", "euclidean")
    heights = right.heights.copy()
    heights[-1] += 1e-6
    wrong = Tree(
        paper_keys=right.paper_keys,
        children=right.children,
        heights=heights,
        linkage="ward",
        metric="euclidean",
    )
    certificate = certify_tree(wrong, keep(rows, "euclidean", route))
    assert certificate.gap <= 1e-12
    assert certificate.height_error == pytest.approx(1e-6, rel=1e-3)
    assert not certificate.holds


@pytest.mark.parametrize("route", ROUTES)
def test_the_order_of_the_distances_does_not_matter(route: str) -> None:
    """Papers are found by key."""
    rows = draw_rows(5)
    order = np.random.default_rng(6).permutation(40)
    kept = keep(rows[order], "euclidean", route)
    keys = tuple(f"k{i:03d}" for i in order)
    if isinstance(kept, Distances):
        kept = Distances(paper_keys=keys, metric="euclidean", square=kept.square)
    else:
        kept = type(kept)(paper_keys=keys, metric="euclidean", rows=kept.rows)
    assert certify_tree(grow(rows, "ward", "euclidean"), kept).holds


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e7])
def test_rows_of_any_length_are_certified(scale: float) -> None:
    """Rounding grows with the heights; a wrong merge is found out all the same."""
    rows = np.random.default_rng(6).normal(size=(300, 20)) * scale
    tree = grow(rows, "ward", "euclidean")
    assert certify_tree(tree, keep(rows, "euclidean", "dense")).holds
    other = grow(rows, "average", "euclidean")
    wrong = replace(other, linkage="ward")
    assert not certify_tree(wrong, keep(rows, "euclidean", "dense")).holds


def test_distances_of_other_papers_are_refused() -> None:
    """A tree is certified by its own papers only."""
    rows = draw_rows(7, n=5)
    tree = grow(rows, "ward", "euclidean")
    with pytest.raises(ParameterError, match="hold different papers"):
        certify_tree(tree, keep(rows[:4], "euclidean", "square"))


@pytest.mark.parametrize("route", ROUTES)
def test_progress_is_told(route: str) -> None:
    """The last report says that all merges were replayed."""
    rows = draw_rows(8)
    tree = grow(rows, "ward", "euclidean")
    told: list[tuple[int, int]] = []
    certify_tree(tree, keep(rows, "euclidean", route), progress=lambda *pair: told.append(pair))
    assert told[-1] == (39, 39)
