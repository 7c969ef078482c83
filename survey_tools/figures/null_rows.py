"""Rows of the survey against corpora without structure, a block a measure."""

from collections.abc import Sequence

from survey_tools.figures.marks import Dot, Marks, Stroke, join_marks, write_block
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.scales import Scale, build_scale, mark_across, room_across
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import MUTED, PALETTE, text_width, wrap
from survey_tools.robustness.null_comparison import NullComparison

__all__ = ["explain_nulls", "group_nulls", "least_width", "mark_nulls"]

_ROW_EMS = 1.5
_LEAST_TRACK_EMS = 7.0
_CORPORA = {"shuffled": "shuffled terms", "one-topic": "one topic"}
_HEADS = ("survey", "nulls", "p")
_FULL_HEADS = ("survey", "mean of nulls (range)", "p")
_BEYOND = 0.08  # of the span of the values, left white at the ends of a scale
_RANGE_PT = 3.0  # thickness of the range of the null corpora
_PALE = "#cccccc"


def group_nulls(nulls: Sequence[NullComparison]) -> tuple[tuple[NullComparison, ...], ...]:
    """Gather comparisons by measure, in the order in which they come."""
    groups: dict[str, list[NullComparison]] = {}
    for null in nulls:
        groups.setdefault(null.measure, []).append(null)
    return tuple(tuple(group) for group in groups.values())


def least_width(nulls: Sequence[NullComparison], size: float, *, has_axes: bool) -> float:
    """Width below which the rows have no room, in points."""
    return (
        _names_width(nulls, size)
        + _LEAST_TRACK_EMS * size
        + sum(width + 2 * PAD_PT for width in _number_widths(nulls, size, has_axes=has_axes))
    )


def mark_nulls(
    nulls: Sequence[NullComparison],
    size: float,
    *,
    left: float,
    right: float,
    top: float,
    has_axes: bool,
) -> tuple[Marks, float]:
    """Draw every measure on a scale of its own, from ``top`` down; return where they end.

    Parameters
    ----------
    has_axes : bool
        Whether each measure has an axis below its rows and the range of the nulls is written.
    """
    row = _ROW_EMS * size
    rights: list[float] = []
    x = right
    for width in reversed(_number_widths(nulls, size, has_axes=has_axes)):
        rights.insert(0, x)
        x -= width + 2 * PAD_PT
    start, end = left + _names_width(nulls, size), x
    heads = _FULL_HEADS if has_axes else _HEADS
    parts = [Marks(texts=tuple(_write_row(heads, rights, top + row / 2.0, size)))]
    y = top + row
    for group in group_nulls(nulls):
        unit = " (no unit)" if has_axes else ""
        title = wrap(f"{group[0].title}{unit}", right - left, size)
        heading, y = write_block(title, left, y, size)
        parts.append(Marks(texts=heading))
        scale = _build_scale(group, start, end, size)
        first = y
        for null in group:
            middle = y + row / 2.0
            name = PlacedText(lines=(_CORPORA[null.corpus],), x=left, y=middle, size=size)
            numbers = _write_row(_write_numbers(null, has_axes), rights, middle, size)
            parts += [Marks(texts=(name, *numbers)), _mark_row(null, scale, middle, size)]
            y += row
        if has_axes:
            parts.append(mark_across(scale, y, size, (), grid_top=first))
            y += room_across((), size) + PAD_PT
        else:
            y += PAD_PT / 2.0
    return join_marks(parts), y


def explain_nulls(nulls: Sequence[NullComparison]) -> str:
    """Say how the rows are read."""
    counts = {null.corpus: null.n_nulls for null in nulls}
    words = [f"{n:,} of {_CORPORA[corpus]}" for corpus, n in counts.items()]
    return (
        "Diamond: the survey. Bar and disc: least to greatest value and mean of null corpora "
        f"({', '.join(words)}). p: share of values at least as great, the survey's own counted."
    )


def _names_width(nulls: Sequence[NullComparison], size: float) -> float:
    return max(text_width(_CORPORA[null.corpus], size) for null in nulls) + 2 * PAD_PT


def _number_widths(nulls: Sequence[NullComparison], size: float, *, has_axes: bool) -> list[float]:
    rows = [_write_numbers(null, has_axes) for null in nulls]
    rows.append(_FULL_HEADS if has_axes else _HEADS)
    return [max(text_width(text, size) for text in column) for column in zip(*rows, strict=True)]


def _build_scale(group: Sequence[NullComparison], start: float, end: float, size: float) -> Scale:
    """Build a scale from 0, or from what is below, to beyond the greatest value."""
    values = [x for null in group for x in (null.value, null.low, null.high)]
    low, high = min(0.0, *values), max(0.0, *values)
    beyond = _BEYOND * (high - low)
    return build_scale(
        low - beyond if low < 0.0 else 0.0, high + beyond if high > 0.0 else 0.0, start, end, size
    )


def _mark_row(null: NullComparison, scale: Scale, y: float, size: float) -> Marks:
    low, high = scale.place(null.low), scale.place(null.high)
    rail = ((scale.start, y), (scale.end, y))
    base = Stroke(points=rail, colour=_PALE, width=0.4, is_behind=True)
    span = Stroke(points=((low, y), (high, y)), colour=MUTED, width=_RANGE_PT)
    mean = Dot(x=scale.place(null.mean), y=y, shape="open", size=0.6 * size)
    own = Dot(x=scale.place(null.value), y=y, shape="diamond", colour=PALETTE[0], size=0.6 * size)
    return Marks(strokes=(base, span), dots=(mean, own))


def _write_row(
    texts: Sequence[str], rights: Sequence[float], y: float, size: float
) -> list[PlacedText]:
    return [
        PlacedText(lines=(text,), x=x, y=y, size=size, align="right")
        for text, x in zip(texts, rights, strict=True)
    ]


def _write_numbers(null: NullComparison, has_range: bool) -> tuple[str, str, str]:
    digits = 2 if max(abs(null.value), abs(null.low), abs(null.high)) >= 0.1 else 3
    mean = f"{null.mean:.{digits}f}"
    if has_range:
        mean += f" ({null.low:.{digits}f} to {null.high:.{digits}f})"
    p = f"{null.p_value:.3f}" if null.p_value >= 0.001 else f"{null.p_value:.1g}"
    return f"{null.value:.{digits}f}", mean, p
