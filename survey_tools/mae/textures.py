"""Textures and backgrounds: fields of mean 0 and variance 1 whose redundancy is known."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXTURES", "correlate", "draw_textures"]

TEXTURES = (
    "horizontal grating",
    "vertical grating",
    "diagonal grating",
    "checks",
    "fine noise",
    "medium noise",
    "coarse noise",
)
_ANGLES_RAD = {
    "horizontal grating": np.pi / 2,
    "vertical grating": 0.0,
    "diagonal grating": np.pi / 4,
}
_CORRELATIONS = {"fine noise": 0.0, "medium noise": 1.0 / 32.0, "coarse noise": 2.5 / 32.0}
_WAVELENGTHS = (1.0 / 9.0, 1.0 / 7.0)  # shares of the side: three periods in a shape
_LEAST_WAVELENGTH_PX = 3.0  # two would be the finest that pixels can show, at one phase only
_JITTER_RAD = np.pi / 24  # of a grating's direction
_CHECKS_SPREAD = np.sqrt(0.72216)  # of clip(4 cos u cos v, -1, 1), by numerical integration
_N_WRAPS = 3  # a correlation length of a quarter of the side reaches no farther


def correlate(noise: NDArray[np.float64], length_px: float) -> NDArray[np.float64]:
    """Turn white noise into a field in which near pixels are alike.

    Two pixels at a distance d correlate by exp(-d^2 / (2 l^2)), continued periodically; the
    variance stays 1. The square root of that correlation is applied along columns and rows,
    since a Gaussian in d is one in either direction.

    Parameters
    ----------
    noise : ndarray of float64, shape (n, height, width)
        Independent standard normal numbers.
    length_px : float
        Correlation length l; 0 leaves the noise as it is.

    Returns
    -------
    ndarray of float64, shape (n, height, width)

    References
    ----------
    .. [1] Dietrich and Newsam, "Fast and exact simulation of stationary Gaussian processes
       through circulant embedding", SIAM Journal on Scientific Computing 18 (1997).
    """
    if length_px == 0.0:
        return noise
    height, width = noise.shape[1:]
    along_columns, along_rows = _root(height, length_px), _root(width, length_px)
    return np.asarray(along_columns @ noise @ along_rows)


def _root(n: int, length_px: float) -> NDArray[np.float64]:
    """Square root of the circulant matrix of correlations, symmetric, shape (n, n)."""
    wraps = n * np.arange(-_N_WRAPS, _N_WRAPS + 1)
    distances = np.arange(n)[:, None] + wraps
    correlation = np.exp(-(distances**2) / (2.0 * length_px**2)).sum(axis=1)
    spectrum = np.fft.rfft(correlation / correlation[0]).real
    first_row = np.fft.irfft(np.sqrt(np.maximum(spectrum, 0.0)), n)  # rounding can go below 0
    return np.asarray(first_row[(np.arange(n)[:, None] - np.arange(n)) % n])


def draw_textures(
    textures: NDArray[np.intp],
    uniform: NDArray[np.float64],
    noise: NDArray[np.float64],
    *,
    side_px: int,
) -> NDArray[np.float64]:
    """Draw one field of a texture an image, of mean 0 and variance 1.

    Parameters
    ----------
    textures : ndarray of int, shape (n,)
        Numbers into ``TEXTURES``.
    uniform : ndarray of float64, shape (n, 3)
        From 0 to 1: wavelength, phase and direction within their bounds.
    noise : ndarray of float64, shape (n, height, width)
        Independent standard normal numbers.
    side_px : int
        Shorter side of the image, by which wavelengths and correlation lengths grow.

    Returns
    -------
    ndarray of float64, shape (n, height, width)
    """
    fields = np.empty(noise.shape)
    low, high = (max(side_px * share, _LEAST_WAVELENGTH_PX) for share in _WAVELENGTHS)
    for number, texture in enumerate(TEXTURES):
        rows = np.flatnonzero(textures == number)
        if texture in _CORRELATIONS:
            fields[rows] = correlate(noise[rows], _CORRELATIONS[texture] * side_px)
            continue
        per_px = 2.0 * np.pi / (low + (high - low) * uniform[rows, 0])  # rad
        phase = 2.0 * np.pi * uniform[rows, 1]
        angle = _ANGLES_RAD.get(texture, 0.0) + _JITTER_RAD * (2.0 * uniform[rows, 2] - 1.0)
        along, across = (
            _waves(noise.shape[1:], per_px, angle + turn, phase) for turn in (0.0, np.pi / 2)
        )
        if texture == "checks":
            fields[rows] = np.clip(4.0 * along * across, -1.0, 1.0) / _CHECKS_SPREAD
        else:
            fields[rows] = np.sqrt(2.0) * along
    return fields


def _waves(
    size: tuple[int, ...],
    per_px: NDArray[np.float64],
    angle: NDArray[np.float64],
    phase: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cosine waves that run in a direction (0 is to the right), shape (n, height, width)."""
    height, width = size
    y = np.arange(height)[:, None] * np.sin(angle)[:, None, None]
    x = np.arange(width)[None, :] * np.cos(angle)[:, None, None]
    return np.asarray(np.cos(per_px[:, None, None] * (x + y) + phase[:, None, None]))
