"""From a file of many papers to an output folder: tables add up, nothing is left over."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from survey_tools.condense.engines import EngineChoice
from survey_tools.condensed_study import CondensedResult, run_condensed
from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.formats.files import write_references
from survey_tools.paper import Paper
from survey_tools.settings import SurveySettings

N_PAPERS = 120
SETTINGS: dict[str, Any] = {
    "title": "Three subjects",
    "seed": 7,
    "clustering": {"cut": {"n_clusters": 3}},
    "crosscheck": {"n_permutations": 50, "n_resamples": 50},
}
CONDENSE: dict[str, Any] = {"n_micro_clusters": 12, "n_components": 10, "n_at_once": 50}
WORDS = ("pixel patch mask hidden", "view contrast pull crop", "tube video frame motion")


def make_papers() -> tuple[Paper, ...]:
    """Three subjects of forty papers; every paper repeats one word of its subject."""
    papers = []
    for i in range(N_PAPERS):
        words = WORDS[i % 3].split()
        title = f"{words[i // 3 % 4]} {words[i // 12 % 4]} learning"
        abstract = " ".join([*words, words[i // 3 % 4], f"number{i % 11}"])
        papers.append(Paper(key=f"s{i % 3}-{i:03d}", title=title, abstract=abstract))
    return tuple(papers)


def run(source: Path, out: Path, **options: Any) -> CondensedResult:
    condense = {**CONDENSE, **options.pop("condense", {})}
    given = {**SETTINGS, "condense": condense, **options.pop("settings", {})}
    settings = SurveySettings.model_validate(given)
    return run_condensed(source, out, settings=settings, **options)


def read_table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / "tables" / f"{name}.csv", dtype={"paper_key": str})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.parquet"
    write_references(Corpus(make_papers()), path)
    return path


@pytest.fixture(scope="module")
def result(source: Path) -> CondensedResult:
    return run(source, source.parent / "out")


@pytest.fixture(scope="module")
def out(source: Path, result: CondensedResult) -> Path:
    return source.parent / "out"


def test_every_paper_stands_once_with_micro_cluster_and_cluster(out: Path) -> None:
    """In the order of the file."""
    papers = read_table(out, "papers")
    assert papers["paper_key"].tolist() == [paper.key for paper in make_papers()]
    assert papers["cluster"].nunique() == 3
    of_micro = papers.groupby("micro_cluster")["cluster"].nunique()
    assert (of_micro == 1).all()


def test_the_clusters_are_the_subjects(out: Path) -> None:
    """Each cluster's papers have one subject, its words on top and examples of its own."""
    papers, clusters = read_table(out, "papers"), read_table(out, "clusters")
    assert (
        papers.groupby("cluster")["paper_key"].agg(lambda keys: keys.str[:2].nunique()) == 1
    ).all()
    for row in clusters.itertuples():
        example = str(row.examples).split(", ")[0]
        words = WORDS[int(example[1])].split()
        assert set(str(row.terms_mean_weight).split(", ")[:4]) == set(words)


def test_the_tables_add_up(out: Path, result: CondensedResult) -> None:
    """Papers by micro-cluster, micro-clusters by cluster, and all below the last merge."""
    papers, micro = read_table(out, "papers"), read_table(out, "micro-clusters")
    clusters, merges = read_table(out, "clusters"), read_table(out, "merges")
    n_micro = len(result.condensed.n_papers)
    counted = papers["micro_cluster"].value_counts()
    assert micro.set_index("micro_cluster")["n_papers"].to_dict() == counted.to_dict()
    assert clusters["n_papers"].sum() == merges["n_papers"].iloc[-1] == N_PAPERS
    assert clusters["n_micro_clusters"].sum() == merges["n_micro_clusters"].iloc[-1] == n_micro
    assert len(merges) == n_micro - 1
    assert micro["leaf"].tolist() == list(range(1, n_micro + 1))


def test_the_central_paper_lies_in_its_micro_cluster(out: Path) -> None:
    """Tables agree with each other by key."""
    micro_of = read_table(out, "papers").set_index("paper_key")["micro_cluster"]
    micro = read_table(out, "micro-clusters")
    assert micro_of[micro["central_paper"]].tolist() == micro["micro_cluster"].tolist()


def test_the_tree_holds_every_micro_cluster(out: Path, result: CondensedResult) -> None:
    """Newick, leaves by name."""
    text = (out / "tree.nwk").read_text(encoding="utf-8")
    assert all(f"{name}:" in text for name in result.condensed.names)


def test_the_setup_says_method_settings_loss_and_agreement(out: Path) -> None:
    """All that a reader must know before believing it."""
    text = (out / "setup.txt").read_text(encoding="utf-8")
    for part in (
        "120 papers (120 by an abstract) are described by",
        "fields title + abstract",
        "min df 1; max df 1.0",
        "12 micro-centres are chosen by k-means++ from 3 times as many points, in groups of "
        "some 1,000, and fitted by mini-batch k-means (scikit-learn, no reassignment) in 3 passes",
        "% of the papers' variance lies inside micro-clusters",
        "merged exactly by Ward linkage on Euclidean distances of their mean rows",
        "the tree is cut into 3, which gives 3 clusters",
        "On 120 papers drawn at random, the condensed tree's 3 clusters and 3 clusters of an exact "
        "tree of these papers alone (same terms, weights and linkage) agree with an adjusted Rand "
        "index of 1.00",
        "seed 7.",
    ):
        assert part in text


def test_the_agreement_table_has_the_yardstick(out: Path) -> None:
    """Subjects that share no word are found by all trees."""
    table = read_table(out, "agreement").set_index("index")
    assert table.loc["ARI", "value"] == 1.0
    assert table.loc["AMI", "value_exact_half"] == 1.0
    assert (table["n_papers"] == N_PAPERS).all()


def test_the_manifest_says_what_was_run(source: Path, out: Path) -> None:
    """Input and outputs by digest, all settings, and the sums."""
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["command"] == "cluster"
    assert manifest["inputs"] == {"big.parquet": hashlib.sha256(source.read_bytes()).hexdigest()}
    assert manifest["settings"]["condense"]["n_micro_clusters"] == 12
    assert manifest["settings"]["condense"]["method"] == "mini-batch-k-means"
    assert manifest["settings"]["clustering"]["linkage"] == "ward"
    assert (manifest["n_papers"], manifest["n_clusters"]) == (N_PAPERS, 3)
    assert 0 < manifest["variance_lost"] < 1
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {*manifest["outputs"], "manifest.json"}


def test_a_second_run_gives_the_same_bytes(source: Path, out: Path, tmp_path: Path) -> None:
    """Two processes or one."""
    run(source, tmp_path / "again")
    for path in out.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(out)
            assert again.read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_another_engine_gives_the_same_folder(source: Path, out: Path, tmp_path: Path) -> None:
    """Dask with two workers; the manifest does not even name it."""
    run(source, tmp_path / "dask", engine=EngineChoice(name="dask", n_workers=2))
    manifest = "manifest.json"
    assert (tmp_path / "dask" / manifest).read_bytes() == (out / manifest).read_bytes()


def test_average_linkage_and_birch_also_run(source: Path, tmp_path: Path) -> None:
    """And the set-up says so."""
    clustering = {"linkage": "average", "metric": "cosine", "cut": {"n_clusters": 3}}
    run(
        source,
        tmp_path / "out",
        settings={"clustering": clustering},
        condense={"method": "birch", "n_sample": 0},
    )
    text = (tmp_path / "out" / "setup.txt").read_text(encoding="utf-8")
    assert "average linkage on cosine distances" in text
    assert "BIRCH (scikit-learn) reads the points once" in text
    assert "drawn at random, the condensed tree's" not in text
    assert not (tmp_path / "out" / "tables" / "agreement.csv").exists()


def test_progress_names_every_stage(source: Path, tmp_path: Path) -> None:
    """Shares never fall within a stage."""
    seen: dict[str, list[float]] = {}
    run(
        source,
        tmp_path / "out",
        progress=lambda stage, share: seen.setdefault(stage, []).append(share),
    )
    stages = "reading weighing basis projecting micro-clusters assigning tree sample figures done"
    assert list(seen) == stages.split()
    for shares in seen.values():
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] <= 1


def test_a_sample_of_three_papers_is_not_compared(
    result: CondensedResult, source: Path, tmp_path: Path
) -> None:
    """A half of it cannot be clustered."""
    small = run(source, tmp_path / "out", condense={"n_sample": 3})
    assert small.check is None
    assert len(small.sentences) == 1
    assert result.check is not None
    assert len(result.sentences) == 2


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (
            {"condense": {"n_micro_clusters": 200}},
            ParameterError,
            "200 micro-clusters asked of 120",
        ),
        ({"settings": {"clustering": {"linkage": "single"}}}, ParameterError, "single linkage"),
        ({"settings": {"condense": None}}, ParameterError, "give --condense N"),
        ({"scratch": Path("no/such/folder")}, OutputError, "no scratch folder can be made there"),
    ],
)
def test_a_refused_run_leaves_no_output(
    source: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Nor a half-written folder beside it."""
    with pytest.raises(error, match=sentence):
        run(source, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(DataError, match=r"none\.parquet: no such file"):
        run(tmp_path / "none.parquet", tmp_path / "out")
