"""Textured shapes: keyed chance, equal areas, independent factors."""

import numpy as np
import pytest

from survey_tools.errors import ParameterError
from survey_tools.mae.shape_outlines import SHAPES, cover_by_shape
from survey_tools.mae.shapes import CELLS, ShapeWorld, draw_shapes
from survey_tools.mae.textures import TEXTURES, correlate, draw_textures


def cover(shape: str, *, turn_rad: float = 0.0, side: int = 64, radius_px: float = 12.0):
    """Cover by one shape in the middle of an image."""
    return cover_by_shape(
        np.array([SHAPES.index(shape)]),
        centres_px=np.array([[side / 2, side / 2]]),
        radii_px=np.array([radius_px]),
        turns_rad=np.array([turn_rad]),
        height=side,
        width=side,
    )[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turn_rad", [0.0, 0.2])
def test_every_shape_has_the_area_of_the_disc(shape: str, turn_rad: float) -> None:
    """So that a shape cannot be told by how many pixels it covers."""
    area = cover(shape, turn_rad=turn_rad).sum()
    assert area == pytest.approx(np.pi * 12.0**2, rel=0.015)


def test_the_square_covers_its_pixels() -> None:
    """Half a side of 10.63 px: 10 whole pixels from the middle, and 0.63 of the next."""
    row = cover("square")[32]
    assert row[22:42].tolist() == [1.0] * 20
    np.testing.assert_allclose(row[[21, 42]], 12.0 * np.sqrt(np.pi) / 2.0 - 10.0)
    assert row[:21].sum() == row[43:].sum() == 0.0


def test_a_quarter_turn_lays_a_standing_bar_down() -> None:
    """Turns are anticlockwise as seen, which a triangle shows."""
    np.testing.assert_allclose(cover("bar", turn_rad=np.pi / 2), cover("bar").T, atol=1e-9)
    pointing_left = cover("triangle", turn_rad=np.pi / 2)
    np.testing.assert_allclose(pointing_left, np.rot90(cover("triangle")), atol=1e-9)
    assert cover("triangle")[:10].sum() < cover("triangle")[-26:].sum()  # it points up


def test_an_image_is_the_same_alone_and_among_others() -> None:
    """Each is keyed by seed, split and number; blocks do not matter."""
    many = draw_shapes(300, seed=3)
    some = draw_shapes([299, 7], seed=3)
    np.testing.assert_array_equal(some.images, many.images[[299, 7]])
    np.testing.assert_array_equal(some.labels["shape"], many.labels["shape"][[299, 7]])
    np.testing.assert_array_equal(some.quantities["x"], many.quantities["x"][[299, 7]])
    assert some.numbers.tolist() == [299, 7]


def test_splits_and_seeds_share_no_image() -> None:
    """The same numbers in another split or with another seed are other images."""
    drawn = [draw_shapes(50, seed=s, split=p) for s in (0, 1) for p in ("train", "test")]
    images = np.concatenate([part.images.reshape(50, -1) for part in drawn])
    distances = ((images[:, None] - images[None]) ** 2).mean(axis=2)
    assert distances[~np.eye(200, dtype=bool)].min() > 1e-3


def test_factors_are_the_same_in_every_world() -> None:
    """Size, channels and background change the image, not what it shows."""
    a = draw_shapes(20, seed=0)
    b = draw_shapes(
        20, seed=0, world=ShapeWorld(height=48, width=32, channels=1, background_px=0.0)
    )
    assert b.image_shape == (1, 48, 32)
    for factor in a.labels:
        np.testing.assert_array_equal(a.labels[factor], b.labels[factor])
    for factor in ("x", "y", "radius_px", "turn_rad", "contrast"):
        np.testing.assert_array_equal(a.quantities[factor], b.quantities[factor])


def test_factors_are_uniform_and_independent() -> None:
    """Chi-squared of each factor and pair stays below its 0.999 quantile."""
    from scipy.stats import chi2, chi2_contingency

    drawn = draw_shapes(4000, seed=0, world=ShapeWorld(height=16, width=16, channels=1))
    n_classes = {"shape": len(SHAPES), "texture": len(TEXTURES), "position": len(CELLS)}
    for factor, n in n_classes.items():
        counts = np.bincount(drawn.labels[factor], minlength=n)
        expected = 4000 / n
        assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(0.999, n - 1)
    for one, other in (("shape", "texture"), ("shape", "position"), ("texture", "position")):
        table = np.zeros((n_classes[one], n_classes[other]))
        np.add.at(table, (drawn.labels[one], drawn.labels[other]), 1)
        assert chi2_contingency(table).pvalue > 0.001


def test_the_cell_is_where_the_centre_lies() -> None:
    """Thirds of the range of centres, row by row."""
    drawn = draw_shapes(500, seed=1)
    row, column = (
        np.floor((drawn.quantities[axis] - 0.36) / 0.28 * 3).astype(int) for axis in ("y", "x")
    )
    np.testing.assert_array_equal(drawn.labels["position"], 3 * row + column)
    assert CELLS[5] == "middle right"


def test_brightness_tells_neither_shape_nor_texture() -> None:
    """Mean and spread of an image are no better than chance at telling either apart."""
    from scipy.stats import f_oneway

    drawn = draw_shapes(2000, seed=0)
    means = drawn.images.mean(axis=(1, 2, 3))
    for factor in ("shape", "texture"):
        groups = [means[drawn.labels[factor] == k] for k in np.unique(drawn.labels[factor])]
        assert f_oneway(*groups).pvalue > 0.001


@pytest.mark.parametrize("length_px", [1.0, 2.0, 8.0])
def test_neighbours_correlate_as_stated(length_px: float) -> None:
    """exp(-d^2 / (2 l^2)) at 1 and 3 pixels, continued periodically; variance 1."""
    rng = np.random.default_rng(0)
    field = correlate(rng.standard_normal((4000, 32, 32)), length_px)
    assert field.var() == pytest.approx(1.0, abs=0.05)
    wraps = 32 * np.arange(-2, 3)
    at_zero = np.exp(-(wraps**2) / (2 * length_px**2)).sum()
    for d in (1, 3):
        expected = np.exp(-((d + wraps) ** 2) / (2 * length_px**2)).sum() / at_zero
        for axis in (1, 2):
            measured = (field * np.roll(field, d, axis=axis)).mean()
            assert measured == pytest.approx(expected, abs=0.05)


def test_a_longer_correlation_makes_backgrounds_easier_to_predict() -> None:
    """The difference of neighbouring pixels falls from world to world."""
    steps = []
    for background_px in (0.0, 1.0, 3.0, 8.0):
        world = ShapeWorld(background_px=background_px)
        corner = draw_shapes(200, seed=0, world=world).images[:, :, :4, :]  # never a shape
        steps.append(np.diff(corner, axis=3).std())
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > 5 * steps[-1]


def test_textures_have_mean_0_and_variance_1() -> None:
    """Over many images; a single coarse one may stray."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(TEXTURES):
        fields = draw_textures(
            np.full(400, number), rng.random((400, 3)), rng.standard_normal((400, 32, 32)),
            side_px=32,
        )  # fmt: skip
        assert fields.mean() == pytest.approx(0.0, abs=0.03), name
        assert fields.var() == pytest.approx(1.0, abs=0.06), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 15}, "textured shapes need 16 pixels a side or more; 15 x 32 arrived"),
        ({"channels": 0}, "channels must be 1 or more; 0 arrived"),
        ({"background_px": 8.5}, "background_px must be from 0 to 8, a quarter"),
        ({"background_px": float("nan")}, "nan arrived"),
    ],
)
def test_a_world_without_meaning_is_refused(arguments: dict[str, float], message: str) -> None:
    """What arrived and what is allowed."""
    with pytest.raises(ParameterError, match=message):
        ShapeWorld(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numbers": 0, "seed": 0}, "one image or more"),
        ({"numbers": [-1], "seed": 0}, "counted from 0"),
        ({"numbers": 1, "seed": -1}, "seed must be 0 or more; -1 arrived"),
        ({"numbers": 1, "seed": 0, "split": "val"}, "split must be train or test; 'val' arrived"),
    ],
)
def test_numbers_seeds_and_splits_are_checked(arguments: dict[str, object], message: str) -> None:
    """What arrived and what is allowed."""
    with pytest.raises(ParameterError, match=message):
        draw_shapes(**arguments)
