"""The survey against corpora without structure, measure by measure."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from survey_tools.errors import ParameterError, count
from survey_tools.figures.marks import Marks, draw_marks, join_marks, write_block
from survey_tools.figures.null_rows import explain_nulls, group_nulls, least_width, mark_nulls
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.style import wrap
from survey_tools.robustness.null_comparison import NullComparison
from survey_tools.settings import FigureSettings

__all__ = ["draw_nulls", "layout_nulls"]


def draw_nulls(nulls: Sequence[NullComparison], settings: FigureSettings) -> Figure:
    """Draw the survey against null corpora; see `layout_nulls`."""
    width, height, marks = layout_nulls(nulls, settings)
    return draw_marks(width, height, marks)[0]


def layout_nulls(
    nulls: Sequence[NullComparison], settings: FigureSettings
) -> tuple[float, float, Marks]:
    """Compute where everything stands: a block a measure, each on a scale of its own.

    A page too narrow for the numbers is made wider than the settings say.

    Returns
    -------
    width, height : float
        In points.
    marks : Marks

    Raises
    ------
    ParameterError
        If there is no comparison.
    """
    if not nulls:
        raise ParameterError("no null corpus was run, so there is nothing to compare with")
    size = settings.font_size_pt
    inner = max(
        page_size(settings)[0] - 2 * MARGIN_PT,
        least_width(nulls, size, has_axes=True),
    )
    n_measures = count(len(group_nulls(nulls)), "measure")
    title = f"The survey against corpora without structure: {n_measures}"
    head, y = write_block(wrap(title, inner, size), MARGIN_PT, MARGIN_PT, size)
    rows, y = mark_nulls(
        nulls, size, left=MARGIN_PT, right=MARGIN_PT + inner, top=y + PAD_PT, has_axes=True
    )
    note, bottom = write_block(wrap(explain_nulls(nulls), inner, size), MARGIN_PT, y + PAD_PT, size)
    marks = join_marks([Marks(texts=(*head, *note)), rows])
    return inner + 2 * MARGIN_PT, bottom + MARGIN_PT, marks
