"""The section of a finished robustness run, taken over only where it is of the same analysis."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survey_tools.errors import DataError, abbreviate
from survey_tools.report.finished_run import SECTION, open_finished_run
from survey_tools.robustness.comparison import CARD
from survey_tools.robustness.families import Family
from survey_tools.settings import SurveySettings

__all__ = ["SECTION", "RobustnessSection", "read_section"]

_FAMILY: Family = "papers"
_SAME = ("seed", "text", "clustering", "subtrees")  # settings that the section rests on
_ADVICE = "run survey-tools robustness again with these settings, or leave --robustness out"
_ABSENT = "not given"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessSection:
    """The section of a robustness run.

    Attributes
    ----------
    html : str
        ``<section id="robustness">``, as the run wrote it.
    manifest_digest : str
        sha256 of the manifest of the run, which holds the digests of all that it read and wrote.
    support : mapping of str to float
        Cluster -> share of the runs with other papers in which it was found again; clusters that
        were not tested are absent.
    """

    html: str
    manifest_digest: str
    support: Mapping[str, float]


def read_section(
    folder: Path,
    settings: SurveySettings,
    *,
    corpus_digest: str,
    input_digests: Mapping[str, str],
) -> RobustnessSection:
    """Read the section of a robustness run of this survey with these settings.

    Parameters
    ----------
    folder : Path
        Output folder of ``survey-tools robustness``.
    settings : SurveySettings
        Of this run; seed, text, clustering and the file of names must be those of the folder.
    corpus_digest : str
        Of this run's papers.
    input_digests : mapping of str to str
        sha256 of this run's input files by name; names and stop words must be the same.

    Raises
    ------
    DataError
        If the folder is no finished robustness run, its section was changed, or it is of other
        papers or settings; the message says what differs.
    """
    run = open_finished_run(folder, "robustness", advice=_ADVICE)
    section, card = (run.read_output(name) for name in (SECTION, CARD))
    manifest = run.manifest
    if manifest.get("corpus_digest") != corpus_digest:
        raise DataError(f"{folder}: is of other papers than this run; {_ADVICE}")
    ours = settings.model_dump(mode="json")
    if differences := list(_compare(ours, manifest["settings"])):
        raise DataError(
            f"{folder}: is of other settings than this run: {abbreviate(differences)}; {_ADVICE}"
        )
    for name in filter(None, (settings.subtrees, settings.text.stop_words)):
        if name in input_digests and input_digests[name] != manifest["inputs"].get(name):
            raise DataError(f"{folder}: {name} has changed since that run; {_ADVICE}")
    return RobustnessSection(
        html=section,
        manifest_digest=run.manifest_digest,
        support={
            cluster["name"]: cluster["runs"][_FAMILY]["share_found"]
            for cluster in json.loads(card)["clusters"]
            if _FAMILY in cluster["runs"]
        },
    )


def _compare(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """Say setting by setting what differs; 1 and 1.0 do: a number of papers and a share."""
    mine = {path: value for name in _SAME for path, value in _flatten(name, ours.get(name))}
    other = {path: value for name in _SAME for path, value in _flatten(name, theirs.get(name))}
    for path in dict.fromkeys([*mine, *other]):
        here, there = mine.get(path, _ABSENT), other.get(path, _ABSENT)
        if here != there:
            yield f"{path} is {there} there and {here} here"


def _flatten(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield dotted names with their values as JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flatten(f"{path}.{name}", inner)
    else:
        yield path, json.dumps(value, sort_keys=True, ensure_ascii=False)
