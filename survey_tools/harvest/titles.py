"""Titles: what makes two of them writings of one, and what the titles of two papers."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise

from rapidfuzz.distance import OSA, LCSseq

from survey_tools.tex import title_key

__all__ = ["FUNCTION_WORDS", "compare_titles", "veto"]

Tokens = tuple[str, ...]

_N_WORDS_SHORT = 6  # below, one word more is another paper

FUNCTION_WORDS = frozenset({
    "a", "an", "and", "as", "at", "by", "for", "in", "into", "of", "on", "the", "to", "toward",
    "towards", "using", "via", "with",
})  # fmt: skip
_NEGATIONS = frozenset({
    "anti", "cannot", "lack", "ne", "neither", "neq", "never", "no", "non", "none", "nor",
    "not", "nothing", "un", "without",
})  # fmt: skip
_NUMBER_WORDS = frozenset({
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
    "ninth", "tenth", "half", "single", "double", "triple", "quadruple",
})  # fmt: skip
_ROMAN = re.compile(r"(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})")  # of parts and types; "ml" is no 1050
_SIGNS = {"≠": " neq ", "+": " plus ", "#": " sharp "}  # C, C++ and C# are three languages
_SIGN_WORDS = frozenset({"plus", "sharp"})
# What tells two papers apart wherever it differs.
_TELLING: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("the number", lambda word: any(sign.isdigit() for sign in word) or word in _NUMBER_WORDS),
    ("the numeral", lambda word: _ROMAN.fullmatch(word) is not None),
    ("the negation", _NEGATIONS.__contains__),
    ("the word", _SIGN_WORDS.__contains__),
    ("the letter", lambda word: len(word) == 1 and word != "a"),
)
_SPLIT_PREFIXES = frozenset({"a", "in", "no", "not"})  # "a symmetric" is not "asymmetric"
_SPELLINGS = (
    ("our", "or"),
    ("isation", "ization"),
    ("ise", "ize"),
    ("ising", "izing"),
    ("yse", "yze"),
    ("tre", "ter"),
    ("elling", "eling"),
    ("elled", "eled"),
)
_N_LETTERS_TYPO = 5  # in shorter words another letter is another word


def veto(a: str, b: str) -> str | None:
    """Say why two similar titles are not those of one paper, or return None.

    What may differ is little: articles and such words, blanks inside a word
    (``auto-encoder``, ``autoencoder``), and in titles of six words or more British or
    American spelling, the plural, and one typo in one word. Any other word is a reason, and
    so is another order. A typo spares the first letter (people rarely miss it, and
    ``supervised`` and ``unsupervised`` are two things), and there is one alone.

    A numeral is a reason however long the title: Arabic, Roman up to xxxix, or a word. A
    single letter is taken for a symbol (``Type I``, ``L^p``), the pronoun I with it, which costs
    a look and no mistake; ``a`` alone is the article. Of the signs that `title_key` drops,
    ``≠``, ``+`` and ``#`` count here.

    Parameters
    ----------
    a, b : str
        Titles as they came; which is which plays no role.
    """
    return compare_titles(a, b)[0]


def compare_titles(a: str, b: str) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the reason for a veto, and the pairs of words that may be one with a typo."""
    left, right = sorted([_tokens(a), _tokens(b)])
    joins, gaps = _align(left, right)
    for join in joins:
        if reason := _object_to_join(*join):
            return reason, []
    rest = [[word for gap in gaps for word in gap[side]] for side in (0, 1)]
    words = [*rest[0], *rest[1]]
    for name, is_meant in _TELLING:
        if word := next(filter(is_meant, words), None):
            return f"{name} {word!r} stands in one title only", []
    if moved := [*(Counter(rest[0]) & Counter(rest[1]))]:
        return f"the words stand in another order ({moved[0]!r})", []
    is_short = min(len(left), len(right)) < _N_WORDS_SHORT
    typos = []
    for gap in gaps:
        ours, theirs = ([word for word in side if word not in FUNCTION_WORDS] for side in gap)
        extra = [*ours, *theirs]
        if extra and is_short:
            return f"{extra[0]!r} stands in one title only, and the title is short", []
        if len(ours) != len(theirs):
            ours, theirs = ["".join(ours)], ["".join(theirs)]
        for word, other in zip(ours, theirs, strict=True):
            if _is_typo(word, other):
                typos.append((word, other))
            elif not _is_variant(word, other):
                return f"{extra[0]!r} stands in one title only", []
    if len(typos) > 1:
        return "more than one word is spelt differently", []
    return None, typos


def _tokens(title: str) -> Tokens:
    for sign, name in _SIGNS.items():
        title = title.replace(sign, name)
    return tuple(title_key(title).split())


def _align(
    left: Tokens, right: Tokens
) -> tuple[list[tuple[Tokens, Tokens]], list[tuple[Tokens, Tokens]]]:
    """Lay two titles side by side: words joined on one side, and words that differ."""
    joins, gaps = [], []
    start, other_start = 0, 0
    for block in LCSseq.opcodes(left, right).as_matching_blocks():
        ours, theirs = left[start : block.a], right[other_start : block.b]
        start, other_start = block.a + block.size, block.b + block.size
        while n := _count_joined(ours, theirs):
            joins.append((ours[: n[0]], theirs[: n[1]]))
            ours, theirs = ours[n[0] :], theirs[n[1] :]
        while n := _count_joined(_mirror(ours), _mirror(theirs)):
            joins.append((ours[-n[0] :], theirs[-n[1] :]))
            ours, theirs = ours[: -n[0]], theirs[: -n[1]]
        if ours or theirs:
            gaps.append((ours, theirs))
    return joins, gaps


def _count_joined(ours: Tokens, theirs: Tokens) -> tuple[int, int] | None:
    """Count the first words on both sides that are the same when joined."""
    counts = {end: n for n, end in enumerate(accumulate(map(len, ours)), start=1)}
    for m, end in enumerate(accumulate(map(len, theirs)), start=1):
        if (n := counts.get(end)) and "".join(ours[:n]) == "".join(theirs[:m]):
            return n, m
    return None


def _mirror(words: Tokens) -> Tokens:
    return tuple(word[::-1] for word in reversed(words))


def _object_to_join(ours: Tokens, theirs: Tokens) -> str | None:
    """Say why words may not be joined: digits would run together, or the sense would turn."""
    text = "".join(ours)
    for words, others in ((ours, theirs), (theirs, ours)):
        ends = set(accumulate(map(len, others)))
        end = 0
        for word, following in pairwise(words):
            end += len(word)
            if end in ends:
                continue
            if text[end - 1].isdigit() and text[end].isdigit():
                return f"the digits of {word!r} {following!r} are grouped in another way"
            if word in _SPLIT_PREFIXES:
                return f"{word + ' ' + following!r} is not {word + following!r}"
    return None


def _is_variant(word: str, other: str) -> bool:
    """Tell British from American spelling, and the plural, from another word."""
    short, long = sorted((word, other), key=len)
    if len(short) > 3 and long == short + "s":
        return True
    for british, american in _SPELLINGS:
        word, other = word.replace(british, american), other.replace(british, american)
    return word == other


def _is_typo(word: str, other: str) -> bool:
    """Tell whether one letter is wrong, missing, too much, or two are swapped."""
    if _is_variant(word, other) or word[:1] != other[:1]:
        return False
    is_long = min(len(word), len(other)) >= _N_LETTERS_TYPO
    return is_long and OSA.distance(word, other, score_cutoff=1) <= 1
