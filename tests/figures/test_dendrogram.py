"""What the dendrogram draws: labels on their leaves, nothing clipped, nothing overlapping."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, leaf_texts, make_layout, make_tree, overlapping, trees
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.figures.layout import DendrogramLayout
from survey_tools.figures.name_marks import bracket_line
from survey_tools.figures.strips import label_swatch
from survey_tools.figures.style import INK, PALETTE, clean
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

TaxonomyBuilder = Callable[..., Taxonomy]
HOSTILE = (
    "x" * 300,
    "Self-supervised " * 19,
    "",
    "$x^2$ and \\alpha",
    "a tab\t, a line\nbreak and a null\x00",
    "遮蔽图像建模综述" * 6,
    "It costs $5",
    "ÅÜÖẤ" * 12,
    "$\\frac{$",
    "_^{}%#&~",
    "A" * 60 + " " + "W" * 60,
    "An ordinary title about masked image modeling",
)
NAMES = {
    "first": ("p0", "p1"),
    "a sub-tree with a name that is far too long for one line": ("p2", "p3", "p4"),
    "third": ("p5", "p6", "p7", "p8"),
    "everything": tuple(f"p{i}" for i in range(12)),
    "everything again": tuple(f"p{i}" for i in range(12)),
}


@pytest.fixture(scope="session")
def hostile_taxonomy(make_taxonomy: TaxonomyBuilder) -> Taxonomy:
    """Build axes with mathematics in their titles, one of many labels and one of a single."""
    labels = ["pixels of the raw image", "tokens", "views", "latent targets of a teacher", "$y_2$"]
    filed = {f"p{i}": {"what is $x$": [labels[i % 5], labels[(i + 1) % 5]]} for i in range(9)}
    return make_taxonomy({"what is $x$": labels, "learnt": ["contributes"]}, filed)


def tree_axes(page: Figure) -> list[Axes]:
    """Axes that hold branches: those with a height axis."""
    return [ax for ax in page.axes if ax.axison]


def drawn_branches(page: Figure) -> list[np.ndarray[Any, Any]]:
    """Four-point lines of all panels as (height, points from the page's lower edge)."""
    found = []
    for ax in tree_axes(page):
        for collection in ax.collections:
            assert isinstance(collection, LineCollection)
            for line in collection.get_segments():
                if len(line) == 4 and to_hex(collection.get_color()[0]) != to_hex("white"):
                    y = ax.transData.transform([(0.0, point[1]) for point in line])[:, 1]
                    found.append(np.column_stack([line[:, 0], y]))
    return found


def read_back(page: Figure) -> set[tuple[float, frozenset[str]]]:
    """Read the drawn tree from ink alone: merge height and labels below, for every merge.

    A branch that starts at height 0 belongs to the label at the same place.
    """
    leaves = {
        round(text.axes.transData.transform((0.0, text.get_position()[1]))[1], 3): key
        for key, text in leaf_texts(page).items()
        if text.axes is not None
    }
    below: dict[tuple[float, float], frozenset[str]] = {
        (0.0, y): frozenset([key]) for y, key in leaves.items()
    }
    todo = drawn_branches(page)[:]
    found = set()
    while todo:
        n_left = len(todo)
        for line in todo[:]:
            ends = [(round(h, 9), round(y, 3)) for h, y in (line[0], line[3])]
            if all(end in below for end in ends):
                keys = below[ends[0]] | below[ends[1]]
                height = round(line[1, 0], 9)
                below[(height, round((line[0, 1] + line[3, 1]) / 2, 3))] = keys
                found.add((height, keys))
                todo = [other for other in todo if other is not line]
        if len(todo) == n_left:
            return found  # brackets at nodes have four points too and hang on nothing
    return found


@settings(max_examples=25)
@given(trees(), st.data())
def test_the_tree_read_back_from_the_ink_is_the_tree(tree: Tree, data: st.DataObject) -> None:
    """Following drawn branches from each label upwards gives the merges of the same papers."""
    titles = data.draw(
        st.lists(st.text(max_size=60), min_size=tree.n_papers, max_size=tree.n_papers)
    )
    layout, _, _ = make_layout(tree, titles)
    (page,) = draw_dendrogram(layout)
    expected = {(round(node.height, 9), frozenset(node.paper_keys)) for node in tree.subtrees()}
    assert read_back(page) == expected


def test_every_label_shows_the_title_of_the_paper_it_is_filed_under() -> None:
    """The text with a paper's key holds that paper's whole title."""
    tree = make_tree(12, 5)
    (page,) = draw_dendrogram(make_layout(tree, HOSTILE)[0])
    for key, text in leaf_texts(page).items():
        title = clean(HOSTILE[tree.paper_keys.index(key)]) or key
        assert text.get_text().replace("\n", "").replace(" ", "") == title.replace(" ", "")
        assert not text.get_parse_math()


@pytest.mark.parametrize("has_names", [True, False], ids=["names", "bare"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("page", ["tall", "a4", "letter"])
@pytest.mark.parametrize("font_size_pt", [6.5, 9])
def test_nothing_is_clipped_and_nothing_overlaps(
    page: str, columns: int, font_size_pt: float, has_names: bool, hostile_taxonomy: Taxonomy
) -> None:
    """Every text lies on its page and clear of every other, with the worst of titles."""
    layout, _, _ = make_layout(
        make_tree(12, 1),
        HOSTILE,
        names=NAMES if has_names else None,
        taxonomy=hostile_taxonomy if has_names else None,
        page=page,
        columns=columns,
        width_mm=260,
        font_size_pt=font_size_pt,
    )
    for figure in draw_dendrogram(layout):
        assert clipped(figure) == []
        assert overlapping(drawn_texts(figure)) == []


@pytest.mark.parametrize("width_mm", [80, 100, 150])
def test_a_narrow_page_clips_nothing(width_mm: float, hostile_taxonomy: Taxonomy) -> None:
    """The legend and the names of sub-trees wrap where the page is narrow."""
    names = {"a first name": ("p0", "p1")} if width_mm > 80 else None
    layout, _, _ = make_layout(
        make_tree(12, 1),
        HOSTILE,
        names=names,
        taxonomy=hostile_taxonomy,
        width_mm=width_mm,
        font_size_pt=5,
    )
    (figure,) = draw_dendrogram(layout)
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


@settings(max_examples=15)
@given(st.lists(st.text(max_size=80), min_size=3, max_size=8), st.sampled_from(["tall", "a4"]))
def test_no_title_is_clipped_or_overlaps_whatever_it_says(titles: list[str], page: str) -> None:
    """The extents of random titles stay on the page and apart."""
    layout, _, _ = make_layout(make_tree(len(titles), 2), titles, page=page, columns=2)
    (figure,) = draw_dendrogram(layout)
    boxes = {t: b for t, b in drawn_texts(figure).items() if (t.get_gid() or "").startswith("leaf")}
    assert len(boxes) == len(titles)
    assert overlapping(boxes) == []
    assert clipped(figure) == []


@pytest.mark.parametrize(("page", "columns"), [("a4", 1), ("a4", 2), ("letter", 2)])
def test_all_leaves_appear_once_over_all_pages(page: str, columns: int) -> None:
    """A tree of several pages shows every label once and numbers its pages."""
    tree = make_tree(150, 4)
    layout, _, _ = make_layout(
        tree, page=page, columns=columns, font_size_pt=12, min_font_size_pt=12
    )
    pages = draw_dendrogram(layout)
    assert len(pages) > 1
    keys = [key for figure in pages for key in leaf_texts(figure)]
    assert keys == list(tree.keys_in_leaf_order)
    for number, figure in enumerate(pages, start=1):
        words = [text.get_text() for text in drawn_texts(figure)]
        assert f"page {number} of {len(pages)}" in words
        assert clipped(figure) == []
        assert overlapping(drawn_texts(figure)) == []


def test_many_names_on_few_papers_stay_apart_and_on_the_page() -> None:
    """Every sub-tree of six papers named: names make room for themselves."""
    tree = make_tree(6, 2)
    names = {f"sub-tree {i} with some words": s.paper_keys for i, s in enumerate(tree.subtrees())}
    names |= {"twice": tree.subtree(tree.root).paper_keys}
    (figure,) = draw_dendrogram(make_layout(tree, names=names)[0])
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []
    drawn = " ".join(text.get_text() for text in drawn_texts(figure)).replace("\n", " ")
    assert all(name in drawn for name in names)


def test_two_names_of_one_node_are_both_marked_at_it() -> None:
    """Identical sub-trees share a circle with both letters instead of hiding one."""
    tree = make_tree(5, 2)
    keys = tree.subtree(tree.root).paper_keys
    layout, _, _ = make_layout(tree, names={"one": keys, "same": keys})
    (figure,) = draw_dendrogram(layout)
    marks = [text.get_text() for ax in tree_axes(figure) for text in ax.texts]
    assert marks == ["A, B"]


def test_a_named_node_is_marked_at_its_own_height() -> None:
    """The circled letter stands where the merge does."""
    tree = make_tree(9, 7)
    node = max(tree.subtrees(), key=lambda s: (len(s.paper_keys) == 3, -s.node))
    layout, _, _ = make_layout(tree, names={"three": node.paper_keys})
    (figure,) = draw_dendrogram(layout)
    (ax,) = tree_axes(figure)
    (mark,) = ax.texts
    branch = layout.branches[node.node - tree.n_papers]
    assert mark.get_position() == (node.height, pytest.approx(branch[1:3, 1].mean()))


@pytest.mark.parametrize("columns", [1, 2])
def test_brackets_stand_beside_their_own_rows(columns: int) -> None:
    """The bracket drawn right of the labels reaches from the first to the last of its rows."""
    tree = make_tree(12, 1)
    node = next(s for s in tree.subtrees() if len(s.paper_keys) == 3)
    layout, _, _ = make_layout(tree, names={"three": node.paper_keys}, columns=columns)
    (figure,) = draw_dendrogram(layout)
    spans = []
    for ax in figure.axes:
        if ax.axison:
            continue
        for collection in ax.collections:
            if isinstance(collection, LineCollection):
                lines = [line for line in collection.get_segments() if len(line) == 4]
                spans += [(ax, line[:, 1].min(), line[:, 1].max()) for line in lines]
    covered = {
        key
        for key, text in leaf_texts(figure).items()
        for ax, top, bottom in spans
        if text.axes is ax and top < text.get_position()[1] < bottom
    }
    assert covered == set(node.paper_keys)


@pytest.mark.parametrize("seed", range(4))
def test_inverted_merges_stay_inside_the_axes(seed: int) -> None:
    """With centroid linkage a merge may lie below its children; it is drawn all the same."""
    tree = make_tree(10, seed, has_inversions=True)
    assert (np.diff(tree.heights) < 0).any()
    (page,) = draw_dendrogram(make_layout(tree)[0])
    (ax,) = tree_axes(page)
    low, high = sorted(ax.get_xlim())
    assert low <= 0 <= tree.heights.max() < high
    assert len(read_back(page)) == 9


def test_two_papers_merged_at_height_zero_are_drawn() -> None:
    """Two equal papers give a tree without height, and still a picture."""
    tree = Tree(paper_keys=("a", "b"), children=np.array([[0, 1]]), heights=np.array([0.0]))
    (page,) = draw_dendrogram(make_layout(tree, ["One", "Two"], n_clusters=1)[0])
    assert set(leaf_texts(page)) == {"a", "b"}
    assert clipped(page) == []


def test_the_height_axis_runs_from_the_root_on_the_left_to_zero_at_the_leaves() -> None:
    """Leaves stand at the right edge of the branches, where their labels begin."""
    tree = make_tree(5, 1)
    layout, _, _ = make_layout(tree)
    (page,) = draw_dendrogram(layout)
    (ax,) = tree_axes(page)
    left, right = ax.get_xlim()
    assert right == 0.0
    assert tree.heights.max() < left < 1.1 * tree.heights.max()
    assert " ".join(ax.get_xlabel().split()) == layout.axis_label


def test_branches_have_the_colour_of_their_cluster_bar() -> None:
    """One palette colour a cluster on branches and bars; ink above the cut."""
    tree = make_tree(9, 1)
    layout, partition, _ = make_layout(tree, n_clusters=3)
    (page,) = draw_dendrogram(layout)
    (ax,) = tree_axes(page)
    branches = ax.collections[0]
    assert isinstance(branches, LineCollection)
    expected = [PALETTE[i] if i >= 0 else INK for i in layout.branch_colours]
    assert [to_hex(colour).upper() for colour in branches.get_color()] == [
        colour.upper() for colour in expected
    ]
    bars = {
        bar.get_y(): to_hex(bar.get_facecolor()).upper()
        for ax in page.axes
        for bar in ax.patches
        if hasattr(bar, "get_y") and bar.get_x() == 0.0 and not ax.axison
    }
    colours = [bars[y] for y in sorted(bars)]
    assert colours == [PALETTE[i].upper() for i in range(partition.n_groups)]


def strip_faces(page: Figure, layout: DendrogramLayout) -> dict[str, list[str]]:
    """Face colours of the filled strip cells of every paper, in the order drawn."""
    faces: dict[str, list[str]] = {row.paper_key: [] for row in layout.rows}
    for text_key, text in leaf_texts(page).items():
        ax = text.axes
        assert isinstance(ax, Axes)
        for collection in ax.collections:
            if not isinstance(collection, PolyCollection):
                continue
            if not len(collection.get_facecolor()):
                continue
            for path in collection.get_paths():
                low, high = path.get_extents().intervaly
                if low < text.get_position()[1] < high:
                    faces[text_key].append(to_hex(collection.get_facecolor()[0]).upper())
    return faces


def test_strip_cells_are_drawn_beside_their_paper(make_taxonomy: TaxonomyBuilder) -> None:
    """A filed paper shows its label's colour in its own row; others show an empty cell."""
    tree = make_tree(6, 3)
    filed: dict[str, dict[str, Sequence[str]]] = {
        "p0": {"hue": ["red"]},
        "p1": {"hue": ["green", "red"]},
        "p2": {"hue": []},
    }
    layout, _, _ = make_layout(tree, taxonomy=make_taxonomy({"hue": ["red", "green"]}, filed))
    (page,) = draw_dendrogram(layout)
    faces = {key: sorted(colours) for key, colours in strip_faces(page, layout).items()}
    red, green = PALETTE[0].upper(), PALETTE[1].upper()
    assert faces == {
        "p0": [red],
        "p1": sorted([red, green]),
        "p2": [],
        "p3": [],
        "p4": [],
        "p5": [],
    }


def test_labels_that_share_a_colour_differ_in_their_hatching() -> None:
    """Up to 36 labels on one axis: colour and hatch together tell any two apart."""
    assert len({label_swatch(i, 36) for i in range(36)}) == 36


@pytest.mark.parametrize("text", ["a\nb", "bell\x07", "<b>&amp;", "$x$"])
def test_texts_of_the_taxonomy_are_cleaned_before_they_are_drawn(
    text: str, make_taxonomy: TaxonomyBuilder
) -> None:
    """Axis and label titles are one printable line each, with no mathematics parsed."""
    taxonomy = make_taxonomy({text: [text, "other"]}, {"p0": {text: [text]}})
    (page,) = draw_dendrogram(make_layout(make_tree(3), taxonomy=taxonomy)[0])
    drawn = {t.get_text(): t for t in drawn_texts(page)}
    cleaned = clean(text)
    assert {cleaned.title(), cleaned} & set(drawn)
    for words, artist in drawn.items():
        if re.sub(r"\W", "", cleaned).lower() in words.lower():
            assert words.isprintable()
            assert not artist.get_parse_math()


def test_the_bundled_survey_is_drawn_without_clipping_or_overlap(mim_result: Any) -> None:
    """The dendrogram of 180 papers: every title once, all texts on the page and apart."""
    from survey_tools.figures.layout import layout_dendrogram

    result = mim_result
    layout = layout_dendrogram(
        result.tree,
        result.corpus,
        result.partition,
        result.settings.figures,
        names=result.names,
        taxonomy=result.taxonomy,
    )
    (page,) = draw_dendrogram(layout)
    texts = leaf_texts(page)
    assert {key: text.get_text().replace("\n", " ") for key, text in texts.items()} == {
        paper.key: clean(paper.title) for paper in result.corpus
    }
    assert clipped(page) == []
    assert overlapping(drawn_texts(page)) == []


def test_a_bracket_stays_open_where_a_page_cuts_it() -> None:
    """Serifs stand only at the ends of the sub-tree, not at the edge of the panel."""
    tree = make_tree(300, 1)
    layout, _, _ = make_layout(tree, names={"all": tree.paper_keys}, page="a4")
    assert layout.n_pages > 2
    first, middle, last = layout.panels[0], layout.panels[1], layout.panels[-1]
    bracket = layout.brackets[0]
    assert len(bracket_line(bracket, first, 5.0, -2.5)) == 3
    assert bracket_line(bracket, middle, 5.0, -2.5) == [(5.0, middle.top), (5.0, middle.bottom)]
    assert len(bracket_line(bracket, last, 5.0, -2.5)) == 3
    whole, _, _ = make_layout(tree, names={"all": tree.paper_keys})
    assert len(bracket_line(whole.brackets[0], whole.panels[0], 5.0, -2.5)) == 4
