"""Fine-tuning: the head, what is frozen, mixing by hand, and that labels are learned."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from small_training import CONFIG, make_recipe

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.classifier import Classifier, mix_images, spread_labels
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.finetune import LabelledArrays, fine_tune, fine_tune_few
from survey_tools.mae.training import DivergedError
from survey_tools.mae.tuning_recipe import TuningRecipe


def make_encoder(depth: int = 1) -> Encoder:
    config = dataclasses.replace(CONFIG, encoder_depth=depth)
    return Encoder(config, generator=torch.Generator().manual_seed(0))


def make_tuning(**changes: Any) -> TuningRecipe:
    recipe = make_recipe(
        length=60, warmup=3, batch_size=16, base_rate=0.1, betas=(0.9, 0.999),
        **changes.pop("recipe", {}),
    )  # fmt: skip
    return TuningRecipe(recipe=recipe, **changes)


def make_images(n: int, seed: int) -> LabelledArrays:
    """Draw noise whose bright half is the class: left, right, or neither."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.standard_normal((n, 1, 8, 8)).astype(np.float32)
    images[labels == 0, :, :, :4] += 1.0
    images[labels == 1, :, :, 4:] += 1.0
    return LabelledArrays(images=images, labels=labels)


TRAIN, TEST = make_images(48, 0), make_images(90, 1)


def test_fine_tuning_learns_and_leaves_the_encoder_as_it_is() -> None:
    """From a third by chance to nearly all; losses are those of every step."""
    encoder = make_encoder()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    score = fine_tune(encoder, TRAIN, TEST, make_tuning())
    assert score.accuracy > 0.8
    assert len(score.losses) == 60
    assert score.losses[0] == pytest.approx(np.log(3), abs=0.05)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_fine_tuning_repeats_exactly_with_every_kind_of_chance() -> None:
    """Order, head, mixing and dropped branches hang on the seed; torch's own chance is kept."""
    tuning = make_tuning(mixup=0.8, cutmix=1.0, drop_path=0.3, label_smoothing=0.1)
    encoder = make_encoder(depth=2)
    torch.manual_seed(5)
    first = fine_tune(encoder, TRAIN, TEST, tuning)
    after = torch.rand(1)
    torch.manual_seed(6)
    assert fine_tune(encoder, TRAIN, TEST, tuning) == first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    other = dataclasses.replace(tuning, recipe=dataclasses.replace(tuning.recipe, seed=1))
    assert fine_tune(encoder, TRAIN, TEST, other).losses != first.losses


def test_linear_head_trains_on_frozen_features_brought_to_one_scale() -> None:
    """The encoder's weights get no gradient; the batch norm has no weights."""
    tuning = make_tuning(trained="head", pooling="cls")
    network = Classifier(make_encoder(), 3, tuning, generator=torch.Generator().manual_seed(0))
    network(torch.from_numpy(TRAIN.images)).sum().backward()
    trained = {name for name, p in network.named_parameters() if p.grad is not None}
    assert trained == {"head.weight", "head.bias"}
    assert fine_tune(make_encoder(), TRAIN, TEST, tuning).accuracy > 0.5


def test_parts_of_a_batch_give_the_same_losses() -> None:
    """Sixteen at once, or five at a time."""
    whole = fine_tune(make_encoder(), TRAIN, TEST, make_tuning())
    parts = fine_tune(make_encoder(), TRAIN, TEST, make_tuning(recipe={"micro_batch": 5}))
    assert parts.losses[:10] == pytest.approx(whole.losses[:10], rel=1e-3)


def test_scores_are_pooled_as_asked() -> None:
    """By hand from the tokens: mean of the patches, or the cls token."""
    encoder, images = make_encoder(), torch.from_numpy(TEST.images[:2])
    tokens = encoder.encode_images(images)
    for pooling, pooled in (("mean", tokens[:, 1:].mean(dim=1)), ("cls", tokens[:, 0])):
        network = Classifier(
            encoder, 3, make_tuning(pooling=pooling), generator=torch.Generator().manual_seed(0)
        )
        torch.testing.assert_close(network(images), pooled @ network.head.weight.T)


def test_drop_path_keeps_the_mean_and_does_nothing_in_a_test() -> None:
    """Over many draws the branch of the last block is there as much as without drops."""
    encoder, images = make_encoder(depth=2), torch.from_numpy(TEST.images[:1])
    generator = torch.Generator().manual_seed(0)
    plain = Classifier(encoder, 3, make_tuning(), generator=generator)
    network = Classifier(encoder, 3, make_tuning(drop_path=0.5), generator=generator)
    network.head.load_state_dict(plain.head.state_dict())
    torch.testing.assert_close(network.eval()(images), plain(images))
    branch = network.encoder.blocks[1].mlp
    tokens = torch.ones(20_000, 1, 16)
    wanted = branch.eval()(tokens)
    torch.manual_seed(0)
    drawn = branch.train()(tokens)
    is_kept = drawn.abs().sum(dim=(1, 2)) > 0
    assert is_kept.float().mean().item() == pytest.approx(0.5, abs=0.02)
    torch.testing.assert_close(drawn[is_kept], 2.0 * wanted[is_kept])


def test_mixing_by_hand() -> None:
    """Blends are of one share in pixels and targets; a cut's share is its area."""
    images = torch.arange(4.0)[:, None, None, None].expand(4, 1, 8, 8)
    targets = torch.eye(4)
    for i in range(20):
        generator = torch.Generator().manual_seed(i)
        mixed, shares = mix_images(images, targets, mixup=0.8, cutmix=0.0, generator=generator)
        expected = (shares * torch.arange(4.0)).sum(dim=1)
        torch.testing.assert_close(mixed, expected[:, None, None, None].expand(4, 1, 8, 8))
        generator = torch.Generator().manual_seed(i)
        mixed, shares = mix_images(images, targets, mixup=0.0, cutmix=1.0, generator=generator)
        counted = torch.stack(
            [(mixed == label).float().mean(dim=(1, 2, 3)) for label in range(4)], dim=1
        )
        torch.testing.assert_close(shares, counted)
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))


def test_mixing_and_smoothing_leave_what_they_should() -> None:
    """Without parameters nothing is mixed; smoothing gives every class an equal part."""
    images, targets = torch.randn(2, 1, 4, 4), torch.eye(2)
    same = mix_images(images, targets, mixup=0.0, cutmix=0.0, generator=torch.Generator())
    assert same[0] is images
    assert same[1] is targets
    assert spread_labels(torch.tensor([1, 0]), 4, 0.2).tolist() == [
        pytest.approx([0.05, 0.85, 0.05, 0.05]),
        pytest.approx([0.85, 0.05, 0.05, 0.05]),
    ]


def test_few_labels_draw_the_same_images_for_every_encoder() -> None:
    """Values of two draws, a batch cut to the images, and an interval over draws."""
    few = fine_tune_few(make_encoder(), TRAIN, TEST, make_tuning(), n_per_class=4, n_draws=2)
    again = fine_tune_few(make_encoder(), TRAIN, TEST, make_tuning(), n_per_class=4, n_draws=3)
    assert again.values[:2] == few.values
    assert few.low is not None
    with pytest.raises(ParameterError, match="fewer than n_per_class 17"):
        fine_tune_few(make_encoder(), TRAIN, TEST, make_tuning(), n_per_class=17)
    with pytest.raises(ParameterError, match="n_draws must be 1 or more"):
        fine_tune_few(make_encoder(), TRAIN, TEST, make_tuning(), n_per_class=1, n_draws=0)


def test_fine_tuning_refuses_what_has_no_meaning() -> None:
    """One class, unseen classes, parts that do not fit, a batch larger than the data, NaN."""
    one = dataclasses.replace(TRAIN, labels=np.zeros(48, dtype=np.intp))
    rows = TRAIN.labels < 2
    two = LabelledArrays(images=TRAIN.images[rows], labels=TRAIN.labels[rows])
    short = dataclasses.replace(TRAIN, labels=TRAIN.labels[1:])
    few = LabelledArrays(images=TRAIN.images[:9], labels=TRAIN.labels[:9])
    broken = dataclasses.replace(TRAIN, images=np.full_like(TRAIN.images, np.nan))
    for train, error, text in (
        (one, DataError, "all 48 training images are of class 0"),
        (two, DataError, "2 arrived"),
        (short, DataError, r"48 training images, but labels of shape \(47,\)"),
        (few, ParameterError, "a batch of 16 images is larger than the data"),
        (broken, DivergedError, "fine-tuning is not finite at step 1 of 60"),
    ):
        with pytest.raises(error, match=text):
            fine_tune(make_encoder(), train, TEST, make_tuning())
    bare = Encoder(
        dataclasses.replace(CONFIG, cls_token=False), generator=torch.Generator().manual_seed(0)
    )
    with pytest.raises(ParameterError, match="the encoder has no cls token; take 'mean'"):
        fine_tune(bare, TRAIN, TEST, make_tuning(pooling="cls"))


def test_a_network_that_breaks_at_the_last_step_has_no_score() -> None:
    """Its accuracy would be that of one class."""
    tuning = make_tuning(recipe={})
    recipe = dataclasses.replace(tuning.recipe, length=1, warmup=0, base_rate=1e38)
    with pytest.raises(DivergedError, match="not finite after 1 step"):
        fine_tune(
            make_encoder(),
            make_images(32, 0),
            make_images(32, 1),
            dataclasses.replace(tuning, recipe=recipe),
        )


def test_parts_of_a_batch_hold_two_images_or_more_for_a_head() -> None:
    """Eight images in parts of at most seven are two of four: a batch norm needs more than one."""
    tuning = make_tuning(trained="head", recipe={})
    recipe = dataclasses.replace(tuning.recipe, length=2, batch_size=8, micro_batch=7, warmup=0)
    parts = make_images(32, 0), make_images(32, 1)
    score = fine_tune(make_encoder(), *parts, dataclasses.replace(tuning, recipe=recipe))
    assert np.isfinite(score.losses).all()
    recipe = dataclasses.replace(recipe, micro_batch=1)
    with pytest.raises(ParameterError, match="2 images at once or more"):
        fine_tune(make_encoder(), *parts, dataclasses.replace(tuning, recipe=recipe))


def test_positions_of_a_checkpoint_stay_as_they_came() -> None:
    """Loaded ones are fixed, learned ones are trained."""
    for positions, is_trained in (("loaded", False), ("learned", True)):
        encoder = Encoder(
            dataclasses.replace(CONFIG, positions=positions),  # type: ignore[arg-type]
            generator=torch.Generator().manual_seed(0),
        )
        tuning = make_tuning(recipe={})
        network = Classifier(encoder, 3, tuning, generator=torch.Generator().manual_seed(0))
        assert all(p.requires_grad is is_trained for p in network.encoder.positions.parameters())
