"""arXiv identifiers: the one place that knows how they are written, found and compared."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from survey_tools.errors import DataError

__all__ = ["ArxivId", "check_arxiv_id", "find_arxiv_ids", "parse_arxiv_id"]

_NEW = re.compile(r"([0-9]{2})([0-9]{2})\.([0-9]{4,5})(?:v([1-9][0-9]{0,3}))?")
_OLD = re.compile(
    r"([a-z]+(?:-[a-z]+)*)(?:\.[A-Z]{2})?/([0-9]{2})(0[1-9]|1[0-2])([0-9]{3})(?:v([1-9][0-9]{0,3}))?"
)
_FIRST_NEW_MONTH = (7, 4)  # year, month
_FIRST_OLD_MONTH = 199108  # year and month; hep-th was the first archive
_FIRST_NEW = 200704
# Where ids stand in running text: links of arXiv and its mirrors, DOIs, and "arXiv:2111.06377".
_MENTION = re.compile(
    r"(?:(?:arxiv\.org|ar5iv\.org|ar5iv\.labs\.arxiv\.org|alphaxiv\.org)"
    r"/(?:abs|pdf|html|format|src|e-print|ps|overview)/"
    r"|10\.48550/arxiv\."
    r"|\barxiv\s*:\s*)"
    r"(?P<arxiv_id>[0-9]{4}\.[0-9]{4,5}(?:v[0-9]+)?(?![0-9])"
    r"|[a-z]+(?:-[a-z]+)*(?:\.[a-z]{2})?/[0-9]{7}(?:v[0-9]+)?(?![0-9]))",
    re.IGNORECASE,
)


class ArxivId(NamedTuple):
    """An arXiv id in canonical form.

    Attributes
    ----------
    base : str
        ``2111.06377`` or ``math/0309136``: without version and without subject class.
    version : int or None
        Number of the version named, or None where the current one is meant.
    """

    base: str
    version: int | None = None

    def __str__(self) -> str:
        return self.base if self.version is None else f"{self.base}v{self.version}"


def check_arxiv_id(arxiv_id: str) -> str | None:
    """Say what is wrong with an arXiv id, or return None.

    Ids are ``YYMM.NNNN`` until 2014-12 and ``YYMM.NNNNN`` since 2015-01; from 1991-08 to
    2007-03 ``archive/YYMMNNN``. A lost trailing zero (``2106.0825``, the mark of an
    id that was once read as a number) is thereby seen.

    References
    ----------
    .. [1] arXiv, "Understanding the arXiv identifier",
       https://info.arxiv.org/help/arxiv_identifier.html
    """
    if match := _NEW.fullmatch(arxiv_id):
        year, month, number = int(match[1]), int(match[2]), match[3]
        if not 1 <= month <= 12:
            return f"arXiv id {arxiv_id!r} has month {match[2]}"
        if (year, month) < _FIRST_NEW_MONTH:
            return f"arXiv id {arxiv_id!r} must be written archive/YYMMNNN before 2007-04"
        n_digits = 5 if year >= 15 else 4
        if len(number) != n_digits:
            hint = "; was it once read as a number?" if len(number) < n_digits else ""
            return f"arXiv id {arxiv_id!r} needs {n_digits} digits after the point{hint}"
        return None
    if match := _OLD.fullmatch(arxiv_id):
        year, month = int(match[2]), int(match[3])
        when = (1900 + year if year >= 91 else 2000 + year) * 100 + month
        if not _FIRST_OLD_MONTH <= when < _FIRST_NEW:
            return (
                f"arXiv id {arxiv_id!r} is of {when // 100}-{when % 100:02}; "
                "archive/YYMMNNN was used from 1991-08 to 2007-03"
            )
        return None
    return f"{arxiv_id!r} is no arXiv id (allowed: 2111.06377, 2111.06377v2, cs.CV/0601001)"


def parse_arxiv_id(arxiv_id: str) -> ArxivId:
    """Bring an arXiv id into canonical form: ``math.GT/0309136v2`` -> ``math/0309136``, 2.

    The subject class of an old id is dropped, because arXiv numbers an archive through;
    a version is cut off at the end alone (``solv-int/9901001`` has none).

    Raises
    ------
    DataError
        If it is no arXiv id; see `check_arxiv_id`.
    """
    if problem := check_arxiv_id(arxiv_id):
        raise DataError(problem)
    if arxiv_id[0].isdigit():
        base, _, version = arxiv_id.partition("v")
        return ArxivId(base, int(version) if version else None)
    match = _OLD.fullmatch(arxiv_id)
    assert match is not None, "check_arxiv_id passed it"
    base = f"{match[1]}/{match[2]}{match[3]}{match[4]}"
    return ArxivId(base, int(match[5]) if match[5] else None)


def find_arxiv_ids(text: str) -> Iterator[ArxivId]:
    """Find ids in links, DOIs and mentions (``arXiv:2111.06377``), in order, well-formed ones only.

    A bare number is no mention: ``2111.06377`` alone may be anything.
    """
    for match in _MENTION.finditer(text):
        found = match["arxiv_id"]
        archive, slash, number = found.rpartition("/")
        name, dot, subject = archive.lower().partition(".")
        candidate = f"{name}{dot}{subject.upper()}{slash}{number.lower()}"
        if check_arxiv_id(candidate) is None:
            yield parse_arxiv_id(candidate)
