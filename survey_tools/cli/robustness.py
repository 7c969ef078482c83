"""The command robustness: whether the clusters would still be there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.progress import run_bar
from survey_tools.cli.study import join_options
from survey_tools.cli.study_options import SeedOption, SetOption, SurveyArgument
from survey_tools.cli.terminal import (
    DebugOption,
    QuietOption,
    log_to_stderr,
    note,
    one_line,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.robustness_study import RobustnessRun

__all__ = ["robustness_command"]


def robustness_command(
    survey: SurveyArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Output folder. Default: out/NAME-OF-THE-SURVEY-robustness.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="quick (a minute for 180 papers) or full (a quarter of an hour). "
            "Default: survey.yaml, else quick.",
            show_default=False,
        ),
    ] = None,
    variants: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="Your own settings to try, YAML: variants with a name and levels.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Output folder of an earlier robustness run to compare with.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Who computes: here (this process), threads, processes or dask. "
            "Default: processes.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Threads or processes that compute. Default: one a core.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --engine dask: the scheduler of a running cluster, tcp://host:port. "
            "Default: a cluster on this machine.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where outcomes are kept as they arrive, so that a run that was stopped goes on. "
            "Default: beside the output folder, NAME.store.",
            show_default=False,
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove the outcomes of earlier runs first.")
    ] = False,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Write plan.jsonl to the store and stop.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do only the I-th of N parts of the plan, on this machine; copy the outcomes of "
            "all parts into one store and run again without --shard for the card.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Run a plan of more runs than robustness.most_runs."),
    ] = False,
    seed: SeedOption = None,
    settings: SetOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Test whether the clusters would still be there: other choices, other papers, other terms.

    Settings and resamples are run by the plan of survey.yaml, compared with the survey's own tree
    and with corpora without structure, and summed up on one card.
    """
    with one_line_errors(debug=debug):
        overrides = join_options({"robustness.preset": preset, "seed": seed}, settings)
        with log_to_stderr(quiet=quiet), run_bar("loading", quiet=quiet) as progress:
            from survey_tools.linkage.routes import count_cores
            from survey_tools.robustness.engines import EngineChoice
            from survey_tools.robustness_study import RobustnessRequest, run_robustness
            from survey_tools.study import bundled_survey

            folder = survey or bundled_survey()
            name = folder.stem if folder.is_file() else folder.resolve().name
            target = out or Path("out") / f"{name}-robustness"
            n_workers = workers if workers is not None else 1 if engine == "here" else count_cores()
            chosen = engine or ("processes" if n_workers > 1 else "here")
            request = RobustnessRequest(
                engine=EngineChoice(name=chosen, n_workers=n_workers, scheduler=scheduler),  # type: ignore[arg-type]
                store=store or target.with_name(f"{target.name}.store"),
                variants=variants,
                against=against,
                restart=restart,
                plan_only=plan_only,
                shard=_parse_shard(shard),
                is_large_allowed=yes,
            )
            done = run_robustness(folder, target, request, overrides=overrides, progress=progress)
    if not quiet:
        _print(done, target)


def _parse_shard(shard: str | None) -> tuple[int, int] | None:
    if shard is None:
        return None
    number, _, n_shards = shard.partition("/")
    if number.isdecimal() and n_shards.isdecimal() and 1 <= int(number) <= int(n_shards):
        return int(number), int(n_shards)
    from survey_tools.errors import ParameterError

    raise ParameterError(f"--shard {shard}: write the number of the part and of all, as 2/5")


def _print(done: "RobustnessRun", target: Path) -> None:
    from survey_tools.errors import count

    for text in done.notes:
        note(text)
    if done.card is None:
        typer.echo(f"{count(done.n_done, 'run')} of {done.n_planned:,} done: {done.store}")
        return
    for title, sentence in done.card.verdicts:
        typer.echo(f"{one_line(title)}: {one_line(sentence)}")
    for sentence in done.comparison:
        typer.echo(one_line(sentence))
    typer.echo(f"card: {target / 'card.html'}, {target / 'card.json'}")
    typer.echo(f"tables: {target / 'tables'}")
