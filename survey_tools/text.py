"""Corpus -> Features: tokens once, counts once, any weighting after.

Counting and tf-idf weighting are scikit-learn's own classes, called in the order in
which ``TfidfVectorizer`` calls them, so that wherever scikit-learn has the same
setting the result is the same to the bit. One difference is on purpose: with
``max_features`` scikit-learn lets an unstable sort decide between equally frequent
terms, so its choice depends on the processor; here the alphabetically first stays.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import (
    ENGLISH_STOP_WORDS,
    CountVectorizer,
    TfidfTransformer,
)
from sklearn.preprocessing import normalize

from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.paper import Paper, TextSource
from survey_tools.settings import TextSettings

__all__ = [
    "Counts",
    "Features",
    "Tokens",
    "build_features",
    "count_terms",
    "count_text_sources",
    "join_fields",
    "limit_terms",
    "parse_stop_words",
    "read_stop_words",
    "text_source",
    "tokenise",
    "weight_terms",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of every paper, in reading order, after stop words and stemming."""

    paper_keys: tuple[str, ...]
    tokens: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """How often each term stands in each paper.

    Attributes
    ----------
    paper_keys : tuple of str, length n_papers
    terms : ndarray of str, shape (n_terms,)
        Sorted by code point.
    matrix : csr_array of int64, shape (n_papers, n_terms)
    """

    paper_keys: tuple[str, ...]
    terms: NDArray[np.object_]
    matrix: sparse.csr_array

    @property
    def document_frequency(self) -> NDArray[np.intp]:
        """Papers that hold each term, shape (n_terms,)."""
        return np.bincount(self.matrix.indices, minlength=len(self.terms))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Weighted terms of every paper, with the counts they were made from.

    Attributes
    ----------
    counts : Counts
        Shape (n_papers, n_terms), after the document-frequency limits.
    matrix : csr_array of float64, shape (n_papers, n_terms)
    settings : TextSettings
    """

    counts: Counts
    matrix: sparse.csr_array
    settings: TextSettings

    @property
    def paper_keys(self) -> tuple[str, ...]:
        """Keys of the rows."""
        return self.counts.paper_keys

    @property
    def terms(self) -> NDArray[np.object_]:
        """Terms of the columns, shape (n_terms,)."""
        return self.counts.terms

    def restrict(self, keys: Iterable[str]) -> "Features":
        """Keep some papers, in the order given; all terms stay, with their weights."""
        place = {key: row for row, key in enumerate(self.paper_keys)}
        keys = tuple(keys)
        if unknown := [key for key in keys if key not in place]:
            raise ParameterError(f"no features of {abbreviate(unknown)}")
        rows = [place[key] for key in keys]
        counts = replace(
            self.counts, paper_keys=keys, matrix=sparse.csr_array(self.counts.matrix[rows])
        )
        return replace(self, counts=counts, matrix=sparse.csr_array(self.matrix[rows]))


def join_fields(paper: Paper, fields: Iterable[str]) -> str:
    """Join the chosen fields of a paper by spaces; a digest stands in for an abstract."""
    parts = {"title": paper.title, "abstract": paper.body}
    return " ".join(parts[name] for name in fields if parts[name])


def text_source(paper: Paper, fields: Iterable[str]) -> TextSource:
    """Say which text beside the title describes a paper, given the fields that are used."""
    return paper.text_source if "abstract" in fields else "none"


def count_text_sources(corpus: Corpus, fields: Iterable[str]) -> dict[TextSource, int]:
    """Count the papers described by their abstract, by our digest, or by neither."""
    fields = tuple(fields)
    counts = Counter(text_source(paper, fields) for paper in corpus)
    return {source: counts[source] for source in ("abstract", "digest", "none")}


def read_stop_words(name: str, folder: Path) -> frozenset[str]:
    """Return the stop words that ``TextSettings.stop_words`` names.

    Parameters
    ----------
    name : str
        ``"none"``, ``"english"`` (scikit-learn's 318 words) or a file in ``folder``
        with one word a line; empty lines and lines that begin with ``#`` are skipped.
    """
    if name == "none":
        return frozenset()
    if name == "english":
        return frozenset(ENGLISH_STOP_WORDS)
    path = folder / name
    return parse_stop_words(read_bytes(path), source=str(path))


def parse_stop_words(data: bytes, *, source: str) -> frozenset[str]:
    """Parse a file of stop words, one a line; see `read_stop_words`."""
    words = (line.strip() for line in decode_utf8(data, source).splitlines())
    return frozenset(word for word in words if word and not word.startswith("#"))


def tokenise(corpus: Corpus, settings: TextSettings, stop_words: frozenset[str]) -> Tokens:
    """Split the text of every paper into tokens.

    Order: lower-case, token pattern, stop words, stemming.
    """
    if not len(corpus):
        raise DataError("the corpus is empty; nothing to cluster")
    find_tokens = re.compile(settings.token_pattern).findall
    stem = _stemmer(settings.stemming)
    tokens = []
    for paper in corpus:
        text = join_fields(paper, settings.fields)
        found = find_tokens(text.lower() if settings.lowercase else text)
        kept = (token for token in found if token not in stop_words)
        tokens.append(tuple(map(stem, kept) if stem else kept))
    return Tokens(paper_keys=corpus.keys, tokens=tuple(tokens))


def _stemmer(name: str) -> Callable[[str], str] | None:
    if name == "none":
        return None
    # nltk costs over a second to import, so only a run that stems pays for it
    from nltk.stem import PorterStemmer, SnowballStemmer

    stemmer = PorterStemmer() if name == "porter" else SnowballStemmer("english")
    return cache(stemmer.stem)


def _ngrams(tokens: tuple[str, ...], shortest: int, longest: int) -> Iterable[str]:
    """List n-grams in scikit-learn's order: all of the shortest length, then longer ones."""
    return tokens if longest == 1 else _runs(tokens, shortest, longest)


def _runs(tokens: tuple[str, ...], shortest: int, longest: int) -> Iterator[str]:
    for length in range(shortest, min(longest, len(tokens)) + 1):
        if length == 1:
            yield from tokens
        else:
            runs = zip(*(islice(tokens, start, None) for start in range(length)), strict=False)
            yield from map(" ".join, runs)


def count_terms(tokens: Tokens, settings: TextSettings) -> Counts:
    """Count the n-grams of every paper.

    Runs of characters lie inside a token with a space before and after, as in scikit-learn's
    ``char_wb``.

    Raises
    ------
    ParameterError
        If no paper holds any term.
    """
    shortest, longest = settings.ngram_range
    if settings.analyser == "characters":
        vectoriser = CountVectorizer(
            analyzer="char_wb", ngram_range=settings.ngram_range, lowercase=False, dtype=np.int64
        )
        texts: Iterable[Any] = map(" ".join, tokens.tokens)
    else:
        vectoriser = CountVectorizer(
            analyzer=lambda words: _ngrams(words, shortest, longest), dtype=np.int64
        )
        texts = tokens.tokens
    try:
        matrix = vectoriser.fit_transform(texts)
    except ValueError:  # scikit-learn's "empty vocabulary"
        raise ParameterError(
            f"no term is left in any of the {len(tokens.paper_keys)} papers; "
            "check token_pattern, stop_words and ngram_range"
        ) from None
    return Counts(
        paper_keys=tokens.paper_keys,
        terms=vectoriser.get_feature_names_out(),
        matrix=sparse.csr_array(matrix),
    )


def limit_terms(
    counts: Counts,
    *,
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
) -> Counts:
    """Drop terms that stand in too few or too many papers, then keep the most frequent.

    Parameters
    ----------
    min_df, max_df : int or float
        Papers (int) or share of the papers (float), both inclusive.
    max_features : int, optional
        Terms kept, by their count over all papers; ties go to the first by code point.

    Raises
    ------
    ParameterError
        If the limits leave no term.
    """
    n_papers = len(counts.paper_keys)
    fewest = min_df if isinstance(min_df, int) else min_df * n_papers
    most = max_df if isinstance(max_df, int) else max_df * n_papers
    if most < fewest:
        raise ParameterError(
            f"max_df ({max_df} = {most:g} papers) is below min_df ({min_df} = {fewest:g} papers)"
        )
    frequency = counts.document_frequency
    kept = np.flatnonzero((frequency >= fewest) & (frequency <= most))
    if not len(kept):
        raise ParameterError(
            f"none of {len(counts.terms)} terms stands in {fewest:g} to {most:g} of "
            f"{n_papers} papers; lower min_df or raise max_df"
        )
    if max_features is not None and max_features < len(kept):
        totals = np.asarray(counts.matrix.sum(axis=0)).ravel()[kept]
        kept = np.sort(kept[np.argsort(-totals, kind="stable")[:max_features]])
    return Counts(
        paper_keys=counts.paper_keys,
        terms=counts.terms[kept],
        matrix=_select_columns(counts.matrix, kept),
    )


def _select_columns(matrix: sparse.csr_array, kept: NDArray[np.intp]) -> sparse.csr_array:
    """Select columns (ascending) and keep the order in which each row stores its entries.

    scipy's own indexing sorts each row; the row's norm would then be summed in another
    order than in scikit-learn, and the last bit would differ.
    """
    new_index = np.full(matrix.shape[1], -1, dtype=matrix.indices.dtype)
    new_index[kept] = np.arange(len(kept))
    indices = new_index[matrix.indices]
    stays = indices >= 0
    n_before = np.concatenate([[0], np.cumsum(stays)]).astype(matrix.indptr.dtype)
    return sparse.csr_array(
        (matrix.data[stays], indices[stays], n_before[matrix.indptr]),
        shape=(matrix.shape[0], len(kept)),
    )


def weight_terms(counts: Counts, settings: TextSettings) -> Features:
    """Weight counts by the chosen scheme and norm.

    ``counts`` tf; ``binary`` 1 where tf > 0; ``tf-idf`` tf * idf and
    ``sublinear-tf-idf`` (1 + ln tf) * idf with idf = ln((1 + n) / (1 + df)) + 1, or
    ln(n / df) + 1 without smoothing [1]_; ``bm25`` ln(1 + (n - df + 0.5) / (df + 0.5))
    * tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length)) [2]_, where the length
    of a paper is its number of counted terms.

    Raises
    ------
    ParameterError
        Naming the papers that have no term left.

    References
    ----------
    .. [1] scikit-learn user guide, "Tf-idf term weighting".
    .. [2] Robertson, Walker, Jones, Hancock-Beaulieu and Gatford, "Okapi at TREC-3",
       1995; idf kept positive as in Apache Lucene.
    """
    bare = [
        key
        for key, n_stored in zip(counts.paper_keys, np.diff(counts.matrix.indptr), strict=True)
        if n_stored == 0
    ]
    if bare:
        raise ParameterError(
            f"{len(bare)} of {len(counts.paper_keys)} papers have no term left after "
            f"filtering: {abbreviate(bare)}; lower min_df or drop them"
        )
    norm = None if settings.norm == "none" else settings.norm
    if settings.weighting == "bm25":
        matrix = _bm25(counts, k1=settings.bm25_k1, b=settings.bm25_b)
        matrix = normalize(matrix, norm=norm, copy=False) if norm else matrix
    else:
        raw = _as_float(counts.matrix)
        if settings.weighting == "binary":
            raw.data.fill(1.0)
        transformer = TfidfTransformer(
            norm=norm,
            use_idf=settings.weighting.endswith("tf-idf"),
            smooth_idf=settings.smooth_idf,
            sublinear_tf=settings.weighting == "sublinear-tf-idf",
        )
        matrix = transformer.fit_transform(raw)
    return Features(counts=counts, matrix=sparse.csr_array(matrix), settings=settings)


def _as_float(matrix: sparse.csr_array) -> sparse.csr_array:
    """Copy as float64, keeping the stored order of entries (``astype`` would sort them)."""
    parts = (matrix.data.astype(np.float64), matrix.indices.copy(), matrix.indptr.copy())
    return sparse.csr_array(parts, shape=matrix.shape)


def _bm25(counts: Counts, *, k1: float, b: float) -> sparse.csr_array:
    n_papers = len(counts.paper_keys)
    frequency = counts.document_frequency
    idf = np.log1p((n_papers - frequency + 0.5) / (frequency + 0.5))
    matrix = _as_float(counts.matrix)
    length = np.asarray(matrix.sum(axis=1)).ravel()
    saturation = k1 * (1 - b + b * length / length.mean())
    tf = matrix.data
    saturation = np.repeat(saturation, np.diff(matrix.indptr))
    matrix.data = tf * (k1 + 1) / (tf + saturation) * idf[matrix.indices]
    return matrix


def build_features(
    corpus: Corpus, settings: TextSettings, *, stop_words: frozenset[str] | None = None
) -> Features:
    """Turn a corpus into weighted terms, papers sorted by key.

    Parameters
    ----------
    stop_words : frozenset of str, optional
        Default: what ``settings.stop_words`` names, a file being sought in the
        current folder.

    Raises
    ------
    DataError, ParameterError
        If the corpus is empty, no term is left, or some papers have none left.
    """
    if stop_words is None:
        stop_words = read_stop_words(settings.stop_words, Path())
    tokens = tokenise(corpus.sorted_by_key(), settings, stop_words)
    counts = count_terms(tokens, settings)
    limited = limit_terms(
        counts,
        min_df=settings.min_df,
        max_df=settings.max_df,
        max_features=settings.max_features,
    )
    return weight_terms(limited, settings)
