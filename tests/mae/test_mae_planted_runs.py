"""Detectors on real trainings on digits: all that is planted is found, no healthy run is flagged.

Each training runs by the command's own loop, healthy or with one failure planted in it, and every
detector that applies is asked. Ten seeds of each are marked slow; shorter trainings of seed 0 run
always.
"""

import pytest
from planted_failures import train_on_digits

from survey_tools.mae.methods import METHODS

# Steps at which the signatures are clear in all seeds: a leak needs some 250 until its loss is
# too low to be true, a missing stop of the gradient some 300 until its features are one point,
# latents some 100 until more is learnt than the mean patch
N_STEPS = {
    "mae": 300,
    "latents": 400,
    "simmim": 300,
    "maskfeat": 300,
    "tokens": 300,
    "leaking-mask-tokens": 300,
    "no-stop-gradient": 400,
    "no-positions": 150,
    "visible-loss": 150,
    "ruinous-rate": 300,
    "rate-surge": 150,
    "damaged-image": 60,  # more than an epoch, so that the image has its turn
}
SHORT = 64
SEEDS = range(10)
COLLAPSE = {"effective rank", "spread", "uniformity"}
LEAK = {"gradient at masked pixels", "change by swapping masked content"}
UNLEARNT = "masked loss beside variance"


def full(*names: str) -> list[object]:
    """List the full trainings of ten seeds, all slow."""
    return [
        pytest.param(name, seed, N_STEPS[name], marks=pytest.mark.slow, id=f"{name}, seed {seed}")
        for name in names
        for seed in SEEDS
    ]


def short(*names: str) -> list[object]:
    """List a short training of one seed, not slow."""
    return [pytest.param(name, 0, SHORT, id=f"{name}, short") for name in names]


@pytest.mark.parametrize(("name", "seed", "n_steps"), short("mae", "tokens") + full(*METHODS))
def test_no_detector_flags_a_healthy_run(name: str, seed: int, n_steps: int) -> None:
    """None of eleven: of history, features, leaks, and of losses that are squared errors."""
    found = train_on_digits(name, seed, n_steps)
    assert len(found.record.losses) == n_steps
    assert len(found.detections) == (9 if name == "tokens" else 11)
    assert found.failures == set(), found.detections


@pytest.mark.parametrize(("name", "seed", "n_steps"), full("leaking-mask-tokens"))
def test_a_leak_is_proved_and_its_loss_is_suspected(name: str, seed: int, n_steps: int) -> None:
    """By both exact tests and by the masked loss; features and history look healthy."""
    assert train_on_digits(name, seed, n_steps).failures == LEAK | {"masked loss"}


@pytest.mark.parametrize(("name", "seed", "n_steps"), short("leaking-mask-tokens"))
def test_a_leak_is_proved_before_its_loss_is_suspected(name: str, seed: int, n_steps: int) -> None:
    """After 64 steps the loss is still above what neighbours make credible."""
    assert train_on_digits(name, seed, n_steps).failures == LEAK


@pytest.mark.parametrize(("name", "seed", "n_steps"), full("no-stop-gradient"))
def test_a_missing_stop_shows_in_the_spread_alone(name: str, seed: int, n_steps: int) -> None:
    """Features shrink towards one point in all directions alike.

    So rank and uniformity stay those of a random network, and no other detector sees it: the
    targets shrink with the loss, which is therefore low beside nothing, and the history is calm.
    """
    found = train_on_digits(name, seed, n_steps)
    assert found.failures == {"spread"}
    assert (
        found.detections["effective rank"].value > 2 * found.detections["effective rank"].threshold
    )
    assert found.record.losses[-1] < 1e-3 * found.record.losses[0]


@pytest.mark.parametrize(
    ("name", "seed", "n_steps"),
    short("no-positions", "visible-loss") + full("no-positions", "visible-loss"),
)
def test_what_cannot_be_told_of_masked_patches_is_seen(name: str, seed: int, n_steps: int) -> None:
    """Without positions, or with a loss on visible patches, no more is told than the mean patch.

    Features look healthy, and so does the history: the loss that is trained falls.
    """
    found = train_on_digits(name, seed, n_steps)
    assert found.failures == {UNLEARNT}
    assert found.record.losses[-1] < found.record.losses[0]


@pytest.mark.parametrize(("name", "seed", "n_steps"), short("ruinous-rate") + full("ruinous-rate"))
def test_a_ruinous_rate_collapses_the_features(name: str, seed: int, n_steps: int) -> None:
    """By one of the three measures at least, while every value of the history is finite."""
    found = train_on_digits(name, seed, n_steps)
    assert found.failures & COLLAPSE, found.detections
    assert "values not finite" not in found.failures


@pytest.mark.parametrize(("name", "seed", "n_steps"), short("rate-surge") + full("rate-surge"))
def test_a_surge_of_the_rate_is_a_spike(name: str, seed: int, n_steps: int) -> None:
    """In loss and gradient, from the step after the first of the surge on; nothing leaks by it."""
    found = train_on_digits(name, seed, n_steps)
    assert found.failures >= {"loss spike", "gradient norm"}
    assert not found.failures & (LEAK | {"masked loss", "values not finite"})
    assert found.record.losses[n_steps // 2 + 1] > 1.2 * found.record.losses[n_steps // 2]


@pytest.mark.parametrize(
    ("name", "seed", "n_steps"), short("damaged-image") + full("damaged-image")
)
def test_a_damaged_image_is_found_where_it_was_met(name: str, seed: int, n_steps: int) -> None:
    """The training ends at the step whose loss is not finite, and the history shows that step."""
    found = train_on_digits(name, seed, n_steps)
    assert found.record.has_diverged
    assert len(found.record.losses) < n_steps
    verdict = found.detections["values not finite"]
    assert verdict.is_failure
    assert f"infinite from step {len(found.record.losses) - 1} on" in verdict.verdict
    assert not found.failures & (COLLAPSE | LEAK | {"loss spike", "gradient norm"})
