"""Multiply-adds counted from the shape of a model."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig, named_config
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.operations import compare_operations, count_operations


def small_config(**changes) -> ModelConfig:
    """Return a model of 16 patches that can be counted by hand."""
    fields = {
        "image_size": (8, 8),
        "patch_size": (2, 2),
        "n_channels": 1,
        "encoder_width": 8,
        "encoder_depth": 3,
        "encoder_heads": 2,
        "decoder_width": 4,
        "decoder_depth": 2,
        "decoder_heads": 1,
    }
    return ModelConfig(**(fields | changes))


def test_a_hand_worked_count() -> None:
    """4 visible patches and a cls token of 8 features; 17 tokens of 4 features in the decoder."""
    counted = count_operations(small_config())
    assert counted.patch_embedding == 4 * 4 * 8
    assert counted.encoder == 3 * (12 * 5 * 64 + 2 * 25 * 8)
    assert counted.bridge == 5 * 8 * 4
    assert counted.decoder == 2 * (12 * 17 * 16 + 2 * 289 * 4)
    assert counted.head == 17 * 4 * 4
    assert counted.total == 128 + 12_720 + 160 + 11_152 + 272


@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("cls_token", [False, True])
@pytest.mark.parametrize("mlp_ratio", [4.0, 2.5])
def test_the_count_is_what_torch_counts(
    only_masked: bool, cls_token: bool, mlp_ratio: float
) -> None:
    """PyTorch's own counter sees the same operations when the model runs."""
    config = small_config(cls_token=cls_token, mlp_ratio=mlp_ratio)
    generator = torch.Generator().manual_seed(0)
    model = MaskedAutoencoder(config, generator=generator).eval()
    images = torch.rand(1, 1, 8, 8, generator=generator)
    mask = model.sample_mask(1, generator=generator)
    counter = FlopCounterMode(display=False)  # knows the attention only as two products
    with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model(images, mask, predict_all=not only_masked)
    counted = count_operations(config, only_masked=only_masked)
    # the published head has the cls token too, ours drops it before
    surplus = 0 if only_masked or not cls_token else 4 * config.patch_values
    assert counter.get_total_flops() == 2 * (counted.total - surplus)


@pytest.mark.parametrize(
    ("size", "encoder", "whole"),
    [
        ("tiny32", 4.06, 3.19),
        ("small", 4.19, 2.82),
        ("base", 4.06, 2.34),
        ("large", 4.03, 3.22),
        ("huge", 4.05, 3.59),
    ],
)
def test_gain_of_visible_patches_only(size: str, encoder: float, whole: float) -> None:
    """At 75 % the counts are those that were made independently, the whole within 1 %."""
    counted = compare_operations(named_config(size), embed_all=True)
    assert round(counted[0], 2) == encoder
    assert counted[1] == pytest.approx(whole, rel=0.01)


def test_three_times_or_more_holds_for_large_and_huge_but_not_for_base() -> None:
    """The paper's gain is that of ViT-L and ViT-H: ViT-B's decoder is over half of the work."""
    assert compare_operations(named_config("large"), embed_all=True)[1] > 3
    assert compare_operations(named_config("huge"), embed_all=True)[1] > 3
    assert 2.3 < compare_operations(named_config("base"), embed_all=True)[1] < 2.4
    base = count_operations(named_config("base"), embed_all=True)
    assert (base.decoder + base.head) / base.total == pytest.approx(0.55, abs=0.01)


def test_numbers_of_patches_out_of_range_are_refused() -> None:
    """None or more than all patches cannot be encoded."""
    for n in (0, 17):
        with pytest.raises(ParameterError, match=f"n_encoded={n}: 1 to 16"):
            count_operations(small_config(), n_encoded=n)
