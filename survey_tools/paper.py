"""Paper: the frozen record that travels through the whole house."""

import json
from dataclasses import dataclass, fields
from typing import Literal

from survey_tools.arxiv_id import parse_arxiv_id

__all__ = ["Paper", "TextSource", "paper_to_json"]

TextSource = Literal["abstract", "digest", "none"]


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
        """The canonical arXiv id, without version and class: ``cs.CV/0601001v2`` -> ``cs/0601001``.

        Raises
        ------
        DataError
            If ``arxiv_id`` is no arXiv id.
        """
        return parse_arxiv_id(self.arxiv_id).base if self.arxiv_id else None

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


def paper_to_json(paper: Paper) -> str:
    r"""Write a paper as one canonical line of JSON, without the newline.

    Fields stand in the order of the record; empty ones are left out; text stays
    text (no ``\u`` escapes for letters), so that a person can read the diff.
    """
    record = {field.name: getattr(paper, field.name) for field in fields(paper)}
    kept = {name: value for name, value in record.items() if value is not None and value != ()}
    return json.dumps(kept, ensure_ascii=False)
