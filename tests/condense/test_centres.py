"""Basis, micro-centres and nearest centres, against hand-worked places and plain numpy."""

import numpy as np
import pytest
from scipy import sparse

from survey_tools.condense.centres import (
    Points,
    find_nearest,
    fit_basis,
    fit_birch,
    fit_k_means,
    project_rows,
)


def make_blobs(n_points: int, n_blobs: int) -> Points:
    """Points within 0.01 of the corners of a simplex, blob after blob in turn."""
    rng = np.random.default_rng(0)
    corners = np.eye(n_blobs)[np.arange(n_points) % n_blobs]
    return (corners + rng.uniform(-0.005, 0.005, corners.shape)).astype(np.float32)


def silent() -> None:
    """Report to nobody."""


@pytest.mark.parametrize("method", ["k-means", "birch"])
def test_well_parted_blobs_get_a_centre_each(method: str) -> None:
    """Every blob's points have one nearest centre, and no two blobs share it."""
    points = make_blobs(120, 5)
    shards = [points[:50], points[50:90], points[90:]]
    start = points[::2]
    if method == "birch":
        centres = fit_birch(lambda: iter(shards), start, 5, n_papers=120, after_shard=silent)
    else:
        centres = fit_k_means(
            lambda: iter(shards), start, 5, n_passes=2, seed=0, after_shard=silent
        )
    nearest, distances = find_nearest(points, centres)
    assert len({(i % 5, centre) for i, centre in enumerate(nearest.tolist())}) == 5
    assert len(set(nearest.tolist())) == 5
    assert distances.max() < 1e-3


def test_birch_never_makes_more_centres_than_asked() -> None:
    """Uniform points come in ever new places; the threshold gives way."""
    rng = np.random.default_rng(1)
    points = rng.uniform(size=(600, 3)).astype(np.float32)
    shards = [points[i : i + 100] for i in range(0, 600, 100)]
    n_seen = 0

    def count() -> None:
        nonlocal n_seen
        n_seen += 1

    centres = fit_birch(lambda: iter(shards), points[:60], 20, n_papers=600, after_shard=count)
    assert 8 <= len(centres) <= 20
    assert n_seen == 6


def test_the_nearest_centre_is_that_of_all_distances() -> None:
    """Blocks of the product do not change the answer; distances are squared."""
    rng = np.random.default_rng(2)
    points = rng.normal(size=(300, 7)).astype(np.float32)
    centres = rng.normal(size=(40, 7)).astype(np.float32)
    square = ((points[:, None].astype(float) - centres) ** 2).sum(axis=2)
    nearest, distances = find_nearest(points, centres)
    assert nearest.tolist() == square.argmin(axis=1).tolist()
    np.testing.assert_allclose(distances, square.min(axis=1), rtol=1e-5)


def test_of_equal_centres_the_first_is_nearest() -> None:
    """So copies of a centre stay empty and vanish."""
    centres = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    assert find_nearest(centres, centres)[0].tolist() == [0, 1, 1]


def test_a_full_basis_keeps_all_products_of_rows() -> None:
    """With as many components as terms the projection is a rotation."""
    rng = np.random.default_rng(3)
    rows = sparse.csr_array(rng.uniform(size=(20, 6)))
    points = project_rows(rows, fit_basis(rows, 100, seed=0), is_unit=False)
    assert points.shape == (20, 6)
    expected = (rows @ rows.T).toarray()
    np.testing.assert_allclose(points @ points.T, expected, rtol=1e-4)


def test_projected_rows_get_unit_length_and_empty_ones_stay_empty() -> None:
    """A row outside the basis has no direction there."""
    basis = np.array([[1], [1], [0]], dtype=np.float32)
    rows = sparse.csr_array(np.array([[0.3, 0.1, 0.0], [0.0, 0.0, 1.0]]))
    assert project_rows(rows, basis, is_unit=True).tolist() == [[1.0], [0.0]]
