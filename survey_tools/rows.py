"""What is clustered: weighted terms, their latent semantic analysis, or vectors brought along."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.text import Features

__all__ = ["analyse_latent_semantics", "normalise_rows"]

_N_ITERATIONS = 5  # of the power method; scikit-learn's default


def analyse_latent_semantics(
    features: Features, n_components: int, *, seed: int
) -> NDArray[np.float64]:
    """Project weighted terms onto their first singular vectors and normalise the rows again.

    Returns
    -------
    ndarray of float64, shape (n_papers, n_components)
        Rows of norm 1.

    Raises
    ------
    ParameterError
        If there are not more terms and papers than components, or a paper projects to zero.

    References
    ----------
    .. [1] Deerwester et al., "Indexing by latent semantic analysis", JASIS 41 (1990).
    .. [2] Halko, Martinsson and Tropp, arXiv:0909.4061 (the randomised method).
    """
    n_papers, n_terms = features.matrix.shape
    if n_components >= min(n_papers, n_terms):
        raise ParameterError(
            f"{n_components} components asked of {n_papers} papers and {n_terms} terms; "
            f"clustering.n_components may be at most {min(n_papers, n_terms) - 1}"
        )
    reduction = TruncatedSVD(n_components, n_iter=_N_ITERATIONS, random_state=seed)
    return normalise_rows(reduction.fit_transform(features.matrix), features.paper_keys)


def normalise_rows(rows: NDArray[np.float64], paper_keys: tuple[str, ...]) -> NDArray[np.float64]:
    """Scale dense rows to norm 1.

    Raises
    ------
    ParameterError
        Naming the papers whose row is zero.
    """
    norms = np.sqrt((rows * rows).sum(axis=1))
    if not norms.all():
        zero = [paper_keys[i] for i in np.flatnonzero(norms == 0)]
        raise ParameterError(
            f"{len(zero)} of {len(paper_keys)} papers have a row of zeros: {abbreviate(zero)}; "
            "drop them"
        )
    return np.asarray(rows / norms[:, None])
