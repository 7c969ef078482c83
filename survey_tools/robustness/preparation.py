"""A setting -> weighted terms; tokens, counts and distances that runs share are made once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from survey_tools.distances import Distances, measure_dense_distances, measure_distances
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.robustness.material import Material
from survey_tools.robustness.nulls import draw_one_topic, shuffle_terms
from survey_tools.robustness.run import CorpusKind, draw_rng
from survey_tools.robustness.setting import Setting
from survey_tools.rows import analyse_latent_semantics
from survey_tools.text import Counts, Features, count_terms, limit_terms, tokenise, weight_terms

__all__ = ["Preparation", "Prepared", "repeat_terms"]

Made = TypeVar("Made")

# How many of each stay in memory. Runs come sorted, so that few suffice; counts of (1,3)-grams
# of 5,000 abstracts take 20 MB.
_N_TOKENS, _N_COUNTS, _N_WEIGHTED = 4, 6, 2


def repeat_terms(features: Features, multiplicity: NDArray[np.float64], metric: str) -> Features:
    """Weigh terms as if each stood in the corpus so many times, and scale the rows again.

    A term drawn twice counts twice in the norm of a row and twice in a distance: its squared
    difference in a Euclidean one (and its product in a cosine), its absolute difference in a
    cityblock one. The entries are scaled so that one column does what several would.

    Raises
    ------
    ParameterError
        If a paper is left without terms, or the metric compares presence alone.
    """
    if metric == "jaccard":
        raise ParameterError("jaccard distances compare which terms are present, not how often")
    matrix = features.matrix.copy()
    times = multiplicity[matrix.indices]
    of_row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    n_left = np.bincount(of_row, weights=times > 0, minlength=matrix.shape[0])
    if not n_left.all():
        bare = [key for key, n in zip(features.paper_keys, n_left, strict=True) if not n]
        raise ParameterError(f"no term of {abbreviate(bare)} was drawn")
    if features.settings.norm != "none":
        power = 1.0 if features.settings.norm == "l1" else 2.0
        sums = np.bincount(of_row, weights=times * np.abs(matrix.data) ** power)
        matrix.data = matrix.data / sums[of_row] ** (1.0 / power)
    matrix.data = matrix.data * (times if metric == "cityblock" else np.sqrt(times))
    matrix.eliminate_zeros()
    return replace(features, matrix=matrix)


class Prepared:
    """Weighted terms of some papers in one setting, with their distances once asked for.

    Attributes
    ----------
    features : Features
        Papers sorted by key, or in another order where the order is what is tested.
    reduced : ndarray of float64, shape (n_papers, n_components), or None
        Rows after latent semantic analysis.
    """

    def __init__(self, features: Features, reduced: NDArray[np.float64] | None) -> None:
        self.features = features
        self.reduced = reduced
        self._distances: dict[str, Distances] = {}
        self._rows: NDArray[np.float64] | None = None

    @property
    def paper_keys(self) -> tuple[str, ...]:
        """Keys of the rows."""
        return self.features.paper_keys

    def distances(self, metric: str) -> Distances:
        """Measure the distances of all pairs, once for each metric."""
        if metric not in self._distances:
            if self.reduced is not None:
                made = measure_dense_distances(self.paper_keys, self.reduced, metric)  # type: ignore[arg-type]
            else:
                made = measure_distances(self.features, metric)  # type: ignore[arg-type]
            self._distances[metric] = made
        return self._distances[metric]

    @property
    def rows(self) -> NDArray[np.float64]:
        """Dense rows with the distances of the weighted rows, shape (n_papers, <= n_papers).

        The rows are turned into the space that they span: k-means and Ward's linkage see
        distances alone, and n papers span n dimensions at most, of thousands of terms.
        """
        if self._rows is None:
            if self.reduced is not None:
                self._rows = self.reduced
            else:
                matrix = self.features.matrix
                product = np.asarray((matrix @ matrix.T).toarray())
                values, vectors = np.linalg.eigh((product + product.T) / 2.0)
                kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
                self._rows = np.ascontiguousarray(vectors[:, kept] * np.sqrt(values[kept]))
        return self._rows


class Preparation:
    """Makes weighted terms for the runs of one worker, and remembers what the next may need."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self._kept: dict[str, OrderedDict[Hashable, object]] = {}

    def counts(self, setting: Setting, corpus: CorpusKind = "own", draw: int = 0) -> Counts:
        """Count all terms of a corpus, before any limit."""
        key = (setting.text, setting.stop_words, setting.stemming, setting.ngrams)
        own = self._remember("counts", key, _N_COUNTS, lambda: self._count(setting))
        if corpus == "own":
            return own
        # the survey's limits go first: what is dealt anew is what its tree is made of
        deal = {"shuffled": shuffle_terms, "one-topic": draw_one_topic}[corpus]
        return self._remember(
            "null counts",
            (*key, repr(setting.min_df), repr(setting.max_df), corpus, draw),
            _N_COUNTS,
            lambda: deal(self._limit(own, setting), draw_rng(self.material.seed, corpus, draw)),
        )

    def prepare(
        self,
        setting: Setting,
        *,
        corpus: CorpusKind = "own",
        draw: int = 0,
        rows: NDArray[np.intp] | None = None,
        multiplicity: Callable[[int], NDArray[np.float64]] | None = None,
        seed: int = 0,
    ) -> Prepared:
        """Weigh the terms of a corpus, or of some of its papers.

        Parameters
        ----------
        rows : ndarray of int, optional
            Papers, by their place among the sorted keys; document frequencies are counted
            among them alone.
        multiplicity : callable, optional
            Takes the number of terms; returns how often each is drawn.
        seed : int
            Of the latent semantic analysis.

        Raises
        ------
        ParameterError
            If no term, or no term of some paper, is left.
        """
        if rows is not None or multiplicity is not None:
            return self._weigh(
                setting, self.counts(setting, corpus, draw), rows, multiplicity, seed
            )
        key = (setting.without_algorithm(), corpus, draw, seed)
        return self._remember(
            "weighted",
            key,
            _N_WEIGHTED,
            lambda: self._weigh(setting, self.counts(setting, corpus, draw), None, None, seed),
        )

    def _count(self, setting: Setting) -> Counts:
        text = setting.text_settings(self.material.text)
        key = (setting.text, setting.stop_words, setting.stemming)
        tokens = self._remember(
            "tokens",
            key,
            _N_TOKENS,
            lambda: tokenise(
                self.material.corpus, text, self.material.stop_words[setting.stop_words]
            ),
        )
        return count_terms(tokens, text)

    def _limit(self, counts: Counts, setting: Setting) -> Counts:
        return limit_terms(
            counts,
            min_df=setting.min_df,
            max_df=setting.max_df,
            max_features=self.material.text.max_features,
        )

    def _weigh(
        self,
        setting: Setting,
        counts: Counts,
        rows: NDArray[np.intp] | None,
        multiplicity: Callable[[int], NDArray[np.float64]] | None,
        seed: int,
    ) -> Prepared:
        if rows is not None:
            keys = tuple(counts.paper_keys[i] for i in rows)
            counts = replace(counts, paper_keys=keys, matrix=sparse.csr_array(counts.matrix[rows]))
        counts = self._limit(counts, setting)
        features = weight_terms(counts, setting.text_settings(self.material.text))
        if multiplicity is not None:
            features = repeat_terms(features, multiplicity(len(features.terms)), setting.metric)
        reduced = None
        if setting.n_components is not None:
            reduced = analyse_latent_semantics(features, setting.n_components, seed=seed)
        return Prepared(features, reduced)

    def _remember(self, kind: str, key: Hashable, most: int, make: Callable[[], Made]) -> Made:
        kept = self._kept.setdefault(kind, OrderedDict())
        if key in kept:
            kept.move_to_end(key)
            return kept[key]  # type: ignore[return-value]
        made = make()
        kept[key] = made
        if len(kept) > most:
            kept.popitem(last=False)
        return made
