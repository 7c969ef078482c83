"""The query language of arXiv's Atom API: rewriting, parsing, matching.

The rules are those of the server that runs since 2025-11: operators have no precedence and bind
to the right, terms side by side are joined by OR, dates are completed, nothing folds accents.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from arxiv_truth import TruePaper

FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "rn", "id", "doi", "all", "submittedDate")
OPERATORS = ("AND", "OR", "ANDNOT")
_LONG = {"title": "ti", "author": "au", "abstract": "abs", "lastUpdatedDate": "submittedDate"}
_TOKEN = re.compile(
    r"\s*(?:(?P<range>(?:submittedDate|lastUpdatedDate):\s*\[\s*(?P<low>[0-9]+)\s+TO\s+"
    r"(?P<high>[0-9]+)\s*\])"
    r"|(?P<bracket>[()])"
    r'|(?P<prefix>[A-Za-z_]+):(?=["(])'
    r'|"(?P<phrase>[^"]*)"'
    r'|(?P<word>[^\s()"]+))'
)
_WORD = re.compile(r"[^\W_]+")
_PATTERN = re.compile(r"(?:[^\W_]|[*?])+")
_STOP = frozenset(
    re.findall(
        "[a-z]+",
        "a an and are as at be but by for if in into is it no not of on or such that the their "
        "then there these they this to was will with",
    )
)


class QueryError(ValueError):
    """The query cannot be parsed."""


class Term(NamedTuple):
    """A field and what to look for; ``value`` is the text between quotes if ``quoted``."""

    field: str
    value: str
    quoted: bool
    first: bool

    def __str__(self) -> str:
        return f'{self.field}:"{self.value}"' if self.quoted else f"{self.field}:{self.value}"


class DateRange(NamedTuple):
    """First submissions from the minute ``low`` to the minute ``high``, both as 12 digits."""

    low: str
    high: str

    def __str__(self) -> str:
        return f"submittedDate:[{self.low} TO {self.high}]"

    @property
    def seconds(self) -> tuple[int, int]:
        """First and last second, since 1970."""
        return _seconds(self.low), _seconds(self.high) + 59


class Operation(NamedTuple):
    """Two queries joined by AND, OR or ANDNOT."""

    name: str
    left: "Query"
    right: "Query"


Query = Term | DateRange | Operation
Token = str | Term | DateRange  # a str is an operator or a bracket


def _seconds(minute: str) -> int:
    try:
        when = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        raise QueryError(minute) from None
    return int(when.timestamp())


# Rewriting ----------------------------------------------------------------------------------


def rewrite(text: str, *, raw: bool = False) -> tuple[Query, str]:
    """Parse a query after the server's rewriting; return it with the text that is echoed.

    Raises
    ------
    QueryError
        If it cannot be parsed.
    """
    if '\\"' in text:
        raise QueryError(text)
    tokens = _tokenise(text.replace("\r", " ").replace("\n", " "), raw=raw)
    if not raw:
        tokens = _insert_operators(tokens)
    query, n_read = _parse(tokens, 0)
    if n_read != len(tokens):
        raise QueryError(text)
    return query, _write(tokens)


def _tokenise(text: str, *, raw: bool) -> list[Token]:
    """Cut a query into tokens; a field before brackets goes to each word inside."""
    text = text.rstrip()
    tokens: list[Token] = []
    prefix: str | None = None  # before the next phrase or bracket
    groups: list[str | None] = []  # field of each open bracket
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:  # a quotation mark without its partner
            raise QueryError(text)
        place = match.end()
        inherited = next((field for field in reversed(groups) if field), None)
        if match["range"]:
            dates = DateRange(_complete(match["low"]), _complete(match["high"], last=True))
            if dates.seconds:  # raises where there is no such date
                tokens.append(dates)
        elif match["prefix"]:
            prefix = match["prefix"]
        elif match["bracket"] == "(":
            groups.append(prefix)
            prefix = None
            tokens.append("(")
        elif match["bracket"]:
            if not groups:
                raise QueryError(text)
            groups.pop()
            tokens.append(")")
        elif match["phrase"] is not None:
            if match["phrase"].strip():
                value = " ".join(match["phrase"].split())
                tokens.append(_term(prefix or inherited, value, True, tokens, raw))
            prefix = None
        elif match["word"] in (*OPERATORS, "NOT"):
            tokens.append(match["word"])
        else:
            field, colon, value = match["word"].partition(":")
            if not colon:
                tokens.append(_term(inherited, field, False, tokens, raw))
            elif value or raw:  # an empty prefix is dropped
                tokens.append(_term(field, value, False, tokens, raw))
    if groups:
        raise QueryError(text)
    if len(tokens) > 2 and text.startswith(tuple(f"{name}:(" for name in (*FIELDS, *_LONG))):
        tokens = _strip_brackets(tokens)
    return tokens


def _term(field: str | None, value: str, quoted: bool, before: list[Token], raw: bool) -> Term:
    if raw and (field not in FIELDS or not value):
        raise QueryError(value)
    field = _LONG.get(field or "all", field or "all")
    if field not in FIELDS:
        raise QueryError(f"{field}:{value}")
    first = not any(isinstance(token, Term) for token in before)
    return Term(field, value, quoted, first)


def _strip_brackets(tokens: list[Token]) -> list[Token]:
    """Drop the first bracket and its partner if they hold the whole query."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token, 0) if isinstance(token, str) else 0
        if depth == 0:
            return tokens[1:-1] if i == len(tokens) - 1 else tokens
    return tokens


def _complete(digits: str, *, last: bool = False) -> str:
    """Fill a partial date: ``2023`` -> 202301010000, or 202312312359 at the upper end."""
    if len(digits) not in (4, 6, 8, 10, 12):
        raise QueryError(digits)
    if not last:
        return digits + "01010000"[len(digits) - 4 :]
    if len(digits) == 4:
        digits += "12"
    if len(digits) == 6:
        if not 1 <= int(digits[4:]) <= 12 or digits[:4] == "0000":
            raise QueryError(digits)
        digits += str(monthrange(int(digits[:4]), int(digits[4:]))[1])
    return digits + "2359"[len(digits) - 8 :]


def _insert_operators(tokens: list[Token]) -> list[Token]:
    """Join NOT to ANDNOT, drop doubled operators, put OR where none stands."""
    done: list[Token] = []
    for part in tokens:
        if part == "NOT" and done and done[-1] == "AND":
            done[-1] = "ANDNOT"
        elif part == "NOT" or part in OPERATORS:
            if not done or done[-1] not in OPERATORS:
                done.append("ANDNOT" if part == "NOT" else part)
        else:
            if done and done[-1] not in ("(", *OPERATORS) and part != ")":
                done.append("OR")
            done.append(part)
    return done


def _parse(tokens: list[Token], place: int) -> tuple[Query, int]:
    """Parse from a place on, to the right: ``a AND b OR c`` is ``a AND (b OR c)``."""
    if place >= len(tokens):
        raise QueryError("it ends too early")
    part = tokens[place]
    left: Query
    if part == "(":
        left, place = _parse(tokens, place + 1)
        if place >= len(tokens) or tokens[place] != ")":
            raise QueryError("a bracket is not closed")
        place += 1
    elif isinstance(part, str):
        raise QueryError(part)
    else:
        left, place = part, place + 1
    if place < len(tokens) and (name := tokens[place]) in OPERATORS:
        right, place = _parse(tokens, place + 1)
        return Operation(str(name), left, right), place
    return left, place


def _write(tokens: list[Token]) -> str:
    return " ".join(map(str, tokens)).replace("( ", "(").replace(" )", ")")


# Matching -----------------------------------------------------------------------------------

Test = Callable[[TruePaper], bool]


def window_of(query: Query) -> tuple[float, float]:
    """Seconds between which the first submission of every match must lie."""
    if isinstance(query, DateRange):
        return query.seconds
    if isinstance(query, Operation):
        low, high = window_of(query.left)
        if query.name == "ANDNOT":
            return low, high
        other_low, other_high = window_of(query.right)
        if query.name == "AND":
            return max(low, other_low), min(high, other_high)
        return min(low, other_low), max(high, other_high)
    return float("-inf"), float("inf")


def is_window(query: Query) -> bool:
    """Whether `window_of` says all there is to say."""
    if isinstance(query, Operation):
        return query.name == "AND" and is_window(query.left) and is_window(query.right)
    return isinstance(query, DateRange)


def compile_query(query: Query) -> Test:
    """Turn a query into a test of one paper."""
    if isinstance(query, Operation):
        left, right = compile_query(query.left), compile_query(query.right)
        if query.name == "AND":
            return lambda paper: left(paper) and right(paper)
        if query.name == "OR":
            return lambda paper: left(paper) or right(paper)
        return lambda paper: left(paper) and not right(paper)
    if isinstance(query, DateRange):
        low, high = query.seconds
        return lambda paper: low <= paper.versions[0].submitted.timestamp() <= high
    return _compile_term(query)


def _compile_term(term: Term) -> Test:
    if term.field == "submittedDate":  # not the form of a range: matches nothing
        return lambda _: False
    if term.field == "cat":
        pattern = term.value.lower()
        return lambda paper: any(fnmatchcase(name.lower(), pattern) for name in paper.categories)
    if term.field == "au":
        if "_" in term.value and not term.first:  # a fault of the real server
            return lambda _: False
        words = [word.lower() for word in _PATTERN.findall(term.value)]
        return lambda paper: any(_is_author(words, name) for name in paper.authors)
    if term.field in ("doi", "id"):
        return _compile_name(term.field, term.value.lower())
    words = [_stem(word) for word in _PATTERN.findall(term.value.lower())]
    if all(word in _STOP for word in words):
        return lambda _: False
    in_text = _compile_phrase(words) if term.quoted else _compile_words(words)
    if term.field == "all":
        authors = _compile_term(term._replace(field="au", first=True))
        names = [_compile_name(field, term.value.lower()) for field in ("doi", "id")]
        return lambda paper: (
            any(in_text(text) for text in _texts(paper))
            or authors(paper)
            or any(test(paper) for test in names)
        )
    field = {"ti": "title", "abs": "abstract", "co": "comment", "jr": "journal_ref"}.get(
        term.field, "report_no"
    )
    return lambda paper: in_text(getattr(paper, field) or "")


def _texts(paper: TruePaper) -> tuple[str, ...]:
    others = (paper.comment, paper.journal_ref, paper.report_no, " ".join(paper.categories))
    return (paper.title, paper.abstract, *(text for text in others if text))


def _compile_name(field: str, pattern: str) -> Test:
    if field == "doi":
        return lambda paper: any(
            fnmatchcase(doi, pattern) for doi in (paper.doi or "").lower().split()
        )
    return lambda paper: (
        pattern
        in (
            paper.arxiv_id,
            f"{paper.arxiv_id}v{paper.versions[-1].number}",
        )
    )


def _stem(word: str) -> str:
    """Strip a plural s; the real server does more."""
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _fits(word: str, pattern: str) -> bool:
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(word, pattern)
    return word == pattern


def _longest(words: list[str]) -> str:
    """Return the longest word without wildcards, to look for in the text before all else."""
    plain = [word for word in words if "*" not in word and "?" not in word and word not in _STOP]
    return max(plain, key=len, default="")


def _compile_words(words: list[str]) -> Callable[[str], bool]:
    wanted = [word for word in words if word not in _STOP]
    hint = _longest(wanted)

    def has_all(text: str) -> bool:
        if hint not in text.lower():
            return False
        found = _words(text)
        return all(any(_fits(word, pattern) for word in found) for pattern in wanted)

    return has_all


def _compile_phrase(words: list[str]) -> Callable[[str], bool]:
    """Words one after the other; a stop word keeps its place and may be any word."""
    pattern: list[str | None] = [None if word in _STOP else word for word in words]
    while pattern[0] is None:
        pattern.pop(0)
    while pattern[-1] is None:
        pattern.pop()
    hint = _longest(words)
    n_words = len(pattern)

    def has_phrase(text: str) -> bool:
        if hint not in text.lower():
            return False
        found = _words(text)
        return any(
            all(
                part is None or _fits(word, part)
                for word, part in zip(found[i : i + n_words], pattern, strict=True)
            )
            for i in range(len(found) - n_words + 1)
        )

    return has_phrase


def _is_author(wanted: list[str], name: str) -> bool:
    """Whether each word wanted, or its first letter, stands in the name."""
    lower = name.lower()
    if not any(word in lower for word in wanted if len(word) > 1 and word.isalnum()) and all(
        len(word) > 1 and word.isalnum() for word in wanted
    ):
        return False
    words = _WORD.findall(lower)
    return bool(wanted) and all(
        any(
            _fits(word, pattern) or (min(len(word), len(pattern)) == 1 and word[0] == pattern[0])
            for word in words
        )
        for pattern in wanted
    )
