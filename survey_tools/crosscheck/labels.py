"""Labels x tree -> the sub-tree where each label lives, with the search paid for.

A group of tied merges is one node: a merge at the height of the merge above it belongs to the
node of that one, and so does an inverted merge, which counts as made at the greatest height
below it. Pairs inside such a group depend on the order in which ties were broken, so they are
neither found nor counted, for labels and for chance alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.stats import false_discovery_control, hypergeom

from survey_tools.cover import Cover
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.kernels.label_search import search_random_sets
from survey_tools.tree import Tree

__all__ = ["EnrichedNode", "LabelPlace", "find_enriched_nodes", "place_labels"]

_ORDERS_AT_ONCE = 16_000_000  # entries of a block of random orders: 64 MB
_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """The sub-tree that fits a label best, of all inner nodes; tied merges are one node.

    Attributes
    ----------
    axis, label : str
        Names; the axis of a combined cell is "combined cells".
    title : str
        The label as printed.
    n_papers : int
        Papers of the tree that carry the label (or a narrower one).
    node : int
        Of the best sub-tree, the last merge of a tied group; of equally good ones the smallest,
        then the lowest, then the one with the first key.
    height : float
    size : int
        Papers below the node.
    n_common : int
        Papers below the node with the label.
    precision, recall, f1 : float
    chance : float or None
        Mean of the best F1 when labels are dealt to papers at random.
    p_value, q_value : float or None
        Share of such deals whose best F1 over the whole tree is as high; adjusted over all
        labels (Benjamini-Hochberg).
    """

    axis: str
    label: str
    title: str
    n_papers: int
    node: int
    height: float
    size: int
    n_common: int
    precision: float
    recall: float
    f1: float
    chance: float | None
    p_value: float | None
    q_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichedNode:
    """An inner node that holds more papers of a label than chance would put there.

    Attributes
    ----------
    axis, label : str
    node : int
        The last merge of a tied group.
    height : float
    size, n_common : int
        Papers below the node; those with the label.
    n_papers : int
        Papers of the tree with the label.
    p_value, q_value : float
        Hypergeometric tail P(X >= n_common); adjusted over all nodes and labels
        (Benjamini-Hochberg), a tied group being one node.
    """

    axis: str
    label: str
    node: int
    height: float
    size: int
    n_common: int
    n_papers: int
    p_value: float
    q_value: float


def place_labels(
    tree: Tree,
    covers: Mapping[str, Cover],
    *,
    rng: np.random.Generator,
    titles: Mapping[tuple[str, str], str] | None = None,
    n_permutations: int = 10_000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LabelPlace, ...]:
    """Find for every label the sub-tree with the best F1, of all inner nodes.

    There are n - 1 inner nodes; fewer where merges are tied, since a group of tied merges is
    one node. So no row but the number of its node depends on the order of papers or ties.

    The best of many nodes is high for any set of papers. So each label is held against as
    many papers drawn at random, of which the best node is searched in the same way: the
    p-value is that of the maximum over the tree and needs no further correction for the
    nodes. One random order of the papers serves all labels, each taking as many from its
    beginning as it has papers.

    Parameters
    ----------
    covers : mapping of axis name to Cover
        Labels of the papers of the tree, all of them and no others. Labels without a paper are
        left out.
    titles : mapping of (axis, label) to str, optional
        Labels as printed.
    n_permutations : int
        Random orders; 0 leaves chance, p and q at None.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Returns
    -------
    tuple of LabelPlace
        Best first: by q, then by F1, then by name.

    Raises
    ------
    ParameterError
        If covers and tree hold different papers.

    References
    ----------
    .. [1] Westfall and Young, Resampling-Based Multiple Testing, 1993 (maximum statistic).
    """
    _check_papers(tree, covers)
    titles = titles or {}
    tops = _find_tops(tree)
    nodes = _list_nodes(tree, tops)
    found = []
    for axis, label, keys in _list_labels(covers):
        common = tree.count_in_nodes(keys)[nodes]
        f1 = 2.0 * common / (tree.sizes[nodes] + len(keys))
        best = int(np.argmax(f1))  # the first of equal ones
        found.append((axis, label, len(keys), int(nodes[best]), int(common[best]), float(f1[best])))
    chance: dict[int, float] = {}
    p_values: list[float] = []
    if n_permutations and found:
        set_sizes = np.unique([n_label for _, _, n_label, *_ in found])
        by_chance = _search_by_chance(tree, tops, set_sizes, n_permutations, rng, progress)
        place = {int(size): i for i, size in enumerate(set_sizes)}
        chance = {size: float(by_chance[:, i].mean()) for size, i in place.items()}
        for _, _, n_label, _, _, f1_found in found:
            n_as_good = int((by_chance[:, place[n_label]] >= f1_found - _TIE).sum())
            p_values.append((1 + n_as_good) / (1 + n_permutations))
    q_values = list(false_discovery_control(p_values)) if p_values else []
    places = [
        LabelPlace(
            axis=axis,
            label=label,
            title=titles.get((axis, label), label),
            n_papers=n_label,
            node=node,
            height=tree.height_of(node),
            size=int(tree.sizes[node]),
            n_common=n_common,
            precision=n_common / int(tree.sizes[node]),
            recall=n_common / n_label,
            f1=f1_found,
            chance=chance.get(n_label),
            p_value=p_values[i] if p_values else None,
            q_value=float(q_values[i]) if q_values else None,
        )
        for i, (axis, label, n_label, node, n_common, f1_found) in enumerate(found)
    ]
    return tuple(sorted(places, key=lambda p: (p.q_value or 0.0, -p.f1, p.axis, p.label)))


def find_enriched_nodes(
    tree: Tree, covers: Mapping[str, Cover], *, alpha: float = 0.05
) -> tuple[EnrichedNode, ...]:
    """Find all nodes that hold more papers of a label than expected, at a false discovery rate.

    Every label is tested in every inner node but the root (which holds all papers); a group of
    tied merges is one node and one test. Nodes with no more papers of a label than expected
    count as tests with p = 1.

    Parameters
    ----------
    alpha : float
        False discovery rate over all nodes and labels, 0 to 0.2.

    Returns
    -------
    tuple of EnrichedNode
        By q, then by p, then by name, then from the smallest node on.

    Raises
    ------
    ParameterError
        If covers and tree hold different papers, or ``alpha`` is out of range.

    References
    ----------
    .. [1] Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995); sub-trees overlap and their
       tests are positively dependent, for which Benjamini and Yekutieli (2001) show that
       the procedure holds.
    """
    _check_papers(tree, covers)
    if not 0 < alpha <= 0.2:
        raise ParameterError(f"alpha={alpha}: a false discovery rate of 0 to 0.2 is allowed")
    n = tree.n_papers
    nodes = _list_nodes(tree, _find_tops(tree))
    nodes = nodes[nodes != tree.root]
    node_sizes = tree.sizes[nodes]
    labels = list(_list_labels(covers))
    if not labels or not len(nodes):
        return ()
    p_values = np.ones((len(labels), len(nodes)))
    counts = np.empty((len(labels), len(nodes)), dtype=np.int64)
    for i, (_, _, keys) in enumerate(labels):
        counts[i] = tree.count_in_nodes(keys)[nodes]
        is_more = np.flatnonzero(counts[i] * n > len(keys) * node_sizes)
        cases, which = np.unique(
            np.column_stack([counts[i, is_more], node_sizes[is_more]]), axis=0, return_inverse=True
        )
        tails = hypergeom.sf(cases[:, 0] - 1, n, len(keys), cases[:, 1])
        p_values[i, is_more] = np.clip(tails, 0.0, 1.0)[which.ravel()]
    q_values = false_discovery_control(p_values.ravel()).reshape(p_values.shape)
    enriched = [
        EnrichedNode(
            axis=labels[i][0],
            label=labels[i][1],
            node=int(nodes[j]),
            height=tree.height_of(nodes[j]),
            size=int(node_sizes[j]),
            n_common=int(counts[i, j]),
            n_papers=len(labels[i][2]),
            p_value=float(p_values[i, j]),
            q_value=float(q_values[i, j]),
        )
        for i, j in zip(*np.nonzero(q_values <= alpha), strict=True)
    ]
    return tuple(sorted(enriched, key=lambda x: (x.q_value, x.p_value, x.axis, x.label)))


def _check_papers(tree: Tree, covers: Mapping[str, Cover]) -> None:
    held = set(tree.paper_keys)
    for axis, cover in covers.items():
        if other := sorted(held ^ set(cover.paper_keys)):
            raise ParameterError(
                f"tree and axis {axis!r} hold different papers: {abbreviate(other)}; restrict both "
                "to the papers they share"
            )


def _list_labels(covers: Mapping[str, Cover]) -> list[tuple[str, str, tuple[str, ...]]]:
    """List axis, label and papers of all labels that a paper carries."""
    listed = [
        (axis, label, cover.papers_in(label))
        for axis, cover in covers.items()
        for label in cover.group_names
    ]
    return [(axis, label, keys) for axis, label, keys in listed if keys]


def _find_tops(tree: Tree) -> NDArray[np.intp]:
    """Return the node that each merge belongs to: the last merge of its tied group, or itself.

    Shape (n_papers - 1,), numbers of nodes.
    """
    n = tree.n_papers
    ceilings = hierarchy.maxdists(tree.to_linkage())
    above = tree.parents[n:-1] - n
    is_tied = (ceilings[above] == ceilings[:-1]).tolist()
    tops = list(range(n, 2 * n - 1))
    for merge in range(n - 3, -1, -1):
        if is_tied[merge]:
            tops[merge] = tops[above[merge]]
    return np.array(tops, dtype=np.intp)


def _list_nodes(tree: Tree, tops: NDArray[np.intp]) -> NDArray[np.intp]:
    """List the nodes that are searched: from small to large, from low to high, by first key."""
    ranks = _rank_leaves(tree).tolist()
    for first, second in tree.children.tolist():
        ranks.append(min(ranks[first], ranks[second]))
    nodes = np.unique(tops)
    by_rank = (np.array(ranks)[nodes], tree.heights[nodes - tree.n_papers], tree.sizes[nodes])
    return nodes[np.lexsort(by_rank)]


def _rank_leaves(tree: Tree) -> NDArray[np.intp]:
    """Return the rank of each leaf's key among all keys."""
    by_key = sorted(range(tree.n_papers), key=tree.paper_keys.__getitem__)
    ranks = np.empty(tree.n_papers, dtype=np.intp)
    ranks[by_key] = np.arange(tree.n_papers)
    return ranks


def _search_by_chance(
    tree: Tree,
    tops: NDArray[np.intp],
    set_sizes: NDArray[np.int64],
    n_permutations: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float64]:
    """Best F1 of random sets of papers, shape (n_permutations, n_sizes).

    Every merge has the size of the node that it belongs to. So a merge inside a tied group is
    never better than the whole group, and the best of all merges is the best of all nodes.
    """
    n = tree.n_papers
    joins = np.empty(n - 1, dtype=np.int64)
    joins[tree.starts[tree.children[:, 1]] - 1] = np.arange(n - 1)
    node_sizes = np.asarray(tree.sizes[tops], dtype=np.int64)
    parent_sizes = node_sizes[tree.parents[tree.leaf_order] - n]
    best = np.empty((n_permutations, len(set_sizes)))
    n_at_once = max(1, _ORDERS_AT_ONCE // n)
    places = np.empty(n, dtype=np.int32)  # by key: the same sets however leaves are ordered
    places[_rank_leaves(tree)] = tree.starts[:n]
    for start in range(0, n_permutations, n_at_once):
        if progress:
            progress(start, n_permutations)
        stop = min(start + n_at_once, n_permutations)
        orders = rng.permuted(np.tile(places, (stop - start, 1)), axis=1)
        search_random_sets(joins, node_sizes, parent_sizes, orders, set_sizes, best[start:stop])
    return best
