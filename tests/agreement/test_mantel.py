"""Mantel's correlation of a tree with labels: distances by hand and by nltk, chance by count."""

from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.metrics import jaccard_distance
from scipy.stats import pearsonr
from tree_examples import grow, heights_of_pairs, random_tree, shuffle_papers

from survey_tools.agreement.index import AgreementIndex
from survey_tools.agreement.mantel import correlate_with_labels, measure_label_distances
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

# a and b are alike, c holds both, d shares one label with c; e has none, nor has f
LABELS = Cover.from_mapping(
    {"a": ["x"], "b": ["x"], "c": ["x", "y"], "d": ["y", "z"], "e": [], "f": []}
)


def correlate(
    tree: Tree, labels: Cover, *, n_permutations: int = 0, seed: int = 0, distance: Any = "jaccard"
) -> AgreementIndex:
    """Correlate with a generator of its own; without chance unless asked for."""
    return correlate_with_labels(
        tree,
        labels,
        distance=distance,
        rng=np.random.default_rng(seed),
        n_permutations=n_permutations,
    )


def random_cover(n_papers: int, rng: np.random.Generator) -> Cover:
    """Draw up to three of four labels for each of p00, p01, …."""
    return Cover(
        paper_keys=tuple(f"p{i:02d}" for i in range(n_papers)),
        group_names=("w", "x", "y", "z"),
        members=rng.random((n_papers, 4)) < 0.4,
    )


def test_jaccard_distances_by_hand() -> None:
    """One less the share of common labels; none and none are alike, none and some are not."""
    square = measure_label_distances(LABELS, "jaccard")
    assert square[0] == pytest.approx([0, 0, 1 / 2, 1, 1, 1])
    assert square[2] == pytest.approx([1 / 2, 1 / 2, 0, 2 / 3, 1, 1])
    assert square[4] == pytest.approx([1, 1, 1, 1, 0, 0])


def test_masi_distances_by_hand() -> None:
    """The share is weighed by 2/3 where one set holds the other, by 1/3 where they overlap."""
    square = measure_label_distances(LABELS, "masi")
    assert square[0] == pytest.approx([0, 0, 1 - 1 / 2 * 2 / 3, 1, 1, 1])
    assert square[2] == pytest.approx([2 / 3, 2 / 3, 0, 1 - 1 / 3 * 1 / 3, 1, 1])
    assert square[4] == pytest.approx([1, 1, 1, 1, 0, 0])


def test_jaccard_distances_are_nltks() -> None:
    """Distances of papers with labels are those of nltk."""
    cover = random_cover(30, np.random.default_rng(0))
    square = measure_label_distances(cover, "jaccard")
    sets = [frozenset(np.flatnonzero(row)) for row in cover.members]
    n_compared = 0
    for i, j in combinations(range(30), 2):
        if sets[i] | sets[j]:
            assert square[i, j] == square[j, i] == pytest.approx(jaccard_distance(sets[i], sets[j]))
            n_compared += 1
    assert n_compared > 300


@pytest.mark.parametrize("distance", ["jaccard", "masi"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_value_is_pearsons(distance: Any, tied: bool) -> None:
    """The value is scipy's correlation over all pairs, matched by key."""
    rng = np.random.default_rng(1)
    tree, cover = random_tree(25, rng, tied=tied), random_cover(25, rng)
    apart = measure_label_distances(cover, distance)[np.triu_indices(25, k=1)]
    expected = pearsonr(heights_of_pairs(tree, list(cover.paper_keys)), apart)[0]
    assert correlate(tree, cover, distance=distance).value == pytest.approx(expected)


def test_names_tell_the_distance() -> None:
    """The index is named after its distance, and has no interval."""
    tree = grow([(0, 1), (6, 2), (7, 3), (4, 5), (8, 9)], [1, 2, 3, 1, 4], "abcdef")
    index = correlate(tree, LABELS, n_permutations=10)
    assert (index.name, index.is_distance) == ("Mantel correlation (Jaccard)", False)
    assert (index.low, index.high) == (None, None)
    assert correlate(tree, LABELS, distance="masi").name == "Mantel correlation (MASI)"


def test_chance_is_that_of_all_relabellings() -> None:
    """Chance and one-sided p-value of five papers are those of all 120 relabellings."""
    tree = grow([(0, 1), (5, 2), (3, 4), (6, 7)], [1, 2, 3, 4], "abcde")
    cover = LABELS.restrict("abcde")
    every = np.array(
        [
            correlate(
                tree, Cover(paper_keys=keys, group_names=cover.group_names, members=cover.members)
            ).value
            for keys in permutations("abcde")
        ]
    )
    n = 20_000
    index = correlate(tree, cover, n_permutations=n)
    share = (every >= index.value - 1e-9).mean()
    assert 0 < share < 0.5  # else a two-sided test could pass
    assert index.chance == pytest.approx(every.mean(), abs=4 * every.std() / n**0.5)
    assert index.p_value == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5 + 1 / n)


def test_labels_against_the_tree_have_a_great_p_value() -> None:
    """The test is one-sided: where near papers differ in label, nearly all chance is better."""
    tree = grow(
        [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13)],
        [1, 1, 1, 1, 5, 5, 9],
        "abcdefgh",
    )
    cover = Cover.from_mapping(
        {key: ["odd" if i % 2 else "even"] for i, key in enumerate("abcdefgh")}
    )
    index = correlate(tree, cover, n_permutations=999)
    assert index.value < 0
    assert index.p_value is not None
    assert index.p_value > 0.9


@given(st.integers(0, 1000))
def test_papers_are_matched_by_key(seed: int) -> None:
    """The order in which tree and labels hold their papers changes nothing, nor do label names."""
    rng = np.random.default_rng(seed)
    tree, cover = random_tree(10, rng, tied=False), random_cover(10, rng)
    other = Cover(
        paper_keys=cover.paper_keys,
        group_names=("z", "new", "w", "y"),
        members=cover.members[:, rng.permutation(4)],
    ).restrict([cover.paper_keys[i] for i in rng.permutation(10)])
    first = correlate(tree, cover, n_permutations=30)
    second = correlate(shuffle_papers(tree, rng), other, n_permutations=30)
    assert first.value == pytest.approx(second.value, abs=1e-12)
    if first.chance is None:
        assert second.chance is None
    else:
        assert first.chance == pytest.approx(second.chance, abs=1e-12)


@pytest.mark.parametrize("groups", [{"a": [], "b": [], "c": []}, {"a": ["x"], "b": ["y"], "c": []}])
def test_equal_distances_have_nothing_to_correlate(groups: dict[str, list[str]]) -> None:
    """Papers all alike, or all apart, correlate with 0 and are not tested."""
    tree = grow([(0, 1), (3, 2)], [1, 2], "abc")
    index = correlate(tree, Cover.from_mapping(groups), n_permutations=10)
    assert (index.value, index.chance, index.p_value) == (0.0, None, None)


def test_what_cannot_be_correlated_is_refused() -> None:
    """Other papers and unknown distances are refused with what is possible."""
    tree = grow([(0, 1), (3, 2)], [1, 2], "abx")
    with pytest.raises(ParameterError, match="tree and labels hold different papers: c, x"):
        correlate(tree, LABELS.restrict("abc"))
    tree = grow([(0, 1), (3, 2)], [1, 2], "abc")
    with pytest.raises(
        ParameterError, match="no distance 'dice' of labels; there are jaccard, masi"
    ):
        correlate(tree, LABELS.restrict("abc"), distance="dice")
