"""The commands mae train, mae probe and mae bench: what they print, write and refuse."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_training import CONFIG
from typer.testing import CliRunner, Result

from survey_tools.cli.mae import mae_app
from survey_tools.cli.mae_bar import describe_step
from survey_tools.mae.checkpoint import read_checkpoint
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.published_folder import write_folder
from survey_tools.output import digest_of_file

SMALL = ("--set", "config.encoder_width=16", "--set", "config.encoder_depth=1")
SMALL += ("--batch", "64", "--device", "cpu")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(mae_app, [str(argument) for argument in arguments])


def train(out: Path, *arguments: object, steps: int = 6) -> Result:
    return invoke("train", "-o", out, "--steps", steps, *SMALL, *arguments)


def error_of(result: Result) -> str:
    """Return the message of a command that fails as it should: one line."""
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").rstrip("\n")


def make_folder(root: Path, *, n: int = 6) -> Path:
    """Write small images of noise in two classes, for training and validation."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def test_train_writes_state_history_plot_and_manifest(tmp_path: Path) -> None:
    """The manifest has the digest of every file; the history a row a step."""
    out = tmp_path / "run"
    result = train(out, "--mask-ratio", 0.5, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("mae on digits: 6 steps, loss ")
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "checkpoint.pt", "config.json", "detections.csv", "history.csv", "history.png",
        "history.svg", "manifest.json", "reconstructions.png", "reconstructions.svg",
    ]  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"] == "mae train"
    assert manifest["outputs"] == {
        name: digest_of_file(out / name) for name in names if name != "manifest.json"
    }
    settings = manifest["settings"]
    assert settings == json.loads((out / "config.json").read_text())
    assert settings["config"]["mask_ratio"] == 0.5
    assert (settings["recipe"]["seed"], settings["recipe"]["warmup"]) == (3, 1)
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert "part.target_variance" in rows[0]
    assert read_checkpoint(out / "checkpoint.pt").step == 6


def test_train_says_what_its_detectors_find(tmp_path: Path) -> None:
    """After six steps nothing is learnt but the mean patch: stderr says so, the table all else."""
    result = train(tmp_path / "run")
    with (tmp_path / "run" / "detections.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["detector"] for row in rows] == [
        "values not finite", "loss spike", "gradient norm", "progress lost", "effective rank",
        "spread", "uniformity", "gradient at masked pixels", "change by swapping masked content",
        "masked loss", "masked loss beside variance",
    ]  # fmt: skip
    failures = [row["verdict"] for row in rows if row["is_failure"] == "True"]
    assert [verdict.split(":")[0] for verdict in failures] == [
        "Nothing is learnt but the mean patch"
    ]
    assert result.stderr == f"WARNING: {failures[0]}\n"  # no bar where there is no terminal


def test_train_does_not_write_over_files_and_resumes_only_its_own(tmp_path: Path) -> None:
    """A folder with files needs --resume, and the same plan."""
    out = tmp_path / "run"
    train(out)
    assert "holds files already" in error_of(train(out))
    message = error_of(train(out, "--resume", steps=7))
    assert "differ in length: 6 and 7. Ask for the same" in message
    assert "encoder_depth: 1 and 2" in error_of(
        train(out, "--resume", "--set", "config.encoder_depth=2")
    )
    assert invoke("train", "-o", out, "--resume", "--device", "cpu", "-q").stdout == ""
    (out / "checkpoint.pt").unlink()  # as if stopped before the first
    message = error_of(train(out, "--resume", "--set", "recipe.base_rate=1e-3"))
    assert "config.json and what is asked differ in base_rate: 0.004 and 0.001" in message
    assert "--preset has no meaning with --resume" in error_of(
        invoke("train", "-o", out, "--resume", "--preset", "digits")
    )
    assert "holds no training to go on with" in error_of(
        invoke("train", "-o", tmp_path / "none", "--resume")
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--method", "mea"], "method 'mea' is not known; did you mean 'mae'?"),
        (["--preset", "digit"], "preset 'digit' is not known; did you mean 'digits'?"),
        (["--data", "imagenet-1k"], "name your folder that holds train/ and val/"),
        (["--data", "no/such/folder"], "no/such/folder: no such folder"),
        (["--mask-ratio", "1"], "nothing would be visible"),
        (["--precision", "fp16"], "one of fp32, bf16 is wanted"),
        (["--batch", "5000"], "a batch of 5,000 images is larger than the data (1,347 images)"),
        (["--set", "base_rate=1"], "base_rate: name a field as recipe.NAME"),
        (["--set", "recipe.base_rat=1"], "did you mean 'base_rate'?"),
        (["--set", "method.samplin=grid"], "did you mean 'sampling'?"),
        (["--set", "config.n_channels=3"], "digits has images of 1 x 8 x 8"),
        (["--data", "shapes", "--preset", "digits"], "textured shapes need 16 pixels"),
    ],
)
def test_train_refuses_in_one_line(tmp_path: Path, arguments: list[str], text: str) -> None:
    """Before any file is made."""
    out = tmp_path / "run"
    assert text in error_of(train(out, *arguments))
    assert not out.exists()


def test_without_torch_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all three commands."""
    monkeypatch.setitem(sys.modules, "torch", None)
    for arguments in (["train", "-o", tmp_path / "run"], ["probe", "x.pt"], ["bench"]):
        assert error_of(invoke(*arguments)) == (
            "torch is not installed, which the commands of mae need: "
            "pip install 'survey-tools[mae]'"
        )


def test_help_loads_no_torch() -> None:
    """Importing the commands neither."""
    code = (
        "import sys; from survey_tools.cli.mae import mae_app\n"
        "try: mae_app(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--mask-ratio" in done.stdout


def test_probe_prints_scores_with_intervals_over_checkpoints(tmp_path: Path) -> None:
    """One line a probe; JSON holds the values of each."""
    for seed in (0, 1):
        train(tmp_path / str(seed), "--seed", seed)
    paths = [tmp_path / str(seed) / "checkpoint.pt" for seed in (0, 1)]
    result = invoke(
        "probe", *paths, "--most-train", 300, "--device", "cpu", "--json", tmp_path / "s.json"
    )
    assert result.exit_code == 0, result.output
    words = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in words] == [
        ["digit", "linear"],
        ["digit", "few"],
        ["digit", "k-NN"],
    ]
    scores: list[dict[str, Any]] = json.loads((tmp_path / "s.json").read_text())["scores"]
    assert [len(score["values"]) for score in scores] == [2, 2, 2]
    assert scores[0]["low"] <= scores[0]["mean"] <= scores[0]["high"]
    assert f"{scores[0]['mean']:.3f} [" in result.stdout


def test_probe_refuses_checkpoints_that_are_no_repeats(tmp_path: Path) -> None:
    """Of other configs, and what is no checkpoint."""
    train(tmp_path / "a")
    train(tmp_path / "b", "--set", "config.encoder_depth=2")
    train(tmp_path / "c", "--set", "method.sampling=grid", steps=5)
    paths = [tmp_path / name / "checkpoint.pt" for name in "abc"]
    message = error_of(invoke("probe", *paths[:2], "--device", "cpu"))
    assert "are not repeats of one training; they differ in encoder_depth: 1 and 2" in message
    message = error_of(invoke("probe", paths[0], paths[2], "--device", "cpu"))
    assert "step: 6 and 5; length: 6 and 5" in message
    assert "{'sampling': 'grid'}" in message
    message = error_of(invoke("probe", paths[0], paths[0], "--device", "cpu"))
    assert "have the same seed, 0: the same training twice says nothing" in message
    assert "no such file" in error_of(invoke("probe", tmp_path / "c.pt"))


def test_folder_is_trained_on_and_probed(tmp_path: Path) -> None:
    """A broken file is named once, and the training goes on without it."""
    data = make_folder(tmp_path / "data", n=60)
    (data / "train" / "a" / "0.png").write_bytes(b"no image")
    out = tmp_path / "run"
    small = ("--set", "config.image_size=16", "--set", "config.patch_size=4")
    small += ("--set", "config.encoder_heads=2", "--set", "config.decoder_width=16")
    small += ("--set", "config.decoder_depth=1", "--set", "config.decoder_heads=2")
    result = train(out, "--data", data, "--batch", 60, *small, "--precision", "fp32", steps=4)
    assert result.exit_code == 0, result.output
    assert "1 of 120 files could not be read: a/0.png" in result.stderr
    plan = json.loads((out / "config.json").read_text())
    assert plan["recipe"]["data"] == str(data.resolve())
    (data / "val" / "b" / "3.png").write_bytes(b"no image")
    report = tmp_path / "report.json"
    options = (
        "--device",
        "cpu",
        "--most-train",
        50,
        "--most-unreadable",
        0.1,
        "--fine-tune",
        2,
        "--json",
        report,
    )
    options += ("--set", "recipe.batch_size=16", "--set", "recipe.base_rate=1e-3")
    result = invoke("probe", out, *options)
    assert result.exit_code == 0, result.output
    words = [line.split("accuracy")[0].split() for line in result.stdout.splitlines()]
    few = ["few", "labels"]
    assert words == [
        ["class", *probe]
        for probe in (["linear"], few, ["k-NN"], ["fine-tune"], ["fine-tune,", *few])
    ]
    assert "1 of 120 files could not be read: b/3.png" in result.stderr
    found = json.loads(report.read_text())
    assert (found["n_train"], found["n_test"]) in ((50, 119), (49, 119))  # with a/0.png, or without
    assert found["tuning"]["recipe"]["base_rate"] == 1e-3


def test_a_folder_that_has_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    """One more image changes every batch to come."""
    data = make_folder(tmp_path / "data", n=20)
    small = ("--set", "config.image_size=16", "--set", "config.patch_size=4", "--data", data)
    small += ("--set", "config.encoder_heads=2", "--set", "config.decoder_width=16")
    small += ("--set", "config.decoder_depth=1", "--set", "config.decoder_heads=2")
    small += ("--batch", 20, "--precision", "fp32")
    assert train(tmp_path / "run", *small, steps=2).exit_code == 0
    first = data / "train" / "a" / "0.png"
    (first.parent / "new.png").write_bytes(first.read_bytes())
    message = error_of(invoke("train", "-o", tmp_path / "run", "--resume", "--device", "cpu"))
    assert "was trained on other images than there are now under the same name" in message


def test_a_share_of_unreadable_files_can_be_allowed(tmp_path: Path) -> None:
    """One of forty is more than the hundredth that is allowed unless more is."""
    data = make_folder(tmp_path / "data", n=20)
    (data / "train" / "a" / "0.png").write_bytes(b"no image")
    small = ("--set", "config.image_size=16", "--set", "config.patch_size=4", "--data", data)
    small += ("--set", "config.encoder_heads=2", "--set", "config.decoder_width=16")
    small += ("--set", "config.decoder_depth=1", "--set", "config.decoder_heads=2")
    small += ("--batch", 40, "--precision", "fp32", "-q")
    assert "or allow more by --most-unreadable" in error_of(train(tmp_path / "a", *small, steps=1))
    result = train(tmp_path / "b", *small, "--most-unreadable", 0.05, steps=1)
    assert result.exit_code == 0, result.output


def test_a_published_model_is_probed(tmp_path: Path) -> None:
    """A folder in the layout of Hugging Face, which does not say what to probe it on."""
    config = dataclasses.replace(CONFIG, positions="learned")
    model = MaskedAutoencoder(config, generator=torch.Generator().manual_seed(0))
    write_folder(model, tmp_path / "model")
    options = ("--most-train", 200, "--device", "cpu")
    assert "give --data" in error_of(invoke("probe", tmp_path / "model", *options))
    result = invoke("probe", tmp_path / "model", "--data", "digits", *options)
    assert result.exit_code == 0, result.output
    assert "digit        linear" in result.stdout
    message = error_of(invoke("probe", tmp_path / "model", tmp_path / "model", *options))
    assert "a published model is probed alone" in message


def test_bench_prints_rates_that_belong_together() -> None:
    """Images a second are steps a second times the batch."""
    result = invoke("bench", "--batch", 2, "--steps", 2, "--device", "cpu", "--method", "simmim")
    assert result.exit_code == 0, result.output
    words = result.stdout.split()
    steps_per_s = float(words[words.index("steps/s,") - 1])
    images_per_s = float(words[words.index("images/s,") - 1])
    gflop_per_s = float(words[words.index("GFLOP/s") - 1])
    gflop = float(words[words.index("GFLOP") - 1])
    assert images_per_s == pytest.approx(2 * steps_per_s, rel=0.02)
    assert gflop_per_s == pytest.approx(steps_per_s * gflop, rel=0.02)


def test_bar_says_loss_rate_and_time_left() -> None:
    """Few images a second with a fraction, many without."""
    assert describe_step(0.42137, 1234.4, 65.2) == "loss 0.4214, 1,234 images/s, left 0:01:05"
    assert describe_step(12.0, 3.14159, 0.0) == "loss 12, 3.14 images/s, left 0:00:00"


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Exit code 130; the resumed run ends with the history of an uninterrupted one."""
    out, code = tmp_path / "run", "from survey_tools.cli.mae import mae_app; mae_app()"
    steps = 150
    command = [sys.executable, "-c", code, "train", "-o", str(out), "--steps", str(steps), *SMALL]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as many as here: last digits hang on it
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=one_thread)
    history, deadline = out / "history.csv", time.monotonic() + 120
    while not history.exists() or len(history.read_bytes().splitlines()) < 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(2)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 130, talk
    assert f"interrupted; saved in {out}" in talk
    assert talk.rstrip().endswith("--resume")
    step = read_checkpoint(out / "checkpoint.pt").step
    assert 19 <= step < steps
    assert not (out / "manifest.json").exists()
    assert train(out, "--resume", steps=steps).exit_code == 0
    assert train(tmp_path / "whole", steps=steps).exit_code == 0

    def columns(folder: Path) -> list[tuple[str, str]]:
        with (folder / "history.csv").open() as file:
            return [(row["step"], row["loss"]) for row in csv.DictReader(file)]

    assert columns(out) == columns(tmp_path / "whole")
