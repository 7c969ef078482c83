"""Expected counts and adjusted residuals of clusters x labels."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import chi2_contingency
from scipy.stats.contingency import expected_freq

from survey_tools.crosscheck.axes import AxisCrosscheck, compare_axes
from survey_tools.crosscheck.residuals import measure_residuals
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy

SETTINGS = CrosscheckSettings(n_permutations=0, n_resamples=0)


@pytest.fixture
def axis(make_taxonomy: Callable[..., Taxonomy]) -> AxisCrosscheck:
    """Build some axis, of which tests replace the counts."""
    filed = {key: {"what": ["x"]} for key in "abc"}
    clusters = Partition.from_mapping({"a": "C1", "b": "C2", "c": "C2"})
    return compare_axes(clusters, make_taxonomy({"what": ["x"]}, filed), SETTINGS, seed=0)[0]


def with_counts(axis: AxisCrosscheck, table: ArrayLike, sizes: ArrayLike) -> AxisCrosscheck:
    return replace(axis, contingency=np.array(table), cluster_sizes=np.array(sizes))


def test_a_table_of_two_by_two_is_as_worked_by_hand(axis: AxisCrosscheck) -> None:
    """3 of 4 and 1 of 4: expected 2 of variance 2 * 1/2 * 1/2, so the residual is 1 / sqrt(1/2)."""
    found = measure_residuals(with_counts(axis, [[3, 1], [1, 3]], [4, 4]))
    np.testing.assert_allclose(found.expected, [[2, 2], [2, 2]])
    np.testing.assert_allclose(found.adjusted, np.array([[1, -1], [-1, 1]]) * np.sqrt(2))


def test_expected_counts_are_those_of_scipy(axis: AxisCrosscheck) -> None:
    """Where every paper is in one column, the whole table is one of independence."""
    table = np.random.default_rng(5).integers(1, 20, (6, 4))
    found = measure_residuals(with_counts(axis, table, table.sum(axis=1)))
    np.testing.assert_allclose(found.expected, expected_freq(table))


def test_each_column_is_a_table_of_papers_with_and_without_the_label(axis: AxisCrosscheck) -> None:
    """With two clusters the squared residual is Pearson's chi-square of that table."""
    table, sizes = np.array([[5, 8, 2], [3, 1, 6]]), np.array([9, 7])  # several labels a paper
    found = measure_residuals(with_counts(axis, table, sizes))
    for j in range(3):
        pair = np.column_stack([table[:, j], sizes - table[:, j]])
        np.testing.assert_allclose(found.expected[:, j], expected_freq(pair)[:, 0])
        chi2 = chi2_contingency(pair, correction=False).statistic
        np.testing.assert_allclose(found.adjusted[:, j] ** 2, chi2)


def test_adjusted_residuals_of_random_tables_have_mean_0_and_variance_near_1(
    axis: AxisCrosscheck,
) -> None:
    """They are standardised; plain Pearson residuals would have variances of 0.30 to 0.48."""
    rng = np.random.default_rng(2)
    sizes, carriers = np.array([40, 60, 100]), np.arange(200) < 80
    group = np.repeat(np.arange(3), sizes)
    found = []
    for _ in range(2000):
        counts = np.bincount(group[rng.permutation(carriers)], minlength=3)
        found.append(measure_residuals(with_counts(axis, counts[:, None], sizes)).adjusted[:, 0])
    np.testing.assert_allclose(np.mean(found, axis=0), 0.0, atol=0.08)
    np.testing.assert_allclose(np.var(found, axis=0), 1.0, atol=0.1)


@pytest.mark.parametrize(
    ("table", "sizes"),
    [([[2, 4], [1, 6]], [4, 6]), ([[3, 5]], [8])],
    ids=["a label of all papers", "one cluster"],
)
def test_where_the_totals_leave_no_choice_the_residual_is_0(
    table: list[list[int]], sizes: list[int], axis: AxisCrosscheck
) -> None:
    """A label of all papers, or a cluster of all, can only be found as often as expected."""
    found = measure_residuals(with_counts(axis, table, sizes))
    forced = found.adjusted[:, 1] if len(sizes) > 1 else found.adjusted[0]
    assert forced.tolist() == [0.0, 0.0]
    assert np.isfinite(found.adjusted).all()


def test_clusters_may_come_in_any_order(axis: AxisCrosscheck) -> None:
    """Rows of the result follow rows of the table."""
    table, sizes = np.array([[5, 1], [2, 7], [3, 3]]), np.array([6, 8, 5])
    order = [2, 0, 1]
    first = measure_residuals(with_counts(axis, table, sizes))
    second = measure_residuals(with_counts(axis, table[order], sizes[order]))
    np.testing.assert_allclose(first.adjusted[order], second.adjusted)
    np.testing.assert_allclose(first.expected[order], second.expected)
