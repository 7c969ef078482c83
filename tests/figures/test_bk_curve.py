"""The Bk curve: its lines are the numbers of the curve, and each is named beside it."""

from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_tree, overlapping
from matplotlib.figure import Figure

from survey_tools.agreement.bk_curve import BkCurve, compare_cuts
from survey_tools.errors import ParameterError
from survey_tools.figures.bk_curve import draw_bk_curve, plot_bk_curve

TITLES = {"left_title": "Tree of the taxonomy", "right_title": "dendrogram"}


def make_curve(n_papers: int, *, n_permutations: int = 50, **options: Any) -> BkCurve:
    return compare_cuts(
        make_tree(n_papers, 1),
        make_tree(n_papers, 2),
        rng=np.random.default_rng(0),
        n_permutations=n_permutations,
        **options,
    )


def test_lines_and_band_are_the_numbers_of_the_curve() -> None:
    """The index is a full line, what chance gives a dashed one inside its band."""
    curve = make_curve(30)
    ax = plot_bk_curve(curve, ax=Figure().add_subplot())
    by_style = {line.get_linestyle(): line for line in ax.lines}
    assert set(by_style) == {"-", "--"}
    for style, values in (("-", curve.values), ("--", curve.expected)):
        np.testing.assert_array_equal(by_style[style].get_xdata(), curve.n_clusters)
        np.testing.assert_array_equal(by_style[style].get_ydata(), values)
    (band,) = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}  # type: ignore[union-attr]
    for edge in (curve.low, curve.high):
        assert set(zip(curve.n_clusters.tolist(), edge.tolist(), strict=True)) <= corners


def test_every_cut_has_a_dot_so_that_missing_numbers_are_seen() -> None:
    """Ties leave out numbers of clusters; a bare line would hide it."""
    few = plot_bk_curve(make_curve(30), ax=Figure().add_subplot())
    many = plot_bk_curve(make_curve(90), ax=Figure().add_subplot())
    assert [line.get_marker() for line in few.lines if line.get_linestyle() == "-"] == ["o"]
    assert [line.get_marker() for line in many.lines if line.get_linestyle() == "-"] == [""]


@pytest.mark.parametrize(("n_papers", "scale"), [(51, "linear"), (52, "log")])
def test_beyond_50_clusters_their_axis_is_logarithmic(n_papers: int, scale: str) -> None:
    """The title of the axis says so, and its ticks are round numbers."""
    ax = plot_bk_curve(make_curve(n_papers), ax=Figure().add_subplot())
    assert ax.get_xscale() == scale
    assert ("logarithmic" in ax.get_xlabel()) == (scale == "log")
    if scale == "log":
        labels = [label.get_text() for label in ax.get_xticklabels()]
        assert labels == ["2", "5", "10", "20", "50"]


def test_names_stand_beside_the_ends_and_say_how_the_band_was_made() -> None:
    """Words tell lines and band apart, not colours alone."""
    ax = plot_bk_curve(make_curve(30, confidence=0.9), ax=Figure().add_subplot())
    names = {t.get_text().replace("\n", " ") for t in ax.texts} - {""}
    assert names == {
        "Bk found",
        "dashed: mean by chance",
        "grey: 90% of 50 random relabellings",
    }


def test_axes_name_quantity_method_and_unit() -> None:
    """Both axes say what they measure."""
    ax = plot_bk_curve(make_curve(30), ax=Figure().add_subplot())
    assert ax.get_xlabel() == "clusters in each of the two cuts (number)"
    assert ax.get_ylabel() == "Bk: Fowlkes-Mallows index of the cuts (no unit)"
    assert ax.get_ylim()[0] == 0.0


def test_without_relabellings_there_is_no_band_and_none_is_named() -> None:
    """Only the index itself is drawn."""
    ax = plot_bk_curve(make_curve(30, n_permutations=0), ax=Figure().add_subplot())
    assert len(ax.lines) == 1
    assert len(ax.collections) == 0
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["Bk found"]


@pytest.mark.parametrize("n_papers", [3, 12, 60, 400])
@pytest.mark.parametrize("n_permutations", [0, 20])
@pytest.mark.parametrize("title", ["Tree", "A tree of $many$ labels_of " * 8])
def test_nothing_is_clipped_and_nothing_overlaps(
    n_papers: int, n_permutations: int, title: str
) -> None:
    """Names keep apart where lines end at one point; a long title is wrapped."""
    curve = make_curve(n_papers, n_permutations=n_permutations)
    figure = draw_bk_curve(curve, left_title=title, right_title="dendrogram")
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_a_band_of_a_single_cut_is_seen() -> None:
    """Three papers can be cut into two clusters only, where a filled band has no width."""
    curve = make_curve(3)
    assert curve.n_clusters.tolist() == [2]
    ax = draw_bk_curve(curve, **TITLES).axes[0]
    stroke = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    assert len(stroke) == 1
    low, high = stroke[0].get_segments()[0][:, 1]  # type: ignore[attr-defined]
    assert (low, high) == (curve.low[0], curve.high[0])


def test_a_curve_without_cuts_is_refused() -> None:
    """Two papers have no number of clusters between 1 and all."""
    with pytest.raises(ParameterError, match="no number of clusters is possible in both trees"):
        draw_bk_curve(make_curve(2), **TITLES)
