"""Labels that several annotators gave to the same papers -> kappa and alpha, with intervals.

Unlike the indices of clusterings (see `survey_tools.agreement.index`), these compare the
annotators paper by paper, so that papers are independent units and the ordinary bootstrap,
which draws papers with replacement, gives their spread [1]_.

References
----------
.. [1] Zapf, Castell, Morawietz and Karch, "Measuring inter-rater reliability for nominal data -
   which coefficients and confidence intervals are appropriate?", BMC Medical Research
   Methodology 16 (2016), 93.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.coefficients import (
    Coefficient,
    build_alpha,
    build_cohen,
    build_fleiss,
    evaluate,
)
from survey_tools.agreement.index import AgreementIndex
from survey_tools.agreement.ratings import Ratings, code_pairable

__all__ = ["RaterAgreement", "rate"]

_N_CELLS_AT_ONCE = 4_000_000  # entries of the largest work array: 32 MB
_TIE = 1e-12  # values this close are equal: they differ by the order of a sum


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterAgreement:
    """How far annotators of the same papers agree.

    Attributes
    ----------
    names : tuple of str
        The annotators.
    n_papers : int
        Papers that at least two annotators rated; the alphas are computed from these.
    n_complete : int
        Papers that all annotators rated; the kappas are computed from these.
    confidence : float
        Level of the intervals.
    indices : tuple of AgreementIndex
        Without chance and p-value: each index is 0 where annotators agree no better than by
        chance. ``low`` and ``high`` come from the bootstrap over papers (see `rate`).
    """

    names: tuple[str, ...]
    n_papers: int
    n_complete: int
    n_resamples: int
    confidence: float
    indices: tuple[AgreementIndex, ...]

    @property
    def n_annotators(self) -> int:
        """Number of annotators."""
        return len(self.names)


def rate(
    ratings: Mapping[str, Mapping[str, frozenset[str]]],
    *,
    rng: np.random.Generator,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> RaterAgreement:
    """Measure the agreement of annotators with every index that applies.

    * "Cohen's kappa", for two annotators: equal sets of labels are one category.
    * "Fleiss' kappa": likewise.
    * "Krippendorff's alpha (nominal)": likewise, also for papers that not all rated.
    * "Krippendorff's alpha (MASI)": sets that share labels agree in part.

    The kappas are missing if no paper was rated by all.

    Parameters
    ----------
    ratings : mapping of str to mapping of str to frozenset of str
        Annotator -> paper key -> labels, the empty set for none.
    rng : numpy.random.Generator
        Source of resamples.
    n_resamples : int
        Bootstrap samples of the papers, each of as many papers, drawn with replacement.
    confidence : float
        Level of the percentile intervals, between 0 and 1. There is no interval without
        resamples, nor where all of them give one value: where annotators never disagree, no
        resample can say how often they would. An interval always holds its value. In a
        resample that leaves an index undefined it is 1, as it is for all papers.

    Raises
    ------
    ParameterError
        If there are fewer than two annotators, or no paper has two ratings.
    """
    rated = code_pairable(tuple(ratings.values()))
    complete = rated.restrict_to_complete()
    kappas: dict[str, Coefficient] = {}
    if complete.n_papers:
        if len(ratings) == 2:
            kappas["Cohen's kappa"] = build_cohen(complete)
        kappas["Fleiss' kappa"] = build_fleiss(complete)
    alphas = {
        "Krippendorff's alpha (nominal)": build_alpha(rated, "nominal"),
        "Krippendorff's alpha (MASI)": build_alpha(rated, "masi"),
    }
    indices = [
        index
        for coefficients, papers in ((kappas, complete), (alphas, rated))
        for index in _bootstrap(coefficients, papers, n_resamples, confidence, rng)
    ]
    return RaterAgreement(
        names=tuple(ratings),
        n_papers=rated.n_papers,
        n_complete=complete.n_papers,
        n_resamples=n_resamples,
        confidence=confidence,
        indices=tuple(indices),
    )


def _bootstrap(
    coefficients: Mapping[str, Coefficient],
    ratings: Ratings[frozenset[str]],
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> list[AgreementIndex]:
    """Compute coefficients and their intervals, all from the same resamples of the papers."""
    n_papers = ratings.n_papers
    samples = np.empty((len(coefficients), n_resamples if coefficients else 0))
    n_at_once = max(1, _N_CELLS_AT_ONCE // max(1, ratings.codes.size))  # no more categories
    for start in range(0, samples.shape[1], n_at_once):
        block = samples[:, start : start + n_at_once]
        n = block.shape[1]
        drawn = rng.integers(n_papers, size=(n, n_papers)) + np.arange(n)[:, None] * n_papers
        weights = np.bincount(drawn.ravel(), minlength=n * n_papers).reshape(n, n_papers)
        for row, coefficient in zip(block, coefficients.values(), strict=True):
            row[:] = coefficient(weights.astype(np.float64))
    return [
        _enclose(name, evaluate(coefficient, n_papers), row, confidence)
        for (name, coefficient), row in zip(coefficients.items(), samples, strict=True)
    ]


def _enclose(
    name: str, value: float, samples: NDArray[np.float64], confidence: float
) -> AgreementIndex:
    """Give a value its percentile interval, if its resamples differ at all."""
    low = high = None
    if len(samples) and np.ptp(samples) > _TIE:
        tail = (1.0 - confidence) / 2.0
        bounds = np.quantile(samples, [tail, 1.0 - tail])
        low, high = min(value, float(bounds[0])), max(value, float(bounds[1]))
    return AgreementIndex(name=name, value=value, chance=None, p_value=None, low=low, high=high)
