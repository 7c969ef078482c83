"""Element-centric similarity: how alike two sides are as seen from each paper.

From a paper a random walker goes to one of its groups and on to one of the group's papers, and
returns to its start with probability 1 - alpha at each step; the papers that it visits in the
long run (personalised PageRank) are what a side says of the paper. Similarity is 1 less the
difference of what both sides say, in the mean over the papers.

References
----------
.. [1] Gates, Wood, Hetrick and Ahn, "Element-centric clustering comparison unifies overlaps and
   hierarchy", Scientific Reports 9 (2019), 8574, equations 1 to 4.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from survey_tools.agreement.patterns import Patterns
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["ALPHA", "compare_elements", "compare_hierarchies"]

ALPHA = 0.9  # as in the paper
_MOST_PAPERS = 2000  # whose affinities to one another are kept: 32 MB a side
_CELLS_AT_ONCE = 8_000_000


def compare_elements(
    tables: NDArray[np.float64], a: Patterns, b: Patterns, *, alpha: float = ALPHA
) -> NDArray[np.float64]:
    """Compute the similarity of a block of tables of two covers' patterns.

    A paper without any group has no way to go: it counts as a group of its own.

    Parameters
    ----------
    tables : ndarray of float64, shape (n_tables, a.n_patterns, b.n_patterns)
        Papers with each pair of patterns; equally many papers in each table.

    Returns
    -------
    ndarray of float64, shape (n_tables,)
        0 to 1.
    """
    similarity = np.empty(len(tables))
    sizes_a, sizes_b = tables.sum(axis=2), tables.sum(axis=1)
    are_fixed = bool((sizes_a == sizes_a[0]).all() and (sizes_b == sizes_b[0]).all())
    n_at_once = max(1, _CELLS_AT_ONCE // max(a.n_patterns, b.n_patterns) ** 2)
    for start in range(0, len(tables), len(tables) if are_fixed else n_at_once):
        block = slice(start, len(tables) if are_fixed else start + n_at_once)
        rows = slice(0, 1) if are_fixed else block
        visits_a, home_a = _affinities(a, sizes_a[rows], alpha)
        visits_b, home_b = _affinities(b, sizes_b[rows], alpha)
        # |x - y| = x + y - 2 min(x, y), of the visits from each paper to each, itself included
        apart = (
            np.einsum("np,npr,nr->n", sizes_a[block], visits_a, sizes_a[block])
            + np.einsum("np,npr,nr->n", sizes_b[block], visits_b, sizes_b[block])
            - 2.0 * _sum_common(tables[block], visits_a, visits_b)
        )
        own_a = np.diagonal(visits_a, axis1=1, axis2=2)[:, :, None]
        own_b = np.diagonal(visits_b, axis1=1, axis2=2)[:, None, :]
        at_home = np.abs(own_a + home_a[:, None] - own_b - home_b) - np.abs(own_a - own_b)
        apart += (tables[block] * at_home).sum(axis=(1, 2))
        similarity[block] = 1.0 - apart / (2.0 * alpha * sizes_a[block].sum(axis=1))
    return np.clip(similarity, 0.0, 1.0)


def _sum_common(
    tables: NDArray[np.float64], visits_a: NDArray[np.float64], visits_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the smaller of both sides' visits over all pairs of papers, shape (n_tables,).

    It goes by the pairs of patterns that the walker of one side connects: for a partition
    these are the patterns with themselves alone.
    """
    linked = [np.argwhere((visits > 0).any(axis=0)) for visits in (visits_a, visits_b)]
    if len(linked[1]) * visits_a.shape[1] ** 2 < len(linked[0]) * visits_b.shape[1] ** 2:
        tables, visits_a, visits_b = tables.transpose(0, 2, 1), visits_b, visits_a
        linked.reverse()
    common = np.zeros(len(tables))
    for p, r in linked[0]:
        least = np.minimum(visits_a[:, p, r, None, None], visits_b)
        common += ((tables[:, p, None, :] @ least)[:, 0] * tables[:, r]).sum(axis=1)
    return common


def _affinities(
    patterns: Patterns, sizes: NDArray[np.float64], alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a paper of each pattern gives to another paper, and to itself beside that.

    Shapes (n_tables, n_patterns, n_patterns) and (n_patterns,).
    """
    members = patterns.members
    n_groups_of = members.sum(axis=1)
    group_sizes = sizes @ members  # (n_tables, n_groups)
    per_group = np.divide(1.0, group_sizes, out=np.zeros(group_sizes.shape), where=group_sizes > 0)
    leave = np.divide(1.0, n_groups_of, out=np.zeros(len(members)), where=n_groups_of > 0)
    # one step of the walk, from a paper of one pattern to a certain paper of another
    step = (members * leave[:, None]) @ (per_group[:, :, None] * members.T)
    onward = np.eye(len(members)) - alpha * sizes[:, :, None] * step
    walk = alpha * np.swapaxes(
        np.linalg.solve(np.swapaxes(onward, 1, 2), np.swapaxes(step, 1, 2)), 1, 2
    )
    return (1.0 - alpha) * walk, np.where(n_groups_of > 0, 1.0 - alpha, 1.0)


def compare_hierarchies(
    a: Tree | Cover, b: Tree | Cover, *, r: float = 1.0, alpha: float = ALPHA
) -> float:
    """Compare two sides of which each may be a tree, matched by paper key.

    Every inner node of a tree is a group, tied merges together one; the walker chooses it by a
    weight of ``exp(r * level)``; the level is 0 at the root and 1 - height / height of the root
    elsewhere, so that low nodes are strong for positive ``r`` and high ones for negative.

    Parameters
    ----------
    r : float
        Scale of the levels; 0 weighs all nodes alike. For covers it plays no role.
    alpha : float
        Probability to go on, between 0 and 1.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ParameterError
        If the sides hold different papers, or more than 2,000; if ``r`` is not finite or ``alpha``
        not between 0 and 1.
    """
    if not np.isfinite(r) or not 0 < alpha < 1:
        raise ParameterError(
            f"r is {r} and alpha {alpha}; give r a finite number, alpha one between 0 and 1"
        )
    keys = sorted(a.paper_keys)
    if unlike := sorted(set(keys) ^ set(b.paper_keys)):
        raise ParameterError(f"the two sides hold different papers: {abbreviate(unlike)}")
    if len(keys) > _MOST_PAPERS:
        raise ParameterError(f"{len(keys)} papers are more than {_MOST_PAPERS:,}; draw a sample")
    visits = [_visit(side, keys, r, alpha) for side in (a, b)]
    differences = np.abs(visits[0] - visits[1]).sum(axis=1)
    return float(np.clip(1.0 - differences / (2.0 * alpha), 0.0, 1.0).mean())


def _visit(side: Tree | Cover, keys: list[str], r: float, alpha: float) -> NDArray[np.float64]:
    """Personalised PageRank from every paper to every other, shape (n_papers, n_papers)."""
    if isinstance(side, Cover):
        members = side.restrict(keys).members.astype(np.float64)
        shares = members
    else:
        n = side.n_papers
        place = side.starts[[side.leaf(key) for key in keys]]
        # a merge counts as made at the height of the highest one below it; one that its parent
        # ties with is part of that, so that the order of tied merges plays no role
        heights = hierarchy.maxdists(side.to_linkage())
        is_group = np.append(heights[side.parents[n:-1] - n] > heights[:-1], True)
        first, size = side.starts[n:][is_group], side.sizes[n:][is_group]
        members = ((place[:, None] >= first) & (place[:, None] < first + size)).astype(np.float64)
        levels = 1.0 - heights[is_group] / (heights[-1] or 1.0)
        levels[-1] = 0.0  # also of a root at height 0
        exponents = np.where(members > 0, r * levels, -np.inf)
        # relative to a paper's heaviest: only proportions count, and none may over- or underflow
        shares = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    n_papers = members.sum(axis=0)
    of_paper = shares.sum(axis=1, keepdims=True)
    has_group = of_paper[:, 0] > 0
    shares = np.divide(shares, of_paper, out=np.zeros(shares.shape), where=of_paper > 0)
    per_group = np.divide(1.0, n_papers, out=np.zeros(len(n_papers)), where=n_papers > 0)
    step = (shares * per_group) @ members.T
    visits = (1.0 - alpha) * np.linalg.inv(np.eye(len(step)) - alpha * step)
    visits[~has_group] = np.eye(len(step))[~has_group]
    return np.asarray(visits)
