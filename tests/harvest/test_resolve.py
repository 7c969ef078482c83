"""Titles -> arXiv ids: near titles of other papers are never taken, and nothing unsafe is."""

import csv
import io
import random
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.harvest.authors import count_shared_authors
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.resolve import Evidence, Match, resolve_corpus, resolve_paper
from survey_tools.harvest.review import (
    parse_decisions,
    serialise_match_table,
    serialise_matches,
)
from survey_tools.harvest.title_queries import build_title_queries, build_word_query
from survey_tools.harvest.titles import veto
from survey_tools.paper import Paper
from survey_tools.tex import title_key

AUTHORS = ("Ada Nowhere", "Bo van der Example")
LONG = "Masked prediction of hidden weather patterns in sparse station networks"


class MemoryIndex:
    """Records in memory, found as a store finds them; candidates in any order wanted."""

    def __init__(self, records: Iterable[ArxivRecord], *, shuffled: int | None = None) -> None:
        self.records = {record.arxiv_id: record for record in records}
        self.shuffled = shuffled
        self.n_word_searches = 0
        self._by_key = defaultdict(list)
        self._by_word = defaultdict(list)
        for record in self.records.values():
            key = title_key(record.title)
            for each in {key, key.replace(" ", "")}:
                self._by_key[each].append(record)
            for word in set(key.split()):
                self._by_word[word].append(record)

    def find_title(self, key: str) -> Sequence[ArxivRecord]:
        found = {r.arxiv_id: r for k in (key, key.replace(" ", "")) for r in self._by_key[k]}
        return self._order(found.values())

    def find_title_words(self, words: Sequence[str], *, limit: int) -> Sequence[ArxivRecord]:
        self.n_word_searches += 1
        known = [word for word in words if word in self._by_word]
        rarest = sorted(known, key=lambda word: len(self._by_word[word]))[:6]
        n_shared: Counter[str] = Counter()
        for word in rarest:
            n_shared.update(record.arxiv_id for record in self._by_word[word])
        best = sorted(n_shared, key=lambda arxiv_id: (-n_shared[arxiv_id], arxiv_id))[:limit]
        return self._order(self.records[arxiv_id] for arxiv_id in best)

    def get_record(self, arxiv_id: str) -> ArxivRecord | None:
        return self.records.get(arxiv_id)

    def _order(self, records: Iterable[ArxivRecord]) -> list[ArxivRecord]:
        records = list(records)
        if self.shuffled is not None:
            random.Random(self.shuffled).shuffle(records)
        return records


def record(
    title: str,
    arxiv_id: str = "2101.00001",
    *,
    authors: tuple[str, ...] = AUTHORS,
    year: int = 2021,
) -> ArxivRecord:
    """Make a record with what resolving looks at."""
    return ArxivRecord(
        arxiv_id=arxiv_id,
        version=1,
        title=title,
        abstract="",
        authors=authors,
        categories=("cs.LG",),
        versions=(Version(number=1, submitted=f"{year}-05-01T00:00:00Z"),),
        as_of=f"{year}-05-02",
    )


def paper(
    title: str, *, authors: tuple[str, ...] = AUTHORS, year: int | None = 2021, **fields: str
) -> Paper:
    """Make a paper that speaks for itself by authors and year."""
    return Paper(key=fields.pop("key", "p"), title=title, authors=authors, year=year, **fields)


def resolve(
    title: str, *theirs: str, authors: tuple[str, ...] = AUTHORS, year: int | None = 2021
) -> Match:
    """Resolve a title against records by the same authors of the same year."""
    records = [record(title, f"2101.{i:05}") for i, title in enumerate(theirs, start=1)]
    return resolve_paper(paper(title, authors=authors, year=year), MemoryIndex(records))


# Ids that stand in the paper


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("arxiv_id", "2101.00007v3"),
        ("doi", "10.48550/arXiv.2101.00007"),
        ("url", "https://arxiv.org/pdf/2101.00007v2.pdf"),
        ("venue", "arXiv preprint arXiv:2101.00007"),
        ("title", "Some title (arXiv:2101.00007)"),
        ("code_url", "https://www.alphaxiv.org/abs/2101.00007"),
    ],
)
def test_an_id_in_the_paper_is_taken_as_it_is(field: str, text: str) -> None:
    """No title is looked for, and the version goes."""
    index = MemoryIndex([record("Some title")])
    match = resolve_paper(Paper(**{"key": "p", "title": "Some title", field: text}), index)
    assert (match.decision, match.arxiv_id) == ("given", "2101.00007")
    assert match.evidence == Evidence(arxiv_id="2101.00007", method=field)
    assert match.reason == f"{field} names 2101.00007"
    assert index.n_word_searches == 0


def test_an_id_in_an_abstract_is_not_the_papers_own() -> None:
    """Abstracts cite other papers."""
    quoting = Paper(key="p", title=LONG, abstract="We extend arXiv:2101.00007.")
    assert resolve_paper(quoting, MemoryIndex([])).decision == "unmatched"


def test_fields_that_name_different_papers_go_to_review() -> None:
    """The one whose title fits is proposed."""
    index = MemoryIndex([record("Another title", "2101.00001"), record(LONG, "2101.00002")])
    linked = paper(LONG, doi="10.48550/arXiv.2101.00001", url="https://arxiv.org/abs/2101.00002")
    match = resolve_paper(linked, index)
    assert (match.decision, match.arxiv_id) == ("review", None)
    assert match.reason == "doi names 2101.00001; url names 2101.00002: different papers"
    assert match.evidence is not None
    assert match.evidence.arxiv_id == "2101.00002"


def test_the_field_made_for_the_id_counts_before_links() -> None:
    """The disagreement is told in the reason."""
    linked = paper(LONG, arxiv_id="2101.00001", url="https://arxiv.org/abs/2101.00002")
    match = resolve_paper(linked, MemoryIndex([]))
    assert (match.decision, match.arxiv_id) == ("given", "2101.00001")
    assert match.reason == "arxiv_id names 2101.00001; url names 2101.00002"


def test_a_link_to_a_paper_of_other_title_and_authors_goes_to_review() -> None:
    """Lists of links have slips of the hand."""
    index = MemoryIndex([record("A quite different thing", authors=("Cy Elsewhere",))])
    match = resolve_paper(paper(LONG, url="https://arxiv.org/abs/2101.00001"), index)
    assert (match.decision, match.arxiv_id) == ("review", None)
    assert match.reason == (
        "url names 2101.00001, whose title is 'A quite different thing', with no author in common"
    )


def test_a_link_under_a_nickname_is_taken() -> None:
    """A list may call the paper by its short name; without authors nothing contradicts."""
    index = MemoryIndex([record(LONG)])
    match = resolve_paper(
        paper("MPHWP", authors=(), year=None, url="https://arxiv.org/abs/2101.00001"), index
    )
    assert (match.decision, match.arxiv_id) == ("given", "2101.00001")


def test_a_malformed_id_is_named_with_its_paper() -> None:
    """What check_arxiv_id says follows the key."""
    with pytest.raises(DataError, match=r"^paper 'p': arXiv id '2106\.0825' needs 5 digits"):
        resolve_paper(Paper(key="p", title="t", arxiv_id="2106.0825"), MemoryIndex([]))


# Pairs of titles that are alike and may be two papers (harvest anchors, table of dangerous pairs)

DANGEROUS = [
    ("Off-diagonal book Ramsey numbers", "Off-diagonal Ramsey numbers", "'book' stands in one"),
    (
        "Attention Is All You Need",
        "Is Attention All You Need?",
        "the words stand in another order ('is')",
    ),
    (
        "Attention Is All You Need",
        "Attention Is Not All You Need",
        "the negation 'not' stands in one title only",
    ),
    (
        "Topological insulators in 2D",
        "Topological insulators in 3D",
        "the number '2d' stands in one title only",
    ),
    (
        "Geometry of slow sandpiles in the plane. Part I: stable states",
        "Geometry of slow sandpiles in the plane. Part II: stable states",
        "the numeral 'i' stands in one title only",
    ),
    (
        "Transport in one dimensional chains of disordered oscillators",
        "Transport in two dimensional chains of disordered oscillators",
        "the number 'one' stands in one title only",
    ),
    (
        "Supervised learning of graph colourings from a handful of examples",
        "Unsupervised learning of graph colourings from a handful of examples",
        "'supervised' stands in one title only",
    ),
    (
        "Upper bounds for the diameter of random lattice triangulations",
        "Lower bounds for the diameter of random lattice triangulations",
        "'lower' stands in one title only",
    ),
    (
        "Holography of slow quenches in anti-de Sitter space and its boundary",
        "Holography of slow quenches in de Sitter space and its boundary",
        "the negation 'anti' stands in one title only",
    ),
    (
        "Learning to sort parcels with a map in crowded city centres",
        "Learning to sort parcels without a map in crowded city centres",
        "the negation 'without' stands in one title only",
    ),
    (
        "Bounded embeddings of $L^p$ spaces into spaces of sequences",
        "Bounded embeddings of $L^q$ spaces into spaces of sequences",
        "the letter 'p' stands in one title only",
    ),
    ("A library for lattice sums in C", "A library for lattice sums in C++", "the word 'plus'"),
    ("On the question P = NP and its kin", "On the question P ≠ NP and its kin", "'neq' stands"),
    (
        "Flow of power through a symmetric network of pumps",
        "Flow of power through asymmetric network of pumps",
        "'a symmetric' is not 'asymmetric'",
    ),
    (
        "Scaling the model family Oriole-4.5 to longer documents",
        "Scaling the model family Oriole-45 to longer documents",
        "the digits of '4' '5' are grouped in another way",
    ),
    (
        "Transport of heat in the plane and transport of charge in space",
        "Transport of charge in the plane and transport of heat in space",
        "the words stand in another order",
    ),
]


@pytest.mark.parametrize(("title", "other", "reason"), DANGEROUS)
def test_a_dangerous_pair_is_vetoed_either_way_round(title: str, other: str, reason: str) -> None:
    """The reason names the word."""
    found = veto(title, other)
    assert found is not None
    assert reason in found
    assert veto(other, title) == found


@pytest.mark.parametrize(("title", "other", "reason"), DANGEROUS)
def test_a_dangerous_pair_is_never_taken_unseen(title: str, other: str, reason: str) -> None:
    """Not even by the same authors in the same year; but a person sees it, with the reason."""
    for ours, theirs in ((title, other), (other, title)):
        match = resolve(ours, theirs)
        assert (match.decision, match.arxiv_id) == ("review", None)
        assert reason in match.reason


@pytest.mark.parametrize(("title", "other", "reason"), DANGEROUS)
def test_of_a_dangerous_pair_the_right_one_is_taken(title: str, other: str, reason: str) -> None:
    """The wrong one in the same store does not get in the way."""
    for ours, theirs in ((title, other), (other, title)):
        match = resolve(ours, theirs, ours)
        assert (match.decision, match.arxiv_id) == ("auto", "2101.00002")


@pytest.mark.parametrize(
    ("title", "other"),
    [
        (
            "Oriole: planning with many agents for framework of work",
            "Oriole: planning with many agents for a framework of work",
        ),
        ("A Survey of LLMs", "A Survey on LLMs"),
        ("Masked auto-encoders", "masked autoencoders"),
        ("Bounds for auto encoders", "Bounds for the autoencoders"),
        ("Self supervised auto encoders of flow", "Selfsupervised autoencoders flow"),
        (LONG, LONG.replace("patterns", "pattern")),
        (LONG, LONG.replace("weather", "waether")),
        (LONG, LONG.replace("prediction of", "predction of the")),
        (
            "Modelling the behaviour of small crowds near doors",
            "Modeling the behavior of small crowds near doors",
        ),
        (r"Schr\"odinger operators", "Schrödinger Operators"),
        ("Decay of $CO_2$ films", "Decay of CO₂ films"),
        ("Costs & benefits of sleep", "Costs and benefits of sleep"),
    ],
)  # fmt: skip
def test_writings_of_one_title_are_not_vetoed(title: str, other: str) -> None:
    """Articles, hyphens, spelling, a plural, and one typo in a long title."""
    assert veto(title, other) is None
    assert veto(other, title) is None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (LONG.replace("weather", "feather"), "'feather' stands in one title only"),
        (LONG.replace("weather", "waether").replace("sparse", "sprase"), "more than one word"),
        (LONG.replace("hidden", "hiden"), None),
        (LONG.replace("hidden ", ""), "'hidden' stands in one title only"),
    ],
)
def test_one_typo_alone_is_let_pass(other: str, reason: str | None) -> None:
    """A wrong first letter, a second typo or a missing word is none."""
    assert (veto(LONG, other) or "").startswith(reason or "")
    assert (veto(LONG, other) is None) == (reason is None)


def test_a_typo_in_a_short_title_is_vetoed() -> None:
    """Five words leave no room for doubt."""
    found = veto("Graph colouring of sparse lattices", "Graph colouring of sparce lattices")
    assert found == "'sparce' stands in one title only, and the title is short"


telling_titles = st.lists(
    st.sampled_from(["a", "not", "of", "2", "3d", "iv", "map", "maps", "i", "on", "ab", "c"]),
    max_size=8,
).map(" ".join)


@given(telling_titles, telling_titles)
def test_a_veto_is_symmetric_and_spares_equal_titles(title: str, other: str) -> None:
    """Which title is whose plays no role."""
    assert veto(title, other) == veto(other, title)
    assert veto(title, title) is None


words = st.text(string.ascii_lowercase, min_size=4, max_size=9)


@given(st.lists(words, min_size=7, max_size=12), st.data())
def test_titles_that_differ_in_a_digit_are_never_taken(
    title: list[str], data: st.DataObject
) -> None:
    """Changed, added or dropped, alone or inside a word, however long the title."""
    place = data.draw(st.integers(0, len(title) - 1))
    digit, other = data.draw(st.permutations("0123456789"))[:2]
    form = data.draw(st.sampled_from(["{}", "gpt{}", "{}d", "{}.5"]))
    ours, theirs = list(title), list(title)
    ours.insert(place, form.format(digit))
    if data.draw(st.booleans()):
        theirs.insert(place, form.format(other))
    assert resolve(" ".join(ours), " ".join(theirs)).decision != "auto"
    assert resolve(" ".join(theirs), " ".join(ours)).decision != "auto"


# Evidence


def test_an_exact_title_with_an_author_in_common_is_taken() -> None:
    """Case and punctuation play no role, and no candidates are searched."""
    index = MemoryIndex([record(LONG)])
    match = resolve_paper(paper(LONG.upper() + "!", authors=("Nowhere, A.",), year=2022), index)
    assert match == Match(
        key="p",
        title=LONG.upper() + "!",
        decision="auto",
        arxiv_id="2101.00001",
        reason="same title, 1 author in common",
        evidence=Evidence(
            arxiv_id="2101.00001",
            method="exact",
            title=LONG,
            score=100.0,
            author_hits=1,
            year_gap=1,
        ),
    )
    assert index.n_word_searches == 0


@pytest.mark.parametrize(
    ("year", "decision"),
    [(2019, "review"), (2020, "auto"), (2021, "auto"), (2024, "auto"), (2025, "review")],
)
def test_without_authors_an_exact_title_needs_a_near_year(year: int, decision: str) -> None:
    """From one year before the first version to three after."""
    match = resolve(LONG, LONG, authors=(), year=year)
    assert match.decision == decision
    if decision == "review":
        n_years = "2 years" if year == 2019 else "4 years"
        assert match.reason == f"no authors to compare, and {n_years} off"


def test_without_authors_and_year_an_exact_title_goes_to_review() -> None:
    """Titles alone are not unique."""
    match = resolve(LONG, LONG, authors=(), year=None)
    assert (match.decision, match.reason) == (
        "review",
        "no authors to compare, and years unknown",
    )


def test_a_year_does_not_stand_in_for_authors_where_titles_differ() -> None:
    """One article too many, and no authors."""
    match = resolve(LONG, "The " + LONG, authors=())
    assert (match.decision, match.reason) == ("review", "no authors to compare")


def test_without_authors_a_title_of_two_words_goes_to_review() -> None:
    """``Quantum gravity`` is a topic."""
    match = resolve("Quantum gravity", "Quantum gravity", authors=())
    assert match.decision == "review"
    assert match.reason == "no authors to compare, and so short a title names a topic"
    assert resolve("Quantum gravity", "Quantum gravity").decision == "auto"


def test_other_authors_send_even_an_exact_title_to_review() -> None:
    """Both name authors, and none is in common."""
    match = resolve(LONG, LONG, authors=("Cy Elsewhere",))
    assert (match.decision, match.reason) == ("review", "no author in common")


def test_two_records_with_one_title_go_to_review() -> None:
    """The one with more authors in common is proposed."""
    one_author = record(LONG, "2101.00001", authors=AUTHORS[:1])
    index = MemoryIndex([one_author, record(LONG, "2101.00002")])
    match = resolve_paper(paper(LONG), index)
    assert (match.decision, match.reason) == ("review", "as close: 2101.00001")
    assert match.evidence is not None
    assert match.evidence.arxiv_id == "2101.00002"


def test_two_similar_titles_within_two_points_go_to_review() -> None:
    """``a`` in one place or in the other."""
    a, b = LONG.replace("of ", "of a "), LONG.replace("in ", "in a ")
    match = resolve(LONG, a, b)
    assert match.decision == "review"
    assert match.reason == "as close: 2101.00002"


def test_a_closer_title_under_veto_is_a_rival_all_the_same() -> None:
    """The digit may be the slip, and not the article."""
    match = resolve(LONG + " in 3D", LONG + " in 2D", "The " + LONG + " in a 3D")
    assert match.evidence is not None
    assert match.evidence.arxiv_id == "2101.00002"
    assert (match.decision, match.reason) == ("review", "as close: 2101.00001")


def test_a_typo_in_a_long_title_is_taken_with_authors_alone() -> None:
    """The word with the typo stands in no other title."""
    typo = LONG.replace("patterns", "pattterns")
    assert resolve(typo, LONG, "Weather from patterns").decision == "auto"
    assert resolve(typo, LONG, authors=()).decision == "review"


def test_two_words_a_letter_apart_are_no_typo() -> None:
    """Both stand in other titles too."""
    ours = "Kinetics of gas absorption on porous layers of cooled carbon"
    theirs = ours.replace("absorption", "adsorption")
    match = resolve(ours, theirs, "Absorption of sound", "Adsorption of dust")
    assert match.decision == "review"
    assert match.reason == "'absorption' and 'adsorption' are both words of other titles"
    assert resolve(ours, theirs, "Absorption of sound").decision == "auto"


def test_a_score_between_85_and_95_goes_to_review() -> None:
    """Only an article differs, which no veto names: 2 * 15 of 15 + 18 letters are shared."""
    match = resolve("On slow sandpiles", "On the slow sandpiles")
    assert (match.decision, match.reason) == ("review", "the titles are alike by 90.9 of 100")


def test_a_distant_title_is_unmatched_but_shown() -> None:
    """A reader sees how near the nearest comes."""
    match = resolve(LONG, "Masked prediction of hidden words in sparse and noisy documents")
    assert (match.decision, match.arxiv_id) == ("unmatched", None)
    assert match.evidence is not None
    assert match.reason == f"the nearest title scores {int(match.evidence.score * 10) / 10} of 100"


@pytest.mark.parametrize("title", ["", "???", " $ "])
def test_a_title_without_letters_is_unmatched(title: str) -> None:
    """Nothing is looked for."""
    index = MemoryIndex([record("")])
    match = resolve_paper(Paper(key="p", title=title, digest="d"), index)
    assert (match.decision, match.reason) == (
        "unmatched",
        "the title has neither letter nor digit",
    )


# Subtitles

SHORT_NAME, FULL_NAME = "Weathervane", "Weathervane: masked prediction for sparse stations"


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("authors", "year", "decision", "reason"),
    [
        (AUTHORS, 2021, "auto", "same title up to the colon, 2 authors in common"),
        (AUTHORS, 2029, "review", "a subtitle is missing, and 8 years off"),
        (AUTHORS, None, "review", "a subtitle is missing, and years unknown"),
        ((), 2021, "review", "no authors to compare"),
        (("Cy Elsewhere",), 2021, "unmatched", None),
    ],
)
def test_a_missing_subtitle_needs_authors_and_year(
    swapped: bool, authors: tuple[str, ...], year: int | None, decision: str, reason: str | None
) -> None:
    """Authors alone or none to compare: review; other authors: another paper."""
    ours, theirs = (FULL_NAME, SHORT_NAME) if swapped else (SHORT_NAME, FULL_NAME)
    match = resolve(ours, theirs, "A sparse station", authors=authors, year=year)
    assert match.decision == decision
    if reason:
        assert match.reason == reason
        assert match.evidence is not None
        assert match.evidence.method == "subtitle"


def test_a_rare_subtitle_does_not_hide_what_stands_before_it() -> None:
    """The six rarest words are all of the subtitle, and lead to other papers."""
    others = ["Weathervane of barns", *"abcde bcdef cdefg defgh efghi fghij".split()]  # noqa: SIM905
    match = resolve(f"{SHORT_NAME}: abcde bcdef cdefg defgh efghi fghij", SHORT_NAME, *others)
    assert (match.decision, match.arxiv_id) == ("auto", "2101.00001")


def test_two_papers_under_one_short_name_go_to_review() -> None:
    """Both are by the authors."""
    match = resolve(SHORT_NAME, FULL_NAME, "Weathervane: forecasts of the wind")
    assert (match.decision, match.reason) == ("review", "as close: 2101.00002")


def test_a_ratio_is_no_subtitle() -> None:
    """Nothing is cut between digits."""
    assert resolve("Mixing at 1", "Mixing at 1:2 of oil and tar").decision == "unmatched"


# Authors


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Laurens van der Example", "Example, L. van der"),
        ("van der Example, Laurens", "L. Example"),
        ("VanderExample, L.", "Laurens van der Example"),
        ("José Núñez", "Nunez, J"),
        ("Jürgen Müller", "J. Mueller"),
        (r"J. M\"uller", "Jürgen Muller"),
        ("Søren Ødegård", "S. Odegard"),
        ("Conan O'Brien", "C. OBrien"),
        ("Q. Nowhere Jr.", "Nowhere, Jr., Q."),
        ("Q. Nowhere, Jr.", "Nowhere Q"),
        ("Ana Nadie-Nunca", "A. Nadie Nunca"),
        ("Zhang Wei", "Wei Zhang"),
        ("the OWL Collaboration", "OWL collaboration"),
    ],
)
def test_one_person_is_known_in_two_writings(name: str, other: str) -> None:
    """Surnames count, after folding."""
    assert count_shared_authors([name], ["Cy Elsewhere", other]) == 1
    assert count_shared_authors([other], [name]) == 1


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Ada Nowhere", "Ada Elsewhere"),
        ("OWL Collaboration", "KITE Collaboration"),
        ("A. van der Example", "B. van der Nowhere"),
        ("Nowhere A", "Elsewhere A"),
        ("Ada Nowhere Jr", "Bo Elsewhere Jr"),
    ],
)
def test_two_people_are_not_one(name: str, other: str) -> None:
    """First names, initials, particles, suffixes and the word collaboration are no evidence."""
    assert count_shared_authors([name], [other]) == 0


def test_authors_are_unknown_where_a_side_names_none() -> None:
    """``others`` is nobody."""
    assert count_shared_authors([], ["Ada Nowhere"]) is None
    assert count_shared_authors(["Ada Nowhere"], []) is None
    assert count_shared_authors(["others", "et al."], ["Others"]) is None


# Recall and precision on a seeded corpus

N_TITLES = 3000


def invented_words(rng: random.Random, n_words: int) -> list[str]:
    """Make words of syllables that no other word is a typo of."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    made = {"".join(rng.choices(syllables, k=rng.choice([2, 3, 3, 4]))) for _ in range(n_words)}
    return sorted(made)


@pytest.fixture(scope="module")
def invented() -> MemoryIndex:
    rng = random.Random(20)
    vocabulary = invented_words(rng, 1500)
    links = ["of", "for the", "in", "with a", "and"]
    records = []
    for i in range(N_TITLES):
        title = [rng.choice(vocabulary)]
        for _ in range(rng.randint(3, 6)):
            title += [rng.choice(links), rng.choice(vocabulary)]
        arxiv_id = f"2101.{i + 1:05}"
        records.append(record(" ".join(title).title(), arxiv_id, authors=(f"Ada Nowhere{i}",)))
    return MemoryIndex(records)


def change_case(title: str, rng: random.Random) -> str:
    return rng.choice([title.upper(), title.lower(), title.swapcase()])


def change_punctuation(title: str, rng: random.Random) -> str:
    return rng.choice(["{{{}}}.", "``{}''", "{}?", "  {} "]).format(title.replace(" ", ", ", 1))


def hyphenate(title: str, rng: random.Random) -> str:
    return title.replace(" ", "-", rng.randint(1, 3))


def join_words(title: str, rng: random.Random) -> str:
    place = rng.choice([i for i, sign in enumerate(title) if sign == " "])
    return title[:place] + title[place + 1 :]


def mistype(title: str, rng: random.Random) -> str:
    place = rng.choice([i for i, sign in enumerate(title) if sign.isalpha()])
    return title[:place] + rng.choice(string.ascii_lowercase) + title[place + 1 :]


@pytest.mark.parametrize(
    ("change", "n_auto"),
    [
        (change_case, 100),
        (change_punctuation, 100),
        (hyphenate, 100),
        (join_words, 70),
        (mistype, 50),
    ],
)
def test_a_title_written_otherwise_is_found(
    change: object, n_auto: int, invented: MemoryIndex
) -> None:
    """All of 100 are found, and most are taken unseen; none is taken for another paper."""
    assert callable(change)
    rng = random.Random(change.__name__)
    decisions = Counter[str]()
    for target in rng.sample(sorted(invented.records.values(), key=lambda r: r.arxiv_id), 100):
        changed = paper(change(target.title, rng), authors=target.authors)
        match = resolve_paper(changed, invented)
        assert match.evidence is not None
        assert match.evidence.arxiv_id == target.arxiv_id
        decisions[match.decision] += 1
    assert set(decisions) <= {"auto", "review"}
    assert decisions["auto"] >= n_auto


def test_a_title_that_is_not_there_is_never_taken(invented: MemoryIndex) -> None:
    """Made of the same words, by an author of the store, in the same year."""
    rng = random.Random(21)
    for target in rng.sample(sorted(invented.records.values(), key=lambda r: r.arxiv_id), 100):
        scrambled = target.title.split()
        scrambled[-1] = rng.choice([r.title.split()[0] for r in invented.records.values()])
        if scrambled[-1].lower() == target.title.split()[-1].lower():
            continue
        absent = paper(" ".join(scrambled), authors=target.authors)
        assert resolve_paper(absent, invented).decision in ("review", "unmatched")


@given(st.integers(0, 50), st.sampled_from([LONG, LONG + " z", *(pair[0] for pair in DANGEROUS)]))
def test_the_order_of_candidates_plays_no_role(seed: int, title: str) -> None:
    """More candidates than are weighed, some equally close."""
    titles = [LONG + " " + letter for letter in "bcdefgh"] + [LONG, FULL_NAME, SHORT_NAME]
    titles += [each for pair in DANGEROUS for each in (pair[1], pair[1] + " again")]
    records = [record(each, f"2101.{i:05}") for i, each in enumerate(titles, start=1)]
    expected = resolve_paper(paper(title), MemoryIndex(records))
    assert resolve_paper(paper(title), MemoryIndex(records, shuffled=seed)) == expected


# The review file

CORPUS = Corpus(
    (
        paper(LONG, key="sure"),
        paper("Topological insulators in 2D", key="doubtful"),
        paper("Nothing, of \"this\" kind", key="absent"),
        paper("Anything", key="linked", arxiv_id="2101.00009"),
        paper("Attention is not all\nyou need", key="another"),
    )
)  # fmt: skip
INDEX = MemoryIndex(
    [
        record(LONG, "2101.00001"),
        record("Topological insulators in 3D", "2101.00002"),
        record("Attention is all you need", "2101.00010"),
    ]
)


def rows_of(data: bytes) -> dict[str, dict[str, str]]:
    """Read a CSV file by key."""
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return {row["key"]: row for row in rows}


def with_answers(data: bytes, **answers: str) -> bytes:
    """Do what a person does in a spreadsheet."""
    rows = rows_of(data)
    for key, answer in answers.items():
        rows[key]["accept"] = answer
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(next(iter(rows.values()))), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows.values())
    return file.getvalue().encode()


def test_the_review_file_holds_what_a_person_must_decide() -> None:
    """One row a paper, sorted by key, with the evidence and an empty last column."""
    data = serialise_matches(resolve_corpus(CORPUS, INDEX))
    assert data.decode() == (
        "key,title,decision,arxiv_id,matched_title,score,author_hits,year_gap,method,reason,"
        "accept\n"
        "another,Attention is not all you need,review,arXiv:2101.00010,"
        "Attention is all you need,93.3,2,0,words,"
        "the negation 'not' stands in one title only; the titles are alike by 93.3 of 100,\n"
        "doubtful,Topological insulators in 2D,review,arXiv:2101.00002,"
        "Topological insulators in 3D,96.4,2,0,words,"
        "the number '2d' stands in one title only,\n"
    )


def test_a_score_is_rounded_down() -> None:
    """94.97 shall not look like enough."""
    evidence = Evidence(arxiv_id="2101.00001", method="words", score=94.97)
    match = Match(key="p", title="t", decision="review", reason="r", evidence=evidence)
    assert rows_of(serialise_matches([match]))["p"]["score"] == "94.9"


def test_the_table_holds_every_paper() -> None:
    """An id stands there only where there is one to use or to judge."""
    rows = rows_of(serialise_match_table(resolve_corpus(CORPUS, INDEX)))
    assert {key: (row["decision"], row["arxiv_id"]) for key, row in rows.items()} == {
        "absent": ("unmatched", ""),
        "another": ("review", "arXiv:2101.00010"),
        "doubtful": ("review", "arXiv:2101.00002"),
        "linked": ("given", "arXiv:2101.00009"),
        "sure": ("auto", "arXiv:2101.00001"),
    }
    assert list(rows) == sorted(rows)
    assert "accept" not in rows["sure"]


def test_what_a_person_wrote_is_read_back() -> None:
    """Yes takes the id proposed, no takes none, an id counts itself; nothing decides nothing."""
    data = serialise_matches(resolve_corpus(CORPUS, INDEX))
    assert parse_decisions(data, source="r.csv") == {}
    answered = with_answers(data, another=" Yes ", doubtful="no")
    assert parse_decisions(answered, source="r.csv") == {"another": "2101.00010", "doubtful": None}


@pytest.mark.parametrize(
    "answer",
    ["2101.00003", "arXiv:2101.00003v2", "arxiv: 2101.00003", "https://arxiv.org/abs/2101.00003"],
)
def test_another_id_may_be_written_in_several_ways(answer: str) -> None:
    """As a number, as it is cited, or as a link."""
    data = with_answers(serialise_matches(resolve_corpus(CORPUS, INDEX)), doubtful=answer)
    assert parse_decisions(data, source="r.csv") == {"doubtful": "2101.00003"}


def test_decisions_by_hand_win_and_stay_in_the_file() -> None:
    """The next run and the one after write the same bytes."""
    first = serialise_matches(resolve_corpus(CORPUS, INDEX))
    decided = parse_decisions(
        with_answers(first, another="no", doubtful="2101.00003"), source="r.csv"
    )
    matches = resolve_corpus(CORPUS, INDEX, decided=decided)
    by_key = {match.key: match for match in matches}
    assert (by_key["another"].decision, by_key["another"].arxiv_id) == ("hand", None)
    assert (by_key["doubtful"].decision, by_key["doubtful"].arxiv_id) == ("hand", "2101.00003")
    assert by_key["sure"].decision == "auto"
    second = serialise_matches(matches)
    assert {key: row["accept"] for key, row in rows_of(second).items()} == {
        "another": "no",
        "doubtful": "yes",
    }
    again = resolve_corpus(CORPUS, INDEX, decided=parse_decisions(second, source="r.csv"))
    assert serialise_matches(again) == second


@given(
    st.dictionaries(
        st.sampled_from(CORPUS.keys), st.none() | st.sampled_from(["2101.00001", "math/0309136"])
    )
)
def test_the_review_file_is_idempotent(decided: dict[str, str | None]) -> None:
    """Whatever was decided, even against an id given, comes back from the file."""
    data = serialise_matches(resolve_corpus(CORPUS, INDEX, decided=decided))
    assert parse_decisions(data, source="r.csv") == decided
    again = resolve_corpus(CORPUS, INDEX, decided=parse_decisions(data, source="r.csv"))
    assert serialise_matches(again) == data


def test_a_paper_that_was_not_found_can_be_given_an_id() -> None:
    """Its row is added by hand, and stays."""
    data = b"key,arxiv_id,accept\nabsent,,2101.00003\n"
    decided = parse_decisions(data, source="r.csv")
    matches = resolve_corpus(CORPUS, INDEX, decided=decided)
    assert rows_of(serialise_matches(matches))["absent"]["arxiv_id"] == "arXiv:2101.00003"


def test_a_decision_on_an_unknown_paper_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A key may have been mistyped."""
    resolve_corpus(CORPUS, INDEX, decided={"nobody": None})
    assert caplog.messages == ["decisions on papers that are not in the corpus: nobody"]


def test_progress_is_told_paper_by_paper() -> None:
    """From none to all."""
    told: list[tuple[int, int]] = []
    resolve_corpus(CORPUS, INDEX, progress=lambda *numbers: told.append(numbers))
    assert told == [(n, 5) for n in range(6)]


def complaint(data: bytes) -> str:
    """Return what is said about a review file that must be refused."""
    with pytest.raises(DataError) as caught:
        parse_decisions(data, source="r.csv")
    return str(caught.value)


HEADER = b"key,title,arxiv_id,accept\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            b"a,t,2101.00001,maybe",
            "accept: 'maybe' arrived; allowed: yes, no or an arXiv id such as 2111.06377",
        ),
        (b"a,t,,yes", "accept is yes, but arxiv_id is empty; write the id into accept"),
        (
            b"a,t,,2106.0825",
            "accept: arXiv id '2106.0825' needs 5 digits after the point; was it once read as a "
            "number?; write it as arXiv:2106.08250, which no spreadsheet takes for a number",
        ),
        (b"a,t,2106.0825,yes", "arxiv_id: arXiv id '2106.0825' needs 5 digits after the point; "),
        (b'a,t,"704,0001",yes', "arxiv_id: '704,0001' is no arXiv id"),
        (b"a,t,see the paper,yes", "arxiv_id: 'see the paper' arrived; allowed: an arXiv id"),
        (b"a,one, two,2101.00001,yes", "5 cells, but the first row has 4; put a text with commas"),
        (b"a,yes", "2 cells, but the first row has 4"),
        (b",t,2101.00001,yes", "key is empty; write the paper's key"),
        (b"b,t,2101.00001,yes", "key 'b' stands twice (first on line 2)"),
        (b'a,"t', "not valid CSV: unexpected end of data"),
        (b"a,t,2101.00001,y\xff", "byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(row: bytes, expected: str) -> None:
    """A title over two lines and a blank line are counted."""
    text = complaint(HEADER + b'b,"two\nlines",,no\n\n' + row)
    assert text.startswith(f"r.csv:5: {expected}")


def test_a_file_of_another_kind_is_refused() -> None:
    """The columns that are lacking are named."""
    lacking = "r.csv:1: the first row lacks the columns "
    assert complaint(b"key,year\na,2021\n") == lacking + "arxiv_id, accept"
    assert complaint(b"") == lacking + "key, arxiv_id, accept"


@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_what_spreadsheets_do_to_a_file_is_tolerated(separator: bytes) -> None:
    """A byte-order mark, other separators, CRLF, and no separator before an empty last cell."""
    data = HEADER + b"a,t,2101.00001,yes\nb,t,2101.00002\n"
    data = b"\xef\xbb\xbf" + data.replace(b",", separator).replace(b"\n", b"\r\n")
    assert parse_decisions(data, source="r.csv") == {"a": "2101.00001"}


# Queries for arXiv's API


def test_titles_are_asked_for_in_one_query() -> None:
    """Quotes, signs of the grammar and TeX go; Unicode stays; a title is asked for once."""
    titles = ['The "best" of: (A OR B)?', r"Schr\"odinger's \emph{cat} {B}ERT", "Ünïcode"]
    assert build_title_queries([*titles, "Ünïcode"]) == [
        '(ti:"The best of A OR B" OR ti:"Schrödinger\'s cat BERT" OR ti:"Ünïcode")'
    ]


def test_a_single_title_needs_no_parentheses() -> None:
    """Titles without any text are left out."""
    assert build_title_queries(["???", LONG, "$x^2$"]) == [f'ti:"{LONG}"']
    assert build_title_queries([""]) == []


def test_the_longest_part_without_mathematics_is_the_phrase() -> None:
    """A phrase with a gap would find nothing."""
    title = r"On $L^p$ bounds for slow sandpiles and $$\alpha$$ decay at \$5"
    assert build_title_queries([title]) == ['ti:"bounds for slow sandpiles and"']


def test_queries_stay_within_arxivs_limits() -> None:
    """Ten titles and 2 kB as sent, no title lost, in the order given."""
    titles = [f"Title number {i} of many" for i in range(25)]
    queries = build_title_queries(titles)
    assert [query.count("ti:") for query in queries] == [10, 10, 5]
    assert [part for query in queries for part in query.strip("()").split(" OR ")] == [
        f'ti:"{title}"' for title in titles
    ]
    long = [f"{i} " + "ä b " * 80 for i in range(5)]
    queries = build_title_queries(long)
    assert sum(query.count("ti:") for query in queries) == 5
    assert max(len(quote_plus(query)) for query in queries) <= 2000


@pytest.mark.parametrize("title", ["ä" * 5000, "ä ö " * 2000])
def test_a_title_too_long_for_a_query_is_cut(title: str) -> None:
    """Its beginning is a phrase too."""
    (query,) = build_title_queries([title])
    phrase = query.removeprefix('ti:"').removesuffix('"')
    assert title.startswith(phrase)
    assert 100 < len(quote_plus(query)) <= 2000


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=12))
def test_no_title_breaks_the_grammar(titles: list[str]) -> None:
    """Two quotes a title, and none of the signs that arXiv's parser reads inside them."""
    for query in build_title_queries(titles):
        inner = query.removeprefix("(").removesuffix(")")
        outside, *_ = parts = inner.split('"')
        assert outside == "ti:"
        assert set(parts[2::2]) <= {" OR ti:", ""}
        assert len(parts) == 2 * query.count('ti:"') + 1
        assert not set("".join(parts[1::2])) & set('\\(){}[]*?:"')


def test_the_longest_words_are_asked_for_together() -> None:
    """Six at most, in the order of the title, without mathematics and signs."""
    title = r"The Schr\"odinger operators of $\alpha$-stable, self-similar and very random walks"
    assert build_word_query(title) == (
        "(ti:schrödinger AND ti:operators AND ti:stable AND ti:similar AND ti:random AND ti:walks)"
    )
    assert build_word_query("GPT 4") == "(ti:gpt AND ti:4)"
    assert build_word_query("Oriole") == "ti:oriole"
    assert build_word_query("$x$ ?!") == ""
