"""Experiments on a survey's own papers: what was planted is found, noise is not."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from examples import make_survey

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import Experiment
from survey_tools.claims.file import parse_claims
from survey_tools.claims.ledger import Ledger, LedgerRequest, run_ledger
from survey_tools.claims.registry import find_experiment
from survey_tools.claims_material import SurveyFinder
from survey_tools.claims_study import ClaimsRequest, run_claims
from survey_tools.documents import parse_yaml
from survey_tools.errors import DataError, ParameterError
from survey_tools.report.claims_section import read_claims_section

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOPICS = ("patch", "video", "graph")
GAIN = "topic: macro F1 less guessing"
COIN = "coin: macro F1 less guessing"
OWN = "own: mean best Jaccard of the clusters"
CLAIMS = """\
claims:
  - id: filed
    text: Labels can be told.
    where: here
    experiment: {name: held-out papers, parameters: {axes: [topic, coin]}}
    data: own
    seeds: {quick: 1, full: 2}
    rules:
      - {statistic: "topic: macro F1 less guessing", comparison: above, threshold: 0}
    not_tested: Nothing.
  - id: stable
    text: Clusters come back.
    where: here
    experiment: {name: clusters come back, parameters: {settings: [own, "algorithm=k-means"]}}
    data: own
    seeds: {quick: 6, full: 8}
    rules:
      - {statistic: "own: mean best Jaccard of the clusters", comparison: at least, threshold: 0.75}
    not_tested: Nothing.
"""


def plant_survey(
    folder: Path, *, share: float = 0.8, settings: dict[str, Any] | None = None
) -> Path:
    """Write 45 papers on three topics, with so large a share of words that no other topic has.

    The axis "topic" files them by it, the axis "coin" by lot.
    """
    rng = np.random.default_rng(5)
    papers, filed = [], {}
    for i in range(45):
        topic = TOPICS[i % 3]
        own, common = rng.integers(0, 12, 30), rng.integers(0, 40, 30)
        words = [
            topic + LETTERS[a]
            if rng.random() < share
            else "any" + LETTERS[b % 26] + LETTERS[b // 26]
            for a, b in zip(own, common, strict=True)
        ]
        key = f"p{i:02d}"
        papers.append({"key": key, "title": f"On {words[0]}", "abstract": " ".join(words)})
        filed[key] = {"topic": [topic], "coin": [rng.choice(["head", "tail"]).item()]}
    axes = {
        "topic": {"title": "Topic", "labels": {topic: {} for topic in TOPICS}},
        "coin": {"title": "Coin", "labels": {"head": {}, "tail": {}}},
    }
    make_survey(folder, papers=papers, taxonomy={"axes": axes, "papers": filed}, subtrees=None)
    (folder / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    return folder


def run(survey: Path, cache: Path, **request: Any) -> Ledger:
    file = parse_claims(parse_yaml(CLAIMS.encode(), source="claims.yaml"))
    chosen = LedgerRequest(find=SurveyFinder(find_experiment, survey), **request)
    return run_ledger(file, OutcomeCache(cache), chosen)


def values(ledger: Ledger) -> dict[str, float]:
    return {
        estimate.name: estimate.value
        for found in ledger.claims
        if found.findings
        for estimate in found.findings.estimates
    }


def test_what_was_planted_is_found(tmp_path: Path) -> None:
    """Topics can be told and come back, whatever the algorithm; a coin cannot be told."""
    ledger = run(plant_survey(tmp_path / "survey", share=0.35), tmp_path / "cache")
    assert [found.verdict for found in ledger.claims] == ["supported", "supported"]
    (filed, _) = ledger.claims
    assert filed.findings is not None
    found = filed.findings.by_name()
    assert found[GAIN].low is not None
    assert found[GAIN].low > 0.3
    assert found[COIN].low is not None
    assert found[COIN].low < 0
    assert values(ledger)[OWN] > 0.95
    loss = values(ledger)["algorithm=k-means less own: mean best Jaccard of the clusters"]
    assert loss == pytest.approx(0.0, abs=0.05)


def test_noise_is_not_found(tmp_path: Path) -> None:
    """Papers without topics: their labels cannot be told, their clusters do not come back."""
    ledger = run(plant_survey(tmp_path / "survey", share=0.0), tmp_path / "cache")
    assert [found.verdict for found in ledger.claims] == ["inconclusive", "contradicted"]


def test_higher_levels_have_wider_intervals(tmp_path: Path) -> None:
    """As verdicts that are judged all together need them."""
    ledger = run(plant_survey(tmp_path / "survey", share=0.2), tmp_path / "cache")
    findings = ledger.claims[0].findings
    assert findings is not None
    gain = findings.by_name()[GAIN]
    inner, outer = gain.interval(0.9), gain.interval(0.999)
    assert inner is not None
    assert outer is not None
    assert outer[0] < inner[0] <= gain.value <= inner[1] < outer[1]


def test_processes_find_the_same_as_one(tmp_path: Path) -> None:
    """To the last digit."""
    survey = plant_survey(tmp_path / "survey", share=0.3)
    one = values(run(survey, tmp_path / "one"))
    assert values(run(survey, tmp_path / "two", n_workers=2)) == one


def test_only_what_has_changed_is_run_again(tmp_path: Path) -> None:
    """Where the folder lies does not matter; a new title asks for all."""
    survey, cache = plant_survey(tmp_path / "survey"), tmp_path / "cache"
    first = run(survey, cache)
    assert (first.n_from_cache, first.n_trials) == (0, 13)
    assert run(survey, cache).n_from_cache == 13
    moved = survey.rename(tmp_path / "elsewhere")
    assert run(moved, cache).n_from_cache == 13
    lines = (moved / "papers.jsonl").read_text(encoding="utf-8").splitlines()
    changed = json.loads(lines[0]) | {"title": "Another title"}
    (moved / "papers.jsonl").write_text(
        "\n".join([json.dumps(changed), *lines[1:]]) + "\n", encoding="utf-8"
    )
    assert run(moved, cache).n_from_cache == 0


def test_without_a_survey_folder_claims_are_not_run(tmp_path: Path) -> None:
    """A file of claims names no papers; the ledger says what is missing."""
    survey = plant_survey(tmp_path / "survey")
    request = ClaimsRequest(ledger=LedgerRequest(), cache=tmp_path / "cache")
    ledger = run_claims(survey / "claims.yaml", tmp_path / "out", request)
    assert {found.not_run for found in ledger.claims} == {
        "is about the survey's own papers; name a survey folder, not a file of claims"
    }
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert set(manifest["inputs"]) == {"claims.yaml"}


def test_the_manifest_names_every_file_that_was_read(tmp_path: Path) -> None:
    """Papers and taxonomy beside the claims."""
    survey = plant_survey(tmp_path / "survey")
    request = ClaimsRequest(ledger=LedgerRequest(), cache=tmp_path / "cache")
    run_claims(survey, tmp_path / "out", request)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert set(manifest["inputs"]) == {
        "claims.yaml", "survey.yaml", "papers.jsonl", "taxonomy.yaml"
    }  # fmt: skip


def test_a_survey_without_taxonomy_holds_nothing_out(tmp_path: Path) -> None:
    """The claim is not run and says so; the clusters are sought all the same."""
    survey = plant_survey(tmp_path / "survey", share=0.35)
    text = (survey / "survey.yaml").read_text(encoding="utf-8")
    (survey / "survey.yaml").write_text(
        text.replace("taxonomy: taxonomy.yaml\n", ""), encoding="utf-8"
    )
    filed, stable = run(survey, tmp_path / "cache").claims
    assert "names no taxonomy" in filed.not_run
    assert stable.verdict == "supported"


def test_a_survey_of_too_many_papers_holds_out_but_seeks_no_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pair of papers would be in memory; the ledger says so and goes on with the rest."""
    survey = plant_survey(tmp_path / "survey")
    monkeypatch.setattr("survey_tools.claims_material.free_bytes", lambda: 40 * 45**2 - 1)
    filed, stable = run(survey, tmp_path / "cache").claims
    assert filed.verdict == "supported"
    assert stable.not_run.startswith("clusters of 45 papers cannot be sought again")


def test_own_vectors_hang_on_no_choice_of_terms(tmp_path: Path) -> None:
    """Their clusters are not sought under other choices."""
    survey = plant_survey(tmp_path / "survey")
    rows = np.random.default_rng(0).normal(size=(45, 4))
    np.savez(survey / "vectors.npz", keys=np.array([f"p{i:02d}" for i in range(45)]), vectors=rows)
    settings = yaml.safe_load((survey / "survey.yaml").read_text(encoding="utf-8"))
    settings["clustering"] |= {"rows": "embeddings"}
    settings["embeddings"] = "vectors.npz"
    (survey / "survey.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    _, stable = run(survey, tmp_path / "cache").claims
    assert "vectors of its own" in stable.not_run


def bind(survey: Path, name: str) -> Experiment:
    return SurveyFinder(find_experiment, survey)(name)


def test_an_unknown_axis_is_named_before_anything_runs(tmp_path: Path) -> None:
    """With the nearest that there is."""
    experiment = bind(plant_survey(tmp_path / "survey"), "held-out papers")
    with pytest.raises(ParameterError, match=r"no axis 'topics'.*topic"):
        experiment.plan({"axes": ["topics"]}, "quick", [0])


def test_a_rare_label_costs_resamples_and_no_more(tmp_path: Path) -> None:
    """F1 is not defined where no drawn paper carries the label; those draws are left out."""
    survey = plant_survey(tmp_path / "survey")
    taxonomy = yaml.safe_load((survey / "taxonomy.yaml").read_text(encoding="utf-8"))
    taxonomy["axes"]["rare"] = {"title": "Rare", "labels": {"seldom": {}}}
    for key in ("p00", "p03", "p06", "p09", "p12", "p15"):
        taxonomy["papers"][key]["rare"] = ["seldom"]
    (survey / "taxonomy.yaml").write_text(yaml.safe_dump(taxonomy), encoding="utf-8")
    experiment = bind(survey, "held-out papers")
    parameters = {"axes": ["rare"]}
    (trial,) = experiment.plan(parameters, "quick", [0])
    outcome = trial.kind.run(trial.parameters, 0)
    assert 9_000 < len(outcome["axes"]["rare"]["resampled"]) < 10_000
    json.dumps(outcome, allow_nan=False)  # as the cache writes it
    found = experiment.summarise(parameters, "quick", [0], {trial: outcome}).estimates[0]
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


@pytest.mark.parametrize("name", ["papers.jsonl", "taxonomy.yaml", "survey.yaml"])
def test_a_report_takes_no_verdicts_of_other_papers(tmp_path: Path, name: str) -> None:
    """What the claims were about must be as it was."""
    survey, out = plant_survey(tmp_path / "survey"), tmp_path / "out"
    run_claims(survey, out, ClaimsRequest(ledger=LedgerRequest(), cache=tmp_path / "cache"))
    read_claims_section(out, survey)
    path = survey / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"{name} has changed since that run"):
        read_claims_section(out, survey)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "one or more"),
        (["own", "own"], "none twice"),
        (["ngram=1-2"], "unknown factor 'ngram'"),
        (["algorithm=warp"], "ward"),
        (["ngrams=1-2 ngrams=1-3"], "gives ngrams twice"),
        ([" "], "write own or choices"),
    ],
)
def test_wrong_settings_are_refused_when_claims_are_read(settings: list[str], message: str) -> None:
    """Before anything is run."""
    with pytest.raises(ParameterError, match=message):
        find_experiment("clusters come back").statistics({"settings": settings})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("algorithm=spectral metric=jaccard", "has no meaning"),
        ("stop_words=missing.txt", "english or none"),
    ],
)
def test_choices_that_do_not_go_with_the_survey_are_refused(
    tmp_path: Path, words: str, message: str
) -> None:
    """By one line that names the claim, before anything is run."""
    survey = plant_survey(tmp_path / "survey")
    text = CLAIMS.replace("algorithm=k-means", words)
    (survey / "claims.yaml").write_text(text, encoding="utf-8")
    request = ClaimsRequest(ledger=LedgerRequest(), cache=tmp_path / "cache")
    with pytest.raises(ParameterError, match=f"claim 'stable': .*{message}"):
        run_claims(survey, tmp_path / "out", request)


@pytest.mark.parametrize("axes", [[], ["a", "a"]])
def test_wrong_axes_are_refused(axes: list[str]) -> None:
    """None, or one twice."""
    with pytest.raises(ParameterError, match="one or more"):
        find_experiment("held-out papers").statistics({"axes": axes})


def test_a_trial_that_has_travelled_is_the_same(tmp_path: Path) -> None:
    """To a process and back: by name, version, parameters and seed."""
    experiment = bind(plant_survey(tmp_path / "survey"), "clusters come back")
    (trial,) = experiment.plan(experiment.defaults, "quick", [0])
    again = pickle.loads(pickle.dumps(trial))  # noqa: S301
    assert again == trial
    assert hash(again) == hash(trial)
    assert len(repr(trial)) < 1000
