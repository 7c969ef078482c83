"""The commands that read a survey folder and write an output folder."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

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

__all__ = ["add_commands", "join_options"]

# Shares of a run in per cent, for the progress bar; from benchmarks/run_mim.md.
_STAGE_SHARES = {
    "loading": 30,
    "reading": 1,
    "text": 1,
    "tree": 1,
    "certificate": 1,
    "clusters": 1,
    "hold-out": 1,
    "cross-check": 20,
    "figures": 54,
    "report": 1,
}
# The same with thousands of papers; from a run on 60,000 abstracts.
_LARGE_SHARES = {
    "loading": 2,
    "reading": 6,
    "text": 10,
    "tree": 35,
    "certificate": 20,
    "clusters": 17,
    "hold-out": 1,
    "cross-check": 2,
    "figures": 7,
    "report": 1,
}
_CONDENSED_SHARES = {
    "loading": 2,
    "reading": 30,
    "weighing": 2,
    "basis": 17,
    "projecting": 1,
    "micro-clusters": 17,
    "assigning": 5,
    "tree": 15,
    "sample": 8,
    "figures": 3,
}
_LARGE_BYTES = 5_000_000  # of titles and abstracts: some 3,000 papers
StudyCommand = Literal["run", "cluster", "crosscheck", "report"]

SurveyArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="SURVEY",
        help="Survey folder with survey.yaml, or a file of papers (Parquet, CSV, JSON lines, "
        "BibTeX, RIS). Default: the bundled survey, Masked Image Modeling.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Output folder. Default: out/NAME-OF-THE-SURVEY.",
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


StyleOption = Annotated[
    str | None,
    typer.Option(
        help="Shape of the dendrogram: left-right, top-down, circular, collapsed, overview or "
        "heat-map. Default: survey.yaml, else left-right up to 2,000 papers.",
        show_default=False,
    ),
]
CertifyOption = Annotated[
    bool,
    typer.Option(
        "--certify",
        help="Replay the tree and check that every merge was the cheapest of all possible ones.",
    ),
]
CondenseOption = Annotated[
    int | None,
    typer.Option(
        "--condense",
        metavar="N",
        help="For a file of more papers than can be merged exactly: make N micro-clusters first "
        "and merge those exactly.",
        show_default=False,
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        help="With --condense, who computes the shards: local or dask. Default: local.",
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="With --engine dask: the scheduler of a running cluster, tcp://host:port. "
        "Default: a cluster on this machine.",
        show_default=False,
    ),
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="With --condense, where shards lie while it runs; workers on other machines must see "
        "it. Default: the system's folder for temporary files.",
        show_default=False,
    ),
]
RobustnessOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Output folder of survey-tools robustness, run on the same survey with the same "
        "settings, whose section the report takes over.",
        show_default=False,
    ),
]
ClaimsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Output folder of survey-tools claims, run on the same claims, whose section the "
        "report takes over.",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add run, cluster, crosscheck and report to the program."""
    _add_reporting(app, "run", "Cluster, cross-check and report, all in one.")
    _add_cluster(app)
    _add_crosscheck(app)
    _add_reporting(app, "report", "Write the report alone, one offline page.")


def _add_reporting(app: typer.Typer, command: Literal["run", "report"], purpose: str) -> None:
    """Add a command that writes the report."""

    @app.command(command, help=purpose)
    def report(
        survey: SurveyArgument = None,
        out: OutOption = None,
        linkage: LinkageOption = None,
        metric: MetricOption = None,
        n_clusters: ClustersOption = None,
        seed: SeedOption = None,
        page: PageOption = None,
        style: StyleOption = None,
        robustness: RobustnessOption = None,
        claims: ClaimsOption = None,
        settings: SetOption = None,
        quiet: QuietOption = False,
        debug: DebugOption = False,
    ) -> None:
        named = _name_options(linkage, metric, n_clusters, seed, page, style)
        with one_line_errors(debug=debug):
            overrides = join_options(named, settings)
            _execute(
                command, survey, out, overrides, robustness=robustness, claims=claims, quiet=quiet
            )


def _add_crosscheck(app: typer.Typer) -> None:
    @app.command("crosscheck", help="Compare the clusters with the manual taxonomy.")
    def crosscheck(
        survey: SurveyArgument = None,
        out: OutOption = None,
        linkage: LinkageOption = None,
        metric: MetricOption = None,
        n_clusters: ClustersOption = None,
        seed: SeedOption = None,
        page: PageOption = None,
        style: StyleOption = None,
        settings: SetOption = None,
        quiet: QuietOption = False,
        debug: DebugOption = False,
    ) -> None:
        named = _name_options(linkage, metric, n_clusters, seed, page, style)
        with one_line_errors(debug=debug):
            _execute("crosscheck", survey, out, join_options(named, settings), quiet=quiet)


def _add_cluster(app: typer.Typer) -> None:
    @app.command("cluster", help="Build the tree, cut it, draw the dendrogram.")
    def cluster(
        survey: SurveyArgument = None,
        out: OutOption = None,
        linkage: LinkageOption = None,
        metric: MetricOption = None,
        n_clusters: ClustersOption = None,
        seed: SeedOption = None,
        page: PageOption = None,
        style: StyleOption = None,
        certify: CertifyOption = False,
        condense: CondenseOption = None,
        engine: EngineOption = None,
        scheduler: SchedulerOption = None,
        scratch: ScratchOption = None,
        settings: SetOption = None,
        quiet: QuietOption = False,
        debug: DebugOption = False,
    ) -> None:
        named = _name_options(linkage, metric, n_clusters, seed, page, style)
        named["condense.n_micro_clusters"] = condense
        if certify:
            named["clustering.certify"] = True
        with one_line_errors(debug=debug):
            overrides = join_options(named, settings)
            if any(name.startswith("condense.") for name in overrides):
                _condense(survey, out, overrides, engine, scheduler, scratch, quiet=quiet)
                return
            if engine or scheduler or scratch:
                _refuse("--engine, --scheduler and --scratch need --condense N")
            _execute("cluster", survey, out, overrides, quiet=quiet)


def _name_options(
    linkage: str | None,
    metric: str | None,
    n_clusters: int | None,
    seed: int | None,
    page: str | None,
    style: str | None,
) -> dict[str, Any]:
    return {
        "clustering.linkage": linkage,
        "clustering.metric": metric,
        "clustering.cut.n_clusters": n_clusters,
        "seed": seed,
        "figures.page": page,
        "figures.style": style,
    }


def join_options(named: dict[str, Any], assignments: list[str] | None) -> dict[str, Any]:
    """Join settings that have options of their own with those of ``--set``."""
    options = {name: value for name, value in named.items() if value is not None}
    assigned = parse_assignments(assignments or [])
    if twice := sorted(options.keys() & assigned.keys()):
        _refuse(f"{twice[0]} is given twice, by its own option and by --set")
    return {**options, **assigned}


def _refuse(sentence: str) -> NoReturn:
    from survey_tools.errors import ParameterError

    raise ParameterError(sentence)


def _execute(
    command: StudyCommand,
    survey: Path | None,
    out: Path | None,
    overrides: dict[str, Any],
    *,
    robustness: Path | None = None,
    claims: Path | None = None,
    quiet: bool,
) -> None:
    gc.set_threshold(50_000, 20, 20)  # the default looks through all objects too often: 10 %
    shares = _LARGE_SHARES if _is_large(survey) else _STAGE_SHARES
    with log_to_stderr(quiet=quiet), _progress(shares, is_shown=_has_terminal(quiet)) as progress:
        from survey_tools.errors import count
        from survey_tools.run import run_study
        from survey_tools.study import bundled_survey

        gc.freeze()  # what the libraries hold stays
        folder = survey or bundled_survey()
        target = out or _default_target(folder)
        result = run_study(
            folder,
            target,
            command=command,
            overrides=overrides,
            robustness=robustness,
            claims=claims,
            progress=progress,
        )
    if quiet:
        return
    for warning in result.warnings:
        typer.echo(f"note: {one_line(warning)}", err=True)
    if result.crosscheck is not None and command in ("run", "crosscheck"):
        from survey_tools.crosscheck.verdicts import list_verdicts

        for title, verdict in list_verdicts(result.crosscheck):
            typer.echo(f"{one_line(title)}: {one_line(verdict)}")
    if result.certificate is not None:
        typer.echo(f"certificate: {result.certificate.verdict}")
    typer.echo(f"{count(result.partition.n_groups, 'cluster')} of {len(result.corpus)} papers")
    _print_places(target)


def _condense(
    survey: Path | None,
    out: Path | None,
    overrides: dict[str, Any],
    engine: str | None,
    scheduler: str | None,
    scratch: Path | None,
    *,
    quiet: bool,
) -> None:
    """Cluster by way of micro-clusters."""
    if engine not in (None, "local", "dask"):
        _refuse(f"no engine {engine!r}; engines: local, dask")
    with (
        log_to_stderr(quiet=quiet),
        _progress(_CONDENSED_SHARES, is_shown=_has_terminal(quiet)) as progress,
    ):
        from survey_tools.condense.engines import EngineChoice
        from survey_tools.condensed_study import run_condensed
        from survey_tools.errors import count
        from survey_tools.linkage.routes import count_cores
        from survey_tools.study import bundled_survey, read_settings

        source, settings = read_settings(survey or bundled_survey(), overrides)
        target = out or _default_target(survey or bundled_survey())
        choice = EngineChoice(
            name="dask" if engine == "dask" or scheduler else "local",
            n_workers=count_cores(),
            scheduler=scheduler,
        )
        result = run_condensed(
            source, target, settings=settings, engine=choice, scratch=scratch, progress=progress
        )
    if quiet:
        return
    for sentence in result.sentences:
        typer.echo(sentence)
    n_papers = int(result.condensed.n_papers.sum())
    typer.echo(
        f"{count(result.partition.n_groups, 'cluster')} of {n_papers} papers in "
        f"{count(len(result.condensed.n_papers), 'micro-cluster')}"
    )
    _print_places(target)


def _default_target(survey: Path) -> Path:
    name = survey.resolve().name
    return Path("out") / (survey.stem if survey.is_file() else name)


def _is_large(survey: Path | None) -> bool:
    """Guess from the size of the files whether a run takes minutes."""
    if survey is None:
        return False
    files = [survey] if survey.is_file() else [*survey.glob("*.jsonl")]
    try:
        return any(file.stat().st_size > _LARGE_BYTES for file in files)
    except OSError:  # reading it will say why
        return False


def _print_places(target: Path) -> None:
    """Say where results lie."""
    shown = {"figures": "figures", "tables": "tables", "report": "report.html"}
    for what, name in shown.items():
        if (target / name).exists():
            typer.echo(f"{what}: {target / name}")


def _has_terminal(quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty()


@contextmanager
def _progress(shares: dict[str, int], *, is_shown: bool) -> Iterator[Callable[[str, float], None]]:
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
        task = bar.add_task("loading", total=sum(shares.values()))
        stages = list(shares)

        def show(stage: str, share: float) -> None:
            i = stages.index(stage) if stage in shares else len(stages)
            done = sum(list(shares.values())[:i]) + share * shares.get(stage, 0)
            bar.update(task, description=stage, completed=done)

        yield show
