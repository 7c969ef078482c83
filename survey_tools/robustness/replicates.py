"""Runs of the multiscale bootstrap -> support of the sub-trees of the reference."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from survey_tools.robustness.multiscale import MultiscaleFit, fit_multiscale, resampled_size
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.run import Run
from survey_tools.robustness.stability import Support
from survey_tools.tree import Tree

__all__ = ["ReplicateTally"]

_FEWEST_SCALES = 3  # fewer are never fitted


class ReplicateTally:
    """Adds up how many replicates hold each sub-tree, scale by scale, corpus by corpus.

    Parameters
    ----------
    tree : Tree
        The survey's own; its merges are what its replicates were searched for.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._counts: dict[str, dict[float, NDArray[np.int64]]] = defaultdict(dict)
        self._totals: dict[str, dict[float, int]] = defaultdict(lambda: defaultdict(int))
        self._n_terms: dict[str, int] = {}
        self._fits: dict[str, MultiscaleFit | None] = {}

    def add(self, run: Run, outcome: Outcome) -> None:
        """Add the counts of one run; a failed one counts nowhere."""
        if outcome.failure:
            return
        counts = self._counts[run.corpus]
        found = np.array(outcome.node_counts, dtype=np.int64)
        counts[run.scale] = counts.get(run.scale, np.zeros_like(found)) + found
        self._totals[run.corpus][run.scale] += run.n_replicates
        self._n_terms[run.corpus] = outcome.n_terms
        self._fits.pop(run.corpus, None)

    @property
    def n_replicates(self) -> int:
        """Trees of the survey's own terms, over all scales."""
        return sum(self._totals["own"].values())

    def support_of(self, paper_keys: Iterable[str]) -> Support | None:
        """Return the support of the sub-tree that holds exactly these papers.

        None if there is no such sub-tree, or no bootstrap was run.
        """
        fit = self._fit("own")
        keys = set(paper_keys)
        if fit is None or len(keys) < 2:
            return None
        merge = self._tree.common_ancestor(keys) - self._tree.n_papers
        if self._tree.sizes[self._tree.n_papers + merge] != len(keys):
            return None
        return Support(
            au=float(fit.au[merge]), bp=float(fit.bp[merge]), au_error=float(fit.au_error[merge])
        )

    def count_supported(self, min_au: float) -> dict[str, int]:
        """Count the sub-trees with at least this AU, corpus by corpus, the whole tree not."""
        counted = {}
        for corpus in sorted(self._counts):
            fit = self._fit(corpus)
            if fit is not None:
                counted[corpus] = int((fit.au[:-1] >= min_au).sum())
        return counted

    def _fit(self, corpus: str) -> MultiscaleFit | None:
        if corpus not in self._fits:
            self._fits[corpus] = self._fit_anew(corpus)
        return self._fits[corpus]

    def _fit_anew(self, corpus: str) -> MultiscaleFit | None:
        # scales that draw equally many terms are one scale
        counts: dict[int, NDArray[np.int64]] = {}
        totals: dict[int, int] = defaultdict(int)
        for scale in sorted(self._counts[corpus]):
            size = resampled_size(self._n_terms[corpus], scale)
            found = self._counts[corpus][scale]
            counts[size] = counts[size] + found if size in counts else found
            totals[size] += self._totals[corpus][scale]
        if len(counts) < _FEWEST_SCALES:
            return None
        true = [size / self._n_terms[corpus] for size in counts]
        return fit_multiscale(np.column_stack(list(counts.values())), list(totals.values()), true)
