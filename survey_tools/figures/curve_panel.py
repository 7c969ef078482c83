"""A panel of curves: title and legend above, lines at chosen places, two axes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from survey_tools.figures.marks import Dot, Marks, Patch, Stroke, join_marks, write_block
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.placement import spread
from survey_tools.figures.scales import (
    build_scale,
    mark_across,
    mark_upright,
    room_across,
    room_upright,
)
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import LINE_SPACING, PALETTE, shorten, text_width, wrap

__all__ = ["Band", "Curve", "CurvePanel", "LineAt", "mark_panel"]

_PLOT_EMS = 17.0  # height of the plot
_SAMPLE_PT = 14.0  # length of a line in the legend
_ENTRY_GAP_PT = 9.0
_MOST_DOTTED = 60  # points up to which each of a dotted curve has a dot
_LEAST_BAND_PT = 2.0  # width of a band over a single place
_LEADER_EMS = 0.8  # height in which leaders go from lines to their texts
_BAND = Swatch(face="#e0e0e0")
_CHOSEN = PALETTE[1]

Placer = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line through points; it is broken where y is NaN.

    Attributes
    ----------
    dash : tuple of float
        Lengths of ink and gap in line widths, which tells curves apart beside their colours.
    errors : tuple of float
        Half lengths of error bars; may be empty.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: str
    dash: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    is_dotted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A grey area between two curves, named in the legend."""

    name: str
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAt:
    """An upright line with its text above the plot; the survey's own is full."""

    x: float
    text: str
    is_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePanel:
    """What a panel shows.

    Attributes
    ----------
    title, x_title : str
        Quantity, method and unit of y and of x.
    x_limits, y_limits : (float, float)
    has_whole_x : bool
        Whether x has whole numbers alone, and so its ticks.
    """

    title: str
    x_title: str
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    curves: tuple[Curve, ...]
    bands: tuple[Band, ...] = ()
    has_whole_x: bool = False
    lines: tuple[LineAt, ...] = ()


def mark_panel(
    panel: CurvePanel, size: float, *, left: float, right: float, top: float
) -> tuple[Marks, float]:
    """Draw a panel from ``top`` down; return where it ends."""
    height = _PLOT_EMS * size
    title, y = write_block(wrap(panel.title, right - left, size), left, top, size)
    legend, y = _write_legend(panel, left, right, y, size)
    plot_left = left + room_upright(
        build_scale(*panel.y_limits, height, 0.0, size, is_upright=True), size
    )
    plot_right = right - size  # the label of the last tick hangs over
    across = build_scale(*panel.x_limits, plot_left + PAD_PT, plot_right - PAD_PT, size)
    if panel.has_whole_x:
        across = replace(across, ticks=tuple(x for x in across.ticks if x == round(x)))
    labels, y = _label_lines(panel.lines, across.place, (plot_left, right), y, size)
    bottom = y + height
    upright = build_scale(*panel.y_limits, bottom, y, size, is_upright=True)
    words = wrap(panel.x_title, right - across.start, size)
    parts = [Marks(patches=tuple(_fill(b, across.place, upright.place) for b in panel.bands))]
    parts += [mark_upright(upright, plot_left, size, grid_right=plot_right)]
    parts += [mark_across(across, bottom, size, words)]
    parts += [Marks(strokes=(Stroke(points=((plot_left, bottom), (plot_right, bottom))),))]
    for line in panel.lines:
        x = across.place(line.x)
        parts.append(Marks(strokes=(_style_line(line, ((x, y), (x, bottom))),)))
    parts += [_mark_curve(curve, across.place, upright.place, size) for curve in panel.curves]
    return join_marks([*parts, Marks(texts=title), legend, labels]), bottom + room_across(
        words, size
    )


def _style_line(line: LineAt, points: tuple[tuple[float, float], ...]) -> Stroke:
    if line.is_own:
        return Stroke(points=points, width=0.8)
    return Stroke(points=points, width=0.8, colour=_CHOSEN, dash=(3.0, 2.0))


def _label_lines(
    lines: Sequence[LineAt], place: Placer, room: tuple[float, float], top: float, size: float
) -> tuple[Marks, float]:
    """Write the texts of lines side by side above the plot, as near to their lines as may be."""
    if not lines:
        return Marks(), top + PAD_PT
    shown = [shorten(line.text, room[1] - room[0] - size, size) for line in lines]
    widths = [text_width(text, size) + size for text in shown]
    rows: list[list[int]] = [[]]
    for i in sorted(range(len(lines)), key=lambda i: (lines[i].x, i)):
        if rows[-1] and sum(widths[j] for j in rows[-1]) + widths[i] > room[1] - room[0]:
            rows.append([])
        rows[-1].append(i)
    plot_top = top + (LINE_SPACING * len(rows) + _LEADER_EMS) * size
    parts = []
    for number, row in enumerate(rows):
        y = top + LINE_SPACING * (number + 0.5) * size
        wanted = [place(lines[i].x) for i in row]
        for i, x in zip(row, spread(wanted, [widths[j] for j in row], *room), strict=True):
            end = (float(x), y + 0.55 * size)
            leader = _style_line(lines[i], ((place(lines[i].x), plot_top), end))
            text = PlacedText(lines=(shown[i],), x=float(x), y=y, size=size, align="center")
            parts.append(Marks(strokes=(leader,), texts=(text,)))
    return join_marks(parts), plot_top


def _write_legend(
    panel: CurvePanel, left: float, right: float, top: float, size: float
) -> tuple[Marks, float]:
    """Set samples of curves and bands with their names one after the other, in lines."""
    row = LINE_SPACING * size
    x, y = left, top
    strokes, patches, texts = [], [], []
    entries: list[Curve | Band] = [*panel.curves, *panel.bands]
    for entry in entries:
        name = shorten(entry.name, right - left - _SAMPLE_PT - PAD_PT, size)
        needed = _SAMPLE_PT + PAD_PT / 2.0 + text_width(name, size)
        if x > left and x + needed > right:
            x, y = left, y + row
        middle = y + row / 2.0
        if isinstance(entry, Curve):
            sample = ((x, middle), (x + _SAMPLE_PT, middle))
            strokes.append(Stroke(points=sample, colour=entry.colour, width=1.1, dash=entry.dash))
        else:
            ends, half = (x, x + _SAMPLE_PT), 0.35 * size
            corners = [(ends[i], middle + half * j) for i, j in ((0, -1), (1, -1), (1, 1), (0, 1))]
            patches.append(Patch(points=tuple(corners), swatch=_BAND))
        texts.append(
            PlacedText(lines=(name,), x=x + _SAMPLE_PT + PAD_PT / 2.0, y=middle, size=size)
        )
        x += needed + _ENTRY_GAP_PT
    marks = Marks(patches=tuple(patches), strokes=tuple(strokes), texts=tuple(texts))
    return marks, y + row + PAD_PT / 2.0


def _mark_curve(curve: Curve, across: Placer, upright: Placer, size: float) -> Marks:
    pieces: list[list[tuple[float, float]]] = [[]]
    bars: list[Stroke] = []
    for i, (x, y) in enumerate(zip(curve.x, curve.y, strict=True)):
        if not math.isfinite(y):
            pieces.append([])
            continue
        pieces[-1].append((across(x), upright(y)))
        if curve.errors and math.isfinite(curve.errors[i]):
            ends = [(across(x), upright(y + sign * curve.errors[i])) for sign in (-1, 1)]
            bars.append(Stroke(points=tuple(ends), width=0.8))
    points = [point for piece in pieces for point in piece]
    lines = [
        Stroke(points=tuple(piece), colour=curve.colour, width=1.1, dash=curve.dash)
        for piece in pieces
        if len(piece) > 1
    ]
    is_dotted = (curve.is_dotted and len(points) <= _MOST_DOTTED) or len(points) == 1
    dots = [Dot(x=x, y=y, colour=curve.colour, size=0.35 * size) for x, y in points if is_dotted]
    return Marks(strokes=(*bars, *lines), dots=tuple(dots))


def _fill(band: Band, across: Placer, upright: Placer) -> Patch:
    x = [across(value) for value in band.x]
    low, high = [upright(value) for value in band.low], [upright(value) for value in band.high]
    if len(x) == 1:
        x = [x[0] - _LEAST_BAND_PT, x[0] + _LEAST_BAND_PT]
        low, high = low * 2, high * 2
    upper = zip(x, high, strict=True)
    lower = zip(reversed(x), reversed(low), strict=True)
    return Patch(points=(*upper, *lower), swatch=_BAND)
