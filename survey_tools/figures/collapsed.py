"""The collapsed tree: its highest merges, and triangles for the sub-trees below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.errors import count
from survey_tools.figures.collapsed_page import (
    BAR_PT,
    LEGEND_EMS,
    CollapsedContents,
    CollapsedGrid,
    divide_page,
)
from survey_tools.figures.collapsed_rows import (
    CollapsedRow,
    RowGroup,
    collapse_tree,
    describe_row,
    group_rows,
)
from survey_tools.figures.height_axis import HeightAxis, build_height_axis, name_height_axis
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.sheet import (
    PlacedText,
    axis_room,
    draw_height_axis,
    draw_lines,
    fill_shapes,
    open_sheet,
    write_texts,
)
from survey_tools.figures.side_column import CODE_EMS, place_codes, set_names_beside
from survey_tools.figures.spans import NameSpan, find_cluster_spans, find_name_spans
from survey_tools.figures.strips import Swatch, label_swatch
from survey_tools.figures.style import INK, PALETTE, figure_style
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName
from survey_tools.tree import Tree

__all__ = ["CollapsedLayout", "Triangle", "draw_collapsed", "layout_collapsed"]

_MIXED = Swatch(face="#e3e3e3")  # triangle that holds several clusters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triangle:
    """A collapsed sub-tree.

    Attributes
    ----------
    corners : ndarray of float, shape (3, 2)
        Apex at the merge height, then both ends of the base at height 0, in points.
    colour_index : int
        Of the cluster that holds all its papers, or -1.
    """

    row: CollapsedRow
    corners: NDArray[np.float64]
    colour_index: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CollapsedLayout:
    """A collapsed tree on one page, in points from its top left corner.

    Attributes
    ----------
    row_edges : ndarray of float, shape (n_rows + 1,)
        Upper edge of every row, and lower edge of the last.
    points_per_paper : float
        Base of a triangle over its number of papers.
    branches : ndarray of float, shape (n_merges, 4, 2)
        Polyline of every merge shown: first child, corner, corner, second child.
    branch_colours : tuple of int
        Cluster colour index, or -1 above the clusters.
    bars : tuple of (RowGroup, top, bottom)
    """

    width: float
    height: float
    root_x: float
    leaf_x: float
    rows: tuple[CollapsedRow, ...]
    row_edges: NDArray[np.float64]
    points_per_paper: float
    branches: NDArray[np.float64]
    branch_colours: tuple[int, ...]
    triangles: tuple[Triangle, ...]
    bar_x: float
    bars: tuple[tuple[RowGroup, float, float], ...]
    n_clusters: int
    lines: tuple[NDArray[np.float64], ...]
    texts: tuple[PlacedText, ...]
    axis: HeightAxis
    axis_y: float
    title_lines: tuple[str, ...]
    font_size_pt: float


def layout_collapsed(
    tree: Tree,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    terms: Mapping[str, Sequence[str]] | None = None,
    papers_of: Mapping[str, int] | None = None,
    n_shown: int = 30,
) -> CollapsedLayout:
    """Compute where everything of a collapsed tree stands.

    Every collapsed sub-tree is a triangle with its apex at its merge height and its base at
    height 0; the base is as long as its papers are many. A single leaf stays a line with its
    key. Names of sub-trees that lie inside a triangle are written at it, the others at
    brackets.

    Parameters
    ----------
    terms : mapping of str to sequence of str, optional
        Terms of each cluster, best first, written beside the triangles.
    papers_of : mapping of str to int, optional
        Papers that each leaf stands for, where leaves are micro-clusters; 1 each by default.
    n_shown : int
        Triangles and leaves together, 2 or more; all leaves if there are fewer.

    Raises
    ------
    ParameterError
        If fewer than 2 are asked, or the page has no room for so many.
    """
    rows, merges = collapse_tree(tree, n_shown, papers_of)
    spans = find_name_spans(tree, names)
    contents = CollapsedContents(
        rows=rows,
        row_texts=tuple(describe_row(tree, row, spans) for row in rows),
        groups=group_rows(rows, find_cluster_spans(tree, partition), terms),
        spans=_bracketed(spans, rows),
        axis_title=name_height_axis(tree),
        legend=_legend(tree, len(merges), papers_of, has_names=bool(spans)),
    )
    grid = divide_page(contents, settings)
    axis = build_height_axis(tree, grid.leaf_x - MARGIN_PT, grid.size)
    places = _place_nodes(tree, rows, merges, grid, axis)
    colours = _colours(tree, contents, merges)
    bars = tuple(
        (group, float(grid.edges[group.first_row]), float(grid.edges[group.last_row + 1]))
        for group in contents.groups
    )
    lines, texts = _write_beside(contents, grid, bars)
    return CollapsedLayout(
        width=grid.width,
        height=grid.height,
        root_x=MARGIN_PT,
        leaf_x=grid.leaf_x,
        rows=rows,
        row_edges=grid.edges,
        points_per_paper=grid.points_per_paper,
        branches=_trace(tree, merges, places),
        branch_colours=tuple(colours[node] for node in merges),
        triangles=tuple(
            Triangle(
                row=row,
                corners=_triangle(places[row.node], row.n_papers, grid),
                colour_index=colours[row.node],
            )
            for row in rows
            if row.n_leaves > 1
        ),
        bar_x=grid.bar_x,
        bars=bars,
        n_clusters=partition.n_groups,
        lines=lines,
        texts=(
            *texts,
            *place_codes(
                [span for span in spans if span.node in places],
                {
                    node: (min(x, grid.leaf_x - CODE_EMS * grid.size / 2.0), y)
                    for node, (x, y) in places.items()
                },
                grid.size,
                root_x=MARGIN_PT,
            ),
        ),
        axis=axis,
        axis_y=float(grid.edges[-1]) + PAD_PT,
        title_lines=grid.title_lines,
        font_size_pt=grid.size,
    )


def draw_collapsed(layout: CollapsedLayout) -> list[Figure]:
    """Draw a collapsed tree on its page."""
    with figure_style():
        page, ax = open_sheet(layout.width, layout.height)
        for colour in sorted(set(layout.branch_colours)):
            which = [i for i, other in enumerate(layout.branch_colours) if other == colour]
            ink = PALETTE[colour % len(PALETTE)] if colour >= 0 else INK
            draw_lines(ax, list(layout.branches[which]), colour=ink, width=0.9)
        for triangle in layout.triangles:
            swatch = _swatch(triangle.colour_index, layout.n_clusters)
            fill_shapes(ax, [triangle.corners], swatch, hatch_ink="white")
        for group, top, bottom in layout.bars:
            inset = 0.8
            left, right = layout.bar_x, layout.bar_x + BAR_PT
            upper, lower = top + inset, bottom - inset
            box = [(left, upper), (right, upper), (right, lower), (left, lower)]
            swatch = _swatch(group.colour_index, layout.n_clusters)
            fill_shapes(ax, [box], swatch, hatch_ink="white")
        draw_lines(ax, layout.lines, width=0.5)
        write_texts(ax, layout.texts)
        draw_height_axis(
            ax,
            layout.axis,
            at_zero=layout.leaf_x,
            at_highest=layout.root_x,
            y=layout.axis_y,
            size=layout.font_size_pt,
            title_lines=layout.title_lines,
        )
    return [page]


def _bracketed(spans: Sequence[NameSpan], rows: Sequence[CollapsedRow]) -> tuple[NameSpan, ...]:
    """Keep the names that begin and end where rows do; others are told at their triangle."""
    firsts, lasts = {row.first_leaf for row in rows}, {row.last_leaf for row in rows}
    return tuple(span for span in spans if span.first_leaf in firsts and span.last_leaf in lasts)


def _place_nodes(
    tree: Tree,
    rows: Sequence[CollapsedRow],
    merges: Sequence[int],
    grid: CollapsedGrid,
    axis: HeightAxis,
) -> dict[int, tuple[float, float]]:
    """Place the nodes that are shown: rows in their middle, merges midway of their children."""
    middles = (grid.edges[1:] + grid.edges[:-1]) / 2.0
    y_of = {row.node: float(y) for row, y in zip(rows, middles, strict=True)}
    for node in merges:
        first, second = tree.children[node - tree.n_papers].tolist()
        y_of[node] = (y_of[first] + y_of[second]) / 2.0
    return {
        node: (float(axis.place(tree.height_of(node), grid.leaf_x, MARGIN_PT)), y)
        for node, y in y_of.items()
    }


def _trace(
    tree: Tree, merges: Sequence[int], places: Mapping[int, tuple[float, float]]
) -> NDArray[np.float64]:
    """Polyline of every merge, shape (n_merges, 4, 2)."""
    branches = np.empty((len(merges), 4, 2))
    for i, node in enumerate(merges):
        first, second = tree.children[node - tree.n_papers].tolist()
        x = places[node][0]
        corners = [(x, places[first][1]), (x, places[second][1])]
        branches[i] = [places[first], *corners, places[second]]
    return branches


def _colours(tree: Tree, contents: CollapsedContents, merges: Sequence[int]) -> dict[int, int]:
    """Cluster colour index of every node shown, -1 where it holds several clusters."""
    colours = {
        row.node: group.colour_index
        for group in contents.groups
        for row in contents.rows[group.first_row : group.last_row + 1]
    }
    for node in merges:
        first, second = tree.children[node - tree.n_papers].tolist()
        colours[node] = colours[first] if colours[first] == colours[second] else -1
    return colours


def _triangle(
    place: tuple[float, float], n_papers: int, grid: CollapsedGrid
) -> NDArray[np.float64]:
    x, y = place
    half = n_papers * grid.points_per_paper / 2.0
    return np.array([(x, y), (grid.leaf_x, y - half), (grid.leaf_x, y + half)])


def _write_beside(
    contents: CollapsedContents,
    grid: CollapsedGrid,
    bars: Sequence[tuple[RowGroup, float, float]],
) -> tuple[tuple[NDArray[np.float64], ...], tuple[PlacedText, ...]]:
    """Write what stands right of the triangles, and the legend below."""
    size, room = grid.size, (float(grid.edges[0]), float(grid.edges[-1]))
    middles = (grid.edges[1:] + grid.edges[:-1]) / 2.0
    row_texts = tuple(
        PlacedText(lines=lines, x=grid.row_x, y=float(y), size=size, gid=f"node-{row.node}")
        for row, lines, y in zip(contents.rows, grid.row_lines, middles, strict=True)
    )
    group_texts = tuple(
        PlacedText(lines=lines, x=grid.group_x, y=(top + bottom) / 2.0, size=size)
        for lines, (_, top, bottom) in zip(grid.group_lines, bars, strict=True)
    )
    leaf_edges = np.interp(
        np.arange(contents.rows[-1].last_leaf + 2),
        [*(row.first_leaf for row in contents.rows), contents.rows[-1].last_leaf + 1],
        grid.edges,
    )
    names = set_names_beside(
        contents.spans,
        leaf_edges,
        x=grid.bracket_x,
        widths=grid.name_widths,
        room=room,
        size=size,
    )
    top = room[1] + PAD_PT + axis_room(grid.title_lines, size)
    legend = tuple(
        PlacedText(lines=(line,), x=MARGIN_PT, y=top + (i + 0.5) * LEGEND_EMS * size, size=size)
        for i, line in enumerate(grid.legend_lines)
    )
    return names.lines, (*row_texts, *group_texts, *names.texts, *legend)


def _swatch(colour_index: int, n_clusters: int) -> Swatch:
    return label_swatch(colour_index, n_clusters) if colour_index >= 0 else _MIXED


def _legend(
    tree: Tree, n_merges: int, papers_of: Mapping[str, int] | None, *, has_names: bool
) -> str:
    what = count(tree.n_papers, "paper")
    if papers_of:
        n_papers = sum(papers_of[key] for key in tree.paper_keys)
        what = f"{count(n_papers, 'paper')} in {count(tree.n_papers, 'micro-cluster')}"
    parts = [
        f"{what}; the {n_merges:,} highest of {count(tree.n_papers - 1, 'merge')}",
        "triangles: collapsed sub-trees, apex at the merge height, base as long as their papers "
        "are many; grey: several clusters",
    ]
    if has_names:
        parts.append("letters and brackets: named sub-trees (J = Jaccard score of the match)")
    return "; ".join(parts)
