"""Rows of named clusters and clusters: the verdict, and how well each family of runs finds them."""

from collections.abc import Sequence

from survey_tools.figures.marks import Dot, Marks, Stroke, fit_lines, join_marks, write_block
from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.scales import mark_across
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.stability_columns import StabilityColumns, TargetGroup
from survey_tools.figures.style import LINE_SPACING, MUTED, shorten, wrap
from survey_tools.figures.verdict_marks import look_of, mark_verdict
from survey_tools.robustness.families import Family
from survey_tools.robustness.stability import TargetStability
from survey_tools.settings import RobustnessRule

__all__ = [
    "ROW_EMS",
    "explain_rows",
    "foot_height",
    "head_height",
    "mark_rows",
    "row_height",
]

ROW_EMS = 1.5  # height of a row with a name of one line, in font sizes
_NAME_LINES = 3  # the most
_FAMILY_TITLES: dict[Family, str] = {
    "one choice": "one other choice",
    "all choices": "any other choices",
    "papers": "other papers",
    "terms": "other terms",
}
_PALE = "#cccccc"
_AXIS_TITLE = "mean Jaccard score of the best match (no unit)"
_HEAD_LINES = 3
_DOT_EMS = 0.6
_CHANCE_EMS = 0.45  # half the height of the tick of chance


def head_height(size: float) -> float:
    """Height of the heads of the columns, in points."""
    return LINE_SPACING * size * _HEAD_LINES + PAD_PT / 2.0


def foot_height(columns: StabilityColumns, size: float) -> float:
    """Height of the axes below the rows, in points."""
    return PAD_PT + LINE_SPACING * size * (1 + len(_wrap_title(columns, size)))


def row_height(target: TargetStability, columns: StabilityColumns, size: float) -> float:
    """Height of a row, in points."""
    n_lines = len(_fit_name(target, columns, size))
    return size * (ROW_EMS + LINE_SPACING * (n_lines - 1))


def mark_rows(
    groups: Sequence[TargetGroup],
    columns: StabilityColumns,
    rule: RobustnessRule,
    size: float,
    *,
    top: float,
) -> tuple[Marks, float]:
    """Draw heads, rows and axes from ``top`` down; return where they end.

    A dot is the mean score of a family, of the shape of its row's verdict; beside it stands in
    how many of the runs the group was found.
    """
    row = ROW_EMS * size
    first = y = top + head_height(size)
    parts = [_write_heads(columns, size, bottom=first - PAD_PT / 2.0)]
    for group in groups:
        line = Stroke(points=((columns.left, y), (columns.right, y)), colour=MUTED)
        heading = PlacedText(lines=(group.heading,), x=columns.left, y=y + row / 2.0, size=size)
        parts.append(Marks(strokes=(line,), texts=(heading,)))
        y += row
        for target in group.targets:
            height = row_height(target, columns, size)
            parts.append(_mark_row(target, columns, y + height / 2.0, size))
            y += height
    bottom = y + foot_height(columns, size)
    for track in columns.tracks:
        x = track.place(rule.min_jaccard)
        limit = Stroke(points=((x, first + row), (x, y)), dash=(4.0, 2.5))
        parts += [mark_across(track, y, size, ()), Marks(strokes=(limit,))]
    if title := _wrap_title(columns, size):
        below = bottom - LINE_SPACING * size * len(title)
        parts.append(Marks(texts=write_block(title, columns.tracks[0].start, below, size)[0]))
    return join_marks(parts), bottom


def explain_rows(
    columns: StabilityColumns, targets: Sequence[TargetStability], rule: RobustnessRule
) -> str:
    """Say how the rows are read; only of what is drawn."""
    if not columns.tracks:
        return ""
    parts = [
        "Dot: mean over the runs of a family",
        f"percentage: runs with {rule.min_jaccard:g} or more (dashed line)",
    ]
    if any(target.by_chance is not None for target in targets):
        parts.append("grey tick: mean by chance, in trees of shuffled corpora")
    if columns.au_right is not None:
        parts.append("AU: approximately unbiased probability of the sub-tree, terms drawn anew")
    return "; ".join(parts) + "."


def _fit_name(target: TargetStability, columns: StabilityColumns, size: float) -> tuple[str, ...]:
    return fit_lines(target.target.name, columns.name_width, size, _NAME_LINES)


def _wrap_title(columns: StabilityColumns, size: float) -> tuple[str, ...]:
    if not columns.tracks:
        return ()
    return wrap(_AXIS_TITLE, columns.right - columns.tracks[0].start, size)


def _write_heads(columns: StabilityColumns, size: float, *, bottom: float) -> Marks:
    """Write what each column holds, the last line of every head on one line."""
    heads: list[tuple[tuple[str, ...], float, bool]] = [
        (("papers",), columns.papers_right, True),
        (("verdict",), columns.verdict_x, False),
    ]
    for family, n_runs, track, right in zip(
        columns.families, columns.n_runs, columns.tracks, columns.found_rights, strict=True
    ):
        width = right - track.start
        lines = wrap(_FAMILY_TITLES[family], width, size)[: _HEAD_LINES - 1]
        heads.append(((*lines, shorten(f"{n_runs:,} runs", width, size)), track.start, False))
    if columns.au_right is not None:
        heads.append((("AU",), columns.au_right, True))
    return Marks(
        texts=tuple(
            text
            for lines, x, is_right in heads
            for text in write_block(
                lines,
                x,
                bottom - LINE_SPACING * size * len(lines),
                size,
                align="right" if is_right else "left",
            )[0]
        )
    )


def _mark_row(target: TargetStability, columns: StabilityColumns, y: float, size: float) -> Marks:
    shape, colour = look_of(target.verdict)
    name = _fit_name(target, columns, size)
    top = y - LINE_SPACING * size * len(name) / 2.0
    texts = [
        *write_block(name, columns.left, top, size)[0],
        _write_right(f"{len(target.target.paper_keys):,}", columns.papers_right, y, size),
    ]
    strokes, dots = [], []
    for family, track, right in zip(
        columns.families, columns.tracks, columns.found_rights, strict=True
    ):
        rail = ((track.start, y), (track.end, y))
        strokes.append(Stroke(points=rail, colour=_PALE, width=0.4, is_behind=True))
        if target.by_chance is not None:
            x, half = track.place(target.by_chance), _CHANCE_EMS * size
            strokes.append(Stroke(points=((x, y - half), (x, y + half)), colour=MUTED, width=1.2))
        score = target.families.get(family)
        if score is None:
            texts.append(_write_right("–", right, y, size))
            continue
        x = track.place(score.mean_jaccard)
        strokes.append(Stroke(points=((track.start, y), (x, y)), colour=colour, width=1.2))
        dots.append(Dot(x=x, y=y, shape=shape, colour=colour, size=_DOT_EMS * size))
        texts.append(_write_right(f"{100.0 * score.share_found:.0f} %", right, y, size))
    if columns.au_right is not None:
        au = "–" if target.support is None else f"{target.support.au:.3f}"
        texts.append(_write_right(au, columns.au_right, y, size))
    row = Marks(strokes=tuple(strokes), dots=tuple(dots), texts=tuple(texts))
    return join_marks([row, mark_verdict(target.verdict, columns.verdict_x, y, size)])


def _write_right(text: str, x: float, y: float, size: float) -> PlacedText:
    return PlacedText(lines=(text,), x=x, y=y, size=size, align="right")
