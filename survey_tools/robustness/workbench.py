"""A worker's bench: turns runs of a plan into outcomes, whatever engine asks it to."""

import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from survey_tools.cuts import cut_into_at_most
from survey_tools.errors import ParameterError, SurveyToolsError
from survey_tools.robustness.cut_curves import measure_curves
from survey_tools.robustness.grouping import Grouping, build_run_tree, group_papers
from survey_tools.robustness.material import Material, Reference, list_clusters
from survey_tools.robustness.multiscale import draw_multiplicities
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.preparation import Preparation, Prepared, repeat_terms
from survey_tools.robustness.run import Run, draw_rng
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.yardstick import Yardstick
from survey_tools.tree import Tree

__all__ = ["Workbench", "build_reference_tree", "do_runs"]

_N_NULLS = 2  # null corpora whose reference stays in memory; runs come sorted
_MOST_REDRAWS = 100


class Workbench:
    """Does runs one after the other, and keeps what the next may need."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self._preparation = Preparation(material)
        self._yardstick = Yardstick(material.reference, material.axes, material.numbers)
        self._null_yardsticks: OrderedDict[tuple[str, int], Yardstick] = OrderedDict()
        self._last_tree: tuple[object, Tree] | None = None

    def do(self, run: Run) -> Outcome:
        """Do one run; what its setting makes impossible is the outcome's failure."""
        try:
            if run.resample == "terms-multiscale":
                return self._count_replicates(run)
            return self._group_and_measure(run)
        except SurveyToolsError as error:
            return Outcome(run=run.run_id, failure=str(error))
        except (ValueError, LinAlgError, ArithmeticError) as error:
            # scikit-learn and scipy say in these what their algorithms cannot do
            kind = type(error).__name__
            return Outcome(run=run.run_id, failure=f"{run.setting.algorithm}: {kind}: {error}")

    def _group_and_measure(self, run: Run) -> Outcome:
        prepared, seed = self._prepare(run), self._seed(run)
        grouping = self._group(run, prepared, seed)
        outcome = self._yardstick_of(run).measure(
            run.run_id,
            prepared.paper_keys,
            grouping,
            keeps_cuts=run.resample == "papers-subsample" and run.corpus != "one-topic",
        )
        is_whole = run.resample == "none" and run.setting == self.material.own
        if is_whole and grouping.tree is not None:
            curves = measure_curves(
                grouping.tree, prepared.distances(run.setting.metric), self.material.numbers
            )
            if run.corpus != "own":  # what the survey's own targets score by chance
                curves["targets"] = self._yardstick.seek_in_nodes(grouping.tree)
            outcome = replace(outcome, curves=curves)
        return replace(outcome, n_terms=len(prepared.features.terms))

    def _seed(self, run: Run) -> int:
        """Return the seed of the algorithm: the survey's, but where seeds are what is drawn."""
        if run.resample != "seed":
            return self.material.seed % 2**32
        return int(draw_rng(self.material.seed, "seed", run.draw).integers(2**32))

    def _prepare(self, run: Run) -> Prepared:
        n_papers = len(self.material.corpus)
        rng = draw_rng(self.material.seed, run.resample, run.draw)
        rows = multiplicity = None
        if run.resample == "papers-subsample":
            n_kept = max(2, round(self.material.share * n_papers))
            rows = np.sort(rng.permutation(n_papers)[:n_kept])
        elif run.resample == "papers-bootstrap":
            rows = np.unique(rng.integers(0, n_papers, n_papers))
        elif run.resample == "one-paper-out":
            rows = np.delete(np.arange(n_papers), run.draw)
        elif run.resample == "terms-bootstrap":
            multiplicity = lambda n_terms: draw_multiplicities(n_terms, 1.0, rng)  # noqa: E731
        prepared = self._preparation.prepare(
            run.setting,
            corpus=run.corpus,
            draw=run.corpus_draw,
            rows=rows,
            multiplicity=multiplicity,
            seed=self._seed(run),
        )
        return _shuffle(prepared, rng) if run.resample == "paper-order" else prepared

    def _group(self, run: Run, prepared: Prepared, seed: int) -> Grouping:
        """Group papers; settings that differ in the number of clusters alone share a tree."""
        setting = run.setting
        if setting.linkage is None or setting.n_clusters is None:
            return group_papers(prepared, setting, seed=seed)
        key = (prepared, replace(setting, n_clusters=None))
        if self._last_tree is None or self._last_tree[0] != key:
            self._last_tree = (key, build_run_tree(prepared, setting))
        return group_papers(prepared, setting, seed=seed, tree=self._last_tree[1])

    def _yardstick_of(self, run: Run) -> Yardstick:
        """Return what a run is compared with: the survey, or the null corpus it comes from."""
        if run.corpus == "own":
            return self._yardstick
        key = (run.corpus, run.corpus_draw)
        if key not in self._null_yardsticks:
            own = self.material.own
            prepared = self._preparation.prepare(
                own, corpus=run.corpus, draw=run.corpus_draw, seed=self.material.seed % 2**32
            )
            tree = build_run_tree(prepared, own)
            assert own.n_clusters is not None
            partition = cut_into_at_most(tree, own.n_clusters)
            reference = Reference.of_tree(tree, partition, list_clusters(partition))
            yardstick = Yardstick(reference, self.material.axes, self.material.numbers)
            self._null_yardsticks[key] = yardstick
            if len(self._null_yardsticks) > _N_NULLS:
                self._null_yardsticks.popitem(last=False)
        return self._null_yardsticks[key]

    def _count_replicates(self, run: Run) -> Outcome:
        """Count the replicates of a multiscale bootstrap of terms that hold each sub-tree."""
        prepared = self._preparation.prepare(
            run.setting,
            corpus=run.corpus,
            draw=run.corpus_draw,
            seed=self.material.seed % 2**32,
        )
        if prepared.reduced is not None:
            raise ParameterError("terms cannot be drawn after their reduction")
        sought = _hash_nodes(self._yardstick_of(run).reference.tree)
        counts = np.zeros(len(sought), dtype=np.intp)
        scale = round(1e6 * run.scale)
        rng = draw_rng(self.material.seed, "terms-multiscale", scale, run.draw)
        for _ in range(run.n_replicates):
            drawn = _draw_terms(prepared, run.scale, run.setting.metric, rng)
            counts += np.isin(sought, _hash_nodes(build_run_tree(drawn, run.setting)))
        return Outcome(
            run=run.run_id,
            n_terms=len(prepared.features.terms),
            node_counts=tuple(counts.tolist()),
        )


def build_reference_tree(material: Material, setting: Setting) -> Tree:
    """Build the tree of one setting of a survey, as a run does."""
    prepared = Preparation(material).prepare(setting, seed=material.seed % 2**32)
    return build_run_tree(prepared, setting)


class _Benches(threading.local):
    """The bench of each thread that computes."""

    bench: Workbench | None = None


_benches = _Benches()


def do_runs(material: Material, runs: tuple[Run, ...]) -> tuple[Outcome, ...]:
    """Do some runs of a plan; the thread's bench for the material stays for the next."""
    bench = _benches.bench
    if bench is None or bench.material.digest != material.digest:
        bench = _benches.bench = Workbench(material)
    return tuple(bench.do(run) for run in runs)


def _shuffle(prepared: Prepared, rng: np.random.Generator) -> Prepared:
    order = rng.permutation(len(prepared.paper_keys))
    keys = [prepared.paper_keys[i] for i in order]
    reduced = None if prepared.reduced is None else prepared.reduced[order]
    return Prepared(prepared.features.restrict(keys), reduced)


def _draw_terms(
    prepared: Prepared, scale: float, metric: str, rng: np.random.Generator
) -> Prepared:
    """Draw terms with replacement, again where a paper would be left without any."""
    for attempt in range(_MOST_REDRAWS):
        multiplicity = draw_multiplicities(len(prepared.features.terms), scale, rng)
        try:
            return Prepared(repeat_terms(prepared.features, multiplicity, metric), None)
        except ParameterError as error:
            if attempt == _MOST_REDRAWS - 1:
                raise ParameterError(
                    f"{_MOST_REDRAWS} draws of {scale:g} of the terms left a paper without any "
                    f"({error}); ask larger scales"
                ) from None
    raise AssertionError("the last attempt returns or raises")


def _hash_nodes(tree: Tree) -> NDArray[np.uint64]:
    """Return a number for the set of papers below each merge; equal sets have equal numbers.

    Each paper has a random number of 64 bits, by its place among the sorted keys; a set has
    their sum. Of a million sets, two different ones collide with probability 3e-8.
    """
    numbers = np.random.default_rng(0).integers(2**64, size=tree.n_papers, dtype=np.uint64)
    by_leaf = numbers[tree.leaf_order]
    before = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(by_leaf, dtype=np.uint64)])
    starts = tree.starts[tree.n_papers :]
    return np.asarray(before[starts + tree.sizes[tree.n_papers :]] - before[starts])
