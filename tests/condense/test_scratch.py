"""The scratch folder: what is written comes back, and the folder goes."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from survey_tools.condense import scratch
from survey_tools.errors import OutputError


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    """Rows without entries and texts with any sign, too."""
    rows = sparse.csr_array(np.array([[0.0, 0.5], [0.0, 0.0]]))
    scratch.write_rows(tmp_path / "rows", rows)
    scratch.write_array(tmp_path / "array", np.arange(6, dtype=np.int32).reshape(2, 3))
    scratch.write_texts(tmp_path / "texts", ["é\n\u2028", "", "\ud800"])
    assert (scratch.read_rows(tmp_path / "rows") != rows).nnz == 0
    array = scratch.read_array(tmp_path / "array")
    assert array.dtype == np.int32
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert scratch.read_texts(tmp_path / "texts") == ["é\n\u2028", "", "\ud800"]


def test_the_folder_goes_also_when_the_run_fails(tmp_path: Path) -> None:
    """With all that lies in it."""

    def run() -> None:
        with scratch.open_scratch(tmp_path) as folder:
            (folder / "file").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    """As on a cluster whose machines share no disk."""
    with pytest.raises(OutputError, match=r"rows: cannot be read .*one that all workers see"):
        scratch.read_rows(tmp_path / "elsewhere" / "rows")
