"""Branches and leaves of a consensus tree: lines with the axis of their heights, and labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.figures.height_axis import build_height_axis, node_heights
from survey_tools.figures.leaf_bars import label_sizes
from survey_tools.figures.marks import Marks, Stroke, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.scales import build_scale, mark_across, room_across
from survey_tools.figures.segments import branch_segments, join_on_grid, place_on_leaves
from survey_tools.figures.style import LINE_SPACING, shorten, text_width
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

__all__ = ["label_papers", "trace_consensus"]

_BRANCH_PT = 0.5
_LABEL_SHARE = 0.2  # of the width, for labels of papers at most


def label_papers(
    tree: Tree, settings: FigureSettings, side: float, inner: float
) -> tuple[dict[str, str], float, float]:
    """Choose labels of papers; none where a paper has no room for the smallest text.

    Parameters
    ----------
    side, inner : float
        Side of the matrix without labels, and width of the page within margins, in points.

    Returns
    -------
    labels : dict of str to str
        By key, in leaf order.
    size, width : float
        Of the text, and of the room it takes.
    """
    longest = max(text_width(key, 1.0) for key in tree.paper_keys)
    for size in label_sizes(settings):
        width = min(longest * size + 2 * PAD_PT, _LABEL_SHARE * inner)
        if side - width >= tree.n_papers * size * LINE_SPACING:
            keys = tree.keys_in_leaf_order
            return {key: shorten(key, width - PAD_PT, size) for key in keys}, size, width
    return {}, settings.font_size_pt, 0.0


def trace_consensus(
    tree: Tree,
    edges: NDArray[np.float64],
    leaf_x: float,
    axis_lines: Sequence[str],
    axis_y: float,
    size: float,
) -> Marks:
    """Draw the branches with the axis of their heights, the root on the left."""
    axis = build_height_axis(tree, leaf_x - MARGIN_PT, size)
    node_x = axis.place(node_heights(tree), leaf_x, MARGIN_PT)
    node_y = place_on_leaves(tree, (edges[1:] + edges[:-1]) / 2.0)
    pieces = branch_segments(tree, node_x, node_y).reshape(-1, 2, 2)
    segments, _ = join_on_grid(pieces, np.zeros(len(pieces), dtype=np.intp))
    strokes = tuple(
        Stroke(points=((x0, y0), (x1, y1)), width=_BRANCH_PT)
        for (x0, y0), (x1, y1) in segments.tolist()
    )
    below = build_scale(0.0, axis.highest, leaf_x, MARGIN_PT, size, ticks=axis.ticks)
    ruler = mark_across(below, axis_y, size, ())
    top = axis_y + room_across((), size)
    title, _ = write_block(axis_lines, MARGIN_PT, top, size)
    return join_marks([Marks(strokes=strokes, texts=title), ruler])
