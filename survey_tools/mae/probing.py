"""Probes of checkpoints: read the encoder, open the data, score, average over seeds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from survey_tools.errors import DataError
from survey_tools.mae.config import ModelConfig, describe_difference
from survey_tools.mae.evaluating import ProbeSettings, evaluate_encoder, summarise
from survey_tools.mae.image_set import ImageSet, Split
from survey_tools.mae.repeats import Repeats
from survey_tools.mae.sources import name_data, open_images, read_folder
from survey_tools.mae.training_folder import load_encoder
from survey_tools.progress import CountProgress, ignore_progress

__all__ = ["open_probe_images", "probe_checkpoints"]


def open_probe_images(
    data: str, split: Split, config: ModelConfig, *, n_threads: int = 0
) -> ImageSet:
    """Open a part of digits, shapes or a folder with what can be told of its images.

    Raises
    ------
    DataError
        If a folder has one class alone, or its parts have different classes.
    ParameterError
        If the images do not fit the config.
    """
    if data in ("digits", "shapes"):
        return open_images(data, split, config)
    images, labels = read_folder(data, split, config, n_threads=n_threads)
    names = tuple(str(label) for label in range(int(labels.max()) + 1))
    return ImageSet(
        name=f"{data}, {split}",
        images=images,
        numbers=np.arange(len(images)),
        labels={"class": labels},
        class_names={"class": names},
        quantities={},
    )


def probe_checkpoints(
    checkpoints: Sequence[Path],
    data: str | None = None,
    *,
    settings: ProbeSettings | None = None,
    device: str = "cpu",
    n_threads: int = 0,
    progress: CountProgress = ignore_progress,
) -> dict[tuple[str, str, str], Repeats]:
    """Probe the encoders of checkpoints that differ in their seed alone.

    Parameters
    ----------
    data : str, optional
        digits, shapes or a folder; by default what the first was trained on.

    Returns
    -------
    dict
        See `survey_tools.mae.evaluating.summarise`.

    Raises
    ------
    DataError
        If the checkpoints are of other methods or configs, naming the fields.
    """
    loaded = [load_encoder(path, device=device) for path in checkpoints]
    if not loaded:
        raise DataError("no checkpoint to probe; name one or more")
    first = loaded[0][1]
    for path, (_, other) in zip(checkpoints[1:], loaded[1:], strict=True):
        differing = describe_difference(first.config, other.config)
        if first.method != other.method:
            differing = f"method: {first.method!r} and {other.method!r}"
        if differing:
            raise DataError(
                f"{checkpoints[0]} and {path} are not repeats of one training; they differ in "
                f"{differing}. Probe them one by one"
            )
    data = name_data(data or first.recipe.data)
    train, test = (
        open_probe_images(data, split, first.config, n_threads=n_threads)
        for split in ("train", "test")
    )
    runs = []
    for i, (encoder, _) in enumerate(loaded):
        runs.append(evaluate_encoder(encoder, train, test, settings=settings))
        progress(i + 1, len(loaded))
    return summarise(runs)
