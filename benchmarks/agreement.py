"""Time agreement by chance, the cross-check of the bundled survey, and labels in a large tree.

Prints a table and writes it to benchmarks/agreement.md:

* 10,000 relabellings of n = 180 papers in 18 clusters and 18 classes: all indices of
  `compare_partitions` together against a loop over scikit-learn's adjusted_rand_score alone,
  alternating in one process, as the ratio of medians;
* ``survey-tools crosscheck data/mim`` as a process of its own, 10,000 relabellings and 2,000
  half-samples;
* the sub-trees of 100 labels in a tree of 20,000 papers, 10,000 random orders, and the
  enrichment of every label in every node, as a process of its own. The tree is Ward's on seeded
  points; labels are seeded sets of 5 to 3,000 papers.
"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import adjusted_rand_score

from survey_tools.agreement.partitions import compare_partitions
from survey_tools.partition import Partition

DATA = Path(__file__).parents[1] / "data" / "mim"
N_PAPERS, N_GROUPS, N_PERMUTATIONS, N_ROUNDS = 180, 18, 10_000, 3

LARGE = """
import time
import numpy as np
from scipy.cluster import hierarchy
from survey_tools.cover import Cover
from survey_tools.crosscheck.labels import find_enriched_nodes, place_labels
from survey_tools.tree import Tree

n, rng = 20_000, np.random.default_rng(0)
matrix = hierarchy.linkage(rng.normal(size=(2_000, 5)), "ward")
# ten papers for each point, so that the tree needs no square of 20,000 papers
children, heights, roots = [], [], []
for point in range(2_000):
    leaves = list(range(10 * point, 10 * point + 10))
    node = leaves[0]
    for leaf in leaves[1:]:
        children.append((node, leaf))
        heights.append(1e-9 * (len(heights) + 1))  # no ties: 19,999 nodes
        node = n + len(children) - 1
    roots.append(node)
for first, second, height, _ in matrix:
    children.append((roots[int(first)], roots[int(second)]))
    heights.append(height)
    roots.append(n + len(children) - 1)
keys = tuple(f"p{i:05d}" for i in range(n))
tree = Tree(paper_keys=keys, children=np.array(children), heights=np.array(heights))
members = np.zeros((n, 100), dtype=bool)
for j in range(100):
    members[rng.choice(n, int(rng.integers(5, 3000)), replace=False), j] = True
cover = Cover(paper_keys=keys, group_names=tuple(f"l{j}" for j in range(100)), members=members)
small = place_labels(tree, {"axis": cover}, rng=rng, n_permutations=1)  # compiled
start = time.process_time()
place_labels(tree, {"axis": cover}, rng=rng, n_permutations=10_000)
placed = time.process_time()
find_enriched_nodes(tree, {"axis": cover})
print(placed - start, time.process_time() - placed)
"""


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_permutations() -> tuple[float, float]:
    """CPU seconds of 10,000 relabellings, ours (ten indices) and a loop over scikit-learn's ARI."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, N_GROUPS, N_PAPERS) for _ in range(2)]
    sides = [
        Partition.from_mapping({f"k{i:03d}": f"g{code}" for i, code in enumerate(side)})
        for side in codes
    ]

    def ours() -> None:
        compare_partitions(
            sides[0],
            sides[1],
            rng=np.random.default_rng(1),
            n_permutations=N_PERMUTATIONS,
            n_resamples=0,
        )

    def theirs() -> None:
        draw = np.random.default_rng(1)
        for _ in range(N_PERMUTATIONS):
            adjusted_rand_score(codes[0], draw.permutation(codes[1]))

    taken = [(cpu_s(ours), cpu_s(theirs)) for _ in range(N_ROUNDS)]
    return tuple(statistics.median(side) for side in zip(*taken, strict=True))  # type: ignore[return-value]


def run_alone(command: list[str]) -> tuple[float, float, str]:
    """Run a process; return CPU seconds, peak MB and what it printed."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)\n"
        "print(done.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], check=True, capture_output=True, text=True
    )
    first, _, rest = done.stdout.partition("\n")
    seconds, megabytes = map(float, first.split())
    return seconds, megabytes, rest.strip()


def main() -> None:
    """Measure, print and write the table."""
    ours, theirs = measure_permutations()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "survey_tools", "crosscheck", str(DATA), "-q", "-o"]
        run_alone([*command, f"{folder}/warm"])
        check_s, check_mb, _ = run_alone([*command, f"{folder}/out"])
    _, large_mb, printed = run_alone([sys.executable, "-c", LARGE])
    place_s, enrich_s = map(float, printed.split())
    lines = [
        "# Agreement: chance, the bundled survey, labels in a large tree",
        "",
        f"Made by `python benchmarks/agreement.py`; Python {platform.python_version()}, numpy "
        f"{np.__version__}, scikit-learn {sklearn.__version__}, {platform.system()} "
        f"{platform.machine()}. CPU seconds; shared machine, so read ratios.",
        "",
        "| what | measured | wanted |",
        "|---|---:|---:|",
        f"| {N_PERMUTATIONS:,} relabellings of {N_PAPERS} papers, ten indices: ours | "
        f"{ours:.3f} s | |",
        f"| the same, ARI alone: loop over scikit-learn | {theirs:.2f} s | |",
        f"| **ratio, theirs / ours** | **{theirs / ours:.0f}** | ≥ 50 |",
        f"| `crosscheck data/mim`, whole process | {check_s:.1f} s, {check_mb:.0f} MB | < 10 s |",
        f"| 100 labels in a tree of 20,000 papers, 10,000 orders | {place_s:.1f} s | < 60 s |",
        f"| enrichment of 100 labels in 19,998 nodes | {enrich_s:.1f} s | |",
        f"| peak memory of both | {large_mb:.0f} MB | < 4,000 MB |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
