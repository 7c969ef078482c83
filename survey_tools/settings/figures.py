"""How figures are printed."""

from typing import Annotated, Literal

from pydantic import Field

from survey_tools.settings.base import Settings

__all__ = [
    "FigureSettings",
]

ImageFormat = Literal["pdf", "svg", "png"]


class FigureSettings(Settings):
    """How the dendrogram is printed."""

    style: Literal[
        "auto", "left-right", "top-down", "circular", "collapsed", "overview", "heat-map"
    ] = "auto"
    """Shape of the tree: from left to right with a line a paper, from top down, as a circle, with
    sub-trees collapsed to triangles, as an overview without labels, or beside the matrix of
    similarities; auto is left-right up to 2,000 papers, and overview with collapsed beyond."""
    page: Literal["tall", "a4", "letter"] = "tall"
    """One page as tall as needed, or as many A4 (210 x 297 mm) or letter pages as needed; from
    top down one page as wide as needed, or pages on their side."""
    columns: Literal[1, 2] = 1
    """Columns of leaves a page; from top down, rows of leaves one below the other."""
    width_mm: Annotated[float, Field(ge=80, le=1000)] = 210.0
    """Page width of a tall figure, in millimetres; from top down, its greatest height but for the
    legend."""
    font_size_pt: Annotated[float, Field(ge=4, le=14)] = 6.5
    """Text size of the leaves, in points; the largest tried where a page has a fixed size."""
    min_font_size_pt: Annotated[float, Field(ge=3, le=14)] = 5.0
    """Smallest text size tried to bring all leaves onto one A4 or letter page, in points; where
    they need several, text is made up to half a point smaller if that saves a page."""
    leaf_label: Literal["title", "short-title", "key", "author-year", "number", "number-title"] = (
        "title"
    )
    """What is written at a leaf: the whole title on as many lines as it needs, as much of it as
    one line holds, the key, Author (year), the paper's number in the file of papers as [n], or
    number and title."""
    names: Literal["brackets", "bands", "labels"] = "brackets"
    """How named sub-trees are shown: by brackets, by tinted and hatched bands behind branches and
    labels, or by lines from the node to the name alone."""
    strips: tuple[Annotated[str, Field(min_length=1)], ...] = ("taxonomy",)
    """Strips beside the leaves, in their order: taxonomy (all its axes), the name of one axis,
    year, venue, or support (of the clusters, where robustness was tested)."""
    n_shown: Annotated[int, Field(ge=2, le=500)] = 30
    """Most branches that the collapsed style shows."""
    formats: Annotated[tuple[ImageFormat, ...], Field(min_length=1)] = ("pdf", "svg", "png")
    """File formats of every figure."""
    png_dpi: Annotated[int, Field(ge=50, le=1200)] = 150
    """Resolution of PNG files, in dots per inch."""
