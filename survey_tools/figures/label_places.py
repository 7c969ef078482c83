"""Where labels live in a tree: the dendrogram over one strip of ticks a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.crosscheck.labels import LabelPlace
from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.figures.height_axis import (
    HeightAxis,
    build_height_axis,
    name_height_axis,
    node_heights,
)
from survey_tools.figures.label_rows import ROW_EMS, LabelRow, stack_label_rows
from survey_tools.figures.label_table import divide_label_page, group_labels, write_heads
from survey_tools.figures.leaf_bars import fill_boxes
from survey_tools.figures.node_numbers import place_numbers
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.segments import branch_segments, join_on_grid, place_on_leaves
from survey_tools.figures.sheet import (
    PlacedText,
    draw_branches,
    draw_lines,
    open_sheet,
    write_texts,
)
from survey_tools.figures.side_column import CODE_EMS
from survey_tools.figures.style import INK, LINE_SPACING, PALETTE, figure_style, wrap
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

__all__ = ["LabelPlacesLayout", "draw_label_places", "layout_label_places"]

_TREE_PT = 110.0  # least height of the tree
_TICK_PT = 2.5
_BRANCH_PT = 0.5
_TINT = "#e6e6e6"  # behind the ticks of a sub-tree that holds more than chance would


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelPlacesLayout:
    """A tree over the strips of labels, in points from the page's top left corner.

    Attributes
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Left edge of each leaf, and right edge of the last.
    segments : ndarray of float, shape (n_segments, 2, 2)
    rules, lines : tuple of ndarray, each of shape (2, 2)
        Grey lines between groups and under rows; the height axis, and leaders to numbers.
    """

    width: float
    height: float
    edges: NDArray[np.float64]
    segments: NDArray[np.float64]
    rows: tuple[LabelRow, ...]
    rules: tuple[NDArray[np.float64], ...]
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]


def draw_label_places(
    tree: Tree,
    places: Sequence[LabelPlace],
    members: Mapping[tuple[str, str], Sequence[str]],
    settings: FigureSettings,
    *,
    alpha: float = 0.05,
) -> Figure:
    """Draw where labels live in a tree; see `layout_label_places`."""
    layout = layout_label_places(tree, places, members, settings, alpha=alpha)
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        draw_lines(ax, layout.rules, colour="#cccccc", width=0.4, zorder=0.5)
        no_cluster = np.full(len(layout.segments), -1)
        draw_branches(ax, layout.segments, no_cluster, width=_BRANCH_PT)
        for is_sure, tint, style in ((False, "white", (0, (2.5, 1.5))), (True, _TINT, "-")):
            boxes = [
                [(row.box[0], y) for y in (row.top, row.bottom)]
                + [(row.box[1], y) for y in (row.bottom, row.top)]
                for row in layout.rows
                if row.is_sure == is_sure
            ]
            ground = PolyCollection(boxes, facecolors=tint, edgecolors="none", zorder=0.8)
            ax.add_collection(ground, autolim=False)
            rims = [[*box, box[0]] for box in boxes]
            rim = LineCollection(rims, colors=INK, linewidths=0.7, linestyles=[style], zorder=3)
            ax.add_collection(rim, autolim=False)
        for row in layout.rows:
            inset = 0.2 * (row.bottom - row.top)
            heights = np.tile([row.top + inset, row.bottom - inset], (len(row.ticks), 1))
            ticks = np.column_stack([row.ticks, heights])[:, [0, 2, 1, 3]]
            fill_boxes(ax, ticks, [PALETTE[row.colour_index % len(PALETTE)]])
        draw_lines(ax, layout.lines, colour=INK, width=0.5)
        write_texts(ax, layout.texts)
    return page


def layout_label_places(
    tree: Tree,
    places: Sequence[LabelPlace],
    members: Mapping[tuple[str, str], Sequence[str]],
    settings: FigureSettings,
    *,
    alpha: float = 0.05,
) -> LabelPlacesLayout:
    """Compute where everything stands: the tree from top down, below it a row a label.

    Parameters
    ----------
    places : sequence of LabelPlace
        Of this tree. Rows are grouped by axis, in the order in which axes and labels come.
    members : mapping of (axis, label) to sequence of str
        Keys of the papers that carry each label.
    alpha : float
        Sub-trees with q up to it have solid boxes and stars.

    Raises
    ------
    ParameterError
        If there is no label, a label has no papers in ``members``, or a place is not of this
        tree.
    """
    _check_places(tree, places, members)
    size = settings.font_size_pt
    groups = group_labels(places)
    ring = CODE_EMS * size
    axis = build_height_axis(tree, _TREE_PT, size)
    columns = divide_label_page(groups, axis, settings, alpha=alpha)
    note_left, note_right = columns.strip[1] + ring, columns.width - MARGIN_PT
    note = wrap(_write_note(tree, places, alpha), note_right - note_left, size)
    top = MARGIN_PT + ring / 2.0
    note_height = LINE_SPACING * size * (len(note) + 1)
    bottom = top + max(_TREE_PT, note_height)
    edges = np.linspace(*columns.strip, tree.n_papers + 1)
    across = place_on_leaves(tree, (edges[1:] + edges[:-1]) / 2.0)
    down = axis.place(node_heights(tree), bottom, top)
    pieces = branch_segments(tree, down, across)[..., ::-1].reshape(-1, 2, 2)
    segments, _ = join_on_grid(pieces, np.zeros(len(pieces), dtype=np.intp))
    head_y = bottom + PAD_PT + 0.5 * ROW_EMS * size
    stack = stack_label_rows(
        tree,
        groups,
        members,
        columns,
        edges,
        top=head_y + 0.6 * ROW_EMS * size,
        size=size,
        alpha=alpha,
    )
    ordered = [place for group in groups for place in group.places]
    firsts: dict[int, int] = {}  # rows that share a node share its number
    for row, place in zip(stack.rows, ordered, strict=True):
        firsts.setdefault(place.node, row.number)
    nodes = np.array([(across[node], down[node]) for node in firsts])
    numbers, leaders = place_numbers(
        [str(number) for number in firsts.values()],
        nodes,
        size,
        room=(columns.strip[0], MARGIN_PT, columns.strip[1] + ring / 2.0, bottom + PAD_PT),
    )
    ruler, ticks = _place_ruler(axis, columns.ruler_x, top, bottom, size)
    note_y = MARGIN_PT + LINE_SPACING * size * len(note) / 2.0
    return LabelPlacesLayout(
        width=columns.width,
        height=stack.rows[-1].bottom + size + MARGIN_PT,
        edges=edges,
        segments=segments,
        rows=stack.rows,
        rules=stack.rules,
        lines=(*ruler, *leaders),
        texts=(
            *stack.texts,
            *write_heads(columns, head_y, size),
            *ticks,
            *numbers,
            PlacedText(lines=note, x=note_left, y=note_y, size=size),
        ),
    )


def _check_places(
    tree: Tree, places: Sequence[LabelPlace], members: Mapping[tuple[str, str], Sequence[str]]
) -> None:
    if not places:
        raise ParameterError("no label was placed in the tree; leave the figure out")
    names = [f"{place.axis}: {place.label}" for place in places]
    lost = [
        name
        for name, place in zip(names, places, strict=True)
        if not members.get((place.axis, place.label))
    ]
    if lost:
        raise ParameterError(f"labels without papers: {abbreviate(lost)}; give the papers of each")
    alien = [
        name
        for name, place in zip(names, places, strict=True)
        if place.node > tree.root or int(tree.sizes[place.node]) != place.size
    ]
    if alien:
        raise ParameterError(
            f"labels placed in another tree: {abbreviate(alien)}; draw the tree that they were "
            "placed in"
        )


def _write_note(tree: Tree, places: Sequence[LabelPlace], alpha: float) -> str:
    parts = [
        f"Leaves from left to right: {count(tree.n_papers, 'paper')} of the dendrogram; "
        f"{name_height_axis(tree)}.",
        "Ticks: papers that carry a label. Box: the sub-tree that fits the label best (highest "
        "F1), its node numbered in the tree; labels that share a node share the number of the "
        "first.",
    ]
    if any(place.q_value is not None for place in places):
        parts.append(
            f"Solid box and *: better than the best sub-tree of as many random papers, "
            f"q ≤ {alpha:g} over all labels; dashed: not."
        )
    return " ".join(parts)


def _place_ruler(
    axis: HeightAxis, x: float, top: float, bottom: float, size: float
) -> tuple[list[NDArray[np.float64]], list[PlacedText]]:
    """Draw the axis of merge heights at the left of the tree."""
    heights = axis.place(np.array(axis.ticks), bottom, top).tolist()
    lines = [np.array([(x, top), (x, bottom)])]
    lines += [np.array([(x - _TICK_PT, y), (x, y)]) for y in heights]
    ticks = [
        PlacedText(lines=(f"{tick:g}",), x=x - _TICK_PT - 1.5, y=y, size=size, align="right")
        for tick, y in zip(axis.ticks, heights, strict=True)
    ]
    return lines, ticks
