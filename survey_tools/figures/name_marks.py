"""Marks of named sub-trees: circled letters at nodes, bands behind branches, names beside."""

from collections.abc import Sequence

from matplotlib.colors import to_rgb

from survey_tools.figures.brackets import Bracket
from survey_tools.figures.layout import DendrogramLayout
from survey_tools.figures.pages import LANE_PT
from survey_tools.figures.pen import Pen, Points
from survey_tools.figures.placement import spread
from survey_tools.figures.rows import Panel
from survey_tools.figures.style import INK, PALETTE

__all__ = ["bracket_line", "plot_bands", "plot_names", "plot_nodes"]

_SERIF_PT = 2.5
_TINT = 0.18  # share of a colour in the tint of a band; the rest is white
# Second cue, for grey printing; none has lines that run as branches do.
_HATCHES = ("", "///", "...", "\\\\\\", "oo", "xxx")
_HATCH_INK = "#c8c8c8"
_MARK_EMS = 1.75  # width of a circled letter


def plot_nodes(pen: Pen, layout: DendrogramLayout, panel: Panel, highest: float) -> None:
    """Mark each named node at its merge height by its letter, and by a bracket if asked."""
    marks: dict[tuple[str, ...], list[Bracket]] = {}  # several names may mean one node
    for bracket, _, _ in _shown(layout, panel):
        marks.setdefault(bracket.paper_keys, []).append(bracket)
        if layout.names_style == "brackets":
            line = bracket_line(bracket, panel, bracket.height, -0.012 * highest)
            pen.draw_lines([line], colors=INK, linewidths=0.7, zorder=3)
    pt_per_height = layout.grid.tree_width / (1.03 * highest)
    placed: list[tuple[float, float, float]] = []
    for same in sorted(marks.values(), key=lambda same: len(same[0].paper_keys)):
        bracket = same[0]
        if not panel.top <= bracket.centre <= panel.bottom:
            continue
        code = ", ".join(one.code for one in same)
        width = _MARK_EMS * layout.font_size_pt * (1.0 + 0.5 * (len(code) - 1))
        place = _free_place(bracket, bracket.height * pt_per_height, width, placed, panel)
        placed.append((bracket.height * pt_per_height, place, width))
        x, y = pen.turn((bracket.height, place))
        pen.ax.text(
            x,
            y,
            code,
            fontsize=layout.font_size_pt,
            ha="center",
            va="center",
            zorder=4,
            bbox={
                "boxstyle": "circle,pad=0.15",
                "facecolor": "white",
                "edgecolor": INK,
                "linewidth": 0.6,
            },
        )


def _free_place(
    bracket: Bracket,
    across: float,
    width: float,
    placed: Sequence[tuple[float, float, float]],
    panel: Panel,
) -> float:
    """Find a place on the line of a named node, the nearest to its middle that is free."""
    top, bottom = max(bracket.top, panel.top), min(bracket.bottom, panel.bottom)
    near = [other for other in placed if abs(other[0] - across) < (other[2] + width) / 2]
    edges = [
        edge
        for _, place, taken in near
        for edge in (place - (taken + width) / 2, place + (taken + width) / 2)
    ]
    for along in sorted([bracket.centre, *edges], key=lambda place: abs(place - bracket.centre)):
        is_free = all(abs(along - place) >= (taken + width) / 2 - 1e-6 for _, place, taken in near)
        if is_free and (along == bracket.centre or top <= along <= bottom):
            return along
    return bracket.centre  # no room on a short line


def plot_bands(pen: Pen, layout: DendrogramLayout, panel: Panel) -> None:
    """Tint what lies below each named node, from its merge height to the leaves."""
    for bracket, top, bottom in _outer_first(layout, panel):
        box = _box(bracket.height, 0.0, top, bottom)
        _fill_band(pen, [box], layout.brackets.index(bracket), zorder=0.1)


def plot_names(pen: Pen, layout: DendrogramLayout, panel: Panel, offset: float) -> None:
    """Draw brackets or bands beyond the labels, and the names where they do not collide."""
    grid, size = layout.grid, layout.font_size_pt
    shown = _shown(layout, panel)
    rooms = [bracket.room for bracket, _, _ in shown]
    last = max(panel.bottom, _end_of_room(layout, panel))
    if sum(rooms) > (room := last - panel.top):  # a short panel
        size *= room / sum(rooms)
        rooms = [needed * room / sum(rooms) for needed in rooms]
    middles = spread([(top + bottom) / 2 for _, top, bottom in shown], rooms, panel.top, last)
    end = grid.name_left - offset - 1.5
    for (bracket, top, bottom), middle in zip(shown, middles, strict=True):
        across = grid.bracket_left - offset
        if layout.names_style != "labels":
            across += bracket.lane * LANE_PT + _SERIF_PT
        if layout.names_style == "bands":
            box = _box(across - _SERIF_PT, across + 1.0, top + 0.6, bottom - 0.6)
            _fill_band(pen, [box], layout.brackets.index(bracket))
            across += 1.0
        elif layout.names_style == "brackets":
            line = bracket_line(bracket, panel, across, -_SERIF_PT)
            pen.draw_lines([line], colors=INK, linewidths=0.7)
        leader = [(across, (top + bottom) / 2), (end, middle)]
        pen.draw_lines([leader], colors=INK, linewidths=0.4)
        pen.write_upright(grid.name_left - offset, middle, bracket.lines, size)


def bracket_line(bracket: Bracket, panel: Panel, across: float, serif: float) -> Points:
    """Line of a bracket; where a panel cuts the sub-tree, the end stays open."""
    points = []
    for end, edge, inset in ((bracket.top, panel.top, 1.0), (bracket.bottom, panel.bottom, -1.0)):
        is_cut = end < edge if inset > 0 else end > edge
        points.append(
            [(across, edge)] if is_cut else [(across + serif, end + inset), (across, end + inset)]
        )
    return [*points[0], *reversed(points[1])]


def _shown(layout: DendrogramLayout, panel: Panel) -> list[tuple[Bracket, float, float]]:
    """List the brackets that reach into a panel, with where they begin and end in it."""
    found = []
    for bracket in layout.brackets:
        top, bottom = max(bracket.top, panel.top), min(bracket.bottom, panel.bottom)
        if top < bottom:
            found.append((bracket, top, bottom))
    return found


def _outer_first(layout: DendrogramLayout, panel: Panel) -> list[tuple[Bracket, float, float]]:
    return sorted(_shown(layout, panel), key=lambda shown: -len(shown[0].paper_keys))


def _end_of_room(layout: DendrogramLayout, panel: Panel) -> float:
    """Where along the rows the page has no more room for names."""
    grid = layout.grid
    return panel.top + layout.page_height - grid.panel_top - grid.foot


def _fill_band(pen: Pen, boxes: Sequence[Points], i: int, zorder: float = 1.0) -> None:
    pen.fill_boxes(
        boxes,
        facecolors=[tuple(1.0 - _TINT * (1.0 - c) for c in to_rgb(PALETTE[i % len(PALETTE)]))],
        edgecolors=_HATCH_INK,
        linewidths=0.4,
        hatch=_HATCHES[(i // len(PALETTE) + i) % len(_HATCHES)] or None,
        zorder=zorder,
    )


def _box(start: float, end: float, top: float, bottom: float) -> Points:
    return [(start, top), (end, top), (end, bottom), (start, bottom)]
