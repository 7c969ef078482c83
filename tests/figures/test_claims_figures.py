"""The figures of claims: every value stands at its place, intervals only where there are any."""

import pytest

from survey_tools.errors import ParameterError
from survey_tools.figures.claims_bars import Bar, BarBlock, layout_bars
from survey_tools.figures.claims_curves import RatioCurve, RatioPanel, layout_ratio_panels
from survey_tools.figures.marks import Marks
from survey_tools.settings import FigureSettings

SETTINGS = FigureSettings()


def words(marks: Marks) -> list[str]:
    return [" ".join(text.lines) for text in marks.texts]


def test_bars_grow_with_their_values() -> None:
    """Twice the value, twice the length; the number stands at the right."""
    bars = (
        Bar(name="one", value=0.4, low=None, high=None),
        Bar(name="two", value=0.8, low=0.7, high=0.9),
    )
    blocks = [BarBlock(title="linear", bars=bars)]
    _, _, marks = layout_bars(blocks, SETTINGS, title="Scores", unit="share (no unit)")
    lengths = [patch.points[1][0] - patch.points[0][0] for patch in marks.patches]
    assert lengths[1] == pytest.approx(2 * lengths[0])
    assert {"one", "two", "0.400", "0.800", "linear", "Scores"} <= set(words(marks))
    _, _, without = layout_bars(
        [BarBlock(title="linear", bars=bars[:1])], SETTINGS, title="Scores", unit="share"
    )
    ticks = [s for s in without.strokes if not s.is_behind]
    assert all(min(y for _, y in s.points) > without.patches[0].points[0][1] for s in ticks)


def test_curves_are_named_and_have_a_dot_a_ratio() -> None:
    """An interval is drawn for the point that has one."""
    curve = RatioCurve(
        name="linear", ratios=(0.25, 0.75), values=(0.4, 0.6), low=(0.3, None), high=(0.5, None)
    )
    panel = RatioPanel(title="Scores", curves=(curve,))
    width, height, marks = layout_ratio_panels([panel], SETTINGS, note="Bars: intervals.")
    assert len(marks.dots) == 2
    assert marks.dots[0].y > marks.dots[1].y  # the lower value stands lower
    upright = [s for s in marks.strokes if s.points[0][0] == s.points[1][0] == marks.dots[0].x]
    assert len([s for s in upright if s.width == 0.8]) == 1
    assert {"linear", "Scores", "Bars: intervals."} <= set(words(marks))
    assert all(0 <= dot.x <= width and 0 <= dot.y <= height for dot in marks.dots)


def test_nothing_to_draw_is_refused() -> None:
    """Rather than an empty page."""
    with pytest.raises(ParameterError, match="no bars"):
        layout_bars([], SETTINGS, title="", unit="")
    with pytest.raises(ParameterError, match="no curves"):
        layout_ratio_panels([], SETTINGS)
