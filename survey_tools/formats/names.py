"""Names of authors as reference files write them: ``He, Kaiming`` <-> ``Kaiming He``.

Inside the house a name is one text in printed order. A comma in it (``He, Kaiming``) or a
semicolon cannot be told from the separators of RIS and CSV, and is read as one.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["NameParts", "invert_name", "split_authors", "split_name", "turn_name"]

_SUFFIX = re.compile(r"(?:jr|sr)\.?|i{2,3}|iv|vi{1,3}", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|&)\s+", re.IGNORECASE)
_ET_AL = re.compile(r"(?:[,;]\s*|\s)(?:and\s+others|et\s+al\.?)$", re.IGNORECASE)
_NUMBER = re.compile(r"\s*\(\d+\)$")  # Scopus writes "He, Kaiming (57000000000)"


class NameParts(NamedTuple):
    """Parts of a name; ``first`` and ``suffix`` may be empty."""

    first: str
    last: str
    suffix: str


def split_name(name: str) -> NameParts:
    """Split a name in printed order: ``Vincent van Gogh`` -> ``Vincent``, ``van Gogh``.

    The surname is the last word, with the words before it that have no capital; ``Jr.``,
    ``Sr.`` and Roman numerals from II to VIII at the end are a suffix.
    """
    words = name.split()
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    start = max(len(words) - 1, 0)
    while start > 1 and words[start - 1].islower():
        start -= 1
    return NameParts(" ".join(words[:start]), " ".join(words[start:]), suffix)


def turn_name(name: str) -> str:
    """Bring a name into printed order: ``van Gogh, Vincent`` -> ``Vincent van Gogh``.

    ``King, Martin Luther, Jr.`` and ``King, Jr., Martin Luther`` keep the suffix at the end;
    a name without a comma stays as it is.
    """
    last, *rest = (part.strip() for part in name.split(","))
    suffixes = [part for part in rest if _SUFFIX.fullmatch(part)]
    first = [part for part in rest if not _SUFFIX.fullmatch(part)]
    return " ".join(part for part in (*first, last, *suffixes) if part)


def invert_name(name: str) -> str:
    """Put the surname first: ``Vincent van Gogh`` -> ``van Gogh, Vincent``.

    A suffix stands last (``King, Martin Luther, Jr.``). A name of one word, or with a comma,
    stays as it is.
    """
    first, last, suffix = split_name(name)
    if "," in name or not first:
        return name
    return ", ".join(part for part in (last, first, suffix) if part)


def split_authors(text: str) -> tuple[str, ...]:
    """Split the authors of one cell: at semicolons, else at "and", else at commas.

    Commas separate names only where every part has two words (``Ana Roe, Bo Lee``);
    ``He, Kaiming`` is one name.
    """
    text = _ET_AL.sub("", text.strip())
    parts: Sequence[str]
    if ";" in text:
        parts = text.split(";")
    elif _AND.search(text):
        head, *tail = _AND.split(text)
        parts = [*_split_at_commas(head.rstrip(" ,")), *tail]
    else:
        parts = _split_at_commas(text)
    names = (turn_name(_NUMBER.sub("", part.strip())) for part in parts)
    return tuple(name for name in names if name)


def _split_at_commas(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and all(" " in part for part in parts):
        return parts
    return [text]
