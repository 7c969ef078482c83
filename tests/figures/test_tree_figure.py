"""One entry for every style of the tree's figure."""

from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, leaf_texts, make_tree, overlapping
from matplotlib.figure import Figure

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures import tree_figure
from survey_tools.figures.tree_figure import choose_style, draw_tree
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

STYLES = ("left-right", "top-down", "circular", "collapsed", "overview", "heat-map")


def draw(tree: Tree, *, similarity: Any = None, **settings: Any) -> list[Figure]:
    papers = tuple(Paper(key=key, title=f"Title of paper {key}") for key in tree.paper_keys)
    return draw_tree(
        tree,
        Corpus(papers),
        cut(tree, 3),
        FigureSettings.model_validate(settings),
        similarity=similarity,
    )


def words_of(page: Figure) -> set[str]:
    return {text.get_text() for text in drawn_texts(page)}


@pytest.mark.parametrize(
    ("style", "n_papers", "expected"),
    [
        ("auto", 2000, "left-right"),
        ("auto", 2001, "overview"),
        ("left-right", 10_000, "left-right"),
        ("circular", 2, "circular"),
    ],
)
def test_only_a_survey_without_a_wish_is_drawn_by_its_size(
    style: str, n_papers: int, expected: str
) -> None:
    """Up to 2,000 papers a row each; beyond an overview, unless the user names a style."""
    settings = FigureSettings.model_validate({"style": style})
    assert choose_style(settings, n_papers) == expected


@pytest.mark.parametrize("style", STYLES)
def test_every_style_names_every_cluster_on_a_clean_page(style: str) -> None:
    """The three clusters are named, nothing is clipped, nothing overlaps."""
    (page,) = draw(make_tree(12, 1), style=style, similarity=np.eye(12))
    words = " ".join(words_of(page))
    assert all(name in words for name in ("C1", "C2", "C3"))
    assert clipped(page) == []
    assert overlapping(drawn_texts(page)) == []


@pytest.mark.parametrize("style", ["left-right", "top-down"])
def test_rows_of_several_pages_are_led_by_an_overview_of_them(style: str) -> None:
    """Page 1 shows no leaf and names all others; leaves stand once on pages numbered from 2."""
    tree = make_tree(150, 4)
    overview, *rows = draw(tree, style=style, page="a4", font_size_pt=12, min_font_size_pt=12)
    assert len(rows) > 1
    assert leaf_texts(overview) == {}
    for number, page in enumerate(rows, start=2):
        assert any(f"page {number}" in words for words in words_of(overview))
        assert f"page {number} of {len(rows) + 1}" in words_of(page)
    keys = [key for page in rows for key in leaf_texts(page)]
    assert keys == list(tree.keys_in_leaf_order)


def test_rows_on_one_page_need_no_overview() -> None:
    """A small survey is one page with all its leaves."""
    tree = make_tree(12, 1)
    (page,) = draw(tree)
    assert set(leaf_texts(page)) == set(tree.paper_keys)


def test_a_large_survey_gets_overview_and_collapsed_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a hundred pages: the tree without labels, then its sub-trees with counts."""
    monkeypatch.setattr(tree_figure, "MOST_PAPERS_IN_ROWS", 20)
    tree = make_tree(21, 1)
    auto, overview, collapsed = (
        [words_of(page) for page in draw(tree, style=style, n_shown=5)]
        for style in ("auto", "overview", "collapsed")
    )
    assert auto == [*overview, *collapsed]


def test_a_heat_map_without_similarities_is_refused() -> None:
    """The message says what is missing and what to do."""
    with pytest.raises(ParameterError, match=r"heat-map needs the similarities .* another style"):
        draw(make_tree(5), style="heat-map")
