"""The axis of merge heights: its ticks, its title, and where a height stands on it."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from survey_tools.figures.style import text_width
from survey_tools.settings import printed_name
from survey_tools.tree import Tree

__all__ = ["HeightAxis", "build_height_axis", "choose_ticks", "name_height_axis", "node_heights"]

_MOST_TICKS = 8
_TICK_ROOM = 2.0  # distance of two ticks over the width of the widest tick label


@dataclass(frozen=True, slots=True, kw_only=True)
class HeightAxis:
    """The axis of merge heights, from 0 at the leaves to the highest merge.

    Attributes
    ----------
    highest : float
        Greatest merge height; 1 where all merges are at 0.
    ticks : tuple of float
        Round heights from 0 to ``highest``.
    """

    highest: float
    ticks: tuple[float, ...]

    def place(
        self, heights: NDArray[np.float64] | float, at_zero: float, at_highest: float
    ) -> NDArray[np.float64]:
        """Turn heights into points between the places of height 0 and of the highest merge."""
        shares = np.asarray(heights, dtype=np.float64) / self.highest
        return at_zero + shares * (at_highest - at_zero)


def build_height_axis(tree: Tree, length: float, size: float) -> HeightAxis:
    """Choose the ticks of an axis of ``length`` points with text of ``size`` points."""
    highest = float(tree.heights.max()) or 1.0
    ticks = choose_ticks(0.0, highest, length, size)
    return HeightAxis(highest=highest, ticks=ticks)


def choose_ticks(low: float, high: float, length: float, size: float) -> tuple[float, ...]:
    """Choose round values whose labels, in text of ``size`` points, keep apart on ``length``."""
    for n_most in range(_MOST_TICKS, 0, -1):
        values = MaxNLocator(n_most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = tuple(float(value) for value in values if low <= value <= high)
        widest = max((text_width(f"{tick:g}", size) for tick in ticks), default=0.0)
        if len(ticks) * widest * _TICK_ROOM <= length:
            break
    return ticks


def name_height_axis(tree: Tree) -> str:
    """Write the title of the axis: quantity, linkage, metric and unit."""
    return (
        f"merge height: {printed_name(tree.linkage)} linkage, "
        f"{printed_name(tree.metric)} distance (no unit)"
    )


def node_heights(tree: Tree) -> NDArray[np.float64]:
    """Heights of all nodes, leaves at 0, shape (2 n_papers - 1,)."""
    return np.concatenate([np.zeros(tree.n_papers), tree.heights])
