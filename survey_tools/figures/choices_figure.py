"""Which choice matters: shares of the variance beside the mean agreement at every level."""

import math
from dataclasses import dataclass

from matplotlib.figure import Figure

from survey_tools.figures.choice_bars import (
    build_share_scale,
    explain_bars,
    mark_factor,
    mark_interval,
    write_share,
)
from survey_tools.figures.marks import Dot, Marks, Stroke, draw_marks, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.scales import Scale, build_scale, mark_across, room_across
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import (
    MUTED,
    PALETTE,
    clean,
    shorten,
    text_width,
    wrap,
)
from survey_tools.robustness.choices import InfluenceOfDesign
from survey_tools.robustness.influence_record import FactorInfluence, Influence, LevelMean
from survey_tools.settings import FigureSettings

__all__ = ["draw_choices", "layout_choices"]

_ROW_EMS = 1.5
_TEXT_SHARE, _LEAST_TEXT_EMS = 0.2, 8.0  # of the width, for names of factors and of levels
_LEAST_TRACK_EMS = 8.0
_BEYOND = 0.03  # of the span of the means, left white at the upper end
_RESPONSES = {
    "ARI": "adjusted Rand index with the survey's clusters (no unit)",
    "element-centric": "element-centric similarity to the survey's clusters (no unit)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Places from left to right, in points."""

    factor_width: float
    share_right: float
    shares: Scale
    level_x: float
    level_width: float
    runs_right: float
    means: Scale
    mean_right: float


def draw_choices(found: InfluenceOfDesign, settings: FigureSettings) -> Figure:
    """Draw which choices matter; see `layout_choices`."""
    width, height, marks = layout_choices(found, settings)
    return draw_marks(width, height, marks)[0]


def layout_choices(
    found: InfluenceOfDesign, settings: FigureSettings
) -> tuple[float, float, Marks]:
    """Compute where everything stands: a block a factor, in it a row a level.

    Factors follow one another by falling share, levels by falling mean. The page is as tall as
    its rows need, and wider than the settings say where these leave no room.

    Returns
    -------
    width, height : float
        In points.
    marks : Marks
    """
    size, influence = settings.font_size_pt, found.influence
    columns = _divide(influence, page_size(settings)[0], size)
    width = columns.mean_right + MARGIN_PT
    title = (
        f"Choices behind {influence.response}: {found.design.replace('-', ' ')} design, "
        f"{influence.n_runs:,} runs"
    )
    head, y = write_block(wrap(title, width - 2 * MARGIN_PT, size), MARGIN_PT, MARGIN_PT, size)
    row = _ROW_EMS * size
    top = y + PAD_PT + row
    parts = [Marks(texts=(*head, *_write_heads(columns, top - row / 2.0, size)))]
    y = top
    for factor in influence.factors:
        parts.append(_mark_block(factor, columns, y, size))
        y += row * len(factor.levels)
    axes = [
        (columns.shares, columns.share_right, "share of the variance (%)"),
        (columns.means, columns.mean_right, f"mean {_RESPONSES[found.response]}"),
    ]
    ends = []
    for scale, right, words in axes:
        title_lines = wrap(words, right - scale.start, size)
        parts.append(mark_across(scale, y, size, title_lines, grid_top=top))
        ends.append(y + room_across(title_lines, size))
    sentences = [influence.sentence, explain_bars(influence), _explain_levels(influence)]
    sentences.append(f"Method: {influence.note}.")
    lines = [line for text in sentences for line in wrap(text, width - 2 * MARGIN_PT, size)]
    note, bottom = write_block(lines, MARGIN_PT, max(ends) + PAD_PT, size)
    parts.append(Marks(texts=note))
    return width, bottom + MARGIN_PT, join_marks(parts)


def _divide(influence: Influence, width: float, size: float) -> _Columns:
    levels = [level for factor in influence.factors for level in factor.levels]
    factor_names = [clean(factor.factor) for factor in influence.factors]
    level_names = [clean(level.level) for level in levels]
    number = text_width("100 %", size)
    runs = max(text_width(text, size) for text in ("runs", *(f"{x.n_runs:,}" for x in levels)))
    least = _LEAST_TRACK_EMS * size
    inner = width - 2 * MARGIN_PT
    most = max(_TEXT_SHARE * inner, _LEAST_TEXT_EMS * size)
    texts = [
        min(most, 1.0 + max(text_width(name, size) for name in [*names, "choice"]))
        for names in (factor_names, level_names)
    ]
    fixed = sum(texts) + 2.0 * number + runs + 9 * PAD_PT
    track = max(least, (inner - fixed) / 2.0)
    shares_x = MARGIN_PT + texts[0] + PAD_PT
    share_right = shares_x + track + PAD_PT + number
    level_x = share_right + 3 * PAD_PT
    runs_right = level_x + texts[1] + PAD_PT + runs
    means_x = runs_right + 2 * PAD_PT
    values = [
        value
        for level in levels
        for value in (level.mean.value, level.mean.low, level.mean.high)
        if math.isfinite(value)
    ]
    low, high = min([0.0, *values]), max(values, default=1.0)
    return _Columns(
        factor_width=texts[0],
        share_right=share_right,
        shares=build_share_scale(influence, shares_x, shares_x + track, size),
        level_x=level_x,
        level_width=texts[1],
        runs_right=runs_right,
        means=build_scale(low, high + _BEYOND * (high - low), means_x, means_x + track, size),
        mean_right=means_x + track + PAD_PT + number,
    )


def _write_heads(columns: _Columns, y: float, size: float) -> list[PlacedText]:
    rights = ((columns.share_right, "alone"), (columns.runs_right, "runs"))
    heads = [
        PlacedText(lines=("choice",), x=MARGIN_PT, y=y, size=size),
        PlacedText(lines=("level",), x=columns.level_x, y=y, size=size),
        PlacedText(lines=("mean",), x=columns.mean_right, y=y, size=size, align="right"),
    ]
    return heads + [
        PlacedText(lines=(word,), x=x, y=y, size=size, align="right") for x, word in rights
    ]


def _mark_block(factor: FactorInfluence, columns: _Columns, top: float, size: float) -> Marks:
    row = _ROW_EMS * size
    y = top + row / 2.0
    rule = Stroke(points=((MARGIN_PT, top), (columns.mean_right, top)), colour=MUTED, width=0.4)
    name = shorten(factor.factor, columns.factor_width, size)
    share = write_share(factor.first)
    texts = (
        PlacedText(lines=(name,), x=MARGIN_PT, y=y, size=size),
        PlacedText(lines=(share,), x=columns.share_right, y=y, size=size, align="right"),
    )
    parts = [Marks(strokes=(rule,), texts=texts), mark_factor(factor, columns.shares, y, size)]
    for i, level in enumerate(factor.levels):
        parts.append(_mark_level(level, columns, y + i * row, size))
    return join_marks(parts)


def _mark_level(level: LevelMean, columns: _Columns, y: float, size: float) -> Marks:
    name = shorten(level.level, columns.level_width, size)
    mean = level.mean.value
    numbers = (
        (columns.runs_right, f"{level.n_runs:,}"),
        (columns.mean_right, f"{mean:.2f}" if math.isfinite(mean) else "–"),
    )
    texts = (
        PlacedText(lines=(name,), x=columns.level_x, y=y, size=size),
        *(PlacedText(lines=(n,), x=x, y=y, size=size, align="right") for x, n in numbers),
    )
    if not math.isfinite(mean):
        return Marks(texts=texts)
    dot = Dot(x=columns.means.place(mean), y=y, colour=PALETTE[0], size=0.55 * size)
    strokes = mark_interval(level.mean, columns.means, y, size)
    return Marks(strokes=strokes, dots=(dot,), texts=texts)


def _explain_levels(influence: Influence) -> str:
    if influence.method == "one at a time":
        return "Dots: agreement of the run with this level, all other choices as in the survey."
    has_intervals = any(
        level.mean.low < level.mean.high for factor in influence.factors for level in factor.levels
    )
    lines = f"; lines: {influence.confidence:.0%} intervals" if has_intervals else ""
    return f"Dots: mean agreement of the runs with this level{lines}."
