"""Marks of a page as data: lines, shapes, dots and texts, joined part by part, then drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from survey_tools.figures.sheet import PlacedText, fill_shapes, open_sheet, write_texts
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import INK, LINE_SPACING, figure_style, shorten, wrap

__all__ = [
    "Dot",
    "DotShape",
    "Marks",
    "Patch",
    "Stroke",
    "box",
    "draw_marks",
    "fit_lines",
    "join_marks",
    "write_block",
]

DotShape = Literal["full", "half", "open", "cross", "dash", "diamond"]

_MARKERS = {"cross": "x", "dash": "_", "diamond": "D"}  # all others are discs
_RIM_PT = 0.7
_BASELINE_EMS = 0.36  # half the height of capitals, in font sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A polyline.

    Attributes
    ----------
    dash : tuple of float
        Lengths of ink and gap in line widths; none for a full line.
    is_behind : bool
        Whether it lies under the filled shapes, as pale lines at ticks do.
    """

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 0.6
    dash: tuple[float, ...] = ()
    is_behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A filled polygon; ``rim`` is the width of its outline."""

    points: tuple[tuple[float, float], ...]
    swatch: Swatch
    rim: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A dot of one of several shapes, which tell dots apart beside their colours."""

    x: float
    y: float
    shape: DotShape = "full"
    colour: str = INK
    size: float = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Everything on a page or a part of it, in points from the page's top left corner."""

    patches: tuple[Patch, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    dots: tuple[Dot, ...] = ()
    texts: tuple[PlacedText, ...] = ()


def join_marks(parts: Iterable[Marks]) -> Marks:
    """Join parts of a page; later ones lie on earlier ones."""
    parts = list(parts)
    return Marks(
        patches=tuple(patch for part in parts for patch in part.patches),
        strokes=tuple(stroke for part in parts for stroke in part.strokes),
        dots=tuple(dot for part in parts for dot in part.dots),
        texts=tuple(text for part in parts for text in part.texts),
    )


def box(
    left: float, top: float, right: float, bottom: float, swatch: Swatch, *, rim: float = 0.0
) -> Patch:
    """Make a filled rectangle."""
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return Patch(points=corners, swatch=swatch, rim=rim)


def write_block(
    lines: Sequence[str],
    x: float,
    top: float,
    size: float,
    *,
    align: Literal["left", "center", "right"] = "left",
) -> tuple[tuple[PlacedText, ...], float]:
    """Place lines below ``top``; return them and where the next block may begin.

    Each line is a text by itself, so that lines of neighbouring blocks have one baseline.
    """
    row = LINE_SPACING * size
    texts = tuple(
        PlacedText(lines=(line,), x=x, y=top + (i + 0.5) * row, size=size, align=align)
        for i, line in enumerate(lines)
    )
    return texts, top + row * len(lines)


def fit_lines(text: str, width: float, size: float, n_most: int) -> tuple[str, ...]:
    """Wrap a text into ``n_most`` lines at most; what does not fit is cut with an ellipsis."""
    lines = wrap(text, width, size)
    if len(lines) <= n_most:
        return lines
    rest = " ".join(lines[n_most - 1 :])
    return (*lines[: n_most - 1], shorten(rest, width, size))


def draw_marks(width: float, height: float, marks: Marks) -> tuple[Figure, Axes]:
    """Draw a page of ``width`` x ``height`` points: shapes, lines on them, dots, then texts."""
    with figure_style():
        page, ax = open_sheet(width, height)
        for (swatch, rim), patches in _group(marks.patches, lambda p: (p.swatch, p.rim)):
            fill_shapes(ax, [patch.points for patch in patches], swatch, rim=rim)
        for (colour, line_width, dash, is_behind), strokes in _group(
            marks.strokes, lambda s: (s.colour, s.width, s.dash, s.is_behind)
        ):
            lines = LineCollection(
                [stroke.points for stroke in strokes],
                colors=colour,
                linewidths=line_width,
                linestyles=[(0, dash)] if dash else "solid",
                zorder=0.5 if is_behind else 2.0,
            )
            ax.add_collection(lines, autolim=False)
        for (shape, colour, size), dots in _group(
            marks.dots, lambda d: (d.shape, d.colour, d.size)
        ):
            ax.plot(
                [dot.x for dot in dots],
                [dot.y for dot in dots],
                linestyle="",
                marker=_MARKERS.get(shape, "o"),
                markersize=size,
                markeredgewidth=_RIM_PT if shape in ("full", "half", "open", "diamond") else 1.0,
                color=colour,
                markerfacecolor="white" if shape == "open" else colour,
                markerfacecoloralt="white",
                fillstyle="left" if shape == "half" else "full",
                zorder=3,
                clip_on=False,
            )
        write_texts(ax, [text for text in marks.texts if not _is_plain(text)])
        for text in filter(_is_plain, marks.texts):
            ax.text(
                text.x,
                text.y + _BASELINE_EMS * text.size,
                text.lines[0],
                fontsize=text.size,
                ha=text.align,
                va="baseline",
                parse_math=False,
                gid=text.gid or None,
                zorder=5,
            )
    return page, ax


def _is_plain(text: PlacedText) -> bool:
    """Say whether a text is one upright line, whose baseline may be set to the hair.

    Centred by its extent, as others are, a line with letters below the baseline would stand
    higher than its neighbours in a table.
    """
    return len(text.lines) == 1 and not text.rotation and not text.is_ringed


def _group(marks: Iterable[Any], look_of: Any) -> Iterable[tuple[Any, list[Any]]]:
    """Gather marks that look alike, in the order in which each look comes first."""
    groups: dict[Any, list[Any]] = {}
    for mark in marks:
        groups.setdefault(look_of(mark), []).append(mark)
    return groups.items()
