"""Nearest papers: brute force, ties by row, blocks."""

import numpy as np
import pytest
from scipy import sparse

from survey_tools.crosscheck.neighbours import find_nearest
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


@pytest.mark.parametrize("cells", [10**9, 7])
@pytest.mark.parametrize("seed", range(4))
def test_brute_force(seed: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting all cosines, ties by row, gives the same papers; small counts tie often."""
    monkeypatch.setattr("survey_tools.crosscheck.neighbours._CELLS_AT_ONCE", cells)
    rows = np.random.default_rng(seed).integers(0, 3, (25, 4))
    rows[:, 0] += 1
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = np.round(unit @ unit.T, 12)
    np.fill_diagonal(cosine, -np.inf)
    expected = np.argsort(-cosine, axis=1, kind="stable")[:, :6]
    assert find_nearest(build(rows), 6).tolist() == expected.tolist()


@pytest.mark.parametrize("n_nearest", [0, 3])
def test_more_than_all_others_are_refused(n_nearest: int) -> None:
    """A paper is no neighbour of itself."""
    with pytest.raises(ParameterError, match=r"nearest of 3 papers; 1 to 2 are possible"):
        find_nearest(build(np.eye(3)), n_nearest)
