"""The overview: all leaves on one page, lines drawn once, texts thinned out, pages marked."""

import time
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_layout, make_tree, overlapping, trees
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.overview import OverviewLayout, layout_overview, plot_overview
from survey_tools.figures.segments import branch_segments, join_on_grid
from survey_tools.figures.style import render_svg
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
    n_clusters: int = 2,
    names: dict[str, tuple[str, ...]] | None = None,
    page_spans: tuple[tuple[int, int, int], ...] = (),
    **settings: Any,
) -> OverviewLayout:
    attached = make_layout(tree, names=names)[2] if names else ()
    corpus = Corpus(tuple(Paper(key=k, title=f"Title of paper {k}") for k in tree.paper_keys))
    return layout_overview(
        tree,
        corpus,
        cut(tree, n_clusters),
        FigureSettings(**settings),
        names=attached,
        page_spans=page_spans,
    )


def make_chain(n_papers: int) -> Tree:
    first = np.concatenate([[0], n_papers + np.arange(n_papers - 2)])
    return Tree(
        paper_keys=tuple(f"p{i}" for i in range(n_papers)),
        children=np.column_stack([first, np.arange(1, n_papers)]),
        heights=np.linspace(0.1, 1.0, n_papers - 1),
    )


def painted(segments: NDArray[np.float64], grid: float) -> set[tuple[str, int, int]]:
    """Cells of a grid that segments cover, each told by direction, line and place."""
    cells = set()
    for (x0, y0), (x1, y1) in np.rint(np.sort(segments, axis=1) / grid).astype(int):
        cells |= {("x", y0, x) for x in range(x0, x1)} | {("y", x0, y) for y in range(y0, y1)}
    return cells


def test_three_leaves_are_where_they_were_computed_by_hand() -> None:
    """Leaves share the height evenly; merges stand at their height, midway of their children."""
    layout = lay_out(THREE)
    c, a, b = (layout.edges[1:] + layout.edges[:-1]) / 2
    x = {h: layout.leaf_x + h / 2.5 * (layout.root_x - layout.leaf_x) for h in (1.0, 2.5)}
    expected = {
        -1: [((x[2.5], b), (layout.leaf_x, b)), ((x[2.5], (c + a) / 2), (x[1.0], (c + a) / 2)),
             ((x[2.5], (c + a) / 2), (x[2.5], b))],
        0: [((x[1.0], c), (layout.leaf_x, c)), ((x[1.0], a), (layout.leaf_x, a)),
            ((x[1.0], c), (x[1.0], a))],
    }  # fmt: skip
    for colour, lines in expected.items():
        found = layout.segments[layout.segment_colours == colour]
        found = sorted(map(tuple, found.reshape(-1, 4).tolist()))
        np.testing.assert_allclose(
            found, sorted(map(tuple, np.array(lines).reshape(-1, 4).tolist())), atol=0.051
        )
    assert layout.cut_x == pytest.approx(
        layout.leaf_x + 1.75 / 2.5 * (layout.root_x - layout.leaf_x)
    )


@given(trees(max_papers=20), st.floats(0.3, 3.0))
def test_joining_lines_on_a_grid_paints_the_same_cells(tree: Tree, grid: float) -> None:
    """What is drawn once covers what was drawn before, and no line lies on another."""
    places = 3.0 * np.arange(2 * tree.n_papers - 1)
    heights = np.concatenate([np.zeros(tree.n_papers), 40 * tree.heights])
    pieces = branch_segments(tree, heights, places).reshape(-1, 2, 2)
    joined, _ = join_on_grid(pieces, np.zeros(len(pieces), dtype=np.intp), grid=grid)
    assert painted(joined, grid) == painted(pieces, grid)
    lengths = np.rint(np.abs(np.diff(joined, axis=1)).sum(axis=(1, 2)) / grid).astype(int)
    assert lengths.sum() == len(painted(joined, grid))


def test_lines_of_two_colours_are_not_joined() -> None:
    """Two lines on one place stay two where their clusters differ."""
    lines = np.array([[(0.0, 1.0), (5.0, 1.0)], [(4.0, 1.0), (9.0, 1.0)]])
    joined, groups = join_on_grid(lines, np.array([0, 1]))
    np.testing.assert_allclose(joined, lines)
    assert groups.tolist() == [0, 1]
    joined, groups = join_on_grid(lines, np.array([0, 0]))
    np.testing.assert_allclose(joined, [[(0.0, 1.0), (9.0, 1.0)]])


def test_lines_are_bounded_however_many_leaves_there_are() -> None:
    """Of 20,000 leaves in a chain far fewer lines are left than the 60,000 it has."""
    layout = lay_out(make_chain(20_000), n_clusters=3)
    rows = (layout.edges[-1] - layout.edges[0]) / 0.1
    assert len(layout.segments) < 2 * rows
    assert layout.height < 1200


def test_cluster_names_thin_out_and_the_legend_says_so() -> None:
    """Of 400 clusters the largest are named, without overlap, and the rest have bars alone."""
    tree = make_tree(1200, seed=3)
    layout = lay_out(tree, n_clusters=400)
    partition = cut(tree, 400)
    sizes = dict(zip(partition.group_names, partition.sizes.tolist(), strict=True))
    named = {text.lines[0].split()[0] for text in layout.texts} & set(sizes)
    assert 20 < len(named) < 100
    assert min(sizes[n] for n in named) >= max(s for n, s in sizes.items() if n not in named)
    assert len(layout.bars) == 400
    legend = " ".join(line for text in layout.texts for line in text.lines)
    assert f"named are the {len(named)} largest of 400 clusters" in legend
    assert overlapping(drawn_texts(plot_overview(layout))) == []


@given(trees())
def test_bars_cover_exactly_the_leaves_of_their_clusters(tree: Tree) -> None:
    """Bars meet one another and take turns in two lanes."""
    n_clusters = len(np.unique(tree.heights)) // 2 + 1
    try:
        partition = cut(tree, n_clusters)
    except ParameterError:
        return
    layout = lay_out(tree, n_clusters=n_clusters)
    sizes = [
        round((bottom - top) / (layout.edges[1] - layout.edges[0]))
        for _, top, _, bottom in layout.bars
    ]
    names = [partition.group_names[i] for i in layout.bar_colours]
    assert dict(zip(names, sizes, strict=True)) == dict(
        zip(partition.group_names, partition.sizes.tolist(), strict=True)
    )
    np.testing.assert_allclose(layout.bars[1:, 1], layout.bars[:-1, 3])
    assert (np.diff(layout.bars[:, 0]) != 0).all()


def test_labels_of_leaves_are_written_where_they_have_room() -> None:
    """Fifty leaves are labelled in leaf order, five hundred are not."""
    few, many = lay_out(make_tree(50)), lay_out(make_tree(500))
    keys = [t.gid.removeprefix("leaf-") for t in few.texts if t.gid.startswith("leaf-")]
    assert keys == list(make_tree(50).keys_in_leaf_order)
    assert not [text for text in many.texts if text.gid.startswith("leaf-")]


def test_pages_are_marked_beside_the_leaves_that_they_show() -> None:
    """The bar of a page spans its first to its last leaf, with the page's number."""
    layout = lay_out(make_tree(60), page_spans=((0, 19, 2), (20, 44, 3), (45, 59, 4)))
    np.testing.assert_allclose(
        layout.page_bars[:, [1, 3]], layout.edges[[[0, 20], [20, 45], [45, 60]]]
    )
    found = {text.lines[0]: text.y for text in layout.texts if text.lines[0].startswith("page ")}
    np.testing.assert_allclose(
        [found["page 2"], found["page 3"], found["page 4"]],
        layout.page_bars[:, [1, 3]].mean(axis=1),
    )


def test_page_numbers_thin_out_evenly() -> None:
    """Where 300 numbers would touch, every k-th is written."""
    spans = tuple((i * 10, i * 10 + 9, i + 2) for i in range(300))
    layout = lay_out(make_tree(3000), page_spans=spans)
    numbers = [int(t.lines[0][5:]) for t in layout.texts if t.lines[0].startswith("page ")]
    steps = set(np.diff(numbers).tolist())
    assert len(steps) == 1
    assert steps.pop() > 1
    assert overlapping(drawn_texts(plot_overview(layout))) == []


def test_letters_of_near_nodes_keep_apart() -> None:
    """In a chain letters move towards the root, and one without room is left to its bracket."""
    tree = make_chain(200)
    names = {f"name {i}": tree.papers_under(200 + i) for i in range(100, 120)}
    layout = lay_out(tree, names=names)
    letters = [text for text in layout.texts if text.is_ringed]
    assert 2 <= len(letters) < 20
    for i, a in enumerate(letters):
        assert layout.root_x <= a.x
        for b in letters[i + 1 :]:
            assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 1.9 * a.size
    brackets = [line for line in layout.lines if len(line) == 4]
    assert len(brackets) == 20


def test_letters_of_names_of_one_node_stand_together() -> None:
    """Two names for the same papers share one ring at the node and have brackets of their own."""
    layout = lay_out(THREE, names={"one": ("a", "c"), "two": ("a", "c")})
    assert [text.lines for text in layout.texts if text.is_ringed] == [("A, B",)]
    assert len({line[1, 0] for line in layout.lines if len(line) == 4}) == 2


@pytest.mark.parametrize("page", ["tall", "a4", "letter"])
@pytest.mark.parametrize("n_papers", [2, 50, 700])
def test_no_text_overlaps_another_or_leaves_the_page(page: str, n_papers: int) -> None:
    """Cluster names, labels, brackets, page numbers, axis and legend keep apart."""
    tree = make_tree(n_papers, seed=9)
    nodes = list(tree.subtrees())
    names = {f"a name of node {i}": n.paper_keys for i, n in enumerate(nodes[-1 :: -n_papers // 9])}
    layout = lay_out(
        tree,
        n_clusters=min(n_papers, 20),
        names=names,
        page_spans=((0, n_papers // 2, 2), (n_papers // 2 + 1, n_papers - 1, 3)),
        page=page,
    )
    figure = plot_overview(layout)
    assert overlapping(drawn_texts(figure)) == []
    assert clipped(figure) == []


def test_a_page_too_narrow_for_the_tree_is_refused() -> None:
    """The message says how wide the page is and what can be changed."""
    with pytest.raises(ParameterError, match="80 mm wide leaves no room for the tree"):
        lay_out(make_tree(30), width_mm=80, font_size_pt=14, page_spans=((0, 29, 2),))


@pytest.mark.slow
def test_ten_thousand_leaves_are_drawn_within_ten_seconds() -> None:
    """A large tree and a chain as deep as its leaves are laid out and drawn in seconds."""
    for tree in (make_tree(10_000), make_chain(10_000)):
        started = time.perf_counter()
        text = render_svg(plot_overview(lay_out(tree, n_clusters=50)), salt="overview")
        assert time.perf_counter() - started < 10.0
        assert len(text) < 20e6
