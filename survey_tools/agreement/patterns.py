"""Covers -> the distinct sets of groups that papers are in, and tables of how often they meet.

Papers in the same groups are exchangeable: every index of two covers depends only on how many
papers have each set on one side and each set on the other. So a relabelling of thousands of
papers is a small table.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Patterns", "count_tables", "find_patterns"]

_CELLS_AT_ONCE = 2_000_000  # of the tables, and of the papers, of a block


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patterns:
    """The distinct sets of groups of a cover.

    Attributes
    ----------
    members : ndarray of float64, shape (n_patterns, n_groups)
        1 where a pattern holds a group; groups without a paper are left out.
    shared : ndarray of int, shape (n_patterns, n_patterns)
        Groups that two patterns have in common; on the diagonal the groups of one.
    codes : ndarray of int, shape (n_papers,)
        Pattern of each paper.
    """

    members: NDArray[np.float64]
    shared: NDArray[np.intp]
    codes: NDArray[np.intp]

    @property
    def n_patterns(self) -> int:
        """Number of distinct sets."""
        return len(self.members)

    @property
    def n_groups(self) -> int:
        """Number of groups that are not empty."""
        return int(self.members.shape[1])


def find_patterns(members: NDArray[np.bool_]) -> Patterns:
    """Find the distinct rows of a cover's members, shape (n_papers, n_groups)."""
    members = members[:, members.any(axis=0)]
    if not members.shape[1]:
        return Patterns(
            members=np.zeros((1, 0)),
            shared=np.zeros((1, 1), dtype=np.intp),
            codes=np.zeros(len(members), dtype=np.intp),
        )
    distinct, codes = np.unique(members, axis=0, return_inverse=True)
    as_numbers = distinct.astype(np.float64)
    return Patterns(
        members=as_numbers,
        shared=np.asarray(np.rint(as_numbers @ as_numbers.T), dtype=np.intp),
        codes=np.asarray(codes, dtype=np.intp).ravel(),
    )


def count_tables(
    a: Patterns,
    b: Patterns,
    *,
    rng: np.random.Generator,
    n_tables: int,
    n_papers: int | None = None,
) -> Iterator[NDArray[np.float64]]:
    """Yield tables of random relabellings, or of random halves, in blocks.

    Parameters
    ----------
    n_papers : int, optional
        Papers of a random subset that keep their patterns; by default all papers, those of
        ``b`` dealt to those of ``a`` at random.

    Yields
    ------
    ndarray of float64, shape (n_in_block, a.n_patterns, b.n_patterns)
    """
    n = len(a.codes)
    n_cells = a.n_patterns * b.n_patterns
    n_at_once = max(1, _CELLS_AT_ONCE // max(n, n_cells))
    for start in range(0, n_tables, n_at_once):
        n_rows = min(n_at_once, n_tables - start)
        places = rng.permuted(np.tile(np.arange(n), (n_rows, 1)), axis=1)
        if n_papers is None:
            flat = a.codes * b.n_patterns + b.codes[places]
        else:
            flat = (a.codes * b.n_patterns + b.codes)[places[:, :n_papers]]
        flat += np.arange(n_rows)[:, None] * n_cells
        counts = np.bincount(flat.ravel(), minlength=n_rows * n_cells)
        yield counts.reshape(n_rows, a.n_patterns, b.n_patterns).astype(np.float64)
