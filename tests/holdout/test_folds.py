"""Folds: labels are spread evenly, and every paper is held out once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.cover import Cover
from survey_tools.errors import ParameterError
from survey_tools.holdout.folds import Folds, stratify


@st.composite
def covers(draw: st.DrawFn, *, is_disjoint: bool = False) -> Cover:
    """Draw covers of 6 to 40 papers with up to 4 labels."""
    n_papers = draw(st.integers(6, 40))
    n_labels = draw(st.integers(0, 4))
    if is_disjoint:
        codes = draw(st.lists(st.integers(-1, n_labels - 1), min_size=n_papers, max_size=n_papers))
        members = np.array(codes)[:, None] == np.arange(n_labels)
    else:
        rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        members = rng.random((n_papers, n_labels)) < rng.uniform(0.05, 0.9, n_labels)
    return Cover(
        paper_keys=tuple(f"p{i:02}" for i in range(n_papers)),
        group_names=tuple("abcd"[:n_labels]),
        members=members,
    )


def count_labels(cover: Cover, folds: Folds) -> np.ndarray:
    """Papers of each label in each fold, shape (n_folds, n_labels + 1); the last for all."""
    members = cover.restrict(folds.paper_keys).members
    every = np.column_stack([members, np.ones(len(members), dtype=bool)])
    return np.array([every[folds.codes == fold].sum(axis=0) for fold in range(folds.n_folds)])


@given(covers(), st.integers(2, 6), st.integers(0, 1000))
def test_every_paper_is_held_out_once(cover: Cover, n_folds: int, seed: int) -> None:
    """Training papers and papers held out are all papers, and never the same."""
    folds = stratify(cover, n_folds, np.random.default_rng(seed))
    held_out = [folds.split(fold)[1] for fold in range(n_folds)]
    assert sorted(np.concatenate(held_out).tolist()) == list(range(cover.n_papers))
    for fold in range(n_folds):
        training, mine = folds.split(fold)
        assert sorted([*training.tolist(), *mine.tolist()]) == list(range(cover.n_papers))
    assert folds.paper_keys == tuple(sorted(cover.paper_keys))


@given(covers(is_disjoint=True), st.integers(2, 6), st.integers(0, 1000))
def test_labels_without_overlap_are_spread_to_within_one_paper(
    cover: Cover, n_folds: int, seed: int
) -> None:
    """Folds differ by one paper at most, of every label and in all."""
    counted = count_labels(cover, stratify(cover, n_folds, np.random.default_rng(seed)))
    assert (counted.max(axis=0) - counted.min(axis=0) <= 1).all()


@given(covers(), st.integers(2, 6), st.integers(0, 1000))
def test_the_rarest_label_is_spread_to_within_one_paper(
    cover: Cover, n_folds: int, seed: int
) -> None:
    """It is dealt first, so no other label stands in its way."""
    if not (cover.sizes > 0).any():
        return
    rarest = int(np.argmin(np.where(cover.sizes > 0, cover.sizes, cover.n_papers + 1)))
    counted = count_labels(cover, stratify(cover, n_folds, np.random.default_rng(seed)))
    assert np.ptp(counted[:, rarest]) <= 1


def test_overlapping_labels_are_spread_better_than_by_lot() -> None:
    """The mean squared difference from an even spread is a fraction of that of random folds."""
    rng = np.random.default_rng(1)
    members = rng.random((100, 8)) < rng.uniform(0.05, 0.4, 8)
    cover = Cover(
        paper_keys=tuple(f"p{i:03}" for i in range(100)),
        group_names=tuple("abcdefgh"),
        members=members,
    )
    dealt = stratify(cover, 5, np.random.default_rng(0))
    drawn = Folds(
        paper_keys=cover.paper_keys,
        n_folds=5,
        codes=np.random.default_rng(0).permutation(np.arange(100) % 5),
    )
    even = np.append(members.sum(axis=0), 100) / 5
    errors = [((count_labels(cover, folds) - even) ** 2).mean() for folds in (dealt, drawn)]
    assert errors[0] < errors[1] / 4


@given(covers(), st.integers(0, 1000))
def test_neither_the_order_of_papers_nor_of_labels_matters(cover: Cover, seed: int) -> None:
    """Papers are known by key and labels by name."""
    rng = np.random.default_rng(seed)
    papers, labels = rng.permutation(cover.n_papers), rng.permutation(cover.n_groups)
    turned = Cover(
        paper_keys=tuple(cover.paper_keys[i] for i in papers),
        group_names=tuple(cover.group_names[j] for j in labels),
        members=cover.members[papers][:, labels],
    )
    first = stratify(cover, 3, np.random.default_rng(seed))
    second = stratify(turned, 3, np.random.default_rng(seed))
    assert first.paper_keys == second.paper_keys
    assert first.codes.tolist() == second.codes.tolist()


def test_more_folds_than_papers_are_refused() -> None:
    """The message says how many are possible."""
    cover = Cover.from_mapping({"a": [], "b": ["x"], "c": []})
    with pytest.raises(ParameterError, match="4 folds asked of 3 papers; 2 to 3 are possible"):
        stratify(cover, 4, np.random.default_rng(0))
