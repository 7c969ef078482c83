"""The experiments: what they count is right, and what they find has the names that rules use."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from survey_tools.claims.experiment import Findings, Trial
from survey_tools.claims.experiments.best_ratios import EXPERIMENT as RATIOS
from survey_tools.claims.experiments.best_ratios import bound_best_ratio
from survey_tools.claims.experiments.encoders import EXPERIMENT as ENCODERS
from survey_tools.claims.experiments.failures import EXPERIMENT as FAILURES
from survey_tools.claims.experiments.pretraining import TEST_PER_TRAIN, raise_above_chance
from survey_tools.claims.experiments.reconstructions import (
    plan_reconstruction,
    show_reconstruction,
)
from survey_tools.claims.experiments.redundancy import predict_from_neighbours
from survey_tools.claims.experiments.variants import METHODS, WORDS, parse_variant
from survey_tools.claims.registry import EXPERIMENTS, find_experiment
from survey_tools.errors import ParameterError
from survey_tools.mae.digits import read_digits
from survey_tools.mae.presets import PRESETS, find_preset


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
        "    if found.of_survey is None:\n"
        "        list(found.plan(found.defaults, 'quick', [0, 1]))\n"
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
    if experiment.of_survey is not None:
        return  # planned once the papers are known: see test_own_papers
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
    ("mae mask_ratio=0.5 mask_ratio=0.6", r"mask_ratio stands twice"),
    ("mae sampling=blok", r"sampling is 'blok'; one of uniform, block, grid is wanted"),
    ("simmim target=hog", r"target is an option of mae alone"),
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
    key, ratio = trial.parameters["method"], trial.parameters["model"]["mask_ratio"]
    value = of_variant[key if ratio == 0.75 else f"{key} {ratio}"][trial.seed]
    return {"scores": {"linear digit": value, "k-NN digit": value / 2}}


def test_encoders_are_compared_seed_by_seed() -> None:
    """Differences of the same seed have less spread than the seeds; splits share their images."""
    parameters = {"data": "digits", "variants": ["mae", "random"], "reconstruct": False}
    made = {"mae": [0.5, 0.7, 0.9], "random": [0.4, 0.6, 0.77]}
    seeds = (0, 1, 2)
    outcomes = {t: _scores(t, made) for t in ENCODERS.plan(parameters, "quick", seeds)}
    found = ENCODERS.summarise(parameters, "quick", seeds, outcomes).by_name()
    assert sorted(found) == sorted(ENCODERS.statistics(parameters))
    gain = found["linear digit: mae less random"]
    spread = np.std([0.1, 0.1, 0.13], ddof=1) * np.sqrt(1 / 3 + 1 / 3)
    assert gain.low == pytest.approx(0.11 - 4.302652729911275 * spread)
    assert found["linear digit: mae"].value == pytest.approx(0.7)


def test_scores_of_several_factors_are_compared_above_chance() -> None:
    """Of seven textures a right guess in seven is 0, and of two halves of the way up 0.5."""
    assert raise_above_chance("linear texture", 1 / 7, "shapes") == pytest.approx(0.0)
    assert raise_above_chance("linear texture", 4 / 7, "shapes") == pytest.approx(0.5)
    assert raise_above_chance("k-NN digit", 1.0, "digits") == 1.0
    assert raise_above_chance("R2 of place", 0.3, "shapes") == 0.3


def test_the_best_ratio_is_bounded_by_what_is_not_beaten() -> None:
    """0.25 is clearly worse than the others; of those neither beats the other."""
    scores = {
        0.25: [0.50, 0.51, 0.49, 0.50],
        0.5: [0.80, 0.82, 0.81, 0.80],
        0.75: [0.81, 0.80, 0.82, 0.81],
    }
    assert bound_best_ratio(scores, 0.95, test_per_train=0.0) == (0.5, 0.75)
    assert bound_best_ratio(scores, 1.0 - 1e-9, test_per_train=0.0) == (0.25, 0.75)
    same = {ratio: [0.5, 0.5] for ratio in (0.25, 0.75)}
    assert bound_best_ratio(same, 0.95, test_per_train=0.0) == (0.25, 0.75)


def test_the_best_of_equal_ratios_is_rarely_excluded() -> None:
    """Of four ratios that are all the same, the first stays in 95 % of the surveys or more."""
    rng = np.random.default_rng(0)
    n_out = 0
    for _ in range(400):
        scores = {ratio: rng.standard_normal(3).tolist() for ratio in (0.25, 0.5, 0.75, 0.9)}
        n_out += bound_best_ratio(scores, 0.95, test_per_train=0.0)[0] > 0.25
    assert n_out <= 31  # 20 are expected at most; 31 is the 99.5 % point of binomial(400, 0.05)


def test_best_ratios_of_scores_are_compared() -> None:
    """In either seed k-NN and linear prefer the same ratio: nothing is significant with two."""
    parameters = {"data": "digits", "method": "mae", "mask_ratios": [0.75, 0.25]}
    made = {"mae": [0.9, 0.5], "mae 0.25": [0.6, 0.84], "random": [0.3, 0.3]}
    outcomes = {t: _scores(t, made) for t in RATIOS.plan(parameters, "quick", (0, 1))}
    found = RATIOS.summarise(parameters, "quick", (0, 1), outcomes).by_name()
    assert sorted(found) == sorted(RATIOS.statistics(parameters))
    best = found["best ratio: linear digit"]
    assert (best.value, best.low, best.high) == (0.25, 0.25, 0.75)
    difference = found["best ratio: linear digit less k-NN digit"]
    assert (difference.value, difference.low, difference.high) == (0.0, -0.5, 0.5)
    assert found["linear digit: 0.75 less 0.25"].value == pytest.approx(-0.02)
    assert found["linear digit: 0.75 less random"].value == pytest.approx(0.4)


WRONG = [
    ("measured time", {"mask_ratios": [0.75]}, "2 or more are wanted"),
    ("measured time", {"batch_size": 0}, "batch_size=0: 1 or more is wanted"),
    ("measured time", {"size": "gigantic"}, "size 'gigantic' is not known"),
    ("operation counts", {"mask_ratios": [0.5, 1.5]}, "mask_ratio"),
    ("operation counts", {"decoder_depth": -4}, "decoder_depth"),
    ("loss gradient", {"n_images": 0}, "n_images=0: 2 or more is wanted"),
    ("redundancy", {"patch_px": 5}, "patch_px=5: a divisor of 32 below it is wanted"),
    ("redundancy", {"lengths_px": [2.0, 2.0]}, "none of them twice"),
    ("encoders", {"variants": ["mae mask_ratio=nan"]}, "a finite number is wanted"),
    ("encoders", {"variants": ["mae decoder_depth=-4"]}, "decoder_depth"),
    ("best ratios", {"mask_ratios": [0.5]}, "2 or more are wanted"),
    ("best ratios", {"method": "mea"}, "did you mean 'mae'"),
    ("failures", {"rate_factor": -1.0}, "rate_factor=-1.0: 1 or more is wanted"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), WRONG)
def test_a_wrong_parameter_is_refused_when_claims_are_read(
    name: str, parameters: dict[str, object], message: str
) -> None:
    """Not after hours, by a traceback."""
    experiment = find_experiment(name)
    with pytest.raises(ParameterError, match=message):
        experiment.statistics(experiment.complete(parameters))


def test_another_model_or_recipe_is_another_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes of an older preset must not be taken from the cache."""
    parameters = {"data": "digits", "variants": ["mae"], "reconstruct": False}
    (before,) = ENCODERS.plan(parameters, "full", [0])
    preset = find_preset("digits")
    others = (
        replace(preset, config=replace(preset.config, encoder_depth=1)),
        replace(preset, recipe=replace(preset.recipe, weight_decay=0.5)),
    )
    digests = {before.digest}
    for other in others:
        monkeypatch.setitem(PRESETS, "digits", other)
        digests.add(ENCODERS.plan(parameters, "full", [0])[0].digest)
    assert len(digests) == 3


def test_options_of_variants_are_those_of_the_methods() -> None:
    """Words that a claim may use are words that a method knows."""
    pytest.importorskip("torch")
    from survey_tools.mae.methods import METHODS as CLASSES
    from survey_tools.mae.methods.base import Sampling
    from survey_tools.mae.methods.mae import EncoderSees, TargetKind
    from survey_tools.mae.model import LossOn

    assert tuple(CLASSES) == METHODS
    assert {
        "sampling": get_args(Sampling),
        "loss_on": get_args(LossOn),
        "target": get_args(TargetKind),
        "encoder_sees": get_args(EncoderSees),
    } == WORDS


def test_seeds_of_digits_share_their_images_as_stated() -> None:
    """A third as many test images as training images, in every split."""
    train, test = (read_digits(split, seed=0).n_images for split in ("train", "test"))
    assert test / train == pytest.approx(TEST_PER_TRAIN["digits"], abs=0.005)


def test_gradients_are_exactly_zero_where_nothing_counts() -> None:
    """And every masked value has one."""
    pytest.importorskip("torch")
    found = conclude("loss gradient", seeds=(0,), mask_ratios=[0.75])
    assert [estimate.value for estimate in found.estimates] == [0.0, 1.0, 0.0, 0.0]


def test_steps_are_timed_with_and_without_mask_tokens() -> None:
    """Whatever the times are, both kinds of network run, and the counts stand beside them."""
    pytest.importorskip("torch")
    found = conclude("measured time", seeds=(0,), mask_ratios=[0.5, 0.75], batch_size=1).by_name()
    assert found["counted ratio at 0.75"].value > found["counted ratio at 0.5"].value > 1.0
    assert found["time ratio at 0.75"].value > 0.0


def test_reconstructions_are_laid_out() -> None:
    """Eight digits in three rows: as they were, masked, and reconstructed."""
    pytest.importorskip("torch")
    trial = plan_reconstruction("digits", "quick", 0)
    recipe = {**trial.parameters["recipe"], "length": 2, "warmup": 1}
    outcome = trial.kind.run({**trial.parameters, "recipe": recipe}, 0)
    stored = json.loads(json.dumps(outcome, allow_nan=False))  # as in the cache
    grid = show_reconstruction(trial, stored)
    assert np.shape(grid.rows) == (3, 8, 8, 8, 1)
    assert grid.row_names == ("image", "75% masked", "reconstructed")
    assert (np.array(grid.rows[1]) == 204).mean() > 0.7


def test_an_encoder_is_trained_and_probed_the_same_way_twice() -> None:
    """A few steps on digits: the same seed gives the same scores."""
    pytest.importorskip("torch")
    parameters = ENCODERS.complete({"variants": ["mae step_share=0.001"]})
    (trial,) = ENCODERS.plan(parameters, "quick", [0])
    n_steps = trial.parameters["recipe"]["length"]
    assert n_steps == 2
    first = trial.kind.run(trial.parameters, 0)
    assert first == trial.kind.run(trial.parameters, 0)
    assert set(first["scores"]) == {"linear digit", "k-NN digit"}
    assert len(first["losses"]) == n_steps


def test_failures_are_planted_by_training() -> None:
    """A short trial: the healthy run leaks exactly nothing, the planted leak and surge are found.

    A collapse takes more steps; it has its test over ten seeds among those of the detectors.
    """
    pytest.importorskip("torch")
    (planned,) = FAILURES.plan(FAILURES.defaults, "quick", [0])
    recipe = {**planned.parameters["recipe"], "length": 24, "warmup": 1}
    outcome = planned.kind.run({**planned.parameters, "recipe": recipe}, 0)
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
    assert healthy[:2] == [0.0, 0.0]
    assert healthy[2] > 0.1  # the masked loss
