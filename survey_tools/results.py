"""StudyResult: everything one run found out, before any of it is printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from survey_tools.clusters import Cluster
from survey_tools.corpus import Corpus
from survey_tools.crosscheck.whole import Crosscheck
from survey_tools.distances import PairDistances
from survey_tools.linkage.certificate import Certificate
from survey_tools.partition import Partition
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import AttachedName
from survey_tools.taxonomy import Taxonomy
from survey_tools.text import Features
from survey_tools.tree import Tree

__all__ = ["StudyResult"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyResult:
    """The results of one run, with the data and settings that they came from.

    Attributes
    ----------
    certificate : optional
        None where none was asked for.
    taxonomy, crosscheck : optional
        None where the survey has no taxonomy, or the command does not ask for it.
    versions : mapping of str to str
        Versions of Python and of the libraries that computed the results.
    warnings : tuple of str
        What a reader of the results must know.
    """

    settings: SurveySettings
    corpus: Corpus
    features: Features
    distances: PairDistances = field(repr=False)
    tree: Tree
    certificate: Certificate | None
    partition: Partition
    clusters: tuple[Cluster, ...]
    names: tuple[AttachedName, ...]
    taxonomy: Taxonomy | None
    crosscheck: Crosscheck | None
    versions: Mapping[str, str]
    warnings: tuple[str, ...]
