"""``survey.yaml``: the files of a survey and every setting of its analysis."""

from typing import Annotated

from pydantic import Field, field_validator

from survey_tools.arxiv_id import check_arxiv_id
from survey_tools.settings.base import Settings, check_inside
from survey_tools.settings.clustering import ClusteringSettings, CondenseSettings
from survey_tools.settings.figures import FigureSettings
from survey_tools.settings.harvest import HarvestSettings
from survey_tools.settings.robustness import RobustnessSettings
from survey_tools.settings.testing import CrosscheckSettings, HoldoutSettings
from survey_tools.settings.text import TextSettings

__all__ = [
    "SurveySettings",
]


class SurveySettings(Settings):
    """``survey.yaml``: the files of a survey and every setting of its analysis."""

    title: Annotated[str, Field(min_length=1)]
    """Title of the survey."""
    arxiv_id: str | None = None
    """arXiv id of the survey, in quotes."""
    doi: str | None = None
    """DOI of the survey."""
    papers: str = "papers.jsonl"
    """File of papers, JSON lines, relative to the survey folder."""
    taxonomy: str | None = None
    """File of the manual taxonomy, YAML."""
    subtrees: str | None = None
    """File of named sub-trees, YAML."""
    embeddings: str | None = None
    """File of vectors, one a paper (.npy, or .npz with keys and vectors); clustering.rows
    says whether they are used."""
    embedding_keys: str | None = None
    """Text file with the paper key of each vector, one a line; not needed for .npz."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of all chance."""
    text: TextSettings = TextSettings()
    """How text becomes weighted terms."""
    clustering: ClusteringSettings = ClusteringSettings()
    """How papers are merged and the tree is cut."""
    condense: CondenseSettings | None = None
    """How ``cluster --condense`` makes micro-clusters; the other commands take no notice."""
    crosscheck: CrosscheckSettings = CrosscheckSettings()
    """How agreement is tested."""
    holdout: HoldoutSettings = HoldoutSettings()
    """How it is tested whether labels can be told from texts."""
    robustness: RobustnessSettings = RobustnessSettings()
    """What the clusters are tested against."""
    figures: FigureSettings = FigureSettings()
    """How figures are printed."""
    harvest: HarvestSettings = HarvestSettings()
    """Where and how arXiv is asked."""

    @field_validator("arxiv_id")
    @classmethod
    def _arxiv_id_is_one(cls, arxiv_id: str | None) -> str | None:
        if arxiv_id is not None and (problem := check_arxiv_id(arxiv_id)):
            raise ValueError(problem)
        return arxiv_id

    _files_lie_inside = field_validator(
        "papers", "taxonomy", "subtrees", "embeddings", "embedding_keys"
    )(check_inside)
