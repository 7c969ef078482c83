"""Groups sought in trees and partitions: one by one, by hand, and as clusterboot has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from survey_tools.errors import ParameterError
from survey_tools.robustness.jaccard import match_groups, match_nodes
from survey_tools.tree import Tree

RECORDED = json.loads((Path(__file__).parent / "clusterboot.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = RECORDED["cases"]
N_DRAWS = 400  # resamples of our own; clusterboot had 1,000


def grow(children: list[tuple[int, int]], keys: str) -> Tree:
    """Build a tree over papers of one letter each."""
    heights = np.arange(1.0, len(children) + 1)
    return Tree(paper_keys=tuple(keys), children=np.array(children), heights=heights)


def random_tree(n_papers: int, rng: np.random.Generator) -> Tree:
    """Draw a tree over p00, p01, … in any order."""
    open_nodes, children = list(range(n_papers)), []
    for i in range(n_papers - 1):
        first, second = rng.choice(len(open_nodes), 2, replace=False)
        children.append((open_nodes[first], open_nodes[second]))
        open_nodes = [node for node in open_nodes if node not in children[-1]] + [n_papers + i]
    keys = tuple(f"p{i:02d}" for i in rng.permutation(n_papers))
    heights = np.arange(1.0, n_papers)
    return Tree(paper_keys=keys, children=np.array(children), heights=heights)


def mark(keys: str, tree: Tree) -> NDArray[np.bool_]:
    return np.array([[key in keys for key in tree.paper_keys]])


def choose(sought: set[str], groups: list[tuple[int, set[str]]]) -> tuple[float, int]:
    """Compare one group with all others; of equal scores the smallest, then the first."""
    if not sought:
        return float("nan"), -1
    score = {name: len(sought & papers) / len(sought | papers) for name, papers in groups}
    size = {name: len(papers) for name, papers in groups}
    best = min(score, key=lambda name: (-score[name], size[name], name))
    return score[best], best


@given(st.integers(0, 10_000), st.integers(2, 25))
def test_nodes_are_those_of_a_search_one_by_one(seed: int, n_papers: int) -> None:
    """Scores and nodes are what sets of keys give, node by node."""
    rng = np.random.default_rng(seed)
    tree = random_tree(n_papers, rng)
    targets = rng.random((12, n_papers)) < rng.choice([0.1, 0.3, 0.7])
    scores, nodes = match_nodes(targets, tree)
    groups = [(subtree.node, set(subtree.paper_keys)) for subtree in tree.subtrees()]
    keys = np.array(tree.paper_keys)
    expected = [choose(set(keys[target].tolist()), groups) for target in targets]
    assert scores == pytest.approx([score for score, _ in expected], nan_ok=True, rel=1e-15)
    assert nodes.tolist() == [node for _, node in expected]


@given(st.integers(0, 10_000), st.integers(1, 25))
def test_groups_are_those_of_a_search_one_by_one(seed: int, n_papers: int) -> None:
    """Scores and groups are what sets of papers give, with papers in no group and unused codes."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 7, n_papers)
    codes[0] = 2
    targets = rng.random((12, n_papers)) < rng.choice([0.1, 0.3, 0.7])
    scores, found = match_groups(targets, codes)
    papers = np.array([f"p{i:02d}" for i in range(n_papers)])
    groups = [
        (int(code), set(papers[codes == code].tolist())) for code in np.unique(codes[codes >= 0])
    ]
    expected = [choose(set(papers[target].tolist()), groups) for target in targets]
    assert scores == pytest.approx([score for score, _ in expected], nan_ok=True, rel=1e-15)
    assert found.tolist() == [name for _, name in expected]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['method']}-{case['k']}" for case in CASES])
@pytest.mark.parametrize("scheme", ["boot", "subset"])
def test_stability_is_clusterboots(case: dict[str, Any], scheme: str) -> None:
    """Mean scores over resamples agree with fpc's clusterboot within the errors of both.

    A paper drawn twice counts once, and a cluster of which no paper was drawn scores 0.
    """
    i, j = np.arange(1, 31)[:, None], np.arange(1, 4)[None, :]
    centres = np.array([[0, 0, 0], [1.1, 0.2, 0], [0.3, 0.9, 0.3], [0.9, 0.9, 0.8]])
    noise = (7 * i**2 + 13 * i * j + 11 * j**2 + 5 * i * j**2 + 3 * i**3) % 101 / 101 - 0.5
    data = noise + np.repeat(centres, [10, 8, 7, 5], axis=0)
    assert (data * (i @ j)).sum() == pytest.approx(RECORDED["data_sum"])
    method = {"ward.D2": "ward", "average": "average"}[case["method"]]

    def cluster(papers: NDArray[np.intp]) -> NDArray[np.intp]:
        tree = hierarchy.linkage(pdist(data[papers]), method)
        return hierarchy.fcluster(tree, case["k"], "maxclust") - 1

    partition = np.array(case["partition"])
    targets = partition == np.arange(1, case["k"] + 1)[:, None]
    scores, _ = match_groups(targets, cluster(np.arange(30)))
    assert scores.tolist() == [1.0] * case["k"]

    rng = np.random.default_rng(case["seed"])
    results = np.empty((N_DRAWS, case["k"]))
    for row in results:
        if scheme == "boot":
            papers = np.unique(rng.integers(0, 30, 30))
        else:
            papers = rng.choice(30, case["subset_size"], replace=False)
        row[:], _ = match_groups(targets[:, papers], cluster(papers))
    n_empty = np.isnan(results).sum(axis=0)
    results = np.nan_to_num(results)
    rest = 1 / N_DRAWS + 1 / case["n_draws"]
    share_empty = np.array(case[f"{scheme}_zeros"]) / case["n_draws"]
    error = np.sqrt((share_empty + 1 / N_DRAWS) * rest)
    assert (np.abs(n_empty / N_DRAWS - share_empty) < 4 * error).all()
    deviation = np.array(case[f"{scheme}_deviation"])
    error = deviation * np.sqrt(rest)
    assert (np.abs(results.mean(axis=0) - case[f"{scheme}_mean"]) < 4 * error).all()
    assert results.std(axis=0) == pytest.approx(deviation, rel=0.2)


def test_scores_by_hand() -> None:
    """In ((ab)c)(de), abd shares 2 of 3 papers with ab, 2 of 4 with abc."""
    tree = grow([(0, 1), (3, 4), (5, 2), (7, 6)], "abcde")
    scores, nodes = match_nodes(mark("abd", tree), tree)
    assert scores == pytest.approx([2 / 3])
    assert nodes.tolist() == [5]


def test_smallest_of_equal_nodes_is_taken() -> None:
    """Of equal scores the smaller node wins; of equally large nodes the first merged."""
    chain = grow([(0, 1), (6, 2), (7, 3), (8, 4), (9, 5)], "abcdef")
    scores, nodes = match_nodes(mark("af", chain), chain)  # 1/3 with ab, 2/6 with all
    assert (scores.tolist(), nodes.tolist()) == ([1 / 3], [6])
    even = grow([(2, 3), (0, 1), (4, 5), (6, 7), (8, 10), (9, 11), (12, 13)], "abcdefgh")
    scores, nodes = match_nodes(mark("ac", even), even)  # 1/3 with cd and with ab
    assert (scores.tolist(), nodes.tolist()) == ([1 / 3], [8])


def test_smallest_of_equal_groups_is_taken() -> None:
    """Of equal scores the smaller group wins; of equally large groups the lowest number."""
    three = np.array([[True, True, True, False, False, False]])
    scores, codes = match_groups(three, np.array([9, 4, 4, 4, 4, 4]))  # 1/3, and 2/6
    assert (scores.tolist(), codes.tolist()) == ([1 / 3], [9])
    pair = np.array([[True, False, True, False]])
    scores, codes = match_groups(pair, np.array([5, 5, 3, 3]))  # 1/3 with both
    assert (scores.tolist(), codes.tolist()) == ([1 / 3], [3])


def test_group_without_papers_has_no_score() -> None:
    """A resample that drew no paper of a group says nothing about it."""
    tree = grow([(0, 1), (3, 2)], "abc")
    nothing = np.zeros((1, 3), dtype=bool)
    for scores, found in (match_nodes(nothing, tree), match_groups(nothing, np.array([0, 0, 1]))):
        assert np.isnan(scores).tolist() == [True]
        assert found.tolist() == [-1]


def test_papers_without_any_group_score_nothing() -> None:
    """If an algorithm calls all papers noise, no group is found again."""
    targets = np.array([[True, True], [False, False]])
    scores, found = match_groups(targets, np.array([-1, -1]))
    assert scores[0] == 0
    assert np.isnan(scores[1])
    assert found.tolist() == [-1, -1]


def test_order_of_papers_does_not_matter() -> None:
    """Rows of the data in another order leave every score as it is."""
    rng = np.random.default_rng(0)
    data, targets = rng.normal(size=(40, 3)), rng.random((20, 40)) < 0.2
    codes = rng.integers(0, 6, 40)
    order = rng.permutation(40)

    def build(rows: NDArray[np.float64]) -> Tree:
        keys = [f"p{i}" for i in range(40)]
        return Tree.from_linkage(hierarchy.linkage(rows, "average"), keys)

    scores, _ = match_nodes(targets, build(data))
    moved, _ = match_nodes(targets[:, order], build(data[order]))
    assert moved.tolist() == scores.tolist()
    in_groups, found = match_groups(targets, codes)
    in_moved, found_moved = match_groups(targets[:, order], codes[order])
    assert in_moved.tolist() == in_groups.tolist()
    assert found_moved.tolist() == found.tolist()


def test_columns_must_be_papers() -> None:
    """Groups over other papers than those of the tree or the partition are refused."""
    tree = grow([(0, 1), (3, 2)], "abc")
    wrong = np.zeros((2, 4), dtype=bool)
    message = r"groups of shape \(2, 4\) were sought among 3 papers; give \(n_targets, n_papers\)"
    with pytest.raises(ParameterError, match=message):
        match_nodes(wrong, tree)
    with pytest.raises(ParameterError, match=message):
        match_groups(wrong, np.array([0, 0, 1]))
