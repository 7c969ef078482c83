"""The passes over all shards, each a task for every shard and what is gathered from them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.condense import scratch, tasks
from survey_tools.condense.centres import Points, fit_birch, fit_k_means
from survey_tools.condense.engines import Engine
from survey_tools.condense.record import (
    Condensed,
    PaperSample,
    mean_rows,
    measure_lost_variance,
)
from survey_tools.condense.stream import Batch, stream_papers
from survey_tools.condense.sums import RunningSum
from survey_tools.condense.vocabulary import TermCounter, Vocabulary
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.paper import Paper, TextSource
from survey_tools.progress import StageProgress
from survey_tools.settings import CondenseSettings, TextSettings

__all__ = ["CountedPapers", "Passes", "WeighedPapers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPapers:
    """All papers by key, and what their texts have in common."""

    keys: tuple[str, ...]
    ends: NDArray[np.intp]  # of every shard, the number of its last paper + 1
    text_sources: Counter[TextSource]
    vocabulary: Vocabulary

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(len(self.ends))

    def split(self, numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Split sorted numbers of papers by shard, as places in the shard."""
        parts = np.split(numbers, np.searchsorted(numbers, self.ends[:-1]))
        starts = np.concatenate([[0], self.ends[:-1]])
        return [part - start for part, start in zip(parts, starts, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedPapers:
    """Rows of papers drawn at random, a matrix a group, and the sum of all squared weights."""

    drawn: tuple[sparse.csr_array, ...]
    squares: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """The passes, with what all of them need."""

    text: TextSettings
    condense: CondenseSettings
    is_scaled: bool
    engine: Engine
    folder: Path
    progress: StageProgress

    def count(self, source: Path, stop_words: frozenset[str]) -> CountedPapers:
        """Pass 1: read, split and count."""
        counter = TermCounter()
        keys: list[str] = []
        ends: list[int] = []
        sources: Counter[TextSource] = Counter()
        task = tasks.CountTask(folder=self.folder, settings=self.text, stop_words=stop_words)
        batches = stream_papers(source, n_at_once=self.condense.n_at_once)
        with closing(self.engine(task, self._report(batches))) as counted:
            for number, shard in enumerate(counted):
                numbers = counter.add(
                    shard.terms,
                    shard.document_frequency,
                    shard.total,
                    n_papers=len(shard.paper_keys),
                )
                scratch.write_array(tasks.shard_file(self.folder, "numbers", number), numbers)
                keys += shard.paper_keys
                ends.append(len(keys))
                sources += shard.text_sources
        if len(keys) < self.condense.n_micro_clusters:
            raise ParameterError(
                f"{self.condense.n_micro_clusters:,} micro-clusters asked of {len(keys):,} papers; "
                "ask for fewer, or cluster the papers themselves without condensing"
            )
        vocabulary = counter.limit(self.text)
        scratch.write_array(self.folder / "columns", vocabulary.column_of)
        scratch.write_array(self.folder / "frequency", vocabulary.document_frequency)
        return CountedPapers(
            keys=tuple(keys), ends=np.array(ends), text_sources=sources, vocabulary=vocabulary
        )

    def _report(self, batches: Iterable[Batch]) -> Iterator[tuple[int, tuple[Paper, ...]]]:
        for number, batch in enumerate(batches):
            self.progress("reading", batch.share)
            yield number, batch.papers

    def weigh(self, papers: CountedPapers, drawn: list[NDArray[np.intp]]) -> WeighedPapers:
        """Pass 2: weigh, and collect the rows of papers drawn at random."""
        task = tasks.WeighTask(
            folder=self.folder,
            settings=self.text,
            n_papers=papers.vocabulary.n_papers,
            mean_length=papers.vocabulary.mean_length,
            is_scaled=self.is_scaled,
        )
        groups = zip(*(papers.split(numbers) for numbers in drawn), strict=True)
        items = list(zip(papers.shards, groups, strict=True))
        bare: list[str] = []
        squares = 0.0
        parts: list[tuple[sparse.csr_array, ...]] = []
        for number, shard in self._each("weighing", task, items):
            self._remove(number, "counts", "numbers")
            start = 0 if number == 0 else int(papers.ends[number - 1])
            bare += (papers.keys[start + place] for place in shard.bare)
            squares += shard.squares
            parts.append(shard.drawn)
        if bare:
            raise ParameterError(
                f"{len(bare):,} of {len(papers.keys):,} papers have no term left after "
                f"filtering: {abbreviate(bare)}; lower min_df or drop them"
            )
        rows = tuple(sparse.csr_array(sparse.vstack(part)) for part in zip(*parts, strict=True))
        return WeighedPapers(drawn=rows, squares=squares)

    def project(self, papers: CountedPapers, drawn: NDArray[np.intp]) -> Points:
        """Pass 3a: project all rows, and collect the points of papers drawn at random."""
        is_unit = self.is_scaled or self.text.norm == "l2"
        task = tasks.ProjectTask(folder=self.folder, is_unit=is_unit)
        items = list(zip(papers.shards, papers.split(drawn), strict=True))
        return np.concatenate([points for _, points in self._each("projecting", task, items)])

    def fit(self, papers: CountedPapers, start: Points, *, seed: int) -> Points:
        """Pass 3b: fit micro-centres, shard after shard."""
        n_passes = self.condense.n_passes if self.condense.method == "mini-batch-k-means" else 1
        n_done = 0

        def after_shard() -> None:
            nonlocal n_done
            n_done += 1
            self.progress("micro-clusters", n_done / (n_passes * len(papers.shards)))

        def shards() -> Iterator[Points]:
            for number in papers.shards:
                points = scratch.read_array(tasks.shard_file(self.folder, "points", number))
                yield np.array(points, dtype=np.float32)

        self.progress("micro-clusters", 0.0)
        n_wanted = self.condense.n_micro_clusters
        if self.condense.method == "birch":
            return fit_birch(
                shards, start, n_wanted, n_papers=len(papers.keys), after_shard=after_shard
            )
        return fit_k_means(
            shards, start, n_wanted, n_passes=n_passes, seed=seed, after_shard=after_shard
        )

    def assign(
        self, papers: CountedPapers, n_centres: int, *, squares: float, sample: PaperSample
    ) -> Condensed:
        """Pass 4: assign every paper and sum the rows of every micro-cluster."""
        centre_of = np.empty(len(papers.keys), dtype=np.int32)
        central = np.zeros(n_centres, dtype=np.intp)
        nearest = np.full(n_centres, np.inf)
        titles = [""] * n_centres
        total = RunningSum()
        start = 0
        task = tasks.AssignTask(folder=self.folder)
        for number, shard in self._each("assigning", task, list(papers.shards)):
            self._remove(number, "points", "rows")
            end = int(papers.ends[number])
            centre_of[start:end] = shard.centre_of
            total.add(shard.sums)
            of_shard = scratch.read_texts(tasks.shard_file(self.folder, "titles", number))
            is_nearer = shard.distances < nearest[shard.found]
            for centre, place in zip(shard.found[is_nearer], shard.central[is_nearer], strict=True):
                central[centre] = start + place
                titles[centre] = of_shard[place]
            nearest[shard.found] = np.minimum(nearest[shard.found], shard.distances)
            start = end
        found, first, code_of = np.unique(centre_of, return_index=True, return_inverse=True)
        order = np.argsort(first)  # micro-clusters in the order of their first papers
        place_of = np.empty_like(order)
        place_of[order] = np.arange(len(order))
        kept = found[order]
        sums = sparse.csr_array(total.result()[kept])
        micro_cluster_of = place_of[code_of].astype(np.int32)
        sizes = np.bincount(micro_cluster_of)
        return Condensed(
            paper_keys=papers.keys,
            micro_cluster_of=micro_cluster_of,
            n_papers=sizes,
            centroids=mean_rows(sums, sizes),
            terms=papers.vocabulary.terms,
            central_keys=tuple(papers.keys[i] for i in central[kept]),
            central_titles=tuple(titles[i] for i in kept),
            variance_lost=measure_lost_variance(sums, sizes, squares=squares),
            sample=sample,
            text_sources=dict(papers.text_sources),
            text=self.text,
            condense=self.condense,
        )

    def _remove(self, number: int, *whats: str) -> None:
        """Remove files of a shard that no later pass reads."""
        for what in whats:
            scratch.remove_file(tasks.shard_file(self.folder, what, number))

    def _each(
        self, stage: str, task: Callable[[Item], Result], items: list[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Run a task on all shards and report how far it is."""
        self.progress(stage, 0.0)
        with closing(self.engine(task, items)) as results:
            for number, result in enumerate(results):
                self.progress(stage, (number + 1) / len(items))
                yield number, result
