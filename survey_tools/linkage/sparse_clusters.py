"""Clusters of sparse rows as the kernels take them: begun, compacted, indexed."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.kernels.cluster_rows import Index, State

__all__ = ["N_NEAR", "begin", "build_index", "compact", "list_columns"]

N_NEAR = 16  # entries of a list; 8 to 32 take the same time on 20,000 abstracts
_COMMON_SHARE = 0.15  # of the clusters must hold a term that gets a dense row
_COMMON_BYTES = 32_000_000  # of all dense rows
_POOL_ROOM = 1.3  # rows grow as clusters merge; what they leave behind is freed with the index


def begin(
    rows: sparse.csr_array, weights: NDArray[np.float64], nodes: NDArray[np.int64], done: int
) -> State:
    """Make every row a cluster."""
    n = rows.shape[0]
    lengths = np.diff(rows.indptr).astype(np.int64)
    squared = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return State(
        starts=rows.indptr[:-1].astype(np.int64),
        lengths=lengths,
        terms=rows.indices.astype(np.int32),
        values=rows.data * np.repeat(weights, lengths),
        weights=weights,
        squares=squared,
        nodes=nodes,
        parents=np.arange(n),
        versions=np.zeros(n, dtype=np.int64),
        near=np.full((n, N_NEAR), -1, dtype=np.int32),
        near_costs=np.full((n, N_NEAR), np.inf),
        near_versions=np.full((n, N_NEAR), -1, dtype=np.int64),
        bounds=np.full(n, np.inf),
        is_fresh=np.zeros(n, dtype=np.bool_),
        sharp_at=np.full(n, -1),
        sharp_to=np.full(n, -np.inf),
        heap=np.zeros(n, dtype=np.int64),
        places=np.zeros(n, dtype=np.int64),
        keys=np.zeros(n),
        numbers=np.array([n, done, len(rows.data)]),
        spread=np.zeros(rows.shape[1]),
    )


def compact(state: State, n_terms: int) -> State:
    """Leave out dead slots, in the same order, and what the pool no longer needs."""
    parents = state.parents
    while not np.array_equal(parents, parents[parents]):
        parents = parents[parents]
    alive = np.flatnonzero(parents == np.arange(len(parents)))
    n = len(alive)
    new_slot = np.full(len(parents), -1)
    new_slot[alive] = np.arange(n)
    lengths = state.lengths[alive]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    taken = np.repeat(state.starts[alive] - starts[:-1], lengths) + np.arange(starts[-1])
    capacity = int(_POOL_ROOM * starts[-1]) + 2 * n_terms
    terms, values = np.empty(capacity, dtype=np.int32), np.empty(capacity)
    terms[: starts[-1]] = state.terms[taken]
    values[: starts[-1]] = state.values[taken]
    near = state.near[alive]
    versions_now = state.versions[parents]
    was = np.where(near >= 0, near, 0)
    is_current = (parents[was] == was) & (state.near_versions[alive] == versions_now[was])
    return State(
        starts=starts[:-1],
        lengths=lengths,
        terms=terms,
        values=values,
        weights=state.weights[alive],
        squares=state.squares[alive],
        nodes=state.nodes[alive],
        parents=np.arange(n),
        versions=np.zeros(n, dtype=np.int64),
        near=np.where(near >= 0, new_slot[parents[was]], -1).astype(np.int32),
        near_costs=state.near_costs[alive],
        near_versions=np.where(is_current, 0, -1),
        bounds=state.bounds[alive],
        is_fresh=state.is_fresh[alive],
        sharp_at=state.sharp_at[alive],
        sharp_to=state.sharp_to[alive],
        heap=np.zeros(n, dtype=np.int64),
        places=np.zeros(n, dtype=np.int64),
        keys=np.zeros(n),
        numbers=np.array([n, state.numbers[1], starts[-1]]),
        spread=state.spread,
    )


def list_columns(state: State, n_terms: int) -> sparse.csc_array:
    """Return the sums of all clusters' rows by column."""
    n = len(state.parents)
    end = int(state.numbers[2])
    starts = np.append(state.starts, end)
    rows = sparse.csr_array((state.values[:end], state.terms[:end], starts), shape=(n, n_terms))
    return rows.tocsc()


def build_index(state: State, n_terms: int) -> Index:
    """Index a compact state: common terms go to a dense block, the others get postings."""
    n = len(state.parents)
    by_column = list_columns(state, n_terms)
    frequency = np.diff(by_column.indptr)
    most = np.argsort(-frequency, kind="stable")[: _COMMON_BYTES // (4 * n)]
    common = np.sort(most[frequency[most] > _COMMON_SHARE * n])
    places = np.full(n_terms, -1, dtype=np.int32)
    places[common] = np.arange(len(common))
    return Index(
        term_starts=by_column.indptr.astype(np.int64),
        slots=by_column.indices.astype(np.uint32),
        values=by_column.data.astype(np.float32),
        places=places,
        common=by_column[:, common].T.toarray().astype(np.float32, order="C"),
    )
