"""The command line: arguments, progress, messages, exit codes. Nothing is computed here.

Heavy libraries are imported inside the commands, so that ``--help`` stays fast.
"""

from typing import Annotated

import typer

from survey_tools.cli import study
from survey_tools.cli.claims import claims_command
from survey_tools.cli.exchange import export_command, import_command
from survey_tools.cli.harvest import harvest_command
from survey_tools.cli.holdout import holdout_command
from survey_tools.cli.mae import mae_app
from survey_tools.cli.resolve import resolve_command
from survey_tools.cli.robustness import robustness_command
from survey_tools.cli.status import status_command
from survey_tools.cli.taxonomy import taxonomy_app
from survey_tools.cli.terminal import DebugOption, one_line_errors

__all__ = ["app", "main"]

app = typer.Typer(
    name="survey-tools",
    help="Write, analyse and review literature surveys.",
    epilog="Exit codes: 0 fine, 1 the data, the settings or the disk are wrong, 2 wrong usage, "
    "3 a harvest is incomplete, 130 interrupted.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from survey_tools import __version__

        typer.echo(f"survey-tools {__version__}")
        raise typer.Exit


study.add_commands(app)
app.command("holdout", short_help="Test whether the taxonomy can be told from the texts.")(
    holdout_command
)
app.command("robustness", short_help="Test whether the clusters would still be there.")(
    robustness_command
)
app.command("claims", short_help="Test the claims of a survey by experiments.")(claims_command)
app.command("import", short_help="Take references (BibTeX, RIS, CSV …) into a survey.")(
    import_command
)
app.command("harvest", short_help="Fetch titles and abstracts from arXiv.")(harvest_command)
app.command("resolve", short_help="Find arXiv ids by link, DOI and title.")(resolve_command)
app.command("status", short_help="Say what a store holds and what is owed.")(status_command)
app.command("export", short_help="Write papers to a file.")(export_command)
app.add_typer(mae_app, short_help="Pre-train masked autoencoders, probe and time them.")
app.add_typer(taxonomy_app, short_help="Lint a taxonomy, or compare those of several annotators.")


@app.command()
def schema(
    name: Annotated[
        str, typer.Argument(metavar="FILE", help="survey, taxonomy, subtrees or claims.")
    ],
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of a survey file.

    Editors that speak YAML check and complete the file against it.
    """
    with one_line_errors(debug=debug):
        from survey_tools.schemas import schema_text

        typer.echo(schema_text(name), nl=False)


def main() -> None:
    """Run the command line."""
    app()
