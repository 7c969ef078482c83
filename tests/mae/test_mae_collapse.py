"""Feature collapse: hand-worked measures; planted and healthy features of ten seeds."""

import numpy as np
import pytest

from survey_tools.errors import DataError
from survey_tools.mae.collapse import (
    detect_collapse,
    effective_rank,
    relative_spread,
    uniformity,
)
from survey_tools.mae.detectors import any_failure

SEEDS = range(10)


def spectrum(seed: int, *, n_directions: float, n: int = 400, dim: int = 64) -> np.ndarray:
    """Features whose directions weigh less and less, beside a common part as transformers have."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    scales = np.exp(-np.arange(dim) / n_directions)
    common = rng.standard_normal(dim)
    return common + 0.2 * (rng.standard_normal((n, dim)) * scales) @ directions


def test_the_effective_rank_of_equal_directions_is_their_number() -> None:
    """Three directions of the same singular value: exp(log 3); one: 1; none: 0."""
    axes = np.eye(5)[:3]
    cross = np.vstack([axes, -axes]) + 7.0
    assert effective_rank(cross) == pytest.approx(3.0)
    assert effective_rank(np.outer([1.0, 2.0, 5.0], [1.0, 1.0])) == pytest.approx(1.0)
    assert effective_rank(np.full((6, 3), 0.1)) == 0.0
    assert effective_rank(np.full((6, 3), 0.1, dtype=np.float32)) == 0.0


def test_the_effective_rank_of_unequal_directions_by_hand() -> None:
    """Singular values 3 and 1: shares 3/4 and 1/4, exp of their entropy."""
    cross = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert effective_rank(cross) == pytest.approx(expected)


def test_spread_is_1_in_all_directions_and_0_in_one() -> None:
    """Two opposite points: all of the length is spread; two at right angles: half the square."""
    assert relative_spread(np.array([[2.0, 0.0], [-5.0, 0.0]])) == pytest.approx(1.0)
    assert relative_spread(np.array([[2.0, 0.0], [0.0, 3.0]])) == pytest.approx(np.sqrt(0.5))
    assert relative_spread(np.array([[2.0, 0.0], [9.0, 0.0]])) == 0.0


def test_uniformity_by_hand() -> None:
    """Four corners of a square: two pairs in three at d^2 = 2, one at 4."""
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) + 3.0
    expected = np.log((4 * np.exp(-4.0) + 2 * np.exp(-8.0)) / 6)
    assert uniformity(square) == pytest.approx(expected)
    assert uniformity(np.full((4, 2), 3.0)) == 0.0


def test_features_equal_up_to_rounding_are_all_the_same() -> None:
    """What single precision leaves of a mean points everywhere, but says nothing."""
    rng = np.random.default_rng(0)
    one = rng.standard_normal(32).astype(np.float32)
    features = one * (1.0 + 1e-7 * rng.standard_normal((200, 1))).astype(np.float32)
    assert uniformity(features) == 0.0
    assert effective_rank(features) == 0.0


def test_uniformity_of_circles_and_spheres_is_as_stated() -> None:
    """-0.7 on a line, -1.6 on a circle, -2.1 on a sphere, near -4 in many dimensions."""
    rng = np.random.default_rng(0)
    for dim, expected in ((1, -0.69), (2, -1.57), (3, -2.08), (512, -3.98)):
        assert uniformity(rng.standard_normal((3000, dim))) == pytest.approx(expected, abs=0.05)


def test_measures_do_not_depend_on_order_rotation_or_scale() -> None:
    """Permuted, turned and made larger, features are as collapsed as before."""
    features, rng = spectrum(0, n_directions=8), np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((64, 64)))[0]
    moved = 9.0 * rng.permutation(features) @ turn
    for measure in (effective_rank, relative_spread, uniformity):
        assert measure(moved) == pytest.approx(measure(features))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("with_baseline", [True, False])
def test_healthy_features_are_not_flagged(seed: int, with_baseline: bool) -> None:
    """From 6 to 30 directions that matter, more or fewer than the baseline's 10."""
    baseline = spectrum(100 + seed, n_directions=10) if with_baseline else None
    for n_directions in (6, 10, 30):
        found = detect_collapse(spectrum(seed, n_directions=n_directions), baseline=baseline)
        assert not any_failure(found), [detection.verdict for detection in found]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("with_baseline", [True, False])
@pytest.mark.parametrize("planted", ["few directions", "a point", "exactly a point", "two points"])
def test_collapsed_features_are_found(seed: int, with_baseline: bool, planted: str) -> None:
    """With and without a baseline, each by the measures that can see it."""
    rng = np.random.default_rng(seed)
    healthy = spectrum(seed, n_directions=10)
    features, seen = {
        "few directions": (spectrum(seed, n_directions=0.7), "effective rank"),
        "a point": (healthy.mean(axis=0) + 0.01 * (healthy - healthy.mean(axis=0)), "spread"),
        "exactly a point": (np.tile(healthy[:1], (400, 1)), "effective rank"),
        "two points": (healthy[rng.integers(2, size=400)], "uniformity"),
    }[planted]
    baseline = spectrum(100 + seed, n_directions=10) if with_baseline else None
    found = detect_collapse(features, baseline=baseline)
    assert seen in [detection.detector for detection in found if detection.is_failure]


def test_the_verdict_says_value_and_threshold() -> None:
    """In words."""
    along_a_line = np.outer(np.arange(40.0) - 20.0, np.ones(3))
    rank, spread, _ = detect_collapse(along_a_line)
    assert rank.verdict == (
        "The features differ along few directions only (effective rank 1, a failure below 2)."
    )
    assert (rank.value, rank.threshold, rank.fails_if) == (pytest.approx(1.0), 2.0, "below")
    assert not spread.is_failure
    compared = detect_collapse(along_a_line, baseline=along_a_line)
    assert compared[0].verdict.startswith("The features differ along many directions beside the b")


def test_features_that_say_nothing_are_refused() -> None:
    """NaN, one image, or a baseline of other images."""
    with pytest.raises(DataError, match="features of 1 of 3 images are not finite"):
        detect_collapse(np.array([[0.0], [np.nan], [1.0]]))
    with pytest.raises(DataError, match="features of a single image arrived"):
        detect_collapse(np.ones((1, 3)))
    with pytest.raises(DataError, match=r"shape \(4, 2\) cannot be compared .* \(5, 2\)"):
        detect_collapse(np.ones((4, 2)), baseline=np.ones((5, 2)))
