"""The table beside a label strip: what it says of every label, and how wide its columns are."""

from collections.abc import Sequence
from dataclasses import dataclass

from survey_tools.crosscheck.labels import LabelPlace
from survey_tools.figures.height_axis import HeightAxis
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import POINTS_PER_MM, clean, text_width
from survey_tools.settings import FigureSettings

__all__ = [
    "LabelColumns",
    "LabelGroup",
    "divide_label_page",
    "group_labels",
    "write_heads",
    "write_numbers",
    "write_titles",
]

_HEADS = ("F1", "precision", "recall", "q")
_GAP_PT = 7.0
_TICK_PT = 2.5
_STRIP, _LEAST_STRIP = 0.48, 0.28  # of the width within margins; below, nothing can be told apart
_LEAST_TITLE = 0.22  # of the same width


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelGroup:
    """Labels of one axis.

    Attributes
    ----------
    heading : str
        What the labels have in common; empty for a label alone.
    places : tuple of LabelPlace
    titles : tuple of str
        Labels as printed below the heading.
    """

    heading: str
    places: tuple[LabelPlace, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelColumns:
    """Columns of the page, in points from its left edge.

    Attributes
    ----------
    ruler_x : float
        Place of the axis of merge heights.
    strip : (float, float)
        Ends of the leaves.
    title_x, title_width : float
        Where titles begin, and the room they have.
    rights : tuple of float
        Right ends of the columns of numbers.
    """

    width: float
    ruler_x: float
    strip: tuple[float, float]
    title_x: float
    title_width: float
    rights: tuple[float, ...]


def group_labels(places: Sequence[LabelPlace]) -> tuple[LabelGroup, ...]:
    """Group labels by axis, in the order in which axes and labels come.

    Where all titles of an axis begin alike up to a colon, that becomes the heading; else it is
    the name of the axis.
    """
    axes: dict[str, list[LabelPlace]] = {}
    for place in places:
        axes.setdefault(place.axis, []).append(place)
    groups = []
    for axis, found in axes.items():
        titles = [clean(place.title) for place in found]
        heading = ""
        if len(found) > 1:
            first, colon, _ = titles[0].partition(": ")
            prefix = first + colon
            if colon and all(title.startswith(prefix) for title in titles):
                heading, titles = first, [title.removeprefix(prefix) for title in titles]
            else:
                heading = clean(axis)
        groups.append(LabelGroup(heading=heading, places=tuple(found), titles=tuple(titles)))
    return tuple(groups)


def divide_label_page(
    groups: Sequence[LabelGroup], axis: HeightAxis, settings: FigureSettings, *, alpha: float
) -> LabelColumns:
    """Divide the width of the page between the leaves and the table at their right.

    A page too narrow for the numbers beside titles and leaves is made wider than the settings
    say.
    """
    size = settings.font_size_pt
    inner = settings.width_mm * POINTS_PER_MM - 2 * MARGIN_PT
    cells = [write_numbers(place, alpha) for group in groups for place in group.places]
    columns = zip(_HEADS, *cells, strict=True)
    widths = [max(text_width(text, size) for text in column) for column in columns]
    titles = [title for written in write_titles(groups) for title in written]
    titles += ["label (papers)", *(group.heading for group in groups)]
    longest = max(text_width(title, size) for title in titles) + 1.0
    ruler = max(text_width(f"{tick:g}", size) for tick in axis.ticks) + _TICK_PT + 1.5
    fixed = ruler + PAD_PT + _GAP_PT + sum(widths) + _GAP_PT * len(widths)
    inner = max(inner, fixed / (1.0 - _LEAST_STRIP - _LEAST_TITLE))
    width = inner + 2 * MARGIN_PT
    title_width = min(longest, max(inner * (1.0 - _STRIP) - fixed, _LEAST_TITLE * inner))
    rights = []
    right = width - MARGIN_PT
    for column_width in reversed(widths):
        rights.append(right)
        right -= column_width + _GAP_PT
    title_x = right - title_width
    strip = (MARGIN_PT + ruler + PAD_PT, title_x - _GAP_PT)
    return LabelColumns(
        width=width,
        ruler_x=MARGIN_PT + ruler,
        strip=strip,
        title_x=title_x,
        title_width=title_width,
        rights=tuple(reversed(rights)),
    )


def write_titles(groups: Sequence[LabelGroup]) -> list[tuple[str, ...]]:
    """Write number, title and papers of every label, numbered through all groups."""
    written = []
    number = 0
    for group in groups:
        lines = []
        for place, title in zip(group.places, group.titles, strict=True):
            number += 1
            lines.append(f"{number}. {title} ({place.n_papers:,})")
        written.append(tuple(lines))
    return written


def write_numbers(place: LabelPlace, alpha: float) -> tuple[str, ...]:
    """Write F1, precision, recall and q, which has a star up to ``alpha``."""
    if place.q_value is None:
        q = "not tested"
    else:
        star = "*" if place.q_value <= alpha else ""
        q = f"{place.q_value:.2f}{star}" if place.q_value >= 0.01 else f"{place.q_value:.1g}{star}"
    return (f"{place.f1:.2f}", f"{place.precision:.2f}", f"{place.recall:.2f}", q)


def write_heads(columns: LabelColumns, y: float, size: float) -> list[PlacedText]:
    """Write the heads of the columns on one line."""
    title = PlacedText(lines=("label (papers)",), x=columns.title_x, y=y, size=size)
    return [
        title,
        *(
            PlacedText(lines=(head,), x=right, y=y, size=size, align="right")
            for head, right in zip(_HEADS, columns.rights, strict=True)
        ),
    ]
