"""The command claims: what a survey claims, tested by small experiments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.progress import run_bar
from survey_tools.cli.terminal import (
    DebugOption,
    QuietOption,
    log_to_stderr,
    one_line,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.claims.ledger import Ledger

__all__ = ["claims_command"]


def claims_command(
    survey: Annotated[
        Path | None,
        typer.Argument(
            metavar="SURVEY",
            help="Survey folder with claims.yaml, or a YAML file of claims. Default: the bundled "
            "survey, Masked Image Modeling.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Output folder. Default: out/NAME-OF-THE-SURVEY-claims.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--quick",
            help="All claims and more seeds (an hour and a half on two cores), or the shorter part "
            "(some ten minutes).",
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ID",
            help="Test this claim only; may be repeated.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="SECONDS",
            min=0.0,
            help="Begin no trial after so many seconds; the next call goes on.",
            show_default=False,
        ),
    ] = None,
    first_seed: Annotated[
        int | None,
        typer.Option(
            "--first-seed",
            metavar="N",
            min=0,
            help="Count seeds from here: do other seeds decide the same? Default: 100; 0 to 9 "
            "chose how long is trained.",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where outcomes are kept, so that nothing is run twice. Default: beside the "
            "output folder, NAME.cache.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Processes that compute. Default: one a core.",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Test the claims of a survey by small experiments, and let rules decide.

    Every claim names its experiment and its rule in claims.yaml. The verdicts, with numbers and
    intervals, stand in claims.html; survey-tools report --claims takes them over.
    """
    with (
        one_line_errors(debug=debug),
        log_to_stderr(quiet=quiet),
        run_bar("loading", quiet=quiet) as progress,
    ):
        from survey_tools.claims.ledger import FIRST_SEED, LedgerRequest
        from survey_tools.claims_study import ClaimsRequest, run_claims
        from survey_tools.linkage.routes import count_cores
        from survey_tools.study import bundled_survey

        folder = survey or bundled_survey()
        name = folder.stem if folder.is_file() else folder.resolve().name
        target = out or Path("out") / f"{name}-claims"
        request = ClaimsRequest(
            ledger=LedgerRequest(
                size="full" if full else "quick",
                budget_s=budget,
                n_workers=workers or count_cores(),
                first_seed=FIRST_SEED if first_seed is None else first_seed,
            ),
            cache=cache or target.with_name(f"{target.name}.cache"),
            only=tuple(only or ()),
        )
        ledger = run_claims(folder, target, request, progress=progress)
    if not quiet:
        _print(ledger, target)


def _print(ledger: "Ledger", target: Path) -> None:
    from survey_tools.report.claims_page import sum_up

    for found in ledger.claims:
        unmet = "; ".join(decision.rule.words for decision in found.unmet)
        reason = found.not_run or (f"does not hold here: {unmet}" if unmet else "")
        reason = f" ({one_line(reason)})" if reason else ""
        typer.echo(f"{found.verdict}: {one_line(found.claim.text)}{reason}")
    typer.echo(
        f"{sum_up(ledger)}; {ledger.n_from_cache} of {ledger.n_trials} trials were in the cache"
    )
    typer.echo(f"page: {target / 'claims.html'}")
    typer.echo(f"tables: {target / 'tables'}")
