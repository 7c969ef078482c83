"""Probes of trained encoders: read them, encode the images, score, average over seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.checkpoint import Checkpoint, list_differences
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.evaluating import (
    ProbeScore,
    ProbeSettings,
    draw_rows,
    evaluate_features,
    summarise,
)
from survey_tools.mae.features import extract_features
from survey_tools.mae.finetune import LabelledArrays, fine_tune, fine_tune_few
from survey_tools.mae.image_set import Factors, ImageSet
from survey_tools.mae.published_folder import is_published, read_folder
from survey_tools.mae.repeats import Repeats
from survey_tools.mae.sources import (
    READING,
    MemorySource,
    Reading,
    Source,
    name_data,
    name_unreadable,
    open_folder,
    open_images,
)
from survey_tools.mae.training_folder import load_encoder
from survey_tools.mae.tuning_recipe import TuningRecipe
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["ProbeReport", "probe_checkpoints"]

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What probes found.

    Attributes
    ----------
    data : str
        What they were trained and tested on.
    n_train, n_test : int
        Images, without those that could not be read.
    scores : mapping
        See `survey_tools.mae.evaluating.summarise`.
    """

    data: str
    n_train: int
    n_test: int
    scores: dict[tuple[str, str, str], Repeats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """The images of training or test, and what is known of them."""

    source: Source
    factors: Factors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Encoded:
    """A part as the encoders see it: its images, if they were kept, and features by encoder."""

    factors: Factors
    images: NDArray[np.float32] | None
    features: tuple[NDArray[np.float32], ...]

    @property
    def n_images(self) -> int:
        return len(self.features[0])


def probe_checkpoints(
    checkpoints: Sequence[Path],
    data: str | None = None,
    *,
    settings: ProbeSettings | None = None,
    tuning: TuningRecipe | None = None,
    device: str = "cpu",
    reading: Reading = READING,
    progress: CountProgress = ignore_progress,
) -> ProbeReport:
    """Probe the encoders of trainings that differ in their seed alone.

    Images are encoded as they are read, and not held in memory, unless encoders are fine-tuned.

    Parameters
    ----------
    checkpoints : sequence of Path
        Checkpoints or the folders of trainings; or one folder as Hugging Face's
        ``save_pretrained`` writes it.
    data : str, optional
        digits, shapes or a folder; by default what the first was trained on.
    tuning : TuningRecipe, optional
        Fine-tune copies of the encoders, too: on all training images that are probed, and on few
        labels a class. Images are then held in memory: 0.6 GB for a thousand of 224 pixels.
    reading : Reading
        Of the files of a folder.
    progress : callable
        Takes encoders done and all encoders.

    Raises
    ------
    DataError
        If trainings differ in more than the seed, naming the fields; or not even in that; or the
        data have one class alone, or other classes in their two parts.
    ParameterError
        If the images do not fit the config, or no data are named for a published model.
    """
    if not checkpoints:
        raise DataError("no checkpoint to probe; name one or more")
    encoders, trained_on = _read_encoders(checkpoints, device)
    if data is None and trained_on is None:
        raise ParameterError(f"{checkpoints[0]}: does not say what to probe it on; give --data")
    name, settings = name_data(data or trained_on or ""), settings or ProbeSettings()
    parts = _open_parts(name, encoders[0].config, settings, reading)
    train, test = (
        _encode(encoders, part, settings, keeps_images=tuning is not None) for part in parts
    )
    runs = []
    for i, encoder in enumerate(encoders):
        scores = evaluate_features(
            train.features[i], train.factors, test.features[i], test.factors, settings=settings
        )
        tuned = _fine_tune(encoder, train, test, tuning, settings) if tuning else ()
        runs.append((*scores, *tuned))
        progress(i + 1, len(encoders))
    return ProbeReport(
        data=name, n_train=train.n_images, n_test=test.n_images, scores=summarise(runs)
    )


def _read_encoders(paths: Sequence[Path], device: str) -> tuple[list[Encoder], str | None]:
    """Return the encoders, and what they were trained on where that is known."""
    published = [path for path in paths if is_published(path)]
    if published and len(paths) > 1:
        raise DataError(f"{published[0]}: a published model is probed alone; it has no repeats")
    if published:
        return [read_folder(published[0]).encoder.to(device).eval()], None
    loaded = [load_encoder(path, device=device) for path in paths]
    _check_repeats(paths, [checkpoint for _, checkpoint in loaded])
    return [encoder for encoder, _ in loaded], loaded[0][1].recipe.data


def _check_repeats(paths: Sequence[Path], checkpoints: Sequence[Checkpoint]) -> None:
    first, seeds = checkpoints[0], {checkpoints[0].recipe.seed: paths[0]}
    for path, other in zip(paths[1:], checkpoints[1:], strict=True):
        seed = other.recipe.seed
        alike = replace(other, recipe=replace(other.recipe, seed=first.recipe.seed))
        if differing := list_differences(first, alike, "step"):
            raise DataError(
                f"{paths[0]} and {path} are not repeats of one training; they differ in "
                f"{'; '.join(differing)}. Probe them one by one"
            )
        if seed in seeds:
            raise DataError(
                f"{seeds[seed]} and {path} have the same seed, {seed}: the same training twice "
                "says nothing of the spread. Train with another --seed"
            )
        seeds[seed] = path


def _open_parts(
    data: str, config: ModelConfig, settings: ProbeSettings, reading: Reading
) -> Iterator[_Part]:
    """Open training images, so many as are asked for, and test images."""
    if data in ("digits", "shapes"):
        for split in ("train", "test"):
            images: ImageSet = open_images(data, split, config)
            if split == "train":
                images = images.select(draw_rows(images.factors, settings))
            yield _Part(source=MemorySource(images=images), factors=images.factors)
        return
    from survey_tools.mae.folder import find_splits

    for split, folder in zip(("train", "test"), find_splits(Path(data)), strict=True):
        factors = Factors(name=f"{data}, {split}", labels={"class": folder.labels}, quantities={})
        rows = draw_rows(factors, settings) if split == "train" else np.arange(folder.n_images)
        yield _Part(
            source=open_folder(folder.select(rows), config, reading), factors=factors.select(rows)
        )


def _encode(
    encoders: Sequence[Encoder], part: _Part, settings: ProbeSettings, *, keeps_images: bool
) -> _Encoded:
    plan = BatchPlan(batch_size=_BATCH, is_training=False)
    rows: list[NDArray[np.intp]] = []
    images: list[NDArray[np.float32]] = []
    features: list[list[NDArray[np.float32]]] = [[] for _ in encoders]
    try:
        for batch in part.source.batches(plan, epoch=0, first=0):
            rows.append(batch.rows)
            images += [batch.images] if keeps_images else []
            for found, encoder in zip(features, encoders, strict=True):
                found.append(extract_features(encoder, batch.images, pooling=settings.pooling))
    finally:
        name_unreadable(part.source)
    return _Encoded(
        factors=part.factors.select(np.concatenate(rows)),
        images=np.concatenate(images) if keeps_images else None,
        features=tuple(np.concatenate(found) for found in features),
    )


def _fine_tune(
    encoder: Encoder,
    train: _Encoded,
    test: _Encoded,
    tuning: TuningRecipe,
    settings: ProbeSettings,
) -> Iterator[ProbeScore]:
    """Fine-tune copies of an encoder on each factor with classes."""
    if train.images is None or test.images is None:
        raise ParameterError("fine-tuning needs the images themselves")
    device = encoder.embed.weight.device
    for factor, labels in train.factors.labels.items():
        training = LabelledArrays(images=train.images, labels=labels)
        testing = LabelledArrays(images=test.images, labels=test.factors.labels[factor])
        found = {"fine-tune": fine_tune(encoder, training, testing, tuning, device=device).accuracy}
        if int(np.bincount(labels).min()) >= settings.n_per_class:
            few = fine_tune_few(
                encoder,
                training,
                testing,
                tuning,
                n_per_class=settings.n_per_class,
                n_draws=settings.n_draws,
                device=device,
            )
            found["fine-tune, few labels"] = few.mean
        for probe, value in found.items():
            yield ProbeScore(probe=probe, factor=factor, measure="accuracy", value=value)
