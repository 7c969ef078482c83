"""Curves of numbers against a mask ratio, with intervals, one panel below the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from survey_tools.errors import ParameterError
from survey_tools.figures.curve_panel import Curve, CurvePanel, mark_panel
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.style import PALETTE, wrap
from survey_tools.settings import FigureSettings

__all__ = ["RatioCurve", "RatioPanel", "draw_ratio_panels", "layout_ratio_panels"]

# one more than there are colours, so that their pairs differ for longer than each does
_DASHES = (
    (), (4.0, 2.0), (1.0, 1.5), (6.0, 2.0, 1.0, 2.0), (2.0, 2.0), (8.0, 3.0),
    (6.0, 2.0, 1.0, 2.0, 1.0, 2.0),
)  # fmt: skip
_BEYOND = 0.05  # of the span of the values, left white at the upper end


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioCurve:
    """A named curve; ``low`` and ``high`` bound an interval, None where there is none."""

    name: str
    ratios: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPanel:
    """Curves that share their axes; ``title`` names quantity, method and unit."""

    title: str
    curves: tuple[RatioCurve, ...]


def draw_ratio_panels(
    panels: Sequence[RatioPanel], settings: FigureSettings, *, note: str = ""
) -> Figure:
    """Draw panels of curves; see `layout_ratio_panels`."""
    width, height, marks = layout_ratio_panels(panels, settings, note=note)
    return draw_marks(width, height, marks)[0]


def layout_ratio_panels(
    panels: Sequence[RatioPanel], settings: FigureSettings, *, note: str = ""
) -> tuple[float, float, Marks]:
    """Compute where everything stands; curves differ by colour and by dashes.

    Returns
    -------
    width, height : float
        In points.
    marks : Marks

    Raises
    ------
    ParameterError
        If there is no panel, or one without a curve.
    """
    if not panels or not all(panel.curves for panel in panels):
        raise ParameterError("there are no curves to draw")
    size, width = settings.font_size_pt, page_size(settings)[0]
    y = MARGIN_PT
    parts = []
    for panel in panels:
        marks, y = mark_panel(_build(panel), size, left=MARGIN_PT, right=width - MARGIN_PT, top=y)
        parts.append(marks)
        y += 2 * PAD_PT
    if note:
        texts, y = write_block(wrap(note, width - 2 * MARGIN_PT, size), MARGIN_PT, y, size)
        parts.append(Marks(texts=texts))
    return width, y + MARGIN_PT, join_marks(parts)


def _build(panel: RatioPanel) -> CurvePanel:
    ends = [
        value
        for curve in panel.curves
        for value in (*curve.values, *curve.low, *curve.high)
        if value is not None
    ]
    low, high = min(0.0, *ends), max(ends)
    return CurvePanel(
        title=panel.title,
        x_title="mask ratio (share of the patches that are masked)",
        x_limits=(0.0, 1.0),
        y_limits=(low, high + _BEYOND * (high - low)),
        curves=tuple(
            Curve(
                name=curve.name,
                x=curve.ratios,
                y=curve.values,
                colour=PALETTE[i % len(PALETTE)],
                dash=_DASHES[i % len(_DASHES)],
                errors=tuple(map(_half, curve.low, curve.high)),
                is_dotted=True,
            )
            for i, curve in enumerate(panel.curves)
        ),
    )


def _half(low: float | None, high: float | None) -> float:
    return float("nan") if low is None or high is None else (high - low) / 2.0
