"""Corpus: papers in an order, unique by key, never changed in place."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.paper import Paper, paper_to_json

__all__ = ["Corpus"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """An immutable, ordered collection of papers, unique by key.

    Parameters
    ----------
    papers : tuple of Paper

    Raises
    ------
    DataError
        If two papers share a key.
    """

    papers: tuple[Paper, ...]
    _by_key: dict[str, Paper] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "papers", tuple(self.papers))
        by_key = {paper.key: paper for paper in self.papers}
        if len(by_key) < len(self.papers):
            counts = Counter(paper.key for paper in self.papers)
            twice = [key for key, n_papers in counts.items() if n_papers > 1]
            raise DataError(f"two papers with one key: {abbreviate(twice)}; keys must be unique")
        object.__setattr__(self, "_by_key", by_key)

    def __len__(self) -> int:
        return len(self.papers)

    def __iter__(self) -> Iterator[Paper]:
        return iter(self.papers)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __getitem__(self, key: str) -> Paper:
        try:
            return self._by_key[key]
        except KeyError:
            raise ParameterError(f"no paper with key {key!r} in this corpus") from None

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the order of the corpus."""
        return tuple(paper.key for paper in self.papers)

    def sorted_by_key(self) -> "Corpus":
        """Return the same papers in the order of their keys (by code point)."""
        return Corpus(tuple(sorted(self.papers, key=lambda paper: paper.key)))

    def select(self, keys: Iterable[str]) -> "Corpus":
        """Return the named papers, in the order asked for.

        Raises
        ------
        ParameterError
            If a key is not in the corpus.
        """
        return Corpus(tuple(self[key] for key in keys))

    def merge(
        self, other: "Corpus", *, on_conflict: Literal["error", "ours", "theirs"]
    ) -> "Corpus":
        """Return our papers, then those of ``other`` that we lack.

        Parameters
        ----------
        on_conflict : {"error", "ours", "theirs"}
            What to do with a key that both have with different content.

        Raises
        ------
        DataError
            If papers differ under one key and ``on_conflict`` is ``"error"``.
        """
        differing = [p.key for p in other if p.key in self and self[p.key] != p]
        if differing and on_conflict == "error":
            raise DataError(f"papers differ under the same key: {abbreviate(differing)}")
        theirs = on_conflict == "theirs"
        ours = [other[p.key] if theirs and p.key in other else p for p in self]
        return Corpus((*ours, *(p for p in other if p.key not in self)))

    @property
    def digest(self) -> str:
        """sha256 (hex) of the papers' canonical JSON lines in key order.

        Two corpora with the same papers have the same digest, whatever their order.
        """
        sha = hashlib.sha256()
        for paper in sorted(self.papers, key=lambda paper: paper.key):
            sha.update(paper_to_json(paper).encode() + b"\n")
        return sha.hexdigest()
