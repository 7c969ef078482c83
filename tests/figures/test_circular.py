"""The circular tree: angles and radii, labels that stay upright and apart, rings and arcs."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from examples import clipped, make_layout, make_tree, trees
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.circle_geometry import GAP_RAD, trace_arc
from survey_tools.figures.circle_page import CELL_PT
from survey_tools.figures.circular import CircleLayout, draw_circle, layout_circle
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.strips import StripColumn, Swatch
from survey_tools.figures.style import text_width
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

THREE = Tree(
    paper_keys=("a", "b", "c"),
    children=np.array([[2, 0], [3, 1]]),
    heights=np.array([1.0, 2.5]),
    linkage="average",
    metric="cosine",
)


def lay_out(
    tree: Tree,
    *,
    names: dict[str, tuple[str, ...]] | None = None,
    strips: tuple[StripColumn, ...] = (),
    n_clusters: int | None = None,
    title: str = "Title of paper {}",
    **settings: Any,
) -> CircleLayout:
    _, partition, attached = make_layout(tree, names=names, n_clusters=n_clusters)
    corpus = Corpus(tuple(Paper(key=k, title=title.format(k)) for k in tree.paper_keys))
    return layout_circle(
        tree, corpus, partition, FigureSettings(**settings), names=attached, strips=strips
    )


def polar(layout: CircleLayout, points: NDArray[np.float64]) -> tuple[Any, Any]:
    x, y = (np.asarray(points) - layout.centre).T
    return np.hypot(x, y), np.arctan2(x, -y) % (2 * np.pi)


def labels_of(layout: CircleLayout) -> dict[str, PlacedText]:
    return {t.gid.removeprefix("leaf-"): t for t in layout.texts if t.gid.startswith("leaf-")}


def are_apart(a: PlacedText, b: PlacedText) -> bool:
    """Whether a line parts two turned boxes: a side of one of them, if any does."""
    for box in (a.corners, b.corners):
        for side in (box[1] - box[0], box[2] - box[1]):
            ours, theirs = a.corners @ side, b.corners @ side
            if ours.max() <= theirs.min() + 1e-6 or theirs.max() <= ours.min() + 1e-6:
                return True
    return False


def overlapping_texts(layout: CircleLayout) -> list[tuple[str, ...]]:
    texts = layout.texts
    return [
        (*a.lines, *b.lines)
        for i, a in enumerate(texts)
        for b in texts[i + 1 :]
        if not are_apart(a, b)
    ]


def test_three_leaves_are_where_they_were_computed_by_hand() -> None:
    """Leaves share the circle less the gap; a merge's arc lies as deep as its height."""
    layout = lay_out(THREE, n_clusters=2)
    leaf = (2 * np.pi - np.radians(8.0)) / 3
    c, a, b = (np.radians(4.0) + (i + 0.5) * leaf for i in range(3))
    radii, angles = polar(layout, layout.branches[0])
    tip = layout.grid.tip
    np.testing.assert_allclose(radii[[0, -1]], tip)
    np.testing.assert_allclose(radii[1:-1], tip * (1 - 1.0 / 2.5))
    np.testing.assert_allclose(angles[[0, 1, -2, -1]], [c, c, a, a])
    radii, angles = polar(layout, layout.branches[1])
    np.testing.assert_allclose(radii[[0, 1, -1]], [tip * 0.6, 0.0, tip], atol=1e-9)
    np.testing.assert_allclose(angles[[0, -1]], [(c + a) / 2, b])
    assert layout.branch_colours.tolist() == [0, -1]
    assert layout.cut_circle is not None
    cut_radii, _ = polar(layout, layout.cut_circle)
    np.testing.assert_allclose(cut_radii, tip * (1 - 1.75 / 2.5))


@given(trees())
def test_every_label_stands_at_the_end_of_its_papers_branch(tree: Tree) -> None:
    """The merge that has a leaf for a child ends on the circle at the angle of that label."""
    layout = lay_out(tree)
    labels = labels_of(layout)
    assert sorted(labels) == sorted(tree.paper_keys)
    for children, line in zip(tree.children, layout.branches, strict=True):
        for child, end in zip(children, (line[0], line[-1]), strict=True):
            if child < tree.n_papers:
                label = labels[tree.paper_keys[child]]
                radii, angles = polar(layout, np.array([end, (label.x, label.y)]))
                np.testing.assert_allclose(radii, [layout.grid.tip, layout.grid.label])
                assert angles[0] == pytest.approx(angles[1])


@given(st.floats(0.1, 5000.0), st.floats(0.0, 3.0), st.floats(0.001, 6.0))
def test_an_arc_looks_round(radius: float, start: float, span: float) -> None:
    """The middle of every chord lies within a twentieth of a point of the true arc."""
    points = trace_arc((0.0, 0.0), radius, start, start + span)
    middles = (points[1:] + points[:-1]) / 2
    assert (radius - np.hypot(*middles.T)).max() <= 0.05 + 1e-9


def test_the_gap_at_the_top_holds_the_axis_and_no_branch() -> None:
    """No branch enters the gap; ticks are labelled there at their heights."""
    layout = lay_out(make_tree(30, seed=2))
    for line in layout.branches:
        radii, angles = polar(layout, line)
        outside = radii > 1e-6
        assert (np.minimum(angles, 2 * np.pi - angles)[outside] >= GAP_RAD / 2).all()
    for text in layout.texts:
        if text.x == layout.centre[0] and text.lines[0] in {f"{t:g}" for t in layout.axis.ticks}:
            height = float(text.lines[0])
            depth = layout.grid.tip * (1 - height / layout.axis.highest)
            assert layout.centre[1] - text.y == pytest.approx(depth)
    assert "merge height: Ward linkage, Euclidean distance (no unit)" in {
        text.lines[0] for text in layout.texts
    }


def test_labels_read_from_left_to_right_on_both_halves() -> None:
    """Text is never upside down, and on the left half it ends at the branch."""
    layout = lay_out(make_tree(24, seed=1))
    for label in labels_of(layout).values():
        assert -90.0 <= label.rotation <= 90.0
        assert label.align == ("left" if label.x >= layout.centre[0] else "right")


@pytest.mark.parametrize("n_papers", [2, 17, 90])
@pytest.mark.parametrize("page", ["tall", "a4"])
def test_no_text_overlaps_another_or_leaves_the_page(n_papers: int, page: str) -> None:
    """Labels, cluster names, letters and axis keep apart whatever the number of leaves."""
    tree = make_tree(n_papers, seed=3)
    nodes = list(tree.subtrees())
    names = {f"name {i}": node.paper_keys for i, node in enumerate(nodes[-1::-7])}
    layout = lay_out(tree, names=names, n_clusters=min(n_papers, 12), page=page)
    assert overlapping_texts(layout) == []
    assert clipped(draw_circle(layout)[0]) == []


def test_labels_are_cut_at_a_word_within_their_ring() -> None:
    """A title too long for the ring ends in an ellipsis and is no wider than the ring."""
    layout = lay_out(
        make_tree(20), title="A title of many words that goes on and on about {0} " * 3
    )
    for label in labels_of(layout).values():
        assert label.lines[0].endswith("…")
        assert label.lines[0][:-1].split()[-1] in {
            *["A", "title", "of", "many", "words", "that", "goes", "on", "and", "on", "about"],
            *(f"p{i}" for i in range(20)),
        }
        assert text_width(label.lines[0], label.size) <= layout.grid.label_length


def test_text_shrinks_before_the_page_grows() -> None:
    """Few leaves have the largest text, more have smaller text, and only then the page widens."""
    few, more, many = (lay_out(make_tree(n), font_size_pt=6.5) for n in (30, 160, 300))
    assert few.grid.label_size == 6.5
    assert 5.0 <= more.grid.label_size < 6.5
    assert few.width == more.width == pytest.approx(210 / 25.4 * 72)
    assert many.grid.label_size == 5.0
    assert many.width > more.width


def test_a_page_of_fixed_size_leaves_labels_out_and_says_so() -> None:
    """On A4 three hundred labels have no room: the page keeps its size, the legend tells."""
    layout = lay_out(make_tree(300), page="a4")
    assert labels_of(layout) == {}
    assert (layout.width, layout.height) == pytest.approx((210 / 25.4 * 72, 297 / 25.4 * 72))
    legend = " ".join(entry.text for line in layout.legend for entry in line)
    assert "labels of leaves are left out" in legend


def test_cluster_bars_cover_exactly_their_leaves() -> None:
    """The bars of neighbouring clusters meet where the leaves of the clusters do."""
    tree = make_tree(40, seed=5)
    layout = lay_out(tree, n_clusters=6)
    edges = layout.leaf_angles
    found = []
    for bar in layout.bars:
        radii, angles = polar(layout, bar)
        found.append((angles.min(), angles.max()))
        assert radii.min() >= layout.grid.bar - 1e-6
    assert found[0][0] == pytest.approx(edges[0])
    assert found[-1][1] == pytest.approx(edges[-1])
    for (_, end), (start, _) in pairwise(found):
        assert end == pytest.approx(start)


def test_names_of_clusters_thin_out_to_the_largest() -> None:
    """Where not all names fit around the circle the largest clusters keep theirs."""
    tree = make_tree(900, seed=4)
    _, partition, _ = make_layout(tree, n_clusters=700, leaf_label="key")
    layout = lay_out(tree, n_clusters=700, page="a4")
    written = {t.lines[0] for t in layout.texts if t.lines[0] in partition.group_names}
    sizes = dict(zip(partition.group_names, partition.sizes, strict=True))
    smallest = min(sizes[name] for name in written)
    assert 50 < len(written) < 700
    assert smallest >= max(size for name, size in sizes.items() if name not in written)
    assert overlapping_texts(layout) == []
    legend = " ".join(entry.text for line in layout.legend for entry in line)
    assert f"named are the {len(written)} largest of 700 clusters" in legend


def test_rings_are_filled_as_the_strips_say() -> None:
    """Two labels share a cell, a paper without one is white, an unfiled one is struck."""
    red, blue = Swatch(face="red"), Swatch(face="blue", hatch="//")
    strip = StripColumn(
        title="axis",
        labels=("r", "b"),
        swatches=(red, blue),
        otherwise="other",
        cells=((0, 1), (), None),
    )
    layout = lay_out(THREE, strips=(strip,))
    shapes = {same.swatch: same.shapes for same in layout.cells}
    assert {s: len(shapes[s]) for s in shapes} == {
        red: 1,
        blue: 1,
        Swatch(face="white"): 1,
        Swatch(face="white", is_struck=True): 1,
    }
    inner = layout.grid.rings[0]
    for swatch, low, high in ((red, inner, inner + CELL_PT / 2), (blue, inner + 3, inner + 6)):
        radii, angles = polar(layout, shapes[swatch][0])
        assert (radii.min(), radii.max()) == pytest.approx((low, high))
        assert layout.leaf_angles[0] < angles.min() < angles.max() < layout.leaf_angles[1]
    assert "#1 axis" in " ".join(entry.text for line in layout.legend for entry in line)


def test_every_named_subtree_has_an_arc_over_its_leaves_and_a_line_below() -> None:
    """Nested names lie in lanes of their own; size and score stand in the legend."""
    tree = make_tree(30, seed=8)
    nodes = [tree.subtree(node) for node in (tree.root, *tree.children[-1]) if node >= 30]
    names = {f"name {i}": node.paper_keys for i, node in enumerate(nodes)}
    layout = lay_out(tree, names=names, n_clusters=4)
    legend = [entry.text for line in layout.legend for entry in line]
    for letter, node in zip("ABC", sorted(nodes, key=lambda n: -len(n.paper_keys)), strict=False):
        assert any(f"{len(node.paper_keys)} papers, J 1.00" in text for text in legend), letter
    outer = [text for text in layout.texts if text.is_ringed and text.lines[0] == "A"]
    assert len(outer) == 2  # at the node and at the arc


def test_a_page_too_narrow_for_rings_is_refused() -> None:
    """The message says what does not fit and what can be changed."""
    strip = StripColumn(
        title="axis",
        labels=("r",),
        swatches=(Swatch(face="red"),),
        otherwise="other",
        cells=((0,),) * 40,
    )
    with pytest.raises(ParameterError, match=r"no room for a circular tree inside 30 rings"):
        lay_out(make_tree(40), strips=(strip,) * 30, page="a4", font_size_pt=14)


def test_a_chain_of_leaves_is_drawn_without_recursion() -> None:
    """A tree as deep as it has leaves, deeper than Python's stack, is laid out."""
    n = 3000
    first = np.concatenate([[0], n + np.arange(n - 2)])
    tree = Tree(
        paper_keys=tuple(f"p{i}" for i in range(n)),
        children=np.column_stack([first, np.arange(1, n)]),
        heights=np.linspace(0.1, 1.0, n - 1),
    )
    corpus = Corpus(tuple(Paper(key=k, title=k) for k in tree.paper_keys))
    layout = layout_circle(tree, corpus, cut(tree, 3), FigureSettings(page="a4"))
    assert len(layout.branches) == n - 1
