"""Every setting of a survey, with its default, its unit and what is allowed.

These models are the one source for ``survey.yaml``, its JSON Schema, the manifest
and the set-up paragraph. What the default values follow is said at each field.
"""

from survey_tools.settings.base import Settings
from survey_tools.settings.clustering import (
    ClusteringSettings,
    CondenseSettings,
    CutSettings,
    LinkageMethod,
    Metric,
    Precision,
    check_linkage,
    printed_name,
)
from survey_tools.settings.figures import FigureSettings
from survey_tools.settings.harvest import HarvestSettings
from survey_tools.settings.robustness import RobustnessRule, RobustnessSettings
from survey_tools.settings.survey import SurveySettings
from survey_tools.settings.testing import CrosscheckSettings, HoldoutSettings
from survey_tools.settings.text import TextSettings, Weighting

__all__ = [
    "ClusteringSettings",
    "CondenseSettings",
    "CrosscheckSettings",
    "CutSettings",
    "FigureSettings",
    "HarvestSettings",
    "HoldoutSettings",
    "LinkageMethod",
    "Metric",
    "Precision",
    "RobustnessRule",
    "RobustnessSettings",
    "Settings",
    "SurveySettings",
    "TextSettings",
    "Weighting",
    "check_linkage",
    "printed_name",
]
