"""A folder of classes on disk, in the layout of ImageNet-1K: ``train/<class>/<image>``."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, abbreviate

__all__ = ["ENDINGS", "ImageFolder", "find_images", "find_splits"]

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of the files that count as images, in any case."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFolder:
    """The images of a folder by name, none of them read yet.

    Attributes
    ----------
    root : Path
        Folder of the classes, for example ``imagenet/train``.
    class_names : tuple of str
        Sorted names of the classes' folders; a class's place is its label.
    paths : tuple of str
        Of each image below ``root``, with "/", sorted by class and then by path.
    labels : ndarray of int, shape (n_images,)
    """

    root: Path
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.intp]

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.paths)

    def select(self, rows: NDArray[np.intp]) -> "ImageFolder":
        """Return some of the images, with all classes."""
        return replace(
            self, paths=tuple(self.paths[row] for row in rows.tolist()), labels=self.labels[rows]
        )


def find_images(
    root: Path,
    *,
    needs_classes: bool = True,
    class_names: tuple[str, ...] | None = None,
) -> ImageFolder:
    """List the images in the folders of their classes.

    Images may lie in folders below their class's. Hidden files and folders, and files with
    other endings, are passed over; whether an image can be read shows when it is read.

    Parameters
    ----------
    needs_classes : bool
        Whether images are to be told apart by class, which takes at least two.
    class_names : tuple of str, optional
        The classes that must be there, no more and no fewer: those of the training images.

    Raises
    ------
    DataError
        If the folder or its classes are missing, a class holds no image, or the classes are
        not those that are needed.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; it should hold one folder of images a class")
    with os.scandir(root) as entries:
        found = tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))
    if not found:
        raise DataError(f"{root}: holds no folders; put the images of each class into one")
    if needs_classes and len(found) == 1:
        raise DataError(
            f"{root}: holds one class ({found[0]}), and one class cannot be told from others; "
            "add a second, or use the images for pre-training only"
        )
    if class_names is not None and found != class_names:
        missing, unknown = (
            sorted(set(class_names) - set(found)),
            sorted(set(found) - {*class_names}),
        )
        parts = [
            f"{what}: {abbreviate(names)}"
            for what, names in (("missing", missing), ("only here", unknown))
            if names
        ]
        raise DataError(f"{root}: not the classes of the training images ({'; '.join(parts)})")
    paths: list[str] = []
    n_of_class = []
    for name in found:
        of_class = _images_below(root, name)
        paths += of_class
        n_of_class.append(len(of_class))
    empty = [name for name, n in zip(found, n_of_class, strict=True) if not n]
    if empty:
        raise DataError(
            f"{root}: no image in the folder of {abbreviate(empty)}; an image's name ends in "
            f"{', '.join(ENDINGS)}"
        )
    return ImageFolder(
        root=root,
        class_names=found,
        paths=tuple(paths),
        labels=np.repeat(np.arange(len(found)), n_of_class),
    )


def find_splits(root: Path, *, needs_classes: bool = True) -> tuple[ImageFolder, ImageFolder]:
    """List ``train/`` and ``val/``, which must hold the same classes.

    Raises
    ------
    DataError
        See `find_images`.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; it should hold train/ and val/")
    training = find_images(root / "train", needs_classes=needs_classes)
    validation = find_images(
        root / "val", needs_classes=needs_classes, class_names=training.class_names
    )
    return training, validation


def _images_below(root: Path, class_name: str) -> list[str]:
    found = []
    for folder, inner, files in os.walk(root / class_name):
        inner[:] = [name for name in inner if not name.startswith(".")]
        below = Path(folder).relative_to(root).as_posix()
        found += [
            f"{below}/{name}"
            for name in files
            if name.lower().endswith(ENDINGS) and not name.startswith(".")
        ]
    return sorted(found)
