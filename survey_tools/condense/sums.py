"""The sum of many sparse matrices, in little time and in an order that is always the same."""

from scipy import sparse

__all__ = ["RunningSum"]


class RunningSum:
    """Adds sparse matrices of one shape, each to a partial sum of as many as it holds itself.

    One matrix after the other added to the growing sum would copy the whole sum every time;
    so do the partial sums only as often as a binary counter carries: ``log2 n`` times.
    The partial sums together hold at most about twice the entries of the whole.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[int, sparse.csr_array]] = []  # matrices in it, their sum

    def add(self, matrix: sparse.csr_array) -> None:
        """Add a matrix."""
        n, total = 1, matrix
        while self._parts and self._parts[-1][0] == n:
            n_before, before = self._parts.pop()
            n, total = n + n_before, sparse.csr_array(before + total)
        self._parts.append((n, total))

    def result(self) -> sparse.csr_array:
        """Return the sum of all matrices so far; at least one was added."""
        n, total = self._parts.pop()
        while self._parts:
            n_before, before = self._parts.pop()
            n, total = n + n_before, sparse.csr_array(before + total)
        self._parts.append((n, total))
        return total
