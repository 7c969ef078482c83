"""Rows of a collapsed tree: its highest merges, what hangs below them, and what that is called."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from survey_tools.errors import ParameterError, count
from survey_tools.figures.spans import ClusterSpan, NameSpan
from survey_tools.figures.style import clean
from survey_tools.tree import Tree

__all__ = ["CollapsedRow", "RowGroup", "collapse_tree", "describe_row", "group_rows"]

_N_TERMS, _N_TERMS_EACH = 4, 2  # terms of a cluster alone, and of each where several are described
_N_DESCRIBED = 3  # clusters described where a row holds several


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapsedRow:
    """A collapsed sub-tree, or a single leaf; leaves count from 0 in leaf order.

    Attributes
    ----------
    n_papers : int
        Papers below the node; 1 for a leaf, unless leaves stand for several papers.
    """

    node: int
    first_leaf: int
    last_leaf: int
    n_papers: int

    @property
    def n_leaves(self) -> int:
        """Leaves below the node; 1 for a leaf."""
        return self.last_leaf - self.first_leaf + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Neighbouring rows that hold papers of the same clusters.

    Attributes
    ----------
    colour_index : int
        Of the cluster, or -1 where there are several.
    n_papers : int
    title, terms : str
        Names of the clusters with the number of papers, and what they are about.
    """

    first_row: int
    last_row: int
    colour_index: int
    n_papers: int
    title: str
    terms: str


def collapse_tree(
    tree: Tree, n_shown: int, papers_of: Mapping[str, int] | None = None
) -> tuple[tuple[CollapsedRow, ...], tuple[int, ...]]:
    """Keep the ``n_shown - 1`` highest merges and collapse what hangs below them.

    The root is parted first, then always the highest of the nodes that hang free, of equal
    ones the one merged last; where heights rise along the merges, these are the last merges,
    as of scipy's ``truncate_mode="lastp"``.

    Parameters
    ----------
    papers_of : mapping of str to int, optional
        Papers that each leaf stands for, by its key; 1 each by default.

    Returns
    -------
    rows : tuple of CollapsedRow
        In leaf order; fewer than ``n_shown`` only if there are fewer papers.
    merges : tuple of int
        Nodes of the merges kept, ascending.

    Raises
    ------
    ParameterError
        If fewer than 2 rows are asked.
    """
    if n_shown < 2:
        raise ParameterError(
            f"a collapsed tree of {count(n_shown, 'branch').replace('branchs', 'branches')} was "
            "asked; it shows 2 or more"
        )
    n = tree.n_papers
    free = [(-tree.height_of(tree.root), -tree.root)]
    shown: list[int] = []
    merges: list[int] = []
    while free and len(shown) + len(free) < n_shown:
        node = -heapq.heappop(free)[1]
        merges.append(node)
        for child in tree.children[node - n].tolist():
            if child < n:
                shown.append(child)
            else:
                heapq.heappush(free, (-tree.height_of(child), -child))
    shown += [-node for _, node in free]
    starts, ends = tree.starts.tolist(), (tree.starts + tree.sizes).tolist()
    each = [papers_of[key] if papers_of else 1 for key in tree.keys_in_leaf_order]
    before = np.concatenate([[0], np.cumsum(each)]).tolist()
    rows = tuple(
        CollapsedRow(
            node=node,
            first_leaf=starts[node],
            last_leaf=ends[node] - 1,
            n_papers=before[ends[node]] - before[starts[node]],
        )
        for node in sorted(shown, key=starts.__getitem__)
    )
    return rows, tuple(sorted(merges))


def describe_row(tree: Tree, row: CollapsedRow, names: Sequence[NameSpan]) -> str:
    """Say what a row is: the key of a leaf, or the number of papers and the names inside.

    A named sub-tree that ends where rows end has a bracket and is not repeated here.
    """
    if row.n_leaves == 1:
        key = tree.paper_keys[row.node]
        return key if row.n_papers == 1 else f"{key} ({row.n_papers:,} papers)"
    inside = [
        f"{name.code} {name.name} ({name.n_papers:,})"
        for name in names
        if row.first_leaf <= name.first_leaf
        and name.last_leaf <= row.last_leaf
        and name.n_papers < row.n_leaves
    ]
    return f"{row.n_papers:,} papers" + (f", among them {'; '.join(inside)}" if inside else "")


def group_rows(
    rows: Sequence[CollapsedRow],
    cluster_spans: Sequence[ClusterSpan],
    terms: Mapping[str, Sequence[str]] | None = None,
) -> tuple[RowGroup, ...]:
    """Group neighbouring rows of the same clusters and say what these are about.

    Parameters
    ----------
    cluster_spans : sequence of ClusterSpan
        In leaf order, without gaps.
    terms : mapping of str to sequence of str, optional
        Terms of each cluster, best first; without them only names and numbers are given.
    """
    terms_of = {name: [clean(term) for term in best] for name, best in (terms or {}).items()}
    firsts = np.array([span.first_leaf for span in cluster_spans])
    parts = [
        (
            int(np.searchsorted(firsts, row.first_leaf, side="right")) - 1,
            int(np.searchsorted(firsts, row.last_leaf, side="right")),
        )
        for row in rows
    ]
    groups = []
    for (start, stop), same in groupby(range(len(rows)), key=parts.__getitem__):
        which = list(same)
        spans = cluster_spans[start:stop]
        n_papers = sum(rows[i].n_papers for i in which)
        groups.append(
            RowGroup(
                first_row=which[0],
                last_row=which[-1],
                colour_index=spans[0].colour_index if len(spans) == 1 else -1,
                n_papers=n_papers,
                title=f"{_name_clusters(spans)} ({count(n_papers, 'paper')})",
                terms=_list_terms(spans, terms_of),
            )
        )
    return tuple(groups)


def _name_clusters(spans: Sequence[ClusterSpan]) -> str:
    if len(spans) <= _N_DESCRIBED:
        return ", ".join(span.name for span in spans)
    return f"{spans[0].name} to {spans[-1].name}, {len(spans)} clusters"


def _list_terms(spans: Sequence[ClusterSpan], terms_of: Mapping[str, Sequence[str]]) -> str:
    """List the best terms, of several clusters those of the largest, each with its name."""
    if len(spans) == 1:
        return ", ".join(terms_of.get(spans[0].name, ())[:_N_TERMS])
    largest = sorted(spans, key=lambda span: -span.n_papers)[:_N_DESCRIBED]
    parts = [
        f"{span.name}: {', '.join(terms_of[span.name][:_N_TERMS_EACH])}"
        for span in sorted(largest, key=lambda span: span.first_leaf)
        if terms_of.get(span.name)
    ]
    return "; ".join(parts)
