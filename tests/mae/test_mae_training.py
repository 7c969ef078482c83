"""The training loop: what a step does, parts of batches, NaN, interrupts, several processes."""

import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import (
    CONFIG,
    losses,
    make_method,
    make_recipe,
    make_source,
    make_trainer,
    train,
    weights_of,
)
from torch import Tensor

from survey_tools.errors import ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.chance import MASKS, keyed_generator
from survey_tools.mae.checkpoint import read_checkpoint
from survey_tools.mae.history import HistoryRow, HistoryWriter, read_history
from survey_tools.mae.methods import METHODS, StepResult, build_method
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.processes import Processes, choose_device
from survey_tools.mae.training import DivergedError, Trainer


class BreakingMethod(MaeMethod):
    """Its loss is NaN from the fifth call on."""

    n_calls = 0

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        result = super().compute_loss(images, generator=generator)
        self.n_calls += 1
        factor = float("nan") if self.n_calls >= 5 else 1.0
        return StepResult(loss=result.loss * factor, n_images=len(images), parts={})


class CountingMethod(MaeMethod):
    """Notes what the loop asks of it."""

    fits_images = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.prepared: list[int] = []
        self.told: list[float] = []
        self.sizes: list[int] = []

    def prepare(self, images: Tensor, *, generator: torch.Generator) -> None:
        super().prepare(images, generator=generator)
        self.prepared.append(len(images))

    def compute_loss(self, images: Tensor, *, generator: torch.Generator) -> StepResult:
        self.sizes.append(len(images))
        return super().compute_loss(images, generator=generator)

    def after_step(self, *, progress: float) -> None:
        self.told.append(progress)


def test_first_step_by_hand() -> None:
    """The batch and masks of the key, one AdamW step at the rate of the warm-up's first step."""
    trainer = make_trainer()
    row = train(trainer, save_every=1)[0]

    method, recipe = make_method(), make_recipe()
    plan = BatchPlan(batch_size=4, is_training=True, seed=0)
    batch = next(make_source().batches(plan, epoch=0, first=0))
    result = method.compute_loss(
        torch.from_numpy(batch.images), generator=keyed_generator(0, MASKS, 0, 0)
    )
    result.loss.backward()
    norm = torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None]).norm()
    assert row.loss == result.loss.item()
    assert row.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    assert row.rate == pytest.approx(recipe.base_rate / 64 / 2)
    assert row.parts == dict(result.parts)
    assert (row.step, row.epoch) == (1, pytest.approx(1 / 3))


def test_loop_tells_the_method_what_it_must_know() -> None:
    """Prepared once from at most the data, told of progress after each step, whole batches."""
    method = make_method(kind=CountingMethod)
    train(make_trainer(method=method))
    assert method.prepared == [12]
    assert method.told == [pytest.approx((i + 1) / 10) for i in range(10)]
    assert method.sizes == [4] * 10


def test_same_seed_gives_the_same_losses_and_another_seed_others() -> None:
    """Order, crops and masks hang on the recipe's seed alone."""
    first, again = train(make_trainer()), train(make_trainer())
    other = train(make_trainer(make_recipe(seed=1)))
    assert losses(first) == losses(again)
    assert losses(first) != losses(other)


def test_loss_falls_below_the_variance_of_the_target() -> None:
    """Noise cannot be predicted, but twelve images can be learned by heart."""
    rows = train(make_trainer(make_recipe(length=400, base_rate=1.0)))
    assert sum(losses(rows)[-20:]) / 20 < 0.96 * rows[-1].parts["target_variance"]


def test_parts_of_a_batch_sum_up_to_the_whole() -> None:
    """Gradients and losses of four images at once, and of three and one."""
    method = make_method(kind=CountingMethod)
    parts = make_trainer(make_recipe(micro_batch=3, length=1, warmup=0), method=method)
    whole = make_trainer(make_recipe(length=1, warmup=0))
    assert losses(train(parts)) == pytest.approx(losses(train(whole)), rel=1e-6)
    assert method.sizes == [3, 1]
    pairs = list(zip(method.parameters(), whole.method.parameters(), strict=True))
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-7)
    assert any(bool(ours.grad.any()) for ours, _ in pairs if ours.grad is not None)


def test_clipping_bounds_what_a_step_sees_but_not_what_is_reported() -> None:
    """The norm in the history is the one before clipping."""
    free, clipped = make_trainer(), make_trainer(make_recipe(clip_norm=1e-3))
    assert train(free)[0].gradient_norm == pytest.approx(train(clipped)[0].gradient_norm)
    assert not torch.equal(weights_of(free), weights_of(clipped))


def test_bf16_keeps_weights_and_loss_in_single_precision() -> None:
    """The losses are near those of fp32, and not the same."""
    single, half = make_trainer(), make_trainer(make_recipe(precision="bf16"))
    wanted, rows = train(single), train(half)
    assert losses(rows) != losses(wanted)
    assert losses(rows) == pytest.approx(losses(wanted), rel=0.05)
    assert {p.dtype for p in half.method.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_resumes(name: str, tmp_path: Path) -> None:
    """Stopped after four steps, all five go on as if they had not been."""
    recipe = make_recipe(length=6)
    options = {"n_codes": 8} if name == "tokens" else {}

    def trainer() -> Trainer:
        method = build_method(name, CONFIG, generator=torch.Generator().manual_seed(0), **options)
        return Trainer(method, make_source(), recipe, options=options)

    wanted = losses(train(trainer()))

    def stop(row: HistoryRow) -> None:
        if row.step == 4:
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        trainer().run(report=stop, checkpoint=path)
    resumed = trainer()
    resumed.restore(read_checkpoint(path), path=path)
    assert losses(train(resumed)) == wanted[4:]


def test_nan_stops_and_names_the_last_good_checkpoint(tmp_path: Path) -> None:
    """The file is that of step 4, and its weights are finite."""
    path = tmp_path / "checkpoint.pt"
    trainer = make_trainer(method=make_method(kind=BreakingMethod))
    with pytest.raises(DivergedError, match=r"the loss is not finite at step 5 of 10") as caught:
        train(trainer, checkpoint=path, save_every=2)
    assert f"the last good checkpoint is {path}" in str(caught.value)
    assert read_checkpoint(path).step == 4


def test_nan_before_the_first_save_leaves_the_last_whole_step(tmp_path: Path) -> None:
    """The optimiser has not stepped, so the network is that of step 4."""
    path = tmp_path / "checkpoint.pt"
    trainer = make_trainer(method=make_method(kind=BreakingMethod))
    with pytest.raises(DivergedError, match="the last good checkpoint is"):
        train(trainer, checkpoint=path)
    assert read_checkpoint(path).step == 4


def test_the_history_shows_where_a_training_diverged(tmp_path: Path) -> None:
    """Its last row is of the step that was not done; a resumed training takes it out."""
    rows: list[HistoryRow] = []
    path = tmp_path / "history.csv"
    writer = HistoryWriter(path)

    def report(row: HistoryRow) -> None:
        rows.append(row)
        writer.append(row)

    trainer = make_trainer(method=make_method(kind=BreakingMethod))
    with pytest.raises(DivergedError) as caught:
        trainer.run(report=report)
    writer.close()
    assert caught.value.row is rows[-1]
    assert [row.step for row in rows] == [1, 2, 3, 4, 5]
    assert trainer.step == 4
    read = read_history(path)
    assert [math.isnan(row.loss) for row in read] == [False] * 4 + [True]
    HistoryWriter(path, after_step=4).close()
    assert read_history(path) == read[:4]


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    """A rate beyond measure breaks the weights while the loss before the step was sound."""
    path = tmp_path / "checkpoint.pt"
    trainer = make_trainer(make_recipe(base_rate=1e38, warmup=0, weight_decay=1e38))
    with pytest.raises(
        DivergedError, match=r"not finite at step 1 of 10 .* there is no checkpoint"
    ):
        train(trainer, checkpoint=path, save_every=1)
    assert not path.exists()


def test_ctrl_c_waits_for_the_step_and_saves(tmp_path: Path) -> None:
    """The signal comes in the middle of step 3; the checkpoint is of step 3, whole."""
    path = tmp_path / "checkpoint.pt"

    class Interrupted(MaeMethod):
        def after_step(self, *, progress: float) -> None:
            if progress == pytest.approx(0.3):
                os.kill(os.getpid(), signal.SIGINT)

    trainer = make_trainer(method=make_method(kind=Interrupted))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(trainer, checkpoint=path)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = make_trainer(method=make_method(kind=Interrupted))
    resumed.restore(read_checkpoint(path), path=path)
    assert resumed.step == 3
    assert losses(train(resumed)) == losses(train(make_trainer()))[3:]


def test_training_runs_outside_the_main_thread() -> None:
    """Where no handler of signals can be set."""
    found: list[list[HistoryRow]] = []
    thread = threading.Thread(target=lambda: found.append(train(make_trainer())))
    thread.start()
    thread.join()
    assert losses(found[0]) == losses(train(make_trainer()))


def test_batch_larger_than_the_data_is_refused() -> None:
    """With both numbers."""
    with pytest.raises(ParameterError, match="a batch of 13 images is larger than the data"):
        make_trainer(make_recipe(batch_size=13))


def test_batch_must_be_shared_evenly() -> None:
    """Four images among three processes."""
    with pytest.raises(ParameterError, match="4 images cannot be shared evenly among 3 processes"):
        make_trainer(processes=Processes(rank=0, n_ranks=3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_asked_and_absent_is_refused() -> None:
    """By a sentence that says what to do; auto takes the CPU."""
    with pytest.raises(ParameterError, match=r"finds no GPU; take --device cpu"):
        choose_device("cuda")
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    """Allowed are four forms."""
    with pytest.raises(ParameterError, match="cpu, cuda, cuda:NUMBER or auto is wanted"):
        choose_device(name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own compiler warns of its own doings
def test_compiled_blocks_give_the_same_losses() -> None:
    """Up to rounding."""
    wanted = losses(train(make_trainer(make_recipe(length=3))))
    rows = train(make_trainer(make_recipe(length=3, compiled=True)))
    assert losses(rows) == pytest.approx(wanted, rel=1e-4)
