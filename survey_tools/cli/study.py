"""The commands that read a survey folder and write an output folder."""

import gc
from pathlib import Path
from typing import Any, Literal, NoReturn

import typer

from survey_tools.cli.stages import CONDENSED, choose_shares, show_stages
from survey_tools.cli.study_options import (
    CertifyOption,
    ClaimsOption,
    ClustersOption,
    CondenseOption,
    EngineOption,
    LinkageOption,
    MetricOption,
    OutOption,
    PageOption,
    RobustnessOption,
    SchedulerOption,
    ScratchOption,
    SeedOption,
    SetOption,
    StyleOption,
    SurveyArgument,
)
from survey_tools.cli.terminal import (
    DebugOption,
    QuietOption,
    log_to_stderr,
    one_line,
    one_line_errors,
    parse_assignments,
)

__all__ = ["add_commands", "join_options"]

StudyCommand = Literal["run", "cluster", "crosscheck", "report"]


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
    shares = choose_shares(survey)
    with log_to_stderr(quiet=quiet), show_stages(shares, quiet=quiet) as progress:
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
    with log_to_stderr(quiet=quiet), show_stages(CONDENSED, quiet=quiet) as progress:
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


def _print_places(target: Path) -> None:
    """Say where results lie."""
    shown = {"figures": "figures", "tables": "tables", "report": "report.html"}
    for what, name in shown.items():
        if (target / name).exists():
            typer.echo(f"{what}: {target / name}")
