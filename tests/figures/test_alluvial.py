"""The alluvial diagram: ribbons as wide as their papers, few crossings, texts that keep apart."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from examples import clipped, drawn_texts, overlapping
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck, compare_axes
from survey_tools.figures.alluvial import AlluvialLayout, layout_alluvial, plot_alluvial
from survey_tools.figures.ribbons import order_sides
from survey_tools.figures.style import PALETTE
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy

TaxonomyBuilder = Callable[..., Taxonomy]
AxisBuilder = Callable[..., AxisCrosscheck]


@pytest.fixture(scope="session")
def make_axis(make_taxonomy: TaxonomyBuilder) -> AxisBuilder:
    """Builder of an axis from a table of clusters x labels and the clusters' papers."""
    filed = {key: {"what": ["x"]} for key in "abc"}
    clusters = Partition.from_mapping({"a": "C1", "b": "C2", "c": "C2"})
    settings = CrosscheckSettings(n_permutations=0, n_resamples=0)
    axis = compare_axes(clusters, make_taxonomy({"what": ["x"]}, filed), settings, seed=0)[0]

    def build(
        table: ArrayLike, sizes: Sequence[int] | None = None, titles: Sequence[str] | None = None
    ) -> AxisCrosscheck:
        counts = np.array(table)
        titles = titles or [f"label {j}" for j in range(counts.shape[1])]
        return replace(
            axis,
            contingency=counts,
            cluster_sizes=counts.sum(axis=1) if sizes is None else np.array(sizes),
            cluster_names=tuple(f"C{i}" for i in range(1, len(counts) + 1)),
            column_names=tuple(titles),
            column_titles=tuple(titles),
        )

    return build


def describe(terms: Sequence[str], n_clusters: int) -> list[Cluster]:
    scored = tuple((term, 1.0) for term in terms)
    return [
        Cluster(
            name=f"C{i}",
            paper_keys=("a",),
            silhouette=None,
            silhouette_of={},
            top_terms={"class-tf-idf": scored, "mean-weight": (), "log-likelihood": ()},
        )
        for i in range(1, n_clusters + 1)
    ]


def thickness(layout: AlluvialLayout) -> NDArray[np.float64]:
    """Widths of the ribbons at their left ends."""
    return layout.ribbons[:, -1, 1] - layout.ribbons[:, 0, 1]


def count_crossings(table: NDArray[np.int64]) -> int:
    """Count pairs of papers whose straight lines cross, one by one."""
    lines = [(i, j) for (i, j), n in np.ndenumerate(table) for _ in range(n)]
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for k, a in enumerate(lines) for b in lines[k + 1 :]
    )


def test_ribbons_are_as_wide_as_their_papers_and_fill_their_bars(make_axis: AxisBuilder) -> None:
    """One scale for all; the ribbons of a bar lie side by side from its top to its bottom."""
    axis = make_axis([[3, 1, 0], [0, 2, 4]])
    layout = layout_alluvial(axis, [])
    units = thickness(layout) / np.array(layout.ribbon_papers)
    np.testing.assert_allclose(units, units[0])
    found = dict(zip(layout.ribbon_ends, layout.ribbon_papers, strict=True))
    assert found == {(0, 0): 3, (1, 0): 1, (1, 1): 2, (2, 1): 4}
    heights = layout.nodes[:, 2, 1] - layout.nodes[:, 0, 1]
    np.testing.assert_allclose(heights / units[0], [3, 3, 4, 4, 6])  # labels, then clusters
    for end, edge in ((0, 0), (1, 24)):
        for node in {ends[end] for ends in layout.ribbon_ends}:
            mine = [i for i, ends in enumerate(layout.ribbon_ends) if ends[end] == node]
            tops = layout.ribbons[mine, edge, 1]
            order = np.argsort(tops)
            np.testing.assert_allclose(
                tops[order][1:], (tops + thickness(layout)[mine])[order][:-1]
            )


def test_ribbons_have_the_colour_and_where_it_fits_the_number_of_their_label(
    make_axis: AxisBuilder,
) -> None:
    """The number at the cluster's end tells labels apart whose colours return."""
    table = np.eye(8, dtype=int) * 6
    table[0, 7] = 1
    layout = layout_alluvial(make_axis(table), [])
    (filled, *_) = plot_alluvial(layout).axes[0].collections
    assert isinstance(filled, PolyCollection)
    faces = [to_hex(face).upper() for face in filled.get_facecolor()]  # type: ignore[attr-defined]
    numbers = {
        int(text.lines[0].split(".")[0]): text.lines[0].split(" ")[2]
        for text in layout.texts
        if text.align == "right" and "." in text.lines[0]
    }
    assert sorted(numbers) == list(range(1, 9))
    label_of = {label: number for number, label in numbers.items()}
    for (column, _), face in zip(layout.ribbon_ends, faces, strict=True):
        assert face == PALETTE[(label_of[str(column)] - 1) % 6].upper()
    written = [text for text in layout.texts if text.lines[0].isdigit()]
    assert sorted(int(text.lines[0]) for text in written) == list(range(1, 9))
    for text in written:  # inside its ribbon, at the right end; the ribbon of one paper has none
        column = int(numbers[int(text.lines[0])])
        (ribbon,) = [
            ribbon
            for ribbon, ends, n in zip(
                layout.ribbons, layout.ribbon_ends, layout.ribbon_papers, strict=True
            )
            if ends[0] == column and n == 6
        ]
        assert text.y == pytest.approx(ribbon[24:26, 1].mean())


def test_labels_and_clusters_are_named_with_their_papers(make_axis: AxisBuilder) -> None:
    """Labels on the left; on the right clusters with their papers, not their ribbons, and terms."""
    axis = make_axis([[3, 2], [0, 4]], sizes=[4, 4])
    layout = layout_alluvial(axis, describe(["pixel", "mask"], 2))
    sides = {
        align: {text.lines[0] for text in layout.texts if text.align == align and text.y > 60}
        for align in ("left", "right")
    }
    assert {"C1 (4): pixel, mask", "C2 (4): pixel, mask"} <= sides["left"]
    assert {"1. label 0 (3)", "2. label 1 (6)"} <= sides["right"]


def test_wrapped_labels_have_even_lines(make_axis: AxisBuilder) -> None:
    """The number of papers does not stand alone below a label that just fills its line."""
    title = "Objective functions + Model architectures"
    layout = layout_alluvial(make_axis([[3, 2]], titles=[title, f"xxx {'x' * 35} xxx"]), [])
    labels = [text.lines for text in layout.texts if text.align == "right"]
    assert ("1. Objective functions +", "Model architectures (3)") in labels
    assert ("2. xxx", "x" * 35, "xxx (2)") in labels  # no word is split for it


def test_the_caption_says_when_papers_count_several_times(make_axis: AxisBuilder) -> None:
    """Ribbons of papers with several labels hold more than there are papers."""

    def caption(axis: AxisCrosscheck) -> str:
        return " ".join(layout_alluvial(axis, []).texts[2].lines)

    assert "several labels" not in caption(make_axis([[3, 1], [1, 4]]))
    several = caption(make_axis([[3, 1], [1, 4]], sizes=[3, 4]))
    assert several.startswith("7 papers")
    assert "a paper with several labels counts in each of them" in several
    assert "ribbons and bars hold 9" in several


def test_opposite_orders_are_turned_to_lie_without_crossings() -> None:
    """Each row meets one column, so that all lines can be parallel."""
    table = np.array([[0, 0, 5], [0, 2, 0], [4, 0, 0]])
    rows, columns = order_sides(table)
    assert count_crossings(table[np.ix_(rows, columns)]) == 0


@given(
    arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(1, 3))
)
def test_orders_are_never_worse_than_the_one_given(table: NDArray[np.int64]) -> None:
    """All rows and columns are kept, and no more papers cross than before."""
    rows, columns = order_sides(table)
    assert sorted(rows) == list(range(table.shape[0]))
    assert sorted(columns) == list(range(table.shape[1]))
    assert count_crossings(table[np.ix_(rows, columns)]) <= count_crossings(table)


def test_groups_without_common_papers_are_parted() -> None:
    """Two groups of labels and clusters, given by turns, stand one above the other."""
    whole = np.zeros((6, 6), dtype=np.int64)
    whole[:3, :3], whole[3:, 3:] = 2, 3
    given_rows, given_columns = [0, 3, 1, 4, 2, 5], [5, 0, 4, 1, 3, 2]
    rows, columns = order_sides(whole[np.ix_(given_rows, given_columns)])
    in_first_group = [
        [given[i] < 3 for i in order]
        for given, order in ((given_rows, rows), (given_columns, columns))
    ]
    assert in_first_group[0] == in_first_group[1]
    assert sorted(in_first_group[0]) in (in_first_group[0], in_first_group[0][::-1])


@pytest.mark.parametrize(
    ("n_clusters", "titles"),
    [
        (1, ["one"]),
        (2, ["$x^2$", "\\alpha", "<b>", "line\nbreak"]),
        (18, [f"a label of a good many words {j} " * 3 for j in range(46)]),
        (40, ["x" * 200, "tab\t"]),
    ],
    ids=["single", "markup", "cells", "clusters"],
)
@pytest.mark.parametrize("terms", [[], ["pixel", "token", "x" * 80]])
def test_nothing_is_clipped_and_nothing_overlaps(
    n_clusters: int, titles: list[str], terms: list[str], make_axis: AxisBuilder
) -> None:
    """Names of labels and clusters, numbers in ribbons, title and caption keep apart."""
    table = np.random.default_rng(3).poisson(0.5, (n_clusters, len(titles))) + np.eye(
        n_clusters, len(titles), dtype=int
    )
    table[:, 0] += table.sum(axis=1) == 0
    axis = make_axis(table, sizes=table.max(axis=1), titles=titles)
    figure = plot_alluvial(layout_alluvial(axis, describe(terms, n_clusters)))
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_twenty_thousand_papers_stay_on_a_page(make_axis: AxisBuilder) -> None:
    """The scale shrinks, and the ribbons are no more than the cells of the table."""
    table = np.random.default_rng(3).poisson(50, (20, 20))
    layout = layout_alluvial(make_axis(table), [])
    assert layout.height < 800
    assert len(layout.ribbons) == np.count_nonzero(table)
