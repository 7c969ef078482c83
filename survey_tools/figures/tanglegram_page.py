"""The page of a tanglegram: how its width is divided between two trees, labels and lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.figures.leaf_bars import BAR_PT
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.style import POINTS_PER_MM, clean, text_width
from survey_tools.settings import FigureSettings

__all__ = ["ROW_EMS", "TanglegramGrid", "cut_label", "divide_tanglegram"]

ROW_EMS = 1.35  # height of a labelled leaf, in font sizes
_MOST_LABELLED = 400  # papers: a page of about 1.25 m, beyond which no one follows a line
_TALLEST = 1.3  # height of unlabelled trees over the width of the page
_LEAST_HEIGHT_PT = 60.0
_LINKS = 0.16  # share of the width that the lines take
_TREE, _LONE_TREE = 0.11, 0.3  # of one tree beside labels, and without
_LEAST_LONE_TREE = 0.13
_MOST_TREE = 0.24  # of one tree where labels are short
_LEADER_PT = 8.0  # from bars to names that do not stand at their bars
_LEAST_LABEL_EMS = 8.0  # about 15 characters: less of a title says little


@dataclass(frozen=True, slots=True, kw_only=True)
class TanglegramGrid:
    """Places in points on the left half of a page; the right half is its mirror image.

    Attributes
    ----------
    edges : ndarray of float, shape (n_papers + 1,)
        Upper edge of each leaf, and lower edge of the last.
    root_x, leaf_x : float
        Where the highest merge and height 0 stand.
    bar_x : float
        Left edge of the cluster bars.
    name_x : float
        Where the names of clusters begin.
    link_x : float
        Where the lines begin, and labels end.
    label_width : float
        Room for a label; 0 where none are written.
    """

    width: float
    edges: NDArray[np.float64]
    root_x: float
    leaf_x: float
    bar_x: float
    name_x: float
    link_x: float
    label_width: float


def cut_label(text: str, width_pt: float, size_pt: float) -> str:
    """Cut a text that is wider than ``width_pt`` at any character, with an ellipsis.

    Cut at words, a column this narrow would show many titles by the same one or two words.
    """
    text = clean(text)
    if text_width(text, size_pt) <= width_pt:
        return text
    ends = np.cumsum([text_width(character, size_pt) for character in text])
    n_kept = int(np.searchsorted(ends, width_pt - text_width("…", size_pt), side="right"))
    return f"{text[:n_kept].rstrip(' ,:;')}…"


def divide_tanglegram(
    labels: Mapping[str, str],
    cluster_names: Sequence[str],
    settings: FigureSettings,
    *,
    top: float,
) -> TanglegramGrid:
    """Divide the page of a tanglegram, labelled up to 400 papers.

    Labels are left out where there are more, or where the page leaves room for a few letters
    only. Without labels the height is bounded.

    Parameters
    ----------
    labels : mapping of str to str
        Label of every paper, on one line.
    cluster_names : sequence of str
        Empty where clusters are not drawn.
    top : float
        Upper edge of the first leaf, in points.

    Raises
    ------
    ParameterError
        If the page is too narrow for two trees.
    """
    size, n_papers = settings.font_size_pt, len(labels)
    width = settings.width_mm * POINTS_PER_MM
    inner = width - 2 * MARGIN_PT
    names = 0.0
    if cluster_names:
        names = 2 * PAD_PT + 2 * BAR_PT + max(text_width(name, size) for name in cluster_names)
    links = _LINKS * inner
    half = (inner - links) / 2.0 - names - PAD_PT  # of one tree with its labels
    longest = max(text_width(text, size) for text in labels.values()) + 2.0
    label = min(longest, half - _TREE * inner)
    if n_papers > _MOST_LABELLED or label < min(longest, _LEAST_LABEL_EMS * size):
        label = 0.0
    leader = 0.0 if label or not cluster_names else _LEADER_PT
    tree = min(half - label - leader, (_MOST_TREE if label else _LONE_TREE) * inner)
    if not label and tree < _LEAST_LONE_TREE * inner:
        raise ParameterError(
            f"a page {settings.width_mm:g} mm wide leaves no room for two trees beside the names "
            f"of clusters at {size:g} points; use a wider page or smaller text"
        )
    height = max(_LEAST_HEIGHT_PT, ROW_EMS * size * n_papers)
    if not label:
        height = min(height, _TALLEST * width)
    leaf_x = MARGIN_PT + tree
    return TanglegramGrid(
        width=width,
        edges=np.linspace(top, top + height, n_papers + 1),
        root_x=MARGIN_PT,
        leaf_x=leaf_x,
        bar_x=leaf_x + PAD_PT,
        name_x=leaf_x + 1.5 * PAD_PT + 2 * BAR_PT + leader,
        link_x=leaf_x + names + leader + PAD_PT + label,
        label_width=label,
    )
