"""``survey-tools cluster``: files of papers, certificates, embeddings, condensing, styles."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from survey_tools.cli import app

FAST = ("--set", "figures.formats=[svg]")
TOPICS = ("robot arm grasp force", "image pixel mask patch", "speech audio voice sound")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write_papers(path: Path, n: int, topics: tuple[str, ...] = TOPICS) -> Path:
    """Write a CSV of papers on some topics, with made-up words beside."""
    rng = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "title", "abstract", "year"])
        for i in range(n):
            topic = topics[i % len(topics)].split()
            words = rng.choices(topic, k=12) + [f"w{rng.randrange(2 * n + 20)}" for _ in range(12)]
            writer.writerow([f"p{i:05d}", f"On {words[0]} {i}", " ".join(words), 2020 + i % 4])
    return path


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """Return a file of thirty papers."""
    return write_papers(tmp_path / "papers.csv", 30)


def test_a_file_of_papers_is_a_survey(papers: Path, tmp_path: Path) -> None:
    """Without a folder and settings, three topics are three clusters."""
    result = invoke("cluster", papers, "-o", tmp_path / "out", "-k", 3, *FAST)
    assert result.exit_code == 0, result.output
    assert "3 clusters of 30 papers" in result.output
    with (tmp_path / "out" / "tables" / "papers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    topic_of = {row["paper_key"]: int(row["paper_key"][1:]) % 3 for row in rows}
    clusters = {(row["cluster"], topic_of[row["paper_key"]]) for row in rows}
    assert len(clusters) == 3
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {"papers.csv"}
    assert manifest["settings"]["title"] == "papers"
    assert (tmp_path / "out" / "tree.graphml").exists()
    assert json.loads((tmp_path / "out" / "tree.json").read_text(encoding="utf-8"))


def test_a_cluster_of_nearly_all_papers_is_told(tmp_path: Path) -> None:
    """On one topic single linkage parts one paper from the rest; Ward's two are unremarkable."""
    papers = write_papers(tmp_path / "papers.csv", 30, TOPICS[:1])
    for linkage, is_told in (("single", True), ("ward", False)):
        out = tmp_path / linkage
        result = invoke("cluster", papers, "-o", out, "-k", 2, "--linkage", linkage, *FAST)
        assert result.exit_code == 0, result.output
        assert ("clusters holds 29 of 30 papers: single linkage parts" in result.output) == is_told


@pytest.mark.parametrize("linkage", ["ward", "complete"])
def test_a_certificate_is_printed_and_kept(papers: Path, tmp_path: Path, linkage: str) -> None:
    """On the terminal, in the set-up, and its numbers in the manifest."""
    out = tmp_path / "out"
    result = invoke("cluster", papers, "-o", out, "--certify", "--linkage", linkage, *FAST)
    assert result.exit_code == 0, result.output
    assert "certificate: All 29 merges were the cheapest possible" in result.output
    assert "All 29 merges were the cheapest" in (out / "setup.txt").read_text(encoding="utf-8")
    certificate = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["certificate"]
    assert certificate["n_merges"] == 29
    assert certificate["gap"] <= 1e-12


@pytest.mark.parametrize(
    ("cut", "wanted"), [("silhouette", "mean silhouette of 2 to 40"), ("gap", "widest gap")]
)
def test_the_number_of_clusters_can_be_chosen(
    papers: Path, tmp_path: Path, cut: str, wanted: str
) -> None:
    """The set-up says how, and three topics are found."""
    out = tmp_path / "out"
    result = invoke("cluster", papers, "-o", out, "--set", f"clustering.cut.{cut}=true", *FAST)
    assert result.exit_code == 0, result.output
    assert wanted in (out / "setup.txt").read_text(encoding="utf-8")
    if cut == "gap":
        assert "3 clusters of 30 papers" in result.output


@pytest.mark.parametrize(
    "style", ["left-right", "top-down", "circular", "collapsed", "overview", "heat-map"]
)
def test_every_style_is_drawn(papers: Path, tmp_path: Path, style: str) -> None:
    """One SVG each, with the axis named."""
    out = tmp_path / "out"
    result = invoke("cluster", papers, "-o", out, "-k", 3, "--style", style, *FAST)
    assert result.exit_code == 0, result.output
    assert "Ward linkage" in (out / "figures" / "dendrogram.svg").read_text(encoding="utf-8")


def write_vectors(folder: Path, keys: list[str]) -> None:
    vectors = np.random.default_rng(2).normal(size=(len(keys), 4))
    vectors[:, 0] += [10 * (int(key[1:]) % 3) if key[1:].isdigit() else 0 for key in keys]
    np.save(folder / "vectors.npy", vectors)
    (folder / "keys.txt").write_text("\n".join(keys) + "\n", encoding="utf-8")


EMBEDDED = (
    *("--set", "clustering.rows=embeddings", "--set", "embeddings=vectors.npy"),
    *("--set", "embedding_keys=keys.txt"),
)


@pytest.mark.parametrize("options", [(), ("--linkage", "average", "--metric", "cosine")])
def test_vectors_brought_along_are_clustered(
    papers: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """By key, in whatever order they come; vectors of other papers are left out."""
    write_vectors(tmp_path, ["other", *(f"p{i:05d}" for i in reversed(range(30)))])
    out = tmp_path / "out"
    result = invoke("cluster", papers, "-o", out, "-k", 3, *EMBEDDED, *options, *FAST)
    assert result.exit_code == 0, result.output
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {"papers.csv", "vectors.npy", "keys.txt"}
    assert "vectors from outside are clustered" in (out / "setup.txt").read_text(encoding="utf-8")


def test_papers_without_a_vector_are_named(papers: Path, tmp_path: Path) -> None:
    """In one line, and no output is written."""
    write_vectors(tmp_path, [f"p{i:05d}" for i in range(2, 30)])
    result = invoke("cluster", papers, "-o", tmp_path / "out", *EMBEDDED, *FAST)
    assert result.exit_code == 1
    assert "2 of 30 papers have no vector: p00000, p00001" in result.output
    assert not (tmp_path / "out").exists()


REFUSED = {
    "engine": (["--engine", "dask"], "need --condense N"),
    "scratch": (["--scratch", "."], "need --condense N"),
    "unknown engine": (["--condense", "5", "--engine", "spark"], "no engine 'spark'"),
    "embeddings": (["--set", "clustering.rows=embeddings"], "none are named"),
    "components": (["--set", "clustering.rows=lsa"], "100 components asked of 30 papers"),
    "metric": (
        ["--set", "clustering.rows=lsa", "--linkage", "average", "--metric", "jaccard"],
        "jaccard distances compare terms",
    ),
    "style": (["--style", "spiral"], "figures.style"),
    "too many": (["--condense", "31"], "30"),
    "complete": (["--condense", "5", "--linkage", "complete"], "complete linkage"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(papers: Path, tmp_path: Path, case: str) -> None:
    """Exit code 1, one line, no output folder."""
    options, message = REFUSED[case]
    result = invoke("cluster", papers, "-o", tmp_path / "out", *options, *FAST)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_corpus_is_condensed_by_one_option(papers: Path, tmp_path: Path) -> None:
    """Micro-clusters first, then an exact tree of them, drawn and described."""
    out = tmp_path / "out"
    reduced = ("--set", "condense.n_components=3", "--set", "condense.n_sample=0")
    result = invoke("cluster", papers, "-o", out, "-k", 3, "--condense", 9, *reduced, *FAST)
    assert result.exit_code == 0, result.output
    assert "3 clusters of 30 papers in " in result.output
    assert "of the papers' variance lies inside micro-clusters" in result.output
    drawn = (out / "figures" / "dendrogram.svg").read_text(encoding="utf-8")
    assert "30 papers in " in drawn
    with (out / "tables" / "papers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert {row["micro_cluster"][0] for row in rows} == {"M"}


def test_a_survey_folder_can_be_condensed_too(papers: Path, tmp_path: Path) -> None:
    """Its settings are those of survey.yaml, where condensing may be set up."""
    folder = tmp_path / "survey"
    folder.mkdir()
    assert invoke("import", folder, papers).exit_code == 0
    settings = (folder / "survey.yaml").read_text(encoding="utf-8")
    settings += "condense: {n_micro_clusters: 9, n_components: 3, n_sample: 0}\n"
    (folder / "survey.yaml").write_text(settings, encoding="utf-8")
    result = invoke("cluster", folder, "-o", tmp_path / "out", "-k", 3, "--condense", 8, *FAST)
    assert result.exit_code == 0, result.output
    assert "3 clusters of 30 papers in " in result.output
    exact = invoke("cluster", folder, "-o", tmp_path / "x", "-k", 3, *FAST)
    assert "3 clusters of 30 papers\n" in exact.output


def test_ctrl_c_in_a_large_tree_leaves_nothing(tmp_path: Path) -> None:
    """Interrupted while 8,000 papers are merged from rows: exit code 130, no folder, at once."""
    papers = write_papers(tmp_path / "papers.csv", 8000)
    command = [sys.executable, "-m", "survey_tools", "cluster", str(papers)]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out"), "--certify", *FAST],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob(".out.partial-*")) and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 20
    assert [path.name for path in tmp_path.iterdir()] == ["papers.csv"]
