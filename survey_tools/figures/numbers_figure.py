"""How many clusters: a panel a method, with the survey's own number and the one chosen."""

from matplotlib.figure import Figure

from survey_tools.errors import ParameterError
from survey_tools.figures.curve_panel import mark_panel
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.number_panels import build_panels
from survey_tools.figures.pages import MARGIN_PT, page_size
from survey_tools.figures.style import wrap
from survey_tools.robustness.numbers import NumberOfClusters
from survey_tools.settings import FigureSettings

__all__ = ["draw_numbers", "has_numbers", "layout_numbers"]

_LEAST_PANEL_EMS = 26.0
_GUTTER_EMS = 2.5
_NOTE = (
    "Upright lines: full, the survey's own number of clusters; dashed, the number that the method "
    "chooses of those tried."
)


def has_numbers(numbers: NumberOfClusters) -> bool:
    """Whether any method was run that tells the number of clusters."""
    return bool(build_panels(numbers, None))


def draw_numbers(numbers: NumberOfClusters, own: int | None, settings: FigureSettings) -> Figure:
    """Draw what every method says of the number of clusters; see `layout_numbers`."""
    width, height, marks = layout_numbers(numbers, own, settings)
    return draw_marks(width, height, marks)[0]


def layout_numbers(
    numbers: NumberOfClusters, own: int | None, settings: FigureSettings
) -> tuple[float, float, Marks]:
    """Compute where everything stands: panels in two columns, or in one on a narrow page.

    Parameters
    ----------
    own : int or None
        The survey's own number of clusters.

    Returns
    -------
    width, height : float
        In points.
    marks : Marks

    Raises
    ------
    ParameterError
        If no method was run.
    """
    panels = build_panels(numbers, own)
    if not panels:
        raise ParameterError("no method was run that tells the number of clusters")
    size = settings.font_size_pt
    gutter, least = _GUTTER_EMS * size, _LEAST_PANEL_EMS * size
    inner = max(page_size(settings)[0] - 2 * MARGIN_PT, least)
    n_columns = 2 if inner >= 2 * least + gutter and len(panels) > 1 else 1
    width = (inner - (n_columns - 1) * gutter) / n_columns
    first, last = numbers.n_clusters[0], numbers.n_clusters[-1]
    title = f"How many clusters: {first} to {last} were tried"
    head, top = write_block(wrap(title, inner, size), MARGIN_PT, MARGIN_PT, size)
    parts = [Marks(texts=head)]
    for start in range(0, len(panels), n_columns):
        top += size
        ends = []
        for i, panel in enumerate(panels[start : start + n_columns]):
            left = MARGIN_PT + i * (width + gutter)
            marks, end = mark_panel(panel, size, left=left, right=left + width, top=top)
            parts.append(marks)
            ends.append(end)
        top = max(ends)
    note, bottom = write_block(wrap(_NOTE, inner, size), MARGIN_PT, top + size, size)
    parts.append(Marks(texts=note))
    return inner + 2 * MARGIN_PT, bottom + MARGIN_PT, join_marks(parts)
