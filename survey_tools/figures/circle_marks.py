"""What stands around a circular tree: cells, labels, cluster bars, and arcs of named sub-trees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.circle_geometry import GAP_RAD, to_points, trace_arc, trace_sector
from survey_tools.figures.circle_page import BAR_PT, CELL_PT, CircleGrid
from survey_tools.figures.pages import LANE_PT
from survey_tools.figures.placement import choose_largest, spread
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.side_column import CODE_EMS
from survey_tools.figures.spans import ClusterSpan, NameSpan
from survey_tools.figures.strips import StripColumn, Swatch
from survey_tools.figures.style import LINE_SPACING, shorten

__all__ = [
    "RingCells",
    "TextsAround",
    "number_rings",
    "place_arcs",
    "place_bars",
    "place_cells",
    "place_labels",
    "set_around",
]

_THIN_PT = 3.0  # cells narrower than this have no outline, which would hide them
_FILLED = 0.75  # share of the way around that names fill where not all fit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RingCells:
    """Cells of one ring that are filled alike: outlines, each of shape (n_points, 2)."""

    swatch: Swatch
    shapes: tuple[NDArray[np.float64], ...]
    has_outline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsAround:
    """Texts around the circle with their leaders."""

    texts: tuple[PlacedText, ...]
    leaders: tuple[NDArray[np.float64], ...]
    n_left_out: int


def _radial(
    text: str,
    centre: tuple[float, float],
    radius: float,
    angle: float,
    size: float,
    gid: str = "",
) -> PlacedText:
    """Place a text that runs outwards; on the left half it is turned so as to stand upright."""
    x, y = to_points(centre, radius, angle).tolist()
    is_right = angle <= np.pi
    degrees = float(np.degrees(angle))
    return PlacedText(
        lines=(text,),
        x=x,
        y=y,
        size=size,
        align="left" if is_right else "right",
        rotation=(90.0 if is_right else 270.0) - degrees,
        gid=gid,
    )


def set_around(
    wanted: Sequence[float],
    texts: Sequence[str],
    n_papers: Sequence[int],
    centre: tuple[float, float],
    radii: tuple[float, float],
    size: float,
) -> TextsAround:
    """Write texts outwards around the circle; where not all fit, those of the most papers.

    Parameters
    ----------
    wanted : sequence of float
        Angle at which each would stand.
    radii : (float, float)
        Where leaders begin and where the texts do.
    """
    chosen, angles = _angles_around(wanted, n_papers, LINE_SPACING * size / radii[1])
    return TextsAround(
        texts=tuple(
            _radial(texts[i], centre, radii[1], float(angle), size)
            for i, angle in zip(chosen, angles, strict=True)
        ),
        leaders=tuple(
            to_points(centre, (radii[0], radii[1] - 1.0), (wanted[i], angle))
            for i, angle in zip(chosen, angles, strict=True)
            if abs(angle - wanted[i]) * radii[1] > size / 2.0  # else the bar is at hand
        ),
        n_left_out=len(texts) - len(chosen),
    )


def _angles_around(
    wanted: Sequence[float], n_papers: Sequence[int], room: float
) -> tuple[list[int], NDArray[np.float64]]:
    """Choose what fits around the circle, each taking ``room`` radians, and spread it."""
    ends = (GAP_RAD / 2.0, 2.0 * np.pi - GAP_RAD / 2.0)
    rooms = [room] * len(wanted)
    length = ends[1] - ends[0]
    chosen = choose_largest(n_papers, rooms, length if sum(rooms) <= length else _FILLED * length)
    return chosen, spread([wanted[i] for i in chosen], rooms[: len(chosen)], *ends)


def place_arcs(
    spans: Sequence[NameSpan],
    angles: NDArray[np.float64],
    centre: tuple[float, float],
    grid: CircleGrid,
    size: float,
) -> tuple[tuple[NDArray[np.float64], ...], TextsAround]:
    """Trace the arcs of named sub-trees, and set their letters in a ring outside of all."""
    arcs, middles, ends = [], [], []
    for span in spans:
        start, end = angles[span.first_leaf], angles[span.last_leaf + 1]
        inset = (end - start) * min(0.1, 1.0 / (grid.lane * (end - start)))
        radius = grid.lane + span.lane * LANE_PT + LANE_PT / 2.0
        arc = trace_arc(centre, radius, start + inset, end - inset)
        serifs = to_points(centre, radius - LANE_PT / 2.0, (start + inset, end - inset))
        arcs.append(np.concatenate([serifs[:1], arc, serifs[1:]]))
        middles.append((start + end) / 2.0)
        ends.append(radius)
    room = CODE_EMS * size / max(grid.code, 1.0)
    chosen, moved = _angles_around(middles, [span.n_papers for span in spans], room)
    texts, leaders = [], []
    for i, angle in zip(chosen, moved.tolist(), strict=True):
        x, y = to_points(centre, grid.code, angle).tolist()
        texts.append(
            PlacedText(lines=(spans[i].code,), x=x, y=y, size=size, align="center", is_ringed=True)
        )
        stop = grid.code - CODE_EMS * size / 2.0
        leaders.append(to_points(centre, (ends[i], stop), (middles[i], angle)))
    around = TextsAround(
        texts=tuple(texts), leaders=tuple(leaders), n_left_out=len(spans) - len(chosen)
    )
    return tuple(arcs), around


def place_bars(
    clusters: Sequence[ClusterSpan],
    angles: NDArray[np.float64],
    centre: tuple[float, float],
    grid: CircleGrid,
) -> tuple[NDArray[np.float64], ...]:
    """Outline a bar for every cluster; neighbours stand in two lanes by turns."""
    bars = []
    for i, span in enumerate(clusters):
        inner = grid.bar + (i % 2) * BAR_PT
        start, end = float(angles[span.first_leaf]), float(angles[span.last_leaf + 1])
        bars.append(trace_sector(centre, inner, inner + BAR_PT, start, end))
    return tuple(bars)


def place_cells(
    strips: Sequence[StripColumn],
    angles: NDArray[np.float64],
    centre: tuple[float, float],
    grid: CircleGrid,
) -> tuple[RingCells, ...]:
    """Gather the cells of every ring by how they are filled; several labels share a cell."""
    cells = []
    has_outline = bool(grid.rings) and float(angles[1] - angles[0]) * grid.rings[0] >= _THIN_PT
    gap = 0.06 * float(angles[1] - angles[0]) if has_outline else 0.0
    for strip, inner in zip(strips, grid.rings, strict=True):
        shapes: dict[Swatch, list[NDArray[np.float64]]] = {}
        for i, labels in enumerate(strip.cells):
            start, end = float(angles[i]) + gap, float(angles[i + 1]) - gap
            swatches = [strip.swatches[label] for label in labels or ()]
            swatches = swatches or [Swatch(face="white", is_struck=labels is None)]
            share = CELL_PT / len(swatches)
            for k, swatch in enumerate(swatches):
                low = inner + k * share
                shape = trace_sector(centre, low, low + share, start, end)
                shapes.setdefault(swatch, []).append(shape)
        cells += [
            RingCells(swatch=swatch, shapes=tuple(same), has_outline=has_outline)
            for swatch, same in shapes.items()
        ]
    return tuple(cells)


def place_labels(
    labels: Mapping[str, str],
    angles: NDArray[np.float64],
    centre: tuple[float, float],
    grid: CircleGrid,
) -> tuple[PlacedText, ...]:
    """Write every label outwards from its leaf, on one line; none where there is no room."""
    if not grid.label_length:
        return ()
    middles = ((angles[1:] + angles[:-1]) / 2.0).tolist()
    return tuple(
        _radial(
            shorten(text, grid.label_length, grid.label_size),
            centre,
            grid.label,
            angle,
            grid.label_size,
            gid=f"leaf-{key}",
        )
        for (key, text), angle in zip(labels.items(), middles, strict=True)
    )


def number_rings(
    n_rings: int, centre: tuple[float, float], grid: CircleGrid
) -> tuple[PlacedText, ...]:
    """Write the numbers of the rings in the gap at the top."""
    return tuple(
        PlacedText(
            lines=(f"#{i + 1}",),
            x=centre[0],
            y=centre[1] - inner - CELL_PT / 2.0,
            size=CELL_PT - 0.5,
            align="center",
        )
        for i, inner in enumerate(grid.rings[:n_rings])
    )
