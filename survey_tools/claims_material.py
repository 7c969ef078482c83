"""A survey folder -> its own papers, as experiments of the ledger need them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from survey_tools.analysis import analyse
from survey_tools.claims.experiment import Experiment
from survey_tools.claims.survey_material import SurveyMaterial
from survey_tools.results import StudyResult
from survey_tools.robustness.material import Material, Target
from survey_tools.robustness.setting import Setting
from survey_tools.robustness_material import gather_material
from survey_tools.study import SETTINGS_FILE, Study, read_study

__all__ = ["SurveyFinder"]


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
        self._survey = survey
        self._study: Study | None = None
        self._material: SurveyMaterial | None = None
        self._bound: dict[str, Experiment] = {}

    def __call__(self, name: str) -> Experiment:
        """Return an experiment by name; the same one every time."""
        if name not in self._bound:
            found = self._find(name)
            if found.of_survey is not None and (self._survey / SETTINGS_FILE).is_file():
                found = found.of_survey(self._read())
            self._bound[name] = found
        return self._bound[name]

    @property
    def digests(self) -> Mapping[str, str]:
        """sha256 of every file that was read, by its name in the folder."""
        return {} if self._study is None else self._study.digests

    def _read(self) -> SurveyMaterial:
        if self._material is None:
            self._study = read_study(self._survey)
            self._material = _gather(self._study)
        return self._material


def _gather(study: Study) -> SurveyMaterial:
    settings = study.settings
    return SurveyMaterial(
        corpus=study.corpus,
        taxonomy=study.taxonomy,
        taxonomy_digest=study.digests.get(settings.taxonomy or "", ""),
        text=settings.text,
        clustering=settings.clustering,
        holdout=settings.holdout,
        stop_words=study.stop_words,
        vectors=study.embeddings,
        clusters=_gather_clusters(study) if settings.clustering.rows != "embeddings" else None,
    )


def _gather_clusters(study: Study) -> Material:
    result: StudyResult = analyse(study, with_crosscheck=False)
    partition = result.partition
    own = Setting.of_survey(study.settings.text, study.settings.clustering, partition.n_groups)
    clusters = tuple(
        Target(name=name, kind="cluster", paper_keys=partition.members(name))
        for name in partition.group_names
    )
    return gather_material(study, result, own, clusters, stop_words=("english", "none"))
