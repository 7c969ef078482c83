"""Loss gradient: which patches the loss counts, and whether masked pixels reach a prediction."""

from collections.abc import Sequence

from survey_tools.claims.estimate import Estimate, count_exactly
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

__all__ = ["EXPERIMENT"]

_DEFAULTS = {"size": "tiny32", "mask_ratios": [0.25, 0.75, 0.9], "n_images": 4}
_NAMES = {
    "visible": "greatest gradient of the loss at predictions of visible patches",
    "masked": "least share of predicted masked values with a gradient",
    "own_pixels": "greatest gradient of a masked prediction at masked pixels",
    "swap": "greatest change of a prediction when masked content is swapped",
}


def _statistics(_parameters: Parameters) -> list[str]:
    return list(_NAMES.values())


def _probe(parameters: Parameters, seed: int) -> Outcome:
    """Differentiate the loss of a network with random weights at random images."""
    import torch

    from survey_tools.mae.config import named_config
    from survey_tools.mae.leakage import detect_gradient_leak, detect_swap_leak
    from survey_tools.mae.masking import sample_uniform
    from survey_tools.mae.model import MaskedAutoencoder
    from survey_tools.mae.patches import patchify

    generator = torch.Generator().manual_seed(seed)
    config = named_config(parameters["size"])
    model = MaskedAutoencoder(config, generator=generator).eval()
    shape = (parameters["n_images"], config.n_channels, *config.image_size)
    images = torch.randn(shape, generator=generator)
    mask = sample_uniform(
        len(images), config.n_patches, parameters["mask_ratio"], generator=generator
    )
    found = model(images, mask, loss_on="masked", predict_all=True)
    (gradient,) = torch.autograd.grad(found.loss, found.prediction)
    patches = patchify(images, config.patch_size)  # (batch, n_patches, values)

    def predict(some: torch.Tensor) -> torch.Tensor:
        encoded = model.encoder(some, mask)
        predicted: torch.Tensor = model.decoder(encoded, mask, all_patches=True)
        return predicted

    own = detect_gradient_leak(predict, patches, mask.is_masked, generator=generator)
    swap = detect_swap_leak(predict, patches, mask.is_masked)
    return {
        "visible": float(gradient[~mask.is_masked].abs().max()),
        "masked": float((gradient[mask.is_masked] != 0).float().mean()),
        "own_pixels": own.value,
        "swap": swap.value,
    }


_KIND = TrialKind(name="loss gradient", version=1, run=_probe, needs_torch=True)


def _trials(parameters: Parameters, seed: int) -> list[Trial]:
    kept = {name: value for name, value in parameters.items() if name != "mask_ratios"}
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
    estimates: list[Estimate] = []
    for i, (name, title) in enumerate(_NAMES.items(), start=2):
        values = [float(row[i]) for row in rows]
        # an exact zero, or the extreme over all seeds and ratios: no mean of chance
        extreme = min(values) if name == "masked" else max(values)
        estimates.append(count_exactly(title, extreme))
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
