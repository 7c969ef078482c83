"""What all readers of references share: drafts of entries -> checked papers and named problems.

A reader turns its file into drafts, one an entry, with text as it stood. Here the text is
cleaned, ids are found, keys are kept or made, and whatever cannot be used is named, so
that one bad entry never costs the others.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from survey_tools.arxiv_id import check_arxiv_id, find_arxiv_ids
from survey_tools.formats.venues import is_preprint_venue
from survey_tools.paper import Paper

__all__ = [
    "Draft",
    "KeyRing",
    "Problem",
    "ReadResult",
    "assemble",
    "bare_doi",
    "clean_doi",
    "clean_text",
    "find_year",
    "make_key",
]

# Control characters but white space, which splits words.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)", re.ASCII)
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")
_DOI_PREFIX = re.compile(r"(?:https?://)?(?:dx\.)?doi\.org/|doi:\s*", re.IGNORECASE)
_ARXIV_DOI = re.compile(r"10\.48550/", re.IGNORECASE)
_ARXIV_PREFIX = re.compile(r"arxiv\s*:\s*", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:jr|sr)\.?|[ivx]+", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")
# Letters that Unicode does not decompose into an ASCII letter and a mark.
_ASCII_OF = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th",
     "ı": "i", "ŋ": "ng", "ħ": "h", "’": "", "'": ""}
)  # fmt: skip
# First words that say nothing of the content.
_EMPTY_WORD = re.compile(
    "a|an|and|are|as|at|by|can|do|does|for|from|how|in|into|is|it|its|of|on|or|so|the|their|to|"
    "towards?|under|upon|via|what|when|where|which|who|why|will|with"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a file that could not be used, or was used otherwise than it was written.

    Attributes
    ----------
    source : str
        The file, as messages name it.
    line : int or None
        Line (from 1) where the entry begins.
    key : str or None
        Key of the entry, where it has one.
    sentence : str
        What is wrong, and what was done.
    """

    source: str
    line: int | None = None
    key: str | None = None
    sentence: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.key}: {self.sentence}" if self.key else f"{place}: {self.sentence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What a file of references holds: the papers in its order, and what was wrong with it.

    Keys are unique within the file.
    """

    papers: tuple[Paper, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry as it stood in a file, its text decoded but not yet judged.

    Attributes
    ----------
    line : int or None
        Line (from 1) where it begins.
    key : str
        Its own key; empty where it has none.
    arxiv_id : str
        Text of a field that is meant for an arXiv id.
    mentions : tuple of str
        Other text in which an arXiv id may be mentioned, the most trustworthy first.
    """

    line: int | None
    key: str = ""
    title: str = ""
    abstract: str = ""
    digest: str = ""
    authors: tuple[str, ...] = ()
    year: str = ""
    venue: str = ""
    arxiv_id: str = ""
    doi: str = ""
    url: str = ""
    code_url: str = ""
    mentions: tuple[str, ...] = ()


class KeyRing:
    """Keys in use; the next free one is ``he2022``, then ``he2022a``, ``he2022b`` and so on."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._n_given: dict[str, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._taken

    def claim(self, base: str) -> str:
        """Take ``base``, or the first of ``base`` + a, b, …, z, aa, … that is free."""
        n_given = self._n_given.get(base, 0)
        key = base + _letters(n_given)
        while key in self._taken:
            n_given += 1
            key = base + _letters(n_given)
        self._n_given[base] = n_given + 1
        self._taken.add(key)
        return key


def _letters(number: int) -> str:
    """Count in letters: 0 -> nothing, 1 -> a, 26 -> z, 27 -> aa."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def make_key(title: str, authors: Sequence[str] = (), year: int | None = None) -> str:
    """Make a citation key: first author's surname, year, first content word of the title.

    ``he2022masked``; all in lower-case ASCII. Without a usable surname the first two
    content words stand around the year; without any word the key is ``paper`` and the year.
    """
    words = _WORD.findall(_ascii(title))
    words = [word for word in words if not _EMPTY_WORD.fullmatch(word)] or words
    number = "" if year is None else str(year)
    surname = _surname(authors[0]) if authors else ""
    if surname:
        return surname + number + (words[0] if words else "")
    return (words[0] + number + "".join(words[1:2])) if words else "paper" + number


def _surname(name: str) -> str:
    parts = name.split()
    while len(parts) > 1 and _SUFFIX.fullmatch(parts[-1]):
        parts.pop()
    return "".join(_WORD.findall(_ascii(parts[-1]))) if parts else ""


def _ascii(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.lower().translate(_ASCII_OF))
    return "".join(sign for sign in text if not unicodedata.combining(sign))


def clean_text(text: str) -> str:
    """Compose Unicode (NFC), drop control characters, make any white space one blank."""
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def find_year(text: str) -> int | None:
    """Find the first year (four digits, 1000 to 2999) in a text: ``2022-05`` -> 2022."""
    match = _YEAR.search(text)
    return int(match[0]) if match else None


def clean_doi(text: str) -> str | None:
    """Reduce a DOI to its bare form, without ``https://doi.org/`` or ``doi:``.

    Returns
    -------
    str or None
        None if the text is no DOI, or a DOI of arXiv (``10.48550/…``), which says no more
        than an arXiv id.
    """
    text = text.strip()
    bare = _DOI_PREFIX.sub("", text, count=1) if _DOI_PREFIX.match(text) else text
    if bare is not text and "%" in bare and "://" in text:
        bare = unquote(bare)
    if not _DOI.fullmatch(bare) or _ARXIV_DOI.match(bare):
        return None
    return bare


def bare_doi(paper: Paper) -> str:
    """Return a paper's DOI without address and case; empty for none, or for one of arXiv."""
    return (clean_doi(paper.doi or "") or "").casefold()


def assemble(
    drafts: Sequence[Draft], *, source: str
) -> tuple[list[tuple[Draft, Paper]], list[Problem]]:
    """Turn drafts into papers, in their order, and name what could not be used.

    A draft without title and text is left out. Of two drafts with one key the second is
    left out, without a word if both say the same. An own key is kept if it is printable
    and without white space; otherwise one is made (see `make_key`) that no other draft has.
    """
    ring = KeyRing(draft.key for draft in drafts if _is_key(draft.key))
    made: list[tuple[Draft, Paper]] = []
    problems: list[Problem] = []
    first_of: dict[str, tuple[Draft, Paper]] = {}
    for draft in drafts:
        key = draft.key if _is_key(draft.key) else ""
        complaints: list[str] = []
        paper = _to_paper(draft, key, complaints)
        if not paper.title and paper.text_source == "none":
            complaints = ["has neither title nor text; left out"]
        elif key in first_of:
            first, earlier = first_of[key]
            if paper == earlier:
                continue
            where = "" if first.line is None else f" (first on line {first.line})"
            complaints = [f"a second entry with this key{where} says something else; left out"]
        else:
            if not key:
                paper = _with_made_key(paper, ring)
                if draft.key:
                    complaints.append(
                        f"key {draft.key!r} must be text without spaces or control characters; "
                        f"{paper.key!r} is used instead"
                    )
            else:
                first_of[key] = (draft, paper)
            made.append((draft, paper))
        problems += (
            Problem(source=source, line=draft.line, key=key or None, sentence=sentence)
            for sentence in complaints
        )
    return made, problems


def _is_key(key: str) -> bool:
    return bool(key) and key.isprintable() and not any(sign.isspace() for sign in key)


def _with_made_key(paper: Paper, ring: KeyRing) -> Paper:
    base = make_key(paper.title or paper.body, paper.authors, paper.year)
    return replace(paper, key=ring.claim(base))


def _to_paper(draft: Draft, key: str, complaints: list[str]) -> Paper:
    year = find_year(draft.year)
    if year is None and draft.year.strip():
        complaints.append(f"year {_shorten(draft.year)} is no year; left out")
    doi = clean_doi(draft.doi)
    if doi is None and draft.doi.strip() and not _ARXIV_DOI.search(draft.doi):
        complaints.append(f"doi {_shorten(draft.doi)} is no DOI (10.NNNN/…); left out")
    if doi is None and _DOI_PREFIX.match(draft.url):
        doi = clean_doi(draft.url)
    venue = clean_text(draft.venue)
    return Paper(
        key=key,
        title=clean_text(draft.title),
        abstract=clean_text(draft.abstract) or None,
        digest=clean_text(draft.digest) or None,
        authors=tuple(name for author in draft.authors if (name := clean_text(author))),
        year=year,
        venue=None if is_preprint_venue(venue) else venue or None,
        arxiv_id=_find_arxiv_id(draft, complaints),
        doi=doi,
        url=clean_text(draft.url) or None,
        code_url=clean_text(draft.code_url) or None,
    )


def _find_arxiv_id(draft: Draft, complaints: list[str]) -> str | None:
    given = _ARXIV_PREFIX.sub("", draft.arxiv_id.strip(), count=1).strip()
    problem = check_arxiv_id(given) if given else None
    if given and problem is None:
        return given
    texts = [draft.doi, draft.url, *draft.mentions]
    if given:
        texts[:0] = [given, f"arXiv:{given}"]
    for text in texts:
        for found in find_arxiv_ids(text):
            return str(found)
    if problem:
        complaints.append(f"{problem}; left out")
    return None


def _shorten(text: str) -> str:
    shown = repr(" ".join(text.split()))
    return shown if len(shown) <= 60 else shown[:60] + "…"
