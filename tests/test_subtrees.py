"""Names of sub-trees: by membership, attached to the best match, with drift told."""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, ParameterError
from survey_tools.formats.jsonl import read_papers
from survey_tools.paper import Paper
from survey_tools.subtrees import (
    AttachedName,
    SubtreeFile,
    SubtreeName,
    attach_names,
    read_subtrees,
)
from survey_tools.tree import Tree

MIM = Path(__file__).parents[1] / "data" / "mim"
CORPUS = Corpus(tuple(Paper(key=key, title="t") for key in "abcdef"))

# ((a b) c) and (d (e f)), joined last: nodes 6 = ab, 7 = ef, 8 = abc, 9 = def, 10 = all.
TREE = Tree(
    paper_keys=tuple("abcdef"),
    children=np.array([[0, 1], [4, 5], [6, 2], [3, 7], [8, 9]]),
    heights=np.array([0.1, 0.2, 0.3, 0.4, 1.0]),
)


def attach(tree: Tree = TREE, min_jaccard: float = 0.5, **entry: Any) -> AttachedName:
    """Attach a single name."""
    file = SubtreeFile(min_jaccard=min_jaccard, names=(SubtreeName(name="n", **entry),))
    (attached,) = attach_names(tree, file)
    return attached


def read(folder: Path, text: str) -> SubtreeFile:
    """Read names from a file of this text."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return read_subtrees(folder / "s.yaml", CORPUS)


@pytest.mark.parametrize(
    ("papers", "expected", "jaccard"),
    [
        ("ab", "ab", 1.0),
        ("abc", "abc", 1.0),
        ("abd", "ab", 2 / 3),
        ("abcd", "abc", 3 / 4),
        ("bcde", "abcdef", 4 / 6),
        ("abcdef", "abcdef", 1.0),
        ("a", "ab", 1 / 2),
    ],
)
def test_a_name_goes_to_the_node_with_the_best_jaccard(
    papers: str, expected: str, jaccard: float
) -> None:
    """Papers in both over papers in either, worked by hand."""
    attached = attach(papers=tuple(papers))
    assert "".join(sorted(attached.subtree.paper_keys)) == expected
    assert attached.jaccard == pytest.approx(jaccard)
    assert attached.is_found


def test_of_equal_matches_the_smallest_wins() -> None:
    """{a, c, d}: 1/4 with ab, 2/4 with abc, 1/5 with def, 3/6 with all; abc is smaller."""
    attached = attach(papers=("a", "c", "d"))
    assert attached.jaccard == 0.5
    assert set(attached.subtree.paper_keys) == set("abc")


@given(st.sets(st.sampled_from("abcdef"), min_size=1))
def test_no_node_matches_better_and_no_smaller_one_as_well(papers: set[str]) -> None:
    """The definition, tried on every node."""
    attached = attach(papers=tuple(papers), min_jaccard=0.01)
    assert attached.jaccard is not None
    scores = [
        (len(papers & set(node.paper_keys)) / len(papers | set(node.paper_keys)), node)
        for node in TREE.subtrees()
    ]
    assert attached.jaccard == pytest.approx(max(score for score, _ in scores))
    best = [node for score, node in scores if score == pytest.approx(attached.jaccard)]
    assert len(attached.subtree.paper_keys) == min(len(node.paper_keys) for node in best)


@given(st.permutations("abcdef"))
def test_the_order_of_the_papers_does_not_matter(order: list[str]) -> None:
    """Names survive a re-run that numbers the papers otherwise."""
    old = {key: i for i, key in enumerate("abcdef")}
    new = {old[key]: i for i, key in enumerate(order)}
    children = np.array([[new.get(int(c), int(c)) for c in row] for row in TREE.children])
    tree = Tree(paper_keys=tuple(order), children=children, heights=TREE.heights)
    attached = attach(tree, papers=("a", "c", "d"))
    assert set(attached.subtree.paper_keys) == set("abc")
    assert set(attach(tree, anchors=("d", "f")).subtree.paper_keys) == set("def")


@pytest.mark.parametrize(
    ("anchors", "expected"),
    [("ef", "ef"), ("df", "def"), ("ac", "abc"), ("cd", "abcdef"), ("abc", "abc")],
)
def test_anchors_mean_their_common_ancestor(anchors: str, expected: str) -> None:
    """The smallest node that holds all of them."""
    attached = attach(anchors=tuple(anchors))
    assert "".join(sorted(attached.subtree.paper_keys)) == expected
    assert (attached.jaccard, attached.is_found, attached.warning) == (None, True, "")


def test_a_name_below_the_lowest_score_is_not_found() -> None:
    """{a, f}: 1/3 with ab or ef and 2/6 with all."""
    attached = attach(papers=("a", "f"))
    assert not attached.is_found
    assert attached.warning == "no sub-tree matches 'n': the best has Jaccard 0.33, below 0.5"


def test_a_name_at_the_lowest_score_is_found() -> None:
    """The limit itself is enough."""
    assert attach(papers=("a", "c", "d"), jaccard=0.5).is_found


@pytest.mark.parametrize(
    ("when_named", "warning"),
    [
        (None, ""),
        (1.0, "'n' drifted: Jaccard 0.75, 1.00 when named"),
        (0.9, "'n' drifted: Jaccard 0.75, 0.90 when named"),
        (0.8, ""),
        (0.7, ""),
    ],
)
def test_a_fallen_score_is_reported_as_drift(when_named: float | None, warning: str) -> None:
    """Three of four papers, against the score when the name was given; a rise is no drift."""
    attached = attach(papers=tuple("abcd"), jaccard=when_named)
    assert attached.is_found
    assert attached.warning == warning


def test_drift_equal_to_the_limit_is_allowed() -> None:
    """Papers c, d, e of a chain match its root best, by 3/5; 0.66 less 0.06 is as much."""
    chain = Tree(
        paper_keys=tuple("abcde"),
        children=np.array([[0, 1], [5, 2], [6, 3], [7, 4]]),
        heights=np.arange(1.0, 5.0),
    )
    entry = SubtreeName(name="n", papers=("c", "d", "e"), jaccard=0.66)
    (attached,) = attach_names(chain, SubtreeFile(max_drift=0.06, names=(entry,)))
    assert attached.jaccard == 0.6
    assert attached.warning == ""


@pytest.mark.parametrize(("n_papers", "drifted"), [(3, False), (2, True), (4, True), (None, False)])
def test_anchors_drift_when_their_sub_tree_changes_size(
    n_papers: int | None, drifted: bool
) -> None:
    """Papers d and f have three papers under their common ancestor."""
    warning = attach(anchors=("d", "f"), n_papers=n_papers).warning
    assert warning == (f"'n' drifted: 3 papers, {n_papers} when named" if drifted else "")


def test_names_keep_their_order_and_notes() -> None:
    """One result a name, also where two names meet on one node."""
    file = SubtreeFile(
        names=(
            SubtreeName(name="late", papers=("e", "f"), note="why"),
            SubtreeName(name="twin", anchors=("f", "e")),
        )
    )
    late, twin = attach_names(TREE, file)
    assert (late.name, late.note, late.meant_keys) == ("late", "why", ("e", "f"))
    assert (twin.name, twin.meant_keys) == ("twin", ("f", "e"))
    assert late.subtree == twin.subtree


def test_papers_that_the_tree_lacks_are_refused() -> None:
    """A name is never attached by what is left of its papers."""
    with pytest.raises(ParameterError, match=r"^not in the tree: z$"):
        attach(papers=("a", "z"))


def lines(*entries: str) -> str:
    """Write names from line 2 on, one a line."""
    return "names:\n" + "".join(f"  - {entry}\n" for entry in entries)


def test_a_file_of_names_is_read(tmp_path: Path) -> None:
    """Both ways to mean a sub-tree, and the defaults."""
    file = read(tmp_path, lines("{name: x, papers: [a]}", "{name: y, anchors: [a, b]}"))
    assert [(entry.papers, entry.anchors) for entry in file.names] == [
        (("a",), ()),
        ((), ("a", "b")),
    ]
    assert (file.min_jaccard, file.max_drift) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["{name: x, papers: [a, aa]}"], "2: names.0.papers.1: unknown paper 'aa'; did you mean"),
        (["{name: x, anchors: [a, zz]}"], "2: names.0.anchors.1: unknown paper 'zz'; allowed: a, "),
        (["{name: x, papers: [a, b, a]}"], "2: names.0.papers.2: paper 'a' stands twice under 'x'"),
        (["{name: x, anchors: [a, b, a]}"], "2: names.0.anchors.2: paper 'a' stands twice"),
        (
            ["{name: x, papers: [a]}", "{name: y, papers: [a]}", "{name: x, papers: [b]}"],
            "4: names.2.name: 'x' stands twice",
        ),
        (["{name: x}"], "2: names.0: 'x' needs either papers or anchors"),
        (["{name: x, papers: [a], anchors: [a, b]}"], "2: names.0: 'x' needs either papers or"),
        (["{name: x, anchors: [a, a]}"], "2: names.0: 'x' needs at least two different anchors"),
        (["{name: x, papers: [no]}"], "2: names.0.papers.0: no is read as the truth value False"),
        (["{name: x, papers: [2106.08250]}"], "2: names.0.papers.0: 2106.08250 is read as the num"),
        (["{name: x, papers: a}"], "2: names.0.papers: input should be a valid array"),
        (["{name: x, papers: [a], jaccard: 1.5}"], "2: names.0.jaccard: input should be less than"),
        (['{name: "", papers: [a]}'], "2: names.0.name: string should have at least 1 character"),
        (["{name: x, ppers: [a]}"], "2: names.0.ppers: unknown; did you mean 'papers'?"),
        (["word"], "2: names.0: input should be an object, but 'word' arrived"),
    ],
)
def test_a_faulty_name_is_refused_with_its_line(
    tmp_path: Path, entries: Iterable[str], expected: str
) -> None:
    """Unknown and repeated papers, repeated names, neither or both ways."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, lines(*entries))
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(f"s.yaml:{expected}")


def test_the_line_of_a_paper_is_its_own(tmp_path: Path) -> None:
    """Also in a long list."""
    with pytest.raises(DataError, match=r"s.yaml:6: names.0.papers.2: unknown paper 'zz'"):
        read(tmp_path, "names:\n  - name: x\n    papers:\n      - a\n      - b\n      - zz\n")


def test_the_bundled_names_are_the_survey_s_eighteen() -> None:
    """All their papers are in the corpus, and no two names are equal."""
    file = read_subtrees(MIM / "subtrees.yaml", read_papers(MIM / "papers.jsonl"))
    assert len(file.names) == 18
    assert all(a.name != b.name for a, b in combinations(file.names, 2))
