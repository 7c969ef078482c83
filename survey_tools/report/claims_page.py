"""The claims chapter as HTML: a section for the report, and a page of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from survey_tools.claims.ledger import Ledger
from survey_tools.errors import count
from survey_tools.report.environment import build_environment, inline_svg

__all__ = ["render_claims_page", "render_claims_section", "sum_up"]


def sum_up(ledger: Ledger) -> str:
    """Say how many claims have which verdict."""
    counts = ledger.count_verdicts()
    told = [f"{n} {verdict}" for verdict, n in counts.items() if n or verdict != "not run"]
    return f"{count(len(ledger.claims), 'claim')}: {', '.join(told)}"


def render_claims_section(ledger: Ledger, figures: Mapping[str, Sequence[str]]) -> str:
    """Render the chapter as a fragment, ``<section id="claims">``.

    Parameters
    ----------
    figures : mapping of str to sequence of str
        SVG sources by figure name, one a page; any may be missing.

    Returns
    -------
    str
        HTML in which everything that came from a data file is escaped.
    """
    template = build_environment().get_template("claims.html.j2")
    return template.render(
        ledger=ledger,
        summary=sum_up(ledger),
        figures={name: [inline_svg(page) for page in pages] for name, pages in figures.items()},
    )


def render_claims_page(title: str, section: str, manifest: Mapping[str, Any]) -> str:
    """Render the page ``claims.html``: the section in the frame of the report.

    Parameters
    ----------
    section : str
        As `render_claims_section` returned it.
    manifest : mapping
        As it is written to ``manifest.json``, but without digests of outputs.
    """
    template = build_environment().get_template("claims_page.html.j2")
    return template.render(title=title, section=Markup(section), manifest=manifest)  # noqa: S704
