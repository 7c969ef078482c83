"""Loss gradient: which patches the loss counts, and whether masked pixels reach a prediction."""

from collections.abc import Sequence

from survey_tools.claims.estimate import take_extreme
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
from survey_tools.claims.experiments.checks import check_at_least, check_ratios
from survey_tools.mae.config import ModelConfig, named_config

__all__ = ["EXPERIMENT"]

_DEFAULTS = {"size": "tiny32", "mask_ratios": [0.25, 0.75, 0.9], "n_images": 4}
_NAMES = {
    "visible": "greatest gradient of the loss at predictions of visible patches",
    "masked": "least share of predicted masked values with a gradient",
    "own_pixels": "greatest gradient of a masked prediction at masked pixels",
    "swap": "greatest change of a prediction when masked content is swapped",
}


def _statistics(parameters: Parameters) -> list[str]:
    check_ratios(parameters["mask_ratios"], config=named_config(parameters["size"]))
    check_at_least("n_images", parameters["n_images"], 2)
    return list(_NAMES.values())


def _probe(parameters: Parameters, seed: int) -> Outcome:
    """Differentiate the loss of a network with random weights at random images."""
    from survey_tools.mae.loss_gradients import measure_loss_gradients

    found = measure_loss_gradients(
        ModelConfig.from_dict(parameters["model"]),
        parameters["mask_ratio"],
        n_images=parameters["n_images"],
        seed=seed,
    )
    return {name: getattr(found, name) for name in _NAMES}


_KIND = TrialKind(name="loss gradient", version=2, run=_probe, needs_torch=True)


def _trials(parameters: Parameters, seed: int) -> list[Trial]:
    kept = {
        "model": named_config(parameters["size"]).to_dict(),
        "n_images": parameters["n_images"],
    }
    return [
        Trial.of(_KIND, {**kept, "mask_ratio": ratio}, seed) for ratio in parameters["mask_ratios"]
    ]


def _plan(parameters: Parameters, _size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [trial for seed in seeds for trial in _trials(parameters, seed)]


def _summarise(
    parameters: Parameters, _size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    rows = [
        (seed, trial.parameters["mask_ratio"], *(outcomes[trial][name] for name in _NAMES))
        for seed in seeds
        for trial in _trials(parameters, seed)
    ]
    estimates = []
    for i, (name, title) in enumerate(_NAMES.items(), start=2):
        values = [float(row[i]) for row in rows]
        extreme = min(values) if name == "masked" else max(values)
        estimates.append(take_extreme(title, extreme, n=len(values)))
    table = FindingTable(
        name="gradients",
        title="Gradients by seed and mask ratio",
        columns=("seed", "mask_ratio", *_NAMES),
        rows=tuple(rows),
    )
    return Findings(estimates=tuple(estimates), tables=(table,))


EXPERIMENT = Experiment(
    name="loss gradient",
    title="gradients of the loss and of predictions, which must be exactly 0 where nothing counts",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
