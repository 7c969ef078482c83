"""The commands mae train, mae probe and mae bench: pre-train small networks and test them."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from survey_tools.cli.mae_bar import training_bar
from survey_tools.cli.progress import stage_bar
from survey_tools.cli.runner import JsonOption, resume_command, write_json
from survey_tools.cli.terminal import (
    EXIT_INTERRUPTED,
    DebugOption,
    QuietOption,
    log_to_stderr,
    one_line,
    one_line_errors,
    parse_assignments,
)

if TYPE_CHECKING:
    from survey_tools.mae.history import HistoryRow
    from survey_tools.mae.pictures import Pictures
    from survey_tools.mae.repeats import Repeats
    from survey_tools.mae.training_folder import TrainingPlan

__all__ = ["mae_app"]

mae_app = typer.Typer(
    name="mae",
    help="Pre-train masked autoencoders and their relatives, probe and time them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

MethodOption = Annotated[
    str, typer.Option("--method", metavar="NAME", help="mae, simmim, maskfeat, tokens or latents.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:NUMBER or auto.")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=0, help="Threads that read the files of a folder.")
]
UnreadableOption = Annotated[
    float,
    typer.Option(
        "--most-unreadable",
        metavar="SHARE",
        help="Share of a folder's files that may be unreadable before that is an error.",
    ),
]
_MOST_UNREADABLE = 0.01


@mae_app.command("train", short_help="Pre-train on digits, textured shapes or a folder.")
def train_command(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder for config.json, checkpoint.pt, history.csv, detections.csv, the plots "
            "and the manifest.",
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="mae, simmim, maskfeat, tokens or latents. Default: mae.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME",
            help="digits, shapes, or a folder that holds train/ with a folder of images a class. "
            "Default: the preset's.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="digits, shapes or imagenet-1k: model and recipe. Default: by the data.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=1,
            help="Optimiser steps, a twentieth of them warm-up. Default: the preset's.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Images a step, on all processes.", show_default=False),
    ] = None,
    mask_ratio: Annotated[
        float | None,
        typer.Option("--mask-ratio", help="Share of the patches masked.", show_default=False),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision", metavar="NAME", help="fp32, or bf16 by autocast.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Of weights, order, crops and masks.", show_default=False
        ),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the blocks by torch.compile.")
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set recipe.FIELD, config.FIELD or method.OPTION, for example "
            "recipe.clip_norm=1.0.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in the folder.")
    ] = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 4,
    most_unreadable: UnreadableOption = _MOST_UNREADABLE,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, help="Steps between two checkpoints.")
    ] = 250,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Pre-train a network by one method and one recipe.

    Ctrl-C saves a checkpoint, from which --resume goes on with the losses that an uninterrupted
    run would have had. torchrun starts several processes, one a GPU.
    """
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        _require_torch()
        from survey_tools.errors import count
        from survey_tools.mae.planning import Wishes, plan_training
        from survey_tools.mae.processes import join_processes
        from survey_tools.mae.sources import Reading
        from survey_tools.mae.training_folder import train_in_folder

        wishes = Wishes(
            method=method,
            data=data,
            preset=preset,
            n_steps=steps,
            batch_size=batch,
            mask_ratio=mask_ratio,
            precision=precision,
            seed=seed,
            compiled=compiled or None,
            fields=parse_assignments(assignments or []),
        )
        with join_processes(device) as processes:
            plan = plan_training(wishes, resumed=out if resume else None)
            is_silent = quiet or not processes.is_first
            try:
                with training_bar(quiet=is_silent) as show:
                    rows = train_in_folder(
                        plan,
                        out,
                        resume=resume,
                        device=device,
                        processes=processes,
                        reading=Reading(n_threads=threads, most_unreadable=most_unreadable),
                        save_every=save_every,
                        progress=show,
                        finish=partial(_draw_training, plan),
                    )
            except KeyboardInterrupt:
                if processes.is_first and (out / "checkpoint.pt").exists():
                    n, words = processes.n_ranks, resume_command("--resume")
                    by = f" by torchrun with {n} processes" if n > 1 else ""
                    typer.echo(
                        f"interrupted; saved in {out}\nresume{by}: {words} --resume", err=True
                    )
                    raise typer.Exit(EXIT_INTERRUPTED) from None
                raise
    if rows and not is_silent:
        last = rows[-1]
        typer.echo(
            f"{plan.method} on {one_line(plan.recipe.data)}: {count(last.step, 'step')}, loss "
            f"{last.loss:.4g}; {one_line(str(out))}"
        )


@mae_app.command("probe", short_help="Tell classes and quantities from features.")
def probe_command(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="Folders of trainings, or their checkpoint.pt, that differ in their seed alone; "
            "intervals are over them. Or one folder in the layout of Hugging Face's ViTMAE.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME",
            help="digits, shapes, or a folder that holds train/ and val/. Default: what the first "
            "was trained on.",
            show_default=False,
        ),
    ] = None,
    pooling: Annotated[
        str, typer.Option("--pooling", metavar="NAME", help="mean, cls or both.")
    ] = "mean",
    most_train: Annotated[
        int, typer.Option("--most-train", min=2, help="Images that probes are trained on at most.")
    ] = 10_000,
    solver: Annotated[
        str,
        typer.Option("--solver", metavar="NAME", help="Of linear probes: scikit-learn or torch."),
    ] = "scikit-learn",
    tuning_steps: Annotated[
        int | None,
        typer.Option(
            "--fine-tune",
            metavar="STEPS",
            min=1,
            help="Fine-tune copies of the encoders for so many steps, too; images are then held "
            "in memory.",
            show_default=False,
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set tuning.FIELD or recipe.FIELD of the fine-tuning, for example "
            "tuning.mixup=0.8.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of folds, of drawn images and of few labels.")
    ] = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 4,
    most_unreadable: UnreadableOption = _MOST_UNREADABLE,
    json_file: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Probe trained encoders: linear, few labels, nearest neighbours, ridge, fine-tuning.

    Test images are never trained on, neither by the encoder nor by the probes.
    """
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        _require_torch()
        from survey_tools.errors import ParameterError
        from survey_tools.mae.evaluating import ProbeSettings
        from survey_tools.mae.planning import plan_tuning
        from survey_tools.mae.probing import probe_checkpoints
        from survey_tools.mae.sources import Reading

        settings = ProbeSettings(
            pooling=pooling,  # type: ignore[arg-type]
            most_train=most_train,
            solver=solver,  # type: ignore[arg-type]
            seed=seed,
        )
        fields = parse_assignments(assignments or [])
        if fields and tuning_steps is None:
            raise ParameterError("--set has no meaning without --fine-tune STEPS")
        tuning = (
            plan_tuning("probed", n_steps=tuning_steps, seed=seed, fields=fields)
            if tuning_steps
            else None
        )
        with stage_bar("probing", quiet=quiet) as show:
            found = probe_checkpoints(
                checkpoints,
                data,
                settings=settings,
                tuning=tuning,
                device=device,
                reading=Reading(n_threads=threads, most_unreadable=most_unreadable),
                progress=lambda n_done, n_all: show(n_done / n_all),
            )
        if json_file is not None:
            write_json(
                json_file,
                {
                    "checkpoints": [str(path) for path in checkpoints],
                    "data": found.data,
                    "n_train": found.n_train,
                    "n_test": found.n_test,
                    "pooling": pooling,
                    "solver": solver,
                    "seed": seed,
                    "tuning": tuning.to_dict() if tuning else None,
                    "scores": [_score_data(*item) for item in found.scores.items()],
                },
            )
    if not quiet:
        for key, repeats in found.scores.items():
            typer.echo(_score_line(key, repeats))


@mae_app.command("bench", short_help="Time a training step against its operations.")
def bench_command(
    method: MethodOption = "mae",
    size: Annotated[
        str,
        typer.Option("--size", metavar="NAME", help="tiny32, tiny, small, base, large or huge."),
    ] = "tiny32",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images a step.")] = 32,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps that are timed.")] = 10,
    precision: Annotated[
        str, typer.Option("--precision", metavar="NAME", help="fp32, or bf16 by autocast.")
    ] = "fp32",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the blocks by torch.compile.")
    ] = False,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Time a training step (forward, backward, optimiser) on images of random numbers.

    The median of the steps, beside the floating-point operations of all matrix products by
    count. The comparison with Hugging Face is benchmarks/mae.py.
    """
    with one_line_errors(debug=debug):
        _require_torch()
        from survey_tools.mae.config import named_config
        from survey_tools.mae.processes import choose_device
        from survey_tools.mae.recipe import Recipe
        from survey_tools.mae.step_timing import time_steps

        recipe = Recipe(
            data="random numbers",
            unit="steps",
            length=steps,
            warmup=0,
            batch_size=batch,
            precision=precision,  # type: ignore[arg-type]
            compiled=compiled,
        )
        chosen = choose_device(device)
        with stage_bar("timing", quiet=quiet) as show:
            found = time_steps(
                method, named_config(size), recipe, n_steps=steps, device=chosen,
                progress=lambda n_done, n_all: show(n_done / n_all),
            )  # fmt: skip
    typer.echo(
        f"{method} {size}, batch {batch}, {precision}, {chosen}: {found.steps_per_s:.3g} steps/s, "
        f"{found.images_per_s:.4g} images/s, {found.gflop_per_s:.4g} GFLOP/s of "
        f"{found.operations / 1e9:.4g} GFLOP a step"
    )


def _require_torch() -> None:
    """Refuse to go on where the wing's libraries are missing, with what installs them."""
    from importlib.util import find_spec

    from survey_tools.errors import ParameterError

    missing = [
        name for name, module in (("torch", "torch"), ("Pillow", "PIL")) if not find_spec(module)
    ]
    if missing:
        raise ParameterError(
            f"{' and '.join(missing)} is not installed, which the commands of mae need: "
            "pip install 'survey-tools[mae]'"
        )


def _draw_training(
    plan: "TrainingPlan",
    folder: Path,
    rows: "tuple[HistoryRow, ...]",
    pictures: "Pictures | None",
) -> None:
    import numpy as np

    from survey_tools.figures.mae_history import TrainingCurves, draw_history
    from survey_tools.figures.picture_grid import PictureRows, draw_picture_rows
    from survey_tools.figures.style import save_figure
    from survey_tools.settings import FigureSettings

    curves = TrainingCurves(
        title=one_line(
            f"Pre-training by {plan.method} on {plan.recipe.data}, {plan.recipe.precision}"
        ),
        steps=np.array([row.step for row in rows]),
        losses=np.array([row.loss for row in rows]),
        rates=np.array([row.rate for row in rows]),
        gradient_norms=np.array([row.gradient_norm for row in rows]),
    )
    settings = FigureSettings(formats=("svg", "png"))
    save_figure([draw_history(curves)], folder, "history", settings)
    if pictures is None or plan.config.n_channels not in (1, 3):
        return
    shown = (pictures.original, pictures.masked, pictures.pasted)
    own = ", with the mean and contrast of the true patches" if plan.config.norm_pix else ""
    grid = PictureRows(
        title=f"Test images, and what {plan.method} makes of them{own}",
        row_names=("image", f"{plan.config.mask_ratio:.0%} masked", "reconstructed"),
        rows=np.stack([(255.0 * images).round().astype(np.uint8) for images in shown]),
    )
    save_figure([draw_picture_rows(grid, settings)], folder, "reconstructions", settings)


def _score_data(key: tuple[str, str, str], repeats: "Repeats") -> dict[str, Any]:
    probe, factor, measure = key
    return {
        "probe": probe,
        "factor": factor,
        "measure": measure,
        "mean": repeats.mean,
        "low": repeats.low,
        "high": repeats.high,
        "confidence": repeats.confidence,
        "values": list(repeats.values),
    }


def _score_line(key: tuple[str, str, str], repeats: "Repeats") -> str:
    probe, factor, measure = key
    interval = "" if repeats.low is None else f" [{repeats.low:.3f}, {repeats.high:.3f}]"
    return f"{factor:<12} {probe:<21} {measure:<8} {repeats.mean:.3f}{interval}"
