"""Outlines of equal area: which share of each pixel a shape covers."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "cover_by_shape"]

SHAPES = ("disc", "square", "triangle", "plus", "ring", "bar")

# Sizes in radii of the disc, such that each shape has its area, pi
_SQUARE = np.sqrt(np.pi) / 2.0  # half a side
_TRIANGLE = np.sqrt(np.pi / (3.0 * np.sqrt(3.0)))  # inscribed circle
_PLUS = np.sqrt(np.pi / (8.0 / 3.0 - 4.0 / 9.0))  # half a beam's length; its width is a third
_RING = np.sqrt(np.pi / (np.pi * (1.0 - 0.55**2)))  # outside; inside it is 0.55 of that
_BAR = (0.54, np.pi / (4.0 * 0.54))  # half height and half width


def cover_by_shape(
    shapes: NDArray[np.intp],
    *,
    centres_px: NDArray[np.float64],
    radii_px: NDArray[np.float64],
    turns_rad: NDArray[np.float64],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    """Say how far each pixel lies inside a shape, 0 to 1.

    Edges are smoothed over one pixel, by the distance of a pixel's centre from the outline.

    Parameters
    ----------
    shapes : ndarray of int, shape (n,)
        Numbers into ``SHAPES``.
    centres_px : ndarray of float64, shape (n, 2)
        Row and column, from the upper left corner of the image.
    radii_px, turns_rad : ndarray of float64, shape (n,)
        Radius of the disc of the same area, and the turn, anticlockwise as seen.

    Returns
    -------
    ndarray of float64, shape (n, height, width)
    """
    y = np.arange(height)[:, None] + 0.5 - centres_px[:, 0, None, None]  # (n, height, 1)
    x = np.arange(width)[None, :] + 0.5 - centres_px[:, 1, None, None]  # (n, 1, width)
    cos, sin = (f(turns_rad)[:, None, None] for f in (np.cos, np.sin))
    radii = radii_px[:, None, None]
    right, down = (cos * x - sin * y) / radii, (sin * x + cos * y) / radii  # (n, height, width)
    outside = np.empty(right.shape)  # distance from the outline in radii, negative inside
    for number, shape in enumerate(SHAPES):
        rows = np.flatnonzero(shapes == number)
        outside[rows] = _distance(shape, right[rows], down[rows])
    return np.clip(0.5 - outside * radii, 0.0, 1.0)


def _distance(shape: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the outline, exact beside the sides of a shape (beyond a corner, a bound)."""
    far = np.hypot(x, y)
    match shape:
        case "disc":
            distance = far - 1.0
        case "square":
            distance = _box(x, y, _SQUARE, _SQUARE)
        case "triangle":  # one corner up: three half-planes
            slanted = np.abs(x) * np.cos(np.pi / 6) - y * np.sin(np.pi / 6)
            distance = np.maximum(y, slanted) - _TRIANGLE
        case "plus":
            distance = np.minimum(_box(x, y, _PLUS, _PLUS / 3.0), _box(x, y, _PLUS / 3.0, _PLUS))
        case "ring":
            distance = np.maximum(far - _RING, 0.55 * _RING - far)
        case _:
            assert shape == "bar"
            distance = _box(x, y, _BAR[1], _BAR[0])
    return np.asarray(distance)


def _box(
    x: NDArray[np.float64], y: NDArray[np.float64], half_width: float, half_height: float
) -> NDArray[np.float64]:
    return np.asarray(np.maximum(np.abs(x) - half_width, np.abs(y) - half_height))
