"""Head and foot of the robustness card: title and verdicts, rule, setting and runs."""

from collections.abc import Sequence

from survey_tools.errors import count
from survey_tools.figures.marks import Marks, Stroke, fit_lines, write_block
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.style import MUTED, shorten, text_width
from survey_tools.robustness.card import RobustnessCard
from survey_tools.robustness.stability import TargetStability

__all__ = ["mark_foot", "mark_head"]

_TITLE_SCALE = 1.8  # of the text size
_TITLE_LINES, _VERDICT_LINES, _FOOT_LINES = 2, 4, 6  # the most
_LABEL_SHARE = 0.2  # of the width, for the title of a verdict at most
# What has a part of the card of its own.
_ELSEWHERE = ("Fragile papers", "Runs")


def mark_head(
    card: RobustnessCard, size: float, *, left: float, right: float, top: float
) -> tuple[Marks, float]:
    """Write the title and the verdicts in short, from ``top`` down; return where they end."""
    large = _TITLE_SCALE * size
    title = fit_lines(f"Robustness card: {card.title}", right - left, large, _TITLE_LINES)
    text, y = write_block(title, left, top, large)
    papers, y = write_block((count(card.n_papers, "paper"),), left, y + PAD_PT / 2.0, size)
    marks, bottom = _list(_short_verdicts(card), size, left, right, y + PAD_PT, _VERDICT_LINES)
    return Marks(strokes=marks.strokes, texts=(*text, *papers, *marks.texts)), bottom


def mark_foot(
    card: RobustnessCard, size: float, *, left: float, right: float, top: float
) -> tuple[Marks, float]:
    """Write the rule, the survey's own setting and the runs; return where they end."""
    levels = card.result.own.levels()
    setting = ", ".join(
        f"{name.replace('_', ' ')} {level}" for name, level in levels.items() if level is not None
    )
    entries = [("Rule", card.rule), ("The survey's setting", f"{setting}.")]
    entries += [(title, words) for title, words in card.verdicts if title == "Runs"]
    return _list(entries, size, left, right, top, _FOOT_LINES)


def _short_verdicts(card: RobustnessCard) -> list[tuple[str, str]]:
    """List the verdicts; those of names and clusters, which the table names, as counts."""
    counted = {
        "Named clusters": _count_verdicts(card.names),
        "Clusters of the cut": _count_verdicts(card.clusters),
    }
    return [
        (title, counted.get(title) or sentence)
        for title, sentence in card.verdicts
        if title not in _ELSEWHERE
    ]


def _count_verdicts(targets: Sequence[TargetStability]) -> str:
    verdicts = [target.verdict for target in targets]
    order = ("robust", "fragile", "vanished", "not in the reference", "not tested")
    words = {"not in the reference": "not in the survey's own tree"}
    parts = [f"{verdicts.count(x)} {words.get(x, x)}" for x in order if x in verdicts]
    return f"{', '.join(parts)}; {len(verdicts)} in all." if parts else ""


def _list(
    entries: Sequence[tuple[str, str]],
    size: float,
    left: float,
    right: float,
    top: float,
    n_most: int,
) -> tuple[Marks, float]:
    """Write sentences below one another, their titles on the left."""
    widest = max((text_width(title, size) for title, _ in entries), default=0.0)
    label_width = min(widest + 1.0, _LABEL_SHARE * (right - left))
    x = left + label_width + 2 * PAD_PT
    y = top + PAD_PT
    texts = []
    for title, sentence in entries:
        label, _ = write_block((shorten(title, label_width, size),), left, y, size)
        lines, y = write_block(fit_lines(sentence, right - x, size, n_most), x, y, size)
        texts += [*label, *lines]
        y += PAD_PT / 2.0
    line = Stroke(points=((left, top), (right, top)), colour=MUTED)
    return Marks(strokes=(line,), texts=tuple(texts)), y
