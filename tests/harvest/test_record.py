"""What arXiv says of a paper: dates, author lines, withdrawals, and the paper made of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.harvest.record import (
    ArxivRecord,
    Version,
    is_withdrawal,
    keep_raw,
    normalise_date,
    record_to_paper,
    split_authors,
)
from survey_tools.paper import Paper
from survey_tools.tex import normalise_text

RECORD = ArxivRecord(
    arxiv_id="2501.00042",
    version=2,
    title="Sparse harvests of hidden lattices",
    abstract="An invented abstract.",
    authors=("Ana Müller", "Q. Example Jr"),
    categories=("cs.DL", "cs.IR"),
    versions=(
        Version(number=1, submitted="2025-01-01T08:00:00Z"),
        Version(number=2, submitted="2026-02-03T10:11:12Z"),
    ),
    journal_ref="J. Invented Res. 1 (2025) 1-7",
    doi="10.1000/invented.42",
    as_of="2026-11-20",
)


def test_a_record_knows_its_dates() -> None:
    """Published with its first version, updated with the last, of the year of the first."""
    assert RECORD.published == "2025-01-01T08:00:00Z"
    assert RECORD.updated == "2026-02-03T10:11:12Z"
    assert RECORD.year == 2025


@pytest.mark.parametrize(
    "versions", [(), (Version(number=2, submitted="2026-02-03T10:11:12Z"),)], ids=["none", "v2"]
)
def test_a_year_is_not_guessed(versions: tuple[Version, ...]) -> None:
    """Where the first version is not named, its year is not known."""
    record = ArxivRecord(
        arxiv_id="2501.00042",
        version=2,
        title="t",
        abstract="a",
        authors=("A",),
        categories=(),
        versions=versions,
        as_of="2026-11-20",
    )
    assert record.published is None
    assert record.year is None


def test_a_record_becomes_a_paper() -> None:
    """With its id as key, and without anything that a survey has no place for."""
    assert record_to_paper(RECORD) == Paper(
        key="2501.00042",
        title="Sparse harvests of hidden lattices",
        abstract="An invented abstract.",
        authors=("Ana Müller", "Q. Example Jr"),
        year=2025,
        venue="J. Invented Res. 1 (2025) 1-7",
        arxiv_id="2501.00042",
        doi="10.1000/invented.42",
        url="https://arxiv.org/abs/2501.00042",
    )
    assert record_to_paper(RECORD, key="mueller2025").key == "mueller2025"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-02-03T10:11:12Z", "2025-02-03T10:11:12Z"),
        ("2025-02-03T10:11:12-05:00", "2025-02-03T15:11:12Z"),
        ("2025-02-03T00:30:00+01:00", "2025-02-02T23:30:00Z"),
        ("2025-02-03T10:11:12.999Z", "2025-02-03T10:11:12Z"),
        ("2025-02-03T10:11:12", "2025-02-03T10:11:12Z"),
        ("2025-02-03", "2025-02-03T00:00:00Z"),
        ("Mon, 3 Feb 2025 10:11:12 GMT", "2025-02-03T10:11:12Z"),
        ("Mon, 03 Feb 2025 10:11:12 GMT", "2025-02-03T10:11:12Z"),
        ("Mon, 3 Feb 2025 10:11:12 EST", "2025-02-03T15:11:12Z"),
        ("Mon, 3 Feb 2025 10:11:12 -0500", "2025-02-03T15:11:12Z"),
        ("Thu, 29 Feb 1996 23:59:59 GMT", "1996-02-29T23:59:59Z"),
        ("\n Mon, 3 Feb 2025 10:11:12 GMT \n", "2025-02-03T10:11:12Z"),
    ],
)
def test_dates_of_all_sources_have_one_form(text: str, date: str) -> None:
    """ISO 8601 and RFC 2822, always written in UTC."""
    assert normalise_date(text) == date


@given(st.datetimes(datetime(1000, 1, 1)))
def test_the_fast_way_agrees_with_the_general_one(when: datetime) -> None:
    """RFC dates are read by a regular expression; ``+0000`` goes the long way round."""
    text = format_datetime(when.replace(tzinfo=UTC))
    assert text.endswith("+0000")
    expected = when.isoformat()[:19] + "Z"
    assert normalise_date(text) == expected
    assert normalise_date(text.replace("+0000", "GMT")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "2025",
        "2025-02-30T00:00:00Z",
        "2025-02-03T24:00:01Z",
        "Mon, 30 Feb 2025 00:00:00 GMT",
        "Mon, 00 Feb 2025 00:00:00 GMT",
        "Mon, 3 Xyz 2025 10:11:12 GMT",
        "Mon, 3 Feb 0000 10:11:12 GMT",
        "Mon, 3 Feb 2025 25:11:12 GMT",
        "Mon, 3 Feb 2025 10:11:12 +9999",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """By a ValueError, which the readers turn into a malformed entry."""
    with pytest.raises(ValueError, match=r"."):
        normalise_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-01:00",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_a_date_beyond_the_calendar_is_no_date(text: str) -> None:
    """An OverflowError is no ValueError: it would end the whole harvest."""
    with pytest.raises(ValueError, match=r"."):
        normalise_date(text)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("A. Alpha", ("A. Alpha",)),
        ("A. Alpha and B. Beta", ("A. Alpha", "B. Beta")),
        ("A. Alpha, B. Beta, and C. Gamma", ("A. Alpha", "B. Beta", "C. Gamma")),
        ("A. Alpha, B. Beta and C. Gamma", ("A. Alpha", "B. Beta", "C. Gamma")),
        ("A. Alpha; B. Beta", ("A. Alpha", "B. Beta")),
        ("A. Alpha; B. Beta; and C. Gamma", ("A. Alpha", "B. Beta", "C. Gamma")),
        ("A. Alpha ,and B. Beta", ("A. Alpha", "B. Beta")),
        ("A. Alpha,B. Beta,", ("A. Alpha", "B. Beta")),
        ("A. Alpha\n  and B.\n Beta", ("A. Alpha", "B. Beta")),
        ("Alexander Sand, Wanda Andrews", ("Alexander Sand", "Wanda Andrews")),
        (
            "A. Alpha, Jr., B. Beta III, C. Gamma, IV",
            ("A. Alpha Jr.", "B. Beta III", "C. Gamma IV"),
        ),
        (r"\'Ana M\"uller (Nowhere University), Q. Example Jr", ("Ána Müller", "Q. Example Jr")),
        ("A. Alpha (Far (and (very) far) Observatory, Island), B. Beta", ("A. Alpha", "B. Beta")),
        ("A. Alpha (1), B. Beta (1 and 2) ((1) There, (2) Here)", ("A. Alpha", "B. Beta")),
        ("A. Alpha (Here), and B. Beta (There)", ("A. Alpha", "B. Beta")),
        ("A. Alpha, B. Beta (never closed, C. Gamma", ("A. Alpha", "B. Beta")),
        ("A. Alpha), B. Beta", ("A. Alpha", "B. Beta")),
        ("The Invented Collaboration", ("The Invented Collaboration",)),
        ("", ()),
        ("(Nowhere University)", ()),
    ],
)
def test_an_author_line_is_split_into_names(line: str, names: tuple[str, ...]) -> None:
    """Affiliations go, suffixes stay with the name before them."""
    assert split_authors(line) == names


def _seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    return min(once() for _ in range(5))


@pytest.mark.parametrize(
    ("make", "n"),
    [(lambda n: "A " + "()" * n + " B", 200), (lambda n: "A " + "(" * n + ")" * n, 2000)],
    ids=["many", "nested"],
)
def test_parentheses_take_time_in_proportion(make: Callable[[int], str], n: int) -> None:
    """Four times as many take some four times as long, not sixteen or sixty-four times."""
    short, long = make(n), make(4 * n)
    assert _seconds(lambda: split_authors(long)) < 10 * _seconds(lambda: split_authors(short))


@pytest.mark.parametrize(
    "comment",
    [
        "This paper has been withdrawn",
        "This paper has been withdrawn by the author due to an error in Lemma 3",
        "paper was withdrawn",
        "Withdrawn",
        "[withdrawn] wrong proof",
        "Temporarily: this paper has been temporarily withdrawn",
        "WITHDRAWN BY THE AUTHORS",
    ],
)
def test_a_comment_that_withdraws_is_seen(comment: str) -> None:
    """As authors and administrators write it."""
    assert is_withdrawal(comment, "We study lattices.")


def test_an_old_abstract_that_withdraws_is_seen() -> None:
    """Before there were comments for it, the abstract was replaced."""
    assert is_withdrawal(None, "This paper has been withdrawn by the author.")
    assert is_withdrawal(None, "Withdrawn.")


@pytest.mark.parametrize(
    ("comment", "abstract"),
    [
        (None, ""),
        ("12 pages, 3 figures", "We study the withdrawal of troops."),
        ("on withdrawn drugs", "Withdrawal symptoms are studied."),
        (None, "We look at drugs. " * 4 + "One of them was withdrawn in 2004."),
        ("10 pages, notwithdrawn", "a"),
    ],
)
def test_a_paper_about_withdrawals_is_not_withdrawn(comment: str | None, abstract: str) -> None:
    """The words must withdraw this paper."""
    assert not is_withdrawal(comment, abstract)


@pytest.mark.parametrize(
    ("comment", "abstract"),
    [
        (None, "Rofenil was withdrawn from the market in 2004; we ask why."),
        (None, "Why have so many invented drugs been withdrawn? We count them."),
        ("5 pages; supersedes arXiv:1001.0001, which has been withdrawn", "We study lattices."),
    ],
)
def test_something_else_that_was_withdrawn_is_no_withdrawal(
    comment: str | None, abstract: str
) -> None:
    """A drug at the beginning of an abstract, or another paper in a comment."""
    assert not is_withdrawal(comment, abstract)


def test_raw_text_is_kept_where_more_than_white_space_changed() -> None:
    """TeX, and Unicode that was not composed; not line breaks."""
    fields = [
        ("title", "two\n  lines ", "two lines"),
        ("abstract", r"Schr\"odinger", "Schrödinger"),
        ("authors", "A. Alpha (Here)", "A. Alpha"),
        ("comment", "cafe\u0301", "café"),
        ("other", "Schrödinger (1935)", "Schrödinger (1935)"),
    ]
    assert keep_raw(fields) == (
        ("abstract", r"Schr\"odinger"),
        ("authors", "A. Alpha (Here)"),
        ("comment", "cafe\u0301"),
    )


def test_macros_that_stay_do_not_make_a_text_rewritten() -> None:
    """Only an accent that was decoded does, also beside macros that stay."""
    plain, accented = "$O(\\log n)$\n\\emph{now}", '\\emph{na\\"ive}\n$\\alpha$'
    fields = [
        ("title", plain, normalise_text(plain)),
        ("abstract", accented, normalise_text(accented)),
    ]
    assert keep_raw(fields) == (("abstract", accented),)
