"""A sheet: one page whose coordinates are points from its top left corner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.figures.height_axis import HeightAxis
from survey_tools.figures.strips import LEGEND_EMS, LegendEntry, Swatch
from survey_tools.figures.style import (
    INK,
    LINE_SPACING,
    MUTED,
    PALETTE,
    POINTS_PER_INCH,
    text_width,
    wrap,
)

__all__ = [
    "PlacedText",
    "axis_room",
    "draw_branches",
    "draw_height_axis",
    "draw_legend",
    "draw_lines",
    "fill_shapes",
    "flow_entries",
    "open_sheet",
    "write_texts",
]

_SWATCH_GAP_PT = 2.5
_ENTRY_GAP_PT = 12.0
_TICK_PT = 2.5

Points = Sequence[tuple[float, float]] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedText:
    """A text with its place.

    Attributes
    ----------
    x, y : float
        Middle of the left or right edge, or of the text, as ``align`` says; in points.
    rotation : float
        Degrees, counter-clockwise about that place.
    gid : str
        What it stands for, for example ``leaf-`` and a paper key; may be empty.
    is_ringed : bool
        Whether a white disc with a rim lies behind it.
    """

    lines: tuple[str, ...]
    x: float
    y: float
    size: float
    align: Literal["left", "center", "right"] = "left"
    rotation: float = 0.0
    gid: str = ""
    is_ringed: bool = False

    @property
    def corners(self) -> NDArray[np.float64]:
        """Corners of the text's box, shape (4, 2)."""
        width = max(text_width(line, self.size) for line in self.lines)
        height = self.size * (1.0 + LINE_SPACING * (len(self.lines) - 1))
        left = {"left": 0.0, "center": -width / 2.0, "right": -width}[self.align]
        across = np.array([left, left + width, left + width, left])
        down = np.array([-height, -height, height, height]) / 2.0
        angle = np.radians(self.rotation)
        x = self.x + across * np.cos(angle) + down * np.sin(angle)
        y = self.y - across * np.sin(angle) + down * np.cos(angle)
        return np.column_stack([x, y])


def open_sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a page of ``width`` x ``height`` points with one frameless plot over all of it."""
    page = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH)
    ax = page.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0.0, width)
    ax.set_ylim(height, 0.0)
    ax.axis("off")
    return page, ax


def write_texts(ax: Axes, texts: Sequence[PlacedText]) -> None:
    """Write texts where they are placed."""
    ring = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6}
    for text in texts:
        ax.text(
            text.x,
            text.y,
            "\n".join(text.lines),
            fontsize=text.size,
            ha=text.align,
            va="center_baseline" if len(text.lines) == 1 else "center",
            rotation=text.rotation,
            rotation_mode="anchor",
            linespacing=LINE_SPACING,
            parse_math=False,
            gid=text.gid or None,
            bbox=ring if text.is_ringed else None,
            zorder=5,
        )


def draw_lines(
    ax: Axes, lines: Sequence[Points], *, colour: str = INK, width: float = 0.7, zorder: float = 2.0
) -> None:
    """Draw polylines of one colour as one collection."""
    collection = LineCollection(list(lines), colors=colour, linewidths=width, zorder=zorder)
    ax.add_collection(collection, autolim=False)


def draw_branches(
    ax: Axes, segments: NDArray[np.float64], colour_indices: NDArray[np.intp], *, width: float
) -> None:
    """Draw the branches of a whole tree as one collection.

    Parameters
    ----------
    segments : ndarray of float, shape (n_segments, n_points, 2)
    colour_indices : ndarray of int, shape (n_segments,)
        Of clusters, or -1 for ink.
    """
    colours = [PALETTE[i % len(PALETTE)] if i >= 0 else INK for i in colour_indices.tolist()]
    branches = LineCollection(
        list(segments), colors=colours, linewidths=width, capstyle="projecting"
    )
    ax.add_collection(branches, autolim=False)


def axis_room(title_lines: Sequence[str], size: float) -> float:
    """Height of a height axis below a tree, with tick labels and title, in points."""
    return _TICK_PT + (2.4 + LINE_SPACING * len(title_lines)) * size


def draw_height_axis(
    ax: Axes,
    axis: HeightAxis,
    *,
    at_zero: float,
    at_highest: float,
    y: float,
    size: float,
    title_lines: tuple[str, ...],
) -> None:
    """Draw the axis of merge heights below a tree whose root is on the left."""
    places = axis.place(np.array(axis.ticks), at_zero, at_highest)
    lines = [[(at_highest, y), (at_zero, y)]]
    lines += [[(x, y), (x, y + _TICK_PT)] for x in places]
    draw_lines(ax, lines, width=0.6)
    below = y + _TICK_PT + 0.8 * size
    ticks = [
        PlacedText(lines=(f"{tick:g}",), x=float(x), y=below, size=size, align="center")
        for tick, x in zip(axis.ticks, places, strict=True)
    ]
    middle = below + (1.0 + LINE_SPACING / 2.0 * len(title_lines)) * size
    write_texts(ax, [*ticks, PlacedText(lines=title_lines, x=at_highest, y=middle, size=size)])


def flow_entries(
    texts: Sequence[str], width: float, size: float
) -> tuple[tuple[LegendEntry, ...], ...]:
    """Set texts one after the other into legend lines no wider than ``width`` points."""
    lines: list[list[LegendEntry]] = []
    x = 0.0
    for text in texts:
        for piece in wrap(text, width, size):
            needed = text_width(piece, size)
            if not lines or x + needed > width:
                lines.append([])
                x = 0.0
            lines[-1].append(LegendEntry(text=piece, swatch=None, x=x))
            x += needed + _ENTRY_GAP_PT
    return tuple(tuple(line) for line in lines)


def draw_legend(
    ax: Axes,
    legend: Sequence[Sequence[LegendEntry]],
    *,
    left: float,
    top: float,
    size: float,
    cell_width: float,
) -> None:
    """Draw legend lines below one another."""
    for i, line in enumerate(legend):
        middle = top + (i + 0.5) * LEGEND_EMS * size
        for entry in line:
            x = left + entry.x
            if entry.swatch is not None:
                upper, lower = middle - 0.5 * size + 0.5, middle + 0.5 * size - 0.5
                right = x + cell_width
                box = [(x, upper), (right, upper), (right, lower), (x, lower)]
                fill_shapes(ax, [box], entry.swatch)
                x += cell_width + _SWATCH_GAP_PT
            write_texts(ax, [PlacedText(lines=(entry.text,), x=x, y=middle, size=size)])


def fill_shapes(
    ax: Axes, shapes: Sequence[Points], swatch: Swatch, *, hatch_ink: str = INK, rim: float = 0.35
) -> None:
    """Fill polygons as a swatch says; a struck one gets a stroke from its first corner.

    Parameters
    ----------
    hatch_ink : str
        Colour of the hatch; white is quieter on large shapes.
    rim : float
        Width of the outline in points.
    """
    if swatch.hatch and hatch_ink != INK:
        ground = PolyCollection(
            list(shapes), facecolors=swatch.face, edgecolors=hatch_ink, linewidths=0
        )
        ground.set_hatch(swatch.hatch)
        ax.add_collection(ground, autolim=False)
        outline = PolyCollection(list(shapes), facecolors="none", edgecolors=INK, linewidths=rim)
        ax.add_collection(outline, autolim=False)
    else:
        filled = PolyCollection(
            list(shapes), facecolors=swatch.face, edgecolors=INK, linewidths=rim
        )
        if swatch.hatch:
            filled.set_hatch(swatch.hatch)
        ax.add_collection(filled, autolim=False)
    if swatch.is_struck:
        strokes = [[tuple(shape[0]), tuple(shape[len(shape) // 2])] for shape in shapes]
        draw_lines(ax, strokes, colour=MUTED, width=0.5)
