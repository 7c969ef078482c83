"""A survey's own papers, as experiments on them need them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.robustness.material import Material
from survey_tools.settings import ClusteringSettings, HoldoutSettings, TextSettings
from survey_tools.taxonomy import Taxonomy

__all__ = ["SurveyMaterial", "SurveyPapers"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyPapers:
    """Papers, taxonomy and settings of a survey; sent with every trial that reads them.

    Attributes
    ----------
    taxonomy : Taxonomy or None
    taxonomy_digest : str
        sha256 of its file; empty where there is none.
    vectors : ndarray of float64, shape (n_papers, n_dimensions), or None
        Of the papers sorted by key, where the survey brings its own.
    """

    corpus: Corpus
    taxonomy: Taxonomy | None
    taxonomy_digest: str
    text: TextSettings
    clustering: ClusteringSettings
    holdout: HoldoutSettings
    stop_words: frozenset[str]
    vectors: NDArray[np.float64] | None


class SurveyMaterial(Protocol):
    """What is known of a survey; each part is made when it is first asked for."""

    @property
    def papers(self) -> SurveyPapers:
        """Papers with taxonomy and settings."""

    @property
    def clusters(self) -> Material:
        """The dendrogram, its clusters, and what builds others.

        Raises
        ------
        DataError
            If the survey clusters vectors of its own, which no choice of terms changes, or has
            too many papers for the memory that is free.
        """
