"""``claims.yaml``: what a survey claims, and how each claim is tested."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from survey_tools.claims.experiment import Experiment
from survey_tools.claims.registry import find_experiment
from survey_tools.claims.rule import Rule
from survey_tools.documents import YamlDocument, nearest, read_yaml
from survey_tools.errors import DataError, ParameterError

__all__ = [
    "CLAIMS_FILE",
    "Claim",
    "ClaimFile",
    "ExperimentChoice",
    "SeedNumbers",
    "find_claims",
    "parse_claims",
    "read_claims",
]

CLAIMS_FILE = "claims.yaml"

Scalar = bool | int | float | str
Parameter = Scalar | tuple[Scalar, ...]
Finder = Callable[[str], Experiment]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class ExperimentChoice(_Part):
    """The experiment that tests a claim."""

    name: str
    """Name of the experiment."""
    parameters: dict[str, Parameter] = {}
    """Its parameters where they are not the defaults."""


class SeedNumbers(_Part):
    """How many seeds are run."""

    quick: Annotated[int, Field(ge=0)] = 3
    """With --quick; 0 where a claim takes too long for it, which is then not run."""
    full: Annotated[int, Field(ge=1)] = 8
    """With --full."""


class Claim(_Part):
    """One claim with its test."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Short name: small letters, digits and hyphens."""
    text: Annotated[str, Field(min_length=1)]
    """What the survey says, in our own words."""
    where: Annotated[str, Field(min_length=1)]
    """Section, equation or table of the survey; "not located" where it is not known."""
    experiment: ExperimentChoice
    """The experiment that tests it."""
    data: Annotated[str, Field(min_length=1)]
    """Data that it is tested on."""
    seeds: SeedNumbers = SeedNumbers()
    """Number of seeds with --quick and with --full."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    """What decides; all of them must hold."""
    requires: tuple[Rule, ...] = ()
    """What must hold before anything is decided, such as that a training has learnt more than
    a random encoder knows; else the claim is inconclusive at this scale."""
    not_tested: Annotated[str, Field(min_length=1)]
    """What could not be tested here, and why."""


class ClaimFile(_Part):
    """``claims.yaml``."""

    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    """Claims in the order in which they are printed."""


def find_claims(survey: Path) -> Path:
    """Return the file of claims of a survey folder, or the file itself.

    Raises
    ------
    DataError
        If there is none.
    """
    path = survey / CLAIMS_FILE if survey.is_dir() else survey
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise DataError(
            f"{survey}: has no claims; name a survey folder with {CLAIMS_FILE}, or a YAML file of "
            "claims"
        )
    return path


def read_claims(path: Path) -> ClaimFile:
    """Read ``claims.yaml`` and check it against the experiments.

    Raises
    ------
    DataError
        Naming file, line and key: also for a repeated id, and an experiment, parameter or
        statistic that does not exist.
    """
    return parse_claims(read_yaml(path))


def parse_claims(document: YamlDocument, *, find: Finder = find_experiment) -> ClaimFile:
    """Check claims that have been read; see `read_claims`.

    Parameters
    ----------
    find : callable, optional
        Returns an experiment by name.
    """
    file = document.validate(ClaimFile)
    seen: set[str] = set()
    for i, claim in enumerate(file.claims):
        if claim.id in seen:
            raise DataError(f"{document.at('claims', i, 'id')}: {claim.id!r} stands twice")
        seen.add(claim.id)
        _check_experiment(claim, i, document, find)
    return file


def _check_experiment(claim: Claim, i: int, document: YamlDocument, find: Finder) -> None:
    chosen = claim.experiment
    try:
        experiment = find(chosen.name)
    except ParameterError as error:
        where = document.at("claims", i, "experiment", "name")
        raise DataError(f"{where}: {error}") from None
    for name, value in chosen.parameters.items():
        where = document.at("claims", i, "experiment", "parameters", name)
        if name not in experiment.defaults:
            known = nearest(name, list(experiment.defaults))
            raise DataError(f"{where}: unknown to the experiment {chosen.name!r}; {known}")
        if problem := _find_misfit(value, experiment.defaults[name]):
            raise DataError(f"{where}: {problem}")
    parameters = experiment.complete(chosen.parameters)
    try:
        statistics = list(experiment.statistics(parameters))
    except ParameterError as error:
        where = document.at("claims", i, "experiment", "parameters")
        raise DataError(f"{where}: {error}") from None
    for key, rules in (("requires", claim.requires), ("rules", claim.rules)):
        for j, rule in enumerate(rules):
            if rule.statistic not in statistics:
                where = document.at("claims", i, key, j, "statistic")
                raise DataError(
                    f"{where}: the experiment {chosen.name!r} finds no {rule.statistic!r}; "
                    f"{nearest(rule.statistic, statistics)}"
                )


def _find_misfit(value: object, default: object) -> str | None:
    """Say what is wrong with a parameter's type; a whole number may stand for another."""
    if isinstance(default, (list, tuple)):
        if not isinstance(value, tuple) or not value:
            return f"a list is wanted, such as {list(default)}, but {value!r} arrived"
        misfits = (_find_misfit(item, default[0]) for item in value)
        return next((misfit for misfit in misfits if misfit), None)
    wanted: tuple[type, ...] = (int, float) if type(default) is float else (type(default),)
    if type(value) not in wanted:
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        return f"{kinds[type(default)]} is wanted, but {value!r} arrived"
    return None
