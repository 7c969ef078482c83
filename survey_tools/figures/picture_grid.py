"""Rows of small images: what was, what was seen, what was guessed."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.figures.marks import write_block
from survey_tools.figures.pages import MARGIN_PT, PAD_PT, page_size
from survey_tools.figures.sheet import PlacedText, draw_lines, open_sheet, write_texts
from survey_tools.figures.style import figure_style, text_width, wrap
from survey_tools.settings import FigureSettings

__all__ = ["PictureRows", "PlacedPicture", "draw_picture_rows", "layout_picture_rows"]

_GAP_PT = 3.0
_MOST_PT = 60.0  # width of an image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureRows:
    """Images to be drawn.

    Attributes
    ----------
    row_names : tuple of str
    rows : ndarray of uint8, shape (n_rows, n_images, height, width, channels)
        One channel for grey, three for red, green and blue.
    """

    title: str
    row_names: tuple[str, ...]
    rows: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.rows.ndim != 5 or 0 in self.rows.shape or self.rows.shape[4] not in (1, 3):
            raise ParameterError(
                f"images of shape {self.rows.shape} arrived; (n_rows, n_images, height, width, 1 "
                "or 3 channels) is wanted"
            )
        if len(self.row_names) != len(self.rows):
            raise ParameterError(f"{len(self.rows)} rows, but {len(self.row_names)} names of rows")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedPicture:
    """An image with its place, in points from the page's top left corner."""

    pixels: NDArray[np.uint8]
    left: float
    top: float
    right: float
    bottom: float


def layout_picture_rows(
    grid: PictureRows, settings: FigureSettings
) -> tuple[float, float, tuple[PlacedPicture, ...], tuple[PlacedText, ...]]:
    """Compute where everything stands: names at the left, images as wide as the page allows.

    Returns
    -------
    width, height : float
        In points.
    pictures : tuple of PlacedPicture
    texts : tuple of PlacedText
    """
    size, width = settings.font_size_pt, page_size(settings)[0]
    names = max(text_width(name, size) for name in grid.row_names) + 2 * PAD_PT
    n_images, height_px, width_px = grid.rows.shape[1:4]
    room = width - 2 * MARGIN_PT - names + _GAP_PT
    across = min(_MOST_PT, room / n_images - _GAP_PT)
    down = across * height_px / width_px
    texts, y = write_block(
        wrap(grid.title, width - 2 * MARGIN_PT, size), MARGIN_PT, MARGIN_PT, size
    )
    y += PAD_PT
    pictures: list[PlacedPicture] = []
    for name, row in zip(grid.row_names, grid.rows, strict=True):
        texts = (*texts, PlacedText(lines=(name,), x=MARGIN_PT, y=y + down / 2.0, size=size))
        for i, pixels in enumerate(row):
            left = MARGIN_PT + names + i * (across + _GAP_PT)
            pictures.append(
                PlacedPicture(pixels=pixels, left=left, top=y, right=left + across, bottom=y + down)
            )
        y += down + _GAP_PT
    return width, y - _GAP_PT + MARGIN_PT, tuple(pictures), texts


def draw_picture_rows(grid: PictureRows, settings: FigureSettings) -> Figure:
    """Draw rows of images; see `layout_picture_rows`."""
    width, height, pictures, texts = layout_picture_rows(grid, settings)
    with figure_style():
        page, ax = open_sheet(width, height)
        for picture in pictures:
            ax.imshow(
                np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3)),
                extent=(picture.left, picture.right, picture.bottom, picture.top),
                interpolation="none",
                aspect="auto",
            )
        ax.set_xlim(0.0, width)
        ax.set_ylim(height, 0.0)
        frames = [
            [(p.left, p.top), (p.right, p.top), (p.right, p.bottom), (p.left, p.bottom)]
            for p in pictures
        ]
        draw_lines(ax, [[*corners, corners[0]] for corners in frames], width=0.4)
        write_texts(ax, texts)
    return page
