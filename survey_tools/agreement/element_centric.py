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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.index import (
    FEWEST_TO_HALVE,
    Agreement,
    half_sample,
    permute,
    weigh,
)
from survey_tools.agreement.patterns import Patterns, find_patterns
from survey_tools.agreement.robinson_foulds import find_clades
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["ALPHA", "NAME", "compare_elements", "compare_hierarchies"]

ALPHA = 0.9  # as in the paper
NAME = "element-centric similarity"
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
    a: Tree | Cover,
    b: Tree | Cover,
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    r: float = 1.0,
    alpha: float = ALPHA,
) -> Agreement:
    """Measure the agreement of two sides of which each may be a tree, matched by paper key.

    Every node of a tree is a group, its leaves too, and tied merges are one node. The walker
    chooses among the groups of a paper by weights of ``exp(r * level)``; the level is 0 at the
    root and 1 - height / height of the root elsewhere, so 1 at the leaves. Low nodes are strong
    for positive ``r`` and high ones for negative. An inverted merge counts as made at the greatest
    height below it.

    A relabelling moves the papers of one side at random; a half-sample keeps half of the papers on
    both sides, and whatever they say about those.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of relabellings and half-samples.
    n_permutations, n_resamples : int
        0 leaves chance and p-value, or the interval, at None. So do a tree with a single inner
        node and a cover that gives all papers the same groups, and for intervals fewer than four
        papers.
    confidence : float
        Level of the interval, between 0 and 1.
    r : float
        Scale of the levels; 0 weighs all nodes alike. For covers it plays no role.
    alpha : float
        Probability to go on, between 0 and 1.

    Returns
    -------
    Agreement
        The element-centric similarity, 0 to 1. ``n_clusters`` and ``n_classes`` are inner nodes
        of a tree, ties collapsed, the root among them; of a cover the groups that are not empty.

    Raises
    ------
    ParameterError
        If the sides hold different papers; if a cover holds more than 2,000; if ``r`` is not
        finite or ``alpha`` not between 0 and 1.
    """
    from survey_tools.kernels.element_walks import sum_differences  # numba loads half a second

    if not np.isfinite(r) or not 0 < alpha < 1:
        raise ParameterError(
            f"r is {r} and alpha {alpha}; give r a finite number, alpha one between 0 and 1"
        )
    keys = sorted(a.paper_keys)
    if unlike := sorted(set(keys) ^ set(b.paper_keys)):
        raise ParameterError(f"the two sides hold different papers: {abbreviate(unlike)}")
    n_papers = len(keys)
    walk_a, walk_b = (_find_walk(side, keys, float(r), float(alpha)) for side in (a, b))
    if not (walk_a.tells_apart and walk_b.tells_apart):  # every relabelling is the same
        n_permutations = n_resamples = 0
    if n_papers < FEWEST_TO_HALVE:
        n_resamples = 0
    everything = np.arange(n_papers)
    visits_a, visits_b = walk_a.visit(everything), walk_b.visit(everything)

    def compare(partners: NDArray[np.intp]) -> NDArray[np.float64]:
        difference = sum_differences(visits_a, visits_b, partners)
        return np.array([1.0 - difference / (2.0 * alpha * n_papers)])

    def compare_half(places: NDArray[np.intp]) -> NDArray[np.float64]:
        difference = np.abs(walk_a.visit(places) - walk_b.visit(places)).sum()
        return np.array([1.0 - difference / (2.0 * alpha * len(places))])

    index = weigh(
        NAME,
        float(np.clip(compare(everything)[0], 0.0, 1.0)),
        by_chance=permute(compare, n_papers, n_permutations, rng).ravel(),
        samples=half_sample(compare_half, n_papers, n_resamples, rng).ravel(),
        confidence=confidence,
        bounds=(0.0, 1.0),
    )
    return Agreement(
        n_papers=n_papers,
        n_clusters=walk_a.n_groups,
        n_classes=walk_b.n_groups,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
        indices=(index,),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Walk:
    """How a walker goes about one side.

    Attributes
    ----------
    tells_apart : bool
        Whether a relabelling can change anything.
    visit : callable
        Takes places of the papers that are kept; returns personalised PageRank from every one
        of them to every one, shape (n_kept, n_kept).
    """

    n_groups: int
    tells_apart: bool
    visit: Callable[[NDArray[np.intp]], NDArray[np.float64]]


def _find_walk(side: Tree | Cover, keys: list[str], r: float, alpha: float) -> _Walk:
    if isinstance(side, Tree):
        return _walk_tree(side, r, alpha)
    if len(keys) > _MOST_PAPERS:
        raise ParameterError(f"{len(keys)} papers are more than {_MOST_PAPERS:,}; draw a sample")
    return _walk_cover(side.restrict(keys), alpha)


def _walk_tree(tree: Tree, r: float, alpha: float) -> _Walk:
    from survey_tools.kernels.element_walks import visit_papers  # numba loads half a second

    clades = find_clades(tree)
    nodes = clades.to_nodes(with_fans=False)
    meets = _find_meets(clades.parents)

    def visit(places: NDArray[np.intp]) -> NDArray[np.float64]:
        visits = np.empty((len(places), len(places)))
        visit_papers(nodes, meets, places, r, alpha, visits)
        return visits

    return _Walk(n_groups=clades.n_clades, tells_apart=clades.n_clades > 1, visit=visit)


def _find_meets(parents: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the lowest common ancestor of every two nodes, of which children come first."""
    n = len(parents)
    meets = np.empty((n, n), dtype=np.int32)
    for v in range(n - 1, -1, -1):  # no later node is below v: v meets it where v's parent does
        meets[v, v:] = meets[parents[v], v:]
        meets[v, v] = v
        meets[v:, v] = meets[v, v:]
    return meets


def _walk_cover(cover: Cover, alpha: float) -> _Walk:
    patterns = find_patterns(cover.members)
    members = patterns.members[patterns.codes]

    def visit(places: NDArray[np.intp]) -> NDArray[np.float64]:
        mine = members[places]
        n_papers, n_groups = mine.sum(axis=0), mine.sum(axis=1)
        shares = np.divide(mine, n_papers, out=np.zeros(mine.shape), where=n_papers > 0)
        step = (shares @ mine.T) / np.maximum(n_groups, 1.0)[:, None]
        step[n_groups == 0, n_groups == 0] = 1.0  # a paper without group stays where it is
        return np.asarray((1.0 - alpha) * np.linalg.inv(np.eye(len(mine)) - alpha * step))

    return _Walk(n_groups=patterns.n_groups, tells_apart=patterns.n_patterns > 1, visit=visit)
