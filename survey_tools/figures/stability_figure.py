"""The stability of all named clusters and clusters over four families of runs, as a dot plot."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from survey_tools.errors import ParameterError, count
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.stability_columns import (
    StabilityColumns,
    TargetGroup,
    divide_stability,
    group_targets,
)
from survey_tools.figures.stability_rows import (
    ROW_EMS,
    explain_rows,
    foot_height,
    head_height,
    mark_rows,
    row_height,
)
from survey_tools.figures.style import LINE_SPACING, wrap
from survey_tools.robustness.card import RobustnessCard
from survey_tools.robustness.families import Family
from survey_tools.robustness.stability import TargetStability
from survey_tools.settings import FigureSettings

__all__ = ["draw_stability", "layout_stability"]

_FAMILIES: tuple[Family, ...] = ("one choice", "all choices", "papers", "terms")


def draw_stability(card: RobustnessCard, settings: FigureSettings) -> list[Figure]:
    """Draw the stability of every named cluster and cluster; see `layout_stability`."""
    pages = layout_stability(card, settings)
    return [draw_marks(width, height, marks)[0] for width, height, marks in pages]


def layout_stability(
    card: RobustnessCard, settings: FigureSettings
) -> list[tuple[float, float, Marks]]:
    """Compute where everything stands, as width, height and marks of every page.

    A tall page holds all rows; A4 and letter pages hold as many as fit. A page too narrow for
    the columns is made wider than the settings say.

    Raises
    ------
    ParameterError
        If there is no cluster.
    """
    groups = group_targets(card.names, card.clusters)
    if not groups:
        raise ParameterError("no cluster was tested, so there is no stability to draw")
    size, rule = settings.font_size_pt, card.result.rule
    width, height = page_size(settings)
    columns = divide_stability(groups, _FAMILIES, size, left=MARGIN_PT, right=width - MARGIN_PT)
    width = columns.right + MARGIN_PT
    inner = columns.right - columns.left
    targets = [*card.names, *card.clusters]
    title = f"How well named clusters and clusters are found again; {count(card.n_papers, 'paper')}"
    head = wrap(title, inner, size)
    notes = [explain_rows(columns, targets, rule), card.rule]
    note = [line for text in notes if text for line in wrap(text, inner, size)]
    above = MARGIN_PT + LINE_SPACING * size * len(head) + PAD_PT
    fixed = above + head_height(size) + foot_height(columns, size) + MARGIN_PT
    note_height = 2 * PAD_PT + LINE_SPACING * size * len(note)
    room = math.inf if height is None else height - fixed - note_height
    pages = []
    for rows in _deal(groups, columns, room, size):
        written, _ = write_block(head, MARGIN_PT, MARGIN_PT, size)
        table, bottom = mark_rows(rows, columns, rule, size, top=above)
        below, end = write_block(note, MARGIN_PT, bottom + 2 * PAD_PT, size)
        marks = join_marks([Marks(texts=(*written, *below)), table])
        pages.append((width, end + MARGIN_PT if height is None else height, marks))
    return pages


def _deal(
    groups: Sequence[TargetGroup], columns: StabilityColumns, room: float, size: float
) -> Iterator[tuple[TargetGroup, ...]]:
    """Deal rows to pages of ``room`` points; a heading is repeated where its rows go on."""
    page: list[TargetGroup] = []
    left = room
    for group in groups:
        heading = group.heading
        rows: list[TargetStability] = []
        left -= ROW_EMS * size
        for target in group.targets:
            needed = row_height(target, columns, size)
            if needed > left:
                if rows:
                    page.append(replace(group, heading=heading, targets=tuple(rows)))
                    heading = f"{group.heading}, continued"
                yield tuple(page)
                page, rows, left = [], [], room - ROW_EMS * size
            rows.append(target)
            left -= needed
        page.append(replace(group, heading=heading, targets=tuple(rows)))
    yield tuple(page)
