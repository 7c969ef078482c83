"""Resolve titles to arXiv ids, with the evidence for each; in doubt a person decides.

No score of two titles tells ``… in 2D`` from ``… in 3D`` (96 of 100, two papers) and yet joins
``… for`` with ``… for a`` (98, one paper). So a high score is only the beginning: words that
differ may veto it, and authors or years must speak for it. Nothing here knows the network or
the store; what a `TitleIndex` finds is weighed.
"""

import csv
import io
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, Protocol
from urllib.parse import quote_plus

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, LCSseq

from survey_tools.arxiv_id import check_arxiv_id, find_arxiv_ids, parse_arxiv_id
from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8
from survey_tools.errors import DataError, abbreviate, count
from survey_tools.harvest.record import ArxivRecord
from survey_tools.paper import Paper
from survey_tools.tex import normalise_text, title_key

__all__ = [
    "Decision",
    "Evidence",
    "Match",
    "TitleIndex",
    "build_title_queries",
    "build_word_query",
    "count_shared_authors",
    "parse_decisions",
    "resolve_corpus",
    "resolve_paper",
    "serialise_match_table",
    "serialise_matches",
    "veto",
]

logger = logging.getLogger(__name__)

Decision = Literal["auto", "review", "unmatched", "given", "hand"]
Tokens = tuple[str, ...]

# Measured with 200 titles against 300,000 invented ones: one typo leaves 97 or more, one word
# dropped 88; a title that is not there finds a neighbour of 69 in the median, of 86 at most.
_AUTO = 95.0
_REVIEW = 85.0
_SHOWN = 60.0  # a neighbour further off tells a reader nothing
_TIE = 2.0
_N_CANDIDATES = 50
_N_WEIGHED = 5
_YEARS = range(-1, 4)  # printed a year before the preprint, or up to three after
_N_WORDS_SHORT = 6  # below, one word more is another paper
_N_WORDS_NAMING = 3  # below, a title names a topic; only authors tell whose

_LINK_FIELDS = ("doi", "url", "venue", "title", "code_url")  # abstracts cite other papers
_FUNCTION_WORDS = frozenset({
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

_PARTICLES = frozenset({
    "af", "al", "ben", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "dos",
    "du", "el", "la", "le", "ten", "ter", "van", "von", "zu",
})  # fmt: skip
_NAME_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({
    "collaboration", "collaborations", "consortium", "group", "network", "project", "team",
})  # fmt: skip
_GROUP_FILLERS = frozenset({"behalf", "for", "of", "on", "the"})
_NO_NAMES = frozenset({"al", "et al", "others"})
_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "Ae"}
    | {"œ": "oe", "Œ": "Oe", "ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ŋ": "ng"}
    | {"'": "", "’": "", "`": "", "ʼ": ""}
)
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa"}
    | {"ø": "oe", "Ø": "Oe"}
)

_COLON = re.compile(r"(?<!\d):|:(?!\d)|：")
_MATHS = re.compile(r"(?<!\\)\$\$.+?\$\$|(?<!\\)\$.+?(?<!\\)\$|\\\(.+?\\\)", re.DOTALL)
_MACRO = re.compile(r"\\[A-Za-z]+\*?\s*")
_UNSAFE = re.compile(r"[\"“”„«»\\$^_~*?!:;()\[\]<>=+|/&%#@`]+|''")
_WORD = re.compile(r"[^\W\d_]{4,}")
_N_TITLES_PER_QUERY = 10
_N_BYTES_PER_QUERY = 2000  # as sent, percent-encoded
_N_QUERY_WORDS = 6

_COLUMNS = (
    "key",
    "title",
    "decision",
    "arxiv_id",
    "matched_title",
    "score",
    "author_hits",
    "year_gap",
    "method",
    "reason",
)
_PREFIX = "arXiv:"  # keeps a spreadsheet from reading 2106.08250 as a number


class TitleIndex(Protocol):
    """What `resolve_paper` asks of a store of records."""

    def find_title(self, key: str) -> Sequence[ArxivRecord]:
        """Find records whose `title_key` is ``key``, blanks apart."""
        ...

    def find_title_words(self, words: Sequence[str], *, limit: int) -> Sequence[ArxivRecord]:
        """Find records whose titles share words, best first.

        The rarest six of the words that the index knows may do; unknown ones find nothing.
        """
        ...

    def get_record(self, arxiv_id: str) -> ArxivRecord | None:
        """Return the record of a canonical id without version."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for and against one record.

    Attributes
    ----------
    arxiv_id : str
        Canonical, without version.
    method : str
        ``exact`` (same title, blanks apart), ``words`` (similar title), ``subtitle`` (similar
        up to the colon, where one side has no subtitle), ``hand``, or the field of the paper
        in which the id stands.
    title : str or None
        The record's; None where the index lacks the record.
    score : float or None
        Likeness of the titles, 0 to 100 (``rapidfuzz.fuzz.ratio``).
    author_hits : int or None
        Authors of the paper found in the record; None where either names none.
    year_gap : int or None
        Year of the paper less that of the first version.
    veto : str or None
        Why the titles are not those of one paper; see `veto`.
    """

    arxiv_id: str
    method: str
    title: str | None = None
    score: float | None = None
    author_hits: int | None = None
    year_gap: int | None = None
    veto: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What became of one paper.

    Attributes
    ----------
    key, title : str
        The paper's.
    decision : {"auto", "review", "unmatched", "given", "hand"}
        Found and safe; to be decided by a person; not found; the paper had an id;
        a person has decided.
    arxiv_id : str or None
        The id to use, canonical and without version; None where there is none *or none yet*.
        What is proposed for review stands in ``evidence`` alone.
    reason : str
        Why, in words.
    evidence : Evidence or None
        Of the record found, proposed, or nearest.
    """

    key: str
    title: str
    decision: Decision
    arxiv_id: str | None = None
    reason: str
    evidence: Evidence | None = None


def resolve_corpus(
    corpus: Corpus,
    index: TitleIndex,
    *,
    decided: Mapping[str, str | None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Match, ...]:
    """Resolve every paper of a corpus.

    Parameters
    ----------
    decided : mapping of key to arXiv id or None, optional
        What a person decided (see `parse_decisions`); it counts before anything else. None
        says that the paper is not on arXiv. Keys that the corpus lacks are warned of.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Returns
    -------
    tuple of Match
        In the order of the corpus.

    Raises
    ------
    DataError
        If a paper's ``arxiv_id``, or one decided, is no arXiv id.
    """
    decided = decided or {}
    if unknown := [key for key in decided if key not in corpus]:
        logger.warning("decisions on papers that are not in the corpus: %s", abbreviate(unknown))
    matches = []
    for n_done, paper in enumerate(corpus):
        if progress:
            progress(n_done, len(corpus))
        if paper.key in decided:
            matches.append(_apply_decision(paper, decided[paper.key], index))
        else:
            matches.append(resolve_paper(paper, index))
    if progress:
        progress(len(corpus), len(corpus))
    return tuple(matches)


def resolve_paper(paper: Paper, index: TitleIndex) -> Match:
    """Find a paper's arXiv id: in its own fields, by its exact title, by a similar one.

    Likeness of 95 and more, no veto and an author in common give ``auto``; an exact title of
    three words or more with a year from one before to three after that of the first version
    does too. Likeness of 85 and more, or evidence that is lacking, ambiguous or contradicted,
    gives ``review``.

    Raises
    ------
    DataError
        If ``paper.arxiv_id`` is no arXiv id.
    """
    if match := _take_given(paper, index):
        return match
    key = title_key(paper.title)
    if not key:
        return _match(paper, "unmatched", "the title has neither letter nor digit")
    exact = index.find_title(key)
    match = _decide(paper, [_weigh(paper, record) for record in exact], index)
    if match.decision == "auto":
        return match
    records = [*exact, *_find_similar(key, index)]
    match = _decide(paper, _weigh_closest(paper, records), index)
    if match.decision == "unmatched" and (head := title_key(_head(paper.title) or "")):
        # the words of the subtitle may have drowned those before it
        records += [*index.find_title(head), *_find_similar(head, index)]
        match = _decide(paper, _weigh_closest(paper, records), index)
    return match


def _find_similar(key: str, index: TitleIndex) -> Sequence[ArxivRecord]:
    return index.find_title_words(list(dict.fromkeys(key.split())), limit=_N_CANDIDATES)


def _match(
    paper: Paper,
    decision: Decision,
    reason: str,
    evidence: Evidence | None = None,
) -> Match:
    is_settled = evidence is not None and decision in ("auto", "given", "hand")
    return Match(
        key=paper.key,
        title=paper.title,
        decision=decision,
        arxiv_id=evidence.arxiv_id if evidence and is_settled else None,
        reason=reason,
        evidence=evidence,
    )


def _apply_decision(paper: Paper, arxiv_id: str | None, index: TitleIndex) -> Match:
    if arxiv_id is None:
        return _match(paper, "hand", "decided by a person: not on arXiv")
    evidence = _look_up(paper, parse_arxiv_id(arxiv_id).base, "hand", index)
    return _match(paper, "hand", "decided by a person", evidence)


def _take_given(paper: Paper, index: TitleIndex) -> Match | None:
    """Take an id that stands in the paper itself, unless its record contradicts it."""
    found: dict[str, str] = {}  # id -> field that names it first
    if paper.arxiv_id:
        if problem := check_arxiv_id(paper.arxiv_id):
            raise DataError(f"paper {paper.key!r}: {problem}")
        found[parse_arxiv_id(paper.arxiv_id).base] = "arxiv_id"
    for field in _LINK_FIELDS:
        for arxiv_id in find_arxiv_ids(getattr(paper, field) or ""):
            found.setdefault(arxiv_id.base, field)
    if not found:
        return None
    weighed = [_look_up(paper, arxiv_id, field, index) for arxiv_id, field in found.items()]
    named = "; ".join(f"{field} names {arxiv_id}" for arxiv_id, field in found.items())
    first = weighed[0]
    is_other = first.title is not None and bool(paper.title) and (first.score or 0) < _REVIEW
    if is_other:
        named += f", whose title is {first.title!r}" if len(found) == 1 else ""
    if paper.arxiv_id:
        return _match(paper, "given", named, first)
    if len(found) > 1:
        likeliest = max(weighed, key=lambda evidence: evidence.score or 0)
        return _match(paper, "review", f"{named}: different papers", likeliest)
    if is_other and first.author_hits == 0:
        return _match(paper, "review", f"{named}, with no author in common", first)
    return _match(paper, "given", named, first)


def _look_up(paper: Paper, arxiv_id: str, method: str, index: TitleIndex) -> Evidence:
    record = index.get_record(arxiv_id)
    return _weigh(paper, record, method) if record else Evidence(arxiv_id=arxiv_id, method=method)


def _weigh(paper: Paper, record: ArxivRecord, method: str | None = None) -> Evidence:
    """Compare a paper with a record; ``method`` says how it was found, where not by title."""
    ours, theirs = title_key(paper.title), title_key(record.title)
    score = _likeness(ours, theirs)
    how = "exact" if ours.replace(" ", "") == theirs.replace(" ", "") else "words"
    why_not = veto(paper.title, record.title)
    hits = count_shared_authors(paper.authors, record.authors)
    pair = _without_subtitle(paper.title, record.title)
    if pair and hits != 0 and (above := _likeness(*map(title_key, pair))) > score:
        score, how, why_not = above, "subtitle", veto(*pair)
    has_years = paper.year is not None and record.year is not None
    return Evidence(
        arxiv_id=record.arxiv_id,
        method=method or how,
        title=record.title,
        score=score,
        author_hits=hits,
        year_gap=(paper.year or 0) - (record.year or 0) if has_years else None,
        veto=why_not,
    )


def _likeness(key: str, other: str) -> float:
    """Likeness of two keys, 0 to 100; words that are joined or split cost nothing."""
    if not key or not other:
        return 0.0
    joined = fuzz.ratio(key.replace(" ", ""), other.replace(" ", ""))
    return max(fuzz.ratio(key, other), joined)


def _head(title: str) -> str | None:
    """Return the part before the colon, or None where there is no subtitle."""
    head, *rest = _COLON.split(title, maxsplit=1)
    return head if rest and title_key(head) and title_key(rest[0]) else None


def _without_subtitle(title: str, other: str) -> tuple[str, str] | None:
    """Drop the subtitle where exactly one of two titles has one."""
    head, other_head = _head(title), _head(other)
    if (head is None) == (other_head is None):
        return None
    return head or title, other_head or other


def _weigh_closest(paper: Paper, records: Iterable[ArxivRecord]) -> list[Evidence]:
    """Weigh the five records of the closest titles, whatever order they come in."""
    by_id = {record.arxiv_id: record for record in records}
    key = title_key(paper.title)
    keys = {arxiv_id: title_key(record.title) for arxiv_id, record in by_id.items()}
    joined = {arxiv_id: other.replace(" ", "") for arxiv_id, other in keys.items()}
    heads = {arxiv_id: _head(record.title) for arxiv_id, record in by_id.items()}
    comparisons = [(key, keys), (key.replace(" ", ""), joined)]
    if head := _head(paper.title):
        bare = {arxiv_id: keys[arxiv_id] for arxiv_id, other in heads.items() if other is None}
        comparisons.append((title_key(head), bare))
    else:
        cut = {arxiv_id: title_key(other) for arxiv_id, other in heads.items() if other}
        comparisons.append((key, cut))
    best: dict[str, float] = {}
    for query, choices in comparisons:
        for _, score, arxiv_id in process.extract(
            query, choices, scorer=fuzz.ratio, score_cutoff=_SHOWN, limit=None
        ):
            best[arxiv_id] = max(score, best.get(arxiv_id, 0.0))
    closest = sorted(best, key=lambda arxiv_id: (-best[arxiv_id], arxiv_id))[:_N_WEIGHED]
    return [_weigh(paper, by_id[arxiv_id]) for arxiv_id in closest]


def _decide(paper: Paper, weighed: Sequence[Evidence], index: TitleIndex) -> Match:
    """Choose the best of the candidates and say how far it can be trusted."""
    if not weighed:
        return _match(paper, "unmatched", "no title in the store is close")
    free = [evidence for evidence in weighed if evidence.veto is None]
    top = max(_score(evidence) for evidence in free or weighed)
    pool = [evidence for evidence in free or weighed if _score(evidence) > top - _TIE]
    best = min(pool, key=_rank)
    if _score(best) < _REVIEW and (top := max(map(_score, weighed))) >= _REVIEW:
        pool = [evidence for evidence in weighed if _score(evidence) > top - _TIE]
        best = min(pool, key=_rank)
    if _score(best) < _REVIEW:
        nearest = f"the nearest title scores {_one_decimal(best.score)} of 100"
        return _match(paper, "unmatched", nearest, best)
    # a title under veto is no rival, unless it is the closer one
    rivals = [
        evidence.arxiv_id
        for evidence in weighed
        if evidence is not best and (evidence in pool or _score(evidence) > _score(best))
    ]
    doubts = list(_list_doubts(paper, best, sorted(rivals), index))
    if doubts:
        return _match(paper, "review", "; ".join(doubts), best)
    return _match(paper, "auto", _explain(best), best)


def _score(evidence: Evidence) -> float:
    return evidence.score or 0.0


def _rank(evidence: Evidence) -> tuple[float, float, float, str]:
    gap = math.inf if evidence.year_gap is None else abs(evidence.year_gap)
    return -(evidence.author_hits or 0), -_score(evidence), gap, evidence.arxiv_id


def _list_doubts(
    paper: Paper, best: Evidence, rivals: Sequence[str], index: TitleIndex
) -> Iterator[str]:
    """Say what keeps a candidate from being taken unseen."""
    hits, is_exact = best.author_hits, best.method == "exact"
    is_near = best.year_gap is not None and best.year_gap in _YEARS
    year = "years unknown" if best.year_gap is None else f"{count(abs(best.year_gap), 'year')} off"
    if rivals:
        yield f"as close: {abbreviate(rivals)}"
    if best.veto:
        yield best.veto
    if _score(best) < _AUTO:
        yield f"the titles are alike by {_one_decimal(best.score)} of 100"
    if hits == 0:
        yield "no author in common"
    elif hits is None and not is_exact:
        yield "no authors to compare"
    elif hits is None and not is_near:
        yield f"no authors to compare, and {year}"
    elif hits is None and len(title_key(paper.title).split()) < _N_WORDS_NAMING:
        yield "no authors to compare, and so short a title names a topic"
    if best.method == "subtitle" and not is_near:
        yield f"a subtitle is missing, and {year}"
    if not best.veto:
        pair = paper.title, best.title or ""
        if best.method == "subtitle":
            pair = _without_subtitle(*pair) or pair
        for word, other in _compare(*pair)[1]:
            if all(_is_used_elsewhere(each, best.arxiv_id, index) for each in (word, other)):
                yield f"{word!r} and {other!r} are both words of other titles"


def _is_used_elsewhere(word: str, arxiv_id: str, index: TitleIndex) -> bool:
    """Tell a word from a typo: words stand in other titles too."""
    return any(
        record.arxiv_id != arxiv_id and word in title_key(record.title).split()
        for record in index.find_title_words([word], limit=_N_WEIGHED)
    )


def _explain(best: Evidence) -> str:
    how = {"exact": "same title", "subtitle": "same title up to the colon"}
    title = how.get(best.method, f"titles alike by {_one_decimal(best.score)} of 100")
    if best.author_hits:
        return f"{title}, {count(best.author_hits, 'author')} in common"
    assert best.year_gap is not None, "without authors only a year lets a title pass"
    return f"{title}, {count(abs(best.year_gap), 'year')} apart"


def _one_decimal(score: float | None) -> str:
    """Write a score rounded down, so that 94.97 does not look like 95."""
    return "" if score is None else f"{math.floor(score * 10) / 10:.1f}"


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
    return _compare(a, b)[0]


def _compare(a: str, b: str) -> tuple[str | None, list[tuple[str, str]]]:
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
        ours, theirs = ([word for word in side if word not in _FUNCTION_WORDS] for side in gap)
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


def count_shared_authors(names: Iterable[str], others: Iterable[str]) -> int | None:
    """Count the names that have a namesake among others; None where either side has none.

    Surnames are compared, without accents (``Müller`` as ``Muller`` or ``Mueller``), particles,
    initials and suffixes; ``Last, First`` and ``First Last`` are both read, and a name that
    puts the family first is found by all its words. A collaboration is known by its whole
    name.
    """
    ours = [forms for name in names if (forms := _name_forms(name))]
    theirs = frozenset[str]().union(*(_name_forms(name) for name in others))
    if not ours or not theirs:
        return None
    return sum(not theirs.isdisjoint(forms) for forms in ours)


def _name_forms(name: str) -> frozenset[str]:
    name = normalise_text(name)
    spellings = {name.translate(table).translate(_LETTERS) for table in ({}, _UMLAUTS)}
    return frozenset().union(*map(_plain_name_forms, spellings))


def _plain_name_forms(name: str) -> frozenset[str]:
    key = title_key(name)
    if not key or key in _NO_NAMES:
        return frozenset()
    words = key.split()
    if not _GROUPS.isdisjoint(words):
        return frozenset({" ".join(word for word in words if word not in _GROUP_FILLERS)})
    family, comma, given = name.partition(",")
    if comma and title_key(given) not in _NAME_SUFFIXES:
        words = title_key(family).split() or words
    while len(words) > 1 and (len(words[-1]) == 1 or words[-1] in _NAME_SUFFIXES):
        words.pop()
    forms = {words[-1]}
    joined = words[-1]
    for particle in reversed(words[:-1]):
        if particle not in _PARTICLES:
            break
        joined = particle + joined
        forms.add(joined)
    whole = sorted(word for word in key.split() if word not in _NAME_SUFFIXES)
    if len(whole) > 1 and min(map(len, whole)) > 1:
        forms.add(" ".join(whole))
    return frozenset(forms)


def serialise_matches(matches: Iterable[Match]) -> bytes:
    """Write the review file: one row a paper that a person has decided or must decide.

    CSV in UTF-8, sorted by key. In ``accept`` a person writes ``yes``, ``no`` or another
    arXiv id; `parse_decisions` reads it. Decisions already made are kept, as ``yes`` or ``no``.
    A row for any other paper may be added: its key, and the id in ``accept``.
    """
    rows = []
    for match in matches:
        if match.decision == "hand":
            rows.append((*_row(match), "yes" if match.arxiv_id else "no"))
        elif match.decision == "review":
            rows.append((*_row(match), ""))
    return _write_csv((*_COLUMNS, "accept"), rows)


def serialise_match_table(matches: Iterable[Match]) -> bytes:
    """Write one row a paper, whatever became of it; CSV in UTF-8, sorted by key."""
    return _write_csv(_COLUMNS, [_row(match) for match in matches])


def _row(match: Match) -> tuple[str, ...]:
    evidence = match.evidence
    proposed = evidence.arxiv_id if evidence and match.decision == "review" else None
    arxiv_id = match.arxiv_id or proposed
    cells = (
        match.title,
        match.decision,
        f"{_PREFIX}{arxiv_id}" if arxiv_id else "",
        (evidence and evidence.title) or "",
        _one_decimal(evidence.score) if evidence else "",
        _text(evidence.author_hits if evidence else None),
        _text(evidence.year_gap if evidence else None),
        evidence.method if evidence else "",
        match.reason,
    )
    return (match.key, *(" ".join(cell.split()) for cell in cells))


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _write_csv(columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    return file.getvalue().encode()


def parse_decisions(data: bytes, *, source: str) -> Mapping[str, str | None]:
    """Read what a person decided in a review file.

    Rows without an entry in ``accept`` are left out. An id may be written plainly, as
    ``arXiv:2111.06377`` or as a link; a version is dropped. Commas, semicolons or tabs may
    separate the columns, as spreadsheets like it.

    Returns
    -------
    mapping of key to arXiv id or None
        None where the person said ``no``.

    Raises
    ------
    DataError
        Naming file and line: not UTF-8, not CSV, no column ``key``, ``arxiv_id`` or ``accept``,
        a row of another length, a key twice, an entry that is neither ``yes``, ``no`` nor an
        id, or an id that a spreadsheet turned into a number.
    """
    rows = _read_csv(decode_utf8(data, source), source)
    line, header = next(rows, (1, []))
    if missing := [name for name in ("key", "arxiv_id", "accept") if name not in header]:
        raise DataError(f"{source}:{line}: the first row lacks the columns {', '.join(missing)}")
    decided: dict[str, str | None] = {}
    line_of: dict[str, int] = {}
    for line, cells in rows:
        # spreadsheets drop the last separator where the last cell is empty
        if len(header) - len(cells) not in (0, 1):
            raise DataError(
                f"{source}:{line}: {count(len(cells), 'cell')}, but the first row has "
                f"{len(header)}; put a text with commas into double quotes"
            )
        row = dict(zip(header, [*cells, ""], strict=False))
        key, accept = row["key"].strip(), row["accept"].strip()
        if not key:
            raise DataError(f"{source}:{line}: key is empty; write the paper's key")
        if key in line_of:
            raise DataError(
                f"{source}:{line}: key {key!r} stands twice (first on line {line_of[key]})"
            )
        line_of[key] = line
        if accept:
            try:
                decided[key] = _read_decision(accept, row["arxiv_id"].strip())
            except ValueError as error:
                raise DataError(f"{source}:{line}: {error}") from None
    return decided


def _read_csv(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line on which it begins."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}:{line}: not valid CSV: {error}") from None


def _read_decision(accept: str, proposed: str) -> str | None:
    match accept.casefold():
        case "no":
            return None
        case "yes" if not proposed:
            raise ValueError("accept is yes, but arxiv_id is empty; write the id into accept")
        case "yes":
            return _read_id(proposed, "arxiv_id", "an arXiv id such as 2111.06377")
    return _read_id(accept, "accept", "yes, no or an arXiv id such as 2111.06377")


def _read_id(text: str, column: str, allowed: str) -> str:
    bare = text[len(_PREFIX) :].strip() if text.casefold().startswith("arxiv:") else text
    problem = check_arxiv_id(bare)
    if problem is None:
        return parse_arxiv_id(bare).base
    mentioned = {found.base for found in find_arxiv_ids(text)}
    if len(mentioned) == 1:
        return mentioned.pop()
    if any(sign.isdigit() for sign in text):
        hint = "; write it as arXiv:2106.08250, which no spreadsheet takes for a number"
        raise ValueError(f"{column}: {problem}{hint}")
    raise ValueError(f"{column}: {text!r} arrived; allowed: {allowed}")


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
    words = dict.fromkeys(word for word in _WORD.findall(text) if word not in _FUNCTION_WORDS)
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
