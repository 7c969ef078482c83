"""Failures: planted ones that detectors must find, and healthy runs that they must leave alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from survey_tools.claims.estimate import estimate_share
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
from survey_tools.claims.experiments.pretraining import open_images, train_encoder
from survey_tools.errors import ParameterError

if TYPE_CHECKING:
    from survey_tools.mae.encoder import Encoder
    from survey_tools.mae.image_set import ImageSet

__all__ = ["EXPERIMENT"]

_SIGNATURES = ("collapse", "leakage", "instability")
_DEFAULTS: dict[str, Any] = {"rate_factor": 100.0}
_STEPS = {"quick": 150, "full": 400}
_BATCH, _RATE = 64, 2e-3
_SPIKE = 5.0  # times the loss around it
_N_LEAK = 8  # images of the test for leakage


def _statistics(_parameters: Parameters) -> list[str]:
    kinds = ("planted runs found", "healthy runs flagged")
    return [f"share of {kind}, {signature}" for signature in _SIGNATURES for kind in kinds]


def _run(parameters: Parameters, seed: int) -> Outcome:
    """Train a healthy run and one at a ruinous rate; plant a leak and a spike."""
    from survey_tools.mae.collapse import detect_collapse, effective_rank
    from survey_tools.mae.detectors import any_failure
    from survey_tools.mae.features import extract_features
    from survey_tools.mae.instability import detect_instability

    plan = {
        "data": "digits",
        "config": {},
        "options": {},
        "n_steps": parameters["n_steps"],
        "batch_size": _BATCH,
        "peak_rate": _RATE,
    }
    train, test = open_images(plan, seed)
    random, _ = train_encoder({**plan, "method": "random"}, train, seed)
    baseline = extract_features(random, test.images)
    healthy, history = train_encoder({**plan, "method": "mae"}, train, seed)
    features = extract_features(healthy, test.images)
    ranks = {"random": effective_rank(baseline), "healthy": effective_rank(features)}
    found = {"healthy collapse": any_failure(detect_collapse(features, baseline=baseline))}
    try:
        ruined, _ = train_encoder(
            {**plan, "method": "mae"}, train, seed, rate_factor=parameters["rate_factor"]
        )
        ruined_features = extract_features(ruined, test.images)
        ranks["planted"] = effective_rank(ruined_features)
        found["planted collapse"] = any_failure(detect_collapse(ruined_features, baseline=baseline))
    except ParameterError:  # it diverged: no features are left to be looked at
        found["planted collapse"] = True
    losses = np.array([row.loss for row in history])
    norms = np.array([row.gradient_norm for row in history])
    found["healthy instability"] = any_failure(detect_instability(losses, norms))
    spiked = losses.copy()
    spiked[np.random.default_rng([seed, 1]).integers(len(losses) // 2, len(losses))] *= _SPIKE
    found["planted instability"] = any_failure(detect_instability(spiked, norms))
    found |= _test_leaks(healthy, test, seed)
    return {"found": found, "ranks": ranks, "losses": losses.tolist()}


def _test_leaks(encoder: "Encoder", test: "ImageSet", seed: int) -> dict[str, bool]:
    """Look for leaks without one, and with a tenth of the true pixels in every prediction."""
    import torch

    from survey_tools.mae.chance import keyed_generator
    from survey_tools.mae.decoder import Decoder
    from survey_tools.mae.leakage import detect_gradient_leak, detect_swap_leak
    from survey_tools.mae.masking import sample_uniform
    from survey_tools.mae.patches import patchify

    generator = keyed_generator(seed, 1)
    config = encoder.config
    decoder = Decoder(config, generator=generator)
    images: NDArray[np.float32] = test.images[:_N_LEAK]
    patches = patchify(torch.from_numpy(images), config.patch_size)
    mask = sample_uniform(len(images), config.n_patches, config.mask_ratio, generator=generator)

    def predict(some: "torch.Tensor") -> "torch.Tensor":
        predicted: torch.Tensor = decoder(encoder(some, mask), mask, all_patches=True)
        return predicted

    def predict_with_leak(some: "torch.Tensor") -> "torch.Tensor":
        return predict(some) + 0.1 * some

    found = {}
    for kind, network in (("healthy", predict), ("planted", predict_with_leak)):
        both = (
            detect_gradient_leak(network, patches, mask.is_masked, generator=generator),
            detect_swap_leak(network, patches, mask.is_masked),
        )
        found[f"{kind} leakage"] = any(detection.is_failure for detection in both)
    return found


_KIND = TrialKind(name="failures", version=1, run=_run, needs_torch=True)


def _trial(parameters: Parameters, size: Size, seed: int) -> Trial:
    return Trial.of(_KIND, {**parameters, "n_steps": _STEPS[size]}, seed)


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    return [_trial(parameters, size, seed) for seed in seeds]


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    found = [outcomes[_trial(parameters, size, seed)] for seed in seeds]
    estimates, rows = [], []
    for signature in _SIGNATURES:
        for kind, words in (("planted", "planted runs found"), ("healthy", "healthy runs flagged")):
            flags = [bool(one["found"][f"{kind} {signature}"]) for one in found]
            estimates.append(estimate_share(f"share of {words}, {signature}", flags))
            rows.append((signature, kind, sum(flags), len(flags)))
    tables = (
        FindingTable(
            name="detectors",
            title="Runs that the detectors flag",
            columns=("signature", "runs", "n_flagged", "n_runs"),
            rows=tuple(rows),
        ),
        FindingTable(
            name="ranks",
            title="Effective rank of features of test images",
            columns=("seed", "random", "healthy", "planted"),
            rows=tuple(
                (seed, *(one["ranks"].get(kind) for kind in ("random", "healthy", "planted")))
                for seed, one in zip(seeds, found, strict=True)
            ),
        ),
    )
    return Findings(estimates=tuple(estimates), tables=tables)


EXPERIMENT = Experiment(
    name="failures",
    title="planted failures and healthy runs under the detectors",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
