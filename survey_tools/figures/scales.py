"""Scales: values to points along one direction, their ticks, and the axes that show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from survey_tools.figures.height_axis import choose_ticks
from survey_tools.figures.marks import Marks, Stroke, write_block
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import LINE_SPACING, text_width

__all__ = ["Scale", "build_scale", "mark_across", "mark_upright", "room_across", "room_upright"]

_TICK_PT = 2.5
_GAP_PT = 1.5  # between a tick and its label
_TITLE_GAP_EMS = 0.3
_GRID = "#dddddd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Values from ``low`` to ``high`` between the points ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return the point of a value; what lies beyond the scale stands at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def build_scale(
    low: float,
    high: float,
    start: float,
    end: float,
    size: float,
    *,
    ticks: Sequence[float] = (),
    is_upright: bool = False,
) -> Scale:
    """Build a scale with round ticks whose labels, in text of ``size`` points, keep apart.

    Where all values are one, the scale reaches a little to both sides.

    Parameters
    ----------
    ticks : sequence of float, optional
        Ticks to take instead.
    is_upright : bool
        Whether labels stand above one another, where they need less room.
    """
    if high <= low:
        spread = abs(low) / 10.0 or 1.0
        low, high = low - spread, high + spread
    length = abs(end - start) * (2.0 if is_upright else 1.0)
    chosen = tuple(ticks) or choose_ticks(low, high, length, size)
    return Scale(low=low, high=high, start=start, end=end, ticks=chosen)


def room_across(title_lines: Sequence[str], size: float) -> float:
    """Height of an axis below a plot, with tick labels and title, in points."""
    gap = _TITLE_GAP_EMS * size if title_lines else 0.0
    return _TICK_PT + LINE_SPACING * size * (1 + len(title_lines)) + gap


def mark_across(
    scale: Scale,
    y: float,
    size: float,
    title_lines: Sequence[str],
    *,
    grid_top: float | None = None,
) -> Marks:
    """Draw an axis from left to right at ``y``, its title below from the left end on.

    Parameters
    ----------
    grid_top : float, optional
        Upper end of pale lines at the ticks.
    """
    places = [scale.place(tick) for tick in scale.ticks]
    strokes = [Stroke(points=((scale.start, y), (scale.end, y)))]
    strokes += [Stroke(points=((x, y), (x, y + _TICK_PT))) for x in places]
    if grid_top is not None:
        strokes += [_draw_grid((x, grid_top), (x, y)) for x in places]
    texts = [
        text
        for tick, x in zip(scale.ticks, places, strict=True)
        for text in write_block((f"{tick:g}",), x, y + _TICK_PT, size, align="center")[0]
    ]
    if title_lines:
        top = y + _TICK_PT + (LINE_SPACING + _TITLE_GAP_EMS) * size
        texts += write_block(title_lines, scale.start, top, size)[0]
    return Marks(strokes=tuple(strokes), texts=tuple(texts))


def room_upright(scale: Scale, size: float) -> float:
    """Width of an axis left of a plot with its tick labels, in points."""
    widest = max((text_width(f"{tick:g}", size) for tick in scale.ticks), default=0.0)
    return _TICK_PT + _GAP_PT + widest


def mark_upright(scale: Scale, x: float, size: float, *, grid_right: float) -> Marks:
    """Draw an axis from ``scale.start`` up to ``scale.end`` at ``x``, and pale lines at its ticks.

    Its title stands above the plot, where it can be read without turning the page.
    """
    places = [scale.place(tick) for tick in scale.ticks]
    strokes = [
        *(_draw_grid((x, y), (grid_right, y)) for y in places),
        Stroke(points=((x, scale.end), (x, scale.start))),
        *(Stroke(points=((x - _TICK_PT, y), (x, y))) for y in places),
    ]
    texts = tuple(
        PlacedText(lines=(f"{tick:g}",), x=x - _TICK_PT - _GAP_PT, y=y, size=size, align="right")
        for tick, y in zip(scale.ticks, places, strict=True)
    )
    return Marks(strokes=tuple(strokes), texts=texts)


def _draw_grid(start: tuple[float, float], end: tuple[float, float]) -> Stroke:
    return Stroke(points=(start, end), colour=_GRID, width=0.4, is_behind=True)
