"""Plans of runs: designs, resamples, sizes, files."""

import json
import math
from pathlib import Path

import pytest

from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness.plan import build_plan, list_levels, read_plan, write_plan
from survey_tools.robustness.run import Run, draw_rng
from survey_tools.robustness.setting import FACTORS, Setting
from survey_tools.settings import ClusteringSettings, RobustnessSettings, TextSettings

OWN = Setting.of_survey(TextSettings(min_df=2), ClusteringSettings(), 6)
NOTHING = {
    "n_settings": 0,
    "n_subsamples": 0,
    "n_paper_bootstraps": 0,
    "n_term_bootstraps": 0,
    "one_paper_out": False,
    "n_orders": 0,
    "n_seeds": 0,
    "n_replicates": 0,
    "n_nulls": 0,
}
ONE_LEVEL = {
    "text": ["both"],
    "stop_words": ["english"],
    "stemming": ["none"],
    "ngrams": ["1-1"],
    "min_df": [2],
    "max_df": [1.0],
    "weighting": ["tf-idf"],
    "norm": ["l2"],
    "reduction": ["none"],
    "algorithm": ["ward"],
    "metric": ["euclidean"],
    "library": ["scipy"],
    "n_clusters": [6],
}


def plan_of(n_papers: int = 20, *, yes: bool = False, extra=(), **changed):
    """Plan a survey of Ward's tree cut into six clusters."""
    settings = RobustnessSettings(**{**NOTHING, **changed})
    return build_plan(settings, OWN, n_papers=n_papers, seed=5, is_large_allowed=yes, extra=extra)


def test_one_choice_at_a_time() -> None:
    """Each cell but the first changes one factor; all levels but the own occur once."""
    (design,) = plan_of(designs=["one-at-a-time"]).designs
    levels = list_levels(RobustnessSettings(), OWN)
    n_others = sum(len(values) - 1 for values in levels.values())
    # ward with cosine, spectral with euclidean distances
    assert design.n_meaningless == 2
    assert len(design.cells) == 1 + n_others - design.n_meaningless
    for asked in design.levels[1:]:
        assert sum(asked[name] != OWN.levels()[name] for name in FACTORS) == 1


def test_full_grid_is_every_combination() -> None:
    """The grid has the product of the levels; combinations without meaning are counted."""
    factors = {**ONE_LEVEL, "ngrams": ["1-1", "1-2", "2-2"], "algorithm": ["ward", "average"]}
    factors["metric"] = ["euclidean", "cosine"]
    plan = plan_of(designs=["full-grid"], factors=factors)
    (design,) = plan.designs
    assert len(design.cells) == 9
    assert design.n_meaningless == 3
    assert len(plan.runs) == 9


def test_cells_that_are_one_run_are_run_once() -> None:
    """Numbers of clusters make no difference to HDBSCAN: five cells, one run beside the own."""
    factors = {**ONE_LEVEL, "algorithm": ["hdbscan"], "n_clusters": [2, 3, 4, 5, 6]}
    plan = plan_of(designs=["full-grid"], factors=factors)
    (design,) = plan.designs
    assert len(design.cells) == 10  # ward, the own level, takes part
    assert len(plan.runs) == 6
    assert len({run.run_id for run in plan.runs}) == 6


def test_hypercube_is_even_in_every_factor() -> None:
    """Each level of a factor is drawn equally often, to within one."""
    (design,) = plan_of(designs=["latin-hypercube"], n_settings=60).designs
    assert len(design.cells) == 60
    assert not design.n_meaningless
    levels = list_levels(RobustnessSettings(), OWN)
    for name in FACTORS:
        if name in ("algorithm", "metric"):
            continue
        counts = [sum(asked[name] == level for asked in design.levels) for level in levels[name]]
        even = 60 / len(levels[name])
        assert all(math.floor(even) <= count <= math.ceil(even) for count in counts), name


def test_hypercube_follows_its_seed() -> None:
    """The same seed gives the same plan."""
    settings = RobustnessSettings(**{**NOTHING, "n_settings": 30})
    first, again, other = (
        build_plan(settings, OWN, n_papers=20, seed=seed).runs for seed in (1, 1, 2)
    )
    assert first == again != other


def test_resamples_are_of_the_own_setting() -> None:
    """Every resample has as many runs as asked, all at the survey's own setting."""
    plan = plan_of(
        factors=ONE_LEVEL,
        n_subsamples=3,
        n_paper_bootstraps=4,
        n_term_bootstraps=5,
        one_paper_out=True,
        n_orders=6,
        n_seeds=7,
        n_replicates=60,
        scales=[0.5, 1.0, 1.4],
        n_nulls=2,
        n_null_subsamples=3,
        n_null_replicates=10,
    )
    assert plan.count_by_resample() == {
        "settings": 1,
        "papers-subsample": 3,
        "papers-bootstrap": 4,
        "terms-bootstrap": 5,
        "one-paper-out": 20,
        "paper-order": 6,
        "terms-multiscale": 9,
        **{
            f"{kind} of {corpus} corpora": n
            for corpus in ("shuffled", "one-topic")
            for kind, n in (("settings", 2), ("papers-subsample", 6), ("terms-multiscale", 3))
        },
    }
    assert {run.setting for run in plan.runs} == {OWN}
    own_replicates = [
        run for run in plan.runs if run.resample == "terms-multiscale" and run.corpus == "own"
    ]
    assert sorted(run.n_replicates for run in own_replicates) == [10] * 3 + [25] * 6


def test_seeds_repeat_settings_that_use_chance() -> None:
    """k-means is run with several seeds, Ward's tree is not."""
    plan = plan_of(
        designs=["one-at-a-time"], factors={**ONE_LEVEL, "algorithm": ["k-means"]}, n_seeds=3
    )
    seeds = [run for run in plan.runs if run.resample == "seed"]
    assert [run.draw for run in seeds] == [0, 1, 2]
    assert {run.setting.algorithm for run in seeds} == {"k-means"}


def test_a_reviewers_settings_are_run() -> None:
    """Settings of the reviewer's own are in the plan, once."""
    mine = OWN.replace(weighting="bm25", ngrams="1-4")
    plan = plan_of(factors=ONE_LEVEL, extra=[mine, mine])
    assert [run.setting for run in plan.runs].count(mine) == 1


def test_the_own_level_always_takes_part() -> None:
    """Levels given without the survey's own get it added; the default numbers lie around it."""
    settings = RobustnessSettings(factors={"weighting": ["counts"]})
    levels = list_levels(settings, OWN, stop_words=["mine.txt"])
    assert levels["weighting"] == ("counts", "tf-idf")
    assert levels["n_clusters"] == (4, 8, 6)
    assert levels["stop_words"] == ("none", "english", "mine.txt")


def test_shares_and_numbers_of_papers_are_told_apart() -> None:
    """1 paper and 1.0 of the papers stand side by side, and each is run."""
    levels = list_levels(RobustnessSettings(factors={"min_df": [1, 1.0, 1]}), OWN)
    assert repr(levels["min_df"]) == "(1, 1.0, 2)"
    plan = plan_of(designs=["full-grid"], factors={**ONE_LEVEL, "min_df": [1, 1.0]})
    assert len(plan.runs) == 3


def test_terms_are_not_drawn_for_jaccard_distances() -> None:
    """How often a term is drawn changes nothing where presence alone counts."""
    own = OWN.replace(algorithm="average", metric="jaccard")
    settings = RobustnessSettings(**{**NOTHING, "n_term_bootstraps": 3, "n_replicates": 30})
    kinds = build_plan(settings, own, n_papers=20, seed=5).count_by_resample()
    assert not {"terms-bootstrap", "terms-multiscale"} & kinds.keys()


def test_unknown_factors_and_levels_are_named() -> None:
    """A factor or a level that does not exist is refused with the nearest one."""
    for factors, message in (
        ({"ngram": ["1-1"]}, "unknown factor 'ngram'; did you mean 'ngrams'?"),
        ({"stemming": ["portr"]}, "stemming: 'portr' is no level; did you mean 'porter'?"),
    ):
        with pytest.raises(ParameterError) as caught:
            plan_of(factors=factors)
        assert message in str(caught.value)


def test_a_large_plan_needs_a_yes() -> None:
    """A grid above the limit is refused with its size and the time it would take."""
    with pytest.raises(ParameterError) as caught:
        plan_of(designs=["full-grid"])
    sizes = [len(levels) for levels in list_levels(RobustnessSettings(), OWN).values()]
    assert f"the plan has {math.prod(sizes):,} combinations, more than" in str(caught.value)
    assert "hours of one core" in str(caught.value)
    assert "--yes" in str(caught.value)
    with pytest.raises(ParameterError, match=r"the plan has 31 runs, more than robustness.most_r"):
        plan_of(designs=["one-at-a-time"], most_runs=30)
    assert len(plan_of(designs=["one-at-a-time"], most_runs=30, yes=True).runs) == 31


def test_a_plan_round_trips(tmp_path: Path) -> None:
    """What is read from plan.jsonl is what was written, each run with its id."""
    runs = plan_of(
        designs=["latin-hypercube"], n_settings=40, n_subsamples=2, n_nulls=1, n_null_subsamples=1
    ).runs
    write_plan(tmp_path / "plan.jsonl", runs)
    assert read_plan(tmp_path / "plan.jsonl") == runs
    lines = (tmp_path / "plan.jsonl").read_text().splitlines()
    assert [json.loads(line)["run"] for line in lines] == [run.run_id for run in runs]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line[:-1], ".jsonl:1: is no JSON"),
        (lambda _: "[1]", ".jsonl:1: is no JSON object"),
        (lambda line: line.replace('"draw": 0', '"draw": 1'), "its content was changed"),
        (lambda line: line.replace('"draw": 0', '"draw": -1'), "draw: -1; give a whole number"),
        (lambda line: line.replace('"none", "draw"', '"non", "draw"'), "did you mean 'none'?"),
        (lambda line: line.replace('"scale"', '"scales"'), "unknown 'scales'; did you mean"),
        (lambda line: line.replace(', "scale": 1.0', ""), "lacks scale"),
        (lambda line: line.replace('"ward"', '"wards"'), "did you mean 'ward'?"),
        (lambda line: line + "\n" + line, ".jsonl:2: run"),
        (lambda _: "\n", "holds no run"),
    ],
)
def test_a_damaged_plan_is_refused(tmp_path: Path, change, message: str) -> None:
    """A line that is no run is named by file and line."""
    path = tmp_path / "plan.jsonl"
    path.write_text(change(Run(setting=OWN).to_line()) + "\n")
    with pytest.raises(DataError) as caught:
        read_plan(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_draws_are_keyed() -> None:
    """A draw depends on its number and kind alone, so that adding runs moves no other."""
    values = {
        (what, draw): draw_rng(7, what, draw).integers(2**62)
        for what in ("papers-subsample", "papers-bootstrap", "shuffled")
        for draw in range(3)
    }
    assert len(set(values.values())) == 9
    assert draw_rng(7, "shuffled", 2).integers(2**62) == values["shuffled", 2]
