"""A folder of images as a source for training, and which of its files could not be read."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from survey_tools.mae.batches import Batch, BatchPlan
from survey_tools.mae.folder import ImageFolder
from survey_tools.mae.folder_batches import MOST_UNREADABLE, FolderReader

__all__ = ["FolderSource"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FolderSource:
    """Images of a folder, cropped to one size."""

    reader: FolderReader

    @classmethod
    def of(
        cls,
        folder: ImageFolder,
        size: tuple[int, int],
        *,
        n_threads: int = 0,
        most_unreadable: float = MOST_UNREADABLE,
    ) -> "FolderSource":
        """Read a folder's images at a size (height and width, in pixels)."""
        return cls(
            reader=FolderReader(
                folder=folder, size=size, n_threads=n_threads, most_unreadable=most_unreadable
            )
        )

    @property
    def n_images(self) -> int:
        """Number of files, unreadable ones too."""
        return self.reader.folder.n_images

    @property
    def unreadable(self) -> Mapping[str, str]:
        """What is wrong with each file that could not be read so far, by its path."""
        return self.reader.unreadable

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return (3, *self.reader.size)

    @property
    def digest(self) -> str:
        """Digest of the files' names, which decide what an epoch's order is of."""
        names = "\0".join(self.reader.folder.paths)
        return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()

    def batches(self, plan: BatchPlan, *, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``first`` on."""
        return self.reader.batches(plan, epoch=epoch, first=first)
