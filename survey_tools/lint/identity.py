"""Identity: which papers of one list are papers of another."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from survey_tools.corpus import Corpus
from survey_tools.formats.references import bare_doi
from survey_tools.lint.titles import find_near_titles
from survey_tools.paper import Paper
from survey_tools.tex import title_key

__all__ = ["MatchedBy", "PaperMatch", "differ_by_arxiv_id", "match_papers"]

MatchedBy = Literal["key", "arxiv_id", "doi", "url", "title", "near_title"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperMatch:
    """An arrived paper that is one of the corpus, and by what it was known."""

    arrived_key: str
    paper_key: str
    matched_by: MatchedBy


def match_papers(
    arrived: Sequence[Paper],
    corpus: Corpus,
    *,
    by: Sequence[MatchedBy] = ("arxiv_id", "doi", "url", "title", "near_title"),
) -> tuple[PaperMatch, ...]:
    """Know papers again by what identifies them, the surest sign first.

    Every sign is tried for all arrived papers before the next one; two papers with two arXiv
    ids are never one. A URL counts only where one paper of the corpus has it (several
    papers may have one project page). A title counts without case, accents, punctuation and
    blanks, and at last nearly (see `find_near_titles`).

    Parameters
    ----------
    by : sequence of str
        Signs in the order in which they are tried.

    Returns
    -------
    tuple of PaperMatch
        By sign, then in the order of arrival. Several arrived papers may be one of ours.
    """
    matches: list[PaperMatch] = []
    waiting = list(arrived)
    for sign in by:
        pairs = _near_pairs(waiting, corpus) if sign == "near_title" else None
        if pairs is None:
            pairs = _equal_pairs(waiting, corpus, _SIGNS[sign], is_sole=sign == "url")
        found = dict(pairs)
        matches += [
            PaperMatch(arrived_key=paper.key, paper_key=found[paper.key], matched_by=sign)
            for paper in waiting
            if paper.key in found
        ]
        waiting = [paper for paper in waiting if paper.key not in found]
    return tuple(matches)


def differ_by_arxiv_id(a: Paper, b: Paper) -> bool:
    """Tell whether both papers have an arXiv id (without version) and they are two."""
    ours, theirs = a.arxiv_base_id, b.arxiv_base_id
    return bool(ours and theirs and ours != theirs)


def _bare_url(paper: Paper) -> str:
    url = (paper.url or "").strip().partition("#")[0]
    return (url.partition("://")[2] or url).removeprefix("www.").rstrip("/")


_SIGNS: dict[MatchedBy, Callable[[Paper], str]] = {
    "key": lambda paper: paper.key,
    "arxiv_id": lambda paper: paper.arxiv_base_id or "",
    "doi": bare_doi,
    "url": _bare_url,
    "title": lambda paper: title_key(paper.title).replace(" ", ""),
}


def _equal_pairs(
    arrived: Iterable[Paper], corpus: Corpus, sign: Callable[[Paper], str], *, is_sole: bool
) -> Iterator[tuple[str, str]]:
    """Pair papers with an equal sign: arrived key, our key."""
    index: dict[str, list[Paper]] = {}
    for paper in corpus:
        if value := sign(paper):
            index.setdefault(value, []).append(paper)
    for paper in arrived:
        ours = index.get(sign(paper), [])
        if is_sole and len(ours) > 1:
            continue
        if same := [other for other in ours if not differ_by_arxiv_id(paper, other)]:
            yield paper.key, same[0].key


def _near_pairs(arrived: Sequence[Paper], corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Pair papers with nearly the same title, the nearest last, so that it wins in a mapping."""
    near = find_near_titles([p.title for p in arrived], [p.title for p in corpus])
    for pair in sorted(near, key=lambda pair: pair.ratio):
        theirs, ours = arrived[pair.first], corpus.papers[pair.second]
        if not differ_by_arxiv_id(theirs, ours):
            yield theirs.key, ours.key
