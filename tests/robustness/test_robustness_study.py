"""The command on a small survey: engines, interruptions, shards, variants, comparisons."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from robustness_survey import write_survey

from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness.engines import EngineChoice
from survey_tools.robustness.plan import read_plan
from survey_tools.robustness_study import RobustnessRequest, RobustnessRun, run_robustness

HERE = EngineChoice()
ONE_LEVEL = {
    "text": "both",
    "stop_words": "none",
    "stemming": "none",
    "ngrams": "1-1",
    "min_df": 1,
    "norm": "l2",
    "reduction": "none",
    "algorithm": "ward",
    "metric": "euclidean",
    "library": "scipy",
    "n_clusters": 3,
}


@pytest.fixture(scope="module")
def survey(tmp_path_factory) -> Path:
    """Write a survey folder with a small plan."""
    return write_survey(tmp_path_factory.mktemp("survey") / "planted")


@pytest.fixture(scope="module")
def whole(survey: Path, tmp_path_factory) -> Path:
    """Return the output of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(survey, folder / "out")
    return folder / "out"


def run(survey: Path, out: Path, *, engine=HERE, overrides=None, **request) -> RobustnessRun:
    """Run the plan; the store lies beside the output."""
    asked = RobustnessRequest(
        engine=engine, **{"store": out.with_name(f"{out.name}.store"), **request}
    )
    return run_robustness(survey, out, asked, overrides=overrides)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of an output folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """Read a table."""
    with (folder / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_everything_is_written_and_totals_add_up(whole: Path) -> None:
    """Every run of the plan stands in the table; the card counts the failed ones by reason."""
    card = json.loads((whole / "card.json").read_text())
    rows = table(whole, "runs")
    planned = read_plan(whole.with_name("out.store") / "plan.jsonl")
    assert [row["run"] for row in rows] == [run.run_id for run in planned]
    assert card["runs"]["planned"] == len(rows) == sum(card["runs"]["by_kind"].values())
    failures = Counter(row["failure"] for row in rows if row["failure"])
    assert card["runs"]["failures"] == failures
    assert card["runs"]["failed"] == failures.total() > 0
    assert any("50 components asked" in reason for reason in failures)
    assert {path.split("/")[0] for path in files_of(whole)} == {
        "card.html",
        "card.json",
        "consensus.nwk",
        "figures",
        "manifest.json",
        "section.html",
        "tables",
    }


def test_planted_clusters_are_robust(whole: Path) -> None:
    """Planted topics are found again; a name of scattered papers is not in the tree."""
    verdicts = {row["name"]: row for row in table(whole, "clusters")}
    assert verdicts["second topic"]["verdict"] == "robust"
    assert verdicts["scattered"]["verdict"] == "not in the reference"
    assert verdicts["scattered"]["kind"] == "meant"
    for name in ("C1", "C2", "C3"):
        assert float(verdicts[name]["mean_jaccard, papers"]) > 0.95
        assert float(verdicts[name]["jaccard_by_chance"]) < 0.7
    nulls = table(whole, "nulls")
    stability = [null for null in nulls if null["measure"] == "stability"]
    assert all(float(null["value"]) > float(null["high"]) for null in stability)
    numbers = table(whole, "numbers")
    least = min(numbers[1:], key=lambda row: float(row["pac"]))
    assert least["n_clusters"] == "3"


@pytest.mark.parametrize(
    "engine",
    [EngineChoice(name="threads", n_workers=3), EngineChoice(name="processes", n_workers=2)],
    ids=["threads", "processes"],
)
def test_engines_give_the_same_bytes(survey: Path, whole: Path, tmp_path: Path, engine) -> None:
    """Nothing depends on who computes, how many, and what arrives first."""
    run(survey, tmp_path / "out", engine=engine)
    assert files_of(tmp_path / "out") == files_of(whole)


@pytest.mark.slow
def test_dask_gives_the_same_bytes(survey: Path, whole: Path, tmp_path: Path) -> None:
    """A local Dask cluster of two processes gives what this process gives."""
    run(survey, tmp_path / "out", engine=EngineChoice(name="dask", n_workers=2))
    assert files_of(tmp_path / "out") == files_of(whole)


def test_a_killed_run_goes_on(survey: Path, whole: Path, tmp_path: Path) -> None:
    """Killed at two points in the middle, the command ends with the same bytes."""
    command = [sys.executable, "-m", "survey_tools", "robustness", str(survey), "-q"]
    command += ["-o", str(tmp_path / "out"), "--engine", "here", "--workers", "1"]
    outcomes = tmp_path / "out.store" / "outcomes.jsonl"
    n_before = 0
    for n_wanted in (20, 70):
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 120
        while n_before < n_wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
            n_before = outcomes.read_bytes().count(b"\n") if outcomes.exists() else 0
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert n_wanted <= n_before < len(read_plan(tmp_path / "out.store" / "plan.jsonl"))
        assert not (tmp_path / "out").exists()
    subprocess.run(command, check=True)
    assert files_of(tmp_path / "out") == files_of(whole)
    ids = [json.loads(line)["run"] for line in outcomes.read_text().splitlines()[1:]]
    assert len(ids) == len(set(ids))


def test_interrupted_by_ctrl_c(survey: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the command with 130, keeps what was done, and writes no half output."""
    command = [sys.executable, "-m", "survey_tools", "robustness", str(survey), "-q"]
    command += ["-o", str(tmp_path / "out"), "--engine", "processes", "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    outcomes = tmp_path / "out.store" / "outcomes.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        outcomes.exists() and outcomes.read_bytes().count(b"\n") > 1
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in printed
    assert (tmp_path / "out.store" / "outcomes.jsonl").read_bytes().count(b"\n") > 1
    assert not (tmp_path / "out").exists()


def test_shards_make_a_whole(survey: Path, whole: Path, tmp_path: Path) -> None:
    """Parts done one by one, on whatever machine, make the same card."""
    out, store = tmp_path / "out", tmp_path / "store"
    for number in (3, 1, 2):
        done = run(survey, out, store=store, shard=(number, 3))
        assert done.card is None
        assert not out.exists()
    assert done.n_done == done.n_planned
    assert len(list(store.glob("outcomes-*.jsonl"))) == 3
    run(survey, out, store=store)
    assert files_of(out) == files_of(whole)


def test_a_plan_alone(survey: Path, whole: Path, tmp_path: Path) -> None:
    """The plan is written without a run being done."""
    done = run(survey, tmp_path / "out", plan_only=True)
    assert (done.card, done.n_done) == (None, 0)
    plan = (tmp_path / "out.store" / "plan.jsonl").read_bytes()
    assert plan == (whole.with_name("out.store") / "plan.jsonl").read_bytes()


def test_a_larger_plan_goes_on_from_a_smaller_one(survey: Path, tmp_path: Path) -> None:
    """More subsamples asked: only the new runs are done, and the old outcomes do not move."""
    run(survey, tmp_path / "out")
    before = (tmp_path / "out.store" / "outcomes.jsonl").read_bytes()
    done = run(survey, tmp_path / "out", overrides={"robustness.n_subsamples": 9})
    after = (tmp_path / "out.store" / "outcomes.jsonl").read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 3
    assert done.card is not None
    assert done.card.result.numbers.ambiguity.n_runs == 9


def test_a_store_of_other_data_is_refused(survey: Path, tmp_path: Path) -> None:
    """A store goes with its texts and settings; what changed is named."""
    run(survey, tmp_path / "out", plan_only=True)
    for overrides, changed in (
        ({"seed": 4}, "changed: seed"),
        ({"text.norm": "l1"}, "text, tree"),
        ({"robustness.subsample_share": 0.7}, "subsample_share"),
        ({"robustness.most_clusters": 9}, "numbers of clusters"),
    ):
        with pytest.raises(DataError) as caught:
            run(survey, tmp_path / "out", overrides=overrides, plan_only=True)
        assert changed in str(caught.value)


def test_a_reviewers_settings_and_another_run(survey: Path, whole: Path, tmp_path: Path) -> None:
    """Variants stand on the card; the comparison says what differs."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "variants:\n"
        "  - {name: mine, levels: {algorithm: average, metric: cosine}}\n"
        "  - {name: nothing left, levels: {min_df: 24, ngrams: 2-2}}\n"
    )
    done = run(survey, tmp_path / "out", variants=path, against=whole)
    assert done.card is not None
    mine, nothing = done.card.result.variants
    assert set(mine.found) | set(mine.lost) == {"C1", "C2", "C3", "second topic", "scattered"}
    assert "scattered" in mine.lost
    assert nothing.row.failure
    assert "nothing left failed (none of" in dict(done.card.verdicts)["Own settings"]
    assert "both have the same setting" in done.comparison[0]
    assert done.comparison[0] in (tmp_path / "out" / "section.html").read_text()
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert [variant["name"] for variant in card["own_settings"]] == ["mine", "nothing left"]


def test_a_full_grid_alone_is_judged_by_its_choices(tmp_path: Path) -> None:
    """Settings of a grid that change one choice decide; the largest cut lies below a subsample."""
    survey = write_survey(
        tmp_path / "s",
        designs=["full-grid"],
        factors={
            **{name: [level] for name, level in ONE_LEVEL.items()},
            "weighting": ["counts", "binary"],
            "max_df": [0.5, 1.0],
        },
    )
    done = run(survey, tmp_path / "out", overrides={"robustness.most_clusters": 40})
    assert done.card is not None
    assert done.card.clusters[0].families["one choice"].n_runs == 3
    assert done.card.result.numbers.n_clusters[-1] == 9


def test_the_engine_here_needs_no_number_of_workers(survey: Path, tmp_path: Path) -> None:
    """One process is what it is."""
    command = [sys.executable, "-m", "survey_tools", "robustness", str(survey), "--plan-only"]
    command += ["-o", str(tmp_path / "out"), "--engine", "here"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_list_of_stop_words_that_is_not_there(tmp_path: Path) -> None:
    """A misspelt level names the nearest."""
    survey = write_survey(tmp_path / "s", factors={"stop_words": ["englsh"]})
    with pytest.raises(ParameterError, match=r"did you mean 'english'\?"):
        run(survey, tmp_path / "out")


def test_a_grid_without_end_is_refused(survey: Path, tmp_path: Path) -> None:
    """A plan above the limit needs a yes; nothing is begun."""
    overrides = {"robustness.designs": ["full-grid"], "robustness.most_runs": 100}
    with pytest.raises(ParameterError, match=r"more than robustness.most_runs \(100\)"):
        run(survey, tmp_path / "out", overrides=overrides)
    assert not (tmp_path / "out.store").exists()


def test_a_survey_without_taxonomy_and_names(tmp_path: Path) -> None:
    """Neither is needed; the clusters of the cut are judged alone."""
    survey = write_survey(tmp_path / "s", n_nulls=0, n_settings=0, designs=["one-at-a-time"])
    overrides = {"taxonomy": None, "subtrees": None}
    done = run(survey, tmp_path / "out", overrides=overrides)
    assert done.card is not None
    titles = [title for title, _ in done.card.verdicts]
    assert "Named clusters" not in titles
    assert "Against no structure" not in titles
    assert "Clusters of the cut" in titles


def test_bare_resamples(tmp_path: Path) -> None:
    """With everything at nought there is still a card: the own setting, and not tested."""
    nothing = dict.fromkeys(
        ("n_settings", "n_subsamples", "n_paper_bootstraps", "n_term_bootstraps", "n_orders"), 0
    )
    nothing |= {"n_seeds": 0, "n_replicates": 0, "n_nulls": 0, "one_paper_out": False}
    survey = write_survey(tmp_path / "s", **nothing, designs=["latin-hypercube"])
    done = run(survey, tmp_path / "out")
    assert done.card is not None
    assert {target.verdict for target in done.card.clusters} == {"not tested"}
    assert done.n_planned == 1
