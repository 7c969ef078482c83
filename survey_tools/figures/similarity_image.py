"""The image of a similarity matrix in leaf order, one pixel a paper or a block of papers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

__all__ = ["MOST_PIXELS", "SimilarityImage", "SimilarityProvider", "build_similarity_image"]

MOST_PIXELS = 2_000  # along a side: finer than a printer's dots on a page 17 cm wide at 300 dpi
_HIGH_PERCENTILE, _LOW_PERCENTILE = 99.0, 1.0
_ENTRIES_AT_ONCE = 2**23  # of the matrix, 64 MiB in float64

SimilarityProvider = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]
"""Called with rows and columns as places in ``tree.paper_keys``; returns that block."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimilarityImage:
    """A similarity matrix as an image.

    Attributes
    ----------
    pixels : ndarray of float, shape (n_pixels, n_pixels)
        Mean similarity of the pairs of papers behind each pixel, in leaf order.
    edges : ndarray of int, shape (n_pixels + 1,)
        First leaf of every pixel, and the number of leaves.
    low, high : float
        Limits of the colours: 0, or the 1st percentile where that is negative, and the 99th
        percentile, both of the pixels off the diagonal.
    """

    pixels: NDArray[np.float64]
    edges: NDArray[np.intp]
    low: float
    high: float


def build_similarity_image(
    tree: Tree,
    similarity: NDArray[np.float64] | SimilarityProvider,
    *,
    most_pixels: int = MOST_PIXELS,
) -> SimilarityImage:
    """Bring a similarity matrix into leaf order and average it into at most so many pixels.

    Parameters
    ----------
    similarity : ndarray of float, shape (n_papers, n_papers), or callable
        In the order of ``tree.paper_keys``; or what returns the block of given rows and
        columns, so that a large matrix is never held as a whole.
    most_pixels : int
        Most pixels along a side; more papers are averaged in blocks of neighbouring leaves.

    Raises
    ------
    ParameterError
        If the matrix, or a block, has another shape or is not finite.
    """
    n = tree.n_papers
    if callable(similarity):
        read = similarity
    else:
        matrix = np.asarray(similarity, dtype=np.float64)
        if matrix.shape != (n, n):
            raise ParameterError(
                f"a similarity matrix of shape {matrix.shape} arrived for {n} papers; it must be "
                f"({n}, {n}), in the order of the tree's paper_keys"
            )

        def read(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
            return np.asarray(matrix[np.ix_(rows, columns)])

    n_pixels = min(n, most_pixels)
    edges = np.linspace(0, n, n_pixels + 1).astype(np.intp)
    counts = np.diff(edges)
    pixels = np.empty((n_pixels, n_pixels))
    n_rows_at_once = max(1, _ENTRIES_AT_ONCE // (n * int(counts.max())))
    for first in range(0, n_pixels, n_rows_at_once):
        last = min(first + n_rows_at_once, n_pixels)
        rows = tree.leaf_order[edges[first] : edges[last]]
        block = _check(read(rows, tree.leaf_order), (len(rows), n))
        sums = np.add.reduceat(block, edges[:-1], axis=1)  # (n_rows, n_pixels)
        sums = np.add.reduceat(sums, edges[first:last] - edges[first], axis=0)
        pixels[first:last] = sums / np.outer(counts[first:last], counts)
    off_diagonal = pixels[~np.eye(n_pixels, dtype=bool)]
    low, high = np.percentile(off_diagonal, [_LOW_PERCENTILE, _HIGH_PERCENTILE])
    low = min(0.0, float(low))
    high = float(high) if high > low else max(float(pixels.max()), low + 1.0)
    return SimilarityImage(pixels=pixels, edges=edges, low=low, high=high)


def _check(block: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    block = np.asarray(block, dtype=np.float64)
    if block.shape != shape:
        raise ParameterError(
            f"a block of similarities of shape {block.shape} arrived where {shape} was asked"
        )
    if not np.isfinite(block).all():
        raise ParameterError(
            f"{np.count_nonzero(~np.isfinite(block))} similarities are not finite numbers; "
            "a paper without terms has none: drop it"
        )
    return block
