"""Fine-tuning: a pre-trained encoder is trained further with labels, and tested."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.chance import FIRST_WEIGHTS, MASKS, MIXING, keyed_generator
from survey_tools.mae.classifier import Classifier, mix_images, spread_labels
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.execution import autocast, compile_blocks
from survey_tools.mae.few_labels import draw_few
from survey_tools.mae.optimising import Schedule, build_optimiser, group_parameters, set_rate
from survey_tools.mae.repeats import Repeats, summarise_repeats
from survey_tools.mae.training import DivergedError
from survey_tools.mae.tuning_recipe import TuningRecipe
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["LabelledArrays", "TuningScore", "fine_tune", "fine_tune_few"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledArrays:
    """Images in memory with their classes: a source for training on labels.

    Attributes
    ----------
    images : ndarray of float32, shape (n_images, channels, height, width)
        Standardised as in pre-training.
    labels : ndarray of int, shape (n_images,)
        From 0.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningScore:
    """How well a fine-tuned encoder told the classes of the test images.

    Attributes
    ----------
    accuracy : float
        Share of test images whose class is right, after the last step.
    log_loss : float
        Mean negative log-probability of the true class, in nats.
    losses : tuple of float
        Training loss of each step.
    """

    accuracy: float
    log_loss: float
    losses: tuple[float, ...]


def fine_tune(
    encoder: Encoder,
    train: LabelledArrays,
    test: LabelledArrays,
    tuning: TuningRecipe,
    *,
    device: torch.device | str = "cpu",
    progress: CountProgress = ignore_progress,
) -> TuningScore:
    """Train a copy of an encoder with a linear head on labels; test it once, at the end.

    Parameters
    ----------
    encoder : Encoder
        Stays as it is.
    tuning : TuningRecipe
        The seed of its recipe is that of head, order and mixing.
    progress : callable
        Takes steps done and all steps.

    Raises
    ------
    DataError
        If parts do not fit together, or a class stands in the test images only.
    ParameterError
        If a batch is larger than the training data.
    DivergedError
        If the loss is not finite, of training or of the test.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, appendix A.1.
    """
    n_classes = _count_classes(train, test)
    recipe, device = tuning.recipe, torch.device(device)
    if tuning.trained == "head" and min(recipe.micro_batch or 2, recipe.batch_size) < 2:
        raise ParameterError("a head alone is trained on 2 images at once or more (batch norm)")
    plan = BatchPlan(batch_size=recipe.batch_size, is_training=True, seed=recipe.seed)
    schedule = Schedule.of(recipe, plan.n_batches(len(train.images)))
    head = keyed_generator(recipe.seed, FIRST_WEIGHTS)
    network = Classifier(encoder, n_classes, tuning, generator=head).to(device)
    if recipe.compiled:
        compile_blocks(network)
    optimiser = build_optimiser(
        group_parameters(
            network.named_parameters(),
            weight_decay=recipe.weight_decay,
            layer_decay=tuning.layer_decay,
            n_blocks=len(encoder.blocks),
        ),
        recipe,
    )
    losses = []
    for step, rows in enumerate(_rows(plan, len(train.images), schedule.n_steps)):
        images = torch.from_numpy(train.images[rows]).to(device)
        labels = torch.from_numpy(train.labels[rows].astype(np.int64)).to(device)
        targets = spread_labels(labels, n_classes, tuning.label_smoothing)
        generator = keyed_generator(recipe.seed, MIXING, step)
        images, targets = mix_images(
            images, targets, mixup=tuning.mixup, cutmix=tuning.cutmix, generator=generator
        )
        set_rate(optimiser, schedule.rate(step))
        optimiser.zero_grad(set_to_none=True)
        loss = _differentiate(network, images, targets, tuning, step)
        if not np.isfinite(loss):
            raise _diverged(f"at step {step + 1} of {schedule.n_steps}")
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimiser.step()
        losses.append(loss)
        progress(step + 1, schedule.n_steps)
    accuracy, log_loss = _test(network, test, device)
    if not np.isfinite(log_loss):
        raise _diverged(f"after {schedule.n_steps} steps")
    return TuningScore(accuracy=accuracy, log_loss=log_loss, losses=tuple(losses))


def fine_tune_few(
    encoder: Encoder,
    train: LabelledArrays,
    test: LabelledArrays,
    tuning: TuningRecipe,
    *,
    n_per_class: int,
    n_draws: int = 5,
    device: torch.device | str = "cpu",
    confidence: float = 0.95,
) -> Repeats:
    """Fine-tune on few labels a class, several times, and test on all test images.

    Draw i is keyed by (seed, n_per_class, i), as in
    `survey_tools.mae.few_labels.score_few_labels`: both train on the same images. A batch larger
    than those images is cut to them; the peak rate then falls with it.

    Returns
    -------
    Repeats
        Accuracy of each draw, their mean and its interval over draws.

    Raises
    ------
    ParameterError
        If a class has too few images, or there are no draws.
    """
    if n_draws < 1:
        raise ParameterError(f"n_draws must be 1 or more; {n_draws} arrived")
    accuracies = []
    for i in range(n_draws):
        rng = np.random.default_rng([tuning.recipe.seed, n_per_class, i])
        rows = draw_few(train.labels, n_per_class, rng)
        few = LabelledArrays(images=train.images[rows], labels=train.labels[rows])
        recipe = replace(
            tuning.recipe,
            batch_size=min(tuning.recipe.batch_size, len(rows)),
            seed=int(rng.integers(2**31)),
        )
        score = fine_tune(encoder, few, test, replace(tuning, recipe=recipe), device=device)
        accuracies.append(score.accuracy)
    return summarise_repeats(accuracies, confidence=confidence)


def _diverged(when: str) -> DivergedError:
    return DivergedError(
        f"the loss of fine-tuning is not finite {when}; take a smaller base_rate or set clip_norm"
    )


def _count_classes(train: LabelledArrays, test: LabelledArrays) -> int:
    for part, name in ((train, "training"), (test, "test")):
        if not len(part.images) or part.labels.shape != (len(part.images),):
            raise DataError(
                f"{len(part.images)} {name} images, but labels of shape {part.labels.shape}"
            )
    classes = np.unique(train.labels)
    if len(classes) < 2:
        raise DataError(
            f"all {len(train.labels)} training images are of class {classes[0]}; fine-tuning "
            "needs two classes or more"
        )
    unseen = np.setdiff1d(test.labels, classes)
    if len(unseen) or classes[0] < 0:
        raise DataError(
            "labels must be classes from 0, and each of the test images' must have a training "
            f"image; {', '.join(map(str, unseen[:5])) or classes[0]} arrived"
        )
    return int(classes[-1]) + 1


def _rows(plan: BatchPlan, n_images: int, n_steps: int) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each step."""
    n_each = plan.n_batches(n_images)
    for step in range(0, n_steps, n_each):
        batches = list(plan.split(n_images, epoch=step // n_each))
        yield from batches[: n_steps - step]


def _differentiate(
    network: Classifier, images: Tensor, targets: Tensor, tuning: TuningRecipe, step: int
) -> float:
    """Sum up the gradients of a batch; torch's own chance is seeded for dropped branches."""
    recipe = tuning.recipe
    network.train()
    if tuning.trained == "head":
        network.encoder.eval()
    # parts of nearly one size: the batch norm of a head alone needs two images or more in each
    n_parts, total = -(-len(images) // (recipe.micro_batch or len(images))), 0.0
    devices = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(keyed_generator(recipe.seed, MASKS, step).initial_seed())
        for part, wanted in zip(
            images.tensor_split(n_parts), targets.tensor_split(n_parts), strict=True
        ):
            with autocast(recipe, images.device):
                scores = network(part)  # (n, n_classes)
            loss = functional.cross_entropy(scores.float(), wanted) * len(part) / len(images)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
    return total


@torch.no_grad()
def _test(network: Classifier, test: LabelledArrays, device: torch.device) -> tuple[float, float]:
    """Return accuracy and log loss, in single precision."""
    network.eval()
    n_right, total, size = 0, 0.0, 256
    for first in range(0, len(test.images), size):
        images = torch.from_numpy(test.images[first : first + size]).to(device)
        labels = torch.from_numpy(test.labels[first : first + size].astype(np.int64)).to(device)
        scores = network(images).float()  # (n, n_classes)
        n_right += int((scores.argmax(dim=1) == labels).sum())
        total += float(functional.cross_entropy(scores, labels, reduction="sum"))
    return n_right / len(test.images), total / len(test.images)
