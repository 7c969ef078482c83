"""Replays merges of sparse rows, in memory that grows with their entries."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.kernels.cluster_rows import AVERAGE, WARD
from survey_tools.kernels.replay import replay_rows
from survey_tools.linkage.sparse_clusters import begin, build_index, compact
from survey_tools.progress import CountProgress

__all__ = ["replay_sparse_rows"]

_STEPS_AT_ONCE = 500  # between two looks at Ctrl-C: some tenths of a second
_REBUILD_SHARE = 0.15  # of the clusters that may die before the index is made anew


def replay_sparse_rows(
    rows: sparse.csr_array,
    merges: NDArray[np.int64],
    heights: NDArray[np.float64],
    *,
    linkage: str,
    progress: CountProgress,
) -> NDArray[np.float64]:
    """Repeat merges by Ward's or average linkage and compare each with all other pairs.

    Parameters
    ----------
    rows : csr_array of float64, shape (n, n_terms)
        See `linkage.sparse.merge_sparse_rows`.
    merges, heights : ndarray, shapes (n - 1, 2) and (n - 1,)

    Returns
    -------
    ndarray of float64, shape (4,)
        Largest gap to a cheaper pair, largest error of a height, largest fall from one height
        to the next, and the last height.
    """
    n, n_terms = rows.shape
    rows = sparse.csr_array(rows, copy=True)
    rows.sort_indices()
    code = WARD if linkage == "ward" else AVERAGE
    state = compact(begin(rows, np.ones(n), np.arange(n), 0), n_terms)
    worst = np.zeros(4)
    while state.numbers[1] < n - 1:
        n_slots = len(state.parents)
        index = build_index(state, n_terms)
        slots = np.zeros(2 * n - 1, dtype=np.int64)
        slots[state.nodes] = np.arange(n_slots)
        dead = np.empty(max(1, int(_REBUILD_SHARE * n_slots)), dtype=np.int64)
        work = np.zeros(n_slots, np.float32), np.empty(n_slots)
        while not replay_rows(
            code, state, index, dead, *work, slots, merges, heights, worst, _STEPS_AT_ONCE
        ):
            progress(int(state.numbers[1]), n - 1)
        state = compact(state, n_terms)
    progress(n - 1, n - 1)
    return worst
