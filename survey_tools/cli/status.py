"""The command status: what a store holds, and what is still owed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.runner import StoreOption, SurveyArgument, default_store
from survey_tools.cli.terminal import DebugOption, log_to_stderr, one_line, one_line_errors
from survey_tools.errors import count

if TYPE_CHECKING:
    from survey_tools.harvest.jobs import Job

__all__ = ["status_command"]


def status_command(
    survey: SurveyArgument = None,
    store: StoreOption = None,
    gaps: Annotated[
        bool,
        typer.Option(
            "--gaps",
            help="List runs of numbers that are missing between the stored ids of a month; they "
            "mean something only where all of arXiv was harvested.",
        ),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Say what a store holds, what is missing, and which commands go on."""
    with one_line_errors(debug=debug), log_to_stderr(quiet=False):
        from survey_tools.harvest.clock import SystemClock
        from survey_tools.harvest.ledger import Ledger
        from survey_tools.harvest.memory import Memory
        from survey_tools.harvest.store import Store

        path = store or default_store(survey)
        with Store(path, read_only=True) as opened:
            ledger = Ledger(opened, SystemClock())
            held = opened.count()
            withdrawn = f", {held.n_withdrawn} withdrawn" if held.n_withdrawn else ""
            typer.echo(
                f"{path}: {count(held.n_papers, 'paper')}{withdrawn}, "
                f"{count(held.n_pages, 'page')}, {held.n_quarantined} in quarantine"
            )
            for job in ledger.list_jobs():
                n_open = len(ledger.list_windows(job.job_id, "open"))
                n_open += len(ledger.list_windows(job.job_id, "short"))
                state = job.status or "interrupted"
                if n_open:
                    state += f", {count(n_open, 'window')} open"
                if job.n_missing:
                    state += f", {count(job.n_missing, 'thing')} missing"
                when = f", answered {job.as_of}" if job.as_of else ""
                typer.echo(
                    f"{job.job_id} {job.kind}: {one_line(_describe_job(job))}: {state}{when}"
                )
                if job.status != "complete":
                    typer.echo(f"  resume: {one_line(job.resume)}")
            for host, until in Memory(opened, SystemClock()).resting_hosts():
                typer.echo(f"cool-down of {host} until {_clock_time(until)}")
            if gaps:
                for first, last, n_missing in opened.find_gaps():
                    typer.echo(f"gap: {first} to {last}, {count(n_missing, 'number')}")


def _describe_job(job: "Job") -> str:
    arguments = job.arguments
    if job.kind == "ids":
        return count(len(arguments["ids"]), "id")
    if job.kind == "titles":
        return count(len(arguments["queries"]), "query").replace("querys", "queries")
    if job.kind == "snapshot":
        return str(arguments["file"])
    named = (f"{name} {value}" for name, value in arguments.items() if value and name != "query")
    return ", ".join([*filter(None, [arguments.get("query")]), *named]) or "all of arXiv"


def _clock_time(when: datetime) -> str:
    return when.astimezone().strftime("%H:%M")
