"""The robustness chapter as HTML: a section for the report, and a page of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from survey_tools.report.environment import build_environment, inline_svg
from survey_tools.report.robustness_rows import CORPUS_TITLES, count_runs, list_methods
from survey_tools.robustness.assessment import Robustness, VariantResult
from survey_tools.robustness.card import RobustnessCard
from survey_tools.robustness.families import FAMILIES, Family
from survey_tools.robustness.stability import PaperStability, TargetStability

__all__ = ["render_card", "render_section"]

_FAMILY_TITLES: dict[Family, str] = {
    "one choice": "one other choice",
    "all choices": "any other choices",
    "papers": "other papers",
    "one paper out": "one paper left out",
    "terms": "other terms",
    "order": "other orders",
    "own settings": "own settings",
}
_VERDICT_WORDS = {"not in the reference": "not in the tree"}
_N_REASONS = 20  # reasons of failures that are listed
_N_PAIRS = 10  # pairs of choices that are listed


def render_section(
    card: RobustnessCard, comparison: Sequence[str], figures: Mapping[str, Sequence[str]]
) -> str:
    """Render the chapter as a fragment, ``<section id="robustness">``.

    Parameters
    ----------
    comparison : sequence of str
        How the card differs from that of another run; empty without one.
    figures : mapping of str to sequence of str
        SVG sources by figure name, one a page; any may be missing. The one-page card, which
        says the same once more, is left out.

    Returns
    -------
    str
        HTML in which everything that came from a data file is escaped.
    """
    result = card.result
    reasons = list(result.failures().items())
    template = build_environment().get_template("robustness.html.j2")
    return template.render(
        card=card,
        result=result,
        comparison=comparison,
        figures={name: [inline_svg(page) for page in pages] for name, pages in figures.items()},
        families=_list_families(result.targets),
        family_titles=_FAMILY_TITLES,
        n_runs_of=_count_by_family(result.targets),
        home_families=_list_homes(card.fragile_papers),
        verdict_words=_VERDICT_WORDS,
        corpora=CORPUS_TITLES,
        methods=list_methods(result),
        other_influences=[found for found in result.influences if found is not card.influence],
        variants=[(variant, _list_changes(variant, result)) for variant in result.variants],
        tallies=count_runs(result.rows),
        reasons=reasons[:_N_REASONS],
        n_more_reasons=len(reasons[_N_REASONS:]),
        n_failed_otherwise=sum(n for _, n in reasons[_N_REASONS:]),
        n_pairs_shown=_N_PAIRS,
    )


def render_card(card: RobustnessCard, section: str, manifest: Mapping[str, Any]) -> str:
    """Render the page ``card.html``: the section in the frame of the report.

    Parameters
    ----------
    section : str
        As `render_section` returned it.
    manifest : mapping
        As it is written to ``manifest.json``, but without digests of outputs.
    """
    template = build_environment().get_template("card.html.j2")
    return template.render(card=card, section=Markup(section), manifest=manifest)  # noqa: S704


def _list_families(targets: Iterable[TargetStability]) -> list[Family]:
    found = {family for target in targets for family in target.families}
    return [family for family in FAMILIES if family in found]


def _count_by_family(targets: Sequence[TargetStability]) -> dict[Family, tuple[int, int]]:
    """Return for each family the least and greatest number of runs that a target has."""
    numbers = {
        family: [t.families[family].n_runs for t in targets if family in t.families]
        for family in _list_families(targets)
    }
    return {family: (min(of_family), max(of_family)) for family, of_family in numbers.items()}


def _list_homes(papers: Iterable[PaperStability]) -> list[Family]:
    found = {family for paper in papers for family in paper.at_home}
    return [family for family in FAMILIES if family in found]


def _list_changes(variant: VariantResult, result: Robustness) -> list[str]:
    """List the levels in which a reviewer's setting differs from the survey's."""
    own = result.own.levels()
    return [
        f"{name} {'–' if level is None else level}"
        for name, level in variant.row.run.setting.levels().items()
        if repr(level) != repr(own[name])  # 1 is a paper, 1.0 are all of them
    ]
