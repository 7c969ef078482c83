"""Tables of papers, CSV and Parquet <-> papers: one paper a row, one field a column.

Columns are named as the fields of a paper, or by a name that databases and reference managers
use (`SYNONYMS`); upper and lower case, blanks and punctuation in a name do not matter.
Everything in CSV is text: an arXiv id ``2106.08250`` stays one.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8
from survey_tools.errors import DataError, abbreviate
from survey_tools.formats.names import split_authors
from survey_tools.formats.references import Draft, Problem, ReadResult, assemble
from survey_tools.paper import Paper

__all__ = [
    "FIELDS",
    "SYNONYMS",
    "has_columns",
    "parse_csv",
    "parse_parquet",
    "serialise_csv",
    "serialise_parquet",
]

FIELDS = tuple(Paper.__dataclass_fields__)
"""Columns that are written, in this order."""

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "key": ("key", "citation key", "cite key", "bibtex key", "entry key"),
    "title": ("title", "article title", "document title", "paper title", "item title"),
    "abstract": ("abstract", "abstract note", "abstract text"),
    "digest": ("digest",),
    "authors": ("author full names", "authors", "author", "author(s)", "author names", "creators"),
    "year": ("year", "publication year", "pub year", "year of publication", "published",
             "publication date", "date", "date published"),
    "venue": ("venue", "source title", "publication title", "journal", "journal title",
              "book title", "conference", "conference name", "journal/book", "proceedings title",
              "publication name", "publication venue"),
    "arxiv_id": ("arxiv id", "arxiv", "arxiv number", "arxiv identifier", "eprint"),
    "doi": ("doi", "doi link", "item doi", "digital object identifier"),
    "url": ("url", "urls", "link", "pdf link", "pdf", "article link", "paper url", "item url"),
    "code_url": ("code url", "code", "code link", "github", "repository"),
}  # fmt: skip
"""Names of columns that are read; of several that say something the first one here counts."""

_DELIMITERS = ",;\t"
_NO_WORD = re.compile(r"[\W_]+")
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # a first line that Excel understands
_N_FIELD_CHARACTERS = 2**31 - 1
_N_YEAR = 2**63


def _plain(name: str) -> str:
    return _NO_WORD.sub("", name.casefold())


_PLACE_OF = {
    _plain(name): (field, rank)
    for field, names in SYNONYMS.items()
    for rank, name in enumerate(names)
}


class _Columns:
    """Which column holds which field."""

    def __init__(self, names: Sequence[str], source: str) -> None:
        self.n_columns = len(names)
        self.unknown = [name.strip() for name in names if name.strip() and not _is_known(name)]
        places: dict[str, list[tuple[int, int]]] = {}
        for column, name in enumerate(names):
            if _is_known(name):
                field, rank = _PLACE_OF[_plain(name)]
                places.setdefault(field, []).append((rank, column))
        self.columns_of = {
            field: [column for _, column in sorted(found)] for field, found in places.items()
        }
        if self.columns_of.keys().isdisjoint({"title", "abstract", "digest"}):
            found_names = abbreviate([name.strip() for name in names]) or "none"
            raise DataError(
                f"{source}: no column of titles; columns are {found_names}; "
                f"allowed: {', '.join(FIELDS)}"
            )

    def draft(self, cells: Sequence[str], *, authors: Sequence[str] = (), line: int) -> Draft:
        """Read a row of text; ``authors`` where they are known as a list."""

        def first(field: str) -> str:
            columns = self.columns_of.get(field, ())
            found = (cells[column] for column in columns if column < len(cells))
            return next((cell for cell in found if cell.strip()), "")

        return Draft(
            line=line,
            key=first("key").strip(),
            title=first("title"),
            abstract=first("abstract"),
            digest=first("digest"),
            authors=tuple(authors) or split_authors(first("authors")),
            year=first("year"),
            venue=first("venue"),
            arxiv_id=first("arxiv_id"),
            doi=first("doi"),
            url=first("url").strip(),
            code_url=first("code_url").strip(),
            mentions=(first("venue"),),
        )

    def name_unknown(self, *, source: str, line: int | None) -> list[Problem]:
        """Name the columns that are not read, once for the file."""
        if not self.unknown:
            return []
        are = "column is" if len(self.unknown) == 1 else "columns are"
        sentence = f"{are} not known and not read: {abbreviate(self.unknown, 12)}"
        return [Problem(source=source, line=line, sentence=sentence)]


def _is_known(name: str) -> bool:
    return _plain(name) in _PLACE_OF


def parse_csv(data: bytes, *, source: str) -> ReadResult:
    """Parse the bytes of a CSV file whose first line names the columns.

    The delimiter is a comma, a semicolon or a tab. Authors are separated by semicolons (or by
    " and "); ``He, Kaiming`` is turned round. A row that is no CSV, or has cells beyond the last
    column, is named and left out; a quotation mark that nothing closes costs its line alone.
    Unknown columns are named once.

    Raises
    ------
    DataError
        If the file is not UTF-8, or its first line names no column of titles or texts.
    """
    text = decode_utf8(data, source)
    lines = list(io.StringIO(text, newline=""))
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return ReadResult(papers=(), problems=(Problem(source=source, sentence="holds no row"),))
    if match := _SEPARATOR_LINE.fullmatch(lines[start].strip("\r\n")):
        delimiter, start = match[1], start + 1
    else:
        delimiter = max(_DELIMITERS, key=lambda sign: _count_known(lines[start], sign))
    problems: list[Problem] = []
    columns: _Columns | None = None
    drafts: list[Draft] = []
    for line, row, complaint in _iterate_rows(lines, start, delimiter):
        if columns is None and not complaint:
            columns = _Columns(row, source)
            problems += columns.name_unknown(source=source, line=line)
        elif complaint or columns is None:
            problems.append(Problem(source=source, line=line, sentence=f"{complaint}; left out"))
        elif any(cell.strip() for cell in row[columns.n_columns :]):
            sentence = (
                f"{len(row)} cells in {columns.n_columns} columns; left out; put a cell that "
                f"holds {delimiter!r} in quotation marks"
            )
            problems.append(Problem(source=source, line=line, sentence=sentence))
        elif any(cell.strip() for cell in row):
            drafts.append(columns.draft(row, line=line))
    return _finish(drafts, problems, source)


def _finish(drafts: Sequence[Draft], problems: list[Problem], source: str) -> ReadResult:
    made, found_problems = assemble(drafts, source=source)
    problems += found_problems
    if not drafts:
        problems.append(Problem(source=source, sentence="holds no row of a paper"))
    problems.sort(key=lambda problem: problem.line or 0)
    return ReadResult(papers=tuple(paper for _, paper in made), problems=tuple(problems))


def has_columns(text: str) -> bool:
    """Tell whether the first line of a text names at least two columns that are known."""
    line = text.lstrip().partition("\n")[0]
    return max(_count_known(line, sign) for sign in _DELIMITERS) > 1


def _count_known(line: str, delimiter: str) -> int:
    return sum(_is_known(name.strip(' \t\r\n"')) for name in line.split(delimiter))


def _iterate_rows(
    lines: Sequence[str], start: int, delimiter: str
) -> Iterator[tuple[int, list[str], str]]:
    """Iterate rows with their first line (from 1) and, where a row is no CSV, what is wrong.

    After a faulty row reading goes on with the line after its first one.
    """
    # The reader's own limit of 131,072 characters would break off in the middle of a field.
    csv.field_size_limit(max(csv.field_size_limit(), _N_FIELD_CHARACTERS))
    while start < len(lines):
        reader = csv.reader(
            (lines[i] for i in range(start, len(lines))), delimiter=delimiter, strict=True
        )
        n_read = 0
        try:
            for row in reader:
                yield start + n_read + 1, row, ""
                n_read = reader.line_num
        except csv.Error as error:
            yield start + n_read + 1, [], f"not valid CSV: {error}"
            n_read += 1
        start += n_read


def serialise_csv(corpus: Corpus, *, delimiter: str = ",") -> bytes:
    r"""Write a corpus as CSV, in its own order: UTF-8, lines ended by ``\n``, one paper a line.

    `parse_csv` reads back equal papers, but for: white space (any run of it is one blank), the
    version of Unicode's composition (NFC), a venue that is only arXiv (read as none), years
    outside 1000 to 2999, and names with a comma or a semicolon. A cell that begins with ``=``,
    ``+``, ``-`` or ``@`` is written as it is: a spreadsheet may take it for a formula, so import
    the file there as text.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(FIELDS)
    for paper in corpus:
        values = {name: getattr(paper, name) for name in FIELDS}
        values["authors"] = _join_authors(paper.authors)
        writer.writerow(
            "" if value is None else " ".join(str(value).split()) for value in values.values()
        )
    return buffer.getvalue().encode()


def _join_authors(authors: Sequence[str]) -> str:
    joined = "; ".join(authors)
    # "Salt and Pepper;" is one name, "Salt and Pepper" would be read as two
    return joined if split_authors(joined) == tuple(authors) else f"{joined};"


def parse_parquet(data: bytes, *, source: str) -> ReadResult:
    """Parse the bytes of a Parquet file with the columns of CSV; authors may be a list.

    The line that a problem names is the number of the row, from 1.

    Raises
    ------
    DataError
        If it is no Parquet file or has no column of titles or texts.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
        columns = _Columns(table.schema.names, source)
        values: list[list[Any]] = [[]] * columns.n_columns
        for column in (column for found in columns.columns_of.values() for column in found):
            values[column] = table.column(column).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{source}: cannot be read as Parquet ({reason})") from None
    author_columns = columns.columns_of.get("authors", ())
    drafts = []
    for row in range(table.num_rows):
        cells = [_to_text(column[row]) if column else "" for column in values]
        lists = (values[column][row] for column in author_columns)
        authors = next((found for found in lists if found and isinstance(found, list)), ())
        names = [str(name) for name in authors if name is not None]
        drafts.append(columns.draft(cells, authors=names, line=row + 1))
    return _finish(drafts, columns.name_unknown(source=source, line=None), source)


def _to_text(value: Any) -> str:
    """Write a cell as text; a list and other structures, where one text is wanted, are nothing."""
    if value is None or isinstance(value, list | dict | bool):
        return ""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def serialise_parquet(corpus: Corpus) -> bytes:
    """Write a corpus as Parquet, in its own order; the same papers give the same bytes.

    That holds for one version of pyarrow, which notes itself in the file. Authors are a list,
    the year is a number, the rest is text. `parse_parquet` reads back what `parse_csv` does, and
    names with any sign.

    Raises
    ------
    DataError
        If a year has more than 63 bits.
    """
    import pyarrow as pa
    from pyarrow import parquet

    for paper in corpus:
        if paper.year is not None and not -_N_YEAR <= paper.year < _N_YEAR:
            raise DataError(f"paper {paper.key!r}: year {paper.year} is too large for Parquet")
    types = {name: pa.string() for name in FIELDS}
    types |= {"authors": pa.list_(pa.string()), "year": pa.int64()}
    columns = {name: [getattr(paper, name) for paper in corpus] for name in FIELDS}
    columns["authors"] = [list(paper.authors) for paper in corpus]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns, schema=pa.schema(types)), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())
