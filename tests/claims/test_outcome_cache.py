"""The cache of outcomes: whole or not at all, and only of the very same trial."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_experiments import compute, make_experiment

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import Trial, TrialKind
from survey_tools.errors import DataError

KIND = TrialKind(name="fake", version=1, run=compute, needs_torch=False)


def trial(seed: int = 0, **parameters: float) -> Trial:
    return Trial.of(KIND, {"slope": 1.0, **parameters}, seed)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Numbers to the last digit; another trial finds nothing."""
    cache = OutcomeCache(tmp_path / "cache")
    cache.write(trial(), {"value": 0.1 + 0.2, "names": ["a"]})
    assert cache.read(trial()) == {"value": 0.1 + 0.2, "names": ["a"]}
    assert cache.read(trial(seed=1)) is None
    assert cache.read(trial(slope=2.0)) is None


def test_the_order_of_parameters_does_not_matter() -> None:
    """The digest is of their meaning."""
    a, b = Trial.of(KIND, {"x": 1, "y": 2}, 0), Trial.of(KIND, {"y": 2, "x": 1}, 0)
    assert a == b
    assert a.digest == b.digest


def test_the_version_and_the_machine_of_a_timing_change_the_digest() -> None:
    """An outcome of older code is not taken, nor a time of another machine."""
    older, newer, timing = (
        make_experiment(version=version, is_timing=is_timing).plan({"slope": 1.0}, "quick", [0])[0]
        for version, is_timing in ((1, False), (2, False), (1, True))
    )
    assert len({newer.digest, older.digest, timing.digest}) == 3
    assert "node" in timing.describe()
    assert "node" not in older.describe()


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "list", "other"])
def test_a_damaged_outcome_counts_as_missing(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, and can be written again."""
    cache = OutcomeCache(tmp_path)
    cache.write(trial(), {"value": 1.0})
    path = cache.path_of(trial())
    text = path.read_text(encoding="utf-8")
    held = json.loads(text)
    damaged = {
        "cut": text[:20],
        "empty": "",
        "changed": text.replace('"value": 1.0', '"value": 2.0'),
        "list": "[1]",
        "other": json.dumps({**held, "trial": {**held["trial"], "seed": 9}}),
    }[damage]
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    assert cache.read(trial()) is None
    assert "is damaged" in caplog.text
    cache.write(trial(), {"value": 1.0})
    assert cache.read(trial()) == {"value": 1.0}


def test_nan_is_no_outcome(tmp_path: Path) -> None:
    """JSON has none, and no rule could use it; nothing is left of the attempt."""
    cache = OutcomeCache(tmp_path)
    with pytest.raises(DataError, match="is no plain data"):
        cache.write(trial(), {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The option to change is named."""
    (tmp_path / "x").touch()
    with pytest.raises(DataError, match="is a file; name a folder for the cache with --cache"):
        OutcomeCache(tmp_path / "x")


_ENDLESS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fake_experiments import compute
from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import Trial, TrialKind
kind = TrialKind(name="fake", version=1, run=compute, needs_torch=False)
cache = OutcomeCache(Path(sys.argv[1]))
while True:
    for seed in range(5):
        cache.write(Trial.of(kind, {"slope": 1.0}, seed), {"value": [seed] * 20000})
"""


def test_a_kill_leaves_every_outcome_whole(tmp_path: Path) -> None:
    """And what it left half written is removed when the cache is opened again."""
    folder = tmp_path / "cache"
    here = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(folder), here])
    try:
        until = time.monotonic() + 60
        while len(list(folder.glob("*.json"))) < 5 and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    (folder / f"x.json.partial-{process.pid}").touch()
    mine = folder / f"x.json.partial-{os.getpid()}"
    mine.touch()
    cache = OutcomeCache(folder)
    assert list(folder.glob("*.partial-*")) == [mine]
    assert [cache.read(trial(seed=seed)) for seed in range(5)] == [
        {"value": [seed] * 20000} for seed in range(5)
    ]
