"""Training instability: planted in healthy histories of ten seeds."""

import re

import numpy as np
import pytest

from survey_tools.errors import DataError
from survey_tools.mae.detectors import Detection, any_failure
from survey_tools.mae.instability import detect_instability

SEEDS = range(10)
N_STEPS = 600


def healthy(seed: int, shape: str = "falling") -> tuple[np.ndarray, np.ndarray]:
    """Losses and gradient norms with noise as of small batches."""
    rng = np.random.default_rng(seed)
    t = np.arange(N_STEPS)
    course = {
        "falling": 0.45 + 0.6 * np.exp(-t / 80),
        "rising to a plateau": 0.8 + 0.2 * (1 - np.exp(-t / 100)),  # as of a moving teacher
        "flat": np.full(N_STEPS, 0.54),
        "steep": 1.0 / (1.0 + t),
    }[shape]
    losses = course * np.exp(0.05 * rng.standard_normal(N_STEPS))
    # norms: heavy tails, growing in the warm-up and then falling
    norms = (0.3 + t / 60 * np.exp(-t / 60)) * np.exp(0.35 * rng.standard_t(8, N_STEPS))
    return losses, norms


def failures(found: tuple[Detection, ...]) -> set[str]:
    """Names of the detectors that found a failure."""
    return {detection.detector for detection in found if detection.is_failure}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", ["falling", "rising to a plateau", "flat", "steep"])
def test_healthy_histories_are_not_flagged(seed: int, shape: str) -> None:
    """With the noise, trends and warm-up of healthy runs."""
    found = detect_instability(*healthy(seed, shape))
    assert not any_failure(found), [detection.verdict for detection in found]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("step", [12, 40, 300, N_STEPS - 1])
def test_a_spike_is_found_wherever_it_stands(seed: int, step: int) -> None:
    """Early, late, and at the last step; the verdict names it."""
    losses, norms = healthy(seed)
    losses[step] *= 4.0
    found = detect_instability(losses, norms)
    assert failures(found) == {"loss spike"}
    assert f"at 1 of 600 steps, most at step {step} " in found[1].verdict


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gradient_out_of_proportion_is_found(seed: int) -> None:
    """Thirty times the usual norm, at three steps in a row."""
    losses, norms = healthy(seed)
    norms[200:203] = 30.0 * np.median(norms[170:200])
    found = detect_instability(losses, norms)
    assert failures(found) == {"gradient norm"}
    assert re.search(r"around 3 of 600 steps, most at step 20[0-2]", found[2].verdict)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_single_steep_step_is_left_to_clipping(seed: int) -> None:
    """Where the loss shows no harm; healthy trainings on discrete tokens have such steps."""
    losses, norms = healthy(seed)
    norms[200] = 30.0 * np.median(norms[170:200])
    assert failures(detect_instability(losses, norms)) == set()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("step", [200, 598])
def test_two_steep_steps_of_three_are_out_of_proportion(seed: int, step: int) -> None:
    """In the middle and at the end."""
    losses, norms = healthy(seed)
    norms[step : step + 2] = 30.0 * np.median(norms[step - 30 : step])
    assert failures(detect_instability(losses, norms)) == {"gradient norm"}


@pytest.mark.parametrize("n_good", [0, 1, 2, 12])
def test_a_history_that_ends_early_is_judged_by_what_it_has(n_good: int) -> None:
    """No step before the first NaN, or too few for three in a row."""
    norms = np.ones(n_good + 3)
    norms[n_good:] = np.nan
    assert failures(detect_instability(np.ones(n_good + 3), norms)) == {"values not finite"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["loss", "gradient norm"])
def test_a_value_that_is_not_finite_is_found(seed: int, bad: float, where: str) -> None:
    """And named by its step; what was before is judged as it was."""
    losses, norms = healthy(seed)
    (losses if where == "loss" else norms)[400:403] = bad
    found = detect_instability(losses, norms)
    assert failures(found) == {"values not finite"}
    assert found[0].value == 3
    assert "NaN or infinite from step 400 on" in found[0].verdict


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slow", [True, False])
def test_divergence_is_found(seed: int, slow: bool) -> None:
    """A loss that creeps up again, with no jump, or that jumps and stays."""
    losses, norms = healthy(seed)
    t = np.arange(N_STEPS)
    losses *= 1.0 + (np.maximum(t - 250, 0) / 300 if slow else 2.0 * (t > 400))
    found = failures(detect_instability(losses, norms))
    assert "progress lost" in found
    assert ("loss spike" in found) != slow


def test_progress_lost_by_hand() -> None:
    """From 1 down to 0.2 and up to 0.5: 0.3 of 0.8 is lost; up to 0.7, 0.5 of 0.8."""
    for end, lost, is_failure in ((0.5, 0.375, False), (0.7, 0.625, True)):
        losses = np.concatenate([np.full(100, 1.0), np.full(100, 0.2), np.full(100, end)])
        found = detect_instability(losses)[-1]
        assert found.detector == "progress lost"
        assert found.value == pytest.approx(lost)
        assert found.is_failure == is_failure


def test_a_run_that_never_gained_must_not_rise_by_half() -> None:
    """It has no progress to lose; the rise is held against the first losses."""
    for end, is_failure in ((1.45, False), (1.55, True)):
        losses = np.concatenate([np.full(200, 1.0), np.full(100, end)])
        found = detect_instability(losses)[-1]
        assert (found.value, found.is_failure) == (pytest.approx(end - 1.0), is_failure)


def test_spikes_by_hand() -> None:
    """Losses of 1, 1.1 and 0.9 in turn: median 1, deviation 0.1, so 1.6 is 0.6 / 0.14826."""
    losses = np.tile([1.0, 1.1, 0.9], 20)
    losses[45] = 1.6
    assert detect_instability(losses)[1].value == pytest.approx(0.6 / 0.14826)
    losses[45] = 2.6
    assert detect_instability(losses)[1].value == pytest.approx(1.6 / 0.14826)
    assert detect_instability(losses)[1].is_failure


def test_small_jumps_of_a_still_loss_are_no_spikes() -> None:
    """A tenth is none, though nothing moved before; a half is one."""
    still = np.ones(100)
    still[50] = 1.1
    assert not detect_instability(still)[1].is_failure
    still[50] = 1.5
    assert detect_instability(still)[1].value == np.inf


def test_the_scale_of_losses_does_not_matter() -> None:
    """A thousandth of the losses and norms gives the same values."""
    losses, norms = healthy(0)
    a, b = detect_instability(losses, norms), detect_instability(losses / 1e3, norms / 1e3)
    for one, other in zip(a, b, strict=True):
        assert one.value == pytest.approx(other.value)


def test_short_histories_are_not_judged() -> None:
    """But NaN is found at the first step."""
    found = detect_instability(np.array([1.0, 9.0, 1.0]))
    assert [d.detector for d in found] == ["values not finite", "loss spike", "progress lost"]
    assert not any_failure(found)
    assert found[-1].verdict == "Too few steps to tell (progress lost could not be measured)."
    assert failures(detect_instability(np.array([np.nan]))) == {"values not finite"}


def test_histories_that_do_not_fit_are_refused() -> None:
    """Empty, or of different length."""
    with pytest.raises(DataError, match=r"losses must be of shape \(n_steps,\); \(0,\) arrived"):
        detect_instability(np.zeros(0))
    with pytest.raises(DataError, match=r"2 losses, but gradient norms of shape \(3,\)"):
        detect_instability(np.ones(2), np.ones(3))


@pytest.mark.parametrize("least", [0.805, 0.795])
def test_progress_lost_has_no_cliff(least: float) -> None:
    """A hundredth more or less progress makes no other verdict."""
    losses = np.concatenate([np.full(50, 1.0), np.full(50, least), np.full(50, 0.93)])
    lost = detect_instability(losses)[-1]
    assert lost.detector == "progress lost"
    assert lost.value == pytest.approx(0.22, abs=0.02)
