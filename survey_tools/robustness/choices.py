"""Outcomes of other settings -> which choice the agreement depends on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from survey_tools.robustness.influence import measure_influence
from survey_tools.robustness.influence_record import Influence
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.plan import Design
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import FACTORS

__all__ = ["RESPONSES", "InfluenceOfDesign", "measure_influences"]

RESPONSES = {
    "ARI": "the adjusted Rand index with the survey's clusters",
    "element-centric": "the element-centric similarity to the survey's clusters",
}
_ALGORITHM = "algorithm and metric"
_SEED = 3  # apart from the resamples' keys and the design's


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluenceOfDesign:
    """Which choices matter for one response, from the runs of one design."""

    design: str
    response: str
    influence: Influence


def measure_influences(
    designs: Sequence[Design], outcomes: Mapping[str, Outcome], *, seed: int
) -> tuple[InfluenceOfDesign, ...]:
    """Split the variance of every response over the choices of every design.

    Algorithm and metric are one factor, since not every algorithm has every metric. A run that
    serves several combinations, because levels are idle in it, stands for each of them.

    Parameters
    ----------
    outcomes : mapping of run id to Outcome
        Of all settings; failed ones are left out.
    """
    found = []
    for design in designs:
        table: list[list[str]] = []
        values: dict[str, list[float]] = {response: [] for response in RESPONSES}
        names = [name for name in FACTORS if name not in ("algorithm", "metric")]
        for cell, levels in zip(design.cells, design.levels, strict=True):
            outcome = outcomes[Run(setting=cell).run_id]
            measured = [outcome.agreement.get(response) for response in RESPONSES]
            known = [value for value in measured if value is not None]
            if len(known) < len(RESPONSES):  # failed, or without an index
                continue
            pair = f"{levels['algorithm']}, {levels['metric']}"
            table.append([*(str(levels.get(name, "")) for name in names), pair])
            for response, value in zip(RESPONSES, known, strict=True):
                values[response].append(value)
        if not table:
            continue
        columns = np.array(table, dtype=np.str_)
        varied = [i for i in range(columns.shape[1]) if len(np.unique(columns[:, i])) > 1]
        all_names = [*names, _ALGORITHM]
        if not varied:
            continue
        for i, (response, title) in enumerate(RESPONSES.items()):
            influence = measure_influence(
                columns[:, varied],
                values[response],
                factor_names=[all_names[j] for j in varied],
                rng=np.random.default_rng([seed, _SEED, i]),
                response_name=title,
            )
            found.append(
                InfluenceOfDesign(design=design.name, response=response, influence=influence)
            )
    return tuple(found)
