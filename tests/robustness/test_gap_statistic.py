"""The gap statistic: by hand, against R's cluster package, with and without clusters."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.distances import measure_dense_distances
from survey_tools.errors import ParameterError
from survey_tools.robustness.cut_curves import measure_log_dispersion
from survey_tools.robustness.gap import GapStatistic, compute_gap_statistic
from survey_tools.tree import Tree

NUMBERS = tuple(range(1, 9))
# Recorded by make_clusgap.R, with its call and the versions of R and of the package.
CASES = json.loads((Path(__file__).parent / "clusgap.json").read_text())["cases"]


def measure(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute ln W of the cuts of Ward's tree into 1 to 8 clusters."""
    keys = tuple(f"p{i:03d}" for i in range(len(points)))
    tree = Tree.from_linkage(hierarchy.linkage(points, "ward"), keys)
    return measure_log_dispersion(tree, measure_dense_distances(keys, points, "euclidean"), NUMBERS)


def choose(points: NDArray[np.float64], rng: np.random.Generator) -> GapStatistic:
    """Compare points with 30 uniform references in the box that holds them."""
    low, high = points.min(axis=0), points.max(axis=0)
    references = [measure(rng.uniform(low, high, points.shape)) for _ in range(30)]
    return compute_gap_statistic(NUMBERS, measure(points), references)


def test_a_hand_worked_gap() -> None:
    """Two references, at each number 0.1 or 0.2 apart from their mean."""
    found = compute_gap_statistic([1, 2, 3], [3.0, 1.0, 0.8], [[3.1, 2.2, 1.9], [2.9, 1.8, 1.7]])
    np.testing.assert_allclose(found.expected, [3.0, 2.0, 1.8])
    np.testing.assert_allclose(found.gaps, [0, 1, 1])
    np.testing.assert_allclose(found.standard_errors, np.sqrt(1.5) * np.array([0.1, 0.2, 0.1]))
    assert found.n_references.tolist() == [2, 2, 2]
    assert (found.chosen, found.is_open, found.chosen_by_maximum) == (2, False, 2)


@pytest.mark.parametrize(
    ("gaps", "chosen", "is_open", "by_maximum"),
    [
        ([0.5, 0.4, 0.9], 1, False, 3),  # falls at once, whatever comes later
        ([0.5, 0.55, 0.9], 1, False, 3),  # rises by less than a standard error
        ([0.5, 0.7, 0.75], 2, False, 3),
        ([0.5, 0.7, 0.9], 3, True, 3),  # rises to the end
        ([0.5, 0.7, 0.7 + 0.1 * np.sqrt(1.5) - 1e-9], 2, False, 3),
    ],
)
def test_the_rule_takes_the_first_number_within_a_standard_error(
    gaps: list[float], chosen: int, is_open: bool, by_maximum: int
) -> None:
    """References 0.1 around 0, so that s = 0.1 sqrt(1.5) = 0.122."""
    found = compute_gap_statistic([1, 2, 3], -np.array(gaps), [[0.1] * 3, [-0.1] * 3])
    assert (found.chosen, found.is_open) == (chosen, is_open)
    assert found.chosen_by_maximum == by_maximum


@pytest.mark.parametrize(("spread_1", "spread_2", "chosen"), [(0.9, 0.1, 2), (0.1, 0.9, 1)])
def test_the_standard_error_is_that_of_the_next_number(
    spread_1: float, spread_2: float, chosen: int
) -> None:
    """The gap rises from 0 to 0.5, which is within the standard error of one number only."""
    references = [[spread_1, spread_2], [-spread_1, -spread_2]]
    assert compute_gap_statistic([1, 2], [0.0, -0.5], references).chosen == chosen


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_gap_and_choice_equal_those_of_r(case: dict[str, Any]) -> None:
    """W by hclust is twice that of clusGap; gaps, errors and choices are those of maxSE."""
    observed = measure(np.array(case["points"]))
    np.testing.assert_allclose(observed, np.array(case["log_w"]) + np.log(2), atol=1e-9)
    found = compute_gap_statistic(NUMBERS, observed - np.log(2), case["references"])
    np.testing.assert_allclose(found.gaps, case["gap"], atol=1e-9)
    np.testing.assert_allclose(found.standard_errors, case["error"], atol=1e-12)
    assert (found.chosen, found.chosen_by_maximum) == (case["chosen"], case["by_maximum"])


def test_recorded_choices_differ_from_each_other() -> None:
    """The recorded cases hold one, three and four clusters, and a maximum that errs."""
    assert [case["chosen"] for case in CASES] == [3, 1, 4]
    assert [case["by_maximum"] for case in CASES] == [3, 3, 4]


@pytest.mark.parametrize("n_clusters", [2, 3, 5])
def test_planted_clusters_are_found(n_clusters: int) -> None:
    """Clusters of 12 at the corners of a simplex."""
    rng = np.random.default_rng(n_clusters)
    corners = 8 * np.eye(5)[:n_clusters]
    points = np.concatenate([corner + rng.normal(size=(12, 5)) for corner in corners])
    found = choose(points, rng)
    assert (found.chosen, found.is_open) == (n_clusters, False)


def test_without_clusters_one_is_chosen() -> None:
    """Of 30 cubes of 60 points: by the rule in nearly all, by the greatest gap in few."""
    chosen, by_maximum = [], []
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)
        found = choose(rng.random((60, 3)), rng)
        chosen.append(found.chosen)
        by_maximum.append(found.chosen_by_maximum)
    assert chosen.count(1) >= 27  # 94 of 100 where this was measured
    assert by_maximum.count(1) < 15  # 19 of 100


def test_numbers_without_a_value_are_passed_over() -> None:
    """2 is impossible here, 4 in all references but one: 1 is compared with 3, 3 with 5."""
    references = [[0.1, 0.1, 0.1, 0.1, 0.1], [-0.1, -0.1, -0.1, np.nan, -0.1]]
    observed = [-0.2, np.nan, -0.9, -5.0, -0.8]
    found = compute_gap_statistic([1, 2, 3, 4, 5], observed, references)
    assert found.n_references.tolist() == [2, 2, 2, 1, 2]
    np.testing.assert_allclose(found.gaps, [0.2, np.nan, 0.9, np.nan, 0.8], atol=1e-15)
    assert np.isnan(found.standard_errors[3])
    assert (found.chosen, found.chosen_by_maximum) == (3, 3)


def test_without_any_gap_nothing_is_chosen() -> None:
    """The logarithm of 0 counts as no value."""
    found = compute_gap_statistic([1, 2], [-np.inf, np.nan], [[0.0, 0.0], [0.0, 0.0]])
    assert np.isnan(found.gaps).all()
    assert (found.chosen, found.is_open, found.chosen_by_maximum) == (None, False, None)


def test_of_equal_maxima_the_fewest_clusters_are_taken() -> None:
    """Gaps that agree to within 1e-9."""
    found = compute_gap_statistic(
        [1, 2, 3], [0.0, -0.5, -0.5 - 1e-12], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    )
    assert found.chosen_by_maximum == 2


def test_what_arrived_is_not_changed() -> None:
    """Infinite values are set aside in a copy."""
    observed = np.array([1.0, -np.inf])
    compute_gap_statistic([1, 2], observed, np.zeros((2, 2)))
    assert observed.tolist() == [1.0, -np.inf]


@pytest.mark.parametrize(
    ("numbers", "observed", "references", "message"),
    [
        ([1, 2], [0.0], np.zeros((2, 2)), "shapes (1,) and (2, 2) arrived"),
        ([1, 2], [0.0, 0.0], np.zeros((2, 3)), "shapes (2,) and (2, 3) arrived"),
        ([1, 2], [0.0, 0.0], np.zeros(2), "shapes (2,) and (2,) arrived"),
        ([1, 2], [0.0, 0.0], np.zeros((1, 2)), "2 reference corpora or more; 1 arrived"),
        ([2, 1], [0.0, 0.0], np.zeros((2, 2)), "numbers of clusters rise from 1 on"),
        ([0, 1], [0.0, 0.0], np.zeros((2, 2)), "numbers of clusters rise from 1 on"),
        ([], [], np.zeros((2, 0)), "numbers of clusters rise from 1 on"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    numbers: list[int], observed: list[float], references: NDArray[np.float64], message: str
) -> None:
    """Other lengths, too few references, numbers that do not rise."""
    with pytest.raises(ParameterError, match=re.escape(message)):
        compute_gap_statistic(numbers, observed, references)
