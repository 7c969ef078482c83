"""The commands that read a survey folder and write an output folder."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from survey_tools.cli.terminal import (
    DebugOption,
    QuietOption,
    log_to_stderr,
    one_line,
    one_line_errors,
    parse_assignments,
    rich_bar,
)

__all__ = ["add_commands"]

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


def add_commands(app: typer.Typer) -> None:
    """Add run, cluster, crosscheck and report to the program."""
    _add_study_command(app, "run", "Cluster, cross-check and report, all in one.")
    _add_study_command(app, "cluster", "Build the tree, cut it, draw the dendrogram.")
    _add_study_command(app, "crosscheck", "Compare the clusters with the manual taxonomy.")
    _add_study_command(app, "report", "Write the report alone, one offline page.")


def _add_study_command(app: typer.Typer, command: StudyCommand, purpose: str) -> None:
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

    with one_line_errors(debug=debug):
        assigned = parse_assignments(assignments)
        if twice := sorted(options.keys() & assigned.keys()):
            raise ParameterError(f"{twice[0]} is given twice, by its own option and by --set")
        overrides = {**options, **assigned}
        with log_to_stderr(quiet=quiet), _progress(is_shown=_has_terminal(quiet)) as progress:
            from survey_tools.study import bundled_survey, run_study

            folder = survey or bundled_survey()
            target = out or Path("out") / folder.resolve().name
            result = run_study(
                folder, target, command=command, overrides=overrides, progress=progress
            )
    if quiet:
        return
    for warning in result.warnings:
        typer.echo(f"note: {one_line(warning)}", err=True)
    if result.crosscheck is not None and command in ("run", "crosscheck"):
        for axis in result.crosscheck.axes:
            typer.echo(f"{one_line(axis.title)}: {axis.verdict}")
    typer.echo(f"{count(result.partition.n_groups, 'cluster')} of {len(result.corpus)} papers")
    shown = {"figures": "figures", "tables": "tables", "report": "report.html"}
    for what, name in shown.items():
        if (target / name).exists():
            typer.echo(f"{what}: {target / name}")


def _has_terminal(quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty()


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[str, float], None]]:
    """Show a bar with the stage, the time taken and the time left."""
    if not is_shown:
        yield lambda _stage, _share: None
        return
    from rich.progress import (
        BarColumn,
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
    with rich_bar(*columns) as bar:
        task = bar.add_task("loading", total=sum(_STAGE_SHARES.values()))

        def show(stage: str, share: float) -> None:
            stages = list(_STAGE_SHARES)
            i = stages.index(stage) if stage in stages else len(stages)
            done = sum(list(_STAGE_SHARES.values())[:i]) + share * _STAGE_SHARES.get(stage, 0)
            bar.update(task, description=stage, completed=done)

        yield show
