"""The bar of a pre-training: steps, images a second, loss and time left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from survey_tools.cli.terminal import rich_bar

if TYPE_CHECKING:
    from survey_tools.mae.history import HistoryRow

__all__ = ["describe_step", "training_bar"]

_MEMORY = 0.95  # of the running means that are shown: about 20 steps


def describe_step(loss: float, images_per_s: float, left_s: float) -> str:
    """Write what stands beside the bar: ``loss 0.4213, 1,234 images/s, left 0:01:05``."""
    left = timedelta(seconds=round(left_s))
    rate = f"{images_per_s:,.0f}" if images_per_s >= 100 else f"{images_per_s:.3g}"
    return f"loss {loss:.4g}, {rate} images/s, left {left}"


@contextmanager
def training_bar(*, quiet: bool) -> "Iterator[Callable[[HistoryRow, int], None]]":
    """Show steps done of all, loss and rate as running means, and the time left."""
    if quiet or not sys.stderr.isatty():
        yield lambda _row, _n_steps: None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[count]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with rich_bar(*columns) as bar:
        task = bar.add_task("", total=None, count="", state="")
        began: list[tuple[float, int]] = []
        means: list[float] = []

        def show(row: "HistoryRow", n_steps: int) -> None:
            now_s = bar.tasks[0].elapsed or 0.0
            began[:] = began or [(now_s, row.step)]
            means[:] = [
                _MEMORY * old + (1 - _MEMORY) * new
                for old, new in zip(
                    means or (row.loss, row.images_per_s), (row.loss, row.images_per_s), strict=True
                )
            ]
            n_new = row.step - began[0][1]
            left_s = (now_s - began[0][0]) * (n_steps - row.step) / n_new if n_new else 0.0
            bar.update(
                task,
                total=n_steps,
                completed=row.step,
                count=f"step {row.step:,} of {n_steps:,}",
                state=describe_step(means[0], means[1], left_s),
            )

        yield show
