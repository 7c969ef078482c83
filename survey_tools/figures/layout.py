"""Where everything of a dendrogram stands, in points, before any ink.

A row is a leaf with its wrapped label; rows have different heights, so branches meet
their labels exactly. Rows are dealt into panels (columns of pages); every panel shows
its slice of the whole tree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.figures.brackets import (
    Bracket,
    assign_lanes,
    build_brackets,
    name_height,
    name_lines,
)
from survey_tools.figures.pages import (
    MARGIN_PT,
    PAD_PT,
    PageGrid,
    Panel,
    Row,
    deal_panels,
    divide_page,
    stack_rows,
    text_sizes,
)
from survey_tools.figures.strips import (
    LEGEND_EMS,
    LegendEntry,
    StripColumn,
    build_legend,
    build_strips,
)
from survey_tools.figures.style import clean, text_width
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings, printed_name
from survey_tools.subtrees import AttachedName
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = ["ClusterBar", "DendrogramLayout", "layout_dendrogram"]

_WORTH_A_PAGE_PT = 0.5  # text is made so much smaller if that saves a page


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBar:
    """A flat cluster beside the leaves it holds."""

    name: str
    colour_index: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DendrogramLayout:
    """A whole dendrogram, ready to be drawn.

    Attributes
    ----------
    branches : ndarray of float, shape (n_papers - 1, 4, 2)
        Polyline of each merge as (merge height, points from the first row's top).
    branch_colours : ndarray of int, shape (n_papers - 1,)
        Cluster colour index, or -1 above the cut.
    cut_height : float or None
        Where one straight cut gives the clusters; None if none does.
    """

    rows: tuple[Row, ...]
    branches: NDArray[np.float64]
    branch_colours: NDArray[np.intp]
    cut_height: float | None
    bars: tuple[ClusterBar, ...]
    brackets: tuple[Bracket, ...]
    strips: tuple[StripColumn, ...]
    panels: tuple[Panel, ...]
    grid: PageGrid
    page_height: float
    legend: tuple[tuple[LegendEntry, ...], ...]
    font_size_pt: float
    axis_label: str

    @property
    def n_pages(self) -> int:
        """Number of pages that the panels fill."""
        return 1 + max(panel.page for panel in self.panels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Rows dealt into pages at one text size."""

    size: float
    grid: PageGrid
    legend: tuple[tuple[LegendEntry, ...], ...]
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    page_height: float


def layout_dendrogram(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    taxonomy: Taxonomy | None = None,
    cut_height: float | None = None,
) -> DendrogramLayout:
    """Compute where everything of a dendrogram stands.

    Parameters
    ----------
    names : sequence of AttachedName
        Named sub-trees; those not found in the tree are not drawn.
    taxonomy : Taxonomy, optional
        Gives one annotation strip an axis.
    cut_height : float, optional
        Height at which the tree was cut, if it was cut by height. By default, midway
        between the merges inside clusters and those above, where they can be parted.

    Raises
    ------
    ParameterError
        If the page leaves no room for the labels.
    """
    found = sorted(
        (name for name in names if name.is_found),
        key=lambda name: (tree.starts[name.subtree.node], -tree.sizes[name.subtree.node]),
    )
    texts = {key: _leaf_text(corpus, key, settings.leaf_label) for key in tree.keys_in_leaf_order}
    is_joined, colours = _cluster_of_merges(tree, partition)
    if cut_height is None:
        cut_height = _midway(tree, is_joined)
    elif cut_height > tree.heights.max():
        cut_height = None  # a line beyond the root would part nothing
    strips = build_strips(tree, taxonomy) if taxonomy else ()
    fits = []
    for size in text_sizes(settings):
        fit = _fit(texts, settings, size, found, strips, cut_height is not None)
        if fit is not None:
            fits.append(fit)
            if fit.panels[-1].page == 0:
                break
    if not fits:
        raise ParameterError(
            f"a {settings.page} page with {settings.columns} column(s) has no room for labels, "
            f"strips and legend at {settings.font_size_pt:g} points; use fewer columns, a wider "
            "page, smaller text or shorter names"
        )
    best = _choose(fits)
    node_y = _node_positions(tree, best.rows)
    return DendrogramLayout(
        rows=best.rows,
        branches=_branches(tree, node_y),
        branch_colours=colours,
        cut_height=cut_height,
        bars=_cluster_bars(partition, best.rows),
        brackets=build_brackets(tree, found, node_y, best.rows, best.grid.name_width, best.size),
        strips=strips,
        panels=best.panels,
        grid=best.grid,
        page_height=best.page_height,
        legend=best.legend,
        font_size_pt=best.size,
        axis_label=(
            f"merge height: {printed_name(tree.linkage)} linkage, "
            f"{printed_name(tree.metric)} distance (no unit)"
        ),
    )


def _choose(fits: Sequence[_Fit]) -> _Fit:
    """Choose among text sizes, largest first: one page, else fewer pages if little smaller."""
    if fits[-1].panels[-1].page == 0:
        return fits[-1]
    near = [fit for fit in fits if fit.size >= fits[0].size - _WORTH_A_PAGE_PT]
    return min(near, key=lambda fit: (fit.panels[-1].page, -fit.size))


def _fit(
    texts: dict[str, str],
    settings: FigureSettings,
    size: float,
    names: Sequence[AttachedName],
    strips: tuple[StripColumn, ...],
    has_cut_line: bool,
) -> _Fit | None:
    """Deal all rows into pages at one text size; None if a page has no room for them."""
    grid = divide_page(
        settings,
        size,
        longest_label=max(text_width(text, size) for text in texts.values()),
        strip_titles=[strip.title for strip in strips],
        n_lanes=1 + max(assign_lanes(names), default=-1),
    )
    if grid is None:
        return None
    legend = build_legend(
        strips,
        has_names=bool(names),
        has_cut_line=has_cut_line,
        width=grid.page_width - 2 * MARGIN_PT - text_width("  page 88 of 88", size),
        cell_width=grid.cell_width,
        size=size,
    )
    grid = replace(grid, legend_height=LEGEND_EMS * size * len(legend) + PAD_PT)
    names_height = sum(
        name_height(name_lines(name, "A", grid.name_width, size), size) for name in names
    )
    rows = stack_rows(texts, grid.label_width, size, min_height=names_height)
    dealt = deal_panels(rows, settings, grid, size)
    if dealt is None:
        return None
    panels, page_height = dealt
    return _Fit(
        size=size,
        grid=grid,
        legend=legend,
        rows=rows,
        panels=panels,
        page_height=page_height,
    )


def _leaf_text(corpus: Corpus, key: str, leaf_label: str) -> str:
    paper = corpus[key]
    text = {"title": paper.title, "key": key, "author-year": paper.author_year}[leaf_label]
    return clean(text) or key


def _node_positions(tree: Tree, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Vertical place of every node: a leaf at its row, a merge midway of its children."""
    n = tree.n_papers
    node_y = np.empty(2 * n - 1)
    node_y[tree.leaf_order] = [row.centre for row in rows]
    for i, (first, second) in enumerate(tree.children):
        node_y[n + i] = (node_y[first] + node_y[second]) / 2.0
    return node_y


def _branches(tree: Tree, node_y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Polyline of each merge: first child, corner, corner, second child."""
    n = tree.n_papers
    heights = np.concatenate([np.zeros(n), tree.heights])
    branches = np.empty((n - 1, 4, 2))
    for side, corner, child in ((0, 1, 0), (3, 2, 1)):
        nodes = tree.children[:, child]
        branches[:, side, 0], branches[:, side, 1] = heights[nodes], node_y[nodes]
        branches[:, corner, 0], branches[:, corner, 1] = tree.heights, node_y[nodes]
    return branches


def _cluster_of_merges(
    tree: Tree, partition: Partition
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Say of each merge whether it lies inside one cluster, and in which (-1 if not)."""
    group_of = partition.as_mapping()
    codes = np.array([partition.group_names.index(group_of[k]) for k in tree.keys_in_leaf_order])
    change = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1])])
    starts, sizes = tree.starts[tree.n_papers :], tree.sizes[tree.n_papers :]
    is_joined = change[starts] == change[starts + sizes - 1]
    return is_joined, np.where(is_joined, codes[starts], -1)


def _midway(tree: Tree, is_joined: NDArray[np.bool_]) -> float | None:
    """Height between all merges inside clusters and all above; None if there is none."""
    if is_joined.all():
        return None
    below = tree.heights[is_joined].max() if is_joined.any() else 0.0
    above = tree.heights[~is_joined].min()
    return float((below + above) / 2.0) if below < above else None


def _cluster_bars(partition: Partition, rows: Sequence[Row]) -> tuple[ClusterBar, ...]:
    group_of = partition.as_mapping()
    spans: dict[str, tuple[float, float]] = {}
    for row in rows:
        name = group_of[row.paper_key]
        spans[name] = (spans.get(name, (row.top, 0.0))[0], row.bottom)
    return tuple(
        ClusterBar(
            name=name,
            colour_index=partition.group_names.index(name),
            top=top,
            bottom=bottom,
        )
        for name, (top, bottom) in spans.items()
    )
