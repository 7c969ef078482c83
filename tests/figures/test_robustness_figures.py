"""The consensus beside its tree, and all figures of a robustness run together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_tree, overlapping
from numpy.typing import NDArray
from robustness_records import make_card, make_full_card, make_influence, make_target

from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.consensus_figure import (
    ConsensusLayout,
    layout_consensus,
    plot_consensus,
)
from survey_tools.figures.robustness_pages import draw_robustness
from survey_tools.figures.strips import Swatch
from survey_tools.figures.style import PALETTE, render_svg
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

# leaf order d, b, a, c
FOUR = Tree(
    paper_keys=("a", "b", "c", "d"),
    children=np.array([[3, 1], [0, 2], [4, 5]]),
    heights=np.array([0.1, 0.3, 0.9]),
    linkage="average",
    metric="co-association",
)
OWN = Partition.from_mapping({"a": "C1", "b": "C2", "c": "C1", "d": "C2"})


def make_shares(n: int) -> NDArray[np.float64]:
    half = np.random.default_rng(3).random((n, n))
    shares = (half + half.T) / 2.0
    np.fill_diagonal(shares, 1.0)
    return np.asarray(shares)


def lay_out(
    tree: Tree = FOUR, partition: Partition = OWN, shares: Any = None, **settings: Any
) -> ConsensusLayout:
    return layout_consensus(
        tree,
        make_shares(tree.n_papers) if shares is None else shares,
        tree.paper_keys,
        partition,
        FigureSettings(**settings),
        n_runs=421,
    )


def read(layout: ConsensusLayout) -> str:
    return " ".join(line for text in layout.marks.texts for line in text.lines)


def test_rows_and_columns_follow_the_consensus_tree() -> None:
    """The pixel of two papers is their co-association, whatever order the matrix came in."""
    shares = make_shares(4)
    pixels = lay_out(shares=shares).image.pixels
    place = {key: i for i, key in enumerate(FOUR.paper_keys)}
    for i, first in enumerate(FOUR.keys_in_leaf_order):
        for j, second in enumerate(FOUR.keys_in_leaf_order):
            assert pixels[i, j] == shares[place[first], place[second]]
    order = [2, 0, 3, 1]
    other = layout_consensus(
        FOUR,
        shares[np.ix_(order, order)],
        [FOUR.paper_keys[i] for i in order],
        OWN,
        FigureSettings(),
        n_runs=421,
    )
    np.testing.assert_array_equal(other.image.pixels, pixels)


def test_each_cluster_has_a_lane_with_its_papers() -> None:
    """C2 (d and b) fills the upper half of the first lane, C1 (a and c) the lower of the next."""
    layout = lay_out()
    top, middle, bottom = layout.edges[[0, 2, 4]]
    first, second = layout.marks.patches
    for patch, colour, ends in (
        (first, PALETTE[1], (top, middle)),
        (second, PALETTE[0], (middle, bottom)),
    ):
        assert patch.swatch == Swatch(face=colour)
        ys = [y for _, y in patch.points]
        assert (min(ys), max(ys)) == pytest.approx(ends)
    assert max(x for x, _ in first.points) < min(x for x, _ in second.points)
    assert "C1 (2)" in read(layout)
    assert "C2 (2)" in read(layout)


def test_a_scattered_cluster_has_several_ticks_in_one_lane() -> None:
    """Papers at both ends of the tree are two blocks, one below the other."""
    scattered = Partition.from_mapping({"d": "C1", "c": "C1", "a": "C2", "b": "C2"})
    patches = lay_out(partition=scattered).marks.patches
    lanes: dict[str, list[Any]] = {}
    for patch in patches:
        lanes.setdefault(patch.swatch.face, []).append(patch)
    assert [len(lanes[PALETTE[i]]) for i in (0, 1)] == [2, 1]
    assert len({min(x for x, _ in patch.points) for patch in lanes[PALETTE[0]]}) == 1


def test_pairs_that_no_run_held_count_as_apart_and_are_told() -> None:
    """NaN is drawn as 0, as the tree takes it."""
    shares = make_shares(4)
    shares[0, 1] = shares[1, 0] = np.nan
    layout = lay_out(shares=shares)
    assert (layout.image.pixels == 0.0).sum() == 2
    assert "1 pair that no run held together count as apart" in read(layout)
    assert "no run held" not in read(lay_out())


def test_few_papers_are_labelled_and_many_are_not() -> None:
    """Labels are written where every paper has room for them."""
    for n, is_labelled in ((20, True), (400, False)):
        tree = make_tree(n)
        layout = lay_out(tree, cut(tree, 3))
        labels = [text.lines[0] for text in layout.marks.texts if text.gid.startswith("leaf-")]
        assert labels == (list(tree.keys_in_leaf_order) if is_labelled else [])


def test_where_names_do_not_fit_the_largest_clusters_are_named() -> None:
    """The note says how many of them are."""
    tree = make_tree(300)
    layout = lay_out(tree, cut(tree, 150))
    named = [text for text in layout.marks.texts if text.lines[0].startswith("C")]
    assert f"the survey's own 150 clusters, a lane each (papers in brackets), the {len(named)}" in (
        read(layout).replace("Rows and columns", "")
    )


@pytest.mark.parametrize("width_mm", [80.0, 210.0])
@pytest.mark.parametrize("size", [4.0, 14.0])
@pytest.mark.parametrize(("n_papers", "n_clusters"), [(2, 1), (30, 7), (180, 18), (400, 60)])
def test_consensus_is_neither_clipped_nor_overlapping(
    width_mm: float, size: float, n_papers: int, n_clusters: int
) -> None:
    """Tree, matrix, labels, lanes, colour bar and note keep apart."""
    tree = make_tree(n_papers, 4)
    own = cut(make_tree(n_papers, 5), n_clusters)
    figure = plot_consensus(lay_out(tree, own, width_mm=width_mm, font_size_pt=size))
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_very_many_papers_are_drawn() -> None:
    """1,500 papers have a pixel each, and no more lines than their page has room for."""
    tree = make_tree(1500, 4)
    layout = lay_out(tree, cut(tree, 60))
    assert layout.image.pixels.shape == (1500, 1500)
    assert len(layout.marks.strokes) < 3 * 1500
    figure = plot_consensus(layout)
    assert overlapping(drawn_texts(figure)) == []


def test_the_colour_bar_names_quantity_and_unit() -> None:
    """It is a share, and says of what."""
    texts = " ".join(
        t.get_text().replace("\n", " ") for t in drawn_texts(plot_consensus(lay_out()))
    )
    assert (
        "co-association: share of the runs that keep two papers in one cluster (no unit)" in texts
    )
    assert "consensus of 421 runs over 4 papers" in texts


def test_other_papers_are_refused() -> None:
    """A matrix or clusters of other papers would be drawn on wrong rows."""
    with pytest.raises(ParameterError, match="are not of the same papers"):
        lay_out(partition=Partition.from_mapping({"a": "C1", "b": "C1", "c": "C2", "x": "C2"}))
    with pytest.raises(ParameterError, match=r"shape \(3, 3\) arrived for 4 papers"):
        lay_out(shares=make_shares(3))


def with_consensus(card: Any) -> tuple[Any, Partition]:
    """Give a card a consensus of its 12 papers."""
    tree = replace(make_tree(12), paper_keys=card.result.paper_keys)
    result = replace(
        card.result, consensus_tree=tree, coassociation=make_shares(12), n_coassociated=9
    )
    return replace(card, result=result), cut(tree, 4)


def test_every_figure_is_drawn_that_has_data() -> None:
    """Stems of files, each with its pages; choices of the card first."""
    blank = make_influence(method="none")
    shown, other = make_influence(), make_influence(response="element-centric")
    card, own = with_consensus(make_full_card(influences=(other, blank, shown)))
    assert card.influence is shown
    drawn = draw_robustness(card, own, FigureSettings())
    assert {stem: len(pages) for stem, pages in drawn.items()} == {
        "robustness-card": 1,
        "choices": 2,
        "numbers": 1,
        "consensus": 1,
        "stability": 1,
        "nulls": 1,
    }
    first = " ".join(t.get_text() for t in drawn_texts(drawn["choices"][0]))
    assert "mean adjusted Rand index" in first.replace("\n", " ")


def test_missing_parts_leave_their_figures_out() -> None:
    """Without names, choices, nulls, numbers and consensus there are still two figures."""
    own = cut(make_tree(12), 4)
    drawn = draw_robustness(make_card([make_target("C1")]), own, FigureSettings())
    assert list(drawn) == ["robustness-card", "stability"]
    assert list(draw_robustness(make_card([]), own, FigureSettings())) == ["robustness-card"]


def test_the_same_run_gives_the_same_bytes() -> None:
    """Every page, drawn twice, is one and the same."""
    card, own = with_consensus(make_full_card())
    twice = [
        {
            stem: [render_svg(page, salt=stem) for page in pages]
            for stem, pages in draw_robustness(card, own, FigureSettings()).items()
        }
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
