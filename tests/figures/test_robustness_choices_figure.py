"""Choices and null corpora: bars, means and ranges stand where their numbers are."""

import math
from dataclasses import replace
from typing import Any

import pytest
from examples import clipped, drawn_texts, overlapping
from robustness_records import NAN, make_influence, make_null, make_nulls

from survey_tools.errors import ParameterError
from survey_tools.figures.choice_bars import (
    FIRST,
    TOTAL,
    build_share_scale,
    explain_bars,
    mark_factor,
)
from survey_tools.figures.choices_figure import draw_choices, layout_choices
from survey_tools.figures.marks import Marks
from survey_tools.figures.null_rows import group_nulls, mark_nulls
from survey_tools.figures.nulls_figure import draw_nulls, layout_nulls
from survey_tools.settings import FigureSettings

LONG = "a name of a factor or of a level that goes on and on, with $maths$"


def words(marks: Marks) -> list[str]:
    return [line for text in marks.texts for line in text.lines]


def width_of(patch: Any) -> float:
    xs = [x for x, _ in patch.points]
    return max(xs) - min(xs)


def test_bars_are_as_long_as_their_shares() -> None:
    """On a scale to 100 %, 61 % and 70 % are 61 and 70 points of 100."""
    influence = make_influence(totals=(0.7, 1.0), half=0.0).influence
    scale = build_share_scale(influence, 0.0, 100.0, 6.5)
    marks = mark_factor(influence.factors[0], scale, 50.0, 6.5)
    lengths = {patch.swatch: width_of(patch) for patch in marks.patches}
    assert lengths == {FIRST: pytest.approx(61.0), TOTAL: pytest.approx(70.0)}
    assert marks.strokes == ()  # exact shares have no interval


def test_intervals_end_at_low_and_high() -> None:
    """61 % +- 5 % is a line from 56 to 66."""
    influence = make_influence(totals=(NAN, 0.95)).influence
    scale = build_share_scale(influence, 0.0, 100.0, 6.5)
    line, *_ = mark_factor(influence.factors[0], scale, 50.0, 6.5).strokes
    assert [x for x, _ in line.points] == pytest.approx([56.0, 66.0])


def test_a_share_estimated_below_zero_is_drawn_as_zero() -> None:
    """The bar keeps its place at the axis, and the note says so."""
    influence = make_influence(shares=(0.61, -0.02)).influence
    scale = build_share_scale(influence, 0.0, 100.0, 6.5)
    marks = mark_factor(influence.factors[1], scale, 50.0, 6.5)
    assert all(x >= 0.0 for patch in marks.patches for x, _ in patch.points)
    assert all(x >= 0.0 for stroke in marks.strokes for x, _ in stroke.points)
    assert "what is estimated below 0 is drawn as 0" in explain_bars(influence)


def test_totals_that_runs_do_not_tell_are_neither_drawn_nor_explained() -> None:
    """One run a level knows nothing of interactions."""
    found = make_influence(totals=(NAN, NAN), method="one at a time")
    _, _, marks = layout_choices(found, FigureSettings())
    assert {patch.swatch for patch in marks.patches} == {FIRST}
    assert "open:" not in " ".join(words(marks))
    assert "agreement of the run with this level" in " ".join(words(marks))


def test_each_level_can_be_read() -> None:
    """Ward 0.62, average 0.41, each with its runs, on the row of its dot."""
    _, _, marks = layout_choices(make_influence(), FigureSettings())
    at = {line: text.y for text in marks.texts for line in text.lines}
    for level, mean in (("ward", "0.62"), ("average", "0.41")):
        row = [text.lines[0] for text in marks.texts if text.y == at[level]]
        assert {level, "12", mean} <= set(row)
        assert at[level] in [dot.y for dot in marks.dots]
    ward, average = (next(d.x for d in marks.dots if d.y == at[x]) for x in ("ward", "average"))
    assert ward > average
    assert at["linkage"] == at["ward"]  # a factor stands on its first level's row


def test_axes_name_quantity_and_unit() -> None:
    """Shares are in percent, agreement has no unit, and the sentence of the card is there."""
    for response, index in (("ARI", "adjusted Rand index"), ("element-centric", "similarity")):
        found = make_influence(response=response)
        _, _, marks = layout_choices(found, FigureSettings())
        text = " ".join(words(marks))
        assert "share of the variance (%)" in text
        assert index in text
        assert "(no unit)" in text
        assert found.influence.sentence in text


@pytest.mark.parametrize("width_mm", [80.0, 210.0])
@pytest.mark.parametrize("size", [4.0, 14.0])
@pytest.mark.parametrize(
    "found",
    [
        make_influence(),
        make_influence({LONG: (LONG, LONG + "s", "x" * 99), "b": ("1",)}),
        make_influence(shares=(0.0, -0.1), totals=(NAN, NAN), half=0.0),
        make_influence({"only": ("a", "b")}, shares=(1.0,), totals=(1.3,)),
    ],
    ids=["plain", "long", "nothing", "one"],
)
def test_choices_are_neither_clipped_nor_overlapping(
    found: Any, size: float, width_mm: float
) -> None:
    """Long names are shortened; a page too narrow is made wider."""
    figure = draw_choices(found, FigureSettings(font_size_pt=size, width_mm=width_mm))
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_a_level_without_a_mean_has_a_dash() -> None:
    """No dot is drawn where no number is."""
    found = make_influence()
    factor = found.influence.factors[0]
    level = replace(factor.levels[0], mean=replace(factor.levels[0].mean, value=NAN))
    factors = (replace(factor, levels=(level,)),)
    blank = replace(found, influence=replace(found.influence, factors=factors))
    _, _, marks = layout_choices(blank, FigureSettings())
    assert marks.dots == ()
    assert "–" in words(marks)


def test_survey_mean_and_range_stand_where_their_numbers_are() -> None:
    """Each measure has a scale of its own, from 0 to a little beyond the greatest value."""
    null = make_null(value=1.0, mean=0.5, low=0.25, high=0.75)
    marks, _ = mark_nulls([null], 6.5, left=0.0, right=400.0, top=0.0, has_axes=True)
    dots = {dot.shape: dot.x for dot in marks.dots}
    thick = next(stroke for stroke in marks.strokes if stroke.width == 3.0)
    rail = next(stroke for stroke in marks.strokes if stroke.is_behind and stroke.width == 0.4)
    start, end = sorted(x for x, _ in rail.points)
    unit = (end - start) / 1.08
    assert dots["diamond"] == pytest.approx(start + unit)
    assert dots["open"] == pytest.approx(start + 0.5 * unit)
    assert [x for x, _ in thick.points] == pytest.approx([start + 0.25 * unit, start + 0.75 * unit])


def test_measures_are_gathered_and_corpora_named() -> None:
    """Shuffled terms and one topic stand below one another under each measure."""
    groups = group_nulls(make_nulls())
    assert [[null.corpus for null in group] for group in groups] == [["shuffled", "one-topic"]] * 2
    _, _, marks = layout_nulls(make_nulls(), FigureSettings())
    found = words(marks)
    assert found.count("shuffled terms") == found.count("one topic") == 2
    assert found.count("0.048") == 4
    assert "0.32 (0.28 to 0.37)" in found
    assert "0.004 (-0.003 to 0.006)" in found  # small values keep their digits
    assert "20 of shuffled terms, 20 of one topic" in " ".join(found)


@pytest.mark.parametrize("width_mm", [80.0, 210.0])
@pytest.mark.parametrize("size", [4.0, 14.0])
@pytest.mark.parametrize(
    "nulls",
    [
        make_nulls(),
        [make_null("a measure with a title that goes on and on " * 4)],
        [make_null(value=0.0, mean=0.0, low=0.0, high=0.0)],
        [make_null(value=-0.5, mean=-0.4, low=-0.6, high=-0.3, p_value=0.0001)],
    ],
    ids=["plain", "long", "zero", "negative"],
)
def test_nulls_are_neither_clipped_nor_overlapping(
    nulls: Any, size: float, width_mm: float
) -> None:
    """Equal and negative values have scales too."""
    figure = draw_nulls(nulls, FigureSettings(font_size_pt=size, width_mm=width_mm))
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_without_nulls_the_figure_is_refused() -> None:
    """The message says why there is nothing to draw."""
    with pytest.raises(ParameterError, match="no null corpus was run"):
        layout_nulls([], FigureSettings())


def test_nan_is_no_share() -> None:
    """A scale of shares without any number still shows 10 %."""
    influence = make_influence(shares=(NAN, NAN), totals=(NAN, NAN)).influence
    scale = build_share_scale(influence, 0.0, 100.0, 6.5)
    assert (scale.low, scale.high) == (0.0, 10.0)
    assert not any(math.isnan(tick) for tick in scale.ticks)
