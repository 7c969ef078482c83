"""The dendrogram's geometry: rows, branches, bars, brackets and strips before any ink."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from examples import make_layout, make_tree, trees
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.layout import DendrogramLayout, layout_dendrogram
from survey_tools.figures.strips import LegendEntry, Swatch, label_swatch
from survey_tools.figures.style import clean, text_width, wrap
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import SubtreeFile, SubtreeName, attach_names
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

TaxonomyBuilder = Callable[..., Taxonomy]
# the tree of three leaves that is worked out by hand below
THREE = Tree(
    paper_keys=("a", "b", "c"),
    children=np.array([[2, 0], [3, 1]]),
    heights=np.array([1.0, 2.5]),
    linkage="average",
    metric="cosine",
)


def row_of(layout: DendrogramLayout) -> dict[str, tuple[float, float]]:
    return {row.paper_key: (row.top, row.bottom) for row in layout.rows}


def test_three_leaves_are_where_they_were_computed_by_hand() -> None:
    """Rows follow the leaf order; each branch leaves its children and meets at its height."""
    layout, _, _ = make_layout(THREE, ["A", "B", "C"], n_clusters=2, font_size_pt=10)
    row = 10 * (1.2 + 0.35)  # one line and the white space below it
    assert [r.paper_key for r in layout.rows] == ["c", "a", "b"]
    assert [r.lines for r in layout.rows] == [("C",), ("A",), ("B",)]
    np.testing.assert_allclose([r.centre for r in layout.rows], [0.5 * row, 1.5 * row, 2.5 * row])
    expected = [
        [[0.0, 0.5 * row], [1.0, 0.5 * row], [1.0, 1.5 * row], [0.0, 1.5 * row]],
        [[1.0, 1.0 * row], [2.5, 1.0 * row], [2.5, 2.5 * row], [0.0, 2.5 * row]],
    ]
    np.testing.assert_allclose(layout.branches, expected)
    assert layout.cut_height == 1.75  # midway between the merges at 1.0 and 2.5
    assert layout.branch_colours.tolist() == [0, -1]


@given(trees())
def test_the_branch_that_ends_at_a_row_belongs_to_its_paper(tree: Tree) -> None:
    """Every merge that has a leaf for a child ends at the centre of that leaf's row."""
    layout, _, _ = make_layout(tree)
    centre = {row.paper_key: row.centre for row in layout.rows}
    seen = []
    for children, line in zip(tree.children, layout.branches, strict=True):
        for child, end in zip(children, (line[0], line[3]), strict=True):
            if child < tree.n_papers:
                key = tree.paper_keys[child]
                assert end.tolist() == [0.0, centre[key]]
                seen.append(key)
    assert sorted(seen) == sorted(tree.paper_keys)


@given(trees(), st.randoms(use_true_random=False))
def test_renumbering_the_papers_moves_no_label(tree: Tree, random: object) -> None:
    """The picture depends on keys and merges, not on the numbers that leaves happen to have."""
    order = list(range(tree.n_papers))
    random.shuffle(order)  # type: ignore[attr-defined]
    new = {old: i for i, old in enumerate(order)}
    children = [[new.get(int(c), int(c)) for c in pair] for pair in tree.children]
    other = Tree(
        paper_keys=tuple(tree.paper_keys[old] for old in order),
        children=np.array(children),
        heights=tree.heights,
    )
    titles = {key: f"Paper {key}" for key in tree.paper_keys}
    ours, _, _ = make_layout(tree, [titles[key] for key in tree.paper_keys])
    theirs, _, _ = make_layout(other, [titles[key] for key in other.paper_keys])
    assert ours.rows == theirs.rows
    np.testing.assert_array_equal(ours.branches, theirs.branches)


@given(trees(), st.data())
def test_cluster_bars_span_exactly_their_papers_rows(tree: Tree, data: st.DataObject) -> None:
    """A bar reaches from its cluster's first row to its last and over nobody else's."""
    height = data.draw(st.sampled_from([0.0, *tree.heights.tolist()]))
    layout, partition, _ = make_layout(tree, cut_height=height)
    rows = row_of(layout)
    assert len(layout.bars) == partition.n_groups
    for bar in layout.bars:
        inside = {
            key for key, (top, bottom) in rows.items() if bar.top <= top < bottom <= bar.bottom
        }
        assert inside == set(partition.members(bar.name))
        assert {bar.top, bar.bottom} <= {edge for key in inside for edge in rows[key]}
        assert bar.colour_index == partition.group_names.index(bar.name)


@given(trees())
def test_branches_are_coloured_by_the_cluster_of_all_their_papers(tree: Tree) -> None:
    """A merge inside a cluster has its colour; a merge of two clusters has none."""
    layout, partition, _ = make_layout(tree)
    group_of = partition.as_mapping()
    for subtree, colour in zip(tree.subtrees(), layout.branch_colours, strict=True):
        groups = {group_of[key] for key in subtree.paper_keys}
        expected = partition.group_names.index(groups.pop()) if len(groups) == 1 else -1
        assert colour == expected


@given(trees(), st.data())
def test_a_bracket_spans_exactly_the_papers_of_its_node(tree: Tree, data: st.DataObject) -> None:
    """A bracket stands at its node's merge height and covers the rows below it only."""
    nodes = data.draw(st.lists(st.sampled_from(list(tree.subtrees())), max_size=4))
    names = {f"name {i}": node.paper_keys for i, node in enumerate(nodes)}
    layout, _, _ = make_layout(tree, names=names)
    rows = row_of(layout)
    assert sorted(bracket.name for bracket in layout.brackets) == sorted(names)
    for bracket in layout.brackets:
        meant = set(names[bracket.name])
        inside = {
            k for k, (top, bottom) in rows.items() if bracket.top <= top < bottom <= bracket.bottom
        }
        assert inside == meant == set(bracket.paper_keys)
        line = layout.branches[
            next(i for i, node in enumerate(tree.subtrees()) if set(node.paper_keys) == meant)
        ]
        assert bracket.height == line[1, 0]
        assert bracket.centre == pytest.approx((line[1, 1] + line[2, 1]) / 2)


@given(trees(), st.data())
def test_brackets_of_one_lane_do_not_overlap(tree: Tree, data: st.DataObject) -> None:
    """Nested and identical sub-trees get lanes of their own, the outer one further out."""
    nodes = data.draw(st.lists(st.sampled_from(list(tree.subtrees())), max_size=5))
    layout, _, _ = make_layout(tree, names={f"{i}": n.paper_keys for i, n in enumerate(nodes)})
    brackets = layout.brackets
    for i, a in enumerate(brackets):
        for b in brackets[i + 1 :]:
            if max(a.top, b.top) < min(a.bottom, b.bottom):
                assert a.lane != b.lane
                if set(a.paper_keys) < set(b.paper_keys):
                    assert a.lane < b.lane
    assert len({bracket.code for bracket in brackets}) == len(brackets)


def test_names_that_were_not_found_are_not_drawn() -> None:
    """A name whose best sub-tree is too unlike its papers gets no bracket."""
    names = attach_names(
        THREE,
        SubtreeFile(
            min_jaccard=1.0,
            names=(
                SubtreeName(name="found", papers=("a", "c")),
                SubtreeName(name="lost", papers=("a", "b")),
            ),
        ),
    )
    corpus = Corpus(tuple(Paper(key=key, title=key) for key in "abc"))
    layout = layout_dendrogram(THREE, corpus, cut(THREE, 2), FigureSettings(), names=names)
    assert [bracket.name for bracket in layout.brackets] == ["found"]
    assert layout.brackets[0].lines == ("A found", "2 papers, J 1.00")


@given(tree=trees(max_papers=8), data=st.data())
def test_strip_cells_are_the_papers_own_labels(
    make_taxonomy: TaxonomyBuilder, tree: Tree, data: st.DataObject
) -> None:
    """Cell i of a strip holds the labels of the paper in row i, or None if it is not filed."""
    known = ["red", "green", "blue"]
    filed = data.draw(
        st.dictionaries(
            st.sampled_from(tree.paper_keys), st.lists(st.sampled_from(known), unique=True)
        )
    )
    taxonomy = make_taxonomy({"colour": known}, {k: {"colour": v} for k, v in filed.items()})
    layout, _, _ = make_layout(tree, taxonomy=taxonomy)
    (strip,) = layout.strips
    assert strip.labels == tuple(known)
    for row, cell in zip(layout.rows, strip.cells, strict=True):
        if row.paper_key not in filed:
            assert cell is None
        else:
            assert cell is not None
            assert {strip.labels[i] for i in cell} == set(filed[row.paper_key])


@pytest.mark.parametrize("page", ["tall", "a4", "letter"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("n_papers", [2, 3, 40, 300])
def test_all_leaves_stand_once_on_pages_that_hold_them(
    page: str, columns: int, n_papers: int
) -> None:
    """Panels cut the rows into consecutive runs, none higher than its page."""
    layout, _, _ = make_layout(make_tree(n_papers, 1), page=page, columns=columns)
    dealt = [i for panel in layout.panels for i in range(panel.first_row, panel.last_row + 1)]
    assert dealt == list(range(n_papers))
    places = [(panel.page, panel.column) for panel in layout.panels]
    assert places == sorted(set(places))
    for panel in layout.panels:
        assert panel.column < columns
        assert (panel.top, panel.bottom) == (
            layout.rows[panel.first_row].top,
            layout.rows[panel.last_row].bottom,
        )
        height = layout.grid.panel_top + panel.bottom - panel.top + layout.grid.legend_height
        assert height < layout.page_height
    if page == "tall":
        assert layout.n_pages == 1


def test_a_fixed_page_shrinks_its_text_until_one_page_holds_all_leaves() -> None:
    """Of the sizes between the two settings the largest that fits one page is taken."""
    sizes = {
        n: make_layout(make_tree(n, 1), page="a4", font_size_pt=8, min_font_size_pt=4)[0]
        for n in (20, 80, 100, 400)
    }
    assert [sizes[n].n_pages for n in (20, 80, 100)] == [1, 1, 1]
    assert sizes[400].n_pages > 1
    assert sizes[20].font_size_pt == sizes[400].font_size_pt == 8
    assert 8 > sizes[80].font_size_pt > sizes[100].font_size_pt >= 4


def test_a_page_without_room_for_labels_is_refused() -> None:
    """The complaint says what has no room and what to do."""
    with pytest.raises(ParameterError, match=r"has no room for labels.*use fewer columns"):
        make_layout(make_tree(4), columns=2, width_mm=80, font_size_pt=14)


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=300),
    st.floats(30, 400),
    st.floats(4, 14),
)
def test_wrapping_loses_no_character_and_keeps_the_width(
    text: str, width_pt: float, size_pt: float
) -> None:
    """Lines joined give the cleaned text back; only a single character may be too wide."""
    lines = wrap(text, width_pt, size_pt)
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")
    for line in lines:
        assert len(line) == 1 or text_width(line, size_pt) <= width_pt + 1e-6


@given(st.lists(st.text("abcdefg-", min_size=1, max_size=12), min_size=1, max_size=40))
def test_words_that_fit_are_not_split(words: list[str]) -> None:
    """With room for the longest word, lines joined by spaces are the title itself."""
    assert " ".join(wrap(" ".join(words), 120.0, 6.5)) == " ".join(words)


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("", ("p0",)),
        (" \t\n", ("p0",)),
        ("\x00\x1b", ("p0",)),
        ("a\tb\nc\x00d", ("a b c d",)),
        ("$x^2$ and \\alpha", ("$x^2$ and \\alpha",)),
        ("  twice  spaced  ", ("twice spaced",)),
        ("遮蔽图像", ("遮蔽图像",)),
    ],
)
def test_a_leaf_shows_its_cleaned_title_or_else_its_key(title: str, lines: tuple[str, ...]) -> None:
    """Control characters and runs of space become one space; nothing left means the key."""
    layout, _, _ = make_layout(make_tree(2), [title, "other"])
    assert next(row.lines for row in layout.rows if row.paper_key == "p0") == lines


@pytest.mark.parametrize(("label", "expected"), [("key", "p0"), ("author-year", "Ames 2020")])
def test_leaves_can_show_key_or_author_and_year(label: str, expected: str) -> None:
    """The setting leaf_label chooses what is written."""
    tree = make_tree(2)
    papers = tuple(Paper(key=k, title="T", authors=("Ada Ames",), year=2020) for k in ("p0", "p1"))
    settings = FigureSettings(leaf_label=label)  # type: ignore[arg-type]
    layout = layout_dendrogram(tree, Corpus(papers), cut(tree, 1), settings)
    row = next(row for row in layout.rows if row.paper_key == "p0")
    assert re.sub(r"[,() ]+", " ", " ".join(row.lines)).strip() == expected


def test_one_cluster_and_as_many_clusters_as_papers() -> None:
    """At both ends no straight line would cut the tree."""
    tree = make_tree(6, 3)
    one, _, _ = make_layout(tree, n_clusters=1)
    assert one.cut_height is None
    assert (one.branch_colours == 0).all()
    six, _, _ = make_layout(tree, n_clusters=6)
    assert (six.branch_colours == -1).all()
    assert len(six.bars) == 6
    assert six.cut_height is None or 0 <= six.cut_height < tree.heights[0]


@pytest.mark.parametrize("seed", range(8))
def test_the_cut_line_crosses_exactly_the_branches_of_the_clusters(seed: int) -> None:
    """With rising heights the dashed line meets one horizontal branch a cluster."""
    tree = make_tree(9, seed)
    layout, partition, _ = make_layout(tree, n_clusters=4)
    cut_height = layout.cut_height
    assert cut_height is not None
    n_crossed = sum(
        line[end, 0] < cut_height < line[corner, 0]
        for line in layout.branches
        for end, corner in ((0, 1), (3, 2))
    )
    assert n_crossed == partition.n_groups == 4


def test_the_axis_names_quantity_method_and_unit() -> None:
    """The label under the tree says merge height, linkage, metric and that there is no unit."""
    label = make_layout(THREE)[0].axis_label.lower()
    assert all(word in label for word in ("merge height", "average linkage", "cosine", "unit"))


def test_the_legend_explains_every_label_and_fits_the_page(make_taxonomy: TaxonomyBuilder) -> None:
    """Labels that do not fit one line go on in the next; no swatch is left out."""
    labels = [f"label number {i} of a long list" for i in range(20)]
    taxonomy = make_taxonomy({"many": labels, "lone": ["yes"]}, {"p0": {"many": labels[:1]}})
    layout, _, _ = make_layout(make_tree(6), taxonomy=taxonomy, width_mm=120)
    entries: list[LegendEntry] = [entry for line in layout.legend for entry in line]
    swatches = {entry.swatch: entry.text for entry in entries if entry.swatch is not None}
    assert swatches == {label_swatch(i, 20): label for i, label in enumerate(labels)} | {
        label_swatch(0, 1): "yes",
        Swatch(face="white", is_struck=True): "not filed",
        Swatch(face="white"): "other",
    }
    for line in layout.legend:
        end = line[-1].x + text_width(line[-1].text, layout.font_size_pt)
        assert end + 2 * layout.grid.panel_lefts[0] <= layout.grid.page_width
        assert [entry.x for entry in line] == sorted({entry.x for entry in line})


def lay_out(tree: Tree, n_clusters: int, cut_height: float | None) -> DendrogramLayout:
    corpus = Corpus(tuple(Paper(key=key, title=key) for key in tree.paper_keys))
    partition = cut(tree, n_clusters)
    return layout_dendrogram(tree, corpus, partition, FigureSettings(), cut_height=cut_height)


def test_the_cut_line_stands_at_the_height_that_was_set() -> None:
    """By number it stands midway between merges (1 and 2.5), by height where it was asked."""
    assert lay_out(THREE, 2, None).cut_height == 1.75
    assert lay_out(THREE, 2, 1.2).cut_height == 1.2


def test_a_cut_above_the_root_has_no_line_and_no_word_in_the_legend() -> None:
    """The legend calls the cut dashed only where a dashed line is drawn."""
    beyond, within = lay_out(THREE, 1, 9.0), lay_out(THREE, 2, 1.2)
    assert beyond.cut_height is None
    assert "dashed" not in beyond.legend[0][0].text
    assert "dashed" in within.legend[0][0].text


def test_a_legend_that_fills_the_page_is_refused(make_taxonomy: TaxonomyBuilder) -> None:
    """Rows are not dealt one a page when strips leave no room for them."""
    labels = {f"axis {i}": [f"{j} {i} " + "long " * 15 for j in range(30)] for i in range(12)}
    taxonomy = make_taxonomy(labels, {"p0": {}})
    with pytest.raises(ParameterError, match="has no room for labels, strips and legend"):
        make_layout(make_tree(60), taxonomy=taxonomy, page="a4", columns=1)


def test_a_long_axis_title_is_shortened_not_let_eat_the_page(
    make_taxonomy: TaxonomyBuilder,
) -> None:
    """Three hundred characters above a strip end in an ellipsis after twenty ems."""
    taxonomy = make_taxonomy({"very long " * 30: ["yes"]}, {"p0": {}})
    layout, _, _ = make_layout(make_tree(60), taxonomy=taxonomy, page="a4")
    assert layout.strips[0].title.endswith("…")
    assert layout.grid.panel_top < 200
    assert layout.n_pages < 5


def test_an_axis_with_more_labels_than_swatches_is_left_out_and_told(
    make_taxonomy: TaxonomyBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixty labels cannot be told apart by six colours and six hatches."""
    taxonomy = make_taxonomy({"big": [f"l{i}" for i in range(60)], "small": ["a", "b"]}, {"p0": {}})
    layout, _, _ = make_layout(make_tree(6), taxonomy=taxonomy)
    assert [strip.title for strip in layout.strips] == ["Small"]
    assert "axis big has 60 labels, more than the 36" in caplog.text
    assert len(caplog.records) == 1


def test_lone_labels_of_different_names_are_explained_axis_by_axis(
    make_taxonomy: TaxonomyBuilder,
) -> None:
    """Each lone label stands beside its own axis, in its own case."""
    taxonomy = make_taxonomy({"sensor": ["RGB-D"], "task": ["Detection"]}, {"p0": {}})
    layout, _, _ = make_layout(make_tree(4), taxonomy=taxonomy)
    texts = [entry.text for line in layout.legend[1:] for entry in line]
    assert texts == [
        *("strips:", "Sensor:", "RGB-D", "other", "Task:", "Detection", "other", "not filed"),
    ]


def test_text_is_made_a_little_smaller_to_save_a_page() -> None:
    """Leaves that just miss a number of pages get it at up to half a point less, not below."""
    saved = []
    for n_papers in range(150, 260, 5):
        layout, _, _ = make_layout(make_tree(n_papers), page="a4", min_font_size_pt=5.0)
        fixed, _, _ = make_layout(make_tree(n_papers), page="a4", min_font_size_pt=6.5)
        assert layout.n_pages <= fixed.n_pages
        assert layout.n_pages == 1 or layout.font_size_pt >= 6.0
        assert layout.font_size_pt == 6.5 or layout.n_pages < fixed.n_pages
        saved.append(layout.n_pages < fixed.n_pages)
    assert any(saved)
    assert not all(saved)


@pytest.mark.parametrize("leaf_label", ["number", "number-title", "key"])
def test_numbers_at_the_leaves_are_explained_in_the_legend(leaf_label: str) -> None:
    """The first lines say what [n] means, where it is written."""
    layout, _, _ = make_layout(make_tree(4), leaf_label=leaf_label)
    words = " ".join(entry.text for line in layout.legend for entry in line)
    assert ("[n]: papers by their number" in words) == (leaf_label != "key")


def test_the_tree_takes_the_room_that_short_labels_leave() -> None:
    """With keys for labels the branches are longer, and no label is wrapped for it."""
    tree = make_tree(8, 1)
    titles = ["A title that is wider than the room for labels " * 4] * 8
    long, _, _ = make_layout(tree, titles)
    short, _, _ = make_layout(tree, titles, leaf_label="key")
    assert short.grid.tree_width > 2 * long.grid.tree_width
    assert all(len(row.lines) == 1 for row in short.rows)
    assert short.grid.bracket_left <= short.grid.panel_width
