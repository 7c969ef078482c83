"""Records of a robustness run, put together by hand, for the tests of its figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from survey_tools.robustness.ambiguity import Ambiguity, CutConsensus
from survey_tools.robustness.assessment import Robustness, RunRow, VariantResult
from survey_tools.robustness.card import RobustnessCard, write_card
from survey_tools.robustness.choices import InfluenceOfDesign
from survey_tools.robustness.gap import compute_gap_statistic
from survey_tools.robustness.influence_record import (
    Estimate,
    FactorInfluence,
    Influence,
    LevelMean,
)
from survey_tools.robustness.material import Target
from survey_tools.robustness.null_comparison import NullComparison
from survey_tools.robustness.numbers import NumberOfClusters
from survey_tools.robustness.plan import Plan
from survey_tools.robustness.relative_ambiguity import compare_with_nulls
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.stability import (
    FamilyScore,
    PaperStability,
    Support,
    TargetStability,
)
from survey_tools.settings import RobustnessRule

NAN = float("nan")
OWN = Setting(
    text="both",
    stop_words="english",
    stemming="none",
    ngrams="1-1",
    min_df=2,
    max_df=1.0,
    weighting="tf-idf",
    norm="l2",
    reduction="none",
    algorithm="ward",
    metric="euclidean",
    library="scipy",
    n_clusters=4,
)
NO_NUMBERS = NumberOfClusters(
    n_clusters=(2, 3, 4),
    ambiguity=None,
    relative=None,
    gap=None,
    silhouettes=(None, None, None),
    null_silhouettes=(),
)


def make_target(
    name: str,
    *,
    kind: str = "cluster",
    n_papers: int = 5,
    verdict: str = "robust",
    jaccard: float = 0.8,
    families: Sequence[Any] = ("one choice", "all choices", "papers", "terms"),
    au: float | None = 0.97,
    by_chance: float | None = 0.2,
) -> TargetStability:
    score = FamilyScore(n_runs=40, mean_jaccard=jaccard, share_found=0.6, share_lost=0.1)
    return TargetStability(
        target=Target(
            name=name, kind=kind, paper_keys=tuple(f"{name}-{i}" for i in range(n_papers))
        ),
        is_in_reference=verdict != "not in the reference",
        families=dict.fromkeys(families, score),
        cluster_jaccard=None,
        support=None if au is None else Support(au=au, bp=0.5, au_error=0.01),
        by_chance=by_chance,
        verdict=verdict,
    )


def make_influence(
    levels_of: dict[str, Sequence[str]] | None = None,
    *,
    shares: Sequence[float] = (0.61, 0.04),
    totals: Sequence[float] = (0.7, 0.1),
    half: float = 0.05,
    response: str = "ARI",
    method: Any = "sample",
) -> InfluenceOfDesign:
    """Put together factors whose i-th level has the mean 0.62 - 0.21 i."""
    levels_of = levels_of or {"linkage": ("ward", "average"), "ngrams": ("1-1", "1-2")}
    factors = tuple(
        FactorInfluence(
            factor=name,
            first=Estimate(value=first, low=first - half, high=first + half),
            total=Estimate(value=total, low=total - half, high=total + half),
            levels=tuple(
                LevelMean(
                    level=level,
                    n_runs=12,
                    mean=Estimate(value=mean, low=mean - half, high=mean + half),
                )
                for i, level in enumerate(levels)
                if (mean := 0.62 - 0.21 * i) is not None
            ),
        )
        for (name, levels), first, total in zip(levels_of.items(), shares, totals, strict=True)
    )
    influence = Influence(
        response="the adjusted Rand index with the survey's clusters",
        method=method,
        note="estimated from some of the combinations",
        n_runs=48,
        n_combinations=64,
        variance=0.1,
        factors=factors,
        pairs=(),
        unexplained=Estimate(value=0.2, low=0.1, high=0.3),
        confidence=0.95,
        n_draws=100,
    )
    return InfluenceOfDesign(design="latin-hypercube", response=response, influence=influence)


def make_null(
    measure: str = "stability", corpus: Any = "shuffled", **values: Any
) -> NullComparison:
    given = {"value": 0.69, "mean": 0.32, "low": 0.28, "high": 0.37, "p_value": 1 / 21}
    return NullComparison(
        measure=measure,
        title=f"mean {measure} of it",
        corpus=corpus,
        n_nulls=20,
        **(given | values),
    )


def make_nulls() -> tuple[NullComparison, ...]:
    silhouette = {"value": 0.034, "mean": 0.004, "low": -0.003, "high": 0.006}
    return tuple(
        make_null(measure, corpus, **values)
        for corpus in ("shuffled", "one-topic")
        for measure, values in (("stability", {}), ("silhouette", silhouette))
    )


def make_ambiguity(n_papers: int = 12, numbers: Sequence[int] = (2, 3, 4, 5)) -> Ambiguity:
    rng = np.random.default_rng(1)
    consensus = CutConsensus(tuple(f"p{i:02}" for i in range(n_papers)), tuple(numbers))
    for _ in range(10):
        draw = rng.permutation(n_papers)
        consensus.add(np.array([draw % k for k in numbers]))
    return consensus.measure()


def make_numbers(numbers: Sequence[int] = (2, 3, 4, 5)) -> NumberOfClusters:
    """Every method run, with 3 shuffled corpora."""
    ambiguity = make_ambiguity(numbers=numbers)
    n = len(numbers)
    rising = np.linspace(0.01, 0.05, n)
    return NumberOfClusters(
        n_clusters=tuple(numbers),
        ambiguity=ambiguity,
        relative=compare_with_nulls(ambiguity, np.full((3, n), 0.5)),
        gap=compute_gap_statistic(
            [1, *numbers],
            np.linspace(5.0, 4.6, n + 1),
            np.linspace(5.0, 4.8, n + 1) + np.array([[0.0], [0.01], [0.02]]),
        ),
        silhouettes=tuple(rising.tolist()),
        null_silhouettes=tuple(tuple((rising * x).tolist()) for x in (0.1, 0.2, 0.3)),
    )


def make_papers(names: Sequence[str]) -> tuple[PaperStability, ...]:
    return tuple(
        PaperStability(
            paper_key=key, home="C1", at_home={"papers": 0.1 + 0.05 * i}, mean=0.1 + 0.05 * i
        )
        for i, key in enumerate(names)
    )


def make_card(
    targets: Sequence[TargetStability],
    *,
    title: str = "A survey",
    n_failed: int = 2,
    **parts: Any,
) -> RobustnessCard:
    """Write the card of targets; all else is absent unless given."""
    reason = "3 of 12 papers have no term left after filtering; lower min_df or drop them"
    row = {"n_terms": 9, "n_clusters": 4, "n_noise": 0, "notes": (), "agreement": {}, "axes": {}}
    rows = [RunRow(run=Run(setting=OWN, draw=i), failure="", **row) for i in range(10)]
    rows += [RunRow(run=Run(setting=OWN, draw=i), failure=reason, **row) for i in range(n_failed)]
    given: dict[str, Any] = {
        "plan": Plan(runs=tuple(row.run for row in rows), designs=()),
        "own": OWN,
        "rule": RobustnessRule(),
        "rows": tuple(rows),
        "targets": tuple(targets),
        "papers": (),
        "influences": (),
        "nulls": (),
        "numbers": NO_NUMBERS,
        "variants": (),
        "n_replicates": 0,
        "n_supported": {},
        "paper_keys": tuple(f"p{i:02}" for i in range(12)),
        "coassociation": np.eye(12),
        "n_coassociated": 0,
        "consensus_tree": None,
    }
    return write_card(title, Robustness(**(given | parts)))


def make_variant(name: str) -> VariantResult:
    row = RunRow(
        run=Run(setting=OWN),
        failure="",
        notes=(),
        n_terms=9,
        n_clusters=4,
        n_noise=0,
        agreement={"ARI": 0.5},
        axes={},
    )
    return VariantResult(name=name, row=row, found=("C1",), lost=("C2",))


def make_full_card(
    *, n_names: int = 3, n_clusters: int = 4, name: str = "name {}", **parts: Any
) -> RobustnessCard:
    """Write a card that has everything, every verdict in turn."""
    verdicts = ("robust", "fragile", "vanished", "not in the reference", "not tested")
    named = [
        make_target(
            name.format(i), kind="name", n_papers=2 + i % 7, verdict=verdicts[i % len(verdicts)]
        )
        for i in range(n_names)
    ]
    clusters = [
        make_target(
            f"C{i + 1}", n_papers=1 + i % 30, verdict=verdicts[i % 3], jaccard=i / n_clusters
        )
        for i in range(n_clusters)
    ]
    given: dict[str, Any] = {
        "papers": make_papers(("ames2021masked", "berg2022pixel")),
        "influences": (make_influence(),),
        "nulls": make_nulls(),
        "numbers": make_numbers(),
        "n_replicates": 1000,
        "n_supported": {"own": 3, "shuffled": 1},
        "variants": (make_variant("mine"),),
    }
    return make_card([*named, *clusters], **(given | parts))
