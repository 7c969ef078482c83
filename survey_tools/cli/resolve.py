"""The command resolve: arXiv ids of a survey's papers, by links, DOIs and titles."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from survey_tools.cli.progress import stage_bar
from survey_tools.cli.runner import (
    ApiUrlOption,
    ContactOption,
    GapOption,
    JsonOption,
    OfflineOption,
    PatienceOption,
    StoreOption,
    check_before,
    default_store,
    exit_code,
    print_report,
    report_data,
    resume_command,
    run_way,
    write_json,
)
from survey_tools.cli.terminal import (
    DebugOption,
    QuietOption,
    log_to_stderr,
    note,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.harvest.harvester import HarvestReport
    from survey_tools.harvest.store import Store
    from survey_tools.settings import HarvestSettings

__all__ = ["resolve_command"]


def resolve_command(
    survey: Annotated[Path, typer.Argument(metavar="SURVEY", help="Survey folder.")],
    store: StoreOption = None,
    offline: OfflineOption = False,
    api_url: ApiUrlOption = None,
    gap_s: GapOption = None,
    patience_s: PatienceOption = None,
    contact: ContactOption = None,
    json_file: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the arXiv ids of a survey's papers by their links, DOIs and titles.

    What is certain is written into papers.jsonl; what a person must decide goes into
    resolve-review.csv beside it: write yes, no or an id into its column "accept" and run the
    command again. resolve-matches.csv says of every paper what was decided and why.
    """
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        from survey_tools.harvest.store import Store
        from survey_tools.harvest.survey import read_harvest_settings, read_survey

        options = {
            "api_url": api_url,
            "gap_s": gap_s,
            "patience_s": patience_s,
            "contact": contact,
        }
        settings = read_harvest_settings(survey, options, os.environ)
        check_before(settings, settings.api_url, json_file)
        read_survey(survey)  # before a store is made beside it
        with Store(store or default_store(survey)) as opened:
            code = _resolve(
                survey, opened, settings, offline=offline, json_file=json_file, quiet=quiet
            )
    if code:
        raise typer.Exit(code)


def _resolve(
    folder: Path,
    store: "Store",
    settings: "HarvestSettings",
    *,
    offline: bool,
    json_file: Path | None,
    quiet: bool,
) -> int:
    from survey_tools.errors import count
    from survey_tools.harvest.survey import (
        ids_found,
        read_decisions,
        read_survey,
        write_changes,
        write_matches,
    )

    survey = read_survey(folder)
    decided = read_decisions(folder)
    code = 0
    reports: list[HarvestReport] = []
    with stage_bar("matching", quiet=quiet) as show:
        matches = _match(survey, store, decided, show)
    if not offline:
        reports = _ask_for_titles(survey, store, settings, matches, quiet=quiet)
        code = max((exit_code(report) for report in reports), default=0)
        if reports:
            with stage_bar("matching", quiet=quiet) as show:
                matches = _match(survey, store, decided, show)
    write_changes(survey, ids_found(survey, matches))
    write_matches(folder, matches)
    if json_file is not None:
        write_json(json_file, _summarise(reports))
    if not quiet:
        n_of = {name: sum(m.decision == name for m in matches) for name in _DECISIONS}
        typer.echo(", ".join(f"{n} {_DECISIONS[name]}" for name, n in n_of.items() if n))
        if n_of["review"]:
            note(
                f"{count(n_of['review'], 'paper')} to decide in {folder / 'resolve-review.csv'}: "
                "write yes, no or an id into the column accept, and run the same command again"
            )
    return code


def _summarise(reports: "list[HarvestReport]") -> dict[str, Any]:
    """Put the reports of one resolve together; none of them where nothing was asked."""
    parts = [report_data(report) for report in reports]
    status = next((part["status"] for part in parts if part["status"] != "complete"), "complete")
    sums = {name: sum(part[name] for part in parts) for name in ("records", "new", "changed")}
    return {
        "status": status,
        **sums,
        "quarantined": sum(part["quarantined"] for part in parts),
        "missing": [named for part in parts for named in part["missing"]],
        "requests": sum(part["requests"] for part in parts),
        "resume": resume_command(),
        "notes": [text for part in parts for text in part["notes"]],
        "error": next((part["error"] for part in parts if part["error"]), None),
    }


_DECISIONS = {
    "given": "had an id",
    "auto": "found",
    "hand": "decided by hand",
    "review": "to review",
    "unmatched": "not found",
}


def _match(survey: Any, store: "Store", decided: Mapping[str, str | None], show: Any) -> Any:
    from survey_tools.harvest.resolve import resolve_corpus

    return resolve_corpus(
        survey.corpus,
        store,
        decided=decided,
        progress=lambda n_done, n_all: show(n_done / max(1, n_all)),
    )


def _ask_for_titles(
    survey: Any,
    store: "Store",
    settings: "HarvestSettings",
    matches: Any,
    *,
    quiet: bool,
) -> "list[HarvestReport]":
    """Ask arXiv for the titles that the store lacks: ten a request, then word by word."""
    from survey_tools.harvest.by_title import TitleWay
    from survey_tools.harvest.clock import SystemClock
    from survey_tools.harvest.memory import Memory
    from survey_tools.harvest.resolve import resolve_corpus
    from survey_tools.harvest.title_queries import build_title_queries, build_word_query
    from survey_tools.tex import title_key

    memory = Memory(store, SystemClock())
    lacking = [m for m in matches if m.decision == "unmatched" and title_key(m.title)]
    known = memory.known_unknown_titles([title_key(match.title) for match in lacking])
    lacking = [match for match in lacking if title_key(match.title) not in known]
    reports = []
    if queries := build_title_queries([match.title for match in lacking]):
        way = TitleWay(queries, url=settings.api_url)
        reports.append(run_way(way, store, settings, json_file=None, quiet=quiet))
        again = resolve_corpus(survey.corpus.select([m.key for m in lacking]), store)
        lacking = [match for match in again if match.decision == "unmatched"]
    if reports and reports[0].status == "complete" and lacking:
        queries = [q for match in lacking if (q := build_word_query(match.title))]
        way = TitleWay(queries, url=settings.api_url)
        reports.append(run_way(way, store, settings, json_file=None, quiet=quiet))
        if reports[-1].status == "complete":
            again = resolve_corpus(survey.corpus.select([m.key for m in lacking]), store)
            unknown = [title_key(m.title) for m in again if m.decision == "unmatched"]
            memory.note_unknown_titles(unknown)
    for report in reports:
        print_report(report, quiet=quiet)
    return reports
