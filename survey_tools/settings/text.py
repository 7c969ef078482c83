"""How titles and abstracts become weighted terms."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from survey_tools.settings.base import Settings, Share, check_inside

__all__ = [
    "TextSettings",
    "Weighting",
]

Weighting = Literal["counts", "binary", "tf-idf", "sublinear-tf-idf", "bm25"]
DocumentLimit = Annotated[int, Field(strict=True, ge=1)] | Annotated[float, Field(gt=0.0, le=1.0)]


class TextSettings(Settings):
    """How titles and abstracts become weighted terms."""

    fields: Annotated[tuple[Literal["title", "abstract"], ...], Field(min_length=1)] = (
        "title",
        "abstract",
    )
    """Fields joined by a space, in this order; a digest stands in for a missing abstract."""
    lowercase: bool = True
    """Lower-case the text before it is split."""
    token_pattern: str = r"(?u)\b\w\w+\b"  # noqa: S105  no password
    """Regular expression of a token; the default is scikit-learn's and drops one-letter words."""
    stop_words: str = "english"
    """"none", "english" (scikit-learn's list) or a text file with one word a line."""
    stemming: Literal["none", "porter", "snowball"] = "none"
    """NLTK stemmer, applied to tokens after the stop words are gone."""
    analyser: Literal["words", "characters"] = "words"
    """What terms are runs of: tokens, or characters inside tokens with a space before and after
    (scikit-learn's char_wb)."""
    ngram_range: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    """Shortest and longest run of tokens, or characters, that makes a term."""
    min_df: DocumentLimit = 1
    """Fewest papers a term must stand in: a whole number, or a share of the papers (0.0-1.0)."""
    max_df: DocumentLimit = 1.0
    """Most papers a term may stand in: a whole number, or a share of the papers (0.0-1.0)."""
    max_features: Annotated[int, Field(ge=1)] | None = None
    """Keep only so many terms, the most frequent; ties go to the alphabetically first."""
    weighting: Weighting = "tf-idf"
    """Weight of a term in a paper."""
    smooth_idf: bool = True
    """Add one to document frequencies, as if one more paper held every term (tf-idf only)."""
    norm: Literal["l1", "l2", "none"] = "l2"
    """Norm to which each paper's weights are scaled."""
    bm25_k1: Annotated[float, Field(gt=0)] = 1.2
    """Saturation of term frequency (bm25 only); default as in Apache Lucene."""
    bm25_b: Share = 0.75
    """Strength of length normalisation (bm25 only); default as in Apache Lucene."""

    _stop_words_lie_inside = field_validator("stop_words")(check_inside)

    @field_validator("fields")
    @classmethod
    def _fields_differ(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(fields)) < len(fields):
            raise ValueError(f"{list(fields)} names a field twice")
        return fields

    @field_validator("token_pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str) -> str:
        try:
            n_groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if n_groups > 1:
            raise ValueError(f"{pattern!r} has {n_groups} capturing groups; at most one is allowed")
        return pattern

    @field_validator("ngram_range")
    @classmethod
    def _range_is_ordered(cls, ngram_range: tuple[int, int]) -> tuple[int, int]:
        if ngram_range[0] > ngram_range[1]:
            raise ValueError(f"{list(ngram_range)} runs backwards; write [shortest, longest]")
        return ngram_range
