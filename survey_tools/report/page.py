"""The report: one HTML page that opens offline and sends nothing anywhere."""

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from markupsafe import Markup

from survey_tools.crosscheck.verdicts import list_verdicts
from survey_tools.figures.style import clean
from survey_tools.paper import Paper
from survey_tools.report.environment import build_environment, inline_svg
from survey_tools.results import StudyResult
from survey_tools.text import count_text_sources

__all__ = ["render_report"]


def render_report(
    result: StudyResult,
    *,
    setup: str,
    figures: Mapping[str, Sequence[str]],
    manifest: Mapping[str, Any],
    robustness: str | None = None,
    claims: str | None = None,
) -> str:
    """Render the report of a run.

    Parameters
    ----------
    setup : str
        The set-up paragraph.
    figures : mapping of str to sequence of str
        SVG sources by figure name, one a page.
    manifest : mapping
        As it is written to ``manifest.json``, but without digests of outputs.
    robustness : str, optional
        The section of a robustness run, HTML.
    claims : str, optional
        The section of a run of the claims, HTML.

    Returns
    -------
    str
        HTML. Everything that came from a data file is escaped, a content-security policy
        forbids scripts and requests, links are kept only to http and https.
    """
    template = build_environment().get_template("report.html.j2")
    return template.render(
        result=result,
        settings=result.settings,
        sources=count_text_sources(result.corpus, result.settings.text.fields),
        setup=setup,
        figures={name: [inline_svg(page) for page in pages] for name, pages in figures.items()},
        manifest=manifest,
        papers_of={c.name: [result.corpus[key] for key in c.paper_keys] for c in result.clusters},
        drawn_leaves=_find_leaves(figures.get("dendrogram", ())),
        reference=_reference,
        robustness=None if robustness is None else Markup(robustness),  # noqa: S704
        claims=None if claims is None else Markup(claims),  # noqa: S704
        check=result.crosscheck,
        verdicts=list_verdicts(result.crosscheck) if result.crosscheck else (),
        label_titles=_title_labels(result),
    )


def _title_labels(result: StudyResult) -> dict[tuple[str, str], str]:
    if result.crosscheck is None:
        return {}
    return {(place.axis, place.label): place.title for place in result.crosscheck.labels}


def _find_leaves(pages: Sequence[str]) -> set[str]:
    """Return the ids of the leaves that a dendrogram labels; some styles label none."""
    return {unescape(found) for page in pages for found in re.findall(r'id="(leaf-[^"]*)"', page)}


def _reference(paper: Paper) -> str:
    """Write authors and year, with the venue where it is known."""
    return clean(paper.author_year + (f", {paper.venue}" if paper.venue else ""))
