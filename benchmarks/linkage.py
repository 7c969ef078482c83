"""Time exact linkage from sparse rows against scipy and fastcluster, and measure memory.

    python benchmarks/linkage.py [FILE]

FILE is a JSON-lines file (may be gzipped) with ``title`` and ``abstract``, at least 60,000
lines for the whole table; without it a seeded corpus of made-up texts is used, so anyone can
repeat the numbers. fastcluster is no dependency of the package: pip install fastcluster==1.3.0.
Writes benchmarks/linkage.md (or linkage-synthetic.md).

Every figure is CPU time and peak memory of a process of its own, one thread, on the same
TF-IDF rows (sublinear, min_df 2, English stop words removed; titles and abstracts in a seeded
order), without the time for TF-IDF, imports and compilation. The rivals get the distances of
the upper triangle from one sparse product, which is some 60 times as fast as what
scipy.cluster.hierarchy.linkage(rows.toarray()) does.
"""

import gzip
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
for variable in THREADS:
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  after the threads are set
from scipy import sparse  # noqa: E402
from scipy.cluster import hierarchy  # noqa: E402
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer  # noqa: E402

from survey_tools.distances import Distances, SparseRowDistances  # noqa: E402
from survey_tools.linkage.routes import build_tree  # noqa: E402
from survey_tools.settings import ClusteringSettings  # noqa: E402

LARGEST = 60_000
METRIC = {"ward": "euclidean", "average": "cosine"}
N_ROUNDS = {180: 3, 5_000: 5, 10_000: 3, 20_000: 3, 40_000: 1, 60_000: 1}
TARGETS = {180: 1 / 1.5, 5_000: 1.5, 20_000: 3.5, 40_000: 4.0}  # times as fast
MEMORY_TARGETS = {20_000: 6.0, 40_000: 20.0}  # times less memory
SECONDS_AT_LARGEST, MB_AT_LARGEST = 100, 1000


def read_rows(path: Path, n: int) -> sparse.csr_array:
    """Weight the first n texts of a seeded permutation."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        papers = [json.loads(line) for line in file]
    texts = [f"{paper['title']}. {paper['abstract']}" for paper in papers]
    chosen = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:n]]
    vectoriser = TfidfVectorizer(stop_words="english", min_df=2, sublinear_tf=True)
    return sparse.csr_array(vectoriser.fit_transform(chosen))


def draw_rows(n: int, *, n_terms: int = 40_000, n_topics: int = 300) -> sparse.csr_array:
    """Draw texts of 120 words, half of them from one of 300 topics, by Zipf's law."""
    rng = np.random.default_rng(1)
    zipf = 1.0 / np.arange(1, n_terms + 1)
    places = rng.choice(n_terms, size=(n, 120), p=zipf / zipf.sum())
    topics = np.stack([rng.permutation(n_terms) for _ in range(n_topics)])
    topic_of = rng.integers(n_topics, size=n)
    is_own = rng.random((n, 120)) < 0.5
    own = topics[topic_of[:, None], places]
    words = np.where(is_own, own, places)
    words[is_own & (places < 60)] = own[is_own & (places < 60)]
    rows = np.repeat(np.arange(n), 120)
    counts = sparse.coo_array((np.ones(n * 120), (rows, words.ravel())), shape=(n, n_terms)).tocsr()
    counts.sum_duplicates()
    counts = counts[:, np.bincount(counts.indices, minlength=n_terms) >= 2]
    return sparse.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counts))


def make_rows(target: str, n: str, source: str = "") -> None:
    """Write the rows of n texts."""
    rows = read_rows(Path(source), int(n)) if source else draw_rows(int(n))
    sparse.save_npz(target, sparse.csr_matrix(rows), compressed=False)


def keep(rows: sparse.csr_array, linkage: str) -> SparseRowDistances:
    """Keep distances by rows, keys in the order of the rows."""
    keys = tuple(f"k{i:06d}" for i in range(rows.shape[0]))
    return SparseRowDistances(paper_keys=keys, metric=METRIC[linkage], rows=rows)


def merge_ours(rows: sparse.csr_array, linkage: str) -> np.ndarray:
    """Merge as survey-tools does with so many papers: from rows, or from a small matrix."""
    settings = ClusteringSettings(linkage=linkage, metric=METRIC[linkage], leaf_order="merge")
    kept = keep(rows, linkage)
    if len(kept.paper_keys) > 2000:
        return build_tree(kept, settings).heights
    product = (rows @ rows.T).toarray()
    square = np.sqrt(np.maximum(2 - 2 * product, 0)) if linkage == "ward" else 1 - product
    np.fill_diagonal(square, 0.0)
    distances = Distances(
        paper_keys=kept.paper_keys, metric=METRIC[linkage], square=np.round(square, 12)
    )
    return build_tree(distances, settings).heights


def condense(rows: sparse.csr_array, linkage: str) -> np.ndarray:
    """Compute condensed distances from the upper triangle of one sparse product."""
    n = rows.shape[0]
    distances = np.empty(n * (n - 1) // 2)
    start = 0
    for first in range(0, n, 500):
        last = min(first + 500, n)
        block = (rows[first:last] @ rows[first:].T).toarray()
        for i in range(last - first):
            row = block[i, i + 1 :]
            stop = start + len(row)
            if linkage == "ward":
                np.sqrt(np.maximum(2.0 - 2.0 * row, 0.0), out=distances[start:stop])
            else:
                np.subtract(1.0, row, out=distances[start:stop])
            start = stop
    return distances


def merge_by_scipy(rows: sparse.csr_array, linkage: str) -> np.ndarray:
    """One sparse product, then scipy."""
    return hierarchy.linkage(condense(rows, linkage), linkage)[:, 2]


def merge_by_fastcluster(rows: sparse.csr_array, linkage: str) -> np.ndarray:
    """One sparse product, then fastcluster."""
    import fastcluster

    return fastcluster.linkage(condense(rows, linkage), linkage, preserve_input=False)[:, 2]


def merge_densely(rows: sparse.csr_array, linkage: str) -> np.ndarray:
    """Do what most people write: scipy on dense rows."""
    return hierarchy.linkage(rows.toarray(), linkage, METRIC[linkage])[:, 2]


PROGRAMS: dict[str, Callable[[sparse.csr_array, str], np.ndarray]] = {
    "survey-tools": merge_ours,
    "scipy": merge_by_scipy,
    "fastcluster": merge_by_fastcluster,
    "scipy, dense rows": merge_densely,
}


def measure_here(program: str, linkage: str, path: str) -> None:
    """Time one program in this process and print the result as JSON."""
    rows = sparse.csr_array(sparse.load_npz(path))
    merge = PROGRAMS[program]
    merge(rows[:2100] if program == "survey-tools" else rows[:50], linkage)  # loads and compiles
    n_repeats = 200 if rows.shape[0] < 1000 else 1
    times = []
    for _ in range(n_repeats):
        began = time.process_time()
        heights = merge(rows, linkage)
        times.append(time.process_time() - began)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([statistics.median(times), peak_mb, heights[-3:].tolist()]))


def measure(program: str, linkage: str, path: Path, n_rounds: int) -> tuple[float, float]:
    """Return the median seconds and the peak MB of some processes."""
    found = []
    for _ in range(n_rounds):
        command = [sys.executable, __file__, "--one", program, linkage, str(path)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found.append(json.loads(answer))
    print(f"{path.stem:>8} {linkage:8} {program:18} {found}", file=sys.stderr, flush=True)
    return statistics.median(f[0] for f in found), max(f[1] for f in found)


def describe_machine() -> str:
    """Name processor, cores, memory and versions."""
    import importlib.metadata

    names = ("numpy", "scipy", "scikit-learn", "numba", "fastcluster")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores (shared with others), {memory:.0f} GiB; Python "
        f"{platform.python_version()}, {versions}."
    )


def compare(folder: Path, sizes: list[int]) -> list[str]:
    """Measure everything and return the lines of the table."""
    lines = [
        "| linkage | papers | survey-tools | fastcluster | times as fast | wanted | memory "
        "| fastcluster's | times less | wanted |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    growth = []
    for linkage in ("ward", "average"):
        times = []
        for n in sizes:
            path = folder / f"{n}.npz"
            ours, our_mb = measure("survey-tools", linkage, path, N_ROUNDS[n])
            times.append((n, ours))
            cells = [linkage, f"{n:,}", _seconds(ours)]
            rival = "scipy" if n < 1000 else "fastcluster"
            if n <= 40_000:
                theirs, their_mb = measure(rival, linkage, path, N_ROUNDS[n])
                wanted, less = TARGETS.get(n), MEMORY_TARGETS.get(n)
                name = "" if rival == "fastcluster" else " (scipy)"
                cells += [f"{_seconds(theirs)}{name}", f"{theirs / ours:.2f}"]
                cells += [f"{wanted:.2f}" if wanted else "", f"{our_mb:,.0f} MB"]
                cells += [f"{their_mb:,.0f} MB", f"{their_mb / our_mb:.1f}"]
                cells += [f"{less:.0f}" if less else ""]
            else:
                needed = 8 * n * (n - 1) / 1e9  # the distances and one copy of them
                cells += ["does not fit", "", f"under {SECONDS_AT_LARGEST} s"]
                cells += [f"{our_mb:,.0f} MB", f"{needed:.0f} GB needed", ""]
                cells += [f"under {MB_AT_LARGEST:,} MB"]
            lines.append("| " + " | ".join(cells) + " |")
        large = [(n, t) for n, t in times if n >= 5000]
        slope = np.polyfit(*np.log(np.array(large)).T, 1)[0]
        growth.append(
            f"{linkage}: time grows as n^{slope:.2f} from {large[0][0]:,} to {large[-1][0]:,}"
        )
    dense, _ = measure("scipy, dense rows", "ward", folder / "5000.npz", 1)
    ours, _ = measure("survey-tools", "ward", folder / "5000.npz", 1)
    lines += [
        "",
        f"Growth: {'; '.join(growth)}.",
        "",
        f"scipy's Ward on dense rows at 5,000 papers: {_seconds(dense)}, "
        f"{dense / ours:.0f} times survey-tools (100 wanted).",
    ]
    return lines


def _seconds(value: float) -> str:
    return f"{1000 * value:.2f} ms" if value < 0.1 else f"{value:.2f} s"


def main() -> None:
    """Make the rows, run every program in its own process, write the table."""
    if sys.argv[1:2] == ["--one"]:
        measure_here(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["--rows"]:
        make_rows(*sys.argv[2:])
        return
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    sizes = [n for n in N_ROUNDS if n <= LARGEST]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in sizes:  # elsewhere: a process starts with the peak memory of its parent
            command = [sys.executable, __file__, "--rows", str(folder / f"{n}.npz"), str(n)]
            subprocess.run([*command, *map(str, sys.argv[1:])], check=True)
        lines = compare(folder, sizes)
    texts = "made-up texts (seed 1)" if source is None else "real titles and abstracts"
    target = Path(__file__).with_suffix(".md")
    if source is None:
        target = target.with_stem("linkage-synthetic")
    text = "\n".join(
        [
            f"# Exact linkage of {texts}",
            "",
            "CPU seconds and peak memory of one process each, one thread, TF-IDF and compilation "
            "not counted; fastcluster gets its distances from one sparse product. Made by "
            "`python benchmarks/linkage.py" + (" FILE`." if source else "`."),
            "",
            describe_machine(),
            "",
            *lines,
            "",
        ]
    )
    target.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
