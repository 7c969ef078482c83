"""Recipes and presets: what they refuse, that they round-trip, and what the paper's hold."""

import dataclasses
import json
from typing import Any

import pytest

from survey_tools.errors import ParameterError
from survey_tools.mae.config import named_config
from survey_tools.mae.presets import (
    PRESETS,
    find_preset,
    small_fine_tuning,
)
from survey_tools.mae.recipe import Recipe, describe_recipe_difference
from survey_tools.mae.tuning_recipe import TuningRecipe


def test_imagenet_preset_is_table_8() -> None:
    """He et al., table 8, with the peak rate that its base rate means."""
    preset = find_preset("imagenet-1k")
    recipe = preset.recipe
    assert preset.config == named_config("base")
    assert (recipe.optimiser, recipe.betas, recipe.weight_decay) == ("adamw", (0.9, 0.95), 0.05)
    assert (recipe.batch_size, recipe.base_rate, recipe.clip_norm) == (4096, 1.5e-4, None)
    assert (recipe.unit, recipe.length, recipe.warmup) == ("epochs", 800, 40)
    assert recipe.peak_rate == pytest.approx(2.4e-3)
    assert recipe.count_steps(312) == (249_600, 12_480)


@pytest.mark.parametrize("name", PRESETS)
def test_recipes_round_trip_through_json(name: str) -> None:
    """A recipe is data."""
    recipe = dataclasses.replace(PRESETS[name].recipe, clip_norm=1.0, micro_batch=8, betas=(0, 0.5))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    "tuning",
    [
        TuningRecipe(
            recipe=Recipe(data="digits", betas=(0.9, 0.999)), drop_path=0.1, mixup=0.8, cutmix=1.0
        ),
        TuningRecipe(recipe=Recipe(data="digits", optimiser="lars"), trained="head", pooling="cls"),
        small_fine_tuning("digits", n_steps=9, seed=1),
    ],
)
def test_tuning_recipes_round_trip_through_json(tuning: TuningRecipe) -> None:
    """The recipe inside too."""
    assert TuningRecipe.from_dict(json.loads(json.dumps(tuning.to_dict()))) == tuning


def test_digest_follows_every_field() -> None:
    """Equal recipes have one digest; any field changes it."""
    recipe = Recipe(data="digits")
    changed: dict[str, Any] = {
        "data": "shapes", "unit": "steps", "length": 801, "warmup": 41, "batch_size": 8,
        "micro_batch": 2, "base_rate": 1e-3, "least_rate": 1e-6, "optimiser": "lars",
        "betas": (0.9, 0.9), "weight_decay": 0.1, "clip_norm": 1.0, "precision": "bf16",
        "compiled": True, "seed": 1,
    }  # fmt: skip
    assert set(changed) == {field.name for field in dataclasses.fields(Recipe)}
    assert Recipe(data="digits").digest == recipe.digest
    digests = {dataclasses.replace(recipe, **{k: v}).digest for k, v in changed.items()}
    assert len(digests | {recipe.digest}) == len(changed) + 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"batch_size": 4.0}, "batch_size=4.0: a whole number of at least 1 is wanted"),
        ({"seed": True}, "seed=True: a whole number of at least 0"),
        ({"base_rate": 0.0}, "base_rate=0.0: a finite number above 0"),
        ({"weight_decay": float("nan")}, "weight_decay=nan: a finite number of 0 or more"),
        ({"clip_norm": 0}, "clip_norm=0: a finite number above 0"),
        ({"micro_batch": 0}, "micro_batch=0: a whole number of at least 1"),
        ({"betas": (0.9, 1.0)}, "two numbers of 0 or more, below 1"),
        ({"unit": "days"}, "unit='days': one of steps, epochs is wanted"),
        ({"precision": "fp16"}, "precision='fp16': one of fp32, bf16 is wanted"),
        ({"compiled": 1}, "compiled=1: true or false is wanted"),
        ({"data": ""}, "data='': digits, shapes or a folder is wanted"),
        ({"length": 40}, "warmup=40 of 40 epochs leaves none after it"),
        ({"least_rate": 1.0}, "least_rate=1 is above the peak rate 0.0024"),
    ],
)
def test_recipe_refuses_what_has_no_meaning(changes: dict[str, Any], text: str) -> None:
    """Field, value and what is allowed."""
    with pytest.raises(ParameterError, match=text.replace("(", r"\(")):
        Recipe(**{"data": "digits", **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"layer_decay": 0.0}, "layer_decay=0: above 0 and at most 1 is wanted"),
        ({"drop_path": 1.0}, "drop_path=1: below 1 is wanted"),
        ({"mixup": -1}, "mixup=-1: a finite number of 0 or more"),
        ({"pooling": "max"}, "pooling='max': one of mean, cls is wanted"),
        ({"trained": "head", "layer_decay": 0.5}, "have no meaning: leave them out"),
    ],
)
def test_tuning_recipe_refuses_what_has_no_meaning(changes: dict[str, Any], text: str) -> None:
    """A frozen encoder has no layers to slow down."""
    with pytest.raises(ParameterError, match=text):
        TuningRecipe(recipe=Recipe(data="digits"), **changes)


def test_unknown_names_are_answered_by_the_nearest() -> None:
    """Fields, presets and sizes."""
    with pytest.raises(ParameterError, match="no field of a recipe; did you mean 'batch_size'"):
        Recipe.from_dict({"data": "digits", "batchsize": 4})
    with pytest.raises(ParameterError, match="a recipe without data"):
        Recipe.from_dict({})
    with pytest.raises(ParameterError, match="did you mean 'digits'"):
        find_preset("digit")


def test_difference_of_recipes_names_the_fields() -> None:
    """Both values, in the order of the fields."""
    first = Recipe(data="digits")
    second = dataclasses.replace(first, batch_size=64, seed=3)
    assert describe_recipe_difference(first, first) is None
    assert describe_recipe_difference(first, second) == "batch_size: 4096 and 64; seed: 0 and 3"
