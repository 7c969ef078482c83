"""The strips of labels below a tree: ticks at the right leaves, boxes around the right ones."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_tree, overlapping, trees
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection

from survey_tools.cover import Cover
from survey_tools.crosscheck.labels import LabelPlace, place_labels
from survey_tools.errors import ParameterError
from survey_tools.figures.label_places import (
    LabelPlacesLayout,
    draw_label_places,
    layout_label_places,
)
from survey_tools.figures.label_rows import merge_ticks
from survey_tools.figures.label_table import group_labels
from survey_tools.figures.node_numbers import place_numbers
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

FOUR = Tree(
    paper_keys=("a", "b", "c", "d"),
    children=np.array([[1, 3], [0, 2], [4, 5]]),  # leaf order: b d a c
    heights=np.array([1.0, 1.5, 2.0]),
    linkage="average",
    metric="cosine",
)
Members = dict[tuple[str, str], tuple[str, ...]]


def place(
    tree: Tree, labels: dict[str, dict[str, Sequence[str]]], *, n_permutations: int = 20
) -> tuple[tuple[LabelPlace, ...], Members]:
    """Place labels, given as axis -> label -> papers."""
    covers = {}
    for axis, papers_of in labels.items():
        carried: dict[str, list[str]] = {key: [] for key in tree.paper_keys}
        for label, keys in papers_of.items():
            for key in keys:
                carried[key].append(label)
        covers[axis] = Cover.from_mapping(carried)
    titles = {(axis, label): f"Title: {label}" for axis in labels for label in labels[axis]}
    places = place_labels(
        tree,
        covers,
        rng=np.random.default_rng(0),
        titles=titles,
        n_permutations=n_permutations,
    )
    return places, {(p.axis, p.label): covers[p.axis].papers_in(p.label) for p in places}


def lay_out_many(
    tree: Tree, n_labels: int, *, n_axes: int = 3, **settings: Any
) -> tuple[LabelPlacesLayout, tuple[LabelPlace, ...], Members]:
    """Lay out labels of random papers, and of one sub-tree."""
    rng = np.random.default_rng(1)
    labels: dict[str, dict[str, Sequence[str]]] = {f"axis {i}": {} for i in range(n_axes)}
    for j in range(n_labels - 1):
        n_papers = int(rng.integers(1, max(2, tree.n_papers // 4)))
        chosen = rng.choice(tree.n_papers, n_papers, replace=False)
        keys = [tree.paper_keys[i] for i in chosen]
        labels[f"axis {j % n_axes}"][f"a label with a rather long name {j}"] = keys
    labels["axis 0"]["of one sub-tree"] = tree.papers_under(tree.root - 1)
    places, members = place(tree, labels)
    layout = layout_label_places(tree, places, members, FigureSettings(**settings))
    return layout, places, members


def test_ticks_stand_under_the_leaves_of_the_papers() -> None:
    """In leaf order b d a c, papers b and d are one tick, and a paper alone is another."""
    places, members = place(FOUR, {"what": {"x": ["b", "d", "c"]}})
    layout = layout_label_places(FOUR, places, members, FigureSettings())
    (row,) = layout.rows
    np.testing.assert_allclose(row.ticks, layout.edges[[[0, 2], [3, 4]]])


def test_the_box_spans_the_papers_of_the_best_sub_tree() -> None:
    """F1 of x = {b, d, c}: b d has 0.8, all four 6/7, so the root is the best."""
    labels = {"what": {"x": ["b", "d", "c"], "y": ["a", "c"]}}
    places, members = place(FOUR, labels)
    layout = layout_label_places(FOUR, places, members, FigureSettings())
    boxes = {row.label: row.box for row in layout.rows}
    assert boxes["x"] == pytest.approx((layout.edges[0], layout.edges[4]))
    assert boxes["y"] == pytest.approx((layout.edges[2], layout.edges[4]))


def test_the_tree_stands_over_its_leaves_with_the_root_on_top() -> None:
    """Each leaf's line comes down in the middle of its column."""
    places, members = place(FOUR, {"what": {"x": ["b"]}})
    layout = layout_label_places(FOUR, places, members, FigureSettings())
    lowest = layout.segments[..., 1].max()
    down = layout.segments[(layout.segments[..., 1] == lowest).any(axis=1)]
    middles = (layout.edges[1:] + layout.edges[:-1]) / 2
    np.testing.assert_allclose(np.sort(down[:, 0, 0]), middles, atol=0.051)
    assert all(row.top > lowest for row in layout.rows)


def test_rows_say_what_the_places_say() -> None:
    """Number, title, papers, F1, precision, recall and q; a star only where q is small."""
    tree = make_tree(60, 3)
    layout, places, members = lay_out_many(tree, 7)
    sure = [p for p in places if p.q_value is not None and p.q_value <= 0.05]
    rows = {(row.axis, row.label): row for row in layout.rows}
    assert rows.keys() == members.keys()
    assert {key for key, row in rows.items() if row.is_sure} == {(p.axis, p.label) for p in sure}
    for found in places:
        row = rows[found.axis, found.label]
        texts = [t for t in layout.texts if row.top < t.y < row.bottom]
        title, *numbers = sorted(texts, key=lambda text: text.x)
        assert " ".join(title.lines).startswith(f"{row.number}. ")
        assert " ".join(title.lines).endswith(f"{found.label} ({found.n_papers})")
        written = [text.lines[0] for text in numbers]
        values = [found.f1, found.precision, found.recall, found.q_value]
        for text, value in zip(written, values, strict=True):
            assert float(text.rstrip("*")) == pytest.approx(value, abs=0.006)
        assert [text.endswith("*") for text in written] == [False] * 3 + [row.is_sure]


def test_sure_places_have_solid_boxes_and_others_dashed() -> None:
    """The box says by its line, not by colour alone, whether the place is better than chance."""
    places, members = place(make_tree(12), {"what": {"x": ["p1"], "y": ["p2"], "z": ["p3"]}})
    qs = {"x": 0.001, "y": 0.2, "z": None}
    judged = [replace(p, q_value=qs[p.label]) for p in places]
    figure = draw_label_places(make_tree(12), judged, members, FigureSettings())
    rims = [
        collection
        for collection in figure.axes[0].collections
        if isinstance(collection, LineCollection) and collection.get_zorder() == 3
    ]
    dashes = {len(rim.get_segments()): rim.get_linestyle()[0][1] for rim in rims}
    assert dashes[1] is None
    assert dashes[2] is not None
    texts = {text.get_text() for text in drawn_texts(figure)}
    assert {"0.001*", "0.20", "not tested"} <= texts


def test_a_stricter_alpha_takes_stars_away() -> None:
    """Stars, boxes and the note follow the rate that was asked."""
    places, members = place(make_tree(12), {"what": {"x": ["p1"]}})
    judged = [replace(p, q_value=0.03) for p in places]
    for alpha, star in ((0.05, "0.03*"), (0.01, "0.03")):
        figure = draw_label_places(make_tree(12), judged, members, FigureSettings(), alpha=alpha)
        texts = {text.get_text() for text in drawn_texts(figure)}
        assert star in texts
        note = next(text for text in texts if text.startswith("Leaves")).replace("\n", " ")
        assert f"q ≤ {alpha:g}" in note


def test_rows_are_grouped_by_axis_in_the_order_given() -> None:
    """Axes come by their first label; a common beginning of the titles is their heading."""
    layout, places, _ = lay_out_many(make_tree(60, 3), 9)
    axes = [row.axis for row in layout.rows]
    assert list(dict.fromkeys(axes)) == list(dict.fromkeys(p.axis for p in places))
    assert axes == sorted(axes, key=axes.index)
    assert [row.number for row in layout.rows] == list(range(1, 10))
    assert len({(row.axis, row.colour_index) for row in layout.rows}) == 3
    assert [text.lines for text in layout.texts].count(("Title",)) == 3


def test_headings_fall_back_to_the_name_of_the_axis() -> None:
    """Titles without a common beginning stay whole, and a label alone has no heading."""
    places, _ = place(FOUR, {"what": {"x": ["a"], "y": ["b"]}, "how": {"z": ["c"]}})
    renamed = [replace(p, title={"x": "X: one", "y": "Y", "z": "Z"}[p.label]) for p in places]
    groups = {group.places[0].axis: group for group in group_labels(renamed)}
    assert groups["what"].heading == "what"
    assert set(groups["what"].titles) == {"X: one", "Y"}
    assert (groups["how"].heading, groups["how"].titles) == ("", ("Z",))


def test_nodes_are_numbered_by_the_first_row_that_lives_there() -> None:
    """Two labels of one sub-tree share one number at its node."""
    labels = {"what": {"x": ["a", "c"], "y": ["a", "c"], "z": ["b", "d"]}}
    places, members = place(FOUR, labels)
    layout = layout_label_places(FOUR, places, members, FigureSettings())
    ringed = {text.lines[0]: (text.x, text.y) for text in layout.texts if text.is_ringed}
    by_label = {row.label: row.number for row in layout.rows}
    assert set(ringed) == {str(min(by_label["x"], by_label["y"])), str(by_label["z"])}
    x, _ = ringed[str(by_label["z"])]
    assert x == pytest.approx(layout.edges[1], abs=0.1)  # midway of b and d


@given(trees(max_papers=20), st.data(), st.floats(0.01, 5.0), st.floats(0.01, 5.0))
def test_merged_ticks_cover_each_paper_and_never_touch(
    tree: Tree, data: st.DataObject, width: float, least: float
) -> None:
    """Ticks keep apart, are wide enough, and hold the middles of just these papers' leaves."""
    keys = data.draw(st.sets(st.sampled_from(tree.paper_keys), min_size=1))
    edges = np.arange(tree.n_papers + 1) * width
    ticks = merge_ticks(tree, sorted(keys), edges, least=least)
    assert (ticks[1:, 0] > ticks[:-1, 1]).all()
    assert (np.diff(ticks, axis=1) >= least - 1e-9).all()
    for i, key in enumerate(tree.keys_in_leaf_order):
        middle = (i + 0.5) * width
        is_covered = ((ticks[:, 0] <= middle) & (middle <= ticks[:, 1])).any()
        assert is_covered or key not in keys
        if least <= width:
            assert is_covered == (key in keys)


@pytest.mark.parametrize(
    ("n_papers", "n_labels"), [(2, 1), (180, 1), (180, 26), (180, 60), (3000, 60)]
)
@pytest.mark.parametrize("width_mm", [80, 210])
def test_no_text_overlaps_another_or_leaves_the_page(
    n_papers: int, n_labels: int, width_mm: float
) -> None:
    """Titles, numbers, heads, note, ticks of the axis and ringed numbers keep apart."""
    tree = make_tree(n_papers, 5)
    _, places, members = lay_out_many(tree, n_labels)
    settings = FigureSettings(width_mm=width_mm)
    figure = draw_label_places(tree, places, members, settings)
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


@pytest.mark.parametrize("font_size_pt", [4, 6.5, 14])
@pytest.mark.parametrize("width_mm", [80, 140, 400])
def test_a_page_too_narrow_for_the_table_grows(width_mm: float, font_size_pt: float) -> None:
    """Leaves and titles keep a share of the width; a page wide enough stays as it was asked."""
    layout, _, _ = lay_out_many(make_tree(60), 20, width_mm=width_mm, font_size_pt=font_size_pt)
    asked = width_mm * 72 / 25.4
    inner = layout.width - 2 * 8 * 72 / 25.4
    assert layout.width >= asked - 1e-6
    if (width_mm, font_size_pt) == (80, 14):
        assert layout.width > 2 * asked
    if width_mm == 400:
        assert layout.width == pytest.approx(asked)
    assert layout.edges[-1] - layout.edges[0] >= 0.28 * inner - 1e-6


def test_long_and_odd_names_are_wrapped() -> None:
    """Markup, control characters and words longer than the column stay in their column."""
    names = ["$x^2$ and \\alpha", "line\nbreak", "x" * 200, "many words " * 20, "控制"]
    labels = {"what": {name: ["p1", "p2"] for name in names}}
    tree = make_tree(30)
    places, members = place(tree, labels)
    figure = draw_label_places(tree, places, members, FigureSettings())
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_twenty_thousand_leaves_stay_light() -> None:
    """No row has more ticks than fit side by side, and lines of the tree are joined."""
    tree = make_tree(20_000, 3)
    keys = np.array(tree.paper_keys)
    rng = np.random.default_rng(0)
    labels = {"what": {str(n): rng.choice(keys, n, replace=False) for n in (1, 500, 10_000)}}
    places, members = place(tree, labels, n_permutations=0)
    layout = layout_label_places(tree, places, members, FigureSettings())
    length = layout.edges[-1] - layout.edges[0]
    assert max(len(row.ticks) for row in layout.rows) < length / 0.5
    assert min(np.diff(row.ticks, axis=1).min() for row in layout.rows) >= 0.499
    assert len(layout.segments) < 1.5 * tree.n_papers  # of three a merge
    assert layout.height < 300


@pytest.mark.parametrize("n_numbers", [2, 30])
def test_ringed_numbers_keep_apart_and_lead_to_their_nodes(n_numbers: int) -> None:
    """Of nodes in one place one keeps its number, and the others move beside it with a line."""
    nodes = np.full((n_numbers, 2), 50.0)
    texts, leaders = place_numbers(
        [str(i) for i in range(n_numbers)], nodes, 6.0, room=(0.0, 0.0, 100.0, 100.0)
    )
    assert len(texts) == n_numbers
    assert (texts[0].x, texts[0].y) == (50.0, 50.0)
    assert len(leaders) == n_numbers - 1
    places = np.array([(text.x, text.y) for text in texts])
    gaps = np.abs(places[:, None] - places[None]).max(axis=2)
    assert gaps[~np.eye(n_numbers, dtype=bool)].min() >= 1.9 * 6.0 - 1e-9
    assert places.min() >= 0.95 * 6.0 - 1e-9
    assert places.max() <= 100.0 - 0.95 * 6.0 + 1e-9
    for leader, end in zip(leaders, places[1:], strict=True):
        np.testing.assert_allclose(leader, [(50.0, 50.0), end])


def test_what_cannot_be_drawn_is_refused() -> None:
    """No labels, labels without papers, and places of another tree."""
    tree, settings = make_tree(12), FigureSettings()
    places, members = place(tree, {"what": {"x": ["p1", "p2"]}})
    with pytest.raises(ParameterError, match="no label was placed"):
        draw_label_places(tree, [], {}, settings)
    with pytest.raises(ParameterError, match=re.escape("labels without papers: what: x")):
        draw_label_places(tree, places, {}, settings)
    wrong = [replace(places[0], size=places[0].size + 1)]
    with pytest.raises(ParameterError, match="labels placed in another tree: what: x"):
        draw_label_places(tree, wrong, members, settings)
