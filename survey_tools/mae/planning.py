"""From a few wishes to the whole plan of a training: a preset, or an earlier plan, altered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.presets import IMAGENET, PRESETS, find_preset, small_fine_tuning
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.sources import name_data
from survey_tools.mae.training_folder import TrainingFolder, TrainingPlan
from survey_tools.mae.tuning_recipe import TuningRecipe

__all__ = ["Wishes", "plan_training", "plan_tuning"]

_WARMUP_SHARE = 1 / 20  # as 40 epochs of 800, He et al., table 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a user asks for; None leaves it to the preset or the earlier training.

    Attributes
    ----------
    method, data, preset : str or None
    n_steps, batch_size : int or None
    mask_ratio : float or None
    precision : str or None
    seed : int or None
    compiled : bool or None
    fields : mapping of str to Any
        Further fields by "recipe.NAME", "config.NAME" or "method.NAME".
    """

    method: str | None = None
    data: str | None = None
    preset: str | None = None
    n_steps: int | None = None
    batch_size: int | None = None
    mask_ratio: float | None = None
    precision: str | None = None
    seed: int | None = None
    compiled: bool | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def plan_training(wishes: Wishes, *, resumed: Path | None = None) -> TrainingPlan:
    """Build the plan of a training.

    Parameters
    ----------
    resumed : Path, optional
        Folder of a training to go on with, whose plan stands where nothing is wished; what
        differs from it is refused when its checkpoint is read.

    Raises
    ------
    ParameterError
        If a wish is not allowed, naming it.
    DataError
        If the folder of the data or of the training is missing.
    """
    if resumed is not None:
        base = TrainingFolder(path=resumed).read_plan()
        if wishes.preset is not None:
            raise ParameterError("--preset has no meaning with --resume; leave it out")
    else:
        preset = find_preset(wishes.preset or _preset_for(wishes.data or "digits"))
        base = TrainingPlan(method="mae", config=preset.config, recipe=preset.recipe)
    config, recipe, options = base.config.to_dict(), base.recipe.to_dict(), dict(base.options)
    if wishes.n_steps is not None:
        warmup = min(max(round(_WARMUP_SHARE * wishes.n_steps), 1), wishes.n_steps - 1)
        recipe.update(unit="steps", length=wishes.n_steps, warmup=warmup)
    wished = {
        "batch_size": wishes.batch_size,
        "precision": wishes.precision,
        "seed": wishes.seed,
        "compiled": wishes.compiled,
    }
    recipe.update({name: value for name, value in wished.items() if value is not None})
    if wishes.mask_ratio is not None:
        config["mask_ratio"] = wishes.mask_ratio
    _set_fields(wishes.fields, {"recipe": recipe, "config": config, "method": options})
    if wishes.data is not None or resumed is None:
        recipe["data"] = name_data(wishes.data or recipe["data"])
    return TrainingPlan(
        method=wishes.method or base.method,
        config=ModelConfig.from_dict(config),
        recipe=Recipe.from_dict(recipe),
        options=options,
    )


def plan_tuning(
    data: str, *, n_steps: int, seed: int = 0, fields: Mapping[str, Any] | None = None
) -> TuningRecipe:
    """Build the recipe of a fine-tuning.

    Parameters
    ----------
    fields : mapping of str to Any, optional
        Fields that are not the small recipe's, by "recipe.NAME" or "tuning.NAME".

    Raises
    ------
    ParameterError
        If a field is unknown, or its value not allowed.
    """
    small = small_fine_tuning(data, n_steps=n_steps, seed=seed).to_dict()
    _set_fields(fields or {}, {"recipe": small["recipe"], "tuning": small})
    return TuningRecipe.from_dict(small)


def _set_fields(fields: Mapping[str, Any], parts: Mapping[str, dict[str, Any]]) -> None:
    for name, value in fields.items():
        part, dot, key = name.partition(".")
        if not dot or part not in parts:
            *most, last = (f"{known}.NAME" for known in parts)
            raise ParameterError(
                f"{name}: name a field as {', '.join(most)} or {last}, for example recipe.clip_norm"
            )
        parts[part][key] = value


def _preset_for(data: str) -> str:
    return data if data in PRESETS else IMAGENET
