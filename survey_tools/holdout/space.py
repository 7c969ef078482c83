"""Terms and weights learnt from some papers, in which any paper can be placed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.settings import TextSettings
from survey_tools.text import Counts, limit_terms

__all__ = ["TermSpace", "learn_space"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TermSpace:
    """What training papers say of terms: which ones count, and for how much.

    Attributes
    ----------
    counts : Counts
        Of the training papers, after the document-frequency limits.
    columns : ndarray of int, shape (n_terms,)
        Place of each term among all terms that were counted.
    idf : ndarray of float64, shape (n_terms,)
        Factor of each term; ones where the weighting has none.
    mean_length : float
        Mean number of counted terms a training paper, for bm25.
    """

    counts: Counts
    columns: NDArray[np.intp]
    idf: NDArray[np.float64]
    mean_length: float
    settings: TextSettings

    def place(self, matrix: sparse.csr_array) -> sparse.csr_array:
        """Weigh the terms of papers, whether trained on or not.

        Parameters
        ----------
        matrix : csr_array of int64, shape (n_papers, n_all_terms)
            Counts over the terms that the space was learnt from. A paper without any term
            of the space gets a row of zeros.

        Returns
        -------
        csr_array of float64, shape (n_papers, n_terms)
            For the training papers as `survey_tools.text.weight_terms` weighs them.
        """
        settings = self.settings
        chosen = matrix[:, self.columns].astype(np.float64)
        tf = chosen.data
        if settings.weighting == "binary":
            tf = np.ones_like(tf)
        elif settings.weighting == "sublinear-tf-idf":
            tf = 1.0 + np.log(tf)
        elif settings.weighting == "bm25":
            length = np.asarray(chosen.sum(axis=1)).ravel() / self.mean_length
            k1, b = settings.bm25_k1, settings.bm25_b
            saturation = np.repeat(k1 * (1 - b + b * length), np.diff(chosen.indptr))
            tf = tf * (k1 + 1) / (tf + saturation)
        parts = (  # scikit-learn's liblinear wants short indices
            tf * self.idf[chosen.indices],
            chosen.indices.astype(np.int32),
            chosen.indptr.astype(np.int32),
        )
        placed = sparse.csr_array(parts, shape=chosen.shape)
        if settings.norm == "none" or not matrix.shape[0]:
            return placed
        return sparse.csr_array(normalize(placed, norm=settings.norm))


def learn_space(counts: Counts, training: NDArray[np.intp], settings: TextSettings) -> TermSpace:
    """Learn terms, their limits and their weights from the training papers alone.

    Parameters
    ----------
    counts : Counts
        Of all papers, without limits.
    training : ndarray of int, shape (n_training,)
        Rows of the training papers.

    Raises
    ------
    ParameterError
        If the document-frequency limits leave no term.
    """
    learnt = Counts(
        paper_keys=tuple(counts.paper_keys[i] for i in training),
        terms=counts.terms,
        matrix=counts.matrix[training],
    )
    limited = limit_terms(
        learnt,
        min_df=settings.min_df,
        max_df=settings.max_df,
        max_features=settings.max_features,
    )
    frequency = limited.document_frequency
    n = len(training)
    idf = np.ones(len(frequency))
    if settings.weighting.endswith("tf-idf"):
        smooth = int(settings.smooth_idf)
        idf = np.log((n + smooth) / (frequency + smooth)) + 1.0
    elif settings.weighting == "bm25":
        idf = np.log1p((n - frequency + 0.5) / (frequency + 0.5))
    return TermSpace(
        counts=limited,
        columns=np.searchsorted(counts.terms, limited.terms),
        idf=idf,
        mean_length=float(limited.matrix.sum() / n),
        settings=settings,
    )
