"""The robustness card: one A4 page with the verdict on the clusters of a survey."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from survey_tools.figures.card_side import has_side, mark_side
from survey_tools.figures.card_texts import mark_foot, mark_head
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT
from survey_tools.figures.stability_columns import TargetGroup, divide_stability, group_targets
from survey_tools.figures.stability_rows import explain_rows, mark_rows
from survey_tools.figures.style import POINTS_PER_MM, wrap
from survey_tools.robustness.card import RobustnessCard
from survey_tools.robustness.families import Family
from survey_tools.settings import FigureSettings

__all__ = ["draw_card", "layout_card"]

_WIDTH_PT, _HEIGHT_PT = 210.0 * POINTS_PER_MM, 297.0 * POINTS_PER_MM
_LARGEST_PT, _SMALLEST_PT, _STEP_PT = 8.0, 5.0, 0.25
_TABLE_SHARE = 0.63  # of the width within margins; the rest is for choices, nulls and papers
_GUTTER_PT = 14.0


def draw_card(card: RobustnessCard, settings: FigureSettings) -> Figure:
    """Draw the robustness card; see `layout_card`."""
    return draw_marks(_WIDTH_PT, _HEIGHT_PT, layout_card(card, settings))[0]


def layout_card(card: RobustnessCard, settings: FigureSettings) -> Marks:
    """Compute where everything stands on one A4 page, whatever page the settings name.

    The text is as large as lets all clusters fit, from the settings' size, 8 points at most,
    down to their smallest, 5 points at most. Where even that is too large, the clusters with the
    fewest papers are left out, before any named one, and the page says how many.
    """
    largest = min(settings.font_size_pt, _LARGEST_PT)
    smallest = min(settings.min_font_size_pt, largest, _SMALLEST_PT)
    n_targets = len(card.names) + len(card.clusters)
    for size in (*np.arange(largest, smallest, -_STEP_PT).tolist(), smallest):
        marks, excess = _compose(card, size, n_targets)
        if excess <= 0.0:
            return marks
    fewest, most = min(1, n_targets), n_targets
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if _compose(card, smallest, middle)[1] <= 0.0:
            fewest = middle
        else:
            most = middle - 1
    return _compose(card, smallest, fewest)[0]


def _compose(card: RobustnessCard, size: float, n_shown: int) -> tuple[Marks, float]:
    """Lay the page out with so many clusters; return how much it exceeds its room, in points."""
    left, right = MARGIN_PT, _WIDTH_PT - MARGIN_PT
    head, y = mark_head(card, size, left=left, right=right, top=MARGIN_PT)
    parts = [head]
    top = y + PAD_PT
    table_right = right
    ends = [top]
    if has_side(card):
        table_right = left + _TABLE_SHARE * (right - left)
        side, end = mark_side(card, size, left=table_right + _GUTTER_PT, right=right, top=top)
        parts.append(side)
        ends.append(end)
    table, end, too_wide = _mark_table(card, size, n_shown, left, table_right, top)
    foot, bottom = mark_foot(card, size, left=left, right=right, top=max(*ends, end) + 2 * PAD_PT)
    excess = max(bottom - (_HEIGHT_PT - MARGIN_PT), too_wide)
    return join_marks([*parts, table, foot]), excess


def _mark_table(
    card: RobustnessCard, size: float, n_shown: int, left: float, right: float, top: float
) -> tuple[Marks, float, float]:
    """Draw the clusters; return also where they end and how much too wide they are."""
    rule = card.result.rule
    groups = group_targets(card.names, card.clusters)
    targets = [*card.names, *card.clusters]
    if not groups:
        return Marks(), top, 0.0
    columns = divide_stability(groups, _families(card), size, left=left, right=right)
    table, y = mark_rows(_keep_largest(groups, n_shown), columns, rule, size, top=top)
    notes = [explain_rows(columns, targets, rule)]
    if n_shown < len(targets):
        notes.append(
            f"{len(targets) - n_shown} of {len(targets)} rows are left out, those with the fewest "
            "papers, named ones last; all stand in the figure “stability” and in "
            "tables/clusters.csv."
        )
    lines = [line for text in notes if text for line in wrap(text, right - left, size)]
    note, bottom = write_block(lines, left, y + PAD_PT / 2.0, size)
    return join_marks([table, Marks(texts=note)]), bottom, columns.right - right


def _families(card: RobustnessCard) -> tuple[Family, ...]:
    """Take the runs with other choices that decide, or those that there are."""
    families = [name for found in (*card.names, *card.clusters) for name in found.families]
    asked: Family = "one choice" if card.result.rule.choices == "one-at-a-time" else "all choices"
    if asked not in families:
        asked = "all choices" if asked == "one choice" else "one choice"
    return asked, "papers", "terms"


def _keep_largest(groups: Sequence[TargetGroup], n_shown: int) -> tuple[TargetGroup, ...]:
    """Leave out the targets with the fewest papers, of equals the last; named ones last of all."""
    targets = [found.target for group in groups for found in group.targets]
    ranks = [
        (target.kind == "cluster", -len(target.paper_keys), i) for i, target in enumerate(targets)
    ]
    kept = {i for *_, i in sorted(ranks)[:n_shown]}
    shown, first = [], 0
    for group in groups:
        numbered = enumerate(group.targets, start=first)
        rows = tuple(found for i, found in numbered if i in kept)
        first += len(group.targets)
        if rows:
            shown.append(replace(group, targets=rows))
    return tuple(shown)
