"""The command holdout: what texts say of a taxonomy, and labels for papers not yet filed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.progress import stage_bar
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
    from survey_tools.holdout.suggestion import Suggestions
    from survey_tools.holdout_study import HoldOutRun

__all__ = ["holdout_command"]


def holdout_command(
    survey: SurveyArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Output folder. Default: out/NAME-OF-THE-SURVEY-holdout.",
            show_default=False,
        ),
    ] = None,
    suggest: Annotated[
        Path | None,
        typer.Option(
            "--suggest",
            metavar="FILE",
            help="Papers not yet filed (BibTeX, RIS, CSV, Parquet, JSON lines): suggest labels "
            "for them, with probabilities.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            help="Folds; the papers of each are held out in turn. Default: survey.yaml, else 5.",
            show_default=False,
        ),
    ] = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Test whether the taxonomy can be told from the texts of papers that were held out.

    Every axis, and the combined cells, are learnt from some papers and applied to the others,
    and that is compared with guessing.
    """
    with one_line_errors(debug=debug):
        overrides = join_options({"holdout.n_folds": folds, "seed": seed}, settings)
        with log_to_stderr(quiet=quiet), stage_bar("holding out", quiet=quiet) as show:
            from survey_tools.holdout_study import run_hold_out
            from survey_tools.study import bundled_survey

            folder = survey or bundled_survey()
            name = folder.stem if folder.is_file() else folder.resolve().name
            target = out or Path("out") / f"{name}-holdout"
            done = run_hold_out(
                folder,
                target,
                overrides=overrides,
                suggest_for=suggest,
                progress=lambda n_done, n_all: show(n_done / max(1, n_all)),
            )
    if not quiet:
        _print(done, target)


def _print(done: "HoldOutRun", target: Path) -> None:
    for text in (*done.found.notes, *done.problems):
        note(text)
    for axis in done.found.axes:
        typer.echo(f"{one_line(axis.title)}: {one_line(axis.verdict)}")
    if done.suggestions is not None:
        _print_suggestions(done, done.suggestions, target)
    typer.echo(f"tables: {target / 'tables'}")


def _print_suggestions(done: "HoldOutRun", suggestions: "Suggestions", target: Path) -> None:
    from survey_tools.errors import abbreviate, count

    for text in suggestions.notes:
        note(text)
    if suggestions.already_filed:
        named = abbreviate(
            key if key == filed else f"{key} (as {filed})"
            for key, filed in suggestions.already_filed
        )
        note(f"{count(len(suggestions.already_filed), 'paper')} filed already, skipped: {named}")
    if suggestions.wordless_keys:
        note(
            f"{count(len(suggestions.wordless_keys), 'paper')} without any term of a filed paper, "
            f"skipped: {abbreviate(suggestions.wordless_keys)}"
        )
    likely = [s for s in suggestions.suggestions if s.probability >= done.min_probability]
    n_papers = len({s.paper_key for s in suggestions.suggestions})
    typer.echo(
        f"{count(len(likely), 'label')} suggested with probability {done.min_probability:g} or "
        f"more for {len({s.paper_key for s in likely})} of {count(n_papers, 'new paper')}"
    )
    for axis in done.found.axes:
        if axis.calibration is not None:
            typer.echo(
                f"calibration on {one_line(axis.title)}: Brier score "
                f"{axis.calibration.brier:.3f} (by shares alone "
                f"{axis.calibration.brier_of_shares:.3f}), expected calibration error "
                f"{axis.calibration.calibration_error:.3f}"
            )
    typer.echo(f"suggestions: {target / 'suggestions.csv'}, {target / 'suggestions.yaml'}")
