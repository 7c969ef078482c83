"""Bars of scores with intervals, in blocks: encoders by probe, or detectors by signature."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from survey_tools.errors import ParameterError
from survey_tools.figures.marks import (
    Marks,
    Patch,
    Stroke,
    box,
    draw_marks,
    join_marks,
    write_block,
)
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.scales import Scale, build_scale, mark_across, room_across
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import PALETTE, shorten, text_width, wrap
from survey_tools.settings import FigureSettings

__all__ = ["Bar", "BarBlock", "draw_bars", "layout_bars"]

_ROW_EMS = 1.5
_BAR_EMS = 0.8
_NAME_SHARE = 0.35  # of the width, for names
_RIM_PT = 0.4
_BAR = Swatch(face=PALETTE[5])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A value with its interval; ``low`` and ``high`` are None where there is none."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarBlock:
    """Bars under one heading."""

    title: str
    bars: tuple[Bar, ...]


def draw_bars(
    blocks: Sequence[BarBlock], settings: FigureSettings, *, title: str, unit: str
) -> Figure:
    """Draw blocks of bars; see `layout_bars`."""
    width, height, marks = layout_bars(blocks, settings, title=title, unit=unit)
    return draw_marks(width, height, marks)[0]


def layout_bars(
    blocks: Sequence[BarBlock], settings: FigureSettings, *, title: str, unit: str
) -> tuple[float, float, Marks]:
    """Compute where everything stands: a row a bar, all on one scale from 0.

    Parameters
    ----------
    unit : str
        What the axis shows, with its unit.

    Returns
    -------
    width, height : float
        In points.
    marks : Marks

    Raises
    ------
    ParameterError
        If there is no bar.
    """
    bars = [bar for block in blocks for bar in block.bars]
    if not bars:
        raise ParameterError("there are no bars to draw")
    size, width = settings.font_size_pt, page_size(settings)[0]
    right = width - MARGIN_PT
    names = min(
        1.0 + max(text_width(bar.name, size) for bar in bars), _NAME_SHARE * (right - MARGIN_PT)
    )
    numbers = text_width("0.000", size)
    ends = [v for bar in bars for v in (bar.value, bar.low, bar.high) if v is not None]
    scale = build_scale(
        min(0.0, *ends), max(ends), MARGIN_PT + names + PAD_PT, right - numbers - PAD_PT, size
    )
    texts, y = write_block(wrap(title, right - MARGIN_PT, size), MARGIN_PT, MARGIN_PT, size)
    parts = [Marks(texts=texts)]
    y += PAD_PT
    top, row = y, _ROW_EMS * size
    for block in blocks:
        heading, y = write_block(
            (shorten(block.title, right - MARGIN_PT, size),), MARGIN_PT, y, size
        )
        parts.append(Marks(texts=heading))
        for bar in block.bars:
            parts.append(_mark_bar(bar, scale, y + row / 2.0, size, names=names, right=right))
            y += row
        y += PAD_PT
    words = wrap(unit, right - scale.start, size)
    parts.append(mark_across(scale, y, size, words, grid_top=top))
    return width, y + room_across(words, size) + MARGIN_PT, join_marks(parts)


def _mark_bar(
    bar: Bar, scale: Scale, y: float, size: float, *, names: float, right: float
) -> Marks:
    half = _BAR_EMS * size / 2.0
    start, end = sorted((scale.place(0.0), scale.place(bar.value)))
    patch: Patch = box(start, y - half, max(end, start + _RIM_PT), y + half, _BAR, rim=_RIM_PT)
    texts = (
        PlacedText(lines=(shorten(bar.name, names, size),), x=MARGIN_PT, y=y, size=size),
        PlacedText(lines=(f"{bar.value:.3f}",), x=right, y=y, size=size, align="right"),
    )
    strokes: tuple[Stroke, ...] = ()
    if bar.low is not None and bar.high is not None and bar.low < bar.high:
        low, high, tip = scale.place(bar.low), scale.place(bar.high), 0.2 * size
        strokes = (
            Stroke(points=((low, y), (high, y))),
            *(Stroke(points=((x, y - tip), (x, y + tip))) for x in (low, high)),
        )
    return Marks(patches=(patch,), strokes=strokes, texts=texts)
