"""Which choice matters: grids worked by hand, one-at-a-time runs, words, and bad input."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from scipy.stats import sobol_indices, uniform

from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness.influence import measure_influence
from survey_tools.robustness.influence_record import Estimate, Influence

TWO_BY_TWO = [("ward", "1-1"), ("ward", "1-2"), ("average", "1-1"), ("average", "1-2")]


def measure(
    levels: Sequence[Sequence[str]] | np.ndarray,
    response: Sequence[float] | np.ndarray,
    names: Sequence[str] = ("linkage", "ngrams"),
    **options: float,
) -> Influence:
    return measure_influence(
        levels, response, factor_names=names, rng=np.random.default_rng(7), **options
    )


def test_two_by_two() -> None:
    """Of 6, 4, 2, 0 the variance is 5: 4 of the linkage (5 or 1), 1 of n-grams (4 or 2)."""
    found = measure(TWO_BY_TWO, [6.0, 4.0, 2.0, 0.0])
    assert (found.method, found.n_runs, found.n_combinations) == ("grid", 4, 4)
    assert found.variance == pytest.approx(5.0)
    assert [factor.factor for factor in found.factors] == ["linkage", "ngrams"]
    assert [factor.first.value for factor in found.factors] == pytest.approx([0.8, 0.2])
    assert [factor.total.value for factor in found.factors] == pytest.approx([0.8, 0.2])
    assert found.pairs[0].factors == ("linkage", "ngrams")
    assert found.pairs[0].share.value == pytest.approx(0.0, abs=1e-12)
    linkage = found.factor("linkage")
    assert linkage.n_levels == 2
    assert [(level.level, level.n_runs) for level in linkage.levels] == [
        ("ward", 2),
        ("average", 2),
    ]
    assert [level.mean.value for level in linkage.levels] == pytest.approx([5.0, 1.0])
    assert found.sentence == (
        "linkage explains 80 % of the variance of the agreement, ngrams 20 %; pairs of choices "
        "explain 0 %; what more choices do together explains 0 %."
    )


def test_two_by_three() -> None:
    """Rows 1 2 6 and 3 4 2: row means 3 3, column means 2 3 4, interaction -1 -1 2 and 1 1 -2.

    The variance is 8/3: rows 0, columns 2/3, interaction 2; every total holds the interaction.
    """
    levels = list(product("ab", "xyz"))
    found = measure(levels, [1.0, 2.0, 6.0, 3.0, 4.0, 2.0], ("row", "column"))
    assert found.variance == pytest.approx(8 / 3)
    row, column = found.factor("row"), found.factor("column")
    assert row.first.value == pytest.approx(0.0, abs=1e-12)
    assert column.first.value == pytest.approx(1 / 4)
    assert found.pairs[0].share.value == pytest.approx(3 / 4)
    assert row.total.value == pytest.approx(3 / 4)
    assert column.total.value == pytest.approx(1.0)
    assert found.unexplained.value == pytest.approx(0.0, abs=1e-12)
    assert [level.level for level in column.levels] == ["z", "y", "x"]
    assert [level.mean.value for level in column.levels] == pytest.approx([4.0, 3.0, 2.0])


def test_what_only_three_choices_do_together_is_unexplained() -> None:
    """The parity of three binary choices has no main effect and no pair: all is higher order."""
    levels = list(product("01", repeat=3))
    parity = [float(sum(map(int, row)) % 2) for row in levels]
    found = measure(levels, parity, ("a", "b", "c"))
    assert found.unexplained.value == pytest.approx(1.0)
    for factor in found.factors:
        assert factor.first.value == pytest.approx(0.0, abs=1e-12)
        assert factor.total.value == pytest.approx(1.0)


def test_a_complete_grid_is_exact() -> None:
    """Nothing was sampled: bounds are the values, and no draw was made."""
    found = measure(TWO_BY_TWO, [0.6, 0.1, 0.5, 0.4])
    assert found.n_draws == 0
    assert "exact" in found.note
    for factor in found.factors:
        assert factor.first.low == factor.first.value == factor.first.high
        assert all(level.mean.low == level.mean.value for level in factor.levels)


def test_agrees_with_scipy_on_a_stepwise_ishigami_function() -> None:
    """First-order and total shares are the Sobol indices that scipy estimates by Monte Carlo."""
    n_levels = np.array([4, 5, 6])

    def ishigami(codes: np.ndarray) -> np.ndarray:
        a, b, c = (2.0 * (codes.T + 0.5) / n_levels - 1.0).T * np.pi
        return np.sin(a) + 7.0 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)

    codes = np.array(list(product(*map(range, n_levels)))).T
    found = measure(codes.T.astype(str), ishigami(codes), ("a", "b", "c"))
    expected = sobol_indices(
        func=lambda x: ishigami(np.floor(x.T * n_levels).T),
        n=2**14,
        dists=[uniform(), uniform(), uniform()],
        random_state=np.random.default_rng(1),
    )
    first = [found.factor(name).first.value for name in "abc"]
    total = [found.factor(name).total.value for name in "abc"]
    assert first == pytest.approx(expected.first_order, abs=0.005)
    assert total == pytest.approx(expected.total_order, abs=0.005)
    assert min(first[0], first[1], total[2]) > 0.1


def test_shares_of_all_orders_add_up() -> None:
    """On a grid of random numbers mains, pairs and the rest are 1; totals are as a model's."""
    levels = list(product("ab", "xyz", "123"))
    response = np.random.default_rng(3).normal(size=len(levels))
    found = measure(levels, response, ("p", "q", "r"))
    pairs = {pair.factors: pair.share.value for pair in found.pairs}
    mains = {factor.factor: factor.first.value for factor in found.factors}
    assert sum(mains.values()) + sum(pairs.values()) + found.unexplained.value == pytest.approx(1)
    for factor in found.factors:
        own = sum(share for pair, share in pairs.items() if factor.factor in pair)
        whole = factor.first.value + own + found.unexplained.value
        assert factor.total.value == pytest.approx(whole)


def test_one_at_a_time() -> None:
    """Around ward, 1-1: spreads 0, 3, 0 (variance 2) and 0, 2 (variance 1) are 2/3 and 1/3."""
    levels = [("ward", "1-1"), ("average", "1-1"), ("single", "1-1"), ("ward", "1-2")]
    found = measure(levels, [1.0, 4.0, 1.0, 3.0])
    assert found.method == "one at a time"
    linkage, ngrams = found.factor("linkage"), found.factor("ngrams")
    assert linkage.first.value == pytest.approx(2 / 3)
    assert ngrams.first.value == pytest.approx(1 / 3)
    assert np.isnan([linkage.total.value, linkage.first.low, found.unexplained.value]).all()
    assert found.pairs == ()
    assert [level.mean.value for level in ngrams.levels] == pytest.approx([3.0, 1.0])
    assert "interactions and intervals cannot be told" in found.note
    assert found.sentence == (
        "Around one setting linkage explains 67 % of the variance of the agreement, ngrams 33 %; "
        "what choices do together cannot be told."
    )


def test_repeats_of_a_single_factor_are_no_one_at_a_time_runs() -> None:
    """Two levels, means 1 apart, noise of variance 1: a fifth is told, not all of it."""
    rng = np.random.default_rng(2)
    levels = np.repeat([["ward"], ["average"]], 500, axis=0)
    response = np.repeat([1.0, 0.0], 500) + rng.normal(size=1000)
    found = measure(levels, response, ("linkage",))
    assert found.method == "sample"
    assert found.factors[0].first.value == pytest.approx(0.2, abs=0.04)
    assert found.factors[0].total.value == found.factors[0].first.value


@pytest.mark.parametrize("n_runs", [1, 4])
def test_equal_responses_are_no_crash(n_runs: int) -> None:
    """Without variance there are no shares; a sentence says so, and means are there."""
    found = measure(TWO_BY_TWO[:n_runs], [0.3] * n_runs)
    assert found.method == "none"
    assert all(np.isnan(factor.first.value) for factor in found.factors)
    assert found.factor("ngrams").levels[0].mean.value == pytest.approx(0.3)
    told = {1: "there is one run, of 0.3", 4: "it is 0.3 in all 4 runs"}[n_runs]
    assert found.sentence == f"No choice can be said to matter for the agreement: {told}."


def test_too_few_runs_are_named() -> None:
    """Three runs of a grid of 9, each with other levels: 5 effects need 5 + 4 runs."""
    found = measure([("a", "x"), ("b", "y"), ("c", "z")], [0.1, 0.2, 0.4])
    assert found.method == "none"
    assert found.note == "3 runs cannot tell 5 effects of levels and mean; run at least 9"


def test_factors_that_go_together_are_named() -> None:
    """Weighting follows linkage in every run, n-grams do not: the first two are named."""
    rng = np.random.default_rng(0)
    linkage = rng.choice(["ward", "average"], 60)
    weighting = np.where(linkage == "ward", "tfidf", "counts")
    levels = np.column_stack([linkage, rng.choice(["1-1", "1-2"], 60), weighting])
    found = measure(levels, rng.normal(size=60), ("linkage", "ngrams", "weighting"))
    assert found.method == "none"
    assert "the levels of linkage and weighting go together" in found.note


def test_a_factor_with_one_level_explains_nothing() -> None:
    """It is listed with a share of 0 and takes part in no pair."""
    levels = [(*row, "l2") for row in TWO_BY_TWO]
    found = measure(levels, [6.0, 4.0, 2.0, 1.0], ("linkage", "ngrams", "norm"))
    norm = found.factor("norm")
    assert (norm.n_levels, norm.first.value) == (1, 0.0)
    assert norm.total.value == pytest.approx(0.0, abs=1e-12)
    assert [pair.factors for pair in found.pairs] == [("linkage", "ngrams")]


def test_shares_in_words() -> None:
    """Percent without decimals, the interval where there is one, and 0 for what lies below."""
    assert Estimate(value=0.614, low=0.52, high=0.68).percent == "61 % (52 to 68)"
    assert Estimate(value=-0.03, low=-0.08, high=0.02).percent == "0 % (0 to 2)"
    assert Estimate(value=0.25, low=0.25, high=0.25).percent == "25 %"
    assert Estimate(value=0.25, low=np.nan, high=np.nan).percent == "25 %"


def test_an_unknown_factor_is_refused() -> None:
    """The message lists the factors that there are."""
    with pytest.raises(ParameterError, match="no factor 'norm'; there are linkage, ngrams"):
        measure(TWO_BY_TWO, [6.0, 4.0, 2.0, 0.0]).factor("norm")


def test_bad_input_is_refused() -> None:
    """Every message says what arrived and what is allowed."""
    with pytest.raises(DataError, match="0 runs arrived"):
        measure([], [])
    with pytest.raises(DataError, match="1 of 4 responses are not finite"):
        measure(TWO_BY_TWO, [0.1, np.nan, 0.2, 0.3])
    with pytest.raises(ParameterError, match=r"levels of 4 runs and responses of shape \(3,\)"):
        measure(TWO_BY_TWO, [0.1, 0.2, 0.3])
    with pytest.raises(ParameterError, match="1 run with 1 levels arrived for 2 factors"):
        measure([*TWO_BY_TWO[:3], ("ward",)], [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(ParameterError, match="factors norm, norm arrived"):
        measure(TWO_BY_TWO, [0.1, 0.2, 0.3, 0.4], ("norm", "norm"))
    with pytest.raises(ParameterError, match=r"n_draws -1 and confidence 0\.95"):
        measure(TWO_BY_TWO, [0.1, 0.2, 0.3, 0.4], n_draws=-1)
    with pytest.raises(ParameterError, match="confidence between 0 and 1"):
        measure(TWO_BY_TWO, [0.1, 0.2, 0.3, 0.4], confidence=95.0)
