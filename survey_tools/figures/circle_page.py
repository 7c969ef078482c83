"""The page of a circular tree: its radii and its text size, solved from the circumference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from survey_tools.errors import ParameterError
from survey_tools.figures.circle_geometry import GAP_RAD
from survey_tools.figures.leaf_bars import label_sizes
from survey_tools.figures.pages import CELL_GAP_PT, LANE_PT, MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.side_column import CODE_EMS
from survey_tools.figures.spans import ClusterSpan, NameSpan
from survey_tools.figures.style import LINE_SPACING, POINTS_PER_MM, text_width
from survey_tools.settings import FigureSettings

__all__ = ["BAR_PT", "CELL_PT", "CircleGrid", "solve_circle"]

BAR_PT = 3.0  # thickness of a cluster bar; neighbours stand in two lanes by turns
CELL_PT = 6.0  # thickness of a ring of cells
_LARGEST_PAGE_PT = 14_400.0  # 200 inches, the limit of PDF readers (ISO 32000-1, annex C)
_LEAST_TREE = 0.28  # radius of the tree over that of everything
_MOST_LABEL = 0.45  # length of the labels over the radius of everything
_LEAST_LABEL_EMS = 12.0  # about 20 characters: less of a title says little
_GROWN_LABEL_EMS = 18.0  # the same on a page that grows to hold the labels


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleGrid:
    """Radii in points, from the centre outwards.

    Attributes
    ----------
    tip : float
        Where the leaves end.
    rings : tuple of float
        Inner radius of every ring of cells.
    label, label_length : float
        Where labels begin, and the most that they take; the length is 0 where none are
        written.
    label_size : float
        Text size of the labels; all other text has that of the settings.
    bar, cluster, lane, code : float
        Inner radius of cluster bars, of their names, and of the arcs of named sub-trees;
        and where the middles of their letters stand.
    outer : float
        Where everything ends.
    width : float
        Width of the page.
    """

    tip: float
    rings: tuple[float, ...]
    label: float
    label_length: float
    label_size: float
    bar: float
    cluster: float
    lane: float
    code: float
    outer: float
    width: float


def solve_circle(
    labels: Mapping[str, str],
    clusters: Sequence[ClusterSpan],
    spans: Sequence[NameSpan],
    n_rings: int,
    settings: FigureSettings,
    *,
    above_and_below: float,
) -> CircleGrid:
    """Find the largest text with which the labels of all leaves fit around the circle.

    Where they do not fit at the smallest text either, a page as tall as needed grows in
    width too; on an A4 or letter page, and where the page would pass 14,400 points, the
    labels are left out and the tree takes their room.

    Parameters
    ----------
    labels : mapping of str to str
        Label of every paper.
    above_and_below : float
        Room for title and legend on a page of fixed size, in points.

    Raises
    ------
    ParameterError
        If the page has no room for a tree inside rings and names.
    """
    size = settings.font_size_pt
    width, height = page_size(settings)
    outer = (width - 2 * MARGIN_PT) / 2.0
    if height is not None:
        outer = min(outer, (height - 2 * MARGIN_PT - above_and_below) / 2.0)
    longest = max(text_width(text, 1.0) for text in labels.values())
    rings = n_rings * (CELL_PT + CELL_GAP_PT) + PAD_PT
    n_lanes = 1 + max((span.lane for span in spans), default=-1)
    bars = PAD_PT + 2 * BAR_PT
    names = PAD_PT + max(text_width(span.name, size) for span in clusters)
    codes = 2 * PAD_PT + n_lanes * LANE_PT + CODE_EMS * size if spans else 0.0
    beyond = bars + names + codes

    def build(label: float, length: float, label_size: float, page_width: float) -> CircleGrid:
        tip = label - rings
        bar = label + length + PAD_PT
        cluster = bar + 2 * BAR_PT + PAD_PT
        lane = cluster + names
        return CircleGrid(
            tip=tip,
            rings=tuple(tip + PAD_PT / 2.0 + i * (CELL_PT + CELL_GAP_PT) for i in range(n_rings)),
            label=label,
            label_length=length,
            label_size=label_size,
            bar=bar,
            cluster=cluster,
            lane=lane,
            code=lane + n_lanes * LANE_PT + PAD_PT / 2.0 + CODE_EMS * size / 2.0,
            outer=label + length + beyond,
            width=page_width,
        )

    around = len(labels) * LINE_SPACING / (2.0 * np.pi - GAP_RAD)
    for label_size in label_sizes(settings):
        least = max(around * label_size, _LEAST_TREE * outer + rings)
        free = outer - beyond - least
        if free >= min(longest, _LEAST_LABEL_EMS) * label_size:
            length = min(longest * label_size, free, _MOST_LABEL * outer)
            return build(outer - beyond - length, length, label_size, width)
    smallest = label_sizes(settings)[-1]
    length = min(longest, _GROWN_LABEL_EMS) * smallest
    label = max(around * smallest, (_LEAST_TREE * (length + beyond) + rings) / (1 - _LEAST_TREE))
    grown = 2 * (label + length + beyond + MARGIN_PT)
    if height is None and grown <= _LARGEST_PAGE_PT:
        return build(label, length, smallest, max(grown, width))
    if outer - beyond - rings < _LEAST_TREE * outer:
        raise ParameterError(
            f"a page {math.floor(width / POINTS_PER_MM)} mm wide leaves no room for a circular "
            f"tree inside {n_rings} rings and names at {size:g} points; use a wider page, fewer "
            "strips or smaller text"
        )
    return build(outer - beyond, 0.0, smallest, width)
