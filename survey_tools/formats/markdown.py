"""Awesome lists, lists of papers in Markdown -> papers, with the headings they stand under.

Entries are items of bulleted and numbered lists, with the lines and bullets below them, and rows
of tables. What does not read like a paper but holds links is named; links inside the document
(tables of contents) are passed over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from survey_tools.documents import decode_utf8
from survey_tools.formats.listed_paper import (
    ListedPaper,
    clean_title,
    find_title,
    find_web_link,
    read_entry,
    starts_with_paper,
)
from survey_tools.formats.markup import LINK, Inline, find_definitions, parse_inline, strip_emphasis
from survey_tools.formats.names import split_authors
from survey_tools.formats.references import Draft, Problem, ReadResult, assemble, find_year
from survey_tools.formats.venues import split_venue

__all__ = ["AwesomeList", "parse_markdown"]

_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?:\s+(?P<text>.*))?")
_HTML_HEADING = re.compile(
    r"\s*<h(?P<level>[1-6])\b[^>]*>(?P<text>.*?)(?:</h[1-6]>\s*|$)", re.IGNORECASE
)
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})\s*")
_RULE = re.compile(r"[\s*_-]+")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"(?P<indent> *)(?:[-*+•]|\d{1,9}[.)]) +(?P<text>\S.*)")
_CHECKBOX = re.compile(r"\[[ xX]\] +")
_HARD_BREAK = re.compile(r"(?: {2,}|\\|<br\s*/?>)\s*$")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_NAMED = re.compile(r"\*\*[^*\n]+\*\*\s*:|\*\*[^*\n]+:\s*\*\*")
_NO_PAPERS = re.compile(
    r"(?:table of )?contents?$|contributing|contributors?$|how to contribute|licen[cs]e$|"
    r"acknowledge?ments?$|(?:how to )?cit(?:e|ing|ations?)(?: us)?$|star history|contact(?: us)?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_N_VENUE_CHARACTERS = 80
_N_LEVELS = 20  # of bullets; deeper ones are read as of this depth
# Columns of tables by the words of their heading, the preferred one first.
_TITLE_COLUMNS = (
    "title", "paper title", "paper name", "paper", "papers", "article", "publication", "work",
    "name", "method", "model",
)  # fmt: skip
_VENUE_COLUMNS = (
    "venue", "conference", "conference journal", "journal", "conf", "pub", "published",
    "published in", "source", "venue year",
)  # fmt: skip
_YEAR_COLUMNS = ("year", "date", "publication year", "pub date", "time")
_AUTHOR_COLUMNS = ("authors", "author")
_CODE_COLUMNS = ("code", "github", "repo", "repository", "implementation", "code link")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwesomeList(ReadResult):
    """A list of papers, with where each of them stands.

    A paper that is listed twice is two entries, with two keys.

    Attributes
    ----------
    labels : mapping of str to tuple of str
        Headings above each paper by its key, the outermost first, then bullets that stand for
        a group.
    lines : mapping of str to int
        Line (from 1) of each paper by its key.
    """

    labels: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, int]


@dataclass(slots=True)
class _Item:
    """An item of a list with the text of its lines and the items below it."""

    line: int
    indent: int
    text: str
    children: list["_Item"] = field(default_factory=list)
    ends_hard: bool = False

    def add(self, line: str, *, after_blank: bool) -> None:
        is_new_line = after_blank or self.ends_hard
        self.text += ("\n" if is_new_line else " ") + _without_break(line)
        self.ends_hard = bool(_HARD_BREAK.search(line))


@dataclass(slots=True)
class _Found:
    """An entry with its place; ``line`` is where it begins."""

    line: int
    labels: tuple[str, ...]
    listed: ListedPaper
    authors: tuple[str, ...] = ()


def _without_break(line: str) -> str:
    return _HARD_BREAK.sub("", line).strip()


def parse_markdown(data: bytes, *, source: str) -> AwesomeList:
    """Parse the bytes of a list of papers in Markdown.

    Keys are made from the title (see `make_key`), because a list has none and its authors
    cannot be told from other text. An arXiv id is taken from the links of an entry. A link to a
    project page stands in for one to code. An item with a link that is no paper (no title, or
    neither a link to a paper nor venue nor year) is named as a problem.

    Raises
    ------
    DataError
        If the file is not UTF-8.
    """
    text = decode_utf8(data, source).replace("\r\n", "\n").replace("\r", "\n")
    problems: list[Problem] = []
    text, open_comment = _blank_comments(text)
    if open_comment:
        sentence = "a comment (<!--) has no end; what follows is not read"
        problems.append(Problem(source=source, line=open_comment, sentence=sentence))
    drafts: list[Draft] = []
    places: list[_Found] = []
    for found in _Blocks(text).read():
        listed = found.listed
        if not listed.is_paper:
            if listed.has_links:
                reason = "holds a link but no title that can be told"
                if listed.title:
                    reason = f"{_shorten(listed.title)} has no link to a paper, no venue, no year"
                problems.append(
                    Problem(source=source, line=found.line, sentence=f"{reason}; left out")
                )
            continue
        places.append(found)
        drafts.append(
            Draft(
                line=found.line,
                title=listed.title,
                authors=found.authors,
                year="" if listed.year is None else str(listed.year),
                venue=listed.venue,
                url=listed.url,
                code_url=listed.code_url,
                mentions=listed.mentions,
            )
        )
    made, found_problems = assemble(drafts, source=source)
    problems += found_problems
    if not made and not problems:
        problems.append(Problem(source=source, sentence="holds no entry of a list of papers"))
    problems.sort(key=lambda problem: problem.line or 0)
    labels_of_line = {id(draft): found.labels for draft, found in zip(drafts, places, strict=True)}
    return AwesomeList(
        papers=tuple(paper for _, paper in made),
        problems=tuple(problems),
        labels={paper.key: labels_of_line[id(draft)] for draft, paper in made},
        lines={paper.key: draft.line or 0 for draft, paper in made},
    )


def _shorten(title: str) -> str:
    return repr(title if len(title) <= 60 else title[:60] + "…")


def _blank_comments(text: str) -> tuple[str, int]:
    """Blank HTML comments, keeping line breaks; return also the line of one without an end."""
    pieces: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start + 4)
        pieces.append(text[position:start])
        if end < 0:
            return "".join(pieces), text.count("\n", 0, start) + 1
        pieces.append("\n" * text.count("\n", start, end))
        position = end + 3
    return "".join(pieces) + text[position:], 0


class _Blocks:
    """Headings, lists and tables of a document, read from top to bottom."""

    def __init__(self, text: str) -> None:
        self.definitions = find_definitions(text)
        self.lines = _blank_fences(text.split("\n"))
        self.headings: list[tuple[int, str]] = []
        self.roots: list[_Item] = []
        self.open: list[_Item] = []  # from a root to the item that lines are added to

    def read(self) -> Iterator[_Found]:
        after_blank = True
        n_line = 0
        while n_line < len(self.lines):
            line = self.lines[n_line].replace("\t", "    ")
            n_line += 1
            following = self.lines[n_line] if n_line < len(self.lines) else ""
            item = _ITEM.fullmatch(line) if not _RULE.fullmatch(line) else None
            if not line.strip():
                after_blank = True
                continue
            goes_on = bool(self.open) and not (after_blank and self._is_outside(line))
            if heading := self._heading(line, following, in_list=bool(item or goes_on)):
                yield from self._flush()
                self._enter(*heading)
            elif "|" in line and _is_table_border(following):
                yield from self._flush()
                rows = n_line + 1
                while rows < len(self.lines) and "|" in self.lines[rows]:
                    rows += 1
                yield from self._read_table(n_line, rows)
                n_line = rows
            elif item:
                self._add_item(item, n_line)
            elif goes_on:
                self.open[-1].add(line, after_blank=after_blank)
            else:
                yield from self._flush()
            after_blank = False
        yield from self._flush()

    def _heading(self, line: str, following: str, *, in_list: bool) -> tuple[int, str] | None:
        """Return level and text if a line is a heading."""
        if match := _HEADING.fullmatch(line):
            return len(match["marks"]), re.sub(r"\s#+\s*$", "", match["text"] or "")
        if match := _HTML_HEADING.match(line):
            return int(match["level"]), match["text"]
        if not in_list and "|" not in line and _UNDERLINE.fullmatch(following):
            return (1 if "=" in following else 2), line
        return None

    def _enter(self, level: int, text: str) -> None:
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        self.headings.append((level, _label(parse_inline(text, self.definitions))))

    def _is_outside(self, line: str) -> bool:
        """Tell whether a line after a blank one stands left of the text of the first item."""
        return len(line) - len(line.lstrip()) <= self.open[0].indent

    def _add_item(self, match: re.Match[str], n_line: int) -> None:
        text = _CHECKBOX.sub("", match["text"], count=1)
        item = _Item(n_line, len(match["indent"]), _without_break(text))
        item.ends_hard = bool(_HARD_BREAK.search(text))
        while self.open and item.indent < self.open[-1].indent + 2:
            self.open.pop()
        del self.open[_N_LEVELS:]
        (self.open[-1].children if self.open else self.roots).append(item)
        self.open.append(item)

    def _flush(self) -> Iterator[_Found]:
        """Read the items gathered so far."""
        roots, self.roots, self.open = self.roots, [], []
        labels = self._labels()
        if labels and _NO_PAPERS.match(labels[-1]):
            return
        stack = [(root, labels) for root in reversed(roots)]
        while stack:
            item, labels = stack.pop()
            found, labels, below = self._read_item(item, labels)
            if found is not None:
                yield found
            stack += ((child, labels) for child in reversed(below))

    def _labels(self) -> tuple[str, ...]:
        return tuple(text for _, text in self.headings if text)

    def _inline(self, item: _Item) -> Inline:
        return parse_inline(item.text, self.definitions)

    def _read_item(
        self, item: _Item, labels: tuple[str, ...]
    ) -> tuple[_Found | None, tuple[str, ...], Sequence[_Item]]:
        """Read an item with its children.

        Returns
        -------
        found : _Found or None
            None where the item only names the group of its children.
        labels : tuple of str
            Labels of the children that are entries of their own.
        below : sequence of _Item
            These children.
        """
        inline = self._inline(item)
        inlines = [self._inline(child) for child in item.children]
        children = list(zip(item.children, inlines, strict=True))
        if find_web_link(inline) or not children:
            below = [child for child, text in children if starts_with_paper(text)]
            details = [text for _, text in children if not starts_with_paper(text)]
            return _Found(item.line, labels, read_entry(inline, details)), labels, below
        linked = [
            (child, text) for child, text in children if child.children or find_web_link(text)
        ]
        if find_title(inline) and not any(c.children or find_title(text) for c, text in linked):
            return _Found(item.line, labels, read_entry(inline, inlines)), labels, ()
        if len(linked) == 1 and not linked[0][0].children and _NAMED.match(item.text):
            # "**Name**: authors", and below it title and links
            own = linked[0][1]
            details = [text for text in inlines if text is not own]
            return _Found(item.line, labels, read_entry(own, details)), labels, ()
        label = _label(inline)
        return None, (*labels, label) if label else labels, item.children

    def _read_table(self, header: int, end: int) -> Iterator[_Found]:
        """Read a table from the line of its header to its last line (from 1)."""
        names = [" ".join(_WORD.findall(_label(cell).lower())) for cell in self._cells(header)]
        if not any(name in _TITLE_COLUMNS for name in names):
            return
        for line in range(header + 2, end + 1):
            cells = self._cells(line)
            if any(cell.text.strip() for cell in cells):
                cells += [Inline("", ())] * (len(names) - len(cells))
                yield _read_row(line, self._labels(), names, cells)

    def _cells(self, n_line: int) -> list[Inline]:
        cells = _CELL_BORDER.split(self.lines[n_line - 1].strip().removeprefix("|"))
        if len(cells) > 1 and not cells[-1].strip():
            cells.pop()
        return [parse_inline(cell.replace("\\|", "|"), self.definitions) for cell in cells]


def _read_row(
    line: int, labels: tuple[str, ...], names: Sequence[str], cells: Sequence[Inline]
) -> _Found:
    def column(known: Sequence[str]) -> list[Inline]:
        return [cells[names.index(name)] for name in known if name in names]

    titles = column(_TITLE_COLUMNS)
    own = next((cell for cell in titles if find_title(cell)), None)
    if own is None:  # in a column of titles one word is enough, but no "[paper](…)"
        own = next((cell for cell in titles if clean_title(cell.text)), titles[0])
    listed = read_entry(own, [cell for cell in cells if cell is not own])
    venue, year = listed.venue, listed.year
    for cell in column(_VENUE_COLUMNS):
        text = _label(cell)
        split = split_venue(text)
        if split is None and not venue and _WORD.search(text) and len(text) <= _N_VENUE_CHARACTERS:
            venue = text
    dates = column(_YEAR_COLUMNS)
    code = next(filter(None, map(find_web_link, column(_CODE_COLUMNS))), "")
    listed = replace(
        listed,
        title=listed.title or clean_title(own.text),
        code_url=code or listed.code_url,
        venue=venue,
        year=next(filter(None, (find_year(cell.text) for cell in dates)), year),
        mentions=(*listed.mentions, *(cell.text for cell in cells)),
        is_marked=True,
    )
    authors = [_label(cell) for cell in column(_AUTHOR_COLUMNS)]
    return _Found(line, labels, listed, split_authors(authors[0]) if authors else ())


def _label(inline: Inline) -> str:
    """Write a heading or a cell as plain text, links by what they say."""
    pieces = inline.text.split(LINK)
    labels = ["" if link.is_image else link.label for link in inline.links]
    text = "".join(part for pair in zip(pieces, [*labels, ""], strict=True) for part in pair)
    return " ".join(strip_emphasis(text).split()).rstrip(":")


def _blank_fences(lines: Sequence[str]) -> list[str]:
    """Blank fenced code, which may hold anything."""
    kept: list[str] = []
    fence = ""
    for line in lines:
        match = _FENCE.match(line)
        if not fence:
            fence = match[1] if match else ""
            kept.append("" if match else line)
        else:
            closes = match and match[1].startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closes else fence
            kept.append("")
    return kept


def _is_table_border(line: str) -> bool:
    line = line.strip()
    return "-" in line and not line.strip("|:- \t")
