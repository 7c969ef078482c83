"""The command line: arguments, progress, messages, exit codes. Nothing is computed here.

Heavy libraries are imported inside the commands, so that ``--help`` stays fast.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = ["app", "main"]

# Shares of a run in per cent, for the progress bar; from benchmarks/run_mim.md.
_STAGE_SHARES = {
    "loading": 30,
    "reading": 1,
    "text": 1,
    "tree": 1,
    "clusters": 1,
    "cross-check": 10,
    "figures": 55,
    "report": 1,
}
StudyCommand = Literal["run", "cluster", "crosscheck", "report"]
EXIT_WRONG_DATA = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

app = typer.Typer(
    name="survey-tools",
    help="Write, analyse and review literature surveys.",
    epilog="Exit codes: 0 fine, 1 the data, the settings or the disk are wrong, 2 wrong usage, "
    "130 interrupted.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SurveyArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="SURVEY",
        help="Survey folder with survey.yaml. Default: the bundled survey, Masked Image Modeling.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Output folder. Default: out/NAME-OF-THE-SURVEY-FOLDER.",
        show_default=False,
    ),
]
LinkageOption = Annotated[
    str | None,
    typer.Option(
        help="ward, average, complete, single, weighted, centroid or median. "
        "Default: survey.yaml, else ward.",
        show_default=False,
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        help="euclidean, cosine, cityblock or jaccard distance. "
        "Default: survey.yaml, else euclidean.",
        show_default=False,
    ),
]
ClustersOption = Annotated[
    int | None,
    typer.Option(
        "--n-clusters",
        "-k",
        help="Clusters to cut the tree into, 1 to the number of papers. "
        "Default: survey.yaml, else 10.",
        show_default=False,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Seed of all chance, a whole number from 0. Default: survey.yaml, else 0.",
        show_default=False,
    ),
]
PageOption = Annotated[
    str | None,
    typer.Option(
        help="Page of the dendrogram: tall (210 mm wide, as tall as needed), a4 or letter. "
        "Default: survey.yaml, else tall.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting of survey.yaml by dotted name, for example text.min_df=3 (papers) or "
        "text.ngram_range=[1,2] (tokens); may be repeated.",
        show_default=False,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from survey_tools import __version__

        typer.echo(f"survey-tools {__version__}")
        raise typer.Exit


def _add_study_command(command: StudyCommand, purpose: str) -> None:
    """Add a command that reads a survey folder and writes an output folder."""

    @app.command(command, help=purpose)
    def study_command(
        survey: SurveyArgument = None,
        out: OutOption = None,
        linkage: LinkageOption = None,
        metric: MetricOption = None,
        n_clusters: ClustersOption = None,
        seed: SeedOption = None,
        page: PageOption = None,
        settings: SetOption = None,
        quiet: QuietOption = False,
        debug: DebugOption = False,
    ) -> None:
        named = {
            "clustering.linkage": linkage,
            "clustering.metric": metric,
            "clustering.cut.n_clusters": n_clusters,
            "seed": seed,
            "figures.page": page,
        }
        options = {name: value for name, value in named.items() if value is not None}
        _execute(command, survey, out, options, settings or [], quiet=quiet, debug=debug)


_add_study_command("run", "Cluster, cross-check and report, all in one.")
_add_study_command("cluster", "Build the tree, cut it, draw the dendrogram.")
_add_study_command("crosscheck", "Compare the clusters with the manual taxonomy.")
_add_study_command("report", "Write the report alone, one offline page.")


@app.command()
def schema(
    name: Annotated[str, typer.Argument(metavar="FILE", help="survey, taxonomy or subtrees.")],
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of a survey file.

    Editors that speak YAML check and complete the file against it.
    """
    with _one_line_errors(debug=debug):
        from survey_tools.schemas import schema_text

        typer.echo(schema_text(name), nl=False)


def _execute(
    command: StudyCommand,
    survey: Path | None,
    out: Path | None,
    options: dict[str, Any],
    assignments: list[str],
    *,
    quiet: bool,
    debug: bool,
) -> None:
    from survey_tools.errors import ParameterError, count

    with _one_line_errors(debug=debug):
        assigned = _parse_assignments(assignments)
        if twice := sorted(options.keys() & assigned.keys()):
            raise ParameterError(f"{twice[0]} is given twice, by its own option and by --set")
        overrides = {**options, **assigned}
        with _log_and_progress(quiet=quiet) as progress:
            from survey_tools.study import bundled_survey, run_study

            folder = survey or bundled_survey()
            target = out or Path("out") / folder.resolve().name
            result = run_study(
                folder, target, command=command, overrides=overrides, progress=progress
            )
    if quiet:
        return
    for warning in result.warnings:
        typer.echo(f"note: {_one_line(warning)}", err=True)
    if result.crosscheck is not None and command in ("run", "crosscheck"):
        for axis in result.crosscheck.axes:
            typer.echo(f"{_one_line(axis.title)}: {axis.verdict}")
    typer.echo(f"{count(result.partition.n_groups, 'cluster')} of {len(result.corpus)} papers")
    shown = {"figures": "figures", "tables": "tables", "report": "report.html"}
    for what, name in shown.items():
        if (target / name).exists():
            typer.echo(f"{what}: {target / name}")


def _parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Read ``--set name=value``; values are YAML, so numbers, lists and null work."""
    if not assignments:
        return {}
    from survey_tools.documents import parse_yaml
    from survey_tools.errors import ParameterError

    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"--set {assignment}: write NAME=VALUE, for example text.min_df=3")
        document = parse_yaml(
            f"value: {text}".encode(errors="surrogateescape"), source=f"--set {name}"
        )
        parsed[name.strip()] = document.data["value"]
    return parsed


def _one_line(text: str) -> str:
    """Keep what data files say from breaking lines or commanding the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@contextmanager
def _one_line_errors(*, debug: bool) -> Iterator[None]:
    """Turn errors that a user can cause into one line and exit code 1."""
    from survey_tools.errors import SurveyToolsError

    try:
        yield
    except SurveyToolsError as error:
        if debug:
            raise
        typer.echo(f"error: {_one_line(str(error))}", err=True)
        raise typer.Exit(EXIT_WRONG_DATA) from None
    except (KeyboardInterrupt, RuntimeError) as error:
        # while a class is being made (matplotlib's, at import), Python 3.11 wraps the former
        is_interrupt = isinstance(error.__cause__ or error, KeyboardInterrupt)
        if debug or not is_interrupt:
            raise
        typer.echo("interrupted; no output folder is half written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


@contextmanager
def _log_and_progress(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Show log warnings on stderr, and a progress bar where stderr is a terminal."""
    import logging

    handler = logging.NullHandler() if quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("survey_tools").addHandler(handler)
    try:
        with _progress(is_shown=not quiet and sys.stderr.isatty()) as show:
            yield show
    finally:
        logging.getLogger("survey_tools").removeHandler(handler)


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[str, float], None]]:
    """Show a bar with the stage, the time taken and the time left."""
    if not is_shown:
        yield lambda _stage, _share: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:11}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading", total=sum(_STAGE_SHARES.values()))

        def show(stage: str, share: float) -> None:
            stages = list(_STAGE_SHARES)
            i = stages.index(stage) if stage in stages else len(stages)
            done = sum(list(_STAGE_SHARES.values())[:i]) + share * _STAGE_SHARES.get(stage, 0)
            bar.update(task, description=stage, completed=done)

        yield show


def main() -> None:
    """Run the command line."""
    app()
