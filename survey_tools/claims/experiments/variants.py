"""Variants: encoders to compare, each written as a method with its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError

__all__ = ["METHODS", "RANDOM", "RAW", "WORDS", "Variant", "parse_variant"]

RAW, RANDOM = "raw", "random"  # pixels themselves; an encoder that was not trained
METHODS = ("mae", "simmim", "maskfeat", "tokens", "latents")
_OPTIONS: dict[str, type] = {
    "mask_ratio": float,
    "decoder_depth": int,
    "norm_pix": bool,
    "sampling": str,
    "loss_on": str,
    "target": str,
    "encoder_sees": str,
    "step_share": float,
}
_OF_CONFIG = ("mask_ratio", "decoder_depth", "norm_pix")
_OF_MAE = ("target", "encoder_sees", "decoder_depth")  # the others have no decoder, one target
WORDS: Mapping[str, tuple[str, ...]] = {
    "sampling": ("uniform", "block", "grid"),
    "loss_on": ("masked", "visible", "all"),
    "target": ("pixels", "hog", "features"),
    "encoder_sees": ("visible", "all"),
}
"""Options that are words, each with those that are allowed."""
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How one of several encoders is made.

    Attributes
    ----------
    name : str
        As it is written in a claim.
    method : str
        "raw", "random" or a method of pre-training.
    config : dict
        Fields of the model that differ from the preset.
    options : dict
        Options of the method.
    step_share : float
        Of the steps that other variants are trained for.
    """

    name: str
    method: str
    config: dict[str, Any]
    options: dict[str, Any]
    step_share: float


def parse_variant(text: str) -> Variant:
    """Read a variant such as ``mae mask_ratio=0.5 loss_on=all``.

    Raises
    ------
    ParameterError
        If the method or an option is unknown, or a value is of the wrong kind.
    """
    method, *assignments = text.split() or [""]
    if method not in (RAW, RANDOM, *METHODS):
        raise ParameterError(
            f"variant {text!r}: {nearest(method, [RAW, RANDOM, *METHODS])} (raw and random are not "
            "trained)"
        )
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if name not in _OPTIONS or not equals:
            raise ParameterError(
                f"variant {text!r}: {assignment!r} is no option; {nearest(name, list(_OPTIONS))}"
            )
        if name in values:
            raise ParameterError(f"variant {text!r}: {name} stands twice")
        if name in _OF_MAE and method not in ("mae", RAW, RANDOM):
            raise ParameterError(f"variant {text!r}: {name} is an option of mae alone")
        values[name] = _parse_value(text, name, value)
    if values and method in (RAW, RANDOM):
        raise ParameterError(f"variant {text!r}: {method} is not trained and has no options")
    step_share = values.pop("step_share", 1.0)
    if not 0.0 < step_share <= 1.0:
        raise ParameterError(f"variant {text!r}: step_share must be above 0 and at most 1")
    return Variant(
        name=text,
        method=method,
        config={name: value for name, value in values.items() if name in _OF_CONFIG},
        options={name: value for name, value in values.items() if name not in _OF_CONFIG},
        step_share=step_share,
    )


def _parse_value(text: str, name: str, value: str) -> Any:
    kind = _OPTIONS[name]
    try:
        parsed = _TRUTH[value] if kind is bool else kind(value)
    except (ValueError, KeyError):
        wanted = {float: "a number", int: "a whole number", bool: "true or false"}[kind]
        raise ParameterError(f"variant {text!r}: {name} is {value!r}; {wanted} is wanted") from None
    if name in WORDS and parsed not in WORDS[name]:
        allowed = ", ".join(WORDS[name])
        raise ParameterError(f"variant {text!r}: {name} is {value!r}; one of {allowed} is wanted")
    return parsed
