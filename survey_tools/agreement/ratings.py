"""Ratings: the category that each annotator gave to each paper, or none."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError, abbreviate, count

__all__ = ["Ratings", "code_pairable", "code_shared"]

Category = TypeVar("Category", bound=Hashable)
Category_co = TypeVar("Category_co", bound=Hashable, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratings(Generic[Category_co]):
    """Papers, each put into a category by some of several annotators.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
        In ascending order.
    categories : tuple of hashable, length n_categories
    codes : ndarray of int, shape (n_papers, n_annotators)
        Index into ``categories``; -1 where an annotator did not rate a paper.
    """

    paper_keys: tuple[str, ...]
    categories: tuple[Category_co, ...]
    codes: NDArray[np.intp]

    @property
    def n_papers(self) -> int:
        """Number of papers."""
        return len(self.paper_keys)

    def count(self) -> NDArray[np.float64]:
        """Count how many annotators gave each category, shape (n_papers, n_categories)."""
        counts = np.zeros((self.n_papers, len(self.categories)))
        papers, annotators = np.nonzero(self.codes >= 0)
        np.add.at(counts, (papers, self.codes[papers, annotators]), 1.0)
        return counts

    def restrict_to_complete(self) -> "Ratings[Category_co]":
        """Return the ratings of papers that all annotators rated; all categories stay."""
        places = np.flatnonzero((self.codes >= 0).all(axis=1))
        return Ratings(
            paper_keys=tuple(self.paper_keys[i] for i in places),
            categories=self.categories,
            codes=self.codes[places],
        )


def code_shared(ratings: Sequence[Mapping[str, Category]]) -> Ratings[Category]:
    """Code what annotators (two or more) gave to papers that all of them rated.

    Parameters
    ----------
    ratings : sequence of mapping of str to hashable
        For each annotator paper key -> category.

    Raises
    ------
    ParameterError
        If there are fewer than two annotators, or they rated different papers, or none.
    """
    _refuse_one(ratings)
    n_ratings = _count_ratings(ratings)
    if lost := sorted(key for key, n in n_ratings.items() if n < len(ratings)):
        raise ParameterError(
            f"not all annotators rated {abbreviate(lost)}; restrict them to the papers they share"
        )
    if not n_ratings:
        raise ParameterError("0 rated papers arrived; agreement needs at least 1")
    return _code(ratings)


def code_pairable(ratings: Sequence[Mapping[str, Category]]) -> Ratings[Category]:
    """Code what annotators gave to the papers that at least two of them rated.

    Parameters
    ----------
    ratings : sequence of mapping of str to hashable
        For each annotator paper key -> category.

    Raises
    ------
    ParameterError
        If there are fewer than two annotators, or no paper has two ratings.
    """
    _refuse_one(ratings)
    n_ratings = _count_ratings(ratings)
    twice = [{key: mine[key] for key in mine if n_ratings[key] > 1} for mine in ratings]
    if not any(twice):
        raise ParameterError(
            f"{count(len(n_ratings), 'rated paper')} arrived, none rated by two annotators; "
            "agreement needs papers that at least two rated"
        )
    return _code(twice)


def _count_ratings(ratings: Sequence[Mapping[str, object]]) -> Counter[str]:
    return Counter(key for mine in ratings for key in mine)


def _refuse_one(ratings: Sequence[Mapping[str, object]]) -> None:
    if len(ratings) < 2:
        raise ParameterError(
            f"{count(len(ratings), 'annotator')} arrived; agreement needs at least 2"
        )


def _code(ratings: Sequence[Mapping[str, Category]]) -> Ratings[Category]:
    keys = sorted(_count_ratings(ratings))
    place: dict[Category, int] = {}
    codes = [
        [place.setdefault(mine[key], len(place)) if key in mine else -1 for mine in ratings]
        for key in keys
    ]
    return Ratings(
        paper_keys=tuple(keys), categories=tuple(place), codes=np.array(codes, dtype=np.intp)
    )
