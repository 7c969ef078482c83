"""Queries mean the same to us, by precedence, and to arXiv, which groups from the right."""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.errors import ParameterError
from survey_tools.harvest.query import (
    FIELDS,
    Combination,
    Query,
    Term,
    check_echo,
    parse_query,
    write_query,
)

# ---- two independent readers -------------------------------------------------------------
# A query is read to a function of the set of its terms that hold, once by precedence and once
# as arXiv's grammar has it: no precedence, grouped from the right.

Meaning = Callable[[frozenset[str]], bool]
_TOKENS = re.compile(r'\(|\)|ANDNOT|AND|OR|[A-Za-z]+:"[^"]*"|[A-Za-z]+:\[[^]]*\]|[^\s()]+')


def _split(text: str) -> list[str]:
    return _TOKENS.findall(text)


def _join(operator: str, left: Meaning, right: Meaning) -> Meaning:
    if operator == "AND":
        return lambda held: left(held) and right(held)
    if operator == "OR":
        return lambda held: left(held) or right(held)
    return lambda held: left(held) and not right(held)


def _atom(tokens: list[str], inside: Callable[[list[str]], Meaning]) -> Meaning:
    token = tokens.pop(0)
    if token != "(":  # noqa: S105
        return lambda held: token in held
    meaning = inside(tokens)
    assert tokens.pop(0) == ")"
    return meaning


def _from_the_right(tokens: list[str]) -> Meaning:
    left = _atom(tokens, _from_the_right)
    if not tokens or tokens[0] == ")":
        return left
    return _join(tokens.pop(0), left, _from_the_right(tokens))


def _by_precedence(tokens: list[str]) -> Meaning:
    meaning = _product(tokens)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        meaning = _join("OR", meaning, _product(tokens))
    return meaning


def _product(tokens: list[str]) -> Meaning:
    meaning = _atom(tokens, _by_precedence)
    while tokens and tokens[0] in ("AND", "ANDNOT"):
        operator = tokens.pop(0)
        meaning = _join(operator, meaning, _atom(tokens, _by_precedence))
    return meaning


def read_by_precedence(text: str) -> Meaning:
    """AND and ANDNOT bind tighter than OR and group from the left."""
    tokens = _split(text)
    meaning = _by_precedence(tokens)
    assert tokens == []
    return meaning


def read_as_arxiv(text: str) -> Meaning:
    """All operators bind alike and group from the right."""
    tokens = _split(text)
    meaning = _from_the_right(tokens)
    assert tokens == []
    return meaning


def means_of(query: Query) -> Meaning:
    """Read a parsed query."""
    if isinstance(query, Term):
        name = write_query(query)
        return lambda held: name in held
    meanings = [means_of(part) for part in query.parts]
    meaning = meanings[0]
    for other in meanings[1:]:
        meaning = _join(query.operator, meaning, other)
    return meaning


def table(meaning: Meaning, names: list[str]) -> list[bool]:
    """Ask a meaning for every set of terms."""
    return [
        meaning(frozenset(name for name, holds in zip(names, row, strict=True) if holds))
        for row in product((False, True), repeat=len(names))
    ]


def test_the_two_readers_differ_where_they_should() -> None:
    """Else the tests below compare nothing: ``a AND b OR c`` is ``a AND (b OR c)`` to arXiv."""
    names = ["ti:a", "ti:b", "ti:c"]
    text = "ti:a AND ti:b OR ti:c"
    only_c = frozenset(["ti:c"])
    assert read_by_precedence(text)(only_c)
    assert not read_as_arxiv(text)(only_c)
    assert table(read_as_arxiv(text), names) == table(
        read_by_precedence("ti:a AND (ti:b OR ti:c)"), names
    )


@dataclass(frozen=True)
class Written:
    """A query as a person might write it."""

    text: str

    def inside(self) -> str:
        return f"({self.text})" if " " in self.text else self.text


NAMES = ["ti:a", "au:b", "abs:c", "cat:cs.CV", 'all:"two words"']
terms = st.sampled_from(NAMES).map(Written)
written = st.recursive(
    terms,
    lambda inner: st.builds(
        lambda first, rest: Written(
            first + "".join(f" {operator} {part}" for operator, part in rest)
        ),
        inner.map(Written.inside),
        st.lists(
            st.tuples(
                st.sampled_from(["AND", "OR", "ANDNOT"]),
                # some operands in parentheses, some not: then precedence decides
                st.one_of(inner.map(Written.inside), inner.map(lambda w: w.text)),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    max_leaves=7,
).map(lambda w: w.text)


@given(written)
def test_a_query_is_read_by_precedence(text: str) -> None:
    """What our parser makes of it is what the independent reader makes of it."""
    assert table(means_of(parse_query(text)), NAMES) == table(read_by_precedence(text), NAMES)


@given(written)
def test_a_written_query_means_the_same_to_arxiv(text: str) -> None:
    """Fully parenthesised, precedence and grouping from the right come to the same."""
    sent = write_query(parse_query(text))
    meant = table(read_by_precedence(text), NAMES)
    assert table(read_by_precedence(sent), NAMES) == meant
    assert table(read_as_arxiv(sent), NAMES) == meant


@given(written)
def test_a_written_query_is_read_back(text: str) -> None:
    """It means the same, and is written the same once more."""
    sent = write_query(parse_query(text))
    again = parse_query(sent)
    assert write_query(again) == sent
    assert table(means_of(again), NAMES) == table(means_of(parse_query(text)), NAMES)


@given(written)
def test_the_echo_of_what_was_sent_is_no_complaint(text: str) -> None:
    """The server repeats what it read."""
    query = parse_query(text)
    assert check_echo(query, f"search_query={write_query(query)}&id_list=&start=0") is None


@given(written)
def test_an_echo_of_another_meaning_is_seen(text: str) -> None:
    """A query sent without its parentheses is accepted only where they do not matter."""
    query = parse_query(text)
    echo = check_echo(query, f"search_query={text}&id_list=&start=0")
    differs = table(read_as_arxiv(text), NAMES) != table(read_by_precedence(text), NAMES)
    if differs:
        assert echo == text


values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1)


@given(st.sampled_from([name for name in FIELDS if name != "submittedDate"]), values)
def test_any_phrase_comes_back(field: str, value: str) -> None:
    """Parentheses, colons, brackets, operators and Unicode stand in double quotes."""
    if not value.split():
        return
    query = parse_query(f'{field}:"{value}"')
    assert query == Term(field, " ".join(value.split()))
    assert parse_query(write_query(query)) == query


# ---- what people write -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("lattices", "all:lattices"),
        ('"hidden lattices"', 'all:"hidden lattices"'),
        ("ti:lattices", "ti:lattices"),
        ("title:lattices", "ti:lattices"),
        ("author:Müller AND category:cs.CV", "au:Müller AND cat:cs.CV"),
        ("abstract:x OR comment:y", "abs:x OR co:y"),
        ('ti:"hidden   lattices"', 'ti:"hidden lattices"'),
        ("cat:cs.*", "cat:cs.*"),
        ("ti:non-invasive", "ti:non-invasive"),
        ('au:"Müller, A"', 'au:"Müller, A"'),
        ("doi:10.1000/x", 'doi:"10.1000/x"'),
        ("a NOT b", "all:a ANDNOT all:b"),
        ("a AND NOT b", "all:a ANDNOT all:b"),
        ("(a)", "all:a"),
        ("((a OR b))", "all:a OR all:b"),
        ("a AND b OR c AND d", "(all:a AND all:b) OR (all:c AND all:d)"),
        ("a OR b AND c", "all:a OR (all:b AND all:c)"),
        ("a ANDNOT b AND c", "(all:a ANDNOT all:b) AND all:c"),
        ("a ANDNOT (b OR c)", "all:a ANDNOT (all:b OR all:c)"),
        ("a OR b OR c", "all:a OR all:b OR all:c"),
        ("12:30", 'all:"12:30"'),
        (
            "submittedDate:[202501010000 TO 202512312359]",
            "submittedDate:[202501010000 TO 202512312359]",
        ),
    ],
)
def test_a_query_is_written_fully_parenthesised(text: str, sent: str) -> None:
    """Long names of fields are shortened; what needs quotes gets them."""
    assert write_query(parse_query(text)) == sent


def test_a_query_is_a_tree() -> None:
    """AND and ANDNOT hold two parts; OR holds all of its own."""
    assert parse_query("a OR b OR c ANDNOT d") == Combination(
        "OR",
        (
            Term("all", "a"),
            Term("all", "b"),
            Combination("ANDNOT", (Term("all", "c"), Term("all", "d"))),
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the query is empty"),
        (" \n", "the query is empty"),
        ("a b", "write AND, OR or ANDNOT before 'b', or put the phrase in double quotes"),
        ("a and b", "write AND, OR or ANDNOT before 'and'"),
        ("a AND", "a term is missing at the end"),
        ("AND a", "a term is missing before AND"),
        ("a AND OR b", "a term is missing before OR"),
        ("NOT a", "a term is missing before NOT"),
        ("a OR NOT b", "a term is missing before NOT"),
        ("(a", "a parenthesis is never closed"),
        ("a)", "a parenthesis is closed that was never opened"),
        ("()", "a parenthesis is closed where a term is expected"),
        ("(a b)", "write AND, OR or ANDNOT before 'b'"),
        ('ti:"a', "a double quote is never closed"),
        ('a"', "a double quote is never closed"),
        ('""', "a phrase is empty"),
        ('ti:" "', "a phrase is empty"),
        ("titel:a", "unknown field 'titel'; allowed: ti, au, abs"),
        ("TI:a", "unknown field 'TI'"),
        ("ti:(a b)", "ti: needs a word or a phrase in double quotes; write ti:a OR ti:b"),
        ("ti:abs:x", "ti: needs a word or a phrase in double quotes"),
        ("[2023 TO 2024]", "write submittedDate: before [2023 TO 2024]"),
        ("ti:[a TO b]", "ti: takes no range; dates go with submittedDate:"),
        ("submittedDate:2023", "write submittedDate:[YYYYMMDDHHMM TO YYYYMMDDHHMM]"),
        ("submittedDate:[2023 TO now]", "write submittedDate:[YYYYMMDDHHMM TO YYYYMMDDHHMM]"),
        ("lastUpdatedDate:[2023 TO 2024]", "arXiv reads lastUpdatedDate as submittedDate"),
        ("(" * 51 + "a" + ")" * 51, "nested too deeply; 50 levels are allowed"),
    ],
)
def test_what_arxiv_would_read_otherwise_is_refused(text: str, said: str) -> None:
    """Bare words side by side are joined by OR there, and nobody is told."""
    with pytest.raises(ParameterError, match=re.escape(said)):
        parse_query(text)


@given(st.text(st.sampled_from(list('ab:()"[] \nti:ANDORNOT')), max_size=25) | st.text(max_size=12))
def test_no_text_breaks_the_parser(text: str) -> None:
    """It is a query or a ParameterError, and a query can be written and read back."""
    try:
        query = parse_query(text)
    except ParameterError:
        return
    assert write_query(parse_query(write_query(query))) == write_query(query)


def test_50_levels_of_parentheses_are_allowed() -> None:
    """They mean nothing."""
    assert parse_query("(" * 50 + "a" + ")" * 50) == Term("all", "a")


def long_query(n: int, operator: str) -> str:
    """Write a list of words, as an optimist would."""
    return f" {operator} ".join(f"ti:w{i}" for i in range(n))


@pytest.mark.parametrize("operator", ["AND", "OR", "ANDNOT"])
def test_a_list_of_60_words_is_a_query_like_any_other(operator: str) -> None:
    """It can be written, read back and compared with its echo."""
    query = parse_query(long_query(60, operator))
    sent = write_query(query)
    assert write_query(parse_query(sent)) == sent
    assert check_echo(query, f"search_query={sent}&id_list=") is None
    other = sent.replace("ti:w7 ", "ti:other ")
    assert other != sent
    assert check_echo(query, f"search_query={other}&id_list=") == other


@pytest.mark.parametrize("operator", ["AND", "OR", "ANDNOT"])
def test_a_list_of_5000_words_overflows_no_stack(operator: str) -> None:
    """It may be refused, in a sentence."""
    try:
        query = parse_query(long_query(5000, operator))
    except ParameterError:
        return
    assert check_echo(query, f"search_query={write_query(query)}&id_list=") is None


def test_a_long_query_takes_time_in_proportion() -> None:
    """Four times as many words take some four times as long, not sixteen."""

    def seconds(n: int) -> float:
        text = long_query(n, "OR")

        def once() -> float:
            begin = time.process_time()
            with suppress(ParameterError):  # refused is fine, but not after minutes
                parse_query(text)
            return time.process_time() - begin

        return min(once() for _ in range(3))

    assert seconds(40_000) < 10 * seconds(10_000)


# ---- what the server understood ----------------------------------------------------------


def echo_of(text: str) -> str:
    """Write the title of a feed as the server does."""
    return f"search_query={text}&id_list=&start=0&max_results=10"


@pytest.mark.parametrize(
    ("sent", "echo"),
    [
        ("ti:a AND ti:b", "ti:a AND ti:b"),
        ("ti:a AND ti:b AND ti:c", "(ti:a AND ti:b) AND ti:c"),
        ("ti:a AND ti:b AND ti:c", "ti:a AND (ti:b AND ti:c)"),
        ("ti:a AND ti:b AND ti:c", "ti:a AND ti:b AND ti:c"),
        ("ti:A", "ti:a"),
        ('ti:"hidden lattices"', 'ti:"hidden  lattices"'),
        ("a ANDNOT b", "all:a ANDNOT all:b"),
        ("a AND NOT b", "all:a AND NOT all:b"),
        ("ti:a AND (ti:b OR ti:c)", "ti:a AND ti:b OR ti:c"),
    ],
)
def test_an_echo_that_means_the_same_is_accepted(sent: str, echo: str) -> None:
    """Grouping of equals, case and white space do not matter."""
    assert check_echo(parse_query(sent), echo_of(echo)) is None


@pytest.mark.parametrize(
    ("sent", "echo"),
    [
        ("ti:a AND ti:b OR ti:c", "ti:a AND ti:b OR ti:c"),
        ("ti:a ANDNOT ti:b AND ti:c", "ti:a ANDNOT ti:b AND ti:c"),
        ('ti:"a b"', "ti:a OR all:b"),
        ("ti:a", "all:a"),
        ("ti:a AND ti:b", "ti:a OR ti:b"),
        ("ti:a AND ti:b", "ti:a"),
        ("ti:a ANDNOT ti:b", "ti:b ANDNOT ti:a"),
    ],
)
def test_an_echo_that_means_something_else_is_returned(sent: str, echo: str) -> None:
    """So that it can be shown, and nothing is stored."""
    assert check_echo(parse_query(sent), echo_of(echo)) == echo


@pytest.mark.parametrize("echo", ["", "search_query", echo_of("ti:a ti:b"), echo_of('ti:"a')])
def test_an_echo_that_cannot_be_read_says_nothing(echo: str) -> None:
    """A change of the server's form must not stop all harvests."""
    assert check_echo(parse_query("ti:a"), echo) is None


@pytest.mark.parametrize(
    ("meant", "echo"),
    [
        ("[2023 TO 2024]", "[202301010000 TO 202412312359]"),
        ("[20230115 TO 20230116]", "[202301150000 TO 202301162359]"),
        ("[202301 TO 202302]", "[202301010000 TO 202302282359]"),
    ],
)
def test_a_date_in_short_means_what_arxiv_makes_of_it(meant: str, echo: str) -> None:
    """ArXiv fills partial dates up and echoes them so; that is no other meaning."""
    query = parse_query(f"ti:a AND submittedDate:{meant}")
    assert check_echo(query, echo_of(f"ti:a AND submittedDate:{echo}")) is None


def test_dates_that_run_backwards_are_refused() -> None:
    """They would find nothing, and be believed."""
    with pytest.raises(ParameterError, match="backwards"):
        parse_query("submittedDate:[202501010000 TO 202401010000]")


def test_an_underscore_is_sent_in_quotes() -> None:
    """ArXiv's server mixes such terms up unless they are quoted."""
    assert write_query(parse_query("au:mueller_a")) == 'au:"mueller_a"'


def test_shuffled_operands_of_or_are_another_echo() -> None:
    """The server keeps the order; one that did not would be looked at."""
    names = [f"ti:w{i}" for i in range(6)]
    shuffled = random.Random(1).sample(names, 6)
    assert shuffled != names
    assert check_echo(parse_query(" OR ".join(names)), echo_of(" OR ".join(shuffled))) is not None
