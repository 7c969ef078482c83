"""Image files: kinds, damages, orientation; crops and normalisation."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from survey_tools.mae.crops import (
    IMAGENET_MEANS,
    IMAGENET_SPREADS,
    UnreadableImage,
    crop_at_centre,
    crop_at_random,
    normalise,
    read_image,
)

# red, green / blue, white / black, yellow: three rows of two pixels
COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [255, 255, 0]]],
    dtype=np.uint8,
)


def gradient(height: int, width: int) -> Image.Image:
    """Red rises to the right, green downwards."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "tif", "ppm"])
def test_colours_are_read_as_they_were_written(tmp_path: Path, ending: str) -> None:
    """Formats without loss."""
    path = tmp_path / f"a.{ending}"
    Image.fromarray(COLOURS).save(path, **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(np.asarray(read_image(path)), COLOURS)


def test_grey_palette_and_deep_images_become_rgb(tmp_path: Path) -> None:
    """Grey in all channels; a palette's colours; the high byte of 16 bits; no alpha."""
    grey = np.array([[0, 200]], dtype=np.uint8)
    kinds = {
        "grey": Image.fromarray(grey),
        "deep": Image.fromarray((grey.astype(np.uint16) << 8) + 7),
        "bits": Image.fromarray(grey > 0),
        "alpha": Image.fromarray(np.stack([grey] * 3 + [grey * 0 + 9], axis=2)),
        "grey with alpha": Image.fromarray(np.stack([grey, grey * 0 + 9], axis=2)),
    }
    for name, image in kinds.items():
        image.save(tmp_path / "a.png")
        read = read_image(tmp_path / "a.png")
        light = 255 if name == "bits" else 200
        assert (read.mode, np.asarray(read).tolist()) == ("RGB", [[[0] * 3, [light] * 3]]), name


def test_grey_of_32_bits_is_read_as_16_or_not_at_all(tmp_path: Path) -> None:
    """Older Pillows give 16-bit PNG so; greater values, and fractions, have no known range."""
    values = np.tile(np.array([0, 256, 25_600, 65_535], dtype=np.int32), (4, 1))
    Image.fromarray(values).save(tmp_path / "16.tif")
    pixels = np.asarray(read_image(tmp_path / "16.tif"))
    assert pixels[0, :, 0].tolist() == [0, 1, 100, 255]
    Image.fromarray(values * 2).save(tmp_path / "32.tif")
    with pytest.raises(UnreadableImage, match="more than 16 bits"):
        read_image(tmp_path / "32.tif")
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(UnreadableImage, match="fractions"):
        read_image(tmp_path / "f.tif")


@pytest.mark.parametrize("transparency", [None, 0, b"\x00\x80\xff"])
def test_palettes_keep_their_colours(tmp_path: Path, transparency: int | bytes | None) -> None:
    """With and without a transparent entry, and no warning."""
    image = Image.fromarray(COLOURS).convert("P", palette=Image.Palette.ADAPTIVE, colors=6)
    options = {} if transparency is None else {"transparency": transparency}
    image.save(tmp_path / "a.png", **options)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.png")), COLOURS)


def test_cmyk_photographs_become_rgb(tmp_path: Path) -> None:
    """As there are some in ImageNet."""
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = np.asarray(read_image(tmp_path / "a.jpg"))[8, 8].astype(int)
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, COLOURS),
        (2, COLOURS[:, ::-1]),
        (3, COLOURS[::-1, ::-1]),
        (4, COLOURS[::-1]),
        (5, COLOURS.transpose(1, 0, 2)),
        (6, np.rot90(COLOURS, -1)),
        (7, np.rot90(COLOURS, 2).transpose(1, 0, 2)),
        (8, np.rot90(COLOURS)),
        (99, COLOURS),
    ],
)
def test_exif_turns_images_upright(tmp_path: Path, orientation: int, upright: np.ndarray) -> None:
    """All eight orientations; another number means nothing."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.png")), upright)


def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    """The pixels are whole."""
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*\x00\x00")
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.png")), COLOURS)


def encode(kind: str) -> bytes:
    """Write a noisy image as a file."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.jpg", encode("JPEG")[:1500], "truncated"),
        ("cut.png", encode("PNG")[:3000], "truncated"),
        ("head.jpg", encode("JPEG")[:20], "no image"),
        ("empty.png", b"", "no image"),
        ("text.png", b"I am no picture.\n", "no image"),
        ("flipped.png", encode("PNG")[:60] + b"\x00\xff" * 30 + encode("PNG")[120:], ""),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """With what is wrong."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableImage, match=rf"{name}: cannot be read \(.*{reason}"):
        read_image(tmp_path / name)


def test_missing_files_are_named(tmp_path: Path) -> None:
    """Deleted since they were listed."""
    with pytest.raises(UnreadableImage, match=r"gone\.png: cannot be read"):
        read_image(tmp_path / "gone.png")


def test_random_crops_have_the_stated_area_and_ratio() -> None:
    """Uniform areas from 0.2 to 1, ratios from 3/4 to 4/3, half of them flipped."""
    image = gradient(200, 200)
    areas, ratios, is_flipped = [], [], []
    rng = np.random.default_rng(0)
    for _ in range(400):
        crop = crop_at_random(image, (64, 64), rng).astype(float)
        # the gradients say which part was seen; 64 samples span 63/64 of it
        width = (crop[32, -1, 0] - crop[32, 0, 0]) / 255 * 64 / 63
        height = (crop[-1, 32, 1] - crop[0, 32, 1]) / 255 * 64 / 63
        areas.append(abs(width) * height)
        ratios.append(abs(width) / height)
        is_flipped.append(width < 0)
    assert 0.19 < min(areas) < 0.25
    assert 0.9 < max(areas) < 1.02
    assert 0.73 < min(ratios) < 0.78
    assert 1.29 < max(ratios) < 1.37
    assert np.mean(is_flipped) == pytest.approx(0.5, abs=0.08)
    # large wide crops fit less often, but the mean stays near (0.2 + 1) / 2
    assert np.mean(areas) == pytest.approx(0.57, abs=0.04)


def test_crops_of_long_images_have_an_allowed_ratio() -> None:
    """After ten tries the middle is taken, at most 4/3 as wide as high."""
    for height, width in ((10, 300), (300, 10), (1, 1)):
        crop = crop_at_random(gradient(height, width), (8, 12), np.random.default_rng(1))
        assert crop.shape == (8, 12, 3)
    middle = crop_at_random(gradient(12, 1200), (12, 16), np.random.default_rng(0))
    assert middle[..., 0].min() > 120
    assert middle[..., 0].max() < 135


def test_the_centre_crop_is_224_of_256() -> None:
    """Of an image of 256 x 512, the middle 224 columns and rows as they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (256, 512, 3), dtype=np.uint8)
    crop = crop_at_centre(Image.fromarray(pixels), (224, 224))
    np.testing.assert_array_equal(crop, pixels[16:240, 144:368])


@pytest.mark.parametrize(("height", "width"), [(500, 375), (3, 700), (37, 37), (1, 1)])
@pytest.mark.parametrize("size", [(224, 224), (32, 64), (1, 1)])
def test_centre_crops_have_the_size_wanted(height: int, width: int, size: tuple[int, int]) -> None:
    """Of any image, with no border beside it."""
    crop = crop_at_centre(Image.new("RGB", (width, height), "white"), size)
    assert crop.shape == (*size, 3)
    assert crop.min() == 255


def test_normalisation_is_by_imagenet() -> None:
    """255 in red is (1 - 0.485) / 0.229; channels come first."""
    done = normalise(np.array([[[255, 0, 51]]], dtype=np.uint8))
    expected = (np.array([1.0, 0.0, 0.2]) - IMAGENET_MEANS) / IMAGENET_SPREADS
    np.testing.assert_allclose(done, expected[:, None, None], rtol=1e-6)
    assert done.dtype == np.float32
