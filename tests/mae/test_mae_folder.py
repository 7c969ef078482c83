"""Folders of classes: what is listed and what is refused."""

from pathlib import Path

import pytest

from survey_tools.errors import DataError
from survey_tools.mae.folder import find_images, find_splits


def touch(root: Path, *names: str) -> Path:
    """Create empty files below a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_classes_and_images_are_sorted_by_name(tmp_path: Path) -> None:
    """Folders inside a class count; hidden files and other endings do not."""
    root = touch(
        tmp_path, "n02/b.JPEG", "n02/a.png", "n02/more/c.jpg", "n01/z.webp", "n01/notes.txt",
        "n01/.hidden.png", "n01/.cache/a.png", "n02/._a.png", "list.txt", ".git/a.png",
    )  # fmt: skip
    folder = find_images(root)
    assert folder.class_names == ("n01", "n02")
    assert folder.paths == ("n01/z.webp", "n02/a.png", "n02/b.JPEG", "n02/more/c.jpg")
    assert folder.labels.tolist() == [0, 1, 1, 1]


def test_one_class_is_refused_where_classes_are_told_apart(tmp_path: Path) -> None:
    """For pre-training alone it will do."""
    root = touch(tmp_path, "cat/a.png")
    with pytest.raises(DataError, match=r"holds one class \(cat\).*add a second, or use the im"):
        find_images(root)
    assert find_images(root, needs_classes=False).n_images == 1


def test_both_parts_need_the_same_classes(tmp_path: Path) -> None:
    """Else labels would mean other things in each."""
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", "val/c/1.png")
    with pytest.raises(DataError, match=r"val: not the classes .*\(missing: b; only here: c\)"):
        find_splits(tmp_path)
    (tmp_path / "val" / "c").rename(tmp_path / "val" / "b")
    training, validation = find_splits(tmp_path)
    assert training.class_names == validation.class_names == ("a", "b")
    assert validation.root == tmp_path / "val"


def test_what_is_no_folder_of_classes_is_refused(tmp_path: Path) -> None:
    """Missing, flat, or with an empty class."""
    with pytest.raises(DataError, match="nowhere: no such folder"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"nowhere: no such folder; it should hold train/ and val/"):
        find_splits(tmp_path / "nowhere")
    touch(tmp_path, "a.png")
    with pytest.raises(DataError, match="holds no folders; put the images of each class into one"):
        find_images(tmp_path)
    with pytest.raises(DataError, match="train: no such folder"):
        find_splits(tmp_path)
    touch(tmp_path, "a/1.png", "b/readme.txt")
    with pytest.raises(DataError, match="no image in the folder of b; an image's name ends in"):
        find_images(tmp_path)
