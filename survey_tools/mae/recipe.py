"""The frozen record of how a network is trained: what must be known to draw the same losses."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError, count

__all__ = [
    "LengthUnit",
    "Optimiser",
    "Precision",
    "Recipe",
    "describe_recipe_difference",
    "is_number",
]

LengthUnit = Literal["steps", "epochs"]
Optimiser = Literal["adamw", "lars"]
Precision = Literal["fp32", "bf16"]

_REFERENCE_BATCH = 256  # Goyal et al., arXiv:1706.02677: the rate grows with the batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A training recipe; the defaults are those of the paper's pre-training.

    Attributes
    ----------
    data : str
        "digits", "shapes", "imagenet-1k", or the path of a folder of classes.
    unit : {"epochs", "steps"}
        What ``length`` and ``warmup`` count.
    length, warmup : int
        Of the whole training, and of its first part, in which the rate rises to its peak.
    batch_size : int
        Images an optimiser step, on all processes together.
    micro_batch : int or None
        Most images that go through the network at once on a process, where a batch is larger
        than the memory; their gradients are summed. Part of the recipe since a method may draw
        its masks otherwise for two halves of a batch.
    base_rate : float
        Learning rate for 256 images a batch; the peak rate is ``base_rate * batch_size / 256``.
    least_rate : float
        Where the cosine ends.
    optimiser : {"adamw", "lars"}
    betas : tuple of float
        Decay of the running mean and of the running square of gradients; LARS has the first
        alone, as its momentum.
    weight_decay : float
        Of weights; biases, norms, tokens and positions have none.
    clip_norm : float or None
        Greatest norm of the gradient; None does not clip, as in the paper.
    precision : {"fp32", "bf16"}
        bf16 is autocast: weights and optimiser stay in single precision.
    compiled : bool
        Whether the blocks are compiled by ``torch.compile``.
    seed : int
        Of first weights, order of images, crops and masks; 0 or more.

    Raises
    ------
    ParameterError
        If a value is not allowed.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, table 8.
    """

    data: str
    unit: LengthUnit = "epochs"
    length: int = 800
    warmup: int = 40
    batch_size: int = 4096
    micro_batch: int | None = None
    base_rate: float = 1.5e-4
    least_rate: float = 0.0
    optimiser: Optimiser = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.05
    clip_norm: float | None = None
    precision: Precision = "fp32"
    compiled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_value(field.name, getattr(self, field.name))
        if self.warmup >= self.length:
            raise ParameterError(
                f"warmup={self.warmup} of {count(self.length, self.unit[:-1])} leaves none after "
                "it; take a shorter warm-up or a longer training"
            )
        if self.least_rate > self.peak_rate:
            raise ParameterError(
                f"least_rate={self.least_rate:g} is above the peak rate {self.peak_rate:g} "
                "(base_rate * batch_size / 256); take a smaller one"
            )

    @property
    def peak_rate(self) -> float:
        """Learning rate at the end of the warm-up."""
        return self.base_rate * self.batch_size / _REFERENCE_BATCH

    def count_steps(self, steps_per_epoch: int) -> tuple[int, int]:
        """Count the optimiser steps of the training and of its warm-up."""
        factor = 1 if self.unit == "steps" else steps_per_epoch
        return self.length * factor, self.warmup * factor

    @property
    def digest(self) -> str:
        """The sha256 of the recipe: equal for equal recipes, in any version of Python."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data that JSON and YAML can hold."""
        return {**dataclasses.asdict(self), "betas": list(self.betas)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Recipe":
        """Build the recipe that ``to_dict`` wrote.

        Raises
        ------
        ParameterError
            If a field is unknown or its value is not allowed, or ``data`` is missing; other
            fields left out take their default.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise ParameterError(f"{name}: no field of a recipe; {nearest(name, known)}")
        if "data" not in data:
            raise ParameterError("a recipe without data: name digits, shapes or a folder")
        betas = data.get("betas")
        return cls(**{**data, **({"betas": tuple(betas)} if isinstance(betas, list) else {})})


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "unit": get_args(LengthUnit),
    "optimiser": get_args(Optimiser),
    "precision": get_args(Precision),
}
_LEAST: Mapping[str, int] = {"length": 1, "warmup": 0, "batch_size": 1, "seed": 0, "micro_batch": 1}


def _check_value(name: str, value: object) -> None:
    """Refuse what a field cannot hold: True is no number, 4.0 no count."""
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            allowed = ", ".join(_CHOICES[name])
            raise ParameterError(f"{name}={value!r}: one of {allowed} is wanted")
    elif name in _LEAST:
        if name == "micro_batch" and value is None:
            return
        if type(value) is not int or value < _LEAST[name]:
            raise ParameterError(
                f"{name}={value!r}: a whole number of at least {_LEAST[name]} is wanted"
            )
    elif name == "data":
        if not isinstance(value, str) or not value:
            raise ParameterError(f"data={value!r}: digits, shapes or a folder is wanted")
    elif name == "compiled":
        if type(value) is not bool:
            raise ParameterError(f"compiled={value!r}: true or false is wanted")
    elif name == "betas":
        is_pair = isinstance(value, tuple) and len(value) == 2
        if not is_pair or not all(is_number(beta) and 0 <= beta < 1 for beta in value):  # type: ignore[attr-defined]
            raise ParameterError(f"betas={value!r}: two numbers of 0 or more, below 1, are wanted")
    elif name == "clip_norm" and value is None:
        return
    elif not is_number(value) or value < 0 or (name in ("base_rate", "clip_norm") and value == 0):  # type: ignore[operator]
        above = "above 0" if name in ("base_rate", "clip_norm") else "of 0 or more"
        raise ParameterError(f"{name}={value!r}: a finite number {above} is wanted")


def is_number(value: object) -> bool:
    """Say whether a value is a finite int or float; True is none."""
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def describe_recipe_difference(a: Recipe, b: Recipe) -> str | None:
    """Say in which fields two recipes differ, ``batch_size: 64 and 32``; None if in none."""
    differing = [
        f"{field.name}: {getattr(a, field.name)!r} and {getattr(b, field.name)!r}"
        for field in dataclasses.fields(Recipe)
        if getattr(a, field.name) != getattr(b, field.name)
    ]
    return "; ".join(differing) or None
