"""Time the run on the bundled survey, stage by stage, and the cluster stage against a script.

Prints two tables and writes them to benchmarks/run_mim.md:

* CPU seconds, share and peak memory of every stage of ``survey-tools run data/mim``;
* the cluster stage (texts to tree, clusters, terms, silhouettes, medoids) against the same
  analysis written directly with scikit-learn and scipy, alternating in one process, as the
  ratio of medians.
"""

import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.metrics import silhouette_samples

from survey_tools.analysis import analyse
from survey_tools.run import run_study
from survey_tools.study import read_study
from survey_tools.text import join_fields

DATA = Path(__file__).parents[1] / "data" / "mim"
N_ROUNDS = 15


def time_stages() -> list[tuple[str, float]]:
    """Run the whole study once in this process; return CPU seconds by stage."""
    marks = [("start", time.process_time())]

    def progress(stage: str, _share: float) -> None:
        if stage != marks[-1][0]:
            marks.append((stage, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        run_study(DATA, Path(folder) / "out", progress=progress)
    return [
        (name, after - before) for (name, before), (_, after) in pairwise(marks) if name != "start"
    ]


def time_whole_process() -> tuple[float, float]:
    """Run the command in a new process; return CPU seconds and peak MB."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "survey_tools", "run", str(DATA), "-q", "-o"]
        subprocess.run([*command, f"{folder}/out"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, after.ru_maxrss / 1024


def cluster_directly(
    documents: list[str], n_clusters: int, n_terms: int = 10
) -> tuple[np.ndarray, list]:
    """Do what the cluster stage does, as one would write it with scikit-learn and scipy."""
    vectoriser = CountVectorizer(stop_words="english", min_df=2)
    counts = vectoriser.fit_transform(documents)
    weights = TfidfTransformer().fit_transform(counts)
    rows = weights.toarray()
    distances = pdist(rows)
    merges = hierarchy.linkage(distances, "ward")
    merges = hierarchy.optimal_leaf_ordering(merges, distances)
    labels = hierarchy.fcluster(merges, n_clusters, "maxclust")
    square = squareform(distances)
    silhouettes = silhouette_samples(square, labels, metric="precomputed")
    terms = vectoriser.get_feature_names_out()
    dense_counts = counts.toarray()
    total, of_term = dense_counts.sum(), dense_counts.sum(axis=0)
    described = []
    for label in range(1, n_clusters + 1):
        members = np.flatnonzero(labels == label)
        inside = dense_counts[members].sum(axis=0)
        class_tf_idf = inside / inside.sum() * np.log1p(total / n_clusters / of_term)
        table = np.array(
            [
                [inside, of_term - inside],
                [inside.sum() - inside, total - inside.sum() - of_term + inside],
            ]
        )
        margins = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            g2 = 2 * np.nansum(table * np.log(table * total / margins), axis=(0, 1))
        medoid = members[square[np.ix_(members, members)].mean(axis=1).argmin()]
        best = [
            terms[scores.argsort()[::-1][:n_terms]]
            for scores in (rows[members].mean(axis=0), class_tf_idf, g2)
        ]
        described.append((best, medoid, silhouettes[members].mean()))
    return merges, described


def compare_cluster_stage() -> tuple[float, float]:
    """Alternate both ways; return their median CPU milliseconds."""
    study = read_study(DATA)
    corpus = study.corpus.sorted_by_key()
    documents = [join_fields(paper, study.settings.text.fields) for paper in corpus]
    n_clusters = study.settings.clustering.cut.n_clusters
    ours, direct = [], []
    for _ in range(N_ROUNDS + 1):
        start = time.process_time()
        result = analyse(study, with_crosscheck=False)
        ours.append(time.process_time() - start)
        start = time.process_time()
        merges, _ = cluster_directly(documents, n_clusters)
        direct.append(time.process_time() - start)
    if not np.allclose(np.sort(merges[:, 2]), np.sort(result.tree.heights), atol=1e-9):
        raise SystemExit("the two trees differ, so the comparison means nothing")
    return 1000 * statistics.median(ours[1:]), 1000 * statistics.median(direct[1:])


def main() -> None:
    """Measure, print and write the table."""
    whole_s, whole_mb = time_whole_process()
    stages = time_stages()
    total_s = sum(seconds for _, seconds in stages)
    ours_ms, direct_ms = compare_cluster_stage()
    lines = [
        "# The bundled survey: stages, and the cluster stage against a direct script",
        "",
        f"Made by `python benchmarks/run_mim.py`; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}. CPU seconds; shared machine, so read ratios.",
        "",
        "| stage | CPU s | share |",
        "|---|---:|---:|",
        *(f"| {name} | {seconds:.2f} | {seconds / total_s:.0%} |" for name, seconds in stages),
        f"| all stages, after imports | {total_s:.2f} | 100% |",
        f"| whole process, imports included | {whole_s:.2f} | |",
        "",
        f"Peak memory of the whole process: {whole_mb:.0f} MB (limit 600; CPU limit 8 s).",
        "",
        "| cluster stage: texts to tree, clusters, terms, silhouettes, medoids | CPU ms, median |",
        "|---|---:|",
        f"| survey-tools | {ours_ms:.0f} |",
        f"| scikit-learn + scipy, written directly | {direct_ms:.0f} |",
        f"| **ratio** (limit 1.3) | **{ours_ms / direct_ms:.2f}** |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
