"""Features of an encoder: pooling by hand, batches, state left alone, errors."""

import dataclasses

import numpy as np
import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.features import extract_features

CONFIG = ModelConfig(
    image_size=(8, 12),
    patch_size=(4, 4),
    n_channels=2,
    encoder_width=16,
    encoder_depth=2,
    encoder_heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
)
IMAGES = np.random.default_rng(0).normal(size=(7, 2, 8, 12)).astype(np.float32)


def build(config: ModelConfig = CONFIG) -> Encoder:
    return Encoder(config, generator=torch.Generator().manual_seed(0))


def test_pooling_by_hand() -> None:
    """The first token, the mean of the six others, and both side by side."""
    encoder = build()
    with torch.no_grad():
        tokens = encoder.encode_images(torch.from_numpy(IMAGES)).numpy()
    found = {kind: extract_features(encoder, IMAGES, pooling=kind) for kind in ("mean", "cls")}
    np.testing.assert_allclose(found["cls"], tokens[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["mean"], tokens[:, 1:].mean(axis=1), rtol=1e-5, atol=1e-6)
    both = extract_features(encoder, IMAGES, pooling="both")
    np.testing.assert_array_equal(both, np.hstack([found["cls"], found["mean"]]))
    assert both.dtype == np.float32


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_change_nothing(batch_size: int) -> None:
    """Whatever goes through together, each image has its own features, in the order given."""
    encoder = build(dataclasses.replace(CONFIG, cls_token=False))
    whole = extract_features(encoder, IMAGES)
    parts = extract_features(encoder, IMAGES[::-1], batch_size=batch_size)[::-1]
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_other_sizes_have_features() -> None:
    """Images with more patches than the config's are encoded with interpolated positions."""
    larger = np.tile(IMAGES, (1, 1, 2, 2))
    assert extract_features(build(), larger, pooling="both").shape == (7, 32)


@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_is_left_as_it_came(training: bool) -> None:
    """No gradient, no change of mode, and single precision also under autocast."""
    encoder = build().train(training)
    plain = extract_features(encoder, IMAGES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(extract_features(encoder, IMAGES), plain)
    assert encoder.training is training
    assert all(weight.grad is None for weight in encoder.parameters())


def test_bad_input_is_refused() -> None:
    """An absent cls token, an unknown pooling, no images, images of another shape."""
    bare = build(dataclasses.replace(CONFIG, cls_token=False))
    with pytest.raises(ParameterError, match="pooling='both': the encoder has no cls token"):
        extract_features(bare, IMAGES, pooling="both")
    with pytest.raises(ParameterError, match="pooling='max': one of mean, cls, both"):
        extract_features(bare, IMAGES, pooling="max")
    with pytest.raises(ParameterError, match="batch_size=0: 1 image or more"):
        extract_features(bare, IMAGES, batch_size=0)
    for images in (IMAGES[:0], IMAGES[0]):
        with pytest.raises(ParameterError, match="with one image or more is wanted"):
            extract_features(bare, images)
    with pytest.raises(ParameterError, match="4 x 2 patches"):
        extract_features(bare, IMAGES[:, :1].repeat(2, axis=2).repeat(1, axis=3)[..., :8])
