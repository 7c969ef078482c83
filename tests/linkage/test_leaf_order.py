"""Leaf order: the best of all rotations, and the heuristic by its plain definition."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform
from test_tree import grow_tree, trees

from survey_tools.corpus import Corpus
from survey_tools.distances import (
    DenseRowDistances,
    Distances,
    SparseRowDistances,
    measure_distances,
)
from survey_tools.errors import ParameterError
from survey_tools.linkage.leaf_order import turn_by_ends, turn_optimally
from survey_tools.settings import Metric, TextSettings
from survey_tools.text import build_features
from survey_tools.tree import Tree, same_merges

LINKAGES = ("average", "complete", "single", "weighted", "ward", "centroid", "median")
METRICS: tuple[Metric, ...] = ("euclidean", "cosine", "cityblock", "jaccard")


def by_rows(tree: Tree, rows: sparse.csr_array, metric: Metric) -> SparseRowDistances:
    """Return the distances of a tree's papers by their rows."""
    return SparseRowDistances(paper_keys=tree.paper_keys, metric=metric, rows=rows)


def measure_walk(tree: Tree, square: NDArray[np.float64]) -> float:
    """Sum the distances of papers that stand next to each other."""
    order = tree.leaf_order
    return float(square[order[:-1], order[1:]].sum())


def merge(square: NDArray[np.float64], linkage: str) -> Tree:
    """Merge papers k00, k01, … as scipy does."""
    keys = tuple(f"k{i:02d}" for i in range(len(square)))
    return Tree.from_linkage(hierarchy.linkage(squareform(square), method=linkage), keys)


def list_rotations(tree: Tree) -> list[Tree]:
    """Return the tree with its merges turned in all possible ways."""
    n_merges = len(tree.heights)
    return [
        Tree(
            paper_keys=tree.paper_keys,
            children=np.where(np.array(turned)[:, None], tree.children[:, ::-1], tree.children),
            heights=tree.heights,
        )
        for turned in product([False, True], repeat=n_merges)
    ]


# ---------------------------------------------------------------- optimal


@pytest.mark.parametrize("linkage", LINKAGES)
@given(seed=st.integers(0, 2**32 - 1), n_papers=st.integers(2, 7))
def test_optimal_order_is_the_best_of_all_rotations(linkage: str, seed: int, n_papers: int) -> None:
    """No other way to turn the merges brings neighbouring leaves nearer."""
    square = squareform(pdist(np.random.default_rng(seed).random((n_papers, 3))))
    plain = merge(square, linkage)
    best = turn_optimally(plain, square)
    assert same_merges(best, plain, tolerance=0)
    walks = [measure_walk(tree, square) for tree in list_rotations(plain)]
    assert measure_walk(best, square) == pytest.approx(min(walks), abs=1e-12)


def test_orders_of_the_bundled_survey(mim_corpus: Corpus) -> None:
    """Neighbours are nearest in optimal order, then by ends, then in merge order."""
    features = build_features(mim_corpus, TextSettings())
    square = measure_distances(features, "euclidean").square
    plain = merge(square, "ward")
    best = turn_optimally(plain, square)
    by_ends = turn_by_ends(plain, by_rows(plain, features.matrix, "euclidean"))
    assert same_merges(best, plain, tolerance=0)
    assert same_merges(by_ends, plain, tolerance=0)
    longest, middle, shortest = (measure_walk(tree, square) for tree in (plain, by_ends, best))
    assert shortest < 0.99 * longest
    assert shortest < middle < (longest + shortest) / 2


# ---------------------------------------------------------------- by ends


@pytest.mark.parametrize(
    ("points", "order"),
    [
        ((1, 3, 5, 8), "abcd"),
        ((1, 3, 8, 5), "abdc"),
        ((3, 1, 5, 8), "bacd"),
        ((3, 1, 8, 5), "badc"),
    ],
)
def test_two_pairs_are_turned_by_their_nearest_ends(points: tuple[int, ...], order: str) -> None:
    """Points on a line: a and b are merged, c and d, then both; 3 and 5 must be neighbours."""
    tree = grow_tree([(0, 1), (2, 3), (4, 5)], [1, 2, 3])
    rows = sparse.csr_array(np.array(points)[:, None])
    turned = turn_by_ends(tree, by_rows(tree, rows, "euclidean"))
    assert "".join(turned.keys_in_leaf_order) == order


def turn_plainly(tree: Tree, square: NDArray[np.float64]) -> list[int]:
    """Return the leaves after each merge tried all four ways, on lists of leaves."""
    below = [[leaf] for leaf in range(tree.n_papers)]
    for first, second in tree.children:
        ways = [
            (ours, theirs)
            for ours in (below[first], below[first][::-1])
            for theirs in (below[second], below[second][::-1])
        ]
        ours, theirs = min(ways, key=lambda way: round(square[way[0][-1], way[1][0]], 9))
        below.append(ours + theirs)
    return below[-1]


@pytest.mark.parametrize("metric", METRICS)
@given(tree=trees(), seed=st.integers(0, 2**32 - 1))
def test_ends_are_turned_as_defined(metric: Metric, tree: Tree, seed: int) -> None:
    """Any tree and metric: the order of the plain definition; merges and rows stay."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (tree.n_papers, 6)).astype(float)
    dense[:, 0] = rng.integers(1, 4, tree.n_papers)  # no paper without terms
    square = squareform(pdist(dense != 0 if metric == "jaccard" else dense, metric))
    rows = sparse.csr_array(dense)
    turned = turn_by_ends(tree, by_rows(tree, rows, metric))
    assert turned.leaf_order.tolist() == turn_plainly(tree, square)
    assert same_merges(turned, tree, tolerance=0)
    assert np.array_equal(rows.toarray(), dense)


@pytest.mark.parametrize("metric", METRICS)
@given(tree=trees())
def test_equal_papers_stay_where_they_are(metric: Metric, tree: Tree) -> None:
    """Where all ends are equally near, no merge is turned."""
    rows = sparse.csr_array(np.full((tree.n_papers, 3), 0.1))
    turned = turn_by_ends(tree, by_rows(tree, rows, metric))
    assert np.array_equal(turned.children, tree.children)


def test_ends_that_differ_by_rounding_are_tied() -> None:
    """0.1 and 0.5 lie 0.2 from 0.3, though in float64 the latter is nearer: nothing turns."""
    tree = grow_tree([(1, 2), (0, 3)], [1, 2])
    points = sparse.csr_array(np.array([[0.3], [0.1], [0.5]]))
    turned = turn_by_ends(tree, by_rows(tree, points, "euclidean"))
    assert turned.keys_in_leaf_order == ("a", "b", "c")


def test_a_long_chain_is_turned_without_recursion() -> None:
    """20,000 points on a line join one by one, drawn left or right by chance, and line up."""
    n = 20_000
    rest = np.column_stack([np.arange(n, 2 * n - 2), np.arange(2, n)])
    children = np.vstack([[0, 1], rest])
    is_swapped = np.random.default_rng(0).random(n - 1) < 0.5
    keys = tuple(f"k{i:05d}" for i in range(n))
    tree = Tree(
        paper_keys=keys,
        children=np.where(is_swapped[:, None], children[:, ::-1], children),
        heights=np.arange(1.0, n),
    )
    points = sparse.csr_array(np.arange(1.0, n + 1)[:, None])
    turned = turn_by_ends(tree, by_rows(tree, points, "euclidean"))
    assert turned.keys_in_leaf_order in (keys, keys[::-1])


def test_distances_of_other_papers_are_refused() -> None:
    """Keys are compared, not counted."""
    tree = grow_tree([(0, 1), (3, 2)], [1, 2])
    other = SparseRowDistances(
        paper_keys=("a", "b", "x"), metric="cosine", rows=sparse.csr_array(np.ones((3, 1)))
    )
    with pytest.raises(
        ParameterError, match=r"^tree and distances hold different papers or orders$"
    ):
        turn_by_ends(tree, other)


@given(tree=trees(), seed=st.integers(0, 1000))
def test_a_square_matrix_turns_as_the_rows_do(tree: Tree, seed: int) -> None:
    """The same distances give the same order, however they are kept."""
    points = np.random.default_rng(seed).normal(size=(tree.n_papers, 3))
    square = squareform(pdist(points))
    kept = Distances(paper_keys=tree.paper_keys, metric="euclidean", square=square)
    dense = DenseRowDistances(paper_keys=tree.paper_keys, metric="euclidean", rows=points)
    assert np.array_equal(turn_by_ends(tree, kept).children, turn_by_ends(tree, dense).children)
