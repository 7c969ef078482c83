"""The terms of a corpus counted shard by shard, and the weights that follow from the counts.

The limits and weights are those of `survey_tools.text`, computed from sums over shards; a
test holds that the weighted rows are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.errors import ParameterError
from survey_tools.settings import TextSettings

__all__ = ["TermCounter", "Vocabulary", "weight_rows"]

_N_FIRST_TERMS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vocabulary:
    """The terms that are kept, with what their weights are made of.

    Attributes
    ----------
    terms : ndarray of str, shape (n_terms,)
        Sorted by code point.
    column_of : ndarray of int32, shape (n_terms_seen,)
        Column of each term ever seen, by its number; -1 where it is not kept.
    document_frequency : ndarray of int, shape (n_terms,)
        Papers that hold each term.
    n_papers : int
    mean_length : float
        Counted terms a paper, on average (for bm25).
    """

    terms: NDArray[np.object_]
    column_of: NDArray[np.int32]
    document_frequency: NDArray[np.int64]
    n_papers: int
    mean_length: float


class TermCounter:
    """Sums document frequencies and counts of terms over shards.

    Memory: some 150 bytes for every different term ever seen.
    """

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._frequency = np.zeros(_N_FIRST_TERMS, dtype=np.int64)
        self._total = np.zeros(_N_FIRST_TERMS, dtype=np.int64)
        self.n_papers = 0

    def add(
        self,
        terms: Sequence[str],
        frequency: NDArray[np.int64],
        total: NDArray[np.int64],
        *,
        n_papers: int,
    ) -> NDArray[np.int32]:
        """Add the terms of a shard: the papers that hold each, and its count.

        Returns
        -------
        ndarray of int32, shape (len(terms),)
            The number that each term has in the whole corpus.
        """
        number_of = self._number_of
        numbers = np.array(
            [number_of.setdefault(term, len(number_of)) for term in terms], dtype=np.int32
        )
        while len(number_of) > len(self._frequency):
            self._frequency = np.concatenate([self._frequency, np.zeros_like(self._frequency)])
            self._total = np.concatenate([self._total, np.zeros_like(self._total)])
        self._frequency[numbers] += frequency  # a term stands once in a shard
        self._total[numbers] += total
        self.n_papers += n_papers
        return numbers

    def limit(self, settings: TextSettings) -> Vocabulary:
        """Choose the terms that are kept, by the rules of `survey_tools.text.limit_terms`.

        Raises
        ------
        ParameterError
            If no term was seen or the limits leave none.
        """
        n_seen, n_papers = len(self._number_of), self.n_papers
        if not n_seen:
            raise ParameterError(
                f"no term is left in any of the {n_papers} papers; "
                "check token_pattern, stop_words and ngram_range"
            )
        fewest, most = (
            limit if isinstance(limit, int) else limit * n_papers
            for limit in (settings.min_df, settings.max_df)
        )
        frequency, total = self._frequency[:n_seen], self._total[:n_seen]
        is_kept = (frequency >= fewest) & (frequency <= most)
        if not is_kept.any():
            raise ParameterError(
                f"none of {n_seen} terms stands in {fewest:g} to {most:g} of {n_papers} papers; "
                "lower min_df or raise max_df"
            )
        seen = np.array(list(self._number_of), dtype=object)
        kept = np.flatnonzero(is_kept)
        kept = kept[np.argsort(seen[kept], kind="stable")]  # by code point
        if settings.max_features is not None and settings.max_features < len(kept):
            most_frequent = np.argsort(-total[kept], kind="stable")[: settings.max_features]
            kept = kept[np.sort(most_frequent)]
        column_of = np.full(n_seen, -1, dtype=np.int32)
        column_of[kept] = np.arange(len(kept))
        return Vocabulary(
            terms=seen[kept],
            column_of=column_of,
            document_frequency=frequency[kept],
            n_papers=n_papers,
            mean_length=float(total[kept].sum() / n_papers),
        )


def weight_rows(
    counts: sparse.csr_array,
    document_frequency: NDArray[np.int64],
    *,
    n_papers: int,
    mean_length: float,
    settings: TextSettings,
) -> sparse.csr_array:
    """Weight the counts of some papers by the frequencies in the whole corpus.

    The schemes are those of `survey_tools.text.weight_terms`.

    Parameters
    ----------
    counts : csr_array, shape (n_rows, n_terms)
    document_frequency : ndarray of int, shape (n_terms,)
    n_papers : int
        Papers of the whole corpus.

    Returns
    -------
    csr_array of float64, shape (n_rows, n_terms)
    """
    norm = None if settings.norm == "none" else settings.norm
    parts = counts.data.astype(np.float64), counts.indices, counts.indptr
    rows = sparse.csr_array(parts, shape=counts.shape)
    if settings.weighting == "bm25":
        k1, b = settings.bm25_k1, settings.bm25_b
        idf = np.log1p((n_papers - document_frequency + 0.5) / (document_frequency + 0.5))
        length: NDArray[np.float64] = np.asarray(rows.sum(axis=1)).ravel()
        saturation = np.repeat(k1 * (1 - b + b * length / mean_length), np.diff(rows.indptr))
        rows.data = rows.data * (k1 + 1) / (rows.data + saturation) * idf[rows.indices]
    else:
        if settings.weighting == "binary":
            rows.data.fill(1.0)
        if settings.weighting == "sublinear-tf-idf":
            rows.data = np.log(rows.data) + 1.0
        if settings.weighting.endswith("tf-idf"):
            n_more = int(settings.smooth_idf)
            idf = np.log((n_papers + n_more) / (document_frequency + n_more)) + 1.0
            rows.data *= idf[rows.indices]
    return sparse.csr_array(normalize(rows, norm=norm, copy=False)) if norm else rows
