"""The commands taxonomy lint and taxonomy agree: what they print, write and refuse."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import SETTINGS, TAXONOMY, make_survey
from typer.testing import CliRunner, Result

from survey_tools.cli import app

MIM = Path(__file__).parents[1] / "data" / "mim"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["taxonomy", *(str(argument) for argument in arguments)])


def write_yaml(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def line_of(path: Path, start: str) -> int:
    """Return the line (from 1) of a file that starts with a text; it must be one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    (number,) = (n for n, line in enumerate(lines, start=1) if line.startswith(start))
    return number


def one_line_of(result: Result) -> str:
    """Return the message of a command that fails as it should."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").rstrip("\n")


def test_lint_prints_findings_grouped_by_code_and_counts_them(tmp_path: Path) -> None:
    """File, line, code, severity, message and hint; an error alone does not fail the command."""
    taxonomy = {**TAXONOMY, "papers": {**TAXONOMY["papers"], "tube2023g": {"what": ["tubes"]}}}
    folder = make_survey(tmp_path / "s", taxonomy=taxonomy)
    file = folder / "taxonomy.yaml"
    result = invoke("lint", folder)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[:2] == [
        f"{file}:{line_of(file, '  tube2023g:')}: T101 error: the survey holds no paper "
        "'tube2023g' (did you mean 'tube2023f', which is not filed?)",
        f"{file}:{line_of(file, 'papers:')}: T102 warning: 'tube2023f' is a paper of the "
        'survey and not filed (file it under papers; "tube2023f: {}" for none)',
    ]
    codes = [line.split(": ")[1].split()[0] for line in lines[:-1]]
    assert codes == sorted(codes)
    assert lines[-1] == f"1 error, {len(lines) - 2} warnings, 0 notes"
    assert result.stderr == ""


def test_lint_strict_fails_for_a_warning_and_not_for_a_note(tmp_path: Path) -> None:
    """A note is no fault."""
    labels = {name: {"description": "d"} for name in ("pixels", "views")}
    papers: dict[str, Any] = {
        key: {"what": ["pixels" if i % 2 else "views"]} for i, key in enumerate("abcd")
    }
    papers["a"] = {"what": [{"label": "views", "evidence": "section 1"}]}
    content: dict[str, Any] = {
        "axes": {"what": {"description": "d", "labels": labels}},
        "papers": papers,
    }
    listed = [{"key": key, "title": f"Paper {key} of its own"} for key in "abcd"]
    folder = make_survey(tmp_path / "s", papers=listed, taxonomy=content)
    result = invoke("lint", folder, "--strict")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "0 errors, 0 warnings, 3 notes",
    )
    labels["views"]["description"] = ""
    make_survey(tmp_path / "s", papers=listed, taxonomy=content)
    assert invoke("lint", folder).exit_code == 0
    result = invoke("lint", folder, "--strict")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-1] == "0 errors, 1 warning, 3 notes"


def test_lint_of_the_bundled_survey_finds_the_two_stated_numbers(tmp_path: Path) -> None:
    """18 cells in the paper and 20 here, 179 papers and 180 here; nothing else."""
    report = tmp_path / "lint.json"
    assert invoke("lint", "--json", report).exit_code == 0
    data = json.loads(report.read_text(encoding="utf-8"))
    assert data["counts"] == {"error": 0, "warning": 2, "note": 0}
    assert [(f["code"], f["line"]) for f in data["findings"]] == [("T301", 9), ("T301", 11)]
    assert set(data["findings"][0]) == {
        "code", "severity", "source", "line", "message", "hint",
    }  # fmt: skip


def test_lint_holds_a_readme_against_the_taxonomy(tmp_path: Path) -> None:
    """With the lines of both files."""
    folder = make_survey(tmp_path / "s")
    readme = tmp_path / "list.md"
    readme.write_text(
        "## What is hidden: pixels\n"
        "- [Masked pixel reconstruction](https://example.org/a)\n"
        "- [Contrastive views](https://example.org/b)\n",
        encoding="utf-8",
    )
    lines = invoke("lint", folder, "--companion", readme).stdout.splitlines()
    file = folder / "taxonomy.yaml"
    assert (
        f"{file}:{line_of(file, '  view2021c:')}: T404 warning: 'view2021c' is filed in "
        f"'What is hidden: Views of a scene'; {readme} has it under "
        f"'What is hidden: pixels' (correct the side that is wrong; see {readme}:3)"
    ) in lines
    assert sum(" T402 " in line for line in lines) == 3


def test_lint_refuses_what_is_no_taxonomy_in_one_line(tmp_path: Path) -> None:
    """A file that does not parse, a survey without one, no survey, no README."""
    folder = make_survey(tmp_path / "s")
    (folder / "taxonomy.yaml").write_text("axes: [\n", encoding="utf-8")
    assert "taxonomy.yaml:2: not valid YAML" in one_line_of(invoke("lint", folder))
    bare = make_survey(tmp_path / "bare", taxonomy=None)
    assert "names no taxonomy" in one_line_of(invoke("lint", bare))
    assert "no such folder" in one_line_of(invoke("lint", tmp_path / "none"))
    missing = tmp_path / "README.md"
    assert f"{missing}: no such file" in one_line_of(invoke("lint", MIM, "--companion", missing))


TEN = [f"p{i}" for i in range(10)]


def filed(labels: str, **more: Any) -> dict[str, Any]:
    """Return a taxonomy of ten papers, each with the label of one letter, or none for a blank."""
    names = {"a": "alpha", "b": "beta"}
    return {
        "axes": {"kind": {"title": "Kind of thing", "labels": {"alpha": {}, "beta": {}}}},
        "papers": {
            key: {"kind": [names[letter]]} if letter != " " else {}
            for key, letter in zip(TEN, labels, strict=True)
        },
        **more,
    }


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_agree_compares_two_files_and_writes_tables(tmp_path: Path) -> None:
    """Nine of ten alike: with 5 and 6 alphas, kappa is (0.9 - 0.5) / 0.5 = 0.8."""
    ada = write_yaml(tmp_path / "ada.yaml", filed("aaaaabbbbb"))
    bo = write_yaml(tmp_path / "bo.yaml", filed("aaaaaabbbb"))
    out = tmp_path / "out"
    result = invoke("agree", ada, bo, "-o", out)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"10 papers filed by {ada}, {bo}"
    assert lines[2].startswith("Kind of thing   9/10   0.80 [")
    assert lines[3].startswith("Combined cells  9/10   0.80 [")
    assert lines[4:] == ["1 disagreement:", "  p5, kind: beta | alpha", f"tables: {out}"]
    rows = read_csv(out / "agreement.csv")
    kappa = next(row for row in rows if row["index"].startswith("Cohen"))
    assert float(kappa["value"]) == pytest.approx(0.8)
    assert float(kappa["low"]) <= 0.8 <= float(kappa["high"])
    assert (kappa["axis"], kappa["n_papers"], kappa["n_equal"]) == ("kind", "10", "9")
    assert {row["axis"] for row in rows} == {"kind", "combined cells"}
    assert read_csv(out / "disagreements.csv") == [
        {
            "paper_key": "p5",
            "title": "",
            "axis": "kind",
            f"labels by {ada}": "beta",
            f"labels by {bo}": "alpha",
        }
    ]


def test_agree_gives_the_same_bytes_again_and_a_manifest(tmp_path: Path) -> None:
    """The manifest names inputs, seed and digests; the folder is replaced by its own command."""
    ada = write_yaml(tmp_path / "ada.yaml", filed("aaaaabbbbb"))
    bo = write_yaml(tmp_path / "bo.yaml", filed("aababbabbb"))
    out = tmp_path / "out"
    written = []
    for _ in range(2):
        assert invoke("agree", ada, bo, "-o", out, "--seed", 3, "--quiet").output == ""
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]
    manifest = json.loads(written[0]["manifest.json"])
    assert manifest["command"] == "taxonomy agree"
    assert manifest["settings"]["seed"] == 3
    assert [*manifest["inputs"]] == [str(ada), str(bo)]
    assert {*manifest["outputs"]} == {"agreement.csv", "disagreements.csv"}
    (out / "mine.txt").write_text("mine")
    assert "did not write (mine.txt)" in one_line_of(invoke("agree", ada, bo, "-o", out))


def test_agree_compares_the_annotators_inside_one_file(tmp_path: Path) -> None:
    """Both labelled every paper, in one file; a third file would stand as a whole."""
    both = filed("aaaaabbbbb", annotator="Ada")
    for i, key in enumerate(TEN):
        label = "alpha" if i < 4 else "beta"
        both["papers"][key]["kind"].append({"label": label, "annotator": "Bo"})
    lines = invoke("agree", write_yaml(tmp_path / "both.yaml", both)).stdout.splitlines()
    assert lines[0] == "10 papers filed by Ada, Bo"
    assert lines[-1] == "  p4, kind: alpha | beta"
    alone = write_yaml(tmp_path / "alone.yaml", filed("aaaaabbbbb", annotator="Ada"))
    message = one_line_of(invoke("agree", alone))
    assert message.startswith(f"{alone} holds one annotator, 'Ada'; give a second taxonomy")


def test_agree_matches_two_surveys_of_the_same_papers(tmp_path: Path) -> None:
    """The bundled survey against itself under other keys, known by arXiv id and title."""
    other = tmp_path / "other"
    other.mkdir()
    papers = [json.loads(line) for line in (MIM / "papers.jsonl").read_text("utf-8").splitlines()]
    text = (MIM / "taxonomy.yaml").read_text(encoding="utf-8")
    for i, paper in enumerate(papers):
        text = text.replace(f"  {paper['key']}:\n", f"  x{i}:\n")
        paper["key"] = f"x{i}"
    (other / "taxonomy.yaml").write_text(text, encoding="utf-8")
    (other / "papers.jsonl").write_text(
        "".join(json.dumps(paper) + "\n" for paper in papers), encoding="utf-8"
    )
    (other / "survey.yaml").write_text(
        "title: Other\npapers: papers.jsonl\ntaxonomy: taxonomy.yaml\n", encoding="utf-8"
    )
    result = invoke("agree", MIM, other)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0].startswith("180 papers filed by ")
    assert result.stdout.splitlines()[-1] == "0 disagreements"
    by_file = invoke(
        "agree", MIM / "taxonomy.yaml", other / "taxonomy.yaml",
        "--papers", MIM / "papers.jsonl", "--papers", other / "papers.jsonl",
    )  # fmt: skip
    assert by_file.stdout.splitlines()[1:] == result.stdout.splitlines()[1:]


def test_agree_goes_by_the_setting_of_each_survey(tmp_path: Path) -> None:
    """A filed paper that its survey lacks is refused; if it may be left out, its key counts."""
    papers = {**TAXONOMY["papers"], "gone2019": {"what": ["tubes"]}}
    for name in ("a", "b"):
        make_survey(tmp_path / name, taxonomy={**TAXONOMY, "papers": papers})
    folders = [tmp_path / "a", tmp_path / "b"]
    message = one_line_of(invoke("agree", *folders, "--few"))
    assert "papers.gone2019: unknown paper; correct it (" in message
    asked = {**SETTINGS["crosscheck"], "unknown": "leave-out"}
    for folder in folders:
        make_survey(
            folder,
            settings={"crosscheck": asked},
            taxonomy={**TAXONOMY, "papers": papers},
        )
    result = invoke("agree", *folders, "--few")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("6 papers filed by ")


def test_agree_names_what_is_left_out(tmp_path: Path) -> None:
    """Papers, axes and labels of one side only go to stderr; the rest is compared."""
    left = filed("aaaaabbbbb")
    right = filed("aaaaabbbbb")
    del left["papers"]["p0"], right["papers"]["p9"]
    left["axes"]["extra"] = {"labels": {"x": {}}}
    right["axes"]["kind"]["labels"]["gamma"] = {}
    ada, bo = write_yaml(tmp_path / "ada.yaml", left), write_yaml(tmp_path / "bo.yaml", right)
    refused = one_line_of(invoke("agree", ada, bo))
    assert refused == (
        f"8 papers in common ({ada} files 9, {bo} files 9), and agreement needs at least 10; "
        f"{ada} lacks p0; {bo} lacks p9; --few goes on all the same"
    )
    result = invoke("agree", ada, bo, "--few")
    assert result.exit_code == 0
    assert result.stdout.startswith("8 papers filed by ")
    assert result.stderr.splitlines() == [
        f"note: 1 paper not filed by {ada}: p0",
        f"note: 1 paper not filed by {bo}: p9",
        f"note: axis 'extra' is left out; it stands only in {ada}",
        f"note: label 'gamma' of axis 'kind' is known to {bo} only",
    ]


def test_agree_refuses_what_cannot_be_compared(tmp_path: Path) -> None:
    """No axis in common, one file twice, too few files of papers."""
    ada = write_yaml(tmp_path / "ada.yaml", filed("aaaaabbbbb"))
    other = filed("aaaaabbbbb")
    other["axes"] = {"sort": other["axes"]["kind"]}
    other["papers"] = {key: {"sort": by["kind"]} for key, by in other["papers"].items()}
    bo = write_yaml(tmp_path / "bo.yaml", other)
    message = one_line_of(invoke("agree", ada, bo))
    assert message == (
        f"the taxonomies have no axis in common ({ada} has kind; {bo} has sort); axes are matched "
        "by name"
    )
    assert f"{ada} arrived twice" in one_line_of(invoke("agree", ada, ada))
    papers = MIM / "papers.jsonl"
    message = one_line_of(invoke("agree", ada, bo, "--papers", papers))
    assert message == "2 taxonomies and 1 file of papers; give one for each taxonomy, or none"
    message = one_line_of(invoke("agree", MIM, ada, "--papers", papers, "--papers", papers))
    assert message == f"{MIM} is a survey folder and names its own papers; leave out {papers}"
