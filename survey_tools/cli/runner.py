"""Runs a harvest for a command: options, signals, the report on the terminal and as JSON."""

import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from survey_tools.cli.progress import harvest_bar
from survey_tools.cli.terminal import (
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_WRONG_DATA,
    note,
    one_line,
)

if TYPE_CHECKING:
    from survey_tools.harvest.desk import Way
    from survey_tools.harvest.harvester import HarvestReport, Services
    from survey_tools.harvest.store import Store
    from survey_tools.settings import HarvestSettings

__all__ = [
    "ApiUrlOption",
    "ContactOption",
    "GapOption",
    "JsonOption",
    "OaiUrlOption",
    "OfflineOption",
    "PatienceOption",
    "StoreOption",
    "SurveyArgument",
    "check_before",
    "default_store",
    "exit_code",
    "print_report",
    "print_resume",
    "report_data",
    "resume_command",
    "run_way",
    "write_json",
]

_N_NAMED = 20  # things missing that are named on the terminal; the JSON file names all

SurveyArgument = Annotated[
    Path | None,
    typer.Argument(metavar="SURVEY", help="Survey folder with survey.yaml.", show_default=False),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FILE",
        help="Harvest database. Default: harvest.db in the survey folder, else in the user's data "
        "folder.",
        show_default=False,
    ),
]
ApiUrlOption = Annotated[
    str | None,
    typer.Option(
        help="Address of the Atom API or a mirror. Default: SURVEY_TOOLS_API_URL, survey.yaml, "
        "else arXiv.",
        show_default=False,
    ),
]
OaiUrlOption = Annotated[
    str | None,
    typer.Option(
        help="Address of the OAI-PMH service or a mirror. Default: SURVEY_TOOLS_OAI_URL, "
        "survey.yaml, else arXiv.",
        show_default=False,
    ),
]
GapOption = Annotated[
    float | None,
    typer.Option(
        help="Seconds between two requests; may only be raised, except for a server on this "
        "machine. Default: SURVEY_TOOLS_GAP_S, survey.yaml, else 3.",
        show_default=False,
    ),
]
PatienceOption = Annotated[
    float | None,
    typer.Option(
        help="Seconds that cool-downs and waits after faults may take in all. "
        "Default: survey.yaml, else 7200.",
        show_default=False,
    ),
]
ContactOption = Annotated[
    str | None,
    typer.Option(
        help="How arXiv can reach you, sent with every request. "
        "Default: SURVEY_TOOLS_CONTACT, survey.yaml, else none.",
        show_default=False,
    ),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Use what the store holds; send no request.")
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the report here as JSON, too.", show_default=False
    ),
]


def default_store(survey: Path | None) -> Path:
    """Return the store of a survey folder, or the user's own."""
    if survey is not None:
        return survey / "harvest.db"
    from platformdirs import user_data_path

    return user_data_path("survey-tools", appauthor=False) / "harvest.db"


def run_way(
    way: "Way",
    store: "Store",
    settings: "HarvestSettings",
    *,
    json_file: Path | None,
    quiet: bool,
) -> "HarvestReport":
    """Run a harvest with its bar, and write the JSON report whatever happens."""
    from survey_tools.errors import SurveyToolsError
    from survey_tools.harvest.harvester import harvest

    resume = resume_command()
    url = settings.oai_url if way.kind == "oai" else settings.api_url
    try:
        with harvest_bar(quiet=quiet) as (show, notice), _term_as_interrupt() as arrived:
            services = _services(settings, url, notice)
            report = harvest(way, store, services, resume=resume, show=show)
    except SurveyToolsError as error:
        if json_file is not None:
            write_json(
                json_file, {"status": "error", "error": one_line(str(error)), "resume": resume}
            )
        raise
    if json_file is not None:
        write_json(json_file, report_data(report))
    if arrived and report.status == "stopped":
        print_report(report, quiet=quiet)
        raise typer.Exit(EXIT_TERMINATED)
    return report


def _services(
    settings: "HarvestSettings", url: str, notice: Callable[[str, float], None]
) -> "Services":
    from survey_tools.harvest.harvester import Services

    return Services.over_http(
        url,
        gap_s=settings.gap_s,
        patience_s=settings.patience_s,
        contact=settings.contact,
        deadline_s=settings.deadline_s,
        notice=notice,
    )


@contextmanager
def _term_as_interrupt() -> Iterator[list[int]]:
    """Let SIGTERM end a harvest as Ctrl-C does: the page at hand is rolled back.

    Yields
    ------
    list of int
        The signals that have come.
    """
    arrived: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        arrived.append(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where no signal arrives
        yield arrived
        return
    try:
        yield arrived
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_code(report: "HarvestReport") -> int:
    """Return 0 for complete, 3 for incomplete, 1 where the service stopped us, 130 for Ctrl-C."""
    if report.status == "complete":
        return 0
    if report.status == "incomplete":
        return EXIT_INCOMPLETE
    if report.error is not None:
        return EXIT_WRONG_DATA
    return EXIT_INTERRUPTED


def resume_command(*dropped: str) -> str:
    """Write the command that goes on: the same one, without the options named."""
    words = [word for word in sys.argv[1:] if word not in dropped]
    text = f"survey-tools {shlex.join(words)}"
    return text.encode(errors="backslashreplace").decode()  # names of files may be no text


def report_data(report: "HarvestReport") -> dict[str, Any]:
    """Return a report as ``--json`` writes it."""
    return {
        "status": report.status,
        "records": report.n_records,
        "new": report.stored.n_new,
        "changed": report.stored.n_changed,
        "quarantined": report.n_quarantined,
        "missing": [{"what": m.what, "reason": m.reason} for m in report.missing],
        "requests": report.n_requests,
        "resume": report.resume,
        "notes": list(report.notes),
        "error": report.error,
    }


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a report, whole or not at all."""
    from survey_tools.formats.files import replace_file

    replace_file(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def print_resume(command: str) -> None:
    """Print the command that goes on so that it can be copied: blanks in names stay."""
    is_plain = all(sign.isprintable() or sign == "\t" for sign in command)
    typer.echo(f"resume: {command if is_plain else one_line(command)}", err=True)


def check_before(settings: "HarvestSettings", url: str, json_file: Path | None) -> None:
    """Refuse what cannot be asked or reported before any file is made.

    Raises
    ------
    SurveyToolsError
        If gap, contact, address or the place of the report are not allowed.
    """
    from survey_tools.errors import OutputError
    from survey_tools.harvest.harvester import check_service

    check_service(url, gap_s=settings.gap_s, contact=settings.contact)
    if json_file is not None and not json_file.parent.is_dir():
        raise OutputError(f"{json_file}: cannot be written (no such folder)")


def print_report(report: "HarvestReport", *, quiet: bool) -> None:
    """Print how a harvest ended; what is missing goes to stderr even where quiet is asked."""
    from survey_tools.errors import count

    stored = report.stored
    if not quiet:
        changed = f", {stored.n_changed:,} changed" if stored.n_changed else ""
        typer.echo(
            f"{report.status}: {count(report.n_records, 'record')}, {stored.n_new:,} new{changed}; "
            f"{count(report.n_requests, 'request')}"
        )
    for text in report.notes:
        note(text)
    if report.status == "complete":
        return
    if report.error is not None:
        typer.echo(f"error: {one_line(report.error)}", err=True)
    for missing in report.missing[:_N_NAMED]:
        typer.echo(f"missing: {one_line(missing.what)} ({one_line(missing.reason)})", err=True)
    if len(report.missing) > _N_NAMED:
        n_more = len(report.missing) - _N_NAMED
        typer.echo(f"missing: {n_more} more; --json FILE names all", err=True)
    print_resume(report.resume)
