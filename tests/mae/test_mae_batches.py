"""Batches: which images, in which order, from memory and from a folder with damaged files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.batches import BatchPlan, take_batches
from survey_tools.mae.folder import find_images
from survey_tools.mae.folder_batches import FolderReader
from survey_tools.mae.shapes import ShapeWorld, draw_shapes

TRAIN = BatchPlan(batch_size=4, is_training=True, seed=1)
TEST = BatchPlan(batch_size=4, is_training=False)


def rows(plan: BatchPlan, n_images: int, *, epoch: int = 0, first: int = 0) -> list[list[int]]:
    """Rows of each batch."""
    return [part.tolist() for part in plan.split(n_images, epoch=epoch, first=first)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty noisy images of two classes."""
    rng = np.random.default_rng(0)
    for i in range(20):
        path = tmp_path / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(path)
    return tmp_path


def read_all(reader: FolderReader, plan: BatchPlan, epoch: int = 0) -> tuple[list, np.ndarray]:
    """Rows of each batch, and all images."""
    found = list(reader.batches(plan, epoch=epoch))
    return [b.rows.tolist() for b in found], np.concatenate([b.images for b in found])


def test_training_batches_are_full_and_hold_no_image_twice() -> None:
    """Of 10 images, two batches of 4; 2 are left out."""
    drawn = rows(TRAIN, 10)
    assert [len(batch) for batch in drawn] == [4, 4]
    assert len({row for batch in drawn for row in batch}) == 8
    assert TRAIN.n_batches(10) == 2


def test_the_order_is_keyed_by_seed_and_epoch() -> None:
    """The same again, another in the next epoch or with another seed."""
    assert rows(TRAIN, 100) == rows(TRAIN, 100)
    assert rows(TRAIN, 100) != rows(TRAIN, 100, epoch=1)
    assert rows(TRAIN, 100) != rows(BatchPlan(batch_size=4, is_training=True, seed=2), 100)


def test_an_epoch_goes_on_where_it_stopped() -> None:
    """From its third batch, the same as if all had been drawn."""
    assert rows(TRAIN, 30, first=2) == rows(TRAIN, 30)[2:]


def test_test_batches_hold_every_image_once_in_order() -> None:
    """The last is smaller; one larger than the data is no error."""
    assert rows(TEST, 10) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert TEST.n_batches(10) == 3
    assert rows(TEST, 3) == [[0, 1, 2]]


def test_processes_share_the_images() -> None:
    """In training equally many batches each and no image twice; in tests every image."""
    training = [BatchPlan(batch_size=2, is_training=True, rank=r, n_ranks=3) for r in range(3)]
    drawn = [rows(plan, 16) for plan in training]
    assert [len(batches) for batches in drawn] == [2, 2, 2]
    assert len({row for batches in drawn for batch in batches for row in batch}) == 12
    tests = [BatchPlan(batch_size=4, is_training=False, rank=r, n_ranks=3) for r in range(3)]
    seen = [row for plan in tests for batch in rows(plan, 16) for row in batch]
    assert sorted(seen) == list(range(16))


@pytest.mark.parametrize(
    ("plan", "n_images", "message"),
    [
        (TRAIN, 3, r"a batch of 4 images is larger than the data \(3 images\); use a batch of 3"),
        (
            BatchPlan(batch_size=4, is_training=True, n_ranks=2),
            7,
            r"a batch of 8 images on 2 processes is larger .* use a batch of 6 or less",
        ),
        (TEST, 0, "there is no image"),
    ],
)
def test_batches_larger_than_the_data_are_refused(
    plan: BatchPlan, n_images: int, message: str
) -> None:
    """In training, where there would be none."""
    with pytest.raises(ParameterError, match=message):
        rows(plan, n_images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be 1 or more; 0 arrived"),
        ({"seed": -1}, "seed must be 0 or more; -1 arrived"),
        ({"rank": 2, "n_ranks": 2}, "rank must be from 0 to 1, below n_ranks; 2 arrived"),
    ],
)
def test_a_plan_without_meaning_is_refused(changes: dict[str, int], message: str) -> None:
    """What arrived and what is allowed."""
    with pytest.raises(ParameterError, match=message):
        BatchPlan(**{"batch_size": 1, "is_training": True, **changes})


def test_images_in_memory_follow_their_rows() -> None:
    """Shuffled, and put back in order."""
    images = draw_shapes(12, seed=0, world=ShapeWorld(height=16, width=16))
    found = list(take_batches(images, TRAIN, epoch=3))
    for batch in found:
        np.testing.assert_array_equal(batch.images, images.images[batch.rows])
    assert sorted(np.concatenate([b.rows for b in found]).tolist()) == list(range(12))


@pytest.mark.parametrize("plan", [TRAIN, TEST])
def test_threads_change_nothing(root: Path, plan: BatchPlan) -> None:
    """Crops and order depend on seed, epoch and row alone."""
    folder = find_images(root)
    done = [
        read_all(FolderReader(folder=folder, size=(16, 16), n_threads=n), plan, epoch=2)
        for n in (0, 1, 3)
    ]
    for batches, images in done[1:]:
        assert batches == done[0][0]
        np.testing.assert_array_equal(images, done[0][1])
    assert done[0][1].shape == (20, 3, 16, 16)


def test_an_image_is_cropped_anew_in_each_epoch(root: Path) -> None:
    """In training; for tests it stays as it is."""
    reader = FolderReader(folder=find_images(root), size=(16, 16))
    for plan, is_same in ((TRAIN, False), (TEST, True)):
        first, second = (reader.read(5, plan, epoch=epoch) for epoch in (0, 1))
        assert np.array_equal(first, second) == is_same
        np.testing.assert_array_equal(first, reader.read(5, plan, epoch=0))


@pytest.mark.parametrize("n_threads", [0, 2])
def test_unreadable_files_are_left_out_of_tests(root: Path, n_threads: int) -> None:
    """And named; the others keep their rows."""
    (root / "a" / "02.png").write_bytes(b"no image")
    reader = FolderReader(
        folder=find_images(root), size=(16, 16), n_threads=n_threads, most_unreadable=0.05
    )
    batches, images = read_all(reader, TEST)
    assert batches[0] == [0, 2, 3]
    assert len(images) == 19
    assert list(reader.unreadable) == ["a/02.png"]
    assert "a/02.png: cannot be read (no image)" in reader.unreadable["a/02.png"]


@pytest.mark.parametrize("n_threads", [0, 2])
def test_unreadable_files_are_replaced_in_training(root: Path, n_threads: int) -> None:
    """By the next of the order that can be read, so that every batch is full."""
    for name in ("02", "04"):
        (root / "a" / f"{name}.png").write_bytes(b"no image")  # rows 1 and 2
    reader = FolderReader(
        folder=find_images(root), size=(16, 16), n_threads=n_threads, most_unreadable=0.1
    )
    order = TRAIN.order(20, epoch=0).tolist()
    expected = []
    for place in range(20):
        later = (order + order)[place:]
        expected.append(next(row for row in later if row not in (1, 2)))
    batches, _ = read_all(reader, TRAIN)
    assert [row for batch in batches for row in batch] == expected
    assert set(reader.unreadable) == {"a/02.png", "a/04.png"}


@pytest.mark.parametrize("plan", [TRAIN, TEST])
def test_too_many_unreadable_files_are_an_error(root: Path, plan: BatchPlan) -> None:
    """Counted by file: two of 20 are more than 5 %, however often they are met."""
    (root / "a" / "02.png").write_bytes(b"no image")
    reader = FolderReader(folder=find_images(root), size=(16, 16), most_unreadable=0.05)
    for epoch in range(3):
        read_all(reader, plan, epoch)
    (root / "b" / "03.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 20 images cannot be read, more than the allowed 5"):
        read_all(reader, plan)


def test_a_batch_of_unreadable_files_only_is_left_out_of_tests(root: Path) -> None:
    """Instead of an empty one."""
    for i in range(0, 8, 2):
        (root / "a" / f"{i:02}.png").write_bytes(b"")  # rows 0 to 3
    reader = FolderReader(folder=find_images(root), size=(16, 16), most_unreadable=0.5)
    assert read_all(reader, TEST)[0][0] == [4, 5, 6, 7]


def test_a_reader_without_meaning_is_refused(root: Path) -> None:
    """What arrived and what is allowed."""
    folder = find_images(root)
    for changes, message in (
        ({"size": (0, 8)}, r"1 pixel high and wide or more; \(0, 8\) arrived"),
        ({"n_threads": -1}, "n_threads must be 0 or more; -1 arrived"),
        ({"most_unreadable": 1.0}, r"most_unreadable must be 0 or more, below 1; 1\.0 arrived"),
    ):
        with pytest.raises(ParameterError, match=message):
            FolderReader(**{"folder": folder, "size": (8, 8), **changes})
