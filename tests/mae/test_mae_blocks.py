"""Attention: both ways in 16 bits against single precision."""

import pytest
import torch

from survey_tools.mae import blocks
from survey_tools.mae.blocks import Attention, draw_weights


@pytest.mark.parametrize("n_queries", [None, 3])
@pytest.mark.parametrize("most", [0, 320])
def test_attention_in_bfloat16_is_near_single_precision(
    most: int, n_queries: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written out and by torch's own: outputs and gradients, for all tokens and for the last."""
    monkeypatch.setattr(blocks, "_MOST_WRITTEN_OUT", most)
    generator = torch.Generator().manual_seed(0)
    attention = Attention(32, 4)
    draw_weights(attention, generator)
    tokens = torch.randn(2, 10, 32, generator=generator, requires_grad=True)
    exact = attention(tokens, n_queries)
    (wanted,) = torch.autograd.grad(exact.square().sum(), tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = attention(tokens, n_queries)
    (found,) = torch.autograd.grad(rough.float().square().sum(), tokens)
    assert rough.dtype == torch.bfloat16
    assert float(((rough.float() - exact).norm() / exact.norm()).detach()) < 0.01
    assert float((found - wanted).norm() / wanted.norm()) < 0.02
