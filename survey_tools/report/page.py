"""The report: one HTML page that opens offline and sends nothing anywhere."""

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from survey_tools.crosscheck.verdicts import list_verdicts
from survey_tools.errors import count
from survey_tools.figures.style import clean
from survey_tools.paper import Paper
from survey_tools.results import StudyResult
from survey_tools.text import count_text_sources

__all__ = ["render_report"]


def render_report(
    result: StudyResult,
    *,
    setup: str,
    figures: Mapping[str, Sequence[str]],
    manifest: Mapping[str, Any],
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

    Returns
    -------
    str
        HTML. Everything that came from a data file is escaped, a content-security policy
        forbids scripts and requests, links are kept only to http and https.
    """
    environment = Environment(
        loader=PackageLoader("survey_tools.report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "web_link": _web_link,
        "leaf_anchor": lambda key: quote(f"leaf-{key}"),
    }
    template = environment.get_template("report.html.j2")
    return template.render(
        result=result,
        settings=result.settings,
        sources=count_text_sources(result.corpus, result.settings.text.fields),
        setup=setup,
        figures={name: [_inline_svg(page) for page in pages] for name, pages in figures.items()},
        manifest=manifest,
        papers_of={c.name: [result.corpus[key] for key in c.paper_keys] for c in result.clusters},
        drawn_leaves=_find_leaves(figures.get("dendrogram", ())),
        reference=_reference,
        count=count,
        check=result.crosscheck,
        verdicts=list_verdicts(result.crosscheck) if result.crosscheck else (),
        label_titles=_title_labels(result),
    )


def _title_labels(result: StudyResult) -> dict[tuple[str, str], str]:
    if result.crosscheck is None:
        return {}
    return {(place.axis, place.label): place.title for place in result.crosscheck.labels}


def _printable(value: object) -> object:
    """Replace control and direction-changing characters in plain text; markup stays."""
    if type(value) is not str:
        return value
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value)


def _inline_svg(source: str) -> Markup:
    """Take over an SVG written by matplotlib, which escapes all text itself."""
    return Markup(source[source.index("<svg") :])  # noqa: S704


def _find_leaves(pages: Sequence[str]) -> set[str]:
    """Return the ids of the leaves that a dendrogram labels; some styles label none."""
    return {unescape(found) for page in pages for found in re.findall(r'id="(leaf-[^"]*)"', page)}


def _number(value: float | None, decimals: int = 3) -> str:
    return "–" if value is None else f"{value:z.{decimals}f}".replace("-", "−")


def _web_link(url: str | None) -> str | None:
    """Return a link that is safe to click, or None (no ``javascript:`` and the like)."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_safe = parts.scheme in ("http", "https") and bool(parts.netloc)
    return url if is_safe and not re.search(r"[\s\x00-\x1f]", url) else None


def _reference(paper: Paper) -> str:
    """Write authors and year, with the venue where it is known."""
    return clean(paper.author_year + (f", {paper.venue}" if paper.venue else ""))
