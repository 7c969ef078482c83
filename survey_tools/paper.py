"""Paper: the frozen record that travels through the whole house."""

import json
import re
from dataclasses import dataclass, fields
from typing import Literal

__all__ = ["Paper", "TextSource", "check_arxiv_id", "paper_to_json"]

TextSource = Literal["abstract", "digest", "none"]

_NEW_ARXIV_ID = re.compile(r"([0-9]{2})([0-9]{2})\.([0-9]{4,5})(v[1-9][0-9]*)?")
_OLD_ARXIV_ID = re.compile(
    r"[a-z]+(-[a-z]+)*(\.[A-Z]{2})?/[0-9]{2}(0[1-9]|1[0-2])[0-9]{3}(v[1-9][0-9]*)?"
)
_FIRST_NEW_MONTH = (7, 4)  # year, month


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One paper of a survey.

    Attributes
    ----------
    key : str
        Citation key; the paper's identity inside a survey.
    title : str
        Title as published; may be empty only where a text is present.
    abstract : str or None
        The authors' abstract.
    digest : str or None
        A summary in the survey's own words; stands in where there is no abstract.
    authors : tuple of str
        Names in printed order.
    year : int or None
        Year of publication.
    venue, arxiv_id, doi, url, code_url : str or None
        Where it appeared and where it can be found. ``arxiv_id`` may carry a version.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by formats, at the door

    key: str
    title: str = ""
    abstract: str | None = None
    digest: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    arxiv_id: str | None = None
    doi: str | None = None
    url: str | None = None
    code_url: str | None = None

    @property
    def text_source(self) -> TextSource:
        """Which text describes the paper: its abstract, else our digest, else none."""
        if self.abstract and self.abstract.strip():
            return "abstract"
        if self.digest and self.digest.strip():
            return "digest"
        return "none"

    @property
    def body(self) -> str:
        """The abstract, or the digest that stands in for it, or an empty string."""
        if self.text_source == "abstract":
            return self.abstract or ""
        return (self.digest or "") if self.text_source == "digest" else ""

    @property
    def arxiv_base_id(self) -> str | None:
        """The arXiv id without its version: ``2111.06377v2`` -> ``2111.06377``."""
        return re.sub(r"v\d+$", "", self.arxiv_id) if self.arxiv_id else None

    @property
    def author_year(self) -> str:
        """Short reference, for example ``He et al. (2022)``."""
        if not self.authors:
            who = self.key
        else:
            surnames = [name.split()[-1] if name.split() else name for name in self.authors]
            who = {1: surnames[0], 2: " and ".join(surnames[:2])}.get(
                len(surnames), f"{surnames[0]} et al."
            )
        return f"{who} ({self.year})" if self.year is not None else who


def check_arxiv_id(arxiv_id: str) -> str | None:
    """Say what is wrong with an arXiv id, or return None.

    Ids are ``YYMM.NNNN`` until 2014-12 and ``YYMM.NNNNN`` since 2015-01; before
    2007-04 ``archive/YYMMNNN``. A lost trailing zero (``2106.0825``, the mark of an
    id that was once read as a number) is thereby seen.

    References
    ----------
    .. [1] arXiv, "Understanding the arXiv identifier",
       https://info.arxiv.org/help/arxiv_identifier.html
    """
    match = _NEW_ARXIV_ID.fullmatch(arxiv_id)
    if match:
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
    if _OLD_ARXIV_ID.fullmatch(arxiv_id):
        return None
    return f"{arxiv_id!r} is no arXiv id (allowed: 2111.06377, 2111.06377v2, cs.CV/0601001)"


def paper_to_json(paper: Paper) -> str:
    r"""Write a paper as one canonical line of JSON, without the newline.

    Fields stand in the order of the record; empty ones are left out; text stays
    text (no ``\u`` escapes for letters), so that a person can read the diff.
    """
    record = {field.name: getattr(paper, field.name) for field in fields(paper)}
    kept = {name: value for name, value in record.items() if value is not None and value != ()}
    return json.dumps(kept, ensure_ascii=False)
