"""Merges of the last clusters, with all their costs in a square matrix."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import WARD, State, cancels, compiled, cost, find_cost

__all__ = ["fill_costs", "merge_in_square", "multiply_rows"]


@compiled
def multiply_rows(
    starts: NDArray[np.int64],
    terms: NDArray[np.int32],
    values: NDArray[np.float64],
    term_starts: NDArray[np.int64],
    term_slots: NDArray[np.uint32],
    term_values: NDArray[np.float64],
    first: int,
    last: int,
    products: NDArray[np.float64],
) -> None:
    """Multiply rows ``first`` to ``last - 1`` with all earlier rows, given rows and columns."""
    for q in range(first, last):
        row = products[q]
        for i in range(starts[q], starts[q + 1]):
            term, value = terms[i], values[i]
            start, stop = term_starts[term], term_starts[term + 1]
            stop = start + np.searchsorted(term_slots[start:stop], q)
            for p in range(np.uint64(start), np.uint64(stop)):
                row[term_slots[p]] += value * term_values[p]


@compiled
def fill_costs(
    linkage: int, state: State, first: int, last: int, products: NDArray[np.float64]
) -> None:
    """Turn products of rows ``first`` to ``last - 1`` with earlier rows into costs."""
    for a in range(first, last):
        for b in range(a):
            weight_a, weight_b = state.weights[a], state.weights[b]
            product = products[a, b] / (weight_a * weight_b)
            squares = state.squares[a] + state.squares[b]
            if linkage == WARD and cancels(squares, product):
                products[a, b] = find_cost(linkage, state, a, b)
            else:
                new = cost(linkage, weight_a, weight_b, squares, product)
                products[a, b] = max(new, 0.0)
            products[b, a] = products[a, b]
        products[a, a] = np.inf


@compiled
def _find_later(costs: NDArray[np.float64], slot: int, is_dead: NDArray[np.bool_]) -> int:
    """Return the nearest of the later slots, the first of equal ones."""
    row = costs[slot]
    best, least = slot, np.inf
    for other in range(slot + 1, len(row)):
        if row[other] < least and not is_dead[other]:
            best, least = other, row[other]
    return best


@compiled
def merge_in_square(
    linkage: int,
    costs: NDArray[np.float64],
    weights: NDArray[np.float64],
    nodes: NDArray[np.int64],
    is_dead: NDArray[np.bool_],
    nearest: NDArray[np.int64],
    least: NDArray[np.float64],
    merges: NDArray[np.int64],
    merge_costs: NDArray[np.float64],
    done: int,
    n_steps: int,
) -> int:
    """Merge by Lance and Williams' update of a square matrix of costs; return merges done.

    ``nearest`` and ``least`` hold each slot's nearest later slot and its cost, as they were
    left by the last call; a first call finds ``nearest`` filled with -1.
    """
    n = len(costs)
    if nearest[0] < 0:
        for slot in range(n):
            nearest[slot] = _find_later(costs, slot, is_dead)
            least[slot] = costs[slot, nearest[slot]]
    for _ in range(n_steps):
        if done == len(merge_costs):
            break
        a = 0
        for slot in range(n):
            if least[slot] < least[a]:
                a = slot
        b = nearest[a]
        cost_ab = costs[a, b]
        merges[done, 0] = min(nodes[a], nodes[b])
        merges[done, 1] = max(nodes[a], nodes[b])
        merge_costs[done] = cost_ab
        weight_a, weight_b = weights[a], weights[b]
        row_a, row_b = costs[a], costs[b]
        is_dead[b] = True
        least[b] = np.inf
        for x in range(n):
            if x == a or is_dead[x]:
                continue
            if linkage == WARD:
                with_x = (weight_a + weights[x]) * row_a[x] + (weight_b + weights[x]) * row_b[x]
                new = (with_x - weights[x] * cost_ab) / (weight_a + weight_b + weights[x])
            else:
                new = (weight_a * row_a[x] + weight_b * row_b[x]) / (weight_a + weight_b)
            row_a[x] = new
            costs[x, a] = new
            if x < a and (new < least[x] or (new == least[x] and a < nearest[x])):
                nearest[x], least[x] = a, new
        weights[a] += weight_b
        nodes[a] = len(merge_costs) + 1 + done
        done += 1
        for x in range(b):
            if not is_dead[x] and (x == a or nearest[x] == b or nearest[x] == a):
                nearest[x] = _find_later(costs, x, is_dead)
                least[x] = costs[x, nearest[x]]
    return done
