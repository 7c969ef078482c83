"""Consensus curve, area, PAC and its comparison with null corpora: by hand, planted clusters."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.errors import ParameterError
from survey_tools.robustness.ambiguity import Ambiguity, CutConsensus
from survey_tools.robustness.consensus import CoAssociation
from survey_tools.robustness.relative_ambiguity import compare_with_nulls

NUMBERS = (2, 3, 4, 5, 6)


def name_papers(n: int) -> tuple[str, ...]:
    """Return so many sorted keys."""
    return tuple(f"p{i:03d}" for i in range(n))


def draw_cuts(points: NDArray[np.float64], n_runs: int, seed: int) -> list[NDArray[np.intp]]:
    """Cut Ward's trees of subsamples of 80 % into each number of clusters."""
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(n_runs):
        kept = np.sort(rng.permutation(len(points))[: round(0.8 * len(points))])
        tree = hierarchy.linkage(points[kept], "ward")
        codes = np.full((len(NUMBERS), len(points)), -1)
        for row, k in zip(codes, NUMBERS, strict=True):
            row[kept] = hierarchy.fcluster(tree, k, "maxclust") - 1
        runs.append(codes)
    return runs


def measure(points: NDArray[np.float64], *, n_runs: int = 40, seed: int = 0) -> Ambiguity:
    """Measure the ambiguity over subsamples of points."""
    consensus = CutConsensus(name_papers(len(points)), NUMBERS)
    for codes in draw_cuts(points, n_runs, seed):
        consensus.add(codes)
    return consensus.measure()


def scatter(n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Draw 12 points around each of some corners of a simplex, or 48 points in a cube."""
    rng = np.random.default_rng(seed)
    if n_clusters == 1:
        return rng.random((48, 4))
    return np.concatenate([6 * corner + rng.normal(size=(12, 4)) for corner in np.eye(4)])[
        : 12 * n_clusters
    ]


def test_a_hand_worked_curve() -> None:
    """Three papers: indices 1, 1/2 and 1/2 at two clusters, 1/2, 0 and 0 at three."""
    consensus = CutConsensus(("a", "b", "c"), (2, 3))
    consensus.add([[0, 0, 0], [0, 1, 2]])
    consensus.add([[0, 0, 1], [0, 0, 1]])
    found = consensus.measure()
    assert (found.n_runs, found.n_pairs, found.n_unseen) == (2, 3, 0)
    assert found.n_clusters.tolist() == [2, 3]
    at = [0, 49, 50, 99, 100]  # hundredths
    np.testing.assert_allclose(found.cdf[0, at], [0, 0, 2 / 3, 2 / 3, 1])
    np.testing.assert_allclose(found.cdf[1, at], [2 / 3, 2 / 3, 1, 1, 1])
    np.testing.assert_allclose(found.areas, [1 / 3, 5 / 6])
    np.testing.assert_allclose(found.area_changes, [1 / 3, 1.5])
    np.testing.assert_allclose(found.pac, [2 / 3, 1 / 3])
    assert found.chosen == 3


def test_bounds_count_above_the_lower_and_up_to_the_upper() -> None:
    """Indices of 1/10, 5/10, 9/10 and 10/10: those at a bound belong below it."""
    consensus = CutConsensus(("a", "b", "c", "d", "e"), (2,))
    shares = {1: 1, 2: 5, 3: 9, 4: 10}  # runs of 10 that have a and each other paper together
    for run in range(10):
        codes = [0] + [0 if run < shares[paper] else paper for paper in range(1, 5)]
        consensus.add([codes])
    # a-b b-c b-d b-e: 1; a-c c-d c-e: 5; a-d d-e: 9; a-e: 10
    assert consensus.measure().pac[0] == pytest.approx(5 / 10)
    assert consensus.measure(lower=0.0, upper=0.5).pac[0] == pytest.approx(7 / 10)
    assert consensus.measure(lower=0.5, upper=1.0).pac[0] == pytest.approx(3 / 10)


def test_curve_and_area_follow_the_coassociation_at_each_number() -> None:
    """The same runs, one number at a time, by the other accumulator."""
    points = scatter(3, 1)
    keys = name_papers(len(points))
    runs = draw_cuts(points, 15, 2)
    found = measure(points, n_runs=15, seed=2)
    upper = np.triu_indices(len(keys), k=1)
    for i in range(len(NUMBERS)):
        single = CoAssociation(keys)
        for codes in runs:
            single.add(codes[i])
        shares = single.shares[upper]
        assert found.n_unseen == single.n_unseen
        shares = shares[~np.isnan(shares)]
        np.testing.assert_allclose(found.areas[i], 1 - shares.mean())
        np.testing.assert_allclose(
            found.cdf[i], [(shares <= x).mean() for x in found.thresholds], atol=1e-15
        )
        assert found.pac[i] == pytest.approx(((shares > 0.1) & (shares <= 0.9)).mean())


def test_pairs_that_no_run_held_count_nowhere() -> None:
    """Of three pairs one is never held: the others have index 1 and 0."""
    consensus = CutConsensus(("a", "b", "c"), (2,))
    consensus.add([[0, 0, -1]])
    consensus.add([[-1, 0, 1]])
    found = consensus.measure()
    assert (found.n_pairs, found.n_unseen) == (2, 1)
    assert found.cdf[0, 50] == 0.5
    assert found.areas[0] == 0.5


def test_without_ambiguity_the_fewest_clusters_are_chosen() -> None:
    """Two numbers without any ambiguous pair; the area grows from 2/3 to 1."""
    consensus = CutConsensus(("a", "b", "c"), (2, 3))
    consensus.add([[0, 0, 1], [0, 1, 2]])
    found = consensus.measure()
    assert found.pac.tolist() == [0, 0]
    assert found.chosen == 2
    np.testing.assert_allclose(found.area_changes, [2 / 3, 0.5])


def test_no_change_follows_an_area_of_nothing() -> None:
    """All papers together at two clusters: area 0, of which nothing is a share."""
    consensus = CutConsensus(("a", "b"), (2, 3))
    consensus.add([[0, 0], [0, 1]])
    found = consensus.measure()
    assert found.areas.tolist() == [0, 1]
    assert found.area_changes[0] == 0
    assert np.isnan(found.area_changes[1])


def test_without_runs_nothing_is_chosen() -> None:
    """No pair was held: all curves are undefined."""
    found = CutConsensus(("a", "b"), (2, 3)).measure()
    assert (found.chosen, found.n_pairs, found.n_unseen) == (None, 0, 1)
    assert np.isnan(found.cdf).all()
    assert np.isnan([*found.areas, *found.area_changes, *found.pac]).all()
    relative = compare_with_nulls(found, [[0.5, 0.5]])
    assert relative.chosen is None
    assert np.isnan([relative.p_value, *relative.relative_pac, *relative.p_values]).all()


@pytest.mark.parametrize("n_clusters", [3, 4])
def test_planted_clusters_are_the_least_ambiguous(n_clusters: int) -> None:
    """Corners of a simplex: PAC is smallest, and Delta falls to nearly nothing, after them."""
    found = measure(scatter(n_clusters, 3))
    assert found.chosen == n_clusters
    i = NUMBERS.index(n_clusters)
    assert found.pac[i] == 0
    assert found.area_changes[i] > 0.1 > found.area_changes[i + 1]


def test_null_corpora_tell_planted_clusters_from_none() -> None:
    """Against as many runs on 19 cubes, four clusters stand out and another cube does not."""
    nulls = np.array([measure(scatter(1, seed)).pac for seed in range(100, 119)])
    compared = compare_with_nulls(measure(scatter(4, 4)), nulls)
    assert (compared.chosen, compared.p_value, compared.n_nulls) == (4, 0.05, 19)
    assert compared.p_values[NUMBERS.index(4)] == 0.05
    np.testing.assert_allclose(compared.null_pac, nulls.mean(axis=0))
    assert compare_with_nulls(measure(scatter(1, 99)), nulls).p_value > 0.05


def test_relative_pac_undoes_the_fall_with_the_number_of_clusters() -> None:
    """PAC falls with k with and without structure; only at 3 does it fall further."""
    found = replace_pac([0.30, 0.20, 0.18])
    nulls = [[0.30, 0.42, 0.20], [0.34, 0.38, 0.16]]
    compared = compare_with_nulls(found, nulls)
    assert found.chosen == 4
    assert compared.chosen == 3
    np.testing.assert_allclose(compared.relative_pac, np.log([0.32 / 0.30, 2.0, 1.0]))
    np.testing.assert_allclose(compared.p_values, [2 / 3, 1 / 3, 2 / 3])
    # greatest ln(mean of all three / PAC): ln(1/3 / 0.2) here, 0.18 / 0.18 and 0.18 / 0.16 there
    assert compared.p_value == pytest.approx(1 / 3)


def test_no_ambiguity_counts_as_half_a_pair() -> None:
    """Half of one of ten pairs is 0.05; without ambiguity on both sides nothing is gained."""
    found = replace_pac([0.0, 0.0, 0.1])
    compared = compare_with_nulls(found, [[0.4, 0.0, 0.1]])
    np.testing.assert_allclose(compared.relative_pac, [np.log(8), 0, 0], atol=1e-15)
    assert compared.chosen == 2


def test_nulls_without_a_value_are_left_out_of_that_number() -> None:
    """One of two nulls lacks a PAC at 3 clusters, both lack one at 4."""
    found = replace_pac([0.2, 0.2, 0.2])
    compared = compare_with_nulls(found, [[0.4, np.nan, np.nan], [0.2, 0.1, np.nan]])
    np.testing.assert_allclose(compared.null_pac, [0.3, 0.1, np.nan])
    np.testing.assert_allclose(compared.p_values, [2 / 3, 1, np.nan])
    assert compared.chosen == 2


def test_the_p_value_over_all_numbers_treats_survey_and_nulls_alike() -> None:
    """A null that has the survey's values at other numbers gains as much as the survey."""
    found = replace_pac([0.1, 0.3, 0.2])
    assert compare_with_nulls(found, [[0.3, 0.1, 0.2]]).p_value == 1
    assert compare_with_nulls(found, [[0.3, 0.2, 0.2]]).p_value == 0.5


def test_nulls_without_any_value_are_no_evidence() -> None:
    """Of two nulls one has no PAC at all: one value beside the survey's own."""
    compared = compare_with_nulls(replace_pac([0.1, 0.1, 0.1]), [[0.4] * 3, [np.nan] * 3])
    assert compared.p_value == 0.5
    assert compared.p_values.tolist() == [0.5, 0.5, 0.5]
    assert compared.n_nulls == 1


def replace_pac(pac: list[float]) -> Ambiguity:
    """Return what was measured of 5 papers (10 pairs) with this PAC at 2, 3 and 4 clusters."""
    nothing = np.full(3, np.nan)
    return Ambiguity(
        n_clusters=np.array([2, 3, 4]),
        thresholds=np.empty(0),
        cdf=np.empty((3, 0)),
        areas=nothing,
        area_changes=nothing,
        pac=np.array(pac),
        lower=0.1,
        upper=0.9,
        n_pairs=10,
        n_unseen=0,
        n_runs=10,
        chosen=2 + int(np.argmin(pac)),
    )


def test_neither_order_of_runs_nor_of_papers_changes_a_bit() -> None:
    """Curves from runs backwards, and from papers backwards."""
    points = scatter(4, 7)
    runs = draw_cuts(points, 12, 8)
    bits = []
    for these in (runs, runs[::-1], [codes[:, ::-1] for codes in runs]):
        consensus = CutConsensus(name_papers(len(points)), NUMBERS)
        for codes in these:
            consensus.add(codes)
        found = consensus.measure()
        bits.append(np.concatenate([found.cdf.ravel(), found.areas, found.pac]).tobytes())
    assert bits[0] == bits[1] == bits[2]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((), "none arrived"), ((1, 2), "rise from 2 on; 1, 2 arrived"), ((3, 3), "3, 3 arrived")],
)
def test_numbers_without_meaning_are_refused(numbers: tuple[int, ...], message: str) -> None:
    """None, one cluster, and numbers that do not rise."""
    with pytest.raises(ParameterError, match=re.escape(message)):
        CutConsensus(("a", "b"), numbers)


def test_rows_of_a_run_hold_the_same_papers() -> None:
    """A paper that is missing at one number of clusters only has no share to count."""
    consensus = CutConsensus(("a", "b", "c"), (2, 3))
    with pytest.raises(ParameterError, match="the same papers at every number of clusters"):
        consensus.add([[0, 0, 1], [0, -1, 1]])
    with pytest.raises(ParameterError, match=r"codes have the shape \(2, 3\)"):
        consensus.add([[0, 0, 1]])
    assert consensus.n_runs == 0
    with pytest.raises(ParameterError, match="two papers of a consensus have one key"):
        CutConsensus(("a", "a"), (2,))


@pytest.mark.parametrize(("lower", "upper"), [(-0.1, 0.9), (0.9, 0.1), (0.5, 0.5), (0.1, 1.1)])
def test_bounds_without_meaning_are_refused(lower: float, upper: float) -> None:
    """Below 0, above 1, and not rising."""
    with pytest.raises(ParameterError, match=f"bounds of PAC are {lower} and {upper}"):
        CutConsensus(("a", "b"), (2,)).measure(lower=lower, upper=upper)


@pytest.mark.parametrize("null_pac", [[], [0.1, 0.2, 0.3], [[0.1, 0.2]], np.empty((0, 3))])
def test_nulls_of_another_shape_are_refused(null_pac: list[float]) -> None:
    """None at all, one row without its corpus, other numbers of clusters."""
    with pytest.raises(ParameterError, match=r"has the shape \(n_nulls, 3\), n_nulls from 1 on"):
        compare_with_nulls(replace_pac([0.1, 0.1, 0.1]), null_pac)


def test_nulls_that_are_no_shares_are_refused() -> None:
    """PAC lies between 0 and 1."""
    with pytest.raises(ParameterError, match="not between 0 and 1"):
        compare_with_nulls(replace_pac([0.1, 0.1, 0.1]), [[0.1, 1.2, 0.1]])
