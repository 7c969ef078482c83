"""The command holdout: its folder, its sentences, and what it refuses."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import make_survey
from typer.testing import CliRunner, Result

from survey_tools.cli import app
from survey_tools.output import digest_of_file

FAST = ("--set", "holdout.n_resamples=100", "--set", "holdout.n_repeats=1")
WORDS = {"pixels": "masked pixel patches", "views": "contrastive views scene"}
PAPERS: list[dict[str, Any]] = [
    {
        "key": f"paper{i:02}",
        "title": f"On {WORDS['pixels' if i % 2 else 'views']}",
        "digest": f"A {'second' if i % 3 else 'third'} way.",
    }
    for i in range(16)
]
TAXONOMY: dict[str, Any] = {
    "axes": {
        "what": {"title": "What is hidden", "labels": {"pixels": {}, "views": {}}},
        "why": {"title": "Why", "labels": {"theory": {}}},
    },
    "papers": {f"paper{i:02}": {"what": ["pixels" if i % 2 else "views"]} for i in range(16)},
}
NEW = """
@article{new2025, title = {More masked pixel patches}, year = {2025}}
@article{other2025, title = {On Contrastive Views Scene}, year = {2025}}
"""


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Write a survey of 16 papers, every second about pixels, the others about views."""
    return make_survey(tmp_path / "survey", papers=PAPERS, taxonomy=TAXONOMY, subtrees=None)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["holdout", *(str(argument) for argument in arguments)])


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_tables_and_a_manifest(survey: Path, tmp_path: Path) -> None:
    """The manifest digests every table, and no other file is written."""
    out = tmp_path / "out"
    result = invoke(survey, "-o", out, *FAST)
    assert result.exit_code == 0, result.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"] == "holdout"
    assert manifest["overrides"] == {"holdout.n_resamples": 100, "holdout.n_repeats": 1}
    names = {"holdout", "learning-curve", "predictions", "verdicts"}
    assert set(manifest["outputs"]) == {f"tables/{name}.csv" for name in names}
    for name, digest in manifest["outputs"].items():
        assert digest_of_file(out / name) == digest
    assert set(manifest["inputs"]) == {"survey.yaml", "papers.jsonl", "taxonomy.yaml"}


def test_every_axis_gets_a_verdict_on_the_terminal(survey: Path, tmp_path: Path) -> None:
    """The separable one, the empty one, the cells; digests are named as such."""
    result = invoke(survey, "-o", tmp_path / "out", *FAST)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("What is hidden: Can be recovered almost perfectly: 100% of the way")
    assert lines[1] == "Why: Not testable: no paper carries a label."
    assert lines[2].startswith("Combined cells: Can be recovered almost perfectly")
    assert "16 of 16 papers are described by a digest" in result.stderr


def test_tables_say_what_was_found(survey: Path, tmp_path: Path) -> None:
    """One row a measure, a point of the curve, and a paper and label; rows add up."""
    out = tmp_path / "out"
    invoke(survey, "-o", out, *FAST)
    scores = read_table(out / "tables" / "holdout.csv")
    linear = {
        (row["label"], row["measure"]): float(row["value"])
        for row in scores
        if row["axis"] == "what" and row["model"] == "linear model"
    }
    assert linear["", "macro F1"] == linear["pixels", "recall"] == linear["", "AUC"] == 1.0
    untested = [row for row in scores if row["axis"] == "why"]
    assert [(row["label"], row["measure"]) for row in untested] == [
        ("theory", "not testable: no paper")
    ]
    predictions = read_table(out / "tables" / "predictions.csv")
    of_axis = [row for row in predictions if row["axis"] == "what"]
    assert len(of_axis) == 16 * 2
    for row in of_axis:
        is_true = row["label"] in TAXONOMY["papers"][row["paper_key"]]["what"]
        assert row["is_true"] == str(is_true)
        assert (float(row["probability"]) > 0.5) == is_true
    curve = read_table(out / "tables" / "learning-curve.csv")
    assert [row["share"] for row in curve if row["axis"] == "what"][-1] == "1"
    verdicts = read_table(out / "tables" / "verdicts.csv")
    assert [row["axis"] for row in verdicts] == ["what", "why", "combined cells"]


def test_the_same_seed_gives_the_same_bytes(survey: Path, tmp_path: Path) -> None:
    """And another seed deals other folds."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert invoke(survey, "-o", tmp_path / name, "--seed", seed, *FAST).exit_code == 0
    tables = {
        name: [path.read_bytes() for path in sorted((tmp_path / name / "tables").iterdir())]
        for name in "abc"
    }
    assert tables["a"] == tables["b"]
    assert tables["a"] != tables["c"]


def test_labels_are_suggested_for_new_papers(survey: Path, tmp_path: Path) -> None:
    """One is new, the title of the other is filed already."""
    new = tmp_path / "new.bib"
    new.write_text(NEW, encoding="utf-8")
    out = tmp_path / "out"
    result = invoke(survey, "-o", out, "--suggest", new, *FAST)
    assert result.exit_code == 0, result.output
    assert "1 paper filed already, skipped: other2025 (as paper" in result.stderr
    assert "1 label suggested with probability 0.5 or more for 1 of 1 new paper\n" in result.stdout
    assert "calibration on What is hidden: Brier score 0." in result.stdout
    rows = read_table(out / "suggestions.csv")
    assert [(row["paper_key"], row["label"]) for row in rows] == [
        ("new2025", "pixels"),
        ("new2025", "views"),
    ]
    assert float(rows[0]["probability"]) > 0.7 > 0.3 > float(rows[1]["probability"])
    assert "pixel" in rows[0]["terms"]
    fragment = yaml.safe_load((out / "suggestions.yaml").read_text(encoding="utf-8"))
    (entry,) = fragment["papers"]["new2025"]["what"]
    assert entry["label"] == "pixels"
    assert entry["annotator"] == "survey-tools holdout"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["suggested_for"] == {"new.bib": digest_of_file(new)}
    assert {"suggestions.csv", "suggestions.yaml"} <= set(manifest["outputs"])


def test_the_number_of_folds_is_an_option(survey: Path, tmp_path: Path) -> None:
    """It is recorded as the setting that it is, and may not be given twice."""
    out = tmp_path / "out"
    assert invoke(survey, "-o", out, "--folds", 4, *FAST).exit_code == 0
    assert json.loads((out / "manifest.json").read_text())["settings"]["holdout"]["n_folds"] == 4
    twice = invoke(survey, "-o", out, "--folds", 4, "--set", "holdout.n_folds=3")
    assert twice.exit_code == 1
    assert twice.stderr == "error: holdout.n_folds is given twice, by its own option and by --set\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--folds", "17"], "the taxonomy files 16 of 16 papers; a hold-out in 17 folds needs"),
        (["--folds", "1"], "holdout.n_folds: input should be greater than or equal to 2"),
        (["--suggest", "missing.bib"], "missing.bib: no such file"),
        (["--set", "taxonomy=null"], "names no taxonomy, so there is nothing to hold out"),
    ],
)
def test_errors_are_one_line_and_leave_no_folder(
    survey: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    """What arrived, what is allowed, what to do."""
    result = invoke(survey, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_results_of_another_command_are_not_deleted(survey: Path, tmp_path: Path) -> None:
    """The default folder has a name of its own for the same reason."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text('{"command": "run", "outputs": {}}', encoding="utf-8")
    result = invoke(survey, "-o", out, *FAST)
    assert result.exit_code == 1
    assert "holds the results of 'run', which 'holdout' would delete" in result.stderr


def test_the_default_folder_says_what_it_holds(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """out/NAME-holdout below the current folder."""
    monkeypatch.chdir(survey.parent)
    assert invoke(survey, "--quiet", *FAST).stdout == ""
    assert (survey.parent / "out" / "survey-holdout" / "manifest.json").is_file()


def test_filed_papers_that_the_survey_lacks_are_left_out_only_when_asked(
    survey: Path, tmp_path: Path
) -> None:
    """Named either way; the numbers are those of the papers that both have."""
    plain = invoke(survey, "-o", tmp_path / "plain", *FAST)
    papers = {"gone1": {"what": ["pixels"]}, **TAXONOMY["papers"], "gone2": {}}
    make_survey(survey, papers=PAPERS, taxonomy={**TAXONOMY, "papers": papers}, subtrees=None)
    refused = invoke(survey, "-o", tmp_path / "out", *FAST)
    assert refused.exit_code == 1
    assert "papers.gone1: unknown paper, one of gone1, gone2; correct them" in refused.stderr
    out = tmp_path / "out"
    result = invoke(survey, "-o", out, "--set", "crosscheck.unknown=leave-out", *FAST)
    assert result.exit_code == 0, result.output
    note = "The taxonomy files 2 papers that are not among the papers, left out: gone1, gone2."
    assert note in result.stderr
    assert result.stdout.splitlines()[:3] == plain.stdout.splitlines()[:3]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["overrides"]["crosscheck.unknown"] == "leave-out"
    assert note in manifest["warnings"]
    scores = [tmp_path / name / "tables" / "holdout.csv" for name in ("plain", "out")]
    assert scores[0].read_bytes() == scores[1].read_bytes()
