"""Numbers at the nodes of a tree, moved apart where they would cover one another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.side_column import CODE_EMS

__all__ = ["place_numbers"]

_REACH = 8  # places tried in each direction, half a ring apart


def place_numbers(
    numbers: Sequence[str],
    nodes: NDArray[np.float64],
    size: float,
    *,
    room: tuple[float, float, float, float],
) -> tuple[tuple[PlacedText, ...], tuple[NDArray[np.float64], ...]]:
    """Write ringed numbers at nodes, or at the nearest free place, with a leader to the node.

    Parameters
    ----------
    nodes : ndarray of float, shape (n_numbers, 2)
        Where the nodes stand, as (x, y) in points; earlier ones choose first.
    room : (float, float, float, float)
        Left, top, right and bottom of where rings may stand. A number without a free place
        near its node is left out.

    Returns
    -------
    texts : tuple of PlacedText
    leaders : tuple of ndarray, each of shape (2, 2)
        Only for numbers that moved.
    """
    side = CODE_EMS * size
    steps = np.arange(-_REACH, _REACH + 1) * side / 2.0
    moves = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)  # (n_places, 2)
    moves = moves[np.argsort(np.hypot(*moves.T), kind="stable")]
    low = np.array(room[:2]) + side / 2.0 - 1e-9
    high = np.array(room[2:]) - side / 2.0 + 1e-9
    taken = np.empty((0, 2))
    texts, leaders = [], []
    for number, node in zip(numbers, nodes, strict=True):
        start = np.clip(node, low, np.maximum(low, high))
        places = start + moves
        gaps = np.abs(places[:, None, :] - taken[None, :, :]).max(axis=2)  # (n_places, n_taken)
        is_free = ((places >= low) & (places <= high)).all(axis=1)
        is_free &= (gaps >= side).all(axis=1)
        if not is_free.any():
            continue
        place = places[int(np.argmax(is_free))]
        taken = np.vstack([taken, place])
        x, y = place.tolist()
        texts.append(
            PlacedText(lines=(number,), x=x, y=y, size=size, align="center", is_ringed=True)
        )
        if not np.allclose(place, node):
            leaders.append(np.array([node, place]))
    return tuple(texts), tuple(leaders)
