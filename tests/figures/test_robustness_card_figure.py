"""The robustness card: one page on which everything stands, whatever a survey has."""

import re

import pytest
from examples import clipped, drawn_texts, overlapping
from robustness_records import (
    make_card,
    make_full_card,
    make_influence,
    make_target,
    make_variant,
)

from survey_tools.figures.marks import Marks
from survey_tools.figures.robustness_card import draw_card, layout_card
from survey_tools.figures.style import PALETTE, render_svg
from survey_tools.robustness.card import RobustnessCard
from survey_tools.settings import FigureSettings

LONG = "a sub-tree with a name that goes on and on, with $maths$ and under_scores, up to {}"
MANY_FACTORS = {f"factor_{i}": tuple(f"level {j}" for j in range(4)) for i in range(12)}
CARDS = {
    "all": make_full_card(),
    "18 names and 18 clusters": make_full_card(n_names=18, n_clusters=18),
    "no name": make_full_card(n_names=0, n_clusters=60),
    "too many": make_full_card(n_names=20, n_clusters=300, name=LONG),
    "long": make_full_card(
        n_names=18,
        n_clusters=18,
        name=LONG,
        title="A survey with a title that goes on and on, " * 9,
        influences=(make_influence(MANY_FACTORS, shares=[0.05] * 12, totals=[0.06] * 12),),
        variants=tuple(make_variant(f"variant {i} of a reviewer") for i in range(40)),
    ),
    "one word": make_full_card(name="x" * 200 + "{}"),
    "nothing beside": make_card([make_target("C1")]),
    "no runs": make_card([make_target("C1", families=(), au=None, verdict="not tested")]),
    "no cluster": make_card([]),
}


def read(marks: Marks) -> str:
    return " ".join(line for text in marks.texts for line in text.lines)


@pytest.mark.parametrize("sizes", [(6.5, 5.0), (14.0, 14.0)])
@pytest.mark.parametrize("name", list(CARDS))
def test_everything_stands_on_one_a4_page(name: str, sizes: tuple[float, float]) -> None:
    """Nothing leaves the page and no text covers another."""
    settings = FigureSettings(font_size_pt=sizes[0], min_font_size_pt=sizes[1], width_mm=80)
    figure = draw_card(CARDS[name], settings)
    assert tuple(figure.get_size_inches() * 25.4) == pytest.approx((210.0, 297.0))
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_clusters_without_room_are_counted_and_named_ones_stay() -> None:
    """Rows that are drawn and rows that are left out add up to all rows."""
    card = CARDS["too many"]
    marks = layout_card(card, FigureSettings())
    said = re.search(r"(\d+) of (\d+) rows are left out", read(marks))
    assert said is not None
    assert int(said[2]) == 320
    rows = {line for text in marks.texts for line in text.lines if re.fullmatch(r"C\d+", line)}
    words = [text.lines[0] for text in marks.texts]
    n_verdicts = sum(words.count(word) for word in ("robust", "fragile", "vanished"))
    n_verdicts += words.count("not in the tree") + words.count("not tested")
    assert n_verdicts == 320 - int(said[1])
    assert "in the figure “stability” and in tables/clusters.csv" in read(marks)
    sizes = {found.target.name: len(found.target.paper_keys) for found in card.clusters}
    papers = {row: sizes[row] for row in rows if row != "C1"}  # the home of fragile papers
    left_out = [n for name, n in sizes.items() if name not in papers]
    assert min(papers.values()) >= max(left_out)
    assert all(f"up to {i}" in read(marks) for i in range(20))


def test_nothing_is_said_of_rows_left_out_where_all_fit() -> None:
    """18 names and 18 clusters are all there."""
    marks = layout_card(CARDS["18 names and 18 clusters"], FigureSettings())
    assert "left out" not in read(marks)
    written = [text.lines[0] for text in marks.texts]
    for i in range(18):
        assert written.count(f"C{i + 1}") >= 1
        assert written.count(f"name {i}") == 1


@pytest.mark.parametrize(
    ("given", "drawn"), [(6.5, 6.5), (14.0, 8.0), (4.5, 4.5)], ids=["set", "largest", "small"]
)
def test_text_has_the_size_of_the_settings_and_8_points_at_most(given: float, drawn: float) -> None:
    """A card of few clusters needs no smaller text."""
    settings = FigureSettings(font_size_pt=given, min_font_size_pt=3.0)
    marks = layout_card(CARDS["nothing beside"], settings)
    assert {text.size for text in marks.texts} == {drawn, 1.8 * drawn}


def test_verdicts_are_counted_in_words() -> None:
    """Names and clusters, which stand in the table, are not listed once more above it."""
    verdicts = ("robust", "robust", "fragile", "not in the reference")
    names = [
        make_target(f"n{i}", kind="name", verdict=verdict) for i, verdict in enumerate(verdicts)
    ]
    marks = layout_card(make_card([*names, make_target("C1")]), FigureSettings())
    assert "2 robust, 1 fragile, 1 not in the survey's own tree; 4 in all." in read(marks)
    assert "1 robust; 1 in all." in read(marks)


def test_shape_colour_and_word_say_the_same_verdict() -> None:
    """Every verdict has its own mark, twice or more in its row: in words and at each mean."""
    verdicts = {
        "robust": ("full", PALETTE[0]),
        "fragile": ("half", PALETTE[4]),
        "vanished": ("open", PALETTE[1]),
    }
    for verdict, look in verdicts.items():
        marks = layout_card(make_card([make_target("C1", verdict=verdict)]), FigureSettings())
        assert {(dot.shape, dot.colour) for dot in marks.dots} == {look}
        assert verdict in [text.lines[0] for text in marks.texts]


def test_other_choices_are_those_that_the_rule_asks_for() -> None:
    """Where none of these was run, the card shows the others."""
    titles = {}
    for family in ("one choice", "all choices"):
        card = make_card([make_target("C1", families=(family, "papers"))])
        titles[family] = read(layout_card(card, FigureSettings()))
    assert "one other choice" in titles["one choice"]
    assert "any other choices" not in titles["one choice"]
    assert "any other choices" in titles["all choices"]
    assert "other terms" not in titles["all choices"]


def test_rule_setting_and_runs_stand_at_the_foot() -> None:
    """Failed runs are told with their reason, each sentence once."""
    card: RobustnessCard = make_card([make_target("C1")], n_failed=2)
    text = read(layout_card(card, FigureSettings()))
    assert card.rule in text
    assert "ngrams 1-1, min df 2" in text
    assert text.count("12 in all") == 1
    assert "2 runs failed: 3 of 12 papers have no term left" in text


def test_fragile_papers_stand_with_home_and_share() -> None:
    """Key, home and mean share at home stand on one line."""
    marks = layout_card(CARDS["all"], FigureSettings())
    at = {text.lines[0]: text for text in marks.texts}
    row = [text.lines[0] for text in marks.texts if text.y == at["berg2022pixel"].y]
    assert row[-3:] == ["berg2022pixel", "C1", "15 %"]


def test_the_same_card_gives_the_same_bytes() -> None:
    """Nothing of a page depends on chance or on the time of day."""
    pages = [render_svg(draw_card(CARDS["all"], FigureSettings()), salt="card") for _ in range(2)]
    assert pages[0] == pages[1]
