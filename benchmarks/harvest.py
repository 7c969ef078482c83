"""Time the harvester: overhead over arXiv's 3-second rule, parsing, snapshot, lookups, resolve.

Prints a table and writes it to benchmarks/harvest.md. All papers are invented (seeded), so that
anyone can run it; the "arXiv" asked is the fake of the tests, in a process of its own.
"""

import gc
import json
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import arxiv

from survey_tools.corpus import Corpus
from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.by_query import QueryWay
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.harvester import Services, harvest
from survey_tools.harvest.resolve import resolve_corpus
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire
from survey_tools.paper import Paper

ROOT = Path(__file__).parents[1]
N_RECORDS = 300_000
N_HARVESTED = 100_000
N_TITLES = 200
N_ROUNDS = 9
GAP_S = 3.0
AUTHORS = ("Ada Ames, Bo Berg, Cy Cole", "Di Dale and Ed East", "Flo Fox (Nowhere University)")
TEX_AUTHORS = "Gr\\\"un M\\\"uller, \\'Ana L\\'opez and Q. Example"


class PatientClock:
    """Real time, but nothing is waited for: what would be slept is added."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self._real = SystemClock()

    def monotonic(self) -> float:
        """Return real seconds and those skipped."""
        return self._real.monotonic() + self.slept_s

    def now(self) -> datetime:
        """Return the fake server's day."""
        return datetime(2026, 11, 20, 9, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        """Skip."""
        self.slept_s += seconds


@contextmanager
def fake_arxiv(n_papers: int, folder: Path) -> Iterator[str]:
    """Serve invented papers from another process; give the address of the API."""
    found = folder / "url.json"
    found.unlink(missing_ok=True)
    server = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "tests" / "arxiv_server.py"),
            *("--n", str(n_papers), "--write-url", str(found)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not found.exists() or not found.read_text().strip():
            if server.poll() is not None:
                raise SystemExit("the fake arXiv did not start")
            time.sleep(0.1)
        yield json.loads(found.read_text())["api_url"]
    finally:
        server.terminate()
        server.wait()


def measure_overhead(folder: Path) -> tuple[int, int, float]:
    """Harvest by query in skipped time; return records, requests, seconds over the floor."""
    clock = PatientClock()
    with fake_arxiv(N_HARVESTED, folder) as url, Store(folder / "overhead.db") as store:
        services = Services(url=url, clock=clock, wire=HttpWire(), rng=random.Random(0))
        way = QueryWay(None, since=date(1995, 1, 1), url=url)
        start = clock.monotonic()
        report = harvest(way, store, services, resume="")
        taken_s = clock.monotonic() - start
    if report.status != "complete" or report.n_records != N_HARVESTED:
        raise SystemExit(f"the harvest is not complete, so its time means nothing: {report}")
    floor_s = report.n_requests * GAP_S
    return report.n_records, report.n_requests, taken_s / floor_s - 1


def measure_parsing(folder: Path) -> tuple[float, float]:
    """Parse the same pages both ways in turn; return entries per CPU second, ours and theirs."""
    with fake_arxiv(5000, folder) as url:
        pages = []
        for i in range(5):
            query = "submittedDate:[199501010000+TO+203001010000]"
            address = f"{url}?search_query={query}&start={1000 * i}&max_results=1000"
            with urlopen(address) as reply:  # noqa: S310  loopback
                pages.append(reply.read())
    n_entries = sum(len(parse_atom(page).records) for page in pages)
    ours, theirs = [], []
    for _ in range(N_ROUNDS):
        theirs.append(_cpu_s(lambda: [arxiv._feed.parse(page) for page in pages]))
        ours.append(_cpu_s(lambda: [parse_atom(page) for page in pages]))
    return n_entries / statistics.median(ours), n_entries / statistics.median(theirs)


def _cpu_s(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def write_snapshot(path: Path, n_records: int) -> None:
    """Write invented records of the size that arXiv's have: 60 and 1,160 characters."""
    rng = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = sorted(
        {"".join(rng.choices(letters[:18], k=rng.randint(2, 11))) for _ in range(40_000)}
    )
    weights = [1 / (rank + 3) for rank in range(len(words))]
    rng.shuffle(words)
    pool = rng.choices(words, weights, k=2_000_000)  # drawn once, cut at random places
    with path.open("w", encoding="utf-8") as file:
        for i in range(n_records):
            month, number = divmod(i, 12_000)
            at = rng.randrange(len(pool) - 300)
            abstract = " ".join(pool[at : at + 165])
            if i % 5 == 0:
                abstract += r" The bound is $O(n \log n)$, as Erd\H{o}s showed."
            days = sorted(rng.choices(range(4000), k=rng.choice((1, 1, 2, 3))))
            dates = [
                datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=rng.randrange(86400))
                for day in days
            ]
            record = {
                "id": f"{15 + month // 12:02}{month % 12 + 1:02}.{number + 1:05}",
                "submitter": "Q. Example",
                "authors": TEX_AUTHORS if i % 8 == 0 else AUTHORS[i % 3],
                "title": " ".join(pool[at + 170 : at + 179]),
                "comments": "7 pages" if i % 2 else None,
                "journal-ref": None,
                "doi": None,
                "report-no": None,
                "categories": "cs.CV cs.LG",
                "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
                "abstract": "  " + textwrap.fill(abstract, 78) + "\n",
                "versions": [
                    {"version": f"v{n}", "created": f"{when:%a, {when.day} %b %Y %H:%M:%S} GMT"}
                    for n, when in enumerate(dates, start=1)
                ],
                "update_date": f"{dates[-1] + timedelta(days=1):%Y-%m-%d}",
                "authors_parsed": [["Ames", "Ada", ""], ["Berg", "Bo", ""]],
            }
            file.write(json.dumps(record) + "\n")


def import_snapshot(snapshot: Path, store: Path) -> tuple[float, float]:
    """Import by the command line in a new process; return CPU seconds and peak MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "survey_tools", "harvest", "--quiet"]
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            *command,
            "--snapshot",
            str(snapshot),
            "--store",
            str(store),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, int(done.stdout.split()[-1]) / 1024


def import_plainly(snapshot: Path, store: Path) -> float:
    """Do the least that an import can be: json.loads, one INSERT a record; return CPU seconds."""
    start = time.process_time()
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute(
        "CREATE TABLE papers (id TEXT PRIMARY KEY, title TEXT, abstract TEXT, authors TEXT, "
        "categories TEXT, versions TEXT)"
    )
    connection.execute("BEGIN")
    with snapshot.open("rb") as lines:
        for i, line in enumerate(lines):
            data = json.loads(line)
            connection.execute(
                "INSERT INTO papers VALUES (?, ?, ?, ?, ?, ?)",
                (
                    data["id"],
                    data["title"],
                    data["abstract"],
                    data["authors"],
                    data["categories"],
                    json.dumps(data["versions"]),
                ),
            )
            if i % 1000 == 999:
                connection.execute("COMMIT")
                connection.execute("BEGIN")
    connection.execute("COMMIT")
    connection.close()
    return time.process_time() - start


def measure_store(path: Path) -> tuple[float, float, float, float]:
    """Return seconds: index (CPU), lookup (mean), resolve of 200 titles (wall), ms a title."""
    rng = random.Random(1)
    with Store(path) as store:
        index_s = _cpu_s(store.index_texts)
        ids = [row[0] for row in store.query("SELECT arxiv_id FROM papers")]
        wanted = rng.sample(ids, 2000)
        start = time.perf_counter()
        for arxiv_id in wanted:
            store.get_record(arxiv_id)
        lookup_s = (time.perf_counter() - start) / len(wanted)
        papers = []
        for i, arxiv_id in enumerate(rng.sample(ids, N_TITLES)):
            record = store.get_record(arxiv_id)
            assert record is not None
            papers.append(
                Paper(key=f"p{i}", title=_change(record.title, i, rng), authors=record.authors[:1])
            )
        start = time.perf_counter()
        matches = resolve_corpus(Corpus(tuple(papers)), store)
        resolve_s = time.perf_counter() - start
    n_found = sum(match.decision in ("auto", "review") for match in matches)
    return index_s, lookup_s, resolve_s, n_found / N_TITLES


def _change(title: str, i: int, rng: random.Random) -> str:
    """Write a title as others do: as it is, in capitals, with a typo, a word less, or another."""
    words = title.split()
    match i % 5:
        case 1:
            return title.upper()
        case 2:
            longest = max(words, key=len)
            return title.replace(longest, longest[:-2] + longest[-1] + longest[-2])
        case 3:
            return " ".join(words[:-1])
        case 4:
            return " ".join(rng.sample(words, len(words)))
    return title


def main() -> None:
    """Measure, print and write the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_records, n_requests, overhead = measure_overhead(folder)
        ours, theirs = measure_parsing(folder)
        small, large = folder / "small.json", folder / "large.json"
        write_snapshot(small, N_RECORDS // 10)
        write_snapshot(large, N_RECORDS)
        n_bytes = large.stat().st_size
        _, small_mb = import_snapshot(small, folder / "small.db")
        import_s, large_mb = import_snapshot(large, folder / "large.db")
        plain_s = import_plainly(large, folder / "plain.db")
        db_mb = (folder / "large.db").stat().st_size / 1e6
        index_s, lookup_s, resolve_s, found = measure_store(folder / "large.db")
    lines = [
        "# The harvester: overhead, parsing, snapshot, lookups, resolve",
        "",
        f"Made by `python benchmarks/harvest.py` on {datetime.now(UTC).date()}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.machine()}. CPU seconds unless said; the machine is "
        "shared, so read ratios.",
        "",
        "| what | measured | wanted |",
        "|---|---:|---:|",
        f"| harvest of {n_records:,} records by query: {n_requests} requests, time over "
        f"{GAP_S:g} s a request | {overhead:+.1%} | < 5 % |",
        f"| parsing, entries a second: ours, strict | {ours:,.0f} | |",
        f"| parsing, entries a second: arxiv {arxiv.__version__} | {theirs:,.0f} | |",
        f"| **ratio, ours / theirs** | **{ours / theirs:.2f}** | ≥ 1 |",
        f"| snapshot of {N_RECORDS:,} records ({n_bytes / 1e6:.0f} MB): records a second | "
        f"{N_RECORDS / import_s:,.0f} | ≥ 20,000 |",
        f"| the least an import can be (json.loads, one INSERT): records a second | "
        f"{N_RECORDS / plain_s:,.0f} | |",
        f"| ratio, ours / the least | {plain_s / import_s:.2f} | |",
        f"| full-text index, built at the first search: records a second | "
        f"{N_RECORDS / index_s:,.0f} | |",
        f"| peak memory of the import, {N_RECORDS // 10:,} / {N_RECORDS:,} records | "
        f"{small_mb:.0f} / {large_mb:.0f} MB | < 200 MB |",
        f"| store, without the index | {db_mb:.0f} MB | |",
        f"| lookup by id at {N_RECORDS:,}, wall | {lookup_s * 1e6:.0f} µs | < 1 ms |",
        f"| resolve {N_TITLES} titles at {N_RECORDS:,}, wall | {resolve_s:.1f} s | < 10 s |",
        f"| … of which found or proposed | {found:.0%} | |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
