"""Angles, arcs and sectors of a circular tree; angles run clockwise from the top, in radians."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survey_tools.tree import Tree

__all__ = ["GAP_RAD", "divide_circle", "to_points", "trace_arc", "trace_merges", "trace_sector"]

GAP_RAD = np.radians(8.0)  # left free at the top, for the height axis
_SAGITTA_PT = 0.05  # most that a chord may stray from its arc; a tenth of a line's width

Point = tuple[float, float]


def divide_circle(n_leaves: int) -> NDArray[np.float64]:
    """Angles at which leaves begin and end, shape (n_leaves + 1,); the gap is halved at the top."""
    return np.linspace(GAP_RAD / 2.0, 2.0 * np.pi - GAP_RAD / 2.0, n_leaves + 1)


def to_points(centre: Point, radii: ArrayLike, angles: ArrayLike) -> NDArray[np.float64]:
    """Turn polar into page coordinates, whose y runs down; shape (…, 2)."""
    radii, angles = np.asarray(radii, dtype=np.float64), np.asarray(angles, dtype=np.float64)
    x, y = centre[0] + radii * np.sin(angles), centre[1] - radii * np.cos(angles)
    return np.stack([x, y], axis=-1)


def trace_arc(centre: Point, radius: float, start: float, end: float) -> NDArray[np.float64]:
    """Trace an arc by as many points as make it look round, shape (n_points, 2)."""
    n_points = 2
    if radius > _SAGITTA_PT:
        step = 2.0 * np.arccos(1.0 - _SAGITTA_PT / radius)
        n_points += int(abs(end - start) / step)
    return to_points(centre, radius, np.linspace(start, end, n_points))


def trace_merges(
    tree: Tree, centre: Point, node_radii: NDArray[np.float64], node_angles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Trace each merge: from its first child inwards, along an arc, outwards to its second.

    Returns
    -------
    tuple of ndarray, one a merge, each of shape (n_points, 2)
    """
    n = tree.n_papers
    ends = to_points(centre, node_radii, node_angles)
    lines = []
    for i, (first, second) in enumerate(tree.children.tolist()):
        arc = trace_arc(centre, float(node_radii[n + i]), node_angles[first], node_angles[second])
        lines.append(np.concatenate([ends[first : first + 1], arc, ends[second : second + 1]]))
    return tuple(lines)


def trace_sector(
    centre: Point, inner: float, outer: float, start: float, end: float
) -> NDArray[np.float64]:
    """Trace the outline of a piece of a ring, shape (n_points, 2)."""
    there = trace_arc(centre, outer, start, end)
    back = trace_arc(centre, inner, end, start)
    return np.concatenate([there, back])
