"""The training loop: any method, any source of images, one recipe; resumed exactly."""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from survey_tools.errors import ParameterError
from survey_tools.mae.batches import BatchPlan
from survey_tools.mae.chance import MASKS, PREPARING, keyed_generator
from survey_tools.mae.checkpoint import Checkpoint, check_same, has_only_finite, write_checkpoint
from survey_tools.mae.execution import autocast, compile_blocks, hold_gradients, plan_batches
from survey_tools.mae.history import HistoryRow
from survey_tools.mae.methods.base import Method, StepResult
from survey_tools.mae.optimising import Schedule, build_optimiser, group_parameters, set_rate
from survey_tools.mae.processes import ALONE, LostProcessError, Processes, notice_lost_process
from survey_tools.mae.recipe import Recipe
from survey_tools.mae.sources import Source
from survey_tools.mae.stopping import hold_interrupts
from survey_tools.progress import ignore_progress

__all__ = ["DivergedError", "Trainer"]

_N_SAMPLE = 1024  # images from which a method fits what is fitted before training


class DivergedError(ParameterError):
    """A training whose loss, gradient or weights are no longer finite.

    Attributes
    ----------
    row : HistoryRow or None
        Of the step that could not be done, with the value that is not finite; None where a
        weight was not, after a step that could.
    """

    def __init__(self, message: str, *, row: HistoryRow | None = None) -> None:
        super().__init__(message)
        self.row = row


class Trainer:
    """Trains a method by a recipe.

    Batches, crops and masks depend on the recipe's seed and the step alone, so that a training
    that was stopped goes on with the losses that it would have had; on a CPU, with as many
    threads, to the last digit. Several processes share each batch, images and masks, so that they
    train the network that one would: up to rounding, since means are summed in another order,
    and with ``micro_batch`` times as large on the one.

    Parameters
    ----------
    method : Method
        Its weights are trained in place; it is moved to the device.
    source : Source
        Training images.
    recipe : Recipe
    options : mapping of str to Any
        The method was built with, for the checkpoint.
    device : torch.device
    processes : Processes
        Of torchrun; each takes its share of every batch.

    Attributes
    ----------
    step : int
        Steps done.

    Raises
    ------
    ParameterError
        If a batch is larger than the data, or cannot be shared evenly.
    """

    def __init__(
        self,
        method: Method,
        source: Source,
        recipe: Recipe,
        *,
        options: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        processes: Processes = ALONE,
    ) -> None:
        self.recipe, self.step = recipe, 0
        self._source, self._options, self._processes = source, dict(options or {}), processes
        self._device = torch.device(device)
        self._plan = plan_batches(recipe, processes)
        self.steps_per_epoch = self._plan.n_batches(source.n_images)
        self.schedule = Schedule.of(recipe, self.steps_per_epoch)
        self.method = method.to(self._device).train()
        self.method.share_batches(rank=processes.rank, n_ranks=processes.n_ranks)
        self._optimiser = build_optimiser(
            group_parameters(method.named_parameters(), weight_decay=recipe.weight_decay), recipe
        )
        if recipe.compiled:
            compile_blocks(method)
        self._is_stepping = False
        self._images = source.digest

    def restore(self, checkpoint: Checkpoint, *, path: Path) -> None:
        """Go on from a checkpoint.

        Parameters
        ----------
        path : Path
            Where it was read, for messages.

        Raises
        ------
        DataError
            If it is of another method, config or recipe, naming the fields.
        """
        check_same(checkpoint, self._checkpoint(), path=path)
        self.method.load_state_dict(checkpoint.weights)
        self._optimiser.load_state_dict(dict(checkpoint.optimiser))
        self.step = checkpoint.step

    def run(
        self,
        *,
        report: Callable[[HistoryRow], None] = ignore_progress,
        checkpoint: Path | None = None,
        save_every: int = 250,
    ) -> None:
        """Train to the end of the recipe.

        Parameters
        ----------
        report : callable
            Takes the row of each step, on the first process; of a training that diverges also
            that of the step at which it did, so that its history shows it.
        checkpoint : Path, optional
            File for the state: every ``save_every`` steps, at the end, and when interrupted.

        Raises
        ------
        DivergedError
            If loss, gradient or weights are not finite: the last good checkpoint is named.
        LostProcessError
            If another process has ended: the first writes a checkpoint of the last whole step.
        KeyboardInterrupt
            At Ctrl-C or SIGTERM, after the step at hand and a checkpoint.
        """
        if save_every < 1:
            raise ParameterError(f"save_every={save_every}: 1 step or more is wanted")
        self._check_together()
        if self.step == 0 and self.method.fits_images:
            self._prepare()
        with hold_interrupts() as interrupts:
            try:
                with notice_lost_process(self._processes):
                    self._take_steps(report, checkpoint, save_every, interrupts)
            except KeyboardInterrupt:
                if not self._is_stepping:
                    self._save(checkpoint)
                raise
            except DivergedError as error:
                if error.row is not None and self._processes.is_first:
                    report(error.row)
                raise
            except LostProcessError as error:  # before the optimiser's step: weights are whole
                if checkpoint is None or not self._processes.is_first or not self.step:
                    raise
                self._save(checkpoint)
                where = f"step {self.step} is saved in {checkpoint}"
                raise LostProcessError(f"{error}; {where}") from None

    def _check_together(self) -> None:
        """Refuse processes that begin at different steps: not all have read the checkpoint."""
        if self._processes.n_ranks == 1:
            return
        steps: list[int | None] = [None] * self._processes.n_ranks
        with notice_lost_process(self._processes):
            distributed.all_gather_object(steps, self.step)
        if len(set(steps)) > 1:
            raise ParameterError(
                f"the processes would begin after steps {', '.join(map(str, steps))}: not all see "
                "the checkpoint. Put the folder where every machine can read it"
            )

    def _take_steps(
        self,
        report: Callable[[HistoryRow], None],
        checkpoint: Path | None,
        save_every: int,
        interrupts: list[int],
    ) -> None:
        module = self._wrap()
        began = time.perf_counter()
        for images in self._batches():
            row, must_stop = self._take_step(module, images, checkpoint, interrupts)
            now = time.perf_counter()
            if self._processes.is_first:
                rate = self.recipe.batch_size / max(now - began, 1e-9)
                report(replace(row, images_per_s=rate))
            began = now
            if must_stop or (interrupts and self._processes.n_ranks == 1):
                raise KeyboardInterrupt
            if self.step % save_every == 0 or self.step == self.schedule.n_steps:
                self._save(checkpoint)

    def _prepare(self) -> None:
        """Let the method fit a codebook and the like, on the same images in every process."""
        n = min(_N_SAMPLE, self._source.n_images)
        size = min(n, self.recipe.batch_size)
        plan = BatchPlan(batch_size=size, is_training=True, seed=self.recipe.seed)
        images: list[Tensor] = []
        for batch in self._source.batches(plan, epoch=0, first=0):
            images.append(torch.from_numpy(batch.images))
            if size * len(images) >= n:
                break
        generator = keyed_generator(self.recipe.seed, PREPARING, device=self._device)
        sample = torch.cat(images)[:n].to(self._device)  # (n, channels, height, width)
        self.method.prepare(sample, generator=generator)

    def _wrap(self) -> nn.Module:
        if self._processes.n_ranks == 1:
            return self.method
        # buffers (positions, a codebook) are the same in all processes and do not change; torch
        # has renamed the option, and warns of the old name
        known = inspect.signature(DistributedDataParallel).parameters
        option = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        options: dict[str, Any] = {option: False}
        return DistributedDataParallel(self.method, **options)

    def _batches(self) -> Iterator[Tensor]:
        while self.step < self.schedule.n_steps:
            epoch, first = divmod(self.step, self.steps_per_epoch)
            for batch in self._source.batches(self._plan, epoch=epoch, first=first):
                if self.step == self.schedule.n_steps:
                    return
                images = torch.from_numpy(batch.images)
                yield images.to(self._device, non_blocking=True)

    def _take_step(
        self, module: nn.Module, images: Tensor, checkpoint: Path | None, interrupts: list[int]
    ) -> tuple[HistoryRow, bool]:
        self._is_stepping = True
        rate = self.schedule.rate(self.step)
        set_rate(self._optimiser, rate)
        self._optimiser.zero_grad(set_to_none=True)
        loss, parts = self._differentiate(module, images)
        norm = self._clip()
        loss, parts, must_stop = self._agree(loss, parts, interrupts)
        row = HistoryRow(
            step=self.step + 1,
            epoch=(self.step + 1) / self.steps_per_epoch,
            loss=float(loss),
            rate=rate,
            gradient_norm=float(norm),
            images_per_s=0.0,
            parts=parts,
        )
        if not torch.isfinite(loss) or not torch.isfinite(norm):
            what = "loss" if not torch.isfinite(loss) else "norm of the gradient"
            if checkpoint is not None and self.step and not checkpoint.exists():
                self._save(checkpoint)  # the network is whole: the optimiser has not stepped
            raise self._diverged(f"the {what}", self.step + 1, checkpoint, row)
        self._optimiser.step()
        self.step += 1
        self.method.after_step(progress=self.step / self.schedule.n_steps)
        self._is_stepping = False
        return row, must_stop

    def _differentiate(self, module: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Sum up the gradients of a batch, in parts that fit into memory."""
        generator = keyed_generator(self.recipe.seed, MASKS, self.step, device=self._device)
        pieces = images.split(self.recipe.micro_batch or len(images))  # type: ignore[no-untyped-call]
        loss = torch.zeros((), device=self._device)
        parts: dict[str, float] = {}
        for i, piece in enumerate(pieces):
            share = len(piece) / len(images)
            is_last = i == len(pieces) - 1
            with hold_gradients(module, is_last=is_last):
                with autocast(self.recipe, self._device):
                    result: StepResult = module(piece, generator=generator)
                (result.loss * share).backward()  # type: ignore[no-untyped-call]
            loss += result.loss.detach() * share
            for name, value in result.parts.items():
                parts[name] = parts.get(name, 0.0) + share * value
        return loss, parts

    def _clip(self) -> Tensor:
        """Return the norm of the gradient; cut it to the recipe's, if that has one."""
        parameters = [p for g in self._optimiser.param_groups for p in g["params"]]
        if self.recipe.clip_norm is not None:
            return nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm)
        return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

    def _agree(
        self, loss: Tensor, parts: dict[str, float], interrupts: list[int]
    ) -> tuple[Tensor, dict[str, float], bool]:
        """Return means over all processes, and whether all are to stop after this step.

        Processes stop at the same step, or those that went on would wait for the others.
        """
        n_ranks = self._processes.n_ranks
        if n_ranks == 1:
            return loss, parts, False
        own = [float(loss), float(bool(interrupts)), *parts.values()]
        sums = torch.tensor(own, dtype=torch.float64, device=loss.device)
        distributed.all_reduce(sums)
        values = (sums[2:] / n_ranks).tolist()
        means = dict(zip(parts, values, strict=True))
        return (sums[0] / n_ranks).to(loss.dtype), means, bool(sums[1] > 0)

    def _save(self, path: Path | None) -> None:
        """Write a checkpoint, unless another process does."""
        if path is None or not self._processes.is_first:
            return
        checkpoint = self._checkpoint()
        if not has_only_finite(checkpoint.weights):
            raise self._diverged("a weight", self.step, path)
        write_checkpoint(path, checkpoint)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            method=self.method.name,
            options=self._options,
            config=self.method.config,
            recipe=self.recipe,
            images=self._images,
            n_ranks=self._processes.n_ranks,
            step=self.step,
            weights=self.method.state_dict(),
            optimiser=self._optimiser.state_dict(),
        )

    def _diverged(
        self, what: str, step: int, checkpoint: Path | None, row: HistoryRow | None = None
    ) -> DivergedError:
        has_good = checkpoint is not None and checkpoint.exists()
        good = f"the last good checkpoint is {checkpoint}" if has_good else "there is no checkpoint"
        return DivergedError(
            f"{what} is not finite at step {step} of {self.schedule.n_steps} (rate "
            f"{self.schedule.rate(step - 1):.3g}); {good}. In another folder, take a smaller "
            "base_rate, a longer warm-up, or set clip_norm",
            row=row,
        )
