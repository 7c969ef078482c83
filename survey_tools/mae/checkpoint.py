"""Checkpoints: all that a training needs to go on exactly, written whole or not at all."""

import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from survey_tools.errors import DataError, OutputError, SurveyToolsError
from survey_tools.mae.config import ModelConfig, describe_difference
from survey_tools.mae.recipe import Recipe, describe_recipe_difference

__all__ = [
    "DAMAGES",
    "Checkpoint",
    "check_same",
    "has_only_finite",
    "list_differences",
    "read_checkpoint",
    "write_checkpoint",
]

_FORMAT = 2
DAMAGES = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    EOFError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
)
"""What torch's reader raises at files that are cut off, damaged or of other kinds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """The state of a training after a step.

    Generators need no state: they are keyed by seed and step.

    Attributes
    ----------
    method : str
        Name of the way to pre-train.
    options : mapping of str to Any
        The method was built with, as plain data.
    config : ModelConfig
    recipe : Recipe
    images : str
        Digest of what was trained on.
    n_ranks : int
        Processes of the training.
    step : int
        Steps done.
    weights, optimiser : mapping
        State of the method and of the optimiser, tensors on any device.
    """

    method: str
    options: Mapping[str, Any]
    config: ModelConfig
    recipe: Recipe
    images: str
    n_ranks: int
    step: int
    weights: Mapping[str, Any]
    optimiser: Mapping[str, Any]


def has_only_finite(weights: Mapping[str, Any]) -> bool:
    """Say whether no tensor holds NaN or infinity."""
    return all(
        bool(value.isfinite().all())
        for value in weights.values()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    )


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint beside its place and move it there; the old one stays until then.

    Raises
    ------
    OutputError
        If it cannot be written; an older checkpoint is then as it was.
    """
    data = {
        "format": _FORMAT,
        "method": checkpoint.method,
        "options": dict(checkpoint.options),
        "config": checkpoint.config.to_dict(),
        "recipe": checkpoint.recipe.to_dict(),
        "images": checkpoint.images,
        "n_ranks": checkpoint.n_ranks,
        "step": checkpoint.step,
        "weights": dict(checkpoint.weights),
        "optimiser": dict(checkpoint.optimiser),
    }
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(data, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer raises the latter on a full disk
        partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written ({reason})") from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; nothing in the file is run.

    Raises
    ------
    DataError
        If there is no such file, or it is damaged or of another kind.
    """
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DAMAGES as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: is no checkpoint, or damaged ({reason[:80]})") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise DataError(f"{path}: is no checkpoint of this version of survey-tools")
    try:
        return Checkpoint(
            method=data["method"],
            options=data["options"],
            config=ModelConfig.from_dict(data["config"]),
            recipe=Recipe.from_dict(data["recipe"]),
            images=data["images"],
            n_ranks=data["n_ranks"],
            step=data["step"],
            weights=data["weights"],
            optimiser=data["optimiser"],
        )
    except (KeyError, TypeError, SurveyToolsError) as error:
        raise DataError(f"{path}: is no whole checkpoint ({error})") from None


class _Asked(Protocol):
    @property
    def method(self) -> str: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    @property
    def config(self) -> ModelConfig: ...

    @property
    def recipe(self) -> Recipe: ...


def list_differences(a: _Asked, b: _Asked, *further: str) -> list[str]:
    """List the fields in which two trainings differ: method, options, config, recipe and further.

    Returns
    -------
    list of str
        Such as "batch_size: 64 and 32"; empty if there are none.
    """
    differing = [
        f"{name}: {getattr(a, name)!r} and {getattr(b, name)!r}"
        for name in ("method", "options", *further)
        if getattr(a, name) != getattr(b, name)
    ]
    texts = describe_difference(a.config, b.config), describe_recipe_difference(a.recipe, b.recipe)
    return differing + [text for text in texts if text]


def check_same(found: Checkpoint, asked: Checkpoint, *, path: Path) -> None:
    """Refuse to go on from a checkpoint of another training.

    Parameters
    ----------
    found, asked : Checkpoint
        As read from ``path``, and of the training that is to go on.

    Raises
    ------
    DataError
        If method, options, config, recipe, images or processes differ, naming the fields.
    """
    differing = list_differences(found, asked, "n_ranks")
    if found.images != asked.images and not differing:
        raise DataError(
            f"{path}: was trained on other images than there are now under the same name; bring "
            "them back, or train anew in another folder"
        )
    if differing:
        raise DataError(
            f"{path}: is of another training; the checkpoint's and what is asked differ in "
            f"{'; '.join(differing)}. Ask for the same, or train anew in another folder"
        )
