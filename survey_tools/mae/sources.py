"""Where images come from: digits, textured shapes, or a folder, by one name each."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.mae.batches import Batch, BatchPlan, take_batches
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.digits import read_digits
from survey_tools.mae.image_set import (
    ChannelScale,
    ImageSet,
    Split,
    measure_scale,
    standardise,
)
from survey_tools.mae.shapes import ShapeWorld, draw_shapes

__all__ = [
    "DATA_SEED",
    "READING",
    "MemorySource",
    "Reading",
    "Source",
    "draw_images",
    "name_data",
    "name_unreadable",
    "open_folder",
    "open_images",
    "open_training",
]

if TYPE_CHECKING:
    from survey_tools.mae.folder import ImageFolder
    from survey_tools.mae.folder_source import FolderSource

logger = logging.getLogger(__name__)

DATA_SEED = 0
"""Of the split of digits and the drawing of shapes: the same images for every recipe, whatever
its own seed, so that no test image is ever trained on."""

N_SHAPES = {"train": 10_000, "test": 2_000}


class Source(Protocol):
    """Images to train on, in batches."""

    @property
    def n_images(self) -> int:
        """Number of images."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        ...

    @property
    def digest(self) -> str:
        """Digest of what is trained on: a training goes on with the same images alone."""
        ...

    def batches(self, plan: BatchPlan, *, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``first`` on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the files of a folder are read.

    Attributes
    ----------
    n_threads : int
        That read files; 0 reads in the thread that asks.
    most_unreadable : float
        Share of the files that may be unreadable before that is an error.
    """

    n_threads: int = 0
    most_unreadable: float = 0.01


READING = Reading()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemorySource:
    """Images in memory.

    Attributes
    ----------
    images : ImageSet
    scale : ChannelScale or None
        What they were standardised by, where that is known.
    """

    images: ImageSet
    scale: ChannelScale | None = None

    @property
    def n_images(self) -> int:
        """Number of images."""
        return self.images.n_images

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.images.image_shape

    @property
    def digest(self) -> str:
        """Digest of the images' values."""
        return hashlib.sha256(np.ascontiguousarray(self.images.images).tobytes()).hexdigest()

    def batches(self, plan: BatchPlan, *, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``first`` on."""
        return take_batches(self.images, plan, epoch=epoch, first=first)


def name_data(data: str) -> str:
    """Return the name of some data as a recipe holds it: a folder by its whole path.

    Raises
    ------
    DataError
        If it is neither digits nor shapes, and no such folder is there.
    """
    if data in ("digits", "shapes"):
        return data
    if data == "imagenet-1k":
        raise ParameterError(
            "the images of imagenet-1k cannot be downloaded by survey-tools; name your folder "
            "that holds train/ and val/ with --data FOLDER"
        )
    if not Path(data).is_dir():
        raise DataError(f"{data}: no such folder; digits, shapes or a folder of images is wanted")
    return str(Path(data).resolve())


def open_images(data: str, split: Split, config: ModelConfig) -> ImageSet:
    """Read or draw the images of digits or shapes, standardised by the training part.

    Shapes are drawn at the size and with the channels of the config.

    Raises
    ------
    ParameterError
        If the data are others, or do not fit the config.
    """
    training = draw_images(data, "train", config)
    chosen = training if split == "train" else draw_images(data, split, config)
    return standardise(chosen, measure_scale(training))


def draw_images(
    data: str, split: Split, config: ModelConfig, *, n_images: int | None = None
) -> ImageSet:
    """Read or draw the images of digits or shapes, with values from 0 to 1.

    Parameters
    ----------
    n_images : int, optional
        The first so many, instead of all.

    Raises
    ------
    ParameterError
        See `open_images`.
    """
    if data == "digits":
        chosen = read_digits(split, seed=DATA_SEED).select(slice(0, n_images))
    elif data == "shapes":
        height, width = config.image_size
        world = ShapeWorld(height=height, width=width, channels=config.n_channels)
        chosen = draw_shapes(
            N_SHAPES[split] if n_images is None else n_images,
            seed=DATA_SEED,
            split=split,
            world=world,
        )
    else:
        raise ParameterError(f"data {data!r}: digits or shapes is wanted")
    check_shape(chosen.image_shape, config, data)
    return chosen


def open_training(data: str, config: ModelConfig, *, reading: Reading = READING) -> Source:
    """Open the training images of digits, shapes or a folder in the layout of ImageNet-1K.

    Parameters
    ----------
    data : str
        As `name_data` returns it.
    reading : Reading
        Of the files of a folder.

    Raises
    ------
    DataError
        If the folder holds no images.
    ParameterError
        If the images do not fit the config.
    """
    if data in ("digits", "shapes"):
        training = draw_images(data, "train", config)
        scale = measure_scale(training)
        return MemorySource(images=standardise(training, scale), scale=scale)
    from survey_tools.mae.folder import find_images

    return open_folder(find_images(Path(data) / "train", needs_classes=False), config, reading)


def open_folder(folder: "ImageFolder", config: ModelConfig, reading: Reading) -> "FolderSource":
    """Open a folder's images at the size of a config.

    Raises
    ------
    ParameterError
        If the model does not take images of three channels.
    """
    from survey_tools.mae.folder_source import FolderSource

    check_shape((3, *config.image_size), config, str(folder.root))
    return FolderSource.of(
        folder,
        config.image_size,
        n_threads=reading.n_threads,
        most_unreadable=reading.most_unreadable,
    )


def name_unreadable(source: Source) -> None:
    """Warn of the files of a folder that could not be read, by name."""
    unreadable: Mapping[str, str] = getattr(source, "unreadable", {})
    if unreadable:
        logger.warning(
            "%d of %d files could not be read: %s",
            len(unreadable),
            source.n_images,
            abbreviate(unreadable),
        )


def check_shape(arrived: tuple[int, int, int], config: ModelConfig, data: str) -> None:
    """Refuse images that the model does not take.

    Raises
    ------
    ParameterError
        Saying what arrived and what is wanted.
    """
    wanted = (config.n_channels, *config.image_size)
    if arrived != wanted:
        raise ParameterError(
            f"{data} has images of {arrived[0]} x {arrived[1]} x {arrived[2]} (channels, height, "
            f"width), the model takes {wanted[0]} x {wanted[1]} x {wanted[2]}; choose the preset "
            "of the data, or another config"
        )
