"""What the tests of lint share: a survey as text, and findings by code."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from survey_tools.corpus import Corpus
from survey_tools.documents import parse_yaml
from survey_tools.formats.markdown import parse_markdown
from survey_tools.lint.checks import lint_taxonomy
from survey_tools.lint.finding import Finding
from survey_tools.paper import Paper
from survey_tools.taxonomy import parse_taxonomy

SOURCE = "taxonomy.yaml"
LIST = "README.md"


class Found(NamedTuple):
    """A finding without its hint and severity."""

    place: str
    message: str


def lint(
    text: str, papers: Sequence[Paper] | Mapping[str, str], readme: str | None = None
) -> tuple[Finding, ...]:
    """Lint a taxonomy of this text; papers may be given as key -> title."""
    if isinstance(papers, Mapping):
        papers = [Paper(key=key, title=title) for key, title in papers.items()]
    document = parse_yaml(text.encode(), source=SOURCE)
    companion = None if readme is None else parse_markdown(readme.encode(), source=LIST)
    return lint_taxonomy(
        document,
        parse_taxonomy(document),
        Corpus(tuple(papers)),
        companion=companion,
        companion_source=LIST,
    )


def found(findings: Sequence[Finding], code: str) -> list[Found]:
    """Return place (``taxonomy.yaml:12``) and message of the findings of a rule."""
    return [
        Found(f"{finding.source}:{finding.line}", finding.message)
        for finding in findings
        if finding.code == code
    ]
