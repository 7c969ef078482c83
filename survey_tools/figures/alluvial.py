"""The alluvial diagram: papers flow from the labels of an axis to the clusters that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck
from survey_tools.errors import count
from survey_tools.figures.ribbons import CURVE, order_sides, trace_ribbons
from survey_tools.figures.sheet import PlacedText, fill_shapes, open_sheet, write_texts
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import (
    LINE_SPACING,
    PALETTE,
    clean,
    figure_style,
    text_width,
    wrap,
)

__all__ = ["AlluvialLayout", "draw_alluvial", "layout_alluvial", "plot_alluvial"]

_SIZE_PT = 7.0
_TITLE_PT = 8.0
_MARGIN_PT = 12.0
_TEXT_PT = 165.0  # longest text beside a node before it wraps
_SHARES = tuple(np.linspace(0.4, 1.0, 13).tolist())  # of that, to wrap into even lines
_BETWEEN_PT = 230.0  # width of the ribbons
_NODE_PT = 7.0  # width of a node
_TEXT_GAP_PT = 4.0
_GAP_PT = 4.0  # between two nodes of a side
_LEAST_PT = 150.0  # height of the ribbons of a side together
_PER_PAPER_PT = 1.9
_MOST_PT = 520.0
_ALPHA = 0.5
_NODE = Swatch(face="#d9d9d9")
_NUMBER_EMS = 1.15  # width of a ribbon over the size of the number in it
_LEAST_NUMBER_PT = 5.0
_RIM_PT = 0.2  # so that a ribbon of few of very many papers is seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlluvialLayout:
    """Labels, ribbons and clusters, in points from the page's top left corner.

    Attributes
    ----------
    ribbons : ndarray of float, shape (n_ribbons, n_points, 2)
        Outlines.
    ribbon_papers : tuple of int
        Papers that each stands for.
    ribbon_ends : tuple of (int, int)
        Column and cluster that each joins, as indices into the contingency table.
    ribbon_colours : tuple of int
        Indices into the palette; neighbouring labels differ.
    nodes : ndarray of float, shape (n_nodes, 4, 2)
        Corners of the bars of labels, then of clusters, each from top down.
    """

    width: float
    height: float
    ribbons: NDArray[np.float64]
    ribbon_papers: tuple[int, ...]
    ribbon_ends: tuple[tuple[int, int], ...]
    ribbon_colours: tuple[int, ...]
    nodes: NDArray[np.float64]
    texts: tuple[PlacedText, ...]


def draw_alluvial(axis: AxisCrosscheck, clusters: Sequence[Cluster]) -> Figure:
    """Draw how the papers of every label spread over the clusters; see `layout_alluvial`."""
    return plot_alluvial(layout_alluvial(axis, clusters))


def layout_alluvial(axis: AxisCrosscheck, clusters: Sequence[Cluster]) -> AlluvialLayout:
    """Compute where labels (left), clusters (right) and the ribbons between them stand.

    A ribbon is as wide as it has papers, on one scale. Labels are numbered from top down;
    the number stands in each ribbon that is wide enough, at the cluster's end, since six
    colours return.
    """
    table = axis.contingency.T  # (n_columns, n_clusters)
    columns, rows = order_sides(table)
    totals = table.sum(axis=1), table.sum(axis=0)
    written = _write_clusters(axis, clusters)
    blocks = (
        [
            _wrap_evenly(f"{i}. {axis.column_titles[j]} ({totals[0][j]:,})")
            for i, j in enumerate(columns, start=1)
        ],
        [_wrap_evenly(written[i]) for i in rows],
    )
    unit = float(np.clip(_PER_PAPER_PT * table.sum(), _LEAST_PT, _MOST_PT)) / int(table.sum())
    thick = tuple(unit * total[order] for total, order in zip(totals, (columns, rows), strict=True))
    slots = [_divide_side(*side) for side in zip(thick, blocks, strict=True)]
    room = max(float(side.sum()) for side in slots)
    heads = _wrap_heads(axis)
    top = _MARGIN_PT + sum(_block_height(*head) for head in heads) + _GAP_PT
    middles = [_place_middles(side, top, room) for side in slots]
    widths = [
        max(text_width(line, _SIZE_PT) for lines in side for line in lines) for side in blocks
    ]
    left = _MARGIN_PT + widths[0] + _TEXT_GAP_PT + _NODE_PT
    right = left + _BETWEEN_PT
    tops = tuple((middles[side] - thick[side] / 2.0).tolist() for side in (0, 1))
    ribbons, ends = trace_ribbons(
        table, (columns, rows), (tops[0], tops[1]), unit=unit, ends_x=(left, right)
    )
    width = right + _NODE_PT + _TEXT_GAP_PT + widths[1] + _MARGIN_PT
    caption = wrap(_caption(axis), width - 2 * _MARGIN_PT, _SIZE_PT)
    foot = top + room + 2 * _GAP_PT
    nodes = []
    texts = _stack_texts(heads, _MARGIN_PT) + _stack_texts([(caption, _SIZE_PT)], foot)
    for side, edge in enumerate((left - _NODE_PT, right)):
        x = (edge - _TEXT_GAP_PT, edge + _NODE_PT + _TEXT_GAP_PT)[side]
        for block, y, high in zip(blocks[side], middles[side].tolist(), thick[side], strict=True):
            nodes.append(_box(edge, y - high / 2.0, edge + _NODE_PT, y + high / 2.0))
            align: Literal["right", "left"] = "left" if side else "right"
            texts.append(PlacedText(lines=block, x=x, y=y, size=_SIZE_PT, align=align))
    number = {column: i for i, column in enumerate(columns, start=1)}
    labels = [number[column] for column, _ in ends]
    return AlluvialLayout(
        width=width,
        height=foot + _block_height(caption, _SIZE_PT) + _MARGIN_PT,
        ribbons=ribbons,
        ribbon_papers=tuple(int(table[end]) for end in ends),
        ribbon_ends=tuple(ends),
        ribbon_colours=tuple((label - 1) % len(PALETTE) for label in labels),
        nodes=np.array(nodes),
        texts=(*texts, *_number_ribbons(ribbons, labels)),
    )


def plot_alluvial(layout: AlluvialLayout) -> Figure:
    """Draw an alluvial diagram that has been laid out."""
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        faces = [PALETTE[i] for i in layout.ribbon_colours]
        filled = PolyCollection(
            list(layout.ribbons), color=faces, linewidths=_RIM_PT, alpha=_ALPHA, zorder=1
        )
        ax.add_collection(filled, autolim=False)
        fill_shapes(ax, list(layout.nodes), _NODE)
        write_texts(ax, layout.texts)
    return page


def _divide_side(
    thick: NDArray[np.float64], blocks: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Room of every node: for itself or for the text beside it, whichever is higher."""
    heights = [_block_height(lines, _SIZE_PT) for lines in blocks]
    return np.maximum(thick + _GAP_PT, heights)


def _place_middles(slots: NDArray[np.float64], top: float, room: float) -> NDArray[np.float64]:
    """Middles of nodes; what a side does not need lies between and around them."""
    spare = (room - slots.sum()) / len(slots)
    return np.asarray(top + np.cumsum(slots + spare) - (slots + spare) / 2.0)


def _number_ribbons(ribbons: NDArray[np.float64], numbers: Sequence[int]) -> list[PlacedText]:
    """Write the label's number into the cluster's end of every ribbon that has room for it."""
    texts = []
    ends = ribbons[:, [len(CURVE) - 1, len(CURVE)]]  # (n_ribbons, 2, 2)
    for (upper, lower), number in zip(ends.tolist(), numbers, strict=True):
        size = min(_SIZE_PT, (lower[1] - upper[1]) / _NUMBER_EMS)
        if size >= _LEAST_NUMBER_PT:
            x, y = upper[0] - 3.0, (upper[1] + lower[1]) / 2.0
            texts.append(PlacedText(lines=(f"{number}",), x=x, y=y, size=size, align="right"))
    return texts


def _write_clusters(axis: AxisCrosscheck, clusters: Sequence[Cluster]) -> list[str]:
    """Name, papers and three most typical terms of every cluster of the table."""
    described = {cluster.name: cluster for cluster in clusters}
    texts = []
    for name, size in zip(axis.cluster_names, axis.cluster_sizes.tolist(), strict=True):
        scored = described[name].top_terms["class-tf-idf"][:3] if name in described else ()
        terms = clean(", ".join(term for term, _ in scored))
        texts.append(f"{name} ({size:,}): {terms}" if terms else f"{name} ({size:,})")
    return texts


def _wrap_evenly(text: str) -> tuple[str, ...]:
    """Wrap a text into lines of about one width, so that no number stands alone below it."""
    lines = wrap(text, _TEXT_PT, _SIZE_PT)
    for share in _SHARES if len(lines) > 1 else ():
        even = wrap(text, share * _TEXT_PT, _SIZE_PT)
        if len(even) == len(lines) and " ".join(even) == " ".join(lines):  # the same words
            return even
    return lines


def _wrap_heads(axis: AxisCrosscheck) -> list[tuple[tuple[str, ...], float]]:
    most = _BETWEEN_PT + 2 * _NODE_PT
    sides = "left: labels (papers); right: clusters (papers) with typical terms"
    return [
        (wrap(axis.title, most, _TITLE_PT), _TITLE_PT),
        (wrap(sides, most, _SIZE_PT), _SIZE_PT),
    ]


def _caption(axis: AxisCrosscheck) -> str:
    n_papers, n_flows = int(axis.cluster_sizes.sum()), int(axis.contingency.sum())
    text = (
        f"{count(n_papers, 'paper')}; a ribbon is as wide as it has papers and has the colour "
        "and, where it fits, the number of its label"
    )
    if n_flows > n_papers:
        text += (
            f"; a paper with several labels counts in each of them and in broader ones, so that "
            f"ribbons and bars hold {n_flows:,}; counts in brackets are of papers"
        )
    return f"{text}."


def _block_height(lines: Sequence[str], size: float) -> float:
    return size * (LINE_SPACING * len(lines) + 0.35)


def _stack_texts(blocks: Sequence[tuple[tuple[str, ...], float]], top: float) -> list[PlacedText]:
    """Set blocks of lines below one another from the left margin."""
    texts = []
    for lines, size in blocks:
        height = _block_height(lines, size)
        texts.append(PlacedText(lines=lines, x=_MARGIN_PT, y=top + height / 2.0, size=size))
        top += height
    return texts


def _box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
