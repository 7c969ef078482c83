"""A survey folder -> its own papers, as experiments of the ledger need them."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from survey_tools.analysis import analyse
from survey_tools.claims.experiment import Experiment
from survey_tools.claims.survey_material import SurveyPapers
from survey_tools.errors import DataError
from survey_tools.memory import free_bytes
from survey_tools.robustness.material import Material, list_clusters
from survey_tools.robustness.setting import Setting
from survey_tools.robustness_material import gather_material
from survey_tools.study import SETTINGS_FILE, Study, read_study

__all__ = ["SurveyFinder", "SurveyFolder"]

_BYTES_A_PAIR = 40  # of papers, in every process that runs trials; 37 measured at 4,000 papers


class SurveyFolder:
    """A survey folder as `survey_tools.claims.survey_material.SurveyMaterial`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _study(self) -> Study:
        return read_study(self.path)

    @property
    def digests(self) -> Mapping[str, str]:
        """sha256 of every file that was read, by its name in the folder."""
        return self._study.digests if "_study" in vars(self) else {}

    @cached_property
    def papers(self) -> SurveyPapers:
        """Papers with taxonomy and settings."""
        study, settings = self._study, self._study.settings
        return SurveyPapers(
            corpus=study.corpus,
            taxonomy=study.taxonomy,
            taxonomy_digest=study.digests.get(settings.taxonomy or "", ""),
            text=settings.text,
            clustering=settings.clustering,
            holdout=settings.holdout,
            stop_words=study.stop_words,
            vectors=study.embeddings,
        )

    @cached_property
    def clusters(self) -> Material:
        """The dendrogram, its clusters, and what builds others.

        Raises
        ------
        ParameterError
            If the survey has fewer papers than clusters are asked.
        DataError
            If it clusters vectors of its own, or its papers do not fit the memory.
        """
        study, clustering = self._study, self._study.settings.clustering
        if clustering.rows == "embeddings":
            raise DataError(
                "the survey clusters vectors of its own, which no choice of terms changes"
            )
        n_bytes, free = _BYTES_A_PAIR * len(study.corpus) ** 2, free_bytes()
        if free is not None and n_bytes > free:
            raise DataError(
                f"clusters of {len(study.corpus):,} papers cannot be sought again: every pair of "
                f"papers would take {n_bytes / 1e9:.0f} GB in all, and {free / 1e9:.0f} GB are free"
            )
        result = analyse(study, with_crosscheck=False)
        own = Setting.of_survey(study.settings.text, clustering, result.partition.n_groups)
        targets = list_clusters(result.partition)
        return gather_material(study, result, own, targets, stop_words=("english", "none"))


class SurveyFinder:
    """Finds experiments by name, and gives those on a survey's own papers the papers.

    The folder is read, and its dendrogram built, when the first of them is asked for.

    Parameters
    ----------
    find : callable
        Returns an experiment by name.
    survey : Path
        Survey folder; of a file of claims, or a folder without ``survey.yaml``, no papers are
        known, and experiments on them are returned as they are.
    """

    def __init__(self, find: Callable[[str], Experiment], survey: Path) -> None:
        self._find = find
        self._folder = SurveyFolder(survey)
        self._bound: dict[str, Experiment] = {}

    def __call__(self, name: str) -> Experiment:
        """Return an experiment by name; the same one every time."""
        if name not in self._bound:
            found = self._find(name)
            if found.of_survey is not None and (self._folder.path / SETTINGS_FILE).is_file():
                found = found.of_survey(self._folder)
            self._bound[name] = found
        return self._bound[name]

    @property
    def digests(self) -> Mapping[str, str]:
        """sha256 of every file that was read, by its name in the folder."""
        return self._folder.digests
