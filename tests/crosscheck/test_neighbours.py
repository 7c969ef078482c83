"""Nearest papers: brute force, ties, blocks, order."""

import numpy as np
import pytest
from scipy import sparse

from survey_tools.crosscheck.neighbours import count_nearest
from survey_tools.errors import ParameterError
from survey_tools.settings import TextSettings
from survey_tools.text import Counts, Features, weight_terms


def build(rows: np.ndarray) -> Features:
    """Make features of raw counts; papers p00, p01, …."""
    counts = Counts(
        paper_keys=tuple(f"p{i:02d}" for i in range(len(rows))),
        terms=np.array([f"t{j}" for j in range(rows.shape[1])], dtype=object),
        matrix=sparse.csr_array(rows.astype(np.int64)),
    )
    return weight_terms(counts, TextSettings(weighting="counts", norm="none"))


def find_brutally(rows: np.ndarray, n_nearest: int) -> np.ndarray:
    """Mark the nearest papers of each by sorting cosines, whose ties show at 9 decimals."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = np.round(unit @ unit.T, 9)
    np.fill_diagonal(cosine, -np.inf)
    last = np.sort(cosine, axis=1)[:, [-n_nearest]]
    return cosine >= last


@pytest.mark.parametrize("cells", [10**9, 7])
@pytest.mark.parametrize("seed", range(4))
def test_brute_force(seed: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mark for every paper the counts name the nearest; small counts tie often."""
    monkeypatch.setattr("survey_tools.crosscheck.neighbours._CELLS_AT_ONCE", cells)
    rows = np.random.default_rng(seed).integers(0, 3, (25, 4))
    rows[:, 0] += 1
    expected = find_brutally(rows, 6)
    found = count_nearest(build(rows), np.eye(25, dtype=bool), 6)
    assert found.n_marked.tolist() == expected.astype(int).tolist()
    assert found.n_nearest.tolist() == expected.sum(axis=1).tolist()
    assert found.n_nearest.min() == 6 < found.n_nearest.max()


def test_marks_are_added_up() -> None:
    """Two marks on random papers are counted as sums over the nearest."""
    rng = np.random.default_rng(7)
    rows, marks = rng.integers(1, 4, (30, 5)), rng.random((30, 2)) < 0.4
    found = count_nearest(build(rows), marks, 4)
    assert found.n_marked.tolist() == (find_brutally(rows, 4) @ marks.astype(int)).tolist()


def test_equal_texts_are_in_or_out_together() -> None:
    """Multiples of one text are equally near, though their cosines differ by rounding."""
    text = np.array([1, 2, 3, 5, 7, 11, 13])
    other = np.array([3, 0, 1, 0, 9, 0, 2])
    rows = np.stack([i * text for i in range(1, 13)] + [i * other for i in range(1, 9)])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert len(np.unique((unit @ unit.T)[:12, :12])) > 1  # rounding does part them
    found = count_nearest(build(rows), np.eye(20, dtype=bool), 3)
    assert found.n_nearest.tolist() == [11] * 12 + [7] * 8
    assert found.n_marked[0].tolist() == [0] + [1] * 11 + [0] * 8


def test_a_paper_with_nothing_in_common_has_all_others_for_its_nearest() -> None:
    """Nobody is nearer than anybody else, whatever the order of the papers."""
    marks = np.array([[1], [1], [0], [0], [0]], dtype=bool)
    found = count_nearest(build(np.eye(5)), marks, 2)
    assert found.n_nearest.tolist() == [4] * 5
    assert found.n_marked.ravel().tolist() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("n_nearest", [0, 3])
def test_more_than_all_others_are_refused(n_nearest: int) -> None:
    """A paper is no neighbour of itself."""
    with pytest.raises(ParameterError, match=r"nearest of 3 papers; 1 to 2 are possible"):
        count_nearest(build(np.eye(3)), np.eye(3, dtype=bool), n_nearest)
