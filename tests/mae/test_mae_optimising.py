"""Rates and groups: schedules worked out by hand, who decays, which layer is how slow."""

import math

import pytest
import torch
from small_training import CONFIG, make_method, make_recipe
from torch import nn

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import keyed_generator
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.optimising import (
    Lars,
    Schedule,
    build_optimiser,
    group_parameters,
    layer_of,
    set_rate,
)


def test_schedule_by_hand() -> None:
    """Four steps up to 8, then half a cosine of eight steps down towards 2."""
    schedule = Schedule(n_steps=12, n_warmup=4, peak=8.0, least=2.0)
    assert [schedule.rate(step) for step in range(5)] == [2.0, 4.0, 6.0, 8.0, 8.0]
    assert schedule.rate(8) == pytest.approx(5.0)  # half way
    assert schedule.rate(6) == pytest.approx(5.0 + 3.0 * math.sqrt(0.5))  # an eighth of a turn
    assert schedule.rate(11) == pytest.approx(5.0 + 3.0 * math.cos(math.pi * 7 / 8))


def test_schedule_of_a_recipe_scales_the_base_rate_by_the_batch() -> None:
    """Four of 256 images have a 64th of the base rate; epochs become steps."""
    recipe = make_recipe(unit="epochs", length=3, warmup=1)
    schedule = Schedule.of(recipe, steps_per_epoch=5)
    assert (schedule.n_steps, schedule.n_warmup) == (15, 5)
    assert schedule.peak == pytest.approx(0.1 / 64)


def test_no_warmup_starts_at_the_peak() -> None:
    """Without a division by zero."""
    assert Schedule(n_steps=4, n_warmup=0, peak=1.0, least=0.0).rate(0) == 1.0


def test_only_weight_matrices_decay() -> None:
    """Biases, norms, tokens and learned positions do not."""
    generator = torch.Generator().manual_seed(0)
    config = ModelConfig.from_dict({**CONFIG.to_dict(), "positions": "learned"})
    encoder = Encoder(config, generator=generator)
    names = dict(encoder.named_parameters())
    groups = group_parameters(names.items(), weight_decay=0.05)
    decayed = {
        name
        for group in groups
        for parameter in group["params"]
        for name, other in names.items()
        if other is parameter and group["weight_decay"]
    }
    assert "positions.table" in names
    assert "cls_token" in names
    assert decayed == {
        "embed.weight",
        "blocks.0.attention.qkv.weight",
        "blocks.0.attention.project.weight",
        "blocks.0.mlp.widen.weight",
        "blocks.0.mlp.narrow.weight",
    }
    assert sum(len(group["params"]) for group in groups) == len(names)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("encoder.embed.weight", 0),
        ("encoder.cls_token", 0),
        ("encoder.positions.table", 0),
        ("encoder.blocks.0.mlp.widen.bias", 1),
        ("encoder.blocks.11.attention.qkv.weight", 12),
        ("encoder.norm.weight", 13),
        ("head.bias", 13),
    ],
)
def test_layers_by_hand(name: str, layer: int) -> None:
    """Twelve blocks stand between the embedding and the head."""
    assert layer_of(name, 12) == layer


def test_layer_decay_slows_lower_layers() -> None:
    """With one block and 0.5: embedding at a quarter, block at a half, head at full rate."""
    method = make_method()
    groups = group_parameters(
        method.encoder.named_parameters(), weight_decay=0.1, layer_decay=0.5, n_blocks=1
    )
    optimiser = build_optimiser(groups, make_recipe())
    set_rate(optimiser, 0.8)
    rates = {
        id(parameter): group["lr"]
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    encoder = method.encoder
    assert rates[id(encoder.embed.weight)] == pytest.approx(0.2)
    assert rates[id(encoder.blocks[0].mlp_norm.bias)] == pytest.approx(0.4)
    assert rates[id(encoder.norm.weight)] == pytest.approx(0.8)


def test_frozen_parameters_are_left_out_and_nothing_to_train_is_an_error() -> None:
    """A teacher's weights need no gradient."""
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    (group,) = group_parameters(layer.named_parameters(), weight_decay=0.1)
    assert [tuple(p.shape) for p in group["params"]] == [(3, 2)]
    with pytest.raises(ParameterError, match="nothing to train"):
        group_parameters(layer.requires_grad_(False).named_parameters(), weight_decay=0.1)


def test_optimiser_is_fused_adamw_with_the_recipes_numbers() -> None:
    """Fused: all parameters in one call."""
    method = make_method()
    groups = group_parameters(method.named_parameters(), weight_decay=0.3)
    optimiser = build_optimiser(groups, make_recipe(betas=(0.8, 0.7)))
    assert isinstance(optimiser, torch.optim.AdamW)
    assert all(group["fused"] and group["betas"] == (0.8, 0.7) for group in optimiser.param_groups)
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0.3, 0.0}


def test_lars_by_hand() -> None:
    """|w| = 5, |g + 0.5 w| = 2.5: the weight moves by rate * 0.001 * 5 / 2.5 * (g + 0.5 w)."""
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    bias = nn.Parameter(torch.tensor([1.0]))
    groups = [
        {"params": [weight], "weight_decay": 0.5, "scale": 1.0},
        {"params": [bias], "weight_decay": 0.0, "scale": 1.0},
    ]
    optimiser = Lars(groups, momentum=0.5)
    for _ in range(2):
        set_rate(optimiser, 100.0)
        weight.grad, bias.grad = torch.zeros(1, 2), torch.tensor([0.01])
        optimiser.step()
    # each step pulls by 0.001 |w| / (0.5 |w|) * 0.5 w = 0.001 w; then momentum adds half of it
    first = 3.0 - 100.0 * 0.003
    second = first - 100.0 * (0.001 * first + 0.5 * 0.003)
    assert weight[0, 0].item() == pytest.approx(second, rel=1e-5)
    assert bias.item() == pytest.approx(1.0 - 1.0 - 1.5, abs=1e-6)


def test_lars_leaves_a_weight_of_zeros_movable() -> None:
    """Its trust would be 0 for ever; it moves by the plain rate."""
    weight = nn.Parameter(torch.zeros(1, 2))
    optimiser = Lars([{"params": [weight], "weight_decay": 0.0, "scale": 1.0}], momentum=0.0)
    set_rate(optimiser, 0.5)
    weight.grad = torch.ones(1, 2)
    optimiser.step()
    assert weight.tolist() == [[-0.5, -0.5]]


def test_keyed_generators_depend_on_the_whole_key() -> None:
    """Same key same numbers; neighbours and longer keys others."""
    keys = [(0, 1, 2), (0, 1, 3), (0, 2, 1), (1, 1, 2), (0, 1, 2, 1)]
    drawn = [torch.rand(3, generator=keyed_generator(*key)).tolist() for key in keys]
    assert torch.rand(3, generator=keyed_generator(0, 1, 2)).tolist() == drawn[0]
    assert len({tuple(numbers) for numbers in drawn}) == len(keys)
