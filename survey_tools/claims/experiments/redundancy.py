"""Redundancy: how well a masked patch can be told from the visible ones around it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
from survey_tools.claims.experiments.checks import check_ratios
from survey_tools.errors import ParameterError
from survey_tools.mae.counts import count_kept
from survey_tools.mae.shapes import ShapeWorld, draw_shapes

__all__ = ["EXPERIMENT", "predict_from_neighbours"]

_DEFAULTS = {
    "mask_ratios": [0.1, 0.25, 0.5, 0.75, 0.9],
    "lengths_px": [0.0, 2.0, 8.0],
    "patch_px": 4,
}
_N_IMAGES = {"quick": 600, "full": 3000}
_N_COMPONENTS = 12  # of a neighbour's content that a prediction may use
_RIDGE = 1e-3  # of the mean variance of the inputs; only keeps the equations solvable
_SIDE_PX = ShapeWorld().side


def _statistics(parameters: Parameters) -> list[str]:
    ratios, lengths = sorted(parameters["mask_ratios"]), sorted(parameters["lengths_px"])
    check_ratios(ratios, n_least=2)
    if len(set(lengths)) < max(2, len(lengths)):
        raise ParameterError(f"lengths_px={lengths}: 2 or more are wanted, none of them twice")
    for length in lengths:
        ShapeWorld(background_px=length)  # is refused if there are no such images
    patch_px = parameters["patch_px"]
    if patch_px < 1 or _SIDE_PX % patch_px or patch_px == _SIDE_PX:
        raise ParameterError(f"patch_px={patch_px}: a divisor of {_SIDE_PX} below it is wanted")
    names = [_name(ratio, length) for length in lengths for ratio in ratios]
    names += [f"rise of the error with the ratio, length {length:g}" for length in lengths]
    return [*names, "rise of the error, greatest less least length"]


def _name(ratio: float, length: float) -> str:
    return f"relative error at ratio {ratio:g}, length {length:g}"


def _measure(parameters: Parameters, seed: int) -> Outcome:
    """Measure the relative error on images of one correlation length at every ratio."""
    world = ShapeWorld(background_px=parameters["length_px"])
    drawn = {
        split: _cut(
            draw_shapes(parameters["n_images"], seed=seed, split=split, world=world).images,
            parameters["patch_px"],
        )
        for split in ("train", "test")
    }
    errors = {
        f"{ratio:g}": predict_from_neighbours(
            drawn["train"],
            drawn["test"],
            ratio,
            rng=np.random.default_rng([seed, i]),
            n_components=parameters["n_components"],
            ridge=parameters["ridge"],
        )
        for i, ratio in enumerate(sorted(parameters["mask_ratios"]))
    }
    return {"errors": errors}


def _cut(images: NDArray[np.float32], patch_px: int) -> NDArray[np.float64]:
    n, channels, height, width = images.shape
    rows, columns = height // patch_px, width // patch_px
    cut = images.reshape(n, channels, rows, patch_px, columns, patch_px)
    cut = cut.transpose(0, 2, 4, 3, 5, 1)  # (n, rows, columns, p, q, channels)
    return cut.reshape(n, rows, columns, -1).astype(np.float64)  # (n, rows, columns, values)


def predict_from_neighbours(
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    mask_ratio: float,
    *,
    rng: np.random.Generator,
    n_components: int = _N_COMPONENTS,
    ridge: float = _RIDGE,
) -> float:
    """Return the error of one linear prediction of masked patches from visible neighbours.

    Masks are uniform. Of the eight patches around a masked one those that are masked too, or
    beyond the border, count as the mean patch and are said to be missing; one matrix serves
    whatever is missing, and is the best of that form. Less can be told from neighbours at a
    high ratio for two reasons, both measured: fewer are visible, and none may be.

    Parameters
    ----------
    train, test : ndarray of float64, shape (n_images, rows, columns, values)
    n_components : int
        Principal components of a neighbour's content that the prediction uses.
    ridge : float
        Weight of the penalty, of the mean variance of the inputs.

    Returns
    -------
    float
        Mean squared error over masked patches of the test images, as a share of the error of
        always predicting the mean patch: 0 is told wholly, 1 not at all.
    """
    mean = train.mean(axis=(0, 1, 2))
    centred = (train - mean).reshape(-1, train.shape[3])
    basis = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :n_components]
    x, y = _gather(train - mean, basis, mask_ratio, rng)
    inner = x.T @ x
    strength = ridge * float(np.trace(inner)) / len(inner)
    weights = np.linalg.solve(inner + strength * np.eye(len(inner)), x.T @ y)
    x_test, y_test = _gather(test - mean, basis, mask_ratio, rng)
    return float(((y_test - x_test @ weights) ** 2).mean() / (y_test**2).mean())


def _gather(
    patches: NDArray[np.float64],
    basis: NDArray[np.float64],
    mask_ratio: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is seen around every masked patch, and the patch itself."""
    n, rows, columns, values = patches.shape
    n_kept = count_kept(rows * columns, mask_ratio)
    order = rng.random((n, rows * columns)).argsort(axis=1).argsort(axis=1)
    is_seen = (order < n_kept).reshape(n, rows, columns, 1)
    content = np.concatenate([patches @ basis * is_seen, is_seen], axis=3)
    padded = np.pad(content, ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = [
        padded[:, 1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if dy or dx
    ]
    is_masked = ~is_seen.reshape(-1)
    x = np.concatenate([*around, np.ones((n, rows, columns, 1))], axis=3)
    return x.reshape(n * rows * columns, -1)[is_masked], patches.reshape(-1, values)[is_masked]


_KIND = TrialKind(name="redundancy", version=2, run=_measure, needs_torch=False)


def _trial(parameters: Parameters, size: Size, length: float, seed: int) -> Trial:
    chosen = {
        "mask_ratios": sorted(parameters["mask_ratios"]),
        "length_px": float(length),
        "patch_px": parameters["patch_px"],
        "n_images": _N_IMAGES[size],
        "n_components": _N_COMPONENTS,
        "ridge": _RIDGE,
    }
    return Trial.of(_KIND, chosen, seed)


def _plan(parameters: Parameters, size: Size, seeds: Sequence[int]) -> list[Trial]:
    lengths = sorted(parameters["lengths_px"])
    return [_trial(parameters, size, length, seed) for seed in seeds for length in lengths]


def _summarise(
    parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
) -> Findings:
    ratios, lengths = sorted(parameters["mask_ratios"]), sorted(parameters["lengths_px"])
    errors = {
        length: [outcomes[_trial(parameters, size, length, seed)]["errors"] for seed in seeds]
        for length in lengths
    }
    estimates, rows = [], []
    rises = {}
    for length in lengths:
        for ratio in ratios:
            found = estimate_mean(_name(ratio, length), [e[f"{ratio:g}"] for e in errors[length]])
            estimates.append(found)
            rows.append((length, ratio, found.value, found.low, found.high))
        first, last = f"{ratios[0]:g}", f"{ratios[-1]:g}"
        rises[length] = [e[last] - e[first] for e in errors[length]]
        name = f"rise of the error with the ratio, length {length:g}"
        estimates.append(estimate_mean(name, rises[length]))
    pairs = zip(rises[lengths[-1]], rises[lengths[0]], strict=True)
    estimates.append(
        estimate_mean("rise of the error, greatest less least length", (a - b for a, b in pairs))
    )
    table = FindingTable(
        name="redundancy",
        title="Relative error of masked patches told from the visible ones around them",
        columns=("correlation_length_px", "mask_ratio", "relative_error", "low", "high"),
        rows=tuple(rows),
    )
    return Findings(estimates=tuple(estimates), tables=(table,))


EXPERIMENT = Experiment(
    name="redundancy",
    title="linear prediction of masked patches from visible neighbours",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=_plan,
    summarise=_summarise,
)
