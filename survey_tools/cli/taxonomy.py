"""The commands taxonomy lint and taxonomy agree: what looks wrong, and who files otherwise."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from survey_tools.cli.runner import JsonOption, write_json
from survey_tools.cli.terminal import (
    EXIT_WRONG_DATA,
    DebugOption,
    QuietOption,
    note,
    one_line,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.crosscheck.annotators import AnnotatorComparison

__all__ = ["taxonomy_app"]

taxonomy_app = typer.Typer(
    name="taxonomy",
    help="Lint a manual taxonomy, or compare taxonomies of several annotators.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@taxonomy_app.command("lint", short_help="Name what looks wrong, with code, line and hint.")
def lint_command(
    survey: Annotated[
        Path | None,
        typer.Argument(
            metavar="SURVEY",
            help="Survey folder with survey.yaml. Default: the bundled survey.",
            show_default=False,
        ),
    ] = None,
    companion: Annotated[
        Path | None,
        typer.Option(
            "--companion",
            metavar="FILE",
            help="A list of the same papers in Markdown, whose headings name the cells.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there is any warning or error.")
    ] = False,
    json_file: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Name what looks wrong in a taxonomy, each with a code, a line and a hint."""
    with one_line_errors(debug=debug):
        from survey_tools.errors import count
        from survey_tools.lint.checks import lint_folder
        from survey_tools.lint.finding import count_severities, findings_data
        from survey_tools.study import bundled_survey

        findings = lint_folder(survey or bundled_survey(), companion=companion)
        if json_file is not None:
            write_json(json_file, findings_data(findings))
    for finding in findings:
        typer.echo(one_line(str(finding)))
    counts = count_severities(findings)
    typer.echo(", ".join(count(n, name) for name, n in counts.items()))
    if strict and counts["error"] + counts["warning"]:
        raise typer.Exit(EXIT_WRONG_DATA)


@taxonomy_app.command("agree", short_help="Say how far annotators agree, and where not.")
def agree_command(
    taxonomies: Annotated[
        list[Path],
        typer.Argument(
            metavar="TAXONOMY...",
            help="Taxonomy files or survey folders with the same papers; or one file in which "
            "several annotators gave labels.",
        ),
    ],
    papers: Annotated[
        list[Path] | None,
        typer.Option(
            "--papers",
            metavar="FILE",
            help="Papers (JSON lines) of a taxonomy file, so that the papers of two surveys can be "
            "matched; once for each taxonomy, in their order.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder for agreement.csv and disagreements.csv.",
            show_default=False,
        ),
    ] = None,
    few: Annotated[
        bool, typer.Option("--few", help="Go on with fewer than 10 papers in common.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the resamples behind the intervals.")
    ] = 0,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Say how far annotators agree, axis by axis, and on which papers they do not.

    Papers are matched by arXiv id, DOI or title where files of papers are known, and by key where
    none of these speaks against it; without papers, by key alone. Axes and labels are matched by
    name.
    """
    with one_line_errors(debug=debug):
        from survey_tools.crosscheck.annotator_tables import write_comparison
        from survey_tools.crosscheck.annotators import compare_annotators
        from survey_tools.crosscheck.filings import list_inputs, read_filings

        filings = read_filings(taxonomies, papers=papers or ())
        comparison = compare_annotators(filings, seed=seed, allow_few=few)
        if out is not None:
            write_comparison(
                comparison,
                out,
                inputs=list_inputs(taxonomies, papers or ()),
                settings={"seed": seed, "few": few},
            )
    if not quiet:
        _print_comparison(comparison)
        if out is not None:
            typer.echo(f"tables: {out}")


_N_SHOWN = 20  # disagreements on the terminal; the table holds all


def _print_comparison(comparison: "AnnotatorComparison") -> None:
    from survey_tools.errors import abbreviate, count

    for name, keys in comparison.missing.items():
        if keys:
            note(f"{count(len(keys), 'paper')} not filed by {name}: {abbreviate(keys)}")
    for axis, names in comparison.axes_apart.items():
        note(f"axis {axis!r} is left out; it stands only in {', '.join(names)}")
    for (axis, label), names in comparison.labels_apart.items():
        note(f"label {label!r} of axis {axis!r} is known to {', '.join(names)} only")
    names_of = ", ".join(comparison.names)
    typer.echo(one_line(f"{count(len(comparison.paper_keys), 'paper')} filed by {names_of}"))
    for line in _table_lines(comparison):
        typer.echo(line)
    n_found = len(comparison.disagreements)
    typer.echo(count(n_found, "disagreement") + (":" if n_found else ""))
    for found in comparison.disagreements[:_N_SHOWN]:
        labels = " | ".join(" + ".join(mine) or "–" for mine in found.labels)
        typer.echo("  " + one_line(f"{found.paper_key}, {found.axis}: {labels}"))
    if n_found > _N_SHOWN:
        typer.echo(f"  … {n_found - _N_SHOWN} more; -o FOLDER writes all")


def _table_lines(comparison: "AnnotatorComparison") -> list[str]:
    """Lay out one row an axis: papers with equal labels, then every index with its interval."""
    columns = [index.name for index in comparison.axes[0].agreement.indices]
    rows = [["axis", "equal", *columns]]
    for axis in comparison.axes:
        cells = [
            f"{index.value:z.2f}"
            + ("" if index.low is None else f" [{index.low:z.2f}, {index.high:z.2f}]")
            for index in axis.agreement.indices
        ]
        rows.append([one_line(axis.title), f"{axis.n_equal}/{len(comparison.paper_keys)}", *cells])
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
