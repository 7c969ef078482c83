"""Strips of years, venues and support: cells beside their papers, shades in order."""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from examples import make_tree
from matplotlib.colors import to_rgb

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.figures.paper_strips import choose_strips
from survey_tools.figures.strips import StripColumn
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

TaxonomyBuilder = Callable[..., Taxonomy]


def strips_of(
    tree: Tree,
    *names: str,
    fields: Sequence[Mapping[str, Any]] | None = None,
    taxonomy: Taxonomy | None = None,
    support: Mapping[str, float] | None = None,
) -> tuple[StripColumn, ...]:
    """Build strips of papers whose i-th key has the i-th fields."""
    fields = fields or [{}] * tree.n_papers
    papers = [Paper(key=k, title="T", **f) for k, f in zip(tree.paper_keys, fields, strict=True)]
    settings = FigureSettings(strips=names)
    return choose_strips(tree, Corpus(tuple(papers)), settings, taxonomy=taxonomy, support=support)


def label_of(tree: Tree, strip: StripColumn) -> dict[str, str | None]:
    """Return the label of every paper, read as the drawing reads it: by leaf order."""
    return {
        key: None if cell is None else strip.labels[cell[0]]
        for key, cell in zip(tree.keys_in_leaf_order, strip.cells, strict=True)
    }


def greys(strip: StripColumn) -> list[float]:
    """Lightness of every swatch as a grey printer sees it (weights of ITU-R BT.601)."""
    return [
        0.299 * r + 0.587 * g + 0.114 * b
        for r, g, b in (to_rgb(swatch.face) for swatch in strip.swatches)
    ]


def test_every_paper_has_the_shade_of_its_own_year() -> None:
    """A paper's cell names its year; one without a year has no cell."""
    tree = make_tree(6, 3)
    years = [2021, 2023, None, 2021, 2022, 2023]
    (strip,) = strips_of(tree, "year", fields=[{"year": year} for year in years])
    assert strip.labels == ("2021", "2022", "2023")
    assert label_of(tree, strip) == {
        f"p{i}": None if year is None else str(year) for i, year in enumerate(years)
    }
    assert strip.unknown == "no year given"


@pytest.mark.parametrize("n_years", [1, 2, 5, 8, 9, 20])
def test_later_years_are_darker_in_grey_too(n_years: int) -> None:
    """Swatches fall in lightness from first to last, by enough to be told apart."""
    tree = make_tree(max(2, n_years), 1)
    fields = [{"year": 2000 + i % n_years} for i in range(tree.n_papers)]
    (strip,) = strips_of(tree, "year", fields=fields)
    shades = greys(strip)
    assert all(a - b > 0.05 for a, b in pairwise(shades))


def test_more_years_than_shades_share_them_in_spans_of_one_width() -> None:
    """From 2001 to 2020 at most eight shades: spans of three years that end with the last."""
    tree = make_tree(20, 1)
    (strip,) = strips_of(tree, "year", fields=[{"year": 2001 + i} for i in range(20)])
    assert strip.labels == (
        "2001-2002",
        *("2003-2005", "2006-2008", "2009-2011", "2012-2014", "2015-2017", "2018-2020"),
    )
    assert label_of(tree, strip)["p4"] == "2003-2005"


def test_the_eight_most_frequent_venues_have_a_swatch_each_and_the_rest_one() -> None:
    """Ten venues: those of one paper at the end of the alphabet are called other venue."""
    venues = [f"V{i}" for i in range(8) for _ in range(2)] + ["Z1", "Z2", "", None]
    tree = make_tree(len(venues), 2)
    (strip,) = strips_of(tree, "venue", fields=[{"venue": venue} for venue in venues])
    assert strip.labels == (*(f"V{i}" for i in range(8)), "other venue")
    assert len(set(strip.swatches)) == 9
    labels = label_of(tree, strip)
    assert [labels[f"p{i}"] for i in range(14, 20)] == [
        *("V7", "V7", "other venue", "other venue", None, None),
    ]


def test_a_ninth_venue_keeps_its_name() -> None:
    """A class of others is not made for a single venue."""
    tree = make_tree(9, 2)
    (strip,) = strips_of(tree, "venue", fields=[{"venue": f"V{i}"} for i in range(9)])
    assert set(strip.labels) == {f"V{i}" for i in range(9)}


def test_support_is_shaded_in_five_steps() -> None:
    """Each step holds its lower end; 100 % lies in the last; untested papers have no cell."""
    tree = make_tree(7, 2)
    support = {"p0": 0.0, "p1": 0.19, "p2": 0.2, "p3": 0.5, "p4": 0.8, "p5": 1.0}
    (strip,) = strips_of(tree, "support", support=support)
    assert label_of(tree, strip) == {
        "p0": "0-20 %",
        "p1": "0-20 %",
        "p2": "20-40 %",
        "p3": "40-60 %",
        "p4": "80-100 %",
        "p5": "80-100 %",
        "p6": None,
    }
    assert greys(strip) == sorted(greys(strip), reverse=True)


def test_support_that_is_no_share_is_refused() -> None:
    """A percentage where a share is meant is told with the paper's key."""
    with pytest.raises(ParameterError, match="support is a share from 0 to 1; that of p1 is not"):
        strips_of(make_tree(2), "support", support={"p0": 0.5, "p1": 85.0})


def test_support_without_a_robustness_test_is_left_out_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The figure is drawn all the same."""
    with caplog.at_level(logging.WARNING):
        assert strips_of(make_tree(3), "support") == ()
    assert "robustness has not been tested" in caplog.text


def test_strips_stand_in_the_order_of_the_setting(make_taxonomy: TaxonomyBuilder) -> None:
    """One axis by its name, then the years, then all axes."""
    taxonomy = make_taxonomy({"hue": ["red"], "form": ["round"]}, {"p0": {}})
    strips = strips_of(make_tree(3), "form", "year", "taxonomy", taxonomy=taxonomy)
    assert [strip.title for strip in strips] == ["Form", "Year", "Hue", "Form"]


def test_an_unknown_strip_is_refused_with_those_that_exist(
    make_taxonomy: TaxonomyBuilder,
) -> None:
    """The message lists the general strips and the survey's own axes."""
    taxonomy = make_taxonomy({"hue": ["red"]}, {"p0": {}})
    with pytest.raises(
        ParameterError,
        match=r"figures\.strips: 'colour' is no strip .* taxonomy, year, venue, support, hue",
    ):
        strips_of(make_tree(3), "colour", taxonomy=taxonomy)
