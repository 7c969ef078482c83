"""Our kernel against Hugging Face's ViTMAEForPreTraining with the same weights and noise."""

import pytest
import torch
from mae_reference import SHAPES, build_reference, our_config

from survey_tools.mae.layout import from_published, to_published
from survey_tools.mae.mask_shapes import sample_blocks
from survey_tools.mae.masking import mask_by_noise
from survey_tools.mae.model import MaskedAutoencoder


@pytest.fixture(scope="module", params=[(n, p) for n in SHAPES for p in (False, True)], ids=str)
def both(request: pytest.FixtureRequest):
    """Return the reference, ours with its weights, a batch, and noise."""
    name, norm_pix = request.param
    reference = build_reference(name, norm_pix=norm_pix)
    ours = from_published(reference.state_dict(), our_config(reference))
    generator = torch.Generator().manual_seed(1)
    config = ours.config
    images = torch.randn(3, config.n_channels, *config.image_size, generator=generator)
    noise = torch.rand(3, config.n_patches, generator=generator)
    return reference, ours, images, noise


def check_equal(a: torch.Tensor, b: torch.Tensor) -> None:
    """Check that the difference is at most 1e-5 of the size, as vectors and at the worst place."""
    assert a.shape == b.shape
    assert (a - b).norm() <= 1e-5 * b.norm()
    assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def test_the_reference_is_not_trivial(both) -> None:
    """Every tensor of the reference is drawn: none is all 0 or all 1."""
    reference, _, images, noise = both
    for name, value in reference.state_dict().items():
        assert value.std() > 0.05 or value.ndim == 2, name
        assert value.std() > 0, name
    out = reference(images, noise=noise)
    masked = out.logits[out.mask.bool()].reshape(3, -1, out.logits.shape[2])
    assert masked.std(dim=1).min() > 1e-3  # not the same prediction at every place


def test_mask_and_order_are_the_same(both) -> None:
    """The same noise masks the same patches and restores the same order."""
    reference, ours, images, noise = both
    out = reference(images, noise=noise)
    mask = mask_by_noise(noise, n_kept=ours.config.n_kept)
    assert torch.equal(mask.restore, out.ids_restore)
    assert torch.equal(mask.is_masked, out.mask.bool())


def test_loss_and_predictions_are_the_same(both) -> None:
    """Loss and all predictions agree to 1e-5, the quick way's loss too."""
    reference, ours, images, noise = both
    out = reference(images, noise=noise)
    mask = mask_by_noise(noise, n_kept=ours.config.n_kept)
    whole = ours(images, mask, predict_all=True)
    check_equal(whole.prediction, out.logits)
    assert whole.loss.item() == pytest.approx(out.loss.item(), rel=1e-5)
    assert ours(images, mask).loss.item() == pytest.approx(out.loss.item(), rel=1e-5)


def test_latents_are_the_same(both) -> None:
    """The encoder's visible tokens agree to 1e-5."""
    reference, ours, images, noise = both
    out = reference.vit(images, noise=noise).last_hidden_state
    patches = reference.patchify(images)
    mask = mask_by_noise(noise, n_kept=ours.config.n_kept)
    check_equal(ours.encoder(patches, mask), out)


def test_gradients_are_the_same(both) -> None:
    """The gradient of every trained weight agrees, renamed as the weights are."""
    reference, ours, images, noise = both
    reference.zero_grad()
    reference(images, noise=noise).loss.backward()
    ours.zero_grad()
    ours(images, mask_by_noise(noise, n_kept=ours.config.n_kept)).loss.backward()
    theirs = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in reference.named_parameters()
    }
    renamed = from_published(theirs, ours.config).state_dict()
    trained = {name: p.grad for name, p in ours.named_parameters() if p.requires_grad}
    assert len(trained) == len(renamed) - 2  # all but the two loaded tables of positions
    for name, gradient in trained.items():
        if name.endswith("attention.qkv.bias"):  # that of the keys is 0 but for rounding
            width = len(gradient) // 3
            for part in (slice(0, width), slice(2 * width, None)):
                assert (gradient - renamed[name])[part].norm() <= 1e-5 * renamed[name].norm(), name
        else:
            assert (gradient - renamed[name]).norm() <= 1e-5 * renamed[name].norm(), name


def test_another_masks_loss_is_the_same(both) -> None:
    """Blocks, given to the reference as noise of their order, have the same loss there."""
    reference, ours, images, _ = both
    generator = torch.Generator().manual_seed(2)
    mask = sample_blocks(3, ours.config.grid, ours.config.mask_ratio, generator=generator)
    out = reference(images, noise=mask.restore.float())
    assert torch.equal(out.mask.bool(), mask.is_masked)
    assert ours(images, mask).loss.item() == pytest.approx(out.loss.item(), rel=1e-5)


def test_larger_images_are_encoded_as_the_reference_does() -> None:
    """Loaded positions are interpolated in two dimensions, as the reference's encoder does."""
    reference = build_reference("8 x 8 patches, 3 channels", norm_pix=False)
    ours = from_published(reference.state_dict(), our_config(reference))
    reference.config.mask_ratio = 0.0  # all patches
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(3))
    noise = torch.arange(144.0).expand(2, -1)  # in order
    out = reference.vit(images, noise=noise, interpolate_pos_encoding=True).last_hidden_state
    check_equal(ours.encoder.encode_images(images), out)


def test_our_own_first_weights_give_the_reference_the_same_loss() -> None:
    """Weights that we draw, positions computed, load into the reference and mean the same there."""
    reference = build_reference("8 x 8 patches, 3 channels", norm_pix=True)
    generator = torch.Generator().manual_seed(4)
    ours = MaskedAutoencoder(our_config(reference), generator=generator)
    assert ours.config.positions == "sin-cos"
    reference.load_state_dict(rename_for_memory(to_published(ours)))
    images = torch.randn(2, 3, 32, 32, generator=generator)
    mask = ours.sample_mask(2, generator=generator)
    out = reference(images, noise=mask.restore.float())
    assert ours(images, mask).loss.item() == pytest.approx(out.loss.item(), rel=1e-5)


def rename_for_memory(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Bring the names of files to those that transformers 5 has in memory."""
    pairs = (
        (".attention.attention.query.", ".attention.q_proj."),
        (".attention.attention.key.", ".attention.k_proj."),
        (".attention.attention.value.", ".attention.v_proj."),
        (".attention.output.dense.", ".attention.o_proj."),
        (".intermediate.dense.", ".mlp.fc1."),
        (".output.dense.", ".mlp.fc2."),
        ("vit.encoder.layer.", "vit.layers."),
    )
    renamed = {}
    for name, value in weights.items():
        for old, new in pairs:
            name = name.replace(old, new)
        renamed[name] = value
    return renamed
