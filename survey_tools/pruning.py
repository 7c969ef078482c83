"""Tree -> the tree of some of its papers."""

from collections.abc import Iterable

import numpy as np

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["prune"]


def prune(tree: Tree, keys: Iterable[str]) -> Tree:
    """Keep some papers of a tree; merges that join two kept sides stay, with their heights.

    Any two papers are as far apart as before, by cophenetic distance. Papers and children stay
    in their order. The tree itself comes back where all papers are kept.

    Raises
    ------
    ParameterError
        If the tree does not hold one of the papers, or fewer than two are kept.
    """
    wanted = set(keys)
    if unknown := sorted(wanted - set(tree.paper_keys)):
        raise ParameterError(f"not in the tree: {abbreviate(unknown)}")
    if len(wanted) < 2:
        raise ParameterError(f"a tree needs at least 2 papers; {len(wanted)} are to be kept")
    if len(wanted) == tree.n_papers:
        return tree
    kept = tuple(key for key in tree.paper_keys if key in wanted)
    place = {key: i for i, key in enumerate(kept)}
    now = [place.get(key, -1) for key in tree.paper_keys]  # of a node; -1 if nothing is left of it
    children: list[list[int]] = []
    heights: list[float] = []
    for (first, second), height in zip(tree.children.tolist(), tree.heights.tolist(), strict=True):
        sides = [now[first], now[second]]
        if min(sides) < 0:
            now.append(max(sides))
            continue
        now.append(len(kept) + len(children))
        children.append(sides)
        heights.append(height)
    return Tree(
        paper_keys=kept,
        children=np.array(children, dtype=np.intp),
        heights=np.array(heights),
        linkage=tree.linkage,
        metric=tree.metric,
    )
