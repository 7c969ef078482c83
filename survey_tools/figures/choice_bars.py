"""Bars of choices: the share of the variance that each factor explains, alone and with others."""

import math

from survey_tools.figures.marks import Marks, Patch, Stroke, box, join_marks
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.scales import Scale, build_scale, mark_across, room_across
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import PALETTE, clean, shorten, text_width, wrap
from survey_tools.robustness.influence_record import Estimate, FactorInfluence, Influence

__all__ = [
    "FIRST",
    "TOTAL",
    "build_share_scale",
    "explain_bars",
    "has_totals",
    "mark_bars",
    "mark_factor",
    "mark_interval",
    "write_share",
]

FIRST = Swatch(face=PALETTE[0])
TOTAL = Swatch(face="white")
_ROW_EMS = 1.5
_BAR_EMS = 0.5  # thickness of a bar
_NAME_SHARE = 0.45
_RIM_PT = 0.4
_LEAST_SHARE = 10.0  # percent that the scale shows at least


def has_totals(influence: Influence) -> bool:
    """Whether the runs tell what factors explain together with others."""
    return any(math.isfinite(factor.total.value) for factor in influence.factors)


def build_share_scale(influence: Influence, start: float, end: float, size: float) -> Scale:
    """Build the scale of shares in percent, from 0 to the highest end of an interval."""
    estimates = [e for factor in influence.factors for e in (factor.first, factor.total)]
    values = [100.0 * v for e in estimates for v in (e.value, e.high) if math.isfinite(v)]
    return build_scale(0.0, max([_LEAST_SHARE, *values]), start, end, size)


def mark_bars(
    influence: Influence, size: float, *, left: float, right: float, top: float
) -> tuple[Marks, float]:
    """Draw a row a factor, the one that explains most first; return where they end.

    Parameters
    ----------
    left, right, top : float
        Room, in points.
    """
    names = [clean(factor.factor) for factor in influence.factors]
    longest = max(text_width(name, size) for name in names) + 1.0
    name_width = min(longest, _NAME_SHARE * (right - left))
    number_width = text_width("100 %", size)
    scale = build_share_scale(
        influence, left + name_width + PAD_PT, right - number_width - PAD_PT, size
    )
    row = _ROW_EMS * size
    parts = []
    for i, (name, factor) in enumerate(zip(names, influence.factors, strict=True)):
        y = top + (i + 0.5) * row
        texts = (
            PlacedText(lines=(shorten(name, name_width, size),), x=left, y=y, size=size),
            PlacedText(lines=(write_share(factor.first),), x=right, y=y, size=size, align="right"),
        )
        parts += [mark_factor(factor, scale, y, size), Marks(texts=texts)]
    bottom = top + row * len(names) + PAD_PT / 2.0
    title = wrap("share of the variance (%)", right - scale.start, size)
    axis = mark_across(scale, bottom, size, title, grid_top=top)
    return join_marks([axis, *parts]), bottom + room_across(title, size)


def mark_factor(factor: FactorInfluence, scale: Scale, y: float, size: float) -> Marks:
    """Draw the bar of a factor alone above that of the factor with its interactions, about ``y``.

    Bars that the runs do not tell are left out.
    """
    parts = []
    thick = _BAR_EMS * size
    for estimate, swatch, above in ((factor.first, FIRST, True), (factor.total, TOTAL, False)):
        if not math.isfinite(estimate.value):
            continue
        upper = y - thick if above else y
        end = scale.place(100.0 * estimate.value)
        parts.append(
            Marks(
                patches=(_bar(scale.start, upper, end, upper + thick, swatch),),
                strokes=mark_interval(estimate, scale, upper + thick / 2.0, size, factor=100.0),
            )
        )
    return join_marks(parts)


def mark_interval(
    estimate: Estimate, scale: Scale, y: float, size: float, *, factor: float = 1.0
) -> tuple[Stroke, ...]:
    """Draw an interval as a line with ends; none where there is none.

    Parameters
    ----------
    factor : float
        From the estimate's unit to that of the scale.
    """
    if not estimate.low < estimate.high:  # no interval, or exact
        return ()
    low, high = scale.place(factor * estimate.low), scale.place(factor * estimate.high)
    half = 0.15 * size
    ends = [Stroke(points=((x, y - half), (x, y + half))) for x in (low, high)]
    return (Stroke(points=((low, y), (high, y))), *ends)


def explain_bars(influence: Influence) -> str:
    """Say how the bars are read; only of what is drawn."""
    parts = ["Filled: the choice alone (its share is written)"]
    if has_totals(influence):
        parts.append("open: with the interactions that it takes part in")
    if any(factor.first.low < factor.first.high for factor in influence.factors):
        parts.append(f"lines: {influence.confidence:.0%} intervals")
    if any(factor.first.value < 0.0 or factor.first.low < 0.0 for factor in influence.factors):
        parts.append("what is estimated below 0 is drawn as 0")
    return "; ".join(parts) + "."


def write_share(estimate: Estimate) -> str:
    """Write a share in whole percent; a dash where the runs do not tell it."""
    if not math.isfinite(estimate.value):
        return "–"
    return f"{100.0 * max(estimate.value, 0.0):.0f} %"


def _bar(left: float, top: float, right: float, bottom: float, swatch: Swatch) -> Patch:
    return box(left, top, max(right, left + _RIM_PT), bottom, swatch, rim=_RIM_PT)
