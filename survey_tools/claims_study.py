"""The claims of a survey: read them, run what is missing, write page, tables and manifest."""

import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from survey_tools import __version__
from survey_tools.analysis import list_versions
from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import has_torch
from survey_tools.claims.file import CLAIMS_FILE, find_claims, parse_claims
from survey_tools.claims.ledger import Ledger, LedgerRequest, run_ledger
from survey_tools.claims_material import SurveyFinder
from survey_tools.documents import parse_yaml, read_bytes
from survey_tools.errors import ParameterError
from survey_tools.figures.claims_pages import draw_claims
from survey_tools.figures.style import render_svg, save_figure
from survey_tools.output import (
    MANIFEST,
    check_output_folder,
    digest_of_file,
    list_files,
    replace_folder,
    sha256_of,
)
from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.report.claims_page import render_claims_page, render_claims_section
from survey_tools.report.claims_tables import claim_table, decision_table, list_finding_tables
from survey_tools.report.finished_run import SECTION
from survey_tools.report.tables import write_csv
from survey_tools.settings import FigureSettings
from survey_tools.study import SETTINGS_FILE, read_settings

__all__ = ["ClaimsRequest", "run_claims"]

_COMMAND = "claims"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsRequest:
    """How claims are run.

    Attributes
    ----------
    ledger : LedgerRequest
    cache : Path
        Folder of outcomes.
    only : tuple of str
        Ids of the claims to run; empty for all.
    """

    ledger: LedgerRequest
    cache: Path
    only: tuple[str, ...] = ()


def run_claims(
    survey: Path, out: Path, request: ClaimsRequest, *, progress: CountProgress = ignore_progress
) -> Ledger:
    """Test the claims of a survey and write the output folder.

    Parameters
    ----------
    survey : Path
        Survey folder with ``claims.yaml``, or a file of claims.
    progress : callable, optional
        Called as ``progress(n_trials_done, n_trials)``.

    Raises
    ------
    SurveyToolsError
        If the claims or the disk do not allow it; outcomes so far stay in the cache, and the
        output folder is as it was before.
    """
    path = find_claims(survey)
    data = read_bytes(path)
    find = SurveyFinder(request.ledger.find, survey)
    file = parse_claims(parse_yaml(data, source=str(path)), find=request.ledger.find)
    if request.only:
        known = {claim.id: claim for claim in file.claims}
        if unknown := [name for name in request.only if name not in known]:
            raise ParameterError(f"{path}: has no claim {unknown[0]!r}; it has {', '.join(known)}")
        chosen = tuple(known[name] for name in dict.fromkeys(request.only))
        file = file.model_copy(update={"claims": chosen})
    title, figures = _read_title(survey, path)
    protected = [path.parent, Path.cwd()]
    check_output_folder(out, command=_COMMAND, protected=protected)
    asked = replace(request.ledger, find=find)
    ledger = run_ledger(file, OutcomeCache(request.cache), asked, progress=progress)
    manifest = _describe_run(request, {path.name: sha256_of(data), **find.digests})
    with replace_folder(out, command=_COMMAND, protected=protected) as partial:
        _write(ledger, title, figures, partial, manifest)
    return ledger


def _read_title(survey: Path, path: Path) -> tuple[str, FigureSettings]:
    if survey.is_dir() and (survey / SETTINGS_FILE).is_file():
        settings = read_settings(survey)[1]
        return settings.title, settings.figures
    return path.stem, FigureSettings()


def _write(
    ledger: Ledger, title: str, figures: FigureSettings, folder: Path, manifest: dict[str, Any]
) -> None:
    (folder / "tables").mkdir()
    write_csv(claim_table(ledger), folder / "tables" / "claims.csv")
    write_csv(decision_table(ledger), folder / "tables" / "decisions.csv")
    for stem, table in list_finding_tables(ledger):
        write_csv(table, folder / "tables" / f"{stem}.csv")
    drawn = draw_claims(ledger, figures)
    svg = {
        name: [render_svg(page, salt=f"{name}-{i}") for i, page in enumerate(pages)]
        for name, pages in drawn.items()
    }
    if drawn:
        (folder / "figures").mkdir()
    for name, pages in drawn.items():
        save_figure(pages, folder / "figures", name, figures, svg=svg[name])
    section = render_claims_section(ledger, svg)
    (folder / SECTION).write_text(section, encoding="utf-8")
    page = render_claims_page(title, section, manifest)
    (folder / "claims.html").write_text(page, encoding="utf-8")
    outputs = {name: digest_of_file(folder / name) for name in list_files(folder)}
    text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _describe_run(request: ClaimsRequest, inputs: dict[str, str]) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    computing = ("numpy", "scipy", "scikit-learn", *(("torch",) if has_torch() else ()))
    return {
        "command": _COMMAND,
        "versions": versions | list_versions((*computing, "pandas", "matplotlib")),
        "inputs": inputs,
        "settings": {
            "size": request.ledger.size,
            "first_seed": request.ledger.first_seed,
            "budget_s": request.ledger.budget_s,
            "claims": list(request.only) or f"all of {CLAIMS_FILE}",
        },
    }
