"""Time a multiverse of settings: from scratch with scikit-learn and scipy, and by the runner.

Prints a table and writes it to benchmarks/robustness.md:

* the grid of 4 ranges of n-grams x 4 weightings x 3 min_df x 5 pairs of linkage and metric x 3
  algorithms (scipy, scikit-learn, k-means with 10 starts) and 100 bootstraps of the papers, on
  the bundled survey, 10 clusters. The naive loop calls scikit-learn and scipy from scratch for
  each of the 720 settings and 100 bootstraps: once for labels and their adjusted Rand index with
  the survey's clusters alone, once with what the runner measures as far as the two libraries have
  it (ARI and AMI with the survey's clusters and with six axes, Fowlkes-Mallows at 39 cuts, the
  cophenetic correlation; not the Jaccard scores of 36 clusters and names). The loop is also given
  without its repeats: k-means does not depend on the linkage, so that 528 of the 720 settings
  differ. CPU seconds of one process, one thread;
* peak memory of the process that hands out and writes, with 600 and with 6,000 runs.

``--engines`` instead times the same settings and 1,000 bootstraps by the command's engines, one
worker and two, and writes benchmarks/robustness_engines.md. ``--commands`` also times
``survey-tools robustness`` with both presets (some minutes).
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.cluster import hierarchy
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    fowlkes_mallows_score,
)
from threadpoolctl import threadpool_limits

from survey_tools.analysis import analyse
from survey_tools.robustness.engines import EngineChoice, open_engine
from survey_tools.robustness.material import Material, Reference, Target
from survey_tools.robustness.plan import sort_runs
from survey_tools.robustness.run import Run
from survey_tools.robustness.runner import run_plan
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.store import open_store
from survey_tools.robustness.workbench import Workbench
from survey_tools.study import read_study
from survey_tools.text import join_fields

DATA = Path(__file__).parents[1] / "data" / "mim"
NGRAMS = ((1, 1), (1, 2), (1, 3), (2, 2))
WEIGHTINGS = ("tf-idf", "sublinear-tf-idf", "binary", "counts")
MIN_DFS = (1, 2, 3)
PAIRS = (
    ("ward", "euclidean"),
    ("average", "cosine"),
    ("complete", "cosine"),
    ("average", "euclidean"),
    ("single", "cosine"),
)
ALGORITHMS = ("scipy", "scikit-learn", "k-means")
N_CLUSTERS, N_BOOTSTRAPS, N_CUTS = 10, 100, 40
N_PAIRS = 9
N_BOOTSTRAPS_OF_ENGINES = 1_000


def gather() -> Material:
    """Read the bundled survey, its own tree cut into 10 clusters."""
    study = read_study(DATA, {"clustering.cut.n_clusters": N_CLUSTERS})
    result = analyse(study, with_crosscheck=False)
    settings, corpus = study.settings, study.corpus.sorted_by_key()
    partition = result.partition
    targets = [
        Target(name=name, kind="cluster", paper_keys=partition.members(name))
        for name in partition.group_names
    ]
    targets += [
        Target(name=name.name, kind="name", paper_keys=name.subtree.paper_keys)
        for name in result.names
    ]
    assert study.taxonomy is not None
    return Material(
        corpus=corpus,
        text=settings.text,
        stop_words={"english": study.stop_words},
        own=Setting.of_survey(settings.text, settings.clustering, N_CLUSTERS),
        reference=Reference.of_tree(result.tree, partition, tuple(targets)),
        axes={
            axis.name: study.taxonomy.classes(axis.name, corpus.keys).codes
            for axis in study.taxonomy.axes
        },
        numbers=tuple(range(2, N_CUTS + 1)),
        share=0.8,
        seed=1,
        digest="benchmark",
    )


def list_runs(material: Material, n_bootstraps: int = N_BOOTSTRAPS) -> tuple[Run, ...]:
    """List the runs of the grid, each once, and the bootstraps."""
    runs = []
    for ngrams, weighting, min_df in product(NGRAMS, WEIGHTINGS, MIN_DFS):
        terms = material.own.replace(
            ngrams=f"{ngrams[0]}-{ngrams[1]}", weighting=weighting, min_df=min_df
        )
        runs.append(Run(setting=terms.replace(algorithm="k-means")))
        for (linkage, metric), library in product(PAIRS, ALGORITHMS[:2]):
            setting = terms.replace(algorithm=linkage, metric=metric, library=library)
            runs.append(Run(setting=setting))
    own = material.own
    runs += [Run(setting=own, resample="papers-bootstrap", draw=i) for i in range(n_bootstraps)]
    return sort_runs(runs)


def list_naive(*, is_repeated: bool) -> Iterator[tuple[tuple, str, int, str, str, str]]:
    """List the settings of the loop; k-means once a linkage, or once."""
    for ngrams, weighting, min_df in product(NGRAMS, WEIGHTINGS, MIN_DFS):
        for (linkage, metric), algorithm in product(PAIRS, ALGORITHMS):
            if algorithm != "k-means" or is_repeated or (linkage, metric) == PAIRS[0]:
                yield ngrams, weighting, min_df, linkage, metric, algorithm


def vectorise(texts: list[str], ngrams: tuple, weighting: str, min_df: int) -> np.ndarray:
    """Weigh terms with scikit-learn."""
    vectoriser = TfidfVectorizer(
        ngram_range=ngrams,
        min_df=min_df,
        stop_words="english",
        use_idf=weighting.endswith("tf-idf"),
        sublinear_tf=weighting == "sublinear-tf-idf",
        binary=weighting == "binary",
    )
    return np.asarray(vectoriser.fit_transform(texts).toarray())


def group(
    rows: np.ndarray, linkage: str, metric: str, algorithm: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Group papers; return labels, and the tree where the library gives one."""
    if algorithm == "k-means":
        return KMeans(N_CLUSTERS, n_init=10, random_state=1).fit_predict(rows), None
    if algorithm == "scipy":
        tree = hierarchy.linkage(rows, linkage, metric=metric)
        return hierarchy.fcluster(tree, N_CLUSTERS, "maxclust"), tree
    model = AgglomerativeClustering(N_CLUSTERS, linkage=linkage, metric=metric)
    return model.fit_predict(rows), None


def loop(material: Material, *, measures_all: bool, is_repeated: bool) -> None:
    """Do the grid and the bootstraps from scratch."""
    texts = [join_fields(paper, ("title", "abstract")) for paper in material.corpus]
    reference = material.reference
    cuts = [
        hierarchy.fcluster(reference.tree.to_linkage(), k, "maxclust") for k in range(2, N_CUTS + 1)
    ]
    own = reference.tree.to_linkage()

    def measure(labels: np.ndarray, tree: np.ndarray | None, places: np.ndarray) -> None:
        adjusted_rand_score(reference.codes[places], labels)
        if not measures_all:
            return
        adjusted_mutual_info_score(reference.codes[places], labels)
        for codes in material.axes.values():
            adjusted_rand_score(codes[places], labels)
            adjusted_mutual_info_score(codes[places], labels)
        if tree is not None:
            for k, cut in enumerate(cuts, start=2):
                fowlkes_mallows_score(cut[places], hierarchy.fcluster(tree, k, "maxclust"))
            heights = hierarchy.cophenet(tree)
            if len(places) == len(texts):
                np.corrcoef(heights, hierarchy.cophenet(own))

    everyone = np.arange(len(texts))
    for ngrams, weighting, min_df, *how in list_naive(is_repeated=is_repeated):
        labels, tree = group(vectorise(texts, ngrams, weighting, min_df), *how)
        measure(labels, tree, everyone)
    rng = np.random.default_rng(1)
    for _ in range(N_BOOTSTRAPS):
        places = np.unique(rng.integers(0, len(texts), len(texts)))
        rows = vectorise([texts[i] for i in places], (1, 1), "tf-idf", 2)
        measure(*group(rows, "ward", "euclidean", "scipy"), places)


def time_cpu(call: Callable[[], object]) -> float:
    """Return the CPU seconds of a call in this process."""
    began = time.process_time()
    call()
    return time.process_time() - began


def run_all(
    material: Material, runs: tuple[Run, ...], engine: str, n_workers: int, *, is_warm: bool = True
) -> float:
    """Do all runs by an engine that has started, and return the wall-clock seconds."""
    with tempfile.TemporaryDirectory() as folder:
        about = {"made": "by the benchmark"}
        choice = EngineChoice(name=engine, n_workers=n_workers)
        with open_engine(choice) as started:
            if is_warm:  # workers load the libraries
                few = runs[:: max(1, len(runs) // (20 * n_workers))]
                with open_store(Path(folder) / "warm", about, few) as (store, writer):
                    run_plan(material, few, store, writer, started, n_workers=n_workers)
            with open_store(Path(folder) / "store", about, runs) as (store, writer):
                began = time.perf_counter()
                run_plan(material, runs, store, writer, started, n_workers=n_workers)
                return time.perf_counter() - began


def measure_memory(n_bootstraps: int) -> float:
    """Return the peak memory in MB of a process that hands out and writes so many bootstraps."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", str(n_bootstraps)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def time_command(preset: str, folder: str) -> tuple[float, str]:
    """Return wall-clock seconds of the command with two workers, and its line about the runs."""
    command = [sys.executable, "-m", "survey_tools", "robustness", str(DATA), "--preset", preset]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--workers", "2", "-o", f"{folder}/{preset}"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("Runs: ")]
    return time.perf_counter() - began, lines[0].partition(" in all")[0].removeprefix("Runs: ")


def describe_machine() -> str:
    """Say on what a table was made."""
    return (
        f"Made by `python benchmarks/robustness.py`; Python {platform.python_version()}, numpy "
        f"{np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} shared cores, one thread."
    )


def measure_engines(material: Material) -> None:
    """Time one worker and two in turn, so that both see the same neighbours; write the table.

    What other users of the machine take changes from minute to minute, so each ratio is of two
    runs that follow each other.
    """
    many = list_runs(material, N_BOOTSTRAPS_OF_ENGINES)
    pairs: dict[str, list[tuple[float, float]]] = {"processes": [], "dask": []}
    for _ in range(N_PAIRS):
        for engine, times in pairs.items():
            times.append((run_all(material, many, engine, 1), run_all(material, many, engine, 2)))
    lines = [
        "# Robustness: one worker and two",
        "",
        f"{describe_machine()} Wall-clock, engine started; medians of {N_PAIRS} pairs in turn, "
        "with the least and largest ratio of a pair.",
        "",
        f"| {len(many):,} runs | one worker | two | ratio | wanted |",
        "|---|---:|---:|---:|---:|",
    ]
    for engine, times in pairs.items():
        one, two = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = sorted(pair[0] / pair[1] for pair in times)
        lines.append(
            f"| {engine} | {one:.2f} s | {two:.2f} s | **{statistics.median(ratios):.2f}** "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}) | ≥ 1.7 |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_name("robustness_engines.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, print and write the table."""
    threadpool_limits(1)
    material = gather()
    if "--engines" in sys.argv:
        measure_engines(material)
        return
    if "--memory" in sys.argv:
        runs = list_runs(material, int(sys.argv[-1]))
        run_all(material, runs, "processes", 1, is_warm=False)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    runs = list_runs(material)
    Workbench(material).do(runs[0])  # loads what is compiled
    ours = []
    for _ in range(3):
        bench = Workbench(material)  # nothing is prepared yet
        ours.append(time_cpu(lambda bench=bench: [bench.do(run) for run in runs]))
    mine = float(np.median(ours))
    theirs = time_cpu(lambda: loop(material, measures_all=False, is_repeated=True))
    distinct = time_cpu(lambda: loop(material, measures_all=False, is_repeated=False))
    everything = time_cpu(lambda: loop(material, measures_all=True, is_repeated=True))
    small_mb, large_mb = measure_memory(100), measure_memory(5_500)
    lines = [
        "# Robustness: 820 settings and bootstraps from scratch, and by the runner",
        "",
        f"{describe_machine()} "
        "Ours: median of three; the loops, which take minutes, once; read ratios.",
        "",
        "| 720 settings + 100 bootstraps of 180 papers, one process, CPU | measured | ratio | "
        "wanted |",
        "|---|---:|---:|---:|",
        f"| ours: {len(runs)} runs, all measures | {mine:.2f} s | 1 | |",
        f"| naive loop, labels and ARI alone | {theirs:.1f} s | **{theirs / mine:.1f}** | ≥ 25 |",
        f"| the same without repeats of k-means | {distinct:.1f} s | {distinct / mine:.1f} | |",
        f"| naive loop, our measures where the libraries have them | {everything:.1f} s | "
        f"{everything / mine:.1f} | |",
    ]
    lines += [
        "",
        "| peak memory of the process that hands out and writes | 628 runs | 6,028 runs |",
        "|---|---:|---:|",
        f"| processes, one worker | {small_mb:.0f} MB | {large_mb:.0f} MB |",
    ]
    if "--commands" in sys.argv:
        lines += [
            "",
            "| `survey-tools robustness data/mim`, two workers, wall-clock | runs | measured | "
            "wanted |",
            "|---|---:|---:|---:|",
        ]
        with tempfile.TemporaryDirectory() as folder:
            for preset, wanted_s in (("quick", 60), ("full", 900)):
                seconds, n_runs = time_command(preset, folder)
                lines.append(
                    f"| `--preset {preset}` | {n_runs} | {seconds:.0f} s | ≤ {wanted_s} s |"
                )
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
