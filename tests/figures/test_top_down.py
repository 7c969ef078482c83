"""The tree from top down: the same tree as from left to right, turned."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, leaf_texts, make_layout, make_tree, overlapping, trees
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from named_layouts import make_named_layout

from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

TaxonomyBuilder = Callable[..., Taxonomy]
LONG = "Self-supervised learning of masked images and of hidden tokens " * 3


def tree_axes(page: Figure) -> list[Axes]:
    return [ax for ax in page.axes if ax.axison]


def leaf_ends(page: Figure) -> dict[str, tuple[float, float]]:
    """Where the label of each paper is anchored, in points from the page's lower left corner."""
    found = {}
    for key, text in leaf_texts(page).items():
        assert isinstance(text.axes, Axes)
        x, y = text.axes.transData.transform(text.get_position())
        found[key] = (float(x), float(y))
    return found


@settings(max_examples=20)
@given(trees(), st.data())
def test_every_branch_to_a_leaf_ends_above_its_own_label(tree: Tree, data: st.DataObject) -> None:
    """A merge of a leaf has an end at height 0 straight above the leaf's label."""
    page_kind = data.draw(st.sampled_from(["tall", "a4"]))
    layout, _, _ = make_layout(tree, style="top-down", page=page_kind)
    (page,) = draw_dendrogram(layout)
    (ax,) = tree_axes(page)
    branches = ax.collections[0]
    assert isinstance(branches, LineCollection)
    places = leaf_ends(page)
    seen = []
    for children, line in zip(tree.children, branches.get_segments(), strict=True):
        for child, end in zip(children, (line[0], line[3]), strict=True):
            if child < tree.n_papers:
                key = tree.paper_keys[child]
                x, y = ax.transData.transform(end)
                assert end[1] == 0.0
                assert x == pytest.approx(places[key][0])
                assert y > places[key][1]
                seen.append(key)
    assert sorted(seen) == sorted(tree.paper_keys)


def test_the_root_is_at_the_top_and_the_first_leaf_on_the_left() -> None:
    """Heights rise upwards from 0; labels follow the leaf order from left to right."""
    tree = make_tree(7, 1)
    layout, _, _ = make_layout(tree, style="top-down")
    (page,) = draw_dendrogram(layout)
    (ax,) = tree_axes(page)
    low, high = ax.get_ylim()
    assert low == 0.0
    assert tree.heights.max() < high < 1.1 * tree.heights.max()
    places = leaf_ends(page)
    assert sorted(places, key=lambda key: places[key][0]) == list(tree.keys_in_leaf_order)
    assert " ".join(ax.get_ylabel().split()) == layout.axis_label


def test_labels_are_rotated_and_end_at_the_tree() -> None:
    """Long and short titles alike reach up to one line below the strips."""
    titles = ["Short", LONG, "Of middle length", "x"]
    layout, _, _ = make_layout(make_tree(4, 1), titles, style="top-down")
    (page,) = draw_dendrogram(layout)
    boxes = drawn_texts(page)
    tops = []
    for text in leaf_texts(page).values():
        assert text.get_rotation() == 90
        tops.append(boxes[text].y1)
    assert max(tops) - min(tops) < 1.0


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("names_style", ["brackets", "bands", "labels"])
@pytest.mark.parametrize("page", ["tall", "a4", "letter"])
def test_nothing_is_clipped_and_nothing_overlaps_top_down(
    page: str, names_style: str, columns: int, make_taxonomy: TaxonomyBuilder
) -> None:
    """Titles, codes, strips, names and legend lie on the page and apart."""
    labels = ["pixels of the raw image", "tokens", "views"]
    filed = {f"p{i}": {"what is $x$": [labels[i % 3]]} for i in range(9)}
    layout = make_named_layout(
        make_tree(12, 1),
        {
            "first": ("p0", "p1"),
            "a sub-tree with a name that is far too long for one line": ("p2", "p3", "p4"),
            "everything": tuple(f"p{i}" for i in range(12)),
        },
        names_style,
        titles=[LONG, "$x^2$", "", "x" * 120, *(f"A title of paper {i}" for i in range(8))],
        n_clusters=10,
        taxonomy=make_taxonomy({"what is $x$": labels, "learnt": ["yes"]}, filed),
        style="top-down",
        page=page,
        columns=columns,
        width_mm=260,
        font_size_pt=6 if columns == 1 else 5,
    )
    for figure in draw_dendrogram(layout):
        assert clipped(figure) == []
        assert overlapping(drawn_texts(figure)) == []


def test_fixed_pages_lie_on_their_side_and_hold_every_leaf_once() -> None:
    """A4 is 297 mm wide; a long survey goes on in the next page."""
    tree = make_tree(120, 4)
    layout, _, _ = make_layout(
        tree, style="top-down", page="a4", font_size_pt=12, min_font_size_pt=12
    )
    pages = draw_dendrogram(layout)
    assert len(pages) > 1
    for page in pages:
        np.testing.assert_allclose(page.get_size_inches() * 25.4, [297, 210])
    keys = [key for page in pages for key in leaf_ends(page)]
    assert keys == list(tree.keys_in_leaf_order)


def test_a_page_as_wide_as_needed_grows_with_its_leaves() -> None:
    """Twice the leaves take about twice the width and the same height."""
    sizes: list[Any] = []
    for n_papers in (100, 200):
        layout, _, _ = make_layout(make_tree(n_papers, 1), style="top-down")
        (page,) = draw_dendrogram(layout)
        sizes.append(page.get_size_inches())
    assert 1.8 < sizes[1][0] / sizes[0][0] < 2.1
    assert sizes[1][1] == pytest.approx(sizes[0][1], rel=0.02)  # but for the legend


def test_pages_as_wide_as_needed_are_no_higher_than_short_labels_ask() -> None:
    """Keys instead of long titles save height: no blank strip is left below them."""
    tree = make_tree(40, 1)
    titles = [LONG] * 40
    wide = [
        make_layout(tree, titles, style="top-down", leaf_label=label)[0].paper_size[1]
        for label in ("title", "key")
    ]
    assert wide[1] < wide[0]


def test_a_strip_stands_in_a_row_between_tree_and_labels(make_taxonomy: TaxonomyBuilder) -> None:
    """The title of a strip is upright, left of its row, above all labels and below the tree."""
    taxonomy = make_taxonomy({"hue": ["red", "blue"]}, {"p0": {"hue": ["red"]}})
    layout, _, _ = make_layout(make_tree(5, 1), taxonomy=taxonomy, style="top-down")
    (page,) = draw_dendrogram(layout)
    boxes = drawn_texts(page)
    (title,) = [text for text in boxes if text.get_text() == "Hue"]
    assert title.get_rotation() == 0
    (ax,) = tree_axes(page)
    tree_bottom = ax.get_window_extent().y0
    for text in leaf_texts(page).values():
        assert boxes[text].y1 < boxes[title].y0 + 1.0
        assert boxes[text].x0 > boxes[title].x1
    assert boxes[title].y1 < tree_bottom


def test_few_leaves_stand_further_apart_to_fill_their_page() -> None:
    """Sixty leaves that need less than the width of A4 take all of it; ten take 1.6 times more."""
    layouts = [
        make_layout(make_tree(n, 1), style="top-down", page="a4", leaf_label="key")[0]
        for n in (60, 10)
    ]
    ends = [layout.rows[-1].bottom for layout in layouts]
    room = layouts[0].page_height - layouts[0].grid.panel_top - layouts[0].grid.foot
    assert ends[0] == pytest.approx(room, abs=1.5)
    assert ends[1] == pytest.approx(1.6 * 10 * 6.5 * (1.2 + 0.35))
    assert layouts[0].n_pages == 1
