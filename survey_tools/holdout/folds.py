"""Folds: every paper held out once, the labels spread evenly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.cover import Cover
from survey_tools.errors import ParameterError

__all__ = ["Folds", "stratify"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folds:
    """Papers, each in exactly one fold.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
        Sorted.
    codes : ndarray of int, shape (n_papers,)
        Fold in which each paper is held out, 0 to ``n_folds - 1``.
    """

    paper_keys: tuple[str, ...]
    n_folds: int
    codes: NDArray[np.intp]

    def split(self, fold: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the places in ``paper_keys`` of the papers trained on and of those held out."""
        is_held_out = self.codes == fold
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def stratify(cover: Cover, n_folds: int, rng: np.random.Generator) -> Folds:
    """Deal papers to folds so that every label is spread as evenly as its papers allow.

    The label with the fewest papers left is dealt first. Each of its papers goes to the fold
    that lacks most papers of this label, of equal ones to the fold that lacks most papers at
    all, then by lot. Papers without any label come last. Where no paper has two labels this is
    plain stratification: no two folds differ by more than one paper, in all or of any label.

    Parameters
    ----------
    cover : Cover
        Papers with their labels; neither the order of the papers nor that of the labels matters.

    Raises
    ------
    ParameterError
        If there are fewer papers than folds, or fewer than two folds.

    References
    ----------
    .. [1] Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011, algorithm 1 (iterative stratification).
    """
    if not 2 <= n_folds <= cover.n_papers:
        raise ParameterError(
            f"{n_folds} folds asked of {cover.n_papers} papers; 2 to {cover.n_papers} are possible"
        )
    keys = tuple(sorted(cover.paper_keys))
    names = sorted(range(cover.n_groups), key=cover.group_names.__getitem__)
    members = cover.restrict(keys).members[:, names]
    n_papers, n_labels = members.shape
    lacking = np.full(n_folds, n_papers / n_folds)
    lacking_of = np.repeat(members.sum(axis=0)[:, None] / n_folds, n_folds, axis=1)
    codes = np.full(n_papers, -1, dtype=np.intp)
    lot = rng.permutation(n_papers)  # the order in which papers are dealt

    def deal(paper: int, wanted: NDArray[np.float64]) -> None:
        first = np.flatnonzero(_is_largest(wanted))
        first = first[_is_largest(lacking[first])]
        fold = int(first[rng.integers(len(first))])
        codes[paper] = fold
        lacking[fold] -= 1
        lacking_of[members[paper], fold] -= 1

    is_dealt = np.zeros(n_labels, dtype=np.bool_)
    while not is_dealt.all():
        n_left = members[codes < 0].sum(axis=0)
        label = int(np.argmin(np.where(is_dealt, n_papers + 1, n_left)))
        for paper in lot[members[lot, label] & (codes[lot] < 0)]:
            deal(paper, lacking_of[label])
        is_dealt[label] = True
    for paper in lot[codes[lot] < 0]:
        deal(paper, lacking)
    return Folds(paper_keys=keys, n_folds=n_folds, codes=codes)


def _is_largest(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which values are the largest; sums of fractions that differ by rounding are equal."""
    return np.asarray(values >= values.max() - 1e-9)
