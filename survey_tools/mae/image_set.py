"""Images in memory with what is known of them: classes and quantities, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, ParameterError

__all__ = [
    "SPLITS",
    "ChannelScale",
    "Factors",
    "ImageSet",
    "Split",
    "measure_scale",
    "standardise",
]

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

_LEAST_SPREAD = 1e-6  # a channel that hardly varies is centred and left so


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factors:
    """What is known of images, in their order, without the images.

    Attributes
    ----------
    name : str
        As messages name the images.
    labels : mapping of str to ndarray of int, shape (n_images,)
        Class of each image, by the name of the factor; from 0.
    quantities : mapping of str to ndarray of float64, shape (n_images,)
        Continuous factors, by name.
    """

    name: str
    labels: Mapping[str, NDArray[np.intp]]
    quantities: Mapping[str, NDArray[np.float64]]

    def select(self, rows: NDArray[np.intp]) -> "Factors":
        """Return those of some images."""
        return replace(
            self,
            labels={factor: values[rows] for factor, values in self.labels.items()},
            quantities={factor: values[rows] for factor, values in self.quantities.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageSet:
    """Images and their factors, in the same order.

    Attributes
    ----------
    name : str
        As messages and tables name it, for example "digits, train".
    images : ndarray of float32, shape (n_images, channels, height, width)
        From 0 to 1 as they are made; zero mean and unit spread once standardised.
    numbers : ndarray of int, shape (n_images,)
        Number of each image in its source, by which it can be found or made again.
    labels : mapping of str to ndarray of int, shape (n_images,)
        Class of each image, by the name of the factor; from 0.
    class_names : mapping of str to tuple of str
        Names of the classes of each factor in ``labels``.
    quantities : mapping of str to ndarray of float64, shape (n_images,)
        Continuous factors, by name.

    Raises
    ------
    DataError
        If the parts do not fit together.
    """

    name: str
    images: NDArray[np.float32]
    numbers: NDArray[np.intp]
    labels: Mapping[str, NDArray[np.intp]]
    class_names: Mapping[str, tuple[str, ...]]
    quantities: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        if self.images.ndim != 4:
            raise DataError(
                f"{self.name}: images must have the shape (n_images, channels, height, width); "
                f"{self.images.shape} arrived"
            )
        if set(self.labels) != set(self.class_names):
            raise DataError(f"{self.name}: labels and class names are of different factors")
        parts = {"numbers": self.numbers, **self.labels, **self.quantities}
        for part, values in parts.items():
            if values.shape != (self.n_images,):
                raise DataError(
                    f"{self.name}: {self.n_images} images, but {part} has the shape {values.shape}"
                )

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def factors(self) -> Factors:
        """What is known of the images, without them."""
        return Factors(name=self.name, labels=self.labels, quantities=self.quantities)

    def labels_of(self, factor: str) -> NDArray[np.intp]:
        """Return the class of each image by one factor, shape (n_images,).

        Raises
        ------
        ParameterError
            If there is no such factor.
        """
        if factor not in self.labels:
            raise ParameterError(
                f"{self.name} has no classes by {factor!r}; there are: {', '.join(self.labels)}"
            )
        return self.labels[factor]

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "ImageSet":
        """Return some of the images with their factors."""
        return replace(
            self,
            images=self.images[rows],
            numbers=self.numbers[rows],
            labels={factor: values[rows] for factor, values in self.labels.items()},
            quantities={factor: values[rows] for factor, values in self.quantities.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelScale:
    """Mean and spread (standard deviation) of each channel of the training images."""

    means: tuple[float, ...]
    spreads: tuple[float, ...]


def measure_scale(training: ImageSet) -> ChannelScale:
    """Measure mean and spread of each channel; training images only, so that no test leaks."""
    means = training.images.mean(axis=(0, 2, 3), dtype=np.float64)
    spreads = training.images.std(axis=(0, 2, 3), dtype=np.float64)
    return ChannelScale(
        means=tuple(means.tolist()),
        spreads=tuple(np.where(spreads < _LEAST_SPREAD, 1.0, spreads).tolist()),
    )


def standardise(images: ImageSet, scale: ChannelScale) -> ImageSet:
    """Subtract each channel's mean and divide by its spread.

    Raises
    ------
    ParameterError
        If the scale is of another number of channels.
    """
    channels = images.image_shape[0]
    if len(scale.means) != channels:
        raise ParameterError(
            f"{images.name} has {channels} channels, the scale {len(scale.means)}; measure it on "
            "images of the same kind"
        )
    means = np.array(scale.means, dtype=np.float32)[:, None, None]
    spreads = np.array(scale.spreads, dtype=np.float32)[:, None, None]
    return replace(images, images=(images.images - means) / spreads)
