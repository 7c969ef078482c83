"""Titles -> queries for the Atom API, exact or by their rare words. Pure strings."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote_plus

from survey_tools.harvest.titles import FUNCTION_WORDS
from survey_tools.tex import normalise_text

__all__ = ["build_title_queries", "build_word_query"]

_MATHS = re.compile(r"(?<!\\)\$\$.+?\$\$|(?<!\\)\$.+?(?<!\\)\$|\\\(.+?\\\)", re.DOTALL)
_MACRO = re.compile(r"\\[A-Za-z]+\*?\s*")
_UNSAFE = re.compile(r"[\"“”„«»\\$^_~*?!:;()\[\]<>=+|/&%#@`]+|''")
_WORD = re.compile(r"[^\W\d_]{4,}")
_N_TITLES_PER_QUERY = 10
_N_BYTES_PER_QUERY = 2000  # as sent, percent-encoded
_N_QUERY_WORDS = 6


def build_title_queries(titles: Iterable[str]) -> list[str]:
    """Write queries for arXiv's API that look for exact titles, as few as its limits allow.

    Each is one pair of parentheses around at most ten phrases joined with OR, of 2 kB at most
    as sent. Phrases hold Unicode, as arXiv's index does, and no sign that means something to
    its parser. Of a title with mathematics the longest part without is the phrase, because a
    phrase with a gap finds nothing. Titles without any text are left out, repeated ones too.
    """
    terms = dict.fromkeys(f'ti:"{phrase}"' for title in titles if (phrase := _phrase(title)))
    queries: list[str] = []
    batch: list[str] = []
    for term in terms:
        longer = [*batch, term]
        if len(longer) > _N_TITLES_PER_QUERY or _n_bytes(_join(longer, "OR")) > _N_BYTES_PER_QUERY:
            queries.append(_join(batch, "OR"))
            longer = [term]
        batch = longer
    if batch:
        queries.append(_join(batch, "OR"))
    return queries


def build_word_query(title: str) -> str:
    """Write a query for the longest words of a title, six at most, all of which must occur.

    Long words are rare ones. It finds what a phrase misses for one word that differs
    elsewhere; empty for a title without a word.
    """
    text = " ".join(_plain_parts(title)).lower()
    words = dict.fromkeys(word for word in _WORD.findall(text) if word not in FUNCTION_WORDS)
    longest = sorted(words, key=len, reverse=True)[:_N_QUERY_WORDS]
    return _join([f"ti:{word}" for word in words if word in longest] or _short_terms(text), "AND")


def _short_terms(text: str) -> list[str]:
    words = dict.fromkeys(re.findall(r"[^\W_]+", text))
    return [f"ti:{word}" for word in words][:_N_QUERY_WORDS]


def _join(terms: Sequence[str], operator: str) -> str:
    joined = f" {operator} ".join(terms)
    return f"({joined})" if len(terms) > 1 else joined


def _n_bytes(query: str) -> int:
    return len(quote_plus(query))


def _phrase(title: str) -> str:
    phrase = max(_plain_parts(title), key=len, default="")[:_N_BYTES_PER_QUERY]
    while _n_bytes(f'ti:"{phrase}"') > _N_BYTES_PER_QUERY:
        shorter = phrase.rpartition(" ")[0]  # the beginning of a title is a phrase of it too
        phrase = shorter or phrase[: len(phrase) // 2]
    return phrase


def _plain_parts(title: str) -> list[str]:
    """Split a title at its mathematics; what is left holds no TeX and no sign of the grammar."""
    parts = []
    for part in _MATHS.split(normalise_text(title)):
        plain = _UNSAFE.sub(" ", _MACRO.sub("", part).replace("{", "").replace("}", ""))
        plain = " ".join(plain.split()).strip(" .,-–—")
        if any(sign.isalnum() for sign in plain):
            parts.append(plain)
    return parts
