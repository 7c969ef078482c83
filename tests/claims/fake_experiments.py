"""Experiments whose trials are functions that a test chooses."""

from collections.abc import Callable, Sequence
from pathlib import Path

from survey_tools.claims.estimate import estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.file import ClaimFile, parse_claims
from survey_tools.documents import nearest, parse_yaml
from survey_tools.errors import ParameterError

CLAIM = """\
claims:
  - id: grows
    text: It grows.
    where: not located
    experiment: {name: fake, parameters: {slope: 2.0}}
    data: none
    seeds: {quick: 3, full: 5}
    rules:
      - {statistic: value, comparison: above, threshold: 0}
    not_tested: Nothing.
"""


def compute(parameters: Parameters, seed: int) -> Outcome:
    """Return the slope, a little more for each seed; slope -1 fails."""
    if parameters["slope"] == -1.0:
        raise ParameterError("this slope cannot be computed")
    return {"value": parameters["slope"] + 0.1 * seed}


def make_experiment(
    run: Callable[[Parameters, int], Outcome] = compute,
    *,
    needs_torch: bool = False,
    version: int = 1,
    is_timing: bool = False,
) -> Experiment:
    """Make an experiment of one number a seed."""
    kind = TrialKind(
        name="fake", version=version, run=run, needs_torch=needs_torch, is_timing=is_timing
    )

    def plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
        return [
            Trial.of(kind, {"slope": parameters["slope"], "size": size}, seed) for seed in seeds
        ]

    def summarise(
        parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
    ) -> Findings:
        values = [outcomes[trial]["value"] for trial in plan(parameters, size, seeds)]
        table = FindingTable(
            name="values",
            title="Values",
            columns=("seed", "value"),
            rows=tuple(zip(seeds, values, strict=True)),
        )
        return Findings(estimates=(estimate_mean("value", values),), tables=(table,))

    return Experiment(
        name="fake",
        title="a fake",
        defaults={"slope": 1.0, "words": ["a"], "is_on": True},
        statistics=lambda _parameters: ["value"],
        plan=plan,
        summarise=summarise,
    )


def find_fake(name: str, experiment: Experiment | None = None) -> Experiment:
    """Return the fake, as the registry returns experiments."""
    if name != "fake":
        raise ParameterError(f"no experiment {name!r}; {nearest(name, ['fake'])}")
    return experiment or make_experiment()


def read(text: str = CLAIM) -> ClaimFile:
    """Parse claims against the fake."""
    return parse_claims(parse_yaml(text.encode(), source="claims.yaml"), find=find_fake)


def write_survey(folder: Path, text: str = CLAIM) -> Path:
    """Write a folder that holds nothing but claims."""
    folder.mkdir()
    (folder / "claims.yaml").write_text(text, encoding="utf-8")
    return folder
