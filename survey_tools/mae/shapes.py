"""Textured shapes: seeded images whose shape, texture and place are known.

An image is a shape filled with a texture before a background of correlated noise. Everything
of an image comes from one generator keyed by seed, split and number, so that any image can be
made alone, and training and test images never share their chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.image_set import SPLITS, ImageSet, Split
from survey_tools.mae.shape_outlines import SHAPES, cover_by_shape
from survey_tools.mae.textures import TEXTURES, correlate, draw_textures

__all__ = ["CELLS", "ShapeWorld", "draw_shapes"]

CELLS = tuple(f"{row} {column}" for row in ("top", "middle", "bottom")
              for column in ("left", "centre", "right"))  # fmt: skip

_LEAST_SIDE = 16  # px; below, no texture fits into a shape
_N_UNIFORM = 16  # drawn for the factors, some to spare: a new factor moves no old one
_BLOCK = 256  # images composed at once
# Shares of the shorter side. The farthest corner of a shape lies 1.56 radii from its centre,
# so all of every shape lies inside the image.
_RADIUS = (0.19, 0.23)
_CENTRE = (0.36, 0.64)
_TURN = np.pi / 12  # rad, either way; more would turn a square's sides into a diamond's
# Grey values from 0 to 1, chosen so that few pixels are clipped, and so that a texture stands out
# from the background: else a small network learns nothing of a shape in some minutes
_BACKGROUND = (0.4, 0.6)
_SHIFT = 0.1  # of the shape's mean from the background's, at most
_BACKGROUND_SPREAD = 0.04
_TEXTURE_SPREAD = (0.12, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeWorld:
    """What all images have in common.

    Attributes
    ----------
    height, width : int
        In pixels, at least 16.
    channels : int
        Of random colours each.
    background_px : float
        Correlation length l of the background: two pixels at a distance d correlate by
        exp(-d^2 / (2 l^2)), periodically continued. 0 makes neighbours independent (nothing
        to infer a hidden patch from), 8 makes them redundant. At most a quarter of the
        shorter side.

    Raises
    ------
    ParameterError
        If a value is outside its range.
    """

    height: int = 32
    width: int = 32
    channels: int = 3
    background_px: float = 2.0

    def __post_init__(self) -> None:
        if self.side < _LEAST_SIDE:
            raise ParameterError(
                f"textured shapes need {_LEAST_SIDE} pixels a side or more; "
                f"{self.height} x {self.width} arrived"
            )
        if self.channels < 1:
            raise ParameterError(f"channels must be 1 or more; {self.channels} arrived")
        if not 0.0 <= self.background_px <= self.side / 4:
            raise ParameterError(
                f"background_px must be from 0 to {self.side / 4:g}, a quarter of the shorter "
                f"side; {self.background_px} arrived"
            )

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.height, self.width)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Chance:
    """What was drawn for some images."""

    uniform: NDArray[np.float64]  # (n, _N_UNIFORM)
    colours: NDArray[np.float64]  # (n, 2, channels)
    noise: NDArray[np.float64]  # (n, 2, height, width): background and texture


def draw_shapes(
    numbers: int | Sequence[int] | NDArray[np.intp],
    *,
    seed: int,
    split: Split = "train",
    world: ShapeWorld | None = None,
) -> ImageSet:
    """Draw images of textured shapes.

    Shape, texture and place are independent and uniform; so are the nuisances radius, turn,
    colours and contrast. All shapes have the same area, and textures the same mean and spread,
    so that neither can be told from how bright an image is.

    Parameters
    ----------
    numbers : int or sequence of int
        How many images (numbers 0 to n - 1), or which.
    seed : int
        0 or more.
    split : {"train", "test"}
    world : ShapeWorld, optional
        The same number has the same factors in every world.

    Returns
    -------
    ImageSet
        Labels "shape", "texture", "position" (of 3 x 3 cells); quantities "x", "y" (of the
        centre, shares of width and height), "radius_px", "turn_rad", "contrast" (spread of
        the texture, in grey values from 0 to 1).

    Raises
    ------
    ParameterError
        If a number, the seed or the split is not allowed.
    """
    world = world or ShapeWorld()
    if split not in SPLITS:
        raise ParameterError(f"split must be train or test; {split!r} arrived")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more; {seed} arrived")
    chosen = np.arange(numbers) if isinstance(numbers, int) else np.array(numbers, dtype=np.intp)
    if not len(chosen) or chosen.min() < 0:
        raise ParameterError("numbers must be one image or more, counted from 0")
    images = np.empty((len(chosen), world.channels, world.height, world.width), dtype=np.float32)
    uniforms = np.empty((len(chosen), _N_UNIFORM))
    for first in range(0, len(chosen), _BLOCK):
        rows = slice(first, first + _BLOCK)
        chance = _draw(chosen[rows], (seed, SPLITS.index(split)), world)
        uniforms[rows] = chance.uniform
        images[rows] = _compose(chance, world)
    labels, quantities = _factors(uniforms, world)
    return ImageSet(
        name=f"textured shapes, {split}",
        images=images,
        numbers=chosen,
        labels=labels,
        class_names={"shape": SHAPES, "texture": TEXTURES, "position": CELLS},
        quantities=quantities,
    )


def _draw(numbers: NDArray[np.intp], key: tuple[int, int], world: ShapeWorld) -> _Chance:
    n = len(numbers)
    chance = _Chance(
        uniform=np.empty((n, _N_UNIFORM)),
        colours=np.empty((n, 2, world.channels)),
        noise=np.empty((n, 2, world.height, world.width)),
    )
    for i, number in enumerate(numbers):
        rng = np.random.default_rng([*key, int(number)])
        chance.uniform[i] = rng.random(_N_UNIFORM)  # first: the same in every world
        chance.colours[i] = rng.random((2, world.channels))
        chance.noise[i] = rng.standard_normal((2, world.height, world.width))
    return chance


def _factors(
    uniform: NDArray[np.float64], world: ShapeWorld
) -> tuple[dict[str, NDArray[np.intp]], dict[str, NDArray[np.float64]]]:
    """Turn uniform numbers into factors; columns 7 to 9 belong to the texture's phase."""
    thirds = (3.0 * uniform[:, 2:4]).astype(np.intp)  # row and column
    labels = {
        "shape": (len(SHAPES) * uniform[:, 0]).astype(np.intp),
        "texture": (len(TEXTURES) * uniform[:, 1]).astype(np.intp),
        "position": 3 * thirds[:, 0] + thirds[:, 1],
    }
    quantities = {
        "y": _between(uniform[:, 2], _CENTRE),
        "x": _between(uniform[:, 3], _CENTRE),
        "radius_px": _between(uniform[:, 4], _RADIUS) * world.side,
        "turn_rad": _between(uniform[:, 5], (-_TURN, _TURN)),
        "contrast": _between(uniform[:, 6], _TEXTURE_SPREAD),
    }
    return labels, quantities


def _compose(chance: _Chance, world: ShapeWorld) -> NDArray[np.float32]:
    """Put shapes before backgrounds, shape (n, channels, height, width)."""
    labels, quantities = _factors(chance.uniform, world)
    share = cover_by_shape(
        labels["shape"],
        centres_px=np.stack(
            [quantities["y"] * world.height, quantities["x"] * world.width], axis=1
        ),
        radii_px=quantities["radius_px"],
        turns_rad=quantities["turn_rad"],
        height=world.height,
        width=world.width,
    )[:, None]  # (n, 1, height, width)
    background = correlate(chance.noise[:, 0], world.background_px)
    texture = draw_textures(
        labels["texture"], chance.uniform[:, 7:10], chance.noise[:, 1], side_px=world.side
    )
    ground = _between(chance.colours[:, 0], _BACKGROUND)[:, :, None, None]
    shift = _between(chance.colours[:, 1], (-_SHIFT, _SHIFT))[:, :, None, None]
    contrast = quantities["contrast"][:, None, None, None]
    behind = ground + _BACKGROUND_SPREAD * background[:, None]
    before = ground + shift + contrast * texture[:, None]
    image = (1.0 - share) * behind + share * before
    return np.clip(image, 0.0, 1.0).astype(np.float32)


def _between(uniform: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.float64]:
    low, high = bounds
    return low + (high - low) * uniform
