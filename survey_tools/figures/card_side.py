"""The right side of the robustness card: choices, null corpora, fragile papers."""

from collections.abc import Sequence

from survey_tools.figures.choice_bars import explain_bars, mark_bars
from survey_tools.figures.marks import Marks, Stroke, fit_lines, join_marks, write_block
from survey_tools.figures.null_rows import explain_nulls, mark_nulls
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import MUTED, shorten, text_width
from survey_tools.robustness.card import RobustnessCard
from survey_tools.robustness.choices import InfluenceOfDesign
from survey_tools.robustness.stability import PaperStability

__all__ = ["has_side", "mark_side"]

_ROW_EMS = 1.5
_HEADING_LINES, _NOTE_LINES = 3, 5  # the most
_KEY_SHARE = 0.55  # of the width, for the key of a paper


def has_side(card: RobustnessCard) -> bool:
    """Whether there is anything to show beside the clusters."""
    return bool(card.influence or card.result.nulls or card.fragile_papers)


def mark_side(
    card: RobustnessCard, size: float, *, left: float, right: float, top: float
) -> tuple[Marks, float]:
    """Draw what there is from ``top`` down; return where it ends."""
    parts: list[Marks] = []
    y = top
    if card.influence is not None:
        heading = _name_choices(card.influence)
        marks, y = _head(heading, size, left, right, y)
        bars, y = mark_bars(card.influence.influence, size, left=left, right=right, top=y)
        note, y = _note(explain_bars(card.influence.influence), size, left, right, y)
        parts += [marks, bars, note]
    if card.result.nulls:
        marks, y = _head("Survey against corpora without structure", size, left, right, y)
        rows, y = mark_nulls(card.result.nulls, size, left=left, right=right, top=y, has_axes=False)
        note, y = _note(explain_nulls(card.result.nulls), size, left, right, y)
        parts += [marks, rows, note]
    if card.fragile_papers:
        heading = "Papers that stay with their cluster least (mean share over the kinds of runs)"
        marks, y = _head(heading, size, left, right, y)
        rows, y = _list_papers(card.fragile_papers, size, left, right, y)
        parts += [marks, rows]
    return join_marks(parts), y


def _name_choices(found: InfluenceOfDesign) -> str:
    runs = f"{found.influence.n_runs:,} runs of the {found.design.replace('-', ' ')} design"
    return f"Choices behind {found.influence.response}, {runs}"


def _head(text: str, size: float, left: float, right: float, top: float) -> tuple[Marks, float]:
    line = Stroke(points=((left, top), (right, top)), colour=MUTED)
    lines = fit_lines(text, right - left, size, _HEADING_LINES)
    heading, bottom = write_block(lines, left, top + PAD_PT / 2.0, size)
    return Marks(strokes=(line,), texts=heading), bottom + PAD_PT / 2.0


def _note(text: str, size: float, left: float, right: float, top: float) -> tuple[Marks, float]:
    lines = fit_lines(text, right - left, size, _NOTE_LINES)
    note, bottom = write_block(lines, left, top + PAD_PT / 2.0, size)
    return Marks(texts=note), bottom + 2 * PAD_PT


def _list_papers(
    papers: Sequence[PaperStability], size: float, left: float, right: float, top: float
) -> tuple[Marks, float]:
    row = _ROW_EMS * size
    widest = max(text_width(paper.paper_key, size) for paper in papers) + 1.0
    key_width = min(widest, _KEY_SHARE * (right - left))
    home_x = left + key_width + 2 * PAD_PT
    home_width = right - text_width("100 %", size) - 2 * PAD_PT - home_x
    texts = []
    for i, paper in enumerate(papers):
        y = top + (i + 0.5) * row
        key, home = shorten(paper.paper_key, key_width, size), shorten(paper.home, home_width, size)
        share = f"{100.0 * paper.mean:.0f} %"
        texts += [
            PlacedText(lines=(key,), x=left, y=y, size=size),
            PlacedText(lines=(home,), x=home_x, y=y, size=size),
            PlacedText(lines=(share,), x=right, y=y, size=size, align="right"),
        ]
    return Marks(texts=tuple(texts)), top + row * len(papers)
