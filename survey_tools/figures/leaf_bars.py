"""What stands along evenly spaced leaves: bars of clusters, and labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.spans import ClusterSpan
from survey_tools.figures.style import PALETTE
from survey_tools.settings import FigureSettings

__all__ = ["BAR_PT", "draw_bars", "fill_boxes", "label_leaves", "label_sizes", "place_bars"]

BAR_PT = 4.0  # thickness of a cluster bar
_SIZE_STEP_PT = 0.25


def place_bars(
    clusters: Sequence[ClusterSpan], edges: NDArray[np.float64], x: float
) -> NDArray[np.float64]:
    """Place a bar beside the leaves of every cluster.

    Neighbours stand in two lanes by turns, which tells them apart in grey too.

    Parameters
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last.
    x : float
        Left edge of the first lane.

    Returns
    -------
    ndarray of float, shape (n_clusters, 4)
        Left, top, right, bottom.
    """
    bars = np.empty((len(clusters), 4))
    bars[:, 0] = x + BAR_PT * (np.arange(len(clusters)) % 2)
    bars[:, 1] = edges[[span.first_leaf for span in clusters]]
    bars[:, 2] = bars[:, 0] + BAR_PT
    bars[:, 3] = edges[[span.last_leaf + 1 for span in clusters]]
    return bars


def label_leaves(
    labels: Mapping[str, str], edges: NDArray[np.float64], x: float, size: float
) -> tuple[PlacedText, ...]:
    """Write the labels of the leaves, by key in leaf order, from ``x`` rightwards."""
    middles = (edges[1:] + edges[:-1]) / 2.0
    return tuple(
        PlacedText(lines=(text,), x=x, y=float(y), size=size, gid=f"leaf-{key}")
        for (key, text), y in zip(labels.items(), middles, strict=False)
    )


def label_sizes(settings: FigureSettings) -> list[float]:
    """Text sizes to try for labels that must fit a given room, largest first."""
    largest, smallest = settings.font_size_pt, min(settings.font_size_pt, settings.min_font_size_pt)
    n_steps = int((largest - smallest) / _SIZE_STEP_PT)
    return [*(largest - i * _SIZE_STEP_PT for i in range(n_steps)), smallest]


def draw_bars(ax: Axes, bars: NDArray[np.float64], colour_indices: Sequence[int]) -> None:
    """Fill bars with the colours of their clusters."""
    fill_boxes(ax, bars, [PALETTE[i % len(PALETTE)] for i in colour_indices])


def fill_boxes(
    ax: Axes, boxes: NDArray[np.float64], faces: Sequence[str], *, rim: str = "none"
) -> None:
    """Fill boxes given as (left, top, right, bottom), as one collection."""
    corners = [boxes[:, [0, 1]], boxes[:, [2, 1]], boxes[:, [2, 3]], boxes[:, [0, 3]]]
    collection = PolyCollection(
        list(np.stack(corners, axis=1)), facecolors=faces, edgecolors=rim, linewidths=0.3
    )
    ax.add_collection(collection, autolim=False)
