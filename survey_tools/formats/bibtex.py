r"""BibTeX and biblatex <-> papers.

A broken entry is named and the others are read. Macros are resolved here and not by the
parser's middleware, which joins no pieces (``cvpr # " 2022"``).
"""

import logging
import re
from collections.abc import Iterator

from bibtexparser.entrypoint import parse_string
from bibtexparser.library import Library
from bibtexparser.middlewares.names import (
    InvalidNameError,
    parse_single_name_into_parts,
    split_multiple_persons_names,
)
from bibtexparser.model import (
    Block,
    DuplicateBlockKeyBlock,
    DuplicateFieldKeyBlock,
    Entry,
    ImplicitComment,
    ParsingFailedBlock,
    String,
)

from survey_tools.arxiv_id import check_arxiv_id
from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8
from survey_tools.errors import DataError
from survey_tools.formats.names import split_name
from survey_tools.formats.references import (
    Draft,
    KeyRing,
    Problem,
    ReadResult,
    assemble,
)
from survey_tools.formats.tex_text import (
    decode_value,
    decode_verbatim,
    encode_value,
    encode_verbatim,
    protect_capitals,
)
from survey_tools.formats.venues import is_journal, is_preprint_venue
from survey_tools.paper import Paper
from survey_tools.tex import decode_tex

__all__ = ["parse_bibtex", "serialise_bibtex"]

# What the parser logs of a broken entry is told as a problem; without any handler Python
# would write it to stderr as well.
logging.getLogger("bibtexparser").addHandler(logging.NullHandler())

_MENTIONS = ("eprint", "note", "howpublished", "journal", "journaltitle", "eid", "number")
_MONTHS = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE)
_N_VALUE_CHARACTERS = 1_000_000  # macros made of macros can double their length line by line
_KEY = re.compile(r"@\w*\s*[{(]\s*([^\s,{}()=\"]+)")
_LOST_FIELD = re.compile(r"[\s,}]*[A-Za-z]+\s*=\s*[{\"\d]")
_LOST_ENTRY = re.compile(r"^[ \t]*@\w+", re.MULTILINE)
_BRACE = re.compile(r"(?<!\\)[{}]")
_BRACE_OR_QUOTE = re.compile(r"(?<!\\)[{}\"]")
_BARE = re.compile(r"[^#{\"]+")
_LINK = re.compile(r"https?://\S+")
_DBLP_VOLUME = re.compile(r"abs/(\S+)")
_BEGINS_WITH_MACRO = re.compile(r"(\sand\s+)(?=\\)", re.IGNORECASE)
_NOT_IN_KEYS = re.compile(r"[\s,{}()\"'#%=~\\@]+")


def parse_bibtex(data: bytes, *, source: str) -> ReadResult:
    """Parse the bytes of a BibTeX or biblatex file.

    Macros (``@string``) are resolved, also where pieces are joined. Year and book title
    missing in an entry are taken from the one that its ``crossref`` names. TeX becomes
    Unicode (see `decode_value`). An arXiv id is looked for in ``eprint``, ``arxivid``,
    ``doi``, ``url`` and in notes. "and others" at the end of the authors is dropped.

    Raises
    ------
    DataError
        If the file is not UTF-8, or holds text without a single entry.
    """
    text = decode_utf8(data, source).replace("\r\n", "\n").replace("\r", "\n")
    library = parse_string(text, parse_stack=[])
    if text.strip() and all(isinstance(block, ImplicitComment) for block in library.blocks):
        raise DataError(f"{source}: holds no BibTeX entry; one begins with @article{{key,")
    entries, problems = _gather(library, source)
    by_key = {entry.key: entry for entry in reversed(entries)}
    parents = {entry.raw("crossref") for entry in entries}
    drafts: list[Draft] = []
    for entry in entries:
        if entry.kind == "proceedings" and entry.key in parents:
            continue
        drafts.append(_draft(entry, by_key.get(entry.raw("crossref"))))
        problems += (
            Problem(source=source, line=entry.line, key=entry.key or None, sentence=complaint)
            for complaint in dict.fromkeys(entry.complaints)
        )
    made, found_problems = assemble(drafts, source=source)
    problems += found_problems
    if not made and not problems:
        problems.append(Problem(source=source, sentence="holds no entry"))
    problems.sort(key=lambda problem: problem.line or 0)
    return ReadResult(papers=tuple(paper for _, paper in made), problems=tuple(problems))


def _gather(library: Library, source: str) -> tuple[list["_Entry"], list[Problem]]:
    """Gather entries and macros, and name the blocks that are broken."""
    entries: list[_Entry] = []
    problems: list[Problem] = []
    macros = _Macros()
    for block in library.blocks:
        content = block.ignore_error_block if isinstance(block, ParsingFailedBlock) else block
        complaints = _complain(block)
        if isinstance(content, String):
            complaints += macros.define(content)
        elif isinstance(content, Entry):
            entries.append(_Entry(content, macros))
        if complaints:
            found = _KEY.match(block.raw or "")
            key = content.key if isinstance(content, Entry) else found[1] if found else None
            problems += (
                Problem(source=source, line=_line(block), key=key or None, sentence=complaint)
                for complaint in complaints
            )
    return entries, problems


def _line(block: Block) -> int:
    return (block.start_line or 0) + 1


def _complain(block: Block) -> list[str]:
    """Say what is wrong with a block as it stands in the file."""
    if isinstance(block, DuplicateBlockKeyBlock):
        return []  # entries are compared later, as papers; macros may be redefined
    if isinstance(block, DuplicateFieldKeyBlock):
        twice = ", ".join(sorted(block.duplicate_keys))
        return [f"field {twice} stands twice; the first one counts"]
    if isinstance(block, ParsingFailedBlock):
        reason = str(getattr(block.error, "abort_reason", block.error))
        reason = " ".join(reason.replace("`", "'").split()).rstrip(".")
        return [f"cannot be read, left out: {reason[:1].lower()}{reason[1:]}"]
    if isinstance(block, ImplicitComment):
        if _LOST_FIELD.match(block.comment):
            return ["fields outside of any entry, left out; does the one before close too early?"]
        if _LOST_ENTRY.search(block.comment):
            return ["text that begins with @ but opens no entry, left out; write @article{key,"]
    return []


class _Macros:
    """The macros (``@string``) of a file; of two with one name the last one counts."""

    def __init__(self) -> None:
        self._value_of: dict[str, str] = {}

    def define(self, string: String) -> list[str]:
        """Define a macro, or define it anew; say what is wrong."""
        value, complaints = self.evaluate(str(string.value))
        self._value_of[string.key.lower()] = value
        return complaints

    def evaluate(self, raw: str) -> tuple[str, list[str]]:
        """Join the pieces of a value (``{…}``, ``"…"``, numbers, macros); say what is wrong."""
        pieces: list[str] = []
        complaints: list[str] = []
        n_characters = len(raw)
        position = 0
        while position < len(raw):
            if raw[position] == "#":
                position += 1
            elif raw[position] in '{"':
                end = _end_of_piece(raw, position)
                pieces.append(raw[position + 1 : end])
                position = end + 1
            else:
                match = _BARE.match(raw, position)
                assert match is not None, "neither #, brace nor quotation mark"
                position = match.end()
                name = match[0].strip()
                piece = self._value_of.get(name.lower(), name)
                is_literal = name[:1].isdigit() or _MONTHS.fullmatch(name)
                if piece == name and name and not is_literal:
                    complaints.append(f"macro {name!r} is not defined; its name is taken")
                n_characters += len(piece)
                if n_characters > _N_VALUE_CHARACTERS:
                    complaints.append("macros make a value too long; cut off")
                    break
                pieces.append(piece)
        return "".join(pieces), complaints


def _end_of_piece(raw: str, start: int) -> int:
    """Find the brace or quotation mark that closes the one at ``start``."""
    is_quoted = raw[start] == '"'
    pattern = _BRACE_OR_QUOTE if is_quoted else _BRACE
    depth = 0
    for match in pattern.finditer(raw, start + 1):
        if depth <= 0 and match[0] == ('"' if is_quoted else "}"):
            return match.start()
        if match[0] != '"':
            depth += 1 if match[0] == "{" else -1
    return len(raw)


class _Entry:
    """An entry whose fields are evaluated when asked for; names of fields in lower case."""

    def __init__(self, entry: Entry, macros: _Macros) -> None:
        self.key = entry.key
        self.kind = entry.entry_type.lower()
        self.line = _line(entry)
        self.complaints: list[str] = []
        self._macros = macros
        # the first of two fields with one name counts
        self._fields = {field.key.lower(): str(field.value) for field in reversed(entry.fields)}
        self._known: dict[str, str] = {}

    def raw(self, *names: str) -> str:
        """Return the first of the named fields that says something."""
        for name in names:
            if name in self._fields and name not in self._known:
                self._known[name], complaints = self._macros.evaluate(self._fields[name])
                self.complaints += complaints
            if value := self._known.get(name, "").strip():
                return value
        return ""

    def text(self, *names: str) -> str:
        return decode_value(self.raw(*names))

    def verbatim(self, *names: str) -> str:
        return decode_verbatim(self.raw(*names))


def _draft(entry: _Entry, parent: _Entry | None) -> Draft:
    title, subtitle = entry.text("title"), entry.text("subtitle")
    year = entry.text("year") or entry.text("date")
    venue = entry.text("booktitle", "journal", "journaltitle")
    if parent is not None:
        year = year or parent.text("year", "date")
        venue = venue or parent.text("booktitle", "title")
    mentions = [entry.verbatim(name) for name in _MENTIONS]
    if is_preprint_venue(venue) and (volume := _DBLP_VOLUME.match(entry.verbatim("volume"))):
        mentions.append(f"arXiv:{volume[1]}")
    link = _LINK.search(entry.verbatim("howpublished"))
    return Draft(
        line=entry.line,
        key=entry.key,
        title=f"{title}: {subtitle}" if title and subtitle else title or subtitle,
        abstract=entry.text("abstract"),
        digest=entry.text("digest"),
        authors=tuple(_read_names(entry.raw("author"), entry.complaints)),
        year=year,
        venue=venue,
        arxiv_id=_eprint(entry),
        doi=entry.verbatim("doi"),
        url=entry.verbatim("url") or (link[0] if link else ""),
        code_url=entry.verbatim("code_url"),
        mentions=tuple(mentions),
    )


def _eprint(entry: _Entry) -> str:
    """Return the text of the field that is meant for an arXiv id, if there is one."""
    eprint = entry.verbatim("eprint")
    archive = entry.verbatim("archiveprefix", "eprinttype").lower()
    is_arxiv = archive == "arxiv" or eprint.lower().startswith("arxiv:")
    if eprint and (is_arxiv or (not archive and check_arxiv_id(eprint) is None)):
        return eprint
    return entry.verbatim("arxivid")


def _read_names(value: str, complaints: list[str]) -> Iterator[str]:
    """Split a list of names and bring each into printed order."""
    # bibtexparser 2.1 loses a macro and its letter where a name begins with them
    value = _BEGINS_WITH_MACRO.sub(r"\1{}", decode_tex(value))
    for raw in split_multiple_persons_names(value):
        if raw.strip().lower() == "others":
            continue
        try:
            yield decode_value(parse_single_name_into_parts(raw).merge_first_name_first)
        except InvalidNameError as error:
            shown = raw if len(raw) <= 60 else raw[:60] + "…"
            complaints.append(
                f"author {shown!r} is no name ({error.reason.lower()}), kept as it is; "
                "write First Last and First Last"
            )
            yield decode_value(raw)


def serialise_bibtex(corpus: Corpus) -> bytes:
    r"""Write a corpus as BibTeX, in its own order, UTF-8.

    ``parse_bibtex`` reads back equal papers, but for: white space (any run of it is one
    blank), the version of Unicode's composition (NFC), a venue that is only arXiv (not
    written), years outside 1000 to 2999, and keys with signs that BibTeX does not allow,
    which become hyphens. Digest and code link stand in fields of our own, ``digest`` and
    ``code_url``, which styles ignore.

    A paper with a venue is an ``@article`` if the venue's name is known as, or has a word of,
    a journal (see `is_journal`), otherwise an ``@inproceedings``; without one it is ``@misc``.
    """
    ring = KeyRing()
    entries = [_write_entry(paper, ring) for paper in corpus]
    return "\n".join(entries).encode()


def _write_entry(paper: Paper, ring: KeyRing) -> str:
    venue = paper.venue if paper.venue and not is_preprint_venue(paper.venue) else None
    journal = venue if venue and is_journal(venue) else None
    booktitle = venue if venue and journal is None else None
    kind = "article" if journal else "inproceedings" if booktitle else "misc"
    texts = {
        "title": protect_capitals(paper.title),
        "author": " and ".join(_write_name(name) for name in paper.authors if name.strip()),
        "journal": encode_value(journal or ""),
        "booktitle": encode_value(booktitle or ""),
        "year": "" if paper.year is None else str(paper.year),
        "eprint": paper.arxiv_id or "",
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "doi": encode_verbatim(paper.doi or ""),
        "url": encode_verbatim(paper.url or ""),
        "abstract": encode_value(paper.abstract or ""),
        "digest": encode_value(paper.digest or ""),
        "code_url": encode_verbatim(paper.code_url or ""),
    }
    fields = [f"  {name} = {{{' '.join(text.split())}}},\n" for name, text in texts.items() if text]
    key = ring.claim(_NOT_IN_KEYS.sub("-", paper.key))
    return f"@{kind}{{{key},\n{''.join(fields)}}}\n"


def _write_name(name: str) -> str:
    """Write ``Last, First``, or the whole name in braces where that would not be read back."""
    first, last, suffix = (encode_value(part) for part in split_name(name))
    written = ", ".join(part for part in (last, suffix, first) if part)
    complaints: list[str] = []
    has_and = any(word.lower() == "and" for word in name.split())  # it separates names
    if first and not has_and and [*_read_names(written, complaints)] == [name] and not complaints:
        return written
    return f"{{{encode_value(name)}}}"
