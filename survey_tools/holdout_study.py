"""A hold-out: read a study, hold its papers out, write tables, suggestions and manifest."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survey_tools import __version__
from survey_tools.analysis import list_versions
from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.files import read_references
from survey_tools.holdout.evaluation import hold_out
from survey_tools.holdout.results import HoldOut
from survey_tools.holdout.suggestion import Suggestions, suggest, write_fragment
from survey_tools.output import MANIFEST, digest_of_file, list_files, replace_folder
from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.report import holdout_tables
from survey_tools.report.tables import write_csv
from survey_tools.study import SETTINGS_FILE, Study, read_study

__all__ = ["HoldOutRun", "run_hold_out"]

_COMMAND = "holdout"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HoldOutRun:
    """What a run of the command found; ``suggestions`` is None where none were asked for."""

    found: HoldOut
    suggestions: Suggestions | None
    min_probability: float
    problems: tuple[str, ...]


def run_hold_out(
    folder: Path,
    out: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    suggest_for: Path | None = None,
    progress: CountProgress = ignore_progress,
) -> HoldOutRun:
    """Hold out the papers of a survey folder and write the output folder.

    Parameters
    ----------
    suggest_for : Path, optional
        File of papers not yet filed, for which labels are suggested.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Raises
    ------
    SurveyToolsError
        If the data, the settings or the disk do not allow it; the output folder is then as it
        was before.
    """
    kept = folder.parent if folder.is_file() else folder
    with replace_folder(out, command=_COMMAND, protected=[kept, Path.cwd()]) as partial:
        study = read_study(folder, overrides)
        taxonomy, settings = study.taxonomy, study.settings
        if taxonomy is None:
            raise DataError(
                f"{folder / SETTINGS_FILE}: names no taxonomy, so there is nothing to hold out"
            )
        read = None
        if suggest_for is not None:  # read first: a bad file should not cost a hold-out
            read = read_references(suggest_for)
        found = hold_out(
            study.corpus,
            taxonomy,
            settings.text,
            settings.clustering,
            settings.holdout,
            seed=settings.seed,
            stop_words=study.stop_words,
            vectors=study.embeddings,
            progress=progress,
        )
        suggestions = None
        if read is not None:
            suggestions = suggest(
                study.corpus,
                Corpus(read.papers),
                taxonomy,
                settings.text,
                settings.holdout,
                seed=settings.seed,
                stop_words=study.stop_words,
            )
        done = HoldOutRun(
            found=found,
            suggestions=suggestions,
            min_probability=settings.holdout.min_probability,
            problems=tuple(map(str, read.problems)) if read is not None else (),
        )
        manifest = _describe_run(study, found)
        if suggest_for is not None:
            manifest["suggested_for"] = {suggest_for.name: digest_of_file(suggest_for)}
        _write_outputs(study, done, partial, manifest)
    return done


def _write_outputs(study: Study, done: HoldOutRun, folder: Path, manifest: dict[str, Any]) -> None:

    written = {
        "verdicts": holdout_tables.verdict_table(done.found),
        "holdout": holdout_tables.holdout_table(done.found),
        "learning-curve": holdout_tables.curve_table(done.found),
        "predictions": holdout_tables.prediction_table(done.found),
    }
    (folder / "tables").mkdir()
    for name, table in written.items():
        write_csv(table, folder / "tables" / f"{name}.csv")
    if done.suggestions is not None:
        assert study.taxonomy is not None
        write_csv(holdout_tables.suggestion_table(done.suggestions), folder / "suggestions.csv")
        fragment = write_fragment(
            done.suggestions, study.taxonomy, min_probability=done.min_probability
        )
        (folder / "suggestions.yaml").write_text(fragment, encoding="utf-8")
    outputs = {name: digest_of_file(folder / name) for name in list_files(folder)}
    text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _describe_run(study: Study, found: HoldOut) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    stemmer = ("nltk",) if study.settings.text.stemming != "none" else ()
    return {
        "command": _COMMAND,
        "versions": versions
        | list_versions(("numpy", "scipy", "scikit-learn", *stemmer, "pandas", "pydantic")),
        "seed": study.settings.seed,
        "inputs": dict(study.digests),
        "corpus_digest": study.corpus.digest,
        "text_sources": dict(found.text_sources),
        "n_papers": found.n_papers,
        "overrides": dict(study.overrides),
        "settings": study.settings.model_dump(mode="json"),
        "warnings": list(found.notes),
    }
