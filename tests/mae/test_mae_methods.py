"""The five methods: they learn, their losses by hand, masks, chance, state, precision, errors."""

import dataclasses
import inspect
from collections.abc import Iterator

import pytest
import torch
from planted_failures import PLANTED, plant
from torch import Tensor

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.digits import read_digits
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.hog import HogSettings, compute_hog
from survey_tools.mae.image_set import measure_scale, standardise
from survey_tools.mae.leakage import detect_gradient_leak
from survey_tools.mae.masking import Mask
from survey_tools.mae.methods import METHODS, Method, build_method
from survey_tools.mae.methods.base import measure_variance, pick_counted
from survey_tools.mae.methods.mae import MaeMethod
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.patches import normalise, patchify, unpatchify
from survey_tools.mae.teacher import Teacher, compute_momentum

CONFIG = ModelConfig(
    image_size=(8, 8),
    patch_size=(2, 2),
    n_channels=1,
    encoder_width=32,
    encoder_depth=2,
    encoder_heads=2,
    decoder_width=16,
    decoder_depth=1,
    decoder_heads=2,
)
OPTIONS = {"tokens": {"n_codes": 16}}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """Standardised digits, shape (n_images, 1, 8, 8)."""
    images = read_digits("train", seed=0)
    return torch.from_numpy(standardise(images, measure_scale(images)).images)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(
    name: str, images: Tensor, config: ModelConfig = CONFIG, *, seed: int = 0, **options: object
) -> Method:
    """Build and prepare a method."""
    chosen = OPTIONS.get(name, {}) | options
    method = build_method(name, config, generator=generator(seed), **chosen)
    method.prepare(images, generator=generator(1))
    return method


def train(method: Method, images: Tensor, n_steps: int, *, batch: int = 64) -> list[float]:
    """Train with AdamW at 0.002 and return the losses."""
    trained = [weight for weight in method.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=2e-3)
    chance, losses = generator(2), []
    for step in range(n_steps):
        first = step * batch % (len(images) - batch)
        result = method.compute_loss(images[first : first + batch], generator=chance)
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
        method.after_step(progress=(step + 1) / n_steps)
        losses.append(result.loss.item())
    return losses


def mask_of(method: Method, images: Tensor, seed: int = 7) -> Mask:
    """Return the mask that `compute_loss` draws from a generator of that seed."""
    return method.draw_mask(images, generator=generator(seed))


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_falls(name: str, digits: Tensor) -> None:
    """In 60 steps every method learns: also after the first ten, which only set the level."""
    losses = train(build(name, digits), digits, 60)
    first, middle, last = (sum(losses[i : i + 10]) / 10 for i in (0, 10, 50))
    assert middle < 0.95 * first
    assert last < 0.97 * middle


@pytest.mark.parametrize("norm_pix", [True, False])
def test_loss_of_mae_is_that_of_the_kernel(digits: Tensor, *, norm_pix: bool) -> None:
    """With the same weights and mask the method's loss is the masked autoencoder's."""
    config = dataclasses.replace(CONFIG, norm_pix=norm_pix)
    method = build("mae", digits, config)
    model = MaskedAutoencoder(config, generator=generator(5))
    model.load_state_dict(method.state_dict())
    images = digits[:9]
    for loss_on in ("masked", "visible", "all"):
        method.loss_on = loss_on
        wanted = model(images, mask_of(method, images), loss_on=loss_on).loss
        found = method.compute_loss(images, generator=generator(7)).loss
        torch.testing.assert_close(found, wanted, atol=1e-7, rtol=1e-6)


def predicted(method: Method, images: Tensor, mask: Mask) -> Tensor:
    """Predict masked patches by mask tokens and the head, step by step."""
    patches = patchify(images, (2, 2))
    tokens = method.encoder.forward_with_mask_tokens(patches, mask, method.mask_token)
    return take(method.head(tokens[:, 1:]), mask.masked)


def test_loss_of_simmim_by_hand(digits: Tensor) -> None:
    """The mean absolute difference from the normalised pixels of the masked patches."""
    method, images = build("simmim", digits), digits[:5]
    mask = mask_of(method, images)
    target = take(normalise(patchify(images, (2, 2))).patches, mask.masked)
    wanted = (predicted(method, images, mask) - target).abs().mean()
    result = method.compute_loss(images, generator=generator(7))
    torch.testing.assert_close(result.loss, wanted)
    constant = target.flatten(0, 1).quantile(0.5, dim=0, interpolation="lower")
    by_median = float((target - constant).abs().mean())
    assert result.parts["target_spread"] == pytest.approx(by_median, rel=1e-5)


def test_loss_of_maskfeat_by_hand(digits: Tensor) -> None:
    """The mean squared difference from the histograms of the masked patches, of any settings."""
    hog = HogSettings(n_bins=5, cell_size=(1, 2), norm="patch")
    method, images = build("maskfeat", digits, hog=hog), digits[:5]
    mask = mask_of(method, images)
    target = take(compute_hog(images, (2, 2), hog), mask.masked)
    assert target.shape[2] == 10
    wanted = (predicted(method, images, mask) - target).square().mean()
    result = method.compute_loss(images, generator=generator(7))
    torch.testing.assert_close(result.loss, wanted)
    variance = float((target - target.mean(dim=(0, 1))).square().mean())
    assert result.parts["target_variance"] == pytest.approx(variance, rel=1e-5)


def test_loss_of_tokens_by_hand(digits: Tensor) -> None:
    """Minus the mean logarithm of the probability of each masked patch's code, blocks masked."""
    method, images = build("tokens", digits, sampling="block"), digits[:5]
    mask = mask_of(method, images)
    patches = normalise(patchify(images, (2, 2))).patches
    tokens = torch.cdist(patches, method.codebook.centres).argmin(dim=2)
    scores = predicted(method, images, mask).detach().log_softmax(dim=2)
    told, true, n = [], [], 0
    for i in range(5):
        for j, place in enumerate(mask.masked[i].tolist()):
            told.append(float(scores[i, j, tokens[i, place]]))
            true.append(int(tokens[i, place]))
            n += int(scores[i, j].argmax() == tokens[i, place])
    result = method.compute_loss(images, generator=generator(7))
    assert result.loss.item() == pytest.approx(-sum(told) / len(told), rel=1e-5)
    assert result.parts["accuracy"] == pytest.approx(n / len(told))
    shares = torch.tensor([true.count(code) / len(true) for code in set(true)])
    assert result.parts["target_entropy"] == pytest.approx(-float((shares * shares.log()).sum()))


def test_loss_of_latents_by_hand(digits: Tensor) -> None:
    """The smooth absolute error from the teacher's latents: d^2 / (2 beta) below beta."""
    method, images = build("latents", digits, n_layers=2, beta=0.5), digits[:5]
    train(method, digits, 3)
    mask = mask_of(method, images)
    target = take(method.teacher(images), mask.masked)
    gap = (predicted(method, images, mask) - target).abs()
    wanted = torch.where(gap < 0.5, gap.square(), gap - 0.25).mean()
    result = method.compute_loss(images, generator=generator(7))
    torch.testing.assert_close(result.loss, wanted)
    assert result.parts["target_variance"] == pytest.approx(measure_variance(target))


def test_the_teacher_of_latents_follows_by_hand(digits: Tensor) -> None:
    """After a step at half of the training each weight lies at 0.95 of old and 0.05 of new."""
    method = build("latents", digits, momentum=0.9)
    before = [weight.clone() for weight in method.teacher.parameters()]
    with torch.no_grad():
        for weight in method.encoder.parameters():
            weight.add_(1.0)
    method.after_step(progress=0.5)
    assert compute_momentum(0.5, first=0.9) == pytest.approx(0.95)
    for old, new in zip(before, method.teacher.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.05)


def test_no_gradient_reaches_what_is_not_trained(digits: Tensor) -> None:
    """The teachers of latents and of MAE's features get no gradient; all else does."""
    methods = [build("latents", digits), build("mae", digits, target="features")]
    methods += [build(name, digits) for name in ("mae", "simmim", "maskfeat", "tokens")]
    for method in methods:
        method.compute_loss(digits[:8], generator=generator(0)).loss.backward()
        for name, weight in method.named_parameters():
            is_teachers = "teacher." in name
            assert weight.requires_grad is not is_teachers
            assert (weight.grad is None) is is_teachers, f"{method.name}: {name}"


def test_features_are_a_target_of_mae(digits: Tensor) -> None:
    """A given teacher's latents are predicted; without one those of a random encoder."""
    encoder = Encoder(CONFIG, generator=generator(9))
    method, images = build("mae", digits, target="features", teacher=encoder), digits[:5]
    assert torch.equal(method.target(images), Teacher(encoder)(images))
    random = build("mae", digits, target="features")
    again = build("mae", digits, target="features")
    assert torch.equal(random.target(images), again.target(images))
    assert not torch.equal(random.target(images), Teacher(random.encoder)(images))
    losses = train(random, digits, 30)
    assert losses[-1] < 0.6 * losses[0]


def test_histograms_are_a_target_of_mae(digits: Tensor) -> None:
    """The decoder predicts the histograms that MaskFeat's head does."""
    method, images = build("mae", digits, target="hog"), digits[:5]
    mask = mask_of(method, images)
    target = take(compute_hog(images, (2, 2)), mask.masked)
    wanted = (method.predict(images, mask) - target).square().mean()
    torch.testing.assert_close(method.compute_loss(images, generator=generator(7)).loss, wanted)


@pytest.mark.parametrize("sampling", ["uniform", "block", "grid"])
@pytest.mark.parametrize("ratio", [0.4, 0.75, 0.9])
def test_masks_are_kept_exactly(digits: Tensor, sampling: str, ratio: float) -> None:
    """Every sampling hides as many patches as the config says, in every image, and not the same."""
    config = dataclasses.replace(CONFIG, mask_ratio=ratio)
    method = build("simmim", digits, config, sampling=sampling)
    mask = mask_of(method, digits[:32])
    assert mask.is_masked.sum(dim=1).tolist() == [16 - config.n_kept] * 32
    assert len({tuple(row) for row in mask.is_masked.tolist()}) > 3


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_on_all_is_the_mean_of_both_parts(name: str, digits: Tensor) -> None:
    """12 masked patches count three times as much as 4 visible ones."""
    losses = {}
    for loss_on in ("masked", "visible", "all"):
        method = build(name, digits, loss_on=loss_on)
        losses[loss_on] = method.compute_loss(digits[:9], generator=generator(7)).loss.item()
    assert losses["all"] == pytest.approx(
        (12 * losses["masked"] + 4 * losses["visible"]) / 16, rel=1e-5
    )
    assert losses["masked"] != pytest.approx(losses["visible"], rel=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_equal_seeds_give_equal_losses(name: str, digits: Tensor) -> None:
    """Training twice gives the same losses bit by bit, whatever the global chance."""
    first = train(build(name, digits), digits, 4)
    torch.manual_seed(99)
    assert train(build(name, digits), digits, 4) == first
    assert train(build(name, digits, seed=1), digits, 4) != first


def test_all_methods_start_from_the_same_encoder_and_masks(digits: Tensor) -> None:
    """Equal generators mean equal conditions: only what defines a method differs."""
    methods = [build(name, digits, sampling="uniform") for name in METHODS]
    weights = [torch.cat([w.flatten() for w in m.encoder.parameters()]) for m in methods]
    masks = [mask_of(m, digits[:5]).is_masked for m in methods]
    for i in range(1, 5):
        assert torch.equal(weights[i], weights[0])
        assert torch.equal(masks[i], masks[0])


@pytest.mark.parametrize("name", METHODS)
def test_state_round_trips_exactly(name: str, digits: Tensor) -> None:
    """A new method with the saved state says the same and goes on the same, unprepared."""
    method = build(name, digits)
    train(method, digits, 3)
    other = build_method(name, CONFIG, generator=generator(8), **OPTIONS.get(name, {}))
    other.load_state_dict(method.state_dict())
    assert train(other, digits, 3) == train(method, digits, 3)
    for key, value in method.state_dict().items():
        assert torch.equal(other.state_dict()[key], value), key


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_runs(name: str, digits: Tensor) -> None:
    """Under bfloat16 autocast the loss is single and near the plain one, gradients are finite."""
    method = build(name, digits)
    plain = method.compute_loss(digits[:32], generator=generator(7)).loss.item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = method.compute_loss(digits[:32], generator=generator(7))
    assert result.loss.dtype == torch.float32
    assert result.n_images == 32
    assert result.loss.item() == pytest.approx(plain, rel=0.03)
    result.loss.backward()
    assert all(bool(w.grad.isfinite().all()) for w in method.parameters() if w.requires_grad)


def is_leaking(method: Method, images: Tensor) -> bool:
    """Ask the detector whether predictions of masked patches depend on masked pixels."""
    mask = mask_of(method, images)

    def predict(patches: Tensor) -> Tensor:
        found = method.predict(unpatchify(patches, (2, 2), (4, 4)), mask)
        empty = found.new_zeros(len(patches), 16, found.shape[2])
        return empty.scatter(1, mask.masked[:, :, None].expand_as(found), found)

    patches = patchify(images, (2, 2))
    return detect_gradient_leak(predict, patches, mask.is_masked, generator=generator(0)).is_failure


@pytest.mark.parametrize("name", METHODS)
def test_no_method_leaks(name: str, digits: Tensor) -> None:
    """The gradient of what is predicted for masked patches is exactly 0 at masked pixels."""
    assert not is_leaking(build(name, digits), digits[:4])


def test_a_planted_leak_is_one(digits: Tensor) -> None:
    """Mask tokens that carry pixels are found by the same question."""
    planted = plant("leaking-mask-tokens", CONFIG, generator=generator(0))
    assert is_leaking(planted, digits[:4])


def test_a_planted_missing_stop_is_one(digits: Tensor) -> None:
    """Without the stop the gradient flows through the target, which changes the encoder's."""
    healthy = build("latents", digits)
    planted = plant("no-stop-gradient", CONFIG, generator=generator(0))
    for method in (healthy, planted):
        method.compute_loss(digits[:8], generator=generator(0)).loss.backward()
    assert torch.equal(healthy.head.weight.grad, planted.head.weight.grad)
    assert not torch.allclose(
        healthy.encoder.embed.weight.grad, planted.encoder.embed.weight.grad, rtol=0.1
    )


@pytest.mark.parametrize("name", PLANTED)
def test_planted_failures_train(name: str, digits: Tensor) -> None:
    """Each planted failure runs and its loss falls, which is why it can pass unseen."""
    losses = train(plant(name, CONFIG, generator=generator(0)), digits, 30)
    assert losses[-1] < losses[0]


def test_counted_patches_by_hand() -> None:
    """Masked and visible patches come in the mask's order, all in their places."""
    values = torch.arange(4.0)[None, :, None]
    mask = Mask(
        visible=torch.tensor([[2]]),
        masked=torch.tensor([[3, 0, 1]]),
        is_masked=torch.tensor([[True, True, False, True]]),
        restore=torch.tensor([[2, 3, 0, 1]]),
    )
    picked = {on: pick_counted(values, mask, on) for on in ("masked", "visible", "all")}
    assert {on: part.flatten().tolist() for on, part in picked.items()} == {
        "masked": [3, 0, 1],
        "visible": [2],
        "all": [0, 1, 2, 3],
    }


def test_mask_tokens_in_the_encoder_are_the_only_change(digits: Tensor) -> None:
    """By hand: all places encoded, then the decoder on the same places, with no token of its own.

    The first weights are those of the method; masked patches still do not reach a prediction.
    """
    method, plain = build("mae", digits, encoder_sees="all"), build("mae", digits)
    assert isinstance(method, MaeMethod)
    images = digits[:5]
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(method.state_dict()[name], weight)
    mask = mask_of(method, images)
    patches = patchify(images, (2, 2))
    hidden = mask.is_masked[:, :, None]
    encoder, decoder = method.encoder, method.decoder
    places = torch.where(hidden, method.mask_token, encoder.embed(patches))
    tokens = torch.cat(
        [encoder.cls_token.expand(5, 1, -1), places + encoder.positions(None)[1:]], dim=1
    )
    for block in encoder.blocks:
        tokens = block(tokens)
    tokens = decoder.embed(encoder.norm(tokens)) + decoder.positions(None)
    for block in decoder.blocks:
        tokens = block(tokens)
    wanted = take(decoder.head(decoder.norm(tokens))[:, 1:], mask.masked)
    torch.testing.assert_close(method.predict(images, mask), wanted, rtol=1e-4, atol=1e-5)
    swapped = torch.where(hidden, patches.roll(1, dims=0), patches)
    other = unpatchify(swapped, (2, 2), method.config.grid)
    assert torch.equal(method.predict(images, mask), method.predict(other, mask))
    assert not method.decoder.mask_token.requires_grad


def test_the_variance_of_targets_by_hand() -> None:
    """Values 0 and 2 in one place, 5 and 5 in the other: variances 1 and 0, mean 0.5."""
    assert measure_variance(torch.tensor([[[0.0, 5.0]], [[2.0, 5.0]]])) == 0.5
    assert measure_variance(torch.ones(1, 1, 3)) == 0.0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("beit", {}, "method 'beit' is not known; allowed: latents, mae, maskfeat, simmim, tokens"),
        ("simim", {}, "method 'simim' is not known; did you mean 'simmim'"),
        ("mae", {"xyz": 4}, "xyz: no option of mae; allowed: encoder_sees, loss_on, sampling"),
        ("tokens", {"sample": "grid"}, "sample: no option of tokens; did you mean 'sampling'"),
        ("mae", {"sampling": "rows"}, "sampling='rows': one of uniform, block, grid is wanted"),
        ("latents", {"loss_on": "some"}, "loss_on='some': one of masked, visible, all is wanted"),
        ("mae", {"target": "latents"}, "target='latents': one of pixels, hog, features is wanted"),
        ("tokens", {"n_codes": 1}, "n_codes=1: 2 codes or more"),
        ("latents", {"momentum": 1.0}, "momentum=1.0: at least 0 and below 1"),
        ("latents", {"beta": 0.0}, "beta=0.0: a number above 0"),
        ("latents", {"n_layers": 3}, "n_layers=3: 1 to 2 blocks can be averaged"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, object], message: str) -> None:
    """A method or option that is not known or allowed is named with what is."""
    with pytest.raises(ParameterError, match=message):
        build_method(name, CONFIG, generator=generator(0), **options)


def test_a_teacher_without_use_is_refused() -> None:
    """A teacher for a target of pixels would be ignored."""
    with pytest.raises(ParameterError, match="teacher has no use for target='pixels'"):
        build_method(
            "mae",
            CONFIG,
            generator=generator(0),
            teacher=Encoder(CONFIG, generator=generator(0)),
        )


@pytest.mark.parametrize("name", METHODS)
def test_other_images_and_progress_are_refused(name: str, digits: Tensor) -> None:
    """Images of another size are refused at each door, and progress in percent."""
    method, larger = build(name, digits), torch.zeros(2, 1, 8, 10)
    message = r"shape \(2, 1, 8, 10\) arrived; the method takes \(batch, 1, 8, 8\)"
    with pytest.raises(ParameterError, match=message):
        method.compute_loss(larger, generator=generator(0))
    with pytest.raises(ParameterError, match=message):
        method.prepare(larger, generator=generator(0))
    with pytest.raises(ParameterError, match=r"progress=50\.0: a share from 0 to 1"):
        method.after_step(progress=50.0)


def test_tokens_need_their_codebook(digits: Tensor) -> None:
    """A method of tokens that was not prepared says so."""
    method = build_method("tokens", CONFIG, generator=generator(0))
    with pytest.raises(ParameterError, match="codebook is empty"):
        method.compute_loss(digits[:2], generator=generator(0))


def test_every_option_has_its_line() -> None:
    """Each option of a method's class stands in its docstring or in that of all methods."""
    for method in METHODS.values():
        for option in list(inspect.signature(method).parameters)[1:]:
            assert f"    {option} : " in (method.__doc__ or "") + (Method.__doc__ or ""), option


def test_a_call_is_the_loss(digits: Tensor) -> None:
    """Calling a method, as DistributedDataParallel does, computes its loss."""
    method = build("latents", digits)
    called = method(digits[:4], generator=generator(3))
    assert torch.equal(called.loss, method.compute_loss(digits[:4], generator=generator(3)).loss)
