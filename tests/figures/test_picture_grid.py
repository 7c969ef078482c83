"""Rows of images: all on the page, beside their names, at the images' proportions."""

from itertools import pairwise

import numpy as np
import pytest

from survey_tools.errors import ParameterError
from survey_tools.figures.picture_grid import PictureRows, draw_picture_rows, layout_picture_rows
from survey_tools.figures.style import render_svg
from survey_tools.settings import FigureSettings

SETTINGS = FigureSettings()


def make(n_images: int, shape: tuple[int, int, int] = (8, 16, 1)) -> PictureRows:
    rng = np.random.default_rng(0)
    rows = rng.integers(256, size=(2, n_images, *shape)).astype(np.uint8)
    return PictureRows(title="Some images", row_names=("as it was", "masked"), rows=rows)


@pytest.mark.parametrize("n_images", [1, 8, 30])
def test_pictures_fit_the_page_and_keep_their_proportions(n_images: int) -> None:
    """None overlaps another, a name, or the margin; twice as wide as high."""
    width, height, pictures, texts = layout_picture_rows(make(n_images), SETTINGS)
    assert len(pictures) == 2 * n_images
    first_left = min(picture.left for picture in pictures)
    names = [text for text in texts if text.lines[0] in ("as it was", "masked")]
    assert max(float(text.corners[:, 0].max()) for text in names) < first_left
    for picture in pictures:
        assert picture.right <= width
        assert picture.bottom <= height
        across, down = picture.right - picture.left, picture.bottom - picture.top
        assert across == pytest.approx(2.0 * down)
    row = pictures[:n_images]
    assert all(a.right < b.left for a, b in pairwise(row))


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_drawn(channels: int) -> None:
    """As images inside the SVG."""
    svg = render_svg(draw_picture_rows(make(2, (4, 4, channels)), SETTINGS), salt="x")
    assert svg.count("<image") == 4
    assert "as it was" in svg


def test_other_shapes_are_refused() -> None:
    """Two channels, or a row without a name."""
    with pytest.raises(ParameterError, match="1 or 3 channels"):
        make(1, (4, 4, 2))
    with pytest.raises(ParameterError, match="1 rows, but 2 names"):
        PictureRows(title="", row_names=("a", "b"), rows=np.zeros((1, 1, 2, 2, 1), np.uint8))
