"""The stability of clusters: means on their scales, chance, verdicts, rows dealt to pages."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from examples import clipped, drawn_texts, overlapping
from robustness_records import make_card, make_full_card, make_target

from survey_tools.errors import ParameterError
from survey_tools.figures.marks import Marks
from survey_tools.figures.stability_columns import divide_stability, group_targets
from survey_tools.figures.stability_figure import draw_stability, layout_stability
from survey_tools.figures.stability_rows import explain_rows, mark_rows
from survey_tools.settings import FigureSettings, RobustnessRule

FAMILIES: Any = ("one choice", "all choices", "papers", "terms")


def mark(*targets: Any, **rule: Any) -> tuple[Any, Marks]:
    groups = group_targets((), targets)
    columns = divide_stability(groups, FAMILIES, 6.5, left=20.0, right=500.0)
    marks, _ = mark_rows(groups, columns, RobustnessRule(**rule), 6.5, top=20.0)
    return columns, marks


def test_dots_stand_at_the_mean_of_each_family() -> None:
    """A mean of 0.8 stands at four fifths of every track, on the row of its name."""
    columns, marks = mark(make_target("C1", jaccard=0.8))
    y = next(text.y for text in marks.texts if text.lines == ("C1",))
    dots = [dot for dot in marks.dots if dot.size == pytest.approx(0.6 * 6.5)]
    expected = [track.start + 0.8 * (track.end - track.start) for track in columns.tracks]
    assert [dot.x for dot in dots] == pytest.approx(expected)
    assert [dot.y for dot in dots] == pytest.approx([y] * 4)


def test_the_threshold_and_chance_are_marked_on_every_track() -> None:
    """The dashed line stands at the rule's limit, the grey tick at what chance gives."""
    columns, marks = mark(make_target("C1", by_chance=0.3), min_jaccard=0.6)
    dashed = [stroke for stroke in marks.strokes if stroke.dash]
    ticks = [
        stroke
        for stroke in marks.strokes
        if stroke.width == 1.2 and stroke.points[0][0] == stroke.points[1][0]
    ]
    for strokes, value in ((dashed, 0.6), (ticks, 0.3)):
        found = [stroke.points[0][0] for stroke in strokes]
        assert found == pytest.approx([track.place(value) for track in columns.tracks])


def test_without_chance_there_is_no_tick_and_none_is_explained() -> None:
    """Where no shuffled corpus was run, no level by chance is drawn."""
    target = make_target("C1", by_chance=None)
    columns, marks = mark(target)
    assert not [s for s in marks.strokes if s.width == 1.2 and s.points[0][0] == s.points[1][0]]
    assert "chance" not in explain_rows(columns, [target], RobustnessRule())


def test_families_without_runs_have_no_column() -> None:
    """Of a family that one row alone lacks, the row has a dash."""
    columns, marks = mark(
        make_target("C1", families=("papers",)), make_target("C2", families=("papers", "terms"))
    )
    assert columns.families == ("papers", "terms")
    y = next(text.y for text in marks.texts if text.lines == ("C1",))
    assert [t.lines[0] for t in marks.texts if t.y == y and t.lines[0] in ("–", "60 %")] == [
        "60 %",
        "–",
    ]


def test_au_has_digits_enough_to_tell_it_from_the_limit() -> None:
    """0.9475 is below 0.95, and must not be written as 0.95."""
    _, marks = mark(make_target("C1", au=0.9475))
    assert "0.948" in [text.lines[0] for text in marks.texts]
    columns, marks = mark(make_target("C1", au=None))
    assert columns.au_right is None
    assert "AU" not in [text.lines[0] for text in marks.texts]


def test_heads_name_the_family_and_its_runs() -> None:
    """The most runs that any row has are those of the family."""
    few = make_target("C1")
    many = replace(few, families={k: replace(v, n_runs=1234) for k, v in few.families.items()})
    columns, marks = mark(few, many)
    assert columns.n_runs == (1234,) * 4
    assert [text.lines[0] for text in marks.texts].count("1,234 runs") == 4


@pytest.mark.parametrize("page", ["tall", "a4"])
@pytest.mark.parametrize("width_mm", [80.0, 210.0])
@pytest.mark.parametrize("size", [4.0, 14.0])
@pytest.mark.parametrize("name", ["name {}", "a name that goes $on$ and_on, " * 3 + "up to {}"])
def test_nothing_is_clipped_and_nothing_overlaps(
    page: Any, width_mm: float, size: float, name: str
) -> None:
    """Long names are wrapped; a page too narrow for the columns is made wider."""
    card = make_full_card(n_names=9, n_clusters=25, name=name)
    settings = FigureSettings(page=page, width_mm=width_mm, font_size_pt=size)
    for figure in draw_stability(card, settings):
        assert clipped(figure) == []
        assert overlapping(drawn_texts(figure)) == []


def test_every_row_stands_on_one_page_and_headings_go_on() -> None:
    """200 clusters need several A4 pages, none with fewer rows than it could hold."""
    card = make_full_card(n_names=30, n_clusters=200)
    pages = layout_stability(card, FigureSettings(page="a4"))
    assert len(pages) > 2
    assert {round(height) for _, height, _ in pages} == {842}
    written = [[text.lines[0] for text in marks.texts] for _, _, marks in pages]
    rows = [text for page in written for text in page if re.fullmatch(r"C\d+|name \d+", text)]
    assert rows == [f"name {i}" for i in range(30)] + [f"C{i + 1}" for i in range(200)]
    for page in written[1:]:
        assert "Clusters of the cut (200), continued" in page
    counts = [sum(bool(re.fullmatch(r"C\d+", text)) for text in page) for page in written]
    assert all(later == earlier for earlier, later in pairwise(counts[1:-1]))


def test_a_tall_page_holds_all_rows() -> None:
    """However many rows, one page as tall as they need."""
    pages = layout_stability(make_full_card(n_clusters=200), FigureSettings())
    assert len(pages) == 1
    assert pages[0][1] > 200 * 6.5


def test_without_a_cluster_the_figure_is_refused() -> None:
    """The message says why there is nothing to draw."""
    with pytest.raises(ParameterError, match="no cluster was tested"):
        layout_stability(make_card([]), FigureSettings())
