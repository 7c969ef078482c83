"""The collapsed tree: which merges are shown, triangles by papers, and what is written beside."""

from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_layout, make_tree, overlapping, trees
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from survey_tools.clusters import Cluster
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.collapsed import CollapsedLayout, draw_collapsed, layout_collapsed
from survey_tools.figures.collapsed_rows import collapse_tree
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

# a and b merge at 1, d and e at 2, c joins a and b at 3, all join at 4
FIVE = Tree(
    paper_keys=("a", "b", "c", "d", "e"),
    children=np.array([[0, 1], [3, 4], [5, 2], [7, 6]]),
    heights=np.array([1.0, 2.0, 3.0, 4.0]),
    linkage="ward",
    metric="euclidean",
)


def lay_out(
    tree: Tree,
    n_shown: int,
    *,
    n_clusters: int | None = None,
    names: dict[str, tuple[str, ...]] | None = None,
    clusters: tuple[Cluster, ...] = (),
    **settings: Any,
) -> CollapsedLayout:
    _, partition, attached = make_layout(tree, names=names, n_clusters=n_clusters)
    return layout_collapsed(
        tree,
        partition,
        FigureSettings(**settings),
        names=attached,
        terms={c.name: [term for term, _ in c.top_terms["class-tf-idf"]] for c in clusters},
        n_shown=n_shown,
    )


def described(name: str, keys: tuple[str, ...], *terms: str) -> Cluster:
    return Cluster(
        name=name,
        paper_keys=keys,
        silhouette=None,
        silhouette_of={},
        top_terms={"class-tf-idf": tuple((term, 1.0) for term in terms)},
    )


def written(layout: CollapsedLayout) -> list[str]:
    return [" ".join(text.lines) for text in layout.texts]


def test_five_papers_collapse_as_worked_out_by_hand() -> None:
    """Three branches keep the merges at 4 and 3: a triangle, a leaf and a triangle."""
    layout = lay_out(FIVE, 3, n_clusters=2)
    assert [(row.node, row.first_leaf, row.last_leaf) for row in layout.rows] == [
        (5, 0, 1),
        (2, 2, 2),
        (6, 3, 4),
    ]
    root, leaf = layout.root_x, layout.leaf_x
    first, lone, last = (layout.row_edges[1:] + layout.row_edges[:-1]) / 2
    above = (first + lone) / 2
    x = {height: leaf + height / 4.0 * (root - leaf) for height in (1.0, 2.0, 3.0, 4.0)}
    np.testing.assert_allclose(
        layout.branches,
        [
            [(x[1.0], first), (x[3.0], first), (x[3.0], lone), (leaf, lone)],
            [(x[3.0], above), (root, above), (root, last), (x[2.0], last)],
        ],
    )
    half = layout.points_per_paper
    np.testing.assert_allclose(
        [triangle.corners for triangle in layout.triangles],
        [
            [(x[1.0], first), (leaf, first - half), (leaf, first + half)],
            [(x[2.0], last), (leaf, last - half), (leaf, last + half)],
        ],
    )
    assert layout.branch_colours == (0, -1)
    assert written(layout)[:3] == ["2 papers", "c", "2 papers"]


@given(trees(max_papers=30), st.integers(2, 40))
def test_rows_part_all_papers(tree: Tree, n_shown: int) -> None:
    """Every leaf is in exactly one row, and there are as many rows as asked or as leaves."""
    rows, merges = collapse_tree(tree, n_shown)
    leaves = [leaf for row in rows for leaf in range(row.first_leaf, row.last_leaf + 1)]
    assert leaves == list(range(tree.n_papers))
    assert len(rows) == len(merges) + 1 == min(n_shown, tree.n_papers)
    shown = {*merges, *(row.node for row in rows)}
    assert all(set(tree.children[node - tree.n_papers]) <= shown for node in merges)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 1000))
def test_the_merges_kept_are_those_of_scipys_lastp(n_papers: int, n_shown: int, seed: int) -> None:
    """With rising heights the rows are the leaves that scipy's truncated dendrogram shows."""
    tree = make_tree(n_papers, seed=seed)
    rows, _ = collapse_tree(tree, n_shown)
    if n_shown < n_papers:
        theirs = hierarchy.dendrogram(
            tree.to_linkage(), p=n_shown, truncate_mode="lastp", no_plot=True
        )["leaves"]
        assert {row.node for row in rows} == set(theirs)
    else:
        assert {row.node for row in rows} == set(range(n_papers))


def test_equal_heights_are_parted_from_the_last_merge_on() -> None:
    """Of nodes tied in height the one merged last is opened first."""
    tree = Tree(
        paper_keys=("a", "b", "c", "d"),
        children=np.array([[0, 1], [2, 3], [4, 5]]),
        heights=np.array([1.0, 1.0, 1.0]),
    )
    rows, merges = collapse_tree(tree, 3)
    assert merges == (5, 6)
    assert [row.node for row in rows] == [4, 2, 3]


@given(trees(max_papers=30), st.integers(2, 12))
def test_the_base_of_a_triangle_grows_with_its_papers(tree: Tree, n_shown: int) -> None:
    """Base over papers is one number for all triangles, and no two triangles overlap."""
    layout = lay_out(tree, n_shown)
    before = -np.inf
    for triangle in layout.triangles:
        apex, upper, lower = triangle.corners
        length = lower[1] - upper[1]
        assert length == pytest.approx(layout.points_per_paper * triangle.row.n_papers)
        assert apex[1] == pytest.approx((upper[1] + lower[1]) / 2)
        assert upper[1] >= before - 1e-9
        before = lower[1]


def test_clusters_stand_beside_their_rows_with_size_and_terms() -> None:
    """A cluster of two rows is told once; where a row holds two, each has its terms."""
    clusters = (
        described("C1", ("a", "b"), "masked", "patch"),
        described("C2", ("c",), "video"),
        described("C3", ("d", "e"), "audio", "speech", "sound", "noise", "tone"),
    )
    wide = lay_out(FIVE, 4, n_clusters=3, clusters=clusters)
    assert "C3 (2 papers) audio, speech, sound, noise" in written(wide)
    assert "C2 (1 paper) video" in written(wide)
    assert [group.colour_index for group, _, _ in wide.bars] == [0, 1, 2]
    narrow = lay_out(FIVE, 2, n_clusters=3, clusters=clusters)
    assert "C1, C2 (3 papers) C1: masked, patch; C2: video" in written(narrow)
    assert [triangle.colour_index for triangle in narrow.triangles] == [-1, 2]


def test_names_stand_at_brackets_or_inside_their_triangle() -> None:
    """A name whose sub-tree is collapsed with others is told at that triangle."""
    names = {"pair": ("a", "b"), "right": ("d", "e"), "left": ("a", "b", "c")}
    layout = lay_out(FIVE, 2, n_clusters=2, names=names)
    assert "3 papers, among them B pair (2)" in written(layout)
    assert "A left 3 papers, J 1.00" in written(layout)
    assert "C right 2 papers, J 1.00" in written(layout)
    assert sorted(t.lines[0] for t in layout.texts if t.is_ringed) == ["A", "C"]


@pytest.mark.parametrize("page", ["tall", "a4"])
@pytest.mark.parametrize("n_shown", [2, 9, 40])
def test_no_text_overlaps_another_or_leaves_the_page(page: str, n_shown: int) -> None:
    """Whatever is collapsed, all texts keep apart."""
    tree = make_tree(120, seed=6)
    nodes = list(tree.subtrees())
    names = {f"name of node {i}": node.paper_keys for i, node in enumerate(nodes[-1::-17])}
    keys = tree.paper_keys
    clusters = tuple(described(f"C{i}", keys[:2], *["a longer term"] * 4) for i in range(1, 15))
    layout = lay_out(
        tree, n_shown, n_clusters=14, names=names, clusters=clusters, page=page, font_size_pt=6
    )
    figure = draw_collapsed(layout)[0]
    assert overlapping(drawn_texts(figure)) == []
    assert clipped(figure) == []


def test_a_page_that_cannot_hold_so_many_is_refused() -> None:
    """The message says how many branches were asked and what can be changed."""
    with pytest.raises(
        ParameterError, match=r"a4 page has no room for 300 branches .* show fewer branches"
    ):
        lay_out(make_tree(400), 300, page="a4")


def test_fewer_than_two_branches_are_refused() -> None:
    """One branch is no tree."""
    with pytest.raises(ParameterError, match="collapsed tree of 1 branch was asked; it shows 2"):
        lay_out(FIVE, 1)


def test_a_chain_of_ten_thousand_collapses() -> None:
    """A tree deeper than Python's stack has one great triangle and single leaves."""
    n = 10_000
    first = np.concatenate([[0], n + np.arange(n - 2)])
    tree = Tree(
        paper_keys=tuple(f"p{i}" for i in range(n)),
        children=np.column_stack([first, np.arange(1, n)]),
        heights=np.linspace(0.1, 1.0, n - 1),
    )
    layout = layout_collapsed(tree, cut(tree, 3), FigureSettings(), n_shown=30)
    assert [row.n_papers for row in layout.rows] == [n - 29] + [1] * 29
    assert written(layout)[:2] == [f"{n - 29:,} papers", f"p{n - 29}"]


def test_leaves_may_stand_for_several_papers() -> None:
    """Five micro-clusters of 1, 2, 4, 8 and 16 papers: counts and bases are of papers."""
    papers_of = {key: 2**i for i, key in enumerate(FIVE.paper_keys)}
    _, partition, _ = make_layout(FIVE, n_clusters=2)
    layout = layout_collapsed(FIVE, partition, FigureSettings(), papers_of=papers_of, n_shown=3)
    assert sum(row.n_papers for row in layout.rows) == 31
    for row in layout.rows:
        leaves = FIVE.keys_in_leaf_order[row.first_leaf : row.last_leaf + 1]
        assert row.n_papers == sum(papers_of[key] for key in leaves)
    texts = " ".join(line for text in layout.texts for line in text.lines)
    assert "31 papers in 5 micro-clusters" in texts
