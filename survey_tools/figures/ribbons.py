"""Ribbons between two sides of nodes, and the order of the nodes that crosses few of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["CURVE", "order_sides", "trace_ribbons"]

_N_ROUNDS = 24  # of barycentres in turn; the fewest crossings are met within the first ten or so
CURVE = np.linspace(0.0, 1.0, 25)  # places along a ribbon, as shares of its length


def order_sides(table: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Order rows and columns so that few papers cross, by barycentres in turn.

    Parameters
    ----------
    table : ndarray of int, shape (n_rows, n_columns)
        Every row and every column has a paper.

    Returns
    -------
    list of int, list of int
        Rows and columns from top down: of the orders met, the first with the fewest crossings.

    References
    ----------
    .. [1] Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
       structures", IEEE Trans. Systems, Man and Cybernetics 11 (1981), 109-125.
    """
    rows, columns = np.arange(table.shape[0]), np.arange(table.shape[1])
    best, fewest = (rows, columns), _count_crossings(table)
    for _ in range(_N_ROUNDS):
        weights = table[:, columns]
        rows = np.argsort(weights @ np.arange(len(columns)) / weights.sum(axis=1), kind="stable")
        weights = table[rows].T
        columns = np.argsort(weights @ np.arange(len(rows)) / weights.sum(axis=1), kind="stable")
        crossings = _count_crossings(table[np.ix_(rows, columns)])
        if crossings < fewest:
            best, fewest = (rows, columns), crossings
    return best[0].tolist(), best[1].tolist()


def _count_crossings(table: NDArray[np.int64]) -> int:
    """Count pairs of papers whose lines cross: one higher on the left and lower on the right."""
    above = np.zeros_like(table)  # papers of higher rows
    above[1:] = np.cumsum(table, axis=0)[:-1]
    right_of = np.zeros_like(table)  # of those, in columns further down
    right_of[:, :-1] = np.cumsum(above[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return int((table * right_of).sum())


def trace_ribbons(
    table: NDArray[np.int64],
    sides: tuple[Sequence[int], Sequence[int]],
    tops: tuple[Sequence[float], Sequence[float]],
    *,
    unit: float,
    ends_x: tuple[float, float],
) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Outline the ribbon of every cell of a table that is not 0.

    At both ends ribbons lie in the order of the other side, so that those of one node do not
    cross.

    Parameters
    ----------
    table : ndarray of int, shape (n_rows, n_columns)
    sides : (sequence of int, sequence of int)
        Rows on the left and columns on the right, from top down.
    tops : (sequence of float, sequence of float)
        Top of every node, in the order of ``sides``.
    unit : float
        Width of a ribbon of 1, in points.
    ends_x : (float, float)

    Returns
    -------
    outlines : ndarray of float, shape (n_ribbons, n_points, 2)
        Upper edge from left to right, lower edge back.
    ends : list of (row, column)
    """
    used_left = dict(zip(sides[0], tops[0], strict=True))
    used_right = dict(zip(sides[1], tops[1], strict=True))
    start, stop = {}, {}
    for row in sides[0]:
        for column in sides[1]:
            if table[row, column]:
                start[row, column] = used_left[row]
                stop[row, column] = used_right[column]
                used_left[row] += unit * int(table[row, column])
                used_right[column] += unit * int(table[row, column])
    x = ends_x[0] + CURVE * (ends_x[1] - ends_x[0])
    ease = CURVE**2 * (3.0 - 2.0 * CURVE)
    outlines = []
    for end, y in start.items():
        upper = y + ease * (stop[end] - y)
        thick = unit * int(table[end])
        line = np.column_stack([x, upper])
        outlines.append(np.concatenate([line, line[::-1] + np.array([0.0, thick])]))
    return np.array(outlines), list(start)
