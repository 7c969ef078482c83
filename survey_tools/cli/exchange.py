"""The commands import and export: references of others in, papers out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.runner import StoreOption, SurveyArgument
from survey_tools.cli.terminal import (
    EXIT_WRONG_DATA,
    DebugOption,
    QuietOption,
    log_to_stderr,
    note,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.exchange import ImportReport

__all__ = ["export_command", "import_command"]


def import_command(
    survey: Annotated[
        Path, typer.Argument(metavar="SURVEY", help="Survey folder; it is made where none is.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="BibTeX, RIS, CSV, Parquet, JSON lines, or an awesome list in Markdown.",
        ),
    ],
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 if any entry could not be used as it stood."),
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Take references into a survey folder.

    A paper that is there already, or comes twice, is known by arXiv id, DOI or title: what it
    lacks is filled, what it has is kept. A bad entry is named; the others are taken.
    """
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        from survey_tools.exchange import import_references

        report = import_references(survey, files)
    if not quiet:
        _print_import(report)
    if strict and report.problems:
        raise typer.Exit(EXIT_WRONG_DATA)


def _print_import(report: "ImportReport") -> None:
    from survey_tools.errors import abbreviate, count

    merge = report.merge
    n_read = sum(report.n_read.values())
    typer.echo(
        f"{count(n_read, 'reference')} read: {len(merge.added)} new, {len(merge.filled)} filled, "
        f"{len(merge.unchanged)} known already; {report.papers_path}: "
        f"{count(len(merge.corpus), 'paper')}"
    )
    for problem in report.problems:
        note(str(problem))
    for old, new in merge.renamed:
        note(f"{old} is the key of another paper; the new one is {new}")
    for conflict in merge.conflicts:
        note(
            f"{conflict.paper_key}: {conflict.field} is kept as {conflict.ours}; "
            f"the file has {conflict.theirs}"
        )
    for apart in merge.left_apart:
        note(f"{apart.arrived_key} and {apart.paper_key} are kept apart: {apart.reason}")
    if without := [p.key for p in merge.corpus if p.text_source == "none"]:
        note(f"{count(len(without), 'paper')} without abstract: {abbreviate(without)}")


def _can_write(path: Path) -> bool:
    import os

    return path.is_file() and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def export_command(
    survey: SurveyArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="File to write: .jsonl, .csv, .parquet, .bib or .ris.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    job: Annotated[
        int | None,
        typer.Option(
            "--job",
            metavar="N",
            help="Only the papers that this harvest received; survey-tools status lists them.",
            show_default=False,
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="WORDS",
            help="Only papers of the store whose title or abstract hold all these words; a phrase "
            "stands in double quotes.",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write papers to a file, sorted by key: of a survey folder, or with --store of a harvest.

    The same papers give the same bytes. From a store, CSV and Parquet hold all that arXiv says.
    """
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        from survey_tools.errors import ParameterError, count

        if out is None:
            raise ParameterError("say where to write: -o FILE (.jsonl, .csv, .parquet, .bib, .ris)")
        if store is not None:
            if survey is not None:
                raise ParameterError("give a survey folder or --store, not both")
            from survey_tools.harvest.export import export_store
            from survey_tools.harvest.store import Store

            with Store(store, read_only=match is None or not _can_write(store)) as opened:
                n_papers = export_store(opened, out, job_id=job, words=match)
        elif survey is not None:
            if job is not None or match is not None:
                raise ParameterError("--job and --match go with --store")
            from survey_tools.exchange import export_survey

            n_papers = len(export_survey(survey, out))
        else:
            raise ParameterError("say what to export: a survey folder, or --store FILE")
        if not quiet:
            typer.echo(f"{count(n_papers, 'paper')}: {out}")
