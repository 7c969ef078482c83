"""From a survey folder to an output folder: manifest, overrides, warnings, the same bytes."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from examples import SETTINGS, SIX_PAPERS, SUBTREES, TAXONOMY, make_survey

from survey_tools.analysis import analyse
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.results import StudyResult
from survey_tools.run import run_study
from survey_tools.study import Study, bundled_survey, read_study

FAST = {"figures.formats": ["svg"]}


def read_bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the six papers once; the survey lies beside the output."""
    base = tmp_path_factory.mktemp("study")
    run_study(make_survey(base / "survey"), base / "out", overrides={"seed": 7})
    return base / "out"


@pytest.fixture(scope="module")
def manifest(out: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def test_the_manifest_holds_the_digest_of_every_input(out: Path, manifest: dict[str, Any]) -> None:
    """sha256 of each file of the survey folder, and of nothing else."""
    folder = out.parent / "survey"
    assert manifest["inputs"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }


def test_the_manifest_holds_the_digest_of_every_output(out: Path, manifest: dict[str, Any]) -> None:
    """All files of the output folder but the manifest itself."""
    files = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in read_bytes_of(out).items()
        if name != "manifest.json"
    }
    assert manifest["outputs"] == files
    assert {"report.html", "setup.txt", "tree.nwk", "tables/papers.csv"} <= set(files)
    for stem in ("dendrogram", "contingency-axes", "contingency-cells"):
        assert {f"figures/{stem}.{suffix}" for suffix in ("pdf", "svg", "png")} <= set(files)


def test_the_manifest_says_what_was_run(manifest: dict[str, Any]) -> None:
    """Command, seed, overrides, all settings, versions, and what texts described the papers."""
    assert manifest["command"] == "run"
    assert manifest["overrides"] == {"seed": 7}
    assert manifest["seed"] == manifest["settings"]["seed"] == 7
    assert manifest["settings"]["clustering"]["cut"]["n_clusters"] == 3
    assert manifest["settings"]["text"]["norm"] == "l2"  # a default nobody wrote
    assert manifest["text_sources"] == {"abstract": 2, "digest": 2, "none": 2}
    assert (manifest["n_papers"], manifest["n_clusters"]) == (6, 3)
    for name in ("numpy", "scipy", "scikit-learn", "matplotlib"):
        assert manifest["versions"][name] == version(name)


def test_the_settings_of_a_manifest_repeat_the_run(out: Path, manifest: dict[str, Any]) -> None:
    """Written into survey.yaml, the manifest's settings give the same figures and tables."""
    folder = make_survey(out.parent / "repeat", settings=manifest["settings"])
    run_study(folder, out.parent / "repeated")
    ours, theirs = read_bytes_of(out), read_bytes_of(out.parent / "repeated")
    for files in (ours, theirs):  # these two name inputs and overrides
        del files["manifest.json"], files["report.html"]
    assert theirs == ours


def run_in_new_process(folder: Path, out: Path, hash_seed: str) -> dict[str, bytes]:
    subprocess.run(
        [sys.executable, "-m", "survey_tools", "run", str(folder), "-o", str(out), "-q"],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[1],
    )
    return read_bytes_of(out)


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """The whole output folder is the same, with another hash seed, folder and order of papers."""
    folder = make_survey(tmp_path / "survey")
    elsewhere = shutil.copytree(folder, tmp_path / "deep" / "elsewhere")
    ours = run_in_new_process(folder, tmp_path / "a", "1")
    assert len(ours) > 15
    assert run_in_new_process(elsewhere, tmp_path / "other" / "b", "2") == ours


def test_the_order_of_the_papers_changes_no_result(tmp_path: Path) -> None:
    """Only the digest of papers.jsonl differs, in the manifest and the report, and the numbers."""
    outputs = []
    for name, papers in (("a", SIX_PAPERS), ("b", SIX_PAPERS[::-1])):
        folder = make_survey(tmp_path / name, papers=papers)
        run_study(folder, tmp_path / f"out-{name}", overrides=FAST)
        files = read_bytes_of(tmp_path / f"out-{name}")
        digest = json.loads(files.pop("manifest.json"))["inputs"]["papers.jsonl"]
        files["report.html"] = files["report.html"].replace(digest.encode(), b"")
        papers = pd.read_csv(io.BytesIO(files.pop("tables/papers.csv")))
        assert sorted(papers.pop("number")) == [1, 2, 3, 4, 5, 6]  # places in the file
        outputs.append({**files, "papers": papers.to_csv().encode()})
    assert outputs[0] == outputs[1]


def test_the_three_pairs_are_found(tmp_path: Path) -> None:
    """Papers that share words are clustered together, whatever their order."""
    result = analyse(read_study(make_survey(tmp_path)))
    clusters = {frozenset(cluster.paper_keys) for cluster in result.clusters}
    assert clusters == {
        frozenset({"pixel2021a", "pixel2022b"}),
        frozenset({"view2021c", "view2023d"}),
        frozenset({"tube2022e", "tube2023f"}),
    }
    assert [name.is_found for name in result.names] == [True, True]


COMMANDS = {
    "cluster": {"tables/papers.csv", "tables/merges.csv", "tree.nwk", "figures/dendrogram.svg"},
    "crosscheck": {"tables/agreement.csv", "figures/contingency-cells.svg"},
    "report": {"report.html"},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_writes_its_own_part_as_run_does(out: Path, tmp_path: Path, command: str) -> None:
    """What cluster, crosscheck and report write are files of run, byte for byte."""
    run_study(
        out.parent / "survey",
        tmp_path / "part",
        command=command,  # type: ignore[arg-type]
        overrides={"seed": 7},
    )
    ours, all_files = read_bytes_of(tmp_path / "part"), read_bytes_of(out)
    assert json.loads(ours.pop("manifest.json"))["command"] == command
    assert COMMANDS[command] <= set(ours)
    others = set().union(*(names for other, names in COMMANDS.items() if other != command))
    assert not others & set(ours)
    for name, data in ours.items():
        if name != "setup.txt" or command != "cluster":  # without cross-check, a shorter set-up
            assert data == all_files[name], name


def test_a_folder_written_by_run_is_not_lost_to_a_smaller_command(
    out: Path, tmp_path: Path
) -> None:
    """Report into the folder of run would delete the figures; it is refused."""
    target = shutil.copytree(out, tmp_path / "out")
    with pytest.raises(OutputError, match="holds the results of 'run'"):
        run_study(out.parent / "survey", target, command="report")
    assert read_bytes_of(target) == read_bytes_of(out)


def test_run_replaces_an_earlier_run_whole(tmp_path: Path) -> None:
    """Files of the earlier run that the later does not write are gone."""
    folder = make_survey(tmp_path / "survey")
    run_study(folder, tmp_path / "out", overrides=FAST)
    make_survey(folder, taxonomy=None, subtrees=None)
    run_study(folder, tmp_path / "out", overrides=FAST)
    files = read_bytes_of(tmp_path / "out")
    assert "tables/agreement.csv" not in files
    assert set(json.loads(files["manifest.json"])["outputs"]) == set(files) - {"manifest.json"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "survey"]


def test_overrides_replace_settings_and_are_recorded(tmp_path: Path) -> None:
    """A value by dotted name; one way of cutting replaces another."""
    folder = make_survey(tmp_path)
    given = {"clustering.cut.height": 0.01, "text.min_df": 1, "seed": 3}
    study = read_study(folder, given)
    assert study.overrides == given
    assert study.settings.clustering.cut.height == 0.01
    assert study.settings.clustering.cut.n_clusters is None
    assert study.settings.seed == 3
    assert study.settings.title == SETTINGS["title"]
    assert read_study(folder).settings.clustering.cut.n_clusters == 3


def test_the_depth_of_inconsistency_may_be_given_in_any_order(tmp_path: Path) -> None:
    """Naming the way of cutting after its depth must not forget the depth."""
    folder = make_survey(tmp_path)
    ways = [("clustering.cut.inconsistency_depth", 3), ("clustering.cut.inconsistency", 0.9)]
    for given in (dict(ways), dict(reversed(ways))):
        cut = read_study(folder, given).settings.clustering.cut
        assert (cut.inconsistency, cut.inconsistency_depth, cut.n_clusters) == (0.9, 3, None)


def test_two_ways_of_cutting_at_once_are_refused(tmp_path: Path) -> None:
    """Neither of two contradicting options may win in silence."""
    given = {"clustering.cut.n_clusters": 2, "clustering.cut.height": 1.0}
    with pytest.raises(DataError, match="n_clusters and height arrived"):
        read_study(make_survey(tmp_path), given)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text.mindf", 2, "text.mindf: unknown; did you mean 'min_df'"),
        ("txt.min_df", 2, "txt: unknown; did you mean 'text'"),
        ("title.x", 2, "'title' holds no settings"),
        ("text", 2, "text: "),
        ("seed", -1, "seed: "),
        ("seed", "1", "seed: "),
        ("", 1, "unknown"),
        ("clustering..linkage", 1, "unknown"),
        ("papers", "../papers.jsonl", "must lie inside"),
        ("text.stop_words", "../stop.txt", "must lie inside"),
    ],
)
def test_overrides_that_do_not_fit_are_refused_by_name(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    """The complaint names the option, and for an unknown one the nearest known."""
    (tmp_path / "stop.txt").write_text("of")
    with pytest.raises(DataError, match=message):
        read_study(make_survey(tmp_path / "survey"), {name: value})


def test_warnings_say_what_a_reader_must_know(tmp_path: Path) -> None:
    """Digests, missing texts, names that were lost, names that drifted."""
    names = [
        *SUBTREES["names"],
        {"name": "lost", "papers": ["pixel2021a", "view2021c", "tube2022e"]},
        {"name": "drifted", "papers": ["pixel2021a", "view2021c", "view2023d"], "jaccard": 1.0},
    ]
    folder = make_survey(tmp_path, subtrees={"min_jaccard": 0.6, "names": names})
    warnings = "\n".join(analyse(read_study(folder)).warnings)
    assert "2 of 6 papers are described by a digest" in warnings
    assert "2 of 6 papers have neither abstract nor digest" in warnings
    assert "1 of 4 named sub-trees were not found in this tree: lost." in warnings
    assert "'drifted' drifted: Jaccard 0.67, 1.00 when named" in warnings


def test_filed_papers_that_the_survey_lacks_are_left_out_only_when_asked(tmp_path: Path) -> None:
    """The other papers are compared as if they had not been filed."""
    filed = {"gone2019": {"what": ["views"]}, **TAXONOMY["papers"], "gone2020": {}}
    folder = make_survey(tmp_path, taxonomy={**TAXONOMY, "papers": filed})
    with pytest.raises(DataError, match=r"unknown paper, one of gone2019, gone2020; correct them"):
        read_study(folder)
    found = analyse(read_study(folder, {"crosscheck.unknown": "leave-out"})).crosscheck
    plain = analyse(read_study(make_survey(tmp_path / "plain"))).crosscheck
    assert found is not None
    assert plain is not None
    assert (found.missing_keys, plain.missing_keys) == (("gone2019", "gone2020"), ())
    assert found.n_papers == plain.n_papers == 5
    assert [axis.agreement for axis in found.axes] == [axis.agreement for axis in plain.axes]
    assert found.labels == plain.labels


def test_without_reason_there_is_no_warning(tmp_path: Path) -> None:
    """Six papers with abstracts and all names found: nothing to say."""
    papers = [{**paper, "abstract": f"{paper['title']}."} for paper in SIX_PAPERS]
    assert analyse(read_study(make_survey(tmp_path, papers=papers))).warnings == ()


def test_titles_alone_need_no_warning_about_digests(tmp_path: Path) -> None:
    """With fields [title] no digest was used, so none is mentioned."""
    study = read_study(make_survey(tmp_path), {"text.fields": ["title"]})
    assert analyse(study).warnings == ()


def name_axis(name: str) -> dict[str, Any]:
    """Rename the axis 'what' of the taxonomy, and leave out the other."""
    papers = TAXONOMY["papers"].items()
    return {
        "axes": {name: TAXONOMY["axes"]["what"]},
        "papers": {key: {name: axes.get("what", [])} for key, axes in papers},
    }


@pytest.mark.parametrize("name", ["what", "combined", "a b", "..", "Ünïcode $x$"])
def test_every_axis_gets_a_table_beside_the_combined_cells(tmp_path: Path, name: str) -> None:
    """An axis of any allowed name has its own file, inside the tables folder."""
    folder = make_survey(tmp_path / "survey", taxonomy=name_axis(name))
    run_study(folder, tmp_path / "out", overrides=FAST)
    tables = sorted((tmp_path / "out" / "tables").glob("contingency-*.csv"))
    assert len(tables) == 2
    assert sum("pixels" in path.read_text(encoding="utf-8") for path in tables) == 2


@pytest.mark.parametrize("name", ["mask/target", "../../escaped", "cells", "combined cells"])
def test_an_axis_name_that_is_a_path_or_a_result_writes_nothing(tmp_path: Path, name: str) -> None:
    """A name with slashes must not lead out of the folder, nor may one hide another table."""
    folder = make_survey(tmp_path / "survey", taxonomy=name_axis(name))
    with pytest.raises(DataError, match=r"taxonomy\.yaml:2: axes\."):
        run_study(folder, tmp_path / "o" / "p" / "out", overrides=FAST)
    assert not list(tmp_path.rglob("*.csv"))


def test_a_stop_word_file_is_an_input(tmp_path: Path) -> None:
    """The words of the file are gone, and its digest is in the manifest."""
    (tmp_path / "stop.txt").write_text("# ours\nmasked\n", encoding="utf-8")
    study = read_study(make_survey(tmp_path), {"text.stop_words": "stop.txt"})
    assert "stop.txt" in study.digests
    assert "masked" not in analyse(study).features.terms


def test_progress_names_the_stages_in_order_and_ends_with_done(tmp_path: Path) -> None:
    """Each stage is announced once it begins; shares lie between 0 and 1 and rise."""
    seen: list[tuple[str, float]] = []
    run_study(
        make_survey(tmp_path / "survey"),
        tmp_path / "out",
        overrides=FAST,
        progress=lambda stage, share: seen.append((stage, share)),
    )
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages == [
        "reading",
        "text",
        "tree",
        "clusters",
        "cross-check",
        "figures",
        "report",
        "done",
    ]
    for stage in stages:
        shares = [share for name, share in seen if name == stage]
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] <= 1


def test_crosscheck_needs_a_taxonomy(tmp_path: Path) -> None:
    """Without one the complaint says so, and nothing is written."""
    folder = make_survey(tmp_path / "survey", taxonomy=None)
    with pytest.raises(DataError, match="names no taxonomy"):
        run_study(folder, tmp_path / "out", command="crosscheck")
    assert [path.name for path in tmp_path.iterdir()] == ["survey"]


@pytest.mark.parametrize(
    ("papers", "n_clusters", "message"),
    [(1, 1, "one paper cannot be clustered"), (6, 7, "7 clusters asked of 6 papers")],
)
def test_too_few_papers_are_refused(
    tmp_path: Path, papers: int, n_clusters: int, message: str
) -> None:
    """One paper is no tree; more clusters than papers are none either."""
    folder = make_survey(tmp_path, papers=SIX_PAPERS[:papers], taxonomy=None, subtrees=None)
    with pytest.raises(ParameterError, match=message):
        analyse(read_study(folder, {"clustering.cut.n_clusters": n_clusters}))


def test_two_papers_are_enough(tmp_path: Path) -> None:
    """The smallest survey goes all the way."""
    folder = make_survey(tmp_path / "survey", papers=SIX_PAPERS[:2], taxonomy=None, subtrees=None)
    overrides = {**FAST, "clustering.cut.n_clusters": 2}
    result = run_study(folder, tmp_path / "out", overrides=overrides)
    assert result.partition.n_groups == 2
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("linkage", ["centroid", "median", "single", "complete", "average"])
def test_every_linkage_goes_all_the_way(tmp_path: Path, linkage: str) -> None:
    """Trees with inversions and ties are drawn and reported too."""
    folder = make_survey(tmp_path / "survey")
    overrides = {**FAST, "clustering.linkage": linkage, "clustering.cut.height": 0.7}
    run_study(folder, tmp_path / "out", overrides=overrides)
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_bundled_survey_is_found_and_whole(mim_study: Study) -> None:
    """180 papers, six axes of contribution, the 18 names of the survey."""
    assert (bundled_survey() / "survey.yaml").is_file()
    assert mim_study.settings.title == "Masked Image Modeling: A Survey"
    assert mim_study.settings.arxiv_id == "2408.06687"
    assert len(mim_study.corpus) == 180
    assert mim_study.taxonomy is not None
    assert len(mim_study.taxonomy.axes) == 6
    assert len(mim_study.subtree_file.names) == 18


def test_the_bundled_survey_gives_18_clusters_and_says_which_names_were_lost(
    mim_result: StudyResult,
) -> None:
    """The cut of the survey, and a warning that lists the names that no sub-tree matches."""
    assert mim_result.partition.n_groups == 18
    lost = [name.name for name in mim_result.names if not name.is_found]
    (warning,) = [text for text in mim_result.warnings if "were not found" in text]
    assert warning.startswith(f"{len(lost)} of 18 named sub-trees")
    assert all(name in warning for name in lost)


def test_titles_alone_are_not_called_digests(tmp_path: Path) -> None:
    """With the title as the only field, manifest and table say that no text was used."""
    options = FAST | {"text.fields": ["title"]}
    run_study(make_survey(tmp_path / "survey"), tmp_path / "out", overrides=options)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["text_sources"] == {"abstract": 0, "digest": 0, "none": 6}
    assert not any("digest" in warning for warning in manifest["warnings"])
    assert ",digest," not in (tmp_path / "out" / "tables" / "papers.csv").read_text()
    assert "0 digests" in (tmp_path / "out" / "report.html").read_text()
