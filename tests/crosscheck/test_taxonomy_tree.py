"""The taxonomy as a tree and as covers: by hand, and on the bundled survey."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from survey_tools.crosscheck.taxonomy_tree import build_taxonomy_tree, label_cover
from survey_tools.errors import ParameterError
from survey_tools.study import Study
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

TaxonomyBuilder = Callable[..., Taxonomy]
FILED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "d": {"mask": ["block"], "goal": ["pixel"]},
    "a": {"mask": ["random"], "goal": ["pixel"]},
    "b": {"mask": ["random"], "goal": ["pixel"]},
    "c": {},
    "e": {},
}


@pytest.fixture
def taxonomy(make_taxonomy: TaxonomyBuilder) -> Taxonomy:
    """Two axes; on one, random and block masks are kinds of mask."""
    labels = {"mask": ["any", "random", "block"], "goal": ["pixel", "token"]}
    flat = make_taxonomy(labels, FILED)
    mask, goal = flat.axes
    children = tuple(
        replace(label, parent=None if label.name == "any" else "any") for label in mask.labels
    )
    return replace(flat, axes=(replace(mask, labels=children), goal))


def test_the_tree_by_hand(taxonomy: Taxonomy) -> None:
    """Papers of one cell merge at 0, so do those without labels; the rest by shared labels.

    a and b carry any, random and pixel, d carries any, block and pixel: 2 of 4 in common.
    """
    tree = build_taxonomy_tree(taxonomy, "dbcae")
    assert tree.paper_keys == ("a", "b", "c", "d", "e")
    assert (tree.linkage, tree.metric) == ("average", "jaccard")
    assert tree.cophenetic_distance("a", "b") == 0
    assert tree.cophenetic_distance("c", "e") == 0
    assert tree.cophenetic_distance("a", "d") == tree.cophenetic_distance("b", "d") == 0.5
    assert tree.cophenetic_distance("a", "c") == 1
    assert tree.heights.tolist() == [0, 0, 0.5, 1]


def test_broader_labels_bring_papers_together(
    taxonomy: Taxonomy, make_taxonomy: TaxonomyBuilder
) -> None:
    """Without the common parent, the same papers share one label of three only."""
    flat = make_taxonomy({"mask": ["any", "random", "block"], "goal": ["pixel", "token"]}, FILED)
    tree = build_taxonomy_tree(flat, "ad")
    assert tree.cophenetic_distance("a", "d") == pytest.approx(2 / 3, abs=1e-10)
    assert build_taxonomy_tree(taxonomy, "ad").cophenetic_distance("a", "d") == 0.5


def test_the_order_of_papers_does_not_matter(mim_study: Study) -> None:
    """The same tree comes from the papers in any order."""
    taxonomy = mim_study.taxonomy
    assert taxonomy is not None
    keys = taxonomy.filed_keys
    trees = [build_taxonomy_tree(taxonomy, each) for each in (keys, keys[::-1])]
    assert np.array_equal(trees[0].children, trees[1].children)
    assert np.array_equal(trees[0].heights, trees[1].heights)
    assert trees[0].paper_keys == trees[1].paper_keys == tuple(sorted(keys))


def test_papers_of_one_label_set_merge_at_zero(mim_study: Study) -> None:
    """In the bundled survey, papers merge at 0 if and only if they carry the same labels."""
    taxonomy = mim_study.taxonomy
    assert taxonomy is not None
    tree = build_taxonomy_tree(taxonomy, taxonomy.filed_keys)
    cover = label_cover(taxonomy, None, tree.paper_keys)
    n_merged = 0
    for key_a, row_a in zip(cover.paper_keys, cover.members, strict=True):
        for key_b, row_b in zip(cover.paper_keys, cover.members, strict=True):
            is_merged = tree.cophenetic_distance(key_a, key_b) == 0
            assert is_merged == np.array_equal(row_a, row_b)
            n_merged += is_merged and key_a != key_b
    assert n_merged > 0


def test_labels_of_one_axis_by_hand(taxonomy: Taxonomy) -> None:
    """An axis's labels are groups in its order, broader ones filled from narrower ones."""
    cover = label_cover(taxonomy, "mask", "cda")
    assert cover.paper_keys == ("c", "d", "a")
    assert cover.group_names == ("any", "random", "block")
    assert cover.members.tolist() == [
        [False, False, False],
        [True, False, True],
        [True, True, False],
    ]


def test_labels_of_all_axes_name_their_axis(taxonomy: Taxonomy) -> None:
    """All axes together have groups named axis: label, empty ones too."""
    cover = label_cover(taxonomy, None, "abcde")
    assert cover.group_names == (
        "mask: any", "mask: random", "mask: block", "goal: pixel", "goal: token",
    )  # fmt: skip
    assert cover.sizes.tolist() == [3, 2, 1, 3, 0]
    assert cover.papers_in("goal: pixel") == ("a", "b", "d")


def test_what_has_no_tree_is_refused(taxonomy: Taxonomy) -> None:
    """Unfiled papers, repeated ones, single ones and unknown axes are refused by name."""
    with pytest.raises(ParameterError, match="papers not filed in the taxonomy: x, y"):
        build_taxonomy_tree(taxonomy, "axy")
    with pytest.raises(ParameterError, match="papers stand twice: a; name each once"):
        build_taxonomy_tree(taxonomy, "aab")
    with pytest.raises(ParameterError, match="needs at least 2 papers; 1 arrived"):
        build_taxonomy_tree(taxonomy, "a")
    with pytest.raises(ParameterError, match="unknown axis 'masc'"):
        label_cover(taxonomy, "masc", "a")


def test_two_papers_make_a_tree(taxonomy: Taxonomy) -> None:
    """The smallest tree has one merge, at the distance of its two papers."""
    tree = build_taxonomy_tree(taxonomy, "ca")
    assert isinstance(tree, Tree)
    assert tree.heights.tolist() == [1.0]
