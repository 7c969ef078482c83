"""Several processes: they share batches and masks, train what one would, and end together."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_training import CONFIG, make_source
from typer.testing import CliRunner

from survey_tools.cli import app
from survey_tools.errors import ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.chance import keyed_generator
from survey_tools.mae.checkpoint import read_checkpoint
from survey_tools.mae.history import read_history
from survey_tools.mae.methods import METHODS, Method, Sampling, build_method
from survey_tools.mae.processes import (
    ALONE,
    LostProcessError,
    Processes,
    notice_lost_process,
)

IMAGES = torch.from_numpy(make_source().images.images)  # (12, 1, 8, 8)
N_STEPS = 8
BOTH = Processes(rank=0, n_ranks=2)


def build(name: str, sampling: Sampling = "uniform") -> Method:
    """Draw a method that is ready to be trained."""
    options = {"n_codes": 8} if name == "tokens" else {}
    method = build_method(name, CONFIG, generator=keyed_generator(0), sampling=sampling, **options)
    method.prepare(IMAGES, generator=keyed_generator(1))
    return method


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_batches_of_processes_are_those_of_one(n_ranks: int) -> None:
    """Every n_ranks-th image of each batch, in its order, in every epoch."""
    one = BatchPlan(batch_size=6, is_training=True, seed=4)
    for rank in range(n_ranks):
        own = BatchPlan(
            batch_size=6 // n_ranks, is_training=True, seed=4, rank=rank, n_ranks=n_ranks
        )
        for epoch in (0, 1):
            pairs = zip(one.split(26, epoch=epoch), own.split(26, epoch=epoch), strict=True)
            assert all(whole[rank::n_ranks].tolist() == part.tolist() for whole, part in pairs)


@pytest.mark.parametrize("sampling", ["uniform", "block", "grid"])
@pytest.mark.parametrize("n_ranks", [2, 3])
def test_masks_of_processes_are_those_of_one(sampling: Sampling, n_ranks: int) -> None:
    """Image by image, so that the number of processes hides nothing else."""
    method = build("mae", sampling)
    whole = method.draw_mask(IMAGES, generator=keyed_generator(2))
    for rank in range(n_ranks):
        method.share_batches(rank=rank, n_ranks=n_ranks)
        part = method.draw_mask(IMAGES[rank::n_ranks], generator=keyed_generator(2))
        assert torch.equal(part.visible, whole.visible[rank::n_ranks])
        assert torch.equal(part.masked, whole.masked[rank::n_ranks])


@pytest.mark.parametrize("name", METHODS)
def test_gradients_of_processes_have_the_mean_of_one(name: str) -> None:
    """What DistributedDataParallel averages is the gradient of the whole batch, for each method."""
    whole, shares = build(name), [build(name), build(name)]
    whole.compute_loss(IMAGES, generator=keyed_generator(3)).loss.backward()
    for rank, share in enumerate(shares):
        share.share_batches(rank=rank, n_ranks=2)
        share.compute_loss(IMAGES[rank::2], generator=keyed_generator(3)).loss.backward()
    for wanted, *parts in zip(*(method.parameters() for method in (whole, *shares)), strict=True):
        if wanted.grad is None:
            assert parts[0].grad is parts[1].grad is None
        else:
            mean = (parts[0].grad + parts[1].grad) / 2
            torch.testing.assert_close(mean, wanted.grad, rtol=1e-4, atol=1e-6)


def test_ranks_are_counted_from_0() -> None:
    """A rank beyond the processes is refused."""
    with pytest.raises(ParameterError, match="rank=2 of 2 processes: they are counted from 0"):
        build("mae").share_batches(rank=2, n_ranks=2)


def test_only_a_failed_exchange_is_a_lost_process() -> None:
    """Other errors pass as they are, and a process alone has lost nobody."""
    gloo = "[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:8580"
    message = "another of the 2 processes"
    with pytest.raises(LostProcessError, match=message) as caught, notice_lost_process(BOTH):
        raise RuntimeError(gloo)
    assert "\n" not in str(caught.value)
    other = "mat1 and mat2 shapes cannot be multiplied"
    with pytest.raises(RuntimeError, match=other), notice_lost_process(BOTH):
        raise RuntimeError(other)
    with pytest.raises(RuntimeError, match="gloo"), notice_lost_process(ALONE):
        raise RuntimeError(gloo)


def arguments(out: Path, n_steps: int) -> list[str]:
    """Write the command without its program: the preset of digits, on the CPU."""
    steps = ["--steps", str(n_steps), "--device", "cpu"]
    return ["mae", "train", "-o", str(out), "--preset", "digits", *steps]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process with one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def test_two_processes_end_as_one(tmp_path: Path) -> None:
    """By torchrun and Gloo, the same global batch: losses and weights are equal up to rounding.

    Means over half batches are averaged, which sums in another order than one mean; AdamW
    divides a gradient by its own size, which makes much of the rounding where the gradient is
    next to 0. Where it is exactly 0 rounding is all there is, and a step as long as any other
    goes where that points to: so with the biases of keys, which add the same to the scores of
    all keys and are without effect after a softmax. They stay within the sum of the rates.
    """
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node=2", "-m", "survey_tools"]
    done = subprocess.run(
        [*command, *arguments(tmp_path / "two", N_STEPS)],
        capture_output=True, text=True, timeout=300, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"mae on digits: {N_STEPS} steps, loss ")
    assert done.stdout.count("\n") == 1  # the first process alone talks
    alone = CliRunner().invoke(app, arguments(tmp_path / "one", N_STEPS))
    assert alone.exit_code == 0, alone.output

    one, two = (read_history(tmp_path / name / "history.csv") for name in ("one", "two"))
    assert len(one) == len(two) == N_STEPS
    assert [row.loss for row in two] == pytest.approx([row.loss for row in one], rel=1e-5)
    norms = [row.gradient_norm for row in one]
    assert [row.gradient_norm for row in two] == pytest.approx(norms, rel=1e-4)
    variances = [row.parts["target_variance"] for row in one]  # of halves: their mean is near
    assert [row.parts["target_variance"] for row in two] == pytest.approx(variances, rel=1e-2)

    weights, others = (
        read_checkpoint(tmp_path / name / "checkpoint.pt").weights for name in ("one", "two")
    )
    furthest = sum(row.rate for row in one)
    assert weights.keys() == others.keys()
    for name, wanted in weights.items():
        pairs = [(wanted, others[name])]
        if name.endswith("qkv.bias"):
            (query, key, value), theirs = wanted.chunk(3), others[name].chunk(3)
            assert (key - theirs[1]).abs().max() < 2 * furthest
            pairs = [(query, theirs[0]), (value, theirs[2])]
        for ours, other in pairs:
            torch.testing.assert_close(other, ours, rtol=0, atol=1e-5, msg=name)


def test_processes_that_do_not_see_one_checkpoint_are_refused(tmp_path: Path) -> None:
    """As on machines without a shared disk: one would go on, the other begin anew."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from small_training import make_method, make_recipe, make_source\n"
        "from survey_tools.mae.processes import join_processes\n"
        "from survey_tools.mae.training import Trainer\n"
        "with join_processes('cpu') as processes:\n"
        "    trainer = Trainer(make_method(), make_source(), make_recipe(), processes=processes)\n"
        "    trainer.step = 4 * (processes.rank == 0)\n"
        "    try:\n"
        "        trainer.run()\n"
        "    except Exception as error:\n"
        "        Path(sys.argv[1], str(processes.rank)).write_text(str(error))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [*torchrun, "--nproc-per-node=2", str(script), str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False, env=environment(PYTHONPATH=here),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    for rank in "01":
        message = (tmp_path / rank).read_text()
        assert "the processes would begin after steps 4, 0: not all see the checkpoint" in message


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_process_that_is_killed_ends_the_other(tmp_path: Path, lost: int) -> None:
    """Within seconds and by one line; the first process saves the last whole step before."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    out = tmp_path / "out"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "survey_tools", *arguments(out, 100_000)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(
                RANK=rank, LOCAL_RANK=rank, WORLD_SIZE="2",
                MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
            ),
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    try:
        _wait_for_steps(out / "history.csv", processes[0])
        processes[lost].send_signal(signal.SIGKILL)
        left = processes[1 - lost]
        stdout, stderr = left.communicate(timeout=60)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert left.returncode == 1, stderr
    assert stdout == ""
    assert stderr.startswith("error: another of the 2 processes of this training has ended")
    assert stderr.count("\n") == 1
    if lost == 1:
        saved = read_checkpoint(out / "checkpoint.pt")
        assert saved.step == read_history(out / "history.csv")[-1].step >= 3
        assert f"; step {saved.step} is saved in {out / 'checkpoint.pt'}" in stderr


def _wait_for_steps(history: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until three steps have been done."""
    ends = time.monotonic() + 200.0
    while not (history.exists() and history.read_text(encoding="utf-8").count("\n") > 3):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < ends, "no step was done in 200 s"
        time.sleep(0.05)
