"""The store: outcomes by line, torn lines, full disks, other data, two writers."""

import errno
import json
import os
from pathlib import Path

import pytest

from survey_tools.errors import DataError, OutputError
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.plan import read_plan
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.store import Store, open_store
from survey_tools.settings import ClusteringSettings, TextSettings

OWN = Setting.of_survey(TextSettings(), ClusteringSettings(), 3)
RUNS = tuple(Run(setting=OWN, resample="papers-subsample", draw=draw) for draw in range(6))
ABOUT = {"corpus": "abc", "version": "1"}


def outcome_of(run: Run, **changed) -> Outcome:
    """Return an outcome with something in every kind of field."""
    found = {
        "n_clusters": 2,
        "codes": (0, 1, -1),
        "agreement": {"ARI": 1 / 3, "Bk": None},
        "in_nodes": (None, 0.1),
        "cuts": ((0, 0, -1), (0, 1, -1)),
        "curves": {"silhouette": (0.25, None)},
    }
    return Outcome(run=run.run_id, **{**found, **changed})


def test_outcomes_come_back_as_written(tmp_path: Path) -> None:
    """Every field of an outcome survives, in the order asked for."""
    outcomes = [outcome_of(run, n_noise=i, strayed=(i,)) for i, run in enumerate(RUNS)]
    outcomes[2] = Outcome(run=RUNS[2].run_id, failure="no term is left: 'ß'", notes=("a", "b"))
    with open_store(tmp_path / "s", ABOUT, RUNS) as (store, writer):
        for outcome in reversed(outcomes):
            writer.append(outcome)
        assert list(store.read(run.run_id for run in RUNS)) == outcomes
    assert read_plan(tmp_path / "s" / "plan.jsonl") == RUNS


def test_a_store_goes_on(tmp_path: Path) -> None:
    """Opened again, a store has all that was written before."""
    for run in RUNS[:3]:
        with open_store(tmp_path, ABOUT, RUNS) as (store, writer):
            assert run.run_id not in store.done()
            writer.append(outcome_of(run))
    assert Store(tmp_path, ABOUT).done() == {run.run_id for run in RUNS[:3]}


@pytest.mark.parametrize("n_left", [1, 20, -1])
def test_a_torn_line_is_taken_off(tmp_path: Path, n_left: int) -> None:
    """Of a line that a killed process began, nothing is left, and its run is to be done."""
    with open_store(tmp_path, ABOUT, RUNS) as (_, writer):
        for run in RUNS[:2]:
            writer.append(outcome_of(run))
    line = outcome_of(RUNS[2], codes=tuple(range(40_000))).to_line().encode()
    with (tmp_path / "outcomes.jsonl").open("ab") as file:
        file.write(line[:n_left])
    assert Store(tmp_path, ABOUT).done() == {run.run_id for run in RUNS[:2]}
    with open_store(tmp_path, ABOUT, RUNS) as (store, writer):
        writer.append(outcome_of(RUNS[2]))
        assert store.done() == {run.run_id for run in RUNS[:3]}
        assert len(list(store.read(run.run_id for run in RUNS[:3]))) == 3


def test_an_empty_torn_file_is_an_empty_store(tmp_path: Path) -> None:
    """A process killed in its very first line leaves a store that can be opened."""
    with open_store(tmp_path, ABOUT, RUNS):
        pass
    (tmp_path / "outcomes.jsonl").write_bytes(b'{"run":"0123')
    with open_store(tmp_path, ABOUT, RUNS) as (store, writer):
        assert store.done() == set()
        writer.append(outcome_of(RUNS[0]))
    assert Store(tmp_path, ABOUT).done() == {RUNS[0].run_id}


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """A line damaged in the middle of a file is an error with file and line."""
    with open_store(tmp_path, ABOUT, RUNS) as (_, writer):
        for run in RUNS[:3]:
            writer.append(outcome_of(run))
    path = tmp_path / "outcomes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"\0" * 30 + b"\n" + lines[3])
    with pytest.raises(DataError, match=r"outcomes.jsonl:3: is damaged; remove the line"):
        Store(tmp_path, ABOUT).done()
    path.write_bytes(lines[0] + lines[1].replace(b'"codes"', b'"coded"') + lines[2])
    with pytest.raises(DataError, match="is damaged"):
        list(Store(tmp_path, ABOUT).read([RUNS[0].run_id]))


def test_a_run_without_outcome_is_named(tmp_path: Path) -> None:
    """Tables are never made of a part of the plan."""
    with (
        open_store(tmp_path, ABOUT, RUNS) as (store, _),
        pytest.raises(DataError, match=f"run {RUNS[0].run_id} has no outcome yet"),
    ):
        list(store.read([RUNS[0].run_id]))


def test_shards_have_files_of_their_own(tmp_path: Path) -> None:
    """Two shards may write at once; a store reads the outcomes of all."""
    with (
        open_store(tmp_path, ABOUT, RUNS, shard=(1, 2)) as (_, first),
        open_store(tmp_path, ABOUT, RUNS, shard=(2, 2)) as (_, second),
    ):
        first.append(outcome_of(RUNS[0]))
        second.append(outcome_of(RUNS[1]))
        second.append(outcome_of(RUNS[0]))
    store = Store(tmp_path, ABOUT)
    assert [path.name for path in store.files()] == [
        "outcomes-1-of-2.jsonl",
        "outcomes-2-of-2.jsonl",
    ]
    assert store.done() == {run.run_id for run in RUNS[:2]}


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    """A store that another process writes to is not opened."""
    with (
        open_store(tmp_path, ABOUT, RUNS),
        pytest.raises(DataError, match="another process is writing to it"),
        open_store(tmp_path, ABOUT, RUNS),
    ):
        pass


def test_outcomes_of_other_data_are_refused(tmp_path: Path) -> None:
    """Changed texts or versions are named; --restart removes the old outcomes."""
    with open_store(tmp_path, ABOUT, RUNS) as (_, writer):
        writer.append(outcome_of(RUNS[0]))
    changed = {**ABOUT, "corpus": "def"}
    with (
        pytest.raises(DataError, match=r"other data or versions \(changed: corpus\)"),
        open_store(tmp_path, changed, RUNS),
    ):
        pass
    assert Store(tmp_path, ABOUT).done() == {RUNS[0].run_id}
    with open_store(tmp_path, changed, RUNS, restart=True) as (store, _):
        assert store.done() == set()
    assert json.loads((tmp_path / "about.json").read_text()) == changed


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    """A store is never begun among files that are not its own."""
    (tmp_path / "thesis.tex").write_text("x")
    with (
        pytest.raises(DataError, match=r"files that are of no robustness run \(thesis.tex\)"),
        open_store(tmp_path, ABOUT, RUNS),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with (
        pytest.raises(DataError, match="is a file"),
        open_store(tmp_path / "thesis.tex", ABOUT, RUNS),
    ):
        pass


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch) -> None:
    """When a write fails in the middle of a line, the store keeps what it had and says so."""
    write = os.write

    def write_a_part(file: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) - 50])

    with open_store(tmp_path, ABOUT, RUNS) as (store, writer):
        writer.append(outcome_of(RUNS[0]))
        monkeypatch.setattr(os, "write", write_a_part)
        with pytest.raises(OutputError, match=r"the disk is full.*1 outcome of this session"):
            writer.append(outcome_of(RUNS[1]))
        monkeypatch.undo()
        assert list(store.read([RUNS[0].run_id])) == [outcome_of(RUNS[0])]
        writer.append(outcome_of(RUNS[1]))
        assert store.done() == {run.run_id for run in RUNS[:2]}


def test_copied_outcomes_of_other_data_are_refused(tmp_path: Path) -> None:
    """A file of outcomes says what it is of; one of another seed is not mixed in."""
    for name, about in (("a", ABOUT), ("b", {**ABOUT, "seed": "7"})):
        with open_store(tmp_path / name, about, RUNS, shard=(1, 2)) as (_, writer):
            writer.append(outcome_of(RUNS[0]))
    other = (tmp_path / "b" / "outcomes-1-of-2.jsonl").read_bytes()
    (tmp_path / "a" / "outcomes-2-of-2.jsonl").write_bytes(other)
    with (
        pytest.raises(DataError, match=r"outcomes-2-of-2.jsonl: holds outcomes of other data"),
        open_store(tmp_path / "a", ABOUT, RUNS),
    ):
        pass


def test_outcomes_alone_make_a_store(tmp_path: Path) -> None:
    """Files of shards copied into an empty folder are enough."""
    for number in (1, 2):
        with open_store(tmp_path / "a", ABOUT, RUNS, shard=(number, 2)) as (_, writer):
            writer.append(outcome_of(RUNS[number]))
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "a").glob("outcomes*"):
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    with open_store(tmp_path / "b", ABOUT, RUNS) as (store, _):
        assert store.done() == {RUNS[1].run_id, RUNS[2].run_id}


def test_a_restart_waits_for_nobody(tmp_path: Path) -> None:
    """Outcomes are not removed while another shard writes them."""
    with (
        open_store(tmp_path, ABOUT, RUNS, shard=(1, 2)) as (_, writer),
        pytest.raises(DataError, match="another process is writing to it"),
        open_store(tmp_path, ABOUT, RUNS, shard=(2, 2), restart=True),
    ):
        pass
    with open_store(tmp_path, ABOUT, RUNS, shard=(1, 2)) as (store, writer):
        writer.append(outcome_of(RUNS[0]))
        assert store.done() == {RUNS[0].run_id}


def test_a_further_list_of_stop_words_changes_no_run(tmp_path: Path) -> None:
    """A list that new runs use is added; a changed one is refused."""
    with open_store(tmp_path, ABOUT, RUNS) as (_, writer):
        writer.append(outcome_of(RUNS[0]))
    more = {**ABOUT, "stop words mine.txt": "abc"}
    with open_store(tmp_path, more, RUNS) as (store, _):
        assert store.done() == {RUNS[0].run_id}
    with open_store(tmp_path, ABOUT, RUNS):
        pass
    with (
        pytest.raises(DataError, match=r"changed: stop words mine.txt"),
        open_store(tmp_path, {**more, "stop words mine.txt": "def"}, RUNS),
    ):
        pass
