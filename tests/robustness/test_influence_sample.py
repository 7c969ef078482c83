"""Which choice matters, from some of the combinations: known shares, the null, holes, order."""

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pytest

from survey_tools.robustness.influence import measure_influence
from survey_tools.robustness.influence_record import Influence
from survey_tools.robustness.interactions import are_totals_whole, even_out
from survey_tools.robustness.sampled_shares import split_sample
from survey_tools.robustness.variance_shares import CodedRuns, split_grid

SHAPE = (5, 9, 4, 3, 2, 6)
MAIN = {0: 0.5, 1: 0.1}
PAIRS = {(0, 2): 0.15, (1, 3): 0.1}  # 0.15 is left to chance
HOLED = (4, 4, 3, 3, 2)


def draw_hypercube(n_runs: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([rng.permutation(np.resize(np.arange(n), n_runs)) for n in shape])


def respond(
    codes: np.ndarray,
    shape: tuple[int, ...],
    main: Mapping[int, float],
    pairs: Mapping[tuple[int, int], float],
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Add random effects, each scaled to its exact share of a variance of 1, and noise."""
    response = np.sqrt(noise) * rng.normal(size=len(codes))
    for i, share in main.items():
        effect = rng.normal(size=shape[i])
        effect -= effect.mean()
        response += effect[codes[:, i]] * np.sqrt(share / np.mean(effect**2))
    for (i, j), share in pairs.items():
        table = rng.normal(size=(shape[i], shape[j]))
        table -= table.mean(axis=0)
        table -= table.mean(axis=1, keepdims=True)
        response += table[codes[:, i], codes[:, j]] * np.sqrt(share / np.mean(table**2))
    return response


def measure(codes: np.ndarray, response: np.ndarray, **options: float) -> Influence:
    names = [f"f{i}" for i in range(codes.shape[1])]
    return measure_influence(
        codes.astype(str), response, factor_names=names, rng=np.random.default_rng(5), **options
    )


def code(codes: np.ndarray, shape: tuple[int, ...], response: np.ndarray) -> CodedRuns:
    return CodedRuns(codes=codes, n_levels=shape, response=response)


def holed_grid() -> tuple[np.ndarray, np.ndarray]:
    codes = np.array(list(product(*map(range, HOLED))))
    rng = np.random.default_rng(8)
    main, pairs = {0: 0.5, 1: 0.15}, {(0, 1): 0.1, (1, 2): 0.1}
    return codes, respond(codes, HOLED, main, pairs, 0.15, rng)


def test_known_shares_are_found_in_a_hypercube() -> None:
    """1,500 of 6,480 combinations tell a factor, its total and a pair, each within its bounds."""
    rng = np.random.default_rng(1)
    codes = draw_hypercube(1500, SHAPE, rng)
    found = measure(codes, respond(codes, SHAPE, MAIN, PAIRS, 0.15, rng))
    assert found.method == "sample"
    assert found.n_draws == 300
    truth = {"f0": (0.5, 0.65), "f1": (0.1, 0.2), "f2": (0.0, 0.15), "f5": (0.0, 0.0)}
    for name, (first, total) in truth.items():
        factor = found.factor(name)
        assert factor.first.value == pytest.approx(first, abs=0.03)
        assert factor.total.value == pytest.approx(total, abs=0.04)
        assert factor.first.low <= factor.first.value <= factor.first.high
    assert [pair.factors for pair in found.pairs[:2]] == [("f0", "f2"), ("f1", "f3")]
    assert found.pairs[0].share.value == pytest.approx(0.15, abs=0.03)
    assert found.unexplained.value == pytest.approx(0.15, abs=0.04)
    assert found.factors[0].factor == "f0"
    assert found.sentence.startswith("f0 explains 5")


def test_estimates_have_no_bias_and_bounds_hold_the_truth() -> None:
    """Over 60 hypercubes of 300 runs the mean error is within its Monte-Carlo error."""
    main = np.array([MAIN.get(i, 0.0) for i in range(len(SHAPE))])
    pairs = np.array([PAIRS.get(pair, 0.0) for pair in combinations(range(len(SHAPE)), 2)])
    errors, hits = [], []
    for seed in range(60):
        rng = np.random.default_rng([2, seed])
        codes = draw_hypercube(300, SHAPE, rng)
        response = respond(codes, SHAPE, MAIN, PAIRS, 0.15, rng)
        shares = split_sample(code(codes, SHAPE, response), rng, 60)
        drawn = np.hstack([shares.first, shares.pairs])
        truth = np.concatenate([main, pairs])
        low, high = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
        errors.append(drawn[0] - truth)
        hits.append((low <= truth) & (truth <= high))
    spread = np.std(errors, axis=0) / np.sqrt(len(errors))
    assert (np.abs(np.mean(errors, axis=0)) < 4 * spread).all()
    assert np.mean(hits, axis=0)[[0, 1]].min() > 0.8
    assert np.mean(hits) > 0.93


def test_without_effects_no_share_is_biased_upwards_by_many_levels() -> None:
    """Noise alone, nine levels against two: the mean share is 0 for both, and so are totals."""
    shape = (9, 2, 9, 2)
    first, total, n_false = [], [], 0
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        codes = draw_hypercube(200, shape, rng)
        shares = split_sample(code(codes, shape, rng.normal(size=200)), rng, 40)
        first.append(shares.first[0])
        total.append(shares.total[0])
        n_false += np.count_nonzero(np.quantile(shares.first[1:], 0.025, axis=0) > 0)
    assert np.mean(first, axis=0) == pytest.approx(0.0, abs=0.01)
    assert np.mean(total, axis=0) == pytest.approx(0.0, abs=0.03)
    assert np.min(first) < 0.0
    assert n_false <= 20


def test_a_naive_share_would_be_biased() -> None:
    """The null again: the variance of means of 9 levels is 0.04 of the whole, the estimate 0."""
    naive, adjusted = [], []
    for seed in range(50):
        rng = np.random.default_rng([4, seed])
        codes = draw_hypercube(200, (9, 2), rng)
        response = rng.normal(size=200)
        means = np.bincount(codes[:, 0], response) / np.bincount(codes[:, 0])
        naive.append(np.var(means) / np.var(response))
        adjusted.append(split_sample(code(codes, (9, 2), response), rng, 0).first[0, 0])
    assert np.mean(naive) == pytest.approx(0.04, abs=0.01)
    assert np.mean(adjusted) == pytest.approx(0.0, abs=0.01)


def test_a_complete_grid_is_the_limit_of_samples() -> None:
    """With every combination at hand the estimates are the exact shares, of any order."""
    codes, response = holed_grid()
    runs = code(codes, HOLED, response)
    exact = split_grid(runs)
    shares = split_sample(runs, np.random.default_rng(0), 5)
    assert shares.first == pytest.approx(np.repeat(exact.first, 6, axis=0))
    assert shares.pairs == pytest.approx(np.repeat(exact.pairs, 6, axis=0))
    assert shares.total == pytest.approx(np.repeat(exact.total, 6, axis=0))
    assert shares.unexplained == pytest.approx(np.repeat(exact.unexplained, 6))
    for estimated, mean in zip(shares.means, exact.means, strict=True):
        assert estimated == pytest.approx(np.repeat(mean, 6, axis=0))


def test_holes_at_random_move_shares_little() -> None:
    """A tenth of the grid failed: shares, totals of all orders among them, hardly move."""
    codes, response = holed_grid()
    exact = split_grid(code(codes, HOLED, response))
    kept = np.sort(np.random.default_rng(4).permutation(len(codes))[len(codes) // 10 :])
    found = measure(codes[kept], response[kept])
    assert found.method == "sample"
    assert found.n_combinations == len(codes)
    assert "higher order" not in found.note
    for i in range(len(HOLED)):
        factor = found.factor(f"f{i}")
        assert factor.first.value == pytest.approx(exact.first[0, i], abs=0.02)
        assert factor.total.value == pytest.approx(exact.total[0, i], abs=0.02)
    assert found.unexplained.value == pytest.approx(exact.unexplained[0], abs=0.02)


def test_bounds_of_holed_grids_hold_the_truth() -> None:
    """Over 60 grids that lack a fifth, bounds of shares and totals hold those of the whole grid."""
    codes = np.array(list(product(*map(range, HOLED))))
    hits = []
    for seed in range(60):
        rng = np.random.default_rng([16, seed])
        response = respond(codes, HOLED, {0: 0.5, 1: 0.15}, {(0, 1): 0.1, (1, 2): 0.1}, 0.15, rng)
        exact = split_grid(code(codes, HOLED, response))
        kept = rng.permutation(len(codes))[len(codes) // 5 :]
        shares = split_sample(code(codes[kept], HOLED, response[kept]), rng, 100)
        drawn = np.hstack([shares.first, shares.total])
        low, high = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
        truth = np.concatenate([exact.first[0], exact.total[0]])
        hits.append((low <= truth) & (truth <= high))
    first, total = np.mean(hits, axis=0).reshape(2, -1)
    assert first.mean() > 0.9
    assert total.mean() > 0.85


def test_levels_weigh_alike_though_many_of_their_runs_failed() -> None:
    """All but a tenth of the runs of a level failed: the share of its pair is 0.5 all the same."""
    shape, main, pairs = (3, 3, 4), [], []
    for seed in range(20):
        rng = np.random.default_rng([17, seed])
        codes = rng.integers(shape, size=(4000, 3))
        response = respond(codes, shape, {}, {(0, 1): 0.5}, 0.5, rng)
        kept = (codes[:, 0] != 0) | (rng.random(4000) < 0.1)
        shares = split_sample(code(codes[kept], shape, response[kept]), rng, 0)
        main.append(shares.first[0])
        pairs.append(shares.pairs[0])
    assert np.mean(pairs, axis=0) == pytest.approx([0.5, 0.0, 0.0], abs=0.03)
    assert np.mean(main, axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.01)


def test_pairs_with_many_empty_cells_have_no_bias() -> None:
    """A fifth of 400 cells hold no run of 640: a share of 0.5 and one of 0 are found all the same.

    In the second half of the grids nine of ten runs of a level failed.
    """
    shape, estimates = (20, 20, 2), []
    for seed in range(40):
        rng = np.random.default_rng([18, seed])
        codes = draw_hypercube(640, shape, rng)
        response = respond(codes, shape, {}, {(0, 1): 0.5 * (seed % 2)}, 0.5, rng)
        kept = (codes[:, 0] > 0) | (rng.random(640) < (0.1 if seed >= 20 else 1.0))
        runs = CodedRuns(codes=codes[kept], n_levels=shape, response=response[kept])
        if kept[codes[:, 0] == 0].any():
            estimates.append((seed >= 20, seed % 2, split_sample(runs, rng, 0).pairs[0, 0]))
    for is_holed, is_paired in product([False, True], [0, 1]):
        found = [pair for *kind, pair in estimates if kind == [is_holed, is_paired]]
        assert np.mean(found) == pytest.approx(0.5 * is_paired, abs=0.05)


def test_runs_are_weighted_until_levels_weigh_alike() -> None:
    """Levels of 30 and 10 runs, of 25 and 15: weights even both; a lone run counts ten at most."""
    rng = np.random.default_rng(19)
    codes = np.column_stack(
        [np.repeat([0, 1], [30, 10]), rng.permutation(np.repeat([0, 1], [25, 15]))]
    )
    evened = even_out(code(codes, (2, 2), np.zeros(40)))
    for column in codes.T:
        assert np.bincount(column, evened) == pytest.approx([20.0, 20.0], rel=1e-3)
    alone = even_out(code(np.array([[0]] * 99 + [[1]]), (2,), np.zeros(100)))
    assert alone[[0, 99]] == pytest.approx([50 / 99, 10.0])


def test_a_combination_without_meaning_moves_shares_little() -> None:
    """Two levels that never meet: main effects are compared like with like all the same."""
    codes, response = holed_grid()
    exact = split_grid(code(codes, HOLED, response))
    kept = (codes[:, 0] != 1) | (codes[:, 1] != 2)
    found = measure(codes[kept], response[kept])
    for i in range(len(HOLED)):
        assert found.factor(f"f{i}").first.value == pytest.approx(exact.first[0, i], abs=0.04)


def test_levels_are_compared_like_with_like() -> None:
    """A level that failed where the other factor is low has the mean of its effects, no more."""
    codes = np.array([row for row in product(range(3), range(4)) if row not in {(2, 0), (2, 1)}])
    response = 1.0 * codes[:, 0] + 10.0 * codes[:, 1]
    means = {
        level.level: level.mean.value for level in measure(codes, response).factor("f0").levels
    }
    assert means == pytest.approx({"0": 15.0, "1": 16.0, "2": 17.0})


def test_bounds_of_level_means_hold_the_truth() -> None:
    """Of two levels 0 and 1 apart in noise: bounds hold both, and a lone run's level has none."""
    rng = np.random.default_rng(6)
    codes = draw_hypercube(201, (2, 3), rng)
    codes[0] = (2, 0)
    response = codes[:, 0] + 0.3 * rng.normal(size=201)
    by_level = {level.level: level for level in measure(codes, response).factor("f0").levels}
    for name, truth in (("0", 0.0), ("1", 1.0)):
        mean = by_level[name].mean
        assert mean.low < truth < mean.high
        assert mean.high - mean.low == pytest.approx(2 * 1.96 * 0.3 / 10, rel=0.25)
    assert by_level["2"].n_runs == 1
    assert np.isnan(by_level["2"].mean.low)


def test_the_order_of_runs_and_factors_changes_nothing() -> None:
    """Shuffled runs and columns give the same record to the last bit, intervals and all."""
    rng = np.random.default_rng(9)
    codes = draw_hypercube(120, (3, 4, 2), rng)
    response = respond(codes, (3, 4, 2), {0: 0.5}, {(0, 1): 0.2}, 0.3, rng)
    names = ["linkage", "ngrams", "norm"]
    order, columns = rng.permutation(120), [2, 0, 1]
    expected, found = (
        measure_influence(
            levels, values, factor_names=given, rng=np.random.default_rng(1), n_draws=20
        )
        for levels, values, given in (
            (codes.astype(str), response, names),
            (
                codes[order][:, columns].astype(str),
                response[order],
                [names[i] for i in columns],
            ),
        )
    )
    assert found == expected


def test_names_of_levels_do_not_matter() -> None:
    """Levels renamed against their order: every estimate is as before."""
    rng = np.random.default_rng(10)
    codes = draw_hypercube(120, (3, 4, 2), rng)
    response = respond(codes, (3, 4, 2), {0: 0.5}, {(0, 1): 0.2}, 0.3, rng)
    expected, found = measure(codes, response), measure(9 - codes, response)
    for factor in expected.factors:
        same = found.factor(factor.factor)
        assert same.first.value == pytest.approx(factor.first.value)
        assert same.total.value == pytest.approx(factor.total.value)
        renamed = [str(9 - int(level.level)) for level in factor.levels]
        assert [level.level for level in same.levels] == renamed
    assert {pair.factors: pair.share.value for pair in found.pairs} == pytest.approx(
        {pair.factors: pair.share.value for pair in expected.pairs}
    )


def test_scale_and_shift_do_not_matter() -> None:
    """Shares of 100 - 7 y are those of y."""
    rng = np.random.default_rng(11)
    codes = draw_hypercube(90, (3, 4), rng)
    response = respond(codes, (3, 4), {0: 0.6}, {}, 0.4, rng)
    expected, found = (
        split_sample(code(codes, (3, 4), y), np.random.default_rng(0), 9)
        for y in (response, 100.0 - 7.0 * response)
    )
    assert found.first == pytest.approx(expected.first)
    assert found.total == pytest.approx(expected.total)


def test_repeated_combinations_tell_chance() -> None:
    """Six cells run 100 times each with noise of half the variance: half is unexplained."""
    rng = np.random.default_rng(12)
    codes = np.repeat(np.array(list(product(range(2), range(3)))), 100, axis=0)
    response = respond(codes, (2, 3), {0: 0.3}, {(0, 1): 0.2}, 0.5, rng)
    found = measure(codes, response)
    assert found.method == "sample"
    assert found.unexplained.value == pytest.approx(0.5, abs=0.06)
    assert found.pairs[0].share.value == pytest.approx(0.2, abs=0.05)
    assert found.factor("f0").total.value == pytest.approx(0.5, abs=0.06)


def test_few_runs_tell_main_effects_alone() -> None:
    """45 runs for 16 effects of far more combinations: pairs and totals are NaN, and it says so."""
    rng = np.random.default_rng(13)
    codes = draw_hypercube(45, (4, 4, 4, 4, 4), rng)
    response = respond(codes, (4,) * 5, {0: 0.9}, {}, 0.1, rng)
    found = measure(codes, response)
    assert found.method == "sample"
    assert found.pairs == ()
    assert all(np.isnan(factor.total.value) for factor in found.factors)
    assert "too few to tell what pairs of choices do" in found.note
    assert found.factors[0].first.value == pytest.approx(0.9, abs=0.1)
    assert found.unexplained.value == pytest.approx(0.1, abs=0.1)
    assert "; what choices do together, or chance, explains" in found.sentence


def test_lines_of_single_runs_tell_no_higher_order() -> None:
    """Half of a grid of binary choices, no two runs one choice apart: totals hold pairs alone."""
    codes = np.array([row for row in product(range(2), repeat=6) if sum(row) % 2 == 0])
    runs = code(codes, (2,) * 6, np.random.default_rng(14).normal(size=len(codes)))
    assert runs.share_run == 0.5
    assert not are_totals_whole(runs)
    assert np.isfinite(split_sample(runs, np.random.default_rng(0), 3).total).all()


def test_without_draws_there_are_no_intervals() -> None:
    """The estimates are as with draws; bounds are NaN."""
    rng = np.random.default_rng(15)
    codes = draw_hypercube(100, (3, 4), rng)
    response = respond(codes, (3, 4), {0: 0.6}, {}, 0.4, rng)
    found = measure(codes, response, n_draws=0)
    assert found.n_draws == 0
    assert np.isnan([found.factors[0].first.low, found.unexplained.high]).all()
    assert found.factors[0].first.value == measure(codes, response).factors[0].first.value
    assert found.factors[0].first.percent.endswith(" %")
