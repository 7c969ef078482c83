"""Experiments: which trials they need, and what they conclude from the outcomes."""

import importlib.util
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from survey_tools import __version__
from survey_tools.claims.estimate import Estimate
from survey_tools.output import digest_of_data

if TYPE_CHECKING:
    from survey_tools.claims.survey_material import SurveyMaterial

__all__ = [
    "Experiment",
    "FindingTable",
    "Findings",
    "Outcome",
    "Outcomes",
    "Parameters",
    "PictureGrid",
    "Size",
    "Trial",
    "TrialKind",
    "has_torch",
]

Size = Literal["quick", "full"]
Parameters = Mapping[str, Any]
"""Plain data: text, numbers, truth values and lists of them."""
Outcome = Mapping[str, Any]
"""Plain data that JSON can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialKind:
    """How trials of one kind are run.

    Attributes
    ----------
    name : str
    version : int
        To be raised when the code changes what it finds, so that older outcomes are not taken.
    run : callable
        Called as ``run(parameters, seed)``; returns an outcome. What else it reads, such as a
        survey's papers, parameters name by digests; kinds are the same by name and version.
    needs_torch : bool
    is_timing : bool
        Whether the outcome depends on the machine.
    """

    name: str
    version: int
    run: Callable[[Parameters, int], Outcome] = field(compare=False, repr=False)
    needs_torch: bool
    is_timing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing to run: a configuration with a seed. Equal trials are run once."""

    kind: TrialKind
    config: str
    seed: int

    @classmethod
    def of(cls, kind: TrialKind, parameters: Parameters, seed: int) -> "Trial":
        """Make a trial of plain parameters, whose order does not matter."""
        config = json.dumps(dict(parameters), sort_keys=True, allow_nan=False)
        return cls(kind=kind, config=config, seed=seed)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters as plain data."""
        return dict(json.loads(self.config))

    def describe(self) -> dict[str, Any]:
        """Return all that the outcome depends on."""
        machine = {"machine": platform.machine(), "node": platform.node()}
        return {
            "kind": self.kind.name,
            "kind_version": self.kind.version,
            "parameters": self.parameters,
            "seed": self.seed,
            "versions": list_computing(with_torch=self.kind.needs_torch),
            **(machine if self.kind.is_timing else {}),
        }

    @property
    def digest(self) -> str:
        """sha256 of the description, in hexadecimal."""
        return digest_of_data(self.describe())


Outcomes = Mapping[Trial, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingTable:
    """Numbers behind the estimates, for tables and figures.

    Attributes
    ----------
    name : str
        Stem of its file.
    columns : tuple of str
    rows : tuple of tuple
        Text, numbers or None.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureGrid:
    """Images to be shown, row by row.

    Attributes
    ----------
    row_names : tuple of str
        What each row shows.
    rows : nested lists of int
        Shape (n_rows, n_images, height, width, channels), from 0 to 255.
    """

    title: str
    row_names: tuple[str, ...]
    rows: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an experiment concludes.

    Attributes
    ----------
    estimates : tuple of Estimate
    notes : tuple of str
        What a reader must know besides.
    pictures : tuple of PictureGrid
    """

    estimates: tuple[Estimate, ...]
    tables: tuple[FindingTable, ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[PictureGrid, ...] = ()

    def by_name(self) -> dict[str, Estimate]:
        """Return the estimates by name."""
        return {estimate.name: estimate for estimate in self.estimates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment that claims name.

    Attributes
    ----------
    defaults : mapping of str to plain data
        Every parameter, with the value it has where a claim gives none.
    statistics : callable
        Called as ``statistics(parameters)``; the names of all estimates that will be found.
    plan : callable
        Called as ``plan(parameters, size, seeds)``; the trials.
    summarise : callable
        Called as ``summarise(parameters, size, seeds, outcomes)``; outcomes holds every trial.
    of_survey : callable or None
        Of an experiment on a survey's own papers: called with them as ``of_survey(material)``,
        it returns the experiment that can be planned. None where no papers are needed.
    """

    name: str
    title: str
    defaults: Parameters
    statistics: Callable[[Parameters], Sequence[str]]
    plan: Callable[[Parameters, Size, Sequence[int]], Sequence[Trial]]
    summarise: Callable[[Parameters, Size, Sequence[int], Outcomes], Findings]
    of_survey: "Callable[[SurveyMaterial], Experiment] | None" = None

    def complete(self, parameters: Parameters) -> dict[str, Any]:
        """Return the parameters with defaults in the place of those not given."""
        return {**self.defaults, **parameters}


@cache
def has_torch() -> bool:
    """Say whether torch is installed, without loading it."""
    return importlib.util.find_spec("torch") is not None


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def list_computing(*, with_torch: bool) -> dict[str, str]:
    """Return the versions of what computes outcomes."""
    names = ["numpy", "scipy", "scikit-learn", *(["torch"] if with_torch else [])]
    return {"survey-tools": __version__, **{name: _version(name) for name in names}}
