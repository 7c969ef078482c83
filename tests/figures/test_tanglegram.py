"""The tanglegram: every line joins a paper to itself, and every text has its own room."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_tree, overlapping, trees
from hypothesis import given
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from survey_tools.agreement.entanglement import Untangled, untangle
from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.style import PALETTE, text_width
from survey_tools.figures.tanglegram import (
    TanglegramLayout,
    draw_tanglegram,
    layout_tanglegram,
    plot_tanglegram,
)
from survey_tools.figures.tanglegram_page import cut_label
from survey_tools.figures.tanglegram_side import Side, mirror
from survey_tools.paper import Paper
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

TITLES = {"left_title": "Tree of the taxonomy", "right_title": "Dendrogram"}
LONG = "A title of paper {} with a good many words in it, as titles of papers have them"


def make_corpus(tree: Tree, title: str = LONG) -> Corpus:
    return Corpus(tuple(Paper(key=key, title=title.format(key)) for key in tree.paper_keys))


def lay_out(
    n_papers: int,
    *,
    n_clusters: int | None = 3,
    title: str = LONG,
    **settings: Any,
) -> tuple[TanglegramLayout, Untangled, Partition | None]:
    """Lay out two random trees as they are, the clusters cut from the right one."""
    left, right = make_tree(n_papers, 1), make_tree(n_papers, 2)
    untangled = Untangled(left=left, right=right, before=0.5, after=0.25)
    clusters = None if n_clusters is None else cut(right, n_clusters)
    layout = layout_tanglegram(
        untangled,
        make_corpus(left, title),
        FigureSettings(**settings),
        clusters=clusters,
        **TITLES,
    )
    return layout, untangled, clusters


def label_places(side: Side) -> dict[str, float]:
    """Heights of the labels of a side, by paper key."""
    return {text.gid.split("-")[1]: text.y for text in side.texts if text.gid}


def test_every_line_joins_the_labels_of_one_paper() -> None:
    """Its ends stand at the paper's label on the left and on the right."""
    layout, untangled, _ = lay_out(40)
    left, right = label_places(layout.left), label_places(layout.right)
    assert list(left) == list(untangled.left.keys_in_leaf_order)
    assert list(right) == list(untangled.right.keys_in_leaf_order)
    assert len(layout.links) == 40
    for key, ((x0, y0), (x1, y1)) in zip(layout.link_keys, layout.links, strict=True):
        assert (y0, y1) == pytest.approx((left[key], right[key]))
        assert x0 < layout.width / 2 < x1


def test_lines_have_the_colour_of_their_papers_cluster() -> None:
    """The colour is that of the bar beside which the cluster's name stands, on both sides."""
    layout, _, clusters = lay_out(60, n_clusters=8)
    assert clusters is not None
    group_of = clusters.as_mapping()
    lines = plot_tanglegram(layout).axes[0].collections[0]
    assert isinstance(lines, LineCollection)
    drawn = [to_hex(colour).upper() for colour in np.asarray(lines.get_colors())]
    for key, colour in zip(layout.link_keys, drawn, strict=True):
        assert colour == PALETTE[clusters.group_names.index(group_of[key]) % 6].upper()
    for side in (layout.left, layout.right):
        places = label_places(side)
        names = [text for text in side.texts if text.lines[0] in clusters.group_names]
        assert len(names) == len(side.bars) == len(side.bar_colours)
        for name, (_, top, _, bottom), index in zip(
            names, side.bars, side.bar_colours, strict=True
        ):
            assert clusters.group_names[index] == name.lines[0]
            assert top < name.y < bottom
            for key, y in places.items():
                if top < y < bottom:
                    assert group_of[key] == name.lines[0]


def test_trees_of_one_leaf_order_have_level_lines() -> None:
    """A tree facing itself is not tangled at all."""
    tree = make_tree(20, 4)
    layout = layout_tanglegram(
        untangle(tree, tree), make_corpus(tree), FigureSettings(), clusters=None, **TITLES
    )
    np.testing.assert_allclose(layout.links[:, 0, 1], layout.links[:, 1, 1])


def test_roots_are_outside_and_leaves_face_each_other() -> None:
    """The right tree is the mirror image of one laid out from left to right."""
    layout, _, _ = lay_out(30, n_clusters=None)
    left, right = layout.left.segments[..., 0], layout.right.segments[..., 0]
    assert left.max() < layout.links[:, 0, 0].min()
    assert right.min() > layout.links[:, 1, 0].max()
    np.testing.assert_allclose(left.min(), layout.width - right.max())
    assert (layout.link_colours == -1).all()
    assert len(layout.left.bars) == 0


@given(trees())
def test_mirroring_twice_changes_nothing(tree: Tree) -> None:
    """Lines, bars and texts come back to where they were."""
    layout = layout_tanglegram(
        Untangled(left=tree, right=tree, before=0.0, after=0.0),
        make_corpus(tree),
        FigureSettings(),
        clusters=Partition.from_mapping(dict.fromkeys(tree.paper_keys, "C1")),
        **TITLES,
    )
    once = mirror(layout.left, layout.width)
    twice = mirror(once, layout.width)
    np.testing.assert_allclose(twice.segments, layout.left.segments)
    np.testing.assert_allclose(twice.bars, layout.left.bars)
    for text, again in zip(layout.left.texts, twice.texts, strict=True):
        assert again == replace(text, x=pytest.approx(text.x))
    np.testing.assert_allclose(once.segments, layout.right.segments)


def test_both_entanglements_are_written_out() -> None:
    """The legend says how tangled the trees were, how tangled they are, and of which scale."""
    layout, _, _ = lay_out(20)
    legend = " ".join(entry.text for line in layout.legend for entry in line)
    assert "entanglement: 0.50 as the trees came, 0.25 as drawn" in legend
    assert "0: same order, 1: opposite orders" in legend
    assert "20 papers" in legend


@pytest.mark.parametrize(
    ("n_papers", "leaf_label", "title"),
    [
        (2, "title", LONG),
        (180, "title", LONG),
        (180, "key", LONG),
        (40, "title", "{} $x_2$"),
        (40, "number-title", "{}" + "x" * 200),
        (500, "title", LONG),
    ],
)
def test_no_text_overlaps_another_or_leaves_the_page(
    n_papers: int, leaf_label: str, title: str
) -> None:
    """Titles, labels, names of clusters, axes and legend keep apart."""
    layout, _, _ = lay_out(
        n_papers, n_clusters=min(n_papers, 18), title=title, leaf_label=leaf_label
    )
    figure = plot_tanglegram(layout)
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_labels_are_cut_to_one_line_that_ends_at_the_lines() -> None:
    """A long title ends with an ellipsis; both sides show the same."""
    layout, _, _ = lay_out(10)
    for side, align in ((layout.left, "right"), (layout.right, "left")):
        labels = [text for text in side.texts if text.gid]
        assert len(labels) == 10
        assert {text.align for text in labels} == {align}
        assert all(len(text.lines) == 1 and text.lines[0].endswith("…") for text in labels)
    ends = layout.links[0, :, 0]
    nearest = [next(t.x for t in side.texts if t.gid) for side in (layout.left, layout.right)]
    np.testing.assert_allclose(np.abs(ends - nearest), 2.0)


def test_labels_are_cut_at_characters() -> None:
    """As much is kept as fits, so that titles with the same first word are told apart."""
    width = text_width("Masked Autoen…", 6.5) + 0.01
    assert cut_label("Masked Autoencoders", width, 6.5) == "Masked Autoen…"
    assert cut_label("Masked Autoencoders", width - 0.02, 6.5) == "Masked Autoe…"
    assert cut_label("Masked\nAuto", width, 6.5) == "Masked Auto"
    assert cut_label("MAE: a title", text_width("MAE: …", 6.5) + 0.01, 6.5) == "MAE…"


def test_many_papers_have_lines_alone_on_a_page_of_bounded_height() -> None:
    """Beyond 400 papers nothing is labelled, and the legend says so."""
    few, _, _ = lay_out(400)
    many, _, _ = lay_out(2000, n_clusters=60)
    assert len(label_places(few.left)) == 400
    assert label_places(many.left) == {}
    assert len(many.links) == 2000
    assert many.height < 1.6 * many.width < few.height
    legend = " ".join(entry.text for line in many.legend for entry in line)
    assert "papers are not labelled" in legend
    assert "named beside the bars where there is room" in legend
    figure = plot_tanglegram(many)
    assert overlapping(drawn_texts(figure)) == []
    assert clipped(figure) == []


def test_a_narrow_page_gives_up_its_labels_before_its_trees() -> None:
    """At 80 mm two trees and their lines are still drawn."""
    layout, _, _ = lay_out(30, width_mm=80)
    assert label_places(layout.left) == {}
    figure = plot_tanglegram(layout)
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


@pytest.mark.parametrize("width_mm", [100, 150, 170, 400])
@pytest.mark.parametrize("font_size_pt", [5, 10])
def test_trees_keep_their_share_of_pages_of_any_width(width_mm: float, font_size_pt: float) -> None:
    """Long labels take what is left, neither more nor with an error of rounding."""
    layout, _, _ = lay_out(30, n_clusters=18, width_mm=width_mm, font_size_pt=font_size_pt)
    left = layout.left.segments[..., 0]
    inner = layout.width - 2 * 8 * 72 / 25.4
    assert left.max() - left.min() >= 0.11 * inner - 0.11  # lines stand on a grid of 0.1 points


def test_a_page_too_narrow_for_two_trees_is_refused() -> None:
    """The message says how wide the page is and what can be changed."""
    with pytest.raises(ParameterError, match="80 mm wide leaves no room for two trees"):
        lay_out(30, n_clusters=18, width_mm=80, font_size_pt=14)


def test_papers_without_a_cluster_are_named() -> None:
    """Clusters of other papers are refused; more papers than the trees hold are no error."""
    tree = make_tree(5)
    untangled, corpus = untangle(tree, tree), make_corpus(tree)
    group_of = dict.fromkeys(tree.paper_keys, "C1") | {"other": "C2"}
    (page,) = draw_tanglegram(
        untangled,
        corpus,
        FigureSettings(),
        clusters=Partition.from_mapping(group_of),
        **TITLES,
    )
    assert "C1" in {text.get_text() for text in drawn_texts(page)}
    del group_of["p3"]
    with pytest.raises(ParameterError, match="papers of the trees in no cluster: p3"):
        draw_tanglegram(
            untangled,
            corpus,
            FigureSettings(),
            clusters=Partition.from_mapping(group_of),
            **TITLES,
        )
