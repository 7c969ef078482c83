"""Sparse rows -> merges: scipy's heights and cuts, ties by key, duplicates, refusals."""

import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from survey_tools.distances import SparseRowDistances
from survey_tools.errors import ParameterError
from survey_tools.linkage import sparse as route
from survey_tools.linkage.certificate import certify_tree
from survey_tools.linkage.sparse import merge_sparse_rows
from survey_tools.tree import Tree

LINKAGES = ("ward", "average")
METRIC = {"ward": "euclidean", "average": "cosine"}


@pytest.fixture
def by_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge by lists down to three clusters, short lists, an index that is often made anew."""
    monkeypatch.setattr(route, "_N_DENSE", 3)
    monkeypatch.setattr(route, "_REBUILD_SHARE", 0.3)
    monkeypatch.setattr(route, "_STEPS_AT_ONCE", 7)
    monkeypatch.setattr(route, "_ROWS_AT_ONCE", 5)


def make_texts(n: int, *, seed: int, n_terms: int = 400) -> sparse.csr_array:
    """Draw rows like idf-weighted texts of some topics, of norm 1: Zipf's law, hardly a tie."""
    rng = np.random.default_rng(seed)
    base = 1.0 / np.arange(1, n_terms + 1)
    topics = base * rng.gamma(0.3, size=(12, n_terms))
    words = np.vstack(
        [rng.multinomial(60, topics[i] / topics[i].sum()) for i in rng.integers(12, size=n)]
    )
    idf = np.log((1 + n) / (1 + (words > 0).sum(axis=0))) + 1
    rows = words * idf
    return sparse.csr_array(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def merge_by_scipy(rows: sparse.csr_array, linkage: str) -> NDArray[np.float64]:
    """Return scipy's linkage matrix."""
    return hierarchy.linkage(pdist(rows.toarray(), METRIC[linkage]), linkage)


def to_tree(merges: NDArray[np.float64], linkage: str) -> Tree:
    """Name the rows by their numbers."""
    keys = tuple(f"k{i:04d}" for i in range(len(merges) + 1))
    return Tree.from_linkage(merges, keys, linkage=linkage, metric=METRIC[linkage])


def certify(rows: sparse.csr_array, merges: NDArray[np.float64], linkage: str) -> None:
    """Check that every merge was the cheapest."""
    tree = to_tree(merges, linkage)
    kept = SparseRowDistances(paper_keys=tree.paper_keys, metric=METRIC[linkage], rows=rows)
    certificate = certify_tree(tree, kept)
    assert certificate.holds, certificate


def cut_into(merges: NDArray[np.float64], n_clusters: int) -> set[frozenset[int]]:
    """Return flat clusters as sets of rows."""
    labels = hierarchy.fcluster(merges, n_clusters, "maxclust")
    return {frozenset(np.flatnonzero(labels == label)) for label in np.unique(labels)}


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("n", [2, 3, 10, 300])
def test_heights_and_cuts_are_scipys(by_lists: None, linkage: str, n: int) -> None:
    """On texts without ties heights agree to 1e-9 and all flat cuts are the same."""
    rows = make_texts(n, seed=n)
    ours, theirs = merge_sparse_rows(rows, linkage=linkage), merge_by_scipy(rows, linkage)
    assert hierarchy.is_valid_linkage(ours)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], rtol=0, atol=1e-9)
    for n_clusters in {2, 5, 20, n // 4, n // 2} - {0, 1}:
        assert cut_into(ours, n_clusters) == cut_into(theirs, n_clusters)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_the_square_matrix_and_the_lists_agree(
    by_lists: None, monkeypatch: pytest.MonkeyPatch, linkage: str
) -> None:
    """Where the last merges are made changes none of them."""
    rows = make_texts(250, seed=1)
    by_lists_alone = merge_sparse_rows(rows, linkage=linkage)
    monkeypatch.setattr(route, "_N_DENSE", 1000)
    in_square = merge_sparse_rows(rows, linkage=linkage)
    assert np.array_equal(by_lists_alone[:, :2], in_square[:, :2])
    np.testing.assert_allclose(by_lists_alone[:, 2], in_square[:, 2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_threads_change_nothing(by_lists: None, linkage: str) -> None:
    """One, two and five threads give the same bits."""
    rows = make_texts(200, seed=2)
    one, two, five = (merge_sparse_rows(rows, linkage=linkage, n_threads=n) for n in (1, 2, 5))
    assert np.array_equal(one, two)
    assert np.array_equal(one, five)


@st.composite
def tied_rows(draw: st.DrawFn) -> sparse.csr_array:
    """Draw binary rows of norm 1 with copies among them: nearly all distances are tied."""
    n, n_terms = draw(st.integers(2, 24)), draw(st.integers(1, 8))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    rows = (rng.random((n, n_terms)) < draw(st.sampled_from([0.2, 0.5]))).astype(float)
    rows[rows.sum(axis=1) == 0, 0] = 1.0
    return sparse.csr_array(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("linkage", LINKAGES)
@settings(max_examples=60)
@given(rows=tied_rows())
def test_every_merge_is_the_cheapest_among_ties(linkage: str, rows: sparse.csr_array) -> None:
    """A replay finds no cheaper pair, by lists and in the square matrix."""
    for n_dense in (2, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(route, "_N_DENSE", n_dense)
            certify(rows, merge_sparse_rows(rows, linkage=linkage), linkage)


@pytest.mark.parametrize("n_dense", [2, 1000])
def test_of_tied_pairs_the_first_rows_are_merged_first(
    monkeypatch: pytest.MonkeyPatch, n_dense: int
) -> None:
    """Six rows without a common term: all costs are tied, and rows join 0 one after the other."""
    monkeypatch.setattr(route, "_N_DENSE", n_dense)
    ward = merge_sparse_rows(sparse.csr_array(np.eye(6)), linkage="ward")
    assert ward[:2, :2].tolist() == [[0, 1], [2, 6]]  # costs of 2 exactly; later ones round
    average = merge_sparse_rows(sparse.csr_array(np.eye(6)), linkage="average")
    assert average[:, :2].tolist() == [[0, 1], [2, 6], [3, 7], [4, 8], [5, 9]]
    assert average[:, 2].tolist() == [1.0] * 5


@pytest.mark.parametrize("linkage", LINKAGES)
def test_copies_join_at_zero(by_lists: None, linkage: str) -> None:
    """Three papers five times each: twelve merges at exactly 0, then three at scipy's heights."""
    different = make_texts(3, seed=3)
    rows = sparse.csr_array(sparse.vstack([different] * 5))
    merges = merge_sparse_rows(rows, linkage=linkage)
    assert merges[:12, 2].tolist() == [0.0] * 12
    assert (merges[12:, 2] > 0.1).all()
    np.testing.assert_allclose(
        merges[12:, 2], merge_by_scipy(rows, linkage)[12:, 2], rtol=0, atol=1e-7
    )
    certify(rows, merges, linkage)


def test_thousands_of_copies_take_no_time(by_lists: None) -> None:
    """5,000 copies of one paper and one other: as fast as two papers."""
    one = make_texts(2, seed=4)
    rows = sparse.csr_array(one[[0] * 5000 + [1]])
    merges = merge_sparse_rows(rows)
    assert not merges[:-1, 2].any()
    distance = np.linalg.norm(one[[0]].toarray() - one[[1]].toarray())
    assert merges[-1, 2] == pytest.approx(np.sqrt(2 * 5000 / 5001) * distance, abs=1e-9)


@pytest.mark.parametrize("gap", [1e-5, 1e-7, 1e-9])
def test_nearly_equal_rows_lose_no_digits(by_lists: None, gap: float) -> None:
    """Rows that differ by 1e-9 are 1e-9 apart, not 0 and not the 1e-8 of a lost difference."""
    rows = np.eye(6)
    rows[3, 0], rows[3, 3] = 1.0, gap  # beside row 0
    merges = merge_sparse_rows(sparse.csr_array(rows))
    assert merges[0, :2].tolist() == [0, 3]
    assert merges[0, 2] == pytest.approx(gap, rel=1e-9)


@pytest.mark.parametrize("n_dense", [2, 1000])
@pytest.mark.parametrize("linkage", LINKAGES)
def test_a_weight_stands_for_copies(
    monkeypatch: pytest.MonkeyPatch, linkage: str, n_dense: int
) -> None:
    """Rows of weight 1 to 4 merge as if each stood there so many times."""
    monkeypatch.setattr(route, "_N_DENSE", n_dense)
    rows = make_texts(30, seed=5)
    weights = np.random.default_rng(6).integers(1, 5, 30)
    merges = merge_sparse_rows(rows, linkage=linkage, weights=weights.astype(float))
    copies = sparse.csr_array(rows[np.repeat(np.arange(30), weights)])
    theirs = merge_by_scipy(copies, linkage)[-29:]
    np.testing.assert_allclose(merges[:, 2], theirs[:, 2], rtol=0, atol=1e-9)


def test_mean_rows_of_papers_go_on_as_the_papers_would(by_lists: None) -> None:
    """Average linkage from means of unit rows (of norm below 1) gives the top of the tree."""
    rows = make_texts(60, seed=7)
    full = merge_sparse_rows(rows, linkage="average")
    tree = to_tree(full, "average")
    early = 60 + 49  # the eleven clusters before the last ten merges
    nodes = [node for node in range(early) if tree.parents[node] >= early]
    members = [[int(key[1:]) for key in tree.papers_under(node)] for node in nodes]
    assert len(nodes) == 11
    means = np.vstack([rows[m].toarray().mean(axis=0) for m in members])
    weights = np.array([float(len(m)) for m in members])
    top = merge_sparse_rows(sparse.csr_array(means), linkage="average", weights=weights)
    np.testing.assert_allclose(top[:, 2], full[-len(top) :, 2], rtol=0, atol=1e-12)


def test_a_row_without_terms_has_a_place_in_ward(by_lists: None) -> None:
    """An empty row lies at the origin: at distance 1 from every row of norm 1."""
    rows = sparse.csr_array(np.vstack([np.zeros(3), np.eye(3)]))
    merges = merge_sparse_rows(rows)
    assert merges[0].tolist() == [0, 1, 1.0, 2]


def test_one_row_has_no_merge() -> None:
    """Two rows have one."""
    assert merge_sparse_rows(sparse.csr_array(np.eye(1))).shape == (0, 4)
    assert merge_sparse_rows(sparse.csr_array(np.eye(2))).tolist() == [[0, 1, np.sqrt(2), 2]]


def test_rows_arrive_in_any_storage(by_lists: None) -> None:
    """Unsorted and split entries change nothing, and the rows stay as they were."""
    rows = make_texts(20, seed=8)
    order = np.random.default_rng(9).permutation(2 * rows.nnz)
    row_of = np.repeat(np.arange(20), np.diff(rows.indptr))
    halves = np.concatenate([rows.data / 2, rows.data / 2])[order]
    places = np.tile(row_of, 2)[order], np.tile(rows.indices, 2)[order]
    by_row = np.argsort(places[0], kind="stable")
    messy = sparse.csr_array((halves[by_row], places[1][by_row], 2 * rows.indptr), shape=rows.shape)
    before = messy.data.copy()
    np.testing.assert_array_equal(merge_sparse_rows(messy), merge_sparse_rows(rows))
    np.testing.assert_array_equal(messy.data, before)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([[1, np.nan], [1, 0], [np.inf, 1]], {}, r"^2 of 3 rows hold .* no finite number: 0, 2$"),
        ([[1, -1], [1, 0]], {}, "negative entries cannot be merged; use dense rows"),
        ([[0, 1], [0, 0]], {"linkage": "average"}, "^1 of 2 rows are empty .* no cosine: 1$"),
        ([[0, 2], [1, 0]], {"linkage": "average"}, "needs rows of norm 1; normalise them"),
        (
            [[0, 1], [1, 0]],
            {"weights": np.array([1.0, 0.0])},
            "one weight, a finite number above 0",
        ),
        ([[0, 1], [1, 0]], {"weights": np.array([1.0])}, "one weight, a finite number above 0"),
        ([[0, 1], [1, 0]], {"weights": np.array([1.0, np.inf])}, "one weight, a finite number"),
    ],
)
def test_rows_without_meaning_are_refused(rows: list, options: dict, message: str) -> None:
    """The message says which rows, and what to do."""
    with pytest.raises(ParameterError, match=message):
        merge_sparse_rows(sparse.csr_array(np.array(rows, dtype=float)), **options)


def test_progress_rises_to_the_end(by_lists: None) -> None:
    """Reports rise, and the last says that all is done."""
    told: list[tuple[int, int]] = []
    merge_sparse_rows(make_texts(120, seed=9), progress=lambda *pair: told.append(pair))
    shares = [n_done / n_all for n_done, n_all in told]
    assert len(told) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_interrupt_leaves_at_once() -> None:
    """Ctrl-C during 6,000 rows ends within two seconds, however the work is cut up."""
    rows = make_texts(6000, seed=10)
    merge_sparse_rows(rows[:10])  # compiled before the clock runs
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    began = time.monotonic()

    def merge_for_long() -> None:
        while time.monotonic() - began < 30:
            merge_sparse_rows(rows, n_threads=2)

    with pytest.raises(KeyboardInterrupt):
        merge_for_long()
    assert time.monotonic() - began < 0.3 + 2


@pytest.mark.slow
@pytest.mark.parametrize("linkage", LINKAGES)
def test_twenty_thousand_texts_are_exact(linkage: str) -> None:
    """At n = 20,000 heights are scipy's to 1e-9, and the cuts at six numbers of clusters."""
    rows = make_texts(20_000, seed=11, n_terms=8000)
    ours = merge_sparse_rows(rows, linkage=linkage, n_threads=2)
    product = (rows @ rows.T).toarray()
    distances = np.empty(20_000 * 19_999 // 2)
    start = 0
    for i in range(20_000 - 1):
        row = product[i, i + 1 :]
        stop = start + len(row)
        distances[start:stop] = (
            np.sqrt(np.maximum(2 - 2 * row, 0)) if linkage == "ward" else 1 - row
        )
        start = stop
    del product
    theirs = hierarchy.linkage(distances, linkage)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], rtol=0, atol=1e-9)
    for n_clusters in (2, 5, 20, 100, 1000, 5000):
        assert cut_into(ours, n_clusters) == cut_into(theirs, n_clusters)


def test_pairs_are_counted_as_scipy_counts(by_lists: None) -> None:
    """Average heights are means over all pairs of the two sides, recomputed here one by one."""
    rows = make_texts(40, seed=12)
    merges = merge_sparse_rows(rows, linkage="average")
    tree = to_tree(merges, "average")
    similarity = (rows @ rows.T).toarray()
    for i in range(39):
        a, b = ([int(key[1:]) for key in tree.papers_under(node)] for node in tree.children[i])
        mean = np.mean([1 - similarity[x, y] for x in a for y in b])
        assert merges[i, 2] == pytest.approx(mean, abs=1e-12)
