"""The robustness card: the verdict in words, and its numbers as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from survey_tools.errors import count
from survey_tools.robustness.assessment import Robustness
from survey_tools.robustness.choices import InfluenceOfDesign
from survey_tools.robustness.families import Family
from survey_tools.robustness.null_comparison import NullComparison
from survey_tools.robustness.stability import PaperStability, TargetStability

__all__ = ["N_FRAGILE", "RobustnessCard", "describe_rule", "write_card"]

N_FRAGILE = 5  # papers that the card names
_VERDICTS = ("robust", "fragile", "vanished", "not in the reference", "not tested")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustnessCard:
    """One page of verdicts.

    Attributes
    ----------
    title : str
        Of the survey.
    n_papers : int
    verdicts : tuple of (title, sentence)
    rule : str
        What "robust", "fragile" and "vanished" mean.
    result : Robustness
        What all of it rests on.
    names, clusters : tuple of TargetStability
        Named sub-trees; flat clusters.
    influence : InfluenceOfDesign or None
        The one that the card shows: of the design that tells most.
    fragile_papers : tuple of PaperStability
        The five papers that stay at home least.
    """

    title: str
    n_papers: int
    verdicts: tuple[tuple[str, str], ...]
    rule: str
    result: Robustness
    names: tuple[TargetStability, ...]
    clusters: tuple[TargetStability, ...]
    influence: InfluenceOfDesign | None
    fragile_papers: tuple[PaperStability, ...]

    def as_data(self) -> dict[str, Any]:
        """Return the card as data for JSON; numbers that are undefined are None."""
        result = self.result
        return {
            "title": self.title,
            "n_papers": self.n_papers,
            "verdicts": dict(self.verdicts),
            "rule": {"text": self.rule, **result.rule.model_dump(mode="json")},
            "setting": result.own.levels(),
            "runs": {
                "planned": len(result.rows),
                "failed": result.n_failed,
                "by_kind": result.plan.count_by_resample(),
                "failures": result.failures(),
                "combinations_without_meaning": {
                    design.name: design.n_meaningless for design in result.plan.designs
                },
                "bootstrap_trees": result.n_replicates,
            },
            "names": [_target_data(target) for target in self.names],
            "clusters": [_target_data(target) for target in self.clusters],
            "fragile_papers": [
                {
                    "paper": paper.paper_key,
                    "home": paper.home,
                    "at_home": {name: _rounded(share) for name, share in paper.at_home.items()},
                }
                for paper in self.fragile_papers
            ],
            "choices": [_influence_data(influence) for influence in result.influences],
            "nulls": [_null_data(null) for null in result.nulls],
            "supported_sub_trees": dict(result.n_supported),
            "number_of_clusters": _number_data(result),
            "own_settings": [
                {
                    "name": variant.name,
                    "failure": variant.row.failure,
                    "n_clusters": variant.row.n_clusters,
                    "agreement": dict(variant.row.agreement),
                    "lost": list(variant.lost),
                }
                for variant in result.variants
            ],
        }


def write_card(title: str, result: Robustness) -> RobustnessCard:
    """Put the result of a plan into words."""
    names = tuple(target for target in result.targets if target.target.kind != "cluster")
    clusters = tuple(target for target in result.targets if target.target.kind == "cluster")
    influence = _choose_influence(result.influences)
    fragile = tuple(paper for paper in result.papers if paper.at_home)[:N_FRAGILE]
    verdicts = []
    if names:
        verdicts.append(("Named clusters", _judge_targets(names, "name")))
    verdicts.append(("Clusters of the cut", _judge_targets(clusters, "cluster")))
    if fragile:
        verdicts.append(("Fragile papers", _judge_papers(fragile)))
    if influence is not None:
        verdicts.append(("Choices", influence.influence.sentence))
    if result.nulls:
        verdicts.append(("Against no structure", _judge_nulls(result.nulls)))
    if result.n_supported:
        verdicts.append(("Terms", _judge_support(result)))
    if sentence := _judge_numbers(result):
        verdicts.append(("Number of clusters", sentence))
    if result.variants:
        verdicts.append(("Own settings", _judge_variants(result)))
    verdicts.append(("Runs", _count_runs(result)))
    return RobustnessCard(
        title=title,
        n_papers=len(result.paper_keys),
        verdicts=tuple(verdicts),
        rule=describe_rule(result),
        result=result,
        names=names,
        clusters=clusters,
        influence=influence,
        fragile_papers=fragile,
    )


def describe_rule(result: Robustness) -> str:
    """Say what the words robust, fragile and vanished mean here."""
    rule = result.rule
    which = "one other choice" if rule.choices == "one-at-a-time" else "other choices"
    support = ""
    if result.n_supported:
        support = f", and, where it is a sub-tree, AU of {rule.min_au:g} or more"
    return (
        f"Robust: found again with a Jaccard score of {rule.min_jaccard:g} or more in "
        f"{100 * rule.min_share:g} % or more of the runs with {which} and of those with other "
        f"papers{support}. Vanished: below {rule.max_lost:g} in more than half of the runs of "
        "either. Fragile: all between. Runs that failed, or hold one paper of the cluster alone, "
        "do not count."
    )


def _judge_targets(targets: Sequence[TargetStability], noun: str) -> str:
    parts = []
    for verdict in _VERDICTS:
        found = [target.target.name for target in targets if target.verdict == verdict]
        if found:
            words = "not in the survey's own tree" if verdict == "not in the reference" else verdict
            parts.append(f"{len(found)} {words} ({', '.join(found)})")
    return f"Of {count(len(targets), noun)} " + "; ".join(parts) + "."


def _judge_papers(papers: Sequence[PaperStability]) -> str:
    named = [f"{paper.paper_key} ({paper.home}, {100 * paper.mean:.0f} %)" for paper in papers]
    return (
        "Of all papers these stay with their cluster least, as a mean over the kinds of runs: "
        f"{', '.join(named)}."
    )


def _choose_influence(influences: Sequence[InfluenceOfDesign]) -> InfluenceOfDesign | None:
    """Take the adjusted Rand index, and a design whose combinations tell interactions."""
    by_rank = {"full-grid": 0, "latin-hypercube": 1, "one-at-a-time": 2}
    known = [
        found
        for found in influences
        if found.response == "ARI" and found.influence.method != "none"
    ]
    return min(known, key=lambda found: by_rank[found.design]) if known else None


def _judge_nulls(nulls: Sequence[NullComparison]) -> str:
    sentences = []
    for corpus, words in (
        ("shuffled", "with terms dealt anew to the papers"),
        ("one-topic", "of papers drawn from one topic"),
    ):
        here = [null for null in nulls if null.corpus == corpus]
        if not here:
            continue
        n_above = sum(null.value > null.high for null in here)
        stability = next((null for null in here if null.measure == "stability"), here[0])
        sentences.append(
            f"{n_above} of {count(len(here), 'measure')} lie above all "
            f"{stability.n_nulls:,} corpora {words}; "
            f"{stability.title}: {stability.value:.2f} against {stability.mean:.2f} "
            f"({stability.low:.2f} to {stability.high:.2f}, p {stability.p_value:.2g})"
        )
    return "; ".join(sentences) + "."


def _judge_support(result: Robustness) -> str:
    own = result.n_supported.get("own", 0)
    others = [
        f"{n} in the tree of a corpus {words}"
        for corpus, words in (("shuffled", "of shuffled terms"), ("one-topic", "of one topic"))
        if (n := result.n_supported.get(corpus)) is not None
    ]
    compared = f"; {' and '.join(others)}" if others else ""
    return (
        f"{own} of {len(result.paper_keys) - 2} sub-trees have AU of {result.rule.min_au:g} or "
        f"more in {result.n_replicates:,} bootstrap trees{compared}. Terms of a text are not "
        "independent, so AU says too much rather than too little."
    )


def _judge_numbers(result: Robustness) -> str:
    numbers = result.numbers
    parts = []
    if numbers.ambiguity is not None and numbers.ambiguity.chosen is not None:
        parts.append(f"consensus of subsamples (PAC) {numbers.ambiguity.chosen}")
    if numbers.relative is not None and numbers.relative.chosen is not None:
        parts.append(f"PAC against shuffled corpora {numbers.relative.chosen}")
    if numbers.gap is not None and numbers.gap.chosen is not None:
        more = " or more" if numbers.gap.is_open else ""
        parts.append(f"gap statistic {numbers.gap.chosen}{more}")
    if numbers.best_silhouette is not None:
        parts.append(f"silhouette {numbers.best_silhouette}")
    if not parts:
        return ""
    tried = f"{numbers.n_clusters[0]} to {numbers.n_clusters[-1]} clusters were tried"
    own = result.own.n_clusters
    return f"The survey has {own}; {tried}: {', '.join(parts)}."


def _judge_variants(result: Robustness) -> str:
    parts = []
    for variant in result.variants:
        if variant.row.failure:
            parts.append(f"{variant.name} failed ({variant.row.failure})")
            continue
        ari = variant.row.agreement.get("ARI")
        agreed = "undefined" if ari is None else f"{ari:.2f}"
        parts.append(
            f"{variant.name}: ARI {agreed}, {len(variant.found)} of "
            f"{len(variant.found) + len(variant.lost)} clusters and names found"
        )
    return "; ".join(parts) + "."


def _count_runs(result: Robustness) -> str:
    kinds = result.plan.count_by_resample()
    n_settings = kinds.get("settings", 0)
    n_nulls = sum(n for kind, n in kinds.items() if kind.endswith("corpora"))
    n_others = len(result.rows) - n_settings - n_nulls
    failed = f"{count(result.n_failed, 'run')} failed"
    if result.n_failed:
        reason, n = next(iter(result.failures().items()))
        failed += f", {n} of them because {reason}" if n < result.n_failed else f": {reason}"
    meaningless = sum(design.n_meaningless for design in result.plan.designs)
    left_out = (
        f"; {count(meaningless, 'combination')} without meaning left out" if meaningless else ""
    )
    return (
        f"{len(result.rows):,} in all: {count(n_settings, 'setting')}, {n_others:,} with other "
        f"papers, terms, orders or seeds, {n_nulls:,} on corpora without structure; {failed}"
        f"{left_out}."
    )


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None or value != value else round(value, digits)


def _target_data(found: TargetStability) -> dict[str, Any]:
    support = found.support
    return {
        "name": found.target.name,
        "kind": found.target.kind,
        "n_papers": len(found.target.paper_keys),
        "verdict": found.verdict,
        "runs": {name: _family_data(found, name) for name in found.families},
        "cluster_jaccard": _rounded(found.cluster_jaccard),
        "by_chance": _rounded(found.by_chance),
        "au": None if support is None else _rounded(support.au),
        "au_error": None if support is None else _rounded(support.au_error),
        "bp": None if support is None else _rounded(support.bp),
    }


def _family_data(found: TargetStability, family: Family) -> Mapping[str, Any]:
    score = found.families[family]
    return {
        "n_runs": score.n_runs,
        "mean_jaccard": _rounded(score.mean_jaccard),
        "share_found": _rounded(score.share_found),
        "share_lost": _rounded(score.share_lost),
    }


def _influence_data(found: InfluenceOfDesign) -> dict[str, Any]:
    influence = found.influence
    return {
        "design": found.design,
        "response": found.response,
        "method": influence.method,
        "n_runs": influence.n_runs,
        "sentence": influence.sentence,
        "first_order": {f.factor: _rounded(f.first.value) for f in influence.factors},
        "total": {f.factor: _rounded(f.total.value) for f in influence.factors},
    }


def _null_data(null: NullComparison) -> dict[str, Any]:
    return {
        "measure": null.measure,
        "corpus": null.corpus,
        "value": _rounded(null.value),
        "mean": _rounded(null.mean),
        "low": _rounded(null.low),
        "high": _rounded(null.high),
        "n_nulls": null.n_nulls,
        "p_value": _rounded(null.p_value),
    }


def _number_data(result: Robustness) -> dict[str, int | None]:
    numbers = result.numbers
    return {
        "survey": result.own.n_clusters,
        "pac": None if numbers.ambiguity is None else numbers.ambiguity.chosen,
        "relative_pac": None if numbers.relative is None else numbers.relative.chosen,
        "gap": None if numbers.gap is None else numbers.gap.chosen,
        "silhouette": numbers.best_silhouette,
    }
