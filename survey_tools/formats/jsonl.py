"""JSON lines <-> Corpus: one paper a line, UTF-8.

What `write_papers` wrote comes back byte for byte: ``serialise(parse(data)) == data``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from survey_tools.arxiv_id import check_arxiv_id
from survey_tools.corpus import Corpus
from survey_tools.documents import decode_utf8, describe_problem, read_bytes
from survey_tools.errors import DataError
from survey_tools.paper import Paper, paper_to_json

__all__ = ["parse_papers", "read_papers", "serialise_papers", "update_papers", "write_papers"]

_PAPER = TypeAdapter(Paper)
_FIELDS = list(Paper.__dataclass_fields__)


def read_papers(path: Path) -> Corpus:
    """Read a JSON-lines file of papers.

    Raises
    ------
    DataError
        Naming file and line: no such file, not UTF-8, not JSON, an unknown or
        repeated field, a value of the wrong type, a malformed arXiv id, a paper
        with neither title nor text, two papers with one key, or no paper at all.
    """
    return parse_papers(read_bytes(path), source=str(path))


def parse_papers(data: bytes, *, source: str) -> Corpus:
    """Parse the bytes of a JSON-lines file; see `read_papers`."""
    text = decode_utf8(data, source)
    papers: list[Paper] = []
    line_of: dict[str, int] = {}
    for n_line, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            paper = _parse_line(line)
        except ValueError as error:
            raise DataError(f"{source}:{n_line}: {error}") from None
        if paper.key in line_of:
            raise DataError(
                f"{source}:{n_line}: two papers with one key: {paper.key!r} "
                f"(first on line {line_of[paper.key]})"
            )
        line_of[paper.key] = n_line
        papers.append(paper)
    if not papers:
        raise DataError(f"{source}: the corpus is empty; give one paper a line")
    return Corpus(tuple(papers))


def _parse_line(line: str) -> Paper:
    """Parse one line; every complaint is a ValueError without file and line."""
    try:
        json.loads(line, object_pairs_hook=_refuse_repeated_fields)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    try:
        paper = _PAPER.validate_json(line, strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # a misspelt field is also a missing one; the misspelling says more
        first = min(problems, key=lambda problem: problem["type"].startswith("missing"))
        if first["type"] == "json_invalid":  # json.loads is laxer in two things only
            is_deep = "recursion" in first["msg"]
            raise ValueError(
                "nested too deeply" if is_deep else "holds half a surrogate pair; no valid Unicode"
            ) from None
        name = ".".join(str(part) for part in first["loc"])
        prefix = f"{name}: " if name else ""
        raise ValueError(prefix + describe_problem(first, _FIELDS, _written(line, first))) from None
    return _checked(paper)


def _written(line: str, problem: ErrorDetails) -> str | None:
    """Return a number that should be text as it was written: ``2106.08250``."""
    if problem["type"] != "string_type":
        return None
    place: Any = json.loads(line, parse_float=str, parse_int=str)
    for part in problem["loc"]:
        place = place[part]
    return place if isinstance(place, str) else None


def _checked(paper: Paper) -> Paper:
    key = paper.key
    if not key or not key.isprintable() or any(character.isspace() for character in key):
        raise ValueError(f"key {key!r} must be text without spaces or control characters")
    if not paper.title.strip() and paper.text_source == "none":
        raise ValueError(f"paper {key!r} has neither title nor text")
    if paper.arxiv_id is not None and (problem := check_arxiv_id(paper.arxiv_id)):
        raise ValueError(f"paper {key!r}: {problem}")
    return paper


def _refuse_repeated_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice!r} stands twice")
    return record


def serialise_papers(corpus: Corpus) -> bytes:
    """Write a corpus as canonical JSON lines, in its own order."""
    return "".join(paper_to_json(paper) + "\n" for paper in corpus).encode()


def update_papers(data: bytes, changed: Mapping[str, Paper]) -> bytes:
    """Replace papers in the bytes of a JSON-lines file; every other line stays byte for byte.

    Parameters
    ----------
    data : bytes
        A file that `parse_papers` takes.
    changed : mapping of str to Paper
        New content by key.
    """
    lines = data.split(b"\n")
    for i, line in enumerate(lines):
        if line.strip() and (key := json.loads(line)["key"]) in changed:
            end = b"\r" if line.endswith(b"\r") else b""
            lines[i] = paper_to_json(changed[key]).encode() + end
    return b"\n".join(lines)


def write_papers(corpus: Corpus, path: Path) -> None:
    """Write a corpus to a JSON-lines file; see `serialise_papers`."""
    path.write_bytes(serialise_papers(corpus))
