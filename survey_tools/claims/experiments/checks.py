"""Checks of an experiment's parameters, made when claims are read and before anything runs."""

from collections.abc import Sequence
from dataclasses import replace

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig, named_config

__all__ = ["check_at_least", "check_ratios"]


def check_at_least(name: str, value: float, least: float) -> None:
    """Refuse a number that is too small.

    Raises
    ------
    ParameterError
        If it is.
    """
    if value < least:
        raise ParameterError(f"{name}={value}: {least:g} or more is wanted")


def check_ratios(
    ratios: Sequence[float], *, n_least: int = 1, config: ModelConfig | None = None
) -> None:
    """Refuse mask ratios that a model cannot have, too few of them, or one that stands twice.

    Parameters
    ----------
    config : ModelConfig, optional
        That they are tried on: tiny32 if not given.

    Raises
    ------
    ParameterError
        If there is one.
    """
    if len(set(ratios)) < max(n_least, len(ratios)):
        raise ParameterError(
            f"mask_ratios={list(ratios)}: {n_least} or more are wanted, none of them twice"
        )
    for ratio in ratios:
        replace(config or named_config("tiny32"), mask_ratio=ratio)
