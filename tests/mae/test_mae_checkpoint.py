"""Checkpoints and histories: whole or not at all, exact, and of the training that is asked."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_training import CONFIG, losses, make_method, make_recipe, make_trainer, train

from survey_tools.errors import DataError, OutputError
from survey_tools.mae.checkpoint import read_checkpoint, write_checkpoint
from survey_tools.mae.history import HistoryRow, HistoryWriter, read_history
from survey_tools.mae.processes import ALONE
from survey_tools.mae.training import Trainer


def save(path: Path) -> Path:
    """Train to the end and write the checkpoint."""
    train(make_trainer(), checkpoint=path)
    return path


def make_row(step: int, loss: float = 0.1, **parts: float) -> HistoryRow:
    return HistoryRow(
        step=step, epoch=step / 3, loss=loss, rate=1e-3, gradient_norm=2.0, images_per_s=9.5,
        parts=parts,
    )  # fmt: skip


def test_checkpoint_round_trips(tmp_path: Path) -> None:
    """Config, recipe, step and every tensor; no partial file is left."""
    path = save(tmp_path / "checkpoint.pt")
    found = read_checkpoint(path)
    assert (found.method, found.config, found.recipe, found.step) == (
        "mae",
        CONFIG,
        make_recipe(),
        10,
    )
    write_checkpoint(tmp_path / "again.pt", found)
    again = read_checkpoint(tmp_path / "again.pt")
    assert all(torch.equal(again.weights[name], value) for name, value in found.weights.items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.pt", "checkpoint.pt"]


def test_failed_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of the file."""
    path = save(tmp_path / "checkpoint.pt")
    before = path.read_bytes()

    def fill(_data: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    found = read_checkpoint(path)
    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        write_checkpoint(path, found)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    """Missing, text, cut off, another kind of file, code in a pickle."""
    path = save(tmp_path / "checkpoint.pt")
    with pytest.raises(DataError, match="no such file"):
        read_checkpoint(tmp_path / "none.pt")
    for content in (b"", b"hello", path.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is no checkpoint, or damaged"):
            read_checkpoint(path)
    torch.save({"format": 99}, path)
    with pytest.raises(DataError, match="no checkpoint of this version"):
        read_checkpoint(path)
    torch.save({"format": 2, "method": "mae"}, path)
    with pytest.raises(DataError, match="is no whole checkpoint"):
        read_checkpoint(path)
    torch.save(make_method(), path)
    with pytest.raises(DataError, match="is no checkpoint, or damaged"):
        read_checkpoint(path)


def test_checkpoint_of_another_training_is_refused_by_field(tmp_path: Path) -> None:
    """Config, recipe and processes; the checkpoint's value first."""
    path = save(tmp_path / "checkpoint.pt")
    found = read_checkpoint(path)
    for recipe, text in (
        (make_recipe(batch_size=6), "batch_size: 4 and 6"),
        (make_recipe(seed=2, length=11), "length: 10 and 11; seed: 0 and 2"),
    ):
        with pytest.raises(DataError, match=text):
            make_trainer(recipe).restore(found, path=path)
    other = dataclasses.replace(found, config=dataclasses.replace(CONFIG, decoder_depth=2))
    with pytest.raises(DataError, match=r"decoder_depth: 2 and 1\. Ask for the same"):
        make_trainer().restore(other, path=path)
    for change, text in (
        ({"n_ranks": 2}, "n_ranks: 2 and 1"),
        ({"method": "simmim"}, "method: 'simmim' and 'mae'"),
        ({"options": {"sampling": "grid"}}, "options: .*grid.* and {}"),
    ):
        with pytest.raises(DataError, match=text):
            make_trainer(processes=ALONE).restore(dataclasses.replace(found, **change), path=path)


def test_history_reads_back_exactly(tmp_path: Path) -> None:
    """Numbers to the last bit, NaN and infinity too, a method's own numbers by name."""
    rows = (make_row(1, 0.1 + 0.2, b=1 / 3, a=2.0), make_row(2, float("inf"), b=1e-300, a=-0.0))
    writer = HistoryWriter(tmp_path / "history.csv")
    for row in rows:
        writer.append(row)
    writer.close()
    assert read_history(tmp_path / "history.csv") == rows
    header = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "step,epoch,loss,rate,gradient_norm,images_per_s,part.a,part.b"


def test_history_drops_what_is_drawn_again(tmp_path: Path) -> None:
    """Rows after the checkpoint, and a line that a kill cut off."""
    path = tmp_path / "history.csv"
    writer = HistoryWriter(path)
    for step in range(1, 6):
        writer.append(make_row(step))
    writer.close()
    path.write_bytes(path.read_bytes() + b"6,2.0,0.")
    assert [row.step for row in read_history(path)] == [1, 2, 3, 4, 5]
    writer = HistoryWriter(path, after_step=3)
    writer.append(make_row(4, loss=7.0))
    writer.close()
    assert [(row.step, row.loss) for row in read_history(path)] == [
        (1, 0.1), (2, 0.1), (3, 0.1), (4, 7.0),
    ]  # fmt: skip


def test_damaged_histories_are_refused(tmp_path: Path) -> None:
    """By file and line; a method must not change what it reports."""
    path = tmp_path / "history.csv"
    writer = HistoryWriter(path)
    writer.append(make_row(1, a=1.0))
    with pytest.raises(OutputError, match="step 2 reports b, unlike the steps before"):
        writer.append(make_row(2, b=1.0))
    writer.close()
    path.write_text(path.read_text().replace("2.0,9.5", "2.0,x"))
    with pytest.raises(DataError, match=r"history\.csv:2: is damaged"):
        read_history(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no history of a training"):
        read_history(path)
    with pytest.raises(DataError, match="no such file"):
        read_history(tmp_path / "none.csv")


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
import torch
torch.set_num_threads(1)
from small_training import make_recipe, make_trainer
from survey_tools.mae.checkpoint import read_checkpoint
from survey_tools.mae.history import HistoryWriter
out = Path({out!r})
path = out / "checkpoint.pt"
trainer = make_trainer(make_recipe(length=100_000))
if path.exists():
    trainer.restore(read_checkpoint(path), path=path)
writer = HistoryWriter(out / "history.csv", after_step=trainer.step)
trainer.run(report=writer.append, checkpoint=path, save_every=7)
"""


def test_losses_after_kill_9_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    """Two processes are killed without a warning; the third run has every loss to the last bit."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folder=str(Path(__file__).parent), out=str(tmp_path)))
    history = tmp_path / "history.csv"
    for at_least in (20, 40):
        process = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while not history.exists() or len(history.read_bytes().splitlines()) < at_least:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    recipe = make_recipe(length=100_000)
    path = tmp_path / "checkpoint.pt"
    found = read_checkpoint(path)
    assert found.step % 7 == 0
    assert found.step >= 14

    def run(trainer: Trainer, last: int) -> list[HistoryRow]:
        rows: list[HistoryRow] = []

        def report(row: HistoryRow) -> None:
            rows.append(row)
            if row.step == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trainer.run(report=report)
        return rows

    resumed = make_trainer(recipe)
    resumed.restore(found, path=path)
    last = found.step + 10
    written = [row for row in read_history(history) if row.step <= found.step]
    wanted = run(make_trainer(recipe), last)
    assert losses([*written, *run(resumed, last)]) == losses(wanted)
