"""Named recipes: small ones for offline data, and the paper's own for ImageNet-1K."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig, named_config
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.tuning_recipe import TuningRecipe

__all__ = [
    "IMAGENET",
    "PRESETS",
    "Preset",
    "find_preset",
    "small_fine_tuning",
]

IMAGENET = "imagenet-1k"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A model and how it is pre-trained.

    Attributes
    ----------
    description : str
        One line for ``--help`` and messages.
    """

    config: ModelConfig
    recipe: Recipe
    description: str


# digits: 16 patches of 2 x 2 pixels, 0.17 million parameters, about a minute on one CPU core.
# Its base rate has the least training loss (mean of the last 50 steps, seed 0) of 2e-3, 4e-3 and
# 8e-3 after 300 steps: 0.442, 0.438, 0.440. That of shapes, of 4e-3, 8e-3, 16e-3 and 40e-3 after
# 400 steps of 64 images of 24 pixels (the last 20 steps): 0.816, 0.813, 0.901, 0.937. One seed
# each: neighbours hardly differ, the less one is taken.
_DIGITS = ModelConfig(
    image_size=(8, 8),
    patch_size=(2, 2),
    n_channels=1,
    encoder_width=64,
    encoder_depth=3,
    encoder_heads=4,
    decoder_width=32,
    decoder_depth=1,
    decoder_heads=4,
)

PRESETS: Mapping[str, Preset] = {
    "digits": Preset(
        config=_DIGITS,
        recipe=Recipe(
            data="digits",
            unit="steps",
            length=1500,
            warmup=75,
            batch_size=128,
            base_rate=4e-3,
        ),
        description="scikit-learn's digits: 1,500 steps, about a minute on one CPU core",
    ),
    "shapes": Preset(
        config=replace(
            named_config("tiny32"),
            encoder_width=96,
            encoder_depth=4,
            decoder_width=48,
            decoder_depth=1,
        ),
        recipe=Recipe(
            data="shapes",
            unit="steps",
            length=1500,
            warmup=75,
            batch_size=128,
            base_rate=4e-3,
        ),
        description="textured shapes of 32 pixels: 1,500 steps, about five minutes on one CPU core",
    ),
    "imagenet-1k": Preset(
        config=named_config("base"),
        recipe=Recipe(data=IMAGENET, precision="bf16"),
        description="ImageNet-1K as in table 8 of He et al.: 800 epochs, for many GPUs",
    ),
}
"""The recipe of imagenet-1k is table 8 of He et al., arXiv:2111.06377: AdamW with betas 0.9 and
0.95, base rate 1.5e-4, weight decay 0.05, batches of 4,096 images, cosine after 40 epochs of
warm-up, 800 epochs (their headline models: 1,600), random resized crops and flips alone. Their
code has no explicit mixed precision on TPUs; bf16 is our choice."""


def find_preset(name: str) -> Preset:
    """Return a preset for pre-training by its name.

    Raises
    ------
    ParameterError
        If no preset has that name.
    """
    if name not in PRESETS:
        raise ParameterError(f"preset {name!r} is not known; {nearest(name, list(PRESETS))}")
    return PRESETS[name]


def small_fine_tuning(data: str, *, n_steps: int, seed: int) -> TuningRecipe:
    """Return a recipe for fine-tuning on digits or shapes: the paper's without mixing.

    Mixing and drop path serve long trainings of large models; a small one needs neither.
    """
    return TuningRecipe(
        recipe=Recipe(
            data=data,
            unit="steps",
            length=n_steps,
            warmup=max(n_steps // 20, 1),
            batch_size=128,
            base_rate=2e-3,
            betas=(0.9, 0.999),
            seed=seed,
        ),
        layer_decay=0.75,
        label_smoothing=0.1,
    )
