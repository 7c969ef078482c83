"""Where images come from: digits, textured shapes, or a folder, by one name each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, ParameterError
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
    "MemorySource",
    "Source",
    "draw_images",
    "name_data",
    "open_images",
    "open_training",
    "read_folder",
]

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

    def batches(self, plan: BatchPlan, *, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``first`` on."""
        ...


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


def open_training(data: str, config: ModelConfig, *, n_threads: int = 0) -> Source:
    """Open the training images of digits, shapes or a folder in the layout of ImageNet-1K.

    Parameters
    ----------
    data : str
        As `name_data` returns it.
    n_threads : int
        That read the files of a folder.

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
    from survey_tools.mae.folder_source import FolderSource

    check_shape((3, *config.image_size), config, data)
    folder = find_images(Path(data) / "train", needs_classes=False)
    return FolderSource.of(folder, config.image_size, n_threads=n_threads)


def read_folder(
    data: str, split: Split, config: ModelConfig, *, n_threads: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Read all images of a part of a folder, cropped at the centre, with their classes.

    They are held in memory: 0.6 GB for a thousand images of 224 pixels.

    Returns
    -------
    images : ndarray of float32, shape (n_images, 3, height, width)
    labels : ndarray of int, shape (n_images,)
        Without those of images that cannot be read.
    """
    from survey_tools.mae.folder import find_splits
    from survey_tools.mae.folder_source import FolderSource

    check_shape((3, *config.image_size), config, data)
    training, validation = find_splits(Path(data))
    folder = training if split == "train" else validation
    source = FolderSource.of(folder, config.image_size, n_threads=n_threads)
    plan = BatchPlan(batch_size=256, is_training=False)
    batches = list(source.batches(plan, epoch=0, first=0))
    rows = np.concatenate([batch.rows for batch in batches])
    return np.concatenate([batch.images for batch in batches]), folder.labels[rows]


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
