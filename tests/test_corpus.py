"""Corpus: ordered, unique by key, never changed in place."""

import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, ParameterError
from survey_tools.paper import Paper

A, B, C = (Paper(key=key, title=f"Title {key}") for key in "abc")
OTHER_B = Paper(key="b", title="Another title")


def test_papers_keep_their_order_and_are_found_by_key() -> None:
    """Order is that of the file; look-up is by key."""
    corpus = Corpus((C, A, B))
    assert corpus.keys == ("c", "a", "b")
    assert list(corpus) == [C, A, B]
    assert len(corpus) == 3
    assert corpus["a"] is A


@pytest.mark.parametrize(
    ("key", "expected"), [("a", True), ("z", False), (A, False), (None, False)]
)
def test_membership_is_of_keys_and_not_of_papers(key: object, expected: bool) -> None:
    """A paper is known by its key."""
    assert (key in Corpus((A,))) is expected


def test_sorting_is_by_code_point() -> None:
    """Capitals stand before small letters, as on every machine."""
    papers = tuple(Paper(key=key, title="t") for key in ("b", "é", "B", "a10", "a9"))
    assert Corpus(papers).sorted_by_key().keys == ("B", "a10", "a9", "b", "é")


def test_two_papers_with_one_key_are_refused() -> None:
    """The keys that stand twice are named, and no other."""
    with pytest.raises(DataError, match=r"^two papers with one key: b; keys must be unique$"):
        Corpus((A, B, OTHER_B))


def test_an_unknown_key_is_named() -> None:
    """A missing paper is the user's error and no KeyError."""
    with pytest.raises(ParameterError, match="no paper with key 'z' in this corpus"):
        Corpus((A,))["z"]


def test_the_corpus_does_not_follow_the_list_it_was_made_of() -> None:
    """Adding to the list afterwards adds no paper."""
    papers = [A, B]
    corpus = Corpus(papers)  # type: ignore[arg-type]
    papers.append(C)
    assert corpus.keys == ("a", "b")


def test_select_returns_the_order_asked_for() -> None:
    """A selection is a corpus in the order of the request."""
    assert Corpus((A, B, C)).select(iter(["c", "a"])).papers == (C, A)


def test_select_refuses_an_unknown_key() -> None:
    """Nothing is silently left out."""
    with pytest.raises(ParameterError, match="no paper with key 'z'"):
        Corpus((A, B)).select(["a", "z"])


@pytest.mark.parametrize("on_conflict", ["error", "ours", "theirs"])
def test_merge_appends_what_is_lacking(on_conflict: str) -> None:
    """Equal papers are no conflict under any rule, and our order comes first."""
    merged = Corpus((C, B)).merge(Corpus((B, A)), on_conflict=on_conflict)  # type: ignore[arg-type]
    assert merged.papers == (C, B, A)


@pytest.mark.parametrize(("on_conflict", "kept"), [("ours", B), ("theirs", OTHER_B)])
def test_merge_settles_a_conflict_in_place(on_conflict: str, kept: Paper) -> None:
    """The paper that wins stands where ours stood."""
    ours, theirs = Corpus((A, B, C)), Corpus((OTHER_B,))
    assert ours.merge(theirs, on_conflict=on_conflict).papers == (A, kept, C)  # type: ignore[arg-type]
    assert (ours.papers, theirs.papers) == ((A, B, C), (OTHER_B,))


def test_merge_names_papers_that_differ() -> None:
    """With ``error`` a conflict stops the merge."""
    with pytest.raises(DataError, match=r"^papers differ under the same key: b$"):
        Corpus((A, B)).merge(Corpus((A, OTHER_B)), on_conflict="error")


def test_the_digest_is_sha256_of_the_sorted_lines() -> None:
    """Worked by hand from the canonical lines."""
    lines = b'{"key": "a", "title": "Title a"}\n{"key": "b", "title": "Title b"}\n'
    assert Corpus((B, A)).digest == hashlib.sha256(lines).hexdigest()


@given(st.permutations([A, B, C]))
def test_the_digest_does_not_depend_on_the_order(papers: list[Paper]) -> None:
    """Shuffled papers are the same corpus."""
    assert Corpus(tuple(papers)).digest == Corpus((A, B, C)).digest


@pytest.mark.parametrize("papers", [(), (A,), (A, OTHER_B), (A, B, C)])
def test_the_digest_tells_other_papers_apart(papers: tuple[Paper, ...]) -> None:
    """A paper more, a paper less or another title is another corpus."""
    assert Corpus(papers).digest != Corpus((A, B)).digest


def test_a_corpus_can_be_sent_to_another_process() -> None:
    """Runners in processes pickle what they are given."""
    corpus = Corpus((B, A))
    for twin in (pickle.loads(pickle.dumps(corpus)), copy.deepcopy(corpus)):  # noqa: S301
        assert twin == corpus
        assert twin["a"] == A
