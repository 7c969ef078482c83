"""Where texts stand that want the same room, and the letters that stand for them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

__all__ = ["choose_largest", "letter_code", "spread"]


def choose_largest(sizes: Sequence[int], heights: Sequence[float], room: float) -> list[int]:
    """Choose whose texts are written where not all fit: the largest, of equals the first.

    Returns
    -------
    list of int
        Positions of the chosen, ascending; their heights together are at most ``room``.
    """
    chosen: list[int] = []
    used = 0.0
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        if used + heights[i] > room:
            break
        used += heights[i]
        chosen.append(i)
    return sorted(chosen)


def spread(
    wanted: Sequence[float], heights: Sequence[float], low: float, high: float
) -> NDArray[np.float64]:
    """Move centres of texts as little as possible so that none overlap and none leave the room.

    Parameters
    ----------
    wanted, heights : sequence of float
        Where each text would stand, and its extent along that direction.
    low, high : float
        Ends of the room, which must hold all heights.

    Returns
    -------
    ndarray of float, shape (n_texts,)
        Centres with the least sum of squared moves, in the order of ``wanted``.

    References
    ----------
    .. [1] Robertson, Wright, Dykstra, Order Restricted Statistical Inference, 1988, on
       isotonic regression: centres less the heights before them must not fall.
    """
    if not len(wanted):
        return np.empty(0)
    order = np.argsort(wanted, kind="stable")
    extent = np.asarray(heights, dtype=np.float64)[order]
    before = np.cumsum(extent) - extent / 2.0
    free = isotonic_regression(np.asarray(wanted, dtype=np.float64)[order] - before).x
    centres = np.empty(len(order))
    centres[order] = np.clip(free, low, max(low, high - extent.sum())) + before
    return centres


def letter_code(i: int) -> str:
    """Count in letters, as columns of a spreadsheet do: 0 is A, 25 is Z, 26 is AA."""
    letters = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
