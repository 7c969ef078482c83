"""What a harvest does for a survey folder: abstracts by id, and ids by title."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from survey_tools.arxiv_id import ArxivId, parse_arxiv_id
from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument, parse_yaml, read_bytes
from survey_tools.errors import DataError, ParameterError
from survey_tools.formats.files import replace_file
from survey_tools.formats.jsonl import parse_papers, update_papers
from survey_tools.harvest.resolve import Match
from survey_tools.harvest.review import parse_decisions, serialise_match_table, serialise_matches
from survey_tools.harvest.store import Store
from survey_tools.paper import Paper
from survey_tools.settings import HarvestSettings, SurveySettings
from survey_tools.tex import title_key

__all__ = [
    "FillReport",
    "SurveyFolder",
    "fill_abstracts",
    "ids_found",
    "ids_of",
    "read_decisions",
    "read_harvest_settings",
    "read_survey",
    "write_changes",
    "write_matches",
]

REVIEW_FILE = "resolve-review.csv"
MATCHES_FILE = "resolve-matches.csv"
_SETTINGS_FILE = "survey.yaml"
_ENVIRONMENT = "SURVEY_TOOLS_"
_FROM_ENVIRONMENT = ("api_url", "oai_url", "gap_s", "contact")
_ALIKE, _UNLIKE = 85.0, 50.0  # ratio of two titles: surely one paper; hardly one


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFolder:
    """A survey folder as far as a harvest needs it.

    Attributes
    ----------
    papers_path : Path
    data : bytes
        The file of papers as it was read.
    """

    papers_path: Path
    data: bytes
    corpus: Corpus


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """What became of the abstracts of a survey.

    Attributes
    ----------
    n_papers : int
    n_present : int
        Papers that had an abstract before.
    filled : tuple of str
        Keys of the papers that have one now.
    without_id : tuple of str
        Keys of the papers without abstract and arXiv id.
    not_found : tuple of str
        Keys of the papers whose id the store does not hold.
    withdrawn : tuple of str
        Keys of the papers filled that arXiv marks as withdrawn.
    doubtful : tuple of (str, str, str, str)
        Key, arXiv id, title here, title there, where the two differ much.
    refused : tuple of (str, str, str, str)
        The same, where they differ so much that nothing was filled.
    """

    n_papers: int
    n_present: int
    filled: tuple[str, ...]
    without_id: tuple[str, ...]
    not_found: tuple[str, ...]
    withdrawn: tuple[str, ...]
    doubtful: tuple[tuple[str, str, str, str], ...]
    refused: tuple[tuple[str, str, str, str], ...]


def read_survey(folder: Path) -> SurveyFolder:
    """Read the papers of a survey folder, and nothing else of it.

    Raises
    ------
    DataError
        If folder, settings or papers are missing or wrong.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; a survey is a folder with {_SETTINGS_FILE}")
    settings = _read_document(folder).validate(SurveySettings)
    path = folder / settings.papers
    data = read_bytes(path)
    return SurveyFolder(papers_path=path, data=data, corpus=parse_papers(data, source=str(path)))


def _read_document(folder: Path) -> YamlDocument:
    path = folder / _SETTINGS_FILE
    return parse_yaml(read_bytes(path), source=str(path))


def read_harvest_settings(
    folder: Path | None, options: Mapping[str, Any], environment: Mapping[str, str]
) -> HarvestSettings:
    """Read how arXiv is asked: options first, then the environment, ``survey.yaml``, defaults.

    Parameters
    ----------
    options : mapping
        Settings by name; None counts as not given.

    Raises
    ------
    DataError
        If a value is not allowed; the message names where it stands.
    ParameterError
        If a number in the environment is none.
    """
    given: dict[str, Any] = {}
    for name in _FROM_ENVIRONMENT:
        if text := environment.get(_ENVIRONMENT + name.upper()):
            given[name] = _number(text, name) if name == "gap_s" else text
    given |= {name: value for name, value in options.items() if value is not None}
    if folder is not None and (folder / _SETTINGS_FILE).exists():
        document = _read_document(folder)
    else:
        document = parse_yaml(b"title: no survey\n", source="options")
    document = document.replace({f"harvest.{name}": value for name, value in given.items()})
    try:
        return document.validate(SurveySettings).harvest
    except DataError as error:
        message = str(error)
        for name in _FROM_ENVIRONMENT:
            if name in given and options.get(name) is None:  # it came from the environment
                variable = _ENVIRONMENT + name.upper()
                message = message.replace(f"option harvest.{name}", variable)
        raise DataError(message) from None


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ParameterError(
            f"{_ENVIRONMENT}{name.upper()}={text!r} is no number of seconds"
        ) from None


def ids_of(papers: Sequence[Paper]) -> list[ArxivId]:
    """Return the arXiv ids of papers that have one."""
    return [parse_arxiv_id(paper.arxiv_id) for paper in papers if paper.arxiv_id]


def fill_abstracts(
    survey: SurveyFolder, store: Store, *, refresh: bool = False, trust_ids: bool = False
) -> tuple[FillReport, Mapping[str, Paper]]:
    """Take abstracts from a store for the papers of a survey that have an arXiv id.

    Parameters
    ----------
    refresh : bool
        Replace abstracts that are there already.
    trust_ids : bool
        Fill even where the title at arXiv is quite another one.

    Returns
    -------
    FillReport
    mapping of str to Paper
        The papers that change, by key; `write_changes` writes them.
    """
    lists: dict[str, list[str]] = {"filled": [], "not_found": [], "withdrawn": []}
    doubtful, refused = [], []
    changed: dict[str, Paper] = {}
    lacking = [p for p in survey.corpus if refresh or p.text_source != "abstract"]
    for paper in lacking:
        if paper.arxiv_id is None:
            continue
        arxiv_id = parse_arxiv_id(paper.arxiv_id)
        record = store.get_record(arxiv_id.base, version=arxiv_id.version)
        if record is None or not record.abstract:
            lists["not_found"].append(paper.key)
            continue
        likeness = fuzz.ratio(title_key(paper.title), title_key(record.title))
        pair = (paper.key, str(arxiv_id), paper.title, record.title)
        if likeness < _UNLIKE and paper.title and not trust_ids:
            refused.append(pair)
            continue
        if likeness < _ALIKE and paper.title:
            doubtful.append(pair)
        if record.withdrawn:
            lists["withdrawn"].append(paper.key)
        if record.abstract != paper.abstract:
            changed[paper.key] = replace(paper, abstract=record.abstract)
            lists["filled"].append(paper.key)
    report = FillReport(
        n_papers=len(survey.corpus),
        n_present=sum(p.text_source == "abstract" for p in survey.corpus),
        without_id=tuple(
            p.key for p in lacking if p.arxiv_id is None and p.text_source != "abstract"
        ),
        doubtful=tuple(doubtful),
        refused=tuple(refused),
        filled=tuple(lists["filled"]),
        not_found=tuple(lists["not_found"]),
        withdrawn=tuple(lists["withdrawn"]),
    )
    return report, changed


def read_decisions(folder: Path) -> Mapping[str, str | None]:
    """Read what a person decided in the folder's review file; nothing where there is none."""
    path = folder / REVIEW_FILE
    if not path.exists():
        return {}
    return parse_decisions(read_bytes(path), source=str(path))


def ids_found(survey: SurveyFolder, matches: Sequence[Match]) -> Mapping[str, Paper]:
    """Return the papers that get an arXiv id by what was decided, by key."""
    found = {match.key: match.arxiv_id for match in matches if match.arxiv_id}
    return {
        paper.key: replace(paper, arxiv_id=found[paper.key])
        for paper in survey.corpus
        if paper.arxiv_id is None and paper.key in found
    }


def write_matches(folder: Path, matches: Sequence[Match]) -> None:
    """Write the review file and the table of all decisions into a survey folder."""
    replace_file(folder / REVIEW_FILE, serialise_matches(matches))
    replace_file(folder / MATCHES_FILE, serialise_match_table(matches))


def write_changes(survey: SurveyFolder, changed: Mapping[str, Paper]) -> None:
    """Write changed papers into the survey's file, whole or not at all; other lines stay.

    Raises
    ------
    DataError
        If the file was changed by someone else meanwhile.
    OutputError
        If it cannot be written.
    """
    if not changed:
        return
    path = survey.papers_path
    if read_bytes(path) != survey.data:
        raise DataError(f"{path}: was changed meanwhile; run the same command again")
    replace_file(path, update_papers(survey.data, changed))
