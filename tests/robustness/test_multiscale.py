"""Multiscale bootstrap: pvclust's figures, values by hand, and what has no fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist
from scipy.stats import norm

from survey_tools.errors import ParameterError
from survey_tools.robustness.multiscale import (
    SCALES,
    MultiscaleFit,
    draw_multiplicities,
    fit_multiscale,
    resampled_size,
)

RECORDED = json.loads((Path(__file__).parent / "pvclust.json").read_text(encoding="utf-8"))
BY_HAND: list[dict[str, Any]] = RECORDED["msfit"]
RUNS: list[dict[str, Any]] = RECORDED["pvclust_runs"]
COLUMNS: list[str] = RECORDED["columns"]
N_DRAWS = 1000  # replicates of our own at each scale; pvclust had 10,000


def make_data() -> NDArray[np.float64]:
    """Compute the objects of make_pvclust.R, shape (12, 40)."""
    i, j = np.arange(1, 13)[:, None], np.arange(1, 41)[None, :]
    g = (i - 1) // 2 + 1

    def signal(k: NDArray[np.intp]) -> NDArray[np.float64]:
        return (17 * k**2 + 29 * k * j + 19 * j**2 + 23 * k * j**2 + 7 * k**3) % 97 / 97 - 0.5

    noise = (7 * i**2 + 13 * i * j + 11 * j**2 + 5 * i * j**2 + 3 * i**3) % 101 / 101 - 0.5
    weight = np.array([1.2, 0.9, 0.7, 0.55, 0.45, 0.35])[g - 1]
    return noise + weight * signal(g) + 0.5 * signal(10 + (g - 1) // 2)


def list_members(children: NDArray[np.intp]) -> list[int]:
    """Return the objects below each merge as bits; leaves are numbered first."""
    members = [1 << leaf for leaf in range(len(children) + 1)]
    for first, second in children.tolist():
        members.append(members[int(first)] | members[int(second)])
    return members[len(children) + 1 :]


def recorded_members(run: dict[str, Any]) -> list[int]:
    """Return the objects below each of R's merges: -i is leaf i, i is merge i, from 1 on."""
    merges = np.array(run["merges"])
    return list_members(np.where(merges < 0, -merges - 1, merges + len(merges)))


def assert_same_fit(fit: MultiscaleFit, rows: list[list[float]]) -> None:
    expected = dict(zip(COLUMNS, np.array(rows).T, strict=True))
    has_fit = expected["df"] > 0
    assert (fit.is_fitted == has_fit).all()
    assert (fit.n_scales[has_fit] - 2 == expected["df"][has_fit]).all()
    for name in ("au", "bp"):
        assert getattr(fit, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-12)
    for name in ("au_error", "bp_error", "v", "c", "p_value"):
        ours = getattr(fit, name)
        assert ours[has_fit] == pytest.approx(expected[name][has_fit], rel=1e-9, abs=1e-12)
        assert np.isnan(ours[~has_fit]).all()


@pytest.mark.parametrize("case", BY_HAND, ids=["edges", "thousandths"])
def test_fit_is_msfits_at_the_edges(case: dict[str, Any]) -> None:
    """Counts of none, all, half, and shares at the limit of use give what msfit gives."""
    assert_same_fit(fit_multiscale(case["counts"], case["nboot"], case["scales"]), case["fits"])


@pytest.mark.parametrize("run", RUNS, ids=[run["metric"] for run in RUNS])
def test_fit_is_pvclusts(run: dict[str, Any]) -> None:
    """From pvclust's own counts come its probabilities, errors, coefficients and p-values."""
    n_replicates = [run["nboot"]] * len(run["scales"])
    assert_same_fit(fit_multiscale(run["counts"], n_replicates, run["scales"]), run["fits"])


@pytest.mark.parametrize("run", RUNS, ids=[run["metric"] for run in RUNS])
def test_whole_run_is_pvclusts(run: dict[str, Any]) -> None:
    """A bootstrap of our own agrees with pvclust's within the errors of both."""
    data = make_data()
    weights = np.outer(np.arange(1, 13), np.arange(1, 41))
    assert (data * weights).sum() == pytest.approx(RECORDED["data_sum"])
    sought = recorded_members(run)
    whole = hierarchy.linkage(pdist(data, run["metric"]), "average")
    assert list_members(whole[:, :2]) == sought
    assert whole[:, 2] == pytest.approx(run["heights"])

    rng = np.random.default_rng(0)
    counts = np.zeros((len(sought), len(SCALES)))
    for column, scale in enumerate(SCALES):
        for _ in range(N_DRAWS):
            drawn = np.repeat(np.arange(40), draw_multiplicities(40, scale, rng).astype(int))
            tree = hierarchy.linkage(pdist(data[:, drawn], run["metric"]), "average")
            found = set(list_members(tree[:, :2]))
            counts[:, column] += [members in found for members in sought]

    scales = [resampled_size(40, scale) / 40 for scale in SCALES]
    assert scales == pytest.approx(run["scales"])
    shares, theirs = counts / N_DRAWS, np.array(run["counts"]) / run["nboot"]
    spread = np.sqrt(theirs * (1 - theirs) * (1 / N_DRAWS + 1 / run["nboot"]))
    assert (np.abs(shares - theirs) <= 4.5 * spread).all()
    assert np.mean(((shares - theirs)[:-1] / spread[:-1]) ** 2) < 1.7  # 1 on average

    fit = fit_multiscale(counts, [N_DRAWS] * len(scales), scales)
    expected = dict(zip(COLUMNS, np.array(run["fits"]).T, strict=True))
    assert (fit.au[-1], fit.bp[-1]) == (1.0, 1.0)  # the root is in every tree
    for name in ("au", "bp"):
        error = np.hypot(getattr(fit, f"{name}_error"), expected[f"{name}_error"])[:-1]
        difference = np.abs(getattr(fit, name) - expected[name])[:-1]
        assert (difference < 4 * error).all()


def test_fit_finds_the_distance_and_the_curvature() -> None:
    """Shares that follow the law exactly give back v and c, and the probabilities by hand."""
    scales = np.array(SCALES)
    v, c = np.array([-1.5, 0.2, -0.4]), np.array([0.4, 0.1, -0.3])
    shares = norm.sf(v[:, None] * np.sqrt(scales) + c[:, None] / np.sqrt(scales))
    fit = fit_multiscale(shares * 1e4, [10_000] * len(scales), scales)
    assert fit.v == pytest.approx(v)
    assert fit.c == pytest.approx(c)
    assert fit.au == pytest.approx(norm.sf(v - c))
    assert fit.bp == pytest.approx(norm.sf(v + c))
    assert fit.p_value == pytest.approx([1, 1, 1])


def test_errors_halve_with_four_times_the_replicates() -> None:
    """Standard errors fall with the root of the number of replicates."""
    counts = np.array([[30, 45, 60, 70]])
    few = fit_multiscale(counts, [100] * 4, [0.5, 0.8, 1.0, 1.3])
    many = fit_multiscale(4 * counts, [400] * 4, [0.5, 0.8, 1.0, 1.3])
    assert many.au == pytest.approx(few.au)
    assert many.au_error == pytest.approx(few.au_error / 2)
    assert many.bp_error == pytest.approx(few.bp_error / 2)
    assert many.p_value < few.p_value


def test_standard_error_is_the_spread_of_repeated_bootstraps() -> None:
    """AU over many draws of counts scatters by its standard error."""
    rng = np.random.default_rng(5)
    scales = np.array(SCALES)
    shares = norm.sf(-1.0 * np.sqrt(scales) + 0.3 / np.sqrt(scales))
    fit = fit_multiscale(rng.binomial(1000, shares, (4000, 10)), [1000] * 10, scales)
    assert fit.au.std() == pytest.approx(np.median(fit.au_error), rel=0.05)
    assert fit.bp.std() == pytest.approx(np.median(fit.bp_error), rel=0.05)
    assert fit.p_value.mean() == pytest.approx(0.5, abs=0.03)


def test_order_of_scales_and_nodes_does_not_matter() -> None:
    """Columns and rows in another order give the same fits in that order."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 101, (50, 10))
    columns, rows = rng.permutation(10), rng.permutation(50)
    totals = np.arange(100, 110)
    fit = fit_multiscale(counts, totals, SCALES)
    moved = fit_multiscale(counts[rows][:, columns], totals[columns], np.array(SCALES)[columns])
    for name in ("au", "bp", "au_error", "v", "c", "p_value"):
        assert getattr(moved, name) == pytest.approx(getattr(fit, name)[rows], nan_ok=True)


def test_without_three_scales_of_use_the_mean_share_decides() -> None:
    """AU and BP are 0 or 1 by the mean share, one half counting as 1; the rest is NaN."""
    counts = [[0, 0, 0, 0], [100] * 4, [0, 0, 49, 51], [0, 0, 100, 100], [0, 1, 99, 99]]
    fit = fit_multiscale(counts, [100] * 4, [0.5, 0.8, 1.0, 1.2])
    assert fit.au[:4].tolist() == fit.bp[:4].tolist() == [0, 1, 0, 1]
    assert fit.n_scales.tolist() == [0, 0, 2, 0, 3]
    assert fit.is_fitted.tolist() == [False] * 4 + [True]
    for name in ("au_error", "bp_error", "v", "c", "p_value"):
        assert np.isnan(getattr(fit, name)).tolist() == [True] * 4 + [False]


def test_no_node_is_no_fit() -> None:
    """Of no sub-trees there are no probabilities."""
    assert fit_multiscale(np.zeros((0, 2)), [10, 10], [0.5, 1.0]).au.shape == (0,)


@pytest.mark.parametrize(
    ("counts", "n_replicates", "scales", "message"),
    [
        ([[1, 2]], [10, 10], [1.0], r"shape \(1, 2\) do not match \(2,\) numbers"),
        ([1, 2], [10, 10], [0.5, 1.0], r"give \(n_nodes, n_scales\)"),
        ([[0, 2]], [0, 10], [0.5, 1.0], "every scale needs a replicate; leave out"),
        ([[]], [], [], "every scale needs a replicate"),
        ([[1, 2]], [10, 10], [1.0, 1.0], "scales are 1, 1; they must be .* different"),
        ([[1, 2]], [10, 10], [0.0, 1.0], "scales are 0, 1; they must be above 0"),
        ([[1, 11]], [10, 10], [0.5, 1.0], "0 to all of the replicates"),
        ([[-1, 1]], [10, 10], [0.5, 1.0], "0 to all of the replicates"),
    ],
)
def test_impossible_counts_are_refused(
    counts: Any, n_replicates: Any, scales: Any, message: str
) -> None:
    """Counts, numbers of replicates and scales that do not go together are refused."""
    with pytest.raises(ParameterError, match=message):
        fit_multiscale(counts, n_replicates, scales)


def test_size_is_rounded_down() -> None:
    """As in pvclust, 0.75 of 10 terms are 7; the true scale is then 0.7."""
    assert [resampled_size(10, scale) for scale in (0.1, 0.75, 1.0, 1.4)] == [1, 7, 10, 14]


@pytest.mark.parametrize("scale", [0.05, 0.0, -1.0, float("nan"), float("inf")])
def test_scale_that_draws_no_term_is_refused(scale: float) -> None:
    """A scale must draw at least one term."""
    with pytest.raises(ParameterError, match=r"of 10 terms draws none; give a scale above 0"):
        draw_multiplicities(10, scale, np.random.default_rng(0))


def test_terms_are_drawn_alike_and_with_replacement() -> None:
    """Multiplicities add up to the size, and have mean and variance of the multinomial law."""
    rng = np.random.default_rng(2)
    drawn = np.stack([draw_multiplicities(8, 1.5, rng) for _ in range(20_000)])
    assert (drawn.sum(axis=1) == 12).all()
    assert drawn.mean(axis=0) == pytest.approx(np.full(8, 1.5), abs=0.04)
    assert drawn.var(axis=0) == pytest.approx(np.full(8, 12 * 7 / 64), rel=0.05)


def test_drawing_follows_the_generator() -> None:
    """Equal generators draw equal multiplicities; another seed draws others."""
    first, again, other = (
        draw_multiplicities(100, 0.7, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()
