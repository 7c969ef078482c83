"""Output folders: whole or not at all, and nobody's files are lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from survey_tools import output
from survey_tools.errors import OutputError
from survey_tools.output import MANIFEST, list_files, replace_folder, sha256_of

# Waits inside the body of the context, or between the two moves, until it is killed.
KILLED_IN_THE_BODY = """
import sys, time
from pathlib import Path
from survey_tools.output import replace_folder
with replace_folder(Path(sys.argv[1]), command="run") as folder:
    (folder / "half.txt").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""
KILLED_BETWEEN_THE_MOVES = """
import sys, time
from pathlib import Path
from survey_tools.output import replace_folder
moves = []
move = Path.rename
def wait_at_the_second(source, target):
    moves.append(source)
    if len(moves) == 2:
        print("ready", flush=True)
        time.sleep(60)
    return move(source, target)
Path.rename = wait_at_the_second
with replace_folder(Path(sys.argv[1]), command="run") as folder:
    (folder / "half.txt").write_text("half")
"""


def fill(folder: Path, command: str = "run", **files: str) -> None:
    """Write files, by name, and the manifest that lists them."""
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    outputs = {name: sha256_of((folder / name).read_bytes()) for name in list_files(folder)}
    manifest = {"command": command, "outputs": outputs}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def write(target: Path, command: str = "run", **files: str) -> None:
    """Write an output folder as a command does."""
    with replace_folder(target, command=command) as folder:
        fill(folder, command, **files)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return everything below a folder, hidden files too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def refusal(target: Path, *, command: str = "run", protected: tuple[Path, ...] = ()) -> str:
    """Return why a target is refused; the body must not even begin."""
    with (
        pytest.raises(OutputError) as caught,
        replace_folder(target, command=command, protected=protected),
    ):
        pytest.fail("the body was entered")
    return str(caught.value)


def kill_in_the_middle(script: str, target: Path) -> None:
    """Run a script until it says that it is ready, then kill it without mercy."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL


@pytest.fixture
def dead_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(timeout=30)
    return process.pid


def test_sha256_is_the_published_one() -> None:
    """FIPS 180-2, appendix B.1."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(b"abc") == expected


def test_files_are_listed_at_every_depth_with_links(tmp_path: Path) -> None:
    """Folders are no files; a link is one, wherever it leads."""
    (tmp_path / "b" / "empty").mkdir(parents=True)
    (tmp_path / "b" / ".hidden").touch()
    (tmp_path / "a").touch()
    (tmp_path / "dead").symlink_to("nowhere")
    (tmp_path / "folder").symlink_to("b")
    assert list_files(tmp_path) == ["a", "b/.hidden", "dead", "folder"]


def test_a_new_folder_appears_whole_with_its_parents(tmp_path: Path) -> None:
    """Nothing stands at the target before the end, and nothing beside it after."""
    target = tmp_path / "x" / "y" / "out"
    with replace_folder(target, command="run") as folder:
        assert folder.parent == target.parent
        assert not target.exists()
        fill(folder, a="1", sub__b="2")
    assert set(snapshot(target)) == {"a", "sub/b", MANIFEST}
    assert names_in(target.parent) == ["out"]


def test_an_old_folder_is_replaced_and_never_mixed(tmp_path: Path) -> None:
    """Files of the earlier run are gone."""
    write(tmp_path / "out", a="old", gone="old", sub__gone="old")
    write(tmp_path / "out", a="new")
    assert snapshot(tmp_path / "out")["a"] == b"new"
    assert set(snapshot(tmp_path / "out")) == {"a", MANIFEST}
    assert names_in(tmp_path) == ["out"]


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    """Somebody made it for us; empty folders in it hold nothing to lose."""
    (tmp_path / "out" / "empty").mkdir(parents=True)
    write(tmp_path / "out", a="1")
    assert set(snapshot(tmp_path / "out")) == {"a", MANIFEST}


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), SystemExit(1), GeneratorExit()]
)
@pytest.mark.parametrize("has_old", [True, False])
def test_the_old_folder_stays_when_the_body_fails(
    tmp_path: Path, error: BaseException, has_old: bool
) -> None:
    """An error, an interrupt or an exit leave all as it was, and pass on unchanged."""
    if has_old:
        write(tmp_path / "out", a="old")
    before = snapshot(tmp_path)
    with (  # noqa: PT012  the error must come from inside
        pytest.raises(type(error)) as caught,
        replace_folder(tmp_path / "out", command="run") as folder,
    ):
        fill(folder, a="new")
        raise error
    assert caught.value is error
    assert snapshot(tmp_path) == before
    assert names_in(tmp_path) == (["out"] if has_old else [])


def test_a_full_disk_in_the_body_is_an_output_error(tmp_path: Path) -> None:
    """The system's words stand in the message; the old folder stays."""
    write(tmp_path / "out", a="old")
    before = snapshot(tmp_path)
    with (
        pytest.raises(OutputError, match=r"out: cannot be written \(No space left on device\)$"),
        replace_folder(tmp_path / "out", command="run"),
    ):
        raise OSError(28, "No space left on device")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("n_failing", [1, 2])
@pytest.mark.parametrize("error", [OSError(16, "Device or resource busy"), KeyboardInterrupt()])
def test_the_old_folder_stays_when_a_move_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_failing: int, error: BaseException
) -> None:
    """Whether the old one cannot be moved away or the new one not into place."""
    write(tmp_path / "out", a="old")
    before = snapshot(tmp_path)
    moves = []
    move = Path.rename

    def fail(source: Path, target: Path) -> Path:
        moves.append(source)
        if len(moves) == n_failing:
            raise error
        return move(source, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write(tmp_path / "out", a="new")
    assert snapshot(tmp_path) == before
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        "",
        "no json",
        "[]",
        "{}",
        '{"outputs": {"mine.txt": ""}}',
        '{"command": "run"}',
        '{"command": "run", "outputs": 3}',
        "[" * 100_000,
        "\xff",
    ],
    ids=range(10),
)
def test_a_folder_without_our_manifest_is_refused(tmp_path: Path, manifest: str | None) -> None:
    """Another tool's ``manifest.json`` is not ours."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    if manifest is not None:
        (tmp_path / "out" / MANIFEST).write_text(manifest, encoding="latin-1")
    before = snapshot(tmp_path)
    assert refusal(tmp_path / "out") == (
        f"{tmp_path / 'out'}: holds files but no manifest of survey-tools; "
        "name another folder with -o"
    )
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["mine.txt", ".hidden", "sub/mine.txt", "figures/mine.svg"])
def test_a_folder_with_a_file_of_another_is_refused(tmp_path: Path, name: str) -> None:
    """The file is named, hidden or deep as it may lie."""
    write(tmp_path / "out", figures__a="1")
    (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / name).write_text("mine")
    before = snapshot(tmp_path)
    assert refusal(tmp_path / "out") == (
        f"{tmp_path / 'out'}: holds files that survey-tools did not write ({name}); "
        "move them away or name another folder with -o"
    )
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("leads_to", ["../elsewhere", "nowhere"])
def test_a_link_in_the_folder_is_somebodys_file(tmp_path: Path, leads_to: str) -> None:
    """A link to a folder would vanish like any other file."""
    write(tmp_path / "out", a="1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "link").symlink_to(leads_to)
    assert "did not write (link)" in refusal(tmp_path / "out")
    assert (tmp_path / "out" / "link").is_symlink()


@pytest.mark.parametrize(
    ("earlier", "command", "is_allowed"),
    [
        ("cluster", "cluster", True),
        ("cluster", "run", True),
        ("run", "run", True),
        ("run", "cluster", False),
        ("cluster", "crosscheck", False),
    ],
)
def test_only_run_replaces_the_results_of_another_command(
    tmp_path: Path, earlier: str, command: str, is_allowed: bool
) -> None:
    """``run`` writes everything, so nothing is lost."""
    write(tmp_path / "out", earlier, a="old")
    if is_allowed:
        write(tmp_path / "out", command, a="new")
    else:
        assert refusal(tmp_path / "out", command=command) == (
            f"{tmp_path / 'out'}: holds the results of '{earlier}', which '{command}' would "
            "delete; name another folder with -o"
        )
    assert snapshot(tmp_path / "out")["a"] == (b"new" if is_allowed else b"old")


@pytest.mark.parametrize("written", ["survey", "survey/", "survey/../survey", "survey/out/..", "."])
def test_the_survey_folder_and_those_above_are_never_replaced(
    tmp_path: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the path is written, and even where a manifest says that all is ours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "survey").mkdir()
    fill(tmp_path / "survey", a="1")
    message = refusal(Path(written), protected=(Path("survey"),))
    assert message.endswith(f": output must not replace the folder {tmp_path / 'survey'}")


@pytest.mark.parametrize("linked", ["target", "protected"])
def test_the_survey_folder_is_known_behind_a_link(tmp_path: Path, linked: str) -> None:
    """Two names of one folder are one folder."""
    (tmp_path / "survey").mkdir()
    fill(tmp_path / "survey", a="1")
    (tmp_path / "link").symlink_to("survey")
    names = {"target": ("link", "survey"), "protected": ("survey", "link")}[linked]
    target, protected = (tmp_path / name for name in names)
    assert "must not replace the folder" in refusal(target, protected=(protected,))


def test_a_folder_inside_the_survey_or_beside_it_is_fine(tmp_path: Path) -> None:
    """A name that begins like the survey's is another name."""
    (tmp_path / "survey").mkdir()
    for target in (tmp_path / "survey" / "out", tmp_path / "survey-out"):
        with replace_folder(target, command="run", protected=[tmp_path / "survey"]) as folder:
            fill(folder, a="1")
        assert (target / "a").is_file()


def test_a_link_as_target_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    """The results lie on the larger disk that the link names; nothing is left beside either."""
    write(tmp_path / "disk" / "real", a="old")
    (tmp_path / "out").symlink_to("disk/real")
    write(tmp_path / "out", a="new")
    assert (tmp_path / "out").is_symlink()
    assert snapshot(tmp_path / "disk" / "real")["a"] == b"new"
    assert names_in(tmp_path) == ["disk", "out"]
    assert names_in(tmp_path / "disk") == ["real"]


def test_a_file_as_target_is_refused(tmp_path: Path) -> None:
    """The file stays."""
    (tmp_path / "out").write_text("mine")
    assert refusal(tmp_path / "out") == (
        f"{tmp_path / 'out'}: is a file; name a folder for the output"
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_a_target_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    """The system's words stand in the message."""
    (tmp_path / "file").write_text("mine")
    expected = f"{tmp_path / 'file' / 'out'}: cannot be written ("
    assert refusal(tmp_path / "file" / "out").startswith(expected)


@pytest.mark.parametrize("name", ["x" * 300, "x" * 250])
def test_a_name_that_is_too_long_is_refused(tmp_path: Path, name: str) -> None:
    """Also where only the name of the temporary folder is."""
    assert refusal(tmp_path / name).endswith("cannot be written (File name too long)")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["out", "out[1]", "o*t?"])
def test_leftovers_of_a_dead_process_are_removed(
    tmp_path: Path, dead_process: int, name: str
) -> None:
    """Its half-written and its replaced folder, also where the name looks like a pattern."""
    write(tmp_path / name, a="old")
    for kind in ("partial", "replaced"):
        leftover = tmp_path / f".{name}.{kind}-{dead_process}"
        leftover.mkdir()
        (leftover / "half.txt").write_text("half")
    write(tmp_path / name, a="new")
    assert names_in(tmp_path) == [name]
    assert snapshot(tmp_path / name)["a"] == b"new"


def test_folders_of_living_processes_and_other_targets_stay(
    tmp_path: Path, dead_process: int
) -> None:
    """Only what a dead process left for this very target is removed."""
    others = {
        f".out.partial-{os.getppid()}",
        ".out.partial-mine",
        ".out.partial-",
        f".out.partial-{dead_process}x",
        f".outer.partial-{dead_process}",
        f"out.partial-{dead_process}",
        ".out.partial-99999999999999999999",
    }
    for name in others:
        (tmp_path / name).mkdir()
    write(tmp_path / "out", a="1")
    assert set(names_in(tmp_path)) == {"out", *others}


def test_a_target_caught_between_two_moves_is_restored(tmp_path: Path, dead_process: int) -> None:
    """Even when the next run fails, the results of the last whole one are back."""
    write(tmp_path / "out", a="old")
    (tmp_path / "out").rename(tmp_path / f".out.replaced-{dead_process}")
    with (
        pytest.raises(ValueError, match="later"),
        replace_folder(tmp_path / "out", command="run"),
    ):
        raise ValueError("later")
    assert names_in(tmp_path) == ["out"]
    assert snapshot(tmp_path / "out")["a"] == b"old"


def test_a_restored_target_is_guarded_like_any_other(tmp_path: Path, dead_process: int) -> None:
    """``cluster`` must not delete the results of a ``run`` that was killed after them."""
    write(tmp_path / "out", "run", a="old")
    (tmp_path / "out").rename(tmp_path / f".out.replaced-{dead_process}")
    assert "holds the results of 'run'" in refusal(tmp_path / "out", command="cluster")
    assert snapshot(tmp_path / "out")["a"] == b"old"


def test_a_run_killed_in_the_middle_leaves_the_old_folder(tmp_path: Path) -> None:
    """Kill -9 leaves no time to tidy up; the next run does."""
    write(tmp_path / "out", a="old")
    before = snapshot(tmp_path / "out")
    kill_in_the_middle(KILLED_IN_THE_BODY, tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    assert len(names_in(tmp_path)) == 2
    write(tmp_path / "out", a="new")
    assert names_in(tmp_path) == ["out"]
    assert set(snapshot(tmp_path / "out")) == {"a", MANIFEST}


def test_a_run_killed_between_the_moves_loses_nothing(tmp_path: Path) -> None:
    """The target is gone for the moment, and back with the next command."""
    write(tmp_path / "out", a="old")
    before = snapshot(tmp_path / "out")
    kill_in_the_middle(KILLED_BETWEEN_THE_MOVES, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "holds the results of 'run'" in refusal(tmp_path / "out", command="cluster")
    assert snapshot(tmp_path / "out") == before
    assert names_in(tmp_path) == ["out"]


def test_two_runs_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    """The later one is whole; the earlier one's temporary folder was never touched."""
    with replace_folder(tmp_path / "out", command="run") as ours:
        fill(ours, a="ours")
        manifest = '{"command": "run", "outputs": ["half.txt"]}'
        leave = f"(folder / 'manifest.json').write_text({manifest!r})"
        script = KILLED_IN_THE_BODY.replace("time.sleep(60)", leave)
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=True)
        assert (ours / "a").read_text() == "ours"
        assert (tmp_path / "out" / "half.txt").is_file()
    assert set(snapshot(tmp_path / "out")) == {"a", MANIFEST}
    assert names_in(tmp_path) == ["out"]


def test_a_file_that_came_during_the_run_is_not_deleted(tmp_path: Path) -> None:
    """What a person saves into the old folder meanwhile stops the replacement."""
    write(tmp_path / "out", a="old")

    def interfere() -> None:
        with replace_folder(tmp_path / "out", command="run") as ours:
            fill(ours, a="new")
            (tmp_path / "out" / "notes.txt").write_text("mine")

    with pytest.raises(OutputError, match=r"did not write \(notes.txt\)"):
        interfere()
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert names_in(tmp_path) == ["out"]


def test_the_manifest_has_the_name_that_is_looked_for() -> None:
    """Renaming it would make every earlier folder foreign."""
    assert output.MANIFEST == "manifest.json"


def test_parents_made_in_vain_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the temporary folder cannot be made, neither can it leave empty parents behind."""
    make = Path.mkdir

    def fail_at_the_last(path: Path, *args: object, **options: object) -> None:
        if ".partial-" in path.name:
            raise OSError(28, "No space left on device", str(path))
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", fail_at_the_last)
    assert "No space left on device" in refusal(tmp_path / "deep" / "deeper" / "out")
    assert names_in(tmp_path) == []
