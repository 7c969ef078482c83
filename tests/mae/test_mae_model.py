"""The masked autoencoder: what depends on what, quick way against whole way, precision, sizes."""

import dataclasses

import pytest
import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.decoder import Decoder
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.mask_shapes import sample_blocks
from survey_tools.mae.masking import Mask, mask_by_noise, sample_uniform
from survey_tools.mae.model import MaskedAutoencoder, pixel_targets
from survey_tools.mae.patches import patchify, unpatchify

CONFIG = ModelConfig(
    image_size=(8, 12),
    patch_size=(2, 3),
    n_channels=2,
    encoder_width=16,
    encoder_depth=3,
    encoder_heads=2,
    decoder_width=8,
    decoder_depth=2,
    decoder_heads=2,
    mask_ratio=0.6,
)
VARIANTS = [
    CONFIG,
    dataclasses.replace(CONFIG, cls_token=False, norm_pix=False),
    dataclasses.replace(CONFIG, positions="learned", decoder_depth=1, mlp_ratio=2.5),
]


def build(config: ModelConfig, n_images: int = 3) -> tuple[MaskedAutoencoder, torch.Tensor, Mask]:
    """Build a model, a batch and a mask from one seed."""
    generator = torch.Generator().manual_seed(0)
    model = MaskedAutoencoder(config, generator=generator)
    images = torch.randn(n_images, config.n_channels, *config.image_size, generator=generator)
    return model, images, model.sample_mask(n_images, generator=generator)


def gradients(model: MaskedAutoencoder) -> dict[str, torch.Tensor]:
    """Return the gradients by name and clear them."""
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("config", VARIANTS)
def test_quick_way_equals_the_whole_way(config: ModelConfig) -> None:
    """Masked tokens alone in the last block and head give the same loss and gradients."""
    model, images, mask = build(config)
    quick = model(images, mask)
    quick.loss.backward()
    of_quick = gradients(model)
    whole = model(images, mask, predict_all=True)
    whole.loss.backward()
    of_whole = gradients(model)
    assert quick.prediction.shape == (3, mask.masked.shape[1], config.patch_values)
    assert whole.prediction.shape == (3, config.n_patches, config.patch_values)
    assert torch.allclose(quick.prediction, take(whole.prediction, mask.masked), atol=1e-6)
    assert quick.loss.item() == pytest.approx(whole.loss.item(), rel=1e-6)
    assert of_quick.keys() == of_whole.keys() == {n for n, _ in model.named_parameters()}
    for name, gradient in of_quick.items():
        assert (gradient - of_whole[name]).norm() <= 1e-5 * of_whole[name].norm(), name


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("place", [0, 5, 15])
def test_no_masked_patch_reaches_its_own_prediction(config: ModelConfig, place: int) -> None:
    """The gradient of its prediction by the pixels of any masked patch is exactly 0."""
    model, images, mask = build(config)
    noise = torch.rand(3, config.n_patches, generator=torch.Generator().manual_seed(place))
    noise[:, place] = 2.0  # the last to be kept
    mask = mask_by_noise(noise, n_kept=config.n_kept)
    images.requires_grad_()
    predicted = model(images, mask, predict_all=True).prediction[:, place]
    (gradient,) = torch.autograd.grad(predicted.square().sum(), images)
    by_patch = patchify(gradient, config.patch_size).abs().sum(dim=2)  # (batch, n_patches)
    assert mask.is_masked[:, place].all()
    assert (by_patch[mask.is_masked] == 0).all()
    assert (by_patch[~mask.is_masked] > 0).all()


def test_masked_content_changes_no_prediction() -> None:
    """With other pixels in the masked patches the predictions are the same to the last bit."""
    model, images, mask = build(CONFIG)
    patches = patchify(images, CONFIG.patch_size)
    other = torch.where(mask.is_masked[:, :, None], 7.0 - 3.0 * patches, patches)
    swapped = unpatchify(other, CONFIG.patch_size, CONFIG.grid)
    a, b = model(images, mask), model(swapped, mask)
    assert not torch.equal(images, swapped)
    assert torch.equal(a.prediction, b.prediction)


def test_images_of_a_batch_do_not_mix() -> None:
    """An image alone is predicted as it is within a batch."""
    model, images, mask = build(CONFIG)
    together = model(images, mask)
    for i in range(3):
        parts = {
            field.name: getattr(mask, field.name)[i : i + 1] for field in dataclasses.fields(Mask)
        }
        alone = model(images[i : i + 1], Mask(**parts))
        assert torch.allclose(alone.prediction[0], together.prediction[i], atol=1e-6)
        assert alone.loss.item() == pytest.approx(together.image_losses[i].item(), rel=1e-5)


@pytest.mark.parametrize("norm_pix", [False, True])
def test_loss_counts_the_patches_it_says(norm_pix: bool) -> None:
    """Losses on masked, visible and all patches are the means of the squared errors there."""
    config = dataclasses.replace(CONFIG, norm_pix=norm_pix)
    model, images, mask = build(config)
    prediction = model(images, mask, predict_all=True).prediction
    target = pixel_targets(patchify(images, config.patch_size), norm_pix=norm_pix)
    errors = (prediction - target).square().mean(dim=2)  # (batch, n_patches)
    for loss_on, where in (
        ("masked", mask.is_masked),
        ("visible", ~mask.is_masked),
        ("all", torch.ones_like(mask.is_masked)),
    ):
        found = model(images, mask, loss_on=loss_on)
        expected = [errors[i][where[i]].mean().item() for i in range(3)]
        assert found.image_losses.tolist() == pytest.approx(expected, rel=1e-5)
        assert found.loss.item() == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_order_of_the_patches_does_not_matter() -> None:
    """A mask with its places in another order gives the same loss: positions go with them."""
    model, images, mask = build(CONFIG)
    noise = mask.is_masked.float()
    in_order = mask_by_noise(noise, n_kept=mask.n_kept)
    assert not torch.equal(in_order.visible, mask.visible)
    assert model(images, in_order).loss.item() == pytest.approx(
        model(images, mask).loss.item(), rel=1e-6
    )


def test_positions_reach_the_prediction() -> None:
    """Masked places of one image are predicted differently, which needs positions."""
    model, images, mask = build(CONFIG)
    assert model(images, mask).prediction.std(dim=1).min() > 1e-3


def test_bfloat16_on_a_cpu_stays_close() -> None:
    """Under autocast the loss is a single-precision number near the other, with all gradients."""
    model, images, mask = build(CONFIG)
    exact = model(images, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(images, mask)
    rough.loss.backward()
    assert rough.prediction.dtype == torch.bfloat16
    assert rough.loss.dtype == torch.float32
    assert rough.loss.item() == pytest.approx(exact.loss.item(), rel=0.02)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_double_precision_stays_double() -> None:
    """A model in double precision computes in it throughout, so that slopes can be checked."""
    model, images, mask = build(CONFIG)
    single = model(images, mask).prediction
    model.double()
    prediction = model(images.double(), mask).prediction
    assert prediction.dtype == torch.float64
    assert 0 < (prediction - single).abs().max() < 1e-5
    whole = model(images.double(), mask, predict_all=True).prediction
    assert (take(whole, mask.masked) - prediction).abs().max() < 1e-12


def test_weights_are_drawn_as_the_paper_says() -> None:
    """Xavier-uniform weights, biases of 0, tokens of a spread of 0.02; by the generator alone."""
    config = ModelConfig(encoder_depth=1, decoder_depth=1)
    before = torch.get_rng_state()
    model, again, other = (
        MaskedAutoencoder(config, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    state, second, third = model.state_dict(), again.state_dict(), other.state_dict()
    assert all(torch.equal(value, second[name]) for name, value in state.items())
    assert not torch.equal(state["encoder.embed.weight"], third["encoder.embed.weight"])
    for name, fans in (
        ("encoder.embed", 768 + 768),
        ("encoder.blocks.0.attention.qkv", 768 + 768),  # three layers, not one of 768 to 2304
        ("encoder.blocks.0.mlp.widen", 768 + 3072),
        ("decoder.head", 512 + 768),
    ):
        weight, bound = state[f"{name}.weight"], (6.0 / fans) ** 0.5
        assert 0.99 * bound < weight.abs().max() <= bound, name
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02), name
        assert not state[f"{name}.bias"].any(), name
    for name in ("encoder.cls_token", "decoder.mask_token"):
        assert state[name].std().item() == pytest.approx(0.02, rel=0.15), name


def test_encoder_with_mask_tokens_sees_places_not_content() -> None:
    """With tokens in them, all places come out, and masked content still does not count."""
    model, images, mask = build(CONFIG)
    token = torch.ones(16, requires_grad=True)
    patches = patchify(images, CONFIG.patch_size).requires_grad_()
    tokens = model.encoder.forward_with_mask_tokens(patches, mask, token)
    assert tokens.shape == (3, 1 + CONFIG.n_patches, 16)
    tokens.square().sum().sqrt().backward()
    assert (patches.grad[mask.is_masked] == 0).all()
    assert token.grad.abs().sum() > 0


def test_a_mask_token_that_equals_the_patch_hides_nothing() -> None:
    """If the token is what each patch is embedded as, tokens in the encoder change nothing."""
    model, images, _ = build(CONFIG)
    same = images[:, :, :1, :1].expand(-1, -1, 8, 12)[:1]  # one colour, so all patches are the same
    patches = patchify(same, CONFIG.patch_size)
    one = mask_by_noise(torch.rand(1, 16, generator=torch.Generator().manual_seed(1)), n_kept=6)
    token = model.encoder.embed(patches)[0, 0]
    with_tokens = model.encoder.forward_with_mask_tokens(patches, one, token)
    assert torch.allclose(with_tokens, model.encoder(patches), atol=1e-6)


def test_all_patches_in_any_order_are_encoded_alike() -> None:
    """Encoding all patches is the same as taking all for visible, in whatever order."""
    model, images, _ = build(CONFIG)
    patches = patchify(images, CONFIG.patch_size)
    whole = model.encoder(patches)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(2)).expand(3, -1)
    everything = Mask(
        visible=order,
        masked=order[:, :0],
        is_masked=torch.zeros(3, 16, dtype=torch.bool),
        restore=order.argsort(dim=1),
    )
    shuffled = model.encoder(patches, everything)
    assert torch.allclose(shuffled[:, 1:], take(whole[:, 1:], order), atol=1e-5)
    assert torch.allclose(shuffled[:, 0], whole[:, 0], atol=1e-5)


@pytest.mark.parametrize("positions", ["sin-cos", "learned"])
def test_images_of_another_size_are_encoded(positions: str) -> None:
    """Images of any divisible size are encoded; those of the model's size as its patches."""
    model, images, _ = build(dataclasses.replace(CONFIG, positions=positions))
    patches = patchify(images, CONFIG.patch_size)
    assert torch.equal(model.encoder.encode_images(images), model.encoder(patches))
    larger = torch.randn(2, 2, 16, 18, generator=torch.Generator().manual_seed(3))
    assert model.encoder.encode_images(larger).shape == (2, 1 + 8 * 6, 16)
    with pytest.raises(ParameterError, match="15 x 18 cannot be cut"):
        model.encoder.encode_images(larger[:, :, :15])


def test_decoder_predicts_another_target_and_another_grid() -> None:
    """The head has as many outputs as the target; a mask of a larger grid decodes with it."""
    generator = torch.Generator().manual_seed(0)
    encoder = Encoder(CONFIG, generator=generator)
    decoder = Decoder(CONFIG, generator=generator, n_outputs=5)
    patches = torch.randn(2, 8 * 6, CONFIG.patch_values, generator=generator)
    mask = sample_blocks(2, (8, 6), 0.5, generator=generator)
    predicted = decoder(encoder(patches, mask, grid=(8, 6)), mask, grid=(8, 6))
    assert predicted.shape == (2, 24, 5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 2, 8, 15), r"the model takes \(batch, 2, 8, 12\)"),
        ((3, 3, 8, 12), r"the model takes \(batch, 2, 8, 12\)"),
        ((2, 8, 12), r"the model takes \(batch, 2, 8, 12\)"),
        ((5, 2, 8, 12), "a mask of 3 images of 16 patches does not fit 5 images"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...], message: str) -> None:
    """Other sizes, channels and batches than the model's or the mask's are refused by number."""
    model, _, mask = build(CONFIG)
    with pytest.raises(ParameterError, match=message):
        model(torch.zeros(shape), mask)


def test_other_masks_and_losses_are_refused() -> None:
    """A mask of another grid, patches of another size and unknown losses are refused."""
    model, images, mask = build(CONFIG)
    other = sample_uniform(3, 20, 0.5, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ParameterError, match="of 20 patches does not fit 3 images of 16 patches"):
        model(images, other)
    with pytest.raises(ParameterError, match="16 patches of 13 values arrived"):
        model.encoder(torch.zeros(3, 16, 13))
    with pytest.raises(ParameterError, match="loss_on='some': one of masked, visible, all"):
        model(images, mask, loss_on="some")
