"""Batches of a folder, read by several threads; files that cannot be read are named and skipped.

Pillow lets other threads run while it decodes and resizes, so threads read as fast as
processes would. What an image becomes depends on (seed, epoch, row) alone, never on the number
of threads or on what was read before.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.mae.batches import Batch, BatchPlan
from survey_tools.mae.crops import (
    UnreadableImage,
    crop_at_centre,
    crop_at_random,
    normalise,
    read_image,
)
from survey_tools.mae.folder import ImageFolder

__all__ = ["MOST_UNREADABLE", "FolderReader"]

MOST_UNREADABLE = 0.01
"""Share of a folder's files that may be unreadable unless another is given."""

_N_AHEAD = 2  # batches that are read while one is used
_CROPPING = 1  # part of the key of an image's crop, which an epoch's order lacks


@dataclass(kw_only=True)
class FolderReader:
    """Reads batches of a folder and remembers which files could not be read.

    Attributes
    ----------
    folder : ImageFolder
    size : tuple of int
        Height and width of the images that come out, in pixels.
    n_threads : int
        That read files; 0 reads in the thread that asks.
    most_unreadable : float
        Share of the folder's files that may be unreadable before that is an error.
    unreadable : dict of str to str
        What is wrong with each file that could not be read so far, by its path.
    """

    folder: ImageFolder
    size: tuple[int, int]
    n_threads: int = 0
    most_unreadable: float = MOST_UNREADABLE
    unreadable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ParameterError(
                f"images must be 1 pixel high and wide or more; {self.size} arrived"
            )
        if self.n_threads < 0:
            raise ParameterError(f"n_threads must be 0 or more; {self.n_threads} arrived")
        if not 0.0 <= self.most_unreadable < 1.0:
            raise ParameterError(
                f"most_unreadable must be 0 or more, below 1; {self.most_unreadable} arrived"
            )

    def batches(self, plan: BatchPlan, *, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch.

        Training images are cropped at random and flipped, others cropped at the centre (see
        `survey_tools.mae.crops`). In training the place of a file that cannot be read is taken
        by the next in the epoch's order that can, so that every batch is full; otherwise it is
        left out, and a batch of none but such files with it.

        Parameters
        ----------
        plan : BatchPlan
        epoch : int
            Key of the order and the crops.
        first : int
            Batch to begin with, when a run goes on in the middle of an epoch.

        Raises
        ------
        DataError
            If more than ``most_unreadable`` of the files cannot be read; some are named.
        ParameterError
            In training, if a batch is larger than the data.
        """
        waiting: deque[tuple[NDArray[np.intp], list[Future[NDArray[np.float32]]]]] = deque()
        splits = plan.split(self.folder.n_images, epoch=epoch, first=first)
        order = plan.order(self.folder.n_images, epoch=epoch)
        if self.n_threads == 0:
            for rows in splits:
                yield from self._collect(rows, [None] * len(rows), plan, epoch, order)
            return
        pool = ThreadPoolExecutor(self.n_threads, thread_name_prefix="images")
        try:
            for rows in splits:
                jobs = [pool.submit(self.read, int(row), plan, epoch=epoch) for row in rows]
                waiting.append((rows, jobs))
                if len(waiting) > _N_AHEAD:
                    yield from self._collect(*waiting.popleft(), plan, epoch, order)
            while waiting:
                yield from self._collect(*waiting.popleft(), plan, epoch, order)
        finally:
            pool.shutdown(cancel_futures=True)

    def read(self, row: int, plan: BatchPlan, *, epoch: int) -> NDArray[np.float32]:
        """Read one image as it stands in an epoch, shape (3, height, width).

        Raises
        ------
        UnreadableImage
            Naming the file.
        """
        image = read_image(self.folder.root / self.folder.paths[row])
        if not plan.is_training:
            return normalise(crop_at_centre(image, self.size))
        rng = np.random.default_rng([plan.seed, epoch, row, _CROPPING])
        return normalise(crop_at_random(image, self.size, rng))

    def _collect(
        self,
        rows: NDArray[np.intp],
        jobs: list[Future[NDArray[np.float32]]] | list[None],
        plan: BatchPlan,
        epoch: int,
        order: NDArray[np.intp],
    ) -> Iterator[Batch]:
        """Yield the batch of some rows; or nothing, if none of them can be read."""
        kept, images = [], []
        for row, job in zip(rows.tolist(), jobs, strict=True):
            try:
                image = self.read(row, plan, epoch=epoch) if job is None else job.result()
            except UnreadableImage as error:
                self._note(row, error)
                if not plan.is_training:
                    continue
                row, image = self._next_readable(row, plan, epoch, order)
            kept.append(row)
            images.append(image)
        if kept:
            yield Batch(rows=np.array(kept, dtype=np.intp), images=np.stack(images))

    def _next_readable(
        self, row: int, plan: BatchPlan, epoch: int, order: NDArray[np.intp]
    ) -> tuple[int, NDArray[np.float32]]:
        place = int(np.flatnonzero(order == row)[0])
        for candidate in np.roll(order, -place - 1).tolist():
            try:
                return candidate, self.read(candidate, plan, epoch=epoch)
            except UnreadableImage as error:
                self._note(candidate, error)
        raise DataError(f"{self.folder.root}: none of {len(order)} images can be read")

    def _note(self, row: int, error: UnreadableImage) -> None:
        """Remember an unreadable file; raise once they are too many."""
        self.unreadable[self.folder.paths[row]] = str(error)
        n, n_all = len(self.unreadable), self.folder.n_images
        if n > self.most_unreadable * n_all:
            raise DataError(
                f"{self.folder.root}: {n} of {n_all} images cannot be read, more than the allowed "
                f"{self.most_unreadable:.1%}: {abbreviate(self.unreadable)}; mend or remove them, "
                "or allow more by --most-unreadable"
            ) from error
