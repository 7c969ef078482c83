"""All rules over one taxonomy, or over the taxonomy of a survey folder."""

from pathlib import Path

from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument, read_bytes, read_yaml
from survey_tools.errors import DataError
from survey_tools.formats.jsonl import parse_papers
from survey_tools.formats.markdown import AwesomeList, parse_markdown
from survey_tools.lint.companion import check_companion
from survey_tools.lint.finding import Finding
from survey_tools.lint.labels import check_labels
from survey_tools.lint.papers import check_papers
from survey_tools.lint.stated import check_stated
from survey_tools.settings import SurveySettings
from survey_tools.taxonomy import Taxonomy, parse_taxonomy

__all__ = ["lint_folder", "lint_taxonomy"]

_SETTINGS_FILE = "survey.yaml"


def lint_taxonomy(
    document: YamlDocument,
    taxonomy: Taxonomy,
    corpus: Corpus,
    *,
    companion: AwesomeList | None = None,
    companion_source: str = "README.md",
) -> tuple[Finding, ...]:
    """Hold a taxonomy against its survey's papers, its own statements and a companion list.

    Parameters
    ----------
    document : YamlDocument
        The file, which knows its lines.
    taxonomy : Taxonomy
        The same file, parsed without the corpus, so that unknown papers are findings.
    companion : AwesomeList, optional
        A list of the same papers under headings that name the combined cells.
    companion_source : str
        The list, as messages name it.

    Returns
    -------
    tuple of Finding
        Grouped by code, then by file and line.
    """
    findings = [
        *check_papers(document, taxonomy, corpus),
        *check_labels(document, taxonomy),
        *check_stated(document, taxonomy),
    ]
    if companion is not None:
        findings += check_companion(document, taxonomy, corpus, companion, source=companion_source)
    return tuple(sorted(findings, key=lambda f: (f.code, f.source, f.line, f.message)))


def lint_folder(folder: Path, *, companion: Path | None = None) -> tuple[Finding, ...]:
    """Lint the taxonomy of a survey folder; see `lint_taxonomy`.

    Parameters
    ----------
    companion : Path, optional
        An awesome list in Markdown.

    Raises
    ------
    DataError
        If the folder is no survey, names no taxonomy, or a file cannot be read or parsed.
    """
    settings_path = folder / _SETTINGS_FILE
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; a survey is a folder with {_SETTINGS_FILE}")
    settings = read_yaml(settings_path).validate(SurveySettings)
    if settings.taxonomy is None:
        raise DataError(f"{settings_path}: names no taxonomy, so there is nothing to lint")
    papers_path = folder / settings.papers
    corpus = parse_papers(read_bytes(papers_path), source=str(papers_path))
    document = read_yaml(folder / settings.taxonomy)
    taxonomy = parse_taxonomy(document)
    if companion is None:
        return lint_taxonomy(document, taxonomy, corpus)
    source = str(companion)
    listed = parse_markdown(read_bytes(companion), source=source)
    return lint_taxonomy(document, taxonomy, corpus, companion=listed, companion_source=source)
