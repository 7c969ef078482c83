"""A pen that draws across and along the rows of a tree, whichever way the tree grows.

Geometry is given as (across, along): from the root to the labels, and from the first row
to the last. Left to right these are x and y; of a tree from top down they are exchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import ArrayLike, NDArray

from survey_tools.figures.style import LINE_SPACING

__all__ = ["Pen", "Points"]

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Draws on axes in (across, along); ``is_top_down`` exchanges the two."""

    ax: Axes
    is_top_down: bool

    def limit(self, across: tuple[float, float], along: tuple[float, float]) -> None:
        """Set what the axes show: from the root's side to the labels', first row to last."""
        if self.is_top_down:
            self.ax.set_xlim(along)
            self.ax.set_ylim(across[1], across[0])
        else:
            self.ax.set_xlim(across)
            self.ax.set_ylim(along[1], along[0])

    def turn(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return (across, along) as (x, y); shape (..., 2)."""
        turned = np.asarray(points, dtype=np.float64)
        return turned[..., ::-1] if self.is_top_down else turned

    def draw_lines(self, lines: Sequence[Points] | NDArray[np.float64], **style: Any) -> None:
        """Draw polylines as one collection."""
        turned = [self.turn(line) for line in lines]
        self.ax.add_collection(LineCollection(turned, **style), autolim=False)

    def fill_boxes(self, boxes: Sequence[Points], **style: Any) -> None:
        """Fill polygons as one collection."""
        turned = [self.turn(box) for box in boxes]
        self.ax.add_collection(PolyCollection(turned, **style), autolim=False)

    def draw_level(self, across: float, **style: Any) -> None:
        """Draw a straight line along all rows."""
        draw = self.ax.axhline if self.is_top_down else self.ax.axvline
        draw(across, **style)

    def write_beside(
        self, across: float, along: float, lines: Sequence[str], size: float, **style: Any
    ) -> None:
        """Write a row's text away from the tree; top down it is rotated and ends there."""
        x, y = self.turn((across, along))
        style |= {
            "fontsize": size,
            "va": "center_baseline" if len(lines) == 1 else "center",
            "linespacing": LINE_SPACING,
            "parse_math": False,
        }
        if self.is_top_down:
            style |= {"rotation": 90, "rotation_mode": "anchor", "ha": "right"}
        self.ax.text(x, y, "\n".join(lines), **style)

    def write_before(self, across: float, along: float, text: str, size: float) -> None:
        """Write a title before the first row; from left to right it is rotated."""
        x, y = self.turn((across, along))
        ha: Literal["right", "center"] = "right" if self.is_top_down else "center"
        va: Literal["center", "bottom"] = "center" if self.is_top_down else "bottom"
        rotation = 0 if self.is_top_down else 90
        self.ax.text(x, y, text, fontsize=size, rotation=rotation, ha=ha, va=va, parse_math=False)

    def write_upright(self, across: float, along: float, lines: Sequence[str], size: float) -> None:
        """Write a text that stays upright: right of its place, or below it top down."""
        x, y = self.turn((across, along))
        ha: Literal["left", "center"] = "center" if self.is_top_down else "left"
        va: Literal["top", "center"] = "top" if self.is_top_down else "center"
        self.ax.text(
            x,
            y,
            "\n".join(lines),
            fontsize=size,
            ha=ha,
            va=va,
            linespacing=LINE_SPACING,
            parse_math=False,
        )
