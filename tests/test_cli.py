"""The command line: messages, exit codes, and an output folder that is whole or untouched."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from examples import SETTINGS, SIX_PAPERS, SUBTREES, TAXONOMY, make_survey
from typer.testing import CliRunner, Result

from survey_tools.cli import app

ROOT = Path(__file__).parents[1]
PYTHON = [sys.executable, "-m", "survey_tools"]
COMMANDS = ("run", "cluster", "crosscheck", "report")
HEAVY = ("sklearn", "matplotlib", "pandas", "scipy", "numpy", "jinja2", "nltk", "yaml")
FAST = ("--set", "figures.formats=[svg]")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PYTHON, *(str(argument) for argument in arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden files too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def assert_one_line(result: Result, *parts: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1
    assert result.stderr[:-1].isprintable()
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for part in parts:
        assert part in result.stderr, result.stderr


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Write the survey of six papers."""
    return make_survey(tmp_path / "survey")


# ---- bad input ----------------------------------------------------------------------------

Break = Callable[[Path], object]


def edit(**files: Any) -> Break:
    return lambda folder: make_survey(folder, **files)


def rewrite(name: str, text: str | bytes) -> Break:
    data = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / name).write_bytes(data)


def with_paper(**changes: Any) -> list[Mapping[str, Any]]:
    return [*SIX_PAPERS[:5], {**SIX_PAPERS[5], **changes}]


def with_filed(key: str, labels: Sequence[str]) -> dict[str, Any]:
    return {**TAXONOMY, "papers": {**TAXONOMY["papers"], key: {"what": list(labels)}}}


def with_settings(**groups: Any) -> Break:
    return edit(settings={**SETTINGS, **groups})


BAD_INPUT: dict[str, tuple[Break, tuple[str, ...]]] = {
    "no-folder": (shutil.rmtree, ("no such folder",)),
    "no-survey": (lambda f: (f / "survey.yaml").unlink(), ("survey.yaml", "no such file")),
    "no-papers": (lambda f: (f / "papers.jsonl").unlink(), ("papers.jsonl", "no such file")),
    "no-taxonomy": (lambda f: (f / "taxonomy.yaml").unlink(), ("taxonomy.yaml", "no such file")),
    "no-subtrees": (lambda f: (f / "subtrees.yaml").unlink(), ("subtrees.yaml", "no such file")),
    "papers-is-a-folder": (with_settings(papers="."), ("cannot be read",)),
    "no-text": (
        edit(papers=with_paper(title=" ")),
        ("papers.jsonl:6", "tube2023f", "neither title nor text"),
    ),
    "same-key": (
        edit(papers=with_paper(key="view2021c")),
        ("papers.jsonl:6", "two papers with one key", "view2021c", "line 3"),
    ),
    "unknown-paper": (
        edit(taxonomy=with_filed("pixel2021", ["pixels"])),
        ("taxonomy.yaml", "unknown paper", "pixel2021a"),
    ),
    "unknown-label": (
        edit(taxonomy=with_filed("tube2023f", ["tube"])),
        ("taxonomy.yaml", "unknown label 'tube'", "did you mean 'tubes'"),
    ),
    "unknown-setting": (
        with_settings(text={"mindf": 2}),
        ("survey.yaml:", "text.mindf", "did you mean 'min_df'"),
    ),
    "unknown-group": (with_settings(clusterin={}), ("survey.yaml:", "did you mean 'clustering'")),
    "ward-cosine": (
        with_settings(clustering={"linkage": "ward", "metric": "cosine"}),
        ("survey.yaml:", "ward linkage", "has no meaning with cosine"),
    ),
    "too-many-clusters": (
        with_settings(clustering={"cut": {"n_clusters": 7}}),
        ("7 clusters asked of 6 papers",),
    ),
    "one-paper": (
        edit(papers=SIX_PAPERS[:1], taxonomy=None, subtrees=None),
        ("at least 2 are needed",),
    ),
    "empty-corpus": (rewrite("papers.jsonl", "\n"), ("papers.jsonl", "the corpus is empty")),
    "empty-settings": (rewrite("survey.yaml", ""), ("survey.yaml:1: the file is empty",)),
    "papers-latin-1": (
        rewrite("papers.jsonl", '{"key": "a", "title": "é"}'.encode("latin-1")),
        ("papers.jsonl:1", "0xe9 is not UTF-8"),
    ),
    "settings-latin-1": (
        rewrite("survey.yaml", "seed: 1\ntitle: é".encode("latin-1")),
        ("survey.yaml:2", "is not UTF-8"),
    ),
    "not-json": (rewrite("papers.jsonl", "{'key': 1}"), ("papers.jsonl:1", "not valid JSON")),
    "not-yaml": (rewrite("survey.yaml", "title: 'x"), ("survey.yaml:", "not valid YAML")),
    "alias": (
        rewrite("survey.yaml", "title: &a [x]\nseed: *a\n"),
        ("survey.yaml:2", "alias *a is not allowed"),
    ),
    "tag": (rewrite("survey.yaml", "title: !!python/name:os.system x\n"), ("is not allowed",)),
    "no-terms": (
        with_settings(text={"min_df": 6}),
        ("none of", "lower min_df"),
    ),
    "no-stop-words": (with_settings(text={"stop_words": "gone.txt"}), ("gone.txt",)),
    "control-characters": (
        edit(papers=with_paper(year="\x1b[31m\nred\r")),
        ("papers.jsonl:6",),
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_leaves_no_folder(survey: Path, case: str) -> None:
    """Exit code 1, the fault named, no traceback, nothing written."""
    spoil, parts = BAD_INPUT[case]
    spoil(survey)
    before = snapshot(survey.parent)
    assert_one_line(invoke("run", survey, "-o", survey.parent / "deep" / "out", *FAST), *parts)
    after = {name for name in snapshot(survey.parent) if name != "deep"}
    assert after == set(before)


@pytest.mark.parametrize("case", ["same-key", "too-many-clusters", "no-taxonomy"])
def test_bad_input_leaves_an_earlier_output_untouched(survey: Path, case: str) -> None:
    """The old results stay, byte for byte, with nothing beside them."""
    out = survey.parent / "out"
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    old = snapshot(out)
    BAD_INPUT[case][0](survey)
    assert_one_line(invoke("run", survey, "-o", out, *FAST))
    assert snapshot(out) == old
    assert sorted(path.name for path in survey.parent.iterdir()) == ["out", "survey"]


OPTIONS = {
    "unknown": (["--set", "text.mindf=2"], ("text.mindf", "did you mean 'min_df'")),
    "no-value": (["--set", "seed"], ("--set seed", "write NAME=VALUE")),
    "no-name": (["--set", "=3"], ("--set =3", "write NAME=VALUE")),
    "not-yaml": (["--set", "seed=[1"], ("--set seed", "not valid YAML")),
    "no-such-date": (["--set", "seed=2024-13-45"], ("seed", "2024-13-45")),
    "object": (["--set", "seed=!!python/name:os.system"], ("--set seed", "is not allowed")),
    "deep": (["--set", "seed=" + "[" * 3000], ("--set seed", "nested too deeply")),
    "wrong-type": (["--set", "seed=abc"], ("seed", "abc")),
    "no-group": (["--set", "title.x=1"], ("title.x",)),
    "linkage": (["--linkage", "wrad"], ("clustering.linkage", "wrad", "ward")),
    "ward-cosine": (["--metric", "cosine"], ("no meaning with cosine",)),
    "too-many": (["-k", "99"], ("99 clusters asked of 6 papers",)),
    "none": (["-k", "0"], ("clustering.cut.n_clusters", "0")),
    "page": (["--page", "a5"], ("figures.page", "a5", "a4")),
    "seed": (["--seed", "-1"], ("seed", "-1")),
    "narrow": (
        ["--set", "figures.columns=2", "--set", "figures.width_mm=80"],
        ("use fewer columns",),
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_options_are_one_line(survey: Path, case: str) -> None:
    """What arrived and what is allowed, exit code 1, nothing written."""
    options, parts = OPTIONS[case]
    result = invoke("run", survey, "-o", survey.parent / "out", *options)
    assert_one_line(result, *parts)
    assert sorted(path.name for path in survey.parent.iterdir()) == ["survey"]


# ---- where to write -----------------------------------------------------------------------


def test_output_below_a_regular_file_is_refused(survey: Path) -> None:
    """A path through a file cannot be made; the file stays."""
    (survey.parent / "file").write_text("mine")
    out = survey.parent / "file" / "out"
    assert_one_line(invoke("run", survey, "-o", out, *FAST), str(out))
    assert (survey.parent / "file").read_text() == "mine"


def test_output_that_is_a_file_is_refused(survey: Path) -> None:
    """A file is no folder, and is not replaced."""
    (survey.parent / "file").write_text("mine")
    assert_one_line(invoke("run", survey, "-o", survey.parent / "file", *FAST), "is a file")
    assert (survey.parent / "file").read_text() == "mine"


def test_output_on_a_read_only_file_system_is_refused(survey: Path) -> None:
    """/proc takes no folders, whoever asks."""
    if not Path("/proc/version").exists():
        pytest.skip("no /proc on this system")
    result = invoke("run", survey, "-o", "/proc/out", *FAST)
    assert_one_line(result, "/proc/out: cannot be written")


@pytest.mark.parametrize("earlier", ["run", None])
def test_files_of_others_are_never_deleted(survey: Path, earlier: str | None) -> None:
    """A folder that holds anything that we did not write is refused and left alone."""
    out = survey.parent / "out"
    out.mkdir()
    if earlier:
        assert invoke(earlier, survey, "-o", out, *FAST).exit_code == 0
    (out / "thesis.tex").write_text("mine")
    old = snapshot(survey.parent)
    assert_one_line(invoke("run", survey, "-o", out, *FAST), "name another folder")
    assert snapshot(survey.parent) == old


@pytest.mark.parametrize("out", [".", "..", "./x/.."])
def test_the_survey_folder_is_never_replaced(survey: Path, out: str) -> None:
    """Neither the survey itself nor a folder above it can be the output."""
    old = snapshot(survey.parent)
    assert_one_line(invoke("run", survey, "-o", survey / out, *FAST), "must not replace")
    assert snapshot(survey.parent) == old


def test_an_empty_folder_and_an_earlier_run_are_replaced(survey: Path) -> None:
    """The usual cases: an empty folder is filled, a second run replaces the first."""
    out = survey.parent / "out"
    out.mkdir()
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    first = snapshot(out)
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    assert snapshot(out) == first
    assert invoke("run", survey, "-o", out, "--seed", 5, *FAST).exit_code == 0
    assert json.loads((out / "manifest.json").read_text())["overrides"]["seed"] == 5
    assert sorted(path.name for path in survey.parent.iterdir()) == ["out", "survey"]


def test_a_full_disk_is_one_line_and_leaves_no_half_folder(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space left while a file is written: the old results stay."""
    out = survey.parent / "out"
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    old = snapshot(survey.parent)

    def fail(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", fail)
    assert_one_line(invoke("run", survey, "-o", out, *FAST), "No space left on device")
    assert snapshot(survey.parent) == old


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a file system of some kilobytes, where this user may."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("small_disk", [4, 24, 64, 120], indirect=True)
def test_a_disk_that_fills_up_at_any_stage_gives_one_line(survey: Path, small_disk: Path) -> None:
    """Whether the PDF, the PNG or a table is the last straw: one line, nothing left behind."""
    process = start("run", survey, "-o", small_disk / "out")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    lines = [line for line in errors.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, errors
    assert "No space left on device" in lines[0]
    assert output == ""
    assert list(small_disk.iterdir()) == []


# ---- interruption -------------------------------------------------------------------------


def start_run_until_it_writes(survey: Path, out: Path) -> subprocess.Popen[str]:
    """Start a long run and wait until its temporary folder holds a file."""
    process = start("run", survey, "-o", out, "--set", "crosscheck.n_permutations=2000000")
    deadline = time.monotonic() + 60
    while not list(out.parent.glob(f".{out.name}.partial-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_ctrl_c_leaves_the_old_output_and_no_temporary_folder(survey: Path) -> None:
    """Exit code 130, one line, no traceback; the earlier results stay as they were."""
    out = survey.parent / "out"
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    old = snapshot(survey.parent)
    process = start_run_until_it_writes(survey, out)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert errors.count("\n") == 1
    assert output == ""
    assert snapshot(survey.parent) == old


def test_ctrl_c_while_a_library_loads_is_no_traceback(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11 wraps an interrupt inside a class body; any other RuntimeError still shows."""
    from survey_tools import run

    for cause, code in ((KeyboardInterrupt(), 130), (None, 1)):

        def stop(*_: object, cause: BaseException | None = cause, **__: object) -> None:
            raise RuntimeError("Error calling __set_name__") from cause

        monkeypatch.setattr(run, "run_study", stop)
        result = invoke("run", survey, "-o", survey.parent / "out")
        assert result.exit_code == code
        assert isinstance(result.exception, RuntimeError) is (cause is None)


def test_a_killed_run_is_cleaned_up_by_the_next(survey: Path) -> None:
    """Kill -9 leaves a temporary folder and the old results; a new run removes the former."""
    out = survey.parent / "out"
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    old = snapshot(out)
    process = start_run_until_it_writes(survey, out)
    process.kill()
    process.communicate(timeout=60)
    assert snapshot(out) == old
    assert len(list(survey.parent.glob(".out.partial-*"))) == 1
    assert invoke("run", survey, "-o", out, *FAST).exit_code == 0
    assert sorted(path.name for path in survey.parent.iterdir()) == ["out", "survey"]
    assert snapshot(out) == old


# ---- messages -----------------------------------------------------------------------------


def test_a_run_prints_the_verdicts_and_where_its_results_are(survey: Path) -> None:
    """Verdicts, counts and paths on stdout; what must be known besides on stderr."""
    out = survey.parent / "out"
    result = invoke("run", survey, "-o", out, *FAST)
    assert result.exit_code == 0
    for line in (
        "3 clusters of 6 papers",
        f"figures: {out / 'figures'}",
        f"tables: {out / 'tables'}",
        f"report: {out / 'report.html'}",
    ):
        assert line in result.stdout.splitlines()
    assert "What is hidden: " in result.stdout
    assert "note: 2 of 6 papers are described by a digest" in result.stderr


def test_quiet_prints_nothing_but_errors(survey: Path) -> None:
    """--quiet silences results, notes and log lines, in a process of its own."""
    make_survey(survey, papers=with_paper(title="遮蔽 video tube masking transformer"))
    process = start("run", survey, "-o", survey.parent / "out", "--quiet", *FAST)
    assert process.communicate(timeout=120) == ("", "")
    assert process.returncode == 0
    result = invoke("run", survey, "-o", survey.parent / "out", "--quiet", "-k", "99")
    assert_one_line(result, "99 clusters")


def test_a_log_line_is_printed_once_however_often_the_program_ran(survey: Path) -> None:
    """A second run in one process must not repeat what its handler already said."""
    make_survey(survey, papers=with_paper(title="遮蔽 video tube masking transformer"))
    results = [invoke("cluster", survey, "-o", survey.parent / "out", *FAST) for _ in range(2)]
    for result in results:
        assert result.exit_code == 0
        assert result.stderr.count("2 characters are not in the font") == 1


def test_names_with_control_characters_cannot_write_to_the_terminal(survey: Path) -> None:
    """Escape sequences and line breaks in titles and names arrive as plain text."""
    taxonomy = {**TAXONOMY, "axes": {**TAXONOMY["axes"]}}
    taxonomy["axes"]["what"] = {**taxonomy["axes"]["what"], "title": "red \x1b[31m\nnext"}
    names = [*SUBTREES["names"], {"name": "lost\x1b[2J\nx", "papers": ["pixel2021a", "view2021c"]}]
    make_survey(survey, taxonomy=taxonomy, subtrees={"min_jaccard": 1.0, "names": names})
    result = invoke("run", survey, "-o", survey.parent / "out", *FAST)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout + result.stderr
    lines = result.stderr.splitlines()
    assert all(line.startswith("note: ") for line in lines), lines


def test_debug_shows_the_traceback(survey: Path) -> None:
    """With --debug an error keeps its traceback and its exit code."""
    process = start("run", survey, "-o", survey.parent / "out", "-k", "99", "--debug")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback (most recent call last)" in errors
    assert "ParameterError: 99 clusters asked of 6 papers" in errors


def test_an_error_in_a_process_of_its_own_is_one_line(survey: Path) -> None:
    """What the runner in these tests sees is what a shell sees."""
    process = start("run", survey, "-o", survey.parent / "out", "-k", "99")
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (1, "")
    assert re.fullmatch(r"error: 99 clusters asked of 6 papers[^\n]*\n", errors)


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"],
        ["run", "--no-such-option"],
        ["run", "a", "b"],
        ["run", "-k", "many"],
        ["run", "--seed", "1.5"],
        ["run", "-o"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    """The fault is named on stderr, without a traceback."""
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_without_arguments_the_commands_are_listed() -> None:
    """A bare call shows the help."""
    result = invoke()
    assert all(command in result.output for command in (*COMMANDS, "schema"))


def test_the_version_is_that_of_the_package() -> None:
    """--version prints name and version."""
    from survey_tools import __version__

    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"survey-tools {__version__}\n")


@pytest.mark.parametrize("name", ["survey", "taxonomy", "subtrees"])
def test_schemas_are_printed_as_they_are_committed(name: str) -> None:
    """The JSON Schemas in data/schemas are those of the models."""
    result = invoke("schema", name)
    assert result.exit_code == 0
    committed = ROOT / "data" / "schemas" / f"{name}.schema.json"
    assert result.stdout == committed.read_text(encoding="utf-8")


def test_an_unknown_schema_names_the_nearest() -> None:
    """A slip of the pen is answered with the name that was meant."""
    assert_one_line(invoke("schema", "taxonmy"), "did you mean 'taxonomy'")


# ---- options ------------------------------------------------------------------------------


def test_options_reach_the_manifest(survey: Path) -> None:
    """Short options and --set are recorded by their dotted names."""
    out = survey.parent / "out"
    options = ["--linkage", "average", "--metric", "cosine", "-k", 2, "--seed", 9]
    options += ["--set", "text.ngram_range=[1,2]", "--set", "text.stop_words=none"]
    result = invoke("cluster", survey, "-o", out, "--page", "a4", *options, *FAST)
    assert result.exit_code == 0, result.output
    assert json.loads((out / "manifest.json").read_text())["overrides"] == {
        "clustering.linkage": "average",
        "clustering.metric": "cosine",
        "clustering.cut.n_clusters": 2,
        "seed": 9,
        "figures.page": "a4",
        "text.ngram_range": [1, 2],
        "text.stop_words": "none",
        "figures.formats": ["svg"],
    }


def test_the_default_output_is_named_after_the_survey(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without -o results go to out/NAME below the working folder."""
    monkeypatch.chdir(survey.parent)
    assert invoke("report", "survey").exit_code == 0
    assert (survey.parent / "out" / "survey" / "report.html").is_file()


# ---- help ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_units_and_defaults(command: str) -> None:
    """Every option that takes a value says its default; numbers say what they count."""
    result = invoke(command, "--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    options = text[text.index("Options:") :]
    for option in ("--out", "--linkage", "--metric", "--n-clusters", "--seed"):
        described = options[options.index(option) :].split(" --", 2)[
            1 if option == "--out" else 0 :
        ]
        assert "Default: " in " ".join(described)
    for words in (
        "else ward",
        "else euclidean",
        "else 10",
        "number of papers",
        "else 0",
        "mm wide",
        "Default: the bundled survey",
    ):
        assert words in text


def test_the_defaults_in_the_help_are_the_defaults_of_the_settings() -> None:
    """The words of the help are written by hand; the settings are the truth."""
    from survey_tools.settings import SurveySettings

    settings = SurveySettings(title="x")
    text = " ".join(invoke("run", "--help").stdout.split())
    for value in (
        settings.clustering.linkage,
        settings.clustering.metric,
        settings.clustering.cut.n_clusters,
        settings.seed,
        settings.figures.page,
    ):
        assert f"Default: survey.yaml, else {value}." in text


def test_the_help_of_the_program_lists_commands_and_exit_codes() -> None:
    """One line a command, not cut off, and what the exit codes mean."""
    result = invoke("--help")
    assert result.exit_code == 0
    for command in (*COMMANDS, "schema"):
        assert re.search(rf"^  {command}\b.*\.$", result.stdout, re.MULTILINE), command
    assert "...\n" not in result.stdout.partition("Commands:")[2]
    assert all(f"{code} " in result.stdout for code in (0, 1, 2))


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    """Neither sklearn, matplotlib, pandas, scipy, numpy nor the readers are imported."""
    script = (
        "import sys\n"
        f"sys.argv = ['survey-tools', *{arguments!r}]\n"
        "from survey_tools.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def time_process(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def test_help_starts_within_12_times_an_empty_python() -> None:
    """Median of alternating runs, so that a busy machine slows both alike."""
    ratios = []
    for _ in range(7):
        empty = time_process(["-c", "pass"])
        ratios.append(time_process(["-m", "survey_tools", "--help"]) / empty)
    assert statistics.median(ratios) < 12, ratios


# ---- progress -----------------------------------------------------------------------------


def test_a_terminal_sees_progress_and_a_pipe_does_not(survey: Path) -> None:
    """On a terminal the bar names its stages; in a pipe stderr holds notes only."""
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PYTHON, "run", str(survey), "-o", str(survey.parent / "out"), *FAST],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # how a terminal says that nobody writes any more
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert b"figures" in seen
    assert b"note: " in seen
    piped = start("run", survey, "-o", survey.parent / "out", *FAST)
    _, errors = piped.communicate(timeout=120)
    assert all(line.startswith("note: ") for line in errors.splitlines())


def test_the_bundled_survey_is_clustered_where_none_is_named(tmp_path: Path) -> None:
    """survey-tools report without a folder reports on Masked Image Modeling."""
    few = ["crosscheck.n_permutations=20", "crosscheck.n_resamples=20"]
    options = [part for name in few for part in ("--set", name)]
    result = invoke("report", "-o", tmp_path / "mim", *options)
    assert result.exit_code == 0
    assert "18 clusters of 180 papers" in result.stdout
    assert "180 of 180 papers are described by a digest" in result.stderr


def test_a_setting_given_twice_is_refused(tmp_path: Path) -> None:
    """An option of its own and --set for the same setting: neither wins in silence."""
    survey = make_survey(tmp_path / "survey")
    options = ["run", str(survey), "-k", "2", "--set", "clustering.cut.n_clusters=3"]
    result = CliRunner().invoke(app, [*options, "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "clustering.cut.n_clusters is given twice" in result.stderr
    assert not (tmp_path / "out").exists()
