"""Teachers: latents by other means, no gradient, the moving average by hand, momentum."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.targets import FeatureTarget
from survey_tools.mae.teacher import Teacher, compute_latents, compute_momentum

CONFIG = ModelConfig(
    image_size=(8, 6),
    patch_size=(2, 3),
    n_channels=2,
    encoder_width=16,
    encoder_depth=3,
    encoder_heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
)


def build(config: ModelConfig = CONFIG, seed: int = 0) -> tuple[Encoder, torch.Tensor]:
    """Build an encoder and three images."""
    generator = torch.Generator().manual_seed(seed)
    encoder = Encoder(config, generator=generator)
    images = torch.randn(3, config.n_channels, *config.image_size, generator=generator)
    return encoder, images


@pytest.mark.parametrize("cls_token", [True, False])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_latents_are_the_mean_of_the_last_blocks(n_layers: int, *, cls_token: bool) -> None:
    """What the blocks of the encoder's own forward pass give, normalised, averaged, normalised."""
    encoder, images = build(dataclasses.replace(CONFIG, cls_token=cls_token))
    seen: list[torch.Tensor] = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out))
    encoder.encode_images(images)
    outputs = [functional.layer_norm(out[:, int(cls_token) :], (16,)) for out in seen[-n_layers:]]
    wanted = functional.layer_norm(torch.stack(outputs).mean(dim=0), (16,))
    found = compute_latents(encoder, images, n_layers=n_layers)
    assert found.shape == (3, 8, 16)
    torch.testing.assert_close(found, wanted)


def test_targets_cannot_shrink() -> None:
    """Every target has mean 0 and variance 1 over its features, however small the weights."""
    encoder, images = build()
    with torch.no_grad():
        for weight in encoder.embed.parameters():
            weight.mul_(3.0)
    targets = Teacher(encoder, n_layers=2)(images)
    torch.testing.assert_close(targets.mean(dim=2), torch.zeros(3, 8), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(
        targets.var(dim=2, correction=0), torch.ones(3, 8), atol=1e-3, rtol=0.0
    )


def test_no_gradient_reaches_a_teacher() -> None:
    """Targets carry no gradient, and the weights of the copy ask for none; the student's do."""
    encoder, images = build()
    teacher = Teacher(encoder)
    assert not teacher(images.requires_grad_()).requires_grad
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert all(weight.requires_grad for weight in encoder.parameters())


def test_a_teacher_is_a_copy() -> None:
    """Training the student moves no target until the teacher follows."""
    encoder, images = build()
    teacher = Teacher(encoder)
    before = teacher(images)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(0.1)
    assert torch.equal(teacher(images), before)
    teacher.follow(encoder, momentum=0.5)
    assert not torch.equal(teacher(images), before)


def test_the_moving_average_by_hand() -> None:
    """Two steps at 0.9 and 0.5 from 1 towards 3 and then 5: 1.2, then 3.1; for every weight."""
    encoder, _ = build(dataclasses.replace(CONFIG, positions="learned"))
    teacher = Teacher(encoder)
    weights = list(teacher.encoder.parameters())
    assert len(weights) == len(list(encoder.parameters()))
    for own in weights:
        own.fill_(1.0)
    for goal, momentum, wanted in ((3.0, 0.9, 1.2), (5.0, 0.5, 3.1)):
        with torch.no_grad():
            for weight in encoder.parameters():
                weight.fill_(goal)
        teacher.follow(encoder, momentum=momentum)
        for own in weights:
            torch.testing.assert_close(own, torch.full_like(own, wanted))


@pytest.mark.parametrize(
    ("progress", "wanted"), [(0.0, 0.9), (1 / 3, 0.925), (0.5, 0.95), (2 / 3, 0.975), (1.0, 1.0)]
)
def test_momentum_follows_a_cosine(progress: float, wanted: float) -> None:
    """From 0.9 the way to 1 is a quarter done after a third, and half done in the middle."""
    assert compute_momentum(progress, first=0.9) == pytest.approx(wanted)


@pytest.mark.parametrize("n_layers", [0, 4])
def test_other_numbers_of_blocks_are_refused(n_layers: int) -> None:
    """Of three blocks one to three can be averaged."""
    with pytest.raises(ParameterError, match=f"n_layers={n_layers}: 1 to 3 blocks"):
        Teacher(build()[0], n_layers=n_layers)


@pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan")])
def test_momentum_outside_its_range_is_refused(momentum: float) -> None:
    """A momentum above 1 would move the teacher away from the student."""
    encoder, _ = build()
    with pytest.raises(ParameterError, match="from 0 to 1 is wanted"):
        Teacher(encoder).follow(encoder, momentum=momentum)


def test_a_loaded_teacher_may_be_wider_but_not_of_other_patches() -> None:
    """Features of another width are targets as well; another grid would have no target a patch."""
    wide = dataclasses.replace(CONFIG, encoder_width=24, encoder_depth=2)
    encoder, images = build(wide, seed=5)
    target = FeatureTarget(CONFIG, generator=torch.Generator(), teacher=encoder)
    assert target.n_values == 24
    assert torch.equal(target(images), Teacher(encoder)(images))
    other, _ = build(dataclasses.replace(CONFIG, patch_size=(4, 3)))
    with pytest.raises(ParameterError, match=r"teacher's patch_size is \(4, 3\), the student's"):
        FeatureTarget(CONFIG, generator=torch.Generator(), teacher=other)
