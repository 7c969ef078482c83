"""Papers of a store -> a file: sorted by id, the same bytes for the same papers.

Reference formats (JSON lines, BibTeX, RIS) hold what a survey needs; CSV and Parquet hold
everything that arXiv says of a paper.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow
from pyarrow import parquet

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.formats.files import replace_file, write_references
from survey_tools.harvest.record import ArxivRecord, record_to_paper
from survey_tools.harvest.store import Store

__all__ = ["COLUMNS", "export_store"]

# Column -> what it holds; docstring of `export_store` gives units and forms.
COLUMNS = (
    "arxiv_id",
    "version",
    "title",
    "abstract",
    "authors",
    "categories",
    "published",
    "updated",
    "comment",
    "journal_ref",
    "doi",
    "license_url",
    "withdrawn",
)
_NUMBERS = {"version": pyarrow.int32(), "withdrawn": pyarrow.bool_()}


def export_store(
    store: Store, path: Path, *, job_id: int | None = None, words: str | None = None
) -> int:
    """Write the papers of a store to a file whose format its ending names.

    Parameters
    ----------
    path : Path
        ``.jsonl``, ``.bib`` and ``.ris`` hold papers with their arXiv id as key; ``.csv`` and
        ``.parquet`` hold `COLUMNS`: authors joined by "; ", categories by blanks (the primary
        one first), dates as ``YYYY-MM-DDTHH:MM:SSZ``.
    job_id : int or None
        Only the papers that this job received.
    words : str or None
        Only the papers whose title or abstract hold all these words; a phrase in double quotes.

    Returns
    -------
    int
        Papers written.

    Raises
    ------
    ParameterError
        If there is no such job, or no paper to write.
    OutputError
        If the ending is unknown or the file cannot be written.
    """
    if job_id is not None:
        kinds = store.query("SELECT kind FROM jobs WHERE job_id = ?", (job_id,))
        if not kinds:
            raise ParameterError(
                f"{store.path}: has no job {job_id}; survey-tools status lists them"
            )
        if kinds[0][0] == "snapshot":
            raise ParameterError(
                f"{store.path}: job {job_id} read a snapshot, whose papers are not listed one by "
                "one; export all papers, without --job"
            )
    records: Iterable[ArxivRecord] = store.iterate(job_id=job_id)
    if words is not None:
        wanted = store.ids_matching(words)
        records = (record for record in records if record.arxiv_id in wanted)
    found = list(records)
    if not found:
        matching = f" with {words}" if words is not None else ""
        raise ParameterError(f"{store.path}: holds no paper{matching} to export")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        replace_file(path, _to_csv(found))
    elif suffix == ".parquet":
        replace_file(path, _to_parquet(found))
    else:
        write_references(Corpus(tuple(record_to_paper(record) for record in found)), path)
    return len(found)


def _row(record: ArxivRecord) -> tuple[str | int | bool | None, ...]:
    return (
        record.arxiv_id,
        record.version,
        record.title,
        record.abstract,
        "; ".join(record.authors),
        " ".join(record.categories),
        record.published,
        record.updated,
        record.comment,
        record.journal_ref,
        record.doi,
        record.license_url,
        record.withdrawn,
    )


def _to_csv(records: Iterable[ArxivRecord]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        *texts, withdrawn = _row(record)
        writer.writerow([*texts, "true" if withdrawn else "false"])
    return text.getvalue().encode()


def _to_parquet(records: Iterable[ArxivRecord]) -> bytes:
    columns = list(zip(*(_row(record) for record in records), strict=True))
    arrays = [
        pyarrow.array(column, type=_NUMBERS.get(name, pyarrow.string()))
        for name, column in zip(COLUMNS, columns, strict=True)
    ]
    buffer = io.BytesIO()
    table = pyarrow.Table.from_arrays(arrays, names=list(COLUMNS))
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
