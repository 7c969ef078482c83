"""RIS, the exchange format of reference managers and databases <-> papers.

Files are cut into entries here and each entry is given to rispy alone, because rispy lets an
entry without an end (``ER``) swallow the one that follows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import rispy
from rispy.config import TAG_KEY_MAPPING

from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8
from survey_tools.errors import DataError
from survey_tools.formats.names import invert_name, turn_name
from survey_tools.formats.references import Draft, Problem, ReadResult, assemble
from survey_tools.formats.venues import is_journal, is_preprint_venue
from survey_tools.paper import Paper

__all__ = ["parse_ris", "serialise_ris"]

# Some writers put one blank before the hyphen, or none after it.
_TAGGED = re.compile(r" {0,3}(?P<tag>[A-Z][A-Z0-9])(?P<blanks> {1,2})-(?: (?P<value>.*)|\s*)")
_VENUES = ("T2", "JO", "JF", "BT", "C3", "JA", "J2")
_MENTIONS = ("AN", "UR", "L1", "L2", "LK", "M1", "M3", "N1", "T2", "JO", "JF", "PB", "ID", "C1")
_DIGEST = "survey-tools digest: "
_CODE = "survey-tools code: "


@dataclass(slots=True)
class _Entry:
    """Tagged lines of one entry, continuation lines joined."""

    line: int
    lines: list[tuple[str, list[str]]] = field(default_factory=list)
    is_closed: bool = False


def parse_ris(data: bytes, *, source: str) -> ReadResult:
    """Parse the bytes of a RIS file.

    The title is in ``TI`` or ``T1``, authors in ``AU`` or ``A1``, the year in ``PY``, ``Y1`` or
    ``DA``, the venue in ``T2``, ``JO``, ``JF`` or ``BT``, the abstract in ``AB`` or ``N2``, the
    key in ``ID``. An arXiv id is looked for in ``AN``, ``DO``, ``UR`` and in notes. An entry
    without ``ER`` ends where the next one begins. Text is taken as it is: RIS knows no TeX.

    Raises
    ------
    DataError
        If the file is not UTF-8, or holds text without a single entry.
    """
    text = decode_utf8(data, source).replace("\r\n", "\n").replace("\r", "\n")
    entries, problems = _split_entries(text, source)
    if text.strip() and not entries:
        raise DataError(f"{source}: holds no RIS entry; one begins with 'TY  - '")
    made, found_problems = assemble([_draft(entry) for entry in entries], source=source)
    problems += found_problems
    if not entries:
        problems.append(Problem(source=source, sentence="holds no entry"))
    problems.sort(key=lambda problem: problem.line or 0)
    return ReadResult(papers=tuple(paper for _, paper in made), problems=tuple(problems))


def _split_entries(text: str, source: str) -> tuple[list[_Entry], list[Problem]]:
    entries: list[_Entry] = []
    problems: list[Problem] = []
    strays: list[int] = []
    for n_line, line in enumerate(text.split("\n"), start=1):
        match = _TAGGED.fullmatch(line)
        if match and match["blanks"] == " " and match["tag"] not in TAG_KEY_MAPPING:
            match = None  # "AI - based search", a line of an abstract
        if match and match["tag"] == "TY":
            entries.append(_Entry(line=n_line))
        entry = entries[-1] if entries and not entries[-1].is_closed else None
        if entry is None:
            if match and match["tag"] != "ER":
                strays.append(n_line)
        elif match is None:
            if line.strip() and entry.lines:
                entry.lines[-1][1].append(line)
        elif match["tag"] == "ER":
            entry.is_closed = True
        else:
            entry.lines.append((match["tag"], [match["value"] or ""]))
    if strays:
        sentence = "tagged lines before any entry or after its end, left out; one begins with TY"
        problems.append(Problem(source=source, line=strays[0], sentence=sentence))
    problems += (
        Problem(source=source, line=entry.line, sentence="has no end (ER); read as far as it goes")
        for entry in entries
        if not entry.is_closed
    )
    return entries, problems


def _draft(entry: _Entry) -> Draft:
    values = _parse_entry(entry.lines)

    def first(*tags: str) -> str:
        return next((value for tag in tags for value in values.get(tag, ()) if value.strip()), "")

    names = values.get("AU", [])
    first_authors = [name for name in values.get("A1", ()) if name not in names]
    notes = values.get("N1", ())
    venue = first(*_VENUES)
    title = first("TI", "T1", "CT")
    if not title:  # a book's own title
        title = first("BT")
        venue = "" if title == venue else venue
    number = first("AN")
    return Draft(
        line=entry.line,
        key=first("ID").strip(),
        title=title,
        abstract=" ".join(values.get("AB", ())) or first("N2"),
        digest=_note(notes, _DIGEST),
        authors=tuple(turn_name(name) for name in (*first_authors, *names)),
        year=first("PY", "Y1", "DA"),
        venue=venue,
        arxiv_id=number if number.lower().startswith("arxiv:") else "",
        doi=first("DO"),
        url=first("UR", "LK", "L2").strip(),
        code_url=_note(notes, _CODE),
        mentions=tuple(value for tag in _MENTIONS for value in values.get(tag, ())),
    )


def _parse_entry(lines: Sequence[tuple[str, Sequence[str]]]) -> Mapping[str, list[str]]:
    """Let rispy read one entry; every tag is a list, under its own name."""
    tags = {tag for tag, _ in lines} | {"TY", "ER", "UK"}
    text = "\n".join(f"{tag}  - {' '.join(' '.join(parts).split())}" for tag, parts in lines)
    parsed = rispy.loads(
        f"{text}\nER  - ",
        mapping={tag: tag for tag in tags},
        list_tags=sorted(tags - {"TY", "ER"}),
        delimiter_tags_mapping={},
    )
    return parsed[0] if parsed else {}


def _note(notes: Sequence[str], prefix: str) -> str:
    return next((note[len(prefix) :] for note in notes if note.startswith(prefix)), "")


def serialise_ris(corpus: Corpus) -> bytes:
    """Write a corpus as RIS, in its own order, UTF-8, lines ended by a line feed.

    ``parse_ris`` reads back equal papers, but for: white space (any run of it is one blank),
    the version of Unicode's composition (NFC), a venue that is only arXiv (not written), years
    outside 1000 to 2999, and names with a comma, which would be read as turned round. Digest
    and code link stand in notes (``N1``).
    """
    return "\n".join(_write_entry(paper) for paper in corpus).encode()


def _write_entry(paper: Paper) -> str:
    venue = paper.venue if paper.venue and not is_preprint_venue(paper.venue) else None
    kind = "GEN" if venue is None else "JOUR" if is_journal(venue) else "CONF"
    lines = [
        ("TY", kind),
        ("ID", paper.key),
        *(("AU", invert_name(name)) for name in paper.authors),
        ("TI", paper.title),
        ("T2", venue),
        ("PY", None if paper.year is None else str(paper.year)),
        ("AN", f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else None),
        ("DO", paper.doi),
        ("UR", paper.url),
        ("AB", paper.abstract),
        ("N1", f"{_DIGEST}{paper.digest}" if paper.digest else None),
        ("N1", f"{_CODE}{paper.code_url}" if paper.code_url else None),
    ]
    tagged = [
        f"{tag}  - {flat}\n" for tag, value in lines if value and (flat := " ".join(value.split()))
    ]
    return f"{''.join(tagged)}ER  - \n"
