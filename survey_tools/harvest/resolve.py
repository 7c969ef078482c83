"""Resolve titles to arXiv ids, with the evidence for each; in doubt a person decides.

No score of two titles tells ``… in 2D`` from ``… in 3D`` (96 of 100, two papers) and yet joins
``… for`` with ``… for a`` (98, one paper). So a high score is only the beginning: words that
differ may veto it, and authors or years must speak for it. Nothing here knows the network or
the store; what a `TitleIndex` finds is weighed.
"""

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rapidfuzz import fuzz, process

from survey_tools.arxiv_id import check_arxiv_id, find_arxiv_ids, parse_arxiv_id
from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, abbreviate, count
from survey_tools.harvest.authors import count_shared_authors
from survey_tools.harvest.record import ArxivRecord
from survey_tools.harvest.titles import compare_titles, veto
from survey_tools.paper import Paper
from survey_tools.tex import title_key

__all__ = [
    "Decision",
    "Evidence",
    "Match",
    "TitleIndex",
    "one_decimal",
    "resolve_corpus",
    "resolve_paper",
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

_N_WORDS_NAMING = 3  # below, a title names a topic; only authors tell whose

_LINK_FIELDS = ("doi", "url", "venue", "title", "code_url")  # abstracts cite other papers


_COLON = re.compile(r"(?<!\d):|:(?!\d)|：")


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
        What a person decided (see `survey_tools.harvest.review`); it counts before anything
        else. None says that the paper is not on arXiv. Keys that the corpus lacks are warned of.
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
        nearest = f"the nearest title scores {one_decimal(best.score)} of 100"
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
        yield f"the titles are alike by {one_decimal(best.score)} of 100"
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
        for word, other in compare_titles(*pair)[1]:
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
    title = how.get(best.method, f"titles alike by {one_decimal(best.score)} of 100")
    if best.author_hits:
        return f"{title}, {count(best.author_hits, 'author')} in common"
    assert best.year_gap is not None, "without authors only a year lets a title pass"
    return f"{title}, {count(abs(best.year_gap), 'year')} apart"


def one_decimal(score: float | None) -> str:
    """Write a score rounded down, so that 94.97 does not look like 95."""
    return "" if score is None else f"{math.floor(score * 10) / 10:.1f}"
