"""Running sums of sparse matrices."""

import numpy as np
from scipy import sparse

from survey_tools.condense.sums import RunningSum


def test_the_sum_is_that_of_all_matrices() -> None:
    """Of 1 to 9 matrices of whole numbers, so that it is exact."""
    rng = np.random.default_rng(0)
    total, expected = RunningSum(), np.zeros((4, 6))
    for _ in range(9):
        dense = rng.integers(3, size=(4, 6)).astype(float)
        total.add(sparse.csr_array(dense))
        expected += dense
        assert np.array_equal(total.result().toarray(), expected)


def test_few_partial_sums_are_held() -> None:
    """100 matrices are 64 + 32 + 4."""
    total = RunningSum()
    for _ in range(100):
        total.add(sparse.csr_array(np.eye(2)))
    assert [n for n, _ in total._parts] == [64, 32, 4]
