"""Queries: read as people write them, sent as arXiv's grammar needs them.

arXiv's server has no operator precedence and groups from the right (``a AND b OR c`` is
``a AND (b OR c)`` there), joins bare words with OR, and looks for a word without a field
everywhere. Here AND and ANDNOT bind tighter than OR, what is sent is fully parenthesised, and
what the server echoes is read by the server's rules and compared.

References
----------
.. [1] arXiv/arxiv-search, search/domain/classic_api (2026-07): the server's parser.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from survey_tools.errors import ParameterError

__all__ = ["Combination", "Query", "Term", "check_echo", "parse_query", "write_query"]

Operator = Literal["AND", "OR", "ANDNOT"]
FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "rn", "id", "doi", "all", "submittedDate")
_LONG_NAMES = {"title": "ti", "author": "au", "abstract": "abs", "category": "cat", "comment": "co"}
_TOKEN = re.compile(
    r'\s*(?:(?P<open>\()|(?P<close>\))|(?P<field>[A-Za-z]+):(?=\S)|(?P<phrase>"[^"]*")'
    r"|(?P<range>\[[^\]]*\])|(?P<word>[^\s()\"]+))"
)
_RANGE = re.compile(r"\[\s*([0-9]{4,14})\s+TO\s+([0-9]{4,14})\s*\]")


@dataclass(frozen=True, slots=True)
class Term:
    """One field with what is looked for in it.

    Attributes
    ----------
    field : str
        One of `FIELDS`.
    value : str
        A word, a phrase without its quotes, or a range of dates with its brackets.
    """

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Combination:
    """Terms or combinations joined by one operator; AND and OR hold two or more, ANDNOT two."""

    operator: Operator
    parts: tuple["Query", ...]


Query = Term | Combination


def parse_query(text: str) -> Query:
    """Read a query as people write it.

    Raises
    ------
    ParameterError
        If it is empty, or says something that arXiv's server would read otherwise.
    """
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ParameterError(f"query {text!r}: is no valid Unicode")
    if not text.strip():
        raise ParameterError("the query is empty; write for example --query 'ti:\"masked image\"'")
    return _Parser(text, has_precedence=True).parse()


def write_query(query: Query) -> str:
    """Write a query fully parenthesised, so that the server's grouping does not matter."""
    if isinstance(query, Term):
        is_bare = query.field == "submittedDate" or re.fullmatch(
            r"[^\W_](?:[^\W_]|[.*?-])*", query.value
        )
        return f"{query.field}:{query.value}" if is_bare else f'{query.field}:"{query.value}"'
    # a row of one operator means the same however it is grouped
    return f" {query.operator} ".join(_in_parentheses(part) for part in query.parts)


def _in_parentheses(query: Query) -> str:
    text = write_query(query)
    return text if isinstance(query, Term) else f"({text})"


def check_echo(sent: Query, echo: str) -> str | None:
    """Compare the query that the server echoes with the one that was meant.

    Parameters
    ----------
    echo : str
        The feed's title after "arXiv Query: ": the parameters as the server read them.

    Returns
    -------
    str or None
        What the server understood, where it means something else; None where it agrees, or
        where the echo is in no form that can be read.
    """
    match = re.match(r"search_query=(?P<query>.*?)(?:&id_list=|$)", echo, re.DOTALL)
    if match is None:
        return None
    try:
        understood = _Parser(match["query"], has_precedence=False).parse()
    except ParameterError:
        return None
    return None if _comparable(understood) == _comparable(sent) else match["query"]


def _comparable(query: Query) -> object:
    """Reduce a query to what it means: case of words, white space and grouping of equals."""
    if isinstance(query, Term):
        return (query.field, " ".join(query.value.casefold().split()))
    parts = tuple(_comparable(part) for part in query.parts)
    if query.operator == "ANDNOT":
        return ("ANDNOT", parts)
    flat: list[object] = []
    for part in parts:
        is_same = isinstance(part, tuple) and part[0] == query.operator
        flat.extend(part[1] if is_same else [part])  # type: ignore[index]
    return (query.operator, tuple(flat))


def _full_minute(digits: str, *, end: bool = False) -> str | None:
    """Fill a date up to the minute as arXiv does: to the first one or, at the end, the last."""
    forms = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in forms:
        return None
    try:
        when = datetime.strptime(digits, forms[len(digits)])
    except ValueError:
        return None
    if not end:
        return when.strftime("%Y%m%d%H%M")
    month = 12 if len(digits) < 6 else when.month
    day = monthrange(when.year, month)[1] if len(digits) < 8 else when.day
    hour = 23 if len(digits) < 10 else when.hour
    minute = 59 if len(digits) < 12 else when.minute
    return when.replace(month=month, day=day, hour=hour, minute=minute).strftime("%Y%m%d%H%M")


def _close_row(query: Query, operator: Operator | None, row: list[Query]) -> Query:
    """Join what follows a query under one operator: ``a ANDNOT b ANDNOT c`` has neither."""
    if operator is None:
        return query
    if operator == "AND":
        return Combination("AND", (query, *row))
    excluded = row[0] if len(row) == 1 else Combination("OR", tuple(row))
    return Combination("ANDNOT", (query, excluded))


class _Parser:
    """A recursive-descent parser of both grammars."""

    def __init__(self, text: str, *, has_precedence: bool) -> None:
        self._text = text
        self._has_precedence = has_precedence
        self._tokens = list(self._split(text))
        self._i = 0
        self._depth = 0

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise ParameterError(f"query {text!r}: a double quote is never closed")
            kind = match.lastgroup or ""
            tokens.append((kind, match[kind]))
            position = match.end()
        return tokens

    def parse(self) -> Query:
        query = self._alternatives() if self._has_precedence else self._from_the_right()
        if self._i < len(self._tokens):
            kind, text = self._tokens[self._i]
            if kind == "close":
                raise self._error("a parenthesis is closed that was never opened")
            raise self._error(
                f"write AND, OR or ANDNOT before {text!r}, or put the phrase in double quotes"
            )
        return query

    def _error(self, problem: str) -> ParameterError:
        return ParameterError(f"query {self._text!r}: {problem}")

    def _operator(self) -> Operator | None:
        """Read an operator, if one is next; NOT and AND NOT are ANDNOT."""
        kind, text = self._tokens[self._i] if self._i < len(self._tokens) else ("", "")
        if kind != "word" or text not in ("AND", "OR", "ANDNOT", "NOT"):
            return None
        self._i += 1
        following = self._tokens[self._i] if self._i < len(self._tokens) else ("", "")
        if text == "AND" and following == ("word", "NOT"):
            self._i += 1
            return "ANDNOT"
        if text == "OR":
            return "OR"
        return "AND" if text == "AND" else "ANDNOT"

    def _alternatives(self) -> Query:
        parts = [self._conjunction()]
        while (operator := self._operator()) is not None:
            assert operator == "OR", "a conjunction takes all others"
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Combination("OR", tuple(parts))

    def _conjunction(self) -> Query:
        query = self._item()
        row: list[Query] = []  # what follows under one operator
        row_operator: Operator | None = None
        while True:
            before = self._i
            operator = self._operator()
            if operator is None or operator == "OR":
                self._i = before
                return _close_row(query, row_operator, row)
            item = self._item()
            if operator != row_operator:
                query = _close_row(query, row_operator, row)
                row, row_operator = [], operator
            row.append(item)

    def _from_the_right(self) -> Query:
        items, operators = [self._item()], []
        while (operator := self._operator()) is not None:
            operators.append(operator)
            items.append(self._item())
        row = [items.pop()]
        row_operator: Operator | None = None
        while items:
            operator = operators.pop()
            if row_operator is not None and (operator != row_operator or operator == "ANDNOT"):
                row = [Combination(row_operator, tuple(reversed(row)))]
            row_operator = operator
            row.append(items.pop())
        return row[0] if row_operator is None else Combination(row_operator, tuple(reversed(row)))

    def _item(self) -> Query:
        if self._i >= len(self._tokens):
            raise self._error("a term is missing at the end")
        kind, text = self._tokens[self._i]
        self._i += 1
        if kind == "open":
            return self._group()
        if kind == "close":
            raise self._error("a parenthesis is closed where a term is expected")
        if kind == "field":
            return self._term(text)
        if kind == "range":
            raise self._error(f"write submittedDate: before {text}")
        if kind == "word" and text in ("AND", "OR", "ANDNOT", "NOT"):
            raise self._error(f"a term is missing before {text}")
        return Term("all", self._value(text))

    def _group(self) -> Query:
        self._depth += 1
        if self._depth > 50:
            raise self._error("nested too deeply; 50 levels are allowed")
        query = self._alternatives() if self._has_precedence else self._from_the_right()
        if self._i >= len(self._tokens):
            raise self._error("a parenthesis is never closed")
        kind, text = self._tokens[self._i]
        if kind != "close":
            raise self._error(
                f"write AND, OR or ANDNOT before {text!r}, or put the phrase in double quotes"
            )
        self._i += 1
        self._depth -= 1
        return query

    def _term(self, name: str) -> Term:
        field = _LONG_NAMES.get(name, name)
        if field == "lastUpdatedDate":
            raise self._error(
                "arXiv reads lastUpdatedDate as submittedDate; harvest by --oai-set to follow "
                "changes"
            )
        if field not in FIELDS:
            raise self._error(f"unknown field {name!r}; allowed: {', '.join(FIELDS)}")
        kind, text = self._tokens[self._i] if self._i < len(self._tokens) else ("", "")
        if kind not in ("phrase", "word", "range"):
            raise self._error(
                f"{name}: needs a word or a phrase in double quotes; write {name}:a OR {name}:b"
            )
        self._i += 1
        if field == "submittedDate":
            if kind != "range" or not (match := _RANGE.fullmatch(text)):
                raise self._error("write submittedDate:[YYYYMMDDHHMM TO YYYYMMDDHHMM]")
            first, last = _full_minute(match[1]), _full_minute(match[2], end=True)
            if first is None or last is None:
                raise self._error(f"{text} holds no date; write YYYY, YYYYMM, YYYYMMDD or minutes")
            if first > last:
                raise self._error(f"{text}: the dates run backwards")
            return Term(field, f"[{first} TO {last}]")
        if kind == "range":
            raise self._error(f"{name}: takes no range; dates go with submittedDate:")
        return Term(field, self._value(text))

    def _value(self, text: str) -> str:
        value = " ".join(text.strip('"').split())
        if not value:
            raise self._error("a phrase is empty")
        return value
