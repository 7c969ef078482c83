import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from survey_tools.errors import ParameterError
from survey_tools.kernels.dense_rows import BIG, find_candidates, find_distance
from survey_tools.linkage import dense
from survey_tools.linkage.dense import merge_dense_rows

LINKAGES = ("ward", "average")


@pytest.fixture(scope="module")
def by_lists():
    """Let lists merge small inputs too, which otherwise all fit into a square."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_N_SQUARE", 3)
        yield


def draw_rows(n_rows, n_columns=8, seed=0):
    """Draw rows in a few loose groups, without ties."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(10, n_columns))
    return centres[rng.integers(10, size=n_rows)] + rng.normal(size=(n_rows, n_columns)) / 3


def merge_by_scipy(rows, linkage):
    if linkage == "ward":
        return hierarchy.linkage(rows, "ward")
    return hierarchy.linkage(pdist(rows, "cosine"), "average")


def check_greedy(rows, matrix, linkage, weights=None):
    """Replay the merges; each must join a pair at the least distance, computed from its rows."""
    n = len(rows)
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    if linkage == "average":
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        pairs = 1 - unit @ unit.T
    members = {i: [i] for i in range(n)}
    scale = max(1.0, np.abs(rows).max() ** 2 * weights.max())
    for step, (left, right, height, size) in enumerate(matrix):
        nodes = sorted(members)
        shares = np.zeros((len(nodes), n))
        for place, node in enumerate(nodes):
            shares[place, members[node]] = weights[members[node]]
        totals = shares.sum(axis=1)
        shares /= totals[:, None]
        if linkage == "ward":
            means = shares @ rows
            squares = ((means[:, None] - means[None]) ** 2).sum(axis=2)
            costs = 2 * np.outer(totals, totals) / np.add.outer(totals, totals) * squares
        else:
            costs = shares @ pairs @ shares.T
        np.fill_diagonal(costs, np.inf)
        cost = costs[nodes.index(left), nodes.index(right)]
        assert cost <= costs.min() + 1e-12 * scale
        assert (height**2 if linkage == "ward" else height) == pytest.approx(
            cost, rel=1e-9, abs=1e-12 * scale
        )
        members[n + step] = members.pop(left) + members.pop(right)
        assert size == len(members[n + step])
    assert len(members) == 1


def find_partition(matrix, n_clusters):
    labels = hierarchy.fcluster(matrix, n_clusters, "maxclust")
    return {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("n_rows", [2, 3, 40, 2000])
def test_a_square_gives_what_scipy_gives(linkage, n_rows):
    """Few rows: the same matrix as scipy's, nodes and sizes included."""
    rows = draw_rows(n_rows)
    assert merge_dense_rows(rows, linkage=linkage) == pytest.approx(
        merge_by_scipy(rows, linkage), rel=1e-9
    )


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("n_columns", [1, 5, 100])
def test_lists_give_what_scipy_gives(by_lists, linkage, n_columns):
    """Lists and bounds: the same matrix as scipy's, whether rows group or not."""
    rng = np.random.default_rng(1)
    rows = np.vstack([draw_rows(500, n_columns), rng.normal(size=(700, n_columns))])
    if linkage == "average" and n_columns == 1:
        rows = np.column_stack([rows, np.ones(len(rows))])
    assert merge_dense_rows(rows, linkage=linkage) == pytest.approx(
        merge_by_scipy(rows, linkage), rel=1e-9, abs=1e-15
    )


@pytest.mark.parametrize("linkage", LINKAGES)
def test_lists_end_in_a_square_with_the_same_cuts(linkage):
    """More rows than a square holds, nothing patched: scipy's heights and flat clusters."""
    rows = draw_rows(3000, 12)
    ours, theirs = merge_dense_rows(rows, linkage=linkage), merge_by_scipy(rows, linkage)
    assert ours[:, 2] == pytest.approx(theirs[:, 2], rel=1e-9)
    for n_clusters in (2, 5, 20, 100, 700):
        assert find_partition(ours, n_clusters) == find_partition(theirs, n_clusters)


@st.composite
def draw_tied_rows(draw):
    n_rows, n_columns = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    cells = st.lists(st.integers(-2, 2), min_size=n_columns, max_size=n_columns)
    rows = draw(st.lists(cells, min_size=n_rows, max_size=n_rows))
    weights = draw(st.lists(st.sampled_from([0.5, 1, 3]), min_size=n_rows, max_size=n_rows))
    return np.array(rows, float), np.array(weights)


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("n_near", [1, 2, 16])
@settings(max_examples=80, deadline=None)
@given(drawn=draw_tied_rows())
def test_every_merge_is_a_least_one(by_lists, linkage, n_near, drawn):
    """Among ties, equal rows and weights, each merge joins a pair at the least distance."""
    rows, weights = drawn
    if linkage == "average":
        rows = np.column_stack([rows, np.ones(len(rows))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_N_NEAR", n_near)
        matrix = merge_dense_rows(rows, linkage=linkage, weights=weights)
    check_greedy(rows, matrix, linkage, weights)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_ties_do_not_depend_on_the_length_of_lists(by_lists, linkage, monkeypatch):
    """All corners of a cube, where each has seven at the same distance: the same bits."""
    rows = np.array(np.meshgrid(*[[0.0, 1.0]] * 7)).reshape(7, -1).T[1:]
    matrices = []
    for n_near in (1, 3, 16, 300):
        monkeypatch.setattr(dense, "_N_NEAR", n_near)
        matrices.append(merge_dense_rows(rows, linkage=linkage))
    check_greedy(rows, matrices[0], linkage)
    for matrix in matrices[1:]:
        np.testing.assert_array_equal(matrix, matrices[0])


@pytest.mark.parametrize("n_square", [1, 2500])
def test_the_first_pair_of_equals_merges_first(monkeypatch, n_square):
    """On a line 0, 1, 2, ... , 5 the pairs (0, 1), (2, 3), (4, 5), then the first two pairs."""
    monkeypatch.setattr(dense, "_N_SQUARE", n_square)
    matrix = merge_dense_rows(np.arange(6.0)[:, None])
    assert matrix[:, :2].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    # pairs two apart: 2 * 2 * 2 / 4 * 4 = 8; four rows at 1.5 and two at 4.5: 8/3 * 9 = 24
    assert matrix[:, 2] ** 2 == pytest.approx([1, 1, 1, 8, 24])


@pytest.mark.parametrize("linkage", LINKAGES)
def test_threads_change_no_bit(linkage):
    """One thread and two give identical matrices."""
    rows = draw_rows(3000, 20)
    one, two = (merge_dense_rows(rows, linkage=linkage, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_order_of_rows_changes_names_only(by_lists, linkage):
    """Shuffled rows keep heights and clusters."""
    rows = draw_rows(300)
    order = np.random.default_rng(2).permutation(len(rows))
    straight = merge_dense_rows(rows, linkage=linkage)
    shuffled = merge_dense_rows(rows[order], linkage=linkage)
    assert shuffled[:, 2] == pytest.approx(straight[:, 2], rel=1e-9)
    renamed = {frozenset(order[list(cluster)]) for cluster in find_partition(shuffled, 12)}
    assert renamed == find_partition(straight, 12)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_a_weight_stands_for_copies(by_lists, linkage):
    """A row of weight 3 merges with others as three copies of it do."""
    rows = draw_rows(60)
    weights = np.random.default_rng(3).integers(1, 5, size=len(rows))
    weighted = merge_dense_rows(rows, linkage=linkage, weights=weights)
    copied = merge_dense_rows(np.repeat(rows, weights, axis=0), linkage=linkage)
    assert (copied[: weights.sum() - 60, 2] == 0).all()
    assert weighted[:, 2] == pytest.approx(copied[-59:, 2], rel=1e-9)
    assert weighted[-1, 3] == 60


@pytest.mark.parametrize("linkage", LINKAGES)
def test_equal_rows_merge_at_zero_first(linkage):
    """Of 20,000 rows of four kinds all copies merge at 0 exactly, then three merges are left."""
    kinds = np.array([[0.3, 0.1], [0.1, 0.7], [-0.9, 0.2], [0.5, -0.5]])
    rows = kinds[np.random.default_rng(4).integers(4, size=20_000)]
    heights = merge_dense_rows(rows, linkage=linkage)[:, 2]
    assert (heights[:-3] == 0).all()
    assert (heights[-3:] > 0.01).all()


def test_minus_zero_equals_zero():
    """Rows that differ in the sign of a zero are equal."""
    assert merge_dense_rows([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])[0, 2] == 0


@pytest.mark.parametrize("linkage", LINKAGES)
def test_nearly_equal_rows_keep_their_digits(by_lists, linkage):
    """Rows 1e-9 apart, hidden from float32: each pair of its own merges at the known height."""
    angles = np.repeat(np.linspace(0.1, 1.4, 200), 2)
    turns = np.linspace(1e-9, 2e-9, 200)
    angles[1::2] += turns
    turns = angles[1::2] - angles[::2]
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    heights = np.sort(merge_dense_rows(rows, linkage=linkage)[:200, 2])
    expected = turns if linkage == "ward" else turns**2 / 2
    assert heights == pytest.approx(np.sort(expected), rel=1e-6)


@pytest.mark.parametrize(("factor", "shift"), [(2.0**600, 0), (2.0**-600, 0), (1, 2.0**30)])
def test_scale_and_place_lose_nothing(by_lists, factor, shift):
    """Ward heights follow the scale of the rows and ignore where they lie, to the last bit."""
    rows = np.round(draw_rows(200) * 2**10) / 2**10
    straight = merge_dense_rows(rows)
    moved = merge_dense_rows(rows * factor + shift)
    np.testing.assert_array_equal(moved[:, :2], straight[:, :2])
    assert moved[:, 2] / factor == pytest.approx(straight[:, 2], rel=1e-14)


def test_average_ignores_the_lengths_of_rows(by_lists):
    """Cosine distances: rows of any length merge as their directions do."""
    rows = draw_rows(100)
    longer = rows * 2.0 ** np.random.default_rng(5).integers(-900, 900, size=(100, 1))
    np.testing.assert_array_equal(
        merge_dense_rows(longer, linkage="average"), merge_dense_rows(rows, linkage="average")
    )


@pytest.mark.parametrize("is_ward", [True, False])
def test_float32_bounds_never_exceed_the_distance(is_ward):
    """Bounds of candidates lie at or below their distances, by a hair at most, at any scale."""
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(300, 60)) * 10.0 ** rng.uniform(-12, 0, size=(300, 1))
    rows[150:] = rows[:150] * (1 + 1e-7 * rng.normal(size=(150, 60)))
    weights = 10.0 ** rng.uniform(-3, 3, size=300)
    clusters = dense._merge_equal_rows(rows, weights, is_ward=is_ward)
    pack = dense._build_pack(clusters, clusters.means.mean(axis=0))
    queries = np.arange(300, dtype=np.int32)
    bounds, found = np.full((300, 299), BIG), np.full((300, 299), -1, np.int32)
    find_candidates(is_ward, pack, queries, pack.rows @ pack.rows.T, 0, bounds, found)
    assert (np.diff(bounds, axis=1) >= 0).all()
    for x in range(300):
        assert sorted(found[x]) == [y for y in range(300) if y != x]
        distances = np.array([find_distance(clusters, x, y) for y in found[x]])
        assert (bounds[x] <= distances).all()
        norms = pack.norms[x] ** 2 + pack.norms[found[x]] ** 2
        factors = 2 / (1 / weights[x] + 1 / weights[found[x]]) if is_ward else 0.5
        assert (distances - bounds[x] <= 1e-5 * norms * factors).all()


def test_progress_goes_from_none_to_all(by_lists):
    """The callback hears ascending counts, first 0 and at last all merges."""
    heard = []
    merge_dense_rows(draw_rows(500), progress=lambda *counts: heard.append(counts))
    assert heard[0] == (0, 499)
    assert heard[-1] == (499, 499)
    assert heard == sorted(set(heard))


def test_an_interrupt_leaves(by_lists):
    """What the callback raises stops the merging and reaches the caller."""

    def interrupt(n_merged, n_all):
        if n_merged:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_dense_rows(draw_rows(500), progress=interrupt, n_threads=2)


def test_one_row_has_no_merge():
    """A single row gives an empty linkage matrix."""
    assert merge_dense_rows([[1.0, 2.0]]).shape == (0, 4)


def test_input_stays_as_it_was():
    """Rows are not changed in place."""
    rows = draw_rows(20)
    before = rows.copy()
    merge_dense_rows(rows, linkage="average")
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([[1.0], [np.nan], [2.0], [np.inf]], {}, r"2 of 4 rows hold NaN or infinity: 1, 3;"),
        (np.full((9, 2), np.nan), {}, r"9 of 9 rows .*: 0, 1, 2, 3, 4, … \(9 in all\)"),
        (np.zeros((0, 3)), {}, r"rows have the shape \(0, 3\); clustering needs"),
        (np.zeros(3), {}, r"rows have the shape \(3,\)"),
        ([["a"]], {}, "rows are no table of real numbers"),
        ([[1j]], {}, "rows are no table of real numbers"),
        (np.eye(3), {"weights": [1, 0, -1]}, r"2 of 3 weights are not positive .*: rows 1, 2;"),
        (np.eye(3), {"weights": [1, 1]}, r"weights have the shape \(2,\); .* each of 3 rows"),
        (np.eye(3), {"weights": [1, "b", 1]}, "weights are no numbers"),
        (np.diag([1, 0, 1]), {"linkage": "average"}, r"1 of 3 rows are all zeros .*: 1; drop"),
        (np.eye(3), {"linkage": "single"}, "linkage is 'single'; dense rows allow 'ward'"),
        (np.eye(3), {"n_threads": 0}, "n_threads is 0; give 1 or more"),
    ],
)
def test_what_cannot_be_merged_is_refused(rows, options, message):
    """Bad rows, weights and options are named in a sentence."""
    with pytest.raises(ParameterError, match=message):
        merge_dense_rows(rows, **options)
