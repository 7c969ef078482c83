"""Pairs of trees of the same papers: small by hand, random with ties, recorded from dendextend."""

import json
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from survey_tools.tree import Tree

RECORDED = json.loads((Path(__file__).parent / "dendextend.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = RECORDED["cases"]
CASE_NAMES = [case["name"] for case in CASES]


def grow(children: list[tuple[int, int]], heights: list[float], keys: str) -> Tree:
    """Build a tree over papers of one letter each."""
    return Tree(paper_keys=tuple(keys), children=np.array(children), heights=np.array(heights))


def recorded_tree(record: dict[str, Any]) -> Tree:
    """Build a tree from R's merges: -i is leaf i, i is merge i, both counted from 1."""
    merges, n = np.array(record["merge"]), len(record["labels"])
    tree = Tree(
        paper_keys=tuple(record["labels"]),
        children=np.where(merges < 0, -merges - 1, merges - 1 + n),
        heights=np.array(record["heights"]),
    )
    assert tree.keys_in_leaf_order == tuple(record["drawn"])
    return tree


def random_tree(n_papers: int, rng: np.random.Generator, *, tied: bool) -> Tree:
    """Draw a tree over p00, p01, … in any order, with or without tied heights."""
    open_nodes, children = list(range(n_papers)), []
    for i in range(n_papers - 1):
        first = open_nodes.pop(int(rng.integers(len(open_nodes))))
        second = open_nodes.pop(int(rng.integers(len(open_nodes))))
        children.append((first, second))
        open_nodes.append(n_papers + i)
    steps = rng.integers(0, 3, n_papers - 1) if tied else rng.uniform(0.1, 1.0, n_papers - 1)
    keys = tuple(f"p{i:02d}" for i in rng.permutation(n_papers))
    return Tree(paper_keys=keys, children=np.array(children), heights=np.cumsum(steps))


@st.composite
def pairs_of_trees(draw: st.DrawFn, *, fewest: int = 2, max_papers: int = 9) -> tuple[Tree, Tree]:
    """Two trees of the same papers, each with or without ties."""
    n = draw(st.integers(fewest, max_papers))
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    return (
        random_tree(n, rng, tied=draw(st.booleans())),
        random_tree(n, rng, tied=draw(st.booleans())),
    )


def shuffle_papers(tree: Tree, rng: np.random.Generator) -> Tree:
    """Store the papers of a tree in another order."""
    n = tree.n_papers
    order = rng.permutation(n)  # new leaf i was leaf order[i]
    new_of_old = np.append(np.argsort(order), np.arange(n, 2 * n - 1))
    return Tree(
        paper_keys=tuple(tree.paper_keys[i] for i in order),
        children=new_of_old[tree.children],
        heights=tree.heights,
    )


def rename(tree: Tree, keys: tuple[str, ...]) -> Tree:
    """Put other papers on the leaves, in the order of the sorted keys."""
    new_of = dict(zip(sorted(tree.paper_keys), keys, strict=True))
    return Tree(
        paper_keys=tuple(new_of[key] for key in tree.paper_keys),
        children=tree.children,
        heights=tree.heights,
    )


def relabellings(tree: Tree) -> Iterator[Tree]:
    """All trees of this shape on the same papers."""
    return (rename(tree, keys) for keys in permutations(sorted(tree.paper_keys)))


def heights_of_pairs(tree: Tree, keys: list[str]) -> NDArray[np.float64]:
    """Height at which pairs are merged, pair by pair; an inverted merge is lifted."""
    heights = []
    for a, b in combinations(keys, 2):
        node = tree.lowest_common_ancestor(a, b)
        below = [tree.height_of(v) for v in range(node + 1) if v == node or is_below(tree, v, node)]
        heights.append(max(below))
    return np.array(heights)


def is_below(tree: Tree, node: int, ancestor: int) -> bool:
    """Say whether one node lies below another."""
    return ancestor in tree.ancestors(node)


def find_clade_sets(tree: Tree, keys: list[str]) -> set[frozenset[str]]:
    """Find the sets of papers that some cut keeps together, but single papers and all."""
    height_of = dict(zip(combinations(keys, 2), heights_of_pairs(tree, keys), strict=True))
    found = set()
    for height in set(height_of.values()):
        for key in keys:
            near = {
                other
                for other in keys
                if other != key and height_of[min(key, other), max(key, other)] <= height
            }
            found.add(frozenset({key, *near}))
    return {clade for clade in found if 1 < len(clade) < len(keys)}


def resolve(tree: Tree, keys: list[str]) -> list[str | None]:
    """For every triple of papers the one that joins last; None if all three meet at once."""
    height_of = dict(zip(combinations(keys, 2), heights_of_pairs(tree, keys), strict=True))
    last: list[str | None] = []
    for a, b, c in combinations(keys, 3):
        lowest, other, c_or_a = sorted(
            [(height_of[a, b], c), (height_of[a, c], b), (height_of[b, c], a)]
        )
        last.append(lowest[1] if lowest[0] < other[0] else None)
        assert other[0] == c_or_a[0]  # the two longest sides are equal in every tree
    return last
