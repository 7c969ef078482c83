"""All figures of a cross-check, by the names of their files."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from survey_tools.clusters import Cluster
from survey_tools.corpus import Corpus
from survey_tools.crosscheck.axes import ALPHA, CELLS
from survey_tools.crosscheck.whole import Crosscheck
from survey_tools.figures.alluvial import draw_alluvial
from survey_tools.figures.bk_curve import draw_bk_curve
from survey_tools.figures.contingency import draw_contingency, draw_residuals
from survey_tools.figures.label_places import draw_label_places
from survey_tools.figures.tanglegram import draw_tanglegram
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings

__all__ = ["draw_crosscheck"]

_LABEL_TREE = "Label sets of the taxonomy"
_TEXT_TREE = "Dendrogram of the texts"


def draw_crosscheck(
    crosscheck: Crosscheck,
    clusters: Sequence[Cluster],
    partition: Partition,
    corpus: Corpus,
    settings: FigureSettings,
) -> dict[str, list[Figure]]:
    """Draw every figure that a cross-check has the data for, each a list of pages.

    Alluvials show the axes that have several labels, and the combined cells: bands from one
    label and its absence say no more than the table.
    """
    axes = [axis for axis in crosscheck.axes if axis.name != CELLS]
    cells = [axis for axis in crosscheck.axes if axis.name == CELLS]
    drawn = {
        "contingency-axes": [draw_contingency(axes, clusters)],
        "contingency-cells": [draw_contingency(cells, clusters)],
        "residuals-axes": [draw_residuals(axes, clusters)],
        "alluvial": [
            draw_alluvial(axis, clusters)
            for axis in crosscheck.axes
            if len(axis.column_names) > 2 or axis.name == CELLS
        ],
    }
    if crosscheck.labels:
        drawn["label-places"] = [
            draw_label_places(
                crosscheck.tree, crosscheck.labels, crosscheck.members, settings, alpha=ALPHA
            )
        ]
    if crosscheck.trees is not None:
        if len(crosscheck.trees.cuts.n_clusters):
            drawn["bk-curve"] = [
                draw_bk_curve(crosscheck.trees.cuts, left_title=_LABEL_TREE, right_title=_TEXT_TREE)
            ]
        drawn["tanglegram"] = draw_tanglegram(
            crosscheck.trees.untangled,
            corpus,
            settings,
            left_title=_LABEL_TREE,
            right_title=_TEXT_TREE,
            clusters=partition,
        )
    return drawn
