"""Where everything of a dendrogram stands, in points, before any ink.

A row is a leaf with its wrapped label; rows have different heights, so branches meet
their labels exactly. Rows are dealt into panels (columns of pages); every panel shows
its slice of the whole tree. A tree from top down is laid out like one from left to right
and turned when it is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.figures.brackets import Bracket, build_brackets
from survey_tools.figures.branches import (
    colour_merges,
    find_cut_line,
    place_nodes,
    trace_branches,
)
from survey_tools.figures.leaf_labels import label_texts
from survey_tools.figures.pages import PageGrid
from survey_tools.figures.paper_strips import choose_strips
from survey_tools.figures.rows import Panel, Row
from survey_tools.figures.strips import LegendEntry, StripColumn
from survey_tools.figures.text_fit import Contents, fit_text
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings, printed_name
from survey_tools.subtrees import AttachedName
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = ["ClusterBar", "DendrogramLayout", "layout_dendrogram"]


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
    page_height : float
        Along the rows, in points, as ``grid.page_width`` is across them; of a tree from
        top down the paper has them exchanged.
    names_style : str
        How named sub-trees are marked: brackets, bands or labels.
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
    names_style: str
    is_top_down: bool

    @property
    def n_pages(self) -> int:
        """Number of pages that the panels fill."""
        return 1 + max(panel.page for panel in self.panels)

    @property
    def paper_size(self) -> tuple[float, float]:
        """Width and height of a page as it is printed, in points."""
        size = self.grid.page_width, self.page_height
        return (size[1], size[0]) if self.is_top_down else size

    @property
    def page_spans(self) -> tuple[tuple[int, int], ...]:
        """First and last row of every page."""
        spans: dict[int, tuple[int, int]] = {}
        for panel in self.panels:
            first, _ = spans.get(panel.page, (panel.first_row, 0))
            spans[panel.page] = (first, panel.last_row)
        return tuple(spans.values())


def layout_dendrogram(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    taxonomy: Taxonomy | None = None,
    cut_height: float | None = None,
    support: Mapping[str, float] | None = None,
) -> DendrogramLayout:
    """Compute where everything of a dendrogram stands, from left to right or from top down.

    Parameters
    ----------
    names : sequence of AttachedName
        Named sub-trees; those not found in the tree are not drawn.
    taxonomy : Taxonomy, optional
        Gives one annotation strip an axis.
    cut_height : float, optional
        Height at which the tree was cut, if it was cut by height. By default, midway
        between the merges inside clusters and those above, where they can be parted.
    support : mapping of str to float, optional
        Support of each paper's cluster, 0 to 1, for the strip of that name.

    Raises
    ------
    ParameterError
        If the page leaves no room for the labels, or a strip is unknown.
    """
    found = sorted(
        (name for name in names if name.is_found),
        key=lambda name: (tree.starts[name.subtree.node], -tree.sizes[name.subtree.node]),
    )
    is_joined, colours = colour_merges(tree, partition)
    cut_height = find_cut_line(tree, is_joined, cut_height)
    contents = Contents(
        texts=label_texts(corpus, tree.keys_in_leaf_order, settings),
        settings=settings,
        names=found,
        strips=choose_strips(tree, corpus, settings, taxonomy=taxonomy, support=support),
        has_cut_line=cut_height is not None,
        is_top_down=settings.style == "top-down",
    )
    best = fit_text(contents)
    places = place_nodes(tree, best.rows)
    return DendrogramLayout(
        rows=best.rows,
        branches=trace_branches(tree, places),
        branch_colours=colours,
        cut_height=cut_height,
        bars=_cluster_bars(partition, best.rows),
        brackets=build_brackets(
            tree, found, best.boxes, places, best.rows, is_top_down=contents.is_top_down
        ),
        strips=contents.strips,
        panels=best.panels,
        grid=best.grid,
        page_height=best.page_height,
        legend=best.legend,
        font_size_pt=best.size,
        axis_label=(
            f"merge height: {printed_name(tree.linkage)} linkage, "
            f"{printed_name(tree.metric)} distance (no unit)"
        ),
        names_style=settings.names,
        is_top_down=contents.is_top_down,
    )


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
