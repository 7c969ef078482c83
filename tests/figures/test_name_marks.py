"""Marks of named sub-trees: bands, letters and names beside the papers they are about."""

from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, leaf_texts, make_tree, overlapping
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from named_layouts import make_named_layout

from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.tree import Tree


def tree_axes(page: Figure) -> Axes:
    (ax,) = (ax for ax in page.axes if ax.axison)
    return ax


def side_axes(page: Figure) -> Axes:
    (key, text), *_ = leaf_texts(page).items()
    assert isinstance(text.axes, Axes), key
    return text.axes


def bands_of(ax: Axes) -> list[PolyCollection]:
    """Return the hatched or tinted boxes of bands: those that are drawn behind branches."""
    return [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_zorder() < 0.5]


def nodes_of(tree: Tree, *sizes: int) -> list[Any]:
    """One node of each size, none inside another unless the sizes are nested by chance."""
    return [next(s for s in tree.subtrees() if len(s.paper_keys) == size) for size in sizes]


def test_a_band_covers_the_leaves_of_its_node_up_to_the_merge_height() -> None:
    """Its box reaches from height 0 to the merge and over the node's rows, no other."""
    tree = make_tree(12, 1)
    (node,) = nodes_of(tree, 3)
    layout = make_named_layout(tree, {"three": node.paper_keys}, "bands")
    (page,) = draw_dendrogram(layout)
    (band,) = bands_of(tree_axes(page))
    box = band.get_paths()[0].get_extents()
    assert sorted(box.intervalx) == [0.0, pytest.approx(node.height)]
    low, high = sorted(box.intervaly)
    inside = {row.paper_key for row in layout.rows if low < row.centre < high}
    assert inside == set(node.paper_keys)


def test_an_inner_band_is_drawn_over_the_outer_one_and_looks_different() -> None:
    """The smaller sub-tree comes later; tint and hatch tell the two apart."""
    tree = make_tree(12, 1)
    inner = next(s for s in tree.subtrees() if len(s.paper_keys) == 2)
    outer = tree.subtree(tree.root)
    names = {"in": inner.paper_keys, "all": outer.paper_keys}
    layout = make_named_layout(tree, names, "bands")
    (page,) = draw_dendrogram(layout)
    first, second = bands_of(tree_axes(page))
    heights = [band.get_paths()[0].get_extents().width for band in (first, second)]
    assert heights == [pytest.approx(outer.height), pytest.approx(inner.height)]
    assert first.get_hatch() != second.get_hatch()
    assert first.get_facecolor().tolist() != second.get_facecolor().tolist()


def test_labels_draw_neither_brackets_nor_bands() -> None:
    """Only a line leads from the rows to the name; the letter stands at the node."""
    tree = make_tree(9, 7)
    (node,) = nodes_of(tree, 3)
    layout = make_named_layout(tree, {"three": node.paper_keys}, "labels")
    (page,) = draw_dendrogram(layout)
    assert bands_of(tree_axes(page)) == []
    assert [text.get_text() for text in tree_axes(page).texts] == ["A"]
    lines = [
        line
        for collection in side_axes(page).collections
        if isinstance(collection, LineCollection)
        for line in collection.get_segments()
    ]
    (leader,) = lines
    assert len(leader) == 2
    rows = {row.paper_key: row for row in layout.rows}
    inside = [rows[key] for key in node.paper_keys]
    assert min(r.top for r in inside) < leader[0, 1] < max(r.bottom for r in inside)


@pytest.mark.parametrize("style", ["left-right", "top-down"])
@pytest.mark.parametrize("names_style", ["brackets", "bands", "labels"])
@pytest.mark.parametrize("seed", [2, 5])
def test_names_of_every_sub_tree_stay_apart_and_on_the_page(
    style: str, names_style: str, seed: int
) -> None:
    """All nodes of eight papers are named: nested, adjacent and at heights close together."""
    tree = make_tree(8, seed)
    names = {f"sub-tree {i} with words": s.paper_keys for i, s in enumerate(tree.subtrees())}
    layout = make_named_layout(tree, names, names_style, style=style)
    (figure,) = draw_dendrogram(layout)
    assert clipped(figure) == []
    side = {t: box for t, box in drawn_texts(figure).items() if t.axes is not tree_axes(figure)}
    assert overlapping(side) == []
    drawn = " ".join(text.get_text() for text in side).replace("\n", " ")
    assert all(name in drawn for name in names)


def test_letters_of_nodes_close_together_move_apart_along_their_own_lines() -> None:
    """An outer node whose middle is where an inner one stands gives way on its own line."""
    tree = Tree(
        paper_keys=tuple("abcdefgh"),
        children=np.array([[1, 2], [0, 8], [3, 4], [9, 10], [5, 6], [11, 12], [13, 7]]),
        heights=np.array([1.2, 1.21, 1.22, 1.3, 1.4, 2.0, 3.0]),
    )
    names = {"inner": ("b", "c"), "outer": ("a", "b", "c")}
    layout = make_named_layout(tree, names, "brackets", n_clusters=3)
    (page,) = draw_dendrogram(layout)
    places = {}
    for text in tree_axes(page).texts:
        (bracket,) = [one for one in layout.brackets if one.code == text.get_text()]
        height, place = text.get_position()
        assert height == bracket.height
        assert bracket.top <= place <= bracket.bottom
        places[bracket.name] = (place, bracket.centre)
    assert places["inner"][0] == places["inner"][1]
    wanted, found = (abs(places["outer"][i] - places["inner"][i]) for i in (1, 0))
    assert wanted < 1.2 * layout.font_size_pt  # two circles would overlap there
    assert found >= 1.7 * layout.font_size_pt


def test_names_beside_a_short_last_panel_go_on_below_it_in_their_own_size() -> None:
    """Few rows stand on the last page; their many names use the page, not smaller text."""
    tree = make_tree(138, 4)
    page: dict[str, Any] = {"page": "a4", "font_size_pt": 12, "min_font_size_pt": 12}
    bare = make_named_layout(tree, {}, "brackets", **page)
    first = bare.panels[-1].first_row
    last_keys = {row.paper_key for row in bare.rows[first:]}
    inside = [s.paper_keys for s in tree.subtrees() if set(s.paper_keys) <= last_keys]
    names = {f"a name of several words {i}": keys for i, keys in enumerate(inside[:9])}
    layout = make_named_layout(tree, names, "brackets", **page)
    panel = layout.panels[-1]
    assert sum(one.room for one in layout.brackets) > panel.bottom - panel.top
    figure = draw_dendrogram(layout)[-1]
    shown = [t for t in drawn_texts(figure) if "papers, J" in t.get_text() and "\n" in t.get_text()]
    assert len(shown) == len(names) > 3
    assert {text.get_fontsize() for text in shown} == {12}
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []
