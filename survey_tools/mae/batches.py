"""Images in batches: in keyed random order for training, one after another for tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, count
from survey_tools.mae.image_set import ImageSet

__all__ = ["Batch", "BatchPlan", "take_batches"]

_ORDER = 0  # last part of the key of an epoch's order; single images have other lengths of key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Images that go through a network together.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Place of each image in its source.
    images : ndarray of float32, shape (n, channels, height, width)
    """

    rows: NDArray[np.intp]
    images: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """How images are put into batches.

    Attributes
    ----------
    batch_size : int
        Images a batch, on each process.
    is_training : bool
        Training: all batches are full, in an order drawn anew every epoch; what is left over
        at the end of an epoch is left out of it. Otherwise: every image once, in its order,
        and the last batch may be smaller.
    seed : int
        Of the order and of random crops; 0 or more.
    rank, n_ranks : int
        Which of how many processes this one is; each takes every n_ranks-th image. In training
        all have the same number of batches.

    Raises
    ------
    ParameterError
        If a value is outside its range.
    """

    batch_size: int
    is_training: bool
    seed: int = 0
    rank: int = 0
    n_ranks: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ParameterError(f"batch_size must be 1 or more; {self.batch_size} arrived")
        if self.seed < 0:
            raise ParameterError(f"seed must be 0 or more; {self.seed} arrived")
        if not 0 <= self.rank < self.n_ranks:
            raise ParameterError(
                f"rank must be from 0 to {self.n_ranks - 1}, below n_ranks; {self.rank} arrived"
            )

    def n_batches(self, n_images: int) -> int:
        """Count the batches of an epoch.

        Raises
        ------
        ParameterError
            If there are no images, or, in training, fewer than a batch on each process.
        """
        if n_images < 1:
            raise ParameterError("there is no image to put into batches")
        if not self.is_training:
            return -(-len(self.order(n_images, epoch=0)) // self.batch_size)
        if self.batch_size * self.n_ranks > n_images:
            on_all = f" on {self.n_ranks} processes" if self.n_ranks > 1 else ""
            most = n_images // self.n_ranks * self.n_ranks
            raise ParameterError(
                f"a batch of {count(self.batch_size * self.n_ranks, 'image')}{on_all} is larger "
                f"than the data ({count(n_images, 'image')}); use a batch of {most} or less, or "
                "more data"
            )
        return n_images // self.n_ranks // self.batch_size

    def order(self, n_images: int, *, epoch: int) -> NDArray[np.intp]:
        """Return the rows of this process in the order of an epoch, drawn from (seed, epoch)."""
        if not self.is_training:
            return np.arange(self.rank, n_images, self.n_ranks)
        rng = np.random.default_rng([self.seed, epoch, _ORDER, _ORDER])
        n_each = n_images // self.n_ranks
        return rng.permutation(n_images)[self.rank :: self.n_ranks][:n_each]

    def split(self, n_images: int, *, epoch: int, first: int = 0) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of each batch of an epoch.

        Parameters
        ----------
        first : int
            Batch to begin with, when a run goes on in the middle of an epoch.
        """
        n_batches = self.n_batches(n_images)
        order = self.order(n_images, epoch=epoch)
        for i in range(first, n_batches):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]


def take_batches(
    images: ImageSet, plan: BatchPlan, *, epoch: int = 0, first: int = 0
) -> Iterator[Batch]:
    """Yield the batches of an epoch of images in memory.

    Raises
    ------
    ParameterError
        In training, if a batch is larger than the data.
    """
    for rows in plan.split(images.n_images, epoch=epoch, first=first):
        yield Batch(rows=rows, images=images.images[rows])
