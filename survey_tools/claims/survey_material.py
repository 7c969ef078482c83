"""A survey's own papers, as experiments on them need them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.robustness.material import Material
from survey_tools.settings import ClusteringSettings, HoldoutSettings, TextSettings
from survey_tools.taxonomy import Taxonomy

__all__ = ["SurveyMaterial"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyMaterial:
    """Papers, taxonomy and settings of a survey; sent to each process that runs trials.

    Attributes
    ----------
    taxonomy : Taxonomy or None
    taxonomy_digest : str
        sha256 of its file; empty where there is none.
    vectors : ndarray of float64, shape (n_papers, n_dimensions), or None
        Of the papers sorted by key, where the survey brings its own.
    clusters : Material or None
        The dendrogram, its clusters, and what builds others. None where the survey clusters
        vectors of its own, which no choice of terms changes.
    """

    corpus: Corpus
    taxonomy: Taxonomy | None
    taxonomy_digest: str
    text: TextSettings
    clustering: ClusteringSettings
    holdout: HoldoutSettings
    stop_words: frozenset[str]
    vectors: NDArray[np.float64] | None
    clusters: Material | None
