"""How many clusters: curves are the numbers of the records, own and chosen numbers are marked."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, overlapping
from robustness_records import NO_NUMBERS, make_numbers

from survey_tools.errors import ParameterError
from survey_tools.figures.curve_panel import Curve, CurvePanel, LineAt, mark_panel
from survey_tools.figures.number_panels import build_panels
from survey_tools.figures.numbers_figure import draw_numbers, has_numbers, layout_numbers
from survey_tools.figures.style import PALETTE
from survey_tools.robustness.numbers import NumberOfClusters
from survey_tools.settings import FigureSettings

NUMBERS = make_numbers()


def panel_of(numbers: NumberOfClusters, title: str, own: int | None = 4) -> CurvePanel:
    (found,) = [p for p in build_panels(numbers, own) if p.title.startswith(title)]
    return found


def test_curves_are_the_numbers_of_the_records() -> None:
    """PAC, gap and silhouette of the survey, and of shuffled corpora beside them."""
    assert NUMBERS.ambiguity is not None
    assert NUMBERS.relative is not None
    assert NUMBERS.gap is not None
    own, null = panel_of(NUMBERS, "PAC").curves
    assert own.x == (2, 3, 4, 5)
    np.testing.assert_array_equal(own.y, NUMBERS.ambiguity.pac)
    np.testing.assert_array_equal(null.y, NUMBERS.relative.null_pac)
    (gap,) = panel_of(NUMBERS, "Gap").curves
    np.testing.assert_array_equal(gap.y, NUMBERS.gap.gaps)
    np.testing.assert_array_equal(gap.errors, NUMBERS.gap.standard_errors)
    silhouette = panel_of(NUMBERS, "Mean silhouette")
    np.testing.assert_array_equal(silhouette.curves[0].y, NUMBERS.silhouettes)
    np.testing.assert_allclose(silhouette.curves[1].y, np.array(NUMBERS.silhouettes) * 0.2)
    (band,) = silhouette.bands
    np.testing.assert_allclose([band.low, band.high], np.outer([0.1, 0.3], NUMBERS.silhouettes))


def test_own_and_chosen_numbers_have_a_line_with_words() -> None:
    """The survey's own line is full; a number that two methods choose has one line."""
    lines = {line.x: line for line in panel_of(NUMBERS, "PAC").lines}
    assert lines[4.0].text == "survey: 4"
    assert lines[4.0].is_own
    chosen = NUMBERS.ambiguity.chosen if NUMBERS.ambiguity else None
    assert f"least PAC: {chosen}" in lines[float(chosen or 0)].text
    assert not lines[5.0].is_own
    both = {line.x: line.text for line in panel_of(NUMBERS, "PAC", own=chosen).lines}
    assert f"survey: {chosen}, least PAC: {chosen}" in both[float(chosen or 0)]


def test_an_open_gap_says_so() -> None:
    """Where no number stops the rule, more clusters may be better still."""
    assert NUMBERS.gap is not None
    assert NUMBERS.gap.is_open
    assert "gap: 5 or more" in [line.text for line in panel_of(NUMBERS, "Gap").lines]


@pytest.mark.parametrize("own", [None, 1, 99])
def test_an_own_number_that_was_not_tried_has_no_line(own: int | None) -> None:
    """A method that finds the number itself has none of its own."""
    assert not any(line.is_own for line in panel_of(NUMBERS, "PAC", own=own).lines)


def test_consensus_curves_are_few_and_name_what_they_are() -> None:
    """The survey's own number, the chosen ones, the ends and the middle, by rising number."""
    numbers = make_numbers(tuple(range(2, 31)))
    assert numbers.ambiguity is not None
    panel = panel_of(numbers, "Consensus CDF", own=4)
    names = [curve.name for curve in panel.curves]
    shown = [int(name.split()[0]) for name in names]
    assert shown == sorted(shown)
    assert {2, 4, 30, numbers.ambiguity.chosen} <= set(shown)
    assert len(shown) <= 5
    assert "4 clusters (survey)" in names
    assert len({curve.dash for curve in panel.curves}) == len(shown)
    np.testing.assert_array_equal(panel.curves[0].y, numbers.ambiguity.cdf[0])
    (band,) = panel.bands
    assert band.x == (0.1, 0.9)


def test_what_was_not_run_has_no_panel() -> None:
    """Each method goes alone."""
    assert build_panels(NO_NUMBERS, 4) == ()
    assert not has_numbers(NO_NUMBERS)
    assert has_numbers(NUMBERS)
    lone = {
        "ambiguity": ("PAC", "Consensus CDF"),
        "gap": ("Gap",),
        "silhouettes": ("Mean silhouette",),
    }
    for field, titles in lone.items():
        numbers = (
            replace(NO_NUMBERS, **{field: getattr(NUMBERS, field)}, n_clusters=NUMBERS.n_clusters)
            if field == "silhouettes"
            else replace(NO_NUMBERS, **{field: getattr(NUMBERS, field)})
        )
        panels = build_panels(numbers, 4)
        assert len(panels) == len(titles)
        assert all(p.title.startswith(title) for p, title in zip(panels, titles, strict=True))


def test_no_method_at_all_is_refused() -> None:
    """The message says why there is nothing to draw."""
    with pytest.raises(ParameterError, match="no method was run that tells the number"):
        layout_numbers(NO_NUMBERS, 4, FigureSettings())


def test_impossible_numbers_break_the_line() -> None:
    """Where the silhouette has no value nothing is drawn, and the rest stays in place."""
    numbers = replace(NUMBERS, silhouettes=(0.01, None, 0.02, 0.03))
    curve = panel_of(numbers, "Mean silhouette").curves[0]
    panel = CurvePanel(
        title="t", x_title="x", x_limits=(2.0, 5.0), y_limits=(0.0, 0.05), curves=(curve,)
    )
    marks, _ = mark_panel(panel, 6.5, left=0.0, right=300.0, top=0.0)
    drawn = [s for s in marks.strokes if s.colour == PALETTE[0] and s.width == 1.1]
    assert [len(stroke.points) for stroke in drawn] == [2, 2]  # the legend's sample; 4 to 5
    assert len(marks.dots) == 3


def test_numbers_of_clusters_have_whole_ticks() -> None:
    """Two and a half clusters are none."""
    _, _, marks = layout_numbers(
        replace(NO_NUMBERS, gap=NUMBERS.gap), 4, FigureSettings(width_mm=300)
    )
    ticks = [line for text in marks.texts for line in text.lines if line.startswith("2.")]
    assert ticks == []


def test_error_bars_reach_a_standard_error_to_both_sides() -> None:
    """An error of 1 on a scale of 10 over 17 ems is 1.7 ems each way."""
    curve = Curve(name="c", x=(1.0, 2.0), y=(5.0, 6.0), colour="k", errors=(1.0, 0.5))
    panel = CurvePanel(
        title="t", x_title="x", x_limits=(1.0, 2.0), y_limits=(0.0, 10.0), curves=(curve,)
    )
    marks, _ = mark_panel(panel, 10.0, left=0.0, right=300.0, top=0.0)
    bars = [stroke for stroke in marks.strokes if stroke.width == 0.8]
    assert [abs(s.points[1][1] - s.points[0][1]) for s in bars] == pytest.approx([34.0, 17.0])


def test_labels_of_lines_side_by_side_keep_apart() -> None:
    """Lines at one place have their words beside one another, or in rows where too long."""
    lines = tuple(LineAt(x=5.0 + 0.1 * i, text=f"a longer word {i}") for i in range(6))
    panel = CurvePanel(
        title="t", x_title="x", x_limits=(0.0, 10.0), y_limits=(0.0, 1.0), curves=(), lines=lines
    )
    marks, _ = mark_panel(panel, 6.5, left=10.0, right=250.0, top=10.0)
    places = [(t.x, t.y) for t in marks.texts if t.lines[0].startswith("a longer")]
    assert len(set(places)) == 6
    assert len({y for _, y in places}) > 1


@pytest.mark.parametrize("width_mm", [80.0, 300.0])
@pytest.mark.parametrize("size", [4.0, 14.0])
@pytest.mark.parametrize("last", [3, 5, 40])
def test_nothing_is_clipped_and_nothing_overlaps(width_mm: float, size: float, last: int) -> None:
    """Panels stand in one column or two."""
    numbers: Any = make_numbers(tuple(range(2, last + 1)))
    settings = FigureSettings(width_mm=width_mm, font_size_pt=size)
    figure = draw_numbers(numbers, 3, settings)
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_one_number_alone_can_be_drawn() -> None:
    """A curve of one point is a dot, a band of one place is still seen."""
    numbers = make_numbers((2,))
    figure = draw_numbers(numbers, 2, FigureSettings())
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []
