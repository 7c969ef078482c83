"""Results of small surveys for the tests of the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examples import make_survey

from survey_tools.analysis import analyse
from survey_tools.results import StudyResult
from survey_tools.study import read_study

Analyse = Callable[..., StudyResult]


@pytest.fixture
def analyse_survey(tmp_path: Path) -> Analyse:
    """Analyse a survey of six papers: overrides by dotted name, files by keyword."""

    def analyse_one(overrides: dict[str, Any] | None = None, **files: Any) -> StudyResult:
        folder = make_survey(tmp_path / "survey", **files)
        return analyse(read_study(folder, overrides))

    return analyse_one


@pytest.fixture(scope="session")
def six_result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """Analyse the six papers in three clusters, with taxonomy and named sub-trees."""
    return analyse(read_study(make_survey(tmp_path_factory.mktemp("six"))))
