"""The figure of a tree, in the style that a survey asks for."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.clusters import Cluster
from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.figures.branches import colour_merges, find_cut_line
from survey_tools.figures.circular import draw_circle, layout_circle
from survey_tools.figures.collapsed import draw_collapsed, layout_collapsed
from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.figures.heat_map import draw_heat_map
from survey_tools.figures.layout import layout_dendrogram
from survey_tools.figures.overview import draw_overview
from survey_tools.figures.paper_strips import choose_strips
from survey_tools.figures.similarity_image import SimilarityProvider
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = ["MOST_PAPERS_IN_ROWS", "choose_style", "draw_tree"]

# Our choice: 2,000 rows fill about 25 A4 pages or one tall page of 10 metres; with more,
# nobody reads a leaf at a time.
MOST_PAPERS_IN_ROWS = 2000

Style = Literal["left-right", "top-down", "circular", "collapsed", "overview", "heat-map"]


def choose_style(settings: FigureSettings, n_papers: int) -> Style:
    """Choose the style of a tree: the user's, else left-right, or overview of a large one."""
    if settings.style != "auto":
        return settings.style
    return "left-right" if n_papers <= MOST_PAPERS_IN_ROWS else "overview"


def draw_tree(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    taxonomy: Taxonomy | None = None,
    cut_height: float | None = None,
    support: Mapping[str, float] | None = None,
    clusters: Sequence[Cluster] = (),
    similarity: NDArray[np.float64] | SimilarityProvider | None = None,
) -> list[Figure]:
    """Draw a tree in the style of ``figures.style``, as many pages as it needs.

    Rows that need several pages are led by an overview that says which page holds which
    part of the tree. A survey of more than ``MOST_PAPERS_IN_ROWS`` papers that asks for no
    style gets the overview and the collapsed tree instead of rows.

    Parameters
    ----------
    names : sequence of AttachedName
        Named sub-trees; those not found in the tree are not drawn.
    taxonomy : Taxonomy, optional
        Gives one annotation strip an axis.
    cut_height : float, optional
        Height at which the tree was cut, if it was cut by height.
    support : mapping of str to float, optional
        Support of each paper's cluster, 0 to 1, for the strip of that name.
    clusters : sequence of Cluster
        Descriptions of the clusters, for the collapsed tree.
    similarity : ndarray of float, shape (n_papers, n_papers), or callable, optional
        Similarities in the order of ``tree.paper_keys``, or what gives a block of them; the
        heat map needs them.

    Raises
    ------
    ParameterError
        If a page leaves no room, a strip is unknown, or a heat map has no similarities.
    """
    style = choose_style(settings, tree.n_papers)
    is_joined, _ = colour_merges(tree, partition)
    cut_height = find_cut_line(tree, is_joined, cut_height)
    if style == "circular":
        strips = choose_strips(tree, corpus, settings, taxonomy=taxonomy, support=support)
        circle = layout_circle(
            tree, corpus, partition, settings, names=names, strips=strips, cut_height=cut_height
        )
        return draw_circle(circle)
    if style == "heat-map":
        if similarity is None:
            raise ParameterError(
                "figures.style: heat-map needs the similarities of all pairs of papers, and none "
                "arrived; choose another style"
            )
        return draw_heat_map(
            tree,
            similarity,
            partition,
            settings,
            names=names,
            corpus=corpus,
            quantity="cosine similarity of the papers' term weights (no unit)",
        )
    if style in ("collapsed", "overview"):
        best = {c.name: [term for term, _ in c.top_terms["class-tf-idf"]] for c in clusters}
        collapsed = layout_collapsed(
            tree, partition, settings, names=names, terms=best, n_shown=settings.n_shown
        )
        if style == "collapsed":
            return draw_collapsed(collapsed)
        overview = draw_overview(
            tree, corpus, partition, settings, names=names, cut_height=cut_height
        )
        return (
            [overview] if settings.style == "overview" else [overview, *draw_collapsed(collapsed)]
        )
    rows = layout_dendrogram(
        tree,
        corpus,
        partition,
        settings,
        names=names,
        taxonomy=taxonomy,
        cut_height=cut_height,
        support=support,
    )
    if rows.n_pages == 1:
        return draw_dendrogram(rows)
    overview = draw_overview(
        tree,
        corpus,
        partition,
        settings,
        names=names,
        cut_height=cut_height,
        page_spans=[(first, last, 2 + i) for i, (first, last) in enumerate(rows.page_spans)],
    )
    return [overview, *draw_dendrogram(rows, n_before=1)]
