"""What all commands share: one-line errors, log lines, progress bars, common options."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = [
    "EXIT_INCOMPLETE",
    "EXIT_INTERRUPTED",
    "EXIT_TERMINATED",
    "EXIT_WRONG_DATA",
    "DebugOption",
    "QuietOption",
    "log_to_stderr",
    "note",
    "one_line",
    "one_line_errors",
    "parse_assignments",
    "rich_bar",
]

EXIT_WRONG_DATA = 1
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_TERMINATED = 143  # 128 + SIGTERM

_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def one_line(text: str) -> str:
    """Keep what data files say from breaking lines or commanding the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def note(text: str) -> None:
    """Say something that must be known besides the results, on stderr."""
    typer.echo(f"note: {one_line(text)}", err=True)


@contextmanager
def one_line_errors(*, debug: bool) -> Iterator[None]:
    """Turn errors that a user can cause into one line and exit code 1."""
    from survey_tools.errors import SurveyToolsError

    try:
        yield
    except SurveyToolsError as error:
        if debug:
            raise
        typer.echo(f"error: {one_line(str(error))}", err=True)
        raise typer.Exit(EXIT_WRONG_DATA) from None
    except BrokenPipeError:
        raise  # whoever read our output has gone; the program ends without a word
    except OSError as error:  # a name too long, a folder that may not be entered
        if debug:
            raise
        place = f"{str(error.filename)[:80]}: " if error.filename else ""
        typer.echo(f"error: {one_line(place)} {error.strerror or error}", err=True)
        raise typer.Exit(EXIT_WRONG_DATA) from None
    except (KeyboardInterrupt, RuntimeError) as error:
        # while a class is being made (matplotlib's, at import), Python 3.11 wraps the former
        is_interrupt = isinstance(error.__cause__ or error, KeyboardInterrupt)
        if debug or not is_interrupt:
            raise
        typer.echo("interrupted; no output is half written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Read ``--set name=value``; values are YAML, so numbers, lists and null work.

    So does 1e-3, which is text in YAML 1.1 for want of a point.
    """
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
        value = document.data["value"]
        is_number = isinstance(value, str) and _EXPONENT.fullmatch(value)
        parsed[name.strip()] = float(value) if is_number else value
    return parsed


@contextmanager
def log_to_stderr(*, quiet: bool) -> Iterator[None]:
    """Show log warnings on stderr."""
    import logging

    handler = logging.NullHandler() if quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("survey_tools").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("survey_tools").removeHandler(handler)


@contextmanager
def rich_bar(*columns: Any) -> "Iterator[Progress]":
    """Show a bar on stderr that goes away at the end."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar
