"""The store: what goes in comes out, newer stays over older, and a fault leaves nothing half."""

import os
import random
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import pytest
from arxiv_atom import AtomPage, render_entry
from arxiv_catalogue import Row
from arxiv_server import TruePaper, make_truth, write_snapshot
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.errors import DataError, OutputError, SurveyToolsError
from survey_tools.harvest import database
from survey_tools.harvest import store as store_module
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.paper_rows import Stored, put_records
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.schema import APPLICATION_ID, INDEX_ROWS, INDEX_TITLES, MIGRATIONS
from survey_tools.harvest.snapshot import read_snapshot
from survey_tools.harvest.store import Store, StoreCounts
from survey_tools.tex import title_key

NOTICE = "This paper has been withdrawn by the author"


def record(
    version: int = 1, as_of: str = "2025-03-01", arxiv_id: str = "2501.00042", **given: Any
) -> ArxivRecord:
    """Make a record whose texts tell its version."""
    usual: dict[str, Any] = {
        "title": f"Title of version {version}",
        "abstract": f"Abstract of version {version}.",
        "authors": ("Ana Müller", "Q. Example Jr"),
        "categories": ("cs.DL", "cs.IR"),
        "versions": tuple(
            Version(number=number, submitted=f"2025-01-0{number}T00:00:00Z")
            for number in range(1, version + 1)
        ),
    }
    return ArxivRecord(arxiv_id=arxiv_id, version=version, as_of=as_of, **usual | given)


def withdrawn(version: int, as_of: str = "2025-03-01", **given: Any) -> ArxivRecord:
    """Make a record that withdraws the paper, without an abstract."""
    good = record(version, as_of)
    last = replace(good.versions[-1], withdrawn=True)
    changes = {"abstract": "", "comment": NOTICE} | given
    return replace(good, withdrawn=True, versions=(*good.versions[:-1], last), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a new store."""
    with Store(tmp_path / "harvest.db") as opened:
        yield opened


@contextmanager
def new_store() -> Iterator[Store]:
    """Open a new store for one example."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "harvest.db") as opened,
    ):
        yield opened


def put_one_by_one(records: Sequence[ArxivRecord]) -> ArxivRecord:
    """Put records of one paper into a new store, each alone; return what it holds then."""
    with new_store() as opened:
        for each in records:
            opened.put_records([each])
        (held,) = opened.iterate()
    return held


# ---- what goes in comes out --------------------------------------------------------------

names = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), min_size=1, max_size=12)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
dates = st.none() | st.just("2025-01-01T08:00:00Z")
records = st.builds(
    ArxivRecord,
    arxiv_id=st.sampled_from(["2501.00042", "0704.0001", "math/0309136", "hep-th/9901001"]),
    version=st.integers(1, 200),
    title=texts,
    abstract=texts,
    authors=st.lists(names, min_size=1, max_size=3).map(tuple),
    categories=st.lists(st.sampled_from(["cs.DL", "hep-th", "math.GT"]), unique=True).map(tuple),
    versions=st.lists(st.integers(1, 200), unique=True, max_size=3).flatmap(
        lambda numbers: st.tuples(
            *(
                st.builds(Version, number=st.just(n), submitted=dates, withdrawn=st.booleans())
                for n in sorted(numbers)
            )
        )
    ),
    comment=st.none() | texts,
    journal_ref=st.none() | texts,
    doi=st.none() | texts,
    license_url=st.none() | texts,
    withdrawn=st.booleans(),
    as_of=st.dates().map(str),
    raw=st.lists(st.tuples(st.sampled_from(["title", "abstract"]), texts), max_size=2).map(tuple),
)


@given(records)
def test_a_record_comes_back_as_it_went_in(given_record: ArxivRecord) -> None:
    """Every field, whatever it holds: Unicode, line ends, NUL characters, nothing."""
    with new_store() as opened:
        assert opened.put_records([given_record]) == Stored(n_new=1)
        assert opened.get_record(given_record.arxiv_id) == given_record
        assert list(opened.iterate()) == [given_record]


def test_raw_text_with_a_nul_spoils_no_reading(store: Store) -> None:
    """JSON can hold one; a store that cannot be read through any more would be lost."""
    raw = (("title", 'Schr\\"odinger\0s cat'), ("abstract", "a\0"))
    store.put_records([record(raw=raw)])
    assert [each.raw for each in store.iterate()] == [raw]


def test_a_record_without_authors_has_none(store: Store) -> None:
    """No one is not somebody without a name."""
    store.put_records([record(authors=())])
    (held,) = store.iterate()
    assert held.authors == ()


def test_a_store_is_read_by_the_next_process(tmp_path: Path) -> None:
    """Closed and opened again; no second file is left beside it."""
    path = tmp_path / "folder" / "harvest.db"
    with Store(path) as first:
        first.put_records([record()])
    assert [each.name for each in path.parent.iterdir()] == ["harvest.db"]
    with Store(path) as second:
        assert second.get_record("2501.00042") == record()


def test_papers_are_gone_through_in_the_order_of_their_ids(store: Store) -> None:
    """Not in the order in which they came."""
    ids = ["hep-th/9901001", "2501.00002", "0704.0001", "2501.00001"]
    store.put_records([record(arxiv_id=arxiv_id) for arxiv_id in ids])
    assert [each.arxiv_id for each in store.iterate()] == sorted(ids)


def test_a_paper_that_is_not_there_is_none(store: Store) -> None:
    """Ids are canonical here."""
    store.put_records([record(arxiv_id="math/0309136")])
    assert store.get_record("2501.00042") is None
    assert store.get_record("math.GT/0309136") is None
    assert store.get_record("math/0309136") is not None


def test_papers_are_counted(store: Store) -> None:
    """Those that are withdrawn, too."""
    store.put_records([record(arxiv_id="2501.00001"), withdrawn(2)])
    assert store.count() == StoreCounts(n_papers=2, n_withdrawn=1, n_pages=0, n_quarantined=0)


def test_more_papers_than_a_statement_has_parameters_are_stored(store: Store) -> None:
    """They are looked up in parts."""
    many = [record(arxiv_id=f"2501.{i:05}") for i in range(1, 1301)]
    assert store.put_records(many) == Stored(n_new=1300)
    assert store.put_records(many) == Stored(n_unchanged=1300)
    newer = [replace(each, title="New", as_of="2025-04-01") for each in many[:700]]
    assert store.put_records(newer) == Stored(n_changed=700)


def test_nothing_can_be_stored(store: Store) -> None:
    """A page of malformed entries has no record."""
    assert store.put_records([]) == Stored()


def test_counts_of_what_was_stored_add_up() -> None:
    """Field by field."""
    assert Stored(1, 2, 3, 4) + Stored(10, 20, 30, 40) == Stored(11, 22, 33, 44)


# ---- newer over older --------------------------------------------------------------------


def test_a_newer_version_replaces_an_older_one(store: Store) -> None:
    """Whose title and abstract are kept."""
    store.put_records([record(1)])
    assert store.put_records([record(2)]) == Stored(n_changed=1)
    assert store.get_record("2501.00042") == record(2)
    first = store.get_record("2501.00042", version=1)
    assert first is not None
    assert (first.version, first.title, first.abstract) == (
        1,
        "Title of version 1",
        "Abstract of version 1.",
    )
    assert [version.number for version in first.versions] == [1]


def test_an_older_version_never_replaces_a_newer_one(store: Store) -> None:
    """Whenever it was fetched; its texts are kept for who asks for it."""
    store.put_records([record(3)])
    assert store.put_records([record(2, "2026-01-01")]) == Stored(n_older=1)
    assert store.get_record("2501.00042") == record(3)
    second = store.get_record("2501.00042", version=2)
    assert second is not None
    assert second.title == "Title of version 2"


def test_of_one_version_the_later_word_counts(store: Store) -> None:
    """A journal reference is added without a new version; a snapshot is older than a feed."""
    store.put_records([record(as_of="2025-03-01")])
    later = record(as_of="2025-03-02", journal_ref="J. Invented Res. 1 (2025) 1")
    assert store.put_records([later]) == Stored(n_changed=1)
    assert store.put_records([record(as_of="2025-02-01", title="Old")]) == Stored(n_older=1)
    assert store.get_record("2501.00042") == later


def test_the_same_again_changes_nothing(store: Store) -> None:
    """But for the day for which the source vouches."""
    store.put_records([record(2)])
    assert store.put_records([record(2)]) == Stored(n_unchanged=1)
    assert store.put_records([record(2, "2025-03-09")]) == Stored(n_unchanged=1)
    assert store.get_record("2501.00042") == record(2, "2025-03-09")


def test_versions_that_were_never_seen_are_not_invented(store: Store) -> None:
    """Their dates are known, their texts are not."""
    store.put_records([record(3)])
    assert store.get_record("2501.00042", version=3) == record(3)
    assert store.get_record("2501.00042", version=2) is None
    assert store.get_record("2501.00042", version=4) is None


def test_an_earlier_version_has_no_comment_of_the_current_one(store: Store) -> None:
    """It was not withdrawn."""
    store.put_records([record(1, comment="7 pages")])
    store.put_records([withdrawn(2)])
    first = store.get_record("2501.00042", version=1)
    assert first is not None
    assert (first.comment, first.withdrawn) == (None, False)


def test_a_source_that_names_fewer_versions_takes_none_away(store: Store) -> None:
    """Atom names the first and the last; OAI-PMH names all."""
    store.put_records([record(3)])
    few = replace(record(3, "2025-04-01"), versions=record(3).versions[::2])
    assert store.put_records([few]) == Stored(n_unchanged=1)
    held = store.get_record("2501.00042")
    assert held is not None
    assert [version.number for version in held.versions] == [1, 2, 3]


def test_a_withdrawal_is_flagged_and_the_last_good_abstract_stays(store: Store) -> None:
    """The comment says why."""
    store.put_records([record(1)])
    assert store.put_records([withdrawn(2)]) == Stored(n_changed=1)
    held = store.get_record("2501.00042")
    assert held is not None
    assert (held.withdrawn, held.version, held.comment) == (True, 2, NOTICE)
    assert held.abstract == "Abstract of version 1."
    assert store.put_records([withdrawn(2)]) == Stored(n_unchanged=1)


def test_a_notice_in_place_of_the_abstract_is_no_abstract(store: Store) -> None:
    """As old withdrawals have it."""
    store.put_records([record(1)])
    store.put_records([withdrawn(2, abstract=f"{NOTICE}.")])
    held = store.get_record("2501.00042")
    assert held is not None
    assert held.abstract == "Abstract of version 1."


def test_an_abstract_that_is_none_of_a_notice_is_stored(store: Store) -> None:
    """A withdrawn paper may keep its abstract, or get a new one."""
    store.put_records([record(1)])
    store.put_records([withdrawn(2, abstract="A new abstract.")])
    held = store.get_record("2501.00042")
    assert held is not None
    assert held.abstract == "A new abstract."


def test_a_flag_that_was_taken_back_is_taken_back_everywhere(store: Store) -> None:
    """A record and its last version say the same."""
    store.put_records([withdrawn(1, abstract="An abstract.")])
    store.put_records([record(1, "2025-04-01")])
    held = store.get_record("2501.00042")
    assert held is not None
    assert held.withdrawn is False
    assert held.versions[-1].withdrawn is False


# ---- any order ---------------------------------------------------------------------------


def one_of_rank(version: int, day: int, draw: random.Random) -> ArxivRecord:
    """Make a record with chance texts, whose dates agree with those of all others."""
    made = record(version, f"2025-03-{day:02}")
    return replace(
        made,
        title=f"Title {draw.randrange(3)}",
        abstract=f"Abstract {draw.randrange(3)}.",
        comment=draw.choice([None, "7 pages", "8 pages"]),
        versions=made.versions
        if draw.random() < 0.5
        else (made.versions[0], *made.versions[-1:])
        if version > 1
        else made.versions,
    )


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=6, unique=True),
    st.randoms(use_true_random=False),
)
def test_records_in_any_order_give_the_same_papers(
    ranks: list[tuple[int, int]], draw: random.Random
) -> None:
    """In any batches and repeated, whenever version and day tell any two of a paper apart.

    What came raw is left out: it is kept from whichever of two equal texts came first.
    """
    made = [one_of_rank(version, day, draw) for version, day in ranks]
    others = [replace(each, arxiv_id="2501.00043") for each in made]
    shuffled = [*made, *others, *draw.sample(made, k=len(made) // 2)]
    draw.shuffle(shuffled)
    with new_store() as in_order:
        for each in sorted([*made, *others], key=lambda r: (r.version, r.as_of)):
            in_order.put_records([each])
        expected = list(in_order.iterate())
    with new_store() as in_disorder:
        while shuffled:
            n = draw.randint(1, 4)
            in_disorder.put_records(shuffled[:n])
            shuffled = shuffled[n:]
        assert list(in_disorder.iterate()) == expected


def test_a_withdrawal_that_comes_first_leaves_room_for_the_abstract() -> None:
    """Whatever the order in which versions come, the last good abstract is shown."""
    versions = [record(1), record(2), withdrawn(3)]
    for order in permutations(versions):
        held = put_one_by_one(order)
        assert (held.version, held.withdrawn) == (3, True)
        assert held.abstract == "Abstract of version 2."


def test_a_licence_is_kept_whichever_source_comes_first() -> None:
    """The Atom feed has none: its silence is no news, however late it is."""
    atom = record(1, "2025-03-05")
    oai = record(1, "2025-03-01", license_url="http://127.0.0.1/licence")
    for order in permutations([atom, oai]):
        assert put_one_by_one(order).license_url == "http://127.0.0.1/licence"


@pytest.mark.parametrize("is_known", [False, True])
def test_of_two_records_of_one_day_the_last_counts(store: Store, is_known: bool) -> None:
    """In one batch as in two."""
    if is_known:
        store.put_records([record(1, "2025-01-01")])
    store.put_records([record(1, title="First"), record(1, title="Second")])
    held = store.get_record("2501.00042")
    assert held is not None
    assert held.title == "Second"
    assert put_one_by_one([record(1, title="First"), record(1, title="Second")]).title == "Second"


def test_texts_of_an_earlier_version_are_the_latest_word_too() -> None:
    """Of two records of one version the later one counts, current or not."""
    early, late = record(1, "2025-03-01", title="Early"), record(1, "2025-03-05", title="Late")
    for order in permutations([record(2), early, late]):
        with new_store() as opened:
            for each in order:
                opened.put_records([each])
            first = opened.get_record("2501.00042", version=1)
        assert first is not None
        assert first.title == "Late"


# ---- a change of source is no update -----------------------------------------------------


def atom_records(truth: list[TruePaper]) -> list[ArxivRecord]:
    """Read papers as the Atom API writes them."""
    entries = tuple(render_entry(Row(paper, len(paper.versions))) for paper in truth)
    page = AtomPage(
        echo="x",
        href="x",
        now=datetime(2027, 1, 1, tzinfo=UTC),
        size=len(entries),
        start=0,
        total=len(entries),
        entries=entries,
    )
    return list(parse_atom(page.render().encode()).records)


def test_the_same_papers_from_another_source_change_nothing(store: Store, tmp_path: Path) -> None:
    """TeX and wrapped lines from the snapshot, Unicode from the Atom API: one text."""
    truth = [paper for paper in make_truth(150, seed=9) if not paper.withdrawn]
    lines = read_snapshot(write_snapshot(truth, tmp_path / "snapshot.json"))
    from_file = [line.content for line in lines if isinstance(line.content, ArxivRecord)]
    assert len(from_file) == len(truth)
    assert store.put_records(from_file) == Stored(n_new=len(truth))
    assert store.put_records(atom_records(truth)) == Stored(n_unchanged=len(truth))


# ---- titles ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "writing",
    [
        "Café-style R&D, part 2",
        "CAFE STYLE R D PART 2",
        'caf\\\'e{}style "R&D" (Part 2)',
        "cafestyle",
    ],
)
def test_a_title_is_found_in_any_writing(store: Store, writing: str) -> None:
    """Blanks, case, accents and punctuation aside; a part of it is another title."""
    store.put_records([record(title="Café style R&D: part 2"), record(arxiv_id="2501.00043")])
    found = store.find_title(title_key(writing))
    expected = [] if writing == "cafestyle" else ["2501.00042"]
    assert [each.arxiv_id for each in found] == expected


def test_a_new_title_is_found_and_the_old_one_no_longer(store: Store) -> None:
    """The key follows the title."""
    store.put_records([record(1, title="Old words")])
    store.put_records([record(2, title="New words")])
    assert store.find_title("old words") == []
    assert len(store.find_title("new words")) == 1


def test_all_papers_with_one_title_are_found_in_order(store: Store) -> None:
    """Whoever asks must choose."""
    store.put_records(
        [record(arxiv_id=i, title="One title") for i in ("2501.00003", "0704.0001", "2501.00002")]
    )
    assert [each.arxiv_id for each in store.find_title("onetitle")] == [
        "0704.0001",
        "2501.00002",
        "2501.00003",
    ]


def test_a_title_without_letters_is_no_key_to_others(store: Store) -> None:
    """Two titles of signs alone have nothing in common."""
    store.put_records([record(title="???")])
    assert store.find_title(title_key("!!!")) == []


# ---- full text ---------------------------------------------------------------------------

SHELF = [
    record(
        arxiv_id="2501.00001",
        title="Hidden lattices in C++",
        abstract="Alpha AND beta; see the café.",
    ),
    record(arxiv_id="2501.00002", title="Lattices", abstract="Hidden things, gamma and more."),
    record(arxiv_id="2501.00003", title="Nothing", abstract="Delta."),
]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hidden lattices", {1, 2}),
        ("HIDDEN Lattices", {1, 2}),
        ('"hidden lattices"', {1}),
        ('"lattices hidden"', set()),
        ("cafe", {1}),
        ("CAFÉ", {1}),
        ("and", {1, 2}),
        ("alpha OR delta", set()),
        ("NOT", set()),
        ("NEAR(alpha beta)", set()),
        ("title:lattices", set()),
        ("lattic*", set()),
        ("^hidden", {1, 2}),
        ("(delta", {3}),
        ('delta"', {3}),
        ('"', set()),
        ('""', set()),
        ("", set()),
        (" ", set()),
        ("{a}", set()),
    ],
)
def test_all_words_must_occur(store: Store, words: str, expected: set[int]) -> None:
    """No word is an operator, no sign an error, whatever FTS5 makes of it."""
    store.put_records(SHELF)
    ids = {f"2501.0000{i}" for i in expected}
    assert {each.arxiv_id for each in store.search_text(words)} == ids
    assert store.ids_matching(words) == ids


@pytest.mark.parametrize(
    "words", ["hidden - lattices", "hidden & lattices", '"hidden" "!" lattices']
)
def test_signs_between_words_do_not_matter(store: Store, words: str) -> None:
    """A title is often pasted with its dashes."""
    store.put_records(SHELF)
    assert store.ids_matching(words) == {"2501.00001", "2501.00002"}


@pytest.mark.parametrize("words", ["a\0b", "\0", '"x\0"', "\ud800"])
def test_no_words_break_the_search(store: Store, words: str) -> None:
    """They may match nothing."""
    store.put_records(SHELF)
    try:
        assert store.search_text(words) == []
        assert store.ids_matching(words) == set()
    except SurveyToolsError as error:
        assert "harvest.db: cannot be used" not in str(error)  # noqa: PT017  the file is fine


def test_the_best_match_comes_first_and_the_rest_is_cut(store: Store) -> None:
    """A rare word in a short text counts most."""
    store.put_records(
        [
            record(arxiv_id="2501.00001", title="Long", abstract="lattices " + "and more " * 50),
            record(arxiv_id="2501.00002", title="Lattices", abstract="Lattices."),
            *(record(arxiv_id=f"2501.{i:05}", abstract="other") for i in range(3, 30)),
        ]
    )
    assert [r.arxiv_id for r in store.search_text("lattices")] == ["2501.00002", "2501.00001"]
    assert [r.arxiv_id for r in store.search_text("lattices", limit=1)] == ["2501.00002"]
    assert store.search_text("lattices", limit=0) == []
    assert len(store.search_text("other")) == 20


def test_the_index_catches_up(store: Store) -> None:
    """Once; what came since then is added, and nothing twice."""
    store.put_records(SHELF[:2])
    assert store.index_texts() == 2
    assert store.index_texts() == 0
    store.put_records(SHELF)
    assert store.index_texts() == 1
    assert store.ids_matching("delta") == {"2501.00003"}


def test_the_index_catches_up_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that other writers wait no longer than one part takes."""
    monkeypatch.setattr(store_module, "_N_INDEXED_AT_ONCE", 4)
    store.put_records([record(arxiv_id=f"2501.{i:05}", abstract="common") for i in range(1, 13)])
    assert store.index_texts() == 12
    assert len(store.ids_matching("common")) == 12


@pytest.mark.parametrize("is_indexed", [False, True])
def test_changed_texts_are_found_and_old_words_no_longer(store: Store, is_indexed: bool) -> None:
    """Whether the paper was indexed before it changed or not."""
    store.put_records([record(1, title="Ancient", abstract="Obsolete words.")])
    if is_indexed:
        assert store.ids_matching("ancient obsolete") == {"2501.00042"}
    store.put_records([record(2, title="Modern", abstract="Fresh words.")])
    assert store.ids_matching("modern fresh") == {"2501.00042"}
    assert store.ids_matching("ancient") == set()
    assert store.ids_matching("obsolete") == set()
    assert store.query("INSERT INTO texts (texts, rank) VALUES ('integrity-check', 1)") == []


def test_candidates_share_the_rarest_words(store: Store) -> None:
    """Common words decide nothing; a word that no title has is passed over."""
    store.put_records(
        [
            *(record(arxiv_id=f"2501.{i:05}", title="the common words") for i in range(1, 31)),
            record(arxiv_id="2502.00001", title="the quaternion words"),
            record(arxiv_id="2502.00002", title="elsewhere", abstract="quaternion"),
        ]
    )
    found = store.find_title_words(["the", "quaternion", "unheard"], limit=1)
    assert [each.arxiv_id for each in found] == ["2502.00001"]
    assert store.find_title_words(["unheard"], limit=5) == []
    assert store.find_title_words([], limit=5) == []


def test_six_words_are_used_at_most(store: Store) -> None:
    """The rarest: title i holds the words i to 7, so that 6 and 7 are the most common."""
    titles = [" ".join(f"w{word}" for word in range(i, 8)) for i in range(8)]
    store.put_records(
        [record(arxiv_id=f"2501.0000{i}", title=title) for i, title in enumerate(titles)]
    )
    found = store.find_title_words([f"w{i}" for i in range(8)], limit=50)
    assert {each.arxiv_id for each in found} == {f"2501.0000{i}" for i in range(6)}
    assert len(store.find_title_words(["w7"], limit=50)) == 8


@pytest.mark.parametrize("title", ["CAFÉS", "Łódź", "Straße", "{M}asked", "x²", "ﬁelds", r"$\ell$"])
def test_every_word_of_a_key_finds_its_title(store: Store, title: str) -> None:
    """Titles are looked for by the words of their keys; the index must split them alike."""
    store.put_records([record(title=f"{title} of others")])
    (word, *_) = title_key(title).split()
    assert len(store.find_title_words([word], limit=5)) == 1


# ---- gaps --------------------------------------------------------------------------------


def test_missing_numbers_of_a_month_are_named(store: Store) -> None:
    """Between stored ones, month by month, with as many digits as the month has; not old ids."""
    ids = ["0704.0001", "0704.0003", "1412.9999", "1501.00001", "2501.00001", "2501.00005"]
    old = ["hep-th/9901001", "hep-th/9901005", "cond-mat/9901001"]
    store.put_records([record(arxiv_id=arxiv_id) for arxiv_id in [*ids, *old]])
    assert store.find_gaps() == [
        ("0704.0002", "0704.0002", 1),
        ("2501.00002", "2501.00004", 3),
    ]


# ---- transactions ------------------------------------------------------------------------


def test_an_error_takes_everything_back(store: Store) -> None:
    """Whatever it is, an interrupt too."""

    def fail(error: BaseException) -> None:
        with store.transaction() as connection:
            put_records(connection, [record()])
            raise error

    for error in (ValueError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
        assert store.get_record("2501.00042") is None
    store.put_records([record()])
    assert store.count().n_papers == 1


def test_a_record_that_cannot_be_stored_takes_its_batch_back(store: Store) -> None:
    """All or nothing, and a sentence of ours."""
    bad = record(abstract=None)
    with pytest.raises(OutputError, match="abstract"):
        store.put_records([record(arxiv_id="2501.00001"), bad])
    assert store.count().n_papers == 0


def test_a_full_disk_takes_the_page_back(store: Store) -> None:
    """What was stored before it is there, and the store can be used again."""
    store.put_records([record(arxiv_id="2501.00001")])
    (n_pages,) = store.query("PRAGMA page_count")[0]
    store.query(f"PRAGMA max_page_count = {n_pages + 1}")
    many = [record(arxiv_id=f"2502.{i:05}", abstract="x" * 5000) for i in range(1, 100)]
    with pytest.raises(OutputError, match="the disk is full; nothing of the last page was stored"):
        store.put_records(many)
    assert [each.arxiv_id for each in store.iterate()] == ["2501.00001"]
    store.query("PRAGMA max_page_count = 1000000")
    assert store.put_records(many) == Stored(n_new=99)


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Each page is whole, none is lost."""
    path = tmp_path / "harvest.db"
    Store(path).close()

    def write(month: str) -> None:
        with Store(path) as opened:
            for i in range(1, 21):
                opened.put_records([record(arxiv_id=f"{month}.{i:05}")])

    threads = [threading.Thread(target=write, args=(month,)) for month in ("2501", "2502")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with Store(path) as opened:
        assert opened.count().n_papers == 40


def test_a_writer_that_does_not_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute; here after a moment."""
    monkeypatch.setattr(database, "_BUSY_S", 0.05)
    path = tmp_path / "harvest.db"
    with (
        Store(path) as first,
        Store(path) as second,
        first.transaction(),
        pytest.raises(OutputError, match="another program has held it"),
    ):
        second.put_records([record()])


def test_papers_can_be_gone_through_while_others_are_stored(store: Store) -> None:
    """An export need not wait for a harvest."""
    store.put_records([record(arxiv_id=f"2501.{i:05}") for i in range(1, 51)])
    seen = []
    for each in store.iterate():
        seen.append(each.arxiv_id)
        store.put_records(
            [record(arxiv_id=each.arxiv_id.replace("2501", "0801").replace(".0", "."))]
        )
    assert seen[:50] == sorted(seen[:50])
    assert {f"2501.{i:05}" for i in range(1, 51)} <= set(seen)


# ---- opening -----------------------------------------------------------------------------


def test_a_store_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """For reading as well; it is left as it is."""
    path = tmp_path / "harvest.db"
    with Store(path) as opened:
        opened.query(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    said = f"has schema version {len(MIGRATIONS) + 1}, this survey-tools knows {len(MIGRATIONS)}"
    for read_only in (False, True):
        with pytest.raises(DataError, match=f"{said}; update survey-tools"):
            Store(path, read_only=read_only)
    assert path.read_bytes() == before


def make_version(version: int, path: Path, records: Sequence[ArxivRecord]) -> None:
    """Make a store as that schema had it: 1 without full text, 2 without titles apart."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in chain.from_iterable(MIGRATIONS[:version]):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("BEGIN")
    put_records(connection, records)
    if version == 2:
        connection.execute(INDEX_ROWS, (0, 2))  # the last is not indexed yet
        connection.execute(INDEX_TITLES[-1], (0, 2))
    connection.execute("COMMIT")
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_older_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """Its papers are there, and can be searched, and by their titles alone."""
    path = tmp_path / "harvest.db"
    make_version(version, path, SHELF)
    with pytest.raises(DataError, match=rf"has schema version {version} and must be brought to"):
        Store(path, read_only=True)
    with Store(path) as opened:
        assert list(opened.iterate()) == SHELF
        assert opened.ids_matching("hidden lattices") == {"2501.00001", "2501.00002"}
        for record in SHELF:
            found = opened.find_title_words(title_key(record.title).split(), limit=1)
            assert [paper.arxiv_id for paper in found] == [record.arxiv_id]
        assert opened.query("PRAGMA user_version") == [(len(MIGRATIONS),)]
    with Store(path, read_only=True) as opened:
        assert opened.count().n_papers == 3


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All statements are one transaction."""
    path = tmp_path / "harvest.db"
    make_version(1, path, SHELF)
    broken = (*MIGRATIONS[:1], (*MIGRATIONS[1], "CREATE TABLE papers (x)"))
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", broken)
        with pytest.raises(OutputError, match="already exists"):
            Store(path)
    with Store(path) as opened:
        assert opened.ids_matching("delta") == {"2501.00003"}


def test_two_that_open_an_old_store_at_once_both_get_it(tmp_path: Path) -> None:
    """Only one of them brings it up to date."""
    path = tmp_path / "harvest.db"
    make_version(1, path, SHELF)
    problems: list[BaseException] = []
    barrier = threading.Barrier(4)

    def open_it() -> None:
        barrier.wait(10)
        try:
            with Store(path) as opened:
                assert opened.count().n_papers == 3
        except BaseException as error:  # noqa: BLE001  it is asserted on below
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []


def test_two_that_make_a_store_at_once_both_get_it(tmp_path: Path) -> None:
    """As two commands started together do."""
    problems: list[BaseException] = []
    barrier = threading.Barrier(4)

    def open_it() -> None:
        barrier.wait(10)
        try:
            with Store(tmp_path / "new" / "harvest.db") as opened:
                opened.put_records([record()])
        except BaseException as error:  # noqa: BLE001  it is asserted on below
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_of_another_program_is_refused(tmp_path: Path, read_only: bool) -> None:
    """And left as it is."""
    path = tmp_path / "photos.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (name)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DataError, match="is a database of another program; name another file"):
        Store(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("text", [b"title: my survey\n", b"x" * 9000, b"SQLite format 3\0" * 100])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, text: bytes, read_only: bool
) -> None:
    """A slip of --store must not cost the survey."""
    path = tmp_path / "survey.yaml"
    path.write_bytes(text)
    with pytest.raises(DataError, match=r"survey\.yaml: is no store of survey-tools or is damaged"):
        Store(path, read_only=read_only)
    assert path.read_bytes() == text


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """Wherever it is damaged: a sentence, at the latest when it is read."""
    path = tmp_path / "harvest.db"
    with Store(path) as opened:
        opened.put_records(
            [record(arxiv_id=f"2501.{i:05}", abstract="x y z " * 100) for i in range(1, 500)]
        )
        opened.index_texts()
    whole = path.read_bytes()

    def read_all() -> None:
        with Store(path) as damaged:
            list(damaged.iterate())
            damaged.search_text("x")

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is damaged"):
        read_all()
    middle = len(whole) // 2
    path.write_bytes(whole[: middle // 2] + b"\xaa" * middle + whole[middle // 2 + middle :])
    with pytest.raises(DataError, match="is damaged"):
        read_all()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """Nor can one be made of it."""
    with pytest.raises(DataError, match="is a folder; --store names a file"):
        Store(tmp_path)
    with pytest.raises(DataError, match="no such store"):
        Store(tmp_path, read_only=True)


def test_a_store_that_is_not_there_is_not_made_for_reading(tmp_path: Path) -> None:
    """The message says how to make one."""
    with pytest.raises(DataError, match="no such store; make one with survey-tools harvest"):
        Store(tmp_path / "folder" / "harvest.db", read_only=True)
    assert not (tmp_path / "folder").exists()


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    """The folder of a store is made where it can be."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be made"):
        Store(tmp_path / "file" / "harvest.db")


@pytest.mark.parametrize(
    "name", ["a b.db", "a?mode=ro.db", "a#b.db", "a%20b.db", "ü.db", ":memory:"]
)
def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    """SQLite's addresses give some signs a meaning; here they have none."""
    with Store(tmp_path / "folder" / name) as opened:
        opened.put_records([record()])
    assert [each.name for each in (tmp_path / "folder").iterdir()] == [name]


def test_a_nul_in_a_file_name_is_refused() -> None:
    """YAML can write such a name, and no file system can hold it."""
    with pytest.raises(SurveyToolsError, match="null byte"):
        Store(Path("a\0b"))


# ---- reading alone -----------------------------------------------------------------------


def test_a_store_opened_for_reading_is_not_written(tmp_path: Path) -> None:
    """The message says what can be done."""
    path = tmp_path / "harvest.db"
    with Store(path) as opened:
        opened.put_records([record()])
    with Store(path, read_only=True) as opened:
        assert opened.get_record("2501.00042") == record()
        with pytest.raises(OutputError, match="cannot be written; name another file by --store"):
            opened.put_records([record(2)])
    with Store(path) as opened:
        assert opened.get_record("2501.00042") == record()


@pytest.mark.parametrize(
    "search",
    [
        lambda store: [each.arxiv_id for each in store.search_text("hidden")],
        lambda store: sorted(store.ids_matching("hidden")),
        lambda store: [e.arxiv_id for e in store.find_title_words(["lattices"], limit=9)],
    ],
)
def test_a_search_for_reading_alone_is_complete_or_says_that_it_is_not(
    tmp_path: Path, search: Callable[[Store], list[str]]
) -> None:
    """After an import the index is behind; "nothing found" would be untrue."""
    path = tmp_path / "harvest.db"
    with Store(path) as opened:
        opened.put_records(SHELF)
    with Store(path, read_only=True) as opened:
        try:
            found = search(opened)
        except SurveyToolsError:
            return
    assert sorted(found) == ["2501.00001", "2501.00002"]


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Take the right to write a folder and its files, as on a disk that cannot be written."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
    is_root = os.geteuid() == 0
    for path in modes:
        path.chmod(0o555 if path == folder else 0o444)
    if is_root:  # may write all the same, unless it is somebody else for a while
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(stat.S_IMODE(mode))


@pytest.fixture
def on_read_only_disk() -> Iterator[Path]:
    """Make a store with papers in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        path = Path(name) / "harvest.db"
        with Store(path) as opened:
            opened.put_records(SHELF)
            opened.index_texts()
        yield path


def test_a_store_on_a_disk_that_cannot_be_written_can_be_read(on_read_only_disk: Path) -> None:
    """A colleague's store, a CD: that is what reading alone is for."""
    folder = on_read_only_disk.parent
    with unwritable(folder), Store(on_read_only_disk, read_only=True) as opened:
        assert list(opened.iterate()) == SHELF
        assert opened.ids_matching("delta") == {"2501.00003"}


def test_a_store_on_a_disk_that_cannot_be_written_is_named(on_read_only_disk: Path) -> None:
    """Where it was to be written."""
    said = r"cannot be (written|opened); name another file"
    with unwritable(on_read_only_disk.parent), pytest.raises(OutputError, match=said):
        Store(on_read_only_disk)
