import logging

import numpy as np
import pytest

from survey_tools.errors import DataError
from survey_tools.formats.embeddings import read_embeddings

VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


@pytest.fixture
def save(tmp_path):
    """Save vectors and the text of keys; return both paths."""

    def save(vectors=VECTORS, keys="a\nb\nc\n"):
        np.save(tmp_path / "vectors.npy", vectors)
        (tmp_path / "keys.txt").write_bytes(keys.encode())
        return tmp_path / "vectors.npy", tmp_path / "keys.txt"

    return save


def test_rows_come_in_the_order_of_the_papers(save):
    """Papers take their vectors by key, whatever the order of the file."""
    rows = read_embeddings(*save(), ["c", "a", "b"])
    assert rows.tolist() == [[5, 6], [1, 2], [3, 4]]
    assert rows.dtype == np.float64


@pytest.mark.parametrize("kind", ["float16", "float32", ">f8", "int32", "uint8"])
def test_real_numbers_of_any_type_are_read(save, kind):
    """Half precision, either byte order and integers become float64."""
    rows = read_embeddings(*save(VECTORS.astype(kind)), ["a", "b", "c"])
    assert rows.dtype == np.float64
    assert rows.tolist() == VECTORS.tolist()


@pytest.mark.parametrize("keys", ["\ufeffa\r\nb\r\nc", "a\n\n b \nc\n\n"])
def test_line_ends_marks_and_blanks_do_not_matter(save, keys):
    """Keys from Windows and keys with empty lines are the same keys."""
    assert read_embeddings(*save(keys=keys), ["c", "b", "a"])[0].tolist() == [5, 6]


def test_keys_that_look_like_numbers_stay_text(save):
    """2106.08250 is not 2106.0825."""
    paths = save(keys="2106.08250\n2106.0825\n1\n")
    assert read_embeddings(*paths, ["2106.0825", "2106.08250"]).tolist() == [[3, 4], [1, 2]]


def test_one_file_may_hold_both(tmp_path):
    """A .npz file has arrays of keys and vectors."""
    np.savez(tmp_path / "both.npz", keys=np.array(["a", "b", "c"]), vectors=VECTORS)
    assert read_embeddings(tmp_path / "both.npz", None, ["b", "c", "a"])[0].tolist() == [3, 4]


def test_vectors_of_other_papers_are_counted(save, caplog):
    """Extra keys are left out with a warning that counts them; NaN in them is no matter."""
    vectors = VECTORS.copy()
    vectors[0] = np.nan
    with caplog.at_level(logging.WARNING):
        rows = read_embeddings(*save(vectors), ["b"])
    assert rows.tolist() == [[3, 4]]
    assert "2 of 3 vectors belong to none of the papers and are left out" in caplog.text


def test_no_warning_where_all_vectors_are_used(save, caplog):
    """Nothing is said when keys and papers are the same."""
    read_embeddings(*save(), ["b", "a", "c"])
    assert not caplog.records


def test_papers_without_vector_are_named(save):
    """Missing keys are counted and named."""
    with pytest.raises(DataError, match=r"keys\.txt: 2 of 3 papers have no vector: d, e; compute"):
        read_embeddings(*save(), ["d", "a", "e"])


@pytest.mark.parametrize(
    ("vectors", "keys", "message"),
    [
        (VECTORS, "a\nb\na\n", r"keys\.txt: 1 key more than once: a; keep one"),
        (VECTORS, "a\nb\n", r"keys\.txt: holds 2 keys for 3 vectors; give one key a vector"),
        (VECTORS[0], "a\nb\n", r"vectors\.npy: vectors have the shape \(2,\); save them as"),
        (VECTORS[:, :0], "a\nb\nc\n", r"vectors\.npy: "),
        (VECTORS > 2, "a\nb\nc\n", "vectors are bool; allowed are real numbers"),
        (VECTORS * 1j, "a\nb\nc\n", "vectors are complex128; allowed are real numbers"),
        (VECTORS.astype(str), "a\nb\nc\n", "vectors are <U32; allowed are real numbers"),
        (np.where(VECTORS == 4, np.nan, VECTORS), "a\nb\nc\n",
         r"vectors of 1 of 2 papers hold NaN or infinity: b; compute them again"),
        (np.where(VECTORS == 2, -np.inf, VECTORS), "a\nb\nc\n", r"NaN or infinity: a; compute"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(save, vectors, keys, message):
    """Repeated keys, wrong counts, shapes and types, NaN and infinity are named."""
    with pytest.raises(DataError, match=message):
        read_embeddings(*save(vectors, keys), ["a", "b"])


def test_objects_are_never_loaded(tmp_path):
    """A pickled array is refused, not unpickled."""
    path = tmp_path / "vectors.npy"
    np.save(path, np.array([[{}]]), allow_pickle=True)
    (tmp_path / "keys.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"cannot be read \(not in .* or full of objects\); save"):
        read_embeddings(path, tmp_path / "keys.txt", ["a"])


@pytest.mark.parametrize("data", [b"", b"hello", b"\x93NUMPY\x01\x00", b"PK\x03\x04nothing"])
@pytest.mark.parametrize("name", ["vectors.npy", "vectors.npz"])
def test_files_of_other_formats_are_refused(tmp_path, name, data):
    """Empty, foreign and cut files are named in a sentence."""
    (tmp_path / name).write_bytes(data)
    (tmp_path / "keys.txt").write_text("a\n")
    keys = None if name.endswith("z") else tmp_path / "keys.txt"
    with pytest.raises(DataError, match=rf"{name}: cannot be read \("):
        read_embeddings(tmp_path / name, keys, ["a"])


def test_a_cut_table_is_refused(save):
    """A file shorter than its header says is refused when it is mapped."""
    vectors, keys = save()
    vectors.write_bytes(vectors.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"vectors\.npy: cannot be read"):
        read_embeddings(vectors, keys, ["a"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": VECTORS}, r"has no array 'keys'; it holds vectors; save both"),
        ({"keys": np.array(["a"])}, r"has no array 'vectors'; it holds keys; save both"),
        ({"keys": np.array([1.5, 2, 3]), "vectors": VECTORS}, r"'keys' are float64 of shape \(3,"),
        ({"keys": np.array([["a"]]), "vectors": VECTORS}, r"'keys' are <U1 of shape \(1, 1\)"),
        (
            {"keys": np.array([None]), "vectors": VECTORS},
            r"cannot be read \(not in NumPy's format, cut, or full of objects\)",
        ),
    ],
)
def test_arrays_of_one_file_are_checked(tmp_path, arrays, message):
    """A .npz file without both arrays, or with keys that are no text, is refused."""
    np.savez(tmp_path / "both.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_embeddings(tmp_path / "both.npz", None, ["a"])


def test_keys_stand_in_one_place(save, tmp_path):
    """A .npy file needs a file of keys and a .npz file refuses one."""
    vectors, keys = save()
    with pytest.raises(DataError, match=r"vectors\.npy: comes without keys; name a text file"):
        read_embeddings(vectors, None, ["a"])
    with pytest.raises(DataError, match=r"a \.npz file holds its own keys"):
        read_embeddings(tmp_path / "both.npz", keys, ["a"])


def test_a_name_that_lies_is_told(save, tmp_path):
    """An archive named .npy and a table named .npz are refused."""
    vectors, keys = save()
    (tmp_path / "table.npz").write_bytes(vectors.read_bytes())
    with pytest.raises(
        DataError, match=r"table\.npz: cannot be read .* save numbers with numpy\.savez"
    ):
        read_embeddings(tmp_path / "table.npz", None, ["a"])
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, keys=np.array(["a"]), vectors=VECTORS)
    with pytest.raises(DataError, match=r"archive\.npy: cannot be read .* with numpy\.save$"):
        read_embeddings(tmp_path / "archive.npy", keys, ["a"])


def test_files_that_are_not_there_are_named(save, tmp_path):
    """A missing file of vectors or keys is named."""
    vectors, keys = save()
    with pytest.raises(DataError, match=r"none\.npy: no such file"):
        read_embeddings(tmp_path / "none.npy", keys, ["a"])
    with pytest.raises(DataError, match=r"none\.txt: no such file"):
        read_embeddings(vectors, tmp_path / "none.txt", ["a"])
