"""The experiments: what they count is right, and what they find has the names that rules use."""

import json
import subprocess
import sys

import numpy as np
import pytest

from survey_tools.claims.experiment import Findings, Trial
from survey_tools.claims.experiments.best_ratios import EXPERIMENT as RATIOS
from survey_tools.claims.experiments.encoders import EXPERIMENT as ENCODERS
from survey_tools.claims.experiments.failures import EXPERIMENT as FAILURES
from survey_tools.claims.experiments.redundancy import predict_from_neighbours
from survey_tools.claims.experiments.variants import parse_variant
from survey_tools.claims.registry import EXPERIMENTS, find_experiment
from survey_tools.errors import ParameterError


def conclude(name: str, seeds: tuple[int, ...] = (0, 1), **parameters: object) -> Findings:
    """Run an experiment whole; what it finds has the names that it promised."""
    experiment = find_experiment(name)
    chosen = experiment.complete(parameters)
    outcomes = {
        trial: trial.kind.run(trial.parameters, trial.seed)
        for trial in experiment.plan(chosen, "quick", seeds)
    }
    found = experiment.summarise(chosen, "quick", seeds, outcomes)
    assert sorted(found.by_name()) == sorted(experiment.statistics(chosen))
    return found


def test_no_experiment_loads_torch_before_it_runs() -> None:
    """Neither to be found, nor to be planned."""
    code = (
        "import sys\n"
        "from survey_tools.claims.registry import EXPERIMENTS, find_experiment\n"
        "for name in EXPERIMENTS:\n"
        "    found = find_experiment(name)\n"
        "    list(found.statistics(found.defaults))\n"
        "    list(found.plan(found.defaults, 'quick', [0, 1]))\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_names_of_statistics_and_trials_are_unique(name: str) -> None:
    """A rule means one number."""
    experiment = find_experiment(name)
    names = list(experiment.statistics(experiment.defaults))
    assert names
    assert len(set(names)) == len(names)
    trials = list(experiment.plan(experiment.defaults, "quick", [0, 1]))
    assert len(set(trials)) == len(trials)
    assert experiment.name == name


def test_the_counted_ratios_are_those_of_the_anchors() -> None:
    """2.35 for ViT-B, 3.23 for ViT-L, 3.59 for ViT-H with the default decoder at 75 %."""
    found = conclude("operation counts").by_name()
    ratios = [found[f"whole ratio, {size}"].value for size in ("base", "large", "huge")]
    assert ratios == pytest.approx([2.35, 3.23, 3.59], abs=0.01)
    assert all(estimate.is_counted for estimate in found.values())


def test_independent_patches_cannot_be_told_from_neighbours() -> None:
    """The relative error is 1 up to chance; equal patches are told wholly while one is seen."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((400, 4, 4, 6))
    error = predict_from_neighbours(noise[:200], noise[200:], 0.5, rng=rng)
    assert error == pytest.approx(1.0, abs=0.05)
    same = np.broadcast_to(noise[:, :1, :1], noise.shape)
    low = predict_from_neighbours(same[:200], same[200:], 0.1, rng=rng)
    high = predict_from_neighbours(same[:200], same[200:], 0.9, rng=rng)
    assert low < 0.15
    assert high > 3 * low


VARIANTS = [
    ("mea", r"variant 'mea': did you mean 'mae'\?"),
    ("mae ratio=0.5", r"'ratio=0.5' is no option"),
    ("mae mask_ratio", r"'mask_ratio' is no option"),
    ("mae mask_ratio=half", r"mask_ratio is 'half'; a number is wanted"),
    ("mae norm_pix=1", r"norm_pix is '1'; true or false is wanted"),
    ("random mask_ratio=0.5", r"random is not trained and has no options"),
    ("mae step_share=2", r"step_share must be above 0 and at most 1"),
]


@pytest.mark.parametrize(("text", "message"), VARIANTS)
def test_a_wrong_variant_is_refused(text: str, message: str) -> None:
    """By the sentence that the claim file then shows with its line."""
    with pytest.raises(ParameterError, match=message):
        parse_variant(text)


def test_a_variant_is_read_part_by_part() -> None:
    """Fields of the model apart from options of the method."""
    variant = parse_variant("mae mask_ratio=0.5 norm_pix=false loss_on=all")
    assert variant.config == {"mask_ratio": 0.5, "norm_pix": False}
    assert variant.options == {"loss_on": "all"}


def _scores(trial: Trial, of_variant: dict[str, list[float]]) -> dict[str, object]:
    key = trial.parameters["method"]
    ratio = trial.parameters.get("config", {}).get("mask_ratio")
    value = of_variant[key if ratio is None else f"{key} {ratio}"][trial.seed]
    return {"scores": {"linear digit": value, "k-NN digit": value / 2}}


def test_encoders_are_compared_seed_by_seed() -> None:
    """Differences of the same seed: 0.1, 0.1 and 0.1 have no spread, whatever the seeds have."""
    parameters = {"data": "digits", "variants": ["mae", "random"]}
    made = {"mae": [0.5, 0.7, 0.9], "random": [0.4, 0.6, 0.8]}
    seeds = (0, 1, 2)
    outcomes = {t: _scores(t, made) for t in ENCODERS.plan(parameters, "quick", seeds)}
    found = ENCODERS.summarise(parameters, "quick", seeds, outcomes).by_name()
    assert sorted(found) == sorted(ENCODERS.statistics(parameters))
    gain = found["linear digit: mae less random"]
    assert (gain.low, gain.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert found["linear digit: mae"].value == pytest.approx(0.7)


def test_the_best_ratio_is_sought_in_every_seed() -> None:
    """Of two ratios 0.25 is best in one seed, 0.75 in the other: the mean best ratio is 0.5."""
    parameters = {"data": "digits", "method": "mae", "mask_ratios": [0.75, 0.25]}
    made = {"mae": [0.9, 0.5], "mae 0.25": [0.6, 0.8]}
    outcomes = {t: _scores(t, made) for t in RATIOS.plan(parameters, "quick", (0, 1))}
    found = RATIOS.summarise(parameters, "quick", (0, 1), outcomes).by_name()
    assert sorted(found) == sorted(RATIOS.statistics(parameters))
    assert found["best ratio: linear digit"].value == pytest.approx(0.5)
    assert found["linear digit: 0.75 less 0.25"].value == pytest.approx(0.0)


def test_gradients_are_exactly_zero_where_nothing_counts() -> None:
    """And every masked value has one."""
    pytest.importorskip("torch")
    found = conclude("loss gradient", seeds=(0,), mask_ratios=[0.75])
    assert [estimate.value for estimate in found.estimates] == [0.0, 1.0, 0.0, 0.0]


def test_an_encoder_is_trained_and_probed_the_same_way_twice() -> None:
    """A few steps on digits: the same seed gives the same scores."""
    pytest.importorskip("torch")
    (trial,) = ENCODERS.plan({"data": "digits", "variants": ["mae step_share=0.003"]}, "quick", [0])
    assert trial.parameters["n_steps"] == 3
    first = trial.kind.run(trial.parameters, 0)
    assert first == trial.kind.run(trial.parameters, 0)
    assert set(first["scores"]) == {"linear digit", "k-NN digit"}
    assert len(first["losses"]) == 3


def test_failures_are_planted_by_training() -> None:
    """A short trial: the healthy run leaks exactly nothing, the planted leak and surge are found.

    A collapse takes more steps; it has its test over ten seeds among those of the detectors.
    """
    pytest.importorskip("torch")
    (planned,) = FAILURES.plan(FAILURES.defaults, "quick", [0])
    outcome = planned.kind.run({**planned.parameters, "n_steps": 24}, 0)
    stored = json.loads(json.dumps(outcome, sort_keys=True, allow_nan=False))  # as in the cache
    findings = FAILURES.summarise(FAILURES.defaults, "quick", [0], {planned: stored})
    found = findings.by_name()
    assert sorted(found) == sorted(FAILURES.statistics(FAILURES.defaults))
    for signature in ("leakage", "instability"):
        assert found[f"share of planted runs found, {signature}"].value == 1.0
        assert found[f"share of healthy runs flagged, {signature}"].value == 0.0
    detections = {table.name: table for table in findings.tables}["detections"]
    leaks = [dict(zip(detections.columns, row, strict=True)) for row in detections.rows]
    healthy = [r["value"] for r in leaks if (r["signature"], r["runs"]) == ("leakage", "healthy")]
    assert healthy == [0.0, 0.0]
