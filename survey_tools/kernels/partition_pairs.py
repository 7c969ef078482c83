"""Indices of agreement of two flat partitions, and cuts of a tree, for thousands of runs."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.kernels.cluster_rows import compiled

__all__ = ["average_fowlkes_mallows", "compare_codes", "cut_tree"]


@compiled
def compare_codes(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    log_factorial: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Compute adjusted Rand index, AMI, Fowlkes-Mallows and element-centric similarity.

    The definitions and the values of degenerate partitions are those of
    `survey_tools.agreement.partitions`; element-centric similarity of partitions has the
    closed form 1 - mean of |1/a - 1/b| and the rests over 2 (Gates et al. 2019, equation 5).

    Parameters
    ----------
    a, b : ndarray of int64, shape (n_papers,)
        Groups of both sides. Papers with a negative number on either side are left out.
    log_factorial : ndarray of float64, shape (n_papers + 1,)
    out : ndarray of float64, shape (4,)
        Filled; NaN where fewer than two papers are left.
    """
    n_a = n_b = 0
    for i in range(len(a)):
        n_a, n_b = max(n_a, a[i] + 1), max(n_b, b[i] + 1)
    table = np.zeros((n_a, n_b), dtype=np.int64)
    sizes_a = np.zeros(n_a, dtype=np.int64)
    sizes_b = np.zeros(n_b, dtype=np.int64)
    n = 0
    for i in range(len(a)):
        if a[i] >= 0 and b[i] >= 0:
            table[a[i], b[i]] += 1
            sizes_a[a[i]] += 1
            sizes_b[b[i]] += 1
            n += 1
    out[:] = np.nan
    if n < 2:
        return
    together = together_a = together_b = 0.0
    entropy_a = entropy_b = joint = 0.0
    used_a = used_b = 0
    for size in sizes_a:
        together_a += size * (size - 1)
        if size:
            used_a += 1
            entropy_a -= size / n * np.log(size / n)
    for size in sizes_b:
        together_b += size * (size - 1)
        if size:
            used_b += 1
            entropy_b -= size / n * np.log(size / n)
    apart = 0.0
    for i in range(n_a):
        for j in range(n_b):
            both = table[i, j]
            if both:
                together += both * (both - 1)
                joint -= both / n * np.log(both / n)
                size_a, size_b = sizes_a[i], sizes_b[j]
                apart += both * (
                    both * abs(1.0 / size_a - 1.0 / size_b)
                    + (size_a - both) / size_a
                    + (size_b - both) / size_b
                )
    by_chance = together_a * together_b / (n * (n - 1.0))
    span = (together_a + together_b) / 2.0 - by_chance
    out[0] = 1.0 if abs(span) < 1e-12 else (together - by_chance) / span
    if used_a == used_b and (used_a == 1 or used_a == n):
        out[1] = 1.0
    else:
        information = max(entropy_a + entropy_b - joint, 0.0)
        expected = _expect_information(sizes_a, sizes_b, n, log_factorial)
        rest = (entropy_a + entropy_b) / 2.0 - expected
        least = 2.220446049250313e-16
        rest = min(rest, -least) if rest < 0 else max(rest, least)
        out[1] = (information - expected) / rest if information > n * least else -expected / rest
    pairs = np.sqrt(together_a) * np.sqrt(together_b)
    out[2] = together / pairs if pairs > 0 else 0.0
    out[3] = 1.0 - apart / (2.0 * n)


@compiled
def _expect_information(
    sizes_a: NDArray[np.int64],
    sizes_b: NDArray[np.int64],
    n: int,
    log_factorial: NDArray[np.float64],
) -> float:
    """Mutual information expected of partitions of these sizes (Vinh et al. 2010, eq. 24)."""
    expected = 0.0
    for a in sizes_a:
        for b in sizes_b:
            if a and b:
                fixed = (
                    log_factorial[a]
                    + log_factorial[b]
                    + log_factorial[n - a]
                    + log_factorial[n - b]
                    - log_factorial[n]
                )
                for both in range(max(1, a + b - n), min(a, b) + 1):
                    chance = np.exp(
                        fixed
                        - log_factorial[both]
                        - log_factorial[a - both]
                        - log_factorial[b - both]
                        - log_factorial[n - a - b + both]
                    )
                    expected += both / n * np.log(n * both / (a * b)) * chance
    return expected


@compiled
def average_fowlkes_mallows(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Return the mean Fowlkes-Mallows index over pairs of partitions that keep papers together.

    NaN if no pair of them does.

    Parameters
    ----------
    a, b : ndarray of int64, shape (n_pairs, n_papers)
        Groups of both sides. Papers with a negative number on either side are left out.
    """
    total, n_rows = 0.0, 0
    for row in range(len(a)):
        n_a = n_b = 0
        for i in range(a.shape[1]):
            n_a, n_b = max(n_a, a[row, i] + 1), max(n_b, b[row, i] + 1)
        table = np.zeros((n_a, n_b), dtype=np.int64)
        sizes_a = np.zeros(n_a, dtype=np.int64)
        sizes_b = np.zeros(n_b, dtype=np.int64)
        for i in range(a.shape[1]):
            if a[row, i] >= 0 and b[row, i] >= 0:
                table[a[row, i], b[row, i]] += 1
                sizes_a[a[row, i]] += 1
                sizes_b[b[row, i]] += 1
        together = together_a = together_b = 0.0
        for size in sizes_a:
            together_a += size * (size - 1)
        for size in sizes_b:
            together_b += size * (size - 1)
        for both in table.flat:
            together += both * (both - 1)
        if together_a > 0 or together_b > 0:
            n_rows += 1
            pairs = np.sqrt(together_a) * np.sqrt(together_b)
            total += together / pairs if pairs > 0 else 0.0
    return total / n_rows if n_rows else np.nan


@compiled
def cut_tree(
    children: NDArray[np.int64],
    ceilings: NDArray[np.float64],
    numbers: NDArray[np.int64],
    codes: NDArray[np.int64],
) -> None:
    """Cut a tree into 2, 3, … clusters at once, or the most below that ties allow.

    Parameters
    ----------
    children : ndarray of int64, shape (n - 1, 2)
    ceilings : ndarray of float64, shape (n - 1,)
        Greatest height in the sub-tree of each merge.
    numbers : ndarray of int64, shape (n_cuts,)
        Clusters wanted; more than n papers give n.
    codes : ndarray of int64, shape (n_cuts, n)
        Filled with the cluster of each leaf, in the order of the leaves' numbers.
    """
    n = len(ceilings) + 1
    by_height = np.sort(ceilings)
    group = np.empty(2 * n - 1, dtype=np.int64)
    for row in range(len(numbers)):
        n_merges = n - numbers[row]
        top = by_height[n_merges - 1] if n_merges > 0 else -np.inf
        group[:] = -1
        for merge in range(n - 2, -1, -1):
            node = n + merge
            if group[node] < 0 and ceilings[merge] <= top:
                group[node] = node
            for side in range(2):
                group[children[merge, side]] = group[node]
        seen = 0
        number = np.full(2 * n - 1, -1, dtype=np.int64)
        for leaf in range(n):
            node = group[leaf] if group[leaf] >= 0 else leaf
            if number[node] < 0:
                number[node] = seen
                seen += 1
            codes[row, leaf] = number[node]
