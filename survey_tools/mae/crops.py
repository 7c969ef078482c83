"""Image files -> arrays of one size: random resized crops for training, centre crops for tests."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from survey_tools.errors import DataError

__all__ = [
    "IMAGENET_MEANS",
    "IMAGENET_SPREADS",
    "UnreadableImage",
    "crop_at_centre",
    "crop_at_random",
    "normalise",
    "read_image",
]

# Means and standard deviations of ImageNet's red, green and blue, from 0 to 1, as in He et al.
# (2022) and since Krizhevsky's successors; images of other kinds are normalised alike.
IMAGENET_MEANS = (0.485, 0.456, 0.406)
IMAGENET_SPREADS = (0.229, 0.224, 0.225)

_SCALE = (0.2, 1.0)  # share of the area, He et al. (2022), table 8
_ASPECT = (3.0 / 4.0, 4.0 / 3.0)  # Szegedy et al. (2015), section 6
_N_TRIES = 10  # for a crop that fits
_KEPT_AT_CENTRE = 224.0 / 256.0  # of the shorter side
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation
_MOST_OF_16_BITS = 65535
# What Pillow raises at files that are cut off, damaged, or no images
_DAMAGES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

Crop = NDArray[np.uint8]  # (height, width, 3)


class UnreadableImage(DataError):  # noqa: N818  (it is skipped as often as it is an error)
    """An image file that is cut off, damaged, or no image."""


def read_image(path: Path) -> Image.Image:
    """Read an image file as red, green and blue, upright.

    Grey, palette and CMYK images are converted; the high byte of 16-bit grey ones is kept, while
    grey values of unknown range (32 bits, or fractions) cannot be read;
    transparency is ignored. A camera's EXIF orientation is obeyed, unlike in torchvision's
    folders; one that is damaged is ignored.

    Raises
    ------
    UnreadableImage
        Naming the file and what is wrong with it.
    """
    try:
        with Image.open(path) as file:
            file.load()
            return _upright(_to_rgb(file), _orientation(file))
    except _DAMAGES as error:
        reason = "no image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise UnreadableImage(
            f"{path}: cannot be read ({reason or type(error).__name__})"
        ) from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # "I" are 32 bits, in which older Pillows give 16-bit PNG
        values = np.asarray(image)
        if values.min() < 0 or values.max() > _MOST_OF_16_BITS:
            raise ValueError("grey values of more than 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("grey values that are fractions")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # as Pillow asks, else it warns
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGES:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def crop_at_random(image: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Crop:
    """Cut out a random part, resize it (bicubic) and flip it half of the time.

    Area uniform from 0.2 to 1 of the image, aspect ratio log-uniform from 3/4 to 4/3; after
    ten parts that do not fit, the largest at the centre that has an allowed ratio.

    Parameters
    ----------
    size : tuple of int
        Height and width wanted, in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    References
    ----------
    .. [1] Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6.
    .. [2] He et al., "Masked autoencoders are scalable vision learners", CVPR 2022, table 8.
    """
    box = _draw_box(image.width, image.height, rng)
    part = image.crop(box).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    pixels = np.asarray(part)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _draw_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw left, top, right and bottom."""
    low, high = np.log(_ASPECT)
    for _ in range(_N_TRIES):
        area = width * height * rng.uniform(*_SCALE)
        aspect = np.exp(rng.uniform(low, high))
        w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * _ASPECT[1])))
    h = min(height, max(1, round(width / _ASPECT[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def crop_at_centre(image: Image.Image, size: tuple[int, int]) -> Crop:
    """Resize (bicubic) until the image is 256/224 of the size wanted, and cut out the centre.

    Parameters
    ----------
    size : tuple of int
        Height and width wanted, in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton, NIPS 2012, section 2; He et al. (2022) test so.
    """
    height, width = size
    # whole pixels as in 224 -> 256; the image must cover the enlarged size both ways
    covered_h, covered_w = (int(side / _KEPT_AT_CENTRE) for side in size)
    factor = max(covered_h / image.height, covered_w / image.width)
    new_h = max(covered_h, int(image.height * factor))
    new_w = max(covered_w, int(image.width * factor))
    resized = image.resize((new_w, new_h), Image.Resampling.BICUBIC)
    left, top = round((new_w - width) / 2), round((new_h - height) / 2)
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def normalise(crop: Crop) -> NDArray[np.float32]:
    """Scale to 0 to 1, subtract ImageNet's mean and divide by its standard deviation.

    Parameters
    ----------
    crop : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of float32, shape (3, height, width)
    """
    scale = np.array(IMAGENET_SPREADS, dtype=np.float32) * np.float32(255.0)
    shift = np.array(IMAGENET_MEANS, dtype=np.float32) * np.float32(255.0)
    return np.ascontiguousarray(((crop - shift) / scale).transpose(2, 0, 1))
