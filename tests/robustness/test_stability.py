"""How stable clusters and papers are over runs, by hand-worked outcomes."""

import math

import numpy as np
import pytest
from planted_papers import plant_material

from survey_tools.robustness.families import changes_one, sort_into_families
from survey_tools.robustness.material import Target
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.plan import Design, Plan
from survey_tools.robustness.run import Run
from survey_tools.robustness.stability import StabilityTally, Support
from survey_tools.settings import RobustnessRule

OWN = plant_material().own
OTHER = OWN.replace(weighting="counts")
BOTH = OTHER.replace(norm="l1")
MINE = OWN.replace(ngrams="1-4")
TARGETS = (
    Target(name="C1", kind="cluster", paper_keys=("a", "b")),
    Target(name="n", kind="name", paper_keys=("c", "d")),
)
MEMBERS = np.array([[True, True, False, False], [False, False, True, True]])
RUNS = {
    "own": Run(setting=OWN),
    "other": Run(setting=OTHER),
    "both": Run(setting=BOTH),
    "mine": Run(setting=MINE),
    **{f"papers {i}": Run(setting=OWN, resample="papers-bootstrap", draw=i) for i in range(4)},
    "out": Run(setting=OWN, resample="one-paper-out"),
    "terms": Run(setting=OWN, resample="terms-bootstrap"),
    "order": Run(setting=OWN, resample="paper-order"),
    "null": Run(setting=OWN, corpus="shuffled"),
    "scale": Run(setting=OWN, resample="terms-multiscale"),
}


def plan() -> Plan:
    """Plan the runs; one choice at a time reaches one of the settings."""
    designs = [
        Design(name=name, cells=cells, levels=({},) * len(cells), n_meaningless=0)
        for name, cells in (("one-at-a-time", (OWN, OTHER)), ("latin-hypercube", (OTHER, BOTH)))
    ]
    return Plan(runs=tuple(RUNS.values()), designs=tuple(designs))


def tally() -> StabilityTally:
    """Tally outcomes of four papers."""
    return StabilityTally(sort_into_families(plan(), OWN, [MINE]), MEMBERS)


def outcome(name: str, scores, *, codes=(0, 0, 1, 1), strayed=(), flat=None) -> Outcome:
    """Return an outcome with scores of both targets in nodes, and in clusters."""
    return Outcome(
        run=RUNS[name].run_id,
        codes=codes,
        in_nodes=tuple(scores),
        in_clusters=tuple(flat or scores),
        strayed=strayed,
    )


def judge(found: StabilityTally, *, rule=None, support=(None, None), is_there=(True, True)):
    """Judge both targets."""
    return found.judge_targets(TARGETS, is_there, support, (0.1, None), rule or RobustnessRule())


def test_families() -> None:
    """Each run answers its question; the own setting, nulls and replicates answer none."""
    families = sort_into_families(plan(), OWN, [MINE]).of_run
    assert {name: families.get(run.run_id) for name, run in RUNS.items()} == {
        "own": (),
        "other": ("one choice", "all choices"),
        "both": ("all choices",),
        "mine": ("own settings",),
        **{f"papers {i}": ("papers",) for i in range(4)},
        "out": ("one paper out",),
        "terms": ("terms",),
        "order": ("order",),
        "null": None,
        "scale": None,
    }


@pytest.mark.parametrize(
    ("levels", "is_one"),
    [
        ({"weighting": "counts"}, True),
        ({"algorithm": "average"}, True),
        ({"algorithm": "average", "metric": "cosine"}, True),
        ({"algorithm": "hdbscan"}, True),
        ({"weighting": "counts", "n_clusters": 5}, True),
        ({"n_clusters": 5}, False),
        ({"library": "scikit-learn"}, False),
        ({"weighting": "counts", "norm": "l1"}, False),
        ({"algorithm": "average", "metric": "cosine", "norm": "l1"}, False),
    ],
)
def test_what_one_choice_is(levels: dict, is_one: bool) -> None:
    """A design does not matter; what leaves the tree as it is does not count."""
    assert changes_one(OWN.replace(**levels), OWN) is is_one


def test_scores_by_hand() -> None:
    """Means and shares are over the runs of the family that hold a paper of the target."""
    found = tally()
    for i, (first, second) in enumerate([(1.0, 0.75), (0.5, None), (0.25, 1.0), (0.75, 0.2)]):
        found.add(outcome(f"papers {i}", (first, second)), "papers-bootstrap")
    found.add(Outcome(run=RUNS["papers 3"].run_id, failure="no term"), "papers-bootstrap")
    found.add(outcome("out", (0.0, 0.0)), "one-paper-out")
    first, second = judge(found)
    score = first.families["papers"]
    assert (score.n_runs, score.mean_jaccard) == (4, pytest.approx(0.625))
    assert (score.share_found, score.share_lost) == (0.5, 0.25)
    score = second.families["papers"]
    assert (score.n_runs, score.mean_jaccard) == (3, pytest.approx(0.65, abs=1e-6))
    assert (score.share_found, score.share_lost) == pytest.approx((2 / 3, 1 / 3))
    assert set(first.families) == {"papers", "one paper out"}
    assert first.by_chance == 0.1


def test_one_paper_alone_says_nothing() -> None:
    """Runs that hold one paper of a pair do not count, but for clusterboot's measure."""
    found = tally()
    found.add(outcome("papers 0", (0.5, 1.0), codes=(0, -1, 1, 1)), "papers-bootstrap")
    found.add(outcome("papers 1", (1.0, 1.0)), "papers-bootstrap")
    first, second = judge(found)
    assert (first.families["papers"].n_runs, first.families["papers"].mean_jaccard) == (1, 1.0)
    assert second.families["papers"].n_runs == 2
    assert first.cluster_jaccard == pytest.approx(0.75)


def test_clusterboots_measure_is_of_flat_clusters() -> None:
    """Bootstraps of the papers and flat clusters count alone; else the better of both."""
    found = tally()
    found.add(outcome("papers 0", (0.9, 0.5), flat=(0.6, 1.0)), "papers-bootstrap")
    found.add(outcome("out", (0.9, 0.5), flat=(0.1, 0.1)), "one-paper-out")
    found.add(outcome("papers 1", (0.9, 0.5), flat=(0.1, 0.1)), "papers-subsample")
    first, second = judge(found)
    assert first.cluster_jaccard == pytest.approx(0.6)
    assert second.cluster_jaccard == pytest.approx(1.0)
    assert second.families["papers"].mean_jaccard == pytest.approx(0.75)
    assert judge(tally())[0].cluster_jaccard is None


@pytest.mark.parametrize(
    ("choice", "papers", "au", "verdict"),
    [
        ([0.8, 0.8, 0.8, 0.1], 0.9, 0.96, "robust"),
        ([0.8, 0.8, 0.8, 0.1], 0.9, None, "robust"),
        ([0.8, 0.8, 0.8, 0.1], 0.9, 0.94, "fragile"),
        ([0.8, 0.8, 0.1, 0.1], 0.9, 0.96, "fragile"),
        ([0.8, 0.8, 0.8, 0.8], 0.7, 0.96, "fragile"),
        ([0.75, 0.75, 0.75, 0.75], 0.75, 0.95, "robust"),
        ([0.8, 0.4, 0.4, 0.4], 0.9, 0.96, "vanished"),
        ([0.8, 0.8, 0.8, 0.8], 0.49, 0.96, "vanished"),
    ],
)
def test_the_rule(choice, papers, au, verdict) -> None:
    """Robust where choices, papers and terms agree; vanished where one of the first two fails."""
    others = [OWN.replace(min_df=i) for i in (3, 4, 5, 6)]
    runs = [Run(setting=setting) for setting in others]
    runs.append(RUNS["papers 0"])
    design = Design(name="one-at-a-time", cells=tuple(others), levels=({},) * 4, n_meaningless=0)
    families = sort_into_families(Plan(runs=tuple(runs), designs=(design,)), OWN)
    found = StabilityTally(families, MEMBERS)
    for run, score in zip(runs, [*choice, papers], strict=True):
        found.add(Outcome(run=run.run_id, codes=(0,) * 4, in_clusters=(score, 0.0)), run.resample)
    support = None if au is None else Support(au=au, bp=0.5, au_error=0.01)
    first, second = judge(found, support=(support, None), is_there=(True, False))
    assert first.verdict == verdict
    assert second.verdict == "not in the reference"


def test_the_rule_may_ask_for_all_choices() -> None:
    """With ``choices: all`` the sampled settings decide."""
    found = tally()
    found.add(outcome("other", (1.0, 1.0)), "none")
    found.add(outcome("both", (0.1, 1.0)), "none")
    found.add(outcome("papers 0", (1.0, 1.0)), "papers-bootstrap")
    assert [target.verdict for target in judge(found)] == ["robust", "robust"]
    rule = RobustnessRule(choices="all")
    assert [target.verdict for target in judge(found, rule=rule)] == ["fragile", "robust"]
    assert [target.verdict for target in judge(tally())] == ["not tested", "not tested"]


def test_papers_by_hand() -> None:
    """A paper is at home in the share of the runs that hold it; every family counts once."""
    found = tally()
    found.add(outcome("papers 0", (1, 1), codes=(0, -1, 1, 1), strayed=(0,)), "papers-bootstrap")
    found.add(outcome("papers 1", (1, 1), strayed=(3,)), "papers-bootstrap")
    found.add(outcome("terms", (1, 1), strayed=(3,)), "terms-bootstrap")
    found.add(outcome("order", (1, 1), strayed=(2,)), "paper-order")
    papers = found.judge_papers("abcd", ["C1", "C1", "n", "n"])
    assert [(paper.paper_key, paper.at_home, paper.mean) for paper in papers] == [
        ("d", {"papers": 0.5, "terms": 0.0}, 0.25),
        ("a", {"papers": 0.5, "terms": 1.0}, 0.75),
        ("b", {"papers": 1.0, "terms": 1.0}, 1.0),
        ("c", {"papers": 1.0, "terms": 1.0}, 1.0),
    ]
    assert all(math.isnan(paper.mean) for paper in tally().judge_papers("abcd", "----"))
