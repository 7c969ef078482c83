"""The contingency heat map: numbers, shades and labels in their own cells."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, overlapping
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from survey_tools.clusters import Cluster
from survey_tools.crosscheck.axes import AxisCrosscheck, compare_axes
from survey_tools.figures.contingency import draw_contingency, draw_residuals
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy

TaxonomyBuilder = Callable[..., Taxonomy]
GROUP_OF = {"a": "C1", "b": "C1", "c": "C1", "d": "C2", "e": "C2"}


def check(taxonomy: Taxonomy) -> tuple[AxisCrosscheck, ...]:
    settings = CrosscheckSettings(n_permutations=0, n_resamples=0)
    clusters = Partition.from_mapping({key: GROUP_OF[key] for key in taxonomy.filed_keys})
    return compare_axes(clusters, taxonomy, settings, seed=0)


def describe(terms: Sequence[str]) -> list[Cluster]:
    found = []
    for name in ("C1", "C2"):
        keys = tuple(key for key, group in GROUP_OF.items() if group == name)
        scored = tuple((term, 1.0) for term in terms)
        found.append(
            Cluster(
                name=name,
                paper_keys=keys,
                silhouette=None,
                silhouette_of={},
                top_terms={"class-tf-idf": scored, "mean-weight": (), "log-likelihood": ()},
            )
        )
    return found


def with_striking_counts(axis: AxisCrosscheck) -> AxisCrosscheck:
    """Give an axis as many papers as make wide numbers and striking residuals."""
    table = np.zeros_like(axis.contingency)
    table[0, 0], table[-1, -1] = 400, 388
    return replace(axis, contingency=table, cluster_sizes=np.array([400, 400]))


@pytest.fixture(scope="session")
def label_papers(make_taxonomy: TaxonomyBuilder) -> Callable[..., Taxonomy]:
    """File a, b under the first label, c under the last two, d under none; e stays unfiled."""

    def label(labels: Sequence[str], axis: str = "what") -> Taxonomy:
        filed = {"a": labels[:1], "b": labels[:1], "c": labels[-2:], "d": []}
        return make_taxonomy({axis: labels}, {key: {axis: given} for key, given in filed.items()})

    return label


def test_numbers_stand_in_the_cells_they_count(label_papers: Callable[..., Taxonomy]) -> None:
    """C1: two papers red, one green and blue; C2: its one filed paper has no label."""
    axis = check(label_papers(["red", "green", "blue"]))[0]
    figure = draw_contingency([axis], describe(["pixel"]))
    ax = figure.axes[0]
    columns = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert columns == ["red", "green", "blue", "other"]
    assert [row.split()[0] for row in rows] == ["C1", "C2"]
    cells = {
        (columns[int(text.get_position()[0])], rows[int(text.get_position()[1])][:2]): text
        for text in ax.texts
    }
    assert {place: int(text.get_text()) for place, text in cells.items()} == {
        ("red", "C1"): 2,
        ("green", "C1"): 1,
        ("blue", "C1"): 1,
        ("other", "C2"): 1,
    }
    np.testing.assert_allclose(ax.get_xticks(), [0.5, 1.5, 2.5, 3.5])
    assert ax.get_ylim() == (2, 0)


def test_shades_are_shares_of_the_clusters_filed_papers(
    label_papers: Callable[..., Taxonomy],
) -> None:
    """Two of three papers of C1 are red, so that cell's shade is 2/3 on a scale of 0 to 1."""
    axis = check(label_papers(["red", "green", "blue"]))[0]
    (mesh,) = draw_contingency([axis], describe([])).axes[0].collections
    assert isinstance(mesh, QuadMesh)
    shares = np.asarray(mesh.get_array()).reshape(2, 4)
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3, 1 / 3, 0], [0, 0, 0, 1]])
    assert mesh.get_clim() == (0.0, 1.0)


def test_numbers_on_dark_cells_are_white(label_papers: Callable[..., Taxonomy]) -> None:
    """A number keeps its contrast with the shade behind it."""
    axis = check(label_papers(["red", "green", "blue"]))[0]
    texts = draw_contingency([axis], describe([])).axes[0].texts
    colours = {(text.get_position()[0], text.get_position()[1]): text.get_color() for text in texts}
    assert colours[(0.5, 0.5)] == "white"  # 2 of 3
    assert colours[(1.5, 0.5)] == "black"  # 1 of 3


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["$x^2$", "\\alpha", "<b>"],
        ["a label of many words " * 8, "another label of many words " * 6, "x" * 200],
        ["控制\x07", "line\nbreak", "tab\t"],
        [f"label {i}" for i in range(40)],
    ],
    ids=["short", "markup", "long", "control", "many"],
)
@pytest.mark.parametrize("terms", [[], ["x"], ["pixel", "token", "x" * 80], ["a\nb", "$x$"]])
def test_nothing_is_clipped_and_nothing_overlaps(
    labels: list[str], terms: list[str], label_papers: Callable[..., Taxonomy]
) -> None:
    """Row labels, column labels, titles and the bar's title all have room."""
    taxonomy = label_papers(labels, axis="an axis with $x$ in a rather long title")
    *axes, cells = check(taxonomy)
    for drawn, draw in (
        (axes, draw_contingency),
        ([cells], draw_contingency),
        (axes, draw_residuals),
        ([with_striking_counts(cells)], draw_residuals),
    ):
        figure = draw(drawn, describe(terms))
        texts = drawn_texts(figure)
        assert clipped(figure) == []
        assert overlapping(texts) == []
        assert not [text for text in texts if "$" in text.get_text() and text.get_parse_math()]


def test_several_axes_share_rows_and_label_them_once(make_taxonomy: TaxonomyBuilder) -> None:
    """Tables side by side: titles above each, cluster names only on the left."""
    filed = {key: {"one": ["x"], "two": ["y"]} for key in "abcd"}
    axes = check(make_taxonomy({"one": ["x"], "two": ["y"]}, filed))[:2]
    figure = draw_contingency(axes, describe(["pixel"]))
    first, second = figure.axes[:2]
    assert [len(ax.get_yticklabels()) for ax in (first, second)] == [2, 0]
    titles = {text.get_text() for text in figure.texts}
    assert {"One", "Two"} <= titles
    boxes = [ax.get_position() for ax in (first, second)]
    assert (boxes[0].y0, boxes[0].y1) == pytest.approx((boxes[1].y0, boxes[1].y1))
    assert boxes[0].x1 < boxes[1].x0


def test_the_scale_says_what_it_measures_in_what_unit(
    label_papers: Callable[..., Taxonomy],
) -> None:
    """The colour bar runs from 0 to 100 per cent of the cluster's papers."""
    figure = draw_contingency(check(label_papers(["a", "b"]))[:1], describe([]))
    bar = figure.axes[-1]
    assert bar.get_xlim() == (0, 100)
    assert any(text.get_text() == "share of the cluster's papers (%)" for text in figure.texts)


def test_the_bundled_survey_is_drawn_without_clipping_or_overlap(mim_result: Any) -> None:
    """Both heat maps of the bundled survey hold their texts on the page and apart."""
    *axes, cells = mim_result.crosscheck.axes
    for drawn in (axes, [cells]):
        figure = draw_contingency(drawn, mim_result.clusters)
        assert clipped(figure) == []
        assert overlapping(drawn_texts(figure)) == []
        n_written = [sum(int(t.get_text()) for t in ax.texts) for ax in figure.axes[: len(drawn)]]
        assert n_written == [int(axis.contingency.sum()) for axis in drawn]


def test_residuals_are_written_as_found_over_expected(
    label_papers: Callable[..., Taxonomy],
) -> None:
    """A cell says papers found and expected; without a paper it is blank, unless many are missing.

    Of 20 + 20 papers 18 carry red, all of C1: 9 are expected in each cluster, which is
    9 / sqrt(9 * 1/2 * 22/40) = 5.7 standard deviations off. One of C2 carries green: 0.5 are
    expected, 1.0 standard deviation off.
    """
    axis = check(label_papers(["red", "green"]))[0]
    table = np.array([[18, 0, 2], [0, 1, 19]])
    axis = replace(axis, contingency=table, cluster_sizes=np.array([20, 20]))
    ax = draw_residuals([axis], describe(["pixel"])).axes[0]
    written = {
        (int(text.get_position()[0]), int(text.get_position()[1])): text for text in ax.texts
    }
    assert {place: text.get_text() for place, text in written.items()} == {
        (0, 0): "18 / 9.0",
        (0, 1): "0 / 9.0",
        (1, 1): "1 / 0.5",
        (2, 0): "2 / 10.5",
        (2, 1): "19 / 10.5",
    }
    (mesh,) = ax.collections
    assert isinstance(mesh, QuadMesh)
    shades = np.asarray(mesh.get_array()).reshape(2, 3)
    np.testing.assert_allclose(shades[:, 0], np.array([1, -1]) * 9 / np.sqrt(9 * 0.5 * 22 / 40))


def test_striking_cells_are_bold_and_outlined(label_papers: Callable[..., Taxonomy]) -> None:
    """Colour is not alone: beyond 3 standard deviations a cell has a rim and bold numbers."""
    axis = check(label_papers(["red", "green"]))[0]
    table = np.array([[18, 0, 2], [0, 1, 19]])
    axis = replace(axis, contingency=table, cluster_sizes=np.array([20, 20]))
    ax = draw_residuals([axis], describe([])).axes[0]
    outlined = {patch.get_xy() for patch in ax.patches if isinstance(patch, Rectangle)}
    bold = {
        (int(text.get_position()[0]), int(text.get_position()[1]))
        for text in ax.texts
        if text.get_fontweight() == "bold"
    }
    assert outlined == bold == {(0, 0), (0, 1), (2, 0), (2, 1)}


def test_no_residual_is_white_and_the_colours_are_symmetric(
    label_papers: Callable[..., Taxonomy],
) -> None:
    """More papers than expected are blue, fewer orange, on one scale for all axes and surveys."""
    axis = check(label_papers(["red", "green", "blue"]))[0]
    (mesh,) = draw_residuals([axis], describe([])).axes[0].collections
    low, high = mesh.get_clim()
    assert (low, high) == (-6.0, 6.0)
    np.testing.assert_allclose(mesh.to_rgba(np.array([0.0]))[0][:3], 1.0, atol=0.01)
    few, many = mesh.to_rgba(np.array([-9.0, 9.0]))[:, :3]
    np.testing.assert_allclose(few, to_rgb("#D55E00"), atol=0.01)
    np.testing.assert_allclose(many, to_rgb("#0072B2"), atol=0.01)


def test_the_note_says_what_bold_and_blank_mean(label_papers: Callable[..., Taxonomy]) -> None:
    """The residuals' figure explains its marks, the table of counts has none to explain."""
    axes = check(label_papers(["red"]))[:1]
    texts = " ".join(t.get_text() for t in draw_residuals(axes, describe([])).texts).split()
    assert "Bold and outlined: more than 3 standard deviations off" in " ".join(texts)
    counts = " ".join(t.get_text() for t in draw_contingency(axes, describe([])).texts)
    assert "Bold" not in counts
