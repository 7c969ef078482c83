"""The folder of a training: what is asked, the state, the history, and the manifest."""

import csv
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from survey_tools.errors import DataError, OutputError, ParameterError, abbreviate
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
from survey_tools.mae.checkpoint import Checkpoint, list_differences, read_checkpoint
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.detectors import Detection
from survey_tools.mae.encoder import Encoder
from survey_tools.mae.history import HistoryRow, HistoryWriter, read_history
from survey_tools.mae.image_set import standardise
from survey_tools.mae.inspecting import inspect_training
from survey_tools.mae.methods import Method, build_method
from survey_tools.mae.pictures import Pictures
from survey_tools.mae.processes import Processes, choose_device
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.reconstruction import predicts_masked_pixels, reconstruct
from survey_tools.mae.sources import (
    READING,
    Reading,
    Source,
    draw_images,
    name_unreadable,
    open_training,
)
from survey_tools.mae.training import Trainer
from survey_tools.output import MANIFEST, digest_of_file, list_files
from survey_tools.progress import ignore_progress

__all__ = ["COMMAND", "TrainingFolder", "TrainingPlan", "load_encoder", "train_in_folder"]

logger = logging.getLogger(__name__)

COMMAND = "mae train"
_CONFIG, _CHECKPOINT, _HISTORY = "config.json", "checkpoint.pt", "history.csv"
_DETECTIONS = "detections.csv"
_N_INSPECTED = 256  # images that the detectors look at
_N_SHOWN = 8  # test images that are reconstructed at the end
_LIBRARIES = ("survey-tools", "torch", "numpy")

Finish = Callable[[Path, tuple[HistoryRow, ...], Pictures | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """All that is asked of a training.

    Attributes
    ----------
    method : str
    config : ModelConfig
    recipe : Recipe
    options : mapping of str to Any
        Of the method.
    """

    method: str
    config: ModelConfig
    recipe: Recipe
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "method": self.method,
            "options": dict(self.options),
            "config": self.config.to_dict(),
            "recipe": self.recipe.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainingPlan":
        """Build the plan that ``to_dict`` wrote.

        Raises
        ------
        ParameterError
            If a part is missing or not allowed.
        """
        missing = [name for name in ("method", "config", "recipe") if name not in data]
        if missing:
            raise ParameterError(f"a plan of a training without {', '.join(missing)}")
        return cls(
            method=data["method"],
            options=data.get("options", {}),
            config=ModelConfig.from_dict(data["config"]),
            recipe=Recipe.from_dict(data["recipe"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFolder:
    """Where a training writes."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """File of the state."""
        return self.path / _CHECKPOINT

    @property
    def history(self) -> Path:
        """File of one row a step."""
        return self.path / _HISTORY

    def read_plan(self) -> TrainingPlan:
        """Read what was asked of the training in this folder.

        Raises
        ------
        DataError
            If it holds no training.
        """
        try:
            return TrainingPlan.from_dict(json.loads((self.path / _CONFIG).read_bytes()))
        except FileNotFoundError:
            raise DataError(
                f"{self.path}: holds no training to go on with; leave --resume out"
            ) from None
        except (OSError, ValueError, TypeError, AttributeError, ParameterError) as error:
            raise DataError(f"{self.path / _CONFIG}: is damaged ({error})") from None

    def check_plan(self, plan: TrainingPlan) -> None:
        """Refuse a plan other than the one of the training in this folder.

        Raises
        ------
        DataError
            Naming the parts that differ.
        """
        differing = list_differences(self.read_plan(), plan)
        if differing:
            raise DataError(
                f"{self.path}: is of another training; {_CONFIG} and what is asked differ in "
                f"{'; '.join(differing)}. Ask for the same, or train anew in another folder"
            )

    def begin(self, plan: TrainingPlan) -> None:
        """Make the folder and write the plan.

        Raises
        ------
        OutputError
            If the folder holds files already, or cannot be written.
        """
        try:
            present = list_files(self.path) if self.path.is_dir() else []
            if present:
                raise OutputError(
                    f"{self.path}: holds files already ({abbreviate(present, 3)}); go on with "
                    "--resume, or name another folder"
                )
            self.path.mkdir(parents=True, exist_ok=True)
            _write_json(self.path / _CONFIG, plan.to_dict())
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror or error})"
            ) from None

    def write_detections(self, detections: Sequence[Detection]) -> None:
        """Write what the detectors of failure signatures say, and warn of failures."""
        names = [field.name for field in fields(Detection)]
        path = self.path / _DETECTIONS
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(names)
            table.writerows([getattr(found, name) for name in names] for found in detections)
        partial.replace(path)
        for found in detections:
            if found.is_failure:
                logger.warning("%s", found.verdict)

    def write_manifest(self, plan: TrainingPlan, *, device: str, n_ranks: int) -> None:
        """Write what another person needs to repeat the training, and digests of all files."""
        data = {
            "command": COMMAND,
            "versions": {name: version(name) for name in _LIBRARIES},
            "seed": plan.recipe.seed,
            "device": device,
            "n_ranks": n_ranks,
            "settings": plan.to_dict(),
            "recipe_digest": plan.recipe.digest,
            "outputs": {
                name: digest_of_file(self.path / name)
                for name in list_files(self.path)
                if name != MANIFEST
            },
        }
        _write_json(self.path / MANIFEST, data)


def train_in_folder(
    plan: TrainingPlan,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    processes: Processes,
    reading: Reading = READING,
    save_every: int = 250,
    progress: Callable[[HistoryRow, int], None] = ignore_progress,
    finish: Finish = ignore_progress,
) -> tuple[HistoryRow, ...]:
    """Train by a plan; write config, checkpoint, history and manifest into a folder.

    Parameters
    ----------
    resume : bool
        Go on with the training in the folder, which must be of the same plan.
    reading : Reading
        Of the files of a folder of images.
    progress : callable
        Takes the row of each step and the number of all steps.
    finish : callable
        Takes folder, history, and reconstructions of some test images where the method predicts
        pixels and the data are ours; called at the end, before the manifest is written: draws.

    Returns
    -------
    tuple of HistoryRow
        All steps, also those before a resumption; empty on processes but the first.

    Raises
    ------
    SurveyToolsError
        See `survey_tools.mae.training.Trainer`.
    KeyboardInterrupt
        At Ctrl-C, after a checkpoint.
    """
    folder = TrainingFolder(path=out)
    chosen = choose_device(device, processes)
    source = open_training(plan.recipe.data, plan.config, reading=reading)
    generator = keyed_generator(plan.recipe.seed, FIRST_WEIGHTS)
    method = build_method(plan.method, plan.config, generator=generator, **plan.options)
    trainer = Trainer(
        method, source, plan.recipe, options=plan.options, device=chosen, processes=processes
    )
    if resume and folder.checkpoint.exists():
        trainer.restore(read_checkpoint(folder.checkpoint), path=folder.checkpoint)
    elif resume:
        folder.check_plan(plan)
    elif processes.is_first:
        folder.begin(plan)
    if not processes.is_first:
        try:
            trainer.run()
        finally:
            name_unreadable(source)
        return ()
    n_steps = trainer.schedule.n_steps
    history = HistoryWriter(folder.history, after_step=trainer.step)
    try:

        def report(row: HistoryRow) -> None:
            history.append(row)
            progress(row, n_steps)

        trainer.run(report=report, checkpoint=folder.checkpoint, save_every=save_every)
    finally:
        history.close()
        name_unreadable(source)
    rows = read_history(folder.history)
    folder.write_detections(_inspect(trainer.method, source, plan, rows))
    finish(out, rows, _reconstruct(trainer.method, source, plan))
    folder.write_manifest(plan, device=str(chosen), n_ranks=processes.n_ranks)
    return rows


def _inspect(
    method: Method, source: Source, plan: TrainingPlan, rows: tuple[HistoryRow, ...]
) -> tuple[Detection, ...]:
    """Ask the detectors about some images: of the test where data are ours, else of training."""
    scale = getattr(source, "scale", None)
    if scale is not None:
        test = draw_images(plan.recipe.data, "test", plan.config, n_images=_N_INSPECTED)
        images = standardise(test, scale).images
    else:
        size = min(_N_INSPECTED, source.n_images)
        batches = BatchPlan(batch_size=size, is_training=True, seed=plan.recipe.seed)
        images = next(iter(source.batches(batches, epoch=0, first=0))).images
    return inspect_training(method, rows, images, seed=plan.recipe.seed)


def _reconstruct(method: Method, source: Source, plan: TrainingPlan) -> Pictures | None:
    """Let a trained method reconstruct the first test images of digits or shapes."""
    scale = getattr(source, "scale", None)
    if scale is None or not predicts_masked_pixels(method):
        return None
    images = draw_images(plan.recipe.data, "test", plan.config, n_images=_N_SHOWN)
    return reconstruct(method, standardise(images, scale), scale, seed=plan.recipe.seed)


def load_encoder(checkpoint: Path, *, device: str = "cpu") -> tuple[Encoder, Checkpoint]:
    """Read the encoder of a checkpoint, without the rest of its method.

    Parameters
    ----------
    checkpoint : Path
        The file, or the folder of its training.

    Raises
    ------
    DataError
        If the file is no checkpoint.
    """
    if checkpoint.is_dir():
        checkpoint = TrainingFolder(path=checkpoint).checkpoint
    found = read_checkpoint(checkpoint)
    encoder = Encoder(found.config, generator=keyed_generator(0, FIRST_WEIGHTS))
    start = "encoder."
    weights = {
        name.removeprefix(start): value
        for name, value in found.weights.items()
        if name.startswith(start)
    }
    encoder.load_state_dict(weights)
    return encoder.to(choose_device(device)).eval(), replace(found, weights={}, optimiser={})


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
