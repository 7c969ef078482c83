"""The config of a masked autoencoder: what it refuses, what it brings back."""

import dataclasses
import json

import pytest

from survey_tools.errors import ParameterError
from survey_tools.mae.config import NAMED_SIZES, ModelConfig, describe_difference, named_config
from survey_tools.mae.counts import count_kept


@pytest.mark.parametrize("name", NAMED_SIZES)
def test_named_sizes_round_trip_through_json(name: str) -> None:
    """A config written as JSON and read again is the same config."""
    config = named_config(name)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_config_far_from_the_defaults_round_trips() -> None:
    """Every field comes back, also where it is not the default."""
    config = ModelConfig(
        image_size=(12, 40),
        patch_size=(3, 5),
        n_channels=2,
        encoder_width=24,
        encoder_depth=1,
        encoder_heads=3,
        decoder_width=8,
        decoder_depth=2,
        decoder_heads=2,
        mlp_ratio=2.5,
        mask_ratio=0.6,
        norm_pix=False,
        layer_norm_eps=1e-12,
        cls_token=False,
        positions="learned",
    )
    default = ModelConfig()
    for field in dataclasses.fields(ModelConfig):
        assert getattr(config, field.name) != getattr(default, field.name), field.name
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert (config.grid, config.n_patches, config.n_kept, config.patch_values) == (
        (4, 8),
        32,
        13,
        30,
    )


def test_one_number_is_a_square() -> None:
    """A size given as one number is that of both sides."""
    config = ModelConfig.from_dict({"image_size": 64, "patch_size": 8})
    assert (config.image_size, config.patch_size) == ((64, 64), (8, 8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": (30, 32), "patch_size": (4, 4)}, "height 30 is not divisible.*crop to 28"),
        ({"image_size": (32, 30), "patch_size": (4, 4)}, "width 30 is not divisible"),
        ({"image_size": (3, 32), "patch_size": (4, 4)}, "height 3 is smaller than a patch of 4"),
        ({"encoder_width": 100, "encoder_heads": 3}, "encoder_heads=3 does not divide"),
        ({"decoder_width": 100, "decoder_heads": 3}, "decoder_heads=3 does not divide"),
        ({"decoder_width": 6, "decoder_heads": 2}, "decoder_width=6: .* multiple of 4"),
        ({"mask_ratio": 0.0}, "nothing would be masked"),
        ({"mask_ratio": 1.0}, "nothing would be visible"),
        ({"mask_ratio": float("nan")}, "a finite number is wanted"),
        ({"image_size": (16, 16)}, "1 patch cannot be masked in part"),
        ({"encoder_depth": 0}, "encoder_depth=0: a whole number of at least 1"),
        ({"encoder_depth": True}, "encoder_depth=True: a whole number"),
        ({"encoder_width": 768.0}, "encoder_width=768.0: a whole number"),
        ({"image_size": 224}, "image_size=224: height and width"),
        ({"patch_size": (16, True)}, "patch_size=.*: height and width"),
        ({"norm_pix": 1}, "norm_pix=1: true or false"),
        ({"mlp_ratio": 0}, "mlp_ratio=0: a number above 0"),
        ({"positions": "random"}, "positions='random': one of sin-cos, learned, loaded"),
        ({"image_size": (4, 4), "patch_size": (1, 1), "n_channels": 1}, "has no variance"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(fields: dict, message: str) -> None:
    """Sizes, heads, ratios and types that cannot be are refused by name."""
    with pytest.raises(ParameterError, match=message):
        ModelConfig(**fields)


def test_unknown_fields_and_sizes_name_what_is_near() -> None:
    """A misspelt field or size is refused with the one that is meant."""
    with pytest.raises(ParameterError, match="did you mean 'mask_ratio'"):
        ModelConfig.from_dict({"mask_ration": 0.5})
    with pytest.raises(ParameterError, match="did you mean 'small'"):
        named_config("smal")


def test_difference_names_the_fields() -> None:
    """Two configs are compared field by field; equal ones have no difference."""
    base = named_config("base")
    other = dataclasses.replace(base, encoder_depth=6, norm_pix=False)
    assert describe_difference(base, base) is None
    assert describe_difference(base, other) == "encoder_depth: 12 and 6; norm_pix: True and False"


@pytest.mark.parametrize(
    ("n_patches", "ratio", "kept"),
    [
        (10, 0.9, 1),
        (100, 0.9, 10),  # int(100 * (1 - 0.9)) is 9
        (196, 0.75, 49),
        (49, 0.75, 12),
        (36, 0.6, 14),
        (16, 0.95, 1),  # 0.8: int() keeps none
        (10, 0.75, 2),  # 2.5: of two equally near the smaller
        (10, 0.999, 1),
        (10, 0.001, 9),
        (2, 0.5, 1),
    ],
)
def test_kept_patches_are_counted_exactly(n_patches: int, ratio: float, kept: int) -> None:
    """The nearest number stays visible, never none and never all."""
    assert count_kept(n_patches, ratio) == kept


@pytest.mark.parametrize("ratio", [-0.1, 0, 1, 1.5, float("inf"), float("nan")])
def test_ratios_that_mask_nothing_or_all_are_refused(ratio: float) -> None:
    """A ratio of 0, of 1 or beyond is refused."""
    with pytest.raises(ParameterError, match=r"above 0 and below 1 is wanted"):
        count_kept(100, ratio)
