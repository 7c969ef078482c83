"""Straight pieces of branches between evenly or freely spaced leaves, each drawn once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.tree import Tree

__all__ = ["GRID_PT", "branch_segments", "join_on_grid", "place_on_leaves"]

GRID_PT = 0.1  # a fifth of the thinnest line: no eye and no printer sees the rounding


def place_on_leaves(
    tree: Tree, leaf_places: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Place every node along the leaves: a merge stands midway of its two children.

    Parameters
    ----------
    leaf_places : sequence of float, length n_papers
        Places of the leaves, in leaf order.

    Returns
    -------
    ndarray of float, shape (2 n_papers - 1,)
    """
    of_leaf = np.empty(tree.n_papers)
    of_leaf[tree.leaf_order] = leaf_places
    places: list[float] = of_leaf.tolist()
    for first, second in tree.children.tolist():
        places.append((places[first] + places[second]) / 2.0)
    return np.array(places)


def branch_segments(
    tree: Tree, node_x: NDArray[np.float64], node_y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Take a tree whose root is on the left apart into straight pieces.

    Parameters
    ----------
    node_x, node_y : ndarray of float, shape (2 n_papers - 1,)
        Places of the nodes, in points.

    Returns
    -------
    ndarray of float, shape (3, n_papers - 1, 2, 2)
        For every merge the line of its first child, of its second child, and the line that
        joins them; ends as (x, y).
    """
    n = tree.n_papers
    first, second = tree.children.T
    pieces = np.empty((3, n - 1, 2, 2))
    for k, child in enumerate((first, second)):
        pieces[k, :, 0, 0], pieces[k, :, 1, 0] = node_x[n:], node_x[child]
        pieces[k, :, :, 1] = node_y[child][:, None]
    pieces[2, :, :, 0] = node_x[n:][:, None]
    pieces[2, :, 0, 1], pieces[2, :, 1, 1] = node_y[first], node_y[second]
    return pieces


def join_on_grid(
    segments: NDArray[np.float64], groups: NDArray[np.intp], *, grid: float = GRID_PT
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Round horizontal and vertical segments to a grid and join those that touch on one line.

    However many leaves a page shows, what is left is bounded by the lines of its grid.

    Parameters
    ----------
    segments : ndarray of float, shape (n_segments, 2, 2)
        Ends as (x, y), in points; each segment is horizontal or vertical.
    groups : ndarray of int, shape (n_segments,)
        Only segments of one group (colour) are joined.
    grid : float
        Distance of the grid's lines, in points.

    Returns
    -------
    segments : ndarray of float, shape (n_left, 2, 2)
        By group, so that later groups lie on earlier ones.
    groups : ndarray of int, shape (n_left,)
    """
    ends = np.sort(np.rint(segments / grid).astype(np.int64), axis=1)
    is_upright = segments[:, 0, 0] == segments[:, 1, 0]
    along = np.where(is_upright, 1, 0)
    rows = np.arange(len(ends))
    line = ends[rows, 0, 1 - along]
    start, stop = ends[rows, 0, along], ends[rows, 1, along]
    order = np.lexsort((start, line, is_upright, groups))
    line, start, stop, along = line[order], start[order], stop[order], along[order]
    group = np.asarray(groups)[order]
    is_other = (np.diff(group) != 0) | (np.diff(line) != 0) | (np.diff(along) != 0)
    place = np.concatenate([[0], np.cumsum(is_other)])
    wide = int(stop.max() - start.min()) + 2  # lifts every line clear of the one before it
    reach = np.maximum.accumulate(stop + place * wide)
    is_new = np.concatenate([[True], (start + place * wide)[1:] > reach[:-1]])
    firsts = np.flatnonzero(is_new)
    lasts = np.concatenate([firsts[1:], [len(order)]]) - 1
    joined = np.empty((len(firsts), 2, 2))
    across = line[firsts] * grid
    low, high = start[firsts] * grid, (reach - place * wide)[lasts] * grid
    upright = along[firsts] == 1
    joined[:, 0, 0] = np.where(upright, across, low)
    joined[:, 1, 0] = np.where(upright, across, high)
    joined[:, 0, 1] = np.where(upright, low, across)
    joined[:, 1, 1] = np.where(upright, high, across)
    return joined, group[firsts]
