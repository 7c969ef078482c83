"""One entry of a list of papers: its title, its links, its venue and year.

An entry is read by what it holds, because lists agree on no order: ``**Title** [[paper]](…)``,
``[Title](…) (CVPR 2022)``, ``[ICLR'22] Title [[pdf](…), [code](…)]``, ``**Name**: "Title", ICCV,
2021``.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from survey_tools.arxiv_id import find_arxiv_ids
from survey_tools.formats.markup import LINK, Inline, Link, strip_emphasis
from survey_tools.formats.venues import VenueYear, split_venue

__all__ = [
    "ListedPaper",
    "Title",
    "clean_title",
    "find_title",
    "find_web_link",
    "read_entry",
    "starts_with_paper",
]

_CODE_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "gitee.com", "codeberg.org")
_CODE_WORD = re.compile(
    "codes?|codebase|github|gitlab|implementation|reimplementation|pytorch|tensorflow|tf|jax|"
    "keras|caffe|torch|mxnet|paddle|repo|repository|代码",
)
_PROJECT_WORD = re.compile("project|projects|page|website|web|site|homepage|webpage")
_OTHER_WORD = re.compile(
    "demo|videos?|youtube|talk|slides?|posters?|blogs?|post|supp|supplementary|supplement|material|"
    "appendix|datasets?|data|bibtex|bib|cite|models?|weights|checkpoints?|pretrained|colab|"
    "notebooks?|twitter|news|docs|documentation|spaces?|replicate|stars?|download"
)
_PAPER_WORD = re.compile(
    "papers?|pdf|arxiv|abs|abstract|links?|to|official|unofficial|doi|openreview|html|url|here|"
    "preprint|publication|article|proceedings|conference|journal|workshop|review|the|our|and|of|"
    "on|at|for|in|full|text|version|read|more|ieee|acm|springer|elsevier|cvf|pmlr|author|authors|"
    "huggingface|hf|v\\d|论文|链接"
)
_WORD = re.compile(r"[^\W_]+")
_BRACKETS = re.compile(r"[\[(（【]([^\[\]()（）【】\n]{1,80})[\])）】]")
_LINK_BRACKETS = re.compile(rf"[\[(（【][\s,;|/·]*{LINK}[\s,;|/·{LINK}]*[\])）】]")
_ITALIC = re.compile(r"(?<![*\w])\*(?=[^\s*])([^*\n]{1,80})\*(?![*\w])")
_BOLD = re.compile(r"\*\*(?=\S)([^\n]{1,500}?)(?<=\S)\*\*|__(?=\S)([^\n]{1,500}?)(?<=\S)__")
_QUOTED = re.compile(r"[\"“](?=\S)([^\"“”\n]{3,400})[\"”]")
_SHORTCODE = re.compile(r":[a-z0-9_+-]{2,40}:")
_START = re.compile(r"^[^\w\"“‘'(\[$]+")
_ENDS = " \t\n.,:;|/·•–—-→>"
_N_NAME_WORDS = 3  # a method's name is at most so long: "Masked Siamese Networks"
Kind = Literal["link", "bold", "quoted", "plain"]


class Title(NamedTuple):
    """A title, where it stood in the text, how it was marked, and its link (or -1)."""

    text: str
    start: int
    end: int
    kind: Kind
    link: int = -1

    @property
    def n_words(self) -> int:
        """Number of words."""
        return len(_WORD.findall(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPaper:
    """What an entry says; empty text and None where it says nothing.

    Attributes
    ----------
    mentions : tuple of str
        Links and text in which an arXiv id may be found.
    has_links : bool
        Whether it holds any link into the web.
    is_marked : bool
        Whether the title is told by its form and not only by its place.
    """

    title: str
    url: str
    code_url: str
    venue: str
    year: int | None
    mentions: tuple[str, ...]
    has_links: bool
    is_marked: bool

    @property
    def is_paper(self) -> bool:
        """Whether a title comes with a link to a paper, or with a venue or year."""
        if not self.title:
            return False
        has_id = any(True for text in self.mentions for _ in find_arxiv_ids(text))
        is_dated = bool(self.venue or self.year) and (self.is_marked or bool(self.code_url))
        return bool(self.url) or has_id or is_dated


def _is_web_link(link: Link) -> bool:
    """Tell a link into the web from one inside the document or the repository."""
    return link.url.lower().startswith(("http://", "https://"))


def find_web_link(inline: Inline) -> str:
    """Return the address of the first link into the web, or empty text."""
    return next((link.url for link in inline.links if _is_web_link(link)), "")


def starts_with_paper(inline: Inline) -> bool:
    """Tell whether a text begins with a title that is a link to a paper."""
    title = find_title(inline)
    if title is None or title.link < 0 or _WORD.search(inline.text[: title.start]):
        return False
    return _tell_link(inline.links[title.link]) == "paper"


def read_entry(inline: Inline, details: Sequence[Inline] = ()) -> ListedPaper:
    """Read an entry and the lines or bullets below it."""
    title = find_title(inline)
    rest = inline.text
    if title is not None:
        rest = f"{rest[: title.start]}\n{rest[title.end :]}"
    parts = [(rest, inline.links), *((detail.text, detail.links) for detail in details)]
    links = [link for _, found in parts for link in found if _is_web_link(link)]
    own = inline.links[title.link] if title is not None and title.link >= 0 else None
    papers, codes, projects = [], [], []
    for link in links:
        kind = _tell_link(link)
        if kind == "code":
            codes.append(link.url)
        elif link is own or (kind == "paper" and _is_generic(link.label)):
            papers.append(link.url)
        elif kind == "project":
            projects.append(link.url)
    if own is not None and own.url in papers:
        papers.insert(0, own.url)
    found = _find_venue(parts)
    return ListedPaper(
        title=title.text if title else "",
        url=papers[0] if papers else "",
        code_url=next(iter([*codes, *projects]), ""),
        venue=found.venue or "",
        year=found.year,
        mentions=(*papers, rest),
        has_links=bool(links),
        is_marked=title is not None and title.kind != "plain",
    )


def _tell_link(link: Link) -> Literal["paper", "code", "project", "other"]:
    """Tell by host and label what a link leads to."""
    try:
        host = urlsplit(link.url).hostname or ""
    except ValueError:  # half an IPv6 address
        host = ""
    words = [word.lower() for word in _WORD.findall(link.label)] if _is_generic(link.label) else []
    if host.removeprefix("www.") in _CODE_HOSTS or any(map(_CODE_WORD.fullmatch, words)):
        return "code"
    if any(map(_PROJECT_WORD.fullmatch, words)) or (not words and host.endswith(".github.io")):
        return "project"
    return "other" if any(map(_OTHER_WORD.fullmatch, words)) else "paper"


def _is_generic(label: str) -> bool:
    """Tell whether the text of a link is no title: ``paper``, ``Link to code``, ``ICML'20``."""
    label = label.strip(" []()")
    words = [word.lower() for word in _WORD.findall(label)]
    patterns = (_PAPER_WORD, _CODE_WORD, _PROJECT_WORD, _OTHER_WORD)
    if all(any(pattern.fullmatch(word) for pattern in patterns) for word in words):
        return True
    return split_venue(label) is not None or any(True for _ in find_arxiv_ids(label))


def find_title(inline: Inline) -> Title | None:
    """Find the title in the text of an entry.

    In this order: quoted text; the text of a link or bold text, whichever comes first, but a
    name in bold gives way to what it names (``**MAE**: Masked autoencoders …``); the plain text
    before, between or after the links.
    """
    text = inline.text
    links = _link_titles(inline)
    bolds = _bold_titles(text)
    plain = text
    for bold in bolds:  # a quotation inside a bold title is part of it
        plain = plain[: bold.start] + " " * (bold.end - bold.start) + plain[bold.end :]
    name = next((bold for bold in bolds if bold.n_words <= _N_NAME_WORDS), None)
    long_bold = next((bold for bold in bolds if bold.n_words > _N_NAME_WORDS), None)
    quoted = _QUOTED.search(plain)
    if quoted and not long_bold and not links and len(_WORD.findall(quoted[1])) > 1:
        return Title(clean_title(quoted[1]), quoted.start(), quoted.end(), "quoted")
    marked = min(filter(None, [long_bold, *links[:1]]), key=lambda title: title.start, default=None)
    if marked is not None:
        return marked
    unmarked = _plain_title(plain if name else text)
    if name is None:
        return unmarked
    follows = text[name.end :].lstrip()[:1] in (":", "-", "–", "—") or name.text.endswith(":")
    return unmarked if unmarked and follows and unmarked.n_words > 2 else name


def _link_titles(inline: Inline) -> list[Title]:
    titles = []
    position = -1
    for i, link in enumerate(inline.links):
        position = inline.text.index(LINK, position + 1)
        if (
            _is_web_link(link)
            and not _is_generic(link.label)
            and (label := clean_title(link.label))
        ):
            titles.append(Title(label, position, position + 1, "link", i))
    return titles


def _bold_titles(text: str) -> list[Title]:
    titles = []
    for match in _BOLD.finditer(text):
        content = match[1] or match[2]
        cleaned = clean_title(content)
        if LINK not in content and cleaned and not _is_generic(content):
            titles.append(Title(cleaned, match.start(), match.end(), "bold"))
    return titles


def _plain_title(text: str) -> Title | None:
    """Find the first piece between links and line breaks that reads like a title."""
    blanked = list(text)

    def blank(start: int, end: int) -> None:
        blanked[start:end] = " " * (end - start)

    for match in _BOLD.finditer(text):
        if split_venue((match[1] or match[2]).strip("[]() ")):
            blank(match.start(), match.end())
    for match in _LINK_BRACKETS.finditer(text):
        blank(match.start(), match.end())
        blanked[match.start()] = LINK
    for pattern in (_BRACKETS, _ITALIC):
        for match in pattern.finditer(text):
            is_first = not _WORD.search(text[: match.start()])
            if split_venue(match[1].strip()) or (pattern is _BRACKETS and is_first):
                blank(match.start(), match.end())
    start = 0
    for piece in re.split(rf"[\n{LINK}]", "".join(blanked)):
        end = start + len(piece)
        cut = _cut_venue(piece)
        title = clean_title(cut)
        words = _WORD.findall(title)
        if len(words) > 1 and split_venue(title) is None and not _is_generic(title):
            first = start + len(piece) - len(piece.lstrip())
            return Title(title, first, start + len(cut), "plain")
        start = end + 1
    return None


def _cut_venue(piece: str) -> str:
    """Cut venue and year off the end: ``A title, CVPR 2022`` -> ``A title``."""
    for _ in range(2):
        head, sign, tail = piece.rstrip(_ENDS).rpartition(", ")
        if not sign:
            head, sign, tail = piece.rstrip(_ENDS).rpartition(". ")
        if not sign or split_venue(strip_emphasis(tail), known_only=True) is None:
            break
        piece = head
    return piece


def clean_title(text: str) -> str:
    """Remove emphasis, emoji codes, and signs that only separate, around a title."""
    text = _SHORTCODE.sub(" ", strip_emphasis(text)).replace(LINK, " ")
    text = _START.sub("", " ".join(text.split())).rstrip(_ENDS)
    for opening, closing in ('""', "“”", "[]", "()"):
        if text.startswith(opening) and text.endswith(closing) and text.count(opening) < 3:
            inner = text[1:-1]
            if opening not in inner and closing not in inner:
                text = inner.rstrip(_ENDS)
    return text.strip()


def _find_venue(parts: Iterable[tuple[str, Sequence[Link]]]) -> VenueYear:
    """Find venue and year, those that stand together before those that stand apart."""
    venue: str | None = None
    year: int | None = None
    for text, links in parts:
        for found in _venues(text, links):
            if found.venue and found.year and venue is None:
                return found
            venue = venue or found.venue
            year = year or found.year
    return VenueYear(venue, year)


def _venues(text: str, links: Sequence[Link]) -> Iterable[VenueYear]:
    marked = [match[1] for match in _BRACKETS.finditer(text)]
    marked += [match[1] or match[2] for match in _BOLD.finditer(text)]
    marked += [match[1] for match in _ITALIC.finditer(text)]
    marked += [link.label.strip("[]()") for link in links]
    for piece in marked:
        if found := split_venue(strip_emphasis(piece)):
            yield found
    unmarked = _BRACKETS.sub(" ", strip_emphasis(text))
    for piece in re.split(rf"[\n,;|]|\. |{LINK}", unmarked):
        if found := split_venue(piece, known_only=True):
            yield found
