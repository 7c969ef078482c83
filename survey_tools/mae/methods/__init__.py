"""Five ways to pre-train one encoder, by name; each stands in one small file."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.methods.base import Method, Sampling, StepResult
from survey_tools.mae.methods.latents import LatentMethod
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.methods.maskfeat import MaskFeatMethod
from survey_tools.mae.methods.simmim import SimMimMethod
from survey_tools.mae.methods.tokens import TokenMethod

__all__ = ["METHODS", "Method", "Sampling", "StepResult", "build_method"]

METHODS: Mapping[str, type[Method]] = {
    method.name: method
    for method in (MaeMethod, SimMimMethod, MaskFeatMethod, TokenMethod, LatentMethod)
}


def build_method(
    name: str, config: ModelConfig, *, generator: torch.Generator, **options: Any
) -> Method:
    """Build a method by its name.

    Parameters
    ----------
    name : {"mae", "simmim", "maskfeat", "tokens", "latents"}
    generator : torch.Generator
        Draws the first weights, on the CPU; the encoder's first.
    **options
        Of the method's class. All have ``sampling`` and ``loss_on``.

    Raises
    ------
    ParameterError
        If the method or an option is not known, or its value is not allowed.
    """
    if name not in METHODS:
        raise ParameterError(f"method {name!r} is not known; {nearest(name, list(METHODS))}")
    method = METHODS[name]
    known = [each for each in inspect.signature(method).parameters if each not in _ALWAYS]
    for option in options:
        if option not in known:
            raise ParameterError(f"{option}: no option of {name}; {nearest(option, known)}")
    return method(config, generator=generator, **options)


_ALWAYS = ("config", "generator")
