"""The consensus of many runs: which papers stay together, beside the tree that follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, count
from survey_tools.figures.consensus_branches import label_papers, trace_consensus
from survey_tools.figures.consensus_lanes import LEADER_PT, mark_lanes, name_lanes
from survey_tools.figures.height_axis import choose_ticks
from survey_tools.figures.leaf_bars import label_leaves
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.scales import room_across
from survey_tools.figures.similarity_image import SimilarityImage, build_similarity_image
from survey_tools.figures.style import LINE_SPACING, figure_style, text_width, wrap
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

__all__ = ["ConsensusLayout", "draw_consensus", "layout_consensus", "plot_consensus"]

_COLOURS = "Blues"  # one hue from white: reads the same in grey and for all colour vision
_BAR_PT = 7.0  # thickness of the colour bar
_LEAST_EMS = 44.0  # of the width within margins
_TREE_SHARE, _LANES_SHARE, _NAMES_SHARE = 0.2, 0.2, 0.18
_LANE_PT = 6.0  # widest lane
_BAR_SHARE = 0.6  # of the matrix, for the colour bar
_AXIS_TITLE = "runs apart (share)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConsensusLayout:
    """A consensus beside its tree, in points from the page's top left corner.

    Attributes
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf of the consensus tree, and lower edge of the last.
    matrix_x : float
        Left edge of the matrix, which is square.
    colour_bar : (float, float, float, float)
        Left, top, right, bottom.
    marks : Marks
        All but the matrix and its colour bar.
    """

    width: float
    height: float
    edges: NDArray[np.float64]
    matrix_x: float
    image: SimilarityImage
    colour_bar: tuple[float, float, float, float]
    quantity: tuple[str, ...]
    marks: Marks
    font_size_pt: float


def draw_consensus(
    tree: Tree,
    coassociation: NDArray[np.float64],
    paper_keys: Sequence[str],
    partition: Partition,
    settings: FigureSettings,
    *,
    n_runs: int,
) -> Figure:
    """Draw a consensus beside its tree; see `layout_consensus`."""
    return plot_consensus(
        layout_consensus(tree, coassociation, paper_keys, partition, settings, n_runs=n_runs)
    )


def layout_consensus(
    tree: Tree,
    coassociation: NDArray[np.float64],
    paper_keys: Sequence[str],
    partition: Partition,
    settings: FigureSettings,
    *,
    n_runs: int,
) -> ConsensusLayout:
    """Compute where everything stands: consensus tree, matrix, and the survey's own clusters.

    Each cluster of the survey has a lane beside the matrix, in the order of the tree, with its
    papers as ticks: a cluster that the runs keep together is one block, another is scattered.
    Papers are labelled by key where each has room for the smallest text.

    Parameters
    ----------
    tree : Tree
        Of the consensus.
    coassociation : ndarray of float, shape (n_papers, n_papers)
        Share of the runs that keep two papers together, in the order of ``paper_keys``; NaN,
        for a pair that no run held, is drawn as 0, as the tree takes it.
    partition : Partition
        The survey's own clusters.
    n_runs : int
        Runs behind the matrix.

    Raises
    ------
    ParameterError
        If tree, matrix and clusters are not of the same papers.
    """
    size, n = settings.font_size_pt, tree.n_papers
    shares = _sort_like(tree, coassociation, paper_keys, partition)
    n_unseen = int(np.isnan(shares[np.triu_indices(n, k=1)]).sum())
    image = build_similarity_image(tree, np.nan_to_num(shares, nan=0.0))
    inner = max(page_size(settings)[0] - 2 * MARGIN_PT, _LEAST_EMS * size)
    tree_width = _TREE_SHARE * inner
    lanes_width = min(_LANES_SHARE * inner, _LANE_PT * partition.n_groups)
    names = name_lanes(partition, _NAMES_SHARE * inner, size)
    names_width = LEADER_PT + 1.0 + max(text_width(name, size) for name in names)
    side = inner - tree_width - lanes_width - names_width - 3 * PAD_PT
    labels, label_size, label_width = label_papers(tree, settings, side, inner)
    side -= label_width
    leaf_x = MARGIN_PT + tree_width
    matrix_x = leaf_x + PAD_PT
    lanes_x = matrix_x + side + PAD_PT + label_width
    title = f"Papers that stay together: consensus of {n_runs:,} runs over {count(n, 'paper')}"
    head, top = write_block(wrap(title, inner, size), MARGIN_PT, MARGIN_PT, size)
    edges = np.linspace(top + PAD_PT, top + PAD_PT + side, n + 1)
    bottom = float(edges[-1])
    lanes, n_unnamed = mark_lanes(
        tree, partition, names, edges, room=(lanes_x, lanes_x + lanes_width), size=size
    )
    axis_lines = wrap(_AXIS_TITLE, tree_width, size)
    bar_left = matrix_x + size  # its first tick keeps clear of the axis
    bar_right = min(matrix_x + _BAR_SHARE * inner, matrix_x + side)
    quantity = wrap(
        "co-association: share of the runs that keep two papers in one cluster (no unit)",
        MARGIN_PT + inner - bar_left,
        size,
    )
    bar_top = bottom + PAD_PT
    below = max(
        room_across(axis_lines, size), _BAR_PT + (2.4 + LINE_SPACING * len(quantity)) * size
    )
    note = wrap(_explain(image, partition, n_unnamed, n_unseen), inner, size)
    legend, end = write_block(note, MARGIN_PT, bar_top + below + PAD_PT, size)
    return ConsensusLayout(
        width=inner + 2 * MARGIN_PT,
        height=end + MARGIN_PT,
        edges=edges,
        matrix_x=matrix_x,
        image=image,
        colour_bar=(bar_left, bar_top, bar_right, bar_top + _BAR_PT),
        quantity=quantity,
        marks=join_marks(
            [
                trace_consensus(tree, edges, leaf_x, axis_lines, bar_top, size),
                lanes,
                Marks(
                    texts=(
                        *head,
                        *legend,
                        *label_leaves(labels, edges, matrix_x + side + PAD_PT, label_size),
                    )
                ),
            ]
        ),
        font_size_pt=size,
    )


def plot_consensus(layout: ConsensusLayout) -> Figure:
    """Draw a consensus that has been laid out."""
    size, image = layout.font_size_pt, layout.image
    top, bottom = float(layout.edges[0]), float(layout.edges[-1])
    right = layout.matrix_x + bottom - top
    page, ax = draw_marks(layout.width, layout.height, layout.marks)
    with figure_style():
        mappable = ax.imshow(
            image.pixels,
            cmap=_COLOURS,
            norm=Normalize(image.low, image.high, clip=True),
            extent=(layout.matrix_x, right, bottom, top),
            interpolation="none",
            aspect="auto",
            zorder=1,
        )
        ax.set_xlim(0.0, layout.width)
        ax.set_ylim(layout.height, 0.0)
        left, bar_top, bar_right, bar_bottom = layout.colour_bar
        frame = (
            left / layout.width,
            1.0 - bar_bottom / layout.height,
            (bar_right - left) / layout.width,
            (bar_bottom - bar_top) / layout.height,
        )
        bar = page.colorbar(
            mappable,
            cax=page.add_axes(frame),
            orientation="horizontal",
            extend="max" if image.high < 1.0 else "neither",
            extendfrac=0.04,
        )
        ticks = choose_ticks(image.low, image.high, bar_right - left, size)
        bar.set_ticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])
        bar.ax.tick_params(labelsize=size, length=2, width=0.6, pad=1.5)
        bar.outline.set_linewidth(0.6)
        bar.ax.set_xlabel("\n".join(layout.quantity), fontsize=size, loc="left", labelpad=2.0)
    return page


def _sort_like(
    tree: Tree,
    coassociation: NDArray[np.float64],
    paper_keys: Sequence[str],
    partition: Partition,
) -> NDArray[np.float64]:
    """Bring the matrix into the order of ``tree.paper_keys``."""
    keys, n = set(tree.paper_keys), tree.n_papers
    if set(paper_keys) != keys or set(partition.paper_keys) != keys or len(paper_keys) != n:
        raise ParameterError(
            f"consensus tree of {n} papers, co-association of {len(paper_keys)} and clusters of "
            f"{partition.n_papers} are not of the same papers"
        )
    if coassociation.shape != (n, n):
        raise ParameterError(
            f"a co-association of shape {coassociation.shape} arrived for {n} papers; it must "
            f"be ({n}, {n})"
        )
    place = {key: i for i, key in enumerate(paper_keys)}
    order = [place[key] for key in tree.paper_keys]
    return np.asarray(coassociation[np.ix_(order, order)])


def _explain(image: SimilarityImage, partition: Partition, n_unnamed: int, n_unseen: int) -> str:
    named = f", the {partition.n_groups - n_unnamed} largest named" if n_unnamed else ""
    parts = [
        "Rows and columns: papers in the order of the consensus tree (average linkage of 1 less "
        "the co-association; its axis: mean share of the runs that keep two branches apart)",
        f"colours from 0 to {image.high:.2f}, the 99th percentile of what is off the diagonal; "
        "values beyond have the colour of the end",
        f"ticks on the right: the survey's own {count(partition.n_groups, 'cluster')}, a lane "
        f"each (papers in brackets){named}",
    ]
    largest = int(np.diff(image.edges).max())
    if largest > 1:
        parts.append(f"a pixel is the mean of up to {largest} x {largest} pairs")
    if n_unseen:
        parts.append(f"{count(n_unseen, 'pair')} that no run held together count as apart")
    return "; ".join(parts) + "."
